"""OpenTelemetry GenAI spans: OTLP/JSON as the collector's file exporter writes it, or flat spans, one a line.

A call counts once, at its innermost span: agent, tool and workflow spans repeat the sums of their children, and so does a chat
span of a framework around the chat span of a client, known by a direct child in the same file. An older span without an
operation counts where it names a model and has usage, and so does vLLM's of a request, which names none, where no client's span
of its trace does. gen_ai.usage.input_tokens SHOULD count cached reads and writes, but instrumentations differ, so that it is
ambiguous; where cached tokens are above the input of their span, it plainly does not. There is no attribute for batch.
OpenInference (Phoenix) and the Vercel AI SDK have names of their own for the same: a span of kind LLM, and one whose operation
ends in doGenerate or doStream, is a call; the SDK's outer span repeats the last step. The output SHOULD count reasoning;
Google's Agent Development Kit left it out for as long as it called it experimental (to 2.2), and so does a model of whose spans
one has more reasoning than output: there it is added, since it costs as much. OpenInference's google-genai counts cached tokens
in the input, and from 0.1.12 to 0.1.15 twice; where the span names another scope or none, nobody knows. Attributes of content
and events are never read.

Source: open-telemetry/semantic-conventions-genai, registry of gen_ai (2026-11; `cache_creation` becomes `cache_write` there);
spans captured from the AI SDK (Arize-ai/openinference, 2026-02) and of OpenInference; its google-genai's _utils.py at the tags
of 0.1.11 to 0.1.16, and its pull request 3016.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from roi.catalog.prices.api_prices import ALIASES
from roi.usage.formats.clouds.bedrock import without_arn
from roi.usage.formats.json_counts import documents_of, nested, object_of
from roi.usage.formats.nested import SCOPE_SPANS, span_groups
from roi.usage.formats.vendors.openai import STANDARD
from roi.usage.read.columns import count, instant, service, text, whole
from roi.usage.read.lazy_ibis import Column, Table, ibis
from roi.usage.read.record import Document, Fields, FileOptions, Format, ambiguous_input

ATTRIBUTES: Final = {
    "operation": "gen_ai.operation.name", "provider": "gen_ai.provider.name", "asked": "gen_ai.request.model",
    "answered": "gen_ai.response.model", "input": "gen_ai.usage.input_tokens", "output": "gen_ai.usage.output_tokens",
    "read": "gen_ai.usage.cache_read.input_tokens", "written": "gen_ai.usage.cache_creation.input_tokens",
    "reasoning": "gen_ai.usage.reasoning.output_tokens", "beside": "gen_ai.usage.experimental.reasoning_tokens",
    "tier": "openai.response.service_tier",
    "agent": "gen_ai.agent.name", "prompt": "gen_ai.prompt.name", "session": "gen_ai.conversation.id",
}  # fmt: skip
"""What is read, and the attribute that holds it."""
OLDER: Final = {
    "operation": ("llm.request.type",), "provider": ("gen_ai.system", "llm.provider", "llm.system", "ai.model.provider"),
    "asked": ("llm.model_name", "ai.model.id"), "answered": ("ai.response.model",),
    "input": ("gen_ai.usage.prompt_tokens", "llm.token_count.prompt", "ai.usage.inputTokens", "ai.usage.promptTokens"),
    "output": ("gen_ai.usage.completion_tokens", "llm.token_count.completion", "ai.usage.outputTokens",
               "ai.usage.completionTokens"),
    "read": ("gen_ai.usage.cache_read_input_tokens", "gen_ai.usage.input_tokens.cached",
             "gen_ai.usage.details.cache_read_tokens", "llm.token_count.prompt_details.cache_read",
             "ai.usage.inputTokenDetails.cacheReadTokens", "ai.usage.cachedInputTokens"),
    "written": ("gen_ai.usage.cache_write.input_tokens", "gen_ai.usage.cache_creation_input_tokens",
                "gen_ai.usage.details.cache_write_tokens",
                "llm.token_count.prompt_details.cache_write", "ai.usage.inputTokenDetails.cacheWriteTokens"),
    "reasoning": ("gen_ai.usage.reasoning_tokens", "gen_ai.usage.output_tokens.reasoning",
                  "llm.token_count.completion_details.reasoning", "ai.usage.reasoningTokens"),
    "tier": ("gen_ai.openai.response.service_tier",), "session": ("session.id",),
}  # fmt: skip
"""Other names of the same, older, newer or one vendor's, in the order in which they are tried after the convention's."""
NAMES: Final = {
    "span": ("spanId", "span_id", "SpanId"), "trace": ("traceId", "trace_id", "TraceId"),
    "parent": ("parentSpanId", "parent_span_id", "parent_id", "ParentSpanId"),
    "start": ("startTimeUnixNano", "start_time_unix_nano", "start_time", "startTime", "Timestamp", "start_timestamp"),
    "attributes": ("attributes", "SpanAttributes", "span_attributes"), "status": ("status", "StatusCode", "status_code"),
    "resource": ("resource", "ResourceAttributes"), "scope": ("instrumentationScope", "instrumentation_scope", "scope",
                                                              "instrumentationLibrary", "instrumentationLibraryScope"),
}  # fmt: skip
"""Keys of a span in OTLP/JSON, in SDKs' JSON, and in the collector's ClickHouse table."""
SCOPES: Final = {"name": ("otel.scope.name", "otel.library.name", "ScopeName"),
                 "version": ("otel.scope.version", "otel.library.version", "ScopeVersion")}  # fmt: skip
"""Where what made a span stands, if not in an object of its own."""
GOOGLE_GENAI: Final = "openinference.instrumentation.google_genai"
TWICE: Final = ("0.1.12", "0.1.13", "0.1.14", "0.1.15")
"""Versions of GOOGLE_GENAI that add cached tokens to an input that counts them."""
SERVED: Final = "gen_ai.latency.e2e"
"""What vLLM and servers like it say of each request, and no client does."""
KIND: Final = "openinference.span.kind"
STEP: Final = "ai.operationId"
"""What a span is, in OpenInference's and the AI SDK's words."""
INTERFACE: Final = r"\.(responses|chat|messages|completions?|generative-ai|language-model)$"
"""What the AI SDK adds to a provider's name: openai.responses, anthropic.messages, google.generative-ai."""
ROOTS: Final = ("gen_ai", "llm", "openinference", "ai", "session")
"""Beginnings of attributes that some exports nest as objects in place of names with dots."""
MLFLOW: Final = "mlflow.spanType"
OF_MLFLOW: Final = {"input": "input_tokens", "output": "output_tokens", "read": "cache_read_input_tokens",
                    "written": "cache_creation_input_tokens"}  # fmt: skip
"""What MLflow calls a span's kind, and the counts of its usage."""
NANOSECONDS: Final = 10**17
"""A number of this size or more is nanoseconds: as microseconds it would lie beyond the year 5138."""
CALLS: Final = ("chat", "text_completion", "generate_content", "completion", "chat.completions", "text.completions")
"""Operations that are one call of a language model; the last three are older words."""


def counted(table: Table) -> Table:
    """The table with each count, and who answered, as a column of its own, which SQL names where it is used again."""
    provider = text(table, ATTRIBUTES["provider"]).lower().re_replace(INTERFACE, "").substitute(ALIASES)
    read = table.mutate(
        roi_input=whole(table, ATTRIBUTES["input"]), roi_output=whole(table, ATTRIBUTES["output"]), roi_provider=provider,
        **{f"roi_{what}": count(table, ATTRIBUTES[what]) for what in ("read", "written", "reasoning", "beside")})
    return read.mutate(roi_model=_model(read, read.roi_provider))


def fields(table: Table, options: FileOptions) -> Fields:
    """What spans say, as `counted`."""
    total, output, read, written = table.roi_input, table.roi_output, table.roi_read, table.roi_written
    of_genai = text(table, "scope.name").isin((GOOGLE_GENAI,)).fill_null(False)
    total -= ibis.ifelse(of_genai & text(table, "scope.version").isin(TWICE), read, 0)
    given = ambiguous_input(total, read, written, options, shows=True, known=of_genai)
    tier = text(table, ATTRIBUTES["tier"]).lower()
    inside, beside = table.roi_reasoning, table.roi_beside
    more = (inside > output).fill_null(False).cast("int64").max().over(group_by=table.roi_model) > 0
    beside = ibis.ifelse(more & (inside > 0), inside, beside)  # a part is not more than the whole
    return Fields(
        at_us=instant(table, "start_time"), provider=table.roi_provider, model=table.roi_model, output=output + beside,
        reasoning=ibis.greatest(inside, beside), **service(tier, STANDARD),
        **{**given, "reasons": (*_reasons(table), *given["reasons"])})


def _reasons(table: Table) -> list[tuple[Column, str]]:
    operation = text(table, ATTRIBUTES["operation"]).lower()
    counted = text(table, ATTRIBUTES["input"]).notnull() & text(table, ATTRIBUTES["output"]).notnull()
    named = text(table, ATTRIBUTES["asked"]).notnull() | text(table, ATTRIBUTES["answered"]).notnull()
    call = operation.isin(CALLS).fill_null(False)
    older = operation.isnull() & named & counted
    trace = text(table, "span_id").re_extract("^[^:]*", 0)
    of_clients = table.filter((call | older) & counted)
    served = text(table, "served").isin(("true",)).fill_null(False) & operation.isnull() & counted & ~named
    older = older | (served & ~trace.isin(text(of_clients, "span_id").re_extract("^[^:]*", 0)).fill_null(False))
    children = table.filter((call | older) & counted & text(table, "parent_span_id").notnull())
    around = text(table, "span_id").isin(text(children, "parent_span_id"))
    failed = text(table, "error") == "true"
    return [
        (operation.isnull() & ~older, "a span of no model"), (operation.startswith("embed"), "embeddings"),
        (~(call | older), "an agent, tool or other span, which repeats the counts of its calls"),
        (around, "a span around another span of the same call"), (failed & ~counted, "failed call"),
        (~counted, "a call without token counts")]


def _model(table: Table, provider: Column) -> Column:
    """The model that answered; at AWS the one that was asked for, since its region's prefix has a price of its own."""
    asked, answered = without_arn(text(table, ATTRIBUTES["asked"])), without_arn(text(table, ATTRIBUTES["answered"]))
    first = ibis.ifelse(provider == "aws", asked, answered)
    return ibis.coalesce(first, answered, asked)


def has_spans(document: Document) -> bool:
    """True for OTLP/JSON traces, and for one flat span with attributes."""
    if span_groups(document) or _spans_of_trace(document):
        return True
    if "root_span_id" in document:  # Braintrust's, whose attributes say what a span is and hold no counts
        return False
    ids = _first(document, "span") or document.get("context") or document.get("spanContext")
    return bool(ids) and isinstance(_first(document, "attributes"), dict | list)


def span_rows(document: Document) -> Iterator[Document]:
    """A row for each span."""
    groups, of_trace = span_groups(document), _spans_of_trace(document)
    yield from (_row(span, None, None) for span in of_trace)
    if not groups and not of_trace and has_spans(document):
        yield _row(document, _mapping(document, "resource").get("service.name"), _first(document, "scope"))
    for group in groups:
        service = _value(_mapping(nested(group, "resource"), "attributes").get("service.name"))
        for scope in documents_of(group, *SCOPE_SPANS):
            for span in documents_of(scope, "spans"):
                yield _row(span, service, _first(scope, "scope"))


def _spans_of_trace(document: Document) -> list[Document]:
    """The spans of a trace as MLflow writes it: under `data`, or in a row of its table of traces."""
    spans = documents_of(nested(document, "data"), "spans") or documents_of(document, "spans")
    return spans if any(MLFLOW in _mapping(span, "attributes") for span in spans) else []


def _with_mlflow(attributes: Mapping[str, Any]) -> Mapping[str, Any]:  # Any: attributes as they were parsed
    """The attributes with the convention's names for what MLflow calls otherwise, each of whose values is JSON as text."""
    if MLFLOW not in attributes:
        return attributes
    said = {name: held.strip('"') if isinstance(held, str) else held for name, held in attributes.items()}
    usage = object_of(attributes.get("mlflow.chat.tokenUsage"))
    counts = {ATTRIBUTES[what]: usage.get(name) for what, name in OF_MLFLOW.items()} if isinstance(usage, dict) else {}
    kind = {"CHAT_MODEL": "chat", "LLM": "chat", "EMBEDDING": "embeddings"}.get(str(said[MLFLOW]), "invoke_agent")
    names = {"asked": said.get("mlflow.llm.model") or said.get("model"), "provider": said.get("mlflow.llm.provider")}
    return {ATTRIBUTES["operation"]: kind, **counts, **{ATTRIBUTES[what]: name for what, name in names.items() if name}, **said}


def _row(span: Document, service: object, scope: object) -> Document:
    attributes = _with_mlflow(_mapping(span, "attributes"))
    context = nested(span, "context") or nested(span, "spanContext")
    trace = _first(span, "trace") or _first(context, "trace")
    own = _first(span, "span") or _first(context, "span")
    parent = _first(span, "parent") or _first(nested(span, "parentSpanContext"), "span")
    row = {column: next((_value(attributes[name]) for name in (column, *OLDER.get(what, ())) if name in attributes), None)
           for what, column in ATTRIBUTES.items()}
    row[ATTRIBUTES["operation"]] = _operation(attributes) or row[ATTRIBUTES["operation"]]
    return row | {
        "span_id": f"{trace}:{own}", "parent_span_id": f"{trace}:{parent}" if parent else None,
        "start_time": _start(_first(span, "start")), "service.name": _value(service),
        "error": _is_error(_first(span, "status")) or attributes.get("error.type") is not None,
        "served": SERVED in attributes, **{f"scope.{what}": _of_scope(what, scope, attributes, span) for what in SCOPES},
    }


def _of_scope(what: str, scope: object, *others: Mapping[str, Any]) -> object:  # Any: attributes as they were parsed
    """Name or version of what made a span: of its scope, of a text that is the name alone, or as an attribute."""
    own = _value(scope.get(what)) if isinstance(scope, dict) else scope if what == "name" else None
    told = (_value(other.get(name)) for other in others for name in SCOPES[what])
    return next((each for each in (own, *told) if isinstance(each, str) and each), None)


def _operation(attributes: Mapping[str, Any]) -> str | None:  # Any: attributes as they were parsed
    """The convention's word for what OpenInference or the AI SDK calls a span; None where neither says what it is."""
    kind, step = (str(_value(attributes.get(name)) or "") for name in (KIND, STEP))
    if step:
        other = "embeddings" if "embed" in step.lower() else "invoke_agent"
        return "chat" if step.endswith(("doGenerate", "doStream")) else other
    return {"": None, "LLM": "chat", "EMBEDDING": "embeddings"}.get(kind.upper(), "invoke_agent")


def _is_error(status: object) -> bool:
    code = next((status[name] for name in ("code", "status_code", "statusCode") if name in status), None) \
        if isinstance(status, dict) else status
    return code == 2 or str(code).upper().removeprefix("STATUS_CODE_") == "ERROR"


def _start(time: object) -> object:
    """Nanoseconds, or JavaScript's [seconds, nanoseconds], as microseconds; other times as they are."""
    if isinstance(time, list) and len(time) == 2 and all(isinstance(part, int) and abs(part) < NANOSECONDS for part in time):
        return time[0] * 1_000_000 + time[1] // 1000
    number = int(time) if isinstance(time, str) and time.isdecimal() and len(time) <= 19 else time  # of an int64
    return number // 1000 if isinstance(number, int) and number >= NANOSECONDS else time


def _value(held: object) -> object:
    """A value of OTLP/JSON ({"intValue": "12"}), or a plain one; None where it is no text and no number."""
    if isinstance(held, dict):
        held = next((held[name] for name in held if name.lower().replace("_", "") in (
            "stringvalue", "intvalue", "doublevalue", "boolvalue")), None)
    return held if isinstance(held, str | int | float) else None


def _mapping(span: Document, what: str) -> Mapping[str, Any]:  # Any: attributes as they were parsed
    """Attributes by name, whether a list of key and value, an object, or an object that holds them."""
    held = _first(span, what)
    if isinstance(held, dict):
        inner = held.get("attributes")
        return _mapping(held, "attributes") if isinstance(inner, dict | list) else dict(_dotted(held))
    return {str(each.get("key")): each.get("value") for each in held if isinstance(each, dict)} \
        if isinstance(held, list) else {}


def _dotted(held: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:  # Any: as above
    """Attributes with dots in their names, those that are nested as objects too."""
    for name, value in held.items():
        nests = isinstance(value, dict) and (before or name in ROOTS) and _value(value) is None
        yield from _dotted(value, f"{before}{name}.") if nests else ((f"{before}{name}", value),)


def events_of(document: Document) -> Iterator[tuple[Document, object]]:
    """(attributes, time) of each event of a log, in OTLP/JSON or alone; an event without a name has that of its body."""
    groups = documents_of(document, "resourceLogs")
    for group in groups:
        for scope in documents_of(group, "scopeLogs"):
            for record in documents_of(scope, "logRecords"):
                told = {name: _value(held) for name, held in _mapping(record, "attributes").items()}
                yield {"event.name": _value(record.get("body")), **told}, _value(record.get("timeUnixNano"))
    if not groups and isinstance(document.get("attributes"), dict):
        yield document["attributes"], _value(document.get("timestamp"))


def _first(holder: Document, what: str) -> Any:  # Any: JSON as it was parsed
    return next((holder[name] for name in NAMES[what] if holder.get(name) not in (None, "")), None)


OTEL_GENAI: Final = Format(
    name="otel-genai", title="OpenTelemetry GenAI spans", grain="call",
    needs=frozenset({"span_id", "parent_span_id", "start_time", ATTRIBUTES["input"], ATTRIBUTES["output"]}),
    uses=(*ATTRIBUTES.values(), "span_id", "parent_span_id", "start_time", "error", "service.name", "scope.name",
          "scope.version", "served"),
    fields=fields, recognises=has_spans, flatten=span_rows, prepare=counted, may_lack_cached=True, may_lack_written=True,
    may_lack_hour=True, may_double={"google": f"OpenInference's google-genai {TWICE[0]} to {TWICE[-1]}"},
    groups={"project": "service.name", "session": ATTRIBUTES["session"], "tag": ATTRIBUTES["agent"],
            "prompt": ATTRIBUTES["prompt"]})
