"""How the model classes of LitGPT and torchtune differ from those of transformers, as far as memory follows from it.

    litgpt      query, key and value are one product, whose output lives where the values are a view of it; grouped keys and
                values are repeated for all heads; the output head is a weight of its own; bitsandbytes packs every linear
                layer, the head too, and prepares nothing; adapters have the model's type; logits are made whole, turned to
                fp32 by Fabric, and their loss taken 128 tokens at a time; GELU is one operator
    torchtune   keys and values repeated, adapters in the model's type, no preparation; the loss goes over eight chunks of the
                logits, each cast to fp32

Read off litgpt/model.py, lora.py and utils.py (0.5.0, lit-gpt 8641822), lightning's BitsandbytesPrecision, and
torchtune/modules/attention.py and loss/ce_chunked_output_loss.py (November 2024).
"""

from roi.estimate.training.plan import TrainingPlan
from roi.facts.model import ModelShape

FUSED = ("attn", "q_proj", "k_proj", "v_proj")
"""LitGPT's product, and what it holds."""


def built_model(model: ModelShape, plan: TrainingPlan) -> ModelShape:
    """The model as the plan's stack builds it; the same one for transformers and torchtune."""
    if plan.stack != "litgpt":
        return model
    apart = all(a.kind in ("full", "sliding") and not a.shared_kv for a in model.attention)
    names = tuple(held for held in model.module_names if not set(held) & set(FUSED))
    changed = {"tied": False, "module_names": (*names, FUSED) if apart else model.module_names}
    # cached properties would be copied with the rest, so the shape is made anew
    return ModelShape.model_construct(**{**dict(model), **changed})
