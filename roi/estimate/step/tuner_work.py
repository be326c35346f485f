"""What peft's tuners do beside LoRA's work: products and passes that make weights, rotations or bases, and products with them.

A tuner that makes a target's weight multiplies every token with it: i x o products where LoRA's are of rank r. What makes it is
the same whatever the tokens. Counted operator by operator on peft 0.21 (peft/tuners/<name>/layer.py), by dry runs of one layer
and, of those that need values, on the CPU; what is not counted is in a family's pace (evidence/training_speed.py).
"""

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np

from roi.estimate.step.work import (
    FURTHER_KERNEL,
    TARGET_OPERATORS,
    Pass,
    Product,
    adapter_dtype,
    tokens_of,
    unlowered_dtype,
)
from roi.estimate.training.adapters import moved_bytes_each, target_linears
from roi.estimate.training.peft_methods import Making, block
from roi.estimate.training.plan import DTYPE_BYTES, TrainingPlan
from roi.facts.model import Linear, ModelShape, Number

KERNEL_BYTES: Final = 10.0
"""Bytes an element that one element-wise kernel of `Making` moves on average."""
CAYLEY_PRODUCTS: Final = 3.0
"""Products of OFT's series for the inverse in Cayley's map, of five terms; backward has twice as many (oft/layer.py)."""
REFLECTION_BYTES: Final = (
    ((8.0, 4.0, 4.0, 12.0), (8.0, 4.0, 4.0, 4.0, 4.0, 8.0, 12.0)),
    ((8.0, 6.0, 2.0, 2.0, 10.0), (8.0, 6.0, 2.0, 2.0, 2.0, 2.0, 6.0, 8.0, 12.0)),
)
"""Bytes an element of each kernel of one of HRA's reflections, weight - 2 * weight @ u @ u.t(), forward and backward: twice the
weight, under autocast a cast, two products by a vector, the difference; the same back (hra/layer.py, get_delta_weight)."""
SORTED_KERNELS: Final = 9.0
"""Kernels of an indexed sum beside its last: the index made linear and numbered, sorted in passes, results laid out
(aten/src/ATen/native/cuda/Indexing.cu, index_put_with_sort_kernel)."""
VBLORA_OPERATORS: Final = (13.0, 17.0)
"""Operators of a target of VBLoRA beside those of a path of LoRA's, forward and backward: the look for infinite values, then of
each factor its two largest logits, softmax, rows of the bank, weighted and summed (vblora/layer.py, _get_low_rank_matrix)."""
VBLORA_UNHIDDEN: Final = 16.0
"""Operators that a target's forward launches after the host has read whether a value is infinite, `if ....isinf().any()`: it
waits there until the device has done all that was launched, which then has nothing to do while these come one by one."""
TENSOR_OPERATORS: Final = 1.0
"""Host time of an optimizer step a trained tensor, in operators: Python gathers it, counts its steps, corrects its rates and
takes its norm. torch 2.13's multi-tensor AdamW and clip_grad_norm_ take 17 us of a CPU a tensor (112 to 3,584 tensors of 100
elements, kernels of updates left out), an operator of peft's LoRA layer 13 us there."""
BLOCK_BYTES: Final = ((74.0, 123.0), (97.0, 157.0))
"""Bytes an element of OFT's blocks that skews, powers and sums move, forward and backward: fp32 products, and 16-bit ones."""


def tuner_work(model: ModelShape, plan: TrainingPlan) -> tuple[list[Product], list[Pass]]:
    """Products and passes of a micro-step that the plan's tuner has beside those of LoRA; empty for LoRA itself."""
    found: list[Product | Pass] = []
    own, makes, turned = OWN.get(plan.method), plan.tuner and plan.tuner.makes, plan.tuner and plan.tuner.token_bytes
    for x in target_linears(model, plan) if plan.tuner is not None else ():
        found += own(x, plan) if own else _made(x, plan, makes) if makes else ()
        found += _passes(x, plan, turned, tokens_of(plan) * x.outputs) if turned else ()
    return [each for each in found if isinstance(each, Product)], [each for each in found if isinstance(each, Pass)]


def tuner_operators(model: ModelShape, plan: TrainingPlan, products: Iterable[Product], passes: Iterable[Pass]) -> Number:
    """Operators that the host launches for what `tuner_work` found, beyond those of a path, which `step_operators` counts.

    With that path, for a target of peft's own on a CPU without checkpointing: HRA of rank 8 has 127 (95 here), OFT 34 (32),
    LoHa 21 (16), WaveFT 44 (16). BOFT's kernels without bytes are further ones of one operator.
    """
    if plan.method == "vblora":
        ahead, back = VBLORA_OPERATORS
        return _targets(model, plan) * (ahead * _forwards(plan) + back)
    own: Number = sum((p.calls * p.rounds for p in products), np.float64(0.0))
    own = sum((p.calls * np.where(np.asarray(p.bytes_each) > 0.0, 1.0, FURTHER_KERNEL) for p in passes), own)
    path = TARGET_OPERATORS[0] * _forwards(plan) + TARGET_OPERATORS[1]
    beyond: Number = np.maximum(own - path * _targets(model, plan), 0.0)
    return beyond


def unhidden_operators(model: ModelShape, plan: TrainingPlan) -> float:
    """Operators that are launched while the device waits for them, since the host has just read a value from it."""
    return _targets(model, plan) * VBLORA_UNHIDDEN * _forwards(plan) if plan.method == "vblora" else 0.0


def update_operators(model: ModelShape, plan: TrainingPlan) -> Number:
    """Host time of an optimizer step, in operators, for tensors beyond a pair a target, which the fit of LoRA's runs has.

    Each subspace of AdaMSS has a pair; other tuners have a few more a target, and are left out.
    """
    if plan.method != "adamss":
        return 0.0
    return TENSOR_OPERATORS * 2.0 * (np.asarray(plan.subspaces, dtype=float) - 1.0) * _targets(model, plan)


def _targets(model: ModelShape, plan: TrainingPlan) -> float:
    return float(sum(x.layers for x in target_linears(model, plan)))


def fetched_bytes(model: ModelShape, plan: TrainingPlan) -> Number:
    """Bytes that a micro-step copies from the host (BOFT, FRoD), but under a Trainer, which moves them once."""
    if plan.tuner is None or plan.trainer != "plain":
        return 0.0
    size, tuner = np.asarray(plan.rank, dtype=float), plan.tuner
    each = sum((x.layers * (tuner.moved(x.inputs, x.outputs, size) + tuner.moved_once(x.inputs, x.outputs, size))
                for x in target_linears(model, plan)), np.float64(0.0))
    return moved_bytes_each(plan) * _forwards(plan) * each


def _forwards(plan: TrainingPlan) -> float:
    return 2.0 if plan.checkpointing else 1.0


def _lowered(plan: TrainingPlan) -> bool:
    return adapter_dtype(plan) != "fp32"


def _passes(x: Linear, plan: TrainingPlan, each: tuple[tuple[float, float], ...], elements: Number) -> Iterator[Pass]:
    """Kernels that move so many bytes `each` element, forward and backward: with fp32 products, and with 16-bit ones."""
    for moved, rounds in zip(each[_lowered(plan)], (_forwards(plan), 1.0), strict=True):
        yield Pass(x.layers * rounds * moved / KERNEL_BYTES, KERNEL_BYTES * elements)


def _made(x: Linear, plan: TrainingPlan, makes: Making) -> Iterator[Product | Pass]:
    """A weight, or its change, of the target's own shape: what makes it, and every token's product with it.

    Beside the base's product that is one more forward and two backward. In its place it is the gradient of the weight alone,
    and where the weight is wider than the base the other two are as slow as its type, beside the base's that are not done.
    """
    assert plan.tuner is not None
    calls, i, o, again, tokens = float(x.layers), float(x.inputs), float(x.outputs), _forwards(plan), tokens_of(plan)
    dtype = plan.dtype if plan.tuner.stays == "base" else adapter_dtype(plan)
    yield from _passes(x, plan, (makes.bytes_fp32, makes.bytes_16bit), i * o)
    if makes.factors[0]:
        rank = np.asarray(plan.rank, dtype=float)
        yield Product(calls, o, i, rank, adapter_dtype(plan), rounds=again * makes.factors[0] + makes.factors[1])
    yield from _multiplied(calls, tokens, i, o, again, dtype, beside=not makes.instead or dtype != plan.dtype)


def _multiplied(
    calls: float, tokens: Number, i: float, o: float, again: float, dtype: str, *, beside: bool,
) -> Iterator[Product]:
    """Products of every token with a matrix that is trained: its gradient, and with `beside` forward and the input's."""
    if beside:
        yield Product(calls, tokens, o, i, dtype, rounds=again)
        yield Product(calls, tokens, i, o, dtype)
    yield Product(calls, o, i, tokens, dtype)


def _boft(x: Linear, plan: TrainingPlan) -> Iterator[Product | Pass]:
    """Three products of matrices as wide as the inputs, blocks laid one by one into the first, and the inputs turned.

    One operator of C++ starts a kernel a block (boft/layer.py, forward, without its CUDA extension).
    """
    calls, i, again, dtype = float(x.layers), float(x.inputs), _forwards(plan), unlowered_dtype(plan)
    yield Product(3.0 * calls, i, i, i, dtype, rounds=again + 1.0)
    yield Pass(3.0 * calls * again, 16.0 / 3.0 * i * i)
    yield Pass(calls, 6.0 * i * i)
    yield Pass(calls * again * i / np.asarray(plan.rank, dtype=float), 0.0)
    yield from _multiplied(calls, tokens_of(plan), i, i, again, dtype, beside=True)


def _hra(x: Linear, plan: TrainingPlan) -> Iterator[Product | Pass]:
    """Reflections one after the other over a matrix as wide as the inputs; it is multiplied with an identity and the weight."""
    calls, i, o, again, dtype = float(x.layers), float(x.inputs), float(x.outputs), _forwards(plan), adapter_dtype(plan)
    rank = np.asarray(plan.rank, dtype=float)
    for kernels, rounds in zip(REFLECTION_BYTES[_lowered(plan)], (again, 1.0), strict=True):
        for moved in kernels:
            yield Pass(calls * rank * rounds, moved * i * i)
    for n in (i, o):
        yield Product(calls, n, i, i, dtype, rounds=again + 1.0)
    yield from _multiplied(calls, tokens_of(plan), i, o, again, dtype, beside=dtype != plan.dtype)


def _oft(x: Linear, plan: TrainingPlan) -> Iterator[Product | Pass]:
    """Cayley's map of every block, then the inputs turned block by block."""
    calls, i, again, dtype = float(x.layers), float(x.inputs), _forwards(plan), adapter_dtype(plan)
    blocks = block(i, np.asarray(plan.rank, dtype=float))
    wide, tokens = i / blocks, tokens_of(plan)
    yield Product(calls, wide, wide, wide, dtype, rounds=CAYLEY_PRODUCTS * (again + 2.0), groups=blocks)
    yield from _passes(x, plan, BLOCK_BYTES, i * wide)
    yield Product(calls, tokens, wide, wide, dtype, rounds=again + 1.0, groups=blocks)
    yield Product(calls, wide, wide, tokens, dtype, groups=blocks)


def _randlora(x: Linear, plan: TrainingPlan) -> Iterator[Product | Pass]:
    """Two products over bases of full rank, of which the narrower is scaled and has a gradient (randlora/layer.py, forward)."""
    calls, i, o, again, dtype = float(x.layers), float(x.inputs), float(x.outputs), _forwards(plan), adapter_dtype(plan)
    tokens, full = tokens_of(plan), min(i, o)
    for wide in (i, o):
        yield Product(calls, tokens, full, wide, dtype, rounds=again + 1.0)
    yield Product(calls, full, full, tokens, dtype)
    yield from _passes(x, plan, ((12.0, 24.0), (18.0, 30.0)), full * full)
    yield Pass(calls * again * _lowered(plan), 6.0 * i * o)  # autocast's copy of the other base


def _c3a(x: Linear, plan: TrainingPlan) -> Iterator[Product | Pass]:
    """A product of blocks at every frequency, in complex numbers of fp32: four real ones each (c3a/utils.py)."""
    calls, size, tokens = 4.0 * x.layers, np.asarray(plan.rank, dtype=float), tokens_of(plan)
    i, o = x.inputs / size, x.outputs / size
    yield Product(calls, tokens, o, i, "fp32", rounds=_forwards(plan) + 1.0, groups=size)
    yield Product(calls, o, i, tokens, "fp32", groups=size)


def _frod(x: Linear, plan: TrainingPlan) -> Iterator[Product | Pass]:
    """Two products as wide as the inputs before one of the base's shape in its place, and the gradient of the one between.

    That is sparse: made dense for a 16-bit base, multiplied as it is in fp32, its gradient dense in both (frod/layer.py,
    _sparse_activation_mm). Kernels that sort and pick its values move little.
    """
    calls, i, tokens, again, w = float(x.layers), float(x.inputs), tokens_of(plan), _forwards(plan), DTYPE_BYTES[plan.dtype]
    full = 0.01 * i if w >= 4.0 else i
    yield Product(calls, tokens, i, i, plan.dtype, rounds=again + 1.0)
    yield Product(calls, tokens, i, full, plan.dtype, rounds=again + 1.0)
    yield Product(calls, i, i, tokens, plan.dtype)
    yield Pass(calls * again * float(w < 4.0), w * i * i)
    yield Pass(2.0 * calls * again, 2.5 * w * tokens * i)
    yield Pass(4.0 * calls, 2.25 * w * tokens * i)
    yield Pass((6.0 * again + 4.0 * again * float(plan.trainer == "plain") + 5.0) * calls, 16.0 * 0.01 * i * i)


def _osf(x: Linear, plan: TrainingPlan) -> Iterator[Product | Pass]:
    """Projections of both factors' gradients off the frozen directions, in their own type whatever autocast says.

    A factor on the weight's longer side is projected off the large frozen factor, one on the shorter side onto its own first
    value (osf/layer.py, _attach_hooks). Of a 16-bit base peft casts the factors to new fp32 parameters, which have no hooks
    (tuners_utils.py, cast_adapter_dtype): nothing is projected then.
    """
    if plan.dtype != "fp32" and plan.trained_bytes >= 4.0:
        return
    calls, rank, short = float(x.layers), np.asarray(plan.rank, dtype=float), float(min(x.inputs, x.outputs))
    for side, other in ((float(x.outputs), float(x.inputs)), (float(x.inputs), float(x.outputs))):
        off = short - rank if side > other else rank
        yield Product(calls, off, rank, side, plan.dtype)
        yield Product(calls, side, rank, off, plan.dtype)
        yield Pass(calls * float(side > other), 3.0 * plan.trained_bytes * side * rank)


def _adamss(x: Linear, plan: TrainingPlan) -> Iterator[Product | Pass]:
    """A frozen projection of the input, then for each subspace two products one after the other, in the base's type.

    Of a 16-bit base both factors are cast in every forward and their gradients back; gradients of what subspaces read are added
    up (adamss/layer.py, forward). On a CPU a target of K subspaces has 6 + 4 K operators beyond the base's product forward,
    without casts 5 + 2 K, and 2 + 7 K backward, without 2 + 5 K.
    """
    calls, i, o, again, w = float(x.layers), float(x.inputs), float(x.outputs), _forwards(plan), DTYPE_BYTES[plan.dtype]
    tokens, rank, parts = tokens_of(plan), np.asarray(plan.rank, dtype=float), np.asarray(plan.subspaces, dtype=float)
    each, share, cast = calls * parts, o / parts, float(w < 4.0)
    yield Product(calls, tokens, rank, i, plan.dtype, rounds=again + 1.0)
    for wide, deep in ((1.0, rank), (share, 1.0)):
        yield Product(each, tokens, wide, deep, plan.dtype, rounds=again)
        yield Product(each, tokens, deep, wide, plan.dtype)
        yield Product(each, wide, deep, tokens, plan.dtype)
        yield Pass(each * cast * (again + 1.0), 6.0 * deep * wide)
    yield Pass(each, 3.0 * w * tokens * rank)
    yield Pass(calls * cast * again, 6.0 * rank * i)
    yield Pass(calls * (4.0 * again + 1.0), 2.0 * w * tokens * o)


def _vblora(x: Linear, plan: TrainingPlan) -> Iterator[Product | Pass]:
    """Small kernels of backward, for both factors' logits and the bank of vectors; forward's hide behind their launches."""
    del plan
    yield Pass(x.layers * (VBLORA_OPERATORS[1] + 2.0 * SORTED_KERNELS), 0.0)


OWN: Final = {"adamss": _adamss, "boft": _boft, "c3a": _c3a, "frod": _frod, "hra": _hra, "oft": _oft, "osf": _osf,
              "randlora": _randlora, "vblora": _vblora}
"""Tuners whose work is as wide as the inputs or as the narrower side, in blocks of both, or of many small products."""
