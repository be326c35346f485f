"""What could be measured about the options: each experiment in each of its sizes, its cost and how long it takes."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from roi.economics.decision.draws import Drawn
from roi.economics.decision.evaluation import Evaluated
from roi.economics.decision.feasibility import as_measured, can_fail
from roi.economics.inputs import Array, Option, Shared, path_of
from roi.economics.lines.line_kind import LineKind
from roi.economics.lines.option_lines import answered_wrong
from roi.economics.lines.people import judging
from roi.economics.worked_out import BillFacts
from roi.estimate.serving.line_scatter import load_test_leaves
from roi.numerics.value_of_information import (
    Bins,
    bar_edge,
    binomial,
    differences,
    items_behind,
    noise_that_leaves,
    numbers_wrong,
    repeated,
)

ITEMS: Final = (25, 35, 50, 70, 100, 140, 200, 280, 400, 560, 800, 1130, 1600, 2260, 3200)
"""Labelled items that an evaluation is tried with: two sizes in each doubling."""
RUNS: Final = (1, 2, 4)
"""Load tests of one server that are tried."""
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
"""Facts of the workload that a week of usage log tells, where none did."""
LOG_HOURS, INVOICE_HOURS, QUOTE_HOURS = 4.0, 1.0, 1.0
"""Hours of an engineer to export and read a log, to split an invoice into requests and prices, to ask a vendor for a quote."""


class Size(NamedTuple):
    """One size of a trial, and what it takes."""

    items: int | None
    cost_usd: float
    months: float
    spared_usd: float = 0.0
    """What it spends, USD, of the set-up of options that it lets be chosen: their evaluation and training are then done."""
    tests: bool = True
    """True where it lets options be chosen: few items are no test."""
    today_usd: float = 0.0
    """What judging today's model on those of the items that it has not answered costs, USD."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One thing that could be measured, in each size."""

    kind: str
    option: str
    known: Array
    """The fact that it tells, in each draw."""
    sizes: tuple[Size, ...]
    results: Callable[[Array, int], Array] | None = None
    """The chance of each result in each bin at a size; None: the result is the fact itself."""
    eligible: tuple[str, ...] = ()
    """Options that the result lets be chosen: untested, or below the bar where they were."""
    fact: str | None = None
    paired: bool = False
    """Whether today's model is judged on the same items, and how much more often the option is wrong is what it tells."""
    most_wrong: Callable[[int], float] = lambda _: np.inf
    """At a size, the most wrong answers with which these still reach the bar."""
    labelled: int = 0
    """Items that have their labels: today's model was judged on them, the option was not."""
    idle: bool = False
    """Whether no option that may be chosen hangs on what it tells."""

    def chances(self, bins: Bins, size: Size) -> Array | None:
        """The chance of each result of this size in each bin, (results, bins); None: the bin itself is known."""
        return None if self.results is None else self.results(bins.centres, size.items or 0)

    def closes(self, bins: Bins, size: Size) -> NDArray[np.bool_]:
        """After which results of this size no `eligible` option may be chosen: too many wrong, or too few items; (results,)."""
        items = size.items or 0
        return (numbers_wrong(bins.centres, items) > self.most_wrong(items) + ROUNDING) | (not size.tests)


def trials_in_bins(
    shared: Shared, central: Mapping[str, Evaluated], drawn: Drawn, candidates: Sequence[str], counts: str
) -> Iterator[tuple[Trial, Bins]]:
    """Everything that could be measured, by option, each with the draws in bins of the fact that it tells.

    No evaluation is among it where nothing that it finds could fail an option; nor a fact that is the same in all draws.
    """
    price = drawn.facts.get(path_of(Shared, "usd_per_error"), shared.usd_per_error)
    fails = can_fail(shared, price, counts)
    binned: dict[tuple[int | str, bool], Bins | None] = {}
    for trial in trials(shared, central, drawn, candidates):
        judged = trial.kind == "evaluate"
        if (judged and not fails) or (trial.paired and counts == "cash"):  # on cash only the bar asks
            continue
        same = (trial.option if trial.paired else id(trial.known)), judged  # of one server, or training, tell the same fact
        if same not in binned:
            edge = bar_edge(trial.known, [trial.known], shared.quality_bar) if judged and not trial.paired else None
            binned[same] = Bins.of(trial.known, edge)
        if (bins := binned[same]) is not None:
            yield trial, bins


def trials(shared: Shared, central: Mapping[str, Evaluated], drawn: Drawn, candidates: Sequence[str]) -> Iterator[Trial]:
    """Everything that could be measured, by option."""
    judged: set[object] = set()
    for id, done in central.items():
        o = done.option
        if not (id in candidates and (answers(o) in judged or np.ptp(drawn.wrong[id]) <= 0)):
            judged.add(answers(o))
            alone = _evaluation(shared, central, drawn, candidates, id)
            yield alone
            if id in candidates and o.evaluated and (beside := _beside_today(alone, drawn, o.with_today)) is not None:
                yield beside
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
    yield from _of_records(shared, drawn, [central[id] for id in candidates])


def _look(
    kind: str, option: str, known: Array, cost_usd: float, months: float, fact: str | None = None, *, idle: bool = False
) -> Trial:
    """A trial of one size that tells a fact exactly."""
    return Trial(kind=kind, option=option, known=known, sizes=(Size(None, cost_usd, months),), fact=fact, idle=idle)


def _of_records(shared: Shared, drawn: Drawn, open_to: Sequence[Evaluated]) -> Iterator[Trial]:
    """What logs, invoices and quotes tell, about all options."""
    hour = float(np.asarray(shared.usd_per_hour))
    told = {f"workload.{name}": ("usage-log", LOG_HOURS, WEEK) for name in LOG_FACTS}
    told[path_of(BillFacts, "volume_share")] = ("invoice", INVOICE_HOURS, 0.0)
    idle = unpaid(drawn.facts, open_to)
    for path, known in drawn.facts.items():
        kind, hours, months = ("quote", QUOTE_HOURS, WEEK) if path.startswith("purchase.") else told.get(path, ("", 0.0, 0.0))
        if kind and not (kind == "usage-log" and path in drawn.measured):
            yield _look(kind, "stay", known, hours * hour, months, path, idle=path in idle)


def unpaid(facts: Iterable[str], options: Iterable[Evaluated]) -> set[str]:
    """Which of the facts are prices of cards on which no cost line of these options rests."""
    paid = {path for done in options for line in done.costs.lines for path in line.facts}
    return {path for path in facts if path.startswith("purchase.")} - paid


def _of_servers(shared: Shared, o: Option, drawn: Drawn) -> Iterator[Trial]:
    """A load test of the option's server, where its speed is uncertain; where that is as sure as tests leave it none tells."""
    if not o.self_hosted or o.plan is None or o.plan.speed not in drawn.facts:
        return
    each = LOAD_TEST_GPU_HOURS * float(np.max(o.plan.gpus_per_replica)) * float(np.max(o.plan.usd_per_gpu_hour))
    day, speed = LOAD_TEST_HOURS * float(np.asarray(shared.usd_per_hour)), drawn.facts[o.plan.speed]
    before = float(np.std(np.log(speed)))
    yield Trial(kind="load-test", option=o.id, known=speed,
                sizes=tuple(Size(runs, runs * each + day, WEEK) for runs in RUNS),
                results=lambda speeds, runs: repeated(speeds, noise_that_leaves(load_test_leaves(runs), before)))


def _evaluation(
    shared: Shared, central: Mapping[str, Evaluated], drawn: Drawn, candidates: Sequence[str], id: str
) -> Trial:
    """Judging the option's answers on more items, and training first what is to be judged where nobody has evaluated it.

    Items of today's model that it was not judged on come first: their labels are neither bought nor make it take longer. They
    are all of these where nobody has judged it.
    """
    o, unproven, today = central[id].option, id not in candidates, central["stay"].option
    labelled = o.labelled if o.evaluated else int(np.max(today.items or 0))
    same = tuple(i for i, e in central.items() if unproven and i not in candidates and answers(e.option) == answers(o))
    trains = o.trains and not o.evaluated
    training = sum(float(np.asarray(x.upfront)) for x in central[id].costs.lines if trains and x.kind is LineKind.TRAINING)
    once, labels, label, months = (float(np.asarray(x)) for x in (
        *judging(shared, o), shared.usd_per_label, shared.evaluation_months))
    held = float(np.max(o.items)) if o.evaluated and o.items is not None else 0.0
    judged = o.evaluated and o.items is None  # on so many that nobody said how many
    wait = float(np.asarray(o.months_to_live)) / 2.0 if trains else 0.0

    def size(items: int) -> Size:
        bought = max(items - labelled, 0)
        takes = months * max(bought / labels, 1.0) if labels > 0 else months
        return Size(items=items, cost_usd=once + bought * label + training, months=max(takes, wait),
                    spared_usd=once + min(items, labels) * label + training,
                    tests=judged or items + held >= shared.min_items, today_usd=once if bought else 0.0)

    sizes = sorted({*ITEMS, *(n for n in (round(labels), labelled) if ITEMS[0] <= n <= ITEMS[-1])})
    found = as_measured(o)
    counted = float(np.asarray(answered_wrong(found, today.error_rate))) if o.evaluated else 0.0
    before = held if not judged else items_behind(drawn.wrong[id])
    return Trial(kind="evaluate", option=id, known=drawn.wrong[id], sizes=tuple(map(size, sizes)), results=binomial,
                 labelled=labelled, eligible=same,
                 most_wrong=lambda items: (1.0 - shared.quality_bar) * (items + before) - counted * before)


def _beside_today(alone: Trial, drawn: Drawn, together: float | None) -> Trial | None:
    """The trial with its items judged for today's model too; None where nothing is open about how often that is wrong.

    Labels are of items, and are paid once; both answer the items that today's model has not.
    """
    today, own = drawn.wrong["stay"], drawn.wrong[alone.option]
    if np.ptp(today) <= 0 or np.ptp(own) <= 0 or np.ptp(own - today) <= ROUNDING:
        return None
    deviation = deviation_beside(today, own, together)
    sizes = tuple(size._replace(cost_usd=size.cost_usd + size.today_usd) for size in alone.sizes)
    return replace(alone, paired=True, known=own - today, sizes=sizes,
                   results=lambda values, items: differences(values, deviation / float(np.sqrt(items))))


def deviation_beside(today: Array, own: Array, together: float | None) -> float:
    """Standard deviation of what one item that both answer tells of how much more often the option is wrong.

    Its square is a (1 - a) + b (1 - b) - 2 r dev a dev b at the means of both rates over the draws, (n,) each; r is the
    correlation on the items that both were judged on: `together`, or where all of these pair, or none, that of both rates.
    """
    each = [float(np.mean(rate)) * (1.0 - float(np.mean(rate))) for rate in (today, own)]
    together = float(np.corrcoef(today, own)[0, 1]) if together is None else together
    variance = sum(each) - 2.0 * together * float(np.sqrt(each[0] * each[1]))
    return float(np.sqrt(max(variance, ROUNDING)))


def answers(o: Option) -> tuple[str, bool]:
    """What one evaluation judges: a system, alone or as the first of a cascade."""
    return o.system, o.kind == "cascade"
