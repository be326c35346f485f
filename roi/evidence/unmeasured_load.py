"""A load on one replica beyond the loads that its own server was measured with, and the command that measures it."""

from dataclasses import dataclass
from math import ceil, sqrt

from roi.estimate.serving.request_shape import RequestShape

SHORTER = 8
"""Prompt tokens asked for over those of the shorter prompts, which tell what KV takes: as in the command's own design."""


@dataclass(frozen=True)
class UnmeasuredLoad:
    """Requests in flight where a replica holds its capacity, more than were measured."""

    in_flight: float
    measured: float
    """Most requests that its own server was measured with in flight."""
    low: float
    """What it holds at its slow end, over the capacity."""
    high: float
    """What it holds at its fast end, over the capacity."""
    command: str
    """Measures it."""

    @property
    def told(self) -> str:
        """How far beyond what was measured the capacity is, and how far it may be off for that."""
        return (f"; a replica at its limit holds up to {self.in_flight:,.0f} in flight, measured to {self.measured:,.0f}:"
                " beyond, the step is drawn out, and what a replica holds may be"
                f" {self.low:.2f} to {self.high:.2f} times as much")


def profile_command(gpu: str, gpus: int, weight_dtype: str, requests: RequestShape, in_flight: float) -> str:
    """The `roi profile serve` that measures a server of this plan with so many in flight, and with such requests.

    One in flight and as many on the way there, at these prompts and shorter ones, as its fit needs.
    """
    most = max(ceil(in_flight), 1)
    levels = ",".join(map(str, sorted({1, round(sqrt(most)), most})))
    prompt = max(ceil(float(requests.cached_tokens + requests.uncached_tokens)), 1)
    prompts = ",".join(map(str, sorted({max(prompt // SHORTER, 1), prompt})))
    cards = f"--gpu {gpu}" + f" --gpus {gpus}" * (gpus > 1)
    return (f"roi profile serve URL {cards} --weight-dtype {weight_dtype} --concurrency {levels} --input-tokens {prompts}"
            f" --output-tokens {ceil(float(requests.output_tokens))}")
