"""The partitions that Dagster knows: shards, shard x language, releases.

They are made from the settings of the home when this module is imported; the command line prepares the home first.
Releases are static, the 36 months of the support window, whatever the clock says: time-window partitions end at the
clock, so that next month's release would not exist.
"""

from typing import Final

import dagster as dg

from mlm_assets.identifiers import shard_name
from mlm_assets.releases import release_window
from mlm_assets.settings import load_settings
from mlm_assets.tables import LANGUAGES

_SETTINGS: Final = load_settings()

SHARDS: Final = dg.StaticPartitionsDefinition([shard_name(number) for number in range(_SETTINGS.shards)])
SHARDS_BY_LANGUAGE: Final = dg.MultiPartitionsDefinition(
    {"lang": dg.StaticPartitionsDefinition(list(LANGUAGES)), "shard": SHARDS}
)
RELEASES: Final = dg.StaticPartitionsDefinition(list(release_window(_SETTINGS.support_start)))
"""Keys of `SHARDS_BY_LANGUAGE` read "en|07": Dagster orders the dimensions by name."""
