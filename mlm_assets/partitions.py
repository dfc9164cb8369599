"""The partitions that Dagster knows: shards, shard x language, releases.

Releases are static, the 36 months of the support window, whatever the clock says: time-window partitions end at the
clock, so that next month's release would not exist. Only the schedule and `open_release` look at the clock.
"""

from datetime import date
from typing import Final

import dagster as dg

from mlm_assets.errors import Refused
from mlm_assets.identifiers import shard_name
from mlm_assets.settings import N_RELEASES, Settings, load_settings
from mlm_assets.tables import LANGUAGES


def release_window(start: str, n_months: int = N_RELEASES) -> tuple[str, ...]:
    """Return the months from `start` (YYYY-MM) on, as release names."""
    year, month = (int(part) for part in start.split("-"))
    numbers = range(year * 12 + month - 1, year * 12 + month - 1 + n_months)
    return tuple(f"{number // 12}-{number % 12 + 1:02d}" for number in numbers)


def check_release(release: str, settings: Settings) -> str:
    """Return `release` if it lies in the support window.

    Raises:
        Refused: it does not.
    """
    window = release_window(settings.support_start)
    if release not in window:
        raise Refused(
            f"{release!r} is no release: the support window runs from {window[0]} to {window[-1]}, one release a month."
        )
    return release


def open_release(settings: Settings, today: date) -> str:
    """Return the release that shards are refreshed for: the one set, else that of this month, kept in the window."""
    if settings.release is not None:
        return check_release(settings.release, settings)
    window = release_window(settings.support_start)
    return min(max(f"{today.year}-{today.month:02d}", window[0]), window[-1])


_SETTINGS: Final = load_settings()

SHARDS: Final = dg.StaticPartitionsDefinition([shard_name(number) for number in range(_SETTINGS.shards)])
SHARDS_BY_LANGUAGE: Final = dg.MultiPartitionsDefinition(
    {"lang": dg.StaticPartitionsDefinition(list(LANGUAGES)), "shard": SHARDS}
)
RELEASES: Final = dg.StaticPartitionsDefinition(list(release_window(_SETTINGS.support_start)))
"""Keys of `SHARDS_BY_LANGUAGE` read "en|07": Dagster orders the dimensions by name."""
