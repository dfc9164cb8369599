"""Group release: whose every text and picture of a release is, and what of it is held back from publication.

The datasets of the home are not touched by it: what is withheld is left out of published files alone (`freezing`). What
a licence is called is said by `release.licences`, what is withheld by `release.rights`.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import dagster as dg

from mlm_assets.assets.articles import TEXT_LICENCE
from mlm_assets.assets.manifest import Manifest
from mlm_assets.assets.reporting import Progress, counts_table
from mlm_assets.assets.stage import Stage, described
from mlm_assets.automation.conditions import FOLLOW_THE_REFRESH
from mlm_assets.lineage.addresses import file_address, revision_address, wikipedia
from mlm_assets.media.faces import open_detector
from mlm_assets.partitions import RELEASES
from mlm_assets.release.licences import licence_id
from mlm_assets.release.plain import plain
from mlm_assets.release.rights import RightsPolicy, of_the_picture, withheld
from mlm_assets.resources.faces import face_shares
from mlm_assets.resources.lake import Lake, Version, arrow_schema
from mlm_assets.resources.services import LakeResource
from mlm_assets.tables import VARIANTS, WITHHELD_REASONS

TEXT_LICENCE_URL: Final = "https://creativecommons.org/licenses/by-sa/4.0/"
TEXT_AUTHOR: Final = "Wikipedia contributors"
_OF_FILES: Final = ("qid", "file", "picture_sha256", "width_px", "height_px", "deletion_reason")
_REPORTED: Final = 40


@dg.asset(
    **described("attribution", {"duckdb", "sql"}),
    partitions_def=RELEASES,
    deps=["refresh", *VARIANTS],
    automation_condition=FOLLOW_THE_REFRESH,
)
def attribution(context: dg.AssetExecutionContext, lake: LakeResource) -> Iterator[dg.MaterializeResult]:
    """Say of each text and picture whose it is and under which licence, and hold back what may not be published."""
    stage = Stage(context, lake)
    policy = RightsPolicy.of_settings(
        stage.setting("allowed_licences"), stage.setting("face_detector"), stage.setting("max_face_share")
    )
    sources = stage.lake.transform(
        "attribution",
        {
            **{variant: [stage.version(variant, stage.partition)] for variant in VARIANTS},
            "files": _files(stage.lake, Manifest(stage).versions("images")),
        },
    )
    faces = _faces(stage.lake, policy, sources, context.log.info)
    rows = attribution_rows(sources, policy, faces)
    yield from stage.publish_one("attribution", rows, metadata=_metadata(rows, policy))


def attribution_rows(sources: Any, policy: RightsPolicy, faces: Mapping[str, float]) -> Any:
    """Return the rows of `attribution` from those of `sql/attribution.sql`.

    `faces` maps the SHA-256 of padded pictures to the share of them that a face covers, where a detector looked.
    """
    import pyarrow as pa

    schema = arrow_schema("attribution")
    plain_of, id_of = _once(plain), _once(licence_id)
    parts = [_record(row, policy, faces, plain_of, id_of) for row in _rows_of(sources)]
    return pa.Table.from_pylist(parts, schema=schema)


def _record(
    row: Mapping[str, Any],
    policy: RightsPolicy,
    faces: Mapping[str, float],
    plain_of: Callable[..., Any],
    id_of: Callable[..., Any],
) -> dict[str, Any]:
    if row["kind"] == "text":
        is_usual = row["licence"] == TEXT_LICENCE
        return {
            **row,
            "source_url": revision_address(wikipedia(row["lang"]), row["revision"]),
            "licence_id": id_of(row["licence"], None),
            "licence_url": TEXT_LICENCE_URL if is_usual else None,
            "author": TEXT_AUTHOR,
        }
    identifier = id_of(row["licence"], row["licence_url"])
    share = faces.get(row["picture_sha256"])
    face = None if share is None else of_the_picture(share, row["width_px"], row["height_px"])
    return {
        **row,
        "source_url": file_address(row["file"]),
        "licence_id": identifier,
        "licence": plain_of(row["licence"]),
        "author": plain_of(row["author"]),
        "credit": plain_of(row["credit"]),
        "face_fraction": face,
        "withheld": withheld(policy, identifier, row["deletion_reason"], face),
    }


def _rows_of(sources: Any) -> Iterator[dict[str, Any]]:
    for batch in sources.to_batches(max_chunksize=10_000):
        yield from batch.to_pylist()


def _once(work: Callable[..., Any]) -> Callable[..., Any]:
    """Return `work` with its answers kept: a few hundred licences and authors stand under most pictures."""
    known: dict[Any, Any] = {}

    def remembered(*given: Any) -> Any:
        if given not in known:
            known[given] = work(*given)
        return known[given]

    return remembered


def _files(lake: Lake, versions: Sequence[Version]) -> Any:
    """Return what the pinned versions of `images` know of files; those of older code know of no nominations."""
    import pyarrow as pa

    schema = pa.schema([arrow_schema("images").field(name) for name in _OF_FILES])
    parts = []
    for version in versions:
        rows = lake.read(version)
        parts.append(rows.select([name for name in _OF_FILES if name in rows.column_names]))
    return pa.concat_tables([schema.empty_table(), *parts], promote_options="default").select(list(_OF_FILES))


def _faces(lake: Lake, policy: RightsPolicy, sources: Any, say: Callable[[str], Any]) -> dict[str, float]:
    detector = open_detector(policy.face_detector)
    if detector is None:
        return {}
    pairs = zip(sources["picture_sha256"].to_pylist(), sources["path"].to_pylist(), strict=True)
    pictures = {sha256: path for sha256, path in pairs if sha256 is not None}
    progress = Progress(say, "pictures looked at for faces", len(pictures))
    return face_shares(lake, detector, pictures, progress.advance)


def _metadata(rows: Any, policy: RightsPolicy) -> dict[str, Any]:
    pictures = [row for row in _rows_of(rows.select(_SHOWN)) if row["kind"] == "image"]
    licences = Counter(row["licence_id"] for row in pictures)
    reasons = Counter(row["withheld"] for row in pictures if row["withheld"])
    return {
        "texts": rows.num_rows - len(pictures),
        "images": len(pictures),
        "images_withheld": reasons.total(),
        "per_licence": counts_table("licence of pictures", licences),
        "per_reason": counts_table("why withheld", reasons, WITHHELD_REASONS),
        "policy": dg.MetadataValue.json(policy.as_json()),
        "held_back": dg.MetadataValue.md(held_back(pictures, policy)),
    }


_SHOWN: Final = ["kind", "qid", "name", "file", "source_url", "licence_id", "licence", "face_fraction", "withheld"]


def held_back(pictures: Sequence[Mapping[str, Any]], policy: RightsPolicy) -> str:
    """Return the report of what is held back, as Markdown: counts by reason and licence, and the first files.

    `pictures` are the rows of `attribution` that are pictures.
    """
    kept_back = [row for row in pictures if row["withheld"]]
    published = {row["qid"] for row in pictures if not row["withheld"]}
    bare = {row["qid"] for row in kept_back} - published
    lines = [
        f"{len(kept_back):,} of {len(pictures):,} pictures ({len({row['file'] for row in kept_back}):,} files) are "
        f"held back; {len(bare):,} settlements are published without any picture. Texts are all published.",
        "",
        f"Allowed licences: {', '.join(f'`{one}`' for one in policy.allowed_licences) or 'none'}. Faces: "
        f"detector `{policy.face_detector}`, at most {policy.max_face_share:.0%} of a picture.",
    ]
    if not kept_back:
        return "\n".join(lines)
    lines += ["", "| why | licence | pictures | files |", "| --- | --- | ---: | ---: |"]
    groups = Counter((row["withheld"], row["licence_id"]) for row in kept_back)
    files = Counter(pair for pair, _ in {((row["withheld"], row["licence_id"]), row["file"]) for row in kept_back})
    order = list(WITHHELD_REASONS)
    for (reason, licence), n in sorted(groups.items(), key=lambda one: (order.index(one[0][0]), -one[1], one[0][1])):
        lines.append(f"| {WITHHELD_REASONS[reason]} | {licence} | {n:,} | {files[reason, licence]:,} |")
    lines += ["", "| settlement | file | why | face |", "| --- | --- | --- | ---: |"]
    for row in kept_back[:_REPORTED]:
        face = "" if row["face_fraction"] is None else f"{row['face_fraction']:.0%}"
        lines.append(f"| {row['qid']} | [{_shown(row['file'])}]({row['source_url']}) | {row['withheld']} | {face} |")
    if len(kept_back) > _REPORTED:
        lines += ["", f"… and {len(kept_back) - _REPORTED:,} more: `attribution` where `withheld` is not null."]
    return "\n".join(lines)


def _shown(name: str) -> str:
    """Return a name of Commons that is no Markdown of ours."""
    return "".join(f"\\{one}" if one in "\\`*_[]<>|" else one for one in name)
