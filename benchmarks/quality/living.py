"""The two things that the suite does with a home: live through clean months, and seed a fault into one of them.

Results are files in the work folder, one for each clean month and one for each fault, so that a bench that was killed
goes on where it stopped. A clean history goes on from the last copy of its home that was kept (`KEPT`).
"""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import requests

from benchmarks.quality.audits import Failure, as_rows, from_rows, told_of
from benchmarks.quality.home import N_MONTHS, Home, Month, make_month, quick, release_of
from benchmarks.quality.kinds import Kind, is_among_causes, is_right_cause

EARLY: Final = 1
"""A month in which there is hardly any history; some faults are seeded there, too."""
KEPT: Final = (0, 6, 13, 20, 27)
"""Months after which a copy of a clean home is kept, besides those that faults need."""
_STAYS: Final = 3
"""Months for which a fault that is not found stays."""
Say = Callable[[str], None]


@contextmanager
def serving(seed: int, n_candidates: int) -> Iterator[Callable[[int, Sequence[str]], None]]:
    """Serve a world, put it into the environment, and yield what moves it to a month, tampered with or not."""
    from mlm_assets.commands.endpoints import endpoint_settings
    from mlm_assets.local_wikimedia.process import running_server

    with running_server(generate=n_candidates, seed=seed) as url:
        os.environ |= {f"MLM_{name.upper()}": value for name, value in endpoint_settings(url).items()}

        def move(month: int, tampering: Sequence[str] = ()) -> None:
            asked = {"month": month, "tampering": list(tampering)}
            answer = requests.post(f"{url}/_world", json=asked, timeout=120)
            if not answer.ok:
                raise RuntimeError(f"The local Wikimedia refuses month {month} with {tampering}: {answer.text}")

        yield move


# -- clean history -----------------------------------------------------------------------------------------------------


def live(work: Path, seed: int, n_months: int, n_candidates: int, needed: Sequence[int], say: Say) -> None:
    """Live through the clean months of a seed that are not done yet; copies after `needed` months stay."""
    folder = seed_folder(work, seed)
    folder.mkdir(parents=True, exist_ok=True)
    first = _first_month(folder, n_months)
    if first == n_months:
        return
    with serving(seed, n_candidates) as move, quick():
        home = Home(folder / "home")
        for month in range(first, n_months):
            _clean_month(home, folder, seed, month, move, say)
            home.forget_datasets(release_of(month))
            if month in needed or month in KEPT:
                home.copy_to(folder / f"after-{month:02d}")
                _forget_copies(folder, month, needed)


def _clean_month(
    home: Home, folder: Path, seed: int, month: int, move: Callable[[int, Sequence[str]], None], say: Say
) -> None:
    began, wall = time.process_time(), time.monotonic()
    move(month, ())
    found = make_month(home, release_of(month), expects=lambda _: True)
    if found.stopped_at:
        sentences = [one.sentence for one in found.failures if one.blocks]
        raise RuntimeError(f"Seed {seed}, month {month} stopped at {found.stopped_at}: {sentences}")
    result = {
        "seed": seed, "month": month, "failures": as_rows(found.failures), "approved": found.approved,
        "cpu_s": round(time.process_time() - began, 2), "wall_s": round(time.monotonic() - wall, 2),
    }  # fmt: skip
    _keep(folder / f"month-{month:02d}.json", result)
    say(f"seed {seed:2d}  month {month:2d}  {clean_words(found.failures)}  ({result['cpu_s']:.1f} s CPU)")


def clean_words(failures: Sequence[Failure]) -> str:
    """Say what a maintainer is told of a clean month."""
    blocked, warned = told_of(failures, blocking=True), told_of(failures, blocking=False)
    said = [f"BLOCKED {table} {check}" for table, check in sorted(blocked)]
    said += [f"warned {table} {check}" for table, check in sorted(warned)]
    return ", ".join(said) or "clean"


def _first_month(folder: Path, n_months: int) -> int:
    """Return the month to go on with, and put the home back to what it was before it."""
    done = [month for month in range(n_months) if (folder / f"month-{month:02d}.json").is_file()]
    if len(done) == n_months:
        return n_months
    kept = [month for month in done if (folder / f"after-{month:02d}").is_dir()]
    shutil.rmtree(folder / "home", ignore_errors=True)
    if not kept:
        return 0
    Home(folder / f"after-{kept[-1]:02d}").copy_to(folder / "home")
    return kept[-1] + 1


def _forget_copies(folder: Path, month: int, needed: Sequence[int]) -> None:
    for copy in folder.glob("after-*"):
        number = int(copy.name.removeprefix("after-"))
        if number != month and number not in needed:
            shutil.rmtree(copy, ignore_errors=True)


def seed_folder(work: Path, seed: int) -> Path:
    """Return where the home and the results of a seed lie."""
    return work / f"seed-{seed:02d}"


def clean_results(work: Path, seed: int) -> dict[int, dict[str, Any]]:
    """Return the results of the clean months of a seed that are done."""
    found = (json.loads(file.read_text("utf-8")) for file in sorted(seed_folder(work, seed).glob("month-*.json")))
    return {one["month"]: one for one in found}


# -- faults ------------------------------------------------------------------------------------------------------------


def fault_file(work: Path, kind: Kind, month: int) -> Path:
    """Return where the result of a fault lies."""
    return work / "faults" / f"{kind.name}-{month:02d}.json"


def seed_faults(work: Path, seed: int, n_candidates: int, wanted: Sequence[tuple[Kind, int]], say: Say) -> None:
    """Seed each (kind, month) that is not done yet into a copy of the clean home of `seed` as of the month before."""
    left = [(kind, month) for kind, month in wanted if not fault_file(work, kind, month).is_file()]
    if not left:
        return
    clean = {month: from_rows(one["failures"]) for month, one in clean_results(work, seed).items()}
    (work / "faults").mkdir(parents=True, exist_ok=True)
    with serving(seed, n_candidates) as move, quick():
        for kind, month in left:
            began = time.process_time()
            root = work / "faults" / f"home-{kind.name}-{month:02d}"
            Home(seed_folder(work, seed) / f"after-{month - 1:02d}").copy_to(root)
            result = _seed_one(Home(root), kind, month, clean, move)
            result["cpu_s"] = round(time.process_time() - began, 2)
            _keep(fault_file(work, kind, month), result)
            shutil.rmtree(root, ignore_errors=True)
            say(f"{fault_words(result)}  ({result['cpu_s']:.1f} s CPU)")


def _seed_one(
    home: Home,
    kind: Kind,
    month: int,
    clean: dict[int, list[Failure]],
    move: Callable[[int, Sequence[str]], None],
) -> dict[str, Any]:
    """Let a fault stay until what it deserves is found, or for some months; return what was found, and when."""
    warned: dict[str, Any] = {}
    for later in range(_STAYS + 1):
        if month + later >= N_MONTHS:
            break
        ordinary = {one.told for one in clean.get(month + later, ())}
        move(month + later, kind.served)
        found = _faulty_month(home, kind, month + later, partial(_is_known, ordinary))
        news = [one for one in found.failures if one.told not in ordinary and not one.is_excused]
        blocking = [one for one in news if one.blocks]
        if found.stopped_at and blocking:
            return _result(kind, month, later, found.stopped_at, blocking, warned)
        if news and not warned:
            warned = _result(kind, month, later, "", news, {})
            if not kind.is_wrong:
                return warned
        home.forget_datasets(release_of(month + later))
    return warned or _result(kind, month, None, "", [], {})


def _is_known(ordinary: set[tuple[str, str]], failure: Failure) -> bool:
    return failure.told in ordinary


def _faulty_month(home: Home, kind: Kind, month: int, expects: Callable[[Failure], bool]) -> Month:
    with kind.seeded(home, month) as seeding:
        found = make_month(home, seeding.release, expects=expects, skip=seeding.skip, before=seeding.before)
        if not found.stopped_at:
            _afterwards(home, seeding, found)
    return found


def _afterwards(home: Home, seeding: Any, found: Month) -> None:
    """Do what comes after the datasets: tables of models, which have no asset here."""
    from benchmarks.quality.audits import failures_of
    from mlm_assets.errors import BlockedByCheck

    try:
        seeding.afterwards()
    except BlockedByCheck:
        found.stopped_at = "train_models"
    found.failures = failures_of(home.lake, seeding.release)


def _result(
    kind: Kind, month: int, later: int | None, stopped_at: str, news: Sequence[Failure], warned: dict[str, Any]
) -> dict[str, Any]:
    named = [one for one in news if one.cause]
    return {
        "kind": kind.name, "month": month, "is_wrong": kind.is_wrong, "hits": kind.hits_one,
        "found": ("blocked" if stopped_at else "warned") if news else "", "after_months": later, "leg": stopped_at,
        "table": news[0].table if news else "",
        "checks": list(dict.fromkeys(f"{one.table}.{one.check}" for one in news)),
        "sentence": news[0].sentence if news else "", "cause": named[0].cause if named else "",
        "is_cause_right": is_right_cause(kind, news) if news else None,
        "is_cause_named": is_among_causes(kind, news) if news else None,
        "warned_after": warned.get("after_months"), "failures": as_rows(news),
    }  # fmt: skip


def is_found(result: dict[str, Any]) -> bool:
    """Tell whether a fault was found as it deserves: blocked where the data would be wrong, else at least warned."""
    return result["found"] == "blocked" or (result["found"] == "warned" and not result["is_wrong"])


def fault_words(result: dict[str, Any]) -> str:
    """Say what became of a fault."""
    how = result["found"].upper() or "MISSED"
    late = f" after {result['after_months']} months" if result["after_months"] else ""
    verdict = "" if is_found(result) else "  <- not as it deserves"
    checks = ", ".join(result["checks"][:3]) + (f", … {len(result['checks'])}" if len(result["checks"]) > 3 else "")
    cause = f"  cause: {result['cause']}" if result["cause"] else ""
    right = {True: " (right)", False: " (not what was hit)", None: ""}[result["is_cause_right"]] if cause else ""
    return f"{result['kind']:32s} {how}{late}  {checks}{cause}{right}{verdict}"


def _keep(file: Path, result: dict[str, Any]) -> None:
    temporary = file.with_name(f".tmp-{file.name}")
    temporary.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8")
    temporary.replace(file)
