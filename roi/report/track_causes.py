"""What was off, of `roi track`: the fact that moved the cash most in words, and all of them as a table."""

from collections.abc import Iterable
from typing import Final

import numpy as np

from roi.answers.track import TrackAnswer
from roi.economics.change.attribution import SHAPLEY
from roi.economics.tracking.month_figures import (
    CACHE,
    COMMITMENTS,
    GPU_BILL,
    GPU_HOURS,
    GPU_PRICE,
    INPUT,
    LIVE,
    OUTPUT,
    PARALLEL,
    PRICE,
    READ,
    ROUTING,
    STAY_PRICE,
    VOLUME,
    paid_at,
)
from roi.economics.tracking.seen_facts import OR_VOLUME, Effect
from roi.report.layout.blocks import Block, Notes, Row, Table
from roi.report.layout.wording import figure, option_label, percent, told_apart, usd

SMALL = 0.05
"""Share of the largest effect below which another is not told beside it."""
WORDED = 0.05
"""Part by which a share of calls is off from which on words beneath the table say what it was."""
EFFECTS = 5
"""Facts that are listed without --full."""
ALIKE = 0.0005
"""What two factors differ by at the least where both are told."""
MEANING: Final = {
    VOLUME: "the calls, over the forecast's",
    INPUT: "the input tokens of a call, over the forecast's",
    OUTPUT: "the output tokens of a call, over the forecast's",
    CACHE: "the share of input that is read from a cache, over the forecast's",
    READ: "of input tokens, read from a cache, forecast none (workload.shared_prefix_tokens)",
    PARALLEL: "in which the old model is called beside the new one, by the days' calls, over the forecast's",
    STAY_PRICE: "of the old model's tokens as billed, over the forecast's",
    PRICE: "of {option}'s tokens as billed, over the forecast's",
    COMMITMENTS: "what was paid, over what these tokens cost at that price",
    GPU_HOURS: "the GPU hours, over what the forecast's fleet takes at this volume from when it was live",
    GPU_PRICE: "the USD of a GPU hour, over the forecast's",
    GPU_BILL: "in months in which it pays for no GPU",
    f"{PRICE} {OR_VOLUME}": "the bill of {option}, over the forecast's; nothing tells its price and volume apart",
    f"{STAY_PRICE} {OR_VOLUME}": "the bill of the old model, over the forecast's; nothing tells its price and volume apart",
}
"""What each fact is, and over what its figure stands."""


def off_sentence(a: TrackAnswer) -> str:
    """The fact that moved the cash most: what it is, how far off, in which months; then the two behind it."""
    if not a.effects:
        return "Nothing: every figure that is told is the forecast's."
    first, *rest = a.effects
    rest = [x for x in rest if abs(x.cash_usd) >= SMALL * abs(first.cash_usd)]
    more = f" Then {', '.join(f'{x.fact} {usd_signed(x.cash_usd)}' for x in rest[:2])}." if rest else ""
    months = " to ".join(dict.fromkeys((a.months[0].month, a.months[-1].month)))
    return (f"{first.fact[0].upper()}{first.fact[1:]}, {_what(a, first)}; {usd_signed(first.cash_usd)} of cash in"
            f" {months}.{more}{_foreign(a, first)}")


def _foreign(a: TrackAnswer, first: Effect) -> str:
    """Says that other models may have answered what the decision's did not, where fewer calls moved the cash most."""
    calls = sum(month.foreign_calls or 0.0 for month in a.months)
    if first.fact != VOLUME or first.factor >= 1.0 or not calls:
        return ""
    return (f" {calls:,.0f} calls of these months went to models that are none of the decision's: where those took its place,"
            " that is why.")


def _what(a: TrackAnswer, e: Effect) -> str:
    """What a fact is and was over the forecast; of the share of calls, where it was the furthest off, and why."""
    if e.fact not in {LIVE, ROUTING} or (off := _share_off(a, e.fact)) is None:
        meaning = MEANING.get(e.fact, "over the forecast's").format(option=option_label(a.comparison.case, a.option))
        if not any(each.calls_usd is not None for each in a.tracked.came):
            meaning = meaning.replace("as billed", "by their batch and tier")
        name = e.fact.removesuffix(f" {OR_VOLUME}")
        seen = a.tracked.seen.get(name)
        at = paid_at(name, a.tracked.seen, a.tracked.months)
        k = len(a.months) - 1 if at is None else max(np.flatnonzero(at > 0), default=0)  # of months in which it was paid
        last = None if seen is None else float(seen[k, 0])
        if last is None or len(a.months) == 1 or e.fact == GPU_BILL or abs(last - e.factor) < ALIKE:
            return f"{meaning}: {_factor(e, e.factor)}"
        over = "over all that was paid" if name in {PRICE, STAY_PRICE, GPU_PRICE} else "in the mean month"
        over = "over all hours" if name == GPU_HOURS else over
        return f"{meaning}: {_factor(e, e.factor)} {over}, {_factor(e, last)} in {a.months[k].month}"
    month, came, planned = off
    if (live := _live_off(a, e.fact, came, planned)) is not None:
        return f"as forecast, {percent(came)} in {month}, but live after {figure(e.factor)} months, forecast {figure(live)}"
    later, longer, more = ("later", "kept for longer", "more") if came < planned else ("sooner", "gone sooner", "less")
    why = f"{more} was escalated" if _escalates(a, e.fact) else (
        f"live {later}, or the old model {longer} beside it than timing.months_in_parallel says")
    return f"of which the new model had {percent(came)} in {month}, forecast {percent(planned)} ({why})"


def _factor(e: Effect, x: float) -> str:
    """What a fact was over the forecast's, or was where the forecast has none."""
    return percent(x) if e.fact == READ else usd(x) if e.fact == GPU_BILL else f"x{times(x)}"


def _escalates(a: TrackAnswer, fact: str) -> bool:
    """True where the share of calls is what a cascade's first model keeps."""
    return fact == ROUTING and any(o.id == a.option and o.kind == "cascade" for o in a.comparison.options)


def _share_off(a: TrackAnswer, fact: str) -> tuple[str, float, float] | None:
    """The month whose share of calls at the option's model is the furthest from the forecast's: its name, came, forecast.

    Of what is escalated, of months in which the option has all calls by the forecast and some came, but for that in which it
    began to answer; of when it went live, where it escalates too, of the others.
    """
    began = {month.month for month, each in zip(a.months, a.tracked.came, strict=True) if each.handed_on is not None}
    told = [(month.month, each.own_share, float(planned)) for month, each, planned in
            zip(a.months, a.tracked.came, a.tracked.planned_share, strict=True) if each.own_share is not None]
    if fact == LIVE or _escalates(a, fact):
        most = max((planned for _, _, planned in told), default=0.0)
        alone = {each for each in told if each[1] > 0.0 and each[2] >= most * (1.0 - ALIKE) and each[0] not in began}
        told = [each for each in told if (each in alone) is (fact == ROUTING)] or told
    return max(told, key=lambda each: abs(each[1] - each[2]), default=None)


def _live_off(a: TrackAnswer, fact: str, came: float, planned: float) -> float | None:
    """The months to live of the forecast, where the share of calls came as planned and told of another go-live.

    As where the old model was called beside the new one for a shorter time. None of what is escalated, and of other shares.
    """
    live = next(o.months_to_live for o in a.comparison.options if o.id == a.option)
    return live if abs(came - planned) < ALIKE * planned and live > 0.0 and not _escalates(a, fact) else None


def times(x: float) -> str:
    """A factor in three decimals, or in as many as tell it from 1: cash stands beside it."""
    return told_apart(lambda factor, more: f"{factor:.{3 + more}f}", x, 1.0)[0]


def usd_signed(x: float) -> str:
    """An amount with its sign: +$1,200."""
    text = usd(x)
    return f"+{text}" if x > 0 and text != "$0" else text


def effects_blocks(a: TrackAnswer, *, full: bool) -> Iterable[Block]:
    """All facts that were off, the largest effect on the cash first, and what the columns say."""
    shown = a.effects if full else a.effects[:EFFECTS]
    rest = a.effects[len(shown) :]
    over = ["-" if _without_forecast(a, e) else times(over_forecast(a, e)) for e in shown]
    rows = [Row((e.fact, x, usd_signed(e.cash_usd), usd_signed(e.saving_usd))) for e, x in zip(shown, over, strict=True)]
    if rest:
        cash, saved = sum(e.cash_usd for e in rest), sum(e.saving_usd for e in rest)
        rows.append(Row((f"{len(rest)} more", "", usd_signed(cash), usd_signed(saved))))
    came, planned = a.cash()
    rows.append(Row(("all", "", usd_signed(came - planned), usd_signed(sum(e.saving_usd for e in a.effects))), strong=True))
    yield Table(("fact", "over\nforecast", "cash\nUSD", "saved\nUSD"), tuple(rows))
    how = "Shapley value" if a.method == SHAPLEY else "mean of two orders, which many facts leave time for,"
    told = (f"Each fact's {how} over these months; they add up to what came less the forecast. saved: against staying at"
            " the same volume, tokens, price of its model and, where they share it, cache rate.")
    shares = [e for e in shown[1:] if e.fact == READ or (
        e.fact in {LIVE, ROUTING} and abs(over_forecast(a, e) - 1.0) >= WORDED)]
    told += "".join(f" {e.fact}: {_what(a, e)}." for e in shares)
    if any(e.fact == GPU_HOURS for e in shown[1:]):
        told += " GPU hours: over what the forecast's fleet takes at this volume from when it was live."
    if any(e.fact == COMMITMENTS for e in shown):
        told += " commitments: what they ask beyond the calls, where the price does not explain it."
    yield Notes((told,))


def _without_forecast(a: TrackAnswer, e: Effect) -> bool:
    """True where the forecast has none of a fact, such as of calls of a model before it is live, so that no factor tells it."""
    off = _share_off(a, e.fact) if e.fact in {LIVE, ROUTING} else None
    return e.fact in {READ, GPU_BILL} or (off is not None and off[2] <= 0)


def over_forecast(a: TrackAnswer, e: Effect) -> float:
    """A fact over the forecast's; a share of calls in the month in which it was the furthest off, or the months to live."""
    off = _share_off(a, e.fact) if e.fact in {LIVE, ROUTING} else None
    if off is None or off[2] <= 0:
        return e.factor
    live = _live_off(a, e.fact, *off[1:])
    return off[1] / off[2] if live is None else e.factor / live
