"""The dry run: the real training step of the real model on tensors without storage, and what it says about memory.

    config --build_skeleton--> model on meta --one step under a Recorder--> Tape --> peak, parts, timeline, reserved

The model is built by transformers, bitsandbytes and peft themselves, on the meta device.
"""

from roi.profiling.stack import quiet, torch, uncollected

# isort: split
import io
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, redirect_stderr
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from unittest.mock import patch

import transformers.masking_utils as masking
from peft import get_peft_model, prepare_model_for_kbit_training
from peft.tuners.boft.layer import BOFTLayer
from peft.tuners.lora import dora
from torch import nn

from roi.catalog.models.configs import ModelConfig
from roi.errors import InputError, words_of
from roi.estimate.training.plan import FLASH_PACKAGES, TrainingPlan
from roi.facts.profiles import OperatorGroup
from roi.facts.tape import Tape
from roi.profiling.card_kernels import FLASH, CardKernels
from roi.profiling.dry.cuda_on_meta import CALLS_FLASH, cuda_kernels, meta_asks_cuda, recompute_lowered
from roi.profiling.dry.fused_kernels import fuse_kernels, fused_loss
from roi.profiling.dry.loops import Optimizer, forward_and_loss, fuse_head, lowers, triton_tiles
from roi.profiling.dry.packed_on_meta import quantisation_states, quantise_on_meta
from roi.profiling.dry.recorder import Recorder
from roi.profiling.dry.shape_cache import ShapeCache
from roi.profiling.train.real_model import (
    DTYPES,
    adapter_settings,
    build_meta,
    fuse_projections,
    stacks_experts,
    target_modules,
)

STACK: Final = frozenset({"layers", "h", "blocks", "decoder", "transformer", "embed_tokens", "norm"})
"""Names on the path of modules under the stack of layers, whatever the family."""
BESIDE: Final = frozenset({"rotary_emb", "wte", "wpe", "embed_in", "final_layernorm", "ln_f"})
"""Names of modules beside it that run no loss."""
CHECKPOINTING: Final = {"use_reentrant": False}
"""The form that transformers 5 and peft recommend."""
ADDED_TOKENS: Final = 2
"""Special tokens that a tokenizer of a base model usually lacks: padding and the unknown one (Llama 3)."""
USUAL_NAMES: Final = (
    *((fused, "q_proj", "k_proj", "v_proj") for fused in ("qkv_proj", "query_key_value", "c_attn", "Wqkv", "W_pack", "wqkv")),
    *((name, "o_proj") for name in ("dense", "out_proj", "attn.c_proj")), ("gate_up_proj", "gate_proj", "up_proj"),
    *((name, "up_proj") for name in ("fc1", "fc_in", "dense_h_to_4h", "c_fc")),
    *((name, "down_proj") for name in ("fc2", "fc_out", "dense_4h_to_h", "mlp.c_proj")),
)
"""Modules of other families, and what they hold by llama's names."""


@dataclass(frozen=True)
class DryRun:
    """One training step without a GPU."""

    tape: Tape
    """Load, then one step that finds the optimizer's states in place; the cuBLAS workspace is a block of the load."""
    operators: tuple[OperatorGroup, ...]
    """Work of every operator of the step; empty unless asked for."""
    trained_parameters: int
    notes: tuple[str, ...]
    """Notes on what was approximated."""
    wall_s: float
    """Seconds of building and stepping."""


def dry_run(config: ModelConfig, plan: TrainingPlan, *, workspace_bytes: float, operators: bool = False,
            kernels: CardKernels = FLASH, cache: ShapeCache | None = None) -> DryRun:
    """Build the model of `plan` on meta and run one optimizer step of `plan.accumulation` (at most two) micro-steps.

    Backward frees what it no longer needs, so the tape has the order in which a GPU would allocate. An InputError says what
    a class of transformers cannot do on meta, in one sentence. `cache`: what operators made in other models.
    """
    return MetaModel(config, plan, kernels, cache).run(plan, workspace_bytes, operators=operators)


class MetaModel:
    """A model on the meta device: built once, stepped at several sizes."""

    def __init__(self, config: ModelConfig, plan: TrainingPlan, kernels: CardKernels = FLASH,
                 cache: ShapeCache | None = None) -> None:
        """`cache`: what operators made in other models."""
        self.config, self.kernels, self.cache = config, kernels, cache
        self.begun = time.perf_counter()
        plan.check_runs_dry()
        self.model = build_skeleton(config, plan)
        if plan.split_experts and stacks_experts(self.model):
            raise InputError("--dry-run: split_experts: transformers here stacks the experts; leave it out for the closed form")
        fuse_head(self.model, plan)
        fuse_kernels(self.model, plan)
        if lowers(plan):
            recompute_lowered(self.model, DTYPES[plan.dtype])
        self.modules = {module: name for name, module in self.model.named_modules() if name}
        self.parameters = list(self.model.parameters())
        self.trained = [p for p in self.parameters if p.requires_grad]
        self.parts = _parts(self.model, self.modules)

    def run(self, plan: TrainingPlan, workspace_bytes: float, *, operators: bool = False) -> DryRun:
        """One step; `plan` differs from the one it was built for in micro-batch and length alone."""
        model, begun, trained = self.model, self.begun, self.trained
        recorder = Recorder(self.parts, self.kernels, cache=self.cache)
        adapters = trained if plan.adapter else []
        own = {id(p) for p in adapters}
        states = quantisation_states(model)
        recorder.hold([p for p in self.parameters if id(p) not in own], "load", "weights")
        recorder.hold([*model.buffers(), *states], "load", "weights")
        recorder.hold(adapters, "load", "adapters")
        recorder.allocate(int(workspace_bytes), "cuBLAS", "workspaces")
        optimizer = Optimizer(plan, trained)
        optimizer.create_states(recorder)
        recorder.timed = operators
        flash = DTYPES[plan.dtype] if plan.attention in FLASH_PACKAGES and plan.dtype != "fp32" else None
        attention = cuda_kernels(flash, self.kernels, plan.attention)
        kernels = fused_loss(model, plan)
        with quiet(), attention, meta_asks_cuda(), triton_tiles(plan), kernels, _masks(plan), recorder.following(self.modules):
            try:
                _step(recorder, model, plan, optimizer)
            except (NotImplementedError, RuntimeError, TypeError, ValueError, AttributeError) as error:
                raise InputError(f"MODEL: {self.config.name}: its training step does not run on tensors without storage "
                                 f"({type(error).__name__}: {words_of(error)})") from error
        steps = float(_steps(plan))
        micro_steps = steps * min(plan.accumulation, 2)
        groups = tuple(
            group.model_copy(update={"calls": work.calls / (steps if group.phase == "optimizer" else micro_steps)})
            for group, work in recorder.work.items()
        )
        notes = [self.config.differs] if self.config.differs else []
        if (plan.quantised or plan.int8) and not states:
            notes.append("bitsandbytes finds no layer to quantise in this class; the base stays whole")
        if plan.prepared and stacks_experts(model):
            notes.append("experts are 3-D parameters: bitsandbytes leaves them unquantised, k-bit preparation casts them to "
                         "fp32")
        self.begun = time.perf_counter()
        return DryRun(tape=recorder.tape(), operators=groups, trained_parameters=sum(p.numel() for p in trained),
                      notes=tuple(notes), wall_s=time.perf_counter() - begun)


def _steps(plan: TrainingPlan) -> int:
    """Optimizer steps that are run: two where the output of the one before lives in forward, and its graph with int8's inputs.

    A loop's variables hold it until the next forward has returned. Micro-steps show it within one step.
    """
    return 2 if plan.int8 and plan.logits_kept and plan.accumulation == 1 else 1


def _step(recorder: Recorder, model: nn.Module, plan: TrainingPlan, optimizer: Optimizer) -> None:
    inputs, kept = _batch(plan), None
    hooked: list[Any] = optimizer.trained  # Any: torch leaves the hook untyped
    handles = [p.register_post_accumulate_grad_hook(recorder.relabel_gradient) for p in hooked]
    with recorder:
        for _ in range(_steps(plan)):
            recorder.marks.append(("step", len(recorder.events)))
            for _ in range(min(plan.accumulation, 2)):
                recorder.begin("forward")
                loss, kept = forward_and_loss(model, plan, inputs)
                recorder.begin("backward")
                loss.backward()
                del loss
            recorder.begin("optimizer")
            if plan.trainer != "plain":
                torch.nn.utils.clip_grad_norm_(optimizer.trained, 1.0)  # the Trainer's max_grad_norm
            optimizer.step(recorder)
            optimizer.zero_grad()
        del kept
    for handle in handles:
        handle.remove()


def _batch(plan: TrainingPlan) -> dict[str, torch.Tensor]:
    batch, seq = int(plan.micro_batch), int(plan.seq)
    ids = torch.zeros((batch, seq), dtype=torch.int64, device="meta")
    if plan.packed:
        return {"input_ids": ids, "position_ids": torch.zeros_like(ids), "labels": torch.zeros_like(ids)}
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": torch.zeros_like(ids)}


@contextmanager
def _masks(plan: TrainingPlan) -> Iterator[None]:
    """transformers decides by values whether a mask is needed; here the plan says it: padding, packing, a sliding window."""
    flash = plan.attention in FLASH_PACKAGES
    padded = plan.padded and plan.micro_batch > 1 and not plan.packed
    packs = masking.find_packed_sequence_indices

    def ignore(mask: Any, q: int, kv: int, q_offset: Any, kv_offset: Any, window: int | None = None) -> bool:  # Any: theirs
        del mask, q, q_offset, kv_offset
        return flash or not (padded or plan.packed or (window is not None and kv >= window))

    def packed(position_ids: torch.Tensor) -> torch.Tensor | None:
        return packs(position_ids) if plan.packed and not flash else None

    with (
        patch.object(masking, "_ignore_causal_mask_sdpa", ignore),
        patch.object(masking, "find_packed_sequence_indices", packed),
        patch.object(masking, "is_tracing", lambda *_: True),
    ):
        yield


def _parts(model: Any, names: Mapping[nn.Module, str]) -> Any:
    """parts(operator, module, phase, arguments): what an allocation counts as. Any: a PreTrainedModel or a PeftModel."""
    head = model.get_output_embeddings()
    head_name = names.get(head)

    @cache
    def of_module(module: str) -> str:
        path = module.split(".")  # the model itself and its wrappers run the loss
        in_stack = module and module != head_name and (STACK & set(path) or path[-1] in BESIDE)
        return "activations" if in_stack else "logits"

    def parts(operator: str, module: str, phase: str, arguments: Sequence[Any]) -> str:  # Any: an operator's arguments
        if "dequantize" in operator:
            return "workspaces"
        if phase == "optimizer":
            return "temporaries"
        if "_to_copy" in operator and head is not None and (
                arguments[0].untyped_storage()._cdata == head.weight.untyped_storage()._cdata):
            return "activations"  # a 16-bit copy of the head that autocast keeps for backward, as it keeps the stack's
        return of_module(module)

    return parts


def _call_flash(model: Any, plan: TrainingPlan, attention: str) -> None:  # Any: a PreTrainedModel
    """Have FlashAttention called where the class was built with eager attention for want of SDPA."""
    if plan.attention in FLASH_PACKAGES and model.config.model_type in CALLS_FLASH:
        model.config._attn_implementation = attention


@contextmanager
def unpermuted(plan: TrainingPlan) -> Iterator[None]:
    """BOFT's matrices of permutations without rows of their own: inputs^2 in fp32 a target.

    They would take 36 GB of an 8B on the host, where peft leaves them, and a write for each of their rows. A Trainer moves them
    to the card with the model (transformers/trainer.py, _move_model_to_device).
    """
    register = nn.Module.register_buffer

    def kept(module: nn.Module, name: str, tensor: Any, *, persistent: bool = True) -> None:  # Any: a tensor or None
        if name == "boft_P":
            moved = plan.trainer != "plain"
            tensor = torch.empty(tensor.shape) if moved else torch.zeros(1, device="cpu").expand(tensor.shape)
        register(module, name, tensor, persistent=persistent)

    with (
        torch.device("meta"), patch.object(nn.Module, "register_buffer", kept),
        patch.object(BOFTLayer, "perm2mat", lambda _, rows: torch.zeros(len(rows), len(rows))),
    ):
        yield


def build_skeleton(config: ModelConfig, plan: TrainingPlan) -> Any:  # Any: transformers' classes are chosen at run time
    """The model with its adapters, ready to train, every tensor without storage.

    An InputError names what stops it: an architecture that this transformers does not know, a configuration that it
    refuses, or targets that the model lacks.
    """
    with (
        quiet(), uncollected(),
        # peft copies a 4-bit layer before it reads its norm, for FSDP alone; a copy of meta parameters fails
        patch.object(dora, "deepcopy", lambda layer: layer),
        patch.object(nn.init, "kaiming_uniform_", lambda tensor, *_, **__: tensor),  # there are no values to draw
    ):
        attention = "eager" if plan.attention == "eager" else "sdpa"  # flash is put in its place while the step runs
        model = build_meta(_entries(config, plan), plan, config.name, attention)
        _call_flash(model, plan, attention)
        model.config.use_cache = False
        model.tie_weights()
        if config.fused:
            fuse_projections(model, config.fused)
        if plan.checkpointing and not model.supports_gradient_checkpointing:
            raise InputError(f"checkpointing: {type(model).__name__} of transformers has none; take --no-checkpointing")
        if plan.method == "full":
            if plan.checkpointing:
                model.gradient_checkpointing_enable(gradient_checkpointing_kwargs=CHECKPOINTING)
            return model.train()
        if plan.quantised or plan.int8:
            quantise_on_meta(model, plan)
        if plan.prepared:
            model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=plan.checkpointing,
                                                    gradient_checkpointing_kwargs=CHECKPOINTING)
        targets = target_modules(model, plan.targets, USUAL_NAMES)
        try:
            building = unpermuted(plan) if plan.method == "boft" else nullcontext()
            with redirect_stderr(io.StringIO()), building:  # FRoD counts its matrices there
                adapted = get_peft_model(model, adapter_settings(model, plan, targets), low_cpu_mem_usage=True)
        except (ImportError, NotImplementedError) as error:  # some tuners read values of the weights when they are built
            raise InputError(f"method: {plan.method}: peft does not build it without values; leave --dry-run out") from error
        except ValueError as error:
            what = f"targets: peft refuses {plan.targets}" if plan.targeted else f"method: peft refuses {plan.method}"
            raise InputError(f"{what} on {config.name}: {words_of(error)}") from error
        _set_types(adapted, plan)
        if plan.checkpointing:
            adapted.gradient_checkpointing_enable(gradient_checkpointing_kwargs=CHECKPOINTING)
            adapted.enable_input_require_grads()
        return adapted.train()


def _entries(config: ModelConfig, plan: TrainingPlan) -> dict[str, Any]:  # Any: JSON
    """The model's entries, with the rows that fms-acceleration's trainer adds beside its kernels.

    A frozen base gets a row for each special token that its tokenizer lacks (fms-hf-tuning, tokenizer_and_embedding_resize), so
    logits are no whole number of the allocator's segments, and their shifted copy is one short. Trained ends count as stated.
    """
    vocab = config.entries.get("vocab_size")
    if plan.kernels != "fused" or not plan.adapter or not isinstance(vocab, int):
        return config.entries
    return {**config.entries, "vocab_size": vocab + ADDED_TOKENS}


def _set_types(adapted: Any, plan: TrainingPlan) -> None:
    """Give the factors of the adapters the types that they have on a GPU."""
    for layer in adapted.modules():  # DoRA's magnitudes have one entry an output, in fp32, whatever the base is stored in
        if type(layer).__name__ == "DoraLinearLayer":
            layer.weight = nn.Parameter(torch.empty(layer.weight.shape, dtype=torch.float32, device="meta"))
    chunked = plan.chunked_head and (plan.quantised or plan.int8)
    if plan.adapters_16bit or chunked:
        # SFTTrainer turns the adapters of a quantised base to bf16, magnitudes excepted (trl/trainer/sft_trainer.py)
        for name, parameter in adapted.named_parameters():
            if parameter.requires_grad and "lora_magnitude_vector" not in name:
                parameter.data = parameter.data.to(torch.bfloat16 if chunked else DTYPES[plan.dtype])
