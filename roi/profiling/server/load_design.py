"""Which loads to put on a server, all of it decided before anything is sent.

    closed loop: every concurrency with every prompt length; output lengths rotate, so that they vary with neither
    open loop:   lengths between those of the design, at 60% of the rate that they would reach: what a fit has not seen

Step = a + b x sequences + c x KV tokens + d x prefill tokens. Lone requests tell a and d; more of them at one length tell b;
the same number at another length tells c. The command's own design spans a factor of 32 in
sequences and 8 in context, at lengths of short and long chats.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, exp, log
from typing import Final, Literal

from roi.errors import InputError
from roi.store.traces import Trace

LONE_REQUESTS: Final = 6
"""Requests of a closed loop of one: enough for a median, few because each takes its time alone."""
ROUNDS: Final = 4
"""Requests for each that is in flight: the first round starts all at once, the last drains."""
OPEN_REQUESTS: Final = 64
"""Arrivals of the open loop: a mean latency is then known to an eighth of its scatter, 1 / sqrt(64)."""
SPREAD: Final = 0.25
"""Output lengths are drawn evenly within this share of the aim, in pairs that keep its sum: requests of one length would start
and end together, and no step would both prefill and decode."""
OPEN_SHARE: Final = 0.6
"""Offered rate over the rate of the closed loop: busy, and stable (queues grow without bound near 1)."""
STEP_S: Final = 0.02
PROMPT_RATE: Final = 8000.0
"""Seconds of a step, prompt tokens a second: an 8B model on one data-centre card, to say how long a plan takes."""
LEAST: Final = 3
"""Successes that a point needs which the budget trimmed; in a closed loop as many as are in flight."""
MARGIN: Final = 1.1
"""Prompt tokens that may be sent over those aimed at: how far one prompt's count may lie from the calibrated one."""
PROBES: Final = 10
"""Probes at most: requests before the first point that find the dialect and calibrate the prompts."""
PROBE_TOKENS: Final = 4
"""Output tokens that each probe asks for."""
FEW_WORDS: Final = 8
MANY_WORDS: Final = 256
"""Words of the two probes whose token counts tell how many tokens a word has."""

Arrivals = Literal["closed", "poisson", "trace"]


@dataclass(frozen=True)
class PlannedRequest:
    """One request of a plan."""

    input_tokens: int
    output_tokens: int
    at_s: float | None = None
    """Due this long after the point's start; at a rate of 1/s for a Poisson point whose rate is told later. None in a
    closed loop."""


@dataclass(frozen=True)
class PlannedPoint:
    """One load of a plan."""

    arrivals: Arrivals
    input_tokens: int
    output_tokens: int
    requests: tuple[PlannedRequest, ...]
    concurrency: int | None = None
    rate: float | None = None
    """Requests a second; None in a closed loop, and where the closed loops are to tell it."""
    adapters: int = 0
    """Unmerged adapters over which the requests are spread: the first so many that were named; 0 = none."""

    @property
    def prompt_tokens(self) -> int:
        """Prompt tokens of all its requests."""
        return sum(request.input_tokens for request in self.requests)

    @property
    def asked_tokens(self) -> int:
        """Output tokens of all its requests."""
        return sum(request.output_tokens for request in self.requests)

    @property
    def label(self) -> str:
        """The load, its lengths and its adapters in a few words."""
        names = f", {self.adapters} adapter{'s' if self.adapters > 1 else ''}" if self.adapters else ""
        return f"{self.load}, {self.input_tokens:,} in, {self.output_tokens:,} out{names}"

    @property
    def load(self) -> str:
        """Requests in flight, or arrivals and their rate where it is known."""
        if self.concurrency is not None:
            return f"{self.concurrency} in flight"
        return f"{self.arrivals} {self.rate:.3g}/s" if self.rate is not None else self.arrivals

    def at_rate(self, rate: float) -> "PlannedPoint":
        """This open loop at `rate` requests a second: gaps are divided, lengths stay."""
        speed = rate / self.own_rate
        return replace(self, rate=rate, requests=tuple(replace(r, at_s=(r.at_s or 0.0) / speed) for r in self.requests))

    @property
    def own_rate(self) -> float:
        """Requests a second as the arrivals have them: gaps over the time that they span."""
        last_s = self.requests[-1].at_s or 0.0
        return self.rate or ((len(self.requests) - 1) / last_s if last_s > 0.0 and self.arrivals == "trace" else 1.0)


@dataclass(frozen=True)
class ServePlan:
    """All loads that will be put on the server, in order."""

    points: tuple[PlannedPoint, ...]

    @property
    def requests(self) -> int:
        """Requests of all points; the probes come on top."""
        return sum(len(point.requests) for point in self.points)

    @property
    def prompt_tokens(self) -> int:
        """Prompt tokens that are aimed at, of all points."""
        return sum(point.prompt_tokens for point in self.points)

    @property
    def most_prompt_tokens(self) -> int:
        """Prompt tokens that are sent at most; the run ends before more are."""
        return ceil(MARGIN * self.prompt_tokens)

    @property
    def output_tokens(self) -> int:
        """Output tokens that are asked for, of all points: more are never made."""
        return sum(point.asked_tokens for point in self.points)

    @property
    def probe_words(self) -> int:
        """Words of all probes together, at most: two or three have many."""
        return PROBES * FEW_WORDS + 3 * MANY_WORDS


def plan_loads(concurrency: Sequence[int], inputs: Sequence[int], outputs: Sequence[int], requests: int | None, seed: int, *,
               arrivals: str, rate: float | None, trace: Trace | None, adapters: int) -> ServePlan:
    """All loads: closed loops of the base, then of adapters, then an open loop, by the trace where there is one.

    `arrivals`: both, closed or open. An open loop alone is spread over all adapters.
    """
    points: list[PlannedPoint] = []
    if arrivals != "open":
        points += closed_points(concurrency, inputs, outputs, requests, seed)
        points += adapter_points(concurrency, inputs, outputs, requests, seed, adapters)
    if arrivals != "closed":
        point = poisson_point(inputs, outputs, requests, rate, seed) if trace is None else trace_point(
            trace.arrival_s.tolist(), trace.input_tokens.tolist(), trace.output_tokens.tolist(), requests, rate)
        points.append(replace(point, adapters=adapters) if arrivals == "open" else point)
    return ServePlan(tuple(points))


def closed_points(concurrency: Sequence[int], inputs: Sequence[int], outputs: Sequence[int], requests: int | None,
                  seed: int) -> tuple[PlannedPoint, ...]:
    """Every concurrency with every prompt length, from light to heavy; `requests` of each, else by LONE_REQUESTS, ROUNDS."""
    chance = random.Random(seed)  # noqa: S311 -- lengths, not secrets
    points = []
    for i, level in enumerate(concurrency):
        for j, prompt in enumerate(inputs):
            output = outputs[(i + j) % len(outputs)]
            n = requests if requests is not None else max(LONE_REQUESTS, ROUNDS * level)
            lengths = spread_lengths(output, n, chance) if level > 1 else [output] * n
            points.append(PlannedPoint(
                "closed", prompt, output, tuple(PlannedRequest(prompt, length) for length in lengths), concurrency=level))
    return tuple(points)


def adapter_points(concurrency: Sequence[int], inputs: Sequence[int], outputs: Sequence[int], requests: int | None,
                   seed: int, adapters: int) -> tuple[PlannedPoint, ...]:
    """Loads with unmerged adapters, with one and with all of them: of each concurrency one prompt length, which rotates."""
    counts = sorted({1, adapters}) if adapters else []
    return tuple(
        replace(point, adapters=count)
        for count in counts
        for i, level in enumerate(concurrency)
        for point in closed_points((level,), (inputs[i % len(inputs)],), (outputs[i % len(outputs)],), requests, seed + count)
    )


def poisson_point(inputs: Sequence[int], outputs: Sequence[int], requests: int | None, rate: float | None,
                  seed: int) -> PlannedPoint:
    """An open loop of Poisson arrivals, at the geometric mean of the lengths; without `rate` at one that is told later."""
    chance = random.Random(seed + 1)  # noqa: S311 -- arrivals, not secrets
    prompt, output = _middle(inputs), _middle(outputs)
    n = requests if requests is not None else OPEN_REQUESTS
    span_s = (n - 1) / (rate or 1.0)  # given their number, Poisson arrivals are spread evenly at random: the rate is then exact
    times = [0.0, *sorted(chance.uniform(0.0, span_s) for _ in range(n - 2)), span_s][:n]
    lengths = spread_lengths(output, n, chance)
    arrivals = tuple(PlannedRequest(prompt, length, at_s) for length, at_s in zip(lengths, times, strict=True))
    return PlannedPoint("poisson", prompt, output, arrivals, rate=rate)


def trace_point(arrival_s: Sequence[float], inputs: Sequence[int], outputs: Sequence[int], requests: int | None,
                rate: float | None) -> PlannedPoint:
    """An open loop of recorded arrivals, the first `requests` of them; sped up or slowed to a mean of `rate` where given."""
    n = min(len(arrival_s), requests if requests is not None else len(arrival_s))
    planned = tuple(PlannedRequest(max(int(i), 1), max(int(o), 1), float(t) - float(arrival_s[0]))
                    for t, i, o in zip(arrival_s[:n], inputs[:n], outputs[:n], strict=True))
    means = (round(sum(r.input_tokens for r in planned) / n), round(sum(r.output_tokens for r in planned) / n))
    point = PlannedPoint("trace", *means, planned)
    if rate is not None and not planned[-1].at_s:
        raise InputError("--rate: the trace's requests arrive all at once; they have no rate")
    return point.at_rate(point.own_rate if rate is None else rate)


def spread_lengths(aim: int, n: int, chance: random.Random) -> list[int]:
    """`n` lengths within SPREAD of `aim`, whose sum is n x aim."""
    most = int(aim * SPREAD)
    shifts = [chance.randint(0, most) * chance.choice((1, -1)) for _ in range(n // 2)]
    lengths = [aim + shift for shift in shifts] + [aim - shift for shift in shifts] + [aim] * (n % 2)
    chance.shuffle(lengths)
    return lengths


def open_rate(rates: Sequence[float]) -> float:
    """Offered rate for lengths in the middle of those at which closed loops reached `rates`, requests a second."""
    return OPEN_SHARE * exp(sum(log(rate) for rate in rates) / len(rates))


def _middle(lengths: Sequence[int]) -> int:
    return max(round(exp(sum(log(length) for length in lengths) / len(lengths))), 1)


def planned_seconds(plan: ServePlan, step_s: float = STEP_S, prompt_rate: float = PROMPT_RATE) -> float:
    """Seconds that the points would take where every step takes `step_s` and prompts so many tokens a second.

    Unstated, a guess before anything is known. With the time a token of a lone request and an endless `prompt_rate` it is the
    least: steps of more sequences and longer contexts take longer, and prompts their own time.
    """
    most = max((point.concurrency for point in plan.points if point.concurrency is not None), default=1)
    total = 0.0
    for point in plan.points:
        work_s = point.prompt_tokens / prompt_rate
        if point.concurrency is not None:
            total += work_s + point.asked_tokens / point.concurrency * step_s
        elif point.rate is not None:
            total += (point.requests[-1].at_s or 0.0) + point.output_tokens * step_s
        else:
            total += (work_s + point.asked_tokens / most * step_s) / OPEN_SHARE
    return total
