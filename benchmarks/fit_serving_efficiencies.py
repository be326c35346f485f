"""Fit the efficiencies of an engine step on measured serving runs and print what the catalog holds.

    python benchmarks/fit_serving_efficiencies.py /path/to/serving_runs.csv

A step's time is linear in 1/efficiency and in the overheads, so each group of runs is one non-negative least-squares fit of
relative residuals, reweighted towards least absolute ones (some labels are wrong), with every efficiency held below what
hardware has been seen to reach. Left out: rows marked IMPLAUSIBLE; AMD (the vLLM build of `anl` is an early ROCm one);
DeepSpeed-MII (no longer common); runs whose KV cache does not fit, which ran in waves; DeciLM, which has no catalog shape;
five gpt-oss rows on H100 with TensorRT-LLM at 4 to 5 times the step time of the same model on vLLM.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import nnls

from roi.catalog.gpus import find_gpu
from roi.catalog.models import find_model
from roi.catalog.serving_efficiencies import find_engine
from roi.estimate.iteration import PERFECT, kv_bytes_per_gpu, kv_element_bytes, roofline_iteration
from roi.estimate.request_shape import RequestShape
from roi.estimate.serving import serving_capacity
from roi.estimate.serving_memory import replica_memory
from roi.facts.gpu import Gpu
from roi.facts.model import ModelShape

Array = NDArray[np.float64]

SHAPES = {"Qwen/Qwen2-7B": "qwen2.5-7b", "Qwen/Qwen2-72B": "qwen2.5-72b"}
"""Models that the catalog holds under a later release of the same shape."""

CARDS = {
    "A100-SXM-40GB": "A100-40GB-SXM", "H100-SXM": "H100-80GB-SXM", "h100_sxm": "H100-80GB-SXM",
    "GH200-96GB": "GH200-96GB", "h200_sxm": "H200-141GB-SXM", "b200_sxm": "B200-192GB-SXM",
}
"""The CSV's cards under their catalog ids. The A100 of `anl` is taken as 40 GB (serving_runs.md)."""

ENGINES = {
    "vllm": ("vllm",), "tensorrt-llm": ("trtllm",), "other": ("vllm", "trtllm", "sglang"), "vllm-2024": ("vLLM",),
    "tensorrt-llm-2024": ("TensorRT-LLM",),
}
"""Groups of the catalog and the CSV's engines in each; `sil` (2025-26) spells them in lower case, `anl` (2024) does not."""

MOST = {
    "decode_mbu": 0.93,  # copy kernels reach 90 to 93% of the datasheet bandwidth on A100, H100 and B200
    "kv_mbu": 0.93,
    "decode_mfu": 0.80,  # large cuBLAS products reach 70 to 80% of the dense peak before power limits
    "prefill_mfu": 0.80,
    "step_overhead_s": np.inf, "layer_overhead_s": np.inf, "sequence_overhead_s": np.inf, "collective_latency_s": np.inf,
    "link_efficiency": 0.85,  # NCCL bus bandwidth over NVLink's one-direction rate
}
"""Columns of the fit with the highest efficiency allowed; overheads are seconds and only kept from below zero."""

LEAST = np.array([1.0 / most for most in MOST.values()])
RATIO = np.isfinite(np.array(list(MOST.values())))


CHECKS = (
    ("lpc-2", "llama-3.1-8b", "L4", 215.2, 197.7, 1.0, 2.595),
    ("vllm-pr11267-0", "llama-2-7b", "A100-80GB-SXM", 245.9, 235.2, 1.0, 11.45),
    ("slora 3730, merged", "llama-2-7b", "A10G", 260, 260, 0.56, 1.878),
    ("slora 3667, no adapter", "llama-2-13b", "A100-40GB-SXM", 260, 260, 0.56, 1.863),
    ("slora 3692, no adapter", "llama-2-13b", "A100-80GB-SXM", 260, 260, 0.56, 5.586),
)
"""Saturated servers on GPUs outside the fit: row, model, GPU, mean input, mean output, their CV, requests/s measured."""


@dataclass(frozen=True)
class Run:
    """One measured run as an equation: step seconds = parts . coefficients."""

    engine: str
    card: str
    model: str
    parts: Array
    seconds: float


def parts_of(
    shape: ModelShape, gpu: Gpu, tp: float, dtype: str, kv: str, batch: float, isl: float, osl: float, prefills: float,
) -> Array:
    """Seconds at the roofline of each part of one step, in the order of MOST; `prefills` is prompts per step."""
    def at(card: Gpu, **changes: float) -> Any:
        return roofline_iteration(shape, card, tp, dtype, isl / 2, replace(PERFECT, **changes))

    free = at(gpu.model_copy(update={"link_bytes_per_s": 1e30}))
    base, late = at(gpu), at(gpu, collective_latency_s=1.0)
    kv_read = kv_bytes_per_gpu(shape, isl + osl / 2, tp, kv_element_bytes(kv)) * batch
    link = (base.sequence_s - free.sequence_s) * batch + (base.prefill_token_s - free.prefill_token_s) * isl * prefills
    return np.array([
        base.step_s + base.experts_s * base.touched(batch), base.kv_byte_s * kv_read, free.sequence_s * batch,
        free.prefill_token_s * isl * prefills, 1.0, shape.layers, batch, late.step_s - base.step_s, link,
    ], dtype=float)


def static_run(row: Any) -> Run | None:
    """A static batch of `anl`: latency / output tokens = a step + the batch's prefill spread over the steps."""
    shape, gpu = find_model(SHAPES.get(row.model, row.model)), find_gpu(CARDS[row.gpu])
    lengths = RequestShape(row.isl, row.osl)
    if replica_memory(shape, gpu, row.tp, "bf16", "bf16", lengths, step_tokens=2048).long_sequences < row.concurrency:
        return None
    prefills = row.concurrency / row.osl
    parts = parts_of(shape, gpu, row.tp, "bf16", "bf16", row.concurrency, row.isl, row.osl, prefills)
    return Run(row.engine, gpu.id, row.model, parts, prefills / row.req_per_s)


def closed_run(row: Any) -> Run | None:
    """A closed loop of `sil`: TPOT = step(B) + prefills inside it, with B and their rate by Little's law on TTFT and TPOT.

    gpt-oss is published in MXFP4 whatever the label says. KV of fp8 and nvfp4 runs is taken as fp8 (not stated).
    """
    if not (row.tpot_ms > 0 and row.ttft_ms > 0):
        return None
    shape, gpu = find_model(row.model), find_gpu(CARDS[row.gpu])
    labels = {"oss": "mxfp4", "nvfp4": "nvfp4", "fp8": "fp8"}
    dtype = next((d for label, d in labels.items() if label in f"{row.model} {row.precision}"), "bf16")
    if dtype == "mxfp4" and (row.engine, row.gpu) == ("trtllm", "h100_sxm"):
        return None
    tpot, ttft = row.tpot_ms / 1e3, row.ttft_ms / 1e3
    rate = row.concurrency / (ttft + row.osl * tpot)
    kv = "fp8" if dtype in ("fp8", "nvfp4") else "bf16"
    batch = max(rate * row.osl * tpot, 1.0)
    parts = parts_of(shape, gpu, row.tp, dtype, kv, batch, row.isl, row.osl, rate * tpot)
    return Run(row.engine, gpu.id, shape.id, parts, tpot)


def read_runs(path: str) -> list[Run]:
    """The runs that can be used, as equations."""
    rows = pd.read_csv(path, low_memory=False)
    bad = rows.notes.fillna("").str.contains("IMPLAUSIBLE") | rows.model.str.contains("Deci", na=False)
    rows = rows[~bad & rows.gpu.isin(CARDS) & rows.engine.isin({e for group in ENGINES.values() for e in group})]
    static = [static_run(row) for row in rows[rows.id.str.startswith("anl")].itertuples()]
    closed = [closed_run(row) for row in rows[rows.id.str.startswith("sil")].itertuples()]
    return [run for run in static + closed if run]


def fit(runs: list[Run]) -> Array:
    """Coefficients that fit the runs' step times, relative, each at least LEAST."""
    parts = np.array([r.parts / r.seconds for r in runs])
    scale = np.maximum(np.linalg.norm(parts, axis=0), 1e-300)
    weight, coefficients = np.ones(len(runs)), LEAST
    for _ in range(20):
        extra, _ = nnls(parts / scale * weight[:, None], (1.0 - parts @ LEAST) * weight, maxiter=10_000)
        coefficients = LEAST + extra / scale
        weight = 1.0 / np.sqrt(np.maximum(np.abs(np.log(parts @ coefficients)), 0.05))
    return coefficients


def speeds(runs: list[Run], coefficients: Array) -> Array:
    """Measured over predicted speed of each run: predicted over measured seconds."""
    return np.array([r.parts @ coefficients / r.seconds for r in runs])


def left_out(runs: list[Run], key: Callable[[Run], object]) -> Array:
    """Measured over predicted speed of every run, predicted from the runs with another key."""
    answers = [np.array([])]
    for name in {key(r) for r in runs}:
        rest = [r for r in runs if key(r) != name]
        if rest:
            answers.append(speeds([r for r in runs if key(r) == name], fit(rest)))
    return np.concatenate(answers)


def described(ratio: Array) -> str:
    """n, errors of the predicted step time, and percentiles of measured over predicted speed."""
    if not len(ratio):
        return "nothing to leave out"
    error, (low, middle, high) = np.abs(ratio - 1.0), np.percentile(ratio, [5, 50, 95])
    return (f"n={len(ratio)}  step time median {np.median(error):.1%} mean {np.mean(error):.1%}"
            f"  measured/predicted speed P5 {low:.2f} P50 {middle:.2f} P95 {high:.2f}")


def check(row: str, model: str, gpu: str, isl: float, osl: float, cv: float, measured: float) -> str:
    """Measured against predicted saturation of one server that nothing was fitted on, with vLLM's efficiencies."""
    shape, card, lengths = find_model(model), find_gpu(gpu), RequestShape(isl, osl, 0.0, cv, cv)
    engine = roofline_iteration(shape, card, 1, "bf16", lengths.prefill_context, find_engine("vllm").efficiencies)
    memory = replica_memory(shape, card, 1, "bf16", "bf16", lengths, step_tokens=2048)
    full = float(serving_capacity(lengths, engine, memory, step_tokens=2048).saturated_requests_per_s)
    return f"  {row:24}{model:14}{gpu:16}measured {measured:6.2f}  predicted {full:6.2f}  ratio {measured / full:.2f}"


def main(path: str) -> None:
    """Print every group's efficiencies and errors."""
    runs = read_runs(path)
    for name, engines in ENGINES.items():
        mine = [r for r in runs if r.engine in engines]
        coefficients = fit(mine)
        values = np.where(RATIO, 1.0 / np.maximum(coefficients, 1e-300), coefficients)
        print(f"\n{name}: {len(mine)} runs, models {sorted({r.model for r in mine})}, cards {sorted({r.card for r in mine})}")
        print("  " + "  ".join(f"{part} {value:.3g}" for part, value in zip(MOST, values, strict=True)))
        print("  in sample             ", described(speeds(mine, coefficients)))
        print("  model left out        ", described(left_out(mine, lambda r: r.model)))
        print("  card left out         ", described(left_out(mine, lambda r: r.card)))
        if len(engines) > 1:
            print("  engine left out       ", described(left_out(mine, lambda r: r.engine)))
            print("  engine + card left out", described(left_out(mine, lambda r: (r.engine, r.card))))
    print("\nall, engine release + card left out", described(left_out(runs, lambda r: (r.engine, r.card))))
    print("\nsaturated servers outside the fit, requests/s")
    for row in CHECKS:
        print(check(*row))


if __name__ == "__main__":
    main(sys.argv[1])
