"""Every option of a Case on its plan, costed at the central values and over the draws, and which of them is recommended."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Final

from roi.economics.decision.draws import Drawn, draw, draws_and_seed, probability_best
from roi.economics.decision.evaluation import Choice, Evaluated, choices_of, choose_plan, evaluate, read_all, replicas_owned
from roi.economics.decision.feasibility import read_gates, rule_out, tells_quality, tested
from roi.economics.decision.option_result import OptionResult, option_result
from roi.economics.decision.recommendation import LUCK, Choices, choose, may_be_chosen
from roi.economics.decision.starts import live_later
from roi.economics.inputs import Option, Plan, Shared
from roi.facts.case import Case

FIRST_DRAWS: Final = 512
"""Draws that tell whether another plan saves more on average: differences on the same draws scatter little."""
WORTH_TELLING: Final = 0.01
"""Part of a mean NPV by which another plan's is higher, and told."""


def settle(case: Case, ids: Collection[str] = ()) -> tuple[Shared, dict[str, Option], dict[str, Choice]]:
    """The shared record, and every option on the plan that it is cheapest on at the central values, or ruled out.

    With `ids` those options, and what they hand on to, in place of all.
    """
    values = case.values()
    shared, options = read_all(case, values, ids=tuple(ids))
    options = rule_out(shared, options, read_gates(values))
    options = {id: choose_plan(shared, option, options) for id, option in options.items()}
    return shared, options, choices_of(options)


@dataclass(frozen=True)
class Weighed:
    """What a Case says of every option, and which one it recommends, alarms aside."""

    shared: Shared
    options: Mapping[str, Option]
    choices: Mapping[str, Choice]
    below: tuple[str, ...]
    """Options whose score alone rules them out, where more items may show otherwise."""
    untrained: tuple[str, ...]
    """Options that train nothing and are tested."""
    central: Mapping[str, Evaluated]
    """Feasible options at the central values."""
    drawn: Drawn | None
    results: Mapping[str, OptionResult]
    chosen: Choices


def weigh(case: Case, among: Collection[str] | None = None) -> Weighed:
    """Every option (of `among`) costed, at the central values and over the draws, and the one that the figures recommend."""
    shared, options, choices = settle(case, among or ())
    live = [id for id, o in options.items() if o.infeasible is None and (among is None or id in among)]
    below = [id for id, o in options.items() if o.below_bar and any(tells_quality(path, o) for path in case.uncertain)]
    untrained = [id for id in live if not options[id].trains and tested(shared, options[id])]
    central = {id: evaluate(shared, options[id], options) for id in live}
    n, seed = draws_and_seed(case)
    drawn = draw(case, [*live, *below], choices, n, seed) if n else None
    best: dict[str, float] = {}
    if drawn is not None:
        candidates = may_be_chosen(shared, (id for id in live if tested(shared, options[id])))
        nobody = candidates == ("stay",) and not shared.may_stay  # may be chosen, so that none is best
        best = {} if nobody else probability_best(drawn.saved(shared.counts), candidates)
    results = {
        id: option_result(
            case, shared, central, id, untrained, drawn=drawn, chance=best.get(id),
            delay_usd=0.0 if id == "stay" else float(live_later(shared, options, id, 1).pv) - float(central[id].pv),
        )
        for id in live
    }
    return Weighed(shared, options, choices, tuple(below), tuple(untrained), central, drawn, results,
                   choose(shared, results, shared.counts))


@dataclass(frozen=True)
class SurerPlan:
    """A plan on which an option saves more on average than on the one that is the cheapest at the central values."""

    plan: Plan
    replicas: int | None
    """Replicas of a hybrid's floor; None for a fleet sized for the peak."""
    more_usd: float
    """USD by which its mean NPV over the draws is higher, on what the verdict counts."""


def surer_plan(case: Case, shared: Shared, options: Mapping[str, Option], id: str) -> SurerPlan | None:
    """The plan with the highest mean over the first draws, where that beats the chosen one's by more than chance; else None.

    Plans are chosen at the central values: one that is cheap there and of which less is sure may save less on average, so that
    more cards to choose from may lower a mean. Of a floor the best size of each plan is tried, and an instance more.
    """
    option, (asked, seed) = options[id], draws_and_seed(case)
    n = min(asked, FIRST_DRAWS)
    if option.plan is None or not n:
        return None
    own = choices_of({id: option})[id]
    tried = {own: option.plan}
    for number, plan in enumerate(option.plans):
        there = choose_plan(shared, replace(option, plans=(plan,)), options)
        if there.infeasible is None:
            floor, more = there.replicas_fixed, max(int(plan.gpus_per_instance // plan.gpus_per_replica), 1)
            sizes = [None] if floor is None else [each for each in (floor, floor + more) if each <= replicas_owned(plan)]
            tried |= {Choice(number, size): plan for size in sizes}
    settled = choices_of(options)
    saved = {choice: draw(case, ("stay", id), {**settled, id: choice}, n, seed).saved(shared.counts)[id] for choice in tried}
    best = max(saved, key=lambda each: float(saved[each].mean()))
    gain = saved[best] - saved[own]
    if gain.mean() <= max(LUCK * gain.std() / math.sqrt(n), WORTH_TELLING * abs(saved[own].mean())):
        return None
    return SurerPlan(tried[best], None if best.replicas_fixed is None else int(best.replicas_fixed), float(gain.mean()))
