"""The verdict: which option, how sure, what would change it, and what to measure next (docs/economics.md, 8)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, NamedTuple

import numpy as np

from roi.economics.decision.alarms import Alarm
from roi.economics.decision.draws import Drawn
from roi.economics.decision.evaluation import Evaluated, choose_plan, evaluate
from roi.economics.decision.headline import changing, endings, staying, withheld
from roi.economics.decision.measuring.worth import TIME_API, Experiment, Following
from roi.economics.decision.option_result import CENT, OptionResult
from roi.economics.decision.recommendation import (
    Choices,
    best_of,
    chance,
    chance_needed,
    choose,
    find_first_move,
    nearness,
    value,
)
from roi.economics.inputs import Option, Shared
from roi.economics.lines.option_lines import with_error_rate

ADDS_TOO_SELDOM: Final = "not likely to add"
"""Why an option is held back that would lead but for what it adds to its first move."""
FLOORS = 16
"""Floors of a rival that are tried at most where its best one moves with an error rate."""


@dataclass(frozen=True)
class PassedOver:
    """An option with a higher expected NPV than the recommended one, and why it is not recommended."""

    option: str
    reason: str
    """One of: not tested; not likely; not likely to add (to the leading option, in the place of which it would be advised)."""
    chance: float | None
    """The option's chance to beat staying, or to add anything to the leading option once that is in use, as a share."""
    chance_needed: float
    """The chance that the option's kind needs, as a share."""


Flip = tuple[float, str]
"""A USD per wrong answer, and which option leads beyond it."""


class TurningPrice(NamedTuple):
    """The price of a wrong answer, USD, at which another option would be recommended."""

    at: Flip | None
    """The price nearest to today's, and the option that leads beyond it; None = at none."""
    between: tuple[float, float | None] | None
    """Such prices nearest to and furthest from today's, the bars of the chances moved by the error of the draws."""
    to_one_of: tuple[str, ...]
    """Options that would lead beyond the prices of `between`."""


class WinningResult(NamedTuple):
    """The worst result with which an evaluation still makes what it is about the recommendation."""

    error_rate: float | None
    """Share that is wrong; beside today's model, how much more than of today's. None = no result does."""
    items: int
    """Items of which it is that share: those of the evaluation, and those judged the same way before."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What to do, how sure that is, what to measure, and what would change it."""

    recommended: str | None
    """Option id; None where an alarm withholds the verdict."""
    decision: str
    """One of: stay; change; withheld."""
    steps: tuple[str, ...]
    """What is done, in order: the leading option, and `first_move` before it, or what is likely to follow it; none where an
    alarm withholds the verdict."""
    sentence: str
    """The headline: verdict and reason."""
    leader: str
    """What the figures alone would recommend, alarms aside."""
    counts: str
    """errors, or cash where the USD per wrong answer is an untouched template value, which never decides."""
    candidates: tuple[str, ...]
    """Options that may be recommended: feasible, at the bar, tested."""
    likely: tuple[str, ...]
    """Candidates that beat staying in enough of the draws; staying always."""
    first_move: str | None
    """Where the leader trains, buys or commits, the best likely option that does not and has paid back when that is live."""
    second: str | None
    """The best likely candidate besides the leader."""
    chance_over_second: float | None
    """Share of the draws in which the leader saves no less than the second."""
    closest: str | None
    """The likely candidate besides the leader and staying over which the leader saves no less in the fewest draws."""
    chance_over_closest: float | None
    """Share of the draws in which the leader saves no less than `closest`; None where there is none, or no draws."""
    chance_over_first: float | None
    """Share of the draws in which the leader saves no less than `first_move`; None where there is none, or no draws."""
    passed_over: tuple[PassedOver, ...]
    """Options with a higher expected NPV than the leader, best first."""
    challenger: str | None
    """The best option besides the leader, tested or not."""
    if_all_hours_are_paid: str | None
    """What would be recommended if hours that are paid anyway had a price too, where that is another option; else None."""
    measure_first: Experiment | None
    """What is worth measuring before anything is changed."""
    then: Experiment | None
    """What is worth measuring once the leader is carried out; None = nothing is worth measuring."""
    wins_at_error_rate: float | None
    """Error rate up to which what the evaluation of `measure_first`, else of `then` (of that where an API is timed first too),
    finds makes its option the leader, or leaves the leader that; beside today's model, today's rate and how much more is found;
    None = no result does, or `wins_on_items` is None too."""
    wins_on_items: int | None
    """Items of which `wins_at_error_rate` is a share: those of the evaluation, and those judged the same way before. None of
    another kind of experiment, and where what is judged is, or answers in, the first of two moves or the second."""
    flips_at_usd_per_error: float | None
    """The USD per wrong answer nearest to today's beyond which the leader is another, by means and chances; None = at none."""
    flips_to: str | None
    """The option that leads beyond `flips_at_usd_per_error`; None = at no price another."""
    flips_between_usd_per_error: tuple[float, float | None] | None
    """The prices, nearest to and furthest from today's, at which the leader may turn, the bars of the chances moved by the
    error of the draws; a furthest None = at no price, None = neither."""
    flips_to_one_of: tuple[str, ...]
    """Options that would lead beyond these prices; the draws tell which where it is one."""
    stands_below_usd_per_error: float | None
    """Where wrong answers are not counted: the nearest of these, USD each; None where they are, or the draws place no end."""
    winner_changes_at_error_rate: float | None
    """Error rate of `error_rate_of` up to which it costs no more than the next best at the central values, and meets the bar;
    None = at no rate."""
    error_rate_of: str | None
    """The winner; where the winner is staying, the challenger."""
    challenger_wins_at_error_rate: float | None
    """Error rate up to which the challenger costs no more than the leader at the central values, and meets the bar; None = at
    no rate, or there is no challenger. Its mean over the draws, and its chance, may still be lower."""


def decide(
    shared: Shared, results: Mapping[str, OptionResult], options: Mapping[str, Option], central: Mapping[str, Evaluated], *,
    chosen: Choices, drawn: Drawn | None, measured: Sequence[Experiment], alarms: Sequence[Alarm],
    turning: TurningPrice, following: Following | None = None,
    winning: Callable[[Experiment], WinningResult | None] | None = None,
) -> Verdict:
    """The verdict on the option that was chosen; `measured` are the experiments, the highest net value first.

    `winning` tells the worst result of one with which its option is chosen.
    `following` is what follows the first move, or the leading option where there is none.
    """
    leader, counts = chosen.leader, chosen.counts
    best = partial(best_of, results, counts)
    second = best([id for id in chosen.likely if id != leader])
    others = [id for id in results if id not in {leader, "stay"}]
    challenger = max(others, key=lambda id: nearness(results[id], counts), default=None)
    wins_at = error_rate_that_decides(shared, options, central, challenger, leader, counts) if challenger is not None else None
    if leader == "stay":
        subject, at = challenger, wins_at
    elif options[leader].keeps_model:
        subject, at = None, None  # the same model answers: no error rate of its own
    else:
        runner_up = best([id for id in chosen.candidates if id != leader]) or "stay"
        subject, at = leader, error_rate_that_decides(shared, options, central, leader, runner_up, counts)
    then = next((e for e in measured if e.net_usd > e.error_usd), None)
    first = max(measured, key=lambda e: round(e.first_net_usd, 6), default=None)  # rounding of sums decides no order
    after = max(then.net_usd if then is not None else 0.0, 0.0)
    if first is None or leader == "stay" or not _comes_before(first, after):
        first = None
    timed = [e for e in measured if e.kind == TIME_API and e.first_net_usd > 0.0]  # all other tests are as open after it
    first = max((*timed, *([first] if first else [])), key=lambda e: e.first_net_usd, default=None)
    first_move = find_first_move(results, chosen)
    over = {id: _chance_over(drawn, leader, id, counts) for id in chosen.likely if id not in {leader, "stay"}}
    closest = min(over, key=lambda id: over[id] or 0.0, default=None) if drawn is not None else None
    judged = then if first is None or first.kind == TIME_API else first
    running = leader if following is None else following.after
    ahead = {running} if following is None else {running, following.option}
    alike = judged is None or any(answer_alike(options[judged.option], options[id]) for id in ahead)
    own = alike and judged is not None and following is None and leader != "stay"  # its own result may end its lead
    won = None if winning is None or judged is None or (alike and not own) else winning(judged)
    standing = [alarm for alarm in alarms if not alarm.accepted]
    below, steps = _stands_below(shared, counts, turning), (leader,) if first_move is None else (first_move, leader)
    steps = steps if following is None else (following.after, following.option)
    if leader == "stay":
        told = staying(results, counts, challenger)
    else:
        told = changing(results, counts, leader, steps, drawn, following, below)
    return Verdict(
        recommended=None if standing else leader, steps=() if standing else steps,
        decision="withheld" if standing else "stay" if leader == "stay" else "change",
        sentence=withheld(standing) if standing else told + endings(options, leader),
        leader=leader, counts=counts, candidates=chosen.candidates, likely=chosen.likely,
        first_move=first_move, chance_over_first=_chance_over(drawn, leader, first_move, counts),
        second=second, chance_over_second=_chance_over(drawn, leader, second, counts),
        closest=closest, chance_over_closest=over.get(closest or ""),
        passed_over=_passed_over(shared, results, chosen),
        if_all_hours_are_paid=_with_all_hours(shared, results, chosen), challenger=challenger,
        measure_first=None if standing else first, then=None if standing else then,
        wins_at_error_rate=None if won is None or won.error_rate is None else won.error_rate + (
            results["stay"].quality.error_rate if judged is not None and judged.paired else 0.0),
        wins_on_items=None if won is None else won.items,
        flips_at_usd_per_error=turning.at and turning.at[0], flips_to=turning.at and turning.at[1],
        flips_between_usd_per_error=turning.between, flips_to_one_of=turning.to_one_of, stands_below_usd_per_error=below,
        winner_changes_at_error_rate=at, error_rate_of=subject, challenger_wins_at_error_rate=wins_at,
    )


def _comes_before(e: Experiment, after_usd: float) -> bool:
    """Whether the experiment is worth its cost before anything is changed, and more than what is worth most after it.

    Who waits for it has what waiting brings too, which alone makes no experiment worth its cost. A tie: move.
    """
    return min(e.first_net_usd, e.first_net_usd + e.delay_saves_usd - after_usd) > e.error_usd


def _with_all_hours(shared: Shared, results: Mapping[str, OptionResult], chosen: Choices) -> str | None:
    """The leader with a price on every hour, where it is another one. Chances stay as they are."""

    def priced(r: OptionResult) -> OptionResult:
        more = r.npv_all_hours_usd - r.npv_usd
        return replace(r, expected_npv_usd=r.expected_npv_usd + more, expected_cash_npv_usd=r.expected_cash_npv_usd + more)

    leader = choose(shared, {id: priced(r) for id, r in results.items()}, chosen.counts).leader
    return None if leader == chosen.leader or leader in chosen.held else leader


def _chance_over(drawn: Drawn | None, leader: str, second: str | None, counts: str) -> float | None:
    if drawn is None or second is None:
        return None
    saved = drawn.saved(counts)
    return float(np.mean(saved[leader] >= saved[second] - CENT))


def _passed_over(shared: Shared, results: Mapping[str, OptionResult], chosen: Choices) -> tuple[PassedOver, ...]:
    counts, held = chosen.counts, chosen.held
    least = value(results[chosen.leader], counts)
    higher = sorted((r for r in results.values() if value(r, counts) > least and r.id not in {chosen.leader, "stay"}),
                    key=lambda r: -value(r, counts))
    return tuple(PassedOver(
        option=r.id, reason=ADDS_TOO_SELDOM if r.id in held else "not likely" if r.tested else "not tested",
        chance=held[r.id] if r.id in held else chance(r, counts), chance_needed=chance_needed(shared, r)) for r in higher)


def answer_alike(one: Option, other: Option) -> bool:
    """True where the same model answers in both, or the same two."""
    return (one.system, one.kind == "cascade") == (other.system, other.kind == "cascade")


def error_rate_that_decides(
    shared: Shared, options: Mapping[str, Option], central: Mapping[str, Evaluated], subject: str, rival: str,
    counts: str = "errors",
) -> float | None:
    """Error rate of what `subject` answers at which its present value equals the rival's, at most what the bar admits.

    Cost is linear in the rate. None where it costs more than the rival, by over a cent, at any rate. Where a wrong answer costs
    nothing, or `counts` is cash, the bar alone decides. A rival that spills to `subject` hands its wrong answers on, and so
    costs another sum too, on the floor that is the cheapest there: the line at one rate leads to the next, never to one that
    is too low.
    """
    at = at_bar = 1.0 - shared.quality_bar
    against = options[rival]
    spills = subject in {against.spills_to, against.long_to}

    def having(error_rate: float) -> dict[str, Option]:
        return {**options, subject: with_error_rate(options[subject], error_rate)}

    def gain(error_rate: float) -> float:
        there = having(error_rate)
        other = evaluate(shared, against, there) if spills else central[rival]
        return float(other.counted(counts)) - float(evaluate(shared, there[subject], there).counted(counts))

    for _ in range(FLOORS):
        right = gain(0.0)
        if right < -CENT:
            return None
        slope = (right - gain(0.02)) / 0.02
        at = min(max(right, 0.0) / slope, at_bar) if slope > CENT else at_bar  # rounding of sums is no slope
        before = against.plan, against.replicas_fixed
        against = choose_plan(shared, against, having(at)) if spills else against
        if (against.plan, against.replicas_fixed) == before:
            break
    return at


def _stands_below(shared: Shared, counts: str, turning: TurningPrice) -> float | None:
    """The USD per wrong answer from which another option may lead, where none is counted; None where that is not known."""
    counted = counts != "cash" and np.any(np.asarray(shared.usd_per_error) > 0)
    near, far = (None, None) if counted or turning.between is None else turning.between
    return None if far is None else near or None
