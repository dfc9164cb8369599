"""From versions of the lake to a release that does not change any more (`release.frozen`).

Two ways lead there: `freeze` takes what is accepted now, through the provenance guard; `frozen_from_manifest` takes
what a manifest pins, whatever is accepted now, and so builds a published release again. How a release is written does
not belong here (`release.builder`).
"""

import hashlib
import platform
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from mlm_assets import __version__
from mlm_assets import release as release_package
from mlm_assets.assets.provenance import OPTIONAL, require_one_refresh
from mlm_assets.assets.vectors import VectorSource, accepted_vectors, pinned_vectors
from mlm_assets.errors import MlmError, Refused
from mlm_assets.ml.layout import MODEL_FILE, benchmark_file, model_folder
from mlm_assets.ml.recipe import TASKS
from mlm_assets.release.diff.files import NOTES_FILE, diff_folder
from mlm_assets.release.frozen import Frozen, Input, KeptFile, Tombstone
from mlm_assets.release.rights import RightsPolicy
from mlm_assets.release.withheld import without_withheld
from mlm_assets.resources.encoders import Encoders
from mlm_assets.resources.lake import Accepted, Lake, Version
from mlm_assets.resources.takedowns import takedowns
from mlm_assets.settings import Settings
from mlm_assets.shipped import shipped_file
from mlm_assets.tables import TRAINED_VARIANTS, VARIANTS

KEPT_GROUPS: Final = ("model", "benchmark", "diff")
_LIBRARIES: Final = ("pyarrow", "duckdb", "h5py", "numpy", "pillow")
"""Libraries that write bytes of a release: with other versions of them, the same rows may become other bytes."""
_WRITERS: Final = ("builder.py", "layout.py", "manifest.py", "withheld.py", "formats", "metadata")
_CODE: Final = (".py", ".css", ".html", ".js")
_RIGHTS: Final = ("allowed_licences", "face_detector", "max_face_share")
_PIECE: Final = 1 << 20


def freeze(
    lake: Lake, settings: Settings, release: str, version: int, reason: str = "", encoders: Encoders | None = None
) -> Frozen:
    """Return what version `version` of a release is made of, from the versions that are accepted now.

    Raises:
        Refused: what is accepted is not of one refresh, or incomplete (`provenance.require_one_refresh`), or a file of
            a model is not the one that its table speaks of.
    """
    accepted = require_one_refresh(lake, release)
    formats, attribution = _formats(settings), lake.read(accepted["attribution"])
    rows = {name: without_withheld(lake.read(accepted[name]), attribution, name) for name in VARIANTS}
    source = _vectors(lake, encoders or Encoders(settings, lake), rows, formats)
    wanted = [name for name in formats if name != "hdf5" or source.vectors]
    return _frozen(
        lake,
        accepted,
        rows,
        release=release,
        version=version,
        reason=reason,
        created=accepted["refresh"].accepted_at[:10],
        parameters=_parameters(lake, accepted["refresh"]),
        rights=_rights(accepted["attribution"], settings),
        software=software(),
        inputs=[*(_input(accepted[name]) for name in sorted(accepted)), *source.inputs],
        tombstones=takedowns(lake),
        kept=kept_files(lake, settings.home, release, accepted),
        vectors=source.vectors,
        encoders=source.encoders,
        formats=wanted,
        notes=_notes(accepted, source, formats),
    )


def frozen_from_manifest(lake: Lake, settings: Settings, manifest: Mapping[str, Any], folder: Path) -> Frozen:
    """Return what the release of `manifest` was made of; kept files that changed since come from its own `folder`.

    Raises:
        MlmError: the lake no longer has a version that the manifest pins.
    """
    inputs = [Input(**one) for one in manifest["inputs"]]
    release = manifest["release"]
    pinned = {one.table: _written(lake, one) for one in inputs if one.partition == release}
    attribution = lake.read(pinned["attribution"])
    rows = {name: without_withheld(lake.read(pinned[name]), attribution, name) for name in VARIANTS}
    source = pinned_vectors(lake, settings, rows, manifest["encoders"])
    return _frozen(
        lake,
        pinned,
        rows,
        release=release,
        version=manifest["version"],
        reason=manifest["reason"],
        created=manifest["created"],
        parameters=manifest["parameters"],
        rights=manifest["rights"],
        software=manifest["software"],
        inputs=inputs,
        tombstones=[Tombstone(**one) for one in manifest["tombstones"]],
        kept=[
            _kept_again(settings.home, release, folder, file)
            for file in manifest["files"]
            if file["format"] in KEPT_GROUPS
        ],
        vectors=source.vectors,
        encoders=source.encoders,
        formats=manifest["formats"],
        notes=manifest["notes"],
    )


def checks_of(lake: Lake, frozen: Frozen) -> dict[str, int]:
    """Return how many checks of the tables of a release passed, warned, and failed but were approved."""
    counts = {"passed": 0, "warned": 0, "approved": 0}
    for one in frozen.inputs:
        audit = lake.audit_of(one.table, one.partition)
        if one.partition != frozen.release or audit is None or audit["version"] != one.version:
            continue
        for check in audit["checks"]:
            counts["passed" if check["passed"] else "approved" if check["blocking"] else "warned"] += 1
    return counts


def software() -> dict[str, str]:
    """Return the versions of what writes a release, of the code that does (a hash), and of the constraints of both."""
    found = {"mlm_assets": __version__, "python": platform.python_version(), "release_code_sha256": _code_sha256()}
    found |= {name: metadata.version(name) for name in _LIBRARIES}
    with suppress(FileNotFoundError):
        found["constraints_sha256"] = hashlib.sha256(shipped_file("constraints.txt").read_bytes()).hexdigest()
    return found


def _code_sha256() -> str:
    """Return the hash of the modules and pages that turn rows into files."""
    folder = Path(release_package.__file__).parent
    below = (file for name in _WRITERS for file in (folder / name).rglob("*"))
    files = sorted({*below, *(folder / name for name in _WRITERS)})
    files = [file for file in files if file.suffix in _CODE and file.is_file()]
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file_sha256(file)}  {file.relative_to(folder).as_posix()}\n".encode())
    return digest.hexdigest()


def same_content(frozen: Frozen, manifest: Mapping[str, Any]) -> bool:
    """Tell whether a release would hold what a published manifest says: same rows, rights, tombstones, kept files.

    Which version of a feature table says where a vector lies makes no difference; which encoder it is by does.
    """
    release = frozen.release

    def own(inputs: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        return {one["table"]: one["version"] for one in inputs if one["partition"] == release}

    mine = {
        "inputs": own([vars(one) for one in frozen.inputs]),
        "rights": dict(frozen.rights),
        "tombstones": [vars(one) for one in frozen.tombstones],
        "kept": sorted((one.path, one.sha256) for one in frozen.kept),
        "encoders": dict(frozen.encoders),
        "formats": list(frozen.formats),
    }
    published = {
        "inputs": own(manifest["inputs"]),
        "kept": sorted((one["path"], one["sha256"]) for one in manifest["files"] if one["format"] in KEPT_GROUPS),
        **{name: manifest[name] for name in ("rights", "tombstones", "encoders", "formats")},
    }
    return mine == published


def kept_files(lake: Lake, home: Path, release: str, tables: Mapping[str, Version]) -> list[KeptFile]:
    """Return the files that are copied as they are: models, reports of scores, the diff; only of accepted tables.

    Raises:
        Refused: the weights of a model are not those that its accepted table names, or a report or model is not there.
    """
    found: list[KeptFile] = []
    for variant in TRAINED_VARIANTS:
        for task in TASKS:
            name = f"{variant}/{task}_model"
            if name in tables:
                folder = model_folder(home, release, variant, task)
                _require_weights(lake, tables[name], folder / MODEL_FILE)
                found += _kept_below(folder, f"models/{variant}/{folder.name}", "model")
        if f"{variant}/benchmark" in tables:
            file = benchmark_file(home, release, variant)
            _require_file(file, f"{variant}/benchmark", release)
            found.append(KeptFile(f"benchmark/{file.name}", file, file_sha256(file), "benchmark"))
            found += _kept_below(file.with_suffix(""), f"benchmark/{variant}", "benchmark")
    diff = diff_folder(home, release)
    for one in _kept_below(diff, "diff", "diff"):
        is_notes = one.source == diff / NOTES_FILE
        found.append(KeptFile(NOTES_FILE, one.source, one.sha256, one.group) if is_notes else one)
    return sorted(found, key=lambda one: one.path)


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def _frozen(lake: Lake, tables: Mapping[str, Version], rows: Mapping[str, Any], **given: Any) -> Frozen:
    """Return the release whose tables are `tables`; everything that two ways of freezing have in common."""

    return Frozen(
        rows=rows,
        attribution=lake.read(tables["attribution"]),
        geo_cells=lake.read(tables["geo_cells"]),
        statistics=lake.read(tables["dataset_statistics"]),
        approvals=lake.read(tables["approvals"]),
        scores={
            variant: lake.read(tables[f"{variant}/benchmark"])
            for variant in TRAINED_VARIANTS
            if f"{variant}/benchmark" in tables
        },
        picture=lake.read_bytes,
        link_picture=lambda path, target: _link(lake, path, target),
        **given,
    )


def _link(lake: Lake, path: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if lake.is_local:
        with suppress(OSError):  # another file system, or one that gives a file no more links
            target.hardlink_to(lake.full_path(path))
            return
    target.write_bytes(lake.read_bytes(path))


def _vectors(lake: Lake, encoders: Encoders, rows: Mapping[str, Any], formats: Sequence[str]) -> VectorSource:
    return accepted_vectors(lake, encoders, rows) if "hdf5" in formats else VectorSource()


def _formats(settings: Settings) -> list[str]:
    """Return the formats that the settings ask for.

    Raises:
        Refused: one of them is not known.
    """
    from mlm_assets.release.formats import FORMATS

    wanted = [name.strip() for name in settings.release_formats.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in FORMATS]
    if unknown:
        raise Refused(
            f"MLM_RELEASE_FORMATS names {', '.join(unknown)}; the formats of a release are {', '.join(FORMATS)}."
        )
    return [name for name in FORMATS if name in wanted]


def _notes(accepted: Mapping[str, Version], source: VectorSource, formats: Sequence[str]) -> list[str]:
    """Return what the release lacks, a sentence each."""
    missing = [name for name in OPTIONAL if name not in accepted]
    notes = []
    if len(missing) == len(OPTIONAL):
        notes.append("Without models and scores: none were trained for this release.")
    elif missing:
        notes.append(f"Without {', '.join(missing)}: not made for this release.")
    if "hdf5" in formats and not source.vectors:
        notes.append(f"Without HDF5 files of vectors: {source.why_not}.")
    return notes


def _parameters(lake: Lake, refresh: Version) -> dict[str, str]:
    rows = lake.read(refresh).to_pylist()
    return {row["name"]: str(row["value"]) for row in rows if row["kind"] == "parameter"}


def _rights(attribution: Accepted, settings: Settings) -> dict[str, Any]:
    """Return the policy that decided what is withheld, as the attribution was made by it."""
    said = {name: attribution.inputs.get(f"setting:{name}", str(getattr(settings, name))) for name in _RIGHTS}
    policy = RightsPolicy.of_settings(said["allowed_licences"], said["face_detector"], float(said["max_face_share"]))
    return policy.as_json()


def _input(version: Version) -> Input:
    return Input(version.table, version.partition, version.version, version.n_rows)


def _written(lake: Lake, pinned: Input) -> Version:
    """Return a pinned version, if the lake still has it.

    Raises:
        MlmError: it does not.
    """
    try:
        return lake.version(pinned.table, pinned.partition, pinned.version)
    except FileNotFoundError as error:
        raise MlmError(
            f"The lake has no version {pinned.version} of {pinned.table} {pinned.partition} any more, which the "
            "manifest pins. Restore it from a copy of the home; the release cannot be built again without it."
        ) from error


def _kept_below(folder: Path, path: str, group: str) -> list[KeptFile]:
    """Return the finished files below a folder; what begins with a dot is somebody's work."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    named = [(file, file.relative_to(folder).as_posix()) for file in files]
    return [
        KeptFile(f"{path}/{name}", file, file_sha256(file), group)
        for file, name in named
        if not any(part.startswith(".") for part in name.split("/"))
    ]


def _kept_again(home: Path, release: str, folder: Path, file: Mapping[str, Any]) -> KeptFile:
    """Return where a kept file of a manifest is today: in the home if it is still the same there, else as published."""
    path = str(file["path"])
    top, _, rest = path.partition("/")
    places = {"models": home / "models" / release, "benchmark": home / "benchmark" / release}
    source = places.get(top, diff_folder(home, release)) / (rest or path)
    is_same = source.is_file() and file_sha256(source) == file["sha256"]
    return KeptFile(path, source if is_same else folder / path, file["sha256"], file["format"])


def _require_weights(lake: Lake, table: Version, weights: Path) -> None:
    _require_file(weights, table.table, table.partition)
    said = set(lake.read(table)["weights_sha256"].to_pylist())
    if said != {file_sha256(weights)}:
        raise Refused(
            f"{weights} does not hold the weights that the accepted {table.table} of {table.partition} names. "
            "Train it again (`mlm train`), or bring the file back."
        )


def _require_file(file: Path, name: str, release: str) -> None:
    if not file.is_file():
        raise Refused(f"{file} of the accepted {name} of {release} is not there. Materialise {name} again.")
