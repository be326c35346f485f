"""examples/tracked_usage.csv: three made-up months after the decision of examples/tickets.yaml, the same at every run.

The calls move from gpt-6-sol to gpt-6-luna as planned, both are called for half of January, and there are 3% fewer of them.
From January on every prompt carries 225 tokens more. Nothing here was measured; it gives the README its figures.
"""

import csv
import math
from datetime import date, timedelta
from pathlib import Path

TARGET = Path(__file__).parent.parent / "examples" / "tracked_usage.csv"
FIRST, DAYS = date(2026, 12, 1), 90
REQUESTS, PROMPT, ANSWER = 58_200, 900, 8
LONGER = date(2027, 1, 1), 225
"""From when on prompts are longer, and by how many tokens."""
STARTS, ENDS = date(2027, 1, 1), date(2027, 1, 16)
"""First day of gpt-6-luna, and the first without gpt-6-sol."""


def rows() -> list[tuple[object, ...]]:
    """A row a day and model, whole numbers of calls and tokens."""
    found: list[tuple[object, ...]] = []
    for k in range(DAYS):
        day = FIRST + timedelta(days=k)
        wave = 1.0 + 0.05 * math.sin(1.7 * k)
        models = [m for m, there in (("gpt-6-sol", day < ENDS), ("gpt-6-luna", day >= STARTS)) if there]
        requests = round(REQUESTS * (0.8 if day.weekday() >= 5 else 1.08) * wave)
        given = PROMPT + (LONGER[1] if day >= LONGER[0] else 0)
        found += [(day.isoformat(), "openai", model, requests, requests * given, requests * ANSWER) for model in models]
    return found


if __name__ == "__main__":
    with TARGET.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("date", "provider", "model", "requests", "input_tokens", "output_tokens"))
        writer.writerows(rows())
