"""`roi profile infer`: prefill and decode of the base model, with an adapter beside it, and with the adapter merged into it."""

from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Final, Literal

from roi.errors import RoiError
from roi.facts.profiles import InferPoint, InferProfile, MemoryReading
from roi.profiling.host.host_facts import peak_resident_bytes, reset_peak_resident
from roi.profiling.infer.generation import InferPlan, adapt, build, prepare, release, time_generation
from roi.profiling.session import Session
from roi.profiling.stack import torch
from roi.profiling.train.limits import ran_out

Stage = Literal["base", "unmerged", "merged"]

STAGES: Final[tuple[Stage, ...]] = ("base", "unmerged", "merged")
"""In this order one model after the other is in memory: the adapter is put on the base, then added into it."""


def profile_infer(plan: InferPlan, session: Session) -> InferProfile:
    """Raw times of every prefill and decode step; Ctrl-C or the budget ends it early with complete=False.

    The budget is for generating; building comes on top. A third of it goes to each of base, unmerged and merged, a share
    of that to each size; the first size of each is measured whatever it takes. Ctrl-C before the first point is passed on.
    """
    timing = _Timing(plan, session)
    draw = session.measure(timing.run, lambda: timing.points)
    if not timing.points:
        raise RoiError(f"nothing was measured: {'; '.join(timing.missing)}")
    return InferProfile(
        started=session.started, environment=session.environment_under_load(draw), model=plan.name, dtype=plan.dtype,
        rank=plan.rank, points=tuple(timing.points), complete=not (timing.missing or session.interrupted),
        notes=session.all_notes,
    )


@dataclass
class _Timing:
    """Points as they come in; what is here when a run is interrupted is kept."""

    plan: InferPlan
    session: Session
    model: Any = None  # Any: transformers' classes are chosen at run time
    points: list[InferPoint] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    """Why what is missing is missing."""

    def run(self) -> None:
        """Base, unmerged, merged: each is built from the one before and measured at every size."""
        budget_s, notes = self.session.budget_s, self.session.notes
        if self.plan.weights is None:
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
            if four_bit and any(p.dim() == 3 for p in self.model.parameters()):
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
        source = torch.Generator().manual_seed(self.session.seed)
        ids = torch.randint(0, int(self.model.config.vocab_size), (batch, prompt), generator=source).to(device)
        reset_peak_resident()
        if device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        prefill_s, decode_s = time_generation(self.model, ids, self.plan.decode, device, slot_s)
        memory = MemoryReading(process_bytes=peak_resident_bytes()) if device != "cuda" else MemoryReading(
            allocated_bytes=torch.cuda.max_memory_allocated(), reserved_bytes=torch.cuda.max_memory_reserved(),
            process_bytes=board.process_bytes() if board else None, device_bytes=board.used_bytes() if board else None,
        )
        return InferPoint(
            adapter=stage, batch=batch, prompt_tokens=prompt, decoded_tokens=self.plan.decode, prefill_s=prefill_s,
            decode_s=decode_s, memory=memory,
        )

    def _miss(self, why: str) -> None:
        self.missing.append(why)
        self.session.notes.append(why)
