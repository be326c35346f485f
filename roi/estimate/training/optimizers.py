"""What an optimizer holds and allocates beside the parameters that it updates, and how people write its name.

    own         states in the type of what is trained: two of AdamW, one of Lion, RMSprop, Adagrad and SGD with momentum
    fixed       bytes of states in a type of their own: bitsandbytes' fp32 ones, one byte, half of one
    factored    a row and a column for each matrix in place of a moment: Adafactor and AdaLOMO (arXiv 1804.04235, 2310.10195)
    low         moments of gradients projected to r: GaLore and APOLLO (arXiv 2403.03507, 2412.05270)
    matrices    one state for a matrix of the layers, two for the rest: Muon beside AdamW (torch/optim/_muon.py)
    mini        one state, and a mean a row or block (Adam-mini, arXiv 2406.16793), which is left out: 1% of a small model

Read off torch 2.13 (optim), transformers 5.24 (optimization.py, Adafactor), bitsandbytes 0.50 (optim), torchao
(optim/subclass_4bit.py), galore_torch 1.0, apollo_torch 1.0.3, adam_mini 1.1.1, lion_pytorch 0.2.5 and lomo_optim 0.1.1.
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
PAGED_ELEMENTS: Final = 1e5
"""Elements of a tensor from which on bitsandbytes pages its states (optim/optimizer.py, get_state_buffer)."""


class Held(NamedTuple):
    """What an optimizer keeps for one trained parameter."""

    own: float = 0.0
    """States in the parameter's type."""
    fixed: float = 0.0
    """Bytes of its states in another type."""
    kind: str = ""
    """factored, low, matrices or mini; empty: it takes elements one by one."""


HELD: Final[dict[str, Held]] = {
    "adamw": Held(2), "adamw-foreach": Held(2), "adamw-fused": Held(2), "adamw-bf16": Held(fixed=4),
    "adamw-32bit": Held(fixed=8), "adamw-8bit": Held(fixed=2 * _ONE), "adamw-4bit": Held(fixed=2 * (0.5 + 4 / FOUR_BIT_BLOCK)),
    "paged-adamw": Held(fixed=8), "paged-adamw-8bit": Held(fixed=2 * _ONE), "galore-adamw": Held(2, kind="low"),
    "galore-adamw-8bit": Held(fixed=2 * _ONE, kind="low"), "apollo-adamw": Held(2, kind="low"),
    "adafactor": Held(kind="factored"), "adalomo": Held(kind="factored"), "lomo": Held(), "sgd": Held(),
    "sgd-momentum": Held(1), "lion": Held(1), "lion-32bit": Held(fixed=4), "lion-8bit": Held(fixed=_ONE),
    "paged-lion": Held(fixed=4), "paged-lion-8bit": Held(fixed=_ONE), "rmsprop": Held(1), "adagrad": Held(1),
    "sophia": Held(2), "ademamix": Held(fixed=12), "ademamix-8bit": Held(fixed=3 * _ONE), "adam-mini": Held(1, kind="mini"),
    "muon": Held(2, kind="matrices"),
}  # fmt: skip
"""Optimizer -> what it keeps; the paged ones outside torch's allocator, but for small tensors' and for scales."""
ELEMENTWISE: Final = tuple(name for name, held in HELD.items() if not held.kind and name != "lomo")
"""Optimizers that take a parameter's elements one by one, so that any part of it may be elsewhere."""
WORKS_ON: Final[dict[str, tuple[float, float, float]]] = {
    "adafactor": (0.0, 16.0, 8.0), "adalomo": (0.0, 16.0, 8.0), "adam-mini": (0.0, 12.0, 8.0), "lomo": (0.0, 8.0, 0.0),
    "lion": (2.0, 0.0, 0.0), "sophia": (3.0, 0.0, 0.0),
}  # fmt: skip
"""Optimizer that goes parameter by parameter -> copies of the largest in its own type, and bytes an element of those in fp32
where it has 16 bits, and where it is fp32 itself: Adafactor's gradient, parameter, update and the update before it."""


def optimizer_state_bytes(model: ModelShape, plan: TrainingPlan) -> Number:
    """Bytes of the optimizer's states inside torch's allocator; broadcasts over rank.

    adamw: in the dtype of the trained parameter (torch). 8-bit: one byte and an fp32 scale per 256 (arXiv 2110.02861).
    Paged: those of tensors under 100,000 elements, as half of the usual adapters are, and the scales; of others bitsandbytes
    takes managed memory outside torch that the driver can evict at the peak. Ignored: it keeps tensors under 4,096 elements in
    fp32 (under 0.1% of an adapter).
    """
    held, trained = HELD[plan.optimizer], trained_parameters(model, plan)
    each = state_bytes_each(plan, plan.trained_bytes)
    found = each * trained
    if plan.optimizer.startswith("paged") and plan.sharding == "none":  # else tensors are parts of flat ones
        found = found + (held.fixed - each) * _small(model, plan)
    match held.kind:
        case "factored":
            return 4.0 * _rows_and_columns(model, plan, trained)
        case "matrices":
            inside = trained if plan.adapter else sum(x.inputs * x.outputs * x.layers for x in projected_linears(model))
            return found - plan.trained_bytes * inside
        case "low":
            rank = np.asarray(plan.rank, dtype=float)
            for x in projected_linears(model):
                short, long = sorted((x.inputs, x.outputs))
                r = np.minimum(rank, short)
                found = found + x.layers * (each * (r * long - short * long) + plan.trained_bytes * r * short)
    return found


def state_bytes_each(plan: TrainingPlan, width: float) -> float:
    """Bytes of the states of one element of `width` bytes of a large tensor; of paged ones the scales alone."""
    held = HELD[plan.optimizer]
    return held.fixed % 1.0 if plan.optimizer.startswith("paged") else held.own * width + held.fixed


def _small(model: ModelShape, plan: TrainingPlan) -> Number:
    """Elements of LoRA's A and B, and of DoRA's magnitudes, in tensors too small to be paged; other vectors are left out."""
    rank, sites = np.asarray(plan.rank, dtype=float), target_linears(model, plan) if plan.tuner is None else ()
    sizes = [(x.layers * x.experts, rank * side) for x in sites for side in (x.inputs, x.outputs)]
    sizes += [(x.layers * x.experts, 0.0 * rank + x.outputs) for x in sites if plan.weight_decomposed]
    return sum((count * np.where(size < PAGED_ELEMENTS, size, 0.0) for count, size in sizes), 0.0 * rank)


def _rows_and_columns(model: ModelShape, plan: TrainingPlan, trained: Number) -> Number:
    """Elements of a row and a column a trained matrix, and of what is no matrix; a tuner's parameters count as vectors."""
    if plan.adapter:
        rank = np.asarray(plan.rank, dtype=float)
        sites = target_linears(model, plan) if plan.tuner is None else ()
        pairs = float(sum(x.layers * x.experts for x in sites))
        sides = float(sum(x.layers * x.experts * (x.inputs + x.outputs) for x in sites))
        return trained - rank * sides + sides + 2.0 * rank * pairs
    matrices = [(x.inputs, x.outputs, x.layers * x.experts) for x in fuse_linears(model, model.linears)]
    matrices.append((model.vocab, model.hidden, 1 if model.tied else 2))
    return trained + float(sum(n * (i + o - i * o) for i, o, n in matrices))


def optimizer_workspace_bytes(model: ModelShape, plan: TrainingPlan) -> Number:
    """Bytes that the optimizer step allocates: torch's multi-tensor AdamW holds sqrt(v) of every parameter at once.

    So does its RMSprop, and Adagrad beside what it divides by that. bitsandbytes and torchao update in place, and so does the
    fused AdamW that the HF Trainer asks for (optim="adamw_torch_fused"); one with bf16 states goes parameter by parameter. So
    do the others, whose temporaries of the largest count (`WORKS_ON`).
    """
    trained = trained_parameters(model, plan)
    if plan.multi_tensor or plan.optimizer in ("rmsprop", "adagrad"):
        return (2.0 if plan.optimizer == "adagrad" else 1.0) * plan.trained_bytes * trained
    if HELD[plan.optimizer].kind in ("low", "matrices"):
        return _product_workspace(model, plan) + 0.0 * np.asarray(plan.rank, dtype=float)
    own, narrow, wide = WORKS_ON.get(plan.optimizer, (0.0, 0.0, 0.0))
    each = own * plan.trained_bytes + (narrow if plan.trained_bytes < 4.0 else wide)
    return each * _largest(model, plan) if each else 0.0 * trained


def _product_workspace(model: ModelShape, plan: TrainingPlan) -> Number:
    """Bytes that an optimizer of matrices allocates for the largest.

    GaLore: sqrt(v) and update of the largest that is not projected, or the fp32 gradient of the largest that is, with its
    singular vectors (galore_torch/adamw.py, adamw8bit.py, galore_projector.py). APOLLO: its scaled gradient, and that over the
    limiter's norm (apollo_torch/apollo.py). Muon: the update, what a product of its 16-bit form makes, and two squares.
    """
    each, sides = plan.trained_bytes, [sorted((x.inputs, x.outputs)) for x in projected_linears(model)]
    if plan.optimizer == "muon" and plan.adapter:
        return (each + 4.0) * _largest(model, plan)
    if plan.optimizer == "muon":
        turned = max(((each + 4.0) * short * long + 4.0 * short * short for short, long in sides), default=0.0)
        return max(turned, each * model.embedding_parameters)
    if plan.optimizer == "apollo-adamw":
        return 2.0 * each * max(model.embedding_parameters, *(short * long for short, long in sides))
    singular = max((4.0 * (2.0 * short * long + short * short) for short, long in sides), default=0.0)
    return max(singular, 0.0 if plan.optimizer.endswith("8bit") else 2.0 * each * model.embedding_parameters)


def _largest(model: ModelShape, plan: TrainingPlan) -> Number:
    """Elements of the largest tensor that is trained; of tuners beside LoRA all that they train."""
    if not plan.adapter:
        sizes = (x.inputs * x.outputs * x.experts for x in fuse_linears(model, model.linears))
        return float(max(model.embedding_parameters, *sizes))
    sites = target_linears(model, plan) if plan.tuner is None else ()
    if not sites:
        return trained_parameters(model, plan)
    return np.asarray(plan.rank, dtype=float) * max(max(x.inputs, x.outputs) * x.experts for x in sites)


ABOUT: Final = re.compile(
    r"^huggingface|^hf|^transformers|trainer|pytorch|torchao|^ao(?=adam)|torch|optim(?!i)|deepspeed|zero[1-3]|stage[1-3]"
    r"|composer|decoupled|distributed|hf$|xla$|npu(?=fused)")
"""Letters of a name that say whose it is, and nothing of what it keeps."""
MARKS: Final = (
    ("paged", r"paged"), ("8bit", r"8b(it)?|fp8"), ("4bit", r"4b(it)?"), ("32bit", r"32b(it)?|fp32states?"),
    ("bf16", r"bf16(states?)?|anyprecision"), ("foreach", r"foreach|schedulefree"), ("fused", r"(apex)?fused"),
    ("bnb", r"bnb|bitsandbytes"), ("", r"(w(ith)?o(ut)?|no)momentum0?$|momentum0$"),
    ("momentum", r"(with)?(nesterov)?momentum(0?[1-9]\d*)?$|nesterov$"),
)  # fmt: skip
"""What a name says of the states or the loop, and the letters that say it."""
CORES: Final = {
    "adam": "adamw", "adamw": "adamw", "galore": "galore-adamw", "galoreadam": "galore-adamw", "galoreadamw": "galore-adamw",
    "apollo": "apollo-adamw", "apolloadam": "apollo-adamw", "apolloadamw": "apollo-adamw", "lion": "lion", "lionw": "lion",
    "sgd": "sgd", "sgdw": "sgd", "adammini": "adam-mini", "ademamix": "ademamix", "adafactor": "adafactor", "lomo": "lomo",
    "adalomo": "adalomo", "muon": "muon", "muonadam": "muon", "muonadamw": "muon", "muonwithauxadam": "muon",
    "singledevicemuonwithauxadam": "muon", "sophia": "sophia", "sophiag": "sophia", "rmsprop": "rmsprop", "adagrad": "adagrad",
}  # fmt: skip
"""What is left of a name without ABOUT and MARKS -> the optimizer."""
ALIKE: Final = {
    "paged-adamw-32bit": "paged-adamw", "paged-lion-32bit": "paged-lion", "ademamix-32bit": "ademamix", "lion-fused": "lion",
    "sgd-fused": "sgd", "sgd-foreach": "sgd-momentum",
}  # fmt: skip
"""Optimizer with a mark -> the one that keeps the same states; schedule-free SGD keeps z."""


def named_optimizer(text: str) -> str:
    """The optimizer that a name means as libraries write it: paged_adamw_8bit, PagedAdamW8bit, bnb.optim.Lion8bit.

    All of its letters have to be known ones. A name that means none, or one that is not counted (bitsandbytes' RMSprop8bit,
    torch's Adamax), stays as it is. The HF Trainer's adamw_anyprecision keeps fp32 states (transformers/trainer_optimizer.py),
    llama-recipes' AnyPrecisionAdamW bf16 ones; torchao's fp8 states are as wide as 8-bit ones, and schedule-free AdamW keeps z
    beside one moment; bitsandbytes' states are fp32 ones where no bits are named.
    """
    if text in HELD:
        return text
    word = re.sub(r"[^a-z0-9]", "", text.lower())
    core = ABOUT.sub("", word)
    said = set[str]()
    for mark, letters in MARKS:
        core, times = re.subn(letters, "", core)
        said |= {mark} if times and mark else set()
    if word == "adamwanyprecision":
        said = {"32bit"}
    if "bnb" in said:
        said = said - {"bnb"} | (set() if said & {"8bit", "4bit", "paged"} else {"32bit"})
    paged, flavours = "paged-" * ("paged" in said), sorted(said - {"paged"})
    name = "-".join((paged + CORES.get(core, text), *flavours))
    name = ALIKE.get(name, name)
    return name if name in HELD else text


def optimizer_refusal(plan: TrainingPlan) -> str:
    """Why the optimizer is not counted beside the plan's other fields; empty where it is.

    Engines that shard hand it flat parts of parameters, of which no rule for matrices holds.
    """
    inside = plan.optimizer in ("lomo", "adalomo")
    if (plan.projected or inside) and plan.method != "full":
        what = "applies gradients as they come" if inside else "projects the gradients"
        return f"optimizer: {plan.optimizer} {what} of trained weights; take method full, or adamw"
    if inside and plan.accumulation > 1:
        return f"accumulation: {plan.accumulation} is not possible with {plan.optimizer}, which keeps no gradient; take 1"
    if plan.optimizer not in ELEMENTWISE and plan.sharding != "none":
        return f"optimizer: {plan.optimizer} is not known with sharding {plan.sharding}; take none, or adamw-8bit"
    if plan.optimizer not in ELEMENTWISE and plan.method == "lisa":
        return f"optimizer: {plan.optimizer} is not known with method lisa; take adamw"
    return ""
