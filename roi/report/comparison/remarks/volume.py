"""Remarks on the volume: a volume that is soon another, batch tiers that promise no answer in time, hours that are moved."""

from itertools import count, takewhile
from typing import Final

from roi.economics.decision.comparison import Comparison
from roi.economics.decision.option_result import OptionResult
from roi.economics.lines.line import far_volume
from roi.economics.lines.line_kind import LineKind
from roi.economics.reading import read_shared
from roi.errors import first_of
from roi.report.comparison.option_figures import option_of
from roi.report.layout.wording import case_number, figure, percent, short_usd
from roi.units import HOURS_PER_DAY

STEPS = "workload.steps"
ENDS_FROM: Final = 10.0
"""Times today's requests from which growth is asked whether it goes on: few products see ten times theirs in three years."""


def moved_volume(c: Comparison) -> list[str]:
    """Says that requests will be twice today's or half of them, so that the volumes told are not those of later months."""
    far = far_volume(read_shared(c.case.values()))
    if far is None:
        return []
    why = ", ".join(path for path, moves in ((STEPS, bool(steps(c))), (
        "growth_per_year", case_number(c.case, "workload.growth_per_year") != 0.0)) if moves)
    then = figure(far.times * case_number(c.case, "workload.requests_per_day"))
    told = f"{then} requests a day in month {far.month}, {figure(far.times)} x today's ({why})"
    ends = f"; growth that ends sooner is {STEPS}" if far.times >= ENDS_FROM and "growth" in why else ""
    return [f"{told}{ends}; volumes below are today's, and change as much{_dearer_in_the_end(c)}"]


def _dearer_in_the_end(c: Comparison) -> str:
    """From which month on to the horizon the leading option costs more than staying, and how much; empty where it never does.

    Its fleet falls to its least and its hours stay, while today's bill falls with the requests.
    """
    if c.verdict.leader == "stay":
        return ""
    kinds = {LineKind.ERRORS} if c.verdict.counts == "cash" else set[LineKind]()

    def by_month(o: OptionResult) -> list[float]:
        lines = [line.monthly_usd for line in o.lines if line.kind not in kinds]
        return [sum(each) for each in zip(*lines, strict=True)]

    more = [done - stay for done, stay in zip(by_month(c.leader), by_month(option_of(c, "stay")), strict=True)]
    last = list(takewhile(lambda usd_more: usd_more > 0.0, reversed(more)))
    first = len(more) - len(last) + 1
    if not last or first <= c.leader.months_to_live:
        return ""
    wrong = not kinds and any(line.kind is LineKind.ERRORS and any(line.monthly_usd)
                              for o in (c.leader, option_of(c, "stay")) for line in o.lines)
    how = f"{'wrong answers counted, ' * wrong}undiscounted"
    return f". From month {first} on {c.leader.label} costs more than staying, by {short_usd(sum(last))} to the end ({how})"


def steps(c: Comparison) -> list[str]:
    """Each step of the volume: x 2 from month 4."""
    paths = takewhile(lambda path: f"{path}.ratio" in c.case, (f"{STEPS}.{n}" for n in count()))
    return [f"x {figure(case_number(c.case, f'{path}.ratio'))} from month {figure(case_number(c.case, f'{path}.from_month'))}"
            for path in paths]


def late_batch(c: Comparison) -> list[str]:
    """Batch tiers that are out, since what can wait must be answered before they promise it."""
    waits, ending = case_number(c.case, "workload.waits_hours", HOURS_PER_DAY), ".batch_hours"
    late = {path.removeprefix("apis.").removesuffix(ending): case_number(c.case, path) for path in c.case.facts
            if path.endswith(ending) and case_number(c.case, path) > waits}
    if not late or case_number(c.case, "workload.can_wait_share", 0.0) <= 0.0:
        return []
    hours = " or ".join(figure(each) for each in sorted(set(late.values())))
    tier, today = "tier" if len(late) == 1 else "tiers", case_number(c.case, "options.stay.batch_share", 0.0)
    told = (f"Left out, the batch {tier} of {first_of(list(late), 2)}: promised within {hours} hours, the work has"
            f" {figure(waits)}")
    paid = today > 0.0 and str(c.case["options.stay.vendor"].value) in late
    held = f"; today's model alone keeps its batch for {percent(today)}, as paid today (check incumbent.batch_share)" * paid
    return [f"{told} (workload.waits_hours); sooner is common, not promised{held}"]


def hours_moved(c: Comparison) -> list[str]:
    """Says that the leading option's fleet rests on moving what can wait to other hours of its day."""
    o, waits = c.leader, case_number(c.case, "workload.can_wait_share", 0.0)
    fixed = "serving.lets_wait" in c.case and not c.case["serving.lets_wait"].value
    if o.fleet is None or waits <= 0.0 or fixed or case_number(c.case, "workload.peak_to_mean", 1.0) <= 1.0:
        return []
    within = case_number(c.case, "workload.waits_hours", HOURS_PER_DAY)
    when = "at any hour of the day" if within >= HOURS_PER_DAY else f"within {figure(within)} hours"
    told = f"{percent(waits)} of the requests can wait: {o.label} is sized for them {when}"
    return [f"{told}; serving.lets_wait: false keeps their hours"]
