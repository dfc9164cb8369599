"""The documents of a release before the readers and validators of their standards."""

import json
import logging
import re
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from mlm_assets.release.metadata import METADATA, documents
from mlm_assets.release.metadata.columns import published_tables
from tests.release.folder import Built, built


def text_of(built: Built, path: str) -> str:
    return (built.folder / path).read_text("utf-8")


def rows_of(built: Built, path: str) -> list[dict[str, Any]]:
    return pq.read_table(built.folder / path).to_pylist()


# -- Croissant -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def croissant(small_release: Built) -> Any:
    import mlcroissant

    return mlcroissant.Dataset(jsonld=str(small_release.folder / "croissant.json"))


def test_mlcroissant_finds_no_error_and_no_warning(small_release: Built, caplog: pytest.LogCaptureFixture) -> None:
    import mlcroissant
    from absl import logging as absl_logging

    absl_logging.get_absl_logger().propagate = True
    with caplog.at_level(logging.WARNING):
        found = mlcroissant.Dataset(jsonld=str(small_release.folder / "croissant.json"))
    issues = found.metadata.ctx.issues
    assert (set(issues.errors), set(issues.warnings)) == (set(), set())
    assert [record.getMessage() for record in caplog.records] == []
    assert found.metadata.ctx.conforms_to.value == "http://mlcommons.org/croissant/1.1"
    assert found.metadata.data_biases
    assert found.metadata.personal_sensitive_information
    assert found.metadata.data_release_maintenance_plan


def test_mlcroissant_finds_what_is_wrong(small_release: Built, tmp_path: Path) -> None:
    import mlcroissant

    said = json.loads(text_of(small_release, "croissant.json"))
    del said["recordSet"][1]["field"][0]["source"]["fileObject"]
    (tmp_path / "croissant.json").write_text(json.dumps(said), "utf-8")
    with pytest.raises(mlcroissant.ValidationError):
        mlcroissant.Dataset(jsonld=str(tmp_path / "croissant.json"))


def test_mlcroissant_loads_the_records_of_every_table(croissant: Any, small_release: Built) -> None:
    for table in published_tables(small_release.manifest):
        wanted = rows_of(small_release, table.path)
        found = [{key.partition("/")[2]: plain(one) for key, one in record.items()}
                 for record in croissant.records(table.name)]  # fmt: skip
        assert len(found) == len(wanted) > 0
        assert list(found[0]) == list(wanted[0])
        assert found == wanted, table.name


def plain(value: Any) -> Any:
    """Return a value as Arrow gives it: mlcroissant gives text as bytes, and what is missing as not-a-number."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, list):
        return [plain(one) for one in value]
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and value != value else value


def test_croissant_describes_every_file_and_every_column_of_the_files(small_release: Built) -> None:
    said = json.loads(text_of(small_release, "croissant.json"))
    assert [one["@id"] for one in said["distribution"]] == [file["path"] for file in small_release.manifest["files"]]
    for table in published_tables(small_release.manifest):
        schema = pq.read_schema(small_release.folder / table.path)
        assert [column.name for column in table.columns] == schema.names
        words = {field.name: (field.metadata or {}).get(b"description", b"").decode() for field in schema}
        assert {column.name: column.description for column in table.columns} == words, table.path
    parquet = {path.relative_to(small_release.folder).as_posix() for path in small_release.folder.rglob("*.parquet")}
    described = {table.path for table in published_tables(small_release.manifest)}
    assert described == {path for path in parquet if not path.startswith("huggingface/")}


# -- DataCite, Frictionless, RO-Crate, CFF ---------------------------------------------------------------------------


def test_datacite_is_valid_and_can_be_written_as_xml(small_release: Built) -> None:
    from datacite import schema45

    said = json.loads(text_of(small_release, "datacite.json"))
    schema45.validator.validate(said)
    # The XML of the schema names its parts differently in two places; that it takes the rest is the point.
    xml = schema45.tostring({**said, "doi": "10.5072/mlm"})
    assert "MLM 2026-12 v1" in xml
    related = {(one["relationType"], one["relatedIdentifier"]) for one in said["relatedIdentifiers"]}
    assert ("IsDescribedBy", "10.1145/3340531.3412783") in related
    assert ("Continues", "10.5281/zenodo.3885753") in related


def test_datacite_s_validator_finds_what_is_wrong(small_release: Built) -> None:
    from datacite import schema45
    from jsonschema.exceptions import ValidationError

    said = json.loads(text_of(small_release, "datacite.json"))
    said["dates"][0]["dateType"] = "Counted"
    with pytest.raises(ValidationError):
        schema45.validator.validate(said)


def test_frictionless_accepts_the_package_and_the_data(small_release: Built) -> None:
    import frictionless

    report = frictionless.validate(str(small_release.folder / "datapackage.json"))
    assert report.valid, report.flatten(["name", "fieldName", "note"])
    rows = {task.name: task.stats["rows"] for task in report.tasks}
    assert rows["mlm-entities"] == small_release.manifest["variants"]["mlm"]["entities"]
    assert rows["mlm-records"] == small_release.manifest["variants"]["mlm"]["entities"]
    assert rows["mlm-irle-gr-images"] == small_release.manifest["variants"]["mlm_irle_gr"]["images"]
    assert rows["attribution"] == len(rows_of(small_release, "attribution.parquet"))
    assert len(rows) == len(list(published_tables(small_release.manifest))) + 4


def test_frictionless_finds_a_row_that_the_schema_forbids(small_release: Built, tmp_path: Path) -> None:
    import frictionless

    package = json.loads(text_of(small_release, "datapackage.json"))
    package["resources"] = [one for one in package["resources"] if one["name"] == "mlm-entities"]
    target = tmp_path / "parquet" / "mlm" / "entities.parquet"
    target.parent.mkdir(parents=True)
    table = pq.read_table(small_release.folder / "parquet/mlm/entities.parquet")
    pq.write_table(table.set_column(1, "split", [["dev"] * table.num_rows]), target)
    (tmp_path / "datapackage.json").write_text(json.dumps(package), "utf-8")
    report = frictionless.validate(str(tmp_path / "datapackage.json"))
    assert {error[0] for error in report.flatten(["fieldName"])} == {"split"}


def test_an_ro_crate_reader_finds_every_file_and_where_it_comes_from(small_release: Built) -> None:
    from rocrate.rocrate import ROCrate

    crate = ROCrate(str(small_release.folder))
    assert (crate.name, str(crate.version)) == ("MLM 2026-12 v1", "1.1")
    there = {path.relative_to(small_release.folder).as_posix() for path in small_release.folder.rglob("*")}
    folders = {file["path"] for file in small_release.manifest["files"] if file["path"].endswith("/")}
    described = {entity.id for entity in crate.data_entities}
    for one in described:
        assert one.rstrip("/") in there, one
    pictures = {path for path in there if any(path.startswith(folder) for folder in folders)}
    files = {path for path in there if (small_release.folder / path).is_file()}
    unmentioned = {"SHA256SUMS", "ro-crate-metadata.json", "huggingface/README.md"}
    assert files - pictures - described == unmentioned
    action = next(entity for entity in crate.get_entities() if entity.type == "CreateAction")
    assert action["instrument"].id == "#software"
    assert action["instrument"]["version"] == small_release.manifest["software"]["mlm_assets"]
    assert len(as_list(action["object"])) == len(small_release.manifest["inputs"])
    assert {one.id for one in action["result"]} == {file["path"] for file in small_release.manifest["files"]}


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_every_reference_of_the_ro_crate_leads_to_an_entity(small_release: Built) -> None:
    graph = json.loads(text_of(small_release, "ro-crate-metadata.json"))["@graph"]
    ids = [one["@id"] for one in graph]
    assert len(ids) == len(set(ids))

    def references(value: Any) -> set[str]:
        if isinstance(value, list):
            return {found for one in value for found in references(one)}
        if isinstance(value, dict):
            return {value["@id"]} if set(value) == {"@id"} else {f for one in value.values() for f in references(one)}
        return set()

    outside = {"https://w3id.org/ro/crate/1.1"}
    for one in graph:
        found = references({name: part for name, part in one.items() if name != "@id"})
        assert found <= {*ids, *outside}, one["@id"]


def test_citation_has_what_cff_asks_for(small_release: Built) -> None:
    """The fields that the schema of CFF 1.2.0 requires, the forms it gives them, and no field that it does not know."""
    said = yaml.safe_load(text_of(small_release, "CITATION.cff"))
    assert said["cff-version"] == "1.2.0"
    assert said["message"]
    assert said["title"] == "MLM 2026-12 v1"
    assert said["authors"] == [{"name": "The mlm_assets maintainers"}]
    assert said["type"] == "dataset"
    assert re.fullmatch(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}", str(said["date-released"]))
    known = {
        "cff-version", "message", "title", "authors", "type", "date-released", "abstract", "version", "keywords",
        "license", "references", "preferred-citation", "doi", "identifiers", "contact", "commit", "license-url",
        "repository", "repository-artifact", "repository-code", "url",
    }  # fmt: skip
    assert set(said) <= known
    for reference in said["references"]:
        assert {"authors", "title", "type"} <= set(reference)
        assert re.fullmatch(r"10\.[0-9]{4,9}/[A-Za-z0-9._;()/:-]+", reference["doi"])
        people = [set(author) for author in reference["authors"]]
        assert all(one in ({"family-names", "given-names"}, {"name"}) for one in people)
    assert {reference["type"] for reference in said["references"]} == {"conference-paper", "data"}


# -- cards and loading ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("inside", ["", "huggingface"])
def test_datasets_loads_every_variant_by_the_card_offline(
    inside: str, small_release: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    for variant, figures in small_release.manifest["variants"].items():
        found = datasets.load_dataset(str(small_release.folder / inside), variant, cache_dir=str(tmp_path))
        assert {name: len(split) for name, split in found.items()} == figures["splits"]
    first = datasets.load_dataset(str(small_release.folder / inside), split="train", cache_dir=str(tmp_path))[0]
    assert first["qid"] == "Q64"
    assert first["images"][0].size == (256, 256)


def test_a_split_without_settlements_is_not_in_the_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    tiny = built(tmp_path, n=8)  # four settlements of mlm_irle_gr, all of them for training
    assert tiny.manifest["variants"]["mlm_irle_gr"]["splits"] == {"train": 4, "validation": 0, "test": 0}
    found = datasets.load_dataset(str(tiny.folder), "mlm_irle_gr", cache_dir=str(tmp_path / "cache"))
    assert {name: len(split) for name, split in found.items()} == {"train": 4}


def test_the_front_matter_of_the_cards_is_what_the_hub_takes(small_release: Built) -> None:
    from huggingface_hub import DatasetCardData

    for path in ("README.md", "huggingface/README.md"):
        front = yaml.safe_load(text_of(small_release, path)[4:].split("\n---\n", 1)[0])
        card = DatasetCardData(**front)
        assert card.pretty_name == "MLM 2026-12 v1"
        assert [one["config_name"] for one in front["configs"]] == list(small_release.manifest["variants"])
        assert [one.get("default", False) for one in front["configs"]] == [True, False, False, False]
        for config in front["configs"]:
            for files in config["data_files"]:
                assert list((small_release.folder / path).parent.glob(files["path"])), files


def test_links_of_cards_lead_to_files(small_release: Built) -> None:
    for path in ("README.md", "huggingface/README.md", "DATASHEET.md", "LICENSES.md"):
        text = text_of(small_release, path)
        links = re.findall(r"\]\(([^)#]+)\)", text)
        assert links or path == "DATASHEET.md"
        for link in links:
            target = (small_release.folder / path).parent / link
            assert target.exists() or link.endswith("SHA256SUMS"), f"{path}: {link}"


def test_what_people_wrote_is_shown_and_changes_nothing_else(small_release: Built) -> None:
    """A reason with a bar, back-ticks and a tag is one cell of Markdown, and text in HTML."""
    from tests.release.folder import APPROVAL

    card, page = text_of(small_release, "README.md"), text_of(small_release, "index.html")
    row = next(line for line in card.split("\n") if "`ada`" in line)
    assert len(re.split(r"(?<!\\)\|", row)) == 8
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    for path in ("README.md", "index.html", "DATASHEET.md"):
        text = text_of(small_release, path)
        assert "count_has_not_dropped" in text
        assert "Q4711" in text
        assert "asked for by the town" in text
    assert str(APPROVAL["approved_by"]) in page


def test_a_release_without_files_for_the_hub_has_no_card_for_it(small_release: Built) -> None:
    files = [file for file in small_release.manifest["files"] if not file["path"].startswith("huggingface/")]
    bare = {**small_release.manifest, "files": files}
    found = documents(bare)
    assert set(METADATA) - set(found) == {"huggingface/README.md"}
    front = yaml.safe_load(found["README.md"].decode()[4:].split("\n---\n", 1)[0])
    assert "configs" not in front
    assert b"load_dataset" not in found["README.md"]


def test_the_same_manifest_gives_the_same_bytes(small_release: Built) -> None:
    shuffled = json.loads(json.dumps(small_release.manifest))
    for path, render in METADATA.items():
        assert render(shuffled) == (small_release.folder / path).read_bytes(), path


# -- the page ------------------------------------------------------------------------------------------------------


def test_the_page_asks_for_nothing_and_its_links_lead_somewhere(small_release: Built) -> None:
    from tests.release.figures import Page

    html = text_of(small_release, "index.html")
    page = Page(html)
    assert page.requests == []
    assert not re.search(r"<script|<link|<iframe|@import|url\(", html)
    assert len(page.ids) == len(set(page.ids))
    for link in page.links:
        if link.startswith("#"):
            assert link[1:] in page.ids
        else:
            assert (small_release.folder / link).exists(), link
    assert {"RELEASE_NOTES.md", "diff/index.html"} <= set(page.links)
    without = [file for file in small_release.manifest["files"] if not file["path"].startswith(("diff/", "RELEASE"))]
    other = Page(METADATA["index.html"]({**small_release.manifest, "files": without}).decode())
    assert not {"RELEASE_NOTES.md", "diff/index.html"} & set(other.links)


@pytest.mark.browser
def test_the_page_in_a_browser(small_release: Built) -> None:
    """Nothing is requested but the page; it fits a telephone; its parts have names; both colour schemes are legible."""
    if shutil.which("chromium") is None:
        pytest.skip("no Chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 390, "height": 800})
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto((small_release.folder / "index.html").as_uri())
        assert asked == [(small_release.folder / "index.html").as_uri()]
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert page.get_by_role("heading", level=1).inner_text() == "MLM 2026-12 v1"
        assert page.get_by_role("img", name="Texts per language in mlm_v2").count() == 1
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate(_CONTRAST) >= 4.5
        browser.close()


_CONTRAST = """() => {
  const light = colour => {
    const [r, g, b] = colour.match(/[0-9.]+/g).slice(0, 3).map(Number).map(v => v / 255)
      .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const paper = light(getComputedStyle(document.body).backgroundColor);
  return Math.min(...[...document.querySelectorAll('h1, p, a, dt, thead th')].map(one => {
    let holder = one;
    const isClear = () => getComputedStyle(holder).backgroundColor === 'rgba(0, 0, 0, 0)';
    while (isClear() && holder.parentElement) holder = holder.parentElement;
    const back = light(getComputedStyle(holder).backgroundColor);
    const ink = light(getComputedStyle(one).color);
    return (Math.max(ink, back) + 0.05) / (Math.min(ink, back) + 0.05);
  }));
}"""
