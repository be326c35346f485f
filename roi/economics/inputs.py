"""What the economics reads: the flat values of a Case, grouped into frozen records.

A number is a float, or an array of shape (n, 1) with one row a draw (or one row a volume). Months are the last axis, so a
monthly quantity is (H,) or (n, H). `reading` builds every record here.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Number = float | Array


@dataclass(frozen=True)
class Shared:
    """What all options share: one draw of each serves them all (common random numbers)."""

    horizon: int
    discount_rate: float
    requests_per_day: Number
    growth: Number
    volume_factor: Number
    price_factor: Number
    can_wait: Number
    input_tokens: Array
    output_tokens: Array
    weights: Array
    prefix_tokens: Number
    hit_rate: Number
    escalated_hit_rate: Number
    peak_to_mean: Number
    load_curve: Array
    usd_per_error: Number
    quality_bar: float
    evaluation_noise: Number
    usd_per_hour: Number
    wage_growth: Number
    setup_existing: bool
    run_existing: bool
    rent_drift: Number
    successor_price_ratio: Number
    successor_error_ratio: Number
    migration_hours: Number
    evaluation_usd: Number
    evaluation_labels: Number
    usd_per_label: Number
    commitment_usd: Number
    commitment_months: Number

    memo: dict[object, object] = field(default_factory=dict, init=False, repr=False, compare=False)
    """What was worked out once from these values; a replaced record starts an empty one."""

    def once(self, key: object, make: Callable[[], Array]) -> Array:
        """What `make` gives, worked out at the first call with this key. A key must tell apart all that `make` depends on."""
        found = self.memo.get(key)
        if not isinstance(found, np.ndarray):
            found = self.memo[key] = np.asarray(make())
        return found

    @property
    def mean_tokens(self) -> float:
        """Input plus output tokens of a request, in the incumbent's tokens."""
        return float(self.weights @ (self.input_tokens + self.output_tokens))


@dataclass(frozen=True)
class Tokens:
    """How a request looks to one option, against the incumbent's tokens."""

    ratio: Number = 1.0
    prefix_tokens: Number | None = None
    output_ratio: Number = 1.0
    reasoning_tokens: Number = 0.0


@dataclass(frozen=True)
class Api:
    """A price list of one model: USD per million tokens, one entry a tier."""

    edges: Array
    input: Array
    output: Array
    cache_read: Array | None
    cache_write: Array | None
    batch_input: Array | None
    batch_output: Array | None
    batch_cache_read: Array | None
    batch_cache_write: Array | None
    cache_minimum: float
    discount: Number
    uses_cache: bool
    batch_share: Number
    """Share of all requests that goes through the batch price where it is cheaper."""


@dataclass(frozen=True)
class Plan:
    """One way to serve: a GPU at a vendor; numbers may be arrays over plans when plans are compared."""

    path: str
    """Where its facts stand in the Case, for example options.X.plans.2. (empty for stacked plans)."""
    speed: str
    """Path of the fact that says how far its capacity may be off."""
    adapter_speed: str | None
    """The same of adapters that are applied at run time; None where there are none."""
    gpu: str
    weight_dtype: str
    vendor: str
    usd_per_gpu_hour: Number
    gpus_per_instance: Number
    gpus_per_replica: Number
    capacity: Number
    """Requests/s of one replica alone at the SLO."""
    minimum_months: Number
    watts: Number
    usd_per_gpu: Number
    pooling: Number = 1.0
    """What each of four replicas behind a router holds over one alone (`fleet_capacity`)."""


@dataclass(frozen=True)
class Training:
    """What one adapter (or model) takes to train."""

    gpu_hours: Number
    usd_per_gpu_hour: Number
    vendor_usd: Number
    runs: Number
    labels: Number
    every_months: Number | None
    retrain_runs: Number
    retrain_hours: Number
    relabel_share: Number


@dataclass(frozen=True)
class Hardware:
    """Terms of owning GPUs."""

    host_usd: Number
    install_share: Number
    pue: Number
    usd_per_kwh: Number
    power_share: Number
    colocation_usd_per_kw: Number
    spare_share: Number
    life_months: int
    kept_per_year: Number


@dataclass(frozen=True)
class Option:
    """One thing the user could do."""

    id: str
    kind: str
    label: str
    system: str
    """What answers: a model, or model+lora; options with the same system share its quality and tokens."""
    group: str
    """Kind of change; options of a group share hours and months."""
    vendor: str | None
    """provider/model whose end forces a migration."""
    infeasible: str | None
    trains: bool
    months_to_live: Number
    months_in_parallel: Number
    tokens: Tokens
    error_rate: Number
    evaluated: bool
    setup_hours: Number
    run_hours: Number
    platform_usd: Number
    hosting_usd: Number
    api: Api | None = None
    life_first: Number | None = None
    life_every: Number | None = None
    retires_on: str | None = None
    """Day on which the vendor has announced that the model ends."""
    own_price_ratio: Number = 1.0
    first_price_ratio: Number | None = None
    """Price at the first forced migration over today's, where the user knows the successor."""
    first_error_ratio: Number | None = None
    escalated: Number = 0.0
    escalates_to: str = "stay"
    spills_to: str | None = None
    plan: Plan | None = None
    plans: tuple[Plan, ...] = ()
    training: Training | None = None
    hardware: Hardware | None = None
    spares: int = 0
    replicas_least: int = 1
    replicas_fixed: int | None = None
    headroom: Number = 0.0
    fleet_share: Number = 1.0
    autoscale: bool = False
    autoscale_floor: int = 1
    startup_hours: float = 0.0

    @property
    def self_hosted(self) -> bool:
        """True where the option runs GPUs of the user's own, rented or bought."""
        return self.kind in SELF_HOSTED

    @property
    def changes_model(self) -> bool:
        """True where another model answers, so that porting and evaluation are paid."""
        return self.kind not in {"stay", "cache-batch"}


PLATFORM = ("load_balancer", "logs", "staging", "storage", "egress", "monitoring")
SELF_HOSTED = frozenset({"self-hosted-base", "self-hosted-adapter", "hybrid", "own-hardware"})
