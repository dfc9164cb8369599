"""`mlm ui`: Dagster's webserver and daemon on a home, with the local Wikimedia that the home was made from."""

import os
import signal
import socket
import subprocess
import sys

from dagster import DagsterInstance
from rich.console import Console

from mlm_assets.automation.instance import is_home
from mlm_assets.commands.endpoints import kept_world, local_services
from mlm_assets.errors import Refused
from mlm_assets.settings import Settings
from mlm_assets.shipped import shipped_file


def serve_ui(settings: Settings, host: str, port: int, console: Console) -> int:
    """Serve the UI of a home until interrupted; return the exit code of Dagster.

    Raises:
        Refused: the folder is no home.
    """
    if not is_home(settings.home):
        raise Refused(f"{settings.home} is no home of mlm yet. Make one with `mlm run` or `make demo`.")
    _check_port(host, port)
    from mlm_assets.automation.instance import make_home, open_instance

    make_home(settings.home)
    with open_instance(settings) as instance:
        schedule = _schedule_words(instance, settings)
    workspace = shipped_file("workspace.yaml")
    command = [sys.executable, "-m", "dagster", "dev", "-w", str(workspace), "-h", host, "-p", str(port)]
    with local_services(kept_world(settings.home)):
        environment = {**os.environ, "MLM_HOME": str(settings.home), "DAGSTER_HOME": str(settings.home)}
        console.print(f"Dagster UI: http://{host}:{port}   home: {settings.home}   stop with Ctrl-C")
        console.print(schedule)
        # Dagster's processes are ended with us, whether by Ctrl-C or by a supervisor's SIGTERM.
        # Where a shell started us in the background, SIGINT is ignored; they would inherit that and never stop.
        signal.signal(signal.SIGTERM, _interrupt)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        process = None
        try:
            process = subprocess.Popen(command, env=environment)  # noqa: S603 (our own interpreter and file)
            return process.wait()
        except KeyboardInterrupt:
            if process is None:
                return 0
            process.terminate()
            return process.wait()


def _schedule_words(instance: DagsterInstance, settings: Settings) -> str:
    """Return whether the monthly refresh comes by itself, and how that is changed."""
    from mlm_assets.automation.schedules import SCHEDULE_NAME, is_running

    if is_running(instance, settings):
        return f"Monthly refresh: by itself ({settings.refresh_cron}, UTC); stop it under Automation, {SCHEDULE_NAME}."
    return (
        f"Monthly refresh: stopped. Start it in the UI under Automation, {SCHEDULE_NAME} (it then runs "
        f"{settings.refresh_cron}, UTC); a home with MLM_CONTACT has it started."
    )


def _check_port(host: str, port: int) -> None:
    """Check that nobody listens at a port; Dagster's daemon would go on without its webserver.

    Raises:
        Refused: somebody does, or the address cannot be had.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Refused(f"{host}:{port} cannot be had ({error.strerror}). Choose another --port.") from error


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
