"""croissant.json: the release in Croissant 1.1 with the fields of its RAI vocabulary.

Every file has its hash and its address relative to the release's folder; every Parquet table is a record set whose
fields are the columns of the registry, so that `mlcroissant` loads records through this file. The figures are a
record set too (`figures`), with the key under which each stands in the manifest. The pictures of a variant in the
JSON layout are a file set.
Specification: https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html.
"""

from collections.abc import Mapping
from typing import Any, Final

from mlm_assets.release.manifest import CC0, CC_BY_SA
from mlm_assets.release.metadata import grids, words
from mlm_assets.release.metadata.columns import PublishedTable, published_tables
from mlm_assets.release.metadata.text import json_document
from mlm_assets.release.metadata.words import Manifest
from mlm_assets.tables import Column

CONFORMS_TO: Final = ("http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0")
_CONTEXT: Final = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The context that the specification gives; whoever reads it expects this one."""

_TYPES: Final = {
    "VARCHAR": "sc:Text", "BIGINT": "cr:Int64", "INTEGER": "cr:Int32", "DOUBLE": "cr:Float64", "BOOLEAN": "sc:Boolean",
}  # fmt: skip
_PARQUET: Final = "application/x-parquet"
"""What Croissant's reader calls Parquet; the manifest has the registered media type."""
_EQUIVALENT: Final = {
    "qid": "https://schema.org/identifier", "lat_deg": "https://schema.org/latitude",
    "lon_deg": "https://schema.org/longitude", "lang": "https://schema.org/inLanguage",
}  # fmt: skip


def render(manifest: Manifest) -> bytes:
    """Return croissant.json."""
    tables = list(published_tables(manifest))
    return json_document(
        {
            "@context": _CONTEXT,
            "@type": "sc:Dataset",
            "conformsTo": list(CONFORMS_TO),
            "name": words.title(manifest),
            "description": words.about(manifest),
            "version": words.semantic_version(manifest),
            "datePublished": manifest["created"],
            "dateCreated": manifest["created"],
            "license": [words.LICENCE_URLS[CC0], words.LICENCE_URLS[CC_BY_SA]],
            "inLanguage": words.languages_present(manifest),
            "keywords": list(words.KEYWORDS),
            "creator": {"@type": "sc:Organization", "name": words.MAINTAINERS},
            "publisher": {"@type": "sc:Organization", "name": words.MAINTAINERS},
            "citeAs": words.bibtex(manifest),
            "sameAs": [],
            "url": "index.html",
            "isLiveDataset": False,
            **_responsible(manifest),
            "distribution": [_distributed(file) for file in manifest["files"]],
            "recordSet": [_figures(manifest), *(_record_set(table, manifest) for table in tables)],
        }
    )


def _responsible(manifest: Manifest) -> dict[str, Any]:
    """Return the fields of the RAI vocabulary."""
    detector = manifest["rights"].get("face_detector", "none")
    return {
        "rai:dataCollection": words.COLLECTION,
        "rai:dataCollectionType": ["Software Collection", "Secondary Data Analysis"],
        "rai:dataCollectionTimeframe": [manifest["created"]],
        "rai:dataCollectionMissingData": "Pictures that may not be published are left out, settlements never; the "
        "count by reason is in the record set of figures, the rows are in attribution.parquet.",
        "rai:dataCollectionRawData": "Answers of the query service, the Action API and Commons, kept by the "
        "maintainers and addressed by their content.",
        "rai:dataPreprocessingProtocol": [words.PREPROCESSING],
        "rai:dataManipulationProtocol": "Nothing is made up or filled in but the country of a settlement that names "
        "none, which is told from its coordinates (country_source says so).",
        "rai:dataAnnotationProtocol": ["None: labels are those of Wikidata, geo-cells are computed."],
        "rai:machineAnnotationTools": [] if detector == "none" else [f"detector of faces: {detector}"],
        "rai:dataUseCases": list(words.USE_CASES),
        "rai:dataBiases": list(words.BIASES),
        "rai:dataLimitations": list(words.LIMITATIONS),
        "rai:dataSocialImpact": words.IMPACT,
        "rai:personalSensitiveInformation": list(words.SENSITIVE),
        "rai:dataReleaseMaintenancePlan": words.MAINTENANCE,
    }


def _distributed(file: Mapping[str, Any]) -> dict[str, Any]:
    """Return a file, or the pictures of a folder as a file set."""
    about = {"@id": file["path"], "name": file["path"], "description": _about_file(file)}
    if grids.is_folder(file):
        return {
            "@type": "cr:FileSet", **about, "encodingFormat": file["media_type"], "includes": f"{file['path']}*",
        }  # fmt: skip
    is_parquet = file["path"].endswith(".parquet")
    return {
        "@type": "cr:FileObject",
        **about,
        "contentUrl": file["path"],
        "contentSize": f"{file['size_bytes']} B",
        "encodingFormat": _PARQUET if is_parquet else file["media_type"],
        "sha256": file["sha256"],
    }


def _about_file(file: Mapping[str, Any]) -> str:
    of = " ".join(part for part in (file["variant"], file["split"]) if part)
    return f"{file['format']}{' of ' + of if of else ''}; stands under: {file['licence']}"


def _record_set(table: PublishedTable, manifest: Manifest) -> dict[str, Any]:
    keys = [{"@id": f"{table.name}/{name}"} for name in table.key]
    return {
        "@type": "cr:RecordSet",
        "@id": table.name,
        "name": table.name,
        "description": f"{table.description}{_holds(table, manifest)}",
        "key": keys if len(keys) > 1 else keys[0],
        "field": [_field(table, column) for column in table.columns],
    }


def _holds(table: PublishedTable, manifest: Manifest) -> str:
    """Return how much is in a table of a variant, as a sentence."""
    if table.kind not in grids.COUNTS and table.kind != "entities":
        return ""
    return f" It holds {manifest['variants'][table.variant][table.kind]} {grids.COUNTS[table.kind]}."


def _field(table: PublishedTable, column: Column) -> dict[str, Any]:
    is_list = column.type.endswith("[]")
    found: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": f"{table.name}/{column.name}",
        "name": column.name,
        "description": column.description,
        "dataType": _TYPES[column.type.removesuffix("[]")],
        "source": {"fileObject": {"@id": table.path}, "extract": {"column": column.name}},
    }
    if is_list:
        found |= {"isArray": True, "arrayShape": "-1"}
    if column.name in _EQUIVALENT:
        found["equivalentProperty"] = _EQUIVALENT[column.name]
    return found


def _figures(manifest: Manifest) -> dict[str, Any]:
    """Return the figures of the release as a record set with its records in it."""
    shown = (grids.counts, grids.splits, grids.texts, grids.countries, grids.picture_licences, grids.withheld)
    found = grids.figures([grid(manifest) for grid in (*shown, grids.scores, grids.checks)])
    return {
        "@type": "cr:RecordSet",
        "@id": "figures",
        "name": "figures",
        "description": "What the release holds and how its models score, counted from its files.",
        "key": {"@id": "figures/figure"},
        "field": [
            {"@type": "cr:Field", "@id": "figures/figure", "name": "figure", "dataType": "sc:Text",
             "description": "Where the number stands in manifest.json, with dots."},
            {"@type": "cr:Field", "@id": "figures/value", "name": "value", "dataType": "cr:Float64",
             "description": "The number."},
        ],
        "data": [{"figures/figure": one.key, "figures/value": one.value} for one in found if one.value is not None],
    }  # fmt: skip
