"""Scenario blocks about single options: what is particular to one, and costs that no other line counts."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from roi.scenario.quantity import Hours, Months, Name, NonNegative, Section, Signed, unit

Month = Annotated[int, Field(ge=1, le=120)]


class OptionTerms(Section):
    """What is particular to one option or kind of options; what is left out is as for its kind of change."""

    setup_hours: Hours | None = None
    """Engineer hours until live; left out = people.setup_hours."""
    run_hours_per_month: Hours | None = None
    """Engineer hours a month once live; left out = people.run_hours_per_month."""
    months_to_live: Months | None = None
    """Months until it answers users; left out = timing.months_to_live."""
    months_in_parallel: Months | None = None
    """Months in which both are paid; left out = timing.months_in_parallel."""
    evaluation_usd: Annotated[NonNegative, unit("USD")] | None = None
    """Cost of running the evaluation before the change and after a retraining; left out = evaluation.usd."""
    evaluation_labels: Annotated[NonNegative, unit("labels")] | None = None
    """Examples of that evaluation; left out = evaluation.labels."""
    spares: Annotated[int, Field(ge=0, le=1000)] | None = None
    """Replicas beyond what the peak needs; left out = serving.spares."""


class Cost(Section):
    """A cost that no other line counts: a security review, a licence, an exit fee. Negative = a credit."""

    name: Annotated[str, Field(min_length=1, max_length=60)]
    """What it is; the name of its line."""
    option: Name
    """Who bears it: an option by its id, a kind of options, "all", or "all but stay"."""
    upfront_usd: Annotated[Signed, unit("USD")] = 0.0
    """Paid in month 0."""
    usd_per_month: Annotated[Signed, unit("USD/month")] = 0.0
    """Paid at the end of each month, from go-live (its share of a month) or from_month on; of staying, by all options until
    today's model is no longer used. It does not grow."""
    usd_per_request: Annotated[NonNegative, unit("USD")] = 0.0
    """Paid for each request billed in the same months."""
    from_month: Month | None = None
    """First month in which it is paid, 1 to the horizon; left out = from go-live on."""
    to_month: Month | None = None
    """Last month in which it is paid; left out = the horizon. The same as from_month = once."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.to_month is not None and self.to_month < (self.from_month or 1):
            raise ValueError(f"to_month {self.to_month} is before from_month {self.from_month or 1}")
        return self
