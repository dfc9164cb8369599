"""JSON as the original's code reads it: ids, summaries by `en_wiki`, pictures opened by name."""

import json
from pathlib import Path

from PIL import Image

from mlm_assets.release.layout import published_record, write_dataset
from mlm_assets.resources.lake import Lake
from tests.release.odd_rows import TEXT, odd_frozen, records_of, write
from tests.release.sample import picture


def test_the_original_loader_reads_records_and_pictures(tmp_path: Path) -> None:
    frozen = odd_frozen(tmp_path / "kept")
    write(frozen, tmp_path / "release", "json")
    for variant, rows in frozen.rows.items():
        folder = tmp_path / "release" / "json" / variant
        with (folder / f"{variant}.json").open() as file:
            data = json.load(file)
        by_id = {record["id"]: record for record in data}
        assert len(by_id) == rows.num_rows
        for row in records_of(rows):
            record = by_id[int(row["qid"][1:])]
            assert [float(angle) for angle in record["coordinates"]] == [row["lat_deg"], row["lon_deg"]]
            assert record["summaries"] == {f"{one['lang']}_wiki": one["text"] for one in row["summaries"]}
            assert (record["item"], record["classes"]) == (row["label"], row["class_labels"])
            assert len(record["images"]) == len(row["images"])
            for name, image in zip(record["images"], row["images"], strict=True):
                assert (folder / "images" / name).read_bytes() == picture(image["path"])
                with Image.open(folder / "images" / name) as opened:
                    assert (opened.size, opened.mode) == ((256, 256), "RGB")
    assert by_id_of(tmp_path, "mlm")[64]["summaries"]["en_wiki"] == TEXT


def by_id_of(folder: Path, variant: str) -> dict[int, dict]:
    data = json.loads((folder / "release" / "json" / variant / f"{variant}.json").read_text("utf-8"))
    return {record["id"]: record for record in data}


def test_an_empty_variant_is_an_empty_list_without_a_folder(tmp_path: Path) -> None:
    made = write(odd_frozen(tmp_path / "kept"), tmp_path / "release", "json")
    assert by_id_of(tmp_path, "mlm_irle_gr") == {}
    assert "json/mlm_irle_gr/images/" not in made
    assert not (tmp_path / "release/json/mlm_irle_gr/images").exists()


def test_records_are_the_bytes_of_the_dataset_in_the_home(tmp_path: Path) -> None:
    frozen = odd_frozen(tmp_path / "kept")
    rows = frozen.rows["mlm"]
    lake = Lake(tmp_path / "lake")
    for row in records_of(rows):
        for image in row["images"]:
            lake.write_bytes(image["path"], picture(image["path"]))
    folder = write_dataset(lake, "2026-12", "mlm", rows, lambda said: said)
    write(frozen, tmp_path / "release", "json")
    published = tmp_path / "release" / "json" / "mlm"
    assert (published / "mlm.json").read_bytes() == lake.read_bytes(f"{folder}/mlm.json")
    assert {path.name: path.read_bytes() for path in (published / "images").iterdir()} == {
        name: lake.read_bytes(f"{folder}/images/{name}") for name in lake.list_names(f"{folder}/images")
    }


def test_a_record_without_pictures_stays(tmp_path: Path) -> None:
    frozen = odd_frozen(tmp_path / "kept")
    write(frozen, tmp_path / "release", "json")
    bare = [row for row in records_of(frozen.rows["mlm"]) if not row["images"]]
    assert bare
    for row in bare:
        assert by_id_of(tmp_path, "mlm")[int(row["qid"][1:])] == {**published_record(row), "images": []}
