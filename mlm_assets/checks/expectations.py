"""Great Expectations: how a rule is expected, and what comes out. Imported only when an audit runs.

A column's nulls, values and range are Great Expectations' own expectations; what spans columns, rows or tables is a
query for unexpected rows, over the view that `room` has made of the rule. All expectations of a table are validated in
one go, so that their metrics share queries; a crash of one is then asked for again alone, for it takes others with it.
"""

import json
import logging
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read when the library is imported: nothing is sent anywhere

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the library about its own dependencies
    import great_expectations as gx
    from great_expectations.expectations.core.expect_column_values_to_be_between import ExpectColumnValuesToBeBetween
    from great_expectations.expectations.core.expect_column_values_to_be_in_set import ExpectColumnValuesToBeInSet
    from great_expectations.expectations.core.expect_column_values_to_not_be_null import ExpectColumnValuesToNotBeNull
    from great_expectations.expectations.core.unexpected_rows_expectation import UnexpectedRowsExpectation

from pydantic.v1 import PrivateAttr

from mlm_assets.checks.duckdb_dialect import URL, serving
from mlm_assets.checks.room import Room
from mlm_assets.checks.rules import Rule
from mlm_assets.checks.verdicts import Verdict
from mlm_assets.errors import MlmError

_FORMAT: Final[Any] = "BOOLEAN_ONLY"
"""Counts and samples are taken from the rows that break a rule, which are written to a file anyway."""


class UnexpectedRows(UnexpectedRowsExpectation):
    """Unexpected rows, counted and not fetched: the library's own fetches 200 of them by a second query."""

    metric_dependencies = ("unexpected_rows_query.row_count",)
    _configuration: Any = PrivateAttr(None)

    @property
    def configuration(self) -> Any:
        """Return the configuration, made once: the library asks for it some fifty times in one validation."""
        if self._configuration is None:
            self._configuration = super().configuration
        return self._configuration

    def _validate(self, metrics: dict[str, Any], *_: Any, **__: Any) -> dict[str, Any]:
        n_rows = metrics["unexpected_rows_query.row_count"]
        return {"success": n_rows == 0, "result": {"observed_value": n_rows}}


@dataclass(frozen=True)
class Outcome:
    """What Great Expectations says of one rule: whether it holds, or the error; and its own result, for Data Docs."""

    holds: bool
    result: Any
    error: Exception | None = None


def validate(room: Room, rules: Sequence[Rule]) -> dict[str, Outcome]:
    """Return the outcome of each rule, by the name of its check. A rule that crashes takes no other with it."""
    with serving(room.connection):
        outcomes = _validated(room, rules)
        crashed = [rule for rule in rules if outcomes[rule.check.name].error is not None]
        if len(rules) > 1:
            for rule in crashed:
                outcomes |= _validated(room, [rule])
    return outcomes


def _validated(room: Room, rules: Sequence[Rule]) -> dict[str, Outcome]:
    if not rules:
        return {}
    suite = gx.ExpectationSuite(room.version.table, expectations=[expectation_of(rule) for rule in rules])
    try:
        found = _batch().validate(suite, result_format=_FORMAT)
    except Exception as error:  # told by every rule that was asked
        return {rule.check.name: Outcome(False, None, error) for rule in rules}
    outcomes = {result.expectation_config.meta["check"]: _outcome(result) for result in found.results}
    lost = MlmError("Great Expectations gave no result for it.")
    return {rule.check.name: outcomes.get(rule.check.name, Outcome(False, None, lost)) for rule in rules}


def expectation_of(rule: Rule) -> Any:
    """Return a rule as an expectation; its `meta` says which check it is."""
    check = rule.check
    about: dict[str, Any] = {
        "description": check.description,
        "meta": {"check": check.name},
        "severity": "critical" if check.is_blocking else "warning",
    }
    column = rule.column
    if column is not None and rule.kind == "not_null":
        return ExpectColumnValuesToNotBeNull(column=column.name, **about)
    if column is not None and rule.kind == "allowed":
        return ExpectColumnValuesToBeInSet(column=column.name, value_set=list(column.allowed), **about)
    if column is not None and rule.kind == "range":
        return ExpectColumnValuesToBeBetween(
            column=column.name, min_value=column.minimum, max_value=column.maximum, **about
        )
    # The batch has to be named, or the library prints a warning; the view is made of the batch.
    query = f'WITH batch AS (SELECT * FROM {{batch}}) SELECT * FROM "broken_{check.name}"'  # noqa: S608
    return UnexpectedRows(unexpected_rows_query=query, **about)


def _outcome(result: Any) -> Outcome:
    error = _error(result.exception_info or {})
    return Outcome(bool(result.success) and error is None, result, error)


def _error(info: Any) -> Exception | None:
    """Return the error in a result's exception info, which is one record, or one per metric."""
    records = [info] if "raised_exception" in info else [one for one in info.values() if isinstance(one, dict)]
    for record in records:
        if record.get("raised_exception"):
            return MlmError(str(record.get("exception_message") or "an error without a sentence").strip())
    return None


@cache
def _batch() -> Any:
    """Return the one batch of this process: `audited` of whatever connection is served."""
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    context = gx.get_context(mode="ephemeral")
    context.enable_analytics(enable=False)
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}  # type: ignore[assignment]
    options: dict[str, Any] = {"kwargs": {"pool_reset_on_return": None}, "create_temp_table": False}
    source = context.data_sources.add_sql("lake", connection_string=URL, **options)
    asset = source.add_query_asset("audited", query="SELECT * FROM audited")
    return asset.add_batch_definition_whole_table("version").get_batch()


def recorded(rule: Rule, verdict: Verdict, result: Any) -> dict[str, Any]:
    """Return a check's record for Data Docs: the library's result, with the counts and the sample of the verdict."""
    figures = verdict.figures
    said: dict[str, Any] = {
        "element_count": figures.get("n_rows"),
        "unexpected_count": figures.get("n_failing"),
        "unexpected_percent": 100.0 * figures.get("share", 0.0),
        "observed_value": figures.get("n_failing"),
    }
    if verdict.sample:
        said["partial_unexpected_list"] = [json.dumps(dict(one), ensure_ascii=False) for one in verdict.sample]
    record: dict[str, Any] = {
        "success": verdict.passed,
        "expectation_config": expectation_of(rule).configuration.to_json_dict(),
        "result": said if not verdict.has_crashed else {},
        "meta": {"sentence": verdict.sentence, "rows_path": verdict.rows_path},
        "exception_info": {
            "raised_exception": verdict.has_crashed,
            "exception_message": verdict.sentence if verdict.has_crashed else "",
            "exception_traceback": "",
        },
    }
    return record
