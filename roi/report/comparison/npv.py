"""An NPV in words: on what the verdict counts, with its bad and its good case."""

from roi.economics.decision.comparison import Comparison
from roi.economics.decision.option_result import OptionResult, Triple
from roi.economics.decision.verdict import value
from roi.report.layout.wording import case_number, short_usd


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
