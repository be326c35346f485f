"""What a measurement of a server cannot be: faster than the roofline, against Little's law, or out of order in time.

No step is faster than reading its weights and KV cache once at the datasheet's bandwidth, nor than its products at the full
rate. In a closed loop the mean number of requests in flight is the one that was asked for. A token comes after its request.
"""

from dataclasses import replace
from typing import Final

import numpy as np

from roi.estimate.serving.efficiencies import PERFECT
from roi.estimate.serving.iteration import Iteration, kv_bytes_per_gpu, kv_element_bytes, roofline_iteration
from roi.estimate.serving.routing import expert_share
from roi.estimate.serving.windows import point_rows
from roi.facts.gpu import Gpu
from roi.facts.model import ModelShape
from roi.facts.serve_profile import ServePoint, ServeProfile

FASTER: Final = 0.02
"""Share by which rounding and the datasheet's own figures may put a step below the roofline."""
HALVES: Final = 2.0
"""Halves of the 90% interval by which a coefficient must be below the roofline to contradict it: 3.3 standard deviations of its
own noise, one honest fit in two thousand."""
LITTLE: Final = 0.10
"""Share by which rate x latency may differ from the requests in flight: the start and the end of a finite run."""
CLOCK_S: Final = 1e-3
"""Seconds by which a stamp may come before its cause: two clocks of one machine, rounding of exports to a millisecond."""


def impossible(profile: ServeProfile, shape: ModelShape | None = None, gpu: Gpu | None = None) -> tuple[str, ...]:
    """Why the profile cannot be true, one sentence with its figures each; empty where nothing speaks against it.

    The roofline is looked at where the shape, the card and the weights' format are known.
    """
    points = list(enumerate(profile.points, 1))
    found = [check(number, point) for check in (_out_of_order, _not_in_flight) for number, point in points]
    if shape and gpu and profile.weight_dtype:
        found += [_beats_roofline(profile, number, shape, gpu, profile.weight_dtype) for number, _ in points]
    return tuple(sentence for sentence in found if sentence)


def _beats_roofline(profile: ServeProfile, number: int, shape: ModelShape, gpu: Gpu, weight_dtype: str) -> str | None:
    """The sentence that point `number` (from 1) decodes faster than the card can; None where it does not.

    A step can take no less than reading weights and KV cache once, nor less than its products at the full rate; the two
    may overlap, so the floor is the larger. A mixture of experts is taken to read the experts of one token only.
    """
    point, tp = profile.points[number - 1], profile.gpus
    element = kv_element_bytes(profile.kv_dtype or "bf16")
    rows, _ = point_rows(point, number, lambda tokens: np.asarray(kv_bytes_per_gpu(shape, tokens, tp, element)),
                         ends_only=profile.ends_only)
    if rows is None:
        return None
    windows = rows.request == 0.0
    best = roofline_iteration(shape, gpu, tp, weight_dtype, 0.0, PERFECT)
    weights = float(best.step_s) + float(best.experts_s) * expert_share(shape)
    reading = weights * rows.steps + float(best.kv_byte_s) * rows.kv
    products = float(best.sequence_s) * rows.sequences + float(best.prefill_token_s) * rows.prefill
    floor = float(np.maximum(reading, products)[windows].sum())
    measured, steps = float(rows.seconds[windows].sum()), float(rows.steps[windows].sum())
    if not windows.any() or measured >= floor * (1.0 - FASTER):
        return None
    return (
        f"point {number}: a step takes {1e3 * measured / steps:.3g} ms, the roofline of {shape.id} in {weight_dtype} on"
        f" {tp} x {gpu.id} is {1e3 * floor / steps:.3g} ms: model, format, card or GPUs are not as stated, or the server"
        " decodes speculatively"
    )


def theory_step(profile: ServeProfile, shape: ModelShape | None, gpu: Gpu | None) -> Iteration | None:
    """The roofline's step of what was profiled, KV per token; None where shape, card or format is unknown. No engine is faster.

    A prompt token's attention is taken at half the mean prompt.
    """
    if shape is None or gpu is None or profile.weight_dtype is None:
        return None
    prompts = [r.prompt_tokens for p in profile.points for r in p.requests if r.error is None]
    context = float(np.mean(prompts)) / 2.0 if prompts else 0.0
    best = roofline_iteration(shape, gpu, profile.gpus, profile.weight_dtype, context, PERFECT)
    element = kv_element_bytes(profile.kv_dtype or "bf16")
    two, one = (float(kv_bytes_per_gpu(shape, tokens, profile.gpus, element)) for tokens in (2.0, 1.0))
    return replace(best, kv_byte_s=best.kv_byte_s * (two - one))


def least_coefficients(profile: ServeProfile, shape: ModelShape | None, gpu: Gpu | None) -> dict[str, float]:
    """The least seconds of those of a step's coefficients that nothing hides for long, by the roofline; empty as `theory_step`.

    KV is read by the bandwidth that reads the weights, and products of a long prompt take longer than these. Products of few
    sequences may hide behind the weights whole, and are not looked at.
    """
    best = theory_step(profile, shape, gpu)
    return {} if best is None else {"kv_token_s": float(best.kv_byte_s), "prefill_token_s": float(best.prefill_token_s)}


def beats_least(name: str, most_s: float, least_s: float) -> str | None:
    """The sentence that a coefficient of at most `most_s` is below the least of the roofline; None where it is not."""
    if most_s >= least_s * (1.0 - FASTER):
        return None
    each, hidden = {"kv_token_s": ("KV token", "KV format"), "prefill_token_s": ("prompt token", "use of a prefix cache")}[name]
    return (
        f"each {each} takes at most {1e6 * most_s:.3g} us by these loads, {HALVES:g} half widths of its 90% interval above its"
        f" value, and by the roofline no less than {1e6 * least_s:.3g} us: model, format, {hidden}, card or GPUs are not as"
        " stated, or the loads are too small to show it"
    )


def breaks_tokens(output_tokens_per_s: float, requests_per_s: float, output_tokens: float) -> str | None:
    """The sentence that a summary's token rate is not its request rate x its mean output; None where it is."""
    product = requests_per_s * output_tokens
    if abs(product - output_tokens_per_s) <= LITTLE * output_tokens_per_s:
        return None
    return (
        f"{requests_per_s:.4g} requests/s x {output_tokens:.4g} output tokens = {product:.4g} tokens/s, but"
        f" {output_tokens_per_s:.4g} are stated"
    )


def _out_of_order(number: int, point: ServePoint) -> str | None:
    """The sentence that a timestamp comes before its cause; None where all are in order."""
    for place, r in enumerate(point.requests, 1):
        stamps = np.array([r.sent_s, *r.chunk_s, *([] if r.ended_s is None else [r.ended_s])])
        if np.any(np.diff(stamps) < -CLOCK_S):
            i = int(np.argmin(np.diff(stamps)))
            return (
                f"point {number}, request {place}: {stamps[i + 1]:.6f} s comes after {stamps[i]:.6f} s: the stamps are not"
                " in order"
            )
    return None


def _not_in_flight(number: int, point: ServePoint) -> str | None:
    """The sentence that a closed loop did not have its requests in flight; None where it did.

    The mean is taken over the time in which requests were still sent.
    """
    if point.concurrency is None or len(point.requests) < 2 * point.concurrency:
        return None
    sent = np.array([r.sent_s for r in point.requests])
    ended = np.array([r.ended_s if r.ended_s is not None else np.inf for r in point.requests])
    begin, end = float(sent.min()), float(sent.max())
    if end <= begin:
        return None
    inside = float(np.sum(np.minimum(ended, end) - sent)) / (end - begin)
    if abs(inside - point.concurrency) <= LITTLE * point.concurrency:
        return None
    return (
        f"point {number}: {point.concurrency} requests in flight are stated, {inside:.3g} were, on average, while requests"
        " were sent (Little's law)"
    )
