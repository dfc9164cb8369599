"""The command line `mlm`. Arguments are parsed here and nothing else; what commands do is in `mlm_assets.commands`.

Exit codes: 0 done, 1 failed, 2 refused (nothing was written), 3 blocked by a check.
"""

import logging
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from mlm_assets.commands.endpoints import World
from mlm_assets.errors import MlmError
from mlm_assets.settings import home_from_environment

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
    help="MLM, the multilingual and multimodal dataset of human settlements, kept alive as Dagster assets.",
)
out = Console(highlight=False, soft_wrap=False)
complaints = Console(stderr=True, highlight=False, soft_wrap=True)

Home = Annotated[Path | None, typer.Option("--home", help="Folder of the lake, datasets and Dagster's instance (MLM_HOME).")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, the same facts as the text.")]
Generate = Annotated[int | None, typer.Option("--generate", help="Use a generated local Wikimedia with so many candidates.")]
Seed = Annotated[int, typer.Option("--seed", help="Seed of the generated world.")]
WorldFolder = Annotated[Path | None, typer.Option("--world", help="Use a local Wikimedia that serves this folder.")]
Endpoint = Annotated[
    str | None, typer.Option("--endpoint", help="A running local Wikimedia (loopback), or a SPARQL endpoint elsewhere.")
]
Faults = Annotated[
    str | None, typer.Option("--faults", help="Let the local Wikimedia misbehave: KIND=RATE,… such as all=0.1 (docs/local_wikimedia.md).")
]


@app.command()
def run(
    home: Home = None,
    generate: Generate = None,
    seed: Seed = 1,
    world: WorldFolder = None,
    endpoint: Endpoint = None,
    faults: Faults = None,
    release: Annotated[str | None, typer.Option(help="Release to bring up to date (YYYY-MM).")] = None,
    shards: Annotated[int | None, typer.Option(help="Hash buckets of QIDs; fixed when a home is made.")] = None,
    t_min: Annotated[int | None, typer.Option(help="Geo-cells with fewer settlements are removed.")] = None,
    t_max: Annotated[int | None, typer.Option(help="Geo-cells with more settlements are split.")] = None,
    quota_total: Annotated[int | None, typer.Option(help="Settlements wanted for mlm_irle_gr.")] = None,
    to: Annotated[str, typer.Option(help="How far: candidates, facts, media, refresh or datasets.")] = "datasets",
    replay: Annotated[bool, typer.Option("--replay", help="Make every table again from stored answers; no request.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Remove the home first, if it is one of ours.")] = False,
) -> None:
    """Bring a release up to date through Dagster, without the UI."""
    from mlm_assets.commands.run import RunRequest
    from mlm_assets.commands.run import run as run_release

    kept = {"shards": shards, "t_min": t_min, "t_max": t_max, "quota_total": quota_total}
    request = RunRequest(
        _home(home), release, World(generate, seed, world, endpoint, faults), to, replay, fresh,
        {name: value for name, value in kept.items() if value is not None},
    )  # fmt: skip
    run_release(request, out)


@app.command("local-wikimedia")
def local_wikimedia(
    generate: Generate = None,
    seed: Seed = 1,
    world: WorldFolder = None,
    faults: Faults = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8765,
) -> None:
    """Serve a small Wikimedia: SPARQL, Action API and files of a generated world or a folder."""
    from mlm_assets.commands.local_wikimedia import serve_world

    serve_world(World(generate, seed, world, None, faults), host, port, out)


def main() -> None:
    """Run the command line and end with its exit code."""
    # Dagster logs every event of every run to the console; the UI shows them, the command line shows progress.
    logging.getLogger("dagster").setLevel(logging.ERROR)
    try:
        sys.exit(app(standalone_mode=False) or 0)
    except MlmError as error:
        complaints.print(f"mlm: {error}")
        sys.exit(error.exit_code)
    except typer.Abort:
        complaints.print("mlm: stopped")
        sys.exit(130)
    except Exception as error:
        _usage_or_raise(error)


def _usage_or_raise(error: Any) -> None:
    """End with exit code 2 for wrong usage, as click words it; let everything else be seen whole."""
    if hasattr(error, "format_message") and hasattr(error, "exit_code"):
        complaints.print(f"mlm: {error.format_message()}")
        sys.exit(error.exit_code)
    raise error


def _home(given: Path | None) -> Path:
    return (given or home_from_environment()).absolute()
