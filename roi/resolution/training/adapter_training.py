"""Facts of training an adapter: on which GPUs, for how many hours, at what rent, or why it can be trained on none."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date as Date
from functools import partial
from itertools import count
from typing import NamedTuple

import numpy as np

from roi.catalog.cards.gpus import find_gpu
from roi.catalog.efficiencies.training_efficiencies import training_efficiencies
from roi.catalog.prices.gpu_offers import Offers
from roi.economics.inputs import HOURS_FACTOR, Option, Plan, Training, path_of
from roi.economics.worked_out import TrainingFacts
from roi.errors import ScenarioError
from roi.estimate.fitting.distance import UNCOUNTED
from roi.estimate.fitting.gpu_fit import SQUEEZED, TIGHT, apart_told, doubt, doubt_told
from roi.estimate.training.adapters import rank_bound
from roi.estimate.training.plan import TrainingPlan
from roi.estimate.training.setting import refusal, scores_kept_here
from roi.estimate.training.stacks import trainer_habits
from roi.evidence.known_runs import KnownRuns
from roi.evidence.training_speed import evidence_line
from roi.facts.fact import Basis
from roi.facts.gpu import Gpu
from roi.facts.model import ModelShape
from roi.resolution.fact_sheet import FactSheet
from roi.resolution.training.training_runs import (
    LIGHTER,
    CheapestRun,
    DryRun,
    Place,
    TrainingCards,
    cheapest_run,
    dry_peak,
    gpus_paid,
    mean_tokens,
    places_of,
    run_room,
    training_cards,
    training_tokens,
)
from roi.scenario.quantity import as_spread
from roi.scenario.scenario import Scenario
from roi.units import GIB

LONGEST_OVER_MEAN = 4.0
"""Longest training sequence over the mean where nobody states it: lengths of the bundled trace reach 3.6 times their mean."""
LONGEST_OVER_CELL = 2.0
"""At most this times the largest cell of `workload.lengths`: a cell holds a mean, and its own lengths spread around that."""
LENGTH_STEP = 128.0
"""Tokens to which the longest sequence that fits is found."""


class _Found(NamedTuple):
    """A plan, why it cannot be, its dry run, and the cheapest run of it, as far as there are any."""

    plan: TrainingPlan
    refused: str | None
    dry: DryRun | None = None
    run: CheapestRun | None = None

    @property
    def settled(self) -> bool:
        """True where there is a run, or can be none whatever the card."""
        return self.run is not None or self.refused is not None


def add_training(sheet: FactSheet, s: Scenario, id: str, shape: ModelShape, method: str, own: Offers = ()) -> None:
    """GPU hours of one run on the card that makes it cheapest; infeasible where it fits on none.

    One of `own` where it fits, else several of them, else one that is rented, else several of a rented instance; of these
    one that holds it at the 95th percentile of memory before one that does by the central estimate; and last of all, with a
    warning, one that holds it only as torch's allocator gives back its cache.
    Memory is that of a known dry run where there is one of this plan (the HF Trainer's loop), else the closed form. Where only
    the default of the longest sequence fits on no card, the longest that does is taken, with a warning.
    """
    t, mean = s.training, mean_tokens(s)
    if t.usd_per_gpu_hour is not None:
        _stated_training(sheet, s, id)
        return
    asked, cards = _longest_tokens(s, shape, mean), training_cards(s, own)

    def run_at(tokens: float, places: list[list[Place]], doubtful: int) -> _Found:
        plan = TrainingPlan(method=method, rank=float(t.rank), micro_batch=float(t.micro_batch), seq=tokens,
                            checkpointing=t.checkpointing, trainer="hf", autocast=trainer_habits("hf", "bf16").autocast)
        most = rank_bound(shape, plan)
        wide = f"training.rank {t.rank:,} is above {most:,.0f}, the full rank of the widest target" if t.rank > most else ""
        if refused := wide or refusal(shape, plan):
            return _Found(plan, refused)
        dry = dry_peak(sheet.known.store, shape, plan)
        runs = (cheapest_run(s, shape, plan, mean, dry, sheet.known, each, doubtful) for each in places)
        return _Found(plan, None, dry, next((run for run in runs if run is not None), None))

    def longest_run(places: list[list[Place]], doubtful: int) -> _Found:
        """The run at the longest sequence; if that is a default and fits nowhere, at the longest that does, with a warning."""
        found, fits, longest = run_at(asked, places, doubtful), float(np.ceil(mean)), asked
        if found.settled or t.longest_tokens is not None or run_at(fits, places, doubtful).run is None:
            return found
        while longest - fits > LENGTH_STEP:
            middle = float(np.floor((fits + longest) / 2.0))
            fits, longest = (middle, longest) if run_at(middle, places, doubtful).run is not None else (fits, middle)
        found = run_at(fits, places, doubtful)
        on = "one GPU" if found.run is None or found.run.plan.gpus == 1 else f"{found.run.plan.gpus} GPUs"
        maybe = _maybe(shape, replace(found.plan, seq=asked), cards.gpus(), sheet.known)
        sheet.warnings.append(f"{method} of {shape.id}: sequences of {fits:,.0f} tokens are the longest that fit on {on},"
                              f" {asked:,.0f} were taken{maybe}; if examples are longer, cut them, or state"
                              " training.longest_tokens")
        return found

    near, rented = places_of(cards, s.own_hardware.gpus_per_server)
    found = longest_run(near, TIGHT)
    for places, doubtful in ((rented, TIGHT), ([*near, *rented], SQUEEZED)):
        found = found if found.settled else longest_run(places, doubtful)
    plan, refused, dry, best = found
    if t.gpu_hours is None:
        _add_hours_factor(sheet, method, best)
    if best is None:
        where = ("no single rented GPU" if t.gpu is None else f"no single {find_gpu(t.gpu).id}") + _nor_on_several(s, cards)
        short = float(np.ceil(mean))  # to which a length that is not stated is cut without being told
        way = _what_fits(shape, plan if t.longest_tokens is not None else replace(plan, seq=short), short, cards.gpus(),
                         sheet.known)
        why = f"{method} of {shape.id} at {asked:,.0f} tokens fits on {where}; {way}state training.gpu and gpu_hours"
        source = "peft" if refused else "memory in closed form" if dry is None else f"dry run {dry[1].source}"
        sheet.state(path_of(Option, "infeasible", option=id), refused or why, source)
        return
    path, offer = partial(path_of, TrainingFacts, option=id), best.offer
    sheet.state(path("vendor_usd"), 0.0, "trained on GPUs", "USD")
    _add_card(sheet, s, id, shape, best, mean, dry, cards)
    _stated_hours(sheet, s, id)
    sheet.add(
        path("gpu_hours"), best.gpu_hours, "GPU-hours",
        basis=Basis.MEASURED if best.evidence.level == "profile" else Basis.CALIBRATED,
        source=f"{training_tokens(s):,.0f} tokens at the roofline's step time x fitted efficiency; "
        + evidence_line(best.gpu, best.evidence), date=_fitted_on(sheet, best),
    )
    sheet.add(path_of(Training, "usd_per_gpu_hour", option=id), offer.usd_per_gpu_hour, "USD/GPU-hour", basis=offer.basis,
              source=f"{offer.vendor} {offer.kind}: {offer.source}", date=offer.date)


def _add_card(
    sheet: FactSheet, s: Scenario, id: str, shape: ModelShape, run: CheapestRun, mean: float, dry: DryRun | None,
    cards: TrainingCards,
) -> None:
    """On which card the run is, or on how many of one, why on none of one's own or on several, and its memory on each."""
    plan, card, gpus, owned = run.plan, run.offer.gpu, run.plan.gpus, run.offer.owned is not None
    chosen = "cheapest run among the cards that it fits on" if s.training.gpu is None else "scenario training.gpu"
    if gpus > 1 or (cards.mine and not owned):
        tried = [find_gpu(offer.gpu) for offer in cards.mine] or cards.gpus()
        alone = replace(plan, gpus=1, sharding="none")
        way = _what_fits(shape, alone, float(np.ceil(mean)), tried, sheet.known).removesuffix(", or ")
        nor = _nor_on_several(s, cards._replace(several=())) if not owned else ""
        over = ""
        if gpus > 1:
            whole = "" if owned else f" of an instance of {run.offer.gpus_per_instance}"
            over = f": FSDP over {gpus}{whole} takes {run.gpu_hours / gpus_paid(plan, run.offer):,.3g} h a run"
        way = f"{', or ' if over else ': '}{way}" if way else ""
        single = "card of yours" if cards.mine else "rented GPU"
        maybe = _maybe(shape, alone, tried, sheet.known)
        chosen += f"; a run at {plan.seq:,.0f} tokens fits on no single {single}{maybe}{nor}{over}{way}"
    told = doubt_told(run.room)
    chosen += f"; {told}" * bool(told)
    chosen += f"; cheaper, but tight (not at the 95th percentile): {', '.join(run.tight)}" * bool(run.tight)
    if doubt(run.room) == SQUEEZED and (s.training.gpu is None or s.training.gpu_hours is None):
        way = _what_fits(shape, plan, float(np.ceil(mean)), [run.gpu], sheet.known)
        sheet.warnings.append(f"{plan.method} of {shape.id} may not fit on {card} at {plan.seq:,.0f} tokens: {told};"
                              f" {way}name a larger card in training.gpu")
    sheet.state(f"options.{id}.training.gpu", card, chosen)
    if gpus > 1:
        _add_several(sheet, s, id, run)
    held = "closed form" if shape.family in UNCOUNTED else "closed form held to dry runs"
    dry = None if gpus > 1 or scores_kept_here(shape, plan, run.gpu) else dry
    if dry is not None:
        held = f"dry run {dry[1].source}"
        if told := apart_told(run.room):
            sheet.warnings.append(f"{plan.method} of {shape.id} on {card}: {told}")
    low, high = run.room.low_bytes / GIB, run.room.high_bytes / GIB
    where = card if gpus == 1 else f"each of {gpus} x {card}"
    sheet.add(f"options.{id}.training.memory_bytes", run.room.needed_bytes, "bytes",
              basis=Basis.CALIBRATED if dry is None else Basis.DRY_RUN,
              source=f"peak of the process on {where}, {held}; 5-95%: {low:.1f} to {high:.1f} GiB",
              date=None if dry is None else dry[0].profile.started.date())


def _nor_on_several(s: Scenario, cards: TrainingCards) -> str:
    """What is told of several cards where the run fits on none of them either; empty where one is all that there is."""
    most = cards.most_together(s.own_hardware.gpus_per_server)
    return f", nor over {most} with FSDP" if most > 1 else ""


def _add_several(sheet: FactSheet, s: Scenario, id: str, run: CheapestRun) -> None:
    """How many cards a run takes; where the adapter is trained again, plans on a card that is owned keep as many for it."""
    gpus, owned = run.plan.gpus, run.offer.owned
    told = (f"the fewest of your {owned} that hold it with FSDP" if owned is not None else
            f"cheapest of 2, 4 and 8 that hold it with FSDP; all {run.offer.gpus_per_instance} GPUs of the instance are paid")
    sheet.state(f"options.{id}.training.gpus", gpus, told, "GPUs")
    for number in count() if owned is not None and s.training.retrain_every_months is not None else ():
        card = sheet.facts.get(path_of(Plan, "gpu", option=id, plan=number))
        if card is None:
            return
        if card.value == run.offer.gpu:
            path = path_of(Plan, "gpus_to_train", option=id, plan=number)
            sheet.state(path, gpus, f"a retraining takes {told}", "GPUs")


def _what_fits(shape: ModelShape, plan: TrainingPlan, shortest: float, gpus: Sequence[Gpu], known: KnownRuns) -> str:
    """What fits on one of the cards in the plan's place, before the last resort: a shorter sequence or a lighter method."""
    short, others = replace(plan, seq=shortest), [name for name in LIGHTER if name != plan.method]
    tried = {"shorten training.longest_tokens": short, **{f"use {name}": replace(plan, method=name) for name in others}}
    tried |= {f"use {name} and shorten training.longest_tokens": replace(short, method=name) for name in others}
    way = next((told for told, other in tried.items() if other != plan and not refusal(shape, other)
                and any(doubt(run_room(shape, other, gpu, None, known)) <= TIGHT for gpu in gpus)), "")
    return f"{way}, or " if way else ""


def _maybe(shape: ModelShape, plan: TrainingPlan, gpus: Sequence[Gpu], known: KnownRuns) -> str:
    """Which single card holds the plan only as torch's allocator gives back its cache, the likeliest one; empty for none."""
    alone = replace(plan, gpus=1, sharding="none")
    dry = dry_peak(known.store, shape, alone)
    rooms = [(gpu.id, room) for gpu in gpus if doubt(room := run_room(shape, alone, gpu, dry, known)) == SQUEEZED]
    name, likeliest = max(rooms, key=lambda each: each[1].chance, default=("", None))
    return "" if likeliest is None else f" (maybe on {name}, {doubt_told(likeliest)})"


def _fitted_on(sheet: FactSheet, run: CheapestRun | None) -> Date | None:
    """The day of the newest profile or table that the run's speed rests on; else that of the fit of published runs."""
    known, behind = sheet.known, set[str]()
    if run is not None:
        behind = {name.removesuffix(f" on {run.gpu.id}") for name in run.evidence.sources}
    days = [each.profile.started.date() for each in known.store.profiles if each.name in behind]
    days += [file.date for file in known.calibrations if any(row.source in behind for row in file.rows)]
    return max(days, default=training_efficiencies().overall.date)


def _stated_hours(sheet: FactSheet, s: Scenario, id: str) -> None:
    """The GPU-hours of a run that the scenario states, if it does; their spread is one fact for all adapters."""
    if s.training.gpu_hours is None:
        return
    q, stated, path = as_spread(s.training.gpu_hours), "scenario training.gpu_hours", partial(path_of, TrainingFacts, option=id)
    ends = [None if end is None or q.low == q.high else end / q.value for end in (q.low, q.high)]
    sheet.add(HOURS_FACTOR, 1.0, "ratio", basis=Basis.STATED, source=q.source or stated, date=q.date, low=ends[0], high=ends[1])
    sheet.add(path("gpu_hours"), q.value, "GPU-hours", basis=Basis.STATED, source=q.source or stated, date=q.date)


def _stated_training(sheet: FactSheet, s: Scenario, id: str) -> None:
    """A run whose hours and price the scenario states: no card is looked for, no memory checked."""
    sheet.state(path_of(TrainingFacts, "vendor_usd", option=id), 0.0, "trained on GPUs", "USD")
    _stated_hours(sheet, s, id)
    sheet.field("training.usd_per_gpu_hour", s.training, "usd_per_gpu_hour", "training")


def _longest_tokens(s: Scenario, shape: ModelShape, mean: float) -> float:
    """Tokens of the longest training sequence: stated, or by the lengths, else by their mean; at most the model's context."""
    t, w = s.training, s.workload
    if t.longest_tokens is not None:
        if t.longest_tokens > shape.context_tokens:
            most = f"{shape.id} reads at most {shape.context_tokens} tokens"
            raise ScenarioError("training.longest_tokens", t.longest_tokens, most)
        if t.longest_tokens < np.floor(mean):
            raise ScenarioError("training.longest_tokens", t.longest_tokens, f"at least the mean example, {mean:,.0f} tokens")
        return float(t.longest_tokens)
    longest = min(float(np.ceil(mean * LONGEST_OVER_MEAN)), float(shape.context_tokens))
    if w.lengths is not None and t.tokens_per_example is None:
        longest = min(longest, float(np.ceil(LONGEST_OVER_CELL * max(b.input_tokens + b.output_tokens for b in w.lengths))))
    return longest


def _add_hours_factor(sheet: FactSheet, method: str, run: CheapestRun | None) -> None:
    """How far hours may be off: one factor for every run of a method, as wide as the widest of them.

    Methods are drawn apart: what one's kernels cost says little of another's.
    """
    path, known = path_of(TrainingFacts, "hours_factor", method=method), training_efficiencies().overall
    low, high = known.spread()
    central, source = known.number(), known.source
    if run is not None:
        low, high, central = run.evidence.low, run.evidence.high, float(run.evidence.efficiency.overall)
        source = evidence_line(run.gpu, run.evidence)
    before = sheet.facts.get(path)
    least, most = min(central / high, 1.0), max(central / low, 1.0)
    if before is not None and before.low is not None and before.high is not None:
        if before.low <= least and most <= before.high:
            return
        least, most = min(least, before.low), max(most, before.high)
        del sheet.facts[path]
    told = f"hours of a run against the roofline: {source}"
    sheet.add(path, 1.0, "ratio", basis=known.basis, low=least, high=most, source=told, date=_fitted_on(sheet, run))
