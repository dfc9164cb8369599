"""What an edit of a tampering leaves behind: a revision and a moment of its own, as every edit of a wiki does.

A service that answers wrongly does so under the old revisions. A wiki whose content was changed, by whomever, has a new
revision of everything that was: nothing else tells a client that asks for changes that it has to look again.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from mlm_assets.local_wikimedia.history.dice import month_name
from mlm_assets.local_wikimedia.tampering.graph import ABOUT, MODIFIED, VERSION, Graph, Pair, Term, item_of_statement

Said = dict[Term, tuple[Pair, ...]]
_STAMPS: Final = {VERSION, MODIFIED}


def said_by(graph: Graph) -> Said:
    """Return what a graph says, as it is now."""
    return {subject: tuple(pairs) for subject, pairs in graph.of.items()}


def edited_items(before: Said, after: Said) -> set[Term]:
    """Return the items whose statements, labels or sitelinks differ; one whose stamps differ has said so itself."""
    changed = [subject for subject in before.keys() | after.keys() if before.get(subject) != after.get(subject)]
    edited = {item for subject in changed for said in (before, after) for item in _items_of(subject, said)}
    return {item for item in edited if item in after and _stamps(before, item) == _stamps(after, item) != []}


def stamp(graph: Graph, items: Iterable[Term], month: int, *, is_undone: bool = False) -> None:
    """Give `items` the revision that `revision_after` says, and the middle of the month as moment."""
    moment = moment_of(month)

    def stamped(_: Term, name: Term, value: Term) -> Pair:
        if name == VERSION:
            revision, quote, rest = value.removeprefix('"').partition('"')
            value = f'"{revision_after(int(revision), month, is_undone=is_undone)}{quote}{rest}'
        elif name == MODIFIED:
            date, quote, rest = value.removeprefix('"').partition('"')
            value = f'"{max(moment, date)}{quote}{rest}'
        return name, value

    graph.rewrite(items, stamped)


def revision_after(revision: int, month: int, *, is_undone: bool = False) -> int:
    """Return the revision of what was tampered with in a month, or set right in it: above all of earlier months."""
    return revision + 1 + 2 * month + is_undone


def moment_of(month: int) -> str:
    """Return the moment at which tampering edits in a month, ISO 8601 in UTC."""
    return f"{month_name(month)}-15T12:00:00Z"


def _items_of(subject: Term, said: Said) -> Iterator[Term]:
    """Yield the items that a subject belongs to: itself, that of a statement, or what an article is about."""
    statement = item_of_statement(subject)
    yield statement or subject
    yield from (value for name, value in said.get(subject, ()) if name == ABOUT)


def _stamps(said: Said, item: Term) -> list[Pair]:
    return [pair for pair in said.get(item, ()) if pair[0] in _STAMPS]
