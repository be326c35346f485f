"""The scenario's lengths in a system's own tokens: as means and spreads, and as requests to replay."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import numpy as np

from roi.economics.cached_lengths import CachedLengths
from roi.economics.decision.alarms import limit_words, too_long_field
from roi.economics.inputs import Array, Option, Shared, Tokens, path_of
from roi.errors import ScenarioError
from roi.estimate.replay.traffic import Lengths, histogram_lengths, poisson_arrivals
from roi.estimate.serving.request_shape import RequestShape
from roi.evidence.known_runs import KnownRuns
from roi.facts.fact import Fact
from roi.resolution.fact_sheet import FactSheet
from roi.resolution.plan_capacity import FLEETS_REPLAYED, FleetPlan, load_of
from roi.scenario.quantity import value_of
from roi.scenario.scenario import Scenario
from roi.scenario.sections.demand import Bin, Workload

ARRIVALS: Final = 7
"""Seed of the arrivals of requests."""
PREFIX_HITS: Final = "serving.prefix_hit_rate"
"""Path of the fact, where it is stated."""
LONGEST: Final = "options.{option}.longest_tokens"
"""Path of the longest request that an option takes, which hands longer ones on."""
OF_CONTEXT: Final = "options.{option}.longest_is_context"
"""Path of whether that is the model's context, or else the longest of the lengths known that its cards hold."""
COUNTED: Final = "options.{option}.too_long_counted"
"""Path of what is said of requests that an option is too short for and that are counted as if it answered them."""
CACHED: Final = {path_of(CachedLengths, name): name for name in ("stated", "read_tokens", "write_tokens")}
"""Paths of the facts that bins of lengths have of a cache, and the fields of the record."""
TOO_LONG: Final = 0.05
"""Share of requests beyond a model's context from which it cannot do the work: the P95 of the lengths, as of an SLO, must fit.
Where only means are known, the mean must: how far lengths spread around it is not known, and nothing shorter will do."""


@dataclass(frozen=True)
class SystemLengths:
    """The joint histogram of lengths at the central values; arrays with one element a bin."""

    prompt_tokens: Array
    prefix_tokens: Array
    """The part of the prompt that a cache may hold: what all requests share, or as much as the bin says."""
    output_tokens: Array
    """Tokens that are written, reasoning included; at least 1."""
    weights: Array
    """Shares of the requests, adding up to 1."""
    hit_rate: Array | float
    """Share of requests that find the prefix in the cache; of each bin, where bins say it."""
    common_tokens: float = np.inf
    """The most of a prefix that other requests find too: what is beyond is the history of one, which holds it for itself."""

    @property
    def shape(self) -> RequestShape:
        """Means and spreads; of a single bin, none."""
        cached = self.prefix_tokens * self.hit_rate
        prompt = np.maximum(self.prompt_tokens - cached, 1.0)
        spread = self._cv(prompt), self._cv(self.output_tokens)
        alone = self._mean(self.hit_rate * np.maximum(self.prefix_tokens - self._held_once, 0.0))
        return RequestShape(self._mean(prompt), self._mean(self.output_tokens), self._mean(cached), *spread, alone)

    @property
    def conversations(self) -> bool:
        """True where the prefix is all of every prompt: then it is a conversation so far, another one in each request."""
        return bool(np.all(self.prefix_tokens >= self.prompt_tokens))

    @property
    def _held_once(self) -> float:
        """The most of a prefix that is held once for all requests."""
        return 0.0 if self.conversations else self.common_tokens

    @property
    def whole_tokens(self) -> Array:
        """Prompt and answer of each bin."""
        return self.prompt_tokens + self.output_tokens

    def over(self, context_tokens: float) -> float:
        """Share of the requests that are longer than a context, answer included; exactly 1 of all, be it a mean."""
        return float(np.average(self.whole_tokens > context_tokens, weights=self.weights))

    def within(self, most_tokens: float) -> "SystemLengths":
        """The requests of at most so many tokens, answer included, alone; one bin of them as two, since one would be a mean."""
        [kept] = np.nonzero(self.whole_tokens <= most_tokens)
        if kept.size == self.weights.size:
            return self
        kept = np.repeat(kept, 2) if kept.size == 1 else kept
        prompt, prefix, output, weights = (
            row[kept] for row in (self.prompt_tokens, self.prefix_tokens, self.output_tokens, self.weights))
        rate = self.hit_rate[kept] if isinstance(self.hit_rate, np.ndarray) else self.hit_rate
        return SystemLengths(prompt_tokens=prompt, prefix_tokens=prefix, output_tokens=output, weights=weights / weights.sum(),
                             hit_rate=rate, common_tokens=self.common_tokens)

    @property
    def key(self) -> tuple[object, ...]:
        """A key that is equal for equal lengths."""
        arrays = (self.prompt_tokens, self.prefix_tokens, self.output_tokens, self.weights, self.hit_rate, self.common_tokens)
        return tuple(np.asarray(a).tobytes() for a in arrays)

    def drawn(self, count: int) -> Lengths:
        """`count` requests, always the same ones."""
        bins = self.prompt_tokens, self.output_tokens, self.weights
        drawn = histogram_lengths(count, *bins, prefix_tokens=self.prefix_tokens, hit_rate=self.hit_rate)
        return replace(drawn, common_tokens=self._held_once)

    def arrivals(self, count: int) -> Array:
        """Poisson arrivals at a mean rate of 1 a second."""
        return poisson_arrivals(count, ARRIVALS)

    def _mean(self, x: Array) -> float:
        return float(self.weights @ x)

    def _cv(self, x: Array) -> float:
        return float(np.sqrt(max(self._mean(x**2) - self._mean(x) ** 2, 0.0)) / self._mean(x))


def length_rows(w: Workload) -> dict[str, tuple[float, ...]]:
    """Facts of each bin of lengths by path: tokens, shares, and what the bins say of a cache; one bin of means alone.

    ScenarioError where the shared prefix is longer than any prompt.
    """
    bins, prefix, prompt = w.lengths or (), value_of(w.shared_prefix_tokens), w.longest_prompt
    if prefix > prompt:
        where = "longest prompt of workload.lengths," if bins else "mean prompt (workload.lengths has others), input_tokens"
        raise ScenarioError("workload.shared_prefix_tokens", prefix, f"at most the {where} {prompt:g}")
    whole = sum(b.share for b in bins)  # 1 but for the digits in which shares are written
    rows = [(b.input_tokens, b.output_tokens, b.share / whole) for b in bins] or [
        (value_of(w.input_tokens or 0.0), value_of(w.output_tokens or 0.0), 1.0)]
    found = {path_of(Shared, name): row
             for name, row in zip(("input_tokens", "output_tokens", "weights"), zip(*rows, strict=True), strict=True)}
    if any(b.cached_tokens is not None for b in bins):
        found |= dict(zip(CACHED, zip(*(_cached(b, value_of(w.cache_hit_rate)) for b in bins), strict=True), strict=True))
    return found


def _cached(b: Bin, rate: float) -> tuple[float, float, float]:
    """What the facts of `CACHED` are for a bin at the workload's hit rate, or at that of a bill: at 0 nothing is read."""
    if b.cached_tokens is None or (b.cached_tokens and not rate):
        return 0.0, 0.0, 0.0
    missed = min(b.cached_tokens * (1.0 / rate - 1.0), b.input_tokens - b.cached_tokens) if b.cached_tokens else 0.0
    return 1.0, b.cached_tokens, missed if b.cache_write_tokens is None else b.cache_write_tokens


def system_lengths(facts: Mapping[str, Fact], system: str) -> SystemLengths:
    """The workload's lengths as this system sees them: its tokenizer, prompt after tuning, verbosity and reasoning.

    Its prefix is found as often as an API's cache finds it, unless the scenario says how often servers of one's own do. What
    bins say that they find of a cache, servers find too, in proportion to that rate; common is what 95% of the requests that
    find any find at least, as of a trace.
    """

    def row(record: type, field: str) -> Array:
        return np.atleast_1d(np.asarray(facts[path_of(record, field, system=system)].value, dtype=np.float64))

    ratio, shared = float(row(Tokens, "ratio")[0]), float(row(Shared, "prefix_tokens")[0])
    prompt = row(Shared, "input_tokens")
    prefix = np.minimum(shared, prompt)
    new = prefix
    if path_of(Tokens, "prefix_tokens", system=system) in facts and shared > 0:
        new = prefix * float(row(Tokens, "prefix_tokens")[0]) / shared
    own, common = facts.get(PREFIX_HITS), np.inf
    hit_rate: Array | float = float(row(Shared, "hit_rate")[0] if own is None else own.number())
    left = new
    if all(path in facts for path in CACHED):
        cached = CachedLengths(**{name: row(CachedLengths, name) for name in CACHED.values()})
        left, hit_rate = cached.prefix(prefix, new), cached.hit_rate(hit_rate, float(row(Shared, "hit_rate")[0]))
        finding = row(Shared, "weights") * hit_rate * (left > 0)
        if np.any(finding > 0):
            common = float(np.quantile(left, 0.05, weights=finding, method="inverted_cdf")) * ratio
    output = row(Shared, "output_tokens") * ratio * row(Tokens, "output_ratio") + row(Tokens, "reasoning_tokens")
    return SystemLengths(prompt_tokens=(prompt - prefix + new) * ratio, prefix_tokens=left * ratio,
                         output_tokens=np.maximum(output, 1.0), weights=row(Shared, "weights"), hit_rate=hit_rate,
                         common_tokens=common)


def option_lengths(facts: Mapping[str, Fact], id: str, system: str) -> SystemLengths:
    """Lengths of the requests that the option takes, in its system's tokens: without those that are too long for it."""
    lengths, longest = system_lengths(facts, system), facts.get(LONGEST.format(option=id))
    return lengths if longest is None else lengths.within(longest.number())


def of_taken(facts: Mapping[str, Fact], s: Scenario, id: str) -> Scenario:
    """The scenario with the lengths of the requests alone that the option takes: itself where it takes all."""
    mask, bins = facts.get(path_of(Option, "too_long", option=id)), s.workload.lengths
    if mask is None or bins is None:
        return s
    kept = [each for each, long in zip(bins, np.asarray(mask.value), strict=True) if not long]
    whole = sum(each.share for each in kept)
    lengths = tuple(each.model_copy(update={"share": each.share / whole}) for each in kept)
    return s.model_copy(update={"workload": s.workload.model_copy(update={"lengths": lengths})})


def send_on(sheet: FactSheet, id: str, system: str, most_tokens: float, to: str, source: str, *, of_context: bool) -> None:
    """State that requests of more than `most_tokens`, answer included, go to the API of the option `to`; once more, anew.

    `of_context`: the limit is the model's context, else the longest of the lengths known that its cards hold.
    """
    lengths, by_context = system_lengths(sheet.facts, system), OF_CONTEXT.format(option=id)
    longest, long, target = LONGEST.format(option=id), *(path_of(Option, name, option=id) for name in ("too_long", "long_to"))
    for path in (longest, by_context, long, target):
        sheet.facts.pop(path, None)
    sheet.state(by_context, of_context, source)
    sheet.state(longest, most_tokens, source, "tokens")
    sheet.state(long, tuple(float(tokens > most_tokens) for tokens in lengths.whole_tokens), source, "share")
    sheet.state(target, to, "the API that takes what is too long: today's, or the cheapest that passes the bar")
    limit = limit_words(most_tokens, of_context=of_context)
    sheet.warnings.append(f"{system}: {lengths.over(most_tokens):.1%} of requests are longer than {limit}, and go to"
                          f" {sheet.facts[path_of(Option, 'label', option=to)].value} (candidates.by_length)")


def takes_long(sheet: FactSheet, s: Scenario, id: str | None) -> str | None:
    """The option `id` where what is too long for others may go to its API, which takes all that is asked; else None."""
    if id is None or not s.candidates.by_length or s.workload.embeds or (
            id == "stay" and (s.incumbent.served or not s.incumbent.may_stay)):
        return None
    vendor, today = (sheet.facts[path_of(Option, "vendor", option=each)].value for each in (id, "stay"))
    context = sheet.facts.get("incumbent.context_tokens") if vendor == today else None
    over = 0.0 if context is None else system_lengths(sheet.facts, s.incumbent.model).over(context.number())
    return id if over == 0.0 else None


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
    """Says that replicas of these plans refuse requests longer than their room for KV, and which share; empty where none does.

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
