"""Scenario blocks about what an option takes: training, evaluation, serving, platform, candidates."""

from typing import Annotated, Literal

from pydantic import Field

from roi.scenario.quantity import Headroom, Hours, Months, NonNegative, Positive, Section, Share, spread, unit

UsdPerMonth = Annotated[NonNegative, unit("USD/month")]


class Training(Section):
    """Training an adapter, and doing it again."""

    examples: Annotated[Positive, unit("examples")] = 5000.0
    """Training examples."""
    tokens_per_example: Annotated[Positive, unit("tokens")] | None = None
    """Tokens of one example; left out = the workload's mean input and output."""
    epochs: Annotated[Positive, unit("epochs")] = 3.0
    """Passes over the data."""
    runs_until_good: Annotated[Positive, unit("runs")] = spread(3.0, 1.5, 8.0, "one good run costs 1.5 to 3 and more tries")
    """Runs until one is good, the good one included."""
    rank: Annotated[int, Field(ge=1, le=4096)] = 16
    """LoRA rank, on all linear layers."""
    micro_batch: Annotated[int, Field(ge=1, le=1024)] = 1
    """Sequences in one forward pass."""
    checkpointing: bool = True
    """Gradient checkpointing."""
    longest_tokens: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    """Longest training sequence, which sets the peak memory; left out = four times the mean, at most the context."""
    retrain_every_months: Months | None = 12.0
    """Months between retrainings; null = never."""
    retrain_runs: Annotated[NonNegative, unit("runs")] = 2.0
    """Runs of one retraining."""
    retrain_hours: Hours = spread(40.0, 16.0, 80.0, "a week of one engineer")
    """Engineer hours of one retraining."""
    relabel_share: Annotated[Share, unit("share")] = 0.2
    """Share of the examples that is labelled afresh for a retraining."""
    labels_owned: bool = False
    """True where the training labels are already paid for."""
    labels_from: Literal["people", "incumbent"] = "people"
    """Who answers the training examples: people (bought at usd_per_label), or the incumbent's logged outputs (no extra cost,
    but its terms must allow it)."""


class Evaluation(Section):
    """Judging a model before it answers users."""

    labels: Annotated[NonNegative, unit("labels")] = 300.0
    """Examples of the evaluation set."""
    usd_per_label: Annotated[NonNegative, unit("USD/label")] = spread(0.5, 0.1, 3.0, "crowd label to expert label")
    """Cost of one label, for evaluation and training alike."""
    usd: Annotated[NonNegative, unit("USD")] = spread(100.0, 20.0, 500.0, "API and GPU time of one evaluation")
    """Cost of running one evaluation."""


WeightDtype = Literal["bf16", "fp8", "int8", "int4"]


class Serving(Section):
    """How a self-hosted model is served."""

    weight_dtypes: Annotated[tuple[WeightDtype, ...], Field(min_length=1)] = ("bf16", "fp8")
    """Weight formats to consider; the cheapest plan that keeps the SLO is taken."""
    kv_dtype: Literal["bf16", "fp8"] = "bf16"
    """Format of the KV cache."""
    engine: Literal["vllm", "tensorrt-llm", "sglang", "tgi", "lmdeploy", "other"] | None = None
    """Engine whose speed is taken: from profiles of it, else from published runs. None: from any profile, else vLLM's runs."""
    replicas_least: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Replicas at least, spares not counted."""
    spares: Annotated[int, Field(ge=0, le=1000)] = 1
    """Replicas beyond what the peak needs, so that one may fail."""
    headroom: Annotated[Headroom, unit("share")] = spread(
        0.2, 0.05, 0.4, "deploys, uneven routing; queueing is in the SLO already"
    )
    """Share of a replica's capacity at the SLO that is left free at the peak."""
    autoscale: bool = False
    """Follow the hourly load instead of the peak."""
    autoscale_floor: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Fewest replicas at any hour."""
    startup_hours: Annotated[float, Field(ge=0, le=24, allow_inf_nan=False)] = 0.25
    """Time from asking for an instance until it serves."""
    adapters: Literal["merged", "shared"] = "merged"
    """merged: one adapter folded into the base; shared: adapters applied at run time on one base."""
    adapters_on_base: Annotated[int, Field(ge=1, le=10_000)] = 1
    """shared: how many adapters share the base; this workload pays one share of the fleet."""
    tensor_parallel: Annotated[tuple[Literal[1, 2, 4, 8], ...], Field(min_length=1)] = (1, 2, 4, 8)
    """Tensor-parallel degrees to consider."""


class Platform(Section):
    """USD a month that serving one's own model costs besides GPUs."""

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


class Candidates(Section):
    """What to compare with."""

    api_models: tuple[str, ...] = ()
    """Cheaper API models, provider/model."""
    hosted_models: tuple[str, ...] = ()
    """Open models that others host, provider/model."""
    cascade_first: tuple[str, ...] = ()
    """First models of a cascade, provider/model."""
    vendor_tuned: tuple[str, ...] = ()
    """Closed models that their vendor fine-tunes, vendor/model."""
    hosted_adapters: tuple[str, ...] = ()
    """Open models that a vendor tunes or hosts with your adapter, vendor/model."""
    self_hosted: tuple[str, ...] = ()
    """Open models to serve, by catalog name."""
    methods: tuple[Literal["lora", "qlora", "dora", "full"], ...] = ("lora",)
    """How to tune them."""
    base: bool = True
    """Also consider self-hosted models without training."""
    hybrid: bool = True
    """Also consider a self-hosted floor that spills to the API."""
    own_hardware: bool = False
    """Also consider buying the GPUs."""
    gpus: tuple[str, ...] = ()
    """GPUs to consider; empty = all that vendors rent."""
    vendors: tuple[str, ...] = ()
    """GPU vendors to consider; empty = all."""
    spot: bool = False
    """Consider spot instances where everything can wait."""
    reserved: bool = True
    """Consider reserved instances with a commitment."""
