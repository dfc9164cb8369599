"""Licences of pictures: what Commons calls them, as one identifier each, and which of them may be published.

Identifiers are those of SPDX (https://spdx.org/licenses/) where it has one, country ports in its spelling too
(`CC-BY-SA-3.0-DE`). What SPDX has no name for is called as Commons calls it: `PD`, `Attribution`,
`Copyrighted-Free-Use`, `No-Restrictions`. A licence that cannot be told is `unknown`, and so is one that is missing: a
guess would be made at the expense of whoever holds the rights. Names: https://commons.wikimedia.org/wiki/Commons:Licensing.
"""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Final

UNKNOWN: Final = "unknown"

_SPACES: Final = re.compile(r"[\s_]+")
_CC: Final = re.compile(
    r"(?:cc|creative commons)[ -](by(?:-(?:nc|nd|sa))*)"
    r"[ -]([1-4][.][0-9])(?:[,/-][0-9][.0-9,/-]*)?(?:[ -]([a-z]{2,4}))?"
)
"""A Creative Commons licence, of several versions ("2.5,2.0,1.0") the first and newest; a port's jurisdiction last."""
_CC0: Final = re.compile(r"cc[ -]?(?:0|zero)(?:[ -]1[.]0)?")
_GFDL: Final = re.compile(r"gfdl(?:[ -](1[.][1-3]))?( only|[+]| or later)?")
_OGL: Final = re.compile(r"ogl(?:[ -]?uk)?(?:[ -]v?([1-3])(?:[.]0)?)?")
_URL: Final = re.compile(
    r"(?:https?:)?//(?:www[.])?creativecommons[.]org/"
    r"(?:licenses/(?P<kind>by(?:-(?:nc|nd|sa))*)/(?P<version>[1-4][.][0-9])(?:/(?P<port>[a-z]{2,4})(?=/|$))?"
    r"|publicdomain/(?P<public>zero|mark)/1[.]0)(?:/.*)?"
)
_NAMED: Final = {
    "public domain": "PD",
    "pd": "PD",
    "pdm-owner": "CC-PDM-1.0",
    "pdm": "CC-PDM-1.0",
    "cc pdm 1.0": "CC-PDM-1.0",
    "public domain mark": "CC-PDM-1.0",
    "public domain mark 1.0": "CC-PDM-1.0",
    "fal": "LAL-1.3",
    "fal 1.3": "LAL-1.3",
    "free art license": "LAL-1.3",
    "free art licence": "LAL-1.3",
    "licence art libre": "LAL-1.3",
    "attribution": "Attribution",
    "attribution only license": "Attribution",
    "copyrighted free use": "Copyrighted-Free-Use",
    "copyrighted free use provided that": "Copyrighted-Free-Use-Provided-That",
    "no restrictions": "No-Restrictions",
    "no known copyright restrictions": "No-Restrictions",
    "odbl": "ODbL-1.0",
    "odbl 1.0": "ODbL-1.0",
    "mit": "MIT",
    "mit license": "MIT",
    "apache license 2.0": "Apache-2.0",
    "gpl": "GPL-2.0-or-later",
    "gplv2+": "GPL-2.0-or-later",
    "gplv3": "GPL-3.0-only",
    "gplv3+": "GPL-3.0-or-later",
    "lgpl": "LGPL-2.1-or-later",
    "fair use": UNKNOWN,
}
_DEED: Final = "deed"
"""Stands where a port does in an address, and is none: the page that explains a licence."""


def licence_id(name: str | None, url: str | None = None) -> str:
    """Return the identifier of a licence by its short name, else by its address; `unknown` where neither tells."""
    return _by_name(_SPACES.sub(" ", name or "").strip().lower()) or _by_url((url or "").strip().lower()) or UNKNOWN


def is_allowed(identifier: str, patterns: Sequence[str]) -> bool:
    """Tell whether a licence is in an allow-list of identifiers and patterns (`CC-BY-[0-9]*`).

    `unknown` is so only where the list says `unknown` in so many letters: no pattern lets through what nobody knows.
    """
    if identifier == UNKNOWN:
        return UNKNOWN in patterns
    return any(fnmatchcase(identifier, pattern) for pattern in patterns)


def allow_list(setting: str) -> tuple[str, ...]:
    """Return the patterns of the setting `allowed_licences`, in order."""
    return tuple(pattern for one in setting.split(",") if (pattern := one.strip()))


def _by_name(name: str) -> str | None:
    if name in _NAMED:
        return _NAMED[name]
    if _CC0.fullmatch(name):
        return "CC0-1.0"
    if cc := _CC.fullmatch(name):
        return _creative_commons(cc[1], cc[2], cc[3])
    if gfdl := _GFDL.fullmatch(name):
        # Commons' {{GFDL}} reads "Version 1.2 or any later version"; versions named alone are "or later" there too.
        return f"GFDL-{gfdl[1] or '1.2'}-{'only' if gfdl[2] == ' only' else 'or-later'}"
    if ogl := _OGL.fullmatch(name):
        return f"OGL-UK-{ogl[1] or '1'}.0"
    return None


def _by_url(url: str) -> str | None:
    found = _URL.fullmatch(url)
    if found is None:
        return None
    if found["public"]:
        return {"zero": "CC0-1.0", "mark": "CC-PDM-1.0"}[found["public"]]
    return _creative_commons(found["kind"], found["version"], found["port"])


def _creative_commons(kind: str, version: str, port: str | None) -> str:
    jurisdiction = f"-{port.upper()}" if port and port != _DEED else ""
    return f"CC-{kind.upper()}-{version}{jurisdiction}"
