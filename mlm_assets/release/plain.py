"""Author and credit lines as text that no page will take for markup.

Commons gives HTML, and `resources.commons` its text; but that text may itself spell tags (an author who wrote
`&lt;b&gt;`, a template that broke). What is published goes through here once more.
"""

import html
import re
import unicodedata
from typing import Final

_SILENT: Final = re.compile(r"<(script|style)\b[^>]*>.*?</\1\s*>", re.IGNORECASE | re.DOTALL)
_TAG: Final = re.compile(r"<!--.*?(?:-->|$)|</?[a-zA-Z][^>]*>|<[!?][^>]*>", re.DOTALL)
_OPENING: Final = re.compile(r"<(?=[a-zA-Z/!?])")
_ROUNDS: Final = 10
"""Escaped markup in escaped markup is read so many levels deep; what is left then loses its brackets all the same."""


def plain(text: str | None) -> str | None:
    """Return a text on one line, without tags, entities or control characters; None where nothing is left."""
    said = text or ""
    for _ in range(_ROUNDS):
        read = html.unescape(_TAG.sub(" ", _SILENT.sub(" ", said)))
        if read == said:
            break
        said = read
    # A bracket that still opens something was never closed: shown as a quotation mark, it cannot swallow what follows.
    said = _OPENING.sub("‹", said)
    shown = "".join(" " if unicodedata.category(one) in ("Cc", "Cs", "Zl", "Zp") else one for one in said)
    return " ".join(shown.split()) or None
