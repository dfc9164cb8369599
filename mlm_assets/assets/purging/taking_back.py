"""Taking an item or a file back: the tombstone first, then all that holds it, in an order that a kill cannot spoil.

The plan is kept beside the tombstone until all is done. Whoever was killed does the same again: each step does nothing
where it is done already, and ends in the same bytes.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from mlm_assets.assets.purging import beside, folders, versions
from mlm_assets.assets.purging.plan import Plan, keep_plan, make_plan, read_plan
from mlm_assets.assets.purging.rows import forgotten_keys
from mlm_assets.errors import Refused
from mlm_assets.identifiers import parse_qid
from mlm_assets.ml.features import FeatureStore, families
from mlm_assets.resources.catalogue import CATALOGUE, write_catalogue
from mlm_assets.resources.encoders import feature_folder
from mlm_assets.resources.lake import Lake, utc_now
from mlm_assets.resources.names import file_name
from mlm_assets.resources.takedowns import FILE, ITEM, Kind, Takedown, keep, takedown_of
from mlm_assets.settings import Settings

Say = Callable[[str], Any]
_CLEARED: Final = (
    "takedowns", "tables", "raw", "images", "datasets", "accepted", "acceptances", "audits", "failing", "quarantine",
    "faces", "features", "profiles", "diffs",
)  # fmt: skip


@dataclass(frozen=True)
class TakenBack:
    """What a takedown did: its tombstone, whether that was there before, and what went or was made again.

    `answers` are the stored answers that were removed, by path; `releases` a sentence for each release that changed.
    """

    takedown: Takedown
    was_taken_down: bool
    n_versions: int
    answers: list[str] = field(default_factory=list)
    releases: list[str] = field(default_factory=list)


def target_of(text: str) -> tuple[Kind, str]:
    """Return kind and target of what somebody wants to take back: a QID, or the name of a file of Commons.

    Raises:
        Refused: it is neither.
    """
    said = text.strip()
    name = file_name(said.partition(":")[2] if said.lower().startswith("file:") else said)
    if name and (said.lower().startswith("file:") or "." in name) and not said.startswith("http"):
        return FILE, name
    return ITEM, parse_qid(said)


def take_back(settings: Settings, lake: Lake, text: str, reason: str, by: str, say: Say = lambda _: None) -> TakenBack:
    """Take an item or a file back for good, or complete what a takedown of it has begun.

    Raises:
        Refused: `text` is neither a QID nor a name of a file, nobody here knows it, or there is no reason.
        MlmError: a published release cannot be corrected, because the lake has lost a version that it was made from;
            the rest is done, and the same command completes it.
    """
    kind, target = target_of(text)
    before = takedown_of(lake, kind, target)
    if before is None and not reason.strip():
        raise Refused(f"Taking {target} back needs a reason (--reason); it is published with the tombstone.")
    plan = read_plan(lake, kind, target) or make_plan(lake, kind, target)
    if before is None and not plan.is_known:
        raise Refused(
            f"Nothing is known of {target} here: no table of this home holds it, accepted or not, and none lists it. "
            "Look at its spelling; a file is named as on Commons."
        )
    takedown = before or Takedown(kind, target, reason.strip(), utc_now(), by)
    takedown = replace(takedown, sha1s=sorted({*takedown.sha1s, *(plan.sha1s if kind == FILE else ())}))
    keep(lake, takedown)
    say(f"{target} has its tombstone")
    if plan.step == "planned":
        plan = keep_plan(lake, plan)
        say(f"{target}: what has to go is known")
    return _carry_out(settings, lake, plan, takedown, before is not None, say)


def _carry_out(
    settings: Settings, lake: Lake, plan: Plan, takedown: Takedown, was_taken_down: bool, say: Say
) -> TakenBack:
    plan = _purge_tables(settings, lake, plan, say)
    answers = beside.remove_beside(lake, settings.home, plan)
    say(f"{len(answers):,} stored answers and {len(plan.paths):,} pictures are removed")
    folders.rewrite_datasets(lake, plan, say)
    say("the datasets are written again")
    changed = []
    for release in folders.releases_of(settings.home):
        plan = folders.remake_diffs(lake, settings, plan, release, say)
        plan, sentence = folders.correct_release(lake, settings, plan, takedown, release, say)
        changed += [sentence] if sentence else []
        say(f"{release} is done")
    _renew_pages(settings, lake)
    for folder in _CLEARED:  # half-written files of whoever was killed may hold it too
        lake.clear_temporary(folder, older_than_s=0)
    lake.remove_tree(plan.path)
    say(f"{takedown.target} is taken back")
    return TakenBack(takedown, was_taken_down, len(plan.n_rows), answers, changed)


def _purge_tables(settings: Settings, lake: Lake, plan: Plan, say: Say) -> Plan:
    """Purge all versions, and the vectors that they speak of; return the plan with their new names."""
    keys = sorted(forgotten_keys(plan))
    stores = _stores(settings, lake)
    if plan.step == "planned":
        blocks = {old: new for store in stores for old, new in store.without(keys).items()} if keys else {}
        plan = keep_plan(lake, versions.write_purged(lake, plan, blocks, say))
        say("the new names of versions are noted")
    n_records = versions.turn_records(lake, plan)
    say(f"{n_records:,} records speak of the purged versions")
    versions.move_about(lake, plan)
    n_gone = versions.remove_old(lake, plan)
    say(f"{n_gone:,} old versions are removed")
    for store in stores if keys else []:
        store.drop(list(store.without(keys)))
    return plan


def _stores(settings: Settings, lake: Lake) -> list[FeatureStore]:
    root = feature_folder(settings, lake)
    return [store for modality in ("image", "text") for store in families(root / modality)]


def _renew_pages(settings: Settings, lake: Lake) -> None:
    """Make the catalogue and the pages about checks again, where there are any."""
    from mlm_assets.checks.data_docs import render_data_docs

    if (settings.home / CATALOGUE).is_file():
        write_catalogue(lake, settings.home)
    if (settings.home / "data_docs").is_dir():
        render_data_docs(lake, settings.home / "data_docs")
