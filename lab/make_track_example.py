"""examples/tracked_usage.csv: three made-up months after the decision of examples/tickets.yaml, the same at every run.

The calls move from gpt-6-sol to gpt-6-luna as planned, and both are called for half of January. From January on gpt-6-luna
costs 30% more than on the day of the decision, as examples/tickets_december.yaml says. Nothing here was measured; it gives the
README its figures.
"""

import csv
import math
from datetime import date, timedelta
from pathlib import Path

TARGET = Path(__file__).parent.parent / "examples" / "tracked_usage.csv"
FIRST, DAYS = date(2026, 12, 1), 90
REQUESTS, PROMPT, ANSWER = 60_000, 900, 8
STARTS, ENDS = date(2027, 1, 1), date(2027, 1, 16)
"""First day of gpt-6-luna, and the first without gpt-6-sol."""
USD_PER_MTOK = {"gpt-6-sol": (2.0, 10.0), "gpt-6-luna": (0.13, 0.65)}
HEADER = ("date", "provider", "model", "requests", "input_tokens", "output_tokens", "cost_usd")


def rows() -> list[tuple[object, ...]]:
    """A row a day and model, whole numbers of calls and tokens."""
    found: list[tuple[object, ...]] = []
    for k in range(DAYS):
        day = FIRST + timedelta(days=k)
        requests = round(REQUESTS * (0.8 if day.weekday() >= 5 else 1.08) * (1.0 + 0.05 * math.sin(1.7 * k)))
        given, made = requests * PROMPT, requests * ANSWER
        for model, there in (("gpt-6-sol", day < ENDS), ("gpt-6-luna", day >= STARTS)):
            if there:
                read, written = USD_PER_MTOK[model]
                cost = (given * read + made * written) / 1e6
                found.append((day.isoformat(), "openai", model, requests, given, made, f"{cost:.4f}"))
    return found


if __name__ == "__main__":
    with TARGET.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(rows())
