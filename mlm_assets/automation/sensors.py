"""The sensor that tells people what is wrong, and when it is well again.

One sensor is enough: alerts are computed from the state of the home and of the instance, not from single events, so
that sensors on the failure or success of runs would add nothing but a second way to the same message. What it sends,
and to whom, is in `alerts`.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import dagster as dg

from mlm_assets.automation.observed import change_of, observe
from mlm_assets.resources.alerts import AlertResource

_EVERY_S: Final = 30


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
