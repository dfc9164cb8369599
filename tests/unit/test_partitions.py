"""The support window."""

from datetime import date

import pytest

from mlm_assets.errors import Refused
from mlm_assets.partitions import RELEASES
from mlm_assets.releases import check_release, open_release, release_window
from mlm_assets.settings import Settings


def test_the_window_has_36_months_and_crosses_years() -> None:
    window = release_window("2026-12")
    assert (len(window), window[0], window[1], window[-1]) == (36, "2026-12", "2027-01", "2029-11")
    assert list(RELEASES.get_partition_keys()) == list(window)


@pytest.mark.parametrize("release", ["2026-11", "2029-12", "2026-1", "2026-12 ", "x"])
def test_a_release_outside_the_window_is_refused(release: str) -> None:
    with pytest.raises(Refused, match="2026-12 to 2029-11"):
        check_release(release, Settings())


@pytest.mark.parametrize(
    ("today", "release"),
    [(date(2020, 1, 1), "2026-12"), (date(2027, 3, 31), "2027-03"), (date(2035, 1, 1), "2029-11")],
)
def test_the_open_release_is_this_month_kept_in_the_window(today: date, release: str) -> None:
    assert open_release(Settings(), today) == release


def test_a_release_that_is_set_wins_over_the_clock() -> None:
    assert open_release(Settings(release="2028-02"), date(2027, 1, 1)) == "2028-02"
