"""The releases: the months of the support window, whatever the clock says.

Only `open_release` is told what day it is. The partitions that Dagster knows are in `partitions`.
"""

from datetime import date

from mlm_assets.errors import Refused
from mlm_assets.settings import N_RELEASES, Settings


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
