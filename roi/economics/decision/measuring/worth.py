"""What could be measured before the next decision: what each experiment costs, what it is worth, and how much of it to buy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np

from roi.economics.decision.draws import Drawn
from roi.economics.decision.evaluation import Evaluated
from roi.economics.decision.measuring.delays import uneven_losses
from roi.economics.decision.measuring.trials import Size, Trial, answers, trials_in_bins
from roi.economics.inputs import Array, Option, Shared
from roi.numerics.main_effects import MainEffects
from roi.numerics.value_of_information import Bins

ALIKE: Final = 1.0
"""USD by which the same test of another option must bring more to be named in its place."""
NEXT: Final = "next"
"""Stands among the options for two moves, one after the other."""
TIME_API: Final = "time-api"
"""The kind of the experiment that times an API (`turning.api_timing`)."""


class Point(NamedTuple):
    """One size of an experiment."""

    items: int | None
    """Labelled items of an evaluation, or load tests."""
    worth_usd: float
    """What so many are worth after the recommendation, USD."""
    net_usd: float
    """worth_usd less the cost of so many."""
    first_net_usd: float
    """What so many are worth before anything is changed, less their cost, USD."""


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """One thing that could be measured before the next decision.

    Its figures are those of the size with the highest net value, before the recommendation or after it.
    """

    kind: str
    """evaluate, load-test, trial-run, count-tokens, usage-log, invoice, quote or time-api."""
    option: str
    """Id of the option that it is about; stay where it is about all."""
    fact: str | None = None
    """Path of the fact that it tells, where that is no fact of the option alone."""
    paired: bool = False
    """Whether today's model is judged on the same items: what is learnt is how much more often the option is wrong."""
    cost_usd: float
    months: float
    worth_usd: float
    """What its result is worth on average once the recommendation is carried out: a second move pays its own set-up."""
    net_usd: float
    """worth_usd less the cost of the experiment, USD."""
    first_net_usd: float
    """What it is worth before anything is changed, when all that follows starts later, less its cost."""
    delay_saves_usd: float = 0.0
    """What going live by its months later brings the recommendation by itself, as while a commitment is owed; 0 where that
    costs. In none of its worths, since no result brings it."""
    later_saves_usd: float = 0.0
    """What moving to its option by its months later saves more than at once, at the central values, as while today's vendor
    pays a credit; 0 where that costs. A result may then be worth having that does not tell to move at once."""
    evppi_usd: float
    """What knowing the fact exactly would be worth after the recommendation: the most that any study of it is."""
    error_usd: float
    """Monte Carlo standard error of the higher net value."""
    items: int | None = None
    """Labelled items of an evaluation, number of load tests; None where there is no such choice."""
    labelled: int = 0
    """How many of `items` have their labels: today's model was judged on them, the option was not."""
    curve: tuple[Point, ...] = ()
    """Worth and net values by size; empty where there is no such choice."""
    stop: tuple[int, int] | None = None
    """From the smallest to the largest size whose net value is within `error_usd` of the best: stop somewhere between."""
    pays_between_chances: tuple[float, float] | None = None
    """Of time-api the chances of a miss, as shares, between which it is the best that can be done (`turning.api_timing`), None
    = at none, or of another kind. Nobody knows that chance: `first_net_usd` is its net value at even odds."""
    lost_if_missed_usd: float | None = None
    """Of time-api what moving to the API is in vain where it misses: set-up beyond staying's, and the way back, USD."""


class Following(NamedTuple):
    """A move that follows another, as far as it bears on what is worth measuring."""

    option: str
    after: str
    """The option that it follows."""
    gained: Array
    """What it adds to that in each draw, its set-up paid, USD; where that misses the bar, what it saves alone, if it does."""
    upfront_usd: float
    """Set-up of the option at the central values, USD."""

    def both(self, saved: Mapping[str, Array]) -> Array:
        """What both moves save against staying in each draw, USD, where `saved` is what each option saves alone."""
        return saved[self.after] + self.gained


def with_next(
    saved: Mapping[str, Array], candidates: Sequence[str], following: Following | None
) -> tuple[Mapping[str, Array], Sequence[str]]:
    """What each option saves, and what may be chosen, with both moves as one more of both."""
    if following is None:
        return saved, candidates
    return {**saved, NEXT: following.both(saved)}, (*candidates, NEXT)


def experiments(
    shared: Shared, options: Mapping[str, Option], central: Mapping[str, Evaluated], drawn: Drawn, candidates: Sequence[str],
    leader: str, counts: str, following: Following | None = None,
) -> tuple[Experiment, ...]:
    """What could be measured about the options, the highest net value after the recommendation first.

    `shared`, `options` and `central` hold the central values, `central` of feasible options and of those that only their score,
    which may be luck, holds below the bar: those are evaluated again, and nothing else is measured about them. `counts` says
    whether wrong answers count (errors) or not (cash). Where a move is `following` the recommendation, both together are one
    more thing to choose. Of each kind of measuring and system that is judged, or fact that is told, the option that saves most
    stands, then the first by its id, unless the test of another brings more. No evaluation is among them where nothing that it
    finds could fail an option.
    """
    central = by_worth(central, drawn.saved(counts))
    valuer = valuer_of(shared, options, central, drawn, candidates, leader, counts, following)
    best: dict[tuple[str, object], Experiment] = {}
    for trial, bins in trials_in_bins(shared, central, drawn, (*candidates, "stay"), counts):
        told = answers(central[trial.option].option) if trial.kind == "evaluate" else id(trial.known)
        e, key = valuer.value(trial, bins), (trial.kind, told)
        if key not in best or e.net_usd > best[key].net_usd + ALIKE:
            best[key] = e
    return tuple(sorted(best.values(), key=lambda e: -_whole(e.net_usd)))


def by_worth(central: Mapping[str, Evaluated], saved: Mapping[str, Array]) -> dict[str, Evaluated]:
    """The options, the one that saves most first, then by their ids."""
    return {id: central[id] for id in sorted(central, key=lambda id: (-_whole(float(saved[id].mean())), id))}


def valuer_of(
    shared: Shared, options: Mapping[str, Option], central: Mapping[str, Evaluated], drawn: Drawn, candidates: Sequence[str],
    leader: str, counts: str, following: Following | None = None,
) -> "Valuer":
    """What the trials of these options are valued against."""
    upfront = {id: float(np.asarray(done.total.upfront)) for id, done in central.items()}
    upfront = {id: usd - upfront["stay"] for id, usd in upfront.items()}
    uneven = uneven_losses(shared, options, central, upfront, counts)
    if following is not None:
        upfront[NEXT] = upfront[leader] + following.upfront_usd
        uneven[NEXT] = uneven[following.after]  # what the second move adds, in even shares
    saved, candidates = with_next(drawn.saved(counts), candidates, following)
    stay = float(np.asarray(central["stay"].counted(counts)))
    npv = {id: stay - float(np.asarray(done.counted(counts))) for id, done in central.items()}
    return Valuer(shared, upfront, MainEffects(saved, drawn.columns), candidates, leader, uneven, npv)


def _whole(usd: float) -> float:
    """The USD without what is rounding of sums, which decides no order."""
    return round(usd, 6)


@dataclass(frozen=True)
class Valuer:
    """What every trial is valued against: the outcomes of all options, and the recommendation `leader`."""

    shared: Shared
    upfront: Mapping[str, float]
    """Set-up of each option beyond that of staying, USD."""
    effects: MainEffects
    """Outcomes of all options in each draw, USD, and the main effects of facts on them."""
    candidates: Sequence[str]
    leader: str
    uneven: Mapping[str, Array] = field(default_factory=dict)
    """What waiting so many whole months costs an option beyond an even share (`uneven_losses`), USD; none where not given."""
    central_npv: Mapping[str, float] = field(default_factory=dict)
    """What each option saves at the central values, of which the even shares are, USD."""

    def value(self, trial: Trial, bins: Bins) -> Experiment:
        """The experiment at the size with the highest net value after the recommendation, and before it.

        Where the outcomes without the main effects of other facts tell it more sharply, it is the smaller of what these say and
        of what is said as they are.
        """
        ids = (*self.candidates, *trial.eligible)
        table = self.effects.table(ids)
        if trial.idle:  # what scatters between the bins is the doing of other facts
            table[:] = table.mean(axis=1, keepdims=True)
        plain = self._valued(trial, bins, ids, table)
        if 0.0 in (plain.worth_usd, plain.error_usd):  # the smaller of two is no less, and nothing is sharper
            return plain
        settled = self._valued(trial, bins, ids, self.effects.settled(ids, trial.known))
        return min(plain, settled, key=lambda e: e.worth_usd) if settled.error_usd < plain.error_usd else plain

    def _valued(self, trial: Trial, bins: Bins, ids: Sequence[str], table: Array) -> Experiment:
        """What the trial is worth, in all and at each size, by the outcomes in `table`, shape (ids, n)."""
        moves = self._moves(ids, trial.sizes)
        after, first, *carried_out = (_rising(trial.sizes, worths) for worths in self._worths(trial, bins, table, moves))
        after = [max(worths) for worths in zip(after, *carried_out, strict=True)]
        points = [Point(size.items, worth, worth - size.cost_usd, before - size.cost_usd)
                  for size, (worth, _), (before, _) in zip(trial.sizes, after, first, strict=True)]
        nets, first_nets = [p.net_usd for p in points], [p.first_net_usd for p in points]
        wait = self._waiting(moves, int(np.argmax(first_nets)))
        before = self.leader != "stay" and max(first_nets) + wait > max(nets)
        staged = first_nets if before else nets
        best = int(np.argmax(staged))
        chosen, error = trial.sizes[best], (first if before else after)[best][1]
        worths, spared = [worth for worth, _ in after], 0.0 if trial.option in self.candidates else chosen.spared_usd
        return Experiment(
            kind=trial.kind, option=trial.option, fact=trial.fact, paired=trial.paired,
            cost_usd=chosen.cost_usd, months=chosen.months, worth_usd=worths[best], net_usd=nets[best],
            first_net_usd=first_nets[best],
            evppi_usd=max(self._exact(bins, table, moves, best), *worths, 0.0), error_usd=error, items=chosen.items,
            labelled=min(trial.labelled, chosen.items or 0), delay_saves_usd=self._waiting(moves, best),
            later_saves_usd=self._later(moves, best, ids, trial.option, spared) if trial.option in ids else 0.0,
            curve=tuple(points) if len(points) > 1 else (), stop=_stop(trial.sizes, staged, best, error),
        )

    def _worths(self, trial: Trial, bins: Bins, table: Array, moves: "_Moves") -> tuple[list[tuple[float, float]], ...]:
        """Worth of each size and its standard error, in each of the states of `_Moves`."""
        own = len(self.candidates)
        averages = table.mean(axis=1) if len(table) > own else self._averages
        shown = moves.of(bins.means(table))
        best = shown.argmax(axis=2)
        alike = (best == best[..., :1, :1]).all(axis=(2, 3))  # it is best in every cell, and so for every result
        found = np.zeros((len(shown), len(trial.sizes), 2))
        asked: list[tuple[tuple[int, int], Array, Array]] = []
        for s, size in enumerate(trial.sizes):
            scale, shift = moves.scale[s], moves.shift[:, s]
            instead = self._instead(averages, moves, s)
            open_to = [m for m, (row, _, _) in enumerate(instead) if not (alike[m, s] and best[m, s, 0, 0] == row)]
            if not open_to:
                continue
            chances = trial.chances(bins, size)
            barred = None
            if trial.eligible and chances is not None and size.items:
                barred = (np.arange(len(table)) >= own)[:, None] & trial.closes(bins, size)
            policies = bins.policies(shown[open_to, s], chances, barred)
            for m, often in zip(open_to, policies, strict=True):
                _, weights, usd = instead[m]
                added = np.tensordot(shift[m], often, axes=1) - usd
                asked.append(((m, s), scale * often - weights[:, None, None], added))
        if asked:
            means, errors = bins.gains(table, np.stack([w for _, w, _ in asked]), np.stack([x for _, _, x in asked]))
            for (at, _, _), mean, error in zip(asked, means, errors, strict=True):
                found[at] = mean, error
        return tuple([(float(worth), float(error)) for worth, error in each] for each in found)

    def _exact(self, bins: Bins, table: Array, moves: "_Moves", s: int) -> float:
        """What knowing the fact itself is worth after the recommendation, at the cost and delay of this size."""
        shown, found = moves.of(bins.means(table)), [0.0]
        for m, (row, weights, usd) in enumerate(self._instead(table.mean(axis=1), moves, s)):
            if m == 1 or np.all(shown[m, s].argmax(axis=0) == row):
                continue
            often = bins.policies(shown[m, s], None)
            added = np.tensordot(moves.shift[m, s], often, axes=1) - usd
            found.append(float(bins.gains(table, moves.scale[s] * often - weights[:, None, None], added)[0]))
        return max(found)

    def _instead(self, averages: Array, moves: "_Moves", s: int) -> list["_Instead"]:
        """What is best without the experiment in each state. Before the recommendation it is done at once, or as late.

        For where staying is not allowed, waiting alone may save, which no result brings. What follows the recommendation, which
        would wait for a result, is done at once: what the leader brings meanwhile is not left out.
        """
        found, whole = list[_Instead](), np.eye(len(averages))
        for m, shift in enumerate(moves.shift[:, s]):
            ways = [_Instead(row, moves.scale[s] * whole[row], float(shift[row])) for row in range(len(self.candidates))]
            if m == 1:
                ways += [_Instead(row, whole[row], 0.0) for row in range(len(self.candidates))]
            elif m == 0 and NEXT in self.candidates:
                row, led = self.candidates.index(NEXT), self.candidates.index(self.leader)
                ways[row] = _Instead(row, whole[row] - (1.0 - moves.scale[s]) * whole[led], 0.0)
            found.append(max(ways, key=lambda way: float(way.weights @ averages) + way.usd))
        return found

    def _waiting(self, moves: "_Moves", s: int) -> float:
        """What the recommendation brings more by going live later by this size; 0 where less, or if staying is not allowed."""
        if self.leader == "stay" or not self.shared.may_stay:
            return 0.0
        return self._later(moves, s, self.candidates, self.leader, 0.0)

    def _later(self, moves: "_Moves", s: int, ids: Sequence[str], id: str, spared: float) -> float:
        """What the option brings more by going live later by this size, of which `spared` is paid; 0 where less."""
        row = list(ids).index(id)
        now = self.central_npv[id] if id in self.central_npv else float(self._averages[row])
        return max(_whole(float(moves.scale[s] * now + moves.shift[1, s, row]) - now - spared), 0.0)

    def moving(self, ids: Sequence[str], sizes: Sequence[Size]) -> tuple[float, Array]:
        """What moving to each of these brings once the recommendation is carried out, of one size: scale x outcome + shift.

        And what follows it, if anything does.
        """
        moves = self._moves(ids, sizes)
        return float(moves.scale[0]), moves.shift[2 if NEXT in ids else 0, 0]

    @property
    def kept(self) -> str:
        """What is in use then: what follows the recommendation after it, else that."""
        return NEXT if NEXT in self.candidates else self.leader

    @cached_property
    def _own(self) -> Array:
        """Outcomes of the options that may be recommended, (options, n)."""
        return self.effects.table(self.candidates)

    @cached_property
    def _averages(self) -> Array:
        return np.asarray(self._own.mean(axis=1))

    def _moves(self, ids: Sequence[str], sizes: Sequence[Size]) -> "_Moves":
        """What moving to each option brings in each state.

        With o an option's outcome (NPV of moving at once), u its set-up, p what the experiment has paid of that, L the share of
        the horizon until the result is there and k what these months cost it beyond that even share, moving then brings
        o + p - (o + u) L - k: o + u is what is saved without the set-up, whoever paid that. Where the leader runs meanwhile,
        moving on brings o + p - u' - ((o + u) - (o' + u')) L - (k - k'), of which o' L is left out: it is the same for all
        options. Moving back to staying costs the way back, and keeping the leader nothing. What follows the leader waits for
        the result, or it runs meanwhile as the leader does.
        """
        upfront = np.array([self.upfront[id] for id in ids])
        spared = np.array([[0.0 if id in self.candidates else size.spared_usd for id in ids] for size in sizes])
        lost = np.array([min(size.months / self.shared.horizon, 1.0) for size in sizes])[:, None]
        beyond = np.stack([self._beyond(id, lost[:, 0]) for id in ids], axis=1)

        def meanwhile(running: str) -> Array:
            led, back = ids.index(running), float(np.asarray(self.shared.migration_hours * self.shared.usd_per_hour))
            later = spared - upfront[led] - (upfront - upfront[led]) * lost
            later -= beyond - beyond[:, [led]]
            if "stay" in ids:
                later[:, ids.index("stay")] -= back
            later[:, led] = 0.0
            if NEXT in ids and running != NEXT:
                later[:, ids.index(NEXT)] += upfront[led]
            return np.asarray(later)

        delayed = spared - upfront * lost - beyond
        running = [each for each in (self.leader, NEXT) if each in ids and each != "stay"]
        first, *others = [meanwhile(each) for each in running] or [delayed]
        return _Moves(1.0 - lost[:, 0], np.stack([first, delayed, *others]))

    def _beyond(self, id: str, lost: Array) -> Array:
        """What going live these shares of the horizon later costs the option beyond an even share, USD; (sizes,)."""
        if id not in self.uneven:
            return np.zeros_like(lost)
        return np.interp(lost * self.shared.horizon, np.arange(self.shared.horizon + 1.0), self.uneven[id])


class _Instead(NamedTuple):
    """What one would do without an experiment: weights x outcomes + usd."""

    row: int
    weights: Array
    """Weight of each option's outcome, shape (options,)."""
    usd: float


class _Moves(NamedTuple):
    """What moving to an option brings at each size of an experiment: scale x its outcome + shift."""

    scale: Array
    """Factor on the outcome at each size of the experiment, shape (sizes,)."""
    shift: Array
    """(states, sizes, options): after the recommendation, before it, and where a move follows, after that too."""

    def of(self, means: Array) -> Array:
        """What moving brings for mean outcomes (options, bins, halves), of shape (states, sizes, options, bins, halves)."""
        return self.scale[:, None, None, None] * means + self.shift[..., None, None]


def _rising(sizes: Sequence[Size], worths: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Worth and error of each size, no lower than that of a smaller one that takes as long.

    Whoever has n answers may judge by the first m of them. It matters where a score must reach a bar: answers are whole, so
    that of 50 one more may be needed, in share, than of 35.
    """
    found: list[tuple[float, float]] = []
    for k, (size, worth) in enumerate(zip(sizes, worths, strict=True)):
        same = k > 0 and size.months == sizes[k - 1].months and size.tests == sizes[k - 1].tests
        found.append(max(worth, found[-1]) if same else worth)
    return found


def _stop(sizes: Sequence[Size], nets: Sequence[float], best: int, error: float) -> tuple[int, int] | None:
    """The sizes around the best one whose net value lies within the Monte Carlo error of its own; None where none pays."""
    if nets[best] <= 0 or len(sizes) < 2:
        return None
    low = high = best
    while low > 0 and nets[low - 1] >= nets[best] - error:
        low -= 1
    while high < len(sizes) - 1 and nets[high + 1] >= nets[best] - error:
        high += 1
    return sizes[low].items or 0, sizes[high].items or 0
