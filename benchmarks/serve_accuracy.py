"""Predicted against measured TPOT and throughput of loads that a fit has not seen, on a step server and on a real one.

    python benchmarks/serve_accuracy.py [--server step|real] [--rounds N]

Each server is profiled by `roi profile serve` as a user would, in a process of its own. The step is fitted to six of the
closed loops; the replay predicts the others, which differ in prompt length or in requests in flight, and the open loop.
`step` is the tests' server whose step is known, so what is left is the client, the fit and the replay. `real` is `transformers
serve` on a CPU with a tiny random model and continuous batching, as one would serve: without it requests wait for each other.
Its paged attention forms every query x key of a batch, and a CPU's products of one row take another path than those of two or
three: the step has no terms for either. Server and client share the machine.

Printed beside the errors: the target, n, the load average, and how far the same loads moved from round to round, which no
prediction can be better than.
"""

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from roi.estimate.replay.engine import Server
from roi.estimate.replay.held_out import fitted_server, replay_served
from roi.estimate.replay.metrics import PointMetrics, point_metrics, successes
from roi.estimate.serving.step_fit import fit_profile
from roi.facts.serve_profile import ServedRequest, ServePoint, ServeProfile

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
from serving_server import StepServer
from tiny_server import KV_BLOCK_TOKENS, KV_BLOCKS, tiny_server

TARGET = 0.10
"""Median error of TPOT and of throughput."""

IN_FLIGHT, PROMPTS, OUTPUTS = (1, 2, 4, 6, 10, 12), (32, 96, 160), (40, 56)
"""Loads of one profile: every number in flight with every prompt length, and the open loop that `roi profile serve` adds."""

FITTED = {(1, 32), (1, 160), (4, 32), (4, 160), (12, 32), (12, 160)}
"""The loads that the fit sees, which lie between the others in time: a machine that slows down meanwhile slows both."""

SLO = (2.0, 0.05)
"""TTFT and TPOT of goodput, which is not looked at here."""

FIGURES = ("tpot_p50_s", "output_tokens_per_s", "ttft_p50_s")
"""What is compared: median TPOT, throughput over the steady window, median TTFT."""


@dataclass(frozen=True)
class Target:
    """A server under load."""

    name: str
    url: str
    model: str
    stated: tuple[str, ...] = ()
    """Words of the command with what it does not say of itself."""


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
        yield Target(name, server.url, server.model, ("--kv-tokens", str(KV_BLOCK_TOKENS * KV_BLOCKS)))


def profiled(target: Target) -> ServeProfile:
    """What `roi profile serve` measured, in a process of its own."""
    lists = (("--concurrency", IN_FLIGHT), ("--input-tokens", PROMPTS), ("--output-tokens", OUTPUTS))
    words = [word for option, values in lists for word in (option, ",".join(str(value) for value in values))]
    with TemporaryDirectory() as folder:
        file = Path(folder, "profile.json")
        command = [sys.executable, "-m", "roi", "profile", "serve", target.url, "--model", target.model, *target.stated, *words]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        subprocess.run(  # noqa: S603 -- this interpreter
            [*command, "--output", str(file)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
        )
        return ServeProfile.model_validate_json(file.read_text(encoding="utf-8"))


def predicted_point(point: ServePoint, server: Server) -> ServePoint:
    """The point as the replay has it, for the same metrics as the measured one; requests that fit no replica are left out.

    Requests that failed are left out too. Tokens come evenly between the first and the last, where the replay's steps differ
    a little.
    """
    good = sorted(successes(point), key=lambda r: r.sent_s)
    found = replay_served(good, server, point.concurrency)
    first, last = found.first_s + found.request_s, found.ended_s + found.request_s
    requests = [
        ServedRequest(
            sent_s=float(found.arrival_s[i]), prompt_tokens=r.prompt_tokens, cached_tokens=r.cached_tokens,
            asked_tokens=r.asked_tokens, output_tokens=r.output_tokens, model=r.model, ended_s=float(last[i]),
            chunk_s=tuple(np.linspace(first[i], last[i], r.output_tokens).tolist()),
        )
        for i, r in enumerate(good) if found.served[i]
    ]
    return point.model_copy(update={"requests": tuple(requests)})


def is_fitted(point: ServePoint) -> bool:
    """True for the loads that the fit sees."""
    return (point.concurrency, point.input_tokens) in FITTED


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


def one_round(target: Target) -> tuple[list[PointMetrics], list[list[float]]]:
    """(what was measured of each unseen load, errors of its prediction) after a profile; prints both."""
    profile = profiled(target)
    fit = fit_profile(profile.model_copy(update={"points": tuple(p for p in profile.points if is_fitted(p))}))
    for known in fit.coefficients:
        value, low, high = (1e6 * x for x in (known.value, known.low, known.high))
        print(f"  {known.name:16} {value:10,.1f} us   90% interval {low:,.1f} to {high:,.1f}")
    if fit.iteration is None:
        print(f"  nothing was fitted: {'; '.join(fit.rejected)}")
        return [], []
    server = fitted_server(fit, profile.kv_capacity_tokens)
    seen, found = [], []
    print("load             in  out    n | TPOT, ms, and predicted | tokens/s            | TTFT, ms")
    for point in (p for p in profile.points if not is_fitted(p)):
        measured, ours = (point_metrics(p, *SLO) for p in (point, predicted_point(point, server)))
        seen.append(measured)
        found.append(errors(ours, measured))
        print(row(point, measured, ours, found[-1]))
    print(f"median error of {len(found)} loads: {medians(found)}; load average {os.getloadavg()[0]:.1f}")
    return seen, found


def medians(found: list[list[float]]) -> str:
    """The median of each figure's absolute error, in words."""
    tpot, rate, ttft = (statistics.median(abs(each[k]) for each in found) for k in range(3))
    return f"TPOT {tpot:.1%}, throughput {rate:.1%}, TTFT {ttft:.1%}"


def report(target: Target, rounds: int) -> None:
    """Profile, fit, predict, several times, and print; from round to round the closed loops are the same."""
    print(f"\n{target.name}; load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    told = [one_round(target) for _ in range(rounds)]
    found = [error for _, errors_ in told for error in errors_]
    if not found:
        return
    print(f"{len(found)} unseen loads in {rounds} rounds, median error: {medians(found)}"
          f" (target {TARGET:.0%} of the first two)")
    moved = [errors(b, a) for (first, _), (later, _) in pairwise(told) for a, b in zip(first, later, strict=False)]
    if moved:
        print(f"the same loads from round to round, median: {medians(moved)}; load average {os.getloadavg()[0]:.1f}")


def main() -> None:
    """Both servers, or the one asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", choices=["step", "real"])
    parser.add_argument("--rounds", type=int, default=2, help="2 at least, to see how far a load moves by itself")
    asked = parser.parse_args()
    for name, opened in (("step", step_target), ("real", real_target)):
        if asked.server in {None, name}:
            with opened() as target:
                report(target, asked.rounds)


if __name__ == "__main__":
    main()
