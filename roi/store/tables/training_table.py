"""A table of measured training runs, one row a run: its columns, and the run that a row becomes."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Annotated, Any, Final, Literal, NamedTuple, get_args

from pydantic import Field

from roi.catalog.cards.gpus import card_called, find_gpu, load_gpus
from roi.catalog.efficiencies.stack_defaults import stack_defaults
from roi.catalog.models.shapes import find_model
from roi.errors import InputError
from roi.estimate.accuracy.error_blocks import SkippedRow
from roi.estimate.accuracy.measured_run import GPTQ, HABITS, Habit, MeasuredRun, MemoryKind, peak_tokens_per_s
from roi.estimate.accuracy.serving_run import ABOVE
from roi.estimate.accuracy.training_errors import RowLabel
from roi.estimate.training.adapters import base_weight_bytes, end_parameters, rank_bound, trained_parameters
from roi.estimate.training.optimizers import optimizer_refusal
from roi.estimate.training.peft_methods import TUNERS
from roi.estimate.training.plan import Attend, Checkpoints, Kernels, Loss, Optimizer, Sharding, Stack, Trainer, TrainingPlan
from roi.estimate.training.targets import TARGET_SETS, usual_targets
from roi.facts.methods import Method, Other
from roi.facts.model import ModelShape
from roi.store.tables.canonical_row import CanonicalRow, Flag, Lower, Positive, Several, UnusableCell, Whole, card_id, read_rows
from roi.store.tables.csv_table import CsvTable, TextRow
from roi.store.tables.tuner_cells import COUNT_TOLERANCE, PEFT, sized_tuner, tuner_named
from roi.units import GIB

Version = Annotated[str, Field(pattern=r"^\d+(\.\d+){0,3}$")]
"""Numbers and points."""
FUSED_BY_DEFAULT: Final = (2, 8)
"""Version of torch from which the HF Trainer asks for the fused AdamW (transformers/training_args.py, default_optim)."""
FUSED_SINCE: Final = "2025-08-06"
"""Day of torch 2.8.0: an older row cannot have run it."""
FLASH2_SINCE: Final = "2023-07-17"
"""Day of FlashAttention 2: an older row ran the kernels before it."""
STACKED: Final = (5,)
"""Version of transformers from which experts are 3-D parameters."""
STACKED_SINCE: Final = "2025-12-01"
"""Day of the first release candidate of that version."""
MOST_CONTEXTS: Final = 32.0
"""Contexts that a stretched rotary embedding is trained over at most (YaRN, arXiv 2309.00071, goes to 32); a longer cell is a
slip."""
GPTQ_BITS: Final[dict[str, Literal[2, 3, 4, 8]]] = {"gptq-int2": 2, "gptq-int3": 3, "gptq-int4": 4, "gptq-int8": 8}
"""Quantisations by GPTQ -> their bits."""
ON_BASE: Final[dict[tuple[str, str], Method]] = {
    ("full", "none"): "full", ("lora", "none"): "lora", ("rslora", "none"): "rslora", ("dora", "none"): "dora",
    ("lora", "nf4"): "qlora", ("rslora", "nf4"): "qlora", ("qlora", "nf4"): "qlora", ("dora", "nf4"): "qdora",
    ("qdora", "nf4"): "qdora", ("lora", "int8"): "lora-int8", ("lora-int8", "int8"): "lora-int8",
    ("qlora", "int8"): "lora-int8",
    **{(name, quant): "lora-int8" if bits == 8 else "qlora" for name in ("lora", "qlora") for quant, bits in GPTQ_BITS.items()},
}  # fmt: skip
"""Method and quantisation of the base -> the plan's method."""
FIELDS: Final = {
    "lora_dropout": "dropout", "logits_kept": "logits_kept", "autocast": "autocast", "optimizer": "optimizer",
    "optimizer_states": "optimizer", "base_dtype": "dtype", "attention_impl": "attention",
    "gradient_checkpointing": "checkpointing", "double_quant": "double_quant", "target_modules": "targets",
}  # fmt: skip
"""Columns that the source may leave open -> fields of the plan."""
SHARED: Final[dict[str, Sharding]] = {
    "none": "none", "zero1": "zero1", "zero2": "zero2", "zero3": "zero3", "fsdp": "fsdp", "cpu-offload": "fsdp",
    "zero2-offload": "zero2", "zero3-offload": "zero3", "model-parallel": "none",
    "tensor-parallel": "none", "pipeline-parallel": "none"}
"""Words of sharding -> the plan's."""
ENDS: Final = ("full:wte", "full:lm_head")
"""Words of target_modules that name what is trained whole; one stands for both."""
KEPT: Final[dict[str, Checkpoints]] = {"selective": "selective", "offload": "offloaded"}
"""Words of gradient_checkpointing -> what a plan keeps of a layer."""
SECOND: Final[dict[MemoryKind, str]] = {"reserved": "peak_mem_reserved_gib", "process": "peak_mem_process_gib"}
"""Columns of memory beside the headline's, by kind."""
Assumable = Literal[
    "lora_dropout", "logits_kept", "autocast", "optimizer", "optimizer_states", "base_dtype", "attention_impl",
    "gradient_checkpointing", "double_quant", "target_modules",
]


class TrainingRow(CanonicalRow):
    """One measured training run."""

    gpu: Annotated[str, card_id("n_gpus")] | None = None
    """Card, by any of its names; blank where it is not known: memory is predicted all the same, speed is not."""
    n_gpus: Whole = 1
    """GPUs of the job."""
    method: Literal[Method, Other] | Annotated[str, Field(pattern=f"^{PEFT}[a-z0-9_]+$")]
    """Method: full, or a kind of adapter; another of peft's tuners is peft: and its peft_type in small letters (peft:ia3), on a
    base that is not quantised; LitGPT's take nf4 too. quant says on which base (lora over nf4 is what others call qlora)."""
    quant: Literal["none", "nf4", "int8", "gptq-int2", "gptq-int3", "gptq-int4", "gptq-int8"] = "none"
    """Quantisation of the base's linear layers, by bitsandbytes or GPTQ (without preparation). full needs none; lora needs
    none, nf4 or int8; rslora and dora need none or nf4; qlora needs nf4 or int8; qdora needs nf4; lora-int8 needs int8."""
    double_quant: Flag | None = None
    """True where the scales of nf4 are quantised once more; blank: true stands in."""
    rank: Annotated[int, Field(gt=0)] | None = None
    """Rank of the adapter, of GaLore's projection, or a tuner's own size (virtual tokens, block, layers); blank for full, and
    of a tuner where trainable_params tells it; of adamss they tell the subspaces."""
    target_modules: Annotated[tuple[str, ...], Several] = ()
    """What carries an adapter: all-linear, attention, qv, or the names of modules joined by "+"; blank for full. full:wte and
    full:lm_head besides: embedding and head are trained whole (modules_to_save)."""
    base_dtype: Literal["bf16", "fp16", "fp32", "fp8", "mxfp8"] | None = None
    """Storage of base weights that are not quantised, and compute type; blank: bf16 stands in. fp8 and mxfp8 are types of the
    layers' products alone, on bf16 weights."""
    micro_batch: Annotated[int, Field(gt=0, le=65_536)]
    """Sequences in one forward pass on one GPU."""
    grad_accum: Whole = 1
    """Micro-steps in one optimizer step."""
    seq_len_max: Whole
    """Tokens of the longest sequence, which memory follows."""
    seq_len_mean: Annotated[float, Field(ge=1)] | None = None
    """Mean tokens of a sequence as the speed counts them; blank where it is not known: speed is not predicted."""
    packed: Flag = False
    """True where a row of the batch holds several examples."""
    padded: Flag = True
    """True where batches of more than one sequence carry padding."""
    gradient_checkpointing: Annotated[Literal["true", "false", "selective", "offload"], Lower] | None = None
    """True where activations are recomputed from each layer's input; selective: attention's output and every second product's
    are kept too; offload: the inputs wait in the host's memory; blank: true stands in for a quantised base, else false."""
    attention_impl: Attend | None = None
    """Attention implementation; blank: sdpa stands in. flash of a row older than FlashAttention 2 is flash1."""
    optimizer: Optimizer | None = None
    """Optimizer and the form of its states (of paged-adamw fp32); blank: adamw stands in, or the stack's default. adamw of the
    Trainers is the multi-tensor form (adamw-foreach) where torch is older than 2.8, or the row than that release."""
    kernels: Kernels = "none"
    """Fused kernels: fused (norms, cross entropy) or liger."""
    loss: Loss | None = None
    """Cross entropy over fp32 logits, over 16-bit ones (16bit), over whole logits a chunk at a time (split), or with the head
    in chunks (chunked); blank: the stack's default, which is fp32 but for later LitGPT and torchtune."""
    stack: Stack = "transformers"
    """Whose model classes and loop ran: transformers (with peft, DeepSpeed, or a loop of one's own), litgpt, torchtune or
    torchtitan; what it did by default on the row's day fills blank cells (roi/catalog/efficiencies/stack_defaults.csv)."""
    kbit_prepared: Flag = True
    """False where a quantised base was not prepared for k-bit training, so that the rest stays in 16 bits."""
    torch: Version | None = None
    """Version of torch; blank where it is not known."""
    transformers: Version | None = None
    """Version of transformers: before 5 a mixture's experts are modules, which bitsandbytes quantises."""
    lora_dropout: Annotated[float, Field(ge=0, lt=1)] | None = None
    """Dropout of the adapter; blank: 0 stands in."""
    trainer: Trainer = "plain"
    """Whose loop runs: a plain one, the HF Trainer, or TRL's SFTTrainer."""
    logits_kept: Flag | None = None
    """True where the logits outlive the loss; blank: true stands in but for the HF Trainer."""
    autocast: Flag | None = None
    """True under torch.autocast; blank: true stands in for 16-bit runs of the HF Trainer and TRL, and plain loops have none."""
    sharding: Literal[
        "none", "zero1", "zero2", "zero3", "fsdp", "cpu-offload", "zero2-offload", "zero3-offload", "model-parallel",
        "tensor-parallel", "pipeline-parallel"] = "none"
    """What is spread over the GPUs. cpu-offload (fsdp), zero2-offload, zero3-offload: with the shards in the host's memory;
    model-parallel: the layers, one GPU at work at a time (device_map); of tensor-parallel and pipeline-parallel jobs speed
    alone is predicted, as of replicas."""
    peak_mem_gib: Positive | None = None
    """Peak memory of one GPU, GiB (2^30 bytes)."""
    peak_mem_kind: MemoryKind = "unstated"
    """What the peak is: torch's allocated or reserved bytes, those of the process (nvidia-smi, NVML), or unstated."""
    peak_mem_reserved_gib: Positive | None = None
    """Reserved bytes beside a peak of another kind, GiB."""
    peak_mem_process_gib: Positive | None = None
    """Bytes of the process beside a peak of another kind, GiB."""
    tokens_per_s: Positive | None = None
    """Tokens a second of the whole job."""
    fits: Flag | None = None
    """Whether the run fitted its card (true) or ran out of memory (false), in a row without figures."""
    trainable_params: Whole | None = None
    """Trained parameters as the source counts them: a row whose method, rank and targets train another number is skipped."""
    assumed: Annotated[tuple[Assumable, ...], Several] = ()
    """Columns, joined by "+", whose cell is not what the source says but what stands in for it: each widens the interval by the
    difference that its other value makes. optimizer_states: AdamW is stated, the type of its states is not."""
    habits: Annotated[tuple[Habit, ...], Several] = ()
    """What the loop did and no column says, joined by "+": chunked_loss (the loss in chunks), emptied_cache (empty_cache was
    called), variable_lengths (lengths vary and the cache is kept), unprepared (quantised without k-bit preparation),
    step_in_backward (the optimizer steps inside backward), head_adapter (the output head carries an adapter too),
    adapters_16bit (adapters and their states are 16 bits wide), compiled (torch.compile), ends_apart (FSDP shards embedding and
    head apart)."""


class TrainingTable(NamedTuple):
    """What a table holds."""

    runs: tuple[MeasuredRun, ...]
    """Rows that became a run."""
    skipped: tuple[SkippedRow, ...]
    labels: tuple[RowLabel, ...]
    """What every row states, the skipped ones included."""
    second: tuple[MeasuredRun, ...]
    """Runs again, with each kind of memory that their rows state beside the headline's."""


def training_table(table: CsvTable) -> TrainingTable:
    """The runs of a table, in its order; a row with a cell that is not canonical is skipped, with what is allowed."""
    rows = read_rows(TrainingRow, table, measured_runs)
    found = rows.values()
    runs = [each for each in found if not isinstance(each, SkippedRow)]
    return TrainingTable(
        runs=tuple(first for first, *_ in runs), skipped=tuple(each for each in found if isinstance(each, SkippedRow)),
        labels=tuple(map(_label, table.rows)),
        second=tuple(run for _, *others in runs for run in others))


def _label(row: TextRow) -> RowLabel:
    cells, kind = row.cells, row.cells.get("peak_mem_kind", "unstated")
    return RowLabel(
        id=row.id, source=cells.get("source", "own"), method=cells.get("method", "unstated"),
        gpu=card_called(cells.get("gpu", "unstated")), kind=kind,
        memory="peak_mem_gib" in cells, throughput="tokens_per_s" in cells,
        second=tuple(other for other, column in SECOND.items() if other != kind and column in cells))


def measured_runs(row: TrainingRow) -> list[MeasuredRun]:
    """The row as a run, and again with each other kind of memory that it states; UnusableCell where no plan expresses it."""
    model = find_model(row.model)
    try:
        plan, assumed = _plan(row, model)
        _check_sizes(row, model, plan)
    except InputError as error:  # of the plan: its fields contradict each other, or the model has no such target
        field, _, why = str(error).partition(": ")
        columns = {"targets": "target_modules", "gpus": "n_gpus", "accumulation": "grad_accum"}
        raise UnusableCell(columns.get(field) or next((c for c, f in FIELDS.items() if f == field), field), why) from error
    _check_figures(row, model, plan)
    parts = row.n_gpus if row.sharding == "model-parallel" else 1
    run = MeasuredRun(
        parts=parts, split=row.sharding in ("tensor-parallel", "pipeline-parallel"),
        id=row.id, source=row.source, method=row.method, gpu_name=row.gpu or "unstated", model=model, plan=plan,
        gpu=find_gpu(row.gpu) if row.gpu else None, mean_tokens=row.seq_len_mean,
        memory_bytes=None if row.peak_mem_gib is None else row.peak_mem_gib * GIB, memory_kind=row.peak_mem_kind,
        tokens_per_s=row.tokens_per_s, out_of_memory=row.fits is False, assumed=assumed)
    others = [(kind, getattr(row, column)) for kind, column in SECOND.items() if kind != row.peak_mem_kind]
    return [run, *(replace(run, memory_bytes=gib * GIB, memory_kind=kind) for kind, gib in others if gib is not None)]


def _plan(row: TrainingRow, model: ModelShape) -> tuple[TrainingPlan, tuple[tuple[str, TrainingPlan], ...]]:
    """The plan, and each value that stands in with the plan of its other value; each habit with the plan that shows it.

    Values that stand in are set all at once and then exchanged one at a time, so that each difference stands alone.
    """
    method = tuner_named(row.method, row.quant) or ON_BASE.get((row.method, row.quant))
    if method is None:
        bases = [base for name, base in ON_BASE if name == row.method and not base.startswith("gptq")]  # as bitsandbytes'
        raise UnusableCell("quant", f"{row.method} needs {' or '.join(bases)}")
    usual = stack_defaults(row.stack, row.date)
    if row.attention_impl == "flash" and _older(row, None, (), FLASH2_SINCE):
        row = row.model_copy(update={"attention_impl": "flash1"})
    if row.optimizer == "adamw" and usual.get("optimizer") == "adamw-fused":
        row = row.model_copy(update={"optimizer": "adamw-fused"})
    row = row.model_copy(update=_usual_cells(row, usual))
    blank = {column: value for column, value in _stand_ins(row, method).items() if getattr(row, column) is None}
    stated = {column: value for column in FIELDS if (value := getattr(row, column, None)) is not None}
    del stated["target_modules"]  # by `_targets`
    fp8 = row.base_dtype in ("fp8", "mxfp8")
    stated |= {"base_dtype": "bf16"} if fp8 else {}
    if row.gradient_checkpointing is not None:
        stated["gradient_checkpointing"] = row.gradient_checkpointing != "false"
    plan = TrainingPlan(
        method=method, rank=float(row.rank or 1.0), targets=_targets(row, model, method), micro_batch=float(row.micro_batch),
        seq=float(row.seq_len_max), accumulation=row.grad_accum, trainer=row.trainer,
        gpus=1 if row.sharding == "model-parallel" else row.n_gpus,
        sharding=SHARED[row.sharding], offload=row.sharding.endswith("offload"),
        packed=row.packed, padded=row.padded, kernels=row.kernels, loss=_loss(row),
        kbit_prepared=row.kbit_prepared and not row.quant.startswith("gptq"),
        stack=row.stack, held_graphs=int(usual.get("held_graphs", "0")), fsdp2=usual.get("fsdp2") == "true",
        step_in_backward="step_in_backward" in row.habits,
        compiled="compiled" in row.habits, ends_apart="ends_apart" in row.habits,
        adapters_16bit="adapters_16bit" in row.habits, fp8=fp8,
        ends=bool(set(ENDS) & set(row.target_modules)),
        gptq=GPTQ_BITS.get(row.quant, 0), nf4=method not in ON_BASE.values() and row.quant == "nf4",
        checkpoints=KEPT.get(row.gradient_checkpointing or "", "inputs"),
        split_experts=_older(row, row.transformers, STACKED, STACKED_SINCE),
        **{FIELDS[column]: value for column, value in (blank | stated).items()})
    if plan.projected and row.rank is None:
        raise UnusableCell("rank", "blank, and GaLore needs it")
    if refused := optimizer_refusal(plan):
        raise UnusableCell("optimizer", refused)
    if plan.tuner is not None:
        plan = sized_tuner(model, plan, row.rank, row.trainable_params)
    if (plan.optimizer == "adamw" and plan.trainer != "plain" and not plan.sharding.startswith("zero")
            and _older(row, row.torch, FUSED_BY_DEFAULT, FUSED_SINCE)):
        plan = replace(plan, optimizer="adamw-foreach")
    assumed = [(f"{column} {_word(getattr(plan, FIELDS[column]))}",
                replace(plan, **{FIELDS[column]: _other(column, getattr(plan, FIELDS[column]))}))
               for column in dict.fromkeys((*row.assumed, *blank))]
    if row.quant.startswith("gptq"):
        assumed.append((GPTQ, plan))
    return plan, (*assumed, *((HABITS[habit], _habit_plan(habit, model, plan)) for habit in row.habits))


def _loss(row: TrainingRow) -> Loss:
    """The plan's loss; LitGPT and torchtune (to 2025) call it chunked where the loss alone is, over whole logits."""
    whole = row.stack in ("litgpt", "torchtune") and row.loss == "chunked"
    return "split" if whole else row.loss or "fp32"


def _usual_cells(row: TrainingRow, usual: Mapping[str, str]) -> dict[str, Any]:  # Any: values of a row's fields
    """What blank cells of the row are by the stack's defaults; dropout is LoRA's alone."""
    cells = {column: cell for column, cell in usual.items() if column in TrainingRow.model_fields}
    read = TrainingRow.model_validate({"model": row.model, "id": row.id, "micro_batch": 1, "seq_len_max": 1, "method": "full",
                                       **cells})
    return {column: getattr(read, column) for column in cells
            if getattr(row, column) is None and not (column == "lora_dropout" and row.method in ("full", *get_args(Other)))}


def _older(row: TrainingRow, version: str | None, than: tuple[int, ...], since: str) -> bool:
    """True where the row's package is older than a release: by its version, else by the day of the row."""
    if version is not None:
        return tuple(int(part) for part in version.split("."))[: len(than)] < than
    return row.date is not None and str(row.date) < since


def _stand_ins(row: TrainingRow, method: str) -> dict[str, Any]:  # Any: values of a plan's fields
    """What stands in for a blank cell, by column: full training has no dropout, and a plain loop or fp32 no autocast."""
    values: dict[str, Any] = {
        "logits_kept": row.trainer != "hf", "optimizer": "adamw", "base_dtype": "bf16", "attention_impl": "sdpa",
        "gradient_checkpointing": row.quant != "none",
    }  # fmt: skip
    values |= {} if method in ("full", *get_args(Other)) else {"lora_dropout": 0.0}
    values |= {"double_quant": True} if row.quant in ("nf4", "gptq-int4") else {}
    return values | ({"autocast": True} if row.trainer != "plain" and row.base_dtype != "fp32" else {})


def _other(column: str, value: Any) -> Any:  # Any: values of a plan's fields
    """The value that an unstated one is exchanged for, so that the interval holds both."""
    if isinstance(value, bool):
        return not value
    if column == "target_modules":
        return "qv" if value == "all-linear" else "all-linear"
    others = {"lora_dropout": 0.0 if value else 0.05, "optimizer": "paged-adamw-8bit", "optimizer_states": "adamw-bf16",
              "base_dtype": "fp16", "attention_impl": "eager"}
    return others[column]


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def _habit_plan(habit: Habit, model: ModelShape, plan: TrainingPlan) -> TrainingPlan:
    """The plan whose memory shows the habit; the plan itself for one that only an instrument knows."""
    if habit == "head_adapter":
        # the head's adapter: rank x (hidden + vocabulary), spread over the other targets' rank
        more = 1.0 + float(plan.rank) * (model.hidden + model.vocab) / float(trained_parameters(model, plan))
        return replace(plan, rank=float(plan.rank) * more)
    return plan


def _targets(row: TrainingRow, model: ModelShape, method: str) -> str | tuple[str, ...]:
    tuner = TUNERS.get(method)
    if method == "full" or (tuner is not None and tuner.family == "whole"):
        return "all-linear"
    if not row.target_modules or (row.rank is None and tuner is None):
        raise UnusableCell("rank" if row.target_modules else "target_modules", "blank, and an adapter needs it")
    names = tuple(name for name in row.target_modules if name not in ENDS)
    return names[0] if len(names) == 1 and names[0] in ("all-linear", *TARGET_SETS) else usual_targets(model, names)


def _check_sizes(row: TrainingRow, model: ModelShape, plan: TrainingPlan) -> None:
    """Raise where a size is beyond what model, targets or card can take, or belongs to another adapter."""
    if float(plan.seq) > MOST_CONTEXTS * model.context_tokens:
        raise UnusableCell("seq_len_max", f"more than {MOST_CONTEXTS:g} times the context of {model.id},"
                           f" {model.context_tokens:,} tokens")
    if row.seq_len_mean is not None and row.seq_len_mean > row.seq_len_max:
        raise UnusableCell("seq_len_mean", f"above seq_len_max, {row.seq_len_max:,} tokens")
    if float(plan.rank) > (most := rank_bound(model, plan)):
        raise UnusableCell("rank", f"at most {most:,}, the full rank of the widest target of {model.id}")
    gpu, weights = find_gpu(row.gpu) if row.gpu else None, float(base_weight_bytes(model, plan))
    if gpu is not None and gpu.apple:
        raise UnusableCell("gpu", "training is not estimated on Apple's GPUs")
    if row.n_gpus > 1 and row.sharding == "none" and gpu is not None and weights > gpu.memory_bytes:
        # such a job is no set of replicas: its layers or its parameters are split
        raise UnusableCell("n_gpus", f"the weights alone, {weights / GIB:.0f} GiB, are more than one {gpu.id} holds; how they"
                           " are split is not stated")
    counts = [float(trained_parameters(model, plan)) + end_parameters(model, plan)]
    if plan.adapter and plan.tuner is None:
        counts.append(counts[0] - _fused_saving(model, plan))
        apart = ModelShape.model_construct(**{**dict(model), "module_names": ()})  # LitGPT adapts parts of its fused product
        counts += [float(trained_parameters(apart, plan))] if row.stack == "litgpt" else []
    stated = row.trainable_params
    if stated is not None and plan.tuner is None and all(abs(stated / count - 1.0) > COUNT_TOLERANCE for count in counts):
        raise UnusableCell("trainable_params", f"{plan.method} of this rank and targets trains {counts[0]:,.0f}; more than"
                           " 1% off")


def _fused_saving(model: ModelShape, plan: TrainingPlan) -> float:
    """Parameters that an adapter on fused modules (c_attn for q, k and v) has less: their inputs enter once."""
    on = set(plan.targets) if isinstance(plan.targets, tuple) else {linear.name for linear in model.linears}
    inside: Iterable[list[int]] = ([linear.inputs * linear.layers for linear in model.linears if linear.name in held
                                    and linear.name in on] for _, *held in model.module_names)
    return float(plan.rank) * float(sum(sum(sizes) - max(sizes, default=0) for sizes in inside))


def _check_figures(row: TrainingRow, model: ModelShape, plan: TrainingPlan) -> None:
    """Raise where there is nothing to compare, or a figure is beyond any card."""
    holds = max(card.memory_bytes for card in load_gpus()) / GIB
    if row.peak_mem_gib is not None and row.peak_mem_gib > holds:
        raise UnusableCell("peak_mem_gib", f"no card holds more than {holds:,.0f} GiB; it is GiB of one GPU")
    most = (1.0 + ABOVE) * row.n_gpus * peak_tokens_per_s(model, plan, [find_gpu(row.gpu)] if row.gpu else load_gpus())
    if row.tokens_per_s is not None and row.tokens_per_s > most:
        raise UnusableCell("tokens_per_s", f"{row.n_gpus} x {row.gpu or 'the fastest card'} do at most {most:,.0f}, their peak"
                           " over the products of forward and backward: is it of more GPUs, or of another unit?")
    if row.peak_mem_gib is None and row.tokens_per_s is None and row.fits is None:
        raise UnusableCell("peak_mem_gib", "no figure to compare: no memory, no tokens/s, no verdict on whether it fits")
