"""What prompts find in a cache by their length, where the workload's lengths say so in place of one prefix for all."""

from dataclasses import dataclass, replace
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray

from roi.economics.case_paths import Array, At, Number


@dataclass(frozen=True, kw_only=True)
class CachedLengths:
    """One element a length bin each, in the incumbent's tokens."""

    stated: Annotated[Array, At("workload.cached_stated")]
    """1 for bins that say what they find, 0 for those with the shared prefix."""
    read_tokens: Annotated[Array, At("workload.cached_tokens")]
    write_tokens: Annotated[Array, At("workload.cache_write_tokens")]
    """Tokens of the mean prompt that are read from a cache and written to it, at the workload's hit rate; else 0."""
    minimum: Annotated[Number, At("options.stay.price.cache_minimum_tokens", absent=0.0)] = 0.0
    """Tokens of the shortest prefix that today's API caches."""

    def prefix(self, before: Array, left: Array) -> Array:
        """The prefix of each bin: a stated one less what tuning takes off the shared prefix, `before`, `left` of it."""
        return np.where(self.stated > 0, np.maximum(self.read_tokens + self.write_tokens - (before - left), 0.0), left)

    def hit_rate(self, rate: Number, usual: Number) -> Array:
        """Share of each bin's prefix that is read, at a hit rate in place of the workload's usual one: in proportion to it."""
        own = self.read_tokens / np.maximum(self.read_tokens + self.write_tokens, 1e-12)
        times = np.where(np.asanyarray(usual) > 0, rate / np.maximum(usual, 1e-12), 1.0)
        return np.where(self.stated > 0, np.minimum(own * times, 1.0), rate)

    def long_enough(self, prefix: Array, prompt: Array, minimum: Number) -> NDArray[np.bool_]:
        """True for bins whose prefix an API with this minimum caches.

        A stated prefix is a mean over requests that read and others that do not, so that one below the minimum may be of longer
        ones: what today's API caches, another with no higher minimum does too; with a higher one the prompt must be as long.
        """
        found: NDArray[np.bool_] = np.where(
            self.stated > 0, (prompt >= minimum) | (minimum <= self.minimum), prefix >= minimum)
        return found

    def times(self, more: Number) -> Self:
        """The record with so many times the tokens read, and as many fewer written."""
        read = self.read_tokens * more
        return replace(self, read_tokens=read, write_tokens=np.maximum(self.read_tokens + self.write_tokens - read, 0.0))
