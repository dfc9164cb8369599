"""The way of an entity, also of one that was set aside or dropped."""

from pathlib import Path

import pytest
from lineage_worlds import GR, HILL, IRLE, VILLAGE, files_request, small_world, started, store_answers, write_release
from rich.console import Console

from mlm_assets.commands import why as command
from mlm_assets.errors import Refused
from mlm_assets.lineage.entity import way_of
from mlm_assets.resources.lake import Lake
from mlm_assets.resources.quarantine import Entry, keep
from mlm_assets.settings import Settings

RELEASES = ("2026-12", "2027-01", "2027-02")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Three releases: Q1 loses its class after the first, Q2 its image after the second, Q3 its cell."""
    first = small_world()
    first.cells[IRLE, "Q3"] = "47c"
    second = first.copy()
    second.edges.pop(VILLAGE)
    third = second.copy()
    third.items["Q2"].images = {}
    third.reasons[IRLE, "Q3"] = "cell_removed"
    return started(tmp_path, *zip(RELEASES, (first, second, third), strict=True))


def test_a_dropped_entity_is_named_with_its_last_classes(lake: Lake) -> None:
    said = way_of(lake, "Q1", 1)
    assert (said["verdict"], said["reason"]) == ("dropped", "not_listed_any_more")
    assert said["meaning"] == f"last a candidate in 2026-12; its classes {HILL} are in the list no more"
    assert said["last_seen"]["candidate"]["class_qids"] == [HILL]
    assert [step["qid"] for step in said["class_paths"][0]] == [HILL, VILLAGE, "Q486972"]
    assert said["last_seen"]["settlement"]["release"] == "2026-12"
    assert said["last_seen"]["members"][GR]["release"] == "2026-12"


def test_an_item_that_left_its_class_is_told_from_a_class_that_left(lake: Lake) -> None:
    world = small_world()
    world.items.pop("Q4")
    write_release(lake, "2027-03", world)
    said = way_of(lake, "Q4", 1)
    assert said["meaning"].startswith("last a candidate in 2027-02; it is no instance (P31) of its classes any more")


def test_a_rejected_entity_that_was_a_settlement(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    said = way_of(lake, "Q2", 1)
    assert (said["verdict"], said["reason"]) == ("rejected", "no_image")
    assert said["last_seen"]["candidate"]["release"] == "2027-02"
    assert said["last_seen"]["settlement"]["release"] == "2027-01"
    command.show(said, Console(width=200, highlight=False, markup=False))
    assert "settlement in 2027-01: Place 2" in capsys.readouterr().out


def test_a_settlement_that_is_a_member_no_more(lake: Lake) -> None:
    said = way_of(lake, "Q3", 1)
    assert said["verdict"] == "accepted"
    assert said["last_seen"]["members"][IRLE] == {"release": "2027-01", "cell_token": "47c", "split": "train"}
    assert said["last_seen"]["members"][GR]["release"] == "2027-02"


def test_what_never_was_a_candidate(lake: Lake) -> None:
    said = way_of(lake, "Q404", 1)
    assert (said["verdict"], said["reason"]) == ("rejected", "no_settlement_class")
    assert said["last_seen"] == {"candidate": None, "settlement": None, "members": {}}


def test_rows_that_were_set_aside(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    store_answers(lake, RELEASES[0], small_world())
    key = files_request(small_world()).key
    for name, qid, at in (("b", "Q3", "2027-02-02"), ("a", "Q3", "2027-02-01"), ("c", "Q33", "2027-02-01")):
        row = {"qid": qid, "file": f"View {name}.jpg"}
        entry = Entry(
            name, "images", "00", row, "width_is_positive", "width_px >= 0", row, key, RELEASES[0], "run-1", at
        )
        keep(lake, [entry])
    way = way_of(lake, "Q3", 1)
    assert [entry["id"] for entry in way["quarantine"]] == ["a", "b"]
    assert Path(way["quarantine"][0]["answer"]).is_file()
    assert way_of(lake, "Q4", 1)["quarantine"] == []
    command.show(way, Console(width=200, highlight=False, markup=False))
    assert "aside    images 00: width_px >= 0 (rule width_is_positive, set_aside)" in capsys.readouterr().out


def test_a_release_whose_files_were_pruned_is_passed_over(lake: Lake) -> None:
    pinned = lake.history("candidates")[0]
    Path(lake.full_path(pinned.path)).unlink()
    said = way_of(lake, "Q1", 1)
    assert said["reason"] == "no_settlement_class"
    assert said["last_seen"]["settlement"]["release"] == "2026-12"


def test_the_releases_to_compare_have_defaults(lake: Lake, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", shards=1)
    newest = command.why_between("Q2", settings)
    assert (newest["at"], newest["vs"]) == ("2027-01", "2027-02")
    earlier = command.why_between("Q2", settings, vs="2027-01")
    assert (earlier["at"], earlier["vs"]) == ("2026-12", "2027-01")
    with pytest.raises(Refused, match="no release before 2026-12"):
        command.why_between("Q2", settings, vs="2026-12")
    with pytest.raises(Refused, match="There are: 2026-12, 2027-01, 2027-02"):
        command.why_between("Q2", settings, vs="2031-01")
    with pytest.raises(Refused, match="Q64"):
        command.why_between("2", settings)
