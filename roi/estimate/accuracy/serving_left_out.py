"""How far predictions are off on runs of which something was left out of the fit: models, cards, engines."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from roi.estimate.accuracy.efficiency_fit import StepEquation, equations_of, fit_efficiencies
from roi.estimate.accuracy.serving_loads import operating_figures
from roi.estimate.accuracy.serving_replica import OperatingFigures
from roi.estimate.accuracy.serving_run import ServingRun
from roi.estimate.serving.iteration import Efficiencies

Array = NDArray[np.float64]

FEWEST: Final = 30
"""Equations below which ten coefficients are not fitted."""

FULL_ROWS: Final = 20
"""Rows of a (card, engine) from which it weighs as much as any other in the quantiles; fewer weigh by their number."""

Key = Callable[[ServingRun], Hashable]


@dataclass(frozen=True)
class LeftOut:
    """Measured over predicted, on runs that the fit has not seen."""

    runs: tuple[ServingRun, ...]
    speed: Array
    """Requests a second of a static batch; one over TPOT of a closed loop, whose queue is predicted too."""
    ttft: Array
    """Measured over predicted TTFT; NaN where the run states none."""


def same_model(run: ServingRun) -> Hashable:
    """What names one architecture and size, whatever the release: Llama-3-8B and Llama-3.1-8B are one."""
    shape = run.system.shape
    return (shape.hidden, shape.layers, shape.vocab, shape.parameters)


def same_card(run: ServingRun) -> Hashable:
    """The card."""
    return run.system.gpu.id


def same_engine(run: ServingRun) -> Hashable:
    """The engine family."""
    return run.engine


def leave_out(runs: Sequence[ServingRun], pool: Sequence[ServingRun], *keys: Key) -> LeftOut:
    """Every run of `runs`, predicted from those of `pool` that differ from it in each of `keys`."""
    mine, rest = equations_of(runs), equations_of(pool)
    groups: dict[tuple[Hashable, ...], list[StepEquation]] = defaultdict(list)
    for equation in mine:
        groups[tuple(key(equation.run) for key in keys)].append(equation)
    told: list[ServingRun] = []
    speed: list[float] = []
    ttft: list[float] = []
    for values, members in groups.items():
        seen = [e for e in rest if all(key(e.run) != value for key, value in zip(keys, values, strict=True))]
        if len(seen) < FEWEST:
            continue
        engine = fit_efficiencies(seen)
        for run in (e.run for e in members):
            figures = operating_figures(run, engine)
            told.append(run)
            speed.append(_speed_ratio(run, figures))
            ttft.append(float("nan") if run.ttft_s is None else run.ttft_s / figures.ttft_s)
    return LeftOut(tuple(told), np.array(speed), np.array(ttft))


def _speed_ratio(run: ServingRun, figures: OperatingFigures) -> float:
    if run.tpot_s is not None:
        return figures.tpot_s / run.tpot_s
    return (run.requests_per_s or float("nan")) / figures.requests_per_s


def balanced_quantiles(ratios: Array, runs: Sequence[ServingRun], *at: float) -> tuple[float, ...]:
    """Quantiles of the ratios with every (card, engine) of FULL_ROWS rows and more weighing the same; NaN is left out."""
    known = np.isfinite(ratios)
    names = [(same_card(run), same_engine(run)) for run in runs]
    counts = {name: sum(1 for n, k in zip(names, known, strict=True) if n == name and k) for name in set(names)}
    weights = np.array([1.0 / max(counts[n], FULL_ROWS) if k else 0.0 for n, k in zip(names, known, strict=True)])[known]
    values = np.log(ratios[known])
    order = np.argsort(values)
    reached = np.cumsum(weights[order]) - weights[order] / 2.0
    return tuple(float(q) for q in np.exp(np.interp(np.array(at) * weights.sum(), reached, values[order])))


def leave_models_out(
    runs: Sequence[ServingRun], pool_of: Callable[[ServingRun], str],
) -> dict[tuple[str, Hashable], Efficiencies]:
    """(pool, model) -> efficiencies fitted on the pool's other models; absent where too few runs are left.

    `pool_of` names the engine family whose runs are fitted together for a run, or "other", "other-2024" for all of an era.
    """
    equations = equations_of(runs)
    out: dict[tuple[str, Hashable], Efficiencies] = {}
    for pool, model in {(pool_of(run), same_model(run)) for run in runs}:
        rest = [e for e in equations if same_model(e.run) != model and _in_pool(e.run, pool)]
        if len(rest) >= FEWEST:
            out[pool, model] = fit_efficiencies(rest)
    return out


def _in_pool(run: ServingRun, pool: str) -> bool:
    if pool in ("other", "other-2024"):
        return run.recent == (pool == "other") and "rocm" not in run.engine
    return run.engine == pool
