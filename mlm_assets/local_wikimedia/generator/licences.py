"""Who made a generated file and under which licence, in the shape of Commons' `extmetadata` (values may hold HTML)."""

from typing import Any, Final

from mlm_assets.local_wikimedia.generator.randomness import stable_number

_LICENCES: Final = (
    ("CC BY-SA 4.0", "https://creativecommons.org/licenses/by-sa/4.0"),
    ("CC BY-SA 3.0", "https://creativecommons.org/licenses/by-sa/3.0"),
    ("CC BY 2.0", "https://creativecommons.org/licenses/by/2.0"),
    ("CC0", "http://creativecommons.org/publicdomain/zero/1.0/deed.en"),
    ("Public domain", ""),
)
_FIRST: Final = ("Ana", "Béla", "Chloé", "Dirk", "Ewa", "Fabio", "Ioana", "Łukasz", "Nuno", "Zoë")
_LAST: Final = ("Arends", "Brandão", "Çelik", "Dumitrescu", "Fischer", "García", "Kovács", "Moreau", "Nowak")
_CREDITS: Final = (
    '<span class="int-own-work" lang="en">Own work</span>',
    '<a rel="nofollow" class="external text" href="https://example.org/album">From an album</a> &amp; a scan',
    "Transferred from de.wikipedia",
)
_NOMINATED_ONE_IN: Final = 60
_NOMINATIONS: Final = ("no permission since 2 November 2026", "per <b>COM:FOP</b>", "missing evidence of a licence")
"""Why volunteers ask for a file's deletion: such a file is still served, and is gone a few weeks later or stays."""


def _field(value: str) -> dict[str, str]:
    return {"value": value, "source": "commons-desc-page"}


def extmetadata_of(name: str, shown_name: str | None = None) -> dict[str, Any]:
    """Return the `extmetadata` of a file, decided by the name of its first upload; `shown_name` is today's."""
    licence, url = _LICENCES[stable_number("licence", name, below=len(_LICENCES))]
    first = _FIRST[stable_number("first", name, below=len(_FIRST))]
    last = _LAST[stable_number("last", name, below=len(_LAST))]
    user = f"User:{first} {last}"
    artist = f'<a href="//commons.wikimedia.org/wiki/{user.replace(" ", "_")}" title="{user}">{first} {last}</a>'
    fields = {
        "ObjectName": (shown_name or name).rpartition(".")[0],
        "Credit": _CREDITS[stable_number("credit", name, below=len(_CREDITS))],
        "Artist": artist,
        "LicenseShortName": licence,
        "UsageTerms": licence,
        "LicenseUrl": url,
        "DeletionReason": _nomination(name),
    }
    return {key: _field(value) for key, value in fields.items() if value}


def _nomination(name: str) -> str:
    if stable_number("nominated", name, below=_NOMINATED_ONE_IN):
        return ""
    return _NOMINATIONS[stable_number("nomination", name, below=len(_NOMINATIONS))]


def uploaded_at(name: str) -> str:
    """Return when a file was uploaded, ISO 8601 in UTC."""
    day = stable_number("upload day", name, below=28) + 1
    month = stable_number("upload month", name, below=12) + 1
    year = 2008 + stable_number("upload year", name, below=18)
    return f"{year}-{month:02d}-{day:02d}T12:00:00Z"
