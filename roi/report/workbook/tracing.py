"""The cost lines of a comparison as graphs over its facts: the engine's own functions, run once on nodes in place of floats.

Each option stands on the plan, and a hybrid on the floor, that the comparison chose.
"""

import re
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from roi.economics.decision.comparison import Comparison
from roi.economics.decision.evaluation import read_all
from roi.economics.decision.weighing import settle
from roi.economics.inputs import Option, Shared, path_of
from roi.economics.lines.option_lines import Costs, cost_lines
from roi.estimate.replay.fleet import HOURS
from roi.facts.case import Case, Values
from roi.facts.fact import Fact
from roi.report.workbook.assumptions import same_fact
from roi.report.workbook.node import Trace
from roi.report.workbook.traced import Traced, traced

DRAWN = re.compile(r"draws|seed|quality\.evaluation_noise(\..+)?|serving\.(.+\.)?(adapter_)?speed(_low|_high|\..+)?")
"""Facts that only the draws move, or that size them: they stand at their central value."""


@dataclass(frozen=True)
class Model:
    """The traced lines of every feasible option."""

    trace: Trace
    shared: Shared
    options: dict[str, Option]
    costs: dict[str, Costs]


def trace_comparison(c: Comparison) -> Model:
    """The lines of every feasible option of `c` as nodes over its facts."""
    *_, choices = settle(c.case)
    trace = Trace(int(c.case["horizon_months"].number()))
    shared, options = read_all(c.case, traced_values(trace, c.case), choices)
    return Model(trace, shared, options, {o.id: cost_lines(shared, options[o.id], options) for o in c.options})


def traced_values(trace: Trace, case: Case) -> Values:
    """The flat values of the case, its numbers and rows of numbers as nodes.

    Drift of rents stays a number where it has a spread: the engine's mean level follows from the ends of that spread too. So do
    deadlines of what can wait, whose hours say how the figures are made, and with one of less than a day the hours' load.
    """
    values: dict[str, Any] = case.values()  # Any: the engine's values, or nodes in their place
    known: dict[tuple[object, ...], Traced] = {}
    waits = path_of(Shared, "waits_hours")
    within_day = waits in case and case[waits].number() < HOURS
    for path, fact in case.facts.items():
        held = path == waits or path.endswith(".batch_hours") or (path == path_of(Shared, "rent_drift") and fact.uncertain)
        held = held or (within_day and path == path_of(Shared, "load_curve"))
        if held or isinstance(fact.value, (bool, str)) or fact.value is None or DRAWN.fullmatch(path):
            continue
        shared = same_fact(case, path) or (path,)
        if shared not in known:
            known[shared] = _nodes(trace, path, fact)
        values[path] = known[shared]
    return cast("Values", values)


def _nodes(trace: Trace, path: str, fact: Fact) -> Traced:
    """The fact as a node, or a list as a row of nodes."""
    if not isinstance(fact.value, tuple):
        return traced(trace, trace.fact(path, None, fact.number(), fact.unit))
    row = np.empty(len(fact.value), dtype=object)
    row[:] = [trace.fact(path, k, x, fact.unit) for k, x in enumerate(fact.value)]
    return traced(trace, row)
