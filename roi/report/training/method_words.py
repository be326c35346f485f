"""What a method trains and on which base, in words."""

from dataclasses import replace
from typing import Final

from roi.estimate.training.memory import MemoryBreakdown
from roi.estimate.training.plan import TrainingPlan
from roi.estimate.training.targets import ENDS
from roi.units import GIB

TRAINS: Final = {
    "full": "every weight", "lora": "low-rank adapters", "rslora": "low-rank adapters, scaled by the root of their rank",
    "dora": "low-rank adapters and a magnitude an output", "qlora": "low-rank adapters",
    "qdora": "low-rank adapters and a magnitude an output", "lora-int8": "low-rank adapters",
    "path": "a narrow path beside each target", "weight": "a change of each target's weight that is made whole",
    "scale": "a scale of each target", "adaption_prompt": "a prompt in the last attentions", "ln_tuning": "the norms",
    "p_tuning": "an encoder of virtual tokens", "prefix_tuning": "keys and values before those of every layer",
    "prompt_tuning": "virtual tokens before the text", "trainable_tokens": "rows of the embedding",
    "llama_adapter": "a prompt in every attention from the third layer on",
    "llama_adapter_v2": "a prompt in every attention from the third layer on, a scale and a bias of every product, norms",
    "houlsby": "a bottleneck behind every MLP", "llamapro": "copies of layers, spread over the stack",
    "lisa": "some layers at a time, embedding, head and last norm",
}
"""Method, or the family of a tuner with targets -> what it trains."""


def method_words(plan: TrainingPlan) -> str:
    """The method of training, with the rank and the targets of its adapters (qlora r16, all), or a tuner's size."""
    targets = plan.targets if isinstance(plan.targets, str) else ",".join(plan.targets)
    targets += f",{','.join(ENDS)}" * plan.ends
    size = f" r{plan.rank:g}"
    if plan.tuner is not None and plan.tuner.size != "r":
        size = f" {plan.tuner.size} {plan.rank:g}" if plan.tuner.size else ""
    return plan.method + (size if plan.method != "full" or plan.projected else "") + (f", {targets}" if plan.targeted else "")


def trained_words(plan: TrainingPlan, memory: MemoryBreakdown) -> str:
    """What the plan trains, the type of the base where it is frozen, and what its cast to fp32 adds, or why there is none."""
    named = plan.method in TRAINS or plan.tuner is None
    trained = TRAINS[plan.method if named else plan.tuner.family]  # type: ignore[union-attr]  # by the line above
    package = "" if plan.tuner is None or plan.tuner.package == "peft" else f" ({plan.tuner.package}'s {plan.method})"
    if not plan.adapter:
        return trained + package
    base = f"GPTQ of {plan.gptq} bits" if plan.gptq else "NF4" if plan.quantised else "int8" if plan.int8 else plan.dtype
    added = float(memory.preparation_bytes) / GIB
    rest = f", what is not quantised cast to fp32: {added:,.1f} GiB more" if added else ""
    if plan.shards_parameters and replace(plan, gpus=1, sharding="none", offload=False).prepared:
        rest = f", what is not quantised in {plan.dtype}, not cast to fp32: {plan.sharding} gathers one dtype"
    trained += ", embedding and head whole" * plan.ends
    return f"{trained}{package}; base in {base}{rest}"
