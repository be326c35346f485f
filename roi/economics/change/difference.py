"""Why one Case says something else than another: NPV and cash of options, cause by cause, and what turned the verdict.

    A, B --Mixture--> causes in groups --attribute--> parts of each figure
                                       --weigh-->     the groups that turn A's verdict into B's
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import TypeVar

import numpy as np

from roi.economics.change.attribution import attribute, in_cents
from roi.economics.change.causes import Cause, Facts
from roi.economics.change.mixture import Mixture
from roi.economics.decision.alarms import read_alarms
from roi.economics.decision.evaluation import evaluate, mean_cash
from roi.economics.decision.option_result import CENT
from roi.economics.decision.second_move import choose_first
from roi.economics.decision.weighing import settle, weigh
from roi.economics.inputs import Array
from roi.facts.case import Case

FIGURES = ("npv_usd", "npv_without_errors_usd", "cash_monthly_usd")
"""Figures of an option that are taken apart, at the central values, by the names that they have in an answer."""
VERSION = "version of roi"
"""The group of what the program itself changed: a saved comparison's own figures, against what its facts give now."""
PAIRS = 2
"""The most groups that are looked for together before the verdict is followed along the stated order."""
T = TypeVar("T")
Told = Mapping[tuple[str, str], float]
"""Figures as a file states them, by option and name of the figure."""


@dataclass(frozen=True)
class Moved:
    """One figure of one option in A and in B, USD, and what each cause did to it; whole cents that add up."""

    option: str
    figure: str
    """One of FIGURES."""
    was_usd: float
    now_usd: float
    parts_usd: tuple[float, ...]
    """What each cause did to the figure, USD, in the order of the causes."""
    version_usd: float
    """What the program's own change did to the figure, USD."""


@dataclass(frozen=True)
class Explained:
    """What differs between two Cases, and what that did to figures of options."""

    causes: tuple[Cause, ...]
    moved: tuple[Moved, ...]
    method: str
    """shapley or ordered, as `attribution` says."""
    a: Facts
    b: Facts
    """The facts of these options in A and in B, by path as the causes name them."""


@dataclass(frozen=True)
class Turned:
    """What turned one verdict into another."""

    by: tuple[str, ...]
    """Groups of causes that do it together, none of which can be left out: the first one alone that does, in the stated order,
    else the first two; else what is left of the stated order.
    """
    alone: Mapping[str, str | None]
    """What would be recommended with one group alone moved, for each group."""


def explain(a: Case, b: Case, ids: Iterable[str], *, was: Told | None = None, now: Told | None = None) -> Explained:
    """The change of each of FIGURES from A to B, for the options `ids`, by cause.

    An option that is not there, or cannot work, counts as staying: it saves nothing, and costs what staying costs. `was` and
    `now` are figures that files state of A and of B: where they are not what the facts give, the version of roi is a cause.
    """
    ids = tuple(dict.fromkeys(ids))
    mixture = Mixture(a, b, ids)

    @cache
    def value(moved: frozenset[int]) -> Array:
        return _at(mixture, moved, lambda case: central_figures(case, ids))

    found = attribute(tuple(mixture.groups.values()), value)
    ends = value(frozenset()), value(frozenset(range(len(mixture.causes))))
    keys = [(id, figure) for id in ids for figure in FIGURES]
    moved = tuple(
        _moved(key, found.parts[:, k], float(ends[0][k]), float(ends[1][k]), (was or {}).get(key), (now or {}).get(key))
        for k, key in enumerate(keys)
    )
    return Explained(mixture.causes, moved, found.method, mixture.a, mixture.b)


def _moved(key: tuple[str, str], parts: Array, first: float, last: float, was: float | None, now: float | None) -> Moved:
    """The figure with its parts in cents. What a file states is held against the facts to a cent."""
    told = [x if own is None or abs(own - x) <= CENT else own for own, x in ((was, first), (now, last))]
    version = (first - told[0]) + (told[1] - last)
    ends = [round(100.0 * x) for x in told]
    cents = in_cents([*parts.tolist(), version], ends[1] - ends[0])
    return Moved(*key, was_usd=ends[0] / 100, now_usd=ends[1] / 100, parts_usd=tuple(x / 100 for x in cents[:-1]),
                 version_usd=cents[-1] / 100)


def _at(mixture: Mixture, moved: frozenset[int], answer: Callable[[Case], T]) -> T:
    """The answer to the Case with some causes moved; what it needs is taken from the Case that has it.

    That is a fact, or an option that another one hands requests to there.
    """
    known, needed = {*mixture.a, *mixture.b}, set[str]()
    while True:
        try:
            return answer(mixture.case(moved, needed))
        except KeyError as error:
            name = str(error.args[0])
            lacking = {path for path in known if path == name or path.startswith(f"options.{name}.")}
            if lacking <= needed:
                raise
            needed |= lacking


def central_figures(case: Case, ids: Sequence[str]) -> Array:
    """FIGURES of each of the options `ids` at the central values, one after the other, shape (3 x options,)."""
    shared, options, _ = settle(case)
    stay, found = evaluate(shared, options["stay"], options), []
    for id in ids:
        there = id in options and options[id].infeasible is None
        done = evaluate(shared, options[id], options) if there else stay
        found += [float(stay.pv) - float(done.pv), float(stay.pv_without_errors) - float(done.pv_without_errors),
                  mean_cash(done)]
    return np.array(found)


def recommended(case: Case) -> str | None:
    """What the Case recommends; None where an alarm withholds the verdict."""
    standing = [alarm for alarm in read_alarms(case.values()) if not alarm.accepted]
    return None if standing else choose_first(case, weigh(case)).leader


def turned(a: Case, b: Case, ends: tuple[str | None, str | None] | None = None) -> Turned | None:
    """What turns the verdict of A into that of B; None where they recommend the same. `ends` are the verdicts, where known.

    Each group alone, then each two of them; if no two do it, the groups in the stated order until the verdict is B's, less
    those that it does not need.
    """
    start, goal = (recommended(a), recommended(b)) if ends is None else ends
    if start == goal:
        return None
    mixture = Mixture(a, b)
    groups = mixture.groups
    seen: dict[tuple[str, ...], str | None] = {(): start, tuple(groups): goal}

    def after(names: tuple[str, ...]) -> str | None:
        if names not in seen:
            seen[names] = _at(mixture, frozenset(k for name in names for k in groups[name]), recommended)
        return seen[names]

    tried = [names for size in range(1, PAIRS + 1) for names in combinations(groups, size)]
    tried += [tuple(groups)[:size] for size in range(PAIRS + 1, len(groups) + 1)]
    by = next((names for names in tried if after(names) == goal), tuple(groups))
    for name in by if len(by) > PAIRS else ():
        without = tuple(each for each in by if each != name)
        by = without if after(without) == goal else by
    return Turned(by, {name: after((name,)) for name in groups})
