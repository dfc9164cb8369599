"""The sensors: alerts tell people what is wrong, and when it is well again; two more keep the house.

One sensor is enough for alerts: they are computed from the state of the home and of the instance, not from single
events, so that sensors on the failure or success of runs would add nothing but a second way to the same message. What
it sends, and to whom, is in `alerts`.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import dagster as dg

from mlm_assets.automation.instance import end_dead_runs
from mlm_assets.automation.observed import change_of, observe
from mlm_assets.automation.support import as_markdown, lines, support_of
from mlm_assets.resources.alerts import AlertResource
from mlm_assets.resources.services import LakeResource

_EVERY_S: Final = 30
WINDOW_ASSET: Final = "support_window"


@dg.sensor(
    name="alerts",
    minimum_interval_seconds=_EVERY_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells failed checks, runs, sensors and schedules, overdue tables, and when they are well again.",
)
def alerts_sensor(context: dg.SensorEvaluationContext, alerting: AlertResource) -> dg.SensorResult:
    """Look whether something changed, or is due; if so, tell what is news and deliver it.

    A target that fails is no error here: it is retried, and named in what the tick says.
    """
    now = datetime.now(UTC)
    before = _read(context.cursor)
    seen = {"instance": change_of(context.instance, context.repository_def, now), **alerting.changes()}
    if before.get("seen") == seen and now < datetime.fromisoformat(before["again_at"]):
        return dg.SensorResult(skip_reason=f"Nothing changed. {before['said']}", cursor=context.cursor)
    observed = observe(context.instance, alerting.settings(), repository=context.repository_def, now=now)
    done = alerting.deliver(observed)
    said = str(done)
    if done.again_at is None:
        return dg.SensorResult(skip_reason=said, cursor=context.cursor)
    # What was seen before the look, but for the ledger, which the look itself has written.
    seen["home"] = alerting.changes()["home"]
    cursor = json.dumps({"seen": seen, "again_at": done.again_at.isoformat(), "said": said})
    return dg.SensorResult(skip_reason=said, cursor=cursor)


def _read(cursor: str | None) -> Mapping[str, Any]:
    try:
        said = json.loads(cursor or "{}")
    except ValueError:
        return {}
    return said if isinstance(said, dict) and {"seen", "again_at", "said"} <= set(said) else {}


@dg.sensor(
    name="dead_runs",
    minimum_interval_seconds=_EVERY_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Ends runs whose process was killed and frees their places; Dagster then starts them again (twice).",
)
def dead_runs_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """End the runs whose process is gone. Dagster's own monitoring does not see the processes of this machine."""
    ended = end_dead_runs(context.instance)
    return dg.SkipReason(f"Ended: {', '.join(ended)}." if ended else "Every run has a living process.")


@dg.sensor(
    name=WINDOW_ASSET,
    minimum_interval_seconds=_EVERY_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Shows in the asset of this name how far the releases of the support window are, and what is next.",
)
def support_window_sensor(context: dg.SensorEvaluationContext, lake: LakeResource) -> dg.SensorResult:
    """Report the window as a materialisation of its asset whenever it reads differently from the last time."""
    support = support_of(lake.settings(), lake.open(), datetime.now(UTC))
    about, said = support.as_json(), as_markdown(support)
    digest = hashlib.sha256(said.encode()).hexdigest()
    summary = ". ".join(lines(about)) + "."
    if context.cursor == digest:
        return dg.SensorResult(skip_reason=summary, cursor=digest)
    event = dg.AssetMaterialization(
        WINDOW_ASSET,
        metadata={
            "window": dg.MetadataValue.md(said),
            "refreshed": about["n_refreshed"],
            "published": about["n_published"],
            "next": f"{about['next_release'] or 'none'} {about['next_at'] or ''}".strip(),
            "missing": ", ".join(support.missing) or "none",
        },
    )
    return dg.SensorResult(skip_reason=summary, cursor=digest, asset_events=[event])
