"""The model that a plan trains, built by transformers, bitsandbytes and peft themselves, on the meta device."""

from roi.profiling.stack import bitsandbytes as bnb
from roi.profiling.stack import quiet, torch

# isort: split
from typing import Any, Final
from unittest.mock import patch

from bitsandbytes.functional import QuantState
from peft import get_peft_model, prepare_model_for_kbit_training
from peft.tuners.lora import dora
from torch import nn
from transformers.integrations.bitsandbytes import replace_with_bnb_linear
from transformers.pytorch_utils import Conv1D

from roi.catalog.models.configs import ModelConfig
from roi.errors import InputError, nearest
from roi.estimate.training.adapters import DOUBLE_QUANT_BLOCK, NF4_BLOCK
from roi.estimate.training.plan import TARGET_SETS, TrainingPlan
from roi.profiling.train.real_model import DTYPES, build_meta, lora_settings, quantisation

CHECKPOINTING: Final = {"use_reentrant": False}
"""The form that transformers 5 and peft recommend."""
OTHER_NAMES: Final = {
    "q_proj": ("qkv_proj", "query_key_value", "c_attn", "Wqkv"), "k_proj": ("qkv_proj", "query_key_value", "c_attn", "Wqkv"),
    "v_proj": ("qkv_proj", "query_key_value", "c_attn", "Wqkv"), "o_proj": ("dense", "out_proj", "c_proj"),
    "gate_proj": ("gate_up_proj",), "up_proj": ("gate_up_proj", "fc1", "dense_h_to_4h", "c_fc"),
    "down_proj": ("fc2", "dense_4h_to_h", "c_proj"),
}
"""Modules of other families that hold what llama calls by the first name."""


def build_skeleton(config: ModelConfig, plan: TrainingPlan) -> Any:  # Any: transformers' classes are chosen at run time
    """The model with its adapters, ready to train, every tensor without storage.

    An InputError names what stops it: an architecture that this transformers does not know, a configuration that it
    refuses, or targets that the model lacks.
    """
    # peft copies a 4-bit layer before it reads its norm, for FSDP alone; a copy of meta parameters fails
    with quiet(), patch.object(dora, "deepcopy", lambda layer: layer):
        attention = "eager" if plan.attention == "eager" else "sdpa"  # flash is put in its place while the step runs
        model = build_meta(config.entries, plan, config.name, attention)
        model.config.use_cache = False
        model.tie_weights()
        if plan.method == "full":
            if plan.checkpointing:
                model.gradient_checkpointing_enable(gradient_checkpointing_kwargs=CHECKPOINTING)
            return model.train()
        if plan.quantised or plan.int8:
            _quantise(model, plan)
        if plan.prepared:
            model = prepare_model_for_kbit_training(
                model, use_gradient_checkpointing=plan.checkpointing, gradient_checkpointing_kwargs=CHECKPOINTING,
            )
        targets = adapter_targets(model, plan.targets, config.name)
        adapted = get_peft_model(model, lora_settings(plan, targets), low_cpu_mem_usage=True)
        _set_types(adapted, plan)
        if plan.checkpointing:
            adapted.gradient_checkpointing_enable(gradient_checkpointing_kwargs=CHECKPOINTING)
            adapted.enable_input_require_grads()
        return adapted.train()


def adapter_targets(model: nn.Module, targets: str | tuple[str, ...], name: str) -> list[str] | str:
    """Targets as peft takes them: module names that this model has."""
    if targets == "all-linear":
        return "all-linear"
    products = (nn.Linear, Conv1D)
    leaves = {path.rpartition(".")[2] for path, m in model.named_modules() if isinstance(m, products) and path != "lm_head"}
    asked = TARGET_SETS.get(targets, tuple(targets.split(","))) if isinstance(targets, str) else targets
    found: list[str] = []
    missing: list[str] = []
    for target in (t.strip() for t in asked):
        own = [target] if target in leaves else [other for other in OTHER_NAMES.get(target, ()) if other in leaves]
        found += own
        missing += [] if own else [target]
    if not found or (missing and targets not in TARGET_SETS):
        wrong = missing[0] if missing else str(targets)
        near = nearest(wrong, leaves)
        raise InputError(f"targets: {name} has no module {wrong!r}; nearest: {', '.join(near or sorted(leaves))}")
    return sorted(set(found))


def _quantise(model: Any, plan: TrainingPlan) -> None:
    """Put bitsandbytes' layers in place of the linear ones, as transformers does when it loads, packed on meta."""
    head = model.get_output_embeddings()
    skip = ["lm_head", *(name for name, m in model.named_modules() if m is head)]
    replace_with_bnb_linear(model, modules_to_not_convert=skip, quantization_config=quantisation(plan))
    for module in model.modules():
        if isinstance(module, bnb.nn.Linear4bit):
            _pack_4bit(module, plan)
        elif isinstance(module, bnb.nn.Linear8bitLt):
            _pack_8bit(module)
    for name, value in (("is_loaded_in_4bit", plan.quantised), ("is_loaded_in_8bit", plan.int8), ("is_quantized", True),
                        ("quantization_method", "bitsandbytes")):
        setattr(model, name, value)


def _pack_4bit(module: Any, plan: TrainingPlan) -> None:  # Any: bitsandbytes is untyped
    shape = module.weight.shape
    n = shape.numel()
    blocks = -(-n // NF4_BLOCK)
    dtype = DTYPES[plan.dtype]

    def make(count: int, kind: torch.dtype) -> torch.Tensor:
        return torch.empty(count, dtype=kind, device="meta")

    nested = {}
    if plan.double_quant:
        second = QuantState(
            absmax=make(-(-blocks // DOUBLE_QUANT_BLOCK), torch.float32), blocksize=DOUBLE_QUANT_BLOCK,
            code=make(256, torch.float32), dtype=torch.float32,
        )
        nested = {"offset": torch.empty((), device="meta"), "state2": second}
    state = QuantState(
        absmax=make(blocks, torch.uint8 if plan.double_quant else torch.float32), shape=shape, code=make(16, torch.float32),
        blocksize=NF4_BLOCK, quant_type="nf4", dtype=dtype, **nested,
    )
    packed = torch.empty((-(-n // 2), 1), dtype=torch.uint8, device="meta")
    module.weight = bnb.nn.Params4bit(
        packed, requires_grad=False, quant_state=state, quant_type="nf4", blocksize=NF4_BLOCK,
        compress_statistics=plan.double_quant, quant_storage=torch.uint8, bnb_quantized=True, module=module,
    )
    module.quant_state = state


def _pack_8bit(module: Any) -> None:  # Any: bitsandbytes is untyped
    rows, columns = module.weight.shape
    packed = torch.empty((rows, columns), dtype=torch.int8, device="meta")
    scales = torch.empty(rows, dtype=torch.float32, device="meta")
    module.weight = bnb.nn.Int8Params(packed, requires_grad=False, has_fp16_weights=False, CB=packed, SCB=scales)
    module.state.CB, module.state.SCB = packed, scales
    module.weight.CB = module.weight.SCB = None
    module.state.has_fp16_weights = False
    module.state.threshold = 0.0  # outlier columns are few; what looking for them costs is in recorder.py


def _set_types(adapted: Any, plan: TrainingPlan) -> None:
    """Give the factors of the adapters the types that they have on a GPU."""
    for layer in adapted.modules():  # DoRA's magnitudes have one entry an output, in fp32, whatever the base is stored in
        if type(layer).__name__ == "DoraLinearLayer":
            layer.weight = nn.Parameter(torch.empty(layer.weight.shape, dtype=torch.float32, device="meta"))
    if plan.chunked_head and (plan.quantised or plan.int8):
        # SFTTrainer turns the adapters of a quantised base to bf16, magnitudes excepted (trl/trainer/sft_trainer.py)
        for name, parameter in adapted.named_parameters():
            if parameter.requires_grad and "lora_magnitude_vector" not in name:
                parameter.data = parameter.data.to(torch.bfloat16)


def quantisation_states(model: nn.Module) -> list[torch.Tensor]:
    """Scales and codes of quantised layers, which are neither parameters nor buffers."""
    found: list[torch.Tensor] = []
    for module in model.modules():
        state = getattr(getattr(module, "weight", None), "quant_state", None)
        if isinstance(module, bnb.nn.Linear4bit) and state is not None:
            found += [state.absmax, state.code]
            if state.nested:
                found += [state.offset, state.state2.absmax, state.state2.code]
        elif isinstance(module, bnb.nn.Linear8bitLt):
            found += [module.state.CB, module.state.SCB]
    return found
