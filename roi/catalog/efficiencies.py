"""How near training comes to the roofline, and what the allocator adds: data/efficiencies.json."""

import json
from functools import cache
from importlib.resources import files

from pydantic import BaseModel, ConfigDict, NonNegativeInt

from roi.estimate.fitting import Overhead
from roi.estimate.steptime import StepEfficiency
from roi.facts.fact import Fact


class Efficiency(Fact):
    """One fitted or published share, with why it is what it is."""

    n: NonNegativeInt
    """Measured rows behind it; 0 where it is published or assumed."""
    reason: str
    """What it stands for and what moves it."""

    def number(self) -> float:
        """The central value."""
        assert isinstance(self.value, (int, float)), self.source
        return float(self.value)

    def spread(self) -> tuple[float, float]:
        """5th and 95th percentile; the value twice where it has none."""
        return (self.number(), self.number()) if self.low is None or self.high is None else (self.low, self.high)


class TrainingEfficiencies(BaseModel):
    """What `estimate` takes as values for training."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    matrix: Efficiency
    """Share of the datasheet's matrix rate that large products reach."""
    bandwidth: Efficiency
    """Share of the datasheet's memory bandwidth that element-wise passes reach."""
    launch_s: Efficiency
    """Host time of one operator, s."""
    overall: Efficiency
    """Roofline time over measured time."""
    allocator_slack: Efficiency
    """(reserved - allocated) / the part of the peak that is freed within a step."""
    context_bytes: Efficiency
    """CUDA context and loaded kernels, bytes."""

    def step(self) -> StepEfficiency:
        """The central values, as `step_time` takes them."""
        return StepEfficiency(
            self.matrix.number(), self.bandwidth.number(), self.launch_s.number(), self.overall.number(),
        )

    def overhead(self) -> Overhead:
        """Memory beyond torch's allocated peak, as `fit_plan` takes it."""
        slack, context = self.allocator_slack, self.context_bytes
        return Overhead((slack.number(), *slack.spread()), (context.number(), *context.spread()))


@cache
def training_efficiencies() -> TrainingEfficiencies:
    """The file's training figures."""
    text = (files("roi.catalog") / "data" / "efficiencies.json").read_text(encoding="utf-8")
    return TrainingEfficiencies.model_validate(json.loads(text)["training"])
