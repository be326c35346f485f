"""`roi quality --html`: scores and differences, and how sure they are."""

from roi.answers.quality import QualityAnswer
from roi.report.charts.quality_charts import differences, scores
from roi.report.page.parts import Page, Picture, told
from roi.report.quality import quality_blocks


def quality_page(answer: QualityAnswer, *, version: str) -> Page:
    """The report as a page."""
    measured = answer.measured
    bar = "" if measured.bar is None else " Dashed: the bar."
    pictures = {
        "Score of each system": [Picture(scores(measured), f"Dot: share right. Line: 90% interval.{bar}")],
        f"Against {measured.incumbent}, on the same items": [] if not measured.differences else [Picture(
            differences(measured), "Dot: difference in points of 100. Line: 90% interval. Dashed: none, and the margin.")],
    }
    return told(quality_blocks(answer), f"roi {version}.", pictures, "What was read")
