"""How `roi track` is told: is the decision on course, what was off, did the intervals hold, should we decide anew."""

from collections.abc import Iterable, Iterator
from math import isfinite
from typing import NamedTuple

import numpy as np

from roi.answers.track import LIMITS, Limit, TrackAnswer
from roi.economics.decision.alarms import BILL_OFF
from roi.economics.option_kinds import OWN_HARDWARE, SELF_HOSTED
from roi.economics.tracking.call_shares import SHARE_SAME
from roi.economics.tracking.month_figures import GPU_BILL
from roi.economics.tracking.predictive_bands import (
    CACHED,
    CALLS,
    CASH,
    HOURS,
    INPUT_TOKENS,
    OUTPUT_TOKENS,
    PRICES,
    QUANTITIES,
    SAME,
    WRONG,
)
from roi.economics.tracking.way_ahead import Ahead
from roi.report.layout.blocks import Block, Bullets, Gap, Heading, Labelled, Notes, Paragraph, Row, Table, Title
from roi.report.layout.wording import chance, figure, from_to, money_of, option_label, percent, short_usd, usd
from roi.report.track_causes import effects_blocks, off_sentence, times
from roi.units import formatted

OUTSIDE = "!"
"""Behind a figure that lies outside its band."""
EXPECTED, SURPRISING = 0.9, 0.05
"""Share of the figures that a 90% band should hold; and of the forecast's own draws, below which chance explains no more."""


class Called(NamedTuple):
    """What a quantity is called: above its column (empty: it has none of its own), above its table, and in a sentence."""

    head: str
    name: str
    word: str


CALLED = {
    CASH: Called("", "Cash, USD", "cash"),
    CALLS: Called("calls", "Calls", "calls"),
    INPUT_TOKENS: Called("in\ntok", "Input tokens of a call", "input tokens"),
    OUTPUT_TOKENS: Called("out\ntok", "Output tokens of a call", "output tokens"),
    PRICES: Called("price", "Price over the forecast's", "the price"),
    CACHED: Called("cached", "Share of input from the cache", "the cache rate"),
    HOURS: Called("GPU\nhours", "GPU hours", "GPU hours"),
    WRONG: Called("", "Share of wrong answers", "wrong answers"),
}
QUANTITY = {
    "requests_per_day": "requests a day", "api_price_ratio": "the price over the forecast's", "error_rate": "wrong answers",
}


def track_blocks(a: TrackAnswer, *, full: bool = False, noted: bool = False) -> list[Block]:
    """The parts of the report; if `noted` or `full` what was left out or taken otherwise too, which stderr tells as well."""
    first, last = a.months[0].first_day, a.months[-1].first_day
    case, label = a.comparison.case, option_label(a.comparison.case, a.option)
    many = "" if len(a.months) == 1 else f" to {last:%B %Y}"
    blocks: list[Block] = [
        Title(f"{case['title'].value}: {label}, month by month"),
        Paragraph(f"{first:%B %Y}{many}, {len(a.months)} of {case['horizon_months'].value} months | forecast as of"
                  f" {case['as_of'].value} | USD, cash"),
        Gap(), *(Labelled(label, tuple(told), tone) for label, told, tone in _sentences(a)), Gap(), _months(a),
        Notes((_reading(a), *_gpus_beside(a), *_bill_alone(a), *_twice(a), *_volume(a))),
    ]
    if a.effects:
        blocks += [Heading("What was off"), *effects_blocks(a, full=full)]
    if full:
        blocks += [*_bands(a), *_ahead(a)]
    if a.limits:
        blocks += [Heading("Limits"), Bullets(tuple(map(limit_sentence, a.limits)))]
    if (full or noted) and a.notes:
        blocks += [Heading("Notes"), Bullets(a.notes)]
    return blocks


def _sentences(a: TrackAnswer) -> Iterator[tuple[str, list[str], str]]:
    """Label, sentences and tone of each of the answers."""
    yield "COURSE", list(_course(a)), "good" if on_course(a) else "doubt"
    yield "OFF", [off_sentence(a)], ""
    yield "BANDS", [_held(a)], "doubt" if a.held.judged and surprised(a) else ""
    for asked in bills_off(a):
        yield OUTSIDE, [asked.ask], "doubt"
    anew = a.course.anew
    yield "ANEW", [_anew(a, anew)], "" if anew is None else "doubt"
    for post in a.passed:
        s = post.signpost
        told = f"{QUANTITY.get(s.quantity, s.quantity)} {figure(post.stands or 0.0)}, signpost {figure(s.threshold or 0.0)}"
        beyond = f"beyond it {option_label(a.comparison.case, s.rival)} costs less"
        yield OUTSIDE, [f"A signpost lies behind us: {told}; {beyond}."], "doubt"
    for limit in a.limits:
        if not limit.holds:
            yield OUTSIDE, [f"Limit {'not told' if limit.came is None else 'passed'}: {limit_sentence(limit)}."], "alarm"


def on_course(a: TrackAnswer) -> bool:
    """True where it pays back in time, no cash is unseen, no bill is in doubt, and figures lie in their bands as draws do."""
    return _in_time(a) and not (a.held.judged and surprised(a)) and not _unseen(a) and not [*bills_off(a)]


def _in_time(a: TrackAnswer) -> bool:
    """True where the payback as it looks now lies within the forecast's 90% band, or comes sooner."""
    now, (_, _, high) = a.course.payback[0], a.forecast.payback
    return a.option == "stay" or now <= high * (1.0 + SAME)


def _unseen(a: TrackAnswer) -> list[str]:
    """Months of units or seats whose fee nothing tells, so that their cash is the forecast's."""
    each = zip(a.months, a.tracked.came, strict=True)
    return [month.month for month, came in each if month.api_usd is not None and came.api_usd is None and not came.listed]


def _course(a: TrackAnswer) -> Iterator[str]:
    unseen = ", ".join(_unseen(a))
    if unseen:
        yield f"What units or seats cost in {unseen} is not seen, and is taken as forecast: --bill tells it."
    came, planned = a.cash()
    against = f", forecast {usd(planned)} ({formatted(came / planned - 1.0, '+.0%')})" if planned > 0 else ""
    cash = f"Cash so far, set-up aside: {usd(came)}{against}."
    if a.option == "stay":
        yield f"Staying has nothing to earn back. {cash}"
        return
    now, was = a.course.payback, a.forecast.payback
    word = "Does not pay back" if not isfinite(now[0]) else "Late"
    doubted = ", ".join(each.month for each in bills_off(a))
    if _in_time(a) and isfinite(now[0]):
        early, held = now[0] < was[1] * (1.0 - SAME), on_course(a)
        word = "Early" if early else "On course" if held else "In time"
        word += "" if held or doubted else (
            ", but not as forecast" if a.held.judged and surprised(a) else ", as far as is seen")
    word += f", if the bill of {doubted} is right" if doubted else ""
    wide = " (--setup narrows it)" if a.setup_usd is None and now[1] < now[2] else ""
    yield f"{word}: {'pays back in ' if isfinite(now[0]) else ''}{_paid(a, now)}{wide}; forecast {_paid(a, was)}."
    earned = a.course.earned
    yield f"{cash} {'Saved after set-up' if earned >= 0 else 'Still to earn back'}: {usd(abs(earned))}."
    if assumed := _in_parallel(a)[1]:
        yield f"This takes both models as called in parallel in {', '.join(assumed)} of the month, assumed (see below)."


def _paid(a: TrackAnswer, months: tuple[float, float, float]) -> str:
    """A payback and its band, in months and as days."""
    middle, low, high = months
    day = a.day_of(middle)
    at = "never within the horizon" if day is None else f"month {middle:.1f} ({day.day} {day:%b %Y})"
    ends = [f"{x:.1f}" if isfinite(x) else "never" for x in (low, high)]
    return at if not isfinite(low) else f"{at}, 90% {from_to(*ends)}"


def _held(a: TrackAnswer) -> str:
    if not a.held.judged:
        return "Nothing came that could be held against a band."
    found = f"{a.held.held} of {a.held.judged} figures lie in their 90% band"
    name, worst = min(a.held_by_quantity.items(), key=lambda each: (each[1].chance, each[1].held / each[1].judged))
    if not surprised(a):
        if a.held.held >= EXPECTED * a.held.judged:
            return f"{found}, as such bands should."
        return (f"{found}, which chance explains: {chance(a.held.chance)} of the forecast's own draws hold no more (binomial:"
                f" {chance(a.binomial)}).")
    return (f"{found}; the forecast did not expect this: of {CALLED[name].word} {worst.held} of {worst.judged} do, and in"
            f" {chance(worst.chance)} of its own draws no more (binomial of all: {chance(a.binomial)}).")


def surprised(a: TrackAnswer) -> bool:
    """True where fewer figures lie in their bands, of all or of one quantity, than the forecast's own draws make likely."""
    each = a.held_by_quantity.values()
    return a.held.chance < SURPRISING or any(x.chance < SURPRISING / len(each) for x in each)


def _anew(a: TrackAnswer, anew: Ahead | None) -> str:
    if anew is not None:
        return (f"Decide anew: from today {_name(a, anew.option)} saves {short_usd(anew.gain_usd)} over going on (present"
                f" value, set-up paid; chance {chance(anew.chance)}).")
    better = next((x for x in a.course.ahead if x.gain_usd > 0), None)
    if better is None:
        return "Go on: from today nothing else saves anything, sunk costs left aside."
    why = (f"its chance is {chance(better.chance)} of {chance(better.enough)} needed" if better.candidate else
           "it is not tested, or not good enough")
    return f"Go on: {_name(a, better.option)} might save {short_usd(better.gain_usd)} from today, but {why}."


def _name(a: TrackAnswer, id: str) -> str:
    return f"going back to {option_label(a.comparison.case, id)}" if id == "stay" else option_label(a.comparison.case, id)


def _months(a: TrackAnswer) -> Table:
    shown = [name for name in QUANTITIES if CALLED[name].head and a.judged[QUANTITIES.index(name)].any()]
    came, band = a.came[CASH], a.forecast.bands[CASH]
    money = money_of([*came, *band.high])
    rows = tuple(Row((month.month, money(float(came[k])) + _mark(a, CASH, k),
                      from_to(money(float(band.low[k])), money(float(band.high[k]))), *(_cell(a, name, k) for name in shown)))
                 for k, month in enumerate(a.months))
    return Table(("month", f"cash\n{money.unit}", "90%\nband", *(CALLED[name].head for name in shown)), rows)


def _cell(a: TrackAnswer, name: str, k: int) -> str:
    if not a.judged[QUANTITIES.index(name), k]:
        return "-"
    return shown_as(name, float(a.came[name][k])) + _mark(a, name, k)


def shown_as(name: str, x: float) -> str:
    """A figure of one of the quantities as it is printed."""
    if name in {CACHED, WRONG}:
        return percent(x)
    if name == CASH:
        return f"{x:,.0f}"
    return f"x{x:.2f}" if name == PRICES else figure(x)


def _mark(a: TrackAnswer, name: str, k: int) -> str:
    at = QUANTITIES.index(name), k
    return OUTSIDE if a.judged[at] and not a.inside[at] else ""


def _reading(a: TrackAnswer) -> str:
    words = {"bill": "the bill", "reported": "the export's own costs", "list price": "the forecast's prices of the tokens"}
    said = list(dict.fromkeys(words[m.api_usd_from] for m in a.months if m.api_usd_from))
    api = f"API: {' and '.join(said)}" if said else "API: as forecast, nothing tells it"
    if any((c.api_usd or 0.0) > (m.api_usd or 0.0) for c, m in zip(a.tracked.came, a.months, strict=True)):
        api += " and what commitments ask beyond them, which no bill tells"
    fleet = np.any(a.forecast.bands[HOURS].high > 0)
    gpus, rate = ("power and space of own cards", "power and space") if _kind(a) == OWN_HARDWARE else ("GPUs", "rent")
    rent = f"; {gpus}: as told" if any(m.gpu_usd is not None for m in a.months) else "" if not fleet else (
        f"; GPU hours at the forecast's {rate}" if any(m.gpu_hours is not None for m in a.months) else f"; {gpus}: as forecast")
    set_up = ", set-up" if a.setup_usd is None else ""
    priced = a.judged[QUANTITIES.index(PRICES)].any()
    price = " price: billed, over the forecast's prices for the same tokens." if priced else ""
    return f"{OUTSIDE}: outside its band. {api}{rent}; people, platform, retraining{set_up} as forecast.{price}"


def _kind(a: TrackAnswer) -> str:
    return next(o.kind for o in a.comparison.options if o.id == a.option)


def _gpus_beside(a: TrackAnswer) -> Iterator[str]:
    """What GPUs cost in months in which the forecast pays for none."""
    if GPU_BILL in a.tracked.seen:
        there = np.ravel(a.tracked.seen[GPU_BILL]) > 0
        paid = a.tracked.months.gpu_usd[there]
        live = next(o.months_to_live for o in a.comparison.options if o.id == a.option)
        before = _kind(a) in SELF_HOSTED and np.flatnonzero(there)[-1] < live
        when = "before go-live" if before else "in months for which the forecast has none"
        each = [f"{a.months[k].month} {usd(float(a.tracked.months.gpu_usd[k]))}" for k in np.flatnonzero(there)]
        yield (f"GPUs billed {when}: {usd(float(paid.sum()))} ({', '.join(each)}). It is cash of those months, and is not"
               " carried on into the ones ahead.")


def _bill_alone(a: TrackAnswer) -> Iterator[str]:
    """What is made of months whose bill came without calls."""
    told = [month.month for month, each in zip(a.months, a.tracked.came, strict=True) if each.bill_alone]
    if told:
        yield (f"A bill without calls and tokens, in {', '.join(told)}: price and volume are not told apart. What is off there"
               " is carried on as a price, which is not judged; --actual tells them apart.")


def _in_parallel(a: TrackAnswer) -> tuple[list[str], list[str]]:
    """Months in which two models are called, with the share of them: by the days' calls, and as is assumed."""
    handing = any(o.id == a.option and o.kind == "cascade" for o in a.comparison.options)
    told: tuple[list[str], list[str]] = [], []
    for month, each, x in zip(a.months, a.tracked.came, a.overlap, strict=True):
        if x > 0:
            least, _ = each.both_told(handing=handing)
            told[int(least is None or abs(x - least) > SHARE_SAME)].append(f"{month.month}: {x:.2f}")
    return told


class BillAsked(NamedTuple):
    """A month whose bill is asked about."""

    month: str
    times: float
    """The bill over what the forecast's prices make of its calls and tokens, or of the forecast's own where none were told."""
    by_calls: bool
    """True where calls and tokens were told."""
    ask: str
    """The question, as the screen has it."""


def bills_off(a: TrackAnswer) -> Iterator[BillAsked]:
    """Asks about each month whose bill is BILL_OFF times the forecast's for its calls and tokens or more, or as far below.

    Where none were told, the forecast's own.
    """
    for month, came, x in zip(a.months, a.tracked.came, np.ravel(a.tracked.price), strict=True):
        if month.api_usd_from == "bill" and not 1.0 / BILL_OFF < x < BILL_OFF:
            what = "the forecast's calls" if came.bill_alone else "these calls and tokens"
            ask = "is it in cents, or of other work too?" if x > 1.0 else "is it of the whole month, and of all of this work?"
            told = f"The bill of {month.month} is {times(float(x))} x what {what} cost at the forecast's prices: {ask}"
            yield BillAsked(month.month, float(x), not came.bill_alone, told)


def _twice(a: TrackAnswer) -> Iterator[str]:
    """What is known or assumed of months in which two models are called, which divides the calls that were counted."""
    seen, assumed = _in_parallel(a)
    if seen:
        yield (f"In parallel both models were called for each request, by days on which both have nearly the same calls, in"
               f" {', '.join(seen)} of the month; second calls are no volume.")
    if assumed:
        yield (f"Assumed: in parallel both models are called for each request, in {', '.join(assumed)} of the month; second"
               " calls are no volume. The scenario's timing.months_in_parallel, or the option's own under options, says"
               " otherwise; 0: each request is called once.")


def _volume(a: TrackAnswer) -> Iterator[str]:
    """What the forecast's calls are made of, where a bill that is no sum of the stated requests is part of them."""
    if abs(a.volume_factor - 1.0) > SAME:
        yield (f"The forecast's calls are the stated requests x{a.volume_factor:.3f}: that part of the gap from estimate to"
               " bill is taken as volume (incumbent.bill_is_volume_share; 0: all of it is price).")


def _bands(a: TrackAnswer) -> Iterable[Block]:
    for q, name in enumerate(QUANTITIES):
        if not a.judged[q].any():
            continue
        band = a.forecast.bands[name]
        yield Heading(CALLED[name].name)
        yield Table(("month", "came", "forecast", "P5", "P95"), tuple(
            Row((month.month, _cell(a, name, k), *(shown_as(name, float(x[k])) for x in (band.central, band.low, band.high))))
            for k, month in enumerate(a.months)))


def _ahead(a: TrackAnswer) -> Iterable[Block]:
    if not a.course.ahead:
        return
    yield Heading("From today, against going on")
    yield Table(("option", "saves", "chance", "may be\nadvised"), tuple(
        Row((_name(a, x.option), short_usd(x.gain_usd), chance(x.chance), "yes" if x.candidate else "no"))
        for x in a.course.ahead))
    told = ("Present value over what is left of the horizon. What was spent is spent; another option pays its set-up and runs"
            " beside the present one until it is live.")
    yield Notes((told,))


def limit_sentence(limit: Limit) -> str:
    """One limit: its name, what it means, what came, and by how much it is passed."""
    came = "no file given tells it, and what nothing tells holds no limit" if limit.came is None else figure(limit.came)
    by = ""
    if limit.came is not None and isfinite(limit.came) and not limit.holds:
        by = f", {figure(abs(limit.came - limit.limit))} past it"
    return f"{limit.name}: {came}; limit {figure(limit.limit)} ({LIMITS[limit.name][0]}){by}"
