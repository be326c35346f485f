"""The formats that `roi usage` reads, one small file each."""

from roi.usage.format import Format
from roi.usage.formats.anthropic_api import ANTHROPIC_USAGE_API
from roi.usage.formats.anthropic_costs import ANTHROPIC_COST_API
from roi.usage.formats.anthropic_csv import ANTHROPIC_CSV
from roi.usage.formats.bedrock import BEDROCK_LOG
from roi.usage.formats.cursor import CURSOR_CSV
from roi.usage.formats.deepseek import DEEPSEEK_CSV
from roi.usage.formats.focus import FOCUS
from roi.usage.formats.helicone import HELICONE_CSV, HELICONE_JSON
from roi.usage.formats.langfuse import LANGFUSE, LANGFUSE_UI
from roi.usage.formats.litellm import LITELLM_SPENDLOGS
from roi.usage.formats.litellm_daily import LITELLM_DAILY
from roi.usage.formats.openai_costs import OPENAI_COSTS_API
from roi.usage.formats.openai_usage import OPENAI_CSV, OPENAI_USAGE_API
from roi.usage.formats.openrouter import OPENROUTER_API, OPENROUTER_CSV
from roi.usage.formats.otel import OTEL_GENAI

FORMATS: tuple[Format, ...] = (
    OPENAI_CSV, OPENAI_USAGE_API, OPENAI_COSTS_API, ANTHROPIC_CSV, ANTHROPIC_USAGE_API, ANTHROPIC_COST_API, BEDROCK_LOG,
    OTEL_GENAI, LITELLM_SPENDLOGS, LITELLM_DAILY, LANGFUSE, LANGFUSE_UI, OPENROUTER_CSV, OPENROUTER_API, HELICONE_CSV,
    HELICONE_JSON, CURSOR_CSV, DEEPSEEK_CSV, FOCUS,
)  # fmt: skip
"""Every known format, in the order in which JSON documents are tried; a table of one's own is none of them (generic)."""
