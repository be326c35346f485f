"""Training speed from a device's measured rates and a dry run's operators, as a scale of the closed form."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from roi.estimate.calibration import Evidence
from roi.estimate.plan import TrainingPlan
from roi.estimate.roofline import OperatorRates, step_seconds
from roi.estimate.steptime import StepEfficiency, step_time
from roi.facts.gpu import Gpu
from roi.facts.model import ModelShape
from roi.facts.operator import OperatorGroup

OPERATORS_APART: Final = (0.79, 1.28)
"""5th and 95th percentile of measured over summed operator times. No profile of a step beside one of its device is at hand:
this is the span of the only three comparisons that are known (Llama-3.2-3B on an L40S at datasheet rates: LoRA -16%, DoRA
-22%, full +27%), for measured rates an assumption on the wide side."""


def device_evidence(
    model: ModelShape, plan: TrainingPlan, gpu: Gpu, operators: Iterable[OperatorGroup], rates: OperatorRates,
    efficiency: StepEfficiency, source: str,
) -> Evidence:
    """The scale at which the closed form gives the operators' time at the plan's own size.

    Other lengths then follow the closed form, which is held to operator sums over a grid of plans.
    """
    found = step_seconds(operators, rates, float(efficiency.idle_s))
    theory = step_time(model, plan, gpu, replace(efficiency, overall=1.0))
    overall = float(theory.micro_step_s) / found.micro_step_s
    low, high = (overall / apart for apart in reversed(OPERATORS_APART))
    return Evidence(replace(efficiency, overall=overall), low, high, "device", 1, (source,))
