"""What would turn the choice between two options: volume, price, error rate or hours, each alone, at the central values."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np

from roi.economics.decision.evaluation import can_be_in_use, choose_plan, evaluate, once_moved
from roi.economics.decision.option_result import OptionResult
from roi.economics.decision.recommendation import nearness
from roi.economics.decision.turning.break_even import (
    COUNTS,
    END,
    NO_DIFFERENCE,
    NOT_SEEN,
    UNSTATED,
    Ask,
    BreakEven,
    baselines,
    crossings,
    rows_of,
    turns,
    why_never,
    wins_at,
)
from roi.economics.decision.turning.curves import LEAST, MOST, Curves
from roi.economics.decision.verdict import Verdict, answer_alike
from roi.economics.inputs import Option, Plan
from roi.economics.lines.option_lines import answered_wrong, with_error_rate
from roi.facts.fact import OWN_VENDOR

STEPS, SAME = 50, 1e-9
"""Factors on a quantity that are tried at most, and the share of itself within which one leads to itself."""
NUDGE, ALMOST_NOTHING = 1e-3, 1e-6
"""The share by which a quantity is moved to see what that costs, and the least factor that is tried."""
RESALE = "resale of "
"""Before the card where it is there already, and would be sold otherwise."""
BAR, EQUAL = "what the quality bar admits", "there the present values are equal"
OTHER_SIDE = {"above": "below", "below": "above"}
SAME_PRICE, BOTH_RUN = "the rival pays the same price", "the rival runs GPUs too: their rents move together"


@dataclass(frozen=True, kw_only=True)
class Signpost:
    """A threshold of one quantity, all else as today, on one side of which the option costs no more than the rival (NPV)."""

    option: str
    rival: str
    quantity: str
    """requests_per_day; usd_per_gpu_hour (rent of the option's GPU today, which `reason` names, and after "then" the one that
    is cheapest at the threshold, if another); usd_per_gpu (the same for purchase prices); api_price_ratio (the option's price
    list over today's); error_rate; run_hours_per_month (engineer hours of an option that runs GPUs, once it is live).
    """
    today: float
    threshold: float | None
    """The threshold nearest to today's value; None where this quantity alone turns nothing."""
    direction: str
    """Side of the threshold on which the option costs no more than the rival: above or below."""
    reason: str
    once_in_use: bool = False
    """True where the option follows the rival, which is in use by then, and False where it goes live in its place."""


class Thresholds:
    """What would turn the choice: break-even volumes and signposts, each worked out where somebody asks for it, and kept."""

    def __init__(self, curves: Curves, results: Mapping[str, OptionResult], untrained: Sequence[str], verdict: Verdict) -> None:
        self.curves, self._results, self._untrained, self._verdict = curves, results, untrained, verdict
        best, counts = dict[str, OptionResult](), verdict.counts
        for r in results.values():
            if r.kind != "stay" and (r.kind not in best or nearness(r, counts) > nearness(best[r.kind], counts)):
                best[r.kind] = r
        self._best = list(best.values())
        self.ids = [id for id, r in results.items() if id != "stay" and (r in self._best or id == verdict.leader)]
        """The best option of each kind, and the recommended one: whose break-evens are told."""
        self._crossings: dict[tuple[str, str, tuple[str, ...]], tuple[BreakEven, ...]] = {}
        self._second: dict[str, BreakEven] = {}
        self._signposts: dict[tuple[str, str, str], tuple[Signpost, ...]] = {}

    def crossings(self, id: str, baseline: str) -> tuple[BreakEven, ...]:
        """Break-evens against stay, best_untrained or recommended; none against itself, or where `id` was not compared."""
        return self._of(id, baseline, COUNTS)

    def decisive(self, id: str, baseline: str) -> BreakEven | None:
        """The one of `crossings` which the verdict goes by, looked for alone: half the work; None where there is none."""
        counts = self._verdict.counts
        found = self._crossings.get((id, baseline, COUNTS)) or self._of(id, baseline, (counts,))
        return next((b for b in found if (b.basis, b.counts) == ("pv", counts)), None)

    def _of(self, id: str, baseline: str, counts: tuple[str, ...]) -> tuple[BreakEven, ...]:
        rivals = baselines(id, self._untrained, self._verdict.leader) if id in self._results and id != "stay" else {}
        if (id, baseline, counts) not in self._crossings:
            found = crossings(self.curves, id, baseline, rivals[baseline], counts) if baseline in rivals else ()
            self._crossings[id, baseline, counts] = tuple(found)
        return self._crossings[id, baseline, counts]

    @property
    def break_even(self) -> tuple[BreakEven, ...]:
        """Break-evens of all options in `ids`, against all that they are told against."""
        return tuple(found for id in self.ids for name in baselines(id, self._untrained, self._verdict.leader)
                     for found in self.crossings(id, name))

    def is_gap(self, b: BreakEven) -> bool:
        """True where today's volume lies between the first one at which the option wins and the last, and it does not."""
        today, last = self.curves.volume, b.until or (MOST if b.stays is None else b.stays)
        if b.first is None or not b.first < today < last:
            return False
        rivals = baselines(b.option, self._untrained, self._verdict.leader)[b.baseline]
        return not wins_at(self.curves, b, rivals, today)

    @cached_property
    def afterwards(self) -> Curves | None:
        """The curves once the first move is carried out, so that staying is staying on it; None where it is no mere API."""
        shared, options, first = self.curves.shared, self.curves.options, self._verdict.first_move or self._verdict.leader
        return Curves(*once_moved(shared, options, first)) if can_be_in_use(options[first]) else None

    def second(self, id: str) -> BreakEven | None:
        """From which volume the option saves by following that move, as the verdict counts; None where `afterwards` is None."""
        if self.afterwards is None:
            return None
        if id not in self._second:
            found = crossings(self.afterwards, id, "stay", ["stay"], (self._verdict.counts,))
            self._second[id] = next(b for b in found if b.basis == "pv")
        return self._second[id]

    @property
    def headline(self) -> float | None:
        """Best self-hosted option against the best untrained one, present value, from where on it wins for good."""
        hosted = [r for r in self._best if self.curves.options[r.id].self_hosted]
        if not hosted:
            return None
        counts = self._verdict.counts
        top = max(hosted, key=lambda r: nearness(r, counts)).id
        return next(b for b in self.crossings(top, "best_untrained") if (b.basis, b.counts) == ("pv", counts)).stays

    @cached_property
    def pairs(self) -> list[tuple[str, str]]:
        """Options and rivals of the signposts.

        The leader against the best likely option that runs no GPUs, the challenger and the best self-hosted option against the
        leader, the latter against staying.
        """
        v, options, results = self._verdict, self.curves.options, self._results

        def best(ids: Iterable[str]) -> str | None:
            return max(ids, key=lambda id: nearness(results[id], v.counts), default=None)

        hosted = best(id for id in results if options[id].self_hosted)
        rival = best(id for id in v.likely if id != v.leader and not options[id].self_hosted)
        pairs = ((v.leader, rival), (v.challenger, v.leader), (hosted, v.leader), (hosted, "stay"))
        return [(id, other) for id, other in dict.fromkeys(pairs) if id and other and id not in {other, "stay"}]

    def signposts(self, id: str, rival: str, what: str) -> tuple[Signpost, ...]:
        """Signposts of a pair, of its volume, price, error_rate or hours; none where the pair is none of `pairs`."""
        if (id, rival, what) not in self._signposts:
            told = WHAT[what](self.curves, id, rival, self._verdict.counts) if (id, rival) in self.pairs else ()
            self._signposts[id, rival, what] = tuple(told)
        return self._signposts[id, rival, what]

    def cards(self, id: str) -> int:
        """On how many cards, each vendor's apart, the option has plans: where one alone gets dearer it takes another."""
        return len({(plan.gpu, plan.vendor) for plan in self.curves.options[id].plans})

    @cached_property
    def moving_on(self) -> tuple[Signpost, ...]:
        """At which price, error rate and hours the leading option had better not follow its first move once that is in use.

        Empty without a first move. The volume is `second`'s.
        """
        what = ("price", "error_rate", "hours")
        return () if self._verdict.first_move is None else self._following(self._verdict.leader, what)

    def _following(self, id: str, what: Iterable[str]) -> tuple[Signpost, ...]:
        """The signposts of an option that follows the first move, or the leading option where that is none."""
        after = self._verdict.first_move or self._verdict.leader
        return () if self.afterwards is None else tuple(
            replace(s, rival=after, once_in_use=True) for each in what
            for s in WHAT[each](self.afterwards, id, "stay", self._verdict.counts))

    @cached_property
    def once_in_use(self) -> tuple[Signpost, ...]:
        """Signposts of the option that follows an API that leads, or its first move: the leading one, or the best on GPUs."""
        first, leader = self._verdict.first_move, self._verdict.leader
        ids = [leader] if first is not None else [id for id, rival in self.pairs if rival == leader]
        own = [id for id in ids if self.curves.options[id].self_hosted]
        return tuple(found for id in dict.fromkeys(own) for found in self._following(id, WHAT))

    @property
    def all_signposts(self) -> tuple[Signpost, ...]:
        """The signposts of all pairs."""
        return tuple(found for pair in self.pairs for what in WHAT for found in self.signposts(*pair, what))


def signposts(curves: Curves, id: str, rival: str, counts: str = "errors") -> tuple[Signpost, ...]:
    """What would make `id` beat `rival`, or where it beats it already, what would end that: volumes, price, error rate, hours.

    By present value. `counts` says whether wrong answers cost what the scenario says (errors) or nothing (cash). The error rate
    is no signpost on cash, nor where both options give the same answers.
    """
    return tuple(found for look in WHAT.values() for found in look(curves, id, rival, counts))


def _volumes(curves: Curves, id: str, rival: str, counts: str) -> Iterator[Signpost]:
    """The nearest volumes above and below today's at which the sign changes."""
    today = curves.volume

    def signpost(threshold: float | None, direction: str, reason: str) -> Signpost:
        return Signpost(
            option=id, rival=rival, quantity="requests_per_day", today=today, threshold=threshold, direction=direction,
            reason=reason,
        )

    if curves.differ(id, rival):
        yield signpost(None, "above", UNSTATED)
        return
    start = float(np.clip(today, LEAST, MOST))
    asks = [Ask("pv", counts, at, up) for at, up in ((start, True), (start, False), (MOST, False))]
    asks.append(Ask("run_rate", counts, MOST, up=False))
    answers = turns(curves, id, [rival], asks)
    up, down, end, running = (answers[ask] for ask in asks)
    if up.after is None and down.after is None:
        wins = NO_DIFFERENCE if up.same and down.same else "cheaper at every volume"
        yield signpost(None, "above", wins if up.wins else why_never(curves, id, [rival], "pv", up, running))
    if up.after is not None:
        for_good = "one crossing" if end.before == up.after else f"for good from {end.before or 0.0:,.0f} a day on"
        if (end.before or 0.0) > END:
            for_good = NOT_SEEN
        if not end.wins:
            for_good = "at large volume the rival is cheaper again"
        yield signpost(up.before, "below", "one crossing") if up.wins else signpost(up.after, "above", for_good)
    if down.after is not None:
        yield signpost(down.before, "above", "one crossing") if down.wins else signpost(down.after, "below", "one crossing")


def _prices(curves: Curves, id: str, rival: str, counts: str) -> Iterator[Signpost]:
    """The price of what the option runs on: rent, GPUs, or its price list."""
    option, other = curves.options[id], curves.options[rival]
    if option.plan is None and (option.api is None or option.provisioned is not None):
        return
    if option.plan is None:
        by_token = other.provisioned is None or other.provisioned.spills
        quantity, both_pay = "api_price_ratio", by_token and option.vendor == other.vendor
    else:
        quantity = "usd_per_gpu" if option.hardware else "usd_per_gpu_hour"
        both_pay = other.plan is not None and bool(other.hardware) == bool(option.hardware)
    (today, whose), threshold, reason = _price(option), None, SAME_PRICE if option.plan is None else BOTH_RUN
    if not both_pay:
        factor, wins, there = _where_it_turns(curves, option, other, counts, _at_price)
        reason = "at any price" if wins else "even for nothing it costs more"
        if factor is not None:
            threshold, reason = today * factor, whose
            new = math.inf if option.plan is None or not whose.startswith(RESALE) else float(option.plan.usd_per_new_gpu)
            if threshold > max(today, new):  # who can have a new card for less pays no more for one in use
                threshold, reason = None, "at any price up to that of a new card"
            elif option.plan is not None and there.plan is not None and there.plan.gpu != option.plan.gpu:
                reason += f", then {there.plan.gpu}"
    yield Signpost(
        option=id, rival=rival, quantity=quantity, today=today, threshold=threshold, direction="below", reason=reason,
    )


def _price(option: Option) -> tuple[float, str]:
    """The option's own price, and what it is the price of."""
    plan = option.plan
    if plan is None:
        return 1.0, f"all prices of {option.vendor} moving alike"
    if option.hardware:
        return float(plan.usd_per_gpu), f"{RESALE if plan.vendor == OWN_VENDOR else ''}{plan.gpu}, all prices moving alike"
    return float(plan.usd_per_gpu_hour), f"{plan.gpu} at {plan.vendor}, all rents moving alike"


def _at_price(option: Option, factor: float) -> Option:
    """The option with its own price multiplied."""
    if option.plan is None:
        assert option.api is not None
        return replace(option, api=replace(option.api, discount=1.0 - (1.0 - option.api.discount) * factor))

    def times(plan: Plan) -> Plan:
        if option.hardware:
            new = None if plan.replacement_usd is None else plan.replacement_usd * factor
            return replace(plan, usd_per_gpu=plan.usd_per_gpu * factor, replacement_usd=new)
        return replace(plan, usd_per_gpu_hour=plan.usd_per_gpu_hour * factor)

    return replace(option, plan=times(option.plan), plans=tuple(map(times, option.plans)))


def _error_rate(curves: Curves, id: str, rival: str, counts: str) -> Iterator[Signpost]:
    """The error rate of what it answers up to which the option costs no more, at most what the bar admits."""
    option, other = curves.options[id], curves.options[rival]
    if counts != "errors" or option.keeps_model:
        return

    def today(of: Option) -> float:
        return float(np.asarray(answered_wrong(of, curves.options[of.escalates_to].error_rate)))

    now, at_bar = today(option), 1.0 - curves.shared.quality_bar
    if now == 0.0 or answer_alike(option, other):
        return
    factor, wins, _ = _where_it_turns(curves, option, other, "errors", lambda o, by: with_error_rate(o, today(o) * by))
    threshold: float | None = at_bar if wins else None
    if factor is not None:
        threshold = min(factor * now, at_bar)
    reason = "even without errors it costs more" if threshold is None else BAR if threshold == at_bar else EQUAL
    yield Signpost(
        option=id, rival=rival, quantity="error_rate", today=now, threshold=threshold, direction="below", reason=reason,
    )


def _hours(curves: Curves, id: str, rival: str, counts: str) -> Iterator[Signpost]:
    """The engineer hours a month that running GPUs may take; none where it takes none, or the rival runs GPUs too."""
    option, other = curves.options[id], curves.options[rival]
    today = float(np.max(option.run_hours))
    if option.plan is None or other.plan is not None or today == 0.0:
        return
    factor, wins, _ = _where_it_turns(
        curves, option, other, counts, lambda o, by: replace(o, run_hours=np.asanyarray(o.run_hours) * by))
    threshold = None if factor is None or factor <= ALMOST_NOTHING else today * factor
    reason = EQUAL if threshold is not None else "at any hours" if wins else "even for nothing it costs more"
    yield Signpost(
        option=id, rival=rival, quantity="run_hours_per_month", today=today, threshold=threshold, direction="below",
        reason=reason,
    )


def _where_it_turns(
    curves: Curves, option: Option, other: Option, counts: str, times: Callable[[Option, float], Option]
) -> tuple[float | None, bool, Option]:
    """The factor on one of the option's quantities below which it costs no more, whether it does now, and the option there.

    None where no factor turns that. At a given plan and floor cost is a straight line in the quantity. The line at one factor
    leads to the next factor, where another plan may be the cheapest, until a line leads to itself.
    """
    row, factor = rows_of("pv", counts), 1.0

    def gain(tried: Option, rival: Option) -> float:
        options = {**curves.options, option.id: tried}
        mine, theirs = (curves.measures(evaluate(curves.shared, o, options))[row, 0] for o in (tried, rival))
        return float(theirs - mine)

    now, here, against = option, gain(option, other), other
    wins = here >= 0
    for step in range(STEPS):
        if step:  # at the first it is on the plan that was chosen for it
            now = times(option, factor)
            now = choose_plan(curves.shared, now, {**curves.options, option.id: now})
            if other.spills_to == option.id:  # a floor is chosen by what it costs to hand on
                against = choose_plan(curves.shared, other, {**curves.options, option.id: now})
            here = gain(now, against)
        fall = (here - gain(times(now, 1.0 + NUDGE), against)) / NUDGE  # savings lost as the quantity doubles
        if fall <= 0 or (factor == ALMOST_NOTHING and here < 0):
            return None, wins, now
        if abs(here / fall) < SAME:
            return factor, wins, now
        factor = max(factor * (1.0 + here / fall), ALMOST_NOTHING)
    return None, wins, now


WHAT: Final[dict[str, Callable[[Curves, str, str, str], Iterator[Signpost]]]] = {
    "volume": _volumes, "price": _prices, "error_rate": _error_rate, "hours": _hours,
}  # fmt: skip
"""What is looked for, by name."""
