"""What it is worth to know more before deciding, and what measuring it costs.

Knowing is worth the gain in the best mean over every option that could then be chosen. The draws are sorted by what would be
known and cut into bins; in each bin the best option is chosen on one half of the draws and paid for on the other, so that
noise earns nothing.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from roi.economics.decision.draws import Drawn
from roi.economics.decision.evaluation import Evaluated
from roi.economics.inputs import Array, Option, Shared, TrainingFacts, path_of
from roi.economics.lines.people import evaluation_cost
from roi.numerics.sequence import MAX_DIMENSIONS, sobol

BINS = 16
"""Bins of what would be known: 4,096 draws leave 256 a bin, 128 in each half."""
LOAD_TEST_GPU_HOURS, LOAD_TEST_HOURS = 2.0, 8.0
"""A load test of one server: half an hour of load, the rest for starting and loading weights; a day of one engineer."""
TRIAL_GPU_HOURS, TRIAL_HOURS = 1.0, 4.0
"""A training run of some minutes on a rented card, the rest for setting it up; half a day of one engineer."""
COUNT_HOURS = 1.0
"""Counting the tokens of a hundred prompts with the other model's tokenizer; an hour of one engineer."""
WEEK = 0.25
"""Months that a load test or a trial run takes from the decision to its result."""


@dataclass(frozen=True)
class Experiment:
    """One thing that could be measured before the next decision."""

    kind: str
    """evaluate, load-test, trial-run or count-tokens."""
    option: str
    """Id of the option that it is about."""
    cost_usd: float
    months: float
    worth_usd: float
    """What its result is worth on average once the recommendation is carried out: a second move pays its own set-up."""
    net_usd: float
    """worth_usd less the cost."""
    first_net_usd: float
    """What it is worth before anything is changed, when all that follows starts later, less its cost."""


def gain_of_knowing(
    saved: Mapping[str, Array], known: Array, candidates: Sequence[str], eligible: Collection[str] = ()
) -> float:
    """USD that knowing `known`, shape (n,), could be worth at most before moving; never below zero, zero within its own noise.

    `saved` is what each option saves in each draw. `candidates` may be chosen in any case, `eligible` only once this is known.
    """
    return _gain([saved[id] for id in (*candidates, *eligible)], _best([saved[id] for id in candidates]), known)


def _best(outcomes: Sequence[Array]) -> Array:
    return max(outcomes, key=lambda x: float(x.mean()))


def _gain(outcomes: Sequence[Array], base: Array, known: Array) -> float:
    """E[the best mean given what is known] - the mean of `base`; 0 where one standard error is larger."""
    table = np.stack(outcomes)
    n = table.shape[1]
    if n < 2 * BINS:
        return 0.0
    order = np.argsort(known, kind="stable")
    gains = np.empty(n)
    for rows in np.array_split(order, BINS):
        halves = rows[::2], rows[1::2]
        for chosen_on, paid_on in (halves, halves[::-1]):
            best = int(np.argmax(table[:, chosen_on].mean(axis=1)))
            gains[paid_on] = table[best, paid_on] - base[paid_on]
    mean, error = float(gains.mean()), float(gains.std() / np.sqrt(n))
    return mean if mean > error else 0.0


def experiments(
    shared: Shared, central: Mapping[str, Evaluated], drawn: Drawn, candidates: Sequence[str], leader: str,
    counts: str,
) -> tuple[Experiment, ...]:
    """What could be measured about the feasible options, the highest net value after the recommendation first.

    `shared` and `central` hold the central values; `counts` says whether wrong answers count (errors) or not (cash). Of each
    kind of measuring and system, the option that brings most stands.
    """
    trials = _trials(shared, central, drawn, candidates)
    found = [_valued(shared, central, drawn.saved(counts), candidates, leader, trial) for trial in trials]
    best: dict[tuple[str, str], Experiment] = {}
    for e in found:
        key = e.kind, central[e.option].option.system
        if key not in best or e.net_usd > best[key].net_usd:
            best[key] = e
    return tuple(sorted(best.values(), key=lambda e: -e.net_usd))


@dataclass(frozen=True)
class _Trial:
    kind: str
    option: str
    known: Array
    cost_usd: float
    months: float
    eligible: tuple[str, ...] = ()
    """Untested options that the result lets be chosen."""


def _trials(shared: Shared, central: Mapping[str, Evaluated], drawn: Drawn, candidates: Sequence[str]) -> Iterator[_Trial]:
    hour = float(np.asarray(shared.usd_per_hour))
    months = float(np.asarray(shared.evaluation_months))
    for number, (id, done) in enumerate(central.items()):
        o = done.option
        if id not in candidates:
            same = tuple(i for i, e in central.items() if i not in candidates and _same_answers(e.option, o))
            known = _observed(drawn, id, float(np.asarray(shared.evaluation_labels)), number)
            training = _training_usd(done) if o.trains else 0.0
            wait = max(months, float(np.asarray(o.months_to_live)) / 2.0) if o.trains else months
            yield _Trial("evaluate", id, known, float(np.asarray(evaluation_cost(shared))) + training, wait, same)
        if o.self_hosted and o.plan is not None and o.plan.speed in drawn.facts:
            each = float(np.max(o.plan.gpus_per_replica)) * float(np.max(o.plan.usd_per_gpu_hour))
            yield _Trial("load-test", id, drawn.facts[o.plan.speed], LOAD_TEST_GPU_HOURS * each + LOAD_TEST_HOURS * hour, WEEK)
        hours = path_of(TrainingFacts, "hours_factor")
        if o.training is not None and hours in drawn.facts and float(np.max(o.training.gpu_hours)) > 0:
            rent = TRIAL_GPU_HOURS * float(np.max(o.training.usd_per_gpu_hour))
            yield _Trial("trial-run", id, drawn.facts[hours], rent + TRIAL_HOURS * hour, WEEK)
        ratio = f"systems.{o.system}.token_ratio"
        if ratio in drawn.facts:
            yield _Trial("count-tokens", id, drawn.facts[ratio], COUNT_HOURS * hour, 0.0)


def _same_answers(a: Option, b: Option) -> bool:
    """True where one evaluation judges both: the same system, alone or as the same cascade."""
    return (a.system, a.kind == "cascade") == (b.system, b.kind == "cascade")


def _training_usd(done: Evaluated) -> float:
    """USD of training the model that is to be judged, its labels included."""
    return sum(float(np.asarray(line.upfront)) for line in done.costs.lines if line.name.startswith("training"))


def _observed(drawn: Drawn, id: str, items: float, number: int) -> Array:
    """The share of wrong answers that an evaluation of so many items would find in each draw: binomial, as a normal.

    Its chance is a dimension of the sequence beyond those of the facts.
    """
    wrong = drawn.wrong[id]
    chance = sobol(0, drawn.n, min(len(drawn.facts) + number + 1, MAX_DIMENSIONS), drawn.seed)[:, -1]
    inverse = NormalDist().inv_cdf
    noise = np.array([inverse(float(u)) for u in chance])
    return np.asarray(wrong + np.sqrt(wrong * (1.0 - wrong) / max(items, 1.0)) * noise)


def _valued(
    shared: Shared, central: Mapping[str, Evaluated], outcomes: Mapping[str, Array], candidates: Sequence[str], leader: str,
    trial: _Trial,
) -> Experiment:
    """The experiment with its worth after the recommendation `leader`, and before it."""
    ids = (*candidates, *trial.eligible)
    upfront = {id: float(np.asarray(central[id].total.upfront) - np.asarray(central["stay"].total.upfront)) for id in ids}
    judged = float(np.asarray(evaluation_cost(shared)))
    saved = {id: judged + _training_usd(central[id]) for id in trial.eligible}  # by the experiment
    now = {id: outcomes[id] + saved.get(id, 0.0) for id in ids}
    back = float(np.asarray(shared.migration_hours * shared.usd_per_hour))
    lost = min(trial.months / shared.horizon, 1.0)  # share of the horizon that passes until the result is there

    def delayed(id: str) -> Array:
        """NPV of `id` where it starts once the result is known."""
        return np.asarray(now[id] - (now[id] + upfront[id]) * lost)

    def later(id: str) -> Array:
        """NPV of moving on to `id` once the leader runs and the result is known."""
        if leader == "stay":
            return delayed(id)
        if id == leader:
            return now[id]
        sunk = upfront[leader] + (back if id == "stay" else 0.0)
        running = (now[id] + upfront[id]) - (now[leader] + upfront[leader])
        return np.asarray(now[id] - sunk - running * lost)

    after = [later(id) for id in ids]
    worth = _gain(after, _best(after[: len(candidates)]), trial.known)
    first = _gain([delayed(id) for id in ids], _best([now[id] for id in candidates]), trial.known)
    return Experiment(kind=trial.kind, option=trial.option, cost_usd=trial.cost_usd, months=trial.months, worth_usd=worth,
                      net_usd=worth - trial.cost_usd, first_net_usd=first - trial.cost_usd)
