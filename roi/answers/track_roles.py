"""Whose calls the rows of an export are: the option's own model's, another's that it calls, or none of the decision's."""

import re
from dataclasses import dataclass
from datetime import date as Date

from roi.catalog.prices.api_prices import find_api_price
from roi.errors import InputError


@dataclass(frozen=True)
class Models:
    """Names of the models that the option calls, without the provider's; `own` None: any that is not one of the others."""

    own: str | None
    others: tuple[str, ...]
    by_unit: bool = False
    """True where units of throughput that are kept ready are paid, today or by the option."""

    def role(self, model: str | None, listed: str | None = None) -> str | None:
        """own, other, or None where the decision does not call it; `listed` is what the price list calls the logged model."""
        if model is None:
            return None
        called = [model] if listed is None else [model, listed]
        if self.own is not None and any(same_model(name, self.own) for name in called):
            return "own"
        if any(same_model(name, other) for name in called for other in self.others):
            return "other"
        return "own" if self.own is None else None


def same_model(logged: str, name: str) -> bool:
    """True where a log's name of a model is `name`, with or without a provider before it and a date behind it."""
    last = logged.rsplit("/", 1)[-1].lower()
    plain = name.rsplit("/", 1)[-1].lower()
    return last == plain or re.fullmatch(re.escape(plain) + r"[-@]\d{4}(-?\d{2}-?\d{2})?", last) is not None


def listed_name(provider: str | None, model: str, day: Date) -> str | None:
    """provider/model as the price list calls what a cloud or a gateway gives a name of its own; None without a price."""
    try:
        found = find_api_price(provider, model, day)
    except InputError:
        return None
    return f"{found.provider}/{found.model}"
