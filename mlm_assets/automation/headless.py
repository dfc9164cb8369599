"""The walk of `mlm run`: every partition of every job, in one process, through Dagster's own instance.

One Dagster run per partition, so that the UI shows each and a retry is small, but without a process per run: that
costs 0.2 s instead of 8. What is current already (made for this release, by today's code, from today's inputs) is left
alone, which is how a run that was killed goes on where it stopped.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dagster import DagsterInstance, ExecuteInProcessResult

from mlm_assets.assets.diffs import NAME as DIFF
from mlm_assets.assets.diffs import is_diff_current
from mlm_assets.assets.provenance import OPTIONAL
from mlm_assets.assets.refresh import partitions_of
from mlm_assets.assets.releases import NAME as FILES
from mlm_assets.assets.reporting import asset_key
from mlm_assets.assets.stage import is_current
from mlm_assets.errors import BlockedByCheck, MlmError, ServiceUnavailable
from mlm_assets.ml.layout import MODEL_FILE, benchmark_file, model_folder
from mlm_assets.ml.recipe import TASKS
from mlm_assets.release.diff.files import DIFF_FILES, diff_folder
from mlm_assets.release.layout import dataset_folder, n_image_files
from mlm_assets.release.manifest import MANIFEST_FILE
from mlm_assets.release.publication import Releases
from mlm_assets.resources.lake import Lake
from mlm_assets.resources.services import FULL_TAG, MODE_TAG, RELEASE_TAG, Mode
from mlm_assets.settings import Settings
from mlm_assets.tables import TRAINED_VARIANTS, VARIANTS

TARGETS: Final = ("candidates", "facts", "media", "refresh", "datasets", "features", "models", "release")
LEARNT: Final = ("features", "models")
"""Targets that a release of datasets alone leaves out."""
RELEASE_TABLES: Final = ("attribution", DIFF, FILES)
"""What `prepare_release` makes, in order; a retry is one of them."""
QUIET: Final = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_HEADLESS: Final = {"mlm/headless": "true", "dagster/max_retries": "0"}
"""A run of ours that was killed is not started again by the daemon: the walk that it was a step of goes on itself."""


@dataclass(frozen=True)
class Leg:
    """One job of the walk: what it materialises, and over which partitions."""

    target: str
    job: str
    tables: tuple[str, ...]
    partitions: tuple[str, ...]
    is_part: bool = False
    """Whether the tables are a part of the job only."""


@dataclass(frozen=True)
class Step:
    """One partition of one leg, as it was done or left alone."""

    leg: Leg
    partition: str
    was_current: bool
    skipped: str | None = None
    """Why the asset itself did nothing, where it did not."""
    blocked: str | None = None
    """What blocked it, where a check did; readers keep what they had."""


def legs(release: str, target: str = "datasets", *, without_models: bool = False) -> list[Leg]:
    """Return the legs of the walk up to `target`, in order; without features and models for datasets alone."""
    shards = tuple(partitions_of("facts"))
    found = [
        Leg(
            "candidates", "list_candidates", ("settlement_classes", "candidates", "changed_facts", "departures"), ("",)
        ),
        Leg("facts", "refresh_entities", ("facts", "settlements", "rejections"), shards),
        Leg("media", "refresh_summaries", ("summaries",), tuple(partitions_of("summaries"))),
        Leg("media", "refresh_images", ("images",), shards),
        Leg("refresh", "write_refresh", ("refresh",), (release,)),
        Leg(
            "datasets",
            "build_datasets",
            ("eligible", "geo_cells", "members", *VARIANTS, "dataset_statistics", "approvals"),
            (release,),
        ),
        Leg("features", "compute_image_features", ("image_features",), shards),
        Leg("features", "compute_text_features", ("text_features",), tuple(partitions_of("text_features"))),
        Leg("features", "compute_class_features", ("class_features",), ("",)),
        *model_legs(release),
        *(Leg("release", "prepare_release", (name,), (release,), True) for name in RELEASE_TABLES),
    ]
    left_out = LEARNT if without_models else ()
    return [leg for leg in found if leg.target not in left_out and TARGETS.index(leg.target) <= TARGETS.index(target)]


def model_legs(release: str, variants: Sequence[str] = TRAINED_VARIANTS, tasks: Sequence[str] = TASKS) -> list[Leg]:
    """Return the legs that train the models of some tasks on some variants and judge them; a retry is one model."""
    legs = []
    for variant in variants:
        legs += [Leg("models", "train_models", (f"{variant}/{task}_model",), (release,), True) for task in tasks]
        if set(tasks) == set(TASKS):
            legs.append(Leg("models", "train_models", (f"{variant}/benchmark",), (release,), True))
    return legs


class Walk:
    """A headless run of one release."""

    def __init__(
        self,
        settings: Settings,
        lake: Lake,
        instance: DagsterInstance,
        release: str,
        mode: Mode,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare to walk; `mode` "replay" makes everything again from stored answers. Runs are tagged with `tags`."""
        from mlm_assets.definitions import defs

        if len(partitions_of("facts")) != settings.shards:
            raise MlmError(
                f"Dagster's definitions were loaded for another home ({len(partitions_of('facts'))} shards) "
                f"than {settings.home} ({settings.shards}). Start a new process."
            )
        self._settings, self._lake, self._instance = settings, lake, instance
        self._release, self._mode, self._tags = release, mode, dict(tags or {})
        self._defs = defs

    def steps(self, walked: Sequence[Leg], say: Callable[[str], Any]) -> Iterator[Step]:
        """Materialise what is not current, and yield each step when it is done.

        A partition that a check blocks does not keep the others of its leg from being made: what is wrong is known
        of all of them at once. Nothing downstream of the leg is touched then.

        Raises:
            BlockedByCheck: checks blocked partitions of a leg; all of them are named.
            MlmError: a step failed for another reason.
        """
        for leg in walked:
            blocked = []
            for partition in leg.partitions:
                step = self._step(leg, partition, say)
                blocked += [step] if step.blocked else []
                yield step
            if blocked:
                raise _blocked(leg, blocked)

    def _step(self, leg: Leg, partition: str, say: Callable[[str], Any]) -> Step:
        if self._mode != "replay" and self.is_done(leg, partition) and not self._is_doubted(leg):
            return Step(leg, partition, True)
        try:
            return Step(leg, partition, False, self._materialise(leg, partition, say))
        except BlockedByCheck as error:
            return Step(leg, partition, False, blocked=str(error))

    def is_done(self, leg: Leg, partition: str) -> bool:
        """Tell whether nothing is left to do for a partition of a leg."""
        is_full = FULL_TAG in self._tags
        for table in leg.tables:
            if not is_current(self._lake, self._settings, table, partition, self._release, is_full=is_full):
                return False
        if DIFF in leg.tables and not is_diff_current(self._lake, self._settings, partition):
            return False
        if FILES in leg.tables and not self._is_drafted(partition):
            return False
        variants = [table for table in leg.tables if table in VARIANTS]
        return all(self._is_whole(partition, name) for name in variants) and all(
            (self._settings.home / file).is_file() for table in leg.tables for file in written_files(table, partition)
        )

    def _is_doubted(self, leg: Leg) -> bool:
        """Tell whether what a leg has is asked for again: it asked for shards whose facts are not accepted.

        Answers that are the same make the same versions, so that shards which are accepted stay as they are.
        """
        if self._mode != "refetch" or "changed_facts" not in leg.tables:
            return False
        pointers = [self._lake.accepted("facts", shard) for shard in partitions_of("facts")]
        return any(one is None or one.release != self._release for one in pointers)

    def _is_drafted(self, release: str) -> bool:
        """Tell whether a release is drafted or published with all that there is of it by now, models too."""
        drafted, releases = self._lake.require(FILES, release), Releases(self._settings.home, release)
        has_folder = (releases.draft / MANIFEST_FILE).is_file() or releases.newest() is not None
        there = [name for name in OPTIONAL if self._lake.accepted(name, release) is not None]
        return has_folder and all(f"{name}/{release}" in drafted.inputs for name in there)

    def _is_whole(self, release: str, variant: str) -> bool:
        """Tell whether the folder of a variant has its records and all of its images."""
        folder = dataset_folder(release, variant)
        rows = self._lake.read(self._lake.require(variant, release))
        n_files = len(self._lake.list_names(f"{folder}/images"))
        return self._lake.exists(f"{folder}/{variant}.json") and n_files == n_image_files(rows)

    def _materialise(self, leg: Leg, partition: str, say: Callable[[str], Any]) -> str | None:
        what = leg.tables[0] if leg.is_part else leg.job
        say(f"{what} {partition}".strip())
        result = self._defs.resolve_job_def(leg.job).execute_in_process(
            instance=self._instance,
            partition_key=partition or None,
            asset_selection=[asset_key(table) for table in leg.tables] if leg.is_part else None,
            tags={RELEASE_TAG: self._release, MODE_TAG: self._mode, **_HEADLESS, **self._tags},
            run_config=QUIET,
            raise_on_error=False,
        )
        if not result.success:
            raise _failure(leg, partition, result)
        return _skipped(result)


def pinned_settings(lake: Lake, release: str) -> dict[str, str]:
    """Return the settings that the manifest of a release pins, where it was made before; they stay what they were."""
    accepted = lake.accepted("refresh", release)
    inputs = accepted.inputs if accepted is not None else {}
    return {key.removeprefix("setting:"): value for key, value in inputs.items() if key.startswith("setting:")}


def written_files(table: str, partition: str) -> list[Path]:
    """Return the files, below the home, that come with a version of a table."""
    if table == DIFF:
        return [diff_folder(Path(), partition) / name for name in DIFF_FILES]
    variant, _, name = table.rpartition("/")
    if name == "benchmark":
        return [benchmark_file(Path(), partition, variant)]
    task = name.removesuffix("_model")
    return [model_folder(Path(), partition, variant, task) / MODEL_FILE] if task in TASKS else []


def _skipped(result: ExecuteInProcessResult) -> str | None:
    """Return why the asset of a run did nothing, where it said so."""
    for event in result.all_events:
        if event.is_asset_observation:
            said = event.asset_observation_data.asset_observation.metadata.get("skipped")
            if said is not None:
                return str(said.value)
    return None


def _blocked(leg: Leg, steps: Sequence[Step]) -> BlockedByCheck:
    """Return the error that names the partitions of a leg that checks blocked, the first of them in full."""
    n, named = len(steps), ", ".join(step.partition for step in steps[:6] if step.partition)
    several = f" (and {n - 1} more of {leg.job}: {named}{', …' if n > 6 else ''})" if n > 1 else ""
    return BlockedByCheck(
        f"{steps[0].blocked}{several} Readers keep what they had; the rejected versions are kept beside it. "
        "See `mlm status`; let them through with `mlm approve`, or mend the cause and run again with --refetch."
    )


def _failure(leg: Leg, partition: str, result: ExecuteInProcessResult) -> MlmError:
    where = f"{leg.job} {partition}".strip() + f" (run {result.run_id})"
    kind, sentence = _error(result)
    if kind == BlockedByCheck.__name__:
        return BlockedByCheck(f"{where} is blocked by a check: {sentence}")
    is_service = kind in {one.__name__ for one in _below(ServiceUnavailable)}
    return (ServiceUnavailable if is_service else MlmError)(f"{where} failed: {sentence}")


def error_of(result: ExecuteInProcessResult) -> MlmError:
    """Return the error of a failed run as the user meets it: of our own class where it was one of ours."""
    kind, sentence = _error(result)
    ours = {one.__name__: one for one in _below(MlmError)}
    return ours.get(kind or "", MlmError)(sentence)


def _error(result: ExecuteInProcessResult) -> tuple[str | None, str]:
    """Return class and sentence of our own error in a failed run, else those of the innermost error."""
    for event in result.all_events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            while error is not None and error.cause is not None and not _is_ours(error.cls_name):
                error = error.cause
            return (error.cls_name, _sentence(error.message)) if error is not None else (None, "no reason given")
    return None, "the run failed before a step began; see the UI"


def _is_ours(class_name: str | None) -> bool:
    return class_name in {one.__name__ for one in _below(MlmError)}


def _below(kind: type[MlmError]) -> set[type[MlmError]]:
    return {kind}.union(*(_below(child) for child in kind.__subclasses__()))


def _sentence(message: str) -> str:
    """Return an error's message without the path of its class in front."""
    return re.sub(r"^[\w.]+: ", "", message.strip())
