"""What a month of the calendar brought, as usage exports, invoices and clusters tell it."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Came:
    """What came in one month of the calendar; None where nothing tells it."""

    days: float
    calls: float | None = None
    input_tokens: float | None = None
    """Input tokens of a mean call, cached ones included."""
    output_tokens: float | None = None
    cached_share: float | None = None
    own_share: float | None = None
    """Share of the calls that the option's own model answered."""
    second_calls: float | None = None
    """At most so many of the calls are of a request that the other model was called for too, on the same day."""
    least_second_calls: float | None = None
    """At least so many of the calls are of such a request: on days when both have the same calls, as many as one alone had."""
    handed_on: float | None = None
    """The other models' calls over the own model's in the last days of the month, where that began to answer within it."""
    api_usd: float | None = None
    unused_usd: float | None = 0.0
    """The part of `api_usd` that commitments ask beyond what the calls cost; None where that cannot be told."""
    listed: bool = False
    """True where tokens are told, and not what was paid for them: their cash is at the forecast's prices."""
    tiers: tuple[float, float] = (1.0, 1.0)
    """What batch and tiers make of the price of the own model's calls and of others' over the forecast's, if listed."""
    waiting_usd: float | None = None
    """What a call of the incumbent's was billed; None where that is not told, or such calls are not of all requests alike."""
    gpu_hours: float | None = None
    gpu_usd: float | None = None

    def both_told(self, *, handing: bool) -> tuple[float | None, float | None]:
        """At least and at most the share in which both models were called for each request of this month, by its days' calls.

        None where they do not say. `handing`: the option's model hands some calls on, which are no requests of their own; at
        most is then told, as 0, where its days say what it hands on, and none is of both models with the same calls.
        """
        calls, most, least = self.calls, self.second_calls, self.least_second_calls
        if most is None or not calls:
            return None, None
        requests = calls - (most if handing or least is None else least)
        if handing:
            return least / requests if least else None, None if self.handed_on is None or least else 0.0
        return least / requests if least else None, most / (calls - most)

    @property
    def calls_usd(self) -> float | None:
        """What was billed for the calls themselves."""
        return None if self.api_usd is None or self.unused_usd is None else self.api_usd - self.unused_usd

    @property
    def bill_alone(self) -> bool:
        """True where a bill is told without the calls that it is for."""
        return self.calls_usd is not None and self.calls is None
