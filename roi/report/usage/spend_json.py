"""`roi usage --format json`: what was spent, the workload and the reconciliation, every figure with its unit in its name."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from roi import __version__
from roi.answers.usage_tasks import Task
from roi.usage.measure.days import Days
from roi.usage.measure.months import MonthChange
from roi.usage.measure.pricing import Priced, day_of, searched_usd, spent, total_requests, total_tokens
from roi.usage.measure.reconcile import Reconciliation
from roi.usage.measure.workload import MeasuredWorkload, Model
from roi.usage.read.columns import WEEKDAYS
from roi.usage.read.record import TOKENS
from roi.usage.summary import Usage

SCHEMA = "roi.usage/1"


def usage_json(found: Usage, tasks: Sequence[Task] = ()) -> str:
    """The whole answer as JSON; null where something is not known."""
    return json.dumps({
        "schema": SCHEMA, "roi_version": __version__,
        "sources": [{"file": name, "format": title, "rows": count} for name, title, count in found.sources],
        **money(found.priced), "cost_export_usd": sum(row.cost_usd for row in found.costs) if found.costs else None,
        **counts(found.priced), "web_searches": sum(each.spend.tokens["web_searches"] for each in found.priced),
        "web_searches_usd": searched_usd(found.priced), "without_tokens": [
            {"provider": item.provider, "name": item.name, "usd": item.usd, "usd_per_month": item.usd_per_month}
            for item in found.items],
        "list_prices": [{"source": source, "date": stated, "models": models}
                        for source, stated, models in list_prices(found.priced)],
        "by_model": [{
            "provider": provider, "model": model, **counts(group), **money(group),
            "unpriced_tokens": tokens_of(each for each in group if each.usd is None),
            "notes": list(dict.fromkeys(each.note for each in group if each.note)),
        } for (provider, model), group in grouped(found.priced, "provider", "model")],
        "by_day": [{
            "day": day_of(day).isoformat(), "complete": found.days is not None and day in found.days.complete,
            "total_usd": money(group)["total_usd"], **counts(group),
        } for (day,), group in grouped(found.priced, "day")],
        "by_group": [{"group": key[0], **money(group), **counts(group)} for key, group in by_group(found)],
        "days": found.days and {
            "first": day_of(found.days.first).isoformat(), "last": day_of(found.days.last).isoformat(),
            "complete": len(found.days.complete),
            "left_out": [{"day": day_of(day).isoformat(), "reason": why} for day, why in found.days.left_out],
            "without": [day_of(day).isoformat() for day in found.days.without],
            "in_no_file": [day_of(day).isoformat() for day in found.days.unseen],
            "silent": [day_of(day).isoformat() for day in found.days.silent]},
        "without": {**money(found.left_out), **counts(found.left_out)} if found.days and found.days.without else None,
        "workload": _workload(found.workload) if found.workload else None,
        "no_workload": found.no_workload or None, "reconciliation": _reconciliation(found.reconciliations),
        "change": _month(found.change),
        "tasks": [{
            "group": task.group, "provider": task.provider, "model": task.model, "requests_per_day": task.requests_per_day,
            "requests_per_day_of_log": task.requests_per_day_of_log, "days": _days(task.days),
            "usd_per_month": task.usd_per_month, "best": task.best, "then": task.then, "measure_first": task.measure_first,
            "saves_share": task.saves_share, "npv_usd": task.npv_usd, "probability_npv_positive": task.probability,
            "passed_over": task.passed_over and {
                "option": task.passed_over, "reason": task.passed_over_why, "chance": task.passed_over_chance,
                "chance_needed": task.passed_over_chance_needed, "saves_share": task.passed_over_saves_share,
                "npv_usd": task.passed_over_npv_usd},
            "reason": task.reason or None} for task in tasks],
        "dropped": [{"source": d.source, "reason": d.reason, "rows": d.rows, "usd": d.usd, "where": d.where or None}
                    for d in found.dropped],
        "notes": list(found.notes), "list_price_equivalent": found.equivalent,
    }, indent=1, allow_nan=False)


def list_prices(priced: Sequence[Priced]) -> list[tuple[str, str, int]]:
    """Each source of list prices, the day as of which it states them, and how many models it prices, the most first."""
    models, days = defaultdict[str, set[Model]](set), dict[str, str]()
    for each in priced:
        if each.rates is not None and each.rates.stated is not None:
            source, stated = each.rates.source.partition(", http")[0], each.rates.stated.isoformat()
            models[source].add((each.spend.provider, each.spend.model or ""))
            days[source] = max(stated, days.get(source, stated))
    return [(source, days[source], len(models[source])) for source in sorted(models, key=lambda x: (-len(models[x]), x))]


def _month(change: MonthChange | None) -> dict[str, Any] | None:
    """The last month against the month before; the causes add up to the difference. Null where there are no two months."""
    return None if change is None else {
        **asdict(change), "before": f"{change.before:%Y-%m}", "month": f"{change.month:%Y-%m}",
        "weekdays": list(change.weekdays)}


def grouped(priced: Iterable[Priced], *names: str) -> list[tuple[tuple[Any, ...], list[Priced]]]:
    """The sums grouped by their values of the named fields, the most spent first; by day in order of time."""
    groups: dict[tuple[Any, ...], list[Priced]] = defaultdict(list)
    for each in priced:
        groups[tuple(getattr(each.spend, name) for name in names)].append(each)
    if names == ("day",):
        return sorted(groups.items(), key=lambda item: item[0][0] or 0)
    return sorted(groups.items(), key=lambda item: (-spent(item[1]), -tokens_of(item[1])))


def by_group(found: Usage) -> list[tuple[tuple[Any, ...], list[Priced]]]:
    """The groups, the most spent first, or in order of time; then what is in none of them, whose group is None."""
    groups = grouped(found.groups, "group")
    if found.by_time:
        groups.sort(key=lambda item: _in_time(item[0][0]))
    return [*groups, *grouped(found.others, "group")]


def _in_time(name: str) -> tuple[bool, int, str]:
    """Where an hour, a day, a weekday or a month stands among others; buckets that are of no one of them come last."""
    return name.startswith("("), WEEKDAYS.index(name) if name in WEEKDAYS else 0, name


def tokens_of(priced: Iterable[Priced]) -> int:
    """The tokens of all, each kind counted once."""
    return sum(each.spend.tokens[name] for each in priced for name in TOKENS)


def money(priced: Sequence[Priced]) -> dict[str, float | None]:
    """The money of some rows, null where nothing is known; the total is what sources report, else the list price."""
    known = [each for each in priced if each.usd is not None]
    listed = [each.list_usd for each in priced if each.list_usd is not None]
    high = [each.list_high_usd for each in priced if each.list_high_usd is not None]
    reported = [each.spend.cost_usd for each in priced if each.spend.costed]
    return {
        "total_usd": spent(known) if known else None, "list_usd": sum(listed) if listed else None,
        "list_usd_high": sum(high) if high else None, "reported_usd": sum(reported) if reported else None,
    }


def counts(priced: Sequence[Priced]) -> dict[str, Any]:
    """Requests and tokens of each kind."""
    rows = [each.spend for each in priced]
    sums = total_tokens(rows)
    kinds = (*TOKENS, "cache_write_1h", "reasoning", "perhaps_cached")
    return {"requests": total_requests(rows), "tokens": {kind: sums[kind] for kind in kinds}}


def _days(days: Days) -> dict[str, Any]:
    """Over which days a workload is a mean: from the first whole one to the last."""
    ends = (days.complete[0], days.complete[-1]) if days.complete else (days.first, days.last)
    return {"first": day_of(ends[0]).isoformat(), "last": day_of(ends[1]).isoformat(), "complete": len(days.complete)}


def _workload(w: MeasuredWorkload) -> dict[str, Any]:
    growth, prefix, lengths, shape, names = w.growth, w.prefix, w.lengths, w.shape, ("p50", "p95", "p99")
    return {
        "provider": w.choice.provider, "model": w.choice.model, "group": w.choice.group, "requests": w.requests,
        "requests_per_day": w.requests_per_day, "requests_per_day_of_log": w.requests_per_day_of_log, "days": _days(w.days),
        "mean_day": w.mean_day and asdict(w.mean_day),
        "growth_per_year": growth and {
            **asdict(growth), "ahead": dict(zip(("value", "low", "high"), growth.ahead, strict=True))},
        "input_tokens": w.input_tokens, "output_tokens": w.output_tokens, "lengths": lengths and {
            "input_tokens": {"mean": lengths.input_mean, **dict(zip(names, lengths.input_percentiles, strict=True))},
            "output_tokens": {"mean": lengths.output_mean, **dict(zip(names, lengths.output_percentiles, strict=True))},
            "longest_answered": lengths.longest, "histogram": [asdict(b) for b in lengths.bins]},
        "prefix": prefix and {"tokens": prefix.tokens, "low": prefix.low, "high": prefix.high,
                              "cache_hit_rate": prefix.hit_rate, "how": prefix.how},
        "uses_cache": w.uses_cache, "batch_share": w.batch_share, "tiers": dict(w.tiers), "load": shape and {
            "peak_to_mean": shape.peak_to_mean, "minute_peak_to_mean": shape.minute_peak_to_mean,
            "hour_peak_to_mean": shape.hour_peak_to_mean, "chance_to_mean": shape.chance_to_mean,
            "peak_of_one_day": shape.one_day and {
                "day": day_of(shape.one_day.day).isoformat(), "peak_to_mean_without_it": shape.one_day.peak_to_mean,
                "requests_per_day_without_it": shape.one_day.others_per_day,
                "only_one_of_its_weekday": shape.one_day.only_weekday},
            "minutes_told": shape.exact.minutes,
            "busiest_minute": shape.minute_peak_to_mean and datetime.fromtimestamp(shape.busiest_minute * 60, UTC).isoformat(),
            "calendar_minutes": shape.minutes, "requests_per_minute": shape.calls_per_minute,
            "hourly_weights": shape.hourly_weights, "weekday_weights": shape.weekday_weights},
        "missing": [{"field": field, "reason": why} for field, why in w.missing],
    }


def _reconciliation(found: Sequence[Reconciliation]) -> dict[str, Any] | None:
    """The most direct comparison with what was paid, and under "all" every one of them; null where there is none."""
    if not found:
        return None
    each = [{"basis": r.basis, "provider": r.provider, "list_usd": r.list_usd, "actual_usd": r.actual_usd, "factor": r.factor,
             "price_factor": r.price_factor, "volume_factor": r.volume_factor,
             "costs_as": list(r.costs_as), "days": r.days,
             "unused_days": r.unused_days, "unused_usd": r.unused_usd} for r in found]
    return {**each[0], "all": each}
