"""LangSmith: runs as its API, its SDK and its command give them, in JSON: a run a line, in a list, or under `runs`.

A chain, a tool and a prompt repeat the counts of the model calls inside them, so that runs of type llm alone count. The model
and who is paid stand in the metadata that LangChain's models write. `prompt_tokens` is LangChain's count of the input, which
holds what was read from a cache and written to one; the completion holds reasoning. A table of runs (CSV, Parquet) is one of
one's own, whose columns do not say the model unless they are called ls_model_name. Inputs, outputs and errors are never read.
Source: langsmith-sdk's Run, and runs as tests of public repositories quote them (2026-03 to 2026-09).
"""

from collections.abc import Iterator
from typing import Final

from roi.usage.formats.generic import NO_CALL
from roi.usage.formats.json_counts import amount, count_at, documents_of, nested
from roi.usage.read.columns import count, instant, real, text, whole
from roi.usage.read.lazy_ibis import Table
from roi.usage.read.record import Document, Fields, FileOptions, Format

TAKEN: Final = ("id", "run_type", "start_time", "status", "session_name")
COUNTS: Final = {
    "prompt_tokens": ("prompt_tokens",), "completion_tokens": ("completion_tokens",),
    "cache_read": ("prompt_token_details", "cache_read"), "cache_write": ("prompt_token_details", "cache_creation"),
    "reasoning": ("completion_token_details", "reasoning"),
}  # fmt: skip
"""A count, and where it stands."""


def _runs(document: Document) -> list[Document]:
    return [each for each in documents_of(document, "runs") or [document] if "run_type" in each and "start_time" in each]


def run_rows(document: Document) -> Iterator[Document]:
    """A row for each run: counts, names, times."""
    for run in _runs(document):
        metadata = nested(nested(run, "extra"), "metadata")
        given = nested(nested(run, "extra"), "invocation_params")
        cost = run.get("total_cost")
        yield {name: run.get(name) for name in TAKEN} | {name: count_at(run, path) for name, path in COUNTS.items()} | {
            "ls_provider": metadata.get("ls_provider"), "thread": metadata.get("thread_id") or metadata.get("session_id"),
            "ls_model_name": metadata.get("ls_model_name") or given.get("model") or given.get("model_name"),
            "total_cost": float(cost) if isinstance(cost, str) and cost.replace(".", "", 1).isdigit() else amount(cost),
        }  # fmt: skip


def _fields(table: Table, _: FileOptions) -> Fields:
    kind = text(table, "run_type").lower()
    failed = (text(table, "status").lower() == "error") & (count(table, "completion_tokens") == 0)
    return Fields(
        at_us=instant(table, "start_time"), provider=text(table, "ls_provider").lower(),
        model=text(table, "ls_model_name"), input=whole(table, "prompt_tokens"), cache_read=count(table, "cache_read"),
        cache_write=count(table, "cache_write"), output=whole(table, "completion_tokens"), reasoning=count(table, "reasoning"),
        cost_usd=real(table, "total_cost"), costs=("total_cost",),
        reasons=((kind == "embedding", "embeddings"), ((kind != "llm").fill_null(True), NO_CALL),
                 (failed, "failed call")))


LANGSMITH: Final = Format(
    name="langsmith", title="LangSmith runs", grain="call",
    needs=frozenset({"run_type", "start_time", "prompt_tokens", "completion_tokens", "ls_provider", "thread"}),
    uses=(*TAKEN, *COUNTS, "ls_model_name", "total_cost"), fields=_fields, flatten=run_rows, may_lack_hour=True,
    recognises=lambda document: any("prompt_tokens" in run for run in _runs(document)),
    groups={"project": "session_name", "session": "thread"})
