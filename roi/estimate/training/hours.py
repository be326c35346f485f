"""Hours of a training run: peak memory follows the longest sequence, time follows the mean."""

from dataclasses import dataclass, replace

import numpy as np

from roi.estimate.step.step_time import StepEfficiency, step_time
from roi.estimate.training.plan import TrainingPlan
from roi.facts.gpu import Gpu
from roi.facts.model import ModelShape, Number
from roi.units import SECONDS_PER_HOUR


@dataclass(frozen=True)
class TrainingRun:
    """One successful run."""

    micro_steps: Number
    """Forward and backward passes of each GPU."""
    optimizer_steps: Number
    """Updates."""
    tokens: Number
    """Tokens trained on, all epochs."""
    hours: Number
    """Wall-clock hours of stepping."""
    gpu_hours: Number
    """hours x GPUs."""
    tokens_per_s: Number
    """tokens / wall-clock seconds, all GPUs."""


def training_run(
    model: ModelShape, plan: TrainingPlan, gpu: Gpu, efficiency: StepEfficiency, examples: Number,
    tokens_per_example: Number, epochs: Number,
) -> TrainingRun:
    """Steps and hours of a run over `examples` of `tokens_per_example` tokens on average; broadcasts.

    A micro-step is timed at the mean length, capped by plan.seq (longer ones are cut); plan.seq sets the memory.
    micro-steps = ceil(examples / (micro_batch x gpus)) x epochs; the last one of an epoch may be partly empty.
    Ignored: padding of a batch to its longest member (none at micro-batch 1 or sorted lengths, up to the ratio of longest
    to mean otherwise), loading, evaluation and checkpoints: minutes, billed as set-up elsewhere.
    """
    mean = np.minimum(np.asarray(tokens_per_example, dtype=float), plan.seq)
    step = step_time(model, replace(plan, seq=mean), gpu, efficiency)
    share = np.asarray(plan.micro_batch, dtype=float) * plan.gpus
    count = np.asarray(examples, dtype=float)
    micro_steps = np.ceil(count / share) * epochs
    updates = np.ceil(micro_steps / plan.accumulation)
    seconds = micro_steps * step.micro_step_s + updates * (step.optimizer_s + step.synchronisation_s)
    hours = seconds / SECONDS_PER_HOUR
    tokens = count * mean * epochs
    return TrainingRun(micro_steps, updates, tokens, hours, hours * plan.gpus, tokens / seconds)


def training_hours(
    model: ModelShape, plan: TrainingPlan, gpu: Gpu, efficiency: StepEfficiency, examples: Number,
    tokens_per_example: Number, epochs: Number,
) -> Number:
    """Wall-clock hours of `training_run`."""
    return training_run(model, plan, gpu, efficiency, examples, tokens_per_example, epochs).hours
