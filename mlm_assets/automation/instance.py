"""The home and Dagster's instance in it: made ready, limits of pools set, what killed processes left behind cleared.

The home is MLM_HOME and DAGSTER_HOME at once. A process that is killed inside a pool leaves its slot claimed and its
run STARTED, and the next run would wait for ever; `end_dead_runs` fails such runs and frees their slots.
"""

import json
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final

import dagster as dg
from dagster import DagsterEventType, DagsterInstance, DagsterRun, DagsterRunStatus, RunsFilter
from dagster._core.storage.dagster_run import RunRecord

from mlm_assets.errors import Refused
from mlm_assets.settings import SETTINGS_FILE, Settings, read_home_settings, use_home
from mlm_assets.shipped import shipped_file

DAGSTER_FILE: Final = "dagster.yaml"
REFRESH_POOL: Final = "refresh"
POOLS: Final = {"wikidata": 1, "wikipedia": 1, "commons": 1, "gpu": 1, REFRESH_POOL: 1}
"""Steps that may run at once, per pool. Each service is asked by one step at a time; the GPU trains one model; a second
refresh waits for the first."""

_STARTED: Final = [DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]


def is_home(folder: Path) -> bool:
    """Tell whether a folder is a home that we made: its settings name the shards, its dagster.yaml is ours."""
    try:
        ours = "`mlm` copies this file" in (folder / DAGSTER_FILE).read_text("utf-8")
        return ours and "shards" in read_home_settings(folder)
    except (OSError, UnicodeDecodeError, Refused):
        return False


def require_home(settings: Settings) -> None:
    """Check that the home of `settings` is one of ours.

    Raises:
        Refused: it is not.
    """
    if not is_home(settings.home):
        raise Refused(f"{settings.home} is no home of mlm yet. Make one with `mlm run`.")


def check_home(settings: Settings, shards: int | None, is_fresh: bool) -> None:
    """Check that a home can be used as asked, without touching it.

    Raises:
        Refused: it was made with another number of shards, is somebody else's folder, or has an impossible name.
    """
    home = settings.home
    if set(str(home)) & set("?%"):
        raise Refused(f"The home {home} has a ? or % in its path, which Dagster's database takes for something else.")
    is_used = home.is_dir() and any(home.iterdir())
    if is_fresh and is_used and not is_home(home):
        raise Refused(f"{home} is no home of mlm; it is not removed.")
    made_with = None if is_fresh else read_home_settings(home).get("shards")
    if made_with is not None and shards is not None and made_with != shards:
        raise Refused(
            f"{home} was made with {made_with} shards, and their number is fixed. "
            f"Leave --shards out, or choose another home for {shards}."
        )
    if (home / DAGSTER_FILE).is_file() and "`mlm` copies this file" not in (home / DAGSTER_FILE).read_text("utf-8"):
        raise Refused(f"{home} is the home of another Dagster (its {DAGSTER_FILE} is not ours). Choose another --home.")


def make_home(home: Path) -> None:
    """Make the folder of the home; a `dagster.yaml` that is there, and may have been edited, is left alone.

    Raises:
        Refused: it cannot be written.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
        (home / ".locks").mkdir(exist_ok=True)
        if not (home / DAGSTER_FILE).exists():
            _write(home / DAGSTER_FILE, shipped_file(DAGSTER_FILE).read_text("utf-8"))
    except OSError as error:
        why = error.strerror or error
        raise Refused(f"The home {home} cannot be written: {why}. Choose another with --home.") from error


def keep_settings(settings: Settings, kept: dict[str, object]) -> None:
    """Keep `kept` and the number of shards in the home, so that the UI works with what the command line was told."""
    before = read_home_settings(settings.home)
    said = {**before, **{key: value for key, value in kept.items() if value is not None}}
    said.setdefault("shards", settings.shards)
    _write(settings.home / SETTINGS_FILE, json.dumps(said, indent=1, default=str) + "\n")


def open_instance(settings: Settings) -> DagsterInstance:
    """Return the instance in the home, with the limits of pools set and dead runs ended."""
    use_home(settings.home)
    instance = DagsterInstance.get()
    set_pools(instance)
    end_dead_runs(instance)
    return instance


def set_pools(instance: DagsterInstance) -> None:
    """Set the limits of the named pools, which live in the instance's database."""
    for pool, limit in POOLS.items():
        instance.event_log_storage.set_concurrency_slots(pool, limit)


def end_dead_runs(instance: DagsterInstance) -> list[str]:
    """Fail the runs whose process is gone, free their slots in pools, and return their ids."""
    ended = []
    for run, pid in dead_runs(instance):
        instance.report_run_failed(
            run, f"The process of this run (pid {pid}) is gone; it was killed or the machine went down."
        )
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        ended.append(run.run_id)
    return ended


def dead_runs(instance: DagsterInstance) -> list[tuple[DagsterRun, int]]:
    """Return the runs that count as started and whose process is gone, with its number."""
    found = []
    for record in instance.get_run_records(RunsFilter(statuses=_STARTED)):
        pid = _process_of(instance, record.dagster_run)
        if pid is not None and not _is_alive(pid, record):
            found.append((record.dagster_run, pid))
    return found


def empty_home(home: Path) -> None:
    """Remove what is in a home (that `check_home` has found to be ours), but for the locks that are held."""
    for entry in home.iterdir():
        if entry.name == ".locks":
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _process_of(instance: DagsterInstance, run: DagsterRun) -> int | None:
    """Return the process id that the run's own events name last, None where they name none."""
    pids = []
    for record in instance.get_records_for_run(run.run_id, of_type=DagsterEventType.ENGINE_EVENT).records:
        event = record.event_log_entry.dagster_event
        value = event.engine_event_data.metadata.get("pid") if event is not None else None
        if isinstance(value, (dg.TextMetadataValue, dg.IntMetadataValue)):
            with suppress(TypeError, ValueError):
                pids.append(int(value.value))  # type: ignore[arg-type]
    return pids[-1] if pids else None


def _is_alive(pid: int, record: RunRecord) -> bool:
    """Tell whether `pid` is still the process of the run, and not a later one that got the same number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        lines = Path("/proc/stat").read_text().splitlines()
        booted = next(float(line.split()[1]) for line in lines if line.startswith("btime "))
    except (OSError, StopIteration):
        return True
    # Field 22 of stat, in ticks after boot; the times of /proc/<pid> itself say when somebody first looked at it.
    began = booted + int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return fields[0] != "Z" and (record.start_time is None or began <= record.start_time + 5)


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f".tmp-{path.name}-{os.getpid()}")
    temporary.write_text(text, "utf-8")
    temporary.replace(path)
