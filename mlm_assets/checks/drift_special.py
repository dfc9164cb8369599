"""Drift checks that are no share of compared rows: columns, distributions, histories, pictures, freshness, scores.

Each takes what is compared, its declaration and the profiles of accepted releases, and returns a verdict.
"""

import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from mlm_assets.bands import ALPHA, BANDS, SCORE, STANDSTILL_ALPHA, STANDSTILL_EDITED, Limits
from mlm_assets.checks import drift_history as past
from mlm_assets.checks.drift import departed, failing_path, write_rows
from mlm_assets.checks.drift_history import Departure
from mlm_assets.checks.drift_measures import COMPARISONS, MEASURES
from mlm_assets.checks.profile import Profile, profile_of
from mlm_assets.checks.statistics import binomial_tail, critical_count
from mlm_assets.checks.verdicts import Check, Verdict
from mlm_assets.tables import TRAINED_VARIANTS

if TYPE_CHECKING:
    from mlm_assets.checks.drift_tallies import Comparing

_SAMPLE: Final = 32
_FLAT: Final = 4.0  # standard deviation, of 256 grey levels, below which a picture shows nothing
_FEWEST_PICTURES: Final = 8
_HIGHER_IS_BETTER: Final = ("R@1", "R@5", "R@10", "f1", "precision", "recall")
_LOWER_IS_BETTER: Final = ("medR", "median_km")
_SCORED_SECTIONS: Final = ("retrieval", "location", "full_gallery")
_SIGMAS: Final = 4.0
_REVISIONED: Final = ("candidates", "summaries")


def _failed(check: Check, comparing: "Comparing", level: str, sentence: str, figures: dict[str, Any],
            **more: Any) -> Verdict:  # fmt: skip
    severity: Any = "ERROR" if level == "ERROR" else "WARN"
    return Verdict(comparing.current.table, check.name, False, sentence, severity, check.is_blocking, figures, **more)


def _held(check: Check, comparing: "Comparing", sentence: str, figures: dict[str, Any] | None = None) -> Verdict:
    return Verdict(
        comparing.current.table, check.name, True, sentence, is_blocking=check.is_blocking, figures=figures or {}
    )


def _profiles(comparing: "Comparing") -> tuple[Profile, Profile]:
    """Return the figures of the reference and of the current version."""
    lake, connection = comparing.lake, comparing.connection
    return profile_of(lake, comparing.reference, connection), profile_of(lake, comparing.current, connection)


# -- any table -------------------------------------------------------------------------------------------------------


def columns(comparing: "Comparing", check: Check, history: Sequence[Profile]) -> Verdict:
    """Columns and types of both sides, and their shares of nulls."""
    table = comparing.current.table
    comparing.open_views([table])
    old, new = comparing.columns[table]["old"], comparing.columns[table]["new"]
    gone, added = sorted({*old} - {*new}), sorted({*new} - {*old})
    retyped = sorted(name for name in {*old} & {*new} if old[name] != new[name])
    if gone or added or retyped:
        parts = [("gone", gone), ("new", added), ("of another type", retyped)]
        said = "; ".join(f"{', '.join(names)} {words}" for words, names in parts if names)
        figures: dict[str, Any] = {"gone": gone, "new": added, "retyped": retyped}
        return _failed(check, comparing, "WARN", f"Columns differ from the reference's: {said}.", figures)
    before, now = _profiles(comparing)
    found = past.emptied(before, now, table, before.n_rows, now.n_rows)
    return departed(
        comparing.current, check, found, f"{len(new)} columns with the types of the reference, as full as they were.",
        lambda one: f"{one.item} is null in {100 * one.size:.3g} % more of the rows than in the reference "
        f"({one.now:,.0f} of {now.n_rows:,}).",
    )  # fmt: skip


def distributions(comparing: "Comparing", check: Check, history: Sequence[Profile]) -> Verdict:
    """Population stability index of each distribution, less what two samples of one source can give."""
    before, now = _profiles(comparing)
    n = past.distributions_compared(before, now)
    return departed(
        comparing.current, check, past.shifts(before, now), f"{n} distributions are those of the reference.",
        lambda one: f"{one.figure.replace('.', ': ')}{f' of {one.item}' if one.item else ''} is distributed otherwise: "
        f"its stability index (PSI) is {one.size:.2f}.",
    )  # fmt: skip


def levels(comparing: "Comparing", check: Check, history: Sequence[Profile]) -> Verdict:
    """Month-on-month change and level against the accepted releases."""
    now = profile_of(comparing.lake, comparing.current, comparing.connection)
    n = len(past.usable(history, now))
    found = past.departures(history, now)
    return departed(
        comparing.current, check, found, f"Counts follow the course of {n} accepted releases.",
        lambda one: f"{one.figure.replace('.', ': ')} {one.item} is {one.now:,.0f}, "
        + (f"after {one.before:,.0f}: no accepted month changed like this." if one.measure == "change"
           else f"{100 * -one.size:.3g} % below the median of the last accepted year ({one.before:,.0f})."),
    )  # fmt: skip


# -- images ----------------------------------------------------------------------------------------------------------


def blank_pictures(comparing: "Comparing", check: Check, history: Sequence[Profile]) -> Verdict:
    """Decode a sample of the pictures that are new since the reference, SVG drawings apart."""
    comparing.make(COMPARISONS["images"])
    fresh = (
        "in_new AND new_is_ok AND NOT new_is_svg AND new_path IS NOT NULL"
        " AND coalesce(new_picture_sha256 <> old_picture_sha256, TRUE)"
    )
    rows = comparing.connection.execute(
        "SELECT qid, file, new_path, new_width_px, new_height_px, new_picture_sha256 "  # noqa: S608
        f"FROM compared_images WHERE {fresh} "
        f"ORDER BY hash(new_picture_sha256, qid, file) LIMIT {_SAMPLE}"
    ).fetchall()
    looked = [(row, _is_flat(comparing, row[2], row[3], row[4])) for row in rows]
    seen = [(row, flat) for row, flat in looked if flat is not None]
    flat = [row for row, is_flat in seen if is_flat]
    limits = BANDS["blank"].total
    figures = {"n": len(seen), "changed": len(flat), "warn": limits.warn, "block": limits.block,
               "normal": limits.normal, "sampled_at_most": _SAMPLE}  # fmt: skip
    said = f"{len(flat)} of {len(seen)} new pictures looked at (a sample of at most {_SAMPLE}) are of one flat colour."
    level = _level(len(seen), len(flat), limits)
    if not level or len(seen) < _FEWEST_PICTURES:
        return _held(check, comparing, said, figures)
    names = ", ".join("'" + row[5].replace("'", "''") + "'" for row in flat)
    path, sample = write_rows(
        comparing, failing_path(comparing.current, check),
        f"SELECT qid, file, new_path, new_picture_sha256 FROM compared_images WHERE {fresh} "  # noqa: S608
        f"AND new_picture_sha256 IN ({names})",
    )  # fmt: skip
    return _failed(check, comparing, level, said, figures, rows_path=path, sample=sample)


def _is_flat(comparing: "Comparing", path: str, width_px: int | None, height_px: int | None) -> bool | None:
    """Tell whether the picture, its padding apart, is of one colour; None where it cannot be read."""
    from PIL import Image, ImageStat, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(comparing.lake.read_bytes(path))) as picture:
            grey = picture.convert("L")
    except (OSError, UnidentifiedImageError):
        return None
    side = grey.size[0]
    longest = max(width_px or 1, height_px or 1)
    half = [max(side * (extent or longest) / longest / 2 - 3, 1) for extent in (width_px, height_px)]
    middle = side / 2
    inner = grey.crop((
        int(middle - half[0]), int(middle - half[1]), math.ceil(middle + half[0]), math.ceil(middle + half[1])
    ))  # fmt: skip
    return bool(ImageStat.Stat(inner).stddev[0] < _FLAT)


def _level(n: int, k: int, limits: Limits) -> str:
    if k and k >= critical_count(n, limits.block, limits.normal, ALPHA):
        return "ERROR"
    return "WARN" if k and k >= critical_count(n, limits.warn, limits.normal, ALPHA) else ""


# -- refresh ---------------------------------------------------------------------------------------------------------


def moves_on(comparing: "Comparing", check: Check, history: Sequence[Profile]) -> Verdict:
    """Count the revisions that are newer than the reference's: in a month, as many as in the calmest one must be.

    Not only none is too few: where some answers are old and others are not, a few have moved on.
    """
    if comparing.reference.release == comparing.current.release:
        return _held(check, comparing, "The reference is of the same release; nothing need have changed since.")
    n = newer = 0
    for name in _REVISIONED:
        comparing.make(COMPARISONS[name])
        counts = comparing.connection.execute(
            "SELECT count(*) FILTER (in_old AND in_new), count(*) FILTER (in_old AND in_new AND new_revision > "  # noqa: S608
            f'old_revision) FROM "compared_{name}"'
        ).fetchall()[0]
        n, newer = n + counts[0], newer + counts[1]
    chance = binomial_tail(n, 1 - STANDSTILL_EDITED, n - newer)  # that so few are, or fewer
    figures = {"n": n, "changed": newer, "edited_in_the_calmest_month": STANDSTILL_EDITED, "chance": chance}
    said = f"{newer:,} of {n:,} items and articles have a newer revision than in {comparing.reference.release}."
    if chance >= STANDSTILL_ALPHA:
        return _held(check, comparing, said, figures)
    return _failed(check, comparing, "WARN", f"{said} The source stands still, or some of it is an old copy.", figures)


def parameters(comparing: "Comparing", check: Check, history: Sequence[Profile]) -> Verdict:
    """Compare the parameters that both manifests pin; a change that is meant is approved once, and recorded so."""
    comparing.open_views(["refresh"])
    changed = comparing.connection.execute(
        "SELECT coalesce(n.name, o.name), o.value, n.value "
        "FROM (SELECT * FROM old_refresh WHERE kind = 'parameter') AS o "
        "FULL JOIN (SELECT * FROM new_refresh WHERE kind = 'parameter') AS n USING (name) "
        "WHERE o.value IS DISTINCT FROM n.value ORDER BY 1"
    ).fetchall()
    if not changed:
        return _held(check, comparing, "The parameters are those of the reference.")
    said = "; ".join(f"{name} was {old}, is {new}" for name, old, new in changed)
    figures = {name: {"before": old, "now": new} for name, old, new in changed}
    return _failed(check, comparing, "ERROR", f"Parameters of the release changed: {said}.", figures)


# -- statistics and scores -------------------------------------------------------------------------------------------


def figures_drop(comparing: "Comparing", check: Check, history: Sequence[Profile]) -> Verdict:
    """Compare each published figure: of n things, how many fewer."""
    found = [one for one in _figures(comparing) if one.size < 0]
    return departed(
        comparing.current, check, found, "No published figure fell by more than its band.",
        lambda one: f"{one.item} fell from {one.before:,.0f} to {one.now:,.0f} ({100 * one.size:.3g} %).",
    )  # fmt: skip


def figures_rise(comparing: "Comparing", check: Check, history: Sequence[Profile]) -> Verdict:
    """Compare each published figure: how many more."""
    found = [one for one in _figures(comparing) if one.size > 0]
    return departed(
        comparing.current, check, found, "No published figure jumped by more than its band.",
        lambda one: f"{one.item} jumped from {one.before:,.0f} to {one.now:,.0f} ({100 * one.size:+.3g} %).",
    )  # fmt: skip


def _figures(comparing: "Comparing") -> list[Departure]:
    comparing.open_views(["dataset_statistics"])
    rows = comparing.connection.execute(
        "SELECT variant, figure, item, coalesce(o.n, 0), coalesce(n.n, 0) FROM old_dataset_statistics AS o "
        "FULL JOIN new_dataset_statistics AS n USING (variant, figure, item)"
    ).fetchall()
    found = []
    for variant, figure, item, old, new in rows:
        if figure == "cells" or not old:
            continue  # cells are cut anew each month and judged in geo_cells; what was nothing cannot fall
        band = BANDS["figure_dropped"]
        limits = band.group if item else band.total
        size = abs(new - old)
        level = _figure_level(max(old, new) if new > old else old, size, limits, len(rows))
        if level:
            name = " ".join(part for part in (variant, figure.replace("_", " "), item) if part)
            found.append(Departure("figure", f"dataset_statistics.{figure}", name, old, new, (new - old) / old, level))
    return found


def _figure_level(n: int, k: int, limits: Limits, n_figures: int) -> str:
    alpha = ALPHA / n_figures
    if k >= critical_count(n, limits.block, limits.normal, alpha):
        return "ERROR"
    return "WARN" if k and k >= critical_count(n, limits.warn, limits.normal, alpha) else ""


def scores(comparing: "Comparing", check: Check, history: Sequence[Profile]) -> Verdict:
    """Compare the scores of a model, or of a benchmark, with those of the reference."""
    table = comparing.current.table
    comparing.open_views([table])
    found = _benchmark_scores(comparing, table) if table.endswith("/benchmark") else _model_scores(comparing, table)
    return departed(
        comparing.current, check, found, "Scores are those of the reference or better, within what training varies.",
        lambda one: f"{one.item} was {one.before:.3g} and is {one.now:.3g}."
        if not math.isnan(one.now) else f"{one.item} was {one.before:.3g} and is missing now.",
    )  # fmt: skip


def _model_scores(comparing: "Comparing", table: str) -> list[Departure]:
    """Compare the shares that validation measured at the best epoch; noise by the number of validation items."""
    names = ("located_image", "located_text", "score")
    sides = {}
    for side in ("old", "new"):
        chosen = ", ".join(f'max("{name}") FILTER (is_best)' for name in names)
        sides[side] = comparing.connection.execute(f'SELECT {chosen} FROM "{side}_{table}"').fetchall()[0]  # noqa: S608
    n = _n_validation(comparing, table)
    found = []
    for name, old, new in zip(names, sides["old"], sides["new"], strict=True):
        if old is None:
            continue
        now = math.nan if new is None or math.isnan(new) else new
        noise = _SIGMAS * math.sqrt(max(old * (1 - old), 0.0) * 2 / n)
        found += _score_departure(name, old, now, noise, is_high_good=True)
    return found


def _n_validation(comparing: "Comparing", table: str) -> int:
    """Return how many items validation had, at least one; the smaller side counts."""
    variant = table.partition("/")[0]
    if variant not in TRAINED_VARIANTS:
        return 1
    comparing.open_views([variant])
    counts: list[int] = [
        comparing.connection.execute(
            f"SELECT count(*) FROM \"{side}_{variant}\" WHERE split = 'validation'"  # noqa: S608
        ).fetchall()[0][0]
        for side in ("old", "new")
    ]
    return max(min(counts), 1)


def _benchmark_scores(comparing: "Comparing", table: str) -> list[Departure]:
    """Compare the figures of the main sections; noise is what their intervals say."""
    names = ", ".join(f"'{name}'" for name in (*_HIGHER_IS_BETTER, *_LOWER_IS_BETTER))
    sections = ", ".join(f"'{name}'" for name in _SCORED_SECTIONS)
    rows = comparing.connection.execute(
        "SELECT o.section, o.model, o.direction, o.figure, o.value, o.low, o.high, n.value, n.low, n.high "  # noqa: S608
        f'FROM "old_{table}" AS o LEFT JOIN "new_{table}" AS n USING (section, model, direction, "group", figure) '
        f"WHERE o.section IN ({sections}) AND o.figure IN ({names}) AND o.value IS NOT NULL AND o.\"group\" = '' "
        "AND o.model <> 'chance' ORDER BY ALL"
    ).fetchall()
    found = []
    for section, model, direction, figure, old, *bounds in rows:
        old_low, old_high, new, new_low, new_high = bounds
        name = " ".join(part for part in (model, section, direction, figure) if part)
        halves = [(high - low) / 2 for low, high in ((old_low, old_high), (new_low, new_high)) if low is not None]
        noise = _SIGMAS / 1.96 * math.sqrt(sum(half * half for half in halves)) if halves else abs(old) / 4
        now = math.nan if new is None else new
        found += _score_departure(name, old, now, noise, figure in _HIGHER_IS_BETTER)
    return found


def _score_departure(name: str, old: float, new: float, noise: float, is_high_good: bool) -> list[Departure]:
    """Return the departure of one score: worse by more than the band, of the old one, and by more than its noise."""
    if math.isnan(new):
        return [Departure("score", "scores.missing", name, old, new, -1.0, "ERROR")]
    worse = (old - new) if is_high_good else (new - old)
    relative = worse / max(abs(old), 1e-9) if is_high_good else worse / max(abs(new), 1e-9)
    if relative <= SCORE.warn or worse <= noise:
        return []
    level = "ERROR" if relative > SCORE.block else "WARN"
    return [Departure("score", "scores.score", name, old, new, -relative, level)]


def losses(comparing: "Comparing", check: Check, history: Sequence[Profile]) -> Verdict:
    """Losses of all epochs are finite, one epoch is the best, and there are not far fewer epochs than before."""
    table = comparing.current.table
    comparing.open_views([table])
    n_epochs, n_bad, n_best = comparing.connection.execute(
        "SELECT count(*), count(*) FILTER (loss IS NULL OR isnan(loss) OR isinf(loss)), count(*) FILTER (is_best) "  # noqa: S608
        f'FROM "new_{table}"'
    ).fetchall()[0]
    before = comparing.connection.execute(f'SELECT count(*) FROM "old_{table}"').fetchall()[0][0]  # noqa: S608
    figures = {"epochs": n_epochs, "epochs_before": before, "without_a_loss": n_bad, "best": n_best}
    if n_bad or n_best != 1:
        return _failed(check, comparing, "ERROR", f"{n_bad} of {n_epochs} epochs have no finite loss, {n_best} are "
                       "marked as the best.", figures)  # fmt: skip
    if 4 * n_epochs < before:
        return _failed(check, comparing, "WARN", f"Training ended after {n_epochs} epochs; before, it took {before}.",
                       figures)  # fmt: skip
    return _held(check, comparing, f"{n_epochs} epochs, each with a finite loss.", figures)


assert set(_REVISIONED) <= set(MEASURES)
