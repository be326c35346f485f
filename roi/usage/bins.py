"""Integer log-bins of a token count: what a backend is asked for in place of quantiles, which several do not define."""

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import ibis.expr.types as ir

PER_OCTAVE: Final = 8
"""Bins a doubling: a bin is 9% wide, so that its mean stands for any count in it to 4.5%."""

NONE: Final = -1
"""The bin of 0."""

GUARD: Final = 1e-9
"""Added before the floor: powers of two lie on an edge, and backends may round their logarithm either way by 1e-15."""


def bin_of(count: "ir.Value") -> "ir.Value":
    """floor(8 log2 count) as int64, NONE for 0; the same on every backend."""
    import ibis

    size = ibis.greatest(count, 1).cast("float64")
    index = (size.ln() * (PER_OCTAVE / math.log(2.0)) + GUARD).floor().cast("int64")
    return ibis.ifelse(count <= 0, NONE, index)


def bin_of_count(count: int) -> int:
    """The same for one number."""
    return NONE if count <= 0 else math.floor(math.log(count) * (PER_OCTAVE / math.log(2.0)) + GUARD)
