"""What was run before, dry or on a card; and the rented card on which one training run costs least by it."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

from roi.catalog.cards.cuda_contexts import training_overhead
from roi.catalog.cards.gpus import find_gpu
from roi.catalog.models.configs import model_config
from roi.catalog.prices.gpu_offers import rental_offers
from roi.errors import InputError
from roi.estimate.step.calibration import Evidence, layout_of
from roi.estimate.step.step_time import training_hours
from roi.estimate.training.fitting import REPLAY_ENDS, reserved_range
from roi.estimate.training.memory import training_memory, workspace_bytes
from roi.estimate.training.plan import TrainingPlan
from roi.evidence.measured_servers import MeasuredServer, measured_servers
from roi.evidence.training_speed import CalibrationFile, speed_evidence
from roi.facts.gpu import Gpu
from roi.facts.model import ModelShape
from roi.facts.price import RentalKind, RentalOffer
from roi.facts.profiles import DryRunProfile
from roi.scenario.quantity import value_of
from roi.scenario.scenario import Scenario
from roi.store.profiles.lookup import PeakBytes, Store, StoredProfile, find_dry_peak


class KnownRuns(NamedTuple):
    """What was run before, dry or on a card."""

    store: Store
    speed: Callable[[Gpu, str], Evidence]
    """Evidence of training speed for a card and a layout."""
    servers: Callable[[str], tuple[tuple[MeasuredServer, ...], tuple[tuple[str, str], ...]]]
    """Servers measured on a card, newest first, and the profiles that say nothing, with the reason."""


def known_runs(store: Store | None = None, calibrations: Sequence[CalibrationFile] = ()) -> KnownRuns:
    """Profiles and calibration files, fitted once; without any, the published runs alone."""
    held = store or Store()
    return KnownRuns(held, speed_evidence(held, calibrations), cache(lambda gpu: measured_servers(held, gpu)))


class CheapestRun(NamedTuple):
    """One run on the card that makes it cheapest."""

    gpu_hours: float
    offer: RentalOffer
    memory: tuple[float, float, float]
    """Bytes of the process: central, 5th and 95th percentile."""
    gpu: Gpu
    evidence: Evidence
    """What its speed rests on."""


DryPeak = tuple[StoredProfile[DryRunProfile], PeakBytes]


def dry_peak(store: Store, shape: ModelShape, plan: TrainingPlan) -> DryPeak | None:
    """The stored dry run of this plan, with its peak; None where there is none, or no class that could have run it."""
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
        held = reserved_range(training_memory(shape, plan, gpu), overhead)
    central, low, high = (a + b for a, b in zip(held, overhead.context_bytes, strict=True))
    return central, low, high


def cheapest_run(
    s: Scenario, shape: ModelShape, plan: TrainingPlan, mean: float, dry: DryPeak | None, known: KnownRuns,
) -> CheapestRun | None:
    """The run that costs least over the cards that it fits on, each at its cheapest offer; spot will do for training."""
    wanted, vendors = {find_gpu(g).id for g in s.candidates.gpus}, {v.lower() for v in s.candidates.vendors}
    cheapest: dict[str, RentalOffer] = {}
    for offer in sorted(rental_offers(s.as_of), key=lambda o: o.usd_per_gpu_hour * o.gpus_per_instance):
        # no measured training run on AMD cards stands behind the estimate: only where the user names one
        admitted = offer.gpu in wanted if wanted else not offer.gpu.startswith("MI")
        if admitted and offer.kind is not RentalKind.RESERVED and (not vendors or offer.vendor.lower() in vendors):
            cheapest.setdefault(offer.gpu, offer)
    found = []
    for name, offer in cheapest.items():
        gpu = find_gpu(name)
        memory = _memory(shape, plan, gpu, dry)
        if memory[0] > gpu.memory_bytes:
            continue
        evidence = known.speed(gpu, layout_of(plan))
        examples, epochs = value_of(s.training.examples), value_of(s.training.epochs)
        hours = float(training_hours(shape, plan, gpu, evidence.efficiency, examples, mean, epochs) * plan.gpus)
        hours *= offer.gpus_per_instance  # one GPU trains, but the whole instance is rented
        found.append(CheapestRun(gpu_hours=hours, offer=offer, memory=memory, gpu=gpu, evidence=evidence))
    return min(found, key=lambda run: run.gpu_hours * run.offer.usd_per_gpu_hour, default=None)
