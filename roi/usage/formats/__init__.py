"""The formats that `roi usage` reads, one small file each."""

from roi.usage.format import Format
from roi.usage.formats.openai_usage import OPENAI_CSV, OPENAI_USAGE_API

FORMATS: tuple[Format, ...] = (OPENAI_CSV, OPENAI_USAGE_API)
"""Every known format, in the order in which JSON documents are tried."""
