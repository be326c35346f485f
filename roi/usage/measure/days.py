"""Which days a log covers whole, and which of them are those of a model."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from itertools import pairwise
from types import MappingProxyType
from typing import Final

from roi.errors import first_of
from roi.usage.measure.aggregate import Spend
from roi.usage.measure.pricing import day_of
from roi.usage.read.columns import DAY_US
from roi.usage.read.record import HOUR_US, LOST, TOKENS, TOKENS_KNOWN

NEAR: Final = 28
"""Days beside an edge of the log by which it is judged: of each weekday four. Years ago the hours may have been others."""
LEAST_ALIKE: Final = 2
"""Days of an edge's weekday within NEAR from which on it is judged by those alone; one may be a holiday."""
SHORTEST_US: Final = 2 * HOUR_US
"""Hours that a day's calls are taken to span at the least where its edge is judged: jobs do not start at the same second."""
CUT_SHARE: Final = 0.5
"""A last day with less of the smallest of the seven before it looks cut off: an export of days does not say its hour."""
MOST_LOST: Final = 0.01
"""Share of a day's calls that may be left out of it, and of a day's tokens where rows are buckets: its sums are too low by
about as much. Buckets differ by far more from each other, so that none may be missing whose tokens are not known."""
QUIET: Final = 0.5
"""Share of a weekday's dates with rows up to which one without any is as usual."""
FEW_A_DAY: Final = 10
"""Calls a day below which a day without any is no surprise: by chance alone, one in 22,000 at ten calls a day."""
LOST_ROWS: Final = "has rows left out"
LEAST_GONE: Final = 7
"""Days without a call of a model, at an end of a log that goes on without it, from which on it began or ended there: a week
with its week-end."""
LEAST_RUNS: Final = 4
"""Days with calls below which a model is no workload of its days: a job of single days is one of the whole log."""


@dataclass(frozen=True)
class Days:
    """Days that a log covers, whole or in part."""

    first: int
    last: int
    """Days since 1970 UTC on which the first and the last row lie."""
    complete: tuple[int, ...]
    """Days covered whole, quiet ones among them."""
    left_out: tuple[tuple[int, str], ...]
    """(day, why) of the days that are not complete: at the edges, or with rows left out."""
    lost: tuple[tuple[int, float], ...] = ()
    """(day, share of it that is left out) of the days whose share is known."""
    without: tuple[int, ...] = ()
    """Days that the user leaves out: they are none of the others, and count in no mean."""
    silent: tuple[int, ...] = ()
    """The complete days without a row although their weekday has some: quiet, or missing in the export."""
    unseen: tuple[int, ...] = ()
    """Days between files that are of no file: nobody knows their calls, and they are none of the others either."""
    parts: tuple["Part", ...] = ()
    """The times of files that lie so apart, the earliest first; empty where there is one."""
    spanned: bool = False
    """True where a sum is of more than one day, so that what each weekday had is not known."""

    @property
    def by_weekday(self) -> bool:
        """True where a mean day is a seventh of a mean week, each weekday being there."""
        return not self.spanned and len({day % 7 for day in self.complete}) == 7

    def mean(self, sums: Iterable[tuple[int | None, float]]) -> float:
        """What a mean day has of `sums`, each with its day: a seventh of the means of the seven weekdays.

        Twelve days from a Monday to a Friday have two working days of each kind and one weekend: their own mean is 10 / 12 of a
        working day's, that of a week 5 / 7. Where a weekday is not there, or a sum is of several days, it is the mean of the
        complete days. Sums of days that are not complete count nothing; 0 without a complete day.
        """
        whole, had = set(self.complete), [0.0] * 7
        for day, x in sums:
            if day is not None and day in whole:
                had[day % 7] += x
        dates = Counter(day % 7 for day in whole)
        return sum(x / dates[k] for k, x in enumerate(had)) / 7.0 if self.by_weekday else sum(had) / (len(whole) or 1)

    def only(self, keeps: Callable[[int], bool]) -> "Days":
        """The same from the first to the last, with those of its days of each kind that are kept."""
        complete, silent, without, unseen = (
            tuple(filter(keeps, days)) for days in (self.complete, self.silent, self.without, self.unseen))
        return replace(self, complete=complete, silent=silent, without=without, unseen=unseen,
                       left_out=tuple(x for x in self.left_out if keeps(x[0])), lost=tuple(x for x in self.lost if keeps(x[0])))

    def within(self, first: int, last: int) -> "Days":
        """The same days, but for those before the first and after the last."""
        return replace(self.only(range(first, last + 1).__contains__), first=first, last=last)

    @property
    def counted(self) -> int:
        """Days from the first to the last that count in a mean."""
        return self.last - self.first + 1 - len(self.not_counted)

    @property
    def not_counted(self) -> frozenset[int]:
        """Days that the user leaves out, and those of no file."""
        return frozenset(self.without) | frozenset(self.unseen)

    def of_files(self, sources: AbstractSet[str]) -> "Days":
        """The days of the files of these formats, where files lie apart; of the days between, nobody knows the calls."""
        own = tuple(part for part in self.parts if part.sources & sources)
        if len(own) == len(self.parts) or not own:
            return self
        other = tuple(day for a, b in pairwise(own) for day in range(a.last + 1, b.first))
        gone = frozenset(other)
        found = self.within(own[0].first, own[-1].last).only(lambda day: day not in gone)
        return replace(found, unseen=other, parts=own)

    def ends_within(self, log: "Days") -> str:
        """Which ends of these days lie within the files that have them, "began" or "ended" or both; else empty."""
        times = self.parts or (log,)
        ends = ((self.first > times[0].first, "began"), (self.last < times[-1].last, "ended"))
        return " and ".join(word for is_so, word in ends if is_so)

    def used_told(self, log: "Days") -> str:
        """Which days of the log these are, in words; empty where they are all of it."""
        files = "is in some of the files alone" if self.parts != log.parts else ""
        told = f"{how} within the log" if (how := self.ends_within(log)) else files
        return told and f"{told}: of its {len(self.complete)} whole days, {day_of(self.first)} to {day_of(self.last)}"


@dataclass(frozen=True)
class Part:
    """First and last day, since 1970 UTC, of files of some formats (`sources`), from which all other files lie apart."""

    sources: frozenset[str]
    first: int
    last: int


def complete_days(
    rows: Sequence[Spend], grew: AbstractSet[int] = frozenset(), lost: Mapping[int, float] = MappingProxyType({}),
) -> Days | None:
    """Days that the rows cover whole; None without a row.

    `grew` are days that went on between two exports, `lost` those of which rows are left out, with the
    share that is. Calls and buckets shorter than a day: an edge day counts where it begins (ends) as days beside it do
    (`_cut`). Buckets of a day or more: every day they span, but a last day that looks cut off, or went on between two exports.
    """
    kept = [row for row in rows if row.first_us is not None and row.last_us is not None]
    if not kept:
        return None
    spans = [(row.first_us or 0, row.last_us or 0) for row in kept]
    calls = any(row.kind == "call" for row in kept)
    daily = not calls and all(a % DAY_US == 0 and b % DAY_US == 0 for a, b in spans)
    start, end = min(a for a, _ in spans), max(b for _, b in spans)
    first = start // DAY_US
    last = max((end if calls else end - 1) // DAY_US, first)
    if daily and max(b - a for a, b in spans) == 0:
        last = max(row.day or first for row in kept)
    left_out: list[tuple[int, str]] = []
    low = dict(lost)
    if daily:
        cut = "went on between two exports, and perhaps after the last" if last in grew else _looks_cut(kept, last)
        left_out = [(last, cut)] if cut else []
    else:
        late, early = _cut(kept)
        if first == last and (late or early):
            left_out.append((first, f"is covered from {_clock(start)} to {_clock(end)} alone"))
        else:
            left_out += [(first, f"begins at {_clock(start)}")] * bool(late) + [(last, f"ends at {_clock(end)}")] * bool(early)
        for day, share in ((first, late), (last, early)):
            low |= {day: low.get(day, 0.0) + share} if share else {}
    gone = {day for day, _ in left_out}
    left_out += [(day, LOST_ROWS) for day in sorted(lost.keys() - gone) if first <= day <= last]
    gone |= lost.keys()
    complete = tuple(day for day in range(first, last + 1) if day not in gone)
    return Days(first, last, complete, tuple(left_out), tuple((day, low[day]) for day in sorted(low) if first <= day <= last),
                spanned=any(row.kind == "bucket" and len(days_of(row)) > 1 for row in kept))


def _cut(rows: Sequence[Spend]) -> tuple[float, float]:
    """What share of a usual day the first day with a row lacks at its beginning, and the last at its end, about; 0: is whole.

    Whole is a day that begins no later than days of its kind usually do, by a twenty-fourth of the time from their first call
    to their last: an hour of a day of 24, 25 minutes of ten hours of work. Its kind are the days of its weekday within NEAR
    days, or all of those where there are fewer than LEAST_ALIKE; they usually begin at the earlier median, and end at the later
    one. All days but the first have their own beginning, and all but the last their end; where there is no other, a usual day
    is one from midnight to midnight. A bucket of the last hour goes on to midnight, though many tell its beginning alone.
    """
    begins, ends = dict[int, float](), dict[int, float]()  # from midnight to what is first, and from what is last to midnight
    for row in rows:
        if row.first_us is None or row.last_us is None:
            continue
        first, last = row.first_us // DAY_US, max(row.last_us - (row.kind == "bucket"), row.first_us) // DAY_US
        for day in range(first, last + 1):
            begins[day] = min(begins.get(day, DAY_US), max(row.first_us - day * DAY_US, 0))
            ends[day] = min(ends.get(day, DAY_US), max((day + 1) * DAY_US - row.last_us, 0))
    first, last = min(begins), max(ends)
    edges = (first, begins.pop(first)), (last, ends.pop(last))
    usual = [[_usual(_alike(of, edge)) for of in (begins, ends)] for edge, _ in edges]
    least = HOUR_US if rows[0].kind == "bucket" else 0
    late, early = ((own - x[k]) / max(DAY_US - x[0] - x[1] * (x[1] > least), SHORTEST_US)
                   for k, ((_, own), x) in enumerate(zip(edges, usual, strict=True)))
    return late * (late >= 1 / 24), early * (early > 1 / 24)


def _alike(of: Mapping[int, float], edge: int) -> Mapping[int, float]:
    """The days near an edge that are of its weekday; all that are near where those are too few."""
    near = {day: x for day, x in of.items() if abs(day - edge) <= NEAR}
    same = {day: x for day, x in near.items() if (day - edge) % 7 == 0}
    return same if len(same) >= LEAST_ALIKE else near


def lost_days(rows: Sequence[Spend]) -> dict[int, float]:
    """Days of which more usage is left out than MOST_LOST, and than twice the share that a usual day loses; what share it is.

    A share of calls; where rows are buckets, of tokens, and of the rows whose tokens are not known, of which none may be
    missing. A log that loses as much on every day has no such day: no day of it would tell more than another (`usual_loss`).
    """
    kept, gone, unread, calls = _by_day(rows)
    if calls:
        return _low(kept, _rows_of(gone, unread), 0, MOST_LOST)
    few, none = _low(kept, gone, 1, MOST_LOST), _low(kept, unread, 0, 0.0)
    return {day: min(few.get(day, 0.0) + none.get(day, 0.0), 1.0) for day in few.keys() | none.keys()}


def usual_loss(rows: Sequence[Spend]) -> float:
    """Share of its calls (of buckets: of tokens, or of rows with unknown ones) that a usual day loses; 0 if small."""
    kept, gone, unread, calls = _by_day(rows)
    lost = [(_rows_of(gone, unread), 0)] if calls else [(gone, 1), (unread, 0)]
    usual = max(_usual(_shares(kept, sums, of)) for sums, of in lost)
    return usual if usual > MOST_LOST else 0.0


_Sums = Mapping[int, Sequence[int]]


def _by_day(rows: Sequence[Spend]) -> tuple[_Sums, _Sums, _Sums, bool]:
    """(rows and tokens by day that count, that are lost, those of unknown tokens; whether what counts is calls)."""
    timed = [row for row in rows if row.kind != "cost" and row.first_us is not None]
    there = [row for row in timed if row.dropped is None]
    end = max((row.last_us or 0 for row in there), default=0)
    kept, gone, unread = (defaultdict[int, list[int]](lambda: [0, 0]) for _ in range(3))  # rows and tokens, by day
    for row in timed:
        assert row.first_us is not None
        first = row.first_us // DAY_US
        last = first if row.dropped is None else max(first, (min(row.last_us or 0, end) - 1) // DAY_US)
        if row.dropped is None or row.dropped.startswith(LOST):
            tokens = sum(row.tokens[name] for name in TOKENS)
            into = kept if row.dropped is None else gone if tokens and row.dropped.startswith(TOKENS_KNOWN) else unread
            for day in range(first, last + 1):
                into[day][0] += row.rows
                into[day][1] += tokens
    return kept, gone, unread, all(row.kind == "call" for row in there)


def _rows_of(*sums: _Sums) -> _Sums:
    """Rows by day of all of the sums."""
    return {day: [sum(each[day][0] for each in sums if day in each)] for day in set().union(*sums)}


def _low(kept: _Sums, lost: _Sums, of: int, most: float) -> dict[int, float]:
    """Days that lost a larger share than `most`, and than twice the usual one, and that share; `of` says of which sums."""
    shares = _shares(kept, lost, of)
    return {day: share for day, share in shares.items() if share > max(most, 2.0 * _usual(shares))}


def _shares(kept: _Sums, lost: _Sums, of: int) -> dict[int, float]:
    """What share of each day is lost."""
    shares = {}
    for day in kept.keys() | lost.keys():
        gone, there = (sums[day][of] if day in sums else 0 for sums in (lost, kept))
        shares[day] = gone / ((gone + there) or 1)
    return shares


def _usual(shares: Mapping[int, float]) -> float:
    """The median, the lower one of two."""
    return sorted(shares.values())[(len(shares) - 1) // 2] if shares else 0.0


def _clock(micros: int) -> str:
    """Hour and minute, UTC."""
    return f"{micros // HOUR_US % 24:02d}:{micros // (HOUR_US // 60) % 60:02d}"


def _looks_cut(rows: Sequence[Spend], last: int) -> str:
    """Why the last day looks cut off; empty where it does not."""
    volume: dict[int, int] = defaultdict(int)
    for row in rows:
        volume[row.day or 0] += sum(row.tokens.values())
    before = [volume[day] for day in range(last - 7, last) if day in volume]
    if len(before) < 3 or volume.get(last, 0) >= CUT_SHARE * min(before):
        return ""
    return f"looks cut off: {volume.get(last, 0) / min(before):.0%} of the smallest of the days before it"


def days_in_use(days: Days, rows: Sequence[Spend]) -> Days:
    """The log's days from the first to the last call of a model or a task, whose sums by day are `rows`: those of its workload.

    An end of the log is not one of them where LEAST_GONE days and more have no call there, and more than twice as many as lie
    between two days with calls: so a job of every Monday, or of single days (fewer than LEAST_RUNS), keeps the whole log. An
    edge day counts where it is whole, as in `complete_days`. Where files lie apart, they are the days of those which have it.
    """
    days, there = days.of_files({row.source for row in rows}), sorted(days_there(rows))
    if len(there) < LEAST_RUNS or there[-1] - there[0] + 1 < LEAST_GONE:
        return days
    gone = days.not_counted
    usual = max(sum(day not in gone for day in range(a + 1, b)) for a, b in pairwise(there))
    least = max(LEAST_GONE, 2 * usual + 1)
    (first, last), (late, early) = (days.first, days.last), map(bool, _cut(rows))
    if sum(day not in gone for day in range(first, there[0])) >= least:
        first = there[0] + late
    if sum(day not in gone for day in range(there[-1] + 1, last + 1)) >= least:
        last = there[-1] - early
    found = days.within(first, last)
    return found if len(found.complete) >= LEAST_RUNS else days


def silent_days(rows: Sequence[Spend], quiet: float) -> tuple[int, ...]:
    """Days between the first and the last row without any, whose weekday has rows on more than `quiet` of its dates."""
    there = days_there(rows)
    used = weekdays_used(there, quiet)
    return tuple(day for day in range(min(there, default=0), max(there, default=0)) if day not in there and day % 7 in used)


def weekdays_used(there: AbstractSet[int], quiet: float) -> set[int]:
    """Weekdays (days since 1970 modulo 7) that are `there` on more than `quiet` of their dates, the first to the last day."""
    dates = Counter(day % 7 for day in range(min(there, default=0), max(there, default=-1) + 1))
    used = Counter(day % 7 for day in there)
    return {weekday for weekday in used if used[weekday] > quiet * dates[weekday]}


def days_there(rows: Sequence[Spend]) -> set[int]:
    """Days on which there is a row, or which a bucket covers."""
    there: set[int] = set()
    for row in rows:
        there |= set(days_of(row))
    return there


def days_of(row: Spend) -> range:
    """The days on which the row's calls may have been: of a bucket all that it covers; none where it has no time."""
    if row.kind == "bucket" and row.first_us is not None and row.last_us is not None:
        return range(row.first_us // DAY_US, max(row.last_us - 1, row.first_us) // DAY_US + 1)
    return range(0) if row.day is None else range(row.day, row.day + 1)


def spans_told(days: Sequence[int]) -> str:
    """Days since 1970 in order, those that follow each other as one span; the first few."""
    spans: list[tuple[int, int]] = []
    for day in days:
        if spans and day == spans[-1][1] + 1:
            spans[-1] = spans[-1][0], day
        else:
            spans.append((day, day))
    return first_of([" to ".join(str(day_of(day)) for day in dict.fromkeys(span)) for span in spans], 5)
