"""The bands: how much of a table may change in a month before somebody is told (`warn`) or nothing goes out (`block`).

One band per measure, each with the churn that is assumed to be normal and a sentence why. A band is left only if the
share that changed is larger than the band *and* larger than chance and normal churn give at that count (exact binomial
tail, `ALPHA`, divided by how many groups are looked at). How that is computed is in `checks.statistics`; which rows are
counted for which measure is in `checks.drift_measures`; the whole is explained in `docs/drift.md`.

To change a band, change its figures here and say why in its sentence; `docs/drift.md` shows the table.
"""

from dataclasses import dataclass
from typing import Final

ALPHA: Final = 1e-5
"""Chance of leaving a band at the assumed churn, per measure and dimension. So small because a release takes thousands
of looks in three years, and because churn comes in lumps, which a binomial does not know."""


@dataclass(frozen=True)
class Limits:
    """Shares: more than `warn` is a warning, more than `block` blocks, `normal` is what a month may bring anyway."""

    warn: float
    block: float
    normal: float


@dataclass(frozen=True)
class Band:
    """The band of one measure: for the table as a whole, and for each group (language, country, ...) of it."""

    name: str
    what: str
    total: Limits
    group: Limits
    why: str


def _band(name: str, what: str, total: tuple[float, float, float], group: tuple[float, float, float], why: str) -> Band:
    return Band(name, what, Limits(*total), Limits(*group), why)


_ALL: Final = (
    _band(
        "gone", "entities of the reference that are gone", (0.05, 0.10, 0.03), (0.10, 0.20, 0.06),
        "Deletions and merges are below 1 % a month; a wave of merges takes 4 % of one country.",
    ),
    _band(
        "gone_with_classes", "candidates and facts that are gone, whatever became of their class",
        (0.06, 0.12, 0.035), (0.12, 0.24, 0.07),
        "As above, and a class with up to 3 % of all instances may be re-parented for a month.",
    ),
    _band(
        "gone_per_class", "entities of one class that are gone though the class is still in the list",
        (0.10, 0.20, 0.06), (0.12, 0.25, 0.06),
        "Whole classes leave with the class list, which is judged apart; a query cut short loses much of one class.",
    ),
    _band(
        "new", "entities that the reference does not have, as a share of all that are there now",
        (0.12, 0.25, 0.06), (0.25, 0.50, 0.12),
        "Growth is 1 % a month; a class that comes back brings 3 %, a wave of stubs 6 % of a language. "
        "More is a class list that took in what is no settlement, or rows twice.",
    ),
    _band(
        "classes_gone", "classes of the list that are gone", (0.15, 0.30, 0.06), (0.15, 0.30, 0.06),
        "One edge that is cut takes a branch of small classes with it; what hangs on them is judged apart.",
    ),
    _band(
        "classes_new", "classes that are new in the list", (0.25, 0.50, 0.10), (0.25, 0.50, 0.10),
        "A branch may come back; a list that grows by half has swallowed another tree.",
    ),
    _band(
        "instances_lost", "candidates of the reference none of whose classes is in the list any more",
        (0.045, 0.07, 0.02), (0.045, 0.07, 0.02),
        "A class with up to 3 % of all instances may be re-parented for a month; more is a lost edge near the base.",
    ),
    _band(
        "hierarchy_changed", "classes that hang elsewhere (hops or parents)", (0.15, 0.30, 0.06), (0.15, 0.30, 0.06),
        "Volunteers move branches; a third of the tree at once is a broken query.",
    ),
    _band(
        "labels_lost", "labels that are missing now", (0.04, 0.10, 0.015), (0.06, 0.15, 0.03),
        "Labels are hardly ever removed, but moved to `mul` one by one.",
    ),
    _band(
        "changed", "entities whose value of a column changed", (0.08, 0.15, 0.04), (0.15, 0.30, 0.08),
        "1 to 3 % of entities are edited a month, and an edit changes one or two columns.",
    ),
    _band(
        "recountried", "entities that lie in another country now", (0.05, 0.12, 0.03), (0.12, 0.25, 0.07),
        "A bot re-tags up to 5 % of one country, besides ordinary edits.",
    ),
    _band(
        "reclassed", "entities that are of other classes now", (0.08, 0.16, 0.04), (0.20, 0.40, 0.10),
        "Ordinary edits, and bots that refine the class of a country's municipalities bit by bit.",
    ),
    _band(
        "moved", "entities that lie more than 10 km away from where they were", (0.03, 0.06, 0.012),
        (0.08, 0.16, 0.03),
        "Corrections by more than 10 km are rare; vandalism takes 0.5 %.",
    ),
    _band(
        "misplaced", "entities newly at zero, on whole degrees, or where three others lie", (0.01, 0.03, 0.004),
        (0.04, 0.08, 0.01),
        "Nearly never the truth; a parser or a unit does it.",
    ),
    _band(
        "rescaled", "populations that are more than twice or less than half of what they were", (0.03, 0.07, 0.012),
        (0.08, 0.16, 0.03),
        "A census changes figures by per cents; a factor is a unit or another column.",
    ),
    _band(
        "unedited", "entities whose values changed though their revision did not", (0.06, 0.12, 0.04),
        (0.15, 0.30, 0.08),
        "Values change by edits, which raise the revision; class labels and country codes belong to other items.",
    ),
    _band(
        "backwards", "entities whose revision or date of edit is older than in the reference", (0.015, 0.03, 0.005),
        (0.05, 0.10, 0.015),
        "Revisions only grow; undone vandalism must not count, should a service roll it back.",
    ),
    _band(
        "backwards_of_changed", "of the entities whose revision changed, those where it went back",
        (0.30, 0.50, 0.15), (0.30, 0.50, 0.15),
        "An old replica shows nothing but old revisions: visible even where little was edited.",
    ),
    _band(
        "missing", "values newly missing that should never be (revision, licence, author)", (0.02, 0.05, 0.008),
        (0.06, 0.12, 0.02),
        "What is missing in a month is what new rows lack.",
    ),
    _band(
        "future", "entities edited later than the release can know", (0.005, 0.02, 0.001), (0.02, 0.05, 0.003),
        "Nobody edits in the future; two months are allowed for a late refresh.",
    ),
    _band(
        "coverage_lost", "articles or pictures that an entity had and lacks now", (0.05, 0.10, 0.03),
        (0.08, 0.16, 0.04),
        "Articles are deleted and files renamed by the per mille; a vanished language is everything.",
    ),
    _band(
        "retexted", "lead texts that changed", (0.15, 0.35, 0.07), (0.22, 0.45, 0.10),
        "3 % of articles are edited a month where it is calm, up to 7 % in a large Wikipedia.",
    ),
    _band(
        "collapsed", "lead texts of less than half of their length", (0.04, 0.10, 0.015), (0.08, 0.16, 0.04),
        "Leads are cut down one at a time; half of a language is a broken extract.",
    ),
    _band(
        "cut", "lead texts that are the mere beginning of what they were", (0.025, 0.06, 0.008), (0.06, 0.12, 0.02),
        "An editor rewrites; a limit cuts.",
    ),
    _band(
        "one_length", "lead texts of exactly the greatest length", (0.02, 0.05, 0.005), (0.05, 0.10, 0.01),
        "Lengths hardly ever coincide at the top; a limit makes them.",
    ),
    _band(
        "dirty", "texts that newly hold markup, broken characters or another language", (0.02, 0.05, 0.006),
        (0.05, 0.10, 0.012),
        "Extracts are plain text; what is left over in normal months was there before.",
    ),
    _band(
        "repeated", "texts or pictures that newly stand under several entities or files", (0.01, 0.03, 0.004),
        (0.04, 0.08, 0.01),
        "Two different files never give the same picture but by a placeholder.",
    ),
    _band(
        "retitled", "articles under another title", (0.06, 0.15, 0.03), (0.12, 0.25, 0.06),
        "Renamings are below 1 % a month; a shift by one row changes all.",
    ),
    _band(
        "repictured", "pictures that changed", (0.10, 0.20, 0.05), (0.20, 0.40, 0.10),
        "New versions of a file are rare; 6 % more images in a country are new ones, not changed ones.",
    ),
    _band(
        "unedited_picture", "pictures or sizes that changed though the file (SHA-1) did not", (0.02, 0.05, 0.006),
        (0.05, 0.10, 0.015),
        "The same file gives the same picture.",
    ),
    _band(
        "blank", "pictures of one flat colour, of a sample of those that are new", (0.15, 0.30, 0.03),
        (0.15, 0.30, 0.03),
        "Photographs are never flat; a few drawings are.",
    ),
    _band(
        "relicensed", "files under another licence or of another kind", (0.05, 0.12, 0.02), (0.12, 0.25, 0.05),
        "Licences are corrected by the hundred, not by the ten thousand.",
    ),
    _band(
        "newly_rejected", "candidates that were not rejected for this reason before", (0.025, 0.05, 0.012),
        (0.025, 0.05, 0.012),
        "Deleted files and moved articles reject below 1 % a month.",
    ),
    _band(
        "no_longer_rejected", "candidates rejected before that are settlements now", (0.20, 0.40, 0.10),
        (0.30, 0.60, 0.15),
        "6 % more images or stubs turn rejections into settlements; a rule that holds no more turns all.",
    ),
    _band(
        "member_lost", "members of a variant that are members no more", (0.08, 0.16, 0.05), (0.12, 0.25, 0.08),
        "Losses upstream add up here, and a geo-cell that falls below T_min takes up to T_min members along.",
    ),
    _band(
        "cell_changed", "settlements in another geo-cell, or cells that are gone or new", (0.25, 0.50, 0.12),
        (0.35, 0.60, 0.18),
        "A cell that is split or removed moves all of its settlements; cells are cut anew each month.",
    ),
    _band(
        "resplit", "settlements in another split", (0.0005, 0.001, 0.000001), (0.0005, 0.001, 0.000001),
        "A settlement keeps its split for ever; a single swap by a merge is let pass.",
    ),
    _band(
        "figure_dropped", "a published figure that fell", (0.10, 0.20, 0.06), (0.25, 0.50, 0.12),
        "Figures of a release follow its tables, which are judged on their own.",
    ),
    _band(
        "emptied", "values that are null now beyond the share of the reference", (0.03, 0.08, 0.012),
        (0.03, 0.08, 0.012),
        "The share of nulls of a column hardly moves in a month.",
    ),
)  # fmt: skip

BANDS: Final[dict[str, Band]] = {band.name: band for band in _ALL}


@dataclass(frozen=True)
class Thresholds:
    """Two thresholds of a measure that is no share of rows, and why they lie there."""

    warn: float
    block: float
    why: str


STABILITY: Final = Thresholds(
    0.10, 0.25, "The usual reading of PSI: below 0.1 nothing, above 0.25 another population."
)  # fmt: skip
DEVIATION: Final = Thresholds(
    8, 15, "Robust standard deviations of the month-on-month change; the floors below make them 8 and 15 % at least."
)
DEVIATION_FLOOR: Final = 0.01
DEVIATION_FLOOR_GROUP: Final = 0.015
"""A history that is calmer than this month on month is not believed to stay so."""
EROSION: Final = Thresholds(0.08, 0.16, "Two per cent a month stay below every monthly band and are 12 % in a year.")
EROSION_GROUP: Final = Thresholds(
    0.16, 0.32, "One country may lose 4 % by merges and 5 % by re-tagging in one year, and some more by edits."
)
FEWEST_RELEASES: Final = 6
"""Accepted releases from which on their own variation is used."""
EROSION_RELEASES: Final = 12
FEWEST_FOR_HISTORY: Final = 100
"""Groups with fewer rows than this have no history to speak of."""
SCORE: Final = Thresholds(
    0.20, 0.45, "Training again on nearly the same data moves scores by some per cent; half is something broken."
)
STANDSTILL_EDITED: Final = 0.01
"""Share of entities that is edited in the calmest month: a month in which nothing was, is no month of its source."""
STANDSTILL_ALPHA: Final = 1e-5
MOVED_ON_SINCE_LISTED: Final = 0.001
"""Share of items that is edited in the hours from their listing to what is asked after it: ten times the ordinary."""
FUTURE_MONTHS: Final = 2
MOVED_KM: Final = 10.0
