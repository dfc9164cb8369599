"""What every asset does besides its own sentence: know its release, read inputs, write, audit, accept, report.

An asset opens a `Stage`, reads through it (so that what it was made from is recorded), and ends with `publish`.
A version is written first, audited by the constraints of the registry and the asset's own rules, and accepted only
if all blocking rules hold: readers never see a version that did not pass. What is shown of it is in `reporting`.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import dagster as dg

from mlm_assets.assets.reporting import asset_key, constraint_report, definition_metadata, materialisation_metadata
from mlm_assets.checks.constraints import violations
from mlm_assets.errors import Refused
from mlm_assets.ml.recipe import Recipe, load_recipe
from mlm_assets.releases import release_window
from mlm_assets.resources.http import Transport
from mlm_assets.resources.lake import Accepted, Lake, Version
from mlm_assets.resources.services import LakeResource, WikimediaResource, run_release
from mlm_assets.settings import SERVICES, Settings
from mlm_assets.tables import TABLES

OWNERS = ["team:dataset-maintainers"]
MONTHLY = dg.FreshnessPolicy.time_window(warn_window=timedelta(days=35), fail_window=timedelta(days=65))
"""Tables that a refresh brings up to date are fresh for a month, and fail when a second refresh is missed."""
_RECIPE = "recipe:"
CODE_VERSIONS: dict[str, str] = {}
"""Code version per table, filled by `described`; a change makes `mlm run` materialise the table again."""


class FetchConfig(dg.Config):
    """How an asset that asks a service treats answers that are stored already."""

    refetch: bool = False
    """Ask again even where this release's answer is stored. Answers replace the stored ones."""


@dataclass(frozen=True)
class Rule:
    """A rule besides the registry's constraints: whether it holds, and the sentence and figures to show."""

    name: str
    holds: bool
    sentence: str
    figures: Mapping[str, Any] = field(default_factory=dict)
    is_blocking: bool = True


@dataclass(frozen=True)
class Draft:
    """A written version that has not been accepted yet, with the verdicts on it."""

    version: Version
    before: Accepted | None
    checks: tuple[dg.AssetCheckResult, ...]
    metadata: Mapping[str, Any]
    n_unavailable: int

    @property
    def is_sound(self) -> bool:
        """Whether no check that blocks has failed."""
        return all(check.passed or check.severity != dg.AssetCheckSeverity.ERROR for check in self.checks)


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
    return {
        "description": f"{table.description} One row is {table.grain}.",
        "group_name": table.group,
        "owners": OWNERS,
        "kinds": kinds | {"parquet"},
        "code_version": code_version,
        "freshness_policy": None if "release" in table.partitioned_by else MONTHLY,
        "metadata": definition_metadata(table),
        "check_specs": check_specs(name, rules, advisory),
    }


def described_spec(
    name: str,
    kinds: set[str],
    deps: Sequence[Any],
    code_version: str = "1",
    *,
    automation_condition: dg.AutomationCondition[Any] | None = None,
    skippable: bool = False,
) -> dg.AssetSpec:
    """Return the same for one output of a multi-asset (its checks are given to the multi-asset itself)."""
    arguments = described(name, kinds, code_version)
    arguments.pop("check_specs")
    return dg.AssetSpec(
        asset_key(name), deps=deps, skippable=skippable, automation_condition=automation_condition, **arguments
    )


def check_specs(
    name: str, rules: Mapping[str, str] | None = None, advisory: Mapping[str, str] | None = None
) -> list[dg.AssetCheckSpec]:
    """Return the checks that run with table `name`: its constraints, and its own rules."""
    specs = [
        dg.AssetCheckSpec(
            "constraints",
            asset=asset_key(name),
            blocking=True,
            description="Key, nulls, allowed values, ranges and patterns of the registry.",
        )
    ]
    for is_blocking, described_rules in ((True, rules), (False, advisory)):
        specs += [
            dg.AssetCheckSpec(rule, asset=asset_key(name), blocking=is_blocking, description=text)
            for rule, text in (described_rules or {}).items()
        ]
    return specs


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
        self._tags = context.run.tags
        self._asked: tuple[Transport, Counter[str], Counter[str]] | None = None
        self._started = time.monotonic()

    def version(self, name: str, partition: str = "") -> Accepted:
        """Return the accepted version of a table partition and record that it was used."""
        accepted = self.lake.require(name, partition)
        self._inputs[f"{name}/{partition}"] = accepted.version
        return accepted

    def transport(self, resource: WikimediaResource, config: FetchConfig) -> Transport:
        """Return the transport to a service; what is asked through it from now on is shown with the result."""
        transport = resource.transport(self._tags, config.refetch)
        self._asked = transport, Counter(transport.requests), Counter(transport.bytes)
        return transport

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
        """Write `rows` as a version of table `name` and audit it."""
        version = self.lake.write(name, self.partition, rows)
        checks = [constraint_report(name, violations(TABLES[name], rows))]
        checks += [_rule_result(name, rule) for rule in rules]
        return Draft(version, self._before[name], tuple(checks), dict(metadata or {}), n_unavailable)

    def publish(self, *drafts: Draft) -> Iterator[dg.MaterializeResult]:
        """Accept the drafts if all of them are sound, and report each; a draft that is not sound fails the run."""
        sound = all(draft.is_sound for draft in drafts)
        for draft in drafts:
            if sound:
                self._accept(draft)
            yield self._result(draft, sound)

    def publish_one(
        self,
        name: str,
        rows: Any,
        *,
        rules: Sequence[Rule] = (),
        metadata: Mapping[str, Any] | None = None,
        n_unavailable: int = 0,
    ) -> dg.MaterializeResult:
        """Write, audit, accept and report one table."""
        draft = self.draft(name, rows, rules=rules, metadata=metadata, n_unavailable=n_unavailable)
        return next(self.publish(draft))

    def _requests(self) -> dict[str, Any]:
        """Return requests and bytes per service since `transport` was called; stored answers count nothing."""
        if self._asked is None:
            return {}
        transport, requests, received = self._asked
        counts = {f"requests_{service}": transport.requests[service] - requests[service] for service in SERVICES}
        sizes = {f"bytes_{service}": transport.bytes[service] - received[service] for service in SERVICES}
        return {name: n for name, n in {**counts, **sizes}.items() if n}

    def _accept(self, draft: Draft) -> None:
        self.lake.accept(
            draft.version,
            release=self.release,
            inputs=self._inputs,
            code_version=CODE_VERSIONS[draft.version.table],
            n_unavailable=draft.n_unavailable,
            expected=draft.before,
        )

    def _result(self, draft: Draft, is_accepted: bool) -> dg.MaterializeResult:
        version = draft.version
        shown = materialisation_metadata(
            self.lake,
            version,
            is_accepted=is_accepted,
            before=draft.before,
            duration_s=time.monotonic() - self._started,
        )
        return dg.MaterializeResult(
            asset_key=asset_key(version.table),
            metadata={**shown, **self._requests(), **draft.metadata},
            check_results=draft.checks,
            data_version=dg.DataVersion(version.version),
            tags={"mlm/release": self.release},
        )


def _rule_result(name: str, rule: Rule) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=asset_key(name),
        check_name=rule.name,
        passed=rule.holds,
        severity=dg.AssetCheckSeverity.ERROR if rule.is_blocking else dg.AssetCheckSeverity.WARN,
        description=rule.sentence,
        metadata=dict(rule.figures),
    )


def is_current(lake: Lake, settings: Settings, name: str, partition: str, release: str | None) -> bool:
    """Tell whether the accepted version needs no new materialisation: made for `release` (None: for any), by today's
    code, from the inputs that are accepted now and the settings of now, and with nothing that a service still owes."""
    accepted = lake.accepted(name, partition)
    if accepted is None or accepted.n_unavailable or accepted.code_version != CODE_VERSIONS[name]:
        return False
    if release is not None and accepted.release != release:
        return False
    return all(_is_same(lake, settings, key, value) for key, value in accepted.inputs.items())


def _is_same(lake: Lake, settings: Settings, key: str, value: str) -> bool:
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
