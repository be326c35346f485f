"""`roi profile infer`: prefill and decode of the base model, with an adapter beside it, and with the adapter merged into it."""

import inspect
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Final, Literal

from roi.catalog.models.configs import context_tokens
from roi.errors import InputError, RoiError
from roi.estimate.training.plan import TrainingPlan
from roi.facts.profiles import InferPoint, InferProfile
from roi.profiling.board import Draw, PowerMeter
from roi.profiling.device.operator_rates import synchronise
from roi.profiling.model_to_build import ModelToBuild
from roi.profiling.session import Session, check_weights_fit, ran_out
from roi.profiling.stack import peft, torch
from roi.profiling.train.real_model import (
    LINEARS,
    build_meta,
    build_model,
    check_module_ranks,
    load_model,
    prepare_training,
    stacks_experts,
)
from roi.profiling.train.train_point import read_memory, release, reset_memory

Stored = Literal["bf16", "fp16", "fp32", "nf4"]

LEAST: Final = 3
"""Prefills at least, each with its decode steps."""
MOST: Final = 20
CPU_OUTPUTS: Final = 32
CPU_INPUTS: Final = 64
"""bitsandbytes' CPU kernel (AVX512-BF16) packs 4-bit rows in blocks of so many outputs when no gradient is asked for, and wants
every row to hold full blocks of so many weights that share a scale."""
FACTOR_DEVIATION: Final = 0.01
"""Standard deviation of the values in the adapter's second factor, which starts at zero: products with zeros would cost a GPU
less power."""

Stage = Literal["base", "unmerged", "merged"]

STAGES: Final[tuple[Stage, ...]] = ("base", "unmerged", "merged")
"""The models in the order in which each is in memory: the adapter is put on the base, then added into it."""


@dataclass(frozen=True)
class InferPlan:
    """The model, the adapter and the sizes that are measured."""

    model: ModelToBuild
    dtype: Stored
    """bf16, fp16, fp32 or nf4 (computes in bf16): how the base is stored."""
    rank: int
    batches: tuple[int, ...]
    prompts: tuple[int, ...]
    """Lengths of prompts, tokens."""
    decode: int
    """Decode steps after each prefill."""

    def __post_init__(self) -> None:
        for option, value in (("--rank", self.rank), ("--decode", self.decode)):
            if value < 1:
                raise InputError(f"{option}: {value} is not usable; at least 1")
        longest = context_tokens(self.model.config)
        if longest is not None and max(self.prompts) + self.decode > longest:
            raise InputError(f"--prompt: {max(self.prompts):,} tokens and {self.decode:,} decoded ones are not usable; "
                             f"{self.model.name} takes at most {longest:,}")

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """(batch, prompt), the smallest first."""
        return sorted(((b, p) for b in self.batches for p in self.prompts), key=lambda size: (size[0] * size[1], size))

    def training_plan(self, *, dequantised: bool) -> TrainingPlan:
        """The plan that `build_model` takes; `dequantised`: 16-bit weights even where the base is NF4."""
        if self.dtype == "nf4":
            return TrainingPlan(method="lora" if dequantised else "qlora", rank=self.rank, dtype="bf16", checkpointing=False)
        return TrainingPlan(method="lora", rank=self.rank, dtype=self.dtype, checkpointing=False)


def check_size(plan: InferPlan, device: str) -> None:
    """Raise where the model is too large for the device, or the rank for the model."""
    model = build_meta(plan.model.config, plan.training_plan(dequantised=True))
    check_module_ranks(model, plan.rank, "all-linear")
    count = sum(p.numel() for p in model.parameters())
    check_weights_fit(plan.model.name, count, count * {"fp32": 4.0, "nf4": 0.6}.get(plan.dtype, 2.0), device,
                      shrunk=plan.model.shrunk, slow="a prefill takes minutes", works="runs")


def build(plan: InferPlan, device: str, seed: int, *, dequantised: bool = False) -> Any:
    """The model of a plan on the device. Any: transformers' classes are chosen at run time."""
    how, weights = plan.training_plan(dequantised=dequantised), plan.model.weights
    model = build_model(plan.model.config, how, device, seed) if weights is None else load_model(weights, how, device)
    for name, layer in model.named_modules() if device == "cpu" and how.quantised else ():
        packed = isinstance(layer, LINEARS) and getattr(layer.weight, "quant_state", None) is not None
        if packed and (layer.out_features % CPU_OUTPUTS or layer.in_features % CPU_INPUTS):
            raise InputError(f"--dtype nf4: {name} has {layer.in_features} inputs and {layer.out_features} outputs, but "
                             f"bitsandbytes' 4-bit product on a CPU wants multiples of {CPU_INPUTS} and {CPU_OUTPUTS}; "
                             "use --dtype bf16, or a GPU")
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


def time_generation(model: Any, ids: torch.Tensor, decode: int, device: str,
                    slot_s: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """(seconds of each prefill, seconds of each decode step): LEAST to MOST rounds within the slot, after an untimed one.

    The untimed round has every decode step: cuDNN makes a plan, tens of ms, for each new length of the cache.
    """
    prefill_s: list[float] = []
    decode_s: list[float] = []
    with torch.no_grad():
        generate(model, ids, decode, device)
        start = perf_counter()
        while len(prefill_s) < LEAST or (len(prefill_s) < MOST and perf_counter() - start < slot_s):
            first, steps = generate(model, ids, decode, device)
            prefill_s.append(first)
            decode_s += steps
    return tuple(prefill_s), tuple(decode_s)


def generate(model: Any, ids: torch.Tensor, decode: int, device: str) -> tuple[float, list[float]]:
    """(seconds of the prefill, seconds of each decode step), greedy, with the growing cache that transformers makes."""
    base = model.get_base_model() if isinstance(model, peft.PeftModel) else model
    # logits of the last position alone where the class computes them if asked, as transformers' generate() asks
    keep = {"logits_to_keep": 1} if "logits_to_keep" in inspect.signature(base.forward).parameters else {}
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


def _now(device: str) -> float:
    """The clock, once the device is done with what was issued: a decode step is as long as its host makes it."""
    synchronise(device)
    return perf_counter()


def profile_infer(plan: InferPlan, session: Session) -> InferProfile:
    """Raw times of every prefill and decode step; Ctrl-C or the budget ends it early with complete=False.

    The budget is for generating; building comes on top. A third of it goes to each of base, unmerged and merged, a share
    of that to each size; the first size of each is measured whatever it takes. Ctrl-C before the first point is passed on.
    """
    timing = _Timing(plan, session)
    session.measure(timing.run, lambda: timing.points)
    if not timing.points:
        raise RoiError(f"nothing was measured: {'; '.join(timing.missing)}")
    environment = session.environment_under_load(timing.last_draw)
    return InferProfile(started=session.started, environment=environment, model=plan.model.name, dtype=plan.dtype,
                        rank=plan.rank, points=tuple(timing.points),
                        complete=not (timing.missing or session.cut), notes=session.all_notes)


@dataclass
class _Timing:
    """Points as they come in; what is here when a run is interrupted is kept."""

    plan: InferPlan
    session: Session
    model: Any = None  # Any: transformers' classes are chosen at run time
    points: list[InferPoint] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    """Notes on stages and sizes that were not measured, with the reason."""
    last_draw: Draw | None = None
    """Clocks while the last point was timed: building and waiting are not in them."""

    def run(self) -> None:
        """Base, unmerged, merged: each is built from the one before and measured at every size."""
        budget_s, notes = self.session.budget_s, self.session.notes
        if self.plan.model.weights is None:
            notes.append("weights drawn at random")
        if self.plan.dtype == "nf4":
            notes.append("merged: the adapter added into 16-bit weights, as it is served; base and unmerged: NF4")
        for done, stage in enumerate(STAGES):
            self.session.watcher.update(f"{stage}: building", done / len(STAGES), budget_s * (1.0 - done / len(STAGES)))
            try:
                self._build_stage(stage)
            except (RuntimeError, MemoryError) as error:
                if not ran_out(error):
                    raise
                self._miss(f"{stage}: out of memory while building")
                return
            self._time_sizes(stage, done)

    def _build_stage(self, stage: Stage) -> None:
        """Put the model of a stage in the place of the one before."""
        device, seed, four_bit = self.session.device, self.session.seed, self.plan.dtype == "nf4"
        if stage == "base":
            self.model = prepare(build(self.plan, device, seed))
            if four_bit and stacks_experts(self.model):
                self.session.notes.append("experts stay in 16 bits: they are 3-D parameters, which bitsandbytes leaves alone")
            return
        if stage == "merged" and four_bit:
            self.model = None
            release(device)
            self.model = prepare(build(self.plan, device, seed, dequantised=True))
        if stage == "unmerged" or four_bit:
            self.model = adapt(self.model, self.plan, seed)
        if stage == "merged":
            self.model = prepare(self.model.merge_and_unload())

    def _time_sizes(self, stage: Stage, done: int) -> None:
        """Measure the model at every size, the smallest first, until its third of the budget is spent."""
        sizes, budget_s = self.plan.sizes, self.session.budget_s
        end = perf_counter() + budget_s / len(STAGES)
        for index, (batch, prompt) in enumerate(sizes):
            left_s = end - perf_counter()
            if index and left_s <= 0.0:
                self._miss(f"{stage}: the budget ended before batch {batch} x {prompt:,} tokens")
                return
            share = (done + index / len(sizes)) / len(STAGES)
            later_s = budget_s * (len(STAGES) - 1 - done) / len(STAGES)
            self.session.watcher.update(f"{stage}, {batch} x {prompt:,} tokens", share, max(0.0, left_s) + later_s)
            point = None
            try:
                point = self._time_point(stage, batch, prompt, left_s / (len(sizes) - index))
            except (RuntimeError, MemoryError) as error:
                if not ran_out(error):
                    raise
            if point is None:  # outside the block of the error, whose traceback holds the tensors
                release(self.session.device)
                self._miss(f"{stage}: out of memory at batch {batch} x {prompt:,} tokens")
                return
            self.points.append(point)

    def _time_point(self, stage: Stage, batch: int, prompt: int, slot_s: float) -> InferPoint:
        device, board = self.session.device, self.session.board
        meter = PowerMeter(board)
        source = torch.Generator().manual_seed(self.session.seed)
        ids = torch.randint(0, int(self.model.config.vocab_size), (batch, prompt), generator=source).to(device)
        reset_memory(device)
        meter.start()
        try:
            prefill_s, decode_s = time_generation(self.model, ids, self.plan.decode, device, slot_s)
        finally:
            draw = meter.stop()
        self.last_draw = draw if draw.sm_clock_hz is not None else self.last_draw
        return InferPoint(adapter=stage, batch=batch, prompt_tokens=prompt, decoded_tokens=self.plan.decode,
                          prefill_s=prefill_s, decode_s=decode_s, memory=read_memory(device, board))

    def _miss(self, why: str) -> None:
        self.missing.append(why)
        self.session.notes.append(why)
