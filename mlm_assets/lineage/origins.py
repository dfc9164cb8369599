"""Where a row was fetched: the stored answers that brought it, and the revisions that they are of.

A fetched row is traced to its own answer, a derived one by its entity to facts, lead texts and images, and on to their
answers. Of what a row was computed belongs to `records`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from mlm_assets.identifiers import shard_of
from mlm_assets.lineage import addresses, answers, rows
from mlm_assets.lineage.answers import StoredAnswer
from mlm_assets.lineage.records import Node
from mlm_assets.resources.lake import Accepted, Lake, Version
from mlm_assets.resources.quarantine import entries_of
from mlm_assets.tables import IMAGE_PROPERTIES, TABLES

Row = Mapping[str, Any]

FETCHED: Final = ("facts", "summaries", "images")
"""Tables whose rows carry the key of their answer."""
_SHOWN: Final = {
    "facts": ("property", "value", "lang", "country_code", "statement", "answer_key"),
    "summaries": ("lang", "requested_title", "title", "status", "revision", "text_sha256", "answer_key"),
    "images": ("property", "file", "status", "file_sha1", "path", "answer_key"),
}
_FEATURES: Final = {
    "text_features": ("summaries", "text_sha256"),
    "image_features": ("images", "picture"),
    "class_features": ("facts", "label"),
}


class Origins:
    """Finds where rows come from, among the versions of one chain."""

    def __init__(self, lake: Lake, nodes: Sequence[Node], n_shards: int) -> None:
        """Look among `nodes`; `n_shards` is the home's."""
        self._lake = lake
        self._n_shards = n_shards
        self._versions: dict[str, list[Version]] = {}
        self._releases: dict[str, str] = {}
        for node in nodes:
            self._versions.setdefault(node.version.table, []).append(node.version)
            record: Accepted | None = node.accepted
            if record is not None:
                self._releases[node.version.path] = record.release

    def of(self, table: str, sample: Sequence[Row]) -> list[dict[str, Any]]:
        """Return for each row what it is of, its fetched rows with their requests, and their revisions."""
        if table in ("candidates", "settlement_classes"):
            return self._listed(table, [self._whole(table, row) for row in sample])
        return [self._of_row(table, self._whole(table, row)) for row in sample]

    def _whole(self, table: str, row: Row) -> Row:
        """Return a failing row with all columns of its table; the file of a check may have its key alone."""
        if set(TABLES[table].column_names) <= row.keys():
            return row
        where = {name: str(row[name]) for name in TABLES[table].key if row.get(name) is not None}
        if not where:
            return row
        found = rows.of_versions(self._lake, self._at(table, row.get("qid")), where)
        return {**found[0], **row} if found else row

    def _of_row(self, table: str, row: Row) -> dict[str, Any]:
        fetched: dict[str, list[Row]] = {}
        qid = row.get("qid")
        if table in FETCHED:
            fetched[table] = [row]
            if table != "facts":
                fetched["facts"] = self._naming(table, row)
        elif table in _FEATURES:
            fetched = self._of_vector(table, row)
        elif isinstance(qid, str):
            fetched = {name: list(rows.of_entity(self._lake, self._at(name, qid), qid)) for name in FETCHED}
        return {
            "row": {name: row.get(name) for name in TABLES[table].key},
            "fetched": {name: [_shown(name, one) for one in found] for name, found in fetched.items() if found},
            "requests": self._requests(fetched),
            "revisions": self._revisions(fetched, qid),
        }

    def _listed(self, table: str, sample: Sequence[Row]) -> list[dict[str, Any]]:
        """Return the same for rows that come from listings and carry no key."""
        column, search = {
            "candidates": ("qid", answers.listings_of),
            "settlement_classes": ("class_qid", answers.edges_of),
        }[table]
        complete = [row for row in sample if set(TABLES[table].column_names) <= row.keys()]
        by_item: dict[str, list[StoredAnswer]] = {}
        for release in self._raw_releases(table) if complete else ():
            by_item = search(self._lake, release, complete)
            if any(by_item.values()):
                break
        return [
            {
                "row": {name: row.get(name) for name in TABLES[table].key},
                "fetched": {},
                "requests": [answer.as_json() | {"n_rows": 1} for answer in by_item.get(row.get(column, ""), ())],
                "revisions": [_item(str(row[column]), row.get("revision"), None)] if row.get(column) else [],
            }
            for row in sample
        ]

    def _naming(self, table: str, row: Row) -> list[Row]:
        """Return the facts that name an article or a file."""
        qid = row.get("qid")
        if not isinstance(qid, str):
            return []
        facts = rows.of_entity(self._lake, self._at("facts", qid), qid)
        if table == "summaries":
            return [one for one in facts if one["property"] == "sitelink" and one["lang"] == row.get("lang")]
        return [one for one in facts if one["property"] in IMAGE_PROPERTIES and one["value"] == row.get("file")]

    def _of_vector(self, table: str, row: Row) -> dict[str, list[Row]]:
        """Return the fetched rows that a vector was computed of."""
        source, column = _FEATURES[table]
        if row.get(column) is None:
            return {}
        if source == "images":
            # The name of a picture begins with the SHA-1 of its file.
            return {source: self._by(source, {"file_sha1": str(row[column]).partition("-")[0]})}
        return {source: self._by(source, {column: str(row[column])})}

    def _by(self, table: str, where: Mapping[str, str]) -> list[Row]:
        paths = [version.path for version in self._versions.get(table, ())]
        return list(rows.find(self._lake, paths, where, 20).sample)

    def _requests(self, fetched: Mapping[str, Sequence[Row]]) -> list[dict[str, Any]]:
        """Return the answers that brought rows, each once, with how many of the rows it brought."""
        found: dict[str, StoredAnswer] = {}
        n_rows: dict[str, int] = {}
        for table, its_rows in fetched.items():
            for row in its_rows:
                for answer in self._answers(table, row):
                    found[answer.path] = answer
                    n_rows[answer.path] = n_rows.get(answer.path, 0) + 1
        return [answer.as_json() | {"n_rows": n_rows[path]} for path, answer in found.items()]

    def _answers(self, table: str, row: Row) -> Iterable[StoredAnswer]:
        if table == "facts" and row.get("property") == "quarantined":
            for release in self._raw_releases(table):
                if notes := answers.unanswered_for(self._lake, release, str(row["qid"])):
                    return notes
            return []
        key = row.get("answer_key") or self._key_aside(table, row)
        if not key:
            return []
        newest = next(iter(self._raw_releases(table)), None)
        answer = answers.find_answer(self._lake, str(key), answers.SERVICE_OF[table], newest)
        if answer is None or table == "facts":
            return [answer] if answer is not None else []
        title = str(row["requested_title"]) if table == "summaries" else f"File:{row['file']}"
        found = answers.with_continuations(self._lake, answer, title)
        if table == "images" and row.get("path"):
            download = answers.download_of(self._lake, found[-1], str(row["file"]))
            found = [*found, *([download] if download is not None else [])]
        return found

    def _key_aside(self, table: str, row: Row) -> str | None:
        """Return the key of the answer of a row that was set aside: what is left of it in the table has none."""
        if row.get("status") != "quarantined":
            return None
        wanted = {name: row.get(name) for name in TABLES[table].key}
        partitions = [version.partition for version in self._at(table, row.get("qid"))]
        entries = [one for partition in partitions for one in entries_of(self._lake, table, partition)]
        return next((one.answer_key for one in reversed(entries) if dict(one.key) == wanted), None)

    def _raw_releases(self, table: str) -> list[str]:
        """Return the releases whose answers may have brought a table: that of its versions, then the others."""
        own = {self._releases[version.path] for version in self._versions.get(table, ()) if self._is_known(version)}
        others = [name for name in reversed(answers.raw_releases(self._lake)) if name not in own]
        return [*sorted(own, reverse=True), *others]

    def _is_known(self, version: Version) -> bool:
        return version.path in self._releases

    def _revisions(self, fetched: Mapping[str, Sequence[Row]], qid: Any) -> list[dict[str, Any]]:
        """Return the revisions that fetched rows are of: of the item, its articles, its files."""
        found = []
        if isinstance(qid, str) and "facts" in fetched:
            facts = rows.of_entity(self._lake, self._at("facts", qid), qid)
            said = {one["property"]: one["value"] for one in facts}
            found.append(_item(qid, said.get("version"), said.get("modified")))
        found += [_article(row) for row in fetched.get("summaries", ())]
        found += [_file(row) for row in fetched.get("images", ())]
        return found

    def _at(self, table: str, qid: Any) -> list[Version]:
        """Return the versions of a table that may hold an entity: those of its shard, where shards are known."""
        versions = self._versions.get(table, [])
        if not isinstance(qid, str) or "shard" not in TABLES[table].partitioned_by:
            return versions
        shard = shard_of(qid, self._n_shards)
        return [version for version in versions if version.partition.rpartition("|")[2] == shard] or versions


def _shown(table: str, row: Row) -> dict[str, Any]:
    return {name: row[name] for name in _SHOWN[table] if row.get(name) is not None}


def _item(qid: str, revision: Any, modified_at: Any) -> dict[str, Any]:
    number = int(revision) if revision is not None and str(revision).isdigit() else None
    return {
        "of": "item",
        "name": qid,
        "revision": number,
        "modified_at": modified_at,
        "address": addresses.revision_address(addresses.WIKIDATA, number)
        if number is not None
        else addresses.history_address(addresses.WIKIDATA, qid),
    }


def _article(row: Row) -> dict[str, Any]:
    host = addresses.wikipedia(str(row["lang"]))
    revision, title = row.get("revision"), row.get("title") or row.get("requested_title")
    return {
        "of": "article",
        "name": f"{row['lang']}: {title}",
        "revision": revision,
        "address": addresses.revision_address(host, revision)
        if revision is not None
        else addresses.history_address(host, str(title)),
    }


def _file(row: Row) -> dict[str, Any]:
    return {
        "of": "file",
        "name": row["file"],
        "file_sha1": row.get("file_sha1"),
        "address": addresses.file_address(str(row["file"])),
        "history": addresses.file_history_address(str(row["file"])),
    }
