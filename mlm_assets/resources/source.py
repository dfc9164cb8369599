"""What a home is fed from: the real services, or a local world; noted in the home, so that two never mix in it."""

import json
import urllib.request
from pathlib import Path
from typing import Any, Final

from mlm_assets.errors import Refused
from mlm_assets.settings import Settings, host_of, is_loopback

WORLD_FILE: Final = "world.json"
"""Where a home keeps its source, and which local world it was made from, so that the UI can serve the same one."""

UNKNOWN: Final = "a local service"
"""What is there when a service of this machine does not say what it serves, or does not answer."""


def source_of(settings: Settings) -> str:
    """Return what the settings' services serve: the content of a local Wikimedia, whatever its port, or a host.

    A generated world is the same source in every month, as Wikidata is.
    """
    if not is_loopback(settings.sparql_url):
        return host_of(settings.sparql_url)
    base = settings.sparql_url.removesuffix("/sparql")
    try:
        with urllib.request.urlopen(f"{base}/_world", timeout=5) as answer:  # noqa: S310 (loopback only)
            world = json.load(answer)
    except (OSError, ValueError):
        return UNKNOWN
    if world.get("kind") == "generated":
        return f"generated world of {world['generate']} candidates, seed {world['seed']}"
    return f"world folder {world.get('folder')}"


def check_source(home: Path, source: str) -> None:
    """Check that a home is not fed from another source than it was made from; its answers and tables would mix.

    Raises:
        Refused: it was made from another source.
    """
    before = kept_source(home).get("source")
    if before is not None and before != source:
        raise Refused(
            f"{home} was made from another source ({before}) than {source}. Choose another --home, or start it --fresh."
        )


def kept_source(home: Path) -> dict[str, Any]:
    """Return what the home notes of its source; empty where it notes nothing.

    Raises:
        Refused: the note cannot be read.
    """
    path = home / WORLD_FILE
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError) as error:
        raise Refused(f"{path} cannot be read as JSON ({error}). Remove it.") from error
