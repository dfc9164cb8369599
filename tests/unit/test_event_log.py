"""The event log with open connections is Dagster's own: same files, same answers, also after a fork or a reopening."""

import os
import uuid
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterEvent, DagsterEventType, DagsterInstance
from dagster._core.storage.event_log import SqliteEventLogStorage

from mlm_assets.automation.event_log import QuickSqliteEventLog
from mlm_assets.shipped import shipped_file

KEY = dg.AssetKey("facts")


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DagsterInstance:
    """An instance made from the `dagster.yaml` that homes get."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / "dagster.yaml").write_text(shipped_file("dagster.yaml").read_text("utf-8"))
    return DagsterInstance.get()


def evaluate(instance: DagsterInstance, run_id: str, partition: str, passed: bool = True) -> None:
    said = dg.AssetCheckEvaluation(KEY, "key_is_unique", passed, {}, partition=partition)
    event = DagsterEvent(DagsterEventType.ASSET_CHECK_EVALUATION.value, "job", event_specific_data=said)
    instance.report_dagster_event(event, run_id)


def seen(storage: SqliteEventLogStorage, run_id: str) -> int:
    return len(storage.get_logs_for_run(run_id, of_type=DagsterEventType.ASSET_CHECK_EVALUATION))


def test_homes_get_it_and_dagster_s_own_reads_what_it_wrote(instance: DagsterInstance, tmp_path: Path) -> None:
    assert isinstance(instance._event_storage, QuickSqliteEventLog)
    runs = [str(uuid.uuid4()) for _ in range(7)]  # more than are kept open
    for run_id in runs:
        evaluate(instance, run_id, "00")
        evaluate(instance, run_id, "01")
    own = SqliteEventLogStorage(str(tmp_path / "history" / "runs"))
    own.register_instance(instance)
    for run_id in runs:
        assert seen(instance._event_storage, run_id) == seen(own, run_id) == 2
    assert sorted(own.get_all_run_ids()) == sorted(runs), "no other file lies beside them"


def test_it_reads_what_dagster_s_own_wrote(instance: DagsterInstance, tmp_path: Path) -> None:
    run_id = str(uuid.uuid4())
    evaluate(instance, run_id, "00")
    instance._event_storage.dispose()
    again = QuickSqliteEventLog(str(tmp_path / "history" / "runs"))
    again.register_instance(instance)
    assert seen(again, run_id) == 1
    again.delete_events(run_id)
    assert seen(again, run_id) == 0


def test_an_error_in_the_middle_leaves_it_usable(instance: DagsterInstance) -> None:
    storage = instance._event_storage
    run_id = str(uuid.uuid4())
    evaluate(instance, run_id, "00")
    with pytest.raises(ZeroDivisionError), storage.run_connection(run_id):
        raise ZeroDivisionError
    evaluate(instance, run_id, "01")
    assert seen(storage, run_id) == 2


def test_a_forked_process_opens_connections_of_its_own(instance: DagsterInstance) -> None:
    run_id = str(uuid.uuid4())
    evaluate(instance, run_id, "00")
    child = os.fork()
    if child == 0:
        evaluate(instance, run_id, "01")
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    evaluate(instance, run_id, "02")
    assert seen(instance._event_storage, run_id) == 3
