"""`mlm prune`: remove what nobody needs any more, or say what would go."""

from collections.abc import Iterator
from datetime import UTC, datetime

from mlm_assets.automation import housekeeping
from mlm_assets.automation.instance import open_instance, require_home
from mlm_assets.resources import pruning
from mlm_assets.resources.lake import open_lake
from mlm_assets.settings import Settings


def prune_home(settings: Settings, older_than_days: float, *, dry_run: bool) -> Iterator[str]:
    """Remove versions older than so many days that nothing refers to, and datasets and logs of months that lie back.

    Yields a line for each thing that went (would go, with `dry_run`), and a sum of each kind.

    Raises:
        Refused: there is no home.
    """
    require_home(settings)
    lake, now = open_lake(settings), datetime.now(UTC)
    look = pruning.leftovers if dry_run else pruning.prune
    versions = list(look(lake, older_than_days, settings.home))
    tidy = housekeeping.lying_back if dry_run else housekeeping.tidy_up
    with open_instance(settings) as instance:
        gone = tidy(instance, lake, settings, now)
    done = "would go" if dry_run else "removed"
    kinds = {"versions": versions} | {
        name: [one for one in gone if one.kind == kind]
        for kind, name in (("datasets", "folders of datasets"), ("log", "logs of runs"))
    }
    for some in kinds.values():
        yield from (one.path for one in some)
    for name, some in kinds.items():
        yield f"{len(some)} {name} {done}, {sum(one.size_bytes for one in some) / 1e6:,.1f} MB"
