"""Metadata of a release: one module per document, each rendered from the manifest and from nothing else.

Figures come from the manifest through `grids`; descriptions of columns from the table registry; the only date is
`manifest["created"]`. The same manifest gives the same bytes. What a release holds is counted elsewhere
(`release.manifest`); what is deposited in an archive is the business of `release.deposit`.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from mlm_assets.release.metadata import (
    card,
    citation,
    croissant,
    data_package,
    datacite,
    datasheet,
    licences,
    page,
    ro_crate,
)

Renderer = Callable[[Mapping[str, Any]], bytes]

METADATA: Final[dict[str, Renderer]] = {
    "README.md": card.render,
    "huggingface/README.md": card.render_hub,
    "croissant.json": croissant.render,
    "datacite.json": datacite.render,
    "ro-crate-metadata.json": ro_crate.render,
    "datapackage.json": data_package.render,
    "CITATION.cff": citation.render,
    "DATASHEET.md": datasheet.render,
    "LICENSES.md": licences.render,
    "index.html": page.render,
}
"""What renders each document, by its path in the folder of the release."""


def documents(manifest: Mapping[str, Any]) -> dict[str, bytes]:
    """Return every document of a release by path; the hub's card only where the release has files for the hub."""
    has_hub = any(file["path"].startswith("huggingface/") for file in manifest["files"])
    return {path: render(manifest) for path, render in METADATA.items() if has_hub or path != "huggingface/README.md"}
