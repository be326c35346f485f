"""Fit the efficiencies of an engine step on measured serving runs and write what the catalog holds.

    python lab/fit_serving_efficiencies.py lab/tables/serving-1.csv [--write]

A step's time is linear in 1/efficiency and in the overheads, so each group of runs is one non-negative least-squares fit of
relative residuals, reweighted towards least absolute ones (some labels are wrong), with every efficiency held below what
hardware has been seen to reach (lab/efficiency_fit.py). Fitted: the two large sources, anl and sil, without
rows marked implausible, without batches that were inferred from several workers', and without static ones that ran in
waves. The other sources check the answer and were never fitted.
"""

import argparse
import csv
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from efficiency_fit import equations_of, fit_efficiencies, speeds
from left_out import (
    FULL_ROWS,
    Key,
    LeftOut,
    balanced_quantiles,
    leave_out,
    same_card,
    same_engine,
    same_model,
)

from roi.catalog.efficiencies import serving_efficiencies
from roi.estimate.accuracy.serving_run import ServingRun
from roi.store.tables.csv_table import read_csv
from roi.store.tables.serving_table import serving_table

FITTED = ("anl", "sil")
"""Sources of the fit."""

DATE = "2026-11-25"
ANL = "argonne-lcf/LLM-Inference-Bench Plots/All_results.csv@4211f5d, latency"
SIL = "ai-dynamo/aiconfigurator@095f58a silicon_sample.csv (InferenceX and NVIDIA internal runs, 2025-26), TPOT and TTFT"


class Group(NamedTuple):
    """One row of the catalog."""

    engine: str
    aliases: tuple[str, ...]
    families: tuple[str, ...]
    """Engine families whose runs are fitted together."""
    source: str
    note: str


RECENT, EARLY = ("vllm", "tensorrt-llm", "sglang"), ("vllm-2024", "tensorrt-llm-2024")

GROUPS = (
    Group("vllm", ("vllm-v1",), ("vllm",), SIL, "vLLM V1, closed loops of 4 to 512, input 1,000 to 8,192. Lengths and means"
          " or medians are not stated by the source."),
    Group("tensorrt-llm", ("trtllm", "trt-llm", "tensorrt_llm"), ("tensorrt-llm",), SIL, "Four efficiencies stand at the"
          " highest allowed: the overheads carry the rest. gpt-oss on Hopper runs at half the predicted speed and makes the low"
          " end."),
    Group("other", ("sglang", "tgi", "lmdeploy"), RECENT, SIL, "For engines that were not fitted alone (SGLang has two models):"
          " vLLM, TensorRT-LLM and SGLang of 2025-26 together. The ends are those with the engine left out."),
    Group("vllm-2024", ("vllm-v0",), ("vllm-2024",), ANL, "vLLM V0 (0.5.3 and unstated), fp16, static batches 1 to 64, input ="
          " output 128 to 2,048: 50 us of scheduler for each sequence, which V1 took out, and decode attention that reads part"
          " of the KV cache again for each query head of a group."),
    Group("tensorrt-llm-2024", (), ("tensorrt-llm-2024",), ANL, "TensorRT-LLM 0.11 and 0.12, fp16, static batches 1 to 64,"
          " input = output 128 to 2,048. Mixtral runs 1.3 to 1.7 times as fast as predicted in batches: prompts that are all"
          " alike pass through the same experts."),
    Group("other-2024", (), EARLY, ANL, "For engines of 2024 and before that were not fitted alone: vLLM V0 and TensorRT-LLM"
          " together. The ends are those with the engine left out, DeepSpeed-MII among them."),
    Group("vllm-rocm-2024", (), ("vllm-rocm-2024",), ANL, "vLLM 0.6.1 on MI300X, an early ROCm build: products of few rows at a"
          " twentieth of the matrix rate, and attention that reads keys and values again for each query head. Says nothing of"
          " releases after it."),
    Group("deepspeed-mii-2024", ("deepspeed-mii",), ("deepspeed-mii-2024",), ANL,
          "DeepSpeed-MII on A100, fp16, static batches."),
)  # fmt: skip


def inferred() -> frozenset[str]:
    """Ids of closed loops whose batch of one worker was inferred from the load on several, or whose whole load is not stated.

    A router spreads a load unevenly: the same worker's batch of 1 comes with a TPOT of 8 ms alone and of 42 ms as one of two.
    """
    with (Path(__file__).parent / "tables" / "inferred_batches.csv").open(encoding="utf-8", newline="") as file:
        return frozenset(row["id"] for row in csv.DictReader(file))


def told(name: str, found: LeftOut) -> float:
    """The median error of the speed, after saying it."""
    ratio = found.speed
    if not len(ratio):
        print(f"  {name:24} nothing to leave out")
        return float("nan")
    error = np.abs(1.0 / ratio - 1.0)
    low, middle, high = balanced_quantiles(ratio, found.runs, 0.05, 0.5, 0.95)
    print(f"  {name:24} n={len(ratio)}  speed median {np.median(error):.1%} mean {np.mean(error):.1%}"
          f"  measured/predicted speed, cards alike: P5 {low:.2f} P50 {middle:.2f} P95 {high:.2f}")
    return float(np.median(error))


def joined(parts: Sequence[LeftOut]) -> LeftOut:
    """Several answers as one."""
    return LeftOut(tuple(r for part in parts for r in part.runs), np.concatenate([part.speed for part in parts]),
                   np.concatenate([part.ttft for part in parts]))


def of(runs: Sequence[ServingRun], families: Sequence[str]) -> list[ServingRun]:
    """The runs of these engine families."""
    return [run for run in runs if run.engine in families]


def outward(low: float, high: float) -> tuple[float, float]:
    """The ends rounded away from 1, to a twentieth."""
    return float(np.floor(low * 20.0 + 1e-9) / 20.0), float(np.ceil(high * 20.0 - 1e-9) / 20.0)


def main() -> None:
    """Print every group's efficiencies and errors; with --write, the catalog's file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--write", action="store_true", help="write roi/catalog/efficiencies/serving_efficiencies.json")
    asked = parser.parse_args()
    runs = [run for run in serving_table(read_csv(asked.table)).runs
            if run.source in FITTED and not run.implausible and run.id not in inferred()]
    alone = (*RECENT[:2], *EARLY)
    cards = joined([leave_out(of(runs, (f,)), of(runs, (f,)), same_card) for f in alone])
    keys: dict[str, tuple[Key, ...]] = {"engine": (same_engine,), "engine and card": (same_engine, same_card)}
    without = {name: joined([leave_out(of(runs, (*family, "deepspeed-mii-2024")[:4]), of(runs, family), *key)
                             for family in (RECENT, EARLY)]) for name, key in keys.items()}
    print("all groups")
    told("card left out", cards)
    for name, found in without.items():
        told(f"{name} left out", found)
    ends = {name: outward(*balanced_quantiles(found.speed, found.runs, 0.05, 0.95))
            for name, found in (("card", cards), *without.items())}
    groups = [group_row(group, runs, ends) for group in GROUPS]
    latency = next(group["request_s"] for group in groups if group["engine"] == "other")
    for group in groups:
        if "ttft_low" not in group:
            group["request_s"] = latency  # HTTP and tokenizing do not depend on the engine's steps; no TTFT was measured
    if asked.write:
        path = Path(serving_efficiencies.__file__).parent / "serving_efficiencies.json"
        kept = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps({"engines": groups, "adapters": kept["adapters"]}, indent=1) + "\n", encoding="utf-8")


def group_row(group: Group, runs: Sequence[ServingRun], ends: dict[str, tuple[float, float]]) -> dict[str, Any]:
    """The catalog's row of a group."""
    mine = of(runs, group.families)
    equations = equations_of(mine)
    engine = fit_efficiencies(equations)
    print(f"\n{group.engine}: {len(equations)} runs")
    ratio = speeds(equations, engine)
    told("in sample", LeftOut(tuple(e.run for e in equations), ratio, np.full(len(ratio), np.nan)))
    models = leave_out(mine, mine, same_model)
    model_error, card_error = told("model left out", models), told("card left out", leave_out(mine, mine, same_card))
    pooled = len(group.families) > 1
    held = ends["engine"] if pooled else outward(*balanced_quantiles(models.speed, models.runs, 0.05, 0.95))
    single = len({same_card(e.run) for e in equations}) == 1
    elsewhere = ends["engine and card" if pooled or single else "card"]
    out: dict[str, Any] = {"engine": group.engine, "aliases": list(group.aliases)}
    out |= {name: float(f"{value:.3g}") for name, value in asdict(engine).items()}
    cards = Counter(e.run.system.gpu.id for e in equations)
    out |= {"gpus": sorted(card for card, count in cards.items() if count >= FULL_ROWS),
            "models": sorted({e.run.system.shape.id for e in equations}), "runs": len(equations),
            "median_error_model_left_out": float(f"{model_error:.3g}"),
            "median_error_gpu_left_out": float(f"{model_error if np.isnan(card_error) else card_error:.3g}"),
            "speed_low": held[0], "speed_high": held[1],
            "speed_low_elsewhere": min(elsewhere[0], held[0]), "speed_high_elsewhere": max(elsewhere[1], held[1])}
    if np.isfinite(models.ttft).any():
        low, high = balanced_quantiles(models.ttft, models.runs, 0.05, 0.95)
        out |= {"ttft_low": float(f"{low:.2g}"), "ttft_high": float(f"{high:.2g}")}
    return out | {"source": group.source, "date": DATE, "note": group.note}


if __name__ == "__main__":
    main()
