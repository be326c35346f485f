"""A month by its days: on which days both models were called for each request, and what the new one handed on once live."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from roi.usage.measure.pricing import Priced

ALIKE: Final = 0.95
"""Calls of the less called model over those of the other from which on both have nearly the same: a few fail."""
ALONE: Final = 0.02
"""Calls of the less called model over those of the other up to which one model answers alone."""
AS_BEFORE: Final = 0.8
"""Calls of one model, over those of days that one answers alone, from which on no traffic was split: halves have 0.5."""
NEAREST: Final = 4
"""Days of the same weekday that are compared."""
SETTLED: Final = 7
"""Days at a month's end that tell what is handed on: a whole week, and traffic that was moved bit by bit is behind it."""

Days = Mapping[int, tuple[float, float]]
"""By day: calls of the option's own model, and of the others."""


def days_by_role(rows: "Mapping[str, Sequence[tuple[str, Priced]]]") -> Days:
    """The calls of each day, without months in which some rows do not count them."""
    found = defaultdict[int, dict[str, float]](lambda: {"own": 0.0, "other": 0.0})
    for some in rows.values():
        counts = [(role, each.spend.day or 0, each.spend.requests) for role, each in some]
        for role, day, calls in counts if all(calls is not None for _, _, calls in counts) else ():
            found[day][role] += calls or 0
    return {day: (calls["own"], calls["other"]) for day, calls in found.items()}


def second_calls(days: Days, month: str) -> tuple[float | None, float | None]:
    """At most and at least how many of a month's calls are of requests that the other model was called for on the same day.

    At most the lesser of both models', day by day. At least those of days on which both have nearly the same calls, where these
    are as many as one model alone had on the nearest days of the same weekday: traffic that is split in halves has half of
    them. None where nothing tells them; at least None too where no other days do.
    """
    mine = _of_month(days, month)
    if not mine:
        return None, None
    most = sum(min(calls) for calls in mine.values())
    both = {day: calls for day, calls in mine.items() if _alike(calls)}
    alone = {day: max(calls) for day, calls in days.items() if min(calls) <= ALONE * max(calls) and max(calls) > 0}
    usual = {day: _usual(alone, day) for day in both}
    known = {day: x for day, x in usual.items() if x is not None}
    if not known or sum(max(both[day]) for day in known) < AS_BEFORE * sum(known.values()):
        return most, None
    return most, sum(min(both[day]) for day in known)


def handed_on(days: Days, month: str) -> float | None:
    """Calls of the other models over the own model's in the last days of the month in which that began to answer.

    Without days on which both have nearly the same calls. None of a month that it answers from the first day on, or never.
    """
    mine = _of_month(days, month)
    began = min((day for day, calls in days.items() if calls[0] > ALONE * max(calls)), default=None)
    if began is None or began not in mine or began == min(mine):
        return None
    last = [calls for day, calls in sorted(mine.items()) if day > began and not _alike(calls)][-SETTLED:]
    own, other = (sum(calls[k] for calls in last) for k in (0, 1))
    return other / own if own > 0 else None


def _of_month(days: Days, month: str) -> Days:
    """The days of a month."""
    from roi.usage.measure.pricing import day_of

    return {day: calls for day, calls in days.items() if day_of(day).isoformat()[:7] == month}


def _alike(calls: tuple[float, float]) -> bool:
    """True where both models have nearly the same calls."""
    return min(calls) >= ALIKE * max(calls) > 0


def _usual(alone: Mapping[int, float], day: int) -> float | None:
    """Calls of the nearest days of the same weekday that one model answers alone, on average; None where there is none."""
    near = sorted((abs(other - day), other) for other in alone if (other - day) % 7 == 0)[:NEAREST]
    return sum(alone[other] for _, other in near) / len(near) if near else None
