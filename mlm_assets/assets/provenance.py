"""The provenance guard: a release is made of one refresh, and of nothing that readers do not see.

Every table of a release notes the versions that it was made from. The guard follows these notes from each table down
to the refresh and compares them with what is accepted now. Who asks (a freeze, a publication) does not belong here.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from mlm_assets.errors import Refused
from mlm_assets.lineage.records import tables_of
from mlm_assets.resources.lake import Accepted, Lake
from mlm_assets.tables import BENCHMARKS, MODELS, VARIANTS

REQUIRED: Final = (
    "refresh", "eligible", "geo_cells", "members", *VARIANTS, "dataset_statistics", "approvals", "attribution",
    "release_diff",
)  # fmt: skip
"""Tables without which there is no release."""
OPTIONAL: Final = tuple(table.name for table in (*MODELS, *BENCHMARKS))
"""Tables that a release may lack; if they are there, they must be of its datasets."""


def require_one_refresh(lake: Lake, release: str) -> dict[str, Accepted]:
    """Return the accepted version of every table of a release, by table: the required, and the optional that exist.

    Raises:
        Refused: one is missing; its newest version was rejected; or it was made from versions that are not the accepted
            ones, from another refresh than the others, or from nobody knows what.
    """
    _require_no_rejections(lake, release)
    found = {name: accepted for name in (*REQUIRED, *OPTIONAL) if (accepted := lake.accepted(name, release))}
    missing = [name for name in REQUIRED if name not in found]
    if missing:
        raise Refused(
            f"There is no accepted {', '.join(missing)} of {release} yet. Make the release with "
            f"`mlm run --release {release} --to release`, or materialise it in the UI."
        )
    for one in found.values():
        _require_current(one, found)
    for one in found.values():
        _require_origin(one, found)
    return found


def require_accepted(lake: Lake, release: str, inputs: Sequence[Mapping[str, Any]]) -> None:
    """Hold the inputs of a manifest against what is accepted now; vectors are found by content and may lie elsewhere.

    Raises:
        Refused: a table of the release has another accepted version than the one that the manifest names.
    """
    for one in inputs:
        if one["partition"] != release:
            continue
        accepted = lake.accepted(one["table"], release)
        if accepted is None or accepted.version != one["version"]:
            seen = f"readers see {accepted.version} now" if accepted else "readers see none now"
            raise Refused(
                f"The draft of {release} was made from {one['table']} {one['version']}, but {seen}. "
                f"Make the draft again: materialise release_files of {release}, or "
                f"`mlm run --release {release} --to release`."
            )


def _require_no_rejections(lake: Lake, release: str) -> None:
    for name in (*REQUIRED, *OPTIONAL, "release_files"):
        audit = lake.audit_of(name, release)
        if audit is not None and not lake.is_readable(audit):
            failed = "; ".join(f"{one['check']}: {one['sentence']}" for one in audit["checks"] if _blocks(one))
            raise Refused(
                f"The newest {name} of {release} (version {audit['version']}) is not accepted"
                f"{f' ({failed})' if failed else ''}. Mend the cause and materialise it again, or let it through with "
                f"`mlm approve {name} {release} --reason …`."
            )


def _blocks(check: Mapping[str, Any]) -> bool:
    return not check["passed"] and bool(check["blocking"])


def _require_current(one: Accepted, found: Mapping[str, Accepted]) -> None:
    for table, partition, version in tables_of(one.inputs):
        now = found.get(table)
        if partition != one.partition or table == one.table:
            continue
        if now is None or now.version != version:
            seen = f"{now.version} is accepted now" if now else "none is accepted now"
            raise Refused(
                f"The inputs of {one.partition} are mixed: {one.table} {one.version} was made from {table} {version}, "
                f"but {seen}. Materialise {one.table} of {one.partition} again, and what follows from it."
            )


def _require_origin(one: Accepted, found: Mapping[str, Accepted]) -> None:
    """Require that the inputs of a table, and theirs, end at the refresh."""
    waiting, seen = [one.table], {one.table}
    while waiting:
        name = waiting.pop()
        if name == "refresh":
            return
        for table, partition, _ in tables_of(found[name].inputs):
            if partition == one.partition and table in found and table not in seen:
                seen.add(table)
                waiting.append(table)
    raise Refused(
        f"{one.table} {one.version} of {one.partition} does not say from which refresh it was made. "
        f"Materialise it again."
    )
