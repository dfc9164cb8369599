"""Taking back: what is left of an item or a file, that all sums still hold, and that a kill changes nothing."""

import gzip
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlm_assets.assets.entities import rows_of
from mlm_assets.assets.purging.plan import make_plan, written_versions
from mlm_assets.assets.purging.taking_back import take_back, target_of
from mlm_assets.errors import Refused
from mlm_assets.lineage.entity import way_of
from mlm_assets.media.faces import FaceDetector
from mlm_assets.ml.features import FeatureStore
from mlm_assets.resources import quarantine
from mlm_assets.resources.faces import face_shares
from mlm_assets.resources.http import Answer, Request
from mlm_assets.resources.lake import AnswerLog, Lake, Version
from mlm_assets.resources.takedowns import Takedown, all_takedowns, files_taken_down, items_taken_down, keep, takedowns
from mlm_assets.settings import Settings
from mlm_assets.tables import TABLES, VARIANTS
from tests.assets.conftest import tree
from tests.release.kills import killed_at
from tests.unit.checks.world import PARAMETERS, RELEASE, SHARD, World, build

ITEM, FILE = "Q108", "View 7.jpg"
"""A settlement on Réunion, one of four in its cell, and the only picture that it has."""
REASON = "asked for by its author"


class Home:
    """A lake with every table of a release, accepted, and with everything beside them that speaks of one settlement."""

    paths: list[str]

    def __init__(self, folder: Path, of: "Home | None" = None) -> None:
        """Make it anew, or as a copy of another."""
        self.lake, self.settings = Lake(folder), Settings(home=folder)
        if of is not None:
            shutil.copytree(of.lake.root, folder)
            self.world, self.paths = World(self.lake, {**of.world.versions}), of.paths
            return
        self.world = build(self.lake)
        self._add_vectors()
        inputs = {"refresh/" + RELEASE: self.world.version("refresh").version}
        for name, versions in self.world.versions.items():
            for version in versions.values():
                is_release = "release" in TABLES[name].partitioned_by and name != "refresh"
                self.lake.accept(version, release=RELEASE, inputs=inputs if is_release else {}, expected=None)
        self._add_answers()
        self._add_the_rest()

    def picture(self) -> dict[str, Any]:
        """Return the row of the settlement's picture."""
        found: dict[str, Any] = next(row for row in self.world.rows("images") if row["qid"] == ITEM)
        return found

    def texts(self) -> list[dict[str, Any]]:
        """Return the rows of its lead texts."""
        versions = self.world.versions["summaries"].values()
        return [row for one in versions for row in self.lake.read(one).to_pylist() if row["qid"] == ITEM]

    def _add_vectors(self) -> None:
        """Put a vector of every picture and text into a store, several to a block, and say so in the tables."""
        dice = np.random.default_rng(1)
        wanted = {
            ("image", "image_features", "picture"): [row["picture"] for row in self.world.rows("image_features")],
            ("text", "text_features", "text_sha256"): sorted(
                {row["text_sha256"] for one in self.world.versions["summaries"].values()
                 for row in self.lake.read(one).to_pylist() if row["text_sha256"]}
            ),
        }  # fmt: skip
        for (modality, table, column), keys in wanted.items():
            store = FeatureStore(Path(self.lake.root) / "features" / modality, "tiny-1", 4)
            store.add(keys, dice.random((len(keys), 4)).astype(np.float16))
            mine = [row[column] for row in self.world.rows(table)]
            blocks, places = store.locate(mine)
            rows = [
                {column: key, "encoder": "tiny-1", "block": block, "block_row": int(place), "dimension": 4}
                for key, block, place in zip(mine, blocks.tolist(), places.tolist(), strict=True)
            ]
            self.world.add(table, rows_of(table, rows))

    def _add_answers(self) -> None:
        log = AnswerLog(self.lake, RELEASE)
        entity = f'{{"value": "http://www.wikidata.org/entity/{ITEM}"}}'
        title = self.texts()[0]["title"]
        picture = self.picture()
        asked = [
            (Request("sparql", "wikidata", "POST", "u", form={"query": "facts ?property"}), entity),
            (Request("sparql", "wikidata", "POST", "u", form={"query": "?item wdt:P31 ?class"}), entity),
            (Request("sparql", "wikidata", "POST", "u", form={"query": "facts of others"}), "{}"),
            (Request("action_api", "wikipedia/en", "GET", "u", params={"titles": f"Other|{title}"}), "{}"),
            (Request("action_api", "wikipedia/en", "GET", "u", params={"titles": "Title 1"}), "{}"),
            (Request("action_api", "commons", "GET", "u", params={"titles": f"File:{FILE}"}), "{}"),
            (Request("files", "upload", "GET", "u", identity=f"{picture['file_sha1']}/330"), "the download"),
        ]
        for request, body in asked:
            log.put(request, Answer(200, {}, body.encode(), request.key, False))
        self.paths = [log.path(request) for request, _ in asked]

    def _add_the_rest(self) -> None:
        picture = self.picture()
        face_shares(self.lake, FaceDetector("none-1", lambda _: 0.5), {picture["picture_sha256"]: picture["path"]})
        entry = quarantine.Entry(
            "abc", "facts", SHARD, {"qid": ITEM}, "rule", "why", {"qid": ITEM}, None, RELEASE, "run", "now"
        )
        quarantine.keep(self.lake, [entry])
        facts = self.world.version("facts")
        shown = {"check": "values_are_not_empty", "sample": [{"qid": ITEM, "value": "x"}, {"qid": "Q1", "value": "y"}]}
        self.lake.write_audit({
            "table": "facts", "partition": SHARD, "version": facts.version, "n_rows": facts.n_rows,
            "release": RELEASE, "inputs": {}, "together": [["facts", SHARD, facts.version]], "checks": [shown],
        })  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("made") / "home")


@pytest.fixture
def home(made: Home, tmp_path: Path) -> Home:
    return Home(tmp_path / "home", made)


def contents(lake: Lake) -> Iterator[tuple[str, bytes]]:
    """Yield every file of a lake as it lies there, unpacked, and with its values written out."""
    for path in sorted(Path(lake.root).rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            name = path.relative_to(lake.root).as_posix()
            yield name, data
            if path.suffix == ".gz":
                yield name, gzip.decompress(data)
            if path.suffix == ".parquet":
                yield name, json.dumps(lake.read_rows(name).to_pylist(), default=str, ensure_ascii=False).encode()


def where(lake: Lake, *needles: bytes) -> set[str]:
    return {name for name, data in contents(lake) for needle in needles if needle in data}


def accepted(home: Home, name: str, partition: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = home.lake.read(home.lake.require(name, partition)).to_pylist()
    return rows


def broken(home: Home) -> set[tuple[str, str]]:
    """Return the checks that fail on what is accepted after a takedown."""
    world = World(home.lake)
    for name in home.world.versions:
        world.versions[name] = {one.partition: one for one in home.lake.accepted_all(name)}
    failed = set()
    for name in world.versions:
        partition = next(one for one in world.versions[name] if name != "summaries" or one.startswith("en"))
        version = world.versions[name][partition]
        assert home.lake.version(name, partition, version.version).n_rows == version.n_rows
        failed |= {(name, one.check) for one in world.audit(version) if not one.passed}
    return failed


def taken(home: Home, target: str, say: Any = lambda _: None) -> Any:
    return take_back(home.settings, home.lake, target, REASON, "ann", say)


def test_nothing_of_an_item_is_left_but_its_tombstone_and_its_number_in_listings(home: Home) -> None:
    picture, texts = home.picture(), home.texts()
    needles = [home.lake.read_bytes(picture["path"]), picture["file_sha1"].encode(), b"the download"]
    needles += [text["text"].encode() for text in texts] + [text["text_sha256"].encode() for text in texts]
    assert len(where(home.lake, *needles)) > 12
    done = taken(home, ITEM)
    assert where(home.lake, *needles) == set()
    assert where(home.lake, f'"{ITEM}"'.encode(), f"/{ITEM}".encode()) == {f"takedowns/item-{ITEM}.json", home.paths[1]}
    assert sorted(done.answers) == sorted(home.paths[place] for place in (0, 3, 5, 6))
    assert home.lake.exists(home.paths[2]) and home.lake.exists(home.paths[4])
    assert [one.target for one in takedowns(home.lake)] == [ITEM]
    assert items_taken_down(home.lake) == {ITEM}


@pytest.mark.slow
def test_every_sum_and_every_other_rule_holds_after_an_item_is_gone(home: Home) -> None:
    assert broken(home) == set()
    cells = {(row["variant"], row["cell_token"]): row["n_settlements"] for row in accepted(home, "geo_cells", RELEASE)}
    taken(home, ITEM)
    assert broken(home) == set()
    after = {(row["variant"], row["cell_token"]): row["n_settlements"] for row in accepted(home, "geo_cells", RELEASE)}
    lost = {cell: cells[cell] - after[cell] for cell in cells if cells[cell] != after[cell]}
    assert lost and set(lost.values()) == {1}
    assert {variant for variant, _ in lost} == set(VARIANTS)


def test_versions_that_nobody_accepted_are_purged_too(home: Home) -> None:
    rows = home.lake.read(home.world.version("facts")).slice(1)
    old = home.lake.write("facts", SHARD, rows)
    taken(home, ITEM)
    assert not home.lake.exists(old.path)
    for version in written_versions(home.lake):
        table = home.lake.read(version)
        assert "qid" not in table.column_names or ITEM not in table["qid"].to_pylist()


def test_whoever_spoke_of_a_purged_version_speaks_of_the_new_one(home: Home) -> None:
    before = {one: home.lake.require(one, RELEASE).version for one in ("refresh", "members")}
    taken(home, ITEM)
    refresh = home.lake.require("refresh", RELEASE)
    assert refresh.version != before["refresh"]
    for row in accepted(home, "refresh", RELEASE):
        if row["kind"] == "table":
            pinned = home.lake.require(row["name"], row["partition"])
            assert (pinned.version, pinned.n_rows) == (row["value"], row["n_rows"])
    for name in ("members", *VARIANTS, "attribution"):
        one = home.lake.require(name, RELEASE)
        assert one.inputs[f"refresh/{RELEASE}"] == refresh.version, name
        assert home.lake.history(name, RELEASE) == [one]
    audit = home.lake.audit_of("facts", SHARD)
    assert audit is not None
    facts = home.lake.require("facts", SHARD)
    assert (audit["version"], audit["n_rows"]) == (facts.version, facts.n_rows)
    assert audit["together"] == [["facts", SHARD, facts.version]]
    assert audit["checks"][0]["sample"] == [{"qid": "Q1", "value": "y"}]


def test_vectors_of_others_stay_where_the_tables_say(home: Home) -> None:
    store = FeatureStore(Path(home.lake.root) / "features" / "text", "tiny-1")
    others = [row["text_sha256"] for row in home.world.rows("text_features")]
    mine = [text["text_sha256"] for text in home.texts()]
    others = [key for key in others if key not in mine]
    vectors = store.gather(others)
    taken(home, ITEM)
    store = FeatureStore(Path(home.lake.root) / "features" / "text", "tiny-1")
    assert sorted(store.missing(mine)) == sorted(mine)
    assert np.array_equal(store.gather(others), vectors)
    assert store.verify() == []
    for row in accepted(home, "text_features", f"en|{SHARD}"):
        assert np.array_equal(store.vectors(row["block"])[row["block_row"]], store.gather([row["text_sha256"]])[0])


@pytest.mark.slow
def test_a_file_goes_from_every_record_and_who_has_no_other_leaves_the_variants(home: Home) -> None:
    picture = home.picture()
    data = home.lake.read_bytes(picture["path"])
    done = taken(home, f"file:{FILE.lower()[0]}{FILE[1:].replace(' ', '_')}")
    assert done.takedown.target == FILE
    assert where(home.lake, data, b"the download") == set()
    assert where(home.lake, picture["file_sha1"].encode()) == {done.takedown.path}
    (row,) = [row for row in accepted(home, "images", SHARD) if row["qid"] == ITEM]
    assert (row["status"], row["path"], row["author"]) == ("taken_down", None, None)
    assert broken(home) == set()
    reasons = {row["variant"]: row["reason"] for row in accepted(home, "members", RELEASE) if row["qid"] == ITEM}
    assert reasons == dict.fromkeys(VARIANTS, "no_image_downloaded")
    assert all(ITEM not in [row["qid"] for row in accepted(home, variant, RELEASE)] for variant in VARIANTS)
    assert any(row["qid"] == ITEM for row in accepted(home, "settlements", SHARD)), "it is a settlement all the same"
    taken_files = files_taken_down(home.lake)
    assert taken_files.has_name("view_7.jpg") and taken_files.has_sha1(picture["file_sha1"])


@pytest.mark.slow
def test_one_of_two_pictures_goes_and_the_settlement_stays(home: Home) -> None:
    """Q101 has a photograph and a drawing: without the photograph it stays where drawings count."""
    taken(home, "View 0.jpg")
    assert broken(home) <= {("eligible", "over_quota_means_full")}, "its place in the quota is not given away"
    reasons = {row["variant"]: row["reason"] for row in accepted(home, "members", RELEASE) if row["qid"] == "Q101"}
    assert reasons == {"mlm": None, "mlm_v2": None, "mlm_irle": "svg_only", "mlm_irle_gr": "svg_only"}
    (row,) = [row for row in accepted(home, "mlm", RELEASE) if row["qid"] == "Q101"]
    assert [one["file"] for one in row["images"]] == ["Flag 0.svg"]


def test_a_picture_that_another_settlement_has_too_stays_with_it(home: Home) -> None:
    rows = home.world.rows("images")
    mine, other = home.picture(), next(row for row in rows if row["qid"] == "Q109")
    changed = {name: mine[name] for name in ("file_sha1", "path", "picture_sha256", "file")}
    home.lake.write(
        "images", SHARD, rows_of("images", [row if row is not other else {**row, **changed} for row in rows])
    )
    plan = make_plan(home.lake, "item", ITEM)
    assert (plan.sha1s, plan.paths, plan.files) == ([], [], [])
    assert make_plan(home.lake, "file", FILE).sha1s == [mine["file_sha1"]]
    taken(home, ITEM)
    assert home.lake.exists(mine["path"])


@pytest.mark.parametrize(
    ("target", "reason", "match"),
    [
        ("Q999", REASON, "Nothing is known of Q999"),
        ("Nobody has this.jpg", REASON, "Nothing is known of Nobody has this"),
        ("q108", REASON, "not a Wikidata identifier"),
        ("Q0", REASON, "not a Wikidata identifier"),
        ("", REASON, "not a Wikidata identifier"),
        (ITEM, "  ", "needs a reason"),
    ],
)
def test_what_cannot_be_taken_back_is_refused_and_nothing_changes(
    home: Home, target: str, reason: str, match: str
) -> None:
    before = tree(Path(home.lake.root))
    with pytest.raises(Refused, match=match):
        take_back(home.settings, home.lake, target, reason, "ann")
    assert tree(Path(home.lake.root)) == before


def test_a_name_of_a_file_and_a_qid_are_told_apart() -> None:
    assert target_of("https://www.wikidata.org/wiki/Q64") == ("item", "Q64")
    assert target_of("File:q64 view.jpg") == ("file", "Q64 view.jpg")
    assert target_of("a_view.jpg") == ("file", "A view.jpg")
    assert target_of("File:No ending") == ("file", "No ending")


def test_a_second_takedown_says_so_keeps_the_first_reason_and_changes_nothing(home: Home) -> None:
    assert not taken(home, ITEM).was_taken_down
    before = tree(Path(home.lake.root))
    again = take_back(home.settings, home.lake, ITEM, "another reason", "bob")
    assert again.was_taken_down
    assert (again.takedown.reason, again.takedown.by, again.n_versions) == (REASON, "ann", 0)
    assert tree(Path(home.lake.root)) == before


def test_what_came_back_by_hand_goes_again(home: Home) -> None:
    """A table restored from a copy that is older than the takedown."""
    old = home.world.version("facts")
    data = home.lake.read_bytes(old.path)
    taken(home, ITEM)
    home.lake.write_bytes(old.path, data)
    assert taken(home, ITEM).was_taken_down
    assert not home.lake.exists(old.path)


def test_why_knows_the_tombstone(home: Home) -> None:
    taken(home, ITEM)
    said = way_of(home.lake, ITEM, PARAMETERS["shards"])
    assert (said["verdict"], said["reason"]) == ("taken_down", REASON)
    assert "taken down on 20" in said["meaning"]
    taken(home, "View 8.jpg")
    (image,) = way_of(home.lake, "Q109", PARAMETERS["shards"])["images"]
    assert image["meaning"].endswith(REASON)


@pytest.mark.long
def test_a_kill_at_any_point_and_the_same_again_end_in_the_same_bytes(made: Home, tmp_path: Path) -> None:
    """The tombstone is there before, with its time; then a real SIGKILL comes around calls that change files."""
    start = tmp_path / "start"
    shutil.copytree(made.lake.root, start)
    keep(Lake(start), Takedown("item", ITEM, REASON, "2026-11-21T00:00:00+00:00", "ann"))

    def take(folder: Path) -> None:
        take_back(Settings(home=folder), Lake(folder), ITEM, "", "ann")

    clean = tmp_path / "clean"
    shutil.copytree(start, clean)
    take(clean)
    wanted = tree(clean)
    n_killed = 0
    for point in range(0, 2_000, 37):
        folder = tmp_path / f"killed-{point}"
        shutil.copytree(start, folder)
        was_killed = killed_at(point, lambda folder=folder: take(folder))
        take(folder)
        assert _without_locks(tree(folder)) == _without_locks(wanted), f"killed at {point}"
        shutil.rmtree(folder)
        if not was_killed:
            break
        n_killed += 1
    assert n_killed > 8
    assert all_takedowns(Lake(clean))[0].at == "2026-11-21T00:00:00+00:00"


def _without_locks(files: dict[str, str]) -> dict[str, str]:
    return {path: sha256 for path, sha256 in files.items() if not path.startswith(".locks/") and ".lock" not in path}


def test_a_version_is_only_made_anew_where_it_held_something(home: Home) -> None:
    before = {(one.table, one.partition): one.version for one in _all(home.lake)}
    taken(home, ITEM)
    after = {(one.table, one.partition): one.version for one in _all(home.lake)}
    unchanged = {name for name, _ in before} - {
        name for name, where_ in before if before[name, where_] != after[name, where_]
    }
    assert {"settlement_classes", "rejections", "approvals", "mlm_irle/benchmark"} <= unchanged


def _all(lake: Lake) -> Iterator[Version]:
    for name in TABLES:
        yield from lake.accepted_all(name)
