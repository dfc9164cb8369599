"""Which words of a text changed: an excerpt around the first changes, for a page or a line."""

import difflib
import re
from typing import Final

Part = tuple[str, str]
"""What happened to a stretch of words, and the words: "=" stayed, "-" gone, "+" new, "…" left out (no words)."""

_AROUND: Final = 6  # words before and after a change
_MAX_CHANGES: Final = 3
_MAX_STRETCH: Final = 30  # words of one change that are shown
_MAX_WORDS: Final = 1_500  # of either text that are compared


def changed_words(then: str, now: str) -> list[Part]:
    """Return the first few changes of a text, each with a few words around it.

    >>> changed_words("Ulm is a town.", "Ulm is a city.")
    [('=', 'Ulm is a '), ('-', 'town.'), ('+', 'city.')]
    """
    old, new = _words(then), _words(now)
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    groups = list(matcher.get_grouped_opcodes(_AROUND))
    found: list[Part] = []
    for group in groups[:_MAX_CHANGES]:
        if group[0][1] > 0:
            found.append(("…", ""))
        for kind, old_from, old_to, new_from, new_to in group:
            if kind == "equal":
                found.append(("=", "".join(old[old_from:old_to])))
                continue
            found += _stretch("-", old[old_from:old_to]) + _stretch("+", new[new_from:new_to])
    if groups and (len(groups) > _MAX_CHANGES or groups[-1][-1][2] < len(old)):
        found.append(("…", ""))
    return found


def _words(text: str) -> list[str]:
    """Return words with the space after them."""
    return re.findall(r"\S+\s*|\s+", text)[:_MAX_WORDS]


def _stretch(sign: str, words: list[str]) -> list[Part]:
    if not words:
        return []
    if len(words) <= _MAX_STRETCH:
        return [(sign, "".join(words))]
    return [(sign, "".join(words[:_MAX_STRETCH]).rstrip() + " …")]
