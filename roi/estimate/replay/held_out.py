"""What a fitted step predicts of measured loads that the fit has not seen: open loops, and points with unmerged adapters.

A profile of a server holds closed loops, to which the step is fitted, and open loops, which are held out. Replaying a held-out
loop with the fitted step gives TPOT, TTFT and tokens/s as predicted; over those as measured they are the error of the fit.
What adapters that are applied at run time leave of the engine's speed follows from points that hold them:

    speed = seconds that the step fitted without them takes for the work of a point / seconds that were measured

over the windows of each point with unmerged adapters; several points with as many adapters are averaged in logarithms.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from roi.errors import InputError
from roi.estimate.replay.engine import Server
from roi.estimate.replay.router import Replayed, Requests, replay, replay_closed
from roi.estimate.replay.traffic import mean_kv
from roi.estimate.serving.replica_memory import SEQUENCE_LIMIT, STEP_TOKENS
from roi.estimate.serving.routing import expert_share
from roi.estimate.serving.step_fit import StepFit, fitted_points, held_out_points, kv_reader
from roi.estimate.serving.windows import StepRows, in_chunks, point_rows
from roi.estimate.step.calibration import half_width
from roi.facts.model import ModelShape
from roi.facts.serve_profile import ServedRequest, ServePoint, ServeProfile
from roi.numerics.arrays import Array


def replay_served(
    requests: Sequence[ServedRequest], server: Server, concurrency: int | None, kv_of: Callable[[Array], Array] = np.asarray,
    shape: ModelShape | None = None, *, reserved: bool = False,
) -> Replayed:
    """The requests, in order of sending, with the times that the server's step gives them.

    With `concurrency` in flight, as a closed loop: what was measured enters through the lengths alone. Without, at the times
    at which they were sent. `kv_of` gives the tokens that a step reads for a context of so many (windows of `shape` cap it);
    what is read for a request grows evenly from its first to its last token. `reserved`: `EngineHabits.reserves`.
    """
    prompt, cached, output = (
        np.array([float(getattr(r, name)) for r in requests]) for name in ("prompt_tokens", "cached_tokens", "output_tokens")
    )
    start, end = kv_of(prompt + 1.0), kv_of(prompt + output)
    growth = (end - start) / np.maximum(output - 1.0, 1.0)
    sent = np.array([r.sent_s for r in requests])
    load = Requests(
        arrival_s=sent, prefill_tokens=np.maximum(prompt - cached, 1.0), output_tokens=output, kv_start=start, kv_growth=growth,
        kv_held=end, kv_mean=None if reserved else mean_kv(kv_of, prompt, output, shape),
    )
    return replay(load, server) if concurrency is None else replay_closed(load, server, concurrency)


@dataclass(frozen=True)
class HoldOut:
    """One open loop, measured and replayed with the fitted step; seconds and tokens/s."""

    point: int
    """Number of the point in the profile, from 1."""
    requests: int
    """Requests that succeeded with two tokens or more, which are replayed."""
    tpot_s: float
    """Median over the requests, as measured."""
    predicted_tpot_s: float
    """Median TPOT over the requests, as replayed."""
    ttft_s: float
    """Median over the requests, as measured."""
    predicted_ttft_s: float
    """Median TTFT over the requests, as replayed."""
    tokens_per_s: float
    """Output tokens from the first sending to the last token, as measured."""
    predicted_tokens_per_s: float
    """Output tokens a second from the first sending to the last token, as replayed."""

    @property
    def errors(self) -> tuple[float, float, float]:
        """Predicted over measured - 1, of TPOT, TTFT and tokens/s."""
        return (
            self.predicted_tpot_s / self.tpot_s - 1.0, self.predicted_ttft_s / self.ttft_s - 1.0,
            self.predicted_tokens_per_s / self.tokens_per_s - 1.0,
        )


def held_out(
    profile: ServeProfile, fit: StepFit, shape: ModelShape | None = None, *, reserved: bool = False
) -> tuple[HoldOut, ...]:
    """Each open loop of the profile that the fit has not seen, measured and replayed; none where nothing was fitted.

    `reserved` is how its engine admits (`EngineHabits.reserves`).
    """
    if fit.iteration is None:
        return ()
    server = fitted_server(fit, profile.kv_capacity_tokens)
    found = [_replayed(number, point, server, profile, shape, reserved=reserved) for number, point in held_out_points(profile)]
    return tuple(one for one in found if one is not None)


def fitted_server(fit: StepFit, kv_capacity_tokens: float | None = None) -> Server:
    """The profiled replica as a server to replay, KV in tokens.

    Without a stated capacity its cache is endless; without a request that met an idle server TTFT lacks what lies outside
    the steps.
    """
    if fit.iteration is None:
        raise InputError(f"step fit: {fit.rejected[0] if fit.rejected else 'nothing was fitted'}")
    step_tokens = fit.step_tokens or STEP_TOKENS
    return Server(
        fit.iteration, np.inf if kv_capacity_tokens is None else kv_capacity_tokens,
        sequence_limit=min(fit.sequence_limit or SEQUENCE_LIMIT, step_tokens), step_tokens=step_tokens,
        request_s=fit.request_s or 0.0, prompts_alone=fit.prompts_alone,
    )


def _replayed(
    number: int, point: ServePoint, server: Server, profile: ServeProfile, shape: ModelShape | None, *, reserved: bool
) -> HoldOut | None:
    """The point beside its replay; None where no request has two tokens, most got all at once, or none fits the cache."""
    good = sorted((r for r in point.requests if r.error is None and len(r.chunk_s) > 1), key=lambda r: r.sent_s)
    if not good:
        return None
    found = replay_served(good, server, point.concurrency, kv_reader(shape, profile.gpus), shape, reserved=reserved)
    if not found.served.any():
        return None
    output, sent = np.array([float(r.output_tokens) for r in good]), np.array([r.sent_s for r in good])
    first, last = np.array([r.chunk_s[0] for r in good]), np.array([r.chunk_s[-1] for r in good])
    tpot = ((last - first) / np.maximum(output - 1.0, 1.0))[output > 1.0]
    if not tpot.size or np.median(tpot) <= 0.0:
        return None
    total, begin = float(output.sum()), float(sent[0])
    return HoldOut(
        point=number + 1, requests=len(good), tpot_s=float(np.median(tpot)),
        predicted_tpot_s=float(np.median(found.tpot_s)), ttft_s=float(np.median(first - sent)),
        predicted_ttft_s=float(np.median(found.ttft_s)), tokens_per_s=total / float(last.max() - begin),
        predicted_tokens_per_s=total / (float(found.ended_s[found.served].max()) + found.request_s - begin),
    )


@dataclass(frozen=True)
class AdapterSpeed:
    """Speed with unmerged adapters over the speed without, for the same work."""

    adapters: int
    """Different ones among the requests."""
    speed: float
    low: float
    """5th percentile of the speed under another load."""
    high: float
    """95th percentile of the speed under another load."""
    points: int


def adapter_speeds(profile: ServeProfile, fit: StepFit, shape: ModelShape | None = None) -> tuple[AdapterSpeed, ...]:
    """The speed with each number of unmerged adapters, fewest first; none where the fit is of such points itself.

    Points that were cut short are left out.
    """
    used = {number for number, _ in fitted_points(profile)}
    slower = [(i, p) for i, p in enumerate(profile.points) if p.adapter == "unmerged" and p.complete and i not in used]
    logs: dict[int, list[float]] = {}
    for number, point in slower:
        reader, share = kv_reader(shape, profile.gpus), expert_share(shape) if shape else 0.0
        rows, _ = point_rows(point, number, reader, share, ends_only=profile.ends_only, prompts_alone=fit.prompts_alone)
        if rows is None or fit.iteration is None:
            continue
        windows = rows.request == 0.0
        ratio = fitted_seconds(fit, rows)[windows].sum() / rows.seconds[windows].sum() if windows.any() else 0.0
        if ratio > 0.0:
            logs.setdefault(point.adapters, []).append(float(np.log(ratio)))
    return tuple(_speed(count, np.array(logs[count]), fit) for count in sorted(logs))


def fitted_seconds(fit: StepFit, rows: StepRows) -> np.ndarray:
    """Seconds that the fitted step takes for each row's work."""
    assert fit.iteration is not None
    rows = in_chunks(rows, fit.step_tokens) if fit.step_tokens else rows
    step = fit.iteration
    return np.asarray(
        step.step_s * rows.steps + step.experts_s * rows.touched + step.sequence_s * rows.sequences
        + step.kv_byte_s * rows.kv + step.prefill_token_s * rows.prefill + (fit.request_s or 0.0) * rows.request
    )


def _speed(adapters: int, logs: np.ndarray, fit: StepFit) -> AdapterSpeed:
    centre = float(np.mean(logs))
    typical = max(fit.point_scatter or 0.0, fit.median_error or 0.0)
    half = half_width(logs.size, float(np.sum(np.square(logs - centre))), typical)
    speed = float(np.exp(centre))
    low, high = speed * float(np.exp(-half)), speed * float(np.exp(half))
    return AdapterSpeed(adapters=adapters, speed=speed, low=low, high=high, points=logs.size)
