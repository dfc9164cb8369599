"""Drops and drift: what changed between a version and the last accepted one, and whether that can be true.

`declared` says which checks a table has, `judge` gives their verdicts. What is measured is in `drift_measures`, how it
is counted in `drift_tallies`, the past in `drift_history`, the bands in `bands`; `docs/drift.md` explains all of it.
Constraints, which hold for a version by itself, do not belong here.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from mlm_assets.checks.drift_history import Departure
from mlm_assets.checks.drift_measures import CONTEXT, MEASURES
from mlm_assets.checks.drift_words import LANGUAGE_NAMES, group_in_words
from mlm_assets.checks.profile import Profile, Sides, profile_of
from mlm_assets.checks.verdicts import Check, Verdict, crashed
from mlm_assets.tables import BENCHMARKS, DATASET_STATISTICS, MODELS, TABLES

if TYPE_CHECKING:
    from mlm_assets.checks.drift_tallies import Comparing, Outcome
    from mlm_assets.resources.lake import Lake

__all__ = ["Profile", "Sides", "context_of", "declared", "judge", "profile_of"]

COLUMNS: Final = "columns_are_stable"
DISTRIBUTIONS: Final = "distributions_are_stable"
LEVELS: Final = "levels_follow_their_history"
BLANK: Final = "pictures_are_not_blank"
MOVES_ON: Final = "source_moves_on"
PARAMETERS: Final = "parameters_are_stable"
SCORES: Final = "scores_do_not_drop"
LOSSES: Final = "training_is_whole"
FIGURES: Final = "figures_do_not_drop"
FIGURES_RISE: Final = "figures_do_not_rise"

_SPECIAL_TEXTS: Final = {
    COLUMNS: "Columns and types are those of the reference, and no column is emptier than it was.",
    DISTRIBUTIONS: "Distributions (lengths, sizes, places, ...) are those of the reference, by the stability index.",
    LEVELS: "Counts follow the course of the accepted releases: month-on-month change, and level against a year.",
    BLANK: "Of a sample of the new pictures, hardly one is of one flat colour.",
    MOVES_ON: "As much was edited since the reference as in the calmest month: the source is not standing still.",
    PARAMETERS: "The parameters of the release are those of the reference.",
    SCORES: "Scores are not below those of the reference by more than training again does.",
    LOSSES: "Losses are numbers, and training went on for as long as it did.",
    FIGURES: "Published figures did not fall.",
    FIGURES_RISE: "Published figures did not jump.",
}
_NOT_BLOCKING: Final = (MOVES_ON, FIGURES_RISE)
"""Checks that tell, but keep nothing from readers: what they see may be meant."""
_HAS_DISTRIBUTIONS: Final = ("settlements", "images", "refresh", "mlm", "mlm_v2", "mlm_irle", "mlm_irle_gr")
_MODEL_TABLES: Final = tuple(table.name for table in MODELS)
_BENCHMARK_TABLES: Final = tuple(table.name for table in BENCHMARKS)


def declared(table_name: str) -> tuple[Check, ...]:
    """Return the drift checks of a table, in the order of the verdicts of `judge`; none for tables of features."""
    measured = tuple(Check(name, _described(name, table_name)) for name in MEASURES.get(table_name, {}))
    return measured + tuple(
        Check(name, _SPECIAL_TEXTS[name], name not in _NOT_BLOCKING) for name in _special(table_name)
    )


def context_of(table_name: str) -> tuple[str, ...]:
    """Return the tables whose versions `judge` wants beside those of the table itself (of the same shard)."""
    return CONTEXT.get(table_name, ())


def judge(lake: "Lake", current: Sides, reference: Sides | None, history: Sequence[Profile] = ()) -> list[Verdict]:
    """Return one verdict per declared check of the table of `current`, in their order.

    `reference` is the last accepted version of an earlier release (else of the same), None where there is none: then
    there is nothing to compare with, and every check passes. `history` are profiles of accepted releases. Rows that
    changed where a band is left are written to `failing/` in the lake. A check that crashes gives a verdict saying so.
    """
    checks = declared(current.table)
    if not checks:
        return []
    if reference is None or not reference.own:
        return [_passed(current, check, "There is no accepted version to compare with yet.") for check in checks]
    if current.table != "refresh" and _identities(current) == _identities(reference):
        return [_passed(current, check, "It is the reference itself: nothing changed.") for check in checks]
    from mlm_assets.checks.drift_tallies import Comparing

    with lake.connect() as connection:
        comparing = Comparing(lake, connection, current, reference)
        return [_verdict(comparing, check, history) for check in checks]


def _identities(sides: Sides) -> list[str]:
    return sorted(version.version for version in sides.own)


def _verdict(comparing: "Comparing", check: Check, history: Sequence[Profile]) -> Verdict:
    try:
        if check.name in _SPECIAL_TEXTS:
            return _judges(check.name)(comparing, check, history)
        return _measured(comparing, check)
    except Exception as error:  # a check that cannot judge must not keep the others from it, and blocks
        return crashed(comparing.current.table, check, error)


def _special(table: str) -> tuple[str, ...]:
    """Return the checks of a table that are no measures."""
    if table in _MODEL_TABLES:
        return (SCORES, LOSSES)
    if table in _BENCHMARK_TABLES:
        return (SCORES,)
    if table == DATASET_STATISTICS.name:
        return (FIGURES, FIGURES_RISE)
    if table not in MEASURES:
        return ()
    if table == "refresh":
        return (DISTRIBUTIONS, LEVELS, MOVES_ON, PARAMETERS)
    more = (BLANK,) if table == "images" else ()
    return (*more, *((DISTRIBUTIONS,) if table in _HAS_DISTRIBUTIONS else ()), LEVELS, COLUMNS)


def _judges(name: str) -> Callable[..., Verdict]:
    from mlm_assets.checks import drift_special as special

    return {
        COLUMNS: special.columns,
        DISTRIBUTIONS: special.distributions,
        LEVELS: special.levels,
        BLANK: special.blank_pictures,
        MOVES_ON: special.moves_on,
        PARAMETERS: special.parameters,
        SCORES: special.scores,
        LOSSES: special.losses,
        FIGURES: special.figures_drop,
        FIGURES_RISE: special.figures_rise,
    }[name]


def _described(check: str, table: str) -> str:
    """Return what a check looks at: the sentences of its measures."""
    seen = dict.fromkeys(f"{measure.of} that {measure.says}" for measure in MEASURES[table][check])
    return f"Against the last accepted version, hardly any {'; '.join(seen)}."


def _passed(current: Sides, check: Check, sentence: str, figures: Mapping[str, Any] | None = None) -> Verdict:
    return Verdict(
        current.table, check.name, True, sentence, is_blocking=check.is_blocking, figures=dict(figures or {})
    )


# -- checks that are measures ------------------------------------------------------------------------------------------


def _measured(comparing: "Comparing", check: Check) -> Verdict:
    """Return the verdict of a check on its measures: the worst of them speaks."""
    from mlm_assets.checks.drift_tallies import LOSSES, cause_of, figures_of, power_table

    current = comparing.current
    per_check = MEASURES[current.table]
    everything = [measure for measures in per_check.values() for measure in measures]
    outcomes = [comparing.outcome(measure, everything) for measure in per_check[check.name]]
    worst = max(outcomes, key=lambda one: (one.level == "ERROR", one.level == "WARN", one.closeness))
    figures: dict[str, Any] = {"measures": {one.measure.name: figures_of(one) for one in outcomes}}
    figures["smallest_detectable"] = {one.measure.name: power_table(one) for one in outcomes}
    if not worst.level:
        return _passed(current, check, f"{_said(worst)} {_limits_said(worst)}", figures)
    cause = cause_of(worst)
    words, what = None, "loss" if worst.measure.band in LOSSES else "change"
    if cause is not None:
        figures |= {
            "cause_dimension": cause.dimension, "cause_value": cause.value, "cause_share": round(cause.share, 4),
        }  # fmt: skip
        words = f"{group_in_words(cause.dimension, cause.value)} explains {100 * cause.share:.0f} % of the {what}"
    elif lang := _own_language(current):
        figures |= {"cause_dimension": "lang", "cause_value": lang, "cause_share": 1.0}
        words = f"{group_in_words('lang', lang)} explains 100 % of the {what}"
    rows_path, sample = _write_failing(comparing, check, [one for one in outcomes if one.level])
    others = len([one for one in outcomes if one.level]) - 1
    more = f" {others} more of its measures left their bands." if others else ""
    sentence = f"{_said(worst)} {_limits_said(worst)}{f' {words}.' if words else ''}{more}"
    return Verdict(
        current.table, check.name, False, sentence, "ERROR" if worst.level == "ERROR" else "WARN", check.is_blocking,
        figures, sample, rows_path, words,
    )  # fmt: skip


def _own_language(current: Sides) -> str | None:
    """Return the language of a partition that is of one language alone: no other group stands out in it."""
    lang, bar, _ = current.partition.partition("|")
    return lang if bar and lang in LANGUAGE_NAMES else None


def _said(outcome: "Outcome") -> str:
    """Say what a measure found where it is worst."""
    tally = outcome.worst
    where = f" of {group_in_words(tally.dimension, tally.value)}" if tally.dimension else ""
    measure = outcome.measure
    return f"{tally.k:,} of {tally.n:,} {measure.of}{where} {measure.says} ({_percent(tally.share)})."


def _limits_said(outcome: "Outcome") -> str:
    limits = outcome.limits(outcome.worst)
    if outcome.worst.level == "ERROR":
        return f"More than {_percent(limits.block)} and than chance blocks."
    return (
        f"Warns above {_percent(limits.warn)}, blocks above {_percent(limits.block)}, where chance cannot explain it."
    )


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _write_failing(
    comparing: "Comparing", check: Check, outcomes: Sequence["Outcome"]
) -> tuple[str, tuple[Mapping[str, Any], ...]]:
    """Write all rows that changed to a Parquet file in the lake; return its path and a few of the rows."""
    path = failing_path(comparing.current, check)
    query = " UNION ALL BY NAME ".join(f"({comparing.failing(outcome)})" for outcome in outcomes)
    return write_rows(comparing, path, query)


def failing_path(current: Sides, check: Check) -> str:
    """Return where in the lake the failing rows of a check of this version lie."""
    version = current.own[0]
    return f"failing/{version.path.removeprefix('tables/').removesuffix('.parquet')}/{check.name}.parquet"


def write_rows(comparing: "Comparing", path: str, query: str) -> tuple[str, tuple[Mapping[str, Any], ...]]:
    """Write the rows of a query to `path` in the lake by DuckDB; return the path and a sample of the rows."""
    with comparing.lake.new_file(path) as file:
        target = str(file).replace("'", "''")
        comparing.connection.execute(f"COPY ({query}) TO '{target}' (FORMAT parquet)")
        cursor = comparing.connection.execute(f"SELECT * FROM read_parquet('{target}') LIMIT 5")  # noqa: S608
        names = [column[0] for column in cursor.description]
        rows = [{name: _plain(value) for name, value in zip(names, row, strict=True)} for row in cursor.fetchall()]
    return path, tuple({name: value for name, value in row.items() if value is not None} for row in rows)


def _plain(value: Any) -> Any:
    """Return a value as JSON can hold it, long texts cut."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    text = value if isinstance(value, str) else str(value)
    return text if len(text) <= 200 else text[:199] + "…"


def departed(
    current: Sides, check: Check, found: Sequence[Departure], calm: str, says: Callable[[Departure], str]
) -> Verdict:
    """Return the verdict of a check on figures: passed where nothing departed, else what departed most."""
    from mlm_assets.checks.drift_history import shown

    if not found:
        return _passed(current, check, calm)
    worst = max(found, key=lambda one: (one.level == "ERROR", abs(one.size)))
    table, _, figure = worst.figure.rpartition(".")
    figures = {
        "departures": shown(found), "n_departures": len(found), "cause_dimension": figure,
        "cause_value": worst.item or table,
    }  # fmt: skip
    more = f" {len(found) - 1} more figures did likewise." if len(found) > 1 else ""
    return Verdict(
        current.table, check.name, False, f"{says(worst)}{more}", "ERROR" if worst.level == "ERROR" else "WARN",
        check.is_blocking, figures, cause=f"{table}: {figure} {worst.item}".strip(),
    )  # fmt: skip


assert all(name in TABLES for name in MEASURES)
