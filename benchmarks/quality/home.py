"""One home of the suite, and how a month is made in it: the platform's own assets, lake and checks, without Dagster.

What is measured is the checks. Dagster's event log and the plots of its UI would cost more time than all of them
together, so the functions of the assets are called with a stand-in for the context of their run, in the order of
`mlm run`. Nothing else is replaced. A process can make months of several homes, but all of the same number of shards:
Dagster's partitions are fixed when they are imported.
"""

import inspect
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final
from unittest.mock import patch

from benchmarks.quality.audits import MAINTAINER, Failure, failed_run, failures_of
from mlm_assets.errors import BlockedByCheck

SUPPORT_START: Final = "2026-12"
N_MONTHS: Final = 36
PARAMETERS: Final = {"MLM_T_MIN": "3", "MLM_T_MAX": "30", "MLM_QUOTA_TOTAL": "100"}
Skip = Callable[[str, str], bool]
"""Tells of (table, partition) that it is left alone."""


def release_of(month: int) -> str:
    """Return the release of a month; month 0 is the first of the support window."""
    from mlm_assets.releases import release_window

    return release_window(SUPPORT_START, N_MONTHS)[month]


def prepare_environment(work: Path, n_shards: int) -> None:
    """Set the environment that the platform reads when it is imported; for this process and those that it starts."""
    for name in [name for name in os.environ if name.startswith(("MLM_", "DAGSTER_"))]:
        del os.environ[name]
    os.environ |= {
        **PARAMETERS,
        "MLM_HOME": str(work / "no-home"),
        "MLM_SHARDS": str(n_shards),
        "MLM_LOCK_DIR": str(work / "locks"),
        "OMP_NUM_THREADS": "1",
    }


@contextmanager
def quick() -> Iterator[None]:
    """Leave out what no check reads: plots of the UI, and waiting until bytes lie on the disk."""
    with ExitStack() as stack:
        for name in ("map_png", "histogram_png", "bars_png"):
            stack.enter_context(patch(f"mlm_assets.geo.plots.{name}", lambda *_, **__: b""))
        stack.enter_context(patch("os.fsync", lambda _: None))
        yield


class _NoEventLog:
    """Dagster's instance, for whom nothing happens."""

    def report_dagster_event(self, *_: Any, **__: Any) -> None:
        pass

    def fetch_materializations(self, *_: Any, **__: Any) -> Any:
        return SimpleNamespace(records=[])


@dataclass
class Month:
    """How a month went: every failed check, and the leg at which it stopped, if it did."""

    release: str
    failures: list[Failure] = field(default_factory=list)
    stopped_at: str = ""
    approved: list[tuple[str, str]] = field(default_factory=list)


class Home:
    """One home with its lake and resources."""

    def __init__(self, root: Path) -> None:
        from mlm_assets.resources import services

        root.mkdir(parents=True, exist_ok=True)
        self.root = root
        resource = self._resource = services.LakeResource(home=str(root))
        self.resources = {
            "lake": resource,
            "wikidata": services.WikidataResource(lake=resource),
            "wikipedia": services.WikipediaResource(lake=resource),
            "commons": services.CommonsResource(lake=resource),
        }
        self.lake = resource.open()

    def context(self, keys: Sequence[Any], partition: str, release: str) -> Any:
        """Return what an asset sees of its run."""
        from mlm_assets.resources.services import MODE_TAG, RELEASE_TAG

        return SimpleNamespace(
            partition_key=partition,
            has_partition_key=bool(partition),
            run=SimpleNamespace(tags={RELEASE_TAG: release, MODE_TAG: "fetch"}, run_id=f"month-{release}"),
            selected_asset_keys=set(keys),
            instance=_NoEventLog(),
            job_name="month",
            job_def=SimpleNamespace(asset_layer=SimpleNamespace(data=[])),
            log=SimpleNamespace(info=lambda _: None, warning=lambda _: None),
        )

    def stage(self, table: str, release: str) -> Any:
        """Return a stage on which rows of a release table can be published without its asset."""
        from mlm_assets.assets.reporting import asset_key
        from mlm_assets.assets.stage import Stage

        assets_by_table()  # what is declared of a table is known once its asset is imported
        return Stage(self.context([asset_key(table)], release, release), self._resource)

    def materialise(self, asset: Any, partition: str, release: str) -> None:
        """Call the function of an asset for one partition.

        Raises:
            BlockedByCheck: a check keeps the version from readers.
        """
        from mlm_assets.assets.stage import FetchConfig

        function = asset.op.compute_fn.decorated_fn
        names = list(inspect.signature(function).parameters)[1:]
        arguments = {name: FetchConfig() if name == "config" else self.resources[name] for name in names}
        for _ in function(self.context(list(asset.keys), partition, release), **arguments):
            pass

    def approve_all(self, failures: Sequence[Failure]) -> list[tuple[str, str]]:
        """Let readers have every version that these failures reject, as a maintainer would; return which."""
        from mlm_assets.release.layout import write_dataset
        from mlm_assets.resources.approvals import approve, rejected
        from mlm_assets.tables import VARIANTS

        def with_files(version: Any, release: str) -> None:
            if version.table in VARIANTS:
                write_dataset(self.lake, release, version.table, self.lake.read(version), lambda _: None)

        approved = []
        for name in dict.fromkeys(one.table for one in failures if one.blocks):
            if rejected(self.lake, name):
                reason = "a clean month of the local Wikimedia"
                made = approve(self.lake, name, "*", by=MAINTAINER, reason=reason, prepare=with_files)
                approved += [(one.table, one.partition) for one in made]
        return approved

    def copy_to(self, target: Path) -> None:
        """Copy the home by hard links; the lake replaces files and never writes into one."""
        shutil.rmtree(target, ignore_errors=True)
        temporary = target.with_name(f".tmp-{target.name}")
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.copytree(self.root, temporary, copy_function=os.link, ignore=shutil.ignore_patterns(".locks"))
        temporary.rename(target)

    def forget_datasets(self, release: str) -> None:
        """Remove the files that researchers would find; no check of a later month reads them."""
        shutil.rmtree(self.root / "datasets" / release, ignore_errors=True)


def assets_by_table() -> dict[str, Any]:
    """Return the asset that fills each table."""
    from mlm_assets.definitions import defs

    found = {}
    for asset in defs.assets or ():
        for key in getattr(asset, "keys", ()):
            found[key.to_user_string()] = asset
    return found


def make_month(
    home: Home,
    release: str,
    *,
    expects: Callable[[Failure], bool],
    skip: Skip = lambda _table, _partition: False,
    before: Callable[[str], None] = lambda _leg: None,
) -> Month:
    """Make a release up to the datasets.

    A version that is blocked is approved if every check that blocks is one that `expects` says yes to; else the month
    stops at the end of its leg, and readers keep what they had. `before` is told of each leg before it begins.
    """
    from mlm_assets.automation.headless import legs

    assets, month = assets_by_table(), Month(release)
    for leg in legs(release, "datasets"):
        before(leg.tables[0])
        wanted = [(assets[table], partition) for partition in leg.partitions for table in leg.tables]
        steps = [
            (asset, partition)
            for asset, partition in dict.fromkeys(wanted)
            if not all(skip(key.to_user_string(), partition) for key in asset.keys)
        ]
        _walk(home, month, leg.job, steps, expects)
        if month.stopped_at:
            return month
    month.failures = failures_of(home.lake, release)
    return month


def _walk(home: Home, month: Month, job: str, steps: list[tuple[Any, str]], expects: Callable[[Failure], bool]) -> None:
    """Make the steps of a leg; where something blocks, approve it and go on, or stop."""
    while steps:
        left, crashed = _made(home, month.release, steps)
        failures = [*failures_of(home.lake, month.release), *crashed]
        blocking = [one for one in failures if one.blocks]
        if not left:
            return
        approved = home.approve_all(blocking) if not crashed and all(expects(one) for one in blocking) else []
        if not approved:
            month.failures, month.stopped_at = failures, job
            return
        month.approved += approved
        steps = [(asset, partition) for asset, partition in left if not _is_approved(asset, partition, approved)]


def _made(home: Home, release: str, steps: list[tuple[Any, str]]) -> tuple[list[tuple[Any, str]], list[Failure]]:
    """Make steps; return those that are not done, and the failures of those that came to no verdict.

    What follows in the partition of a step that is not done is not done either.
    """
    left: list[tuple[Any, str]] = []
    crashed: list[Failure] = []
    for asset, partition in steps:
        if any(where == partition for _, where in left):
            left.append((asset, partition))
            continue
        try:
            home.materialise(asset, partition, release)
        except BlockedByCheck:
            left.append((asset, partition))
        except Exception as error:  # a run that fails publishes nothing, whatever its error is
            left.append((asset, partition))
            crashed.append(failed_run(next(iter(asset.keys)).to_user_string(), partition, error))
    return left, crashed


def _is_approved(asset: Any, partition: str, approved: Sequence[tuple[str, str]]) -> bool:
    return any((key.to_user_string(), partition) in approved for key in asset.keys)
