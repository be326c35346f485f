"""Which test would make an option likely that has the highest mean NPV and beats staying too seldom, or that nobody tested.

Worth as `worth.py` has it goes by means alone, from which the chance rules are left out: a test that moves no mean is worth
nothing there, and may decide all the same whether the option is recommended.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from roi.economics.decision.draws import Drawn
from roi.economics.decision.evaluation import Evaluated
from roi.economics.decision.measuring.trials import Size, Trial, trials_in_bins
from roi.economics.decision.measuring.worth import Experiment, Following, Valuer, by_worth, valuer_of
from roi.economics.inputs import Array, Option, Shared
from roi.numerics.main_effects import MainEffects
from roi.numerics.value_of_information import BINS, Bins, one_way

HALVES: Final = ((0, 1), (1, 0))
"""Which half of the draws of a bin decides, and which is counted: what is likely by luck in one is not in the other."""


@dataclass(frozen=True, kw_only=True)
class Settling:
    """The test after which an option may be recommended that has a higher mean NPV than the one that is."""

    option: str
    """Id of the option that may then be recommended."""
    chance: float
    """The option's chance to beat staying today, as a share."""
    chance_needed: float
    """The chance that the option's kind needs, as a share."""
    kind: str
    """evaluate, load-test, trial-run, count-tokens, usage-log, invoice or quote."""
    about: str
    """Id of the option that is tested; stay where the test is about all."""
    fact: str | None
    """Path of the fact that it tells, where that is no fact of an option alone."""
    paired: bool
    """Whether today's model is judged on the same items."""
    items: int | None
    """Labelled items of an evaluation, number of load tests; None where there is no such choice."""
    cost_usd: float
    months: float
    likely_after: float
    """Share of the results after which the option would be recommended: likely, tested, and of the higher mean."""
    net_usd: float
    """What moving to it after these results brings over keeping to the recommendation, and to what follows that, on average
    over all, cost taken off."""


class Asked(NamedTuple):
    """An option that is passed over, its chance to beat staying and the one that it needs."""

    option: str
    chance: float
    chance_needed: float


def settling(
    shared: Shared, options: Mapping[str, Option], central: Mapping[str, Evaluated], drawn: Drawn, candidates: Sequence[str],
    leader: str, counts: str, asked: Sequence[Asked], following: Following | None = None, named: Experiment | None = None,
) -> tuple[Settling, ...]:
    """For each of these options the test that brings most to whom the chance rules bind; none of one that no test pays for.

    The arguments are those of `experiments`; of the test that is `named` already its size alone is asked. A move that is
    `following` the recommendation is carried out meanwhile. After a result the option is likely where its chance to beat
    staying, given that result, is the one that it needs; what is known moves the chance one way (`one_way`). That is decided on
    one half of the draws and counted on the other; a test is left out where the other half, all such results together, does not
    have that chance by one standard error, and where the outcomes without the main effects of other facts do not say so too: of
    both it is the one that brings less.
    """
    valuer = valuer_of(shared, options, central, drawn, candidates, leader, counts, following)
    central = by_worth(central, drawn.saved(counts))
    outcomes, best = valuer.effects.outcomes, dict[str, Settling]()
    wins = MainEffects({each.option: (outcomes[each.option] > 0).astype(float) for each in asked}, drawn.columns)
    for trial, bins in trials_in_bins(shared, central, drawn, (*candidates, "stay"), counts):
        open_to = [each for each in asked if not trial.idle and each.option in (*candidates, *trial.eligible)]
        same = named is not None and (trial.kind, trial.option, trial.fact, trial.paired) == (
            named.kind, named.option, named.fact, named.paired)
        for size in trial.sizes if open_to else ():
            if same and named is not None and size.items != named.items:
                continue
            chances = trial.chances(bins, size)
            for each in open_to:
                often, gain = likely_after(valuer, wins, bins, trial, size, chances, each)
                net = gain - size.cost_usd
                if net > 0 and (each.option not in best or net > best[each.option].net_usd):
                    best[each.option] = Settling(
                        option=each.option, chance=each.chance, chance_needed=each.chance_needed, kind=trial.kind,
                        about=trial.option, fact=trial.fact, paired=trial.paired, items=size.items,
                        cost_usd=size.cost_usd, months=size.months, likely_after=often, net_usd=net)
    return tuple(best[each.option] for each in asked if each.option in best)


def likely_after(
    valuer: Valuer, wins: MainEffects, bins: Bins, trial: Trial, size: Size, chances: Array | None, asked: Asked,
) -> tuple[float, float]:
    """The share of the results after which the option is likely, and what it then brings on average over all, USD.

    `wins` are 1 where the option beats staying, else 0. `chances` are those of each result in each bin, (results, bins); None:
    the bin itself is known.
    """
    ids = (*valuer.candidates, *trial.eligible)
    two = (asked.option, valuer.kept)
    rows = [ids.index(id) for id in two]
    scale, shift = valuer.moving(ids, [size])
    weights = bins.counts.reshape(BINS, 2).sum(axis=1) / bins.counts.sum()
    chances, exact = np.eye(BINS) if chances is None else chances, chances is None
    results = chances * weights
    often_seen = np.maximum(results.sum(axis=1), np.finfo(float).tiny)
    closed = np.zeros(len(results), dtype=bool)
    if asked.option in trial.eligible and not exact and size.items:
        closed = trial.closes(bins, size)

    def found(saved: Array, beats: Array) -> tuple[float, float]:
        means, won_in = bins.means(saved), bins.means(beats)[0]
        more = scale * (means[0] - means[1]) + shift[rows[0]] - shift[rows[1]]
        share = won = gain = 0.0
        for decides, counted in HALVES:
            seen = one_way(won_in[:, decides], bins.counts.reshape(BINS, 2)[:, decides])
            chance, mean, brings = (results @ x / often_seen for x in (seen, means[0][:, decides], more[:, decides]))
            likely = (chance >= asked.chance_needed) & (mean > 0) & (brings > 0) & ~closed
            taken: Array = weights * (chances.T @ likely.astype(float))
            share += float(taken.sum()) / 2
            won += float(taken @ won_in[:, counted]) / 2
            gain += float(taken @ more[:, counted]) / 2
        luck = np.sqrt(asked.chance_needed * (1.0 - asked.chance_needed) / max(share * saved.shape[1], 1.0))
        return (share, gain) if won >= share * (asked.chance_needed + luck) else (0.0, 0.0)

    plain = found(valuer.effects.table(two), wins.table(two[:1]))
    if plain[0] == 0.0:
        return plain
    settled = found(valuer.effects.settled(two, trial.known), wins.settled(two[:1], trial.known))
    return min(plain, settled, key=lambda each: each[1])
