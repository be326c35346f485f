"""The best matrix product that people measured on a card, from matrix_rates.csv: datasheets do not say what is reached."""

from datetime import date as Date
from functools import cache

from pydantic import BaseModel, ConfigDict, PositiveFloat

from roi.catalog.cards.gpus import find_gpu
from roi.catalog.rows import read_rows


class MatrixRate(BaseModel):
    """One measurement."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    gpu: str
    """Name in the catalog."""
    flops: PositiveFloat
    """Best bf16 product over a search of shapes, FLOP/s."""
    source: str
    """Who measured it."""
    date: Date
    """When it was read."""


@cache
def matrix_shares() -> dict[str, float]:
    """Best measured over the datasheet's 16-bit rate, by GPU.

    0.5 where power or software limits it, above 1 where clocks exceed the datasheet's.
    """
    rates = read_rows("cards/matrix_rates.csv", MatrixRate)
    return {rate.gpu: rate.flops / find_gpu(rate.gpu).matrix_flops("bf16") for rate in rates}
