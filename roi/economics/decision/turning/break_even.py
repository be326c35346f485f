"""From how many requests a day an option wins, each fleet sized at its own peak along the curve.

The costs at two volumes bound what lies between them, and only where the bounds leave open who is cheaper are more volumes
tried: both sides of each step of a fleet, and where the line between two volumes crosses zero.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from roi.economics.decision.turning.curves import LEAST, MOST, POINTS, SIDE, TIE, UNSERVED, Curves, ascending
from roi.economics.inputs import Array

BASES, COUNTS = ("run_rate", "pv"), ("errors", "cash")
LAST_DOUBLING = np.array([MOST / 2.0, MOST])
"""Requests a day at the far end of the curve, where only what a further request costs is left."""
NOTHING = 1e-6
"""Share of the savings at the far end of the curve by which they must still grow to be more than rounding."""
UNSEEN = 1e-4
"""Share of a volume: between two so near to each other that say the same, nobody looks again."""
ROUNDS, NEAREST = 14, 64
"""Rounds of new volumes, and as many of the change alone; stretches that a question may get in one."""
OWNED = "more cards are needed than are owned"
"""Why an option wins up to a volume."""
UNSTATED = "what today's servers cost at another volume is not stated (costs.N.usd_per_request)"
"""Why no volume is told."""
NO_DIFFERENCE = "costs the same at every volume"
"""Why no volume is told of an option that beats nothing and is beaten by nothing."""
RUNS_ALIKE = "costs the same to run at every volume"
"""Why no volume helps an option whose set-up nothing pays for."""
END = MOST / (MOST / LEAST) ** (1.0 / (POINTS - 1))
"""Requests a day, the last but one of the volumes to begin with: what holds from further on alone is not for good."""
NOT_SEEN = f"not for good up to {MOST:,.0f} requests a day, where the search ends"
"""Why no volume is told from which an option wins for good that wins at the end of the curve."""
HALF_A_CENT = 0.005
"""USD by which costs that print alike may differ."""
ON_LINE = 4.0
"""Times what is rounding by which a volume may lie off the line through its neighbours and be on it."""


@dataclass(frozen=True)
class BreakEven:
    """One crossing. `first` is where the option first wins, `stays` where it wins from there on; None = no such volume.

    `stays` is None too, and `reason` NOT_SEEN, where it wins at the end of the curve but has done so for less than a sixteenth
    of a decade: a saw may go on.
    """

    option: str
    baseline: str
    """stay, best_untrained or recommended."""
    basis: str
    """run_rate (mean month in which both serve alone, set-up left out) or pv (everything over the horizon)."""
    first: float | None
    stays: float | None
    reason: str
    until: float | None = None
    """The largest volume at which it wins; None where it wins at the end of the curve, or at no volume."""
    counts: str = "errors"
    """errors (wrong answers cost what the scenario says) or cash (they are left out)."""


class Ask(NamedTuple):
    """A question: from a volume upwards or downwards, where does it change whether the option costs no more?"""

    basis: str
    """pv or run_rate."""
    counts: str
    """errors or cash."""
    start: float
    up: bool


class Turn(NamedTuple):
    """The answer: whether the option costs no more at the start, and the two volumes between which that changes."""

    wins: bool
    """True where the option costs no more at the start of the volumes looked at."""
    before: float | None
    """The last volume where it is as at the start; None where it never changes."""
    after: float | None
    gain: Array
    """Savings along the curve, USD, shape (n,), at `volumes`."""
    volumes: Array
    same: bool
    """Whether the savings are rounding, or less than half a cent, at all of them."""


def baselines(id: str, untrained: Sequence[str], recommended: str = "stay") -> dict[str, list[str]]:
    """What an option is told against, and the rivals, of which the cheapest counts at each volume.

    Staying, the `untrained` (itself left out), and `recommended`, which is left out where it is staying, or the option itself.
    `untrained` are the options that train nothing and that somebody evaluated; staying is one of them anyhow.
    """
    found = {"stay": ["stay"], "best_untrained": ["stay", *(u for u in untrained if u not in {id, "stay"})]}
    return found if recommended in {"stay", id} else {**found, "recommended": [recommended]}


def crossings(
    curves: Curves, id: str, baseline: str, rivals: Sequence[str], counts: Sequence[str] = COUNTS
) -> Iterator[BreakEven]:
    """Break-evens of one option against one baseline: by running cost, over the horizon, with wrong answers and without."""
    views = list(product(counts, BASES))
    asks = {v: [Ask(v[1], v[0], start, up) for start, up in ((LEAST, True), (MOST, False))] for v in views}
    answers = turns(curves, id, rivals, [ask for pair in asks.values() for ask in pair])
    for counted, basis in views:
        up, down = (answers[ask] for ask in asks[counted, basis])
        first, stays = _ends(up, down)
        differ = any(curves.differ(id, rival) for rival in rivals)
        if differ or (up.same and down.same):
            told = UNSTATED if differ else NO_DIFFERENCE
            yield BreakEven(option=id, baseline=baseline, basis=basis, first=None, stays=None, reason=told, counts=counted)
            continue
        running = answers[asks[counted, "run_rate"][1]]
        yield BreakEven(
            option=id, baseline=baseline, basis=basis, first=first, stays=stays, counts=counted,
            until=None if down.wins else down.after,
            reason=_reason(curves, id, rivals, basis, up, down, first, stays, running),
        )


def _ends(up: Turn, down: Turn) -> tuple[float | None, float | None]:
    """(first, stays) from what is found upwards from the least volume, and downwards from the most."""
    first = 0.0 if up.wins else up.after
    if not down.wins:
        return first, None
    stays = max(down.before or 0.0, first or 0.0)
    return first, stays if stays <= END else None


def _reason(
    curves: Curves, id: str, rivals: Sequence[str], basis: str, up: Turn, down: Turn, first: float | None,
    stays: float | None, running: Turn,
) -> str:
    if first is None:
        return why_never(curves, id, rivals, basis, up, running)
    if stays is None and down.wins:
        return NOT_SEEN
    if stays is None:
        return f"wins only in between: at large volume {OWNED if _unserved(down, down.before) else 'the baseline is cheaper'}"
    if stays == 0.0:
        return "cheaper at every volume"
    return "one crossing" if first == stays else "a saw: a new replica costs before it is used"


def why_never(curves: Curves, id: str, rivals: Sequence[str], basis: str, turn: Turn, running: Turn) -> str:
    """Why no volume helps: at the far end of the curve only what a further request costs is left.

    `running` is what is found of the cost of running, from the most volume downwards. Of what is not live before the horizon
    ends nothing is known of how it runs. Where a further request saves something as soon as wrong answers cost nothing, they
    are what costs; a hybrid's floor is then as large as that makes it.
    """
    option, horizon = curves.options[id], curves.shared.horizon
    if basis == "pv" and float(np.max(option.months_kept)) >= horizon:
        return f"{horizon} {'month is' if horizon == 1 else 'months are'} over before it serves alone"
    if basis == "pv" and (running.wins or running.same):
        runs_from = running.before or 0.0
        about = f"{float(f'{runs_from:.3g}'):,.0f} a day on{', as far as the search goes' * (runs_from > END)}"
        return RUNS_ALIKE if running.same else f"cheaper to run from {about}, but what is paid until live is not earned back"
    if _unserved(turn):
        return "as far as the cards that are owned go, the baseline is cheaper"
    if _grows(turn.gain[turn.volumes.searchsorted(LAST_DOUBLING[0])], turn.gain[-1]):
        what = "set-up" if basis == "pv" else "what it costs to run at all is"
        return f"{what} not earned back below {MOST:.0e} requests a day"
    if np.any(np.asarray(curves.shared.usd_per_error) > 0):
        free, rows = curves.without_errors, _rows(curves, id, rivals)
        mine = free.few(id, LAST_DOUBLING)
        theirs = np.stack([free.few(rival, LAST_DOUBLING)[of] for rival, of in zip(rivals, rows, strict=True)])
        if _grows(*_gain(np.stack([mine[of] for of in rows]), theirs)[rows_of(basis, "cash")]):
            return "its wrong answers cost more than a further request saves"
    own = "marginal GPU cost exceeds the API price"
    return own if option.self_hosted else "a further request costs more than at the baseline"


def _grows(half: float, most: float) -> bool:
    """True where savings at the end of the curve are more than those at half of its volume."""
    return bool(most - half > NOTHING * abs(most))


def _unserved(turn: Turn, volume: float | None = MOST) -> bool:
    """True where the volume, the far end of the curve if none is named, is more than the option can serve."""
    at = min(int(turn.volumes.searchsorted(volume or MOST)), len(turn.gain) - 1)
    return bool(turn.gain[at] == -UNSERVED)


def rows_of(basis: str, counts: str) -> int:
    """Where a measure stands among the four of a pair of options."""
    return 2 * (basis == "run_rate") + (counts == "cash")


@dataclass(frozen=True)
class _Gains:
    """Savings against the cheapest of some rivals at volumes, shape (4, n), and their bounds between these, (4, n - 1)."""

    wins: NDArray[np.bool_]
    gain: Array
    most: Array
    least: Array
    rounding: Array
    """USD of the savings that are rounding, (4, n)."""
    straight: NDArray[np.bool_]
    """Between two volumes, whether a third beside them lies on the line through both, (4, n - 1)."""


def _gains(curves: Curves, id: str, rivals: Sequence[str], volumes: Array) -> _Gains:
    """Savings of `id`: against each rival over the months in which both serve alone.

    A cost is slope x volume + a part that never falls, so that its ends bound it between two volumes.
    """
    pairs = [(curves.of(rival), rows) for rival, rows in zip(rivals, _rows(curves, id, rivals), strict=True)]
    mine, own = curves.of(id), curves.of(id).at(volumes)
    a, b = np.stack([own[rows] for _, rows in pairs]), np.stack([c.at(volumes)[rows] for c, rows in pairs])  # (rivals, 4, n)
    sa, sb = np.stack([mine.slope[rows] for _, rows in pairs]), np.stack([c.slope[rows] for c, rows in pairs])
    rest_a, rest_b, line = a - sa * volumes, b - sb * volumes, (sb - sa) * volumes

    def ends(x: Array, pick: Any) -> Array:  # Any: np.minimum or np.maximum
        return np.asarray(pick(x[..., :-1], x[..., 1:]))

    most = (ends(line, np.maximum) + ends(rest_b, np.maximum) - ends(rest_a, np.minimum)).min(axis=0)
    least = (ends(line, np.minimum) + ends(rest_b, np.minimum) - ends(rest_a, np.maximum)).min(axis=0)
    gain, rounding = _gain(a, b), TIE * np.abs(a[0])
    share = (volumes[1:-1] - volumes[:-2]) / (volumes[2:] - volumes[:-2])
    off = gain[:, :-2] + (gain[:, 2:] - gain[:, :-2]) * share - gain[:, 1:-1]
    on_line = np.pad(np.abs(off) <= ON_LINE * rounding[:, 1:-1], ((0, 0), (1, 1)))
    return _Gains(
        wins=gain >= -rounding, gain=gain, most=most + rounding[:, 1:], least=least + rounding[:, 1:], rounding=rounding,
        straight=on_line[:, :-1] | on_line[:, 1:],
    )


def wins_at(curves: Curves, b: BreakEven, rivals: Sequence[str], volume: float) -> bool:
    """Whether the option costs no more than the cheapest of the rivals at one volume, by what its break-even goes by."""
    at, rows = np.array([volume]), _rows(curves, b.option, rivals)
    mine = np.stack([curves.few(b.option, at)[of] for of in rows])
    theirs = np.stack([curves.few(rival, at)[of] for rival, of in zip(rivals, rows, strict=True)])
    of = rows_of(b.basis, b.counts)
    return bool(_gain(mine, theirs)[of, 0] >= -max(TIE * abs(mine[0, of, 0]), HALF_A_CENT))


def _rows(curves: Curves, id: str, rivals: Sequence[str]) -> list[list[int]]:
    """By rival, where the four measures stand among the costs of both: the mean month is one in which both serve alone."""
    starts = [2 + 2 * max(curves.start[id], curves.start[rival]) for rival in rivals]
    return [[0, 1, start, start + 1] for start in starts]


def _gain(mine: Array, theirs: Array) -> Array:
    """Savings against the cheapest rival, (4, n), by the costs of both, (rivals, 4, n)."""
    return np.where(mine[0] < UNSERVED, (theirs - mine).min(axis=0), -UNSERVED)


def turns(curves: Curves, id: str, rivals: Sequence[str], asks: Sequence[Ask]) -> dict[Ask, Turn]:
    """The answer to each question about the option `id`, against the cheapest of `rivals`."""
    volumes = ascending(np.concatenate([np.geomspace(LEAST, MOST, POINTS), [ask.start for ask in asks]]))
    answers: dict[Ask, Turn] = {}
    waiting = list(asks)
    for nearest in (*[NEAREST] * ROUNDS, *[0] * ROUNDS):
        gains, new = _gains(curves, id, rivals, volumes), dict[Ask, Array]()
        for ask in waiting:
            answers[ask], more = _look(curves, (id, *rivals), gains, volumes, ask, nearest)
            if more.size:
                new[ask] = more
        if not new:
            break
        waiting = list(new)
        volumes = ascending(np.concatenate([volumes, *new.values()]))
    return answers


def _look(
    curves: Curves, ids: Sequence[str], gains: _Gains, volumes: Array, ask: Ask, nearest: int
) -> tuple[Turn, Array]:
    """What the volumes so far say, and the volumes that could still change that (none: it is the answer).

    Inside the stretch where the sign changes, and inside as many of the doubtful ones before it: those whose bounds lie beyond
    zero by the largest share, where a change is likeliest. Far ends of long saws are doubtful by a hair, in their thousands.
    """
    m = rows_of(ask.basis, ask.counts)
    way = 1 if ask.up else -1
    at = int(np.searchsorted(volumes, ask.start))
    sign = bool(gains.wins[m, at])
    same = gains.wins[m, at:] == sign if ask.up else gains.wins[m, at::-1] == sign
    steps = same.size - 1 if same.all() else int(np.argmin(same))  # how far it is to the change, or to the end
    changes = not same.all()
    stretches = at + np.arange(steps) if ask.up else at - 1 - np.arange(steps)  # by their lower end, the nearest first
    width = volumes[stretches + 1] / volumes[stretches] - 1.0
    doubt = gains.least[m, stretches] < 0.0 if sign else gains.most[m, stretches] >= 0.0
    found_at = False
    if changes:  # on a straight line with zero savings at one end, that is the volume, unless they may be so before
        ends = np.array([at + way * (steps - 1), at + way * steps])
        zero = gains.gain[m, ends]
        found_at = bool(gains.straight[m, stretches[-1]]) and bool(np.any(np.abs(zero) <= gains.rounding[m, ends]))
        rounding = ON_LINE * gains.rounding[m, ends].max()
        bound = gains.least[m, stretches[-1]] - zero.min() < -rounding if sign else (
            gains.most[m, stretches[-1]] - zero.max() > rounding)
        doubt[-1] = bound if found_at else True
    opened = doubt & (width > UNSEEN)
    least, most = gains.least[m, stretches], gains.most[m, stretches]
    likely = np.divide(-least if sign else most, most - least, out=np.full(least.size, -1.0), where=opened & (most > least))
    opened[np.argsort(-likely, kind="stable")[nearest:]] = False
    if changes and not found_at:
        opened[-1] = width[-1] > 2.0 * SIDE
    before, after = (float(volumes[at + way * (steps - 1)]), float(volumes[at + way * steps])) if changes else (None, None)
    alike = bool(np.all(np.abs(gains.gain[m]) <= np.maximum(gains.rounding[m], HALF_A_CENT)))
    found = Turn(wins=sign, before=before, after=after, gain=gains.gain[m], volumes=volumes, same=alike)
    chosen = stretches[opened]
    return found, _inside(curves, ids, gains, m, volumes, chosen) if chosen.size else np.empty(0)


def _inside(
    curves: Curves, ids: Sequence[str], gains: _Gains, m: int, volumes: Array, stretches: NDArray[np.intp]
) -> Array:
    """New volumes between each of the volumes `stretches` and the next.

    Both sides of each step in it. Where there is none (or too many), the one at which the line through the two ends crosses
    zero, and three between, unless the ends and a neighbour lie on one line: then nothing else happens between them.
    """
    low, high, gain = volumes[stretches], volumes[stretches + 1], gains.gain[m]
    bare, new = np.ones(low.size, dtype=bool), []
    for curve in map(curves.of, ids):
        full, stretch = curve.steps(low, high)
        bare[stretch] = False
        new += [full, full * (1.0 + SIDE)]
    bent = bare & ~gains.straight[m, stretches]
    new.append((low[bent] * (high[bent] / low[bent]) ** np.array([[0.25], [0.5], [0.75]])).reshape(-1))
    at_low, at_high = gain[stretches], gain[stretches + 1]
    far = np.minimum(np.abs(at_low) - gains.rounding[m, stretches], np.abs(at_high) - gains.rounding[m, stretches + 1]) > 0.0
    crosses = bare & far & ((at_low < 0) != (at_high < 0))
    low, high, share = low[crosses], high[crosses], at_low[crosses] / (at_low - at_high)[crosses]
    zero = low + (high - low) * share
    new.append(zero[(zero > low) & (zero < high)])
    return np.concatenate(new)
