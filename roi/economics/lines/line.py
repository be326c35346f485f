"""One line of cost: what it is, what it costs month by month, and how to redo it by hand."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from roi.economics.inputs import Array, Number

Arithmetic = Callable[[int], str]
"""Month index (0 = month 1) -> the product that gives the line's figure in that month."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """What is paid for one thing. Costs are positive; a residual value is the one negative line."""

    name: str
    monthly: Array
    """USD at month ends 1..H, shape (H,) or (n, H)."""
    upfront: Number = 0.0
    """USD at month 0, float or (n, 1)."""
    facts: tuple[str, ...]
    """Paths of the facts that the line rests on, the shared ones included."""
    arithmetic: Arithmetic | str
    """How the figure follows from the facts, at the central values."""
    is_error: bool = False
    """True for the cost of wrong answers, which NPV is printed with and without."""
    existing_staff: bool = False
    """True for hours of people who are paid anyway."""


@dataclass(frozen=True)
class Totals:
    """The sum of an option's lines."""

    monthly: Array
    upfront: Number

    @classmethod
    def of(cls, lines: Sequence[Line], horizon: int) -> "Totals":
        """The sum of these lines; one row a draw where any of them has rows."""
        arrays = [a for line in lines for a in (line.monthly, line.upfront) if isinstance(a, np.ndarray)]
        rows = max((a.shape[0] for a in arrays if a.ndim > 1), default=0)
        monthly = np.zeros((rows, horizon) if rows else horizon)
        upfront: Number = np.zeros((rows, 1)) if rows else 0.0
        for line in lines:
            monthly += line.monthly
            upfront = upfront + line.upfront
        return cls(monthly, upfront if rows else float(np.asarray(upfront)))


def pick(x: Number | Array, month: int = 0) -> float:
    """The central figure of `x` in a month (index 0 = month 1); scalars and single rows are the same in every month."""
    row = np.asarray(x, dtype=np.float64)
    while row.ndim > 1:
        row = row[0]
    return float(row[month]) if row.size > 1 else float(row.reshape(-1)[0])
