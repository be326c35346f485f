"""Measured over modelled seconds at known sizes, carried to sizes between them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from roi.facts.model import Number

NEAR: Final = 1e-3
"""Doublings within which a size counts as the measured one."""


@dataclass(frozen=True)
class Corrections:
    """Ratios at measured sizes; between them an average of their logarithms, weighted by distance in doublings ** -4.

    The fourth power keeps an estimate close to its nearest neighbours: kernels are chosen by size, so a far shape says
    little. Beyond the measured sizes the nearest ones hold. Without points the ratio is 1.
    """

    points: tuple[tuple[float, ...], ...] = ()
    """log2 of each measured size."""
    ratios: tuple[float, ...] = ()
    """Measured over modelled seconds."""

    @classmethod
    def of(cls, measured: Iterable[tuple[tuple[float, ...], float]]) -> Self:
        """From (sizes, ratio) pairs."""
        rows = list(measured)
        return cls(
            tuple(tuple(float(x) for x in np.log2(np.asarray(sizes, dtype=float))) for sizes, _ in rows),
            tuple(ratio for _, ratio in rows),
        )

    def at(self, *sizes: Number) -> Number:
        """Ratio at `sizes`, one for each axis; they broadcast."""
        if not self.points:
            return 1.0
        axes = np.broadcast_arrays(*(np.log2(np.asarray(size, dtype=float)) for size in sizes))
        asked: NDArray[np.float64] = np.stack(axes, axis=-1)[..., None, :]
        squared = ((asked - np.asarray(self.points)) ** 2).sum(axis=-1)
        weights = 1.0 / (squared + NEAR**2) ** 2
        logs = (weights * np.log(self.ratios)).sum(axis=-1) / weights.sum(axis=-1)
        ratio: Number = np.exp(logs)
        return ratio


NONE: Final = Corrections()
"""Nothing measured: the model as it stands."""
