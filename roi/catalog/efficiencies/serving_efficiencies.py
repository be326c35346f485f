"""How near engines come to the roofline, fitted on measured runs: serving_efficiencies.json."""

from functools import cache
from typing import Any, Final, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from roi.catalog.rows import read_json, read_rows
from roi.errors import UnknownName
from roi.estimate.serving.iteration import Efficiencies
from roi.estimate.serving.replica_memory import VLLM, EngineHabits
from roi.facts.fact import Basis, Fact
from roi.facts.records import DatedRow, Record

ENOUGH: Final = 4
"""Runs of a model on a card from which its interval is that of other runs of the same."""


Quantity = Literal["speed_same", "speed", "ttft_same", "ttft"]
"""Ends of measured over predicted: with the set-up left out, or the model."""


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
    speed_low_same: PositiveFloat
    """P5 of measured over predicted speed of runs in other formats or on other numbers of GPUs than the fit has of their model
    on their card: for models and cards that stand in `evidence` together."""
    speed_high_same: PositiveFloat
    """P95 of the same."""
    coverage_same: NonNegativeFloat
    """Share of those runs that lie between them: the interval's own record."""
    speed_low: PositiveFloat
    """P5 with the model left out, every card weighing the same: for GPUs in `gpus`."""
    speed_high: PositiveFloat
    """P95 of the same."""
    coverage: NonNegativeFloat
    """Share of the runs with the model left out that lie between them."""
    speed_low_elsewhere: PositiveFloat
    """P5 on GPUs that were not fitted: all engines' runs with the card left out; for "other" engine and card."""
    speed_high_elsewhere: PositiveFloat
    """P95 of the same."""
    coverage_elsewhere: NonNegativeFloat | None
    """Share of the runs with the card left out that lie between them; None where all runs are of one card."""
    ttft_low_same: PositiveFloat
    """P5 of measured over predicted TTFT in closed loops, as for `speed_low_same`."""
    ttft_high_same: PositiveFloat
    """P95 of the same."""
    ttft_low: PositiveFloat
    """P5 of the same with the model left out; a factor of 3 where none was measured."""
    ttft_high: PositiveFloat
    """P95 of the same."""
    intervals: dict[str, dict[Quantity, tuple[PositiveFloat, PositiveFloat]]] = Field(default_factory=dict)
    """GPU, of those with rows enough -> what was left out -> P5 and P95 there in place of the engine's."""

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

    def has(self, gpu_id: str, model_id: str) -> bool:
        """True where the fit has enough runs of this model on this card to say what others of it do."""
        return gpu_id in self.cards and self.evidence.get(gpu_id, {}).get(model_id, 0) >= ENOUGH

    def speed(self, gpu_id: str, model_id: str = "") -> Fact:
        """Measured over predicted speed of a model on this GPU, 1 with its spread; multiply the speed by a draw of it."""
        low, high = self.speed_ends(gpu_id, model_id)
        basis = Basis.CALIBRATED if gpu_id in self.cards else Basis.ASSUMED
        where = f"{self.runs} runs of {self.engine}, {self.record(gpu_id, model_id)}"
        return Fact(value=1.0, low=low, high=high, unit="ratio", basis=basis, source=where, date=self.date)

    def speed_ends(self, gpu_id: str, model_id: str = "") -> tuple[float, float]:
        """P5 and P95 of measured over predicted speed of a model on this GPU."""
        if self.has(gpu_id, model_id):
            return self._ends("speed_same", gpu_id, (self.speed_low_same, self.speed_high_same))
        if gpu_id in self.cards:
            return self._ends("speed", gpu_id, (self.speed_low, self.speed_high))
        return self.speed_low_elsewhere, self.speed_high_elsewhere

    def _ends(self, name: Quantity, gpu_id: str, engine: tuple[float, float]) -> tuple[float, float]:
        return self.intervals.get(gpu_id, {}).get(name, engine)

    def ttft_ends(self, gpu_id: str, model_id: str = "") -> tuple[float, float]:
        """The same of TTFT."""
        if self.has(gpu_id, model_id):
            return self._ends("ttft_same", gpu_id, (self.ttft_low_same, self.ttft_high_same))
        return self._ends("ttft", gpu_id, (self.ttft_low, self.ttft_high))

    def record(self, gpu_id: str, model_id: str = "") -> str:
        """How many runs lay inside the interval of this plan when they were left out of the fit, in words."""
        if self.engine.startswith("other"):
            return f"interval held {100.0 * self.coverage:.0f}% of rows with their engine left out"
        if self.has(gpu_id, model_id):
            return f"interval held {100.0 * self.coverage_same:.0f}% of rows with their format and number of GPUs left out"
        if gpu_id in self.cards:
            return f"interval held {100.0 * self.coverage:.0f}% of rows with their model left out"
        if self.coverage_elsewhere is None:
            return "interval of other engines with a card left out: all rows are of one card"
        return f"interval held {100.0 * self.coverage_elsewhere:.0f}% of rows with their card left out"

    def nearest(self, gpu_id: str, model_id: str) -> str:
        """The runs that are nearest to a plan, in words: how many, and what they share with it."""
        here, engine = self.evidence.get(gpu_id, {}), "other engines" if self.engine.startswith("other") else self.engine
        if model_id in here:
            return f"{here[model_id]} rows, {gpu_id}, {engine}, this model"
        if here:
            return f"{sum(here.values())} rows, {gpu_id}, {engine}, {_others(len(here))}"
        alike = sum(models.get(model_id, 0) for models in self.evidence.values())
        if alike:
            return f"{alike} rows, other cards, {engine}, this model"
        return f"{self.runs} rows, other cards, {engine}, {_others(len(self.models))}"


def _others(models: int) -> str:
    return "other model" if models == 1 else f"{models} other models"


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
    prompts_alone: bool


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
            return EngineHabits(row.memory_share, row.of_free, row.uniform_windows, row.sequence_limit, row.step_tokens,
                                row.prompts_alone)
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
