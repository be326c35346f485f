"""What knowing a fact is worth by nested Monte Carlo, to hold the estimate of one pass over the draws against.

    python lab/nested_worth.py [OUTER [INNER]]        2,000 x 2,000 unless given; minutes

For each of OUTER values of the fact, all other facts are drawn INNER times; the best option is chosen on one half of the draws
and paid for on the other.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from roi.economics.decision.comparison import Comparison, compare
from roi.economics.decision.draws import draw
from roi.economics.decision.evaluation import Choice
from roi.economics.decision.weighing import settle
from roi.facts.case import Case
from roi.numerics.sequence import sobol
from roi.numerics.value_of_information import Bins, bar_edge, best_row, over
from roi.resolution.resolution import resolve
from roi.scenario.file import load_scenario

TEMPLATES = Path(__file__).parents[1] / "roi" / "scenario" / "templates"


@dataclass(frozen=True)
class Question:
    """A fact of a scenario, and the options that nobody tested and that knowing it would let be chosen."""

    template: str
    path: str
    overrides: tuple[str, ...] = ()
    untested: str = ""


CHECKED = ("quality.scores.gpt-6-luna={value: 0.92, items: 150}", "quality.usd_per_error=0.1")
QUESTIONS = {
    "untested challenger": Question("classification", "systems.claude-haiku-5-5.error_rate", CHECKED, "claude-haiku-5-5"),
    "evaluated model": Question("classification", "systems.gpt-6-luna.error_rate", CHECKED),
    "incumbent": Question("classification", "quality.evaluation_noise.gpt-6-sol", CHECKED),
}


def opened(case: Case, untested: str) -> tuple[Comparison, list[str], dict[str, Choice]]:
    """The comparison, the candidates and then the options with the system that nobody tested, and the plans chosen."""
    comparison, (_, options, choices) = compare(case), settle(case)
    candidates = comparison.verdict.candidates
    found = [o.id for o in comparison.options if o.id not in candidates and options[o.id].system == untested]
    return comparison, [*candidates, *found], choices


def nested(case: Case, path: str, untested: str, outer: int, inner: int) -> tuple[float, float]:
    """USD that knowing the fact at `path` is worth before moving, and its standard error, both by nested draws."""
    comparison, ids, choices = opened(case, untested)
    means = np.empty((2, len(ids), outer))
    points = np.full((outer, len(case.uncertain)), 0.5)
    points[:, case.uncertain.index(path)] = sobol(0, outer, 1, 1)[:, 0]
    for k, value in enumerate(np.asarray(case.values(points)[path])[:, 0]):
        exact = case[path].model_copy(update={"value": float(value), "low": None, "high": None})
        known = Case(facts={**case.facts, path: exact})
        saved = draw(known, ids, choices, inner, 10_000 + k).saved(comparison.verdict.counts)
        for half in (0, 1):
            means[half, :, k] = [saved[id][half::2].mean() for id in ids]
    base = int(np.argmax(means.mean(axis=(0, 2))[: len(comparison.verdict.candidates)]))
    paid = [means[1 - half][means[half].argmax(axis=0), np.arange(outer)] - means[1 - half][base] for half in (0, 1)]
    gains = np.mean(paid, axis=0)
    return float(gains.mean()), float(gains.std() / np.sqrt(outer))


def one_pass(case: Case, path: str, untested: str) -> tuple[float, float]:
    """The same by one pass over the draws of the case, as `roi compare` works it out."""
    comparison, ids, choices = opened(case, untested)
    drawn = draw(case, ids, choices, int(case["draws"].number()), int(case["seed"].number()))
    table = np.stack([drawn.saved(comparison.verdict.counts)[id] for id in ids])
    bins = Bins.of(drawn.facts[path], bar_edge(drawn.facts[path], drawn.wrong.values(), case["quality.bar"].number()))
    assert bins is not None
    base = best_row(table[: len(comparison.verdict.candidates)])
    found, error = bins.gains(table, over(bins.policies(bins.means(table), None), base))
    return float(found), float(error)


def case_of(question: Question) -> Case:
    """The case that the question is about."""
    return resolve(load_scenario(TEMPLATES / f"{question.template}.yaml", question.overrides)).case


def main() -> None:
    """Print both for each question."""
    outer, inner = ([*map(int, sys.argv[1:]), 2000, 2000])[:2]
    for name, question in QUESTIONS.items():
        case = case_of(question)
        (found, error), (slow, slow_error) = (
            one_pass(case, question.path, question.untested),
            nested(case, question.path, question.untested, outer, inner))
        print(f"{name:20} one pass {found:9,.0f} +- {error:5,.0f}   nested {slow:9,.0f} +- {slow_error:5,.0f} USD")


if __name__ == "__main__":
    main()
