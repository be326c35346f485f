"""OpenRouter: the activity CSV, a generation or a model and day a row, and the Activity API, an endpoint and day a row.

`tokens_prompt` counts `tokens_cached`, `tokens_completion` counts `tokens_reasoning`. `cost_total` has the discounts of the
cache in it. With one's own provider key the provider bills the call, which `byok_usage_inference` holds, and cost_total (of the
API, `usage`) is what OpenRouter takes: what was spent is both. The Activity API has no cached tokens: all input counts as
uncached there. Cache writes are in neither. Times and days are UTC. The provider is OpenRouter, whose prices are those that
are paid. `cost_web_search` and `cost_file_processing` are taken as parts of cost_total, as `cost_cache` is: no row with a
search was seen, but a response's `cost` is "the total amount charged to your account", and of a captured generation
(deepseek-chat-v3-0324 at Novita, 2026-03) `usage` is 88,813 tokens at $0.27 and 52 at $1.12 a million, and `usage_cache` of
-$0.000216 for 1,600 cached ones. Source: OpenRouter's API reference, activity (2026-10), usage accounting (2025-11); the CSV's
columns as exported.
"""

from functools import partial
from typing import Final

from roi.usage.formats.json_counts import has_keys, items_of, scalars
from roi.usage.read.columns import DAY_US, count, flag, real, text, utc, whole
from roi.usage.read.lazy_ibis import Table, ibis
from roi.usage.read.record import EMPTY_BUCKET, Fields, FileOptions, Format

PROVIDER: Final = "openrouter"
PRICED_VARIANTS: Final = ("free", "thinking", "extended")
"""Variants with prices of their own, which are part of the model's name; the others route alone."""


def _csv_fields(table: Table, _: FileOptions) -> Fields:
    output = whole(table, "tokens_completion")
    own_key = real(table, "byok_usage_inference").fill_null(0.0)
    cost = real(table, "cost_total") + own_key
    model, variant = text(table, "model_permaslug"), text(table, "variant").lower()
    priced = variant.isin(PRICED_VARIANTS) & ~model.contains(":").fill_null(False)
    nothing = (output == 0) & (cost.fill_null(0.0) == 0)
    failed = text(table, "finish_reason_normalized").lower() == "error"
    return Fields(
        at_us=utc(table, "created_at"), provider=PROVIDER, model=priced.ifelse(model.concat(":", variant), model),
        input=whole(table, "tokens_prompt"), cache_read=count(table, "tokens_cached"), output=output,
        reasoning=count(table, "tokens_reasoning"), cost_usd=cost, costs=("cost_total", "byok_usage_inference"),
        reasons=((flag(table, "cancelled") & nothing, "cancelled before any output, unbilled"),
                 (failed & nothing, "a failed call")))


def day_fields(table: Table, _: FileOptions) -> Fields:
    """What items of Activity API pages, and rows of the activity CSV by day, say."""
    start, output = utc(table, "date"), whole(table, "completion_tokens", "completion tokens")
    total, own_key = whole(table, "prompt_tokens", "prompt tokens"), real(table, "byok_usage_inference", "byok usage")
    empty = (total + output == 0) & (whole(table, "requests") == 0)
    return Fields(
        at_us=start, until_us=start + DAY_US, provider=PROVIDER,
        model=ibis.coalesce(text(table, "model"), text(table, "model_permaslug", "slug")), uncached_input=total, output=output,
        reasoning=count(table, "reasoning_tokens", "reasoning tokens"), requests=whole(table, "requests"), counts=("requests",),
        cost_usd=real(table, "usage") + own_key.fill_null(0.0), costs=("usage", "byok_usage_inference", "byok usage"),
        reasons=((empty, EMPTY_BUCKET),))


API_USES: Final = ("model", "endpoint_id", "byok_usage_inference", "reasoning_tokens")
API_NEEDS: Final = frozenset({"date", "model_permaslug", "usage", "requests", "prompt_tokens", "completion_tokens"})
OPENROUTER_CSV: Final = Format(
    name="openrouter-csv", title="OpenRouter activity CSV", grain="call",
    needs=frozenset({"created_at", "cost_total", "tokens_prompt", "tokens_completion", "model_permaslug"}),
    uses=("generation_id", "tokens_cached", "tokens_reasoning", "byok_usage_inference", "variant", "cancelled",
          "finish_reason_normalized", "api_key_name", "app_name", "user"),
    fields=_csv_fields, may_lack_written=True, groups={"key": "api_key_name", "tag": "app_name", "user": "user"})
OPENROUTER_API: Final = Format(
    name="openrouter-api", title="OpenRouter Activity API", grain="bucket", needs=API_NEEDS, uses=API_USES, fields=day_fields,
    recognises=partial(has_keys, API_NEEDS), parts=("endpoint_id",), may_lack_cached=True,
    flatten=lambda document: (scalars(item, API_NEEDS | {*API_USES}) for item in items_of(document)))
OPENROUTER_DAILY: Final = Format(
    name="openrouter-daily", title="OpenRouter activity by day", grain="bucket",
    needs=frozenset({"date", "slug", "usage", "requests", "prompt tokens", "completion tokens"}),
    uses=("byok usage", "reasoning tokens"), fields=day_fields, may_lack_cached=True)
