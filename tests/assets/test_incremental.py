"""Months that take over what did not change give the same bytes as months that ask for everything."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mlm_assets.assets.articles import TOLERATED, gather_articles
from mlm_assets.local_wikimedia.generator.world import GeneratedWorld
from mlm_assets.resources.lake import Lake
from mlm_assets.resources.wikipedia import Wikipedia
from mlm_assets.settings import load_settings
from tests.assets.conftest import requests_so_far, tree
from tests.assets.incremental_worlds import ELSEWHERE, Chosen, EditedWorld, choose, edited, served
from tests.commands import done, mlm, summary

pytestmark = [pytest.mark.slow, pytest.mark.long]

N, SEED, RATE = 160, 5, 0.03
RELEASES = ("2026-12", "2027-01", "2027-02")
BOUNDS = ("--t-min", "2", "--t-max", "10", "--quota-total", "60")


@dataclass(frozen=True)
class Months:
    """Three releases in one home, the second with changes by hand, and what fetching them whole gave."""

    home: Path
    bases: tuple[str, ...]
    chosen: Chosen
    second: Path
    """A copy of the home with the first release, whose second one was asked for as a whole (`--full`)."""
    third: Path
    """An empty home in which the third release alone was made."""
    summaries: dict[str, dict[str, Any]]


def run(home: Path, base: str, release: str, *more: str) -> dict[str, Any]:
    done("run", "--home", home, "--endpoint", base, "--release", release, *BOUNDS, *more)
    return summary(home)


@pytest.fixture(scope="module")
def months(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Months]:
    folder = tmp_path_factory.mktemp("months")
    home, second, third = folder / "home", folder / "second", folder / "third"
    worlds = [GeneratedWorld(N, SEED, month, RATE) for month in range(3)]
    chosen = choose(worlds[0], worlds[1])
    with served(worlds[0]) as first, served(edited(worlds[1], chosen)) as by_hand, served(worlds[2]) as last:
        said = {"first": run(home, first, RELEASES[0], "--shards", "2")}
        shutil.copytree(home, second)
        said["second"] = run(home, by_hand, RELEASES[1])
        said["second, full"] = run(second, by_hand, RELEASES[1], "--full")
        shutil.copytree(home, folder / "kept")
        said["third"] = run(home, last, RELEASES[2])
        said["third, alone"] = run(third, last, RELEASES[2], "--shards", "2")
        yield Months(home, (first, by_hand, last), chosen, second, third, said)


def facts(home: Path, release: str) -> list[dict[str, Any]]:
    """Return all facts of a release but for the keys of their answers."""
    lake, rows = Lake(home), []
    for shard in ("00", "01"):
        (accepted,) = [one for one in lake.history("facts", shard) if one.release == release]
        rows += lake.read(accepted).drop_columns(["answer_key"]).to_pylist()
    return rows


def test_the_datasets_are_those_of_a_full_fetch(months: Months) -> None:
    for release, other in ((RELEASES[1], months.second), (RELEASES[2], months.third)):
        assert tree(months.home / "datasets" / release) == tree(other / "datasets" / release)
        assert facts(months.home, release) == facts(other, release)


def test_it_asked_for_less(months: Months) -> None:
    kinds = {name: said["requests_by_kind"] for name, said in months.summaries.items()}
    assert kinds["second"]["sparql"]["facts"] < kinds["second, full"]["sparql"]["facts"] or N < 1000
    assert kinds["second"]["sparql"]["names"] == 1
    assert "names" not in kinds["second, full"]["sparql"]
    assert "info" not in kinds["second, full"]["action_api"]
    assert kinds["second"]["action_api"]["extracts"] <= 0.7 * kinds["second, full"]["action_api"]["extracts"]
    assert kinds["second"]["files"] == kinds["second, full"]["files"]
    assert kinds["third"]["files"]["downloads"] < 0.2 * kinds["third, alone"]["files"]["downloads"]
    for said in months.summaries.values():
        assert {name: sum(found.values()) for name, found in said["requests_by_kind"].items()} == said["requests"]


def test_labels_and_codes_of_other_items_are_those_of_today(months: Months) -> None:
    rows = facts(months.home, RELEASES[1])
    labels = {row["label"] for row in rows if row["property"] == "P31" and row["value"] == months.chosen.class_qid}
    codes = {
        row["country_code"] for row in rows if row["property"] == "P17" and row["value"] == months.chosen.country_qid
    }
    assert labels == {f"{months.chosen.label} (renamed)"}
    assert codes == {ELSEWHERE}


def test_departures_say_what_became_of_items(months: Months) -> None:
    lake = Lake(months.home)
    second, third = lake.history("departures")[1:]
    found = {row["qid"]: row for row in lake.read(second).to_pylist()}
    fates = {qid: found[qid]["fate"] for qid in (months.chosen.merged, months.chosen.deleted, months.chosen.reclassed)}
    assert list(fates.values()) == ["merged", "deleted", "reclassed"]
    assert found[months.chosen.merged]["target_qid"] == months.chosen.survivor
    assert {row["release"] for row in found.values()} == {RELEASES[1]}
    # In the third month the edits by hand are gone: those items are listed again, the other departures stay.
    listed = set(lake.read(lake.require("candidates"))["qid"].to_pylist())
    assert set(fates) <= listed
    later = {row["qid"]: row["release"] for row in lake.read(third).to_pylist()}
    assert {qid for qid, release in later.items() if release == RELEASES[1]} == found.keys() - listed
    assert not later.keys() & listed


def test_what_was_taken_over_still_leads_to_its_answer(months: Months) -> None:
    from mlm_assets.lineage.answers import find_answer

    lake = Lake(months.home)
    keys = set(lake.read(lake.require("facts", "00"))["answer_key"].to_pylist())
    found = [find_answer(lake, key, "sparql", RELEASES[2]) for key in keys if key]
    assert {answer.release for answer in found if answer} >= {RELEASES[0], RELEASES[2]}
    assert all(found)


def test_a_release_is_made_again_with_the_same_questions(months: Months, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(months.home.parent / "kept", home)
    lake, before = Lake(home), tree(home / "datasets")
    versions = {(one.table, one.partition): one.version for name in ("changed_facts", "facts", "summaries", "images")
                for one in lake.accepted_all(name)}  # fmt: skip
    asked = requests_so_far(months.bases[1])
    printed = done("run", "--home", home, "--endpoint", months.bases[1], "--release", RELEASES[1], *BOUNDS)
    assert "27 of 27 steps were up to date already" in printed
    done("run", "--home", home, "--endpoint", "http://127.0.0.1:9", "--release", RELEASES[1], "--replay", *BOUNDS)
    assert requests_so_far(months.bases[1]) == asked
    assert tree(home / "datasets") == before
    assert versions == {key: lake.require(*key).version for key in versions}


def test_a_full_fetch_is_done_once(months: Months) -> None:
    printed = done(
        "run", "--home", months.second, "--endpoint", months.bases[1], "--release", RELEASES[1], *BOUNDS, "--full"
    )
    assert "27 of 27 steps were up to date already" in printed


def test_the_plan_foretells_the_refresh(months: Months) -> None:
    import json

    said = json.loads(done("plan", "--home", months.home.parent / "kept", "--changed", str(RATE), "--json"))["refresh"]
    came = months.summaries["third"]["requests"]
    assert said["basis"] == RELEASES[1]
    assert said["requests"]["sparql"] == pytest.approx(came["sparql"], abs=1)
    assert said["requests"]["action_api"] == pytest.approx(came["action_api"], rel=0.1)


def test_facts_that_changed_without_a_revision_are_found_out(months: Months, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(months.home.parent / "kept", home)
    lying = EditedWorld(N, SEED, 2, RATE)
    lying.lines = {
        f"<http://www.wikidata.org/entity/{plan.qid}> <http://www.wikidata.org/prop/direct/P1082> ": ""
        for plan in lying.settlements
    }
    with served(lying) as base:
        ask = ("run", "--home", home, "--endpoint", base, "--release", RELEASES[2], *BOUNDS, "--to", "candidates")
        result = mlm(*ask)
        assert result.returncode == 3
        assert "taken_over_facts_are_still_true" in result.stderr
        assert re.search(r"\(Q[0-9]+", result.stderr)
        assert "mlm run --full" in result.stderr
        done(*ask, "--full")


def test_texts_that_changed_without_a_revision_are_found_out(months: Months) -> None:
    from mlm_assets.resources.http import Transport

    lake = Lake(months.home)
    held = {row["requested_title"]: row for row in lake.read(lake.require("summaries", "en|00")).to_pylist()}
    titles = sorted(held)
    for suffix, n in (("", 0), (" And more.", 20)):  # none, and every one
        world = EditedWorld(N, SEED, 2, RATE)
        world.suffix = suffix
        with served(world) as base:
            settings = load_settings(None, wikipedia_url=base + "/{lang}.wikipedia.org/w/api.php")
            client = Wikipedia(Transport(settings), settings)
            # One title is new, so that nineteen places of its request are free.
            found = gather_articles(client, "en", titles, {t: held[t] for t in titles[1:]}, settings, ("a salt",))
        assert found.recheck.n_asked == min(19, len(titles) - 1)
        assert found.n_asked == 1
        rule = found.recheck.rule("rule", "articles", TOLERATED)
        assert rule.holds == (n == 0)
        assert rule.is_blocking
        for title in found.recheck.differing:
            assert found.records[title]["text"].endswith(suffix), "of what was looked at, today's text is taken"
        if n:
            texts = [title for title in titles[1:] if held[title]["text"]]
            assert set(found.recheck.differing) <= set(texts)
            assert found.recheck.differing[0] in rule.sentence
