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
    cards: dict[str, dict[str, NonNegativeFloat]]
    """GPU, by its id -> values that are others there, of cards with runs enough."""
    evidence: dict[str, dict[str, NonNegativeInt]]
    """GPU -> model -> measured runs in the fit."""
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
    coverage: NonNegativeFloat = 0.9
    """Share of the runs with the model left out that lie between them: the interval's own record."""
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
    def gpus(self) -> tuple[str, ...]:
        """Catalog ids of the GPUs whose runs were enough for values of their own."""
        return tuple(self.cards)

    @property
    def models(self) -> tuple[str, ...]:
        """Catalog ids of the models it was fitted on."""
        return tuple(sorted({model for models in self.evidence.values() for model in models}))

    @property
    def efficiencies(self) -> Efficiencies:
        """The values that `roofline_iteration` takes, where no card has others."""
        return Efficiencies(**self.values)

    def on(self, gpu_id: str) -> Efficiencies:
        """The values for a GPU."""
        return Efficiencies(**(self.values | self.cards.get(gpu_id, {})))

    def speed(self, gpu_id: str) -> Fact:
        """Measured over predicted speed on this GPU, 1 with its spread; multiply the engine's speed by a draw of it."""
        fitted = gpu_id in self.cards
        low, high = self.speed_ends(gpu_id)
        where = f"{self.runs} runs of {self.engine}, " + ("models left out" if fitted else f"{gpu_id} not among them")
        basis = Basis.CALIBRATED if fitted else Basis.ASSUMED
        return Fact(value=1.0, low=low, high=high, unit="ratio", basis=basis, source=where, date=self.date)

    def speed_ends(self, gpu_id: str) -> tuple[float, float]:
        """P5 and P95 of measured over predicted speed on this GPU."""
        if gpu_id in self.cards:
            return self.speed_low, self.speed_high
        return self.speed_low_elsewhere, self.speed_high_elsewhere

    def nearest(self, gpu_id: str, model_id: str) -> str:
        """The runs that are nearest to a plan, in words: how many, and what they share with it."""
        here = self.evidence.get(gpu_id, {})
        if model_id in here:
            return f"{here[model_id]} rows, {gpu_id}, {self.engine}, this model"
        if here:
            return f"{sum(here.values())} rows, {gpu_id}, {self.engine}, other models"
        alike = sum(models.get(model_id, 0) for models in self.evidence.values())
        if alike:
            return f"{alike} rows, other cards, {self.engine}, this model"
        return f"{self.runs} rows, other cards, {self.engine}, other models"


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
