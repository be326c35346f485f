"""GPU hours of one's own server by month: an export of OpenCost's allocation API."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from roi.answers.track_months import after, month_of
from roi.disk import parse_json, read_text
from roi.errors import InputError, visible
from roi.scenario.other_files import USAGE, refuse_other

OPENCOST_LIMIT: Final = 256 * 2**20
"""Bytes of an export that are read at most."""

Json = dict[str, Any]  # Any: plain JSON values


@dataclass
class GpuMonth:
    """GPU hours of a month, and what they cost."""

    hours: float
    usd: float


def opencost_months(path: Path) -> dict[str, GpuMonth]:
    """GPU hours and cost by month of an answer of /allocation (OpenCost, Kubecost), saved as a file.

    Every allocation in it counts, idle ones too, since idle GPUs are paid for. InputError where it is no such answer, or a
    window reaches across the end of a month.
    """
    where = f"--opencost: {path}"
    try:
        data = parse_json(read_text(path, OPENCOST_LIMIT, "--opencost: ", "an export", filled=True))
    except (ValueError, RecursionError) as error:
        refuse_other("--opencost: ", path, "answer of /allocation", usage="--actual")
        raise InputError(f"{where}: not valid JSON: {str(error)[:100]}") from None
    sets = data.get("data") if isinstance(data, dict) else None
    if not isinstance(sets, list) or not all(isinstance(each, dict) for each in sets):
        refuse_other("--opencost: ", path, "answer of /allocation", USAGE)
        raise InputError(f"{where}: no list `data` of allocations; save an answer of /allocation?window=...&step=1d")
    found: dict[str, GpuMonth] = {}
    for key, allocation in ((key, each) for one in sets for key, each in one.items() if each is not None):
        name = visible(str(allocation.get("name", key) if isinstance(allocation, dict) else allocation))[:60]
        hours, usd = (_number(allocation, key, f"{where}: {name}") for key in ("gpuHours", "gpuCost"))
        start, end = _window(allocation, f"{where}: {name}")
        month = month_of(start)
        if end > datetime.fromisoformat(f"{after(month)}-01T00:00:00+00:00"):
            raise InputError(f"{where}: {name}: its window reaches into {after(month)}; ask for step=1d")
        sums = found.setdefault(month, GpuMonth(0.0, 0.0))
        sums.hours, sums.usd = sums.hours + hours, sums.usd + usd
    if not found:
        raise InputError(f"{where}: no allocation")
    return found


def _number(allocation: object, key: str, where: str) -> float:
    value = allocation.get(key) if isinstance(allocation, dict) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1e15:
        raise InputError(f"{where}: {key}: {str(value)[:40]!r} is not usable; a number from 0 on")
    return float(value)


def _window(allocation: Json, where: str) -> tuple[datetime, datetime]:
    """When an allocation begins and ends, UTC."""
    window = allocation.get("window")
    told = window if isinstance(window, dict) else allocation
    times = []
    for key in ("start", "end"):
        try:
            moment = datetime.fromisoformat(str(told.get(key)))
        except ValueError:
            moment = None
        if moment is None or not 1970 <= moment.year < 2200:
            raise InputError(f"{where}: window.{key}: {str(told.get(key))[:40]!r} is not usable; a time like"
                             " 2026-12-01T00:00:00Z")
        times.append(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    return times[0], times[1]
