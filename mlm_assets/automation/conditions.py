"""When Dagster materialises an asset by itself."""

from typing import Final

import dagster as dg

from mlm_assets.checks.verdicts import ACCEPTED_CHECK
from mlm_assets.tables import BENCHMARKS, RELEASE_DIFF, TABLES

_Condition = dg.AutomationCondition

ACCEPTED: Final = dg.AssetSelection.checks(
    *(dg.AssetCheckKey(dg.AssetKey(name.split("/")), ACCEPTED_CHECK) for name in TABLES)
)
"""The verdict on a version as a whole. What a single check said does not matter any more once somebody approved it."""

FOLLOW_THE_REFRESH: Final = (
    _Condition.eager()
    & _Condition.all_deps_match(
        _Condition.will_be_requested() | _Condition.all_checks_match(_Condition.check_passed()).allow(ACCEPTED)
    )
).with_label("follow_the_refresh")
"""Materialise a release as soon as all it is made of is there, and again when that changed.

`eager()` alone ignores what failed in an earlier run, hence the second half. What is made in the same
run is not asked for its last verdict: a check that fails ends the run before anything downstream.
"""

DATASETS: Final = dg.AssetSelection.groups("datasets")
FEATURES: Final = dg.AssetSelection.groups("features")
MODELS: Final = dg.AssetSelection.groups("models")

_A_NEW_DATASET: Final = _Condition.any_deps_match(
    _Condition.newly_updated() & ~_Condition.executed_with_root_target()
).allow(DATASETS)
_SINCE_ITS_TRAINING_BEGAN: Final = (_A_NEW_DATASET & _Condition.in_progress()).since(
    _Condition.newly_requested() | _Condition.initial_evaluation()
)
"""A dataset that arrives during a training is not dealt with by the end of that training."""

TRAIN_ON_A_NEW_DATASET: Final = (
    (_A_NEW_DATASET.since_last_handled() | _SINCE_ITS_TRAINING_BEGAN)
    & ~_Condition.any_deps_match(_Condition.missing()).ignore(FEATURES)
    & ~_Condition.any_deps_match(_Condition.will_be_requested())
    & ~_Condition.any_deps_in_progress()
    & ~_Condition.in_progress()
    # A check in progress: a dataset is reported as materialised a moment before its checks.
    & ~_Condition.any_deps_match(
        _Condition.any_checks_match(_Condition.check_failed() | _Condition.in_progress()).allow(ACCEPTED)
    ).ignore(FEATURES)
).with_label("train_on_a_new_dataset")
"""Train when the dataset of the release was updated, and nothing that it is made of is missing, running or blocked.

Features lie by shard. A model waits while some are being computed, but is not trained again because a shard's features
changed, and not held up by features that nobody has computed: training computes what it lacks.
"""

JUDGE_NEW_MODELS: Final = (
    FOLLOW_THE_REFRESH.replace("any_deps_updated", _Condition.any_deps_updated().allow(MODELS))
    & ~_Condition.any_deps_match(_Condition.will_be_requested()).ignore(MODELS)
).with_label("judge_new_models")
"""Judge when models were, or are about to be, trained; a new dataset alone would be judged with the models of the old.
"""

_BENCHMARKS: Final = dg.AssetSelection.assets(*(table.name.split("/") for table in BENCHMARKS))
_DIFF: Final = dg.AssetSelection.assets(RELEASE_DIFF.name)

_WAITS_FOR_ITS_BENCHMARK: Final = _Condition.any_deps_match(
    _Condition.any_deps_match(_Condition.newly_updated()).since(
        _Condition.newly_updated() | _Condition.newly_requested() | _Condition.initial_evaluation()
    )
).allow(_BENCHMARKS)
"""A benchmark is older than its dataset or models, and nobody has asked for a new one yet."""
_LEFT_OUT: Final = (
    _Condition.newly_requested()
    .since(_Condition.newly_updated() | _Condition.initial_evaluation())
    .with_label("left_out")
)
"""A benchmark that was asked for, is not running, has not failed, and is not there: its variant is too small to be
trained on. One whose run somebody cancelled looks the same; the draft says what it lacks."""

DRAFT_THE_RELEASE: Final = (
    _Condition.any_deps_updated().since_last_handled()
    & ~_Condition.in_progress()
    & ~_Condition.any_deps_in_progress()
    & ~_Condition.any_deps_match(_Condition.execution_failed())
    & ~_Condition.any_deps_match(_Condition.will_be_requested()).ignore(_DIFF)
    & ~_Condition.any_deps_match(_Condition.missing() & ~_Condition.will_be_requested()).ignore(_BENCHMARKS)
    & ~_Condition.any_deps_match(_Condition.missing() & ~_LEFT_OUT).allow(_BENCHMARKS)
    & ~_WAITS_FOR_ITS_BENCHMARK
    & ~_Condition.any_deps_match(
        _Condition.any_checks_match(_Condition.check_failed() | _Condition.in_progress()).allow(ACCEPTED)
    )
).with_label("draft_the_release")
"""Draft when datasets and benchmarks of the release are there and belong together, and again when they changed.

Nothing that it is made of is missing, running, failed, blocked, or about to be made again. The diff is made in the same
run.
"""
