"""What vendors announce about their models: when they end, what their prompt caches need, what fine-tuning costs.

Vendors price the tuning of open models by size class: such a row's `model` is the class, "<=16B" or "17-69B".
"""

import re
from collections.abc import Iterable
from datetime import date
from functools import cache
from operator import attrgetter

from roi.catalog.rows import priced_rows, read_rows
from roi.errors import ScenarioError, UnknownName
from roi.facts.price import CacheMinimum, Retirement, TuningPrice

MAKERS = frozenset({"openai", "anthropic", "google"})
"""Who serve models of their own making."""
_RESOLD = re.compile(r"^(?:[a-z]+\.)+")
"""What clouds write before a maker's name for a model."""
TUNED = " fine-tunes"
"""End of the name of what a vendor tunes of a model, in a price list."""
_SNAPSHOT = re.compile(r"[-@]20\d{2}-?\d{2}-?\d{2}(-v\d+:\d+)?$")


def retirement(provider: str, model: str, as_of: date) -> Retirement | None:
    """The announced end of a model as known on `as_of`; None where no end had been announced by then.

    A row's date is the day of the announcement, or where that is not known the day on which it was read; an end that has
    passed counts as known. A dated snapshot (gpt-4o-2024-08-06) ends with its model where it has no row of its own, a
    fine-tune (ft:...) with its base's row.
    """
    by_model = {row.model.lower(): row for row in sorted(_known_ends(as_of), key=lambda row: row.date)
                if row.provider == provider.lower()}
    return by_model.get(model.lower()) or by_model.get(_SNAPSHOT.sub("", tuned_base(model)))


def _known_ends(as_of: date) -> list[Retirement]:
    """The ends that were announced, or had passed, by then."""
    return [row for row in read_rows("prices/retirements.csv", Retirement) if min(row.date, row.retires_on) <= as_of]


def ending_elsewhere(provider: str, model: str, as_of: date) -> Retirement | None:
    """The announced end of the same model, or of the base of "... fine-tunes", at who made it, for another who serves it."""
    name = _SNAPSHOT.sub("", _RESOLD.sub("", model.removesuffix(TUNED).rpartition("/")[2].lower()))
    makers = MAKERS - {provider.lower()}
    rows = [row for row in _known_ends(as_of) if row.model.lower() == name and row.provider in makers]
    return min(rows, key=lambda row: row.retires_on, default=None)


def tuned_base(model: str) -> str:
    """The name in lower case, a fine-tune without its owner's part: ft:gpt-4o-2024-08-06:acme::x1 -> ft:gpt-4o-2024-08-06."""
    name = model.lower()
    return ":".join(name.split(":")[:2]) if name.startswith("ft:") else name


def cache_minimum(provider: str, model: str) -> CacheMinimum | None:
    """The provider's rule for `model`, longest matching prefix first.

    A provider whose documentation was not read gets the row of provider "*", an assumption that says so.
    """
    name, providers = model.lower(), (provider.lower(), "*")
    every = read_rows("prices/cache_minimums.csv", CacheMinimum)
    rules = [rule for rule in every if rule.provider in providers and name.startswith(rule.model_prefix)]
    return max(rules, key=lambda rule: (rule.provider != "*", len(rule.model_prefix)), default=None)


@cache
def tuning_prices(as_of: date) -> tuple[TuningPrice, ...]:
    """The newest row on or before `as_of` for each vendor, base model, method and deployment GPU."""
    return priced_rows(read_rows("prices/tuning.csv", TuningPrice), attrgetter("vendor", "model", "method", "gpu"), as_of)


def find_tuning_price(vendor: str, model: str, as_of: date, field: str = "tuning") -> tuple[TuningPrice, ...]:
    """The ways in which `vendor` tunes and serves `model` on `as_of`: one row for each method and deployment GPU."""
    every = read_rows("prices/tuning.csv", TuningPrice)
    of_vendor = [row for row in every if row.vendor == vendor.lower()]
    if not of_vendor:
        raise UnknownName(field, vendor, {row.vendor for row in every}, "tuning vendor")
    of_model = tuple(row for row in of_vendor if row.model.lower() == model.lower())
    if not of_model:
        raise UnknownName(field, model, {row.model for row in of_vendor}, f"model that {vendor} tunes:")
    found = tuple(row for row in tuning_prices(as_of) if row in of_model)
    if not found:
        raise not_yet_tuned(f"{vendor}/{model}", of_model, as_of, field)
    return found


def not_yet_tuned(name: str, later: Iterable[TuningPrice], as_of: date, field: str) -> ScenarioError:
    """The error for a model whose tuning has a price on a later day only: it names the first one of what `later` prices."""
    priced = {(row.vendor, row.model) for row in later}
    first = min(row.date for row in read_rows("prices/tuning.csv", TuningPrice) if (row.vendor, row.model) in priced)
    return ScenarioError("as_of", as_of.isoformat(),
                         f"the earliest price of tuning {name} is of {first}; take it out of {field}, or a later day")


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
