"""Fit the efficiencies of every engine on measured serving runs and write what the catalog holds.

    python lab/fit_serving_efficiencies.py lab/tables/serving-1.csv lab/tables/serving-2.csv [--write]

An engine is fitted on all its runs (lab/efficiency_fit.py), around what several engines have in common, and once more on those
of each card, around that. Set-ups, models, cards, engines and sources are left out in turn, of bases too; the catalog's
intervals follow from how far their runs are off (lab/serving_spreads.py), and their record from intervals that have not seen
them.
"""

import argparse
import csv
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from efficiency_fit import CARD_SPREAD, Work, fit_common, fit_efficiencies, fitted_times, replayed, same_shape, works_of
from numpy.typing import NDArray
from serving_spreads import (
    LEVELS,
    QUANTITIES,
    Key,
    Miss,
    Spreads,
    left_of_sources,
    median,
    publisher,
    record_lines,
    same_cell,
)

from roi.catalog.efficiencies import serving_efficiencies
from roi.estimate.accuracy.serving_run import ServingRun, is_offline
from roi.estimate.serving.efficiencies import Efficiencies
from roi.store.tables.csv_table import read_csv
from roi.store.tables.serving_table import serving_table

Array = NDArray[np.float64]
CATALOG = Path(serving_efficiencies.__file__).parent / "serving_efficiencies.json"
DATE = "2026-12-01"
ANL = "argonne-lcf/LLM-Inference-Bench Plots/All_results.csv@4211f5d"
SIL = "ai-dynamo/aiconfigurator@095f58a silicon_sample.csv (InferenceX and NVIDIA internal runs, 2025-26)"
DST = "dstackai/benchmarks (2024-11, 2025-09)"
TRT = "NVIDIA/TensorRT-LLM performance overview of v1.0 (00f3768)"
QWEN = "QwenLM/Qwen3 speed benchmark (c7f51a1)"
XJD = "XiongjieDai/GPU-Benchmarks-on-LLM-Inference README.md@aa72e0e"

PASSES = 2
"""Times that works are fitted and replayed: the second moves TTFT by a few percent."""
FOLDS = 4
"""Parts into which set-ups are divided."""
FEWEST = 8
"""Runs from which a card has coefficients of its own."""


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
    one_chip: bool = False
    """True where all runs are of one chip of a family whose others are of other generations: what is the chip's and what the
    engine's is not told apart, so that another chip is known no better than an engine that was not fitted, and its errors give
    nothing to what engines have in common (Cluster)."""


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
          " and Llama-3.1-405B in fp8 on MI300X."),
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
          " split over cards."),
    Group(serving_efficiencies.METAL, (), (serving_efficiencies.METAL,), None, XJD, "llama.cpp on an M2 Ultra with 76 cores,"
          " single streams.", one_chip=True),
    Group("transformers", ("transformers-2024",), ("transformers",), None, QWEN, "transformers 4.51, single streams on H20: the"
          " host starts every kernel."),
)  # fmt: skip


@dataclass
class Fits:
    """The fits of every group to some runs, each made when it is first asked for."""

    works: Sequence[Work]
    pooled_: dict[str, Efficiencies | None] = field(default_factory=dict)
    cards_: dict[tuple[str, str], Efficiencies] = field(default_factory=dict)

    def of(self, name: str) -> list[Work]:
        """The runs of a group."""
        return of(self.works, group_of(name))

    def pooled(self, name: str) -> Efficiencies | None:
        """An engine's coefficients on all its cards, around its base's; None where there is neither base nor FEWEST runs."""
        if name not in self.pooled_:
            group, mine = group_of(name), self.of(name)
            base = None if group.base is None else self.pooled(group.base)
            enough = len(mine) >= FEWEST or (mine and base)
            several = len(group.families) > 1
            self.pooled_[name] = (fit_common(mine) if several else fit_efficiencies(mine, base)) if enough else base
        return self.pooled_[name]

    def on(self, name: str, gpu: str) -> Efficiencies | None:
        """Those on a card, fitted around the engine's where its runs are enough."""
        pooled = self.pooled(name)
        if pooled is None or (name, gpu) in self.cards_:
            return self.cards_.get((name, gpu))
        mine = [work for work in self.of(name) if work.run.system.gpu.id == gpu]
        self.cards_[name, gpu] = fit_efficiencies(mine, pooled, card_width(mine)) if len(mine) >= FEWEST else pooled
        return self.cards_[name, gpu]

    def cards(self, name: str) -> dict[str, Efficiencies]:
        """Those on every card with runs enough."""
        counts = Counter(work.run.system.gpu.id for work in self.of(name))
        return {gpu: found for gpu in sorted(counts) if counts[gpu] >= FEWEST and (found := self.on(name, gpu)) is not None}

    def level(self, name: str, run: ServingRun) -> str:
        """What is new about a run: "other" where its engine has none here."""
        mine = self.of(name)
        here = [work for work in mine if work.run.system.gpu.id == run.system.gpu.id]
        if not mine:
            return "other"
        if len(here) < FEWEST:
            return "elsewhere"
        alike = sum(same_shape(work.run) == same_shape(run) for work in here)
        return "same" if alike >= serving_efficiencies.ENOUGH else "model"


def same_card(run: ServingRun) -> Hashable:
    """The card."""
    return run.system.gpu.id


def same_engine(run: ServingRun) -> Hashable:
    """The engine family."""
    return run.engine


def in_folds(works: Sequence[Work]) -> Callable[[ServingRun], Hashable]:
    """The part, of FOLDS, that a run's set-up is in."""
    cells: dict[Hashable, int] = {}
    for work in works:
        cells.setdefault(same_cell(work.run), len(cells) % FOLDS)
    return lambda run: cells[same_cell(run)]


def group_of(name: str) -> Group:
    """The row of this name."""
    return next(group for group in GROUPS if group.engine == name)


def engine_of(run: ServingRun) -> str:
    """The name of the row that a run is fitted in; that for other engines of its time where there is none."""
    for group in GROUPS:
        if not group.engine.startswith("other") and run.engine in group.families and group.offline in (
                None, is_offline(run.load)):
            return group.engine
    return "other" if run.recent else "other-2024"


def card_width(works: Sequence[Work]) -> float:
    """How far a card's coefficients may lie from the engine's: one model says less of a card than three do."""
    return CARD_SPREAD * min(len({same_shape(work.run) for work in works}), 3) / 3.0


def miss_of(work: Work, name: str, level: str, found: Efficiencies) -> Miss:
    """A run over its prediction."""
    seconds = work.predicted(found)
    speed = next((float(np.log(seconds[n] / work.seconds[n])) for n in ("tpot", "pace") if n in work.seconds), float("nan"))
    ttft = float(np.log(work.seconds["ttft"] / seconds["ttft"])) if "ttft" in work.seconds else float("nan")
    return Miss(work, name, level, speed, ttft, group_of(name).one_chip)


def left_out(works: Sequence[Work], key: Key) -> list[Miss]:
    """Every run by the fits of those with another `key`, bases included; by its base alone where its engine has no other."""
    found = []
    for value in dict.fromkeys(key(work.run) for work in works):
        fits = Fits([work for work in works if key(work.run) != value])
        for work in works:
            if key(work.run) == value:
                name = engine_of(work.run)
                known = fits.on(name, work.run.system.gpu.id)
                if known is not None:
                    found.append(miss_of(work, name, fits.level(name, work.run), known))
    return found


def misses_of(works: Sequence[Work]) -> dict[str, list[Miss]]:
    """What is left out -> every run without it; "nothing": as fitted."""
    keys = {"same": in_folds(works), "model": same_shape, "elsewhere": same_card, "other": same_engine, "source": publisher}
    fits = Fits(works)
    seen = [miss_of(work, name, "nothing", known) for work in works for name in [engine_of(work.run)]
            if (known := fits.on(name, work.run.system.gpu.id)) is not None]
    return {"nothing": seen, **{name: left_out(works, key) for name, key in keys.items()}}


def spreads_from(misses: dict[str, list[Miss]]) -> Spreads:
    """The half widths from the runs left out for each level."""
    # engines without a base are designs of their own, which no other's fit stands in for
    others = [miss for miss in misses["other"] if miss.level == "other" and group_of(miss.engine).base is not None]
    known = [miss for level in LEVELS for miss in misses[level] if miss.level == level]
    return Spreads(known, others, misses["source"], misses["nothing"])


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
        fits = Fits(found)
        known = [(work, engine_of(work.run)) for work in found]
        found = [work if name.startswith("other") or (on := fits.on(name, work.run.system.gpu.id)) is None
                 else replayed(work, on) for work, name in known]
    return found


def main() -> None:
    """Print every group's errors; with --write, the catalog's file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="+", type=Path)
    parser.add_argument("--write", action="store_true", help="write roi/catalog/efficiencies/serving_efficiencies.json")
    asked = parser.parse_args()
    spreads, catalog = catalog_of(read_works(asked.tables))
    for line in record_lines(spreads):
        print(line)
    if asked.write:
        CATALOG.write_text(json.dumps(catalog, indent=1) + "\n", encoding="utf-8")


def catalog_of(works: Sequence[Work]) -> tuple[Spreads, dict[str, Any]]:
    """The half widths that follow from all runs, and the catalog's file with them.

    Adapters are not fitted: theirs stay. A row that says what it said keeps its date.
    """
    fits, misses = Fits(works), misses_of(works)
    spreads = spreads_from(misses)
    kept = json.loads(CATALOG.read_text(encoding="utf-8"))
    dates = {row["engine"]: row["date"] for row in kept["engines"]}
    rows = json.loads(json.dumps([_row(group, fits, spreads, misses) for group in GROUPS],
                                 default=lambda spread: spread.model_dump()))
    same = [before if (before := {**row, "date": dates.get(row["engine"])}) in kept["engines"] else row for row in rows]
    return spreads, {"engines": same, "adapters": kept["adapters"], "new_source": _high(spreads.source)}


def _high(half: float) -> float:
    return float(f"{np.exp(half):.3g}")


def _row(group: Group, fits: Fits, spreads: Spreads, misses: dict[str, list[Miss]]) -> dict[str, Any]:
    """The catalog's row of a group."""
    def rounded(engine: Efficiencies) -> dict[str, float]:
        return {name: float(f"{value:.4g}") for name, value in asdict(engine).items() if np.isfinite(value)}

    fitted = fits.pooled(group.engine)
    assert fitted is not None
    works, pooled, cards = fits.of(group.engine), rounded(fitted), fits.cards(group.engine)
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for work in works:
        if fitted_times(work):
            counts[work.run.system.gpu.id][work.run.system.shape.id] += 1

    def errors(level: str) -> Array:
        mine = [] if group.engine.startswith("other") else misses[level]
        return np.array([miss.speed for miss in mine if miss.engine == group.engine and miss.level == level])

    return {
        "engine": group.engine, "aliases": list(group.aliases), **pooled,
        "cards": {gpu: {n: v for n, v in rounded(own).items() if v != pooled.get(n)} for gpu, own in cards.items()},
        "evidence": {gpu: dict(sorted(models.items())) for gpu, models in sorted(counts.items())}, "runs": len(works),
        **ends_of(group.engine, fits, spreads),
        "median_error_model_left_out": median(errors("model")), "median_error_gpu_left_out": median(errors("elsewhere")),
        "source": group.source, "date": DATE, "note": group.note,
    }


def ends_of(name: str, fits: Fits, spreads: Spreads) -> dict[str, Any]:
    """What the catalog's row says of its intervals."""
    def spread(half: Callable[[str, bool], float], *, mixture: bool) -> serving_efficiencies.Spread:
        return serving_efficiencies.Spread(**{quantity: _high(half(quantity, mixture)) for quantity in QUANTITIES})

    runs, kinds = [work.run for work in fits.of(name)], {"dense": False, "mixture": True}
    cards = {gpu: [run for run in runs if run.system.gpu.id == gpu] for gpu in fits.cards(name)}
    other = name.startswith("other")
    # an engine that was not fitted is known no better than those that were, on a card that they have not seen
    based = [group.engine for group in GROUPS if group.base == name] if other else [name]

    def unseen(quantity: str, mixture: bool) -> float:
        return max([*([spreads.other[quantity, mixture]] if other or group_of(name).one_chip else []),
                    *(spreads.unseen(quantity, each, fits.cards(each), mixture=mixture) for each in based)])

    def on_card(gpu: str, level: str) -> Callable[[str, bool], float]:
        return lambda quantity, mixture: spreads.half(level, quantity, name, gpu, mixture=mixture)

    inside = {"other": spreads.inside_other} if other else {level: spreads.inside(level, name) for level in LEVELS}
    tables = {run.source for run in runs}
    return {"sources": {where: left_of_sources(each, tables) for where, each in {**cards, "elsewhere": runs}.items()},
            "intervals": {kind: {gpu: {level: spread(on_card(gpu, level), mixture=mixture) for level in LEVELS[:2]}
                                 for gpu in ([] if other else cards)} for kind, mixture in kinds.items()},
            "elsewhere": {kind: spread(unseen, mixture=mixture) for kind, mixture in kinds.items()},
            "inside": {level: share for level, share in inside.items() if share is not None}}


if __name__ == "__main__":
    main()
