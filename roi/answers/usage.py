"""What was spent, and which of the calls is worth a change: usage logs summed up, their groups compared one by one.

    FILES --summarize--> Usage --part_yaml--> the part of a scenario that they settle
                               --rank_tasks--> each group's comparison, the largest saving first

The engine that compares is loaded where there is something to compare: it takes longer than a small file.
"""

from dataclasses import dataclass
from datetime import date as Date
from pathlib import Path
from typing import TYPE_CHECKING

from roi.usage.summary import Question, Usage, summarize

if TYPE_CHECKING:
    from roi.answers.telling import Tell


@dataclass(frozen=True, kw_only=True)
class Task:
    """One group of calls, and what `compare` says to do about it."""

    group: str | None
    provider: str | None
    model: str
    requests_per_day: float | None
    usd_per_month: float
    share: float
    """Of all that was spent."""
    best: str | None = None
    """Label of what `compare` says to do now: the option that it recommends, what comes first where that trains, buys or
    commits, or staying. None where there is no comparison, or no verdict."""
    then: str | None = None
    """Label of the recommended option, where `best` comes before it."""
    measure_first: str | None = None
    """What is worth measuring before that."""
    saves_share: float | None = None
    """By `best`, of what staying costs in cash in a mean month after go-live, growth and forced migrations included."""
    npv_usd: float | None = None
    """Of `best`: expected, over the scenario's horizon, with what the change costs, and with wrong answers where their price is
    no guess."""
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
    tell: "Tell | None" = None, status: "Tell | None" = None, cache: bool = True,
) -> UsageAnswer:
    """What the files of the question say, and the comparison of the `most` largest groups under `scenario`, on its day.

    With `cache` answers of earlier runs about the same groups are used again. InputError where a part of a scenario is asked
    for and the files settle none.
    """
    parts: list[str] = []
    as_of: Date | None = None
    if scenario is not None:
        from roi.scenario.file import load_scenario

        as_of = load_scenario(scenario).as_of

    def settle(found: Usage) -> None:
        if with_part:
            from roi.usage.measure.scenario_part import part_yaml

            parts.append(part_yaml(found, question.bill_usd_per_month, as_of))

    spent, tasks = summarize(question, tell, status, settle), []
    if question.trace is not None and tell is not None:
        tell(f"wrote {question.trace}")
    whole = spent.dated and spent.days is not None and spent.days.complete  # a part of a day says nothing of a month
    if most and (scenario is not None or whole):
        from roi.answers.telling import keep_quiet
        from roi.answers.usage_tasks import rank_tasks

        if status is not None:
            status("comparing groups")
        tasks = rank_tasks(spent, scenario, most, as_of=as_of, bill_usd_per_month=question.bill_usd_per_month,
                           tell=tell or keep_quiet, cache=cache)
    return UsageAnswer(spent=spent, part=parts[0] if parts else None, tasks=tasks)
