"""What a kind of fault is: where it is seeded, what it hits, and whether it must be blocked."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from unittest.mock import patch

from benchmarks.quality.audits import Failure
from benchmarks.quality.home import Home, Skip, release_of
from mlm_assets.local_wikimedia.generator.countries import countries
from mlm_assets.local_wikimedia.tampering import KINDS
from mlm_assets.local_wikimedia.tampering.base import hits

Record = dict[str, Any]
Edit = Callable[[list[Record]], list[Record]]
_NOBODY: Final[Skip] = lambda _table, _partition: False  # noqa: E731


@dataclass
class Seeding:
    """A month into which a fault is seeded: the home, the month, and what the fault lays hands on.

    `skip` and `before` are those of `make_month`; `afterwards` is called when the datasets are made.
    """

    home: Home
    month: int
    stack: ExitStack
    skip: Skip = _NOBODY
    before: Callable[[str], None] = lambda _: None
    afterwards: Callable[[], None] = lambda: None

    @property
    def release(self) -> str:
        """The release that is made."""
        return release_of(self.month)

    def accepted_rows(self, table: str, partition: str) -> list[Record]:
        """Return the rows that readers see."""
        rows: list[Record] = self.home.lake.read(self.home.lake.require(table, partition)).to_pylist()
        return rows


Seed = Callable[[Seeding], None]


@dataclass(frozen=True)
class Kind:
    """One kind of fault.

    `is_wrong` tells that the data would be wrong, so that it must be blocked; a warning is enough for the others.
    `served` are tamperings of the local Wikimedia, `seed` what happens on our side. `lang`, `country` (ISO) and
    `class_qid` name what alone is hit, if it is one thing.
    """

    name: str
    description: str
    is_wrong: bool
    seed: Seed | None = None
    served: tuple[str, ...] = ()
    lang: str = ""
    country: str = ""
    class_qid: str = ""

    @property
    def hits_one(self) -> str:
        """The one group that it hits, as figures of checks name it; empty where it hits more."""
        return self.lang or self.country or self.class_qid

    @contextmanager
    def seeded(self, home: Home, month: int) -> Iterator[Seeding]:
        """Seed the fault into a month of a home, and take it out when the block ends."""
        with ExitStack() as stack:
            seeding = Seeding(home, month, stack)
            if self.seed is not None:
                self.seed(seeding)
            yield seeding


def _of_tampering(name: str) -> Kind:
    kind = KINDS[name]
    iso = next((one.iso for one in countries() if one.qid == kind.country_qid), "")
    return Kind(
        name, kind.description, kind.is_wrong,
        served=(name,), lang=kind.lang, country=iso, class_qid="" if iso else kind.class_qid,
    )  # fmt: skip


SERVED: Final = tuple(_of_tampering(name) for name in KINDS)
"""The kinds that the local Wikimedia serves."""


def is_right_cause(kind: Kind, failures: Sequence[Failure]) -> bool | None:
    """Tell whether the cause that is named first is what the kind hits; None where it hits more than one thing."""
    if not kind.hits_one:
        return None
    named = next((one for one in failures if one.cause), None)
    return named is not None and names(named, kind)


def is_among_causes(kind: Kind, failures: Sequence[Failure]) -> bool | None:
    """Tell whether any cause that is named is what the kind hits; None where it hits more than one thing."""
    return any(names(one, kind) for one in failures) if kind.hits_one else None


def names(failure: Failure, kind: Kind) -> bool:
    """Tell whether a failed check blames what a kind hits."""
    words = {failure.blames[1], *failure.cause.replace("(", " ").replace(")", " ").replace("|", " ").split()}
    return bool(kind.hits_one) and kind.hits_one in words


# -- what seeds have in common -----------------------------------------------------------------------------------------


def edited(table: str, edit: Edit, partition: Callable[[str], bool] = lambda _: True) -> Seed:
    """Return a seed that changes the rows of a table between its asset and the lake, before anything is set aside."""

    def seed(seeding: Seeding) -> None:
        on_draft(seeding, table, lambda rows, where: _from(edit(rows.to_pylist()), rows) if partition(where) else rows)

    return seed


def on_draft(seeding: Seeding, table: str, change: Callable[[Any, str], Any]) -> None:
    """Pass the rows of a table, with its partition, through `change` when a version of it is drafted."""
    from mlm_assets.assets.stage import Stage

    draft = Stage.draft

    def changed(stage: Any, name: str, rows: Any, **more: Any) -> Any:
        return draft(stage, name, change(rows, stage.partition) if name == table else rows, **more)

    seeding.stack.enter_context(patch.object(Stage, "draft", changed))


def on_write(seeding: Seeding, table: str, change: Callable[[Any, str], Any]) -> None:
    """Pass the rows of a table through `change` on their way into the lake, after everything was looked at."""
    from mlm_assets.resources.lake import Lake

    write = Lake.write

    def changed(lake: Any, name: str, partition: str, rows: Any) -> Any:
        return write(lake, name, partition, change(rows, partition) if name == table else rows)

    seeding.stack.enter_context(patch.object(Lake, "write", changed))


def in_environment(**values: str) -> Seed:
    """Return a seed that sets environment variables for the month."""
    return lambda seeding: seeding.stack.enter_context(patch.dict("os.environ", values)) and None


def replaced(target: str, value: Any) -> Seed:
    """Return a seed that replaces a name of the platform's code for the month."""
    return lambda seeding: seeding.stack.enter_context(patch(target, value)) and None


def every(*seeds: Seed) -> Seed:
    """Return a seed that is all of them."""

    def seed(seeding: Seeding) -> None:
        for one in seeds:
            one(seeding)

    return seed


def each(change: Callable[[Record], Record], share: float = 1.0, name: str = "") -> Edit:
    """Return an edit of a share of the rows, always the same ones."""
    return lambda rows: [change(row) if share >= 1 or hits(share, name, row["qid"]) else row for row in rows]


def swapped(one: str, other: str) -> Edit:
    """Return an edit that exchanges two columns."""
    return each(lambda row: {**row, one: row[other], other: row[one]})


def shifted(*columns: str) -> Edit:
    """Return an edit that gives each row the values of the next in these columns, the last row those of the first."""

    def edit(rows: list[Record]) -> list[Record]:
        return [
            {**row, **{column: other[column] for column in columns}}
            for row, other in zip(rows, [*rows[1:], *rows[:1]], strict=True)
        ]

    return edit


def lost(share: float, name: str) -> Edit:
    """Return an edit that drops a share of the rows, always the same ones."""
    return lambda rows: [row for row in rows if not hits(share, name, row["qid"])]


def doubled(share: float, name: str) -> Edit:
    """Return an edit that writes a share of the rows twice, always the same ones."""
    return lambda rows: [*rows, *(row for row in rows if hits(share, name, row["qid"]))]


def _from(records: list[Record], like: Any) -> Any:
    import pyarrow as pa

    return pa.Table.from_pylist(records, schema=like.schema)


def rows_like(records: list[Record], table: str) -> Any:
    """Return records as rows of a table of the registry."""
    import pyarrow as pa

    return pa.Table.from_pylist(records, schema=_schema(table))


@cache
def _schema(table: str) -> Any:
    from mlm_assets.resources.lake import arrow_schema

    return arrow_schema(table)
