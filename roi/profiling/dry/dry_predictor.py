"""The dry run as a predictor of measured memory, like with like: allocated, reserved, process."""

from dataclasses import dataclass, replace

import numpy as np

from roi.catalog.efficiencies.cuda_contexts import cuda_context
from roi.catalog.models.configs import model_config
from roi.errors import InputError
from roi.estimate.accuracy.measured_run import (
    CHUNKED_LOSS,
    EMPTIED_CACHE,
    VARIABLE_LENGTHS,
    MeasuredRun,
    NoPrediction,
    Prediction,
    Predictor,
    allow_for_other_stacks,
    of_varying_lengths,
    widen,
)
from roi.estimate.allocator.caching_allocator import replay_allocator
from roi.estimate.fitting.overhead import Overhead, replayed_range, reserved_range
from roi.estimate.training.beyond_peak import given_back
from roi.estimate.training.memory import training_memory, workspace_bytes
from roi.estimate.training.plan import Loss, Optimizer, TrainingPlan
from roi.facts.tape import Tape
from roi.profiling.dry.dry_profile import STEPS_REPLAYED
from roi.profiling.dry.dry_run import dry_run

TAPE_ERROR = 0.01
"""Distance of a dry run from torch's own count where the configuration is known: a target of
docs/architecture.md, held by `roi validate`."""


@dataclass(frozen=True)
class _Peaks:
    allocated: float
    reserved: float
    without_loss: float


def dry_run_predictor(overhead: Overhead) -> Predictor:
    """Peak memory in bytes from a dry run of each configuration; runs of the same plan are made once.

    What no dry run shows (several GPUs, LitGPT's and torchtune's classes, selective checkpointing: `dry_plan`) scales it by the
    closed form's ratio, segments of varying lengths included. The other values of defaults
    (`MeasuredRun.assumed`) move the ends of the interval by what they move the closed form.
    """
    made: dict[tuple[str, TrainingPlan, float], _Peaks | str] = {}

    def predict(run: MeasuredRun) -> Prediction | NoPrediction:
        if run.split or run.parts > 1:
            return NoPrediction("sharding: a model split over GPUs does not run dry")
        single = dry_plan(run.plan)
        key = (run.model.id, single, workspace_bytes(run.gpu))
        if key not in made:
            made[key] = _peaks(run, single)
        peaks = made[key]
        if isinstance(peaks, str):
            return NoPrediction(peaks)
        share = _closed(run, run.plan) / _closed(run, single)
        found = _of_kind(run, peaks, share, overhead)
        others = [found.value * _closed(run, plan) / _closed(run, run.plan) for _, plan in run.assumed if plan != run.plan]
        marks = {label for label, _ in run.assumed}
        if CHUNKED_LOSS in marks:
            others.append(found.value - share * (peaks.allocated - peaks.without_loss))
        if VARIABLE_LENGTHS in marks:
            closed = training_memory(run.model, run.plan, run.gpu, overhead.slack[0], overhead.context_bytes[0])
            found = of_varying_lengths(run, closed, found)
        return allow_for_other_stacks(widen(found, others), run)

    return predict


def dry_plan(plan: TrainingPlan) -> TrainingPlan:
    """The nearest plan that runs dry: one GPU, transformers' classes, layers' inputs kept, an optimizer step at the end."""
    loss: Loss = "fp32" if plan.loss == "split" else plan.loss
    optimizer: Optimizer = "adamw" if plan.optimizer == "adamw-fused" else plan.optimizer
    return replace(plan, gpus=1, sharding="none", stack="transformers", checkpoints="inputs", held_graphs=0, compiled=False,
                   gptq=0, step_in_backward=False, fp8=False, ends=False, offload=False, loss=loss, optimizer=optimizer)


def _peaks(run: MeasuredRun, plan: TrainingPlan) -> _Peaks | str:
    try:
        tape = dry_run(model_config(run.model), plan, workspace_bytes=workspace_bytes(run.gpu)).tape
    except InputError as error:
        return str(error)
    replay = replay_allocator(tape, repeats=STEPS_REPLAYED)
    return _Peaks(float(replay.peak_active_bytes), float(replay.peak_reserved_bytes), _peak_without_loss(tape))


def _peak_without_loss(tape: Tape) -> float:
    """The peak of the step if logits and loss took no memory."""
    steps = zip(tape.events.tolist(), tape.signed_bytes.tolist(), strict=True)
    kept = [0 if tape.blocks[abs(event) - 1].part == "logits" else n for event, n in steps]
    live, highest = 0, 0
    for n in kept:
        live += n
        highest = max(highest, live)
    return float(highest)


def _of_kind(run: MeasuredRun, peaks: _Peaks, share: float, overhead: Overhead) -> Prediction:
    """The run's kind of memory as replayed; where sharded, which is not run, the closed form's scaled to the allocated peak.

    Where the source does not say which kind it measured, the process's, which nvidia-smi shows, as the closed form takes it.
    """
    marks = {label for label, _ in run.assumed}
    allocated = peaks.allocated * share
    low, high = allocated * (1.0 - TAPE_ERROR), allocated * (1.0 + TAPE_ERROR)
    if run.memory_kind == "allocated":
        return Prediction(allocated, low, high)
    context, least, most = _context(run, overhead)
    closed = training_memory(run.model, run.plan, run.gpu, overhead.slack[0], context)
    room = np.inf if run.gpu is None else max(run.gpu.memory_bytes - context, allocated)
    if run.plan.sharding == "none":
        replayed, unit = peaks.reserved * share, float(closed.loose_bytes)
        over = replayed_range(allocated, replayed, unit)[2]
        reserved, under, _ = replayed_range(allocated, float(given_back(replayed, closed.stranded_bytes, room)), unit)
    else:
        scale = allocated / float(closed.peak_allocated_bytes)
        reserved, under, over = (scale * x for x in (float(closed.reserved_bytes), *reserved_range(closed, overhead)[1:]))
        reserved = min(reserved, float(room))
        under = min(under, reserved)
    if EMPTIED_CACHE in marks:
        reserved, under = allocated, low
    if run.memory_kind == "reserved":
        return Prediction(reserved, min(under, reserved), over)
    return Prediction(reserved + context, under + least, over + most)


def _context(run: MeasuredRun, overhead: Overhead) -> tuple[float, float, float]:
    if run.gpu is not None:
        found = cuda_context(run.gpu)
        overhead = replace(overhead, context_bytes=(found.number(), *found.spread()))
    return overhead.with_collectives(run.plan).context_bytes


def _closed(run: MeasuredRun, plan: TrainingPlan) -> float:
    return float(training_memory(run.model, plan, run.gpu).peak_allocated_bytes)
