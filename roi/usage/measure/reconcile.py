"""List price against what the sources report and against the bill: a factor, split into price and volume where it is known."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from roi.units import DAYS_PER_MONTH
from roi.usage.measure.aggregate import Spend
from roi.usage.measure.pricing import Priced

GAP: Final = 0.10
"""A factor further from 1 than this gets a warning."""


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
    """What was billed on them."""

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


def reconcile(priced: Sequence[Priced], costs: Sequence[Spend], bill_usd_per_month: float | None,
              complete: Sequence[int]) -> list[Reconciliation]:
    """Every comparison that the sources allow: row by row, by provider against a cost export, and against the bill.

    `complete` are the days that the log covers whole.
    """
    return [*_of_rows(priced), *_of_costs(priced, costs), *_of_bill(priced, bill_usd_per_month, complete)]


def _of_rows(priced: Sequence[Priced]) -> list[Reconciliation]:
    """Rows that report their cost and have a list price, by provider."""
    sums: dict[str | None, list[float]] = defaultdict(lambda: [0.0, 0.0])
    days: dict[str | None, set[int | None]] = defaultdict(set)
    for each in priced:
        if each.spend.costed and each.list_usd is not None:
            sums[each.spend.provider][0] += each.list_usd
            sums[each.spend.provider][1] += each.spend.cost_usd
            days[each.spend.provider].add(each.spend.day)
    return [Reconciliation(basis="calls", provider=provider, list_usd=listed, actual_usd=cost, days=len(days[provider]))
            for provider, (listed, cost) in sorted(sums.items(), key=lambda x: -x[1][0])]


def _of_costs(priced: Sequence[Priced], costs: Sequence[Spend]) -> list[Reconciliation]:
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
            found.append(Reconciliation(
                basis="costs", provider=provider, list_usd=sum(used[day] for day in both),
                actual_usd=sum(by_day[day] for day in covered), days=len(covered), unused_days=len(unused),
                unused_usd=sum(by_day[day] for day in unused)))
    return found


def _of_bill(priced: Sequence[Priced], bill: float | None, complete: Sequence[int]) -> list[Reconciliation]:
    """The bill of a month against the list price of the mean complete day, over 365/12 days."""
    days = set(complete)
    if bill is None or not days:
        return []
    listed = sum(each.list_usd or 0.0 for each in priced if each.spend.day in days)
    return [Reconciliation(basis="bill", provider=None, list_usd=listed / len(days) * DAYS_PER_MONTH, actual_usd=bill,
                           days=len(days))]
