"""Which plan an option uses: every plan costed at the central values, all at once, before any draw."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from roi.economics.inputs import Array, Option, Plan, Shared
from roi.economics.lines.calendar import billed_requests
from roi.economics.lines.line import Totals
from roi.economics.lines.option_lines import cost_lines
from roi.units import HOURS_PER_MONTH, SECONDS_PER_HOUR

FLOOR_STEPS = 64
"""Numbers of replicas that a hybrid's floor is tried with, at most."""


def stacked(plans: tuple[Plan, ...]) -> Plan:
    """Plans as one Plan whose numbers are columns, shape (n, 1)."""

    def column(name: str) -> Array:
        return np.array([[getattr(p, name)] for p in plans], dtype=np.float64)

    names = (
        "usd_per_gpu_hour", "gpus_per_instance", "gpus_per_replica", "capacity", "minimum_months", "watts", "usd_per_gpu",
        "pooling",
    )
    return Plan("", "", None, "", "", "", *(column(n) for n in names))


def choose_plan(shared: Shared, option: Option, options: Mapping[str, Option]) -> Option:
    """The option on its cheapest plan by present value, errors aside (the same for all its plans).

    A hybrid's floor is chosen with it: replicas from 1 to what the peak needs.
    """
    if not option.plans or option.infeasible is not None:
        return option
    if option.kind == "hybrid":
        return _choose_floor(shared, option, options)
    costs = _present_values(shared, replace(option, plan=stacked(option.plans)), options)
    return replace(option, plan=option.plans[int(np.argmin(costs))])


def _choose_floor(shared: Shared, option: Option, options: Mapping[str, Option]) -> Option:
    mean = billed_requests(shared).max() / (HOURS_PER_MONTH * SECONDS_PER_HOUR)
    best, found = np.inf, option
    for plan in option.plans:
        capacity = float(plan.capacity * (1.0 - option.headroom))
        most = int(np.ceil(mean * np.max(shared.peak_to_mean) / capacity))
        for replicas in np.unique(np.geomspace(1, max(most, 1), FLOOR_STEPS).round().astype(int)):
            tried = replace(option, plan=plan, replicas_fixed=int(replicas))
            cost = float(_present_values(shared, tried, options)[0])
            if cost < best:
                best, found = cost, tried
    return found


def _present_values(shared: Shared, option: Option, options: Mapping[str, Option]) -> Array:
    lines = [line for line in cost_lines(shared, option, options).lines if not line.is_error]
    total = Totals.of(lines, max((line.monthly for line in lines), key=lambda m: (m.ndim, m.size)))
    return np.atleast_1d(np.asarray(total.present_value(shared.discount_rate)).reshape(-1))
