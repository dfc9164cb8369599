"""The fault suite's own logic: what counts as told, as found, as the right cause, and how it adds up."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.quality import report
from benchmarks.quality.audits import Failure, as_rows, failures_of, from_rows, told_of
from benchmarks.quality.held_out import HELD_OUT
from benchmarks.quality.home import N_MONTHS, Home, release_of
from benchmarks.quality.kinds import SERVED, Kind, doubled, edited, is_right_cause, lost, shifted, swapped
from benchmarks.quality.living import fault_words, is_found
from benchmarks.quality.ours import OURS
from benchmarks.quality.totals import clean_of, figures_of, wilson
from mlm_assets.local_wikimedia.tampering import KINDS
from mlm_assets.resources.lake import Lake

BLOCKED = Failure("facts", "00", "rows_do_not_drop", True, cause="country IT explains 98 %", blames=("country", "IT"))
WARNED = Failure("images", "01", "pictures_are_stable", False)


def audit(check: str, **more: Any) -> dict[str, Any]:
    said = {"check": check, "passed": False, "severity": "ERROR", "blocking": True, "crashed": False, "cause": None}
    return said | {"sentence": "Something fell.", "figures": {}, **more}


def keep(lake: Lake, partition: str, release: str, *checks: dict[str, Any]) -> None:
    lake.write_audit({"table": "facts", "partition": partition, "release": release, "checks": list(checks)})


def test_failures_are_read_from_the_audits_of_the_release(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    keep(
        lake, "00", "2027-01",
        audit("key_is_unique"), audit("a", severity="WARN"), audit("b", blocking=False), audit("c", passed=True),
        audit("d", blocking=False, crashed=True), audit("e", severity="WARN", sentence="By the fault suite: x"),
    )  # fmt: skip
    keep(lake, "01", "2026-12", audit("older"))
    found = {one.check: one for one in failures_of(lake, "2027-01")}
    assert list(found) == ["key_is_unique", "a", "b", "d", "e"]
    assert [name for name, one in found.items() if one.blocks] == ["key_is_unique", "d"]
    assert found["e"].is_excused
    assert told_of(found.values(), blocking=False) == {("facts", "a"), ("facts", "b")}
    assert from_rows(json.loads(json.dumps(as_rows(found.values())))) == list(found.values())


def test_a_check_of_several_partitions_is_told_once_and_blocking_wins() -> None:
    several = [
        WARNED,
        Failure("images", "00", WARNED.check, False),
        BLOCKED,
        Failure("facts", "01", BLOCKED.check, False),
    ]
    assert told_of(several, blocking=True) == {BLOCKED.told}
    assert told_of(several, blocking=False) == {WARNED.told}


@pytest.mark.parametrize(
    ("k", "n", "low", "high"), [(0, 360, 0.0, 0.01056), (5, 50, 0.0435, 0.2136), (10, 10, 0.7225, 1.0), (0, 0, 0, 1)]
)
def test_wilson(k: int, n: int, low: float, high: float) -> None:
    assert wilson(k, n) == pytest.approx((low, high), abs=5e-4)


def fault(name: str, found: str, *, is_wrong: bool, after: int | None = 0, right: bool | None = None) -> dict[str, Any]:
    return {
        "kind": name, "month": 14, "is_wrong": is_wrong, "found": found, "after_months": after, "table": "facts",
        "checks": ["facts.key_is_unique"] if found else [], "cause": "", "is_cause_right": right,
    }  # fmt: skip


def test_what_is_wrong_must_be_blocked_and_what_is_not_may_be_warned() -> None:
    assert is_found(fault("a", "blocked", is_wrong=True))
    assert not is_found(fault("a", "warned", is_wrong=True))
    assert is_found(fault("a", "warned", is_wrong=False))
    assert not is_found(fault("a", "", is_wrong=False))
    assert "MISSED" in fault_words(fault("a", "", is_wrong=True, after=None))
    assert "not as it deserves" in fault_words(fault("a", "warned", is_wrong=True))


def test_figures_add_up() -> None:
    months = [{"seed": seed, "month": month, "failures": []} for seed in (1, 2) for month in range(10)]
    months[3]["failures"] = as_rows([BLOCKED, WARNED])
    months[4]["failures"] = as_rows([WARNED])
    clean = clean_of(months)
    assert (clean.n_months, clean.n_seeds, clean.n_blocked_months, len(clean.warned)) == (20, 2, 1, 2)
    faults = [
        fault("a", "blocked", is_wrong=True, right=True), fault("b", "warned", is_wrong=True),
        fault("c", "warned", is_wrong=False, after=2), fault("d", "", is_wrong=True, after=None),
    ]  # fmt: skip
    figures = figures_of(clean, faults, [fault("e", "blocked", is_wrong=True)])
    wanted = {"kinds": 4, "found": 2, "blocking_false_alarms": 1, "warnings": 2, "precision": 0.5, "recall": 0.5}
    assert {name: figures[name] for name in wanted} == wanted
    assert (figures["found_at_once"], figures["longest_months_to_detection"]) == (1, 2)
    assert (figures["causes_right"], figures["causes_judged"]) == (1, 1)
    assert (figures["held_out_kinds"], figures["held_out_found"]) == (1, 1)
    assert figures_of(clean_of([]), [], [])["precision"] is None


def test_the_cause_is_right_if_it_names_what_is_hit() -> None:
    def kind(**hit: str) -> Kind:
        return Kind("x", "", True, **hit)  # type: ignore[arg-type]

    french = Failure(
        "summaries", "fr|00", "c", True, cause="French (fr) explains 100 % of the loss", blames=("lang", "fr")
    )
    assert is_right_cause(kind(lang="fr"), [WARNED, french, BLOCKED]) is True
    assert is_right_cause(kind(lang="fr"), [BLOCKED, french]) is False
    assert is_right_cause(kind(country="IT"), [BLOCKED]) is True
    assert is_right_cause(kind(country="IT"), [WARNED]) is False
    assert is_right_cause(kind(), [BLOCKED]) is None


def test_edits_change_what_they_say() -> None:
    rows = [{"qid": f"Q{n}", "a": n, "b": -n} for n in range(1, 101)]
    assert swapped("a", "b")(rows)[4] == {"qid": "Q5", "a": -5, "b": 5}
    assert [row["a"] for row in shifted("a")(rows)][:2] == [2, 3]
    assert shifted("a")(rows)[-1]["a"] == 1
    left = lost(0.2, "x")(rows)
    assert 70 <= len(left) <= 90
    assert left == lost(0.2, "x")(rows)
    assert len(doubled(0.2, "x")(rows)) == len(rows) + 100 - len(left)


def test_a_seed_changes_drafts_of_its_table_until_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow as pa

    from mlm_assets.assets.stage import Stage

    seen: list[int] = []
    monkeypatch.setattr(Stage, "draft", lambda _, name, rows, **more: seen.append(rows.num_rows))
    stage = Stage.__new__(Stage)
    stage.partition = "00"
    kind = Kind("x", "", True, edited("facts", lambda rows: rows[:1]))
    with kind.seeded(Home(tmp_path), 3) as seeding:
        assert seeding.release == "2027-03"
        for name in ("facts", "images"):
            stage.draft(name, pa.table({"qid": ["Q1", "Q2"]}))
    stage.draft("facts", pa.table({"qid": ["Q1", "Q2"]}))
    assert seen == [1, 2, 2]


def test_every_kind_has_a_name_of_its_own_and_something_to_do() -> None:
    kinds = [*SERVED, *OURS, *HELD_OUT]
    assert len({kind.name for kind in kinds}) == len(kinds) >= 46
    assert all(bool(kind.served) != (kind.seed is not None) for kind in kinds)
    assert {name for kind in kinds for name in kind.served} == set(KINDS)
    assert next(kind for kind in SERVED if kind.name == "country_vanishes").country == "IT"


def test_releases_are_the_months_of_the_window() -> None:
    assert [release_of(month) for month in (0, 1, N_MONTHS - 1)] == ["2026-12", "2027-01", "2029-11"]


def test_a_copy_of_a_home_does_not_change_with_it(tmp_path: Path) -> None:
    home = Home(tmp_path / "a")
    home.lake.write_bytes("images/x.jpg", b"old")
    home.copy_to(tmp_path / "b")
    assert (tmp_path / "a/images/x.jpg").samefile(tmp_path / "b/images/x.jpg")
    home.lake.write_bytes("images/x.jpg", b"new")
    assert (tmp_path / "b/images/x.jpg").read_bytes() == b"old"


def test_the_page_takes_the_tables_between_its_markers(tmp_path: Path) -> None:
    page = tmp_path / "quality.md"
    page.write_text(f"# Quality\n\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    report.write_docs(["new", ""], page)
    assert page.read_text() == f"# Quality\n\n{report.BEGIN}\n\nnew\n\n{report.END}\nafter\n"
    report.write_docs(["newer", ""], page)
    assert "new\n" not in page.read_text()
    page.write_text("no markers")
    with pytest.raises(ValueError, match="no line"):
        report.write_docs([], page)
    assert report.BEGIN in (Path(__file__).parents[2] / report.DOCS).read_text("utf-8")


def test_tables_name_what_was_missed() -> None:
    results = [fault("a", "blocked", is_wrong=True), fault("b", "warned", is_wrong=True), fault("c", "", is_wrong=True)]
    lines = report.fault_lines([Kind("a", "something falls", True)], results)
    assert "| `a` | something falls | block | 14 | blocked | 0 | `facts.key_is_unique` |  |" in lines
    assert any("**warned**" in line for line in lines)
    assert any("**missed**" in line for line in lines)
