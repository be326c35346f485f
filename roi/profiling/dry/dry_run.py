"""The dry run: the real training step of the real model on tensors without storage, and what it says about memory.

    config --build_skeleton--> model on meta --one step under a Recorder--> Tape --> peak, parts, timeline, reserved
"""

from roi.profiling.stack import quiet, torch

# isort: split
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from unittest.mock import patch

import transformers.masking_utils as masking
from torch import nn

from roi.catalog.models.configs import ModelConfig
from roi.errors import InputError
from roi.estimate.training.plan import TrainingPlan
from roi.facts.profiles import OperatorGroup
from roi.facts.tape import Tape
from roi.profiling.dry.cuda_on_meta import cuda_kernels, meta_asks_cuda, recompute_lowered
from roi.profiling.dry.loops import Optimizer, forward_and_loss, fuse_head, lowers, triton_tiles
from roi.profiling.dry.recorder import Recorder
from roi.profiling.dry.skeleton import build_skeleton, quantisation_states
from roi.profiling.train.real_model import DTYPES

STACK: Final = frozenset({"layers", "h", "blocks", "decoder", "transformer", "embed_tokens", "norm"})
"""Names on the path of modules under the stack of layers, whatever the family."""
BESIDE: Final = frozenset({"rotary_emb", "wte", "wpe", "embed_in", "final_layernorm", "ln_f"})
"""Names of modules beside it that run no loss."""


@dataclass(frozen=True)
class DryRun:
    """One training step without a GPU."""

    tape: Tape
    """Load, then one step that finds the optimizer's states in place; the cuBLAS workspace is a block of the load."""
    operators: tuple[OperatorGroup, ...]
    """Work of every operator of the step; empty unless asked for."""
    trained_parameters: int
    notes: tuple[str, ...]
    """Notes on what was approximated."""
    wall_s: float
    """Seconds of building and stepping."""


def dry_run(config: ModelConfig, plan: TrainingPlan, *, workspace_bytes: float, operators: bool = False) -> DryRun:
    """Build the model of `plan` on meta and run one optimizer step of `plan.accumulation` (at most two) micro-steps.

    Backward frees what it no longer needs, so the tape has the order in which a GPU would allocate. An InputError says what
    a class of transformers cannot do on meta, in one sentence.
    """
    return MetaModel(config, plan).run(plan, workspace_bytes, operators=operators)


class MetaModel:
    """A model on the meta device: built once, stepped at several sizes."""

    def __init__(self, config: ModelConfig, plan: TrainingPlan) -> None:
        self.config = config
        self.begun = time.perf_counter()
        self.model = build_skeleton(config, plan)
        fuse_head(self.model, plan)
        if lowers(plan):
            recompute_lowered(self.model, DTYPES[plan.dtype])

    def run(self, plan: TrainingPlan, workspace_bytes: float, *, operators: bool = False) -> DryRun:
        """One step; `plan` differs from the one it was built for in micro-batch and length alone."""
        model, begun = self.model, self.begun
        trained = [p for p in model.parameters() if p.requires_grad]
        recorder = Recorder(_parts(model))
        _load(recorder, model, plan, workspace_bytes)
        optimizer = Optimizer(plan, trained)
        optimizer.create_states(recorder)
        recorder.timed = operators
        flash = DTYPES[plan.dtype] if plan.attention == "flash" and plan.dtype != "fp32" else None
        with quiet(), cuda_kernels(flash), meta_asks_cuda(), triton_tiles(plan), _masks(plan), recorder.following(model):
            try:
                _step(recorder, model, plan, optimizer)
            except (NotImplementedError, RuntimeError, TypeError, ValueError, AttributeError) as error:
                said = (str(error).strip().splitlines() or [""])[0][:140] or type(error).__name__
                raise InputError(f"MODEL: {self.config.name}: its training step does not run on tensors without storage "
                                 f"({type(error).__name__}: {said})") from error
        micro_steps = float(min(plan.accumulation, 2))
        groups = tuple(
            group.model_copy(update={"calls": n / (1.0 if group.phase == "optimizer" else micro_steps)})
            for group, n in recorder.operators.items()
        )
        notes = [self.config.differs] if self.config.differs else []
        if any(p.dim() == 3 for p in model.parameters()) and plan.prepared:
            notes.append("experts are 3-D parameters: bitsandbytes leaves them unquantised, k-bit preparation casts them to "
                         "fp32")
        self.begun = time.perf_counter()
        return DryRun(
            tape=recorder.tape(), operators=groups, trained_parameters=sum(p.numel() for p in trained), notes=tuple(notes),
            wall_s=time.perf_counter() - begun,
        )


def _load(recorder: Recorder, model: nn.Module, plan: TrainingPlan, workspace: float) -> None:
    adapters = [p for p in model.parameters() if p.requires_grad] if plan.adapter else []
    own = {id(p) for p in adapters}
    recorder.hold([p for p in model.parameters() if id(p) not in own], "load", "weights")
    recorder.hold([*model.buffers(), *quantisation_states(model)], "load", "weights")
    recorder.hold(adapters, "load", "adapters")
    recorder.allocate(int(workspace), "cuBLAS", "workspaces")


def _step(recorder: Recorder, model: nn.Module, plan: TrainingPlan, optimizer: Optimizer) -> None:
    inputs, kept = _batch(plan), None
    recorder.marks.append(("step", len(recorder.events)))
    hooked: list[Any] = optimizer.trained  # Any: torch leaves the hook untyped
    handles = [p.register_post_accumulate_grad_hook(lambda p: recorder.relabel(p.grad, "gradients")) for p in hooked]
    with recorder:
        for _ in range(min(plan.accumulation, 2)):
            recorder.begin("forward")
            loss, kept = forward_and_loss(model, plan, inputs)
            recorder.begin("backward")
            loss.backward()
            del loss
        recorder.begin("optimizer")
        if plan.trainer != "plain":
            torch.nn.utils.clip_grad_norm_(optimizer.trained, 1.0)  # the Trainer's max_grad_norm
        optimizer.step(recorder)
        optimizer.zero_grad()
        del kept
    for handle in handles:
        handle.remove()


def _batch(plan: TrainingPlan) -> dict[str, torch.Tensor]:
    batch, seq = int(plan.micro_batch), int(plan.seq)
    ids = torch.zeros((batch, seq), dtype=torch.int64, device="meta")
    if plan.packed:
        return {"input_ids": ids, "position_ids": torch.zeros_like(ids), "labels": torch.zeros_like(ids)}
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": torch.zeros_like(ids)}


@contextmanager
def _masks(plan: TrainingPlan) -> Iterator[None]:
    """transformers decides by values whether a mask is needed; here the plan says it: padding, packing, a sliding window."""
    flash = plan.attention == "flash"
    padded = plan.padded and plan.micro_batch > 1 and not plan.packed
    packs = masking.find_packed_sequence_indices

    def ignore(mask: Any, q: int, kv: int, q_offset: Any, kv_offset: Any, window: int | None = None) -> bool:  # Any: theirs
        del mask, q, q_offset, kv_offset
        return flash or not (padded or plan.packed or (window is not None and kv >= window))

    def packed(position_ids: torch.Tensor) -> torch.Tensor | None:
        return packs(position_ids) if plan.packed and not flash else None

    with (
        patch.object(masking, "_ignore_causal_mask_sdpa", ignore),
        patch.object(masking, "find_packed_sequence_indices", packed),
        patch.object(masking, "is_tracing", lambda *_: True),
    ):
        yield


def _parts(model: Any) -> Any:  # Any: a PreTrainedModel or a PeftModel; returns parts(operator, module, phase, arguments)
    head = model.get_output_embeddings()
    names = {name for name, module in model.named_modules() if module is head}

    def parts(operator: str, module: str, phase: str, arguments: Sequence[Any]) -> str:  # Any: an operator's arguments
        if "dequantize" in operator:
            return "workspaces"
        if phase == "optimizer":
            return "optimizer"
        if "_to_copy" in operator and head is not None and (
                arguments[0].untyped_storage()._cdata == head.weight.untyped_storage()._cdata):
            return "activations"  # a 16-bit copy of the head that autocast keeps for backward, as it keeps the stack's
        path = module.split(".")  # the model itself and its wrappers run the loss
        in_stack = module and module not in names and (STACK & set(path) or path[-1] in BESIDE)
        return "activations" if in_stack else "logits"

    return parts
