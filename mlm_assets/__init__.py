"""MLM, the multilingual and multimodal dataset of human settlements, kept alive as Dagster assets."""

__version__ = "0.1.0"
