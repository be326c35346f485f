"""Scenario blocks about what an option takes: engineers and time, training, serving, GPUs, prices, candidates."""

from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from roi.facts.methods import AnyMethod, Other
from roi.scenario.quantity import (
    AtLeastOne,
    Fraction,
    Headroom,
    Hours,
    Months,
    Name,
    Names,
    NonNegative,
    PerYear,
    Positive,
    Section,
    once,
    spread,
    unit,
    whole,
    whole_part_of_a_day,
    zero_alone,
)
from roi.scenario.sections.apis import FlexibleTier, LessReasoning, ProvisionedThroughput, ShorterPrompt


class ByKind(Section):
    """One quantity for each kind of change; the blocks below give each its default."""

    cache_batch: Months
    """Switching caching and batch on at the same API."""
    api: Months
    """Another API model, hosted open models included."""
    cascade: Months
    """A cheap model first, the incumbent for what it escalates."""
    vendor_tuned: Months
    """A vendor's fine-tuned model, hosted adapters included."""
    self_hosted: Months
    """Serving an open model as it is."""
    self_hosted_adapter: Months
    """Training an adapter and serving it; hybrids included."""
    own_hardware: Months
    """Serving on GPUs bought for it. On cards that are there already (own_hardware.cards): self_hosted, self_hosted_adapter."""


KINDS_OF_CHANGE = tuple(ByKind.model_fields)


class SetupHours(ByKind):
    """Engineer hours until live, by kind: porting, prompts, evaluation, deployment."""

    cache_batch: Hours = spread(16.0, 6.0, 40.0, "two days: prompt order, batch endpoint")
    api: Hours = spread(40.0, 16.0, 100.0, "a week: prompts, evaluation, roll-out")
    cascade: Hours = spread(80.0, 32.0, 200.0, "two weeks: confidence rule besides")
    vendor_tuned: Hours = spread(80.0, 40.0, 240.0, "two weeks: data, jobs, evaluation")
    self_hosted: Hours = spread(120.0, 60.0, 320.0, "three weeks: deployment, load test, monitoring")
    self_hosted_adapter: Hours = spread(200.0, 80.0, 480.0, "five weeks: data cleaning takes most of it")
    own_hardware: Hours = spread(320.0, 160.0, 800.0, "two months: purchase, racking, and the above")


class RunHours(ByKind):
    """Engineer hours a month once live, by kind: on-call, upgrades, incidents."""

    cache_batch: Hours = 0.0
    api: Hours = 0.0
    cascade: Hours = spread(4.0, 1.0, 10.0, "watching the escalation rate")
    vendor_tuned: Hours = spread(4.0, 1.0, 10.0, "watching drift")
    self_hosted: Hours = spread(30.0, 10.0, 80.0, "0.1 to 0.5 FTE (published thresholds), low end for one model")
    self_hosted_adapter: Hours = spread(35.0, 10.0, 80.0, "0.1 to 0.5 FTE (published thresholds), low end for one model")
    own_hardware: Hours = spread(50.0, 20.0, 120.0, "besides the above, hands in the data centre")


class MonthsToLive(ByKind):
    """Months until the option answers users, by kind."""

    cache_batch: Months = spread(0.5, 0.25, 1.0, "one release")
    api: Months = spread(1.0, 0.5, 2.0, "evaluation and roll-out")
    """Another API model, hosted open models included; left out, it is live at the latest when today's model ends."""
    cascade: Months = spread(1.5, 0.75, 3.0, "evaluation and roll-out")
    vendor_tuned: Months = spread(2.0, 1.0, 4.0, "data, training, evaluation, roll-out")
    self_hosted: Months = spread(2.0, 1.0, 4.0, "deployment, load test, roll-out")
    self_hosted_adapter: Months = spread(3.0, 1.5, 6.0, "data, training, deployment, roll-out")
    own_hardware: Months = spread(5.0, 3.0, 9.0, "lead time of servers")


class People(Section):
    """Engineers: hours and what an hour costs."""

    usd_per_hour: Annotated[Positive, unit("USD/hour")] = spread(100.0, 70.0, 150.0, "USD 150k to 250k a year, fully loaded")
    """Fully loaded cost of an engineer hour; hours that are paid anyway are people.existing_hours_per_month."""
    wage_growth_per_year: PerYear = 0.03
    """Wage inflation, effective annual."""
    setup_hours: SetupHours = SetupHours()
    """Hours until live."""
    run_hours_per_month: RunHours = RunHours()
    """Engineer hours a month once live, by kind: on-call, upgrades, incidents."""
    migration_hours: Hours = spread(40.0, 16.0, 100.0, "a week: prompts, evaluation, roll-out")
    """Hours of one forced migration to a vendor's successor model."""
    existing_hours_per_month: Hours = 0.0
    """Hours a month of people who are paid anyway and whose other work does not suffer: they cost no cash; what an option needs
    beyond them does. Until live they go to set-up, then to on-call; retraining and migrations take what is left of a month."""
    existing_hours_on_call_only: bool = False
    """True where these hours are there for on-call and operation alone: set-up, retraining and migrations pay for theirs."""


class Timing(Section):
    """How long a change takes."""

    months_to_live: MonthsToLive = MonthsToLive()
    """Months until live, by kind; the incumbent is paid until then."""
    months_in_parallel: Months = 0.5
    """Months in which both are paid, for every change of model."""


UsdPerMonth = Annotated[NonNegative, unit("USD/month")]


class Training(Section):
    """Training an adapter, and doing it again."""

    examples: Annotated[Positive, AfterValidator(whole), unit("examples")] = 5000.0
    """Training examples."""
    tokens_per_example: Annotated[Positive, unit("tokens")] | None = None
    """Tokens of one example; left out = the workload's mean input and output."""
    epochs: Annotated[Positive, unit("epochs")] = 3.0
    """Passes over the data."""
    runs_until_good: Annotated[AtLeastOne, unit("runs")] = spread(3.0, 1.5, 8.0, "one good run costs 1.5 to 3 and more tries")
    """Runs until one is good, the good one included."""
    rank: Annotated[int, Field(ge=1, le=4096)] = 16
    """LoRA rank, on all linear layers."""
    micro_batch: Annotated[int, Field(ge=1, le=1024)] = 1
    """Sequences in one forward pass."""
    checkpointing: bool = True
    """Gradient checkpointing."""
    longest_tokens: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    """Longest training sequence, which sets the peak memory; left out = four times the mean, at most twice the
    largest cell of workload.lengths and the context, and no longer than what fits on one GPU, or on several that are owned."""
    gpu: Name | None = None
    """Card that trains; left out = the one on which a run is cheapest among those that it fits on."""
    gpu_hours: Annotated[Positive, unit("GPU-hours")] | None = None
    """GPU-hours of one run, of every adapter; left out = estimated. With `gpu` stated too, no memory is checked."""
    usd_per_gpu_hour: Annotated[NonNegative, unit("USD/GPU-hour")] | None = None
    """What a GPU-hour of training costs, on whatever card, cards that are owned included; left out = the cheapest card that a
    run fits on. Needs gpu_hours."""
    retrain_every_months: Annotated[Positive, unit("months")] | None = 12.0
    """Months between retrainings; null = never."""
    retrain_runs: Annotated[NonNegative, unit("runs")] = 2.0
    """Runs of one retraining."""
    retrain_hours: Hours = spread(40.0, 16.0, 80.0, "a week of one engineer")
    """Engineer hours of one retraining."""
    relabel_share: Fraction = 0.2
    """Share of the examples that is labelled afresh for a retraining."""
    retrain_evaluates: bool = True
    """True where each retraining buys an evaluation, its labels included, before it answers users."""
    adapters: Annotated[int, Field(ge=1, le=10_000)] = 1
    """How many adapters this workload itself needs, say one for each of its customers: each is trained on as many `examples`,
    its labels and evaluation bought, and trained again; together they answer its requests, applied on one base
    (serving.adapters: shared). At a vendor as many tuned models, each with its fee of hosting."""
    further_adapter_hours: Hours = spread(4.0, 1.0, 16.0, "half a day where a pipeline trains and evaluates them: its data")
    """Engineer hours of each adapter beyond the first, until live and at a retraining; the first takes people.setup_hours and
    retrain_hours. With adapters: 1 it does nothing."""
    labels_owned: bool = False
    """True where the training labels are already paid for; what a retraining labels afresh (relabel_share) is bought."""
    labels_from: Literal["people", "incumbent"] = "people"
    """Who answers the training examples: people (usd_per_label), or the incumbent's logged outputs (free; terms must allow)."""

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if self.usd_per_gpu_hour is not None and self.gpu_hours is None:
            raise ValueError("usd_per_gpu_hour needs gpu_hours")
        return self


class StatedCapacity(Section):
    """Requests/s of one replica that you measured or vouch for: nothing is replayed, and the SLO is not checked."""

    model: Name
    """What the replica serves: a model of candidates.self_hosted, or model+method for its adapter alone."""
    gpu: Name
    """Card, by its name in the catalog."""
    gpus: Annotated[int, Field(ge=1, le=64)] = 1
    """Cards of one replica."""
    requests_per_s: Annotated[Positive, unit("requests/s")]
    """What one replica alone holds at the SLO."""
    pooling: Annotated[float, Field(ge=1, le=4, allow_inf_nan=False)] = 1.0
    """What each of four replicas behind a router holds over one alone; 1 = no gain."""


class GpuRent(Section):
    """What you pay for a GPU: it stands in for every row that the catalog has of this card at this vendor."""

    gpu: Name
    """Card, by its name in the catalog."""
    vendor: Name
    """Who rents it to you; the catalog need not know them."""
    usd_per_gpu_hour: Annotated[Positive, unit("USD/GPU-hour")]
    """USD for one GPU and hour that an instance exists."""
    gpus_per_instance: Annotated[int, Field(ge=1, le=64)] = 1
    """GPUs come in instances of this size."""
    minimum_months: Annotated[int, Field(ge=0, le=120)] = 0
    """Commitment: rent is paid for at least this long."""
    later_gpus_bound: bool = True
    """False where it binds the GPUs of go-live alone, and GPUs that are added later come by the month at the same rate."""
    cancel_usd: Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)] | None = None
    """USD for each GPU that end the commitment early; left out = it cannot be ended and is paid to its end."""


class Serving(Section):
    """How a self-hosted model is served."""

    weight_dtypes: Annotated[
        tuple[Literal["bf16", "fp16", "fp8", "int8", "int4", "mxfp4", "nvfp4", "f16", "q8_0", "q6_k", "q5_k_m", "q4_k_m",
                      "q4_0"], ...], Field(min_length=1), AfterValidator(once),
    ] | None = None
    """Weight formats to consider; the cheapest plan that keeps the SLO is taken. None: the publisher's own where a model is
    published in 4 bit (gpt-oss: mxfp4) or its name says how it is packed (-AWQ, -GPTQ-Int4, -FP8, -quantized.w4a16, -NVFP4)
    and card and engine run it, else bf16; all other models bf16 and fp8. fp16 is for V100 and T4. int4 is GPTQ or AWQ by
    Marlin's kernels, not NF4, of unknown speed. f16 and q8_0 to q4_0: GGUF files, of llama.cpp and ollama; None: those two."""
    kv_dtype: Literal["bf16", "fp8"] = "bf16"
    """Format of the KV cache."""
    engine: Literal["vllm", "tensorrt-llm", "sglang", "tgi", "lmdeploy", "llama.cpp", "ollama", "other"] | None = None
    """Engine whose speed is taken: from profiles of it, else from published runs. None: from any profile, else vLLM's runs.
    None is llama.cpp on Apple's GPUs. llama.cpp and ollama serve with four slots, one GPU a replica, and merged adapters."""
    prefix_hit_rate: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False), unit("share")] | None = None
    """Share of requests that find the shared prefix in the cache of servers of your own; left out = workload.cache_hit_rate. A
    prefix that all have is computed once a replica, so that almost every call finds it: near 1. Of conversations
    (shared_prefix_tokens is the longest prompt) it is the part whose history is still held, on the replica that is asked."""
    replicas_least: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Replicas at least, spares not counted."""
    spares: Annotated[int, Field(ge=0, le=1000)] = 1
    """Replicas beyond what the peak needs, so that one may fail; left out = 0 where all can wait (can_wait_share: 1)."""
    headroom: Headroom = spread(0.2, 0.05, 0.4, "deploys, uneven routing; queueing is in the SLO already")
    """Share of a replica's capacity at the SLO that is left free at the peak."""
    autoscale: bool = False
    """Follow the hourly load instead of the peak."""
    autoscale_floor: Annotated[int, Field(ge=0, le=10_000)] = 1
    """Fewest replicas at any hour, with autoscale: true; without it, it does nothing. 0, where all requests can wait
    (can_wait_share: 1): GPUs are rented for the hours that the day's requests take, and one start; else, where hours have no
    calls (a 0 in workload.hourly_weights): none is rented in those."""
    startup_hours: Annotated[float, Field(ge=0, le=24, allow_inf_nan=False)] = 0.25
    """Time from asking for an instance until it serves."""
    billing_hours: Annotated[float, Field(ge=0, le=24, allow_inf_nan=False), AfterValidator(whole_part_of_a_day)] = 0.0
    """With autoscale: true, the steps in which rent is billed from each start on: 1 where each started hour is paid, 24 each
    started day; 0 by the second. Above 1 a whole part of a day (2, 3, 4, 6, 8, 12, 24). Up to 1 it counts for GPUs that exist
    for the work alone (autoscale_floor: 0); a fleet that follows the hours pays whole ones anyway."""
    adapters: Literal["merged", "shared"] = "merged"
    """merged: one adapter folded into the base; shared: adapters applied at run time on one base."""
    adapters_on_base: Annotated[int, Field(ge=1, le=10_000)] = 1
    """shared: how many workloads like this one share the fleet, this one among them, each with as much load, its peak in the
    same minutes. The fleet holds all of them; this workload pays one part of GPUs, platform and the hours of serving, and all
    of its training, labels and evaluation. 1 where the adapters are all this workload's own (training.adapters)."""
    adapter_slots: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """shared: how many adapters a card holds at once, beside the weights (vLLM's --max-loras, SGLang's --max-loras-per-batch);
    the others wait in the host's memory, and requests for them for a slot, where all are asked alike. Left out = one for each
    sequence that fits beside them, at most one for each adapter."""
    tensor_parallel: Annotated[tuple[Literal[1, 2, 4, 8], ...], Field(min_length=1), AfterValidator(once)] = (1, 2, 4, 8)
    """Tensor-parallel degrees to consider."""
    capacities: tuple[StatedCapacity, ...] = ()
    """What a replica holds at the SLO where you know it; such a card is then considered with these replicas alone."""
    lets_wait: bool = True
    """False where servers of your own answer at once what could wait (can_wait_share): they then hold the whole peak."""
    spill_share: Fraction | None = None
    """Share of requests that a hybrid spills to the API; left out = what the load curve has above the floor."""

    @model_validator(mode="after")
    def _shared_by_several(self) -> Self:
        if self.adapters_on_base > 1 and self.adapters == "merged":
            raise ValueError(f"adapters_on_base: {self.adapters_on_base} needs adapters: shared; a merged adapter is a model of"
                             " its own, which no other workload can use")
        if self.adapter_slots is not None and self.adapters == "merged":
            raise ValueError(f"adapter_slots: {self.adapter_slots} needs adapters: shared; a merged adapter takes no slot")
        return self


class Platform(Section):
    """USD a month that serving one's own model costs besides GPUs."""

    total: UsdPerMonth | None = None
    """All of it, where only the sum is known: the parts below then count nothing."""
    load_balancer: UsdPerMonth = spread(25.0, 15.0, 60.0, "one managed balancer")
    """A managed load balancer."""
    logs: UsdPerMonth = spread(50.0, 10.0, 250.0, "by volume kept")
    """Keeping request logs."""
    staging: UsdPerMonth = spread(100.0, 20.0, 500.0, "a small instance some hours a month")
    """A staging deployment."""
    storage: UsdPerMonth = spread(20.0, 5.0, 60.0, "weights, adapters, images")
    """Weights, adapters and images."""
    egress: UsdPerMonth = spread(10.0, 1.0, 100.0, "text is small")
    """Network traffic out."""
    monitoring: UsdPerMonth = spread(50.0, 15.0, 200.0, "metrics, alerts")
    """Metrics and alerts."""


UsdPerGpu = Annotated[NonNegative, unit("USD")]
Watts = Annotated[float, Field(gt=0, le=1e5, allow_inf_nan=False, json_schema_extra={"unit": "W"})]
ByCard = Annotated[
    Annotated[UsdPerGpu, Tag("figure")] | Annotated[dict[Name, UsdPerGpu], Tag("by card")],
    Discriminator(lambda given: "by card" if isinstance(given, dict) and "value" not in given else "figure"),
]
"""One figure for all cards, or one for each."""


class OwnHardware(Section):
    """Terms of buying GPUs, and cards that are owned already."""

    cards: dict[Name, Annotated[int, Field(ge=1, le=100_000)]] = Field(default_factory=dict)
    """How many of which card you own. They are not bought and wait for no delivery; what would be got for selling those that
    are used is their cost. Where cards are owned, no others are bought."""
    resale_usd_per_gpu: ByCard | None = None
    """What one of the `cards` would fetch today, server share included: one figure, or one for each card; left out = the
    catalog's purchase price, less what a card loses in two years."""
    purchase_usd_per_gpu: ByCard | None = None
    """What one card costs new, where it is bought; left out = the catalog's price. host_usd_per_gpu comes on top, unless it
    takes the place of one of the `cards` that wears out within the horizon, in the server that stands."""
    watts_per_gpu: Watts | dict[Name, Watts] | None = None
    """Power of one card with its share of the server, one figure or one for each card; left out = the card's board limit."""
    as_a_whole: bool = False
    """True where the cards come and go together: all that the horizon needs are bought in month 0; of cards that are owned all
    are kept, needed or not; all of them draw power from go-live on."""
    host_usd_per_gpu: Annotated[NonNegative, unit("USD")] = spread(
        3500.0, 1500.0, 12000.0, "8-GPU node at 300 to 350k less its cards: 2 to 12k a GPU; small hosts 1.5 to 3k"
    )
    """Chassis, CPU, memory, network for one GPU, where the price of the GPU is the card's alone."""
    install_share: Fraction = spread(0.15, 0.05, 0.3, "racks, network, shipping over GPU price")
    """Installation over purchase price."""
    pue: Annotated[AtLeastOne, unit("ratio")] = spread(1.4, 1.15, 1.6, "vendors 1.1 to 1.2, industry mean 1.55 to 1.58")
    """Power usage effectiveness."""
    usd_per_kwh: Annotated[NonNegative, AfterValidator(zero_alone), unit("USD/kWh")] = 0.0
    """Electricity on your own premises (USD 0.06 to 0.20); 0 = colocation, whose price per kW includes it."""
    power_share: Fraction = spread(0.7, 0.4, 1.0, "mean draw over board limit; idle cards draw a fifth")
    """Mean power draw over the board limit."""
    colocation_usd_per_kw_month: Annotated[NonNegative, unit("USD/kW/month")] = spread(
        180.0, 150.0, 250.0, "USD 150 to 250, power included"
    )
    """Space and power, per kW of board power; 0 where usd_per_kwh is stated and this is not."""
    spare_share: Fraction = 0.0
    """Spare GPUs in the cupboard over those in use."""
    life_months: Annotated[int, Field(ge=6, le=240)] = 48
    """Months until a GPU is replaced, by a new one; those of the `cards` count from today."""
    value_kept_per_year: Fraction = spread(0.65, 0.5, 0.8, "20 to 40% left after 36 months, newer cards more")
    """Resale value kept from year to year."""
    gpus_per_server: Annotated[int, Field(ge=1, le=16)] = 8
    """GPUs are bought in servers of this size, or smaller where the fleet is smaller than one; of cards that are owned as many
    serve or train together at most."""


def _of_peft(method: object) -> object:
    """What a file holds; ValueError where it is a method that `roi fit` alone knows."""
    if method in get_args(Other):
        raise ValueError("`roi fit` alone knows it, peft does not train it")
    return method


class Candidates(Section):
    """What to compare with."""

    api_models: Names = ()
    """Cheaper API models, provider/model."""
    hosted_models: Names = ()
    """Open models that others host, provider/model."""
    cascade_first: Names = ()
    """First models of a cascade, provider/model."""
    vendor_tuned: Names = ()
    """Closed models that their vendor fine-tunes, vendor/model."""
    hosted_adapters: Names = ()
    """Open models that a vendor tunes or hosts with your adapter, vendor/model."""
    shorter_prompt: ShorterPrompt | None = None
    """Today's model with fewer instruction tokens; null = no such option."""
    less_reasoning: LessReasoning | None = None
    """Today's model with less output or reasoning; null = no such option."""
    flexible_tier: FlexibleTier | None = None
    """A slower, cheaper tier of today's model; null = no such option."""
    provisioned_throughput: ProvisionedThroughput | None = None
    """Units of throughput of today's model at a monthly fee; null = no such option."""
    self_hosted: Names = ()
    """Open models to serve, by catalog name."""
    methods: Annotated[tuple[Annotated[AnyMethod, BeforeValidator(_of_peft)], ...], AfterValidator(once)] = ("lora",)
    """How to tune them: full, LoRA and its kin, or another of peft's tuners; training.rank is the size that it has instead."""
    base: bool = True
    """Also consider self-hosted models without training."""
    hybrid: bool = True
    """Also consider a self-hosted floor that spills to the API."""
    by_length: bool = True
    """Requests that are too long for a candidate go to an API that takes them; false = it must take all of them."""
    own_hardware: bool | None = None
    """Also consider buying the GPUs, where none are owned; false leaves own_hardware.cards out, which else are considered."""
    rented: bool = True
    """Also consider renting the GPUs that serve; false where they may only be bought, or are there. An adapter for cards that
    are bought is trained on a rented one all the same, for some hours."""
    gpus: Names = ()
    """GPUs to consider; empty = all that vendors rent."""
    vendors: Names = ()
    """GPU vendors to consider, an index of rents among them; empty = all, but no index, which nobody can order."""
    spot: bool = False
    """Consider spot instances where everything can wait, for a day; what an interruption costs is not counted."""
    reserved: bool = True
    """Consider reserved instances with a commitment."""
