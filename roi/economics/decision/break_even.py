"""From how many requests a day an option wins, each fleet sized at its own peak along the curve."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from roi.economics.decision.evaluation import evaluate, replicas_owned
from roi.economics.inputs import Array, Option, Shared
from roi.estimate.replay.fleet import fleet_capacity
from roi.units import SECONDS_PER_DAY

Gain = Callable[[Array, int], Array]
"""Savings at volumes; the index says between which points of the curve they lie, so that only the plans in use there count."""

LEAST, MOST, POINTS = 1.0, 1e9, 271
"""The curve in requests a day: 30 points a decade, then the same number again inside the bracket of each crossing."""
STEPS = 16
"""Replicas whose steps are points of the curve; beyond them a step is less than 1/16 of the fleet, as the even points are."""
JUST_ABOVE = 1e-6
FLOORS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
"""Replicas that a hybrid's floor is tried with along the curve."""


@dataclass(frozen=True)
class BreakEven:
    """One crossing. `first` is where the option first wins, `stays` where it wins from there on; None = no such volume."""

    option: str
    baseline: str
    """stay or best_untrained."""
    basis: str
    """run_rate (mean month after go-live, set-up left out) or pv (everything over the horizon)."""
    first: float | None
    stays: float | None
    reason: str


def break_evens(
    shared: Shared, options: Mapping[str, Option], ids: Sequence[str], untrained: Sequence[str]
) -> tuple[BreakEven, ...]:
    """Crossings of each option in `ids` against staying and against the cheapest of `untrained` (itself left out)."""
    volumes = _volumes(shared, [options[id] for id in ids])
    everyone = list(dict.fromkeys(["stay", *untrained, *ids]))
    tries = {id: _tries(options[id]) for id in everyone}

    def curves(id: str, v: Array, keep: Iterable[int]) -> list[dict[str, Array]]:
        there = replace(shared, requests_per_day=v[:, None])
        return [_costs(there, tries[id][k], options) for k in keep]

    on_curve = {id: curves(id, volumes, range(len(tries[id]))) for id in everyone}

    def cheapest(id: str, basis: str, v: Array, at: int) -> Array:
        """Cost of the option on the cheapest of its plans; between points, of the plans in use at either."""
        costs = [curve[basis] for curve in on_curve[id]]
        if v is not volumes:
            keep = sorted({int(k) for k in np.stack(costs)[:, at - 1 : at + 1].argmin(axis=0)})
            costs = [curve[basis] for curve in curves(id, v, keep)]
        return np.asarray(np.min(costs, axis=0))

    def gain_over(id: str, rivals: Sequence[str], basis: str) -> Gain:
        return lambda v, at: np.asarray(
            np.min([cheapest(rival, basis, v, at) for rival in rivals], axis=0) - cheapest(id, basis, v, at)
        )

    found: list[BreakEven] = []
    for id in ids:
        others = ["stay", *(u for u in untrained if u not in {id, "stay"})]
        for baseline, rivals in (("stay", ["stay"]), ("best_untrained", others)):
            run_rate = _crossing(options[id], baseline, "run_rate", volumes, gain_over(id, rivals, "run_rate"), None)
            pv = _crossing(options[id], baseline, "pv", volumes, gain_over(id, rivals, "pv"), run_rate)
            found += [run_rate, pv]
    return tuple(found)


def _volumes(shared: Shared, options: Sequence[Option]) -> Array:
    """The curve's points: evenly in the log, and just above each volume at which a plan of a fleet needs one replica more.

    A replica costs most where it has just been added, so that a tooth between two even points cannot hide. With growth, the
    steps of later months lie elsewhere and the curve is smoother.
    """
    peak = float(np.max(shared.peak_to_mean)) / SECONDS_PER_DAY * float(np.max(shared.volume_factor))
    replicas = np.arange(1.0, STEPS + 1.0)
    full = [
        np.asarray(fleet_capacity(replicas, p.capacity * (1.0 - o.headroom), p.pooling)) / peak
        for o in options if o.replicas_fixed is None for p in o.plans
    ]
    steps = np.concatenate([np.empty(0), *full]) * (1.0 + JUST_ABOVE)
    return np.unique(np.concatenate([np.geomspace(LEAST, MOST, POINTS), steps[(steps > LEAST) & (steps < MOST)]]))


def _tries(option: Option) -> list[Option]:
    """The option on each of its plans; a hybrid on its plan with each size of floor."""
    if option.replicas_fixed is not None:
        most = np.inf if option.plan is None else replicas_owned(option.plan)
        return [replace(option, replicas_fixed=n) for n in FLOORS if n <= most]
    return [replace(option, plan=plan) for plan in option.plans] or [option]


def _costs(shared: Shared, option: Option, options: Mapping[str, Option]) -> dict[str, Array]:
    """Costs along the volumes of `shared`, USD, shape (n,), by basis: present value, and mean month after go-live."""
    done = evaluate(shared, option, options)
    start = int(np.ceil(np.max(option.months_to_live + option.months_in_parallel))) if option.kind != "stay" else 0
    start = min(start, shared.horizon - 1)
    return {"pv": np.asarray(done.pv).reshape(-1), "run_rate": done.total.monthly[:, start:].mean(axis=1)}


def _crossing(option: Option, baseline: str, basis: str, volumes: Array, gain: Gain, run_rate: BreakEven | None) -> BreakEven:
    """Where `gain(volumes)` >= 0 first, and from where on for ever."""
    g = gain(volumes, 0)
    wins = g >= 0

    def crossing(first: float | None, stays: float | None, reason: str) -> BreakEven:
        return BreakEven(option=option.id, baseline=baseline, basis=basis, first=first, stays=stays, reason=reason)

    if wins.all():
        return crossing(0.0, 0.0, "cheaper at every volume")
    if not wins.any():
        return crossing(None, None, _never(option, g, volumes, run_rate))
    if not wins[-1]:
        first = _refine(gain, volumes, int(np.argmax(wins)), last=False) if not wins[0] else LEAST
        return crossing(first, None, "wins only in between: at large volume the baseline is cheaper")
    first = 0.0 if wins[0] else _refine(gain, volumes, int(np.argmax(wins)), last=False)
    losing = volumes.size - 1 - int(np.argmax(~wins[::-1]))
    stays = _refine(gain, volumes, losing + 1, last=True)
    why = "one crossing" if first == stays else "a saw: a new replica costs before it is used"
    return crossing(first, max(stays, first), why)


def _never(option: Option, g: Array, volumes: Array, run_rate: BreakEven | None) -> str:
    """Why no volume helps: at the far end of the curve only what a further request costs is left."""
    marginal = (g[-1] - g[-2]) / (volumes[-1] - volumes[-2])
    if run_rate is not None and run_rate.stays is not None:
        return f"cheaper to run from {run_rate.stays:,.0f} a day on, but what is paid until it is live is not earned back"
    if marginal > 0:
        return f"set-up not earned back below {MOST:.0e} requests a day"
    if option.self_hosted:
        return "marginal GPU cost exceeds the API price"
    return "a further request costs more than at the baseline"


def _refine(gain: Gain, volumes: Array, at: int, *, last: bool) -> float:
    """The crossing between volumes[at - 1] and volumes[at], twice narrowed; the winning side of it."""
    low, high = volumes[at - 1], volumes[at]
    for _ in range(2):
        inside = np.geomspace(low, high, 61)
        wins = gain(inside, at) >= 0
        k = inside.size - 1 - int(np.argmax(~wins[::-1])) + 1 if last else int(np.argmax(wins))
        k = min(max(k, 1), inside.size - 1)
        low, high = inside[k - 1], inside[k]
    return float(high)
