"""What training runs of one's own on a card add to what published runs say of it.

The published interval is the prior. A run of one's own moves its centre and narrows it by how much another configuration on the
same card, with the same software, has in common with it: `in_common`. It cannot widen it unless it contradicts it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from roi.estimate.step.calibration import LONE_BETWEEN, Evidence, Piece, TimedRun
from roi.estimate.step.step_time import StepEfficiency
from roi.numerics.arrays import Array
from roi.numerics.conditional import WIDER, averaged, conditional
from roi.numerics.spreads import TAIL

SHARED: Final = {"card": 0.1, "method": 0.4, "model": 0.25, "plan": 0.2}
"""Share of the variance of log(roofline / measured) that two runs of one source on one card have in common: by being that
(clocks, power, the loop around the step); by the same method, and by the same model besides, where their steps are as long; by
the same plan, whose kernels run again. What is left, 0.05, is a run's own: between boards and days. Repeats of a plan with the
same software lie 1% apart (standard deviation, 4 pairs of peft and 5 rows of torchtune); vintages of it, which one's own are
not, up to 30%. Where one to three rows of a source stand for a profile and predict its others
(profile_left_in; lab/fit_training_intervals.py), the mean error is smallest with 0.1 to 0.2 of `card`, the interval score
(Gneiting and Raftery, 2007; sources by the root of their rows) with 0.3 (3% less than with 0.1), the median of all rows with
none: sources near what is published are not helped by being told so, and those far from it are. No factor on the width is
taken: 90% need 0.93 half widths."""
SIZE_REACH: Final = 0.75
"""log of the ratio of two steps' lengths at which 1/e of that is left: short steps wait for the host."""
SAME: Final = 0.0001
"""log of the ratio of two steps' lengths up to which those of one size are of one plan."""


@dataclass(frozen=True)
class Asked:
    """The configuration whose speed is asked for."""

    method: str
    model: str
    """What tells its model from others (`TimedRun.model`)."""
    theory_s: float
    """The roofline's seconds for one micro-step, its share of the optimizer step included."""
    size: tuple[float, ...] = ()
    """Sequences of a micro-step, tokens of each and GPUs (`TimedRun.size`)."""


def with_own_runs(prior: Evidence, runs: Sequence[TimedRun], asked: Asked) -> Evidence:
    """The evidence for `asked` after `runs` of one's own on its card in its layout, at least one; what each source did.

    Runs of one configuration are one measurement, their mean: what it does not share with the one asked stays, however often it
    is run.
    """
    sources, pieces, found, width = tuple(dict.fromkeys(run.source for run in runs)), [], prior, 0.0
    centre = float(np.log(float(prior.efficiency.overall)))
    half = float(np.log(prior.high / prior.low)) / 2.0
    for number, source in enumerate(sources, start=1):
        known = [run for run in runs if run.source in sources[:number]]
        means = averaged([(run.method, run.model, run.theory_s) for run in known], [run.source for run in known],
                         np.array([run.log_ratio for run in known]) - centre, np.ones(len(known)), 1.0 - sum(SHARED.values()),
                         half)
        each = [known[first] for first in means.firsts]
        after = conditional(half, means.means, in_common(each, each) + means.shared, means.noise,
                            in_common(each, (asked,))[:, 0], means.between)
        low, high = (float(np.exp(centre + after.shift + side)) for side in (-after.half, after.half))
        contradicts, width = after.contradicts or 0.0 < width * WIDER < after.half, after.half
        pieces.append(Piece(source, sum(run.source == source for run in runs), low, high, contradicts))
        found = replace(prior, efficiency=replace(prior.efficiency, overall=float(np.exp(centre + after.shift))), low=low,
                        high=high, level="profile", n=len(known))
    return replace(found, sources=tuple(f"{source} on {runs[0].gpu}" for source in sources), pieces=tuple(pieces),
                   before=(prior.low, prior.high))


def pooled(known: Evidence, rates: Evidence) -> Evidence:
    """The evidence from runs, and an operator sum over a card's `rates` as a second estimate, weighted by precision.

    Their errors count as independent: those of runs are the software's and those of other sizes, those of the sum are of single
    operators. Where they lie further apart than both intervals allow, runs of one's own stand, else the card's own rates.
    """
    both = known, rates
    centres = np.log([float(each.efficiency.overall) for each in both])
    halves = np.log([each.high / each.low for each in both]) / 2.0
    apart = bool(abs(centres[0] - centres[1]) > np.hypot(*halves))
    own = known.level == "profile"
    if apart:
        centre, half = (centres[0], halves[0]) if own else (centres[1], halves[1])
    else:
        precision = halves**-2.0
        centre, half = float(precision @ centres / precision.sum()), float(precision.sum() ** -0.5)
    low, high = float(np.exp(centre - half)), float(np.exp(centre + half))
    piece = Piece(rates.sources[0], rates.n, low, high, apart)
    return replace(known, efficiency=replace(known.efficiency, overall=float(np.exp(centre))), low=low, high=high,
                   level="profile" if own else "device", n=known.n if own else rates.n,
                   sources=(*known.sources, *rates.sources) if own else rates.sources,
                   before=known.before or (known.low, known.high), pieces=(*known.pieces, piece))


def nothing_published(efficiency: StepEfficiency) -> Evidence:
    """The prior where no other source says anything: the efficiency's own scale, as far off as sources lie apart."""
    apart = TAIL * LONE_BETWEEN
    low, high = (float(np.exp(np.log(float(efficiency.overall)) + side)) for side in (-apart, apart))
    return Evidence(efficiency=efficiency, low=low, high=high, level="all", n=0, sources=())


def in_common(runs: Sequence[TimedRun], others: Sequence[TimedRun | Asked]) -> Array:
    """Share of the prior's variance that each run has in common with each other, all on one card in one layout, (n, m)."""
    def same(field: str) -> Array:
        return np.array([[float(getattr(a, field) == getattr(b, field)) for b in others] for a in runs])

    apart = np.abs(np.log(np.array([a.theory_s for a in runs])[:, None] / np.array([b.theory_s for b in others])))
    near: Array = same("method") * np.exp(-apart / SIZE_REACH)
    plan: Array = SHARED["plan"] * (apart <= SAME) * same("size")
    return SHARED["card"] + near * (SHARED["method"] + same("model") * (SHARED["model"] + plan))
