"""Efficiencies of an engine from measured runs: each run is one equation, linear in 1/efficiency and in the overheads."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from roi.estimate.accuracy.serving_loads import FIRST_WAVE_SHARE
from roi.estimate.accuracy.serving_run import ServingRun, replica_of
from roi.estimate.serving.iteration import (
    PERFECT,
    SIXTEEN_BIT,
    Efficiencies,
    Iteration,
    kv_bytes_per_gpu,
    query_group,
    roofline_iteration,
    weight_format,
)
from roi.numerics.least_squares import nnls

Array = NDArray[np.float64]

MOST: Final = {
    "decode_mbu": 0.93,  # copy kernels reach 90 to 93% of the datasheet bandwidth on A100, H100 and B200
    "kv_mbu": 0.93,
    "decode_mfu": 0.80,  # large cuBLAS products reach 70 to 80% of the dense peak before power limits
    "prefill_mfu": 0.80,
    "step_overhead_s": math.inf, "layer_overhead_s": math.inf, "sequence_overhead_s": math.inf,
    "collective_latency_s": math.inf,
    "link_efficiency": 0.85,  # NCCL bus bandwidth over NVLink's one-direction rate
    "kv_reread": math.inf,
}
"""Columns of the fit with the highest efficiency allowed; overheads are seconds and only kept from below zero."""

ROOM: Final = 1.1
"""Slots over concurrency from which no request of a closed loop waits for one: what waits says nothing of the server."""

ROUNDS: Final = 20
"""Rounds of reweighting from least squares towards least absolute relative residuals: some labels are wrong."""

FLOOR: Final = 0.05
"""Residuals below this count as squares: sources repeat themselves to about 5%."""


@dataclass(frozen=True)
class StepEquation:
    """seconds = parts . coefficients, with a coefficient an overhead or one over an efficiency, in the order of MOST."""

    run: ServingRun
    parts: Array
    seconds: float


def step_equation(run: ServingRun) -> StepEquation | None:
    """The run's equation; None where it states no step time, ran in waves, or has quantised weights on an engine of 2024.

    Quantised kernels of that time were young, on AMD above all, where vLLM ran one fp8 checkpoint at a quarter of another's
    speed: they say nothing of the 16-bit ones that nearly all runs of those engines use.

    static: latency / output tokens. closed: TPOT, with the rate and the sequences that follow from TTFT and TPOT (Little).
    """
    load, system = run.load, run.system
    batch = (load.concurrency or 0.0) / system.replicas
    if run.implausible or load.adapters or system.prefill_replicas or (quantised(run) and not run.recent):
        return None
    if load.kind == "static" and run.requests_per_s is not None:
        seconds = batch / (run.requests_per_s / system.replicas) / load.output_tokens
        return StepEquation(run, _parts(run, batch, batch / load.output_tokens), seconds) if _holds(run, batch) else None
    if load.kind != "closed" or run.tpot_s is None or run.ttft_s is None:
        return None
    rate = batch / (run.ttft_s + load.output_tokens * run.tpot_s)
    decoding = max(rate * load.output_tokens * run.tpot_s, 1.0)
    return StepEquation(run, _parts(run, decoding, rate * run.tpot_s), run.tpot_s)


def quantised(run: ServingRun) -> bool:
    """True where weights take fewer than 16 bits."""
    return weight_format(run.system.weight_dtype).bytes_per_parameter < SIXTEEN_BIT


def _holds(run: ServingRun, batch: float) -> bool:
    return replica_of(run, PERFECT).slots >= batch


def _parts(run: ServingRun, sequences: float, prefills: float) -> Array:
    """Seconds at the roofline of each part of one step with so many sequences and so many prompts computed in it."""
    system, isl = run.system, run.load.input_tokens

    def at(link: float | None = None, **changes: float) -> Iteration:
        gpu = system.gpu if link is None else system.gpu.model_copy(update={"link_bytes_per_s": link})
        return roofline_iteration(system.shape, gpu, system.tensor_parallel, system.weight_dtype, isl / 2.0,
                                  replace(PERFECT, **changes))

    free, base, late = at(1e30), at(), at(collective_latency_s=1.0)
    tokens = isl * prefills
    kv = kv_bytes_per_gpu(system.shape, isl + run.load.output_tokens / 2.0, system.tensor_parallel, system.kv_element_bytes)
    link = (base.sequence_s - free.sequence_s) * sequences + (base.prefill_token_s - free.prefill_token_s) * tokens
    return np.array([
        base.step_s + base.experts_s * base.touched(sequences), base.kv_byte_s * kv * sequences, free.sequence_s * sequences,
        free.prefill_token_s * tokens, 1.0, system.shape.layers, sequences, late.step_s - base.step_s, link,
        base.kv_byte_s * kv * sequences * (query_group(system.shape) - 1.0),
    ], dtype=np.float64)  # fmt: skip


def fit_coefficients(equations: Sequence[StepEquation]) -> Array:
    """Coefficients that fit the equations' seconds, relative, each at least what MOST allows.

    kv_reread is fitted for engines of 2024 alone. Those after it have decode kernels that read a KV head once; and the models
    that they were measured on have 8 query heads a KV head nearly all, so that the column could not be told from kv_mbu.
    """
    least = np.array([1.0 / most for most in MOST.values()])
    parts = np.array([e.parts / e.seconds for e in equations])
    if all(e.run.recent for e in equations):
        parts[:, -1] = 0.0
    pull, found = np.ones(len(equations)), least
    for _ in range(ROUNDS):
        found = least + nnls(parts * pull[:, None], (1.0 - parts @ least) * pull)
        pull = 1.0 / np.sqrt(np.maximum(np.abs(np.log(parts @ found)), FLOOR))
    return found


def as_efficiencies(coefficients: Array, request_s: float = 0.0, request_steps: float = 1.5) -> Efficiencies:
    """The coefficients under the names of the iteration model; the re-read coefficient is one over both its efficiencies."""
    values = {name: float(c if math.isinf(most) else 1.0 / c)
              for (name, most), c in zip(MOST.items(), coefficients, strict=True)}
    values["kv_reread"] *= values["kv_mbu"]
    return Efficiencies(**values, request_s=request_s, request_steps=request_steps)


def fit_efficiencies(equations: Sequence[StepEquation]) -> Efficiencies:
    """Efficiencies from step times, and the latency before the first token from TTFT where runs state it."""
    engine = as_efficiencies(fit_coefficients(equations))
    return replace(engine, **_first_token([e.run for e in equations], engine))


def _first_token(runs: Iterable[ServingRun], engine: Efficiencies) -> dict[str, float]:
    """request_s and request_steps: TTFT = request_s + request_steps x step + prefill x (1 + the first wave's share).

    Of closed loops in which no request waits for a slot. The step is the measured TPOT. Nothing where no run states TTFT.
    """
    rows = []
    for run in runs:
        if run.load.kind != "closed" or run.ttft_s is None or run.tpot_s is None:
            continue
        held = (run.load.concurrency or 1.0) / run.system.replicas
        replica = replica_of(run, engine)
        if replica.mean_slots >= ROOM * held:
            prompt = replica.prefill_s(run.load.input_tokens, held) * (1.0 + FIRST_WAVE_SHARE * (held - 1.0) / 2.0)
            rows.append((1.0 / run.ttft_s, run.tpot_s / run.ttft_s, prompt / run.ttft_s))
    if not rows:
        return {}
    parts, known = np.array(rows)[:, :2], np.array(rows)[:, 2]
    pull, found = np.ones(len(rows)), np.zeros(2)
    for _ in range(ROUNDS):
        found = nnls(parts * pull[:, None], (1.0 - known) * pull)
        pull = 1.0 / np.sqrt(np.maximum(np.abs(np.log(np.maximum(parts @ found + known, 1e-9))), FLOOR))
    return {"request_s": float(found[0]), "request_steps": float(found[1])}


def equations_of(runs: Iterable[ServingRun]) -> list[StepEquation]:
    """The equations of the runs that have one."""
    return [equation for run in runs if (equation := step_equation(run)) is not None]


def speeds(equations: Sequence[StepEquation], engine: Efficiencies) -> Array:
    """Measured over predicted speed of each equation's step: predicted over measured seconds."""
    values = vars(engine)
    coefficients = np.array([values[name] if math.isinf(most) else 1.0 / values[name] for name, most in MOST.items()])
    coefficients[-1] /= engine.kv_mbu
    return np.array([e.parts @ coefficients / e.seconds for e in equations])
