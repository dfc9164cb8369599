"""The figures of a release as small tables, which every document shows in its own dress.

A cell is a text, a `Code` (a path, a hash, a name that is no word) or a `Figure`, which knows where in the manifest
its number stands. No other module takes a number out of the manifest for a reader's eyes, so that one test can hold
each of them against the files.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mlm_assets.release.manifest import SPLITS
from mlm_assets.release.metadata.words import LANGUAGE_NAMES, Manifest, languages
from mlm_assets.tables import TRAINED_VARIANTS, VARIANT_LANGUAGES, WITHHELD_REASONS

COUNTS: Final = {
    "entities": "settlements",
    "images": "pictures",
    "summaries": "texts",
    "classes": "classes",
    "cells": "geo-cells",
    "entities_without_image": "settlements without a published picture",
}
"""Counts of a variant in the manifest, and what a reader calls them."""

_UNITS: Final = (("GB", 10**9), ("MB", 10**6), ("kB", 10**3))
_DIRECTIONS: Final = {
    "image_to_text": "picture to text",
    "text_to_image": "text to picture",
    "image": "from picture",
    "text": "from text",
}
_OUTCOMES: Final = {
    "passed": "passed",
    "warned": "failed, as a warning",
    "approved": "failed, and let through by a person",
}


@dataclass(frozen=True)
class Figure:
    """A number of the manifest; `key` says where it stands, with dots, and `is_size` that it counts bytes."""

    key: str
    value: float | None
    is_size: bool = False

    def __str__(self) -> str:
        """Return the number as a reader sees it; a dash where there is none."""
        if self.value is None:
            return "–"
        return size(int(self.value)) if self.is_size else number(self.value)


@dataclass(frozen=True)
class Code:
    """A name that is no word: a path, a hash, a version."""

    text: str


@dataclass(frozen=True)
class Link:
    """A file of the release, by its path from the release's folder."""

    path: str


Cell = str | Code | Link | Figure


@dataclass(frozen=True)
class Grid:
    """A table: `columns` are its headings, the first of them that of the row labels; rows are as long as it."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def numeric_columns(self) -> list[bool]:
        """Tell of each column whether numbers stand in it."""
        return [any(isinstance(row[at], Figure) for row in self.rows) for at in range(len(self.columns))]


def number(value: float) -> str:
    """Return a number with separators of thousands, or with four significant digits where it is not whole."""
    if float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:,.1f}" if abs(value) >= 1000 else f"{value:.4g}"


def size(n_bytes: int) -> str:
    """Return a number of bytes in the unit that a reader grasps (powers of ten)."""
    for unit, factor in _UNITS:
        if n_bytes >= factor:
            return f"{n_bytes / factor:.1f} {unit}"
    return f"{n_bytes} B"


def counts(manifest: Manifest) -> Grid:
    """Return what each variant holds."""
    return _by_variant(
        manifest, "counts", "What each variant holds", "count",
        [(label, lambda variant, key=key: Figure(f"variants.{variant}.{key}", manifest["variants"][variant][key]))
         for key, label in COUNTS.items()],
    )  # fmt: skip


def splits(manifest: Manifest) -> Grid:
    """Return the settlements of each split."""
    return _by_variant(
        manifest, "splits", "Settlements per split", "split",
        [(split, lambda variant, split=split: _part(manifest, variant, "splits", split)) for split in SPLITS],
    )  # fmt: skip


def texts(manifest: Manifest) -> Grid:
    """Return the texts of each language; a dash where a variant does not take the language."""

    def cell(variant: str, lang: str) -> Cell:
        if lang not in VARIANT_LANGUAGES[variant]:
            return "–"
        return _part(manifest, variant, "summaries_per_language", lang)

    return _by_variant(
        manifest, "languages", "Texts per language", "language",
        [(LANGUAGE_NAMES[lang], lambda variant, lang=lang: cell(variant, lang)) for lang in languages(manifest)],
    )  # fmt: skip


def countries(manifest: Manifest) -> Grid:
    """Return the settlements of each country (ISO 3166-1), those without one last."""
    codes = sorted({code for one in manifest["variants"].values() for code in one["entities_per_country"]} - {""})
    without = any("" in one["entities_per_country"] for one in manifest["variants"].values())
    return _by_variant(
        manifest, "countries", "Settlements per country", "country",
        [(code or "none known", lambda variant, code=code: _part(manifest, variant, "entities_per_country", code))
         for code in [*codes, *([""] if without else [])]],
    )  # fmt: skip


def picture_licences(manifest: Manifest) -> Grid:
    """Return the published pictures under each licence, as Commons names it."""
    names = sorted({name for one in manifest["variants"].values() for name in one["images_per_licence"]})
    return _by_variant(
        manifest, "picture_licences", "Published pictures per licence", "licence",
        [(Code(name), lambda variant, name=name: _part(manifest, variant, "images_per_licence", name))
         for name in names],
    )  # fmt: skip


def withheld(manifest: Manifest) -> Grid:
    """Return how many files of Commons are held back, by reason."""
    rows = tuple(
        (Code(reason), meaning, Figure(f"withheld.{reason}", manifest["withheld"].get(reason, 0)))
        for reason, meaning in WITHHELD_REASONS.items()
    )
    return Grid("withheld", "Pictures that are held back", ("reason", "what it means", "files"), rows)


def scores(manifest: Manifest) -> Grid:
    """Return the scores that the paper has figures for, beside those; empty where nothing was trained."""
    columns = (
        "variant", "model", "direction", "measure", "this release", "interval from", "interval to", "items", "paper",
    )  # fmt: skip
    rows = tuple(
        row
        for variant in TRAINED_VARIANTS
        for score in manifest["scores"].get(variant, ())
        if score["paper"] is not None
        for row in [_score(variant, score)]
    )
    return Grid("scores", "Scores beside the paper's", columns, rows)


def checks(manifest: Manifest) -> Grid:
    """Return how the checks of the release's tables ended."""
    rows = tuple(
        (_OUTCOMES.get(name, name.replace("_", " ")), Figure(f"checks.{name}", n))
        for name, n in manifest["checks"].items()
    )
    return Grid("checks", "Checks", ("outcome", "checks"), rows)


def parameters(manifest: Manifest) -> Grid:
    """Return what the refresh was made with."""
    found = {**manifest["parameters"], **{f"encoder of {kind}s": name for kind, name in manifest["encoders"].items()}}
    return Grid(
        "parameters", "Parameters", ("parameter", "value"),
        tuple((Code(name), Code(str(value))) for name, value in found.items()),
    )  # fmt: skip


def software(manifest: Manifest) -> Grid:
    """Return what made the release."""
    rows = tuple((Code(name), Code(version)) for name, version in manifest["software"].items())
    return Grid("software", "Software", ("name", "version"), rows)


def approvals(manifest: Manifest) -> Grid:
    """Return the versions that a check had rejected and a person let through."""
    columns = ("table", "partition", "failed checks", "approved by", "approved at", "reason")
    rows = tuple(
        (
            Code(one["table_name"]), Code(one["partition"] or "–"), Code(", ".join(one["failed_checks"])),
            Code(one["approved_by"]), Code(one["approved_at"]), Code(one["reason"]),
        )
        for one in manifest["approvals"]
    )  # fmt: skip
    return Grid("approvals", "Approvals", columns, rows)


def tombstones(manifest: Manifest) -> Grid:
    """Return what was taken back."""
    rows = tuple(
        (one["kind"], Code(one["target"]), Code(one["at"]), Code(one["reason"])) for one in manifest["tombstones"]
    )
    return Grid("tombstones", "Taken back", ("kind", "what", "at", "reason"), rows)


def inputs(manifest: Manifest) -> Grid:
    """Return the versions of tables that the release is made of."""
    rows = tuple(
        (
            Code(one["table"]), Code(one["partition"] or "–"), Code(one["version"]),
            Figure(f"inputs.{one['table']}.{one['partition']}.n_rows", one["n_rows"]),
        )
        for one in manifest["inputs"]
    )  # fmt: skip
    return Grid("inputs", "Made of", ("table", "partition", "version", "rows"), rows)


def files(manifest: Manifest) -> Grid:
    """Return the files of the release with sizes and hashes; the pictures of a variant are one line, their folder."""
    columns = ("file", "format", "stands under", "records", "size", "SHA-256")
    rows = tuple(
        (
            Code(one["path"]) if is_folder(one) else Link(one["path"]), one["format"], Code(one["licence"]),
            Figure(f"files.{one['path']}.n_records", one["n_records"]),
            Figure(f"files.{one['path']}.size_bytes", one["size_bytes"], is_size=True), Code(one["sha256"]),
        )
        for one in manifest["files"]
    )  # fmt: skip
    return Grid("files", "Files", columns, rows)


def is_folder(file: Mapping[str, Any]) -> bool:
    """Tell whether a record of the manifest stands for a folder of files: its hash is that of their hashes."""
    return str(file["path"]).endswith("/")


def _part(manifest: Manifest, variant: str, group: str, name: str) -> Figure:
    """Return a count of a variant; what is not listed there was not met."""
    return Figure(f"variants.{variant}.{group}.{name}", manifest["variants"][variant][group].get(name, 0))


def _by_variant(manifest: Manifest, name: str, title: str, label: str, rows: Sequence[tuple[Cell, Any]]) -> Grid:
    variants = tuple(manifest["variants"])
    return Grid(
        name,
        title,
        (label, *variants),
        tuple((first, *(cell(variant) for variant in variants)) for first, cell in rows),
    )


def _score(variant: str, score: Mapping[str, Any]) -> tuple[Cell, ...]:
    names = ("value", "low", "high", "n", "paper")
    key = ".".join(["scores", variant, *(score[name] for name in ("section", "model", "direction", "group", "figure"))])
    return (
        Code(variant), Code(score["model"]), _DIRECTIONS.get(score["direction"], score["direction"]),
        Code(score["figure"]), *(Figure(f"{key}.{name}", score[name]) for name in names),
    )  # fmt: skip


def figures(grids: Sequence[Grid]) -> Iterator[Figure]:
    """Give every figure of some grids."""
    for grid in grids:
        for row in grid.rows:
            yield from (cell for cell in row if isinstance(cell, Figure))
