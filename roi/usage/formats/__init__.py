"""The formats that `roi usage` reads, a file for each tool, by family: vendors, clouds, gateways, tools of one's own.

A format is what identifies it, what is read of it, and the fields of the record that its rows fill (`read.record.Format`).
"""

from roi.usage.formats.agents import claude_code, codex, gemini_cli, opencode
from roi.usage.formats.clouds import aws_cur, azure, azure_cost, bedrock, databricks, focus, google_cloud, snowflake
from roi.usage.formats.gateways import cloudflare, helicone, litellm, openrouter, portkey
from roi.usage.formats.relative_traces import TRACES
from roi.usage.formats.tools import cursor, langfuse, langsmith, otel, phoenix
from roi.usage.formats.vendors import anthropic, deepseek, gemini_calls, openai
from roi.usage.read.record import Format

FORMATS: tuple[Format, ...] = (
    openai.OPENAI_CSV, openai.OPENAI_USAGE_API, openai.OPENAI_COSTS_API, openai.OPENAI_COSTS_CSV, openai.OPENAI_CALLS,
    anthropic.ANTHROPIC_CSV, anthropic.ANTHROPIC_USAGE_API, anthropic.ANTHROPIC_COST_API, anthropic.ANTHROPIC_COST_CSV,
    bedrock.BEDROCK_LOG, bedrock.BEDROCK_INSIGHTS, bedrock.BEDROCK_QUERY, aws_cur.AWS_CUR, aws_cur.AWS_CUR_OLDER,
    azure.AZURE_GATEWAY, azure.AZURE_METRICS, azure_cost.AZURE_COST,
    claude_code.CLAUDE_CODE, claude_code.CLAUDE_TELEMETRY, codex.CODEX_CLI,
    gemini_cli.GEMINI_CLI, gemini_cli.GEMINI_TELEMETRY, opencode.OPENCODE, otel.OTEL_GENAI, phoenix.PHOENIX,
    litellm.LITELLM_SPENDLOGS, litellm.LITELLM_LOGS, litellm.LITELLM_DAILY, litellm.LITELLM_ACTIVITY,
    litellm.LITELLM_SPEND_DAYS, litellm.LITELLM_UI, langfuse.LANGFUSE, langfuse.LANGFUSE_UI, langsmith.LANGSMITH,
    openrouter.OPENROUTER_CSV, openrouter.OPENROUTER_API, openrouter.OPENROUTER_DAILY, helicone.HELICONE_CSV,
    helicone.HELICONE_JSON, portkey.PORTKEY, cloudflare.CLOUDFLARE, gemini_calls.GEMINI_CALLS, cursor.CURSOR_CSV,
    deepseek.DEEPSEEK_CSV, deepseek.DEEPSEEK_COST_CSV, focus.FOCUS, databricks.DATABRICKS_GATEWAY, snowflake.SNOWFLAKE_REST,
    snowflake.SNOWFLAKE_CODE, snowflake.SNOWFLAKE_FUNCTIONS,
    google_cloud.GCP_BILLING, google_cloud.GCP_REPORT, google_cloud.GCP_COST_TABLE,
    *TRACES)
"""Every known format, in the order in which JSON documents are tried; a table of one's own is none of them (generic)."""
