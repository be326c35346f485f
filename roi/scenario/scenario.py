"""The scenario: one YAML file that holds all that the user knows or assumes; and the systems that it names."""

from collections.abc import Iterable
from datetime import date as Date
from typing import Annotated, Literal

from pydantic import Field

from roi.scenario.demand import Gates, Incumbent, Name, Quality, Tokens, Workload
from roi.scenario.quantity import Section
from roi.scenario.supply import Candidates, Drift, Evaluation, OwnHardware, People, Platform, Serving, Timing, Training


class Deciding(Section):
    """When an option may be recommended."""

    min_chance: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.8
    """Share of the draws in which an option that trains, buys cards or commits must beat staying."""
    min_chance_reversible: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.6
    """The same of an option that a configuration undoes within a month."""
    min_items: Annotated[int, Field(ge=0, le=1_000_000)] = 100
    """Items on which a score must rest to count as tested, where the score says on how many it does."""


class Scenario(Section):
    """One decision: a workload, what is paid for it now, and what could be done instead."""

    schema_: Annotated[Literal["roi.scenario/1"], Field(alias="schema")] = "roi.scenario/1"
    """Version of this format."""
    title: Annotated[str, Field(min_length=1, max_length=200)] = "Untitled"
    """What the decision is about."""
    template: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """Template that the file was written from: values that still equal it are marked as guesses."""
    as_of: Date
    """Prices and facts of this day are used; the answer repeats for ever."""
    currency: Literal["USD"] = "USD"
    """All amounts are in US dollars."""
    horizon_months: Annotated[int, Field(ge=1, le=120)] = 36
    """Months over which options are compared."""
    discount_rate: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.10
    """Effective annual discount rate."""
    draws: Annotated[int, Field(ge=0, le=1_048_576)] = 4096
    """Draws of the uncertain facts; 0 = central values only."""
    seed: Annotated[int, Field(ge=0, le=2**63)] = 1
    """Seed of the draws."""
    workload: Workload
    """What is asked."""
    incumbent: Incumbent
    """What is paid today."""
    gates: Gates = Gates()
    """Questions that can rule training out."""
    quality: Quality = Quality()
    """How good, and what an error costs."""
    tokens: dict[Name, Tokens] = Field(default_factory=dict)
    """Tokens by system: a model name, or model+lora."""
    training: Training = Training()
    """Training an adapter."""
    evaluation: Evaluation = Evaluation()
    """Judging a model."""
    people: People = People()
    """Engineers."""
    timing: Timing = Timing()
    """How long a change takes."""
    serving: Serving = Serving()
    """Serving a model of one's own."""
    platform: Platform = Platform()
    """What serving costs besides GPUs."""
    drift: Drift = Drift()
    """How prices move."""
    own_hardware: OwnHardware = OwnHardware()
    """Terms of buying GPUs."""
    candidates: Candidates = Candidates()
    """What to compare with."""
    verdict: Deciding = Deciding()
    """When an option may be recommended."""
    accept: tuple[Literal["bill", "growth", "slo", "context"], ...] = ()
    """Alarms that are meant: values that look impossible, and are true here."""


def model_part(name: str) -> str:
    """The model of provider/model; a plain name is itself."""
    return name.partition("/")[2] or name


def tuned(model: str, method: str) -> str:
    """The system that results from tuning a model."""
    return f"{model}+{method}"


def known_systems(s: Scenario) -> list[str]:
    """Every system that the scenario's candidates can produce, the incumbent first."""
    c = s.candidates
    plain = [model_part(n) for n in (*c.api_models, *c.hosted_models, *c.cascade_first)] + [m.lower() for m in c.self_hosted]
    tunable = [*c.vendor_tuned, *c.hosted_adapters]
    adapters = [tuned(m.lower(), method) for m in c.self_hosted for method in c.methods]
    adapters += [tuned(model_part(n), "tuned") for n in tunable]
    return list(dict.fromkeys([s.incumbent.model, *plain, *adapters]))


def strange_names(s: Scenario) -> list[tuple[str, str, list[str], str]]:
    """Every key under quality and tokens that names no system of this scenario: field, name, what it may be, and its kind."""
    known, kind = known_systems(s), "system (neither the incumbent nor a candidate)"
    given: tuple[tuple[str, Iterable[str], list[str], str], ...] = (
        ("quality.scores", s.quality.scores, known, kind),
        ("quality.escalated", s.quality.escalated, known, kind),
        ("tokens", s.tokens, known, kind),
    )
    return [(field, name, allowed, what) for field, names, allowed, what in given for name in names if name not in allowed]
