"""Layers of bitsandbytes on tensors without storage: packed weights, scales and codes, of the sizes that a GPU holds."""

from roi.profiling.stack import bitsandbytes as bnb
from roi.profiling.stack import torch

# isort: split
from typing import Any

from bitsandbytes.functional import QuantState
from torch import nn
from transformers.integrations.bitsandbytes import replace_with_bnb_linear

from roi.estimate.training.adapters import DOUBLE_QUANT_BLOCK, NF4_BLOCK
from roi.estimate.training.plan import TrainingPlan
from roi.estimate.training.setting import OWN_LINEAR
from roi.profiling.train.real_model import DTYPES, quantisation


def quantise_on_meta(model: Any, plan: TrainingPlan) -> None:
    """Put bitsandbytes' layers in place of the linear ones, as transformers does when it loads, packed on meta.

    A family's own subclass of nn.Linear too, as LitGPT and transformers before 5 do; what later ones leave whole is for
    `refusal` to say.
    """
    if model.config.model_type in OWN_LINEAR:
        for module in model.modules():
            if isinstance(module, nn.Linear):
                module.__class__ = nn.Linear
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
        second = QuantState(absmax=make(-(-blocks // DOUBLE_QUANT_BLOCK), torch.float32), blocksize=DOUBLE_QUANT_BLOCK,
                            code=make(256, torch.float32), dtype=torch.float32)
        nested = {"offset": torch.empty((), device="meta"), "state2": second}
    state = QuantState(absmax=make(blocks, torch.uint8 if plan.double_quant else torch.float32), shape=shape,
                       code=make(16, torch.float32), blocksize=NF4_BLOCK, quant_type="nf4", dtype=dtype, **nested)
    packed = torch.empty((-(-n // 2), 1), dtype=torch.uint8, device="meta")
    module.weight = bnb.nn.Params4bit(packed, requires_grad=False, quant_state=state, quant_type="nf4", blocksize=NF4_BLOCK,
                                      compress_statistics=plan.double_quant, quant_storage=torch.uint8, bnb_quantized=True,
                                      module=module)
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
