"""Azure: calls of language models through API Management's gateway (GatewayLlmLogs), and metrics of Azure OpenAI resources.

Calls, from Log Analytics or a storage account. Several rows stand for a call: one (SequenceNumber 0) has its tokens, others
parts of the prompt and of the answer, which are never read; the one with the most tokens counts, once. PromptTokens counts what
was read from the provider's cache, and nothing says how much that was. Which vendor is behind a deployment is not said either
(Azure OpenAI, or any other API), so that the maker's list price stands in where --provider does not say it. Times are UTC. Log
Analytics has a table, whose time may be headed `TimeGenerated [UTC]` and have its year last, or JSON; a storage account a line
a row, with columns under `properties`.

Metrics, as `az monitor metrics list` and the API behind it give them, in JSON. Each metric is a list of series, one a
deployment or model where the answer was split by it, with a total for each interval. A total becomes a record with that count
alone, so that an interval's records add up to it. ProcessedPromptTokens counts what was read from the cache, and no metric says
how much that was. Where the answer was not split by ModelName no model is told, nor whether two are in one sum: --model names
it where it is one. Sums of both (TokenTransaction) and all other metrics are left out, and so is a metric of Foundry beside the
one of Azure OpenAI that counts the same. Times are UTC.

Sources: Microsoft's reference of the table ApiManagementGatewayLlmLog, and public repositories' queries (2025-10 to 2026-09);
its reference of the metrics of Microsoft.CognitiveServices/accounts and of the call metrics/list (2026-10).
"""

from collections.abc import Iterator
from typing import Final

from roi.usage.formats.json_counts import count_cell, documents_of, items_of, nested, scalars
from roi.usage.read.columns import DAY_US, MICRO, text, utc, whole, year_last_instant
from roi.usage.read.lazy_ibis import Table, ibis
from roi.usage.read.record import EMPTY_BUCKET, Document, Fields, FileOptions, Format

NEEDS: Final = frozenset({"correlationid", "prompttokens", "completiontokens"})
TIMES: Final = ("timegenerated", "timegenerated [utc]", "time")
COUNTS: Final = ("prompttokens", "completiontokens", "sequencenumber")
NAMES: Final = ("correlationid", "modelname", "deploymentname", *TIMES)
A_PART: Final = "a part of a prompt or an answer, whose call is a row of its own"
METRICS: Final = {
    "processedprompttokens": "uncached_input", "generatedtokens": "output", "azureopenairequests": "requests",
    "inputtokens": "uncached_input", "outputtokens": "output", "modelrequests": "requests",
}  # fmt: skip
"""A metric, and the count of the record that it is: those of Azure OpenAI, then Foundry's of the same."""
INTERVALS_US: Final = {"PT1M": 60 * MICRO, "PT5M": 300 * MICRO, "PT15M": 900 * MICRO, "PT30M": 1800 * MICRO,
                       "PT1H": 3600 * MICRO, "PT6H": DAY_US // 4, "PT12H": DAY_US // 2, "P1D": DAY_US}  # fmt: skip


def _row(call: Document) -> Document:
    """A call's names in lower case, those under `properties` beside the others."""
    return {key.lower(): value for key, value in (*call.items(), *nested(call, "properties").items())}


def call_rows(document: Document) -> Iterator[Document]:
    """A row for each of the document's: counts, names, time."""
    for call in map(_row, items_of(document)):
        yield scalars(call, frozenset(NAMES)) | {name: count_cell(call.get(name)) for name in COUNTS}


def _fields(table: Table, options: FileOptions) -> Fields:
    part = (whole(table, "sequencenumber") > 0) & text(table, "prompttokens").isnull()
    times = [year_last_instant(table, name, day_first=options.dates == "eu") for name in TIMES]
    return Fields(
        at_us=ibis.coalesce(*times), model=text(table, "modelname"),
        uncached_input=whole(table, "prompttokens"), output=whole(table, "completiontokens"), reasons=((part, A_PART),))


def _name(metric: Document) -> str:
    return str(nested(metric, "name").get("value", "")).lower()


def metric_rows(document: Document) -> Iterator[Document]:
    """A row for each interval of each series that has a total."""
    metrics = {_name(each): each for each in documents_of(document, "value")}
    first = {count: name for name, count in reversed(METRICS.items()) if name in metrics}
    for name in first.values():
        for series in documents_of(metrics[name], "timeseries"):
            said = {str(nested(each, "name").get("value", "")).lower(): each.get("value")
                    for each in documents_of(series, "metadatavalues")}
            for point in documents_of(series, "data"):
                yield {"timestamp": point.get("timeStamp"), "interval": document.get("interval"), "metric": name,
                       "total_tokens": point.get("total"), "model": said.get("modelname"),
                       "deployment": said.get("modeldeploymentname")}  # fmt: skip


def _metric_fields(table: Table, options: FileOptions) -> Fields:
    metric, total, start = text(table, "metric"), whole(table, "total_tokens"), utc(table, "timestamp")
    counts = {count: ibis.ifelse(metric.isin([name for name, is_of in METRICS.items() if is_of == count]), total, 0)
              for count in ("uncached_input", "output", "requests")}
    interval = text(table, "interval").upper()
    width = ibis.cases(*((interval == word, us) for word, us in INTERVALS_US.items()), else_=ibis.null("int64"))
    return Fields(
        at_us=start, until_us=start + width, provider=options.provider or "azure", model=text(table, "model"), **counts,
        reasons=((total.isnull() | (total == 0), EMPTY_BUCKET), (width.isnull(), "an interval that is none of Azure's")))


AZURE_GATEWAY: Final = Format(
    name="azure-gateway", title="Azure API Management's log of language models", grain="call", needs=NEEDS,
    uses=(*NAMES, "sequencenumber"), fields=_fields, flatten=call_rows, may_lack_cached=True,
    once=("correlationid", "prompttokens"),
    recognises=lambda document: any(_row(call).keys() >= NEEDS for call in items_of(document)),
    groups={"project": "deploymentname"})
AZURE_METRICS: Final = Format(
    name="azure-metrics", title="Azure OpenAI metrics", grain="bucket",
    needs=frozenset({"timestamp", "interval", "metric", "total_tokens"}), uses=("model", "deployment"), fields=_metric_fields,
    recognises=lambda answer: "timespan" in answer and any(_name(each) in METRICS for each in documents_of(answer, "value")),
    flatten=metric_rows, may_lack_cached=True, parts=("metric", "deployment"), split_by=("model", "deployment"),
    groups={"project": "deployment"},
    apart={"uncached_input": "ProcessedPromptTokens", "output": "GeneratedTokens", "requests": "AzureOpenAIRequests"})
