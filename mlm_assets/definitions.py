"""Everything that Dagster loads, wired in one page: assets, jobs, schedules, sensors, resources."""

import dagster as dg

from mlm_assets.assets import (
    approvals,
    changes,
    data_docs,
    datasets,
    diffs,
    entities,
    features,
    geo,
    media,
    models,
    refresh,
    releases,
    rights,
    taxonomy,
)
from mlm_assets.assets.rechecks import rechecks
from mlm_assets.assets.support import SUPPORT_WINDOW
from mlm_assets.automation.approval import approve_version
from mlm_assets.automation.housekeeping import HOUSEKEEPING, housekeeping
from mlm_assets.automation.jobs import JOBS
from mlm_assets.automation.publishing import publish_release
from mlm_assets.automation.refreshing import monthly_refresh
from mlm_assets.automation.schedules import MONTHLY_REFRESH
from mlm_assets.automation.sensors import alerts_sensor, dead_runs_sensor, support_window_sensor
from mlm_assets.automation.taking_back import take_down
from mlm_assets.resources.alerts import AlertResource
from mlm_assets.resources.device import DeviceResource
from mlm_assets.resources.encoders import EncoderResource
from mlm_assets.resources.services import CommonsResource, LakeResource, WikidataResource, WikipediaResource

_lake = LakeResource()

defs = dg.Definitions(
    assets=[
        *dg.with_source_code_references(
            dg.load_assets_from_modules(
                [
                    *(taxonomy, changes, entities, media, refresh, geo, datasets, approvals, data_docs),
                    *(features, models, rights, diffs, releases),
                ]
            )
        ),
        SUPPORT_WINDOW,
    ],
    asset_checks=rechecks,
    jobs=[*JOBS, approve_version, publish_release, monthly_refresh, take_down, housekeeping],
    schedules=[MONTHLY_REFRESH, HOUSEKEEPING],
    sensors=[
        # Dagster's own automation sensor is stopped until somebody starts it by hand; ours runs from the start.
        dg.AutomationConditionSensorDefinition(
            "automation",
            target=dg.AssetSelection.all(),
            default_status=dg.DefaultSensorStatus.RUNNING,
            minimum_interval_seconds=15,
        ),
        alerts_sensor,
        dead_runs_sensor,
        support_window_sensor,
    ],
    resources={
        "lake": _lake,
        "wikidata": WikidataResource(lake=_lake),
        "wikipedia": WikipediaResource(lake=_lake),
        "commons": CommonsResource(lake=_lake),
        "encoders": EncoderResource(lake=_lake),
        "device": DeviceResource(lake=_lake),
        "alerting": AlertResource(lake=_lake),
    },
    executor=dg.in_process_executor,
)
