"""AWS Bedrock: model invocation logs, a call a line, as they lie in S3, or wrapped by CloudWatch.

`inputTokenCount` leaves cached reads and writes out. How long a cache entry is kept stands in the answer's body alone, of
which that count is read and nothing else: Converse lists it by life, Anthropic's own answers have it in their usage, streamed
ones in their first part. Where the body is not delivered, or lies in a file of its own since it is large, writes count as the
short life, too cheap by 0.75 of the input price for each token that is kept an hour; a note says so.
The logs hold the four operations of bedrock-runtime (Converse and InvokeModel, streamed or not); batch jobs are not in
them. Logs Insights saves the entries, or the fields of a query, as CSV; `aws logs tail` writes them behind a time and a stream.
A model is kept as it was called, with its region's prefix, which has a price of its own; an ARN is cut to its last
part, which for an application inference profile or provisioned throughput is an id that names no model. Sources: AWS's user
guide, Monitor model invocation; public parsers of the log (Panther's schema AWS.BedrockModelInvocation).
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import reduce
from operator import or_
from typing import Final

from roi.usage.formats.json_counts import count_cell, documents_of, nested, object_of
from roi.usage.read.columns import count, instant, text, whole
from roi.usage.read.lazy_ibis import Column, Table
from roi.usage.read.record import Document, Fields, FileOptions, Format

COUNTS: Final = {
    "input": ("inputTokenCount", "cacheReadInputTokenCount", "cacheWriteInputTokenCount"), "output": ("outputTokenCount",)}
"""Counts, by the part of a log entry that holds them beside the body."""
KEPT: Final = "cachewrite1hinputtokencount"
"""The written tokens that are kept an hour: no field of the log, but a count of the answer's usage."""
TAKEN: Final = ("timestamp", "modelId", "accountId", "errorCode", "requestId", "operation")
CALLS: Final = "^(converse|invokemodel|chatcompletion|createresponse|responses|messages)"
"""Beginnings of operations that call a model; lists of models and the like are logged beside them."""
OTHER_MODELS: Final = ("titan-image", "nova-canvas", "nova-reel", "nova-sonic", "stability.", "rerank", "twelvelabs.")


def _fields(table: Table, _: FileOptions) -> Fields:
    model = without_arn(text(table, "modelid"))
    operation = text(table, "operation")
    other = reduce(or_, [model.contains(part) for part in OTHER_MODELS])
    return Fields(
        at_us=instant(table, "timestamp"), provider="aws", model=model, uncached_input=whole(table, "inputtokencount"),
        cache_read=count(table, "cachereadinputtokencount"), cache_write=count(table, "cachewriteinputtokencount"),
        cache_write_1h=count(table, KEPT),
        life_open=text(table, KEPT).isnull().ifelse(count(table, "cachewriteinputtokencount"), 0),
        output=whole(table, "outputtokencount"),
        reasons=((text(table, "errorcode").notnull(), "failed call"),
                 (operation.notnull() & ~operation.lower().re_search(CALLS), "an operation that calls no model"),
                 (model.contains("embed"), "an embedding model"), (other, "an image, video, speech or rerank model")))


def without_arn(model: Column) -> Column:
    """The model, or the last part of its ARN."""
    return model.re_replace(r"^arn:.*/", "")


def entry_rows(document: Document) -> Iterator[Document]:
    """A row for each log entry: counts, time, ids; no body is touched."""
    for entry in _entries(document):
        row = {name: entry.get(name) for name in TAKEN}
        for part, names in COUNTS.items():
            row |= {name: nested(entry, part).get(name) for name in names}
        row[KEPT] = _kept_an_hour(nested(entry, "output").get("outputBodyJson"))
        yield row | {"caller": _caller(nested(entry, "identity").get("arn"))}


def _kept_an_hour(body: object) -> object:
    """Tokens that an answer's usage says were written to be kept an hour; None where it says nothing."""
    for part in body if isinstance(body, list) else [body]:
        if not isinstance(part, dict):
            continue
        for holder in (part, nested(part, "message"), nested(part, "metadata")):
            usage = nested(holder, "usage")
            counts = [each.get("inputTokens") for each in documents_of(usage, "cacheDetails") if each.get("ttl") == "1h"]
            counts.append(nested(usage, "cache_creation").get("ephemeral_1h_input_tokens"))
            told = [each for each in map(count_cell, counts) if isinstance(each, int)]
            if told or documents_of(usage, "cacheDetails"):
                return sum(told)
    return None


def _entries(document: Document) -> Iterator[Document]:
    """The document itself, or the entries in CloudWatch's events (get-log-events, subscriptions, Logs Insights)."""
    if "modelId" in document and ("input" in document or document.get("schemaType") == "ModelInvocationLog"):
        yield document
        return
    events = next((document[name] for name in ("events", "logEvents") if isinstance(document.get(name), list)), [document])
    for event in events:
        message = (event.get("message") or event.get("@message")) if isinstance(event, dict) else None
        entry = object_of(message)  # None for other lines of the log group
        if isinstance(entry, dict) and "modelId" in entry:
            yield from _entries(entry)


def _caller(arn: object) -> str | None:
    """The role or user of an ARN, without the session, which may be a person's address."""
    parts = arn.split("/") if isinstance(arn, str) else []
    return parts[1] if len(parts) > 1 else None


def insights_rows(document: Document) -> Iterator[Document]:
    """A row of what Logs Insights saves as CSV: the entry inside @message, or the fields that the query named."""
    plain = {name.lower(): value for name, value in document.items()}
    entry = object_of(plain.get("@message"))
    if isinstance(entry, dict):
        yield from entry_rows(entry)
    elif plain.get("modelid"):
        time = plain.get("@timestamp")
        time = f"{time}Z" if isinstance(time, str) and not time.rstrip().endswith("Z") else time  # it writes UTC
        counts = {name: plain.get(f"{part}.{name}".lower()) for part, names in COUNTS.items() for name in names}
        yield {**{name: plain.get(name.lower()) for name in TAKEN}, **counts, "caller": _caller(plain.get("identity.arn")),
               "timestamp": plain.get("timestamp") or time}


BEDROCK_LOG: Final = Format(
    name="bedrock-log", title="AWS Bedrock invocation log", grain="call",
    needs=frozenset({"timestamp", "modelid", "inputtokencount", "outputtokencount"}),
    uses=("cachereadinputtokencount", "cachewriteinputtokencount", KEPT, "accountid", "errorcode", "caller", "requestid",
          "operation"),
    fields=_fields, recognises=lambda document: next(_entries(document), None) is not None, flatten=entry_rows,
    may_lack_hour=True, groups={"key": "caller", "project": "accountid"})
BEDROCK_INSIGHTS: Final = replace(
    BEDROCK_LOG, name="bedrock-insights", title="CloudWatch Logs Insights CSV", needs=frozenset({"@timestamp", "@message"}),
    uses=(*BEDROCK_LOG.needs, *BEDROCK_LOG.uses), recognises=None, flatten=insights_rows, table_by_document=True)
"""Its bodies lie in a cell of the table, so that it is read as documents, one a row."""
BEDROCK_QUERY: Final = replace(
    BEDROCK_INSIGHTS, name="bedrock-query", title="CloudWatch Logs Insights query",
    needs=frozenset({"@timestamp", "modelid", "input.inputtokencount", "output.outputtokencount"}))
