"""What is told of an option: its NPV on what the verdict counts, its mean month, what is known of its answers."""

import math

from roi.economics.decision.comparison import Comparison
from roi.economics.decision.option_result import LineResult, OptionResult, Triple
from roi.economics.decision.recommendation import value
from roi.economics.inputs import Option, Shared, path_of, places
from roi.economics.lines.calendar import EXACT
from roi.economics.option_kinds import KEEPS_MODEL
from roi.economics.reading import read_shared
from roi.facts.fact import Basis, guessed
from roi.report.layout.wording import case_number, figure, short_usd, usd

RENTS = 0.03
"""Part of an option's cash by which that at the mean level of rents differs from where on it is told."""


def option_of(c: Comparison, id: str) -> OptionResult:
    """The feasible option with this id."""
    return next(o for o in c.options if o.id == id)


def called(c: Comparison, id: str) -> str:
    """The option by its label, staying by that word."""
    return "staying" if id == "stay" else option_of(c, id).label


def to_choose(c: Comparison, id: str) -> str:
    """What it is to follow the advice for this option: to stay, or to change to it."""
    return "to stay" if id == "stay" else f"to change to {option_of(c, id).label}"


def may_stay(c: Comparison) -> bool:
    """False where a rule or a contract ends today's use."""
    return read_shared(c.case.values()).may_stay


def to_take(c: Comparison, id: str) -> str:
    """What is advised elsewhere, by its name: to stay, or, where that is not allowed, nothing, for want of any other option."""
    if id != "stay":
        return option_of(c, id).label
    return "to stay" if may_stay(c) else "none, since no other option works there"


def npv_of(c: Comparison, o: OptionResult) -> tuple[float, Triple | None]:
    """Mean NPV of the draws with P10, P50 and P90, on what the verdict counts; without draws the central value."""
    return value(o, c.verdict.counts), o.cash_npv_p10_p50_p90 if c.verdict.counts == "cash" else o.npv_p10_p50_p90


def drawn(c: Comparison) -> bool:
    """True where there are draws of an uncertain fact; else every figure is a central value."""
    return any(o.probability_npv_positive is not None for o in c.options)


def mean_npv(c: Comparison) -> str:
    """What `npv_of` gives, in words."""
    return "mean NPV" if drawn(c) else "central NPV"


def npv_range(mean: float, spread: Triple | None) -> str:
    """An NPV with its bad and its good case."""
    if spread is None:
        return f"{short_usd(mean)} (no draws: nothing says how sure)"
    if flat(spread):
        return f"{short_usd(mean)}, and nothing uncertain moves it"
    return f"mean {short_usd(mean)}, bad case {short_usd(spread[0])}, good case {short_usd(spread[2])}"


def flat(spread: Triple) -> bool:
    """True where P10 and P90 print alike."""
    return spread[2] - spread[0] < 1.0


def counted(c: Comparison, *, cash: bool = False) -> str:
    """Whether the verdict's NPV holds the cost of wrong answers; with `cash` the words for what leaves own cards out then."""
    if case_number(c.case, "quality.usd_per_error") <= 0 and not c.case["quality.usd_per_error"].uncertain:
        return "wrong answers at $0"
    own = not cash and any(o.upfront_no_cash_usd for o in c.options)
    return "wrong answers counted" if c.verdict.counts != "cash" else "without wrong answers" if own else "on cash alone"


def quality(c: Comparison, o: OptionResult) -> str:
    """What is known of the option's answers."""
    if o.id == "stay":
        return "in use"
    if o.kind in KEEPS_MODEL:
        return "same model"
    if not o.tested:
        return "few tested" if o.evaluated else "GATE UNTESTED" if o.kind == "cascade" else "NOT TESTED"
    path = error_path(c, o)
    if f"{path}_ratio" in c.case:
        return "same weights"
    if of_todays_model(c, o):
        return "same model"
    template = path in c.case and c.case[path].basis is Basis.TEMPLATE
    return "assumed" if template or rate_assumed(c, o) else "tested"


def error_path(c: Comparison, o: OptionResult) -> str:
    """The path of the error rate of what answers in the option: end to end or of what it keeps, where that was judged."""
    whole, own = (c.case.facts.get(f"options.{o.id}.{name}") for name in ("end_to_end", "system"))
    system = own if whole is None else whole
    assert system is not None
    kept = f"systems.{system.value}.kept_error_rate"
    return kept if whole is None and o.kind == "cascade" and kept in c.case else f"systems.{system.value}.error_rate"


def of_todays_model(c: Comparison, o: OptionResult) -> bool:
    """True where what answers is today's model, under its name or the one by which another vendor sells it."""
    today, same = c.case["options.stay.system"].value, c.case.facts.get(f"{error_path(c, o)}_as")
    return c.case[f"options.{o.id}.system"].value == today or (same is not None and same.value == today)


def rate_assumed(c: Comparison, o: OptionResult) -> bool:
    """True where the error rate of what answers in the option is assumed; a template's is told apart."""
    return (path := error_path(c, o)) in c.case and guessed(c.case[path])


def gpu_count(number: float) -> str:
    """A number of GPUs; of a fleet that follows the hours of the day, their mean."""
    return f"{number:,.0f}" if number >= 1.0 and number == round(number) else figure(number)


def alone_from(o: OptionResult) -> int:
    """The first month in which the option serves alone, counted from 0."""
    return min(math.ceil(o.months_to_live + o.months_in_parallel - EXACT), len(o.monthly_usd) - 1)


def own_path(c: Comparison, o: OptionResult, name: str) -> str:
    """Where the Case has the option's field of that name: its own, its kind's, or that of its kind of change."""
    known = {"option": o.id, "kind": o.kind, "group": c.case[f"options.{o.id}.group"].value}
    return next(path for each in places(Option)[name].paths if (path := each.format_map(known)) in c.case)


def compared_with(c: Comparison) -> OptionResult | None:
    """What staying is told beside: the leading option, or where that is staying the challenger, if there is one."""
    beside = c.verdict.leader if c.verdict.leader != "stay" else c.verdict.challenger
    return None if beside is None else option_of(c, beside)


def compared_from(c: Comparison) -> int:
    """The month, counted from 0, from which on staying is compared with that option."""
    beside = compared_with(c)
    return 0 if beside is None else alone_from(beside)


def mean_from(line: LineResult, start: int) -> float:
    """A line's mean month from the month `start` on, counted from 0, USD."""
    months = line.monthly_usd[start:]
    return sum(months) / len(months)


def cash_from(o: OptionResult, start: int) -> float:
    """An option's mean cash of a month from the month `start` on, counted from 0, USD."""
    return sum(mean_from(line, start) for line in o.lines if line.cash)


def month_of(c: Comparison, o: OptionResult) -> tuple[float, float]:
    """Cash and cost of wrong answers in a mean month once the option serves alone; of staying, while the leading one does.

    Where staying leads, its months are those of the challenger.
    """
    beside = compared_with(c) if o.id == "stay" else None
    if beside is None:
        return o.cash_monthly_usd, o.errors_monthly_usd
    return beside.staying_cash_monthly_usd, beside.staying_errors_monthly_usd


def at_mean_rents(c: Comparison, o: OptionResult) -> list[str]:
    """The cash at the mean level of rents, where that is another than at the central values; it is today's without a drift."""
    mean = c.cash_at_mean_rents(o.id)
    if mean is None or abs(mean - o.cash_monthly_usd) < RENTS * o.cash_monthly_usd:
        return []
    level = "today's rents" if case_number(c.case, path_of(Shared, "rent_drift")) == 0.0 else "the mean level of rents"
    return [f"at {level} {usd(mean)}"]


def either_way(c: Comparison, o: OptionResult) -> str:
    """How many more, or fewer, of 100 answers are wrong, where items were counted and leave open which; else empty."""
    spread = o.quality.more_wrong_p10_p50_p90
    counted_on = f"{error_path(c, o).rpartition('.')[0]}.items"
    if spread is None or counted_on not in c.case or not spread[0] < 0.0 < spread[2]:
        return ""
    return f" (of 100, P10 {-100 * spread[0]:.1f} fewer, P90 {100 * spread[2]:.1f} more)"
