"""Closed lists of words that the command line takes: how far `mlm run` goes, tasks, variants."""

from enum import StrEnum


class Target(StrEnum):
    """The last stage that is materialised."""

    CANDIDATES = "candidates"
    FACTS = "facts"
    MEDIA = "media"
    REFRESH = "refresh"
    DATASETS = "datasets"
    FEATURES = "features"
    MODELS = "models"
    RELEASE = "release"


class TaskName(StrEnum):
    """A model by its task."""

    IR = "ir"
    LE = "le"
    MTL = "mtl"


class Trainable(StrEnum):
    """A variant that models are trained on."""

    MLM_IRLE = "mlm_irle"
    MLM_IRLE_GR = "mlm_irle_gr"
