"""`mlm local-wikimedia`: serve a local world in the foreground."""

from rich.console import Console

from mlm_assets.commands.endpoints import World, service_urls
from mlm_assets.errors import Refused


def serve_world(world: World, host: str, port: int, console: Console) -> None:
    """Serve a generated world or a folder until interrupted.

    Raises:
        Refused: no world was named, it is not acceptable, or the port cannot be had.
    """
    world.check()
    if not world.is_local:
        raise Refused("Name a world: --generate N for a generated one, --world DIR for a folder.")
    from mlm_assets.local_wikimedia.server import serve
    from mlm_assets.local_wikimedia.worlds import generate_world, load_world

    if world.folder is not None:
        made = load_world(world.folder)
    else:
        made = generate_world(world.generate or 0, world.seed, world.month, world.rate)

    def ready(base: str) -> None:
        console.print(f"Local Wikimedia at {base}   requests so far: {base}/_stats")
        for name, url in service_urls(base).items():
            console.print(f"  MLM_{name.upper()}={url}")

    serve(made, host, port, world.faults, ready, world.tamper)
