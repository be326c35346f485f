"""The plan of one row of a table of measured runs, and the defaults that stand in for what the row does not say."""

import re
from dataclasses import replace
from typing import Any

from roi.errors import InputError, nearest
from roi.estimate.training.adapters import base_weight_bytes, largest_rank, trained_parameters
from roi.estimate.training.plan import METHODS, SHARDINGS, TRAINERS, Method, TrainingPlan
from roi.facts.model import ModelShape
from roi.store.tables.row_fields import (
    Row,
    Unusable,
    base_dtype,
    cell,
    flag,
    full_length,
    known_number,
    longest_sequence,
    measured_number,
    needed_number,
    packs,
    quantisation,
    sharding,
    trainer,
)
from roi.store.tables.row_habits import Assumed, settle
from roi.store.tables.row_names import table_gpu, table_targets
from roi.units import GIB

COUNT_TOLERANCE = 0.01
"""A stated count of trained parameters that is further off means another method than the row says."""

SIZE_TOLERANCE = 0.1
"""A stated size of the model that is further off means another model; sources round and leave out embeddings."""

FOUR_BIT: dict[str, Method] = {"lora": "qlora", "rslora": "qlora", "qlora": "qlora", "dora": "qdora", "qdora": "qdora"}
"""Methods over a base in 4 bits."""

MOST_CONTEXTS = 32.0
"""Contexts that a stretched rotary embedding is trained over at most (YaRN, arXiv 2309.00071, goes to 32); a longer cell is a
slip."""

NOWHERE_TO_PUT = ("cpu_offload=1", "cpu offload", "model-parallel", "pipeline-parallel")
"""Words of notes that name a layout which no plan expresses."""


def row_plan(row: Row, model: ModelShape) -> tuple[TrainingPlan, Assumed]:
    """The plan, and each default used with the plan of its other value; raises Unusable where no plan expresses the row."""
    _check_layout(row)
    method, double_quant = row_method(row)
    stated_scales = flag(row, "double_quant")
    double_quant = double_quant if stated_scales is None else stated_scales
    adapter = method != "full"
    targets, head = table_targets(model, cell(row, "target_modules")) if adapter else ("all-linear", False)
    gpus = int(measured_number(row, "n_gpus") or 1)
    loop = _one_of(row, "trainer", TRAINERS) or trainer(cell(row, "framework"))
    said = (cell(row, column) for column in ("optimizer", "framework", "notes", "gradient_checkpointing"))
    packed = flag(row, "packed")
    plan = _built(
        method=method, rank=needed_number(row, "rank") if adapter else 1.0, targets=targets,
        micro_batch=needed_number(row, "micro_batch"), seq=longest_sequence(row),
        dtype=base_dtype(cell(row, "base_dtype")) or "bf16", double_quant=bool(double_quant),
        accumulation=int(known_number(row, "grad_accum") or 1), gpus=gpus, trainer=loop,
        sharding=_one_of(row, "sharding", SHARDINGS) or sharding(gpus, *said),
        packed=packs(cell(row, "packing")) if packed is None else packed, padded=_padded(row),
    )  # fmt: skip
    plan, assumed = settle(row, plan, double_quant=double_quant)
    if head:
        # the head's adapter: rank x (hidden + vocabulary), spread over the other targets' rank
        more = 1.0 + float(plan.rank) * (model.hidden + model.vocab) / float(trained_parameters(model, plan))
        assumed += (("adapter on the output head left out", replace(plan, rank=float(plan.rank) * more)),)
    _check_sizes(row, model, plan)
    _check_replicas(row, model, plan)
    _check_count(row, model, plan)
    return plan, assumed


def _built(**fields: Any) -> TrainingPlan:  # Any: fields by name
    """The plan, or Unusable where its fields contradict each other."""
    try:
        return TrainingPlan(**fields)
    except InputError as error:
        field, _, why = str(error).partition(": ")
        raise Unusable(field, str(fields.get(field, "")), why) from error


def row_method(row: Row) -> tuple[Method, bool | None]:
    """The plan's method, and whether NF4's scales are quantised too (None: 16-bit base, or the row does not say)."""
    text, quant = cell(row, "method").lower(), cell(row, "quant")
    if text not in METHODS:
        near = nearest(text, METHODS, 1)
        raise Unusable("method", text, f"none of {', '.join(METHODS)}{f'; nearest: {near[0]}' if near else ''}")
    method: Method = text  # type: ignore[assignment]  # one of METHODS, just tested
    bits, double = quantisation(quant)
    if bits == 4:
        if method not in FOUR_BIT:
            raise Unusable("quant", quant, f"{text} over 4-bit weights is no method here")
        return FOUR_BIT[method], double
    if bits == 8:
        if method not in ("lora", "lora-int8", "qlora"):
            raise Unusable("quant", quant, f"{text} over 8-bit weights is no method here")
        return "lora-int8", None
    if method in ("qlora", "qdora") and quant:
        raise Unusable("quant", quant, f"{text} needs a quantised base")
    return method, None


def _one_of(row: Row, column: str, known: tuple[str, ...]) -> str | None:
    """The cell's word, None where it is empty; another word than the known ones makes the row unusable."""
    text = cell(row, column).lower()
    if text and text not in known:
        raise Unusable(column, text, f"none of {', '.join(known)}")
    return text or None


def _padded(row: Row) -> bool:
    """False where batches carry no padding mask: packed or full-length data, and LitGPT, whose attention takes none."""
    stated = flag(row, "padded")
    if stated is not None:
        return stated
    text, framework = cell(row, "packing").lower(), cell(row, "framework").lower()
    return not (full_length(text) or "litgpt" in framework or "lit-gpt" in framework)


def _check_layout(row: Row) -> None:
    """Raise where weights or layers lie elsewhere than a plan can say."""
    notes = cell(row, "notes")
    for word in NOWHERE_TO_PUT:
        if word in notes.lower():
            raise Unusable("notes", word, "a layout that no plan expresses")
    split = re.findall(r"\b[TP]P=?\d+", notes)
    if any(int(re.sub(r"\D", "", degree)) > 1 for degree in split):
        raise Unusable("notes", " ".join(split), "layers are split over GPUs, which no plan expresses")


def _check_sizes(row: Row, model: ModelShape, plan: TrainingPlan) -> None:
    """Raise where a size is no count, or beyond what model and targets can take."""
    for column, value in (("rank", plan.rank), ("micro_batch", plan.micro_batch), ("seq_len_max", plan.seq)):
        if float(value) % 1.0:
            raise Unusable(column, cell(row, column), "not a whole number")
    if float(plan.seq) > MOST_CONTEXTS * model.context_tokens:
        raise Unusable("seq_len_max", cell(row, "seq_len_max"), f"more than {MOST_CONTEXTS:g} times the context of {model.id},"
                       f" {model.context_tokens:,} tokens")
    most = largest_rank(model, plan)
    if plan.adapter and float(plan.rank) > most:
        raise Unusable("rank", cell(row, "rank"), f"at most {most:,}, the full rank of the widest target of {model.id}")


def _check_replicas(row: Row, model: ModelShape, plan: TrainingPlan) -> None:
    """Raise where several GPUs share nothing that the row states, and the weights alone exceed one of them.

    Such a job is no set of replicas: its layers are split, as the other rows of the same sweep say in their notes (ms-swift,
    Qwen-72B on two GPUs), or its parameters are.
    """
    gpu = table_gpu(cell(row, "gpu"))
    weights = float(base_weight_bytes(model, plan))
    if plan.gpus > 1 and plan.sharding == "none" and gpu is not None and weights > gpu.memory_bytes:
        raise Unusable("n_gpus", cell(row, "n_gpus"), f"the weights alone, {weights / GIB:.0f} GiB, are more than one"
                       f" {gpu.id} holds; how they are split is not stated")


def _check_count(row: Row, model: ModelShape, plan: TrainingPlan) -> None:
    """Raise where the stated sizes belong to another model or another adapter."""
    size = known_number(row, "params_b")
    if size and abs(model.parameters / 1e9 / size - 1.0) > SIZE_TOLERANCE:
        raise Unusable("params_b", cell(row, "params_b"), f"{model.id} has {model.parameters / 1e9:.3f}")
    stated = known_number(row, "trainable_params")
    if stated is None:
        return
    counts = [float(trained_parameters(model, plan))]
    if plan.adapter:
        counts.append(counts[0] - _fused_saving(model, plan))
    if all(abs(stated / count - 1.0) > COUNT_TOLERANCE for count in counts):
        raise Unusable("trainable_params", cell(row, "trainable_params"), f"{plan.method} of this rank and targets trains"
                       f" {counts[0]:,.0f}; more than 1% off")


def _fused_saving(model: ModelShape, plan: TrainingPlan) -> float:
    """Parameters that an adapter on fused modules (c_attn for q, k and v) has less: their inputs enter once."""
    on = set(plan.targets) if isinstance(plan.targets, tuple) else {linear.name for linear in model.linears}
    less = 0.0
    for _, *held in model.module_names:
        inside = [linear for linear in model.linears if linear.name in held and linear.name in on]
        less += sum(linear.inputs * linear.layers for linear in inside) - max(
            (linear.inputs * linear.layers for linear in inside), default=0)
    return float(plan.rank) * less
