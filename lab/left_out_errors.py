"""Ends of measured over predicted speed and TTFT from the errors of runs that a fit has not seen."""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import Final, NamedTuple

import numpy as np
from efficiency_fit import Work, same_shape
from numpy.typing import NDArray

from roi.estimate.accuracy.serving_run import ServingRun

Array = NDArray[np.float64]
Key = Callable[[ServingRun], Hashable]

FEWEST: Final = 8
"""Runs from which a card has coefficients of its own, and errors have quantiles."""

ENGINE_COUNTS = 2.0
"""Models (set-ups) for which an engine's rows on all cards count beside those of one card."""
WIDER = ("4-bit", "concurrency")
"""What makes a run's interval so wide (`assumed`) that its error says nothing of other runs."""
MOST_TTFT = 12.0
"""Factor beyond which no end of TTFT is: where prompts are computed by themselves (SGLang), all of a closed loop may
stay in step, and a request then waits for the prompts of half of it."""
FULL_ROWS = 20
"""Rows of a model on a card from which it weighs as much as any other in the quantiles."""
LEAST_SPEED, LEAST_TTFT = 1.08, 1.3
"""What no interval is narrower than on each side: one system's runs by several submitters differ by 5 to 8%."""


class Errors(NamedTuple):
    """Logs of measured over predicted on runs that a fit has not seen."""

    works: tuple[Work, ...]
    speed: Array
    """TPOT or pace: predicted over measured seconds."""
    ttft: Array
    """Measured over predicted; NaN where a run states none."""


def joined(found: Sequence[Errors]) -> Errors:
    """Several answers as one."""
    if not found:
        return Errors((), np.empty(0), np.empty(0))
    return Errors(tuple(w for e in found for w in e.works), np.concatenate([e.speed for e in found]),
                  np.concatenate([e.ttft for e in found]))


def ends(
    logs: Array, works: Sequence[Work], least: float, most: float = 4.0, beside: float = 0.0,
) -> tuple[float, float]:
    """P5 and P95 of the ratios, widened by one part in the number of models on cards, each side within `least` and `most`.

    A model on a card with FULL_ROWS rows weighs as much as any other; fewer weigh by their number. `beside`: models that stand
    behind the ends besides.
    """
    known = np.isfinite(logs)
    names = [(same_shape(w.run), w.run.system.gpu.id, w.run.engine) for w in works]
    counts = Counter(name for name, k in zip(names, known, strict=True) if k)
    if known.sum() < FEWEST:
        return 1.0 / 3.0, 3.0
    weight = np.array([1.0 / max(counts[n], FULL_ROWS) if k else 0.0 for n, k in zip(names, known, strict=True)])[known]
    values, more = logs[known], 1.0 + 1.0 / (len(counts) + beside)
    order = np.argsort(values)
    reached = np.cumsum(weight[order]) - weight[order] / 2.0
    low, high = (float(x) for x in np.interp(np.array([0.05, 0.95]) * weight.sum(), reached, values[order]))
    low, high = low * (more if low < 0.0 else 1.0), high * (more if high > 0.0 else 1.0)
    low = float(np.clip(low, -np.log(most), -np.log(least)))
    high = float(np.clip(high, np.log(least), np.log(most)))
    return float(f"{np.exp(low):.3g}"), float(f"{np.exp(high):.3g}")


def without_wider(found: Errors) -> Errors:
    """The errors of runs whose interval is no wider for what is not known of them: 4-bit kernels, an inferred batch."""
    kept = [k for k, work in enumerate(found.works) if not any(name.startswith(WIDER) for name, _ in work.run.assumed)]
    return Errors(tuple(found.works[k] for k in kept), found.speed[kept], found.ttft[kept])


def card_ends(
    found: Errors, logs: Array, key: Key, engine: tuple[float, float], least: float, most: float = 4.0,
) -> dict[str, tuple[float, float]]:
    """The ends on each card with FULL_ROWS rows or more, for `key` (a model, a set-up) left out: normalised by what is known.

    A card whose rows lie further out than the engine's ends says so at once. One whose rows lie nearer is believed by parts:
    with k models (set-ups) on the card its ends are k parts its own and ENGINE_COUNTS the engine's.
    """
    out: dict[str, tuple[float, float]] = {}
    for gpu in sorted({w.run.system.gpu.id for w in found.works}):
        mine = [k for k, w in enumerate(found.works) if w.run.system.gpu.id == gpu and np.isfinite(logs[k])]
        if len(mine) < FULL_ROWS:
            continue
        works = [found.works[k] for k in mine]
        own = ends(logs[mine], works, least, most, ENGINE_COUNTS)
        k = float(len({key(w.run) for w in works}))
        near = [float(np.exp((k * np.log(a) + ENGINE_COUNTS * np.log(b)) / (k + ENGINE_COUNTS)))
                for a, b in zip(own, engine, strict=True)]
        out[gpu] = float(f"{min(own[0], near[0]):.3g}"), float(f"{max(own[1], near[1]):.3g}")
    return out


def inner(near: tuple[float, float], far: tuple[float, float]) -> tuple[float, float]:
    """The ends of what is nearer, which knows no less: none is further out than what is known from afar says."""
    return max(near[0], far[0]), min(near[1], far[1])


def share_inside(found: Errors, interval: tuple[float, float], cards: dict[str, tuple[float, float]] | None = None) -> float:
    """Share of the speeds between the ends, those of their card where it has its own."""
    low, high = np.array([(cards or {}).get(w.run.system.gpu.id, interval) for w in found.works]).reshape(-1, 2).T
    known, ratios = np.isfinite(found.speed), np.exp(found.speed)
    share = np.mean(((ratios >= low) & (ratios <= high))[known]) if known.any() else 0.0
    return float(f"{share:.2g}")


def median(logs: Array) -> float | None:
    """Median absolute error, as a share; None where there is none."""
    known = logs[np.isfinite(logs)]
    return float(f"{np.median(np.abs(np.expm1(known))):.3g}") if known.size else None
