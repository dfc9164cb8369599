"""What is frozen, what is refused, and that a manifest alone leads back to the same bytes."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from mlm_assets.assets.freezing import checks_of, freeze, frozen_from_manifest, same_content, software
from mlm_assets.automation.publishing import publish, publish_release
from mlm_assets.errors import MlmError, Refused
from mlm_assets.release.builder import build
from mlm_assets.release.frozen import Frozen
from mlm_assets.release.metadata import documents
from mlm_assets.release.publication import Releases, read_manifest
from mlm_assets.resources.lake import arrow_schema
from mlm_assets.resources.pruning import prune
from mlm_assets.resources.services import LakeResource
from mlm_assets.settings import load_settings
from mlm_assets.tables import TRAINED_VARIANTS, VARIANTS
from tests.assets.conftest import tree
from tests.assets.frozen_lake import RELEASE, HandMade

FORMATS = "json,parquet,hdf5"


def quiet(_: str) -> None:
    return


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HandMade:
    monkeypatch.setenv("MLM_RELEASE_FORMATS", FORMATS)
    return HandMade(tmp_path / "home")


def frozen_of(made: HandMade, version: int = 1) -> Frozen:
    return freeze(made.lake, made.settings, RELEASE, version, encoders=made.encoders)


def draft(made: HandMade, version: int = 1) -> dict[str, Any]:
    """Build the draft and accept its table, as the asset does."""
    frozen = frozen_of(made, version)
    releases = Releases(made.home, RELEASE)
    manifest = build(frozen, releases.draft, documents, checks_of(made.lake, frozen), quiet)
    import pyarrow as pa

    rows = pa.Table.from_pylist(manifest["files"], schema=arrow_schema("release_files"))
    made.accept("release_files", rows, *(one.table for one in frozen.inputs if one.partition == RELEASE))
    return manifest


def published(made: HandMade, reason: str = "") -> Path:
    done = publish(made.lake, made.settings, RELEASE, "ada", reason, quiet)
    return Releases(made.home, RELEASE).version(done.version)


# -- what is frozen ----------------------------------------------------------------------------------------------------


def test_withheld_pictures_are_left_out_and_no_settlement_is(made: HandMade) -> None:
    frozen = frozen_of(made)
    for variant in VARIANTS:
        before, after = made.rows[variant].to_pylist(), frozen.rows[variant].to_pylist()
        assert after == [
            {**row, "images": [image for image in row["images"] if image["name"] != "Q64_0.jpg"]} for row in before
        ]
        assert frozen.rows[variant].schema == arrow_schema(variant)
    assert frozen.rows["mlm"].to_pylist()[0]["images"] == []


def test_everything_that_decided_is_pinned(made: HandMade) -> None:
    frozen = frozen_of(made)
    assert frozen.parameters["t_min"] == "3"
    assert frozen.created == made.lake.require("refresh", RELEASE).accepted_at[:10]
    assert frozen.rights["allowed_licences"]
    assert frozen.software == software()
    assert set(frozen.software) > {"mlm_assets", "python", "pyarrow", "duckdb", "h5py", "pillow", "constraints_sha256"}
    assert {(one.table, one.version) for one in frozen.inputs} >= {
        (name, made.lake.require(name, RELEASE).version) for name in ("refresh", "members", "attribution", *VARIANTS)
    }
    assert [one.path for one in frozen.kept] == ["RELEASE_NOTES.md", "diff/diff.json"]


def test_the_rights_are_those_of_the_attribution_not_of_today(made: HandMade, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = made.lake.read(made.lake.require("attribution", RELEASE))
    made.accept("attribution", rows, "refresh", *VARIANTS, **{"setting:allowed_licences": "PD"})
    monkeypatch.setenv("MLM_ALLOWED_LICENCES", "CC0-1.0")
    made.settings = load_settings(made.home)
    assert frozen_of(made).rights["allowed_licences"] == ["PD"]


def test_what_is_lacking_is_said(made: HandMade) -> None:
    assert frozen_of(made).notes == [
        "Without models and scores: none were trained for this release.",
        "Without HDF5 files of vectors: image_features 00 has no accepted version.",
    ]
    made.train()
    made.encode()
    frozen = frozen_of(made)
    assert frozen.notes == []
    assert frozen.encoders == {"image": "brightness-1", "text": "brightness-1"}
    assert list(frozen.formats) == ["json", "parquet", "hdf5"]
    assert set(frozen.scores) == set(TRAINED_VARIANTS)
    assert {one.path for one in frozen.kept} > {"models/mlm_irle/le_model/config.json", "benchmark/mlm_irle_gr.json"}


def test_one_missing_vector_means_no_hdf5_and_the_reason_is_said(made: HandMade) -> None:
    made.encode(n_left_out=1)
    frozen = frozen_of(made)
    (note,) = [note for note in frozen.notes if "HDF5" in note]
    assert "1 of 17 pictures of mlm_irle have no vector by brightness-1" in note
    assert "hdf5" not in frozen.formats


def test_vectors_are_those_of_the_published_pictures(made: HandMade) -> None:
    made.encode()
    frozen = frozen_of(made)
    for variant in TRAINED_VARIANTS:
        for split in ("train", "validation", "test"):
            rows = [row for row in frozen.rows[variant].to_pylist() if row["split"] == split and row["images"]]
            vectors = list(frozen.vectors[variant](split))
            assert [one.qid for one in vectors] == [row["qid"] for row in rows]
            for one, row in zip(vectors, rows, strict=True):
                shapes = tuple(len(found) for found in (one.images, one.summaries, one.classes))
                assert shapes == (len(row["images"]), len(row["summaries"]), len(row["class_labels"]))


def test_checks_of_the_release_are_counted(made: HandMade) -> None:
    version = made.lake.require("members", RELEASE).version
    checks = [
        {"passed": True, "blocking": True}, {"passed": True, "blocking": False},
        {"passed": False, "blocking": False}, {"passed": False, "blocking": True},
    ]  # fmt: skip
    made.lake.write_audit({"table": "members", "partition": RELEASE, "version": version, "checks": checks})
    assert checks_of(made.lake, frozen_of(made)) == {"passed": 2, "warned": 1, "approved": 1}


def test_an_unknown_format_is_refused(made: HandMade, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLM_RELEASE_FORMATS", "json,stone")
    made.settings = load_settings(made.home)
    with pytest.raises(Refused, match="MLM_RELEASE_FORMATS names stone; the formats of a release are json, parquet"):
        frozen_of(made)


# -- what is refused ---------------------------------------------------------------------------------------------------


def new_members(made: HandMade) -> None:
    row = {"variant": "mlm", "qid": "Q1", "reason": "no_article"}
    import pyarrow as pa

    made.accept("members", pa.Table.from_pylist([row], schema=arrow_schema("members")), "refresh")


def new_refresh(made: HandMade) -> None:
    rows = made.lake.read(made.lake.require("refresh", RELEASE)).to_pylist()
    rows[0]["value"] = "9"
    import pyarrow as pa

    made.accept("refresh", pa.Table.from_pylist(rows, schema=arrow_schema("refresh")))


def chained_to_members(made: HandMade) -> None:
    made.accept("mlm", made.rows["mlm"], "refresh", "members")
    new_members(made)


def from_nowhere(made: HandMade) -> None:
    made.accept("geo_cells", made.lake.read(made.lake.require("geo_cells", RELEASE)))


def without_attribution(made: HandMade) -> None:
    made.lake.remove_tree(f"accepted/attribution/{RELEASE}.json")


def rejected(name: str) -> Callable[[HandMade], None]:
    return lambda made: made.reject(name)


def stale_model(made: HandMade) -> None:
    made.train()
    made.accept("mlm_irle", made.rows["mlm_irle"].slice(1), "refresh")
    for name in ("dataset_statistics", "attribution", "release_diff"):
        rows = made.lake.read(made.lake.require(name, RELEASE))
        made.accept(name, rows, "refresh", *VARIANTS)


def other_weights(made: HandMade) -> None:
    made.train()
    (made.home / "models" / RELEASE / "mlm_irle_gr" / "le_model" / "model.safetensors").write_bytes(b"others")


def report_gone(made: HandMade) -> None:
    made.train()
    (made.home / "benchmark" / RELEASE / "mlm_irle.json").unlink()


def picture_without_word(made: HandMade) -> None:
    rows = made.lake.read(made.lake.require("attribution", RELEASE))
    import pyarrow.compute as pc

    made.accept("attribution", rows.filter(pc.not_equal(rows["name"], "Q71_1.jpg")), "refresh", *VARIANTS)
    made.accept("release_diff", None, "attribution", *VARIANTS)


REFUSALS: list[tuple[Callable[[HandMade], None], str]] = [
    (without_attribution, r"There is no accepted attribution of 2026-12 yet\. Make the release with"),
    (chained_to_members, r"The inputs of 2026-12 are mixed: mlm [0-9a-f]{20} was made from members [0-9a-f]{20}, but "
     r"[0-9a-f]{20} is accepted now\. Materialise mlm of 2026-12 again"),
    (new_refresh, r"The inputs of 2026-12 are mixed: eligible [0-9a-f]{20} was made from refresh"),
    (from_nowhere, r"geo_cells [0-9a-f]{20} of 2026-12 does not say from which refresh it was made"),
    (rejected("mlm_v2"), r"The newest mlm_v2 of 2026-12 \(version f{20}\) is not accepted \(rows_are_there: half of "
     r"them are gone\)\. Mend the cause .* `mlm approve mlm_v2 2026-12"),
    (rejected("mlm_irle/ir_model"), r"The newest mlm_irle/ir_model of 2026-12 .* is not accepted"),
    (stale_model, r"mixed: mlm_irle/ir_model [0-9a-f]{20} was made from mlm_irle [0-9a-f]{20}, but"),
    (other_weights, r"does not hold the weights that the accepted mlm_irle_gr/le_model of 2026-12 names"),
    (report_gone, r"mlm_irle\.json of the accepted mlm_irle/benchmark of 2026-12 is not there"),
    (picture_without_word, r"attribution says nothing of 1 pictures of mlm, Q71_1\.jpg of Q71 among them"),
]  # fmt: skip


@pytest.mark.parametrize(("spoil", "said"), REFUSALS, ids=[said[:28] for _, said in REFUSALS])
def test_refused_with_its_reason(made: HandMade, spoil: Callable[[HandMade], None], said: str) -> None:
    frozen_of(made)
    spoil(made)
    with pytest.raises(Refused, match=said):
        frozen_of(made)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (chained_to_members, "are mixed"),
        (rejected("mlm"), "is not accepted"),
        (rejected("release_files"), r"The newest release_files of 2026-12 .* is not accepted"),
        (lambda made: made.accept("approvals", None, "refresh", "mlm") and new_rows(made, "release_diff"),
         r"The draft of 2026-12 was made from release_diff [0-9a-f]{20}, but readers see [0-9a-f]{20} now"),
        (lambda made: made.accept("release_files", None, "mlm"), "is not the one that was accepted"),
        (lambda made: (Releases(made.home, RELEASE).draft / "README.md").write_text("mine"),
         "README.md does not have the hash"),
    ],
)  # fmt: skip
def test_a_draft_that_is_not_what_is_accepted_is_not_published(
    made: HandMade, spoil: Callable[[HandMade], Any], said: str
) -> None:
    draft(made)
    spoil(made)
    with pytest.raises(Refused, match=said):
        published(made)
    assert Releases(made.home, RELEASE).versions() == []


def new_rows(made: HandMade, name: str) -> None:
    row = {"section": "counts", "variant": "", "item": "x", "before": None, "after": 1.0, "base": ""}
    import pyarrow as pa

    made.accept(name, pa.Table.from_pylist([row], schema=arrow_schema(name)), "attribution", *VARIANTS)


def test_a_publication_names_somebody_and_a_release_of_the_window(made: HandMade) -> None:
    draft(made)
    with pytest.raises(Refused, match="A publication needs a name"):
        publish(made.lake, made.settings, RELEASE, " ", "", quiet)
    with pytest.raises(Refused, match="'1999-01' is no release"):
        publish(made.lake, made.settings, "1999-01", "ada", "", quiet)
    with pytest.raises(Refused, match="There is no draft of 2027-01"):
        publish(made.lake, made.settings, "2027-01", "ada", "", quiet)


def test_a_publication_that_was_begun_is_completed_whatever_is_accepted_by_then(made: HandMade) -> None:
    draft(made)
    releases = Releases(made.home, RELEASE)
    from tests.release.kills import killed_at

    def begin() -> None:
        releases.publish("ada", "2026-12-05T10:00:00+00:00", "", documents, quiet)

    assert any(killed_at(point, begin) and releases.version(1).is_dir() for point in range(9, 40, 2))
    assert releases.publications() == []
    made.reject("mlm")
    done = publish(made.lake, made.settings, RELEASE, "bob", "", quiet)
    assert (done.version, done.by) == (1, "ada")


def test_the_button_of_the_ui_publishes_too_and_says_so(made: HandMade) -> None:
    draft(made)
    config = {"release": RELEASE, "by": "ada", "reason": "looked through"}
    with dg.DagsterInstance.ephemeral() as instance:
        result = publish_release.execute_in_process(
            instance=instance,
            resources={"lake": LakeResource(home=str(made.home))},
            run_config={"ops": {"publish_draft": {"config": config}}},
        )
        assert result.output_for_node("publish_draft") == 1
        (record,) = instance.fetch_observations(dg.AssetKey("release_files"), limit=5).records
    assert record.asset_observation is not None
    assert record.asset_observation.description == "Published as v1 by ada"
    (publication,) = Releases(made.home, RELEASE).publications()
    assert (publication.by, publication.reason) == ("ada", "looked through")


# -- built again -------------------------------------------------------------------------------------------------------


def rebuilt(made: HandMade, folder: Path, into: Path) -> dict[str, str]:
    manifest = read_manifest(folder)
    frozen = frozen_from_manifest(made.lake, made.settings, manifest, folder)
    build(frozen, into, documents, manifest["checks"], quiet)
    return tree(into)


def test_with_models_and_vectors_the_manifest_leads_back_to_the_same_bytes(made: HandMade, tmp_path: Path) -> None:
    made.train()
    made.encode()
    draft(made)
    folder = published(made)
    assert (folder / "hdf5" / "mlm_irle" / "train.h5").is_file()
    wanted = tree(folder)
    assert rebuilt(made, folder, tmp_path / "one") == wanted

    # Whatever is accepted, trained or set now, and after everything that nobody refers to is pruned.
    pinned = {name: made.lake.require(name, RELEASE) for name in ("mlm_irle", "attribution", "image_features")[:2]}
    made.rows = {name: rows.slice(2) for name, rows in made.rows.items()}
    for name in VARIANTS:
        made.accept(name, made.rows[name], "refresh")
    made.accept("attribution", None, "refresh", *VARIANTS)
    (made.home / "models" / RELEASE / "mlm_irle" / "ir_model" / "model.safetensors").write_bytes(b"another training")
    shutil.rmtree(made.home / "diffs")
    for name in ("mlm_irle", "attribution"):
        made.lake.remove_tree(f"acceptances/{name}")
    assert all(made.lake.exists(one.path) for one in pinned.values())
    prune(made.lake, 0, made.home)
    assert rebuilt(made, folder, tmp_path / "two") == wanted


def test_without_its_manifest_a_version_would_have_been_pruned(made: HandMade) -> None:
    draft(made)
    folder = published(made)
    pinned = made.lake.require("mlm", RELEASE)
    made.accept("mlm", made.rows["mlm"].slice(1), "refresh")
    for name in ("dataset_statistics", "attribution", "release_diff", "release_files"):
        made.lake.remove_tree(f"accepted/{name}/{RELEASE}.json")
        made.lake.remove_tree(f"acceptances/{name}")
    prune(made.lake, 0, made.home)
    assert made.lake.exists(pinned.path)
    manifest = folder / "manifest.json"
    manifest.chmod(0o644)
    manifest.write_text("{")
    with pytest.raises(MlmError, match="nothing is pruned"):
        prune(made.lake, 0, made.home)
    shutil.rmtree(folder)
    prune(made.lake, 0, made.home)
    assert not made.lake.exists(pinned.path)


def test_a_version_or_vector_that_is_gone_is_named(made: HandMade, tmp_path: Path) -> None:
    made.encode()
    draft(made)
    folder = published(made)
    block = next((made.home / "features" / "image").glob("*/*.keys.npy"))
    block.unlink()
    Path(str(block).replace(".keys", "")).unlink()
    with pytest.raises(MlmError, match="A vector of mlm_irle is not in the feature store any more"):
        rebuilt(made, folder, tmp_path / "one")
    made.lake.remove_tree(made.lake.require("geo_cells", RELEASE).path)
    with pytest.raises(MlmError, match=r"The lake has no version [0-9a-f]{20} of geo_cells 2026-12 any more"):
        rebuilt(made, folder, tmp_path / "two")


def test_the_same_content_is_known_and_any_change_of_it(made: HandMade) -> None:
    manifest = json.loads(json.dumps(draft(made)))
    again = frozen_of(made, 2)
    assert same_content(again, manifest)
    assert same_content(replace(again, created="2030-01-01", software={}), manifest)
    for change in (
        {"tombstones": [replace_tombstone()]},
        {"rights": {**again.rights, "max_face_share": 0.2}},
        {"inputs": again.inputs[1:]},
        {"kept": again.kept[1:]},
        {"formats": ["json"]},
        {"encoders": {"image": "other"}},
    ):
        assert not same_content(replace(again, **change), manifest), change


def replace_tombstone() -> Any:
    from mlm_assets.release.frozen import Tombstone

    return Tombstone("item", "Q1", "asked for", "2026-12-01T00:00:00+00:00")
