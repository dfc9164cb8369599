"""`mlm plan`: what the next run will cost in requests, bytes and hours, before it starts."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from mlm_assets.commands.plan_refresh import foretell
from mlm_assets.resources.lake import Lake, open_lake
from mlm_assets.settings import Settings
from mlm_assets.tables import LANGUAGES

_SPARQL_ANSWER_BYTES = 250_000
_TEXT_BYTES = 1_500
_METADATA_BYTES = 1_200
_THUMB_BYTES = 20_000


@dataclass(frozen=True)
class Shares:
    """How much one candidate brings on the average, and where that is known from."""

    n_candidates: int
    settlements: float
    articles: float
    files: float
    source: str


PUBLISHED = Shares(
    2_500_000,
    254_697 / 2_500_000,
    1_386_967 / 2_500_000,
    433_589 / 2_500_000,
    "sizes of the published MLM (v2)",
)


def plan(settings: Settings, n_candidates: int | None, edited: float | None = None) -> dict[str, Any]:
    """Return the cost per service of a full refresh of `n_candidates` (by default as many as the home has listed).

    Shares come from the home's last run, else from the published dataset. Where the home has a release to take over
    from, and no other number of candidates is asked about, `refresh` foretells the next one, of which a share of
    `edited` is edited (by default as between the last two releases). Sends no request.
    """
    lake = open_lake(settings)
    shares = _shares(lake)
    n = n_candidates or shares.n_candidates
    n_articles, n_files = n * shares.articles, n * shares.files
    n_partitions = settings.shards * len(LANGUAGES)
    services = {
        "sparql": _cost(settings, "sparql", settings.sparql_url, _sparql_requests(settings, n), _SPARQL_ANSWER_BYTES),
        "action_api": _cost(
            settings, "action_api", settings.wikipedia_url,
            math.ceil(n_articles / settings.titles_batch + n_files / settings.files_batch + n_partitions / 2),
            (n_articles * _TEXT_BYTES + n_files * _METADATA_BYTES) / max(n_articles / 20 + n_files / 50, 1),
        ),
        "files": _cost(settings, "files", settings.commons_url, math.ceil(n_files), _THUMB_BYTES),
    }  # fmt: skip
    return {
        "candidates": n,
        "settlements": round(n * shares.settlements),
        "articles": round(n_articles),
        "files": round(n_files),
        "assumes": shares.source,
        "services": services,
        "hours": round(sum(service["hours"] for service in services.values()), 2),
        "disk_bytes": round(n_files * _THUMB_BYTES * 2 + n * 3_000),
        "refresh": _refresh(lake, settings, edited) if n_candidates is None else None,
    }


def _refresh(lake: Lake, settings: Settings, edited: float | None) -> dict[str, Any] | None:
    """Return what the next refresh will ask for and how long that takes; None where there is nothing to go by."""
    foretold = foretell(lake, settings, edited)
    if foretold is None:
        return None
    urls = {"sparql": settings.sparql_url, "action_api": settings.wikipedia_url, "files": settings.commons_url}
    each = {"sparql": _SPARQL_ANSWER_BYTES, "action_api": _METADATA_BYTES * 20, "files": _THUMB_BYTES}
    costs = {name: _cost(settings, name, urls[name], n, each[name]) for name, n in foretold["requests"].items()}
    return {**foretold, "services": costs, "hours": round(sum(cost["hours"] for cost in costs.values()), 2)}


def show(said: dict[str, Any], console: Console) -> None:
    """Print a plan as text."""
    console.print(
        f"{said['candidates']:,} candidates -> about {said['settlements']:,} settlements, "
        f"{said['articles']:,} articles, {said['files']:,} files (by the {said['assumes']})"
    )
    console.print(_table("A full refresh (mlm run --full, or the first)", said["services"], {}))
    console.print(
        f"About {said['hours']:.2f} hours at the rates that are set, and {said['disk_bytes'] / 1e9:.1f} GB of disk."
    )
    console.print("Answers that are stored for the release already cost nothing; pictures are fetched once, ever.")
    if (refresh := said["refresh"]) is not None:
        title = f"The next refresh, which takes over from {refresh['basis']}"
        console.print(_table(title, refresh["services"], refresh["requests_by_kind"]))
        changed = ", ".join(f"{share:.1%} of the {name}" for name, share in refresh["changed"].items())
        console.print(
            f"About {refresh['hours']:.2f} hours. New or changed: {changed} (by the {refresh['assumes']}). "
            "Where the code of a table changed, everything in it is asked for."
        )


def _table(title: str, services: Mapping[str, Any], kinds: Mapping[str, Mapping[str, int]]) -> Table:
    table = Table(title=title, title_justify="left")
    for column in ("service", "requests", "MB", "hours", *(["of which"] if kinds else [])):
        table.add_column(column, justify="left" if column in ("service", "of which") else "right")
    for name, cost in services.items():
        which = ", ".join(f"{kind} {n:,}" for kind, n in kinds.get(name, {}).items())
        cells = [name, f"{cost['requests']:,}", f"{cost['bytes'] / 1e6:,.1f}", f"{cost['hours']:.2f}"]
        table.add_row(*cells, *([which] if kinds else []))
    return table


def _shares(lake: Lake) -> Shares:
    n = {
        name: sum(one.n_rows for one in lake.accepted_all(name))
        for name in ("candidates", "settlements", "summaries", "images")
    }
    if not n["candidates"] or not n["images"]:
        return PUBLISHED
    per = {name: n[name] / n["candidates"] for name in n}
    return Shares(n["candidates"], per["settlements"], per["summaries"], per["images"], "last run in this home")


def _sparql_requests(settings: Settings, n: int) -> int:
    per_shard = math.ceil(n / settings.shards / settings.facts_batch)
    classes = 2 * math.ceil(1_000 / settings.class_batch) + settings.hops
    return per_shard * settings.shards + math.ceil(1.2 * n / settings.listing_rows) + classes


def _cost(settings: Settings, service: str, url: str, n_requests: int, bytes_each: float) -> dict[str, Any]:
    limit = settings.limit(service, url)
    return {
        "requests": n_requests,
        "bytes": round(n_requests * bytes_each),
        "hours": round(n_requests / limit.rate_per_s / 3600, 2),
    }
