"""What all pictures share: colours that a colour-blind reader can tell apart, axes of money, and names for each option."""

from collections.abc import Iterable, Sequence
from typing import Any

from roi.economics.decision.comparison import Comparison
from roi.economics.decision.option_result import OptionResult
from roi.report.comparison.screen import best_rows
from roi.report.layout.blocks import printable, shortened

Spec = dict[str, Any]  # Any: plain JSON values

SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
MOST = 6
"""Options in a picture: those of the first screen."""
NAME = 44
"""Characters of a name that are shown."""
ROW, PAIR = 46, 64
"""Pixels of a row that has its name above its bar, or above two."""
FIRST, SECOND, BAR = 0.5, 0.79, 0.12
"""Where the two bars of a row lie, and half their height, as shares of the row."""
THIN, THICK = 0.47, 0.9
"""Where the one bar of a row begins and ends."""

OPTIONS = ("#6b7280", "#0072b2", "#c2500a", "#00805c", "#9c4f86", "#8a6d00", "#2a8fc0", "#b5476b")
"""Staying, then the options from the best on; each at least 3:1 against white. After Okabe and Ito, darkened for paper."""
DARK_OPTIONS = ("#9aa3af", "#56a9e8", "#ff8f57", "#2fc79a", "#dc8fc6", "#d9b640", "#8fd4f7", "#f08aa8")
LINES = ("#3d6fb4", "#cf7526", "#2d8a6b", "#a3789c", "#a58a1f", "#7a5c45", "#4a94b8", "#5d6470", "#c0504d")
"""Kinds of cost, in the order of `spending.KINDS_OF_COST`."""
DARK_LINES = ("#6b9be0", "#f0a45c", "#4cba94", "#c99bc1", "#d9bf55", "#b08f75", "#86c8e6", "#9aa3af", "#e27d79")
ENDS = ("#c2500a", "#0072b2", "#6b7280")
"""The low end of a fact and its high one; cost and worth; what is not known."""
DARK_ENDS = ("#ff8f57", "#56a9e8", "#9aa3af")
INK, FAINT, GRID = "#1f2933", "#52606d", "#d9dee4"

DASHES = ((1, 0), (1, 0), (7, 4), (2, 3), (9, 3, 2, 3), (4, 4), (12, 4), (1, 4))
"""Strokes of their lines: of two that coincide both are seen, also without colour."""

CONFIG: Spec = {
    "font": "system-ui, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif",
    "background": "#ffffff",
    "view": {"stroke": None},
    "range": {"category": list(OPTIONS), "ordinal": list(LINES), "diverging": list(ENDS)},
    "axis": {
        "labelColor": FAINT, "titleColor": FAINT, "domainColor": GRID, "tickColor": GRID, "gridColor": GRID,
        "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal", "titlePadding": 8, "labelOverlap": "greedy",
        "labelFlush": True,
    },
    "legend": {
        "labelColor": INK, "titleColor": FAINT, "labelFontSize": 12, "labelLimit": 300, "orient": "top",
        "direction": "vertical", "title": None, "symbolSize": 90, "padding": 0, "offset": 10, "columns": 2,
    },
    "title": {"anchor": "start", "color": INK, "fontSize": 14, "offset": 12},
    "mark": {"color": OPTIONS[1]},
    "text": {"color": INK, "fontSize": 12},
    "rule": {"color": FAINT},
    "tick": {"color": FAINT},
}
"""The look on white; a page with a dark theme lays its own colours over it."""
FRAME: Spec = {"$schema": SCHEMA, "width": "container", "autosize": {"type": "fit-x", "contains": "padding"}, "config": CONFIG}
"""What every picture begins with: it is as wide as what holds it."""


def spec(title: str, description: str, *, height: int, layer: Sequence[Spec], **more: object) -> Spec:
    """A picture as wide as what holds it, made of layers."""
    return {**FRAME, "title": printable(title), "description": printable(description), "height": height, "layer": list(layer),
            **more}


def options_of(c: Comparison) -> list[OptionResult]:
    """The options of a picture, staying first, then the leader and the best by what the verdict ranks by."""
    return sorted(best_rows(c, MOST), key=lambda o: o.id != "stay")


def names_of(c: Comparison) -> dict[str, str]:
    """What each option of a picture is called, by id; no two alike."""
    names: dict[str, str] = {}
    for o in options_of(c):
        name = shortened(printable(f"stay: {o.label}" if o.id == "stay" else o.label), NAME)
        names[o.id] = name if name not in names.values() else shortened(printable(o.id), NAME)
    return names


def by_option(c: Comparison, legend: Iterable[str] | None = None, dashed: bool = False) -> Spec:
    """The colour of each option, or its dashes; a legend of the options with these ids, or none."""
    names = names_of(c)
    strokes = {"range": [list(dash) for dash in DASHES]} if dashed else {}
    return {"field": "option", "type": "nominal", "scale": {"domain": list(names.values()), **strokes},
            "legend": None if legend is None else {
                "values": [names[id] for id in legend], "symbolType": "stroke", "symbolOpacity": 1, "symbolStrokeWidth": 2.5,
                "symbolSize": 300}}


def own_colours(field: str, names: Sequence[str]) -> Spec:
    """The colour of each name, from the second on: the first is that of staying."""
    return {"field": field, "type": "nominal", "scale": {"domain": ["", *names]}, "legend": {"values": list(names)}}


def money_axis(amounts: Iterable[float | None], **more: object) -> Spec:
    """An axis of USD: thousands with commas, millions from 10 million on."""
    most = max((abs(x) for x in amounts if x is not None), default=0.0)
    size, unit = next(((s, u) for s, u in ((1e13, "tn"), (1e10, "bn"), (1e7, "M")) if most >= s), (1.0, ""))
    if unit:
        size /= 10.0
        return {"labelExpr": f"format(datum.value / {size:.0f}, '$,~f') + '{unit}'", **more}
    return {"format": "$,.0f" if most >= 10 else "$,.2f", **more}


def cents(x: float) -> float:
    """The amount to the cent, as it stands in the data of a picture."""
    return round(float(x), 2)


def rows_of(labels: Sequence[str]) -> tuple[Spec, Spec]:
    """Rows from top to bottom: the channel y, on which row k is k to k + 1, and the layer of labels at their top left."""
    y = {"field": "y", "type": "quantitative", "axis": None, "scale": {"domain": [max(len(labels), 1), 0], "nice": False}}
    values = [{"y": k, "label": printable(label)} for k, label in enumerate(labels)]
    return y, {
        "data": {"values": values},
        "mark": {"type": "text", "align": "left", "baseline": "top", "dy": 5, "limit": {"expr": "width"}, "aria": False},
        "encoding": {"x": {"value": 0}, "y": y, "text": {"field": "label"}},
    }


def pairs(title: str, said: str, rows: Sequence[Spec], labels: Sequence[str], x: Spec, look: Spec) -> Spec:
    """Two bars a row: `rows` hold the place `y` of each bar, and `label`, which is written at its end."""
    y, names = rows_of(labels)
    bars = [{**row, "from": 0, "top": row["y"] - BAR, "bottom": row["y"] + BAR} for row in rows]
    told = [{"field": "label", "title": title}]
    return spec(title, said, height=PAIR * max(len(labels), 1), layer=[
        {"data": {"values": bars}, "mark": {"type": "rect"}, "encoding": {
            "x": {**x, "field": "from"}, "x2": {"field": x["field"]}, "y": {**y, "field": "top"}, "y2": {"field": "bottom"},
            **look, "tooltip": told}},
        {"data": {"values": bars}, "mark": {"type": "text", "align": "left", "dx": 6, "baseline": "middle", "aria": False},
         "encoding": {"x": x, "y": y, "text": {"field": "label"}}},
        names,
    ])
