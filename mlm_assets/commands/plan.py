"""`mlm plan`: what the next run will cost in requests, bytes and hours, before it starts."""

import math
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

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


def plan(settings: Settings, n_candidates: int | None) -> dict[str, Any]:
    """Return the cost per service of a full refresh of `n_candidates` (by default as many as the home has listed).

    Shares come from the home's last run, else from the published dataset. Sends no request.
    """
    shares = _shares(open_lake(settings))
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
    }


def show(said: dict[str, Any], console: Console) -> None:
    """Print a plan as text."""
    console.print(
        f"{said['candidates']:,} candidates -> about {said['settlements']:,} settlements, "
        f"{said['articles']:,} articles, {said['files']:,} files (by the {said['assumes']})"
    )
    table = Table()
    for column in ("service", "requests", "MB", "hours"):
        table.add_column(column, justify="left" if column == "service" else "right")
    for name, cost in said["services"].items():
        table.add_row(name, f"{cost['requests']:,}", f"{cost['bytes'] / 1e6:,.1f}", f"{cost['hours']:.2f}")
    console.print(table)
    console.print(
        f"About {said['hours']:.2f} hours at the rates that are set, and {said['disk_bytes'] / 1e9:.1f} GB of disk."
    )
    console.print("Answers that are stored for the release already cost nothing; pictures are fetched once, ever.")


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
