"""`roi fit --html`: the card to rent, what fills its memory, and a step from end to end where it was run dry."""

from roi.answers.fit import FitReport
from roi.report.charts.fit_charts import parts_at_peak, room_of_cards, timeline
from roi.report.layout.blocks import Heading, Title, Verbatim
from roi.report.page.parts import Page, Picture, told
from roi.report.training.fit import fit_blocks


def fit_page(report: FitReport, *, version: str) -> Page:
    """The report as a page."""
    dry = report.dry_run
    left_out = (Title,) if dry is None else (Title, Verbatim)  # the figure made of characters gives way to a picture
    more = [block for block in fit_blocks(report, full=True) if not isinstance(block, left_out)]
    pictures = {
        "What each card needs and has": [Picture(room_of_cards(report), "Bar: peak of the process; thin line: its 5th to 95th"
                                                 " percentile; thick line: the card's memory.")],
        "What fills the memory at the peak": [Picture(parts_at_peak(report), "The parts sum to the memory of the process.")],
        "One training step from end to end": [] if dry is None else [
            Picture(timeline(dry), "Memory that tensors hold, as the dry run of this step allocated and freed it.")],
    }
    return told((*fit_blocks(report, full=False), Heading("All that is known"), *more), f"roi {version}.", pictures)
