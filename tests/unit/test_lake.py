"""The lake keeps its promises on every kind of file system: a folder, memory, an S3 server."""

import json
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from mlm_assets.errors import LakeConflict, MlmError, Refused
from mlm_assets.resources.http import Answer, Request
from mlm_assets.resources.lake import AnswerLog, Lake, arrow_schema


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    patch = pytest.MonkeyPatch()
    patch.setenv("AWS_ACCESS_KEY_ID", "test")
    patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    import s3fs

    s3fs.S3FileSystem(endpoint_url=f"http://127.0.0.1:{port}").mkdir("mlm-lake")
    yield "s3://mlm-lake/home"
    patch.undo()
    server.stop()


@pytest.fixture(params=["folder", "memory", "s3"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    if request.param == "folder":
        return Lake(tmp_path / "lake")
    if request.param == "memory":
        return Lake(f"memory://{tmp_path.name}", tmp_path)
    return Lake(f"{request.getfixturevalue('s3_url')}/{tmp_path.name}", tmp_path)


def rejections(*qids: str, reason: str = "no_image") -> Any:
    rows = [{"qid": qid, "reason": reason, "failed": [reason], "evidence": "{}", "revision": None} for qid in qids]
    return pa.Table.from_pylist(rows, schema=arrow_schema("rejections"))


def accept(lake: Lake, partition: str, rows: Any) -> Any:
    version = lake.write("rejections", partition, rows)
    return lake.accept(version, release="2026-12", inputs={}, expected=lake.accepted("rejections", partition))


def test_a_written_version_is_seen_only_once_it_is_accepted(lake: Lake) -> None:
    version = lake.write("rejections", "00", rejections("Q1"))
    assert lake.accepted("rejections", "00") is None
    with pytest.raises(MlmError, match="Materialise rejections first"):
        lake.require("rejections", "00")
    lake.accept(version, release="2026-12", inputs={"facts/00": "v"}, expected=None)
    accepted = lake.require("rejections", "00")
    assert (accepted.version, accepted.n_rows, accepted.inputs) == (version.version, 1, {"facts/00": "v"})
    assert lake.read(accepted)["qid"].to_pylist() == ["Q1"]


def test_rows_are_sorted_by_the_number_of_the_qid_and_the_same_rows_are_the_same_version(lake: Lake) -> None:
    one = lake.write("rejections", "00", rejections("Q10", "Q9", "Q100"))
    other = lake.write("rejections", "00", rejections("Q100", "Q10", "Q9"))
    assert one == other
    assert lake.read(one)["qid"].to_pylist() == ["Q9", "Q10", "Q100"]
    assert lake.write("rejections", "00", rejections("Q9", "Q10")).version != one.version


def test_the_old_version_stays_and_a_late_writer_is_told(lake: Lake) -> None:
    first = accept(lake, "00", rejections("Q1"))
    second = accept(lake, "00", rejections("Q2"))
    assert lake.read(first)["qid"].to_pylist() == ["Q1"]
    late = lake.write("rejections", "00", rejections("Q3"))
    with pytest.raises(LakeConflict, match=second.version):
        lake.accept(late, release="2026-12", inputs={}, expected=first)
    assert lake.require("rejections", "00").version == second.version


def test_what_was_accepted_last_for_a_release_is_found_by_its_name(lake: Lake) -> None:
    versions = [lake.write("rejections", "00", rejections(qid)) for qid in ("Q1", "Q2", "Q3")]
    for version, release in zip(versions, ("2026-12", "2026-12", "2027-01"), strict=True):
        lake.accept(version, release=release, inputs={}, expected=lake.accepted("rejections", "00"))
    found = {release: lake.accepted_for(release, "rejections", "00") for release in ("2026-12", "2027-01", "2027-02")}
    assert {release: one and one.version for release, one in found.items()} == {
        "2026-12": versions[1].version, "2027-01": versions[2].version, "2027-02": None,
    }  # fmt: skip
    assert lake.accepted_for("2026-12", "rejections", "01") is None


def test_sql_reads_several_partitions_and_an_empty_list(lake: Lake) -> None:
    versions = [accept(lake, "00", rejections("Q1")), accept(lake, "01", rejections("Q2", "Q3"))]
    assert [one.partition for one in lake.accepted_all("rejections")] == ["00", "01"]
    with lake.connect() as connection:
        lake._add_view(connection, "rejections", versions)
        assert connection.sql("SELECT count(*) FROM rejections").fetchall() == [(3,)]
    with lake.connect() as connection:
        lake._add_view(connection, "rejections", [])
        assert connection.sql("SELECT count(*), min(reason) FROM rejections").fetchall() == [(0, None)]


def test_a_filter_reads_only_what_it_names(lake: Lake) -> None:
    version = lake.write("rejections", "00", rejections("Q1", "Q2"))
    assert lake.read(version, {"qid": "Q2"})["qid"].to_pylist() == ["Q2"]
    assert lake.read(version, {"qid": "Q9"}).num_rows == 0


def test_a_file_appears_whole_or_not_at_all(lake: Lake) -> None:
    with lake.new_file("datasets/a.json") as file:
        file.write_text("[]")
    assert lake.read_bytes("datasets/a.json") == b"[]"
    with pytest.raises(RuntimeError), lake.new_file("datasets/b.json") as file:
        file.write_text("half")
        raise RuntimeError
    assert not lake.exists("datasets/b.json")
    assert lake.list_names("datasets") == ["a.json"]


def test_a_folder_takes_the_place_of_another(lake: Lake) -> None:
    lake.write_bytes("old/gone.txt", b"old")
    lake.write_bytes("images/a.jpg", b"picture")
    lake.link("images/a.jpg", "new/images/a.jpg")
    lake.move_tree("new", "old")
    assert lake.read_bytes("old/images/a.jpg") == b"picture"
    assert not lake.exists("old/gone.txt")
    assert not lake.exists("new/images/a.jpg")


def test_answers_come_back_as_they_were_and_by_release(lake: Lake) -> None:
    request = Request("sparql", "wikidata", "POST", "http://127.0.0.1:1/sparql", {}, {"query": "ASK {}"})
    answer = Answer(200, {"content-type": "application/json"}, b'{"boolean":\n true}', request.key, False)
    log = AnswerLog(lake, "2026-12")
    assert log.get(request) is None
    log.put(request, answer)
    kept = log.get(request)
    assert kept is not None
    assert (kept.status, kept.headers, kept.body, kept.from_store) == (200, answer.headers, answer.body, True)
    assert AnswerLog(lake, "2027-01").get(request) is None


def test_a_damaged_answer_is_as_good_as_none(lake: Lake) -> None:
    request = Request("sparql", "wikidata", "POST", "http://127.0.0.1:1/sparql", {}, {"query": "ASK {}"})
    log = AnswerLog(lake, "2026-12")
    log.put(request, Answer(200, {}, b"{}" * 500, request.key, False))
    whole = lake.read_bytes(log.path(request))
    for damaged in (b"", whole[: len(whole) // 2], b"nonsense", whole[:-9] + b"xxxxxxxxx"):
        lake.write_bytes(log.path(request), damaged)
        assert log.get(request) is None


def test_a_damaged_pointer_is_named(lake: Lake) -> None:
    accept(lake, "00", rejections("Q1"))
    lake.write_bytes("accepted/rejections/00.json", b'{"table": "rejec')
    with pytest.raises(MlmError, match=r"00\.json cannot be read"):
        lake.accepted("rejections", "00")


def test_a_pointer_of_a_newer_version_is_read(lake: Lake) -> None:
    accepted = accept(lake, "00", rejections("Q1"))
    path = "accepted/rejections/00.json"
    said = json.loads(lake.read_bytes(path))
    lake.write_bytes(path, json.dumps({**said, "approved_by": "somebody"}).encode())
    assert lake.accepted("rejections", "00") == accepted


def test_columns_that_lack_or_do_not_fit_are_named(lake: Lake) -> None:
    with pytest.raises(MlmError, match="failed, evidence"):
        lake.write("rejections", "00", rejections("Q1").drop_columns(["failed", "evidence"]))
    wrong = rejections("Q1").set_column(4, "revision", pa.array(["not a number"]))
    with pytest.raises(MlmError, match="rejections: a column does not have the type"):
        lake.write("rejections", "00", wrong)


def test_an_unknown_file_system_is_refused() -> None:
    with pytest.raises(Refused, match="nonsense"):
        Lake("nonsense://x/y")


def _overwrite_for_ever(root: str) -> None:
    lake = Lake(root)
    for number in range(1_000_000):
        lake.write_bytes("pointer.json", json.dumps({"n": number, "filler": "x" * 200_000}).encode())


def test_a_killed_writer_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    writer = multiprocessing.get_context("fork").Process(target=_overwrite_for_ever, args=(str(tmp_path),))
    writer.start()
    path = tmp_path / "pointer.json"
    deadline = time.monotonic() + 10
    seen = set()
    while len(seen) < 20 and time.monotonic() < deadline:
        if path.exists():
            seen.add(json.loads(path.read_text())["n"])
    os.kill(writer.pid or 0, signal.SIGKILL)
    writer.join()
    assert len(seen) > 1
    assert json.loads(path.read_text())["n"] >= max(seen)
    left = [entry for entry in tmp_path.iterdir() if entry.name.startswith(".tmp-")]
    assert Lake(tmp_path).clear_temporary() == 0
    assert Lake(tmp_path).clear_temporary(older_than_s=0) == len(left)
    assert [entry.name for entry in tmp_path.iterdir()] == ["pointer.json"]
