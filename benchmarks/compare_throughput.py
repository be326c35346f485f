"""Draws a second of the vectorised comparison, against a bare NumPy kernel that does the same kind of arithmetic.

    make bench

The case is the bundled scenario cut to nine options over 36 months. The kernel works through as many lines (option by
option, line by line: a rate per draw times a path over months, added up), discounts, and finds the payback; it draws nothing,
knows no facts and sizes no fleet. The ratio says what the model costs over the arithmetic that no model can avoid.
Times are CPU seconds of this process, one thread, least of twenty of each in turn; machines differ, the ratio less so.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import time
from collections.abc import Callable

import numpy as np

from roi.economics.decision.draws import CHUNK, draw
from roi.economics.decision.evaluation import Choice, choose_plan, evaluate, read_all
from roi.resolution.resolution import resolve
from roi.scenario.file import load_scenario

DRAWS, OPTIONS, ROUNDS = 16_384, 9, 20
ROWS = 2048
"""Draws at once of the kernel: fewer and more make it slower."""
TARGET = 100_000


def kernel(lines: int, months: int, draws: int) -> float:
    """Lines x months of multiply and add per option and draw, a discounted sum, and a payback; returns a checksum."""
    rng = np.random.default_rng(0)
    rates, path, factors = rng.random((OPTIONS, lines, ROWS, 1)), rng.random((ROWS, months)), rng.random(months)
    total, product, checksum = np.empty((ROWS, months)), np.empty((ROWS, months)), 0.0
    for _ in range(0, draws, ROWS):
        for option in range(OPTIONS):
            total[:] = 0.0
            for line in range(lines):
                np.multiply(path, rates[option, line], out=product)
                np.add(total, product, out=total)
            checksum += float((total @ factors).sum())
            np.cumsum(total, axis=1, out=product)
            checksum += float((product > lines).argmax(axis=1).sum())
    return checksum


def seconds_of(run: Callable[[], object]) -> float:
    """CPU seconds of one round."""
    start = time.process_time()
    run()
    return time.process_time() - start


def main() -> None:
    """Print both figures and their ratio."""
    case = resolve(load_scenario()).case
    shared, options = read_all(case, case.values())
    options = {id: choose_plan(shared, option, options) for id, option in options.items()}
    ids = [id for id, o in options.items() if o.infeasible is None][:OPTIONS]
    choices = {id: Choice(o.plans.index(o.plan), o.replicas_fixed) for id, o in options.items() if o.plan is not None}
    counts = [len(evaluate(shared, options[id], options).costs.lines) for id in ids]
    lines = round(sum(counts) / len(counts))
    rounds = [(seconds_of(lambda: draw(case, ids, choices, DRAWS, 1)), seconds_of(lambda: kernel(lines, shared.horizon, DRAWS)))
              for _ in range(ROUNDS)]
    ours, bare = (min(taken) for taken in zip(*rounds, strict=True))
    print(
        f"{len(ids)} options, {shared.horizon} months, {min(counts)} to {max(counts)} lines an option (mean {lines}),"
        f" {len(case.uncertain)} uncertain facts, {DRAWS:,} draws in chunks of at most {CHUNK:,}"
    )
    print(f"comparison  {DRAWS / ours:10,.0f} draws/s a core   (target {TARGET:,})")
    print(f"bare NumPy  {DRAWS / bare:10,.0f} draws/s a core   same number of lines, months and options")
    print(f"ratio       {ours / bare:10.2f} x the bare kernel's time")


if __name__ == "__main__":
    main()
