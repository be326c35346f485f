"""`roi usage --html`: which calls are worth a change, then what was spent, by day and model, and the workload it settles."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from roi.answers.usage_tasks import Task
from roi.report.charts.style import Spec, money_axis, own_colours, spec
from roi.report.layout.blocks import Labelled, Paragraph, Table, Verbatim
from roi.report.layout.wording import from_to, usd
from roi.report.page.parts import Page, Part, Picture, Unfolded, told
from roi.report.usage.spend_report import basis_of, task_blocks, usage_blocks
from roi.usage.measure.days import days_of
from roi.usage.measure.pricing import Priced, day_of
from roi.usage.measure.without import without_told
from roi.usage.summary import Usage

SHOWN, OTHER = 6, "other models"
"""Models that have a colour of their own, and what the others are called."""
LABELS = 6
"""Days that are named below their bars, about."""
DO = "do now: "
"""What stands before the advice for a group, where nothing is worth measuring first."""
MOST_BARS = 120
"""Bars at most: more days are put together."""


def usage_page(found: Usage, tasks: Sequence[Task]) -> Page:
    """The report as a page, what to do first; the chart made of characters gives way to a picture."""
    picture = spend_by_day(found)
    blocks = [block for block in usage_blocks(found, ()) if picture is None or not isinstance(block, Verbatim)]
    note = "What the source reports that it cost, else the list price of that day. Days that are not whole are in it."
    first = "The answer" if tasks else "What was read"
    pictures = {first: list(_answer(found, tasks))} if tasks else {}
    pictures |= {} if picture is None else {"Spend by day and model": [Picture(picture, note)]}
    return told(blocks, pictures, first, facts=_facts(found))


def _facts(found: Usage) -> tuple[str, ...]:
    """From which days the usage is, at which prices, and in which money."""
    days = () if found.days is None else (from_to(str(day_of(found.days.first)), str(day_of(found.days.last))),)
    basis = basis_of(found)
    price = (f"{basis}{', that of each day' if 'list' in basis else ''}",) if any(each.usd for each in found.priced) else ()
    return (*days, *price, "USD")


def _answer(found: Usage, tasks: Sequence[Task]) -> Iterator[Part]:
    """What to do about each group of calls, in words, then in figures."""
    for block in task_blocks(found, tasks):
        if isinstance(block, Table):
            said = tuple(f"{row.cells[0]}, ${row.cells[2]} a month: {row.detail.removeprefix(DO)}" for row in block.rows)
            yield Labelled("DO NOW", said, "good" if any((task.npv_usd or 0.0) > 0.0 for task in tasks) else "")
            yield replace(block, rows=tuple(replace(row, detail="") for row in block.rows))
        elif isinstance(block, Paragraph):
            yield Unfolded("How each group is compared", (block,))


def spend_by_day(found: Usage) -> Spec | None:
    """USD a day by model, whole days and others; None where nothing has a price or all is of one or two days."""
    days = found.days
    priced = [each for each in found.priced if each.usd]
    if days is None or not priced or days.last - days.first < 2:
        return None
    models = _largest(priced)
    span = days.last - days.first + 1
    width = -(-span // MOST_BARS)
    gone = days.not_counted
    kept = Counter((day - days.first) // width for day in range(days.first, days.last + 1) if day not in gone)
    sums: dict[tuple[int, str], float] = defaultdict(float)
    for each in priced:
        name, over = _name(each), days_of(each.spend) or [days.first]
        for day in over:
            k = (day - days.first) // width
            sums[k, name if name in models else OTHER] += (each.usd or 0.0) / len(over) / (kept[k] if gone else width)
    rows: list[Spec] = [{"day": day_of(days.first + k * width).isoformat(), "model": name, "usd": round(amount, 4)}
                        for (k, name), amount in sorted(sums.items())]
    names = [*models, *([OTHER] if any(row["model"] == OTHER for row in rows) else [])]
    every = f", mean of {width} days" if width > 1 else ""
    totals: dict[str, float] = defaultdict(float)
    for row in rows:
        totals[row["day"]] += row["usd"]
    nth = max(len(totals) // LABELS, 1)
    marked = [day for k, day in enumerate(sorted(totals)) if k % nth == 0]
    layer: list[Spec] = [{"mark": {"type": "bar"}, "encoding": {
        "x": {"field": "day", "type": "ordinal", "title": "day (UTC)", "scale": {"paddingInner": 0.1},
              "axis": {"grid": False, "labelAngle": 0, "values": marked}},
        "y": {"field": "usd", "type": "quantitative", "stack": "zero", "title": f"USD a day{every}",
              "axis": money_axis(totals.values())},
        "color": own_colours("model", names),
        "tooltip": [{"field": "day"}, {"field": "model"}, {"field": "usd", "title": "USD", "format": "$,.2f"}]}}]
    total = sum(each.usd or 0.0 for each in priced)
    said = (f"Spend by day from {day_of(days.first)} to {day_of(days.last)}{without_told(days)}, {usd(total)} in all, most"
            f" of it {names[0]}.")
    return spec("Spend by day and model", said, height=300, layer=layer, data={"values": rows})


def _largest(priced: Sequence[Priced]) -> list[str]:
    sums: dict[str, float] = defaultdict(float)
    for each in priced:
        sums[_name(each)] += each.usd or 0.0
    return sorted(sums, key=lambda name: (-sums[name], name))[:SHOWN]


def _name(each: Priced) -> str:
    return "/".join(str(part) for part in (each.spend.provider, each.spend.model) if part) or "no model named"
