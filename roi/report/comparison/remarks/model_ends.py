"""What vendors end, and what they ask next: of the model in use, and of the one that is advised."""

import math

from roi.economics.decision.comparison import Comparison
from roi.economics.decision.measuring.worth import Experiment
from roi.economics.decision.option_result import OptionResult
from roi.economics.decision.recommendation import chance as chance_of
from roi.economics.decision.recommendation import nearness
from roi.economics.decision.turning.successor_price import USUAL
from roi.economics.inputs import Option, path_of
from roi.economics.lines.line_kind import LineKind
from roi.economics.option_kinds import KEEPS_MODEL
from roi.economics.outlook import PricesAhead, announced_days, prices_ahead, suggested_successor, unseen_successor
from roi.economics.price_list import Api
from roi.facts.fact import Value
from roi.report.comparison.option_figures import (
    alone_from,
    compared_from,
    may_stay,
    mean_npv,
    npv_of,
    option_of,
    rate_assumed,
    to_choose,
    to_take,
)
from roi.report.comparison.remarks.todays_units import paid_by_unit
from roi.report.layout.wording import case_number, chance, figure, from_to, number_of, short_usd, usd
from roi.units import to_digits

LONGER = 6.0
"""Months by which a model with a known end must outlast today's to take its place: a move that is due again at once is none."""

NEAR = 12.0
"""Months before an end within which what follows can be named: it is out when vendors give notice, half a year to a year."""

MUCH = 0.1
"""Part of a price by which an announced one differs from today's where it is told before the advice."""


def ending(c: Comparison, id: str) -> tuple[Value, str]:
    """The vendor's model behind an option, and when it is known to end: "on 2027-03-01", "in 4 months"; empty where unknown.

    As the vendor has announced, or as the scenario says, within the horizon: a later one asks no move that is counted. An
    assumed life is no such end.
    """
    vendor = f"options.{id}.vendor"
    name = c.case[vendor].value if vendor in c.case else None
    announced, stated = f"vendors.{name}.retires_on", path_of(Option, "life_first", vendor=name)
    if stated not in c.case or (months := case_number(c.case, stated)) > case_number(c.case, "horizon_months"):
        return name, ""
    if announced in c.case:
        return name, f"on {c.case[announced].value}"
    return name, f"in {number_of(months, 'month')}" if c.case[stated].source.endswith("ends_in_months") else ""


def what_follows(c: Comparison, o: OptionResult) -> list[str]:
    """What becomes of an option on today's model when that ends; nothing where no end is announced or stated."""
    (now, _), (name, when) = ending(c, "stay"), ending(c, o.id)
    if not when or name != now:
        return []
    own, suggested = f"vendors.{name}.first_successor_price_ratio", f"vendors.{name}.successor"
    usual = "drift.successor_price_ratio", f"vendors.{name}.successor_price_ratio"
    price = math.prod(case_number(c.case, path, 1.0) for path in ((own,) if own in c.case else usual))
    ratio = f"vendors.{name}.suggested_price_ratio"
    at = f" ({figure(case_number(c.case, ratio))} x its price)" if ratio in c.case else ""
    listed = "what its own list would be then" if name in announced_days(c.case) else "its price today"
    then = f"from then on this is the same on its successor, counted at {figure(price)} x {listed}"
    if suggested in c.case:
        return [f"{name} ends {when}: {then}; its vendor suggests {c.case[suggested].value}{at}."]
    if own in c.case:
        return [f"{name} ends {when}: {then}; no successor is known."]
    errors = path_of(Option, "first_error_ratio", vendor=name)
    wrong = f" and {_ratio(c, 'drift.successor_error_ratio')} x its wrong answers" * (errors not in c.case)
    return [(f"{name} ends {when}: {then}{wrong}, assumed, since nobody named one (incumbent.successor_price_ratio"
             f"{', successor_error_ratio' if wrong else ''}).")]


def _ratio(c: Comparison, path: str) -> str:
    """The ends of a ratio that is drawn, else its value."""
    fact = c.case[path]
    low, high = fact.spread() if fact.uncertain else (fact.number(), fact.number())
    return from_to(figure(low), figure(high))


def instead_of_staying(c: Comparison) -> list[str]:
    """Where today's model is known to end: what follows it, that a move is due, and the best tested one to what lasts longer.

    An order to evaluate stands only where no line of the answer says that none is worth it, or that it comes too late.
    """
    if not (ends := what_follows(c, option_of(c, "stay"))):
        return []
    last = _life(c, "stay") + LONGER
    tested = [o for o in c.options if o.id in c.verdict.candidates and o.kind not in {"stay", *KEEPS_MODEL}
              and not (ending(c, o.id)[1] and _life(c, o.id) < last)]
    best = max(tested, key=lambda o: nearness(o, c.verdict.counts), default=None)
    if best is None:
        return [*ends, f"No other model is tested that lasts half a year longer{_tested_by_then(c)}."]
    (mean, _), odds = npv_of(c, best), chance_of(best, c.verdict.counts)
    saves = f", and {'saves' if mean > 0 else 'loses'} {short_usd(abs(mean))}" * (best.id != c.verdict.challenger)
    saves += f" on average (beats staying in {chance(odds)} of the draws)" if saves and odds is not None else ""
    asked = "; incumbent.may_stay: false asks for the best of the moves" * may_stay(c)
    return [*ends, (f"A move is due by then: of other models that are tested {best.label} costs least, cash"
                    f" {usd(best.cash_monthly_usd)} a month{saves}{asked}.")]


def _tested_by_then(c: Comparison) -> str:
    """What becomes of testing another model before today's ends, as THEN has it."""
    e = c.verdict.measure_first or c.verdict.then
    if not {*(o.kind for o in c.options), *(o.kind for o in c.infeasible)} - {"stay", *KEEPS_MODEL}:
        return ": a move is due by then, name one (candidates) and evaluate it"
    if e is not None and too_late(c, e):
        return ", nor would be by then: the move that is due then is to its successor"
    if e is not None or not c.case["draws"].value:
        return ": a move is due by then, evaluate one before"
    why = "no test of one is worth its cost" if c.experiments else "none waits for a test"
    return f", and {why}: the move that is due then is to its successor"


def too_late(c: Comparison, e: Experiment) -> str:
    """Than what an experiment takes longer: today's model, where that is asked until then or judged beside; else empty."""
    name, when = ending(c, "stay")
    away = e is not c.verdict.measure_first and ending(c, c.verdict.first_move or c.verdict.leader)[0] != name
    return f"longer than {name} lasts (ends {when})" if when and e.months > _life(c, "stay") and (e.paired or not away) else ""


def _life(c: Comparison, id: str) -> float:
    """Months until the vendor's model behind the option ends, as the case counts them."""
    return case_number(c.case, path_of(Option, "life_first", vendor=c.case[f"options.{id}.vendor"].value))


def endings(c: Comparison) -> list[str]:
    """Known ends of the model in use, where no advised move tells it, and of the leading option's, with what that one costs."""
    (now, when), (then, end) = ending(c, "stay"), ending(c, c.verdict.leader)
    moved = c.verdict.first_move or c.verdict.leader
    away = moved == "stay" or ending(c, moved)[0] != now
    (suggested, compared), unseen = suggested_successor(c.case, str(now)), unseen_successor(c.case)
    told = []
    if when and (away or (unseen and path_of(Option, "first_price_ratio", vendor=now) not in c.case)):
        told.append(f"{now} ends {when}: a move is due in any case{_in_time(c)}"
                    f"{_as_suggested(c, str(now), suggested, compared=compared)}")
    for name in dict.fromkeys((now, then)):
        said, elsewhere = f"vendors.{name}.announced_end", f"vendors.{name}.ends_elsewhere"
        if said in c.case:
            told.append(f"{name} ends on {c.case[said].value} as its vendor says; here counts the end that is stated")
        elif elsewhere in c.case:
            life, field = path_of(Option, "life_first", vendor=name), f"apis.{str(name).partition(' ')[0]}.ends_in_months"
            told.append(f"{name}: no end is announced, {figure(case_number(c.case, life))} months assumed; the same one ends at"
                        f" {c.case[elsewhere].value} ({field})")
    moves = next((line for line in c.leader.lines if line.kind is LineKind.MIGRATION), None)
    if end and then != now and moves is not None:
        paid = next(((k, x) for k, x in enumerate((moves.upfront_usd, *moves.monthly_usd)) if x > 0), None)
        cost = "at no cost" if paid is None else f"{usd(paid[1])} counted at the end of month {paid[0]}"
        path = f"vendors.{then}.successor"
        follow = f"; its vendor suggests {c.case[path].value}" if path in c.case else ""
        told.append(f"{then} ends {end}: a second move, {cost}{follow}")
    return told


def _in_time(c: Comparison) -> str:
    """That another API is counted as live by the end of today's model, sooner than is usual; empty where it is not."""
    usual, end = case_number(c.case, "changes.api.months_to_live"), _life(c, "stay")
    hurried = [o for o in c.options if c.case[f"options.{o.id}.group"].value == "api" and o.months_to_live == end < usual]
    if "changes.api.in_time" not in c.case or not hurried:
        return ""
    return f", and another API is counted as live by then, not in {number_of(usual, 'month')}"


def to_name(c: Comparison) -> str:
    """To find out the price of what follows today's model, where that turns the advice within its spread and can be known.

    Empty where the end is far, nothing turns, or its vendor suggests a model whose price is known: `_as_suggested` tells that.
    """
    now, when = ending(c, "stay")
    if not when or _life(c, "stay") > NEAR or f"vendors.{now}.suggested_price_ratio" in c.case or not c.successor_turns:
        return ""
    turns = ", ".join(f"{turn.direction} about {to_digits(turn.price_ratio, 2, up=turn.direction == 'above'):g} x today's"
                      f" the advice is {to_take(c, turn.option)}" for turn in c.successor_turns)
    return (f"First, free: find out what follows {now} and its price (incumbent.successor_price_ratio, assumed"
            f" {_ratio(c, USUAL)}): {turns}.")


def _as_suggested(c: Comparison, model: str, suggested: str, *, compared: bool) -> str:
    """What the advice would be, and bring, were staying to move on to what the vendor suggests; empty where none is.

    At its price, and with as many wrong answers as that was scored here, where both were scored. The NPV is of the leading
    option against that, in the draws of the case: it stands in the headline against a successor at the usual price.
    """
    ratio, stated = f"vendors.{model}.suggested_price_ratio", path_of(Option, "first_price_ratio", vendor=model)
    if not suggested or stated in c.case or c.verdict.recommended is None:
        return ""
    short = suggested.partition("/")[2]
    named = "" if compared else f"; name {suggested} in candidates.api_models to compare it (its test: roi next)"
    if ratio not in c.case:
        return f". Its vendor suggests {short}, whose price is not known{named}"
    at = case_number(c.case, ratio)
    errors = _errors_over_todays(c, suggested, path_of(Option, "first_error_ratio", vendor=model))
    stood, o = c.stood_at({stated: at, **errors}, like=ratio), c.leader
    then = stood.leaders[0]
    advice = "the same" if then == o.id else to_choose(c, then) + " until then" * (then == "stay")
    scored = "".join(f" and {figure(x)} x the wrong answers" for x in errors.values())
    brings = ""
    if o.id != "stay":
        odds = f" and beats staying in {chance(stood.chances[o.id])} of the draws" if o.id in stood.chances else ""
        brings = f"{o.label} has a {mean_npv(c)} of {short_usd(float(stood.saved[o.id][0]))}{odds}, and "
    return (f". Its vendor suggests {short}: were staying to go on with that at {figure(at)} x the price{scored}"
            f" (incumbent.successor_price_ratio), {brings}the advice is {advice}{named}")


def _errors_over_todays(c: Comparison, vendor_model: str, path: str) -> dict[str, float]:
    """The error rate of a model that was scored over today's, for the fact at this path; empty where stated or unknown."""
    rates = {o.id: o.quality.error_rate for some in (c.options, c.infeasible) for o in some
             if o.kind == "cheaper-api" and o.quality.status == "evaluated"}
    rate = next((rate for id, rate in rates.items() if c.case[f"options.{id}.vendor"].value == vendor_model), None)
    stay = option_of(c, "stay")
    if path in c.case or rate is None or not stay.quality.error_rate or rate_assumed(c, stay):
        return {}
    return {path: rate / stay.quality.error_rate}


def announced(c: Comparison, *ids: str) -> list[PricesAhead]:
    """The announced prices of these options' models, and of those that take what they do not; each model once."""
    return prices_ahead(c.case, tuple(dict.fromkeys(ids))) if announced_days(c.case) else []


def dearer(c: Comparison, ahead: PricesAhead) -> str:
    """By how much a model's requests get dearer or cheaper on the days that are announced; units of it cost what they do."""
    lists = (f"other prices from {day} on" if times is None else f"{figure(times)} x as much from {day} on"
             for day, times in ahead.lists)
    by_token = " by the token" if paid_by_unit(c) and ahead.vendor == ending(c, "stay")[0] else ""
    return f"{ahead.vendor} costs{by_token} {', '.join(lists)}"


def as_announced(c: Comparison, id: str) -> str:
    """The announced prices that have come and that an option's rates are today, by their fields; empty where none is."""
    facts = (c.case.facts.get(path_of(Api, rate, option=id)) for rate in ("input", "output"))
    fields = dict.fromkeys(fact.source.removeprefix("scenario ").rpartition(".")[0] for fact in facts
                           if fact is not None and ".announced." in fact.source)
    return f" Today's price is the announced one, {' and '.join(fields)}." if fields else ""


def next_prices(c: Comparison, *, much: bool) -> list[str]:
    """Announced prices of the model in use, of the leading option's, and of the one that takes what its fleet does not.

    By how much the option's request gets dearer, and what that adds to a mean month, as the table counts it. `much`: those that
    move by more than MUCH; else the others.
    """
    told = []
    for ahead in announced(c, "stay", c.leader.id):
        if any(times is None or abs(times - 1.0) > MUCH for _, times in ahead.lists) is not much:
            continue
        more = 0.0
        if ahead.more_usd is not None:
            start = compared_from(c) if ahead.option == "stay" else alone_from(c.leader)
            more = float(ahead.more_usd[start:].mean())
        adds = f", {usd(abs(more))} a month {'more' if more > 0 else 'less'} on average" if round(abs(more)) else ""
        told.append(f"{dearer(c, ahead)}, announced: counted, in its successors' prices too{adds}")
    return told
