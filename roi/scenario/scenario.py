"""The scenario: one YAML file that holds all that the user knows or assumes; and the systems that it names."""

from collections.abc import Iterable
from datetime import date as Date
from typing import Annotated, Literal, Self, TypeVar

from pydantic import Field, PrivateAttr, model_validator

from roi.scenario.quantity import Hours, Months, Name, NonNegative, Section, Signed, as_spread, unit
from roi.scenario.sections.apis import ApiTerms, Drift
from roi.scenario.sections.demand import Gates, Incumbent, Tokens, Workload
from roi.scenario.sections.scores import Evaluation, Quality
from roi.scenario.sections.supply import Candidates, GpuRent, OwnHardware, People, Platform, Serving, Timing, Training

T = TypeVar("T")
AS_PAID = "as incumbent.batch_share: what goes through batch today can wait"
"""Why that share can wait, where nobody says what can."""


class Deciding(Section):
    """When an option may be recommended."""

    min_chance: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.8
    """Share of the draws in which an option that trains, buys cards or commits must beat staying."""
    min_chance_reversible: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.6
    """Share of the draws in which an option that a configuration undoes within a month must beat staying."""
    min_items: Annotated[int, Field(ge=0, le=1_000_000)] = 100
    """Items on which a score must rest to count as tested, where the score says on how many it does."""


Month = Annotated[int, Field(ge=1, le=120)]


class OptionTerms(Section):
    """What is particular to one option or kind of options; what is left out is as for its kind of change."""

    setup_hours: Hours | None = None
    """Engineer hours until live; left out = people.setup_hours."""
    run_hours_per_month: Hours | None = None
    """Engineer hours a month once live; left out = people.run_hours_per_month."""
    months_to_live: Months | None = None
    """Months until it answers users; left out = timing.months_to_live."""
    months_in_parallel: Months | None = None
    """Months in which both are paid; left out = timing.months_in_parallel."""
    evaluation_usd: Annotated[NonNegative, unit("USD")] | None = None
    """Cost of running the evaluation before the change and after a retraining; left out = evaluation.usd."""
    evaluation_labels: Annotated[NonNegative, unit("labels")] | None = None
    """Examples of that evaluation; left out = evaluation.labels."""
    spares: Annotated[int, Field(ge=0, le=1000)] | None = None
    """Replicas beyond what the peak needs; left out = serving.spares."""


class Cost(Section):
    """A cost that no other line counts: a security review, a licence, an exit fee. Negative = a credit."""

    name: Annotated[str, Field(min_length=1, max_length=60)]
    """What it is; the name of its line."""
    option: Name
    """Who bears it: an option by its id, a kind of options, "all", or "all but stay"."""
    upfront_usd: Annotated[Signed, unit("USD")] = 0.0
    """Paid in month 0."""
    usd_per_month: Annotated[Signed, unit("USD/month")] = 0.0
    """Paid at the end of each month, from go-live (its share of a month) or from_month on; of staying, by all options until
    today's model is no longer used, which is never where they keep it or hand requests on to it. It does not grow."""
    usd_per_request: Annotated[NonNegative, unit("USD")] = 0.0
    """Paid for each request billed in the same months."""
    from_month: Month | None = None
    """First month in which it is paid, 1 to the horizon; left out = from go-live on."""
    to_month: Month | None = None
    """Last month in which it is paid; left out = the horizon. The same as from_month = once."""

    @model_validator(mode="after")
    def _costs_something(self) -> Self:
        if self.model_fields_set.isdisjoint({"upfront_usd", "usd_per_month", "usd_per_request"}):
            raise ValueError(f"{self.name} has no amount: give upfront_usd, usd_per_month or usd_per_request")
        return self

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.to_month is not None and self.to_month < (self.from_month or 1):
            raise ValueError(f"to_month {self.to_month} is before from_month {self.from_month or 1}")
        return self


class Scenario(Section):
    """One decision: a workload, what is paid for it now, and what could be done instead."""

    schema_: Annotated[Literal["roi.scenario/1"], Field(alias="schema")] = "roi.scenario/1"
    """Version of this format."""
    title: Annotated[str, Field(min_length=1, max_length=200)] = "A task"
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
    gpu_rents: tuple[GpuRent, ...] = ()
    """Rents of your own contracts: prices of a GPU and hour that you negotiated."""
    gpu_discounts: dict[Name, Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]] = Field(default_factory=dict)
    """Discount on the catalog's rents, by vendor."""
    platform: Platform = Platform()
    """What serving costs besides GPUs."""
    drift: Drift = Drift()
    """How prices move."""
    own_hardware: OwnHardware = OwnHardware()
    """Terms of buying GPUs, and cards that are owned."""
    apis: dict[Name, ApiTerms] = Field(default_factory=dict)
    """Your own terms of an API, by provider/model as under candidates; of the incumbent its prices alone. VENDOR/MODEL+tuned is
    the model that the vendor tunes: with its prices by the token it is served by the token, on no dedicated GPU."""
    candidates: Candidates = Candidates()
    """What to compare with."""
    options: dict[Name, OptionTerms] = Field(default_factory=dict)
    """What is particular to one option, by its id (cheaper-api:openai/gpt-6-luna), or to a kind of options (cascade)."""
    costs: tuple[Cost, ...] = ()
    """Costs of your own that no other line counts."""
    verdict: Deciding = Deciding()
    """When an option may be recommended."""
    accept: tuple[Literal["bill", "growth", "slo", "context", "peak", "gate", "wages"], ...] = ()
    """Alarms that are meant: values that look impossible, and are true here."""
    _stated: frozenset[str] = PrivateAttr(default=frozenset())
    _bill_told: str | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _by_model(self) -> Self:
        """Take what is said of a model under quality and tokens by the name that it has under candidates, provider/model, too.

        A system is a model, wherever it answers. What is said of one model at two vendors stays as it is written: one is the
        other's same model (docs/economics.md, 4.11). ValueError where it is said of its plain name too.
        """
        c = self.candidates
        vendors = (*c.api_models, *c.hosted_models, *c.cascade_first, *c.vendor_tuned, *c.hosted_adapters)
        plain = {name: model_part(name) for name in (f"{self.incumbent.provider}/{self.incumbent.model}", *vendors)}

        def renamed(said: dict[str, T]) -> dict[str, T]:
            parts = [[part.partition("+") for part in name.split(" > ")] for name in said]
            names = [" > ".join(plain.get(model, model) + plus + how for model, plus, how in each) for each in parts]
            if twice := next((pair for pair in zip(said, names, strict=True) if pair[0] != pair[1] and pair[1] in said), None):
                raise ValueError(f"{twice[0]} and {twice[1]} are one model here: say what is meant of one of them")
            new = {old: name if names.count(name) == 1 else old for old, name in zip(said, names, strict=True)}
            return {new[old]: value for old, value in said.items()}

        q, of = self.quality, ("scores", "escalated", "kept_error_rate", "escalated_error_rate")
        blocks = {name: renamed(getattr(q, name)) for name in of}
        if blocks != {name: getattr(q, name) for name in blocks}:
            told = tuple(x.model_copy(update={"about": x.about and next(iter(renamed({x.about: x})))}) for x in q.cautions)
            object.__setattr__(self, "quality", q.model_copy(update={**blocks, "cautions": told}))
        object.__setattr__(self, "tokens", renamed(self.tokens))
        return self

    @model_validator(mode="after")
    def _waits_as_paid(self) -> Self:
        """Take what goes through batch today as what can wait, where nobody says what can; it stays a default, not stated."""
        w, batch = self.workload, as_spread(self.incumbent.batch_share)
        if batch.value > 0 and "can_wait_share" not in w.model_fields_set:
            waits = batch.model_copy(update={"source": AS_PAID})
            taken = Workload.model_construct(set(w.model_fields_set), **{**dict(w), "can_wait_share": waits})
            object.__setattr__(self, "workload", taken)
        return self

    @property
    def cards(self) -> dict[str, int]:
        """How many of which card are owned; none where candidates.own_hardware is false, which leaves them out."""
        return {} if self.candidates.own_hardware is False else self.own_hardware.cards

    def with_stated(self, paths: Iterable[str]) -> Self:
        """The scenario, in which what was laid over the file at these paths is the user's own, be it what its template says."""
        self._stated = frozenset(paths if self.template else ())
        return self

    def with_bill_told(self, told: str | None) -> Self:
        """The scenario, in which `told` says that its bill is taken as of what was laid over a template's guess."""
        self._bill_told = told
        return self

    @property
    def bill_told(self) -> str | None:
        """What is to be said of a bill beside which a template's guess stood; else None."""
        return self._bill_told

    @property
    def stated(self) -> tuple[str, ...]:
        """Paths that were laid over a template's file."""
        return tuple(sorted(self._stated))

    def states(self, path: str) -> bool:
        """True where the field, or a part of it, or a block around it was laid over the file."""
        return any(f"{path}.".startswith(f"{each}.") or each.startswith(f"{path}.") for each in self._stated)


def model_part(name: str) -> str:
    """The model of provider/model; a plain name is itself."""
    return name.partition("/")[2] or name


def tuned(model: str, method: str) -> str:
    """The system that results from tuning a model."""
    return f"{model}+{method}"


def cascade(s: Scenario, first: str) -> str:
    """The system that a first model and the incumbent, to which it hands on, make together."""
    return f"{first} > {s.incumbent.model}"


SHORTER_PROMPT, LESS_REASONING = "shorter-prompt", "less-reasoning"
"""Methods of `tuned` that ask the incumbent's model for less in place of training it."""
BOTH_LEVERS = f"{SHORTER_PROMPT}+{LESS_REASONING}"


def known_systems(s: Scenario) -> list[str]:
    """Every system that the scenario's candidates can produce, the incumbent first."""
    c = s.candidates
    plain = [model_part(n) for n in (*c.api_models, *c.hosted_models, *c.cascade_first)] + [m.lower() for m in c.self_hosted]
    tunable = [*c.vendor_tuned, *c.hosted_adapters]
    adapters = [tuned(m.lower(), method) for m in c.self_hosted for method in c.methods]
    adapters += [tuned(model_part(n), "tuned") for n in tunable]
    return list(dict.fromkeys([s.incumbent.model, *plain, *adapters]))


def lever_systems(s: Scenario) -> list[str]:
    """The incumbent's model asked for less, in each way that the scenario names."""
    levers = ((SHORTER_PROMPT, s.candidates.shorter_prompt), (LESS_REASONING, s.candidates.less_reasoning))
    named = [name for name, lever in levers if lever is not None]
    return [tuned(s.incumbent.model, name) for name in (*named, *[BOTH_LEVERS] * (len(named) > 1))]


def escalating_systems(s: Scenario) -> list[str]:
    """Systems that hand requests to the incumbent: first models of cascades, and those under quality.escalated."""
    firsts = [*(model_part(name) for name in s.candidates.cascade_first), *s.quality.escalated]
    return [name for name in dict.fromkeys(firsts) if name != s.incumbent.model]


def strange_names(s: Scenario) -> list[tuple[str, str, list[str], str]]:
    """Every key under quality, tokens and apis that names no system or API of this scenario.

    The field, the name, what it may be, and what kind of name that is.
    """
    c, known, hand_on = s.candidates, known_systems(s), escalating_systems(s)
    scored = [*known, *lever_systems(s), *(cascade(s, first) for first in hand_on)]
    kind = "system (neither the incumbent nor a candidate)"
    apis = [f"{s.incumbent.provider}/{s.incumbent.model}", *c.api_models, *c.hosted_models, *c.cascade_first, *c.vendor_tuned,
            *c.hosted_adapters, *(tuned(name, "tuned") for name in (*c.vendor_tuned, *c.hosted_adapters))]
    given: tuple[tuple[str, Iterable[str], list[str], str], ...] = (
        ("quality.escalated", s.quality.escalated, known, kind),
        ("quality.scores", s.quality.scores, scored, kind),
        ("quality.kept_error_rate", s.quality.kept_error_rate, hand_on, "system that hands requests on"),
        ("quality.escalated_error_rate", s.quality.escalated_error_rate, hand_on, "system that hands requests on"),
        ("tokens", s.tokens, known, kind),
        ("apis", s.apis, apis, "API (neither the incumbent's nor a candidate's)"),
    )
    return [(field, name, allowed, what) for field, names, allowed, what in given for name in names if name not in allowed]
