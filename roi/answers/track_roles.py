"""Whose calls the rows of an export are: the option's own model's, another's that it calls, or none of the decision's."""

import re
from dataclasses import dataclass
from datetime import date as Date
from typing import Final

from roi.catalog.prices.api_prices import find_api_price, provider_id, provider_names, sellers_of
from roi.errors import InputError

OWN_SERVER: Final = re.compile(
    r"\b(vllm|sglang|tgi|ollama|lmdeploy|llama ?cpp|llamafile|tensorrt|triton|xinference|lm studio"
    r"|self hosted|in ?house|on prem|on premises|internal)\b")
"""Words of the provider by which a gateway calls a server that one runs: engines as LiteLLM has them (hosted_vllm, ollama,
llamafile, lm_studio, triton, xinference: its list of providers, 2026), and words for the place."""


@dataclass(frozen=True)
class Models:
    """Names of the models that the option calls, without the provider's; `own` None: what it trains or serves itself."""

    own: str | None
    others: tuple[str, ...]
    by_unit: bool = False
    """True where units of throughput that are kept ready are paid, today or by the option."""
    base: str = ""
    """The model that the option serves or tunes, without what was trained."""
    served: bool = False
    """True where it runs on the option's own GPUs, whose calls nobody bills."""

    def role(self, model: str | None, listed: str | None = None, provider: str | None = None, usd: float = 0.0) -> str | None:
        """own, other, or None where the decision does not call it.

        `listed` is what the price list calls the logged model, `usd` what the log's rows say that it cost.
        """
        if model is None:
            return None
        called = [model] if listed is None else [model, listed]
        if self.own is not None and any(same_model(name, self.own) for name in called):
            return "own"
        if any(same_model(name, other) for name in called for other in self.others):
            return "other"
        return "own" if self.own is None and self._may_be_own(model, listed, provider, usd) else None

    def _may_be_own(self, model: str, listed: str | None, provider: str | None, usd: float) -> bool:
        """Whether a log may call so what the option serves or tunes itself, which has any name that its owner gave it.

        It may not where a vendor sells a model of that name, nor, on the option's own GPUs, where a provider billed it. Since
        vendors sell open models too, two of three tell that one with the option's model in its name is theirs: a provider of
        the price list, a price there, and a cost.
        """
        last = model.rsplit("/", 1)[-1].lower()
        if self.base and self.base.rsplit("/", 1)[-1].lower() in last:
            seller = provider is not None and provider_id(provider) in provider_names()
            return not self.served or own_server(provider) or sum((seller, listed is not None, bool(usd))) < 2
        billed = self.served and provider and usd and not own_server(provider)
        return listed is None and not billed and not sellers_of(last)


def own_server(provider: str | None) -> bool:
    """True where a log's provider is one's own server, by its engine's name or its place: what it costs is charged in-house."""
    words = re.sub("[^a-z]+", " ", (provider or "").lower())
    return OWN_SERVER.search(words) is not None and provider_id(provider or "") not in provider_names()


def same_model(logged: str, name: str) -> bool:
    """True where a log's name of a model is `name`, with or without a provider before it and a date behind it."""
    last = logged.rsplit("/", 1)[-1].lower()
    plain = name.rsplit("/", 1)[-1].lower()
    return last == plain or re.fullmatch(re.escape(plain) + r"[-@]\d{4}(-?\d{2}-?\d{2})?", last) is not None


def listed_name(provider: str | None, model: str, day: Date) -> str | None:
    """provider/model as the price list calls what a cloud or a gateway gives a name of its own; None without a price."""
    try:
        found = find_api_price(provider, model, day)
    except InputError:
        return None
    return f"{found.provider}/{found.model}"
