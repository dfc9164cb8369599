"""The client of Wikidata: classes, candidates and facts, as rows.

Batches are as large as the settings allow, and halved where the service runs into its time limit. Candidates are
listed class by class: small classes together, large ones by the last digits of the QID; what came is held against a
count, and asked again where the two differ. Follows section 3.3 of the paper.

Does not belong here: the text of the queries (`wikidata_queries`), how a results document is read (`sparql`), and
every decision on facts (the domain code and `sql/`).
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

from mlm_assets.errors import QueryTimeout, ServiceUnavailable
from mlm_assets.identifiers import parse_qid, qid_number
from mlm_assets.resources import wikidata_queries as queries
from mlm_assets.resources.http import Transport
from mlm_assets.resources.names import article_of, file_of, qid_of
from mlm_assets.resources.sparql import PoliteSparql, Row, Table
from mlm_assets.settings import Settings
from mlm_assets.tables import IMAGE_PROPERTIES

T = TypeVar("T")
Progress = Callable[[int, int], None]
"""Told how many rows came so far, and how many are expected in all."""

NAMES_BATCH: Final = 2_000
"""QIDs in one query for labels and codes, which look up two triples each."""
MAX_ENDING: Final = 4
"""Most digits by which one class is split: ten thousand parts."""
LISTING_ATTEMPTS: Final = 3
TOLERATED_DIFFERENCE: Final = 0.001
"""Wikidata is edited while it is read: after every attempt, a listing this close to its count is taken."""


class Instance(NamedTuple):
    """An item that is an instance (P31) of a class, and the revision of the item (None where the service has none)."""

    qid: str
    class_qid: str
    revision: int | None


class InstanceBatch(NamedTuple):
    """Distinct instances that one query brought, and the key of its answer."""

    rows: list[Instance]
    key: str


class Fact(NamedTuple):
    """One value of one property of an item; which fields are set depends on the property.

    `P31`: class QID, `label` its English label. `P625`: point as text, `lat_deg`, `lon_deg`, `globe_qid` of the same
    `statement`, best rank only. Images: file name. `P17`: country QID, `country_code` its ISO code. `P1082`: number.
    `label`, `sitelink`: text or title in `lang`. `version`: revision. `modified`: ISO time.
    """

    qid: str
    property: str
    value: str
    lang: str | None = None
    label: str | None = None
    country_code: str | None = None
    lat_deg: float | None = None
    lon_deg: float | None = None
    globe_qid: str | None = None
    statement: str | None = None
    answer_key: str = ""


class FactsBatch(NamedTuple):
    """Facts about some items, and the items that the service cannot answer for, each with the reason."""

    rows: list[Fact]
    quarantined: list[tuple[str, str]]


class Name(NamedTuple):
    """What facts say of an item that they point to: `what` is label (English) or code (ISO 3166-1, P297)."""

    qid: str
    what: str
    value: str
    answer_key: str


class Fate(NamedTuple):
    """What is left of an item: where it redirects to (`target_qid`), its classes (P31), and its revision, if any.

    `answer_key` is empty where nothing is left, for then no answer has a row about it.
    """

    qid: str
    target_qid: str | None
    class_qids: tuple[str, ...]
    revision: int | None
    answer_key: str


class Usable(NamedTuple):
    """How a base type would do (paper, 3.3.1): its classes, their instances, and how many meet the constraints."""

    n_classes: int
    n_instances: int
    n_usable: int


class Wikidata:
    """Asks the SPARQL service of the settings; every QID passes `parse_qid` before it reaches a query.

    All methods raise what `Transport.fetch` raises, and Refused for a malformed QID.
    """

    def __init__(self, transport: Transport, settings: Settings) -> None:
        self._transport = transport
        self._settings = settings

    def subclasses(self, qids: Sequence[str]) -> list[tuple[str, str]]:
        """Return the direct subclasses (P279) of classes as distinct pairs (child, parent), sorted."""
        pairs: set[tuple[str, str]] = set()
        for table in self._in_batches(qids, queries.one_hop):
            found = ((_qid(row, "child"), _qid(row, "parent")) for row in table.rows)
            pairs.update((child, parent) for child, parent in found if child and parent)
        return sorted(pairs, key=lambda pair: (qid_number(pair[0]), qid_number(pair[1])))

    def labels(self, qids: Sequence[str], languages: Sequence[str]) -> dict[str, dict[str, str]]:
        """Return labels by QID and language; where one is missing, so is its key."""
        found: dict[str, dict[str, str]] = {qid: {} for qid in _sorted(qids)}
        for table in self._in_batches(qids, lambda batch: queries.labels(batch, languages)):
            for row in table.rows:
                qid, language = _qid(row, "item"), row.get("label@")
                if qid in found and language is not None and language in languages:
                    found[qid][language] = row["label"]
        return found

    def count_instances(self, class_qids: Sequence[str]) -> dict[str, int]:
        """Return the number of distinct instances (P31) of each class, 0 where it has none."""
        return self._counts(class_qids, again=False)

    def instances(self, class_counts: Mapping[str, int], progress: Progress | None = None) -> Iterator[InstanceBatch]:
        """List the instances of classes; `class_counts` says how many each must have (`count_instances`).

        Raises:
            ServiceUnavailable: listing and count differ after every attempt by more than edits explain.
        """
        expected, done = sum(class_counts.values()), 0
        for group in listing_groups(class_counts, self._settings):
            for batch in self._verified({qid: class_counts[qid] for qid in group}):
                done += len(batch.rows)
                yield batch
                if progress is not None:
                    progress(done, expected)

    def facts(self, qids: Sequence[str]) -> FactsBatch:
        """Return all facts about items, sorted by item and property.

        An item for which the service runs into its time limit even when asked alone is quarantined.
        """
        rows: list[Fact] = []
        quarantined: list[tuple[str, str]] = []
        for batch in _chunks(_sorted(qids), self._settings.facts_batch):
            for part in self._halving(batch, queries.facts, quarantined):
                rows.extend(fact for row in part.rows if (fact := _fact(row, part.key)) is not None)
        return FactsBatch(_distinct_facts(rows), quarantined)

    def names(self, qids: Sequence[str]) -> list[Name]:
        """Return the English labels and ISO codes (P297) of items, as facts carry them; an item may have neither."""
        found = {}
        for batch in _chunks(_sorted(qids), NAMES_BATCH):
            for table in self._halving(batch, queries.names):
                for row in table.rows:
                    qid = _qid(row, "item")
                    if qid is not None and "what" in row and "value" in row:
                        found[qid, row["what"], row["value"]] = table.key
        return [Name(*name, key) for name, key in sorted(found.items())]

    def fates(self, qids: Sequence[str]) -> list[Fate]:
        """Return what became of items, one fate each, in the order of their numbers."""
        said: dict[str, dict[str, set[str]]] = {qid: {} for qid in _sorted(qids)}
        keys: dict[str, str] = {}
        for batch in _chunks(_sorted(qids), self._settings.facts_batch):
            for table in self._halving(batch, queries.fates):
                for row in table.rows:
                    qid = _qid(row, "item")
                    if qid in said and "what" in row and "value" in row:
                        said[qid].setdefault(row["what"], set()).add(row["value"])
                        keys[qid] = table.key
        return [_fate(qid, found, keys.get(qid, "")) for qid, found in said.items()]

    def count_usable(self, class_qids: Sequence[str]) -> Usable:
        """Return how many distinct instances of the classes there are, and how many meet the constraints on facts.

        The constraints: coordinates on Earth, one of the eight image properties, an article in one of the ten
        languages. Not counted in batches of classes, because an item may belong to several of them.
        """
        classes = _sorted(class_qids)
        totals = {"instances": 0, "usable": 0}
        for table in self._by_ending(lambda ending: queries.usable(classes, ending), ""):
            for row in table.rows:
                if row.get("what") in totals:
                    totals[row["what"]] += int(row["n"])
        return Usable(len(classes), totals["instances"], totals["usable"])

    def _select(self, query: str, *, can_halve: bool = False, again: bool = False) -> Table:
        return PoliteSparql(self._transport, self._settings.sparql_url, query).select(can_halve=can_halve, again=again)

    def _in_batches(
        self, qids: Sequence[str], query: Callable[[Sequence[str]], str], *, again: bool = False
    ) -> Iterator[Table]:
        for batch in _chunks(_sorted(qids), self._settings.class_batch):
            yield from self._halving(batch, query, again=again)

    def _halving(
        self,
        qids: Sequence[str],
        query: Callable[[Sequence[str]], str],
        quarantined: list[tuple[str, str]] | None = None,
        *,
        again: bool = False,
    ) -> Iterator[Table]:
        """Ask for `qids` in one query, or in halves where the time is not enough; one alone goes to `quarantined`."""
        try:
            table = self._select(query(qids), can_halve=len(qids) > 1, again=again)
        except QueryTimeout as error:
            if len(qids) == 1 and quarantined is None:
                raise
            if len(qids) == 1:
                quarantined.append((qids[0], str(error)))  # type: ignore[union-attr]
                return
        else:
            yield table
            return
        middle = (len(qids) + 1) // 2
        for half in (qids[:middle], qids[middle:]):
            yield from self._halving(half, query, quarantined, again=again)

    def _by_ending(self, query: Callable[[str], str], ending: str, *, again: bool = False) -> Iterator[Table]:
        """Ask for the items whose QID ends with `ending`, or for each next digit where the time is not enough."""
        can_halve = len(ending) < MAX_ENDING
        try:
            table = self._select(query(ending), can_halve=can_halve, again=again)
        except QueryTimeout:
            if not can_halve:
                raise
        else:
            yield table
            return
        for digit in "0123456789":
            yield from self._by_ending(query, digit + ending, again=again)

    def _counts(self, class_qids: Sequence[str], *, again: bool) -> dict[str, int]:
        counted = dict.fromkeys(_sorted(class_qids), 0)
        for table in self._in_batches(class_qids, queries.counts, again=again):
            for row in table.rows:
                if (qid := _qid(row, "class")) in counted:
                    counted[qid] = int(row["n"])
        return counted

    def _verified(self, expected: Mapping[str, int]) -> list[InstanceBatch]:
        """Return the instances of the classes in `expected`, as many as their counts say; else count and list again."""
        counts = dict(expected)
        for attempt in range(1, LISTING_ATTEMPTS + 1):
            batches = self._listed(counts, again=attempt > 1)
            wrong = _differences(counts, batches)
            if not wrong:
                return batches
            if attempt < LISTING_ATTEMPTS:
                counts = self._counts(list(counts), again=True)
        if all(abs(came - n) <= max(1, TOLERATED_DIFFERENCE * n) for n, came in wrong.values()):
            return batches
        qid, (n, came) = next(iter(wrong.items()))
        raise ServiceUnavailable(
            f"Wikidata counts {n} instances of {qid} and listed {came}, in each of {LISTING_ATTEMPTS} attempts "
            f"({len(wrong)} classes differ). Its servers may lag behind each other; run again later."
        )

    def _listed(self, counts: Mapping[str, int], *, again: bool) -> list[InstanceBatch]:
        """Return the distinct instances of classes: in halves, or by endings, where it takes too long."""
        classes = list(counts)
        if len(classes) > 1:
            tables = list(self._halving_classes(classes, again=again))
        else:
            endings = _endings(_n_digits(counts[classes[0]], self._settings))
            tables = [table for ending in endings for table in self._class_by_ending(classes, ending, again)]
        seen: set[tuple[str, str]] = set()
        return [InstanceBatch(list(_instances(table, seen)), table.key) for table in tables]

    def _halving_classes(self, classes: Sequence[str], *, again: bool) -> Iterator[Table]:
        try:
            table = self._select(queries.listing(classes), can_halve=True, again=again)
        except QueryTimeout:
            middle = (len(classes) + 1) // 2
            for half in (classes[:middle], classes[middle:]):
                if len(half) == 1:
                    yield from self._class_by_ending(half, "", again)
                else:
                    yield from self._halving_classes(half, again=again)
        else:
            yield table

    def _class_by_ending(self, classes: Sequence[str], ending: str, again: bool) -> Iterator[Table]:
        return self._by_ending(lambda digits: queries.listing(classes, digits), ending, again=again)


def n_listings(class_counts: Mapping[str, int], settings: Settings) -> int:
    """Return how many queries list the instances of classes with so many instances each, if none has to be halved."""
    n_queries = 0
    for group in listing_groups(class_counts, settings):
        n_queries += 10 ** _n_digits(class_counts[group[0]], settings) if len(group) == 1 else 1
    return n_queries


def listing_groups(class_counts: Mapping[str, int], settings: Settings) -> Iterator[list[str]]:
    """Yield classes that are listed together: few enough rows, few enough classes; a large class alone."""
    group: list[str] = []
    n_rows = 0
    for qid in _sorted(class_counts):
        n = class_counts[qid]
        if n == 0:
            continue
        if group and (n_rows + n > settings.listing_rows or len(group) >= settings.class_batch):
            yield group
            group, n_rows = [], 0
        group.append(qid)
        n_rows += n
    if group:
        yield group


def _n_digits(n_instances: int, settings: Settings) -> int:
    """Return how many last digits of the QID one class is listed by."""
    parts = math.ceil(n_instances / settings.listing_rows)
    return min(len(str(parts - 1)), MAX_ENDING) if parts > 1 else 0


def _fact(row: Row, key: str) -> Fact | None:
    """Return the fact in a row; None for an unknown value, or a value of another kind than the property's."""
    qid, name = _qid(row, "item"), row.get("property")
    if qid is None or name is None or "value" not in row:
        return None
    read = _READERS.get(name)
    return read(qid, name, row, key) if read is not None else None


def _entity_fact(qid: str, name: str, row: Row, key: str) -> Fact | None:
    value = _qid(row, "value")
    if value is None:
        return None
    return Fact(qid, name, value, label=row.get("label"), country_code=row.get("code"), answer_key=key)


def _coordinate_fact(qid: str, name: str, row: Row, key: str) -> Fact | None:
    statement = row.get("statement", "").rpartition("/")[2]
    return Fact(
        qid, name, row["value"],
        lat_deg=_number(row, "lat"), lon_deg=_number(row, "lon"), globe_qid=_qid(row, "globe"),
        statement=statement, answer_key=key,
    )  # fmt: skip


def _image_fact(qid: str, name: str, row: Row, key: str) -> Fact | None:
    file = file_of(row["value"])
    return None if file is None else Fact(qid, name, file, answer_key=key)


def _sitelink_fact(qid: str, name: str, row: Row, key: str) -> Fact | None:
    article = article_of(row["value"])
    return None if article is None else Fact(qid, name, article[1], lang=article[0], answer_key=key)


def _text_fact(qid: str, name: str, row: Row, key: str) -> Fact | None:
    return Fact(qid, name, row["value"], lang=row.get("value@"), answer_key=key)


_READERS: Final[dict[str, Callable[[str, str, Row, str], Fact | None]]] = {
    "P31": _entity_fact,
    "P17": _entity_fact,
    "P625": _coordinate_fact,
    "P1082": _text_fact,
    "label": _text_fact,
    "sitelink": _sitelink_fact,
    "version": _text_fact,
    "modified": _text_fact,
    **dict.fromkeys(IMAGE_PROPERTIES, _image_fact),
}


def _distinct_facts(facts: list[Fact]) -> list[Fact]:
    """Return facts without repetition, sorted, so that the order in which a service answers does not matter."""
    return sorted(
        dict.fromkeys(facts),
        key=lambda f: (
            qid_number(f.qid), f.property, f.lang or "", f.value,
            f.statement or "", f.country_code or "", f.label or "",
            f.lat_deg or 0.0, f.lon_deg or 0.0, f.globe_qid or "",
        ),
    )  # fmt: skip


def _instances(table: Table, seen: set[tuple[str, str]]) -> Iterator[Instance]:
    for row in table.rows:
        qid, class_qid = _qid(row, "item"), _qid(row, "class")
        if qid is None or class_qid is None or (qid, class_qid) in seen:
            continue
        seen.add((qid, class_qid))
        yield Instance(qid, class_qid, int(row["revision"]) if row.get("revision", "").isdigit() else None)


def _fate(qid: str, said: Mapping[str, set[str]], key: str) -> Fate:
    """Return what the rows about an item say; without a row, nothing is left of it."""
    targets = sorted(filter(None, map(qid_of, said.get("sameAs", ()))), key=qid_number)
    classes = sorted(filter(None, map(qid_of, said.get("P31", ()))), key=qid_number)
    revisions = [int(value) for value in said.get("version", ()) if value.isdigit()]
    return Fate(qid, targets[0] if targets else None, tuple(classes), max(revisions, default=None), key)


def _differences(counts: Mapping[str, int], batches: Sequence[InstanceBatch]) -> dict[str, tuple[int, int]]:
    """Return the classes whose count and listing differ, with both."""
    came = dict.fromkeys(counts, 0)
    for batch in batches:
        for row in batch.rows:
            came[row.class_qid] = came.get(row.class_qid, 0) + 1
    return {qid: (n, came[qid]) for qid, n in counts.items() if came[qid] != n}


def _qid(row: Row, name: str) -> str | None:
    return qid_of(row.get(name, ""))


def _number(row: Row, name: str) -> float | None:
    """Return a number; None where it is none that can be used (a service may say NaN)."""
    try:
        number = float(row[name])
    except (KeyError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _sorted(qids: Sequence[str] | Mapping[str, int]) -> list[str]:
    """Return distinct QIDs by number, so that the same question has the same text, and the same stored answer."""
    return sorted({parse_qid(qid) for qid in qids}, key=qid_number)


def _endings(n_digits: int) -> list[str]:
    return [f"{number:0{n_digits}d}" for number in range(10**n_digits)] if n_digits else [""]


def _chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
