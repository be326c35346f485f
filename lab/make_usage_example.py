"""examples/openai_export.csv: a made-up dashboard export of nine weeks, the same at every run.

A support desk on gpt-6-sol with a little gpt-6-luna: quiet week-ends, 1% growth a week, a prompt of which 1,200 tokens are the
same and cached in four calls of five. Nothing here was measured; it shows the format and gives the README its figures.
"""

import csv
import math
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

TARGET = Path(__file__).parent.parent / "examples" / "openai_export.csv"
FIRST, DAYS = date(2026, 9, 21), 63
HEADER = (
    "start_time", "end_time", "start_time_iso", "end_time_iso", "project_id", "num_model_requests", "user_id", "api_key_id",
    "model", "batch", "service_tier", "input_tokens", "output_tokens", "input_cached_tokens", "input_uncached_tokens",
    "input_cache_write_tokens",
)  # fmt: skip
STREAMS = (
    ("proj_support", "key_triage", "gpt-6-sol", 14_000, 1_600, 40, 1200),
    ("proj_support", "key_reply", "gpt-6-sol", 5_200, 2_300, 260, 1200),
    ("proj_search", "key_rewrite", "gpt-6-luna", 9_000, 350, 25, 0),
)  # fmt: skip
"""Project, key, model, requests of a weekday, input and output tokens of a request, tokens that are the same in all."""


def rows() -> list[tuple[object, ...]]:
    """A row a day and stream, whole numbers throughout."""
    found: list[tuple[object, ...]] = []
    for k in range(DAYS):
        day = FIRST + timedelta(days=k)
        start = datetime(day.year, day.month, day.day, tzinfo=UTC)
        end = start + timedelta(days=1)
        for n, (project, key, model, weekday, given, out, same) in enumerate(STREAMS):
            wave = 1.0 + 0.06 * math.sin(1.7 * k + n)
            requests = round(weekday * (0.35 if day.weekday() >= 5 else 1.0) * 1.01 ** (k / 7) * wave)
            cached = round(requests * 0.8) * same
            whole = requests * given
            found.append((
                int(start.timestamp()), int(end.timestamp()), start.isoformat(), end.isoformat(), project, requests, "", key,
                model, "False", "default", whole, requests * out, cached, whole - cached, 0,
            ))  # fmt: skip
    return found


if __name__ == "__main__":
    TARGET.parent.mkdir(exist_ok=True)
    with TARGET.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(rows())
