"""Any table of calls or buckets with a time, input and output tokens: a CSV, JSON lines or Parquet of one's own.

Columns are found by the names below, or said: --map time=COLUMN --map input=COLUMN --map output=COLUMN. Whether the input
column counts cached tokens too is for the user to say (--input-includes-cache); unsaid, it is taken to count them, and the
other reading is the upper bound.
"""

from typing import TYPE_CHECKING, Final

from roi.errors import UnknownName
from roi.usage.read.columns import count, flag, instant, real, text, whole
from roi.usage.read.format import Format, group_column
from roi.usage.read.record import NO_MODEL, Asked, Fields, record

if TYPE_CHECKING:
    import ibis.expr.types as ir

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
    "group": ("tag", "task", "prompt_name", "feature", "endpoint", "use_case", "project", "key", "api_key_name"),
    "cost": ("cost_usd", "cost", "total_cost", "spend", "amount_usd"),
    "requests": ("requests", "num_requests", "calls", "request_count"),
    "until": ("end_time", "endtime", "until"),
    "batch": ("batch", "is_batch"),
}  # fmt: skip
"""What a column holds, and the names by which it is found."""


def generic_format(asked: Asked, header: tuple[str, ...]) -> Format | None:
    """The generic format over the columns that the user mapped, else over those found by name; None where it does not fit.

    Raises UnknownName for a mapping to a column that is not there or of something that is not read.
    """
    mapped = dict(asked.columns)
    for what, column in mapped.items():
        if what not in NAMES:
            raise UnknownName("--map", what, NAMES, "kind of column")
        if column.lower() not in {name.lower() for name in header}:
            raise UnknownName(f"--map {what}", column, header, "column")
    own = {name.lower() for name in header}
    found = {what: next((n for n in names if n in own), None) for what, names in NAMES.items()} | {
        what: column.lower() for what, column in mapped.items()}
    if not (found["time"] and found["input"] and found["output"]):
        return None
    columns = {what: column for what, column in found.items() if column}
    buckets = "requests" in columns or "until" in columns
    form = Format(
        name="generic", title="table of your own", grain="bucket" if buckets else "call",
        needs=frozenset(columns[what] for what in ("time", "input", "output")), uses=tuple(columns.values()),
        records=lambda table, said: records(table, said, columns, form),
        ambiguous_cache=True, local_times=True, groups={"tag": columns["group"]} if "group" in columns else {},
    )  # fmt: skip
    return form


def records(table: "ir.Table", asked: Asked, columns: dict[str, str], form: Format) -> "ir.Table":
    """Records of a table whose `columns` say what is what."""
    def name(what: str) -> str:
        return columns.get(what, "")

    total, read, written = whole(table, name("input")), count(table, name("cached")), count(table, name("cache_write"))
    left = total - read - written
    over = ((left < 0) & (read + written > 0)).fill_null(False)
    includes = asked.includes_cache is not False
    buckets = "requests" in columns or "until" in columns
    # not filled where nothing is said: DuckDB keeps a dictionary through lower and nullif, and loses it in coalesce
    model: ir.Value | str = text(table, name("model")) if "model" in columns else asked.model or NO_MODEL
    provider: ir.Value | str | None = text(table, name("provider")).lower() if "provider" in columns else asked.provider
    if "model" in columns and asked.model:
        model = text(table, name("model")).fill_null(asked.model)
    if "provider" in columns and asked.provider:
        provider = text(table, name("provider")).lower().fill_null(asked.provider)
    return record(table, "generic", Fields(
        kind="bucket" if buckets else "call", at_us=instant(table, name("time")),
        until_us=instant(table, name("until")) if "until" in columns else None,
        provider=provider, model=model, uncached_input=left if includes else total, cache_read=read,
        cache_write=written, output=whole(table, name("output")),
        perhaps_cached=read + written if asked.includes_cache is None else 0,
        requests=whole(table, name("requests")) if "requests" in columns else (None if buckets else 1),
        batch=flag(table, name("batch")), cost_usd=real(table, name("cost")) if "cost" in columns else None,
        group=group_column(form, table, asked),
        reasons=(*(((over, OVER),) if includes else ()), *_unread_cost(table, columns)),
    ))  # fmt: skip


def _unread_cost(table: "ir.Table", columns: dict[str, str]) -> "tuple[tuple[ir.Value, str], ...]":
    if "cost" not in columns:
        return ()
    return ((text(table, columns["cost"]).notnull() & real(table, columns["cost"]).isnull(), UNREAD_COST),)


UNREAD_COST: Final = "a cost that is no number with a decimal point"

OVER: Final = "cached tokens above the input; if the input leaves them out: --input-includes-cache no"
