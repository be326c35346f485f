"""The verdict: which option, how sure, why, and the next cheap step that can be undone."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from roi.economics.evaluate import Evaluated, evaluate
from roi.economics.inputs import Option, Shared
from roi.economics.next_step import next_step, usd
from roi.economics.option_result import OptionResult

SURE = 0.60
"""Share of draws in which the recommended option must beat staying (ECONOMICS: The verdict)."""


@dataclass(frozen=True)
class Verdict:
    """What to do."""

    recommended: str
    """Option id."""
    decision: str
    """stay, change, or "stay, not sure"."""
    sentence: str
    """The headline: verdict and reason."""
    next_step: str
    """The next cheap step that can be undone."""
    challenger: str | None
    """The best option besides the recommended one."""
    candidates: tuple[str, ...]
    """Options that may be recommended: feasible, at the bar, evaluated."""
    winner_changes_at_error_rate: float | None
    """Error rate of `error_rate_of` at which the winner changes: it loses on cost, or misses the bar. None = at no rate."""
    error_rate_of: str | None
    """The winner; where the winner is staying, the challenger."""
    challenger_wins_at_error_rate: float | None
    """Error rate up to which the challenger would be recommended instead; None = at no rate, or there is no challenger."""


def decide(
    shared: Shared, results: Mapping[str, OptionResult], options: Mapping[str, Option], central: Mapping[str, Evaluated]
) -> Verdict:
    """Recommend the highest expected NPV, errors included, among the candidates; below 60% sure, stay."""
    candidates = tuple(id for id, r in results.items() if r.evaluated or options[id].kind in {"stay", "cache-batch"})
    top = max(candidates, key=lambda id: results[id].expected_npv_usd)
    if results[top].expected_npv_usd <= 0:
        top = "stay"
    chance = results[top].probability_npv_positive
    unsure = top != "stay" and chance is not None and chance < SURE
    recommended = "stay" if unsure else top
    others = [id for id in results if id not in {recommended, "stay"}]
    challenger = max(others, key=lambda id: results[id].expected_npv_usd, default=None)
    if unsure:
        challenger = top
    wins_at = _error_rate_that_decides(shared, options, central, challenger, recommended) if challenger is not None else None
    if recommended == "stay":
        subject, at = challenger, wins_at
    elif recommended == "cache-batch":
        subject, at = None, None  # the same model answers: no error rate of its own
    else:
        subject = recommended
        at = _error_rate_that_decides(shared, options, central, subject, _runner_up(results, candidates, recommended))
    decision = "stay, not sure" if unsure else ("stay" if recommended == "stay" else "change")
    return Verdict(
        recommended,
        decision,
        _sentence(results, recommended, challenger, unsure, chance) + _endings(options, recommended),
        next_step(shared, results, options, recommended, challenger, wins_at),
        challenger,
        candidates,
        at,
        subject,
        wins_at,
    )


def _runner_up(results: Mapping[str, OptionResult], candidates: tuple[str, ...], winner: str) -> str:
    return max((id for id in candidates if id != winner), key=lambda id: results[id].expected_npv_usd)


def _error_rate_that_decides(
    shared: Shared, options: Mapping[str, Option], central: Mapping[str, Evaluated], subject: str, rival: str
) -> float | None:
    """Error rate of `subject` at which its present value equals the rival's, at most what the bar admits.

    Cost is linear in the rate. None where it costs more than the rival at any rate. Where a wrong answer costs nothing, the
    bar alone decides.
    """
    option = options[subject]
    at_bar = 1.0 - shared.quality_bar
    costs = [
        float(evaluate(shared, replace(option, error_rate=e), {**options, subject: replace(option, error_rate=e)}).pv)
        for e in (0.0, 0.02)
    ]
    slope = (costs[1] - costs[0]) / 0.02
    room = float(central[rival].pv) - costs[0]
    if room < 0:
        return None
    return min(room / slope, at_bar) if slope > 0 else at_bar


def _sentence(
    results: Mapping[str, OptionResult], recommended: str, challenger: str | None, unsure: bool, chance: float | None
) -> str:
    winner = results[recommended]
    if unsure and challenger is not None and chance is not None:
        r = results[challenger]
        return (
            f"Stay, not sure: {r.label} has the highest expected NPV ({usd(r.expected_npv_usd)}) but beats staying in only"
            f" {chance:.0%} of the draws (60% needed)."
        )
    if recommended == "stay":
        if challenger is None:
            return "Stay: no other option is feasible."
        r = results[challenger]
        if r.expected_npv_usd <= 0:
            return f"Stay: the nearest alternative, {r.label}, has an expected NPV of {usd(r.expected_npv_usd)}."
        return (
            f"Stay for now: {r.label} would have an expected NPV of {usd(r.expected_npv_usd)}, but nobody has evaluated"
            " its quality on this task."
        )
    odds = f" in {chance:.0%} of the draws" if chance is not None else ""
    paid = {"immediate": "at once", "never": "not within the horizon"}.get(
        winner.payback_status, f"after {winner.payback_months:.1f} months"
    )
    return (
        f"Change to {winner.label}: expected NPV {usd(winner.expected_npv_usd)} against staying, pays back {paid},"
        f" beats staying{odds}."
    )


def _endings(options: Mapping[str, Option], recommended: str) -> str:
    """A reminder that the present model, or the recommended one, has an announced end."""
    named = dict.fromkeys(o.vendor for o in (options["stay"], options[recommended]) if o.retires_on is not None)
    ends = {o.vendor: o.retires_on for o in options.values()}
    return "".join(f" {vendor} ends on {ends[vendor]}, so a move is due in any case." for vendor in named)
