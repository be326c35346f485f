"""`roi validate --html`: predictions against measurements, each row a point."""

from roi.estimate.accuracy.serving_errors import QUANTITIES, ServingValidation
from roi.estimate.accuracy.training_errors import Validation
from roi.report.charts.validation_charts import predicted_against_measured
from roi.report.page.parts import Page, Part, Picture, told
from roi.report.validate import SCALE, SERVING_UNITS, TITLES, UNITS, serving_validation_blocks, validation_blocks

NOTE = "Each point is a row of the table. On the line prediction and measurement are equal; dashed: a fifth off."


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
