"""Group release: the drafted folder of a release, complete and documented, for a maintainer to look at and publish."""

import shutil
from collections.abc import Iterator, Mapping
from typing import Any, Final

import dagster as dg
from filelock import FileLock

from mlm_assets.assets.entities import rows_of
from mlm_assets.assets.freezing import checks_of, freeze, same_content
from mlm_assets.assets.models import skipped
from mlm_assets.assets.provenance import REQUIRED
from mlm_assets.assets.reporting import asset_key, counts_table
from mlm_assets.assets.stage import Stage, described_spec
from mlm_assets.automation.conditions import DRAFT_THE_RELEASE
from mlm_assets.partitions import RELEASES
from mlm_assets.release.frozen import Frozen
from mlm_assets.release.publication import Releases, read_manifest
from mlm_assets.resources.encoders import EncoderResource
from mlm_assets.resources.services import LakeResource
from mlm_assets.settings import Settings
from mlm_assets.tables import BENCHMARKS

NAME: Final = "release_files"
_PAGE: Final = "index.html"


@dg.multi_asset(
    name=NAME,
    specs=[
        described_spec(
            NAME,
            {"files", "json", "python"},
            deps=[asset_key(name) for name in (*REQUIRED, *(table.name for table in BENCHMARKS))],
            automation_condition=DRAFT_THE_RELEASE,
            skippable=True,
        )
    ],
    partitions_def=RELEASES,
)
def release_files(
    context: dg.AssetExecutionContext, lake: LakeResource, encoders: EncoderResource
) -> Iterator[dg.MaterializeResult]:
    """Freeze what is accepted of a release and write it in every format; a maintainer publishes the draft."""
    from mlm_assets.release.builder import build
    from mlm_assets.release.metadata import documents

    stage = Stage(context, lake)
    releases = Releases(stage.settings.home, stage.partition)
    with release_lock(stage.settings, stage.partition):
        number = max(releases.versions(), default=0) + 1
        frozen = freeze(stage.lake, stage.settings, stage.partition, number, encoders=encoders.open())
        _note_inputs(stage, frozen)
        newest = releases.newest()
        if newest is not None and same_content(frozen, read_manifest(newest)):
            # A draft that was made in between is of something that nobody wants any more.
            shutil.rmtree(releases.draft, ignore_errors=True)
            yield from skipped(context, NAME, f"{newest.name} is published and holds the same")
            return
        manifest = build(frozen, releases.draft, documents, checks_of(stage.lake, frozen), context.log.info)
    yield from stage.publish_one(NAME, rows_of(NAME, manifest["files"]), metadata=_shown(releases, manifest))


def release_lock(settings: Settings, release: str) -> FileLock:
    """Return the lock of the folders of a release: one process at a time makes, publishes or purges them."""
    folder = settings.home / ".locks"
    folder.mkdir(parents=True, exist_ok=True)
    return FileLock(str(folder / f"release-{release}.lock"))


def _note_inputs(stage: Stage, frozen: Frozen) -> None:
    """Record what the release was made from, so that it is made again when that changes."""
    for one in frozen.inputs:
        stage.version(one.table, one.partition)
    stage.setting("release_formats")
    if frozen.encoders:
        stage.setting("image_encoder")
        stage.setting("text_encoder")


def _shown(releases: Releases, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is shown of a draft: where it lies, what it holds, what it lacks."""
    sizes: dict[str, int] = {}
    for file in manifest["files"]:
        sizes[file["format"]] = sizes.get(file["format"], 0) + file["size_bytes"]
    variants = {variant: figures["entities"] for variant, figures in manifest["variants"].items()}
    page = releases.draft / _PAGE
    return {
        "release": dg.MetadataValue.path(str(releases.draft)),
        "page": dg.MetadataValue.url(page.absolute().as_uri()),
        "release_version": manifest["version"],
        "settlements": counts_table("variant", variants),
        "bytes_per_format": counts_table("format", sizes),
        "withheld_pictures": counts_table("reason", manifest["withheld"]),
        "tombstones": len(manifest["tombstones"]),
        "lacking": "\n".join(manifest["notes"]) or "nothing",
    }
