"""Where the decision stands after some months: when its cash is earned back now, and whether to decide anew.

What is spent is spent: the comparison from today counts what lies ahead alone, and the option that runs pays no set-up again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from roi.economics.decision.evaluation import Choice, Evaluated, evaluate, read_all
from roi.economics.decision.feasibility import binds, meets_bar
from roi.economics.finance import discount_factors, payback
from roi.economics.inputs import Array, Number, Option, Shared
from roi.economics.lines.line_kind import LineKind
from roi.economics.lines.option_lines import month_shares
from roi.economics.tracking.came import Came
from roi.economics.tracking.month_figures import (
    PRICE,
    STAY_PRICE,
    Figures,
    dearer,
    figures,
    in_calendar,
    paid,
    price_level,
    with_seen,
)
from roi.economics.tracking.predictive_bands import BAND, CHUNK, LATELY, dimensions, luck_ahead, saved_by_luck
from roi.economics.tracking.seen_facts import Tracked, seen_lately, tells_stay_price
from roi.facts.case import Case
from roi.numerics.sequence import sobol

TOLD_BY: Final[Mapping[str, str]] = {
    "volume": "calls",
    "input": "input_tokens",
    "output": "output_tokens",
    "cache": "cached_share",
    "price": "calls_usd",
    "hours": "gpu_hours",
}
"""By what has luck of its own in each month (MONTHLY): the figure of a month that tells it."""


@dataclass(frozen=True)
class Ahead:
    """One way to go on from today."""

    option: str
    gain_usd: float
    """Present value today of what it saves against going on, its set-up paid; mean of the draws."""
    chance: float
    """Share of the draws in which it saves anything."""
    enough: float
    """The chance that such a change must have."""
    candidate: bool
    """True where it may be recommended: tested, and its answers good enough."""


@dataclass(frozen=True)
class Course:
    """What the months that came make of the decision."""

    payback: tuple[float, float, float]
    """Months from the decision until the cash is earned back: central, 5th and 95th percentile, the luck of each month ahead
    included; inf = never."""
    earned: float
    """USD saved so far, set-up taken off."""
    requests_per_day: float
    """Requests of a mean day at the end of the tracked months."""
    price_factor: float
    """What the last month paid over the forecast's prices, the incumbent's model aside where that is another."""
    ahead: tuple[Ahead, ...]
    """Ways to go on other than as now, the most gain first."""

    @property
    def anew(self) -> Ahead | None:
        """The way that should be taken from today; None where going on is best."""
        likely = (x for x in self.ahead if x.candidate and x.gain_usd > 0 and x.chance >= x.enough)
        return next(likely, None)


@dataclass(frozen=True)
class _From:
    """The records of some draws with the facts of the last months, what goes on costs, and what staying does."""

    shared: Shared
    options: Mapping[str, Option]
    own: Figures
    stay: Figures
    price: Number
    """Price of the option's model over the forecast's."""


def course(
    case: Case,
    choices: Mapping[str, Choice],
    id: str,
    tracked: Tracked,
    days: Array,
    candidates: Sequence[str],
    counts: str,
    setup_usd: float | None = None,
) -> Course:
    """The course after the tracked months.

    `days` of months 1..H; `candidates` may be recommended; `counts`: errors or cash, as the verdict ranks; `setup_usd`: what
    month 0 cost, if it is known.
    """
    k, n, seed = len(tracked.came), int(case["draws"].number()), int(case["seed"].number())
    known = in_calendar(*read_all(case, case.values(), choices), days)
    stay_usd = _stay_price(*known, tracked)
    central = _from_now(*known, id, tracked.came, stay_usd)
    paid = float(_paid(central, id, tracked, days, setup_usd)[0])
    told = {name for name, figure in TOLD_BY.items() if any(getattr(x, figure) is not None for x in tracked.came[-LATELY:])}
    first = _first(central, id, setup_usd)
    months: list[Array] = []
    gains: dict[str, list[Array]] = {}
    for start in range(0, n, CHUNK):
        stop = min(start + CHUNK, n)
        u = sobol(start, stop, dimensions(case, days.size), seed)
        values = case.values(u[:, : len(case.uncertain)])
        drawn = _from_now(*in_calendar(*read_all(case, values, choices), days), id, tracked.came, stay_usd)
        luck = luck_ahead(u[:, len(case.uncertain) :], k, days.size, told)
        months.append(np.broadcast_to(_paid(drawn, id, tracked, days, setup_usd, luck), (stop - start,)))
        for other, gain in _gains(drawn, id, k, counts).items():
            gains.setdefault(other, []).append(np.broadcast_to(gain, (stop - start,)))
    drawn_months = np.concatenate(months) if months else np.array([paid])
    low, high = (float(np.quantile(drawn_months, p, method="lower")) for p in BAND)
    if not gains:
        gains = {other: [gain] for other, gain in _gains(central, id, k, counts).items()}
    shared = central.shared
    return Course(
        payback=(paid, low, high),
        earned=float(np.max(first)) + float(tracked.saving.sum()),
        requests_per_day=float(np.max(shared.requests_per_day)),
        price_factor=float(np.max(central.price)),
        ahead=_ranked(gains, central, candidates),
    )


def _ranked(gains: Mapping[str, Sequence[Array]], now: _From, candidates: Sequence[str]) -> tuple[Ahead, ...]:
    found = []
    for other, parts in gains.items():
        gain, option = np.concatenate([np.atleast_1d(part) for part in parts]), now.options[other]
        enough = now.shared.min_chance if binds(option) else now.shared.min_chance_reversible
        found.append(Ahead(other, float(gain.mean()), float(np.mean(gain > 0)), enough, other in candidates))
    return tuple(sorted(found, key=lambda each: -each.gain_usd))


def _stay_price(shared: Shared, options: Mapping[str, Option], tracked: Tracked) -> Number | None:
    """The incumbent's price as it was last told, over its list's; None where it is the forecast's."""
    months = tracked.months
    told = np.flatnonzero(tells_stay_price(months.calls_usd, months.waiting_usd, tracked.came))
    if STAY_PRICE not in tracked.seen or not told.size:
        return None
    return tracked.seen[STAY_PRICE][told[-1:]] * _level(shared, options, len(tracked.came))


def _level(shared: Shared, options: Mapping[str, Option], month: int) -> Array:
    """The forecast's price of the incumbent in a month over its list's, shape (1, 1) or (n, 1)."""
    return np.atleast_2d(price_level(shared, options["stay"]))[..., month - 1 : month]


def _from_now(
    shared: Shared, options: Mapping[str, Option], id: str, came: Sequence[Came], stay_price: Number | None
) -> _From:
    """The records with the facts of the last months, the price of the option's model wherever that serves."""
    stay = None if stay_price is None else stay_price / np.maximum(_level(shared, options, len(came)), 1e-12)
    seen = seen_lately(shared, options, id, came, LATELY, stay)
    own_price, vendor = seen.get(PRICE, 1.0), options[id].vendor
    with_facts, known = with_seen(shared, options, id, seen)
    own = paid(with_facts, known, id, seen)
    if PRICE in seen and vendor is not None:
        known = {k: dearer(o, own_price) if o.vendor == vendor else o for k, o in known.items()}
    return _From(with_facts, known, own, figures(with_facts, known["stay"], known), own_price)


def _first(now: _From, id: str, setup_usd: float | None) -> Number:
    """Cash that the option saves in month 0: less than nothing, where it has a set-up."""
    if setup_usd is not None:
        return -setup_usd
    return 0.0 if id == "stay" else now.stay.upfront_usd - now.own.upfront_usd


def _paid(
    now: _From, id: str, tracked: Tracked, days: Array, setup_usd: float | None, luck: Mapping[str, Array] | None = None
) -> Array:
    """Months until the cash is earned back: the tracked months as they came, those ahead as these draws and their luck say."""
    k, stay, own = len(tracked.came), now.stay.in_days(days), now.own.in_days(days)
    ahead = np.atleast_2d(stay.cash_usd - own.cash_usd)
    if luck is not None and id != "stay":
        ahead = ahead + saved_by_luck(now.shared, now.options, id, own, stay, luck)
    first = _first(now, id, setup_usd)
    ahead = np.broadcast_to(ahead, (max(ahead.shape[0], np.size(first)), now.shared.horizon)).copy()
    ahead[:, :k] = tracked.saving
    return np.asanyarray(payback(first, ahead))


def _gains(now: _From, id: str, k: int, counts: str) -> dict[str, Array]:
    """Present value today of each other way to go on against going on, shape (n,) or (1,).

    Another option begins today: until it is live, what runs now is paid. Going back to the old model takes the hours of a
    migration.
    """
    shared, options = now.shared, now.options
    factors = discount_factors(shared.discount_rate, max(shared.horizon - k, 1))
    running = options[id]
    own = evaluate(shared, running, options)
    going_on = now.own.cash_usd if counts == "cash" else (
        now.own.cash_usd + sum((x.monthly for x in own.costs.lines if x.is_error), np.zeros(1)))
    kept_usd = np.atleast_2d(np.broadcast_to(going_on, (*np.shape(going_on)[:-1], shared.horizon)))
    back = np.asanyarray(shared.migration_hours * shared.usd_per_hour).reshape(-1, 1)
    found = {}
    for other, option in options.items():
        if other == id or option.infeasible is not None or k >= shared.horizon:
            continue
        later = replace(option, months_to_live=option.months_to_live + k) if other != "stay" else option
        done = evaluate(shared, later, options)
        cost, upfront = _cash(done, counts)
        if other != "stay":
            cost = cost + month_shares(shared, later)[1].whole * kept_usd
        first = upfront + (back if option.same_model and not running.same_model else 0.0)
        cost = np.atleast_2d(cost)
        saved = (kept_usd[..., k:] - cost[..., k:]) @ factors - np.asanyarray(first).reshape(-1)
        met = meets_bar(shared, option, options, done.spill)
        found[other] = np.where(met, saved, -np.asanyarray(first + back).reshape(-1))
    return found


def _cash(done: Evaluated, counts: str) -> tuple[Array, Number]:
    """Costs by month and in month 0, without the bill of the model that another option replaces."""
    lines = [x for x in done.costs.lines if not x.no_cash and x.kind is not LineKind.INCUMBENT]
    kept = [x for x in lines if counts == "errors" or not x.is_error]
    horizon = done.total.monthly.shape[-1]
    return (np.asanyarray(sum((x.monthly for x in kept), np.zeros(horizon))), sum((x.upfront for x in kept), 0.0))
