"""Addresses of revisions at Wikimedia: of items, articles and files, and of the difference between two revisions.

They are addresses of the real wikis; what a local Wikimedia made up does not exist there.
Follows https://www.mediawiki.org/wiki/Manual:Parameters_to_index.php.
"""

from typing import Final
from urllib.parse import quote, urlencode

from mlm_assets.resources.names import file_name

WIKIDATA: Final = "www.wikidata.org"
COMMONS: Final = "commons.wikimedia.org"


def wikipedia(lang: str) -> str:
    """Return the host of the Wikipedia in a language."""
    return f"{lang}.wikipedia.org"


def revision_address(host: str, revision: int) -> str:
    """Return the permanent address of a revision of a page."""
    return _index(host, oldid=revision)


def diff_address(host: str, before: int, after: int) -> str:
    """Return the address that shows what changed between two revisions of a page."""
    return _index(host, diff=after, oldid=before)


def history_address(host: str, title: str) -> str:
    """Return the address of a page's list of revisions."""
    return _index(host, title=title.replace(" ", "_"), action="history")


def file_address(name: str) -> str:
    """Return the address of a file's page on Commons."""
    return f"https://{COMMONS}/wiki/File:{quote(file_name(name).replace(' ', '_'), safe='')}"


def file_history_address(name: str) -> str:
    """Return the address of the history of a file's page, where new versions of the file stand too."""
    return history_address(COMMONS, f"File:{file_name(name)}")


def _index(host: str, **parameters: str | int) -> str:
    return f"https://{host}/w/index.php?{urlencode(parameters, safe=':')}"
