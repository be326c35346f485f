"""The run that trains an adapter at the least cost: on one GPU, or sharded over several, of those that can be had."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, NamedTuple

from roi.catalog.cards.gpus import find_gpu
from roi.catalog.efficiencies.cuda_contexts import training_overhead
from roi.catalog.models.configs import model_config
from roi.catalog.prices.gpu_offers import Offer, Offers, rents
from roi.errors import InputError, ScenarioError
from roi.estimate.fitting.dry_peaks import DryPeaks
from roi.estimate.fitting.gpu_fit import TIGHT, Room, doubt, room_on
from roi.estimate.step.calibration import Evidence
from roi.estimate.step.step_time import training_hours
from roi.estimate.training.memory import card_kind, on_card, training_memory
from roi.estimate.training.plan import TrainingPlan
from roi.estimate.training.setting import refusal
from roi.evidence.known_runs import KnownRuns
from roi.evidence.training_speed import with_rates, within_peak
from roi.facts.fact import Basis
from roi.facts.gpu import AMD, Gpu, is_apple
from roi.facts.model import ModelShape
from roi.facts.profiles import DryRunProfile
from roi.scenario.quantity import value_of
from roi.scenario.scenario import Scenario
from roi.store.profiles.lookup import Store, StoredProfile, find_dry_peak

LIGHTER = ("lora", "qlora")
"""Methods that may take less, the faster first; which one does depends on the model: QLoRA's fp32 copies of experts can be
most of a mixture."""
RENTED_TOGETHER: Final = (2, 4, 8)
"""GPUs of one rented instance over which a run is sharded."""


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


class CheapestRun(NamedTuple):
    """One run on the card, or the cards of one server, that make it cheapest."""

    plan: TrainingPlan
    gpu_hours: float
    """GPU-hours of all GPUs that are paid: a rented instance is as a whole."""
    offer: Offer
    room: Room
    """Room of the process on one card."""
    gpu: Gpu
    evidence: Evidence
    """What its speed rests on."""
    tight: tuple[str, ...] = ()
    """Cards on which it costs less and fits, but with more doubt."""

    @property
    def usd(self) -> float:
        """Rent of the run, USD."""
        return self.gpu_hours * self.offer.usd_per_gpu_hour


def gpus_paid(plan: TrainingPlan, offer: Offer) -> int:
    """GPUs that are paid while the plan runs on this offer: of one's own those that it takes, else the whole instance."""
    return plan.gpus if offer.owned is not None else offer.gpus_per_instance


DryRun = tuple[StoredProfile[DryRunProfile], DryPeaks]


def dry_peak(store: Store, shape: ModelShape, plan: TrainingPlan) -> DryRun | None:
    """The stored dry run of this plan, with its peaks; None where there is none, or no class that could have run it."""
    try:
        config = model_config(shape)
    except InputError:
        return None
    return find_dry_peak(store, shape.id, plan, config.config_hash)


def run_room(shape: ModelShape, plan: TrainingPlan, gpu: Gpu, dry: DryRun | None, known: KnownRuns) -> Room:
    """Whether this card holds the plan, as `roi fit` has it; what torch holds is worked out once for cards of a kind."""
    overhead = training_overhead(gpu).with_collectives(plan)
    memory = known.once(("training memory", shape, plan, card_kind(gpu)), partial(training_memory, shape, plan, gpu))
    closed = on_card(memory, overhead.slack[0], overhead.context_bytes[0], gpu)
    return room_on(shape, plan, gpu, overhead, closed, None if dry is None else dry[1])


class TrainingCards(NamedTuple):
    """What there is to train on, each offer the cheapest of its kind."""

    mine: Offers
    """Cards of the option's own, which cost no rent."""
    single: Offers
    """One rented instance of each card, for a run on one GPU."""
    several: Offers
    """One rented instance of each card and size above one, for a run over its GPUs."""

    def most_together(self, server: int) -> int:
        """The most GPUs over which a run can be sharded: of one's own in one server, or of an instance."""
        own = [min(offer.owned or 1, server) for offer in self.mine]
        return max([*own, *(n for offer in self.several for n in rented_together(offer))], default=1)

    def gpus(self) -> list[Gpu]:
        """Every GPU among these cards."""
        return [find_gpu(offer.gpu) for offer in (*self.mine, *self.single)]


def rented_together(offer: Offer) -> list[int]:
    """Over how many GPUs of an instance a run may be sharded."""
    return [n for n in RENTED_TOGETHER if n <= offer.gpus_per_instance]


def training_cards(s: Scenario, own: Offers) -> TrainingCards:
    """Cards to train on: the option's own, and rented ones where none will do.

    No list price with a commitment is taken, but a rent that the user states is; spot will do for training.
    """
    t, vendors = s.training, {v.lower() for v in s.candidates.vendors}
    named = {t.gpu: "training.gpu"} if t.gpu is not None else dict.fromkeys(s.candidates.gpus, "candidates.gpus")
    wanted = {gpu.id for name, field in named.items() if not (gpu := find_gpu(name, field)).apple}
    if t.gpu is not None and not wanted:
        raise ScenarioError("training.gpu", t.gpu, "training is not estimated on Apple's GPUs: name a card with CUDA or ROCm")
    free = {o.gpu: o._replace(gpus_per_instance=1, basis=Basis.STATED, source="the cards are there; their power is not counted")
            for o in own if (t.gpu is None or o.gpu in wanted) and not is_apple(o.gpu)}
    single, several = dict[str, Offer](), dict[tuple[str, int], Offer]()
    for offer in sorted(rents(s), key=lambda o: o.usd_per_gpu_hour * o.gpus_per_instance):
        # no measured training run on AMD cards stands behind the estimate: only where the user names one
        admitted = offer.gpu in wanted if wanted else not offer.gpu.startswith(AMD)
        unbound = offer.minimum_months == 0 or offer.stated is not None
        if admitted and unbound and (offer.vendor.lower() in vendors if vendors else not offer.level_only):
            single.setdefault(offer.gpu, offer)
            if offer.gpus_per_instance > 1:
                several.setdefault((offer.gpu, offer.gpus_per_instance), offer)
    if t.gpu is not None and not single and not free:
        told = "no vendor of the scenario rents it without a commitment; state your rent in gpu_rents"
        raise ScenarioError("training.gpu", t.gpu, told)
    return TrainingCards(mine=tuple(free.values()), single=tuple(single.values()), several=tuple(several.values()))


Place = tuple[Offer, Sequence[int]]
"""An offer, and over how many of its GPUs a run may be."""


def places_of(cards: TrainingCards, server: int) -> tuple[list[list[Place]], list[list[Place]]]:
    """Where a run may be, the first that will do before the next; and what is left where not even a shorter one will do there.

    One of one's own cards, several of them in one server, one rented GPU; then several of a rented instance.
    """
    own = [(offer, range(2, min(server, offer.owned or 1) + 1)) for offer in cards.mine]
    near: list[list[Place]] = [[(offer, (1,)) for offer in cards.mine], [*own], [(offer, (1,)) for offer in cards.single]]
    return near, [[(offer, rented_together(offer)) for offer in cards.several]]


def cheapest_run(
    s: Scenario, shape: ModelShape, asked: TrainingPlan, mean: float, dry: DryRun | None, known: KnownRuns,
    places: Iterable[Place], most: int = TIGHT,
) -> CheapestRun | None:
    """The run that costs least over the places in which it fits, the shortest where none has a rent; None where in none.

    What a card holds at the 95th percentile of memory comes before all else, of which there is at `most` this much `doubt`. Of
    those that cost the same the one on the most GPUs of a rented instance, which is paid as a whole. A stated number of
    GPU-hours is that of any card; where the card is stated too, its memory is not looked at.
    """
    ran = None if dry is None else dry[0].profile
    found = [_run_on(s, shape, plan, room, mean, known, offer, ran) for offer, counts in places
             for plan, room in _that_fit(s, shape, asked, dry, known, find_gpu(offer.gpu), counts, most)]
    best = min(found, default=None, key=lambda run: (
        doubt(run.room), run.usd, run.gpu_hours, -run.plan.gpus if run.offer.owned is None else run.plan.gpus))
    return best and best._replace(
        evidence=within_peak(best.evidence, best.gpu, shape, _of_mean_length(best.plan, mean)),
        tight=tuple(dict.fromkeys(run.gpu.id for run in found if run.usd < best.usd)))


def _that_fit(
    s: Scenario, shape: ModelShape, asked: TrainingPlan, dry: DryRun | None, known: KnownRuns, gpu: Gpu, counts: Sequence[int],
    most: int,
) -> list[tuple[TrainingPlan, Room]]:
    """The plan on one such card, or over several with FSDP, as far as a card holds it; each with its room on one card."""
    trusted = 1 in counts and s.training.gpu is not None and s.training.gpu_hours is not None
    if 1 not in counts and (asked.int8 or refusal(shape, replace(asked, sharding="fsdp", gpus=2))):
        return []
    jobs = [asked] if 1 in counts else [replace(asked, sharding="fsdp", gpus=n) for n in counts]
    rooms = [(job, run_room(shape, job, gpu, dry if job.gpus == 1 else None, known)) for job in jobs]
    return [(job, room) for job, room in rooms if trusted or doubt(room) <= most]


def _run_on(
    s: Scenario, shape: ModelShape, plan: TrainingPlan, room: Room, mean: float, known: KnownRuns, offer: Offer,
    dry: DryRunProfile | None,
) -> CheapestRun:
    t, gpu, timed = s.training, find_gpu(offer.gpu), _of_mean_length(plan, mean)
    evidence = with_rates(known.speed(gpu, shape, timed), shape, timed, gpu, dry, known.store)
    if t.gpu_hours is not None:
        hours = value_of(t.gpu_hours)
    else:
        examples, epochs = value_of(t.examples), value_of(t.epochs)
        make = partial(training_hours, shape, plan, gpu, evidence.efficiency, examples, mean, epochs)
        hours = float(known.once(("training hours", shape, plan, gpu.id, examples, mean, epochs), make))
        hours *= gpus_paid(plan, offer)
    return CheapestRun(plan=plan, gpu_hours=hours, offer=offer, room=room, gpu=gpu, evidence=evidence)


def _of_mean_length(plan: TrainingPlan, mean: float) -> TrainingPlan:
    """The plan on examples of the mean length, which its speed is that of."""
    return replace(plan, seq=min(mean, float(plan.seq)))
