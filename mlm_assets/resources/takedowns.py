"""What was taken back for good: one tombstone per item or file, which says what, when, why, and by whom.

Layout: `takedowns/<kind>-<target>.json`, written before anything is purged, so that whoever is killed in between leaves
nothing that could come back. Refreshes ask here before they ask a service. How the lake is purged does not belong here
(`assets.taking_back`).
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final, Literal

from mlm_assets.errors import MlmError
from mlm_assets.release.frozen import Tombstone
from mlm_assets.resources.lake import Lake
from mlm_assets.resources.names import file_name

ROOT: Final = "takedowns"
ITEM: Final = "item"
FILE: Final = "file"
TAKEN_DOWN: Final = "taken_down"
"""Status of a picture that was taken back."""
Kind = Literal["item", "file"]
_PLAIN: Final = re.compile(r"[A-Za-z0-9]{1,40}", re.ASCII)


@dataclass(frozen=True)
class Takedown:
    """One item (QID) or file of Commons (its name) that was taken back; `at` is ISO 8601 UTC.

    `sha1s` are the hashes of the originals that must not come back under another name either.
    """

    kind: Kind
    target: str
    reason: str
    at: str
    by: str
    sha1s: Sequence[str] = ()

    @property
    def path(self) -> str:
        """Path of its file in the lake."""
        return f"{ROOT}/{self.kind}-{path_name(self.target)}.json"

    @property
    def tombstone(self) -> Tombstone:
        """What is published of it: not who did it, nor hashes."""
        return Tombstone(self.kind, self.target, self.reason, self.at)

    @property
    def sentence(self) -> str:
        """That it was taken down, when and why."""
        return f"taken down on {self.at[:10]}: {self.reason}"


def path_name(target: str) -> str:
    """Return a target as it stands in paths: a QID as it is, a file's name by its hash."""
    return target if _PLAIN.fullmatch(target) else hashlib.sha256(target.encode()).hexdigest()[:20]


def keep(lake: Lake, takedown: Takedown) -> None:
    """Write a tombstone."""
    said = {**asdict(takedown), "sha1s": sorted(takedown.sha1s)}
    lake.write_bytes(takedown.path, (json.dumps(said, indent=1, ensure_ascii=False) + "\n").encode())


def all_takedowns(lake: Lake) -> list[Takedown]:
    """Return every takedown, by kind and target.

    Raises:
        MlmError: a tombstone cannot be read; to go on without it could bring something back.
    """
    names = [name for name in lake.list_names(ROOT) if name.endswith(".json") and not name.startswith(".")]
    found = [_read(lake, f"{ROOT}/{name}") for name in names]
    return sorted(found, key=lambda one: (one.kind, one.target))


def takedowns(lake: Lake) -> list[Tombstone]:
    """Return every takedown as it is published."""
    return [one.tombstone for one in all_takedowns(lake)]


def takedown_of(lake: Lake, kind: Kind, target: str) -> Takedown | None:
    """Return the takedown of a target, None where it was not taken down."""
    return next((one for one in all_takedowns(lake) if (one.kind, one.target) == (kind, target)), None)


def items_taken_down(lake: Lake) -> frozenset[str]:
    """Return the QIDs that must not be asked about."""
    return frozenset(one.target for one in all_takedowns(lake) if one.kind == ITEM)


@dataclass(frozen=True)
class FilesTakenDown:
    """Files that must not be asked for, by name, nor downloaded under whatever name, by SHA-1."""

    names: frozenset[str]
    sha1s: frozenset[str]

    def has_name(self, name: str) -> bool:
        """Tell whether a name, as Wikidata states it, is that of a file that was taken down."""
        return file_name(name) in self.names

    def has_sha1(self, sha1: str | None) -> bool:
        """Tell whether an original is one that was taken down."""
        return sha1 is not None and sha1 in self.sha1s


def files_taken_down(lake: Lake) -> FilesTakenDown:
    """Return the files that must not come back."""
    files = [one for one in all_takedowns(lake) if one.kind == FILE]
    return FilesTakenDown(
        frozenset(one.target for one in files), frozenset(sha1 for one in files for sha1 in one.sha1s)
    )


def _read(lake: Lake, path: str) -> Takedown:
    try:
        said = json.loads(lake.read_bytes(path))
        return Takedown(**{name: said[name] for name in Takedown.__dataclass_fields__})
    except (ValueError, TypeError, KeyError) as error:
        raise MlmError(
            f"The tombstone {lake.full_path(path)} cannot be read ({error}). Bring it back from a copy of the home: "
            "without it, what was taken down could come back."
        ) from error
