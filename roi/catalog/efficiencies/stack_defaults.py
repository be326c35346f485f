"""What a stack of model classes and loops does unless it is told otherwise, by the day of a run: stack_defaults.csv."""

from datetime import date as Date

from roi.catalog.rows import read_rows
from roi.estimate.training.plan import Stack
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
    """Its cell."""


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
