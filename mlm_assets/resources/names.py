"""Names and addresses: the title in an article's address, the file in a FilePath address, the QID in an entity's.

Wikidata names things by address; the Action API wants titles. MediaWiki takes `_` for a space, several for one, and
a lower-case first letter for an upper-case one. Does not belong here: anything that asks a service.
Follows https://www.mediawiki.org/wiki/Manual:Page_title.
"""

import re
import unicodedata
from typing import Final
from urllib.parse import unquote

_ARTICLE: Final = re.compile(r"https?://([a-z][a-z0-9-]*)\.wikipedia\.org/wiki/(.+)", re.DOTALL)
_FILE_PATH: Final = re.compile(
    r"https?://commons\.wikimedia\.org/wiki/Special:(?:FilePath|Redirect/file)/(.+)", re.DOTALL
)
_ENTITY: Final = re.compile(r"https?://www\.wikidata\.org/entity/(Q[1-9][0-9]{0,17})", re.ASCII)
_BLANKS: Final = re.compile("[ _\u00a0\u1680\u180e\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")


def spaced(title: str) -> str:
    """Return a title as MediaWiki stores it, but for its first letter: NFC, single spaces, none at the ends."""
    return _BLANKS.sub(" ", unicodedata.normalize("NFC", title)).strip(" ")


def article_of(url: str) -> tuple[str, str] | None:
    """Return language and title of a Wikipedia article's address, None where it is no such address."""
    match = _ARTICLE.fullmatch(url)
    title = spaced(unquote(match[2])) if match else ""
    return (match[1], title) if match and title else None


def file_of(url: str) -> str | None:
    """Return the file name in an address of Special:FilePath, None where it is no such address."""
    match = _FILE_PATH.fullmatch(url)
    name = file_name(unquote(match[1])) if match else ""
    return name or None


def file_name(name: str) -> str:
    """Return a file name as Commons writes it: spaces, and the first letter in upper case."""
    name = spaced(name)
    first = name[:1].upper()
    return first + name[1:] if len(first) == 1 else name


def qid_of(url: str) -> str | None:
    """Return the QID in an entity's address, None for anything else (an unknown value, a lexeme)."""
    match = _ENTITY.fullmatch(url)
    return match[1] if match else None
