"""Azure: the metrics of an Azure OpenAI resource, as `az monitor metrics list` and the API behind it give them, in JSON.

Each metric is a list of series, one a deployment or model where the answer was split by it, with a total for each interval. A
total becomes a record with that count alone, so that an interval's records add up to it. ProcessedPromptTokens counts what was
read from the cache, and no metric says how much that was. Where the answer was not split by ModelName no model is told, nor
whether two are in one sum: --model names it where it is one. Sums of both (TokenTransaction) and all other metrics are left
out, and so is a metric of Foundry beside the one of Azure OpenAI that counts the same. Times are UTC. Source: Microsoft's
reference of the metrics of Microsoft.CognitiveServices/accounts and of the call metrics/list (2026-10).
"""

from collections.abc import Iterator
from typing import Final

from roi.usage.formats.json_counts import documents_of, nested
from roi.usage.read.columns import DAY_US, MICRO, text, utc, whole
from roi.usage.read.lazy_ibis import Table, ibis
from roi.usage.read.record import EMPTY_BUCKET, Document, Fields, FileOptions, Format

METRICS: Final = {
    "processedprompttokens": "uncached_input", "generatedtokens": "output", "azureopenairequests": "requests",
    "inputtokens": "uncached_input", "outputtokens": "output", "modelrequests": "requests",
}  # fmt: skip
"""A metric, and the count of the record that it is: those of Azure OpenAI, then Foundry's of the same."""
INTERVALS_US: Final = {"PT1M": 60 * MICRO, "PT5M": 300 * MICRO, "PT15M": 900 * MICRO, "PT30M": 1800 * MICRO,
                       "PT1H": 3600 * MICRO, "PT6H": DAY_US // 4, "PT12H": DAY_US // 2, "P1D": DAY_US}  # fmt: skip


def _name(metric: Document) -> str:
    return str(nested(metric, "name").get("value", "")).lower()


def rows(document: Document) -> Iterator[Document]:
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


def fields(table: Table, options: FileOptions) -> Fields:
    """What totals say."""
    metric, total, start = text(table, "metric"), whole(table, "total_tokens"), utc(table, "timestamp")
    counts = {count: ibis.ifelse(metric.isin([name for name, is_of in METRICS.items() if is_of == count]), total, 0)
              for count in ("uncached_input", "output", "requests")}
    interval = text(table, "interval").upper()
    width = ibis.cases(*((interval == word, us) for word, us in INTERVALS_US.items()), else_=ibis.null("int64"))
    return Fields(
        at_us=start, until_us=start + width, provider=options.provider or "azure", model=text(table, "model"), **counts,
        reasons=((total.isnull() | (total == 0), EMPTY_BUCKET), (width.isnull(), "an interval that is none of Azure's")))


AZURE_METRICS: Final = Format(
    name="azure-metrics", title="Azure OpenAI metrics", grain="bucket",
    needs=frozenset({"timestamp", "interval", "metric", "total_tokens"}), uses=("model", "deployment"), fields=fields,
    recognises=lambda answer: "timespan" in answer and any(_name(each) in METRICS for each in documents_of(answer, "value")),
    flatten=rows, may_lack_cached=True, parts=("metric", "deployment"), split_by=("model", "deployment"),
    groups={"project": "deployment"},
    apart={"uncached_input": "ProcessedPromptTokens", "output": "GeneratedTokens", "requests": "AzureOpenAIRequests"})
