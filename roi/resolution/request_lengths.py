"""The scenario's lengths in a system's own tokens: as means and spreads, and as requests to replay."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import numpy as np

from roi.economics.decision.alarms import too_long_field
from roi.economics.inputs import Array, Shared, Tokens, path_of
from roi.estimate.replay.traffic import Lengths, histogram_lengths, poisson_arrivals
from roi.estimate.serving.request_shape import RequestShape
from roi.evidence.known_runs import KnownRuns
from roi.facts.fact import Fact
from roi.resolution.plan_capacity import FLEETS_REPLAYED, FleetPlan, load_of

ARRIVALS: Final = 7
"""Seed of the arrivals."""
PREFIX_HITS: Final = "serving.prefix_hit_rate"
"""Path of the fact, where it is stated."""
TOO_LONG: Final = 0.05
"""Share of requests beyond a model's context from which it cannot do the work: the P95 of the lengths, as of an SLO, must fit.
Where only means are known, the mean must: how far lengths spread around it is not known, and nothing shorter will do."""


@dataclass(frozen=True)
class SystemLengths:
    """The joint histogram of lengths at the central values; arrays with one element a bin."""

    prompt_tokens: Array
    prefix_tokens: Array
    """The part of the prompt that all requests share."""
    output_tokens: Array
    """Reasoning included; at least 1."""
    weights: Array
    """Shares, adding up to 1."""
    hit_rate: float
    """Share of requests that find the prefix in the cache."""

    @property
    def shape(self) -> RequestShape:
        """Means and spreads; of a single bin, none."""
        cached = self.prefix_tokens * self.hit_rate
        prompt = np.maximum(self.prompt_tokens - cached, 1.0)
        spread = self._cv(prompt), self._cv(self.output_tokens)
        alone = self._mean(cached) if self.conversations else 0.0
        return RequestShape(self._mean(prompt), self._mean(self.output_tokens), self._mean(cached), *spread, alone)

    @property
    def conversations(self) -> bool:
        """True where the prefix is all of every prompt: then it is a conversation so far, another one in each request."""
        return bool(np.all(self.prefix_tokens >= self.prompt_tokens))

    def over(self, context_tokens: float) -> float:
        """Share of the requests that are longer than a context, answer included; of a mean alone, 0 or 1."""
        return float(self.weights @ (self.prompt_tokens + self.output_tokens > context_tokens))

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for equal lengths."""
        arrays = (self.prompt_tokens, self.prefix_tokens, self.output_tokens, self.weights)
        return (*(a.tobytes() for a in arrays), self.hit_rate)

    def drawn(self, count: int) -> Lengths:
        """`count` requests, always the same ones."""
        bins = self.prompt_tokens, self.output_tokens, self.weights
        drawn = histogram_lengths(count, *bins, prefix_tokens=self.prefix_tokens, hit_rate=self.hit_rate)
        return replace(drawn, common_tokens=0.0) if self.conversations else drawn

    def arrivals(self, count: int) -> Array:
        """Poisson arrivals at a mean rate of 1 a second."""
        return poisson_arrivals(count, ARRIVALS)

    def _mean(self, x: Array) -> float:
        return float(self.weights @ x)

    def _cv(self, x: Array) -> float:
        return float(np.sqrt(max(self._mean(x**2) - self._mean(x) ** 2, 0.0)) / self._mean(x))


def system_lengths(facts: Mapping[str, Fact], system: str) -> SystemLengths:
    """The workload's lengths as this system sees them: its tokenizer, prompt after tuning, verbosity and reasoning.

    Its prefix is found as often as an API's cache finds it, unless the scenario says how often servers of one's own do.
    """

    def row(record: type, field: str) -> Array:
        return np.atleast_1d(np.asarray(facts[path_of(record, field, system=system)].value, dtype=np.float64))

    ratio, shared = float(row(Tokens, "ratio")[0]), float(row(Shared, "prefix_tokens")[0])
    prompt = row(Shared, "input_tokens")
    prefix = np.minimum(shared, prompt)
    new = prefix
    if path_of(Tokens, "prefix_tokens", system=system) in facts and shared > 0:
        new = prefix * float(row(Tokens, "prefix_tokens")[0]) / shared
    own = facts.get(PREFIX_HITS)
    output = row(Shared, "output_tokens") * ratio * row(Tokens, "output_ratio") + row(Tokens, "reasoning_tokens")
    return SystemLengths(prompt_tokens=(prompt - prefix + new) * ratio, prefix_tokens=new * ratio,
                         output_tokens=np.maximum(output, 1.0), weights=row(Shared, "weights"),
                         hit_rate=float(row(Shared, "hit_rate")[0] if own is None else own.number()))


def does_not_fit(lengths: SystemLengths, model: str, context_tokens: float) -> str | None:
    """Why a model cannot take these requests, with the field to shorten; None where TOO_LONG of them at most do not fit."""
    over, prompts, answers = lengths.over(context_tokens), lengths.prompt_tokens, lengths.output_tokens
    if over <= TOO_LONG:
        return None
    mean = float(lengths.weights @ (prompts + answers))
    what = f"{over:.0%} of the requests do" if prompts.size > 1 else f"a mean request of {mean:,.0f} tokens does"
    apart = ", or compare those that fit in a scenario of their own" if 0.0 < over < 1.0 else ""
    return (f"{what} not fit the context of {model.partition('+')[0]}, {context_tokens:,.0f} tokens with the answer; shorten"
            f" {too_long_field(prompts, answers)}{apart}")


def too_long(known: KnownRuns, plans: Iterable[FleetPlan], system: str, lengths: SystemLengths) -> str:
    """That replicas of these plans refuse requests longer than their room for KV, and which share; empty where none does.

    Counted as `size` does, over the requests of all its replays of fleets, of which each has its own longest.
    """
    drawn, told = known.once(("fleets", lengths.key), partial(_of_all_fleets, lengths)), list[str]()
    for plan, room in dict.fromkeys((each.serving, each.evidence.server.kv_capacity) for each in plans):
        key = "KV held", plan.shape, plan.tensor_parallel, plan.kv_dtype, plan.engine, lengths.key
        requests = known.once(key, partial(load_of, plan, drawn, np.zeros(drawn.output_tokens.size)))
        if over := float(np.mean(requests.kv_held > room)):
            share = f"{over:.2%}" if over >= 5e-5 else "less than 0.01%"
            told.append(f"{share} on {plan.tensor_parallel} x {plan.gpu.id} {plan.weight_dtype}")
    return (f"{system}: a replica refuses requests longer than it holds: {', '.join(told)}; they are counted as if it took"
            " them: cut them, or send them elsewhere") if told else ""


def _of_all_fleets(lengths: SystemLengths) -> Lengths:
    """The requests of all replays of fleets, one after the other."""
    drawn = [lengths.drawn(count) for count in FLEETS_REPLAYED]
    uncached, output, cached = (np.concatenate([getattr(each, name) for each in drawn])
                                for name in ("uncached_tokens", "output_tokens", "cached_tokens"))
    return Lengths(uncached, output, cached, drawn[0].common_tokens)
