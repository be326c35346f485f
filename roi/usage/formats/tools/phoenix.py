"""Phoenix: spans as a table, as its client gives them (get_spans_dataframe) and people save them, as CSV or Parquet.

Each attribute is a column behind `attributes.`, of those that Phoenix translates from other conventions the OpenInference ones.
What is a call, and what its counts mean, is as in spans of OpenTelemetry (`otel`). Columns of content are never read. Source:
the columns in tests and notes of public repositories that load the frame (2026-02 to 2026-10).
"""

from dataclasses import replace
from typing import Final

from roi.usage.formats.tools.otel import ATTRIBUTES, OLDER, OTEL_GENAI, counted
from roi.usage.read.columns import find, text
from roi.usage.read.lazy_ibis import Column, Table, ibis

BEFORE: Final = "attributes."
KINDS: Final = ("attributes.openinference.span.kind", "span_kind")
SPAN, TRACE, PARENT, STATUS = "context.span_id", "context.trace_id", "parent_id", "status_code"
NAMES: Final = {column: tuple(f"{BEFORE}{name}".lower() for name in (column, *OLDER.get(what, ())))
                for what, column in ATTRIBUTES.items()}
"""An attribute of the convention, and the columns that may hold it, in the order in which they are tried."""


def as_spans(raw: Table) -> Table:
    """The table with the columns that spans of OpenTelemetry have."""
    found = {column: _first(raw, *names) for column, names in NAMES.items()}
    kind = _first(raw, *KINDS).upper()
    said = ibis.cases((kind == "LLM", "chat"), (kind == "EMBEDDING", "embeddings"), (kind.isnull() | (kind == "UNKNOWN"), None),
                      else_="invoke_agent")
    operation = ATTRIBUTES["operation"]
    trace, parent = text(raw, TRACE).fill_null(""), text(raw, PARENT)
    return raw.mutate(**{
        **found, operation: ibis.coalesce(said, found[operation]), "span_id": trace.concat(":", text(raw, SPAN)),
        "parent_span_id": parent.isnull().ifelse(ibis.null("string"), trace.concat(":", parent)),
        "error": (text(raw, STATUS).upper() == "ERROR").ifelse("true", "false"),
    })  # fmt: skip


def _first(raw: Table, *names: str) -> Column:
    """What the first of these columns says that says something, as text."""
    there = [text(raw, name) for name in names if find(raw, name)]
    return ibis.coalesce(*there) if there else ibis.null("string")


PHOENIX: Final = replace(
    OTEL_GENAI, name="phoenix", title="Phoenix spans", recognises=None, flatten=None,
    prepare=lambda raw: counted(as_spans(raw)),
    needs=frozenset({SPAN, "start_time", "attributes.llm.token_count.prompt", "attributes.llm.token_count.completion"}),
    uses=(TRACE, PARENT, STATUS, *KINDS, *(name for names in NAMES.values() for name in names)),
    groups={"tag": ATTRIBUTES["agent"], "prompt": ATTRIBUTES["prompt"], "session": ATTRIBUTES["session"]})
