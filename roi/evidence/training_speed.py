"""What training speed rests on, card by card: the best of training profiles, fits among the profiles, and those of roi."""

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from functools import cache, partial
from typing import Any, Final, get_args

import numpy as np

from roi.catalog.cards.gpus import find_gpu
from roi.catalog.efficiencies.training_efficiencies import training_efficiencies
from roi.catalog.models.config_shapes import shape_of_config
from roi.catalog.models.configs import ModelConfig
from roi.catalog.models.shapes import known_model
from roi.catalog.rows import read_json
from roi.errors import InputError, first_of
from roi.estimate.accuracy.measured_run import MeasuredRun, theory_s, timed_run
from roi.estimate.step.calibration import (
    LONE_BETWEEN,
    Evidence,
    GroupFit,
    TimedRun,
    evidence_for,
    layout_of,
    size_of,
    steps_told,
)
from roi.estimate.step.own_runs import Asked, nothing_published, pooled, with_own_runs
from roi.estimate.step.rates import device_rates
from roi.estimate.step.roofline import device_evidence
from roi.estimate.step.step_time import StepEfficiency, StepWork, step_time, step_work
from roi.estimate.training.peft_methods import VIRTUAL
from roi.estimate.training.plan import TrainingPlan
from roi.estimate.training.sharding import LinkSpeed
from roi.evidence.measured_links import measured_links
from roi.evidence.trained_rows import CalibrationFile, own_rows
from roi.facts.gpu import Gpu
from roi.facts.model import ModelShape
from roi.facts.profiles import Collective, DeviceProfile, DryRunProfile, TrainProfile
from roi.numerics.spreads import TAIL, joint_high, joint_low
from roi.store.profiles.folders import canonical_gpu
from roi.store.profiles.lookup import Store, StoredProfile, of_card, of_kind, read_plan

PACES: Final[dict[str, tuple[float, float, float]]] = {
    "path": (0.88, 0.67, 1.05), "weight": (0.98, 0.71, 1.16), "scale": (1.04, 0.83, 1.24), "whole": (1.0, 0.64, 1.15)}
"""Speed of peft's tuners beside LoRA over that of LoRA's roofline on the same targets with what the tuner makes of weights
(step/tuner_work.py), by family: median, 5th and 95th percentile over 160 rows of its method comparison, methods weighted by the
root of their rows (lab/fit_training_intervals.py). They are one model on one card (3.2B, some 840 tokens a step)."""
PACES_SOURCE: Final = "huggingface/peft method_comparison"
"""Where the rows are."""
PACED_ROWS: Final = {
    "adalora": 4, "adamss": 2, "adaption_prompt": 6, "bat": 6, "bdlora": 2, "beft": 2, "boft": 4, "c3a": 3, "deft": 2,
    "delora": 3, "fourierft": 8, "frod": 2, "glora": 2, "gralora": 2, "hira": 2, "ia3": 9, "lily": 4, "ln_tuning": 4,
    "loha": 4, "lokr": 5, "lora_fa": 4, "mica": 1, "miss": 9, "oft": 4, "osf": 3, "p_tuning": 4, "peanut": 4,
    "prefix_tuning": 8, "prompt_tuning": 11, "psoft": 4, "pvera": 3, "randlora": 4, "road": 3, "shira": 3, "tinylora": 4,
    "trainable_tokens": 3, "unilora": 1, "vblora": 4, "vera": 4, "waveft": 3,
}
"""How many of them are of each method; of HRA, and of what other packages have of their own, there is none."""
LARGEST_JOB: Final = 512
"""GPUs of the largest job among the runs that speed was fitted to (lab/tables)."""


@cache
def published_fits() -> tuple[GroupFit, ...]:
    """Fits of the published rows that came with roi, by source, card and layout (lab/fit_training_calibration.py)."""
    return tuple(GroupFit(**group) for group in read_json("efficiencies/training_calibration.json")["groups"])


def _shape(profile: TrainProfile) -> ModelShape:
    """The shape of the model that was trained, of the catalog or as its entries make it; InputError where neither has it."""
    if profile.config is not None:
        return shape_of_config(ModelConfig(profile.model, profile.config, ""))
    if (known := known_model(profile.model, exact=True)) is None:
        raise InputError(f"{profile.model} is no model of the catalog")
    return known


def why_unread(profile: TrainProfile) -> str:
    """Why no speed is read from a training profile, the roofline being that of an eager step; empty where it is."""
    if profile.compiled:
        return "its steps were compiled, and the roofline is that of eager ones"
    try:
        _shape(profile)
    except InputError as error:  # of entries that cannot be counted it says which, and what to do
        return str(error).removeprefix("MODEL: ")
    card = canonical_gpu(profile.environment)
    try:
        find_gpu(card)
    except InputError:
        return (f"{'a CPU' if card == 'cpu' else card} is no card of the catalog until gpus.json of your data folder describes"
                " it (docs/guides/add-a-gpu.md)")
    return ""


def profile_runs(stored: StoredProfile[TrainProfile]) -> tuple[MeasuredRun, ...]:
    """Each point of a training profile as a measured run, warm-up cut; none where `why_unread` says something.

    On real lengths padding counts as tokens, as the step computes it.
    """
    profile = stored.profile
    if why_unread(profile):
        return ()
    model, gpu = _shape(profile), find_gpu(canonical_gpu(profile.environment))
    plan, runs = read_plan(profile.plan), []
    for number, point in enumerate(profile.points, start=1):
        if point.timed_s:
            width = point.mean_slots / point.micro_batch
            widest = max(point.slots) / point.micro_batch if point.slots else width
            same = replace(plan, micro_batch=float(point.micro_batch), seq=widest, padded=plan.padded and bool(point.slots))
            runs.append(MeasuredRun(
                id=f"{stored.name}#{number}", source=stored.name, method=plan.method, gpu_name=gpu.id, model=model, plan=same,
                gpu=gpu, mean_tokens=width, memory_bytes=point.memory.allocated_bytes, memory_kind="allocated",
                tokens_per_s=point.mean_slots / point.typical_s * plan.gpus,
            ))  # fmt: skip
    return tuple(runs)


Speed = Callable[[Gpu, ModelShape, TrainingPlan], Evidence]
"""What the training speed of a plan on a card rests on."""


def speed_evidence(store: Store) -> Speed:
    """The evidence for training speed on any card: the published fits, and over them profiles on it.

    `store` is read for training profiles of every model. All are fitted once.
    Of the profiles those with the plan's `kernels` count: the roofline knows not all that others save.
    Of profiles those of mixtures count for a mixture, and those of dense models for a dense one: their kernels differ.
    Between several GPUs count the collectives that a device profile timed between as many, else the datasheet's.
    `level` of the answer says which evidence it is: profile; gpu (other sources on this card); layout or all (no run on this
    card: those on others, with the spread of cards of its kind); tuner (LoRA's, at the pace of peft's tuners of a family; its
    own profiles over that are a profile); mixture (published runs, all of dense models, and what is not known of its experts).
    """
    fitted = fitted_speed(store)
    return lambda gpu, shape, plan: within_peak(fitted(gpu, shape, plan), gpu, shape, plan)


def fitted_speed(store: Store, calibrations: Sequence[CalibrationFile] = ()) -> Speed:
    """`speed_evidence` with intervals as runs scatter, which may go beyond a card's peak: `within_peak` ends them there.

    Runs of one's own tables, the `calibrations` of `find_calibrations`, count as points of profiles do.
    """
    known = training_efficiencies().step()
    links = cache(partial(measured_links, store))
    own = [(replace(one, model=_named(run.model)), run.plan, run.model.mixture)
           for run in (*(run for stored in of_kind(store, TrainProfile) for run in profile_runs(stored)),
                       *own_rows(calibrations))
           for step in [replace(known, links=links(run.gpu_name, run.plan.gpus)[0])]
           if (one := timed_run(run, step, tuners=True)) is not None]

    def evidence(gpu: Gpu, shape: ModelShape, plan: TrainingPlan) -> Evidence:
        layout = layout_of(plan)
        asked = (gpu.id, layout, plan.kernels, shape.mixture)
        here = [(run, p) for run, p, mixture in own if (run.gpu, run.layout, p.kernels, mixture) == asked]

        def after(found: Evidence, mine: Sequence[TimedRun], method: str) -> Evidence:
            if not mine:
                return found
            theory = theory_s(shape, plan, gpu, replace(known, links=links(gpu.id, plan.gpus)[0]))
            return with_own_runs(found, mine, Asked(method, _named(shape), theory, size_of(plan)))

        published = evidence_for(gpu.id, layout, published_fits(), known, pcie=gpu.pcie) or nothing_published(known)
        published = of_mixture(published) if shape.mixture else published
        found = after(published, [run for run, p in here if p.tuner is None], "lora" if plan.tuner else plan.method)
        timed, source = links(gpu.id, plan.gpus)
        if timed:
            found = replace(found, efficiency=replace(found.efficiency, links=timed), sources=(*found.sources[:2], source))
        if plan.tuner is None:
            return found
        tuned = [(run, computed(p) / computed(plan)) for run, p in here if p.method == plan.method]
        found = paced(found, plan)
        return after(found, [replace(run, theory_s=run.theory_s * more) for run, more in tuned], plan.method)

    return evidence


def _named(shape: ModelShape) -> str:
    """What tells one model from another: folders of one name may hold several."""
    return f"{shape.id} {shape.parameters}"


def within_peak(
    found: Evidence, gpu: Gpu, shape: ModelShape, plan: TrainingPlan, work: StepWork | None = None,
) -> Evidence:
    """The evidence with its fast end at most where every piece of the step runs at the card's peak, and nothing waits.

    The peak is the datasheet's, or the best product of the card where that is more (GeForce cards exceed their clock).
    The centre stands: what was measured beyond it says that the work counted here was not all done. Links have their own speed.
    `work` is that of model and plan, which all cards share.
    """
    if found.high <= 1.0:  # the roofline's own rates are no higher than the peak
        return found
    own, best = found.efficiency, found.efficiency.matrix_of.get(gpu.id)
    peak = StepEfficiency(matrix=max(1.0, best or 1.0), bandwidth=1.0, launch_s=0.0)
    own = replace(own, matrix=own.matrix if best is None else best, overall=1.0)
    both: dict[str, Any] = {  # Any: numbers of either, by their names
        each.name: np.array([getattr(own, each.name), getattr(peak, each.name)]) for each in fields(StepEfficiency)
        if not isinstance(getattr(peak, each.name), dict)}
    links = dict.fromkeys(get_args(Collective), LinkSpeed(0.0, np.inf))
    step = step_time(shape, plan, gpu, StepEfficiency(**both, links=links), work)
    own_s, peak_s = np.asarray(step.micro_step_s + (step.optimizer_s + step.synchronisation_s) / plan.accumulation)
    return replace(found, high=min(found.high, max(float(own_s / peak_s), float(found.efficiency.overall))))


def computed(plan: TrainingPlan) -> float:
    """Tokens that are computed over those that count: virtual ones are beside them."""
    return float((plan.seq + plan.rank) / plan.seq) if plan.method in VIRTUAL else 1.0


def paced(found: Evidence, plan: TrainingPlan) -> Evidence:
    """The evidence for LoRA at the pace of the plan's own tuner, which the roofline does not count, and with its spread too."""
    assert plan.tuner is not None
    middle, slowest, fastest = PACES[plan.tuner.family]
    before, scale = float(found.efficiency.overall), middle / computed(plan)
    low, high = joint_low((found.low / before, slowest / middle)), joint_high((found.high / before, fastest / middle))
    overall = before * scale
    return replace(found, efficiency=replace(found.efficiency, overall=overall), low=float(overall * low),
                   high=float(overall * high), level="mixture" if found.level == "mixture" else "tuner", before=None, pieces=(),
                   sources=(*found.sources, PACES_SOURCE))


def of_mixture(found: Evidence) -> Evidence:
    """The evidence of dense models for a mixture, of which no run is published.

    How far one code lies from another (LONE_BETWEEN) stands in for what grouped kernels and uneven groups do, independent of
    the spread of cards and sources.
    """
    before, apart = float(found.efficiency.overall), float(np.exp(TAIL * LONE_BETWEEN))
    low, high = joint_low((found.low / before, 1.0 / apart)), joint_high((found.high / before, apart))
    return replace(found, low=float(before * low), high=float(before * high), level="mixture")


def best_product(store: Store, gpu: str, dtype: str) -> tuple[float, str] | None:
    """(FLOP/s of the best matrix product of a type on this card, the name of the newest device profile with one), or None."""
    for stored in of_card(store, DeviceProfile, gpu):
        products = (rate for rate in stored.profile.rates if rate.regime == "matrix" and rate.dtype == dtype)
        best = max((rate.work / float(np.median(rate.seconds)) for rate in products), default=None)
        if best is not None:
            return best, stored.name
    return None


def evidence_line(gpu: Gpu, evidence: Evidence) -> str:
    """One sentence on what the speed rests on."""
    kind = {"profile": "measured here", "device": "a dry run over rates measured here", "gpu": "other sources on this card",
            "tuner": "LoRA's at the pace of peft's tuners of the nearest kind",
            "mixture": "that of dense models, no published run is of a mixture"}
    told = first_of(evidence.sources, 3, "; ")
    what = "rows of tuners" if evidence.level == "tuner" else "rows"
    held = "" if evidence.record is None else f"; {evidence.record[1]:.0f}% of {what} left out inside such an interval"
    speed = f"{gpu.id}: speed {kind.get(evidence.level, 'other cards')} ({told}; n {evidence.n}{held})"
    return "; ".join(filter(None, (speed, pieces_told(evidence))))


def pieces_told(evidence: Evidence) -> str:
    """What each measurement of one's own did to the 90% interval of the scale, in words; empty where there is none."""
    if evidence.before is None:
        return ""
    return steps_told("of the roofline", evidence.before, evidence.pieces)


def plan_speed(
    shape: ModelShape, plan: TrainingPlan, dry: DryRunProfile | None, store: Store,
    calibrations: Sequence[CalibrationFile] = (),
) -> Callable[[Gpu], Evidence]:
    """Evidence for any card: published runs, training profiles over them, and measured rates with the plan's dry run.

    `store` holds training and device profiles; `dry` is a dry run of this plan, of its size or another.
    """
    fitted, work = fitted_speed(store, calibrations), step_work(shape, plan)
    return lambda gpu: within_peak(with_rates(fitted(gpu, shape, plan), shape, plan, gpu, dry, store), gpu, shape, plan, work)


def with_rates(
    found: Evidence, shape: ModelShape, plan: TrainingPlan, gpu: Gpu, dry: DryRunProfile | None, store: Store,
) -> Evidence:
    """The evidence, pooled with a second estimate where `store` has the card's rates: the operators of the plan's dry run.

    It is of this plan alone, and weighted with the first by precision. Sizes beside the dry run's follow the closed form.
    """
    if dry is None or not dry.operators or plan.gpus > 1:
        return found
    for stored in of_card(store, DeviceProfile, gpu.id):
        try:
            rates = device_rates(stored.profile)
        except InputError:
            continue  # too short to give a rate: the next one, or published runs
        own, known = read_plan(dry.plan), training_efficiencies().step()
        ran = replace(plan, micro_batch=own.micro_batch, seq=own.seq)
        return pooled(found, device_evidence(shape, ran, gpu, dry.operators, rates, known, stored.name))
    return found
