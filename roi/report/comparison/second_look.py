"""What to look at again: where the advice is to stay, what other options lack, and from where; else the option on GPUs."""

from collections.abc import Sequence
from functools import partial

from roi.economics.decision.comparison import Comparison
from roi.economics.decision.feasibility import BAR_TOLERANCE
from roi.economics.decision.option_result import OptionResult
from roi.economics.decision.recommendation import nearness
from roi.economics.decision.second_move import SecondMove
from roi.economics.decision.turning.break_even import BreakEven
from roi.economics.decision.turning.curves import MOST
from roi.economics.decision.turning.signposts import SAME_PRICE
from roi.economics.decision.verdict import ADDS_TOO_SELDOM
from roi.economics.option_kinds import KEEPS_MODEL, SELF_HOSTED
from roi.facts.case import IN_USE
from roi.facts.fact import guessed
from roi.report.comparison.option_figures import drawn, flat, npv_of, option_of, own_path
from roi.report.comparison.option_words import why_later
from roi.report.comparison.remarks.stated import why_out
from roi.report.comparison.thresholds import (
    FAR,
    HOURS,
    NEAR,
    VOLUME,
    advised,
    any_unstated,
    beats_staying_today,
    chance_asked,
    flips_at,
    is_ahead,
    may_come,
    misses_the_bar,
    on_side,
    over_the_horizon,
    turning_volumes_and_rents,
    undone_by,
)
from roi.report.layout.blocks import Block, Labelled
from roi.report.layout.wording import (
    adds_too_seldom,
    case_number,
    figure,
    percent,
    requests,
    short_usd,
    told_apart,
    too_seldom,
    volume_spread,
)
from roi.report.layout.wording import chance as share

OFTEN = 0.95
"""Share of the draws in which the bar is reached up to which that is told beside a chance that is too low."""


def nearest_other(c: Comparison) -> str:
    """Where staying leads: what the nearest other option would save or lose, why it is not advised, or why there is none."""
    v, barred = c.verdict, [o for o in c.infeasible if o.kind not in KEEPS_MODEL]
    if v.challenger is None and not barred:
        own = f", {c.case[IN_USE].value} being the one in use" if IN_USE in c.case else ""
        return f"No other model is named{own}: write candidates.api_models, hosted_models or self_hosted."
    if v.challenger is None:
        return f"No other option can work: {why_out(c, *barred[:2])}."
    o = option_of(c, v.challenger)
    misses, (mean, spread) = _misses_bar(c, o), npv_of(c, o)
    _, nearest = nearness(o, v.counts)
    ends = f"bad case {short_usd(spread[0])}, good case {short_usd(spread[2])}" if spread and not flat(spread) else ""
    first = o.upfront_usd - o.upfront_no_cash_usd
    mostly = f"; its set-up is {short_usd(first)}" if nearest < 0 and first > -0.5 * nearest else ""
    if mean > 0:
        told = f" on average{f' ({ends})' if ends else ''}" * drawn(c) + f", but {reason(c, o.id)}"
    else:  # chosen by the central value, which knows no bar
        draws = f"on average {short_usd(mean)}{f'; {ends}' if ends else ''}"
        told = f" if it passed the bar, {percent(o.quality.error_rate)} of its own answers wrong here" * misses
        told = (f" at the central values{told} ({draws})" if drawn(c) else told) + mostly
    how = "would save" if nearest > 0 else "would lose" if misses and mean <= 0 else "loses"
    why = f"The nearest other option, {o.label}, {how} {short_usd(abs(nearest))}{told}."
    tested = next((p.option for p in v.passed_over if p.reason != "not tested"), o.id)
    if tested != o.id:
        best = option_of(c, tested)
        why += f" {best.label} would save {short_usd(npv_of(c, best)[0])}, but {reason(c, tested)}."
    return why


def reason(c: Comparison, id: str) -> str:
    """Why an option with a higher mean NPV is not the recommended one."""
    passed = next((p for p in c.verdict.passed_over if p.option == id), None)
    if passed is None:
        return "it is not the best"
    if passed.reason == "not tested":
        return "it was judged on too few items, or on unlike ones" if option_of(c, id).evaluated else "nobody has tested it"
    if passed.reason == ADDS_TOO_SELDOM:
        return adds_too_seldom(passed.chance or 0.0, passed.chance_needed)
    good = option_of(c, id).probability_good_enough
    told = too_seldom(passed.chance or 0.0, passed.chance_needed)
    often = good is None or good > OFTEN
    return told if often else f"{told}, and reaches the bar in {share(good)}: more items of it would settle that"


def look_again(c: Comparison) -> list[str]:
    """From which volume another option than staying is advised, or cheaper if it passes; at which price and error rate.

    Nothing where there is no other option, or where no threshold was looked for.
    """
    if c.thresholds is None:
        return []
    told, others = _turning(c), _others(c)
    if told:
        return [f"Look again {', or '.join(told)}."]
    if any(p.reason == "not likely" for p in c.verdict.passed_over) and not any_unstated(c):
        return [(f"No volume up to {requests(MOST)} requests a day would make it likely enough; from which price or error rate"
                 " on it would be is not worked out.")]
    seldom = {p.option for p in c.verdict.passed_over if p.reason == "not likely"}
    ahead = sorted((o for o in others if _leads_today(c, o)), key=lambda o: (o.id not in seldom, not o.tested))
    if not (ahead and ahead[0].tested) and any(p.reason == "not tested" for p in c.verdict.passed_over):
        return ["A test could change that."]
    if ahead:
        label = f"{ahead[0].label}{'' if ahead[0].tested else ', not tested,'}"
        kept = [on_side(c, s) for s in c.signposts if (s.option, s.rival) == (ahead[0].id, "stay") and s.quantity != VOLUME
                and s.threshold is not None and not is_ahead(s) and may_come(c, s)]
        still, enough = (f", and still would be {', or '.join(kept)}" if kept else ""), ahead[0].id in seldom
        return [(f"At the central values {label} is ahead today{still}{'' if enough else ', but not in the mean of the draws'};"
                 f" from which price or error rate on it would be{' likely enough' * enough} is not worked out.")]
    return [f"At the central values that holds at {', '.join((_volumes(c, others), *_looked_at(c)))}."]


def _leads_today(c: Comparison, o: OptionResult) -> bool:
    """True where the option beats staying at the central values of today, also where no volume is told that rests on that."""
    more = o.npv_without_errors_usd if c.verdict.counts == "cash" else o.npv_usd
    return beats_staying_today(c, o) or (any_unstated(c) and more > 0.0)


def wait_for(c: Comparison) -> list[str]:
    """When to go live with what would save by then, where staying leads today; empty where nothing would."""
    if c.start is None:
        return []
    at, o = c.start, option_of(c, c.start.option.id)
    saves = f"{short_usd(at.npv_usd)}{' on average' * drawn(c)}"
    if at.chance is not None:
        odds, needed = told_apart(percent, at.chance, chance_asked(c, o))
        saves += f", in {odds} of the draws{f' ({needed} is asked)' if at.chance < chance_asked(c, o) else ''}"
    volume = f"{requests(at.requests_per_day)} requests a day"
    return [(f"Live in {o.months_to_live + at.months:.0f} months, at {volume}, {o.label} would save {saves}"
            f"{why_later(c, o.id, at.months, c.verdict.counts)}.")]


def unless(c: Comparison, rivals: int) -> list[Block]:
    """What would undo a self-hosted recommendation, where that was looked for: volumes; by so many rivals prices and errors."""
    if c.thresholds is None:
        return []
    signs = [f"{rival} is cheaper {', or '.join(at)}" for rival, at in undone_by(c).items()]
    central = [f"At the central values {'; '.join(signs[:rivals])}."] if signs else []
    folded = ["Prices and error rates that would undo it: --full."] * (rivals == 0)
    rest = [*central, misses_the_bar(c)] if rivals > 0 else folded
    told = [x for x in (*turning_volumes_and_rents(c), *rest) if x]
    volumes = f"No volume up to {FAR:.0f} times today's, or down to that part of it, would undo it, and at"
    centrally = f"{'At' if any_unstated(c) else volumes} the central values no price or error rate of its own would."
    return [Labelled("UNLESS", tuple(told) or (centrally,))]


def _others(c: Comparison) -> list[OptionResult]:
    """Options that may be looked at again, the best of each kind first: of one kind another may win at a nearer volume."""
    assert c.thresholds is not None
    ids = dict.fromkeys((*c.thresholds.ids, *(o.id for o in c.options if o.id != "stay")))
    return [o for o in map(partial(option_of, c), ids) if not below_bar(c, o)]


def _volumes(c: Comparison, options: list[OptionResult]) -> str:
    """At which volumes no option is cheaper than staying, where none is today and the advice turns at none that was tried."""
    now = case_number(c.case, "workload.requests_per_day")
    above, below = _nearest_ends([b for o in options for b in over_the_horizon(c, o.id, "stay")], now)
    told = [f"{side} {requests(end[0])} requests a day ({option_of(c, end[1]).label})"
            for side, end in (("below", above), ("above", below)) if end is not None]
    if any_unstated(c):
        return "today's volume"
    return f"every volume {' and '.join(told)}" if told else "every volume"


def _turning(c: Comparison) -> list[str]:
    """Volumes and a price of wrong answers at which another option is advised, by means and chances, then what is cheaper."""
    assert c.thresholds is not None
    told, placed, today = list[str](), list[str](), case_number(c.case, "workload.requests_per_day")
    for side, found in (("above", c.turning_volume(up=True)), ("below", c.turning_volume(up=False, within=NEAR))):
        if found is not None:
            at = f"{told_apart(requests, found[0], today)[0]} requests a day{'' if told else volume_spread(c.case)}"
            placed.append(side)
            told.append(f"{side} about {at}, where the advice, a test before it aside, is {advised(c, found, side)}")
    if c.verdict.counts != "cash" and (flips := flips_at(c)):
        told.append(f"at another price of a wrong answer: {flips}")
    centrally = _centrally(c, today, placed)
    return [*told, *(f"{'' if k else 'at the central values '}{each}" for k, each in enumerate(centrally))]


def _centrally(c: Comparison, today: float, placed: Sequence[str]) -> list[str]:
    """What turns it at the central values: volumes of what is not tested; price, hours and error rate of any option.

    On a side of today's volume on which the draws have `placed` no advice of what is tested, none beyond that of a tested one.
    """
    assert c.thresholds is not None
    told = list[str]()
    by_end = [(b, o.tested) for o in _others(c) for b in over_the_horizon(c, o.id, "stay")]
    ends = _nearest_ends([b for b, tested in by_end if not tested], today), _nearest_ends([b for b, _ in by_end], today)
    for side, end, first in zip(("above", "below"), *ends, strict=True):
        if end is not None and (side in placed or end == first):
            told.append(f"{side} {requests(end[0])} requests a day ({option_of(c, end[1]).label}, not tested)")
    posts = [s for s in c.signposts if s.rival == "stay" and s.quantity != VOLUME and is_ahead(s) and may_come(c, s)]
    other = next((s for s in posts if s.quantity != HOURS), None)
    hours = next((s for s in posts if s.quantity == HOURS and (other is None or s.option == other.option)), None)
    if other is not None:
        told.append(on_side(c, other, whose=f"{option_of(c, other.option).label}'s"))
    if hours is not None:
        told.append(on_side(c, hours, whose="its" if other is not None else f"{option_of(c, hours.option).label}'s"))
    return told + _less_set_up(c)


def _less_set_up(c: Comparison) -> list[str]:
    """With how few hours of set-up, where nobody stated them, the nearest other option saves; empty where it does with none.

    Told of what runs no GPUs, where nobody's hours are paid anyway, at the central values.
    """
    if c.verdict.challenger is None or case_number(c.case, "people.existing_hours_per_month", 0.0) > 0:
        return []
    o, wage = option_of(c, c.verdict.challenger), case_number(c.case, "people.usd_per_hour")
    path = own_path(c, o, "setup_hours")
    hours, saved = case_number(c.case, path), o.npv_without_errors_usd if c.verdict.counts == "cash" else o.npv_usd
    if o.fleet is not None or wage <= 0 or saved >= 0 or not guessed(c.case[path]) or hours * wage + saved <= 0:
        return []
    at, now = told_apart(figure, hours + saved / wage, hours)
    return [f"with {o.label}'s set-up below {at} hours (here {now}, assumed)"]


def _looked_at(c: Comparison) -> list[str]:
    """Whose prices and error rates were looked at, of those that are not staying's too."""
    found: dict[str, list[str]] = {}
    for s in c.signposts:
        if s.rival == "stay" and s.quantity != VOLUME and s.reason != SAME_PRICE:
            what = {"error_rate": "error rate", HOURS: "hours of on-call"}.get(s.quantity, "price")
            if what != "hours of on-call" or s.threshold is None:
                found.setdefault(option_of(c, s.option).label, []).append(what)
    return [f"any {_one_of(list(dict.fromkeys(whats)))} of {label}" for label, whats in found.items()]


def _nearest_ends(ends: list[BreakEven], now: float) -> tuple[tuple[float, str] | None, tuple[float, str] | None]:
    """The least volume above today's from which an option wins, and the largest below up to which one does; with the option."""
    above = min(((b.first, b.option) for b in ends if b.first is not None and b.first > now), default=None)
    below = max(((b.until, b.option) for b in ends if b.until is not None and b.until < now), default=None)
    return above, below


def _one_of(words: list[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if words[1:] else words)


def self_hosting_of(c: Comparison) -> OptionResult | None:
    """The option on GPUs, rented or of one's own, to move on to after the change, else the best one; None where none works.

    Where that misses the bar, as far as is assumed, the best that does not.
    """
    if (move := next_move(c)) is not None:
        return option_of(c, move.option)
    own = sorted((o for o in c.options if o.kind in SELF_HOSTED), key=lambda o: nearness(o, c.verdict.counts), reverse=True)
    return next((o for o in own if not below_bar(c, o)), own[0] if own else None)


def next_move(c: Comparison) -> SecondMove | None:
    """What is told as NEXT: what is likely to follow the leading option; None where there is none, or that follows another."""
    move = c.second_move
    return move if move is not None and move.likely and move.after == c.verdict.leader else None


def held_back(c: Comparison) -> SecondMove | None:
    """What would lead but for how seldom it adds anything to what comes first; None where nothing would."""
    move, over = c.second_move, c.verdict.passed_over
    held = move is not None and any((p.option, p.reason) == (move.option, ADDS_TOO_SELDOM) for p in over)
    return move if held else None


def below_bar(c: Comparison, o: OptionResult) -> bool:
    """True where nobody evaluated it, and the error rate that is assumed of it misses the bar."""
    return not o.evaluated and _misses_bar(c, o)


def _misses_bar(c: Comparison, o: OptionResult) -> bool:
    """True where the option misses the bar at the central values, whose NPV is that of one that passes."""
    return 1.0 - o.quality.error_rate < case_number(c.case, "quality.bar") - BAR_TOLERANCE
