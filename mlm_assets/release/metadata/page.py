"""index.html: the release as one page that needs nothing from elsewhere: no script, no font, no request.

Every number is marked with its place in the manifest (`data-figure`), so that a test compares each with the files.
"""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Final
from urllib.parse import quote

from mlm_assets.release.manifest import CHECKSUMS_FILE, LICENCES, MANIFEST_FILE, SPLITS
from mlm_assets.release.metadata import charts, grids, words
from mlm_assets.release.metadata.grids import Cell, Code, Figure, Grid, Link
from mlm_assets.release.metadata.words import Manifest
from mlm_assets.tables import VARIANT_LANGUAGES, VARIANTS

_STYLE: Final = Path(__file__).with_name("page.css")
_HEADLINES: Final = ("entities", "images", "summaries")
_OPTIONAL: Final = {
    "RELEASE_NOTES.md": "Release notes",
    "diff/index.html": "What changed since the release before",
}
_DOCUMENTS: Final = {
    "README.md": "Dataset card",
    "DATASHEET.md": "Datasheet",
    "LICENSES.md": "Licences in full",
    "CITATION.cff": "Citation file",
    "croissant.json": "Croissant",
    "datacite.json": "DataCite",
    "datapackage.json": "Frictionless",
    "ro-crate-metadata.json": "RO-Crate",
    MANIFEST_FILE: "Manifest",
    CHECKSUMS_FILE: "Checksums",
}
_CONTENTS: Final = {
    "contents": "Contents",
    "scores": "Scores",
    "rights": "Licences",
    "quality": "Quality",
    "limits": "Limits",
    "files": "Files",
    "cite": "Cite",
}


def render(manifest: Manifest) -> bytes:
    """Return index.html."""
    body = "\n".join(
        [
            '<a class="skip" href="#main">Skip to the content</a>',
            _header(manifest),
            '<main id="main">',
            _section("contents", _CONTENTS["contents"], _contents(manifest)),
            _section("scores", "Scores beside the paper", _scores(manifest)),
            _section("rights", _CONTENTS["rights"], _rights(manifest)),
            _section("quality", "Quality and provenance", _quality(manifest)),
            _section("limits", "Limits and biases", _list(words.LIMITATIONS) + _list(words.BIASES)),
            _section("files", _CONTENTS["files"], _files(manifest)),
            _section("cite", "How to cite", _cite(manifest)),
            "</main>",
            f"<footer><p>{escape(words.MAINTENANCE)}</p></footer>",
        ]
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="description" content="{escape(words.about(manifest))}">\n'
        f"<title>{escape(words.title(manifest))}</title>\n<style>\n{_STYLE.read_text('utf-8')}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    ).encode()


def _header(manifest: Manifest) -> str:
    links = "".join(f'<li><a href="#{name}">{title}</a></li>' for name, title in _CONTENTS.items())
    reason = manifest["reason"].strip()
    why = f'<p class="notice"><strong>Why this version:</strong> {escape(reason)}</p>' if reason else ""
    return (
        f"<header><p class='over'>A dataset of human settlements</p><h1>{escape(words.title(manifest))}</h1>"
        f"<p class='lead'>{escape(words.SUMMARY)}</p>{why}"
        f'<p>Accepted on <time datetime="{manifest["created"]}">{manifest["created"]}</time>.</p>'
        f'<nav aria-label="Sections"><ul>{links}</ul></nav></header>'
    )


def _section(name: str, title: str, body: str) -> str:
    return f'<section id="{name}" aria-labelledby="{name}-heading"><h2 id="{name}-heading">{title}</h2>{body}</section>'


def _contents(manifest: Manifest) -> str:
    cards = "".join(_variant(manifest, variant) for variant in manifest["variants"])
    return (
        f'{_notes(manifest)}<div class="cards">{cards}</div>{_table(grids.counts(manifest))}'
        f"<h3>Splits</h3>{_split_chart(manifest)}<h3>Languages</h3>{_language_chart(manifest)}"
        f"{_table(grids.texts(manifest))}{_folded(grids.countries(manifest))}"
    )


def _notes(manifest: Manifest) -> str:
    """Return what the release lacks, as sentences of the manifest."""
    return "".join(f'<p class="notice">{escape(note)}</p>' for note in manifest.get("notes", ()))


def _variant(manifest: Manifest, variant: str) -> str:
    numbers = "".join(
        f"<div><dt>{grids.COUNTS[key]}</dt>"
        f"<dd>{_figure(Figure(f'variants.{variant}.{key}', manifest['variants'][variant][key]))}</dd></div>"
        for key in _HEADLINES
    )
    about = escape(words.ABOUT_VARIANTS[variant])
    return f'<article class="card"><h3><code>{variant}</code></h3><dl>{numbers}</dl><p>{about}</p></article>'


def _split_chart(manifest: Manifest) -> str:
    rows = [
        (variant, [Figure(f"variants.{variant}.splits.{split}", one["splits"][split]) for split in SPLITS])
        for variant, one in manifest["variants"].items()
    ]
    return charts.shares("splits", "Settlements per split", SPLITS, rows)


def _language_chart(manifest: Manifest) -> str:
    """Return texts per language of the variant with the most languages."""
    if not manifest["variants"]:
        return ""
    variant = max(manifest["variants"], key=lambda one: len(VARIANT_LANGUAGES[one]))
    counted = manifest["variants"][variant]["summaries_per_language"]
    rows = [
        (words.LANGUAGE_NAMES[lang], Figure(f"variants.{variant}.summaries_per_language.{lang}", counted.get(lang, 0)))
        for lang in VARIANT_LANGUAGES[variant]
    ]
    return charts.bars("languages", f"Texts per language in {variant}", rows)


def _scores(manifest: Manifest) -> str:
    grid = grids.scores(manifest)
    if not grid.rows:
        return "<p>No models were trained on this release.</p>"
    note = (
        "On the test split. Intervals are at 95 %. All other scores are in <code>benchmark/</code>. "
        f"{escape(words.about_scores(manifest))}"
    )
    return f"{_table(grid)}<p>{note}</p>"


def _rights(manifest: Manifest) -> str:
    kinds = "".join(
        f"<li><code>{key}</code>: {escape(meaning.replace('`', ''))}</li>" for key, meaning in LICENCES.items()
    )
    allowed = ", ".join(f"<code>{escape(one)}</code>" for one in manifest["rights"].get("allowed_licences", ()))
    return (
        f"<ul>{kinds}</ul><p>Pictures are published where their licence is one of: {allowed or 'none'}. "
        f'Authors, credits and sources are in <a href="attribution.parquet">attribution.parquet</a>.</p>'
        f"{_table(grids.withheld(manifest))}"
        f"{_folded(grids.picture_licences(manifest))}"
        f"{_table_or(grids.tombstones(manifest), 'Nothing was taken back.')}"
    )


def _quality(manifest: Manifest) -> str:
    approvals = _table_or(grids.approvals(manifest), "No version had to be approved by hand.")
    folded = (grids.parameters, grids.software, grids.inputs)
    return f"{_table(grids.checks(manifest))}{approvals}{''.join(_folded(grid(manifest)) for grid in folded)}"


def _files(manifest: Manifest) -> str:
    listed = {file["path"] for file in manifest["files"]}
    documents = {**{path: name for path, name in _OPTIONAL.items() if path in listed}, **_DOCUMENTS}
    links = "".join(f'<li><a href="{path}">{name}</a></li>' for path, name in documents.items())
    proof = f"<p><code>sha256sum -c {CHECKSUMS_FILE}</code> in this folder proves every file.</p>"
    return f'<ul class="documents">{links}</ul>{proof}{_table(grids.files(manifest))}'


def _cite(manifest: Manifest) -> str:
    return (
        f"<p>{escape(words.citation(manifest))}</p><p>{escape(words.paper_citation())}</p>"
        f'<pre tabindex="0"><code>{escape(words.bibtex(manifest))}</code></pre>'
    )


def _list(sentences: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences) + "</ul>"


def _folded(grid: Grid) -> str:
    """Return a table that is opened by a click; it is long, or for few readers."""
    return f"<details><summary>{escape(grid.title)}</summary>{_table(grid)}</details>"


def _table_or(grid: Grid, otherwise: str) -> str:
    return _table(grid) if grid.rows else f"<h3>{escape(grid.title)}</h3><p>{otherwise}</p>"


def _table(grid: Grid) -> str:
    """Return a grid as a table in a frame of its own, which scrolls where the screen is narrow."""
    if not grid.rows:
        return f"<p>{escape(grid.title)}: none.</p>"
    numeric = grid.numeric_columns()
    head = "".join(
        f'<th scope="col"{_class(is_numeric)}>{_heading(name)}</th>'
        for name, is_numeric in zip(grid.columns, numeric, strict=True)
    )
    rows = "".join(f"<tr>{_row(row, numeric)}</tr>" for row in grid.rows)
    return (
        f'<div class="frame" role="region" aria-label="{escape(grid.title)}" tabindex="0"><table id="t-{grid.name}">'
        f"<caption>{escape(grid.title)}</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _heading(name: str) -> str:
    return f"<code>{name}</code>" if name in VARIANTS else escape(name)


def _class(is_numeric: bool) -> str:
    return ' class="n"' if is_numeric else ""


def _row(row: Sequence[Cell], numeric: Sequence[bool]) -> str:
    first, *others = row
    cells = "".join(
        f"<td{_class(is_numeric)}>{_cell(cell)}</td>" for cell, is_numeric in zip(others, numeric[1:], strict=True)
    )
    return f'<th scope="row">{_cell(first)}</th>{cells}'


def _cell(cell: Cell) -> str:
    if isinstance(cell, Figure):
        return _figure(cell)
    if isinstance(cell, Link):
        return f'<a href="{quote(cell.path)}"><code>{escape(cell.path)}</code></a>'
    if isinstance(cell, Code):
        return f"<code>{escape(cell.text)}</code>"
    return escape(cell)


def _figure(figure: Figure) -> str:
    """Return a number with its place in the manifest; a dash where there is none."""
    if figure.value is None:
        return "–"
    return f'<data data-figure="{escape(figure.key)}" value="{figure.value}">{figure}</data>'
