"""`roi usage --format csv`: every table of the report as one table, whose first column says which of them a row is of."""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any, Final

from roi.answers.usage_tasks import Task
from roi.report.usage.spend_json import by_group, counts, grouped, money, month_json, tokens_of
from roi.usage.measure.pricing import Priced, day_of
from roi.usage.read.record import TOKENS
from roi.usage.summary import Usage

KINDS: Final = (*TOKENS, "cache_write_1h", "reasoning")
COLUMNS: Final = ("table", "provider", "model", "group", "day", "name", "requests", *(f"{kind}_tokens" for kind in KINDS),
                  "list_usd", "reported_usd", "total_usd", "unpriced_tokens", "value")  # fmt: skip
"""A row has the columns that its table knows; `name` and `value` are of tables of single figures, USD unless the name says
else.
"""


def usage_csv(found: Usage, tasks: Sequence[Task] = ()) -> str:
    """The tables by_model, by_group, by_day, without, change, tasks, without_tokens, reconciliation and dropped.

    Empty cells are not known. RFC 4180, but for the ends of lines, which are those of a terminal's text.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in (*_sums(found), *_figures(found, tasks)):
        writer.writerow({name: _safe(value) for name, value in row.items()})
    return text.getvalue()


def _sums(found: Usage) -> Iterator[dict[str, Any]]:
    """Tables of tokens and money."""
    for (provider, model), rows in grouped(found.priced, "provider", "model"):
        yield {"table": "by_model", "provider": provider, "model": model, **_counted(rows)}
    for (group, provider, model), rows in by_group(found, "provider", "model"):
        yield {"table": "by_group", "group": group, "provider": provider, "model": model, **_counted(rows)}
    for (day,), rows in grouped(found.priced, "day"):
        yield {"table": "by_day", "day": day_of(day).isoformat(), **_counted(rows)}
    gone = {day: rows for (day,), rows in grouped(found.left_out, "day")}
    for day in found.days.without if found.days else ():
        yield {"table": "without", "day": day_of(day).isoformat(), **_counted(gone.get(day, []))}


def _figures(found: Usage, tasks: Sequence[Task]) -> Iterator[dict[str, Any]]:
    """Tables of single figures."""
    for name, value in (month_json(found.change) or {}).items():
        yield {"table": "change", "name": name, "value": ", ".join(value) if isinstance(value, list) else value}
    for task in tasks:
        own = {"table": "tasks", "provider": task.provider, "model": task.model, "group": task.group}
        for name in ("requests_per_day", "requests_per_day_of_log", "usd_per_month", "saves_share", "npv_usd", "probability",
                     "best", "then", "measure_first", "passed_over", "passed_over_why", "passed_over_chance",
                     "passed_over_chance_needed", "passed_over_saves_share", "passed_over_npv_usd", "reason"):
            if getattr(task, name) not in {None, ""}:
                yield {**own, "name": name, "value": getattr(task, name)}
    for item in found.items:
        yield {"table": "without_tokens", "provider": item.provider, "name": item.name, "value": item.usd}
    for each in found.reconciliations:
        for name in ("list_usd", "actual_usd", "factor", "days", "unused_days", "unused_usd"):
            yield {"table": "reconciliation", "provider": each.provider, "group": each.basis, "name": name,
                   "value": getattr(each, name)}
    for gone in found.dropped:
        yield {"table": "dropped", "group": gone.source, "name": gone.reason, "value": gone.rows}


def _counted(rows: Sequence[Priced]) -> dict[str, Any]:
    counted, usd = counts(rows), money(rows)
    return {"requests": counted["requests"], **{f"{kind}_tokens": counted["tokens"][kind] for kind in KINDS},
            **{name: usd[name] for name in ("list_usd", "reported_usd", "total_usd")},
            "unpriced_tokens": tokens_of(each for each in rows if each.usd is None)}


def _safe(value: Any) -> Any:  # Any: a cell
    """The cell; a text that a spreadsheet would run as a formula gets an apostrophe."""
    return f"'{value}" if isinstance(value, str) and value[:1] in {"=", "+", "-", "@"} else value
