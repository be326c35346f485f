"""Chat completions and responses as OpenAI's API, or a server that speaks it, answers them.

They stand alone, in a list, one a line, or in the lines of a batch's output.
`prompt_tokens` (of a response `input_tokens`) counts what was read from the cache, and `completion_tokens` the reasoning. A
batch's line holds the answer under `response.body`. A request that has no answer, and one that failed, count nothing. Of a
streamed answer's chunks, which repeat its id, the one with the most output counts: usage stands in the last, or grows in each.
Source: OpenAI's API reference, Chat completions, Responses and Batch (2026-11-26).
"""

from collections.abc import Iterator
from typing import Final

from roi.usage.formats.json_counts import items_of, nested
from roi.usage.formats.vendors.openai import STANDARD
from roi.usage.read.columns import count, flag, instant, service, text, whole
from roi.usage.read.lazy_ibis import Table
from roi.usage.read.record import Document, Fields, FileOptions, Format

ANSWERS: Final = ("chat.completion", "response", "text_completion", "chat.completion.chunk")
"""What `object` says of an answer, or a part of one that is streamed."""


def _answer(item: Document) -> tuple[Document, bool]:
    """(answer, True where it is a line of a batch's output)."""
    body = nested(nested(item, "response"), "body")
    return (body, True) if body and "custom_id" in item else (item, False)


def _recognises(document: Document) -> bool:
    answer, _ = _answer(next(items_of(document), {}))
    return answer.get("object") in ANSWERS and "model" in answer


def answers(document: Document) -> Iterator[Document]:
    """A row for each answer of a page, or the document itself."""
    for item in items_of(document):
        answer, batch = _answer(item)
        usage = nested(answer, "usage")
        given = nested(usage, "prompt_tokens_details") or nested(usage, "input_tokens_details")
        made = nested(usage, "completion_tokens_details") or nested(usage, "output_tokens_details")
        yield {
            "id": answer.get("id"), "object": answer.get("object"), "model": answer.get("model"),
            "timestamp": answer.get("created", answer.get("created_at")),
            "service_tier": answer.get("service_tier"), "batch": batch,
            "input_tokens": usage.get("prompt_tokens", usage.get("input_tokens")),
            "output_tokens": usage.get("completion_tokens", usage.get("output_tokens")),
            "cached_tokens": given.get("cached_tokens"), "reasoning_tokens": made.get("reasoning_tokens"),
        }  # fmt: skip


def fields(table: Table, _: FileOptions) -> Fields:
    """What answers say; who is paid is the user's word, or the model's maker."""
    tier = text(table, "service_tier").lower()
    return Fields(
        at_us=instant(table, "timestamp"), model=text(table, "model"), input=whole(table, "input_tokens"),
        cache_read=count(table, "cached_tokens"), output=whole(table, "output_tokens"),
        reasoning=count(table, "reasoning_tokens"), **service(tier, STANDARD, flag(table, "batch")),
        reasons=((text(table, "input_tokens").isnull(), "an answer without its usage"),))


OPENAI_CALLS: Final = Format(
    name="openai-calls", title="chat completions and responses", grain="call",
    needs=frozenset({"object", "id", "timestamp", "model", "input_tokens", "output_tokens"}),
    uses=("service_tier", "batch", "cached_tokens", "reasoning_tokens"), fields=fields, recognises=_recognises, flatten=answers,
    once=("id", "output_tokens"))
