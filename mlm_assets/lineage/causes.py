"""What brought a change: an edit, with the address of the difference, or the reason outside the entity.

Edits are told by revisions (items, articles) and hashes (files). Where none differs, something else must: the class
list, a quota, the cells, our code, a setting, or what a service answered. What changed belongs to `compare`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from mlm_assets.geo.quotas import country_quotas, eu_country_of
from mlm_assets.identifiers import qid_number, quota_rank
from mlm_assets.lineage import addresses, rows
from mlm_assets.lineage.changes import Cause, distinct
from mlm_assets.lineage.classes import label_of, lost_edge
from mlm_assets.lineage.snapshot import Snapshot
from mlm_assets.resources.lake import Lake
from mlm_assets.resources.quarantine import OPEN, Entry, all_entries
from mlm_assets.tables import TABLES

Row = Mapping[str, Any]

QUARANTINED: Final = "quarantined"
_QUOTA_VARIANT: Final = "mlm_irle_gr"


class Causes:
    """Finds what brought changes between two snapshots of one entity."""

    def __init__(self, lake: Lake, before: Snapshot, after: Snapshot) -> None:
        self._lake = lake
        self.before = before
        self.after = after
        self._aside: list[Entry] | None = None

    # -- edits ---------------------------------------------------------------------------------------------------

    def item_edit(self) -> list[Cause]:
        """Return the edit of the item, where its revision differs; a revision that goes back is no edit."""
        then, now = self.before.revision, self.after.revision
        if then is None or now is None or then == now:
            return []
        figures = {"before": then, "after": now, "modified_at": self.after.modified_at}
        address = addresses.diff_address(addresses.WIKIDATA, then, now)
        if now < then:
            said = f"the item's revision went back from {then} to {now}: a replica that lags answered, or it was undone"
            return [Cause("service", said, address, figures)]
        at = f", last edited {self.after.modified_at}" if self.after.modified_at else ""
        return [Cause("item_edit", f"the item was edited: revision {then} to {now}{at}", address, figures)]

    def item_or(self, table: str) -> list[Cause]:
        """Return the edit of the item, else why `table` says something else of the same revision."""
        return self.item_edit() or self.outside(table)

    def item_history(self, said: str) -> Cause:
        """Return a cause that only the item's history can tell: it is not fetched any more, or was not yet."""
        known = self.before.revision if self.after.candidate is None else self.after.revision
        address = addresses.history_address(addresses.WIKIDATA, self.before.qid)
        return Cause("item_edit", said, address, {"revision": known})

    def other_item(self, qid: str, said: str) -> Cause:
        """Return the cause that another item (a class, a country) was edited."""
        return Cause("other_item", said, addresses.history_address(addresses.WIKIDATA, qid), {"qid": qid})

    def article_edit(self, then: Row, now: Row) -> list[Cause]:
        """Return the edit of an article, where its revision differs; else why the text does all the same."""
        old, new = then.get("revision"), now.get("revision")
        figures = {"before": old, "after": new, "lang": now["lang"], "title": now.get("title")}
        host = addresses.wikipedia(str(now["lang"]))
        if old is not None and new is not None and old != new:
            said = f"the article was edited: revision {old} to {new}"
            return [Cause("article_edit", said, addresses.diff_address(host, old, new), figures)]
        if old is not None and new is not None:
            return self.outside("summaries")
        if aside := self.set_aside("summaries", now):
            return aside
        if now["status"] == "unavailable":
            return [Cause("service", "Wikipedia gave no usable answer; the next run asks again")]
        title = str(now.get("title") or now["requested_title"])
        known = f"revision {old or new}" if old or new else "no revision known"
        said = f"the page {title!r} was deleted, made, moved or emptied ({known} on one side only)"
        return [Cause("article_edit", said, addresses.history_address(host, title), figures)]

    def file_edit(self, then: Row, now: Row) -> list[Cause]:
        """Return that a new version of a file was uploaded, where its SHA-1 differs; else what else it was."""
        old, new = then.get("file_sha1"), now.get("file_sha1")
        address = addresses.file_history_address(str(now["file"]))
        figures = {"before": old, "after": new}
        if aside := self.set_aside("images", now):
            return aside
        if now["status"] == "unavailable":
            return [Cause("service", "Commons gave no usable answer; the next run asks again", address)]
        if old != new:
            said = f"the file has another version: SHA-1 {old or 'none'} to {new or 'none'}"
            return [Cause("file_edit", said, address, figures)]
        return self.outside("images")

    def file_page_edit(self, file: str) -> Cause:
        """Return that a file's page (licence, author) was edited; it has no revision in our answers."""
        return Cause("file_edit", "the file's page was edited", addresses.file_history_address(file))

    def set_aside(self, table: str, row: Row) -> list[Cause]:
        """Return the rule because of which a row was set aside for the later release; nothing if it was not.

        A row has been set aside if the quarantine has one with its key, and it is marked, or gone.
        """
        if row.get("status", QUARANTINED) != QUARANTINED:
            return []
        wanted = {name: row.get(name) for name in TABLES[table].key}
        found = [one for one in self._entries() if one.table == table and dict(one.key) == wanted and one.state in OPEN]
        return [
            Cause("quarantine", f"its row was set aside: {one.reason} (rule {one.rule})", figures={"id": one.id})
            for one in found
        ]

    def _entries(self) -> list[Entry]:
        if self._aside is None:
            self._aside = [one for one in all_entries(self._lake) if one.key.get("qid") == self.before.qid]
        return self._aside

    # -- outside the entity --------------------------------------------------------------------------------------

    def outside(self, table: str) -> list[Cause]:
        """Return why `table` says something else although nothing was edited: code, settings, else the service."""
        found = [*self.code([table]), *self.settings([table])]
        said = f"nothing was edited, and {table} was made by the same code: the service answered otherwise"
        return found or [Cause("service", said)]

    def code(self, tables: Sequence[str]) -> list[Cause]:
        """Return which of these tables were made by another version of our code."""
        return [
            Cause(
                "code",
                f"{table} was made by another version of our code: {self.before.code[table]} then, "
                f"{self.after.code[table]} now",
                figures={"table": table, "before": self.before.code[table], "after": self.after.code[table]},
            )
            for table in tables
            if table in self.before.code and table in self.after.code
            if self.before.code[table] != self.after.code[table]
        ]

    def settings(self, tables: Sequence[str]) -> list[Cause]:
        """Return which settings these tables were made with differ."""
        found = []
        for table in tables:
            then, now = self.before.settings.get(table, {}), self.after.settings.get(table, {})
            found += [_differs(name, then[name], now[name]) for name in then if name in now and then[name] != now[name]]
        return list(distinct(found))

    def parameters(self, names: Sequence[str]) -> list[Cause]:
        """Return which parameters of the two manifests differ."""
        then, now = self.before.parameters, self.after.parameters
        return [_differs(f"setting:{name}", then[name], now[name]) for name in names if then.get(name) != now.get(name)]

    def class_lost(self, class_qid: str) -> list[Cause]:
        """Return the edge by whose loss a class has left the list; nothing where it has not."""
        return self._edge(class_qid, self.before, self.after, "left")

    def class_won(self, class_qid: str) -> list[Cause]:
        """Return the edge by which a class has come into the list; nothing where it has not."""
        return self._edge(class_qid, self.after, self.before, "came into")

    def _edge(self, class_qid: str, having: Snapshot, lacking: Snapshot, verb: str) -> list[Cause]:
        if class_qid in lacking.classes or class_qid not in having.classes:
            return []
        settings = [*self.parameters(["base_class", "hops"]), *self.code(["settlement_classes"])]
        edge = lost_edge(class_qid, having.classes, lacking.classes, lacking.hops())
        if edge is None:
            return settings
        child, parent = (f"{label_of(qid, having.classes)} ({qid})" for qid in (edge.child, edge.parent))
        named = f"class {label_of(class_qid, having.classes)} ({class_qid}) {verb} the list"
        then_now = "any more" if verb == "left" else "before"
        why = f"Wikidata does not name {child} a subclass (P279) of {parent} {then_now}"
        if verb != "left":
            why = f"Wikidata names {child} a subclass (P279) of {parent}, and did not {then_now}"
        if edge.is_too_deep:
            why = f"{parent} lies too deep on one side for its subclass {child} to be within the hops"
        figures = {"class_qid": class_qid, "child": edge.child, "parent": edge.parent}
        address = addresses.history_address(addresses.WIKIDATA, edge.child)
        return [Cause("class_list", f"{named}: {why}", address, figures), *settings]

    def quota(self) -> list[Cause]:
        """Return how the quota of the entity's country, and its queue, differ."""
        then, now = (self._queue(side) for side in (self.before, self.after))
        if not then and not now:
            return []
        words = [
            f"{side['release']}: place {side['place']} of {side['n_queued']} in the queue of {side['country']}, "
            f"{side['wanted']} wanted"
            for side in (then, now)
            if side
        ]
        cause = Cause("quota", "; ".join(words), figures={"before": then, "after": now})
        return [cause, *self.parameters(["quota_total"]), *self.code(["eligible"])]

    def _queue(self, side: Snapshot) -> dict[str, Any]:
        """Return the entity's place in the queue of its country's quota; empty where it does not queue."""
        row = side.eligible.get(_QUOTA_VARIANT)
        country = eu_country_of(row["country_code"]) if row is not None and row["country_code"] else None
        if country is None:
            return {}
        judged = rows.of_versions(self._lake, side.versions.get("eligible", []), {"variant": _QUOTA_VARIANT})
        queued = sorted(
            (quota_rank(one["qid"]), qid_number(one["qid"]))
            for one in judged
            if one["reason"] in (None, "over_quota") and one["country_code"]
            if eu_country_of(one["country_code"]) == country
        )
        own = (quota_rank(side.qid), qid_number(side.qid))
        return {
            "release": side.release,
            "country": country,
            "wanted": country_quotas(int(side.parameters["quota_total"]))[country],
            "n_queued": len(queued),
            "place": queued.index(own) + 1 if own in queued else None,
        }

    def cells(self, variant: str, token: str | None) -> list[Cause]:
        """Return how many settlements a cell held then and holds now, and what the bounds make of it."""
        changed = [*self.parameters(["t_min", "t_max"]), *self.code(["geo_cells"])]
        if token is None:
            return changed
        then, now = (self._in_cell(side, variant, token) for side in (self.before, self.after))
        bounds = {name: int(self.after.parameters[name]) for name in ("t_min", "t_max")}
        said = f"cell {token} of {variant}: {then} settlements then, {now} now"
        if now < bounds["t_min"]:
            said += f", fewer than T_min = {bounds['t_min']}, so it was removed"
        elif now > bounds["t_max"]:
            said += f", more than T_max = {bounds['t_max']}, so it was cut into smaller ones"
        figures = {"variant": variant, "cell_token": token, "before": then, "after": now, **bounds}
        return [Cause("cells", said, figures=figures), *changed]

    def _in_cell(self, side: Snapshot, variant: str, token: str) -> int:
        """Return how many settlements that went on to the cells lie in a cell, kept or not."""
        from mlm_assets.geo.locate import locate

        judged = rows.of_versions(self._lake, side.versions.get("eligible", []), {"variant": variant, "reason": ""})
        if not judged:
            return 0
        place = locate([token], [row["lat_deg"] for row in judged], [row["lon_deg"] for row in judged])
        return int((place >= 0).sum())


def _differs(name: str, then: Any, now: Any) -> Cause:
    said = name.removeprefix("setting:")
    return Cause("setting", f"{said} was {then} then and is {now} now", figures={"before": then, "after": now})
