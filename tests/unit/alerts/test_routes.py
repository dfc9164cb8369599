"""Routes choose by owner and severity, and never say an address."""

from pathlib import Path

import pytest

from mlm_assets.alerts.delivery import route_problem
from mlm_assets.alerts.routes import ROUTES_FILE, Route, load_routes, split_urls
from mlm_assets.errors import Refused
from mlm_assets.settings import Settings, load_settings

SECRET = "slack://T000/B000/s3cr3tXXXXXXXXXXXXXXXXXXX"


def settings(home: Path, text: str | None = None) -> Settings:
    if text is not None:
        (home / ROUTES_FILE).write_text(text)
    return load_settings(home)


def test_without_a_file_one_variable_gets_everything(tmp_path: Path) -> None:
    assert load_routes(settings(tmp_path), {}) == ()
    (route,) = load_routes(settings(tmp_path), {"MLM_ALERT_URLS": "json://a/ json://b/"})
    assert route.urls == ("json://a/", "json://b/")
    assert route.takes("digest", ())


def test_a_file_names_variables_owners_and_severities(tmp_path: Path) -> None:
    text = """
    [[route]]
    name = "data"
    urls_env = "DATA_URLS"
    owners = ["team:dataset-maintainers", "images"]
    severities = ["error"]
    [[route]]
    name = "all"
    urls_env = "UNSET"
    """
    data, everything = load_routes(settings(tmp_path, text), {"DATA_URLS": SECRET, "MLM_ALERT_URLS": "json://x/"})
    assert data.takes("error", ("summaries", "team:dataset-maintainers"))
    assert data.takes("error", ("images",))
    assert not data.takes("warning", ("images",))
    assert not data.takes("error", ("mlm", "team:models"))
    assert everything.takes("warning", ())
    assert "UNSET" in route_problem(everything)
    assert SECRET not in repr(data)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("route = 1", r"\[\[route\]\]"),
        ("[[route]", "no TOML"),
        ("[[routes]]\nname = 'a'", r"\[\[route\]\]"),
        ("[[route]]\nname = 'a'", "urls_env"),
        (f"[[route]]\nname = 'a'\nurls_env = '{SECRET}'", "not an address"),
        (f"[[route]]\nname = 'a'\nurls = ['{SECRET}']", "urls is not understood"),
        ("[[route]]\nname = 'a'\nurls_env = 'A'\nseverities = ['fatal']", "'fatal'"),
        ("[[route]]\nname = 'a'\nurls_env = 'A'\nowners = 'me'", "list"),
        ("[[route]]\nname = 'a'\nurls_env = 'A'\n[[route]]\nname = 'a'\nurls_env = 'B'", "two routes"),
        ("[[route]]\nname = ''\nurls_env = 'A'", "name"),
    ],
)
def test_a_file_that_is_not_understood_is_refused_without_saying_an_address(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(Refused, match=said) as refusal:
        load_routes(settings(tmp_path, text), {})
    assert "s3cr3t" not in str(refusal.value)


def test_a_file_that_is_named_and_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="MLM_ALERTS_FILE"):
        load_routes(load_settings(tmp_path, alerts_file=tmp_path / "gone.toml"), {})


def test_an_address_that_apprise_does_not_understand_is_named_by_its_number() -> None:
    problem = route_problem(Route("ops", "OPS", urls=("json://127.0.0.1/", "nonsense://s3cr3t")))
    assert "address 2 of 2 in OPS" in problem
    assert "s3cr3t" not in problem
    assert route_problem(Route("ops", "OPS", urls=("json://127.0.0.1/", "file:///tmp/alerts.txt"))) == ""


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("", ()),
        (" json://a , json://b\njson://c,json://a ", ("json://a", "json://b", "json://c")),
        ("mailto://u:p@h?to=x@y.org,z@y.org,json://b", ("mailto://u:p@h?to=x@y.org,z@y.org", "json://b")),
    ],
)
def test_addresses_stand_apart_by_white_space_or_commas(text: str, urls: tuple[str, ...]) -> None:
    assert split_urls(text) == urls
