"""What was spent, and which of the calls is worth a change: usage logs summed up, their groups compared one by one.

    FILES --summarize--> Usage --part_yaml--> the part of a scenario that they settle
                               --rank_tasks--> each group's comparison, the largest saving first

The engine that compares is loaded where there is something to compare: it takes longer than a small file.
"""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import date as Date
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from roi.answers.telling import Tell, keep_quiet
from roi.answers.usage_tasks import Task, rank_tasks
from roi.catalog.prices.api_prices import called_at
from roi.errors import InputError
from roi.usage.measure.pricing import OwnPrices
from roi.usage.summary import Question, Usage, summarize

if TYPE_CHECKING:
    from roi.facts.price import ApiPrice
    from roi.scenario.scenario import Scenario


@dataclass(frozen=True, kw_only=True)
class UsageAnswer:
    """What usage logs say."""

    spent: Usage
    part: str | None
    """Workload, incumbent and bill as YAML, to be laid over a scenario; None where it was not asked for."""
    tasks: list[Task]
    """Groups of calls, the one whose change could save most first."""


def answer_usage(
    question: Question, *, scenario: Path | None = None, most: int = 5, with_part: bool = False,
    tell: Tell | None = None, status: Tell | None = None, cache: bool = True,
) -> UsageAnswer:
    """What the files of the question say, and the comparison of the `most` largest groups under `scenario`, on its day.

    With `cache` answers of earlier runs about the same groups are used again. InputError where a part of a scenario is asked
    for and the files settle none.
    """
    parts: list[str] = []
    as_of: Date | None = None
    if scenario is not None:
        from roi.scenario.file import load_scenario

        stated = load_scenario(scenario)
        as_of, question = stated.as_of, replace(question, own=_own_prices(stated))

    def settle(found: Usage) -> None:
        if with_part:
            from roi.usage.measure.scenario_part import part_yaml

            parts.append(part_yaml(found, question.bill_usd_per_month, as_of, tell))

    spent, tasks = summarize(question, tell, status, settle), []
    if question.trace is not None and tell is not None:
        tell(f"wrote {question.trace}")
    whole = spent.dated and spent.days is not None and spent.days.complete  # a part of a day says nothing of a month
    if most and (scenario is not None or whole):
        if status is not None:
            status("comparing groups")
        tasks = rank_tasks(spent, scenario, most, as_of=as_of, bill_usd_per_month=question.bill_usd_per_month,
                           tell=tell or keep_quiet, cache=cache)
    return UsageAnswer(spent=spent, part=parts[0] if parts else None, tasks=tasks)


def _own_prices(s: "Scenario") -> OwnPrices | None:
    """What models cost by the scenario's own terms, however a log spells them; None where it states none."""
    incumbent = (f"{s.incumbent.provider}/{s.incumbent.model}",) if s.incumbent.discount and not s.incumbent.served else ()
    names = {called_at(None, name): name for name in (*s.apis, *incumbent)}
    if not names:
        return None
    models = Counter(model for _, model in names)
    bare = {model: name for (_, model), name in names.items() if models[model] == 1}
    from roi.resolution.vendors.list_prices import own_price

    for name in names.values():
        own_price(s, name, s.as_of)  # refuses what nobody can price, as compare does

    @lru_cache(maxsize=65536)
    def price(provider: str | None, model: str, on: Date) -> "tuple[ApiPrice, float] | None":
        name = names.get(called_at(provider, model)) or (bare.get(model.lower()) if provider is None else None)
        try:
            return None if name is None else own_price(s, name, on)
        except InputError:  # no list of that day: its own message says so
            return None

    return price
