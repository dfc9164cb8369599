"""Group taxonomy: which classes of Wikidata count as settlements (paper, 3.3.1)."""

from collections.abc import Callable, Iterator, Sequence

import dagster as dg

from mlm_assets.assets.reporting import counts_table
from mlm_assets.assets.stage import FetchConfig, Stage, described
from mlm_assets.resources.services import LakeResource, WikidataResource
from mlm_assets.tables import LANGUAGES

WIKIDATA_POOL = "wikidata"

Subclasses = Callable[[Sequence[str]], Sequence[tuple[str, str]]]


@dg.asset(**described("settlement_classes", {"sparql", "wikidata"}), pool=WIKIDATA_POOL)
def settlement_classes(
    context: dg.AssetExecutionContext, config: FetchConfig, lake: LakeResource, wikidata: WikidataResource
) -> Iterator[dg.MaterializeResult]:
    """Walk down P279 from the base class and name what is found."""
    import pyarrow as pa

    stage = Stage(context, lake)
    client = wikidata.client(stage.transport(wikidata, config))
    hops, parents = walk_down(stage.setting("base_class"), stage.setting("hops"), client.subclasses)
    labels = client.labels(list(hops), LANGUAGES)
    rows = pa.table(
        {
            "class_qid": list(hops),
            "hop": list(hops.values()),
            "parent_qids": [sorted(parents[qid], key=_number) for qid in hops],
            "labels": pa.array(
                [sorted(labels.get(qid, {}).items(), key=lambda item: LANGUAGES.index(item[0])) for qid in hops],
                type=pa.map_(pa.string(), pa.string()),
            ),
        }
    )
    per_hop = {f"hop {hop}": list(hops.values()).count(hop) for hop in sorted(set(hops.values()))}
    yield from stage.publish_one(
        "settlement_classes", rows, metadata={"classes_per_hop": counts_table("distance", per_hop)}
    )


def walk_down(base: str, n_hops: int, subclasses: Subclasses) -> tuple[dict[str, int], dict[str, set[str]]]:
    """Walk breadth first over P279 from `base`, `n_hops` edges deep.

    `subclasses` answers a list of classes with (child, parent) pairs. Returns the distance of each class found, and
    its parents among the classes that were asked about; a cycle back to a known class adds a parent, not a class.
    """
    hops = {base: 0}
    parents: dict[str, set[str]] = {base: set()}
    frontier = [base]
    for hop in range(1, n_hops + 1):
        found: list[str] = []
        for child, parent in subclasses(frontier):
            parents.setdefault(child, set()).add(parent)
            if child not in hops:
                hops[child] = hop
                found.append(child)
        if not found:
            break
        frontier = sorted(found, key=_number)
    return hops, parents


def _number(qid: str) -> int:
    return int(qid[1:])
