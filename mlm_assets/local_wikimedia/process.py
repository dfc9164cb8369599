"""The local Wikimedia as a child process: started, waited for, ended; it never outlives its parent."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import mlm_assets
from mlm_assets.errors import MlmError, Refused

_END_S: Final = 5.0
_LOOK_S: Final = 1.0


@contextmanager
def running_server(
    *,
    generate: int | None = None,
    seed: int = 1,
    world: Path | None = None,
    faults: str | None = None,
    port: int = 0,
    month: int = 0,
    rate: float | None = None,
    tamper: str | None = None,
) -> Iterator[str]:
    """Run the server beside this process and yield its base URL once it answers.

    `month`, `rate` (see `generate_world`) and `tamper` (kinds of tampering, separated by commas) say what it serves at
    first; `POST /_world` changes that.

    Raises:
        Refused: the child refused its arguments, with its sentence.
        MlmError: the child ended before it answered.
    """
    options = ["--seed", str(seed), "--port", str(port), "--parent", str(os.getpid())]
    options += ["--generate", str(generate)] if generate is not None else []
    options += ["--world", str(world)] if world is not None else []
    options += ["--faults", faults] if faults else []
    options += ["--month", str(month)] if month else []
    options += ["--rate", str(rate)] if rate is not None else []
    options += ["--tamper", tamper] if tamper else []
    command = [sys.executable, "-m", "mlm_assets.local_wikimedia", *options]
    # Standard input stays open for as long as this process lives: its end is the child's signal to leave.
    with subprocess.Popen(  # noqa: S603 -- our own module, arguments as a list
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=_environment()
    ) as child:
        try:
            yield _first_word(child)
        finally:
            _end(child)


def _environment() -> dict[str, str]:
    """Return the environment of the child, which must import this very package, installed or not."""
    here = str(Path(mlm_assets.__file__).parent.parent)
    paths = [here, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def _first_word(child: "subprocess.Popen[str]") -> str:
    """Return the address that the child announces on its first line."""
    line = child.stdout.readline() if child.stdout else ""
    try:
        said = json.loads(line)
    except ValueError:
        code = child.wait()
        raise MlmError(f"The local Wikimedia ended before it answered (exit code {code}).") from None
    if "refused" in said:
        raise Refused(said["refused"])
    return str(said["url"])


def _end(child: "subprocess.Popen[str]") -> None:
    child.terminate()
    try:
        child.wait(_END_S)
    except subprocess.TimeoutExpired:
        child.kill()


def leave_with_parent(parent: int) -> None:
    """End this process when `parent` does, even if it is killed: watch standard input and the parent's number."""

    def leave_when_input_ends() -> None:
        while os.read(0, 1024):
            pass
        os._exit(0)

    def leave_when_orphaned() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK_S)
        os._exit(0)

    for watch in (leave_when_input_ends, leave_when_orphaned):
        threading.Thread(target=watch, daemon=True).start()
