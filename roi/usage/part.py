"""The part of a scenario that a log settles, as YAML to overlay on one: workload, incumbent and bill."""

from collections.abc import Iterator
from typing import Any

from roi.catalog.api_prices import find_api_price
from roi.errors import InputError
from roi.scenario.overlay import PART_SCHEMA
from roi.scenario.yaml import dump_yaml
from roi.usage.pricing import day_of
from roi.usage.reconcile import DAYS_PER_MONTH, Reconciliation
from roi.usage.summary import Usage
from roi.usage.workload import MeasuredWorkload


def part_yaml(found: Usage, bill_usd_per_month: float | None = None) -> str:
    """YAML with `workload` and `incumbent`, and as comments where it comes from and what the log does not settle.

    Raises InputError where no workload is told, or its provider is not known.
    """
    w = found.workload
    if w is None:
        raise InputError(f"--output: {found.no_workload}")
    data = {"schema": PART_SCHEMA, "workload": dict(_workload(w)), "incumbent": dict(_incumbent(found, w, bill_usd_per_month))}
    return "\n".join(f"# {line}" for line in _comments(found, w)) + "\n" + dump_yaml(data)


def _workload(w: MeasuredWorkload) -> Iterator[tuple[str, Any]]:
    days = f"{len(w.days.complete)} whole days, {day_of(w.days.first)} to {day_of(w.days.last)}"
    if w.requests_per_day is not None:
        yield "requests_per_day", round(w.requests_per_day, 3)
    if w.growth is not None:
        yield "growth_per_year", {"value": round(w.growth.value, 4), "low": round(max(w.growth.low, -0.99), 4),
                                  "high": round(min(w.growth.high, 10.0), 4),
                                  "source": f"trend of {w.growth.weeks} weeks of usage, wider since it may change"}
    if w.lengths is not None and len(w.lengths.bins) > 1:
        yield "lengths", _shares_to_one([
            {"input_tokens": round(b.input_tokens, 2), "output_tokens": round(b.output_tokens, 2), "share": b.share}
            for b in w.lengths.bins])
    elif w.input_tokens is not None and w.output_tokens is not None:
        yield "input_tokens", round(w.input_tokens, 2)
        yield "output_tokens", round(w.output_tokens, 2)
    if w.prefix is not None:
        yield "shared_prefix_tokens", {"value": round(w.prefix.tokens, 2), "low": round(w.prefix.low, 2),
                                       "high": round(w.prefix.high, 2), "source": f"usage: {w.prefix.how}"}
        yield "cache_hit_rate", round(w.prefix.hit_rate, 6)
    if w.batch_share:
        yield "can_wait_share", round(w.batch_share, 6)
    if w.shape is not None:
        yield "peak_to_mean", {"value": round(max(w.shape.peak_to_mean, 1.0), 4), "source": f"usage: {days}"
                               if w.days.complete else f"usage: {w.shape.minutes} calendar minutes, first to last"}
        if w.shape.hourly_weights is not None:
            yield "hourly_weights", [round(x * 24.0, 5) for x in w.shape.hourly_weights]


def _shares_to_one(bins: list[dict[str, float]]) -> list[dict[str, float]]:
    """Shares with eight digits that add up to 1; the largest takes the rounding."""
    for each in bins:
        each["share"] = max(round(each["share"], 8), 1e-8)
    largest = max(bins, key=lambda each: each["share"])
    largest["share"] = round(largest["share"] + 1.0 - sum(each["share"] for each in bins), 8)
    return bins


def _incumbent(found: Usage, w: MeasuredWorkload, bill: float | None) -> Iterator[tuple[str, Any]]:
    price = find_api_price(w.choice.provider, w.choice.model, day_of(w.days.last), "incumbent.model")
    yield "provider", price.provider
    yield "model", w.choice.model
    yield "uses_cache", w.uses_cache
    if w.batch_share:
        yield "batch_share", round(w.batch_share, 6)
    paid = bill if bill is not None else reported_per_month(found, w) or exported_per_month(found, w)
    if paid:
        yield "bill_usd_per_month", round(paid, 2)
    split = _split(found.reconciliations, price.provider)
    if split is not None and paid and bill is None:
        yield "bill_is_volume_share", split


def _split(found: tuple[Reconciliation, ...], provider: str) -> float | None:
    """0 where the same rows give tokens and cost: the whole gap is price."""
    return 0.0 if any(r.basis == "calls" and r.provider == provider for r in found) else None


def reported_per_month(found: Usage, w: MeasuredWorkload) -> float | None:
    """What the rows of the workload report that they cost, a month of 365/12 days; None unless all of them do."""
    whole = set(w.days.complete)
    rows = [each.spend for each in found.priced if w.choice.group is None and each.spend.day in whole
            and (each.spend.provider, each.spend.model) == (w.choice.provider, w.choice.model)]
    if not rows or not all(row.costed for row in rows):
        return None
    return sum(row.cost_usd for row in rows) / len(whole) * DAYS_PER_MONTH


def exported_per_month(found: Usage, w: MeasuredWorkload) -> float | None:
    """What a cost export says that the workload costs a month: its list price times the provider's paid over list.

    A cost export has no calls, so one factor stands for all of the provider's models. None without one, or without a price.
    """
    factor = next((r.factor for r in found.reconciliations if r.basis == "costs" and r.provider == w.choice.provider), None)
    whole = set(w.days.complete)
    listed = [each.list_usd for each in found.priced if each.spend.day in whole
              and (each.spend.provider, each.spend.model) == (w.choice.provider, w.choice.model)]
    known = [usd for usd in listed if usd is not None]
    if factor is None or not known or w.choice.group is not None:
        return None
    return sum(known) / len(whole) * DAYS_PER_MONTH * factor


def _comments(found: Usage, w: MeasuredWorkload) -> Iterator[str]:
    task = f", group {w.choice.group}" if w.choice.group is not None else ""
    yield f"What usage records settle for {w.choice.model}{task}; overlay it: roi compare my.yaml --usage THIS_FILE"
    yield f"{day_of(w.days.first)} to {day_of(w.days.last)}, {len(w.days.complete)} whole days; hours are UTC"
    for name, title, rows in found.sources[:5]:
        yield f"read: {name} ({title}, {rows:,} rows)"
    for field, why in w.missing:
        yield f"not told: {field}: {why}"
