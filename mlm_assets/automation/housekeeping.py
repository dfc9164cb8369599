"""What a home needs no longer of months that lie back, so that its disk grows by what is new.

Gone after `keep_months` releases are the folders `datasets/<release>` of releases that are published (the lake keeps
their tables, `mlm run --release` writes the folder again, and the published one stays for good), and the logs of runs
(their records, and what they materialised and checked, stay in Dagster). Versions that nobody refers to go by their age
(`resources/pruning`).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import dagster as dg
from dagster import DagsterInstance, RunRecord, RunsFilter
from dagster._core.storage.dagster_run import FINISHED_STATUSES
from dagster._core.storage.tags import PARTITION_NAME_TAG

from mlm_assets.automation.event_log import QuickSqliteEventLog
from mlm_assets.automation.schedules import default_status
from mlm_assets.release.publication import Releases
from mlm_assets.resources import pruning
from mlm_assets.resources.lake import Lake
from mlm_assets.resources.services import RELEASE_TAG, LakeResource
from mlm_assets.settings import Settings, load_settings

NAME: Final = "housekeeping"
VERSIONS_DAYS: Final = 90
_RELEASE: Final = re.compile(r"20[0-9]{2}-(0[1-9]|1[0-2])")
_DAYS_PER_MONTH: Final = 31
_SIDES: Final = ("", "-wal", "-shm")
"""Files of a SQLite database: itself, and what stands beside it while it is open."""


@dataclass(frozen=True)
class Leftover:
    """Something that may go: which kind of thing, where it lies, and how much disk it frees."""

    kind: str
    path: str
    size_bytes: int


def first_kept(lake: Lake, keep_months: int) -> str | None:
    """Return the oldest of the newest `keep_months` refreshed releases; None where there are no more than those."""
    releases = sorted(one.partition for one in lake.accepted_all("refresh"))
    return releases[-keep_months] if len(releases) > keep_months else None


def old_datasets(lake: Lake, home: Path, keep_months: int) -> Iterator[Leftover]:
    """Yield the folders of datasets of published releases that lie back; a picture that is linked elsewhere frees 0."""
    kept = first_kept(lake, keep_months)
    for release in lake.list_names("datasets") if kept else ():
        if _RELEASE.fullmatch(release) and release < str(kept) and Releases(home, release).newest() is not None:
            path = f"datasets/{release}"
            yield Leftover("datasets", path, _freed(Path(lake.full_path(path))) if lake.is_local else 0)


def old_logs(instance: DagsterInstance, lake: Lake, keep_months: int, now: datetime) -> Iterator[Leftover]:
    """Yield the logs of ended runs for releases that lie back, or that ended as many months ago.

    There are none where Dagster keeps its events elsewhere than in the home.
    """
    storage, kept = instance.event_log_storage, first_kept(lake, keep_months)
    if not isinstance(storage, QuickSqliteEventLog):
        return
    oldest = now - timedelta(days=_DAYS_PER_MONTH * keep_months)
    for record in instance.get_run_records(RunsFilter(statuses=list(FINISHED_STATUSES))):
        path = Path(storage.path_for_shard(record.dagster_run.run_id))
        if path.exists() and _lies_back(record, kept, oldest):
            yield Leftover("log", str(path), sum(side.stat().st_size for side in _files_of(path)))


def lying_back(instance: DagsterInstance, lake: Lake, settings: Settings, now: datetime) -> list[Leftover]:
    """Return the datasets and logs that may go."""
    months = settings.keep_months
    return [*old_datasets(lake, settings.home, months), *old_logs(instance, lake, months, now)]


def tidy_up(instance: DagsterInstance, lake: Lake, settings: Settings, now: datetime) -> list[Leftover]:
    """Remove them; return what went."""
    gone = lying_back(instance, lake, settings, now)
    for one in gone:
        if one.kind == "datasets":
            lake.remove_tree(one.path)
        else:
            for file in _files_of(Path(one.path)):
                file.unlink(missing_ok=True)
    return gone


@dg.op(description="Remove what lies back and nobody needs: versions, folders of published datasets, logs of runs.")
def keep_house(context: dg.OpExecutionContext, lake: LakeResource) -> None:
    """Remove what is not needed any more, and say how much of which kind it was."""
    home = lake.open()
    versions = pruning.prune(home, VERSIONS_DAYS, lake.settings().home)
    gone = tidy_up(context.instance, home, lake.settings(), datetime.now(UTC))
    figures: dict[str, Any] = {"versions": len(versions), "versions_mb": _mb(versions)}
    for kind in ("datasets", "log"):
        some = [one for one in gone if one.kind == kind]
        figures |= {kind: len(some), f"{kind}_mb": _mb(some)}
    for path in (*(one.path for one in versions), *(one.path for one in gone)):
        context.log.debug(f"removed {path}")
    context.add_output_metadata(figures)


@dg.job(
    name=NAME,
    description="Remove what a home needs no longer of months that lie back, as `mlm prune` does.",
    executor_def=dg.in_process_executor,
)
def housekeeping() -> None:
    """Keep house."""
    keep_house()


HOUSEKEEPING: Final = dg.ScheduleDefinition(
    name=NAME,
    job=housekeeping,
    cron_schedule="30 1 * * 0",
    execution_timezone="UTC",
    default_status=default_status(load_settings()),
    description="Keeps house every Sunday: what lies back further than MLM_KEEP_MONTHS and can be made again goes.",
)


def _lies_back(record: RunRecord, kept: str | None, oldest: datetime) -> bool:
    """Tell whether a run was for a release that lies back; one for no release, whether it ended long ago."""
    tags = record.dagster_run.tags
    found = tags.get(RELEASE_TAG) or tags.get(PARTITION_NAME_TAG, "")
    if _RELEASE.fullmatch(found):
        return kept is not None and found < kept
    return record.end_time is not None and record.end_time < oldest.timestamp()


def _files_of(database: Path) -> list[Path]:
    return [side for end in _SIDES if (side := database.with_name(database.name + end)).exists()]


def _freed(folder: Path) -> int:
    found = (path.stat() for path in folder.rglob("*") if path.is_file())
    return sum(about.st_size for about in found if about.st_nlink == 1)


def _mb(gone: list[Any]) -> float:
    return round(sum(one.size_bytes for one in gone) / 1e6, 1)
