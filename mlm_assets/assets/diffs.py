"""Group release: what changed since the release before, as a table, a page with pictures, figures and draft notes.

Both sides are pinned versions (`lineage.sides`); what is compared is said by `release.diff`.
"""

import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import dagster as dg

from mlm_assets.assets.reporting import asset_key, picture
from mlm_assets.assets.stage import Draft, Rule, Stage, described
from mlm_assets.automation.conditions import DRAFT_THE_RELEASE
from mlm_assets.lineage.sides import OPTIONAL, REQUIRED, base_of, side_of, versions_of
from mlm_assets.partitions import RELEASES
from mlm_assets.resources.lake import EARLIER, Accepted, Lake, Version
from mlm_assets.resources.services import LakeResource
from mlm_assets.settings import Settings
from mlm_assets.tables import VARIANTS

NAME: Final = "release_diff"
SPLITS_RULE: Final = "splits_are_stable"
_TEMPORARY: Final = ".tmp-"


@dg.asset(
    **described(NAME, {"duckdb", "sql", "html"}, rules={SPLITS_RULE: "No settlement changed sides between splits."}),
    partitions_def=RELEASES,
    deps=[asset_key(name) for name in (*REQUIRED, *OPTIONAL)],
    automation_condition=DRAFT_THE_RELEASE,
)
def release_diff(context: dg.AssetExecutionContext, lake: LakeResource) -> Iterator[dg.MaterializeResult]:
    """Compare a release with the one before, and write the page, the figures and the draft of the release notes."""
    from mlm_assets.release.diff.drawings import drawings
    from mlm_assets.release.diff.files import diff_folder, write_files
    from mlm_assets.release.diff.report import compare, table_rows

    stage = Stage(context, lake)
    base = base_of(stage.lake, stage.settings.home, stage.partition)
    after = side_of(stage.lake, stage.partition, _own_versions(stage))
    before = None
    if base is not None:
        earlier = versions_of(stage.lake, stage.settings.home, base)
        for version in earlier.values():
            stage.compared_with(version)
        before = side_of(stage.lake, base, earlier)
    context.log.info(f"{stage.partition}: compared with {base or 'nothing, for it is the first release'}")

    with stage.lake.connect() as connection:
        found = compare(connection, before, after)
        folder = diff_folder(stage.settings.home, stage.partition)

        def with_files(_draft: Draft) -> dict[str, Any]:
            made = _new_folder(folder)
            write_files(connection, found, before, after, made)
            _put_in_place(made, folder)
            return _shown(folder, drawings(connection, found, before, after))

        yield from stage.publish_one(
            NAME,
            table_rows(found),
            rules=[_splits_rule(found)],
            metadata={"base": base or "", "summary": _summary(found)},
            prepare=with_files,
        )


def remake_diff(lake: Lake, settings: Settings, release: str) -> Any:
    """Compare what is accepted of a release again, and write the files of its diff anew; return the rows of the table.

    For whoever has purged what it was made from (`assets.purging`): nothing is audited or accepted here.
    """
    from mlm_assets.release.diff.files import diff_folder, write_files
    from mlm_assets.release.diff.report import compare, table_rows

    own = {name: one for name in (*REQUIRED, *OPTIONAL) if (one := lake.accepted(name, release)) is not None}
    base = base_of(lake, settings.home, release)
    before = side_of(lake, base, versions_of(lake, settings.home, base)) if base is not None else None
    after = side_of(lake, release, own)
    folder = diff_folder(settings.home, release)
    with lake.connect() as connection:
        found = compare(connection, before, after)
        made = _new_folder(folder)
        write_files(connection, found, before, after, made)
    _put_in_place(made, folder)
    return table_rows(found)


def is_diff_current(lake: Lake, settings: Settings, release: str) -> bool:
    """Tell whether the accepted diff of a release compares what it would compare now: the same base, and scores too
    where there are scores by now. Whether its own inputs are the accepted ones is known to `stage.is_current`."""
    accepted = lake.accepted(NAME, release)
    if accepted is None or _compared(accepted) != _to_compare(lake, settings, release):
        return False
    return all(f"{name}/{release}" in accepted.inputs for name in OPTIONAL if lake.accepted(name, release) is not None)


def _compared(accepted: Accepted) -> dict[str, str]:
    return {
        name.removeprefix(EARLIER): version for name, version in accepted.inputs.items() if name.startswith(EARLIER)
    }


def _to_compare(lake: Lake, settings: Settings, release: str) -> dict[str, str]:
    base = base_of(lake, settings.home, release)
    versions = versions_of(lake, settings.home, base) if base is not None else {}
    return {f"{one.table}/{one.partition}": one.version for one in versions.values()}


def _splits_rule(diff: Mapping[str, Any]) -> Rule:
    n, wrong = diff["splits"]["n_violations"], diff["splits"]["violations"]
    base = f"since {diff['base']}" if diff["base"] is not None else "(there is no release before)"
    sentence = f"{n:,} settlements changed sides {base}"
    return Rule(SPLITS_RULE, not n, sentence, {"n": n, "qids": ", ".join(row["qid"] for row in wrong)})


def _own_versions(stage: Stage) -> dict[str, Version]:
    """Return the accepted versions of the release itself; what it may lack only where it is there."""
    found: dict[str, Version] = {name: stage.version(name, stage.partition) for name in REQUIRED}
    for name in OPTIONAL:
        if stage.lake.accepted(name, stage.partition) is not None:
            found[name] = stage.version(name, stage.partition)
    return found


def _new_folder(folder: Path) -> Path:
    folder.parent.mkdir(parents=True, exist_ok=True)
    return folder.with_name(f"{_TEMPORARY}{uuid.uuid4().hex}")


def _put_in_place(made: Path, folder: Path) -> None:
    """Put `made` in the place of `folder`: who is killed in between leaves the old one, the new one, or none."""
    aside = _new_folder(folder)
    with suppress(FileNotFoundError):
        folder.rename(aside)
    made.rename(folder)
    shutil.rmtree(aside, ignore_errors=True)


def _shown(folder: Path, drawn: Mapping[str, bytes]) -> dict[str, Any]:
    from mlm_assets.release.diff.files import PAGE_FILE

    page = folder / PAGE_FILE
    shown: dict[str, Any] = {
        "page": dg.MetadataValue.url(page.absolute().as_uri()),
        "diff": dg.MetadataValue.path(str(folder)),
    }
    name = "settlements" if "settlements" in drawn else "variants"
    return {**shown, name: picture(drawn[name], name)}


def _summary(diff: Mapping[str, Any]) -> Any:
    """Return the figures of the variants as Markdown."""
    lines = ["| variant | settlements | new | gone | changed | moved | texts | pictures |", "| --- |" + " ---: |" * 7]
    for variant in VARIANTS:
        counts, events = diff["counts"][variant], diff["entities"][variant]
        figures = [
            counts["entities"]["after"], events["new"], events["gone"], events["changed"], events["moved"],
            counts["summaries"]["after"], counts["images"]["after"],
        ]  # fmt: skip
        lines.append(f"| {variant} | " + " | ".join(f"{figure:,}" for figure in figures) + " |")
    return dg.MetadataValue.md("\n".join(lines))
