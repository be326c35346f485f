"""How the model classes of LitGPT, torchtune and torchtitan differ from those of transformers, as far as memory follows.

    litgpt      query, key and value are one product, whose output lives where the values are a view of it; grouped keys and
                values are repeated for all heads; the output head is a weight of its own; bitsandbytes packs every linear
                layer, the head too, and prepares nothing; adapters have the model's type; logits are made whole, turned to
                fp32 by Fabric, and their loss taken 128 tokens at a time; GELU is one operator
    torchtune   keys and values repeated, adapters in the model's type, no preparation; the loss goes over eight chunks of the
                logits, each cast to fp32
    torchtitan  keys and values repeated; logits freed before backward

Read off litgpt/model.py, lora.py and utils.py (0.5.0, lit-gpt 8641822), lightning's BitsandbytesPrecision, and
torchtune/modules/attention.py and loss/ce_chunked_output_loss.py (November 2024). Then the habits of the Trainers' loops.
"""

from itertools import accumulate, pairwise
from typing import NamedTuple, TypeVar

import numpy as np

from roi.estimate.training.plan import DTYPE_BYTES, Dtype, Trainer, TrainingPlan
from roi.estimate.training.setting import EVERY_EXPERT
from roi.facts.model import Attention, Mlp, ModelShape

Kind = TypeVar("Kind", Attention, Mlp)
FUSED = ("attn", "q_proj", "k_proj", "v_proj")
"""LitGPT's product, and what it holds."""


def last_part(model: ModelShape, parts: int) -> ModelShape:
    """What the last of `parts` GPUs holds where each has some layers (accelerate's device_map): its layers and the head."""
    mixing = tuple(a.model_copy(update={"layers": -(-a.layers // parts)}) for a in model.attention)
    mlps = tuple(m.model_copy(update={"layers": -(-m.layers // parts)}) for m in model.mlp)
    return ModelShape.model_construct(**{**dict(model), "attention": mixing, "mlp": mlps, "tied": True})


def built_model(model: ModelShape, plan: TrainingPlan) -> ModelShape:
    """The model as the plan's stack builds and runs it, or with the layers that llamapro adds; the same one for the others."""
    if model.family in EVERY_EXPERT and plan.stack == "transformers":
        every = tuple(k.model_copy(update={"experts_per_token": k.experts}) for k in model.mlp)
        model = ModelShape.model_construct(**{**dict(model), "mlp": every})
    if plan.method == "llamapro":
        grown = 1.0 + float(np.max(plan.rank)) / model.layers
        return ModelShape.model_construct(**{
            **dict(model), "attention": _deeper(model.attention, grown), "mlp": _deeper(model.mlp, grown)})
    if plan.stack != "litgpt":
        return model
    apart = all(a.kind in ("full", "sliding") and not a.shared_kv for a in model.attention)
    names = tuple(held for held in model.module_names if not set(held) & set(FUSED))
    changed = {"tied": False, "module_names": (*names, FUSED) if apart else model.module_names}
    # cached properties would be copied with the rest, so the shape is made anew
    return ModelShape.model_construct(**{**dict(model), **changed})


def _deeper(kinds: tuple[Kind, ...], grown: float) -> tuple[Kind, ...]:
    """The kinds of layers with `grown` times as many, whole layers of each; sums are rounded, so that none is lost or added."""
    ends = [round(grown * count) for count in accumulate((kind.layers for kind in kinds), initial=0)]
    counts = (end - start for start, end in pairwise(ends))
    return tuple(kind.model_copy(update={"layers": count}) for kind, count in zip(kinds, counts, strict=True))


class TrainerHabits(NamedTuple):
    """What a training loop does unless it is told otherwise."""

    logits_kept: bool
    """The model's output lives through backward."""
    autocast: bool
    """Forward runs under torch.autocast."""


def trainer_habits(trainer: Trainer, dtype: Dtype) -> TrainerHabits:
    """The habits of a loop: a plain one keeps its output and casts nothing, Trainers free it and run bf16=True or fp16=True.

    SFTTrainer (TRL 1.10 and later) never makes whole logits: its head works in chunks.
    """
    lowers = trainer in ("hf", "trl") and DTYPE_BYTES.get(dtype, 4.0) < 4.0
    return TrainerHabits(logits_kept=trainer == "plain", autocast=lowers)
