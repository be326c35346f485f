"""What each option costs over the horizon, stacked by kind of cost."""

from collections.abc import Mapping
from typing import Final

from roi.economics.decision.comparison import Comparison
from roi.economics.decision.option_result import OptionResult
from roi.economics.lines.line_kind import MIGRATIONS, UNUSED, LineKind
from roi.report.charts.style import ROW, THICK, THIN, Spec, cents, money_axis, names_of, options_of, rows_of, spec
from roi.report.layout.wording import number_of, short_usd, usd

OWN, WRONG = "your own costs", "wrong answers (no cash)"
KINDS_OF_COST: Final[Mapping[str, frozenset[LineKind]]] = {
    "API": UNUSED | {LineKind.API, LineKind.ESCALATED, LineKind.SPILLED, LineKind.LONG, LineKind.JUDGE,
                     LineKind.PROVISIONED, LineKind.PROVISIONED_LEFT},
    "incumbent, until live": frozenset({LineKind.INCUMBENT}),
    "GPUs and hardware": frozenset({LineKind.RENT, LineKind.RENT_LEFT, LineKind.HARDWARE}),
    "training": frozenset({LineKind.TRAINING, LineKind.RETRAINING}),
    "platform and hosting": frozenset({LineKind.PLATFORM, LineKind.HOSTING}),
    "engineers: set-up and operation": frozenset({LineKind.SET_UP, LineKind.OPERATION}),
    "end of a model": MIGRATIONS,
    OWN: frozenset({LineKind.OWN}),
    WRONG: frozenset({LineKind.ERRORS}),
}
"""Kinds of cost as the picture stacks them, and the kinds of lines in each."""
SHOWN_AS: Final = {line: kind for kind, lines in KINDS_OF_COST.items() for line in lines}
"""The kind of cost of each kind of line."""
CENT = 0.005
"""USD below which a part is nothing."""


def costs_of(o: OptionResult) -> dict[str, float]:
    """USD over the horizon by kind of cost, set-up included, undiscounted; they sum to `tco_usd`."""
    sums = dict.fromkeys(KINDS_OF_COST, 0.0)
    for line in o.lines:
        sums[SHOWN_AS[line.kind]] += line.upfront_usd + sum(line.monthly_usd)
    return sums


def cost_by_line(comparison: Comparison) -> Spec:
    """Cost of each option over the horizon by kind of cost, USD, undiscounted; what is below zero is a credit."""
    c, names = comparison, names_of(comparison)
    found, kinds = options_of(c), list(KINDS_OF_COST)
    term, costs = number_of(len(found[0].monthly_usd), "month"), {o.id: costs_of(o) for o in found}
    rows = [row for k, o in enumerate(found) for row in _parts(k, names[o.id], costs[o.id])]
    y, labels = rows_of([f"{names[o.id]}: {usd(o.tco_usd - costs[o.id][WRONG])} + {usd(costs[o.id][WRONG])} wrong answers"
                         for o in found])
    used = {row["kind"] for row in rows}
    bars = {"data": {"values": rows}, "mark": {"type": "rect"}, "encoding": {
        "x": {"field": "from", "type": "quantitative", "title": f"cost over {term}, set-up included, USD",
              "axis": money_axis([o.tco_usd for o in found], tickCount=5)},
        "x2": {"field": "to"}, "y": {**y, "field": "top"}, "y2": {"field": "bottom"},
        "color": {"field": "kind", "type": "nominal", "scale": {"domain": kinds, "range": "ordinal"},
                  "legend": {"values": [kind for kind in kinds if kind in used]}},
        "tooltip": [{"field": "option", "title": "option"}, {"field": "kind", "title": "cost"},
                    {"field": "usd", "title": "USD", "format": "$,.0f"}]}}
    said = "; ".join(f"{names[o.id]} {short_usd(o.tco_usd)}, most of it {max(kinds, key=lambda kind: costs[o.id][kind])}"
                     for o in found)
    return spec(f"Cost over {term} by kind", f"Cost of each option over {term}, undiscounted: {said}.",
                height=ROW * len(found), layer=[bars, labels])


def _parts(k: int, name: str, costs: Mapping[str, float]) -> list[Spec]:
    """The parts of row `k`: costs to the right of zero, what is below zero to the left."""
    parts, ends = list[Spec](), [0.0, 0.0]
    for kind, amount in costs.items():
        side = int(amount < 0)
        if abs(amount) >= CENT:
            parts.append({"option": name, "kind": kind, "usd": cents(amount), "from": cents(ends[side]),
                          "to": cents(ends[side] + amount), "top": k + THIN, "bottom": k + THICK})
        ends[side] += amount
    return parts
