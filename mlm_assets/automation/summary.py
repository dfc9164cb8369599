"""The counts and checks of a release, as `run_summary.json` and the command line give them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from mlm_assets.checks.verdicts import ACCEPTED_CHECK
from mlm_assets.resources.catalogue import write_catalogue
from mlm_assets.resources.lake import Lake, Version
from mlm_assets.resources.services import Mode, shared_transport
from mlm_assets.settings import SERVICES, Settings
from mlm_assets.tables import LANGUAGES, TABLES, VARIANTS

SUMMARY_FILE: Final = "run_summary.json"


def sum_up(settings: Settings, lake: Lake, mode: Mode) -> dict[str, Any]:
    """Write the catalogue and the summary of a walk that ended, one way or the other; return the summary.

    `settings.release` is the release; requests and bytes are those of this process.
    """
    release = str(settings.release)
    transport = shared_transport(settings, lake.url, release, mode)
    summary = {
        "release": release,
        "counts": counts_of(lake, release),
        "requests": {service: transport.requests[service] for service in SERVICES},
        "bytes": {service: transport.bytes[service] for service in SERVICES},
        "requests_by_kind": _by_kind(transport.purposes),
        "checks": checks_of(lake, release),
    }
    write_catalogue(lake, settings.home)
    _write_summary(settings.home, summary)
    return summary


def _by_kind(purposes: Mapping[tuple[str, str], int]) -> dict[str, dict[str, int]]:
    """Return how many requests were sent to each service for which purpose."""
    return {
        service: {purpose: n for (of, purpose), n in sorted(purposes.items()) if of == service} for service in SERVICES
    }


def _write_summary(home: Path, summary: dict[str, Any]) -> None:
    temporary = home / f".tmp-{SUMMARY_FILE}"
    temporary.write_text(json.dumps(summary, indent=1, ensure_ascii=False) + "\n", "utf-8")
    temporary.replace(home / SUMMARY_FILE)


def counts_of(lake: Lake, release: str) -> dict[str, Any]:
    """Return how many rows of each kind a release has; zero for what it does not have yet.

    The keys are the fixed names of `run_summary.json` (README).
    """
    members = _rows(lake, [lake.accepted("members", release)], ("variant", "is_member", "reason"))
    cells = _rows(lake, [lake.accepted("geo_cells", release)], ("variant",))
    return {
        "classes": _n_rows(lake, "settlement_classes"),
        "candidates": _n_rows(lake, "candidates"),
        "settlements": _n_rows(lake, "settlements"),
        "rejections": _tally(_rows(lake, lake.accepted_all("rejections"), ("reason",)), "reason"),
        "summaries": _summaries(lake),
        "images": _tally(_rows(lake, lake.accepted_all("images"), ("status",)), "status").get("ok", 0),
        "datasets": {
            variant: sum(row["variant"] == variant and row["is_member"] for row in members) for variant in VARIANTS
        },
        "excluded": {
            variant: _tally([row for row in members if row["variant"] == variant and row["reason"]], "reason")
            for variant in VARIANTS
        },
        "cells": {variant: sum(row["variant"] == variant for row in cells) for variant in VARIANTS},
    }


def checks_of(lake: Lake, release: str) -> list[dict[str, Any]]:
    """Return what every check said of the newest versions that were made for a release, and of each as a whole."""
    audits = [audit for name in TABLES for audit in lake.audits(name) if audit["release"] == release]
    return [line for audit in audits for line in _checks(audit, lake.is_readable(audit))]


def _checks(audit: dict[str, Any], is_readable: bool) -> list[dict[str, Any]]:
    said = [{key: check[key] for key in ("check", "passed", "severity", "blocking")} for check in audit["checks"]]
    said.append({"check": ACCEPTED_CHECK, "passed": is_readable, "severity": "ERROR", "blocking": True})
    return [{"asset": audit["table"], "partition": audit["partition"], **check} for check in said]


def _n_rows(lake: Lake, name: str) -> int:
    return sum(version.n_rows for version in lake.accepted_all(name))


def _summaries(lake: Lake) -> dict[str, int]:
    rows = _rows(lake, lake.accepted_all("summaries"), ("lang", "status"))
    found = _tally([row for row in rows if row["status"] == "ok"], "lang")
    return {lang: found.get(lang, 0) for lang in LANGUAGES}


def _rows(lake: Lake, versions: Any, columns: tuple[str, ...]) -> list[dict[str, Any]]:
    several: list[Version] = [version for version in versions if version is not None]
    return [row for version in several for row in lake.read(version).select(list(columns)).to_pylist()]


def _tally(rows: list[dict[str, Any]], column: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for row in rows:
        counts[row[column]] = counts.get(row[column], 0) + 1
    return dict(sorted(counts.items()))
