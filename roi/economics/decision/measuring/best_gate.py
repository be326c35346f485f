"""What the gate of a cascade could be worth at most, where nobody measured it."""

from collections.abc import Mapping
from dataclasses import dataclass

from roi.economics.decision.evaluation import evaluate
from roi.economics.inputs import Option, Shared
from roi.economics.lines.line import pick
from roi.economics.lines.option_lines import with_error_rate


@dataclass(frozen=True, kw_only=True)
class BestGate:
    """What a cascade would do with the best gate at its share handed on."""

    error_rate: float
    """Share of all its answers that would be wrong."""
    npv_usd: float
    """NPV against staying at the central values, on what the verdict counts: no measured gate brings more at that share."""


def best_gate(shared: Shared, options: Mapping[str, Option], id: str, counts: str) -> BestGate | None:
    """The best that a gate which nobody measured could do; None where it was measured, or the option is no cascade.

    Without a measurement a gate counts as blind: what is kept is as often wrong as all answers of the first model, a share q1.
    One that hands on a share e of all requests, those that the first model gets wrong before any other, keeps max(q1 - e, 0)
    wrong answers of a request; what it hands on is wrong as often as was measured or, since it is no easier than the rest, as
    all answers of the second model, q2. Together max(q1 - e, 0) + e q2, all at the central values.
    """
    option = options[id]
    if option.kind != "cascade" or option.kept_error is not None or option.end_to_end_error is not None:
        return None
    e, second = pick(option.escalated), options[option.escalates_to]
    handed_on = second.error_rate if option.escalated_error is None else option.escalated_error
    rate = max(pick(option.error_rate) - e, 0.0) + e * pick(handed_on)
    stay, done = (evaluate(shared, each, options) for each in (options["stay"], with_error_rate(option, rate)))
    return BestGate(error_rate=rate, npv_usd=float(stay.counted(counts) - done.counted(counts)))
