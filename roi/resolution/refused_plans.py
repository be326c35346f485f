"""Why a plan does not hold the SLO at any rate, and which comes nearest."""

from math import inf
from typing import Final, NamedTuple

from roi.economics.decision.feasibility import ADAPTER_SLOTS, HARDLY_LOADED
from roi.estimate.replay.engine import Server
from roi.estimate.replay.load_curve import REPLAYED, Slo
from roi.resolution.plan_capacity import ServingPlan, Traffic, load_curve, replica_plan
from roi.units import GIB, to_digits

LATENCY: Final = ("TTFT", "TPOT")
"""What binds where an SLO is too tight."""
NO_FIT: Final = "does not fit"
"""How what binds begins where memory is too small (`ReplicaMemory.shortage`)."""


class Refused(NamedTuple):
    """A plan that does not hold the SLO at any rate; the least is the one that comes nearest."""

    strain: float
    """The larger percentile over its limit under hardly any load; inf where the cache is what binds."""
    minus_bytes: float
    """Memory of its GPUs, negative."""
    told: str
    """What binds, and what would have to change."""


def why_none_holds(plan: ServingPlan, traffic: Traffic, server: Server, slo: Slo, binding: str) -> Refused:
    """What the plan reaches at best, its traffic replayed, where latency (LATENCY) binds on it; else `binding` itself."""
    which, strain, told = f"{plan.tensor_parallel} x {plan.gpu.id} {plan.weight_dtype}", inf, f": {binding}"
    if binding in LATENCY:
        best = load_curve(plan, traffic, server, 1, REPLAYED).shortest()
        limits = ("ttft_p95_s", slo.ttft_p95_s, best.ttft_p95_s), ("tpot_p95_s", slo.tpot_p95_s, best.tpot_p95_s)
        late = " and ".join(f"workload.{name} {to_digits(reached, up=True):g} s (asked {limit:g})"
                            for name, limit, reached in limits if reached > limit)
        strain, told = best.strain(slo), f"{HARDLY_LOADED}{late}" if late else f"{told} in closed form"
    told += held_at_once(plan, traffic) if binding.startswith(NO_FIT) else ""
    return Refused(strain, -plan.gpu.memory_bytes * plan.tensor_parallel, f"no plan holds; the nearest, {which}{told}")


def held_at_once(plan: ServingPlan, traffic: Traffic) -> str:
    """What slots of a stated number take, where a plan is too small; empty where nobody states one: there is one at least."""
    if plan.slots is None or not plan.slots.stated:
        return ""
    memory = replica_plan(plan).memory(traffic.shape)
    which = "a single GPU" if plan.tensor_parallel == 1 else f"each of {plan.tensor_parallel} GPUs"
    return (f"; {float(memory.adapter_slots):,.0f} of {plan.adapters:,} adapters at once take"
            f" {float(memory.adapter_bytes) / GIB:.1f} GiB of {which} ({ADAPTER_SLOTS})")
