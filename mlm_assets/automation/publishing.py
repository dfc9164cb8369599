"""Publication of a release: what `mlm publish` and the job `publish_release` of the UI both do.

The draft is held against its checksums and against what is accepted now; how the folder then becomes a version is in
`release.publication`.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from mlm_assets.assets.provenance import require_accepted, require_one_refresh
from mlm_assets.assets.releases import NAME, release_lock
from mlm_assets.assets.reporting import asset_key, record_event
from mlm_assets.errors import Refused
from mlm_assets.release.frozen import Say
from mlm_assets.release.publication import Publication, Releases
from mlm_assets.releases import check_release
from mlm_assets.resources.lake import Lake, utc_now
from mlm_assets.resources.services import LakeResource
from mlm_assets.settings import Settings


class PublicationConfig(dg.Config):
    """Which release is published, by whom, and why (a second version needs a reason)."""

    release: str
    by: str
    reason: str = ""


def publish(lake: Lake, settings: Settings, release: str, by: str, reason: str, say: Say) -> Publication:
    """Publish the draft of a release as its next version, and return who published which one, when and why.

    Whoever was killed while he published completes it with the same command.

    Raises:
        Refused: there is no draft; its bytes are not those of its checksums; what it was made from is not accepted (any
            more), rejected, or of several refreshes; it would be published over an existing version; a second version
            comes without a reason; or nobody is named.
    """
    from mlm_assets.release.metadata import documents

    check_release(release, settings)
    if not by.strip():
        raise Refused("A publication needs a name (--by): it is kept with the release.")
    releases = Releases(settings.home, release)
    with release_lock(settings, release):
        if not releases.is_begun():
            _require_accepted(lake, releases)
        return releases.publish(by.strip(), utc_now(), reason.strip(), documents, say)


def observation(releases: Releases, publication: Publication) -> dg.AssetObservation:
    """Return what the page of `release_files` shows of a publication."""
    folder = releases.version(publication.version)
    sentence = f"Published as v{publication.version} by {publication.by}"
    said: Mapping[str, Any] = {
        "published": dg.MetadataValue.path(str(folder)),
        "page": dg.MetadataValue.url((folder / "index.html").absolute().as_uri()),
        "by": publication.by,
        "at": publication.at,
        "reason": publication.reason or "first version",
        "manifest_sha256": publication.manifest_sha256,
    }
    return dg.AssetObservation(asset_key(NAME), sentence, said, partition=releases.release)


def _require_accepted(lake: Lake, releases: Releases) -> None:
    manifest = releases.draft_manifest()
    require_one_refresh(lake, releases.release)
    require_accepted(lake, releases.release, manifest["inputs"])
    accepted = lake.accepted(NAME, releases.release)
    listed = {row["path"]: row["sha256"] for row in lake.read(accepted).to_pylist()} if accepted else {}
    if listed != {file["path"]: file["sha256"] for file in manifest["files"]}:
        raise Refused(
            f"The draft of {releases.release} is not the one that was accepted: its files are not those of the table "
            f"{NAME}. Materialise {NAME} of {releases.release} again."
        )


@dg.op(description="Verify the draft of a release and publish it: who, when and why are kept, the files never change.")
def publish_draft(context: dg.OpExecutionContext, config: PublicationConfig, lake: LakeResource) -> int:
    """Publish what the configuration names; return the number of the version.

    Raises:
        Refused: see `publish`.
    """
    settings = lake.settings()
    made = publish(lake.open(), settings, config.release, config.by, config.reason, context.log.info)
    record_event(context, observation(Releases(settings.home, config.release), made))
    return made.version


@dg.job(
    name="publish_release",
    description="Publish the draft of a release: fill in release, your name, and from the second version on a reason.",
    executor_def=dg.in_process_executor,
)
def publish_release() -> None:
    """Publish a release from the UI."""
    publish_draft()
