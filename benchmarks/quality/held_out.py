"""Kinds of faults that were written after all thresholds were fixed, and are reported apart from the others.

They tell whether the checks find what nobody had in mind when the bands were set. Nothing in `bands`, in the checks or
in the tamperings may be changed because of what is found here; a kind that was looked at moves to `ours`, and another
one takes its place.
"""

import hashlib
import math
from typing import Any, Final

from benchmarks.quality.kinds import Kind, Record, Seeding, each, edited, on_draft, replaced, rows_like

_FORGOTTEN: Final = frozenset({"DE", "PL", "NL"})
_DEFAULT_LICENCE: Final = ("CC BY-SA 4.0", "https://creativecommons.org/licenses/by-sa/4.0")
_LEFT: Final = "GB"
_MOST_PAGES: Final = 16_000_000
"""Pages of the largest Wikipedia, roughly; numbers of pages are far smaller than those of revisions."""


# -- Wikidata ----------------------------------------------------------------------------------------------------------


def _as_degrees_and_minutes(row: Record) -> Record:
    """Turn 47.5 degrees, which are 47 degrees and 30 minutes, into 47.30."""
    if row["lat_deg"] is None:
        return row
    return {**row, "lat_deg": _read_wrongly(row["lat_deg"]), "lon_deg": _read_wrongly(row["lon_deg"])}


def _read_wrongly(degrees: float) -> float:
    fraction, whole = math.modf(degrees)
    return whole + fraction * 60 / 100


def _without_accented_titles(rows: list[Record]) -> list[Record]:
    return [row for row in rows if row["property"] != "sitelink" or row["value"].isascii()]


def _without_code(row: Record) -> Record:
    return {**row, "country_code": None} if row["country_code"] in _FORGOTTEN else row


def _sort_languages(seeding: Seeding) -> None:
    """Let what labels are chosen by be in the order of the alphabet."""
    from mlm_assets.tables import LABEL_LANGUAGES

    replaced("mlm_assets.assets.entities.LABEL_LANGUAGES", tuple(sorted(LABEL_LANGUAGES)))(seeding)


# -- Wikipedia ---------------------------------------------------------------------------------------------------------


def _without_its_name(row: Record) -> Record:
    """Take the name, which stands in bold where it is first mentioned, out of a lead text; its hash goes with it."""
    if row["text"] is None or not row["title"]:
        return row
    text = row["text"].replace(row["title"].partition(" (")[0], "", 1)
    return {**row, "text": text, "text_sha256": hashlib.sha256(text.encode()).hexdigest()}


def _keep_old_texts(seeding: Seeding) -> None:
    """Leave the French lead texts that readers see under the revisions that come."""

    def old(rows: Any, partition: str) -> Any:
        if not partition.startswith("fr|"):
            return rows
        known = {row["qid"]: row for row in seeding.accepted_rows("summaries", partition) if row["text"]}
        return rows_like([_with_text_of(known.get(row["qid"]), row) for row in rows.to_pylist()], "summaries")

    on_draft(seeding, "summaries", old)


def _with_text_of(old: Record | None, row: Record) -> Record:
    if old is None or row["text"] is None:
        return row
    return {**row, "text": old["text"], "text_sha256": old["text_sha256"]}


def _page_for_revision(row: Record) -> Record:
    if row["revision"] is None:
        return row
    name = hashlib.sha256(f"{row['lang']}:{row['title']}".encode()).hexdigest()
    return {**row, "revision": 1 + int(name[:12], 16) % _MOST_PAGES}


# -- Commons -----------------------------------------------------------------------------------------------------------


def _with_default_licence(row: Record) -> Record:
    if row["licence"] is None:
        return row
    licence, address = _DEFAULT_LICENCE
    return {**row, "licence": licence, "licence_url": address}


def _numbered_from_one(row: Record) -> Record:
    return {**row, "image_index": row["image_index"] + 1}


# -- datasets ----------------------------------------------------------------------------------------------------------


def _leave_the_kingdom_out(seeding: Seeding) -> None:
    """Bring the list of EU countries up to date, which is to be that of January 2020, and the populations with it."""
    from mlm_assets.geo.quotas import EU_COUNTRIES, eu_populations

    left = tuple(code for code in EU_COUNTRIES if code != _LEFT)
    people = {code: n_people for code, n_people in eu_populations().items() if code != _LEFT}
    replaced("mlm_assets.geo.quotas.EU_COUNTRIES", left)(seeding)
    replaced("mlm_assets.geo.quotas.eu_populations", lambda: people)(seeding)


HELD_OUT: Final[tuple[Kind, ...]] = (
    Kind("minutes_read_as_decimals", "coordinates are degrees and minutes in facts, with a point between them", True,
         edited("facts", each(_as_degrees_and_minutes))),
    Kind("accented_titles_lost", "articles whose title is not plain ASCII are missing in facts", True,
         edited("facts", _without_accented_titles)),
    Kind("country_codes_forgotten", "the table of country codes has lost Germany, Poland and the Netherlands", False,
         edited("facts", each(_without_code))),
    Kind("label_languages_sorted", "the languages of labels are in the order of the alphabet, German first", True,
         _sort_languages),
    Kind("names_eaten", "what is bold is cut out of Hungarian lead texts: the name, where it is first mentioned", True,
         edited("summaries", each(_without_its_name), lambda where: where.startswith("hu|")), lang="hu"),
    Kind("texts_kept_under_new_revisions", "French lead texts stay as they were, under the revisions of this month",
         False, _keep_old_texts, lang="fr"),
    Kind("pages_for_revisions", "the revision of each lead text is the number of its page", True,
         edited("summaries", each(_page_for_revision))),
    Kind("licences_defaulted", "every picture has the licence that is meant for want of another, CC BY-SA 4.0", True,
         edited("images", each(_with_default_licence))),
    Kind("images_numbered_from_one", "the images of a settlement are numbered from 1", True,
         edited("images", each(_numbered_from_one))),
    Kind("united_kingdom_left_out", "the United Kingdom is none of the EU countries of 2020, nor has it a quota", True,
         _leave_the_kingdom_out, country=_LEFT),
)  # fmt: skip
"""The kinds of this module."""
