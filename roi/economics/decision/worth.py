"""What could be measured before the next decision: what each experiment costs, what it is worth, and how much of it to buy."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np

from roi.economics.decision.draws import Drawn
from roi.economics.decision.evaluation import Evaluated
from roi.economics.decision.feasibility import as_measured, can_fail
from roi.economics.inputs import Array, Option, Shared, path_of
from roi.economics.lines.line_kind import LineKind
from roi.economics.lines.option_lines import answered_wrong
from roi.economics.lines.people import judging
from roi.economics.worked_out import BillFacts
from roi.numerics.knowing import Bins, bar_edge, binomial, items_behind, numbers_wrong, over, repeated

ITEMS: Final = (25, 35, 50, 70, 100, 140, 200, 280, 400, 560, 800, 1130, 1600, 2260, 3200)
"""Labelled items that an evaluation is tried with: two sizes in each doubling."""
RUNS: Final = (1, 2, 4)
"""Load tests of one server that are tried."""
REPEATS: Final = 0.039
"""Standard deviation of log speed between load tests of one server: MLPerf Llama-2-70B on 8 H100, Server, 20 submissions."""
LOAD_TEST_GPU_HOURS, LOAD_TEST_HOURS = 2.0, 8.0
"""A load test of one server: half an hour of load, the rest for starting and loading weights; a day of one engineer."""
TRIAL_GPU_HOURS, TRIAL_HOURS = 1.0, 4.0
"""A training run of some minutes on a rented card, the rest for setting it up; half a day of one engineer."""
COUNT_HOURS = 1.0
"""Counting the tokens of a hundred prompts with the other model's tokenizer; an hour of one engineer."""
ROUNDING = 1e-9
"""Wrong answers above the most that are allowed, which are rounding."""
WEEK = 0.25
"""Months that a load test or a trial run takes from the decision to its result."""
LOG_FACTS: Final = ("requests_per_day", "input_tokens", "output_tokens", "cache_hit_rate", "peak_to_mean", "can_wait_share")
"""Facts of the workload that a week of usage log tells."""
LOG_HOURS, INVOICE_HOURS, QUOTE_HOURS = 4.0, 1.0, 1.0
"""Hours of an engineer to export and read a log, to split an invoice into requests and prices, to ask a vendor for a quote."""


class Point(NamedTuple):
    """One size of an experiment."""

    items: int | None
    """Labelled items, or load tests."""
    worth_usd: float
    """After the recommendation."""
    net_usd: float
    """worth_usd less the cost of so many."""
    first_net_usd: float
    """The same before anything is changed."""


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """One thing that could be measured before the next decision.

    Its figures are those of the size with the highest net value, before the recommendation or after it.
    """

    kind: str
    """evaluate, load-test, trial-run, count-tokens, usage-log, invoice or quote."""
    option: str
    """Id of the option that it is about; stay where it is about all."""
    fact: str | None = None
    """Path of the fact that it tells, where that is no fact of the option alone."""
    cost_usd: float
    months: float
    worth_usd: float
    """What its result is worth on average once the recommendation is carried out: a second move pays its own set-up."""
    net_usd: float
    """worth_usd less the cost."""
    first_net_usd: float
    """What it is worth before anything is changed, when all that follows starts later, less its cost."""
    evppi_usd: float
    """What knowing the fact exactly would be worth after the recommendation: the most that any study of it is."""
    error_usd: float
    """Monte Carlo standard error of the higher net value."""
    items: int | None = None
    """Labelled items of an evaluation, number of load tests; None where there is no such choice."""
    curve: tuple[Point, ...] = ()
    """Worth and net values by size; empty where there is no such choice."""
    stop: tuple[int, int] | None = None
    """From the smallest to the largest size whose net value is within `error_usd` of the best: stop somewhere between."""


class _Size(NamedTuple):
    """One size of a trial, and what it takes."""

    items: int | None
    cost_usd: float
    months: float
    spared_usd: float = 0.0
    """Of the set-up of options that it lets be chosen: their evaluation and training are done."""
    tests: bool = True
    """Whether it lets them be chosen: so few items are no test."""


@dataclass(frozen=True, kw_only=True)
class _Trial:
    """One thing that could be measured, in each size."""

    kind: str
    option: str
    known: Array
    """The fact that it tells, in each draw."""
    sizes: tuple[_Size, ...]
    results: Callable[[Array, int], Array] | None = None
    """The chance of each result in each bin at a size; None: the result is the fact itself."""
    eligible: tuple[str, ...] = ()
    """Options that the result lets be chosen: untested, or below the bar where they were."""
    fact: str | None = None
    most_wrong: Callable[[int], float] = lambda _: np.inf
    """At a size, the most wrong answers with which these still reach the bar."""


def experiments(
    shared: Shared, central: Mapping[str, Evaluated], drawn: Drawn, candidates: Sequence[str], leader: str,
    counts: str,
) -> tuple[Experiment, ...]:
    """What could be measured about the options, the highest net value after the recommendation first.

    `shared` and `central` hold the central values, of feasible options and of those that only their score, which may be luck,
    holds below the bar: those are evaluated again, and nothing else is measured about them. `counts` says whether wrong answers
    count (errors) or not (cash). Of each kind of measuring and system, the option that brings most stands, where several bring
    the same the one that saves most, then the first by its id. No evaluation is among them where nothing that it finds could
    fail an option.
    """
    saved = drawn.saved(counts)
    central = {id: central[id] for id in sorted(central, key=lambda id: (-_whole(float(saved[id].mean())), id))}
    valuer = _Valuer(shared, central, saved, candidates, leader)
    price = drawn.facts.get(path_of(Shared, "usd_per_error"), shared.usd_per_error)
    best: dict[tuple[str, object], Experiment] = {}
    binned: dict[tuple[int, bool], Bins | None] = {}
    for trial in _trials(shared, central, drawn, candidates):
        judged = trial.kind == "evaluate"
        if judged and not can_fail(shared, price, counts):
            continue
        same = id(trial.known), judged  # options of one server, and of one training, tell the same fact
        if same not in binned:
            edge = bar_edge(trial.known, [trial.known], shared.quality_bar) if judged else None
            binned[same] = Bins.of(trial.known, edge)
        bins = binned[same]
        if bins is None:
            continue
        e, key = valuer.value(trial, bins), (trial.kind, trial.fact or _answers(central[trial.option].option))
        if key not in best or _whole(e.net_usd) > _whole(best[key].net_usd):
            best[key] = e
    return tuple(sorted(best.values(), key=lambda e: -_whole(e.net_usd)))


def _whole(usd: float) -> float:
    """The USD without what is rounding of sums, which decides no order."""
    return round(usd, 6)


def _trials(shared: Shared, central: Mapping[str, Evaluated], drawn: Drawn, candidates: Sequence[str]) -> Iterator[_Trial]:
    """Everything that could be measured, by option."""
    judged: set[object] = set()
    for id, done in central.items():
        o = done.option
        if not (id in candidates and (_answers(o) in judged or np.ptp(drawn.wrong[id]) <= 0)):
            judged.add(_answers(o))
            yield _evaluation(shared, central, drawn, candidates, id)
        if o.below_bar:
            continue
        yield from _of_servers(shared, o, drawn)
        hour = float(np.asarray(shared.usd_per_hour))
        if o.training is not None and o.training.hours_fact in drawn.facts and float(np.max(o.training.gpu_hours)) > 0:
            rent = TRIAL_GPU_HOURS * float(np.max(o.training.usd_per_gpu_hour))
            yield _look("trial-run", id, drawn.facts[o.training.hours_fact], rent + TRIAL_HOURS * hour, WEEK)
        ratio = f"systems.{o.system}.token_ratio"
        if ratio in drawn.facts:
            yield _look("count-tokens", id, drawn.facts[ratio], COUNT_HOURS * hour, 0.0)
    yield from _of_records(shared, drawn)


def _look(kind: str, option: str, known: Array, cost_usd: float, months: float, fact: str | None = None) -> _Trial:
    """A trial of one size that tells a fact exactly."""
    return _Trial(kind=kind, option=option, known=known, sizes=(_Size(None, cost_usd, months),), fact=fact)


def _of_records(shared: Shared, drawn: Drawn) -> Iterator[_Trial]:
    """What logs, invoices and quotes tell, about all options."""
    hour = float(np.asarray(shared.usd_per_hour))
    told = {f"workload.{name}": ("usage-log", LOG_HOURS, WEEK) for name in LOG_FACTS}
    told[path_of(BillFacts, "volume_share")] = ("invoice", INVOICE_HOURS, 0.0)
    for path, known in drawn.facts.items():
        kind, hours, months = ("quote", QUOTE_HOURS, WEEK) if path.startswith("purchase.") else told.get(path, ("", 0.0, 0.0))
        if kind:
            yield _look(kind, "stay", known, hours * hour, months, path)


def _of_servers(shared: Shared, o: Option, drawn: Drawn) -> Iterator[_Trial]:
    """A load test of the option's server, where its speed is uncertain."""
    if not o.self_hosted or o.plan is None or o.plan.speed not in drawn.facts:
        return
    each = LOAD_TEST_GPU_HOURS * float(np.max(o.plan.gpus_per_replica)) * float(np.max(o.plan.usd_per_gpu_hour))
    day = LOAD_TEST_HOURS * float(np.asarray(shared.usd_per_hour))
    yield _Trial(kind="load-test", option=o.id, known=drawn.facts[o.plan.speed],
                 sizes=tuple(_Size(runs, runs * each + day, WEEK) for runs in RUNS),
                 results=lambda speeds, runs: repeated(speeds, REPEATS / np.sqrt(runs)))


def _evaluation(
    shared: Shared, central: Mapping[str, Evaluated], drawn: Drawn, candidates: Sequence[str], id: str
) -> _Trial:
    """Judging the option's answers on more items, and training first what is to be judged where nobody has evaluated it."""
    o, unproven = central[id].option, id not in candidates
    same = tuple(i for i, e in central.items() if unproven and i not in candidates and _answers(e.option) == _answers(o))
    trains = o.trains and not o.evaluated
    training = _training_usd(central[id]) if trains else 0.0
    once, labels, label, months = (float(np.asarray(x)) for x in (
        *judging(shared, o), shared.usd_per_label, shared.evaluation_months))
    held = float(np.max(o.items)) if o.evaluated and o.items is not None else 0.0
    judged = o.evaluated and o.items is None  # on so many that nobody said how many
    wait = float(np.asarray(o.months_to_live)) / 2.0 if trains else 0.0

    def size(items: int) -> _Size:
        takes = months * max(items / labels, 1.0) if labels > 0 else months
        return _Size(items, once + items * label + training, max(takes, wait), once + min(items, labels) * label + training,
                     judged or items + held >= shared.min_items)

    sizes = sorted({*ITEMS, *([round(labels)] if ITEMS[0] <= labels <= ITEMS[-1] else [])})
    found = as_measured(o)
    counted = float(np.asarray(answered_wrong(found, central["stay"].option.error_rate))) if o.evaluated else 0.0
    before = held if not judged else items_behind(drawn.wrong[id])
    return _Trial(kind="evaluate", option=id, known=drawn.wrong[id], sizes=tuple(map(size, sizes)), results=binomial,
                  eligible=same, most_wrong=lambda items: (1.0 - shared.quality_bar) * (items + before) - counted * before)


def _answers(o: Option) -> tuple[str, bool]:
    """What one evaluation judges: a system, alone or as the first of a cascade."""
    return o.system, o.kind == "cascade"


def _training_usd(done: Evaluated) -> float:
    """USD of training the model that is to be judged, its labels included."""
    return sum(float(np.asarray(line.upfront)) for line in done.costs.lines if line.kind is LineKind.TRAINING)


@dataclass(frozen=True)
class _Valuer:
    """What every trial is valued against: the outcomes of all options, and the recommendation `leader`."""

    shared: Shared
    central: Mapping[str, Evaluated]
    outcomes: Mapping[str, Array]
    candidates: Sequence[str]
    leader: str

    def value(self, trial: _Trial, bins: Bins) -> Experiment:
        """The experiment at the size with the highest net value after the recommendation, and before it."""
        ids = (*self.candidates, *trial.eligible)
        table = self._own if not trial.eligible else np.stack([self.outcomes[id] for id in ids])
        moves = self._moves(ids, trial.sizes)
        after, first = self._worths(trial, bins, table, moves)
        after, first = _rising(trial.sizes, after), _rising(trial.sizes, first)
        points = [Point(size.items, worth, worth - size.cost_usd, before - size.cost_usd)
                  for size, (worth, _), (before, _) in zip(trial.sizes, after, first, strict=True)]
        nets, first_nets = [p.net_usd for p in points], [p.first_net_usd for p in points]
        before = self.leader != "stay" and max(first_nets) > max(nets)
        staged = first_nets if before else nets
        best = int(np.argmax(staged))
        chosen, error = trial.sizes[best], (first if before else after)[best][1]
        worths = [worth for worth, _ in after]
        return Experiment(
            kind=trial.kind, option=trial.option, fact=trial.fact, cost_usd=chosen.cost_usd, months=chosen.months,
            worth_usd=worths[best], net_usd=nets[best], first_net_usd=first_nets[best],
            evppi_usd=max(self._exact(bins, table, moves, best), *worths, 0.0), error_usd=error, items=chosen.items,
            curve=tuple(points) if len(points) > 1 else (), stop=_stop(trial.sizes, staged, best, error),
        )

    def _worths(self, trial: _Trial, bins: Bins, table: Array, moves: "_Moves") -> tuple[list[tuple[float, float]], ...]:
        """Worth of each size and its standard error, after the recommendation and before it."""
        own = len(self.candidates)
        averages = table.mean(axis=1) if len(table) > own else self._averages
        base = int(np.argmax(averages[:own]))
        shown = moves.of(bins.means(table))
        best = shown.argmax(axis=2)
        alike = (best == best[..., :1, :1]).all(axis=(2, 3))  # it is best in every cell, and so for every result
        found = np.zeros((2, len(trial.sizes), 2))
        asked: list[tuple[tuple[int, int], Array, Array]] = []
        for s, size in enumerate(trial.sizes):
            scale, shift = moves.scale[s], moves.shift[:, s]
            leading = int(np.argmax((scale * averages + shift[0])[:own]))
            open_to = [m for m in (0, 1) if not (alike[m, s] and best[m, s, 0, 0] == (leading, base)[m])]
            if 1 not in open_to:
                mean = (scale - 1.0) * averages[base] + shift[1, base]
                error = (1.0 - scale) * self._errors[self.candidates[base]]
                found[1, s] = (mean if mean > error else 0.0), error
            if not open_to:
                continue
            chances = None if trial.results is None else trial.results(bins.centres, size.items or 0)
            barred = None
            if trial.eligible and chances is not None and size.items:
                too_many = numbers_wrong(bins.centres, size.items) > trial.most_wrong(size.items) + ROUNDING
                barred = (np.arange(len(table)) >= own)[:, None] & (too_many | (not size.tests))
            policies = bins.policies(shown[open_to, s], chances, barred)
            for m, often in zip(open_to, policies, strict=True):
                added = np.tensordot(shift[m], often, axes=1)
                if m == 0:
                    asked.append(((m, s), scale * over(often, leading), added - shift[m, leading]))
                else:
                    asked.append(((m, s), over(scale * often, base), added))
        if asked:
            means, errors = bins.gains(table, np.stack([w for _, w, _ in asked]), np.stack([x for _, _, x in asked]))
            for (at, _, _), mean, error in zip(asked, means, errors, strict=True):
                found[at] = mean, error
        return tuple([(float(worth), float(error)) for worth, error in each] for each in found)

    def _exact(self, bins: Bins, table: Array, moves: "_Moves", s: int) -> float:
        """What knowing the fact itself is worth after the recommendation, at the cost and delay of this size."""
        shown, shift = moves.of(bins.means(table))[0, s], moves.shift[0, s]
        leading = int(np.argmax((moves.scale[s] * table.mean(axis=1) + shift)[: len(self.candidates)]))
        if np.all(shown.argmax(axis=0) == leading):
            return 0.0
        often = bins.policies(shown, None)
        added = np.tensordot(shift, often, axes=1) - shift[leading]
        return float(bins.gains(table, moves.scale[s] * over(often, leading), added)[0])

    @cached_property
    def _own(self) -> Array:
        """Outcomes of the options that may be recommended, (options, n)."""
        return np.stack([self.outcomes[id] for id in self.candidates])

    @cached_property
    def _averages(self) -> Array:
        """Their means."""
        return np.asarray(self._own.mean(axis=1))

    @cached_property
    def _errors(self) -> dict[str, float]:
        """Standard error of the mean outcome of each option that may be recommended."""
        return dict(zip(self.candidates, (self._own.std(axis=1) / np.sqrt(self._own.shape[1])).tolist(), strict=True))

    @cached_property
    def _upfront(self) -> dict[str, float]:
        """Set-up of each option beyond that of staying, USD."""
        paid = {id: float(np.asarray(done.total.upfront)) for id, done in self.central.items()}
        return {id: usd - paid["stay"] for id, usd in paid.items()}

    def _moves(self, ids: Sequence[str], sizes: Sequence[_Size]) -> "_Moves":
        """What moving to each option brings: once the result is known, and once the leader runs and the result is known.

        With o an option's outcome (NPV of moving at once), u its set-up, p what the experiment has paid of that, and L the
        share of the horizon until the result is there, moving then brings o + p - (o + p + u) L. Where the leader runs
        meanwhile, moving on brings o + p - u' - ((o + p + u) - (o' + u')) L, of which o' L is left out: it is the same for all
        options. Moving back to staying costs the way back, and keeping the leader nothing.
        """
        upfront = np.array([self._upfront[id] for id in ids])
        spared = np.array([[0.0 if id in self.candidates else size.spared_usd for id in ids] for size in sizes])
        lost = np.array([min(size.months / self.shared.horizon, 1.0) for size in sizes])[:, None]
        delayed = later = spared * (1.0 - lost) - upfront * lost
        if self.leader != "stay":
            led = ids.index(self.leader)
            later = spared * (1.0 - lost) - upfront[led] - (upfront - upfront[led]) * lost
            later[:, ids.index("stay")] -= float(np.asarray(self.shared.migration_hours * self.shared.usd_per_hour))
            later[:, led] = 0.0
        return _Moves(1.0 - lost[:, 0], np.stack([later, delayed]))


class _Moves(NamedTuple):
    """What moving to an option brings at each size of an experiment: scale x its outcome + shift."""

    scale: Array
    """(sizes,)"""
    shift: Array
    """(2, sizes, options): after the recommendation, and before it."""

    def of(self, means: Array) -> Array:
        """The same of outcomes in cells, (options, bins, halves): (2, sizes, options, bins, halves)."""
        return self.scale[:, None, None, None] * means + self.shift[..., None, None]


def _rising(sizes: Sequence[_Size], worths: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Worth and error of each size, no lower than that of a smaller one that takes as long.

    Whoever has n answers may judge by the first m of them. It matters where a score must reach a bar: answers are whole, so
    that of 50 one more may be needed, in share, than of 35.
    """
    found: list[tuple[float, float]] = []
    for k, (size, worth) in enumerate(zip(sizes, worths, strict=True)):
        same = k > 0 and size.months == sizes[k - 1].months and size.tests == sizes[k - 1].tests
        found.append(max(worth, found[-1]) if same else worth)
    return found


def _stop(sizes: Sequence[_Size], nets: Sequence[float], best: int, error: float) -> tuple[int, int] | None:
    """The sizes around the best one whose net value lies within the Monte Carlo error of its own; None where none pays."""
    if nets[best] <= 0 or len(sizes) < 2:
        return None
    low = high = best
    while low > 0 and nets[low - 1] >= nets[best] - error:
        low -= 1
    while high < len(sizes) - 1 and nets[high + 1] >= nets[best] - error:
        high += 1
    return sizes[low].items or 0, sizes[high].items or 0
