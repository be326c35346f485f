"""An option costed: its lines and their totals, on the cheapest of its plans at the central values, chosen before any draw."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from roi.economics.finance import present_value
from roi.economics.inputs import Array, Number, Option, OwnCost, Plan, Shared, path_of
from roi.economics.lines.api_request import long_share, only_long
from roi.economics.lines.line import Totals, any_positive
from roi.economics.lines.line_kind import LineKind
from roi.economics.lines.option_lines import Costs, cost_lines
from roi.economics.lines.people import setup_hours_paid
from roi.economics.lines.shared_fleet import fleet_load, hours_paid
from roi.economics.reading import read_option, read_shared
from roi.facts.case import Case, Values
from roi.units import MONTHS_PER_YEAR

FLOOR_STEPS = 64
"""Numbers of replicas that a hybrid's floor is tried with at once, at most."""


@dataclass(frozen=True)
class Evaluated:
    """Costs of one option at one set of values (central, or one row a draw). Other views are made on demand."""

    option: Option
    costs: Costs
    total: Totals
    shared: Shared

    @cached_property
    def pv(self) -> Number:
        """Present value of the total, USD."""
        return present_value(self.total.upfront, self.total.monthly, self.shared.discount_rate)

    @cached_property
    def pv_all_hours(self) -> Number:
        """Present value with a price on every hour, also of people who are paid anyway, USD."""
        left_out = [x.paid_anyway for x in self.costs.lines if x.paid_anyway is not None]
        rate = self.shared.discount_rate
        return self.pv + sum((present_value(upfront, monthly, rate) for upfront, monthly in left_out), 0.0)

    @cached_property
    def pv_without_errors(self) -> Number:
        """Present value without the cost of wrong answers, USD; what own cards could be sold for, no cash, is in it."""
        return self.pv - self.total.errors_pv

    @property
    def spill(self) -> Number | None:
        """Share of the requests that a floor leaves to its API, the mean of all months, () or (n, 1); None without a floor."""
        fleet = self.costs.fleet
        if fleet is None or self.option.spills_to is None:
            return None
        found = np.mean(fleet.spill, axis=-1, keepdims=True)
        return found if fleet.spill.ndim > 1 else float(found.item())

    def counted(self, counts: str) -> Number:
        """Present value of what the verdict `counts`: with the cost of wrong answers, or without it, USD."""
        return self.pv_without_errors if counts == "cash" else self.pv


@dataclass(frozen=True)
class SentOn:
    """Requests that are too long for the option, and go to an API unseen once it serves alone."""

    to: str
    """Id of the option whose API answers these requests."""
    longest_tokens: float
    """Prompt and answer, in the option's own tokens, beyond which they are sent on."""
    of_context: bool
    """True where that is the model's context; False where it is the longest of the lengths known that its cards hold."""
    share_of_requests: float
    """Share of all requests that are sent on."""
    share_of_tokens: float
    """Share of all tokens, input and output, in the incumbent's, that are those of requests sent on."""
    usd_per_month: float
    """What that API bills for these requests in a mean month in which the option serves alone, USD."""


@dataclass(frozen=True)
class Choice:
    """The plan that was chosen for an option at the central values."""

    plan: int
    replicas_fixed: Number | None


def choices_of(options: Mapping[str, Option]) -> dict[str, Choice]:
    """The plan that each option is on, of those that run GPUs."""
    return {id: Choice(o.plans.index(o.plan), o.replicas_fixed) for id, o in options.items() if o.plan is not None}


def evaluate(shared: Shared, option: Option, options: Mapping[str, Option]) -> Evaluated:
    """Lines and totals of `option`; shapes follow the values."""
    costs = cost_lines(shared, option, options)
    return Evaluated(option, costs, Totals.of(costs.lines, shared), shared)


def read_all(
    case: Case, values: Values, choices: Mapping[str, Choice] | None = None, ids: Sequence[str] = ()
) -> tuple[Shared, dict[str, Option]]:
    """The shared record and the options of a Case's values, each option on its chosen plan, and with no other.

    With `ids` those options are read, and what they hand on to, in place of all.
    """
    shared = read_shared(values, *(case.facts.get(path_of(Shared, name)) for name in ("rent_drift", "usd_per_error")))
    chosen = choices or {}
    told = (values.get(path_of(Option, name, option=id)) for id in ids for name in ("spills_to", "long_to"))
    wanted = dict.fromkeys(("stay", *ids, *(str(id) for id in told if id is not None))) if ids else case.options
    options = {id: read_option(values, id, shared, chosen[id].plan if id in chosen else None) for id in wanted}
    for id, choice in chosen.items():
        if choice.replicas_fixed is not None and id in options:
            options[id] = replace(options[id], replicas_fixed=choice.replicas_fixed)
    return shared, options


def choose_plan(shared: Shared, option: Option, options: Mapping[str, Option]) -> Option:
    """The option on its cheapest plan by present value; infeasible where it needs more cards than are owned.

    A hybrid's floor is chosen with it: replicas from 1 to what the peak needs, or what the cards that are owned hold. Wrong
    answers count, since the size of the floor decides how many the API gives, unless their price is a guess (`Shared.counts`).
    """
    if not option.plans or (option.infeasible is not None and not option.below_bar):
        return option
    if option.kind == "hybrid":
        return _choose_floor(shared, option, options)
    tried = evaluate(shared, replace(option, plan=stacked(option.plans)), options)
    assert tried.costs.fleet is not None
    needed = np.broadcast_to(np.max(tried.costs.fleet.gpus, axis=-1), len(option.plans))
    owned = np.array([float(np.asarray(plan.gpus_owned)) for plan in option.plans])
    costs = np.where(needed > owned, np.inf, np.asarray(tried.pv).reshape(-1))
    best = int(np.argmin(costs))
    if np.isinf(costs[best]):
        best = int(np.argmin(needed / owned))
        each = np.broadcast_to(tried.costs.fleet.gpus, (len(option.plans), shared.horizon))[best]
        least = replace(option, plan=option.plans[best])
        return replace(least, below_bar=False, infeasible=_too_few_owned(shared, least, options, each, owned[best]))
    return replace(option, plan=option.plans[best])


def _too_few_owned(shared: Shared, option: Option, options: Mapping[str, Option], gpus: Array, owned: float) -> str:
    """Why the option's plan is not possible where it needs `gpus` cards by month, shape (H,), and so many are owned."""
    assert option.plan is not None
    month = int(np.argmax(gpus))
    first = gpus[gpus > 0.0][0]
    when = f" of month {month + 1}, when the load has grown ({first:,.0f} at go-live)" if first < gpus[month] else ""
    spares = held = ""
    if option.spares:
        bare = evaluate(shared, replace(option, spares=0), options).costs.fleet
        spares = ", spares included"
        held = ", enough without a spare (serving.spares: 0)" if bare is not None and np.max(bare.gpus) <= owned else ""
    return (f"needs {gpus[month]:,.0f} x {option.plan.gpu} at the peak{when}{spares}; owned: {owned:,.0f}{held}. Own or rent"
            " more, or let an API take what lies above them (candidates.hybrid)")


def stacked(plans: tuple[Plan, ...]) -> Plan:
    """Plans as one Plan whose numbers are columns, shape (n, 1)."""
    numbers = [name for name, value in vars(plans[0]).items() if isinstance(value, float)]
    columns: dict[str, Any] = {name: np.array([[getattr(p, name)] for p in plans], dtype=np.float64) for name in numbers}
    return replace(plans[0], path="", speed="", adapter_speed=None, **columns)


def rows_of_plans(plans: Plan, index: NDArray[np.intp]) -> Plan:
    """The stacked plans' numbers, one row for each index."""
    columns: dict[str, Any] = {name: x[index] for name, x in vars(plans).items() if isinstance(x, np.ndarray)}  # Any: fields
    return replace(plans, **columns)


def _choose_floor(shared: Shared, option: Option, options: Mapping[str, Option]) -> Option:
    """The hybrid on its cheapest plan and floor: each size if they are few, else sizes far apart, then ever nearer.

    Of whole instances, or one replica. Cost is convex in the size from four replicas on; up to there all sizes are tried.
    """
    owned = max(replicas_owned(plan) for plan in option.plans)
    if owned < option.replicas_least:
        return replace(option, below_bar=False, infeasible=(
            f"needs {option.replicas_least} replicas (serving.replicas_least); the cards that are owned hold {owned:,.0f}"))
    peak = fleet_load(shared, option).max() * np.max(shared.peak_to_mean)
    each = np.array([[max(float(plan.gpus_per_instance // plan.gpus_per_replica), 1.0)] for plan in option.plans])
    needed = [[min(float(peak / (plan.capacity * (1.0 - option.headroom))), replicas_owned(plan))] for plan in option.plans]
    most = np.maximum(np.ceil(np.array(needed) / each), 1.0)
    steps = int(np.clip(most.max(), 2, FLOOR_STEPS))
    rows = rows_of_plans(stacked(option.plans), np.repeat(np.arange(len(option.plans)), steps + 1))
    each_size = np.minimum(np.arange(1.0, steps + 1.0), most)
    instances = np.where(most <= steps, each_size, np.geomspace(1.0, most[:, 0], steps, axis=1).round())
    best, found = np.inf, option
    while True:
        sizes = np.concatenate([np.ones_like(each), instances * each], axis=1)
        tried = evaluate(shared, replace(option, plan=rows, replicas_fixed=sizes.reshape(-1, 1)), options)
        costs = np.asarray(tried.counted(shared.counts)).reshape(sizes.shape)
        plan, at = np.unravel_index(costs.argmin(), costs.shape)
        if costs[plan, at] < best:
            best, found = costs[plan, at], replace(option, plan=option.plans[plan], replicas_fixed=int(sizes[plan, at]))
        if np.diff(instances, axis=1).max() <= 1.0:
            return found
        nearest = costs[:, 1:].argmin(axis=1)[:, None]
        low, high = (np.take_along_axis(instances, np.clip(nearest + k, 0, steps - 1), axis=1) for k in (-1, 1))
        instances = (low + (high - low) * np.linspace(0.0, 1.0, steps)).round()


def can_be_in_use(option: Option) -> bool:
    """True of an API that answers alone and is paid by the token: what it costs in use is its bill."""
    more = option.provisioned, option.training
    owed = option.escalated, option.hosting_usd, option.commitment_usd
    alone = option.kind != "stay" and option.api is not None and option.too_long is None
    return alone and more == (None, None) and not any(map(any_positive, owed))


def once_moved(shared: Shared, options: Mapping[str, Option], to: str) -> tuple[Shared, dict[str, Option]]:
    """The values and options once the API `to` is in use: staying is staying on it. What follows is prepared meanwhile.

    It goes live when it would alone, but not before the API. What it took to get there is spent, and it may be kept. A
    commitment with the incumbent is owed whatever follows, and is left out; what the incumbent's bill says of its price holds
    for its own model alone.
    """
    used = options[to]
    spent = tuple(replace(cost, upfront_usd=0.0) for cost in used.costs)
    found = {id: replace(o, months_to_live=np.maximum(o.months_to_live, used.months_to_live), todays_end=used.life_first,
                         todays_life=used.life_every, is_successor=False) for id, o in options.items()}
    if any_positive(shared.existing_hours):
        found = {id: _paying(o, hours_taken(shared, used, o)) for id, o in found.items()}
    found["stay"] = replace(used, id="stay", kind="stay", months_to_live=0.0, months_in_parallel=0.0, costs=spent)
    factor = shared.price_factor if used.same_model else 1.0
    return replace(shared, commitment_usd=0.0, price_factor=factor, may_stay=True), found


def once_left(shared: Shared, options: Mapping[str, Option], to: str, id: str) -> tuple[Shared, dict[str, Option]]:
    """The values and options with the first move `to` live, and nothing paid for it, when `id` leaves today's model; bar aside.

    So much that saves is no longer `id`'s once `to` is in use, and what `to` takes until then is not `id`'s either: hours of
    people who are paid anyway, and the value that cards of one's own lose which `id` needs no more (docs/economics.md, 8.7).
    """
    used, option = options[to], options[id]
    live = np.maximum(option.months_kept, used.months_to_live)
    spent = tuple(replace(cost, upfront_usd=0.0) for cost in used.costs)
    found = replace(used, months_to_live=live, months_in_parallel=0.0, costs=spent, setup_hours=0.0, evaluation_usd=0.0,
                    evaluation_labels=0.0, is_successor=False)
    found = _paying(found, -hours_taken(shared, used, option))
    found = _paying(found, -_cards_lose(shared, options, used, option, live), no_cash=True)
    return replace(shared, quality_bar=0.0), {**options, to: found}


def hours_taken(shared: Shared, first: Option, option: Option) -> Number:
    """USD of the hours of people who are paid anyway that the `first` move takes and the `option` after it counts on too.

    Until the option is live they set up the first and run it, which its own set-up cannot have; while both run, both ask for
    them. At the wages of today.
    """
    there, live = shared.existing_hours, np.maximum(option.months_to_live, first.months_to_live)
    if not any_positive(there):
        return 0.0
    one, other = (np.minimum(hours_paid(o, o.run_hours, o.run_hours_shared), there) for o in (first, option))
    twice = np.maximum(one + other - there, 0.0) * np.maximum(option.months_kept - live, 0.0)
    if not shared.existing_on_call_only:
        taken = np.minimum(setup_hours_paid(first), there * first.months_to_live) + one * (live - first.months_to_live)
        hours = setup_hours_paid(option)
        twice = twice + np.minimum(hours, there * live) - np.minimum(hours, there * live - taken)
    return twice * shared.usd_per_hour


def _cards_lose(shared: Shared, options: Mapping[str, Option], first: Option, option: Option, months: Number) -> Number:
    """USD that cards of one's own lose in so many months, of those that the first move holds and the option does not."""

    def held(o: Option) -> Number:
        return sum((line.upfront for line in cost_lines(shared, o, options).lines if line.kind is LineKind.HARDWARE
                    and line.no_cash), 0.0)

    terms, plan = first.hardware, first.plan
    if terms is None or plan is None or not any_positive(plan.usd_per_gpu):
        return 0.0
    more = np.maximum(held(first) - (held(option) if option.plan is not None and option.plan.gpu == plan.gpu else 0.0), 0.0)
    left = (terms.kept_per_year / (1.0 + shared.discount_rate)) ** (months / MONTHS_PER_YEAR)
    return more * (1.0 - left)


def _paying(option: Option, usd: Number, *, no_cash: bool = False) -> Option:
    """The option with so much more to pay at its set-up, USD."""
    if not np.any(usd):
        return option
    more = OwnCost(path=f"first move {len(option.costs)}", name="what a first move takes", option=option.id, upfront_usd=usd,
                   usd_per_month=0.0, from_month=None, to_month=np.inf, no_cash=no_cash)
    return replace(option, costs=(*option.costs, more))


def alone_from(option: Option, horizon: int) -> int:
    """The first month, from 0, that the option serves alone all through; the last one where the horizon ends before."""
    return min(int(np.ceil(np.max(option.months_kept))), horizon - 1)


def replicas_owned(plan: Plan) -> float:
    """Replicas that the owned cards of the plan hold; inf where cards are rented or bought."""
    return float(np.floor(plan.gpus_owned / plan.gpus_per_instance) * np.floor(plan.gpus_per_instance / plan.gpus_per_replica))


def mean_cash(done: Evaluated, start: int | None = None) -> float:
    """Cash of a mean month, USD, without wrong answers and what is no cash: from the month `start` on, counted from 0.

    None: once the option serves alone.
    """
    _, monthly = cash_flows(done)
    return float(monthly[alone_from(done.option, monthly.size) if start is None else start:].mean())


def sent_on(case: Case, done: Evaluated, start: int) -> SentOn | None:
    """What is too long for the option, from the month `start` on, counted from 0; None where it takes all requests."""
    option, shared = done.option, done.shared
    if option.too_long is None or option.long_to is None:
        return None
    share = float(long_share(shared, option))
    billed = sum(float(line.monthly[start:].mean()) for line in done.costs.lines if line.kind is LineKind.LONG)
    longest = case[f"options.{option.id}.longest_tokens"].number()
    tokens = share * only_long(shared, option).mean_tokens / shared.mean_tokens
    told = f"options.{option.id}.longest_is_context"
    return SentOn(to=option.long_to, longest_tokens=longest, of_context=bool(case[told].value),
                  share_of_requests=share, share_of_tokens=tokens, usd_per_month=billed)


def mean_errors(done: Evaluated, start: int) -> float:
    """Wrong answers of a mean month from the month `start` on, counted from 0, USD."""
    return float(sum(line.monthly[start:].mean() for line in done.costs.lines if line.is_error))


def cash_flows(done: Evaluated) -> tuple[Array, Array]:
    """Cash of the set-up and of each month: totals without wrong answers and what is no cash. USD; shapes (...), (..., H)."""
    left_out = [line for line in done.costs.lines if line.is_error or line.no_cash]
    return (np.asanyarray(done.total.upfront - sum(line.upfront for line in left_out)),
            np.asanyarray(done.total.monthly - sum(line.monthly for line in left_out)))
