"""The diff of two releases made by hand (`diffs`): every kind of change, counted by hand."""

import base64
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlm_assets.release.diff import report
from mlm_assets.release.diff.cells import cell_changes
from mlm_assets.release.diff.files import DIFF_FILES, ENTITIES_FILE, FIGURES_FILE, NOTES_FILE, PAGE_FILE, write_files
from mlm_assets.release.diff.scores import score_changes
from mlm_assets.release.diff.sides import Side
from mlm_assets.release.diff.words import changed_words
from mlm_assets.resources.lake import conform
from mlm_assets.tables import TABLES, VARIANTS
from tests.release import diffs
from tests.release.diffs import BASE, RELEASE, qid
from tests.release.sample import picture, record

_VOID = ("meta", "br", "img", "link", "hr", "input")


def compared(before: Side | None, after: Side, folder: Path | None = None) -> dict[str, Any]:
    with duckdb.connect() as connection:
        found = report.compare(connection, before, after)
        if folder is not None:
            write_files(connection, found, before, after, folder)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the diff of the two releases."""
    made = tmp_path_factory.mktemp("diff") / "made"
    compared(diffs.before(), diffs.after(), made)
    return made


@pytest.fixture(scope="module")
def diff(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / FIGURES_FILE).read_text("utf-8")))


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return (folder / PAGE_FILE).read_text("utf-8")


class Page(HTMLParser):
    """What a page holds: figures by place, pictures with their words, addresses; complains of tags left open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.figures: list[tuple[str, str]] = []
        self.pictures: list[dict[str, str | None]] = []
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self._open: list[str] = []
        self._path: str | None = None
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in _VOID:
            self._open.append(tag)
        if tag == "img":
            self.pictures.append(given)
        self._path = given.get("data-figure", self._path)
        self.addresses += [value for name, value in attrs if name in ("href", "src") and value]
        self.ids += [value for name, value in attrs if name == "id" and value]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._path is not None:
            self.figures.append((self._path, data))
            self._path = None


# -- figures ---------------------------------------------------------------------------------------------------------


def test_settlements(diff: dict[str, Any]) -> None:
    whole = diff["entities"]["all"]
    assert whole == {
        "new": 2, "gone": 1, "changed": 12, "same": 3, "renamed": 1, "moved": 1, "nudged": 1, "reclassed": 1,
        "other_country": 1, "other_population": 1, "other_cell": 0, "gone_by_fate": {"merged": 1},
    }  # fmt: skip
    # 9 and 15 are changed by what is withheld alone: what is published of them is not the same.
    assert diff["counts"]["all"]["entities"] == {"before": 16, "after": 17, "change": 1}
    assert diff["counts"]["mlm_irle"]["entities"] == {"before": 16, "after": 15, "change": -1}


def test_why_they_are_gone(diff: dict[str, Any]) -> None:
    assert diff["entities"]["mlm_irle"]["gone_by_fate"] == {"merged": 1}
    assert diff["entities"]["mlm_irle_gr"]["gone_by_fate"] == {"merged": 1, "over_quota": 1}
    [gone] = diff["samples"]["entities"]["gone"]
    assert (gone["qid"], gone["fate"], gone["target_qid"]) == (qid(0), "merged", qid(1))


def test_how_far_they_moved(diff: dict[str, Any]) -> None:
    [moved] = diff["samples"]["entities"]["moved"]
    assert moved["qid"] == qid(2)
    assert moved["distance_km"] == pytest.approx(111.195, abs=0.001)  # a degree of latitude


def test_texts(diff: dict[str, Any]) -> None:
    texts = diff["texts"]["all"]
    assert texts["en"] == {"before": 16, "after": 17, "new": 2, "changed": 1, "gone": 1, "same": 14}
    assert texts["de"] == {"before": 10, "after": 11, "new": 2, "changed": 0, "gone": 1, "same": 9}
    assert texts["fr"] == {"before": 5, "after": 7, "new": 2, "changed": 0, "gone": 0, "same": 5}
    assert list(diff["texts"]["mlm"]) == sorted(["en", "de", "fr"])
    [sample] = diff["samples"]["texts"]
    assert (sample["qid"], sample["lang"], sample["revision_after"]) == (qid(6), "en", 2000)
    assert ["-", "“größer” "] in sample["words"]
    assert ["+", "kleiner "] in sample["words"]


def test_pictures(diff: dict[str, Any]) -> None:
    assert diff["images"]["all"] == {
        "new": 2, "published": 1, "gone": 2, "withheld": 1, "replaced": 1, "redrawn": 0, "renamed": 1,
        "renumbered": 1, "same": 18,
    }  # fmt: skip
    assert diff["counts"]["all"]["images"] == {"before": 24, "after": 24, "change": 0}
    assert diff["counts"]["all"]["images_withheld"] == {"before": 1, "after": 1, "change": 0}
    assert diff["licences"]["withheld"] == {"face": {"before": 1, "after": 1, "change": 0}}
    published = {name: both["after"] for name, both in diff["licences"]["images_per_licence"].items()}
    assert sum(published.values()) == 24


def test_cells(diff: dict[str, Any]) -> None:
    cells = dict(diff["cells"]["mlm_irle"])
    tokens = cells.pop("tokens")
    assert cells == {
        "before": 5, "after": 6, "kept": 1, "split": 1, "split_into": 3, "merged": 2, "merged_into": 1, "removed": 1,
        "added": 1, "renumbered": 1, "settlements_in_removed": 30,
    }  # fmt: skip
    assert (tokens["removed"], tokens["added"]) == ([diffs.REMOVED], [diffs.ADDED])
    assert tokens["split"] == [{"token": diffs.SPLIT, "into": sorted(diffs.children(diffs.SPLIT)[:3])}]
    assert [one["into"] for one in tokens["merged"]] == [diffs.MERGED] * 2


def test_cells_of_several_levels_apart() -> None:
    grandchild = diffs.children(diffs.children("47a9")[2])[1]
    found = cell_changes(diffs.cells({"47a9": 0}).to_pylist(), diffs.cells({grandchild: 0}).to_pylist())["mlm_irle"]
    assert (found["split"], found["removed"], found["added"]) == (1, 0, 0)
    back = cell_changes(diffs.cells({grandchild: 0}).to_pylist(), diffs.cells({"47a9": 0}).to_pylist())["mlm_irle"]
    assert (back["merged"], back["merged_into"], back["removed"], back["added"]) == (1, 1, 0, 0)


def test_splits_are_stable(diff: dict[str, Any]) -> None:
    assert (diff["splits"]["n_violations"], diff["splits"]["violations"]) == (0, [])
    sizes = diff["splits"]["sizes"]["all"]
    assert sum(one["before"] for one in sizes.values()) == 16
    assert {split: one["change"] for split, one in sizes.items()} == {"train": -1, "validation": 1, "test": 1}


def test_changed_sides_are_listed(tmp_path: Path) -> None:
    def turned(variant: str) -> list[dict[str, Any]]:
        rows = diffs.base_rows(variant)
        if variant == "mlm_irle":
            rows[0] = {**rows[0], "split": "test"}
        return rows

    found = compared(diffs.side(BASE, diffs.base_rows), diffs.side(RELEASE, turned), tmp_path)
    assert found["splits"]["violations"] == [{"qid": qid(0), "before": "train", "after": "test"}]
    assert "must never happen" in (tmp_path / PAGE_FILE).read_text("utf-8")
    assert "**1 settlement changed sides" in (tmp_path / NOTES_FILE).read_text("utf-8")


@pytest.mark.parametrize(
    ("figure", "old", "new", "verdict"),
    [
        ("medR", (20, 18, 22), (10, 9, 11), "better"),
        ("medR", (10, 9, 11), (20, 18, 22), "worse"),
        ("R@1", (0.1, 0.05, 0.15), (0.3, 0.2, 0.4), "better"),
        ("f1", (0.3, 0.2, 0.4), (0.1, 0.05, 0.15), "worse"),
        ("f1", (0.3, 0.2, 0.4), (0.45, 0.4, 0.5), "within_intervals"),
        ("f1", (0.3, None, None), (0.9, 0.8, 1.0), "unknown"),
        ("f1", None, (0.9, 0.8, 1.0), "new"),
        ("f1", (0.9, 0.8, 1.0), None, "gone"),
    ],
)
def test_scores(figure: str, old: Any, new: Any, verdict: str) -> None:
    then, now = ({"mlm_irle": [diffs.score(figure, *one)] if one else []} for one in (old, new))
    [found] = score_changes(then, now)["mlm_irle"]
    assert found["verdict"] == verdict


def test_only_the_papers_tables_are_compared() -> None:
    rows = [diffs.score("R@1", 0.1, 0, 1, group="de"), diffs.score("R@1", 0.1, 0, 1, section="guards")]
    assert score_changes({"mlm_irle": rows}, {"mlm_irle": rows}) == {"mlm_irle": []}


def test_settings_and_approvals(diff: dict[str, Any]) -> None:
    assert diff["settings"] == {"t_min": {"before": "20", "after": "25"}}
    assert [row["reason"] for row in diff["approvals"]] == ["the wiki was *cleaned* up."]


def test_first_release(tmp_path: Path) -> None:
    found = compared(None, diffs.after(), tmp_path)
    assert found["base"] is None
    assert found["entities"]["all"]["new"] == found["counts"]["all"]["entities"]["after"] == 17
    assert found["samples"]["entities"]["new"] == []
    rows = report.table_rows(found).to_pylist()
    assert {row["before"] for row in rows} == {None}
    assert {row["base"] for row in rows} == {""}
    assert "the first release" in (tmp_path / PAGE_FILE).read_text("utf-8")
    assert "It is the first release" in (tmp_path / NOTES_FILE).read_text("utf-8")


def test_a_release_without_a_published_picture(tmp_path: Path) -> None:
    rows = pa.Table.from_pylist(
        [{**row, "withheld": "face"} for row in diffs.after().attribution.to_pylist()],
        schema=diffs.after().attribution.schema,
    )
    said = "No picture is published in this release."
    compared(None, replace(diffs.after(), attribution=rows), tmp_path / "bare")
    assert said in (tmp_path / "bare" / PAGE_FILE).read_text("utf-8")
    compared(None, diffs.after(), tmp_path / "usual")
    assert said not in (tmp_path / "usual" / PAGE_FILE).read_text("utf-8")


def test_nothing_changed(tmp_path: Path) -> None:
    found = compared(diffs.before(), replace(diffs.before(), release=RELEASE), tmp_path)
    for variant, events in found["entities"].items():
        assert events.pop("same") == found["counts"][variant]["entities"]["after"] == 16
        assert not any(events.values()), variant
    assert not any(found["samples"]["entities"].values())
    assert not any(found["samples"]["images"].values())
    assert found["samples"]["texts"] == []
    assert pq.read_table(tmp_path / ENTITIES_FILE).num_rows == 0
    assert {one["verdict"] for one in found["scores"]["mlm_irle"]} == {"within_intervals"}
    Page((tmp_path / PAGE_FILE).read_text("utf-8"))


def test_rights_that_nobody_has_decided(tmp_path: Path) -> None:
    found = compared(replace(diffs.before(), attribution=None), replace(diffs.after(), attribution=None), tmp_path)
    assert found["rights_decided"] == {"before": False, "after": False}
    assert found["licences"] == {"images_per_licence": {}, "withheld": {}}
    assert not any(found["samples"]["images"].values())
    assert "Nobody has decided yet" in (tmp_path / PAGE_FILE).read_text("utf-8")


# -- files -----------------------------------------------------------------------------------------------------------


def test_the_same_sides_give_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    def turned(side: Side) -> Side:
        """Return the side with its rows in another order: the order in which a lake gives them does not matter."""
        return replace(side, variants={name: rows.take(list(range(rows.num_rows))[::-1])
                                       for name, rows in side.variants.items()})  # fmt: skip

    compared(turned(diffs.before()), turned(diffs.after()), tmp_path / "again")
    for name in DIFF_FILES:
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes(), name


def test_sides_may_be_files(diff: dict[str, Any], tmp_path: Path) -> None:
    def stored(side: Side) -> Side:
        """Return the side as a lake has it: its tables in Parquet files."""
        addresses = {}
        for name, rows in {**side.variants, "attribution": side.attribution}.items():
            addresses[name] = str(tmp_path / f"{side.release} it's {name}.parquet")
            pq.write_table(rows, addresses[name])
        return replace(side, attribution=[addresses.pop("attribution")],
                       variants={name: [address] for name, address in addresses.items()})  # fmt: skip

    assert json.loads(json.dumps(compared(stored(diffs.before()), stored(diffs.after())))) == diff


def test_every_figure_of_the_page_is_one_of_the_json(diff: dict[str, Any], page: str) -> None:
    figures = Page(page).figures
    assert len(figures) > 300
    for path, shown in figures:
        value: Any = diff
        for step in path.split("/"):
            value = value[int(step)] if isinstance(value, list) else value[step]
        plain = shown.replace(",", "").replace("−", "-").replace("+", "").replace("±", "")
        assert float(plain) == pytest.approx(value, abs=0.0006), path


def test_the_page_needs_nothing_else(page: str) -> None:
    parsed = Page(page)
    assert "<script" not in page.lower()
    assert all(one["src"].startswith("data:image/") and one["alt"] for one in parsed.pictures)  # type: ignore[union-attr]
    assert all(address.startswith(("https://", "#", "data:")) for address in parsed.addresses)
    assert {address[1:] for address in parsed.addresses if address.startswith("#")} <= set(parsed.ids)
    assert len(set(parsed.ids)) == len(parsed.ids)
    assert f"https://www.wikidata.org/wiki/{qid(1)}" in parsed.addresses
    assert "https://en.wikipedia.org/w/index.php?oldid=1006&amp;diff=2000" in page
    assert f"https://www.wikidata.org/w/index.php?title={qid(6)}" not in page  # not among the examples


def test_what_others_wrote_is_no_markup_of_ours(page: str, folder: Path) -> None:
    assert "<b>& neu" not in page
    assert "Anders &lt;b&gt;&amp; neu&lt;/b&gt;" in page
    assert r"the wiki was \*cleaned\* up." in (folder / NOTES_FILE).read_text("utf-8")


def test_pictures_of_the_page(page: str) -> None:
    def is_shown(path: str) -> bool:
        return base64.b64encode(picture(path)).decode() in page

    old = {image["name"]: image["path"] for row in diffs.base_rows("mlm_v2") for image in row["images"]}
    new = {image["name"]: image["path"] for row in diffs.new_rows("mlm_v2") for image in row["images"]}
    assert is_shown(old[f"{qid(7)}_0.jpg"])
    assert is_shown(new[f"{qid(7)}_0.jpg"])
    assert is_shown(new[f"{qid(16)}_0.jpg"])
    assert not is_shown(old[f"{qid(9)}_0.jpg"]), "withheld"
    assert not is_shown(old[f"{qid(8)}_1.jpg"]), "gone: named, not shown"
    assert "Jemand &amp; Söhne 16" in page
    own = ', Own work, <a href="https://creativecommons.org/licenses/by-sa/4.0/">'
    assert f"before: Jemand &amp; Söhne 7{own}" in page, "who made the old picture is credited for it"
    assert f"; now: Neue Hand{own}" in page
    assert 'Jemand &amp; Söhne 16, Own work, <a href="https://creativecommons.org/licenses/by-sa/4.0/">' in page


def test_a_picture_that_is_not_kept(tmp_path: Path) -> None:
    compared(replace(diffs.before(), picture=lambda path: None), diffs.after(), tmp_path)
    assert "not kept any more" in (tmp_path / PAGE_FILE).read_text("utf-8")


def test_what_was_taken_back_is_shown_nowhere(tmp_path: Path) -> None:
    def secret(variant: str) -> list[dict[str, Any]]:
        """Return the base with a settlement and a picture of another that will be taken back."""
        rows = diffs.base_rows(variant)
        texts = [{**text, "text": f"{diffs.SECRET} {text['text']}"} for text in rows[0]["summaries"]]
        rows[0] = {**rows[0], "label": diffs.SECRET, "summaries": texts, "population": 10**9}
        rows[8]["images"][1]["file"] = f"{diffs.SECRET}.jpg"
        return rows

    after = diffs.after(taken_items=[qid(0)], taken_files=[f"{diffs.SECRET}.jpg"])
    found = compared(diffs.side(BASE, secret), after, tmp_path)
    assert found["entities"]["all"]["gone_by_fate"] == {"taken_back": 1}
    for name in DIFF_FILES:
        content = (tmp_path / name).read_bytes()
        assert diffs.SECRET.encode() not in content, name
    assert diffs.SECRET not in json.dumps(pq.read_table(tmp_path / ENTITIES_FILE).to_pylist())
    assert "taken back at somebody's request" in (tmp_path / NOTES_FILE).read_text("utf-8")


def test_list_of_settlements(folder: Path) -> None:
    rows = pq.read_table(folder / ENTITIES_FILE).to_pylist()
    whole = {row["qid"]: row for row in rows if row["variant"] == "all"}
    assert list(whole) == sorted(whole, key=lambda one: int(one[1:]))
    assert {one: row["change"] for one, row in whole.items()} == {
        qid(0): "gone",
        **{qid(number): "changed" for number in (*range(1, 12), 15)},
        **{qid(number): "new" for number in (16, 17)},
    }
    assert (whole[qid(6)]["n_texts_changed"], whole[qid(7)]["n_texts_gone"], whole[qid(8)]["n_images_gone"]) == (1,) * 3
    assert whole[qid(1)]["is_renamed"]
    assert not whole[qid(3)]["is_moved"]


def test_rows_of_the_table(diff: dict[str, Any]) -> None:
    rows = conform(TABLES["release_diff"], report.table_rows(diff))
    keys = list(zip(*(rows[name].to_pylist() for name in TABLES["release_diff"].key), strict=True))
    assert len(set(keys)) == len(keys)
    figures = dict(zip(keys, rows.to_pylist(), strict=True))
    assert (figures["counts", "", "entities"]["before"], figures["counts", "", "entities"]["after"]) == (16, 17)
    assert figures["entities", "mlm_irle_gr", "gone: over_quota"]["after"] == 1
    assert figures["scores", "mlm_irle", "retrieval mtl_model image_to_text medR"]["after"] == 12
    assert figures["splits", "", "changed_sides"]["after"] == 0
    assert {row["base"] for row in figures.values()} == {BASE}
    assert {key[1] for key in keys} == {"", *VARIANTS}


def test_notes(folder: Path) -> None:
    notes = (folder / NOTES_FILE).read_text("utf-8")
    for sentence in (
        "Since 2026-12, 2 settlements came in, 1 went out and 12 changed",
        "it redirects to another item",
        "1 settlement left mlm_irle_gr and stayed in the release: 1 (its country's quota was full).",
        "The splits are stable: no settlement changed sides",
        "mlm_irle: 1 geo-cell removed (with 30 settlements of the last release), 1 geo-cell added, "
        "1 geo-cell split into 3 and 2 geo-cells merged into 1; there are 6 now, 5 before.",
        "1 moved by more than 1 km, 1 has another name, 1 has other classes and 1 lies in another country",
        "The setting `t_min` was 20 and is 25.",
        "1 file of Commons is withheld",
        "1 figure better beyond the intervals: medR",
        "1 figure worse beyond the intervals: R@5",
        "summaries fr|01 was let through against `gone` by Ada",
    ):
        assert sentence in notes.replace("\\|", "|"), sentence


def test_words_of_long_texts_are_few() -> None:
    old = " ".join(f"word{number}" for number in range(1_000))
    new = re.sub(r"word(\d*)00\b", r"other\1", old)
    parts = changed_words(old, new)
    assert sum(kind in "+-" for kind, _ in parts) == 6
    assert len("".join(said for _, said in parts)) < 1_000
    assert changed_words(old, old) == []


def test_samples_are_bounded() -> None:
    rows = [record(number, "mlm_v2") for number in range(60)]
    many = Side(RELEASE, {variant: diffs.table(variant, rows) for variant in VARIANTS}, diffs.cells({}))
    none = Side(BASE, {variant: diffs.table(variant, rows[:1]) for variant in VARIANTS}, diffs.cells({}))
    found = compared(none, many)
    assert found["entities"]["all"]["new"] == 59
    assert len(found["samples"]["entities"]["new"]) == 12
    assert isinstance(many.geo_cells, pa.Table)
