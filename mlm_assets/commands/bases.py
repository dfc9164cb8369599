"""`mlm bases`: base types compared by how many of their instances meet the constraints (paper, 3.3.1)."""

from collections.abc import Sequence
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from mlm_assets.assets.taxonomy import walk_down
from mlm_assets.identifiers import parse_qid
from mlm_assets.resources.http import Transport
from mlm_assets.resources.wikidata import Wikidata
from mlm_assets.settings import Settings

DEFAULT_BASES: Final = ("Q486972", "Q515", "Q3957", "Q532", "Q56061")
"""Human settlement, city, town, village, administrative territorial entity."""


def bases(qids: Sequence[str], settings: Settings) -> list[dict[str, Any]]:
    """Ask Wikidata, for each base type: classes within the hops, instances, and how many meet the constraints on facts.

    Raises:
        Refused: one of `qids` is no QID.
    """
    wanted = [parse_qid(qid) for qid in (qids or DEFAULT_BASES)]
    client = Wikidata(Transport(settings, None, "fetch"), settings)
    labels = client.labels(wanted, ["en"])
    rows = []
    for qid in wanted:
        hops, _ = walk_down(qid, settings.hops, client.subclasses)
        usable = client.count_usable(list(hops))
        rows.append(
            {
                "qid": qid,
                "label": labels.get(qid, {}).get("en", qid),
                "classes": len(hops),
                "instances": usable.n_instances,
                "usable": usable.n_usable,
                "share": round(usable.n_usable / usable.n_instances, 4) if usable.n_instances else 0.0,
            }
        )
    return sorted(rows, key=lambda row: -row["usable"])


def show(rows: list[dict[str, Any]], console: Console) -> None:
    """Print the comparison, most usable first."""
    table = Table()
    for column in ("base type", "label", "classes", "instances", "meet the constraints", "share"):
        table.add_column(column, justify="left" if column in ("base type", "label") else "right")
    for row in rows:
        table.add_row(
            row["qid"],
            row["label"],
            f"{row['classes']:,}",
            f"{row['instances']:,}",
            f"{row['usable']:,}",
            f"{row['share']:.1%}",
        )
    console.print(table)
