"""What is the matter with a candidate: one case each, in exact shares over the whole world.

The first group fails on facts (about 30 in 100), the second is accepted and goes wrong later or is merely odd. Which
reason a failing candidate gets is decided by the rules under test, not here.
"""

from typing import Final, Literal, get_args

from mlm_assets.local_wikimedia.generator.randomness import generator

Case = Literal[
    "sound",
    "no_coordinates",
    "deprecated_coordinates",
    "unknown_coordinates",
    "on_the_moon",
    "on_mars",
    "no_image",
    "no_article",
    "article_elsewhere",
    "no_image_and_no_article",
    "nothing",
    "earth_and_moon",
    "several_coordinates",
    "preferred_coordinates",
    "deprecated_beside",
    "all_articles_gone",
    "all_images_missing",
    "svg_only",
    "wrong_kind_only",
    "corrupt_only",
    "oversized_only",
]
CASES: Final[tuple[Case, ...]] = get_args(Case)

FAILING: Final[dict[Case, float]] = {
    "no_coordinates": 0.045,
    "deprecated_coordinates": 0.008,
    "unknown_coordinates": 0.005,
    "on_the_moon": 0.008,
    "on_mars": 0.007,
    "no_image": 0.09,
    "no_article": 0.05,
    "article_elsewhere": 0.045,
    "no_image_and_no_article": 0.02,
    "nothing": 0.02,
}
ODD: Final[dict[Case, float]] = {
    "earth_and_moon": 0.006,
    "several_coordinates": 0.02,
    "preferred_coordinates": 0.01,
    "deprecated_beside": 0.01,
    "all_articles_gone": 0.01,
    "all_images_missing": 0.015,
    "svg_only": 0.05,
    "wrong_kind_only": 0.008,
    "corrupt_only": 0.01,
    "oversized_only": 0.004,
}


def cases_of_world(seed: int, n_candidates: int) -> list[Case]:
    """Return a case for every candidate: each case at least once where the world is large enough, then by share."""
    shares = FAILING | ODD
    if n_candidates < 2 * len(shares):
        wanted = {case: int(share * n_candidates) for case, share in shares.items()}
    else:
        wanted = {case: max(1, round(share * n_candidates)) for case, share in shares.items()}
    cases: list[Case] = [case for case, count in wanted.items() for _ in range(count)]
    cases += ["sound"] * (n_candidates - len(cases))
    generator(seed, "cases").shuffle(cases)
    return cases
