"""What is looked at before a training run begins: that this plan runs on this device with this model, else one sentence."""

from typing import TYPE_CHECKING

from roi.catalog.models.configs import context_tokens
from roi.errors import InputError
from roi.estimate.training.plan import TrainingPlan, refusal, resolve_targets
from roi.facts.model import ModelShape
from roi.profiling.model_to_build import ModelToBuild
from roi.profiling.session import check_weights_fit
from roi.profiling.stack import torch, transformers
from roi.profiling.train import real_model
from roi.profiling.train.fused import check_liger, no_compiler

if TYPE_CHECKING:
    from roi.profiling.train.short_run import TrainRequest


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


def check_possible(request: "TrainRequest", device: str) -> None:
    """Raise an InputError, one sentence, where this plan cannot run on this device."""
    plan, shape = request.plan, request.model.shape
    if device == "cpu" and plan.optimizer.startswith("paged"):
        raise InputError(f"--optimizer {plan.optimizer}: paging needs a GPU; on a CPU take adamw-8bit")
    _check_attention(plan, shape, device)
    _check_kernels(request, device)
    if plan.dtype == "fp16" and plan.method == "full" and plan.trainer != "plain" and plan.autocast:
        raise InputError("--dtype fp16: a Trainer's loss scaling refuses to train fp16 parameters; full training takes bf16")
    context = context_tokens(request.model.config)
    longest = max(seq for _, seq in request.points)
    if context is not None and longest > context:
        raise InputError(f"--seq: {longest:,} tokens is not usable; {request.model.name} takes at most {context:,}")
    model = real_model.build_meta(request.model.config, plan, request.model.name)
    if plan.adapter:
        real_model.check_module_ranks(model, plan.rank, plan.targets, shape.module_names if shape else ())
    if request.model.weights is not None:
        return
    count, head = sum(p.numel() for p in model.parameters()), model.get_output_embeddings()
    linear = sum(m.weight.numel() for m in model.modules() if isinstance(m, torch.nn.Linear) and m is not head)
    width = {"fp32": 4.0}.get(plan.dtype, 2.0)
    stored = 0.55 if plan.quantised else 1.0 if plan.int8 else width
    check_weights_fit(request.model.name, count, linear * stored + (count - linear) * width, device,
                      shrunk=request.model.shrunk, slow="a step takes minutes", works="trains",
                      way="" if plan.quantised else "; --method qlora stores them in 4 bits")


def _check_attention(plan: TrainingPlan, shape: ModelShape | None, device: str) -> None:
    """Raise where the plan's attention has no kernel here: on a CPU, without its package, or for the heads of this model."""
    if plan.attention == "flash1":
        raise InputError("--attention flash1: transformers here runs later versions alone; take flash")
    if device == "cpu":
        if plan.attention == "flash":
            raise InputError("--attention flash: FlashAttention needs a GPU; on a CPU take sdpa or eager")
        if plan.attention in ("flash3", "sdpa-cudnn", "sdpa-efficient"):
            raise InputError(f"--attention {plan.attention}: its kernel is a GPU's; on a CPU take sdpa, sdpa-math or eager")
    there, package = {
        "flash": (transformers.utils.is_flash_attn_2_available, "flash-attn"),
        "flash3": (transformers.utils.is_flash_attn_3_available, "flash-attn-3"),
    }.get(plan.attention, (lambda: True, ""))
    if not there():
        raise InputError(f"--attention {plan.attention}: transformers finds no package {package} that runs here; take sdpa")
    if shape is not None and (refused := refusal(shape, plan)):
        raise InputError(refused)


def _check_kernels(request: "TrainRequest", device: str) -> None:
    """Raise where kernels in place of the class's, a compiler, or a loop on real lengths do not run here."""
    plan = request.plan
    if plan.kernels == "fused":
        raise InputError("--kernels fused: those of Unsloth and fms-acceleration run in loops of their own; none, or liger")
    if plan.kernels == "liger":
        if device == "cpu":
            raise InputError("--kernels liger: Liger's kernels are Triton's, which need a GPU; on a CPU take none")
        if plan.trainer == "trl":
            raise InputError("--kernels liger: SFTTrainer has a chunked head of its own; --trainer hf or plain, or none")
        check_liger(str(request.model.config.get("model_type")))
    if request.compiled:
        if plan.trainer == "trl":
            raise InputError("--compile: SFTTrainer's steps are not compiled here; --trainer hf or plain")
        if request.lengths:
            raise InputError("--compile: batches of real lengths each have another width, compiled anew; leave out --lengths")
        if device == "cpu" and (why := no_compiler()):
            raise InputError(f"--compile: torch.compile builds C++ for a CPU, and {why}")
    if request.lengths and plan.trainer == "trl":
        raise InputError("--lengths: SFTTrainer prepares and packs data itself; --trainer hf or plain")
