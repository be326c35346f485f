"""Databricks: `system.ai_gateway.usage`, a row for each call through its AI gateway, as CSV, JSON or Parquet.

`input_tokens` counts what was read from a cache and written to it, of Anthropic's models too; `token_details`, an object or
its JSON, tells how many. What Databricks serves itself is called by `destination_name`, with or without what the price list
has before each of its models (system.ai.databricks-..., system.ai....); `destination_model` is then at times a title of a page.
What somebody else serves under one's own key is called by `destination_model`, and paid to whom `api_type` begins with;
mlflow/... is Databricks' own interface to all of them, and names none. Failed calls have no counts. Source: rows of a live
workspace in getlago/lago-agent-sdk-js, tests/unit/gateway/adapters/fixtures/databricks_gateway (2026-08).
"""

from collections.abc import Iterator
from functools import partial
from typing import Final

from roi.usage.formats.json_counts import has_keys, items_of, pruned, scalars, with_counts
from roi.usage.read.columns import count, text, utc, whole
from roi.usage.read.lazy_ibis import Table, ibis
from roi.usage.read.record import Document, Fields, FileOptions, Format

NEEDS: Final = frozenset({
    "event_time", "destination_name", "destination_model", "input_tokens", "output_tokens", "token_details"})
DETAILS: Final = {
    "n_read": (("cache_read_input_tokens",),), "n_write": (("cache_creation_input_tokens",),),
    "n_reasoning": (("output_reasoning_tokens",),)}
OPENED: Final = "details"
ENDPOINT: Final = r"^system\.ai\.(databricks-)?"
"""What stands before the model in the name of what Databricks serves."""
VENDORS: Final = ("anthropic", "openai", "gemini")
"""Who may lead `api_type`: whose interface it is, and so whose model."""
OWN: Final = "mlflow"
"""What leads `api_type` where the interface is Databricks' own, of which it has counted no tokens at times: they are lost."""
FAILED: Final = 400
"""HTTP status from which a call failed."""


def prepare(table: Table) -> Table:
    """The calls with their counts of token_details."""
    return with_counts(table, (OPENED, "token_details"), DETAILS)


def fields(table: Table, _: FileOptions) -> Fields:
    """What rows say of calls."""
    external = text(table, "destination_type") == "EXTERNAL_FOUNDATION_MODEL"
    served = text(table, "destination_name").re_replace(ENDPOINT, "databricks-")
    vendor = text(table, "api_type").split("/")[0]
    return Fields(
        at_us=utc(table, "event_time"),
        provider=external.ifelse(vendor.isin(VENDORS).ifelse(vendor, ibis.null("string")), "databricks"),
        model=external.ifelse(text(table, "destination_model"), served),
        input=whole(table, "input_tokens"), cache_read=table["n_read"], cache_write=table["n_write"],
        output=count(table, "output_tokens"), reasoning=table["n_reasoning"],
        reasons=((whole(table, "status_code") >= FAILED, "failed call"),
                 (text(table, "input_tokens").isnull() & ~vendor.isin((*VENDORS, OWN)).fill_null(False),
                  "no tokens are counted, as of calls of a tool")))


def rows(document: Document) -> Iterator[Document]:
    """Rows of a row, or of a page of them: `token_details` cut down to its counts, under a name that is no count's."""
    for item in items_of(document):
        opened = {OPENED: pruned(item.get("token_details"), DETAILS)}
        yield scalars(item, DATABRICKS_GATEWAY.columns - {"token_details"}) | opened


DATABRICKS_GATEWAY: Final = Format(
    name="databricks-gateway", title="Databricks AI gateway usage", grain="call", needs=NEEDS,
    uses=("destination_type", "api_type", "status_code", "request_id", "endpoint_name", "requester", OPENED), fields=fields,
    prepare=prepare, recognises=partial(has_keys, NEEDS), flatten=rows, may_lack_hour=True,
    groups={"project": "endpoint_name", "user": "requester"})
