"""Predicted against measured TPOT and throughput of loads that a fit has not seen, on a step server and on a real one.

    python benchmarks/serve_accuracy.py [--server step|real]

Each server is profiled by `roi profile serve` as a user would, in a process of its own; the step is fitted to the profile's
closed loops, and the replay predicts other loads (other lengths, other numbers in flight, open loops) that are then measured.
`step` is the tests' server whose step is known, so what is left is the client, the fit and the replay. `real` is `transformers
serve` on a CPU with a tiny random model and continuous batching, as one would serve: without it requests wait for each other.
Its paged attention forms every query x key of a batch, and a CPU's products of one row take another path than those of two or
three: the step has no terms for either. Server and client share the machine.

Printed beside the errors: the target, n, the load average, and how far a load moved that was put on again at the end.
"""

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from roi.estimate.engine_replica import Server
from roi.estimate.serve_metrics import PointMetrics, point_metrics
from roi.estimate.serve_prediction import predicted_point
from roi.estimate.step_fit import fit_profile, held_out_points
from roi.facts.serve_profile import ServePoint, ServeProfile

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from serving_server import StepServer
from tiny_server import KV_BLOCK_TOKENS, KV_BLOCKS, STEP_TOKENS, tiny_server

TARGET = 0.10
"""Median error of TPOT and of throughput."""

FIT = ("--concurrency", "1,4,12", "--input-tokens", "32,160", "--output-tokens", "32,64")
UNSEEN = ("--concurrency", "2,6,10", "--input-tokens", "64,120", "--output-tokens", "40,56")
AGAIN = ("--concurrency", "4", "--input-tokens", "32", "--output-tokens", "32")
"""Loads of the profile, of the check, and the one of the profile that is put on again."""

SLO = (2.0, 0.05)
"""TTFT and TPOT of goodput, which is not looked at here."""

FIGURES = ("tpot_p50_s", "output_tokens_per_s", "ttft_p50_s")
"""What is compared: median TPOT, throughput over the steady window, median TTFT."""


@dataclass(frozen=True)
class Target:
    """A server under load, and what its command line says of its engine."""

    name: str
    url: str
    model: str
    kv_capacity_tokens: float = np.inf
    step_tokens: float = 1e9


@contextmanager
def step_target() -> Iterator[Target]:
    """The server whose step is known; whole prompts in one step."""
    with StepServer() as server:
        yield Target(f"a known step: {server.law}", server.url, server.model)


@contextmanager
def real_target() -> Iterator[Target]:
    """`transformers serve`."""
    with tiny_server() as server:
        name = f"transformers serve {version('transformers')}, torch {version('torch')}, continuous batching, CPU, 1 thread"
        yield Target(name, server.url, server.model, kv_capacity_tokens=KV_BLOCK_TOKENS * KV_BLOCKS, step_tokens=STEP_TOKENS)


def profiled(target: Target, words: Sequence[str]) -> ServeProfile:
    """What `roi profile serve` measured."""
    with TemporaryDirectory() as folder:
        file = Path(folder, "profile.json")
        command = [sys.executable, "-m", "roi", "profile", "serve", target.url, "--model", target.model, *words]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        subprocess.run([*command, "--output", str(file)], check=True, stdout=subprocess.DEVNULL, env=environment)  # noqa: S603
        return ServeProfile.model_validate_json(file.read_text(encoding="utf-8"))


def errors(ours: PointMetrics, measured: PointMetrics) -> list[float]:
    """Signed relative error of each figure."""
    return [getattr(ours, name) / getattr(measured, name) - 1.0 for name in FIGURES]


def row(point: ServePoint, measured: PointMetrics, ours: PointMetrics, moved: list[float]) -> str:
    """One line of the table."""
    load = f"{point.concurrency} in flight" if point.concurrency else f"{point.requests_per_s or 0.0:.1f}/s {point.arrivals}"
    pairs = [(getattr(measured, name), getattr(ours, name)) for name in FIGURES]
    (tpot, tpot_), (rate, rate_), (ttft, ttft_) = pairs
    return (
        f"{load:14} {point.input_tokens:4} {point.output_tokens:4} {len(point.requests):4} |"
        f" {1e3 * tpot:6.2f} {1e3 * tpot_:6.2f} {moved[0]:+5.0%} | {rate:6.0f} {rate_:6.0f} {moved[1]:+5.0%} |"
        f" {1e3 * ttft:5.0f} {1e3 * ttft_:5.0f} {moved[2]:+5.0%}"
    )


def report(target: Target) -> None:
    """Profile, fit, predict, and print."""
    print(f"\n{target.name}; load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    profile = profiled(target, FIT)
    fit = fit_profile(profile)
    for known in fit.coefficients:
        value, low, high = (1e6 * x for x in (known.value, known.low, known.high))
        print(f"  {known.name:16} {value:10,.1f} us   90% interval {low:,.1f} to {high:,.1f}")
    if fit.iteration is None:
        print(f"nothing was fitted: {'; '.join(fit.rejected)}")
        return
    server = Server(fit.iteration, target.kv_capacity_tokens, step_tokens=target.step_tokens, request_s=fit.request_s)
    points = [*(point for _, point in held_out_points(profile)), *profiled(target, UNSEEN).points]
    print("load             in  out    n |  TPOT, ms measured, predicted | tokens/s          | TTFT, ms")
    found = []
    for point in points:
        measured, ours = (point_metrics(p, *SLO) for p in (point, predicted_point(point, server)))
        found.append(errors(ours, measured))
        print(row(point, measured, ours, found[-1]))
    tpot, rate, ttft = (statistics.median(abs(e[k]) for e in found) for k in range(3))
    print(f"median error, n = {len(found)}: TPOT {tpot:.1%}, throughput {rate:.1%} (target {TARGET:.0%}); TTFT {ttft:.1%}")
    again = profiled(target, AGAIN).points[0]
    before = next(p for p in profile.points if (p.concurrency, p.input_tokens) == (again.concurrency, again.input_tokens))
    moved = errors(point_metrics(again, *SLO), point_metrics(before, *SLO))
    print(f"the same load again: TPOT {moved[0]:+.1%}, throughput {moved[1]:+.1%}; load average {os.getloadavg()[0]:.1f}")


def main() -> None:
    """Both servers, or the one asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", choices=["step", "real"])
    asked = parser.parse_args()
    for name, opened in (("step", step_target), ("real", real_target)):
        if asked.server in {None, name}:
            with opened() as target:
                report(target)


if __name__ == "__main__":
    main()
