"""GPUs by any name that people type, from gpus.json (datasheet figures, each with its source).

The best matrix product that people measured on a card is in matrix_rates.csv: datasheets do not say what is reached.
"""

import re
from functools import cache

from pydantic import PositiveFloat

from roi.catalog.rows import read_json, read_rows
from roi.errors import ScenarioError, UnknownName
from roi.facts.gpu import Gpu
from roi.facts.records import DatedRow

_NOISE = re.compile(r"nvidia|geforce|tesla|amd|instinct|quadro|[^a-z0-9]")


@cache
def load_gpus() -> tuple[Gpu, ...]:
    """Every GPU of the catalog, in the file's order (oldest family first)."""
    return tuple(Gpu.model_validate(row) for row in read_json("cards/gpus.json")["gpus"])


def find_gpu(name: str, field: str = "gpu") -> Gpu:
    """The GPU that `name` means: its id or an alias; case, punctuation and the maker's name do not matter.

    A name that several GPUs carry ("A100": 40 or 80 GB) is an error that names them all; so is one that is near to none.
    """
    found = gpus_named(name)
    if len(found) > 1:
        raise ScenarioError(field, name, f"it may be {' or '.join(gpu.id for gpu in found)}; name one")
    if not found:
        known = load_gpus()
        raise UnknownName(field, name, [n for gpu in known for n in (gpu.id, *gpu.aliases)], "GPU", [gpu.id for gpu in known])
    return found[0]


def gpus_named(name: str) -> tuple[Gpu, ...]:
    """Every GPU that carries this name; none where no GPU does."""
    return _gpus_by_name().get(_plain(name), ())


@cache
def _gpus_by_name() -> dict[str, tuple[Gpu, ...]]:
    named: dict[str, tuple[Gpu, ...]] = {}
    for gpu in load_gpus():
        for name in {_plain(n) for n in (gpu.id, *gpu.aliases)}:
            named[name] = (*named.get(name, ()), gpu)
    return named


def _plain(name: str) -> str:
    return _NOISE.sub("", name.lower())


class MatrixRate(DatedRow):
    """One measurement, and when it was read."""

    gpu: str
    """Name in the catalog."""
    flops: PositiveFloat
    """Best bf16 product over a search of shapes, FLOP/s."""


@cache
def matrix_shares() -> dict[str, float]:
    """Best measured over the datasheet's 16-bit rate, by GPU.

    0.5 where power or software limits it, above 1 where clocks exceed the datasheet's.
    """
    rates = read_rows("cards/matrix_rates.csv", MatrixRate)
    return {rate.gpu: rate.flops / find_gpu(rate.gpu).matrix_flops("bf16") for rate in rates}
