"""A report for readers: the paper's tables in Markdown beside the paper's figures, and flat rows for a Parquet table.

Nothing is computed here.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

NAMES: Final = {
    "ir_model": "single task (IR)", "le_model": "single task (LE)", "mtl_model": "multitask (IR+LE)",
}  # fmt: skip
_ARROWS: Final = {"image_to_text": "image → text", "text_to_image": "text → image"}
_SECTIONS: Final = ("retrieval", "location")
_NO_FIGURES: Final = ("n", "majority")

Row = dict[str, str | float | int | None]


def markdown_tables(report: Mapping[str, Any]) -> str:
    """Return tables 3 (retrieval) and 4 (location) beside the paper's, with gallery and chance in every row."""
    parts = []
    if report["retrieval"]:
        parts.append(_table(
            "Table 3: cross-modal retrieval",
            ("model", "direction", "medR", "paper", "chance", "R@1", "chance", "R@5", "chance", "R@10", "chance",
             "gallery"),
            [_retrieval_cells(report, model, direction) for model, direction in _directions(report["retrieval"])],
        ))  # fmt: skip
    if report["location"]:
        parts.append(_table(
            "Table 4: location estimation",
            ("model", "from", "F1", "paper", "chance (by share, commonest)", "precision", "recall", "median km",
             "chance km", "items, cells"),
            [_location_cells(report, model, source) for model, source in _directions(report["location"])],
        ))  # fmt: skip
    return "\n\n".join([*parts, _caption(report)]) + "\n"


def rows(report: Mapping[str, Any]) -> list[Row]:
    """Return every figure as a row.

    Columns: `model`, `section` (`retrieval`, `location`, `chance`, `full_gallery`, ...), `direction`, `group` (a
    language, `class:...`, or empty), `figure`, `value`, `low`, `high`, `n`, `paper`. In `guards`, `value` is that of
    the shuffled items and `low` and `high` are what chance can do; in `paired_...`, `value` is multitask minus single
    task, with the p value as a figure of its own; `blocked` is a multitask model trained on that split.
    """
    found = list(_paper_rows(report))
    for section in ("full_gallery", "pooled_views", "without_leaks"):
        for model, part in report[section].items():
            found += _part_rows(part, model, section)
    for model, by_language in report["per_language"].items():
        for language, part in by_language.items():
            found += _part_rows(part, model, "per_language", language)
    for model, dimensions in report["breakdown"].items():
        for dimension, members in dimensions.items():
            for name, directions in members.items():
                for direction, figures in directions.items():
                    found += _rows_of(figures, model, "breakdown", direction, f"{dimension}:{name}")
    found += _part_rows(report["blocked"], "mtl_model", "blocked")
    return [*found, *_guard_rows(report["guards"]), *_paired_rows(report["paired"]), *_leak_rows(report["leakage"])]


def _paper_rows(report: Mapping[str, Any]) -> Iterator[Row]:
    for section in _SECTIONS:
        for model, direction in _directions(report[section]):
            theirs = _theirs(report, section, model, direction)
            yield from _rows_of(report[section][model][direction], model, section, direction, "", theirs)
    for model, direction in _directions(report["chance"]):
        figures, gallery = report["chance"][model][direction], report["gallery"][model][direction]
        yield from _chance_rows(figures, model, "chance", direction, "", gallery)


def _part_rows(part: Mapping[str, Any] | None, model: str, section: str, group: str = "") -> Iterator[Row]:
    if part is None:
        return
    for name in _SECTIONS:
        for direction, figures in part.get(name, {}).items():
            yield from _rows_of(figures, model, section, direction, group)
    for direction, figures in part["chance"].items():
        yield from _chance_rows(figures, model, f"{section}_chance", direction, group, part["gallery"][direction])


def _chance_rows(
    figures: Mapping[str, Any], model: str, section: str, direction: str, group: str, gallery: Mapping[str, int]
) -> Iterator[Row]:
    n = gallery.get("protocol_size", gallery["items"])
    yield from _rows_of({**figures, "n": n}, model, section, direction, group)
    if "majority" in figures:
        yield from _rows_of({**figures["majority"], "n": n}, model, f"{section}_majority", direction, group)


def _rows_of(
    figures: Mapping[str, Any],
    model: str,
    section: str,
    direction: str,
    group: str,
    paper: Mapping[str, float | None] | None = None,
) -> Iterator[Row]:
    for figure, value in figures.items():
        if figure in _NO_FIGURES or figure.endswith(("_low", "_high")):
            continue
        yield {
            **_row(model, section, direction, group, figure, value),
            "low": figures.get(f"{figure}_low"),
            "high": figures.get(f"{figure}_high"),
            "n": figures.get("n"),
            "paper": (paper or {}).get(figure),
        }


def _row(model: str, section: str, direction: str, group: str, figure: str, value: Any, **more: Any) -> Row:
    return {
        "model": model, "section": section, "direction": direction, "group": group, "figure": figure, "value": value,
        "low": None, "high": None, "n": None, "paper": None, **more,
    }  # fmt: skip


def _guard_rows(guards: Mapping[str, Any]) -> Iterator[Row]:
    for model, verdict in guards["models"].items():
        for shuffle in ("texts", "images"):
            for direction, figures in verdict.get(shuffle, {}).items():
                for figure, one in figures.items():
                    more = {"low": one["low"], "high": one["high"], "n": verdict["n"]}
                    yield _row(model, "guards", direction, f"shuffled {shuffle}", figure, one["value"], **more)


def _paired_rows(paired: list[dict[str, Any]]) -> Iterator[Row]:
    for pair in paired:
        place = (pair["multitask"], f"paired_{pair['section']}", pair["direction"], f"against {pair['single']}")
        for figure, one in pair["figures"].items():
            more = {"low": one["difference_low"], "high": one["difference_high"], "n": pair["n"]}
            yield _row(*place, figure, one["difference"], **more)
            yield _row(*place, f"{figure} p", one["p"], n=pair["n"])


def _leak_rows(leakage: Mapping[str, Any]) -> Iterator[Row]:
    for kind, one in leakage.items():
        if isinstance(one, Mapping):
            yield _row("all", "leakage", "", kind, "items", one["items"], n=leakage["items"])
    yield _row("all", "leakage", "", "any", "items", leakage["leaking_items"], n=leakage["items"])


def _directions(section: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    return ((model, direction) for model, directions in section.items() for direction in directions)


def _retrieval_cells(report: Mapping[str, Any], model: str, direction: str) -> list[str]:
    ours, chance = report["retrieval"][model][direction], report["chance"][model][direction]
    gallery = report["gallery"][model][direction]
    theirs = _theirs(report, "retrieval", model, direction)
    found = [
        NAMES.get(model, model),
        _ARROWS[direction],
        _with_interval(ours, "medR", 1),
        _short(theirs.get("medR"), 1),
    ]
    found.append(_short(chance["medR"], 1))
    for name in ("R@1", "R@5", "R@10"):
        found += [_with_interval(ours, name, 3), _short(chance[name], 3)]
    drawn = f" × {gallery['draws']}, of {gallery['items']}" if gallery["draws"] > 1 else ", all once"
    return [*found, f"{gallery['protocol_size']}{drawn}"]


def _location_cells(report: Mapping[str, Any], model: str, source: str) -> list[str]:
    ours, chance = report["location"][model][source], report["chance"][model][source]
    gallery = report["gallery"][model][source]
    theirs = _theirs(report, "location", model, source)
    return [
        NAMES.get(model, model), source, _with_interval(ours, "f1", 3), _short(theirs.get("f1"), 2),
        f"{_short(chance['f1'], 3)}, {_short(chance['majority']['f1'], 3)}",
        _with_interval(ours, "precision", 3), _with_interval(ours, "recall", 3), _with_interval(ours, "median_km", 0),
        _short(chance["median_km"], 0), f"{gallery['items']}, {gallery['cells']}",
    ]  # fmt: skip


def _theirs(report: Mapping[str, Any], section: str, model: str, direction: str) -> Mapping[str, float | None]:
    figures: Mapping[str, float | None] = report["paper"].get(section, {}).get(model, {}).get(direction, {})
    return figures


def _with_interval(figures: Mapping[str, Any], name: str, places: int) -> str:
    if figures[f"{name}_low"] is None:
        return _short(figures[name], places)
    low, high = (_short(figures[f"{name}_{end}"], places) for end in ("low", "high"))
    return f"{_short(figures[name], places)} [{low}, {high}]"


def _short(value: float | None, places: int) -> str:
    return "-" if value is None else f"{value:,.{places}f}"


def _table(title: str, head: tuple[str, ...], body: list[list[str]]) -> str:
    lines = [f"**{title}**", "", " | ".join(("", *head, "")).strip(), "|" + " --- |" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(cells) + " |" for cells in body)])


def _caption(report: Mapping[str, Any]) -> str:
    about = report["about"]
    return (
        f"{about['variant']}, release {about['release']}: {about['test_items']} test items. In brackets the 95 % "
        f"interval of a bootstrap over items ({about['resamples']} resamples). Chance in retrieval: scores at random. "
        "Chance in location: cells guessed by their share in training, and always the commonest cell. The paper's "
        "column holds its figures on its own data; a dash where they are not known. medR and km: lower is better."
    )
