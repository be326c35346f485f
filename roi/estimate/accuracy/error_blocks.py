"""Errors of predictions and their statistics, whatever was predicted; and rows of a table that became no run."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np

L = TypeVar("L")
Q = TypeVar("Q")


class RowScore(NamedTuple, Generic[L, Q]):
    """One figure predicted and measured, in SI units (bytes, seconds, tokens/s or requests/s)."""

    label: L
    quantity: Q
    measured: float
    predicted: float
    low: float
    """5th percentile of the prediction."""
    high: float
    """95th percentile of the prediction."""
    basis: str = ""
    """Serving: which fit, and what its interval left out."""
    derived: bool = False
    """True for throughput that follows from the row's TTFT and TPOT."""

    @property
    def error(self) -> float:
        """Percent: 100 (predicted / measured - 1)."""
        return 100.0 * (self.predicted / self.measured - 1.0)


@dataclass(frozen=True)
class ErrorBlock:
    """Errors of one quantity over some rows, percent; None where no row was predicted."""

    n: int
    """Rows predicted."""
    eligible: int
    """Rows that state a figure: skipping lowers n, not this."""
    mape: float | None = None
    """Mean of the absolute errors."""
    median_ape: float | None = None
    """Median of the absolute errors."""
    bias: float | None = None
    """Mean of the errors with their signs."""
    p90: float | None = None
    """90th percentile of the absolute errors."""
    coverage90: float | None = None
    """Percent of measurements inside the 5-95% interval."""


def summarise_errors(scores: Iterable[RowScore[Any, Any]], eligible: int) -> ErrorBlock:  # Any: labels do not matter here
    """The statistics of some scores; nulls where there are none."""
    found = list(scores)
    if not found:
        return ErrorBlock(n=0, eligible=eligible)
    errors = np.array([score.error for score in found])
    size = np.abs(errors)
    return ErrorBlock(
        n=len(found), eligible=eligible, mape=float(size.mean()), median_ape=float(np.median(size)), bias=float(errors.mean()),
        p90=float(np.percentile(size, 90.0)),
        coverage90=100.0 * float(np.mean([score.low <= score.measured <= score.high for score in found])),
    )  # fmt: skip


class SkippedRow(NamedTuple):
    """A row of a table that became no run."""

    line: int
    """Line of the file."""
    id: str
    column: str
    """The first column whose cell is not canonical, or that no configuration expresses."""
    value: str
    """The cell of that column, as written."""
    why: str
    """What that column may hold."""

    @property
    def reason(self) -> str:
        """Column, value and what is allowed."""
        return f"{self.column}: {self.value!r}; {self.why}"
