"""Settings: precedence, refusals, and who is asked for a contact."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlm_assets.errors import Refused
from mlm_assets.settings import SETTINGS_FILE, Settings, is_loopback, is_wikimedia, load_settings


def test_argument_beats_environment_beats_home_beats_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLM_T_MIN", raising=False)
    assert load_settings(tmp_path).t_min == 20
    (tmp_path / SETTINGS_FILE).write_text(json.dumps({"t_min": 5}))
    assert load_settings(tmp_path).t_min == 5
    monkeypatch.setenv("MLM_T_MIN", "7")
    assert load_settings(tmp_path).t_min == 7
    assert load_settings(tmp_path, t_min=9).t_min == 9


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("shards", 0), ("shards", "many"), ("release", "2026-13"), ("release", "soon"), ("titles_batch", 21),
        ("files_parallel", 3), ("base_class", "Q1 } DROP"), ("no_such_setting", 1), ("ui_url", "here"),
    ],
)  # fmt: skip
def test_unacceptable_values_are_refused_by_name(tmp_path: Path, name: str, value: object) -> None:
    with pytest.raises(Refused, match=f"MLM_{name.upper()}"):
        load_settings(tmp_path, **{name: value})


def test_a_broken_settings_file_is_named(tmp_path: Path) -> None:
    (tmp_path / SETTINGS_FILE).write_text("{")
    with pytest.raises(Refused, match=SETTINGS_FILE):
        load_settings(tmp_path)


@pytest.mark.parametrize(
    "url",
    [
        "https://query.wikidata.org/sparql", "https://{lang}.wikipedia.org/w/api.php", "https://WIKIMEDIA.org",
        "https://upload.wikimedia.org./x", "https://commons.wikimedia.org:443/w/api.php", "http://user@wikidata.org/",
    ],
)  # fmt: skip
def test_wikimedia_hosts_need_a_contact(url: str) -> None:
    assert is_wikimedia(url)
    with pytest.raises(Refused, match="MLM_CONTACT"):
        Settings(contact=None).require_contact(url)
    with pytest.raises(Refused, match="MLM_CONTACT"):
        Settings(contact="  ").require_contact(url)
    Settings(contact="me@example.org").require_contact(url)


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1/en.wikipedia.org/w/api.php", "https://notwikidata.org/", "https://wikidata.org.evil.net/"],
)
def test_other_hosts_need_none(url: str) -> None:
    assert not is_wikimedia(url)
    Settings(contact=None).require_contact(url)


def test_the_world_is_asked_gently_and_this_machine_briskly() -> None:
    settings = Settings()
    assert settings.limit("files", "https://upload.wikimedia.org/").parallel == 2
    assert settings.limit("sparql", "https://query.wikidata.org/").parallel == 1
    assert (
        settings.limit("files", "http://localhost:80/").rate_per_s > settings.limit("files", "https://a.org").rate_per_s
    )
    assert Settings(files_rate_per_s=3.0).limit("files", "http://localhost/").rate_per_s == 3.0


@given(st.integers(0, 255), st.integers(0, 255))
def test_all_of_127_is_loopback(a: int, b: int) -> None:
    assert is_loopback(f"http://127.0.{a}.{b}:8000/x")
    assert not is_loopback(f"http://128.0.{a}.{b}:8000/x")
