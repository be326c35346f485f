"""What is uncertain: what could be measured and is worth it, and which facts move the answer."""

from collections.abc import Callable

from roi.economics.decision.comparison import Comparison
from roi.economics.decision.option_result import InfeasibleOption, OptionResult
from roi.economics.decision.verdict import value
from roi.economics.decision.worth import Experiment
from roi.facts.fact import Fact
from roi.report.comparison.thresholds import nothing_fails
from roi.report.layout.blocks import Block, Heading, Labelled, Paragraph, Row, Table
from roi.report.layout.wording import (
    duration,
    fact_name,
    figure,
    money_of,
    number_of,
    option_label,
    percent,
    range_of,
    short_usd,
    told_apart,
    usd,
)

MEASURES = {
    "evaluate": "Evaluate {0} on your evaluation set", "load-test": "Load-test one server of {0}",
    "trial-run": "Try the training of {0} for some minutes", "count-tokens": "Count the tokens of a hundred prompts with {0}",
    "usage-log": "Read a week of usage log", "invoice": "Split an invoice into requests and prices",
    "quote": "Ask vendors for a quote",
}
"""What each kind of experiment does."""


def next_step(c: Comparison) -> str:
    """What to measure next, in a sentence; empty where nothing is worth measuring."""
    e = c.verdict.measure_first or c.verdict.then
    return "" if e is None else f"{to_measure(c, e)}.{wins_at(c, e)}"


def then(c: Comparison) -> list[Block]:
    """What is worth measuring after the advice; nothing where that is to measure first."""
    e = c.verdict.then
    if c.verdict.measure_first is not None:
        return []
    if e is None:
        why = ("Nothing is worth measuring until a test can fail." if nothing_fails(c) else
               "Nothing is worth measuring: no test is worth more than it costs." if c.case["draws"].value else
               "Without draws nothing says what a test is worth: --draws 4096.")
        return [Labelled("THEN", (why,))]
    after = "" if c.verdict.leader == "stay" else " after DO NOW"
    return [Labelled("THEN", (f"{to_measure(c, e)}; worth {short_usd(e.worth_usd)} on average{after}.{wins_at(c, e)}",))]


def to_measure(c: Comparison, e: Experiment) -> str:
    """What an experiment does, what it costs and how long it takes."""
    o = _about(c, e)
    trains = "Train and evaluate {0}" if e.kind == "evaluate" and o.trains and not _judged(o) else MEASURES[e.kind]
    told = trains.format(o.label) + (f" ({fact_name(e.fact)})" if e.fact is not None else "")
    if e.kind == "evaluate" and e.items is not None:
        told += f", {number_of(e.items, 'item')}"
    return f"{told}: about {usd(e.cost_usd)} and {duration(e.months)}"


def _about(c: Comparison, e: Experiment) -> OptionResult | InfeasibleOption:
    """The option that an experiment is about: also one that missed the bar where it was evaluated."""
    options: tuple[OptionResult | InfeasibleOption, ...] = (*c.options, *c.infeasible)
    return next(o for o in options if o.id == e.option)


def _judged(o: OptionResult | InfeasibleOption) -> bool:
    return o.quality.status == "evaluated"


def wins_at(c: Comparison, e: Experiment) -> str:
    """The error rate at which the option of an evaluation wins; of another experiment, what it is ahead or behind by."""
    o, v = _about(c, e), c.verdict
    if e.kind == "evaluate" and v.wins_at_error_rate is not None and v.wins_at_error_rate < 1.0:
        at, found = told_apart(percent, v.wins_at_error_rate, o.quality.error_rate)
        return f" It wins if at most {at} of its answers are wrong ({'so far' if _judged(o) else 'assumed'}: {found})."
    if isinstance(o, InfeasibleOption):
        return ""
    gap = value(o, v.counts) - value(c.leader, v.counts)
    if v.leader in {e.option, "stay"} or e.option == "stay":
        return ""
    return f" Today its mean NPV is {short_usd(abs(gap))} {'above' if gap > 0 else 'below'} the recommendation's."


def measurable(c: Comparison) -> list[Block]:
    """What could be measured, its cost and what its result is worth."""
    if not c.experiments:
        return []
    rows = tuple(
        Row((MEASURES[e.kind].format(option_label(c.case, e.option)) + (f": {fact_name(e.fact)}" if e.fact else ""),
             usd(e.cost_usd), figure(e.months), usd(e.worth_usd), usd(e.net_usd), usd(e.first_net_usd))) for e in c.experiments)
    return [
        Heading("What could be measured"),
        Table(("experiment", "cost", "months", "worth\nafter", "net\nafter", "net\nbefore"), rows),
        Paragraph("After: once the recommendation is carried out, a second move paying its own set-up. Before: instead of"
                  " moving at once, its cost and the delay taken off. Worth: the gain in the best mean NPV over all that the"
                  " result could let be chosen."),
    ]


def drivers(c: Comparison, ends: Callable[[str, Fact], str] = range_of) -> list[Block]:
    """The uncertain facts that move the answer most; `ends` tells the range of one, where not every reader may know all."""
    if not c.drivers or c.driver_option is None:
        return []
    money = money_of([x for d in c.drivers for x in (d.npv_at_low_usd, d.npv_at_high_usd)])
    heads = ("fact", "5% to 95%", "NPV\nat 5%", "NPV\nat 95%", "rank\ncorr.", "worth\nknowing")
    return [
        Heading(f"What moves the NPV of {option_label(c.case, c.driver_option)}, {money.unit}"),
        Table(heads, tuple(
            Row((fact_name(d.path), ends(d.path, c.case[d.path]), money(d.npv_at_low_usd), money(d.npv_at_high_usd),
                 f"{d.rank_correlation:+.2f}", money(d.worth_knowing_usd)))
            for d in c.drivers), align="ll"),
        Paragraph("One fact at its 5% and 95% end, the others central. Rank corr.: Spearman, over the draws. Worth knowing: the"
                  " most that any study of this one fact could be worth for this decision."),
    ]
