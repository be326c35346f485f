"""95th percentiles of the normal and of Student's distribution, for intervals from few values; scipy is too slow to import."""

from typing import Final

TAIL: Final = 1.6448536269514722
"""95th percentile of the normal distribution."""

T95: Final = (
    6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860, 1.833, 1.812, 1.796, 1.782, 1.771, 1.761, 1.753, 1.746, 1.740,
    1.734, 1.729, 1.725, 1.721, 1.717, 1.714, 1.711, 1.708, 1.706, 1.703, 1.701, 1.699, 1.697,
)  # fmt: skip
"""95th percentile of Student's t for 1 to 30 degrees of freedom; beyond, the first terms of its expansion in 1 / n."""


def student(freedom: float) -> float:
    """95th percentile of Student's distribution (Cornish-Fisher expansion, 2% low at 4 degrees of freedom, better beyond)."""
    return TAIL * (1.0 + (TAIL**2 + 1.0) / (4.0 * freedom) + (5.0 * TAIL**4 + 16.0 * TAIL**2 + 3.0) / (96.0 * freedom**2))


def t95(freedom: float) -> float:
    """95th percentile of Student's t."""
    n = max(int(freedom), 1)
    return T95[n - 1] if n <= len(T95) else 1.6449 + 1.5238 / n + 1.42 / n**2
