"""Anthropic: the usage CSV that the Claude Console exports.

The four input columns are disjoint: `usage_input_tokens_no_cache` leaves out what was read from the cache and what was written
to it, for five minutes or an hour. Output counts thinking too. A row is one UTC day of a model, a key, a workspace and a kind
of use; calls are not counted. Priority and fast rows are kept with that word as their tier. Ignored: web searches, which are
billed a piece, and `inference_geo`, which may change the price. Column names as in exports that users published
between March and September 2026.
"""

from typing import TYPE_CHECKING

from roi.usage.read.columns import MICRO, count, instant, text, whole
from roi.usage.read.format import Format, group_column
from roi.usage.read.record import Asked, Fields, record

if TYPE_CHECKING:
    import ibis.expr.types as ir

READ = "usage_input_tokens_cache_read"
WRITE_5M = "usage_input_tokens_cache_write_5m"
WRITE_1H = "usage_input_tokens_cache_write_1h"
WRITE = "usage_input_tokens_cache_write"
"""Of exports from before there were two lives."""

STANDARD = ("standard", "batch")
"""Kinds of use that are no tier: batch is a column of its own."""

DAY_US = 86_400 * MICRO


def records(table: "ir.Table", asked: Asked) -> "ir.Table":
    """Records of the console's CSV."""
    # The day is UTC whatever zone other files are read in: text without an offset would take theirs, a date does not.
    table = table.mutate(utc_day=text(table, "usage_date_utc").left(10).try_cast("date"))
    day, written_1h = instant(table, "utc_day"), count(table, WRITE_1H)
    model = text(table, "model_version")
    return record(table, ANTHROPIC_CSV.name, Fields(
        kind="bucket", at_us=day, until_us=day + DAY_US, provider="anthropic",
        model=model.fill_null(asked.model) if asked.model else model,
        uncached_input=whole(table, "usage_input_tokens_no_cache"), cache_read=count(table, READ),
        cache_write=count(table, WRITE_5M) + written_1h + count(table, WRITE), cache_write_1h=written_1h,
        output=whole(table, "usage_output_tokens"), requests=None,
        batch=is_batch(table, "usage_type"), tier=tier(table, "usage_type"), long_context=above_edge(table),
        group=group_column(ANTHROPIC_CSV, table, asked),
    ))  # fmt: skip


def is_batch(table: "ir.Table", column: str) -> "ir.Value":
    """True where the kind of use is batch; false too where it is not stated."""
    return (text(table, column).lower() == "batch").fill_null(False)


def tier(table: "ir.Table", column: str) -> "ir.Value":
    """The word of a row that is not at the list price: fast, where it is both, before its service tier."""
    import ibis

    service = text(table, column).lower()
    return ibis.ifelse((text(table, "speed").lower() == "fast").fill_null(False), "fast",
                       service.isin(STANDARD).ifelse(None, service))


def above_edge(table: "ir.Table") -> "ir.Value":
    """True for the window above 200,000 tokens: `200k-1M` in the API; the console writes its windows with ≤ and >."""
    window = text(table, "context_window").lower()
    return (window.contains("1m") | window.startswith(">")).fill_null(False)


ANTHROPIC_CSV = Format(
    name="anthropic-csv", title="Anthropic console CSV", grain="bucket",
    needs=frozenset({"usage_date_utc", "model_version", "usage_input_tokens_no_cache", "usage_output_tokens"}),
    uses=(READ, WRITE_5M, WRITE_1H, WRITE, "usage_type", "context_window", "speed", "api_key", "workspace"), records=records,
    groups={"key": "api_key", "project": "workspace"},
)  # fmt: skip
