"""Addresses of what a diff speaks of: items, articles, files, and the difference between two revisions of them."""

from urllib.parse import quote


def item(qid: str) -> str:
    """Return the page of a Wikidata item."""
    return f"https://www.wikidata.org/wiki/{quote(qid)}"


def item_edits(qid: str, before: int | None, after: int | None) -> str | None:
    """Return the page that shows what was edited between two revisions of an item; None where one is not known."""
    if before is None or after is None or before == after:
        return None
    return f"https://www.wikidata.org/w/index.php?title={quote(qid)}&oldid={before}&diff={after}"


def article(lang: str, title: str, revision: int | None) -> str:
    """Return the page of an article, as it was in a revision where one is known."""
    if revision is None:
        return f"https://{quote(lang)}.wikipedia.org/wiki/{quote(title.replace(' ', '_'))}"
    return f"https://{quote(lang)}.wikipedia.org/w/index.php?oldid={revision}"


def article_edits(lang: str, before: int | None, after: int | None) -> str | None:
    """Return the page that shows what was edited between two revisions of an article; None where one is not known."""
    if before is None or after is None or before == after:
        return None
    return f"https://{quote(lang)}.wikipedia.org/w/index.php?oldid={before}&diff={after}"


def file(name: str) -> str:
    """Return the page of a file on Commons."""
    return f"https://commons.wikimedia.org/wiki/File:{quote(name.replace(' ', '_'))}"
