"""The dry run as a predictor of measured memory, like with like: allocated, reserved, process."""

from dataclasses import dataclass, replace

from roi.catalog.cards.cuda_contexts import cuda_context
from roi.catalog.models.configs import model_config
from roi.errors import InputError
from roi.estimate.accuracy.measured_run import (
    CHUNKED_LOSS,
    EMPTIED_CACHE,
    FUSED_ERROR,
    STEP_IN_BACKWARD,
    VARIABLE_LENGTHS,
    MeasuredRun,
    NoPrediction,
    Prediction,
    Predictor,
    allow_for_other_stacks,
    widen,
)
from roi.estimate.allocator.caching_allocator import replay_allocator
from roi.estimate.training.fitting import REPLAY_ENDS, Overhead
from roi.estimate.training.memory import training_memory, workspace_bytes
from roi.estimate.training.plan import TrainingPlan
from roi.facts.gpu import Gpu
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
    resident: float
    without_loss: float
    gradients: float


def dry_run_predictor(overhead: Overhead) -> Predictor:
    """Peak memory in bytes from a dry run of each configuration; runs of the same plan are made once.

    Several GPUs: the dry run is one GPU, so sharding scales it by the closed form's ratio. The other values of defaults
    (`MeasuredRun.assumed`) move the ends of the interval by what they move the closed form.
    """
    made: dict[tuple[str, TrainingPlan, float], _Peaks | str] = {}

    def predict(run: MeasuredRun) -> Prediction | NoPrediction:
        single = replace(run.plan, gpus=1, sharding="none")
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
        if STEP_IN_BACKWARD in marks:
            others.append(found.value - share * peaks.gradients)
        return allow_for_other_stacks(widen(found, others), run)

    return predict


def _peaks(run: MeasuredRun, plan: TrainingPlan) -> _Peaks | str:
    try:
        tape = dry_run(model_config(run.model), plan, workspace_bytes=workspace_bytes(run.gpu)).tape
    except InputError as error:
        return str(error)
    replay = replay_allocator(tape, repeats=STEPS_REPLAYED)
    start = dict(tape.phase_starts)["step"]
    gradients = sum(block.nbytes for block in tape.blocks if block.part == "gradients")
    return _Peaks(float(replay.peak_active_bytes), float(replay.peak_reserved_bytes), float(tape.live_bytes[start - 1]),
                  _peak_without_loss(tape), float(gradients))


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
    marks = {label for label, _ in run.assumed}
    allocated, reserved = peaks.allocated * share, peaks.reserved * share
    fused = run.plan.kernels != "none"  # stand-ins for kernels that no dry run has
    low, high = allocated * (1.0 - (FUSED_ERROR if fused else TAPE_ERROR)), allocated * (1.0 + TAPE_ERROR)
    if run.memory_kind == "allocated":
        return Prediction(allocated, low, high)
    under, over = reserved * REPLAY_ENDS[0], reserved * REPLAY_ENDS[1]
    if EMPTIED_CACHE in marks:
        reserved, under = allocated, low
    if VARIABLE_LENGTHS in marks:
        over = max(over, reserved + (peaks.allocated - peaks.resident) * share)
    if run.memory_kind == "reserved":
        return Prediction(reserved, min(under, reserved), over)
    context, least, most = _context(run.gpu, overhead)
    if run.memory_kind == "process":
        return Prediction(reserved + context, under + least, over + most)
    return Prediction(reserved, low, over + most)


def _context(gpu: Gpu | None, overhead: Overhead) -> tuple[float, float, float]:
    if gpu is None:
        return overhead.context_bytes
    found = cuda_context(gpu)
    return (found.number(), *found.spread())


def _closed(run: MeasuredRun, plan: TrainingPlan) -> float:
    return float(training_memory(run.model, plan, run.gpu).peak_allocated_bytes)
