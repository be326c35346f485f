"""What vendors take for fine-tuning and for serving the result, from tuning.csv.

Vendors price open models by size class: such a row's `model` is the class, "<=16B" or "17-69B".
"""

import re
from datetime import date
from functools import cache
from operator import attrgetter

from roi.catalog.rows import priced_rows, read_rows
from roi.errors import UnknownName
from roi.facts.price import TuningPrice


@cache
def tuning_prices(as_of: date) -> tuple[TuningPrice, ...]:
    """The newest row on or before `as_of` for each vendor, base model, method and deployment GPU."""
    return priced_rows(read_rows("prices/tuning.csv", TuningPrice), attrgetter("vendor", "model", "method", "gpu"), as_of)


def find_tuning_price(vendor: str, model: str, as_of: date, field: str = "tuning") -> tuple[TuningPrice, ...]:
    """The ways in which `vendor` tunes and serves `model` on `as_of`: one row for each method and deployment GPU."""
    prices = tuning_prices(as_of)
    of_vendor = [row for row in prices if row.vendor == vendor.lower()]
    if not of_vendor:
        raise UnknownName(field, vendor, {row.vendor for row in prices}, "tuning vendor")
    found = tuple(row for row in of_vendor if row.model.lower() == model.lower())
    if not found:
        raise UnknownName(field, model, {row.model for row in of_vendor}, f"model that {vendor} tunes:")
    return found


def open_model_tuning(shape: str, parameters: float, as_of: date) -> tuple[TuningPrice, ...]:
    """Every way to have an open model tuned on `as_of`: rows of its shape, and of each vendor the smallest class it fits.

    `shape` is its catalog id, `parameters` its parameter count. A class is read by its upper bound ("17-69B": up to 69e9).
    """
    prices = tuning_prices(as_of)
    fitting = [row for row in prices if _class_limit(row.model) >= parameters]
    smallest = {row.vendor: min(_class_limit(r.model) for r in fitting if r.vendor == row.vendor) for row in fitting}
    return tuple(row for row in prices if row.shape == shape or _class_limit(row.model) == smallest.get(row.vendor))


def _class_limit(model: str) -> float:
    """Upper bound of a size class in parameters; 0 for a model's own name."""
    found = re.fullmatch(r"(?:<=|\d+-)(\d+)B", model)
    return float(found[1]) * 1e9 if found else 0.0
