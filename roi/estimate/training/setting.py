"""What every activation formula asks of a plan on a model: tokens and pairs, and in which type each tensor is kept.

Types decide most of the bytes. The residual stream has 2 bytes an element, or 4 after k-bit preparation; adapters are fp32
unless an engine casts them; autocast runs products in 16 bits on copies of wider inputs; attention has kernels of its own.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from roi.estimate.training.optimizers import optimizer_refusal
from roi.estimate.training.peft_methods import PROMPTED, VIRTUAL, block
from roi.estimate.training.plan import DTYPE_BYTES, FLASH_PACKAGES, TrainingPlan
from roi.estimate.training.targets import adaptable, asked_targets, expert_parts, fuse_linears, resolve_targets, trains_experts
from roi.facts.gpu import Gpu
from roi.facts.model import Attention, Linear, ModelShape, Number

OWN_INPUT: Final = ("down_proj", "shared_down_proj", "q_b_proj", "kv_b_proj", "per_layer_input_gate", "per_layer_projection",
                    "per_layer_model_projection")
"""Products that alone read their input."""
MIXED_INPUT: Final = ("o_proj", "out_proj")
"""Products that read the output of token mixing."""
FLASH_HEAD_DIM: Final = 256
"""FlashAttention-2 takes head dimensions up to this (torch, sdp_utils.cpp)."""
CUDNN_HEAD_DIM: Final = 128
"""cuDNN's attention takes head dimensions up to this where a gradient is wanted (torch, sdp_utils.cpp)."""
WITHOUT_SDPA: Final = (
    "bloom", "cpmant", "deepseek_v4", "flint", "gemma2", "gpt_neo", "gpt_neox_japanese", "gpt_oss", "granite_swa",
    "granitemoe_swa", "hy_v4", "inkling2_text", "mimo_v2_flash", "mpt", "openai-gpt", "vaultgemma", "xglm")
"""Families whose class has no SDPA (soft-capped scores, sinks, ALiBi; `_supports_sdpa`): transformers gives eager attention."""
WITHOUT_FLASH: Final = (
    "axk2", "bloom", "cpmant", "deepseek_v32", "deepseek_v4", "doge", "dots3_note_text", "glm_moe_dsa", "gpt_neox_japanese",
    "hy_v4", "inkling2_text", "inkling_text", "kolibri1_1", "llama4_text", "minimax_m3_vl_text", "mpt", "openai-gpt", "xglm")
"""Families whose class refuses FlashAttention (`_supports_flash_attn`): ALiBi, chunks of attention, an indexer."""
ALWAYS_MASKED: Final = ("falcon",)
"""Families whose class always asks for the causal mask, to which it may add ALiBi (allow_is_causal_skip=False)."""
UNBIASED: Final = ("mpt", "dbrx")
"""Families of LayerNorm without a bias."""
NORMED_EMBEDDING: Final = ("bloom",)
"""Families with a LayerNorm behind the embedding: autocast runs it in fp32, and the stream stays so."""
EVERY_EXPERT: Final = ("llama4_text",)
"""Families whose class of transformers sends all tokens through all experts, most of them at a score of zero
(modeling_llama4.py, Llama4TextMoe: `routed_in` is the stream once an expert)."""
STACKED_BEFORE: Final = ("dbrx", "gpt_oss", "granitemoe", "granitemoehybrid", "granitemoeshared", "jetmoe", "llama4_text")
"""Families whose experts were stacked in one parameter before transformers 5 too (GptOssExperts, Llama4TextExperts,
GraniteMoeParallelExperts, DbrxExpertGLU): no module that bitsandbytes quantises or peft adapts."""
FP32_ROUTER: Final = (
    "axk1", "axk2", "deepseek_v2", "deepseek_v3", "deepseek_v32", "dots1", "exaone_moe", "flint", "glm4_moe", "glm4_moe_lite",
    "glm_moe_dsa", "hy_v3", "inkling_text", "kimi_k2", "kolibri1", "kolibri1_1", "longcat_flash", "mimo_v2_flash",
    "minicpm5_moe", "nemotron_h", "param2moe", "sarvam_moe", "solar_open")
"""Families whose router reads the stream in fp32, and weights in fp32 (modeling_deepseek_v3.py, DeepseekV3TopkRouter)."""
FP32_SCORES: Final = ("deepseek_v2", "gemma4_text", "longcat_flash", "minimax", "minimax_m2", "mixtral")
"""Families whose softmax or sigmoid gives fp32 weights whatever it reads (modeling_mixtral.py, MixtralTopKRouter)."""
OWN_LINEAR: Final = ("falcon",)
"""Families whose linear layers are a subclass of nn.Linear (FalconLinear)."""
SCALED_WIDE: Final = ("gemma", "cohere", "olmo2", "olmo3", "qwen3_next", "qwen3_5")
"""Families, by their names' beginnings, whose norms scale in fp32 (modeling_qwen3_next.py, Qwen3NextRMSNorm)."""
POST_NORMED: Final = ("olmo2", "olmo3", "exaone4")
"""Families whose token mixing and MLP read the stream itself: norms come behind (modeling_olmo2.py, Olmo2DecoderLayer)."""
LIGER_EXPERTS: Final = ("mixtral", "qwen3_moe", "qwen3_next", "qwen3_5_moe_text", "hunyuan_v1_moe")
"""Families whose stacked experts Liger runs as one function (monkey_patch.py of 0.8.0, LigerExperts)."""
LIGER_HEAD_NORMS: Final = ("gemma3_text", "gemma4_text", "exaone4")
"""Families whose norms of queries and keys it runs too: into a model that is built it is put norm by norm (same file)."""
LIGER: Final = frozenset((
    "exaone4", "falcon_h1", "gemma", "gemma2", "gemma3_text", "gemma4_text", "glm4", "gpt_oss", "granite", "hunyuan_v1_dense",
    "hunyuan_v1_moe", "llama", "llama4_text", "ministral", "mistral", "mixtral", "mllama_text_model", "nemotron", "olmo2",
    "olmo3", "phi3", "qwen2", "qwen3", "qwen3_5_moe_text", "qwen3_5_text", "qwen3_moe", "qwen3_next", "smollm3",
))
"""Families that Liger has kernels for (liger_kernel/transformers/monkey_patch.py, MODEL_TYPE_TO_APPLY_LIGER_FN of 0.8.0)."""


@dataclass(frozen=True)
class Setting:
    """A plan on a model; `tokens`, `pairs` and `dropped` broadcast against each other."""

    model: ModelShape
    plan: TrainingPlan
    targets: frozenset[str]
    batch: Number
    """micro_batch."""
    tokens: Number
    """micro_batch x seq."""
    pairs: Number
    """micro_batch x seq x seq: elements of one head's scores."""
    padded: Number
    """1 where a batch of more than one sequence carries padding, or a row holds several examples, else 0."""
    dropped: Number
    """1 where LoRA dropout is on, else 0."""
    flash: bool = True
    """True where torch has FlashAttention for the card: compute capability 8.0 and later (sdp_utils.cpp, check_sm_version)."""

    @property
    def w(self) -> float:
        """Bytes of an element of the residual stream.

        peft casts what a quantised layer adds back to the layer's type, but not under autocast (peft/tuners/lora/bnb.py,
        requires_conversion): DoRA's fp32 magnitudes then make the stream fp32. So does LayerNorm, which autocast runs in fp32:
        bitsandbytes' products return the type of their input (nn/modules.py, Linear4bit.forward), and an MLP's are added to
        the stream.
        """
        packed = self.plan.method == "qdora" and self.plan.autocast
        widened = packed and bool(self.targets & {"o_proj", "down_proj"})
        normed = self.plan.adapter and self.plan.autocast and self.model.family in NORMED_EMBEDDING
        returned = self.plan.autocast and self.layer_norm and (self.plan.quantised or self.plan.int8) and not self.plan.gptq
        return 4.0 if widened or normed or (returned and self.plan.stack == "transformers") else self.plan.stream_bytes

    @property
    def tied(self) -> bool:
        """True where embedding and head are one parameter; copies that are trained beside adapters are two."""
        return self.model.tied and not self.plan.ends

    @property
    def made(self) -> float:
        """Bytes of an element that an MLP's products make: as the stream, unless a norm alone widened that."""
        return self.plan.stream_bytes if self.model.family in NORMED_EMBEDDING else self.w

    @property
    def lowered(self) -> bool:
        """True where autocast runs the products of wider tensors in 16 bits, each on a 16-bit copy of its input."""
        narrow = DTYPE_BYTES[self.plan.dtype]
        return self.plan.autocast and self.plan.adapter and narrow < max(self.plan.trained_bytes, self.w)

    @property
    def flash_lowered(self) -> bool:
        """True where transformers hands FlashAttention 16-bit copies of fp32 queries, keys and values.

        The kernel takes no other type (modeling_flash_attention_utils.py); its output is 16-bit too.
        """
        return self.plan.attention in FLASH_PACKAGES and self.w >= 4.0 and DTYPE_BYTES[self.plan.dtype] < 4.0

    @property
    def attended(self) -> float:
        """Bytes of a query, key, value or attention output element."""
        return 2.0 if self.lowered or self.flash_lowered else self.w

    @property
    def normalised(self) -> float:
        """Bytes of an element that a trained RMSNorm keeps: some families and LitGPT scale it in fp32 (model.py)."""
        wide = self.plan.stack == "litgpt" or self.model.family.startswith(SCALED_WIDE)
        return 4.0 if wide else self.w

    @property
    def one_norm(self) -> bool:
        """True where token mixing and MLP read the same norm's output."""
        return self.model.norms_per_layer == 1

    def drops(self, what: Literal["scores", "stream"]) -> bool:
        """True where training drops this as the configuration says; LitGPT's and torchtune's classes do not read it."""
        return what in self.model.dropped and self.plan.stack == "transformers"

    @property
    def fused_norms(self) -> bool:
        """True where one kernel computes an RMSNorm: it keeps its input and a figure a row (liger_kernel/ops/rms_norm.py).

        So does LLM Foundry's low_precision_layernorm, which has no bias and stays in 16 bits under autocast.
        """
        return self.plan.kernels != "none" and not self.model.norm_bias

    @property
    def fused_head_norms(self) -> bool:
        """True where norms of queries and keys are one kernel each."""
        return self.fused_norms and (self.plan.kernels != "liger" or self.model.family in LIGER_HEAD_NORMS)

    @property
    def layer_norm(self) -> bool:
        """True where norms are torch's LayerNorm: one kernel, which keeps its input as it is."""
        return self.model.norm_bias or self.model.family in UNBIASED

    @property
    def recast(self) -> bool:
        """True where a target casts its input to the adapter's type and so keeps a copy of its own."""
        return self.plan.adapter and self.w != self.plan.trained_bytes and not self._uncast

    @property
    def copied(self) -> bool:
        """True where a target reads a copy of its input, in the adapter's type or autocast's."""
        return self.recast or (self.lowered and not (self._uncast and self.w <= 2.0))

    @property
    def _uncast(self) -> bool:
        """True of a packed base under autocast, where peft casts no input (tuners/lora/bnb.py, requires_conversion)."""
        return self.plan.autocast and (self.plan.quantised or self.plan.int8)

    @property
    def keeps_inputs(self) -> bool:
        """True where bitsandbytes' products hold their inputs: in int8, and in 4 bits before 0.43.2 (`held_graphs`)."""
        return self.plan.int8 or self.held_graphs > 0

    @property
    def held_graphs(self) -> int:
        """Micro-steps whose 4-bit products hold their inputs; reentrant checkpointing, the default of the time, holds none."""
        return 0 if self.plan.checkpointing or not self.plan.quantised else self.plan.held_graphs

    @property
    def asked(self) -> frozenset[str]:
        """The targets as the plan names them, parts of fused products apart."""
        return frozenset(asked_targets(self.plan.targets))

    @property
    def eager(self) -> bool:
        """True where the model's class computes attention with scores of its own, not by a fused kernel."""
        return self.plan.attention == "eager" or (self.plan.sdpa and self.model.family in WITHOUT_SDPA)

    @property
    def fp32_scores(self) -> bool:
        """True where experts' results are weighted in fp32: autocast runs a router's product in 16 bits, a softmax in fp32."""
        return self.model.family in (*FP32_SCORES, *(("phimoe",) if self.plan.autocast else FP32_ROUTER))

    @property
    def expert_adapters(self) -> tuple[bool, bool]:
        """Whether adapters sit on the experts' gate and up, and on their down projections."""
        stacked = self.plan.targeted and not self.plan.split_experts
        return expert_parts(self.model, self.plan.targets) if stacked else (False, False)

    @property
    def fused_experts(self) -> bool:
        """True where Liger runs a layer's stacked experts as one function."""
        return runs_fused(self.model, self.plan)

    def adapted(self, linears: list[Linear]) -> list[Linear]:
        """The products of a layer that carry an adapter: fused ones once, an expert's as often as a token passes one."""
        split = self.plan.split_experts
        on = (x for x in fuse_linears(self.model, linears) if adaptable(x, split=split) and x.name in self.targets)
        return [x for x in on for _ in range(x.active)]

    def masked(self, a: Attention) -> Number:
        """1 where SDPA gets an explicit mask: padding, packing, a window that the sequence reaches, the class's own; else 0."""
        if not self.plan.sdpa or self.eager or a.kind == "linear":
            return self.padded * 0.0
        asked = self.model.family in ALWAYS_MASKED and self.plan.stack == "transformers"
        reach = 0.0 if asked else a.window or np.inf
        beyond = np.asarray(self.plan.seq, dtype=float) >= reach
        return np.where(beyond, 1.0, self.padded)

    def repeated(self, a: Attention) -> Number:
        """1 where transformers repeats keys and values for all heads before SDPA: there is a mask, or heads are wider than 256.

        Others stay grouped (integrations/sdpa_attention.py, use_gqa_in_sdpa). Other stacks repeat always.
        """
        wide = a.head_dim > FLASH_HEAD_DIM or a.value_width != a.head_dim
        always = wide if self.plan.stack == "transformers" else not self.plan.compiled
        return np.maximum(self.masked(a), float(always))

    def scored(self, a: Attention) -> Number:
        """1 where torch's SDPA takes its math path on CUDA, which keeps fp32 scores; else 0.

        Grouped heads FlashAttention takes in 16 bits, memory-efficient attention not at all
        (aten/src/ATen/native/transformers/cuda/sdp_utils.cpp); repeated ones the latter serves. Cards before compute capability
        8.0 (T4, V100) have no FlashAttention: their grouped heads go to the math path.
        """
        if not self.plan.sdpa or self.eager or a.kind == "linear":
            return self.padded * 0.0
        if self.plan.attention == "sdpa-math":
            return self.padded * 0.0 + 1.0
        if a.kind == "latent" or a.kv_heads == a.heads:
            return self.padded * 0.0
        most = CUDNN_HEAD_DIM if self.plan.attention == "sdpa-cudnn" else FLASH_HEAD_DIM
        flash = self.flash and self.attended < 4.0 and a.head_dim <= most
        return (1.0 - self.repeated(a)) * float(not flash and self.plan.stack == "transformers")


def read_setting(model: ModelShape, plan: TrainingPlan, gpu: Gpu | None = None) -> Setting:
    """The plan on the model, its numeric fields as arrays that broadcast; without a card, on one with FlashAttention."""
    batch, seq = np.asarray(plan.micro_batch, dtype=float), np.asarray(plan.seq, dtype=float)
    if plan.method in VIRTUAL:
        seq = seq + plan.rank
    targets = resolve_targets(model, plan.targets, split=plan.split_experts) if plan.targeted else frozenset()
    padded = np.where(((batch > 1.0) & plan.padded) | plan.packed, 1.0, 0.0)
    dropped = np.where(np.asarray(plan.dropout, dtype=float) > 0.0, 1.0, 0.0)
    return Setting(
        model=model, plan=plan, targets=targets, batch=batch, tokens=batch * seq, pairs=batch * seq * seq, padded=padded,
        dropped=dropped, flash=has_flash(gpu),
    )


def runs_fused(model: ModelShape, plan: TrainingPlan) -> bool:
    """True where Liger runs a layer's stacked experts as one function."""
    return plan.kernels == "liger" and model.family in LIGER_EXPERTS and not plan.split_experts


def has_flash(gpu: Gpu | None) -> bool:
    """True where torch has FlashAttention for the card, or none is given."""
    return gpu is None or gpu.bf16_flops is not None


def scores_kept_here(model: ModelShape, plan: TrainingPlan, gpu: Gpu) -> bool:
    """True where attention keeps scores on this card for want of FlashAttention, which a dry run has: it is of other cards."""
    here, elsewhere = read_setting(model, plan, gpu), read_setting(model, plan)
    return not here.flash and any(np.any(here.scored(a) > elsewhere.scored(a)) for a in model.attention)


def refusal(model: ModelShape, plan: TrainingPlan) -> str:
    """Why peft would refuse the plan on this model, or no formula knows it; empty where neither is so.

    Adapters on experts are parameters beside 3-D parameters (peft's ParamWrapper): no dropout, no DoRA.
    """
    unrun = (_outside_litgpt(model, plan) or _unrun_attention(model, plan) or _unknown_tuner(model, plan)
             or _unknown_layers(model, plan) or optimizer_refusal(plan) or _unquantised(model, plan) or _no_liger(model, plan))
    apart = plan.split_experts and not plan.weight_decomposed
    if unrun or apart or not plan.adapter or not trains_experts(model, plan.targets):
        return unrun
    ways, asked = "take targets attention, or", asked_targets(plan.targets)
    if ("gate_proj" in asked) != ("up_proj" in asked):
        return f"targets: {','.join(asked)!r} splits gate and up of the experts of {model.id}, which are one; name both"
    if plan.weight_decomposed:
        other = plan.method.replace("dora", "lora")
        return f"method: {plan.method} is not possible on the experts of {model.id}; {ways} {other}"
    if np.any(np.asarray(plan.dropout, dtype=float) > 0.0):
        return f"dropout: {plan.dropout} is not possible on the experts of {model.id}; {ways} dropout 0"
    return ""


def _outside_litgpt(model: ModelShape, plan: TrainingPlan) -> str:
    """Why LitGPT's classes are not counted on this model, or have no such method; empty where they are.

    It has LoRA without DoRA (litgpt/lora.py), and its experts are a loop over MLPs whose gate LoRA and bitsandbytes take too
    (LLaMAMoE); no run of it on a mixture is published to hold its activations to.
    """
    if plan.stack != "litgpt":
        return ""
    if plan.weight_decomposed:
        return f"method: {plan.method} is not possible with stack litgpt; take {plan.method.replace('dora', 'lora')}"
    if model.mixture:
        return f"stack: litgpt is not known on the experts of {model.id} (MLPs in a loop there); take transformers"
    return ""


def _unquantised(model: ModelShape, plan: TrainingPlan) -> str:
    """Why transformers would quantise nothing of the model; empty where it does.

    From version 5 on it takes modules whose type is nn.Linear itself, not a subclass (integrations/bitsandbytes.py,
    replace_with_bnb_linear); those of before are `split_experts`.
    """
    whole = model.family in OWN_LINEAR and plan.stack == "transformers" and not plan.split_experts
    if not (whole and (plan.quantised or plan.int8)):
        return ""
    return f"method: {plan.method} quantises nothing of {model.id} in transformers 5 (its linear layers are its own); take lora"


def _no_liger(model: ModelShape, plan: TrainingPlan) -> str:
    """Why Liger's kernels would not run; empty where they do. transformers trains on without a word but in its log."""
    if plan.kernels != "liger" or plan.stack != "transformers" or model.family in LIGER:
        return ""
    return f"kernels: liger changes nothing of {model.id}: Liger 0.8 has no kernels for {model.family[:40]}; take none"


def _unknown_tuner(model: ModelShape, plan: TrainingPlan) -> str:
    """Why a tuner other than LoRA's is not counted beside the plan's other fields; empty where it is."""
    if plan.tuner is None:
        return ""
    if plan.method == "prefix_tuning" and plan.checkpointing:
        return "method: prefix_tuning is not possible with checkpointing (peft refuses it); take --no-checkpointing"
    if plan.targeted and trains_experts(model, plan.targets):
        return f"method: {plan.method} is not known on the experts of {model.id}; take targets attention, or lora"
    sizes = {"boft": ("inputs",), "c3a": ("inputs", "outputs")}.get(plan.method, ())
    sides = [(x.name, side, getattr(x, side)) for x in read_setting(model, plan).adapted(list(model.linears)) for side in sizes]
    for name, side, n in sides:
        if np.any(n % np.asarray(plan.rank, dtype=float) != 0.0):
            near = block(np.gcd.reduce([m for *_, m in sides]), np.max(plan.rank))
            return f"rank: {plan.rank:g} does not divide the {n:,} {side} of {name}, as {plan.method} needs; {near:g} does"
    asked = (("sharding", plan.sharding, "none"), ("dropout", plan.dropout, 0.0), ("stack", plan.stack, plan.tuner.stack))
    wrong = [f"method: {plan.method} is not known with {name} {value}; take {known}, or lora"
             for name, value, known in asked if np.any(np.asarray(value) != known)]
    return wrong[0] if wrong else ""


def _unknown_layers(model: ModelShape, plan: TrainingPlan) -> str:
    """Why the model has not as many layers as the plan trains, or no place for as many new ones; empty where it has."""
    if plan.method in ("llama_adapter", "llama_adapter_v2") and model.layers <= PROMPTED:
        return f"method: {plan.method} is not possible on the {model.layers} layers of {model.id}; its prompts begin after them"
    if plan.method in ("llamapro", "lisa") and np.any(np.asarray(plan.rank) > model.layers):
        return f"rank: {plan.method} is not possible with {plan.rank:g} layers; {model.id} has {model.layers}"
    if plan.method == "llamapro" and np.any(model.layers % np.asarray(plan.rank) != 0.0):
        asked, near = f"{plan.rank:g} new layers on the {model.layers}", block(model.layers, np.max(plan.rank))
        return f"rank: llamapro is not possible with {asked} of {model.id}; take {near:g}"
    return ""


def _unrun_attention(model: ModelShape, plan: TrainingPlan) -> str:
    """Why the attention that is asked for would not run, a pinned kernel of SDPA or FlashAttention; empty where it would.

    transformers refuses what a class has not (modeling_utils.py, _flash_attn_can_dispatch and _sdpa_can_dispatch; plain sdpa is
    its default, which falls back to eager). FlashAttention takes no mask; memory-efficient attention no grouped heads, unless
    they are repeated (`Setting.repeated`; aten's sdp_utils.cpp).
    """
    lacking = WITHOUT_FLASH if plan.attention in FLASH_PACKAGES else WITHOUT_SDPA if plan.attention.startswith("sdpa-") else ()
    if model.family in lacking and plan.stack == "transformers":
        other = "take eager" + " or flash" * (lacking is WITHOUT_SDPA and model.family not in WITHOUT_FLASH)
        return f"attention: {plan.attention} is not possible with the class of {model.id} ({model.family}); {other}"
    masked = plan.packed or (plan.padded and bool(np.any(np.asarray(plan.micro_batch) > 1.0)))
    heads = [a for a in model.attention if a.kind in ("full", "sliding")]
    if plan.attention == "sdpa-flash" and masked:
        return "attention: sdpa-flash has no kernel for a mask, which padding and packing need; take sdpa, or flash"
    if plan.attention == "sdpa-flash" and any(a.head_dim > 256 or a.value_width != a.head_dim for a in heads):
        return f"attention: sdpa-flash has no kernel for the heads of {model.id}; take sdpa"
    grouped = [a for a in heads if 1 < a.kv_heads < a.heads and a.head_dim <= FLASH_HEAD_DIM]
    if plan.attention == "sdpa-efficient" and not masked and grouped:
        return f"attention: sdpa-efficient has no kernel for the grouped heads of {model.id} without a mask; take sdpa"
    return ""
