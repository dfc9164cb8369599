"""README.md: the dataset card, Markdown with the front matter that the Hugging Face hub reads.

The same card heads the folder of the release and its folder `huggingface/`, each with the paths of its own, so that
`datasets.load_dataset(folder, "mlm")` works in both.
"""

from typing import Any, Final

from mlm_assets.release.manifest import CHECKSUMS_FILE, LICENCES, MANIFEST_FILE, SPLITS
from mlm_assets.release.metadata import grids, words
from mlm_assets.release.metadata.text import bullets, front_matter, markdown_document, markdown_section, plain
from mlm_assets.release.metadata.words import Manifest

_SIZES: Final = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_LARGEST: Final = "1M<n<10M"
_HUB: Final = "huggingface"
_DESCRIBED: Final = (
    ("DATASHEET.md", "how the dataset was made, what it is for, what it is not"),
    ("LICENSES.md", "what stands under what, and how to attribute"),
    ("RELEASE_NOTES.md", "what is new"),
    ("index.html", "this release as a page"),
    ("diff/index.html", "what changed since the release before, with pictures"),
    ("croissant.json", "Croissant"),
    ("datapackage.json", "Frictionless data package"),
    ("datacite.json", "DataCite"),
    ("ro-crate-metadata.json", "RO-Crate with provenance"),
    (MANIFEST_FILE, "what this card and all of these are made from"),
)
_OF_VECTORS: Final = (
    "Files of vectors have no place for a settlement without a published picture, which is in all other formats; "
    "`n_records` in `manifest.json` says how many settlements each of them has."
)
_MADE_BY_MANIFEST: Final = ("RELEASE_NOTES.md", "diff/index.html")


def render(manifest: Manifest) -> bytes:
    """Return the card of the release's folder."""
    return _card(manifest, prefix=f"{_HUB}/" if _has_hub(manifest) else None, root="")


def render_hub(manifest: Manifest) -> bytes:
    """Return the card of the folder `huggingface/`."""
    return _card(manifest, prefix="", root="../")


def _card(manifest: Manifest, prefix: str | None, root: str) -> bytes:
    """Return the card; `prefix` is where `data/` lies (None where there is none), `root` the release's folder."""
    return markdown_document(
        front_matter(_front(manifest, prefix, root)),
        f"# {words.title(manifest)}",
        plain(words.about(manifest)),
        f"Made of the refresh of `{manifest['release']}`, accepted on {manifest['created']}.",
        bullets([plain(note) for note in manifest.get("notes", ())]),
        markdown_section(grids.counts(manifest)),
        "\n".join(f"- `{variant}`: {words.ABOUT_VARIANTS[variant]}" for variant in manifest["variants"]),
        markdown_section(grids.splits(manifest)),
        markdown_section(grids.texts(manifest)),
        _loading(manifest, prefix),
        _scores(manifest),
        "## What it is for\n\n" + bullets(words.USE_CASES),
        "## Limits\n\n" + bullets(words.LIMITATIONS),
        "## Biases\n\n" + bullets(words.BIASES),
        "## People and privacy\n\n" + bullets(words.SENSITIVE),
        _rights(manifest, root),
        markdown_section(grids.withheld(manifest), 3),
        markdown_section(grids.tombstones(manifest)),
        markdown_section(grids.checks(manifest)),
        markdown_section(grids.approvals(manifest), 3),
        markdown_section(grids.parameters(manifest)),
        _documents(manifest, root),
        "## Maintenance\n\n" + words.MAINTENANCE,
        "## Citation\n\n" + f"{words.citation(manifest)}\n\n{words.paper_citation()}",
        f"```bibtex\n{words.bibtex(manifest)}\n```",
    )


def _front(manifest: Manifest, prefix: str | None, root: str) -> dict[str, Any]:
    n = max((one["entities"] for one in manifest["variants"].values()), default=0)
    found: dict[str, Any] = {
        "pretty_name": words.title(manifest),
        "language": words.languages_present(manifest),
        "multilinguality": ["multilingual"],
        "license": ["cc0-1.0", "cc-by-sa-4.0", "other"],
        "license_link": f"{root}LICENSES.md",
        "task_categories": ["image-to-text", "text-retrieval", "image-classification", "text-classification"],
        "size_categories": [next((name for bound, name in _SIZES if n < bound), _LARGEST)],
        "source_datasets": ["original"],
        "tags": [word.lower().replace(" ", "-") for word in words.KEYWORDS],
    }
    if prefix is not None:
        present = [variant for variant in manifest["variants"] if _hub_splits(manifest, variant)]
        found["configs"] = [_config(manifest, variant, prefix, is_first=variant == present[0]) for variant in present]
    return found


def _config(manifest: Manifest, variant: str, prefix: str, *, is_first: bool) -> dict[str, Any]:
    files = [
        {"split": split, "path": f"{prefix}data/{variant}/{split}-*.parquet"}
        for split in _hub_splits(manifest, variant)
    ]
    return {"config_name": variant, **({"default": True} if is_first else {}), "data_files": files}


def _hub_splits(manifest: Manifest, variant: str) -> list[str]:
    """Return the splits of a variant that have files; `datasets` loads none of a card that names one without."""
    paths = [file["path"] for file in manifest["files"]]
    return [split for split in SPLITS if any(path.startswith(f"{_HUB}/data/{variant}/{split}-") for path in paths)]


def _has_hub(manifest: Manifest) -> bool:
    return any(file["path"].startswith(f"{_HUB}/data/") for file in manifest["files"])


def _loading(manifest: Manifest, prefix: str | None) -> str:
    """Return how each format that the release has is read."""
    variant = next(iter(manifest["variants"]))
    formats = {file["format"] for file in manifest["files"]}
    ways = {
        "huggingface": f'datasets.load_dataset("FOLDER", "{variant}", split="train")  # pictures are PIL images',
        "parquet": f'pandas.read_parquet("FOLDER/parquet/{variant}/entities.parquet")  # and summaries, images',
        "json": f'json.load(open("FOLDER/json/{variant}/{variant}.json"))  # the layout of the first MLM',
        "webdataset": f'webdataset.WebDataset("FOLDER/webdataset/{variant}/{variant}-train-NNNNNN.tar").decode("pil")',
        "hdf5": 'h5py.File("FOLDER/hdf5/mlm_irle/train.h5")  # vectors, for retrieval and location estimation',
        "duckdb": 'duckdb.connect("FOLDER/duckdb/mlm.duckdb", read_only=True)',
    }
    if prefix is None:
        del ways["huggingface"]
    lines = [way for name, way in ways.items() if name in formats]
    body = "\n".join(
        ["# FOLDER is where this card lies" if prefix == "" else "# FOLDER is the release's folder", *lines]
    )
    note = f"\n\n{_OF_VECTORS}" if "hdf5" in formats else ""
    return f"## How to load it\n\n```python\n{body}\n```{note}"


def _scores(manifest: Manifest) -> str:
    grid = grids.scores(manifest)
    if not grid.rows:
        return ""
    note = (
        "Of the models in `models/`, on the test split; intervals are at 95 %. All other scores are in `benchmark/`. "
        + words.about_scores(manifest)
    )
    return f"{markdown_section(grid)}\n\n{note}"


def _rights(manifest: Manifest, root: str) -> str:
    parts = bullets([f"`{key}`: {meaning}" for key, meaning in LICENCES.items()])
    allowed = ", ".join(f"`{one}`" for one in manifest["rights"].get("allowed_licences", ()))
    return (
        f"## Licences\n\n{parts}\n\nPictures are published where their licence is one of: {allowed or 'none'}. "
        f"Authors, credits and sources are in [`attribution.parquet`]({root}attribution.parquet); "
        f"see [`LICENSES.md`]({root}LICENSES.md)."
    )


def _documents(manifest: Manifest, root: str) -> str:
    listed = {file["path"] for file in manifest["files"]}
    rows = [
        f"- [`{path}`]({root}{path}): {plain(what)}"
        for path, what in _DESCRIBED
        if path in listed or path not in _MADE_BY_MANIFEST
    ]
    rows.append(f"- [`{CHECKSUMS_FILE}`]({root}{CHECKSUMS_FILE}): `sha256sum -c {CHECKSUMS_FILE}` proves every file")
    return "## Documents\n\n" + "\n".join(rows)
