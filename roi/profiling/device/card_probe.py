"""`roi profile probe`: what only a card can settle, one question after the other, each by itself.

The answers are part of every profile of that machine, and the dry run takes its kernels from them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import mean, median
from time import perf_counter
from typing import Any, Final

from roi.errors import InputError
from roi.facts.environment import ProbeAnswers
from roi.facts.profiles import ProbeProfile
from roi.profiling.board import Board
from roi.profiling.card_kernels import CAUSAL, MASKED, CardKernels
from roi.profiling.device.operator_rates import time_call
from roi.profiling.dry.recorder import hidden_bytes
from roi.profiling.session import Session, device_failed, first_line, ran_out
from roi.profiling.stack import torch
from roi.profiling.train.train_point import release

choose: Final[Any] = torch._fused_sdp_choice  # Any: its stub lists arguments by position that it takes by name
attend: Final = torch.nn.functional.scaled_dot_product_attention
BACKENDS: Final = {0: "math", 1: "flash", 2: "efficient", 3: "cudnn"}
"""torch.nn.attention.SDPBackend."""
TOKENS: Final = 2048
LENGTHS: Final = range(200, 212)
"""Cache lengths of the decode attention that is called twice."""
POWER_S: Final = 3.0
"""Long enough for thirty values of the energy counter, and for power, a mean over a second."""
SIDE: Final = 4096
"""Rows and columns of the square matrices whose product keeps the card busy."""
CHAIN: Final = 100

Answer = dict[str, Any]  # Any: fields of ProbeAnswers, which checks them


def profile_probe(session: Session) -> ProbeProfile:
    """The answers to every question; what has no answer says why. Ctrl-C and a failing device keep those that are there."""
    if session.device != "cuda":
        raise InputError("--device: no GPU is used here; a probe asks a GPU what only a GPU can say")
    probe = _Probe(session)
    session.measure(probe.run, lambda: probe.found)
    answers = ProbeAnswers(**probe.found, failed=probe.failed)
    return ProbeProfile(started=session.started, environment=session.environment, answers=answers,
                        complete=not (probe.unasked or session.cut), notes=session.all_notes)


@dataclass
class _Probe:
    """Answers as they come in."""

    session: Session
    found: Answer = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    unasked: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Ask one after the other: the context before the first tensor, what may break the device last."""
        for index, question in enumerate(QUESTIONS):
            name = question.__name__
            if self.session.left_s <= 0.0:
                self.unasked.append(name)
                continue
            self.session.watcher.update(name.replace("_", " "), index / len(QUESTIONS), self.session.left_s)
            try:
                self.found |= question(self.session.board)
            except (RuntimeError, NotImplementedError, AttributeError, TypeError) as error:
                self.failed[name] = first_line(error)
                if device_failed(error):
                    raise
            release("cuda")
        if self.unasked:
            self.session.notes.append(f"the budget ended before: {', '.join(self.unasked).replace('_', ' ')}")


def context_by_imports(board: Board | None) -> Answer:
    """Whether this process is on the board although no tensor is."""
    return {} if board is None or board.process_bytes() is None else {"context_by_imports": True}


def memory_four_ways(board: Board | None) -> Answer:
    """The context: what the board holds for this process beyond what torch reserved."""
    kept = torch.ones(1, device="cuda")
    torch.cuda.synchronize()
    own = None if board is None else board.process_bytes()
    if own is None:
        raise RuntimeError("NVML does not say what this process holds")
    del kept
    return {"context_bytes": max(own - torch.cuda.memory_reserved(), 0.0)}


def cublas_workspace(_: Board | None) -> Answer:
    """What stays allocated after the first products, forward and backward (a handle and a workspace each)."""
    left = torch.randn(SIDE, SIDE, device="cuda", dtype=torch.bfloat16, requires_grad=True)
    right = torch.randn(SIDE, SIDE, device="cuda", dtype=torch.bfloat16)
    before = torch.cuda.memory_allocated()
    (left @ right).sum().backward()
    left.grad = None
    torch.cuda.synchronize()
    return {"workspace_bytes": max(torch.cuda.memory_allocated() - before, 0)}


def heads(count: int, tokens: int, dim: int = 128, batch: int = 1, *, gradient: bool = False) -> torch.Tensor:
    """bf16 queries, keys or values as a model lays them out: (batch, heads, tokens, dim) behind a view."""
    drawn = torch.randn(batch, tokens, count, dim, device="cuda", dtype=torch.bfloat16)
    return drawn.transpose(1, 2).requires_grad_(gradient)


def attention_kernels(_: Board | None) -> Answer:
    """The backend that torch's own dispatch takes, by case."""
    query, few = heads(32, TOKENS), heads(8, TOKENS)
    mask, wide = torch.ones(1, 1, TOKENS, TOKENS, device="cuda", dtype=torch.bool).tril(), query.float()
    cases: dict[str, tuple[tuple[torch.Tensor, ...], Answer]] = {
        CAUSAL: ((query, few, few), {"is_causal": True, "enable_gqa": True}),
        MASKED: ((query, few, few), {"attn_mask": mask, "enable_gqa": True}),
        "mask": ((query, query, query), {"attn_mask": mask}),
        "fp32": ((wide, wide, wide), {"is_causal": True}),
        "decode": ((query[:, :, :1], few, few), {"enable_gqa": True}),
        "dim 256": ((heads(8, TOKENS, 256),) * 3, {"is_causal": True}),
    }
    return {"attention": {name: BACKENDS.get(int(choose(*inputs, **how)), "another") for name, (inputs, how) in cases.items()}}


def first_call_of_each_length(_: Board | None) -> Answer:
    """Median seconds of decode attention at lengths that come for the first time, and at the same ones again."""
    query = heads(32, 1)
    caches = [(heads(8, n), heads(8, n)) for n in (77, *LENGTHS)]
    attend(query, *caches[0], enable_gqa=True)

    def once(keys: torch.Tensor, values: torch.Tensor) -> float:
        torch.cuda.synchronize()
        start = perf_counter()
        attend(query, keys, values, enable_gqa=True)
        torch.cuda.synchronize()
        return perf_counter() - start

    first, later = (median(once(*cache) for cache in caches[1:]) for _ in range(2))
    return {"first_length_s": first, "later_length_s": later}


def attention_backward(_: Board | None) -> Answer:
    """Buffers of the backward beyond its gradients, over what the dry run assumes for the kernel that runs."""
    query, keys, values = (heads(count, TOKENS, batch=2, gradient=True) for count in (32, 8, 8))
    inputs = (query, keys, values)
    out = attend(*inputs, is_causal=True, enable_gqa=True)
    given = torch.randn_like(out)
    torch.autograd.grad(out, inputs, given, retain_graph=True)
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    gradients = torch.autograd.grad(out, inputs, given, retain_graph=True)
    torch.cuda.synchronize()
    hidden = torch.cuda.max_memory_allocated() - before - sum(x.nbytes for x in gradients)
    backend = BACKENDS.get(int(choose(*inputs, is_causal=True, enable_gqa=True)))
    kernels = CardKernels("cudnn" if backend == "cudnn" else "flash")
    assumed = sum(hidden_bytes("roi.attention_backward.default", (given, *inputs, out, None, None), kernels))
    return {"hidden_ratio": max(hidden, 0) / assumed}


def short_kernels(_: Board | None) -> Answer:
    """A copy of 4 KiB as it is timed here, over the same in a chain between two events."""
    source = torch.randn(1024, device="cuda")
    target = torch.empty_like(source)
    alone = median(time_call(lambda: target.copy_(source), "cuda", 0.05, 1))
    chain = median(time_call(lambda: [target.copy_(source) for _ in range(CHAIN)], "cuda", 0.05, CHAIN)) / CHAIN
    return {"short_kernel_ratio": alone / chain}


def energy_counter(board: Board | None) -> Answer:
    """How often the counter moves under a steady product, and its power over the one that NVML reads."""
    if board is None or board.energy_j() is None:
        raise RuntimeError("the board has no energy counter")
    a = torch.randn(SIDE, SIDE, device="cuda", dtype=torch.bfloat16)
    start, seen, watts = perf_counter(), [(perf_counter(), board.energy_j() or 0.0)], []
    while perf_counter() - start < POWER_S:
        a @ a
        torch.cuda.synchronize()
        joules, power = board.energy_j() or 0.0, board.power_w()
        if joules != seen[-1][1]:
            seen.append((perf_counter(), joules))
        watts += [] if power is None else [power]
    (began_s, began_j), (ended_s, ended_j) = seen[0], seen[-1]
    period = median(later[0] - before[0] for before, later in pairwise(seen)) if len(seen) > 1 else POWER_S
    power = (ended_j - began_j) / (ended_s - began_s) if ended_s > began_s else 0.0
    return {"energy_period_s": period} | ({"energy_ratio": power / mean(watts)} if watts else {})


def running_out(_: Board | None) -> Answer:
    """What asking for more than the card has raises, and what it leaves."""
    before = torch.cuda.memory_allocated()
    total = torch.cuda.mem_get_info()[1]
    name = "nothing"
    try:
        torch.empty(2 * total, device="cuda", dtype=torch.uint8)
    except RuntimeError as error:
        if not ran_out(error):
            raise
        name = type(error).__name__
    release("cuda")
    return {"out_of_memory": name, "left_bytes": float(torch.cuda.memory_allocated() - before)}


QUESTIONS: Final[tuple[Callable[[Board | None], Answer], ...]] = (
    context_by_imports, memory_four_ways, cublas_workspace, attention_kernels, first_call_of_each_length, attention_backward,
    short_kernels, energy_counter, running_out,
)
