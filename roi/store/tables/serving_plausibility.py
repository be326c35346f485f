"""Rows of a table of serving runs whose own figures cannot be: they stand apart from all errors."""

from roi.store.tables.row_fields import Row, cell
from roi.store.tables.serving_cells import readable_number

LITTLE = 5.0
"""Factor between the requests in flight that a row states and its rate x latency, from which one of its figures must be
another's or of another unit: means against medians, ramps and spread lengths make less than 2."""


def marked_implausible(row: Row) -> bool:
    """True where the source's reader marked the row, or where its own figures break Little's law."""
    return "IMPLAUSIBLE" in cell(row, "notes") or _breaks_littles_law(row)


def _breaks_littles_law(row: Row) -> bool:
    """True where requests/s x (TTFT + (output - 1) x TPOT) is far from the concurrency; False where a figure is missing."""
    names = ("osl", "concurrency", "ttft_ms", "tpot_ms", "req_per_s", "output_tok_per_s")
    output, stated, ttft, tpot, rate, tokens = (readable_number(row, name) for name in names)
    if output is None or stated is None or ttft is None or tpot is None or (rate is None and tokens is None):
        return False
    each_s = (ttft + max(output - 1.0, 0.0) * tpot) / 1e3
    found = (rate if rate is not None else (tokens or 0.0) / output) * each_s
    return not stated / LITTLE <= found <= stated * LITTLE
