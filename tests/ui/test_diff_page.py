"""The page of a diff in a real browser: it shows its pictures, asks nobody, and can be read on a small screen."""

import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pytest

from mlm_assets.release.diff import report
from mlm_assets.release.diff.files import PAGE_FILE, write_files
from tests.release import diffs

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder: Path = tmp_path_factory.mktemp("page") / "diff"
    before, after = diffs.before(), diffs.after()
    with duckdb.connect() as connection:
        write_files(connection, report.compare(connection, before, after), before, after, folder)
    return (folder / PAGE_FILE).as_uri()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield started
        started.close()


@pytest.mark.parametrize("width", [360, 1280])
def test_page(browser: Any, address: str, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(address)
    assert [url for url in asked if not url.startswith("data:")] == [address]
    assert complaints == []
    assert page.locator("h1").inner_text() == f"MLM {diffs.RELEASE}: what changed since {diffs.BASE}"
    drawn = page.evaluate("[...document.images].map(one => one.complete && one.naturalWidth > 0)")
    assert len(drawn) >= 7
    assert all(drawn)
    # Wide tables scroll within themselves; the page does not.
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.locator("[data-figure='entities/all/new']").first.inner_text() == "2"
    page.locator("summary", has_text="Renamed: 1").click()
    assert page.get_by_text("Anders <b>& neu</b>").first.is_visible()
    page.close()


def test_every_heading_and_table_has_a_name(browser: Any, address: str) -> None:
    page = browser.new_page()
    page.goto(address)
    assert page.evaluate("[...document.querySelectorAll('table')].every(one => one.caption.textContent.trim())")
    assert page.evaluate("[...document.querySelectorAll('th')].every(one => one.scope)")
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3')].map(one => Number(one.tagName[1]))")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later - sooner <= 1 for sooner, later in pairwise(levels))
    page.close()
