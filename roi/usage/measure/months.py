"""A month against the month before: what of the change is volume, mix, cache and price, which add up to it.

    volume   all tokens as many times as they became, each model's share and price as it was
    mix      other models, and input against output within a model, at the prices of the month before
    cache    other shares of input read from and written to a prompt cache, at the prices of the month before
    price    the same tokens at this month's prices, discounts that the records report among them

Each is the difference of two sums that differ in one thing, taken in this order, so that they add up to the cent. A model
that is new has no price of the month before in the records; the list of that month stands in, and where it has none, today's.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from roi.usage.measure.aggregate import Service
from roi.usage.measure.days import Days
from roi.usage.measure.pricing import EPOCH, Priced, day_of, price_spend, total_tokens
from roi.usage.read.record import TOKENS

INPUT = ("uncached_input", "cache_read", "cache_write")


@dataclass(frozen=True, kw_only=True)
class MonthChange:
    """What changed from one calendar month to the next, in USD a month, or a day where not all days of both are covered."""

    before: date
    month: date
    """First days of the two months."""
    a_day: bool
    """True where the figures are of a mean whole day, since a month is not covered whole."""
    before_usd: float
    volume_usd: float
    mix_usd: float
    cache_usd: float
    price_usd: float
    month_usd: float


def month_change(priced: Sequence[Priced], days: Days | None) -> MonthChange | None:
    """The last month with a whole day against the month before it; None where one of them has none, or has no price."""
    if days is None or not days.complete:
        return None
    whole: dict[date, set[int]] = defaultdict(set)
    for day in days.complete:
        whole[day_of(day).replace(day=1)].add(day)
    month = max(whole)
    before = (month - timedelta(days=1)).replace(day=1)
    if before not in whole:
        return None
    old, new = ([each for each in priced if each.usd is not None and each.spend.day in whole[m]] for m in (before, month))
    if not sum(each.usd or 0.0 for each in old) or not new:
        return None
    complete = all(len(whole[m]) == (_after(m) - m).days for m in (before, month))
    per = [1.0, 1.0] if complete else [1.0 / len(whole[m]) for m in (before, month)]
    return _split(old, new, per, before=before, month=month, a_day=not complete)


def _split(
    old: Sequence[Priced], new: Sequence[Priced], per: Sequence[float], *, before: date, month: date, a_day: bool
) -> MonthChange:
    last = (month - timedelta(days=1) - EPOCH).days
    shares, factors = _input_shares(old), _factors(old)
    was, now = (sum(each.usd or 0.0 for each in rows) * by for rows, by in zip((old, new), per, strict=True))
    counts = [sum(sum(each.spend.tokens[name] for name in TOKENS) for each in rows) * by
              for rows, by in zip((old, new), per, strict=True)]
    at_old = _at_old(new, last, factors)
    kept = [_with_shares(each, shares) for each in new]
    at_old_cache = _at_old(kept, last, factors)
    grown = was * counts[1] / counts[0]
    cache = (at_old - at_old_cache) * per[1]
    return MonthChange(
        before=before, month=month, a_day=a_day, before_usd=was, volume_usd=grown - was, mix_usd=at_old_cache * per[1] - grown,
        cache_usd=cache, price_usd=now - at_old * per[1], month_usd=now)


def _at_old(rows: Sequence[Priced], last: int, factors: Mapping[Service, float]) -> float:
    """USD of the rows at the list price of the last day of the month before, times what was paid of it then."""
    found = 0.0
    for each, own in zip(rows, price_spend([replace(each.spend, day=last) for each in rows]), strict=True):
        found += own.list_usd * factors.get(each.spend.service, 1.0) if own.list_usd is not None else each.usd or 0.0
    return found


def _by_kind(rows: Sequence[Priced]) -> dict[Service, list[Priced]]:
    kinds: dict[Service, list[Priced]] = defaultdict(list)
    for each in rows:
        kinds[each.spend.service].append(each)
    return kinds


def _factors(rows: Sequence[Priced]) -> dict[Service, float]:
    """What was paid over the list price, of each kind that has both."""
    found = {}
    for kind, group in _by_kind(rows).items():
        listed = sum(each.list_usd or 0.0 for each in group)
        if listed > 0 and all(each.list_usd is not None for each in group):
            found[kind] = sum(each.usd or 0.0 for each in group) / listed
    return found


def _input_shares(rows: Sequence[Priced]) -> dict[Service, dict[str, float]]:
    """Shares of the input that were not cached, read and written, and of what was written for an hour, by kind."""
    found = {}
    for kind, group in _by_kind(rows).items():
        sums = total_tokens([each.spend for each in group])
        total = sum(sums[name] for name in INPUT)
        if total:
            found[kind] = {name: sums[name] / total for name in (*INPUT, "cache_write_1h")}
    return found


def _with_shares(each: Priced, shares: Mapping[Service, Mapping[str, float]]) -> Priced:
    """The sum with its input cached as that of its kind was; as it is where the kind is new."""
    own = shares.get(each.spend.service)
    if own is None:
        return each
    total = sum(each.spend.tokens[name] for name in INPUT)
    tokens = {**each.spend.tokens, **{name: total * share for name, share in own.items()}}
    return replace(each, spend=replace(each.spend, tokens=tokens))  # type: ignore[arg-type]  # parts of a token are priced alike


def _after(month: date) -> date:
    """The first day of the month after."""
    return (month + timedelta(days=31)).replace(day=1)
