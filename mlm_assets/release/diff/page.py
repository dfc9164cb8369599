"""The page of a diff: one HTML file with its pictures in it, that a browser shows without asking anybody.

No script, nothing loaded from elsewhere. Every number that stands in `diff.json` is marked with its place there
(`data-figure`). What a figure means is in `meanings`; how it is drawn in `drawings`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any, Final

from mlm_assets.release.diff import addresses, meanings
from mlm_assets.release.diff.markup import Figures, jpeg, link, number, png, section, table, text, words
from mlm_assets.release.diff.report import Diff
from mlm_assets.release.diff.tallies import ALL, SPLITS
from mlm_assets.tables import MODEL_TASKS, VARIANTS

Picture = Callable[[str], bytes | None]
"""Gives the bytes of a padded picture by its path in the lake; None where it is not kept any more."""

_WHOLE: Final = "whole release"
_TITLES: Final = {
    "new": "New",
    "gone": "Gone",
    "moved": "Moved furthest",
    "reclassed": "With other classes",
    "renamed": "Renamed",
}
_LINKS: Final = {
    "counts": "Counts", "settlements": "Settlements", "texts": "Texts", "pictures": "Pictures", "cells": "Geo-cells",
    "splits": "Splits", "scores": "Scores", "licences": "Licences", "decisions": "Decisions", "about": "About",
}  # fmt: skip
_MAX_TOKENS: Final = 12


def render(diff: Diff, drawn: Mapping[str, bytes], before: Picture | None, after: Picture) -> bytes:
    """Return the page of a diff; `drawn` are the PNGs of `drawings`, `before` and `after` give pictures."""
    figures = Figures(diff)
    parts = {
        "counts": _counts(figures, diff, drawn),
        "settlements": _settlements(figures, diff, drawn),
        "texts": _texts(figures, diff, drawn),
        "pictures": _pictures(figures, diff, before, after),
        "cells": _cells(figures, diff, drawn),
        "splits": _splits(figures, diff),
        "scores": _scores(figures, diff),
        "licences": _licences(figures, diff),
        "decisions": _decisions(diff),
        "about": _about(diff),
    }
    there = {name: part for name, part in parts.items() if part}
    template = Template(Path(__file__).with_name("page.html").read_text("utf-8"))
    whole = template.substitute(
        title=text(title_of(diff)),
        lead=_lead(figures, diff),
        links="".join(f'<li><a href="#{name}">{_LINKS[name]}</a></li>' for name in there),
        sections="\n".join([_headline(figures, diff), *there.values()]),
    )
    return whole.encode()


def title_of(diff: Diff) -> str:
    """Return what the page is called."""
    base = diff["base"]
    return f"MLM {diff['release']}: " + (f"what changed since {base}" if base else "the first release")


def _lead(figures: Figures, diff: Diff) -> str:
    if diff["base"] is None:
        return "There is no earlier release to compare with. These are the figures that the next one starts from."
    events = ("entities", ALL)
    return (
        f"Settlements: {figures.html(*events, 'new')} new, {figures.html(*events, 'gone')} gone, "
        f"{figures.html(*events, 'changed')} changed, {figures.html(*events, 'same')} the same in every column."
    )


def _headline(figures: Figures, diff: Diff) -> str:
    tiles = []
    for name in ("entities", "summaries", "images"):
        change = f"{figures.signed('counts', ALL, name, 'change')} since {text(diff['base'])}" if diff["base"] else ""
        now = figures.html("counts", ALL, name, "after")
        tiles.append(
            f'<li><span class="big">{now}</span><span>{meanings.COUNTS[name]}</span><small>{change}</small></li>'
        )
    wrong = figures.html("splits", "n_violations")
    tiles.append(f'<li><span class="big">{wrong}</span><span>settlements that changed sides</span><small></small></li>')
    return f'<ul class="tiles">{"".join(tiles)}</ul>'


def _variant(name: str) -> str:
    return text(_WHOLE if name == ALL else name)


def _counts(figures: Figures, diff: Diff, drawn: Mapping[str, bytes]) -> str:
    rows = []
    for variant, counts in diff["counts"].items():
        for name, both in counts.items():
            if variant == ALL or not (name == "cells" and both["before"] == both["after"] == 0):
                path = ("counts", variant, name)
                rows.append([_variant(variant), text(meanings.COUNTS[name]), *_both(figures, diff, path)])
    head = ["variant", "what", *_heads(diff)]
    return section(
        "counts", "Counts", _drawing(drawn, "variants", "Bars: settlements per variant, on both sides"),
        f"<details><summary>All counts per variant</summary>{table('Counts per variant', head, rows, n_text=2)}"
        "</details>",
    )  # fmt: skip


def _heads(diff: Diff) -> list[str]:
    return [diff["base"], diff["release"], "change"] if diff["base"] else [diff["release"]]


def _both(figures: Figures, diff: Diff, path: Sequence[str | int]) -> list[str]:
    """Return the cells of a figure that both sides have: before, after, change; in a first release, after alone."""
    after = figures.html(*path, "after")
    return [figures.html(*path, "before"), after, figures.signed(*path, "change")] if diff["base"] else [after]


def _drawing(drawn: Mapping[str, bytes], name: str, alternative: str) -> str:
    return f'<figure class="drawing">{png(drawn[name], alternative)}</figure>' if name in drawn else ""


def _events(figures: Figures, name: str, meant: Mapping[str, str], caption: str, variants: Iterable[str]) -> str:
    """Return a table of what happened: a row an event, a column a variant."""
    shown = list(variants)
    rows = [
        [text(words_), *(figures.html(name, variant, event) for variant in shown)]
        for event, words_ in meant.items()
        if any(figures.value(name, variant, event) for variant in shown)
    ]
    heads = [_WHOLE if variant == ALL else variant for variant in shown]
    return table(caption, ["what happened", *heads], rows)


def _settlements(figures: Figures, diff: Diff, drawn: Mapping[str, bytes]) -> str:
    title = "Settlements"
    if diff["base"] is None:
        return section("settlements", title, _drawing(drawn, "settlements", "Map of all settlements"))
    what = "Map of the settlements that are new, gone or moved"
    meant = {**meanings.ENTITIES, "moved": f"moved by more than {number(diff['moved_km'])} km"}
    caption = "What became of the settlements"
    return section(
        "settlements", title, _drawing(drawn, "settlements", what),
        _events(figures, "entities", meant, caption, (ALL, *VARIANTS)), _fates(figures, diff),
        _drawing(drawn, "countries", "Bars: settlements new and gone per country"),
        *(_examples(diff, event) for event in _TITLES),
    )  # fmt: skip


def _fates(figures: Figures, diff: Diff) -> str:
    rows = [
        [_variant(variant), text(fate), text(meanings.fate_of(fate)),
         figures.html("entities", variant, "gone_by_fate", fate)]
        for variant, events in diff["entities"].items()
        for fate in events["gone_by_fate"]
    ]  # fmt: skip
    return table("Why settlements are gone", ["variant", "reason", "meaning", "settlements"], rows, n_text=3)


def _examples(diff: Diff, event: str) -> str:
    rows = diff["samples"]["entities"][event]
    if not rows:
        return ""
    n = diff["entities"][ALL][event]
    shown = f"{number(len(rows))} of {number(n)}" if n > len(rows) else number(n)
    head = ["settlement", "item", "country", "details", "edits"]
    lines = [
        [
            text(row["label_after"] or row["label_before"]), link(addresses.item(row["qid"]), row["qid"]),
            text(row["country_after"] or row["country_before"] or "–"), _detail(event, row),
            link(edits, "difference")
            if (edits := addresses.item_edits(row["qid"], row["revision_before"], row["revision_after"])) else "–",
        ]
        for row in rows
    ]  # fmt: skip
    caption = f"{_TITLES[event]}: {shown}"
    open_ = " open" if event in ("new", "gone") else ""
    return (
        f"<details{open_}><summary>{text(caption)}</summary>{table(caption, head, lines, n_text=len(head))}</details>"
    )


def _detail(event: str, row: Mapping[str, Any]) -> str:
    if event == "gone":
        target = row["target_qid"]
        into = f" ({link(addresses.item(target), target)})" if target else ""
        return text(meanings.fate_of(row["fate"])) + into
    if event == "moved":
        old, new = (_place(row[f"lat_{side}_deg"], row[f"lon_{side}_deg"]) for side in ("before", "after"))
        return f"{number(round(row['distance_km'], 1))} km: {old} → {new}"
    if event == "renamed":
        return f"<del>{text(row['label_before'])}</del> → <ins>{text(row['label_after'])}</ins>"
    if event == "reclassed":
        return _classes(row["class_qids_before"], row["class_qids_after"])
    population = row["population_after"]
    return f"{_place(row['lat_after_deg'], row['lon_after_deg'])}" + (
        f", population {number(population)}" if population is not None else ""
    )


def _place(lat_deg: float, lon_deg: float) -> str:
    return f"{abs(lat_deg):.3f}° {'N' if lat_deg >= 0 else 'S'}, {abs(lon_deg):.3f}° {'E' if lon_deg >= 0 else 'W'}"


def _classes(old: Sequence[str], new: Sequence[str]) -> str:
    gone = [f"<del>{link(addresses.item(qid), qid)}</del>" for qid in old if qid not in new]
    came = [f"<ins>{link(addresses.item(qid), qid)}</ins>" for qid in new if qid not in old]
    return " ".join([*gone, *came])


def _texts(figures: Figures, diff: Diff, drawn: Mapping[str, bytes]) -> str:
    drawing = _drawing(drawn, "texts", "Bars: lead texts per language, on both sides")
    if diff["base"] is None:
        return section("texts", "Texts", drawing)
    rows = []
    for lang in diff["texts"][ALL]:
        names = ("before", "after", *meanings.TEXTS)
        rows.append([text(lang), *(figures.html("texts", ALL, lang, name) for name in names)])
    head = ["language", diff["base"], diff["release"], *meanings.TEXTS.values()]
    changed = "".join(_changed_text(sample) for sample in diff["samples"]["texts"])
    title = "<h3>A few that changed</h3>" if changed else ""
    return section("texts", "Texts", drawing, table("Lead texts per language", head, rows), title, changed)


def _changed_text(sample: Mapping[str, Any]) -> str:
    lang, old, new = sample["lang"], sample["revision_before"], sample["revision_after"]
    edits = addresses.article_edits(lang, old, new)
    credit = link(addresses.article(lang, sample["title"], new), f"{lang}.wikipedia: {sample['title']}")
    return (
        f'<figure class="text"><blockquote lang="{text(lang)}">{words(sample["words"])}</blockquote>'
        f"<figcaption>{link(addresses.item(sample['qid']), sample['qid'])}, {credit}, CC BY-SA 4.0"
        f"{', ' + link(edits, 'the edits') if edits else ''}; {number(sample['n_characters_before'])} → "
        f"{number(sample['n_characters_after'])} characters</figcaption></figure>"
    )


def _pictures(figures: Figures, diff: Diff, before: Picture | None, after: Picture) -> str:
    events = _events(figures, "images", meanings.IMAGES, "What became of the published pictures", (ALL, *VARIANTS))
    shown = diff["samples"]["images"]
    new = "".join(_picture(row, [("", after(row["path_after"]))]) for row in shown["new"])
    replaced = "".join(
        _picture(row, [("before", before(row["path_before"]) if before else None), ("now", after(row["path_after"]))])
        for row in shown["replaced"]
    )
    gone = [[link(addresses.file(row["file"]), row["file"]), text(row["label"])] for row in shown["gone"]]
    heading = "A few pictures" if diff["base"] is None else "A few new ones"
    is_bare = diff["counts"][ALL]["images"]["after"] == 0
    return section(
        "pictures", "Pictures", "<p>No picture is published in this release.</p>" if is_bare else "",
        events if diff["base"] else "",
        f'<h3>{heading}</h3><div class="gallery">{new}</div>' if new else "",
        f'<h3>A few that were replaced</h3><div class="gallery">{replaced}</div>' if replaced else "",
        table("A few that are gone", ["file", "settlement"], gone, n_text=2),
    )  # fmt: skip


def _picture(row: Mapping[str, Any], sides: Sequence[tuple[str, bytes | None]]) -> str:
    found = []
    for side, data in sides:
        alternative = f"{row['label']}, {side}".removesuffix(", ")
        shown = jpeg(data, alternative) if data is not None else '<p class="none">not kept any more</p>'
        found.append(f"<div>{shown}{f'<small>{side}</small>' if side else ''}</div>")
    said = _credit(row)
    if len(sides) > 1 and row["licence_before"] is not None and (past := _credit(row, "_before")) != said:
        said = f"before: {past}; now: {said}"
    return (
        f'<figure><div class="sides">{"".join(found)}</div><figcaption>{link(addresses.item(row["qid"]), row["label"])}'
        f"<br>{link(addresses.file(row['file']), row['file'])}, {said}</figcaption></figure>"
    )


def _credit(row: Mapping[str, Any], side: str = "") -> str:
    """Return author, credit line and licence of a picture: today's, or with "_before" those of the picture before."""
    who = [text(one) for one in (row[f"author{side}"] or "author unknown", row[f"credit{side}"]) if one]
    url = row[f"licence_url{side}"] or ""
    deed = url if url.startswith(("https://", "http://")) else None
    return f"{', '.join(who)}, {link(deed, row[f'licence{side}'])}"


def _cells(figures: Figures, diff: Diff, drawn: Mapping[str, bytes]) -> str:
    if diff["base"] is None:
        return ""
    events = _events(figures, "cells", meanings.CELLS, "What became of the geo-cells", VARIANTS)
    rows = [
        [text(variant), text(what), f"<code>{text(_tokens(tokens))}</code>"]
        for variant, cells in diff["cells"].items()
        for what, tokens in cells["tokens"].items()
        if tokens
    ]
    tokens = table("S2 tokens", ["variant", "what", "tokens"], rows, n_text=3)
    details = f"<details><summary>Which cells</summary>{tokens}</details>" if tokens else ""
    note = (
        "<p>Cells are compared by their S2 token. Their numbers are valid within a release only: a model of one "
        "release answers in that release’s numbers.</p>"
    )
    what = "Map of the geo-cells that are not the same"
    return section("cells", "Geo-cells", note, _drawing(drawn, "cells", what), events, details)


def _tokens(tokens: Sequence[Any]) -> str:
    shown = []
    for one in tokens[:_MAX_TOKENS]:
        if isinstance(one, str):
            shown.append(one)
        else:
            into = one["into"] if isinstance(one["into"], str) else "+".join(one["into"])
            shown.append(f"{one['token']}→{into}")
    return " ".join(shown) + (" …" if len(tokens) > _MAX_TOKENS else "")


def _splits(figures: Figures, diff: Diff) -> str:
    rows = [
        [_variant(variant), text(split), *_both(figures, diff, ("splits", "sizes", variant, split))]
        for variant in diff["splits"]["sizes"]
        for split in SPLITS
    ]
    sizes = table("Settlements per split", ["variant", "split", *_heads(diff)], rows, n_text=2)
    wrong = [
        [link(addresses.item(row["qid"]), row["qid"]), text(row["before"]), text(row["after"])]
        for row in diff["splits"]["violations"]
    ]
    if diff["base"] is None:
        said = "A settlement keeps its split in every later release."
    elif wrong:
        said = f"{figures.html('splits', 'n_violations')} settlements changed sides, which must never happen."
    else:
        said = "No settlement changed sides: what was trained on before is not tested on now."
    kind = ' class="bad"' if wrong else ""
    changed = table("Settlements that changed sides", ["item", "before", "now"], wrong, n_text=3)
    return section(
        "splits", "Splits", f"<p{kind}>{said}</p>", changed,
        f"<details><summary>Sizes of the splits</summary>{sizes}</details>",
    )  # fmt: skip


def _scores(figures: Figures, diff: Diff) -> str:
    if not diff["scores"]:
        return section("scores", "Scores", "<p>No models were judged on either side.</p>")
    rows = []
    for variant, scores in diff["scores"].items():
        for at, one in enumerate(scores):
            task = MODEL_TASKS.get(one["model"].removesuffix("_model"), one["model"])
            values = [_score(figures, one, (variant, at), side) for side in ("before", "after")]
            verdict = f'<span class="{one["verdict"]}">{text(meanings.VERDICTS[one["verdict"]])}</span>'
            rows.append([
                text(variant), text(task), text(f"{one['direction'].replace('_', ' ')}: {one['figure']}"), verdict,
                *(values if diff["base"] else values[1:]),
            ])  # fmt: skip
    head = ["variant", "model", "figure", "verdict", *(_heads(diff)[:2] if diff["base"] else _heads(diff))]
    note = (
        "<p>Each release is judged on its own test settlements, with 95 % intervals. A change counts where the two "
        "intervals do not overlap.</p>"
    )
    return section("scores", "Scores", note, table("Scores with intervals", head, rows, n_text=4))


def _score(figures: Figures, one: Mapping[str, Any], place: Sequence[str | int], side: str) -> str:
    if one[side] is None or one[side]["value"] is None:
        return "–"
    path = ("scores", *place, side)
    value = figures.html(*path, "value")
    if one[side]["low"] is None:
        return value
    return f"{value} <small>({figures.html(*path, 'low')} to {figures.html(*path, 'high')})</small>"


def _licences(figures: Figures, diff: Diff) -> str:
    licences = [
        [text(name), *_both(figures, diff, ("licences", "images_per_licence", name))]
        for name in diff["licences"]["images_per_licence"]
    ]
    reasons = [
        [text(name), text(meanings.WITHHELD.get(name, name)), *_both(figures, diff, ("licences", "withheld", name))]
        for name in diff["licences"]["withheld"]
    ]
    decided = diff["rights_decided"]
    missing = [name for name, side in ((diff["base"], "before"), (diff["release"], "after")) if not decided[side]]
    said = f"<p>Nobody has decided yet which pictures of {text(', '.join(missing))} may be published.</p>"
    return section(
        "licences", "Licences", said if missing else "",
        table("Published files of Commons per licence", ["licence", *_heads(diff)], licences),
        table("Withheld files, by reason", ["reason", "meaning", *_heads(diff)], reasons, n_text=2),
    )  # fmt: skip


def _decisions(diff: Diff) -> str:
    """Return what people decided: settings that are others now, and versions let through against a check."""
    settings = [
        [f"<code>{text(name)}</code>", text(both["before"]), text(both["after"])]
        for name, both in diff["settings"].items()
    ]
    approvals = [
        [
            text(f"{row['table_name']} {row['partition']}".strip()), text(row["reason"]),
            text(", ".join(row["failed_checks"])), text(row["approved_by"]), text(row["approved_at"]),
        ]
        for row in diff["approvals"]
    ]  # fmt: skip
    if not settings and not approvals:
        return ""
    return section(
        "decisions", "Decisions",
        table("Settings that are others now", ["setting", *_heads(diff)[:2]], settings, n_text=3),
        table("Let through against a check", ["table", "reason", "checks", "by", "at"], approvals, n_text=5),
    )  # fmt: skip


def _about(diff: Diff) -> str:
    return section(
        "about", "About this page",
        "<p>The whole release is what is in any of its variants. Pictures are counted as they are published: what is "
        "withheld does not count. Examples are few; <code>entities.parquet</code> beside this page lists every "
        "settlement that is not the same, <code>diff.json</code> holds every number.</p>"
        "<p>Facts are from Wikidata (CC0). Excerpts of texts are from Wikipedia (CC BY-SA 4.0; authors: see the linked "
        "articles). Pictures are from Wikimedia Commons, each under the licence that stands below it.</p>",
    )  # fmt: skip
