"""Numbers and dates of a table of serving runs: read for what they certainly say, else the row's reason to be skipped."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from roi.store.tables.row_fields import Row, Unusable, cell

BLANKS = (
    "", "-", "--", "\u2013", "\u2014", "?", "n.s.", "ns", "n/a", "na", "n.a.", "nan", "<na>", "none", "null", "nil", "unknown",
    "unstated", "not stated", "not reported", "tbd",
)  # fmt: skip
"""Words for an empty cell."""

FORM = re.compile(r"([+-]?[\d.,'\u2019 \u00a0\u202f]*\d\.?(?:e[+-]?\d+)?)\s*([^\d]*)", re.IGNORECASE)
"""A number, and the unit behind it."""

GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(?:[,'\u2019\u00a0\u202f]\d{3})+(?:\.\d+)?")
"""A number with its thousands apart; "0,250" and "8,5" have a decimal comma, and "128 256" may be two numbers."""

POINTED = re.compile(r"[1-9]\d?\.(?!000)\d{3}")
"""A number with three decimals, which may be one of thousands ("1.024" tokens) where it would be a round one."""

MEAN_WORDS = re.compile(r"^(?:mean|avg\.?|average)\s*(?:of|=|:)?\s*|\s*\(?(?:mean|avg\.?|average)\)?$", re.IGNORECASE)
"""What says that a figure is the mean, which is what the columns hold."""

SPREAD = re.compile(r"\s*(?:±|\+/-|\+-)\s*[\d.]+\s*(?=\D*$)")
"""A standard deviation behind a mean."""

UNCERTAIN = (
    (r"\d\s*(?:-|–|—|\.\.+|~|\bto\b|\bbis\b)\s*\d", "a range; write its mean"),
    (r"^(?:~|≈|about|approx|around|circa|ca\.|roughly)", "an estimate"), (r"%", "a percentage"),
    (r"^(?:[<>≤≥]|up to|max|min|at least|at most)", "a bound"), (r"median|p\d\d|percentile", "no mean"),
    (r"^[\d.]+\s*k\b", "1,000 or 1,024 each? write it in full"),
)  # fmt: skip
"""Text with a number that is none -> why."""

Units = dict[str, float]

TOKENS: Units = dict.fromkeys(("tokens", "token", "toks", "tok"), 1.0)
REQUESTS: Units = dict.fromkeys(("requests", "request", "reqs", "req"), 1.0)
IN_FLIGHT: Units = {**REQUESTS, **dict.fromkeys(("users", "user", "clients", "client", "streams", "stream", "concurrent"), 1.0)}
SECONDS = ("/s", "/sec", "/second", " per second")
TOKEN_RATES: Units = {"tps": 1.0, **{each + second: 1.0 for each in (*TOKENS, "t") for second in SECONDS}}
REQUEST_RATES: Units = {"rps": 1.0, "qps": 1.0, **{each + second: 1.0 for each in REQUESTS for second in SECONDS}}
TIMES: Units = {
    "ms": 1.0, "msec": 1.0, "milliseconds": 1.0, "ms/token": 1.0, "ms/tok": 1.0, "s": 1e3, "sec": 1e3, "secs": 1e3,
    "seconds": 1e3, "us": 1e-3, "\u00b5s": 1e-3, "\u03bcs": 1e-3,
}  # fmt: skip
BILLIONS: Units = {"b": 1.0, "bn": 1.0, "billion": 1.0, "m": 1e-3, "million": 1e-3}


class Column(NamedTuple):
    """What a column of numbers holds."""

    unit: str
    """As an error names it."""
    units: Units
    """Units that cells may state -> the column's."""
    least: float
    most: float


COLUMNS = {
    "params_b": Column("billions", BILLIONS, 1e-4, 1e5),
    "isl": Column("tokens", TOKENS, 1.0, 1e7), "osl": Column("tokens", TOKENS, 1.0, 1e7),
    "concurrency": Column("requests", IN_FLIGHT, 1.0, 1e6),
    "req_per_s": Column("requests/s", REQUEST_RATES, 1e-6, 1e9),
    "output_tok_per_s": Column("tokens/s", TOKEN_RATES, 1e-6, 1e12),
    "total_tok_per_s": Column("tokens/s", TOKEN_RATES, 1e-6, 1e12),
    "ttft_ms": Column("ms", TIMES, 1e-6, 1e9), "tpot_ms": Column("ms", TIMES, 1e-6, 1e9),
}  # fmt: skip
"""Columns of numbers; the ends are what no run reaches, a slip of the hand at most."""

COUNTS = ("n_gpus", "tp")
"""Columns of whole numbers of GPUs."""

MOST_GPUS = 100_000
"""No run had more."""

COUNT = re.compile(
    r"(?:tp|tensor[ _-]?parallel|gpus?|n|x)?\s*[=:x\u00d7]?\s*(\d{1,7})(?:\.0+)?"
    r"\s*(?:gpus?|cards?|-?way|[x\u00d7]\s*(?:[a-z].*)?)?",
    re.IGNORECASE,
)
"""A number of GPUs, bare or with its words: "TP8", "tp=4", "8x", "8 GPUs", "8x H100"."""

YEARS = (
    re.compile(r"(?<!\d)(20\d\d)(?=(?:[01]\d[0-3]\d)?(?!\d))"), re.compile(r"\d[/.]\d{1,2}[/.](\d\d)$"),
    re.compile(r"'(\d\d)(?!\d)"),
)
"""A year alone or with month and day: 2025, 2025-06, 30.06.2025, 20250630, 6/30/25, Q2 '25; "Jun-25" may be a day of June."""


def stated_number(row: Row, column: str) -> float | None:
    """The number in a cell of COLUMNS, in the column's unit; None where it is empty; Unusable where it is not certain.

    Read: 128, "128 tokens", 1e3, "1,024", "mean 512", "12.5 ± 0.3", "0.008 s" (8 ms). Not read: "~500", "128-256", "5%", "8,5".
    """
    text = cell(row, column)
    if text.lower() in BLANKS:
        return None
    bare = SPREAD.sub(" ", MEAN_WORDS.sub("", text)).strip()
    found, kind = FORM.fullmatch(bare), COLUMNS[column]
    why = next((why for pattern, why in UNCERTAIN if re.search(pattern, bare.lower())), "")
    if found is None or why:
        raise Unusable(column, text, f"not a number of {kind.unit}{f' ({why})' if why else ''}")
    number, unit = found.group(1).strip(), found.group(2).strip().lower()
    if unit and unit not in kind.units:
        raise Unusable(column, text, f"not a number of {kind.unit}")
    value = _value(column, text, number) * kind.units.get(unit, 1.0)
    if column in ("isl", "osl") and POINTED.fullmatch(number) and not (round(value * 1e3) % 64 and round(value * 1e3) % 100):
        raise Unusable(column, text, "a decimal point or a thousands separator? write it in full")
    if not value > 0.0:
        raise Unusable(column, text, "not above 0")
    if not kind.least <= value <= kind.most:
        raise Unusable(column, text, f"not from {kind.least:g} to {kind.most:,.0f} {kind.unit}")
    return value


def _value(column: str, text: str, number: str) -> float:
    if GROUPED.fullmatch(number):
        number = re.sub(r"[,'\u2019\u00a0\u202f]", "", number)
    if "," in number:
        raise Unusable(column, text, "a decimal comma; write a point")
    try:
        return float(number)
    except ValueError:
        raise Unusable(column, text, f"not a number of {COLUMNS[column].unit}") from None


def readable_number(row: Row, column: str) -> float | None:
    """The number in a cell of COLUMNS, None where it is empty or not certain."""
    try:
        return stated_number(row, column)
    except Unusable:
        return None


def stated_count(row: Row, column: str) -> float | None:
    """The GPUs in a cell of COUNTS; None where it is empty; Unusable where it is no whole number above 0."""
    text = cell(row, column)
    if text.lower() in BLANKS:
        return None
    found = COUNT.fullmatch(text)
    if found is None or not 0 < int(found.group(1)) <= MOST_GPUS:
        raise Unusable(column, text, "not a whole number of GPUs")
    return float(found.group(1))


def stated_year(row: Row) -> int | None:
    """The year of the row's date, None where it is empty or has none that is certain."""
    text = cell(row, "date").replace("\u2019", "'")
    found = next((match for match in (pattern.search(text) for pattern in YEARS) if match), None)
    return None if found is None else 2000 + int(found.group(1)) % 100


def comma_doubt(rows: Iterable[Row]) -> str:
    """The first cell with a decimal comma, beside which "1,024" may be 1.024; empty where no cell has one."""
    for row in rows:
        for column in COLUMNS:
            text = cell(row, column)
            if re.fullmatch(r"[+-]?[\d.]*\d,\d+", text) and not GROUPED.fullmatch(text):
                return f"row {cell(row, 'id')!r} has {column} {text!r}"
    return ""


def check_commas(row: Row, doubt: str) -> None:
    """Raise where a number's comma may be of either kind, because another row has a decimal one."""
    for column in COLUMNS if doubt else ():
        text = cell(row, column)
        if "," in text and GROUPED.fullmatch(text):
            raise Unusable(column, text, f"a decimal comma or a thousands separator? {doubt}")
