"""Which versions a release is made of for a comparison with another, and the side of a diff that they are.

A published release is what its manifest pins; one that is not published is what is accepted now. What is compared, and
how, is `release.diff`.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from mlm_assets.errors import MlmError, Refused
from mlm_assets.release.diff.sides import Side
from mlm_assets.release.manifest import MANIFEST_FILE
from mlm_assets.release.publication import Releases
from mlm_assets.resources.lake import Lake, Version
from mlm_assets.resources.takedowns import takedowns
from mlm_assets.tables import BENCHMARKS, VARIANTS

REQUIRED: Final = ("refresh", "geo_cells", "members", *VARIANTS)
"""Tables without which a release cannot be compared."""
OPTIONAL: Final = ("attribution", "approvals", *(table.name for table in BENCHMARKS))
"""Tables that say more of a release where it has them."""
_PINNED: Final = ("rejections", "departures")
"""Tables of the refresh that say why somebody is gone."""


def comparable(lake: Lake, home: Path) -> list[str]:
    """Return the releases that are published, or whose datasets are accepted; oldest first."""
    accepted = [{one.partition for one in lake.accepted_all(name)} for name in REQUIRED]
    return sorted({*set.intersection(*accepted), *published(home)})


def published(home: Path) -> list[str]:
    """Return the releases that are published, oldest first."""
    folder = home / "releases"
    names = [entry.name for entry in folder.iterdir() if entry.is_dir()] if folder.is_dir() else []
    return sorted(name for name in names if Releases(home, name).newest() is not None)


def base_of(lake: Lake, home: Path, release: str) -> str | None:
    """Return what a release is compared with: the newest earlier release that is published, else that is accepted."""
    known = [one for one in published(home) if one < release] or [
        one for one in comparable(lake, home) if one < release
    ]
    return known[-1] if known else None


def versions_of(lake: Lake, home: Path, release: str) -> dict[str, Version]:
    """Return the versions of the tables of a release, by table: those that it was published with, else the accepted.

    Raises:
        Refused: it is neither published nor accepted.
        MlmError: the lake no longer has a version that the published manifest pins.
    """
    folder = Releases(home, release).newest()
    if folder is not None:
        pinned = _pinned_by(folder / MANIFEST_FILE, release)
        return {name: _written(lake, name, release, pinned[name]) for name in (*REQUIRED, *OPTIONAL) if name in pinned}
    found = {name: one for name in (*REQUIRED, *OPTIONAL) if (one := lake.accepted(name, release)) is not None}
    missing = [name for name in REQUIRED if name not in found]
    if missing:
        raise Refused(f"There is no accepted {', '.join(missing)} of {release}. {_there(comparable(lake, home))}")
    return dict(found)


def require_comparable(lake: Lake, home: Path, release: str) -> str:
    """Return `release` if it can be compared.

    Raises:
        Refused: it is neither published nor accepted here.
    """
    there = comparable(lake, home)
    if release not in there:
        raise Refused(f"There is no accepted or published release {release!r} here. {_there(there)}")
    return release


def side_of(lake: Lake, release: str, versions: Mapping[str, Version]) -> Side:
    """Return the side of a diff that `versions` (by table) are; large tables are read from their files."""
    pinned = lake.read(versions["refresh"]).to_pylist()
    said = takedowns(lake)

    def source(name: str) -> list[str] | None:
        return lake.sources([versions[name]]) if name in versions else None

    def rows(name: str) -> list[dict[str, Any]]:
        return list(lake.read(versions[name]).to_pylist()) if name in versions else []

    shards = {name: [_version_of(row) for row in pinned if row["name"] == name] for name in _PINNED}
    return Side(
        release,
        {variant: lake.sources([versions[variant]]) for variant in VARIANTS},
        lake.read(versions["geo_cells"]),
        attribution=source("attribution"),
        members=source("members"),
        rejections=lake.sources(shards["rejections"]) or None,
        departures=lake.sources(shards["departures"]) or None,
        scores={
            table.name.partition("/")[0]: lake.read(versions[table.name])
            for table in BENCHMARKS
            if table.name in versions
        },
        parameters={row["name"]: str(row["value"]) for row in pinned if row["kind"] == "parameter"},
        approvals=rows("approvals"),
        picture=lambda path: _picture(lake, path),
        taken_items=[one.target for one in said if one.kind == "item"],
        taken_files=[one.target for one in said if one.kind == "file"],
    )


def _version_of(row: Mapping[str, Any]) -> Version:
    return Version(row["name"], row["partition"], row["value"], row["n_rows"])


def _pinned_by(manifest: Path, release: str) -> dict[str, str]:
    """Return the versions of a release's own tables that a published manifest pins, by table.

    Raises:
        MlmError: the manifest cannot be read.
    """
    try:
        said = json.loads(manifest.read_text("utf-8"))
        return {one["table"]: one["version"] for one in said["inputs"] if one["partition"] == release}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MlmError(
            f"The manifest {manifest} of a published release cannot be read ({error}). See `mlm verify`."
        ) from error


def _written(lake: Lake, name: str, release: str, version: str) -> Version:
    try:
        return lake.version(name, release, version)
    except FileNotFoundError as error:
        raise MlmError(
            f"The lake has no version {version} of {name} {release} any more, which the published release pins. "
            "Restore it from a copy of the home."
        ) from error


def _picture(lake: Lake, path: str) -> bytes | None:
    try:
        return lake.read_bytes(path)
    except FileNotFoundError:  # the page says so
        return None


def _there(releases: list[str]) -> str:
    return f"There are: {', '.join(releases)}." if releases else "There is none yet; make one with `mlm run`."
