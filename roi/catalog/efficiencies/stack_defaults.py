"""What a stack of model classes and loops does unless it is told otherwise, by the day of a run: stack_defaults.csv."""

from collections.abc import Container
from dataclasses import replace
from datetime import date as Date
from typing import Any

from roi.catalog.rows import read_rows
from roi.estimate.training.plan import Stack, TrainingPlan
from roi.facts.records import DatedRow


class StackDefault(DatedRow):
    """One default; `date` is when the source was read."""

    stack: Stack
    """Whose classes run."""
    since: Date | None = None
    """First day of the default; blank: from the first version on."""
    before: Date | None = None
    """First day without it; blank: it holds still."""
    column: str
    """Column of a table of training runs, or field of a plan."""
    value: str
    """What stands in that column, or field, where nothing is stated."""


def stack_defaults(stack: Stack, day: str | None) -> dict[str, str]:
    """The cells that a stack's runs of this day have where nothing else is stated; a day may be a month or a year.

    Without a day the defaults that hold still.
    """
    found = {}
    for row in read_rows("efficiencies/stack_defaults.csv", StackDefault):
        ended = row.before is not None and (day is None or day >= str(row.before))
        begun = row.since is None or day is None or day >= str(row.since)[: len(day)]
        if row.stack == stack and begun and not ended:
            found[row.column] = row.value
    return found


def as_stack_does(plan: TrainingPlan, stated: Container[str]) -> TrainingPlan:
    """The plan with what a stack of its own does today in every field that is not `stated`; its loop is its own.

    A method of another package than peft has that package's size.
    """
    if plan.tuner is not None and plan.tuner.usual is not None and "rank" not in stated:
        plan = replace(plan, rank=plan.tuner.usual)
    if plan.stack == "transformers":
        return plan
    usual = stack_defaults(plan.stack, None)
    fields: dict[str, Any] = {  # Any: the fields' types
        "trainer": "plain", "logits_kept": usual["logits_kept"] == "true", "autocast": usual["autocast"] == "true",
        "loss": usual.get("loss", plan.loss), "optimizer": usual.get("optimizer", plan.optimizer),
        "dropout": float(usual.get("lora_dropout", "0")) if plan.adapter and plan.tuner is None else plan.dropout,
        "fsdp2": usual.get("fsdp2") == "true",
    }
    return replace(plan, **{name: value for name, value in fields.items() if name not in stated})
