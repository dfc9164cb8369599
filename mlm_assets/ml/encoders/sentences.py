"""Where a sentence ends, by one rule for all languages of the dataset, without a list of abbreviations.

A sentence ends at a line break; at 。！？; and at `.`, `!`, `?` or `…` (closing quotes and brackets included) before
a space, unless what follows begins in lower case, or it is a lone full stop before a digit (`ca. 300`) or after a word
of one or two letters or digits (`St. Gallen`, `J. R.`, `3. Oktober`, `z. B.`). The price of the rule: some sentences
stay joined to the next, which costs an encoder little. A sentence longer than `LONGEST` characters
is cut at the last space before, so that work on one piece is bounded. Apart from white space nothing is lost.
"""

import re
from collections.abc import Iterator
from typing import Final

RULE: Final = 1
"""Edition of the rule; part of the version of every encoder that goes by it."""
LONGEST: Final = 1000

# Possessive, and tried only where a run of marks begins: time stays linear whatever the text.
_END = re.compile(r"""(?<![.!?…])[.!?…]++["'“”’»)\]]*+\s+|[。！？]++|\n\s*+""")


def sentences(text: str) -> list[str]:
    """Return the sentences of a text in order, stripped, none empty, none longer than `LONGEST` characters."""
    return [piece for sentence in _sentences(text) for piece in _bounded(sentence)]


def stretches(text: str, longest: int) -> list[str]:
    """Return a text in stretches of whole sentences, each at most `longest` characters (at least `LONGEST`)."""
    found: list[str] = []
    for sentence in sentences(text):
        if found and len(found[-1]) + 1 + len(sentence) <= max(longest, LONGEST):
            found[-1] += " " + sentence
        else:
            found.append(sentence)
    return found


def _sentences(text: str) -> Iterator[str]:
    start = 0
    for mark in _END.finditer(text):
        if _ends(text, mark):
            yield text[start : mark.end()]
            start = mark.end()
    yield text[start:]


def _ends(text: str, mark: re.Match[str]) -> bool:
    if mark[0][0] in "。！？\n" or "\n" in mark[0]:
        return True
    following = text[mark.end() : mark.end() + 1]
    if following.islower():
        return False
    if mark[0].rstrip() != ".":
        return True
    before = text[max(0, mark.start() - 3) : mark.start()]
    return not (following.isdigit() or re.search(r"(?:^|\W)\w{1,2}$", before))


def _bounded(sentence: str) -> Iterator[str]:
    rest = sentence.strip()
    while len(rest) > LONGEST:
        cut = rest.rfind(" ", 1, LONGEST + 1)
        cut = cut if cut > 0 else LONGEST
        yield rest[:cut].rstrip()
        rest = rest[cut:].lstrip()
    if rest:
        yield rest
