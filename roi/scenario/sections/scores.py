"""Scenario blocks about how good each system is: scores and what they were counted on, the bar, the price of a wrong answer."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from roi.scenario.quantity import (
    Fraction,
    Months,
    Name,
    NonNegative,
    Positive,
    Section,
    Spread,
    Within,
    check_order,
    spread,
    unit,
)

Count = Annotated[float, Field(ge=0, le=1e8, allow_inf_nan=False)]


class Paired(Section):
    """Items that a system and the incumbent both answered, by who was right; parts of items where they are graded."""

    both_right: Count
    """Right answers of both."""
    only_incumbent: Count
    """The incumbent right, this system wrong."""
    only_this: Count
    """This system right, the incumbent wrong."""
    both_wrong: Count
    """Wrong answers of both."""
    correlation: Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False)] | None = None
    """Correlation of the two true scores, where the counts do not say it: of items that are graded, weighted or in clusters,
    all of which pair."""
    pairs: Annotated[int, Field(ge=1, le=100_000_000)] | None = None
    """Items of both, where the counts are of parts of items and only some pair; left out = the counts, or all items."""

    with_first: Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False)] | None = None
    """Correlation of a cascade's true score with that of its first model, whose errors it shares; left out = what both have in
    common with the incumbent."""

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.items <= 0:
            raise ValueError("all four counts are 0")
        return self

    @property
    def items(self) -> float:
        """All of them."""
        return self.both_right + self.only_incumbent + self.only_this + self.both_wrong


class Score(Section):
    """Share of right answers of one system on the evaluation set."""

    value: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
    """Score, 0 to 1; with items, and without low and high, as sure as so many items make it, else exact."""
    low: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    """5th percentile of the score."""
    high: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    """95th percentile of the score."""
    items: Annotated[int, Field(ge=1, le=100_000_000)] | None = None
    """Items evaluated; fewer than verdict.min_items are no test."""
    effective_items: Annotated[float, Field(gt=0, le=1e12, allow_inf_nan=False)] | None = None
    """Items, right or wrong each, that would say as much, where items are graded, weighted or in clusters; takes the place of
    low and high."""
    paired: Paired | None = None
    """Counts against the incumbent on the same items: how the two scores go together."""
    source: str = ""
    """Which evaluation, when."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        check_order(self.low, self.value, self.high)
        return self


ScoreOrNot = Score | Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | Literal["not evaluated"]


class Rate(Spread):
    """A share that was counted (of wrong answers, or of those that are handed on), or is known with its ends."""

    items: Annotated[int, Field(ge=1, le=100_000_000)] | None = None
    """Items counted; without low and high the share is as sure as so many make it. Of both error rates of a gate together,
    fewer than verdict.min_items are no test."""


class Caution(Section):
    """What an evaluation warns of, beyond what its figures show."""

    says: Annotated[str, Field(min_length=1, max_length=400)]
    """The warning."""
    about: Name | None = None
    """The system that it is about; left out = all."""


CountedShare = Annotated[float | Rate, AfterValidator(Within(0.0, 1.0)), unit("share")]


class Quality(Section):
    """How good each system is, and what a wrong answer costs."""

    bar: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.0
    """Lowest score that is acceptable."""
    usd_per_error: Annotated[NonNegative, unit("USD")] = 0.0
    """Cost of one wrong answer: rework, refunds, review. Counted for each request: where a task takes 40 and scores are of
    whole tasks, a wrong task's cost / 40."""
    scores: dict[Name, ScoreOrNot] = Field(default_factory=dict)
    """Score by system: a model name, model+lora for a tuned one (model+tuned where a vendor tunes it), "FIRST > SECOND" for a
    cascade end to end, model+shorter-prompt, model+less-reasoning and model+shorter-prompt+less-reasoning for the incumbent
    asked for less. What is absent is not evaluated. A counted share has half an item each way: 18 wrong of 300 are
    (18 + 1/2) / 301 wrong, 6.1%."""
    escalated: dict[Name, CountedShare] = Field(default_factory=dict)
    """Share of requests that a system hands to the incumbent, by system; left out, of a cascade's first model =
    quality.cascade_escalated_share."""
    kept_error_rate: dict[Name, CountedShare] = Field(default_factory=dict)
    """Share of wrong answers among those that a system keeps where it hands others on, by that system (a cascade's first)."""
    escalated_error_rate: dict[Name, CountedShare] = Field(default_factory=dict)
    """Share of the incumbent's answers that are wrong among the requests handed to it, by the system that hands them on."""
    cautions: tuple[Caution, ...] = ()
    """Warnings of `roi quality`: a bar that moved, items without a score; told where they touch what is recommended."""
    judge_usd_per_request: Annotated[NonNegative, unit("USD")] = 0.0
    """Price of the judge that decides which answers are handed on, for each request of a system that hands on."""
    cascade_escalated_share: Fraction = spread(
        0.2, 0.05, 0.5, "share that a cheap first model hands on; no measurement for this task"
    )
    """Share that the first model of a cascade escalates, where `escalated` does not name it. The default keeps to what agrees
    with kept_error_rate, escalated_error_rate and scores, where they are stated."""
    not_evaluated_error_ratio: Annotated[Positive, unit("ratio")] | None = None
    """Error rate of a system that nobody evaluated, over the incumbent's; left out = by the size of an open model, by the price
    of a vendor's, by whether it is tuned."""


class Evaluation(Section):
    """Judging a model before it answers users."""

    labels: Annotated[NonNegative, unit("labels")] = 300.0
    """Examples of the evaluation set."""
    usd_per_label: Annotated[NonNegative, unit("USD/label")] = spread(0.5, 0.1, 3.0, "crowd label to expert label")
    """Cost of one label, for evaluation and training alike."""
    usd: Annotated[NonNegative, unit("USD")] = spread(100.0, 20.0, 500.0, "API and GPU time of one evaluation")
    """Cost of running one evaluation."""
    months: Months = 0.25
    """How long one evaluation takes, from the decision to its result."""
