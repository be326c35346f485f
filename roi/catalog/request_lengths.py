"""The scenario's lengths in a system's own tokens: as means and spreads, and as requests to replay."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from roi.catalog.fact_sheet import FactSheet
from roi.estimate.request_shape import RequestShape
from roi.estimate.traffic import Lengths, histogram_lengths

Array = NDArray[np.float64]


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
        return RequestShape(self._mean(prompt), self._mean(self.output_tokens), self._mean(cached), *spread)

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for equal lengths."""
        arrays = (self.prompt_tokens, self.prefix_tokens, self.output_tokens, self.weights)
        return (*(a.tobytes() for a in arrays), self.hit_rate)

    def drawn(self, count: int, seed: int = 1) -> Lengths:
        """`count` requests; the same ones for the same seed."""
        return histogram_lengths(
            count, self.prompt_tokens, self.output_tokens, self.weights, prefix_tokens=self.prefix_tokens,
            hit_rate=self.hit_rate, seed=seed,
        )

    def _mean(self, x: Array) -> float:
        return float(self.weights @ x)

    def _cv(self, x: Array) -> float:
        return float(np.sqrt(max(self._mean(x**2) - self._mean(x) ** 2, 0.0)) / self._mean(x))


def system_lengths(sheet: FactSheet, system: str) -> SystemLengths:
    """The workload's lengths as this system sees them: its tokenizer, prompt after tuning, verbosity and reasoning."""

    def number(path: str) -> float:
        value = sheet.facts[path].value
        assert isinstance(value, (int, float))
        return float(value)

    def row(path: str) -> Array:
        return np.atleast_1d(np.asarray(sheet.facts[path].value, dtype=np.float64))

    own = f"systems.{system}."
    ratio = number(own + "token_ratio")
    prefix = np.minimum(number("workload.shared_prefix_tokens"), row("workload.input_tokens"))
    new = prefix
    if own + "prefix_tokens" in sheet.facts and number("workload.shared_prefix_tokens") > 0:
        new = prefix * number(own + "prefix_tokens") / number("workload.shared_prefix_tokens")
    output = row("workload.output_tokens") * ratio * number(own + "output_ratio") + number(own + "reasoning_tokens")
    return SystemLengths(
        prompt_tokens=(row("workload.input_tokens") - prefix + new) * ratio,
        prefix_tokens=new * ratio,
        output_tokens=np.maximum(output, 1.0),
        weights=row("workload.weights"),
        hit_rate=number("workload.cache_hit_rate"),
    )
