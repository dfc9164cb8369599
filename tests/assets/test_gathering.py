"""From file names to pictures and statuses, over HTTP; and what happens to names that a service does not answer for."""

import gzip
import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from PIL import Image

from mlm_assets.assets.articles import gather_articles, lead_texts
from mlm_assets.assets.changes import Recheck, compare
from mlm_assets.assets.gathering import gather_images
from mlm_assets.errors import ServiceUnavailable
from mlm_assets.local_wikimedia.process import running_server
from mlm_assets.resources.commons import Commons
from mlm_assets.resources.failures import HostDown
from mlm_assets.resources.http import Transport
from mlm_assets.resources.lake import Lake
from mlm_assets.resources.takedowns import Takedown, keep
from mlm_assets.resources.wikipedia import LeadText, PageState
from mlm_assets.settings import Settings, load_settings


def _jpeg(size: tuple[int, int]) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(out, "JPEG")
    return out.getvalue()


BODIES = {
    "Large.jpg": ("image/jpeg", _jpeg((800, 400))),
    "Small.jpg": ("image/jpeg", _jpeg((90, 60))),
    "Broken.jpg": ("image/jpeg", _jpeg((500, 400))[:300]),
    "Copy of large.jpg": ("image/jpeg", _jpeg((800, 400))),
    "Arms.svg": ("image/svg+xml", b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
    "Deed.pdf": ("application/pdf", b"%PDF-1.4"),
}  # fmt: skip


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("world")
    (folder / "files").mkdir()
    (folder / "wikidata.nt.gz").write_bytes(gzip.compress(b""))
    (folder / "pages.jsonl").write_text("")
    lines = []
    for name, (mime, body) in BODIES.items():
        (folder / "files" / name).write_bytes(body)
        sha1 = hashlib.sha1(body, usedforsecurity=False).hexdigest()
        size = {"width": 800, "height": 400} if "large" in name.lower() else {"width": 90, "height": 60}
        about = {"Artist": {"value": "<b>Anna</b>"}, "LicenseShortName": {"value": "CC0"}}
        lines.append({"name": name, "mime": mime, **size, "size": len(body), "sha1": sha1, "extmetadata": about})
    lines.append({**lines[0], "name": "Vast.jpg", "width": 20_000, "height": 20_000, "sha1": "f" * 40})
    (folder / "files.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with running_server(world=folder) as url:
        yield url


@pytest.fixture
def settings(base: str, tmp_path: Path) -> Settings:
    return load_settings(tmp_path, commons_url=f"{base}/commons.wikimedia.org/w/api.php", max_attempts=3)


def test_a_file_that_was_taken_down_is_neither_asked_for_nor_downloaded_under_another_name(
    settings: Settings, tmp_path: Path
) -> None:
    lake, transport = Lake(tmp_path), Transport(settings, None, "fetch")
    sha1 = hashlib.sha1(BODIES["Large.jpg"][1], usedforsecurity=False).hexdigest()
    keep(lake, Takedown("file", "Large.jpg", "a claim", "2026-12-01T00:00:00+00:00", "ann", [sha1]))
    commons = Commons(transport, settings)
    gathered = gather_images(["large.jpg"], commons, lake, settings)
    assert gathered == {"large.jpg": {"status": "taken_down", "is_svg": False}}
    assert transport.requests.total() == 0, "nobody is asked"
    gathered = gather_images(["Copy of large.jpg", "Small.jpg"], commons, lake, settings)
    assert gathered["Copy of large.jpg"] == {"status": "taken_down", "is_svg": False}
    assert gathered["Small.jpg"]["status"] == "ok"
    assert (transport.requests["action_api"], transport.requests["files"]) == (1, 1)


def test_every_name_gets_a_status_and_every_picture_one_download(settings: Settings, tmp_path: Path) -> None:
    lake, transport = Lake(tmp_path), Transport(settings, None, "fetch")
    names = [*BODIES, "Vast.jpg", "Nowhere.jpg"]
    done: list[int] = []
    gathered = gather_images(names, Commons(transport, settings), lake, settings, progress=done.append)
    assert {name: fields["status"] for name, fields in gathered.items()} == {
        "Large.jpg": "ok",
        "Small.jpg": "ok",
        "Broken.jpg": "undecodable",
        "Copy of large.jpg": "ok",
        "Arms.svg": "ok",
        "Deed.pdf": "unsupported_type",
        "Vast.jpg": "too_many_pixels",
        "Nowhere.jpg": "missing",
    }
    assert sum(done) == len(names)
    assert gathered["Large.jpg"]["path"] == gathered["Copy of large.jpg"]["path"]
    assert gathered["Arms.svg"]["is_svg"]
    assert gathered["Large.jpg"]["author"] == "Anna"
    for name in ("Large.jpg", "Small.jpg", "Arms.svg"):
        data = lake.read_bytes(gathered[name]["path"])
        assert hashlib.sha256(data).hexdigest() == gathered[name]["picture_sha256"]
        with Image.open(io.BytesIO(data)) as picture:
            assert (picture.size, picture.mode) == ((256, 256), "RGB")
    # Large (once for two names), small, arms, and the broken one until it is known to be broken for good.
    downloads = transport.requests["files"]
    assert 4 <= downloads <= 3 + settings.max_attempts
    again = gather_images(names[:2], Commons(transport, settings), lake, settings)
    assert transport.requests["files"] == downloads
    assert again["Large.jpg"]["picture_sha256"] == gathered["Large.jpg"]["picture_sha256"]


class _Silent:
    """A client whose service answers for some titles only: a fault that a well-kept server does not show on demand."""

    def __init__(self, error: Exception, silent_on: str) -> None:
        self._error, self._silent_on = error, silent_on

    def lead_texts(self, lang: str, titles: list[str]) -> Iterator[LeadText]:
        if self._silent_on in titles:
            raise self._error
        for title in titles:
            yield LeadText(title, title, "ok", f"{title} ({lang})", 1, 1, False, "key")


def test_titles_that_are_not_answered_for_are_unavailable_and_the_rest_goes_on() -> None:
    client: Any = _Silent(ServiceUnavailable("no answer"), "B")
    records = list(lead_texts(client, "de", ["A", "B", "C", "D"], 2))
    assert {record["_title"]: record["status"] for record in records} == {
        "A": "unavailable", "B": "unavailable", "C": "ok", "D": "ok",
    }  # fmt: skip


def test_a_page_that_is_not_answered_for_when_it_is_asked_again_shows_nothing(settings: Settings) -> None:
    class Gone(_Silent):
        """Says of every page that it is missing, as it was before."""

        def states(self, _lang: str, titles: list[str]) -> Iterator[PageState]:
            yield from (PageState(title, title, "missing", None, False) for title in titles)

    client: Any = Gone(ServiceUnavailable("no answer"), "New")
    miss = {"lang": "de", "title": "Gone", "status": "missing", "is_redirect": False, "answer_key": "key"}
    held = {"Gone": {**dict.fromkeys(("text", "text_sha256", "revision", "licence")), **miss}}
    found = gather_articles(client, "de", ["Gone", "New"], held, settings, ("a salt",))
    assert {title: record["status"] for title, record in found.records.items()} == {
        "Gone": "missing", "New": "unavailable",
    }  # fmt: skip
    assert (found.recheck.n_asked, found.recheck.moved_on, found.recheck.differing) == (1, ["Gone"], [])


def test_a_host_that_is_down_ends_the_shard() -> None:
    client: Any = _Silent(HostDown("away"), "A")
    with pytest.raises(HostDown):
        list(lead_texts(client, "de", ["A"], 2))


def test_few_texts_that_changed_without_a_revision_warn_and_more_block() -> None:
    for n, holds, blocks in ((0, True, True), (2, False, False), (3, False, True)):
        rule = Recheck(20, [], [f"Page {number}" for number in range(n)]).rule("rule", "articles", 2)
        assert (rule.holds, rule.is_blocking) == (holds, blocks), n
    assert Recheck(20, [], ["Q1"]).rule("rule", "items").is_blocking


def fact(qid: str, name: str, lang: str | None, value: str) -> dict[str, Any]:
    row = dict.fromkeys(("statement", "label", "country_code", "lat_deg", "lon_deg", "globe_qid"))
    return {**row, "qid": qid, "property": name, "lang": lang, "value": value}


def test_what_differs_most_is_named_as_the_cause() -> None:
    listed = pa.table({"qid": ["Q1", "Q2", "Q3"], "revision": pa.array([7, 7, 7], pa.int64())})
    had = [
        row
        for qid in ("Q1", "Q2", "Q3")
        for row in (fact(qid, "version", None, "7"), fact(qid, "sitelink", "fr", "Ici"), fact(qid, "P1082", None, "5"))
    ]
    gone = [row for row in had if row["property"] != "sitelink" or row["qid"] == "Q3"]
    found = compare(["Q1", "Q2", "Q3"], gone, had, listed)
    rule = found.rule("rule", "items")
    assert list(found.differing) == ["Q1", "Q2"]
    assert rule.cause == "sitelinks in French (fr) explains 100 % of the differences"
    assert rule.verdict("changed_facts").cause == rule.cause
    assert rule.figures["cause_value"] == "sitelink in fr"

    # Where everybody differs in something else, nobody is to blame.
    mixed = [fact("Q1", "version", None, "7"), fact("Q2", "version", None, "7"), fact("Q3", "version", None, "7")]
    some = [*mixed, fact("Q1", "P18", None, "a"), fact("Q2", "P17", None, "b"), fact("Q3", "P31", None, "c")]
    assert compare(["Q1", "Q2", "Q3"], mixed, some, listed).rule("rule", "items").cause is None
    assert compare(["Q1"], mixed[:1], mixed[:1], listed).rule("rule", "items").cause is None


def test_a_listing_that_many_items_have_moved_on_from_is_an_old_one() -> None:
    for n, k, holds in ((0, 0, True), (500, 0, True), (500, 3, True), (500, 7, False), (50_000, 70, True)):
        rule = Recheck(n, ["Q1"] * k, []).of_today("rule")
        assert (rule.holds, rule.is_blocking) == (holds, False), (n, k)
        assert ("materialise candidates again with refetch: true" in rule.sentence) == (not holds)
