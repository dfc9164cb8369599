"""What changed for one entity between two releases, table by table, each change with what brought it.

Both sides are read through their manifests (`snapshot`). Why something changed is found by `causes`; how it is printed
belongs to `commands.why`.
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from mlm_assets.lineage import rows
from mlm_assets.lineage.causes import Causes
from mlm_assets.lineage.changes import Cause, Change, distinct, kind_of
from mlm_assets.lineage.classes import label_of
from mlm_assets.lineage.snapshot import Snapshot, take
from mlm_assets.resources.lake import Lake
from mlm_assets.tables import IMAGE_PROPERTIES, VARIANT_LANGUAGES, VARIANTS

Row = Mapping[str, Any]

_BOOKKEEPING: Final = ("version", "modified")
"""Facts that say that the item was edited; they are its edit, not a change of what it says."""
_DIFF_LINES: Final = 6
_DIFF_CHARACTERS: Final = 240
_SUMMARY_REASONS: Final = ("no_article", "no_summary")
_IMAGE_REASONS: Final = ("no_image_downloaded", "svg_only")


def compare(lake: Lake, qid: str, at: str, vs: str, n_shards: int) -> dict[str, Any]:
    """Return what changed for `qid` between the releases `at` and `vs`, as plain data; `n_shards` is the home's.

    Raises:
        Refused: one of the releases is not there.
        MlmError: a file that a manifest names is not there any more.
    """
    with rows.together(lake):
        before, after = take(lake, at, qid, n_shards), take(lake, vs, qid, n_shards)
        causes = Causes(lake, before, after)
        changes = list(changes_of(before, after, causes))
    tables = [name for name in before.code if name in after.code]
    background = [*causes.code(tables), *causes.parameters(list(before.parameters))]
    return {
        "qid": qid,
        "at": at,
        "vs": vs,
        "before": _state(before),
        "after": _state(after),
        "changes": [change.as_json() for change in changes],
        "edits": _edits(causes, changes),
        "background": [{"kind": cause.kind, "sentence": cause.sentence} for cause in background],
    }


def changes_of(before: Snapshot, after: Snapshot, causes: Causes) -> Iterator[Change]:
    """Yield every change, in the order of the tables; what follows from an entity that is gone is not repeated."""
    yield from _candidate(before, after, causes)
    facts: list[Change] = []
    if before.candidate is not None and after.candidate is not None:
        facts = list(_facts(before, after, causes))
        yield from facts
        yield from _verdict(before, after, causes, facts)
    places: list[Change] = []
    media: list[Change] = []
    if before.settlement is not None and after.settlement is not None:
        places = list(_settlement(before, after, causes, facts))
        yield from places
        media = [*_articles(before, after, causes, facts), *_images(before, after, causes, facts)]
        yield from media
    for variant in VARIANTS:
        yield from _membership(variant, before, after, causes, places, media)


# -- entities --------------------------------------------------------------------------------------------------------


def _candidate(before: Snapshot, after: Snapshot, causes: Causes) -> Iterator[Change]:
    then = list(before.candidate["class_qids"]) if before.candidate is not None else None
    now = list(after.candidate["class_qids"]) if after.candidate is not None else None
    if then is None and now is None:
        return
    if then is None or now is None:
        sentence = "listed, and was not before" if then is None else "not listed any more"
        found = _listing_causes(then, now, before, after, causes)
        kind = kind_of(then, now)
        yield Change("candidates", "candidate", kind, before.qid, then, now, f"candidate: {sentence}", found)
        return
    for class_qid in [*then, *(one for one in now if one not in then)]:
        if (class_qid in then) != (class_qid in now):
            yield _class_change(class_qid, class_qid in then, before, after, causes)


def _listing_causes(
    then: Sequence[str] | None, now: Sequence[str] | None, before: Snapshot, after: Snapshot, causes: Causes
) -> tuple[Cause, ...]:
    """Return why an entity is listed on one side only: its classes left the list, or it left its classes."""
    found: list[Cause] = []
    for class_qid in then or now or ():
        moved = causes.class_lost(class_qid) if then is not None else causes.class_won(class_qid)
        if moved:
            found += moved
        elif then is not None:
            named = f"{label_of(class_qid, after.classes)} ({class_qid})"
            found.append(
                causes.item_history(
                    f"class {named} is still in the list: the item is no instance (P31) of it any more, "
                    "or was deleted or merged"
                )
            )
        else:
            named = f"{label_of(class_qid, before.classes)} ({class_qid})"
            found.append(
                causes.item_history(
                    f"class {named} was in the list: the item is new, or new as an instance (P31) of it"
                )
            )
    return distinct(found)


def _class_change(class_qid: str, is_gone: bool, before: Snapshot, after: Snapshot, causes: Causes) -> Change:
    moved = causes.class_lost(class_qid) if is_gone else causes.class_won(class_qid)
    label = label_of(class_qid, before.classes if is_gone else after.classes)
    sentence = f"class {label} ({class_qid}) {'gone' if is_gone else 'new'} among the classes it is listed under"
    then, now = (class_qid, None) if is_gone else (None, class_qid)
    found = distinct(moved or causes.item_or("candidates"))
    return Change("candidates", "class", kind_of(then, now), class_qid, then, now, sentence, found)


def _facts(before: Snapshot, after: Snapshot, causes: Causes) -> Iterator[Change]:
    """Yield values gone, new and changed; a property with one value before and another now has changed."""
    then, now = _by_place(before.facts), _by_place(after.facts)
    for place in sorted({**then, **now}, key=lambda key: tuple(part or "" for part in key)):
        old = [row for row in then.get(place, []) if _values(row) not in map(_values, now.get(place, []))]
        new = [row for row in now.get(place, []) if _values(row) not in map(_values, then.get(place, []))]
        for row in [one for one in old if one["value"] in [other["value"] for other in new]]:
            # The value is the same, what hangs on it is not: the class's label, the country's code.
            other = next(one for one in new if one["value"] == row["value"])
            old.remove(row)
            new.remove(other)
            yield _fact_change(row, other, causes)
        if len(old) == len(new) == 1:
            yield _fact_change(old[0], new[0], causes)
            continue
        for row in old:
            yield _fact_change(row, None, causes)
        for row in new:
            yield _fact_change(None, row, causes)


def _by_place(facts: Iterable[Row]) -> dict[tuple[str, str | None, str | None], list[Row]]:
    found: dict[tuple[str, str | None, str | None], list[Row]] = {}
    for row in facts:
        if row["property"] not in _BOOKKEEPING:
            found.setdefault((row["property"], row["lang"], row["statement"]), []).append(row)
    return found


def _values(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("value", "label", "country_code", "globe_qid", "lat_deg", "lon_deg"))


def _fact_change(then: Row | None, now: Row | None, causes: Causes) -> Change:
    known = then if then is not None else now
    assert known is not None
    name = known["property"] + (f" {known['lang']}" if known["lang"] else "")
    old, new = (None if row is None else _worded(row) for row in (then, now))
    kind = kind_of(then, now)
    sentence = {"new": f"{name} new: {new}", "gone": f"{name} gone: {old}", "changed": f"{name}: {old} -> {new}"}[kind]
    return Change("facts", "fact", kind, name, old, new, sentence, distinct(_fact_causes(then, now, known, causes)))


def _worded(row: Row) -> str:
    more = [row[name] for name in ("label", "country_code", "globe_qid") if row[name] is not None]
    return f"{row['value']} ({', '.join(more)})" if more else str(row["value"])


def _fact_causes(then: Row | None, now: Row | None, known: Row, causes: Causes) -> list[Cause]:
    if known["property"] == "quarantined":
        said = "the query service gave no facts of the item, even asked alone"
        return [Cause("service", said if now is not None else "the query service answers for the item again")]
    if then is not None and now is not None and then["value"] == now["value"] and known["property"] in ("P31", "P17"):
        what = "English label of the class" if known["property"] == "P31" else "ISO code (P297) of the country"
        return [causes.other_item(known["value"], f"the {what} {known['value']} was edited there")]
    if then is not None and now is None and (aside := causes.set_aside("facts", then)):
        return aside
    return causes.item_or("facts")


def _verdict(before: Snapshot, after: Snapshot, causes: Causes, facts: Sequence[Change]) -> Iterator[Change]:
    then, now = _verdict_of(before), _verdict_of(after)
    if then == now:
        return
    yield Change(
        "settlements", "verdict", "changed", before.qid, then, now, f"verdict: {then} -> {now}",
        distinct(_verdict_causes(before, after, causes, facts)),
    )  # fmt: skip


def _verdict_of(side: Snapshot) -> str:
    return f"rejected: {side.rejection['reason']}" if side.rejection is not None else side.state


def _verdict_causes(before: Snapshot, after: Snapshot, causes: Causes, facts: Sequence[Change]) -> list[Cause]:
    edges = [cause for qid in _instance_of(before) for cause in causes.class_lost(qid)]
    edges += [cause for qid in _instance_of(after) for cause in causes.class_won(qid)]
    reasons = {side.rejection["reason"] for side in (before, after) if side.rejection is not None}
    if "no_settlement_class" in reasons and edges:
        return edges
    if facts:
        return [cause for change in facts for cause in change.causes]
    return [*edges, *causes.parameters(["base_class", "hops"])] or causes.outside("settlements")


def _instance_of(side: Snapshot) -> list[str]:
    return [row["value"] for row in side.facts if row["property"] == "P31"]


def _settlement(before: Snapshot, after: Snapshot, causes: Causes, facts: Sequence[Change]) -> Iterator[Change]:
    then, now = before.settlement, after.settlement
    assert then is not None
    assert now is not None
    if then["label"] != now["label"]:
        found = _from_facts(facts, ("label",), causes)
        sentence = f"label: {then['label']} -> {now['label']}"
        yield Change("settlements", "label", "changed", "label", then["label"], now["label"], sentence, found)
    old, new = ((row["lat_deg"], row["lon_deg"]) for row in (then, now))
    moved = _km(old, new) > 0.0
    if moved or then["statement"] != now["statement"]:
        said = f"place: {old[0]}, {old[1]} -> {new[0]}, {new[1]}, moved by {_km(old, new):.3f} km"
        said += (
            f" (statement {then['statement']} -> {now['statement']})" if then["statement"] != now["statement"] else ""
        )
        yield Change("settlements", "place", "changed", "place", old, new, said, _from_facts(facts, ("P625",), causes))
    yield from _country(then, now, moved, causes, facts)
    if then["population"] != now["population"]:
        kind = kind_of(then["population"], now["population"])
        said = f"population: {then['population']} -> {now['population']}"
        found = _from_facts(facts, ("P1082",), causes)
        yield Change(
            "settlements", "population", kind, "population", then["population"], now["population"], said, found
        )


def _country(then: Row, now: Row, moved: bool, causes: Causes, facts: Sequence[Change]) -> Iterator[Change]:
    old, new = ((row["country_code"], row["country_source"]) for row in (then, now))
    if old == new:
        return
    found = [cause for change in facts if change.name == "P17" for cause in change.causes]
    if moved:
        found.append(Cause("follows", "the place moved, and a country is chosen by the place where P17 leaves it open"))
    sentence = f"country: {old[0]} by {old[1]} -> {new[0]} by {new[1]}"
    causes_found = distinct(found or causes.outside("settlements"))
    yield Change("settlements", "country", "changed", "country", old, new, sentence, causes_found)


def _from_facts(facts: Sequence[Change], names: Sequence[str], causes: Causes) -> tuple[Cause, ...]:
    """Return what brought the facts of these properties; where none changed, why the same facts gave something else."""
    found = [cause for change in facts if change.name.split(" ")[0] in names for cause in change.causes]
    return distinct(found or causes.outside("settlements"))


# -- media -----------------------------------------------------------------------------------------------------------


def _articles(before: Snapshot, after: Snapshot, causes: Causes, facts: Sequence[Change]) -> Iterator[Change]:
    for lang in sorted({**before.summaries, **after.summaries}):
        then, now = before.summaries.get(lang), after.summaries.get(lang)
        links = [cause for change in facts if change.name == f"sitelink {lang}" for cause in change.causes]
        if then is None or now is None:
            old, new = (None if row is None else row["requested_title"] for row in (then, now))
            kind = kind_of(then, now)
            sentence = f"article {lang} {kind}: {new if then is None else old}"
            found = distinct(links or causes.item_or("summaries"))
            yield Change("summaries", "article", kind, lang, old, new, sentence, found)
        else:
            yield from _article(lang, then, now, links, causes)


def _article(lang: str, then: Row, now: Row, links: Sequence[Cause], causes: Causes) -> Iterator[Change]:
    edited = distinct(causes.article_edit(then, now))
    if then["title"] != now["title"] or then["requested_title"] != now["requested_title"]:
        sentence = f"article {lang}: title {_title(then)} -> {_title(now)}"
        found = distinct([*links, *edited])
        yield Change("summaries", "article_title", "changed", lang, _title(then), _title(now), sentence, found)
    if then["status"] != now["status"]:
        sentence = f"article {lang}: {then['status']} -> {now['status']}"
        yield Change("summaries", "article_status", "changed", lang, then["status"], now["status"], sentence, edited)
    if then["text_sha256"] != now["text_sha256"]:
        old, new = (len(row["text"] or "") for row in (then, now))
        sentence = f"article {lang}: text changed, {old:,} -> {new:,} characters"
        diff = short_diff(then["text"] or "", now["text"] or "")
        yield Change("summaries", "article_text", "changed", lang, old, new, sentence, edited, diff)


def _title(row: Row) -> str:
    asked, title = row["requested_title"], row["title"]
    return f"{asked!r}" if title in (None, asked) else f"{asked!r} (leads to {title!r})"


def short_diff(then: str, now: str) -> tuple[str, ...]:
    """Return the sentences that differ, gone ones with "- ", new ones with "+ "; the first few, long ones cut."""
    old, new = _sentences(then), _sentences(now)
    lines = [line for line in difflib.ndiff(old, new) if line.startswith(("- ", "+ "))]
    cut = [line if len(line) <= _DIFF_CHARACTERS else line[: _DIFF_CHARACTERS - 1] + "…" for line in lines]
    if len(cut) > _DIFF_LINES:
        return (*cut[:_DIFF_LINES], f"… and {len(cut) - _DIFF_LINES} sentences more")
    return tuple(cut)


def _sentences(text: str) -> list[str]:
    return [part for part in re.split(r"(?<=[.!?;])\s+|\n+", text) if part]


def _images(before: Snapshot, after: Snapshot, causes: Causes, facts: Sequence[Change]) -> Iterator[Change]:
    for file in sorted({**before.images, **after.images}):
        then, now = before.images.get(file), after.images.get(file)
        if then is None or now is None:
            kind = kind_of(then, now)
            old, new = (None if row is None else f"{row['property']} {row['status']}" for row in (then, now))
            named = [change for change in facts if change.name in IMAGE_PROPERTIES and _speaks_of(change, file)]
            found = distinct([cause for change in named for cause in change.causes] or causes.item_or("images"))
            yield Change("images", "image", kind, file, old, new, f"image {kind}: {file}", found)
        else:
            yield from _image(file, then, now, causes)


def _image(file: str, then: Row, now: Row, causes: Causes) -> Iterator[Change]:
    edited = distinct(causes.file_edit(then, now))
    if then["file_sha1"] != now["file_sha1"]:
        old, new = then["file_sha1"], now["file_sha1"]
        yield Change("images", "image_file", "changed", file, old, new, f"image {file}: SHA-1 {old} -> {new}", edited)
    elif then["picture_sha256"] != now["picture_sha256"] and then["status"] == now["status"]:
        old, new = then["picture_sha256"], now["picture_sha256"]
        sentence = f"image {file}: the padded picture differs, the file does not"
        yield Change("images", "image_file", "changed", file, old, new, sentence, distinct(causes.outside("images")))
    if then["status"] != now["status"]:
        sentence = f"image {file}: {then['status']} -> {now['status']}"
        yield Change("images", "image_status", "changed", file, then["status"], now["status"], sentence, edited)
    old_credit, new_credit = (tuple(row[name] for name in ("licence", "author", "credit")) for row in (then, now))
    if old_credit != new_credit and then["status"] == now["status"]:
        sentence = f"image {file}: licence, author or credit {old_credit} -> {new_credit}"
        page = (causes.file_page_edit(file),)
        yield Change("images", "image_credit", "changed", file, old_credit, new_credit, sentence, page)


def _speaks_of(change: Change, file: str) -> bool:
    return file in (change.before, change.after)


# -- datasets --------------------------------------------------------------------------------------------------------


def _membership(
    variant: str, before: Snapshot, after: Snapshot, causes: Causes, places: Sequence[Change], media: Sequence[Change]
) -> Iterator[Change]:
    then, now = before.members.get(variant), after.members.get(variant)
    old, new = _member(then), _member(now)
    if old != new:
        found = _membership_causes(variant, then, now, causes, places, media)
        sentence = f"{variant}: {old} -> {new}"
        yield Change("members", "membership", kind_of(then, now), variant, old, new, sentence, distinct(found))
    if then is None or now is None:
        return
    if then["cell_token"] != now["cell_token"] and then["is_member"] and now["is_member"]:
        moved = [_follows(change) for change in places if change.what == "place"]
        counts = (
            [] if moved else [*causes.cells(variant, then["cell_token"]), *causes.cells(variant, now["cell_token"])]
        )
        sentence = f"{variant}: cell {then['cell_token']} -> {now['cell_token']}"
        yield Change(
            "members", "cell", "changed", variant, then["cell_token"], now["cell_token"], sentence,
            distinct([*moved, *counts]),
        )  # fmt: skip
    if then["split"] != now["split"]:
        sentence = f"{variant}: split {then['split']} -> {now['split']}, which must never change"
        found = causes.outside("members")
        yield Change("members", "split", "changed", variant, then["split"], now["split"], sentence, distinct(found))


def _member(row: Row | None) -> str | None:
    return None if row is None else (row["reason"] or "in")


def _membership_causes(
    variant: str, then: Row | None, now: Row | None, causes: Causes, places: Sequence[Change], media: Sequence[Change]
) -> list[Cause]:
    """Return why a settlement is in or out: by the reason that it has now, and the one that it had."""
    if then is None or now is None:
        return [Cause("follows", "it is no settlement on one side: see candidate, class and verdict")]
    found: list[Cause] = []
    for reason in dict.fromkeys(row["reason"] for row in (now, then) if row["reason"] is not None):
        if reason in _SUMMARY_REASONS:
            found += [_follows(one) for one in media if _decides_texts(one, VARIANT_LANGUAGES[variant])]
        elif reason in _IMAGE_REASONS:
            found += [_follows(one) for one in media if one.what in ("image", "image_status", "image_file")]
        elif reason == "not_in_eu":
            found += [_follows(change) for change in places if change.what == "country"]
        elif reason == "over_quota":
            found += causes.quota()
        elif reason == "cell_removed":
            found += [_follows(change) for change in places if change.what == "place"]
            found += causes.cells(variant, then["cell_token"] or now["cell_token"])
    return found or causes.outside("eligible")


def _decides_texts(change: Change, languages: Sequence[str]) -> bool:
    """Tell whether a change may have given a variant a text, or taken it: an edit of the text alone does not."""
    return change.what in ("article", "article_status") and change.name in languages


def _follows(change: Change) -> Cause:
    return Cause("follows", f"follows from: {change.sentence}", figures={"what": change.what, "name": change.name})


# -- the whole -------------------------------------------------------------------------------------------------------


def _state(side: Snapshot) -> dict[str, Any]:
    return {
        "release": side.release,
        "state": _verdict_of(side),
        "revision": side.revision,
        "modified_at": side.modified_at,
        "label": side.settlement["label"] if side.settlement is not None else None,
        "variants": {variant: _member(row) for variant, row in side.members.items()},
    }


def _edits(causes: Causes, changes: Sequence[Change]) -> list[dict[str, Any]]:
    """Return the edits that brought changes, each once; the item's also where nothing that we keep has changed."""
    kinds = ("item_edit", "article_edit", "file_edit", "other_item")
    found = [cause for change in changes for cause in change.causes if cause.kind in kinds]
    edits = distinct([*(cause for cause in causes.item_edit() if cause.kind == "item_edit"), *found])
    return [
        {"kind": cause.kind, "sentence": cause.sentence, "address": cause.address, **cause.figures} for cause in edits
    ]


def _km(then: tuple[float, float], now: tuple[float, float]) -> float:
    from mlm_assets.ml.evaluation.location import great_circle_km

    return float(great_circle_km(*then, *now))  # type: ignore[arg-type]
