"""CITATION.cff: how to cite the release, in Citation File Format 1.2.0."""

from typing import Any

from mlm_assets.release.manifest import CC0, CC_BY_SA
from mlm_assets.release.metadata import words
from mlm_assets.release.metadata.text import yaml_text
from mlm_assets.release.metadata.words import Manifest


def render(manifest: Manifest) -> bytes:
    """Return CITATION.cff."""
    return yaml_text(_citation(manifest)).encode()


def _citation(manifest: Manifest) -> dict[str, Any]:
    return {
        "cff-version": "1.2.0",
        "message": "If you use this dataset, please cite this release and the paper.",
        "type": "dataset",
        "title": words.title(manifest),
        "abstract": words.about(manifest),
        "version": words.edition(manifest),
        "date-released": manifest["created"],
        "authors": [{"name": words.MAINTAINERS}],
        "keywords": list(words.KEYWORDS),
        "license": [CC0, CC_BY_SA],
        "references": [_paper(), _first_dataset()],
    }


def _paper() -> dict[str, Any]:
    return {
        "type": "conference-paper",
        "title": words.PAPER_TITLE,
        "authors": _authors(),
        "collection-title": words.PAPER_VENUE,
        "collection-type": "proceedings",
        "year": words.PAPER_YEAR,
        "doi": words.PAPER_DOI,
    }


def _first_dataset() -> dict[str, Any]:
    return {
        "type": "data",
        "title": words.PAPER_TITLE,
        "authors": _authors(),
        "year": words.PAPER_YEAR,
        "doi": words.FIRST_DATASET_DOI,
        "notes": "The first version of MLM, which these releases continue.",
    }


def _authors() -> list[dict[str, str]]:
    return [
        {"family-names": family, "given-names": given} if given else {"name": family}
        for given, family in words.PAPER_AUTHORS
    ]
