"""What happens to single items in an ordinary month: corrections, additions, losses, mergers.

Every function edits one item and tells whether it could; where an item has nothing of the kind (no population to
update, a single image to remove), the next kind is tried.
"""

import unicodedata
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from mlm_assets.local_wikimedia.generator.articles import ArticlePlan
from mlm_assets.local_wikimedia.generator.images import another_image
from mlm_assets.local_wikimedia.generator.randomness import generator
from mlm_assets.local_wikimedia.generator.settlements import Settlement
from mlm_assets.local_wikimedia.generator.taxonomy import LAKE_QID, OUTSIDE
from mlm_assets.local_wikimedia.generator.vocabulary import LANGUAGES
from mlm_assets.local_wikimedia.history.state import LeftBehind, State

Edit = Callable[[State, str], bool]

_ELSEWHERE: Final = ("sv.wikipedia.org", "ja.wikipedia.org", "simple.wikipedia.org", "en.wikivoyage.org")
_METRES_PER_DEG: Final = 111_200
_FEWEST_TO_LOSE: Final = 2
"""Nobody takes the last class, image or article of an item away in passing; that happens when items are deleted."""
_EXTRA_PLACE: Final = 100
"""Numbers of files that are added later start here, far from those of month 0."""


def correct_label(state: State, qid: str) -> bool:
    """Spell a label differently in one language."""
    names = state.items[qid].names
    if not names:
        return False
    lang = state.dice.one_of(list(names), "label", qid)
    state.edit(qid, names=names | {lang: _respelt(names[lang], state.items[qid].region.seat)})
    state.tell("label", qid, lang, detail=state.items[qid].names[lang])
    return True


def _respelt(name: str, seat: str) -> str:
    """Return another spelling: without accents where there are some, else with the seat of the region."""
    plain = "".join(sign for sign in unicodedata.normalize("NFD", name) if not unicodedata.combining(sign))
    if plain != name:
        return plain
    return name.removesuffix(f"-{seat}") if name.endswith(f"-{seat}") else f"{name}-{seat}"


def refine_coordinates(state: State, qid: str) -> bool:
    """Move the first known position by up to 40 m."""
    positions = list(state.items[qid].positions)
    for index, position in enumerate(positions):
        if position.lat_deg is None or position.lon_deg is None:
            continue
        north, east = (state.dice.between(5, 40, "metres", qid, axis) / _METRES_PER_DEG for axis in "ne")
        lat = round(position.lat_deg - north if position.lat_deg > 0 else position.lat_deg + north, 6)
        lon = round(position.lon_deg - east if position.lon_deg > 0 else position.lon_deg + east, 6)
        positions[index] = replace(position, lat_deg=lat, lon_deg=lon)
        state.edit(qid, positions=positions)
        state.tell("coordinates", qid, detail=f"{lat} {lon}")
        return True
    return False


def add_class(state: State, qid: str) -> bool:
    """Say of an item that it is something else, too."""
    classes = state.items[qid].classes
    known = [plan.qid for plan in state.taxonomy.kinds.values()] + [other for other in OUTSIDE if other != LAKE_QID]
    options = [option for option in known if option not in classes and option != state.taxonomy.childless_qid]
    added = state.dice.one_of(options, "class", qid)
    state.edit(qid, classes=[*classes, added])
    state.tell("class_added", qid, detail=added)
    return True


def drop_class(state: State, qid: str) -> bool:
    """Take one of several classes away; one that makes it a candidate stays."""
    classes = state.items[qid].classes
    options = [gone for gone in classes if state.in_tree & (set(classes) - {gone})]
    if len(classes) < _FEWEST_TO_LOSE or not options:
        return False
    gone = state.dice.one_of(options, "class", qid)
    state.edit(qid, classes=[kept for kept in classes if kept != gone])
    state.tell("class_dropped", qid, detail=gone)
    return True


def update_population(state: State, qid: str) -> bool:
    """Change the population by up to 4 % either way, by one at least."""
    before = state.items[qid].population
    if before is None:
        return False
    after = max(1, round(before * state.dice.between(0.96, 1.04, "population", qid)))
    after = after if after != before else before + 1
    state.edit(qid, population=after)
    state.tell("population", qid, detail=str(after))
    return True


def add_image(state: State, qid: str) -> bool:
    """Add an image statement with a new file."""
    rng = generator(state.seed, "history image", state.month, qid)
    place = _EXTRA_PLACE + state.month
    image = another_image(rng, state.subject(qid), place)
    images = state.items[qid].images
    if any(image.stated_name == other.stated_name for other in images):
        return False
    state.edit(qid, images=[*images, image])
    state.upload(image)
    state.tell("image_added", qid, title=image.stated_name, detail=image.prop)
    return True


def remove_image(state: State, qid: str) -> bool:
    """Remove one of several image statements, because its file is deleted from Commons; shared flags are spared."""
    images = state.items[qid].images
    options = [image for image in images if not image.file.name.startswith("Flag of ")]
    if len(images) < _FEWEST_TO_LOSE or not options:
        return False
    gone = state.dice.one_of(options, "image", qid)
    state.edit(qid, images=[image for image in images if image is not gone])
    if name := state.current_name(gone.stated_name):
        state.remove_file(name)
    state.tell("image_removed", qid, title=gone.stated_name, detail=gone.prop)
    return True


def add_sitelink(state: State, qid: str) -> bool:
    """Link a page of a wiki beside the ten."""
    item = state.items[qid]
    hosts = [host for host in _ELSEWHERE if host not in {host for host, _ in item.elsewhere}]
    if not hosts or not item.names:
        return False
    host, title = state.dice.one_of(hosts, "host", qid), next(iter(item.names.values()))
    state.edit(qid, elsewhere=[*item.elsewhere, (host, title)])
    state.tell("sitelink_added", qid, title=title, detail=host)
    return True


def remove_sitelink(state: State, qid: str) -> bool:
    """Unlink one of several articles; the page stays."""
    articles = state.items[qid].articles
    if len(articles) < _FEWEST_TO_LOSE:
        return False
    gone = state.dice.one_of(articles, "sitelink", qid)
    state.set_articles(qid, [article for article in articles if article is not gone])
    if gone.fate != "missing":
        state.unlinked[gone.lang, gone.title] = replace(gone, about=gone.about or qid)
    state.tell("sitelink_removed", qid, gone.lang, gone.title)
    return True


def create_article(state: State, qid: str, lang: str | None = None, n_sentences: int | None = None) -> bool:
    """Write an article in a language that has none yet, and link it."""
    item = state.items[qid]
    missing = [other for other in LANGUAGES if other not in {article.lang for article in item.articles}]
    if not missing or (lang is not None and lang not in missing) or not item.names:
        return False
    lang = lang or state.dice.one_of(missing, "language", qid)
    n_sentences = n_sentences or 2 + state.dice.below(5, "sentences", qid, lang)
    name = item.names.get(lang) or next(iter(item.names.values()))
    title = state.planner.titles.claim(lang, name, item.region.name)
    state.set_articles(
        qid, [*item.articles, ArticlePlan(lang, title, "there", (), n_sentences, about=qid, born=state.month)]
    )
    state.tell("article_created", qid, lang, title)
    return True


def delete_article(state: State, qid: str) -> bool:
    """Delete one of several articles; its sitelink goes with it."""
    articles = state.items[qid].articles
    if len(articles) < _FEWEST_TO_LOSE:
        return False
    gone = state.dice.one_of(articles, "deleted", qid)
    state.set_articles(qid, [article for article in articles if article is not gone])
    state.tell("article_deleted", qid, gone.lang, gone.title)
    return True


def move_article(state: State, qid: str) -> bool:
    """Give an article another title; the old one redirects to it, and the sitelink follows."""
    articles = list(state.items[qid].articles)
    options = [index for index, article in enumerate(articles) if article.fate == "there"]
    if not options:
        return False
    index = state.dice.one_of(options, "moved", qid)
    before, region = articles[index], state.items[qid].region
    title = state.planner.titles.claim(before.lang, f"{before.title.partition(' (')[0]} ({region.seat})", region.name)
    articles[index] = replace(before, title=title, edited=state.month, about=before.about or qid)
    state.set_articles(qid, articles)
    state.page_redirects[before.lang, before.title] = LeftBehind(title, state.month)
    state.tell("article_moved", qid, before.lang, before.title, title)
    return True


def delete_item(state: State, qid: str) -> bool:
    """Delete an item and its articles; its files stay on Commons."""
    state.items.pop(qid)
    state.tell("item_deleted", qid)
    return True


def merge_items(state: State, loser: str, survivor: str) -> None:
    """Merge one item into another: it redirects, its sitelinks go over.

    Where both have an article in a language, the loser's becomes a redirect to the survivor's.
    """
    gone, kept = state.items.pop(loser), state.items[survivor]
    own = {article.lang: article for article in kept.articles}
    moved = [replace(article, about=article.about or loser) for article in gone.articles if article.lang not in own]
    for article in gone.articles:
        if article.lang in own and own[article.lang].fate != "missing":
            target = own[article.lang].final_title
            state.page_redirects[article.lang, article.title] = LeftBehind(target, state.month)
    hosts = {host for host, _ in kept.elsewhere}
    elsewhere = kept.elsewhere + [page for page in gone.elsewhere if page[0] not in hosts]
    state.edit(survivor, articles=[*kept.articles, *moved], elsewhere=elsewhere)
    state.merged = {old: survivor if new == loser else new for old, new in state.merged.items()} | {loser: survivor}
    state.tell("item_merged", loser, detail=survivor)


EDITS: Final[dict[str, tuple[float, Edit]]] = {
    "label": (18, correct_label),
    "coordinates": (15, refine_coordinates),
    "population": (18, update_population),
    "class_added": (5, add_class),
    "class_dropped": (8, drop_class),
    "image_added": (7, add_image),
    "image_removed": (6, remove_image),
    "sitelink_added": (3, add_sitelink),
    "sitelink_removed": (2, remove_sitelink),
    "article_created": (6, create_article),
    "article_moved": (6, move_article),
    "article_deleted": (3, delete_article),
    "item_deleted": (1.5, delete_item),
}
"""Ordinary edits with their weights; mergers, which take two items, are drawn apart (`months`)."""


def nearest(plan: Settlement, options: list[Settlement]) -> Settlement:
    """Return the option that lies nearest to `plan` on a flat map; ties by QID."""
    return min(
        options,
        key=lambda other: ((other.lat_deg - plan.lat_deg) ** 2 + (other.lon_deg - plan.lon_deg) ** 2, other.qid),
    )
