"""How near engines come to the roofline, fitted on measured runs: serving_efficiencies.json."""

from dataclasses import fields
from functools import cache
from typing import Any, Final, Literal

from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from roi.catalog.rows import read_json, read_rows
from roi.errors import UnknownName
from roi.estimate.serving.efficiencies import Efficiencies
from roi.estimate.serving.replica_memory import VLLM, EngineHabits
from roi.estimate.serving.weight_formats import OF_GGUF
from roi.facts.fact import Basis, Fact
from roi.facts.gpu import Gpu, same_chip
from roi.facts.records import DatedRow, Record
from roi.numerics.spreads import joint_high

ENOUGH: Final = 4
"""Runs of a model on a card from which its interval is that of other runs of the same."""
METAL: Final = "llama.cpp-metal"
"""llama.cpp's and Ollama's runs on Apple's GPUs, whatever the year: kernels of their own, with their own fit."""
Level = Literal["same", "model", "elsewhere", "other"]
"""What of a plan is new to a fit: its formats or number of GPUs at most; its model; its card; its engine."""
Kind = Literal["dense", "mixture"]
"""Kinds of model with intervals of their own: kernels of a mixture's experts are a card's and an engine's own, and few models
show them."""
LEFT_OUT: Final[dict[Level, str]] = {
    "same": "format and number of GPUs", "model": "model", "elsewhere": "card", "other": "engine"}


class Spread(Record):
    """P95 of measured over predicted, for a source that is in the fit; P5 is 1 over it."""

    speed: PositiveFloat
    ttft: PositiveFloat


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
    sources: dict[str, dict[str, NonNegativeFloat]]
    """GPU, of `gpus`, or "elsewhere" -> source, as tables name it -> the share left of the variance that a new one adds: one of
    few of the runs has hardly moved the fit."""
    median_error_model_left_out: PositiveFloat | None
    """Median error of the step time on models left out, share; None where no other of the card is there, and for "other"."""
    median_error_gpu_left_out: PositiveFloat | None
    """Median error of the step time on GPUs left out, share."""
    intervals: dict[Kind, dict[str, dict[Level, Spread]]]
    """GPU, of `gpus` -> same or model -> the spread there."""
    elsewhere: dict[Kind, Spread]
    """The spread on GPUs that are not in `gpus`, no less than what the least known card of these needs; for the engine "other"
    that of engines left out of the fit."""
    inside: dict[Level, NonNegativeFloat]
    """Share of the runs that lay inside when neither the fit nor the interval had seen what is new about them."""

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
        """Catalog ids of the models that the engine was fitted on."""
        return tuple(sorted({model for models in self.evidence.values() for model in models}))

    @property
    def efficiencies(self) -> Efficiencies:
        """The values that `roofline_iteration` takes, where no card has others."""
        return Efficiencies(**self.values)

    def on(self, gpu_id: str) -> Efficiencies:
        """The values for a GPU."""
        return Efficiencies(**(self.values | self.cards.get(self.known(gpu_id), {})))

    def known(self, gpu_id: str) -> str:
        """The card of the fit that has this one's chip, else the id itself: a Mac is as fast with more memory."""
        chip = same_chip(gpu_id)
        return gpu_id if chip == gpu_id else next((card for card in self.evidence if same_chip(card) == chip), gpu_id)

    def has(self, gpu_id: str, model_id: str) -> bool:
        """True where the fit has enough runs of this model on this card to say what others of it do."""
        here = self.known(gpu_id)
        return here in self.cards and self.evidence.get(here, {}).get(model_id, 0) >= ENOUGH

    def level(self, gpu_id: str, model_id: str = "") -> Level:
        """What is new about a model on this GPU."""
        if self.engine.startswith("other"):
            return "other"
        here = self.known(gpu_id)
        return "same" if self.has(here, model_id) else "model" if here in self.intervals["dense"] else "elsewhere"

    def speed(self, gpu_id: str, model_id: str = "", *, mixture: bool) -> Fact:
        """Measured over predicted speed of a model on this GPU, 1 with its spread; multiply the speed by a draw of it."""
        low, high = self.ends("speed", gpu_id, model_id, mixture=mixture)
        basis = Basis.CALIBRATED if self.known(gpu_id) in self.cards else Basis.ASSUMED
        where = f"{self.runs} runs of {self.engine}, {self.record(gpu_id, model_id)}"
        return Fact(value=1.0, low=low, high=high, unit="ratio", basis=basis, source=where, date=self.date)

    def ends(
        self, quantity: Literal["speed", "ttft"], gpu_id: str, model_id: str = "", source: str | None = None,
        *, mixture: bool,
    ) -> tuple[float, float]:
        """P5 and P95 of measured over predicted, of a model on this GPU; wider where `source` is little of the fit."""
        kind: Kind = "mixture" if mixture else "dense"
        gpu_id = self.known(gpu_id)
        spread = self.intervals[kind].get(gpu_id, {}).get(self.level(gpu_id, model_id), self.elsewhere[kind])
        known: float = getattr(spread, quantity)
        left = self.sources.get(gpu_id, self.sources["elsewhere"]).get(source or "", 1.0)
        high = float(joint_high((known, load_serving_efficiencies().new_source ** left**0.5)))
        return 1.0 / high, high

    def record(self, gpu_id: str, model_id: str = "") -> str:
        """How many runs lay inside the interval of this plan when they were left out of the fit and of it, in words."""
        level = self.level(gpu_id, model_id)
        if level not in self.inside:
            return f"interval of other engines with a {LEFT_OUT[level]} left out"
        return f"interval held {100.0 * self.inside[level]:.0f}% of rows with their {LEFT_OUT[level]} left out"

    def nearest(self, gpu_id: str, model_id: str) -> str:
        """The runs that are nearest to a plan, in words: how many, and what they share with it."""
        gpu_id = self.known(gpu_id)
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
    """5th percentile of that share."""
    low: PositiveFloat
    """95th percentile of that share."""
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
    experts_apart: bool
    wgmma: bool
    reserves: bool


class ServingEfficiencies(Record):
    """What serving_efficiencies.json holds."""

    engines: tuple[EngineEfficiencies, ...]
    adapters: tuple[AdapterThroughput, ...]
    new_source: PositiveFloat
    """P95 of what a source of which no fit has a run adds to the spread of speed: its software, its options, how it measures.
    One's own servers are such a source."""


@cache
def load_serving_efficiencies() -> ServingEfficiencies:
    """Everything in the file; read on the first call."""
    return ServingEfficiencies.model_validate(read_json("efficiencies/serving_efficiencies.json"))


@cache
def engine_habits(family: str) -> EngineHabits:
    """The habits of an engine family; vLLM's where none are listed."""
    for row in read_rows("efficiencies/engine_habits.csv", HabitsRow):
        if row.engine == family:
            return EngineHabits(**{each.name: getattr(row, each.name) for each in fields(EngineHabits)})
    return VLLM


def engine_on(gpu: Gpu, engine: str) -> str:
    """The engine family whose fit and habits speak for this engine on this card: METAL for OF_GGUF on Apple's."""
    return METAL if gpu.apple and engine.removesuffix("-2024") in OF_GGUF else engine


def find_engine(name: str, field: str = "engine", remedy: str = "") -> EngineEfficiencies:
    """The engine with this name or alias; case does not matter. An unknown name is an error of `field`, with this remedy."""
    known = {n.lower(): row for row in load_serving_efficiencies().engines for n in (row.engine, *row.aliases)}
    if name.strip().lower() not in known:
        raise UnknownName(field, name, known, "engine", remedy=remedy)
    return known[name.strip().lower()]


def adapter_throughput(adapters: int) -> Fact:
    """Speed with `adapters` unmerged adapters over merged; 0 (merged into the weights) is 1 without a spread."""
    if adapters == 0:
        return Fact(value=1.0, unit="ratio", basis=Basis.STATED, source="merged into the weights: nothing to compute")
    row = max((r for r in load_serving_efficiencies().adapters if r.adapters <= adapters), key=lambda r: r.adapters)
    ends = {"value": row.throughput, "low": row.low, "high": row.high}
    return Fact(**ends, unit="ratio", basis=Basis.PUBLISHED, source=row.source, date=row.date)
