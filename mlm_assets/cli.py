"""The command line `mlm`. Arguments are parsed here and nothing else; what commands do is in `mlm_assets.commands`.

Exit codes: 0 done, 1 failed, 2 refused (nothing was written), 3 blocked by a check.
"""

import atexit
import errno
import json
import logging
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from mlm_assets.commands.endpoints import World
from mlm_assets.commands.targets import Target, TaskName, Trainable
from mlm_assets.errors import MlmError, Refused
from mlm_assets.ml.recipe import TASKS, recipe_address
from mlm_assets.settings import Settings, home_from_environment, load_settings, use_home

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
    help="MLM, the multilingual and multimodal dataset of human settlements, kept alive as Dagster assets.",
)
# A pipe has no width: tables and lines for scripts are not broken at the 80 columns of a terminal that is not there.
out = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 200)
complaints = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)

Home = Annotated[
    Path | None,
    typer.Option("--home", help="Folder of the lake, datasets and Dagster's instance (MLM_HOME)."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, the same facts as the text.")]
Generate = Annotated[
    int | None, typer.Option("--generate", help="Use a generated local Wikimedia with so many candidates.")
]
Seed = Annotated[int, typer.Option("--seed", help="Seed of the generated world.")]
WorldFolder = Annotated[Path | None, typer.Option("--world", help="Use a local Wikimedia that serves this folder.")]
Endpoint = Annotated[
    str | None,
    typer.Option("--endpoint", help="A running local Wikimedia (loopback), or a SPARQL endpoint elsewhere."),
]
Faults = Annotated[
    str | None,
    typer.Option(
        "--faults",
        help="Let the local Wikimedia misbehave: KIND=RATE,… such as all=0.1 (docs/local_wikimedia.md).",
    ),
]


Month = Annotated[int, typer.Option("--month", help="Months that the generated world has moved forward.", min=0)]
Rate = Annotated[
    float | None,
    typer.Option("--rate", help="Share that is edited in each of those months; 1 to 3 % by default.", min=0, max=1),
]
Tamper = Annotated[
    str | None, typer.Option("--tamper", help="Let its answers be wrong: KIND,… (docs/local_wikimedia.md).")
]


@app.command()
def run(
    home: Home = None,
    generate: Generate = None,
    seed: Seed = 1,
    world: WorldFolder = None,
    endpoint: Endpoint = None,
    faults: Faults = None,
    month: Month = 0,
    rate: Rate = None,
    tamper: Tamper = None,
    release: Annotated[str | None, typer.Option(help="Release to bring up to date (YYYY-MM).")] = None,
    shards: Annotated[int | None, typer.Option(help="Hash buckets of QIDs; fixed when a home is made.")] = None,
    t_min: Annotated[int | None, typer.Option(help="Geo-cells with fewer settlements are removed.")] = None,
    t_max: Annotated[int | None, typer.Option(help="Geo-cells with more settlements are split.")] = None,
    quota_total: Annotated[int | None, typer.Option(help="Settlements wanted for mlm_irle_gr.")] = None,
    to: Annotated[Target, typer.Option(help="How far to go.")] = Target.DATASETS,
    recipe: Annotated[str | None, typer.Option(help="How models are trained: demo, paper, modern, a file.")] = None,
    replay: Annotated[
        bool, typer.Option("--replay", help="Make every table again from stored answers; no request.")
    ] = False,
    refetch: Annotated[
        bool, typer.Option("--refetch", help="Ask the services again for what is not accepted, stored answers or not.")
    ] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Ask for everything, and take nothing over from earlier releases.")
    ] = False,
    without_models: Annotated[
        bool, typer.Option("--without-models", help="With --to release: datasets alone, no features and no training.")
    ] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Remove the home first, if it is one of ours.")] = False,
) -> None:
    """Bring a release up to date through Dagster, without the UI."""
    from mlm_assets.commands.run import RunRequest
    from mlm_assets.commands.run import run as run_release

    if replay and refetch:
        raise Refused("--replay sends no request and --refetch asks again; choose one.")
    kept = {
        "shards": shards,
        "t_min": t_min,
        "t_max": t_max,
        "quota_total": quota_total,
        "recipe": recipe and recipe_address(recipe),
    }
    request = RunRequest(
        _home(home), release, World(generate, seed, world, endpoint, faults, month, tamper, rate), to.value,
        "replay" if replay else "refetch" if refetch else "fetch", fresh,
        {name: value for name, value in kept.items() if value is not None}, full, without_models,
    )  # fmt: skip
    run_release(request, out)


Release = Annotated[
    str | None, typer.Option("--release", help="Release (YYYY-MM), or name of imported files; the newest by default.")
]
Variants = Annotated[
    list[Trainable] | None, typer.Option("--variant", help="Variant; may be given twice. All by default.")
]


@app.command()
def train(
    home: Home = None,
    release: Release = None,
    variant: Variants = None,
    task: Annotated[list[TaskName] | None, typer.Option(help="Which model; may be given again. All three.")] = None,
    recipe: Annotated[str | None, typer.Option(help="demo, paper, modern, as_published, or a TOML file.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of weights, order, views and dropout.", min=0)] = None,
    anew: Annotated[bool, typer.Option("--anew", help="Train again what is up to date.")] = False,
) -> None:
    """Train the models of a release and print the benchmark beside the paper's tables."""
    from mlm_assets.commands import models as command

    wanted = [one.value for one in task or TaskName]
    tasks = tuple(known for known in TASKS if known in wanted)
    named = recipe and recipe_address(recipe)
    command.train(command.TrainRequest(_home(home), release, _values(variant), tasks, named, seed, anew), out)


@app.command()
def evaluate(home: Home = None, release: Release = None, variant: Variants = None) -> None:
    """Judge the trained models of a release again, and print the benchmark beside the paper's tables."""
    from mlm_assets.commands import models as command

    command.evaluate(_settings_of(home).home, release, _values(variant), out)


@app.command()
def predict(
    text: Annotated[str | None, typer.Option(help="A text: finds images, and where it is.")] = None,
    image: Annotated[Path | None, typer.Option(help="A picture: finds texts, and where it is.")] = None,
    lat: Annotated[float | None, typer.Option(help="Latitude in degrees: finds what lies there.")] = None,
    lon: Annotated[float | None, typer.Option(help="Longitude in degrees.")] = None,
    home: Home = None,
    release: Release = None,
    variant: Annotated[Trainable, typer.Option(help="Variant whose model answers.")] = Trainable.MLM_IRLE,
    top: Annotated[int, typer.Option(help="So many settlements and cells.", min=1)] = 5,
    as_json: Json = False,
) -> None:
    """Ask the multitask model: ranked settlements with their material, and cells with probabilities."""
    from mlm_assets.commands import predict as command

    query = command.Query(text, image, lat, lon)
    said = command.predict(_settings_of(home), query, release, variant.value, top)
    _print_json(said) if as_json else command.show(said, out)


@app.command("import-hdf5")
def import_hdf5(
    folder: Annotated[Path, typer.Argument(help="Folder of train.h5, val.h5, test.h5, or of one such per variant.")],
    home: Home = None,
    variant: Annotated[Trainable | None, typer.Option(help="Variant of the files; mlm_irle by default.")] = None,
    name: Annotated[str, typer.Option(help="Name under which models refer to them, as --release.")] = "published",
    replace: Annotated[bool, typer.Option("--replace", help="Replace what was imported under this name.")] = False,
) -> None:
    """Read the published HDF5 files, so that `mlm train --release published` reproduces the paper's tables."""
    from mlm_assets.commands import hdf5 as command

    settings = command.home_for_import(_home(home))
    said = command.import_files(folder, settings, variant.value if variant else None, name, out.print, replace=replace)
    for one in said["variants"].values():
        for line in command.lines_of(one):
            out.print(line)


@app.command("export-hdf5")
def export_hdf5(
    target: Annotated[Path, typer.Argument(help="Folder that is made; it gets one folder per variant.")],
    home: Home = None,
    release: Release = None,
    variant: Variants = None,
) -> None:
    """Write the features of a release in the layout of the published HDF5 files."""
    from mlm_assets.commands import hdf5 as command

    for line in command.export_release(_settings_of(home), release, _values(variant), target, out.print):
        out.print(line)


@app.command("local-wikimedia")
def local_wikimedia(
    generate: Generate = None,
    seed: Seed = 1,
    world: WorldFolder = None,
    faults: Faults = None,
    month: Month = 0,
    rate: Rate = None,
    tamper: Tamper = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.", min=0, max=65535)] = 8765,
) -> None:
    """Serve a small Wikimedia: SPARQL, Action API and files of a generated world or a folder."""
    from mlm_assets.commands.local_wikimedia import serve_world

    serve_world(World(generate, seed, world, None, faults, month, tamper, rate), host, port, out)


@app.command()
def why(
    qid: Annotated[str, typer.Argument(help="Wikidata item, such as Q64.")],
    at: Annotated[str | None, typer.Option(help="Release to compare from; the one before --vs by default.")] = None,
    vs: Annotated[str | None, typer.Option(help="Release to compare with; the newest by default.")] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Show the whole way of one entity; with --at or --vs what changed between two releases, and which edit did it."""
    from mlm_assets.commands import why as command

    settings = load_settings(home)
    if at is None and vs is None:
        said = command.why(qid, settings)
        _print_json(said) if as_json else command.show(said, out)
        return
    compared = command.why_between(qid, settings, at, vs)
    _print_json(compared) if as_json else command.show_between(compared, out)


@app.command()
def diff(
    first: Annotated[
        str | None, typer.Argument(help="Release to compare from; the one before the second by default.")
    ] = None,
    second: Annotated[str | None, typer.Argument(help="Release to compare with; the newest by default.")] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Write the page with pictures into this file.")] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Show what changed between two releases: settlements, texts, pictures, geo-cells, splits, scores, licences."""
    from mlm_assets.commands import diff as command

    found = command.diff(load_settings(home), first, second, with_page=html is not None)
    if html is not None and found.page is not None:
        command.write_page(found.page, html)
        complaints.print(f"{html}: {len(found.page):,} bytes")
    _print_json(found.diff) if as_json else command.show(found.diff, out)


@app.command()
def trace(
    table: Annotated[str, typer.Argument(help="Table.")],
    partition: Annotated[
        str | None, typer.Argument(help="Partition; all by default, of a release table the newest.")
    ] = None,
    check: Annotated[str | None, typer.Option(help="The rows that broke this check.")] = None,
    where: Annotated[
        list[str] | None, typer.Option(help="COLUMN=VALUE; may be given again; empty stands for null.")
    ] = None,
    release: Annotated[str | None, typer.Option(help="As the manifest of this release pins it.")] = None,
    limit: Annotated[int, typer.Option(help="So many rows are shown; all are counted.", min=0)] = 5,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Lead from a check or a count to its rows, versions, requests and revisions."""
    from mlm_assets.commands import trace as command

    said = command.trace(
        table, _settings_of(home), partition=partition, check=check, where=where or (), release=release, limit=limit
    )
    _print_json(said) if as_json else command.show(said, out)


@app.command()
def prune(
    older_than_days: Annotated[float, typer.Option(help="Versions younger than this stay.", min=0)] = 90,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and remove nothing.")] = False,
    home: Home = None,
) -> None:
    """Remove what nobody needs: versions that nothing refers to, and of months that lie back logs and datasets."""
    settings = _settings_of(home)
    from mlm_assets.commands.prune import prune_home

    for line in prune_home(settings, older_than_days, dry_run=dry_run):
        out.print(line)


@app.command("data-docs")
def data_docs(home: Home = None) -> None:
    """Render the suites of all tables and their newest results as pages that open in a browser."""
    settings = _settings_of(home)
    from mlm_assets.automation.instance import require_home
    from mlm_assets.checks.data_docs import render_data_docs
    from mlm_assets.resources.lake import open_lake

    require_home(settings)
    out.print(str(render_data_docs(open_lake(settings), settings.home / "data_docs")))


@app.command()
def verify(
    release: Annotated[str | None, typer.Argument(help="Release (YYYY-MM); the newest by default.")] = None,
    sample: Annotated[int | None, typer.Option(help="So many pictures instead of all.", min=1)] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Prove a release: versions and pictures of the lake, files and figures of what is drafted and published."""
    from mlm_assets.commands import verify as command

    said = command.verify(_settings_of(home), release, sample, complaints.print)
    _print_json(said) if as_json else command.show(said, out)
    if said["n_problems"]:
        raise typer.Exit(1)


@app.command()
def releases(home: Home = None, as_json: Json = False) -> None:
    """List drafts and published versions."""
    from mlm_assets.commands import publish as command

    said = command.list_releases(_settings_of(home))
    _print_json(said) if as_json else command.show_list(said, out)


@app.command()
def publish(
    release: Annotated[str, typer.Argument(help="Release (YYYY-MM) whose draft is published.")],
    reason: Annotated[str, typer.Option(help="Why; needed for every version but the first.")] = "",
    by: Annotated[str | None, typer.Option(help="Who; the user of this machine by default.")] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Verify the draft of a release and publish it; published files never change."""
    from mlm_assets.commands import publish as command

    said = command.publish(_settings_of(home), release, reason, by, complaints.print)
    _print_json(said) if as_json else command.show(said, out)


@app.command()
def deposit(
    release: Annotated[str, typer.Argument(help="Release (YYYY-MM); its newest published version is deposited.")],
    into: Annotated[Path | None, typer.Option(help="Folder of the deposit; deposits/ in the home by default.")] = None,
    upload: Annotated[
        bool, typer.Option("--upload", help="Fill a draft in the archive (token: MLM_ZENODO_TOKEN); never publishes.")
    ] = False,
    zenodo_url: Annotated[str, typer.Option(help="The archive.")] = "https://zenodo.org",
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Write the folder that an archive takes of a published release, and fill a draft there."""
    from mlm_assets.commands import deposit as command

    said = command.deposit(_settings_of(home), release, into, zenodo_url if upload else None, complaints.print)
    _print_json(said) if as_json else command.show(said, out)


@app.command()
def rebuild(
    release: Annotated[str, typer.Argument(help="Release (YYYY-MM) whose newest published version is built again.")],
    into: Annotated[Path | None, typer.Option(help="New folder that it is left in; none by default.")] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Build a published release again from the kept versions, without network, and compare every byte."""
    from mlm_assets.commands import rebuild as command

    said = command.rebuild(_settings_of(home), release, into, complaints.print)
    _print_json(command.as_json(said)) if as_json else command.show(said, out)
    if said.differences:
        raise typer.Exit(1)


@app.command()
def approve(
    table: Annotated[str, typer.Argument(help="Table whose rejected version readers shall see.")],
    partition: Annotated[
        str, typer.Argument(help="Partition, or a pattern such as 'fr|*'; all that wait by default.")
    ] = "*",
    reason: Annotated[str, typer.Option(help="Why; kept with the release.")] = "",
    by: Annotated[str | None, typer.Option(help="Who; the user of this machine by default.")] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Let readers have a version that a check rejected; who, when, why and the figures are kept."""
    from mlm_assets.commands import approve as command

    said = command.approve(_settings_of(home), table, partition, reason, by)
    _print_json(said) if as_json else command.show(said, out)


quarantine_app = typer.Typer(no_args_is_help=True, help="Rows that were set aside because they break a rule.")
app.add_typer(quarantine_app, name="quarantine")
Entry = Annotated[str, typer.Argument(help="Id of a set-aside row, or its beginning.")]


@quarantine_app.command("list")
def quarantine_list(
    table: Annotated[str | None, typer.Option(help="Of this table only.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Those too that were dealt with.")] = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """List the rows that are set aside."""
    from dataclasses import asdict

    from mlm_assets.commands import quarantine as command

    found = command.entries(_settings_of(home), table, everything=everything)
    _print_json([asdict(one) for one in found]) if as_json else command.show_list(found, out)


@quarantine_app.command("show")
def quarantine_show(entry: Entry, home: Home = None) -> None:
    """Show one row with the rule it breaks, the run that met it and the answer that brought it."""
    from mlm_assets.commands import quarantine as command

    command.show_one(command.entry(_settings_of(home), entry), out)


@quarantine_app.command("retry")
def quarantine_retry(
    entry: Annotated[str | None, typer.Argument(help="Id of a row, or its beginning; all by default.")] = None,
    home: Home = None,
) -> None:
    """Forget the answers that brought set-aside rows, so that the next run asks for them again."""
    from mlm_assets.commands import quarantine as command

    command.retry(_settings_of(home), entry, out)


@quarantine_app.command("release")
def quarantine_release(
    entry: Entry,
    reason: Annotated[str, typer.Option(help="Why the row is right; kept with it.")] = "",
    by: Annotated[str | None, typer.Option(help="Who; the user of this machine by default.")] = None,
    home: Home = None,
) -> None:
    """Say that a row is right after all; the next run takes it in."""
    from mlm_assets.commands import quarantine as command

    released = command.release(_settings_of(home), entry, reason, by)
    out.print(f"{released.id} {released.table} {released.partition}: released; `mlm run` takes it in")


@app.command()
def takedown(
    target: Annotated[
        str | None, typer.Argument(help="QID, or name of a file of Commons; without one, list what was taken down.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; published with the tombstone.")] = "",
    by: Annotated[str | None, typer.Option(help="Who; the user of this machine by default.")] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Take an item or a file back for good: from lake, features and releases; it never comes back with a refresh."""
    from dataclasses import asdict

    from mlm_assets.commands import takedown as command

    if target is None:
        found = command.takedowns(_settings_of(home))
        _print_json([asdict(one) for one in found]) if as_json else command.show_list(found, out)
        return
    done = command.takedown(_settings_of(home), target, reason, by, complaints if as_json else out)
    _print_json(command.as_json(done)) if as_json else command.show(done, out)


alerts_app = typer.Typer(invoke_without_command=True, help="What is wrong, who was told, and what is undelivered.")
app.add_typer(alerts_app, name="alerts")


@alerts_app.callback()
def alerts(context: typer.Context, home: Home = None, as_json: Json = False) -> None:
    """List open incidents, whom they were told to, and what could not be delivered."""
    if context.invoked_subcommand is not None:
        return
    settings = _settings_of(home)
    from mlm_assets.commands import alerts as command

    said = command.list_alerts(settings)
    _print_json(said) if as_json else command.show(said, out)


@alerts_app.command("send")
def alerts_send(home: Home = None) -> None:
    """Send what is due now, without waiting for the daemon."""
    settings = _settings_of(home)
    from mlm_assets.commands import alerts as command

    delivered = command.send(settings)
    out.print(str(delivered))
    if delivered.n_undelivered:
        raise typer.Exit(1)


@alerts_app.command("test")
def alerts_test(home: Home = None, as_json: Json = False) -> None:
    """Send a test message over each route."""
    settings = _settings_of(home)
    from mlm_assets.commands import alerts as command

    said = command.test(settings)
    _print_json(said) if as_json else command.show_test(said, out)
    if any(one["error"] for one in said):
        raise typer.Exit(1)


@app.command()
def status(
    home: Home = None,
    as_json: Json = False,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="End with 1 if anything needs a hand.")] = False,
) -> None:
    """Show what the home holds, what is missing or stale, and what needs a hand."""
    settings = _settings_of(home)  # first: Dagster's partitions are those of the home
    from mlm_assets.commands import status as command

    said = command.status(settings)
    _print_json(said) if as_json else command.show(said, out)
    if exit_code and said["problems"]:
        raise typer.Exit(1)


@app.command()
def doctor(home: Home = None, endpoint: Endpoint = None, as_json: Json = False) -> None:
    """Check settings, home, disk, services and GPU, and say how to mend what is wrong."""
    from mlm_assets.commands import doctor as command

    findings = command.examine(_settings_of(home, endpoint))
    _print_json(command.as_json(findings)) if as_json else command.show(findings, out)
    if any(finding.verdict == "wrong" for finding in findings):
        raise typer.Exit(1)


@app.command()
def plan(
    home: Home = None,
    candidates: Annotated[int | None, typer.Option(help="Plan for so many candidates.", min=1)] = None,
    changed: Annotated[
        float | None,
        typer.Option(help="Share edited since the last release; by default as before, else 0.02.", min=0, max=1),
    ] = None,
    endpoint: Endpoint = None,
    as_json: Json = False,
) -> None:
    """Estimate requests, bytes and hours of the next run; sends no request."""
    from mlm_assets.commands import plan as command

    said = command.plan(_settings_of(home, endpoint), candidates, changed)
    _print_json(said) if as_json else command.show(said, out)


@app.command()
def bases(
    qids: Annotated[list[str] | None, typer.Argument(help="Base types to compare.")] = None,
    home: Home = None,
    generate: Generate = None,
    seed: Seed = 1,
    world: WorldFolder = None,
    endpoint: Endpoint = None,
    as_json: Json = False,
) -> None:
    """Compare base types by how many of their instances meet the constraints (paper, 3.3.1)."""
    from mlm_assets.commands import bases as command
    from mlm_assets.commands.endpoints import local_services, require_contacts
    from mlm_assets.identifiers import parse_qid

    wanted = [parse_qid(qid) for qid in qids or []]
    source = World(generate, seed, world, endpoint)
    source.check()
    with local_services(source) as urls:
        settings = _settings_of(home, endpoint, **urls)
        require_contacts(settings)
        rows = command.bases(wanted, settings)
    _print_json(rows) if as_json else command.show(rows, out)


@app.command()
def ui(
    home: Home = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 3000,
) -> None:
    """Serve the Dagster UI and daemon of a home, with the local Wikimedia it was made from."""
    from mlm_assets.commands.ui import serve_ui

    raise typer.Exit(serve_ui(_settings_of(home), host, port, out))


def main() -> None:
    """Run the command line and end with its exit code."""
    # Dagster logs every event of every run to the console; the UI shows them, the command line shows progress.
    logging.getLogger("dagster").setLevel(logging.ERROR)
    try:
        _end(app(standalone_mode=False) or 0)
    except MlmError as error:
        complaints.print(f"mlm: {error}")
        sys.exit(error.exit_code)
    except typer.Abort:
        complaints.print("mlm: stopped")
        sys.exit(130)
    except Exception as error:
        _usage_or_raise(error)


def _end(code: int) -> None:
    """End the process without taking the interpreter apart.

    Native libraries that were loaded together (DuckDB, torch) are torn down in no order that suits both: at the end
    of a run that did everything it should, the one prints what the other still holds.
    """
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _usage_or_raise(error: Any) -> None:
    """End with exit code 2 for wrong usage, as click words it; let everything else be seen whole."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EROFS, errno.EDQUOT):
        complaints.print(
            f"mlm: {error.strerror}: {error.filename}. Make room or choose another home; see `mlm doctor`."
        )
        sys.exit(1)
    if hasattr(error, "format_message") and hasattr(error, "exit_code"):
        complaints.print(f"mlm: {error.format_message()}")
        sys.exit(error.exit_code)
    raise error


def _settings_of(home: Path | None, endpoint: str | None = None, **overrides: Any) -> Settings:
    """Return the settings of a home, whose partitions are those that Dagster's definitions are made with."""
    from mlm_assets.commands.endpoints import endpoint_settings

    folder = _home(home)
    use_home(folder)
    given = endpoint_settings(endpoint) if endpoint is not None else {}
    return load_settings(folder, **{**given, **overrides})


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=1, ensure_ascii=False, default=str) + "\n")


def _values(variants: "list[Trainable] | None") -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.value for one in variants or ()))


def _home(given: Path | None) -> Path:
    return (given or home_from_environment()).absolute()
