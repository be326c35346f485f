"""Days that the user leaves out of a log, such as that of a job which will not come again: as if they had not been.

A day left out is no day of zero: neither its calls nor itself are in a mean day, the weights of weekdays, the peak, the growth,
or the spend.
"""

import re
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import replace
from datetime import date as Date
from typing import Final

from roi.errors import InputError, day_meant
from roi.usage.measure.aggregate import DAY_S, Spend
from roi.usage.measure.days import Days, spans_told
from roi.usage.measure.pricing import EPOCH, day_of
from roi.usage.read.columns import DAY_US, bucket_index
from roi.usage.read.lazy_ibis import Table
from roi.usage.read.names_alone import source_shown

OPTION: Final = "--without"
TO: Final = ".."
"""Between the first and the last day of a range."""
FORM: Final = "write a day as 2026-11-09, several as 2026-12-24..2027-01-01"
Span = tuple[Date, Date]
"""First and last day."""


def read_spans(given: Iterable[str], option: str = OPTION) -> tuple[Span, ...]:
    """The days and ranges of days of these texts; InputError for one that is neither."""
    found = []
    for text in given:
        first, to, last = (part.strip() for part in text.partition(TO))
        span = _day(first, text, option), _day(last if to else first, text, option)
        if span[0] > span[1]:
            raise InputError(f"{option}: {text[:40]!r} ends before it begins")
        found.append(span)
    return tuple(found)


def _day(word: str, text: str, option: str) -> Date:
    with suppress(ValueError):
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", word, re.ASCII):
            return Date.fromisoformat(word)
    raise InputError(f"{option}: {text[:40]!r} is no day; {FORM}{day_meant(word)}")


def leave_out(spans: Sequence[Span], every: Sequence[Spend], days: Days | None, *, dated: bool) -> Days:
    """The log's days without those of the spans.

    InputError for a span with none of its days, where they are all of them, and where a sum is of such days and of others.
    """
    if days is None or not dated:
        raise InputError(f"{OPTION}: the times of these files have no date")
    first, last = day_of(days.first), day_of(days.last)
    gone: set[int] = set()
    for a, b in spans:
        if b < first or a > last:
            told = f"{a}" if a == b else f"{a}{TO}{b}"
            raise InputError(f"{OPTION}: {told} is outside these files, which go from {first} to {last} (UTC)")
        gone |= set(range((max(a, first) - EPOCH).days, (min(b, last) - EPOCH).days + 1))
    gone -= set(days.unseen)
    if len(gone) == days.counted:
        raise InputError(f"{OPTION}: no day is left of {first} to {last}")
    _refuse_parted(every, gone)
    return replace(days.only(lambda day: day not in gone), without=tuple(sorted(gone)))


def without_told(days: Days) -> str:
    """Which days count in no mean, in words after a comma; empty for none."""
    kinds = ((days.without, OPTION), (days.unseen, "in no file"))
    return "".join(f", without {spans_told(gone)} ({why})" for gone, why in kinds if gone)


def _refuse_parted(rows: Sequence[Spend], gone: AbstractSet[int]) -> None:
    """Raise InputError where a bucket or a cost is of days that are left out and of others: what is whose is not known."""
    for row in rows:
        if row.kind == "call" or row.dropped is not None or row.first_us is None or row.last_us is None:
            continue
        first = row.first_us // DAY_US
        days = range(first, max(row.last_us - 1, row.first_us) // DAY_US + 1)
        if 0 < sum(day in gone for day in days) < len(days):
            raise InputError(f"{OPTION}: rows of {day_of(days[0])} to {day_of(days[-1])} ({source_shown(row.source)}) are sums"
                             " over days that are left out and others (UTC), and cannot be parted; leave out all of those"
                             " days, or export by the day")


def records_beyond(records: Table, days: Days) -> Table:
    """The records of days that are not left out; those without a time stay."""
    return records.filter(~bucket_index(records.at_us, DAY_S).isin(list(days.without)).fill_null(False))


def parted(every: Sequence[Spend], days: Days) -> tuple[list[Spend], list[Spend]]:
    """(sums of days that are not left out, those of the others that count and are no cost export's)."""
    gone = set(days.without)
    return ([row for row in every if row.day not in gone],
            [row for row in every if row.day in gone and row.dropped is None and row.kind != "cost"])
