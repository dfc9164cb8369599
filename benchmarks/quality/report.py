"""The tables of the suite, for the terminal and for `docs/quality.md`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.quality.kinds import Kind
from benchmarks.quality.living import is_found
from benchmarks.quality.totals import Clean

DOCS: Final = Path("docs/quality.md")
BEGIN, END = "<!-- fault suite: begin -->", "<!-- fault suite: end -->"


def clean_lines(clean: Clean) -> list[str]:
    """Return what the clean history brought, as Markdown."""
    low, high = clean.interval
    lines = [
        f"{clean.n_months} clean months of {clean.n_seeds} seeds: {clean.n_blocked_months} blocked "
        f"(95 % interval of the share, Wilson: {low:.2%} to {high:.2%}), {len(clean.warned)} warnings.",
        "",
    ]
    told = [(*one, "blocks") for one in clean.blocked] + [(*one, "warns") for one in clean.warned]
    if told:
        lines += ["| seed | month | table | check | |", "| ---: | ---: | --- | --- | --- |"]
        lines += [
            f"| {seed} | {month} | {table} | `{check}` | {how} |" for seed, month, table, check, how in sorted(told)
        ]
        lines.append("")
    return lines


def fault_lines(kinds: Sequence[Kind], results: Sequence[dict[str, Any]]) -> list[str]:
    """Return a row for each fault, as Markdown."""
    described = {kind.name: kind.description for kind in kinds}
    lines = [
        "| kind | what is seeded | should | month | did | months until | by | cause named |",
        "| --- | --- | --- | ---: | --- | ---: | --- | --- |",
    ]
    for one in results:
        did = (one["found"] or "**missed**") if is_found(one) else f"**{one['found'] or 'missed'}**"
        more = f" and {len(one['checks']) - 1} more" if len(one["checks"]) > 1 else ""
        by = f"`{one['checks'][0]}`{more}" if one["checks"] else ""
        right = {True: "right", False: "not what was hit", None: ""}[one["is_cause_right"]]
        months = "" if one["after_months"] is None else one["after_months"]
        lines.append(
            f"| `{one['kind']}` | {described.get(one['kind'], '')} | {'block' if one['is_wrong'] else 'warn'} "
            f"| {one['month']} | {did} | {months} | {by} | {right} |"
        )
    return [*lines, ""]


def figure_lines(figures: dict[str, Any]) -> list[str]:
    """Return the figures as Markdown."""
    rows = [f"| {name.replace('_', ' ')} | {value} |" for name, value in figures.items()]
    return ["| figure | |", "| --- | ---: |", *rows, ""]


def write_docs(lines: Sequence[str], docs: Path = DOCS) -> None:
    """Put the lines between the markers of the page.

    Raises:
        ValueError: the page has no markers.
    """
    page = docs.read_text("utf-8")
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{docs} has no line {BEGIN} with {END} after it; put them where the tables belong.")
    docs.write_text("\n".join([f"{head}{BEGIN}", "", *lines, f"{END}{tail}"]), "utf-8")
