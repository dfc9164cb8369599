"""What the command line refuses: with exit code 2, one sentence, and nothing written."""

import os
from pathlib import Path

import pytest

from tests.commands import mlm

RUN = ("run", "--generate", "20")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("run", "--endpoint", "https://query.wikidata.org/sparql"), "Set MLM_CONTACT"),
        (("run",), "Set MLM_CONTACT"),
        ((*RUN, "--release", "2026-11"), "support window runs from 2026-12 to 2029-11"),
        ((*RUN, "--release", "2030-01"), "support window"),
        ((*RUN, "--release", "soon"), "soon"),
        (("run", "--world", "{empty}"), "lacks wikidata.nt.gz, pages.jsonl, files.jsonl, files/"),
        (("run", "--world", "{empty}/absent"), "There is no world folder"),
        ((*RUN, "--world", "{empty}"), "Choose one of --generate and --world"),
        ((*RUN, "--faults", "gremlins=0.1"), "gremlins"),
        (("run", "--endpoint", "ftp://127.0.0.1/"), "is not an address"),
        (("run", "--endpoint", "http://127.0.0.1:99999"), "is not an address"),
        (("run", "--endpoint", "http://127.0.0.1:1", "--faults", "all=0.1"), "--faults misbehaves on a local world"),
        ((*RUN, "--shards", "0"), "MLM_SHARDS"),
        ((*RUN, "--t-min", "9", "--t-max", "3"), "--t-min 9 is larger than --t-max 3"),
        ((*RUN, "--to", "the-moon"), "the-moon"),
        (("run", "--generate", "0"), "at least 1"),
        (("run", "--no-such-option"), "no-such-option"),
    ],
)
def test_run_refuses(tmp_path: Path, arguments: tuple[str, ...], sentence: str) -> None:
    (tmp_path / "empty").mkdir()
    home = tmp_path / "home"
    result = mlm(*(argument.format(empty=tmp_path / "empty") for argument in arguments), "--home", home)
    assert result.returncode == 2, result.stderr
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr
    assert not home.exists()


@pytest.mark.parametrize("qid", ["q64", "Q0", "64", "Q64; DROP", "Q6４", "", "P31", "Q64\nQ65", "[/b]"])
@pytest.mark.parametrize("command", ["why", "bases"])
def test_a_malformed_qid_is_refused_before_anything_is_asked(tmp_path: Path, command: str, qid: str) -> None:
    result = mlm(command, qid, "--home", tmp_path / "home")
    assert result.returncode == 2, result.stderr
    assert "is not a Wikidata identifier" in result.stderr


def test_a_malformed_base_class_is_refused(tmp_path: Path) -> None:
    result = mlm(*RUN, "--home", tmp_path / "home", MLM_BASE_CLASS="Q1 } UNION {")
    assert result.returncode == 2
    assert "MLM_BASE_CLASS" in result.stderr
    assert not (tmp_path / "home").exists()


def test_a_home_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    result = mlm(*RUN, "--home", blocked / "home")
    assert result.returncode == 2, result.stderr
    assert "cannot be written" in result.stderr
    if os.geteuid() != 0:
        (tmp_path / "locked").mkdir(mode=0o500)
        assert mlm(*RUN, "--home", tmp_path / "locked" / "home").returncode == 2


def test_another_number_of_shards_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "settings.json").write_text('{"shards": 4}')
    result = mlm(*RUN, "--home", home, "--shards", "5")
    assert result.returncode == 2
    assert "was made with 4 shards" in result.stderr
    assert sorted(path.name for path in home.iterdir()) == ["settings.json"]


def test_fresh_does_not_remove_a_folder_that_is_no_home(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    result = mlm(*RUN, "--home", tmp_path, "--fresh")
    assert result.returncode == 2
    assert "is no home of mlm" in result.stderr
    assert (tmp_path / "thesis.txt").exists()


@pytest.mark.parametrize("option", [(), ("--fresh",)])
def test_folders_of_others_are_left_alone(tmp_path: Path, option: tuple[str, ...]) -> None:
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: true}")
    (tmp_path / "settings.json").write_text('{"editor.tabSize": 2}')
    before = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert mlm(*RUN, "--home", tmp_path, *option).returncode == 2
    assert mlm(*RUN, *option, DAGSTER_HOME=str(tmp_path), MLM_HOME=str(tmp_path)).returncode == 2
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == before


def test_plan_sends_nothing_and_adds_up(tmp_path: Path) -> None:
    result = mlm("plan", "--home", tmp_path / "home", "--candidates", "1000000", "--json")
    assert result.returncode == 0, result.stderr
    import json

    said = json.loads(result.stdout)
    assert said["candidates"] == 1_000_000
    assert said["services"]["files"]["requests"] >= said["files"]
    assert said["hours"] == pytest.approx(sum(cost["hours"] for cost in said["services"].values()), abs=0.02)


def test_ui_and_status_want_a_home(tmp_path: Path) -> None:
    for command in ("ui", "status"):
        result = mlm(command, "--home", tmp_path / "none")
        assert result.returncode == 2
        assert "is no home of mlm yet" in result.stderr
