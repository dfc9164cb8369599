"""Which services a command talks to: a generated world, a folder, a running local Wikimedia, or the real ones."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mlm_assets.errors import Refused
from mlm_assets.resources.source import WORLD_FILE, kept_source
from mlm_assets.settings import Settings, is_loopback


@dataclass(frozen=True)
class World:
    """Where data comes from: at most one of `generate`, `folder` and `endpoint`; none means the settings' endpoints.

    `month` is how many months a generated world has moved forward, `rate` the share of it that is edited in each (None:
    each month draws its own); `faults` and `tamper` are what a local one does wrong.
    """

    generate: int | None = None
    seed: int = 1
    folder: Path | None = None
    endpoint: str | None = None
    faults: str | None = None
    month: int = 0
    tamper: str | None = None
    rate: float | None = None

    def check(self) -> None:
        """Check the combination before anything is written.

        Raises:
            Refused: two sources at once, or an endpoint that is no http(s) URL, or a month, faults or tampering without
                a local world that could have them.
        """
        given = [name for name, value in self._sources().items() if value is not None]
        if len(given) > 1:
            raise Refused(f"Choose one of {' and '.join(given)}; they are different sources.")
        if self.generate is not None and self.generate < 1:
            raise Refused("--generate takes the number of candidates, at least 1.")
        if self.endpoint is not None:
            parts = urlsplit(self.endpoint)
            if parts.scheme not in ("http", "https") or not parts.hostname or not _has_port(self.endpoint):
                raise Refused(f"--endpoint {self.endpoint!r} is not an address; write it as http://127.0.0.1:8765.")
        if self.faults is not None and self.generate is None and self.folder is None:
            raise Refused("--faults misbehaves on a local world; give --generate or --world with it.")
        if self.tamper is not None and not self.is_local:
            raise Refused("--tamper spoils a local world; give --generate or --world with it.")
        self._check_history()
        self._check_local()

    def _check_history(self) -> None:
        if self.month and self.generate is None:
            raise Refused("--month moves a generated world forward; give --generate with it.")
        if self.rate is not None and self.generate is None:
            raise Refused("--rate is the share of a generated world that is edited; give --generate with it.")
        if self.month < 0:
            raise Refused("--month counts months after 2026-12, from 0.")

    def _check_local(self) -> None:
        if self.folder is not None:
            from mlm_assets.local_wikimedia.folder import require_world_folder

            require_world_folder(self.folder)
        if self.faults is not None:
            from mlm_assets.local_wikimedia.faults import Faults

            Faults.parse(self.faults)
        if self.tamper is not None:
            from mlm_assets.local_wikimedia.tampering import parse_kinds

            parse_kinds(self.tamper)

    def _sources(self) -> dict[str, Any]:
        return {"--generate": self.generate, "--world": self.folder, "--endpoint": self.endpoint}

    @property
    def is_local(self) -> bool:
        """Whether a local Wikimedia has to be started for it."""
        return self.generate is not None or self.folder is not None

    def keep(self, home: Path, source: str) -> None:
        """Write to the home which source it was made from, and which local world the UI can serve for it."""
        folder = str(self.folder.absolute()) if self.folder else None
        said = {
            "source": source, "generate": self.generate, "seed": self.seed, "month": self.month, "rate": self.rate,
            "folder": folder,
        }  # fmt: skip
        (home / WORLD_FILE).write_text(json.dumps(said) + "\n", "utf-8")


def _has_port(url: str) -> bool:
    """Tell whether the port of `url`, if it names one, is a port."""
    try:
        _ = urlsplit(url).port
    except ValueError:
        return False
    return True


def kept_world(home: Path) -> World:
    """Return the local world that a home was made from; one without sources where there is none.

    Raises:
        Refused: the file that says so cannot be read.
    """
    said = kept_source(home)
    folder = Path(said["folder"]) if said.get("folder") else None
    return World(said.get("generate"), said.get("seed", 1), folder, month=said.get("month", 0), rate=said.get("rate"))


def service_urls(base: str) -> dict[str, str]:
    """Return the settings of the three services at a local Wikimedia with this base address."""
    base = base.rstrip("/").removesuffix("/sparql")
    return {
        "sparql_url": f"{base}/sparql",
        "wikipedia_url": base + "/{lang}.wikipedia.org/w/api.php",
        "commons_url": f"{base}/commons.wikimedia.org/w/api.php",
    }


def endpoint_settings(endpoint: str) -> dict[str, str]:
    """Return the settings of `--endpoint`: all services of a local Wikimedia (loopback), else a SPARQL endpoint."""
    return service_urls(endpoint) if is_loopback(endpoint) else {"sparql_url": endpoint}


@contextmanager
def local_services(world: World) -> Iterator[dict[str, str]]:
    """Yield the settings of the services of `world`, having started a local Wikimedia where it takes one.

    They are also put into the environment, so that Dagster's processes see them.
    """
    if not world.is_local:
        yield {}
        return
    from mlm_assets.local_wikimedia.process import running_server

    with running_server(
        generate=world.generate,
        seed=world.seed,
        world=world.folder,
        faults=world.faults,
        month=world.month,
        rate=world.rate,
        tamper=world.tamper,
    ) as base:
        urls = service_urls(base)
        os.environ.update({f"MLM_{name.upper()}": url for name, url in urls.items()})
        yield urls


def require_contacts(settings: Settings) -> None:
    """Refuse to start where a Wikimedia host would be asked without a contact.

    Raises:
        Refused: see `Settings.require_contact`.
    """
    for url in (settings.sparql_url, settings.wikipedia_url, settings.commons_url):
        settings.require_contact(url)
