"""A server simulated token by token, seeded: profiles whose true coefficients are known."""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from roi.estimate.serving.routing import Routing
from roi.facts.environment import Environment
from roi.facts.serve_profile import ServedRequest, ServePoint, ServeProfile


@dataclass(frozen=True)
class Truth:
    """step = a + b x decoding + c x KV tokens + d x prompt tokens + e x share of experts touched, s."""

    a: float = 8e-3
    b: float = 0.1e-3
    c: float = 0.2e-6
    d: float = 30e-6
    request_s: float = 4e-3
    step_tokens: int = 8192
    slots: int = 256
    experts_s: float = 0.0
    expert_share: float = 0.0
    prompts_alone: bool = False


@dataclass(frozen=True)
class Noise:
    """What stands between the engine's step and the client's clock."""

    step: float = 0.01
    """Standard deviation of log(step), independent."""
    drift: float = 0.01
    """The same, of an AR(1) process with correlation 0.98 from step to step (about 50 steps)."""
    timer_s: float = 0.3e-3
    """Mean of the exponential delay of each chunk at the client."""
    stall: float = 0.0
    """Probability that a step takes 20 times as long."""


@dataclass(frozen=True)
class Load:
    input_tokens: int
    output_tokens: int
    concurrency: int | None = None
    requests_per_s: float | None = None
    requests: int = 16
    spread: float = 0.3
    """Lengths are uniform within this share around the aim."""
    fails_every: int = 0
    cached: int = 0
    merged: int = 1
    """Tokens a streamed chunk carries."""
    adapter: str = "base"
    speed: float = 1.0


def simulate_point(load, truth=Truth(), noise=Noise(), seed=0) -> ServePoint:  # noqa: C901, PLR0912, PLR0915 - one loop, as an engine's
    """One point as a client would record it."""
    draw, (rate, power) = np.random.default_rng(seed), Routing.of(truth.expert_share)
    n = load.requests

    def lengths(aim):
        if load.spread == 0.0:
            return np.full(n, aim)
        return np.maximum(draw.integers(round(aim * (1 - load.spread)), round(aim * (1 + load.spread)) + 1, n), 1)

    prompts, outputs = lengths(load.input_tokens), lengths(load.output_tokens)
    sent = np.full(n, np.inf)
    if load.concurrency:
        sent[: load.concurrency] = 0.0
    else:
        sent = np.cumsum(draw.exponential(1.0 / load.requests_per_s, n))
    following = load.concurrency or n
    chunks = [[] for _ in range(n)]
    ended, error = [None] * n, [None] * n
    waiting, left, decoding, done = [], {}, {}, 0
    arrived = np.zeros(n, dtype=bool)
    t, drift = 0.0, 0.0
    while done < n:
        for i in np.flatnonzero(~arrived & (sent + truth.request_s / 2 <= t)):
            arrived[i] = True
            waiting.append(int(i))
            left[int(i)] = int(prompts[i]) - load.cached
        if not waiting and not decoding:
            t = float(np.min(sent[~arrived])) + truth.request_s / 2
            continue
        budget = truth.step_tokens - (0 if truth.prompts_alone else len(decoding))
        finished, used = [], 0
        for i in list(waiting):
            if budget <= 0 or len(decoding) + len(finished) >= truth.slots:
                break
            part = min(left[i], budget)
            left[i] -= part
            budget -= part
            used += part
            if left[i] == 0:
                finished.append(i)
                waiting.remove(i)
        running = {} if truth.prompts_alone and used else decoding
        kv = sum(int(prompts[i]) + made for i, made in running.items())
        touched = 1.0 - (1.0 + rate * (len(running) + used)) ** -power
        step = truth.a + truth.b * len(running) + truth.c * kv + truth.d * used + truth.experts_s * touched
        drift = 0.98 * drift + np.sqrt(1 - 0.98**2) * draw.normal() * noise.drift
        step *= np.exp(drift + noise.step * draw.normal()) / load.speed
        if draw.random() < noise.stall:
            step *= 20.0
        t += step
        for i in [*list(running), *finished]:
            made = decoding.get(i, 0) + 1
            if made % load.merged == 0 or made == outputs[i]:
                at = t + truth.request_s / 2 + draw.exponential(noise.timer_s)
                chunks[i].append(max(at, chunks[i][-1] if chunks[i] else 0.0))
            decoding[i] = made
            fails = load.fails_every and i % load.fails_every == load.fails_every - 1 and made >= outputs[i] // 2
            if made >= outputs[i] or fails:
                del decoding[i]
                done += 1
                ended[i] = (chunks[i][-1] if chunks[i] else t) + 1e-4
                error[i] = "cut off" if fails else None
                if following < n and load.concurrency:
                    sent[following] = ended[i]
                    following += 1
    requests = tuple(
        ServedRequest(
            sent_s=float(sent[i]), prompt_tokens=int(prompts[i]), cached_tokens=load.cached, asked_tokens=int(outputs[i]),
            output_tokens=int(outputs[i]) if error[i] is None else len(chunks[i]) * load.merged,
            chunk_s=tuple(float(x) for x in chunks[i]), ended_s=float(ended[i]), error=error[i],
        )
        for i in range(n)
    )
    return ServePoint(
        input_tokens=load.input_tokens, output_tokens=load.output_tokens, concurrency=load.concurrency,
        requests_per_s=load.requests_per_s, arrivals="closed" if load.concurrency else "poisson", requests=requests,
        adapter=load.adapter, adapters=0 if load.adapter == "base" else 1,
    )


DESIGN = (
    Load(64, 64, 1, requests=8), Load(2048, 32, 1, requests=8), Load(256, 128, 8, requests=32),
    Load(2048, 64, 8, requests=24), Load(128, 128, 32, requests=96), Load(1024, 64, 32, requests=64),
)
"""Six closed loops that tell the coefficients apart."""

HOLD_OUT = Load(512, 96, requests_per_s=8.0, requests=80)


def simulate(truth=Truth(), noise=Noise(), seed=0, loads=(*DESIGN, HOLD_OUT), **fields) -> ServeProfile:
    """A profile of these loads."""
    points = tuple(simulate_point(load, truth, noise, 1000 * seed + i) for i, load in enumerate(loads))
    usual = {
        "started": datetime(2026, 11, 25, tzinfo=UTC), "environment": Environment(device="none", versions={}),
        "url": "http://localhost:8000", "served_model": "tiny", "model": "tiny", "counted_by": "server usage",
        "prompt_counted_by": "server usage", "points": points,
    }
    return ServeProfile(**{**usual, **fields})


def coefficient(fit, name):
    """The fit's coefficient called `name`; None where no point shows it."""
    return next((c for c in fit.coefficients if c.name == name), None)
