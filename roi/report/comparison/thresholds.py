"""At which volume, price or error rate the answer would change, in words."""

import math

from roi.economics.decision.comparison import Comparison
from roi.economics.decision.option_result import CENT, OptionResult
from roi.economics.decision.recommendation import chance, value
from roi.economics.decision.turning.break_even import NO_DIFFERENCE, NOT_SEEN, OWNED, UNSTATED, BreakEven
from roi.economics.decision.turning.error_price import ONE_PRICE, one_price
from roi.economics.decision.turning.signposts import BAR, OTHER_SIDE, RESALE, Signpost
from roi.economics.inputs import Shared, path_of
from roi.economics.option_kinds import KEEPS_MODEL
from roi.report.comparison.option_figures import called, may_stay, option_of, own_path, to_choose, to_take
from roi.report.layout.wording import case_number, figure, percent, requests, told_apart, usd, volume_spread
from roi.units import to_digits

PRICES = {"usd_per_gpu_hour": "GPU hour", "usd_per_gpu": "GPU"}
"""Quantities of signposts that are a price of GPUs."""
HOURS = "run_hours_per_month"
VOLUME = "requests_per_day"
PRICE_OF_ERRORS = "quality.usd_per_error"
NEAR, FAR = 3.0, 10.0
"""Times today's volume within which it is asked whether the advice turns: up FAR, down NEAR of what runs no GPUs, else FAR."""
MOST_TURNS = 2
"""Options of which the draws leave open to which the advice turns, and that are all named; of more none is."""
ALIKE = 0.05
"""Part of a volume by which another one is told as the same: that of an advice goes by means and chances, the other by central
values."""
MUCH_LATER = 2.0
"""Times the volume from which an option saves as a step after the leading one, above which that in its place says too little:
what the leading one saves until the other is live grows with the volume as well."""
ROUNDED = 1.02
"""Times a factor on rents by which the next one of two digits may lie above it; further off it is told to three."""
MOST_DIGITS = 6
"""Digits at most of a price at which the advice turns."""


def wins_from(c: Comparison, o: OptionResult) -> str:
    """From which volume the option beats the leading option, and from which staying; empty where that is not known.

    Where today's volume is past it, that the option is ahead, and what is missing all the same.
    """
    rivals = {} if c.verdict.leader == "stay" else {"recommended": c.leader}
    rivals["stay"] = option_of(c, "stay")
    found = [(b, called(c, rival.id), _today(c, o, rival, b))
             for baseline, rival in rivals.items() for b in over_the_horizon(c, o.id, baseline)]
    ends = [b.until for b, _, _ in found]
    return "; ".join(_as_second(c, b, name) or _from(b, name, alike=b.until in ends[:k]) + missing
                     for k, (b, name, missing) in enumerate(found))


def _as_second(c: Comparison, b: BreakEven, rival: str) -> str:
    """From which volume on an option saves as a step after the leading one, where in its place it never does, or much later.

    Else empty. Where today's volume is past it, that it is ahead, and what is missing all the same.
    """
    today, move = case_number(c.case, "workload.requests_per_day"), c.second_move
    after = c.thresholds.second(b.option) if c.thresholds and b.baseline == "recommended" else None
    in_place = math.inf if b.first is None else b.first
    if not after or after.first is None or in_place <= max(MUCH_LATER * (after.stays or after.first), today):
        return ""
    volume = "at every volume" if after.first <= 1 else f"from {requests(after.stays or after.first)} a day on"
    until = f", up to {requests(after.until)}" if after.until is not None else f" ({NOT_SEEN})" * (after.reason == NOT_SEEN)
    missing = ""
    if _holds(c, after) and move is not None and move.option == b.option:
        needed = chance_asked(c, option_of(c, b.option))
        odds = move.chance if move.chance is not None else 1.0
        missing = ", but not in the mean of the draws" if move.npv_usd <= 0 else (
            ", but in only {} of the draws; {} is asked".format(*told_apart(percent, odds, needed)))
        missing = f": ahead today{missing}"
    replacing = "never" if b.first is None else f"from {requests(b.stays or b.first)}"
    return f"saves {volume}{until} as a step after {rival}, in its place {replacing}{missing}"


def _holds(c: Comparison, b: BreakEven | None) -> bool:
    """True where today's volume lies between the first and the last at which an option saves."""
    today = case_number(c.case, "workload.requests_per_day")
    return b is not None and b.first is not None and b.first <= today <= (b.until or math.inf)


def beats_staying_today(c: Comparison, o: OptionResult) -> bool:
    """True where today's volume is past the one from which the option beats staying at the central values, as looked for."""
    return any(_is_past(c, b) for b in over_the_horizon(c, o.id, "stay"))


def _is_past(c: Comparison, b: BreakEven) -> bool:
    """True where the option wins at today's volume: from there on for good, or among volumes that are a saw."""
    now = case_number(c.case, "workload.requests_per_day")
    return b.stays <= now if b.stays is not None else _wins_between(c, b) is True


def _wins_between(c: Comparison, b: BreakEven) -> bool | None:
    """Whether it wins today, where that lies between the first and the last volume at which it does: a saw. Else None."""
    if not _holds(c, b):
        return None
    o, rival = option_of(c, b.option), c.leader if b.baseline == "recommended" else option_of(c, "stay")
    more = o.npv_without_errors_usd - rival.npv_without_errors_usd if b.counts == "cash" else o.npv_usd - rival.npv_usd
    return more >= -CENT


def _today(c: Comparison, o: OptionResult, rival: OptionResult, b: BreakEven) -> str:
    """Says that the option is ahead at today's volume, and what is missing: the mean of the draws, or its chance."""
    if not _is_past(c, b):
        return ", but not today" if b.stays is None and _wins_between(c, b) is False else ""
    counts, odds, missing = c.verdict.counts, chance(o, c.verdict.counts), ""
    if value(o, counts) <= value(rival, counts):
        missing = ", but not in the mean of the draws"
    elif rival.id == "stay" and odds is not None and odds < (needed := chance_asked(c, o)):
        missing = ", but in only {} of the draws; {} is asked".format(*told_apart(percent, odds, needed))
    return missing if b.stays is not None and b.stays <= 1 else f": ahead today{missing}"


def chance_asked(c: Comparison, o: OptionResult) -> float:
    """The share of the draws in which the option must beat staying to be recommended."""
    name = "min_chance" if o.binds else "min_chance_reversible"
    return case_number(c.case, path_of(Shared, name), float(getattr(Shared, name)))


def over_the_horizon(c: Comparison, id: str, baseline: str) -> list[BreakEven]:
    """The break-even that the verdict goes by; none where that was not looked for, or what it rests on is not stated."""
    found = None if c.thresholds is None else c.thresholds.decisive(id, baseline)
    return [] if found is None or found.reason == UNSTATED else [found]


def any_unstated(c: Comparison) -> bool:
    """True where nobody stated what some options cost at another volume."""
    return c.thresholds is not None and bool(c.thresholds.curves.unstated)


def today(c: Comparison) -> str:
    """The volume that thresholds are held against: at another, what is billed is as many times the estimate as today."""
    bill = "" if case_number(c.case, "reconciliation.factor", 1.0) == 1.0 else ", the bill moving with them"
    now = case_number(c.case, "workload.requests_per_day")
    return f"today {figure(now)} request{'' if now == 1 else 's'} a day{bill}"


def _from(b: BreakEven, rival: str, *, alike: bool = False) -> str:
    if b.reason == NO_DIFFERENCE:
        return f"costs the same as {rival} at every volume"
    if b.first is None:
        return f"beats {rival} at no volume ({b.reason})"
    if b.until is not None:
        last = f"up to {requests(b.until)}{' (all that your cards hold)' if b.reason.endswith(OWNED) else ''}"
        last = "up to as many" if alike and b.first > 1 else last
        return f"beats {rival} from {requests(b.first)} a day on, {last}" if b.first > 1 else f"beats {rival} {last} a day"
    if b.stays is None:
        return f"beats {rival} from {requests(b.first)} a day on ({b.reason})"
    if b.stays <= 1:
        return f"beats {rival} at every volume"
    return f"beats {rival} from {requests(b.stays)} a day on"


def at_rent(c: Comparison, o: OptionResult, told_before: str, *, brief: bool = False) -> str:
    """At which price of GPUs, or with how many hours of on-call, the option would beat the leading one, where it does not.

    With `brief` the hours alone, which are assumed where they may come.
    """
    leader = c.verdict.leader
    posts = () if c.thresholds is None or brief else c.thresholds.signposts(o.id, leader, "price")
    rent = next((s for s in posts if s.quantity in PRICES), None)
    hours = () if c.thresholds is None else c.thresholds.signposts(o.id, leader, "hours")
    told = [on_side(c, s) for s in (*filter(None, (rent,)), *hours) if is_ahead(s) and may_come(c, s)]
    if told:
        return f" {'Or' if told_before else 'It would win'} {', or '.join(told)}."
    if rent is not None and rent.reason.startswith("even"):
        after = c.thresholds.second(o.id) if c.thresholds and leader != "stay" else None
        place = " in its place" * _holds(c, after)
        return f" At today's volume even free GPUs would not make it beat {called(c, leader)}{place}."
    return ""


def turning_volumes(c: Comparison, near: float) -> str:
    """From which volumes on the advice is another one, by means and chances, and which; empty where at none that was tried.

    As far as FAR times today's volume, or down to `near` of it.
    """
    if c.thresholds is None:
        return ""
    told, now = list[str](), case_number(c.case, "workload.requests_per_day")
    for side, found in (("below", c.turning_volume(up=False, within=near)), ("above", c.turning_volume(up=True, within=FAR))):
        if found is not None:
            at, today = told_apart(requests, found[0], now)
            each = "" if told else f" requests a day (today {today}{volume_spread(c.case)})"
            told.append(f"{side} about {at}{each} the advice is {advised(c, found, side)}")
    text = ", ".join(told)
    return f"{text[0].upper()}{text[1:]}." if told else ""


def turning_volumes_and_rents(c: Comparison) -> list[str]:
    """Volumes, down to FAR, and rents of GPUs from which on the advice is another one; one sentence where that is the same."""
    volumes, found = turning_volumes(c, FAR), None if c.thresholds is None else c.turning_rent
    if found is None:
        return [volumes]
    there, beyond = (to_take(c, id) for id in found[1:])
    if found[1] == c.verdict.first_move:  # the same steps, of which it then leads
        there, beyond = (f"{there}, at first alone",) * 2
    factor = to_digits(found[0], 2 if to_digits(found[0], up=True) <= ROUNDED * found[0] else 3, up=True)
    rents = f"ith all GPU rents above about {factor:g} x today's"
    advice = f"the advice is {there}{'' if beyond == there else f' (further up {beyond})'}."
    if volumes.endswith(f" {advice}") and volumes.count("the advice is") == 1:
        return [f"{volumes.removesuffix(f' {advice}')}, or w{rents}, {advice}"]
    return [volumes, f"W{rents} {advice}"]


def advised(c: Comparison, found: tuple[float, str, str], side: str) -> str:
    """What is advised on that side of a volume, and further from today's, where that was seen to be another."""
    there, beyond = (to_take(c, id) for id in found[1:])
    if found[1] == c.verdict.first_move and c.thresholds is not None and (saves := c.thresholds.second(c.verdict.leader)):
        at = saves.stays or saves.first
        more = "about there" if at is not None and abs(at / found[0] - 1.0) < ALIKE else f"{requests(at or 0.0)} a day on"
        on = "does not save" if at is None else "saves at every volume" if at <= 1 else f"saves from {more}"
        return f"{there} (the second step then {on}, at the central values)"
    return there if beyond == there else f"{there} (further {'down' if side == 'below' else 'up'} {beyond})"


def undone_by(c: Comparison) -> dict[str, list[str]]:
    """The rivals of the leading option by name, and at which prices and error rates each is cheaper; today's values once.

    Of its first move: where it had better not follow that, once that is in use. Staying is none where it is not allowed.
    """
    found: dict[str, list[str]] = {}
    told, after = set[str](), c.thresholds.moving_on if c.thresholds is not None else ()
    barred = () if may_stay(c) else ("stay",)
    for s in (*after, *(s for s in c.signposts if not after or s.rival != c.verdict.first_move)):
        alone = s.quantity != VOLUME and s.reason != BAR and may_come(c, s) and s.rival not in barred
        if alone and s.option == c.verdict.leader and s.threshold is not None and not is_ahead(s):
            rival = called(c, s.rival) + ", once in use," * (s in after and s.rival != "stay")
            side, now = _sided(c, s, whose="the option's", undone=True)
            found.setdefault(rival, []).append(side if now in told else side + now)
            told.add(now)
    return found


def misses_the_bar(c: Comparison) -> str:
    """The error rate above which the leading option misses the bar, if there is a rival that is cheaper at none below it."""
    s = next((s for s in c.signposts if (s.option, s.quantity, s.reason) == (c.verdict.leader, "error_rate", BAR)), None)
    if s is None or s.threshold is None or s.threshold >= 1.0:
        return ""
    at, now = told_apart(percent, s.threshold, s.today)
    own, with_spill = with_handed_on(c.leader, s.today)
    return f"With more than {at} of its{own} answers wrong (here {now}{with_spill}) it misses the bar."


def flips_at(c: Comparison) -> str:
    """From which USD per wrong answer on another option would be recommended; empty where from none.

    A range, rounded outwards to as many digits as tell its ends apart from each other and from today's price, two at least; one
    price, rounded away from today's, where the draws place it and name the option. None where they place neither end: with the
    bars of the chances moved by the error of the draws another option leads at today's price, or at none.
    """
    v = c.verdict
    if v.flips_between_usd_per_error is None:
        return ""
    near, far = v.flips_between_usd_per_error
    at = v.flips_at_usd_per_error or near
    today = case_number(c.case, "quality.usd_per_error")
    below = v.counts != "cash" and (at < today if at != today else far is not None and far < today)
    only = v.flips_to_one_of[0] if len(v.flips_to_one_of) == 1 else None
    named = v.flips_to_one_of
    turns = f"turns to {' or '.join(called(c, id) for id in named)}" if len(named) <= MOST_TURNS else "turns"
    why = _why(c, only, near, far, below=below)
    side, own = "below" if below else "from", 0.0 if v.counts == "cash" else today
    one = one_price(near, far)
    if far is not None and only is not None and one:
        return f"{side} about {usd(to_digits(far, up=not below))} each the advice is {to_choose(c, only)}{why}"
    digits = _digits(near, None if one else far, own, up=below)
    first = to_digits(near, digits, up=below)
    if far is None and math.isclose(near, own):
        return f"the draws do not tell at which price, if at any, the advice {turns}"
    if far is None:
        return f"{side} about {_price(first, digits)} each, if at any price, the advice {turns}{why}"
    low, high = sorted((first, to_digits(far, digits, up=not below)))
    return f"between {_price(low, digits)} and {_price(high, digits)} each the advice {turns}{why}"


def flips_along(c: Comparison) -> str:
    """What `flips_at` says, with the spread of the price moving along; empty where it has none, or no price is told."""
    head, the_advice, then = flips_at(c).partition(" the advice ")
    if not the_advice or not then or "draws do not tell" in head or not c.case[PRICE_OF_ERRORS].uncertain:
        return ""
    return f"{head.rstrip(',')}, its spread moving along,{the_advice}{then}"


def _why(c: Comparison, to: str | None, near: float, far: float | None, *, below: bool) -> str:
    """Why the advice turns to `to` at prices between `near` and `far`, USD: for the leading option's chance, or the means.

    For its chance where it saves more on average than `to` beyond both, or more than staying than it does today: in some draws
    its answers are worse than on average, which weighs more the dearer an answer is. Empty where another option saves more on
    average, as is expected of what is advised, and where nothing is known: the floor of a hybrid changes with the price.
    """
    if to is None or (to != "stay" and "hybrid" in (c.leader.kind, option_of(c, to).kind)):
        return ""
    today = case_number(c.case, "quality.usd_per_error")

    def saved(o: OptionResult, price: float) -> float:
        return o.expected_cash_npv_usd + (o.expected_npv_usd - o.expected_cash_npv_usd) / today * price

    more = [saved(c.leader, x) - saved(option_of(c, to), x) for x in (near, far) if x is not None and today > 0.0]
    slack = ONE_PRICE * abs(c.leader.expected_cash_npv_usd)
    worse = c.leader.quality.wrong_rate >= option_of(c, "stay").quality.wrong_rate
    if (to == "stay" and worse is below) or (len(more) > 1 and more[1] > slack):
        return f": chance <{percent(chance_asked(c, c.leader))}"  # to beat staying, as the line below it tells of today
    return ": NPV < 0" if to == "stay" and len(more) > 1 and more[0] >= -slack else ""


def holds_while(c: Comparison) -> str:
    """Up to which price of a wrong answer the advice holds, where none is counted; empty where one is, or none turns it."""
    below, between = c.verdict.stands_below_usd_per_error, c.verdict.flips_between_usd_per_error
    if below is None or between is None:
        return ""
    far = None if one_price(below, between[1]) else between[1]
    digits = _digits(below, far, 0.0, up=False)
    return f" while a wrong answer costs less than about {_price(to_digits(below, digits, up=False), digits)}"


def _digits(near: float, far: float | None, own: float, *, up: bool) -> int:
    """How many digits, rounded one way, tell the two ends apart, and the near one from a price of one's own; two at least."""
    for digits in range(2, MOST_DIGITS):
        first = to_digits(near, digits, up=up)
        past = math.isclose(near, own) or (first < own if up else first > own)
        if past and (far is None or first != to_digits(far, digits, up=up)):
            return digits
    return MOST_DIGITS


def _price(x: float, digits: int) -> str:
    """The price that has been rounded to so many digits, with all of them."""
    return usd(x, max(digits - (3 if x < 9.995 else 1 + math.floor(math.log10(x))), 0))  # as `usd` turns to decimals


def nothing_fails(c: Comparison) -> str:
    """Why no test could fail an option, and what to write; empty where one could."""
    if c.can_fail:
        return ""
    others = [o.evaluated for o in c.options if o.kind not in KEEPS_MODEL and o.id != "stay"]
    scores = " No other model is scored: quality.scores, or --quality." if others and not any(others) else ""
    return ("No test can fail an option: neither quality.bar nor quality.usd_per_error says what is too bad. Write one, such as"
            f" quality: {{bar: 0.9}}.{scores}")


def may_come(c: Comparison, s: Signpost) -> bool:
    """True but for hours of on-call that are exact, or that the option would hardly take: outside their 5% to 95%."""
    if s.quantity != HOURS or s.threshold is None:
        return True
    hours = c.case[own_path(c, option_of(c, s.option), "run_hours")]
    return hours.low is not None and hours.high is not None and hours.low <= s.threshold <= hours.high


def is_ahead(s: Signpost) -> bool:
    """True where the option does not win today, and would on the other side of the threshold."""
    return s.threshold is not None and (s.today > s.threshold if s.direction == "below" else s.today < s.threshold)


def on_side(c: Comparison, s: Signpost, *, whose: str = "its") -> str:
    """The side of a threshold on which the option wins, with today's value."""
    return "".join(_sided(c, s, whose=whose))


def _sided(c: Comparison, s: Signpost, *, whose: str, undone: bool = False) -> tuple[str, str]:
    """The side of a threshold on which the option wins, or with `undone` the other one, and today's value; `whose`: the option.

    A price is that of its card today, all prices moving alike; another card that is the cheapest there is named.
    """
    assert s.threshold is not None
    side = OTHER_SIDE[s.direction] if undone else s.direction
    if s.quantity == VOLUME:
        at, today = told_apart(requests, s.threshold, s.today)
        return f"{side} {at} requests a day", f" (today {today})"
    if s.quantity in PRICES:
        at, today = told_apart(usd, s.threshold, s.today)
        card, then = s.reason.split(",")[0], s.reason.partition(", then ")[2]
        later = f"; by then {then}" if then else ""
        price = "GPU's resale value" if card.startswith(RESALE) else PRICES[s.quantity]
        alike = ", all alike" if c.thresholds is not None and c.thresholds.cards(s.option) > 1 else ""
        return f"with {whose} {price} {side} {at}", f" (today {today}, {card.removeprefix(RESALE)}{later}{alike})"
    if s.quantity == HOURS:
        at, today = told_apart(figure, s.threshold, s.today)
        return f"with {whose} on-call {side} {at} hours a month", f" (here {today})"
    if s.quantity == "api_price_ratio":
        return f"with {whose} list prices {side} {told_apart(figure, s.threshold, 1.0)[0]} times today's", ""
    most, (at, today) = "at most" if side == "below" else "more than", told_apart(percent, s.threshold, s.today)
    own, together = with_handed_on(option_of(c, s.option), s.today)
    return f"with {most} {at} of {whose}{own} answers wrong", f" (here {today}{together})"


def with_handed_on(o: OptionResult, rate: float) -> tuple[str, str]:
    """Beside the rate of what the option answers itself: that it is its own, and that with what it hands on; else empty."""
    together = percent(o.quality.wrong_rate)
    return (" own", f"; {together} with what it hands on") if together != percent(rate) else ("", "")
