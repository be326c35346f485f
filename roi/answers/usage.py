"""What was spent, and which of the calls is worth a change: usage logs summed up, their groups compared one by one.

    FILES --summarize--> Usage --part_yaml--> the part of a scenario that they settle
                               --rank_tasks--> each group's comparison, the largest saving first
"""

from dataclasses import dataclass
from pathlib import Path

from roi.answers.opening import Tell, keep_quiet
from roi.answers.usage_tasks import Task, rank_tasks
from roi.scenario.file import load_scenario, scenario_data
from roi.usage.measure.scenario_part import part_yaml
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
    question: Question, *, scenario: Path | None = None, most: int = 5, with_part: bool = False, tell: Tell = keep_quiet,
) -> UsageAnswer:
    """What the files of the question say, and the comparison of the `most` largest groups under `scenario`.

    InputError where a part of a scenario is asked for and the files settle none.
    """
    base = None if scenario is None else scenario_data(load_scenario(scenario))
    spent = summarize(question)
    if question.trace is not None:
        tell(f"wrote {question.trace}")
    part = part_yaml(spent, question.bill_usd_per_month) if with_part else None
    return UsageAnswer(spent=spent, part=part, tasks=rank_tasks(spent, base, most) if most else [])
