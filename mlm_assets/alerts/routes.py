"""Who is told what: the routes of `alerts.toml`, or the one route of MLM_ALERT_URLS.

The addresses are secrets. They stand in environment variables alone; the file names the variable. An address is never
part of a sentence, a log, the ledger or an error: a target is called by its route and its number.
"""

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from mlm_assets.errors import Refused
from mlm_assets.settings import Settings

ROUTES_FILE: Final = "alerts.toml"
URLS_VARIABLE: Final = "MLM_ALERT_URLS"
SEVERITIES: Final = ("error", "warning", "digest")
_KEYS: Final = {"name", "urls_env", "owners", "severities"}
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NAME: Final = re.compile(r"[\w. -]{1,40}")


@dataclass(frozen=True)
class Route:
    """One way out: which problems take it, and the addresses at its end (empty: the variable is not set)."""

    name: str
    variable: str
    owners: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()
    urls: tuple[str, ...] = field(default=(), repr=False)

    def takes(self, severity: str, subjects: Iterable[str]) -> bool:
        """Tell whether what has this severity and these subjects goes this way."""
        is_severe = not self.severities or severity in self.severities
        return is_severe and (not self.owners or bool(set(self.owners) & set(subjects)))


def routes_file(settings: Settings) -> Path:
    """Return where the routes are declared."""
    return settings.alerts_file or settings.home / ROUTES_FILE


def load_routes(settings: Settings, environ: Mapping[str, str] | None = None) -> tuple[Route, ...]:
    """Return the routes of the file; without a file the one of MLM_ALERT_URLS; none where that is not set either.

    Raises:
        Refused: the file cannot be read or says something that is not understood.
    """
    variables = os.environ if environ is None else environ
    path = routes_file(settings)
    if not path.is_file():
        if settings.alerts_file is not None:
            raise Refused(f"The file of routes {path} (MLM_ALERTS_FILE) is not there.")
        urls = split_urls(variables.get(URLS_VARIABLE, ""))
        return (Route(URLS_VARIABLE, URLS_VARIABLE, urls=urls),) if urls else ()
    try:
        said = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{path} cannot be read ({type(error).__name__}).") from error
    except tomllib.TOMLDecodeError as error:
        raise Refused(f"{path} is no TOML: {error}.") from error
    return _routes(path, said, variables)


def _routes(path: Path, said: Mapping[str, Any], variables: Mapping[str, str]) -> tuple[Route, ...]:
    entries = said.get("route")
    if set(said) != {"route"} or not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
        raise Refused(f"{path} must consist of [[route]] sections (docs/alerts.md).")
    routes = tuple(_route(path, number, entry, variables) for number, entry in enumerate(entries, 1))
    names = [route.name for route in routes]
    for name in names:
        if names.count(name) > 1:
            raise Refused(f"{path} has two routes named {name!r}. Give each a name of its own.")
    return routes


def _route(path: Path, number: int, entry: Mapping[str, Any], variables: Mapping[str, str]) -> Route:
    where = f"{path}, route {number}"
    if unknown := sorted(set(entry) - _KEYS):
        # Only names of keys are repeated: a value could be an address.
        raise Refused(
            f"{where}: {', '.join(unknown)} is not understood; a route has {', '.join(sorted(_KEYS))}. "
            "Addresses are secrets and belong into an environment variable, named by urls_env."
        )
    name, variable = entry.get("name"), entry.get("urls_env")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise Refused(f"{where}: name must be up to 40 letters, digits, dots, dashes or spaces.")
    if not isinstance(variable, str) or not _VARIABLE.fullmatch(variable):
        raise Refused(f"{where} ({name}): urls_env must be the name of an environment variable, not an address.")
    severities = _words(where, entry, "severities")
    if wrong := [one for one in severities if one not in SEVERITIES]:
        raise Refused(f"{where} ({name}): the severity {wrong[0]!r} is none of {', '.join(SEVERITIES)}.")
    return Route(name, variable, _words(where, entry, "owners"), severities, split_urls(variables.get(variable, "")))


def _words(where: str, entry: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = entry.get(key, [])
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise Refused(f"{where}: {key} must be a list of texts.")
    return tuple(value)


def split_urls(text: str) -> tuple[str, ...]:
    """Return the addresses in a variable: apart by white space or commas; a comma inside an address stays."""
    parts = re.split(r"\s+|,\s*(?=[A-Za-z][\w+.-]*://)", text)
    return tuple(dict.fromkeys(part.strip(",") for part in parts if part.strip(",")))
