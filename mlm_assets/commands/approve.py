"""`mlm approve`: let readers have a version that a check rejected, and say why."""

import getpass
import socket
from typing import Any

from rich.console import Console

from mlm_assets.settings import Settings


def approve(settings: Settings, name: str, pattern: str, reason: str, by: str | None) -> list[dict[str, Any]]:
    """Approve the rejected versions of a table in the partitions that match `pattern`.

    Raises:
        Refused: no reason, no such table, or nothing waits for an approval there.
        LakeConflict: somebody else approved it, or another version was accepted since the audit.
    """
    from mlm_assets.automation.headless import QUIET, error_of
    from mlm_assets.automation.instance import open_instance, require_home
    from mlm_assets.definitions import defs

    require_home(settings)
    config = {"table": name, "partition": pattern, "reason": reason, "by": by or _me()}
    with open_instance(settings) as instance:
        # A run like that of the UI's button: it shows who approved what, and its events are those of a run.
        result = defs.resolve_job_def("approve_version").execute_in_process(
            instance=instance,
            run_config={"ops": {"approve_rejected": {"config": config}}, **QUIET},
            raise_on_error=False,
        )
    if not result.success:
        raise error_of(result)
    return list(result.output_for_node("approve_rejected"))


def show(said: list[dict[str, Any]], console: Console) -> None:
    """Print what was approved."""
    for one in said:
        failed = ", ".join(check["check"] for check in one["approval"]["failed"]) or "nothing; it was drafted with it"
        where = f"{one['table']} {one['partition']}".strip()
        console.print(f"{where}: readers see version {one['version']} ({one['n_rows']:,} rows); had failed: {failed}")
    console.print("Go on with `mlm run`; under `mlm ui` automation follows by itself.")


def _me() -> str:
    return f"{getpass.getuser()}@{socket.gethostname()}"
