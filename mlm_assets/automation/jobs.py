"""The jobs: which assets are materialised together. A job cannot mix partitions definitions, so each has one."""

from collections.abc import Sequence
from typing import Final

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from mlm_assets.assets.reporting import asset_key
from mlm_assets.tables import BENCHMARKS, MODELS, VARIANTS


def _job(name: str, selection: Sequence[str], description: str) -> UnresolvedAssetJobDefinition:
    """Return a job that runs in one process: its steps are few, and a process each would cost more than they do.

    The steps that run checks again are left out: an asset reports what its checks said by itself.
    """
    assets = dg.AssetSelection.assets(*(asset_key(table) for table in selection)).without_checks()
    return dg.define_asset_job(name, selection=assets, description=description, executor_def=dg.in_process_executor)


LIST_CANDIDATES: Final = _job(
    "list_candidates",
    selection=["settlement_classes", "candidates", "changed_facts", "departures"],
    description="Class list and candidates: what there is to look at, what changed, and who is not there any more.",
)
REFRESH_ENTITIES: Final = _job(
    "refresh_entities",
    selection=["facts", "settlements", "rejections"],
    description="Facts of one shard, and who of its candidates is a settlement.",
)
REFRESH_SUMMARIES: Final = _job(
    "refresh_summaries",
    selection=["summaries"],
    description="Lead texts of one shard in one language.",
)
REFRESH_IMAGES: Final = _job(
    "refresh_images",
    selection=["images"],
    description="Pictures of one shard.",
)
WRITE_REFRESH: Final = _job(
    "write_refresh",
    selection=["refresh"],
    description="Pin what a release is made of. Everything by release follows by automation.",
)
BUILD_DATASETS: Final = _job(
    "build_datasets",
    selection=["eligible", "geo_cells", "members", *VARIANTS, "dataset_statistics", "approvals"],
    description="Everything of a release that follows from its refresh, in one go.",
)
COMPUTE_IMAGE_FEATURES: Final = _job(
    "compute_image_features",
    selection=["image_features"],
    description="Vectors of one shard's pictures that have none yet.",
)
COMPUTE_TEXT_FEATURES: Final = _job(
    "compute_text_features",
    selection=["text_features"],
    description="Vectors of one shard's lead texts in one language that have none yet.",
)
COMPUTE_CLASS_FEATURES: Final = _job(
    "compute_class_features",
    selection=["class_features"],
    description="Vectors of the class labels that have none yet.",
)
TRAIN_MODELS: Final = _job(
    "train_models",
    selection=[table.name for table in (*MODELS, *BENCHMARKS)],
    description="The six models of a release, one after the other, and the two benchmarks.",
)
PREPARE_RELEASE: Final = _job(
    "prepare_release",
    selection=["attribution", "release_diff", "release_files"],
    description="Rights, what changed since the release before, and the drafted folder of a release.",
)

JOBS: Final = (
    LIST_CANDIDATES,
    REFRESH_ENTITIES,
    REFRESH_SUMMARIES,
    REFRESH_IMAGES,
    WRITE_REFRESH,
    BUILD_DATASETS,
    COMPUTE_IMAGE_FEATURES,
    COMPUTE_TEXT_FEATURES,
    COMPUTE_CLASS_FEATURES,
    TRAIN_MODELS,
    PREPARE_RELEASE,
)
