"""What is uncertain: what could be measured and is worth it, and which facts move the answer."""

from collections.abc import Callable

from roi.economics.decision.comparison import Comparison
from roi.facts.fact import Fact
from roi.report.comparison.advice import MEASURES
from roi.report.layout.blocks import Block, Heading, Paragraph, Row, Table
from roi.report.layout.wording import fact_name, figure, money_of, option_label, range_of, usd


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
