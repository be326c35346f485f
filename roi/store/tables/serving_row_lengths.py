"""Prompt and output lengths of a row of a table of serving runs, and how far they spread."""

import math
import re

from roi.store.tables.row_fields import Row, Unusable, cell
from roi.store.tables.serving_cells import stated_number

SHAREGPT = (215.2, 198.0)
"""Mean prompt and output tokens of the ShareGPT sample (1,000 requests, seed 0) that vLLM's benchmark script draws."""

SHAREGPT_CV = 1.2
"""Standard deviation over mean of that sample's lengths: it is cut at 1,024 prompt tokens and 2,048 together."""

REAL_LENGTHS_CV = 0.9
"""Spread of lengths where a table gives a mean of real text (OpenOrca, ShareGPT); synthetic loads have none."""


def row_lengths(row: Row, assumed: list[tuple[str, float]]) -> tuple[float, float]:
    """Mean prompt and output tokens: as stated, else from the ratios of the rates, else ShareGPT's where it is named."""
    isl, osl = stated_number(row, "isl"), stated_number(row, "osl")
    requests, output, total = (stated_number(row, name) for name in ("req_per_s", "output_tok_per_s", "total_tok_per_s"))
    if osl is None and requests and output:
        osl = output / requests
    if isl is None and requests and output and total and total > output:
        isl = (total - output) / requests
    if (isl is None or osl is None) and "sharegpt" in length_words(row):
        assumed.append(("isl, osl of ShareGPT", 1.2))
        isl, osl = isl or SHAREGPT[0], osl or SHAREGPT[1]
    if isl is None or osl is None:
        raise Unusable("isl" if isl is None else "osl", "", "empty, and a configuration needs it")
    return isl, max(osl, 1.0)


def row_length_cv(row: Row) -> float:
    """Standard deviation over mean of both lengths: of a range that the row gives, of real text, else 0."""
    text = length_words(row)
    nominal = re.search(r"ranges? \[(\d+), (\d+)\]", text)
    if nominal:
        low, high = float(nominal.group(1)), float(nominal.group(2))
        return abs(high - low) / max(high + low, 1.0) / math.sqrt(3.0)  # a uniform draw
    if re.search(r"sharegpt|orca|mlperf|lmsys|conversation", text):
        return SHAREGPT_CV if "sharegpt" in text else REAL_LENGTHS_CV
    return 0.0


def length_words(row: Row) -> str:
    """The columns whose text says where prompts come from, in small letters."""
    return f"{cell(row, 'scenario')} {cell(row, 'notes')}".lower()
