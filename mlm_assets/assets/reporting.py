"""What the UI shows of a table: schema, lineage of columns, row count, preview, plots, links to files.

Everything here is presentation; nothing decides anything. Plots come from `geo.plots` as PNG bytes.
"""

import base64
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dagster as dg
from dagster import DagsterEvent, DagsterEventType
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationTargetMaterializationData
from dagster._core.events import AssetObservationData, StepMaterializationData

from mlm_assets.resources.lake import Accepted, Lake, Version
from mlm_assets.tables import TABLES, Table

_PREVIEW_ROWS = 5
_PREVIEW_CHARACTERS = 40


def asset_key(name: str) -> dg.AssetKey:
    """Return the key of the asset that fills table `name`: `mlm_irle/ir_model` lies below `mlm_irle` in the UI."""
    return dg.AssetKey(name.split("/"))


def definition_metadata(table: Table) -> dict[str, Any]:
    """Return what is known of a table before it is ever filled: schema with descriptions, key, grain."""
    columns = [
        dg.TableColumn(
            column.name,
            column.type,
            description=column.description,
            constraints=dg.TableColumnConstraints(
                nullable=column.nullable,
                unique=table.key == (column.name,),
                other=[f"one of {', '.join(column.allowed)}"] if column.allowed else [],
            ),
        )
        for column in table.columns
    ]
    return {
        "dagster/column_schema": dg.TableSchema(columns=columns),
        "key": ", ".join(table.key),
        "grain": table.grain,
    }


def column_lineage(table: Table) -> dg.TableColumnLineage:
    """Return which columns of which tables each column is computed from."""
    return dg.TableColumnLineage(
        {
            column.name: [
                dg.TableColumnDep(asset_key=asset_key(source.split(".")[0]), column_name=source.split(".")[1])
                for source in column.sources
                if source.split(".")[0] != table.name
            ]
            for column in table.columns
            if any(source.split(".")[0] != table.name for source in column.sources)
        }
    )


def column_sources(table: Table) -> str:
    """Return the same as Markdown: the open-source UI keeps the lineage of columns, but draws it nowhere."""
    lines = ["| column | computed from |", "| --- | --- |"]
    lines += [f"| {column.name} | {', '.join(column.sources)} |" for column in table.columns if column.sources]
    return "\n".join(lines) if len(lines) > 2 else "every column comes from outside the lake"


def materialisation_metadata(
    lake: Lake, version: Version, *, is_accepted: bool, before: Accepted | None, duration_s: float
) -> dict[str, Any]:
    """Return what is shown of one written version."""
    shown: dict[str, Any] = {
        "dagster/row_count": version.n_rows,
        "dagster/column_lineage": column_lineage(TABLES[version.table]),
        "column_sources": dg.MetadataValue.md(column_sources(TABLES[version.table])),
        "version": version.version,
        "accepted": is_accepted,
        "file": dg.MetadataValue.path(lake.full_path(version.path)),
        "preview": dg.MetadataValue.md(preview(lake.read(version))),
        "duration_s": round(duration_s, 3),
    }
    if before is not None:
        shown["rows_before"] = before.n_rows
        shown["rows_change"] = version.n_rows - before.n_rows
    return shown


def preview(rows: Any) -> str:
    """Return the first rows of a pyarrow table as a Markdown table, long values cut."""
    return markdown_rows(rows.slice(0, _PREVIEW_ROWS).to_pylist()) if rows.num_rows else "no rows"


def markdown_rows(records: Sequence[Mapping[str, Any]]) -> str:
    """Return records as a Markdown table with the columns of the first, long values cut."""
    names = list(records[0])
    lines = ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    for record in records:
        lines.append("| " + " | ".join(_cell(record.get(name)) for name in names) + " |")
    return "\n".join(lines)


def _cell(value: Any) -> str:
    text = " ".join(_words(value).split())
    cut = text if len(text) <= _PREVIEW_CHARACTERS else text[: _PREVIEW_CHARACTERS - 1] + "…"
    # What Wikipedia or Commons wrote is shown, and is no Markdown or HTML of ours.
    return re.sub(r"([\\`*_\[\]<>|])", r"\\\1", cut)


def _words(value: Any) -> str:
    """Return a value as a reader writes it: lists and maps without the quotes and brackets of Python."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.8g}"
    if isinstance(value, Mapping):
        return " · ".join(_words(one) for one in value.values() if one is not None)
    if isinstance(value, tuple):  # an entry of a map
        return ": ".join(_words(one) for one in value)
    if isinstance(value, list):
        return "; ".join(_words(one) for one in value)
    return str(value)


def counts_table(title: str, counts: Mapping[str, int], meanings: Mapping[str, str] | None = None) -> Any:
    """Return counts by reason, largest first, as Markdown metadata; with the meanings of reasons where given."""
    lines = [f"| {title} | n |", "| --- | ---: |"]
    if meanings:
        lines = [f"| {title} | n | meaning |", "| --- | ---: | --- |"]
    for name, n in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        lines.append(f"| {name} | {n:,} |" + (f" {meanings.get(name, '')} |" if meanings else ""))
    return dg.MetadataValue.md("\n".join(lines))


def picture(png: bytes, caption: str) -> Any:
    """Return a PNG as metadata that the UI shows in place."""
    return dg.MetadataValue.md(f"![{caption}](data:image/png;base64,{base64.b64encode(png).decode()})")


def newest_materialisation(
    instance: dg.DagsterInstance, key: dg.AssetKey, partition: str | None
) -> dg.EventLogRecord | None:
    """Return the newest materialisation of an asset's partition that Dagster knows, None where there is none."""
    wanted = dg.AssetRecordsFilter(key, asset_partitions=[partition] if partition is not None else None)
    return next(iter(instance.fetch_materializations(wanted, limit=1).records), None)


def newest_target(
    instance: dg.DagsterInstance, key: dg.AssetKey, partition: str | None
) -> AssetCheckEvaluationTargetMaterializationData | None:
    """Return what an evaluation of a check has to be aimed at: automation takes one of an older version for none."""
    newest = newest_materialisation(instance, key, partition)
    return newest and AssetCheckEvaluationTargetMaterializationData(
        storage_id=newest.storage_id, run_id=newest.run_id, timestamp=newest.timestamp
    )


def record_event(context: Any, said: dg.AssetMaterialization | dg.AssetObservation | dg.AssetCheckEvaluation) -> None:
    """Write an event of this run to the event log now; `log_event` loses it where the step fails after it."""
    kind, data = {
        dg.AssetMaterialization: (DagsterEventType.ASSET_MATERIALIZATION, StepMaterializationData),
        dg.AssetObservation: (DagsterEventType.ASSET_OBSERVATION, AssetObservationData),
        dg.AssetCheckEvaluation: (DagsterEventType.ASSET_CHECK_EVALUATION, lambda evaluation: evaluation),
    }[type(said)]
    event = DagsterEvent(kind.value, context.job_name, event_specific_data=data(said))  # type: ignore[operator]
    context.instance.report_dagster_event(event, context.run.run_id)


class Progress:
    """Says in the log how far a long materialisation is, at most every `every_s` seconds."""

    def __init__(self, say: Callable[[str], Any], what: str, total: int, every_s: float = 5.0) -> None:
        """Start counting towards `total` of `what`."""
        self._say, self._what, self._total, self._every_s = say, what, total, every_s
        self._done = 0
        self._started = self._said = time.monotonic()

    def advance(self, n: int = 1) -> None:
        """Count `n` more, and say so if it is time."""
        self.reach(self._done + n)

    def reach(self, n_done: int) -> None:
        """Take note that `n_done` are done by now, and say so if it is time."""
        self._done = n_done
        now = time.monotonic()
        if now - self._said < self._every_s:
            return
        self._said = now
        share = self._done / self._total if self._total else 1.0
        left_s = (now - self._started) / share * (1 - share) if share else 0.0
        self._say(f"{self._what}: {self._done:,} of {self._total:,} ({share:.0%}), about {left_s:.0f} s left")
