"""What other files of known tools are, which hold no usage that could be read, and which one of theirs does.

Names are those of columns or keys, in lower case, by which such a file is told. Sources: API references of Anthropic and OpenAI
(2026-11); Azure's cost export and diagnostic logs as tests of public repositories write them (2025-03 to 2026-07); the schema
of Weave's calls; vLLM's logger.
"""

import re
from collections.abc import Iterable
from typing import Final

CLOUD_BILL: Final = "{}, which names no model; the same export as FOCUS has the money (focus), logs of calls the tokens"
UNREAD: Final = {
    frozenset({"custom_id", "result"}):
        "results of Anthropic's message batches, which hold no time; the console's usage export (anthropic-csv) counts batches,"
        " and so does the usage report (anthropic-usage-api)",
    frozenset({"type", "role", "model", "content", "stop_reason", "usage"}):
        "messages of Anthropic's API, which hold no time; the console's usage export (anthropic-csv) counts them, or a line"
        " each with time, model, input_tokens, output_tokens, cache_read_input_tokens and cache_creation_input_tokens",
    frozenset({"custom_id", "response", "error"}): "a batch's output without a completion; openai-calls reads those",
    frozenset({"metercategory", "metername"}):
        "Azure's cost export by meter; the same export as FOCUS (Cost Management, Exports, cost and usage details) is read",
    frozenset({"category", "operationname", "resourceid", "properties"}):
        "Azure's diagnostic logs, which hold no tokens of a call; spans of your code do (otel-genai), and GatewayLlmLogs of API"
        " Management (azure-gateway); the resource's metrics count them by the hour (azure-metrics)",
    frozenset({"actor", "model_breakdown"}):
        "Claude Code's analytics, a day of a person; the usage report (anthropic-usage-api) counts the same tokens, with batch"
        " and what is kept an hour",
    frozenset({"line_item_usage_type", "line_item_unblended_cost"}):
        "AWS's cost and usage report without line_item_usage_start_date and line_item_usage_amount; with them it is read"
        " (aws-cur)",
    frozenset({"lineitem/usagetype", "lineitem/unblendedcost"}):
        "AWS's cost and usage report without lineItem/UsageStartDate and lineItem/UsageAmount; with them it is read"
        " (aws-cur-older)",
    frozenset({"service description", "sku description"}): CLOUD_BILL.format("Google Cloud's bill"),
    frozenset({"op_name", "trace_id", "started_at", "summary"}):
        "calls of Weave, each of which repeats what the calls inside it used; a line for each of the innermost ones with time,"
        " model, input_tokens and output_tokens is read",
}  # fmt: skip
"""What such a file is, and what is read in its place, by names that it has."""
OF_RESULTS: Final = frozenset({"score", "correct", "is_correct", "passed", "acc", "exact_match"})
"""A column of an evaluation's results, which count no tokens."""
LOG_LINE: Final = re.compile(r"(\(\w+ pid=\d+\) )?(DEBUG|INFO|WARNING|ERROR)(:|\s+\d\d-\d\d \d\d:\d\d:\d\d)")
"""Beginning of a line of vLLM's log, or uvicorn's."""
SERVER_LOG: Final = ("a server's log in words, which tells no tokens of a call; vLLM's spans do (--otlp-traces-endpoint), with"
                     " --model, since they name none")  # fmt: skip


def told_unread(names: Iterable[str]) -> str | None:
    """What a file with these columns or keys is, and what is read in its place; None where nobody knows it."""
    own = {name.lower() for name in names}
    known = [needs for needs in UNREAD if needs <= own]
    if not known and own & OF_RESULTS and not any("token" in name for name in own):
        return "results of an evaluation and no usage; how good they are: roi quality"
    return UNREAD[max(known, key=len)] if known else None
