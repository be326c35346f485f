"""Anthropic: pages of the cost report, /v1/organizations/cost_report: what each day cost.

`amount` is a decimal number in text and counts cents, whatever its digits look like: "123.45" is 1.23 dollars. The model is
stated where the report was grouped by description, for tokens alone. Web searches, code execution and sessions are billed too;
no token count explains them, so they are dropped with that reason (an ungrouped report holds them inside its one sum). Priority
Tier is never in this report. Source: Anthropic's API reference, Get Cost Report (2026-11-24).
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from roi.usage.formats.vendors.anthropic_api import EMPTY, buckets
from roi.usage.formats.vendors.anthropic_csv import above_edge, is_batch, tier
from roi.usage.read.columns import instant, real, text
from roi.usage.read.format import Document, Format, group_column
from roi.usage.read.record import Asked, Fields, record

if TYPE_CHECKING:
    import ibis.expr.types as ir

CENTS_PER_DOLLAR = 100.0

TAKEN = ("amount", "currency", "cost_type", "model", "service_tier", "context_window", "workspace_id")
"""Values of a result that are read; its description and token type are not."""

OTHER_CURRENCY = "an amount that is not stated in USD"
NO_TOKENS = "a cost of something else than tokens"


def records(table: "ir.Table", asked: Asked) -> "ir.Table":
    """Costs of cost report pages, in dollars."""
    of_tokens = text(table, "cost_type").fill_null("tokens") == "tokens"
    empty = text(table, "amount").isnull() & text(table, "currency").isnull()
    return record(table, ANTHROPIC_COST_API.name, Fields(
        kind="cost", at_us=instant(table, "starting_at"), until_us=instant(table, "ending_at"), provider="anthropic",
        model=text(table, "model"), uncached_input=0, output=0, requests=None,
        batch=is_batch(table, "service_tier"), tier=tier(table, "service_tier"), long_context=above_edge(table),
        cost_usd=real(table, "amount") / CENTS_PER_DOLLAR, group=group_column(ANTHROPIC_COST_API, table, asked),
        reasons=((empty, EMPTY), (text(table, "currency").upper().fill_null("") != "USD", OTHER_CURRENCY),
                 (~of_tokens, NO_TOKENS)),
    ))  # fmt: skip


def is_page(document: Document) -> bool:
    """True for a page of the cost report, or one bucket of it, in which something was billed."""
    return any("amount" in result and "currency" in result for _, results in buckets(document) for result in results)


def page_rows(document: Document) -> Iterator[Document]:
    """A row for each result, with its bucket's times; a bucket without results as an empty one."""
    for times, results in buckets(document):
        for result in results or [{}]:
            yield {**times, **{name: result.get(name) for name in TAKEN}}


ANTHROPIC_COST_API = Format(
    name="anthropic-cost-api", title="Anthropic cost report", grain="cost",
    needs=frozenset({"starting_at", "ending_at", "amount", "currency", "cost_type", "workspace_id"}),
    uses=TAKEN, records=records, recognises=is_page, flatten=page_rows, groups={"project": "workspace_id"},
)  # fmt: skip
