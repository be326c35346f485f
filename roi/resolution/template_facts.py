"""What of a template nobody changed: such a value is a guess, and no less uncertain than what nobody stated.

What --set or a part lays over the file is stated, and so is a value that is written with a source: {value: 0.5, source: why}.
"""

from functools import cache
from typing import Any, Final, NamedTuple

from roi.economics.inputs import path_of
from roi.economics.worked_out import ErrorRate
from roi.facts.case import SHARE
from roi.facts.fact import Basis, Fact
from roi.resolution.fact_sheet import FactSheet
from roi.scenario.file import check_scenario
from roi.scenario.scenario import Scenario
from roi.scenario.sections.scores import Score, ScoreOrNot
from roi.scenario.template import template
from roi.scenario.yaml import parse_yaml


class Guess(NamedTuple):
    """How far a template's value may be off, as factors of it, where the template gives it no low and high."""

    low: float
    high: float
    why: str


EXACT, EVALUATED = Guess(1.0, 1.0, "yours to set"), Guess(1.0, 1.0, "nobody evaluated it here")
SCORE_ENDS: Final = 0.03
"""A score from 300 labels has a standard error of 0.014 to 0.018 at 0.94 to 0.9: 5% and 95% lie 0.023 to 0.03 from it."""
GUESSES: Final = {
    "workload.requests_per_day": Guess(0.5, 2.0, "a volume that nobody counted: half to double"),
    "workload.growth_per_year": Guess(1.0, 1.0, "the trend is not known"),
    "workload.input_tokens": EXACT, "workload.output_tokens": EXACT,  # lengths of requests are not drawn
    "workload.shared_prefix_tokens": EXACT,
    "workload.cache_hit_rate": Guess(0.5, 1.2, "calls that come too far apart miss; at most all hit"),
    "workload.can_wait_share": Guess(0.0, 2.0, "whether users wait is not known: none to twice as many"),
    "workload.ttft_p95_s": EXACT, "workload.tpot_p95_s": EXACT,
    "quality.bar": EXACT,
    "quality.usd_per_error": Guess(0.3, 3.0, "what a wrong answer costs is seldom known within a factor of three"),
    "training.examples": Guess(0.5, 2.0, "how many are enough is known after training"),
    "training.retrain_every_months": EXACT,
    "evaluation.usd_per_label": Guess(0.3, 3.0, "crowd label to expert label"),
}  # fmt: skip
"""Fields of the templates that are guesses, and how far off each may be. What a template says of candidates, gates and what is
switched on today is a choice, not a guess."""


def mark_template(sheet: FactSheet, s: Scenario) -> None:
    """Give every fact that stands as the scenario's template guessed it the basis `template`, and a spread."""
    if s.template is None:
        return
    given = template_scenario(s.template)
    for field, guess in GUESSES.items():
        block, name = field.split(".")
        if not s.states(field) and _untouched(getattr(s, block), getattr(given, block), name):
            for path in sheet.places.get(field, ()):
                sheet.facts[path] = _marked(sheet.facts[path], s.template, guess)
    for system in s.quality.scores:
        if _score_untouched(s, system):
            ends = (path_of(ErrorRate, end, system=system) for end in ("central", "low", "high"))
            for path in (each for each in ends if each in sheet.facts):
                sheet.facts[path] = _marked(sheet.facts[path], s.template, EVALUATED)


def score_of(s: Scenario, system: str) -> ScoreOrNot | None:
    """The score that the scenario states; with the ends of a small evaluation set where it is a template's bare number."""
    score = s.quality.scores.get(system)
    return with_ends(score) if isinstance(score, float) and _score_untouched(s, system) else score


def with_ends(score: float) -> Score:
    """A score that nobody measured here."""
    low, high = max(score - SCORE_ENDS, 0.0), min(score + SCORE_ENDS, 1.0)
    return Score(value=score, low=low, high=high)


def _score_untouched(s: Scenario, system: str) -> bool:
    """True where the score is the template's; the incumbent's is that of the template's incumbent."""
    score = s.quality.scores[system]
    if s.template is None or isinstance(score, str) or s.states(f"quality.scores.{system}"):  # a text: not evaluated
        return False
    given = template_scenario(s.template)
    theirs = given.incumbent.model if system == s.incumbent.model else system
    return score == given.quality.scores.get(theirs)


@cache
def template_scenario(name: str) -> Scenario:
    """The scenario that the template holds."""
    return check_scenario(parse_yaml(template(name, "template"), name))


def guessed_in_template(s: Scenario, block: str, name: str) -> bool:
    """True where the field of a block is what the scenario's template says, and nobody laid it over the file."""
    if s.template is None or s.states(f"{block}.{name}"):
        return False
    return _untouched(getattr(s, block), getattr(template_scenario(s.template), block), name)


def _untouched(mine: Any, theirs: Any, name: str) -> bool:  # Any: two blocks of the same class
    both = name in mine.model_fields_set and name in theirs.model_fields_set
    return both and bool(getattr(mine, name) == getattr(theirs, name))


def _marked(fact: Fact, name: str, guess: Guess) -> Fact:
    """The fact with the basis `template`; with the guess's ends, where it has none of its own."""
    told = f"template {name}, not changed: {guess.why}"
    update: dict[str, object] = {"basis": Basis.TEMPLATE, "source": told}
    if not fact.source.startswith("scenario "):
        update["source"] = fact.source
    if fact.low is None and isinstance(fact.value, float) and fact.value > 0 and guess.low < guess.high:
        most = 1.0 if fact.unit == SHARE else float("inf")
        update |= {"low": fact.value * guess.low, "high": min(fact.value * guess.high, most)}
    return fact.model_copy(update=update)
