"""The two kinds of world: generated from a number and a seed, or read from a folder."""

from pathlib import Path

from mlm_assets.local_wikimedia.folder import FolderWorld
from mlm_assets.local_wikimedia.generator.world import GeneratedWorld
from mlm_assets.local_wikimedia.model import MediaFile, Page, World

__all__ = ["MediaFile", "Page", "World", "generate_world", "load_world"]


def generate_world(n_candidates: int, seed: int, month: int = 0, rate: float | None = None) -> GeneratedWorld:
    """Return a world with exactly `n_candidates` instances of settlement classes, `month` months after 2026-12.

    The same arguments bring the same world. `rate` is the share of items, articles and files that is edited every
    month; where it is None, each month draws its own, from 1 to 3 %.

    Raises:
        Refused: a number is negative, or `rate` is no share.
    """
    return GeneratedWorld(n_candidates, seed, month, rate)


def load_world(folder: Path) -> World:
    """Return the world in `folder`: wikidata.nt.gz, pages.jsonl, files.jsonl and files/.

    Raises:
        Refused: the folder or one of its files is missing (all are named), or a line cannot be read.
    """
    return FolderWorld(folder)
