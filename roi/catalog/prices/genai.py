"""One model of genai-prices as an ApiPrice: the one place that knows how that package stores rates."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING

from roi.catalog.prices.vendors import cache_minimum
from roi.errors import ScenarioError
from roi.facts.price import ApiPrice, CacheMinimum

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, Provider, TieredPrices

RELEASED = {"0.2.3": date(2026, 11, 10)}
"""Release day of each genai-prices version: its prices are stated as of that day. A later version counts as the last."""
BATCH = {"processing": "batch"}
RATES = ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok")


def list_price(provider: "Provider", model: "ModelInfo", asked: str, as_of: date, field: str) -> ApiPrice:
    """The price that genai-prices holds for `model` on `as_of` at 12:00 UTC, batch rates from its batch variant.

    A rate that the batch variant omits keeps the standard one (genai-prices' rule). A model that `provider` takes over
    from its maker's list has no batch variant there. Batch cache rates are given only where cache_minimums.csv says
    that the provider combines the two.
    """
    noon = at_noon(as_of)
    standard = model.get_prices(noon)
    unmodelled = _unmodelled(standard)
    if unmodelled:
        raise ScenarioError(field, f"{provider.id}/{asked}", f"{unmodelled}; state a price")
    batch = variant_prices(model, BATCH, noon) if _lists(provider, model) else None
    edges = sorted(tier_edges(standard) | (tier_edges(batch) if batch else set()))
    rule = cache_minimum(provider.id, model.id) if standard.cache_read_mtok is not None else None
    combined = batch if rule is not None and rule.combines_with_batch else None
    return ApiPrice(
        provider=provider.id, model=model.id, context_tokens=model.context_window, edges_tokens=tuple(edges),
        input_usd_per_mtok=tier_rates(standard, "input_mtok", edges) or (),
        output_usd_per_mtok=tier_rates(standard, "output_mtok", edges) or (),
        cache_read_usd_per_mtok=tier_rates(standard, "cache_read_mtok", edges),
        cache_write_usd_per_mtok=tier_rates(standard, "cache_write_mtok", edges),
        batch_input_usd_per_mtok=tier_rates(batch, "input_mtok", edges),
        batch_output_usd_per_mtok=tier_rates(batch, "output_mtok", edges),
        batch_cache_read_usd_per_mtok=tier_rates(combined, "cache_read_mtok", edges),
        batch_cache_write_usd_per_mtok=tier_rates(combined, "cache_write_mtok", edges),
        cache_minimum_tokens=rule.minimum_tokens if rule else None, changes_on=_next_change(model, as_of),
        source=f"genai-prices {_version()}, {(provider.pricing_urls or ['no page named'])[0]}", date=min(as_of, _stated_on()),
        note="; ".join(_remarks(provider, model, asked, as_of, rule)),
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


def _next_change(model: "ModelInfo", as_of: date) -> date | None:
    """First later day with another price, where the data was released by `as_of` (so that it was known then)."""
    from genai_prices.types import StartDateConstraint

    if as_of < _stated_on() or not isinstance(model.prices, list):
        return None
    starts = [p.constraint.start_date for p in model.prices if isinstance(p.constraint, StartDateConstraint)]
    return min((start for start in starts if start > as_of), default=None)


def _remarks(provider: "Provider", model: "ModelInfo", asked: str, as_of: date, rule: CacheMinimum | None) -> Iterator[str]:
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
    changes_on = _next_change(model, as_of)
    if changes_on is not None:
        yield f"the provider has announced another price from {changes_on}"
    if rule is not None and rule.provider == "*":
        yield "shortest cached prefix assumed"


def _lists(provider: "Provider", model: "ModelInfo") -> bool:
    return any(model is listed for listed in provider.models)


def _stated_on() -> date:
    return RELEASED.get(_version(), max(RELEASED.values()))


def _version() -> str:
    from genai_prices import __version__

    return __version__
