"""What an optimizer holds and allocates beside the parameters that it updates, and how people write its name.

    own      states in the type of what is trained: two of AdamW, one of Lion, RMSprop, Adagrad and SGD with momentum
    fixed    bytes of states in a type of their own: bitsandbytes' fp32 ones, one byte, half of one
    factored a row and a column for each matrix in place of a moment: Adafactor and AdaLOMO (arXiv 1804.04235, 2310.10195)
    low      moments of gradients projected to r: GaLore and APOLLO (arXiv 2403.03507, 2412.05270)
    matrices one state for a matrix of the layers, two for the rest: Muon beside AdamW (torch/optim/_muon.py)

Read off torch 2.13 (optim), transformers 5.24 (optimization.py, Adafactor), bitsandbytes 0.50 (optim), torchao (optim/subclass_4bit.py),
galore_torch 1.0, apollo_torch 1.0.3, adam_mini 1.1.1, lion_pytorch 0.2.5, lomo_optim 0.1.1, llmfoundry (optim/lion.py).
"""

import re
from typing import Final, NamedTuple

import numpy as np

from roi.estimate.training.adapters import EIGHT_BIT_BLOCK, projected_linears, target_linears, trained_parameters
from roi.estimate.training.plan import TrainingPlan
from roi.estimate.training.targets import fuse_linears
from roi.facts.model import ModelShape, Number

FOUR_BIT_BLOCK: Final = 128
"""Elements of torchao's 4-bit state that share one fp32 scale."""
_ONE: Final = 1.0 + 4.0 / EIGHT_BIT_BLOCK
"""Bytes of an 8-bit state's element with its scale."""


class Held(NamedTuple):
    """What an optimizer keeps for one trained parameter."""

    own: float = 0.0
    """States in its type."""
    fixed: float = 0.0
    """Bytes of states in another type."""
    kind: str = ""
    """factored, low or matrices; mini: a mean a row or block beside one state (Adam-mini, arXiv 2406.16793), which is left out:
    1% of a model whose vocabulary is 16 times as large as its stream."""


HELD: Final[dict[str, Held]] = {
    "adamw": Held(2), "adamw-foreach": Held(2), "adamw-fused": Held(2), "adamw-bf16": Held(fixed=4), "adamw-32bit": Held(fixed=8),
    "adamw-8bit": Held(fixed=2 * _ONE), "adamw-4bit": Held(fixed=2 * (0.5 + 4 / FOUR_BIT_BLOCK)),
    "paged-adamw": Held(fixed=8), "paged-adamw-8bit": Held(fixed=2 * _ONE),
    "galore-adamw": Held(2, kind="low"), "galore-adamw-8bit": Held(fixed=2 * _ONE, kind="low"), "apollo-adamw": Held(2, kind="low"),
    "adafactor": Held(kind="factored"), "adalomo": Held(kind="factored"), "lomo": Held(), "sgd": Held(), "sgd-momentum": Held(1),
    "lion": Held(1), "lion-32bit": Held(fixed=4), "lion-8bit": Held(fixed=_ONE), "paged-lion": Held(fixed=4),
    "paged-lion-8bit": Held(fixed=_ONE), "rmsprop": Held(1), "adagrad": Held(1), "sophia": Held(2),
    "ademamix": Held(fixed=12), "ademamix-8bit": Held(fixed=3 * _ONE), "adam-mini": Held(1, kind="mini"),
    "muon": Held(2, kind="matrices"),
}  # fmt: skip
"""Optimizer -> what it keeps; the paged ones outside torch's allocator."""
ELEMENTWISE: Final = tuple(name for name, held in HELD.items() if not held.kind and name != "lomo")
"""Optimizers that take a parameter's elements one by one, so that any part of it may be elsewhere."""


def optimizer_state_bytes(model: ModelShape, plan: TrainingPlan) -> Number:
    """Bytes of the optimizer's states inside torch's allocator; broadcasts over rank.

    adamw: in the dtype of the trained parameter (torch). 8-bit: one byte and an fp32 scale per 256 (arXiv 2110.02861).
    Paged: 0, since bitsandbytes takes managed memory outside torch that the driver can evict at the peak. Ignored:
    bitsandbytes keeps tensors under 4,096 elements in fp32 (under 0.1% of an adapter).
    """
    held, trained = HELD[plan.optimizer], trained_parameters(model, plan)
    if plan.optimizer.startswith("paged"):
        return 0.0 * trained
    each = held.own * plan.trained_bytes + held.fixed
    found = each * trained
    match held.kind:
        case "factored":
            return 4.0 * _rows_and_columns(model, plan, trained)
        case "matrices":
            inside = sum(x.inputs * x.outputs * x.layers for x in projected_linears(model)) if not plan.adapter else trained
            return found - plan.trained_bytes * inside
        case "low":
            rank = np.asarray(plan.rank, dtype=float)
            for x in projected_linears(model):
                short, long = sorted((x.inputs, x.outputs))
                r = np.minimum(rank, short)
                found = found + x.layers * (each * (r * long - short * long) + plan.trained_bytes * r * short)
    return found


def _rows_and_columns(model: ModelShape, plan: TrainingPlan, trained: Number) -> Number:
    """Elements of a row and a column a trained matrix, and of what is no matrix; a tuner's parameters count as vectors."""
    if plan.adapter:
        rank = np.asarray(plan.rank, dtype=float)
        sites = target_linears(model, plan) if plan.tuner is None else ()
        split: Number = sum(x.layers * x.experts * (x.inputs + x.outputs) for x in sites) + 0.0 * rank
        inside = rank * split
        return trained - inside + split + 2.0 * rank * sum(x.layers * x.experts for x in sites)
    ends = 1 if model.tied else 2
    matrices = [(x.inputs, x.outputs, x.layers * x.experts) for x in fuse_linears(model, model.linears)]
    matrices.append((model.vocab, model.hidden, ends))
    return trained + sum(n * (i + o - i * o) for i, o, n in matrices)


def optimizer_workspace_bytes(model: ModelShape, plan: TrainingPlan) -> Number:
    """Bytes that the optimizer step allocates: torch's multi-tensor AdamW holds sqrt(v) of every parameter at once.

    bitsandbytes and torchao update in place, and so does the fused AdamW that the HF Trainer asks for
    (optim="adamw_torch_fused"); one with bf16 states goes parameter by parameter. So do the others, with temporaries of the largest:
    GaLore's sqrt(v) and update of the largest that is not projected, or the fp32 gradient of the largest that is, with its
    singular vectors (galore_torch/adamw.py, adamw8bit.py, galore_projector.py); APOLLO's scaled gradient of the largest that is,
    and its copy; Adafactor's fp32 gradient, parameter and two more of its size; Muon's update, its 16-bit product and two squares.
    """
    trained, each = trained_parameters(model, plan), plan.trained_bytes
    if plan.multi_tensor:
        return each * trained
    rank, narrow = 0.0 * np.asarray(plan.rank, dtype=float), each < 4.0
    sides = [sorted((x.inputs, x.outputs)) for x in projected_linears(model)]
    largest = _largest(model, plan)
    match plan.optimizer:
        case "galore-adamw" | "galore-adamw-8bit":
            singular = max((4.0 * (2.0 * short * long + short * short) for short, long in sides), default=0.0)
            plain = 0.0 if plan.optimizer.endswith("8bit") else 2.0 * each * model.embedding_parameters
            return max(singular, plain) + rank
        case "apollo-adamw":
            return 2.0 * each * max(max((short * long for short, long in sides), default=0), model.embedding_parameters) + rank
        case "adafactor" | "adalomo":
            return (16.0 if narrow else 8.0) * largest + rank
        case "adam-mini":
            return (12.0 if narrow else 8.0) * largest + rank
        case "lomo":
            return (8.0 if narrow else 0.0) * largest + rank
        case "muon":
            if plan.adapter:
                return (each + 4.0) * largest + rank
            turned = max(((each + 4.0) * short * long + 4.0 * short * short for short, long in sides), default=0.0)
            return max(turned, each * model.embedding_parameters) + rank
        case "lion" | "sophia":
            return 2.0 * each * largest + rank
        case "rmsprop" | "adagrad":
            return each * trained
    return 0.0 * trained


def state_bytes_each(plan: TrainingPlan, width: float) -> float:
    """Bytes of the states of a parameter of `width` bytes that the optimizer takes for itself, not by matrices."""
    held = HELD[plan.optimizer]
    return 0.0 if plan.optimizer.startswith("paged") else held.own * width + held.fixed


def _largest(model: ModelShape, plan: TrainingPlan) -> Number:
    """Elements of the largest tensor that is trained."""
    if not plan.adapter:
        return float(max(model.embedding_parameters, *(x.inputs * x.outputs * x.experts for x in fuse_linears(model, model.linears))))
    sites = target_linears(model, plan)
    if not sites or plan.tuner is not None:
        return trained_parameters(model, plan)
    return np.asarray(plan.rank, dtype=float) * max(max(x.inputs, x.outputs) * x.experts for x in sites)


OTHERS: Final = re.compile(
    r"(?<![a-z])(nadam|radam|grok|adabelief|lamb|adan|q[-_ ]?galore|q[-_ ]?apollo|fira|badam|sign|cpu|hybrid)|adam[-_ ]?cpu|cpu[-_ ]?adam|"
    r"layer[-_ ]?wise|galore[-_ ]?adafactor|apollo[-_ ]?mini|paged[-_ ]?ademamix|rmsprop[-_ ]?bnb")
"""What is no spelling of an optimizer that is counted, though it holds one."""


def named_optimizer(text: str) -> str:
    """The optimizer that a name means as libraries write it: paged_adamw_8bit, PagedAdamW8bit, bnb.optim.Lion8bit, adamw_torch_fused.

    A name that means none, or one that is not counted, stays as it is. The HF Trainer's adamw_anyprecision keeps fp32 states
    (transformers/trainer_optimizer.py), torchao's fp8 ones are as wide as 8-bit ones, and schedule-free AdamW keeps z beside one moment.
    """
    word = re.sub(r"[^a-z0-9]", "", text.lower())
    if text in HELD or OTHERS.search(text.lower()):
        return text
    paged = "paged-" if "paged" in word else ""
    bits = "-8bit" if re.search(r"8b(it)?|fp8", word) else "-4bit" if "4b" in word else ""
    wide = "-32bit" if re.search(r"32b|bnb|bitsandbytes|fp32state", word) else ""
    if "galore" in word or "apollo" in word:
        return f"galore-adamw{bits}" if "galore" in word else "apollo-adamw"
    if "lion" in word:
        return f"paged-lion{bits}" if paged else f"lion{bits or wide}"
    if "ademamix" in word:
        return f"ademamix{bits}"
    for part, name in (("adammini", "adam-mini"), ("adalomo", "adalomo"), ("lomo", "lomo"), ("adafactor", "adafactor"), ("muon", "muon"),
                       ("sophia", "sophia"), ("rmsprop", "rmsprop"), ("adagrad", "adagrad")):
        if part in word:
            return name
    if "sgd" in word:
        return "sgd-momentum" if re.search(r"schedulefree|(?<!wo)(?<!without)(?<!no)momentum(?!0$)", word) else "sgd"
    if "adam" not in word:
        return text
    if bits or paged:
        return f"{paged}adamw{bits}"
    if "anyprecision" in word:
        return "adamw-32bit" if word == "adamwanyprecision" else "adamw-bf16"
    for part, name in (("foreach", "adamw-foreach"), ("schedulefree", "adamw-foreach"), ("fused", "adamw-fused"), ("apex", "adamw-fused"),
                       ("bf16", "adamw-bf16")):
        if part in word:
            return name
    return f"adamw{wide}"
