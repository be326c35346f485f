"""OpenAI: pages of the Costs API, /v1/organization/costs: what each day cost, in dollars.

The model stands nowhere but in the text of the line item, where the page was grouped by it: "gpt-6-luna, cached input", with
"priority | " before it or ", long context" after it, and the modality after a model that has several ("gpt-image-2 text,
input"). Line items of tools ("web search tool calls") and of seconds ("whisper") are dropped with their reason, since no token
count explains them; a page that was not grouped holds them inside its one sum. `quantity` is not read: the usage export counts
tokens. Source: OpenAI's API reference, Costs (2026-11-24); line items as published readers of it saw them in 2026.
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from roi.usage.formats.vendors.openai_usage import EMPTY
from roi.usage.read.columns import flag, instant, real, text
from roi.usage.read.format import Document, Format, group_column
from roi.usage.read.record import Asked, Fields, record

if TYPE_CHECKING:
    import ibis.expr.types as ir

LINE_ITEM: Final = re.compile(
    r"(?:(?P<tier>[\w-]+) \| )?(?P<model>[^\s,|]+)(?: (?:text|audio|image|video))?"
    r", (?:(?:cached )?input|output|cache writes?)\b(?P<rest>.*)", re.IGNORECASE)  # fmt: skip
"""A line item of a model's tokens."""

OTHER_CURRENCY = "an amount that is not stated in USD"
NO_TOKENS = "a cost of something else than tokens"


def records(table: "ir.Table", asked: Asked) -> "ir.Table":
    """Costs of Costs API pages."""
    currency = text(table, "currency")
    empty = currency.isnull() & text(table, "value").isnull()
    return record(table, OPENAI_COSTS_API.name, Fields(
        kind="cost", at_us=instant(table, "start_time"), until_us=instant(table, "end_time"), provider="openai",
        model=text(table, "model"), uncached_input=0, output=0, requests=None, tier=text(table, "tier"),
        long_context=flag(table, "long_context"), cost_usd=real(table, "value"),
        group=group_column(OPENAI_COSTS_API, table, asked),
        reasons=((empty, EMPTY), (currency.lower().fill_null("") != "usd", OTHER_CURRENCY),
                 (flag(table, "other_cost"), NO_TOKENS)),
    ))  # fmt: skip


def is_page(document: Document) -> bool:
    """True for a page of the Costs API, or one bucket of it, in which something was billed."""
    return any(result.get("object") == "organization.costs.result" for _, results in _buckets(document) for result in results)


def page_rows(document: Document) -> Iterator[Document]:
    """A row for each result, with its bucket's times; a bucket without results as an empty one."""
    for times, results in _buckets(document):
        for result in results or [{}]:
            stated = result.get("amount")
            amount: Document = stated if isinstance(stated, dict) else {}
            yield {**times, "value": amount.get("value"), "currency": amount.get("currency"),
                   "project_id": result.get("project_id"), "api_key_id": result.get("api_key_id"), **_item(result)}


def _item(result: Document) -> Document:
    """The model, tier and context of a line item; whether it is of something else than tokens."""
    item, unit = result.get("line_item"), result.get("quantity_unit")
    found = LINE_ITEM.fullmatch(item.strip()) if isinstance(item, str) else None
    other = unit != "tokens" if unit else bool(item) and found is None
    if found is None:
        return {"other_cost": other}
    return {"model": found["model"], "tier": found["tier"], "long_context": "long context" in found["rest"].lower(),
            "other_cost": other}


def _buckets(document: Document) -> Iterator[tuple[Document, list[Document]]]:
    """(times, results) of each bucket of a page; also of a bucket alone, as pages joined by hand have it."""
    data = document.get("data", [document])
    for bucket in data if isinstance(data, list) else ():
        if isinstance(bucket, dict) and bucket.get("object") == "bucket" and isinstance(bucket.get("results"), list):
            times = {name: bucket.get(name) for name in ("start_time", "end_time")}
            yield times, [result for result in bucket["results"] if isinstance(result, dict)]


OPENAI_COSTS_API = Format(
    name="openai-costs-api", title="OpenAI Costs API", grain="cost",
    needs=frozenset({"start_time", "value", "currency", "other_cost"}),  # `other_cost` is made here: no table has it
    uses=("end_time", "model", "tier", "long_context", "project_id", "api_key_id"), records=records, recognises=is_page,
    flatten=page_rows, groups={"project": "project_id", "key": "api_key_id"},
)  # fmt: skip
