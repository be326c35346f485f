"""What serving speed rests on: the engine's fit brought to the card, its spread, and what adapters at run time leave of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from roi.catalog.cards.gpus import matrix_shares
from roi.catalog.efficiencies.serving_efficiencies import (
    EngineEfficiencies,
    adapter_throughput,
    engine_habits,
    load_serving_efficiencies,
)
from roi.estimate.accuracy.serving_errors import ServingEvidence
from roi.estimate.accuracy.serving_run import ServingRun
from roi.estimate.replay.held_out import AdapterSpeed
from roi.estimate.serving.iteration import Efficiencies
from roi.facts.fact import Basis, Fact
from roi.facts.gpu import Gpu
from roi.numerics.spreads import joint_high, joint_low

REFERENCE: Final = "H100-80GB-SXM"
"""The card that most fitted runs ran on; matrix efficiencies are shares of its datasheet rate."""
AMD_LOW: Final = 0.36
"""P5 of a recent engine's speed on AMD cards: half way (in logarithms) from the build of 2024, at 0.2 of NVIDIA's share of
the roofline (LLM-Inference-Bench), to what other unseen cards have (0.65). No recent run on AMD was fitted."""


def engine_row(family: str, *, recent: bool) -> tuple[EngineEfficiencies, bool]:
    """The fit that speaks for an engine family, and False where it is the one for engines that were not fitted alone."""
    rows = load_serving_efficiencies().engines
    for row in rows:
        if family == row.engine or family in row.aliases:
            return row, not row.engine.startswith("other")
    name = "other" if recent else "other-2024"
    return next(row for row in rows if row.engine == name), False


def reached(efficiencies: Efficiencies, gpu: Gpu) -> Efficiencies:
    """The efficiencies on this card: matrix products by the best that people measured on it, relative to the H100's.

    Cards reach 0.5 (MI300X) to 1.1 (RTX 4090) of their datasheet rate, by power and software; the fitted ones 0.78 to 0.87.
    A card without a measurement is taken like the H100. At most 1.
    """
    shares = matrix_shares()
    ratio = shares.get(gpu.id, shares[REFERENCE]) / shares[REFERENCE]
    return replace(efficiencies, decode_mfu=np.minimum(efficiencies.decode_mfu * ratio, 1.0),
                   prefill_mfu=np.minimum(efficiencies.prefill_mfu * ratio, 1.0))


def on_card(row: EngineEfficiencies, gpu: Gpu | Sequence[Gpu]) -> Efficiencies:
    """The engine's efficiencies on a card, or on one card a plan (arrays): as fitted where the card was, else `reached`."""
    if isinstance(gpu, Gpu):
        return row.efficiencies if gpu.id in row.gpus else reached(row.efficiencies, gpu)
    each = {card.id: on_card(row, card) for card in gpu}
    return replace(row.efficiencies, decode_mfu=np.array([each[g.id].decode_mfu for g in gpu]),
                   prefill_mfu=np.array([each[g.id].prefill_mfu for g in gpu]))


def serving_evidence(run: ServingRun) -> ServingEvidence:
    """The published evidence for a run, its efficiencies and the spread of what is new about it."""
    row, own = engine_row(run.engine, recent=run.recent)
    return evidence_from(run, row, row.efficiencies, own=own)


def evidence_from(run: ServingRun, row: EngineEfficiencies, efficiencies: Efficiencies, *, own: bool) -> ServingEvidence:
    """The evidence with these efficiencies and the row's spreads."""
    gpu = run.system.gpu
    low, high = row.speed_ends(gpu.id)
    fitted = gpu.id in row.gpus
    if gpu.id.startswith("MI") and not fitted:
        low = min(low, AMD_LOW)
    shared = adapter_throughput(run.load.adapters)
    value = _number(shared.value)
    ends = value, shared.low or value, shared.high or value
    new = " and ".join(word for word, missing in (("engine", not own), ("card", not fitted)) if missing) or "model"
    return ServingEvidence(efficiencies if fitted else reached(efficiencies, gpu), engine_habits(run.engine), low, high,
                           row.ttft_low, row.ttft_high, ends, f"{row.engine}, {new} left out")


@dataclass(frozen=True)
class AdapterEffect:
    """The speed with so many adapters over that without."""

    path: str
    """Where its spread stands in the Case."""
    speed: float
    spread: Fact
    """1 with the ends over `speed`."""


def published_speed(adapters: int) -> float:
    """The published speed with `adapters` of them over that without; 1 where none is applied."""
    return _number(adapter_throughput(adapters).value)


def adapter_effect(adapters: int, measured: Sequence[AdapterSpeed], profile: str) -> AdapterEffect:
    """The effect of `adapters` of them (at least 1) applied at run time.

    `measured` are speeds that `profile` shows, of the same card and engine. The number nearest in ratio is taken, times what
    published runs say of going from that number to this one; its spread then has theirs on top.
    """
    published = adapter_throughput(adapters)
    if not measured:
        return AdapterEffect(f"serving.adapter_speed.published-{adapters}", _number(published.value), _relative(published))
    near = min(measured, key=lambda m: (abs(np.log(m.adapters / adapters)), m.adapters))
    lows, highs = [near.low / near.speed], [near.high / near.speed]
    source, speed = f"profile {profile}: {near.adapters} unmerged against the base", near.speed
    if near.adapters != adapters:
        other = adapter_throughput(near.adapters)
        speed *= _number(published.value) / _number(other.value)
        spread = _relative(published)
        lows, highs = [*lows, _number(spread.low)], [*highs, _number(spread.high)]
        source += f", brought to {adapters} by published runs"
    fact = Fact(value=1.0, low=float(joint_low(lows)), high=float(joint_high(highs)), unit="ratio",
                basis=Basis.MEASURED if near.adapters == adapters else Basis.CALIBRATED, source=source)
    return AdapterEffect(f"serving.adapter_speed.measured-{adapters}", speed, fact)


def _relative(fact: Fact) -> Fact:
    """The same spread around 1."""
    value = _number(fact.value)
    return fact.model_copy(update={"value": 1.0, "low": _number(fact.low) / value, "high": _number(fact.high) / value})


def _number(value: object) -> float:
    assert isinstance(value, int | float)
    return float(value)
