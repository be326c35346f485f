"""The price list of an API on the as-of date, and those to come: the catalog's, and what the scenario states in their place."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date as Date
from datetime import timedelta
from typing import Final

from roi.catalog.models.shapes import known_model
from roi.catalog.prices.api_prices import announced_price, find_api_price, find_provider
from roi.catalog.prices.vendors import cache_minimum
from roi.errors import InputError, ScenarioError, UnknownName
from roi.facts.case import OWN_SERVERS
from roi.facts.price import ApiPrice
from roi.resolution.fact_sheet import FROM_FIELD, FactSheet
from roi.scenario.quantity import value_of
from roi.scenario.scenario import Scenario, model_part
from roi.scenario.sections.apis import RATES as API_RATES
from roi.scenario.sections.apis import AnnouncedPrice, ApiTerms
from roi.scenario.sections.demand import Incumbent, Seats, UnitsToday
from roi.units import DAYS_PER_MONTH, dollars

RATES = ("input", "output", "cache_read", "cache_write", "batch_input", "batch_output", "batch_cache_read", "batch_cache_write")
"""Rows of a price list, in its own words and in those of `Api`."""
WRITES = ("cache_write_usd_per_mtok", "batch_cache_write_usd_per_mtok")
"""Rates for writing to a cache."""
BOTH: Final = frozenset({"input", "output"})
"""The rates that make a price list of their own."""
DAY: Final = timedelta(days=1)
ROUNDED: Final = 0.01
"""Part of a rate by which a ratio as people write it may miss it: 1.33 for a third more."""


@dataclass(frozen=True)
class Terms:
    """What the scenario says of one API, and where."""

    own: ApiTerms
    field: str = ""
    """The block of the scenario; empty where it says nothing."""
    committed_months: float | None = None
    """Months from the as-of date to the end of a commitment's last day."""
    writes: bool = True
    """False where nothing is paid for writing to its cache, though the list has a price for that."""
    minimum: float | None = None
    """Tokens of the shortest prefix that its cache holds, by the scenario; None: as the list says."""
    passed: int = 0
    """How many of the announced prices have come by the as-of date; what they state is stated of today."""
    scaled: str = ""
    """The announced price whose ratio the rates of the list that are not stated were multiplied by; empty where none was."""
    before: ApiPrice | None = None
    """The price list that the ratios of announced ones are over; None where there was none."""
    remark: str = ""
    """What became of the announced prices that have come, and of a price by length."""

    @property
    def rates(self) -> dict[str, float]:
        """The rates that are stated of today, by their name in RATES."""
        return {name: rate for name, (rate, _) in self._stated().items()}

    def source(self, rate: str) -> str | None:
        """The field that states a rate of today, or what it is times; None where it is the list's."""
        _, field = self._stated().get(rate, (0.0, self.scaled and f"{self.scaled}.price_ratio"))
        return FROM_FIELD[0] + field if field else None

    @property
    def ratio(self) -> tuple[str, AnnouncedPrice] | None:
        """(field, announced price) of the last one with a ratio among those that have come; None where none has one."""
        return next(((field, told) for field, told in reversed(self._come()) if told.price_ratio is not None), None)

    def _come(self) -> list[tuple[str, AnnouncedPrice]]:
        return [(f"{self.field}.announced.{k}", told) for k, told in enumerate(self.own.announced[: self.passed])]

    def _stated(self) -> dict[str, tuple[float, str]]:
        """Rate and field of each: a ratio is over what was stated before the first of them, a rate takes the place of one."""
        written = {name: (rate, f"{self.field}.{name}_usd_per_mtok") for name, rate in self.own.rates.items()}
        found = written
        for field, told in self._come():
            if (ratio := told.price_ratio) is None:
                found = found | {name: (rate, f"{field}.{name}_usd_per_mtok") for name, rate in told.rates.items()}
            else:
                found = {name: (ratio * rate, f"{field}.price_ratio") for name, (rate, _) in written.items()}
        return found


LIST_TERMS = Terms(ApiTerms())


def terms_of(s: Scenario, name: str) -> Terms:
    """The scenario's terms of the API that it calls `name`."""
    own = s.apis.get(name)
    if own is None:
        return LIST_TERMS
    passed = sum(told.from_date <= s.as_of for told in own.announced)
    return Terms(own, f"apis.{name}", months_to_last_day(own, s.as_of), passed=passed)


def months_to_last_day(terms: Incumbent | ApiTerms | UnitsToday | Seats, as_of: Date) -> float | None:
    """Months from the as-of date to the end of the last day of a commitment, both days counted; None where it has none."""
    until = terms.committed_until
    return None if until is None else max(((until - as_of).days + 1) / DAYS_PER_MONTH, 0.0)


def api_price(s: Scenario, provider: str | None, model: str, field: str, terms: Terms) -> tuple[ApiPrice, Terms]:
    """Today's price list, each stated rate in its place; stated rates alone where the catalog does not hold the model.

    A model that one serves has no price by the token. The terms hold what announced prices that have come make of it.
    """
    if provider is not None and s.incumbent.served:
        own = Terms(ApiTerms(input_usd_per_mtok=0.0, output_usd_per_mtok=0.0), "costs")
        return _stated_price(s, OWN_SERVERS, model, own), terms
    written = replace(terms, passed=0)
    listed = _listed(s, provider, model, field, terms, s.as_of)
    price, terms = price_in_force(
        listed, terms,
        before=lambda day: _listed(s, provider, model, field, written, day),
        discount=value_of(s.incumbent.discount if provider is not None else terms.own.discount),
    )
    terms = replace(terms, remark="; ".join(filter(None, (terms.remark, _for_any_length(s, listed, terms)))))
    return price.model_copy(update={"changes_on": None}) if terms.rates.keys() >= BOTH else price, terms


def _for_any_length(s: Scenario, listed: ApiPrice, terms: Terms) -> str:
    """Says that a stated rate replaces one by length, where the list asks another for some of the workload's prompts."""
    edge = next(iter(listed.edges_tokens[1:]), math.inf)
    long = s.workload.share_longer(edge)
    rows: dict[str, tuple[float, ...]] = {name: getattr(listed, f"{name}_usd_per_mtok") or (0.0,) for name in terms.rates}
    name = next((name for name, row in rows.items() if row[-1] > row[0] > 0.0), None)
    if name is None or not long:
        return ""
    row = rows[name]
    return (f"{terms.field}.{name}_usd_per_mtok holds for prompts of any length; the list asks {row[1] / row[0]:.3g} x as much"
            f" beyond {edge:,.0f} tokens, and {long:.0%} of the requests are longer")


def _listed(s: Scenario, provider: str | None, model: str, field: str, terms: Terms, day: Date) -> ApiPrice:
    """The catalog's list of a day, or of stated rates alone."""
    rates = terms.rates
    try:
        if provider is not None:
            find_provider(provider, f"{field}.provider")
        return find_api_price(provider, model, day, field if provider is None else f"{field}.model")
    except InputError as error:
        head, _, rest = (provider, "", model) if provider else model.partition("/")
        if rates.keys() >= BOTH and rest:
            return _stated_price(s, head, rest, terms)
        if rates:
            raise ScenarioError(terms.field, sorted(rates), "the catalog does not hold this model: give provider/model,"
                                " input_usd_per_mtok and output_usd_per_mtok") from None
        if isinstance(error, UnknownName):
            name = model if provider is None else f"{provider}/{model}"
            served = "candidates.self_hosted" if provider is None else f"where you serve it already, provider: {OWN_SERVERS}"
            hosted = f"; {model_part(name)} is an open model: {served}" if known_model(model_part(name)) else ""
            raise InputError(f"{error}{hosted}; a model without a list price needs apis.{name}.input_usd_per_mtok and"
                             " output_usd_per_mtok") from None
        raise


def with_rates(price: ApiPrice, terms: Terms) -> ApiPrice:
    """The price list with each stated rate in its place, in every tier, and none of writing to a cache that is not paid for.

    And with the shortest prefix that its cache is stated to hold.
    """
    rows = {f"{name}_usd_per_mtok": (rate,) * len(price.edges_tokens) for name, rate in terms.rates.items()}
    free = {} if terms.writes else dict.fromkeys(WRITES)
    least = {} if terms.minimum is None else {"cache_minimum_tokens": int(terms.minimum)}
    return price.model_copy(update=rows | free | least)


def _stated_price(s: Scenario, provider: str, model: str, terms: Terms) -> ApiPrice:
    """A price list of stated rates alone."""
    rates = terms.rates
    rule = cache_minimum(provider, model) if "cache_read" in rates else None
    return ApiPrice(
        provider=provider, model=model, input_usd_per_mtok=(rates["input"],), output_usd_per_mtok=(rates["output"],),
        cache_minimum_tokens=rule.minimum_tokens if rule else None, source=f"scenario {terms.field}", date=s.as_of,
    )


def price_in_force(
    listed: ApiPrice, terms: Terms, *, before: Callable[[Date], ApiPrice], discount: float,
) -> tuple[ApiPrice, Terms]:
    """Today's price list, and the terms with what announced prices that have come make of it.

    Rates that they state are today's. A ratio is over the list of the day before the first of them, which `before` gives: all
    of that list moves, unless the catalog holds one of its day or a later one, which then stands. ScenarioError where such a
    list and a discount leave open which of the two has ended.
    """
    today, ratio = with_rates(listed, terms), terms.ratio
    if not terms.passed:
        return today, replace(terms, before=today)
    day = terms.own.announced[0].from_date - DAY
    try:
        old = with_rates(before(day), replace(terms, passed=0))
    except InputError:  # nobody had a price of it then
        old = None
    last = terms.own.announced[terms.passed - 1]
    said = f"{terms.field}.announced.{terms.passed - 1} is in force since {last.from_date}: today's price is "
    field, told = ratio or ("", last)
    times = told.price_ratio or 1.0
    if ratio is not None and listed.date < told.from_date and old is not None:
        today = with_rates(_times(old, times), terms)
        remark = f"{said}{_in_and_out(today)}; its ratio is over the list of {day} ({old.source})"
        return today, replace(terms, scaled=field, before=old, remark=remark)
    if ratio is None or terms.rates.keys() >= BOTH:
        return today, replace(terms, before=old, remark=f"{said}{_in_and_out(today)}")
    came = old is not None and all(
        _alike(getattr(today, rate), [times * usd for usd in getattr(old, rate)])
        for rate in ("input_usd_per_mtok", "output_usd_per_mtok"))
    if discount != 0.0 and not came:
        why = (f"the list of {listed.date} is newer and did not move so; whether the discount of {discount:.3g} has ended, or"
               " that price has not come, the catalog cannot say: set discount as it is now, and take this price out")
        raise ScenarioError(f"{field}.price_ratio", times, why)
    was = "" if old is None or came else f", on {day} {_in_and_out(old)}"
    why = "which has it" if came else f"which is newer: {_in_and_out(today)}{was}; where you pay another, state its rates"
    return today, replace(terms, before=old, remark=f"{field}.price_ratio is not counted of the list of {listed.date}, {why}")


def _alike(some: Sequence[float], others: Sequence[float]) -> bool:
    return len(some) == len(others) and all(math.isclose(x, y, rel_tol=ROUNDED) for x, y in zip(some, others, strict=True))


def _in_and_out(price: ApiPrice) -> str:
    return f"{dollars(price.input_usd_per_mtok[0])} in and {dollars(price.output_usd_per_mtok[0])} out a million tokens"


def _times(price: ApiPrice, ratio: float) -> ApiPrice:
    """The price list with all its rates times a ratio, in place of what its vendor has announced of it."""
    rows = {f"{name}_usd_per_mtok": getattr(price, f"{name}_usd_per_mtok") for name in RATES}
    scaled = {name: tuple(ratio * rate for rate in row) for name, row in rows.items() if row is not None}
    return price.model_copy(update=scaled | {"note": "", "changes_on": None})


def lists_to_come(sheet: FactSheet, s: Scenario, price: ApiPrice, terms: Terms) -> Iterator[tuple[Date, ApiPrice, Terms]]:
    """The lists within the horizon that the scenario states, else those that the vendor has announced.

    The first day of each, its rates, and where those come from.
    """
    yield from (_stated_lists if terms.own.announced[terms.passed :] else _vendors_lists)(sheet, s, price, terms)


def _vendors_lists(sheet: FactSheet, s: Scenario, price: ApiPrice, terms: Terms) -> Iterator[tuple[Date, ApiPrice, Terms]]:
    listed = price
    while (day := listed.changes_on) is not None and (day - s.as_of).days / DAYS_PER_MONTH < s.horizon_months:
        later = announced_price(listed)
        if later is None:
            sheet.warnings.append(f"{price.provider}/{price.model}: another price from {day} on is announced, but not one of"
                                  " tokens: not counted")
            return
        later = with_rates(later, terms)
        listed = later if later.changes_on is None or later.changes_on > day else later.model_copy(update={"changes_on": None})
        yield day, listed, terms


def _stated_lists(sheet: FactSheet, s: Scenario, price: ApiPrice, terms: Terms) -> Iterator[tuple[Date, ApiPrice, Terms]]:
    """Lists that the scenario states: a ratio is over the list before the first of them, rates over the one before theirs."""
    for number, told in enumerate(terms.own.announced[terms.passed :], terms.passed):
        field, day = f"{terms.field}.announced.{number}", told.from_date
        if (day - s.as_of).days / DAYS_PER_MONTH >= s.horizon_months:
            sheet.warnings.append(f"{field} moves nothing: it lies beyond the horizon of {s.horizon_months} months")
            continue
        if told.price_ratio is None:
            stay = [name for name in API_RATES if name not in told.rates and _may_bill(s, name, price, terms)]
            if stay:
                names = ", ".join(f"{name}_usd_per_mtok" for name in stay)
                sheet.warnings.append(f"{field} says nothing of {names}: the price before stands there, from {day} on too")
        elif terms.before is None:
            why = (f"no list of {terms.own.announced[0].from_date - DAY} is known, which it is over: state the rates from {day}"
                   " on")
            raise ScenarioError(f"{field}.price_ratio", told.price_ratio, why)
        else:
            price, terms = _times(terms.before, told.price_ratio), replace(terms, scaled=field)
        own = replace(terms, passed=number + 1)
        price = with_rates(price, own)
        yield day, price, own


def _may_bill(s: Scenario, rate: str, price: ApiPrice, terms: Terms) -> bool:
    """True where the list has such a rate, and the workload a prefix that may be cached, or requests that may go in batch."""
    w, i = s.workload, s.incumbent
    today = i.batch_share if terms.field == f"apis.{i.provider}/{i.model}" else terms.own.batch_share
    cached = "cache" not in rate or w.longest_prefix > 0.0
    batched = "batch" not in rate or max(value_of(w.can_wait_share), value_of(today or 0.0)) > 0.0
    return cached and batched and getattr(price, f"{rate}_usd_per_mtok") is not None


def cost_ratio(s: Scenario, other: ApiPrice, price: ApiPrice) -> float | None:
    """List cost of the mean request at another price over that at the price; None where the latter is 0."""
    old = mean_cost(s, price)
    return mean_cost(s, other) / old if old > 0 else None


def mean_cost(s: Scenario, price: ApiPrice) -> float:
    """List cost of a million mean requests at its lowest tier, USD."""
    w = s.workload
    if w.lengths is not None:
        given, answered = (sum(b.share * getattr(b, name) for b in w.lengths) for name in ("input_tokens", "output_tokens"))
    else:
        given, answered = value_of(w.input_tokens or 0.0), value_of(w.output_tokens or 0.0)
    return float(price.input_usd_per_mtok[0] * given + price.output_usd_per_mtok[0] * answered)


def own_price(s: Scenario, name: str, on: Date) -> tuple[ApiPrice, float] | None:
    """(The list of the API that the scenario calls `name` on a day by its terms, the discount on it); None without terms.

    Rates that are stated hold on each day until an announced list begins: nobody says since when. So does the discount, which
    the incumbent has in a field of its own.
    """
    i, s = s.incumbent, s.model_copy(update={"as_of": on})
    terms = terms_of(s, name)
    paid = name == f"{i.provider}/{i.model}"
    off = value_of(i.discount if paid else terms.own.discount)
    if not (terms.own.rates or off or terms.passed):
        return None
    provider, model, field = (i.provider, i.model, "incumbent") if paid else (None, name, "apis")
    return api_price(s, provider, model, field, terms)[0], off
