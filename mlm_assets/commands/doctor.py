"""`mlm doctor`: is everything there that a run needs, what is wrong, and how to mend it."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from mlm_assets.errors import MlmError
from mlm_assets.settings import SERVICES, Settings

Verdict = Literal["ok", "warning", "wrong"]
_LITTLE_DISK_BYTES = 20_000_000_000


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at, and how to mend it where it is not well."""

    name: str
    verdict: Verdict
    detail: str
    mend: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Look at settings, home, disk, services and GPU; asks each service one small question."""
    looks: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
        _home,
        _disk,
        _limits,
        _contact,
        _services,
        _gpu,
    )
    return [finding for look in looks for finding in look(settings)]


def show(findings: list[Finding], console: Console) -> None:
    """Print the findings, worst last thing to read beside its remedy."""
    for finding in findings:
        mark = {"ok": "ok     ", "warning": "warning", "wrong": "WRONG  "}[finding.verdict]
        console.print(f"{mark}  {finding.name}: {finding.detail}")
        if finding.mend:
            console.print(f"         -> {finding.mend}")


def as_json(findings: list[Finding]) -> list[dict[str, Any]]:
    """Return the findings as plain data."""
    return [asdict(finding) for finding in findings]


def _home(settings: Settings) -> Iterator[Finding]:
    folder = next(path for path in (settings.home, *settings.home.parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=folder):
            yield Finding("home", "ok", f"{settings.home} can be written")
    except OSError as error:
        yield Finding("home", "wrong", f"{folder}: {error.strerror}", "Choose another folder with --home or MLM_HOME.")


def _disk(settings: Settings) -> Iterator[Finding]:
    folder = next(path for path in (settings.home, *settings.home.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    if free < _LITTLE_DISK_BYTES:
        yield Finding(
            "disk",
            "warning",
            f"{free / 1e9:.1f} GB free",
            "The whole of MLM takes about 20 GB; `mlm plan` says how much yours will.",
        )
    else:
        yield Finding("disk", "ok", f"{free / 1e9:.0f} GB free")


def _limits(settings: Settings) -> Iterator[Finding]:
    urls = {
        "sparql": settings.sparql_url,
        "action_api": settings.wikipedia_url,
        "files": settings.commons_url,
    }
    for service in SERVICES:
        limit = settings.limit(service, urls[service])
        yield Finding(
            f"limit of {service}",
            "ok",
            f"{limit.parallel} at once, {limit.rate_per_s:g} a second, shared by all processes here",
        )


def _contact(settings: Settings) -> Iterator[Finding]:
    try:
        for url in (settings.sparql_url, settings.wikipedia_url, settings.commons_url):
            settings.require_contact(url)
        yield Finding("contact", "ok", settings.contact or "none is needed for these endpoints")
    except MlmError as error:
        yield Finding("contact", "wrong", str(error), "export MLM_CONTACT=you@example.org")


def _services(settings: Settings) -> Iterator[Finding]:
    from mlm_assets.resources.commons import Commons
    from mlm_assets.resources.http import Transport
    from mlm_assets.resources.wikidata import Wikidata
    from mlm_assets.resources.wikipedia import Wikipedia

    # One attempt: the doctor says what is, it does not wait until it is better.
    brief = settings.model_copy(update={"max_attempts": 1, "sparql_timeout_s": 20.0, "http_timeout_s": 10.0})
    transport = Transport(brief, None, "fetch")
    questions: dict[str, tuple[str, Callable[[], Any]]] = {
        "Wikidata": (
            settings.sparql_url,
            lambda: Wikidata(transport, brief).labels([settings.base_class], ["en"]),
        ),
        "Wikipedia": (
            settings.wikipedia_url,
            lambda: list(Wikipedia(transport, brief).lead_texts("en", ["Berlin"])),
        ),
        "Commons": (
            settings.commons_url,
            lambda: list(Commons(transport, brief).file_metadata(["Example.jpg"])),
        ),
    }
    for name, (url, ask) in questions.items():
        try:
            ask()
            yield Finding(name, "ok", f"{url} answers")
        except MlmError as error:
            yield Finding(
                name,
                "wrong",
                f"{url}: {error}",
                f"Check the address (MLM_{_variable(name)}) and the network.",
            )


def _variable(name: str) -> str:
    return {"Wikidata": "SPARQL_URL", "Wikipedia": "WIKIPEDIA_URL", "Commons": "COMMONS_URL"}[name]


def _gpu(settings: Settings) -> Iterator[Finding]:
    del settings
    devices = sorted(Path("/proc/driver/nvidia/gpus").glob("*")) if Path("/proc/driver/nvidia/gpus").is_dir() else []
    if devices:
        yield Finding("GPU", "ok", f"{len(devices)} NVIDIA GPU(s) seen by the driver")
    else:
        yield Finding("GPU", "ok", "none; nothing up to the datasets needs one")
