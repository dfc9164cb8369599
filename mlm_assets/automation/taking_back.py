"""A takedown as a Dagster job, for maintainers who work in the UI. What it does is in `assets.purging`."""

from typing import Any

import dagster as dg

from mlm_assets.assets.purging.taking_back import take_back
from mlm_assets.automation.run_lock import only_run
from mlm_assets.resources.services import LakeResource


class Takedown(dg.Config):
    """What is taken back for good, why, and by whom; date and reason are published with the next version."""

    target: str
    """A QID (Q64), or the name of a file as on Commons (Berlin view.jpg)."""
    reason: str
    by: str


@dg.op(description="Purge an item or a file from the lake, the features and the releases, and never let it come back.")
def take_down_target(context: dg.OpExecutionContext, config: Takedown, lake: LakeResource) -> dict[str, Any]:
    """Take back what the configuration names.

    Raises:
        Refused: see `assets.purging.taking_back.take_back`; or a refresh is at work in the home.
    """
    settings = lake.settings()
    with only_run(settings.home, f"the job take_down of {config.target}"):
        done = take_back(settings, lake.open(), config.target, config.reason, config.by, context.log.info)
    for path in done.answers:
        context.log.info(f"removed the stored answer {path}")
    return {"target": done.takedown.target, "kind": done.takedown.kind, "releases": done.releases}


@dg.job(
    name="take_down",
    description="Take an item or a file back for good: fill in target (QID or name of a file), reason and your name.",
    executor_def=dg.in_process_executor,
)
def take_down() -> None:
    """Take something back from the UI."""
    take_down_target()
