"""Group features: vectors of pictures, texts and class labels by pretrained encoders, computed once per content.

The vectors lie in the feature store (`ml.features`); the tables say where. What is in the store already is not
computed again, whatever its shard or release: a refresh computes what is new, and another encoder starts a family of
its own beside the old. A dataset needs none of this: features follow their shard, and training computes what lacks.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import dagster as dg

from mlm_assets.assets.refresh import partitions_of
from mlm_assets.assets.reporting import Progress
from mlm_assets.assets.stage import Rule, Stage, described
from mlm_assets.automation.conditions import FOLLOW_THE_REFRESH
from mlm_assets.ml.assembly import NO_LABEL, picture_key, text_key
from mlm_assets.ml.features import Computed
from mlm_assets.partitions import SHARDS, SHARDS_BY_LANGUAGE
from mlm_assets.resources.encoders import EncoderResource, Encoders, Modality
from mlm_assets.resources.services import LakeResource
from mlm_assets.tables import TABLES

GPU_POOL: Final = "gpu"
READABLE_RULE: Final = "pictures_are_readable"


@dg.asset(
    **described(
        "image_features",
        {"torch", "numpy"},
        advisory={READABLE_RULE: "Every stored picture of the shard could be read, and so has a vector."},
    ),
    pool=GPU_POOL,
    partitions_def=SHARDS,
    deps=["images"],
    automation_condition=FOLLOW_THE_REFRESH,
)
def image_features(
    context: dg.AssetExecutionContext, lake: LakeResource, encoders: EncoderResource
) -> Iterator[dg.MaterializeResult]:
    """Compute the vectors of this shard's pictures that no encoder of this name has seen yet."""
    stage = Stage(context, lake)
    pictures = stage.lake.read(stage.version("images", stage.partition)).select(["status", "path"]).to_pylist()
    paths = sorted({row["path"] for row in pictures if row["status"] == "ok"})
    yield from _compute_and_publish(
        stage, context, encoders.open(), "image_features", {picture_key(path): path for path in paths}
    )


@dg.asset(
    **described("text_features", {"torch", "numpy"}),
    pool=GPU_POOL,
    partitions_def=SHARDS_BY_LANGUAGE,
    deps=["summaries"],
    automation_condition=FOLLOW_THE_REFRESH,
)
def text_features(
    context: dg.AssetExecutionContext, lake: LakeResource, encoders: EncoderResource
) -> Iterator[dg.MaterializeResult]:
    """Compute the vectors of one shard's lead texts in one language that no encoder of this name has read yet."""
    stage = Stage(context, lake)
    rows = stage.lake.read(stage.version("summaries", stage.partition)).select(["status", "text_sha256", "text"])
    texts = {row["text_sha256"]: row["text"] for row in rows.to_pylist() if row["status"] == "ok"}
    yield from _compute_and_publish(stage, context, encoders.open(), "text_features", texts)


@dg.asset(
    **described("class_features", {"torch", "numpy"}),
    pool=GPU_POOL,
    deps=[dg.AssetDep("settlements", partition_mapping=dg.AllPartitionMapping())],
    automation_condition=FOLLOW_THE_REFRESH,
)
def class_features(
    context: dg.AssetExecutionContext, lake: LakeResource, encoders: EncoderResource
) -> Iterator[dg.MaterializeResult]:
    """Compute the vectors of the English labels of all classes of all settlements that have none yet."""
    stage = Stage(context, lake)
    versions = [stage.version("settlements", shard) for shard in partitions_of("settlements")]
    listed = (labels for one in versions for labels in stage.lake.read(one)["class_labels"].to_pylist())
    labels = sorted({label for labels in listed for label in labels} | {NO_LABEL})
    yield from _compute_and_publish(
        stage, context, encoders.open(), "class_features", {text_key(label): label for label in labels}
    )


def _compute_and_publish(
    stage: Stage, context: dg.AssetExecutionContext, encoders: Encoders, name: str, contents: Mapping[str, str]
) -> Iterator[dg.MaterializeResult]:
    """Compute what is missing of `contents` (by key), and publish where all of them lie."""
    modality: Modality = "image" if name == "image_features" else "text"
    stage.setting(f"{modality}_encoder")
    progress = Progress(context.log.info, f"{name} {stage.partition}".strip(), len(contents))
    computed = encoders.compute(modality, contents, progress.advance)
    context.log.info(
        f"{name} {stage.partition}: {computed.n_new:,} new vectors, {computed.per_s:,.1f} a second; "
        f"{computed.n_known:,} were known"
    )
    yield from stage.publish_one(
        name,
        feature_rows(encoders, name, modality, contents),
        rules=[_readable_rule(computed, contents)] if modality == "image" else [],
        # A picture that cannot be read deserves another try, as what a service did not give.
        n_unavailable=len(computed.unreadable),
        metadata=_metadata(encoders, modality, computed),
    )


def feature_rows(encoders: Encoders, name: str, modality: Modality, contents: Mapping[str, str]) -> Any:
    """Return the rows of a feature table: one per content and encoder, of every encoder that has its vector."""
    import numpy as np
    import pyarrow as pa

    from mlm_assets.resources.lake import arrow_schema

    keys = np.array(list(contents), np.str_)
    parts = [arrow_schema(name).empty_table()]
    for family in encoders.families(modality):
        mine = keys[family.known(keys)]
        blocks, rows = family.locate(mine)
        columns = {
            TABLES[name].columns[0].name: mine.tolist(),
            "encoder": [family.encoder] * len(mine),
            "label": [contents[key] for key in mine.tolist()],
            "block": blocks.tolist(),
            "block_row": rows,
            "dimension": [family.dimension] * len(mine),
        }
        schema = arrow_schema(name)
        parts.append(pa.table({column: columns[column] for column in schema.names}, schema=schema))
    return pa.concat_tables(parts)


def _readable_rule(computed: Computed, contents: Mapping[str, str]) -> Rule:
    n = len(computed.unreadable)
    return Rule(
        READABLE_RULE,
        n == 0,
        f"{n:,} of {len(contents):,} pictures cannot be read; remove them and materialise images of this shard again"
        if n
        else f"all {len(contents):,} pictures could be read",
        {"unreadable": ", ".join(contents[key] for key in computed.unreadable[:20])},
        is_blocking=False,
    )


def _metadata(encoders: Encoders, modality: Modality, computed: Computed) -> dict[str, Any]:
    store = encoders.store(modality)
    return {
        "encoder": store.encoder,
        "dimension": store.dimension,
        "n_new": computed.n_new,
        "n_known": computed.n_known,
        "vectors_per_s": round(computed.per_s, 1),
        "vectors": len(store),
        "bytes": store.size_bytes(),
        "features": dg.MetadataValue.path(str(store.folder)),
    }
