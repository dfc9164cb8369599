"""Small homes for tests of alerts: audits and pointers as the lake keeps them, without any rows."""

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from mlm_assets.alerts.records import Observed
from mlm_assets.resources.lake import Accepted, Lake, file_partition, file_table
from mlm_assets.settings import Settings, load_settings

RELEASE = "2026-12"
NOW = datetime(2026, 12, 3, 12, 0, tzinfo=UTC)
OWNERS = {"summaries": ("team:dataset-maintainers",), "images": ("team:media",)}


def failed(check: str = "rows_by_language", **more: Any) -> dict[str, Any]:
    """Return what a check said that failed and blocks, unless `more` says otherwise."""
    return {
        "check": check, "passed": False, "severity": "ERROR", "blocking": True,
        "sentence": "40 % fewer rows than in 2026-11.", "figures": {"n_rows": 60, "n_before": 100}, "sample": [],
        "rows_path": None, "cause": "French (fr) explains 100 % of the loss", "crashed": False, **more,
    }  # fmt: skip


def passed(check: str = "key_is_unique") -> dict[str, Any]:
    return failed(check, passed=True, sentence="", figures={}, cause=None)


class World:
    """A home whose lake is filled by hand, and what Dagster is said to hold."""

    def __init__(self, home: Path, **settings: Any) -> None:
        home.mkdir(exist_ok=True)
        self.settings: Settings = load_settings(home, **settings)
        self.lake = Lake(home, home / ".locks")
        self.observed = Observed(NOW, owners=OWNERS)

    def later(self, **passed_time: float) -> "World":
        """Let time pass."""
        self.observed = replace(self.observed, now=self.observed.now + timedelta(**passed_time))
        return self

    def audit(self, table: str, partition: str, version: str, *checks: dict[str, Any], release: str = RELEASE) -> None:
        """Write the newest audit of a partition."""
        self.lake.write_audit(
            {
                "table": table, "partition": partition, "version": version, "n_rows": 60, "release": release,
                "run_id": "r1", "at": NOW.isoformat(), "before": None, "inputs": {}, "code_version": "1",
                "n_unavailable": 0, "together": [], "checks": list(checks),
            }
        )  # fmt: skip

    def accept(
        self, table: str, partition: str, version: str, *, release: str = RELEASE, at: datetime = NOW,
        approval: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        """Move a pointer, whatever was there."""
        one = Accepted(table, partition, version, 100, release, {}, "1", 0, "r0", at.isoformat(), approval)
        path = f"accepted/{file_table(table)}/{file_partition(partition)}.json"
        self.lake.write_bytes(path, json.dumps(asdict(one)).encode())

    def block(self, partition: str = "fr|00", table: str = "summaries", **said: Any) -> None:
        """Leave a partition with a version that was accepted last month, and a newer one that a check blocks."""
        self.accept(table, partition, "good", release="2026-11", at=NOW - timedelta(days=30))
        self.audit(table, partition, "bad", passed(), failed(**said))

    def repair(self, partition: str = "fr|00", table: str = "summaries") -> None:
        """Accept a newer version that passed."""
        self.audit(table, partition, "better", passed(), failed(passed=True))
        self.accept(table, partition, "better", at=self.observed.now)

    def approve(self, partition: str = "fr|00", table: str = "summaries", version: str = "bad") -> None:
        """Let readers have what a check has rejected."""
        self.accept(table, partition, version, approval={"by": "anna", "reason": "the Wikipedia is closed"})
