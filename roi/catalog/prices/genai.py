"""One model of genai-prices as an ApiPrice: the one place that knows how that package stores rates."""

import re
from collections.abc import Iterator
from copy import copy
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING

from roi.catalog.prices.vendors import cache_minimum
from roi.errors import NoListPrice, RoiError, words_of
from roi.facts.price import ApiPrice, CacheMinimum

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, Provider, TieredPrices

RELEASED = {"0.2.3": date(2026, 11, 10)}
"""Release day of each genai-prices version: its prices are stated as of that day. A later version counts as the last."""
BATCH = {"processing": "batch"}
OF_OTHERS = re.compile(r"(?i)(?<![a-z])(audio|images?|live|realtime|speech|transcribe|tts|video|voice)(?![a-z])")
"""Words in the names of models that read or make something else than text."""
OTHER_TOKENS = "its tokens are not those of text (speech, images), and each kind has a price of its own"
RATES = ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok")


def list_price(
    provider: "Provider", model: "ModelInfo", asked: str, as_of: date, field: str, *, updated: date | None = None,
) -> ApiPrice:
    """The price that genai-prices holds for `model` on `as_of` at 12:00 UTC, batch rates from its batch variant.

    `updated`: the day on which these data were fetched, where they are not the package's own.

    A rate that the batch variant omits keeps the standard one (genai-prices' rule); before its first day that day's stand
    (`variant_before`). A model that `provider` takes over from its maker's list has no batch variant there. Batch cache rates
    are given only where cache_minimums.csv says that the provider combines the two.
    """
    noon = at_noon(as_of)
    standard = model.get_prices(noon)
    unmodelled = _unmodelled(standard) or (OTHER_TOKENS if OF_OTHERS.search(model.id) else "")
    if unmodelled:
        rates = tier_rates(standard, "input_mtok", [0]) if standard.output_mtok is None else None
        used, made = (f"{rates[0]:g}", "0") if rates else ("USD", "USD")
        write = f"apis={{{provider.id}/{asked}: {{input_usd_per_mtok: {used}, output_usd_per_mtok: {made}}}}}"
        where = " where it has no output, as embeddings" if rates else ""
        raise NoListPrice(field, f"{provider.id}/{asked}", f"{unmodelled}; state a price, as {write}{where}")
    own = _lists(provider, model)
    batch, listed_from = (variant_before(model, BATCH, noon) if own else None) or (None, None)
    batch = variant_prices(model, BATCH, noon) if own and batch is None else batch
    edges = sorted(tier_edges(standard) | (tier_edges(batch) if batch else set()))
    window = model.context_window
    holds = None if window is not None and edges[-1] >= window else window  # what has a price fits
    rule = cache_minimum(provider.id, model.id) if standard.cache_read_mtok is not None else None
    stated, origin = (release_day(), package_name()) if updated is None else (updated, f"genai-prices, update of {updated}")
    combined = batch if rule is not None and rule.combines_with_batch else None
    return ApiPrice(
        provider=provider.id, model=model.id, context_tokens=holds, edges_tokens=tuple(edges),
        input_usd_per_mtok=tier_rates(standard, "input_mtok", edges) or (),
        output_usd_per_mtok=tier_rates(standard, "output_mtok", edges) or (),
        cache_read_usd_per_mtok=tier_rates(standard, "cache_read_mtok", edges),
        cache_write_usd_per_mtok=tier_rates(standard, "cache_write_mtok", edges),
        batch_input_usd_per_mtok=tier_rates(batch, "input_mtok", edges),
        batch_output_usd_per_mtok=tier_rates(batch, "output_mtok", edges),
        batch_cache_read_usd_per_mtok=tier_rates(combined, "cache_read_mtok", edges),
        batch_cache_write_usd_per_mtok=tier_rates(combined, "cache_write_mtok", edges),
        cache_minimum_tokens=rule.minimum_tokens if rule else None, changes_on=_next_change(model, as_of, stated),
        source=f"{origin}, {(provider.pricing_urls or ['no page named'])[0]}", date=min(as_of, stated),
        note="; ".join(_remarks(provider, model, asked, rule, _next_change(model, as_of, stated), listed_from)),
    )


def at_noon(day: date) -> datetime:
    """12:00 UTC of that day."""
    return datetime.combine(day, time(12), UTC)


def _unmodelled(prices: "ModelPrice") -> str:
    """Why an ApiPrice cannot say what this model costs, empty where it can."""
    if prices.input_mtok is None or prices.output_mtok is None:
        return "no price per input and output token is known"
    if prices.requests_kcount is not None:
        return f"it takes {prices.requests_kcount} USD per 1000 requests besides tokens, which is not modelled"
    if prices.output_reasoning_mtok is not None:
        return f"reasoning costs {prices.output_reasoning_mtok} USD/Mtok apart from output, which is not modelled"
    return ""


def variant_prices(model: "ModelInfo", service: dict[str, str], at: datetime) -> "ModelPrice | None":
    """Prices of a service (batch processing, a tier) that are listed for that time; None where none are."""
    for variant in model.price_variants or ():
        if variant.when == service and (variant.constraint is None or variant.constraint.active(at)):
            return model.get_prices(at, service)
    return None


def variant_before(model: "ModelInfo", service: dict[str, str], at: datetime) -> "tuple[ModelPrice, date] | None":
    """Prices of a service for a time before the first day that lists it, and that day; None where it is listed, or never is.

    That a list begins is no evidence that the service did: the prices of that first day stand, each rate times what the
    standard one has become since, from that time to that day.
    """
    starts = [getattr(variant.constraint, "start_date", None) for variant in model.price_variants or ()
              if variant.when == service]
    since = min((start for start in starts if start is not None), default=None)
    if since is None or None in starts or at.date() >= since:
        return None
    first, then, now = model.get_prices(at_noon(since), service), model.get_prices(at_noon(since)), model.get_prices(at)
    moved = copy(first)
    for key in (*RATES, "cache_write_1h_mtok"):
        if getattr(then, key) != getattr(now, key):
            setattr(moved, key, _moved(first, then, now, key))
    return moved, since


def _moved(first: "ModelPrice", then: "ModelPrice", now: "ModelPrice", key: str) -> "Decimal | TieredPrices | None":
    """The first rate times now over then, tier by tier; the first one where either is not listed or free."""
    from genai_prices.types import Tier, TieredPrices

    edges = sorted(tier_edges(first) | tier_edges(then) | tier_edges(now))
    rates = [tier_rates(prices, key, edges) for prices in (first, then, now)]
    if not all(rates) or 0.0 in (rates[1] or ()):
        return getattr(first, key)  # type: ignore[no-any-return]  # a field of genai-prices
    base, *above = [Decimal(repr(a * n / t)) for a, t, n in zip(*map(list, filter(None, rates)), strict=True)]
    return TieredPrices(base, [Tier(int(edge), rate) for edge, rate in zip(edges[1:], above, strict=True)]) if above else base


def tier_edges(prices: "ModelPrice") -> set[float]:
    """0 and every tier's start, in input tokens of one call; genai-prices compares with a strict >."""
    rates = [getattr(prices, key) for key in RATES]
    tiered = [rate for rate in rates if rate is not None and not isinstance(rate, Decimal)]
    return {0.0, *(float(tier.start) for rate in tiered for tier in rate.tiers)}


def tier_rates(prices: "ModelPrice | None", key: str, edges: list[float]) -> tuple[float, ...] | None:
    """USD per million tokens in the tier above each edge; None where no such rate exists."""
    rate: Decimal | TieredPrices | None = getattr(prices, key) if prices is not None else None
    if rate is None:
        return None
    if isinstance(rate, Decimal):
        return (float(rate),) * len(edges)
    return tuple(float([rate.base, *(t.price for t in rate.tiers if t.start <= edge)][-1]) for edge in edges)


def _next_change(model: "ModelInfo", as_of: date, stated: date) -> date | None:
    """First later day with another price, where the data was released by `as_of` (so that it was known then)."""
    from genai_prices.types import StartDateConstraint

    if as_of < stated or not isinstance(model.prices, list):
        return None
    starts = [p.constraint.start_date for p in model.prices if isinstance(p.constraint, StartDateConstraint)]
    return min((start for start in starts if start > as_of), default=None)


def _remarks(
    provider: "Provider", model: "ModelInfo", asked: str, rule: CacheMinimum | None, changes_on: date | None,
    batch_from: date | None,
) -> Iterator[str]:
    """What a reader must know before using the price, one remark each."""
    from genai_prices.types import TimeOfDateConstraint

    if asked.lower() != model.id.lower():
        yield f"listed as {model.id}"
    if not _lists(provider, model):
        yield "the maker's list price; the provider's own is not listed"
    if model.deprecated:
        yield "deprecated by the provider"
    if isinstance(model.prices, list) and any(isinstance(p.constraint, TimeOfDateConstraint) for p in model.prices):
        yield "the price depends on the hour; this is the rate at 12:00 UTC"
    if changes_on is not None:
        yield f"the provider has announced another price from {changes_on}"
    if batch_from is not None:
        yield f"batch prices as they were first listed, on {batch_from}"
    if rule is not None and rule.provider == "*":
        yield "shortest cached prefix assumed"


def _lists(provider: "Provider", model: "ModelInfo") -> bool:
    return any(model is listed for listed in provider.models)


def package_name() -> str:
    """What prices of the installed genai-prices give as their source."""
    return f"genai-prices {_version()}"


def release_day() -> date:
    """The day as of which the installed genai-prices states its prices."""
    return RELEASED.get(_version(), max(RELEASED.values()))


def stated_on(price: ApiPrice) -> date:
    """The day of the list that a price stands in: genai-prices' tells earlier days in retrospect, and counts on them."""
    return release_day() if price.source.startswith(f"{package_name()},") else price.date


def _version() -> str:
    from genai_prices import __version__

    return __version__


def fetch_providers() -> "list[Provider]":
    """Every provider with its models, as genai-prices' own update mechanism brings them now; RoiError where it cannot."""
    from genai_prices import UpdatePrices
    from httpx2 import HTTPError

    try:
        snapshot = UpdatePrices().fetch()
    except (HTTPError, OSError, ValueError) as error:  # no network, another status than 200, or data that it cannot read
        raise RoiError(f"refresh: genai-prices brought no API prices ({words_of(error)}); nothing was written") from error
    if snapshot is None or not snapshot.providers:
        raise RoiError("refresh: genai-prices brought no API prices; nothing was written")
    return snapshot.providers
