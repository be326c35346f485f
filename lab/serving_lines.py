"""How loads of published servers lie around a straight line, and how intervals of loads that were left out hold.

    python lab/serving_lines.py lab/tables/serving-1.csv [lab/tables/serving-2.csv ...]

A server is a source, model, card, engine, format and kind of load, with six loads or more of known lengths at three numbers of
requests in flight or more. Prints how far its loads scatter around the line that is fitted to all of them (LINE of
roi/estimate/serving/line_scatter.py is the median); how intervals hold of loads in the range of 4 to 8 that
stand for a profile, drawn three times; and of loads with more in flight, or longer contexts, than those that stand for one.
"""

import csv
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

import numpy as np

from roi.estimate.serving.iteration import Iteration
from roi.estimate.serving.line_scatter import load_half
from roi.estimate.serving.measured_range import MeasuredRange, Mix, beyond
from roi.estimate.serving.step_fit import LEAST_LOOPS
from roi.numerics.least_squares import linear_fit

KEYS: Final = ("source", "model", "gpu", "engine", "weight_dtype", "kv_dtype", "tp", "replicas", "load", "reference")
FEWEST: Final = 6
DRAWS: Final = 3
"""Choices of loads that stand for a profile, of each number of them."""


class Round(NamedTuple):
    """One load: seconds in which each of the requests in flight is answered once."""

    in_flight: float
    prompt: float
    answer: float
    seconds: float

    @property
    def work(self) -> list[float]:
        """Steps, sequences, KV tokens and prompt tokens."""
        n = self.answer * self.in_flight
        return [self.answer, n, n * self.context, self.in_flight * self.prompt]

    @property
    def context(self) -> float:
        """Mean tokens that a sequence reads."""
        return self.prompt + self.answer / 2.0


class Line(NamedTuple):
    """The line of some loads."""

    step: Iteration
    span: MeasuredRange
    scatter: float
    free: int

    def seconds(self, step: Iteration, load: Round) -> float:
        """What the load takes with this step."""
        n = load.in_flight
        prompts = float(step.prefill_token_s) * n * load.prompt
        return load.answer * float(step.decode_s(n, n * load.context)) + prompts

    def half(self, mix: Mix | None = None) -> float:
        """Half of the interval of these lengths, or of those measured."""
        return load_half(self.scatter**2 * self.free, self.free, self.scatter, self.span.leverage(self.step, mix))


def servers(files: Sequence[Path]) -> Iterator[tuple[tuple[str, ...], list[Round]]]:
    """Each server's loads; repeats are one, their geometric mean."""
    found: dict[tuple[str, ...], dict[tuple[float, ...], list[float]]] = defaultdict(lambda: defaultdict(list))
    for file in files:
        for row in csv.DictReader(file.open(encoding="utf-8")):
            rate, lengths = row["req_per_s"], (row["concurrency"], row["isl"], row["osl"])
            other = row["adapters"] or row["prefill_replicas"] or row["implausible"]
            if row["load"] not in {"static", "closed"} or other or not all(lengths):
                continue
            each = (float(rate) if rate else float(row["output_tok_per_s"]) / float(row["osl"]) if row["output_tok_per_s"]
                    else float(row["total_tok_per_s"]) / (float(row["isl"]) + float(row["osl"])) if row["total_tok_per_s"]
                    else 0.0)
            if each > 0.0:
                load = tuple(map(float, lengths))
                found[tuple(row[key] for key in KEYS)][load].append(float(np.log(load[0] / each)))
    for key, loads in found.items():
        rounds = [Round(*load, float(np.exp(np.mean(logs)))) for load, logs in sorted(loads.items())]
        if len(rounds) >= FEWEST and len({load.in_flight for load in rounds}) >= 3:
            yield key, rounds


def fit_line(loads: Sequence[Round]) -> Line:
    """The line as a profile's is fitted, each load a point of one row."""
    work, seconds = np.array([load.work for load in loads]), np.array([load.seconds for load in loads])
    each = np.arange(float(len(loads)))
    fit = linear_fit(work, seconds, np.zeros(len(loads)), each, each)
    taken = work * fit.values / (work @ fit.values)[:, None]
    shares = np.insert(taken, [1, 4], 0.0, axis=1)  # no experts, no time outside steps
    flights = [load.in_flight for load in loads]
    span = MeasuredRange(
        told=np.linalg.pinv(shares.T @ shares), sequences=(min(flights), max(flights)), mixes=mix_of(loads),
        in_flight=max(flights), context_tokens=max(load.prompt + load.answer for load in loads))
    a, b, c, d = map(float, fit.values)
    step = Iteration(step_s=a, sequence_s=b, kv_byte_s=c, prefill_token_s=d)
    return Line(step, span, fit.point_scatter, max(len(loads) - int(np.count_nonzero(fit.values)), 0))


def mix_of(loads: Sequence[Round]) -> Mix:
    """What these requests ask of a step."""
    return Mix(np.array([load.context for load in loads]), np.array([load.prompt / load.answer for load in loads]))


def tell(name: str, rows: Sequence[tuple[float, float, float]]) -> None:
    """Print how rows of (measured over predicted, low, high), logarithms, hold."""
    away, low, high = np.array(rows).T
    score = float(np.mean(high - low + 20.0 * np.maximum(away - high, 0.0) + 20.0 * np.maximum(low - away, 0.0)))
    print(f"  {name:34s} n {len(rows):6,d}  median error {100.0 * np.expm1(np.median(np.abs(away))):5.1f}%  inside"
          f" {100.0 * np.mean((low <= away) & (away <= high)):3.0f}%  ends {np.exp(np.median(high - low)):.2f} apart"
          f"  score {score:.3f}")


def print_in_range(known: Sequence[tuple[tuple[str, ...], list[Round]]]) -> None:
    """Print how loads hold that lie within those that stand for a profile."""
    chance, found = np.random.default_rng(1), defaultdict(list)
    for _, loads in known:
        for count in (4, 5, 6, 7, 8):
            for _ in range(DRAWS if len(loads) > count else 0):
                picked = set(chance.choice(len(loads), count, replace=False).tolist())
                kept = [loads[k] for k in sorted(picked)]
                columns = list(zip(*(load[:3] for load in kept), strict=True))
                low, high = (tuple(map(of, columns)) for of in (min, max))
                inside = [load for k, load in enumerate(loads) if k not in picked
                          and all(a <= x <= b for a, x, b in zip(low, load[:3], high, strict=True))]
                if not inside or high[0] < 4.0 * low[0] or len({load[1:3] for load in kept}) < 2:
                    continue
                line = fit_line(kept)
                half = line.half()
                found[count] += [(np.log(load.seconds / line.seconds(line.step, load)), -half, half) for load in inside]
    for count, rows in found.items():
        tell(f"in range, {count} loads kept", rows)


def print_flights(known: Sequence[tuple[tuple[str, ...], list[Round]]]) -> None:
    """Print how loads hold that have more in flight than those that stand for a profile."""
    found = defaultdict(list)
    for _, loads in known:
        for most in sorted({load.in_flight for load in loads})[1:-1]:
            kept = [load for load in loads if load.in_flight <= most]
            lengths = {load[1:3] for load in kept}
            if len(kept) < LEAST_LOOPS:
                continue
            line = fit_line(kept)
            half, (slow, fast) = line.half(), beyond(line.step, most)
            for load in (load for load in loads if load.in_flight > most and load[1:3] in lengths):
                central, *ends = (line.seconds(step, load) for step in (line.step, fast, slow))
                low, high = (float(np.hypot(half, np.log(end / central))) for end in ends)
                found[_times(load.in_flight / most)].append((np.log(load.seconds / central), -low, high, half))
    _tell_beyond("in flight", found)


def print_contexts(known: Sequence[tuple[tuple[str, ...], list[Round]]]) -> None:
    """Print how loads hold that have longer contexts than those that stand for a profile, and no more in flight."""
    found = defaultdict(list)
    for _, loads in known:
        for longest in sorted({load.context for load in loads})[1:-1]:
            kept = [load for load in loads if load.context <= longest]
            if len(kept) < LEAST_LOOPS or len({load.in_flight for load in kept}) == 1:
                continue
            line, (least, most) = fit_line(kept), (of(load.in_flight for load in kept) for of in (min, max))
            for load in (load for load in loads if load.context > longest and least <= load.in_flight <= most):
                away, half = np.log(load.seconds / line.seconds(line.step, load)), max(line.half(mix_of([load])), line.half())
                found[_times(load.context / longest)].append((away, -half, half, line.half()))
    _tell_beyond("context", found)


def _tell_beyond(name: str, found: dict[float, list[tuple[float, float, float, float]]]) -> None:
    for times, rows in sorted(found.items()):
        tell(f"{name}, up to {times:g} times", [row[:3] for row in rows])
        tell("  as if it had been in range", [(away, -half, half) for away, _, _, half in rows])


def _times(ratio: float) -> float:
    return next(times for times in (2.0, 4.0, 8.0, np.inf) if ratio <= times * 1.05)


def main(files: Sequence[Path]) -> None:
    """Print all of it."""
    known = list(servers(files))
    scatters = defaultdict(list)
    for key, loads in known:
        scatters[key[0], key[3]].append(fit_line(loads).scatter)
    for (source, engine), each in scatters.items():
        print(f"  {source} {engine}: {len(each)} servers, median scatter {median(each):.3f}")
    print(f"  all: {len(known)} servers, median scatter {median(x for each in scatters.values() for x in each):.3f}")
    print_in_range(known)
    print_flights(known)
    print_contexts(known)


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
