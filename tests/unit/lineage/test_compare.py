"""What changed for an entity between two releases, and what brought it: each kind of change by name."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import s2sphere
from lineage_worlds import BASE, CITY, GR, HILL, IRLE, VILLAGE, World, small_world, started, write_release
from rich.console import Console

from mlm_assets.commands import why as command
from mlm_assets.errors import Refused
from mlm_assets.lineage.compare import compare, short_diff
from mlm_assets.resources.quarantine import Entry, keep

R1, R2 = "2026-12", "2027-01"
WIKIDATA_DIFF = "https://www.wikidata.org/w/index.php?diff=999&oldid=101"


def token_of(world: World, qid: str, level: int = 4) -> str:
    item = world.items[qid]
    point = s2sphere.LatLng.from_degrees(item.lat_deg, item.lon_deg)
    return str(s2sphere.CellId.from_lat_lng(point).parent(level).to_token())


def compared(
    folder: Path, edit: Callable[[World], Any], qid: str = "Q1", start: Callable[[World], Any] = lambda _: None
) -> dict[str, Any]:
    """Write a release, edit the world, write the next, and return what `compare` says of an entity."""
    world = small_world()
    start(world)
    lake = started(folder, (R1, world))
    later = world.copy()
    edit(later)
    write_release(lake, R2, later)
    return compare(lake, qid, R1, R2, n_shards=1)


def edited(world: World, qid: str = "Q1") -> Any:
    """Give an item a higher revision, as every edit does; return it."""
    world.items[qid].revision = 999
    world.items[qid].modified = "2026-12-24T12:00:00Z"
    return world.items[qid]


def one(said: dict[str, Any], what: str, name: str | None = None) -> dict[str, Any]:
    """Return the one change of a kind."""
    (change,) = [one for one in said["changes"] if one["what"] == what and name in (None, one["name"])]
    return dict(change)


def cause(change: dict[str, Any], kind: str) -> dict[str, Any]:
    """Return the one cause of a kind that a change has."""
    (found,) = [one for one in change["causes"] if one["kind"] == kind]
    return dict(found)


def whats(said: dict[str, Any]) -> set[str]:
    return {change["what"] for change in said["changes"]}


def test_nothing_changed(tmp_path: Path) -> None:
    said = compared(tmp_path, lambda _: None)
    assert (said["changes"], said["edits"], said["background"]) == ([], [], [])
    assert said["before"]["state"] == said["after"]["state"] == "settlement"


def test_an_edit_that_changes_nothing_we_keep_is_still_shown(tmp_path: Path) -> None:
    said = compared(tmp_path, edited)
    assert said["changes"] == []
    (edit,) = said["edits"]
    assert (edit["address"], edit["before"], edit["after"]) == (WIKIDATA_DIFF, 101, 999)
    assert edit["modified_at"] == "2026-12-24T12:00:00Z"


def test_a_label(tmp_path: Path) -> None:
    said = compared(tmp_path, lambda world: edited(world).labels.update(en="New Place"))
    change = one(said, "label")
    assert (change["before"], change["after"]) == ("Place 1", "New Place")
    assert cause(change, "item_edit")["address"] == WIKIDATA_DIFF
    fact = one(said, "fact")
    assert (fact["name"], fact["kind"], fact["before"], fact["after"]) == (
        "label en",
        "changed",
        "Place 1",
        "New Place",
    )


def test_a_place_with_its_distance(tmp_path: Path) -> None:
    def move(world: World) -> None:
        edited(world).lat_deg += 1.0

    change = one(compared(tmp_path, move), "place")
    assert "moved by 111.1" in change["sentence"]
    assert cause(change, "item_edit")["figures"]["after"] == 999


def test_a_place_by_another_statement(tmp_path: Path) -> None:
    said = compared(tmp_path, lambda world: setattr(edited(world), "statement", "S2"))
    change = one(said, "place")
    assert "moved by 0.000 km (statement S1 -> S2)" in change["sentence"]
    assert sorted(fact["kind"] for fact in said["changes"] if fact["what"] == "fact") == ["gone", "new"]


def test_a_country_and_where_it_comes_from(tmp_path: Path) -> None:
    change = one(compared(tmp_path, lambda world: setattr(edited(world), "country", None)), "country")
    assert change["sentence"] == "country: DE by wikidata_p17 -> AT by reverse_geocoding"
    assert cause(change, "item_edit")["address"] == WIKIDATA_DIFF


def test_a_population(tmp_path: Path) -> None:
    change = one(compared(tmp_path, lambda world: setattr(edited(world), "population", 5)), "population")
    assert (change["kind"], change["before"], change["after"]) == ("changed", 100, 5)
    gone = one(compared(tmp_path / "gone", lambda world: setattr(edited(world), "population", None)), "population")
    assert gone["kind"] == "gone"


def test_values_gone_and_new(tmp_path: Path) -> None:
    def edit(world: World) -> None:
        item = edited(world)
        del item.sitelinks["de"]
        item.labels["de"] = "Ort 1"

    said = compared(tmp_path, edit)
    assert one(said, "fact", "sitelink de")["kind"] == "gone"
    assert one(said, "fact", "label de")["kind"] == "new"
    article = one(said, "article")
    assert (article["kind"], article["name"], article["before"]) == ("gone", "de", "Place 1")
    assert cause(article, "item_edit")["address"] == WIKIDATA_DIFF


def test_the_label_of_a_class_is_an_edit_of_the_class(tmp_path: Path) -> None:
    said = compared(tmp_path, lambda world: world.class_labels.update({HILL: "hill village"}))
    change = one(said, "fact", "P31")
    assert change["kind"] == "changed"
    assert cause(change, "other_item")["address"] == f"https://www.wikidata.org/w/index.php?title={HILL}&action=history"
    assert said["edits"][0]["kind"] == "other_item"


def test_a_class_given_up(tmp_path: Path) -> None:
    said = compared(tmp_path, lambda world: setattr(edited(world), "classes", [CITY]))
    assert {(change["kind"], change["name"]) for change in said["changes"] if change["what"] == "class"} == {
        ("gone", HILL), ("new", CITY)
    }  # fmt: skip
    assert all(cause(change, "item_edit") for change in said["changes"])


def test_an_article_edited(tmp_path: Path) -> None:
    def edit(world: World) -> None:
        world.texts["en", "Place 1"] = (5000, "Place 1 is a place. It lies by a lake.")

    said = compared(tmp_path, edit)
    change = one(said, "article_text", "en")
    assert change["diff"] == ("- It lies by a river.", "+ It lies by a lake.")
    assert cause(change, "article_edit")["address"] == "https://en.wikipedia.org/w/index.php?diff=5000&oldid=1001"
    assert whats(said) == {"article_text"}
    assert said["edits"][0]["kind"] == "article_edit"


def test_an_article_moved(tmp_path: Path) -> None:
    def edit(world: World) -> None:
        edited(world).sitelinks["en"] = "Moved"
        world.texts["en", "Moved"] = world.texts["en", "Place 1"]

    change = one(compared(tmp_path, edit), "article_title")
    assert (change["before"], change["after"]) == ("'Place 1'", "'Moved'")
    assert cause(change, "item_edit")["address"] == WIKIDATA_DIFF


def test_an_article_deleted(tmp_path: Path) -> None:
    said = compared(tmp_path, lambda world: world.texts.pop(("de", "Place 1")))
    change = one(said, "article_status", "de")
    assert (change["before"], change["after"]) == ("ok", "missing")
    assert cause(change, "article_edit")["address"].startswith("https://de.wikipedia.org/w/index.php?title=Place_1")


def test_a_text_that_nobody_edited_is_laid_to_our_code_or_the_service(tmp_path: Path) -> None:
    def edit(world: World) -> None:
        world.texts["en", "Place 1"] = (1001, "Place 1.")

    assert cause(one(compared(tmp_path, edit), "article_text"), "service")

    def recode(world: World) -> None:
        edit(world)
        world.code["summaries"] = "2"

    said = compared(tmp_path / "code", recode)
    found = cause(one(said, "article_text"), "code")
    assert (found["figures"]["before"], found["figures"]["after"]) == ("1", "2")
    assert "summaries was made by another version of our code" in said["background"][0]["sentence"]


def test_a_file_with_another_version(tmp_path: Path) -> None:
    sha1 = hashlib.sha1(b"new").hexdigest()
    change = one(compared(tmp_path, lambda world: world.files["View 1.jpg"].update(sha1=sha1)), "image_file")
    assert change["after"] == sha1
    address = "https://commons.wikimedia.org/w/index.php?title=File:View_1.jpg&action=history"
    assert cause(change, "file_edit")["address"] == address


def test_a_file_that_cannot_be_had_and_one_with_another_licence(tmp_path: Path) -> None:
    change = one(
        compared(tmp_path, lambda world: world.files["View 1.jpg"].update(status="unavailable")), "image_status"
    )
    assert (change["before"], change["after"]) == ("ok", "unavailable")
    assert cause(change, "service")
    licence = compared(tmp_path / "licence", lambda world: world.files["View 1.jpg"].update(licence="CC BY 4.0"))
    assert cause(one(licence, "image_credit"), "file_edit")


def test_images_gone_and_new(tmp_path: Path) -> None:
    said = compared(tmp_path, lambda world: setattr(edited(world), "images", {"P18": "View 2.jpg"}))
    kinds = {change["name"]: change["kind"] for change in said["changes"] if change["what"] == "image"}
    assert kinds == {"View 1.jpg": "gone", "View 2.jpg": "new"}
    assert cause(one(said, "image", "View 1.jpg"), "item_edit")["address"] == WIKIDATA_DIFF


def test_a_verdict_with_its_reason(tmp_path: Path) -> None:
    said = compared(tmp_path, lambda world: setattr(edited(world), "images", {}))
    change = one(said, "verdict")
    assert (change["before"], change["after"]) == ("settlement", "rejected: no_image")
    assert cause(change, "item_edit")["address"] == WIKIDATA_DIFF
    assert {one["what"] for one in said["changes"] if one["table"] in ("summaries", "images")} == set()


def test_a_candidate_that_the_service_did_not_answer_for(tmp_path: Path) -> None:
    said = compared(tmp_path, lambda world: setattr(world.items["Q1"], "quarantined", "timed out"))
    change = one(said, "verdict")
    assert change["after"] == "rejected: quarantined"
    assert any(found["kind"] == "service" for found in change["causes"])


def test_a_class_that_left_the_list_names_the_edge(tmp_path: Path) -> None:
    said = compared(tmp_path, lambda world: world.edges.pop(VILLAGE))
    change = one(said, "candidate")
    assert (change["kind"], change["before"]) == ("gone", [HILL])
    found = cause(change, "class_list")
    # Q1 is a hill village; the edge that was lost is the one above, from village to the base.
    assert (found["figures"]["child"], found["figures"]["parent"]) == (VILLAGE, BASE)
    assert "does not name class Q532 (Q532) a subclass (P279)" in found["sentence"]
    assert whats(said) == {"candidate", "membership"}


def test_a_class_that_came_into_the_list_names_the_edge(tmp_path: Path) -> None:
    said = compared(
        tmp_path, lambda world: world.edges.update({VILLAGE: [BASE]}), start=lambda world: world.edges.pop(VILLAGE)
    )
    change = one(said, "candidate")
    assert change["kind"] == "new"
    found = cause(change, "class_list")
    assert (found["figures"]["child"], found["figures"]["parent"]) == (VILLAGE, BASE)
    assert "did not before" in found["sentence"]


def test_fewer_hops_are_a_setting(tmp_path: Path) -> None:
    said = compared(tmp_path, lambda world: world.parameters.update(hops="1"))
    change = one(said, "candidate")
    assert "too deep" in cause(change, "class_list")["sentence"]
    assert cause(change, "setting")["sentence"] == "hops was 3 then and is 1 now"
    assert said["background"][0]["kind"] == "setting"


def test_a_candidate_deleted_or_new(tmp_path: Path) -> None:
    gone = one(compared(tmp_path, lambda world: world.items.pop("Q1")), "candidate")
    found = cause(gone, "item_edit")
    assert "deleted or merged" in found["sentence"]
    assert found["address"] == "https://www.wikidata.org/w/index.php?title=Q1&action=history"
    assert found["figures"]["revision"] == 101

    def add(world: World) -> None:
        world.items["Q9"] = world.copy().items["Q1"]

    assert "is new" in cause(one(compared(tmp_path / "new", add, "Q9"), "candidate"), "item_edit")["sentence"]


def test_rows_that_were_set_aside_are_told_from_edits(tmp_path: Path) -> None:
    lake, later = started(tmp_path, (R1, small_world())), small_world()
    later.items["Q1"].population = None
    later.files["View 1.jpg"] = {"sha1": None, "status": "quarantined"}
    write_release(lake, R2, later)
    fact = {"qid": "Q1", "property": "P1082", "lang": None, "value": "100", "statement": None, "country_code": None}
    for table, key in (("facts", fact), ("images", {"qid": "Q1", "file": "View 1.jpg"})):
        keep(lake, [Entry(table, table, "00", key, "is_right", "the rule", key, None, R2, "run-1", "2027-01-02")])
    said = compare(lake, "Q1", R1, R2, n_shards=1)
    assert cause(one(said, "fact"), "quarantine")["sentence"] == "its row was set aside: the rule (rule is_right)"
    assert cause(one(said, "population"), "quarantine")["figures"] == {"id": "facts"}
    assert cause(one(said, "image_status"), "quarantine")


def test_a_stale_replica(tmp_path: Path) -> None:
    def stale(world: World) -> None:
        world.items["Q1"].revision = 55
        world.items["Q1"].population = 90

    change = one(compared(tmp_path, stale), "population")
    assert "went back from 101 to 55" in cause(change, "service")["sentence"]


def test_a_cell_removed_with_counts_then_and_now(tmp_path: Path) -> None:
    def start(world: World) -> None:
        for qid in ("Q1", "Q2", "Q3", "Q4", "Q5"):
            world.cells[IRLE, qid] = token_of(world, qid)

    def leave(world: World) -> None:
        for qid in ("Q2", "Q3", "Q4", "Q5"):
            edited(world, qid).images = {}
        world.cells.pop((IRLE, "Q1"))
        world.reasons[IRLE, "Q1"] = "cell_removed"

    change = one(compared(tmp_path, leave, start=start), "membership")
    assert (change["name"], change["before"], change["after"]) == (IRLE, "in", "cell_removed")
    found = cause(change, "cells")
    assert (found["figures"]["before"], found["figures"]["after"]) == (5, 1)
    assert "5 settlements then, 1 now, fewer than T_min = 2, so it was removed" in found["sentence"]


def test_another_cell_because_it_was_cut_and_because_the_place_moved(tmp_path: Path) -> None:
    def start(world: World) -> None:
        world.cells[IRLE, "Q1"] = token_of(world, "Q1")

    def cut(world: World) -> None:
        world.parameters["t_max"] = "3"
        world.cells[IRLE, "Q1"] = token_of(world, "Q1", level=5)

    change = one(compared(tmp_path, cut, start=start), "cell")
    assert any("so it was cut into smaller ones" in found["sentence"] for found in change["causes"])
    assert cause(change, "setting")["sentence"] == "t_max was 10 then and is 3 now"

    def move(world: World) -> None:
        edited(world).lat_deg = -10.0
        world.cells[IRLE, "Q1"] = token_of(world, "Q1")

    moved = one(compared(tmp_path / "moved", move, start=start), "cell")
    assert [found["kind"] for found in moved["causes"]] == ["follows"]


def test_a_quota_with_places_then_and_now(tmp_path: Path) -> None:
    def smaller(world: World) -> None:
        world.parameters["quota_total"] = "2"
        world.reasons[GR, "Q1"] = "over_quota"

    change = one(compared(tmp_path, smaller), "membership")
    found = cause(change, "quota")
    assert (found["figures"]["before"]["country"], found["figures"]["before"]["n_queued"]) == ("DE", 5)
    assert found["figures"]["after"]["wanted"] < found["figures"]["before"]["wanted"]
    assert cause(change, "setting")["sentence"] == "quota_total was 24 then and is 2 now"


def test_out_for_lack_of_a_text_or_an_image_follows_from_it(tmp_path: Path) -> None:
    def no_text(world: World) -> None:
        world.texts.pop(("en", "Place 1"))
        world.reasons[IRLE, "Q1"] = "no_summary"

    change = one(compared(tmp_path, no_text), "membership")
    assert cause(change, "follows")["figures"] == {"what": "article_status", "name": "en"}

    def no_image(world: World) -> None:
        world.files["View 1.jpg"]["status"] = "missing"
        world.reasons[IRLE, "Q1"] = "no_image_downloaded"

    other = one(compared(tmp_path / "image", no_image), "membership")
    assert {found["figures"]["what"] for found in other["causes"]} == {"image_status"}


def test_out_of_the_eu_follows_from_the_country(tmp_path: Path) -> None:
    def leave(world: World) -> None:
        edited(world).country = "CH"
        world.reasons[GR, "Q1"] = "not_in_eu"

    change = one(compared(tmp_path, leave), "membership")
    assert cause(change, "follows")["figures"]["what"] == "country"


def test_a_split_never_changes_without_our_code(tmp_path: Path) -> None:
    def salted(world: World) -> None:
        world.splits["Q1"] = "test"
        world.code["members"] = "2"

    said = compared(tmp_path, salted)
    changes = [change for change in said["changes"] if change["what"] == "split"]
    assert {change["name"] for change in changes} == {"mlm", "mlm_v2", IRLE, GR}
    assert all(cause(change, "code") for change in changes)


def test_an_entity_that_neither_release_has(tmp_path: Path) -> None:
    said = compared(tmp_path, lambda _: None, "Q404")
    assert said["changes"] == []
    assert said["before"]["state"] == "no candidate"


def test_long_texts_give_a_short_diff() -> None:
    then = " ".join(f"Sentence {n}." for n in range(40))
    now = " ".join(f"Other {n}." for n in range(40))
    diff = short_diff(then, now)
    assert len(diff) == 7
    assert diff[-1] == "… and 74 sentences more"
    assert max(map(len, short_diff("a" * 5000, "b" * 5000))) == 240


def test_a_release_that_is_not_there_is_refused(tmp_path: Path) -> None:
    lake = started(tmp_path, (R1, small_world()))
    with pytest.raises(Refused, match=f"no release '2028-01' here. There are: {R1}"):
        compare(lake, "Q1", R1, "2028-01", n_shards=1)


def test_what_is_printed_names_change_cause_and_address(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = compared(tmp_path, lambda world: edited(world).labels.update(en="New\x1b[31m Place"))
    command.show_between(said, Console(width=200, highlight=False, markup=False))
    printed = capsys.readouterr().out
    assert "because  the item was edited: revision 101 to 999" in printed
    assert WIKIDATA_DIFF in printed
    assert "\x1b[31m" not in printed
