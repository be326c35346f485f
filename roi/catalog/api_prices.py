"""API prices of a model on a date: genai-prices' dated data, then data/hosted.csv for what it lacks.

genai-prices is imported on the first price (about 0.1 s), never with this module.
"""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from roi.catalog.rows import newest_rows, read_rows
from roi.catalog.vendors import cache_minimum
from roi.errors import ScenarioError, UnknownName
from roi.facts.price import ApiPrice

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, Provider, TieredPrices

ALIASES = {
    "amazon": "aws", "azure-openai": "azure", "azure_openai": "azure", "bedrock": "aws", "fireworks-ai": "fireworks",
    "fireworks_ai": "fireworks", "gemini": "google", "mistralai": "mistral", "moonshot": "moonshotai",
    "together-ai": "together", "together_ai": "together", "togetherai": "together", "vertex": "google",
    "vertex_ai": "google", "vertexai": "google", "xai": "x-ai",
}  # fmt: skip
"""Other names of providers."""

GATEWAYS = ("cursor", "github-copilot", "huggingface_", "openai-decisions", "openrouter", "quicksilverpro")
"""Providers (by prefix) that pass calls on to others: a bare model name means one of them only where nobody else has it."""

SNAPSHOT_DATES = {"0.2.3": date(2026, 11, 10)}
"""Release day of each genai-prices version; its prices are stated as of that day. A later version counts as the last."""

BATCH = {"processing": "batch"}


def find_api_price(provider: str | None, model: str, as_of: date, field: str = "model") -> ApiPrice:
    """The price of `model` at `provider` on `as_of` (12:00 UTC where it depends on the hour).

    `model` may be spelled provider/model; without a provider, exactly one may have a model of that name. Tiers, cache and
    batch rates are those of ApiPrice; a rate that the source lacks is None, never 0. Batch rates are known from 2026-10-14
    on; before that genai-prices has no batch history. Priority and flex tiers, and cache writes kept longer than the
    shortest time, are ignored.
    """
    if provider is not None:
        return _price_at(_known_provider(provider, field), model, as_of, field)
    head, _, rest = model.partition("/")
    if rest and _provider_id(head) is not None:
        return _price_at(_known_provider(head, field), rest, as_of, field)
    owners = _owners(model, as_of)
    if len(owners) > 1:
        raise ScenarioError(field, model, f"several providers have it: {', '.join(f'{o}/{model}' for o in owners)}; name one")
    if not owners:
        raise UnknownName(field, model, [f"{p}/{m}" for p in provider_names() for m in model_names(p)], "model")
    return _price_at(owners[0], model, as_of, field)


def provider_names() -> tuple[str, ...]:
    """Every provider with a price, sorted."""
    return tuple(sorted({*_providers(), *(row.provider for row in _hosted_rows())}))


def model_names(provider: str) -> tuple[str, ...]:
    """The names of every model with a price at `provider`, as the sources spell them."""
    listed = _providers().get(provider)
    own = [m.id for m in listed.models] if listed else []
    return (*own, *(row.model for row in _hosted_rows() if row.provider == provider))


@lru_cache(maxsize=1024)
def _price_at(provider: str, model: str, as_of: date, field: str) -> ApiPrice:
    name = model.removeprefix(f"{provider}/") if _model_at(provider, model) is None else model
    found = _model_at(provider, name)
    if found is not None:
        return _from_genai(_providers()[provider], found, name, as_of, field)
    hosted = newest_rows(_hosted_rows(), lambda row: (row.provider, row.model), as_of)
    for row in hosted:
        if row.provider == provider and row.model.lower() == name.lower():
            return row
    raise UnknownName(field, model, model_names(provider), f"model at {provider}:")


def _from_genai(provider: "Provider", model: "ModelInfo", asked: str, as_of: date, field: str) -> ApiPrice:
    noon = datetime.combine(as_of, time(12), UTC)
    standard = model.get_prices(noon)
    edges = _edges(standard)
    if standard.input_mtok is None or standard.output_mtok is None:
        raise ScenarioError(field, f"{provider.id}/{asked}", "no price per input and output token is known; state one")
    own = any(model is m for m in provider.models)  # a fallback to another provider's list carries no batch price
    has_batch = own and any(
        v.when == BATCH and (v.constraint is None or v.constraint.active(noon)) for v in model.price_variants or ()
    )
    batch = model.get_prices(noon, BATCH) if has_batch else None
    edges = sorted({*edges, *(_edges(batch) if batch else ())})
    rule = cache_minimum(provider.id, model.id) if standard.cache_read_mtok is not None else None
    combined = batch if rule is not None and rule.combines_with_batch else None
    changes_on = _next_change(model, as_of)
    return ApiPrice(
        provider=provider.id,
        model=model.id,
        edges_tokens=tuple(edges),
        input_usd_per_mtok=_rates(standard, "input_mtok", edges) or (),
        output_usd_per_mtok=_rates(standard, "output_mtok", edges) or (),
        cache_read_usd_per_mtok=_rates(standard, "cache_read_mtok", edges),
        cache_write_usd_per_mtok=_rates(standard, "cache_write_mtok", edges),
        batch_input_usd_per_mtok=_rates(batch, "input_mtok", edges),
        batch_output_usd_per_mtok=_rates(batch, "output_mtok", edges),
        batch_cache_read_usd_per_mtok=_rates(combined, "cache_read_mtok", edges),
        batch_cache_write_usd_per_mtok=_rates(combined, "cache_write_mtok", edges),
        cache_minimum_tokens=rule.minimum_tokens if rule else None,
        changes_on=changes_on,
        source=f"genai-prices {_version()}, {(provider.pricing_urls or ['no page named'])[0]}",
        date=min(as_of, SNAPSHOT_DATES.get(_version(), max(SNAPSHOT_DATES.values()))),
        note=_note(model, asked, own, changes_on),
    )


def _note(model: "ModelInfo", asked: str, own: bool, changes_on: date | None) -> str:
    from genai_prices.types import TimeOfDateConstraint

    conditions = [] if not isinstance(model.prices, list) else [c.constraint for c in model.prices]
    by_hour = any(isinstance(c, TimeOfDateConstraint) for c in conditions)
    remarks = (
        (asked.lower() != model.id.lower(), f"listed as {model.id}"),
        (not own, "the maker's list price; this provider's own is not listed"),
        (bool(model.deprecated), "deprecated by the provider"),
        (by_hour, "price depends on the hour; this is the rate at 12:00 UTC"),
        (changes_on is not None, f"the provider has announced another price from {changes_on}"),
    )
    return "; ".join(text for holds, text in remarks if holds)


def _next_change(model: "ModelInfo", as_of: date) -> date | None:
    from genai_prices.types import StartDateConstraint

    constraints = [c.constraint for c in model.prices] if isinstance(model.prices, list) else []
    starts = [c.start_date for c in constraints if isinstance(c, StartDateConstraint)]
    announced = max(SNAPSHOT_DATES.values())  # a change that took effect before the data was released was not announced by it
    return min((s for s in starts if s > max(as_of, announced)), default=None)


def _edges(prices: "ModelPrice") -> set[float]:
    """0 and every tier's start, in input tokens of one call; genai-prices compares with a strict >."""
    rates = (getattr(prices, key) for key in ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok"))
    return {0.0, *(float(t.start) for rate in rates if rate is not None and not isinstance(rate, Decimal) for t in rate.tiers)}


def _rates(prices: "ModelPrice | None", key: str, edges: list[float]) -> tuple[float, ...] | None:
    """USD per million tokens in the tier above each edge; None where no such rate exists."""
    rate: Decimal | TieredPrices | None = getattr(prices, key) if prices is not None else None
    if rate is None:
        return None
    if isinstance(rate, Decimal):
        return (float(rate),) * len(edges)
    return tuple(float(([rate.base] + [t.price for t in rate.tiers if t.start <= edge])[-1]) for edge in edges)


def _known_provider(name: str, field: str) -> str:
    found = _provider_id(name)
    if found is None:
        raise UnknownName(field, name, (*provider_names(), *ALIASES), "provider")
    return found


def _provider_id(name: str) -> str | None:
    plain = ALIASES.get(name.strip().lower(), name.strip().lower())
    return plain if plain in provider_names() else None


def _owners(model: str, as_of: date) -> list[str]:
    listed = [p.id for p in _providers().values() if p.find_model(model) is not None]
    hosted = [row.provider for row in _hosted_rows() if row.model.lower() == model.lower() and row.date <= as_of]
    owners = sorted({*listed, *hosted})
    return [o for o in owners if not o.startswith(GATEWAYS)] or owners


def _model_at(provider: str, model: str) -> "ModelInfo | None":
    listed = _providers().get(provider)
    return listed.find_model(model, all_providers=list(_providers().values())) if listed else None


@cache
def _providers() -> "dict[str, Provider]":
    from genai_prices.data_snapshot import get_snapshot

    return {provider.id: provider for provider in get_snapshot().providers}


@cache
def _hosted_rows() -> tuple[ApiPrice, ...]:
    return read_rows("hosted.csv", ApiPrice)


def _version() -> str:
    from genai_prices import __version__

    return __version__
