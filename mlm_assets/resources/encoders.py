"""The text and image encoder of a home with their feature stores: opened when they are first needed, once a process.

`Encoders` serves the command line too and knows nothing of Dagster; `EncoderResource` hands it to assets. The encoders
themselves are in `ml.encoders`, the store in `ml.features`; which rows are wanted is said by the assets.
"""

import io
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

import dagster as dg

from mlm_assets.errors import MlmError
from mlm_assets.ml.assembly import Origin, Source, materialise
from mlm_assets.ml.features import Computed, Encoder, FeatureStore, compute_missing, families
from mlm_assets.ml.recipe import Recipe
from mlm_assets.resources.lake import Lake
from mlm_assets.resources.services import LakeResource
from mlm_assets.settings import Settings

Modality = Literal["image", "text"]
Opener = Callable[[Settings, Modality, str], Encoder]
"""Opens the encoder of a modality on a device, without loading it."""
Watch = Callable[[str, int], Callable[[int], Any]]
"""Given what is computed and how much of it, returns what is told of each step (`Progress.advance` of assets)."""
_READERS: Final = min(8, os.cpu_count() or 1)


def feature_folder(settings: Settings, lake: Lake) -> Path:
    """Return where features lie: in the lake, or in the home where the lake is none of local files.

    Vectors are read through memory maps, which an object store cannot give.
    """
    return (Path(lake.root) if lake.is_local else settings.home) / "features"


def open_encoder_of(settings: Settings, modality: Modality, device: str) -> Encoder:
    """Return this process's one encoder of a modality on a device, as the settings name it.

    Vectors are computed once and read on other machines too, so that `auto` is float32 wherever they are computed.
    """
    spec = settings.image_encoder if modality == "image" else settings.text_encoder
    precision = "float32" if settings.precision == "auto" else settings.precision
    return _opened(spec, modality, device, precision, settings.encoder_batch)


@cache
def _opened(spec: str, modality: Modality, device: str, precision: str, batch: int) -> Encoder:
    from mlm_assets.ml.encoders import open_encoder

    return open_encoder(spec, modality, device=device, precision=precision, batch=batch)


class Encoders:
    """The encoders of a home and their stores. Cheap to make."""

    def __init__(
        self, settings: Settings, lake: Lake, opener: Opener = open_encoder_of, first_characters: int = 0
    ) -> None:
        """Serve the home of `settings`; `opener` opens the encoder of a modality.

        With `first_characters`, texts of training material are cut after so many.
        """
        self._settings, self._lake, self._opener = settings, lake, opener
        self._first_characters = first_characters
        self._stores: dict[Modality, FeatureStore] = {}

    def for_recipe(self, recipe: Recipe) -> "Encoders":
        """Return the encoders that a recipe trains with: the home's, but for faults that its features have."""
        spec = recipe.faults.english_encoder or self._settings.text_encoder
        settings = self._settings.model_copy(update={"text_encoder": spec})
        return Encoders(settings, self._lake, self._opener, recipe.faults.first_characters)

    def encoder(self, modality: Modality) -> Encoder:
        """Return the encoder of a modality on the device of the settings.

        Raises:
            Refused: the encoder or the device is not known or cannot be had.
        """
        from mlm_assets.ml.device import choose_device

        return self._opener(self._settings, modality, choose_device(self._settings.device).name)

    def store(self, modality: Modality) -> FeatureStore:
        """Return the store of the vectors of today's encoder of a modality."""
        if modality not in self._stores:
            # Its names are the same on every device; to look for one would import torch, often for nothing.
            named = self._opener(self._settings, modality, "cpu")
            self._stores[modality] = FeatureStore(self._root(modality), named.identity, named.dimension)
        return self._stores[modality]

    def families(self, modality: Modality) -> list[FeatureStore]:
        """Return the stores of all encoders that have been used for a modality."""
        return families(self._root(modality))

    def compute(
        self, modality: Modality, contents: Mapping[str, str], progress: Callable[[int], Any] = lambda _: None
    ) -> Computed:
        """Compute the vectors that the store lacks; `contents` maps keys to texts, or to paths of pictures in the lake.

        Raises:
            Refused: the encoder gave vectors that are not acceptable; the sentence names the key.
        """
        store = self.store(modality)
        with ThreadPoolExecutor(_READERS, "pictures") as threads:

            def load(keys: Sequence[str]) -> Sequence[Any]:
                wanted = [contents[key] for key in keys]
                return wanted if modality == "text" else list(threads.map(self._picture, wanted))

            return compute_missing(
                store, list(contents), load, lambda: self.encoder(modality), self._settings.encoder_batch, progress
            )

    def source(self, modality: Modality, watch: Watch = lambda what, n: lambda done: None) -> Source:
        """Return the store for `assemble`, with what computes its missing vectors, watched by `watch`."""

        def fill(contents: Mapping[str, str]) -> None:
            advance = watch(f"vectors by {self.store(modality).encoder}", len(contents))
            unreadable = self.compute(modality, contents, advance).unreadable
            if unreadable:
                raise MlmError(
                    f"{len(unreadable)} pictures of the lake cannot be read, {contents[unreadable[0]]} among them. "
                    "Remove them and materialise images of their shards again."
                )

        return Source(self.store(modality), fill)

    def training_material(
        self,
        release: str,
        variant: str,
        say: Callable[[str], Any] = lambda _: None,
        watch: Watch = lambda what, n: lambda done: None,
    ) -> Path:
        """Return the folder of the material of a variant of a release (`ml.material.open_material`), made if needed.

        It lies in the home (`materials/<release>/<variant>/<digest>`) and may be removed whenever nobody trains on it.

        Raises:
            MlmError: the variant or its geo-cells have no accepted version yet, or a picture of it cannot be read.
        """
        rows, cells = self._lake.require(variant, release), self._lake.require("geo_cells", release)

        def tokens() -> list[str]:
            mine = self._lake.read(cells, {"variant": variant}).sort_by("class_id")
            return list(mine["cell_token"].to_pylist())

        return materialise(
            self._settings.home / "materials",
            Origin(release, variant, rows.version, cells.version, self._first_characters),
            lambda: self._lake.read(rows),
            tokens,
            self.source("image", watch),
            self.source("text", watch),
            say,
        )

    def _root(self, modality: Modality) -> Path:
        return feature_folder(self._settings, self._lake) / modality

    def _picture(self, path: str) -> Any:
        """Return a picture of the lake as RGB, None where it is missing or damaged."""
        from PIL import Image

        try:
            with Image.open(io.BytesIO(self._lake.read_bytes(path))) as picture:
                return picture.convert("RGB")
        except (OSError, SyntaxError, ValueError):
            return None


class EncoderResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The encoders of one home. Tests give a subclass whose `open` has another opener."""

    lake: dg.ResourceDependency[LakeResource]

    def open(self) -> Encoders:
        """Return the encoders of the home; nothing is loaded yet."""
        return Encoders(self.lake.settings(), self.lake.open())
