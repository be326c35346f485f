"""What a decision must keep to: limits that `roi check` holds an answer against, in one YAML file."""

import json
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, ValidationError, model_validator

from roi.errors import InputError
from roi.facts.records import Finite
from roi.scenario.mistakes import explain_mistakes
from roi.scenario.other_files import LIMITS, SAVED, SCENARIO, what_it_is
from roi.scenario.quantity import Section
from roi.scenario.yaml import read_yaml


class Range(Section):
    """What a figure must lie within, both ends included."""

    at_least: Finite | None = None
    """The least that is allowed."""
    at_most: Finite | None = None
    """The most that is allowed."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.at_least is None and self.at_most is None:
            raise ValueError("at_least, at_most or both are needed")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(f"at_least {self.at_least:g} is above at_most {self.at_most:g}")
        return self


class AmountRange(Range):
    """Limits of an amount, which is never below 0."""

    at_least: Annotated[Finite, Field(ge=0)] | None = None
    """The least that is allowed."""
    at_most: Annotated[Finite, Field(ge=0)] | None = None
    """The most that is allowed."""


class ShareRange(Range):
    """Limits of a share, 0 to 1."""

    at_least: Annotated[Finite, Field(ge=0, le=1)] | None = None
    """The least share that is allowed."""
    at_most: Annotated[Finite, Field(ge=0, le=1)] | None = None
    """The most that is allowed."""


class Policy(Section):
    """Rules for an answer. What is left out is not asked, but for recommended_is_tested."""

    schema_: Annotated[Literal["roi.policy/1"], Field(alias="schema")] = "roi.policy/1"
    """Version of this format."""
    saved: Annotated[str, Field(min_length=1, max_length=1000)] | None = None
    """The comparison that was decided on (`roi compare --format json`), as seen from this file."""
    verdict_unchanged: bool = False
    """True: the same option is recommended as in `saved`, or the same steps: an API, then GPUs."""
    signposts_hold: bool = False
    """True: volume, rents, prices and error rates are on the side of each threshold in `saved` on which they were."""
    recommended_is_tested: bool = True
    """True: the recommended option's answers were evaluated on enough items, or are the incumbent's own."""
    monthly_cash_usd: AmountRange | None = None
    """Cash of a mean month of the recommended option once it serves alone, at the central values; of staying in the months in
    which its challenger would, as the screen of roi compare tells it."""
    upfront_usd: AmountRange | None = None
    """Set-up of the recommended option."""
    expected_npv_usd: Range | None = None
    """NPV of the recommended option against staying, mean over the draws, without wrong answers where the verdict counts none;
    staying itself is not asked."""
    payback_months: AmountRange | None = None
    """Payback of the recommended option on cash, from today, at the central values; never is above any limit."""
    chance_to_beat_staying: ShareRange | None = None
    """Share of the draws in which the recommended option beats staying; staying itself is not asked."""
    wrong_answers: ShareRange | None = None
    """Share of the recommended option's answers that are wrong."""
    evidence_age_days: AmountRange | None = None
    """Age of the oldest price, measurement or score with a date behind the recommended option and staying."""
    facts: dict[Annotated[str, Field(min_length=1, max_length=300)], Range] = Field(default_factory=dict)
    """Central values of facts, by their path in `roi compare --format json` (workload.requests_per_day)."""


IN_ITS_PLACE: Final = {SCENARIO: "roi check", SAVED: "roi check SCENARIO POLICY --saved"}
"""Where `roi check` takes files that are given in the place of a policy."""
HELP: Final = "`roi schema --of policy` says what a policy may hold"
"""What helps where a file is none."""


def load_policy(path: Path, scenario: Path | None = None) -> Policy:
    """The policy in the file; every mistake is reported with its field, value and what is allowed.

    `scenario` is the file that was given before it: where the two are exchanged, that is said.
    """
    if (other := what_it_is(path)) not in {None, LIMITS}:
        if scenario is not None and other in IN_ITS_PLACE and what_it_is(scenario) == LIMITS:
            raise InputError(f"{path}: {other.what} and no policy, which comes last: roi check {path} {scenario}")
        reading = f"{IN_ITS_PLACE[other]} {path}" if other in IN_ITS_PLACE else other.reading(path)
        raise InputError(f"{path}: {other.what} and no policy: {reading}; {HELP}")
    data: dict[str, Any] = read_yaml(path, HELP)
    try:
        return Policy.model_validate_json(json.dumps(data))
    except ValidationError as error:
        raise InputError(f"{path}: {explain_mistakes(error, data, Policy, 'policy')}") from None
