"""What has to go with an item or a file, found out once, before anything is touched, and kept until all is done.

The plan holds identifiers and hashes only: no text and no picture. It lies in `takedowns/.work-<kind>-<target>.json`.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from mlm_assets.release.holding import Traces
from mlm_assets.resources.lake import Lake, Version, file_partition, file_table
from mlm_assets.resources.names import file_name
from mlm_assets.resources.takedowns import FILE, ITEM, ROOT, Kind, items_taken_down, path_name
from mlm_assets.tables import TABLES, VARIANTS

Names = dict[str, dict[str, str]]
"""New names of purged versions by their old ones, by "table/partition" as it stands in paths."""

_OF_FILES: Final = ("qid", "image_index", "file", "file_sha1", "path", "picture_sha256", "width_px")
_LISTED: Final = ("settlements",)
"""Tables that list files of settlements."""


@dataclass(frozen=True)
class Plan:
    """What has to go.

    `owners` are the items concerned: the item itself, or those that the file belongs to. `files` are the names under
    which pictures that go are known, `names` those in published records, `sha1s` their originals, `paths` and
    `picture_sha256s` their padded pictures, `widths` those of the originals. `texts` are hashes of lead texts that
    nobody else has, `titles` the articles by language. `versions` and `n_rows` are filled when the purged versions are
    written; `step` says how far it is.
    """

    kind: Kind
    target: str
    owners: Sequence[str] = ()
    files: Sequence[str] = ()
    names: Sequence[str] = ()
    sha1s: Sequence[str] = ()
    widths: Sequence[int] = ()
    paths: Sequence[str] = ()
    picture_sha256s: Sequence[str] = ()
    texts: Sequence[str] = ()
    titles: Mapping[str, Sequence[str]] = field(default_factory=dict)
    versions: Names = field(default_factory=dict)
    n_rows: Mapping[str, int] = field(default_factory=dict)
    step: str = "planned"

    @property
    def is_known(self) -> bool:
        """Tell whether anything is known of the target."""
        return bool(self.owners)

    @property
    def path(self) -> str:
        """Path of the plan's file in the lake."""
        return f"{ROOT}/.work-{self.kind}-{path_name(self.target)}.json"

    @property
    def traces(self) -> Traces:
        """What gives the target away in a file of a release."""
        return Traces(
            frozenset([self.target] if self.kind == ITEM else []),
            frozenset([*self.files, *self.names]),
            frozenset(self.sha1s),
            frozenset(self.picture_sha256s),
            frozenset(self.owners),
        )


def written_versions(lake: Lake) -> Iterator[Version]:
    """Yield every version that lies in the lake, accepted or not; partitions as they stand in paths."""
    for name in TABLES:
        folder = f"tables/{file_table(name)}"
        for partition in lake.list_names(folder):
            for file in lake.list_names(f"{folder}/{partition}"):
                yield Version(name, partition, file.removesuffix(".parquet"), -1)


def place_of(table: str, partition: str) -> str:
    """Return a table partition as it stands in paths; the key of `Plan.versions`."""
    return f"{file_table(table)}/{file_partition(partition)}"


def read_plan(lake: Lake, kind: Kind, target: str) -> Plan | None:
    """Return the plan that somebody was killed in, None where there is none."""
    try:
        return Plan(**json.loads(lake.read_bytes(Plan(kind, target).path)))
    except FileNotFoundError:
        return None


def keep_plan(lake: Lake, plan: Plan) -> Plan:
    """Write a plan, and return it."""
    lake.write_bytes(plan.path, json.dumps(asdict(plan), ensure_ascii=False, sort_keys=True).encode())
    return plan


def make_plan(lake: Lake, kind: Kind, target: str) -> Plan:
    """Look through every version of every table for an item or a file, and return what has to go with it."""
    found = _Found(lake, kind, target)
    # A file is known by its name first, and then by its content under whatever name: that takes a second look.
    for _ in range(2 if kind == FILE else 1):
        for version in written_versions(lake):
            found.look(version)
    return found.plan()


class _Found:
    """Collects what is known of a target while versions are looked through."""

    def __init__(self, lake: Lake, kind: Kind, target: str) -> None:
        self._lake, self._kind, self._target = lake, kind, target
        self._owners: set[str] = set()
        self._mine: dict[str, dict[str, Any]] = {}
        self._named: set[str] = set()
        self._others: set[str] = set()
        self._texts: set[str] = set()
        self._other_texts: set[str] = set()
        self._titles: dict[str, set[str]] = {}
        self._taken_down = items_taken_down(lake)

    def look(self, version: Version) -> None:
        """Look through one version."""
        if version.table == "images":
            self._look_at_files(self._rows(version, *_OF_FILES))
        elif version.table == "summaries":
            self._look_at_texts(self._rows(version, "qid", "lang", "requested_title", "title", "text_sha256"))
        elif version.table in VARIANTS:
            self._look_at_records(version)
        elif version.table in _LISTED and self._kind == FILE:
            for row in self._rows(version, "qid", "images"):
                if any(file_name(image["file"]) == self._target for image in row["images"]):
                    self._owners.add(row["qid"])
        elif self._kind == ITEM and not self._owners and self._is_in(version):
            self._owners.add(self._target)

    def plan(self) -> Plan:
        """Return what has to go."""
        files = self._files()
        sha1s = sorted({str(row["file_sha1"]) for row in files if row["file_sha1"]})
        return Plan(
            self._kind,
            self._target,
            owners=sorted(self._owners),
            files=sorted({str(row["file"]) for row in files} | ({self._target} if self._kind == FILE else set())),
            names=sorted({str(row["name"]) for row in files}),
            sha1s=sha1s,
            widths=sorted({int(row["width_px"]) for row in files if row["width_px"]}),
            paths=sorted({str(row["path"]) for row in files if row["path"]}),
            picture_sha256s=sorted(self._hashes(files)),
            texts=sorted(self._texts - self._other_texts),
            titles={lang: sorted(titles) for lang, titles in sorted(self._titles.items())},
        )

    def _files(self) -> list[dict[str, Any]]:
        """Return the rows of files that go: of an item those that nobody else has; of a file all with its content."""
        rows = list(self._mine.values())
        if self._kind == FILE:
            return rows
        return [row for row in rows if row["file_sha1"] not in self._others and row["file"] not in self._others]

    def _hashes(self, files: Sequence[Mapping[str, Any]]) -> set[str]:
        """Return the hashes of padded pictures, as the tables say and as the lake has them."""
        paths = {row["path"] for row in files if row["path"] and self._lake.exists(row["path"])}
        kept = {hashlib.sha256(self._lake.read_bytes(path)).hexdigest() for path in paths}
        return kept | {str(row["picture_sha256"]) for row in files if row["picture_sha256"]}

    def _look_at_files(self, rows: Iterable[Mapping[str, Any]]) -> None:
        for row in rows:
            if self._is_mine(row):
                named = {"name": f"{row['qid']}_{row.get('image_index')}.jpg", **row}
                key = json.dumps([named[name] for name in ("name", "file", "file_sha1", "path")])
                self._mine.setdefault(key, named)
                self._owners.add(row["qid"])
            elif self._kind == ITEM and row["qid"] not in self._taken_down:
                self._others |= {one for one in (row["file_sha1"], row["file"]) if one}

    def _is_mine(self, row: Mapping[str, Any]) -> bool:
        if self._kind == ITEM:
            return bool(row["qid"] == self._target)
        if file_name(row["file"]) == self._target:
            self._named |= {row["file_sha1"]} - {None}
            return True
        return row["file_sha1"] in self._named

    def _look_at_texts(self, rows: Sequence[Mapping[str, Any]]) -> None:
        if self._kind == FILE:
            return
        for row in rows:
            is_mine = row["qid"] == self._target
            if row["text_sha256"]:
                (self._texts if is_mine else self._other_texts).add(row["text_sha256"])
            if is_mine:
                self._owners.add(self._target)
                titles = {one for one in (row["requested_title"], row["title"]) if one}
                self._titles.setdefault(row["lang"], set()).update(titles)

    def _look_at_records(self, version: Version) -> None:
        """Look at the rows of a variant: what they hold may be kept nowhere else any more."""
        import pyarrow.compute as pc

        rows = self._lake.read(version).select(["qid", "images", "summaries"])
        if self._kind == FILE:
            self._look_at_files(_images_of(rows.select(["qid", "images"])))
            return
        for row in rows.filter(pc.equal(rows["qid"], self._target)).to_pylist():
            self._look_at_files(_images_of([row]))
            self._look_at_texts(
                [{**one, "qid": row["qid"], "requested_title": None, **_hash_of(one)} for one in row["summaries"]]
            )

    def _rows(self, version: Version, *names: str) -> list[dict[str, Any]]:
        rows = self._lake.read(version)
        return list(rows.select([name for name in names if name in rows.column_names]).to_pylist())

    def _is_in(self, version: Version) -> bool:
        import pyarrow.compute as pc

        if "qid" not in TABLES[version.table].column_names:
            return False
        return bool(pc.any(pc.equal(self._lake.read(version)["qid"], self._target)).as_py())


def _hash_of(summary: Mapping[str, Any]) -> dict[str, str]:
    return {"text_sha256": hashlib.sha256(summary["text"].encode()).hexdigest()}


def _images_of(rows: Any) -> Iterator[dict[str, Any]]:
    """Yield the images in rows of a variant (a pyarrow table, or dicts) as rows of `images`, as far as they say."""
    parts = [rows] if isinstance(rows, list) else (batch.to_pylist() for batch in rows.to_batches(max_chunksize=5_000))
    for part in parts:
        for row in part:
            for image in row["images"]:
                yield {**image, "qid": row["qid"], "picture_sha256": None, "width_px": None}
