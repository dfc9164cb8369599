"""The generated world as the services read it: plans are made at once, texts and pictures when asked for."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
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
from mlm_assets.local_wikimedia.generator.triples import world_triples
from mlm_assets.local_wikimedia.model import MediaFile, Page, World

_BODIES_BYTES: Final = 128 * 2**20
_LINES_PER_CHUNK: Final = 20_000
_SECTION: Final = "History"
_PAGES_PER_ITEM: Final = 4


@dataclass(frozen=True, slots=True)
class _PageEntry:
    """A page of `settlement`: the `step`-th title on the way from the sitelink to the text."""

    settlement: Settlement
    article: ArticlePlan
    step: int


class GeneratedWorld(World):
    """A world made from `n_candidates` and `seed`."""

    def __init__(self, n_candidates: int, seed: int) -> None:
        if n_candidates < 0:
            raise Refused(f"A world of {n_candidates} candidates cannot be made. Give a number of 0 or more.")
        self.seed = seed
        self.taxonomy = make_taxonomy(seed)
        planner = SettlementPlanner(seed, self.taxonomy)
        self.settlements = make_settlements(seed, n_candidates, planner)
        self.bystanders = make_bystanders(n_candidates, planner, self.taxonomy)
        self._pages: dict[tuple[str, str], _PageEntry] = {}
        self._files: dict[str, FilePlan] = {}
        self._old_names: dict[str, str] = {}
        for settlement in [*self.settlements, *self.bystanders]:
            self._index_pages(settlement)
            self._index_files(settlement)
        self._bodies = ByteCache(_BODIES_BYTES)
        self._digests: dict[str, tuple[int, str]] = {}

    def _index_pages(self, settlement: Settlement) -> None:
        for article in settlement.articles:
            if article.fate != "missing":
                for step, title in enumerate((article.title, *article.way)):
                    self._pages[article.lang, title] = _PageEntry(settlement, article, step)

    def _index_files(self, settlement: Settlement) -> None:
        for image in settlement.images:
            if image.file.damage == "unlisted":
                continue
            self._files[image.file.name] = image.file
            if image.old_name:
                self._old_names[image.old_name] = image.file.name

    def describe(self) -> dict[str, Any]:
        """Return seed and sizes."""
        return {
            "kind": "generated",
            "seed": self.seed,
            "candidates": len(self.settlements),
            "bystanders": len(self.bystanders),
            "classes": sum(plan.hop <= 3 for plan in self.taxonomy.classes),
            "pages": len(self._pages),
            "files": len(self._files),
        }

    def triples(self) -> Iterator[bytes]:
        """Yield the graph in chunks of whole lines."""
        lines: list[str] = []
        for line in world_triples(self.taxonomy, [*self.settlements, *self.bystanders]):
            lines.append(line)
            if len(lines) >= _LINES_PER_CHUNK:
                yield ("\n".join(lines) + "\n").encode()
                lines.clear()
        if lines:
            yield ("\n".join(lines) + "\n").encode()

    def page_titles(self) -> Iterator[tuple[str, str]]:
        """Yield (language, title) of every page, redirects included."""
        yield from self._pages

    def page(self, lang: str, title: str) -> Page | None:
        """Return a page; its text is written here and now."""
        entry = self._pages.get((lang, title))
        if entry is None:
            return None
        titles = (entry.article.title, *entry.article.way)
        is_redirect = entry.step < len(titles) - 1
        return Page(
            lang=lang,
            title=title,
            qid=None if is_redirect else entry.settlement.qid,
            extract="" if is_redirect else lead_text(entry.settlement, entry.article),
            pageid=1_000 + entry.settlement.number * _PAGES_PER_ITEM + entry.step,
            lastrevid=100_000_000 + stable_number(self.seed, lang, title, below=900_000_000),
            touched=entry.settlement.modified_at,
            redirect_to=titles[entry.step + 1] if is_redirect else None,
            redirect_fragment=_SECTION if is_redirect and entry.article.fate == "section" else None,
        )

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
            timestamp=uploaded_at(name),
            pageid=self._pageid(name),
            extmetadata=extmetadata_of(name),
        )

    def body(self, name: str) -> bytes | None:
        """Return the original bytes; None for files that are listed and lost."""
        plan = self._files.get(name)
        if plan is None or plan.damage == "bodiless":
            return None
        return self._made(plan)

    def _made(self, plan: FilePlan) -> bytes:
        body = self._bodies.get(plan.name)
        if body is None:
            body = file_body(plan)
            self._bodies.put(plan.name, body)
        return body

    def _digest(self, plan: FilePlan) -> tuple[int, str]:
        if plan.name not in self._digests:
            body = self._made(plan)
            self._digests[plan.name] = len(body), hashlib.sha1(body, usedforsecurity=False).hexdigest()
        return self._digests[plan.name]

    def _pageid(self, name: str) -> int:
        return 1_000_000 + stable_number("file page", name, below=10**12)
