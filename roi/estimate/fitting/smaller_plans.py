"""Plans that need less memory than one that does not fit, in families from the smallest change to the largest."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Final, Literal, NamedTuple

import numpy as np

from roi.estimate.training.plan import TrainingPlan
from roi.estimate.training.targets import TARGET_SETS, adaptable, trains_experts
from roi.facts.model import ModelShape

LEAST_PROJECTED: Final = 4
"""Lowest rank of GaLore's projection that its authors train with (arXiv 2403.03507, table 4)."""
LEAST_SEQ: Final = 128
"""Shortest sequences of a plan that is proposed, tokens; longer ones are multiples of it."""
NAMES: Final = {"lora": "LoRA", "qlora": "QLoRA", "qdora": "QDoRA"}
UNDECOMPOSED: Final = {"dora": "lora", "qdora": "qlora"}
WIDE_ADAMW: Final = ("adamw", "adamw-foreach", "adamw-fused", "adamw-bf16", "adamw-32bit", "adamw-8bit")
"""Optimizers whose states a paged 8-bit AdamW keeps in fewer bits, or off the card."""
OPTIMIZERS: Final = {"adamw-8bit": "8-bit optimizer", "paged-adamw-8bit": "paged 8-bit optimizer"}


class Family(NamedTuple):
    """Plans that train alike, in other steps or kernels, and the sizes that each may shrink to."""

    plans: tuple[TrainingPlan, ...]
    """The smallest change first, each at its largest size; what was asked for itself may be one of them."""
    field: Literal["micro_batch", "seq"]
    """Which of the plan's sizes shrinks."""
    sizes: Sequence[int]
    """Values that it may shrink to, ascending, all below what was asked for."""

    def at(self, plan: TrainingPlan, size: float) -> TrainingPlan:
        """One of the plans at this size."""
        return replace(plan, micro_batch=float(size)) if self.field == "micro_batch" else replace(plan, seq=float(size))


def smaller_plans(model: ModelShape, plan: TrainingPlan) -> Iterator[Family]:
    """Families of plans that need less, from the smallest change to the largest; of one, the largest size is the nearest."""
    yield _alike(plan)
    yield from _masked(plan)
    whole = plan.prepared and model.mixture and not plan.split_experts
    yield from _of_experts(model, plan, whole=whole)
    for rank in _lower_ranks(plan):
        yield _alike(replace(plan, rank=rank))
    usual, asked = TrainingPlan(), plan
    if _sized_otherwise(plan):
        optimizer = usual.optimizer if plan.projected else plan.optimizer  # GaLore projects whole weights' gradients alone
        plan = replace(plan, optimizer=optimizer, rank=usual.rank)
    if not plan.adapter:
        if plan.optimizer in ("adamw", "adamw-foreach"):
            yield _alike(replace(plan, optimizer="adamw-8bit"))
        if plan.optimizer in ("adamw", "adamw-foreach", "adamw-8bit"):
            yield _alike(replace(plan, optimizer="paged-adamw-8bit"))
        yield _alike(replace(plan, method="lora"))
    quantised = plan if plan.quantised else replace(plan, method="qdora" if plan.weight_decomposed else "qlora")
    yield _alike(quantised)
    if asked.sharding in ("zero2", "zero3", "fsdp") and not asked.offload:
        yield _alike(replace(asked, offload=True))  # slower, but the same training
    # NF4 saves the weights' bytes, but its preparation computes more in fp32: of long sequences 16 bits may keep more, and they
    # are faster; experts that stay unquantised save little
    least = replace(plan, method="lora") if not asked.adapter or whole else asked
    shorter = _shorter(least)
    yield shorter._replace(plans=tuple(dict.fromkeys((*shorter.plans, *_shorter(quantised).plans))))
    if least.targeted and trains_experts(model, least.targets):
        yield _shorter(replace(least, targets="attention"))
    yield from _last(model, dict.fromkeys((quantised, least)))


def changes(asked: TrainingPlan, other: TrainingPlan) -> str:
    """What the other plan has that was not asked for, all of it together, in words; empty where nothing."""
    told = list[str]()
    if other.method != asked.method:
        told.append(NAMES[other.method] + f" of rank {other.rank:g}" * _sized_otherwise(asked))
    elif other.rank != asked.rank:
        told.append(f"rank {other.rank:,.0f}")
    if other.optimizer != asked.optimizer and other.optimizer in OPTIMIZERS:
        told.append(OPTIMIZERS[other.optimizer])
    told += [f"targets {other.targets}"] * (other.targets != asked.targets)
    told += [f"kernels {other.kernels}"] * (other.kernels != asked.kernels)
    told += ["offload to the host's memory"] * (other.offload != asked.offload)
    masked = " of unequal lengths, whose mask takes a kernel that keeps no scores" * (other.micro_batch > asked.micro_batch)
    steps = [f"micro-batch {other.micro_batch:,.0f}{masked}"] * (other.micro_batch != asked.micro_batch)
    steps += ["checkpointing"] * (not asked.checkpointing and other.checkpointing)
    told += [" + ".join(steps)] if steps else []
    told += ["checkpoints of inputs alone"] * (asked.checkpointing and other.checkpoints != asked.checkpoints)
    told += [f"{other.seq:,.0f} tokens"] * (other.seq != asked.seq)
    if len(told) < 2:
        return "".join(told)
    *several, last = told[1:]
    return f"{told[0]} with {', '.join(several)}{' and ' if several else ''}{last}"


def _masked(plan: TrainingPlan) -> Iterator[Family]:
    """Two rows for one that does not fit: padded to each other they have a mask, and SDPA repeats grouped keys and values.

    Of one row without a mask they stay grouped (transformers' use_gqa_in_sdpa), which FlashAttention and the math path alone
    take; cards older than compute capability 8.0 have the latter, which keeps the score of every pair (`Setting.scored`).
    Elsewhere two rows need more than one, so that none of these plans has room.
    """
    if plan.attention == "sdpa" and plan.micro_batch == 1 and plan.padded and not plan.packed:
        yield Family(tuple(replace(each, micro_batch=2.0) for each in _alike(plan).plans), "micro_batch", ())


def _of_experts(model: ModelShape, plan: TrainingPlan, *, whole: bool) -> Iterator[Family]:
    """In 16 bits where experts stay `whole`, which k-bit preparation casts to fp32; without adapters of experts; both."""
    few = plan.adapter and trains_experts(model, plan.targets)
    tried = [replace(plan, method="lora")] * whole + [replace(plan, targets="attention")] * few
    tried += [replace(plan, method="lora", targets="attention")] * whole
    yield from map(_alike, tried)


def _alike(plan: TrainingPlan) -> Family:
    """The plan, with checkpointing, with Liger's kernels and with both; on smaller micro-batches."""
    thrifty = _thrifty(plan)
    plans = (plan, thrifty, *(replace(each, kernels="liger") for each in (plan, thrifty) if _may_take_liger(plan)))
    return Family(tuple(dict.fromkeys(plans)), "micro_batch", range(1, int(np.ceil(plan.micro_batch))))


def _shorter(plan: TrainingPlan) -> Family:
    """The plan with checkpointing, one sequence at a time, with Liger's kernels too; on shorter sequences."""
    thrifty = replace(_thrifty(plan), micro_batch=1.0)
    plans = (thrifty, replace(thrifty, kernels="liger")) if _may_take_liger(plan) else (thrifty,)
    return Family(plans, "seq", range(LEAST_SEQ, int(np.ceil(plan.seq)), LEAST_SEQ))


def _last(model: ModelShape, plans: Collection[TrainingPlan]) -> Iterator[Family]:
    """The smallest plans: LoRA in place of DoRA, then states of 8 bits that may leave the card, the fewest targets, both."""
    plain = [replace(each, method=UNDECOMPOSED.get(each.method, each.method)) for each in plans]
    for other in (*(each for each in plain if each not in plans), *(x for each in plain for x in _thinner(model, each))):
        yield _alike(other)
        yield _shorter(other)


def _thinner(model: ModelShape, plan: TrainingPlan) -> list[TrainingPlan]:
    """The plan with a paged 8-bit optimizer, with adapters on queries and values alone, and with both, where it has more.

    On attention alone, where the model names none of its products so (MLA's).
    """
    fewest = "qv" if set(TARGET_SETS["qv"]) & {x.name for x in model.linears if adaptable(x)} else "attention"
    paged = replace(plan, optimizer="paged-adamw-8bit") if plan.optimizer in WIDE_ADAMW else plan
    few = replace(plan, targets=fewest) if plan.targets in ("all-linear", "attention") else plan
    return [each for each in dict.fromkeys((paged, few, replace(paged, targets=few.targets))) if each != plan]


def _thrifty(plan: TrainingPlan) -> TrainingPlan:
    """The plan with checkpointing, of the inputs of layers where they would hold more."""
    return replace(plan, checkpointing=True, checkpoints="inputs" if plan.checkpoints == "selective" else plan.checkpoints)


def _may_take_liger(plan: TrainingPlan) -> bool:
    """True where the loop would run Liger's kernels, whose loss never makes all logits, in place of the class's own."""
    return plan.kernels == "none" and plan.loss == "fp32" and plan.stack == "transformers"


def _lower_ranks(plan: TrainingPlan) -> Iterator[float]:
    """Half the rank of GaLore's projection, and so on."""
    rank = float(plan.rank) / 2.0
    while plan.projected and rank >= LEAST_PROJECTED:
        yield float(np.floor(rank))
        rank /= 2.0


def _sized_otherwise(plan: TrainingPlan) -> bool:
    """True where the plan's rank is no adapter's."""
    return plan.projected or (plan.tuner is not None and plan.tuner.size != "r")
