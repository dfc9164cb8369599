"""A world folder is read as it is, and refused with a sentence where it cannot be."""

import gzip
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from mlm_assets.errors import Refused
from mlm_assets.local_wikimedia.sparql import SparqlEngine
from mlm_assets.local_wikimedia.worlds import load_world

TRIPLE = (
    b"<http://www.wikidata.org/entity/Q1> <http://www.wikidata.org/prop/direct/P31> "
    b"<http://www.wikidata.org/entity/Q486972> .\n"
)


def picture() -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (30, 20), "red").save(target, "PNG")
    return target.getvalue()


def write(folder: Path, pages: list[Any] | None = None, files: list[Any] | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "files").mkdir(exist_ok=True)
    (folder / "wikidata.nt.gz").write_bytes(gzip.compress(TRIPLE))
    for name, rows in (("pages.jsonl", pages or []), ("files.jsonl", files or [])):
        lines = (row if isinstance(row, str) else json.dumps(row) for row in rows)
        (folder / name).write_text("\n".join(lines), "utf-8")
    return folder


def test_names_everything_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"no world folder"):
        load_world(tmp_path / "nowhere")
    with pytest.raises(Refused) as refused:
        load_world(tmp_path)
    for name in ("wikidata.nt.gz", "pages.jsonl", "files.jsonl", "files/"):
        assert name in str(refused.value)
    (tmp_path / "pages.jsonl").touch()
    with pytest.raises(Refused) as refused:
        load_world(tmp_path)
    assert "pages.jsonl" not in str(refused.value)


@pytest.mark.parametrize("bad", ["{", "[]", "7", '{"lang": "en"}', '{"lang": "en", "title": "X", "pageid": "x"}'])
def test_bad_line_is_named_by_file_and_number(tmp_path: Path, bad: str) -> None:
    write(tmp_path, pages=[{"lang": "en", "title": "A"}, bad])
    with pytest.raises(Refused, match=r"pages\.jsonl, line 2"):
        load_world(tmp_path)


def test_broken_triples_are_refused(tmp_path: Path) -> None:
    world = load_world(write(tmp_path))
    assert SparqlEngine(world).n_candidates() == 1
    (tmp_path / "wikidata.nt.gz").write_bytes(b"no gzip")
    with pytest.raises(Refused, match=r"wikidata\.nt\.gz"):
        SparqlEngine(load_world(tmp_path))
    (tmp_path / "wikidata.nt.gz").write_bytes(gzip.compress(b"no triples at all .\n"))
    with pytest.raises(Refused, match="triples"):
        SparqlEngine(load_world(tmp_path))


def test_pages_with_few_fields_redirects_and_missing(tmp_path: Path) -> None:
    rows = [
        {"lang": "en", "title": "Full", "qid": "Q1", "extract": "Text.", "pageid": 7, "lastrevid": 8},
        {"lang": "en", "title": "Bare"},
        {"lang": "en", "title": "old_name", "redirect_to": "Full#Part"},
        {"lang": "en", "title": "Gone", "missing": True},
        "",
    ]
    world = load_world(write(tmp_path, pages=rows))
    full, bare, old = world.page("en", "Full"), world.page("en", "Bare"), world.page("en", "Old name")
    assert full is not None and bare is not None and old is not None
    assert (full.pageid, full.lastrevid, full.extract) == (7, 8, "Text.")
    assert bare.pageid > 0 and bare.lastrevid > 0 and bare.extract == ""
    assert (old.redirect_to, old.redirect_fragment) == ("Full", "Part")
    assert world.page("en", "Gone") is None
    assert world.page("de", "Full") is None


def test_files_with_few_fields_and_without_bodies(tmp_path: Path) -> None:
    rows = [
        {"name": "some_view.png"},
        {"name": "Stated.jpg", "mime": "image/jpeg", "width": 9, "height": 8, "size": 7, "sha1": "ab"},
        {"name": "Renamed.png", "redirect_to": "File:some view.png"},
    ]
    folder = write(tmp_path, files=rows)
    (folder / "files" / "some_view.png").write_bytes(picture())
    (folder / "files" / "Unlisted.png").write_bytes(picture())
    world = load_world(folder)
    view, stated, renamed = world.file("Some view.png"), world.file("Stated.jpg"), world.file("Renamed.png")
    assert view is not None and stated is not None and renamed is not None
    assert (view.width_px, view.height_px, view.mime) == (30, 20, "image/png")
    assert view.sha1 == hashlib.sha1(picture(), usedforsecurity=False).hexdigest()
    assert world.body("Some view.png") == picture()
    assert (stated.size_bytes, stated.sha1, stated.width_px) == (7, "ab", 9)
    assert world.body("Stated.jpg") is None
    assert renamed.redirect_to == "Some view.png"
    assert world.file("Unlisted.png") is None
    assert world.body("Unlisted.png") is None


@pytest.mark.realworld
def test_real_sample_loads(realworld: Path) -> None:
    world = load_world(realworld)
    described = world.describe()
    assert (described["pages"], described["files"]) == (495, 131)
    assert len(SparqlEngine(world)) > 133_000
    berlin = world.page("de", "Berlin")
    assert berlin is not None
    assert berlin.qid == "Q64"
    for name in world.file_names():
        file, body = world.file(name), world.body(name)
        assert file is not None
        if body is not None:
            assert (len(body), hashlib.sha1(body, usedforsecurity=False).hexdigest()) == (file.size_bytes, file.sha1)
