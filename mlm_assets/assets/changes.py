"""Group entities, the incremental half: whose facts are asked for, whose are taken over, and who is listed no more.

A refresh compares the listed revision of every candidate with the one whose facts the release before has. Here the
few changed items of all shards are asked for together, a sample of the others is asked again as a proof, and the
labels and codes that facts carry of other items are brought up to date. What the shards make of it is in `entities`;
docs/refresh.md explains it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import dagster as dg

from mlm_assets.assets.stage import FetchConfig, Rule, Stage, described
from mlm_assets.assets.taxonomy import WIKIDATA_POOL
from mlm_assets.bands import MOVED_ON_SINCE_LISTED, STANDSTILL_ALPHA
from mlm_assets.checks.drift_words import group_in_words
from mlm_assets.checks.statistics import binomial_tail
from mlm_assets.partitions import SHARDS
from mlm_assets.resources import quarantine
from mlm_assets.resources.lake import Accepted, Lake, arrow_schema
from mlm_assets.resources.sampling import n_rechecks, sample
from mlm_assets.resources.services import LakeResource, WikidataResource
from mlm_assets.resources.takedowns import items_taken_down
from mlm_assets.resources.wikidata import Fate, Name, Wikidata
from mlm_assets.tables import ASKED, CODE_OF, FACTS, LABEL_OF

RECHECK_RULE: Final = "taken_over_facts_are_still_true"
_RECHECK: Final = "Facts that were taken over unasked are what Wikidata says today, of a sample that is asked again."
LISTING_RULE: Final = "listing_is_of_today"
_LISTING: Final = (
    "Hardly an item was edited between its listing and the sample that is asked again: the listing is no old one."
)
_NO_REVISION: Final = "none"
_COMPARED: Final = tuple(name for name in FACTS.column_names if name not in ("qid", "answer_key"))

Row = dict[str, Any]


@dataclass(frozen=True)
class Recheck:
    """What a sample of taken-over rows showed: how many were asked again, which moved on, and which differ."""

    n_asked: int
    moved_on: Sequence[str]
    """Edited after they were listed, so that nothing can be said of them."""
    differing: Sequence[str]
    groups: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """How many of those that differ do so in a group: a property, or one in a language (dimension and value)."""

    def rule(self, name: str, what: str, n_tolerated: int = 0) -> Rule:
        """Return the rule that none of them differs; `what` they are, in the plural.

        It blocks where more than `n_tolerated` differ, and warns below.
        """
        n, named = len(self.differing), ", ".join(self.differing[:10])
        more = ", …" if n > 10 else ""
        sentence = f"Of {self.n_asked:,} {what} that were taken over and asked again, none differs."
        if n:
            sentence = (
                f"{n} of {self.n_asked:,} {what} that were taken over unasked are not what the service says today "
                f"({named}{more}), though their revisions are the same. Ask for everything: mlm run --full"
            )
        figures = {"rechecked": self.n_asked, "moved_on": len(self.moved_on), "differing": n, "items": named}
        cause, blamed = self._cause()
        return Rule(name, not n, sentence, figures | blamed, is_blocking=not n or n > n_tolerated, cause=cause)

    def of_today(self, name: str) -> Rule:
        """Return the rule that no more moved on than are edited in the hours since a listing; it only warns."""
        n, k = self.n_asked, len(self.moved_on)
        chance = binomial_tail(n, MOVED_ON_SINCE_LISTED, k)
        figures = {"rechecked": n, "moved_on": k, "usual_share": MOVED_ON_SINCE_LISTED, "chance": chance}
        sentence = f"{k:,} of {n:,} items that were asked again have a newer revision than the one that is listed."
        if chance >= STANDSTILL_ALPHA:
            return Rule(name, True, sentence, figures, is_blocking=False)
        return Rule(
            name,
            False,
            f"{sentence} The listing is an old answer: materialise candidates again with refetch: true, then run.",
            figures,
            is_blocking=False,
        )

    def _cause(self) -> tuple[str | None, dict[str, Any]]:
        """Return the group that at least half of the differences are in, in words and as figures; or nothing."""
        (dimension, value), n = max(self.groups.items(), key=lambda one: one[1], default=(("", ""), 0))
        if not n or 2 * n < len(self.differing):
            return None, {}
        share = n / len(self.differing)
        words = f"{group_in_words(dimension, value)} explains {100 * share:.0f} % of the differences"
        return words, {"cause_dimension": dimension, "cause_value": value, "cause_share": round(share, 4)}


@dg.asset(
    **described(
        "changed_facts", {"sparql", "wikidata"}, rules={RECHECK_RULE: _RECHECK}, advisory={LISTING_RULE: _LISTING}
    ),
    pool=WIKIDATA_POOL,
    deps=["candidates"],
)
def changed_facts(
    context: dg.AssetExecutionContext, config: FetchConfig, lake: LakeResource, wikidata: WikidataResource
) -> Iterator[dg.MaterializeResult]:
    """Ask for the new and changed items of all shards with few of them, in full batches, and prove what is taken over.

    A shard without a basis, or with more than a batch of changes, asks for itself.
    """
    stage = Stage(context, lake)
    client = wikidata.client(stage.transport(wikidata, config))
    listed = stage.lake.read(stage.version("candidates"))
    bases = {shard: found for shard in SHARDS.get_partition_keys() if (found := stage.basis(config, "facts", shard))}
    unchanged = set(unchanged_items(stage.lake, listed, bases)["qid"].to_pylist())
    asked = _asked_together(listed, bases, unchanged, stage.settings.facts_batch)
    names = current_names(stage.lake, client, list(bases.values()))
    n_again = n_rechecks(len(asked), len(unchanged), stage.settings.recheck_share, stage.settings.facts_batch)
    again = sample(unchanged, n_again, "facts", stage.release)
    answered = client.facts([*asked, *again])
    fresh = [fact._asdict() for fact in answered.rows]
    recheck = compare(again, fresh, _carried(stage.lake, bases, again, names), listed)
    records = [*_notes(asked), *(row | {"shard": asked[row["qid"]][0]} for row in fresh if row["qid"] in asked)]
    for qid, reason in answered.quarantined:
        if qid in asked:
            records.append({"qid": qid, "shard": asked[qid][0], "property": "quarantined", "value": reason})
    yield from stage.publish_one(
        "changed_facts",
        _rows([*records, *_name_rows(names)]),
        rules=[recheck.rule(RECHECK_RULE, "items"), recheck.of_today(LISTING_RULE)],
        n_unavailable=sum(qid in asked for qid, _ in answered.quarantined),
        metadata={
            "shards_with_a_basis": len(bases),
            "taken_over": len(unchanged),
            "asked": len(asked),
            "rechecked": recheck.n_asked,
            "differing": len(recheck.differing),
        },
    )


@dg.asset(**described("departures", {"sparql", "wikidata"}), pool=WIKIDATA_POOL, deps=["candidates"])
def departures(
    context: dg.AssetExecutionContext, config: FetchConfig, lake: LakeResource, wikidata: WikidataResource
) -> Iterator[dg.MaterializeResult]:
    """Ask what became of the candidates of earlier releases that are listed no more; earlier departures stay."""
    stage = Stage(context, lake)
    client = wikidata.client(stage.transport(wikidata, config))
    listed = set(stage.lake.read(stage.version("candidates"))["qid"].to_pylist())
    classes = set(stage.lake.read(stage.version("settlement_classes"))["class_qid"].to_pylist())
    known, before = stage.earlier("departures"), stage.earlier("candidates")
    revisions = listed_before(stage.lake, known.release if known else "", before.release) if before else {}
    # What was taken down left by our own doing; its tombstone says so.
    there = listed | set(items_taken_down(stage.lake))
    gone = {qid: revision for qid, revision in revisions.items() if qid not in there}
    new = [_departure(fate, classes, stage.release, gone[fate.qid]) for fate in client.fates(list(gone))]
    known_rows = stage.lake.read(known).to_pylist() if known else []
    still = [row for row in known_rows if row["qid"] not in there | gone.keys()]
    fates: dict[str, int] = {}
    for row in new:
        fates[row["fate"]] = fates.get(row["fate"], 0) + 1
    yield from stage.publish_one(
        "departures",
        _table("departures", [*still, *new]),
        metadata={"departed": len(new), **{f"departed_{fate}": n for fate, n in sorted(fates.items())}},
    )


def listed_before(lake: Lake, since: str, until: str) -> dict[str, int | None]:
    """Return the revisions at which candidates were listed last, in the releases from `since` to `until`.

    Departures were asked for last in `since`. A later month may have ended between its listing and its departures;
    whoever left in it is a departure all the same.
    """
    found: dict[str, int | None] = {}
    for one in lake.history("candidates"):
        if since <= one.release <= until and lake.exists(one.path):
            found.update(_revisions(lake.read(one)))
    return found


def unchanged_items(lake: Lake, listed: Any, bases: Mapping[str, Accepted]) -> Any:
    """Return (qid, shard) of the listed candidates whose facts one of `bases` (by shard) holds at the listed revision.

    Items with rows in quarantine are left out: whoever set them aside wants to know what is said of them today.
    """
    owed = [
        str(entry.key["qid"])
        for shard in bases
        for entry in quarantine.entries_of(lake, "facts", shard)
        if entry.state in quarantine.OPEN or entry.is_due
    ]
    inputs = {"candidates": listed, "facts": list(bases.values())}
    return lake.transform("unchanged_items", inputs, {"owed": owed})


def current_names(lake: Lake, client: Wikidata, bases: Sequence[Accepted]) -> list[Name]:
    """Return today's labels and codes of everything that the facts of `bases` point to."""
    pointed = lake.transform("pointed_items", {"facts": list(bases)})["qid"].to_pylist()
    return client.names(pointed)


def carried_facts(lake: Lake, bases: Sequence[Accepted], qids: Sequence[str], names: Any) -> Any:
    """Return the facts of `qids` as `bases` have them, with `names` (a table of qid, what, value) put in."""
    import pyarrow as pa

    items = pa.table({"qid": pa.array(qids, pa.string())})
    return lake.transform("carried_facts", {"facts": list(bases), "items": items, "names": names})


def names_in(changed: Any) -> Any:
    """Return the labels and codes in `changed_facts` as a table of qid, what, value."""
    import pyarrow as pa
    import pyarrow.compute as pc

    rows = changed.filter(pc.is_null(changed["shard"]))
    what = pc.if_else(pc.equal(rows["property"], LABEL_OF), "label", "code")
    return pa.table({"qid": rows["qid"], "what": what, "value": rows["value"]})


def asked_in(changed: Any, listed: Mapping[str, int | None]) -> set[str]:
    """Return the items of `changed_facts` that were asked for at the revision that is listed."""
    rows = changed.select(["qid", "property", "value"]).to_pylist()
    asked = {row["qid"]: row["value"] for row in rows if row["property"] == ASKED}
    return {qid for qid, value in asked.items() if qid in listed and _as_text(listed[qid]) == value}


def compare(qids: Sequence[str], fresh: Sequence[Row], carried: Sequence[Row], listed: Any) -> Recheck:
    """Compare the facts of a sample as they were asked again and as they were taken over.

    An item that was edited since it was listed, or that the service does not answer for, shows nothing.
    """
    revisions = _revisions(listed)
    new, old = _by_item(fresh), _by_item(carried)
    said = {row["qid"]: row["value"] for row in fresh if row["property"] == "version"}
    moved_on = [qid for qid in qids if said.get(qid) != _as_text(revisions[qid])]
    differing = [qid for qid in qids if qid not in set(moved_on) and new.get(qid) != old.get(qid)]
    groups: Counter[tuple[str, str]] = Counter()
    for qid in differing:
        groups.update(_groups(old.get(qid, set()) ^ new.get(qid, set())))
    return Recheck(len(qids), moved_on, differing, groups)


def _asked_together(
    listed: Any, bases: Mapping[str, Accepted], unchanged: set[str], batch: int
) -> dict[str, tuple[str, int | None]]:
    """Return (shard, revision) of the changed items of those shards that have a basis and at most a batch of them."""
    changed: dict[str, dict[str, int | None]] = {shard: {} for shard in bases}
    for row in listed.select(["qid", "shard", "revision"]).to_pylist():
        if row["shard"] in changed and row["qid"] not in unchanged:
            changed[row["shard"]][row["qid"]] = row["revision"]
    few = {shard: own for shard, own in changed.items() if len(own) <= batch}
    return {qid: (shard, revision) for shard, own in few.items() for qid, revision in own.items()}


def _carried(lake: Lake, bases: Mapping[str, Accepted], qids: Sequence[str], names: Sequence[Name]) -> list[Row]:
    if not qids:
        return []
    rows: list[Row] = carried_facts(lake, list(bases.values()), qids, names_in(_rows(_name_rows(names)))).to_pylist()
    return rows


def _by_item(rows: Sequence[Row]) -> dict[str, set[tuple[Any, ...]]]:
    found: dict[str, set[tuple[Any, ...]]] = {}
    for row in rows:
        found.setdefault(row["qid"], set()).add(tuple(row[name] for name in _COMPARED))
    return found


def _groups(rows: set[tuple[Any, ...]]) -> set[tuple[str, str]]:
    """Return what rows of one item are of: each property, in its language where it has one."""
    said = [dict(zip(_COMPARED, row, strict=True)) for row in rows]
    return {("property", f"{row['property']} in {row['lang']}" if row["lang"] else row["property"]) for row in said}


def _notes(asked: Mapping[str, tuple[str, int | None]]) -> Iterator[Row]:
    for qid, (shard, revision) in asked.items():
        yield {"qid": qid, "shard": shard, "property": ASKED, "value": _as_text(revision)}


def _name_rows(names: Sequence[Name]) -> list[Row]:
    kinds = {"label": LABEL_OF, "code": CODE_OF}
    return [
        {"qid": name.qid, "property": kinds[name.what], "value": name.value, "answer_key": name.answer_key}
        for name in names
        if name.what in kinds
    ]


def _departure(fate: Fate, classes: set[str], release: str, revision: int | None) -> Row:
    if fate.target_qid is not None:
        became = "merged"
    elif classes & set(fate.class_qids):
        became = "unlisted"
    else:
        became = "reclassed" if fate.class_qids or fate.revision is not None else "deleted"
    return {
        "qid": fate.qid, "fate": became, "target_qid": fate.target_qid, "release": release, "revision": revision,
        "answer_key": fate.answer_key or None,
    }  # fmt: skip


def _revisions(listed: Any) -> dict[str, int | None]:
    return dict(zip(listed["qid"].to_pylist(), listed["revision"].to_pylist(), strict=True))


def _as_text(revision: int | None) -> str:
    return _NO_REVISION if revision is None else str(revision)


def _rows(records: Sequence[Row]) -> Any:
    return _table("changed_facts", records)


def _table(name: str, records: Sequence[Row]) -> Any:
    import pyarrow as pa

    return pa.Table.from_pylist(list(records), schema=arrow_schema(name))
