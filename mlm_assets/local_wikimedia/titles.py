"""Titles as MediaWiki understands them: normalising, refusing, and writing them into addresses.

Follows MediaWikiTitleCodec::splitTitleString of MediaWiki 1.39 as far as articles and files need it.
"""

import hashlib
import html
import re
import unicodedata
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

_BIDI: Final = re.compile("[\u200e\u200f\u202a-\u202e]+")
_SPACES: Final = re.compile("[ _\u00a0\u1680\u180e\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")
_ILLEGAL: Final = re.compile(r"[\x00-\x1f\x7f#<>\[\]{}|\\]|%[0-9A-Fa-f]{2}|&[A-Za-z0-9\u0080-\U0010ffff]+;")
_RELATIVE: Final = re.compile(r"^\.\.?$|^\.\.?/|/\.\.?/|/\.\.?$")
_REFERENCE: Final = re.compile(r"&(?:#[0-9]+|#[xX][0-9A-Fa-f]+|[A-Za-z0-9]+);")
_PREFIX: Final = re.compile(r"^(.+?) *: *(.*)$")
_MAX_BYTES: Final = 255
_INTERWIKI: Final = frozenset(("en", "de", "fr", "it", "es", "pl", "ro", "nl", "hu", "pt", "sv", "ja", "d", "commons"))
_FILE_NAMESPACE: Final = frozenset(("file", "image"))
MAIN: Final = 0
FILE: Final = 6


class InvalidTitle(ValueError):
    """A title that MediaWiki refuses; the message is its `invalidreason`."""


@dataclass(frozen=True, slots=True)
class Title:
    """A normalised title: `text` without its namespace, or with `interwiki` set, a page of another wiki."""

    namespace: int
    text: str
    interwiki: str = ""

    @property
    def full(self) -> str:
        """The title as the API prints it."""
        if self.interwiki:
            return f"{self.interwiki}:{self.text}"
        return f"File:{self.text}" if self.namespace == FILE else self.text


def _capitalised(text: str) -> str:
    first = text[:1].upper()
    return first + text[1:] if len(first) == 1 else text


def _clean(raw: str) -> str:
    text = _REFERENCE.sub(lambda found: html.unescape(found[0]), unicodedata.normalize("NFC", raw))
    text = _SPACES.sub(" ", _BIDI.sub("", text)).strip(" ")
    if "\ufffd" in text:
        raise InvalidTitle("The requested page title contains an invalid UTF-8 sequence.")
    return text


def _check(text: str) -> None:
    if found := _ILLEGAL.search(text):
        raise InvalidTitle(f'The requested page title contains invalid characters: "{found[0]}".')
    if _RELATIVE.search(text):
        raise InvalidTitle(
            "Title has relative path. Relative page titles (./, ../) are invalid, "
            "because they will often be unreachable when handled by user's browser."
        )
    if "~~~" in text:
        raise InvalidTitle("The requested page title contains invalid magic tilde sequence (<nowiki>~~~</nowiki>).")
    if len(text.encode()) > _MAX_BYTES:
        raise InvalidTitle(
            f"The requested page title is too long. It must be no longer than {_MAX_BYTES} bytes in UTF-8 encoding."
        )


def _split_prefix(text: str) -> tuple[str, str]:
    found = _PREFIX.match(text)
    if not found:
        return "", text
    prefix = found[1].lower()
    return (prefix, found[2]) if prefix in _FILE_NAMESPACE | _INTERWIKI else ("", text)


def parse_title(raw: str) -> Title:
    """Return the normalised form of a title given to the API; a mere fragment is the title "", which is no page.

    Raises:
        InvalidTitle: MediaWiki would call it invalid; the message is the reason it gives.
    """
    text = _clean(raw).removeprefix(":").strip(" ")
    prefix, text = _split_prefix(text)
    text, has_fragment, _ = text.partition("#")
    text = text.rstrip(" ") if has_fragment else text
    if not text and has_fragment and not prefix:
        return Title(MAIN, "")
    if not text:
        raise InvalidTitle("The requested page title is empty or contains only the name of a namespace.")
    _check(text)
    if prefix in _INTERWIKI:
        return Title(MAIN, text, prefix)
    if text.startswith(":"):
        raise InvalidTitle("The requested page title contains an invalid colon at the beginning.")
    return Title(FILE if prefix else MAIN, _capitalised(text))


def file_key(name: str) -> str:
    """Return the name under which Commons keeps a file: spaces, first letter in upper case, composed letters."""
    return _capitalised(_clean(name))


def article_path(title: str) -> str:
    """Return a title as it stands in the address of an article (`wfUrlencode`)."""
    return quote(title.replace(" ", "_"), safe=";@$!*(),/~:-._")


def upload_path(name: str) -> str:
    """Return the path of a file below `/wikipedia/commons/`: two folders by MD5, then the name."""
    underscored = name.replace(" ", "_")
    digest = hashlib.md5(underscored.encode(), usedforsecurity=False).hexdigest()
    return f"{digest[0]}/{digest[:2]}/{quote(underscored, safe='')}"
