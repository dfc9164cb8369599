"""Generated worlds with a few changes by hand that history does not bring, served from a thread of the test."""

import queue
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from mlm_assets.local_wikimedia.generator.settlements import Settlement
from mlm_assets.local_wikimedia.generator.world import GeneratedWorld
from mlm_assets.local_wikimedia.model import Page
from mlm_assets.local_wikimedia.server import serve

WD = "http://www.wikidata.org/entity/"
LABEL = "<http://www.w3.org/2000/01/rdf-schema#label>"
DIRECT = "http://www.wikidata.org/prop/direct/"
ELSEWHERE = "SM"


@dataclass(frozen=True)
class Chosen:
    """What is changed by hand in a month, without a new revision of the items that point to it."""

    class_qid: str
    label: str
    country_qid: str
    merged: str
    survivor: str
    deleted: str
    reclassed: str


class EditedWorld(GeneratedWorld):
    """A generated world whose graph and pages are changed on their way out."""

    lines: Mapping[str, str] = {}
    """Beginnings of lines, and what stands in place of such a line; nothing stands in place of a line where empty."""
    more: tuple[str, ...] = ()
    suffix: str = ""
    """What is added to every text, without a new revision."""

    def triples(self) -> Iterator[bytes]:
        """Yield the graph with the lines replaced."""
        for chunk in super().triples():
            lines = (self._line(line) for line in chunk.decode().splitlines())
            yield ("\n".join(line for line in lines if line) + "\n").encode()
        if self.more:
            yield ("\n".join(self.more) + "\n").encode()

    def page(self, lang: str, title: str) -> Page | None:
        """Return a page, with something added to its text."""
        page = super().page(lang, title)
        return page if page is None or not page.extract else replace(page, extract=page.extract + self.suffix)

    def _line(self, line: str) -> str:
        return next((new for old, new in self.lines.items() if line.startswith(old)), line)


def choose(before: GeneratedWorld, after: GeneratedWorld) -> Chosen:
    """Return the rarest class and country of unchanged settlements, and items to lose."""
    old = {plan.qid: plan.revision for plan in before.settlements}
    kept = [plan for plan in after.settlements if old.get(plan.qid) == plan.revision and _is_usable(plan)]
    classes = Counter(qid for plan in kept for qid in plan.classes)
    countries = Counter(plan.country_qids[0] for plan in kept if len(plan.country_qids) == 1)
    labels = {plan.qid: plan.labels.get("en") for plan in after.taxonomy.classes}
    class_qid = min((qid for qid in classes if labels.get(qid)), key=lambda qid: (classes[qid], qid))
    country_qid = min(countries, key=lambda qid: (countries[qid], qid))
    merged, survivor, deleted, reclassed = (plan.qid for plan in kept[:4])
    return Chosen(class_qid, str(labels[class_qid]), country_qid, merged, survivor, deleted, reclassed)


def edited(world: GeneratedWorld, chosen: Chosen) -> EditedWorld:
    """Return `world` with the class renamed, the country re-coded, and items merged, deleted and re-classed."""
    other = EditedWorld(world.n_candidates, world.seed, world.month, world.rate)
    renamed = f"<{WD}{chosen.class_qid}> {LABEL} "
    coded = f"<{WD}{chosen.country_qid}> <{DIRECT}P297> "
    other.lines = {
        f'{renamed}"{chosen.label}"@en': f'{renamed}"{chosen.label} (renamed)"@en .',
        coded: f'{coded}"{ELSEWHERE}" .',
        f"<{WD}{chosen.merged}> ": "",
        f"<{WD}{chosen.deleted}> ": "",
        f"<{WD}{chosen.reclassed}> <{DIRECT}P31> ": f"<{WD}{chosen.reclassed}> <{DIRECT}P31> <{WD}Q23397> .",
    }
    other.more = (f"<{WD}{chosen.merged}> <http://www.w3.org/2002/07/owl#sameAs> <{WD}{chosen.survivor}> .",)
    return other


@contextmanager
def served(world: GeneratedWorld) -> Iterator[str]:
    """Serve a world from a thread, which ends with the process; yield its address."""
    ready: queue.Queue[str] = queue.Queue()
    threading.Thread(target=serve, args=(world,), kwargs={"ready": ready.put}, daemon=True).start()
    yield ready.get(timeout=60)


def _is_usable(plan: Settlement) -> bool:
    placed = any(position.lat_deg is not None and position.globe == "Q2" for position in plan.positions)
    return bool(placed and plan.images and plan.articles)
