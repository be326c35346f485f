"""What is refused before torch is imported, which takes seconds: options that do not go together, or not with a model."""

from collections.abc import Sequence

from roi.catalog.models.configs import context_tokens
from roi.errors import InputError
from roi.estimate.training.adapters import check_rank
from roi.estimate.training.plan import UNRUN, TrainingPlan
from roi.estimate.training.setting import refusal
from roi.estimate.training.targets import resolve_targets
from roi.profiling.model_to_build import ModelToBuild


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


def check_options(plan: TrainingPlan, model: ModelToBuild, rows: Sequence[int], device: str | None, *, compiled: bool,
                  lengths: bool) -> None:
    """Raise an InputError, one sentence, where this plan with rows of at most so many tokens runs nowhere, or not on `device`.

    `device` None: nobody looked yet which one there is. `lengths`: batches are of real lengths.
    """
    cpu = device == "cpu"
    if cpu and plan.optimizer.startswith("paged"):
        raise InputError(f"--optimizer {plan.optimizer}: paging needs a GPU; on a CPU take adamw-8bit")
    unrun = plan.optimizer in UNRUN["optimizer"]
    if unrun or (plan.tuner is not None and not plan.tuner.built):
        said = f"--optimizer {plan.optimizer}" if unrun else f"--method {plan.method}"
        raise InputError(f"{said}: roi fit counts it, and nothing here runs it")
    _check_attention(plan, cpu=cpu)
    _check_kernels(plan, cpu=cpu, compiled=compiled, lengths=lengths)
    if plan.dtype == "fp16" and plan.method == "full" and plan.trainer != "plain" and plan.autocast:
        raise InputError("--dtype fp16: a Trainer's loss scaling refuses to train fp16 parameters; full training takes bf16")
    context = context_tokens(model.config)
    if context is not None and max(rows) > context:
        raise InputError(f"--seq: {max(rows):,} tokens is not usable; {model.name} takes at most {context:,}")
    if model.shape is not None:
        if refused := refusal(model.shape, plan):
            raise InputError(refused)
        check_rank(model.shape, plan)


def _check_attention(plan: TrainingPlan, *, cpu: bool) -> None:
    """Raise where the plan's attention has no kernel here."""
    if plan.attention == "flash1":
        raise InputError("--attention flash1: transformers here runs later versions alone; take flash")
    if cpu and plan.attention == "flash":
        raise InputError("--attention flash: FlashAttention needs a GPU; on a CPU take sdpa or eager")
    if cpu and plan.attention in ("flash3", "sdpa-cudnn", "sdpa-efficient"):
        raise InputError(f"--attention {plan.attention}: its kernel is a GPU's; on a CPU take sdpa, sdpa-math or eager")


def _check_kernels(plan: TrainingPlan, *, cpu: bool, compiled: bool, lengths: bool) -> None:
    """Raise where kernels in place of the class's, a compiler, or a loop on real lengths do not go together."""
    if plan.kernels == "fused":
        raise InputError("--kernels fused: those of Unsloth and fms-acceleration run in loops of their own; none, or liger")
    if plan.kernels == "liger":
        if cpu:
            raise InputError("--kernels liger: Liger's kernels are Triton's, which need a GPU; on a CPU take none")
        if plan.trainer == "trl":
            raise InputError("--kernels liger: SFTTrainer has a chunked head of its own; --trainer hf or plain, or none")
    if compiled and plan.trainer == "trl":
        raise InputError("--compile: SFTTrainer's steps are not compiled here; --trainer hf or plain")
    if compiled and lengths:
        raise InputError("--compile: batches of real lengths each have another width, compiled anew; leave out --lengths")
    if lengths and plan.trainer == "trl":
        raise InputError("--lengths: SFTTrainer prepares and packs data itself; --trainer hf or plain")
