"""The real model of a plan: drawn at random from its configuration, or read from a folder; its adapter attached."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from roi.errors import InputError
from roi.estimate.training.plan import TrainingPlan
from roi.profiling.stack import bitsandbytes as bnb
from roi.profiling.stack import quiet, torch, transformers

DTYPES: Final = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
"""torch's name of each type of a plan."""

ATTENTION: Final = {"sdpa": "sdpa", "flash": "flash_attention_2", "eager": "eager"}
"""transformers' name of each attention of a plan."""


def build_model(config: dict[str, Any], plan: TrainingPlan, device: str, seed: int = 0) -> Any:
    """The model of a configuration with weights drawn at random on the device, quantised as the plan says.

    The skeleton is made on meta. Quantised layers come one at a time through bitsandbytes' own quantiser, so that the
    peak is the model plus one layer; a layer of a shape seen before is a copy of the first (same bytes, so good for time
    and memory, not for quality). What is left is drawn, and every buffer computed, by the class's own initialisation.
    Nothing is downloaded or written. Sets torch's global seed. Any: transformers' classes are chosen at run time.
    """
    dtype = DTYPES[plan.dtype]
    model = build_meta(config, plan)
    torch.manual_seed(seed)
    quantiser = _quantiser(plan)
    if quantiser is not None:
        quantiser.preprocess_model(model, dtype=dtype, device_map={"": device})
        _fill_quantised(model, dtype, device)
    _materialise(model, device)
    model.initialize_weights()
    model.tie_weights()
    if quantiser is not None:
        quantiser.postprocess_model(model)
        model.hf_quantizer = quantiser  # what dequantize() and the Trainer ask for
    model.config.use_cache = False  # a training step has no use for a KV cache
    return model


def build_meta(config: dict[str, Any], plan: TrainingPlan) -> Any:
    """The unquantised model without storage; a class without SDPA (Gemma 2's soft cap, ALiBi, sinks) takes eager."""
    kind = config.get("model_type")
    entries = {name: value for name, value in config.items() if name not in ("torch_dtype", "dtype", "quantization_config")}
    try:
        settings = transformers.AutoConfig.for_model(**entries)
        try:
            return _skeleton(settings, plan, ATTENTION[plan.attention])
        except ValueError as error:
            if plan.attention != "sdpa" or "scaled_dot_product_attention" not in str(error):
                raise
            return _skeleton(settings, plan, "eager")
    except (ValueError, KeyError, TypeError, AttributeError, ImportError) as error:
        said = " ".join(str(error).split())
        raise InputError(f"MODEL: transformers cannot build a {kind!r} from this: {said[:300]}") from error


def _skeleton(settings: Any, plan: TrainingPlan, attention: str) -> Any:
    with quiet(), torch.device("meta"):
        return transformers.AutoModelForCausalLM.from_config(
            settings, dtype=DTYPES[plan.dtype], attn_implementation=attention, trust_remote_code=False,
        )


def quantised_layers(model: Any) -> int:
    """Layers that bitsandbytes holds; 0 where a class has linear layers of its own kind (falcon)."""
    return sum(isinstance(layer, bnb.nn.Linear4bit | bnb.nn.Linear8bitLt) for layer in model.modules())


def load_model(folder: Path, plan: TrainingPlan, device: str) -> Any:
    """The model of a local folder (config.json and safetensors), quantised as the plan says unless it was saved so."""
    saved = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    wanted = quantisation(plan)
    held = getattr(saved, "quantization_config", None)
    if held is not None and wanted is None:
        raise InputError(f"--weights: {folder} holds quantised weights, but method {plan.method} wants them whole; try qlora")
    quantised = {} if held is not None or wanted is None else {"quantization_config": wanted}
    try:
        model, found = transformers.AutoModelForCausalLM.from_pretrained(
            folder, dtype=DTYPES[plan.dtype], attn_implementation=ATTENTION[plan.attention], device_map={"": device},
            local_files_only=True, trust_remote_code=False, output_loading_info=True, **quantised,
        )
    except (OSError, ValueError, ImportError) as error:
        raise InputError(f"--weights: cannot load {folder}: {' '.join(str(error).split())[:300]}") from error
    absent = sorted([*map(str, found["missing_keys"]), *map(str, found["mismatched_keys"])])
    if absent:  # transformers draws them at random and goes on
        raise InputError(f"--weights: {folder} lacks {len(absent)} tensors of this model, the first is {absent[0]}")
    model.config.use_cache = False
    return model


def quantisation(plan: TrainingPlan) -> Any:
    """bitsandbytes' settings of a plan, or None where the base stays whole. Any: transformers' class is untyped."""
    if plan.quantised:
        return transformers.BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=plan.double_quant,
            bnb_4bit_compute_dtype=DTYPES[plan.dtype],
        )
    return transformers.BitsAndBytesConfig(load_in_8bit=True) if plan.method == "lora-int8" else None


def _quantiser(plan: TrainingPlan) -> Any:
    settings = quantisation(plan)
    if settings is None:
        return None
    return transformers.quantizers.AutoHfQuantizer.from_config(settings, pre_quantized=False)


def _fill_quantised(model: Any, dtype: torch.dtype, device: str) -> None:
    """Put a random quantised weight into every bitsandbytes layer, and mark it as initialised."""
    deviation = float(getattr(model.config, "initializer_range", None) or 0.02)
    seen: dict[tuple[int, int], Any] = {}
    for layer in model.modules():
        if not isinstance(layer, bnb.nn.Linear4bit | bnb.nn.Linear8bitLt):
            continue
        shape = (layer.out_features, layer.in_features)
        known = seen.get(shape)
        if known is not None:
            layer.weight = _copied(known, layer)
        else:
            # bitsandbytes quantises to int8 on the way from the CPU to the device, to 4 bits wherever it is asked
            where = "cpu" if isinstance(layer, bnb.nn.Linear8bitLt) else device
            drawn = torch.empty(shape, dtype=dtype, device=where).normal_(0.0, deviation)
            settings = {k: v for k, v in layer.weight.__dict__.items() if k not in ("SCB", "CB")}
            kind: Any = type(layer.weight)  # Any: bitsandbytes' parameter classes
            layer.weight = seen[shape] = kind(drawn, requires_grad=False, **settings).to(device)
        if layer.bias is not None:
            layer.bias = torch.nn.Parameter(torch.zeros(shape[0], dtype=dtype, device=device), requires_grad=False)
        # transformers' own mark, do not draw again: on the layer, and on the weight for classes that walk parameters (gpt2)
        layer._is_hf_initialized = layer.weight._is_hf_initialized = True


def _copied(weight: Any, layer: Any) -> Any:
    """A copy of a quantised weight, scales included, that belongs to another layer."""
    if isinstance(weight, bnb.nn.Int8Params):
        packed = weight.data.clone()
        return bnb.nn.Int8Params(packed, requires_grad=False, has_fp16_weights=False, CB=packed, SCB=weight.SCB.clone())
    state = copy.deepcopy(weight.quant_state)
    layer.quant_state = state
    return bnb.nn.Params4bit(
        weight.data.clone(), requires_grad=False, quant_state=state, blocksize=weight.blocksize,
        compress_statistics=weight.compress_statistics, quant_type=weight.quant_type, quant_storage=weight.quant_storage,
        module=layer, bnb_quantized=True,
    )


def _materialise(model: Any, device: str) -> None:
    """Give every tensor that is still on meta a storage of zeros; one tensor held twice (tied) stays one."""
    made: dict[int, Any] = {}
    for module in model.modules():
        for name, held in _on_meta(module._parameters):  # assigned there: setattr would register each tie anew
            if id(held) not in made:
                made[id(held)] = torch.nn.Parameter(torch.zeros_like(held, device=device), requires_grad=held.requires_grad)
            module._parameters[name] = made[id(held)]
        for name, held in _on_meta(module._buffers):
            module._buffers[name] = torch.zeros_like(held, device=device)


def _on_meta(held: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    yield from [(name, tensor) for name, tensor in held.items() if tensor is not None and tensor.device.type == "meta"]
