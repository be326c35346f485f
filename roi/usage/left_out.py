"""Rows that do not count: why, where the first stands, and when there are too many of them to go on."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from roi.errors import InputError
from roi.usage.formats.generic import COST_FORM, cell_behind, count_behind
from roi.usage.formats.own_columns import CURRENCIES, SIGNED
from roi.usage.log import Log
from roi.usage.measure.aggregate import Spend
from roi.usage.read.columns import YEAR_LAST
from roi.usage.read.lazy_ibis import Backend
from roi.usage.read.names_alone import OWN_TABLE
from roi.usage.read.raw import first_dropped
from roi.usage.read.record import (
    AMOUNT_IN,
    LONGEST_NAME,
    NOT_USD,
    TIMELESS,
    UNREAD_COST,
    UNREAD_REQUESTS,
    UNREADABLE_COUNT,
    FileOptions,
)
from roi.usage.told import rows_told

NUMBERS = "write numbers without a separator of thousands, and with a decimal point"
COUNTS = "write counts as whole numbers, without a separator of thousands"
TIMES_READ = (
    "times are ISO 8601 (2026-10-05T12:00:00Z, 2026-10-05 12:00), seconds to nanoseconds since 1970, month/day/year with"
    " --dates us, or day/month/year with --dates eu; the sum of a month has its name (2026-10, 202610, 10/2026, 10.2026,"
    " Oct 2026, Oct-26; also 2026-Q3, 2026-W40), or its first day, and the next month's in a column until"
)
"""The format whose dates and numbers are in a form that its writer chose."""
MOST_LOST = 0.1
"""Share of its rows that may be in another form."""


@dataclass(frozen=True)
class Dropped:
    """Rows that do not count."""

    source: str
    reason: str
    rows: int
    where: str
    """File and line of the first, where that is known."""
    column: str = ""
    """Column of the value, or of times where those are what cannot be read."""
    value: str = ""
    """The time or the number in another form that stands there, in a table of one's own."""
    usd: float = 0.0
    """What they report that they cost, in USD, such as those of web searches in a cost export."""


def dropped_rows(every: Sequence[Spend], log: Log, options: FileOptions, engine: Backend) -> Iterator[Dropped]:
    """Rows left out by reason, most first, then by name: those that could not be read, and those that do not count."""
    sums: dict[tuple[str, str], int] = defaultdict(int)
    where: dict[tuple[str, str], str] = {}
    values: dict[tuple[str, str], tuple[str, str]] = {}
    costs: dict[tuple[str, str], float] = defaultdict(float)
    for table in log.tables:
        for reason, rows in table.unread.rows.items():
            sums[table.format.name, reason] += rows
            where.setdefault((table.format.name, reason), table.unread.where.get(reason, ""))
    for row in every:
        if row.dropped is not None:
            sums[row.source, row.dropped] += row.rows
            in_usd = not row.dropped.startswith((NOT_USD, AMOUNT_IN))
            costs[row.source, row.dropped] += row.cost_usd if in_usd else 0.0
    for raw in log.raws:
        name = raw.found[0].format.name
        reasons = {reason for source, reason in sums if source == name and (source, reason) not in where}
        for reason, (place, cells) in first_dropped(raw, reasons, replace(options, periods=raw.periods), engine).items():
            where[name, reason] = place
            values[name, reason] = cell_behind(reason, cells, options) if name == OWN_TABLE else count_behind(reason, cells)
    for (source, reason), rows in sorted(sums.items(), key=lambda x: (-x[1], x[0])):
        each = source, reason
        yield Dropped(source, reason, rows, where.get(each, ""), *values.get(each, ("", "")), costs[each])


def refuse_dropped(dropped: Sequence[Dropped], *, strict: bool, nothing: bool) -> None:
    """Raise InputError where a row is left out although none may be (`strict`), or where `nothing` else is there."""
    first = dropped[0] if dropped else None
    where = _where(first) if first else ""
    if strict and first:
        raise InputError(f"--strict: {rows_told(sum(d.rows for d in dropped))} left out, {first.rows:,} of them for"
                         f" {first.reason!r}{where}")
    if nothing:
        money = f" of ${first.usd:,.2f}" if first and first.usd else ""
        why = f": {rows_told(first.rows)}{money} for {first.reason!r}{where}" if first else ""
        unnamed = "; group the export by model, or if all calls are of one model: --model NAME"
        reason = first.reason if first else ""
        hint = f"; {TIMES_READ}" if reason in TIMELESS else unnamed if reason.startswith("no model") else ""
        hint = f"; {COUNTS}" if reason in (UNREADABLE_COUNT, UNREAD_REQUESTS) else hint
        raise InputError(f"FILES: no row counts{why}{hint}")


def _where(first: Dropped) -> str:
    place = f"{first.where}{f', column {first.column[:LONGEST_NAME]}' if first.where and first.column else ''}"
    place += f": {first.value!r}" if first.where and first.value else ""
    return f" ({place})" if place else ""


def refuse_another_form(dropped: Sequence[Dropped], rows: int) -> None:
    """Raise InputError where more than a tenth of the rows of a table of one's own have times or numbers in another form.

    The first that cannot be read tells the form; what is none (an empty cell, a word) is left out and listed. `rows` are all
    of such tables.
    """
    for reasons in (TIMELESS, (UNREADABLE_COUNT, UNREAD_COST, UNREAD_REQUESTS)):
        found = [each for each in dropped if each.source == OWN_TABLE and each.reason in reasons]
        first = next((each for each in found if each.value), None)
        if first is not None and (lost := sum(each.rows for each in found)) > MOST_LOST * rows:
            told = _date_form if first.reason in TIMELESS else _cost_form if first.reason == UNREAD_COST else None
            form = told(first.value) if told else COUNTS
            raise InputError(f"FILES: {lost:,} of {rows_told(rows)} cannot be read: {first.reason}{_where(first)}; {form}")


def _cost_form(value: str) -> str:
    """How to write a cost such as this, so that it is read: its currency or part beside the number."""
    told = COST_FORM.fullmatch(value)
    unit = ((told["before"] or told["after"]) if told else None) or ""
    code = SIGNED.get(unit, unit.lower())
    if code in {"", "usd"}:
        return NUMBERS
    if code not in CURRENCIES:
        return "write the number alone, with a decimal point, in a column cost_cents"
    return (f"write the number alone, with a decimal point, and {code.upper()} in a column currency, or call the column"
            f" cost_{code}; --exchange-rate {code.upper()}=USD@DAY, as in EUR=1.08@2026-10-31, then counts it")


def _date_form(value: str) -> str:
    """What reads dates such as this, whose year is last; of another time, what is read."""
    if not re.match(YEAR_LAST, value):
        return TIMES_READ
    forms = {"eu": "--dates eu reads day/month/year", "us": "--dates us reads month/day/year"}
    first, second = map(int, re.split(r"[/.-]", value)[:2])
    if max(first, second) > 12:  # months of a year
        return forms["eu" if first > 12 else "us"]
    return "; ".join(forms.values())
