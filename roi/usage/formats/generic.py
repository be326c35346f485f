"""Any table of calls or buckets with a time, input and output tokens: a CSV, JSON lines or Parquet of one's own.

Columns are found by their names (`own_columns`), or said: --map time=COLUMN --map input=COLUMN --map output=COLUMN. Whether
the input column counts cached tokens too is for the user to say (--input-includes-cache); unsaid, it is taken to count them,
and the other reading is the upper bound. Gemini's names say it: its prompt counts what is cached, and its candidates leave out
the thoughts, which cost as much. Reasoning of another name is part of the output, as at OpenAI, unless a row shows that it is
not.

Each line of JSON is read by its own names, since a gateway of several vendors logs each answer's usage as its API gave it: what
a line holds stands in columns that are called alike for all of them, and beside it how the line counts. Two usages in one line,
neither of which is told to be the call's, count nothing.

Beside calls that count stand others: those that failed, and runs of a tracer that repeat the counts of the runs inside them.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any, Final, NamedTuple

from roi.usage.formats.nested import columns_of, values_of
from roi.usage.formats.own_columns import (
    ANSWER_IDS,
    COUNTS,
    DETAILS,
    EXCLUSIVE,
    GROUPING,
    IDS,
    IN_USAGE,
    MADE,
    MONEY,
    NAMES,
    NEEDED,
    OF_CALLS,
    SPELLED,
    check_mapped,
    columns_found,
    counts_cached,
    has_several_inputs,
    is_total,
    leaf,
    may_be_column,
    money_of,
    thinking_beside,
)
from roi.usage.read.columns import (
    ENDS,
    NAMED,
    STARTS,
    count,
    dollars,
    faster_or_inside,
    flag,
    in_range,
    instant,
    no_flag,
    real,
    service,
    text,
    whole,
    year_last_instant,
    zero,
)
from roi.usage.read.database import rows_of
from roi.usage.read.lazy_ibis import Column, DuckDB, Table, ibis
from roi.usage.read.names_alone import NO_MODEL
from roi.usage.read.record import (
    LONGEST_NAME,
    SEVERAL_USAGES,
    TIMELESS,
    UNREAD_COST,
    UNREAD_REQUESTS,
    UNREADABLE_COUNT,
    Document,
    Fields,
    FileOptions,
    Format,
    ambiguous_input,
)

FAILED: Final = ("error", "errored", "failed", "failure", "timeout", "timed_out", "cancelled", "canceled", "aborted",
                 "exception")  # fmt: skip
"""Words for the status of a call that gave no answer; a number from 400 on is one too."""
STANDARD: Final = ("default", "standard", "auto", "on_demand", "standard_only")
"""Words for a service that are no tier."""
NO_CALL: Final = "a chain, tool or other run, which repeats the counts of its calls"
EMBEDDINGS: Final = ("embedding", "$ai_embedding")
LLM: Final = ("llm", "$ai_generation", *EMBEDDINGS)
"""What tracers call a call of a model; that of EMBEDDINGS has no output."""
NO_USAGE: Final = "a line without a usage, as of a call that failed"
NO_BATCH: Final = "a word for --map batch that is neither true nor false"
CELLS: Final = {**dict.fromkeys(TIMELESS, ("time",)), UNREAD_COST: ("cost",), UNREAD_REQUESTS: ("requests",),
                UNREADABLE_COUNT: ("input", "output", "thinking", "cached", "cache_write")}  # fmt: skip
"""What holds the cell for which a row does not count."""
CELLS_NAMED: Final = {UNREADABLE_COUNT: "token", UNREAD_REQUESTS: "request"}
"""A word of the names of the columns that may hold that cell in a known format."""
TIME_FORM: Final = re.compile(rf"(?:[0-9 .,/:'+-]|{NAMED}|[tzqw]|kw|[ap]m){{1,30}}", re.IGNORECASE)
NUMBER_FORM: Final = re.compile(r"[0-9]{1,3}([.,' ][0-9]{3})+([.,][0-9]+)?|[0-9]+,[0-9]+")
A_COST: Final = re.compile(r"(?!.*per)((^|[^a-zA-Z])(costs?|COSTS?)([^a-zA-Z]|$)|(^|[a-z_])Costs?([^a-z]|$))", re.ASCII)
"""A name that holds the word cost, and is no price of a piece."""
COST_FORM: Final = re.compile(
    rf"(?P<before>{MONEY})? ?-?[0-9][0-9.,' ]{{0,20}}(?P<after>{MONEY}|cents?|ct|\u00a2)?", re.IGNORECASE)
"""What a time is written with, a number with separators of thousands or a decimal comma, a cost with its
currency or part: no text that may not be shown."""


def generic_format(options: FileOptions, header: Sequence[str]) -> Format | None:
    """The generic format over the columns that the user mapped, else over those found by name; None where it does not fit.

    Raises InputError for a mapping to a column that is not there.
    """
    check_mapped(dict(options.columns), header)
    found = columns_found(dict(options.columns), header)
    said = next((name.lower() for name in header if name.lower().endswith(EXCLUSIVE)), None)
    form = _format(found, header, options, Marks(said or counts_cached(found, header), thinking_beside(found))
                   ) if found.keys() >= {*NEEDED} else None
    return form if form is None or said is None else replace(form, uses=(*form.uses, said))


Shape = tuple[tuple[tuple[str, str], ...], bool | None]
"""(kind of count and its name in a line) and whether the input counts cached tokens."""


class Marks(NamedTuple):
    """How a table, or the line in which they are columns, counts."""

    includes_cache: bool | str | None
    """Whether its input counts cached tokens; None where that is open; a column that says so of a row, or (EXCLUSIVE) not."""
    thinks_beside: bool | str
    """Whether its output leaves thinking out; False where that is open too."""
    kind: str | None = None
    """How people call what a line is, SEVERAL_USAGES, or None of a table."""


LINE_MARKS: Final = Marks("roi includes cache", "roi thinks beside", "roi kind of line")
"""Columns of the marks of each line."""


def _format(found: Mapping[str, str], header: Sequence[str], options: FileOptions, marks: Marks) -> Format:
    """The format of a table, or of lines, with these columns."""
    columns, said = dict(found), dict(options.columns)
    nested = "." in columns["input"]
    of_calls = nested or {leaf(name) for name in header if "." not in name} & {*map(leaf, OF_CALLS)}
    if "until" not in said and "requests" not in columns and of_calls:
        columns.pop("until", None)
    ids = [name.lower() for name in header if name.lower() in IDS]
    sure = "thinking" in said or thinking_beside(columns) or MADE.search(columns.get("thinking", ""))
    unsure = None if sure else columns.get("thinking")
    return Format(
        name="generic", title="table of your own", grain="bucket" if {"requests", "until"} & columns.keys() else "call",
        needs=frozenset(columns[what] for what in NEEDED),
        uses=(*columns.values(), *ids), prepare=partial(_counted, columns=columns),
        fields=lambda table, said: fields(table, said, columns, marks, nested=nested), local_times=True, own_columns=True,
        period=columns["time"], parts=(columns["group"],) if "group" in columns else (),
        groups={kind: columns[what] for kind, what in (("tag", "group"), ("session", "session")) if what in columns},
        may_lack_cached="cached" not in columns, may_lack_written="cache_write" not in columns,
        may_lack_hour="cache_write_1h" not in columns,
        remarks=(*_groups(header, columns), *_unread_costs(header, columns), *(() if unsure is None else (
            (f"{unsure} is taken as part of {columns['output']}; where a row has more of the former, as beside it in all rows:"
             f" --map thinking={unsure} says that it is"),))))


def _groups(header: Iterable[str], columns: Mapping[str, str]) -> tuple[str, ...]:
    """Which columns may say what calls belong together, where none was found that does."""
    found = [] if "group" in columns else [name for name in header if name.lower() in GROUPING]
    return (f"calls are not told apart by {' or '.join(found)}: --map group={found[0]} does",) if found else ()


def _unread_costs(header: Iterable[str], columns: Mapping[str, str]) -> tuple[str, ...]:
    """Which columns may be costs by the word in their names, where none was found that is."""
    others = {*columns.values(), *GROUPING, *NAMES["currency"]}
    found = [] if "cost" in columns else [
        name[:LONGEST_NAME] for name in header if "." not in name and A_COST.search(name) and name.lower() not in others]
    told = (f"no cost is read: the name of {' or '.join(found[:3])} does not tell in what it is; --map cost='{found[0]}' reads"
            " it in USD, and called cost_eur, cost_cents or cost_usd_micros it is read as such") if found else ""
    return (told,) if told else ()


def format_of_lines(options: FileOptions, documents: Sequence[Document], *, of_several: bool = False) -> Format | None:
    """The generic format of lines of JSON, each of which is read by its own names; None where none has what is needed.

    `documents` are the first. What another line alone has is read too, if it is a count. `of_several`: None also where usages
    of one shape alone are in them. Raises InputError for a mapping to a value that none of them has.
    """
    mapped, header = dict(options.columns), columns_of(documents)
    check_mapped(mapped, header)
    kept = {name.lower() for name in header}
    shapes = dict.fromkeys(_names_in(values_of(each), mapped) for each in documents)
    found = [columns_found(mapped, names) for names in shapes]
    whole_ones = [each for each in found if each.keys() >= {*NEEDED}]
    merged = _merged(shapes, found)
    if not whole_ones or (of_several and len(merged) == 1):
        return None
    every: dict[str, str] = {}
    for each in (*whole_ones, *found):
        every = {**{what: name for what, name in each.items() if name in kept}, **every}
    form = _format(every, header, options, LINE_MARKS)
    own = {name: name for name in form.groups.values()}  # by which the user may ask for it
    columns = {what: own.get(name, NAMES[what][0]) for what, name in every.items() if name in form.columns}
    columns |= {what: NAMES[what][0] for what in (*COUNTS, "searches")}
    ids = [name for name in form.uses if name in IDS and name != "id"]
    read = tuple((what, every.get(what) if name in own else None, name) for what, name in columns.items())
    return replace(
        form, needs=frozenset(columns[what] for what in NEEDED), uses=(*columns.values(), *ids, "id", *map(str, LINE_MARKS)),
        fields=lambda table, said: fields(table, said, columns, LINE_MARKS, nested="." in every["input"]),
        prepare=partial(_counted, columns=columns), period=columns["time"],
        flatten=partial(_row_of_line, columns=read, ids=ids, mapped=options.columns, shapes=merged))


def kinds_told(table: Table, engine: DuckDB) -> Iterator[str]:
    """How many lines count in which way, where they do in several, each of which is read by its own."""
    name = str(LINE_MARKS.kind)
    if name not in table.columns:
        return
    kinds = rows_of(table.group_by(name).aggregate(lines=table.count()).order_by(ibis.desc("lines"), name), engine)
    told = [f"{each['lines']:,} with {each[name]}" for each in kinds if each[name] not in (None, SEVERAL_USAGES)]
    if len(told) > 1:
        yield f"the lines have usages of {len(told)} kinds, each read by its own names: {'; '.join(told)}"


def _names_in(values: Document, mapped: Mapping[str, str]) -> tuple[str, ...]:
    """The names of a line by which what it holds is found."""
    said = {name.lower() for name in mapped.values()}
    return tuple(name for name in values if may_be_column(name) or name in said)


def _merged(shapes: Iterable[Sequence[str]], found: Iterable[Mapping[str, str]]) -> tuple[Shape, ...]:
    """The shapes of usage of these lines; those with each count in one place are one, since a count of 0 may be left out."""
    merged: list[Shape] = []
    for names, each in zip(shapes, found, strict=True):
        if not each.keys() >= {"input", "output"}:
            continue
        counts, includes = {what: each[what] for what in COUNTS if what in each}, counts_cached(each, names)
        alike = [(dict(other), others) for other, others in merged if None in (includes, others) or includes == others]
        near = [(len(counts.items() & other.items()), k) for k, (other, _) in enumerate(alike)
                if all(other.get(what, name) == name for what, name in counts.items())]
        if near:
            other, others = alike[max(near)[1]]
            merged.remove((tuple(other.items()), others))
            counts, includes = other | counts, others if includes is None else includes
        merged.append((tuple(counts.items()), includes))
    return tuple(merged)


def _row_of_line(
    document: Document, columns: Sequence[tuple[str, str | None, str]], ids: Sequence[str], mapped: tuple[tuple[str, str], ...],
    shapes: tuple[Shape, ...],
) -> Iterator[Document]:
    """What a line holds, in `columns`: (kind, the value's own name where it is the file's, the column's name)."""
    values = values_of(document)
    found, marks = _line_of(_names_in(values, dict(mapped)), mapped, shapes)
    said = next((value for name, value in values.items() if name.endswith(EXCLUSIVE)), None)
    if said is not None:
        marks = marks._replace(includes_cache=str(said).lower() != "true", kind=marks.kind and marks.kind.partition(",")[0])
    row = {column: values.get(name or found.get(what, "")) for what, name, column in columns}
    if is_total(found):
        row[NAMES["output"][0]] = _made(values.get(found["output"]), values.get(found.get("input", "")))
    answer = ".".join(found.get("input", "").split(".")[:-2])
    named = (values.get(f"{answer}.{name}" if answer else name) for name in ANSWER_IDS)
    row["id"] = next((str(each) for each in named if each is not None), None)
    yield row | {name: values.get(name) for name in ids} | dict(zip(map(str, LINE_MARKS), marks, strict=True))


def _made(total: object, given: object) -> int | None:
    """The output of a line that tells its input and the sum of both, which are whole numbers."""
    return total - given if isinstance(total, int) and isinstance(given, int) and total >= given else None


@lru_cache(1 << 12)
def _line_of(
    names: tuple[str, ...], mapped: tuple[tuple[str, str], ...], shapes: tuple[Shape, ...],
) -> tuple[dict[str, str], Marks]:
    """(where a line with these names holds what, how it counts), as those of the file's shapes that have all that it has."""
    found = columns_found(dict(mapped), names)
    if "input" not in found:
        return found, Marks(None, False, SEVERAL_USAGES if has_several_inputs(names) else None)
    own = {(what, found[what]) for what in COUNTS if what in found}
    includes = counts_cached(found, names)
    if includes is None and not any(DETAILS.search(name.rpartition(".")[0]) for name in names):
        alike = {others for counts, others in shapes if own <= {*counts}}
        includes = alike.pop() if len(alike) == 1 else None
    how = "are" if includes else "are not" if includes is False else "may or may not be"
    name = found["input"].rpartition(".")[2]
    kind = f"{SPELLED.get(name, name)}, of which cached tokens {how} a part"
    if includes is None and found.keys().isdisjoint(("cached", "cache_write")):
        kind = f"{SPELLED.get(name, name)} and no cached tokens"
    return found, Marks(includes, thinking_beside(found), kind)


def _counted(table: Table, columns: Mapping[str, str]) -> Table:
    """The table with each count as a column of its own, which SQL names where it is used again, and does not parse anew."""
    return table.mutate(**{f"roi {what}": (whole if what in NEEDED else count)(table, columns[what])
                           for what in COUNTS if what in columns})


def fields(table: Table, options: FileOptions, columns: Mapping[str, str], marks: Marks, *, nested: bool) -> Fields:
    """What rows of a table, as `_counted`, say whose `columns` say what is what, and whose counts are `nested` in others."""
    at = {what: columns.get(what, "") for what in NAMES}
    total, output, thinking, read, written, of_an_hour = (
        table[f"roi {what}"] if what in columns else ibis.literal(0, "int64") for what in COUNTS)
    inside, outside = (_marked(table, marks.includes_cache, settled) for settled in (True, False))
    if is_total(columns):
        output = ibis.ifelse(output >= total, output - total, ibis.null("int64"))
    total = total if zero(read) and zero(written) else ibis.ifelse(outside, total + read + written, total)
    given = ambiguous_input(total, read, written, options, known=inside | outside)
    # not filled where nothing is said: DuckDB keeps a dictionary through lower and nullif, and loses it in coalesce
    model: Column | str = text(table, at["model"]) if "model" in columns else options.model or NO_MODEL
    provider = text(table, at["provider"]).lower() if "provider" in columns else None
    paid_in, parts = money_of(at["cost"]) or (None, 1.0)
    signed = paid_in in {None, "USD"} and parts == 1.0 and "currency" not in columns
    cost = (dollars if signed else real)(table, at["cost"]) / parts if "cost" in columns else None
    said = None if paid_in in {None, "USD"} else ibis.literal(paid_in)
    currency = text(table, at["currency"]) if "currency" in columns else said
    requests = whole(table, at["requests"]) if "requests" in columns else None if "until" in columns else 1
    if "run_type" in columns:
        no_output = text(table, at["run_type"]).lower().isin(EMBEDDINGS)
        output = ibis.ifelse(no_output, count(table, at["output"]), output)
    if "thinking" in columns:
        beside = _marked(table, "thinking" in dict(options.columns) or marks.thinks_beside, True)
        output += ibis.ifelse(beside, thinking, _beside(ibis.ifelse(beside, 0, thinking), output))
    given["reasons"] = (*_no_calls(table, columns, output, cost, marks, nested=nested), *given["reasons"])
    if "batch" in dict(options.columns):  # a column that is merely called so may hold names of batches
        given["reasons"] += ((no_flag(table, at["batch"]), NO_BATCH),)
    tier = text(table, at["tier"]).lower().re_replace("^on_demand_", "") if "tier" in columns else None
    ran = service(tier, STANDARD, flag(table, at["batch"]))
    if not columns.keys().isdisjoint(IN_USAGE):
        ran["tier"] = faster_or_inside(ran.get("tier"), text(table, at["speed"]), text(table, at["inference_geo"]))
    moment = instant if options.dates == "iso" else partial(year_last_instant, day_first=options.dates == "eu")
    at_us, until_us = moment(table, at["time"]), moment(table, at["until"]) if "until" in columns else None
    if options.periods:
        named = table[STARTS].notnull() & ~in_range(at_us)
        until_us = ibis.ifelse(named, table[ENDS], ibis.null("int64")) if until_us is None else until_us
        at_us = ibis.ifelse(named, table[STARTS], at_us)
    return Fields(
        at_us=at_us, until_us=until_us, provider=provider, model=model, output=output, reasoning=thinking, requests=requests,
        cache_write_1h=of_an_hour, web_searches=count(table, at["searches"]), **ran, cost_usd=cost, costs=(at["cost"],),
        dollars=signed, counts=(at["requests"],), currency=currency, **given)


def _marked(table: Table, mark: bool | str | None, word: bool) -> Column:
    """True where the mark is this, of the table or in a column of it."""
    if isinstance(mark, str):
        return (text(table, mark).lower() == str(word is not mark.endswith(EXCLUSIVE)).lower()).fill_null(False)
    return ibis.literal(mark is word)


def _beside(thinking: Column, output: Column) -> Column:
    """The thinking where some row has more of it than of the output, of which it can then be no part; else 0."""
    more = (thinking > output).fill_null(False).cast("int64")
    return ibis.ifelse(more.max().over() > 0, thinking, 0)


def _no_calls(
    table: Table, columns: Mapping[str, str], output: Column, cost: Column | None, marks: Marks, *, nested: bool,
) -> Iterator[tuple[Column, str]]:
    """(condition, why) of rows that are no calls: what failed without an answer or a cost, and runs around the calls."""
    if marks.kind is not None:
        yield text(table, marks.kind) == SEVERAL_USAGES, SEVERAL_USAGES
    if nested:
        yield text(table, columns["input"]).isnull() & text(table, columns["output"]).isnull(), NO_USAGE
    if "status" in columns:
        status = text(table, columns["status"])
        failed = (real(table, columns["status"]) >= 400) | status.lower().isin(FAILED)
        free = (output.fill_null(0) == 0) & (True if cost is None else cost.fill_null(0.0) == 0)
        yield failed & free, "failed call"
    if "run_type" in columns:
        kind = text(table, columns["run_type"]).lower()
        call = kind.isin(LLM).fill_null(False)
        told = columns["run_type"] == "run_type" or call.cast("int64").max().over() > 0
        yield kind.notnull() & ~call & told, NO_CALL


def cell_behind(reason: str, row: Mapping[str, Any], options: FileOptions) -> tuple[str, str]:  # Any: cells of a table
    """(Column, cell) of the time or number in another form for which the row does not count; no cell where it is none.

    Of a time the column is told all the same.
    """
    found = columns_found(dict(options.columns), row)
    there = [found[what] for what in CELLS.get(reason, ()) if what in found]
    form = TIME_FORM if reason in TIMELESS else COST_FORM if reason == UNREAD_COST else NUMBER_FORM
    column, cell = _in_another_form(row, there, form)
    return column or (there[0] if reason in TIMELESS and there else ""), cell


def count_behind(reason: str, row: Mapping[str, Any]) -> tuple[str, str]:  # Any: cells of a table
    """(Column, cell) of the count in another form for which a row of a known format does not count; else no cell."""
    word = CELLS_NAMED.get(reason)
    return _in_another_form(row, [name for name in row if word is not None and word in name], NUMBER_FORM)


def _in_another_form(
    row: Mapping[str, Any], columns: Iterable[str], form: re.Pattern[str],  # Any: cells of a table
) -> tuple[str, str]:
    """The first cell of these columns that has this form, and its column; empty where none has."""
    cells = ((column, str(row[column] or "").strip()) for column in columns)
    return next(((column, cell) for column, cell in cells if form.fullmatch(cell)), ("", ""))
