"""A step's allocation as a figure for the terminal: GiB upwards, the step's events to the right, phases below."""

from collections.abc import Sequence
from itertools import pairwise

from roi.units import GIB

BLOCKS = " ▁▂▃▄▅▆▇█"
WIDTH, HEIGHT = 66, 7
MIDDLE = 4
"""Level that gets a label beside the highest and the lowest."""


def timeline_rows(heights: Sequence[float], phases: Sequence[tuple[str, int]], resident: float) -> list[str]:
    """Rows of at most 80 columns. The vertical axis begins at the lowest height, so that what moves is seen.

    `heights`: bytes in equal slices; `phases`: (name, slice where it begins); `resident`: bytes held before the step.
    """
    columns = _columns(heights)
    top, bottom = max(columns), min(*columns, resident)
    span = max(top - bottom, 1.0)
    rows = []
    for level in range(HEIGHT, 0, -1):
        low = (level - 1) / HEIGHT
        cells = [min(max(((c - bottom) / span - low) * HEIGHT, 0.0), 1.0) for c in columns]
        label = f"{(bottom + span * level / HEIGHT) / GIB:8.2f} |" if level in {HEIGHT, MIDDLE, 1} else " " * 8 + " |"
        rows.append(label + "".join(BLOCKS[round(c * (len(BLOCKS) - 1))] for c in cells))
    rows.append(f"{bottom / GIB:8.2f} +" + "-" * len(columns))
    return [*rows, _phase_row(phases, len(heights), len(columns))]


def _columns(heights: Sequence[float]) -> list[float]:
    """The highest slice of each column."""
    count = min(WIDTH, len(heights))
    edges = [round(k * len(heights) / count) for k in range(count + 1)]
    return [max(heights[a:b]) for a, b in pairwise(edges)]


def _phase_row(phases: Sequence[tuple[str, int]], slices: int, columns: int) -> str:
    """Names below the slices where they begin; one that would run into the next is cut short, one without room left out."""
    row = [" "] * columns
    places = [min(round(start * columns / slices), columns - 1) for _, start in phases] + [columns]
    for (name, _), place, after in zip(phases, places[:-1], places[1:], strict=True):
        text = ("|" + name)[: max(after - place, 0)]
        row[place : place + len(text)] = list(text)
    return " " * 10 + "".join(row)
