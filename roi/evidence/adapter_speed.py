"""What adapters that are applied at run time leave of the engine's speed: measured on the user's server, else published."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from roi.catalog.efficiencies.serving_efficiencies import adapter_throughput
from roi.estimate.replay.held_out import AdapterSpeed
from roi.facts.fact import Basis, Fact
from roi.numerics.spreads import joint_high, joint_low


@dataclass(frozen=True)
class AdapterEffect:
    """The speed with so many adapters over that without."""

    name: str
    """What it rests on, one word of a path."""
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
        return AdapterEffect(f"published-{adapters}", _number(published.value), _relative(published))
    near = min(measured, key=lambda m: (abs(np.log(m.adapters / adapters)), m.adapters))
    lows, highs = [near.low / near.speed], [near.high / near.speed]
    source, speed = f"profile {profile}: {near.adapters} unmerged against the base", near.speed
    if near.adapters != adapters:
        other = adapter_throughput(near.adapters)
        speed *= _number(published.value) / _number(other.value)
        spread = _relative(published)
        lows, highs = [*lows, _number(spread.low)], [*highs, _number(spread.high)]
        source += f", brought to {adapters} by published runs"
    fact = Fact(
        value=1.0, low=float(joint_low(lows)), high=float(joint_high(highs)), unit="ratio",
        basis=Basis.MEASURED if near.adapters == adapters else Basis.CALIBRATED, source=source,
    )
    return AdapterEffect(f"measured-{adapters}", speed, fact)


def _relative(fact: Fact) -> Fact:
    """The same spread around 1."""
    value = _number(fact.value)
    return fact.model_copy(update={"value": 1.0, "low": _number(fact.low) / value, "high": _number(fact.high) / value})


def _number(value: object) -> float:
    assert isinstance(value, int | float)
    return float(value)
