"""Fit the efficiencies of every engine on measured serving runs and write what the catalog holds.

    python lab/fit_serving_efficiencies.py lab/tables/serving-1.csv lab/tables/serving-2.csv [--write]

An engine is fitted on all its runs (lab/efficiency_fit.py), around a base of several engines, and once more on those of each
card, around that. Errors are of runs whose model, or card, was left out of the engine's fit (the base keeps them), or whose
engine was; the catalog's intervals are their quantiles, one model on a card weighing as much as another, a little wider where
they are few.
"""

import argparse
import csv
import json
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from efficiency_fit import CARD_SPREAD, Work, fit_efficiencies, fitted_times, replayed, same_shape, works_of
from left_out_errors import (
    FEWEST,
    LEAST_SPEED,
    LEAST_TTFT,
    MOST_TTFT,
    Errors,
    Key,
    card_ends,
    ends,
    inner,
    joined,
    median,
    share_inside,
    without_wider,
)

from roi.catalog.efficiencies import serving_efficiencies
from roi.estimate.accuracy.serving_run import ServingRun, is_offline
from roi.estimate.serving.iteration import Efficiencies
from roi.store.tables.csv_table import read_csv
from roi.store.tables.serving_table import serving_table

DATE = "2026-11-26"
ANL = "argonne-lcf/LLM-Inference-Bench Plots/All_results.csv@4211f5d"
SIL = "ai-dynamo/aiconfigurator@095f58a silicon_sample.csv (InferenceX and NVIDIA internal runs, 2025-26)"
DST = "dstackai/benchmarks (2024-11, 2025-09)"
TRT = "NVIDIA/TensorRT-LLM performance overview of v1.0 (00f3768)"
QWEN = "QwenLM/Qwen3 speed benchmark (c7f51a1)"
XJD = "XiongjieDai/GPU-Benchmarks-on-LLM-Inference README.md@aa72e0e"

PASSES = 2
"""Times that works are fitted and replayed: the second moves TTFT by a few percent."""
FOLDS = 4
"""Parts into which the cells of an engine are divided."""


class Group(NamedTuple):
    """One row of the catalog."""

    engine: str
    aliases: tuple[str, ...]
    families: tuple[str, ...]
    """Engine families whose runs are fitted together."""
    base: str | None
    """The row around which a fit of few runs is made."""
    source: str
    note: str
    offline: bool | None = None
    """Runs inside the engine's own process alone, or on a server alone; None: both."""


RECENT, EARLY = ("vllm", "tensorrt-llm", "sglang"), ("vllm-2024", "tensorrt-llm-2024")

GROUPS = (
    Group("other", ("tgi", "lmdeploy"), RECENT, None, SIL, "For engines that were not fitted alone: vLLM, TensorRT-LLM and"
          " SGLang of 2025-26 together.", offline=False),
    Group("other-2024", (), EARLY, None, ANL, "For engines of 2024 and before that were not fitted alone."),
    Group("vllm", ("vllm-v1",), ("vllm",), "other", SIL, "vLLM V1, closed loops of 4 to 512. Lengths and means or medians"
          " are not stated by the source."),
    Group("tensorrt-llm", ("trtllm", "trt-llm", "tensorrt_llm"), ("tensorrt-llm",), "other", SIL, "Servers under closed loops.",
          offline=False),
    Group("tensorrt-llm-offline", (), ("tensorrt-llm",), "tensorrt-llm", TRT, "Bursts in the engine's own process"
          " (trtllm-bench): no HTTP, no streams.", offline=True),
    Group("sglang", (), ("sglang",), "other", f"{SIL}; {QWEN}", "H20 rows are single streams."),
    Group("vllm-2024", ("vllm-v0",), ("vllm-2024",), "other-2024", f"{ANL}; {DST}", "vLLM V0, static batches 1 to 64 in fp16,"
          " and Llama-3.1-405B in fp8 on MI300X and H100."),
    Group("tensorrt-llm-2024", (), ("tensorrt-llm-2024",), "other-2024", ANL, "TensorRT-LLM 0.11 and 0.12, fp16, static batches"
          " 1 to 64. Mixtral runs faster than predicted in batches: prompts that are all alike pass through the same experts."),
    Group("vllm-rocm-2024", (), ("vllm-rocm-2024",), None, ANL, "vLLM 0.6.1 on MI300X, an early ROCm build. Says nothing of"
          " releases after it."),
    Group("deepspeed-mii-2024", ("deepspeed-mii",), ("deepspeed-mii-2024",), "other-2024", ANL, "DeepSpeed-MII on A100."),
    Group("lmdeploy-2024", (), ("lmdeploy-2024",), "other-2024", "InternLM/lmdeploy A100 fp16 benchmark (f148d47)",
          "LMDeploy 0.2.0, Llama-2-7B on one A100."),
    Group("gpt-fast", ("gpt-fast-2024",), ("gpt-fast-2024",), "other-2024", "pytorch-labs/gpt-fast README.md@c9f683e",
          "Single streams of a compiled model."),
    Group("llama.cpp", ("llama.cpp-2024", "ollama", "ollama-2024"), ("llama.cpp-2024",), None, XJD, "Single streams, layers"
          " split over cards; the A100 of the source computes fp16 prompts at a tenth of what others do."),
    Group("transformers", ("transformers-2024",), ("transformers",), None, QWEN, "transformers 4.51, single streams on H20: the"
          " host starts every kernel."),
)  # fmt: skip

def same_card(run: ServingRun) -> Hashable:
    """The card."""
    return run.system.gpu.id


def same_cell(run: ServingRun) -> Hashable:
    """Model, card, formats and numbers of GPUs: what runs of one set-up share, whose lengths and loads differ."""
    s = run.system
    return same_shape(run), s.gpu.id, s.weight_dtype, s.kv_dtype, s.tensor_parallel, s.stages, s.replicas


def same_engine(run: ServingRun) -> Hashable:
    """The engine family."""
    return run.engine


@dataclass(frozen=True)
class Fit:
    """An engine's coefficients, and those on cards with runs enough."""

    pooled: Efficiencies
    cards: dict[str, Efficiencies]

    def on(self, gpu: str) -> Efficiencies:
        """Those for a card."""
        return self.cards.get(gpu, self.pooled)


def fit_group(works: Sequence[Work], base: Efficiencies | None) -> Fit:
    """The fit of some runs: all together, then each card's around that."""
    pooled = fit_efficiencies(works, base)
    cards: dict[str, list[Work]] = defaultdict(list)
    for work in works:
        cards[work.run.system.gpu.id].append(work)
    return Fit(pooled, {gpu: fit_efficiencies(mine, pooled, card_width(mine))
                        for gpu, mine in cards.items() if len(mine) >= FEWEST})


def card_width(works: Sequence[Work]) -> float:
    """How far a card's coefficients may lie from the engine's: one model says less of a card than three do."""
    return CARD_SPREAD * min(len({same_shape(work.run) for work in works}), 3) / 3.0


def errors_of(works: Sequence[Work], fit: Fit) -> Errors:
    """The errors of these runs by this fit."""
    kept, speed, ttft = [], [], []
    for work in works:
        found = work.predicted(fit.on(work.run.system.gpu.id))
        name = next((n for n in ("tpot", "pace") if n in work.seconds), None)
        if name is None and "ttft" not in work.seconds:
            continue
        kept.append(work)
        speed.append(float("nan") if name is None else float(np.log(found[name] / work.seconds[name])))
        ttft.append(float(np.log(work.seconds["ttft"] / found["ttft"])) if "ttft" in work.seconds else float("nan"))
    return Errors(tuple(kept), np.array(speed), np.array(ttft))


def left_out(
    works: Sequence[Work], pool: Sequence[Work], base: Efficiencies | None, key: Key, *, pooled: bool = False,
) -> Errors:
    """Errors of `works`, each group of one key predicted by a fit of those of `pool` that have another."""
    found = []
    for value in {key(work.run) for work in works}:
        rest = [work for work in pool if key(work.run) != value]
        if len(rest) >= FEWEST or base is not None:
            fit = Fit(fit_efficiencies(rest, base), {}) if pooled else fit_group(rest, base)
            found.append(errors_of([work for work in works if key(work.run) == value], fit))
    return joined(found)


def folds_left_out(works: Sequence[Work], base: Efficiencies | None) -> Errors:
    """Errors of `works` in FOLDS parts, each predicted by a fit of the others; runs of one cell are in one part.

    Those of a model on a card that is in one part alone are left out of the answer: with it they lose their model.
    """
    cells: dict[Hashable, int] = {}
    for work in works:
        cells.setdefault(same_cell(work.run), len(cells) % FOLDS)
    found = []
    for part in range(FOLDS):
        rest = [w for w in works if cells[same_cell(w.run)] != part]
        known = Counter((same_shape(w.run), w.run.system.gpu.id) for w in rest)
        held = [w for w in works if cells[same_cell(w.run)] == part
                and known[same_shape(w.run), w.run.system.gpu.id] >= serving_efficiencies.ENOUGH]
        if held and len(rest) >= FEWEST:
            found.append(errors_of(held, fit_group(rest, base)))
    return joined(found)


def engines_left_out(works: Sequence[Work], families: Sequence[str], pool: Sequence[str]) -> Errors:
    """Errors of each family's runs by a fit of the pool's other engines, on servers and in static batches."""
    served = [work for work in works if not is_offline(work.run.load)]
    rest = [work for work in served if work.run.engine in pool]
    return joined([left_out([work for work in served if work.run.engine == family], rest, None, same_engine, pooled=True)
                   for family in families])


def inferred() -> frozenset[str]:
    """Ids of closed loops whose batch of one worker was inferred from the load on several, or whose whole load is not stated.

    A router spreads a load unevenly: the same worker's batch of 1 comes with a TPOT of 8 ms alone and of 42 ms as one of two.
    """
    with (Path(__file__).parent / "tables" / "inferred_batches.csv").open(encoding="utf-8", newline="") as file:
        return frozenset(row["id"] for row in csv.DictReader(file))


def of(works: Iterable[Work], group: Group) -> list[Work]:
    """The runs of a group."""
    return [w for w in works if w.run.engine in group.families and group.offline in (None, is_offline(w.run.load))]


def read_works(tables: Iterable[Path]) -> list[Work]:
    """The work of every run of the tables that a fit may see."""
    skipped = inferred()
    return settled(works_of(run for table in tables for run in serving_table(read_csv(table)).runs if run.id not in skipped))


def settled(works: Sequence[Work]) -> list[Work]:
    """The works as they are replayed with the fits of them all: fitted, replayed, and once more."""
    found = list(works)
    for _ in range(PASSES):
        fits = fitted(found)
        names = {family: {group.offline: group.engine for group in GROUPS
                          if family in group.families and not group.engine.startswith("other")}
                 for family in {w.run.engine for w in found}}
        found = [work if not (known := names[work.run.engine]) else replayed(
            work, fits[known.get(is_offline(work.run.load), next(iter(known.values())))].on(work.run.system.gpu.id))
            for work in found]
    return found


def fitted(works: Sequence[Work]) -> dict[str, Fit]:
    """Every group's fit."""
    found: dict[str, Fit] = {}
    for group in GROUPS:
        found[group.engine] = fit_group(of(works, group), None if group.base is None else found[group.base].pooled)
    return found


def main() -> None:
    """Print every group's errors; with --write, the catalog's file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="+", type=Path)
    parser.add_argument("--write", action="store_true", help="write roi/catalog/efficiencies/serving_efficiencies.json")
    asked = parser.parse_args()
    works = read_works(asked.tables)
    write_catalog(works, write=asked.write)


def write_catalog(works: Sequence[Work], *, write: bool) -> None:
    """Print every group's errors; with `write`, write the catalog's file."""
    fits = fitted(works)
    by_card, by_model, by_cell = {}, {}, {}
    for group in GROUPS:
        base, mine = None if group.base is None else fits[group.base].pooled, of(works, group)
        if group.engine.startswith("other"):
            continue
        by_model[group.engine] = left_out(mine, mine, base, same_shape)
        by_card[group.engine] = left_out(mine, mine, base, same_card, pooled=True)
        by_cell[group.engine] = folds_left_out(mine, base)
    others = {"recent": engines_left_out(works, RECENT, RECENT),
              "2024": engines_left_out(works, (*EARLY, "deepspeed-mii-2024", "lmdeploy-2024", "gpt-fast-2024"), EARLY)}
    cards = joined([by_card[g.engine] for g in GROUPS if not g.engine.startswith("other")])
    rows = []
    for group in GROUPS:
        mine, fit = of(works, group), fits[group.engine]
        new_engine = group.engine.startswith("other")
        held = others["2024" if "2024" in group.engine else "recent"] if new_engine else by_model[group.engine]
        card = cards if new_engine else by_card[group.engine]
        few = len({same_shape(w.run) for w in mine}) < 3
        known = joined([held, card]) if few and not new_engine else held
        away = card if len({same_card(w.run) for w in mine}) > 2 else cards
        away = joined([held, cards]) if new_engine else away
        cell = known if new_engine or len(by_cell[group.engine].works) < FEWEST else by_cell[group.engine]
        rows.append(_row(group, mine, fit, held, card, cell, known, away))
        e = rows[-1]
        print(f"{group.engine:22} n={len(mine):4} model left out: speed {e['median_error_model_left_out']}"
              f" ttft {median(held.ttft)}  card left out: {e['median_error_gpu_left_out']}"
              f"  same {e['speed_low_same']}-{e['speed_high_same']} {median(cell.speed)} ({len(cell.works)})"
              f"  interval {e['speed_low']}-{e['speed_high']}"
              f"  elsewhere {e['speed_low_elsewhere']}-{e['speed_high_elsewhere']}  ttft {e['ttft_low']}-{e['ttft_high']}")
    if write:
        path = Path(serving_efficiencies.__file__).parent / "serving_efficiencies.json"
        kept = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps({"engines": rows, "adapters": kept["adapters"]}, indent=1) + "\n", encoding="utf-8")


def _row(
    group: Group, works: Sequence[Work], fit: Fit, held: Errors, card: Errors, cell: Errors, known: Errors, away: Errors,
) -> dict[str, Any]:
    """The catalog's row of a group."""
    def rounded(engine: Efficiencies) -> dict[str, float]:
        return {name: float(f"{value:.4g}") for name, value in asdict(engine).items() if np.isfinite(value)}

    held, card, cell, known, away = (without_wider(found) for found in (held, card, cell, known, away))
    pooled = rounded(fit.pooled)
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for work in works:
        if fitted_times(work):
            counts[work.run.system.gpu.id][work.run.system.shape.id] += 1
    same, other, elsewhere = (ends(found.speed, found.works, LEAST_SPEED) for found in (cell, known, away))
    same = inner(same, other)
    elsewhere = min(elsewhere[0], other[0]), max(elsewhere[1], other[1])
    ttft = ends(known.ttft, known.works, LEAST_TTFT, MOST_TTFT)
    ttft_same = inner(ends(cell.ttft, cell.works, LEAST_TTFT, MOST_TTFT), ttft)
    own = {} if group.engine.startswith("other") else {
        "speed_same": card_ends(cell, cell.speed, same_cell, same, LEAST_SPEED),
        "speed": card_ends(known, known.speed, same_shape, other, LEAST_SPEED),
        "ttft_same": card_ends(cell, cell.ttft, same_cell, ttft_same, LEAST_TTFT, MOST_TTFT),
        "ttft": card_ends(known, known.ttft, same_shape, ttft, LEAST_TTFT, MOST_TTFT)}
    intervals = {gpu: {name: found[gpu] for name, found in own.items() if gpu in found}
                 for gpu in sorted({gpu for found in own.values() for gpu in found})}

    return {
        "engine": group.engine, "aliases": list(group.aliases), **pooled,
        "cards": {gpu: {n: v for n, v in rounded(own).items() if v != pooled.get(n)} for gpu, own in sorted(fit.cards.items())},
        "evidence": {gpu: dict(sorted(models.items())) for gpu, models in sorted(counts.items())}, "runs": len(works),
        "median_error_model_left_out": median(held.speed) or 0.2, "median_error_gpu_left_out": median(card.speed) or 0.2,
        "speed_low_same": same[0], "speed_high_same": same[1], "coverage_same": share_inside(cell, same, own.get("speed_same")),
        "speed_low": other[0], "speed_high": other[1], "coverage": share_inside(held, other, own.get("speed")),
        "speed_low_elsewhere": elsewhere[0], "speed_high_elsewhere": elsewhere[1],
        "coverage_elsewhere": share_inside(card, elsewhere) if card.works else None, "ttft_low_same": ttft_same[0],
        "ttft_high_same": ttft_same[1], "ttft_low": ttft[0], "ttft_high": ttft[1], "intervals": intervals,
        "source": group.source, "date": DATE, "note": group.note,
    }


if __name__ == "__main__":
    main()
