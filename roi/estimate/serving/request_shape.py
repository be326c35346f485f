"""The tokens of the requests that a replica serves, and what follows from their means and spreads.

A decoding sequence that is looked at at a random moment is more often a long one, and half done on average; a prompt token has
half of its prompt before it. So spreads count beside means: both grow with 1 + CV^2, CV the standard deviation over the mean.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from roi.facts.model import Number

P95_NORMAL: Final = 1.645
"""Standard deviations from the mean to the 95th percentile of a normal variable."""


def lognormal_p95(cv: Number) -> Number:
    """95th percentile over mean of a lognormal variable of this CV."""
    variance = np.log1p(np.square(cv))
    return np.exp(P95_NORMAL * np.sqrt(variance) - variance / 2.0)


@dataclass(frozen=True)
class RequestShape:
    """Tokens of the requests; each broadcasts."""

    uncached_tokens: Number
    """Mean prompt tokens that are computed."""
    output_tokens: Number
    """Mean generated tokens, reasoning included; at least 1."""
    cached_tokens: Number = 0.0
    """Mean prefix tokens found in the prefix cache: not computed, read by each, held once for all but `alone_tokens`."""
    prompt_cv: Number = 0.0
    """Standard deviation over mean of the computed prompt tokens."""
    output_cv: Number = 0.0
    """Standard deviation over mean of the generated tokens."""
    alone_tokens: Number = 0.0
    """Those of `cached_tokens` that each sequence holds for itself, mean: the history of its conversation, which no other
    has."""

    @property
    def shared_tokens(self) -> Number:
        """Mean cached tokens that are held once for all sequences."""
        return self.cached_tokens - self.alone_tokens

    @property
    def prefill_context(self) -> Number:
        """Mean tokens before a computed prompt token: the prefix and half the rest, longer prompts counting more."""
        return self.cached_tokens + self.uncached_tokens * (1.0 + np.square(self.prompt_cv)) / 2.0

    @property
    def own_tokens(self) -> Number:
        """Mean tokens that a decoding sequence holds of its own at a random moment.

        The prompt but for a prefix that others hold too, and E[o^2] / 2 E[o] of output: a long output is seen more often
        (renewal theory). With equal outputs this is half. Ignored: long prompts that go with long outputs.
        """
        return self.uncached_tokens + self.alone_tokens + self.output_tokens * (1.0 + np.square(self.output_cv)) / 2.0

    @property
    def long_tokens(self) -> Number:
        """Own tokens of a long request at its end: P95 of prompt and of output, each taken as lognormal."""
        prompt = (self.uncached_tokens + self.alone_tokens) * lognormal_p95(self.prompt_cv)
        return prompt + self.output_tokens * lognormal_p95(self.output_cv)
