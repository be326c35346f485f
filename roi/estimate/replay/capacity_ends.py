"""The ends of what a plan holds where the engine's speed is not all that may be off; an end is (one replica, pooling)."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from math import sqrt
from typing import TypeVar

import numpy as np

from roi.estimate.replay.engine import Server
from roi.estimate.replay.load_curve import Capacity
from roi.numerics.arrays import Array

End = tuple[Capacity, float]
"""What one replica holds alone, and what several hold each over it."""
T = TypeVar("T")


def at_once(alone: Capacity, server: Server) -> float:
    """The most requests in flight, two deviations above the mean of Poisson arrivals, or as many as the server runs."""
    return min(alone.in_flight + 2.0 * sqrt(alone.in_flight), server.sequence_limit)


def joined(centre: End, end: End, other: End, joint: Callable[[Iterable[float]], Array]) -> End:
    """An end, joined by what another cause makes of the centre."""
    rates = [(one.requests_per_s, one.requests_per_s * gain) for one, gain in (centre, end, other)]
    with np.errstate(divide="ignore"):  # where an end holds nothing
        alone, pooled = (mean * float(joint(rate / mean for rate in others)) for mean, *others in zip(*rates, strict=True))
    return replace(end[0], requests_per_s=alone), max(pooled / alone, 1.0) if alone > 0.0 else 1.0


def by_rate(end: End) -> float:
    """What one replica holds, requests a second."""
    return end[0].requests_per_s


def no_wider(ends: Sequence[T], known: Sequence[T], inside: Sequence[T], held: Callable[[T], float]) -> list[T]:
    """The slow and the fast end, each no further out than the one of `known`, but as far as that of `inside`.

    `held` says how much is held at an end: less at the slow one.
    """
    (slow, fast), (known_slow, known_fast), (inner_slow, inner_fast) = ends, known, inside
    nearer_slow, nearer_fast = max(slow, known_slow, key=held), min(fast, known_fast, key=held)
    return [min(inner_slow, nearer_slow, key=held), max(inner_fast, nearer_fast, key=held)]
