"""The walk from month 0 to a month: undo, churn, growth, and the shock of the month if there is one."""

from dataclasses import replace
from typing import Final

from mlm_assets.local_wikimedia.generator.cases import FAILING, ODD, Case
from mlm_assets.local_wikimedia.generator.settlements import FIRST_QID
from mlm_assets.local_wikimedia.history.dice import Dice
from mlm_assets.local_wikimedia.history.items import EDITS, merge_items, nearest
from mlm_assets.local_wikimedia.history.shocks import Shock, strike, undo
from mlm_assets.local_wikimedia.history.state import State
from mlm_assets.local_wikimedia.history.wikis import edit_articles, edit_files

LEAST_CHURN, MOST_CHURN = 0.01, 0.03
_LEAST_GROWTH, _MOST_GROWTH = 0.008, 0.014
_MERGED_SHARE: Final = 0.02
"""Share of the edited items that are merged into another."""
_QIDS_PER_NUMBER: Final = 7


def walk(state: State, months: int, shocks: list[Shock], rate: float | None = None) -> None:
    """Bring `state` from month 0 to `months`; `rate` is the churn of every month, drawn for each where it is None."""
    striking = {shock.month: shock for shock in shocks}
    for month in range(1, months + 1):
        state.dice = Dice(state.seed, month)
        state.changes[month] = []
        undo(state)
        churn = state.dice.between(LEAST_CHURN, MOST_CHURN, "churn") if rate is None else rate
        _edit_items(state, churn)
        edit_articles(state, churn)
        edit_files(state, churn)
        _grow(state)
        if month in striking:
            strike(state, striking[month])


def _edit_items(state: State, churn: float) -> None:
    """Edit, delete and merge exactly that share of the items, survivors of mergers counted."""
    budget = state.dice.some(state.items, round(churn * len(state.items)), "item")
    chosen = set(budget)
    while budget:
        qid = budget.pop()
        if budget and state.dice.between(0, 1, "merged", qid) < 2 * _MERGED_SHARE:
            chosen.discard(budget.pop())  # the survivor is edited in its stead
            others = [item for other, item in state.items.items() if other not in chosen]
            region = state.items[qid].region.number
            near = [item for item in others if item.region.number == region] or others
            merge_items(state, qid, nearest(state.items[qid], near).qid)
        else:
            _edit_item(state, qid)


def _edit_item(state: State, qid: str) -> None:
    """Make the edit that is drawn, or the next one that the item allows."""
    kinds = list(EDITS)
    first = kinds.index(state.dice.weighted({kind: weight for kind, (weight, _) in EDITS.items()}, "kind", qid))
    tried = [*kinds[first:], *kinds[:first]]
    # An item is deleted only where that was drawn, not for want of anything else to do.
    for kind in [tried[0], *(kind for kind in tried[1:] if kind != "item_deleted")]:
        if EDITS[kind][1](state, qid):
            return


def _grow(state: State) -> None:
    """Add new items, whose cases have the shares of month 0."""
    rate = state.dice.between(_LEAST_GROWTH, _MOST_GROWTH, "growth")
    shares: dict[Case, float] = FAILING | ODD
    shares = shares | {"sound": 1 - sum(shares.values())}
    for _ in range(round(rate * len(state.items))):
        number, state.next_number = state.next_number, state.next_number + 1
        qid = f"Q{FIRST_QID + _QIDS_PER_NUMBER * number + state.dice.below(_QIDS_PER_NUMBER, 'qid', number)}"
        plan = state.planner.plan(number, qid, state.dice.weighted(shares, "case", number))
        plan.articles = [replace(article, born=state.month) for article in plan.articles]
        state.items[qid] = state.origins[qid] = plan
        state.edit(qid)
        for image in plan.images:
            state.upload(image)
        state.tell("item_created", qid, detail=plan.case)
