"""`mlm run`: bring a release up to date, headless, and say what came of it."""

import os
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from mlm_assets.commands.alerts import tell
from mlm_assets.commands.endpoints import (
    World,
    endpoint_settings,
    local_services,
    require_contacts,
)
from mlm_assets.commands.models import show_benchmark
from mlm_assets.commands.targets import Target
from mlm_assets.errors import Refused
from mlm_assets.ml.recipe import load_recipe
from mlm_assets.release.publication import Releases
from mlm_assets.releases import check_release, open_release
from mlm_assets.resources.lake import open_lake
from mlm_assets.resources.services import FULL_TAG, Mode
from mlm_assets.resources.source import check_source, source_of
from mlm_assets.settings import Settings, load_settings, use_home
from mlm_assets.tables import TRAINED_VARIANTS


@dataclass(frozen=True)
class RunRequest:
    """What `mlm run` was asked for."""

    home: Path
    release: str | None
    world: World
    target: str
    mode: Mode
    is_fresh: bool
    kept: dict[str, Any]
    """Settings given as arguments, which the home keeps: shards, t_min, t_max, quota_total."""
    is_full: bool = False
    """Whether nothing is taken over from earlier releases."""
    without_models: bool = False
    """Whether features and models are left out."""


def run(request: RunRequest, console: Console) -> dict[str, Any]:
    """Materialise a release up to the target; return the summary that is also written to the home.

    Raises:
        Refused: the arguments or settings are not acceptable; nothing was written.
        BlockedByCheck: a blocking check failed.
        MlmError: a step failed.
    """
    from mlm_assets.automation.instance import empty_home, keep_settings, make_home
    from mlm_assets.automation.run_lock import only_run

    settings = _checked_settings(request)
    # The world is opened before the home is touched: one that cannot be read is refused, and nothing was written.
    with local_services(request.world) as urls:
        source = source_of(load_settings(request.home, is_fresh=request.is_fresh, **{**_given(request), **urls}))
        if not request.is_fresh and request.mode != "replay":
            check_source(settings.home, source)
        make_home(settings.home)
        with only_run(settings.home, f"mlm run --release {settings.release} --to {request.target}"):
            if request.is_fresh:
                empty_home(settings.home)
                make_home(settings.home)
            keep_settings(settings, {**_given(request), "lake_url": settings.lake_url})
            if request.mode != "replay":
                request.world.keep(settings.home, source)
            use_home(settings.home)
            return _walk(request, _effective(request, settings, urls), console)


def _given(request: RunRequest) -> dict[str, Any]:
    """Return the settings that the arguments stand for."""
    endpoint = request.world.endpoint
    return {**request.kept, **(endpoint_settings(endpoint) if endpoint is not None else {})}


def _effective(request: RunRequest, settings: Settings, urls: dict[str, str]) -> Settings:
    """Return the settings of the run, and put them into the environment, where Dagster's assets read theirs.

    A release that was made before keeps the parameters that it was made with; only an argument changes them.
    """
    from mlm_assets.automation.headless import pinned_settings

    was = pinned_settings(open_lake(settings), str(settings.release))
    said = {**was, **_given(request), **urls, "release": settings.release}
    os.environ.update({f"MLM_{name.upper()}": str(value) for name, value in said.items()})
    return load_settings(request.home, **said)


def _checked_settings(request: RunRequest) -> Settings:
    """Return the settings of the run, everything checked that can be checked before the home is touched."""
    from mlm_assets.automation.instance import check_home

    request.world.check()
    given = _given(request)
    settings = load_settings(request.home, is_fresh=request.is_fresh, **given)
    release = request.release or open_release(settings, datetime.now(UTC).date())
    check_release(release, settings)
    check_home(settings, request.kept.get("shards"), request.is_fresh)
    if not request.world.is_local and request.mode != "replay":
        require_contacts(settings)
    load_recipe(settings.recipe)
    if request.without_models and request.target != Target.RELEASE:
        raise Refused(f"--without-models goes with --to release, not with --to {request.target}.")
    if settings.t_min > settings.t_max:
        raise Refused(f"--t-min {settings.t_min} is larger than --t-max {settings.t_max}; no cell could be kept.")
    return load_settings(request.home, is_fresh=request.is_fresh, **{**given, "release": release})


def _walk(request: RunRequest, settings: Settings, console: Console) -> dict[str, Any]:
    # Imported here: the partitions of the definitions are those of the home, which is known only now.
    from mlm_assets.automation.headless import Walk, legs
    from mlm_assets.automation.instance import open_instance
    from mlm_assets.automation.summary import sum_up

    release = str(settings.release)
    lake = open_lake(settings)
    lake.clear_temporary()
    began = time.monotonic()
    with open_instance(settings) as instance:
        tags = {FULL_TAG: "true"} if request.is_full else {}
        walk = Walk(settings, lake, instance, release, request.mode, tags)
        try:
            _show(walk, legs(release, request.target, without_models=request.without_models), console)
        finally:
            # Whatever ended the walk: what is there is summed up, and who has to know is told.
            summary = sum_up(settings, lake, request.mode)
            tell(settings, lake, instance, release)
    _show_summary(summary, settings.home, time.monotonic() - began, console)
    if request.target in (Target.MODELS, Target.RELEASE) and not request.without_models:
        for variant in TRAINED_VARIANTS:
            show_benchmark(settings.home, release, variant, console)
    if request.target == Target.RELEASE:
        _show_draft(settings, release, console)
    return summary


def _show_draft(settings: Settings, release: str, console: Console) -> None:
    releases = Releases(settings.home, release)
    if releases.draft.is_dir():
        console.print(f"Draft: {releases.draft}   publish it: mlm publish {release} --home {settings.home}")
    elif (newest := releases.newest()) is not None:
        console.print(f"Published: {newest}")


def _show(walk: Any, walked: list[Any], console: Console) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bars:
        totals: Counter[str] = Counter()
        for leg in walked:
            totals[leg.job] += len(leg.partitions)
        tasks = {job: bars.add_task(job, total=total) for job, total in totals.items()}
        n_current = 0
        for step in walk.steps(walked, lambda what: None if console.is_terminal else console.print(f"  {what}")):
            bars.advance(tasks[step.leg.job])
            n_current += step.was_current
            if step.blocked:
                console.print(step.blocked)
            if step.skipped:
                console.print(f"{step.leg.tables[0]} is skipped: {step.skipped}")
    if n_current:
        console.print(f"{n_current} of {sum(len(leg.partitions) for leg in walked)} steps were up to date already.")


def _show_summary(summary: dict[str, Any], home: Path, duration_s: float, console: Console) -> None:
    counts = summary["counts"]
    table = Table(title=f"Release {summary['release']} in {duration_s:.0f} s", title_justify="left")
    table.add_column("stage")
    table.add_column("n", justify="right")
    table.add_column("of which", overflow="fold")
    for stage in ("classes", "candidates", "settlements"):
        table.add_row(stage, f"{counts[stage]:,}", "")
    table.add_row("rejections", f"{sum(counts['rejections'].values()):,}", _pairs(counts["rejections"]))
    table.add_row("summaries", f"{sum(counts['summaries'].values()):,}", _pairs(counts["summaries"]))
    table.add_row("images", f"{counts['images']:,}", "")
    for variant, n in counts["datasets"].items():
        table.add_row(
            variant,
            f"{n:,}",
            f"{counts['cells'][variant]:,} cells; out: {_pairs(counts['excluded'][variant])}",
        )
    console.print(table)
    asked = Table(title="Requests", title_justify="left")
    for column in ("service", "requests", "MB"):
        asked.add_column(column, justify="left" if column == "service" else "right")
    asked.add_column("of which", overflow="fold")
    for service, n in summary["requests"].items():
        kinds = summary["requests_by_kind"].get(service, {})
        asked.add_row(service, f"{n:,}", f"{summary['bytes'][service] / 1e6:,.1f}", _pairs(kinds) if kinds else "")
    console.print(asked)
    console.print(_checks_line(summary["checks"]))
    console.print(f"Home: {home}   See it: mlm ui --home {home}")


def _checks_line(checks: list[dict[str, Any]]) -> str:
    failed = [check for check in checks if not check["passed"]]
    named = ", ".join(f"{one['asset']} {one['partition']} {one['check']}".replace("  ", " ") for one in failed[:5])
    warned = f"; {len(failed):,} warned or failed: {named}{', …' if len(failed) > 5 else ''}" if failed else ""
    return f"Checks: {len(checks) - len(failed):,} of {len(checks):,} passed{warned}"


def _pairs(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in counts.items()) or "none"
