"""Which of our calls is worth it: groups of calls ranked by what a change could save, each compared by itself."""

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Any, Final

from roi.answers.opening import open_case
from roi.catalog.prices.api_prices import find_api_price
from roi.economics.decision.comparison import Comparison, compare
from roi.errors import InputError
from roi.scenario.file import check_scenario, template
from roi.scenario.overlay import overlay
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


@dataclass(frozen=True)
class Task:
    """One group of calls, and the best that could be done about it."""

    group: str | None
    provider: str | None
    model: str
    requests_per_day: float | None
    usd_per_month: float
    share: float
    """Of all that was spent."""
    best: str | None = None
    """Label of the option with the highest expected NPV, evaluated or not; None where there is no comparison."""
    evaluated: bool = False
    saves_share: float | None = None
    """Of what staying costs in a mean month after go-live, growth and forced migrations included."""
    npv_usd: float | None = None
    """Expected, over the scenario's horizon, with what the change costs."""
    probability: float | None = None
    """Share of draws in which it beats staying."""
    reason: str = ""
    """Why there is no comparison."""


def default_scenario(found: Usage) -> dict[str, Any]:
    """What tasks are compared under where no scenario is given: the bundled candidates, defaults for the rest.

    Quality is not evaluated and wrong answers cost nothing, so the ranking is of costs alone.
    """
    bundled = parse_yaml(template("bundled"), "bundled scenario")
    last = day_of(found.days.last) if found.days else None
    return {"as_of": max(last.isoformat(), bundled["as_of"]) if last else bundled["as_of"],
            "candidates": bundled["candidates"]}


def rank_tasks(found: Usage, scenario: dict[str, Any] | None = None, most: int = 5) -> list[Task]:
    """The largest groups (models, where nothing is grouped), the one whose change could save most first."""
    base = scenario if scenario is not None else default_scenario(found)
    if found.days is None or not found.days.complete:
        return []  # a part of a day says nothing of a month
    days = float(len(found.days.complete))
    total = sum(each.usd or 0.0 for each in found.priced if each.spend.day in found.days.complete)
    sums: dict[tuple[str | None, str | None, str], list[Priced]] = defaultdict(list)
    whole = set(found.days.complete)
    for each in found.groups or found.priced:
        inside = each.spend.whole and (each.spend.day is None or each.spend.day in whole)
        if each.spend.model is not None and each.usd and inside:
            sums[each.spend.group, each.spend.provider, each.spend.model].append(each)
    sizes = {key: sum(each.usd or 0.0 for each in group) for key, group in sums.items()}
    largest = sorted((key for key in sums if sizes[key] >= LEAST_SHARE * total), key=lambda key: -sizes[key])[:most]
    tasks = [_task(found, key, sums[key], sizes[key] / total, days, base) for key in largest]
    return sorted(tasks, key=lambda task: (-(task.npv_usd or 0.0), -task.usd_per_month))


def _task(found: Usage, key: tuple[str | None, str | None, str], group: list[Priced], share: float, days: float,
          base: dict[str, Any]) -> Task:
    rows = [each.spend for each in group]
    requests = total_requests(rows)
    usd = sum(each.usd or 0.0 for each in group) / days * DAYS_PER_MONTH
    bare = Task(*key, requests / days if requests else None, usd, share)
    if not requests:
        return replace(bare, reason="requests are not counted")
    tokens = total_tokens(rows)
    part = {
        "workload": {
            "requests_per_day": requests / days,
            "input_tokens": (tokens["uncached_input"] + tokens["cache_read"] + tokens["cache_write"]) / requests,
            "output_tokens": tokens["output"] / requests, **_prefix(key, requests, tokens), **_load(found),
        },
        "incumbent": {"model": key[2], "uses_cache": tokens["cache_read"] > 0,
                      "batch_share": (total_requests([row for row in rows if row.batch]) or 0) / requests},
    }  # fmt: skip
    try:
        part["incumbent"]["provider"] = find_api_price(key[1], key[2], day_of(found.days.last if found.days else 0)).provider
        data = {**base, "title": key[0] or key[2], "draws": DRAWS}
        data = {name: dict(value) if isinstance(value, dict) else value for name, value in data.items()}
        overlay(data, part)
        return _answered(bare, compare(open_case(check_scenario(data)).case))
    except InputError as error:
        return replace(bare, reason=str(error))


def _prefix(key: tuple[str | None, str | None, str], requests: int, tokens: dict[str, int]) -> dict[str, float]:
    shortest = shortest_prefix(Choice(key[1], key[2]))
    given = (tokens["uncached_input"] + tokens["cache_read"] + tokens["cache_write"]) / requests
    prefix = prefix_of_buckets(requests, tokens["cache_read"], tokens["cache_write"], shortest, given)
    return {} if prefix is None else {"shared_prefix_tokens": prefix.tokens, "cache_hit_rate": prefix.hit_rate}


def _load(found: Usage) -> dict[str, Any]:
    """The shape and the growth of the whole load stand for a group's."""
    shape = found.workload.shape if found.workload else None
    growth = found.workload.growth if found.workload else None
    load: dict[str, Any] = {} if shape is None else {"peak_to_mean": max(shape.peak_to_mean, 1.0)}
    if growth is not None:
        load["growth_per_year"] = dict(zip(("value", "low", "high"), growth.ahead, strict=True))
    return load


def _answered(bare: Task, answer: Comparison) -> Task:
    """The group with the option that has the highest expected NPV."""
    stay = next(option for option in answer.options if option.id == "stay")
    best = max(answer.options, key=lambda option: option.expected_npv_usd)
    if best.id == "stay":
        return replace(bare, best=stay.label, evaluated=True, saves_share=0.0, npv_usd=0.0)
    return replace(
        bare, best=best.label, evaluated=best.evaluated, saves_share=1.0 - best.mean_monthly_usd / stay.mean_monthly_usd,
        npv_usd=best.expected_npv_usd, probability=best.probability_npv_positive,
    )
