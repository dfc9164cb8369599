"""Alerts: what is wrong now, who has been told of it, and what is still to be delivered.

`problems` looks at the home and says what is wrong *now*; `ledger` remembers what was told to whom; `routes` say who is
told; `messages` and `digest` word it; `targets` hand it to apprise; `delivery` does all of that in order. The sensor of
the daemon and the end of `mlm run` call the same function, `deliver`. Nothing here knows Dagster: what its instance
holds comes as plain records (`records`). How it is set up is in docs/alerts.md.
"""

from mlm_assets.alerts.delivery import Delivered, deliver
from mlm_assets.alerts.records import Observed

__all__ = ["Delivered", "Observed", "deliver"]
