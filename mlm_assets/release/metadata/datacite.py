"""datacite.json: the release in the DataCite metadata schema 4.5, for whoever mints its DOI."""

from typing import Any, Final

from mlm_assets.release.manifest import CC0, CC_BY_SA, MIT
from mlm_assets.release.metadata import words
from mlm_assets.release.metadata.text import json_document
from mlm_assets.release.metadata.words import Manifest

_SCHEMA: Final = "http://datacite.org/schema/kernel-4"
_REPOSITORY: Final = "Zenodo"


def render(manifest: Manifest) -> bytes:
    """Return datacite.json."""
    return json_document(record(manifest))


def record(manifest: Manifest) -> dict[str, Any]:
    """Return the record; it has no DOI, which the repository gives."""
    return {
        "schemaVersion": _SCHEMA,
        "types": {"resourceTypeGeneral": "Dataset", "resourceType": "Multilingual and multimodal dataset"},
        "titles": [{"title": words.title(manifest), "lang": "en"}],
        "creators": [{"name": words.MAINTAINERS, "nameType": "Organizational"}],
        "publisher": {"name": _REPOSITORY},
        "publicationYear": manifest["created"][:4],
        "dates": [{"date": manifest["created"], "dateType": "Collected"}],
        "language": "mul",
        "version": words.edition(manifest),
        "subjects": [{"subject": word} for word in words.KEYWORDS],
        "descriptions": _descriptions(manifest),
        "rightsList": [_right(key) for key in (CC0, CC_BY_SA, MIT)]
        + [{"rights": "Pictures of Wikimedia Commons: each under a licence of its own, see attribution.parquet"}],
        "formats": sorted({file["media_type"] for file in manifest["files"]}),
        "sizes": [f"{sum(file['size_bytes'] for file in manifest['files'])} bytes"],
        "relatedIdentifiers": [
            {
                "relatedIdentifier": words.PAPER_DOI,
                "relatedIdentifierType": "DOI",
                "relationType": "IsDescribedBy",
                "resourceTypeGeneral": "ConferencePaper",
            },
            {
                "relatedIdentifier": words.FIRST_DATASET_DOI,
                "relatedIdentifierType": "DOI",
                "relationType": "Continues",
                "resourceTypeGeneral": "Dataset",
            },
        ],
    }


def _descriptions(manifest: Manifest) -> list[dict[str, str]]:
    texts = (("Abstract", words.about(manifest)), ("Methods", words.COLLECTION), ("TechnicalInfo", words.PREPROCESSING))
    return [{"description": text, "descriptionType": kind, "lang": "en"} for kind, text in texts]


def _right(key: str) -> dict[str, str]:
    return {
        "rights": words.LICENCE_NAMES[key],
        "rightsUri": words.LICENCE_URLS[key],
        "rightsIdentifier": key,
        "rightsIdentifierScheme": "SPDX",
        "schemeUri": "https://spdx.org/licenses/",
    }
