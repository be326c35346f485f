"""What of a template nobody changed: such a value is a guess, and no less uncertain than what nobody stated."""

from typing import Any, Final, NamedTuple

from roi.facts.case import SHARE
from roi.facts.fact import Basis, Fact
from roi.resolution.fact_sheet import FactSheet
from roi.scenario.file import check_scenario, template
from roi.scenario.scenario import Scenario
from roi.scenario.yaml import parse_yaml


class Guess(NamedTuple):
    """How far a template's value may be off, as factors of it, where the template gives it no low and high."""

    low: float
    high: float
    why: str


EXACT: Final = Guess(1.0, 1.0, "yours to set")
SCORE_ENDS: Final = 0.03
"""A score from 300 labels has a standard error of 0.014 to 0.018 at 0.94 to 0.9: 5% and 95% lie 0.023 to 0.03 from it."""
GUESSES: Final = {
    "workload.requests_per_day": Guess(0.5, 2.0, "a volume that nobody counted: half to double"),
    "workload.growth_per_year": EXACT,
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
        if _untouched(getattr(s, block), getattr(given, block), name):
            for path in sheet.places.get(field, ()):
                sheet.facts[path] = _marked(sheet.facts[path], s.template, guess)
    for system in s.quality.scores:
        theirs, path = given.incumbent.model if system == s.incumbent.model else system, f"systems.{system}.error_rate"
        score = s.quality.scores[system]
        if path in sheet.facts and score != "not evaluated" and score == given.quality.scores.get(theirs):
            _mark_score(sheet, path, s.template)


def template_scenario(name: str) -> Scenario:
    """The scenario that the template holds."""
    return check_scenario(parse_yaml(template(name, "template"), name))


def _untouched(mine: Any, theirs: Any, name: str) -> bool:  # Any: two blocks of the same class
    both = name in mine.model_fields_set and name in theirs.model_fields_set
    return both and bool(getattr(mine, name) == getattr(theirs, name))


def _marked(fact: Fact, name: str, guess: Guess) -> Fact:
    """The fact with the basis `template`; with the guess's ends, where it has none of its own."""
    told = f"template {name}, not changed: {guess.why}"
    update: dict[str, object] = {"basis": Basis.TEMPLATE, "source": told}
    if fact.low is not None:
        update["source"] = fact.source if not fact.source.startswith("scenario ") else f"template {name}, not changed"
    elif isinstance(fact.value, float) and fact.value > 0 and guess.low < guess.high:
        most = 1.0 if fact.unit == SHARE else float("inf")
        update |= {"low": fact.value * guess.low, "high": min(fact.value * guess.high, most)}
    return fact.model_copy(update=update)


def _mark_score(sheet: FactSheet, path: str, name: str) -> None:
    """Mark an error rate; where its score is a bare number, its ends are those of a small evaluation set."""
    central = sheet.facts[path]
    for end, by in (("low", -SCORE_ENDS), ("high", SCORE_ENDS)):
        sheet.add(f"{path}_{end}", min(max(central.number() + by, 0.0), 1.0), SHARE, basis=Basis.TEMPLATE, source="")
    for each in (path, f"{path}_low", f"{path}_high"):
        fact = sheet.facts[each]
        source = f"template {name}, not changed: nobody evaluated it here" if not fact.source.strip() else fact.source
        sheet.facts[each] = fact.model_copy(update={"basis": Basis.TEMPLATE, "source": source})
