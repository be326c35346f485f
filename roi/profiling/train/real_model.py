"""The real model of a plan: drawn at random from its configuration, or read from a folder; then its adapter attached."""

import copy
from pathlib import Path
from typing import Any, Final

from safetensors import SafetensorError

from roi.errors import InputError, nearest_told, words_of
from roi.estimate.training.plan import TrainingPlan
from roi.estimate.training.targets import EXPERT_FAMILIES, MLP_TARGETS, TARGET_SETS, asked_targets
from roi.facts.model import Number
from roi.profiling.stack import bitsandbytes as bnb
from roi.profiling.stack import known_warnings, peft, quiet, torch, transformers

DTYPES: Final = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
"""torch's name of each type of a plan."""
ATTENTION: Final = {
    "sdpa": "sdpa", "sdpa-flash": "sdpa", "sdpa-cudnn": "sdpa", "sdpa-efficient": "sdpa", "sdpa-math": "sdpa",
    "flash": "flash_attention_2", "flash3": "flash_attention_3", "eager": "eager",
}  # fmt: skip
"""transformers' name of each attention of a plan."""
STATED_BY_PLAN: Final = ("torch_dtype", "dtype", "quantization_config")
"""Entries of a configuration that a plan decides."""
UNLOADED: Final = (OSError, ValueError, ImportError, TypeError, KeyError, AttributeError, AssertionError, SafetensorError)
"""What transformers raises for a folder that is damaged."""
LINEARS: Final = (torch.nn.Linear, bnb.nn.Linear4bit, bnb.nn.Linear8bitLt)
PRODUCTS: Final = (*LINEARS, transformers.pytorch_utils.Conv1D)
"""Conv1D: gpt2's linear layer with its weight the other way round."""
FEED_FORWARD: Final = (*MLP_TARGETS, "gate_up_proj", "fc1", "fc2", "dense_h_to_4h", "dense_4h_to_h", "c_fc", "mlp.c_proj")
"""Names of an MLP's products."""


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
    settings = quantisation(plan)
    quantiser = settings and transformers.quantizers.AutoHfQuantizer.from_config(settings, pre_quantized=False)
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


def build_meta(config: dict[str, Any], plan: TrainingPlan, name: str = "", attention: str | None = None) -> Any:
    """The unquantised model without storage; a class without SDPA (Gemma 2's soft cap, ALiBi, sinks) takes eager.

    An InputError names what stops it: an architecture that this transformers does not know, a configuration that it refuses, or
    a class that wants a package or a device that is not here. `attention`: transformers' name, unless that of the plan.
    """
    entries = {key: value for key, value in config.items() if key not in STATED_BY_PLAN}
    kind, whose = str(entries.pop("model_type", None)), f"MODEL: {name}: " if name else "MODEL: "
    try:
        settings = transformers.AutoConfig.for_model(kind, **entries)
    except Exception as error:  # whatever a configuration class raises about what it was given
        if kind in transformers.CONFIG_MAPPING:
            raise InputError(f"{whose}transformers refuses its configuration: {words_of(error)}") from error
        hint = nearest_told(kind, list(transformers.CONFIG_MAPPING))
        raise InputError(f"{whose}this transformers has no class for model_type {kind!r}{hint}") from error
    wanted = attention or ATTENTION[plan.attention]
    try:
        try:
            return _without_storage(settings, plan, wanted)
        except ValueError:
            if wanted != "sdpa":
                raise
            return _without_storage(settings, plan, "eager")
    except Exception as error:  # a class may need a package or a device that is not here
        raise InputError(f"{whose}transformers cannot build {kind} on meta: {words_of(error)}") from error


def _without_storage(settings: Any, plan: TrainingPlan, attention: str) -> Any:
    with quiet(), torch.device("meta"):
        return transformers.AutoModelForCausalLM.from_config(
            settings, dtype=DTYPES[plan.dtype], attn_implementation=attention, trust_remote_code=False,
        )


class _Part(torch.nn.Module):
    """Queries, keys or values, asked for in this order, of the module `name` beside it, which makes them at once."""

    def __init__(self, beside: Any, name: str, widths: tuple[int, ...], number: int) -> None:
        super().__init__()
        self.beside, self.name, self.widths, self.number = [beside], name, widths, number  # in a list: not a module of this one

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        [beside] = self.beside
        if self.number == 0:
            beside.left = list(getattr(beside, self.name)(x).split(self.widths, dim=-1))
        part: torch.Tensor = beside.left.pop(0)
        return part


def fuse_projections(model: Any, name: str) -> None:
    """Put one product, called `name`, in place of the q_proj, k_proj and v_proj of each attention on meta.

    An adapter, a quantiser and a kernel then find one module, as in the code of the model that a class stands in for.
    """
    for beside in [each for each in model.modules() if hasattr(each, "q_proj")]:
        usual = {part: getattr(beside, part) for part in ("q_proj", "k_proj", "v_proj")}
        weight, widths = beside.q_proj.weight, tuple(part.out_features for part in usual.values())
        setattr(beside, name, torch.nn.Linear(beside.q_proj.in_features, sum(widths), bias=beside.q_proj.bias is not None,
                                              device=weight.device, dtype=weight.dtype))
        for number, part in enumerate(usual):
            setattr(beside, part, _Part(beside, name, widths, number))


def quantised_layers(model: Any) -> int:
    """Layers that bitsandbytes holds; 0 where a class has linear layers of its own kind (falcon)."""
    return sum(isinstance(layer, bnb.nn.Linear4bit | bnb.nn.Linear8bitLt) for layer in model.modules())


def stacks_experts(model: Any) -> bool:
    """True where experts are 3-D parameters; the weight of a convolution, as linear attention has one, is no expert's."""
    others = (layer for layer in model.modules() if not isinstance(layer, torch.nn.Conv1d))
    return any(p.dim() == 3 for layer in others for p in layer.parameters(recurse=False))


def load_model(folder: Path, plan: TrainingPlan, device: str) -> Any:
    """The model of a local folder (config.json and safetensors), quantised as the plan says unless it was saved so.

    A pickle is never loaded: it could run anything.
    """
    try:
        saved = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except UNLOADED as error:
        raise InputError(f"--weights: cannot load {folder}: {words_of(error)}") from error
    wanted = quantisation(plan)
    held = getattr(saved, "quantization_config", None)
    if held is not None and wanted is None:
        raise InputError(f"--weights: {folder} holds quantised weights, but method {plan.method} wants them whole; try qlora")
    quantised = {} if held is not None or wanted is None else {"quantization_config": wanted}
    try:
        model, found = transformers.AutoModelForCausalLM.from_pretrained(
            folder, dtype=DTYPES[plan.dtype], attn_implementation=ATTENTION[plan.attention], device_map={"": device},
            local_files_only=True, trust_remote_code=False, use_safetensors=True, output_loading_info=True,
            ignore_mismatched_sizes=True, **quantised,
        )
    except UNLOADED as error:
        raise InputError(f"--weights: cannot load {folder}: {words_of(error)}") from error
    other = (f"{name}, which is {list(held)} there and {list(here)} here" for name, held, here in found["mismatched_keys"])
    absent = sorted([*map(str, found["missing_keys"]), *other])
    if absent:  # transformers draws them at random and goes on
        raise InputError(f"--weights: {folder} lacks {len(absent)} tensors of this model, the first is {absent[0]}")
    model.config.use_cache = False
    return model


def quantisation(plan: TrainingPlan) -> Any:
    """bitsandbytes' settings of a plan, or None where the base stays in its own type. Any: transformers' class is untyped."""
    if plan.quantised:
        return transformers.BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4",
                                               bnb_4bit_use_double_quant=plan.double_quant,
                                               bnb_4bit_compute_dtype=DTYPES[plan.dtype])
    return transformers.BitsAndBytesConfig(load_in_8bit=True) if plan.method == "lora-int8" else None


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
    return bnb.nn.Params4bit(weight.data.clone(), requires_grad=False, quant_state=state, blocksize=weight.blocksize,
                             compress_statistics=weight.compress_statistics, quant_type=weight.quant_type,
                             quant_storage=weight.quant_storage, module=layer, bnb_quantized=True)


def _materialise(model: Any, device: str) -> None:
    """Give every tensor that is still on meta a storage of zeros; one tensor held twice (tied) stays one."""
    def on_meta(held: dict[str, Any]) -> list[tuple[str, Any]]:
        return [(name, tensor) for name, tensor in held.items() if tensor is not None and tensor.device.type == "meta"]

    made: dict[int, Any] = {}
    for module in model.modules():
        for name, held in on_meta(module._parameters):  # assigned there: setattr would register each tie anew
            if id(held) not in made:
                made[id(held)] = torch.nn.Parameter(torch.zeros_like(held, device=device), requires_grad=held.requires_grad)
            module._parameters[name] = made[id(held)]
        for name, held in on_meta(module._buffers):
            module._buffers[name] = torch.zeros_like(held, device=device)


def prepare_training(model: Any, plan: TrainingPlan, fused: tuple[tuple[str, ...], ...] = ()) -> Any:
    """The model ready for training steps: k-bit preparation, adapter, checkpointing, train mode.

    `fused`: names of modules that hold several usual ones, as `ModelShape.module_names` has them. Checkpointing is the
    non-reentrant one, as transformers 5 does it by default.
    """
    if plan.prepared:
        model = peft.prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    if plan.checkpointing:
        newer = hasattr(model, "activation_checkpointing_enable")  # the name from 5.2x on
        enable = model.activation_checkpointing_enable if newer else model.gradient_checkpointing_enable
        enable({"use_reentrant": False})
    if plan.method != "full":
        targets = target_modules(model, plan.targets, fused)
        try:
            with known_warnings():
                model = peft.get_peft_model(model, adapter_settings(model, plan, targets))
        except (ImportError, ValueError) as error:  # AdaMSS wants scikit-learn; fused experts take no dropout and no DoRA
            raise InputError(f"--method {plan.method}: peft refuses this model: {words_of(error)}") from error
    model.train()
    return model


def adapter_settings(model: Any, plan: TrainingPlan, targets: str | list[str]) -> Any:
    """peft's settings of the plan's adapter on the model's `targets`. Any: peft's classes are untyped.

    A router that is a linear layer carries none: Llama 4's and Phi-3.5-MoE's return two results, to which nothing can be
    added. IA3 scales the input of an MLP's products; OFT takes its number of blocks or their size; a prompt in attention is
    in every layer; p-tuning's encoder is as wide as the stream.
    """
    if plan.tuner is not None and not plan.tuner.built:
        raise InputError(f"method: {plan.method} is no peft_type of peft, and not run; take the closed form")
    routes = any(name.endswith(".router") and isinstance(layer, LINEARS) for name, layer in model.named_modules())
    more: dict[str, Any] = {"exclude_modules": ["router"]} if routes else {}
    if plan.tuner is not None:
        kind: Any = peft.PEFT_TYPE_TO_CONFIG_MAPPING[peft.PeftType(plan.method.upper())]
        size, config = int(plan.rank), model.config.get_text_config()
        fields: dict[str, Any] = {plan.tuner.size: size} if plan.tuner.size else {}
        fields |= {"target_modules": targets, **more} if plan.targeted else {}
        usual: dict[str, dict[str, Any]] = {
            "ia3": {"feedforward_modules": [n for n in FEED_FORWARD if targets == "all-linear" or n in targets]},
            "osf": {"rank_pattern": {name: min(layer.weight.shape) - size for name, layer in model.named_modules()
                                     if isinstance(layer, LINEARS)}},
            "oft": {"oft_block_size": 0}, "adalora": {"total_step": 1}, "adamss": {"num_subspaces": int(plan.subspaces)},
            "adaption_prompt": {"adapter_layers": config.num_hidden_layers},
            "p_tuning": {"encoder_hidden_size": config.hidden_size},
            "trainable_tokens": {"token_indices": list(range(size))}}
        return kind(task_type="CAUSAL_LM", **fields | usual.get(plan.method, {}))
    return peft.LoraConfig(r=int(plan.rank), lora_alpha=2 * int(plan.rank), lora_dropout=float(plan.dropout),
                           target_modules=targets, use_dora=plan.weight_decomposed, use_rslora=plan.method == "rslora",
                           task_type="CAUSAL_LM", **more)


def target_modules(model: Any, targets: str | tuple[str, ...], fused: tuple[tuple[str, ...], ...] = ()) -> str | list[str]:
    """Names of the modules that carry an adapter, as peft takes them; an InputError names those that the model has."""
    if targets == "all-linear":
        return "all-linear"
    head = model.get_output_embeddings()
    products = [name for name, layer in model.named_modules() if isinstance(layer, PRODUCTS) and layer is not head]
    present = {name.rpartition(".")[2] for name in products}
    ends = present | {".".join(name.split(".")[-2:]) for name in products}  # gpt2 has attn.c_proj and mlp.c_proj
    holders = {usual: module for module, *usuals in fused for usual in usuals if module in ends} | _stacked_experts(model)
    known_set = isinstance(targets, str) and targets in TARGET_SETS
    found: set[str] = set()
    for name in asked_targets(targets):
        module = name if name in ends else holders.get(name)
        if module is not None:
            found.add(module)
        elif not known_set:
            known = ["all-linear", *TARGET_SETS, *sorted({*present, *_stacked_experts(model)})]
            raise InputError(f"--targets: this model has no target {name!r}; it has {', '.join(known)}"
                             f"{nearest_told(name, known)}")
    if not found:
        raise InputError(f"--targets: {targets!r} matches nothing; this model has {', '.join(sorted(present))}")
    return sorted(found)


def _stacked_experts(model: Any) -> dict[str, str]:
    """Usual name -> peft's of each product of experts that are 3-D parameters and that peft adapts; empty where it does not.

    It takes the names that they had as modules (transformers_weight_conversion.py, _MOE_TARGET_MODULE_MAPPING).
    """
    kind = model.config.get_text_config().model_type if stacks_experts(model) else ""
    names = ("w1", "w3", "w2") if kind in ("mixtral", "minimax", "minimax_m2") else MLP_TARGETS
    return dict(zip(MLP_TARGETS, names, strict=True)) if kind in EXPERT_FAMILIES else {}


def check_module_ranks(model: Any, rank: Number, targets: str | tuple[str, ...],
                       fused: tuple[tuple[str, ...], ...] = ()) -> None:
    """Raise where the rank is above the full rank of every target, as `estimate` does from a shape."""
    names, head = target_modules(model, targets, fused), model.get_output_embeddings()
    carry = ((f".{name}", m) for name, m in model.named_modules() if isinstance(m, PRODUCTS) and m is not head)
    most = max((min(m.weight.shape) for name, m in carry
                if names == "all-linear" or name.endswith(tuple(f".{end}" for end in names))), default=None)
    if most is not None and rank > most:
        raise InputError(f"--rank: {rank:,} is not usable; at most {most:,}, the full rank of this model's widest target")


def trained_count(model: Any) -> int:
    """Number of parameters that get a gradient."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
