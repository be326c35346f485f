"""The advice in sentences that need no other page: what to do now, what to measure then, and what not to do yet.

Cash and wrong answers are told apart; NPV, P10 and P90 are the mean and the percentiles of the draws.
"""

import math

import numpy as np

from roi.economics.decision.comparison import Comparison
from roi.economics.decision.measuring.worth import TIME_API
from roi.economics.decision.option_result import OptionResult
from roi.economics.decision.recommendation import chance
from roi.economics.decision.second_move import SecondMove
from roi.economics.lines.line import requests as requests_by_month
from roi.economics.lines.line_kind import MIGRATIONS, UNUSED, LineKind
from roi.economics.option_kinds import SELF_HOSTED
from roi.facts.fact import Basis
from roi.report.comparison.findings import pair_first, then, to_measure, wins_at
from roi.report.comparison.option_figures import (
    alone_from,
    at_mean_rents,
    cash_from,
    compared_from,
    counted,
    drawn,
    either_way,
    mean_from,
    mean_npv,
    month_of,
    npv_of,
    npv_range,
    option_of,
)
from roi.report.comparison.option_words import fleet_of, owed_until, what_it_is, why_later
from roi.report.comparison.remarks.latency import missed_slo, timing_first
from roi.report.comparison.remarks.model_ends import instead_of_staying, to_name, what_follows
from roi.report.comparison.remarks.quality_bar import blind_gate
from roi.report.comparison.remarks.stated import why_out
from roi.report.comparison.second_look import (
    OFTEN,
    below_bar,
    held_back,
    look_again,
    nearest_other,
    next_move,
    reason,
    self_hosting_of,
    unless,
    wait_for,
)
from roi.report.comparison.thresholds import (
    NEAR,
    any_unstated,
    at_rent,
    beats_staying_today,
    chance_asked,
    flips_at,
    holds_while,
    nothing_fails,
    today,
    turning_volumes,
    wins_from,
)
from roi.report.layout.blocks import Block, Labelled
from roi.report.layout.wording import (
    case_number,
    correct_first,
    figure,
    number_of,
    percent,
    short_usd,
    told_apart,
    usd,
)
from roi.report.layout.wording import chance as share
from roi.report.layout.wording import months as in_months
from roi.units import DAYS_PER_MONTH

DIFFERS = 0.25
"""Two paybacks that differ by more than this part of the longer one are both told."""
PART = 0.1
"""Part of what staying costs above which forced migrations are named, and of month 1 by which the mean month is another."""
SOON = 2.0
"""Months until a change is live from which that stands beside the change: what is done now is to order it."""
MOST_RIVALS = 2
"""Options that would undo the advice: staying, and the one that leads where nothing is trained, bought or committed."""
CLOSER = 0.05
"""A chance that is lower than that over the second best by more than this is told of a closer rival."""
WAITS = 0.05
"""Part of the mean NPV from which what a later start adds to it comes first."""
SAME_RATE = 0.0005
"""Error rates that print alike."""


def advice(c: Comparison, rivals: int = MOST_RIVALS, *, brief: bool = False) -> list[Block]:
    """What to correct; or what to do now, what to measure, and what not to do yet, or at most so many rivals would undo it.

    With `brief` what is not to be done yet is told without what its row shows, today's volume, and other prices and options.
    With fewer than none (-1) what follows a first move is not told without that, nor from which volume on the advice of an API
    is another; with -2 nothing that is free before a test; with -3 not what a second move's set-up is alone.
    """
    v = c.verdict
    if v.recommended is None:
        return [Labelled("CORRECT FIRST", correct_first(c.alarms, "there is no recommendation; the table follows"), "alarm")]
    if v.leader == "stay":
        blocks: list[Block] = [_stay(c)]
    elif v.measure_first is not None:
        e = v.measure_first
        after = max(e.net_usd, 0.0)
        moved = short_usd(after) if after else "nothing"
        waits = f" (waiting alone brings {short_usd(e.delay_saves_usd)} besides)" if e.delay_saves_usd >= 1.0 else ""
        ahead = (f"Worth {short_usd(e.first_net_usd)} on average net of cost and delay{waits}; {moved} after the change."
                 f"{wins_at(c, e)}{pair_first(c, e)}")
        named = [first] if rivals > -2 and (first := to_name(c)) else []
        told = (f"{to_measure(c, e)}. {timing_first(c, e)}",) if e.kind == TIME_API else (*named, f"{to_measure(c, e)}.", ahead)
        blocks = [Labelled("MEASURE FIRST", told, "good"), _change(c, "ELSE", rivals)]
    else:
        blocks = [_change(c, "DO NOW", rivals)]
    later = unless(c, rivals) if option_of(c, v.leader).kind in SELF_HOSTED else _not_yet(c, brief=brief, least=rivals < -2)
    return [*blocks, *then(c, brief=brief, free=rivals > -2), *later]


def _change(c: Comparison, label: str, rivals: int) -> Block:
    """The recommendation; where it trains, buys or commits, before it the verdict's first move, if there is one.

    With `rivals` of none or more also what it brings without that move; of one that needs none a line each, with the volumes at
    which the advice is another. With -3 as `advice` says.
    """
    v, o, alone, least = c.verdict, c.leader, rivals >= 0, rivals < -2
    found = figures(c, o)
    told = found if alone else [found[0], " ".join(found[1:])]
    first = None if v.first_move is None else option_of(c, v.first_move)
    if first is None:
        held = [at] if alone and o.kind not in SELF_HOSTED and (at := turning_volumes(c, NEAR)) else []
        while_, live = holds_while(c), _live_in(o)
        change = f"Change to {o.label}{live}{',' if live and while_ else ''}{while_}: {what_it_is(c, o)}."
        later, waits = _later(c), c.better_later is not None and c.better_later[1] > WAITS * abs(npv_of(c, o)[0])
        begins = (*later, change) if waits else (change, *later)
        return Labelled(label, (*begins, *what_follows(c, o), *told, *held), "good")
    mean, _ = npv_of(c, first)
    good = first.probability_good_enough
    reaches = "" if good is None or good > OFTEN else (
        f" It reaches the bar ({percent(case_number(c.case, 'quality.bar'))}) in {share(good)} of the draws.")
    head = (f"First {first.label} (can be undone within a month). {_cash(c, first)}"
            f" {'Mean' if drawn(c) else 'Central'} NPV {short_usd(mean)}.{reaches}"), *what_follows(c, first)
    move, then = c.second_move, f"Then {o.label}, prepared meanwhile{_live_in(o)}: {what_it_is(c, o)}."
    if move is None or move.npv_usd <= 0:
        more = npv_of(c, o)[0] - mean
        odds = "" if v.chance_over_first is None else f", more in {share(v.chance_over_first)} of the draws"
        then += f" Going there at once, as below, it saves {short_usd(more)} more{odds}."
        return Labelled(label, (*head, then, *told, *_later(c)), "good")
    both = npv_range(move.both_npv_usd, move.both_npv_p10_p50_p90)
    straight, *beats = found[2:]
    return Labelled(label, (
        *head, f"{then} {_over(c, o, move, least=least)}", _wrong(c, o), f"Both{f', {counted(c)}' * (not least)}: {both}.",
        *([f"Without the first: {straight} {' '.join(beats)}"] if alone else ()), *_later(c)), "good")


def _live_in(o: OptionResult) -> str:
    """In how many months what is ordered now answers users, as its figures are; empty where that is within SOON."""
    return f", live in {figure(o.months_to_live)} months" if o.months_to_live >= SOON else ""


def _later(c: Comparison) -> list[str]:
    """When the leading option had better be live, and why; empty where as soon as it can is best.

    Beside what is to be measured first, which waits anyway, also of when its figures are.
    """
    if c.better_later is None:
        return []
    months, gain = c.better_later
    live, why = c.leader.months_to_live + months, why_later(c, c.verdict.leader, months, c.verdict.counts)
    soonest = f"in {number_of(c.leader.months_to_live, 'month')}" if c.leader.months_to_live >= SOON else "at once"
    of_then = "" if c.verdict.measure_first is None else f" The figures are of it live {soonest}."
    return [f"Better live in {number_of(live, 'month')}: central NPV +{short_usd(gain)}{why}.{of_then}"]


def figures(c: Comparison, o: OptionResult) -> list[str]:
    """What a change costs and brings: cash, wrong answers, NPV with its range, and how sure it is."""
    found = [_cash(c, o), _wrong(c, o), f"NPV, {counted(c)}: {npv_range(*npv_of(c, o))}."]
    odds = chance(o, c.verdict.counts)
    if odds is not None:
        beats = f"Chance to beat staying {share(odds)}{_over_rivals(c)}"
        if o.probability_good_enough is not None and o.probability_good_enough < 1.0:
            beats += f", to reach the bar ({percent(case_number(c.case, 'quality.bar'))}) {share(o.probability_good_enough)}"
        found.append(f"{beats}.")
    return found


def _over_rivals(c: Comparison) -> str:
    """The chance to beat the second best by mean NPV, where the first move is not that, after that over a closer rival."""
    v = c.verdict
    if v.second is None or v.chance_over_second is None or v.second in {"stay", v.first_move}:
        return ""
    closer, by = "", ""
    if v.closest is not None and v.chance_over_closest is not None and v.chance_over_closest < v.chance_over_second - CLOSER:
        closer, by = f", to beat {option_of(c, v.closest).label} {share(v.chance_over_closest)}", " by mean NPV"
    return f"{closer}, to beat the second best{by} ({option_of(c, v.second).label}) {share(v.chance_over_second)}"


def _cash(c: Comparison, o: OptionResult) -> str:
    stay = option_of(c, "stay")
    own, paid_first = o.upfront_no_cash_usd, usd(o.upfront_usd - o.upfront_no_cash_usd)
    first = f"{paid_first} and {usd(own)} that {_own_cards(c, o)} would sell for" if own else paid_first
    first += f" (staying's: {usd(stay.upfront_usd)})" if stay.upfront_usd >= 1.0 else ""
    parts = at_mean_rents(c, o)
    owing = ((UNUSED - {LineKind.OWN_COMMITMENT}, f"commitment still owed{owed_until(c, o)}"),
             ({LineKind.OWN_COMMITMENT}, "committed to its vendor beyond the bill"))
    for kinds, told in owing:
        unused = sum(mean_from(line, alone_from(o)) for line in o.lines if line.kind in kinds)
        parts += [f"{usd(unused)} of it {told}"] if unused >= 1.0 else []
    if sold := resale(o):
        parts.append(f"{usd(sold)} that the cards fetch at the end taken off")
    if assumed := _mostly_assumed(o):
        parts.append(f"{usd(assumed[0])} of it {assumed[1]}, assumed")
    owed = f" ({'; '.join(parts)})" if parts else ""
    start = alone_from(o)
    now = _of_staying(c, start, month_1=o.id == (c.verdict.first_move or c.verdict.leader))
    cash_now, cash_then = f"{usd(o.staying_cash_monthly_usd)}{now}", f"{usd(o.cash_monthly_usd)}{owed}"
    since = "" if start == compared_from(c) else f" (from month {start + 1})"
    return f"Cash {cash_now} -> {cash_then} a month{since}; set-up {first}; {_paid(c, o)}."


def _paid(c: Comparison, o: OptionResult | SecondMove) -> str:
    """When a change or the move that follows it has paid back, on cash; with wrong answers where that is far from it."""
    horizon = int(case_number(c.case, "horizon_months"))
    cash, with_errors = o.payback_cash_months, o.payback_months
    paid = f"payback {in_months(cash, horizon)}{'' if cash <= 0 or cash > horizon else ' months from today'}, on cash"
    if 0.0 < cash < 1.0:
        paid = "payback within a month from today, on cash"
    shorter, longer = sorted(min(x, 2.0 * horizon) for x in (cash, with_errors))
    if c.verdict.counts != "cash" and longer - shorter > DIFFERS * longer and longer >= 1.0:
        own = ", and what your cards would sell for," if isinstance(o, OptionResult) and o.upfront_no_cash_usd else ""
        paid += f" ({in_months(with_errors, horizon)} with wrong answers{own} counted)"
    return paid


def _mostly_assumed(o: OptionResult) -> tuple[float, str] | None:
    """What is more than half of an option's cash, USD a month, where nobody stated what it rests on; rent with its spares."""
    start = alone_from(o)
    moves = "forced migrations"
    named = [(moves if x.kind in MIGRATIONS else x.name.removesuffix(", redundancy"), x) for x in o.lines if x.cash]
    sums = {part: sum(mean_from(line, start) for name, line in named if name == part)
            for part in dict.fromkeys(name for name, line in named if line.basis == Basis.ASSUMED)}
    name = max(sums, key=lambda each: sums[each], default="")
    return (sums[name], name.partition(" and ")[0]) if name and sums[name] > 0.5 * o.cash_monthly_usd else None


def _own_cards(c: Comparison, o: OptionResult) -> str:
    """The cards of one's own that an option keeps, with their number where each sells for the same."""
    each = case_number(c.case, f"own_hardware.resale_usd_per_gpu.{o.fleet.gpu}", 0.0) if o.fleet is not None else 0.0
    number = o.upfront_no_cash_usd / each if each else 0.0
    return f"{number:.0f} of your own cards" if number > 1.5 and math.isclose(number, round(number)) else "your own cards"


def resale(o: OptionResult) -> float:
    """What cards that are bought fetch in the months of the option's cash, USD a month."""
    return -sum(min(mean_from(line, alone_from(o)), 0.0) for line in o.lines if line.cash and line.kind is LineKind.HARDWARE)


def _of_staying(c: Comparison, start: int, *, month_1: bool = True) -> str:
    """What of staying's cash from a month on is forced migrations, where much, and month 1, where that differs; else empty."""
    stay = option_of(c, "stay")
    mean, now = cash_from(stay, start), sum(line.monthly_usd[0] for line in stay.lines if line.cash)
    moved = [line for line in stay.lines if line.kind in MIGRATIONS]
    moves, begun = sum(mean_from(line, start) for line in moved), sum(line.upfront_usd for line in moved)
    each = c.case["migration.hours"]
    hours = f"{case_number(c.case, 'migration.hours'):g} h each{'' if each.basis is Basis.STATED else ', assumed'}"
    told = [f"{usd(moves)} of it forced migrations, {hours}"] * (moves > PART * mean)
    told += [f"a forced migration at once: {usd(begun)}"] * (begun > 0)  # of an end that rounds to today
    if month_1 and abs(mean - now) > PART * abs(now):
        first = sum(line.monthly_usd[0] for line in moved)
        told.append(f"month 1: {usd(now)}{f', {usd(first)} of it a forced migration' if first > PART * abs(now) else ''}")
    return f" ({'; '.join(told)})" if told else ""


def _wrong(c: Comparison, o: OptionResult) -> str:
    """Wrong answers before and after, as a share, as a count a month and in USD."""
    stay, each = option_of(c, "stay"), case_number(c.case, "quality.usd_per_error")
    before, after = stay.quality.wrong_rate, o.quality.wrong_rate
    flips = flips_at(c) if o is c.leader else ""
    if abs(after - before) < SAME_RATE:
        drawn_apart = f"; but they may differ: {flips}" if flips else ""
        return f"Wrong answers {percent(before)}, as today{either_way(c, o)}{drawn_apart}."
    month = case_number(c.case, "workload.requests_per_day") * DAYS_PER_MONTH
    if c.thresholds is not None:
        month = float(np.mean(requests_by_month(c.thresholds.curves.shared)[alone_from(o):]))
    dearer = o.errors_monthly_usd - o.staying_errors_monthly_usd
    number = abs(dearer / each if each > 0 else (after - before) * month)
    more = "more" if after > before else "fewer"
    priced = f", counted at {usd(abs(dearer))}" if each > 0 and c.verdict.counts != "cash" else ", not counted in USD"
    count = figure(number)
    turns = f" ({flips})" if flips else ""
    rates = " -> ".join(told_apart(percent, before, after))
    return f"Wrong answers {rates}{either_way(c, o)}: about {count} {more} a month{priced}{turns}."


def _stay(c: Comparison) -> Block:
    v, stay = c.verdict, option_of(c, "stay")
    successor = instead_of_staying(c)
    open_yet = nothing_fails(c) or v.passed_over or missed_slo(c, "stay") or any_unstated(c) or blind_gate(c)
    until = " until it ends" if successor else " for now" if open_yet else ": stop here"
    until = until if v.then is None else f"{' until it ends' if successor else ' for now'}, and measure"
    head = (f"Stay on {stay.label}{until}. Cash {usd(month_of(c, stay)[0])} a month{_of_staying(c, compared_from(c))},"
            f" {percent(stay.quality.wrong_rate)} of the answers wrong.")
    return Labelled("DO NOW", (head, *successor, nearest_other(c), *wait_for(c), *look_again(c)), "good")


def _not_yet(c: Comparison, *, brief: bool, least: bool) -> list[Block]:
    o = self_hosting_of(c)
    if o is None:
        barred = next((x for x in c.infeasible if x.kind in SELF_HOSTED), None)
        why = why_out(c, barred) if barred else "no open model is named (candidates.self_hosted)"
        if barred and c.verdict.leader == "stay" and barred.reason in nearest_other(c):
            why = f"{barred.label} (see above)"
        return [Labelled("NOT YET", (f"Self-hosting, none: {why}.",))]
    if (move := next_move(c)) is not None:
        return [_next(c, o, move, brief=brief, least=least)]
    if (held := held_back(c)) is not None and held.option == o.id:
        return [_held(c, o, held, brief=brief, least=least)]
    mean, _ = npv_of(c, o)
    unlikely = mean > npv_of(c, c.leader)[0] and not beats_staying_today(c, o)  # else its chance stands beside its volume
    missed = f", assumed {percent(o.quality.error_rate)} wrong: below the bar" * below_bar(c, o)
    why = f"; not tested{missed}" if not o.tested else f"; {reason(c, o.id)}" if unlikely else ""
    known = "" if brief else f"; {mean_npv(c)} {short_usd(mean)}{_most(o)}"
    head = f"{o.label} ({fleet_of(c, o)}{known}{why})."
    if c.thresholds is None:
        return [Labelled("NOT YET", (head,))]
    wins = wins_from(c, o)
    told = f" At {'central values' if brief else f'the central values ({today(c)})'} it {wins}." if wins else ""
    return [Labelled("NOT YET", (f"{head}{told}{at_rent(c, o, wins, brief=brief)}",))]


def _most(o: OptionResult) -> str:
    """What is most of an option's cash, where nobody stated what it rests on; else empty."""
    part = _mostly_assumed(o)
    return f"; {usd(part[0])} of {usd(o.cash_monthly_usd)} a month {part[1]}, assumed" if part else ""


def _held(c: Comparison, o: OptionResult, move: SecondMove, *, brief: bool, least: bool) -> Block:
    """What would lead alone, and adds to what comes first too seldom to be prepared: told, no part of what is done now."""
    what = f"{o.label}{'' if brief else f' ({fleet_of(c, o)}{_most(o)})'}"
    return Labelled("NOT YET", (f"{what}, not prepared: what it adds is not likely.", _over(c, o, move, least=least)))


def _next(c: Comparison, o: OptionResult, move: SecondMove, *, brief: bool, least: bool) -> Block:
    """The move that follows the change: what it adds, and why it is not first."""
    what = f" ({fleet_of(c, o)})" if brief else f": {what_it_is(c, o)}"
    told = [f"Once {c.leader.label} answers, move on to {o.label}, prepared meanwhile{what}.", _over(c, o, move, least=least)]
    less = npv_of(c, c.leader)[0] - npv_of(c, o)[0]
    if less > 0:
        told.append(f"In its place it would save {short_usd(less)} less: today's model is paid until it is live.")
    return Labelled("NEXT", tuple(told))


def _over(c: Comparison, o: OptionResult, move: SecondMove, *, least: bool) -> str:
    """What moving on to the option adds to what it follows, also in a bad case, how often, and when it pays.

    Unless `least` also what its set-up is without what it follows.
    """
    after, bad, odds = option_of(c, move.after), "", ""
    good = after.probability_good_enough
    reached = ", where that reaches the bar" if good is not None and good <= OFTEN else ""
    if move.npv_p10_p50_p90 is not None and move.chance is not None:
        bad, odds = f", bad case {short_usd(move.npv_p10_p50_p90[0])}", f", more in {share(move.chance)} of the draws"
        if not move.likely:
            odds = f", more in only {share(move.chance)} of the draws ({share(chance_asked(c, o))} is asked)"
    if move.second is not None and move.chance_over_second is not None:
        odds += f" (than {option_of(c, move.second).label}, the second best, in {share(move.chance_over_second)})"
    resold = resale(o)
    sold = f", {usd(resold)} that the cards fetch at the end taken off" if resold else ""
    cash = f"cash {usd(cash_from(after, alone_from(o)))} -> {usd(o.cash_monthly_usd)} a month{sold}"
    alone = o.upfront_usd - o.upfront_no_cash_usd
    taken = f" (alone {usd(alone)}: {after.label} takes hours that are paid anyway)" * (
        not least and move.upfront_usd - alone >= 1.0 and case_number(c.case, "people.existing_hours_per_month", 0.0) > 0.0)
    return (f"Over {after.label}{reached}: {mean_npv(c)} +{short_usd(move.npv_usd)}{bad}{odds}; {cash};"
            f" set-up {usd(move.upfront_usd)}{taken}; {_paid(c, move)}.")
