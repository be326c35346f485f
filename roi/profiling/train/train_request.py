"""What `roi profile train` is asked for, and what cannot run: said before anything is built."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from roi.catalog.models.configs import context_tokens
from roi.errors import InputError
from roi.estimate.training.plan import TrainingPlan, resolve_targets
from roi.facts.model import ModelShape
from roi.profiling.model_to_build import ModelToBuild
from roi.profiling.session import device_bytes
from roi.profiling.stack import torch
from roi.profiling.train.real_model import build_meta, check_module_ranks
from roi.units import GIB

LARGE_ON_CPU: Final = 1e9
"""Parameters above which one step on a CPU takes minutes (6 FLOP a parameter and token, at most 1e11 FLOP/s a core)."""


@dataclass(frozen=True)
class TrainRequest:
    """The model, the plan and the sizes to train."""

    model: str
    """Catalog name or path; says so where the model was shrunk."""
    config: dict[str, Any]  # Any: JSON, as transformers takes it
    plan: TrainingPlan
    points: tuple[tuple[int, int], ...]
    """(micro-batch, tokens)."""
    shape: ModelShape | None = None
    """For the closed form; None where the catalog does not know the model."""
    weights: Path | None = None
    """Folder of real weights; None draws them."""
    find_largest: bool = True
    """Search the largest micro-batch too (on a GPU)."""
    shrunk: bool = False
    """True where the model is a small one on purpose: a CPU then takes any size that its memory holds."""


def closed_form(chosen: ModelToBuild, plan: TrainingPlan) -> ModelToBuild:
    """The model, its shape left out, with a note, where the shape was read from a config.json and lacks the plan's targets.

    Targets that a model of the catalog lacks are an InputError: its names are known.
    """
    if chosen.shape is None or not plan.adapter:
        return chosen
    try:
        resolve_targets(chosen.shape, plan.targets, "--targets")
    except InputError as error:
        if chosen.listed:
            raise
        return chosen._replace(shape=None, notes=(*chosen.notes, f"predicted: no closed form ({error})"))
    return chosen


def check_possible(request: TrainRequest, device: str) -> None:
    """Raise an InputError, one sentence, where this plan cannot run on this device."""
    plan = request.plan
    if device == "cpu":
        if plan.attention == "flash":
            raise InputError("--attention flash: FlashAttention needs a GPU; on a CPU take sdpa or eager")
        if plan.optimizer.startswith("paged"):
            raise InputError(f"--optimizer {plan.optimizer}: paging needs a GPU; on a CPU take adamw-8bit")
    if plan.dtype == "fp16" and plan.method == "full" and plan.trainer != "plain" and plan.autocast:
        raise InputError("--dtype fp16: a Trainer's loss scaling refuses to train fp16 parameters; full training takes bf16")
    context = context_tokens(request.config)
    longest = max(seq for _, seq in request.points)
    if context is not None and longest > context:
        raise InputError(f"--seq: {longest:,} tokens is not usable; {request.model} takes at most {context:,}")
    model = build_meta(request.config, plan)
    if plan.adapter:
        check_module_ranks(model, plan.rank, plan.targets, request.shape.module_names if request.shape else ())
    if request.weights is not None:
        return
    count, head = sum(p.numel() for p in model.parameters()), model.get_output_embeddings()
    linear = sum(m.weight.numel() for m in model.modules() if isinstance(m, torch.nn.Linear) and m is not head)
    width = {"fp32": 4.0}.get(plan.dtype, 2.0)
    stored = 0.55 if plan.quantised else 1.0 if plan.int8 else width
    check_weights_fit(
        request.model, count, linear * stored + (count - linear) * width, device, shrunk=request.shrunk,
        slow="a step takes minutes", works="trains", way="" if plan.quantised else "; --method qlora stores them in 4 bits",
    )


def check_weights_fit(
    model: str, count: int, needed_bytes: float, device: str, *, shrunk: bool, slow: str, works: str, way: str = "",
) -> None:
    """Raise where a model of `count` parameters is too large for the device, or for a CPU's patience unless it is `shrunk`.

    `slow`, `works` and `way` are words of the message: what would take minutes, what a tiny model does instead, a way out.
    """
    if device == "cpu" and count > LARGE_ON_CPU and not shrunk:
        raise InputError(
            f"--device cpu: {model} has {count / 1e9:.2f}e9 parameters, and {slow}; --layers 2 --shrink 8 makes a small model "
            f"of it (the profile says so), and without MODEL a tiny one {works}",
        )
    room = device_bytes(device)
    if room is not None and needed_bytes > room:
        raise InputError(f"MODEL: the weights of {model} take {needed_bytes / GIB:.1f} GiB, {room / GIB:.1f} are there{way}")
