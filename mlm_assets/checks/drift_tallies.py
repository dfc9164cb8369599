"""Counting and judging: how many rows of a comparison changed, in all and per group, and whether a band is left.

A comparison is made once per judgement and counted in one pass, whatever number of measures looks at it. What is
counted is in `checks.drift_measures`, the bands in `bands`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from mlm_assets.bands import ALPHA, BANDS, Band, Limits
from mlm_assets.checks.drift_measures import COMPARISONS, Comparison, Measure
from mlm_assets.checks.drift_words import STOP_WORDS
from mlm_assets.checks.profile import Sides, view_of
from mlm_assets.checks.statistics import critical_count, smallest_detectable
from mlm_assets.shipped import shipped_file

if TYPE_CHECKING:
    from mlm_assets.resources.lake import Lake

CLASS: Final = "class"
_LEAST_EXCESS: Final = 0.2  # how much more of the loss than of the rows a cause must hold
_POWER_DIMENSIONS: Final = ("lang", "country")
_SHOWN_GROUPS: Final = 12
LOSSES: Final = (
    "gone", "gone_with_classes", "gone_per_class", "classes_gone", "instances_lost", "labels_lost", "coverage_lost",
    "member_lost", "missing",
)  # fmt: skip
"""Bands of measures that count what is lost; others count what changed."""


_COLUMNS: dict[str, list[str]] = {}


@dataclass(frozen=True)
class Tally:
    """Of `n` rows of a group (`value` of `dimension`; both empty for all rows), `k` changed; `level` is the verdict."""

    dimension: str
    value: str
    n: int
    k: int
    level: str = ""

    @property
    def share(self) -> float:
        """Share that changed."""
        return self.k / self.n if self.n else 0.0


@dataclass(frozen=True)
class Outcome:
    """What one measure found: the tally of all rows, those of the groups, and which of them left their band."""

    measure: Measure
    band: Band
    total: Tally
    groups: tuple[Tally, ...] = ()
    beyond: tuple[Tally, ...] = ()

    @property
    def level(self) -> str:
        """The worst of the levels: ERROR, WARN or nothing."""
        levels = {tally.level for tally in self.beyond}
        return "ERROR" if "ERROR" in levels else "WARN" if "WARN" in levels else ""

    @property
    def worst(self) -> Tally:
        """The tally that a sentence should speak of: the worst beyond its band, else that of all rows."""
        if not self.beyond:
            return self.total
        return max(self.beyond, key=lambda tally: (tally.level == "ERROR", not tally.dimension, tally.k, tally.share))

    @property
    def closeness(self) -> float:
        """How much of its warning band all rows together use up."""
        return self.total.share / self.band.total.warn

    def limits(self, tally: Tally) -> Limits:
        """Return the limits that hold for a tally."""
        return self.band.group if tally.dimension else self.band.total


@dataclass(frozen=True)
class Cause:
    """The group that explains most of a loss: its share of the loss."""

    dimension: str
    value: str
    share: float


@dataclass
class Comparing:
    """Both sides opened in one DuckDB connection; comparisons are made and counted when they are first asked for."""

    lake: "Lake"
    connection: Any
    current: Sides
    reference: Sides
    columns: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)
    _made: dict[str, Exception | None] = field(default_factory=dict)
    _views: set[str] = field(default_factory=set)
    _counted: dict[str, dict[tuple[str, str], Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Define what all comparisons share."""
        self.connection.execute(_statement("macros"))

    def open_views(self, tables: Iterable[str]) -> None:
        """Make the views `old_<table>` and `new_<table>`; remember the columns that the files have."""
        for table in tables:
            if table in self._views:
                continue
            self._views.add(table)
            for side, sides in (("old", self.reference), ("new", self.current)):
                present = view_of(self.lake, self.connection, f"{side}_{table}", table, sides.of(table))
                self.columns.setdefault(table, {})[side] = present

    def make(self, comparison: Comparison) -> None:
        """Join both sides into the table `compared_<name>`; an error is raised again whenever it is asked for."""
        if comparison.name not in self._made:
            try:
                self._make(comparison)
                self._made[comparison.name] = None
            except Exception as error:  # every check that rests on it has to say so
                self._made[comparison.name] = error
        failure = self._made[comparison.name]
        if failure is not None:
            raise failure

    def _make(self, comparison: Comparison) -> None:
        self.open_views(comparison.needs)
        if comparison.has_texts:
            self._read_touched_texts()
        file = comparison.file or comparison.name
        sides = {
            side: _filled(file, side=side, other=other, table=comparison.table)
            for side, other in (("old", "new"), ("new", "old"))
        }
        names = self._columns_of(comparison.name, sides["new"])
        keys = ", ".join(f'coalesce(new_rows."{key}", old_rows."{key}") AS "{key}"' for key in comparison.key)
        present = f'old_rows."{comparison.key[0]}" IS NOT NULL'
        columns = ", ".join(
            f'{side}_rows."{name}" AS "{side}_{name}"' for name in names for side in ("old", "new")
            if name not in comparison.key
        )  # fmt: skip
        groups = "".join(
            f", CAST(CASE WHEN {present} THEN old_rows.\"{column}\" ELSE new_rows.\"{column}\" END AS VARCHAR)"
            f' AS "group_{name}"'
            for name, column in comparison.dimensions
        )  # fmt: skip
        if comparison.class_column:
            column = comparison.class_column
            groups += f', CASE WHEN {present} THEN old_rows."{column}" ELSE new_rows."{column}" END AS "group_class"'
        on = " AND ".join(f'old_rows."{key}" = new_rows."{key}"' for key in comparison.key)
        self.connection.execute(
            f'CREATE OR REPLACE TEMP TABLE "compared_{comparison.name}" AS '  # noqa: S608 (names of our own registries)
            f"WITH old_rows AS ({sides['old']}), new_rows AS ({sides['new']}) SELECT {keys}, {present} AS in_old, "
            f'new_rows."{comparison.key[0]}" IS NOT NULL AS in_new{", " if columns else ""}{columns}{groups} '
            f"FROM old_rows FULL JOIN new_rows ON {on}"
        )

    def _columns_of(self, name: str, one_side: str) -> list[str]:
        """Return the columns that a side of a comparison has; its SQL file alone decides, so one look is enough."""
        if name not in _COLUMNS:
            _COLUMNS[name] = [row[0] for row in self.connection.execute(f"DESCRIBE {one_side}").fetchall()]
        return _COLUMNS[name]

    def _read_touched_texts(self) -> None:
        self.connection.execute(f"CREATE OR REPLACE TEMP TABLE touched AS {_statement('touched')}")
        words = ", ".join(f"('{word}', '{lang}')" for lang, listed in STOP_WORDS.items() for word in listed)
        self.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE stop_words AS SELECT * FROM (VALUES {words}) AS listed (word, lang)"  # noqa: S608
        )
        for side in ("old", "new"):
            tongues = _filled("tongues", side=side)
            self.connection.execute(f"CREATE OR REPLACE TEMP TABLE {side}_tongues AS {tongues}")

    # -- counting ------------------------------------------------------------------------------------------------

    def outcome(self, measure: Measure, measures: Sequence[Measure]) -> Outcome:
        """Return what `measure` found; all of `measures` on the same comparison are counted in the same pass."""
        if measure.comparison not in self._counted:
            alike = [one for one in measures if one.comparison == measure.comparison]
            self._counted[measure.comparison] = self._count(COMPARISONS[measure.comparison], alike)
        tallies = self._counted[measure.comparison][measure.population, measure.changed]
        return judged(measure, tallies)

    def _count(self, comparison: Comparison, measures: Sequence[Measure]) -> dict[tuple[str, str], list[Tally]]:
        self.make(comparison)
        pairs = list(dict.fromkeys((measure.population, measure.changed) for measure in measures))
        counts = ", ".join(
            f"count(*) FILTER ({population}), count(*) FILTER (({population}) AND coalesce(({changed}), FALSE))"
            for population, changed in pairs
        )
        wanted = {name for measure in measures for name in measure.looked_at}
        found: dict[tuple[str, str], list[Tally]] = {pair: [] for pair in pairs}
        dimensions = [name for name, _ in comparison.dimensions if name in wanted]
        for dimension, value, *numbers in self._grouped(comparison.name, dimensions, counts):
            for number, pair in enumerate(pairs):
                found[pair].append(Tally(dimension, value, numbers[2 * number], numbers[2 * number + 1]))
        if CLASS in wanted and comparison.class_column:
            rows = self._by_class(comparison.name, counts)
            for value, *numbers in rows:
                for number, pair in enumerate(pairs):
                    found[pair].append(Tally(CLASS, str(value), numbers[2 * number], numbers[2 * number + 1]))
        return found

    def _grouped(self, name: str, dimensions: Sequence[str], counts: str) -> list[tuple[Any, ...]]:
        """Return (dimension, value, counts...) of all rows (dimension empty) and of each group of each dimension."""
        columns = [f'"group_{dimension}"' for dimension in dimensions]
        sets = ", ".join(["()", *(f"({column})" for column in columns)])
        selected = "".join(f"{column}, GROUPING({column}), " for column in columns)
        rows = self._ask(f'SELECT {selected}{counts} FROM "compared_{name}" GROUP BY GROUPING SETS ({sets})')  # noqa: S608
        found: list[tuple[Any, ...]] = []
        for row in rows:
            numbers = row[2 * len(columns) :]
            inside = [place for place in range(len(columns)) if row[2 * place + 1] == 0]
            if not inside:
                found.append(("", "", *numbers))
            elif row[2 * inside[0]] is not None:
                found.append((dimensions[inside[0]], str(row[2 * inside[0]]), *numbers))
        return found

    def _by_class(self, name: str, counts: str) -> list[tuple[Any, ...]]:
        return self._ask(
            f'SELECT class_qid, {counts} FROM (SELECT *, unnest(group_class) AS class_qid FROM "compared_{name}") '  # noqa: S608
            "GROUP BY class_qid"
        )

    def _ask(self, statement: str) -> list[tuple[Any, ...]]:
        parameters = {"release": self.current.release} if "$release" in statement else None
        rows: list[tuple[Any, ...]] = (
            self.connection.execute(statement, parameters) if parameters else self.connection.execute(statement)
        ).fetchall()
        return rows

    # -- rows ----------------------------------------------------------------------------------------------------

    def failing(self, outcome: Outcome) -> str:
        """Return the query of the rows that changed: their key, and old and new values.

        Where all rows together keep their band, only the groups that do not.
        """
        measure = outcome.measure
        comparison = COMPARISONS[measure.comparison]
        conditions = [f"({measure.population})", f"coalesce(({measure.changed}), FALSE)"]
        if not any(not tally.dimension for tally in outcome.beyond):
            inside = [_inside(tally) for tally in outcome.beyond]
            conditions.append(f"({' OR '.join(inside)})" if inside else "TRUE")
        shown = [column for column in measure.shown if column not in comparison.key]
        names = {row[0] for row in self.connection.execute(f'DESCRIBE "compared_{comparison.name}"').fetchall()}
        pairs = [f'"{side}_{column}"' for column in shown for side in ("old", "new") if f"{side}_{column}" in names]
        columns = ", ".join([f"'{measure.name}' AS measure", *(f'"{key}"' for key in comparison.key), *pairs])
        query = f'SELECT {columns} FROM "compared_{comparison.name}" WHERE {" AND ".join(conditions)}'  # noqa: S608
        return query.replace("$release", f"'{self.current.release}'")


def _inside(tally: Tally) -> str:
    value = tally.value.replace("'", "''")
    return f"list_contains(group_class, '{value}')" if tally.dimension == CLASS else (
        f"\"group_{tally.dimension}\" = '{value}'"
    )  # fmt: skip


@cache
def _statement(name: str) -> str:
    return shipped_file(f"sql/profiles/{name}.sql").read_text("utf-8").rstrip().removesuffix(";")


def _filled(name: str, **values: str) -> str:
    """Return a statement with its {names} filled in; other braces belong to regular expressions."""
    statement = _statement(name)
    for key, value in values.items():
        statement = statement.replace(f"{{{key}}}", value)
    return statement


def judged(measure: Measure, tallies: Sequence[Tally]) -> Outcome:
    """Hold the tallies of a measure against its band: those of all rows, and of the groups that it judges."""
    band = BANDS[measure.band]
    total = next((tally for tally in tallies if not tally.dimension), Tally("", "", 0, 0))
    n_groups = {
        name: max(sum(1 for tally in tallies if tally.dimension == name and tally.n), 1) for name in measure.judged
    }
    beyond = []
    if measure.is_total_judged:
        beyond.append(_leveled(total, band.total, ALPHA))
    beyond += [
        _leveled(tally, band.group, ALPHA / n_groups[tally.dimension])
        for tally in tallies
        if tally.dimension in n_groups
    ]
    groups = tuple(tally for tally in tallies if tally.dimension and tally.dimension in measure.looked_at)
    return Outcome(measure, band, total, groups, tuple(tally for tally in beyond if tally.level))


def _leveled(tally: Tally, limits: Limits, alpha: float) -> Tally:
    level = ""
    if tally.k and tally.k >= critical_count(tally.n, limits.block, limits.normal, alpha):
        level = "ERROR"
    elif tally.k and tally.k >= critical_count(tally.n, limits.warn, limits.normal, alpha):
        level = "WARN"
    return Tally(tally.dimension, tally.value, tally.n, tally.k, level)


def cause_of(outcome: Outcome) -> Cause | None:
    """Return the group that explains most of what changed: it holds much more of the change than of the rows.

    Of all groups of all dimensions looked at, the one whose share of the change exceeds its share of the rows most.
    """
    best: tuple[float, Cause] | None = None
    for tally in outcome.groups:
        if not tally.k or not outcome.total.k:
            continue
        share = tally.k / outcome.total.k
        excess = share - tally.n / max(outcome.total.n, 1)
        if excess >= _LEAST_EXCESS and (best is None or excess > best[0] + 1e-9):
            best = excess, Cause(tally.dimension, tally.value, share)
    return best[1] if best else None


def power_table(outcome: Outcome) -> dict[str, Any]:
    """Return the smallest share that is found with 95 % power: in all, and of losses per language and country."""
    found: dict[str, Any] = {}
    band, measure = outcome.band, outcome.measure
    if measure.is_total_judged:
        found["all"] = _power_row(outcome.total.n, band.total, ALPHA)
    for dimension in _POWER_DIMENSIONS:
        groups = [tally for tally in outcome.groups if tally.dimension == dimension and tally.n]
        if dimension in measure.judged and measure.band in LOSSES and groups:
            largest = sorted(groups, key=lambda tally: -tally.n)
            found[dimension] = {tally.value: _power_row(tally.n, band.group, ALPHA / len(groups)) for tally in largest}
    return found


def _power_row(n: int, limits: Limits, alpha: float) -> dict[str, Any]:
    warn = smallest_detectable(n, limits.warn, limits.normal, alpha)
    block = smallest_detectable(n, limits.block, limits.normal, alpha)
    return {"n": n, "warn": _rounded(warn), "block": _rounded(block)}


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 4)


def figures_of(outcome: Outcome) -> Mapping[str, Any]:
    """Return the figures of one measure for a verdict."""
    total = outcome.total
    limits = outcome.limits(outcome.worst)
    found: dict[str, Any] = {
        "n": total.n, "changed": total.k, "share": round(total.share, 5),
        "warn": limits.warn, "block": limits.block, "normal": limits.normal,
    }  # fmt: skip
    groups = [tally for tally in outcome.beyond if tally.dimension]
    if groups:
        worst = sorted(groups, key=lambda tally: (tally.level != "ERROR", -tally.k))[:_SHOWN_GROUPS]
        found["groups"] = [
            {"dimension": one.dimension, "value": one.value, "n": one.n, "changed": one.k,
             "share": round(one.share, 4), "level": one.level}
            for one in worst
        ]  # fmt: skip
    return found
