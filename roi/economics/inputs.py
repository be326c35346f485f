"""What the economics reads: the flat values of a Case, grouped into frozen records.

A number is a float, or an array of shape (n, 1) with one row a draw (or one row a volume). Months are the last axis, so a
monthly quantity is (H,) or (n, H). A field's `At` says where its value stands in the Case; `reading` fills the records from
there, and `resolution` writes to the same places (`path_of`). A field without one is worked out from several facts.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import cache, reduce
from math import inf
from typing import Annotated, Any, Final, TypeVar

import numpy as np

from roi.economics import case_paths
from roi.economics.cached_lengths import CachedLengths
from roi.economics.case_paths import At, own
from roi.economics.option_kinds import KEEPS_MODEL, LEVERS, SELF_HOSTED
from roi.economics.paid_units import Provisioned
from roi.economics.price_list import Api
from roi.units import HOURS_PER_DAY

Array = case_paths.Array
Number = case_paths.Number
T = TypeVar("T")

HOURS_FACTOR: Final = "training.hours_factor"
"""Where stated hours of a run say how far they may be off: for all methods at once."""


def path_of(record: type, name: str, **names: object) -> str:
    """The path in the Case of the record's field `name`, for the option, plan, system ... that `names` say."""
    return places(record)[name].paths[0].format_map(names)


@cache
def places(record: type) -> dict[str, At]:
    """The place of each field of the record that has one."""
    return {each.name: at for each in fields(record) for at in getattr(each.type, "__metadata__", ())}


@dataclass(frozen=True, kw_only=True)
class Shared:
    """What all options share: one draw of each serves them all (common random numbers)."""

    horizon: Annotated[int, At("horizon_months")]
    discount_rate: Annotated[float, At("discount_rate_per_year")]
    requests_per_day: Annotated[Number, At("workload.requests_per_day")]
    growth: Annotated[Number, At("workload.growth_per_year")]
    steps: tuple[tuple[Number, Number], ...] = ()
    """Months from which the volume is changed for good, and by how many times."""
    volume_factor: Number
    """Real over estimated requests, as the bill says."""
    price_factor: Number
    """Real over list price, as the bill says."""
    may_stay: Annotated[bool, At("incumbent.may_stay", absent=True)] = True
    """False where going on with today's model is not allowed, and never advised."""
    can_wait: Annotated[Number, At("workload.can_wait_share")]
    waits_hours: Annotated[float, At("workload.waits_hours", absent=HOURS_PER_DAY)] = HOURS_PER_DAY
    """Hours within which what can wait must be answered."""
    input_tokens: Annotated[Array, At("workload.input_tokens")]
    output_tokens: Annotated[Array, At("workload.output_tokens")]
    weights: Annotated[Array, At("workload.weights")]
    cached: CachedLengths | None = None
    """What the lengths say of a cache; None: the shared prefix is that of all."""
    prefix_tokens: Annotated[Number, At("workload.shared_prefix_tokens")]
    hit_rate: Annotated[Number, At("workload.cache_hit_rate")]
    escalated_hit_rate: Annotated[Number, At("workload.escalated_cache_hit_rate", "workload.cache_hit_rate")]
    peak_to_mean: Annotated[Number, At("workload.peak_to_mean")]
    load_curve: Annotated[Array, At("workload.load_curve")]
    usd_per_error: Annotated[Number, At("quality.usd_per_error")]
    counts: str = "errors"
    """What the verdict, and the size of a hybrid's floor, goes by: with wrong answers (errors), or without (cash)."""
    quality_bar: Annotated[float, At("quality.bar")]
    min_items: Annotated[float, At("verdict.min_items", absent=0.0)] = 0.0
    """Items on which a score counts as tested."""
    min_chance: Annotated[float, At("verdict.min_chance", absent=0.6)] = 0.6
    min_chance_reversible: Annotated[float, At("verdict.min_chance_reversible", absent=0.6)] = 0.6
    """Shares of the draws in which what trains, buys or commits, and what a configuration undoes within a month, must win."""
    evaluation_months: Annotated[Number, At("evaluation.months", absent=0.25)] = 0.25
    """Months that one evaluation takes, from the decision to its result."""
    judge_usd: Annotated[Number, At("quality.judge_usd_per_request", absent=0.0)] = 0.0
    """What judging one request of an option that escalates costs, USD: the judge decides whether its own answer is kept."""
    usd_per_hour: Annotated[Number, At("people.usd_per_hour")]
    wage_growth: Annotated[Number, At("people.wage_growth_per_year")]
    existing_hours: Annotated[Number, At("people.existing_hours_per_month", absent=0.0)] = 0.0
    """Engineer hours a month that are paid anyway."""
    existing_on_call_only: Annotated[bool, At("people.existing_hours_on_call_only")] = False
    """True where they are there for on-call and operation alone."""
    rent_drift: Annotated[Number, At("drift.gpu_rent_per_year")]
    rent_spread: tuple[float, float] = (0.0, 0.0)
    """How far the triangle of log(1 + drift) reaches below and above its mode."""
    successor_price_ratio: Annotated[Number, At("drift.successor_price_ratio")]
    """Price of the first successor of every vendor model over the list that the model which ended would then have."""
    later_price_ratios: tuple[Number, ...] = ()
    """Such price ratios of the second, third, ... successor; the last that is known repeats."""
    successor_error_ratio: Annotated[Number, At("drift.successor_error_ratio")]
    migration_hours: Annotated[Number, At("migration.hours")]
    evaluation_usd: Annotated[Number, At("evaluation.usd")]
    """What judging a vendor's successor costs, USD; an option's own evaluation may differ."""
    evaluation_labels: Annotated[Number, At("evaluation.labels")]
    usd_per_label: Annotated[Number, At("evaluation.usd_per_label")]
    commitment_usd: Annotated[Number, At("commitment.usd_per_month")]
    commitment_months: Annotated[Number, At("commitment.months")]

    memo: dict[object, Any] = field(default_factory=dict, init=False, repr=False, compare=False)  # Any: whatever `once` made
    """What was worked out once from these values; a replaced record starts an empty one."""

    def once(self, key: object, make: Callable[[], T]) -> T:
        """What `make` gives, worked out at the first call with this key. A key must tell apart all that `make` depends on."""
        found: T | None = self.memo.get(key)
        if found is None:
            found = self.memo[key] = make()
        return found

    def once_for(self, what: str, numbers: tuple[Number | None, ...], make: Callable[[], T]) -> T:
        """What `make` gives, worked out once for `what` and these numbers alone. Arrays, told apart by identity, are kept."""
        key = ("of", what, *[id(x) if isinstance(x, np.ndarray) else x for x in numbers])
        found: tuple[object, T] | None = self.memo.get(key)
        if found is None:
            found = self.memo[key] = numbers, make()
        return found[1]

    def product(self, *paths: Array) -> Array:
        """The product of these arrays over months, multiplied once for all lines that run along it."""
        return self.once_for("product", paths, lambda: np.asanyarray(reduce(np.multiply, paths)))

    @property
    def mean_tokens(self) -> float:
        """Input plus output tokens of a request, in the incumbent's tokens."""
        return float(self.weights @ (self.input_tokens + self.output_tokens))


@dataclass(frozen=True)
class Tokens:
    """How a request looks to one option, against the incumbent's tokens; what a lever leaves alone is as at its base."""

    ratio: Annotated[Number, At("systems.{system}.token_ratio", "systems.{base}.token_ratio")] = 1.0
    prefix_tokens: Annotated[Number | None, At("systems.{system}.prefix_tokens", "systems.{base}.prefix_tokens")] = None
    output_ratio: Annotated[Number, At("systems.{system}.output_ratio", "systems.{base}.output_ratio")] = 1.0
    reasoning_tokens: Annotated[Number, At("systems.{system}.reasoning_tokens", "systems.{base}.reasoning_tokens")] = 0.0
    longer: Number = 1.0
    prefix_longer: Number = 1.0
    """Input, and its shared prefix, of months that came, over what the workload says; only then is either other than 1."""
    read_share: Number | None = None
    """Share of the input of months that came that was read from a cache; 0 or None where it is as the workload says."""


@dataclass(frozen=True)
class Plan:
    """One way to serve: a GPU at a vendor; numbers may be arrays over plans when plans are compared."""

    path: str
    """Where its facts stand in the Case, for example options.X.plans.2. (empty for stacked plans)."""
    speed: Annotated[str, At("options.{option}.plans.{plan}.speed")]
    """Path of the fact that says how far its capacity may be off."""
    adapter_speed: Annotated[str | None, At("options.{option}.plans.{plan}.adapter_speed")]
    """Path of the fact that says how far adapters applied at run time may move that capacity; None where there are none."""
    gpu: Annotated[str, At("options.{option}.plans.{plan}.gpu")]
    weight_dtype: Annotated[str, At("options.{option}.plans.{plan}.weight_dtype")]
    vendor: Annotated[str, At("options.{option}.plans.{plan}.vendor")]
    usd_per_gpu_hour: Annotated[Number, At("options.{option}.plans.{plan}.usd_per_gpu_hour", absent=0.0)]
    gpus_per_instance: Annotated[Number, At("options.{option}.plans.{plan}.gpus_per_instance")]
    gpus_per_replica: Annotated[Number, At("options.{option}.plans.{plan}.gpus_per_replica")]
    capacity: Number
    """Requests/s of one replica alone at the SLO."""
    minimum_months: Annotated[Number, At("options.{option}.plans.{plan}.minimum_months", absent=0.0)]
    watts: Annotated[Number, At("options.{option}.plans.{plan}.watts", absent=0.0)]
    usd_per_gpu: Number
    """Purchase price of one GPU, USD; 0 where it is rented."""
    replacement_usd: Number | None = None
    """USD of the new card that takes the place of an owned one which wears out; None where none does."""
    usd_per_new_gpu: Annotated[Number, At("options.{option}.plans.{plan}.usd_per_new_gpu", absent=inf)] = inf
    """USD of a new card of the kind that is owned, the most that one in use can fetch; infinite where nobody says."""
    pooling: Number = 1.0
    """What each of four replicas behind a router holds over one alone (`fleet_capacity`)."""
    rent: Annotated[str | None, At("options.{option}.plans.{plan}.rent")] = None
    """Path of the rent that the user states, in place of `usd_per_gpu_hour`; None for a rent of the catalog."""
    later_bound: Annotated[Number, At("options.{option}.plans.{plan}.later_gpus_bound", absent=1.0)] = 1.0
    """0 where only the GPUs of go-live are committed to, and those that are added later are not."""
    cancel_usd: Annotated[Number, At("options.{option}.plans.{plan}.cancel_usd", absent=np.inf)] = np.inf
    """USD that end one GPU's commitment early; inf where it cannot be ended."""
    gpus_owned: Annotated[Number, At("options.{option}.plans.{plan}.gpus_owned", absent=np.inf)] = np.inf
    """Cards that are there already; inf where they are rented or bought."""
    gpus_to_train: Annotated[Number, At("options.{option}.plans.{plan}.gpus_to_train", absent=0.0)] = 0.0
    """How many of the owned GPUs each retraining takes at once, where it takes several."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """What one adapter (or model) takes to train, and how many of them the workload needs."""

    gpu_hours: Number
    usd_per_gpu_hour: Annotated[Number, At("options.{option}.training.usd_per_gpu_hour", "training.usd_per_gpu_hour")]
    vendor_usd: Number
    runs: Annotated[Number, At("training.runs_until_good")]
    labels: Number  # to buy
    fresh_labels: Number
    """Labels of which a retraining buys `relabel_share` afresh."""
    every_months: Annotated[Number | None, At("training.retrain_every_months")]
    retrain_runs: Annotated[Number, At("training.retrain_runs")]
    retrain_hours: Annotated[Number, At("training.retrain_hours")]
    relabel_share: Annotated[Number, At("training.relabel_share")]
    retrain_evaluates: Annotated[bool, At("training.retrain_evaluates", absent=True)] = True
    adapters: Annotated[Number, At("training.adapters", absent=1.0)] = 1.0
    """Each is trained, labelled, evaluated and trained again; together they answer the workload."""
    further_hours: Annotated[Number, At("training.further_adapter_hours", absent=0.0)] = 0.0
    """Engineer hours of each adapter beyond the first, at set-up, at a retraining, and where a vendor's base ends."""
    hours_fact: str = HOURS_FACTOR
    """Path of what says how far the hours may be off."""


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """Terms of owning GPUs."""

    host_usd: Annotated[Number, At("own_hardware.host_usd_per_gpu")]
    install_share: Annotated[Number, At("own_hardware.install_share")]
    pue: Annotated[Number, At("own_hardware.pue")]
    usd_per_kwh: Annotated[Number, At("own_hardware.usd_per_kwh")]
    power_share: Annotated[Number, At("own_hardware.power_share")]
    colocation_usd_per_kw: Annotated[Number, At("own_hardware.colocation_usd_per_kw_month")]
    spare_share: Annotated[Number, At("own_hardware.spare_share")]
    life_months: Annotated[int, At("own_hardware.life_months")]
    kept_per_year: Annotated[Number, At("own_hardware.value_kept_per_year")]
    as_a_whole: Annotated[bool, At("own_hardware.as_a_whole")] = False
    """True where all cards are there from go-live on: those that the horizon needs, or all that are owned."""


@dataclass(frozen=True, kw_only=True)
class OwnCost:
    """A cost that the user states and no other line counts."""

    path: str
    """Where its facts stand in the Case: costs.N."""
    name: Annotated[str, At("costs.{number}.name")]
    option: Annotated[str, At("costs.{number}.option")]
    """Who bears it: an option's id, a kind, all, all but stay."""
    upfront_usd: Annotated[Number, At("costs.{number}.upfront_usd", absent=0.0)]
    usd_per_month: Annotated[Number, At("costs.{number}.usd_per_month", absent=0.0)]
    usd_per_request: Annotated[Number | None, At("costs.{number}.usd_per_request")] = None
    """None: nobody says whether it grows with the requests, and it is counted as if it did not."""
    from_month: Annotated[Number | None, At("costs.{number}.from_month")]
    """First month in which it is paid; None: from go-live on."""
    to_month: Annotated[Number, At("costs.{number}.to_month", absent=np.inf)]
    no_cash: bool = False
    """True where nothing is paid: what cards of one's own lose in value."""

    @property
    def each_usd(self) -> Number:
        """USD for each request billed."""
        return 0.0 if self.usd_per_request is None else self.usd_per_request


@dataclass(frozen=True, kw_only=True)
class Option:
    """One thing the user could do."""

    id: str
    kind: Annotated[str, At("options.{option}.kind")]
    label: Annotated[str, At("options.{option}.label")]
    system: Annotated[str, At("options.{option}.system")]
    """What answers: a model, or model+lora; options with the same system share its quality and tokens."""
    group: Annotated[str, At("options.{option}.group")]
    vendor: Annotated[str | None, At("options.{option}.vendor")]
    """Kind of change, whose options share hours and months; provider/model whose end forces a migration."""
    infeasible: Annotated[str | None, At("options.{option}.infeasible")]
    trains: Annotated[bool, At("options.{option}.trains")]
    months_to_live: Annotated[Number, own("months_to_live", "changes.{group}.months_to_live")]
    months_in_parallel: Annotated[Number, own("months_in_parallel", "changes.{group}.months_in_parallel")]
    tokens: Tokens
    error_rate: Number
    evaluated: bool
    answers_as: str | None = None
    """The system whose very answers it gives, under a name of another vendor's."""
    test_note: Annotated[str | None, At("options.{option}.test_note")] = None
    """What was not tested, where the option's models were: the gate of a cascade."""
    items: int | None = None
    measured_error: Number | None = None
    """Items on which its answers were evaluated, where somebody said; the share that was wrong, which the bar then holds."""
    labelled: int = 0
    """Items of today's model's evaluation that it was not judged on: to judge it on these takes no labels."""
    with_today: float | None = None
    """Correlation of both scores on the items of both, where these are not all."""
    below_bar: bool = False
    """True where nothing but its score, as far as it was measured, makes it infeasible: more items may show otherwise."""
    setup_hours: Annotated[Number, own("setup_hours", "changes.{group}.setup_hours")]
    run_hours: Annotated[Number, own("run_hours_per_month", "changes.{group}.run_hours_per_month")]
    evaluation_usd: Annotated[Number | None, own("evaluation_usd")] = None
    """What judging it costs before the change and after a retraining, USD; None: as much as judging a successor."""
    evaluation_labels: Annotated[Number | None, own("evaluation_labels")] = None
    own_facts: Mapping[str, str] = field(default_factory=dict)
    """Paths of the facts that are the option's or its kind's own, by name."""
    platform_usd: Number
    hosting_usd: Annotated[Number, At("options.{option}.hosting_usd_per_month", absent=0.0)]
    api: Api | None = None
    life_first: Annotated[Number | None, At("vendors.{vendor}.first_end_months")] = None
    life_every: Annotated[Number | None, At("vendors.{vendor}.life_months")] = None
    todays_end: Annotated[Number | None, At("vendors.{today}.first_end_months")] = None
    todays_life: Annotated[Number | None, At("vendors.{today}.life_months")] = None
    """First end of the model in use today, and months between those of its successors; None where its vendor ends none."""
    is_successor: bool = False
    """True where it is the model that the vendor suggests in the place of today's: the change is that migration."""
    retires_on: Annotated[str | None, At("vendors.{vendor}.retires_on")] = None
    """Day on which the vendor has announced that the model ends."""
    own_price_ratio: Annotated[Number, At("vendors.{vendor}.successor_price_ratio")] = 1.0
    first_price_ratio: Annotated[Number | None, At("vendors.{vendor}.first_successor_price_ratio")] = None
    """Price at the first forced migration over the model's own then, where the user knows the successor."""
    first_error_ratio: Annotated[Number | None, At("vendors.{vendor}.first_successor_error_ratio")] = None
    escalated: Annotated[Number, At("options.{option}.escalated_share", "apis.{vendor}.escalated_share",
                                    "systems.{system}.escalated_share", absent=0.0)] = 0.0
    """The share of cascades that begin with the API, else what the scenario says of the system."""
    escalates_to: str = "stay"
    escalates_to_cached: Annotated[bool, At("options.{option}.escalates_to_cached")] = False
    """True where the escalated requests find a prompt cache that is off today."""
    too_long: Annotated[Array | None, At("options.{option}.too_long")] = None
    long_to: Annotated[str | None, At("options.{option}.long_to")] = None
    """1 for each length bin that it cannot take and hands on unseen to that option's API, else 0; None where it takes all."""
    end_to_end: Annotated[str | None, At("options.{option}.end_to_end")] = None
    end_to_end_error: Number | None = None
    """The cascade as a system of its own, where its answers were evaluated end to end, and that system's error rate."""
    kept_error: Annotated[Number | None, At("systems.{system}.kept_error_rate")] = None
    escalated_error: Annotated[Number | None, At("systems.{system}.escalated_error_rate")] = None
    """Error rate of the answers that it keeps, and of the second model on what is escalated."""
    measured_kept: Annotated[Number | None, At("systems.{system}.measured_kept_error_rate")] = None
    measured_escalated: Annotated[Number | None, At("systems.{system}.measured_escalated_error_rate")] = None
    """The shares of both that were counted as wrong, where the rates are the means of what the counts leave."""
    escalated_harder: Annotated[Number | None, At("systems.{system}.escalated_harder")] = None
    """Where nobody measured that: 0 = as its overall rate q, 1 = all its errors are there, q over the share escalated."""
    spills_to: Annotated[str | None, At("options.{option}.spills_to")] = None
    plan: Plan | None = None
    plans: tuple[Plan, ...] = ()
    training: Training | None = None
    hardware: Hardware | None = None
    provisioned: Provisioned | None = None
    commitment_usd: Annotated[Number, At("apis.{vendor}.commitment.usd_per_month", absent=0.0)] = 0.0
    commitment_months: Annotated[Number, At("apis.{vendor}.commitment.months", absent=0.0)] = 0.0
    """Spend a month that is owed to the option's own vendor from go-live on, and months from today to the end of that."""
    costs: tuple[OwnCost, ...] = ()
    spares: Annotated[int, own("spares", "serving.spares")] = 0
    replicas_least: Annotated[int, At("serving.replicas_least")] = 1
    replicas_fixed: Number | None = None
    """Replicas of a hybrid's floor; None for a fleet sized for the peak."""
    headroom: Annotated[Number, At("serving.headroom")] = 0.0
    fleet_share: Annotated[Number, At("serving.fleet_share")] = 1.0
    """Share of the fleet's rent that the option pays: 1 / workloads."""
    workloads: Annotated[Number, At("serving.workloads_on_base", absent=1.0)] = 1.0
    """Workloads that share its fleet, this one among them, each with as much load and its peak in the same minutes."""
    run_hours_shared: Annotated[Number, At("options.{option}.run_hours_shared", absent=0.0)] = 0.0
    setup_hours_shared: Annotated[Number, At("options.{option}.setup_hours_shared", absent=0.0)] = 0.0
    """Shares of its hours a month, and until live, that the fleet takes, whichever of its workloads is asked about."""
    lets_wait: Annotated[bool, At("serving.lets_wait", absent=True)] = True
    """True where its servers leave what can wait for the valleys."""
    spill_share: Annotated[Number | None, At("serving.spill_share")] = None
    """Share of requests that a hybrid spills, as stated; None = the load curve above the floor."""
    autoscale: Annotated[bool, At("serving.autoscale")] = False
    autoscale_floor: Annotated[int, At("serving.autoscale_floor")] = 1
    startup_hours: Annotated[float, At("serving.startup_hours")] = 0.0
    billing_hours: Annotated[float, At("serving.billing_hours", absent=0.0)] = 0.0

    @property
    def asks_today(self) -> bool:
        """True where today's model answers some requests once the option serves alone, or answers them all as today."""
        hands_on = self.kind == "cascade" or bool(np.any(np.asanyarray(self.escalated) > 0))
        to = {id.partition(":")[0] for id in (self.spills_to, self.long_to, self.escalates_to if hands_on else None) if id}
        return self.same_model or not to.isdisjoint(KEEPS_MODEL | LEVERS)  # an id begins with its kind

    @property
    def months_kept(self) -> Number:
        """Months until today's model is no longer paid: live and in parallel, but where it is left no longer than it lives.

        Beside a model that is switched off nothing runs in parallel, and nobody moves to its successor for the days that are
        left. Where it ends before the option is live, its successor runs beside that as it would have; but where the option is
        that successor, there is no other. In draws each row by its own end.
        """
        whole, end, every = self.months_to_live + self.months_in_parallel, self.todays_end, self.todays_life
        if self.asks_today or end is None or every is None:
            return whole
        if not self.is_successor:
            end = end + np.maximum(np.ceil((self.months_to_live - end) / every), 0.0) * every
        if type(end) is np.ndarray and (end >= whole).all():
            return whole  # alike in all draws
        return np.minimum(whole, np.maximum(end, self.months_to_live))

    @property
    def self_hosted(self) -> bool:
        """True where the option runs GPUs of the user's own, rented or bought."""
        return self.kind in SELF_HOSTED

    @property
    def keeps_model(self) -> bool:
        """True where the incumbent answers as today: nothing is ported or evaluated, and no bar is held against it."""
        return self.kind in KEEPS_MODEL

    @property
    def same_model(self) -> bool:
        """True where the incumbent's model answers, in another way or not: its negotiated price holds, its ends are its own."""
        return self.kind in KEEPS_MODEL or self.kind in LEVERS
