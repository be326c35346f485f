"""Throughput, TPOT and TTFT of a measured load, all from one operating point of the iteration model."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from roi.estimate.iteration import Efficiencies
from roi.estimate.serving_loads import (
    closed_figures,
    disaggregated_figures,
    open_figures,
    saturated_figures,
    static_figures,
)
from roi.estimate.serving_replica import OperatingFigures, Replica, replica_of
from roi.estimate.serving_run import ServingLoad, ServingRun, ServingSystem

BY_KIND: Final[dict[str, Callable[[ServingLoad, Replica], OperatingFigures]]] = {
    "static": static_figures, "closed": closed_figures, "open": open_figures, "saturated": saturated_figures,
}
"""Kind of load -> what answers it."""


def operating_figures(run: ServingRun, efficiencies: Efficiencies, speed: float = 1.0) -> OperatingFigures:
    """What the run's system does under the run's load."""
    return system_figures(run.load, run.system, replica_of(run, efficiencies, speed))


def system_figures(load: ServingLoad, system: ServingSystem, replica: Replica) -> OperatingFigures:
    """The system's figures from one replica's: the load is divided evenly, rates add, times are the replica's.

    With fewer requests in flight than replicas, each has one and the other replicas stand idle.
    """
    if system.prefill_replicas and load.kind == "closed":
        return disaggregated_figures(load, replica, system.prefill_replicas, system.replicas - system.prefill_replicas)
    n = system.replicas if load.concurrency is None else min(system.replicas, max(load.concurrency, 1.0))
    share = replace(load, concurrency=_over(load.concurrency, n), requests_per_s=_over(load.requests_per_s, n),
                    prompts=_over(load.prompts, n))
    found = BY_KIND[load.kind](share, replica)
    return replace(found, requests_per_s=found.requests_per_s * n)


def _over(value: float | None, replicas: float) -> float | None:
    return None if value is None else value / replicas


def stated_tpot(run: ServingRun, figures: OperatingFigures) -> float:
    """The predicted TPOT as the row defines it.

    end to end: mean of (TTFT + (O - 1) TPOT) / O over requests, where short outputs count more: O x E[1/O] is
    ln((1 + r) / (1 - r)) / 2r for lengths uniform within mean x (1 +- r), and 1 + cv^2 for lognormal ones.
    """
    o = figures.output_tokens
    if run.tpot_kind == "over all tokens":
        return figures.tpot_s * (o - 1.0) / o
    if run.tpot_kind == "end to end":
        cv = run.load.length_cv
        r = cv * math.sqrt(3.0)
        short = 1.0 if r < 1e-9 else math.log((1.0 + r) / (1.0 - r)) / (2.0 * r) if r < 1.0 else 1.0 + cv**2
        return figures.ttft_s / o * short + figures.tpot_s * (o - 1.0) / o
    return figures.tpot_s
