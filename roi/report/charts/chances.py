"""How sure: the distribution of each option's NPV, and in how many draws it is the best or beats staying."""

import numpy as np

from roi.economics.decision.comparison import Comparison
from roi.economics.decision.recommendation import chance
from roi.economics.inputs import Array
from roi.economics.outlook import Outlook
from roi.report.charts.savings import outlook_of
from roi.report.charts.style import (
    FIRST,
    SECOND,
    Spec,
    by_option,
    cents,
    money_axis,
    names_of,
    options_of,
    pairs,
    rows_of,
    spec,
)
from roi.report.comparison.option_figures import counted, npv_of
from roi.report.layout.wording import chance as share
from roi.report.layout.wording import from_to, short_usd

BINS = 60
ENDS = (0.005, 0.995)
"""Percentiles of all draws between which the distributions are shown."""
TALL, FLOOR = 0.5, 0.9
"""Height of the highest bar of a row, and where its bars stand, as shares of the row."""
NPV_ROW = 62
"""Pixels of a row."""
MEASURES = ("best", "beats staying")
LIGHT = 0.55
"""Opacity of the second one."""


def npv(comparison: Comparison, outlook: Outlook | None = None) -> Spec:
    """Distribution of each option's NPV against staying over the draws, USD; a line from P10 to P90, a dot at the mean."""
    c, outlook = comparison, outlook or outlook_of(comparison)
    names, found = names_of(c), [o for o in options_of(c) if o.id != "stay"]
    bars, spans, labels = list[Spec](), list[Spec](), list[str]()
    if outlook.draws:
        pooled = np.concatenate([outlook.npv[o.id] for o in found] or [np.zeros(1)])
        low, high = (float(np.quantile(pooled, q)) for q in ENDS)
        edges = np.linspace(min(low, 0.0), max(high, 0.0, low + 1.0), BINS + 1)
        bars = [row for k, o in enumerate(found) for row in _bars(k, names[o.id], outlook.npv[o.id], edges)]
    for k, o in enumerate(found):
        mean, spread = npv_of(c, o)
        ends = dict(zip(("p10", "p50", "p90"), map(cents, spread or ()), strict=False))
        spans.append({"option": names[o.id], "y": k + FLOOR, "zero": 0, "top": k + FLOOR - TALL, "mean": cents(mean), **ends})
        told = f" ({from_to(short_usd(spread[0]), short_usd(spread[2]))})" if spread else ""
        labels.append(f"{names[o.id]}: {short_usd(mean)}{told}")
    x = {"field": "mean", "type": "quantitative", "title": f"NPV against staying, {counted(c)}, USD",
         "axis": money_axis([v for row in spans for v in (row["mean"], row.get("p10"), row.get("p90"))], tickCount=5)}
    y, label_layer = rows_of(labels)
    top, colour = {"y": y, "y2": {"field": "top"}}, by_option(c)
    told_of = [{"field": "option", "title": "option"},
               *({"field": name, "title": f"{title}, USD", "format": "$,.0f"}
                 for name, title in (("mean", "mean"), ("p10", "P10"), ("p50", "P50"), ("p90", "P90")))]
    told_in = [told_of[0], {"field": "from", "title": "from, USD", "format": "$,.0f"},
               {"field": "to", "title": "to, USD", "format": "$,.0f"},
               {"field": "share", "title": "share of the draws", "format": ".1%"}]
    layer = [
        {"data": {"values": bars}, "mark": {"type": "rect", "opacity": 0.45}, "encoding": {
            "x": {**x, "field": "from"}, "x2": {"field": "to"}, **top, "color": colour, "tooltip": told_in}},
        {"data": {"values": spans}, "mark": {"type": "rule", "strokeDash": [3, 3]},
         "encoding": {"x": {**x, "field": "zero"}, **top}},
        {"data": {"values": spans}, "mark": {"type": "rule", "strokeWidth": 3}, "encoding": {
            "x": {**x, "field": "p10"}, "x2": {"field": "p90"}, "y": y, "color": colour, "tooltip": told_of}},
        {"data": {"values": spans}, "mark": {"type": "point", "filled": True, "size": 90, "opacity": 1}, "encoding": {
            "x": x, "y": y, "color": colour, "tooltip": told_of}},
        label_layer,
    ]
    said = f"Distribution of NPV against staying over {outlook.draws:,} draws, mean and P10 to P90. {'; '.join(labels)}."
    return spec("How far the NPV may lie off", said, height=NPV_ROW * max(len(found), 1), layer=layer)


def _bars(k: int, name: str, drawn: Array, edges: Array) -> list[Spec]:
    """The histogram of row `k`; its highest bar is as high as that of every other row."""
    counts, _ = np.histogram(drawn, bins=edges)
    most = max(int(counts.max()), 1)
    return [{"option": name, "from": cents(edges[j]), "to": cents(edges[j + 1]), "y": k + FLOOR,
             "top": round(k + FLOOR - TALL * float(n / most), 4), "share": round(float(n / drawn.size), 5)}
            for j, n in enumerate(counts) if n]


def probability_best(comparison: Comparison) -> Spec:
    """Share of the draws in which each option saves most of all that may be recommended, and in which it beats staying."""
    c, names = comparison, names_of(comparison)
    rows, labels, told = list[Spec](), list[str](), list[str]()
    for o in options_of(c):
        best, beats = o.probability_best, chance(o, c.verdict.counts)
        if best is None and beats is None:
            continue
        rows += [{"option": names[o.id], "measure": name, "share": p, "y": len(labels) + at, "shade": shade,
                  "label": f"{name} {share(p)}"}
                 for name, p, at, shade in zip(MEASURES, (best, beats), (FIRST, SECOND), (1.0, LIGHT), strict=True)
                 if p is not None]
        labels.append(names[o.id] + ("" if o.tested else " (not tested)"))
        told.append(f"{labels[-1]} best in {share(best)}" + ("" if beats is None else f", beats staying in {share(beats)}"))
    x = {"field": "share", "type": "quantitative", "title": "share of the draws", "scale": {"domain": [0, 1.65], "nice": False},
         "axis": {"format": ".0%", "values": [0, 0.25, 0.5, 0.75, 1]}}
    look = {"color": by_option(c), "opacity": {"field": "shade", "type": "quantitative", "legend": None, "scale": None}}
    said = f"Share of the draws: {'; '.join(told)}." if told else "There are no draws."
    return pairs("Which option is best, and how often", said, rows, labels, x, look)
