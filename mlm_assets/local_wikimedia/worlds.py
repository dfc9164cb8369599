"""The two kinds of world: generated from a number and a seed, or read from a folder."""

from pathlib import Path

from mlm_assets.local_wikimedia.folder import FolderWorld
from mlm_assets.local_wikimedia.generator.world import GeneratedWorld
from mlm_assets.local_wikimedia.model import MediaFile, Page, World

__all__ = ["MediaFile", "Page", "World", "generate_world", "load_world"]


def generate_world(n_candidates: int, seed: int) -> World:
    """Return a world with exactly `n_candidates` instances of settlement classes, the same for the same arguments.

    Raises:
        Refused: `n_candidates` is negative.
    """
    return GeneratedWorld(n_candidates, seed)


def load_world(folder: Path) -> World:
    """Return the world in `folder`: wikidata.nt.gz, pages.jsonl, files.jsonl and files/.

    Raises:
        Refused: the folder or one of its files is missing (all are named), or a line cannot be read.
    """
    return FolderWorld(folder)
