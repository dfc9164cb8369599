"""Silent faults: answers that are wrong and still parse, as a check has to find them.

`KINDS` names them all; `tampered` puts some over a world. What parses not, or does not come, is `faults`' business. A
kind hits what its description says, always the same items, pages and files of a world: which ones depends on the kind
and their names alone. Sizes are those of real accidents, and were set without regard to any check.
"""

from collections.abc import Iterable
from typing import Final

from mlm_assets.errors import Refused
from mlm_assets.local_wikimedia.model import World
from mlm_assets.local_wikimedia.tampering.base import Tampering
from mlm_assets.local_wikimedia.tampering.on_answers import ANSWERS
from mlm_assets.local_wikimedia.tampering.on_coordinates import COORDINATES
from mlm_assets.local_wikimedia.tampering.on_files import FILES
from mlm_assets.local_wikimedia.tampering.on_items import ITEMS
from mlm_assets.local_wikimedia.tampering.on_pages import PAGES
from mlm_assets.local_wikimedia.tampering.on_values import VALUES
from mlm_assets.local_wikimedia.tampering.world import UNDONE, TamperedWorld

__all__ = ["KINDS", "Tampering", "check_kinds", "parse_kinds", "tampered"]

KINDS: Final[dict[str, Tampering]] = {
    kind.name: kind for kinds in (ITEMS, VALUES, COORDINATES, PAGES, FILES, ANSWERS) for kind in kinds
}
"""Every kind by its name."""


def parse_kinds(text: str | None) -> list[str]:
    """Return the kinds in `KIND[,KIND...]`; none for None or an empty text.

    Raises:
        Refused: one of them does not exist.
    """
    return check_kinds(part.strip() for part in (text or "").split(",") if part.strip())


def check_kinds(names: Iterable[str]) -> list[str]:
    """Return the names, each once, if every one is a kind, or `undone:` and a kind that edits.

    Raises:
        Refused: one of them is none.
    """
    wanted = list(dict.fromkeys(names))
    for name in wanted:
        kind = KINDS.get(name.removeprefix(UNDONE))
        if kind is None:
            raise Refused(f"There is no tampering {name!r}. The kinds are: {', '.join(KINDS)}.")
        if name.startswith(UNDONE) and not kind.is_edit:
            raise Refused(f"{kind.name} edits nothing, so that nobody can undo it. Leave it out, and it is gone.")
    return wanted


def tampered(world: World, names: Iterable[str]) -> World:
    """Return `world` with the tamperings of these names; the world itself where there are none.

    Raises:
        Refused: a name is no kind, or a kind finds nothing in this world that it could spoil.
    """
    wanted = check_kinds(names)
    undone = [KINDS[name.removeprefix(UNDONE)] for name in wanted if name.startswith(UNDONE)]
    kinds = [KINDS[name] for name in wanted if not name.startswith(UNDONE)]
    return TamperedWorld(world, kinds, undone) if wanted else world
