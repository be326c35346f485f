"""The formats that `roi usage` reads, a file for each tool, by family: vendors, clouds, gateways, tools of one's own.

A format is what identifies it, what is read of it, and the fields of the record that its rows fill (`read.record.Format`).
"""

from roi.usage.formats.agents.claude_code import CLAUDE_CODE, CLAUDE_TELEMETRY
from roi.usage.formats.agents.codex import CODEX_CLI
from roi.usage.formats.agents.gemini_cli import GEMINI_CLI, GEMINI_TELEMETRY
from roi.usage.formats.agents.opencode import OPENCODE
from roi.usage.formats.clouds.aws_cur import AWS_CUR, AWS_CUR_OLDER
from roi.usage.formats.clouds.azure import AZURE_GATEWAY
from roi.usage.formats.clouds.azure_metrics import AZURE_METRICS
from roi.usage.formats.clouds.bedrock import BEDROCK_INSIGHTS, BEDROCK_LOG, BEDROCK_QUERY
from roi.usage.formats.clouds.databricks import DATABRICKS_GATEWAY
from roi.usage.formats.clouds.focus import FOCUS
from roi.usage.formats.clouds.snowflake import SNOWFLAKE_CODE, SNOWFLAKE_FUNCTIONS, SNOWFLAKE_REST
from roi.usage.formats.gateways.cloudflare import CLOUDFLARE
from roi.usage.formats.gateways.helicone import HELICONE_CSV, HELICONE_JSON
from roi.usage.formats.gateways.litellm import LITELLM_DAILY, LITELLM_LOGS, LITELLM_SPENDLOGS
from roi.usage.formats.gateways.litellm_reports import LITELLM_ACTIVITY, LITELLM_SPEND_DAYS, LITELLM_UI
from roi.usage.formats.gateways.openrouter import OPENROUTER_API, OPENROUTER_CSV, OPENROUTER_DAILY
from roi.usage.formats.gateways.portkey import PORTKEY
from roi.usage.formats.relative_traces import TRACES
from roi.usage.formats.tools.cursor import CURSOR_CSV
from roi.usage.formats.tools.langfuse import LANGFUSE, LANGFUSE_UI
from roi.usage.formats.tools.langsmith import LANGSMITH
from roi.usage.formats.tools.otel import OTEL_GENAI
from roi.usage.formats.tools.phoenix import PHOENIX
from roi.usage.formats.vendors.anthropic import ANTHROPIC_COST_API, ANTHROPIC_COST_CSV, ANTHROPIC_CSV, ANTHROPIC_USAGE_API
from roi.usage.formats.vendors.deepseek import DEEPSEEK_COST_CSV, DEEPSEEK_CSV
from roi.usage.formats.vendors.gemini_calls import GEMINI_CALLS
from roi.usage.formats.vendors.openai import OPENAI_COSTS_API, OPENAI_COSTS_CSV, OPENAI_CSV, OPENAI_USAGE_API
from roi.usage.formats.vendors.openai_calls import OPENAI_CALLS
from roi.usage.read.record import Format

FORMATS: tuple[Format, ...] = (
    OPENAI_CSV, OPENAI_USAGE_API, OPENAI_COSTS_API, OPENAI_COSTS_CSV, OPENAI_CALLS, ANTHROPIC_CSV, ANTHROPIC_USAGE_API,
    ANTHROPIC_COST_API, ANTHROPIC_COST_CSV, BEDROCK_LOG, BEDROCK_INSIGHTS, BEDROCK_QUERY, AWS_CUR, AWS_CUR_OLDER, AZURE_GATEWAY,
    AZURE_METRICS, CLAUDE_CODE, CLAUDE_TELEMETRY, CODEX_CLI, GEMINI_CLI, GEMINI_TELEMETRY, OPENCODE, OTEL_GENAI, PHOENIX,
    LITELLM_SPENDLOGS, LITELLM_LOGS, LITELLM_DAILY, LITELLM_ACTIVITY, LITELLM_SPEND_DAYS, LITELLM_UI, LANGFUSE, LANGFUSE_UI,
    LANGSMITH, OPENROUTER_CSV, OPENROUTER_API, OPENROUTER_DAILY, HELICONE_CSV, HELICONE_JSON, PORTKEY, CLOUDFLARE, GEMINI_CALLS,
    CURSOR_CSV, DEEPSEEK_CSV, DEEPSEEK_COST_CSV, FOCUS, DATABRICKS_GATEWAY, SNOWFLAKE_REST, SNOWFLAKE_CODE, SNOWFLAKE_FUNCTIONS,
    *TRACES)
"""Every known format, in the order in which JSON documents are tried; a table of one's own is none of them (generic)."""
