"""`roi size --html`: the plan to rent, what it does over a day, and every fleet that was replayed."""

from roi.answers.size import Sizing
from roi.report.charts.size_charts import day_of_load, rent_against_latency
from roi.report.layout.blocks import Heading, Title
from roi.report.page.parts import Page, Picture, told
from roi.report.serving.size import size_blocks


def size_page(sizing: Sizing, *, version: str) -> Page:
    """The report as a page."""
    more = [block for block in size_blocks(sizing, full=True) if not isinstance(block, Title)]
    day = day_of_load(sizing)
    pictures = {
        "Rent against latency": [Picture(rent_against_latency(sizing), "Circle: the SLO holds at the peak; cross: it is broken."
                                         " Dashed: fleets that no cheaper one beats. Ring: what the cheapest plan needs.")],
        "A day's load": [] if day is None else [Picture(day, "Dashed: what the fleet holds at the SLO, nothing kept free.")],
    }
    return told((*size_blocks(sizing, full=False), Heading("All that is known"), *more), f"roi {version}.", pictures)
