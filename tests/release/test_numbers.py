"""Every number in card, datasheet, licences, Croissant and page is one that a query on the files gives."""

import json
import re
from pathlib import Path

import pytest
import yaml

from mlm_assets.release.metadata import METADATA
from tests.release.figures import (
    COUNT_LABELS,
    MARKDOWN,
    Markdown,
    Page,
    counted,
    croissant_faults,
    is_shown_as,
    markdown_faults,
    page_faults,
    release_faults,
)
from tests.release.folder import Built


@pytest.fixture(scope="module")
def figures(small_release: Built) -> dict[str, float]:
    return counted(small_release.folder)


def read(built: Built, path: str) -> str:
    return (built.folder / path).read_text("utf-8")


@pytest.mark.parametrize("path", MARKDOWN)
def test_every_number_of_a_markdown_document_is_counted(
    path: str, small_release: Built, figures: dict[str, float]
) -> None:
    text = read(small_release, path)
    assert markdown_faults(text, small_release, figures) == []
    shown = {one.key for one in Markdown(text).shown}
    wanted = {"withheld.licence_unknown", "withheld.face"}
    if path != "LICENSES.md":
        wanted |= {
            f"variants.{variant}.{name}"
            for variant in small_release.manifest["variants"]
            for name in (*COUNT_LABELS.values(), "splits.train", "splits.test", "summaries_per_language.en")
        }
        wanted |= {"checks.passed", "checks.warned", "scores.mlm_irle.retrieval.mtl_model.image_to_text..medR.paper"}
    else:
        wanted |= {f"variants.mlm.images_per_licence.{name}" for name in ("CC0", "CC BY-SA 4.0", "Public domain")}
    assert wanted <= shown  # fmt: skip


def test_every_number_of_the_page_is_counted(small_release: Built, figures: dict[str, float]) -> None:
    html = read(small_release, "index.html")
    assert page_faults(html, small_release, figures) == []
    shown = {one.key for one in Page(html).shown}
    assert {key for key in figures if key.startswith("files.") and key.endswith("size_bytes")} <= shown
    assert {key for key in figures if key.startswith(("checks.", "withheld.", "inputs.", "scores."))} <= shown
    assert {key for key in figures if key.startswith("variants.") and figures[key]} <= shown


def test_every_number_of_croissant_is_counted(small_release: Built, figures: dict[str, float]) -> None:
    said = json.loads(read(small_release, "croissant.json"))
    assert croissant_faults(said, small_release, figures) == []
    data = {one["figures/figure"] for one in next(one for one in said["recordSet"] if one["@id"] == "figures")["data"]}
    assert {key for key in figures if key.startswith("variants.") and figures[key]} <= data


def test_every_number_of_the_release_is_counted(small_release: Built) -> None:
    assert release_faults(small_release.folder) == {}


def test_the_size_category_of_the_card_is_that_of_the_largest_variant(
    small_release: Built, figures: dict[str, float]
) -> None:
    front = yaml.safe_load(Markdown(read(small_release, "README.md")).front)
    assert front["size_categories"] == ["n<1K"]
    assert max(figures[f"variants.{variant}.entities"] for variant in small_release.manifest["variants"]) < 1_000
    for n, category in ((999, "n<1K"), (1_000, "1K<n<10K"), (236_496, "100K<n<1M"), (2_000_000, "1M<n<10M")):
        grown = {**small_release.manifest["variants"]["mlm"], "entities": n}
        card = METADATA["README.md"]({**small_release.manifest, "variants": {"mlm": grown}}).decode()
        assert yaml.safe_load(Markdown(card).front)["size_categories"] == [category]


def test_sizes_hashes_and_rows_elsewhere_are_counted_too(small_release: Built, figures: dict[str, float]) -> None:
    sums = dict(line.split("  ")[::-1] for line in read(small_release, "SHA256SUMS").splitlines())
    package = json.loads(read(small_release, "datapackage.json"))
    for resource in package["resources"]:
        assert resource["mlm:size_bytes"] == figures[f"files.{resource['path']}.size_bytes"]
        assert resource["mlm:sha256"] == sums[resource["path"]]
    graph = json.loads(read(small_release, "ro-crate-metadata.json"))["@graph"]
    files = [one for one in graph if one["@type"] in ("File", "Dataset") and "contentSize" in one]
    assert len(files) == len(small_release.manifest["files"])
    for one in files:
        assert int(one["contentSize"]) == figures[f"files.{one['@id']}.size_bytes"]
        assert "sha256" not in one or one["sha256"] == sums[one["@id"]]
    sizes = json.loads(read(small_release, "datacite.json"))["sizes"]
    total = sum(figures[f"files.{file['path']}.size_bytes"] for file in small_release.manifest["files"])
    assert sizes == [f"{int(total)} bytes"]


# -- the comparison itself finds what is wrong ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("figure", "by"),
    [("entities", 1), ("summaries", -1), ("classes", 1), ("cells", 1), ("entities_without_image", 2), ("images", 10)],
)
def test_a_count_that_is_not_in_the_files_is_found(
    figure: str, by: int, small_release: Built, figures: dict[str, float]
) -> None:
    variant = small_release.manifest["variants"]["mlm_irle"]
    changed = {**small_release.manifest["variants"], "mlm_irle": {**variant, figure: variant[figure] + by}}
    manifest = {**small_release.manifest, "variants": changed}
    assert markdown_faults(METADATA["README.md"](manifest).decode(), small_release, figures) != []
    assert page_faults(METADATA["index.html"](manifest).decode(), small_release, figures) != []
    assert croissant_faults(json.loads(METADATA["croissant.json"](manifest)), small_release, figures) != []


@pytest.mark.parametrize("typed", ["about 236,496 settlements", "in 99 geo-cells", "since 2019", "`412 pictures`"])
def test_a_number_that_somebody_typed_is_found(typed: str, small_release: Built, figures: dict[str, float]) -> None:
    card = read(small_release, "README.md").replace("## Limits", f"It holds {typed}.\n\n## Limits")
    assert markdown_faults(card, small_release, figures) != []
    row = read(small_release, "README.md").replace("| pictures | ", "| pictures | 1", 1)
    assert markdown_faults(row, small_release, figures) != []
    as_html = typed.replace("`412", "<code>412").replace("s`", "s</code>")
    page = read(small_release, "index.html").replace("</main>", f"<p>It holds {as_html}.</p></main>")
    assert page_faults(page, small_release, figures) != []
    said = json.loads(read(small_release, "croissant.json"))
    said["rai:dataLimitations"].append(f"It holds {typed}.")
    assert croissant_faults(said, small_release, figures) != []


def test_sizes_and_scores_may_be_rounded_and_no_more() -> None:
    assert is_shown_as("1.2 MB", 1_234_567)
    assert not is_shown_as("1.2 MB", 1_254_567)
    assert is_shown_as("18", 18)
    assert not is_shown_as("18", 18.4)
    assert not is_shown_as("18 settlements", 18)
    assert is_shown_as("0.1235", 0.12347)
    assert is_shown_as("236,496", 236_496)


def test_a_release_without_scores_approvals_and_tombstones_is_described_too(small_release: Built) -> None:
    bare = {
        **small_release.manifest, "scores": {}, "approvals": [], "tombstones": [], "withheld": {}, "notes": [],
        "reason": "a licence was wrong", "version": 2,
    }  # fmt: skip
    for path, render in METADATA.items():
        assert render(bare) == render(json.loads(json.dumps(bare))), path
    page = METADATA["index.html"](bare).decode()
    assert "No models were trained" in page
    assert "Why this version:</strong> a licence was wrong" in page
    assert "2026-12 v2" in METADATA["README.md"](bare).decode()


def test_who_reads_scores_or_vectors_is_told_what_is_held_back(small_release: Built) -> None:
    training = "trained and measured on all pictures of the refresh"
    for path in ("README.md", "huggingface/README.md", "DATASHEET.md", "index.html"):
        render = METADATA[path]
        assert training in render(small_release.manifest).decode(), path
        assert training not in render({**small_release.manifest, "withheld": {"face": 0}}).decode(), path
    for path in ("README.md", "huggingface/README.md"):
        assert "no place for a settlement without a published picture" in read(small_release, path)


def test_languages_without_a_text_are_in_the_tables_alone(small_release: Built) -> None:
    variants = {
        name: {**one, "summaries_per_language": {"en": 1, "pl": 0}}
        for name, one in small_release.manifest["variants"].items()
    }
    bare = {**small_release.manifest, "variants": variants}
    card = METADATA["README.md"](bare).decode()
    assert yaml.safe_load(card[4:].split("\n---\n", 1)[0])["language"] == ["en"]
    assert "| Polish |" in card
    assert json.loads(METADATA["croissant.json"](bare))["inLanguage"] == ["en"]
    root = next(one for one in json.loads(METADATA["ro-crate-metadata.json"](bare))["@graph"] if one["@id"] == "./")
    assert root["inLanguage"] == ["en"]


def test_the_reason_of_a_version_is_no_markup(small_release: Built) -> None:
    card = METADATA["README.md"]({**small_release.manifest, "version": 2, "reason": "a <b>claim</b> on *one*"}).decode()
    assert "Reason of this version: a \\<b\\>claim\\</b\\> on \\*one\\*." in card


def test_no_document_knows_another_day_or_place(small_release: Built) -> None:
    for path in METADATA:
        text = read(small_release, path)
        assert str(Path.home()) not in text
        assert str(small_release.folder) not in text
        days = set(re.findall(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}", text))
        assert days <= {small_release.manifest["created"], "2026-12-01", "2026-12-02"}, (
            path
        )  # those of tombstone, approval
