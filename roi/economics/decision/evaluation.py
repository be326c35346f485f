"""An option costed: its lines, their totals, and the question whether it may win."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from roi.economics.finance import present_value
from roi.economics.inputs import Number, Option, Shared
from roi.economics.lines.line import Line, Totals
from roi.economics.lines.option_lines import Costs, cost_lines
from roi.economics.reading import read_option, read_shared
from roi.facts.case import Case, Values

BAR_TOLERANCE = 1e-12


@dataclass(frozen=True)
class Evaluated:
    """Costs of one option at one set of values (central, or one row a draw). Other views are made on demand."""

    option: Option
    costs: Costs
    total: Totals
    pv: Number
    """Present value of the total, USD."""
    discount_rate: float

    @cached_property
    def pv_without_errors(self) -> Number:
        """Present value without the cost of wrong answers, USD."""
        return self._without([line for line in self.costs.lines if line.is_error])

    @cached_property
    def pv_incremental(self) -> Number:
        """Present value without hours of people who are paid anyway, USD."""
        return self._without([line for line in self.costs.lines if line.existing_staff])

    def _without(self, lines: list[Line]) -> Number:
        return self.pv - sum((present_value(x.upfront, x.monthly, self.discount_rate) for x in lines), 0.0)


@dataclass(frozen=True)
class Choice:
    """The plan that was chosen for an option at the central values."""

    plan: int | None
    replicas_fixed: int | None


def evaluate(shared: Shared, option: Option, options: Mapping[str, Option]) -> Evaluated:
    """Lines and totals of `option`; shapes follow the values."""
    costs = cost_lines(shared, option, options)
    arrays = [a for line in costs.lines for a in (line.monthly, line.upfront) if isinstance(a, np.ndarray)]
    rows = max((a.shape[0] for a in arrays if a.ndim > 1), default=0)
    shape = np.zeros((rows, shared.horizon)) if rows else np.zeros(shared.horizon)
    total = Totals.of(costs.lines, shape)
    return Evaluated(option, costs, total, total.present_value(shared.discount_rate), shared.discount_rate)


def read_all(case: Case, values: Values, choices: Mapping[str, Choice] | None = None) -> tuple[Shared, dict[str, Option]]:
    """Shared record and options of a Case's values, each option on its chosen plan."""
    shared = read_shared(values)
    options = {id: read_option(values, id, shared) for id in case.options}
    for id, choice in (choices or {}).items():
        if choice.plan is not None:
            option = options[id]
            options[id] = replace(option, plan=option.plans[choice.plan], replicas_fixed=choice.replicas_fixed)
    return shared, options


def answered_wrong(option: Option, options: Mapping[str, Option]) -> Number:
    """Error rate of what the option answers: (1 - e) x its own + e x the fallback's, e the share escalated."""
    return (1.0 - option.escalated) * option.error_rate + option.escalated * options[option.escalates_to].error_rate


def meets_bar(shared: Shared, option: Option, options: Mapping[str, Option]) -> NDArray[np.bool_]:
    """Where the score reaches the bar, shape (n,). Staying, and options that nobody evaluated, are not held to it."""
    if not option.evaluated or option.kind in {"stay", "cache-batch"}:
        return np.ones(1, dtype=bool)
    wrong = np.asarray(answered_wrong(option, options), dtype=np.float64)
    return np.asarray(1.0 - wrong >= shared.quality_bar - BAR_TOLERANCE).reshape(-1)
