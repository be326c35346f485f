"""What `roi profile train` is asked for, and what cannot run: said before anything is built."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from roi.catalog.models.configs import context_tokens
from roi.errors import InputError
from roi.estimate.training.plan import TrainingPlan, resolve_targets
from roi.facts.gpu import Gpu
from roi.facts.model import ModelShape
from roi.profiling.choose_model import ChosenModel
from roi.profiling.host.resident import available_bytes
from roi.profiling.stack import torch
from roi.profiling.train.adapter import check_rank
from roi.profiling.train.build import build_meta
from roi.units import GIB

LARGE_ON_CPU: Final = 1e9
"""Parameters above which one step on a CPU takes minutes (6 FLOP a parameter and token, at most 1e11 FLOP/s a core)."""


@dataclass(frozen=True)
class TrainRequest:
    """What to train, and for how long."""

    model: str
    """Catalog name or path; says so where the model was shrunk."""
    config: dict[str, Any]  # Any: JSON, as transformers takes it
    plan: TrainingPlan
    points: tuple[tuple[int, int], ...]
    """(micro-batch, tokens)."""
    device: str
    budget_s: float
    seed: int = 0
    shape: ModelShape | None = None
    """For the closed form; None where the catalog does not know the model."""
    gpu: Gpu | None = None
    weights: Path | None = None
    """Folder of real weights; None draws them."""
    find_largest: bool = True
    """Search the largest micro-batch too (on a GPU)."""
    shrunk: bool = False
    """True where the model is a small one on purpose: a CPU then takes any size that its memory holds."""


def closed_form(chosen: ChosenModel, plan: TrainingPlan) -> ChosenModel:
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


def check_possible(request: TrainRequest) -> None:
    """Raise an InputError, one sentence, where this plan cannot run on this device."""
    plan, device = request.plan, request.device
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
        fused = request.shape.module_names if request.shape else ()
        check_rank(model, plan.rank, plan.targets, fused)
    if request.weights is None:
        _check_size(request, model)


def _check_size(request: TrainRequest, model: Any) -> None:  # Any: a transformers model without storage
    """Raise where the model alone is too large for the device."""
    count = sum(p.numel() for p in model.parameters())
    head = model.get_output_embeddings()
    linear = sum(m.weight.numel() for m in model.modules() if isinstance(m, torch.nn.Linear) and m is not head)
    width = {"fp32": 4.0}.get(request.plan.dtype, 2.0)
    stored = 0.55 if request.plan.quantised else 1.0 if request.plan.method == "lora-int8" else width
    needed = linear * stored + (count - linear) * width
    if request.device == "cpu":
        if count > LARGE_ON_CPU and not request.shrunk:
            raise InputError(
                f"--device cpu: {request.model} has {count / 1e9:.2f}e9 parameters, and a step takes minutes; "
                "--layers 2 --shrink 8 makes a small model of it (the profile says so), and without MODEL a tiny one trains",
            )
        room = available_bytes()
    else:
        room = float(torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory)
    if room is not None and needed > room:
        way = "" if request.plan.quantised else "; --method qlora stores them in 4 bits"
        raise InputError(f"MODEL: the weights of {request.model} take {needed / GIB:.1f} GiB, {room / GIB:.1f} are there{way}")
