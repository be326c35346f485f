"""Any table of calls or buckets with a time, input and output tokens: a CSV, JSON lines or Parquet of one's own.

Columns are found by the names below, or said: --map time=COLUMN --map input=COLUMN --map output=COLUMN. Whether the input
column counts cached tokens too is for the user to say (--input-includes-cache); unsaid, it is taken to count them, and the
other reading is the upper bound.
"""

import re
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, Final

from roi.errors import UnknownName
from roi.usage.read.columns import count, flag, instant, no_flag, real, text, whole, year_last_instant
from roi.usage.read.lazy_ibis import Column, Table
from roi.usage.read.names_alone import NO_MODEL
from roi.usage.read.record import (
    NO_TIME,
    UNREAD_COST,
    UNREAD_REQUESTS,
    UNREADABLE_COUNT,
    Fields,
    FileOptions,
    Format,
    ambiguous_input,
)

NAMES: Final = {
    "time": ("timestamp", "time", "start_time", "starttime", "created_at", "created", "datetime", "date", "arrival", "ts"),
    "input": ("input_tokens", "prompt_tokens", "inputtokens", "prompttokens", "contexttokens", "context_tokens", "tokens_in",
              "num_prefill_tokens", "request tokens", "input_length"),
    "output": ("output_tokens", "completion_tokens", "outputtokens", "completiontokens", "generatedtokens", "generated_tokens",
               "tokens_out", "num_decode_tokens", "response tokens", "output_length"),
    "cached": ("cached_tokens", "cache_read_tokens", "cache_read_input_tokens", "input_cached_tokens", "cachedtokens"),
    "cache_write": ("cache_write_tokens", "cache_creation_input_tokens", "cache_creation_tokens"),
    "model": ("model", "model_name", "model_id"),
    "provider": ("provider", "vendor", "provider_name"),
    "session": ("session_id", "conversation_id", "session"),
    "group": ("tag", "task", "prompt_name", "feature", "endpoint", "use_case", "project", "key", "api_key_name"),
    "cost": ("cost_usd", "cost", "total_cost", "spend", "amount_usd"),
    "currency": ("currency", "currency_code", "billing_currency", "cost_currency"),
    "requests": ("requests", "num_requests", "calls", "request_count"),
    "until": ("end_time", "endtime", "until"),
    "batch": ("batch", "is_batch"),
}  # fmt: skip
"""What a column holds, and the names by which it is found."""
SAID: Final = {what: (*names, what) for what, names in NAMES.items()}
"""The same; a column that is called as --map calls what it holds is that column."""
NO_BATCH: Final = "a word for --map batch that is neither true nor false"
CELLS: Final = {NO_TIME: ("time",), UNREADABLE_COUNT: ("input", "output", "cached", "cache_write"), UNREAD_COST: ("cost",),
                UNREAD_REQUESTS: ("requests",)}  # fmt: skip
"""What holds the cell for which a row does not count."""
CELLS_NAMED: Final = {UNREADABLE_COUNT: "token", UNREAD_REQUESTS: "request"}
"""The same in a known format: a word of the columns that may."""
DATE_FORM: Final = re.compile(r"[0-9]{1,2}[/.-][0-9]{1,2}[/.-][0-9]{4}[0-9 .,:APMapm]{0,20}")
NUMBER_FORM: Final = re.compile(r"[0-9]{1,3}([.,' ][0-9]{3})+([.,][0-9]+)?|[0-9]+,[0-9]+")
"""A date whose year is last, a number with separators of thousands or a decimal comma: no text that may not be shown."""
SEPARATORS: Final = re.compile(r"[ _.-]+")


def generic_format(options: FileOptions, header: tuple[str, ...]) -> Format | None:
    """The generic format over the columns that the user mapped, else over those found by name; None where it does not fit.

    Raises UnknownName for a mapping to a column that is not there or of something that is not read.
    """
    found = _found(options, header)
    if not (found["time"] and found["input"] and found["output"]):
        return None
    columns = {what: column for what, column in found.items() if column}
    return Format(
        name="generic", title="table of your own", grain="bucket" if {"requests", "until"} & columns.keys() else "call",
        needs=frozenset(columns[what] for what in ("time", "input", "output")), uses=tuple(columns.values()),
        fields=lambda table, said: fields(table, said, columns), local_times=True,
        parts=(columns["group"],) if "group" in columns else (),
        groups={kind: columns[what] for kind, what in (("tag", "group"), ("session", "session")) if what in columns})


def lacks_time(options: FileOptions, header: tuple[str, ...]) -> tuple[str, str] | None:
    """(input, output) columns of a table that has both and no time; None for any other."""
    found = _found(options, header)
    given, output = found["input"], found["output"]
    return (given, output) if given and output and not found["time"] else None


def _found(options: FileOptions, header: tuple[str, ...]) -> dict[str, str | None]:
    """The column of each kind, in lower case: as mapped, else by name; None where there is none."""
    mapped = dict(options.columns)
    for what, column in mapped.items():
        if what not in NAMES:
            raise UnknownName("--map", what, NAMES, "kind of column")
        if column.lower() not in {name.lower() for name in header}:
            raise UnknownName(f"--map {what}", column, header, "column")
    own = {_plain(name): name.lower() for name in reversed(header)}
    return {what: next((own[n] for n in map(_plain, names) if n in own), None) for what, names in SAID.items()} | {
        what: column.lower() for what, column in mapped.items()}


def _plain(name: str) -> str:
    """A column's name in lower case, with _ for what people put between words: `Prompt Tokens` is prompt_tokens."""
    return SEPARATORS.sub("_", name.strip().lower())


def fields(table: Table, options: FileOptions, columns: dict[str, str]) -> Fields:
    """What rows of a table say whose `columns` say what is what."""
    at = {what: columns.get(what, "") for what in NAMES}
    given = ambiguous_input(whole(table, at["input"]), count(table, at["cached"]), count(table, at["cache_write"]), options)
    # not filled where nothing is said: DuckDB keeps a dictionary through lower and nullif, and loses it in coalesce
    model: Column | str = text(table, at["model"]) if "model" in columns else options.model or NO_MODEL
    provider: Column | str | None = text(table, at["provider"]).lower() if "provider" in columns else options.provider
    if "model" in columns and options.model:
        model = text(table, at["model"]).fill_null(options.model)
    if "provider" in columns and options.provider:
        provider = text(table, at["provider"]).lower().fill_null(options.provider)
    cost = real(table, at["cost"]) if "cost" in columns else None
    requests = whole(table, at["requests"]) if "requests" in columns else None if "until" in columns else 1
    if "batch" in dict(options.columns):  # a column that is merely called so may hold names of batches
        given["reasons"] += ((no_flag(table, at["batch"]), NO_BATCH),)
    moment = instant if options.dates == "iso" else partial(year_last_instant, day_first=options.dates == "eu")
    return Fields(
        at_us=moment(table, at["time"]), until_us=moment(table, at["until"]) if "until" in columns else None,
        provider=provider, model=model, output=whole(table, at["output"]), requests=requests,
        batch=flag(table, at["batch"]), cost_usd=cost, costs=(at["cost"],), counts=(at["requests"],),
        currency=text(table, at["currency"]) if "currency" in columns else None, **given)


def cell_behind(reason: str, row: Mapping[str, Any], options: FileOptions) -> str:  # Any: cells of a table
    """The time or number in another form for which the row does not count; empty where it is none."""
    found = _found(options, tuple(row))
    there = [column for what in CELLS.get(reason, ()) if (column := found[what]) is not None]
    return _in_another_form(row, there, DATE_FORM if reason == NO_TIME else NUMBER_FORM)


def count_behind(reason: str, row: Mapping[str, Any]) -> str:  # Any: cells of a table
    """The same of a row of a known format, its counts alone."""
    word = CELLS_NAMED.get(reason)
    return _in_another_form(row, [name for name in row if word is not None and word in name], NUMBER_FORM)


def _in_another_form(row: Mapping[str, Any], columns: Iterable[str], form: re.Pattern[str]) -> str:  # Any: cells of a table
    """The first cell of these columns that has this form; empty where none has."""
    cells = (str(row[column] or "").strip() for column in columns)
    return next((cell for cell in cells if form.fullmatch(cell)), "")
