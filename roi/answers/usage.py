"""What was spent, and which of the calls is worth a change: usage logs summed up, their groups compared one by one.

    FILES --summarize--> Usage --part_yaml--> the part of a scenario that they settle
                               --rank_tasks--> each group's comparison, the largest saving first

The engine that compares is loaded where there is something to compare: it takes longer than a small file.
"""

from dataclasses import dataclass
from datetime import date as Date
from pathlib import Path

from roi.answers.telling import Tell, keep_quiet
from roi.answers.usage_tasks import Task, rank_tasks
from roi.usage.summary import Question, Usage, summarize


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
    own: set[str] = set()
    if scenario is not None:
        from roi.scenario.file import load_scenario

        stated = load_scenario(scenario)
        as_of, own = stated.as_of, {name for name, terms in stated.apis.items() if terms.rates or terms.discount}

    def settle(found: Usage) -> None:
        if with_part:
            from roi.usage.measure.scenario_part import part_yaml

            parts.append(part_yaml(found, question.bill_usd_per_month, as_of))

    spent, tasks = summarize(question, tell, status, settle), []
    if question.trace is not None and tell is not None:
        tell(f"wrote {question.trace}")
    used = own & {f"{each.spend.provider}/{each.spend.model}" for each in spent.priced}
    if used and tell is not None:
        tell(f"{scenario} states prices or a discount of {', '.join(sorted(used))} (apis): the comparison of groups takes them,"
             " the sums here are at the public list; roi prices add api puts a price into that")
    whole = spent.dated and spent.days is not None and spent.days.complete  # a part of a day says nothing of a month
    if most and (scenario is not None or whole):
        if status is not None:
            status("comparing groups")
        tasks = rank_tasks(spent, scenario, most, as_of=as_of, bill_usd_per_month=question.bill_usd_per_month,
                           tell=tell or keep_quiet, cache=cache)
    return UsageAnswer(spent=spent, part=parts[0] if parts else None, tasks=tasks)
