"""When Dagster materialises an asset by itself."""

from typing import Final

import dagster as dg

FOLLOW_THE_REFRESH: Final = (
    dg.AutomationCondition.eager() & dg.AutomationCondition.all_deps_blocking_checks_passed()
).with_label("follow_the_refresh")
"""Materialise a release as soon as all it is made of is there, and again when that changed.

`eager()` alone ignores blocking checks that failed in an earlier run, hence the second half.
"""
