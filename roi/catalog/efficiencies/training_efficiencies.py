"""How near training comes to the roofline, and what the allocator adds: efficiencies.json."""

from dataclasses import dataclass
from functools import cache

from pydantic import NonNegativeInt

from roi.catalog.cards.gpus import load_gpus, matrix_share
from roi.catalog.rows import read_json
from roi.estimate.fitting.overhead import Overhead
from roi.estimate.step.step_time import StepEfficiency
from roi.facts.fact import Fact
from roi.facts.records import Record


@dataclass(frozen=True, kw_only=True)
class Efficiency(Fact):
    """One fitted or published share, with why it is what it is."""

    n: NonNegativeInt
    """Measured rows behind the share; 0 where it is published or assumed."""
    reason: str
    """What it stands for and what moves it."""


class TrainingEfficiencies(Record):
    """What `estimate` takes as values for training."""

    matrix: Efficiency
    """Share of the datasheet's matrix rate that the best large product reaches, on cards that the catalog lacks."""
    bandwidth: Efficiency
    """Share of the datasheet's memory bandwidth that element-wise passes reach."""
    launch_s: Efficiency
    """Host time of one operator, s."""
    attention: Efficiency
    """Share of the matrix rate of large products that fused attention reaches."""
    kernel_s: Efficiency
    """Shortest time of one kernel on the device, s."""
    idle_s: Efficiency
    """Once a micro-step: host and device wait for each other, s."""
    multiprocessors: Efficiency
    """Units of a typical card that the tiles of a product fill."""
    overall: Efficiency
    """Roofline time over measured time."""
    allocator_slack: Efficiency
    """(reserved - allocated) / the part of the peak that is freed within a step."""
    context_bytes: Efficiency
    """CUDA context and loaded kernels, bytes."""

    def step(self) -> StepEfficiency:
        """The central values, as `step_time` takes them."""
        names = ("matrix", "bandwidth", "launch_s", "overall", "attention", "kernel_s", "idle_s", "multiprocessors")
        shares = {gpu.id: matrix_share(gpu) for gpu in load_gpus()}
        return StepEfficiency(**{name: getattr(self, name).number() for name in names}, matrix_of=shares)

    def speed_basis(self) -> str:
        """What tokens/s of published cards rest on, and what follows for a table that holds the same rows."""
        rows = self.overall
        return (
            f"Speed is the roofline times a scale of the card, {rows.number():g} in the median over the sources of {rows.n}"
            f" published rows ({rows.source.partition(';')[0]}). Rows of a table that are among them are in that fit: their"
            " errors are not those of rows unseen, which `roi calibrate TABLE.csv` prints (each source, card and run left out)."
        )

    def overhead(self, context: Efficiency | None = None) -> Overhead:
        """Memory beyond torch's allocated peak, as `fit_plan` takes it; `context` is of one GPU where that is known."""
        slack, context = self.allocator_slack, context or self.context_bytes
        return Overhead((slack.number(), *slack.spread()), (context.number(), *context.spread()))


@cache
def training_efficiencies() -> TrainingEfficiencies:
    """The file's training figures."""
    return TrainingEfficiencies.model_validate(read_json("efficiencies/efficiencies.json")["training"])
