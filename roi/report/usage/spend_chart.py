"""Spend by day as a figure for the terminal; weeks where there are more days than columns."""

from collections import defaultdict
from itertools import pairwise

from roi.report.layout.timeline import BLOCKS
from roi.report.layout.wording import usd
from roi.usage.measure.pricing import day_of
from roi.usage.read.record import TOKENS
from roi.usage.summary import Usage

WIDTH, HEIGHT = 64, 5
LEAST_DAYS = 3
"""Days below which a chart tells nothing."""


def spend_chart(found: Usage) -> list[str]:
    """Rows of at most 80 columns, the axis from 0; empty where there are too few days. Tokens where nothing has a price."""
    if found.days is None or found.days.last - found.days.first + 1 < LEAST_DAYS:
        return []
    priced = any(each.usd for each in found.priced)
    volume: dict[int, float] = defaultdict(float)
    for each in found.priced:
        size = each.usd or 0.0 if priced else sum(each.spend.tokens[name] for name in TOKENS) / 1e6
        volume[each.spend.day or found.days.first] += size
    span = found.days.last - found.days.first + 1
    count = min(span, WIDTH)
    edges = [found.days.first + round(k * span / count) for k in range(count + 1)]
    heights = [sum(volume[day] for day in range(a, b)) / (b - a) for a, b in pairwise(edges)]
    top = max(heights) or 1.0
    unit = "USD a day" if priced else "Mtok a day"
    rows = [f"{unit}, {day_of(found.days.first)} to {day_of(found.days.last)}"
            + (f", {span / count:.1f} days a column" if span > count else "")]
    wide = max(1, min(4, WIDTH // count))
    for level in range(HEIGHT, 0, -1):
        cells = [min(max((h / top - (level - 1) / HEIGHT) * HEIGHT, 0.0), 1.0) for h in heights]
        label = (usd(top * level / HEIGHT) if priced else f"{top * level / HEIGHT:,.1f}") if level in {HEIGHT, 1} else ""
        rows.append(f"{label:>11} |" + "".join(BLOCKS[round(c * 8)] * wide for c in cells))
    rows.append(" " * 11 + " +" + "-" * (count * wide))
    return rows
