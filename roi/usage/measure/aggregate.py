"""The few questions that a backend is asked: counts, sums, and integer log-bins, by day, group, minute and length.

Each answer is small whatever the number of rows: days x models, 200 groups, one row a minute, one row a length bin. All else is
computed from them in `days`, `lengths` and `pricing`. Log-bins of a token count stand in place of quantiles, which
several backends do not define.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from operator import add
from typing import Any, Final

from roi.numerics.arrays import Ints
from roi.usage.read.columns import DAY_US, MICRO, bucket_index
from roi.usage.read.database import rows_of, whole_columns_of
from roi.usage.read.lazy_ibis import Backend, Column, Table, ibis
from roi.usage.read.record import COLUMNS, TOKENS

PER_OCTAVE: Final = 8
"""Bins a doubling: a bin is 9% wide, so that its mean stands for any count in it to 4.5%."""
NONE: Final = -1
"""The bin that counts of 0 lie in."""
GUARD: Final = 1e-9
"""Added before the floor: powers of two lie on an edge, and backends may round their logarithm either way by 1e-15."""
DAY_S: Final = 86_400
MINUTE_S: Final = 60
SOON_S: Final = 10
"""Seconds within which calls of a job follow its first ones; a minute where times are not exact to a second."""
EDGES: Final = (32_000, 100_000, 128_000, 199_999, 200_000, 256_000, 272_000, 512_000, 524_288)
"""Input tokens above which some call costs more: every tier edge of genai-prices 0.2.3, ascending. A call's size class is the
number of edges that it exceeds, so that calls of one class pay one tier, whatever the model."""
CONTEXTS: Final = (8_192, 16_384, 32_768, 40_960, 65_536, 128_000, 131_072, 163_840, 196_608, 202_752, 262_144, 1_048_576)
"""Tokens that a call of an open model may hold, of 8,192 on all of the catalog's but one that no call of a log reaches,
ascending, so that it is counted which calls a candidate cannot take."""
MOST_GROUPS: Final = 200
"""Groups that have sums of their own, the largest by tokens; the rest is one line."""
TYPES: Final = {**COLUMNS, "costed": "boolean"}
"""Types of the keys of sums; days and size classes, which are not here, are integers."""
KEYS: Final = ("kind", "source", "provider", "model", "batch", "tier", "size_class", "top_class", "long_context",
               "costed")
"""Columns that sums are made by, beside the day or the group."""
SUMS: Final = (*TOKENS, "cache_write_1h", "reasoning", "perhaps_cached", "other_money", "life_open", "web_searches")
Service = tuple[str | None, str | None, bool, str | None]
"""Provider, model, batch and tier."""


@dataclass(frozen=True)
class Spend:
    """Sums over the rows of one day (or of a group's days at one price), model, batch and tier."""

    day: int | None
    """Days since 1970 UTC: of a group's sums the first of its weekday in their part; None where the rows have no time."""
    kind: str
    source: str
    provider: str | None
    model: str | None
    batch: bool
    tier: str | None
    size_class: int | None
    """Edges that each call exceeds; None for buckets, of whose calls only the sum is known."""
    long_context: bool | None
    """True above the first price edge, False below it, None where the rows do not say."""
    costed: bool
    """True where the source reports what the rows cost."""
    dropped: str | None
    rows: int
    requests: int | None
    """Requests of the rows; None where the source does not count them."""
    tokens: dict[str, int]
    """Tokens by the names in SUMS."""
    cost_usd: float
    first_us: int | None
    last_us: int | None
    """End of the last bucket, or time of the last call."""
    group: str | None = None
    top_class: int | None = None
    """`size_class` if what may be cached besides (perhaps_cached) is; None where nothing may, and for buckets."""

    @property
    def service(self) -> Service:
        """Provider, model, batch and tier of the sum, by which a list has its price."""
        return self.provider, self.model, self.batch, self.tier


def spend_by_day(records: Table, backend: Backend) -> list[Spend]:
    """Sums by day, source, model, batch, tier and reason of being dropped."""
    table = _classed(records, day=bucket_index(records.at_us, DAY_S))
    last = ibis.coalesce(table.until_us, table.at_us)
    sums = _summed(table, ("day", *KEYS, "dropped"), first_us=table.at_us.min(), last_us=last.max())
    return _spends(sums, backend)


def spend_by_group(
    records: Table, backend: Backend, parts: Sequence[int] = (0,), most: int | None = MOST_GROUPS,
) -> list[Spend]:
    """Sums by group in place of the day, of rows that count; those without one, or beyond the largest `most`, have None.

    `parts`: the days, ascending, at which the parts of the log begin; each weekday of each has sums of its own.
    """
    if constants(records).get("group", "") is None:
        return []
    kept = records.filter(records.dropped.isnull() & (records.kind != "cost"))
    steps = [(kept.at_us < end * DAY_US, day) for day, end in pairwise(parts)]
    first = (ibis.cases(*steps, else_=parts[-1]) if steps else ibis.literal(parts[-1])).cast("int64")
    day = first + ((bucket_index(kept.at_us, DAY_S) - first) % 7).fill_null(0)
    sums = _summed(_classed(kept, day=day.cast("int64")), ("day", "group", *KEYS))
    return _spends(sums if most is None else _of_largest(sums, most), backend)


def _of_largest(sums: Table, most: int) -> Table:
    """The sums of the groups with the most tokens, so many of them, and of all else together: its group is null."""
    named = sums.filter(sums.group.notnull())
    sizes = named.group_by("group").aggregate(size=reduce(add, [named[name] for name in TOKENS]).sum())
    largest = sizes.order_by([ibis.desc("size"), "group"]).limit(most).select(listed="group")
    found = sums.left_join(largest, sums.group == largest.listed)
    numbers = ("rows", *SUMS, "requests", "counted", "cost_usd")
    keys = {name: found["listed" if name == "group" else name] for name in sums.columns if name not in numbers}
    return found.group_by(**keys).aggregate(**{name: found[name].sum() for name in numbers})


@dataclass(frozen=True)
class Minutes:
    """Calls by calendar minute, of those that have any, in order of time; all of shape (minutes,)."""

    minute: Ints
    """Minutes since 1970 UTC."""
    calls: Ints
    rows: Ints
    """Records, of which one may be several calls."""
    even: Ints
    """Records at its very beginning."""
    soon: Ints
    """Records that follow within SOON_S."""
    latest_us: Ints
    """The latest record of each minute, microseconds after its beginning."""


def minute_counts(calls: Table, backend: Backend) -> Minutes:
    """Calls by minute, and how they lie at its beginning."""
    beyond = calls.at_us % (MINUTE_S * MICRO)
    table = calls.select(minute=bucket_index(calls.at_us, MINUTE_S), beyond=beyond, even=(beyond == 0).cast("int64"),
                         soon=beyond.between(1, SOON_S * MICRO).cast("int64"), requests=calls.requests)
    sums = {"calls": table.requests.sum(), "rows": table.count(), "even": table.even.sum(), "soon": table.soon.sum(),
            "latest_us": table.beyond.max()}
    counted = table.group_by("minute").aggregate(**{name: found.cast("int64") for name, found in sums.items()})
    return Minutes(*whole_columns_of(counted.order_by("minute"), backend))


@dataclass(frozen=True)
class LengthCell:
    """Calls whose input and output lie in one pair of log-bins."""

    input_bin: int
    output_bin: int
    calls: int
    input_tokens: int
    output_tokens: int
    cache_read: int = 0
    cache_write: int = 0
    size_class: int = 0
    context_class: int = 0
    """CONTEXTS that each call exceeds, its answer included."""
    longest: int = 0
    """Tokens of the longest that was answered, with its answer."""


def length_cells(calls: Table, backend: Backend, most: int | None = None) -> list[LengthCell]:
    """Joint histogram of input and output lengths, apart for each size and context class.

    `most`: tokens that no call exceeds, its answer included, where that is known: which edges above them it exceeds need not be
    asked, half the expression of a short log.
    """
    total = calls.uncached_input + calls.cache_read + calls.cache_write
    sizes, contexts = ([edge for edge in edges if most is None or edge < most] for edges in (EDGES, CONTEXTS))
    keys = {"size_class": _size_class(calls, edges=sizes), "context_class": _exceeded(total + calls.output, contexts),
            "input_bin": bin_of(total), "output_bin": bin_of(calls.output)}
    table = calls.select("output", "cache_read", "cache_write", "requests", total_input=total, **keys)
    sums = {"input_tokens": table.total_input, "output_tokens": table.output, "cache_read": table.cache_read,
            "cache_write": table.cache_write, "calls": table.requests}
    answered = ibis.ifelse(table.output > 0, table.total_input + table.output, 0)
    found = table.group_by(list(keys)).aggregate(
        **{name: column.sum().cast("int64") for name, column in sums.items()}, longest=answered.max().cast("int64"))
    cells = [LengthCell(**row) for row in rows_of(found, backend)]
    return sorted(cells, key=lambda cell: (cell.size_class, cell.context_class, cell.input_bin, cell.output_bin))


@dataclass(frozen=True)
class ReadCell:
    """Calls that read so many tokens from a prompt cache, by log-bin of what they read."""

    read_bin: int
    calls: int
    cache_read: int


def read_cells(calls: Table, backend: Backend) -> list[ReadCell]:
    """Histogram of cached tokens over the calls that read any."""
    table = calls.filter(calls.cache_read > 0).select("requests", "cache_read", read_bin=bin_of(calls.cache_read))
    found = table.group_by("read_bin").aggregate(
        calls=table.requests.sum().cast("int64"), cache_read=table.cache_read.sum().cast("int64"))
    return sorted((ReadCell(**row) for row in rows_of(found, backend)), key=lambda cell: cell.read_bin)


def bin_of(count: Column) -> Column:
    """floor(8 log2 count) as int64, NONE for 0; the same on every backend."""
    size = ibis.greatest(count, 1).cast("float64")
    index = (size.ln() * (PER_OCTAVE / math.log(2.0)) + GUARD).floor().cast("int64")
    return ibis.ifelse(count <= 0, NONE, index)


def _classed(records: Table, *, day: Column) -> Table:
    """The records with their day and the classes by which sums of them are priced apart."""
    known, more = constants(records), records.perhaps_cached
    costed = ibis.literal(known["cost_usd"] is not None) if "cost_usd" in known else records.cost_usd.notnull()
    none = ibis.null("int64")
    size, top = (none, none) if known.get("kind", "call") != "call" else (
        _size_class(records), none if known.get("perhaps_cached") == 0 else _size_class(records, more))
    return records.mutate(day=day, size_class=size, top_class=top, costed=costed)


def _size_class(records: Table, more: Column | int = 0, edges: Sequence[int] = EDGES) -> Column:
    """Edges below the call's input, with `more` on top; null for buckets. The smallest first, where nearly all calls lie."""
    total = records.uncached_input + records.cache_read + records.cache_write + more
    return ibis.ifelse(records.kind == "call", _exceeded(total, edges), ibis.null("int64")).cast("int64")


def _exceeded(count: Column, edges: Sequence[int]) -> Column:
    """How many of the edges, ascending, are below a count."""
    steps = [(count <= edge, ibis.literal(k, "int64")) for k, edge in enumerate(edges)]
    return ibis.cases(*steps, else_=len(edges)).cast("int64") if steps else ibis.literal(0, "int64")


def _summed(table: Table, keys: Sequence[str], **more: Column) -> Table:
    """Sums by `keys`. What is the same in every row (a format without batch, say) is neither grouped by nor summed."""
    same = constants(table)
    sums = {name: table[name].sum().cast("int64") for name in (*SUMS, "requests") if name not in same}
    if "cost_usd" not in same:
        sums["cost_usd"] = table.cost_usd.sum()
    if "requests" not in same:
        sums["counted"] = table.requests.count().cast("int64")
    found = table.group_by([key for key in keys if key not in same]).aggregate(rows=table.count().cast("int64"), **sums, **more)
    filled = {key: ibis.literal(same[key], TYPES.get(key, "int64")) for key in keys if key in same}
    for name in (*SUMS, "requests"):
        if name in same:
            filled[name] = ibis.null("int64") if same[name] is None else found.rows * int(same[name])
    if "counted" not in sums:
        filled["counted"] = ibis.literal(0, "int64") if same["requests"] is None else found.rows
    if "cost_usd" in same:
        filled["cost_usd"] = ibis.null("float64") if same["cost_usd"] is None else found.rows * float(same["cost_usd"])
    return found.mutate(**filled)


def constants(table: Table) -> dict[str, Any]:
    """Columns whose value is written in the expression itself, and that value."""
    import ibis.expr.operations as ops

    found: dict[str, Any] = {}
    for name in table.columns:
        value = table[name].op()
        while isinstance(value, ops.Field | ops.Cast):
            value = value.arg if isinstance(value, ops.Cast) else getattr(value.rel, "values", {}).get(value.name)
        if isinstance(value, ops.Literal):
            found[name] = value.value
    return found


def _spends(sums: Table, backend: Backend) -> list[Spend]:
    """The sums in the order of their keys, null first: a database gives them in an order that is not always the same."""
    keys = [name for name in ("day", "group", *KEYS, "dropped") if name in sums.columns]
    rows = sorted(rows_of(sums, backend), key=lambda row: [(row[key] is not None, row[key]) for key in keys])
    found = []
    for row in rows:
        tokens = {name: int(row.pop(name) or 0) for name in SUMS}
        counted, requests, cost = (row.pop(name) for name in ("counted", "requests", "cost_usd"))
        found.append(Spend(**{"day": None, "dropped": None, "first_us": None, "last_us": None, **row}, tokens=tokens,
                           cost_usd=float(cost or 0.0), requests=int(requests) if counted and counted == row["rows"] else None))
    return found
