"""The largest groups of calls, each compared by itself: which of them is worth a change."""

from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from roi.answers.usage import Task
from roi.catalog.prices.api_prices import find_api_price
from roi.economics.decision.comparison import Comparison, compare
from roi.errors import InputError
from roi.resolution.resolution import resolve
from roi.scenario.file import check_scenario, load_scenario, overlay, scenario_data
from roi.scenario.template import template
from roi.scenario.yaml import parse_yaml
from roi.units import DAYS_PER_MONTH
from roi.usage.measure.lengths import prefix_of_buckets
from roi.usage.measure.pricing import Priced, day_of, total_requests, total_tokens
from roi.usage.measure.workload import Choice, shortest_prefix
from roi.usage.summary import Usage

LEAST_SHARE: Final = 0.01
"""Groups with less of what was spent are not compared."""
DRAWS: Final = 256
"""Enough to rank groups by their expected saving; `compare` on one of them takes more."""


def default_scenario(found: Usage) -> dict[str, Any]:
    """What tasks are compared under where no scenario is given: the bundled candidates, defaults for the rest.

    Quality is not evaluated and wrong answers cost nothing, so the ranking is of costs alone.
    """
    bundled = parse_yaml(template("bundled"), "bundled scenario")
    last = day_of(found.days.last) if found.days else None
    return {"as_of": max(last.isoformat(), bundled["as_of"]) if last else bundled["as_of"],
            "candidates": bundled["candidates"]}


def rank_tasks(found: Usage, scenario: Path | None = None, most: int = 5) -> list[Task]:
    """The largest groups (models, where nothing is grouped), the one whose change could save most first.

    `scenario` is what they are compared under; without one, the bundled candidates.
    """
    base = scenario_data(load_scenario(scenario)) if scenario is not None else default_scenario(found)
    if found.days is None or not found.days.complete:
        return []  # a part of a day says nothing of a month
    days = set(found.days.complete)
    total = sum(each.usd or 0.0 for each in found.priced if each.spend.day in days)
    groups: dict[tuple[str | None, str | None, str], list[Priced]] = defaultdict(list)
    for each in found.groups or found.priced:
        spend = each.spend
        if spend.model is not None and each.usd and spend.whole and (spend.day is None or spend.day in days):
            groups[spend.group, spend.provider, spend.model].append(each)
    usd = {key: sum(each.usd or 0.0 for each in group) for key, group in groups.items()}
    largest = sorted((key for key in groups if usd[key] >= LEAST_SHARE * total), key=lambda key: -usd[key])[:most]
    tasks = []
    for key in largest:
        task = Task(group=key[0], provider=key[1], model=key[2], requests_per_day=None, share=usd[key] / total,
                    usd_per_month=usd[key] / len(days) * DAYS_PER_MONTH)
        tasks.append(_compared(found, groups[key], base, task))
    return sorted(tasks, key=lambda task: (-(task.npv_usd or 0.0), -task.usd_per_month))


def _compared(found: Usage, group: list[Priced], base: dict[str, Any], task: Task) -> Task:
    """The task with its requests and its best option: the group's workload laid over the base scenario, and compared."""
    rows = [each.spend for each in group]
    requests = total_requests(rows)
    if not requests or found.days is None:
        return replace(task, reason="requests are not counted")
    a_day, tokens = requests / float(len(found.days.complete)), total_tokens(rows)
    task = replace(task, requests_per_day=a_day)
    given = (tokens["uncached_input"] + tokens["cache_read"] + tokens["cache_write"]) / requests
    shortest = shortest_prefix(Choice(task.provider, task.model))
    prefix = prefix_of_buckets(requests, tokens["cache_read"], tokens["cache_write"], shortest, given)
    cached = {} if prefix is None else {"shared_prefix_tokens": prefix.tokens, "cache_hit_rate": prefix.hit_rate}
    part: dict[str, dict[str, Any]] = {
        "workload": {"requests_per_day": a_day, "input_tokens": given, "output_tokens": tokens["output"] / requests, **cached,
                     **_load(found)},
        "incumbent": {"model": task.model, "uses_cache": tokens["cache_read"] > 0,
                      "batch_share": (total_requests([row for row in rows if row.batch]) or 0) / requests},
    }  # fmt: skip
    try:
        part["incumbent"]["provider"] = find_api_price(task.provider, task.model, day_of(found.days.last)).provider
        data = {**base, "title": task.group or task.model, "draws": DRAWS}
        data = {name: dict(value) if isinstance(value, dict) else value for name, value in data.items()}
        overlay(data, part)
        return _with_best(task, compare(resolve(check_scenario(data)).case))
    except InputError as error:
        return replace(task, reason=str(error))


def _load(found: Usage) -> dict[str, Any]:
    """Peak and growth of the workload: those of all calls stand for a group's."""
    shape = found.workload.shape if found.workload else None
    growth = found.workload.growth if found.workload else None
    load: dict[str, Any] = {} if shape is None else {"peak_to_mean": max(shape.peak_to_mean, 1.0)}
    if growth is not None:
        load["growth_per_year"] = dict(zip(("value", "low", "high"), growth.ahead, strict=True))
    return load


def _with_best(task: Task, answer: Comparison) -> Task:
    """The task with the option that has the highest expected NPV."""
    stay = next(option for option in answer.options if option.id == "stay")
    best = max(answer.options, key=lambda option: option.expected_npv_usd)
    if best.id == "stay":
        return replace(task, best=stay.label, evaluated=True, saves_share=0.0, npv_usd=0.0)
    return replace(task, best=best.label, evaluated=best.evaluated,
                   saves_share=1.0 - best.mean_monthly_usd / stay.mean_monthly_usd, npv_usd=best.expected_npv_usd,
                   probability=best.probability_npv_positive)
