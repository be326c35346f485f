"""Facts from which fields of `inputs` without a place are worked out, as `reading` says."""

from dataclasses import dataclass
from typing import Annotated, Final

from roi.economics.case_paths import At
from roi.economics.inputs import HOURS_FACTOR, Number
from roi.units import HOURS_PER_DAY

PLATFORM: Final = ("total", "load_balancer", "logs", "staging", "storage", "egress", "monitoring")
"""Facts behind `Option.platform_usd`: what stands around servers, or its stated total."""


@dataclass(frozen=True, kw_only=True)
class BillFacts:
    """Behind `Shared.volume_factor` and `price_factor`."""

    factor: Annotated[Number, At("reconciliation.factor")]
    """The real bill over the estimate."""
    volume_share: Annotated[Number, At("reconciliation.volume_share")]
    """The part of that gap that is volume, the rest being price."""


@dataclass(frozen=True, kw_only=True)
class OptionFacts:
    """Behind `Option.platform_usd`, `hardware`, `tokens`, `evaluated`, `is_successor`, `months_to_live`, and two of `Api`.

    Those are `batch_share` and `tier`.
    """

    platform: Annotated[bool, At("options.{option}.platform")]
    """True where the user runs the servers, and pays for what stands around them."""
    owned: Annotated[bool, At("options.{option}.owned")]
    """True where the GPUs are bought."""
    batch_share: Annotated[Number | None, At("options.{option}.batch_share", "apis.{vendor}.batch_share")]
    """The option's own; None: what goes through batch today, or can wait, goes through batch here too, if it promises to be in
    time."""
    batched_today: Annotated[Number, At("options.stay.batch_share")]
    batch_hours: Annotated[float, At("apis.{vendor}.batch_hours", absent=HOURS_PER_DAY)]
    """Hours within which the vendor's batch tier promises an answer."""
    tested: Annotated[bool | None, At("options.{option}.evaluated")]
    """Whether an option that hands requests on was evaluated as such; None: as its system was."""
    items: Annotated[int | None, At("options.{option}.items")]
    """Items on which what it keeps and what it hands on was judged; None: as its system was, or nobody said."""
    batch_as_today: Annotated[bool, At("options.{option}.batch_as_today")]
    """True where as much goes through batch as at the incumbent today."""
    base: Annotated[str | None, At("options.{option}.base")]
    """The system whose tokens hold where its own has no such fact."""
    in_time: Annotated[bool, At("changes.{group}.in_time", absent=False)]
    """True where a change of this kind is made by the day on which today's model ends: nobody said how long it takes."""
    suggested: Annotated[str | None, At("vendors.{today}.successor")]
    """What the vendor of today's model suggests in its place."""
    tier_today: Annotated[Number, At("vendors.{vendor}.tier_price_ratio", absent=1.0)]
    """Price outside batch over the standard one, in the tiers that today's calls go through but for a flexible one."""
    flexible_today: Annotated[Number, At("vendors.{vendor}.flexible.share", absent=0.0)]
    """Share of today's calls outside batch that is in a flexible tier, and its price over the standard one."""
    flexible_ratio: Annotated[Number, At("vendors.{vendor}.flexible.price_ratio", absent=1.0)]
    tier_share: Annotated[Number, At("options.{option}.flexible.share", absent=0.0)]
    tier_price_ratio: Annotated[Number, At("options.{option}.flexible.price_ratio", absent=1.0)]


@dataclass(frozen=True, kw_only=True)
class ErrorRate:
    """Behind `Option.error_rate`, `evaluated`, `items`: share of wrong answers of a system, at its score and the ends of it."""

    central: Annotated[Number, At("systems.{system}.error_rate")]
    low: Annotated[Number | None, At("systems.{system}.error_rate_low")]
    high: Annotated[Number | None, At("systems.{system}.error_rate_high")]
    noise: Annotated[Number, At("quality.evaluation_noise.{system}", "quality.evaluation_noise", absent=0.0)]
    """Luck of the evaluation: -1 puts the score at its low, +1 at its high."""
    evaluated: Annotated[bool, At("systems.{system}.evaluated")]
    items: Annotated[int | None, At("systems.{system}.items")]
    """Items on which the system was evaluated; None where nobody said."""
    labelled: Annotated[int, At("systems.{system}.labelled_items", absent=0)]
    """Items of the incumbent's evaluation that it was not judged on: their labels exist."""
    with_today: Annotated[float | None, At("systems.{system}.items_correlation")]
    """Where only some items pair: correlation of its score and the incumbent's on these."""
    measured: Annotated[Number | None, At("systems.{system}.measured_error_rate")]
    """Share that was counted as wrong, where `central` is the mean of what the count leaves."""
    right_where_right: Annotated[Number | None, At("systems.{system}.right_where_right")]
    """Share that it gets right of what the incumbent gets right, where both were evaluated on the same items."""
    right_where_wrong: Annotated[Number | None, At("systems.{system}.right_where_wrong")]
    """Share that it gets right of what the incumbent gets wrong, where both were evaluated on the same items."""
    same_as: Annotated[str | None, At("systems.{system}.error_rate_as")]
    """The system with the same weights, at another host, whose rate it has; None where it has a rate of its own."""
    ratio: Annotated[Number, At("systems.{system}.error_rate_ratio", absent=1.0)]
    """Error rate over that of `same_as`: hosts pack and serve the weights in ways of their own."""


@dataclass(frozen=True, kw_only=True)
class PlanFacts:
    """Behind `Plan.capacity`, `pooling` and USD a GPU: rates at three speeds of the engine, and prices."""

    price: Annotated[str | None, At("options.{option}.plans.{plan}.price")]
    """Path of the purchase price of one GPU, of what one that is owned would fetch; None where it is rented."""
    replacement: Annotated[str | None, At("options.{option}.plans.{plan}.replacement")]
    """Path of what a new one costs, where one that is owned wears out within the horizon."""
    central_requests_per_s: Annotated[Number, At("options.{option}.plans.{plan}.capacity_requests_per_s")]
    slow_requests_per_s: Annotated[Number, At("options.{option}.plans.{plan}.capacity_slow_requests_per_s")]
    fast_requests_per_s: Annotated[Number, At("options.{option}.plans.{plan}.capacity_fast_requests_per_s")]
    central_pooling: Annotated[Number, At("options.{option}.plans.{plan}.pooling", absent=1.0)]
    slow_pooling: Annotated[Number, At("options.{option}.plans.{plan}.pooling_slow", absent=1.0)]
    fast_pooling: Annotated[Number, At("options.{option}.plans.{plan}.pooling_fast", absent=1.0)]


@dataclass(frozen=True, kw_only=True)
class TrainingFacts:
    """Behind `Training.gpu_hours`, `vendor_usd` and both counts of labels: hours and vendor prices scale with the examples."""

    gpu_hours: Annotated[Number, At("options.{option}.training.gpu_hours_per_run")]
    """GPU-hours of one run on the examples that were costed, at the central speed."""
    hours_factor: Annotated[Number, At("training.hours_factor.{method}", HOURS_FACTOR)]
    """How far the hours may be off: of this method, or where the hours are stated of all."""
    vendor_usd: Annotated[Number, At("options.{option}.training.vendor_usd_per_run")]
    examples: Annotated[Number, At("training.examples")]
    examples_costed: Annotated[Number, At("training.examples_costed")]
    labels_bought_share: Annotated[Number, At("training.labels_bought_share")]
    fresh_bought_share: Annotated[Number, At("training.fresh_labels_bought_share", "training.labels_bought_share")]
    """Of the labels of a retraining: those that are owned today are not fresh then."""
