"""Lines that follow from vendors and from mistakes: forced migrations, commitments, wrong answers."""

import numpy as np

from roi.economics.inputs import Array, Number, Option, Shared
from roi.economics.lines.calendar import events, months, powers, requests, split
from roi.economics.lines.line import Line, pick
from roi.economics.lines.people import evaluation_cost, run_cost
from roi.units import MONTHS_PER_YEAR


def _migration_cost(shared: Shared) -> tuple[Array, Array]:
    """USD of an engineer hour, and USD of one migration, at month ends 0..H."""
    found = shared.memo.get("migration")
    if not isinstance(found, tuple):
        wage = shared.usd_per_hour * powers(1.0 + shared.wage_growth, np.arange(shared.horizon + 1) / MONTHS_PER_YEAR)
        found = shared.memo["migration"] = (wage, np.asarray(shared.migration_hours * wage + evaluation_cost(shared)))
    return found


def migration_line(
    shared: Shared, option: Option, extra_usd: Number = 0.0, since: Number = 0.0, until: Number = np.inf
) -> list[Line]:
    """Porting hours and a new evaluation each time the vendor ends the model while it is used, from `since` to `until` months.

    A model that ends before an option goes live costs it nothing more: the option starts on the successor, at its price.
    `extra_usd` is what a tuned model pays besides: training again on the successor.
    """
    first, every = option.life_first, option.life_every
    if first is None or every is None or np.all(np.maximum(first, since) >= until):
        return []
    counts = events(first, every, shared.horizon, since, until)
    if not counts.any():
        return []
    wage, each = _migration_cost(shared)
    nothing_more = isinstance(extra_usd, float) and extra_usd == 0.0
    upfront, monthly = split(np.asarray(counts * (each if nothing_more else each + extra_usd)))

    def arithmetic(month: int) -> str:
        again = f" + ${pick(extra_usd):,.6g} to train again" if np.any(np.asarray(extra_usd) > 0) else ""
        return (
            f"{pick(counts, month + 1):.0f} x ({pick(shared.migration_hours):,.6g} h x ${pick(wage, month + 1):,.6g}/h"
            f" + ${pick(evaluation_cost(shared)):,.6g} evaluation{again})"
        )

    own = f"vendors.{option.vendor}."
    return [Line(
        name="incumbent's model ends: migration" if option.kind == "stay" else "vendor's model ends: migration",
        monthly=monthly, upfront=upfront, arithmetic=arithmetic,
        facts=(own + "first_end_months", own + "life_months", "migration.hours"),
    )]


def tuned_again(option: Option) -> Number:
    """USD of training a vendor-tuned model again on its successor, one set of runs."""
    return option.training.runs * run_cost(option.training) if option.training is not None else 0.0


def commitment_line(shared: Shared, spent: Array) -> list[Line]:
    """What a commitment with the incumbent costs beyond the incumbent's bill: leaving saves nothing below it before it ends."""
    if not np.any(np.asarray(shared.commitment_usd) > 0):
        return []
    owed = shared.commitment_usd * np.clip(shared.commitment_months - (months(shared.horizon) - 1.0), 0.0, 1.0)
    return [Line(
        name="commitment not used", monthly=np.asarray(np.maximum(owed - spent, 0.0)),
        facts=("commitment.usd_per_month", "commitment.months"),
        arithmetic=lambda month: f"${pick(owed, month):,.2f} committed - ${pick(spent, month):,.2f} spent, at least 0",
    )]


def error_line(shared: Shared, rate: Array, facts: tuple[str, ...]) -> Line:
    """The cost of wrong answers, for every option and for staying: requests x error rate x USD per error."""
    volume = requests(shared)

    def arithmetic(month: int) -> str:
        return f"{pick(volume, month):,.0f} requests x {pick(rate, month):.5g} wrong x ${pick(shared.usd_per_error):,.6g} each"

    monthly = rate * shared.once("usd of errors", lambda: volume * shared.usd_per_error)
    facts = ("quality.usd_per_error", *facts)
    return Line(name="wrong answers", monthly=monthly, facts=facts, arithmetic=arithmetic, is_error=True)
