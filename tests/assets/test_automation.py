"""What Dagster asks for by itself after each thing that can happen, with the real definitions and a real event log."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
import pytest
from dagster._core.events import StepMaterializationData

from mlm_assets.assets.reporting import asset_key, newest_target
from mlm_assets.checks.verdicts import ACCEPTED_CHECK
from mlm_assets.definitions import defs
from mlm_assets.ml.recipe import TASKS
from mlm_assets.partitions import SHARDS, SHARDS_BY_LANGUAGE
from mlm_assets.tables import TRAINED_VARIANTS, VARIANTS

BEFORE, NOW, LATER = "2026-12", "2027-01", "2027-02"
VARIANT, OTHER = TRAINED_VARIANTS
PAGES = "data_docs"
DATASETS = ("eligible", "geo_cells", "members", *VARIANTS, "dataset_statistics", "approvals", PAGES, "attribution")
DRAFT = ("release_diff", "release_files")
KEY_CHECK = "key_is_unique"
"""One of the checks of every table."""
Asked = set[tuple[str, str]]
_GRAPH = defs.resolve_asset_graph()


def models_of(variant: str) -> tuple[str, ...]:
    """Return the names of the three models of a variant."""
    return tuple(f"{variant}/{task}_model" for task in TASKS)


def training(*variants: str, release: str = NOW) -> Asked:
    """Return what is asked for when the models of variants are trained, and judged in the same run."""
    return {(name, release) for variant in variants for name in (*models_of(variant), f"{variant}/benchmark")}


class Home:
    """A Dagster instance to which things happen, and the automation that looks at it."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        """Begin with an empty instance that the automation has looked at once."""
        self._instance = instance
        self._seen: dg.EvaluateAutomationConditionsResult | None = None

    def tick(self) -> Asked:
        """Let the automation look once, and return the partitions that it asks for."""
        cursor = self._seen.cursor if self._seen else None
        self._seen = dg.evaluate_automation_conditions(defs, self._instance, cursor=cursor)
        return {
            (key.to_user_string(), str(partition))
            for key in _GRAPH.get_all_asset_keys()
            for partition in self._seen.get_requested_partitions(key)
        }

    def ticks(self, n: int = 2) -> Asked:
        """Let the automation look several times, with nothing happening in between."""
        return set().union(*(self.tick() for _ in range(n)))

    def made(
        self, *names: str, partition: str | None = NOW, failed: bool = False, by: dg.DagsterRun | None = None
    ) -> None:
        """Report that a run materialised tables and evaluated their checks; with `failed` the blocking ones failed."""
        self.materialised(*names, partition=partition, by=by)
        self.checked(*names, partition=partition, failed=failed, by=by)

    def materialised(self, *names: str, partition: str | None = NOW, by: dg.DagsterRun | None = None) -> None:
        """Report that a run materialised tables."""
        for name in names:
            self._report(dg.AssetMaterialization(asset_key(name), partition=partition), by)

    def checked(
        self, *names: str, partition: str | None = NOW, failed: bool = False, by: dg.DagsterRun | None = None
    ) -> None:
        """Report that the checks of tables were evaluated; with `failed` one of them blocked the version."""
        for key in map(asset_key, names):
            for check in sorted({KEY_CHECK, ACCEPTED_CHECK} & {one.name for one in _GRAPH.get(key).check_keys}):
                self._report(self._evaluation(key, partition, check, not failed), by)

    def rejected(self, *names: str, partition: str | None = NOW) -> None:
        """Report that the checks rejected a new version of tables: there is no materialisation of it."""
        self.checked(*names, partition=partition, failed=True)

    def approved(self, *names: str, partition: str | None = NOW) -> None:
        """Report that a maintainer approved the rejected version of tables: what had failed still stands there."""
        self.materialised(*names, partition=partition)
        for key in map(asset_key, names):
            self._report(self._evaluation(key, partition, ACCEPTED_CHECK, True), None)

    def _evaluation(self, key: dg.AssetKey, partition: str | None, check: str, passed: bool) -> dg.AssetCheckEvaluation:
        target = newest_target(self._instance, key, partition)
        return dg.AssetCheckEvaluation(key, check, passed, {}, target, blocking=True, partition=partition)

    def forget(self, *names: str) -> None:
        """Forget that tables were ever materialised."""
        self._instance.wipe_assets([asset_key(name) for name in names])

    @contextmanager
    def running(self, *names: str, partition: str | None = NOW) -> Iterator[dg.DagsterRun]:
        """Have a run at work on tables until the end of the block."""
        job = next(
            job
            for job in defs.get_repository_def().get_all_jobs()
            if {asset_key(name) for name in names} <= set(job.asset_layer.executable_asset_keys)
        )
        run = self._instance.create_run_for_job(
            job,
            tags={} if partition is None else {"dagster/partition": partition},
            asset_selection={asset_key(name) for name in names},
            status=dg.DagsterRunStatus.STARTED,
        )
        yield run
        if not self._instance.get_run_by_id(run.run_id).is_finished:  # type: ignore[union-attr]
            self._instance.report_run_canceled(run)

    def ends_well(self, run: dg.DagsterRun) -> None:
        """End a run that materialised nothing more with success."""
        event = dg.DagsterEvent(dg.DagsterEventType.RUN_SUCCESS.value, run.job_name)
        self._instance.report_dagster_event(event, run.run_id)

    def fails(self, *names: str, partition: str | None = NOW) -> None:
        """Have a run on tables that fails before anything is materialised."""
        with self.running(*names, partition=partition) as run:
            self._instance.report_run_failed(run)

    def _report(self, said: dg.AssetMaterialization | dg.AssetCheckEvaluation, run: dg.DagsterRun | None) -> None:
        is_check = isinstance(said, dg.AssetCheckEvaluation)
        if run is None and not is_check:
            self._instance.report_runless_asset_event(said)
            return
        kind = dg.DagsterEventType.ASSET_CHECK_EVALUATION if is_check else dg.DagsterEventType.ASSET_MATERIALIZATION
        event = dg.DagsterEvent(
            kind.value,
            run.job_name if run else "",
            event_specific_data=said if is_check else StepMaterializationData(said),
        )
        # Without a run there can be but one evaluation of a check and partition, ever; so each has one of its own.
        self._instance.report_dagster_event(event, run.run_id if run else str(uuid.uuid4()))


@pytest.fixture
def empty() -> Iterator[Home]:
    """A home in which nothing has happened."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield Home(instance)


@pytest.fixture
def home(empty: Home) -> Home:
    """A home in which a release was made and trained long ago, seen by the automation, which rests."""
    for name, keys in shards().items():
        for partition in keys:
            empty.made(name, partition=partition)
    empty.made("refresh", *DATASETS, partition=BEFORE)
    for variant in TRAINED_VARIANTS:
        empty.made(*models_of(variant), f"{variant}/benchmark", partition=BEFORE)
    empty.made(*DRAFT, partition=BEFORE)
    assert empty.tick() == set(), "what was there before the automation first looked is left alone"
    return empty


def shards() -> dict[str, list[str | None]]:
    """Return the tables that do not lie by release, with their partitions."""
    # Of shards by language a few are as good as all, and quicker.
    by_shard, by_language = list(SHARDS.get_partition_keys()), list(SHARDS_BY_LANGUAGE.get_partition_keys())[:2]
    whole: list[str | None] = [None]
    return {
        **dict.fromkeys(("settlement_classes", "candidates", "changed_facts", "departures", "class_features"), whole),
        **dict.fromkeys(("facts", "settlements", "rejections", "images", "image_features"), by_shard),
        **dict.fromkeys(("summaries", "text_features"), by_language),
    }


def drafting(release: str = NOW) -> Asked:
    """Return what is asked for when a release is drafted."""
    return {(name, release) for name in DRAFT}


def test_a_refresh_ends_in_the_draft_of_exactly_its_release(home: Home) -> None:
    assert home.ticks() == set()
    home.made("refresh")
    assert home.tick() == {(name, NOW) for name in DATASETS}
    with home.running(*DATASETS) as run:
        assert home.ticks() == set()
        home.made(*DATASETS, by=run)
    assert home.tick() == training(VARIANT, OTHER)
    names = [name for name, _ in training(VARIANT, OTHER)]
    with home.running(*names) as run:
        assert home.ticks() == set()
        home.made(*names, by=run)
    assert home.tick() == drafting()
    with home.running(*DRAFT) as run:
        assert home.ticks() == set()
        home.made(*DRAFT, by=run)
    assert home.ticks() == set()


def test_in_a_new_home_a_release_is_made_trained_and_drafted_in_three_runs(empty: Home) -> None:
    for name, keys in shards().items():
        for partition in keys:
            empty.made(name, partition=partition)
    assert empty.tick() == set()
    empty.made("refresh")
    assert empty.tick() == {(name, NOW) for name in DATASETS}
    empty.made(*DATASETS)
    assert empty.tick() == training(VARIANT, OTHER)
    empty.made(*(name for name, _ in training(VARIANT, OTHER)))
    assert empty.tick() == drafting()


def test_a_new_dataset_trains_its_own_variant_and_release_only(home: Home) -> None:
    home.made(*DATASETS, partition=NOW)
    home.made(*DATASETS, partition=LATER)
    assert home.tick() == training(VARIANT, OTHER, release=NOW) | training(VARIANT, OTHER, release=LATER)
    assert home.ticks() == set()
    home.made(OTHER, partition=LATER)
    assert models_asked(home.tick()) == training(OTHER, release=LATER)


def test_a_second_version_of_a_dataset_is_trained_on_again(home: Home) -> None:
    trained(home)
    for _ in range(2):
        home.made(VARIANT)
        assert models_asked(home.tick()) == training(VARIANT)
        home.made(*(name for name, _ in training(VARIANT)))
        assert home.tick() == drafting()
        home.made(*DRAFT)
        assert home.ticks() == set()


@pytest.mark.parametrize(
    ("name", "partition"), [("facts", "00"), ("settlements", "01"), ("images", "00"), ("summaries", "en|00")]
)
def test_a_shard_that_is_refreshed_trains_nothing(home: Home, name: str, partition: str) -> None:
    trained(home)
    home.made(name, partition=partition)
    assert models_asked(home.ticks()) == set()


@pytest.mark.parametrize(
    ("name", "partition"), [("image_features", "00"), ("text_features", "en|00"), ("class_features", None)]
)
def test_features_that_are_computed_train_nothing(home: Home, name: str, partition: str | None) -> None:
    trained(home)
    home.made(name, partition=partition)
    assert home.ticks() == set()


def test_features_that_nobody_computed_hold_nothing_up(home: Home) -> None:
    home.forget("image_features", "text_features", "class_features")
    home.made(*DATASETS)
    assert models_asked(home.tick()) == training(VARIANT, OTHER)


def test_a_dataset_that_failed_a_blocking_check_is_not_trained_on(home: Home) -> None:
    others = [name for name in DATASETS if name != VARIANT]
    home.made(*others)
    home.made(VARIANT, failed=True)
    assert models_asked(home.ticks()) == training(OTHER), "the other variant has nothing to do with it"
    home.made(VARIANT)
    assert models_asked(home.tick()) == training(VARIANT)
    assert models_asked(home.ticks()) == set()


def test_cells_that_failed_a_blocking_check_hold_up_both_variants(home: Home) -> None:
    trained(home)
    home.made("geo_cells", failed=True)
    home.tick()
    home.made(*TRAINED_VARIANTS)
    assert models_asked(home.ticks()) == set()
    home.made("geo_cells")
    asked = home.tick()
    assert {(name, NOW) for name in TRAINED_VARIANTS} <= asked
    assert models_asked(asked) == set(), "datasets are made of the new cells first"
    home.made(*TRAINED_VARIANTS)
    assert models_asked(home.tick()) == training(VARIANT, OTHER)


def test_a_dataset_is_not_trained_on_before_its_checks_are_done(home: Home) -> None:
    home.made(*DATASETS)
    trained(home)
    with home.running(VARIANT) as run:
        home.materialised(VARIANT, by=run)
        assert models_asked(home.ticks()) == set()
        home.checked(VARIANT, by=run)
    assert models_asked(home.tick()) == training(VARIANT)


@pytest.mark.parametrize("missing", ["geo_cells", VARIANT])
def test_without_a_dataset_or_its_cells_nothing_is_trained(home: Home, missing: str) -> None:
    home.made(*(name for name in DATASETS if name != missing))
    asked = models_asked(home.ticks())
    assert asked == (training(OTHER) if missing == VARIANT else set())


@pytest.mark.parametrize(
    ("name", "partition"),
    [("image_features", "00"), ("text_features", "en|00"), ("class_features", None), (VARIANT, NOW)],
)
def test_a_training_waits_for_what_is_being_made_of_its_inputs(home: Home, name: str, partition: str | None) -> None:
    home.made(*DATASETS)
    with home.running(name, partition=partition) as run:
        at_once = training(OTHER) if name == VARIANT else set()
        assert models_asked(home.ticks()) == at_once
        home.made(name, partition=partition, by=run)
    assert models_asked(home.tick()) == training(VARIANT, OTHER) - at_once
    assert models_asked(home.ticks()) == set()


def test_a_dataset_of_another_release_in_the_making_holds_nothing_up(home: Home) -> None:
    with home.running("eligible", partition=LATER):
        home.made(*DATASETS)
        assert models_asked(home.tick()) == training(VARIANT, OTHER)


def test_a_dataset_that_is_about_to_be_made_again_is_waited_for(home: Home) -> None:
    trained(home)
    with home.running("image_features", partition="00"):
        home.made(VARIANT)
        assert models_asked(home.ticks()) == set()
    home.made("members")
    assert home.tick() == {(name, NOW) for name in (*VARIANTS, "dataset_statistics", "approvals", PAGES, "attribution")}
    home.made(*VARIANTS)
    assert models_asked(home.tick()) == training(VARIANT, OTHER)


def test_training_follows_an_approval_and_does_not_come_without_it(home: Home) -> None:
    home.made("refresh")
    home.ticks()
    home.made(*(name for name in DATASETS if name not in (VARIANT, "dataset_statistics", "approvals", PAGES)))
    home.rejected(VARIANT)
    assert models_asked(home.ticks(3)) == training(OTHER)
    home.approved(VARIANT)
    assert models_asked(home.ticks()) == training(VARIANT)


def test_a_dataset_made_again_and_rejected_is_not_trained_on_until_it_is_approved(home: Home) -> None:
    trained(home)
    home.rejected(VARIANT)
    assert models_asked(home.ticks(3)) == set()
    home.approved(VARIANT)
    assert models_asked(home.ticks()) == training(VARIANT)
    home.rejected(VARIANT)
    home.approved(VARIANT)
    assert models_asked(home.ticks()) == training(VARIANT), "an approval may come more than once for a release"


def test_members_are_not_made_of_cells_that_were_rejected(home: Home) -> None:
    trained(home)
    home.made("eligible")
    assert {("geo_cells", NOW), ("members", NOW)} <= home.tick(), "one run makes both, and ends with the first"
    home.rejected("geo_cells")
    assert home.ticks(3) == set()
    home.approved("geo_cells")
    assert ("members", NOW) in home.ticks()


def test_a_new_dataset_is_not_judged_with_the_models_of_the_old(home: Home) -> None:
    trained(home)
    home.made("refresh")
    assert home.tick() == {(name, NOW) for name in DATASETS}
    with home.running("image_features", partition="00"):
        home.made(*DATASETS)
        assert home.ticks() == set()
    assert home.tick() == training(VARIANT, OTHER)


def test_new_cells_train_nothing_before_there_is_a_dataset_of_them(home: Home) -> None:
    trained(home)
    home.made("geo_cells")
    following = home.tick()
    assert {(name, NOW) for name in TRAINED_VARIANTS} <= following
    home.fails(*(name for name, _ in following))
    assert models_asked(home.ticks()) == set()


def test_models_are_not_judged_on_a_dataset_that_is_about_to_be_made_again(home: Home) -> None:
    trained(home)
    home.made("members", f"{VARIANT}/le_model")
    assert home.tick() == {(name, NOW) for name in (*VARIANTS, "dataset_statistics", "approvals", PAGES, "attribution")}
    home.made(*VARIANTS)
    assert models_asked(home.tick()) == training(VARIANT, OTHER)


def test_a_model_that_was_trained_by_hand_is_judged(home: Home) -> None:
    trained(home)
    home.made(f"{VARIANT}/le_model")
    assert home.tick() == {(f"{VARIANT}/benchmark", NOW)}


def test_a_dataset_that_arrives_during_a_training_is_trained_on_afterwards(home: Home) -> None:
    trained(home)
    models = models_of(VARIANT)
    with home.running(*models) as run:
        home.tick()
        home.made(VARIANT)
        assert models_asked(home.ticks()) == set(), "not asked for twice"
        home.made(*models, by=run)
    assert models_asked(home.tick()) == training(VARIANT)
    assert models_asked(home.ticks()) == set()


def test_models_that_a_run_makes_together_with_their_dataset_are_not_made_again(home: Home) -> None:
    names = (VARIANT, *models_of(VARIANT))
    home.made(*DATASETS)
    trained(home)
    with home.running(*names) as run:
        home.made(VARIANT, by=run)
        home.tick()
        home.made(*models_of(VARIANT), by=run)
    assert not models_asked(home.ticks()) - {(f"{VARIANT}/benchmark", NOW)}


def test_a_training_that_failed_is_not_asked_for_again(home: Home) -> None:
    home.made(*DATASETS)
    assert models_asked(home.tick()) == training(VARIANT, OTHER)
    home.fails(*(name for name, _ in training(VARIANT, OTHER)))
    assert models_asked(home.ticks(4)) == set()
    home.made(VARIANT)
    assert models_asked(home.tick()) == training(VARIANT), "until there is another dataset"


# -- the draft of a release ------------------------------------------------------------------------------------------


def test_a_release_is_not_drafted_before_both_variants_are_judged(home: Home) -> None:
    home.made("refresh", *DATASETS)
    assert home.tick() == training(VARIANT, OTHER)
    names = [name for name, _ in training(OTHER)]
    with home.running(*names) as run:
        home.made(*(name for name, _ in training(VARIANT)))
        assert home.ticks() == set()
        home.made(*names, by=run)
    assert home.tick() == drafting()


def test_a_release_waits_for_the_models_of_a_dataset_that_was_made_again(home: Home) -> None:
    trained(home)
    with home.running("image_features", partition="00"):
        home.made(*TRAINED_VARIANTS)
        waiting = home.ticks(3)
        assert not waiting & (drafting() | training(VARIANT, OTHER)), "for the features, and so the draft too"
    home.made(*(name for name, _ in waiting))
    assert home.tick() == training(VARIANT, OTHER)
    with home.running(*(name for name, _ in training(VARIANT, OTHER))) as run:
        assert home.ticks() == set()
        home.made(*(name for name, _ in training(VARIANT, OTHER)), by=run)
    assert home.tick() == drafting()


def test_a_release_is_not_drafted_again_when_its_training_failed(home: Home) -> None:
    trained(home)
    home.made(VARIANT)
    asked = home.tick()
    assert models_asked(asked) == training(VARIANT)
    assert not asked & drafting()
    home.made(*(name for name, _ in asked - training(VARIANT)))
    home.fails(*(name for name, _ in training(VARIANT)))
    assert home.ticks(3) == set()
    home.made(*(name for name, _ in training(VARIANT)))
    assert home.tick() == drafting(), "once somebody has trained it"


def test_a_dataset_that_is_no_subject_of_training_is_drafted_again(home: Home) -> None:
    trained(home)
    home.made("mlm_v2")
    asked = home.tick()
    assert drafting() <= asked | home.tick()


def test_a_variant_that_is_too_small_to_be_trained_on_holds_no_release_up(home: Home) -> None:
    home.made("refresh", *DATASETS)
    assert home.tick() == training(VARIANT, OTHER)
    small = [name for name, _ in training(OTHER)]
    with home.running(*small) as run:
        home.made(*(name for name, _ in training(VARIANT)))
        assert home.ticks() == set()
        home.ends_well(run)
    assert home.ticks() == drafting()


def test_a_training_that_failed_is_no_variant_that_is_too_small(home: Home) -> None:
    home.made("refresh", *DATASETS)
    home.tick()
    home.made(*(name for name, _ in training(VARIANT)))
    home.fails(*(name for name, _ in training(OTHER)))
    assert home.ticks(3) == set()


@pytest.mark.parametrize("missing", ["attribution", "geo_cells", "mlm_v2"])
def test_without_what_a_release_is_made_of_nothing_is_drafted(home: Home, missing: str) -> None:
    home.made(*(name for name in DATASETS if name != missing))
    home.made(*(name for name, _ in training(VARIANT, OTHER)))
    assert not home.ticks(3) & drafting()


@pytest.mark.parametrize("blocked", ["attribution", "mlm_v2", f"{VARIANT}/benchmark"])
def test_a_release_of_which_something_is_blocked_is_not_drafted(home: Home, blocked: str) -> None:
    home.made("refresh", *DATASETS)
    home.tick()
    home.made(*(name for name, _ in training(VARIANT, OTHER)))
    home.rejected(blocked)
    assert not home.ticks(3) & drafting()
    home.approved(blocked)
    assert drafting() <= home.ticks(3)


def test_a_diff_that_was_made_alone_is_put_into_the_draft(home: Home) -> None:
    trained(home)
    home.made("release_diff")
    assert home.tick() == {("release_files", NOW)}


def test_a_draft_that_failed_is_not_asked_for_again(home: Home) -> None:
    home.made("refresh", *DATASETS)
    home.made(*(name for name, _ in training(VARIANT, OTHER)))
    assert home.ticks(3) >= drafting()
    home.fails(*DRAFT)
    assert home.ticks(3) == set()


def models_asked(asked: Asked) -> Asked:
    """Return what of `asked` is a model or a benchmark."""
    return {(name, partition) for name, partition in asked if "/" in name}


def trained(home: Home) -> None:
    """Have the datasets of the release made, and its models trained and judged."""
    home.made("refresh", *DATASETS)
    home.made(*(name for name, _ in training(VARIANT, OTHER)))
    home.made(*DRAFT)
    home.ticks()
    assert home.tick() == set()
