"""A generated world moves forward: the same way every time, by a little every month, and by a lot now and then."""

import hashlib
import os
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from mlm_assets.errors import Refused
from mlm_assets.local_wikimedia.generator.triples import settlement_triples
from mlm_assets.local_wikimedia.generator.world import GeneratedWorld
from mlm_assets.local_wikimedia.history.dice import month_name
from mlm_assets.local_wikimedia.history.shocks import SHOCK_KINDS, WINDOW, Shock
from mlm_assets.local_wikimedia.history.state import ITEM_KINDS
from mlm_assets.local_wikimedia.sparql import SparqlEngine
from mlm_assets.local_wikimedia.titles import parse_title
from mlm_assets.local_wikimedia.worlds import generate_world

MONTH_0 = "00daaa6e82b6ae0884997bda42f39c39bf00fe5646f79121e55043b2de421d17"
"""Triples and pages of GeneratedWorld(60, 5) before worlds had a history."""


@cache
def world(month: int, n_candidates: int = 300, seed: int = 1) -> GeneratedWorld:
    return GeneratedWorld(n_candidates, seed, month)


def told(made: GeneratedWorld) -> str:
    total = hashlib.sha256(b"".join(made.triples()))
    for key in made.page_titles():
        total.update(repr(made.page(*key)).encode())
    return total.hexdigest()


def said_of_items(made: GeneratedWorld) -> dict[str, list[str]]:
    """Return what is said of each item, but for its revision and when it was modified."""
    stamps = ("http://schema.org/version", "http://schema.org/dateModified")
    return {
        plan.qid: [line for line in settlement_triples(plan) if not any(stamp in line for stamp in stamps)]
        for plan in made.settlements
    }


def stamps(made: GeneratedWorld) -> dict[str, tuple[int, str]]:
    return {plan.qid: (plan.revision, plan.modified_at) for plan in made.settlements}


def shaken(made: GeneratedWorld) -> set[int]:
    """Return the months in which more than the usual happens."""
    return {month for shock in made.shocks() for month in (shock.month, shock.undone) if month is not None}


@cache
def world_with(kind: str) -> tuple[Shock, GeneratedWorld]:
    """Return the first seed's shock of this kind, and the world in its month."""
    for seed in range(1, 30):
        for shock in world(0, 500, seed).shocks():
            if shock.kind == kind:
                return shock, world(shock.month, 500, seed)
    raise AssertionError(kind)


def before(shock: Shock, made: GeneratedWorld) -> GeneratedWorld:
    return world(shock.month - 1, 500, made.seed)


def test_month_0_is_the_world_as_it_was_without_a_history() -> None:
    assert told(GeneratedWorld(60, 5)) == told(GeneratedWorld(60, 5, month=0)) == MONTH_0
    assert world(0).describe()["candidates"] == world(0).describe()["generate"] == 300


def test_same_arguments_same_world_whichever_way_it_is_reached() -> None:
    first = told(GeneratedWorld(80, 3, 12))
    assert (
        first
        == told(GeneratedWorld(80, 3, 12))
        == told(GeneratedWorld(80, 3, 30).at(12))
        == told(generate_world(80, 3, 12))
    )
    assert len({first, told(GeneratedWorld(80, 3, 11)), told(GeneratedWorld(80, 4, 12))}) == 3
    assert GeneratedWorld(80, 3, 30).changes(7) == GeneratedWorld(80, 3, 7).changes(7)


def test_another_process_tells_the_same_history() -> None:
    script = (
        "import hashlib\n"
        "from mlm_assets.local_wikimedia.generator.world import GeneratedWorld\n"
        "made = GeneratedWorld(40, 5, 20)\n"
        "pages = repr([made.page(*key) for key in made.page_titles()]).encode()\n"
        "print(hashlib.sha256(b''.join(made.triples()) + pages).hexdigest())\n"
    )
    root = str(Path(__file__).resolve().parents[3])
    told_by = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": salt, "PYTHONPATH": root},
            capture_output=True,
            check=True,
        ).stdout
        for salt in ("1", "2")
    }
    assert len(told_by) == 1


def test_revisions_rise_where_something_changed_and_nowhere_else() -> None:
    for month in range(1, 16):
        old, new = world(month - 1), world(month)
        said, says, was, now = said_of_items(old), said_of_items(new), stamps(old), stamps(new)
        edited = {change.qid for change in new.changes(month) if change.kind in ITEM_KINDS}
        survivors = {change.detail for change in new.changes(month) if change.kind == "item_merged"}
        for qid in says.keys() & said.keys():
            if says[qid] != said[qid]:
                assert now[qid][0] > was[qid][0]
                assert now[qid][1].startswith(month_name(month))
            if now[qid] != was[qid]:
                assert qid in edited | survivors
            else:
                assert qid not in edited
        for qid in says.keys() - said.keys():
            assert now[qid][1].startswith(month_name(month))


def test_texts_change_with_their_revision_and_keep_their_length() -> None:
    n_edited = 0
    for month in range(1, 13):
        old, new = world(month - 1), world(month)
        for key in set(old.page_titles()) & set(new.page_titles()):
            was, now = old.page(*key), new.page(*key)
            assert was is not None and now is not None
            if (was.extract, was.redirect_to) != (now.extract, now.redirect_to):
                assert now.lastrevid > was.lastrevid
                assert now.touched.startswith(month_name(month))
                n_edited += 1
            elif was.lastrevid == now.lastrevid:
                assert was.touched == now.touched
        edited = [change for change in new.changes(month) if change.kind == "article_edited"]
        assert edited
        for change in edited:
            assert new.page(change.lang, change.title) != old.page(change.lang, change.title)
    assert n_edited > 100
    lengths = [[len(page.extract) for key in made.page_titles() if (page := made.page(*key)) and page.extract]
               for made in (world(0), world(36))]  # fmt: skip
    medians = [sorted(column)[len(column) // 2] for column in lengths]
    assert abs(medians[1] / medians[0] - 1) < 0.2


def test_a_moved_article_leaves_a_redirect_and_takes_its_sitelink_along() -> None:
    made = world(36)
    moved = [change for month in range(1, 37) for change in made.changes(month) if change.kind == "article_moved"]
    assert moved
    followed = 0
    for change in moved:
        page = made.page(change.lang, change.title)
        if page is None:
            continue  # deleted since, and its redirect with it
        assert page.redirect_to == change.detail
        linked = {
            article.title for plan in made.settlements for article in plan.articles if article.lang == change.lang
        }
        assert change.title not in linked
        followed += change.detail in linked
    assert followed > len(moved) / 2


def test_titles_stay_legal_and_unique_and_redirects_end_somewhere() -> None:
    made = world(36)
    keys = list(made.page_titles())
    assert len(keys) == len(set(keys))
    for lang, title in keys:
        assert parse_title(title).full == title
        page, steps = made.page(lang, title), 0
        while page is not None and page.redirect_to and steps < 10:
            page, steps = made.page(lang, page.redirect_to), steps + 1
        assert page is not None and not page.redirect_to
    numbers = [(lang, page.pageid) for lang, title in keys if (page := made.page(lang, title))]
    assert len(numbers) == len(set(numbers))


def test_files_are_replaced_and_renamed() -> None:
    made, kinds = world(6, 60), Counter[str]()
    for month in range(1, 7):
        old, new = world(month - 1, 60), world(month, 60)
        for change in new.changes(month):
            was, now = old.file(change.title), new.file(change.title)
            if change.kind == "file_replaced":
                assert was is not None and now is not None
                assert now.timestamp.startswith(month_name(month))
                if new.body(change.title) is not None and "." in change.title:
                    assert was.sha1 != now.sha1
            if change.kind == "file_renamed":
                target = new.file(change.detail)
                assert was is not None and now is not None and target is not None
                assert now.redirect_to == change.detail
                assert (was.sha1, was.timestamp, was.pageid) == (target.sha1, target.timestamp, target.pageid)
                assert was.extmetadata["Artist"] == target.extmetadata["Artist"]
            kinds[change.kind] += 1
        replaced = {change.title for change in new.changes(month) if change.kind == "file_replaced"}
        for name in set(old.file_names()) & set(new.file_names()) - replaced:
            was, now = old.file(name), new.file(name)
            assert was == now or (now is not None and now.redirect_to)
    assert kinds["file_replaced"] > kinds["file_renamed"] > 0
    assert made.describe()["month"] == 6


def test_an_ordinary_month_edits_one_to_three_per_cent_and_adds_about_one() -> None:
    growth = []
    for month in range(1, WINDOW + 1):
        old, new = stamps(world(month - 1)), stamps(world(month))
        growth.append(len(new.keys() - old.keys()) / len(old))
        if month not in shaken(world(0)):
            changed = sum(old[qid] != new.get(qid) for qid in old)
            assert 0.01 <= changed / len(old) <= 0.03
    assert 0.008 < sum(growth) / len(growth) < 0.014
    kinds = Counter(change.kind for month in range(1, WINDOW + 1) for change in world(WINDOW).changes(month))
    for kind in ("label", "coordinates", "population", "class_added", "class_dropped", "image_added", "image_removed",
                 "sitelink_added", "sitelink_removed", "article_created", "article_moved", "article_deleted",
                 "item_created", "item_deleted", "item_merged"):  # fmt: skip
        assert kinds[kind] > 0, kind


@pytest.mark.parametrize("rate", [0.0, 0.02])
def test_the_share_of_edits_can_be_asked_for(rate: float) -> None:
    made, old = GeneratedWorld(500, 1, 1, rate=rate), world(0, 500)
    kinds = Counter(change.kind for change in made.changes(1))
    n_files = len([name for name in old.file_names() if not (file := old.file(name)) or not file.redirect_to])
    was, now = stamps(old), stamps(made)
    assert sum(was[qid] != now.get(qid) for qid in was) == round(rate * 500)
    assert abs(kinds["file_replaced"] + kinds["file_renamed"] - rate * n_files) < 2
    articles = sum(article.fate not in ("missing", "empty") for plan in old.settlements for article in plan.articles)
    assert abs(kinds["article_edited"] - rate * articles) < 2


def test_refinements_are_metres() -> None:
    made = world(36)
    refined = [change for month in range(1, 37) for change in made.changes(month) if change.kind == "coordinates"]
    assert refined
    old = {plan.qid: plan for plan in world(refined[0].month - 1).settlements}[refined[0].qid].positions
    new = {plan.qid: plan for plan in world(refined[0].month).settlements}[refined[0].qid].positions
    moved = [abs(a.lat_deg - b.lat_deg) for a, b in zip(old, new, strict=True) if a.lat_deg and b.lat_deg and a != b]
    assert moved and all(0 < distance < 0.001 for distance in moved)


def test_a_merged_item_is_gone_and_redirects_to_its_survivor() -> None:
    shock, made = world_with("mergers")
    merged = [change for change in made.changes(shock.month) if change.kind == "item_merged"]
    country = [plan for plan in before(shock, made).settlements if plan.country_qids == [shock.country_qid]]
    assert len(merged) >= round(0.04 * len(country))
    graph = b"".join(made.triples()).decode()
    items = {plan.qid: plan for plan in made.settlements}
    losers = {plan.qid: plan for plan in before(shock, made).settlements}
    for change in merged:
        subject = f"<http://www.wikidata.org/entity/{change.qid}>"
        lines = [line for line in graph.splitlines() if line.startswith(subject)]
        assert lines == [
            f"{subject} <http://www.w3.org/2002/07/owl#sameAs> <http://www.wikidata.org/entity/{change.detail}> ."
        ]
        languages = {article.lang for article in items[change.detail].articles}
        assert {article.lang for article in losers[change.qid].articles} <= languages


def test_every_seed_has_a_few_shocks_of_their_own() -> None:
    seen, plans = Counter[str](), set()
    for seed in range(1, 11):
        shocks = world(0, 500, seed).shocks()
        assert 3 <= len(shocks) <= 6
        assert shocks == world(0, 500, seed).at(9).shocks()
        months = [shock.month for shock in shocks]
        assert len(set(months) | shaken(world(0, 500, seed))) == len(shaken(world(0, 500, seed)))
        assert all(1 < month < WINDOW for month in months)
        seen.update(shock.kind for shock in shocks)
        plans.add(tuple((shock.month, shock.kind) for shock in shocks))
    assert set(seen) == set(SHOCK_KINDS)
    assert len(plans) == 10


def test_vandalism_is_undone_in_the_next_month() -> None:
    shock, made = world_with("vandalism")
    hit = [change for change in made.changes(shock.month) if change.kind == "vandalised"]
    assert 1 <= len(hit) <= 0.01 * len(made.settlements)
    was, now = ({plan.qid: plan for plan in world.settlements} for world in (before(shock, made), made))
    after = made.at(shock.month + 1)
    undone = {change.qid for change in after.changes(shock.month + 1) if change.kind == "vandalism_undone"}
    edited_since = {change.qid for change in after.changes(shock.month + 1) if change.qid not in undone}
    later = {plan.qid: plan for plan in after.settlements}
    for change in hit:
        assert change.qid in undone
        assert getattr(now[change.qid], change.detail) != getattr(was[change.qid], change.detail)
        if change.qid not in edited_since and change.qid in was:
            assert later[change.qid].revision > now[change.qid].revision
    assert shock.undone == shock.month + 1


def test_a_class_leaves_the_tree_for_a_month() -> None:
    shock, made = world_with("reparenting")
    n_before, n_now, n_after = (
        SparqlEngine(world).n_candidates() for world in (before(shock, made), made, made.at(shock.month + 1))
    )
    assert n_now == made.describe()["candidates"] < len(made.settlements)
    assert len(made.settlements) - n_now <= 0.03 * len(made.settlements)
    assert n_after > n_now
    assert n_after >= n_before
    parents = {plan.qid: plan.parents for plan in made.at(shock.month + 1).taxonomy.classes}
    assert parents == {plan.qid: plan.parents for plan in world(0).taxonomy.classes}


def test_a_bot_retags_five_per_cent_of_a_country() -> None:
    shock, made = world_with("retagging")
    country = [plan for plan in before(shock, made).settlements if plan.country_qids == [shock.country_qid]]
    hit = [change for change in made.changes(shock.month) if change.kind in ("country", "class_changed")]
    assert 0.03 <= len(hit) / len(country) <= 0.09


def test_stubs_and_photographs_come_in_numbers() -> None:
    shock, made = world_with("stubs")
    created = [c for c in made.changes(shock.month) if c.kind == "article_created" and c.lang == shock.lang]
    had = sum(page.lang == shock.lang for plan in before(shock, made).settlements for page in plan.articles)
    assert 0.05 <= len(created) / had <= 0.09
    shock, made = world_with("photographs")
    old, new = (
        sum(len(plan.images) for plan in world.settlements if plan.country_qids == [shock.country_qid])
        for world in (before(shock, made), made)
    )
    assert 0.03 <= new / old - 1 <= 0.15


def test_months_that_are_not_told_are_refused() -> None:
    for month in (0, 4, -1):
        with pytest.raises(Refused, match=str(month)):
            world(3).changes(month)
    with pytest.raises(Refused, match="-1"):
        GeneratedWorld(5, 1, -1)
    with pytest.raises(Refused, match="between 0 and 1"):
        GeneratedWorld(5, 1, 1, rate=2)


@pytest.mark.parametrize("n_candidates", [0, 1, 7])
def test_tiny_worlds_have_a_history_too(n_candidates: int) -> None:
    made = GeneratedWorld(n_candidates, 1, 36)
    assert SparqlEngine(made).n_candidates() == made.describe()["candidates"]
