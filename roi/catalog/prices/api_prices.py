"""API prices of a model on a date: genai-prices' dated data, hosted.csv for what it lacks, and the user's own rows.

A row of the user wins over genai-prices where it is as new as that price list, or newer.

genai-prices is imported on the first price (about 0.1 s), never with this module.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final

from roi.catalog.prices.genai import list_price, release_day
from roi.catalog.prices.own_prices import cached_with_own, own_rows, price_rows
from roi.catalog.prices.vendors import MAKERS, tuned_base
from roi.catalog.rows import newest_rows
from roi.errors import InputError, ScenarioError, UnknownName
from roi.facts.price import ApiPrice

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, Provider

ALIASES = {
    "amazon": "aws", "amazon-bedrock": "aws", "amazon_bedrock": "aws", "aws-bedrock": "aws", "aws.bedrock": "aws",
    "aws_bedrock": "aws", "az.ai.inference": "azure", "az.ai.openai": "azure", "azure-openai": "azure",
    "azure.ai.inference": "azure", "azure.ai.openai": "azure", "azure_openai": "azure", "azureopenai": "azure",
    "bedrock": "aws", "codestral": "mistral", "cohere_chat": "cohere", "custom_openai": "openai", "fireworks-ai": "fireworks",
    "fireworks_ai": "fireworks", "gcp.gemini": "google", "gcp.gen_ai": "google", "gcp.vertex.agent": "google",
    "gcp.vertex_ai": "google", "gemini": "google", "google-ai-studio": "google", "google-vertex": "google",
    "google-vertex-ai": "google", "google-vertex-anthropic": "google", "google.vertex": "google", "google_gemini": "google",
    "google_genai": "google", "google_vertex": "google", "google_vertexai": "google", "grok": "x-ai", "mistral-ai": "mistral",
    "mistral_ai": "mistral", "mistralai": "mistral", "moonshot": "moonshotai", "moonshot_ai": "moonshotai",
    "perplexity-ai": "perplexity", "text-completion-openai": "openai", "together-ai": "together", "together_ai": "together",
    "togetherai": "together", "vertex": "google", "vertex-ai": "google", "vertex_ai": "google", "vertexai": "google",
    "workers-ai": "cloudflare", "x.ai": "x-ai", "x_ai": "x-ai", "xai": "x-ai",
}  # fmt: skip
"""Other names of providers: people's, and those of gateways, tracers and the convention of OpenTelemetry."""
GATEWAYS = ("cursor", "github-copilot", "huggingface_", "openai-decisions", "openrouter", "quicksilverpro")
"""Providers (by prefix) that pass calls on: a bare model name means one of them only where nobody else has it."""

AROUND: Final = re.compile(
    r"^(.*/)?(google-\w+:)?((global|regional|us|us-gov|eu|apac|au|ca|in|jp)\.)?"
    r"|([-@](20\d\d-\d\d-\d\d|\d\d-\d\d(\d\d)?|\d{4}(\d\d){0,2}|0\d{0,2}|v\d+(\.\d)?|latest|default|preview|exp|nightly"
    r"|customtools|((low|medium|high|max)-)?thinking|low|medium|high)|:(\d+k?|mm)|\[1m\]|\.ft-\w*|(?<=claude-2)\.\d"
    r"|(?<=live-2\.5-flash)(-preview)?-native-audio)*[-@]?$")
"""What vendors and tools put around a model's name. Before it: a path or ARN, the geography of an inference profile of Bedrock
(genai-prices' own word is regional). After it: day, revision and stage (-2024-08-06, @20240620, -001, -v1:0, -latest,
-preview-05-06), effort of reasoning (Cursor), context length (:24k, [1m]), a fine-tune (Azure). claude-2.0 and 2.1 have
one price, Vertex' names of Gemini Live too. Read in the vendors' lists of models."""
BEDROCK: Final = "aws"
GEOGRAPHY: Final = re.compile(r"^(?:(global)|regional|us|us-gov|eu|apac|au|ca|in|jp)[.]")
REVISION: Final = re.compile(r"(-20\d{6}|-2\d{3})?-v\d+(:\d+)?$")
"""Behind a model's name in Bedrock's ids: the day and the version, which its bills and its other endpoint leave out."""
MODELS_PATH: Final = re.compile(r"^((projects|publishers)/.*/)?models/")
"""Before a model's name in Google's API (models/) and at Vertex (publishers/google/models/)."""


@cached_with_own(ApiPrice, 1024)
def find_api_price(provider: str | None, model: str, as_of: date, field: str = "model") -> ApiPrice:
    """The price of `model` at `provider` on `as_of` (12:00 UTC where it depends on the hour).

    Without a provider, `model` is read as provider/model, else as a name that exactly one provider may have.
    A rate that the source lacks is None, never 0. Batch rates before the first day that lists them are that day's, moved as
    the standard ones did; genai-prices holds none before 2026-10-14. Ignored: priority and flex tiers, and cache writes kept
    longer than the shortest time.
    """
    if provider is not None:
        return _price_at(find_provider(provider, field), model, as_of, field)
    head, _, rest = model.partition("/")
    if rest and provider_id(head) in provider_names():
        return _price_at(provider_id(head), rest, as_of, field)
    if rest and head.lower() not in _makers():  # genai-prices finds some models by the end of their names
        raise UnknownName(field, model, _every_name(), "model")
    owners = sellers_of(model)
    if len(owners) > 1:
        spelled = ", ".join(f"{owner}/{model}" for owner in owners)
        raise ScenarioError(field, model, f"several providers have it: {spelled}; name one")
    if not owners and provider_id(model) in provider_names():
        count = len(model_names(provider_id(model)))
        why = f"a provider, no model; write {provider_id(model)}/MODEL; `roi prices {model}` lists its {count:,}"
        raise ScenarioError(field, model, why)
    if not owners:
        raise UnknownName(field, model, _every_name(), "model")
    return _price_at(owners[0], model, as_of, field)


def called_at(provider: str | None, model: str) -> tuple[str, str]:
    """(Provider, model) under which a model has its price, however its name is spelled; a fine-tune is a model of its own."""
    name = tuned_base(model)
    try:
        seller = find_api_price(provider, model, date.max).provider
    except InputError:
        head, _, rest = name.partition("/") if provider is None else (provider, "", name)
        return provider_id(head), rest
    bare = name.removeprefix(f"{seller}/")
    found = None if bare.startswith("ft:") else genai_model(seller, bare)
    return seller, bare if found is None else found.id


def announced_price(price: ApiPrice, ask: Callable[[date], ApiPrice] | None = None) -> ApiPrice | None:
    """The next price, dated with its first day; None where none is announced, or one that an ApiPrice cannot say.

    `ask` gives the price on a day; left out, `find_api_price` of the same model does.
    """
    day = price.changes_on
    try:
        found = None if day is None else ask(day) if ask else find_api_price(price.provider, price.model, day)
    except InputError:
        return None
    return found and found.model_copy(update={"date": day})


def provider_names() -> tuple[str, ...]:
    """Every provider with a price, sorted."""
    return tuple(sorted({*_providers(), *(row.provider for row in price_rows(ApiPrice))}))


def model_names(provider: str) -> tuple[str, ...]:
    """The names of every model with a price at `provider`, as the sources spell them."""
    listed = _providers().get(provider)
    own = [m.id for m in listed.models] if listed else []
    return tuple(dict.fromkeys((*own, *(row.model for row in price_rows(ApiPrice) if row.provider == provider))))


@cached_with_own(ApiPrice)
def _every_name() -> tuple[str, ...]:
    return tuple(f"{p}/{m}" for p in provider_names() for m in model_names(p))


@cached_with_own(ApiPrice)
def _makers() -> frozenset[str]:
    """What stands before the last part of models' names: meta-llama of meta-llama/Llama-3.1-8B."""
    return frozenset(part.lower() for name in _every_name() for part in name.split("/")[:-1])


@cached_with_own(ApiPrice)
def matching_models(text: str) -> tuple[tuple[str, str], ...]:
    """(provider, model) of each model that `text` means, else of each whose name holds it (three characters or more).

    `text` is a provider, a model or provider/model, in any case.
    """
    every = [(p, m) for p in provider_names() for m in model_names(p)]
    plain = text.strip().lower()
    head, _, rest = plain.partition("/")
    spelled = {plain, f"{provider_id(head)}/{rest}"}
    found = [(p, m) for p, m in every if p == provider_id(plain) or spelled & {m.lower(), f"{p}/{m}".lower()}]
    try:
        price = find_api_price(None, text, date.max)  # by the provider's rules: a dated snapshot of a model
        found += [] if (price.provider, price.model) in found else [(price.provider, price.model)]
    except InputError:
        pass
    return tuple(found or [(p, m) for p, m in every if len(plain) > 2 and plain in f"{p}/{m}".lower()])


def _price_at(provider: str, model: str, as_of: date, field: str) -> ApiPrice:
    for name in (model, model.removeprefix(f"{provider}/")):
        found = genai_model(provider, name)
        if found is None:
            stated = _hosted_row(provider, name, as_of)
        else:
            known = _rows_of(own_rows(ApiPrice), provider, name, found.id)
            stated = next(iter(newest_rows(known, lambda row: row.provider, as_of)), None)
        if stated is not None and (found is None or stated.date >= min(as_of, release_day())):
            return stated
        if found is not None:
            return list_price(_providers()[provider], found, name, as_of, field)
    others = sellers_of(model)
    if others:
        raise ScenarioError(field, model, f"{provider} has no such model; sold by {', '.join(others)}: name that provider")
    raise UnknownName(field, model, model_names(provider), f"model at {provider}:")


def genai_model(provider: str, name: str) -> "ModelInfo | None":
    """The model as genai-prices holds it, by its name or the provider's rules of matching; None where it lists none.

    Many of those rules look for a beginning or a part of the name: what is found is the model only where the rest is what
    vendors put around a name. A name of Bedrock's without its revision is the one that is listed; of several, one of their
    price. One with another revision than is listed is another model.
    """
    listed = _providers().get(provider)
    if listed is None:
        return None
    found = _found_model(listed, name, list(_providers().values()))
    found = found or next((model for model in listed.models if model.id.lower() == name.lower()), None)
    if found is not None or provider != BEDROCK or _without_around(name) not in _every_text(provider):
        return found
    revision = REVISION.search(name)
    own = "" if revision is None else revision[0]
    alike = [model for model in listed.models if _unrevised(model.id) == _unrevised(name) and own in model.id]
    return alike[0] if alike and all(model.prices == alike[0].prices for model in alike) else None


def _unrevised(name: str) -> tuple[bool, str]:
    """(Whether it is the global one, the name without geography and revision) of a model of Bedrock."""
    where = GEOGRAPHY.match(name)
    return bool(where and where[1]), REVISION.sub("", name[where.end() if where else 0:])


def _found_model(provider: "Provider", name: str, every: "list[Provider] | None" = None) -> "ModelInfo | None":
    bare = MODELS_PATH.sub("", name)
    plain = _without_around(bare)
    if plain not in _every_text(provider.id):
        return None  # at once: the rules are asked one by one
    found = provider.find_model(bare, all_providers=every)
    return found if found is not None and plain in _texts_of(found) else None


def _texts_of(model: "ModelInfo") -> set[str]:
    return {_without_around(text) for text in (model.id, *_texts(model.match))}


@cache
def _every_text(provider: str) -> frozenset[str]:
    """What the provider's models are called, and those of the providers whose lists it takes over."""
    listed, every = _providers()[provider], _providers()
    lists = (listed, *(every[id] for id in listed.fallback_model_providers or () if id in every))
    return frozenset(text for each in lists for model in each.models for text in _texts_of(model))


def _without_around(name: str) -> str:
    return AROUND.sub("", tuned_base(name))


def _texts(clause: object) -> Iterator[str]:
    """The texts that a rule of matching compares with."""
    for held in vars(clause).values():
        if isinstance(held, str):
            yield held
        for each in held if isinstance(held, list) else ():
            yield from _texts(each)


def _hosted_row(provider: str, name: str, as_of: date) -> ApiPrice | None:
    rows = _rows_of(price_rows(ApiPrice), provider, name)
    known = newest_rows(rows, lambda row: row.provider, as_of)
    if rows and not known:
        earliest = min(row.date for row in rows)
        raise ScenarioError("as_of", as_of.isoformat(), f"the earliest price of {provider}/{name} is of {earliest}")
    return known[0] if known else None


def _rows_of(rows: Iterable[ApiPrice], provider: str, *names: str) -> list[ApiPrice]:
    wanted = {spelled for name in names for spelled in (name.lower(), tuned_base(name))}
    return [row for row in rows if row.provider == provider and row.model.lower() in wanted]


def find_provider(name: str, field: str) -> str:
    """The provider's id as genai-prices spells it; UnknownName with the nearest where nobody has a price there."""
    found = provider_id(name)
    if found not in provider_names():
        raise UnknownName(field, name, (*provider_names(), *ALIASES), "provider")
    return found


def provider_id(name: str) -> str:
    """The id of a provider, which may have other names."""
    plain = name.strip().lower()
    return ALIASES.get(plain, plain)


def maker_of(model: str) -> str | None:
    """The id of the provider that made `model`, where genai-prices tells it by the name; None for open and unknown models.

    Else the one of its sellers that serves models of its own making (`vendors.MAKERS`), as of OpenAI's embeddings.
    """
    from genai_prices.data_snapshot import get_snapshot

    try:
        return str(get_snapshot().find_provider(model, None, None).id)
    except LookupError:
        own = [seller for seller in sellers_of(model) if seller in MAKERS]
        return own[0] if len(own) == 1 else None


def sellers_of(model: str) -> list[str]:
    """The ids of all providers that have a price for `model`, sorted; gateways only where nobody else has it."""
    hosted = [row.provider for row in price_rows(ApiPrice) if row.model.lower() in (model.lower(), tuned_base(model))]
    owners = sorted({*_listed_sellers(model), *hosted})
    return [o for o in owners if not o.startswith(GATEWAYS)] or owners


@lru_cache(maxsize=65536)
def _listed_sellers(model: str) -> tuple[str, ...]:
    """The ids of those of genai-prices."""
    return tuple(p.id for p in _providers().values() if _found_model(p, model) is not None)


@cache
def _providers() -> "dict[str, Provider]":
    from genai_prices.data_snapshot import get_snapshot

    return {provider.id: provider for provider in get_snapshot().providers}
