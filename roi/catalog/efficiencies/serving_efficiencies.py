"""How near engines come to the roofline, fitted on measured runs: serving_efficiencies.json."""

from functools import cache
from typing import Any

from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from roi.catalog.rows import read_json, read_rows
from roi.errors import UnknownName
from roi.estimate.serving.iteration import Efficiencies
from roi.estimate.serving.replica_memory import VLLM, EngineHabits
from roi.facts.fact import Basis, DatedRow, Fact, Record


class EngineEfficiencies(DatedRow):
    """Fitted efficiencies of one engine, and how far its speed was off on runs that were left out of the fit."""

    engine: str
    """Name in this catalog."""
    aliases: tuple[str, ...] = ()
    """Other names people type."""
    values: dict[str, NonNegativeFloat]
    """The fields of `Efficiencies`, which says what each means."""
    gpus: tuple[str, ...]
    """Catalog ids of the GPUs it was fitted on."""
    models: tuple[str, ...]
    """Catalog ids of the models it was fitted on."""
    runs: PositiveInt
    """Measured runs in the fit."""
    median_error_model_left_out: PositiveFloat
    """Median error of the step time on models left out, share."""
    median_error_gpu_left_out: PositiveFloat
    """Median error of the step time on GPUs left out, share."""
    speed_low: PositiveFloat
    """P5 of measured over predicted speed with the model left out, every card weighing the same: for GPUs in `gpus`."""
    speed_high: PositiveFloat
    """P95 of the same."""
    speed_low_elsewhere: PositiveFloat
    """P5 on GPUs that were not fitted: all engines' runs with the card left out; for "other" engine and card."""
    speed_high_elsewhere: PositiveFloat
    """P95 of the same."""
    ttft_low: PositiveFloat = 1.0 / 3.0
    """P5 of measured over predicted TTFT in closed loops, the model left out; a factor of 3 where none was measured."""
    ttft_high: PositiveFloat = 3.0
    """P95 of the same."""

    @model_validator(mode="before")
    @classmethod
    def _values_stand_beside_the_rest(cls, row: dict[str, Any]) -> dict[str, Any]:  # Any: JSON
        values = {name: row[name] for name in Efficiencies.__dataclass_fields__ if name in row}
        return {**{name: value for name, value in row.items() if name not in values}, "values": values}

    @property
    def efficiencies(self) -> Efficiencies:
        """The values that `roofline_iteration` takes."""
        return Efficiencies(**self.values)

    def speed(self, gpu_id: str) -> Fact:
        """Measured over predicted speed on this GPU, 1 with its spread; multiply the engine's speed by a draw of it."""
        fitted = gpu_id in self.gpus
        low, high = self.speed_ends(gpu_id)
        where = f"{self.runs} runs of {self.engine}, " + ("models left out" if fitted else f"{gpu_id} not among them")
        basis = Basis.CALIBRATED if fitted else Basis.ASSUMED
        return Fact(value=1.0, low=low, high=high, unit="ratio", basis=basis, source=where, date=self.date)

    def speed_ends(self, gpu_id: str) -> tuple[float, float]:
        """P5 and P95 of measured over predicted speed on this GPU."""
        if gpu_id in self.gpus:
            return self.speed_low, self.speed_high
        return self.speed_low_elsewhere, self.speed_high_elsewhere


class AdapterThroughput(DatedRow):
    """Throughput with unmerged LoRA adapters over that of the merged model on the same GPU."""

    adapters: NonNegativeInt
    """Adapters served together, at least."""
    throughput: PositiveFloat
    """Share of the merged model's throughput."""
    low: PositiveFloat
    """5th percentile."""
    high: PositiveFloat
    """95th percentile."""


class HabitsRow(DatedRow):
    """What an engine takes and how it schedules by default; the fields of `EngineHabits` say what each means."""

    engine: str
    """Engine family."""
    memory_share: PositiveFloat
    of_free: bool
    uniform_windows: bool
    sequence_limit: PositiveFloat | None = None
    step_tokens: PositiveFloat | None = None


class ServingEfficiencies(Record):
    """What serving_efficiencies.json holds."""

    engines: tuple[EngineEfficiencies, ...]
    adapters: tuple[AdapterThroughput, ...]


@cache
def load_serving_efficiencies() -> ServingEfficiencies:
    """Everything in the file; read on the first call."""
    return ServingEfficiencies.model_validate(read_json("efficiencies/serving_efficiencies.json"))


@cache
def engine_habits(family: str) -> EngineHabits:
    """The habits of an engine family; vLLM's where none are listed."""
    for row in read_rows("efficiencies/engine_habits.csv", HabitsRow):
        if row.engine == family:
            return EngineHabits(row.memory_share, row.of_free, row.uniform_windows, row.sequence_limit, row.step_tokens)
    return VLLM


def find_engine(name: str, field: str = "engine") -> EngineEfficiencies:
    """The engine with this name or alias; case does not matter."""
    known = {n.lower(): row for row in load_serving_efficiencies().engines for n in (row.engine, *row.aliases)}
    if name.strip().lower() not in known:
        raise UnknownName(field, name, known, "engine")
    return known[name.strip().lower()]


def adapter_throughput(adapters: int) -> Fact:
    """Speed with `adapters` unmerged adapters over merged; 0 (merged into the weights) is 1 without a spread."""
    if adapters == 0:
        return Fact(value=1.0, unit="ratio", basis=Basis.STATED, source="merged into the weights: nothing to compute")
    row = max((r for r in load_serving_efficiencies().adapters if r.adapters <= adapters), key=lambda r: r.adapters)
    ends = {"value": row.throughput, "low": row.low, "high": row.high}
    return Fact(**ends, unit="ratio", basis=Basis.PUBLISHED, source=row.source, date=row.date)
