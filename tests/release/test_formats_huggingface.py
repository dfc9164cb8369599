"""The Hugging Face folder, loaded by `datasets` without network."""

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from mlm_assets.release.formats import huggingface as format_
from tests.release.odd_rows import info_of, odd_frozen, records_of, write
from tests.release.sample import picture

pytest.importorskip("datasets")

CARD = """---
configs:
{configs}---
# MLM
"""
CONFIG = """- config_name: {variant}
  data_files:
"""
SPLIT = """  - {{split: {split}, path: data/{variant}/{split}-*.parquet}}
"""


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give a function that loads a variant of the folder that was written."""
    import datasets

    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)

    def loaded(folder: Path, variant: str) -> Any:
        return datasets.load_dataset(str(folder), variant, cache_dir=str(tmp_path / "cache"))

    return loaded


def written(tmp_path: Path) -> tuple[Any, Path]:
    frozen = odd_frozen(tmp_path / "kept")
    write(frozen, tmp_path / "release", "huggingface")
    folder = tmp_path / "release" / "huggingface"
    configs = ""
    for variant, rows in frozen.rows.items():
        # Splits without settlements have no file, and a variant without any is none.
        splits = [split for split in ("train", "validation", "test") if records_of(rows, split)]
        configs += CONFIG.format(variant=variant) if splits else ""
        configs += "".join(SPLIT.format(variant=variant, split=split) for split in splits)
    (folder / "README.md").write_text(CARD.format(configs=configs))
    return frozen, folder


@pytest.mark.parametrize(("file_rows", "group_rows"), [(20_000, 500), (5, 2)])
def test_datasets_gives_the_rows_with_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, load: Any, file_rows: int, group_rows: int
) -> None:
    from datasets import Image, List

    monkeypatch.setattr(format_, "FILE_ROWS", file_rows)
    monkeypatch.setattr(format_, "GROUP_ROWS", group_rows)
    frozen, folder = written(tmp_path)
    assert not (folder / "data" / "mlm_irle_gr").exists()
    for variant, rows in list(frozen.rows.items())[:3]:
        dataset = load(folder, variant)
        assert list(dataset) == [split for split in ("train", "validation", "test") if records_of(rows, split)]
        assert dataset["train"].features["images"] == List(Image())
        for split, found in dataset.items():
            expected = records_of(rows, split)
            assert found.num_rows == len(expected)
            plain = found.cast_column("images", List(Image(decode=False)))
            for one, row in zip(plain, expected, strict=True):
                pictures = [{"bytes": picture(image["path"]), "path": image["name"]} for image in row["images"]]
                assert one == {
                    **{name: value for name, value in row.items() if name != "split"},
                    "images": pictures,
                    "image_info": info_of(frozen, row),
                }
            files = sorted((folder / "data" / variant).glob(f"{split}-*.parquet"))
            sizes = [pq.read_metadata(path).num_rows for path in files]
            full, rest = divmod(len(expected), file_rows)
            assert sizes == [file_rows] * full + [rest] * bool(rest)
            assert [path.name for path in files] == [
                f"{split}-{number:05d}-of-{len(files):05d}.parquet" for number in range(len(files))
            ]
    opened = load(folder, "mlm")["train"][0]["images"][0]
    assert (opened.size, opened.mode) == ((256, 256), "RGB")
    assert opened.convert("RGB").getpixel((9, 9)) == _pixel(frozen)


def _pixel(frozen: Any) -> tuple[int, ...]:
    from PIL import Image

    row = records_of(frozen.rows["mlm"], "train")[0]
    with Image.open(io.BytesIO(picture(row["images"][0]["path"]))) as opened:
        return opened.convert("RGB").getpixel((9, 9))


def test_features_are_what_datasets_would_have_written(tmp_path: Path) -> None:
    from datasets import Features

    _, folder = written(tmp_path)
    schema = pq.read_schema(folder / "data/mlm_irle/train-00000-of-00001.parquet")
    features = Features.from_arrow_schema(schema)
    again = features.arrow_schema
    assert again.metadata[b"huggingface"] == schema.metadata[b"huggingface"]
    assert again.remove_metadata() == schema.remove_metadata()


def test_another_process_loads_it_without_network(tmp_path: Path) -> None:
    frozen, folder = written(tmp_path)
    code = "import sys, datasets; print(datasets.load_dataset(sys.argv[1], 'mlm')['train'].num_rows)"
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "home"), "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], env=environment, check=True, capture_output=True, text=True
    )
    assert int(done.stdout.split()[-1]) == len(records_of(frozen.rows["mlm"], "train"))
