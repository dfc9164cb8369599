"""The support window as a home stands in it: which months are refreshed, drafted and published, what is next.

Reads the lake and the folders of releases only; the moment is an argument. It is shown by `mlm status`, by the asset
`support_window` in the UI, and decides what a tick of the schedule does (`schedules`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final

from dagster._utils.schedules import cron_string_iterator

from mlm_assets.assets.refresh import partitions_of
from mlm_assets.release.publication import Releases
from mlm_assets.releases import release_window
from mlm_assets.resources.lake import Lake
from mlm_assets.settings import Settings
from mlm_assets.tables import BENCHMARKS, REFRESHED, TRAINED_VARIANTS, VARIANTS

CATCH_UP: Final = (
    "a month that has gone by cannot be fetched as it was: `mlm run --release {release}` makes it from today's "
    "Wikidata, under its name"
)


@dataclass(frozen=True)
class Month:
    """One release of the window, and how far it is."""

    release: str
    refreshed_at: str
    """When its manifest was accepted; empty where it was not."""
    n_partitions: int
    """Table partitions that were brought up to date for it, where its refresh is not finished."""
    datasets: tuple[str, ...]
    models: tuple[str, ...]
    """Variants whose benchmark is there."""
    is_drafted: bool
    published: tuple[int, ...]
    """Versions that were published."""

    @property
    def is_refreshed(self) -> bool:
        """Whether its manifest is accepted."""
        return bool(self.refreshed_at)

    @property
    def words(self) -> str:
        """How far it is, as a phrase."""
        if self.published:
            return f"published v{self.published[-1]}"
        if self.is_drafted:
            return "drafted"
        if not self.is_refreshed:
            return f"begun ({self.n_partitions} of {_n_wanted()} table partitions)" if self.n_partitions else ""
        if set(self.models) == set(TRAINED_VARIANTS):
            return "trained"
        return "datasets" if set(self.datasets) == set(VARIANTS) else "refreshed"


@dataclass(frozen=True)
class Support:
    """The window of a home at a moment."""

    months: tuple[Month, ...]
    now: datetime
    next_at: datetime | None
    """When a tick of the schedule will refresh the next month; None where none is left."""
    next_release: str

    @property
    def this_month(self) -> str:
        """The month of `now`, whether in the window or not."""
        return month_of(self.now)

    @property
    def missing(self) -> tuple[str, ...]:
        """Months that have gone by without a refresh."""
        return tuple(one.release for one in self.months if one.release < self.this_month and not one.is_refreshed)

    @property
    def phase(self) -> str:
        """Where `now` lies: before, within or after the window."""
        if self.this_month < self.months[0].release:
            return "before"
        return "after" if self.this_month > self.months[-1].release else "within"

    def as_json(self) -> dict[str, Any]:
        """Return what `mlm status --json` says."""
        begun = [one for one in self.months if one.words]
        return {
            "start": self.months[0].release,
            "end": self.months[-1].release,
            "n_releases": len(self.months),
            "phase": self.phase,
            "this_month": self.this_month,
            "n_refreshed": sum(one.is_refreshed for one in self.months),
            "n_published": sum(bool(one.published) for one in self.months),
            "next_at": self.next_at.isoformat(timespec="minutes") if self.next_at else None,
            "next_release": self.next_release or None,
            "missing": list(self.missing),
            "releases": [{**asdict(one), "state": one.words} for one in begun],
        }


def support_of(settings: Settings, lake: Lake, now: datetime) -> Support:
    """Return how a home stands in its support window at the moment `now` (with a time zone)."""
    months = tuple(_months(settings, lake))
    next_at, next_release = _next(settings, months, now.astimezone(UTC))
    return Support(months, now.astimezone(UTC), next_at, next_release)


def month_of(moment: datetime) -> str:
    """Return the month of a moment in UTC, as releases are named."""
    return f"{moment.astimezone(UTC):%Y-%m}"


def _months(settings: Settings, lake: Lake) -> Sequence[Month]:
    def partitions(table: str) -> dict[str, str]:
        return {one.partition: one.accepted_at for one in lake.accepted_all(table)}

    refreshed, drafted = partitions("refresh"), partitions("release_files")
    datasets = {variant: partitions(variant) for variant in VARIANTS}
    models = {variant: partitions(table.name) for variant, table in zip(TRAINED_VARIANTS, BENCHMARKS, strict=True)}
    shards = [one.release for table in REFRESHED for one in lake.accepted_all(table)]
    return [
        Month(
            release,
            refreshed.get(release, ""),
            shards.count(release),
            tuple(variant for variant in VARIANTS if release in datasets[variant]),
            tuple(variant for variant in TRAINED_VARIANTS if release in models[variant]),
            release in drafted,
            tuple(Releases(settings.home, release).versions()),
        )
        for release in release_window(settings.support_start)
    ]


def _next(settings: Settings, months: Sequence[Month], now: datetime) -> tuple[datetime | None, str]:
    """Return the first tick from `now` on that finds its month in the window and not refreshed, and that month."""
    for one in months:
        if one.is_refreshed or one.release < month_of(now):
            continue
        begins = datetime.fromisoformat(f"{one.release}-01").replace(tzinfo=UTC)
        tick = next(cron_string_iterator(max(now, begins).timestamp(), settings.refresh_cron, "UTC"))
        if month_of(tick) == one.release:
            return tick.astimezone(UTC), one.release
    return None, ""


def _n_wanted() -> int:
    return sum(len(partitions_of(name)) for name in REFRESHED)


def lines(about: Mapping[str, Any]) -> list[str]:
    """Return the window, given as `Support.as_json`, as lines of text."""
    first, last, missing = about["start"], about["end"], about["missing"]
    said = [f"support: {first} … {last}, {about['n_refreshed']} of {about['n_releases']} releases refreshed"]
    states = [f"{one['release']} {one['state']}" for one in about["releases"]]
    said += [f"done: {', '.join(states[-6:])}"] if states else []
    if about["next_at"]:
        said.append(f"next: {about['next_release']}, by the tick of {about['next_at'][:16].replace('T', ' ')} UTC")
    elif about["phase"] == "after":
        said.append(f"next: none; the window has ended with {last}")
    else:
        said.append("next: none; no tick of the schedule falls into a month that is still to be refreshed")
    if missing:
        shown = ", ".join(missing[:6]) + (", …" if len(missing) > 6 else "")
        said.append(f"missing: {shown}; {CATCH_UP.format(release=missing[0])}")
    return said


def as_markdown(support: Support) -> str:
    """Return the window as a Markdown table, one row per month, with what is next and missing above it."""
    rows = [
        f"| {one.release} | {one.words or _absent(one, support)} | {one.refreshed_at[:16].replace('T', ' ')} "
        f"| {', '.join(one.datasets)} | {', '.join(one.models)} | {', '.join(f'v{n}' for n in one.published)} |"
        for one in support.months
    ]
    head = ["| release | state | refreshed (UTC) | datasets | models | published |", "| --- " * 6 + "|"]
    return "\n".join([*(f"{line}  " for line in lines(support.as_json())), "", *head, *rows])


def _absent(month: Month, support: Support) -> str:
    if month.release in support.missing:
        return "missing"
    return "next" if month.release == support.next_release else "to come"
