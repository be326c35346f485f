"""`roi usage --html`: what was spent, by day and model, and the workload that it settles."""

from collections.abc import Sequence

from roi.answers.usage import Task
from roi.report.charts.usage_charts import spend_by_day
from roi.report.layout.blocks import Verbatim
from roi.report.page.parts import Page, Picture, told
from roi.report.usage.spend_report import usage_blocks
from roi.usage.summary import Usage


def usage_page(found: Usage, tasks: Sequence[Task], *, version: str) -> Page:
    """The report as a page; the chart made of characters gives way to a picture."""
    picture = spend_by_day(found)
    blocks = [block for block in usage_blocks(found, tasks) if picture is None or not isinstance(block, Verbatim)]
    note = "What the source reports that it cost, else the list price of that day. Days that are not whole are in it."
    pictures = {} if picture is None else {"Spend by day and model": [Picture(picture, note)]}
    return told(blocks, f"roi {version}.", pictures, "What was read")
