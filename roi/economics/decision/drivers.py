"""Which uncertain facts move an option's NPV: rank correlation, swing between P5 and P95, and what knowing one is worth."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from roi.economics.decision.draws import Drawn
from roi.economics.decision.evaluation import Choice, evaluate, read_all
from roi.economics.decision.feasibility import tells_quality
from roi.economics.decision.measuring.worth import Following, with_next
from roi.economics.inputs import Array, Option, Shared, path_of
from roi.facts.case import Case
from roi.numerics.main_effects import MainEffects, ranks
from roi.numerics.value_of_information import bar_edge, gain_of_knowing, most_to_know

MOST = 10
"""Drivers that are listed at most."""
CENTS = 2
"""Decimals of USD to which pulls are ranked, so that rounding error does not order a tie."""
LISTED_BY = 0.02
"""USD by which a pull must miss those that are listed to be no tie once it is rounded to cents."""
LEAST_USD = 0.5
"""A swing that prints as 0 is no driver."""


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
    """How far the two NPVs lie apart, USD."""
    worth_knowing_usd: float
    """The most that knowing the fact exactly could be worth: expected value of partial perfect information."""


def find_drivers(
    case: Case, drawn: Drawn, option: str, choices: Mapping[str, Choice], candidates: Sequence[str],
    unproven: Mapping[str, Option], counts: str = "errors", following: Following | None = None, idle: Collection[str] = (),
) -> tuple[Driver, ...]:
    """The facts that move `option`'s NPV most, by swing, and those that are worth knowing, by worth.

    `unproven` are the options that cannot be recommended because nobody tested them, or because they missed the bar where they
    were: knowing how often one is wrong would let it be. No option that may be recommended hangs on a fact of `idle`.
    """
    paths = case.uncertain
    low, high = _swings(case, option, choices)
    swing = np.abs(high - low)
    saved, candidates = with_next(drawn.saved(counts), candidates, following)
    effects = MainEffects(saved, drawn.columns)
    bar = case[path_of(Shared, "quality_bar")].number()

    def edge(path: str) -> float | None:
        """Where knowing the fact tells that an option misses the bar."""
        told = path.startswith(("quality.", "systems."))
        return bar_edge(drawn.facts[path], drawn.wrong.values(), bar) if told else None

    @cache
    def most(eligible: tuple[str, ...]) -> float:
        """What knowing any fact that lets these options be chosen is worth at most."""
        return most_to_know(saved, candidates, eligible)

    # the worth of a fact is worked out where it may be above zero, and may bring the fact among those that are listed
    opened = [tuple(id for id, o in unproven.items() if tells_quality(path, o)) for path in paths]
    listed = float(np.sort(swing)[-MOST] - LISTED_BY) if len(paths) > MOST else -np.inf
    worth = [0.0 if path in idle or most(ids) == 0.0 or max(float(swing[k]), most(ids)) < listed
             else gain_of_knowing(effects, drawn.facts[path], candidates, ids, edge(path))
             for k, (path, ids) in enumerate(zip(paths, opened, strict=True))]
    pull = [max(float(a), b) for a, b in zip(swing, worth, strict=True)]
    order = sorted((k for k, x in enumerate(pull) if x >= LEAST_USD), key=lambda k: -round(pull[k], CENTS))[:MOST]
    target = ranks(drawn.npv[option])
    return tuple(
        Driver(path=paths[k], rank_correlation=_correlation(ranks(drawn.facts[paths[k]]), target),
               npv_at_low_usd=float(low[k]), npv_at_high_usd=float(high[k]), swing_usd=float(swing[k]),
               worth_knowing_usd=worth[k])
        for k in order
    )


def _swings(case: Case, option: str, choices: Mapping[str, Choice]) -> tuple[Array, Array]:
    """NPV of the option with each fact alone at its P5, and at its P95: one row a fact, evaluated together."""
    paths, values = case.uncertain, case.values()
    n = len(paths)
    for k, path in enumerate(paths):
        fact = case[path]
        column = np.full((2 * n, 1), fact.number())
        column[k, 0], column[n + k, 0] = fact.spread()
        values[path] = column
    shared, options = read_all(case, values, choices, (option,))
    stay, own = evaluate(shared, options["stay"], options), evaluate(shared, options[option], options)
    npv = np.broadcast_to(np.asarray(stay.pv - own.pv).reshape(-1), 2 * n)
    return npv[:n], npv[n:]


def _correlation(a: NDArray[np.int64], b: NDArray[np.int64]) -> float:
    x, y = a - a.mean(), b - b.mean()
    scale = np.sqrt((x @ x) * (y @ y))
    return float(x @ y / scale) if scale > 0 else 0.0
