"""A model that generates: built for inference, with an adapter, timed prefill by prefill and token by token."""

import gc
import inspect
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Final, Literal, get_args

from roi.catalog.models.configs import context_tokens
from roi.errors import InputError, nearest
from roi.estimate.training.plan import TrainingPlan
from roi.profiling.device.timing import synchronise
from roi.profiling.stack import peft, torch
from roi.profiling.train.real_model import LINEARS, build_meta, build_model, check_module_ranks, load_model, prepare_training
from roi.profiling.train.train_request import check_weights_fit

Stored = Literal["bf16", "fp16", "fp32", "nf4"]

STORED: Final[tuple[str, ...]] = get_args(Stored)

LEAST: Final = 3
"""Prefills at least, each with its decode steps."""

MOST: Final = 20

WARM_UP_DECODES: Final = 2
"""Untimed decode steps after the untimed first prefill."""

CPU_OUTPUTS: Final = 32
"""bitsandbytes' CPU kernel (AVX512-BF16) packs 4-bit rows in blocks of this many when no gradient is asked for."""

CPU_INPUTS: Final = 64
"""The same kernel wants every row to hold whole blocks of weights that share a scale."""

FACTOR_DEVIATION: Final = 0.01
"""Of the adapter's second factor, which starts at zero: products with zeros would cost a GPU less power."""


@dataclass(frozen=True)
class InferPlan:
    """The model, the adapter and the sizes that are measured."""

    name: str
    """The model as the profile names it."""
    config: dict[str, Any]  # Any: JSON, keys differ by architecture
    dtype: Stored
    """bf16, fp16, fp32 or nf4 (computes in bf16): how the base is stored."""
    rank: int
    batches: tuple[int, ...]
    prompts: tuple[int, ...]
    """Prompt lengths, tokens."""
    decode: int
    """Decode steps after each prefill."""
    weights: Path | None = None
    """Folder of real weights; None: drawn at random."""
    shrunk: bool = False
    """True where the model is a small one on purpose."""

    def __post_init__(self) -> None:
        if self.dtype not in STORED:
            near = nearest(self.dtype, STORED, 1)
            hint = f"; nearest: {near[0]}" if near else ""
            raise InputError(f"--dtype: {self.dtype!r} is not one of {', '.join(STORED)}{hint}")
        for field, value in (("--rank", self.rank), ("--decode", self.decode)):
            if value < 1:
                raise InputError(f"{field}: {value} is not usable; at least 1")
        longest = context_tokens(self.config)
        if longest is not None and max(self.prompts) + self.decode > longest:
            raise InputError(f"--prompt: {max(self.prompts):,} tokens and {self.decode:,} decoded ones are not usable; "
                             f"{self.name} takes at most {longest:,}")

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """(batch, prompt), the smallest first."""
        return sorted(((b, p) for b in self.batches for p in self.prompts), key=lambda size: (size[0] * size[1], size))

    def training_plan(self, *, dequantised: bool = False) -> TrainingPlan:
        """The plan that `build_model` takes; `dequantised`: 16-bit weights even where the base is NF4."""
        if self.dtype == "nf4":
            return TrainingPlan(method="lora" if dequantised else "qlora", rank=self.rank, dtype="bf16", checkpointing=False)
        return TrainingPlan(method="lora", rank=self.rank, dtype=self.dtype, checkpointing=False)


def check_size(plan: InferPlan, device: str) -> None:
    """Raise where the model is too large for the device, or the rank for the model."""
    model = build_meta(plan.config, plan.training_plan(dequantised=True))
    check_module_ranks(model, plan.rank, "all-linear")
    count = sum(p.numel() for p in model.parameters())
    check_weights_fit(
        plan.name, count, count * {"fp32": 4.0, "nf4": 0.6}.get(plan.dtype, 2.0), device, shrunk=plan.shrunk,
        slow="a prefill takes minutes", works="runs",
    )


def build(plan: InferPlan, device: str, seed: int, *, dequantised: bool = False) -> Any:
    """The model of a plan on the device. Any: transformers' classes are chosen at run time."""
    how = plan.training_plan(dequantised=dequantised)
    model = build_model(plan.config, how, device, seed) if plan.weights is None else load_model(plan.weights, how, device)
    if device == "cpu" and how.quantised:
        _check_widths(model)
    return model


def adapt(model: Any, plan: InferPlan, seed: int) -> Any:
    """The model with an adapter on every linear layer, no factor of which is zero."""
    torch.manual_seed(seed)
    model = prepare_training(model, plan.training_plan(dequantised=True))  # a plan of plain LoRA: the base's dtypes stay
    with torch.no_grad():
        for name, factor in model.named_parameters():
            if "lora_B" in name:
                factor.normal_(0.0, FACTOR_DEVIATION)
    return prepare(model)


def prepare(model: Any) -> Any:
    """The model in evaluation mode, with a KV cache."""
    model.config.use_cache = True
    model.eval()
    return model


def time_generation(
    model: Any, ids: torch.Tensor, decode: int, device: str, slot_s: float,
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """(seconds of each prefill, seconds of each decode step): LEAST to MOST rounds within the slot, after an untimed one."""
    prefill_s: list[float] = []
    decode_s: list[float] = []
    with torch.no_grad():
        generate(model, ids, min(WARM_UP_DECODES, decode), device)
        start = perf_counter()
        while len(prefill_s) < LEAST or (len(prefill_s) < MOST and perf_counter() - start < slot_s):
            first, steps = generate(model, ids, decode, device)
            prefill_s.append(first)
            decode_s += steps
    return tuple(prefill_s), tuple(decode_s)


def generate(model: Any, ids: torch.Tensor, decode: int, device: str) -> tuple[float, list[float]]:
    """(seconds of the prefill, seconds of each decode step), greedy, with the growing cache that transformers makes."""
    keep = {"logits_to_keep": 1} if _keeps_logits(model) else {}
    start = _now(device)
    output = model(input_ids=ids, use_cache=True, **keep)
    prefill_s = _now(device) - start
    steps = []
    for _ in range(decode):
        token = output.logits[:, -1:].argmax(-1)
        start = _now(device)
        output = model(input_ids=token, past_key_values=output.past_key_values, use_cache=True, **keep)
        steps.append(_now(device) - start)
    return prefill_s, steps


def release(device: str) -> None:
    """Give memory back that no name holds any more."""
    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()


def _check_widths(model: Any) -> None:
    for name, layer in model.named_modules():
        packed = isinstance(layer, LINEARS) and getattr(layer.weight, "quant_state", None) is not None
        if packed and (layer.out_features % CPU_OUTPUTS or layer.in_features % CPU_INPUTS):
            raise InputError(
                f"--dtype nf4: {name} has {layer.in_features} inputs and {layer.out_features} outputs, but bitsandbytes' 4-bit"
                f" product on a CPU wants multiples of {CPU_INPUTS} and {CPU_OUTPUTS}; use --dtype bf16, or a GPU",
            )


def _keeps_logits(model: Any) -> bool:
    """True where the class computes logits of the last position alone if asked, as transformers' generate() asks."""
    base = model.get_base_model() if isinstance(model, peft.PeftModel) else model
    return "logits_to_keep" in inspect.signature(base.forward).parameters


def _now(device: str) -> float:
    """The clock, once the device is done with what was issued: a decode step is as long as its host makes it."""
    synchronise(device)
    return perf_counter()
