"""What measurements of one's own servers add to the published speed of an engine on a card: profiles and rows of tables alike.

Each is a plan's measured over its published speed. The published interval of the plan that is asked for is the prior; a
measurement of the same plan, model or card moves and narrows it by what they have in common, and cannot widen it unless it
contradicts it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from roi.catalog.efficiencies.serving_efficiencies import load_serving_efficiencies
from roi.estimate.step.calibration import Piece, steps_told
from roi.numerics.conditional import FREEDOM, WIDER, averaged, conditional
from roi.numerics.spreads import student

OF_LOAD: Final = 0.11
"""Scale of log(measured / published speed) over loads of one plan on one server.

Steps of one request and of a hundred wait for different things, of which a fit of other servers has no two quite right; where
more is published of a card they lie no closer. 3,076 loads of 170 plans deviate by 0.11 from their plan's mean (pooled; 0.07 to
0.14 by source; 0.11, 0.16, 0.09 and 0.12 where half the published interval is below 0.42, 0.5, 0.7 and above), their publisher
left out of all fits. Where it was a share of the published interval, one row of a model left 85% of its others inside, 81%
where that is below 2.3 from end to end; now it leaves 91 and 90%, and two, three and six rows 93, 92 and 93%
(lab/serving_left_in.py).
"""
SHARED: Final = {"card": 0.4, "model": 0.45, "plan": 0.15}
"""Share of the variance of log(measured / published speed), without that of a load (OF_LOAD) and that of a new source, that two
loads on one card and engine have in common: by being that (the board); by the same model; by its same format and GPUs. Where
one load, or four of a plan, stand for a profile and predict others of the source on its card, their publisher left out of all
fits (lab/serving_left_in.py), neighbours score within 1.5%, and 94% of 9,557 loads lie inside (docs/accuracy.md), so that no
factor is taken. What a new source adds (its software and options: `new_source` of the catalog), all of one's own loads
share."""
_Plan = tuple[str, tuple[float, str] | None]
"""A model, GPUs and weight format."""
NOBODY_SAYS: Final = (0.0, "")
"""The plan that is asked for where nobody says which: that of no measurement."""
MOST: Final = 200
"""Plans that are weighed at most; of more, every so-many-th is taken."""


@dataclass(frozen=True)
class PlanSpeed:
    """One measured plan over what is published for it."""

    source: str
    """Name of the profile or the table."""
    model: str
    """Name in the catalog."""
    plan: tuple[float, str] | None
    """GPUs and weight format; None where nobody says."""
    log_speed: float
    half: float
    """Half of the 90% interval of what is published for it, in logarithms."""
    loads: int = 1
    """Loads that it is the mean of."""


@dataclass(frozen=True)
class SpeedPiece(Piece):
    """What one source of loads did to the speed over the published one, those before it included."""

    says: float
    """Mean of what it measured over what is published; of the plan that is asked for, where it has that."""


class OwnSpeed(NamedTuple):
    """The speed of a plan over the published one, after one's own measurements."""

    centre: float
    half: float
    """Half of its 90% interval, in logarithms."""
    before: tuple[float, float]
    """Ends of the 90% interval without the measurements."""
    pieces: tuple[SpeedPiece, ...]
    as_many: bool = False
    """True where a measured plan has as many GPUs as the one that is asked for, and so its links: what they add is in it."""
    of_model: bool = False
    """True where a measured plan is of the model that is asked for, and so has its attention."""

    @property
    def told(self) -> str:
        """What each source did to the interval, in words."""
        return steps_told("speed over published", self.before, self.pieces) + (f"; {self.apart}" if self.apart else "")

    @property
    def apart(self) -> str:
        """The lowest and the highest of what sources say, in words, where one widened what those before it left; else empty."""
        if not any(one.high / one.low < other.high / other.low for one, other in pairwise(self.pieces)):
            return ""
        low, high = (of(self.pieces, key=lambda piece: piece.says) for of in (min, max))
        return f"by itself {low.source} says {low.says:.2f}, {high.source} {high.says:.2f}"


def half_of(ends: tuple[float, float]) -> float:
    """Half of the interval, in logarithms: ends that are a factor exp(2 x) apart give x."""
    return float(np.log(ends[1] / ends[0])) / 2.0


def own_speed(
    published: tuple[float, float], measured: Sequence[PlanSpeed], model: str, plan: tuple[float, str] | None,
) -> OwnSpeed:
    """The speed of a plan of `model` with the `published` ends, after measurements (at least one) on its card and engine.

    Loads of one plan, of whatever source, are one measurement, their mean: repeats say nothing of other plans. Sources that
    differ on it have a variance of their own (`averaged`), which more loads do not take away. Of two sources of one plan, each
    on a card of its own for want of others, 816 rows of 13 pairs lie 95% inside (93% without it), and of those whose sources
    are more than 40% apart 65% of 26 (31%); without the FREEDOM of `averaged` ends are 1.73 apart, not 1.61, and the interval
    score is 7% worse (lab/serving_left_in.py).
    """
    half, pieces, centre, width = half_of(published), [], 0.0, 0.0
    new = min(float(np.log(load_serving_efficiencies().new_source)) / half, 1.0) ** 2
    own = min(OF_LOAD * student(FREEDOM) / half, 1.0) ** 2
    sources = tuple(dict.fromkeys(one.source for one in measured))
    for number, source in enumerate(sources, start=1):
        known = [one for one in measured if one.source in sources[:number]]
        every = [(one.model, one.plan) for one in known]
        # each in widths of its own published interval, which is narrower where more is published
        means = averaged(every, [one.source for one in known], np.array([one.log_speed / one.half * half for one in known]),
                         np.array([float(one.loads) for one in known]), own, half)
        step = -(-len(means.firsts) // MOST)
        plans = [every[first] for first in means.firsts[::step]]
        among, asked = ((1.0 - own) * (new + (1.0 - new) * _in_common(plans, to))
                        for to in (plans, [(model, plan or NOBODY_SAYS)]))
        after = conditional(half, means.means[::step], among + means.shared[::step, ::step], means.noise[::step], asked[:, 0],
                            means.between)
        contradicts, centre, width = after.contradicts or 0.0 < width * WIDER < after.half, after.shift, after.half
        mine = [one for one in known if one.source == source]
        alike = [one for one in mine if (one.model, one.plan) == (model, plan)] or mine
        says = np.average([one.log_speed for one in alike], weights=[one.loads for one in alike])
        pieces.append(SpeedPiece(source, len(mine), float(np.exp(centre - width)), float(np.exp(centre + width)), contradicts,
                                 float(np.exp(says))))
    as_many = any(one.plan is not None and plan is not None and one.plan[0] == plan[0] for one in measured)
    return OwnSpeed(float(np.exp(centre)), width, published, tuple(pieces), as_many,
                    any(one.model == model for one in measured))


def _in_common(some: Sequence[_Plan], others: Sequence[_Plan]) -> NDArray[np.float64]:
    """Share of the variance, without a new source's, that loads of two plans on one card and engine have in common, (n, m)."""
    numbers = {plan: number for number, plan in enumerate(dict.fromkeys((*some, *others)))}
    models = {model: number for number, model in enumerate(dict.fromkeys(model for model, _ in numbers))}
    def same(of: Sequence[int], to: Sequence[int]) -> NDArray[np.bool_]:
        equal: NDArray[np.bool_] = np.equal.outer(np.array(of), np.array(to))
        return equal

    model = same([models[name] for name, _ in some], [models[name] for name, _ in others])
    plan = same([numbers[each] for each in some], [numbers[each] for each in others])
    shared: NDArray[np.float64] = SHARED["card"] + SHARED["model"] * model + SHARED["plan"] * plan
    return shared
