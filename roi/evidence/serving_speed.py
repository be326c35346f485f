"""What serving speed rests on: the engine's fit brought to the card, its spread, and what adapters at run time leave of it."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Final

import numpy as np

from roi.catalog.cards.gpus import AMD_READING, find_gpu, matrix_share
from roi.catalog.efficiencies.serving_efficiencies import (
    METAL,
    EngineEfficiencies,
    adapter_throughput,
    engine_habits,
    load_serving_efficiencies,
)
from roi.estimate.accuracy.serving_errors import ServingEvidence
from roi.estimate.accuracy.serving_run import ServingRun, is_offline
from roi.estimate.replay.held_out import AdapterSpeed
from roi.estimate.serving.efficiencies import Efficiencies
from roi.facts.fact import Basis, Fact
from roi.facts.gpu import AMD, Gpu
from roi.numerics.spreads import joint_high, joint_low

REFERENCE: Final = "H100-80GB-SXM"
"""The card that most fitted runs ran on; matrix efficiencies are shares of its datasheet rate."""
APPLE_REFERENCE: Final = "M2-Ultra-76-192GB"
"""The Mac that all of llama.cpp's fitted runs on Metal ran on."""
READ_LIMIT_REFERENCE: Final = "A100-80GB-SXM"
"""The one fitted card whose bandwidth the kernels of one sequence do not reach."""
OTHER_LATENCY: Final = 1.5
"""How far that limit may be off on other cards. Memory is some 400 cycles away on V100, A100 and H100 alike (PMC10448217, table
3), but not on all, and releases have kernels that keep more bytes in flight: half as many again is a load more for two."""
AMD_2024: Final = 0.2
"""Speed of the build of 2024 on AMD cards over NVIDIA's share of the roofline (LLM-Inference-Bench)."""
AMD_SOURCE: Final = (
    "no fitted run of a recent engine on AMD: half way from the early ROCm build of 2024-10 (LLM-Inference-Bench, MI300X,"
    " 0.2 of NVIDIA's share of the roofline) to other unseen cards"
)
"""What the P5 of the engine's speed on AMD cards rests on."""
OTHER_HOSTS: Final = 1.5
"""Pace of a step whose kernels a host starts one by one, on hosts of which no fit has a run. Their single threads differ by 2.2
from an EPYC 7742 (3.4 GHz, Zen 2) to a Ryzen 7950X (5.7 GHz, Zen 4: a third more instructions a cycle, by AMD's figures)."""


def engine_row(family: str, *, recent: bool, offline: bool = False) -> tuple[EngineEfficiencies, bool]:
    """The fit that speaks for an engine family, and False where it is the one for engines that were not fitted alone.

    `offline`: requests are handed over inside the engine's process, which some engines were fitted on by itself.
    """
    rows = load_serving_efficiencies().engines
    bursts = (f"{family.removesuffix('-2024')}-offline",) if offline else ()  # large batches, as none of 2024 were
    for name in (*bursts, family):
        for row in rows:
            if name == row.engine or name in row.aliases:
                return row, not row.engine.startswith("other")
    name = "other" if recent else "other-2024"
    return next(row for row in rows if row.engine == name), False


def reached(efficiencies: Efficiencies, gpu: Gpu) -> Efficiencies:
    """The efficiencies on this card: matrix products by the best that people measured on it, relative to the H100's.

    Cards reach 0.5 (MI300X) to 1.1 (RTX 4090) of their datasheet rate, by power and software; AMD's read less of their
    bandwidth than NVIDIA's. Products of prompts do not pass the datasheet's rate, but by what was measured on the card. Fits
    are made with this too. Of Apple's the shares are those of one chip, taken for all. What unpacking adds to reading is
    instructions there: it grows as a chip has fewer FLOPs for a byte than the fitted one. What kernels of one sequence read at
    most goes with a card's multiprocessors and their clock, as an A100 shows it.
    """
    if gpu.apple:
        fewer = _flops_a_byte(find_gpu(APPLE_REFERENCE)) / _flops_a_byte(gpu)
        return replace(efficiencies, unpacking=efficiencies.unpacking * fewer,
                       expert_unpacking=efficiencies.expert_unpacking * fewer)
    ratio, read = matrix_share(gpu) / matrix_share(find_gpu(REFERENCE)), AMD_READING if gpu.amd else 1.0
    most = max(matrix_share(gpu), 1.0)
    return replace(efficiencies, decode_mfu=efficiencies.decode_mfu * ratio,
                   prefill_mfu=np.minimum(efficiencies.prefill_mfu * ratio, most),
                   decode_mbu=efficiencies.decode_mbu * read, kv_mbu=efficiencies.kv_mbu * read,
                   read_limit_bytes_per_s=efficiencies.read_limit_bytes_per_s * _cycles_over_known(gpu))


def _cycles_over_known(gpu: Gpu) -> float:
    return gpu.multiprocessor_cycles_per_s / find_gpu(READ_LIMIT_REFERENCE).multiprocessor_cycles_per_s


def reading_spread(row: EngineEfficiencies, gpu: Gpu) -> float:
    """log of how far the speed may be off since a limit of reading binds that was fitted on other cards; 0 where none does."""
    over = _cycles_over_known(gpu)
    limit = float(row.efficiencies.read_limit_bytes_per_s) * over
    seen = gpu.apple or gpu.id in row.cards or over == 1.0  # the same chip
    return 0.0 if seen else math.log(min(max(gpu.bandwidth_bytes_per_s / limit, 1.0), OTHER_LATENCY))


def _host_spread(row: EngineEfficiencies, source: str) -> float:
    """log of how far the speed may be off on another host than the fit's, where a host starts every kernel; else 0."""
    known = any(source in each for each in row.sources.values())
    return 0.0 if known or not float(row.efficiencies.host_layer_s) else math.log(OTHER_HOSTS)


def _flops_a_byte(gpu: Gpu) -> float:
    return gpu.fp16_flops / gpu.bandwidth_bytes_per_s


def on_card(row: EngineEfficiencies, gpu: Gpu | Sequence[Gpu]) -> Efficiencies:
    """The engine's efficiencies on a card, or on one card a plan (arrays)."""
    if isinstance(gpu, Gpu):
        return reached(_known_on(row, gpu), gpu)
    each = {card.id: on_card(row, card) for card in gpu}
    return Efficiencies(**{f.name: np.array([getattr(each[g.id], f.name) for g in gpu]) for f in fields(Efficiencies)})


def _known_on(row: EngineEfficiencies, gpu: Gpu) -> Efficiencies:
    """The efficiencies fitted on the card; else the engine's times what its design of 2024 reached there over what on all."""
    elder = next((each for each in load_serving_efficiencies().engines if each.engine == f"{row.engine}-2024"), None)
    if row.known(gpu.id) in row.cards or elder is None or gpu.id not in elder.cards:
        return row.on(gpu.id)
    there, pooled, own = elder.on(gpu.id), elder.efficiencies, row.efficiencies
    shared = [f.name for f in fields(Efficiencies) if 0.0 < float(getattr(pooled, f.name)) < np.inf]
    return replace(own, **{name: getattr(own, name) * getattr(there, name) / getattr(pooled, name) for name in shared})


def serving_evidence(run: ServingRun) -> ServingEvidence:
    """The published evidence for a run, its efficiencies and the spread of what is new about it."""
    row, own = engine_row(run.engine, recent=run.recent, offline=is_offline(run.load))
    return evidence_from(run, row, on_card(row, run.system.gpu), own=own)


def known_ends(
    row: EngineEfficiencies, gpu_id: str, model_id: str = "", source: str | None = None, *, mixture: bool,
) -> tuple[float, float]:
    """P5 and P95 of measured over predicted speed of a model on this card.

    On AMD's cards, where the engine was fitted on none of theirs, P5 is half way, in logarithms, from AMD_2024 to that of other
    unseen cards: no recent run on AMD was fitted.
    """
    low, high = row.ends("speed", gpu_id, model_id, source, mixture=mixture)
    unseen = gpu_id.startswith(AMD) and not any(known.startswith(AMD) for known in row.cards)
    return (min(low, (AMD_2024 * low) ** 0.5) if unseen else low), high


def evidence_from(
    run: ServingRun, row: EngineEfficiencies, efficiencies: Efficiencies, *, own: bool, model: str | None = None,
) -> ServingEvidence:
    """The evidence with these efficiencies of the run's card and the row's spreads; `model`: "" where its own was left out."""
    gpu, name = run.system.gpu.id, run.system.shape.id if model is None else model
    mixture = run.system.shape.mixture
    name = name if own else ""
    shared = adapter_throughput(run.load.adapters)
    basis = f"{row.nearest(gpu, name)}; {row.record(gpu, name)}"
    low, high = known_ends(row, gpu, name, run.source, mixture=mixture)
    further = [math.exp(each) for each in (reading_spread(row, run.system.gpu), _host_spread(row, run.source))]
    ttft_low, ttft_high = row.ends("ttft", gpu, name, run.source, mixture=mixture)
    return ServingEvidence(efficiencies=efficiencies, habits=engine_habits(run.engine),
                           speed_low=float(joint_low((low, *(1.0 / each for each in further)))),
                           speed_high=float(joint_high((high, *further))), ttft_low=ttft_low, ttft_high=ttft_high,
                           adapters=(shared.number(), *shared.spread()), basis=basis)


@dataclass(frozen=True)
class AdapterEffect:
    """The speed with so many adapters over that without."""

    path: str
    """Path of the Case's fact that has the spread."""
    speed: float
    spread: Fact
    """1 with the ends over `speed`."""
    known: int = 0
    """Adapters whose reading `speed` has in it: as many as were measured; 0 where it is published, of whatever ranks."""


def published_speed(adapters: int) -> float:
    """The published speed with `adapters` of them over that without; 1 where none is applied."""
    return adapter_throughput(adapters).number()


def adapter_effect(adapters: int, measured: Sequence[AdapterSpeed], profile: str) -> AdapterEffect:
    """The effect of `adapters` of them (at least 1) applied at run time.

    `measured` are speeds that `profile` shows, of the same card and engine. The number nearest in ratio is taken, times what
    published runs say of going from that number to this one; its spread then has theirs on top.
    """
    published = adapter_throughput(adapters)
    if not measured:
        return AdapterEffect(f"serving.adapter_speed.published-{adapters}", published.number(), _relative(published))
    near = min(measured, key=lambda m: (abs(np.log(m.adapters / adapters)), m.adapters))
    lows, highs = [near.low / near.speed], [near.high / near.speed]
    source, speed = f"profile {profile}: {near.adapters} unmerged against the base", near.speed
    if near.adapters != adapters:
        other = adapter_throughput(near.adapters)
        speed *= published.number() / other.number()
        low, high = _relative(published).spread()
        lows, highs = [*lows, low], [*highs, high]
        source += f", brought to {adapters} by published runs"
    fact = Fact(value=1.0, low=float(joint_low(lows)), high=float(joint_high(highs)), unit="ratio",
                basis=Basis.MEASURED if near.adapters == adapters else Basis.CALIBRATED, source=source)
    return AdapterEffect(f"serving.adapter_speed.measured-{adapters}", speed, fact, near.adapters)


def _relative(fact: Fact) -> Fact:
    """The fact as a ratio to its own value: 1, with the ends divided by it."""
    low, high = fact.spread()
    return fact.model_copy(update={"value": 1.0, "low": low / fact.number(), "high": high / fact.number()})


def slug(name: str) -> str:
    """The name as a path of the Case takes it."""
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")


def published_engine_speed(engine: EngineEfficiencies, gpu_id: str, model_id: str = "", *, mixture: bool) -> tuple[str, Fact]:
    """The engine's published speed of a model on this card: its path in the Case, and 1 with its spread.

    Cards with rows enough have a spread, and so a path, of their own, and so have mixtures.
    """
    level, kind = engine.level(gpu_id, model_id), "mixture-" if mixture else ""
    if level in ("same", "model"):
        path = f"serving.speed.{'same' if level == 'same' else 'fitted'}-{kind}{slug(gpu_id)}"
        return path, engine.speed(gpu_id, model_id, mixture=mixture)
    if engine.engine == METAL:
        return f"serving.speed.{kind}metal-elsewhere", engine.speed("other GPUs", mixture=mixture)
    elsewhere, (low, _) = engine.speed("other GPUs", mixture=mixture), known_ends(engine, gpu_id, mixture=mixture)
    if elsewhere.low != low:
        return f"serving.speed.{kind}amd", elsewhere.model_copy(update={"low": low, "source": AMD_SOURCE})
    return f"serving.speed.{kind}elsewhere", elsewhere
