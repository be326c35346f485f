"""`roi track --html`: the months after a decision, and a picture of their cash."""

from roi.answers.track import TrackAnswer
from roi.report.charts.track_charts import cash_by_month
from roi.report.page.parts import Page, Picture, told
from roi.report.track import track_blocks


def track_page(answer: TrackAnswer, *, version: str) -> Page:
    """The report as a page."""
    note = "Line: 90% band of the forecast, tick: its centre, dot: what came."
    pictures = {"Cash by month": [Picture(cash_by_month(answer), note)]}
    return told(track_blocks(answer, full=True), f"roi {version}.", pictures, "The answer")
