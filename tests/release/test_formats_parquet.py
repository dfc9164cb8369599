"""Parquet as pyarrow reads it: three tables that together are the rows, apart by licence, each column described."""

import hashlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.release.odd_rows import info_of, odd_frozen, records_of, write
from tests.release.sample import picture


def test_the_three_tables_are_the_rows(tmp_path: Path) -> None:
    frozen = odd_frozen(tmp_path / "kept", chunk=7)
    made = write(frozen, tmp_path / "release", "parquet")
    for variant, rows in frozen.rows.items():
        folder = tmp_path / "release" / "parquet" / variant
        entities, summaries, images = (
            pq.read_table(folder / f"{name}.parquet").to_pylist() for name in ("entities", "summaries", "images")
        )
        expected = records_of(rows)
        assert entities == [
            {name: value for name, value in row.items() if name not in ("summaries", "images")} for row in expected
        ]
        assert summaries == [
            {"qid": row["qid"], "split": row["split"], **text} for row in expected for text in row["summaries"]
        ]
        assert images == [
            {
                "qid": row["qid"],
                "split": row["split"],
                **{name: image[name] for name in ("file_sha1", "property")},
                "picture_sha256": hashlib.sha256(picture(image["path"])).hexdigest(),
                **said,
            }
            for row in expected
            for image, said in zip(row["images"], info_of(frozen, row), strict=True)
        ]
        counts = {
            name: made[f"parquet/{variant}/{name}.parquet"].n_records for name in ("entities", "summaries", "images")
        }
        assert counts == {"entities": len(entities), "summaries": len(summaries), "images": len(images)}


def test_parts_under_different_licences_are_apart(tmp_path: Path) -> None:
    made = write(odd_frozen(tmp_path / "kept"), tmp_path / "release", "parquet")
    licences = {path.rsplit("/", 1)[1]: record.licence for path, record in made.items()}
    assert licences == {
        "entities.parquet": "CC0-1.0", "summaries.parquet": "CC-BY-SA-4.0", "images.parquet": "per-file"
    }  # fmt: skip
    columns = pq.read_schema(tmp_path / "release/parquet/mlm/entities.parquet").names
    assert not {"summaries", "images", "text", "author"} & set(columns)


def test_every_column_is_described(tmp_path: Path) -> None:
    made = write(odd_frozen(tmp_path / "kept"), tmp_path / "release")
    for path in made:
        if path.endswith(".parquet") and not path.startswith("huggingface/"):
            for field in pq.read_schema(tmp_path / "release" / path):
                assert field.metadata[b"description"], (path, field.name)


def test_attribution_and_cells_are_the_tables(tmp_path: Path) -> None:
    frozen = odd_frozen(tmp_path / "kept")
    write(frozen, tmp_path / "release")
    for name, rows in (("attribution", frozen.attribution), ("geo_cells", frozen.geo_cells)):
        written = pq.read_table(tmp_path / "release" / f"{name}.parquet")
        assert written.schema.equals(rows.schema, check_metadata=True)
        assert written.to_pylist() == rows.to_pylist()


def test_row_groups_do_not_follow_the_chunks(tmp_path: Path) -> None:
    for chunk in (3, 1_000):
        write(odd_frozen(tmp_path / f"kept{chunk}", chunk), tmp_path / str(chunk), "parquet")
        file = pq.ParquetFile(tmp_path / str(chunk) / "parquet/mlm/summaries.parquet")
        assert file.num_row_groups == 1
        assert isinstance(file.schema_arrow, pa.Schema)
