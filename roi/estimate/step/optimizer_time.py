"""Time of an optimizer step: the bytes that it moves, and a paged one's moments over the bus."""

from typing import Final

import numpy as np

from roi.estimate.training.adapters import end_parameters, projected_linears, trained_parameters
from roi.estimate.training.memory import training_memory
from roi.estimate.training.optimizers import HELD
from roi.estimate.training.plan import TrainingPlan
from roi.estimate.training.sharding import HOST_BYTES_PER_S, HOST_MEMORY_BYTES_PER_S
from roi.facts.gpu import Gpu
from roi.facts.model import ModelShape, Number

FP32: Final = 4.0
"""Bytes of an fp32 number."""
NEWTON_SCHULZ: Final = 5.0
"""Iterations of Muon (ns_steps)."""
PASSES: Final[dict[str, tuple[float, float]]] = {
    "adamw-32bit": (3.0, 16.0), "adamw-4bit": (3.0, 2.0), "lion-32bit": (3.0, 8.0), "lion-8bit": (3.0, 2.0),
    "paged-lion": (3.0, 8.0), "paged-lion-8bit": (3.0, 2.0), "ademamix": (3.0, 24.0), "ademamix-8bit": (3.0, 6.0),
    "sgd": (3.0, 0.0), "sgd-momentum": (8.0, 0.0), "lion": (17.0, 0.0), "sophia": (20.0, 0.0), "rmsprop": (14.0, 0.0),
    "adagrad": (14.0, 0.0), "muon": (11.0, 0.0), "adam-mini": (5.0, 60.0), "lomo": (5.0, 36.0), "adafactor": (5.0, 100.0),
    "adalomo": (5.0, 100.0),
}  # fmt: skip
"""Optimizer -> reads and writes of a trained element in its own type, and bytes of those in fp32 or packed, by the operators
of its source: one pass of a kernel of bitsandbytes or torchao, operator by operator the others. No run is published to hold
them to."""


def update_s(model: ModelShape, plan: TrainingPlan, bandwidth: Number) -> Number:
    """Seconds of one optimizer step, which moves bytes: of the card's memory; offloaded of the host's, which cards share."""
    moved = trained_parameters(model, plan) * _update_bytes(plan, plan.trained_bytes)
    moved = moved + end_parameters(model, plan) * _update_bytes(plan, plan.stream_bytes)
    return moved / HOST_MEMORY_BYTES_PER_S if plan.offload else moved / bandwidth / plan.shards


def _update_bytes(plan: TrainingPlan, each: float) -> float:
    """Bytes that one optimizer step moves for one trained parameter of `each` bytes.

    Clipping by the norm reads the gradient twice and writes it; recipes of torchtune and LitGPT do not clip. DeepSpeed casts a
    16-bit gradient to fp32, takes its norm, scales it, updates an fp32 copy with fp32 moments, all of them one tensor, and
    casts that back: of AdamW 52 bytes (runtime/zero/stage3.py, step).
    """
    if plan.sharding.startswith("zero") and each < 4.0:
        return 2.0 * each + 5.0 * FP32 + _own_bytes(plan, FP32, passes=False)
    clipped = 0.0 if plan.stack in ("torchtune", "litgpt") else 3.0 * each
    return clipped + _own_bytes(plan, each, passes=plan.multi_tensor)


def _own_bytes(plan: TrainingPlan, each: float, *, passes: bool) -> float:
    """What the optimizer itself moves for one parameter of `each` bytes.

    torch's multi-tensor AdamW (`passes`) goes over the parameters in eight passes, 21 reads and writes of an element; its fused
    one does it in one: gradient, parameter and two moments twice; so does bitsandbytes, whose moments have one byte each or,
    in fp32, four.
    """
    if plan.optimizer in PASSES:
        own, fixed = PASSES[plan.optimizer]
        return own * each + fixed
    if passes or plan.optimizer in ("adamw-bf16", "galore-adamw", "apollo-adamw"):
        moments = 2.0 if plan.optimizer == "adamw-bf16" else each
        return 8.0 * each + 13.0 * moments
    bitsandbytes = 1.0 if plan.optimizer.endswith("8bit") else 4.0
    return 3.0 * each + 4.0 * (each if plan.optimizer in ("adamw", "adamw-fused") else bitsandbytes)


def orthogonal_s(model: ModelShape, plan: TrainingPlan, rate: Number) -> Number:
    """Seconds of Muon's products at this rate, once an optimizer step; 0 for others, and beside adapters, where they are small.

    Five Newton-Schulz iterations a matrix of short side s and long side l: its Gram matrix, that squared, and their product
    with it, 4 s^2 l + 2 s^3 FLOP each (torch/optim/_muon.py).
    """
    if plan.optimizer != "muon" or plan.adapter:
        return 0.0
    sides = [(x.layers, *sorted((x.inputs, x.outputs))) for x in projected_linears(model)]
    return sum(n * NEWTON_SCHULZ * (4.0 * short**2 * long + 2.0 * short**3) for n, short, long in sides) / rate


def paging_s(model: ModelShape, plan: TrainingPlan, gpu: Gpu) -> Number:
    """Seconds in which the moments of a paged optimizer come from the host and go back, once an optimizer step.

    They stay on a card that has room for them beside the step's peak. On another the driver evicts the pages that were used
    longest ago, and since a step goes over all of them in turn, each one leaves before it is needed again. Scales of blocks
    are not paged.
    """
    if not plan.optimizer.startswith("paged"):
        return 0.0
    moments = float(int(HELD[plan.optimizer].fixed)) * trained_parameters(model, plan) / plan.shards
    room = gpu.memory_bytes - training_memory(model, plan, gpu).peak_allocated_bytes
    return np.where(moments > room, 2.0 * moments / HOST_BYTES_PER_S, 0.0)
