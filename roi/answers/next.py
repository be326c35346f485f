"""What should we measure next, how much of it, and when should we stop? The experiments of a comparison, and the first step.

    FILE --compare_file--> Comparison, its verdict and experiments --> MEASURE FIRST, or DO NOW and THEN
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Unpack

from roi.answers.compare import CompareOptions, ComparisonAnswer, compare_file
from roi.answers.saved import read_saved
from roi.economics.decision.comparison import Comparison
from roi.economics.decision.measuring.settling import Asked, Settling, settling
from roi.economics.decision.measuring.worth import Experiment
from roi.economics.decision.second_move import find_second_move, once_in_use
from roi.economics.decision.verdict import ADDS_TOO_SELDOM
from roi.economics.decision.weighing import weigh
from roi.economics.outlook import unseen_successor
from roi.errors import InputError
from roi.numerics.value_of_information import BINS


@dataclass(frozen=True, kw_only=True)
class Named:
    """The same question with one candidate more, which the scenario does not name."""

    model: str
    """provider/model."""
    override: str
    """What names it: a field of the scenario as a.b=value, for --set."""
    answer: "NextAnswer | None"
    refused: str = ""
    """Why there is no answer."""


@dataclass(frozen=True, kw_only=True)
class NextAnswer:
    """What the comparison says of measuring."""

    comparison: Comparison
    warnings: tuple[str, ...]
    note: str
    successor: "Named | None" = None
    """What evaluating the vendor's suggestion for today's model is worth, where that ends and no candidate is its successor."""

    @property
    def experiment(self) -> Experiment | None:
        """The one to do: before anything is changed, or after the recommendation; None where none is worth its cost."""
        return self.comparison.verdict.measure_first or self.comparison.verdict.then

    @property
    def step(self) -> str:
        """What comes first: CORRECT FIRST (the input cannot be true), MEASURE FIRST or DO NOW."""
        verdict = self.comparison.verdict
        if verdict.recommended is None:
            return "CORRECT FIRST"
        return "DO NOW" if verdict.measure_first is None else "MEASURE FIRST"

    @cached_property
    def best_gates(self) -> Mapping[str, float]:
        """By cascade whose gate nobody measured the most that measuring it could bring over the recommendation, USD.

        That is what the best gate at its share would (`Comparison.open_gates`), an upper bound: the experiments count it as
        blind, and how good it is on average nobody knows.
        """
        c = self.comparison
        return {id: best.npv_usd - c.led_usd for id, best in c.open_gates.items()}

    @cached_property
    def settling(self) -> tuple[Settling, ...]:
        """For each option of a higher mean NPV than the recommended one the test that would most likely make it likely.

        Whose tests are worth what they cost to whom the chance rules bind, best option first; the ranking of `experiments` goes
        by means alone.
        """
        c = self.comparison
        asked = [Asked(p.option, p.chance, p.chance_needed) for p in c.verdict.passed_over
                 if p.chance is not None and p.reason != ADDS_TOO_SELDOM]
        if not asked or c.verdict.recommended is None:
            return ()
        w = weigh(c.case)
        if w.drawn is None:
            return ()
        led, ids, move, following = c.verdict.leader, w.chosen.candidates, c.second_move, None
        if move is not None and move.likely:
            _, following = find_second_move(once_in_use(c.case, w, move.after, (move.option,)), (move.option,))
            led = move.after
        return settling(w.shared, w.options, w.central, w.drawn, ids, led, w.chosen.counts, asked, following,
                        named=self.experiment)


def next_file(file: Path | None = None, **asked: Unpack[CompareOptions]) -> NextAnswer:
    """What to measure next in the scenario (or saved comparison) in `file`, as `roi compare` of it says."""
    found = compare_file(file, **asked)
    check_draws(found.comparison)
    return NextAnswer(comparison=found.comparison, warnings=found.warnings, note=found.note,
                      successor=_with_successor(found, file, asked))


def _with_successor(found: ComparisonAnswer, file: Path | None, asked: CompareOptions) -> Named | None:
    """What comes first where the successor that the vendor suggests is a candidate too; None where it is none that lacks.

    Nor of a saved comparison, whose facts hold no candidate more.
    """
    model = unseen_successor(found.comparison.case)
    if not model or found.scenario is None or (file is not None and read_saved(file) is not None):
        return None
    named = ", ".join((*found.scenario.get("candidates", {}).get("api_models", ()), model))
    override = f"candidates.api_models=[{named}]"
    with_it: CompareOptions = {**asked, "overrides": (*asked.get("overrides", ()), override)}
    try:
        other = compare_file(file, **with_it)
    except InputError as error:
        return Named(model=model, override=override, answer=None, refused=str(error))
    answer = NextAnswer(comparison=other.comparison, warnings=other.warnings, note=other.note)
    return Named(model=model, override=override, answer=answer)


def check_draws(c: Comparison) -> None:
    """InputError where the draws are too few to say what a measurement is worth."""
    drawn = c.case["draws"].number()
    if drawn < 2 * BINS:
        raise InputError(f"draws: {drawn:,.0f} do not say what a measurement is worth; at least {2 * BINS}, better 4096")
