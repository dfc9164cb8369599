"""The generated world as the services read it: plans are made at once, texts and pictures when asked for.

A later month is made in one go: the plans of month 0, then the edits of every month up to it (`history`).
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from mlm_assets.errors import Refused
from mlm_assets.local_wikimedia.cache import ByteCache
from mlm_assets.local_wikimedia.generator.articles import ArticlePlan
from mlm_assets.local_wikimedia.generator.images import FilePlan
from mlm_assets.local_wikimedia.generator.licences import extmetadata_of, uploaded_at
from mlm_assets.local_wikimedia.generator.pictures import file_body
from mlm_assets.local_wikimedia.generator.randomness import stable_number
from mlm_assets.local_wikimedia.generator.settlements import (
    Settlement,
    SettlementPlanner,
    make_bystanders,
    make_settlements,
)
from mlm_assets.local_wikimedia.generator.taxonomy import make_taxonomy
from mlm_assets.local_wikimedia.generator.texts import lead_text
from mlm_assets.local_wikimedia.generator.triples import redirect_triples, world_triples
from mlm_assets.local_wikimedia.history.dice import Dice
from mlm_assets.local_wikimedia.history.months import walk
from mlm_assets.local_wikimedia.history.shocks import Shock, schedule, tree
from mlm_assets.local_wikimedia.history.state import Change, LeftBehind, State
from mlm_assets.local_wikimedia.model import MediaFile, Page, World

_BODIES_BYTES: Final = 128 * 2**20
_LINES_PER_CHUNK: Final = 20_000
_SECTION: Final = "History"
_PAGES_PER_ITEM: Final = 4
_FIRST_LEFT_BEHIND: Final = 10**12


@dataclass(frozen=True, slots=True)
class _PageEntry:
    """A page about an item as it was when the article was begun: the `step`-th title on the way to the text."""

    about: Settlement
    article: ArticlePlan
    step: int
    qid: str | None


class _Made:
    """Bodies and digests made so far, which the months of one world share: a plan says what its bytes are."""

    def __init__(self) -> None:
        self.bodies = ByteCache(_BODIES_BYTES)
        self.digests: dict[FilePlan, tuple[int, str]] = {}


class GeneratedWorld(World):
    """A world made from `n_candidates` and `seed`, `month` months after 2026-12.

    `rate` is the share of items, articles and files that is edited every month; where it is None, each month draws its
    own, from 1 to 3 %.
    """

    def __init__(self, n_candidates: int, seed: int, month: int = 0, rate: float | None = None) -> None:
        if n_candidates < 0:
            raise Refused(f"A world of {n_candidates} candidates cannot be made. Give a number of 0 or more.")
        if month < 0:
            raise Refused(f"The history of a world begins with month 0; there is no month {month}.")
        if rate is not None and not 0 <= rate <= 1:
            raise Refused(f"A share of edits lies between 0 and 1; {rate} does not.")
        self.n_candidates = n_candidates
        self.seed = seed
        self.month = month
        self.rate = rate
        self._made_so_far = _Made()
        state = self._begin()
        self._shocks = schedule(seed, list(state.items.values()), state.taxonomy)
        walk(state, month, self._shocks, rate)
        self._end(state)

    def _begin(self) -> State:
        """Return the world of month 0."""
        taxonomy = make_taxonomy(self.seed)
        planner = SettlementPlanner(self.seed, taxonomy)
        settlements = make_settlements(self.seed, self.n_candidates, planner)
        self.bystanders = make_bystanders(self.n_candidates, planner, taxonomy)
        state = State(
            seed=self.seed,
            planner=planner,
            taxonomy=taxonomy,
            items={plan.qid: plan for plan in settlements},
            files={},
            file_redirects={},
            next_number=self.n_candidates + len(self.bystanders),
            dice=Dice(self.seed, 0),
            in_tree=tree(taxonomy),
        )
        for plan in [*settlements, *self.bystanders]:
            state.origins[plan.qid] = plan
            for image in plan.images:
                if image.file.damage == "unlisted":
                    continue
                state.files[image.file.name] = image.file
                if image.old_name:
                    state.redirect_file(image.old_name, image.file.name)
        return state

    def _end(self, state: State) -> None:
        """Keep what is served of the month that was reached."""
        self.taxonomy = state.taxonomy
        self.settlements = list(state.items.values())
        self._changes = state.changes
        self._merged = {old: new for old, new in state.merged.items() if new in state.items}
        self._files = state.files
        self._old_names = state.file_redirects
        self._pages: dict[tuple[str, str], _PageEntry] = {}
        for settlement in [*self.settlements, *self.bystanders]:
            for article in settlement.articles:
                self._index_page(state.origins[article.about or settlement.qid], article, settlement.qid)
        for article in state.unlinked.values():
            self._index_page(state.origins[article.about], article, None)
        self._left_behind = {
            key: left
            for key, left in state.page_redirects.items()
            if key not in self._pages and _leads_somewhere(key, state.page_redirects, self._pages)
        }

    def _index_page(self, about: Settlement, article: ArticlePlan, qid: str | None) -> None:
        if article.fate != "missing":
            for step, title in enumerate((article.title, *article.way)):
                self._pages[article.lang, title] = _PageEntry(about, article, step, qid)

    def at(self, month: int, rate: float | None = None) -> "GeneratedWorld":
        """Return the same world in another month; pictures made for one are made for both."""
        other = GeneratedWorld(self.n_candidates, self.seed, month, self.rate if rate is None else rate)
        other._made_so_far = self._made_so_far
        return other

    def changes(self, month: int) -> list[Change]:
        """Return what happened in a month, from 1 to the world's own.

        Raises:
            Refused: the world has not come to that month, or it is month 0, in which nothing happened.
        """
        if month not in self._changes:
            raise Refused(f"This world tells of months 1 to {self.month}; {month} is not among them.")
        return list(self._changes[month])

    def shocks(self) -> list[Shock]:
        """Return the large changes of the 36 months, whichever month the world is in."""
        return list(self._shocks)

    def describe(self) -> dict[str, Any]:
        """Return seed, month and sizes; `generate` is the number of candidates that month 0 has."""
        whole = tree(self.taxonomy)
        return {
            "kind": "generated",
            "generate": self.n_candidates,
            "seed": self.seed,
            "month": self.month,
            "candidates": sum(not whole.isdisjoint(plan.classes) for plan in self.settlements),
            "bystanders": len(self.bystanders),
            "classes": sum(plan.hop <= 3 for plan in self.taxonomy.classes),
            "pages": len(self._pages) + len(self._left_behind),
            "files": len(self._files),
            **({} if self.rate is None else {"rate": self.rate}),
        }

    def triples(self) -> Iterator[bytes]:
        """Yield the graph in chunks of whole lines."""
        lines: list[str] = []
        redirects = redirect_triples(self._merged)
        for line in chain(world_triples(self.taxonomy, [*self.settlements, *self.bystanders]), redirects):
            lines.append(line)
            if len(lines) >= _LINES_PER_CHUNK:
                yield ("\n".join(lines) + "\n").encode()
                lines.clear()
        if lines:
            yield ("\n".join(lines) + "\n").encode()

    def page_titles(self) -> Iterator[tuple[str, str]]:
        """Yield (language, title) of every page, redirects included."""
        yield from self._pages
        yield from self._left_behind

    def page(self, lang: str, title: str) -> Page | None:
        """Return a page; its text is written here and now."""
        entry = self._pages.get((lang, title))
        if entry is None:
            return self._redirect(lang, title)
        titles = (entry.article.title, *entry.article.way)
        is_redirect = entry.step < len(titles) - 1
        article, about = entry.article, entry.about
        edited = article.born if is_redirect else max(article.born, article.edited)
        return Page(
            lang=lang,
            title=title,
            qid=None if is_redirect else entry.qid,
            extract="" if is_redirect else lead_text(about, article),
            pageid=1_000 + about.number * _PAGES_PER_ITEM + entry.step,
            lastrevid=self._page_revision(edited, lang, title),
            touched=Dice(self.seed, edited).moment(lang, title) if edited else about.modified_at,
            redirect_to=titles[entry.step + 1] if is_redirect else None,
            redirect_fragment=_SECTION if is_redirect and article.fate == "section" else None,
        )

    def _page_revision(self, month: int, lang: str, title: str) -> int:
        if month:
            return Dice(self.seed, month).page_revision(lang, title)
        return 100_000_000 + stable_number(self.seed, lang, title, below=900_000_000)

    def _redirect(self, lang: str, title: str) -> Page | None:
        """Return what an article that was moved or merged left behind."""
        left = self._left_behind.get((lang, title))
        if left is None:
            return None
        pageid = _FIRST_LEFT_BEHIND + stable_number(self.seed, lang, title, below=10**12)
        revision, touched = (
            self._page_revision(left.month, lang, title),
            Dice(self.seed, left.month).moment(lang, title),
        )
        return Page(lang, title, None, "", pageid, revision, touched, redirect_to=left.target)

    def file_names(self) -> Iterator[str]:
        """Yield the name of every file, old names that redirect included."""
        yield from self._files
        yield from self._old_names

    def file(self, name: str) -> MediaFile | None:
        """Return a file; its body is made to know size and hash, once."""
        if target := self._old_names.get(name):
            return MediaFile(name, "", 0, 0, 0, "", uploaded_at(name), self._pageid(name), {}, target)
        plan = self._files.get(name)
        if plan is None:
            return None
        size, sha1 = self._digest(plan)
        return MediaFile(
            name=name,
            mime=plan.mime,
            width_px=plan.width_px,
            height_px=plan.height_px,
            size_bytes=size,
            sha1=sha1,
            timestamp=self._uploaded_at(plan),
            pageid=self._pageid(plan.first_name),
            extmetadata=extmetadata_of(plan.first_name, name),
        )

    def body(self, name: str) -> bytes | None:
        """Return the original bytes; None for files that are listed and lost."""
        plan = self._files.get(name)
        if plan is None or plan.damage == "bodiless":
            return None
        return self._made(plan)

    def _uploaded_at(self, plan: FilePlan) -> str:
        return Dice(self.seed, plan.month).moment(plan.drawn_by) if plan.month else uploaded_at(plan.first_name)

    def _made(self, plan: FilePlan) -> bytes:
        body = self._made_so_far.bodies.get(plan)
        if body is None:
            body = file_body(plan)
            self._made_so_far.bodies.put(plan, body)
        return body

    def _digest(self, plan: FilePlan) -> tuple[int, str]:
        digests = self._made_so_far.digests
        if plan not in digests:
            body = self._made(plan)
            digests[plan] = len(body), hashlib.sha1(body, usedforsecurity=False).hexdigest()
        return digests[plan]

    def _pageid(self, name: str) -> int:
        return 1_000_000 + stable_number("file page", name, below=10**12)


def _leads_somewhere(
    key: tuple[str, str], redirects: dict[tuple[str, str], LeftBehind], pages: dict[tuple[str, str], _PageEntry]
) -> bool:
    """Tell whether a redirect ends at a page; those that do not are deleted, as editors do."""
    seen = set()
    while key not in pages and key in redirects and key not in seen:
        seen.add(key)
        key = key[0], redirects[key].target
    return key in pages
