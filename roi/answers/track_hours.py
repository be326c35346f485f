"""GPU hours of one's own server by month: an export of OpenCost's allocation API."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from roi.answers.track_months import after, days_in, month_of
from roi.disk import parse_json, read_text
from roi.errors import InputError, first_of, visible
from roi.scenario.other_files import USAGE, refuse_other

OPENCOST_LIMIT: Final = 256 * 2**20
"""Bytes of an export that are read at most."""
SHIFT: Final = timedelta(hours=1)
"""What a month of whole days may be short of: the clock that is put forward in spring."""

Json = dict[str, Any]  # Any: plain JSON values


@dataclass
class GpuMonth:
    """GPU hours of a month, and what they cost."""

    hours: float
    usd: float | None
    """None where what is charged is nobody's cash."""


def opencost_months(path: Path, notes: list[str]) -> dict[str, GpuMonth]:
    """GPU hours and cost by month of an answer of /allocation (OpenCost, Kubecost), saved as a file.

    Every allocation in it counts, idle ones too, since idle GPUs are paid for. A month that its windows do not cover whole is
    left out, as one of --actual is, and `notes` hear of it; a set without an allocation stands for as long as the one before.
    InputError where it is no such answer, a window reaches across the end of a month, or no month is covered whole.
    """
    where = f"--opencost: {path}"
    text = read_text(path, OPENCOST_LIMIT, "--opencost: ", "an export", filled=True)
    try:
        data = parse_json(text)
    except (ValueError, RecursionError) as error:
        if '"gpuHours"' not in text:  # an answer that was cut off is one
            refuse_other("--opencost: ", path, "answer of /allocation", usage="--actual")
        cut = "" if text.rstrip().endswith("}") else "cut off, "
        raise InputError(f"{where}: {cut}not valid JSON: {str(error)[:100]}") from None
    sets = data.get("data") if isinstance(data, dict) else None
    if not isinstance(sets, list) or not all(isinstance(each, dict) for each in sets):
        refuse_other("--opencost: ", path, "answer of /allocation", USAGE)
        raise InputError(f"{where}: no list `data` of allocations; save an answer of /allocation?window=...&step=1d")
    found: dict[str, tuple[float, float]] = {}
    windows: list[tuple[datetime, datetime]] = []
    every = (pair for one in sets for pair in (one or _nothing(windows)).items())
    for key, allocation in ((key, each) for key, each in every if each is not None):
        name = visible(str(allocation.get("name", key) if isinstance(allocation, dict) else allocation))[:60]
        hours, usd = (_number(allocation, key, f"{where}: {name}") for key in ("gpuHours", "gpuCost"))
        start, end = _window(allocation, f"{where}: {name}")
        month = month_of(start)
        if end > datetime.fromisoformat(f"{after(month)}-01T00:00:00+00:00"):
            raise InputError(f"{where}: {name}: its window reaches into {after(month)}; ask for step=1d")
        windows.append((start, end))
        was = found.get(month, (0.0, 0.0))
        found[month] = was[0] + hours, was[1] + usd
    if not found:
        raise InputError(f"{where}: no allocation")
    days = {month: _covered(month, windows) for month in sorted(found)}
    short = [f"{_shown(there)} of {days_in(month)} days of {month}" for month, there in days.items()
             if there < timedelta(days_in(month)) - SHIFT]
    if len(short) == len(found):
        raise InputError(f"{where}: no month is covered whole: it covers {first_of(short, 3)}; ask for the whole month")
    if short:
        notes.append(f"--opencost: covers {', '.join(short)}, left out as it is not whole")
    return {month: GpuMonth(*sums) for month, sums in found.items() if days[month] >= timedelta(days_in(month)) - SHIFT}


def _nothing(windows: list[tuple[datetime, datetime]]) -> Json:
    """An allocation of nothing, for as long as the window before it, where there is one."""
    if not windows:
        return {}
    start, end = windows[-1]
    month_end = datetime.fromisoformat(f"{after(month_of(end))}-01T00:00:00+00:00")
    window = {"start": end.isoformat(), "end": min(end + (end - start), month_end).isoformat()}
    return {"nothing": {"gpuHours": 0.0, "gpuCost": 0.0, "window": window}}


def _covered(month: str, windows: list[tuple[datetime, datetime]]) -> timedelta:
    """For how long of a month there is a window that begins in it, counted once where several do."""
    found, until = timedelta(), None
    for start, end in sorted(each for each in windows if month_of(each[0]) == month):
        found += max(end - (start if until is None else max(start, until)), timedelta())
        until = end if until is None else max(until, end)
    return found


def _shown(there: timedelta) -> str:
    """How many days, to a tenth."""
    return f"{there / timedelta(1):.1f}".removesuffix(".0")


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
