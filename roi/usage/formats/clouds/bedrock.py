"""AWS Bedrock: model invocation logs, a call a line, as they lie in S3, or wrapped by CloudWatch.

`inputTokenCount` leaves cached reads and writes out. How long a cache entry is kept stands only in the bodies, which are
never read: all writes count as the short life, too cheap by 0.75 of the input price for each token that is kept an hour.
The logs hold the four operations of bedrock-runtime (Converse and InvokeModel, streamed or not); batch jobs are not in
them. A model is kept as it was called, with its region's prefix, which has a price of its own; an ARN is cut to its last
part, which for an application inference profile or provisioned throughput is an id that names no model. Sources: AWS's user
guide, Monitor model invocation; public parsers of the log (Panther's schema AWS.BedrockModelInvocation).
"""

from collections.abc import Iterator
from functools import reduce
from operator import or_
from typing import Final

from roi.usage.formats.json_counts import nested, object_of
from roi.usage.read.columns import count, instant, text, whole
from roi.usage.read.lazy_ibis import Column, Table
from roi.usage.read.record import Document, Fields, FileOptions, Format

COUNTS: Final = {
    "input": ("inputTokenCount", "cacheReadInputTokenCount", "cacheWriteInputTokenCount"), "output": ("outputTokenCount",)}
"""Counts, by the part of a log entry that holds them beside the body."""
TAKEN: Final = ("timestamp", "modelId", "accountId", "errorCode", "requestId", "operation")
CALLS: Final = "^(converse|invokemodel|chatcompletion|createresponse|responses|messages)"
"""Beginnings of operations that call a model; lists of models and the like are logged beside them."""
OTHER_MODELS: Final = ("titan-image", "nova-canvas", "nova-reel", "nova-sonic", "stability.", "rerank", "twelvelabs.")


def fields(table: Table, options: FileOptions) -> Fields:
    """What log entries say."""
    model = without_arn(text(table, "modelid"))
    operation = text(table, "operation")
    other = reduce(or_, [model.contains(part) for part in OTHER_MODELS])
    return Fields(
        at_us=instant(table, "timestamp"), provider="aws", model=model.fill_null(options.model or ""),
        uncached_input=whole(table, "inputtokencount"), cache_read=count(table, "cachereadinputtokencount"),
        cache_write=count(table, "cachewriteinputtokencount"), output=whole(table, "outputtokencount"),
        reasons=((text(table, "errorcode").notnull(), "failed call"),
                 ((operation.notnull() & ~operation.lower().re_search(CALLS)).fill_null(False), "an operation that calls no model"),
                 (model.contains("embed").fill_null(False), "an embedding model"),
                 (other.fill_null(False), "an image, video, speech or rerank model")))


def without_arn(model: Column) -> Column:
    """The model, or the last part of its ARN."""
    return model.re_replace(r"^arn:.*/", "")


def entry_rows(document: Document) -> Iterator[Document]:
    """A row for each log entry: counts, time, ids; no body is touched."""
    for entry in _entries(document):
        row = {name: entry.get(name) for name in TAKEN}
        for part, names in COUNTS.items():
            row |= {name: nested(entry, part).get(name) for name in names}
        yield row | {"caller": _caller(nested(entry, "identity").get("arn"))}


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


BEDROCK_LOG: Final = Format(
    name="bedrock-log", title="AWS Bedrock invocation log", grain="call",
    needs=frozenset({"timestamp", "modelid", "inputtokencount", "outputtokencount"}),
    uses=("cachereadinputtokencount", "cachewriteinputtokencount", "accountid", "errorcode", "caller", "requestid", "operation"),
    fields=fields, recognises=lambda document: next(_entries(document), None) is not None, flatten=entry_rows,
    groups={"key": "caller", "project": "accountid"})
