"""A release as its builders see it: rows, pictures and figures that do not change any more.

It is made once, from pinned versions (`assets.freezing`), and given to every format (`release.formats`) and to the
manifest (`release.manifest`). The same `Frozen` gives the same bytes, on any day. Nothing here reads the lake.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Say = Callable[[str], Any]
"""Told what is being written, in a sentence."""


@dataclass(frozen=True)
class Input:
    """One version of a table partition that the release is made of."""

    table: str
    partition: str
    version: str
    n_rows: int


@dataclass(frozen=True)
class KeptFile:
    """A file that is copied by its hash and never made again: weights, reports of scores, the diff.

    `path` is where it stands in the release; `source` where it is now; `group` is model, benchmark or diff.
    """

    path: str
    source: Path
    sha256: str
    group: str


@dataclass(frozen=True)
class Tombstone:
    """What was taken back: an item (QID) or a file of Commons, when, and why. `at` is ISO 8601 UTC."""

    kind: str
    target: str
    reason: str
    at: str


@dataclass(frozen=True)
class Vectors:
    """The vectors of one settlement: images (n, d_image), summaries (n, d_text), classes (n, d_text), float32.

    Images are in the order of the published images, summaries in that of the summaries, classes in that of the
    labels.
    """

    qid: str
    images: Any
    summaries: Any
    classes: Any


@dataclass(frozen=True)
class Frozen:
    """Everything that a release is made of.

    `rows` holds per variant what is published: a pyarrow table with the registry's columns of that variant, by number
    of the QID; images that are withheld are left out of `images`, settlements never. `attribution`, `geo_cells`,
    `statistics`, `approvals` are the tables of those names. `scores` holds per trained variant the table of its
    benchmark. `parameters` are those that the refresh has pinned. `rights` is the policy that decided what is withheld.
    """

    release: str
    version: int
    reason: str
    """Why this version was made, where it is not the first."""
    created: str
    """Day on which the refresh was accepted, YYYY-MM-DD; all dates in the release are this one."""
    parameters: Mapping[str, str]
    rights: Mapping[str, Any]
    software: Mapping[str, str]
    rows: Mapping[str, Any]
    attribution: Any
    geo_cells: Any
    statistics: Any
    approvals: Any
    scores: Mapping[str, Any]
    inputs: Sequence[Input]
    tombstones: Sequence[Tombstone]
    kept: Sequence[KeptFile]
    picture: Callable[[str], bytes]
    """Gives the bytes of a padded picture (JPEG, 256 x 256) by its path in the lake (column `images[].path`)."""
    link_picture: Callable[[str, Path], None]
    """Makes the second argument the same file as the picture (a hard link where it can be one)."""
    vectors: Mapping[str, Callable[[str], Iterator[Vectors]]] = field(default_factory=dict)
    """Per variant, gives the vectors of a split (train, validation, test) in the order of `rows`; empty without."""
    encoders: Mapping[str, str] = field(default_factory=dict)
    """Identity of the encoder per modality ("image", "text"), where there are vectors."""
    formats: Sequence[str] = ()
    """Names of the formats that are written (`release.formats.FORMATS`)."""
    notes: Sequence[str] = ()
    """What this release lacks and why, a sentence each: no models, no vectors."""
