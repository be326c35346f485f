"""What a predictor says of a measured run, and how the spread of defaults widens it."""

from collections.abc import Callable
from dataclasses import dataclass

from roi.estimate.measured import MeasuredRun


@dataclass(frozen=True)
class Prediction:
    """A figure and its 5th and 95th percentile, in SI units."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class NoPrediction:
    """Why a predictor has no figure for this run."""

    reason: str


Predictor = Callable[[MeasuredRun], Prediction | NoPrediction]
"""Memory (bytes, of the run's kind) or throughput (tokens/s of the whole job) of a run."""


def widen(found: Prediction, others: list[float]) -> Prediction:
    """The prediction with its interval widened by the difference between each default and its other value.

    A default that stands on the wrong side is off by the whole difference, so differences add, each on its own side.
    """
    below = sum(max(found.value - other, 0.0) for other in others)
    above = sum(max(other - found.value, 0.0) for other in others)
    # what a default takes away is bounded by the figure itself
    return Prediction(found.value, max(found.low - below, 0.05 * found.value), found.high + above)
