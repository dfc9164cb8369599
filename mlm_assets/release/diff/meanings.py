"""What the words of a diff mean, for page, notes and command line: one sentence each, in one place."""

from typing import Final

from mlm_assets.tables import EXCLUSION_REASONS, REJECTION_REASONS, WITHHELD_REASONS
from mlm_assets.tables import FATES as DEPARTED

FATES: Final = {
    "taken_back": "taken back at somebody's request (`mlm takedown`)",
    "not_listed": "Wikidata lists it under no class of settlements any more",
    **DEPARTED,
    **REJECTION_REASONS,
    **EXCLUSION_REASONS,
}
"""Why a settlement is not there any more, by fate."""

WITHHELD: Final = WITHHELD_REASONS

COUNTS: Final = {
    "entities": "settlements",
    "summaries": "lead texts",
    "images": "published pictures",
    "images_withheld": "withheld pictures",
    "entities_without_image": "settlements without a published picture",
    "classes": "classes",
    "cells": "geo-cells",
}
ENTITIES: Final = {
    "new": "new",
    "gone": "gone",
    "changed": "changed in any way",
    "same": "the same in every column",
    "renamed": "renamed",
    "moved": "moved",
    "nudged": "moved, but not so far",
    "reclassed": "with other classes",
    "other_country": "in another country",
    "other_population": "with another population",
    "other_cell": "in another geo-cell",
}
TEXTS: Final = {"new": "new", "changed": "changed", "gone": "gone", "same": "the same"}
IMAGES: Final = {
    "new": "new",
    "published": "not withheld any more",
    "gone": "gone",
    "withheld": "withheld now",
    "replaced": "replaced on Commons by other bytes",
    "redrawn": "padded or scaled anew from the same file",
    "renamed": "renamed on Commons, same bytes",
    "renumbered": "under another number of the settlement",
    "same": "the same",
}
CELLS: Final = {
    "before": "before",
    "after": "now",
    "kept": "kept",
    "split": "split",
    "split_into": "parts they were split into",
    "merged": "merged",
    "merged_into": "wholes they were merged into",
    "removed": "removed",
    "added": "added",
    "renumbered": "kept, with another number",
    "settlements_in_removed": "settlements of before in removed cells",
}
VERDICTS: Final = {
    "better": "better, beyond the intervals",
    "worse": "worse, beyond the intervals",
    "within_intervals": "no change beyond the intervals",
    "new": "not measured before",
    "gone": "not measured now",
    "unknown": "no interval to judge by",
}


def fate_of(fate: str) -> str:
    """Return what a fate means; its own name where no sentence is known."""
    return FATES.get(fate, fate.replace("_", " "))
