"""`roi track --html`: the months after a decision, and a picture of their cash."""

from roi.answers.track import TrackAnswer
from roi.economics.tracking.predictive_bands import CASH, QUANTITIES
from roi.report.charts.style import ENDS, Spec, cents, money_axis, spec
from roi.report.layout.wording import from_to, usd
from roi.report.page.parts import Page, Picture, told
from roi.report.track import track_blocks

INSIDE, OUTSIDE, UNTOLD = "inside its band", "outside its band", "as forecast, nothing tells it"


def track_page(answer: TrackAnswer) -> Page:
    """The report as a page."""
    note = "Line: 90% band of the forecast, tick: its centre, dot: what came."
    pictures = {"Cash by month": [Picture(cash_by_month(answer), note)]}
    return told(track_blocks(answer, full=True), pictures)


def cash_by_month(a: TrackAnswer) -> Spec:
    """What each month cost: a line from the 5th to the 95th percentile, a tick at the forecast, a dot at what came."""
    band, q = a.forecast.bands[CASH], QUANTITIES.index(CASH)
    rows: list[Spec] = [
        {"month": month.month, "came": cents(a.came[CASH][k]), "forecast": cents(band.central[k]), "low": cents(band.low[k]),
         "high": cents(band.high[k]), "as": UNTOLD if not a.judged[q, k] else INSIDE if a.inside[q, k] else OUTSIDE}
        for k, month in enumerate(a.months)
    ]
    axis = money_axis(row["high"] for row in rows)
    y = {"type": "quantitative", "title": "USD a month", "axis": axis, "scale": {"zero": True}}
    shown = {"x": {"field": "month", "type": "ordinal", "title": None, "axis": {"labelAngle": 0, "grid": False}},
             "tooltip": [{"field": "month"}, *({"field": name, "format": "$,.2f"}
                                               for name in ("came", "forecast", "low", "high"))]}
    colour = {"field": "as", "type": "nominal",
              "scale": {"domain": [INSIDE, OUTSIDE, UNTOLD], "range": [ENDS[1], ENDS[0], ENDS[2]]}}
    said = "; ".join(
        f"{row['month']}: {usd(row['came'])}, {row['as']} ({from_to(usd(row['low']), usd(row['high']))})" for row in rows)
    layer: list[Spec] = [
        {"mark": {"type": "rule", "strokeWidth": 5, "opacity": 0.45},
         "encoding": {**shown, "y": {**y, "field": "low"}, "y2": {"field": "high"}}},
        {"mark": {"type": "tick", "thickness": 2, "width": 16}, "encoding": {**shown, "y": {**y, "field": "forecast"}}},
        {"mark": {"type": "point", "filled": True, "size": 90, "opacity": 1},
         "encoding": {**shown, "y": {**y, "field": "came"}, "color": colour}},
    ]
    return spec("Cash by month", f"Cash of each month against its 90% band. {said}.", height=280, data={"values": rows},
                layer=layer)
