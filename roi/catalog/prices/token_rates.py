"""What tokens that were spent cost at list price on their day: standard, batch, flex and priority, each token kind apart.

A scenario's price (api_prices) leaves tiers of service out; a log of what was spent names them, so they are looked up here.
"""

from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any

from roi.catalog.prices.api_prices import find_api_price, find_provider, genai_model, sellers_of
from roi.catalog.prices.genai import (
    BATCH,
    at_noon,
    package_name,
    release_day,
    stated_on,
    tier_edges,
    tier_rates,
    variant_before,
    variant_prices,
)
from roi.catalog.prices.own_prices import cached_with_own
from roi.errors import InputError, NoListPrice, UnknownName
from roi.facts.price import ApiPrice

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice

FREE_TIERS = ("incentivized-tier",)
"""Tokens that the provider gives away (OpenAI, for data that is shared with it)."""

KINDS = ("uncached_input", "cache_read", "cache_write", "cache_write_1h", "output")
"""Rates of tokens."""
Rates = tuple[float, ...]


@dataclass(frozen=True)
class Unlisted:
    """A service that the list of a day has no price of, and what stands in its place."""

    service: str
    """What genai-prices calls it: batch, or a tier without its ending."""
    since: date | None = None
    """The first day that lists it, whose price stands; None where none does, and the standard price stands."""
    moved: bool = False
    """True where that day's price is moved as the standard one has moved until then."""

    @property
    def told(self) -> str:
        """A clause for a report: which price the list lacks, until when, and what stands in for it."""
        if self.since is None:
            return f"no {self.service} price is listed; the standard one stands"
        moved = ", moved as the standard one" if self.moved else ""
        return f"no {self.service} price is listed before {self.since}; that day's stands{moved}"


@dataclass(frozen=True)
class TokenRates:
    """USD per million tokens, one number for each price tier; a tier holds for calls with more input tokens than its edge."""

    edges_tokens: Rates
    uncached_input: Rates
    cache_read: Rates
    cache_write: Rates
    cache_write_1h: Rates
    output: Rates
    source: str
    stated: date | None = field(default=None, compare=False)
    """The day as of which the source states them; None of what is free."""
    unlisted: Unlisted | None = None
    """The batch or the tier that the list does not have; None where it says all."""
    usd_per_1000_searches: float | None = None
    """USD for 1,000 web searches that the provider runs for a call; None where the list says none."""

    def usd(self, tier: int, *, uncached_input: float, cache_read: float, cache_write: float, cache_write_1h: float,
            output: float) -> float:
        """USD of these tokens, all from calls of one tier; cache_write holds cache_write_1h."""
        k = min(tier, len(self.edges_tokens) - 1)
        return (
            uncached_input * self.uncached_input[k] + cache_read * self.cache_read[k]
            + (cache_write - cache_write_1h) * self.cache_write[k] + cache_write_1h * self.cache_write_1h[k]
            + output * self.output[k]
        ) / 1e6  # fmt: skip


def _price_context(*, batch: bool, tier: str | None) -> dict[str, str]:
    """What genai-prices calls this service: batch processing, or a tier without its ending (flex-tier is flex)."""
    if batch:
        return BATCH
    name = (tier or "").removesuffix("-tier").removesuffix("_tier")
    return {"service_tier": name} if name and name not in ("default", "standard") else {}


def _contexts(context: dict[str, str]) -> tuple[dict[str, str], ...]:
    """The ways in which genai-prices may write it: OpenAI's fast is a tier of service, Anthropic's a speed."""
    return (context, {"speed": "fast"}) if context.get("service_tier") == "fast" else (context,)


def own_rates(
    own: ApiPrice, discount: float, listed: TokenRates | str, *, batch: bool = False, tier: str | None = None,
) -> TokenRates:
    """Rates by a price list of one's own, less a discount on it; `listed` are those of the public list, or why it has none.

    A tier of service stays at the public list, which is discounted too, and so do writes kept an hour, and web searches, which
    are not: no list of one's own says them.
    """
    public = None if isinstance(listed, str) else listed
    context = {} if batch else _price_context(batch=False, tier=tier)
    if public is not None and (tier in FREE_TIERS or (context and public.unlisted != _never(context))):
        found = public
    else:
        found = _of_hosted(own, batch=batch, context=BATCH if batch else context)
        if public is not None and own.cache_write_usd_per_mtok and public.edges_tokens == own.edges_tokens:
            found = replace(found, cache_write_1h=public.cache_write_1h)
    rows: dict[str, Any] = {  # Any: fields of TokenRates
        name: tuple((1.0 - discount) * rate for rate in getattr(found, name)) for name in KINDS}
    return replace(found, **rows, usd_per_1000_searches=None if public is None else public.usd_per_1000_searches)


@cached_with_own(ApiPrice, 4096)
def token_rates(provider: str | None, model: str, on: date, *, batch: bool = False, tier: str | None = None) -> TokenRates:
    """Rates of `model` at `provider` on a day; without a provider, of the one provider that has it.

    Raises UnknownName or ScenarioError where no price is known. A token kind without a rate of its own pays what the provider
    bills instead: cache reads and writes the input price, writes kept an hour the price of writes. Before the first day that
    lists batch or the tier, that day's prices stand, moved as the standard ones did; where none is ever listed, the standard
    ones. `unlisted` says either.
    """
    if tier in FREE_TIERS:
        return _rates((0.0,), (0.0,), None, None, (0.0,), source=f"free tier {tier}")
    context = _price_context(batch=batch, tier=tier)
    try:
        standard = find_api_price(provider, model, on)
    except NoListPrice:
        if (given := _of_embeddings(provider, model, on)) is None:
            raise
        return _rates((0.0,), given, None, None, (0.0,), source=package_name(), stated=release_day(),
                      unlisted=_never(context))
    listed = genai_model(find_provider(standard.provider, "provider"), model)
    noon = at_noon(on)
    if listed is None or not _says(listed.get_prices(noon), standard):
        return _of_hosted(standard, batch=batch, context=context)
    prices, unlisted = (_of_service(listed, context, on) if context else None) or (listed.get_prices(noon), _never(context))
    edges = sorted(tier_edges(prices))
    given = tier_rates(prices, "input_mtok", edges) or standard.input_usd_per_mtok
    output = tier_rates(prices, "output_mtok", edges) or standard.output_usd_per_mtok
    read, write, kept = (tier_rates(prices, f"cache_{name}_mtok", edges) for name in ("read", "write", "write_1h"))
    found = _rates(tuple(edges), given, read, write, output, kept, source=standard.source, stated=stated_on(standard),
                   unlisted=unlisted)
    searches = getattr(prices, "web_searches_kcount", None)
    return found if searches is None else replace(found, usd_per_1000_searches=float(searches))


def _of_embeddings(provider: str | None, model: str, on: date) -> Rates | None:
    """The input rate of a model that writes no tokens, which is all of its price; None of any other.

    A scenario's price has none of it: beside models that write an answer it would be the cheapest of all.
    """
    sellers = sellers_of(model) if provider is None else [provider]
    known = len(sellers) == 1 and "embed" in model.lower()
    listed = genai_model(find_provider(sellers[0], "provider"), model) if known else None
    prices = None if listed is None else listed.get_prices(at_noon(on))
    return tier_rates(prices, "input_mtok", [0.0]) if prices is not None and prices.output_mtok is None else None


def _says(prices: "ModelPrice", standard: ApiPrice) -> bool:
    """True where genai-prices lists this price; False where it is the user's own, and another."""
    edges, pairs = list(standard.edges_tokens), (("input_mtok", standard.input_usd_per_mtok),
                                                 ("output_mtok", standard.output_usd_per_mtok))
    return all(tier_rates(prices, key, edges) == rates for key, rates in pairs)


def _of_service(model: "ModelInfo", context: dict[str, str], on: date) -> "tuple[ModelPrice, Unlisted | None] | None":
    """The prices of a service on a day, and what they rest on where they were not listed yet; None where they never are."""
    noon = at_noon(on)
    for each in _contexts(context):
        if (prices := variant_prices(model, each, noon)) is not None:
            return prices, None
    for each in _contexts(context):
        if (before := variant_before(model, each, noon)) is not None:
            prices, since = before
            moved = model.get_prices(noon) != model.get_prices(at_noon(since))
            return prices, Unlisted(next(iter(context.values())), since, moved)
    return None


def _never(context: dict[str, str]) -> Unlisted | None:
    """What is said of a service that no list has; None of the standard one."""
    return Unlisted(next(iter(context.values()))) if context else None


def _of_hosted(price: ApiPrice, *, batch: bool, context: dict[str, str]) -> TokenRates:
    """A row of the catalog's own list."""
    given, out = price.input_usd_per_mtok, price.output_usd_per_mtok
    read, write = price.cache_read_usd_per_mtok, price.cache_write_usd_per_mtok
    if batch and price.batch_input_usd_per_mtok is not None and price.batch_output_usd_per_mtok is not None:
        given, out = price.batch_input_usd_per_mtok, price.batch_output_usd_per_mtok
        read, write = price.batch_cache_read_usd_per_mtok, price.batch_cache_write_usd_per_mtok
        context = {}
    return _rates(price.edges_tokens, given, read, write, out, source=price.source, stated=stated_on(price),
                  unlisted=_never(context))


def _rates(
    edges: Rates, given: Rates, read: Rates | None, write: Rates | None, output: Rates, kept: Rates | None = None, *,
    source: str, stated: date | None = None, unlisted: Unlisted | None = None,
) -> TokenRates:
    """The rates, those without one of their own at what the provider bills instead; `kept` is of writes kept an hour."""
    write = write or given
    return TokenRates(
        edges_tokens=edges, uncached_input=given, cache_read=read or given, cache_write=write, cache_write_1h=kept or write,
        output=output, source=source, stated=stated,
        unlisted=unlisted,
    )


def price_or_reason(
    provider: str | None, model: str, on: date, *, batch: bool = False, tier: str | None = None, brief: bool = False,
) -> TokenRates | str:
    """The rates, or one sentence why there are none; `brief`: without the nearest names."""
    try:
        return token_rates(provider, model, on, batch=batch, tier=tier)
    except UnknownName as error:
        return error.brief if brief else str(error)
    except InputError as error:
        return str(error)
