"""How a model is trained: the plan, which holds everything that memory and step time depend on.

A plan names what peft and the Trainers name: a method, a rank, the modules that carry adapters (targets), types, attention,
an optimizer and its loop. Every numeric field may be an array, so that one call answers many plans.
"""

from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np

from roi.errors import InputError, NotAChoice
from roi.estimate.training.peft_methods import SUBSPACES, TUNERS, Tuner, adamss, named_method
from roi.facts.methods import Method
from roi.facts.model import ModelShape, Number

Dtype = Literal["bf16", "fp16", "fp32"]
Attend = Literal["sdpa", "sdpa-flash", "sdpa-cudnn", "sdpa-efficient", "sdpa-math", "flash", "flash1", "flash3", "eager"]
Optimizer = Literal[
    "adamw", "adamw-foreach", "adamw-fused", "adamw-bf16", "adamw-8bit", "paged-adamw", "paged-adamw-8bit", "galore-adamw",
    "galore-adamw-8bit", "adamw-32bit", "adamw-4bit", "sgd", "sgd-momentum", "lion", "lion-32bit", "lion-8bit", "paged-lion",
    "paged-lion-8bit", "adafactor", "adam-mini", "muon", "sophia", "ademamix", "ademamix-8bit", "rmsprop", "adagrad", "lomo",
    "adalomo", "apollo-adamw",
]
Kernels = Literal["none", "fused", "liger"]
Loss = Literal["fp32", "16bit", "split", "chunked"]
Trainer = Literal["plain", "hf", "trl"]
Stack = Literal["transformers", "litgpt", "torchtune", "torchtitan"]
Checkpoints = Literal["inputs", "selective", "offloaded"]
Sharding = Literal["none", "zero1", "zero2", "zero3", "fsdp"]

METHODS: Final[tuple[str, ...]] = get_args(Method)
CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "dtype": get_args(Dtype), "attention": get_args(Attend), "optimizer": get_args(Optimizer), "trainer": get_args(Trainer),
    "sharding": get_args(Sharding), "kernels": get_args(Kernels), "loss": get_args(Loss), "stack": get_args(Stack),
    "checkpoints": get_args(Checkpoints),
}
"""The words that a field takes."""
DTYPE_BYTES: Final = {"bf16": 2.0, "fp16": 2.0, "fp32": 4.0}
"""Bytes of one element."""
FLASH_PACKAGES: Final = ("flash", "flash1", "flash3")
"""FlashAttention as a package of its own, by version."""
ATTENTION_INPUTS: Final = ("q_proj", "k_proj", "v_proj", "q_a_proj", "kv_a_proj_with_mqa", "in_proj_qkv", "in_proj_z",
                           "in_proj_b", "in_proj_a")
"""Products that read the first norm's output."""
MOST: Final = {"rank": float("inf"), "micro_batch": 65_536, "seq": 100_000_000, "accumulation": 1_000_000, "gpus": 16_384}
"""Largest values of a plan's sizes: beyond any model's width and context, and of GPUs those of the largest job that was
published (Llama 3's pre-training). Closer limits are the model's own: `check_context`, `check_rank`."""
UNRUN: Final[dict[str, tuple[object, ...]]] = {
    "stack": ("litgpt", "torchtune", "torchtitan"), "checkpoints": ("selective", "offloaded"), "loss": ("split",),
    "step_in_backward": (True,), "gptq": (2, 3, 4, 8), "fp8": (True,), "ends": (True,),
    "optimizer": get_args(Optimizer)[7:], "method": tuple(n for n, tuner in TUNERS.items() if not tuner.built)}
"""Fields of a plan -> values that the closed form alone knows."""
UNRUN_WORDS: Final = {"ends": "--targets: embed_tokens and lm_head", "gptq": "a base packed by GPTQ", "fp8": "products in fp8"}
"""What those fields are called where they are named, which people do not type."""


@dataclass(frozen=True)
class TrainingPlan:
    """One way to train; numeric fields take a float or an array and broadcast against each other."""

    method: str = "lora"
    """full, lora, rslora (the cost of lora), dora, qlora (NF4 base), qdora (NF4 base), lora-int8 (int8 base), or one of peft's
    other tuners by its `peft_type` in small letters, or another package's (peft_methods.py), on an unquantised base."""
    rank: Number = 16.0
    """Rank of the adapter, of GaLore's or APOLLO's projection, or the size that a tuner has instead (virtual tokens, block,
    layers)."""
    targets: str | tuple[str, ...] = "all-linear"
    """all-linear, attention, qv, or module names."""
    micro_batch: Number = 1.0
    """Sequences in one forward pass on one GPU."""
    seq: Number = 2048.0
    """Tokens of the longest sequence; shorter ones in the batch are padded to it."""
    checkpointing: bool = True
    """Gradient checkpointing: keep each layer's input, recompute the rest."""
    dtype: Dtype = "bf16"
    """Storage of unquantised base weights, and the compute type."""
    attention: Attend = "sdpa"
    """Attention implementation as transformers names it (flash = flash_attention_2, flash3 = flash_attention_3); flash1: the
    kernels before version 2 (July 2023), Triton's of that time among them; sdpa leaves
    the kernel to torch, by card and mask; sdpa-flash, sdpa-cudnn, sdpa-efficient and sdpa-math pin it (torch.nn.attention)."""
    optimizer: Optimizer = "adamw"
    """adamw keeps two states in the dtype of the trained parameter: torch.optim's multi-tensor form in a plain loop, the fused
    one in the Trainers; adamw-foreach is the multi-tensor form in a Trainer, its default before torch 2.8
    (transformers/training_args.py, default_optim), and adamw-fused the fused one in a plain loop; the paged ones keep their
    states outside torch, paged-adamw in fp32. GaLore's and APOLLO's project each product's gradient to `rank`. What
    each keeps stands in optimizers.py."""
    dropout: Number = 0.0
    """LoRA dropout; above 0 every target keeps its own dropped input and mask."""
    double_quant: bool = True
    """NF4 block scales quantised once more."""
    logits_kept: bool = False
    """True where the loop holds the model's output through backward (custom loops, TRL); the HF Trainer frees it."""
    padded: bool = True
    """True where batches of more than one sequence carry padding: SDPA then takes a mask and repeated keys and values."""
    autocast: bool = False
    """True under torch.autocast (HF Trainer and TRL with bf16=True): products run in `dtype`, the fp32 adapters' too. The
    memory of DoRA and of fp32 weights under it is that of a loop without."""
    packed: bool = False
    """True where a row holds several examples (packing): SDPA then takes a block-diagonal mask, FlashAttention none."""
    trainer: Trainer = "plain"
    """Whose loop: a plain one, the HF Trainer, or TRL's SFTTrainer; `trainer_habits` says what each implies."""
    accumulation: int = 1
    """Micro-steps in one optimizer step; above 1 the gradients live through forward."""
    gpus: int = 1
    """GPUs of a data-parallel job; each holds the whole model unless it is sharded."""
    sharding: Sharding = "none"
    """What is spread over the GPUs: none; zero1: optimizer states; zero2: gradients too; zero3 and fsdp: parameters too. On
    one GPU the stages of DeepSpeed spread nothing, but hold what they hold: an fp32 copy of what is trained, buckets, gathered
    layers."""
    fsdp2: bool = False
    """True under torch's fully_shard; FSDP of before keeps what its side streams free apart (record_stream)."""
    ends_apart: bool = False
    """True where embedding and head are FSDP units of their own (torchtune's custom_sharded_layers), not of the root's."""
    offload: bool = False
    """True where what is sharded waits in the host's memory, and the optimizer runs there (FSDP's cpu_offload, DeepSpeed's
    offload_optimizer and, of ZeRO-3, offload_param): a GPU has what is gathered, and activations."""
    kernels: Kernels = "none"
    """Triton kernels in place of the class's operators: fused (norms and cross entropy, as Unsloth's and fms-acceleration's),
    liger (norms, SwiGLU, and head with cross entropy in chunks)."""
    loss: Loss = "fp32"
    """Cross entropy: over fp32 logits (transformers), over 16-bit ones, over whole logits a chunk of tokens at a time (split),
    or head and loss together in chunks of tokens (chunked)."""
    kbit_prepared: bool = True
    """False where a quantised base was not prepared for training: what is not quantised stays in `dtype`."""
    split_experts: bool = False
    """True where every expert is a module of its own (transformers before 5): bitsandbytes quantises it."""
    stack: Stack = "transformers"
    """Whose model classes run: those of transformers with peft, of LitGPT, torchtune or torchtitan (stacks.py)."""
    gptq: Literal[0, 2, 3, 4, 8] = 0
    """Bits of weights that GPTQ packed, which AutoGPTQ unpacks by plain operators of torch; 0 where it did not. Not run dry."""
    checkpoints: Checkpoints = "inputs"
    """What checkpointing keeps of a layer: its input; selective: also attention's output and every second product's, in their
    order (torch's policy of selective checkpointing as torchtitan sets it); offloaded: its input, in the host's memory."""
    held_graphs: int = 0
    """Micro-steps whose 4-bit products hold their inputs without checkpointing: 0 from bitsandbytes 0.43.2 on (July 2024), 1
    before (MatMul4Bit kept them as an attribute of its node), 2 where a loop's output also holds the last one's graph."""
    compiled: bool = False
    """True under torch.compile, layer by layer: what is pointwise between two products is computed anew in backward, so forward
    keeps what they read and make (inductor's min-cut partitioner): no fp32 casts, normalised copies, activation or repeated
    heads. Of a split loss the 16-bit logits alone are kept."""
    step_in_backward: bool = False
    """True where each gradient is applied and freed as soon as it is there (torchtune's optimizer_in_bwd)."""
    ends: bool = False
    """True where embedding and output head are trained whole beside adapters (peft's modules_to_save): copies in `dtype`, with
    gradients and states in it."""
    fp8: bool = False
    """True where the layers' products run in 8 bits on weights of `dtype`, cast each time (TransformerEngine under
    fp8_autocast, torchao's float8); head, attention and adapters do not. Memory is that without."""
    nf4: bool = False
    """True where one of LitGPT's adapters beside LoRA stands on an NF4 base."""
    subspaces: Number = SUBSPACES
    """Subspaces of a target of AdaMSS."""
    adapters_16bit: bool = False
    """True where adapters have the type of the base's weights: peft 0.7 to 0.11 on a base that is not packed (from pull request
    1706 on it widens them), autocast_adapter_dtype=False, a loop that casts the whole module."""

    def __post_init__(self) -> None:
        if self.tuner is None and self.method not in METHODS:
            raise NotAChoice("method", self.method, METHODS, TUNERS)
        for field, known in CHOICES.items():
            value = getattr(self, field)
            if value not in known:
                raise NotAChoice(field, value, known) if named_method(value) != "qlora" else InputError(
                    f"{field}: {value!r} is how method qlora keeps its base; {field} is one of {', '.join(known)}")
        for name, most in MOST.items():
            sizes = np.asarray(getattr(self, name), dtype=float)
            if not np.all(sizes >= 1.0):
                raise InputError(f"{name}: {getattr(self, name)} is not usable; at least 1")
            if not np.all(sizes <= most):
                raise InputError(f"{name}: {getattr(self, name)} is not usable; at most {most:,}")
        if self.attention in (*FLASH_PACKAGES, "sdpa-flash", "sdpa-cudnn") and self.dtype == "fp32":
            raise InputError(f"attention: {self.attention!r} is not usable with dtype: 'fp32'; the kernel takes 16-bit queries"
                             " alone: take sdpa, or bf16")
        if self.checkpoints != "inputs" and not self.checkpointing:
            raise InputError(f"checkpoints: {self.checkpoints!r} is not usable without checkpointing; take inputs")
        dropout = np.asarray(self.dropout, dtype=float)
        if not np.all((dropout >= 0.0) & (dropout < 1.0)):
            raise InputError(f"dropout: {self.dropout} is not usable; from 0 up to, but not including, 1")
        self._check_sharding()

    def _check_sharding(self) -> None:
        if self.offload and self.sharding not in ("zero2", "zero3", "fsdp"):
            raise InputError(f"offload: not usable with sharding: {self.sharding!r};"
                             " take zero2, zero3 or fsdp")
        if self.ends and (self.sharding != "none" or not self.adapter):
            what = f"with sharding {self.sharding}" if self.adapter else f"with method {self.method}"
            raise InputError(f"targets: embedding and head trained whole beside adapters are not known {what}; leave out"
                             " embed_tokens and lm_head")
        if self.sharding == "none":
            return
        if self.gpus < 2 and self.sharding == "fsdp" and not self.offload:
            raise InputError(f"sharding: {self.sharding!r} is not usable with gpus: {self.gpus}; take none, or gpus 2 or more")
        if (self.int8 or self.gptq) and self.shards_parameters:
            # torch's FlatParameter refuses integers, and only Params4bit has its storage in another type
            raise InputError(
                f"sharding: {self.sharding!r} is not usable with method {self.method!r}: packed integers cannot be split;"
                " take none or zero2, or method qlora"
            )

    @property
    def adapter(self) -> bool:
        """True where the base is frozen."""
        return self.method not in ("full", "lisa")

    @property
    def tuner(self) -> Tuner | None:
        """What a tuner does; None for full training and for LoRA and its kin, which the other modules count."""
        return adamss(self.subspaces) if self.method == "adamss" else TUNERS.get(self.method)

    @property
    def path_rank(self) -> Number:
        """Width of the adapter's path, as step time counts it; 1 where a tuner has none."""
        if self.tuner is None:
            return self.rank
        width = float(self.tuner.ranks > 0.0) if self.tuner.width is None else self.tuner.width
        return width * self.rank if width else 1.0

    @property
    def targeted(self) -> bool:
        """True where modules carry adapters."""
        return self.adapter and (self.tuner is None or self.tuner.family != "whole")

    @property
    def fused(self) -> bool:
        """True where norms, rotary and cross entropy are one kernel each: Triton's, or those that torch.compile makes."""
        return self.kernels != "none" or self.compiled

    @property
    def quantised(self) -> bool:
        """True where the base's linear layers are stored in NF4, or as GPTQ packs them, in 8 bits too."""
        return self.method in ("qlora", "qdora") or self.nf4 or self.gptq > 0

    @property
    def projected(self) -> bool:
        """True where the optimizer keeps the moments of projected gradients."""
        return self.optimizer.startswith(("galore", "apollo"))

    @property
    def applied_in_backward(self) -> bool:
        """True where no gradient waits for the others: by the loop, or by an optimizer that works so."""
        return self.step_in_backward or self.optimizer in ("lomo", "adalomo")

    @property
    def int8(self) -> bool:
        """True where the base's linear layers are stored in int8 (bitsandbytes' Linear8bitLt)."""
        return self.method == "lora-int8" and not self.gptq

    @property
    def shards_parameters(self) -> bool:
        """True where a GPU holds its part of the parameters alone and gathers the rest when a layer needs it."""
        return self.sharding in ("zero3", "fsdp")

    @property
    def shards(self) -> float:
        """Number of GPUs that the optimizer's states and work are divided over; 1 where nothing is sharded."""
        return 1.0 if self.sharding == "none" else float(self.gpus)

    @property
    def reduces_early(self) -> bool:
        """True where a gradient is reduced, and a GPU keeps its part of it, as soon as it is there."""
        return self.sharding in ("zero2", "zero3", "fsdp")

    @property
    def adds_to_old(self) -> bool:
        """True where a gradient of an earlier micro-step waits for the new one; shards are reduced in every micro-step."""
        return self.accumulation > 1 and not self.reduces_early

    @property
    def prepared(self) -> bool:
        """True where peft's prepare_model_for_kbit_training casts what is not quantised (embedding, norms, head) to fp32.

        Not where parameters are sharded: NF4 is then stored as elements of `dtype` (bnb_4bit_quant_storage), and a unit of
        FSDP takes one dtype alone, so the rest stays in it too (peft's guides to FSDP and ZeRO-3 with QLoRA). Nor under
        SFTTrainer with its chunked head, which prepares nothing (trl/trainer/sft_trainer.py, TRL 1.10 and later).
        """
        packed = self.kbit_prepared and self.stack == "transformers" and (self.quantised or self.int8)
        return packed and not self.shards_parameters and not self.chunked_head

    @property
    def chunked_loss(self) -> bool:
        """True where head and loss run together, a chunk of tokens at a time, but for SFTTrainer's own (`chunked_head`)."""
        return self.kernels == "liger" or self.loss == "chunked"

    @property
    def chunked_head(self) -> bool:
        """True under SFTTrainer of TRL 1.10 and later; a plan that keeps its logits is of an older one, which made them."""
        return self.trainer == "trl" and not self.logits_kept

    @property
    def whole_logits(self) -> bool:
        """True where all logits and their log-softmax stand side by side."""
        return not (self.chunked_head or self.chunked_loss or self.loss == "split")

    @property
    def hands_on_fp32(self) -> bool:
        """True where accelerate turns the model's output to fp32: Trainers under autocast (accelerator.py, prepare_model)."""
        return self.autocast and self.trainer != "plain" and self.stack == "transformers" and DTYPE_BYTES[self.dtype] < 4.0

    @property
    def sdpa(self) -> bool:
        """True where torch's scaled_dot_product_attention runs, whatever its kernel."""
        return self.attention.startswith("sdpa")

    @property
    def multi_tensor(self) -> bool:
        """True where AdamW works on lists of tensors (foreach), which holds one more copy of what is trained."""
        return self.optimizer == "adamw-foreach" or (self.optimizer == "adamw" and self.trainer == "plain")

    @property
    def weight_decomposed(self) -> bool:
        """True for DoRA and QDoRA."""
        return self.method in ("dora", "qdora")

    @property
    def stream_bytes(self) -> float:
        """Bytes of an element of the residual stream.

        peft's prepare_model_for_kbit_training casts every unquantised parameter (embedding, norms, head, biases) to
        fp32, so the embedding's output, and with it the whole stream, is fp32.
        """
        return 4.0 if self.prepared else DTYPE_BYTES[self.dtype]

    @property
    def runs_dry(self) -> bool:
        """True where a dry run knows the step; the closed form alone knows the others, and what several GPUs share."""
        return self.sharding == "none" and not self._unrun()

    def check_runs_dry(self) -> None:
        """InputError where the closed form alone knows the step, with the first field that makes it so."""
        for field in self._unrun():
            what = UNRUN_WORDS.get(field, f"{field}: {getattr(self, field)}")
            raise InputError(f"{what} is not run dry; leave --dry-run out for the closed form")

    def _unrun(self) -> list[str]:
        return [field for field, unrun in UNRUN.items() if getattr(self, field) in unrun]

    @property
    def trained_bytes(self) -> float:
        """Bytes of one trained parameter as the products see it; peft holds adapters in fp32 (autocast_adapter_dtype).

        Engines that compute in `dtype` hand adapters out in it: DeepSpeed casts the whole module (a k-bit model keeps its
        types), FSDP casts what it gathers under mixed precision, and with NF4 a unit has the one dtype.
        """
        if not self.adapter or self.method == "llamapro" or self.stack != "transformers" or self.adapters_16bit:
            return DTYPE_BYTES[self.dtype]  # the whole module is of one type
        if self.chunked_head and (self.quantised or self.int8):
            return 2.0  # SFTTrainer turns adapters on a quantised base to bf16 (trl/trainer/sft_trainer.py)
        deepspeed = self.sharding.startswith("zero") and not self.prepared
        fsdp = self.sharding == "fsdp" and (self.autocast or self.quantised)
        return DTYPE_BYTES[self.dtype] if deepspeed or fsdp else 4.0


def check_context(model: ModelShape, plan: TrainingPlan) -> None:
    """Raise where the plan's sequence is longer than the model's context."""
    if np.any(np.asarray(plan.seq) > model.context_tokens):
        raise InputError(f"seq: {plan.seq:,.0f} tokens is not usable; {model.id} takes at most {model.context_tokens:,}")
