"""What vendors announce about their models: when they end and what their prompt caches need."""

import re
from datetime import date

from roi.catalog.rows import read_rows
from roi.facts.price import CacheMinimum, Retirement

_SNAPSHOT = re.compile(r"[-@]20\d{2}-?\d{2}-?\d{2}(-v\d+:\d+)?$")


def retirement(provider: str, model: str, as_of: date) -> Retirement | None:
    """The announced end of a model as known on `as_of`; None where no end had been announced by then.

    A row's date is the day of the announcement, or where that is not known the day on which it was read; an end that
    has passed counts as known. A dated snapshot
    (gpt-4o-2024-08-06) ends with its model where it has no row of its own, a fine-tune (ft:...) with its base's row.
    """
    by_model = {
        row.model.lower(): row
        for row in sorted(read_rows("prices/retirements.csv", Retirement), key=lambda row: row.date)
        if row.provider == provider.lower() and min(row.date, row.retires_on) <= as_of
    }
    return by_model.get(model.lower()) or by_model.get(_SNAPSHOT.sub("", tuned_base(model)))


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
