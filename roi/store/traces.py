"""A trace of calls: when each arrived and how long it was, from a file, and as traffic to replay."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from pathlib import Path
from typing import Final

import numpy as np

from roi.disk import read_text
from roi.errors import InputError, nearest_told
from roi.estimate.replay.traffic import Lengths
from roi.estimate.serving.request_shape import RequestShape
from roi.numerics.arrays import Array
from roi.scenario.other_files import USAGE, refuse_other

COLUMNS: Final = {
    "arrival_s": ("arrival_s", "timestamp"), "input_tokens": ("input_tokens", "contexttokens"),
    "output_tokens": ("output_tokens", "generatedtokens"), "cached_tokens": ("cached_tokens",),
}
"""Columns by meaning: those of `roi usage --trace`, and of the public Azure traces (TIMESTAMP is a date and time)."""
LEAST_S: Final = 30.0
"""Seconds that a trace lasts at least when it is replayed: many times what a request takes."""
SHORTEST_S: Final = 5.0
"""Seconds that a trace lasts at least where MOST_CALLS calls end it before LEAST_S; a faster one is refused."""
MOST_CALLS: Final = 20_000
"""Calls of a trace that is repeated, at most."""
MOST_BYTES: Final = 256 * 2**20
"""Bytes of a trace at most: some ten million calls."""
FEW_CALLS: Final = 200
"""Calls below which a 95th percentile rests on ten or fewer."""
LONGEST: Final = 10_000_000
"""Tokens of one example: beyond any model's context."""


@dataclass(frozen=True)
class Trace:
    """Calls in order of arrival; arrays of one length."""

    arrival_s: Array
    """When each call arrives, s, ascending from 0."""
    input_tokens: Array
    """Prompt tokens, cached ones included."""
    cached_tokens: Array
    output_tokens: Array

    @property
    def requests_per_s(self) -> float:
        """Mean rate over the trace."""
        return float(self.arrival_s.size / self.arrival_s[-1])

    def at(self, times: float, field: str = "--times") -> "Trace":
        """The calls `times` as fast, again and again until they last LEAST_S or are MOST_CALLS.

        A trace of an hour that is squeezed into seconds ends before its queues have built up: fewer replicas would then do for
        more load. InputError where not even MOST_CALLS of them last SHORTEST_S.
        """
        rate = self.requests_per_s * times
        if rate * SHORTEST_S > MOST_CALLS:
            most = MOST_CALLS / SHORTEST_S / self.requests_per_s
            raise InputError(f"{field}: {times:,.10g} times as fast is {rate:,.0f} requests a second, more than are replayed"
                             f" long enough to tell a steady load from its start; at most {most:,.0f}")
        calls = self.arrival_s.size
        rounds = max(min(ceil(LEAST_S * rate / calls), MOST_CALLS // calls), 1)
        period = self.arrival_s[-1] / times + 1.0 / rate
        arrivals = (np.arange(rounds)[:, None] * period + self.arrival_s / times).ravel()
        tokens = {name: np.tile(getattr(self, name), rounds) for name in ("input_tokens", "cached_tokens", "output_tokens")}
        return Trace(arrival_s=arrivals, **tokens)

    @property
    def key(self) -> tuple[object, ...]:
        """The bytes of all its numbers: equal for equal traces, so that a cache can hold their replays."""
        return tuple(a.tobytes() for a in (self.arrival_s, self.input_tokens, self.cached_tokens, self.output_tokens))

    @property
    def shape(self) -> RequestShape:
        """Means and spreads of the calls' lengths."""
        drawn = self.drawn()
        given, made = drawn.uncached_tokens, drawn.output_tokens
        return RequestShape(
            uncached_tokens=float(np.mean(given)), output_tokens=float(np.mean(made)),
            cached_tokens=float(np.mean(drawn.cached_tokens)), prompt_cv=float(np.std(given) / np.mean(given)),
            output_cv=float(np.std(made) / np.mean(made)),
            alone_tokens=float(np.mean(np.maximum(drawn.cached_tokens - drawn.common_tokens, 0.0))))

    def drawn(self, count: int | None = None) -> Lengths:  # noqa: ARG002 -- a trace is replayed whole
        """The lengths of all calls. One prefix is as long in each that finds it: common is what 95% of these find at least."""
        cached = np.minimum(self.cached_tokens, self.input_tokens - 1.0)
        uncached = np.maximum(np.rint(self.input_tokens - cached), 1.0)
        cached = np.maximum(np.rint(cached), 0.0)
        common = float(np.quantile(cached[cached > 0.0], 0.05)) if np.any(cached > 0.0) else np.inf
        return Lengths(uncached, np.maximum(np.rint(self.output_tokens), 1.0), cached, common)

    def arrivals(self, count: int | None = None) -> Array:  # noqa: ARG002 -- a trace is replayed whole
        """Arrival times at a mean rate of 1 a second."""
        return self.arrival_s * self.requests_per_s

    def seen_as(self, token_ratio: float, output_ratio: float, reasoning_tokens: float) -> "Trace":
        """The trace in another model's tokens."""
        given, cached = self.input_tokens * token_ratio, self.cached_tokens * token_ratio
        return Trace(
            arrival_s=self.arrival_s, input_tokens=given, cached_tokens=cached,
            output_tokens=self.output_tokens * token_ratio * output_ratio + reasoning_tokens)

    def within(self, most_tokens: float) -> "Trace":
        """The calls of at most so many tokens, answer included, alone, from the first of them on."""
        kept = self.input_tokens + self.output_tokens <= most_tokens
        arrivals = self.arrival_s[kept]
        return Trace(arrivals - arrivals[0], self.input_tokens[kept], self.cached_tokens[kept], self.output_tokens[kept])


def read_trace(path: Path, field: str = "--trace") -> Trace:
    """The trace in a CSV (columns of COLUMNS); InputError names the column, the line and the value that cannot be used."""
    try:
        rows = csv.reader(io.StringIO(read_text(path, MOST_BYTES, f"{field}: ", "a trace", filled=True), newline=""))
        heads = [head.strip().lower() for head in next(rows, [])]
        places = {name: _place(heads, names, field, path) for name, names in COLUMNS.items()}
        table = [_row(row, places, f"{field}: {path}, line {rows.line_num}") for row in rows if row]
    except csv.Error as error:
        raise InputError(f"{field}: {path} is no CSV: {error}") from None
    return trace_of(np.array(table, dtype=np.float64), f"{field}: {path}")


def trace_of(table: Array, where: str) -> Trace:
    """The trace of rows (arrival_s, input, output, cached tokens), sorted by arrival; InputError where they are no load."""
    if len(table) < 2:
        raise InputError(f"{where} has {len(table)} call{'' if len(table) == 1 else 's'}; a replay needs two or more")
    table = table[np.argsort(table[:, 0], kind="stable")]
    table[:, 0] -= table[0, 0]
    if table[-1, 0] <= 0.0:
        raise InputError(f"{where}: all calls arrive at one time; a rate needs two")
    given, made = np.maximum(table[:, 1], 1.0), np.maximum(table[:, 2], 1.0)
    return Trace(arrival_s=table[:, 0], input_tokens=given, cached_tokens=table[:, 3], output_tokens=made)


def _place(heads: list[str], names: tuple[str, ...], field: str, path: Path) -> int | None:
    """The index of the column with one of these names; None where it may be absent and is."""
    found = next((heads.index(name) for name in names if name in heads), None)
    if found is not None and heads.count(heads[found]) > 1:
        raise InputError(f"{field}: {path}: two columns are named {heads[found]}; rename the one that is not meant")
    if found is None and names != COLUMNS["cached_tokens"]:
        refuse_other(f"{field}: ", path, "trace", USAGE)
        near = nearest_told(names[0], heads)
        raise InputError(f"{field}: {path} has no column {' or '.join(names)}{near}{traced_from(path)}")
    return found


def traced_from(path: Path) -> str:
    """The end of a message about a table that is no trace: the command that makes one of a log of calls."""
    return f"; where it is a log of calls, roi usage {path} --trace OUT.csv makes a trace of it"


def _row(row: list[str], places: dict[str, int | None], where: str) -> tuple[float, ...]:
    """Arrival time, input, output and cached tokens of one line."""
    values = []
    for name, place in places.items():
        text = "0" if place is None else row[place].strip() if place < len(row) else ""
        try:
            value = _seconds(text) if name == "arrival_s" else float(text)
        except ValueError:
            raise InputError(f"{where}: {name} {text[:40]!r} is no {'time' if name == 'arrival_s' else 'number'}") from None
        if not np.isfinite(value) or value < 0.0:
            raise InputError(f"{where}: {name} {text[:40]!r} is not usable; 0 or more")
        values.append(value)
    return tuple(values)


def _seconds(text: str) -> float:
    """Seconds, from a number or from a date and time (digits below a microsecond are dropped)."""
    try:
        return float(text)
    except ValueError:
        head, dot, rest = text.partition(".")
        digits = "".join(ch for ch in rest if ch.isdigit())
        zone = rest[len(digits):]
        return datetime.fromisoformat(f"{head}{dot}{digits[:6].ljust(6, '0') if dot else ''}{zone}").timestamp()


def traced_lengths(trace: Trace) -> tuple[int, ...]:
    """Tokens of every call of a trace, as training on it would have them: what was sent and what came back."""
    return tuple(round(tokens) for tokens in (trace.input_tokens + trace.output_tokens).tolist())


def plain_lengths(path: Path, field: str) -> tuple[int, ...] | None:
    """The whole numbers in a file with one a line, blank lines left out; None where its first line has a comma: a trace.

    An InputError names the line and the value that is none.
    """
    lines = read_text(path, MOST_BYTES, f"{field}: ", "lengths").splitlines()
    told = [(number, line.strip()) for number, line in enumerate(lines, start=1) if line.strip()]
    if not told:
        raise InputError(f"{field}: {path} is empty; one number of tokens a line, or a trace of calls")
    return None if "," in told[0][1] else tuple(_lengths(told, f"{field}: {path}"))


def _lengths(told: Iterable[tuple[int, str]], where: str) -> Iterable[int]:
    for number, text in told:
        if not (text.isascii() and text.isdigit() and len(text) <= len(str(LONGEST)) and 1 <= int(text) <= LONGEST):
            raise InputError(f"{where}, line {number}: {text[:40]!r} is no number of tokens; whole, from 1 to {LONGEST:,}, "
                             "one a line; or give a trace: CSV with arrival_s, input_tokens, output_tokens")
        yield int(text)
