"""Summarise a request trace as the `lengths` and `peak_to_mean` of a scenario.

    python lab/summarise_trace.py azure_llm_2023_code.csv

Reads TIMESTAMP, ContextTokens, GeneratedTokens. Peak-to-mean is over calendar minutes from the first to the last, empty and
partial ones included. Lengths are a joint histogram: eight equally filled classes of input, each with up to four of output.
"""

import csv
import sys
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np


def main(path: str) -> None:
    """Print the block of YAML."""
    rows = list(csv.DictReader(Path(path).read_text(encoding="utf-8").splitlines()))
    minutes = [datetime.fromisoformat(r["TIMESTAMP"][:26]).replace(second=0, microsecond=0) for r in rows]
    span = int((max(minutes) - min(minutes)) / timedelta(minutes=1)) + 1
    peak = max(Counter(minutes).values()) / (len(rows) / span)
    inputs, outputs = (np.array([float(r[k]) for r in rows]) for k in ("ContextTokens", "GeneratedTokens"))
    print(f"  # {len(rows):,} requests in {span} minutes; mean {inputs.mean():.2f} in, {outputs.mean():.2f} out")
    print(f"  peak_to_mean: {peak:.3f}")
    print("  lengths:")
    for cell in np.array_split(np.argsort(inputs, kind="stable"), 8):
        by_output = cell[np.argsort(outputs[cell], kind="stable")]
        for part in np.split(by_output, [int(by_output.size * q) for q in (0.5, 0.9, 0.99)]):
            print(
                f"    - {{input_tokens: {inputs[part].mean():.4f}, output_tokens: {outputs[part].mean():.4f},"
                f" share: {part.size / len(rows):.10f}}}"
            )


if __name__ == "__main__":
    main(sys.argv[1])
