"""One measured serving run as the estimators take it: what ran under which load, what was seen, and whether that can be."""

import math
from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple

import numpy as np

from roi.estimate.replay.engine import Server
from roi.estimate.replay.loads import AtSpeed, OperatingFigures, ServingLoad, load_figures
from roi.estimate.replay.replica_plan import ReplicaPlan
from roi.estimate.serving.efficiencies import PERFECT, Efficiencies
from roi.estimate.serving.iteration import matrix_rate, roofline_iteration
from roi.estimate.serving.replica_memory import EngineHabits

TpotKind = Literal["between-tokens", "over-all-tokens", "end-to-end"]
"""between-tokens: (end - first token) / (output - 1). over-all-tokens: (end - first token) / output, as GuideLLM counts it.
end-to-end: (end - arrival) / output, the waiting included."""
BEYOND: Final = 5.0
"""Factor beyond the roofline from which a figure must be of another unit, precision or card: 4 bits in place of 16, guessed
tokens and cached prefixes make less on most runs; milliseconds written as seconds make 1,000."""
ABOVE: Final = 0.10
"""Share by which a row of one's own may be above the roofline: lengths and rates are rounded, and cards clock up to a tenth
above their datasheets (`StepEfficiency.matrix_of`)."""
FREE_LINKS: Final = replace(PERFECT, link_efficiency=math.inf)
"""The roofline of reading and multiplying alone: engines hide what they send behind both."""
ROOM: Final = 1.5
"""Requests of mean length that a measured server held at least: longer ones were served too."""
LITTLE: Final = 5.0
"""Factor between the requests in flight that a run states and its rate x latency, from which one of its figures must be
another's or of another unit: means against medians, ramps and spread lengths make less than 2."""
APART: Final = 0.10
"""Share by which the rates of a row of one's own may differ at its mean lengths; 2,322 published rows differ by 1% at most."""


@dataclass(frozen=True, kw_only=True)
class ServingSystem(ReplicaPlan):
    """Equal replicas of one model, each of them such a plan."""

    replicas: float
    prefill_replicas: float = 0.0
    """How many of the replicas compute prompts and nothing else (disaggregated serving); 0: every one does both."""
    since_0_28: bool = False

    def plan(self, habits: EngineHabits) -> ReplicaPlan:
        """One replica, on an engine with these habits."""
        return replace(self, habits=habits)


@dataclass(frozen=True)
class ServingRun:
    """A row of a table of measurements."""

    id: str
    source: str
    """Group that shares software and habits: the id without its number."""
    system: ServingSystem
    load: ServingLoad
    engine: str
    """Engine family: a name of the catalog's serving engines, or "other"."""
    recent: bool = True
    """True for releases of the engine's present design, whose decode kernels read a KV head once for all its query heads."""
    requests_per_s: float | None = None
    """Completed requests, whole system."""
    output_tokens_per_s: float | None = None
    total_tokens_per_s: float | None = None
    ttft_s: float | None = None
    tpot_s: float | None = None
    tpot_kind: TpotKind = "between-tokens"
    implausible: str = ""
    """Why it is no run of its stated hardware and load: the table marks it so, or `impossible`; else empty."""
    assumed: tuple[tuple[str, float], ...] = ()
    """Each default that stands in for a blank column ("kv_dtype fp8"), with the factor by which it may be off."""


class HeldToRoofline(NamedTuple):
    """A stated figure beside the roofline's."""

    column: str
    """The figure's column in a table of serving runs."""
    times: float
    """The stated speed over the roofline's; above 1 no engine reaches it."""
    told: str
    """The figure, the limit, and the likely slip where it is above."""


def impossible(run: ServingRun) -> str:
    """Why they cannot be figures of the stated hardware, Little's law or BEYOND times the roofline; empty where they can."""
    best = max(held_to_roofline(run), key=lambda each: each.times)
    return _against_littles_law(run) or best.told * (best.times > BEYOND)


def _against_littles_law(run: ServingRun) -> str:
    """requests/s x (TTFT + (output - 1) x TPOT) and the concurrency where they are far apart; empty where one is missing."""
    rate, stated = next(iter(_requests_per_s(run).values()), None), run.load.concurrency
    if stated is None or rate is None or run.ttft_s is None or run.tpot_s is None:
        return ""
    seconds = run.ttft_s + (run.load.output_tokens - 1.0) * run.tpot_s
    if stated / LITTLE <= rate * seconds <= stated * LITTLE:
        return ""
    return (f"{rate:.4g} requests/s that take {seconds:.3g} s each (TTFT and TPOT) are {rate * seconds:.3g} in flight, and"
            f" concurrency {stated:g} (Little's law)")


def contradiction(run: ServingRun) -> tuple[str, str] | None:
    """(column, sentence) where the row's figures contradict each other; None where they do not.

    Each rate says how many requests a second are done, by the mean lengths; latency says how many are then in flight.
    """
    load, rates = run.load, _requests_per_s(run)
    first, *others = rates or [""]
    for other in others:
        if abs(rates[other] / rates[first] - 1.0) > APART:
            return other, (f"it makes {rates[other]:.4g} requests/s of {load.input_tokens:,.6g} + {load.output_tokens:,.6g}"
                           f" tokens, and {first} {rates[first]:.4g}")
    odd = _against_littles_law(run)
    return ("tpot_ms", odd) if odd else None


def _requests_per_s(run: ServingRun) -> dict[str, float]:
    """Requests a second by each rate that the run states."""
    load = run.load
    rates = {"req_per_s": (run.requests_per_s, 1.0), "output_tok_per_s": (run.output_tokens_per_s, load.output_tokens),
             "total_tok_per_s": (run.total_tokens_per_s, load.input_tokens + load.output_tokens)}
    return {column: rate / tokens for column, (rate, tokens) in rates.items() if rate is not None}


def above_roofline(run: ServingRun) -> HeldToRoofline | None:
    """The rate or TPOT that is the furthest above the roofline; None where none is, but for ABOVE.

    TTFT tells no speed, and many servers send an empty chunk first: it is not looked at.
    """
    found = max(_speeds(run), key=lambda each: each.times, default=None)
    return found if found is not None and found.times > 1.0 + ABOVE else None


def times_of_roofline(run: ServingRun) -> float:
    """The run's speed over the roofline's, by the rate or TPOT that comes nearest to it or is above; 0 where it states none."""
    return max((each.times for each in _speeds(run)), default=0.0)


def _speeds(run: ServingRun) -> list[HeldToRoofline]:
    return [each for each in held_to_roofline(run) if each.column != "ttft_ms"]


def held_to_roofline(run: ServingRun) -> tuple[HeldToRoofline, ...]:
    """Every stated figure beside what no engine betters on the stated hardware, each weight read once a step.

    Each token after the first takes a step, which reads the weights once for the requests in flight; prompts that are not
    cached and these tokens are multiplied at the dense peak of all GPUs. TTFT is no less than a step, nor than the prompt's
    products. Ignored: KV cache, links, overheads. A mixture reads the experts of one token.
    """
    system, load = run.system, run.load
    engine = roofline_iteration(system.shape, system.gpu, system.tensor_parallel, system.weight_dtype,
                                load.requests.prefill_context, FREE_LINKS, attention_parallel=system.attention_parallel)
    groups, later = system.replicas * system.stages, load.output_tokens - 1.0
    reading = float(engine.step_s + engine.experts_s * engine.touched(1.0))
    prompt = float(engine.prefill_token_s) * load.computed_tokens
    products = (prompt + float(engine.sequence_s) * later) / groups
    read = 0.0 if load.concurrency is None else reading * later / load.concurrency
    gpus = groups * system.tensor_parallel
    flops = gpus * float(matrix_rate(system.gpu, system.weight_dtype, PERFECT)) / 1e15
    bandwidth = gpus * system.gpu.bandwidth_bytes_per_s / 1e12
    cards = f"{gpus:g} x {system.gpu.id}"

    def rate(column: str, words: str, stated: float, tokens: float) -> HeldToRoofline:
        times, per_s = stated / tokens * max(products, read), f"{stated:,.6g} {words}/s"
        if products >= read:
            told = (f"{per_s} of {load.computed_tokens:,.0f} + {load.output_tokens:,.0f} tokens would take {times * flops:.3g}"
                    f" PFLOP/s in {system.weight_dtype}; {cards} do {flops:.3g}")
        else:
            told = (f"{per_s} with {load.concurrency:g} in flight would read the {system.weight_dtype} weights at"
                    f" {times * bandwidth:.3g} TB/s; {cards} do {bandwidth:.3g}")
        in_all = load.input_tokens + load.output_tokens
        of_all = column == "output_tok_per_s" and times * load.output_tokens / in_all <= 1.0
        slip = "total tokens" if of_all else "of a cached prompt (cached_isl)" if products >= read else "decoded speculatively"
        return HeldToRoofline(column, times, f"{told}: are these {slip}, or of more cards?")

    rates = (("req_per_s", "requests", run.requests_per_s, 1.0),
             ("output_tok_per_s", "output tokens", run.output_tokens_per_s, load.output_tokens),
             ("total_tok_per_s", "tokens", run.total_tokens_per_s, load.input_tokens + load.output_tokens))
    found = [rate(column, words, stated, tokens) for column, words, stated, tokens in rates if stated is not None]
    if run.tpot_s is not None:
        first = max(reading, prompt) if run.tpot_kind == "end-to-end" else 0.0
        least = reading if run.tpot_kind == "between-tokens" else (first + reading * later) / load.output_tokens
        what = f"its share of the prompt and of reading the {system.weight_dtype} weights" if first else (
            f"reading the {system.weight_dtype} weights once")
        found.append(HeldToRoofline("tpot_ms", least / run.tpot_s, (
            f"a token takes {1e3 * run.tpot_s:.3g} ms, and {what} takes {system.tensor_parallel:g} x {system.gpu.id}"
            f" {1e3 * least:.3g} ms: is it of another unit, format or card, or decoded speculatively?")))
    if run.ttft_s is not None:
        found.append(HeldToRoofline("ttft_ms", max(reading, prompt) / run.ttft_s, "the first token comes before its prompt"))
    return tuple(found)


def is_offline(load: ServingLoad) -> bool:
    """True where requests are handed to the engine inside its own process: bursts, and what LoadGen holds to an SLO."""
    return load.kind == "saturated"


def holding_one(server: Server, plan: ReplicaPlan, load: ServingLoad) -> Server:
    """The server with room for one request at least, since the run was measured."""
    return replace(server, kv_capacity=max(server.kv_capacity, ROOM * _kv_of_one(plan, load)))


def _kv_of_one(plan: ReplicaPlan, load: ServingLoad) -> float:
    """KV of a request of mean lengths at its end, bytes on each GPU."""
    return float(plan.requests(ServingLoad(load.kind, load.input_tokens, load.output_tokens).drawn(1), np.zeros(1)).kv_held[0])


def room_spread(run: ServingRun, plan: ReplicaPlan) -> float:
    """log of how far the sequences under way may be off where memory may hold fewer of them than are sent, else 0.

    Their KV has what weights and all else leave of the card's memory. Where weights fill most of it, OF_MEMORY of the card is a
    large share of that room. Of loads whose number in flight is stated: no more can be under way, and no fewer than one.
    """
    load, system = run.load, run.system
    if load.kind not in ("static", "closed"):
        return 0.0
    one = _kv_of_one(plan, load)
    room, unsure = float(np.asarray(plan.memory(load.requests).kv_capacity_bytes)), plan.unsure_bytes
    batches = (system.replicas - system.prefill_replicas) * system.stages  # each stage's memory stands for one batch's
    sent = max((load.concurrency or 1.0) / batches, 1.0)
    return 0.0 if sent * one <= room - unsure else min(math.log1p(unsure / max(room, ROOM * one)), math.log(sent))


def run_figures(run: ServingRun, efficiencies: Efficiencies, habits: EngineHabits) -> AtSpeed:
    """What the run's system does under the run's load with an engine of these efficiencies and habits, at any speed."""
    plan, requests = run.system.plan(habits), run.load.requests
    server = holding_one(plan.server(requests, efficiencies), plan, run.load)
    return load_figures(run.load, plan, server, run.system.replicas, run.system.prefill_replicas)


def stated_tpot(run: ServingRun, figures: OperatingFigures) -> float:
    """The predicted TPOT as the row defines it.

    end-to-end: mean of (TTFT + (O - 1) TPOT) / O over requests, where short outputs count more: O x E[1/O] is
    ln((1 + r) / (1 - r)) / 2r for lengths uniform within mean x (1 +- r), and 1 + cv^2 for lognormal ones.
    """
    o = figures.output_tokens
    if run.tpot_kind == "over-all-tokens":
        return figures.tpot_s * (o - 1.0) / o
    if run.tpot_kind == "end-to-end":
        cv = run.load.length_cv
        r = cv * math.sqrt(3.0)
        short = 1.0 if r < 1e-9 else math.log((1.0 + r) / (1.0 - r)) / (2.0 * r) if r < 1.0 else 1.0 + cv**2
        return figures.ttft_s / o * short + figures.tpot_s * (o - 1.0) / o
    return figures.tpot_s
