"""What is not known: the facts that move the answer, and what measuring each thing is worth."""

from collections.abc import Callable

from roi.economics.decision.comparison import Comparison
from roi.economics.decision.measuring.worth import Experiment
from roi.facts.fact import Fact
from roi.report.charts.style import FIRST, ROW, SECOND, THICK, THIN, Spec, cents, money_axis, pairs, rows_of, spec
from roi.report.comparison.findings import experiment_name
from roi.report.layout.blocks import printable, shortened
from roi.report.layout.wording import fact_name, number_of, option_label, range_of, short_usd, usd

LABEL = 60
"""Characters of a label that are shown."""
EXPERIMENTS = 6
"""Experiments in a picture, the highest net value first."""
SIDES = ("at its 5th percentile", "at its 95th percentile")


def drivers(comparison: Comparison, ends_of: Callable[[str, Fact], str] = range_of) -> Spec:
    """NPV of the option in question with each fact alone at its 5th and 95th percentile, USD: the widest swing first.

    `ends_of` tells the range of a fact, where not every reader may know all.
    """
    c = comparison
    found = sorted(c.drivers, key=lambda d: -d.swing_usd)
    label = option_label(c.case, c.driver_option) if c.driver_option else "the option"
    middle = cents(next((o.npv_usd for o in c.options if o.id == c.driver_option), 0.0))
    rows: list[Spec] = [
        {"fact": printable(fact_name(d.path)), "side": side, "usd": cents(at), "middle": middle, "top": k + THIN,
         "bottom": k + THICK}
        for k, d in enumerate(found) for side, at in zip(SIDES, (d.npv_at_low_usd, d.npv_at_high_usd), strict=True)
    ]
    y, labels = rows_of([shortened(f"{fact_name(d.path)}: {ends_of(d.path, c.case[d.path])}", LABEL) for d in found])
    x = {"field": "usd", "type": "quantitative", "title": f"NPV of {shortened(label, LABEL)}, wrong answers counted, USD",
         "axis": money_axis([row["usd"] for row in rows], tickCount=4), "scale": {"zero": False}}
    ends = {"y": {**y, "field": "top"}, "y2": {"field": "bottom"}}
    layer: list[Spec] = [
        {"mark": {"type": "rect"}, "encoding": {
            "x": x, "x2": {"field": "middle"}, **ends,
            "color": {"field": "side", "type": "nominal", "scale": {"domain": list(SIDES), "range": "diverging"}, "legend": {}},
            "tooltip": [{"field": "fact", "title": "fact"}, {"field": "side", "title": "where"},
                        {"field": "usd", "title": "NPV, USD", "format": "$,.0f"}]}},
        {"mark": {"type": "rule"}, "encoding": {"x": {**x, "field": "middle"}, **ends}},
        labels,
    ]
    said = "; ".join(f"{fact_name(d.path)} from {short_usd(d.npv_at_low_usd)} to {short_usd(d.npv_at_high_usd)}" for d in found)
    told = (f"NPV of {label}, {short_usd(middle)} at the central values, by fact: {said}." if found else
            "Nothing uncertain moves the NPV.")
    return spec("What moves the answer", told, height=ROW * max(len(found), 1), layer=layer, data={"values": rows})


def worth(comparison: Comparison) -> Spec:
    """What the result of each experiment is worth on average, and what it costs, USD: the highest net value first."""
    c = comparison
    worthy = [e for e in c.experiments if worth_of(e) >= 1.0]
    found = (worthy or list(c.experiments[:3]))[:EXPERIMENTS]  # where none is worth anything, the first few
    rows: list[Spec] = [
        {"measure": measure, "usd": cents(x), "y": k + at, "label": f"{measure} {usd(x)}"}
        for k, e in enumerate(found) for measure, x, at in (("costs", e.cost_usd, FIRST), ("worth", worth_of(e), SECOND))
    ]
    most = max((row["usd"] for row in rows), default=1.0)
    x = {"field": "usd", "type": "quantitative", "title": "cost, and what the result is worth on average, USD",
         "axis": money_axis([most], tickCount=4), "scale": {"domain": [0, 1.5 * max(most, 1.0)], "nice": False}}
    look = {"color": {"field": "measure", "type": "nominal", "legend": None,
                      "scale": {"domain": ["costs", "worth"], "range": "diverging"}}}
    names = [shortened(_name(c, e), LABEL) for e in found]
    said = "; ".join(f"{_name(c, e)}: costs {usd(e.cost_usd)}, worth {usd(worth_of(e))}" for e in found)
    told = f"Value of measuring. {said}." if found else "No experiment was valued: there are no draws."
    return pairs("What measuring is worth", told, rows, names, x, look)


def worth_of(e: Experiment) -> float:
    """What the result is worth on average, USD, before the recommendation or after it, whichever is more."""
    return max(e.worth_usd, e.first_net_usd + e.cost_usd, 0.0)


def _name(c: Comparison, e: Experiment) -> str:
    """What the experiment does, and on how many items."""
    told = experiment_name(c.case, e.kind, e.option, e.fact, paired=e.paired)
    return printable(told + (f", {number_of(e.items, 'item')}" if e.kind == "evaluate" and e.items else ""))
