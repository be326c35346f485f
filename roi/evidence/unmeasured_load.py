"""A load on one replica, or its lengths, beyond what its own server was measured with, and the command that measures it."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, sqrt
from typing import Final

from roi.estimate.serving.request_shape import RequestShape

SHORTER = 8
"""Prompt tokens asked for over those of the shorter prompts, which tell what KV takes: as in the command's own design."""


FEWEST: Final = 4
"""Most requests in flight asked for, at least: what a sequence adds to a step shows over a range of so many, as that of the
published loads behind the intervals is (lab/serving_lines.py)."""
PROMPTS_OFF: Final = 1.1
"""Tokens of requests over those measured from which they are longer: a load's prompts lie that far from what was asked for at
most (MARGIN in `profiling/server/load_design.py`), so that no profile has them to the token."""


@dataclass(frozen=True, kw_only=True)
class UnmeasuredLoad:
    """A load beyond what a replica's own server was measured with: more requests in flight, or longer ones."""

    in_flight: float
    """Most requests in flight where a replica holds its capacity."""
    in_flight_measured: float
    """Most requests that its own server was measured with in flight."""
    tokens: float
    """Mean tokens of a request, prompt and answer."""
    tokens_measured: float
    """The most that a load of the profile had."""
    low: float
    """What a replica holds at its slow end, over the capacity."""
    high: float
    """What it holds at its fast end, over the capacity."""
    command: str
    """Measures it."""

    @property
    def more(self) -> bool:
        """True where more requests are in flight than were measured."""
        return self.in_flight > self.in_flight_measured

    @property
    def longer(self) -> bool:
        """True where requests are longer than those measured."""
        return self.tokens > PROMPTS_OFF * self.tokens_measured

    @property
    def figures(self) -> Mapping[str, float]:
        """What is asked for and what was measured, by name, where it is more than that."""
        names = (*("in_flight", "in_flight_measured") * self.more, *("tokens", "tokens_measured") * self.longer)
        return {name: float(getattr(self, name)) for name in names}

    @property
    def told(self) -> str:
        """How far beyond what was measured the requests and the capacity are, and how far that may be off for it."""
        longer = f"; requests of {self.tokens:,.0f} tokens, measured to {self.tokens_measured:,.0f}" if self.longer else ""
        return longer + (f"; a replica at its limit holds up to {self.in_flight:,.0f} in flight, measured to"
                         f" {self.in_flight_measured:,.0f}: beyond, the step is drawn out, and what a replica holds may be"
                         f" {self.low:.2f} to {self.high:.2f} times as much" if self.more else "")


def profile_command(gpu: str, gpus: int, weight_dtype: str, requests: RequestShape, in_flight: float) -> str:
    """The `roi profile serve` that measures a server of this plan with so many in flight, and with such requests.

    One in flight and as many on the way there, at these prompts and shorter ones, as its fit needs.
    """
    most = max(ceil(in_flight), FEWEST)
    levels = ",".join(map(str, sorted({1, round(sqrt(most)), most})))
    prompt = max(ceil(float(requests.cached_tokens + requests.uncached_tokens)), 1)
    prompts = ",".join(map(str, sorted({max(prompt // SHORTER, 1), prompt})))
    cards = f"--gpu {gpu}" + f" --gpus {gpus}" * (gpus > 1)
    return (f"roi profile serve URL {cards} --weight-dtype {weight_dtype} --concurrency {levels} --input-tokens {prompts}"
            f" --output-tokens {ceil(float(requests.output_tokens))}")
