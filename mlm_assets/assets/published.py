"""The paper's own figures, as rows that stand beside ours (Armitage et al., CIKM 2020, Table 2 and section 4).

Only figures that we have are here. Those of Figure 2 (settlements per continent) are not among them, so the continents
stand alone; the splits are rounded to thousands in the paper.
"""

from typing import Any, Final

_FIGURES: Final[dict[str, dict[str, int]]] = {
    "mlm": {"entities": 236_496, "images": 412_422, "summaries": 497_899, "classes": 1_685},
    "mlm_v2": {"entities": 254_697, "images": 433_589, "summaries": 1_386_967},
    "mlm_irle": {
        "entities": 218_681, "images": 314_533, "summaries": 462_328, "classes": 1_655, "cells": 990,
        "train": 175_000, "validation": 22_000, "test": 22_000,
    },
    "mlm_irle_gr": {
        "entities": 22_501, "images": 31_621, "summaries": 47_508, "classes": 452, "cells": 99,
        "train": 18_000, "validation": 2_000, "test": 2_000,
    },
}  # fmt: skip


def published_figures() -> Any:
    """Return (variant, figure, item, n_paper) as a pyarrow table."""
    import pyarrow as pa

    return pa.Table.from_pylist(
        [
            {"variant": variant, "figure": figure, "item": "", "n_paper": n}
            for variant, figures in _FIGURES.items()
            for figure, n in figures.items()
        ]
    )
