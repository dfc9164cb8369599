"""`mlm predict`: what a trained model answers to a text, an image or a place, with the settlements' own material."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from mlm_assets.commands.models import chosen_release, trained_by
from mlm_assets.errors import Refused
from mlm_assets.release.layout import dataset_folder
from mlm_assets.settings import Settings

_SHOWN_CHARACTERS = 160


@dataclass(frozen=True)
class Query:
    """One question: a text, a picture's path, or a place; exactly one of them."""

    text: str | None = None
    image: Path | None = None
    lat_deg: float | None = None
    lon_deg: float | None = None

    def check(self) -> None:
        """Check that exactly one thing is asked, and that it can be.

        Raises:
            Refused: none or several are given, or one is not acceptable.
        """
        is_place = self.lat_deg is not None or self.lon_deg is not None
        if (self.text is not None) + (self.image is not None) + is_place != 1:
            raise Refused("Give one of --text, --image, or --lat and --lon.")
        if self.text is not None and not self.text.strip():
            raise Refused("--text is empty.")
        if self.image is not None and not self.image.is_file():
            raise Refused(f"There is no picture {self.image}.")
        if is_place:
            self._check_place()

    def _check_place(self) -> None:
        if self.lat_deg is None or self.lon_deg is None:
            raise Refused("A place needs both --lat and --lon.")
        if not (math.isfinite(self.lat_deg) and abs(self.lat_deg) <= 90):
            raise Refused(f"--lat {self.lat_deg} is no latitude; they go from -90 to 90 degrees.")
        if not (math.isfinite(self.lon_deg) and abs(self.lon_deg) <= 180):
            raise Refused(f"--lon {self.lon_deg} is no longitude; they go from -180 to 180 degrees.")


def predict(settings: Settings, query: Query, release: str | None, variant: str, top: int) -> dict[str, Any]:
    """Return ranked settlements with what they have in the other modality, and cells with probabilities.

    Raises:
        Refused: the question is not acceptable, or there is no model for it.
    """
    query.check()
    release = chosen_release(settings, release)
    gallery = _gallery(settings, release, variant)
    answer = _ask(settings, gallery, query, top)
    known = _records(settings, release, variant)
    material = gallery.material
    return {
        "release": release,
        "variant": variant,
        "query": {name: str(value) for name, value in vars(query).items() if value is not None},
        "settlements": [
            {
                "qid": str(material.qids[hit.item]),
                ("distance_km" if answer.is_km else "score"): round(hit.score, 4),
                "lat_deg": float(material.lat_deg[hit.item]),
                "lon_deg": float(material.lon_deg[hit.item]),
                **_shown(settings, release, variant, known.get(str(material.qids[hit.item])), query),
            }
            for hit in answer.hits
        ],
        "cells": [{**vars(cell), "probability": round(cell.probability, 6)} for cell in answer.cells],
    }


def show(said: dict[str, Any], console: Console) -> None:
    """Print an answer as text."""
    table = Table(title=f"Settlements ({said['variant']} {said['release']})", title_justify="left")
    for column in ("#", "QID", "name", "score", "material"):
        table.add_column(column, overflow="fold")
    for number, one in enumerate(said["settlements"], start=1):
        score = f"{one['distance_km']:.1f} km" if "distance_km" in one else f"{one['score']:.3f}"
        texts = [f"{lang}: {text[:_SHOWN_CHARACTERS]}" for lang, text in one.get("summaries", {}).items()]
        table.add_row(str(number), one["qid"], one.get("label", ""), score, "\n".join([*one.get("images", []), *texts]))
    console.print(table)
    cells = Table(title="Location", title_justify="left")
    for column in ("cell", "probability", "latitude", "longitude"):
        cells.add_column(column)
    for cell in said["cells"]:
        cells.add_row(cell["token"], f"{cell['probability']:.3f}", f"{cell['lat_deg']:.3f}", f"{cell['lon_deg']:.3f}")
    console.print(cells)


def _gallery(settings: Settings, release: str, variant: str) -> Any:
    from mlm_assets.ml.answers import Gallery
    from mlm_assets.ml.device import choose_device
    from mlm_assets.ml.inference import check_fits, load_trained
    from mlm_assets.ml.layout import MODEL_FILE, imported_folder, model_folder
    from mlm_assets.ml.material import open_material
    from mlm_assets.resources.encoders import Encoders
    from mlm_assets.resources.lake import open_lake

    trained_by(settings.home, release, variant, ("mtl",))
    trained = load_trained(model_folder(settings.home, release, variant, "mtl") / MODEL_FILE)
    imported = imported_folder(settings.home, release, variant)
    if imported.is_dir():
        folder = imported
    else:
        encoders = Encoders(settings, open_lake(settings)).for_recipe(trained.recipe)
        folder = encoders.training_material(release, variant)
    material = open_material(folder)
    check_fits(trained, material)
    return Gallery(trained, material, choose_device(settings.device, settings.precision))


def _ask(settings: Settings, gallery: Any, query: Query, top: int) -> Any:
    if query.lat_deg is not None and query.lon_deg is not None:
        return gallery.of_place(query.lat_deg, query.lon_deg, top)
    about = gallery.trained.about
    if query.text is not None:
        return gallery.of_text(_encoded(settings, "text", query.text, about["text_encoder"]), top)
    return gallery.of_image(_encoded(settings, "image", _picture(settings, query.image), about["image_encoder"]), top)


def _encoded(settings: Settings, modality: Any, content: Any, wanted: str) -> Any:
    from mlm_assets.resources.encoders import Encoders
    from mlm_assets.resources.lake import open_lake

    encoder = Encoders(settings, open_lake(settings)).encoder(modality)
    if encoder.identity != wanted:
        raise Refused(
            f"The model reads {modality} features of {wanted}; the home's encoder gives those of {encoder.identity}. "
            f"Set MLM_{modality.upper()}_ENCODER to the one that it was trained on."
        )
    return encoder.encode([content])[0]


def _picture(settings: Settings, path: Path | None) -> Any:
    import io

    from PIL import Image

    from mlm_assets.media.pictures import PictureError, square_rgb

    assert path is not None
    try:
        padded = square_rgb(path.read_bytes(), max_bytes=settings.max_file_bytes, max_pixels=settings.max_file_pixels)
    except (OSError, PictureError) as error:
        raise Refused(f"{path} is no picture that can be read ({error}).") from error
    return Image.open(io.BytesIO(padded)).convert("RGB")


def _records(settings: Settings, release: str, variant: str) -> dict[str, dict[str, Any]]:
    from mlm_assets.resources.lake import open_lake

    lake = open_lake(settings)
    version = lake.accepted(variant, release)
    if version is None:
        return {}
    rows = lake.read(version).select(["qid", "label", "summaries", "images"]).to_pylist()
    return {row["qid"]: row for row in rows}


def _shown(settings: Settings, release: str, variant: str, row: dict[str, Any] | None, query: Query) -> dict[str, Any]:
    """Return name and material of a settlement: images for a text, texts for an image, both for a place."""
    if row is None:
        return {}
    from mlm_assets.resources.lake import open_lake

    folder = open_lake(settings).full_path(dataset_folder(release, variant))
    shown: dict[str, Any] = {"label": row["label"]}
    if query.image is None:
        shown["images"] = [f"{folder}/images/{image['name']}" for image in row["images"]]
    if query.text is None:
        shown["summaries"] = {summary["lang"]: summary["text"] for summary in row["summaries"]}
    return shown
