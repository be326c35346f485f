"""Every option of a Case on its plan, costed at the central values and over the draws, and which of them is recommended."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from roi.economics.decision.draws import Drawn, draw, draws_and_seed, probability_best
from roi.economics.decision.evaluation import Choice, Evaluated, choices_of, choose_plan, evaluate, read_all
from roi.economics.decision.feasibility import read_gates, rule_out, tells_quality, tested
from roi.economics.decision.option_result import OptionResult, option_result
from roi.economics.decision.recommendation import Choices, choose, may_be_chosen
from roi.economics.decision.starts import live_later
from roi.economics.inputs import Option, Shared
from roi.facts.case import Case


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
        best = probability_best(drawn.saved(shared.counts), candidates)
    results = {
        id: option_result(
            case, shared, central, id, untrained, drawn=drawn, chance=best.get(id),
            delay_usd=0.0 if id == "stay" else float(live_later(shared, options, id, 1).pv) - float(central[id].pv),
        )
        for id in live
    }
    return Weighed(shared, options, choices, tuple(below), tuple(untrained), central, drawn, results,
                   choose(shared, results, shared.counts))
