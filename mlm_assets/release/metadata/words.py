"""What every document says about a release in words: names, versions, people, the paper, what is known of its limits.

Figures do not belong here: they are in `grids`, and come from the manifest. How a document looks is its own module's
business. All sentences are ours.
"""

from collections.abc import Mapping
from typing import Any, Final

from mlm_assets.release.manifest import CC0, CC_BY_SA, MIT, PER_FILE
from mlm_assets.tables import DATASETS, LANGUAGES, VARIANT_LANGUAGES

Manifest = Mapping[str, Any]

MAINTAINERS: Final = "The mlm_assets maintainers"
PAPER_TITLE: Final = "MLM: A Benchmark Dataset for Multitask Learning with Multiple Languages and Modalities"
PAPER_DOI: Final = "10.1145/3340531.3412783"
PAPER_YEAR: Final = 2020
PAPER_VENUE: Final = "Proceedings of the 29th ACM International Conference on Information and Knowledge Management"
PAPER_AUTHORS: Final = (
    ("Jason", "Armitage"),
    ("Endri", "Kacupaj"),
    ("Golsa", "Tahmasebzadeh"),
    ("", "Swati"),
    ("Maria", "Maleshkova"),
    ("Ralph", "Ewerth"),
    ("Jens", "Lehmann"),
)
FIRST_DATASET_DOI: Final = "10.5281/zenodo.3885753"
"""MLM v1 as its authors published it, which these releases continue."""

LICENCE_URLS: Final = {
    CC0: "https://creativecommons.org/publicdomain/zero/1.0/",
    CC_BY_SA: "https://creativecommons.org/licenses/by-sa/4.0/",
    MIT: "https://opensource.org/license/mit",
}
LICENCE_NAMES: Final = {
    CC0: "Creative Commons Zero v1.0 Universal",
    CC_BY_SA: "Creative Commons Attribution Share Alike 4.0 International",
    MIT: "MIT License",
    PER_FILE: "each picture under a licence of its own, see attribution.parquet",
}
LANGUAGE_NAMES: Final = dict(
    zip(
        LANGUAGES,
        ("English", "German", "French", "Italian", "Spanish", "Polish", "Romanian", "Dutch", "Hungarian", "Portuguese"),
        strict=True,
    )
)
KEYWORDS: Final = (
    "multimodal",
    "multilingual",
    "multitask learning",
    "human settlements",
    "cross-modal retrieval",
    "geolocation",
    "Wikidata",
    "Wikipedia",
    "Wikimedia Commons",
)
ABOUT_VARIANTS: Final = {table.name: table.description for table in DATASETS}

SUMMARY: Final = (
    "MLM (Multiple Languages and Modalities) is a dataset of human settlements: lead texts of Wikipedia in several "
    "languages, pictures of Wikimedia Commons, coordinates and classes of Wikidata, with splits and geo-cells for "
    "cross-modal retrieval and location estimation."
)
COLLECTION: Final = (
    "Settlements are the instances of the Wikidata class of human settlements and of its subclasses, as far away as "
    "the release's parameters say, that have coordinates on Earth, a picture and an article in a target language. "
    "Texts are the lead sections of those articles as plain text; pictures are thumbnails of the files that Wikidata "
    "names, padded to a square. Everything was asked of the public services of Wikimedia; every row of the lake leads "
    "back to the revision and the answer that brought it."
)
PREPROCESSING: Final = (
    "Pictures are padded to a square RGB JPEG, never cropped. Drawings (SVG) are left out of the variants for "
    "location estimation. Geo-cells are those of an adaptive S2 quad-tree; cells with too few settlements are removed. "
    "Splits are decided by a hash of the item's identifier, so that a settlement never changes sides."
)
USE_CASES: Final = (
    "Training and evaluation of cross-modal retrieval between texts and pictures of places.",
    "Estimation of where a text or a picture belongs, as a choice among geo-cells.",
    "Study of how far multitask, multilingual and multimodal representations carry over.",
)
BIASES: Final = (
    "Places that volunteers write about and photograph are in; others are not. Europe and North America are "
    "over-represented, and so are large and touristic places.",
    "Languages differ in what they cover: an article's existence, length and freshness follow its community.",
    "Many articles on villages were written by programs from official registers and resemble each other.",
    "Pictures show what is worth a picture (churches, coats of arms, aerial views), not everyday life.",
    "Names, borders and the state that a place belongs to follow Wikidata's consensus, which can be disputed.",
)
LIMITATIONS: Final = (
    "Texts are lead sections only, and not translations of each other.",
    "A picture is the one that Wikidata names; it may be a flag, a map or a detail, and may be out of date.",
    "Coordinates are a point for a place that has an extent; their precision varies.",
    "Numbers of geo-cells are valid within one release and variant; between releases compare cell tokens.",
    "Pictures without a licence that may be published are left out, so that some settlements have none.",
)
SENSITIVE: Final = (
    "Authors of pictures are named because their licences ask for it (attribution.parquet).",
    "Pictures of places can show people by chance. Where a detector of faces is set, pictures in which a face covers "
    "more than the set share are left out; where none is set, they are not looked for.",
    "Nothing is collected about private persons; texts are public encyclopaedia articles about places.",
)
MAINTENANCE: Final = (
    "One release a month through a support window of three years. Published files never change: a correction, or "
    "something taken back, is a new version of the release with its reason, and leaves a tombstone. Releases are "
    "drafted by a program, checked, and published by a person."
)
HELD_BACK_IN_TRAINING: Final = (
    "Models were trained and measured on all pictures of the refresh, those among them that are held back here; what "
    "is published alone gives other scores."
)
COMPARABLE: Final = "Median ranks can be compared only where they were found among as many items as the paper's."
IMPACT: Final = (
    "The dataset helps to study models that work across languages and kinds of media. Models trained on it inherit "
    "the coverage of its sources and should not be used to find where a person is."
)


def edition(manifest: Manifest) -> str:
    """Return release and version as they are spoken of: `2026-12 v2`."""
    return f"{manifest['release']} v{manifest['version']}"


def title(manifest: Manifest) -> str:
    """Return the name of the dataset with release and version."""
    return f"{manifest['name']} {edition(manifest)}"


def semantic_version(manifest: Manifest) -> str:
    """Return release and version as MAJOR.MINOR.PATCH, for standards that want it: `2026-12 v2` is 2026.12.2."""
    year, month = manifest["release"].split("-")
    return f"{int(year)}.{int(month)}.{manifest['version']}"


def about(manifest: Manifest) -> str:
    """Return what the dataset is, which edition this is, and why it was made where it corrects another one."""
    reason = manifest["reason"].strip().rstrip(".")
    why = f" Reason of this version: {reason}." if reason else ""
    return f"{SUMMARY} This is release {edition(manifest)}.{why}"


def languages(manifest: Manifest) -> list[str]:
    """Return the languages that the variants of the release take texts of, in the registry's order."""
    present = {lang for variant in manifest["variants"] for lang in VARIANT_LANGUAGES[variant]}
    return [lang for lang in LANGUAGES if lang in present]


def languages_present(manifest: Manifest) -> list[str]:
    """Return the languages that the release has a text in, in the registry's order."""
    counts = [one["summaries_per_language"] for one in manifest["variants"].values()]
    return [lang for lang in LANGUAGES if any(count.get(lang) for count in counts)]


def about_scores(manifest: Manifest) -> str:
    """Return what has to be known of the scores: what they can be compared with, and what they were measured on."""
    return f"{COMPARABLE} {HELD_BACK_IN_TRAINING}" if any(manifest["withheld"].values()) else COMPARABLE


def paper_citation() -> str:
    """Return the paper as one line."""
    names = ", ".join(" ".join(part for part in name if part) for name in PAPER_AUTHORS)
    return f"{names} ({PAPER_YEAR}). {PAPER_TITLE}. {PAPER_VENUE} (CIKM). https://doi.org/{PAPER_DOI}"


def citation(manifest: Manifest) -> str:
    """Return how the release itself is cited, as one line."""
    return f"{MAINTAINERS} ({manifest['created'][:4]}). {title(manifest)} [Data set]."


def bibtex(manifest: Manifest) -> str:
    """Return BibTeX entries of the release and of the paper."""
    key = f"mlm_{manifest['release'].replace('-', '_')}_v{manifest['version']}"
    authors = " and ".join(f"{family}, {given}" if given else f"{{{family}}}" for given, family in PAPER_AUTHORS)
    return "\n".join(
        [
            f"@misc{{{key},",
            f"  title = {{{title(manifest)}}},",
            f"  author = {{{{{MAINTAINERS}}}}},",
            f"  year = {{{manifest['created'][:4]}}},",
            f"  version = {{{edition(manifest)}}},",
            "}",
            "@inproceedings{armitage2020mlm,",
            f"  title = {{{PAPER_TITLE}}},",
            f"  author = {{{authors}}},",
            f"  booktitle = {{{PAPER_VENUE}}},",
            f"  year = {{{PAPER_YEAR}}},",
            f"  doi = {{{PAPER_DOI}}},",
            "}",
        ]
    )
