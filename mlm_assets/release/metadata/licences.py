"""LICENSES.md: which part of the release stands under what, what is held back and why, and how to attribute."""

from mlm_assets.release.manifest import LICENCES
from mlm_assets.release.metadata import grids, words
from mlm_assets.release.metadata.grids import Cell, Code, Grid, Link, is_folder
from mlm_assets.release.metadata.text import bullets, markdown_document, markdown_section, markdown_table
from mlm_assets.release.metadata.words import Manifest


def render(manifest: Manifest) -> bytes:
    """Return LICENSES.md."""
    allowed = manifest["rights"].get("allowed_licences", ())
    return markdown_document(
        f"# Licences of {words.title(manifest)}",
        "The release has content of several kinds, which stand under different licences. No licence covers all of it.",
        markdown_table(_kinds()),
        "## Which file stands under what",
        markdown_table(_files(manifest)),
        "## How to attribute",
        _attribution(),
        markdown_section(grids.picture_licences(manifest)),
        "Names are those that Commons gives; `attribution.parquet` has the SPDX identifier of each in `licence_id`.",
        markdown_section(grids.withheld(manifest)),
        "Held-back pictures are in no file of this release; the settlements they show stay in it. Their rows are in "
        "`attribution.parquet`, with the reason in `withheld`.",
        "Pictures are published where their licence is one of:\n\n"
        + bullets([f"`{pattern}`" for pattern in allowed] or ["none"]),
        _faces(manifest),
        markdown_section(grids.tombstones(manifest)),
    )


def _kinds() -> Grid:
    rows: list[tuple[Cell, ...]] = [
        (Code(key), meaning.replace("`", ""), words.LICENCE_URLS.get(key, "as the file or row says"))
        for key, meaning in LICENCES.items()
    ]
    return Grid("kinds", "Kinds", ("key", "what", "licence"), tuple(rows))


def _files(manifest: Manifest) -> Grid:
    rows: list[tuple[Cell, ...]] = [
        (Code(file["path"]) if is_folder(file) else Link(file["path"]), Code(file["licence"]))
        for file in manifest["files"]
    ]
    return Grid("licence_of_files", "Files", ("file", "stands under"), tuple(rows))


def _attribution() -> str:
    return bullets(
        [
            "Facts (`CC0-1.0`) need no attribution; naming Wikidata is good manners.",
            "A text needs the title of its article with a link to the revision (`source_url`), the words "
            "“Wikipedia authors”, and the licence with a link to it; what is made from it is shared alike.",
            "A picture needs its author, its credit line where there is one, its licence with a link to it, a link to "
            "the file's page (`source_url`), and a note that it was scaled and padded.",
            "All of these stand in `attribution.parquet`, one row per text and picture: join on `kind`, `qid`, `name`.",
        ]
    )


def _faces(manifest: Manifest) -> str:
    rights = manifest["rights"]
    if rights.get("face_detector", "none") == "none":
        return "No detector of faces looked at the pictures of this release."
    return (
        f"The detector `{rights['face_detector']}` looked at every picture; one in which a face covers more than "
        f"`{rights['max_face_share']}` of the surface is held back."
    )
