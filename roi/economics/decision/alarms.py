"""Alarms: what a Case says that cannot be true. While one stands unaccepted, there is no verdict, only what to correct."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, takewhile
from math import prod
from typing import Final

import numpy as np

from roi.economics.inputs import Array
from roi.facts.case import Values
from roi.units import MONTHS_PER_YEAR

OVER_UNITS: Final = "reconciliation.bill_over_units"
BILL_OFF: Final = 3.0
"""A bill this many times above or below the estimate at list price is not explained by retries or a discount."""
GROWTH_MOST, GROWTH_TIMES, SHRINK_MOST = 5.0, 100.0, -0.9
"""Six times the requests, or users, every year, a hundred times within the horizon, or nine tenths of them gone each year."""
USERS_GROW: Final = "options.stay.provisioned.growth_per_year"
"""Where a Case holds how today's users grow, where they have a growth of their own."""
TTFT_MOST_S, TPOT_MOST_S = 60.0, 1.0
"""An interactive answer begins within a minute, and is written faster than it is read (about 0.2 s a token)."""

WAGES_MOST, WAGES_LEAST = 1.0, -0.5
"""Wages that double, or halve, every year: in USD, year after year, nobody's do; 1% was typed as 1."""
GATE_IMPOSSIBLE: Final = "quality.gate_impossible"
"""Where a Case holds which rates of a gate cannot be true together, whatever luck their evaluation had."""

PEAK_MOST: Final = 1440.0
"""Minutes of a day: above it the busiest minute holds more than all requests of a mean day."""

Wrong = tuple[str, str] | None
"""The scenario's field, and what is wrong with it; None where nothing is."""


@dataclass(frozen=True)
class Alarm:
    """One thing that cannot be true, or was meant and is accepted by name."""

    name: str
    """What the scenario's `accept` calls it."""
    field: str
    """The scenario's field to correct."""
    told: str
    """What is wrong, with the value and what would be usual."""
    accepted: bool

    @property
    def may_be_meant(self) -> bool:
        """True of what a scenario may accept by its name."""
        return self.name in RULES


NOWHERE_TO_GO: Final = Alarm(
    "may_stay", "incumbent.may_stay", "staying is not allowed, and no other option that works is tested and at the bar: mend"
    " what rules one out (--full says why), or name another (candidates) and evaluate it (quality.scores)", accepted=False)
"""Why there is no verdict where nothing may be advised."""


def read_alarms(values: Values) -> tuple[Alarm, ...]:
    """The alarms of a Case's values, accepted ones included, in a fixed order."""
    accepted = {name.strip() for name in str(values.get("accept") or "").split(",")}
    found = ((name, rule(values)) for name, rule in RULES.items())
    return tuple(Alarm(name, *wrong, name in accepted) for name, wrong in found if wrong is not None)


def _number(values: Values, path: str, default: float) -> float:
    value = values.get(path)
    return float(value) if isinstance(value, (int, float)) else default


def _bill(values: Values) -> Wrong:
    gap = _number(values, OVER_UNITS, _number(values, "reconciliation.factor", 1.0))
    if 1.0 / BILL_OFF < gap < BILL_OFF:
        return None
    if OVER_UNITS in values:
        return "incumbent.bill_usd_per_month", (
            f"the bill is {gap:,.3g} x what today's units or seats, and what spills over, come to: check their number and fee,"
            " and that the bill is of this workload alone")
    return "incumbent.bill_usd_per_month", (
        f"the bill is {gap:,.3g} x what these requests cost at the prices of the scenario: check requests_per_day, the"
        " lengths, the model, and that the bill is of this workload alone")


def _growth(values: Values) -> Wrong:
    growth, horizon = _number(values, "workload.growth_per_year", 0.0), _number(values, "horizon_months", 0.0)
    users = ("incumbent.seats.growth_per_year", "users", _number(values, USERS_GROW, 0.0))
    for field, who, each in (("workload.growth_per_year", "requests", growth), users):
        if each <= SHRINK_MOST:
            return field, f"{who} shrink by {-each:.0%} a year"
        times = (1.0 + each) ** (horizon / MONTHS_PER_YEAR)
        if each >= GROWTH_MOST or times > GROWTH_TIMES:
            return field, f"{who} grow by {each:,.0%} a year, {times:,.0f} x within {horizon:.0f} months; 0.3 means 30% a year"
    most, month = max(_by_month(values, growth, horizon), key=lambda each: (each[0], -each[1]), default=(1.0, 0.0))
    if most <= GROWTH_TIMES:
        return None
    return "workload.steps", (f"requests are {most:,.0f} x today's in month {month:.0f}; a step of 30% more has ratio 1.3, and"
                              " multiplies those before it")


def _by_month(values: Values, growth: float, horizon: float) -> Iterator[tuple[float, float]]:
    """(Times today's requests, month) of each month of the horizon, by growth and steps."""
    paths = takewhile(lambda path: f"{path}.ratio" in values, (f"workload.steps.{n}" for n in count()))
    steps = [(_number(values, f"{path}.from_month", 0.0), _number(values, f"{path}.ratio", 1.0)) for path in paths]
    for month in np.arange(1.0, horizon + 1.0).tolist():
        ratios = (ratio for begin, ratio in steps if begin <= month)
        yield prod(ratios) * (1.0 + growth) ** ((month - 1.0) / MONTHS_PER_YEAR), month


def _slo(values: Values) -> Wrong:
    if _number(values, "workload.can_wait_share", 0.0) >= 1.0:
        return None
    ttft, tpot = _number(values, "workload.ttft_p95_s", 0.0), _number(values, "workload.tpot_p95_s", 0.0)
    if ttft >= TTFT_MOST_S:
        return "workload.ttft_p95_s", (
            f"ttft_p95_s {ttft:g} s is no interactive answer; write seconds (2), or can_wait_share: 1 for what can wait")
    if tpot >= TPOT_MOST_S:
        return "workload.tpot_p95_s", f"tpot_p95_s {tpot:g} s a token is slower than reading; write seconds (0.05)"
    return _measured(values)


def _measured(values: Values) -> Wrong:
    """A latency that was measured of an API, today's or another, and is none of an interactive answer."""
    today = f"apis.{values.get('options.stay.vendor')}."
    for name, most, usual in (("ttft_p95_s", TTFT_MOST_S, "2"), ("tpot_p95_s", TPOT_MOST_S, "0.05")):
        for path in values:
            if path.startswith("apis.") and path.endswith(f".{name}") and (found := _number(values, path, 0.0)) >= most:
                field = f"incumbent.{name}" if path == today + name else path
                return field, (f"{name} {found:g} s as measured is no interactive answer; write seconds ({usual}), or"
                               " can_wait_share: 1 for what can wait")
    return None


def _context(values: Values) -> Wrong:
    context = _number(values, "incumbent.context_tokens", np.inf)
    given, answered = (np.asarray(values.get(f"workload.{name}_tokens") or 0.0, dtype=float) for name in ("input", "output"))
    longest = float(np.max(given + answered))
    if longest <= context:
        return None
    what = "a request" if given.size == 1 else "the mean request of the longest cell,"
    return too_long_field(given, answered), (
        f"{what} of {longest:,.0f} tokens, answer included, does not fit the model's context of {context:,.0f}")


def _peak(values: Values) -> Wrong:
    peak = _number(values, "workload.peak_to_mean", 1.0)
    if peak <= PEAK_MOST:
        return None
    return "workload.peak_to_mean", (
        f"the busiest minute holds {peak:,.0f} x the mean, more than all requests of a mean day, {PEAK_MOST:,.0f} x")


def _gate(values: Values) -> Wrong:
    """Rates of a gate that contradict a score, and not only by chance.

    Not only what hands on by them is no candidate (docs/economics.md, 8.6): which of the two is wrong nobody knows, and by the
    score the first model by itself is judged, or staying, with which all is compared. Who knows leaves it out, or accepts.
    """
    field, _, told = str(values.get(GATE_IMPOSSIBLE) or "").partition(": ")
    mend = "correct the rate, the score or quality.escalated (with items, where it was counted), or leave the candidate out"
    return (field, f"{told}; {mend}") if told else None


def _wages(values: Values) -> Wrong:
    field = "people.wage_growth_per_year"
    growth = _number(values, field, 0.0)
    if WAGES_LEAST < growth < WAGES_MOST:
        return None
    return field, f"wages {'rise' if growth > 0 else 'fall'} by {abs(growth):.0%} a year; 0.03 means 3% a year"


def too_long_field(prompts: Array, answers: Array) -> str:
    """The scenario's field that makes requests of these tokens, one element a bin of lengths, too long: the larger part."""
    if prompts.size > 1:
        return "workload.lengths"
    return "workload.input_tokens" if prompts.item() >= answers.item() else "workload.output_tokens"


def limit_words(tokens: float, *, of_context: bool) -> str:
    """How many tokens the longest request has that a model takes, in words: its context, or the longest of those known."""
    held = "" if of_context else ", the longest of the lengths known that its cards hold"
    return f"{'its context, ' * of_context}{tokens:,.0f} tokens with the answer{held}"


RULES: Final[dict[str, Callable[[Values], Wrong]]] = {
    "bill": _bill, "growth": _growth, "slo": _slo, "context": _context, "peak": _peak, "gate": _gate,
    "wages": _wages,
}  # fmt: skip
"""By name: the field to correct, and what is wrong with it."""
NO_LOAD: Final = frozenset({"gate", "wages"})
"""Those of what no fleet's size depends on."""
