"""`mlm trace`: from a check result or a count to its rows, versions, code, requests and revisions."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Console

from mlm_assets.lineage.rows import parse_where
from mlm_assets.lineage.trace import DEFAULT_LIMIT, TraceRequest
from mlm_assets.lineage.trace import trace as trace_rows
from mlm_assets.lineage.words import on_one_line
from mlm_assets.resources.lake import open_lake
from mlm_assets.settings import Settings

_CUT: Final = 160
_SHOWN_FILES: Final = 3


def trace(
    table: str,
    settings: Settings,
    *,
    partition: str | None = None,
    check: str | None = None,
    where: Sequence[str] = (),
    release: str | None = None,
    limit: int = DEFAULT_LIMIT,
) -> dict[str, Any]:
    """Return where the rows of a table, or the failing rows of one of its checks, come from; see `lineage.trace`.

    Raises:
        Refused: a table, partition, release, check, column or condition that there is not.
    """
    request = TraceRequest(table, partition, check, parse_where(where), release, limit)
    return trace_rows(open_lake(settings), request, settings.shards)


def show(said: Mapping[str, Any], console: Console) -> None:
    """Print what `trace` found, as text: the check, the rows, where each comes from, and the chain of versions."""
    for check in said["checks"]:
        _show_check(said["table"], check, console)
    _show_rows(said, console)
    for counted in said["counted_in"]:
        console.print(f"counts     {counted['what']}: {counted['n_rows']:,} rows of {counted['table']}")
        console.print(f"           {counted['command']}")
    for origin in said["origins"]:
        _show_origin(origin, console)
    _show_chain(said["chain"], console)


def _show_check(table: str, check: Mapping[str, Any], console: Console) -> None:
    verdict = "passed" if check["passed"] else ("crashed" if check["crashed"] else f"failed ({check['severity']})")
    place = f"{table} {check['partition']}".strip()
    console.print(f"check      {check['check']} of {place}: {verdict}")
    console.print(f"           {on_one_line(check['sentence'], 400)}")
    if check["cause"]:
        console.print(f"  cause    {on_one_line(check['cause'], 400)}")
    seen = "readers see it" if check["is_readable"] else "readers do not see it"
    console.print(f"  version  {check['version']} of {check['release']}, run {check['run_id']}, {check['at']}; {seen}")


def _show_rows(said: Mapping[str, Any], console: Console) -> None:
    found = said["rows"]
    where = " and ".join(f"{column} = {value!r}" for column, value in found["where"].items())
    console.print(f"rows       {found['n']:,}" + (f" where {where}" if where else ""))
    for file in found["files"][:_SHOWN_FILES]:
        console.print(f"  file     {file}")
    if len(found["files"]) > _SHOWN_FILES:
        console.print(f"           and {len(found['files']) - _SHOWN_FILES} files more (--json names them)")
    for row in found["sample"]:
        console.print(f"  row      {on_one_line(json.dumps(row, ensure_ascii=False, default=str), 2 * _CUT)}")


def _show_origin(origin: Mapping[str, Any], console: Console) -> None:
    key = " ".join(str(value) for value in origin["row"].values() if value is not None)
    console.print(f"row        {on_one_line(key, _CUT)}")
    for table, rows in origin["fetched"].items():
        console.print(f"  from     {table}: {len(rows):,} rows")
    for request in origin["requests"]:
        _show_request(request, console)
    for revision in origin["revisions"]:
        of = revision.get("revision") or revision.get("file_sha1") or "revision not known"
        at = f", edited {revision['modified_at']}" if revision.get("modified_at") else ""
        console.print(f"  {revision['of']:8} {on_one_line(revision['name'], _CUT)}: {of}{at}")
        console.print(f"           {revision['address']}")


def _show_request(request: Mapping[str, Any], console: Console) -> None:
    status = "the service gave no answer" if request["gave_up"] else f"HTTP {request['status']}"
    asked = f"{request['service']} {request['endpoint']} {request['method']} {on_one_line(request['url'], _CUT)}"
    fetched = request["fetched_at"] or "no date"
    console.print(f"  request  {asked}: {status}, {fetched}, {request['n_rows']:,} of these rows")
    if request["query"]:
        console.print(f"    query  {on_one_line(_without_prefixes(request['query']), 2 * _CUT)}")
    if request["titles"]:
        n, shown = len(request["titles"]), on_one_line(" | ".join(request["titles"]), 2 * _CUT)
        console.print(f"    titles {n}: {shown}")
    console.print(f"    answer {request['file']}")


def _show_chain(chain: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Print the chain upstream, one line a table; of a table in many partitions the first file."""
    per_table: dict[str, list[Mapping[str, Any]]] = {}
    for node in chain:
        per_table.setdefault(node["table"], []).append(node)
    for table, nodes in per_table.items():
        first = nodes[0]
        more = f" and {len(nodes) - 1} partitions more" if len(nodes) > 1 else ""
        release = f", made for {first['release']}" if first["release"] else ", never accepted or replaced since"
        code = f", code {first['code_version']}" if first["code_version"] else ""
        console.print(f"version    {table} {first['partition']} {first['version']}{release}{code}{more}")
        made_by = [*first["made_by"]["sql"], *([first["made_by"]["function"]] if first["made_by"]["function"] else [])]
        console.print(f"  made by  {', '.join(made_by) or 'its asset'}")
        console.print(f"  file     {first['file']}")
        if first["approval"]:
            console.print(
                f"  approved by {first['approval'].get('by')}: {on_one_line(first['approval'].get('reason'), _CUT)}"
            )


def _without_prefixes(query: str) -> str:
    return "\n".join(line for line in query.splitlines() if not line.startswith("PREFIX "))
