"""From the flat values of a Case to the records of `inputs`: a path is spelled here once, and nowhere else."""

import numpy as np

from roi.economics.inputs import PLATFORM, Api, Array, Hardware, Number, Option, Plan, Shared, Tokens, Training
from roi.facts.case import Values
from roi.numerics.spreads import joint_high, joint_low


class Reader:
    """Reads values under one prefix of a Case; a missing path is a KeyError that names it."""

    def __init__(self, values: Values, prefix: str = "") -> None:
        self.values, self.prefix = values, prefix

    def has(self, name: str) -> bool:
        """True where the path exists and is not null."""
        return self.values.get(self.prefix + name) is not None

    def number(self, name: str) -> Number:
        """A number, or an array of draws."""
        value = self.values[self.prefix + name]
        if isinstance(value, (str, tuple)) or value is None:
            raise TypeError(f"{self.prefix}{name} is not a number: {value!r}")
        return value if isinstance(value, np.ndarray) else float(value)

    def maybe(self, name: str) -> Number | None:
        """A number, or None where the path is absent or null."""
        return self.number(name) if self.has(name) else None

    def text(self, name: str) -> str:
        """A name."""
        return str(self.values[self.prefix + name])

    def flag(self, name: str) -> bool:
        """A yes or no; absent means no."""
        return bool(self.values.get(self.prefix + name, False))

    def row(self, name: str) -> Array:
        """A list of numbers."""
        value = self.values[self.prefix + name]
        return np.atleast_1d(np.asarray(value, dtype=np.float64))

    def maybe_row(self, name: str) -> Array | None:
        """A list of numbers, or None."""
        return self.row(name) if self.has(name) else None


def read_shared(values: Values) -> Shared:
    """The shared record of a Case's values."""
    r = Reader(values)
    factor, split = r.number("reconciliation.factor"), r.number("reconciliation.volume_share")
    return Shared(
        horizon=int(r.number("horizon_months")),
        discount_rate=float(r.number("discount_rate_per_year")),
        requests_per_day=r.number("workload.requests_per_day"),
        growth=r.number("workload.growth_per_year"),
        volume_factor=factor**split,
        price_factor=factor ** (1.0 - split),
        can_wait=r.number("workload.can_wait_share"),
        input_tokens=r.row("workload.input_tokens"),
        output_tokens=r.row("workload.output_tokens"),
        weights=r.row("workload.weights"),
        prefix_tokens=r.number("workload.shared_prefix_tokens"),
        hit_rate=r.number("workload.cache_hit_rate"),
        escalated_hit_rate=r.number(
            "workload.escalated_cache_hit_rate" if r.has("workload.escalated_cache_hit_rate") else "workload.cache_hit_rate"
        ),
        peak_to_mean=r.number("workload.peak_to_mean"),
        load_curve=r.row("workload.load_curve"),
        usd_per_error=r.number("quality.usd_per_error"),
        quality_bar=float(r.number("quality.bar")),
        evaluation_noise=r.number("quality.evaluation_noise"),
        usd_per_hour=r.number("people.usd_per_hour"),
        wage_growth=r.number("people.wage_growth_per_year"),
        setup_existing=r.flag("people.setup_hours_existing"),
        run_existing=r.flag("people.run_hours_existing"),
        rent_drift=r.number("drift.gpu_rent_per_year"),
        successor_price_ratio=r.number("drift.successor_price_ratio"),
        successor_error_ratio=r.number("drift.successor_error_ratio"),
        migration_hours=r.number("migration.hours"),
        evaluation_usd=r.number("evaluation.usd"),
        evaluation_labels=r.number("evaluation.labels"),
        usd_per_label=r.number("evaluation.usd_per_label"),
        commitment_usd=r.number("commitment.usd_per_month"),
        commitment_months=r.number("commitment.months"),
    )


def read_option(values: Values, id: str, shared: Shared) -> Option:
    """The record of one option: its own facts, and those of its system, its kind of change and its vendor."""
    r = Reader(values, f"options.{id}.")
    system, group = r.text("system"), r.text("group")
    vendor = r.text("vendor") if r.has("vendor") else None
    of_system = Reader(values, f"systems.{system}.")
    of_group = Reader(values, f"changes.{group}.")
    of_vendor = Reader(values, f"vendors.{vendor}.")
    serving, everyone = Reader(values, "serving."), Reader(values)
    plans = tuple(_plan(values, f"options.{id}.plans.{k}.") for k in range(_count(values, f"options.{id}.plans.")))
    return Option(
        id=id,
        kind=r.text("kind"),
        label=r.text("label"),
        system=system,
        group=group,
        vendor=vendor,
        infeasible=r.text("infeasible") if r.has("infeasible") else None,
        trains=r.flag("trains"),
        months_to_live=of_group.number("months_to_live"),
        months_in_parallel=of_group.number("months_in_parallel"),
        tokens=Tokens(
            of_system.number("token_ratio"),
            of_system.maybe("prefix_tokens"),
            of_system.number("output_ratio"),
            of_system.number("reasoning_tokens"),
        ),
        error_rate=_error_rate(of_system, shared.evaluation_noise),
        evaluated=of_system.flag("evaluated"),
        setup_hours=of_group.number("setup_hours"),
        run_hours=of_group.number("run_hours_per_month"),
        platform_usd=sum((everyone.number(f"platform.{n}_usd_per_month") for n in PLATFORM), 0.0)
        if r.flag("platform")
        else 0.0,
        hosting_usd=r.number("hosting_usd_per_month") if r.has("hosting_usd_per_month") else 0.0,
        api=_api(r, everyone) if r.has("price.input_usd_per_mtok") else None,
        life_first=of_vendor.maybe("first_end_months") if vendor else None,
        life_every=of_vendor.maybe("life_months") if vendor else None,
        retires_on=of_vendor.text("retires_on") if vendor and of_vendor.has("retires_on") else None,
        own_price_ratio=of_vendor.number("successor_price_ratio") if vendor else 1.0,
        first_price_ratio=of_vendor.maybe("first_successor_price_ratio") if vendor else None,
        first_error_ratio=of_vendor.maybe("first_successor_error_ratio") if vendor else None,
        escalated=_escalated(r, of_system),
        escalates_to=r.text("escalates_to") if r.has("escalates_to") else "stay",
        spills_to=r.text("spills_to") if r.has("spills_to") else None,
        plan=plans[0] if plans else None,
        plans=plans,
        training=_training(r, everyone) if r.has("training.vendor_usd_per_run") else None,
        hardware=_hardware(values) if r.flag("owned") else None,
        spares=int(float(serving.number("spares"))),
        replicas_least=int(float(serving.number("replicas_least"))),
        headroom=serving.number("headroom"),
        fleet_share=serving.number("fleet_share"),
        autoscale=serving.flag("autoscale"),
        autoscale_floor=int(float(serving.number("autoscale_floor"))),
        startup_hours=float(serving.number("startup_hours")),
    )


PLAIN = frozenset({"stay", "cache-batch", "cheaper-api", "hosted-open"})
"""Kinds that answer alone: with an escalation they would be a cascade, which is an option of its own."""


def _escalated(r: Reader, of_system: Reader) -> Number:
    """Share handed on: the cascade's own, else what the scenario says of the system, else none."""
    if r.has("escalated_share"):
        return r.number("escalated_share")
    if r.text("kind") in PLAIN:
        return 0.0
    return of_system.number("escalated_share") if of_system.has("escalated_share") else 0.0


def _error_rate(r: Reader, noise: Number) -> Number:
    """Error rate; an evaluated option moves along the shared evaluation noise (-1 = its low score, +1 = its high)."""
    rate = r.number("error_rate")
    if not r.has("error_rate_low"):
        return rate
    low, high = r.number("error_rate_low"), r.number("error_rate_high")
    moved = np.where(np.asarray(noise) > 0, rate - noise * (rate - low), rate - noise * (high - rate))
    return np.clip(moved, 0.0, 1.0)


def _api(r: Reader, everyone: Reader) -> Api:
    """A price list.

    The incumbent's discount is one fact for staying and for switching its cache on; what goes through batch today, or can
    wait, goes through batch elsewhere too.
    """
    return Api(
        edges=r.row("price.edges_tokens"),
        input=r.row("price.input_usd_per_mtok"),
        output=r.row("price.output_usd_per_mtok"),
        cache_read=r.maybe_row("price.cache_read_usd_per_mtok"),
        cache_write=r.maybe_row("price.cache_write_usd_per_mtok"),
        batch_input=r.maybe_row("price.batch_input_usd_per_mtok"),
        batch_output=r.maybe_row("price.batch_output_usd_per_mtok"),
        batch_cache_read=r.maybe_row("price.batch_cache_read_usd_per_mtok"),
        batch_cache_write=r.maybe_row("price.batch_cache_write_usd_per_mtok"),
        cache_minimum=float(r.number("price.cache_minimum_tokens")) if r.has("price.cache_minimum_tokens") else 0.0,
        discount=r.number("price.discount") if r.has("price.discount") else everyone.number("options.stay.price.discount"),
        uses_cache=r.flag("uses_cache"),
        batch_share=r.number("batch_share")
        if r.has("batch_share")
        else np.maximum(everyone.number("workload.can_wait_share"), everyone.number("options.stay.batch_share")),
    )


def _plan(values: Values, prefix: str) -> Plan:
    r = Reader(values, prefix)
    capacity = _capacity(r, Reader(values))
    return Plan(
        path=prefix,
        speed=r.text("speed"),
        adapter_speed=r.text("adapter_speed") if r.has("adapter_speed") else None,
        gpu=r.text("gpu"),
        weight_dtype=r.text("weight_dtype"),
        vendor=r.text("vendor"),
        usd_per_gpu_hour=r.number("usd_per_gpu_hour") if r.has("usd_per_gpu_hour") else 0.0,
        gpus_per_instance=r.number("gpus_per_instance"),
        gpus_per_replica=r.number("gpus_per_replica"),
        capacity=capacity,
        minimum_months=r.number("minimum_months") if r.has("minimum_months") else 0.0,
        watts=r.number("watts") if r.has("watts") else 0.0,
        usd_per_gpu=Reader(values).number(r.text("price")) if r.has("price") else 0.0,
        pooling=_pooling(r, Reader(values), capacity),
    )


LEAST_CAPACITY = 0.1
"""A draw in which the SLO cannot be held at all counts as a tenth of the central capacity: ten times the fleet, not endless."""


def _capacity(r: Reader, everyone: Reader) -> Number:
    """One replica's capacity at the drawn speed of engine and adapters, at least LEAST_CAPACITY of the central one."""
    names = ("capacity_slow_requests_per_s", "capacity_requests_per_s", "capacity_fast_requests_per_s")
    slow, central, fast = (r.number(name) for name in names)
    found = _at_speed(r, everyone, slow, central, fast)
    return central if found is None else np.maximum(found, LEAST_CAPACITY * central)


def _pooling(r: Reader, everyone: Reader, capacity: Number) -> Number:
    """What each of a few replicas behind a router holds over one alone, at the drawn speed: at least 1."""
    if not r.has("pooling"):
        return 1.0
    ends = ("_slow", "", "_fast")
    held = [r.number(f"capacity{end}_requests_per_s") * r.number(f"pooling{end}") for end in ends]
    found = _at_speed(r, everyone, held[0], held[1], held[2])
    return r.number("pooling") if found is None else np.maximum(np.divide(found, capacity), 1.0)


def _at_speed(r: Reader, everyone: Reader, slow: Number, central: Number, fast: Number) -> Number | None:
    """A rate at the drawn speed: straight lines between its values at the speed's P5, centre and P95; None at the centre.

    Rates at an SLO fall faster than speed, so each plan holds all three.
    """
    paths = [r.text(name) for name in ("speed", "adapter_speed") if r.has(name)]
    speed: Number = 1.0
    for path in paths:
        speed = speed * everyone.number(path)
    if isinstance(speed, float) and speed == 1.0:
        return None
    low = joint_low(everyone.number(path + "_low") for path in paths)
    high = joint_high(everyone.number(path + "_high") for path in paths)
    below = central + (slow - central) * (1.0 - speed) / (1.0 - low)
    above = central + (fast - central) * (speed - 1.0) / (high - 1.0)
    return np.where(speed < 1.0, below, above)


def _training(r: Reader, everyone: Reader) -> Training:
    examples = everyone.number("training.examples")
    scale = examples / everyone.number("training.examples_costed")
    return Training(
        gpu_hours=r.number("training.gpu_hours_per_run") * everyone.number("training.hours_factor") * scale,
        usd_per_gpu_hour=r.number("training.usd_per_gpu_hour"),
        vendor_usd=r.number("training.vendor_usd_per_run") * scale,
        runs=everyone.number("training.runs_until_good"),
        labels=examples * everyone.number("training.labels_bought_share"),
        every_months=everyone.maybe("training.retrain_every_months"),
        retrain_runs=everyone.number("training.retrain_runs"),
        retrain_hours=everyone.number("training.retrain_hours"),
        relabel_share=everyone.number("training.relabel_share"),
    )


def _hardware(values: Values) -> Hardware:
    r = Reader(values, "own_hardware.")
    return Hardware(
        host_usd=r.number("host_usd_per_gpu"),
        install_share=r.number("install_share"),
        pue=r.number("pue"),
        usd_per_kwh=r.number("usd_per_kwh"),
        power_share=r.number("power_share"),
        colocation_usd_per_kw=r.number("colocation_usd_per_kw_month"),
        spare_share=r.number("spare_share"),
        life_months=int(float(r.number("life_months"))),
        kept_per_year=r.number("value_kept_per_year"),
    )


def _count(values: Values, prefix: str) -> int:
    """Number of consecutive entries prefix0., prefix1., ..."""
    n = 0
    while f"{prefix}{n}.gpu" in values:
        n += 1
    return n
