"""All draws of the uncertain facts, and which of these facts move the answer.

One row a draw, the same rows for every option, in chunks of bounded memory. A fact's pull is told by its rank correlation,
its swing between P5 and P95, and what knowing it exactly could be worth.
"""

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
CENTS = 2
"""Decimals of USD to which swings are ranked, so that rounding error does not order a tie."""
BINS = 16
"""Bins of a fact's draws in the value of information: 4,096 draws leave 256 a bin."""
MOST, KNOWN = 10, 3
"""Drivers that are listed, and those of them for which the value of knowing them is worked out."""


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


@dataclass(frozen=True)
class Driver:
    """One fact's pull on the NPV of the option in question."""

    path: str
    rank_correlation: float
    """Spearman's rho between the fact and the option's NPV over the draws."""
    npv_at_low_usd: float
    npv_at_high_usd: float
    """NPV with the fact at its P5 and P95, all others central."""
    swing_usd: float
    """Distance between the two."""
    worth_knowing_usd: float | None
    """The most that knowing the fact exactly could be worth: expected value of partial perfect information."""


def find_drivers(
    case: Case, drawn: Drawn, option: str, choices: Mapping[str, Choice], candidates: Sequence[str], recommended: str
) -> tuple[Driver, ...]:
    """The facts that move `option`'s NPV most, by swing; the first three with the value of knowing them."""
    paths = case.uncertain
    low, high = _swings(case, option, choices)
    order = sorted(range(len(paths)), key=lambda k: -round(float(abs(high[k] - low[k])), CENTS))[:MOST]
    target = _ranks(drawn.npv[option])
    found = []
    for position, k in enumerate(order):
        worth = worth_knowing(drawn, paths[k], candidates, recommended) if position < KNOWN else None
        found.append(Driver(
            path=paths[k], rank_correlation=_correlation(_ranks(drawn.facts[paths[k]]), target),
            npv_at_low_usd=float(low[k]), npv_at_high_usd=float(high[k]), swing_usd=float(abs(high[k] - low[k])),
            worth_knowing_usd=worth,
        ))
    return tuple(d for d in found if d.swing_usd > 0)


def worth_knowing(drawn: Drawn, path: str, candidates: Sequence[str], recommended: str) -> float:
    """USD that any study of this one fact could be worth at most, by bins of its draws; never below zero.

    E[max over candidates of E[NPV | fact]] - E[NPV of the recommended one].
    """
    order = np.argsort(drawn.facts[path], kind="stable")
    table = np.stack([drawn.npv[id] for id in candidates])[:, order]
    groups = np.array_split(np.arange(drawn.n), min(BINS, drawn.n))
    informed = sum(table[:, g].mean(axis=1).max() * g.size for g in groups) / drawn.n
    return max(float(informed - drawn.npv[recommended].mean()), 0.0)


def _swings(case: Case, option: str, choices: Mapping[str, Choice]) -> tuple[Array, Array]:
    """NPV of the option with each fact alone at its P5, and at its P95: one row a fact, evaluated together."""
    paths, values = case.uncertain, case.values()
    n = len(paths)
    for k, path in enumerate(paths):
        fact = case[path]
        column = np.full((2 * n, 1), fact.number())
        column[k, 0], column[n + k, 0] = fact.spread()
        values[path] = column
    shared, options = read_all(case, values, choices)
    stay, own = evaluate(shared, options["stay"], options), evaluate(shared, options[option], options)
    npv = np.broadcast_to(np.asarray(stay.pv - own.pv).reshape(-1), 2 * n)
    return npv[:n], npv[n:]


def _ranks(x: Array) -> Array:
    ranks = np.empty(x.size)
    ranks[np.argsort(x, kind="stable")] = np.arange(x.size)
    return ranks


def _correlation(a: Array, b: Array) -> float:
    a, b = a - a.mean(), b - b.mean()
    scale = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / scale) if scale > 0 else 0.0
