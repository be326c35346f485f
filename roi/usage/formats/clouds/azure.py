"""Azure: calls of language models through API Management's gateway, from Log Analytics or a storage account (GatewayLlmLogs).

Several rows stand for a call: one (SequenceNumber 0) has its tokens, others parts of the prompt and of the answer, which are
never read; the one with the most tokens counts, once. PromptTokens counts what was read from the provider's cache, and nothing
says how much that was. Which vendor is behind a deployment is not said either (Azure OpenAI, or any other API), so that the
maker's list price stands in where --provider does not say it. Times are UTC. Log Analytics has a table, whose time may be
headed `TimeGenerated [UTC]` and have its year last, or JSON; a storage account a line a row, with columns under `properties`.
Source: Microsoft's reference of the table ApiManagementGatewayLlmLog, and public repositories' queries (2025-10 to 2026-09).
"""

from collections.abc import Iterator
from typing import Final

from roi.usage.formats.json_counts import count_cell, items_of, nested, scalars
from roi.usage.read.columns import text, whole, year_last_instant
from roi.usage.read.lazy_ibis import Table, ibis
from roi.usage.read.record import Document, Fields, FileOptions, Format

NEEDS: Final = frozenset({"correlationid", "prompttokens", "completiontokens"})
TIMES: Final = ("timegenerated", "timegenerated [utc]", "time")
COUNTS: Final = ("prompttokens", "completiontokens", "sequencenumber")
NAMES: Final = ("correlationid", "modelname", "deploymentname", *TIMES)
A_PART: Final = "a part of a prompt or an answer, whose call is a row of its own"


def _row(call: Document) -> Document:
    """A call's names in lower case, those under `properties` beside the others."""
    return {key.lower(): value for key, value in (*call.items(), *nested(call, "properties").items())}


def call_rows(document: Document) -> Iterator[Document]:
    """A row for each of the document's: counts, names, time."""
    for call in map(_row, items_of(document)):
        yield scalars(call, frozenset(NAMES)) | {name: count_cell(call.get(name)) for name in COUNTS}


def fields(table: Table, options: FileOptions) -> Fields:
    """What rows say."""
    part = (whole(table, "sequencenumber") > 0) & text(table, "prompttokens").isnull()
    times = [year_last_instant(table, name, day_first=options.dates == "eu") for name in TIMES]
    return Fields(
        at_us=ibis.coalesce(*times), model=text(table, "modelname"),
        uncached_input=whole(table, "prompttokens"), output=whole(table, "completiontokens"), reasons=((part, A_PART),))


AZURE_GATEWAY: Final = Format(
    name="azure-gateway", title="Azure API Management's log of language models", grain="call", needs=NEEDS,
    uses=(*NAMES, "sequencenumber"), fields=fields, flatten=call_rows, may_lack_cached=True,
    once=("correlationid", "prompttokens"),
    recognises=lambda document: any(_row(call).keys() >= NEEDS for call in items_of(document)),
    groups={"project": "deploymentname"})
