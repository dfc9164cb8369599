"""When Dagster materialises an asset by itself."""

from typing import Final

import dagster as dg

FOLLOW_THE_REFRESH: Final = (
    dg.AutomationCondition.eager() & dg.AutomationCondition.all_deps_blocking_checks_passed()
).with_label("follow_the_refresh")
"""Materialise a release as soon as all it is made of is there, and again when that changed.

`eager()` alone ignores blocking checks that failed in an earlier run, hence the second half.
"""

FEATURES: Final = dg.AssetSelection.groups("features")
TRAIN_ON_A_NEW_DATASET: Final = (
    dg.AutomationCondition.any_deps_match(dg.AutomationCondition.newly_updated()).ignore(FEATURES).since_last_handled()
    & ~dg.AutomationCondition.any_deps_match(dg.AutomationCondition.missing()).ignore(FEATURES)
    & ~dg.AutomationCondition.any_deps_in_progress()
    & ~dg.AutomationCondition.in_progress()
    & ~dg.AutomationCondition.any_deps_match(
        dg.AutomationCondition.any_checks_match(dg.AutomationCondition.check_failed(), blocking_only=True)
    ).ignore(FEATURES)
).with_label("train_on_a_new_dataset")
"""Train when the dataset of the release was updated, and nothing that it is made of is missing, running or blocked.

Features lie by shard. A model waits while some are being computed, but is not trained again because a shard's features
changed, and not held up by features that nobody has computed: training computes what it lacks.
"""
