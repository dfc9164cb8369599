"""The jobs: which assets are materialised together. A job cannot mix partitions definitions, so each has one."""

from typing import Final

import dagster as dg

from mlm_assets.tables import BENCHMARKS, MODELS, VARIANTS

LIST_CANDIDATES: Final = dg.define_asset_job(
    "list_candidates",
    selection=["settlement_classes", "candidates"],
    description="Class list and candidates: what there is to look at.",
    executor_def=dg.in_process_executor,
)
REFRESH_ENTITIES: Final = dg.define_asset_job(
    "refresh_entities",
    selection=["facts", "settlements", "rejections"],
    description="Facts of one shard, and who of its candidates is a settlement.",
    executor_def=dg.in_process_executor,
)
REFRESH_SUMMARIES: Final = dg.define_asset_job(
    "refresh_summaries",
    selection=["summaries"],
    description="Lead texts of one shard in one language.",
    executor_def=dg.in_process_executor,
)
REFRESH_IMAGES: Final = dg.define_asset_job(
    "refresh_images",
    selection=["images"],
    description="Pictures of one shard.",
    executor_def=dg.in_process_executor,
)
WRITE_REFRESH: Final = dg.define_asset_job(
    "write_refresh",
    selection=["refresh"],
    description="Pin what a release is made of. Everything by release follows by automation.",
    executor_def=dg.in_process_executor,
)
BUILD_DATASETS: Final = dg.define_asset_job(
    "build_datasets",
    selection=["eligible", "geo_cells", "members", *VARIANTS, "dataset_statistics"],
    description="Everything of a release that follows from its refresh, in one go.",
    executor_def=dg.in_process_executor,
)
COMPUTE_IMAGE_FEATURES: Final = dg.define_asset_job(
    "compute_image_features",
    selection=["image_features"],
    description="Vectors of one shard's pictures that have none yet.",
    executor_def=dg.in_process_executor,
)
COMPUTE_TEXT_FEATURES: Final = dg.define_asset_job(
    "compute_text_features",
    selection=["text_features"],
    description="Vectors of one shard's lead texts in one language that have none yet.",
    executor_def=dg.in_process_executor,
)
COMPUTE_CLASS_FEATURES: Final = dg.define_asset_job(
    "compute_class_features",
    selection=["class_features"],
    description="Vectors of the class labels that have none yet.",
    executor_def=dg.in_process_executor,
)
TRAIN_MODELS: Final = dg.define_asset_job(
    "train_models",
    selection=[table.name for table in (*MODELS, *BENCHMARKS)],
    description="The six models of a release, one after the other, and the two benchmarks.",
    executor_def=dg.in_process_executor,
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
)
