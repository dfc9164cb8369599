"""How far `mlm run` goes; later stages (models, release) will be added at the end."""

from enum import StrEnum


class Target(StrEnum):
    """The last stage that is materialised."""

    CANDIDATES = "candidates"
    FACTS = "facts"
    MEDIA = "media"
    REFRESH = "refresh"
    DATASETS = "datasets"
