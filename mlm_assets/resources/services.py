"""The resources that Dagster hands to assets: the lake, and the three Wikimedia services over one polite transport.

The clients themselves (`wikidata`, `wikipedia`, `commons`) and the lake know nothing of Dagster; here they are only
opened, for the home, release and mode of the run. Tests pass other arguments instead of patching.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Literal, cast

import dagster as dg

from mlm_assets.releases import check_release, open_release
from mlm_assets.resources.commons import Commons
from mlm_assets.resources.http import Transport
from mlm_assets.resources.lake import AnswerLog, Lake, open_lake
from mlm_assets.resources.wikidata import Wikidata
from mlm_assets.resources.wikipedia import Wikipedia
from mlm_assets.settings import Settings, load_settings

RELEASE_TAG = "mlm/release"
MODE_TAG = "mlm/mode"
FULL_TAG = "mlm/full"
"""Tag of runs that take nothing over from earlier releases."""
Mode = Literal["fetch", "refetch", "replay"]


class LakeResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The lake and the settings of one home (`home`; MLM_HOME where it is not given)."""

    home: str | None = None

    def settings(self) -> Settings:
        """Return the settings of the home."""
        return load_settings(Path(self.home) if self.home else None)

    def open(self) -> Lake:
        """Open the home's lake."""
        settings = self.settings()
        return open_lake(settings)


class WikimediaResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """What the three services share: one transport per process, with the manners of `resources.http`."""

    lake: dg.ResourceDependency[LakeResource]

    def transport(self, tags: Mapping[str, str], refetch: bool = False) -> Transport:
        """Return the transport for a run with these tags (`mlm/release`, `mlm/mode`).

        `refetch` asks the services again, even for answers that are stored for this release.
        """
        settings = self.lake.settings()
        mode = cast(Mode, "refetch" if refetch else tags.get(MODE_TAG, "fetch"))
        return shared_transport(settings, self.lake.open().url, run_release(tags, settings), mode)


class WikidataResource(WikimediaResource):
    """Wikidata's query service."""

    def client(self, transport: Transport) -> Wikidata:
        """Return the client that asks through `transport`."""
        return Wikidata(transport, self.lake.settings())


class WikipediaResource(WikimediaResource):
    """The Action API of the Wikipedias."""

    def client(self, transport: Transport) -> Wikipedia:
        """Return the client that asks through `transport`."""
        return Wikipedia(transport, self.lake.settings())


class CommonsResource(WikimediaResource):
    """The Action API and the files of Wikimedia Commons."""

    def client(self, transport: Transport) -> Commons:
        """Return the client that asks through `transport`."""
        return Commons(transport, self.lake.settings())


def run_release(tags: Mapping[str, str], settings: Settings) -> str:
    """Return the release that a run refreshes shards for: its tag, else the home's open release."""
    tagged = tags.get(RELEASE_TAG)
    if tagged:
        return check_release(tagged, settings)
    return open_release(settings, datetime.now(UTC).date())


@cache
def shared_transport(settings: Settings, lake_url: str, release: str, mode: Mode) -> Transport:
    """Return this process's one transport for these settings, so that its session and its counts are shared."""
    store = AnswerLog(Lake(lake_url, settings.home / ".locks"), release)
    return Transport(settings, store, mode)
