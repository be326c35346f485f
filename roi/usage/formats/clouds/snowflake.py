"""Snowflake Cortex: three views of SNOWFLAKE.ACCOUNT_USAGE, as CSV, JSON or Parquet.

CORTEX_REST_API_USAGE_HISTORY has a row for each request, with counts in TOKENS_GRANULAR: `input` leaves out what was read from
a cache and written to it, thinking is part of the output, and TOKENS is the sum of all. CORTEX_CODE_CLI_USAGE_HISTORY (and
those of Snowsight and Desktop) has such counts for each model. CORTEX_AI_FUNCTIONS_USAGE_HISTORY has a row for each query,
which may ask a model about each row of a table, so that it is a sum; AI_COMPLETE alone tells its input from its output. Failed
calls have no row. The times of the first and the last are those of whole hours; over Snowflake's SQL API they are seconds since
1970, a space, and the minutes of an offset. Credits are no USD, and are not read. Source: rows of a live account in
getlago/lago-agent-sdk-python, tests/unit/gateway/adapters/fixtures/snowflake_cortex (2026-08); the counts by model as
queries of public repositories read them.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Final

from roi.usage.formats.json_counts import NO_NUMBER, count_cell, has_keys, items_of, object_of
from roi.usage.read.columns import count, text, utc, whole
from roi.usage.read.lazy_ibis import Table
from roi.usage.read.record import Document, Fields, FileOptions, Format

COUNTS: Final = ("input", "output", "cache_read_input", "cache_write_input")
TOTAL: Final = "total"
"""Tokens of a function of which nobody says what was read and what was written."""
UNREAD: Final = {"input": NO_NUMBER}
"""Counts of what tells none where there are some: such a row is named as lost, not left out as no call."""
SQL_API_TIME: Final = re.compile(r"([0-9]+)\.[0-9]+ [0-9]{1,4}")
REST_NEEDS: Final = frozenset({"start_time", "model_name", "tokens", "tokens_granular"})
CODE_NEEDS: Final = frozenset({"usage_time", "tokens", "tokens_granular", "token_credits"})
FUNCTION_NEEDS: Final = frozenset({"start_time", "end_time", "model_name", "function_name", "metrics"})


def _row(plain: Document, model: object, counts: Document) -> Document:
    """A row of the counts of one model."""
    begins = plain.get("start_time", plain.get("usage_time"))
    times = {"start_time": begins, "end_time": plain.get("end_time")}
    for name, time in times.items():
        seconds = SQL_API_TIME.fullmatch(time) if isinstance(time, str) else None
        times[name] = time if seconds is None else seconds[1]
    own = {name: plain.get(name) for name in ("request_id", "query_id", "user_id", "user_name", "function_name")}
    return {**own, **times, "model_name": model, **{name: count_cell(counts.get(name)) for name in (*COUNTS, TOTAL)}}


def granular_rows(document: Document) -> Iterator[Document]:
    """A row for each model of TOKENS_GRANULAR, which holds counts, or counts by model."""
    for item in items_of(document):
        plain = {name.lower(): value for name, value in item.items()}
        counts = object_of(plain.get("tokens_granular"))
        counts = counts if isinstance(counts, dict) else {}
        by_model = [(model, inner) for model, inner in counts.items() if isinstance(inner, dict)]
        models = by_model if by_model and not counts.keys() & set(COUNTS) else [(plain.get("model_name"), counts)]
        none = count_cell(plain.get("tokens")) in (None, 0, "0")
        told = none or any(inner.keys() & set(COUNTS) for _, inner in models)
        for model, inner in models:
            yield _row(plain, model, inner if told else UNREAD)


def function_rows(document: Document) -> Iterator[Document]:
    """A row for each query, whose METRICS are a list of {"key": {"metric": ..., "unit": "tokens"}, "value": ...}."""
    for item in items_of(document):
        plain = {name.lower(): value for name, value in item.items()}
        metrics = object_of(plain.get("metrics"))
        counts: Document = {} if isinstance(metrics, list) else {**UNREAD}
        for each in metrics if isinstance(metrics, list) else []:
            key = each.get("key") if isinstance(each, dict) else None
            if isinstance(key, dict) and key.get("unit") == "tokens":
                counts[str(key.get("metric"))] = each.get("value")
        yield _row(plain, plain.get("model_name"), counts)


def fields(table: Table, _: FileOptions) -> Fields:
    """What rows say of requests."""
    return Fields(
        at_us=utc(table, "start_time"), provider="snowflake", model=text(table, "model_name"),
        uncached_input=count(table, "input"), cache_read=count(table, "cache_read_input"),
        cache_write=count(table, "cache_write_input"), output=count(table, "output"))


def function_fields(table: Table, options: FileOptions) -> Fields:
    """What rows say of queries."""
    unsplit = whole(table, TOTAL).notnull() & whole(table, "output").isnull()
    uncounted = text(table, "input").isnull() & text(table, "output").isnull()
    return replace(fields(table, options), requests=None, until_us=utc(table, "end_time"), reasons=(
        (unsplit, "tokens of a function that does not tell its input from its output"),
        (uncounted, "a function of which no tokens are counted, but pages or the like")))


SNOWFLAKE_REST: Final = Format(
    name="snowflake-rest", title="Snowflake Cortex REST API usage", grain="call", needs=REST_NEEDS,
    uses=("request_id", "user_id", *COUNTS, TOTAL), fields=fields, recognises=partial(has_keys, REST_NEEDS),
    flatten=granular_rows, table_by_document=True, groups={"user": "user_id"})
SNOWFLAKE_CODE: Final = replace(
    SNOWFLAKE_REST, name="snowflake-code", title="Snowflake Cortex Code usage", needs=CODE_NEEDS,
    uses=("start_time", "model_name", "request_id", "user_name", *COUNTS, TOTAL), recognises=partial(has_keys, CODE_NEEDS),
    groups={"user": "user_name"})
SNOWFLAKE_FUNCTIONS: Final = replace(
    SNOWFLAKE_REST, name="snowflake-functions", title="Snowflake Cortex functions usage", grain="bucket", needs=FUNCTION_NEEDS,
    uses=("query_id", "user_id", *COUNTS, TOTAL), fields=function_fields, recognises=partial(has_keys, FUNCTION_NEEDS),
    flatten=function_rows, parts=("query_id", "function_name"), groups={"project": "function_name", "user": "user_id"})
