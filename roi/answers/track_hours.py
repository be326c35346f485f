"""GPU hours of one's own server by month: an export of OpenCost's allocation API, or a query to Prometheus."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from roi.answers.track_months import after, days_in, month_of
from roi.disk import parse_json, read_text
from roi.errors import InputError, RoiError, visible
from roi.scenario.other_files import USAGE, refuse_other

OPENCOST_LIMIT: Final = 256 * 2**20
"""Bytes of an export."""
STEP_S: Final = 3600
"""Seconds between two points that Prometheus is asked for: 744 in a long month, of the 11,000 that it gives at most."""
TIMEOUT_S: Final = 30.0
COVERED: Final = 0.95
"""Share of a month's hours that must have a point: below that, hours without GPUs and hours that are gone look alike."""
QUERY: Final = "count(DCGM_FI_DEV_GPU_UTIL)"
"""GPUs that NVIDIA's exporter reports at a moment."""

Json = dict[str, Any]  # Any: plain JSON values


@dataclass
class GpuMonth:
    """GPU hours of a month, and what they cost where that is told."""

    hours: float
    usd: float | None


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
        if end > _first(after(month)):
            raise InputError(f"{where}: {name}: its window reaches into {after(month)}; ask for step=1d")
        sums = found.setdefault(month, GpuMonth(0.0, 0.0))
        sums.hours, sums.usd = sums.hours + hours, (sums.usd or 0.0) + usd
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
            raise InputError(
                f"{where}: window.{key}: {str(told.get(key))[:40]!r} is not usable; a time like 2026-12-01T00:00:00Z"
            )
        times.append(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    return times[0], times[1]


def _first(month: str) -> datetime:
    return datetime.fromisoformat(f"{month}-01T00:00:00+00:00")


def prometheus_months(url: str, months: Sequence[str], query: str, notes: list[str]) -> dict[str, GpuMonth]:
    """GPU hours of these months: the query's value at every hour, added up; asked over https, or of this machine.

    A month of which hours are missing is left out, and `notes` hear of it. InputError for an address that others could read
    on the way; RoiError where the server does not answer, redirects, or answers something else.
    """
    from roi.profiling.server.endpoint import read_url
    from roi.profiling.server.http_client import ask_once

    try:
        endpoint = read_url(url)
    except InputError as error:
        raise InputError(f"--prometheus: {str(error).removeprefix('URL: ')}") from None
    if not endpoint.private:
        raise InputError(f"--prometheus: {endpoint.url} sends in the clear; https, or http to this machine (a tunnel)")

    found: dict[str, GpuMonth] = {}
    for month in months:
        first, last = _first(month), _first(after(month)) - timedelta(seconds=STEP_S)
        asked = {"query": query, "start": int(first.timestamp()), "end": int(last.timestamp()), "step": STEP_S}
        answer = ask_once(endpoint, f"/api/v1/query_range?{urlencode(asked)}", TIMEOUT_S)
        values = _values(answer.status, answer.problem, bytes(answer.body), endpoint.url)
        hours = days_in(month) * 24
        if len(values) < COVERED * hours:
            notes.append(
                f"--prometheus: {month} is left out: {len(values):,} of its {hours} hours have a value, which may be GPUs that"
                " were off or values that are gone"
            )
            continue
        found[month] = GpuMonth(sum(values.values()), None)
    return found


def _values(status: int | None, problem: str | None, body: bytes, url: str) -> Mapping[int, float]:
    """The value at each hour, series added up."""
    where = f"--prometheus: {url}"
    if problem is not None:
        raise RoiError(f"{where}: {visible(problem)}")
    try:
        data = parse_json(body.decode())
    except (ValueError, RecursionError):
        data = None
    if status != 200 or not isinstance(data, dict) or data.get("status") != "success":
        said = visible(str(data.get("error")))[:120] if isinstance(data, dict) else "no answer of Prometheus"
        raise RoiError(f"{where}: status {status}: {said}")
    result = data.get("data")
    if not isinstance(result, dict) or result.get("resultType") != "matrix" or not isinstance(result.get("result"), list):
        raise RoiError(f"{where}: not a matrix; a query whose value is a number of GPUs, such as {QUERY}")
    found: dict[int, float] = {}
    for series in result["result"]:
        points = series.get("values") if isinstance(series, dict) else None
        for point in points if isinstance(points, list) else ():
            try:
                at, value = int(point[0]), float(point[1])
            except (LookupError, TypeError, ValueError, OverflowError):
                raise RoiError(f"{where}: {str(point)[:60]!r} is no value") from None
            if not math.isfinite(value) or not 0 <= value <= 1e9:
                raise RoiError(f"{where}: {value} is no number of GPUs")
            found[at] = found.get(at, 0.0) + value
    return found
