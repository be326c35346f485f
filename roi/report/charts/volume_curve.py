"""Break-even as a curve over volume: between two steps of a fleet a request becomes cheaper, and at each step dearer again."""

import math

from roi.economics.decision.comparison import Comparison
from roi.economics.decision.turning.curves import LEAST, MOST
from roi.economics.outlook import CostCurve, costs_along
from roi.report.charts.style import Spec, by_option, names_of, options_of, spec
from roi.report.comparison.option_figures import called, counted
from roi.report.comparison.second_look import self_hosting_of
from roi.report.comparison.thresholds import over_the_horizon
from roi.report.layout.wording import case_number, figure, requests

AROUND, WIDEST = 4.0, 300.0
"""Times a volume that a curve goes on beyond what must be seen, and times today's volume that it goes at most."""
ABOVE = 24
"""Pixels between the picture and its legend: today's volume stands there."""
TALLEST = 2.5
"""Times what staying costs today up to which a curve is shown."""


def break_even(comparison: Comparison) -> Spec:
    """Cost of 1,000 requests by volume (logarithmic), present value over the horizon; today's volume and the break-evens."""
    c, names, found = comparison, names_of(comparison), options_of(comparison)
    today = max(case_number(c.case, "workload.requests_per_day"), LEAST)
    at, first = crossings(c), crossings_told(c)
    near = [today, *(v for v in (*at.values(), *first.values()) if today / WIDEST < v < today * WIDEST)]
    low, high = max(min(near) / AROUND, LEAST), min(max(*near, today * AROUND) * AROUND, MOST)
    curves = costs_along(c.case, [o.id for o in found], low, high, c.verdict.counts)
    tallest = TALLEST * _at(curves["stay"], today)
    rows = [{"option": names[id], "volume": _round(v), "usd": _round(y) if y <= 2.0 * tallest else None}
            for id, curve in curves.items() for v, y in zip(curve.requests_per_day, curve.usd_per_1000_requests, strict=True)]
    crossed = [{"option": names[id], "volume": _round(v), "usd": _round(_at(curves[id], v))}
               for id, v in at.items() if id in curves and low <= v <= high and _at(curves[id], v) <= tallest]
    own = self_hosting_of(c)
    told_at = [{"option": names[own.id], "volume": _round(v), "usd": _round(_at(curves[own.id], v)), "label": requests(v)}
               for v in first.values() if own is not None and own.id in curves and v not in at.values() and low <= v <= high]
    tens = [10.0**k for k in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1) if low <= 10.0**k <= high]
    x = {"field": "volume", "type": "quantitative", "title": "requests a day (logarithmic)",
         "scale": {"type": "log", "domain": [low, high], "nice": False},
         "axis": {"format": ",.0f", "values": tens, "grid": False}}
    y = {"field": "usd", "type": "quantitative", "title": f"cost of 1,000 requests, USD, {counted(c)}",
         "scale": {"domain": [0, _round(tallest)], "nice": False}, "axis": {"format": "$,.4~r", "tickCount": 6}}
    shown = [o.id for o in found]
    colour, dash = by_option(c, shown), by_option(c, shown, dashed=True)
    for channel in (colour, dash):
        channel["legend"]["offset"] = ABOVE
    told = [{"field": "option", "title": "option"}, {"field": "volume", "title": "requests a day", "format": ",.0f"},
            {"field": "usd", "title": "USD for 1,000 requests", "format": "$,.3~r"}]
    now = {"data": {"values": [{"volume": today, "label": f"today {figure(today)}"}]}}
    layer: list[Spec] = [
        {**now, "mark": {"type": "rule", "strokeDash": [5, 4]}, "encoding": {"x": x}},
        {**now, "mark": {"type": "text", "baseline": "bottom"},
         "encoding": {"x": x, "y": {"value": -4}, "text": {"field": "label"}}},
        {"mark": {"type": "line", "strokeWidth": 2, "strokeJoin": "round", "clip": True},
         "encoding": {"x": x, "y": y, "color": colour, "strokeDash": dash}},
        {"data": {"values": crossed}, "mark": {"type": "point", "filled": True, "size": 110, "opacity": 1},
         "encoding": {"x": x, "y": y, "color": colour, "tooltip": told}},
        *([
            {"data": {"values": told_at},
             "mark": {"type": "point", "shape": "diamond", "filled": True, "size": 160, "opacity": 1},
             "encoding": {"x": x, "y": y, "color": colour, "tooltip": told}},
            {"data": {"values": told_at}, "mark": {"type": "text", "dy": 20, "aria": False},
             "encoding": {"x": x, "y": y, "text": {"field": "label"}}},
        ] if told_at else ()),
    ]
    return spec("Cost of a request by volume: where each option breaks even", _said(c, at, today), height=360, layer=layer,
                data={"values": rows})


def crossings(c: Comparison) -> dict[str, float]:
    """From how many requests a day on each option costs less than staying for good, by id; those that a volume turns."""
    return {b.option: b.stays for b in c.break_even if b.stays is not None and b.stays > LEAST
            and (b.baseline, b.basis, b.counts) == ("stay", "pv", c.verdict.counts)}


def crossings_told(c: Comparison) -> dict[str, float]:
    """From how many requests a day on the answer says that the self-hosted option beats what is advised, or staying, by id."""
    o, baselines = self_hosting_of(c), ("stay",) if c.verdict.leader == "stay" else ("recommended", "stay")
    found = [] if o is None else [b for baseline in baselines for b in over_the_horizon(c, o.id, baseline)]
    return {c.verdict.leader if b.baseline == "recommended" else b.baseline: b.first
            for b in found if b.first is not None and b.first > LEAST}


def _at(curve: CostCurve, volume: float) -> float:
    """Cost at the volume of the curve that lies nearest."""
    k = min(range(curve.requests_per_day.size), key=lambda k: abs(curve.requests_per_day[k] - volume))
    return float(curve.usd_per_1000_requests[k])


def _round(x: float) -> float:
    """Seven significant digits: two sides of a step still differ."""
    return float(f"{x:.7g}")


def _said(c: Comparison, at: dict[str, float], today: float) -> str:
    names = names_of(c)
    told = [f"{names[id]} from {requests(v)}" for id, v in at.items() if id in names]
    turned = f" Cheaper than staying for good: {'; '.join(told)} requests a day on." if told else ""
    o, first = self_hosting_of(c), crossings_told(c)
    if o is not None and c.verdict.leader in first:
        turned += f" {o.label} beats {called(c, c.verdict.leader)} from {requests(first[c.verdict.leader])} on."
    return f"Cost of 1,000 requests along the volume, today {figure(today)} a day.{turned}"
