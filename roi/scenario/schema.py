"""The scenario: one YAML file that holds everything the user knows or assumes."""

from datetime import date as Date
from typing import Annotated, Literal

from pydantic import Field

from roi.scenario.change import People, Timing
from roi.scenario.demand import Gates, Incumbent, Name, Quality, Tokens, Workload
from roi.scenario.price_terms import Drift, OwnHardware
from roi.scenario.quantity import Section
from roi.scenario.supply import Candidates, Evaluation, Platform, Serving, Training


class Scenario(Section):
    """One decision: a workload, what is paid for it now, and what could be done instead."""

    schema_: Annotated[Literal["roi.scenario/1"], Field(alias="schema")] = "roi.scenario/1"
    """Version of this format."""
    title: Annotated[str, Field(min_length=1, max_length=200)] = "Untitled"
    """What the decision is about."""
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
