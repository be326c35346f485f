"""The one record that every format becomes: disjoint token counts, one row a call, a bucket of calls, or a cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from roi.usage.read.columns import MICRO

if TYPE_CHECKING:
    import ibis.expr.types as ir

NO_TIME: Final = "no time that can be read"

FIRST_US: Final = 946_684_800_000_000
"""2000-01-01 UTC: what lies before, or from 2100 on, is no time of a call but another number."""

LAST_US: Final = 4_102_444_800_000_000

LONGEST_GROUP: Final = 120
"""Characters of a group's name; what is longer is a text, and is not kept."""

TOKENS: Final = ("uncached_input", "cache_read", "cache_write", "output")
"""The disjoint counts that are billed; cache_write holds both lives of a cache entry."""

NO_MODEL: Final = "model not stated"
"""Stands for the model of a table of one's own where neither it nor --model names one."""

COLUMNS: Final = {
    "source": "string",
    "kind": "string",
    "provider": "string",
    "model": "string",
    "group": "string",
    "at_us": "int64",
    "until_us": "int64",
    "batch": "boolean",
    "tier": "string",
    "long_context": "boolean",
    "requests": "int64",
    "uncached_input": "int64",
    "cache_read": "int64",
    "cache_write": "int64",
    "cache_write_1h": "int64",
    "output": "int64",
    "reasoning": "int64",
    "perhaps_cached": "int64",
    "cost_usd": "float64",
    "dropped": "string",
}
"""Columns of the record, in order. Tokens are counts of the row; times are microseconds since 1970 UTC.

source: name of the format. kind: call, bucket (many calls, until_us ends it) or cost (money without tokens).
group: what `--group-by` asked for. tier: the provider's word, null where it is the standard one. long_context: true where
the export says that the call's input was above the provider's first price edge. requests: null where the export does not
count them. cache_write_1h: the part of cache_write that is kept an hour. reasoning: the part of output, for information.
perhaps_cached: tokens that would count as uncached input too if the source's input column leaves cached tokens out, where
nobody said so; 0 where it is known. cost_usd: what the source reports. dropped: why the row does not count, null where it does.
"""


@dataclass(frozen=True)
class Asked:
    """What the user said about the files, for a format's `records`."""

    group_by: str | None = None
    """A kind of group (tag, prompt, key, user, project, model) or a column's own name; None: the format's first."""
    includes_cache: bool | None = None
    """Whether the input column counts cached tokens too, where the format does not settle it; None: not said."""
    provider: str | None = None
    """Who is paid, where the source does not say."""
    model: str | None = None
    """The model, where the source does not say."""
    columns: tuple[tuple[str, str], ...] = ()
    """Columns of the generic format: (what, the file's own name)."""


@dataclass(frozen=True)
class Fields:
    """What a format reads, as Ibis expressions over its raw table; what it does not say is left as it is here."""

    at_us: "ir.Value"
    provider: "ir.Value | str | None"
    model: "ir.Value | str | None"
    uncached_input: "ir.Value | int"
    output: "ir.Value | int"
    cache_read: "ir.Value | int" = 0
    cache_write: "ir.Value | int" = 0
    cache_write_1h: "ir.Value | int" = 0
    reasoning: "ir.Value | int" = 0
    requests: "ir.Value | int | None" = 1
    until_us: "ir.Value | None" = None
    batch: "ir.Value | bool" = False
    tier: "ir.Value | None" = None
    long_context: "ir.Value | bool" = False
    group: "ir.Value | None" = None
    perhaps_cached: "ir.Value | int" = 0
    cost_usd: "ir.Value | None" = None
    kind: str = "call"
    reasons: Sequence[tuple["ir.Value", str]] = ()
    """(condition, why the row is dropped) of the format's own, looked at first and in order."""


def record(table: "ir.Table", source: str, fields: Fields) -> "ir.Table":
    """The raw table as records: typed, with the first reason that drops a row. Rows are never filtered here, only marked.

    A row is dropped for a reason of its format, then: no time, no model, a token count that is missing or no number, a
    negative count. (A cost needs a time and an amount alone.)
    """
    import ibis

    columns = {name: _typed(getattr(fields, name), kind) for name, kind in COLUMNS.items()
               if name not in {"source", "dropped", "kind"}}
    columns["source"] = ibis.literal(source)
    columns["kind"] = ibis.literal(fields.kind)
    columns["model"] = columns["model"].nullif("")
    columns["group"] = ibis.ifelse(columns["group"].length() > LONGEST_GROUP, "(too long for a name)", columns["group"])
    checks = list(fields.reasons)
    checks.append((columns["at_us"].isnull(), NO_TIME))
    checks.append(((columns["at_us"] < FIRST_US) | (columns["at_us"] >= LAST_US), "a time outside 2000 to 2099"))
    if fields.kind == "cost":
        checks.append((columns["cost_usd"].isnull(), "no amount that can be read"))
    else:
        checks.append((columns["model"].isnull(), "no model named"))
        counts = [columns[name] for name in (*TOKENS, "cache_write_1h", "reasoning")]
        checks.append((_any([x.isnull() for x in counts]), "a token count that cannot be read"))
        checks.append((_any([x < 0 for x in counts]), "a negative token count"))
        if fields.requests is not None:
            checks.append(((columns["requests"] < 0).fill_null(False), "a negative number of requests"))
    columns["dropped"] = ibis.cases(*checks, else_=ibis.null("string"))
    return table.select(**{name: columns[name] for name in COLUMNS})


def null_text() -> "ir.Value":
    """A text that is null in every row."""
    import ibis

    found: ir.Value = ibis.null("string")
    return found


def _typed(value: object, kind: str) -> "ir.Value":
    import ibis

    if value is None:
        return ibis.null(kind)
    if isinstance(value, (int, float, str)):
        return ibis.literal(value, type=kind)
    typed: ir.Value = value.cast(kind)  # type: ignore[attr-defined]  # an Ibis expression
    return typed


def _any(conditions: "Sequence[ir.Value]") -> "ir.Value":
    found = conditions[0]
    for condition in conditions[1:]:
        found = found | condition
    return found


def seconds(micros: "ir.Value") -> "ir.Value":
    """Whole seconds of an `at_us` column, as int64."""
    return (micros.cast("float64") / float(MICRO)).floor().cast("int64")


def bucket_index(micros: "ir.Value", length_s: int) -> "ir.Value":
    """Number of the bucket of `length_s` seconds since 1970 UTC in which a moment lies, as int64."""
    return (micros.cast("float64") / (float(MICRO) * length_s)).floor().cast("int64")
