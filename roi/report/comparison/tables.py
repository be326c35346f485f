"""A comparison as long tables: plain rows under column names, which frames, CSV files and charts are made of.

Money is in USD; month 0 is set-up. None means that a figure does not apply; a payback that is never reached is inf. Rows come
one by one, since 10,000 options over 120 months have millions of them.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from itertools import accumulate
from typing import Final

from roi.economics.decision.comparison import Comparison
from roi.economics.decision.drivers import Driver
from roi.economics.decision.evaluation import SentOn
from roi.economics.decision.option_result import FleetResult, InfeasibleOption, OptionResult, QualityResult, TrainingResult
from roi.economics.finance import discount_factors
from roi.errors import UnknownName
from roi.facts.fact import Value
from roi.report.comparison.options_table import arithmetic_month
from roi.report.layout.blocks import printable
from roi.report.layout.wording import case_number, fact_name

Cells = tuple[Value, ...]
"""A row: numbers, names, flags, None; the value of a fact may be a list."""
SPREAD: Final = "_p10_p50_p90"
ENDS: Final = ("_p10", "_p50", "_p90")
PARTS: Final = {"fleet": FleetResult, "training": TrainingResult, "quality": QualityResult, "sent_on": SentOn}
"""Records inside an option; their figures stand behind the record's name: fleet_gpus."""


@dataclass(frozen=True)
class LongTable:
    """Column names, and the rows under them, which can be gone through once."""

    columns: tuple[str, ...]
    rows: Iterator[Cells]


def table(c: Comparison, name: str) -> LongTable:
    """The table `name`: options, months, lines, facts or drivers. UnknownName for another.

    options: one row an option, those that cannot work with their reason. months: one row an option and month, its cost,
    what it saves against staying, and of the cost the cash (the rest is wrong answers and what is given up). lines: one row
    an option, cost line and month, with what the line pays for and whether that is cash. facts: one row a fact of the Case.
    drivers: one row a fact that moves the NPV of `driver_option`.
    """
    if name not in TABLES:
        raise UnknownName("table", name, TABLES, "table", TABLES)
    columns, rows = TABLES[name]
    return LongTable(columns, rows(c))


def _figures(record: type, lead: str = "") -> tuple[str, ...]:
    """Names of the figures of a record: its numbers, names and flags, a percentile a column."""
    names: list[str] = []
    for field in fields(record):
        if field.name.endswith(SPREAD):
            names += [lead + field.name.removesuffix(SPREAD) + end for end in ENDS]
        elif field.name not in PARTS and not str(field.type).startswith("tuple"):
            names.append(lead + field.name)
    return tuple(names)


OPTION: Final = _figures(OptionResult)
OPTIONS: Final = (
    *OPTION[:3], "feasible", "reason", *OPTION[3:],
    *(name for part, kind in PARTS.items() for name in _figures(kind, f"{part}_")),
)  # fmt: skip


def _options(c: Comparison) -> Iterator[Cells]:
    found: dict[str, OptionResult | InfeasibleOption] = {o.id: o for o in c.options}
    found |= {o.id: o for o in c.infeasible}
    for option in (found[id] for id in c.case.options if id in found):
        flat: dict[str, Value] = {"feasible": isinstance(option, OptionResult), "reason": getattr(option, "reason", None),
                                  **_flat(option)}
        for part in PARTS:
            flat |= _flat(getattr(option, part, None), f"{part}_")
        flat["evaluated"] = option.quality.status == "evaluated"
        yield tuple(flat.get(name) for name in OPTIONS)


def _flat(record: object, lead: str = "") -> dict[str, Value]:
    """The figures of a record by name; a spread as three."""
    flat: dict[str, Value] = {}
    for name, value in vars(record).items() if record is not None else ():
        if name.endswith(SPREAD):
            stem = lead + name.removesuffix(SPREAD)
            flat |= {stem + end: x for end, x in zip(ENDS, value or (None,) * len(ENDS), strict=True)}
        elif value is None or isinstance(value, (bool, int, float, str)):
            flat[lead + name] = value
    return flat


MONTHS: Final = ("option", "month", "cost_usd", "saving_usd", "cumulative_saving_usd", "discount_factor", "cash_usd")


def _months(c: Comparison) -> Iterator[Cells]:
    stay = next(o for o in c.options if o.id == "stay")
    bill = (stay.upfront_usd, *stay.monthly_usd)
    factors = (1.0, *discount_factors(case_number(c.case, "discount_rate_per_year"), len(stay.monthly_usd)).tolist())
    for o in c.options:
        costs = (o.upfront_usd, *o.monthly_usd)
        savings = [a - b for a, b in zip(bill, costs, strict=True)]
        paid = ((line.upfront_usd, *line.monthly_usd) for line in o.lines if line.cash)
        cash = map(sum, zip([0.0] * len(costs), *paid, strict=True))
        rows = zip(costs, savings, accumulate(savings), factors, cash, strict=True)
        yield from ((o.id, month, *row) for month, row in enumerate(rows))


LINES: Final = ("option", "line", "kind", "cash", "month", "usd", "basis", "source", "arithmetic")


def _lines(c: Comparison) -> Iterator[Cells]:
    """The arithmetic stands in the month that it is shown for, that of month 0 there."""
    for o in c.options:
        for line in o.lines:
            shown = arithmetic_month(line)
            for month, amount in enumerate((line.upfront_usd, *line.monthly_usd)):
                told = line.arithmetic if month == shown else line.arithmetic_upfront if month == 0 else None
                yield o.id, line.name, str(line.kind), line.cash, month, amount, str(line.basis), line.source, told


FACTS: Final = ("path", "name", "value", "low", "high", "unit", "basis", "source", "date")


def _facts(c: Comparison) -> Iterator[Cells]:
    for path, fact in c.case.facts.items():
        yield (path, fact_name(path), fact.value, fact.low, fact.high, fact.unit, fact.basis.value, fact.source,
               None if fact.date is None else fact.date.isoformat())


DRIVERS: Final = ("option", "path", "name", "value", "low", "high", "unit", *_figures(Driver)[1:])


def _drivers(c: Comparison) -> Iterator[Cells]:
    for driver in c.drivers:
        path, *pulls = vars(driver).values()
        fact = c.case[path]
        yield (c.driver_option, path, fact_name(path), fact.value, fact.low, fact.high, fact.unit, *pulls)


TABLES: Final[dict[str, tuple[tuple[str, ...], Callable[[Comparison], Iterator[Cells]]]]] = {
    "options": (OPTIONS, _options), "months": (MONTHS, _months), "lines": (LINES, _lines), "facts": (FACTS, _facts),
    "drivers": (DRIVERS, _drivers),
}  # fmt: skip
ROWS: Final = 10_000
"""Rows that are put together before they are handed on."""
TABLE_FILES: Final = tuple(f"{name}.csv" for name in TABLES)
FORMULA: Final = re.compile(r"[=+\-@\t\r]")
"""What a text begins with that a spreadsheet may take for a formula."""


def csv_files(c: Comparison) -> dict[str, Iterator[str]]:
    """Name of each file, options.csv and so on, and its text in parts."""
    return {f"{name}.csv": _parts(table(c, name)) for name in TABLES}


def _parts(found: LongTable) -> Iterator[str]:
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(found.columns)
    for count, row in enumerate(found.rows, start=1):
        writer.writerow([cell(value) for value in row])
        if count % ROWS == 0:
            yield file.getvalue()
            file.seek(0)
            file.truncate()
    yield file.getvalue()


def cell(value: Value) -> str | int | float | None:
    """A value as a CSV cell holds it."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, tuple):
        return json.dumps(value)
    if not isinstance(value, str):
        return value
    return "'" + printable(value) if FORMULA.match(value) else printable(value)
