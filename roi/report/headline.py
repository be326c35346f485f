"""The top of the report: what is decided, the verdict with its reason, the next cheap step, the gates."""

from roi.economics.comparison import Comparison
from roi.economics.gates import FAIL
from roi.report.blocks import Block, Heading, Paragraph, Row, Table, Title
from roi.report.wording import figure, option_label, percent


def headline(c: Comparison) -> list[Block]:
    """Title, frame, verdict, next step."""
    case = c.case
    requests, rate = case["workload.requests_per_day"].value, case["discount_rate_per_year"].value
    assert isinstance(requests, (int, float))
    assert isinstance(rate, (int, float))
    draws = f"{case['draws'].value:,} draws" if case["draws"].value else "no draws"
    frame = (f"as of {case['as_of'].value}; {case['horizon_months'].value} months; {percent(rate)} a year; {draws};"
             f" {figure(requests)} requests a day to {option_label(case, 'stay')}; USD before tax")
    return [
        Title(str(case["title"].value)), Paragraph(frame), Heading("Verdict"), Paragraph(c.verdict.sentence, strong=True),
        Paragraph(f"Next step: {c.verdict.next_step}"),
    ]


def gates(c: Comparison) -> list[Block]:
    """The gates with pass, fail or unknown."""
    rows = tuple(
        Row((g.status, g.question + ("; rules training out" if g.blocks else "")), strong=g.status == FAIL) for g in c.gates)
    return [Heading("Gates: can the task be trained at all?"), Table(("answer", "question"), rows, left=2)]
