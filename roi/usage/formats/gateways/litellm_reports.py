"""LiteLLM: what its admin UI exports as CSV, and what its endpoints answer: /daily/activity and the days of /spend/logs.

They are sums of the tables in `litellm`. /daily/activity (of users, teams, tags or all) breaks a day down by model: the
counts are those of the table of days, without who is paid but for a name before the model. /spend/logs answers with days when
it is asked for a span of dates: money by model alone, so a cost. The UI's CSV has days of a team (or tag, key, user) without
models, its amounts with commas; its other CSV, "daily with models", gives every model of a team all that the team spent
(2026-07) and has no split of tokens, so that it is not read. Source: BerriAI/litellm, ui/litellm-dashboard EntityUsageExport
and common_daily_activity (2026-07), rows as in its tests.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from roi.catalog.prices.api_prices import ALIASES
from roi.usage.formats.gateways.litellm import FAMILIES, LITELLM_DAILY
from roi.usage.formats.json_counts import amount, nested
from roi.usage.read.columns import DAY_US, bounded, count, real, text, utc, whole
from roi.usage.read.lazy_ibis import Table
from roi.usage.read.names_alone import NO_MODEL
from roi.usage.read.record import EMPTY_BUCKET, Document, Fields, FileOptions, Format

METRICS: Final = ("spend", "prompt_tokens", "completion_tokens", "cache_read_input_tokens", "cache_creation_input_tokens",
                  "api_requests", "successful_requests", "failed_requests")  # fmt: skip
UI_COUNTS: Final = ("prompt tokens", "completion tokens", "cache read tokens", "cache creation tokens")
ENTITIES: Final = ("team", "tag", "user", "organization", "customer", "agent")
"""What the UI's rows may be of."""


def _by_model(document: Document) -> Iterator[tuple[object, str, Document]]:
    """(day, model, metrics) of an answer of /daily/activity, or one day of it."""
    results = document.get("results", [document])
    for day in results if isinstance(results, list) else ():
        for model, held in nested(nested(day, "breakdown") if isinstance(day, dict) else {}, "models").items():
            if isinstance(held, dict):
                yield day.get("date"), model, nested(held, "metrics") or held


def activity_rows(document: Document) -> Iterator[Document]:
    """A row for each model of each day."""
    for day, model, metrics in _by_model(document):
        head, _, rest = model.partition("/")
        paid = head in ALIASES or head.startswith(tuple(FAMILIES)) or head in {"openai", "anthropic", "groq", "openrouter"}
        yield {
            **{name: amount(metrics.get(name)) for name in METRICS},
            "date": day,
            "model": rest if paid and rest else model,
            "custom_llm_provider": head if paid and rest else None,
        }


def spend_rows(document: Document) -> Iterator[Document]:
    """A row for each model of the day."""
    for model, spend in document["models"].items():
        yield {"starttime": document.get("startTime"), "model": model, "spend": amount(spend), "spend by day": True}


def spend_fields(table: Table, _: FileOptions) -> Fields:
    """What days of /spend/logs say."""
    start = utc(table, "starttime")
    return Fields(
        at_us=start, until_us=start + DAY_US, provider="litellm", model=text(table, "model"), cost_usd=real(table, "spend"))


def ui_fields(table: Table, options: FileOptions) -> Fields:
    """What rows of the UI's CSV say."""
    start, total, served = utc(table, "date"), whole(table, "prompt tokens"), whole(table, "successful requests")
    output = count(table, "completion tokens")
    spend = bounded(text(table, "spend ($)").replace(",", "").replace("$", "").try_cast("float64"))
    return Fields(
        at_us=start, until_us=start + DAY_US, model=options.model or NO_MODEL, input=total,
        cache_read=count(table, "cache read tokens"), cache_write=count(table, "cache creation tokens"), output=output,
        requests=served, counts=("successful requests",), cost_usd=spend.nullif(0.0),
        reasons=(((served == 0) & (total + output == 0), EMPTY_BUCKET),))


LITELLM_ACTIVITY: Final = replace(
    LITELLM_DAILY, name="litellm-activity", title="LiteLLM daily activity", flatten=activity_rows,
    recognises=lambda document: next(_by_model(document), None) is not None)
LITELLM_SPEND_DAYS: Final = Format(
    name="litellm-spend-days", title="LiteLLM spend by day", grain="cost",
    needs=frozenset({"starttime", "model", "spend", "spend by day"}), uses=(), fields=spend_fields,
    recognises=lambda day: {"startTime", "spend", "models"} <= day.keys() and isinstance(day["models"], dict),
    flatten=spend_rows)
LITELLM_UI: Final = Format(
    name="litellm-ui", title="LiteLLM UI CSV", grain="bucket",
    needs=frozenset({"date", "spend ($)", "successful requests", "prompt tokens", "completion tokens"}),
    uses=(*UI_COUNTS, *ENTITIES, *(f"{name} id" for name in ENTITIES)), fields=ui_fields,
    parts=(*ENTITIES, *(f"{name} id" for name in ENTITIES)), groups={"project": "team", "tag": "tag", "user": "user"})
