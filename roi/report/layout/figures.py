"""Figures made of characters: columns of blocks, and with them the timeline of a training step's memory."""

from collections.abc import Sequence
from itertools import pairwise

from roi.units import GIB

BLOCKS = " ▁▂▃▄▅▆▇█"
WIDTH, HEIGHT = 66, 7
MIDDLE = 4
"""The level that has a label beside the highest and the lowest one."""


def bar_rows(shares: Sequence[float], height: int, wide: int = 1) -> list[str]:
    """The rows of a bar chart, highest first: each share from 0 to 1 is a column, `wide` characters wide."""
    rows = ([min(max((share - level / height) * height, 0.0), 1.0) for share in shares] for level in range(height - 1, -1, -1))
    return ["".join(BLOCKS[round(fill * (len(BLOCKS) - 1))] * wide for fill in row) for row in rows]


def highest(heights: Sequence[float], most: int) -> list[float]:
    """The highest of each of at most `most` slices of the heights, of equal width."""
    count = min(most, len(heights))
    edges = [round(k * len(heights) / count) for k in range(count + 1)]
    return [max(heights[a:b]) for a, b in pairwise(edges)]


def timeline_rows(heights: Sequence[float], phases: Sequence[tuple[str, int]], resident: float) -> list[str]:
    """Rows of at most 80 columns: GiB upwards, the step's events to the right, its phases below.

    The vertical axis begins at the lowest height, so that what moves is seen.

    `heights`: bytes in equal slices; `phases`: (name, slice where it begins); `resident`: bytes held before the step.
    """
    columns = highest(heights, WIDTH)
    top, bottom = max(columns), min(*columns, resident)
    span = max(top - bottom, 1.0)
    rows = []
    for level, bars in zip(range(HEIGHT, 0, -1), bar_rows([(c - bottom) / span for c in columns], HEIGHT), strict=True):
        label = f"{(bottom + span * level / HEIGHT) / GIB:8.2f}" if level in {HEIGHT, MIDDLE, 1} else " " * 8
        rows.append(f"{label} |{bars}")
    rows.append(f"{bottom / GIB:8.2f} +" + "-" * len(columns))
    return [*rows, _phase_row(phases, len(heights), len(columns))]


def _phase_row(phases: Sequence[tuple[str, int]], slices: int, columns: int) -> str:
    """The names of the phases below the slices where they begin; a name is cut where the next one begins."""
    row = [" "] * columns
    places = [min(round(start * columns / slices), columns - 1) for _, start in phases] + [columns]
    for (name, _), place, after in zip(phases, places[:-1], places[1:], strict=True):
        text = ("|" + name)[: max(after - place, 0)]
        row[place : place + len(text)] = list(text)
    return " " * 10 + "".join(row)
