"""ro-crate-metadata.json: the release as an RO-Crate 1.1 with its provenance.

The action that made the release has this software as instrument, the versions of the tables it was made of as
objects, and the files as results. Specification: https://www.researchobject.org/ro-crate/1.1/.
"""

from collections.abc import Mapping
from typing import Any, Final

from mlm_assets.release.manifest import CC0, CC_BY_SA, MANIFEST_FILE, MIT, MIXED, PER_FILE
from mlm_assets.release.metadata import grids, words
from mlm_assets.release.metadata.text import json_document
from mlm_assets.release.metadata.words import Manifest

_CONTEXT: Final = "https://w3id.org/ro/crate/1.1/context"
_SPECIFICATION: Final = "https://w3id.org/ro/crate/1.1"
_LICENCE_FILE: Final = "LICENSES.md"
_SOFTWARE: Final = "#software"
_MAINTAINERS: Final = "#maintainers"
_DOCUMENTS: Final = {
    MANIFEST_FILE: ("Manifest: what the release is made of and what it holds", "application/json"),
    "README.md": ("Dataset card", "text/markdown"),
    "DATASHEET.md": ("Datasheet", "text/markdown"),
    _LICENCE_FILE: ("What stands under which licence", "text/markdown"),
    "CITATION.cff": ("How to cite it", "application/yaml"),
    "croissant.json": ("Croissant", "application/ld+json"),
    "datacite.json": ("DataCite", "application/json"),
    "datapackage.json": ("Frictionless data package", "application/json"),
    "index.html": ("The release as a page", "text/html"),
}
"""What is rendered from the manifest, and has no record in it."""


def render(manifest: Manifest) -> bytes:
    """Return ro-crate-metadata.json."""
    files = [_file(file) for file in manifest["files"]]
    documents = [_document(path, *about) for path, about in _DOCUMENTS.items()]
    inputs = [_input(one) for one in manifest["inputs"]]
    parts = [{"@id": one["@id"]} for one in (*files, *documents)]
    graph = [
        _descriptor(),
        _root(manifest, parts),
        _action(manifest, inputs, files),
        *_software(manifest),
        {"@id": _MAINTAINERS, "@type": "Organization", "name": words.MAINTAINERS},
        *_people(),
        *(_licence(key) for key in (CC0, CC_BY_SA, MIT)),
        *_papers(),
        *inputs,
        *files,
        *documents,
    ]
    return json_document({"@context": _CONTEXT, "@graph": graph})


def _descriptor() -> dict[str, Any]:
    return {
        "@id": "ro-crate-metadata.json",
        "@type": "CreativeWork",
        "conformsTo": {"@id": _SPECIFICATION},
        "about": {"@id": "./"},
    }


def _root(manifest: Manifest, parts: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "@id": "./",
        "@type": "Dataset",
        "name": words.title(manifest),
        "description": words.about(manifest),
        "datePublished": manifest["created"],
        "version": words.edition(manifest),
        "keywords": ", ".join(words.KEYWORDS),
        "inLanguage": words.languages_present(manifest),
        "license": {"@id": _LICENCE_FILE},
        "author": {"@id": _MAINTAINERS},
        "publisher": {"@id": _MAINTAINERS},
        "citation": {"@id": _doi(words.PAPER_DOI)},
        "isBasedOn": {"@id": _doi(words.FIRST_DATASET_DOI)},
        "hasPart": parts,
        "mentions": {"@id": _action_id(manifest)},
    }


def _action_id(manifest: Manifest) -> str:
    return f"#release-{manifest['release']}-v{manifest['version']}"


def _action(manifest: Manifest, inputs: list[dict[str, Any]], files: list[dict[str, Any]]) -> dict[str, Any]:
    parameters = ", ".join(f"{name}={value}" for name, value in manifest["parameters"].items())
    return {
        "@id": _action_id(manifest),
        "@type": "CreateAction",
        "name": f"Release of {words.title(manifest)}",
        "description": f"Made of the accepted versions of the refresh {manifest['release']} with {parameters}.",
        "endTime": manifest["created"],
        "agent": {"@id": _MAINTAINERS},
        "instrument": {"@id": _SOFTWARE},
        "object": [{"@id": one["@id"]} for one in inputs],
        "result": [{"@id": one["@id"]} for one in files],
    }


def _software(manifest: Manifest) -> list[dict[str, Any]]:
    """Return the software that made the release and what it ran on."""
    own, *others = manifest["software"].items()
    found = [
        {"@id": f"#software-{name}", "@type": "SoftwareApplication", "name": name, "version": str(version)}
        for name, version in others
    ]
    first = {"@id": _SOFTWARE, "@type": "SoftwareApplication", "name": own[0], "version": str(own[1])}
    return [{**first, "softwareRequirements": [{"@id": one["@id"]} for one in found]}, *found]


def _people() -> list[dict[str, Any]]:
    return [
        {"@id": _person(given, family), "@type": "Person", "name": f"{given} {family}".strip()}
        for given, family in words.PAPER_AUTHORS
    ]


def _person(given: str, family: str) -> str:
    return f"#{given}-{family}".lower().replace("#-", "#")


def _papers() -> list[dict[str, Any]]:
    authors = [{"@id": _person(given, family)} for given, family in words.PAPER_AUTHORS]
    about = {"name": words.PAPER_TITLE, "author": authors, "datePublished": str(words.PAPER_YEAR)}
    return [
        {"@id": _doi(words.PAPER_DOI), "@type": "ScholarlyArticle", **about, "isPartOf": words.PAPER_VENUE},
        {"@id": _doi(words.FIRST_DATASET_DOI), "@type": "CreativeWork", **about},
    ]


def _doi(doi: str) -> str:
    return f"https://doi.org/{doi}"


def _licence(key: str) -> dict[str, Any]:
    return {
        "@id": words.LICENCE_URLS[key], "@type": "CreativeWork", "name": words.LICENCE_NAMES[key], "identifier": key,
    }  # fmt: skip


def _licence_of(key: str) -> dict[str, str]:
    return {"@id": _LICENCE_FILE if key in (MIXED, PER_FILE) else words.LICENCE_URLS[key]}


def _input(one: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table version that the release is made of; it lies in the maintainers' lake, not in the crate."""
    partition = one["partition"] or "all"
    return {
        "@id": f"#input-{one['table']}-{partition}".replace("|", "-").replace("/", "-"),
        "@type": "CreativeWork",
        "name": f"{one['table']} {one['partition']}".strip(),
        "version": one["version"],
        "description": f"{one['n_rows']} rows",
    }


def _file(file: Mapping[str, Any]) -> dict[str, Any]:
    about = {
        "name": file["path"],
        "encodingFormat": file["media_type"],
        "contentSize": str(file["size_bytes"]),
        "license": _licence_of(file["licence"]),
        "description": f"{file['format']} {file['variant']} {file['split']}".strip(),
    }
    if grids.is_folder(file):
        return {"@id": file["path"], "@type": "Dataset", **about, "identifier": f"sha256:{file['sha256']}"}
    return {"@id": file["path"], "@type": "File", **about, "sha256": file["sha256"]}


def _document(path: str, name: str, media_type: str) -> dict[str, Any]:
    return {"@id": path, "@type": "File", "name": name, "encodingFormat": media_type}
