"""Features through Dagster on a finished home: computed once, again only for what is new or another encoder."""

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from mlm_assets.assets import features
from mlm_assets.assets.refresh import partitions_of
from mlm_assets.assets.stage import is_current
from mlm_assets.errors import MlmError
from mlm_assets.ml.assembly import NO_LABEL, picture_key, text_key
from mlm_assets.ml.material import open_material
from mlm_assets.ml.recipe import load_recipe
from mlm_assets.resources.encoders import EncoderResource, Encoders, Modality
from mlm_assets.resources.lake import Lake
from mlm_assets.resources.services import RELEASE_TAG, LakeResource
from mlm_assets.settings import Settings, load_settings
from mlm_assets.tables import REFRESHED, TABLES
from tests.assets.conftest import RELEASE, Home

pytestmark = pytest.mark.slow

SHARD = "01"


class Brightness:
    """A tiny encoder: five figures of a picture, or of the letters of a text."""

    def __init__(self, identity: str = "brightness-1") -> None:
        self.identity, self.dimension = identity, 5
        self.n_seen = 0

    def encode(self, batch: Sequence[Any]) -> np.ndarray:
        self.n_seen += len(batch)
        values = [list(one.encode()) if isinstance(one, str) else np.asarray(one, float).ravel() for one in batch]
        rows = [[np.mean(one), np.std(one), np.min(one), np.max(one), one[0]] for one in values]
        return np.array(rows, np.float32).astype(np.float16)


class TinyEncoders(EncoderResource):
    """The resource with `Brightness` for everything."""

    def open(self) -> Encoders:
        return Encoders(self.lake.settings(), self.lake.open(), opener)


TINY = Brightness()


def opener(settings: Settings, modality: Modality, device: str) -> Brightness:
    return TINY


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path_factory.mktemp("dagster"))) as local:
        yield local


@pytest.fixture(scope="module")
def home(finished: Home, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the finished home without features; shards that only this process knows of are empty."""
    copy = tmp_path_factory.mktemp("features") / "home"
    shutil.copytree(finished.path, copy)
    lake = Lake(copy)
    for shard in set(partitions_of("settlements")) - {one.partition for one in lake.accepted_all("settlements")}:
        empty = lake.write("settlements", shard, lake.read(lake.require("settlements", SHARD)).slice(0, 0))
        lake.accept(empty, release=RELEASE, inputs={}, expected=None)
    return copy


@pytest.fixture
def own(home: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    shutil.copytree(home, tmp_path / "home")
    return tmp_path / "home"


def materialise(
    home: Path, instance: dg.DagsterInstance, asset: Any, partition: str | None, kind: type[EncoderResource]
) -> tuple[dict[str, Any], dict[str, bool]]:
    """Materialise one asset; return its metadata and the verdicts of its checks."""
    lake = LakeResource(home=str(home))
    resources = {"lake": lake, "encoders": kind(lake=lake)}
    result = dg.materialize(
        [asset], partition_key=partition, instance=instance, resources=resources, tags={RELEASE_TAG: RELEASE}
    )
    (event,) = result.get_asset_materialization_events()
    shown = {key: value.value for key, value in event.materialization.metadata.items()}
    records = instance.all_logs(result.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    said = [record.dagster_event.event_specific_data for record in records if record.dagster_event]
    return shown, {check.check_name: check.passed for check in said}


def rows_of(home: Path, name: str, partition: str = "") -> list[dict[str, Any]]:
    lake = Lake(home)
    return list(lake.read(lake.require(name, partition)).to_pylist())


def paths_of(home: Path) -> set[str]:
    return {row["path"] for row in rows_of(home, "images", SHARD) if row["status"] == "ok"}


def test_every_picture_of_a_shard_gets_the_vector_that_the_table_points_to_once(
    own: Path, instance: dg.DagsterInstance
) -> None:
    shown, checks = materialise(own, instance, features.image_features, SHARD, EncoderResource)
    paths = paths_of(own)
    assert len(paths) > 10
    assert (shown["n_new"], shown["n_known"], shown["dimension"]) == (len(paths), 0, 1280)
    assert shown["vectors_per_s"] > 0
    assert checks["pictures_are_readable"]
    assert set(checks.values()) == {True}
    rows = rows_of(own, "image_features", SHARD)
    assert {row["picture"] for row in rows} == {picture_key(path) for path in paths}
    store = Encoders(load_settings(own), Lake(own)).store("image")
    assert {row["encoder"] for row in rows} == {store.encoder} == {shown["encoder"]}
    assert Path(shown["features"]) == store.folder
    one = rows[3]
    path = next(path for path in paths if picture_key(path) == one["picture"])
    with Image.open(own / path) as picture:
        alone = Encoders(load_settings(own), Lake(own)).encoder("image").encode([picture.convert("RGB")])[0]
    kept = np.asarray(store.vectors(one["block"])[one["block_row"]], np.float32)
    assert np.linalg.norm(kept - alone) < 0.02 * np.linalg.norm(alone)

    blocks = store.blocks()
    again, _ = materialise(own, instance, features.image_features, SHARD, EncoderResource)
    assert (again["n_new"], again["n_known"]) == (0, len(paths))
    assert again["version"] == shown["version"]
    assert store.blocks() == blocks


def test_texts_and_class_labels_get_vectors_by_their_hash(own: Path, instance: dg.DagsterInstance) -> None:
    shown, checks = materialise(own, instance, features.text_features, f"de|{SHARD}", EncoderResource)
    texts = {row["text"] for row in rows_of(own, "summaries", f"de|{SHARD}") if row["status"] == "ok"}
    rows = rows_of(own, "text_features", f"de|{SHARD}")
    assert {row["text_sha256"] for row in rows} == {text_key(text) for text in texts}
    assert (shown["n_new"], shown["dimension"], set(checks.values())) == (len(texts), 512, {True})

    materialise(own, instance, features.class_features, None, EncoderResource)
    listed = [
        row for one in Lake(own).accepted_all("settlements") for row in rows_of(own, "settlements", one.partition)
    ]
    labels = {label for row in listed for label in row["class_labels"]} | {NO_LABEL}
    found = {row["label_sha256"]: row["label"] for row in rows_of(own, "class_features")}
    assert found == {text_key(label): label for label in labels}
    again, _ = materialise(own, instance, features.class_features, None, EncoderResource)
    assert (again["n_new"], again["n_known"]) == (0, len(labels))


def test_another_encoder_adds_a_family_and_leaves_the_first(own: Path, instance: dg.DagsterInstance) -> None:
    materialise(own, instance, features.image_features, SHARD, EncoderResource)
    before = rows_of(own, "image_features", SHARD)
    shown, _ = materialise(own, instance, features.image_features, SHARD, TinyEncoders)
    assert shown["n_new"] == len(paths_of(own))
    rows = rows_of(own, "image_features", SHARD)
    assert [row for row in rows if row["encoder"] != TINY.identity] == before
    assert {row["picture"] for row in rows if row["encoder"] == TINY.identity} == {row["picture"] for row in before}
    back, _ = materialise(own, instance, features.image_features, SHARD, EncoderResource)
    assert back["n_new"] == 0
    settings = load_settings(own)
    assert is_current(Lake(own), settings, "image_features", SHARD, RELEASE)
    assert not is_current(
        Lake(own), settings.model_copy(update={"image_encoder": "other"}), "image_features", SHARD, RELEASE
    )


def test_only_a_new_picture_is_computed_and_a_damaged_one_is_told(own: Path, instance: dg.DagsterInstance) -> None:
    materialise(own, instance, features.image_features, SHARD, TinyEncoders)
    lake = Lake(own)
    accepted = lake.require("images", SHARD)
    records = lake.read(accepted).to_pylist()
    changed = [record for record in records if record["status"] == "ok"][:2]
    for number, record in enumerate(changed):
        record["path"] = f"images/00/{number:040x}-1.jpg"
    Image.new("RGB", (256, 256), (1, 2, 3)).save(_made(own / changed[0]["path"]))
    _made(own / changed[1]["path"]).write_bytes(b"\xff\xd8\xff no picture")
    version = lake.write("images", SHARD, pa.Table.from_pylist(records, schema=lake.read(accepted).schema))
    lake.accept(version, release=RELEASE, inputs={}, expected=accepted)
    n_seen = TINY.n_seen
    shown, checks = materialise(own, instance, features.image_features, SHARD, TinyEncoders)
    assert shown["n_new"] == TINY.n_seen - n_seen == 1
    assert [name for name, passed in checks.items() if not passed] == ["pictures_are_readable"]
    assert lake.require("image_features", SHARD).n_unavailable == 1
    listed = {row["picture"] for row in rows_of(own, "image_features", SHARD)}
    assert f"{0:040x}-1" in listed
    assert f"{1:040x}-1" not in listed


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def test_training_material_needs_no_features_beforehand(own: Path) -> None:
    settings, lake = load_settings(own), Lake(own)
    said: list[str] = []
    encoders = Encoders(settings, lake, opener)
    done: list[int] = []
    folder = encoders.training_material(
        RELEASE, "mlm_irle", said.append, lambda what, n: done.append(-n) or done.append
    )
    material = open_material(folder)
    records = json.loads((own / "datasets" / RELEASE / "mlm_irle" / "mlm_irle.json").read_text("utf-8"))
    assert material.qids.tolist() == [f"Q{record['id']}" for record in records]
    assert material.images.counts.tolist() == [len(record["images"]) for record in records]
    assert material.texts.counts.tolist() == [len(record["summaries"]) for record in records]
    cells = lake.read(lake.require("geo_cells", RELEASE), {"variant": "mlm_irle"}).to_pylist()
    assert dict(enumerate(material.cell_tokens)) == {cell["class_id"]: cell["cell_token"] for cell in cells}
    assert [line for line in said if "have no vector by brightness-1 yet" in line]
    assert min(done) < 0
    assert sum(done) == 0, "what was announced was done"
    n_seen = TINY.n_seen
    assert encoders.training_material(RELEASE, "mlm_irle") == folder
    assert Encoders(settings, lake, opener).training_material(RELEASE, "mlm_irle_gr") != folder
    assert TINY.n_seen == n_seen, "the smaller variant holds nothing that the larger does not"


def test_a_recipe_with_faults_has_features_of_its_own(own: Path) -> None:
    specs: list[str] = []

    def noting(settings: Settings, modality: Modality, device: str) -> Brightness:
        specs.append(settings.text_encoder)
        return TINY

    encoders = Encoders(load_settings(own), Lake(own), noting)
    paper = load_recipe("paper")
    sound = open_material(encoders.for_recipe(paper).training_material(RELEASE, "mlm_irle"))
    assert set(specs) == {"usem3"}
    faulty = paper.changed(faults={"first_characters": 20, "english_encoder": "bert-english-500"})
    cut = open_material(encoders.for_recipe(faulty).training_material(RELEASE, "mlm_irle"))
    assert specs[-1] == "bert-english-500"
    assert not set(cut.texts.keys) & set(sound.texts.keys)
    assert cut.images.keys.tolist() == sound.images.keys.tolist()


def test_a_picture_that_training_needs_and_that_is_gone_is_named(own: Path) -> None:
    path = rows_of(own, "mlm_irle", RELEASE)[0]["images"][0]["path"]
    (own / path).unlink()
    gone = Brightness("brightness-2")
    with pytest.raises(MlmError, match=f"1 pictures of the lake cannot be read, {path} among them"):
        Encoders(load_settings(own), Lake(own), lambda *_: gone).training_material(RELEASE, "mlm_irle")


def test_a_release_needs_no_features() -> None:
    assert [name for name in REFRESHED if TABLES[name].group == "features"] == []
