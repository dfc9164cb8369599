"""Tamperings with positions. Literal, value node and direct value always say the same: the answers stay well formed."""

import math
from typing import Final

from mlm_assets.local_wikimedia.faults import fraction
from mlm_assets.local_wikimedia.tampering.base import Tampering, hits
from mlm_assets.local_wikimedia.tampering.graph import Graph, Term

_USA, _POLAND = "Q30", "Q36"
_MOON: Final = "Q405"
_WARSAW: Final = (52.23, 21.01)
_JITTER_KM: Final = 50.0
_KM_PER_DEG: Final = 111.2


def _chosen(graph: Graph, share: float, name: str, country_qid: str = "") -> list[Term]:
    return [item for item in graph.items(country_qid=country_qid) if hits(share, name, item)]


def _swap(graph: Graph) -> None:
    # A longitude beyond 90 cannot be a latitude; such values would not be answers that parse as coordinates.
    graph.move(
        _chosen(graph, 0.33, "coordinates_swapped"), lambda _, lat, lon: (lon, lat) if abs(lon) <= 90 else (lat, lon)
    )


def _zero(graph: Graph) -> None:
    graph.move(_chosen(graph, 0.25, "coordinates_zeroed"), lambda _item, _lat, _lon: (0.0, 0.0))


def _lose_sign(graph: Graph) -> None:
    graph.move(graph.items(country_qid=_USA), lambda _, lat, lon: (lat, abs(lon)))


def _round(graph: Graph) -> None:
    graph.move(_chosen(graph, 0.6, "coordinates_rounded"), lambda _, lat, lon: (float(round(lat)), float(round(lon))))


def _jitter(graph: Graph) -> None:
    def away(item: Term, lat: float, lon: float) -> tuple[float, float]:
        angle = 2 * math.pi * fraction("direction", item)
        north = lat + _JITTER_KM * math.cos(angle) / _KM_PER_DEG
        east = lon + _JITTER_KM * math.sin(angle) / _KM_PER_DEG / max(0.1, math.cos(math.radians(lat)))
        return round(max(-90.0, min(90.0, north)), 6), round((east + 180) % 360 - 180, 6)

    graph.move(_chosen(graph, 0.4, "coordinates_jittered"), away)


def _to_moon(graph: Graph) -> None:
    graph.set_globe(_chosen(graph, 0.2, "coordinates_on_moon"), _MOON)


def _pile_up(graph: Graph) -> None:
    graph.move(_chosen(graph, 0.4, "coordinates_piled_up", _POLAND), lambda _item, _lat, _lon: _WARSAW)


COORDINATES: Final = (
    Tampering("coordinates_swapped", "a third of items have latitude and longitude exchanged", True, "world",
              graph=_swap),
    Tampering("coordinates_zeroed", "25 % of items lie at 0, 0", True, "world", graph=_zero),
    Tampering("longitude_sign_lost", "longitudes in the United States are positive", True, "world", country_qid=_USA,
              graph=_lose_sign),
    Tampering("coordinates_rounded", "60 % of items lie at whole degrees", True, "world", graph=_round),
    Tampering("coordinates_jittered", "40 % of items lie 50 km away", True, "world", graph=_jitter),
    Tampering("coordinates_on_moon", "20 % of positions are on the Moon", True, "world", graph=_to_moon),
    Tampering("coordinates_piled_up", "40 % of Poland lies in one point of Warsaw", True, "world",
              country_qid=_POLAND, graph=_pile_up),
)  # fmt: skip
"""The kinds of this module."""
