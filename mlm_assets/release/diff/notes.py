"""Release notes, drafted from a diff: what a user of the last release wants to know, in sentences.

A maintainer may rewrite them before a release is published. Every number is one of `diff.json`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from mlm_assets.release.diff import meanings
from mlm_assets.release.diff.markup import number
from mlm_assets.release.diff.report import Diff
from mlm_assets.release.diff.tallies import ALL
from mlm_assets.tables import EXCLUSION_REASONS, IRLE_VARIANTS, MODEL_TASKS, VARIANTS

_NAMED: Final = 3


def render(diff: Diff) -> bytes:
    """Return the notes as Markdown."""
    sections = {
        "What is new": _new(diff),
        "What left, and why": _gone(diff),
        f"What users of {diff['base']} should know": _to_know(diff),
        "Pictures and licences": _rights(diff),
        "Scores": _scores(diff),
        "Decisions of the maintainers": _decisions(diff),
    }
    if diff["base"] is None:
        kept = ("Pictures and licences", "Scores", "Decisions of the maintainers")
        sections = {title: sections[title] for title in kept}
    parts = [f"# MLM {diff['release']}: release notes", _headline(diff), _variants(diff)]
    for title, sentences in sections.items():
        if lines := [f"- {sentence}" for sentence in sentences]:
            parts.append(f"## {title}\n\n" + "\n".join(lines))
    parts.append(_end(diff))
    return ("\n\n".join(parts) + "\n").encode()


def _headline(diff: Diff) -> str:
    counts = diff["counts"][ALL]
    n_languages = sum(1 for both in diff["texts"][ALL].values() if both["after"])
    held = (
        f"MLM {diff['release']} holds {_n(counts['entities']['after'], 'settlement')} with "
        f"{_n(counts['summaries']['after'], 'lead text')} in {_n(n_languages, 'language')} and "
        f"{_n(counts['images']['after'], 'published picture')}."
    )
    if diff["base"] is None:
        return f"{held} It is the first release; there is nothing to compare it with."
    events = diff["entities"][ALL]
    return (
        f"{held} Since {diff['base']}, {_n(events['new'], 'settlement')} came in, {number(events['gone'])} went out "
        f"and {number(events['changed'])} changed; {number(events['same'])} are the same in every column."
    )


def _variants(diff: Diff) -> str:
    if diff["base"] is None:
        lines = ["| variant | settlements | lead texts | published pictures |", "| --- | ---: | ---: | ---: |"]
    else:
        lines = [
            f"| variant | settlements ({diff['base']}) | settlements | lead texts | published pictures |",
            "| --- | ---: | ---: | ---: | ---: |",
        ]
    for variant in VARIANTS:
        counts = diff["counts"][variant]
        before = [] if diff["base"] is None else [number(counts["entities"]["before"])]
        figures = [number(counts[name]["after"]) for name in ("entities", "summaries", "images")]
        lines.append(f"| {variant} | {' | '.join([*before, *figures])} |")
    return "\n".join(lines)


def _new(diff: Diff) -> Iterator[str]:
    events, images = diff["entities"][ALL], diff["images"][ALL]
    if events["new"]:
        yield f"{_n(events['new'], 'settlement')} {_is(events['new'])} new{_such_as(diff, 'new', 'label_after')}."
    texts = {event: sum(one[event] for one in diff["texts"][ALL].values()) for event in ("new", "changed")}
    if texts["new"] or texts["changed"]:
        most = max(diff["texts"][ALL].items(), key=lambda one: one[1]["new"] + one[1]["changed"])[0]
        yield (
            f"{_n(texts['new'], 'lead text')} {_is(texts['new'])} new and {number(texts['changed'])} "
            f"{'was' if texts['changed'] == 1 else 'were'} edited, most of them in {most}."
        )
    if images["new"] or images["replaced"]:
        yield (
            f"{_n(images['new'], 'picture')} {_is(images['new'])} new; {number(images['replaced'])} "
            f"{'was' if images['replaced'] == 1 else 'were'} replaced on Commons by another version of the file."
        )


def _gone(diff: Diff) -> Iterator[str]:
    events = diff["entities"][ALL]
    if events["gone"]:
        yield f"{_n(events['gone'], 'settlement')} {_is(events['gone'])} gone{_such_as(diff, 'gone', 'label_before')}."
    for fate, n in events["gone_by_fate"].items():
        yield f"{_n(n, 'settlement')}: {meanings.fate_of(fate)}."
    yield from _gone_from_variants(diff)
    n_texts = sum(one["gone"] for one in diff["texts"][ALL].values())
    if n_texts:
        yield f"{_n(n_texts, 'lead text')} {_is(n_texts)} gone."
    images = diff["images"][ALL]
    if images["gone"]:
        yield f"{_n(images['gone'], 'picture')} {_is(images['gone'])} gone."


def _gone_from_variants(diff: Diff) -> Iterator[str]:
    """Tell of the variants that settlements left which stayed in the release, and why."""
    for variant in VARIANTS:
        fates = {fate: n for fate, n in diff["entities"][variant]["gone_by_fate"].items() if fate in EXCLUSION_REASONS}
        left = {fate: n - diff["entities"][ALL]["gone_by_fate"].get(fate, 0) for fate, n in fates.items()}
        why = [f"{number(n)} ({meanings.fate_of(fate)})" for fate, n in left.items() if n > 0]
        if why:
            total = sum(n for n in left.values() if n > 0)
            yield f"{_n(total, 'settlement')} left {variant} and stayed in the release: {_listed(why)}."


def _to_know(diff: Diff) -> Iterator[str]:
    wrong = diff["splits"]["n_violations"]
    if wrong:
        yield f"**{_n(wrong, 'settlement')} changed sides between the splits. This must never happen; do not publish.**"
    else:
        yield "The splits are stable: no settlement changed sides, and scores of both releases rest on the same rule."
    for variant in IRLE_VARIANTS:
        yield from _cells(variant, diff["cells"][variant])
    events = diff["entities"][ALL]
    moved = [
        (events["moved"], "moved", "moved", f"by more than {number(diff['moved_km'])} km"),
        (events["renamed"], "has", "have", "another name"),
        (events["reclassed"], "has", "have", "other classes"),
        (events["other_country"], "lies", "lie", "in another country"),
    ]
    told = [f"{number(n)} {one if n == 1 else several} {what}" for n, one, several, what in moved if n]
    if told:
        yield f"Of the settlements that stayed, {_listed(told)}."
    images = diff["images"][ALL]
    if images["renumbered"]:
        yield (
            f"{_n(images['renumbered'], 'picture')} {_is(images['renumbered'])} in the release under another name, "
            "because the pictures of the settlement before it changed; join on the file of Commons, not on the name."
        )
    for name, both in diff["settings"].items():
        yield f"The setting `{name}` was {both['before']} and is {both['after']}."


def _cells(variant: str, cells: Mapping[str, Any]) -> Iterator[str]:
    parts = []
    if cells["removed"]:
        what = _n(cells["settlements_in_removed"], "settlement")
        parts.append(f"{_n(cells['removed'], 'geo-cell')} removed (with {what} of the last release)")
    if cells["added"]:
        parts.append(f"{_n(cells['added'], 'geo-cell')} added")
    if cells["split"]:
        parts.append(f"{_n(cells['split'], 'geo-cell')} split into {number(cells['split_into'])}")
    if cells["merged"]:
        parts.append(f"{_n(cells['merged'], 'geo-cell')} merged into {number(cells['merged_into'])}")
    if not parts:
        yield f"{variant}: the {_n(cells['after'], 'geo-cell')} are those of the last release."
        return
    told = f"{variant}: {_listed(parts)}; there are {number(cells['after'])} now, {number(cells['before'])} before."
    if cells["renumbered"]:
        told += (
            f" {_n(cells['renumbered'], 'cell')} that stayed {'has' if cells['renumbered'] == 1 else 'have'} another "
            "number: a model of the last release answers in its own numbers, compare by token."
        )
    yield told


def _rights(diff: Diff) -> Iterator[str]:
    if not diff["rights_decided"]["after"]:
        yield "Nobody has decided yet which pictures may be published."
        return
    withheld = diff["licences"]["withheld"]
    reasons = [(name, both["after"]) for name, both in withheld.items() if both["after"]]
    n = sum(n for _, n in reasons)
    if n:
        told = _listed([f"{number(count)} because {meanings.WITHHELD.get(name, name)}" for name, count in reasons])
        yield f"{_n(n, 'file')} of Commons {_is(n)} withheld: {told}. The settlements stay."
    else:
        yield "No picture is withheld."
    if diff["base"] is not None:
        images = diff["images"][ALL]
        if images["withheld"]:
            yield f"{_n(images['withheld'], 'picture')} of the last release {_is(images['withheld'])} withheld now."
        if images["published"]:
            yield f"{_n(images['published'], 'picture')} {_is(images['published'])} not withheld any more."
    without = diff["counts"][ALL]["entities_without_image"]["after"]
    if without:
        yield f"{_n(without, 'settlement')} {_is(without)} published without a picture."
    taken = diff["taken_back"]
    if taken["items"] or taken["files"]:
        yield (
            f"{_n(taken['items'], 'settlement')} and {_n(taken['files'], 'file')} were taken back at somebody's "
            "request; please remove them from your copies (`manifest.json` names them)."
        )


def _scores(diff: Diff) -> Iterator[str]:
    if not diff["scores"]:
        yield "The release comes without models and scores."
    for variant, scores in diff["scores"].items():
        told = {verdict: [one for one in scores if one["verdict"] == verdict] for verdict in meanings.VERDICTS}
        for verdict in ("better", "worse"):
            if told[verdict]:
                named = _listed([_named_score(one) for one in told[verdict][:_NAMED]])
                more = len(told[verdict]) - _NAMED
                rest = f" and {number(more)} more" if more > 0 else ""
                yield f"{variant}: {_n(len(told[verdict]), 'figure')} {verdict} beyond the intervals: {named}{rest}."
        if told["within_intervals"] and not told["better"] and not told["worse"]:
            yield f"{variant}: no score changed by more than the 95 % intervals allow."
        elif told["new"] and diff["base"] is not None:
            yield f"{variant}: scores are new; there were none in {diff['base']}."
        elif told["gone"]:
            yield f"{variant}: there are no scores in this release."
        elif told["new"]:
            yield f"{variant}: {_n(len(told['new']), 'figure')} with intervals; see the benchmark."


def _named_score(one: Mapping[str, Any]) -> str:
    task = MODEL_TASKS.get(one["model"].removesuffix("_model"), one["model"])
    direction = one["direction"].replace("_", " ")
    return (
        f"{one['figure']} of {task}, {direction} ({number(one['before']['value'])} to {number(one['after']['value'])})"
    )


def _decisions(diff: Diff) -> Iterator[str]:
    for row in diff["approvals"]:
        where = f"{row['table_name']} {row['partition']}".strip()
        checks = _listed([f"`{check}`" for check in row["failed_checks"]]) or "a check"
        reason = _plain(row["reason"]).rstrip(".")
        yield f"{where} was let through against {checks} by {row['approved_by']}: {reason}."


def _end(diff: Diff) -> str:
    if diff["base"] is None:
        return "All figures, with pictures: `diff/index.html`; as data: `diff/diff.json`."
    return (
        f"Everything that changed since {diff['base']}, with pictures: `diff/index.html`; as data: `diff/diff.json`; "
        "every settlement that is not the same: `diff/entities.parquet`."
    )


def _such_as(diff: Diff, event: str, label: str) -> str:
    rows: Sequence[Mapping[str, Any]] = diff["samples"]["entities"][event]
    if not rows:
        return ""
    named = [f"{_plain(row[label])} ({row['qid']})" for row in rows[:_NAMED]]
    word = ", such as" if diff["entities"][ALL][event] > len(named) else ":"
    return f"{word} {_listed(named)}"


def _plain(words: object) -> str:
    """Return what somebody else wrote on one line, and as no Markdown or HTML of ours."""
    return re.sub(r"([\\`*_\[\]<>|])", r"\\\1", " ".join(str(words).split()))


def _n(count: int, noun: str) -> str:
    return f"{number(count)} {noun}{'' if count == 1 else 's'}"


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else ""
