"""From how many requests a day an option wins, each fleet sized at its own peak along the curve."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from roi.economics.evaluate import evaluate
from roi.economics.inputs import Array, Option, Shared

Gain = Callable[[Array], Array]

LEAST, MOST, POINTS = 1.0, 1e9, 271
"""The curve in requests a day: 30 points a decade, then the same number again inside the bracket of each crossing."""
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


@dataclass(frozen=True)
class Curve:
    """Costs along volumes, USD, shape (n,): present value, and mean month after go-live."""

    pv: Array
    run_rate: Array


def break_evens(shared: Shared, options: Mapping[str, Option], ids: Sequence[str], untrained: Sequence[str]) -> tuple[BreakEven, ...]:
    """Crossings of each option in `ids` against staying and against the cheapest of `untrained` (itself left out)."""
    def curves(volumes: Array, wanted: Sequence[str]) -> dict[str, Curve]:
        there = replace(shared, requests_per_day=volumes[:, None])
        return {id: _curve(there, options[id], options) for id in wanted}

    volumes = np.geomspace(LEAST, MOST, POINTS)
    everyone = list(dict.fromkeys(["stay", *untrained, *ids]))
    wide = curves(volumes, everyone)
    found = []
    for id in ids:
        rivals = {"stay": ["stay"], "best_untrained": [u for u in untrained if u != id]}
        for baseline, names in rivals.items():
            for basis in ("run_rate", "pv"):
                def gain(v: Array, names: list[str] = names, basis: str = basis, id: str = id) -> Array:
                    known = wide if v is volumes else curves(v, [id, *names])
                    best = np.min([getattr(known[n], basis) for n in names], axis=0)
                    return np.asarray(best - getattr(known[id], basis))

                found.append(_crossing(options[id], baseline, basis, volumes, gain))
    return tuple(found)


def _curve(shared: Shared, option: Option, options: Mapping[str, Option]) -> Curve:
    """Costs along volumes on the cheapest plan at each volume."""
    tries: list[Option] = [option]
    if option.replicas_fixed is not None:
        tries = [replace(option, replicas_fixed=n) for n in FLOORS]
    elif option.plans:
        tries = [replace(option, plan=plan) for plan in option.plans]
    results = [_costs(shared, tried, options) for tried in tries]
    return Curve(np.min([r.pv for r in results], axis=0), np.min([r.run_rate for r in results], axis=0))


def _costs(shared: Shared, option: Option, options: Mapping[str, Option]) -> Curve:
    done = evaluate(shared, option, options)
    start = int(np.ceil(np.max(option.months_to_live + option.months_in_parallel))) if option.kind != "stay" else 0
    start = min(start, shared.horizon - 1)
    return Curve(np.asarray(done.pv).reshape(-1), done.total.monthly[:, start:].mean(axis=1))


def _crossing(option: Option, baseline: str, basis: str, volumes: Array, gain: Gain) -> BreakEven:
    """Where `gain(volumes)` >= 0 first, and from where on for ever."""
    g = gain(volumes)
    wins, id = g >= 0, option.id
    if not wins[-1]:
        if not wins.any():
            return BreakEven(id, baseline, basis, None, None, _never(option, g, volumes))
        first = _refine(gain, volumes, int(np.argmax(wins)), last=False) if not wins[0] else LEAST
        return BreakEven(id, baseline, basis, first, None, "wins only in between: at large volume the baseline is cheaper")
    if wins.all():
        return BreakEven(id, baseline, basis, 0.0, 0.0, "cheaper at every volume")
    first = 0.0 if wins[0] else _refine(gain, volumes, int(np.argmax(wins)), last=False)
    losing = volumes.size - 1 - int(np.argmax(~wins[::-1]))
    stays = _refine(gain, volumes, losing + 1, last=True)
    why = "one crossing" if first == stays else "a saw: a new replica costs before it is used"
    return BreakEven(id, baseline, basis, first, max(stays, first), why)


def _never(option: Option, g: Array, volumes: Array) -> str:
    """Why no volume helps: at the far end of the curve only what a further request costs is left."""
    marginal = (g[-1] - g[-2]) / (volumes[-1] - volumes[-2])
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
        wins = gain(inside) >= 0
        k = inside.size - 1 - int(np.argmax(~wins[::-1])) + 1 if last else int(np.argmax(wins))
        k = min(max(k, 1), inside.size - 1)
        low, high = inside[k - 1], inside[k]
    return float(high)
