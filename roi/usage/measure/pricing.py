"""Sums of tokens priced at the list of their day, beside what the source reports that they cost."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import lru_cache

from roi.catalog.prices.api_prices import find_api_price
from roi.catalog.prices.token_rates import TokenRates, own_rates, price_or_reason
from roi.facts.price import ApiPrice
from roi.usage.measure.aggregate import EDGES, SUMS, Service, Spend
from roi.usage.read.names_alone import NO_MODEL, NOT_A_NAME
from roi.usage.read.record import PROMPT, TOKENS

EPOCH = date(1970, 1, 1)
TEXT_FOR_MODEL = (
    "no price: where the model should stand is a text, which is not shown; perhaps the cells of these rows are shifted, or"
    " another column holds the model (--map model=COLUMN)"
)

FAR_BELOW = 20
"""Times that the mean prompt of a bucket fits under a price edge for that edge not to matter: calls of one task differ less."""
MOST_MODELS = 500
"""Models of a log up to which those without a price are compared with every name that has one: 10 ms each."""
OwnPrices = Callable[[str | None, str, date], tuple[ApiPrice, float] | None]
"""What a scenario says that a provider's model costs on a day: its list and the discount on it; None where it says nothing."""


@dataclass(frozen=True)
class Priced:
    """One sum, priced."""

    spend: Spend
    list_usd: float | None
    """USD at list price; None where no price is known."""
    list_high_usd: float | None
    """USD at list price if cached tokens that may be counted twice are (perhaps_cached); list_usd where there are none."""
    note: str = ""
    """Why there is no price, or what the list does not say."""
    rates: TokenRates | None = None
    public: "Priced | None" = None
    """The sum at the public list, where `own` has terms of this model; else None."""
    own: OwnPrices | None = field(default=None, repr=False, compare=False)
    """Terms of a scenario's, which take the place of the list price."""

    @property
    def tier(self) -> int:
        """Number of the list's tier by length that its calls pay; 0 where no price is known."""
        return 0 if self.rates is None else _tier(self.spend, self.rates)[0]

    @property
    def of_no_list(self) -> bool:
        """True where its batch or tier is on no list of any day, so that the standard price stands."""
        return self.rates is not None and self.rates.unlisted is not None and self.rates.unlisted.since is None

    @property
    def usd(self) -> float | None:
        """What was spent, as far as it is known: what the source reports, else the list price."""
        return self.spend.cost_usd if self.spend.costed else self.list_usd


def day_of(number: int) -> date:
    """The day of a count of days since 1970."""
    return EPOCH + timedelta(days=number)


def price_spend(rows: Iterable[Spend], own: OwnPrices | None = None) -> tuple[Priced, ...]:
    """Each sum at the list price of its day, or by the terms of one's own where those have its model."""
    rows = list(rows)
    brief = len({row.model for row in rows}) > MOST_MODELS
    return tuple(_price(row, own, brief=brief) for row in rows)


def own_of(rows: Iterable[Priced]) -> OwnPrices | None:
    """The terms by which the sums are priced."""
    return next((each.own for each in rows), None)


def price_on(rows: Iterable[Priced], provider: str | None, model: str, on: date, field: str = "model") -> ApiPrice:
    """The list of a model on a day, by the terms of the sums where they have it; raises where there is none."""
    own = own_of(rows)
    stated = None if own is None else own(provider, model, on)
    return find_api_price(provider, model, on, field) if stated is None else stated[0]


def _price(row: Spend, own: OwnPrices | None, *, brief: bool) -> Priced:
    """One sum at the list price of its day, which own terms of the model take the place of."""
    found = _at_list(row, brief=brief)
    if own is None:
        return found
    stated = None if row.model is None or row.day is None else own(row.provider, row.model, day_of(row.day))
    if stated is None:
        return replace(found, own=own)
    rates = own_rates(*stated, found.rates or found.note, batch=row.batch, tier=row.tier)
    return replace(_at(row, rates), public=found, own=own)


def _at_list(row: Spend, *, brief: bool) -> Priced:
    if row.model is None:
        return Priced(row, None, None, "no model named")
    if row.model == NO_MODEL:
        return Priced(row, None, None, "no price without it: --provider and --model name it")
    if row.model == NOT_A_NAME:
        return Priced(row, None, None, TEXT_FOR_MODEL)
    assert row.day is not None  # rows without a time do not count
    rates = _rates(row.provider, row.model, row.day, batch=row.batch, tier=row.tier, brief=brief)
    return Priced(row, None, None, rates) if isinstance(rates, str) else _at(row, rates)


def _at(row: Spend, rates: TokenRates) -> Priced:
    """The sum at these rates."""
    tier, note = _tier(row, rates)
    counts = {name: float(row.tokens[name]) for name in (*TOKENS, "cache_write_1h")}
    low = rates.usd(tier, **counts)
    more = row.tokens["perhaps_cached"]
    top = tier if row.top_class is None else _tier(replace(row, size_class=row.top_class), rates)[0]
    high = rates.usd(top, **{**counts, "uncached_input": counts["uncached_input"] + more})
    unlisted = "" if rates.unlisted is None else rates.unlisted.told
    return Priced(row, low, high, "; ".join(filter(None, (unlisted, note))), rates)


def spent(rows: Iterable[Priced]) -> float:
    """The USD of all that has a price or a reported cost."""
    return sum(each.usd or 0.0 for each in rows)


def searched_usd(rows: Iterable[Priced]) -> float:
    """List price of the web searches that the provider ran for these calls, in USD: billed a piece, beside the tokens."""
    return sum(each.spend.tokens["web_searches"] * (each.rates.usd_per_1000_searches or 0.0) / 1000.0
               for each in rows if each.rates is not None)


def list_on(rows: Sequence[Priced], day: int) -> list[float | None]:
    """USD of each sum at the list price of the day."""
    return [own.list_usd for own in price_spend([replace(each.spend, day=day) for each in rows], own_of(rows))]


def at_list_of(rows: Sequence[Priced], day: int) -> tuple[Priced, ...]:
    """The sums as the same tokens would cost at the list price of the day, a reported cost as far above it or below as it was.

    How far is told by provider, model, batch and tier: by the days whose list is that day's, so that a contract whose price
    stays when the list moves is not moved with it; where there are none, by all. As it is where the day has no price.
    """
    now = [each.list_usd if listed is None else listed for each, listed in zip(rows, list_on(rows, day), strict=True)]
    paid, listed = ({same: defaultdict[Service, float](float) for same in (True, False)} for _ in range(2))
    for each, usd in zip(rows, now, strict=True):
        if each.spend.costed and each.list_usd:
            paid[each.list_usd == usd][each.spend.service] += each.spend.cost_usd
            listed[each.list_usd == usd][each.spend.service] += each.list_usd
    moved = []
    for each, usd in zip(rows, now, strict=True):
        kind, spend = each.spend.service, each.spend
        if usd is not None and usd != each.list_usd and (over := listed[True][kind] or listed[False][kind]):
            spend = replace(spend, cost_usd=usd * (paid[True] if listed[True][kind] else paid[False])[kind] / over)
        moved.append(replace(each, spend=spend, list_usd=usd))
    return tuple(moved)


def price_changes(priced: Iterable[Priced]) -> set[int]:
    """The days, each with calls, on which the list of some service is another than on the day before with calls of it."""
    found, last = set(), dict[Service, TokenRates | None]()
    for each in sorted(priced, key=lambda each: each.spend.day or 0):
        if each.spend.day is not None and last.setdefault(each.spend.service, each.rates) != each.rates:
            found.add(each.spend.day)
        last[each.spend.service] = each.rates
    return found


def price_groups(groups: Iterable[Spend], priced: Iterable[Priced]) -> tuple[Priced, ...]:
    """Sums of groups at the list price of the first day of their weekday and part of the log with calls of their service."""
    priced, days = tuple(priced), defaultdict[Service, list[int]](list)
    for each in sorted(priced, key=lambda each: each.spend.day or 0):
        days[each.spend.service].append(each.spend.day or 0)
    return price_spend((replace(row, day=next((day for day in days[row.service]
                                              if day >= (row.day or 0) and (day - (row.day or 0)) % 7 == 0), row.day))
                        for row in groups), own_of(priced))


def _tier(row: Spend, rates: TokenRates) -> tuple[int, str]:
    """The price tier of the row's calls, and what is not known about it."""
    if len(rates.edges_tokens) == 1:
        return 0, ""
    if row.size_class is not None:
        above = EDGES[row.size_class - 1] if row.size_class else 0
        return sum(edge <= above for edge in rates.edges_tokens) - 1, ""
    if row.long_context is not None:
        return int(row.long_context), ""
    prompts = sum(row.tokens[name] for name in PROMPT)
    if row.requests and prompts * FAR_BELOW < row.requests * rates.edges_tokens[1]:
        return 0, ""
    return 0, f"calls above {rates.edges_tokens[1]:,.0f} input tokens cost more; a bucket does not tell them apart"


@lru_cache(maxsize=65536)
def _rates(
    provider: str | None, model: str, day: int, *, batch: bool, tier: str | None, brief: bool,
) -> TokenRates | str:
    """The day's rates; looked up once a month where the month's ends agree."""
    on = day_of(day)
    first = on.replace(day=1)
    last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    ends = [price_or_reason(provider, model, each, batch=batch, tier=tier, brief=brief) for each in (first, last)]
    if ends[0] == ends[1] or (isinstance(ends[0], str) and isinstance(ends[1], str)):
        return ends[1]
    return price_or_reason(provider, model, on, batch=batch, tier=tier, brief=brief)


def total_tokens(rows: Sequence[Spend]) -> dict[str, int]:
    """Sums of every token count."""
    return {name: sum(row.tokens[name] for row in rows) for name in SUMS}


def total_requests(rows: Sequence[Spend]) -> int | None:
    """Requests; None where some row does not count them."""
    known = [row.requests for row in rows if row.requests is not None]
    return sum(known) if len(known) == len(rows) else None
