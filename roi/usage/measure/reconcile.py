"""List price against what the sources report and against the bill: a factor, split into price and volume where it is known."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from roi.units import DAYS_PER_MONTH
from roi.usage.measure.aggregate import Spend
from roi.usage.measure.days import Days, days_of
from roi.usage.measure.pricing import Priced, day_of, own_of, price_spend, searched_usd
from roi.usage.read.columns import DAY_US

GAP: Final = 0.10
"""A factor further from 1 than this gets a warning."""
NEAR: Final = 0.02
"""What was paid is called the price of a service where it is no further from it than this."""
UNNAMED: Final = "not named"
UNITS: Final = re.compile("provisioned|model-?units|reserved", re.IGNORECASE)
"""In the name of a line item of units that are kept ready."""
CENTS: Final = (95.0, 105.0)
"""Costs of so many times the list price may be cents that were read as dollars."""
SERVICES: Final[dict[str, dict[str, bool | str]]] = {"batch": {"batch": True}, "flex": {"tier": "flex"},
                                                     "priority": {"tier": "priority"}}
"""Services that may have another price, and what a sum says that is of it."""


@dataclass(frozen=True)
class LineItem:
    """Something that is billed without tokens: model units that are kept ready, guardrails, web searches of a cost export."""

    provider: str | None
    name: str
    """What the bill calls it."""
    usd: float
    usd_per_month: float | None
    """What is posted by whole months (or years, by their months), or on no more than one day of a month in a log of more than
    a week, is a month's amount, the mean of the months that have it: a fee is due whichever days have calls. What is posted on
    more days, such as units that are billed by the hour, is that of a mean day, over 365/12 days; None without a whole day.
    What is given back once, a refund, is not due again: it is the mean of all months of the log."""
    usd_by_day: Mapping[int | None, float]
    """USD by the day, since 1970, on which the time begins that each amount is of."""

    @property
    def of_units(self) -> bool:
        """True of units that are kept ready for calls, or tokens a minute that are reserved for them."""
        return UNITS.search(self.name) is not None


@dataclass(frozen=True)
class Reconciliation:
    """Reported or billed over list price."""

    basis: str
    """calls: the cost that each row reports; costs: a cost export beside the usage; bill: what the user gave."""
    provider: str | None
    list_usd: float
    actual_usd: float
    days: int
    """Days that both sides cover."""
    unused_days: int = 0
    """Days that a cost export bills and that have no usage at all; those between the first and the last day of usage are in the
    factor, since calls may be missing."""
    unused_usd: float = 0.0
    """USD that was billed on the days of `unused_days`."""
    beside_usd: float = 0.0
    """USD a month of a bill for what is no tokens: web searches, and what is billed without tokens."""
    costs_as: tuple[str, ...] = ()
    """Services at whose list price the same tokens are what was paid, where the records do not say how their calls ran."""

    @property
    def factor(self) -> float | None:
        """Actual over list; None where the list price is 0."""
        return self.actual_usd / self.list_usd if self.list_usd > 0 else None

    @property
    def price_factor(self) -> float | None:
        """The part that is price: all of it where the same rows give tokens and cost, else not known."""
        return self.factor if self.basis == "calls" else None

    @property
    def volume_factor(self) -> float | None:
        """The part that is volume (tokens that the log misses, retries): 1 where the same rows give both."""
        return 1.0 if self.basis == "calls" and self.factor is not None else None

    @property
    def far(self) -> bool:
        """True where the two differ by more than GAP."""
        return self.factor is not None and abs(self.factor - 1.0) > GAP

    @property
    def may_be_cents(self) -> bool:
        """True where rows report about a hundred times the list price."""
        return self.basis == "calls" and self.factor is not None and CENTS[0] <= self.factor <= CENTS[1]


def without_tokens(rows: Iterable[Spend], days: Days | None) -> tuple[LineItem, ...]:
    """What these sums are billed for, by provider and name, the most money first; `days` are those of the log."""
    sums = defaultdict[tuple[str | None, str], list[Spend]](list)
    for row in rows:
        if row.cost_usd:
            sums[row.provider, row.model or UNNAMED].append(row)
    whole = days is not None and bool(days.complete)
    items = (LineItem(*named, sum(row.cost_usd for row in group), _a_month(group, days) if days and whole else None,
                      {day: sum(row.cost_usd for row in group if row.day == day) for day in {row.day for row in group}})
             for named, group in sums.items())
    return tuple(sorted(items, key=lambda item: -item.usd))


def _a_month(rows: Sequence[Spend], days: Days) -> float:
    """`usd_per_month` of a line item whose sums by day are these."""
    starts = {day_of(row.day) for row in rows if row.day is not None}
    once = days.counted > 7 and len({(each.year, each.month) for each in starts}) == len(starts)
    fees, used = defaultdict[tuple[int, int], float](float), list[Spend]()
    for row in rows:
        months = round(((row.last_us or 0) - (row.first_us or 0)) / DAY_US / DAYS_PER_MONTH)
        if row.day is not None and (once or months):
            fees[day_of(row.day).year, day_of(row.day).month] += row.cost_usd / max(months, 1)
        else:
            used.append(row)
    log_months = round(days.counted / DAYS_PER_MONTH) if sum(fees.values()) < 0 else 0
    mean_fee = sum(fees.values()) / (max(len(fees), log_months) or 1)
    return mean_fee + days.mean((row.day, row.cost_usd) for row in used) * DAYS_PER_MONTH


def beside_tokens(priced: Iterable[Priced], items: Iterable[LineItem], days: Days) -> float:
    """USD a month of a bill that are no tokens: web searches that a log counts, and what is billed without tokens.

    The larger of both of each provider: its cost export may bill the searches that a log beside it counts. What it gives back
    is less of either.
    """
    searched, billed = defaultdict[str | None, list[Priced]](list), defaultdict[str | None, float](float)
    for each in priced:
        searched[each.spend.provider].append(each)
    for item in items:
        billed[item.provider] += max(item.usd_per_month or 0.0, 0.0)
    back = sum(min(item.usd_per_month or 0.0, 0.0) for item in items)
    return back + sum(max(days.mean((each.spend.day, searched_usd([each])) for each in searched[provider]) * DAYS_PER_MONTH,
                   billed[provider]) for provider in {*searched, *billed})


def beside_of(bill: float, beside_usd: float) -> float:
    """USD of a month's bill that are no tokens: 0 where `beside_tokens` are no less than it, which is of tokens alone then."""
    return beside_usd if beside_usd < bill else 0.0


def reconcile(priced: Sequence[Priced], costs: Sequence[Spend], bill_usd_per_month: float | None,
              days: Days | None, untold: Collection[str] = (), items: Collection[LineItem] = ()) -> list[Reconciliation]:
    """Every comparison that the sources allow: row by row, by provider against a cost export, and against the bill.

    `days` are those of the log, `untold` the sources that say neither batch nor tier, `items` what is billed without tokens.
    """
    return [*_of_rows(priced, untold), *_of_costs(priced, costs, untold),
            *_of_bill(priced, bill_usd_per_month, days, untold, items)]


def _with_service(found: Reconciliation, rows: Iterable[Priced], untold: Collection[str], of_list: float = 1.0,
                  beside: float = 0.0) -> Reconciliation:
    """The comparison with the services that what was paid is the price of.

    `of_list`: its list price over that of the rows; `beside`: USD of both sides that are of no tokens.
    """
    rows = list(rows)
    if not found.far or not all(each.spend.source in untold for each in rows):
        return found
    fitting = []
    for name, service in SERVICES.items():
        as_it = price_spend([replace(each.spend, **service) for each in rows],  # type: ignore[arg-type]  # fields of Spend
                            own_of(rows))
        usd = sum(each.list_usd or 0.0 for each in as_it) * of_list
        if abs(found.actual_usd - beside - usd) <= NEAR * usd:
            fitting.append(name)
    return replace(found, costs_as=tuple(fitting))


def _of_rows(priced: Sequence[Priced], untold: Collection[str]) -> list[Reconciliation]:
    """Rows that report their cost and have a list price, by provider."""
    rows: dict[str | None, list[Priced]] = defaultdict(list)
    for each in priced:
        if each.spend.costed and each.list_usd is not None:
            rows[each.spend.provider].append(each)
    found = (_with_service(Reconciliation(
        basis="calls", provider=provider, list_usd=sum(each.list_usd or 0.0 for each in group),
        actual_usd=sum(each.spend.cost_usd for each in group),
        days=len({day for each in group for day in days_of(each.spend)})), group, untold)
        for provider, group in rows.items())
    return sorted(found, key=lambda each: -each.list_usd)


def _of_costs(priced: Sequence[Priced], costs: Sequence[Spend], untold: Collection[str]) -> list[Reconciliation]:
    """Cost exports against list prices, by provider, from the first to the last day that has both."""
    paid: dict[str | None, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for row in costs:
        if row.day is not None:
            paid[row.provider][row.day] += row.cost_usd
    listed: dict[str | None, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for each in priced:
        if each.list_usd is not None and each.spend.day is not None:
            listed[each.spend.provider][each.spend.day] += each.list_usd
    found = []
    for provider, by_day in paid.items():
        used = listed.get(provider, {})
        both = sorted(set(by_day) & set(used))
        if both:
            covered = [day for day in by_day if day in used or both[0] <= day <= both[-1]]
            unused = [day for day in by_day if day not in used and by_day[day]]
            rows = (each for each in priced if each.spend.provider == provider and each.spend.day in both)
            found.append(_with_service(Reconciliation(
                basis="costs", provider=provider, list_usd=sum(used[day] for day in both),
                actual_usd=sum(by_day[day] for day in covered), days=len(covered), unused_days=len(unused),
                unused_usd=sum(by_day[day] for day in unused)), rows, untold))
    return found


def _of_bill(priced: Sequence[Priced], bill: float | None, days: Days | None, untold: Collection[str],
             items: Collection[LineItem]) -> list[Reconciliation]:
    """The bill of a month against the list price of a mean day, over 365/12 days, and what is billed beside tokens."""
    if bill is None or days is None or not days.complete:
        return []
    rows = [each for each in priced if each.spend.day in days.complete]
    listed = days.mean((each.spend.day, each.list_usd or 0.0) for each in rows) * DAYS_PER_MONTH
    beside = beside_of(bill, beside_tokens(rows, items, days))
    of_list = listed / (sum(each.list_usd or 0.0 for each in rows) or 1.0)
    return [_with_service(Reconciliation(basis="bill", provider=None, list_usd=listed + beside, actual_usd=bill,
                                         days=len(days.complete), beside_usd=beside), rows, untold, of_list, beside)]
