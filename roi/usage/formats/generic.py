"""Any table of calls or buckets with a time, input and output tokens: a CSV, JSON lines or Parquet of one's own.

Columns are found by the names below, or said: --map time=COLUMN --map input=COLUMN --map output=COLUMN. Whether the input
column counts cached tokens too is for the user to say (--input-includes-cache); unsaid, it is taken to count them, and the
other reading is the upper bound. Gemini's names say it: its prompt counts what is cached, and its candidates leave out the
thoughts, which cost as much. Reasoning of another name is part of the output, as at OpenAI, unless a row shows that it is not.

A line of one's own log often holds the answer's usage as the API gave it: `usage.prompt_tokens`, `response.usage.input_tokens`.
A column may lie inside of others, by its path (`nested`); the counts then are those beside the input. The names inside a usage
say what the input counts: beside prompt_tokens_details (or input_tokens_details, inputTokenDetails) it holds what was cached;
Anthropic's and Bedrock's, beside cache_read_input_tokens (cacheReadInputTokens), leaves it out.

Beside calls that count stand others: those that failed, and runs of a tracer that repeat the counts of the runs inside them.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

from roi.errors import InputError, UnknownName, nearest
from roi.usage.formats.nested import row_of
from roi.usage.read.columns import count, flag, instant, no_flag, real, text, whole, year_last_instant
from roi.usage.read.lazy_ibis import Column, Table, ibis
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
    "time": ("timestamp", "time", "start_time", "starttime", "created_at", "created", "datetime", "date", "arrival", "ts",
             "timegenerated", "timegenerated [utc]", "start_timestamp", "start_ns"),
    "input": ("input_tokens", "prompt_tokens", "inputtokens", "prompttokens", "contexttokens", "context_tokens", "tokens_in",
              "num_prefill_tokens", "request tokens", "input_length", "prompt_token_count", "prompttokencount"),
    "output": ("output_tokens", "completion_tokens", "outputtokens", "completiontokens", "generatedtokens", "generated_tokens",
               "tokens_out", "num_decode_tokens", "response tokens", "output_length", "candidates_token_count",
               "candidatestokencount"),
    "thinking": ("thoughts_token_count", "thoughtstokencount", "thoughts_tokens", "thinking_tokens", "reasoning_tokens",
                 "output_reasoning_tokens", "reasoning_token_count", "reasoningtokens"),
    "cached": ("cached_tokens", "cache_read_tokens", "cache_read_input_tokens", "input_cached_tokens", "cachedtokens",
               "cached_content_token_count", "cachedcontenttokencount", "cachereadinputtokens", "cachedinputtokens",
               "cachereadtokens", "prompt_cached_tokens", "cache_read"),
    "cache_write": ("cache_write_tokens", "cache_creation_input_tokens", "cache_creation_tokens", "cache_write_input_tokens",
                    "cachewriteinputtokens", "cachewritetokens", "prompt_cache_creation_tokens", "cache_creation"),
    "cache_write_1h": ("cache_write_1h_tokens", "ephemeral_1h_input_tokens", "cache_creation_1h_tokens"),
    "model": ("model", "model_name", "modelname", "model_id", "ls_model_name", "model_version", "modelversion", "modelid"),
    "provider": ("provider", "vendor", "provider_name", "ls_provider"),
    "session": ("session_id", "conversation_id", "session"),
    "group": ("tag", "task", "prompt_name", "feature", "endpoint", "use_case", "project", "key", "api_key_name"),
    "cost": ("cost_usd", "cost", "total_cost", "spend", "amount_usd"),
    "currency": ("currency", "currency_code", "billing_currency", "cost_currency"),
    "requests": ("requests", "num_requests", "calls", "request_count"),
    "until": ("end_time", "endtime", "until"),
    "batch": ("batch", "is_batch"),
    "status": ("status_code", "http_status", "http_status_code", "response_status", "response_code", "status"),
    "run_type": ("run_type", "span_kind", "span_type", "span_attributes.type"),
}  # fmt: skip
"""What a column holds, and the names by which it is found."""
GROUPING: Final = ("client", "client_name", "client_id", "customer", "customer_name", "customer_id", "tenant", "tenant_id",
                   "account", "account_name", "team", "department", "cost_center", "app", "app_name", "application", "service",
                   "workflow", "agent", "product", "environment")  # fmt: skip
"""Names of columns by which calls may belong together, or that say who or where one was: by these they are grouped if asked."""
NEEDED: Final = ("time", "input", "output")
"""What a table of one's own must hold."""
SAID: Final = {what: names if what == "thinking" else (*names, what) for what, names in NAMES.items()}
"""The same; a column that is called as --map calls what it holds is that column, but `thinking`, which may be a word."""
THOUGHTS: Final = NAMES["thinking"][:3]
"""Gemini's names of thinking, which its count of the output leaves out."""
GEMINI_INPUT: Final = ("prompt_token_count", "prompttokencount")
"""And of its input, which counts what was read from a cache."""
IDS: Final = ("request_id", "requestid", "response_id", "generation_id")
"""Columns by which a call that stands in its file twice is known (`usage.duplicates`); `id` may be anybody's."""
OF_CALLS: Final = ("request_id", "requestid", "call_id", "run_id", "parent_run_id", "run_type", "span_id", "trace_id",
                   "generation_id", "latency", "latency_ms", "duration", "duration_ms", *NAMES["status"])  # fmt: skip
"""Names beside which the end of a row is that of a call, and of no bucket."""
FAILED: Final = ("error", "errored", "failed", "failure", "timeout", "timed_out", "cancelled", "canceled", "aborted",
                 "exception")  # fmt: skip
"""Words for the status of a call that gave no answer; a number from 400 on is one too."""
NO_CALL: Final = "a chain, tool or other run, which repeats the counts of its calls"
NO_USAGE: Final = "a line without a usage, as of a call that failed"
NO_BATCH: Final = "a word for --map batch that is neither true nor false"
CELLS: Final = {NO_TIME: ("time",), UNREADABLE_COUNT: ("input", "output", "thinking", "cached", "cache_write"),
                UNREAD_COST: ("cost",), UNREAD_REQUESTS: ("requests",)}  # fmt: skip
"""What holds the cell for which a row does not count."""
CELLS_NAMED: Final = {UNREADABLE_COUNT: "token", UNREAD_REQUESTS: "request"}
"""The same in a known format: a word of the columns that may."""
DATE_FORM: Final = re.compile(r"[0-9]{1,2}[/.-][0-9]{1,2}[/.-][0-9]{4}[0-9 .,:APMapm]{0,20}")
NUMBER_FORM: Final = re.compile(r"[0-9]{1,3}([.,' ][0-9]{3})+([.,][0-9]+)?|[0-9]+,[0-9]+")
"""A date whose year is last, a number with separators of thousands or a decimal comma: no text that may not be shown."""
COUNTS: Final = ("input", "output", "thinking", "cached", "cache_write", "cache_write_1h")
"""Of what a column holds, the counts of tokens."""
DETAILS: Final = re.compile(r"(prompt|input)_?tokens?_?details$")
"""What holds a usage's cached tokens where its input counts them."""
MADE: Final = re.compile(r"(completion|output)_?tokens?_?details\.")
"""What holds its thinking, where that is part of its output."""
LEFT_OUT: Final = (("cache_read_input_tokens", "cache_creation_input_tokens"),
                   ("cachereadinputtokens", "cachewriteinputtokens"))  # fmt: skip
INPUT_ALONE: Final = ("input_tokens", "inputtokens")
"""Names of what was read and written, and of the input, in a `usage` whose input leaves both out: Anthropic's, and that of
Bedrock's Converse."""
METADATA: Final = "metadata"
OF_METADATA: Final = ("group", "session", "provider")
"""What is taken from there alone: elsewhere inside a line a word called so may be of a prompt, or of who serves for whom one
pays.
"""
IN_CENTS: Final = "req_units"
"""A column of Portkey's, whose `cost` is in cents."""
SEPARATORS: Final = re.compile(r"[ _.-]+")


def generic_format(options: FileOptions, header: tuple[str, ...]) -> Format | None:
    """The generic format over the columns that the user mapped, else over those found by name; None where it does not fit.

    Raises UnknownName for a mapping to a column that is not there or of something that is not read.
    """
    found = _found(options, header)
    if not all(found[what] for what in NEEDED):
        return None
    said = dict(options.columns)
    of_calls = "." in str(found["input"]) or {_plain(name) for name in header} & {*map(_plain, OF_CALLS)}
    if "until" not in said and not found["requests"] and of_calls:
        found["until"] = None
    columns = {what: column for what, column in found.items() if column}
    ids = [name.lower() for name in header if name.lower() in IDS]
    sure = "thinking" in said or _of_gemini(columns) or MADE.search(columns.get("thinking", ""))
    unsure = None if sure else columns.get("thinking")
    return Format(
        name="generic", title="table of your own", grain="bucket" if {"requests", "until"} & columns.keys() else "call",
        needs=frozenset(columns[what] for what in NEEDED),
        uses=(*columns.values(), *ids),
        fields=lambda table, said: fields(table, said, columns), local_times=True, own_columns=True,
        parts=(columns["group"],) if "group" in columns else (),
        groups={kind: columns[what] for kind, what in (("tag", "group"), ("session", "session")) if what in columns},
        may_lack_cached="cached" not in columns, may_lack_written="cache_write" not in columns,
        may_lack_hour="cache_write_1h" not in columns,
        flatten=partial(row_of, columns=(*columns.values(), *ids)) if any("." in name for name in columns.values()) else None,
        remarks=(*_groups(header, columns), *(() if unsure is None else (
            (f"{unsure} is taken as part of {columns['output']}; where a row has more of the former, as beside it in all rows:"
             f" --map thinking={unsure} says that it is"),))))


def _groups(header: Iterable[str], columns: Mapping[str, str]) -> tuple[str, ...]:
    """Which columns may say what calls belong together, where none was found that does."""
    found = [] if "group" in columns else [name for name in header if name.lower() in GROUPING]
    return (f"calls are not told apart by {' or '.join(found)}: --map group={found[0]} does",) if found else ()


def _of_gemini(columns: Mapping[str, str]) -> bool:
    """True where thinking has a name that Gemini gives it."""
    return leaf(columns.get("thinking", "")) in THOUGHTS


def found_and_missing(options: FileOptions, header: tuple[str, ...]) -> tuple[dict[str, str], list[str]]:
    """The columns of a table that are needed, by what they hold, and what no column holds."""
    found = _found(options, header)
    there = {what: column for what in NEEDED if (column := found[what])}
    return there, [what for what in NEEDED if what not in there]


def _found(options: FileOptions, header: tuple[str, ...]) -> dict[str, str | None]:
    """The column of each kind, in lower case: as mapped, else by name; None where there is none."""
    mapped = dict(options.columns)
    for what, column in mapped.items():
        if what not in NAMES:
            raise UnknownName("--map", what, NAMES, "kind of column")
        if column.lower() not in {name.lower() for name in header}:
            raise _unknown_column(what, column, header)
    own = {_plain(name): name.lower() for name in reversed(header)}
    named = {what: next((own[n] for n in map(_plain, names) if n in own), None) for what, names in SAID.items()}
    if IN_CENTS in own:
        named["cost"] = None
    inside = sorted((name.lower() for name in header if "." in name), key=lambda name: name.count("."))
    if inside and not any(own.get(_plain(name)) for name in NAMES["input"]):
        named = _with_inside(named, inside, mapped)
    return named | {what: column.lower() for what, column in mapped.items()}


def _with_inside(named: dict[str, str | None], paths: list[str], mapped: Mapping[str, str]) -> dict[str, str | None]:
    """What is named, and for what is not the nearest path to a value of such a name; counts lie where the input does."""
    def nearest_path(what: str, beginning: str = "") -> str | None:
        """The first of the shallowest paths with this beginning that end in a name of it, the likeliest name first."""
        names = [*map(_plain, NAMES[what])]
        there = [path for path in paths if path.startswith(beginning) and leaf(path) in names]
        if what in OF_METADATA:
            there = [path for path in there if METADATA in path.split(".")[:-1]]
        return min(there, key=lambda path: (path.count("."), names.index(leaf(path))), default=None)

    given = mapped["input"].lower() if "input" in mapped else _one_input(paths)
    usage = given.rpartition(".")[0] if given else ""
    answer = usage.rpartition(".")[0]
    if given is None or not usage:
        return named
    beside = {what: nearest_path(what, f"{usage}.") for what in (*COUNTS, "cost")} | {"input": given}
    for what in ("time", "model", "status", "run_type", *OF_METADATA):
        own = next((path for path in paths if path in NAMES[what]), None)
        beside[what] = named[what] or own or nearest_path(what, f"{answer}.") or nearest_path(what)
    return named | beside | {"cost": named["cost"] or beside["cost"]}


def _one_input(paths: list[str]) -> str | None:
    """The shallowest path to an input; of several that of a `usage`. None where that leaves several, as with one a model."""
    there = [path for path in paths if leaf(path) in map(_plain, NAMES["input"])]
    nearest_ones = [path for path in there if path.count(".") == there[0].count(".")]
    of_usage = [path for path in nearest_ones if path.split(".")[-2] == "usage"]
    return next((each[0] for each in (nearest_ones, of_usage) if len(each) == 1), None)


def _counts_cached(columns: Mapping[str, str], given: bool | None) -> bool | None:
    """Whether the input counts cached tokens, as the user says, else as the names inside a usage do; None where they do not."""
    holder, _, name = columns.get("cached", "").rpartition(".")
    if given is not None or "." not in columns["input"]:
        return given
    if DETAILS.search(holder):
        return True
    as_answered = holder.rpartition(".")[2] == "usage" and (name, leaf(columns.get("cache_write", ""))) in LEFT_OUT
    return False if as_answered and leaf(columns["input"]) in INPUT_ALONE else None


def leaf(name: str) -> str:
    """The last name of a path, plain."""
    return _plain(name.rpartition(".")[2])


def _unknown_column(what: str, column: str, header: tuple[str, ...]) -> InputError:
    """That a file has no such column, the nearest that it has, by name or by what is asked for, and where the others are."""
    near = nearest(column, header) or nearest(what, header)
    more = len(set(header)) - len(near)
    told = f"; nearest: {', '.join(name[:40] for name in near)}" if near else ""
    others = f"; the file's header lists {f'{more:,} more' if near else f'its {more:,}'}" if more else ""
    return InputError(f"--map {what}: unknown column {column[:80]!r}{told}{others}")


def _plain(name: str) -> str:
    """A column's name in lower case, with _ for what people put between words: `Prompt Tokens` is prompt_tokens."""
    return SEPARATORS.sub("_", name.strip().lower())


def fields(table: Table, options: FileOptions, columns: dict[str, str]) -> Fields:
    """What rows of a table say whose `columns` say what is what."""
    at = {what: columns.get(what, "") for what in NAMES}
    if options.includes_cache is None and leaf(at["input"]) in GEMINI_INPUT:
        options = replace(options, includes_cache=True)
    options = replace(options, includes_cache=_counts_cached(columns, options.includes_cache))
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
    output, thinking = whole(table, at["output"]), count(table, at["thinking"])
    if "thinking" in columns:
        output += thinking if "thinking" in dict(options.columns) or _of_gemini(columns) else _beside(thinking, output)
    given["reasons"] = (*_no_calls(table, columns, output, cost), *given["reasons"])
    if "batch" in dict(options.columns):  # a column that is merely called so may hold names of batches
        given["reasons"] += ((no_flag(table, at["batch"]), NO_BATCH),)
    moment = instant if options.dates == "iso" else partial(year_last_instant, day_first=options.dates == "eu")
    return Fields(
        at_us=moment(table, at["time"]), until_us=moment(table, at["until"]) if "until" in columns else None,
        provider=provider, model=model, output=output, reasoning=thinking, requests=requests,
        cache_write_1h=count(table, at["cache_write_1h"]), batch=flag(table, at["batch"]), cost_usd=cost, costs=(at["cost"],),
        counts=(at["requests"],),
        currency=text(table, at["currency"]) if "currency" in columns else None, **given)


def _beside(thinking: Column, output: Column) -> Column:
    """The thinking where some row has more of it than of the output, of which it can then be no part; else 0."""
    more = (thinking > output).fill_null(False).cast("int64")
    return ibis.ifelse(more.max().over() > 0, thinking, 0)


def _no_calls(table: Table, columns: Mapping[str, str], output: Column, cost: Column | None) -> Iterator[tuple[Column, str]]:
    """(condition, why) of rows that are no calls: what failed without an answer or a cost, and runs around the calls."""
    if "." in columns["input"]:
        yield text(table, columns["input"]).isnull() & text(table, columns["output"]).isnull(), NO_USAGE
    if "status" in columns:
        status = text(table, columns["status"])
        failed = (real(table, columns["status"]) >= 400).fill_null(False) | status.lower().isin(FAILED).fill_null(False)
        free = (output.fill_null(0) == 0) & (True if cost is None else cost.fill_null(0.0) == 0)
        yield failed & free, "failed call"
    if "run_type" in columns:
        kind = text(table, columns["run_type"]).lower()
        told = columns["run_type"] == "run_type" or (kind == "llm").fill_null(False).cast("int64").max().over() > 0
        yield (kind != "llm").fill_null(False) & told, NO_CALL


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
