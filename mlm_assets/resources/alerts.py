"""The resource that tells people: apprise behind a ledger, for the home and routes of the settings.

It holds no address: those are read from the environment when something is sent (`alerts.routes`), so that Dagster,
which shows the configuration of resources, has none to show.
"""

from typing import Any

import dagster as dg

from mlm_assets import alerts
from mlm_assets.alerts import changes
from mlm_assets.alerts.records import Observed
from mlm_assets.resources.lake import Lake
from mlm_assets.resources.services import LakeResource
from mlm_assets.settings import Settings


class AlertResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Alerts of one home. No delivery of one look begins after `budget_s`: a sensor's tick is ended after 60 s."""

    lake: dg.ResourceDependency[LakeResource]
    budget_s: float = 25.0

    def settings(self) -> Settings:
        """Return the settings of the home."""
        return self.lake.settings()

    def open(self) -> Lake:
        """Open the home's lake."""
        return self.lake.open()

    def changes(self) -> dict[str, Any]:
        """Return plain data that changes with the lake, the ledger and the routes; cheap."""
        return {"lake": changes.of_lake(self.open()), "home": changes.of_home(self.settings())}

    def deliver(self, observed: Observed) -> alerts.Delivered:
        """Tell what is news, deliver what is due."""
        return alerts.deliver(self.settings(), self.open(), observed, budget_s=self.budget_s)
