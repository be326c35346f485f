"""Simulated requests a second of the replay, and how well a few replicas foretell many.

    python benchmarks/replay_speed.py [TRACE.csv]

Speed: the bundled workload's lengths (and a trace, at 10 times its rate) on an 8B model, one replica, eight and a thousand
behind a router; the target is 200,000 requests a second of CPU. Foretelling: the capacity that `roi compare` uses (600
requests on one replica, square-root staffing from four) against long replays of one replica and of 2, 8 and 16.
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from start_and_scale import loop_s

from roi.catalog.cards.gpus import find_gpu
from roi.catalog.models.shapes import find_model
from roi.estimate.replay.fleet import fleet_capacity
from roi.estimate.replay.load_curve import Slo
from roi.estimate.replay.router import replay
from roi.estimate.replay.traffic import as_requests
from roi.resolution.plan_capacity import ServingPlan, load_curve, plan_capacity, published_server
from roi.resolution.request_lengths import SystemLengths
from roi.scenario.file import load_scenario
from roi.store.traces import read_trace

TARGET = 200_000
LONG = 5_000
PLANS = (("qwen3-8b", "L40S", 1, "fp8"), ("qwen3-8b", "H100-80GB-SXM", 1, "fp8"), ("qwen3-8b", "RTX-4090", 2, "fp8"),
         ("llama-3.1-70b", "H100-80GB-SXM", 4, "bf16"))
SLOS = (Slo(2.0, 0.05), Slo(0.6, 0.1))


def mean_lengths(prompt: float, output: float) -> SystemLengths:
    """A workload of which only the means are known."""
    return SystemLengths(np.array([prompt]), np.array([0.0]), np.array([output]), np.array([1.0]), 0.0)


def bundled() -> SystemLengths:
    """The lengths of the bundled scenario."""
    bins = load_scenario(None, ()).workload.lengths or ()
    columns = [np.array([getattr(b, name) for b in bins]) for name in ("input_tokens", "output_tokens", "share")]
    return SystemLengths(columns[0], 0.0 * columns[0], columns[1], columns[2] / columns[2].sum(), 0.0)


def speed(name: str, run: Callable[[], object], requests: int) -> None:
    """Print the best of fifteen, in requests a second of CPU: what else the machine does can only add to a time."""
    best = np.inf
    for _ in range(15):
        start = time.process_time()
        run()
        best = min(best, time.process_time() - start)
    rate = requests / best
    print(f"{name:42}{requests:8,} requests  {best:7.3f} s  {rate:10,.0f} a second ({rate / TARGET:.2f} of target)")


def main(trace: str | None) -> None:
    """Print both."""
    print(f"load average {os.getloadavg()[0]:.2f}; target {TARGET:,} simulated requests a second of CPU; "
          f"a loop that never changes: {loop_s() * 1e3:.1f} ms of CPU")
    plan = ServingPlan(find_model("qwen3-8b"), find_gpu("H100-80GB-SXM"), 1, "fp8", "bf16")
    lengths, count = bundled(), 20_000
    server, drawn, arrivals = published_server(plan, lengths), lengths.drawn(count), lengths.arrivals(count)
    for replicas, rate in ((1, 10.0), (1, 25.0), (8, 150.0), (1000, 19_000.0)):
        load = as_requests(drawn, arrivals / rate, plan.shape)
        speed(f"{replicas} replica(s), {rate:g} requests/s", lambda r=replicas, x=load: replay(x, server, r), count)
    if trace is not None:
        calls = read_trace(Path(trace))
        load = as_requests(calls.drawn(), calls.arrival_s / 10.0, plan.shape)
        for replicas in (1, 4):
            name = f"{replicas} replica(s), {Path(trace).name} x 10"
            speed(name, lambda r=replicas, x=load: replay(x, server, r), load.arrival_s.size)
    foretelling(lengths)


def foretelling(lengths: SystemLengths) -> None:
    """Print how far the stored capacity is from long replays."""
    loads = (lengths, mean_lengths(1000.0, 300.0), mean_lengths(300.0, 150.0), mean_lengths(4000.0, 800.0))
    errors: dict[str, list[float]] = {"one replica, 5,000 requests": []}
    for model, gpu, degree, dtype in PLANS:
        plan = ServingPlan(find_model(model), find_gpu(gpu), degree, dtype, "bf16")
        for each in loads:
            server = published_server(plan, each)
            for slo in SLOS:
                found = plan_capacity(plan, each, server, slo, (0.75, 1.0, 1.3))
                alone = found.alone.requests_per_s
                if alone <= 0.0:
                    continue
                long = load_curve(plan, each, server, 1, LONG).capacity(slo).requests_per_s
                errors["one replica, 5,000 requests"].append(alone / long - 1.0)
                for replicas in (2, 8, 16):
                    held = load_curve(plan, each, server, replicas, 500 * replicas).capacity(slo).requests_per_s
                    name = f"{replicas} replicas, 500 requests each"
                    errors.setdefault(name, []).append(float(fleet_capacity(replicas, alone, found.pooling)) / held - 1.0)
    print("capacity that `roi compare` uses over a longer replay's, less 1")
    for name, found_errors in errors.items():
        size = np.abs(found_errors)
        print(f"{name:42}n {size.size:3}  median {np.median(size):5.1%}  p90 {np.percentile(size, 90):5.1%}"
              f"  mean with sign {np.mean(found_errors):+.1%}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
