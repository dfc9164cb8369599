"""Misbehaviour on request: which kinds there are, how they are asked for, and which request is hit.

Grammar: `KIND=RATE[,KIND=RATE...][;seed=N]`, rates as fractions (0.1) or per cent (10%). `all=RATE` shares a rate
equally among the kinds that fit a service. Whether a request is hit depends on the seed and its number alone, so that
the next attempt usually succeeds. How a fault is played is in `misbehaviour.py`.
"""

import hashlib
from collections import Counter
from typing import Final

from mlm_assets.errors import Refused
from mlm_assets.local_wikimedia.stats import SERVICES

_EVERYWHERE: Final = ("429", "429-date", "503", "reset", "html", "wrong-length", "slow")
KINDS: Final = {
    "sparql": (*_EVERYWHERE, "truncated"),
    "action_api": (*_EVERYWHERE, "truncated", "maxlag"),
    "files": (*_EVERYWHERE, "corrupt"),
}
"""The kinds that fit each service."""
ALL_KINDS: Final = (*_EVERYWHERE, "truncated", "maxlag", "corrupt")


class Faults:
    """A plan of faults: for every service, which share of requests is hit by which kind."""

    def __init__(self, rates: dict[str, float] | None = None, seed: int = 0) -> None:
        self._seed = seed
        self._n_requests: Counter[str] = Counter()
        self._rates = {service: _rates_of(service, rates or {}) for service in SERVICES}

    @classmethod
    def parse(cls, spec: str | None) -> "Faults":
        """Return the plan that `spec` asks for; none for None or an empty text.

        Raises:
            Refused: the text does not follow the grammar, names an unknown kind, or rates exceed 1 in total.
        """
        rates_text, _, options = (spec or "").partition(";")
        rates = dict(_rate(part) for part in rates_text.split(",") if part.strip())
        plan = cls(rates, _seed(options))
        for service, shares in plan._rates.items():
            if sum(shares.values()) > 1 + 1e-9:
                raise Refused(f"The fault rates of {service} add up to more than 1. Lower them.")
        return plan

    def draw(self, service: str) -> str | None:
        """Return the kind that hits the next request of `service`, or None."""
        number = self._n_requests[service]
        self._n_requests[service] += 1
        left = fraction(self._seed, service, number)
        for kind, rate in self._rates[service].items():
            if left < rate:
                return kind
            left -= rate
        return None


def fraction(*name: object) -> float:
    """Return a number in [0, 1) that depends on `name` alone."""
    digest = hashlib.sha256("/".join(map(str, name)).encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def _rates_of(service: str, rates: dict[str, float]) -> dict[str, float]:
    kinds = KINDS[service]
    shared = rates.get("all", 0.0) / len(kinds)
    return {kind: rates.get(kind, 0.0) + shared for kind in kinds if rates.get(kind, 0.0) + shared > 0}


def _rate(part: str) -> tuple[str, float]:
    kind, sign, text = (piece.strip() for piece in part.partition("="))
    if kind not in (*ALL_KINDS, "all"):
        raise Refused(f"There is no fault {kind!r}. The kinds are: {', '.join(ALL_KINDS)}, and all.")
    try:
        rate = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        rate = -1.0
    if not sign or not 0 <= rate <= 1:
        raise Refused(
            f"The rate of the fault {part.strip()!r} is no number between 0 and 1. Write {kind}=0.1 or {kind}=10%."
        )
    return kind, rate


def _seed(options: str) -> int:
    name, _, text = (piece.strip() for piece in options.partition("="))
    if not options.strip():
        return 0
    if name != "seed" or not text.lstrip("-").isdigit():
        raise Refused(f"The fault option {options.strip()!r} is not understood. Write seed=1.")
    return int(text)
