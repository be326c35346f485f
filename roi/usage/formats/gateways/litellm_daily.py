"""LiteLLM: the table of days, LiteLLM_DailyUserSpend (or those of teams, organizations and end users, which hold the same).

`prompt_tokens` is the sum over the calls of SpendLogs, so it counts cache reads and writes too. `cache_read_input_tokens` is
summed from Anthropic's field alone: OpenAI's cached reads, which LiteLLM keeps elsewhere, count as uncached input here; the
table of calls has them. Calls answered by LiteLLM's own cache are in the sums and cannot be told apart. Days are UTC. The
table of tags does not count: it counts a call once for each of its tags. Source: BerriAI/litellm, proxy/db (2026-10).
"""

from typing import TYPE_CHECKING, Final

from roi.usage.formats.gateways.litellm import litellm_model, litellm_provider
from roi.usage.formats.json_counts import DAY_US, utc
from roi.usage.read.columns import count, real, text, whole
from roi.usage.read.format import Format, group_column
from roi.usage.read.record import Asked, Fields, record

if TYPE_CHECKING:
    import ibis.expr.types as ir

USES: Final = (
    "custom_llm_provider", "api_key", "cache_read_input_tokens", "cache_creation_input_tokens", "successful_requests",
    "failed_requests", "mcp_namespaced_tool_name", "user_id", "end_user_id", "team_id", "organization_id", "tag",
)  # fmt: skip


TAGGED: Final = "the table of tags, which counts a call once for each of its tags; export LiteLLM_DailyUserSpend"


def records(table: "ir.Table", asked: Asked) -> "ir.Table":
    """Records of the table of days."""
    import ibis

    read, written = count(table, "cache_read_input_tokens"), count(table, "cache_creation_input_tokens")
    total, output = whole(table, "prompt_tokens"), count(table, "completion_tokens")
    left = total - read - written
    served = ibis.coalesce(whole(table, "successful_requests"), whole(table, "api_requests"))
    start = utc(table, "date")
    tool = text(table, "mcp_namespaced_tool_name").notnull() & text(table, "model").isnull()
    failed = (served == 0) & (total + output == 0)
    return record(table, LITELLM_DAILY.name, Fields(
        kind="bucket", at_us=start, until_us=start + DAY_US, provider=litellm_provider(table, asked),
        model=litellm_model(table, asked), uncached_input=left, cache_read=read, cache_write=written, output=output,
        requests=served, cost_usd=real(table, "spend").nullif(0.0), group=group_column(LITELLM_DAILY, table, asked),
        reasons=((text(table, "tag").notnull(), TAGGED), (tool, "calls of a tool, not of a model"),
                 ((failed & (count(table, "failed_requests") > 0)).fill_null(False), "failed calls"),
                 (failed.fill_null(False), "empty bucket"),
                 ((left < 0).fill_null(False), "cached tokens above the input")),
    ))  # fmt: skip


LITELLM_DAILY = Format(
    name="litellm-daily", title="LiteLLM daily spend", grain="bucket",
    needs=frozenset({"date", "model", "prompt_tokens", "completion_tokens", "spend", "api_requests"}), uses=USES,
    records=records, groups={"key": "api_key", "user": "user_id", "project": "team_id"},
)  # fmt: skip
