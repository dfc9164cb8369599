"""`mlm import-hdf5` and `mlm export-hdf5`: published files into a home, and material out of it in the published layout.

The layout itself belongs to `ml.hdf5`. Imported material lies in `HOME/imported/<name>/<variant>`, apart from the
releases, which the platform made itself.
"""

import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from mlm_assets.errors import Refused
from mlm_assets.ml.hdf5 import FILES, Progress, export_hdf5, import_hdf5
from mlm_assets.ml.layout import imported_folder
from mlm_assets.ml.material import SPLITS, Material, open_material
from mlm_assets.settings import Settings, load_settings
from mlm_assets.tables import TRAINED_VARIANTS

_DEFAULT_VARIANT: Final = "mlm_irle"
_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,62}", re.ASCII)
_SAY_EVERY_S: Final = 5.0

Say = Callable[[str], None]


def import_files(
    folder: Path,
    settings: Settings,
    variant: str | None = None,
    name: str = "published",
    say: Say = lambda _line: None,
    *,
    replace: bool = False,
) -> dict[str, Any]:
    """Bring published files into the home as the release `name`, and return what came in, per variant.

    `folder` holds the three files of one variant (`variant`, else mlm_irle), or a folder of them for each variant
    (`mlm_irle/`, `mlm_irle_gr/`), of which `variant` picks one. Each variant is there whole or not at all.

    Raises:
        Refused: the name is not acceptable or taken (without `replace`), the folder holds no such files, another
            import of the same is under way, or the files are not acceptable (`ml.hdf5.import_hdf5`).
    """
    if not _NAME.fullmatch(name):
        raise Refused(
            f"{name!r} cannot name imported files: write a small letter, then small letters, digits, - or _. "
            "Months, such as 2026-12, are releases of this platform."
        )
    sources = _sources(folder, variant)
    for found in sources:
        target = imported_folder(settings.home, name, found)
        if target.exists() and not replace:
            raise Refused(f"{target} is there already. Import under another name (--name), or replace it (--replace).")
    return {
        "release": name,
        "variants": {found: _import_one(sources[found], settings, name, found, say) for found in sources},
    }


def export_files(material: Material, target: Path, say: Say = lambda _line: None) -> dict[str, Any]:
    """Write `material` as published files in the folder `target`, and return counts, bytes and seconds.

    Raises:
        Refused: as `ml.hdf5.export_hdf5`.
    """
    began = time.perf_counter()
    export_hdf5(material, target, _progress("written", say))
    return _counts(material, target, began)


def home_for_import(home: Path) -> Settings:
    """Return the settings of a home, made if there is none: a researcher who has the files needs no run before.

    Raises:
        Refused: the folder is somebody else's, or cannot be written.
    """
    from mlm_assets.automation.instance import check_home, keep_settings, make_home

    settings = load_settings(home)
    check_home(settings, None, is_fresh=False)
    make_home(settings.home)
    keep_settings(settings, {})
    return settings


def export_release(
    settings: Settings, release: str | None, variants: tuple[str, ...], target: Path, say: Say = lambda _line: None
) -> list[str]:
    """Write the features of a release, one folder per variant below `target`, and return lines for people.

    Raises:
        Refused: there is no such release, or a folder is there already.
    """
    from mlm_assets.commands.models import chosen_release
    from mlm_assets.resources.encoders import Encoders
    from mlm_assets.resources.lake import open_lake

    release = chosen_release(settings, release)
    lines: list[str] = []
    imported = tuple(one for one in TRAINED_VARIANTS if imported_folder(settings.home, release, one).is_dir())
    for variant in variants or imported or TRAINED_VARIANTS:
        folder = imported_folder(settings.home, release, variant)
        if not folder.is_dir():
            folder = Encoders(settings, open_lake(settings)).training_material(release, variant, say)
        lines += lines_of(export_files(open_material(folder), target / variant, say))
    return lines


def lines_of(said: dict[str, Any]) -> list[str]:
    """Return the counts of one variant, as lines for people."""
    splits = ", ".join(f"{n:,} {split}" for split, n in said["items"].items())
    vectors = ", ".join(f"{n:,} {part} of {said['dimensions'][part]:,}" for part, n in said["vectors"].items())
    return [
        f"{said['variant']}: {splits}; {said['cells']:,} cells",
        f"{vectors}; {said['bytes'] / 1e6:,.1f} MB in {said['seconds']:,.1f} s: {said['folder']}",
    ]


def _sources(folder: Path, variant: str | None) -> dict[str, Path]:
    """Return the folder with the files of each variant that is to be imported."""
    if variant is not None and variant not in TRAINED_VARIANTS:
        raise Refused(f"{variant!r} has no models; the published variants are {' and '.join(TRAINED_VARIANTS)}.")
    if not folder.is_dir():
        raise Refused(f"{folder} is not a folder. Name the one that holds {', '.join(FILES)}.")
    if any((folder / name).exists() for name in FILES):
        return {variant or _DEFAULT_VARIANT: folder}
    wanted = TRAINED_VARIANTS if variant is None else (variant,)
    found = {name: folder / name for name in wanted if (folder / name).is_dir()}
    if not found:
        raise Refused(
            f"{folder} holds neither {', '.join(FILES)} nor a folder {' or '.join(f'{name}/' for name in wanted)}."
        )
    return found


def _import_one(source: Path, settings: Settings, name: str, variant: str, say: Say) -> dict[str, Any]:
    target = imported_folder(settings.home, name, variant)
    lock = settings.home / ".locks" / f"import-{name}-{variant}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    try:
        with FileLock(lock, timeout=0):
            # Nobody else is at work here, so these are what a killed import left behind, gigabytes perhaps.
            for left in target.parent.glob(f".tmp-{variant}-*"):
                shutil.rmtree(left, ignore_errors=True)
            material = import_hdf5(source, target, variant, name, _progress(f"{variant}: read", say))
    except Timeout as error:
        raise Refused(f"Another import into {target} is under way.") from error
    return _counts(material, target, began)


def _counts(material: Material, folder: Path, began: float) -> dict[str, Any]:
    parts = {"images": material.images, "texts": material.texts, "classes": material.classes}
    return {
        "variant": material.variant,
        "folder": str(folder),
        "items": {name: len(material.items(split)) for split, name in enumerate(SPLITS)},
        "cells": material.n_cells,
        "vectors": {name: len(vectors.rows) for name, vectors in parts.items()},
        "distinct_vectors": {name: len(vectors.keys) for name, vectors in parts.items()},
        "dimensions": {name: vectors.dimension for name, vectors in parts.items()},
        "bytes": sum(path.stat().st_size for path in folder.iterdir()),
        "seconds": round(time.perf_counter() - began, 2),
    }


def _progress(what: str, say: Say) -> Progress:
    """Return a function that says every few seconds how far it is and how long it will take."""
    began = said = time.monotonic()

    def tell(done: int, total: int) -> None:
        nonlocal said
        now = time.monotonic()
        if now - said >= _SAY_EVERY_S:
            said = now
            left = (now - began) / done * (total - done)
            say(f"{what} {done:,} of {total:,} entities, {left:,.0f} s left")

    return tell
