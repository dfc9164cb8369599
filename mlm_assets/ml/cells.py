"""What location losses know of geo-cells: their middles, distances in km, and coarser cells above them."""

import numpy as np
import torch
from torch import Tensor

from mlm_assets.ml.material import Material

EARTH_RADIUS_KM = 6371.0088
"""Mean radius of the Earth (IUGG)."""


class CellGeometry:
    """Middles of the cells as unit vectors (n_cells, 3), and per level of a hierarchy the coarse cell of each."""

    def __init__(self, material: Material, levels: tuple[int, ...], device: torch.device) -> None:
        """Take the middles from the training items; a cell without any item lies nowhere and is never near."""
        lat, lon = material.cell_centres()
        known = np.isfinite(lat)
        middles = unit_points(torch.from_numpy(np.where(known, lat, 0.0)), torch.from_numpy(np.where(known, lon, 0.0)))
        middles[torch.from_numpy(~known)] = 0.0
        self.middles = middles.to(device)
        coarse = [_coarse(lat, lon, known, level) for level in levels]
        self.parents = [torch.from_numpy(one).to(device) for one in coarse]
        self.n_coarse = [int(one.max()) + 1 for one in coarse]

    def distances_km(self, points: Tensor) -> Tensor:
        """Return great-circle distances (n, n_cells) in km from unit points (n, 3)."""
        return torch.arccos((points @ self.middles.T).clamp(-1.0, 1.0)) * EARTH_RADIUS_KM


def unit_points(lat_deg: Tensor, lon_deg: Tensor) -> Tensor:
    """Return points on the unit sphere (n, 3) float32."""
    lat, lon = torch.deg2rad(lat_deg.double()), torch.deg2rad(lon_deg.double())
    return torch.stack([lat.cos() * lon.cos(), lat.cos() * lon.sin(), lat.sin()], dim=-1).float()


def _coarse(lat: np.ndarray, lon: np.ndarray, known: np.ndarray, level: int) -> np.ndarray:
    """Return for each cell the number of the S2 cell of `level` that its middle lies in."""
    import s2sphere

    tokens = [
        s2sphere.CellId.from_lat_lng(s2sphere.LatLng.from_degrees(float(a), float(b))).parent(level).id()
        if is_known
        else 0
        for a, b, is_known in zip(lat, lon, known, strict=True)
    ]
    _, number = np.unique(np.asarray(tokens, dtype=np.uint64), return_inverse=True)
    return number.astype(np.int64)
