"""`roi quality --html`: scores and differences, and how sure they are."""

from collections.abc import Sequence

from roi.answers.quality import QualityAnswer
from roi.quality.measured import Measured
from roi.report.charts.style import Spec, rows_of, spec
from roi.report.layout.blocks import printable
from roi.report.layout.wording import from_to, percent
from roi.report.page.parts import Page, Picture, told
from roi.report.quality.quality import quality_blocks
from roi.units import formatted

EDGE = 10
"""Pixels at the least between an end of an interval and the edge of the picture."""
ROW, MIDDLE, LINE = 42, 0.72, 0.48
"""Pixels of a row; where its interval lies and a dashed line begins, as shares of the row."""


def quality_page(answer: QualityAnswer) -> Page:
    """The report as a page."""
    measured = answer.measured
    bar = "" if measured.bar is None else " Dashed: the bar."
    pictures = {
        "Score of each system": [Picture(scores(measured), f"Dot: share right. Line: 90% interval.{bar}")],
        f"Against {measured.incumbent}, on the same items": [] if not measured.differences else [Picture(
            differences(measured), "Dot: difference in points of 100. Line: 90% interval. Dashed: no difference,"
                                   " and the margin.")],
    }
    return told(quality_blocks(answer), pictures)


def scores(measured: Measured) -> Spec:
    """Share right of each system with its 90% interval; a dashed line at the bar."""
    found = measured.scores
    rows = [_row(k, each.system, each.seen.share, *each.seen.interval) for k, each in enumerate(found)]
    labels = [f"{row['system']}: {percent(row['share'])} ({from_to(percent(row['low']), percent(row['high']))})"
              for row in rows]
    lines = [] if measured.bar is None else [{"at": measured.bar}]
    bar = "" if measured.bar is None else f" Bar: {percent(measured.bar)}."
    said = f"Score with 90% interval. {'; '.join(labels)}.{bar}"
    return _intervals("Score of each system", said, rows, labels, lines, "share right, 90% interval", ".0%")


def differences(measured: Measured) -> Spec:
    """Each system's score less the incumbent's on the same items, points of 100; dashed lines at 0 and at the margin."""
    found = measured.differences
    rows = [_row(k, each.system, *(100 * part for part in each.on_pairs)) for k, each in enumerate(found)]
    told = [[formatted(row[end], "+.1f") for end in ("share", "low", "high")] for row in rows]
    labels = [f"{row['system']}: {share} ({from_to(low, high)})" for row, (share, low, high) in zip(rows, told, strict=True)]
    said = (f"Difference to {measured.incumbent} in points of 100, 90% interval. {'; '.join(labels)}. Margin:"
            f" {formatted(-100 * measured.margin, '+.1f')}.")
    return _intervals(f"Against {measured.incumbent}, on the same items", said, rows, labels,
                      [{"at": 0.0}, {"at": -100 * measured.margin}], f"points against {measured.incumbent}", "+~f")


def _intervals(
    title: str, said: str, rows: Sequence[Spec], labels: Sequence[str], lines: Sequence[Spec], axis: str, form: str,
) -> Spec:
    """A dot in an interval for each row, over dashed lines."""
    y, names = rows_of(labels)
    x = {"field": "share", "type": "quantitative", "title": axis, "scale": {"zero": False, "padding": EDGE},
         "axis": {"format": form, "tickCount": 6, "labelExpr": "replace(datum.label, /^[+]0$/, '0')"}}
    colour = {"color": {"datum": "score", "type": "nominal", "legend": None, "scale": {"domain": ["", "score"]}}}
    told = [{"field": "system"}, *({"field": name, "format": form.replace(".0%", ".1%")} for name in ("share", "low", "high"))]
    return spec(title, said, height=ROW * max(len(rows), 1), layer=[
        {"data": {"values": [{**line, "y": k + LINE, "to": k + 1} for k in range(len(rows)) for line in lines]},
         "mark": {"type": "rule", "strokeDash": [5, 4]},
         "encoding": {"x": {**x, "field": "at"}, "y": y, "y2": {"field": "to"}}},
        {"data": {"values": list(rows)}, "mark": {"type": "rule", "strokeWidth": 3}, "encoding": {
            "x": {**x, "field": "low"}, "x2": {"field": "high"}, "y": y, **colour, "tooltip": told}},
        {"data": {"values": list(rows)}, "mark": {"type": "point", "filled": True, "size": 110, "opacity": 1}, "encoding": {
            "x": x, "y": y, **colour, "tooltip": told}},
        names,
    ])


def _row(k: int, system: str, share: float, low: float, high: float) -> Spec:
    ends = {name: round(float(x), 5) for name, x in (("share", share), ("low", low), ("high", high))}
    return {"system": printable(system), "y": k + MIDDLE, **ends}
