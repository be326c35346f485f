"""Figures of a serving run that cannot be: beyond what its hardware does, or at odds with each other."""

from typing import Final

from roi.estimate.accuracy.serving_run import ServingRun
from roi.estimate.serving.iteration import PERFECT, roofline_iteration

BEYOND: Final = 5.0
"""Factor beyond the roofline from which a figure must be of another unit, precision or card: 4 bits in place of 16, guessed
tokens and cached prefixes make less on most runs; milliseconds written as seconds make 1,000."""


LITTLE: Final = 5.0
"""Factor between the requests in flight that a run states and its rate x latency, from which one of its figures must be
another's or of another unit: means against medians, ramps and spread lengths make less than 2."""


def breaks_littles_law(run: ServingRun) -> bool:
    """True where requests/s x (TTFT + (output - 1) x TPOT) is far from the concurrency; False where a figure is missing."""
    load, rate = run.load, run.requests_per_s
    if rate is None and run.output_tokens_per_s is not None:
        rate = run.output_tokens_per_s / load.output_tokens
    if load.concurrency is None or rate is None or run.ttft_s is None or run.tpot_s is None:
        return False
    found = rate * (run.ttft_s + (load.output_tokens - 1.0) * run.tpot_s)
    return not load.concurrency / LITTLE <= found <= load.concurrency * LITTLE


def beyond_roofline(run: ServingRun) -> bool:
    """True where a figure of the run is more than BEYOND times better than its stated hardware can do.

    A step reads the weights once: TPOT and TTFT are no less. A prompt is computed: TTFT is no less. Rates are at most those of
    matrix products alone, and of so many in flight with nothing but weights to read. Ignored: KV cache, links, overheads.
    """
    system, load = run.system, run.load
    engine = roofline_iteration(system.shape, system.gpu, system.tensor_parallel, system.weight_dtype,
                                load.requests.prefill_context, PERFECT)
    step = float(engine.decode_s(1.0, 0.0))
    prompt = float(engine.prefill_token_s) * load.input_tokens
    tokens = system.replicas / float(engine.sequence_s)
    if load.concurrency is not None:
        tokens = min(tokens, load.concurrency / step)
    requests = min(tokens / load.output_tokens, system.replicas / prompt)
    bounds = (
        (run.requests_per_s, requests), (run.output_tokens_per_s, requests * load.output_tokens),
        (run.total_tokens_per_s, requests * (load.input_tokens + load.output_tokens)),
    )
    short = ((run.ttft_s, max(step, prompt)), (run.tpot_s, step))
    return (any(stated is not None and stated > BEYOND * most for stated, most in bounds)
            or any(stated is not None and stated * BEYOND < least for stated, least in short))
