"""Answers to a query in one modality: settlements ranked by the other, and where it is, as cells with probabilities.

This is the application of the paper (section 1.2): a text finds images, an image finds texts, and both are located;
a place finds the settlements around it. How a query becomes a feature vector does not belong here (`encoders`), nor
what settlements are called (`commands.predict`).
"""

from dataclasses import dataclass

import numpy as np
import torch

from mlm_assets.ml.device import Device
from mlm_assets.ml.evaluation.location import great_circle_km
from mlm_assets.ml.inference import Trained, predict
from mlm_assets.ml.material import Floats, Integers, Material
from mlm_assets.ml.predictions import Predictions


@dataclass(frozen=True)
class Hit:
    """One settlement of an answer: its number in the material, and how well it fits (cosine, or km where `is_km`)."""

    item: int
    score: float


@dataclass(frozen=True)
class Cell:
    """One geo-cell of an answer, with its probability and its middle in degrees."""

    token: str
    probability: float
    lat_deg: float
    lon_deg: float


@dataclass(frozen=True)
class Answer:
    """Settlements, best first, and cells, most probable first."""

    hits: list[Hit]
    cells: list[Cell]
    is_km: bool = False


class Gallery:
    """All settlements of a material as a multitask model sees them."""

    def __init__(self, trained: Trained, material: Material, device: Device) -> None:
        """Predict every settlement once; a query then takes milliseconds."""
        self.trained, self.material, self.device = trained, material, device
        everything = np.arange(len(material))
        self.seen: Predictions = predict(trained.model, material, everything, trained.recipe, device)
        self._lat, self._lon = material.cell_centres()

    def of_text(self, feature: Floats, top: int) -> Answer:
        """Answer a text feature (d_text,): settlements by their images."""
        model = self.trained.model
        with torch.inference_mode():
            texts = torch.from_numpy(np.asarray(feature, np.float32))[None].to(self.device.torch)
            vector = model.embed_texts(texts, model.mean_class[None])
        return self._answer(vector, self.seen.image_vectors, self.seen.image_items, top)

    def of_image(self, feature: Floats, top: int) -> Answer:
        """Answer an image feature (d_image,): settlements by their texts."""
        with torch.inference_mode():
            images = torch.from_numpy(np.asarray(feature, np.float32))[None].to(self.device.torch)
            vector = self.trained.model.embed_images(images)
        return self._answer(vector, self.seen.text_vectors, self.seen.text_items, top)

    def of_place(self, lat_deg: float, lon_deg: float, top: int) -> Answer:
        """Answer a place: settlements by distance in km, and the cells nearest by their middles.

        Probabilities are what the model's labels are made of: they fall off with distance, on a scale of 100 km.
        """
        material = self.material
        lat, lon = np.array([lat_deg]), np.array([lon_deg])
        km = great_circle_km(lat, lon, material.lat_deg, material.lon_deg)
        hits = [Hit(int(item), float(km[item])) for item in np.argsort(km, kind="stable")[:top]]
        known = np.isfinite(self._lat)
        away = great_circle_km(lat, lon, self._lat, self._lon)
        scores = np.where(known, -away / 100.0, -np.inf)
        shares = np.exp(scores - scores.max())
        return Answer(hits, self._cells(shares / shares.sum(), top), is_km=True)

    def _answer(self, vector: torch.Tensor, others: Floats | None, items: Integers, top: int) -> Answer:
        assert others is not None
        scores = others @ vector[0].float().cpu().numpy()
        best = np.full(len(self.material), -np.inf)
        np.maximum.at(best, items, scores)
        hits = [Hit(int(item), float(best[item])) for item in np.argsort(-best, kind="stable")[:top]]
        with torch.inference_mode():
            assert self.trained.model.location is not None
            shares = torch.softmax(self.trained.model.location(vector).float(), dim=-1)[0].cpu().numpy()
        return Answer(hits, self._cells(shares, top))

    def _cells(self, shares: Floats, top: int) -> list[Cell]:
        return [
            Cell(self.material.cell_tokens[cell], float(shares[cell]), float(self._lat[cell]), float(self._lon[cell]))
            for cell in np.argsort(-shares, kind="stable")[:top]
        ]
