"""The server as a child process of `process.running_server`; people use `mlm local-wikimedia`.

Says one line of JSON on standard output: {"url": ...} when it answers, {"refused": ...} when it will not.
"""

import argparse
import json
import sys
from pathlib import Path

from mlm_assets.errors import Refused
from mlm_assets.local_wikimedia.process import leave_with_parent
from mlm_assets.local_wikimedia.server import serve
from mlm_assets.local_wikimedia.worlds import generate_world, load_world


def _say(**word: str) -> None:
    sys.stdout.write(json.dumps(word) + "\n")
    sys.stdout.flush()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m mlm_assets.local_wikimedia", description=__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--generate", type=int, metavar="N", help="a world of N candidates")
    source.add_argument("--world", type=Path, metavar="DIR", help="the world in this folder")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--month", type=int, default=0, metavar="K", help="months after 2026-12")
    parser.add_argument("--rate", type=float, metavar="SHARE", help="share that is edited every month")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--faults", metavar="SPEC")
    parser.add_argument("--tamper", metavar="KIND[,KIND]")
    parser.add_argument("--parent", type=int, metavar="PID", help="leave when this process ends")
    return parser.parse_args()


def main() -> int:
    """Serve until ended; return the exit code."""
    arguments = _arguments()
    if arguments.parent is not None:
        leave_with_parent(arguments.parent)
    try:
        if arguments.world is not None:
            world = load_world(arguments.world).at(arguments.month, arguments.rate)
        else:
            world = generate_world(arguments.generate, arguments.seed, arguments.month, arguments.rate)
        serve(
            world,
            port=arguments.port,
            faults=arguments.faults,
            ready=lambda url: _say(url=url),
            tampering=arguments.tamper,
        )
    except Refused as error:
        _say(refused=str(error))
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
