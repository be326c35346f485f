"""What is looked at before a training run begins: that this plan runs on this device with this model, else one sentence."""

from typing import TYPE_CHECKING

from roi.errors import InputError
from roi.profiling.session import check_weights_fit
from roi.profiling.stack import torch, transformers
from roi.profiling.train import real_model
from roi.profiling.train.fused import check_liger, no_compiler
from roi.profiling.train.refused import check_options

if TYPE_CHECKING:
    from roi.profiling.train.short_run import TrainRequest


def check_possible(request: "TrainRequest", device: str) -> None:
    """Raise an InputError, one sentence, where this plan cannot run on this device."""
    plan, shape = request.plan, request.model.shape
    check_options(plan, request.model, [seq for _, seq in request.points], device, compiled=request.compiled,
                  lengths=bool(request.lengths))
    there, package = {
        "flash": (transformers.utils.is_flash_attn_2_available, "flash-attn"),
        "flash3": (transformers.utils.is_flash_attn_3_available, "flash-attn-3"),
    }.get(plan.attention, (lambda: True, ""))
    if not there():
        raise InputError(f"--attention {plan.attention}: transformers finds no package {package} that runs here; take sdpa")
    if plan.kernels == "liger":
        check_liger(str(request.model.config.get("model_type")))
    if request.compiled and device == "cpu" and (why := no_compiler()):
        raise InputError(f"--compile: torch.compile builds C++ for a CPU, and {why}")
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
