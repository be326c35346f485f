"""A month against the month before: what of the change is calendar, volume, mix, cache and price, which add up to it.

    calendar the days of the month, each as that weekday was in the month before: a month may have a fifth Monday, or a day less
    volume   all tokens as many times as they became, each model's share and price as it was
    mix      other models, and input against output within a model, at the prices of the month before
    cache    other shares of input read from and written to a prompt cache, at the prices of the month before
    price    the same tokens at this month's prices, discounts that the records report among them

Each is the difference of two sums that differ in one thing, taken in this order, so that they add up to the cent. The prices of
the month before are its last day's list, times what its tokens were paid over that list: a price that moved within it stands at
its mean. A model that is new was paid nothing then; the list of that day stands in, and where it has none, today's.
"""

from calendar import monthrange
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Literal

from roi.usage.measure.aggregate import Service
from roi.usage.measure.days import Days
from roi.usage.measure.pricing import EPOCH, Priced, day_of, list_on, spent, total_tokens
from roi.usage.read.columns import WEEKDAYS
from roi.usage.read.record import PROMPT, TOKENS


@dataclass(frozen=True, kw_only=True)
class MonthChange:
    """What changed from one calendar month to the next, in USD a month, or a day where not all days of both are covered."""

    before: date
    month: date
    """First days of the two months."""
    usd_per: Literal["day", "month"]
    """day: of a mean day of the weekdays that both months have, since a month is not covered whole."""
    weekdays: tuple[str, ...]
    """Weekdays that are compared; all seven where the figures are of months, or where sums are of several days."""
    before_usd: float
    calendar_usd: float
    """0 where the figures are of a mean day, which has no more of a weekday than another."""
    volume_usd: float
    mix_usd: float
    cache_usd: float
    price_usd: float
    month_usd: float


def month_change(priced: Sequence[Priced], days: Days | None) -> MonthChange | None:
    """The last month with a whole day against the month before it.

    None where one of them has none or has no price, or where no weekday is whole in both, so that nothing alike is there.
    """
    if days is None or not days.complete:
        return None
    whole: dict[date, set[int]] = defaultdict(set)
    for day in days.complete:
        whole[day_of(day).replace(day=1)].add(day)
    month = max(whole)
    before = (month - timedelta(days=1)).replace(day=1)
    if before not in whole:
        return None
    complete = all(len(whole[m]) == monthrange(m.year, m.month)[1] for m in (before, month))
    was, now = (Counter(_weekday(day, days) for day in whole[m]) for m in (before, month))
    both = was.keys() & now.keys()
    if not both:
        return None
    alike, own = ({k: now[k] / was[k] for k in both}, dict.fromkeys(both, 1.0)) if complete else (
        {k: 1.0 / (len(both) * of[k]) for k in both} for of in (was, now))
    rows = [[(each, _weekday(each.spend.day, days)) for each in priced if each.usd is not None and each.spend.day in whole[m]]
            for m in (before, month)]
    old, new = ([_times(each, by[k]) for each, k in of if k in by] for of, by in zip(rows, (alike, own), strict=True))
    if not spent(old) or not new:
        return None
    paid = spent(each for each, _ in rows[0]) if complete else spent(old)
    return _split(old, new, paid, before=before, month=month, usd_per="month" if complete else "day",
                  weekdays=tuple(name for k, name in enumerate(WEEKDAYS) if days.spanned or k in both))


def _split(old: Sequence[Priced], new: Sequence[Priced], before_usd: float, *, month: date, **told: Any) -> MonthChange:
    """The parts of the change; `old` are the sums of the month before on days alike, `told` are further fields."""
    last = (month - timedelta(days=1) - EPOCH).days
    shares, factors = _input_shares(old), _factors(old, last)
    was, now = spent(old), spent(new)
    counts = [sum(each.spend.tokens[name] for each in rows for name in TOKENS) for rows in (old, new)]
    at_old = _at_old(new, last, factors)
    at_old_cache = _at_old([_with_shares(each, shares) for each in new], last, factors)
    grown = was * counts[1] / counts[0]
    return MonthChange(
        month=month, before_usd=before_usd, calendar_usd=was - before_usd, volume_usd=grown - was,
        mix_usd=at_old_cache - grown, cache_usd=at_old - at_old_cache, price_usd=now - at_old, month_usd=now, **told)


def _weekday(day: int | None, days: Days) -> int:
    """The weekday, Monday 0; of all days the same where a sum is of several, so that what each weekday had is not known."""
    return 0 if day is None or days.spanned else day_of(day).weekday()


def _times(each: Priced, by: float) -> Priced:
    """So many times the sum."""
    spend = each.spend
    tokens = {name: count * by for name, count in spend.tokens.items()}
    requests = None if spend.requests is None else spend.requests * by
    scaled = replace(spend, cost_usd=spend.cost_usd * by, tokens=tokens, requests=requests)  # type: ignore[arg-type]  # of days
    return replace(each, list_usd=None if each.list_usd is None else each.list_usd * by, spend=scaled)


def _at_old(rows: Sequence[Priced], last: int, factors: Mapping[Service, float]) -> float:
    """USD of the rows at the list price of the last day of the month before, times what was paid over it then."""
    return sum((each.usd or 0.0) if listed is None else listed * factors.get(each.spend.service, 1.0)
               for each, listed in zip(rows, list_on(rows, last), strict=True))


def _factors(rows: Sequence[Priced], day: int) -> dict[Service, float]:
    """What was paid over the list price of the day, of each kind that has one."""
    found, kinds = {}, defaultdict[Service, list[Priced]](list)
    for each in rows:
        kinds[each.spend.service].append(each)
    for kind, group in kinds.items():
        known = [each for each in list_on(group, day) if each is not None]
        if len(known) == len(group) and sum(known) > 0:
            found[kind] = sum(each.usd or 0.0 for each in group) / sum(known)
    return found


def _input_shares(rows: Sequence[Priced]) -> dict[tuple[Service, int], dict[str, float]]:
    """Shares of the input that were not cached, read and written, and of what was written for an hour, by kind and price tier.

    Long prompts, which may pay another price, find more of themselves in a cache.
    """
    found, groups = {}, defaultdict[tuple[Service, int], list[Priced]](list)
    for each in rows:
        groups[each.spend.service, each.tier].append(each)
    for kind, group in groups.items():
        sums = total_tokens([each.spend for each in group])
        total = sum(sums[name] for name in PROMPT)
        if total:
            found[kind] = {name: sums[name] / total for name in (*PROMPT, "cache_write_1h")}
    return found


def _with_shares(each: Priced, shares: Mapping[tuple[Service, int], Mapping[str, float]]) -> Priced:
    """The sum with its input cached as that of its kind and tier was; as it is where these are new."""
    own = shares.get((each.spend.service, each.tier))
    if own is None:
        return each
    total = sum(each.spend.tokens[name] for name in PROMPT)
    tokens = {**each.spend.tokens, **{name: total * share for name, share in own.items()}}
    return replace(each, spend=replace(each.spend, tokens=tokens))  # type: ignore[arg-type]  # parts of a token are priced alike
