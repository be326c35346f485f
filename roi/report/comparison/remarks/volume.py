"""Remarks on a volume that is soon another: growth, and steps that come at once."""

from itertools import count, takewhile

from roi.economics.decision.comparison import Comparison
from roi.economics.lines.line import far_volume
from roi.economics.reading import read_shared
from roi.report.layout.wording import case_number, figure

STEPS = "workload.steps"


def moved_volume(c: Comparison) -> list[str]:
    """That requests will be twice today's or half of them, so that the volumes that are told are not those of later months."""
    far = far_volume(read_shared(c.case.values()))
    if far is None:
        return []
    why = ", ".join(path for path, moves in ((STEPS, bool(steps(c))), (
        "growth_per_year", case_number(c.case, "workload.growth_per_year") != 0.0)) if moves)
    then = figure(far.times * case_number(c.case, "workload.requests_per_day"))
    told = f"{then} requests a day in month {far.month}, {figure(far.times)} x today's ({why})"
    return [f"{told}; volumes below are today's, and change as much"]


def steps(c: Comparison) -> list[str]:
    """Each step of the volume: x 2 from month 4."""
    paths = takewhile(lambda path: f"{path}.ratio" in c.case, (f"{STEPS}.{n}" for n in count()))
    return [f"x {figure(case_number(c.case, f'{path}.ratio'))} from month {figure(case_number(c.case, f'{path}.from_month'))}"
            for path in paths]
