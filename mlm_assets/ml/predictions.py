"""What a trained model says of a gallery of items: vectors for retrieval, log probabilities of cells for location.

One row per view (an image, or a text in one language), so that protocols can choose views and languages afterwards.
How predictions are made does not belong here (`inference`), nor how they are judged (`evaluation`).
"""

from dataclasses import dataclass

from mlm_assets.ml.material import Floats, Integers


@dataclass(frozen=True)
class Predictions:
    """The views of `items` as a model sees them.

    Shapes: `items` (n,) numbers in the material; `image_items` (n_image_views,) and `text_items` (n_text_views,)
    positions in `items`, ascending; `text_langs` (n_text_views,) index into the material's languages; vectors
    (n_views, d) float32, of unit length unless the recipe's fault `dot_product_unnormalised` is on; log probabilities
    (n_views, n_cells) float32. Vectors are None for a model without retrieval, log probabilities for one without
    location estimation.
    """

    items: Integers
    image_items: Integers
    image_vectors: Floats | None
    image_log_probs: Floats | None
    text_items: Integers
    text_langs: Integers
    text_vectors: Floats | None
    text_log_probs: Floats | None
