"""`roi validate --html`: predictions against measurements, each row a point."""

from collections.abc import Sequence
from typing import Any

from roi.estimate.accuracy.error_blocks import RowScore
from roi.estimate.accuracy.serving_errors import QUANTITIES, ServingValidation
from roi.estimate.accuracy.training_errors import Validation
from roi.report.charts.look import Spec, own_colours, spec
from roi.report.layout.wording import number_of
from roi.report.page.parts import Page, Part, Picture, told
from roi.report.validate import SCALE, SERVING_UNITS, TITLES, UNITS, serving_validation_blocks, validation_blocks

NOTE = "Each point is a row of the table. On the line prediction and measurement are equal; dashed: a fifth off."
MOST_POINTS = 1500
"""Points of a picture; where there are more, every so many."""
SHOWN = 6
"""Sources that have a colour of their own."""
OTHER = "other sources"


def validation_page(found: Validation | ServingValidation, instrument: str, speed_model: str, *, version: str) -> Page:
    """The report as a page, of training runs or of serving runs."""
    pictures: dict[str, list[Part]] = {}
    if isinstance(found, ServingValidation):
        blocks = serving_validation_blocks(found)
        for serving in QUANTITIES:
            scores = [score for score in found.scores if score.quantity == serving]
            if scores:
                unit = "as the row states it" if serving == "throughput" else SERVING_UNITS[serving]
                pictures[f"{TITLES[serving]}, predicted against measured"] = [Picture(predicted_against_measured(
                    scores, f"{TITLES[serving]}, predicted against measured", unit, SCALE[serving]), NOTE)]
    else:
        blocks = validation_blocks(found, instrument, speed_model)
        for quantity, unit in UNITS.items():
            runs = [score for score in found.scores if score.quantity == quantity]
            if runs:
                title = f"{quantity.capitalize()}, predicted against measured"
                pictures[title] = [Picture(predicted_against_measured(runs, title, unit, SCALE[quantity]), NOTE)]
    return told(blocks, f"roi {version}.", pictures)


def predicted_against_measured(
    scores: Sequence[RowScore[Any, Any]], title: str, unit: str, scale: float,  # Any: labels of either kind of table
) -> Spec:
    """Each row's prediction over its measurement, both logarithmic; on the line they are equal, dashed: a fifth off."""
    kept = [score for score in scores if score.measured > 0 and score.predicted > 0]
    step = max(-(-len(kept) // MOST_POINTS), 1)
    counts: dict[str, int] = {}
    for score in kept:
        counts[score.label.source] = counts.get(score.label.source, 0) + 1
    first = sorted(counts, key=lambda name: (-counts[name], name))[:SHOWN]
    rows = [{"id": score.label.id, "source": score.label.source if score.label.source in first else OTHER,
             "measured": _round(score.measured * scale), "predicted": _round(score.predicted * scale),
             "error": round(score.error, 1)} for score in kept[::step]]
    ends = [x for row in rows for x in (row["measured"], row["predicted"])] or [1.0, 10.0]
    low, high = min(ends) / 1.2, max(ends) * 1.2
    line = [{"a": x, "b": x, "over": 1.2 * x, "under": x / 1.2} for x in (low, high)]
    log = {"type": "log", "domain": [low, high], "nice": False, "clamp": False}
    x = {"field": "measured", "type": "quantitative", "title": f"measured, {unit} (logarithmic)", "scale": log,
         "axis": {"format": "~s", "tickCount": 6}}
    y = {**x, "field": "predicted", "title": f"predicted, {unit} (logarithmic)"}
    names = [*first, *([OTHER] if len(counts) > SHOWN else [])]

    def ruler(field: str, **mark: object) -> Spec:
        return {"data": {"values": line}, "mark": {"type": "line", "clip": True, **mark},
                "encoding": {"x": {**x, "field": "a"}, "y": {**y, "field": field}}}

    layer = [
        ruler("b"), ruler("over", strokeDash=[4, 4], strokeWidth=1), ruler("under", strokeDash=[4, 4], strokeWidth=1),
        {"mark": {"type": "point", "filled": True, "size": 36, "opacity": 0.6}, "encoding": {
            "x": x, "y": y, "color": own_colours("source", names), "tooltip": [
                {"field": "id", "title": "row"}, {"field": "source"}, {"field": "measured"}, {"field": "predicted"},
                {"field": "error", "title": "error, percent"}]}},
    ]
    errors = sorted(abs(score.error) for score in kept)
    middle = f", median error {errors[len(errors) // 2]:.1f}%" if errors else ""
    more = f" One row in {step} is drawn." if step > 1 else ""
    return spec(title, f"{title}: {number_of(len(kept), 'row')} predicted and measured{middle}.{more}", height=420, layer=layer,
                data={"values": rows})


def _round(x: float) -> float:
    return float(f"{x:.5g}")
