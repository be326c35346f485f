"""Plans that need less memory than one that does not fit, from the smallest change to the largest."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from roi.estimate.training.plan import TrainingPlan
from roi.estimate.training.targets import trains_experts
from roi.facts.model import ModelShape

LEAST_PROJECTED: Final = 4
"""Lowest rank of GaLore's projection that its authors train with (arXiv 2403.03507, table 4)."""
LEAST_SEQ: Final = 128
"""Shortest sequences of a plan that is proposed, tokens; longer ones are multiples of it."""
ALONE: Final = "micro-batch 1"


def smaller_plans(model: ModelShape, plan: TrainingPlan) -> Iterator[tuple[str, TrainingPlan]]:
    """Plans that need less, from the smallest change to the largest."""
    kept = "inputs" if plan.checkpoints == "selective" else plan.checkpoints
    thrifty = replace(plan, micro_batch=1.0, checkpointing=True, checkpoints=kept)
    yield from _same_training(plan, thrifty)
    if plan.adapter and trains_experts(model, plan.targets):
        yield "targets attention", replace(plan, targets="attention")
    if plan.prepared and model.mixture:
        # k-bit preparation casts experts, which stay unquantised, to fp32
        yield "LoRA", replace(plan, method="lora")
        yield "LoRA, targets attention, micro-batch 1", replace(thrifty, method="lora", targets="attention")
    yield from _lower_ranks(plan)
    own, usual, asked, least = "", TrainingPlan(), plan, thrifty
    if plan.projected or (plan.tuner is not None and plan.tuner.size != "r"):  # their size is no adapter's rank
        own = f" of rank {usual.rank:g}"
        optimizer = usual.optimizer if plan.projected else plan.optimizer  # GaLore projects whole weights' gradients alone
        plan, thrifty = (replace(each, optimizer=optimizer, rank=usual.rank) for each in (plan, thrifty))
    if not plan.adapter:
        if plan.optimizer in ("adamw", "adamw-foreach"):
            yield "full, 8-bit optimizer, micro-batch 1", replace(thrifty, optimizer="adamw-8bit")
        if plan.optimizer in ("adamw", "adamw-foreach", "adamw-8bit"):
            yield "full, paged 8-bit optimizer, micro-batch 1", replace(thrifty, optimizer="paged-adamw-8bit")
        yield f"LoRA{own}", replace(plan, method="lora")
        yield f"LoRA{own}, micro-batch 1", replace(thrifty, method="lora")
    yield from _quantised_plans(plan, thrifty, own)
    yield from _offloaded(asked, least)
    yield from _shorter_quantised(plan, thrifty, own)
    plain = not asked.adapter or (asked.prepared and model.mixture)
    yield from _shorter_plans(model, asked, replace(thrifty, method="lora") if plain else least, f"LoRA{own}, " * plain)


def _same_training(plan: TrainingPlan, thrifty: TrainingPlan) -> Iterator[tuple[str, TrainingPlan]]:
    """Plans that train the same on the same examples, in other steps or kernels."""
    if not plan.checkpointing or thrifty.checkpoints != plan.checkpoints:
        name = "checkpoints of inputs alone" if plan.checkpointing else "checkpointing"
        yield name, replace(plan, checkpointing=True, checkpoints=thrifty.checkpoints)
    if plan.micro_batch > 1:
        yield ALONE, replace(plan, micro_batch=1.0)
        if not plan.checkpointing:
            yield "micro-batch 1 + checkpointing", thrifty
    if _may_take_liger(plan):
        yield "kernels liger", replace(plan, kernels="liger")
        if plan.micro_batch > 1 or not plan.checkpointing:
            yield "kernels liger, micro-batch 1 + checkpointing", replace(thrifty, kernels="liger")


def _offloaded(plan: TrainingPlan, least: TrainingPlan) -> Iterator[tuple[str, TrainingPlan]]:
    """What is sharded waits in the host's memory: slower, but the same training."""
    if plan.sharding in ("zero2", "zero3", "fsdp") and not plan.offload:
        yield "offload to the host's memory", replace(plan, offload=True)
        if plan.micro_batch > 1:
            yield "offload to the host's memory, micro-batch 1", replace(least, offload=True)


def larger_sizes(name: str, found: TrainingPlan, asked: TrainingPlan) -> Sequence[tuple[str, TrainingPlan]]:
    """Plans between one of `smaller_plans` that fits and the step before it, which does not, from the smallest on.

    Micro-batches above 1; or sequences above what was halved to, and below twice that.
    """
    if name == ALONE:
        sizes = range(2, int(np.ceil(asked.micro_batch)))
        return [(f"micro-batch {n:,}", replace(found, micro_batch=float(n))) for n in sizes]
    tokens = int(found.seq)
    if tokens >= asked.seq:
        return []
    lengths = range((tokens // LEAST_SEQ + 1) * LEAST_SEQ, min(2 * tokens, int(asked.seq)), LEAST_SEQ)
    return [(name.replace(f"{tokens:,} tokens", f"{n:,} tokens"), replace(found, seq=float(n))) for n in lengths]


def _may_take_liger(plan: TrainingPlan) -> bool:
    """True where the loop would run Liger's kernels, whose loss never makes all logits, in place of the class's own."""
    return plan.kernels == "none" and plan.loss == "fp32" and plan.stack == "transformers"


def _lower_ranks(plan: TrainingPlan) -> Iterator[tuple[str, TrainingPlan]]:
    """GaLore's projection to half the rank, and so on."""
    rank = float(plan.rank) / 2.0
    while plan.projected and rank >= LEAST_PROJECTED:
        yield f"rank {np.floor(rank):,.0f}", replace(plan, rank=np.floor(rank))
        rank /= 2.0


def _quantised_plans(plan: TrainingPlan, thrifty: TrainingPlan, own: str) -> Iterator[tuple[str, TrainingPlan]]:
    """An adapter on an NF4 base."""
    name, quantised = _quantised(plan, thrifty, own)
    if not plan.quantised:
        yield name, replace(plan, method=quantised.method)
        yield f"{name}, micro-batch 1 + checkpointing", quantised
        if _may_take_liger(plan):
            yield f"{name}, kernels liger, micro-batch 1 + checkpointing", replace(quantised, kernels="liger")


def _quantised(plan: TrainingPlan, thrifty: TrainingPlan, own: str) -> tuple[str, TrainingPlan]:
    """The thrifty plan on an NF4 base, and the method's name."""
    quantised: TrainingPlan = replace(thrifty, method="qdora" if plan.weight_decomposed else "qlora")
    return f"{'QDoRA' if plan.weight_decomposed else 'QLoRA'}{own}", quantised


def _shorter_quantised(plan: TrainingPlan, thrifty: TrainingPlan, own: str) -> Iterator[tuple[str, TrainingPlan]]:
    """An adapter on an NF4 base, on ever shorter sequences."""
    name, quantised = _quantised(plan, thrifty, own)
    seq = float(plan.seq) / 2.0
    while seq >= LEAST_SEQ:
        shorter = replace(quantised, seq=float(np.floor(seq)))
        yield f"{name}, micro-batch 1, {shorter.seq:,.0f} tokens", shorter
        if _may_take_liger(plan):
            yield f"{name}, kernels liger, micro-batch 1, {shorter.seq:,.0f} tokens", replace(shorter, kernels="liger")
        seq /= 2.0


def _shorter_plans(model: ModelShape, plan: TrainingPlan, least: TrainingPlan, name: str) -> Iterator[tuple[str, TrainingPlan]]:
    """`least`, which keeps the base's type, on ever shorter sequences: NF4 saves little where experts stay unquantised."""
    also = ", micro-batch 1" * (plan.micro_batch > 1) + ", checkpointing" * (not plan.checkpointing)
    seq = float(plan.seq) / 2.0
    while seq >= LEAST_SEQ:
        shorter = replace(least, seq=float(np.floor(seq)))
        yield f"{name}{shorter.seq:,.0f} tokens{also}", shorter
        if least.targeted and trains_experts(model, least.targets):
            yield f"{name}{shorter.seq:,.0f} tokens, targets attention{also}", replace(shorter, targets="attention")
        seq /= 2.0
