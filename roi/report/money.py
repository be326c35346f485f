"""Money in table columns: whole USD, thousands where whole USD would not fit, cents where there is little of it."""

from collections.abc import Iterable
from dataclasses import dataclass

LARGE = (("kUSD", 1e3), ("MUSD", 1e6), ("bn USD", 1e9), ("tn USD", 1e12))
"""Thousands, millions, billions (10^9), trillions (10^12)."""


@dataclass(frozen=True)
class Money:
    """A unit that all money of a table shares."""

    unit: str
    """USD, or one of LARGE."""
    size: float
    cents: bool

    def __call__(self, x: float) -> str:
        """The figure in this unit, thousands with commas."""
        text = f"{x / self.size:,.{2 if self.cents else 0}f}"
        return text[1:] if text in {"-0", "-0.00"} else text


def money_of(amounts: Iterable[float]) -> Money:
    """The unit in which the largest of `amounts` takes at most nine characters."""
    most = max((abs(x) for x in amounts), default=0.0)
    if most < 100:
        return Money("USD", 1.0, cents=True)
    if most < 1e7:
        return Money("USD", 1.0, cents=False)
    unit, size = next(((u, s) for u, s in LARGE if most / s < 1e7), LARGE[-1])
    return Money(unit, size, cents=False)
