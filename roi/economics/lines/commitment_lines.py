"""What commitments cost beyond what is spent: today's with the incumbent's provider, and one that an option brings."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from roi.economics.inputs import Array, Number, Option, Shared
from roi.economics.lines.calendar import incumbent_share, months
from roi.economics.lines.line import Line, any_positive, pick
from roi.economics.lines.line_kind import LineKind

SPENT: Final = frozenset({LineKind.API, LineKind.PROVISIONED, LineKind.OWN_COMMITMENT})
"""What counts towards a commitment: what the API bills, and what an own commitment is short of, which is paid to it too."""


def bill_of(lines: Sequence[Line]) -> Array:
    """USD a month of the lines that count towards a commitment."""
    return np.asanyarray(sum((line.monthly for line in lines if line.kind in SPENT), np.zeros(1)))


def incumbent_commitment(shared: Shared, billed: Sequence[Line], also_billed: Sequence[Line] = ()) -> list[Line]:
    """The commitment with the incumbent, towards which counts what an API bills of `billed`, and all of `also_billed`."""
    if not any_positive(shared.commitment_usd):
        return []
    return commitment_line(shared, np.asanyarray(sum((line.monthly for line in also_billed), bill_of(billed))))


def commitment_line(shared: Shared, spent: Array) -> list[Line]:
    """What a commitment with the incumbent costs beyond the incumbent's bill: leaving saves nothing below it before it ends."""
    runs = np.clip(shared.commitment_months - (months(shared.horizon) - 1.0), 0.0, 1.0)
    return [_unused(LineKind.COMMITMENT, shared.commitment_usd, spent, runs, "commitment")]


def own_commitment_line(shared: Shared, option: Option, spent: Array) -> list[Line]:
    """What a commitment with the option's own vendor costs beyond what is spent there, from go-live to its end."""
    ends = option.months_to_live, option.commitment_months
    before, until = (incumbent_share(each, 0.0, shared.horizon).whole for each in ends)
    live = 1.0 - before
    runs = np.maximum(until - before, 0.0) / np.where(live > 0, live, 1.0)
    usd = option.commitment_usd * live
    return [_unused(LineKind.OWN_COMMITMENT, usd, spent, runs, f"apis.{option.vendor}.commitment")]


def _unused(kind: LineKind, committed: Number, spent: Array, runs: Array, path: str) -> Line:
    """What is short of `committed` USD a month, for the share of each month's spend during which the commitment `runs`."""

    def arithmetic(month: int) -> str:
        part = "" if pick(runs, month) == 1.0 else f" x {pick(runs, month):.4g} of the month"
        return f"${pick(committed, month):,.2f} committed - ${pick(spent, month):,.2f} spent, at least 0{part}"

    return Line(
        name="commitment not used" if kind is LineKind.COMMITMENT else "own commitment not used", kind=kind,
        path=np.asanyarray(runs * np.maximum(committed - spent, 0.0)),
        facts=(f"{path}.usd_per_month", f"{path}.months"), arithmetic=arithmetic,
    )
