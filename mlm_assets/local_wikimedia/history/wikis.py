"""What happens to texts and files in an ordinary month, without a hand on Wikidata."""

from dataclasses import replace
from typing import Final

from mlm_assets.local_wikimedia.history.state import State

_READABLE: Final = ("there", "redirect", "chain", "section")
_RENAMED_SHARE: Final = 0.25


def edit_articles(state: State, rate: float) -> None:
    """Rewrite a sentence or more in a share of the articles that have a text."""
    by_key = {
        (article.lang, article.title): (qid, index)
        for qid, item in state.items.items()
        for index, article in enumerate(item.articles)
        if article.fate in _READABLE
    }
    for lang, title in state.dice.some(by_key, round(rate * len(by_key)), "article"):
        qid, index = by_key[lang, title]
        # The sitelink stays as it is, so that the item is not edited.
        articles = list(state.items[qid].articles)
        article = articles[index]
        articles[index] = replace(article, edition=article.edition + 1, edited=state.month)
        state.items[qid] = replace(state.items[qid], articles=articles)
        state.tell("article_edited", qid, lang, article.final_title)


def edit_files(state: State, rate: float) -> None:
    """Upload a new version of most of a share of the files, and rename the others."""
    for name in state.dice.some(state.files, round(rate * len(state.files)), "file"):
        if state.dice.between(0, 1, "renamed", name) < _RENAMED_SHARE:
            rename_file(state, name)
        else:
            plan = state.files[name]
            version = f"{plan.first_name}#{state.month}"
            state.files[name] = replace(plan, likeness=version, month=state.month)
            state.tell("file_replaced", "", title=name)


def rename_file(state: State, name: str) -> None:
    """Give a file another name; the old one, and those that led to it, redirect to the new one."""
    stem, dot, extension = name.rpartition(".")
    renamed = f"{stem} ({state.month}){dot}{extension}"
    plan = state.files.pop(name)
    state.files[renamed] = replace(plan, name=renamed, likeness=plan.drawn_by)
    state.redirect_file(name, renamed)
    state.tell("file_renamed", "", title=name, detail=renamed)
