"""What every asset does besides its own sentence: know its release, read inputs, write, audit, accept, report.

An asset opens a `Stage`, reads through it (so that what it was made from is recorded), and ends with `publish`.
A version is written first, then audited (`audit`), and accepted only if nothing that blocks has failed: readers never
see a version that did not pass. One that is not accepted leaves its verdicts and an observation, but no
materialisation, and fails the run; a maintainer may approve it (`automation.approval`).
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import dagster as dg

from mlm_assets.assets import audit
from mlm_assets.assets.audit import Audit, Subject
from mlm_assets.assets.excuses import approval_of
from mlm_assets.assets.reporting import asset_key, definition_metadata, materialisation_metadata, record_event
from mlm_assets.assets.setting_aside import checks_of as asides_of
from mlm_assets.assets.setting_aside import set_aside
from mlm_assets.checks.verdicts import Check, Verdict
from mlm_assets.errors import BlockedByCheck, Refused
from mlm_assets.ml.recipe import Recipe, load_recipe
from mlm_assets.releases import release_window
from mlm_assets.resources import quarantine
from mlm_assets.resources.http import Transport
from mlm_assets.resources.lake import BASIS, EARLIER, Accepted, Lake, Version, utc_now
from mlm_assets.resources.services import FULL_TAG, MODE_TAG, LakeResource, WikimediaResource, run_release
from mlm_assets.settings import SERVICES, Settings
from mlm_assets.tables import TABLES

OWNERS = ["team:dataset-maintainers"]
MONTHLY = dg.FreshnessPolicy.time_window(warn_window=timedelta(days=35), fail_window=timedelta(days=65))
"""Every table follows the monthly refresh: it is fresh for a month, and fails when a second refresh is missed."""
_RECIPE = "recipe:"
_ASKS_FOR = {"changed_facts": "facts"}
"""Tables that ask on behalf of all partitions of another one."""
CODE_VERSIONS: dict[str, str] = {}
"""Code version per table, filled by `described`; a change makes `mlm run` materialise the table again."""


class FetchConfig(dg.Config):
    """How an asset that asks a service treats answers that are stored already."""

    refetch: bool = False
    """Ask again even where this release's answer is stored. Answers replace the stored ones."""
    full: bool = False
    """Take nothing over from earlier releases (docs/refresh.md); so do runs with the tag `mlm/full`."""


PARAMETERS = ("base_class", "hops", "t_min", "t_max", "quota_total")
"""Settings that decide what a release holds; everything downstream reads them from the manifest."""


@dataclass(frozen=True)
class Rule:
    """A rule that the asset itself judges: whether it holds, the sentence and figures to show, and what explains it."""

    name: str
    holds: bool
    sentence: str
    figures: Mapping[str, Any] = field(default_factory=dict)
    is_blocking: bool = True
    cause: str | None = None

    def verdict(self, table: str) -> Verdict:
        """Return what it says of `table`."""
        return Verdict(
            table, self.name, self.holds, self.sentence, "ERROR" if self.is_blocking else "WARN", self.is_blocking,
            self.figures, cause=self.cause,
        )  # fmt: skip


@dataclass(frozen=True)
class Draft:
    """A version that was written, and has not been audited yet."""

    version: Version
    before: Accepted | None
    verdicts: tuple[Verdict, ...]
    """What the asset's own rules say of it."""
    metadata: Mapping[str, Any]
    n_unavailable: int


def described(
    name: str,
    kinds: set[str],
    code_version: str = "1",
    rules: Mapping[str, str] | None = None,
    advisory: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the arguments of `dg.asset` that the registry knows of table `name`.

    `rules` maps the names of the asset's own blocking rules to their descriptions, `advisory` those that only warn.
    """
    table = TABLES[name]
    CODE_VERSIONS[name] = code_version
    own = [Check(rule, text, True) for rule, text in (rules or {}).items()]
    own += [Check(rule, text, False) for rule, text in (advisory or {}).items()]
    audit.OWN_CHECKS[name] = (*own, *asides_of(name))
    return {
        "description": f"{table.description} One row is {table.grain}.",
        "group_name": table.group,
        "owners": OWNERS,
        "kinds": kinds | {"parquet"},
        "code_version": code_version,
        "freshness_policy": MONTHLY,
        "metadata": definition_metadata(table),
    }


def described_spec(
    name: str,
    kinds: set[str],
    deps: Sequence[Any],
    code_version: str = "1",
    *,
    automation_condition: dg.AutomationCondition[Any] | None = None,
    skippable: bool = False,
    rules: Mapping[str, str] | None = None,
    advisory: Mapping[str, str] | None = None,
) -> dg.AssetSpec:
    """Return the same for one output of a multi-asset."""
    arguments = described(name, kinds, code_version, rules, advisory)
    return dg.AssetSpec(
        asset_key(name), deps=deps, skippable=skippable, automation_condition=automation_condition, **arguments
    )


class Stage:
    """One materialisation of one partition."""

    def __init__(self, context: dg.AssetExecutionContext, resource: LakeResource) -> None:
        """Open the lake for this run."""
        self.settings: Settings = resource.settings()
        self.lake: Lake = resource.open()
        self.partition: str = context.partition_key if context.has_partition_key else ""
        # A release asset belongs to its partition's release; a shard to the release that it is refreshed for.
        is_release = self.partition in release_window(self.settings.support_start)
        self.release: str = self.partition if is_release else run_release(context.run.tags, self.settings)
        # Read before any input: whoever accepts another version from here on worked from other inputs than we do.
        names = [key.to_user_string() for key in context.selected_asset_keys]
        self._before = {name: self.lake.accepted(name, self.partition) for name in names}
        self._inputs: dict[str, str] = {}
        self._views: dict[str, Any] = {}
        self._parameters: dict[str, Any] = {name: getattr(self.settings, name) for name in PARAMETERS}
        self._context = context
        self._tags = context.run.tags
        self._tables = names
        self._asked: tuple[Transport, Counter[str], Counter[str]] | None = None
        self._started = time.monotonic()

    def version(self, name: str, partition: str = "") -> Accepted:
        """Return the accepted version of a table partition and record that it was used."""
        accepted = self.lake.require(name, partition)
        self._inputs[f"{name}/{partition}"] = accepted.version
        seen = self._views.setdefault(name, [])
        if accepted not in seen:
            seen.append(accepted)
        return accepted

    def provide(self, name: str, rows: Any) -> None:
        """Let the checks read `rows` (versions of a table, or a pyarrow table) under the name `name`."""
        self._views[name] = rows

    def pinned(self, name: str, value: str) -> None:
        """Take note of a parameter that the manifest pins; the checks go by it."""
        self._parameters[name] = int(value) if value.isdecimal() else value

    def transport(self, resource: WikimediaResource, config: FetchConfig) -> Transport:
        """Return the transport to a service; what is asked through it from now on is shown with the result."""
        transport = resource.transport(self._tags, config.refetch)
        self._asked = transport, Counter(transport.requests), Counter(transport.bytes)
        return transport

    def basis(
        self, config: FetchConfig, name: str, partition: str | None = None, as_in: Accepted | None = None
    ) -> Accepted | None:
        """Return the version that rows may be taken over from, and record it; None where all has to be asked for.

        It is the one accepted last for an earlier release, never one of the same release, so that whoever makes a
        release again asks the same questions; and only if it was made by today's code. `partition` is by default the
        one that is materialised. With `as_in`, that version must have been made with the same basis. A replay takes
        over where the release did when it was made.
        """
        where = self.partition if partition is None else partition
        key = f"{BASIS}{name}/{where}"
        if config.full or FULL_TAG in self._tags or not self._took_over(key):
            return None
        found = self._last_before(name, where, key, [as_in] if as_in is not None else self._made())
        if found is None or found.code_version != CODE_VERSIONS[name] or not self.lake.exists(found.path):
            return None
        if as_in is not None and as_in.inputs.get(key) != found.version:
            return None
        self._inputs[key] = found.version
        return found

    def earlier(self, name: str) -> Accepted | None:
        """Return the version accepted last for an earlier release, and record it; a full refresh looks at it too."""
        key = f"{EARLIER}{name}/{self.partition}"
        found = self._last_before(name, self.partition, key, self._made())
        if found is not None:
            self._inputs[key] = found.version
        return found

    def compared_with(self, version: Version) -> None:
        """Record a version of an earlier release that the result is compared with."""
        self._inputs[f"{EARLIER}{version.table}/{version.partition}"] = version.version

    def _last_before(self, name: str, partition: str, key: str, made: Sequence[Accepted]) -> Accepted | None:
        """Return the version of an earlier release that one of `made` notes under `key`, else the last one.

        A missed month that was made up for since comes between the two, and changes no question of this release.
        """
        earlier = [one for one in self.lake.history(name, partition) if one.release < self.release]
        noted = [one for one in earlier if any(other.inputs.get(key) == one.version for other in made)]
        found = noted or earlier
        return found[-1] if found else None

    def _made(self) -> list[Accepted]:
        """Return the version that was made for this release before, if one was."""
        return [one for one in self.lake.history(self._tables[0], self.partition) if one.release == self.release]

    def _took_over(self, key: str) -> bool:
        """Tell whether the version of this release took rows over, where it is replayed; else that it may."""
        if self._tags.get(MODE_TAG) != "replay":
            return True
        return all(key in one.inputs for one in self._made())

    def setting(self, name: str) -> Any:
        """Return a setting and record that its value decided the result."""
        value = getattr(self.settings, name)
        self._inputs[f"setting:{name}"] = str(value)
        return value

    def recipe(self) -> Recipe:
        """Return the recipe of the settings and record what it says."""
        recipe = load_recipe(self.settings.recipe)
        self._inputs[f"{_RECIPE}{self.settings.recipe}"] = recipe.digest()
        return recipe

    def draft(
        self,
        name: str,
        rows: Any,
        *,
        rules: Sequence[Rule] = (),
        metadata: Mapping[str, Any] | None = None,
        n_unavailable: int = 0,
    ) -> Draft:
        """Write `rows` as a version of table `name`; it is not audited yet."""
        kept, aside = set_aside(self.lake, name, self.partition, rows, self.release, self._context.run.run_id)
        version = self.lake.write(name, self.partition, kept)
        verdicts = (*(rule.verdict(name) for rule in rules), *aside)
        return Draft(version, self._before[name], verdicts, dict(metadata or {}), n_unavailable)

    def publish(
        self, *drafts: Draft, prepare: Callable[[Draft], Mapping[str, Any]] | None = None
    ) -> Iterator[dg.MaterializeResult]:
        """Audit the drafts; if nothing blocks any of them, accept them all and report each.

        `prepare` makes what readers will find beside the table (files), just before it is accepted, and returns what
        to show of it.

        Raises:
            BlockedByCheck: something blocks; the verdicts are kept and shown, and readers keep what they had.
        """
        views = {**self._views, **{draft.version.table: [draft.version] for draft in drafts}}
        subjects = [self._subject(draft, views) for draft in drafts]
        audits = [audit.audit(self.lake, subject) for subject in subjects]
        is_sound = not any(found.blocking for found in audits)
        made = [dict(prepare(draft)) if is_sound and prepare else {} for draft in drafts]
        # Audits are kept before a pointer moves: whoever is killed in between leaves the old version and its reasons.
        for draft, subject, found in zip(drafts, subjects, audits, strict=True):
            self._keep(draft, subject, found, [one.version for one in drafts])
        if not is_sound:
            self._reject(drafts, audits)
        for draft, found, more in zip(drafts, audits, made, strict=True):
            self._accept(draft)
            yield self._result(draft, more)
            if not _has_recheck(self._context, draft.version.table):
                self._report(draft.version, (*found.verdicts, audit.accepted_verdict(found, draft.before)))

    def publish_one(
        self,
        name: str,
        rows: Any,
        *,
        rules: Sequence[Rule] = (),
        metadata: Mapping[str, Any] | None = None,
        n_unavailable: int = 0,
        prepare: Callable[[Draft], Mapping[str, Any]] | None = None,
    ) -> Iterator[dg.MaterializeResult]:
        """Write, audit, accept and report one table (see `publish`)."""
        draft = self.draft(name, rows, rules=rules, metadata=metadata, n_unavailable=n_unavailable)
        yield from self.publish(draft, prepare=prepare)

    def _requests(self) -> dict[str, Any]:
        """Return requests and bytes per service since `transport` was called; stored answers count nothing."""
        if self._asked is None:
            return {}
        transport, requests, received = self._asked
        counts = {f"requests_{service}": transport.requests[service] - requests[service] for service in SERVICES}
        sizes = {f"bytes_{service}": transport.bytes[service] - received[service] for service in SERVICES}
        return {name: n for name, n in {**counts, **sizes}.items() if n}

    def _subject(self, draft: Draft, views: Mapping[str, Any]) -> Subject:
        return Subject(
            draft.version,
            self.release,
            draft.before,
            views,
            {**self._parameters, "partition": self.partition, "release": self.release, "shards": self.settings.shards},
            self._inputs,
            draft.verdicts,
        )

    def _keep(self, draft: Draft, subject: Subject, found: Audit, together: Sequence[Version]) -> None:
        self.lake.write_audit(
            audit.record(
                found,
                subject,
                run_id=self._context.run.run_id,
                at=utc_now(),
                inputs=self._inputs,
                code_version=CODE_VERSIONS[draft.version.table],
                n_unavailable=draft.n_unavailable,
                together=together,
            )
        )

    def _accept(self, draft: Draft) -> None:
        self.lake.accept(
            draft.version,
            release=self.release,
            inputs=self._inputs,
            code_version=CODE_VERSIONS[draft.version.table],
            n_unavailable=draft.n_unavailable,
            run_id=self._context.run.run_id,
            approval=approval_of(draft.version, draft.before),
            expected=draft.before,
        )

    def _reject(self, drafts: Sequence[Draft], audits: Sequence[Audit]) -> None:
        """Show what every check said, and why readers keep what they had; then fail.

        Raises:
            BlockedByCheck: always.
        """
        reasons = []
        for draft, found in zip(drafts, audits, strict=True):
            version, whole = draft.version, audit.accepted_verdict(found, draft.before)
            self._report(version, (*found.verdicts, whole))
            if found.blocking:
                reasons += [f"{version.table}: {one.check}: {one.sentence}" for one in found.blocking]
                record_event(self._context, self._observation(draft, whole))
        raise BlockedByCheck("; ".join(reasons))

    def _report(self, version: Version, verdicts: Sequence[Verdict]) -> None:
        """Tell Dagster what the checks said, of the materialisation that is the newest now."""
        for evaluation in audit.evaluations(self.lake, self._context.instance, version, verdicts):
            record_event(self._context, evaluation)

    def _observation(self, draft: Draft, whole: Verdict) -> dg.AssetObservation:
        shown = self._shown(draft, is_accepted=False)
        return dg.AssetObservation(
            asset_key(draft.version.table),
            f"Rejected: {whole.sentence}",
            partition=draft.version.partition or None,
            metadata={"rejected": whole.sentence, **shown},
        )

    def _shown(self, draft: Draft, *, is_accepted: bool) -> dict[str, Any]:
        shown = materialisation_metadata(
            self.lake,
            draft.version,
            is_accepted=is_accepted,
            before=draft.before,
            duration_s=time.monotonic() - self._started,
        )
        return {**shown, **self._requests(), **draft.metadata}

    def _result(self, draft: Draft, more: Mapping[str, Any]) -> dg.MaterializeResult:
        version = draft.version
        return dg.MaterializeResult(
            asset_key=asset_key(version.table),
            metadata={**self._shown(draft, is_accepted=True), **more},
            data_version=dg.DataVersion(version.version),
            tags={"mlm/release": self.release},
        )


def _has_recheck(context: dg.AssetExecutionContext, name: str) -> bool:
    """Tell whether the checks of a table are a step of this run, which will report what this one finds (`rechecks`)."""
    return any(
        spec.asset_key == asset_key(name)
        for data in context.job_def.asset_layer.data
        for spec in data.assets_def.node_check_specs_by_output_name.values()
    )


def is_current(
    lake: Lake, settings: Settings, name: str, partition: str, release: str | None, *, is_full: bool = False
) -> bool:
    """Tell whether the accepted version needs no new materialisation: made for `release` (None: for any), by today's
    code, from the inputs that are accepted now and the settings of now, and with nothing that a service still owes.

    With `is_full`, one that took rows over from an earlier release is not what is wanted either.
    """
    accepted = lake.accepted(name, partition)
    if accepted is None or accepted.n_unavailable or accepted.code_version != CODE_VERSIONS[name]:
        return False
    if quarantine.is_due(lake, name, partition) or _is_to_ask_again(lake, name):
        return False
    if release is not None and accepted.release != release:
        return False
    if is_full and any(key.startswith(BASIS) for key in accepted.inputs):
        return False
    return all(_is_same(lake, settings, key, value) for key, value in accepted.inputs.items())


def _is_to_ask_again(lake: Lake, name: str) -> bool:
    """Tell whether a table asks on behalf of another one of which a row is to be asked for again."""
    asked_for = _ASKS_FOR.get(name)
    return asked_for is not None and any(
        entry.table == asked_for and entry.state == "retried" for entry in quarantine.all_entries(lake)
    )


def _is_same(lake: Lake, settings: Settings, key: str, value: str) -> bool:
    if key.startswith((BASIS, EARLIER)):  # of an earlier release, which this one does not follow any more
        return True
    if key.startswith("setting:"):
        return str(getattr(settings, key.removeprefix("setting:"))) == value
    if key.startswith(_RECIPE):
        return key.removeprefix(_RECIPE) == settings.recipe and _digest_of(settings.recipe) == value
    name, _, partition = key.rpartition("/")
    accepted = lake.accepted(name, partition)
    return accepted is not None and accepted.version == value


def _digest_of(recipe: str) -> str | None:
    """Return what a recipe says now; None where its file is gone or no longer understood, and so not what it was."""
    try:
        return load_recipe(recipe).digest()
    except Refused:
        return None
