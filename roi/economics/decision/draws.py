"""All draws of the uncertain facts, in chunks of bounded memory: one row a draw, the same rows for every option."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from roi.economics.decision.evaluation import Choice, evaluate, read_all
from roi.economics.decision.feasibility import meets_bar
from roi.economics.finance import payback
from roi.economics.inputs import Array
from roi.facts.case import Case
from roi.numerics.sequence import sobol

CHUNK = 2048
"""Draws at once: a (2048, 36) float64 array is 590 kB. Fewer pay more for calls than for arithmetic; more leave the cache."""


@dataclass(frozen=True)
class Drawn:
    """Outcomes of every draw, by option id; arrays of shape (n,)."""

    n: int
    pv: Mapping[str, Array]
    """Present value of costs, errors included, USD."""
    npv: Mapping[str, Array]
    """Savings against staying, USD."""
    payback: Mapping[str, Array]
    """Months; inf = never."""
    may_win: Mapping[str, NDArray[np.bool_]]
    """False in draws in which the option misses the bar."""
    facts: Mapping[str, Array]
    """The drawn values of the uncertain facts."""


def draw(case: Case, ids: Sequence[str], choices: Mapping[str, Choice], n: int, seed: int) -> Drawn:
    """The outcomes of `n` draws for the options `ids` (staying among them)."""
    uncertain = case.uncertain
    pv, npv, paid = ({id: np.empty(n) for id in ids} for _ in range(3))
    drawn = Drawn(
        n=n, pv=pv, npv=npv, payback=paid, may_win={id: np.empty(n, dtype=bool) for id in ids},
        facts={path: np.empty(n) for path in uncertain},
    )
    for start in range(0, n, CHUNK):
        stop = min(start + CHUNK, n)
        rows = slice(start, stop)
        values = case.values(sobol(start, stop, len(uncertain), seed))
        for path in uncertain:
            drawn.facts[path][rows] = np.asarray(values[path], dtype=np.float64)[:, 0]
        shared, options = read_all(case, values, choices)
        stay = evaluate(shared, options["stay"], options)
        for id in ids:
            done = stay if id == "stay" else evaluate(shared, options[id], options)
            pv[id][rows] = np.asarray(done.pv).reshape(-1)
            npv[id][rows] = np.asarray(stay.pv - done.pv).reshape(-1)
            saving = np.asarray(stay.total.monthly - done.total.monthly)
            first = np.asarray(stay.total.upfront) - done.total.upfront
            paid[id][rows] = payback(first, np.atleast_2d(saving))
            drawn.may_win[id][rows] = meets_bar(shared, options[id], options)
    return drawn


def percentiles(x: Array) -> tuple[float, float, float]:
    """P10, P50, P90 by the lower sample point, so that infinity stays infinity."""
    ranked = np.sort(x)
    low, middle, high = (float(ranked[min(int(p * ranked.size), ranked.size - 1)]) for p in (0.1, 0.5, 0.9))
    return low, middle, high


def probability_best(drawn: Drawn, ids: Sequence[str]) -> dict[str, float]:
    """Share of draws in which each option costs least among those that may win; ties go to the first listed."""
    table = np.stack([np.where(drawn.may_win[id], drawn.pv[id], np.inf) for id in ids])
    winner = np.argmin(table, axis=0)
    return {id: float(np.mean(winner == k)) for k, id in enumerate(ids)}
