"""Facts of training an adapter oneself: hours of a run, and the cheapest rented card that it fits on."""

from typing import NamedTuple

import numpy as np

from roi.catalog.configs import model_config
from roi.catalog.efficiencies import training_efficiencies
from roi.catalog.fact_sheet import FactSheet
from roi.catalog.gpus import find_gpu
from roi.catalog.overheads import training_overhead
from roi.catalog.profiles import PeakBytes, Store, StoredProfile, find_dry_peak
from roi.catalog.rentals import rental_offers
from roi.errors import InputError, ScenarioError
from roi.estimate.fitting import REPLAY_ENDS
from roi.estimate.memory import training_memory, workspace_bytes
from roi.estimate.plan import Method, TrainingPlan, trainer_habits
from roi.estimate.training import training_run
from roi.facts.fact import Basis
from roi.facts.gpu import Gpu
from roi.facts.model import ModelShape
from roi.facts.price import RentalKind, RentalOffer
from roi.facts.profile import DryRunProfile
from roi.scenario.quantity import value_of
from roi.scenario.schema import Scenario
from roi.units import GIB

LONGEST_OVER_MEAN = 4.0
"""Longest training sequence over the mean where nobody states it: lengths of the bundled trace reach 3.6 times their mean."""


def mean_tokens(s: Scenario) -> float:
    """Tokens of one training example: stated, or the workload's mean request."""
    if s.training.tokens_per_example is not None:
        return value_of(s.training.tokens_per_example)
    w = s.workload
    if w.lengths is not None:
        return sum(b.share * (b.input_tokens + b.output_tokens) for b in w.lengths)
    assert w.input_tokens is not None
    assert w.output_tokens is not None
    return value_of(w.input_tokens) + value_of(w.output_tokens)


def training_tokens(s: Scenario) -> float:
    """Tokens of one run: examples x tokens x epochs."""
    return value_of(s.training.examples) * mean_tokens(s) * value_of(s.training.epochs)


def add_training(sheet: FactSheet, s: Scenario, id: str, shape: ModelShape, method: Method, store: Store) -> None:
    """GPU hours of one run on the rented card that makes it cheapest; infeasible where it fits on none.

    Memory is that of a dry run in `store` where there is one of this plan (the HF Trainer's loop), else the closed form.
    """
    t, mean = s.training, mean_tokens(s)
    longest = float(t.longest_tokens or min(np.ceil(mean * LONGEST_OVER_MEAN), shape.context_tokens))
    if longest > shape.context_tokens:
        raise ScenarioError("training.longest_tokens", longest, f"{shape.id} reads at most {shape.context_tokens} tokens")
    plan = TrainingPlan(
        method=method,
        rank=float(t.rank),
        micro_batch=float(t.micro_batch),
        seq=longest,
        checkpointing=t.checkpointing,
        trainer="hf",
        autocast=trainer_habits("hf", "bf16").autocast,
    )
    known = training_efficiencies()
    dry = _dry_peak(store, shape, plan)
    best = _cheapest_run(s, shape, plan, mean, dry)
    own = f"options.{id}.training."
    low, high = known.overall.spread()
    central = known.overall.number()
    sheet.add(
        "training.hours_factor",
        1.0,
        "ratio",
        basis=known.overall.basis,
        low=min(central / high, 1.0),
        high=max(central / low, 1.0),
        source=f"hours of a run against the roofline: {known.overall.source}",
    )
    if best is not None:
        sheet.add(own + "vendor_usd_per_run", 0.0, "USD", basis=Basis.STATED, source="trained on rented GPUs")
    if best is None:
        sheet.name(
            f"options.{id}.infeasible",
            f"{method} of {shape.id} at {longest:,.0f} tokens fits on no single rented GPU;"
            " shorten training.longest_tokens, or use qlora",
            "memory in closed form" if dry is None else f"dry run {dry[0].name}",
        )
        return
    offer = best.offer
    sheet.name(own + "gpu", offer.gpu, "cheapest run among the cards that it fits on")
    sheet.add(
        own + "memory_bytes",
        best.memory[0],
        "bytes",
        basis=Basis.CALIBRATED if dry is None else Basis.DRY_RUN,
        source=f"peak of the process on {offer.gpu}, "
        + ("closed form held to dry runs" if dry is None else f"dry run {dry[0].name}")
        + f"; 5-95%: {best.memory[1] / GIB:.1f} to {best.memory[2] / GIB:.1f} GiB",
        date=None if dry is None else dry[0].profile.started.date(),
    )
    sheet.add(
        own + "gpu_hours_per_run",
        best.gpu_hours,
        "GPU-hours",
        basis=Basis.CALIBRATED,
        source=f"{training_tokens(s):,.0f} tokens at the roofline's step time x fitted efficiency on {offer.gpu}",
    )
    sheet.add(
        own + "usd_per_gpu_hour",
        offer.usd_per_gpu_hour,
        "USD/GPU-hour",
        basis=Basis.QUOTED,
        source=f"{offer.vendor} {offer.kind}: {offer.source}",
        date=offer.date,
    )


def _instance_rent(offer: RentalOffer) -> float:
    """USD an hour of the smallest thing that can be rented."""
    return offer.usd_per_gpu_hour * offer.gpus_per_instance


class _Run(NamedTuple):
    gpu_hours: float
    offer: RentalOffer
    memory: tuple[float, float, float]
    """Bytes of the process: central, 5th and 95th percentile."""


DryPeak = tuple[StoredProfile[DryRunProfile], PeakBytes]


def _dry_peak(store: Store, shape: ModelShape, plan: TrainingPlan) -> DryPeak | None:
    """The stored dry run of this plan; None where there is none, or no class of transformers that could have run."""
    try:
        config = model_config(shape)
    except InputError:
        return None
    return find_dry_peak(store, shape.id, plan, config.config_hash)


def _memory(shape: ModelShape, plan: TrainingPlan, gpu: Gpu, dry: DryPeak | None) -> tuple[float, float, float]:
    """Bytes of the process on this card: central, 5th and 95th percentile."""
    overhead = training_overhead(gpu)
    if dry is not None:
        reserved = dry[1].reserved_bytes + workspace_bytes(gpu) - dry[0].profile.workspace_bytes
        held = (reserved, reserved * REPLAY_ENDS[0], reserved * REPLAY_ENDS[1])
    else:
        closed = training_memory(shape, plan, gpu)
        allocated, dynamic = float(closed.peak_allocated_bytes), float(closed.dynamic_bytes)
        held = (allocated + dynamic * overhead.slack[0], allocated + dynamic * overhead.slack[1],
                allocated + dynamic * overhead.slack[2])
    central, low, high = (a + b for a, b in zip(held, overhead.context_bytes, strict=True))
    return central, low, high


def _cheapest_run(s: Scenario, shape: ModelShape, plan: TrainingPlan, mean: float, dry: DryPeak | None) -> _Run | None:
    """The run that costs least over the cards that it fits on, each at its cheapest offer; spot will do for training."""
    known, best = training_efficiencies(), None
    wanted, vendors = {find_gpu(g).id for g in s.candidates.gpus}, {v.lower() for v in s.candidates.vendors}
    cheapest: dict[str, RentalOffer] = {}
    for offer in rental_offers(s.as_of):
        if offer.kind is RentalKind.RESERVED or (offer.gpu not in wanted if wanted else offer.gpu.startswith("MI")):
            continue  # no measured training run on AMD cards stands behind the estimate: only where the user names one
        if vendors and offer.vendor.lower() not in vendors:
            continue
        known_offer = cheapest.get(offer.gpu)
        if known_offer is None or _instance_rent(offer) < _instance_rent(known_offer):
            cheapest[offer.gpu] = offer
    for name, offer in cheapest.items():
        gpu = find_gpu(name)
        memory = _memory(shape, plan, gpu, dry)
        if memory[0] > gpu.memory_bytes:
            continue
        run = training_run(shape, plan, gpu, known.step(), value_of(s.training.examples), mean, value_of(s.training.epochs))
        # one GPU trains, but the whole instance is rented
        found = _Run(float(run.gpu_hours) * offer.gpus_per_instance, offer, memory)
        if best is None or found.gpu_hours * offer.usd_per_gpu_hour < best.gpu_hours * best.offer.usd_per_gpu_hour:
            best = found
    return best
