"""The largest groups of calls, each compared by itself: which of them is worth a change.

    Usage --_largest--> a Task and a part of a scenario each --_advised, or what an earlier run kept of it--> Tasks, ranked

What compares is loaded where no earlier run has kept the answer: it takes longer than all the rest of a small file.
"""

import contextlib
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from roi.answers.telling import Tell, keep_quiet
from roi.catalog.user_data import cache_folder
from roi.errors import InputError
from roi.scenario.template import BUNDLED, template, template_day
from roi.store.cache_files import KeptFiles
from roi.store.cases import case_name
from roi.units import DAYS_PER_MONTH, HOURS_PER_MONTH
from roi.usage.measure.aggregate import Spend
from roi.usage.measure.days import Days
from roi.usage.measure.growth import mean_day
from roi.usage.measure.lengths import LengthBin, lengths_of, prefix_of_buckets, within_prompts
from roi.usage.measure.pricing import EPOCH, Priced, at_list_of, day_of, price_on, total_requests, total_tokens
from roi.usage.measure.scenario_part import paid_a_month, part_of, shares_to_one, tiers_today, writes_nothing
from roi.usage.measure.workload import by_day, listed_on, shortest_prefix
from roi.usage.read.record import PROMPT
from roi.usage.summary import Usage

if TYPE_CHECKING:
    from roi.economics.decision.comparison import Comparison
    from roi.economics.decision.option_result import OptionResult
    from roi.evidence.known_runs import KnownRuns

DRAWS: Final = 1024
"""Draws without a scenario: enough to rank groups by their expected saving. A scenario names its own, as for `compare`."""
FAR_BELOW: Final = 4.0
"""A group of which this many times the bill is less than hosting costs at the least is first compared without hosting."""
SURELY_BELOW: Final = 2.0
"""Then hosting is left out where it costs this many times what staying does, growth, migrations and dearer successors
included: rents may fall, a card be sold again, or people need fewer hours, by half of it all on average."""
NO_OUTPUT: Final = "its calls have no output, as of embeddings: no model that writes answers takes their place"
MOST_BYTES, MOST_FILES = 65_536, 200
"""Bytes of a file of kept answers at most, which has some 2,000, and files of their folder."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """One group of calls, and what `compare` says to do about it."""

    group: str | None
    provider: str | None
    model: str
    requests_per_day: float | None
    usd_per_month: float
    days: Days
    """Days over which both are means: the log's, but where the model began or ended within it those between."""
    requests_per_day_of_log: float | None = None
    """Mean requests of all days of the log."""
    share: float
    """Share that this group has of all that was spent."""
    best: str | None = None
    """Label of what `compare` says to do now: the option that it recommends, what comes first where that trains, buys or
    commits, or staying. None where there is no comparison, or no verdict."""
    then: str | None = None
    """Label of the recommended option, where `best` comes before it."""
    measure_first: str | None = None
    """What is worth measuring before anything is changed; None where nothing is."""
    saves_share: float | None = None
    """Share of staying's cash that `best` saves in a mean month after go-live, growth and forced migrations included."""
    npv_usd: float | None = None
    """Expected NPV of `best`, USD, over the scenario's horizon, with what the change costs, and with wrong answers where their
    price is no guess."""
    probability: float | None = None
    """Share of draws in which `best` beats staying; None for staying."""
    passed_over: str | None = None
    """Label of the option with the highest expected NPV, where that is above the recommended one's."""
    passed_over_why: str | None = None
    """Why it is not recommended: not tested, or not likely."""
    passed_over_chance: float | None = None
    """Share of draws in which it beats staying."""
    passed_over_chance_needed: float | None = None
    passed_over_saves_share: float | None = None
    passed_over_npv_usd: float | None = None
    reason: str = ""
    """Why there is no comparison, or no verdict."""


@dataclass(frozen=True)
class Group:
    """A group, and what of a scenario its calls settle; None where they settle too little to be compared."""

    task: Task
    part: dict[str, dict[str, Any]] | None  # Any: plain values of a scenario


def rank_tasks(
    found: Usage, scenario: Path | None = None, most: int = 5, *, as_of: date | None = None,
    bill_usd_per_month: float | None = None, tell: Tell = keep_quiet, cache: bool = True,
) -> list[Task]:
    """The largest groups (models, where nothing is grouped), the one whose change could save most first.

    All calls of a model, those without a group too, are one more where they are more than a group: a change is paid for once.
    `bill_usd_per_month` is what all calls really cost. `scenario` is what they are compared under, and `as_of` its day;
    without one, the bundled candidates, where quality is not evaluated and wrong answers cost nothing, so that no other model
    can be recommended, and those that nobody evaluated are ranked by costs alone. What is said of a group is the verdict of
    `compare` on it. What was measured on this machine counts as in `compare`. With `cache` answers of earlier runs are used
    again.
    """
    if found.days is None or not found.days.complete:
        return []  # a part of a day says nothing of a month
    as_of = as_of or max(day_of(found.days.last), template_day(BUNDLED))
    groups = list(_largest(found, most, bill_usd_per_month, (as_of - EPOCH).days))
    parts = [(group.task.usd_per_month, group.part) for group in groups if group.part is not None]
    asked = json.dumps([as_of.isoformat(), *parts])
    name = case_name((scenario,), (asked,), ()) if cache and parts else None
    files = KeptFiles(cache_folder() / "tasks", MOST_BYTES, MOST_FILES)
    answers = None if name is None else _kept(files.text(name), len(parts))
    if answers is None and parts:
        said: list[str] = []
        answers = list(_answers(groups, scenario, as_of, said.append, cache=cache))
        for line in said:
            tell(line)
        if name is not None and not said and case_name((scenario,), (asked,), ()) == name:  # nothing moved meanwhile
            files.keep(name, json.dumps(answers))
    compared = iter(answers or ())
    tasks = [group.task if group.part is None else replace(group.task, **next(compared)) for group in groups]
    return sorted(tasks, key=lambda task: (-max(task.npv_usd or 0.0, task.passed_over_npv_usd or 0.0), -task.usd_per_month))


def _kept(text: str | None, groups: int) -> list[dict[str, Any]] | None:  # Any: values of Task
    """What an earlier run kept of so many groups' comparisons."""
    with contextlib.suppress(ValueError, TypeError):
        answers = json.loads(text or "")
        if len(answers) == groups and all(isinstance(each, dict) for each in answers):
            return list(answers)
    return None


def _largest(found: Usage, most: int, bill: float | None, day: int) -> Iterator[Group]:
    """The groups of which most was spent on whole days, and the models of several, at the list prices of the day."""
    assert found.days is not None
    days = set(found.days.complete)
    total = sum(each.usd or 0.0 for each in found.priced if each.spend.day in days)
    groups: dict[tuple[str | None, str | None, str], list[Priced]] = defaultdict(list)
    for each in found.of_whole_days:
        assert each.spend.model is not None
        groups[each.spend.group, each.spend.provider, each.spend.model].append(each)
    usd = {key: sum(each.usd or 0.0 for each in group) for key, group in groups.items()}
    largest = sorted((key for key in groups if usd[key]), key=lambda key: -usd[key])[:most]
    for model in dict.fromkeys(key[1:] for key in largest if key[0] is not None):
        whole = set(found.days_of(*model).complete)
        calls = [each for each in found.priced
                 if (each.spend.provider, each.spend.model) == model and each.usd and each.spend.day in whole]
        if _rows(calls) > max(_rows(groups[key]) for key in groups if key[1:] == model):
            groups[None, *model], usd[None, *model] = calls, sum(each.usd or 0.0 for each in calls)
            largest.append((None, *model))
    for key in largest:
        group, own = at_list_of(groups[key], day), found.days_of(*key[1:])
        task = Task(group=key[0], provider=key[1], model=key[2], requests_per_day=None, share=usd[key] / total, days=own,
                    usd_per_month=own.mean((each.spend.day, each.usd or 0.0) for each in group) * DAYS_PER_MONTH)
        yield _group(found, group, task, bill, day)


def _rows(of: Sequence[Priced]) -> int:
    return sum(each.spend.rows for each in of)


def _group(found: Usage, group: Sequence[Priced], task: Task, bill: float | None, day: int) -> Group:
    """The task with its requests, and its workload as a part of a scenario; of the group that the workload is, that one's."""
    rows = [each.spend for each in group]
    if not total_tokens(rows)["output"]:
        return Group(replace(task, reason=NO_OUTPUT), None)
    requests, w = total_requests(rows), found.workload
    if w is not None and w.requests_per_day and _is_workload(found, rows, task):
        task = replace(task, requests_per_day=w.requests_per_day, requests_per_day_of_log=w.requests_per_day_of_log,
                       days=w.days)
        try:
            part = part_of(found, w, bill, day)
        except InputError as error:
            return Group(replace(task, reason=str(error)), None)
        return Group(replace(task, usd_per_month=part["incumbent"].get("bill_usd_per_month", task.usd_per_month)), part)
    if not requests or found.days is None:
        return Group(replace(task, reason=_uncounted(found)), None)
    counted, tokens = [(row.day, row.requests or 0) for row in rows], total_tokens(rows)
    a_day = task.days.mean(counted)
    model = task.provider, task.model
    every = by_day([each.spend for each in found.priced if (each.spend.provider, each.spend.model) == model])
    volume = mean_day(every, task.days, task.days.mean(every.items())).of_part(a_day)  # a group's rows are sums over weeks
    task = replace(task, requests_per_day=a_day, requests_per_day_of_log=found.days.mean(counted))
    given = sum(tokens[name] for name in PROMPT) / requests
    shortest = shortest_prefix(task.provider, task.model, listed_on(task.provider, task.model, found.days.last))
    prefix = prefix_of_buckets(requests, tokens["cache_read"], tokens["cache_write"], shortest, given)
    made = tokens["output"] / requests
    sizes = _sizes(rows)
    lengths: dict[str, object] = {"input_tokens": given, "output_tokens": made}
    if prefix is not None and prefix.prompts:
        lengths = {"lengths": shares_to_one(prefix.bins(made))}
    elif sizes:
        prefix = prefix and within_prompts(prefix, sizes, shortest)
        lengths = {"lengths": shares_to_one(lengths_of(sizes, prefix, writes=tokens["cache_write"] > 0))}
    cached = {} if prefix is None else {"shared_prefix_tokens": prefix.tokens, "cache_hit_rate": prefix.hit_rate}
    try:
        price = price_on(group, task.provider, task.model, day_of(found.days.last))
    except InputError as error:
        return Group(replace(task, reason=str(error)), None)
    paid, split = paid_a_month(found, group, task.days, price.provider, bill)
    longest = max((cell.input_tokens + cell.output_tokens + 1.0 for cell in sizes), default=0.0)  # answered; 1 for rounding
    task = task if paid is None else replace(task, usd_per_month=paid)
    batched = (total_requests([row for row in rows if row.batch]) or 0) / requests
    paying = {"bill_usd_per_month": paid, "bill_is_volume_share": split}
    return Group(task, {
        "workload": {"requests_per_day": volume.stated(f"{len(task.days.complete)} whole days", always=False),
                     **lengths, **cached,
                     **({"can_wait_share": batched} if batched else {}), **_load(found)},
        "incumbent": {"provider": price.provider, "model": task.model,
                      "uses_cache": tokens["cache_read"] + tokens["cache_write"] > 0,
                      "batch_share": batched, **({} if paid or not writes_nothing(group) else {"writes_cache": False}),
                      **tiers_today(group, day),
                      **({"context_tokens": longest} if longest > (price.context_tokens or longest) else {}),
                      **({name: value for name, value in paying.items() if value is not None} if paid else {})},
    })  # fmt: skip


def _sizes(rows: Sequence[Spend]) -> list[LengthBin]:
    """A cell of lengths for each class of sizes that has calls, which prices by tier tell apart; none where all are of one."""
    classes: dict[tuple[int | None, bool | None], list[Spend]] = defaultdict(list)
    for row in rows:
        classes[row.size_class, row.long_context].append(row)
    sums = [(total_requests(each) or 0, total_tokens(each)) for each in classes.values()]
    total = sum(calls for calls, _ in sums)
    cells = [LengthBin(given / calls, tokens["output"] / calls, calls / total, tokens["cache_read"] / calls,
                       tokens["cache_write"] / calls)
             for calls, tokens in sums if calls and (given := sum(tokens[name] for name in PROMPT))]
    return cells if len(cells) > 1 else []


def _is_workload(found: Usage, rows: Sequence[Spend], task: Task) -> bool:
    """True where the group's calls are all those of the workload, on whole days."""
    assert found.workload is not None
    choice, days = found.workload.choice, set(found.days_of(task.provider, task.model).complete)
    of_it = [each.spend for each in found.chosen if each.spend.day in days]
    return ((task.provider, task.model) == (choice.provider, choice.model) and choice.group in (None, task.group)
            and total_tokens(rows) == total_tokens(of_it))


def _uncounted(found: Usage) -> str:
    said = found.workload is not None and found.workload.requests is None and found.workload.requests_per_day is not None
    return f"requests are not counted{'; those that --requests-per-day says are of the whole workload below' if said else ''}"


def _load(found: Usage) -> dict[str, Any]:
    """Peak and growth of the workload: those of all calls stand for a group's."""
    shape = found.workload.shape if found.workload else None
    growth = found.workload.growth if found.workload else None
    peak = None if shape is None else shape.peak_to_mean
    load: dict[str, Any] = {} if peak is None else {"peak_to_mean": max(peak, 1.0)}
    if growth is not None:
        load["growth_per_year"] = dict(zip(("value", "low", "high"), growth.stated, strict=True))
    return load


def _answers(groups: Sequence[Group], file: Path | None, as_of: date, tell: Tell, *, cache: bool) -> Iterator[dict[str, Any]]:
    """What is said of each group that has a part: fields of Task, as plain values."""
    from roi.answers.opening import open_runs
    from roi.scenario.file import load_scenario, overlay, scenario_data

    base = scenario_data(load_scenario(file)) if file is not None else {**_default_scenario(as_of), "draws": DRAWS}
    runs = open_runs(tell=tell, cache=cache)
    for group in groups:
        if group.part is None:
            continue
        data = {**base, "title": group.task.group or group.task.model}
        data = {name: dict(value) if isinstance(value, dict) else value for name, value in data.items()}
        overlay(data, group.part)
        try:
            answer = (_without_gpus(data, group.task, runs) if file is None else None) or _compared(data, runs)
        except InputError as error:
            yield {"reason": str(error)}
        else:
            yield _advised(answer)


def _default_scenario(as_of: date) -> dict[str, Any]:
    """What groups are compared under where no scenario is given: the bundled candidates, defaults for the rest."""
    from roi.scenario.yaml import parse_yaml

    bundled = parse_yaml(template(BUNDLED), "bundled scenario")
    return {"as_of": as_of.isoformat(), "candidates": bundled["candidates"]}


def _compared(data: dict[str, Any], runs: "KnownRuns") -> "Comparison":
    from roi.economics.decision.comparison import compare
    from roi.resolution.resolution import resolve
    from roi.scenario.file import check_scenario

    return compare(resolve(check_scenario(data), runs).case)


def _without_gpus(data: dict[str, Any], task: Task, runs: "KnownRuns") -> "Comparison | None":
    """The comparison without models on GPUs of one's own, whose plans are replayed for long; None where one of them might pay.

    None does where the cheapest GPU, and the people who run a model on it, cost more than staying: what is dearer has no NPV
    where errors cost nothing.
    """
    from roi.catalog.prices.gpu_offers import bought_offers, rented_offers
    from roi.scenario.file import check_scenario
    from roi.scenario.quantity import value_of

    scenario = check_scenario(data)
    months, people = scenario.horizon_months, scenario.people
    gpu = min((*(each.usd_per_gpu_hour * HOURS_PER_MONTH * months for each in rented_offers(scenario)),
               *(each.usd_per_gpu for each in bought_offers(scenario))))
    hours = value_of(people.setup_hours.self_hosted) + value_of(people.run_hours_per_month.self_hosted) * months
    hosting = gpu + hours * value_of(people.usd_per_hour)  # other ways of hosting take more hours
    if task.usd_per_month * months * FAR_BELOW > hosting:
        return None
    answer = _compared({**data, "candidates": {**data["candidates"], "self_hosted": []}}, runs)
    stay = next(option for option in answer.options if option.id == "stay")
    return answer if stay.mean_monthly_usd * months * SURELY_BELOW < hosting else None


def _advised(answer: "Comparison") -> dict[str, Any]:
    """What the verdict says to do now, and what has a higher NPV and is not recommended: fields of Task, as plain values."""
    from roi.economics.decision.recommendation import chance

    v, options = answer.verdict, {option.id: option for option in answer.options}
    if v.recommended is None:
        return {"reason": f"{v.sentence[:1].lower()}{v.sentence[1:]}"}
    now = options[v.first_move or v.recommended]
    saves, npv = _brings(answer, now)
    said: dict[str, Any] = {"best": now.label, "saves_share": saves, "npv_usd": npv,
            "probability": None if now.id == "stay" else chance(now, v.counts),
            "then": answer.leader.label if v.first_move is not None else None}
    if v.measure_first is not None:
        labels = {each.id: each.label for each in answer.infeasible} | {id: option.label for id, option in options.items()}
        said["measure_first"] = f"{v.measure_first.kind} {labels[v.measure_first.option]}"
    for over in v.passed_over[:1]:
        saves, npv = _brings(answer, options[over.option])
        said |= {"passed_over": options[over.option].label, "passed_over_why": over.reason, "passed_over_chance": over.chance,
                 "passed_over_chance_needed": over.chance_needed, "passed_over_saves_share": saves, "passed_over_npv_usd": npv}
    return said


def _brings(answer: "Comparison", option: "OptionResult") -> tuple[float | None, float]:
    """The share of staying's cash that the option saves once it serves alone, and its mean NPV on what the verdict counts, USD.

    Staying saves 0 of it; another option's share is None where staying costs no cash.
    """
    from roi.economics.decision.recommendation import value

    today = option.staying_cash_monthly_usd
    share = 0.0 if option.id == "stay" else 1.0 - option.cash_monthly_usd / today if today else None
    return share, value(option, answer.verdict.counts)
