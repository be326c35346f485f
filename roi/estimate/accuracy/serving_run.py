"""One measured serving run as the estimators take it: what ran under which load, what was seen, and whether that can be.

Also one replica of its system, as the engine's step and memory make it, and what a system does under a load.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from roi.estimate.serving.iteration import PERFECT, Efficiencies, Iteration, kv_element_bytes, roofline_iteration
from roi.estimate.serving.replica_memory import SEQUENCE_LIMIT, default_step_tokens, replica_memory
from roi.estimate.serving.request_shape import RequestShape
from roi.facts.gpu import Gpu
from roi.facts.model import ModelShape

LoadKind = Literal["static", "closed", "open", "saturated"]
"""static: a batch that starts together and ends together. closed: a fixed number of requests in flight. open: requests
arrive at a rate. saturated: more requests than the server can take at once, all there from the start or endless."""
TpotKind = Literal["between-tokens", "over-all-tokens", "end-to-end"]
"""between-tokens: (end - first token) / (output - 1). over-all-tokens: (end - first token) / output, as GuideLLM counts it.
end-to-end: (end - arrival) / output, the waiting included."""
BEYOND: Final = 5.0
"""Factor beyond the roofline from which a figure must be of another unit, precision or card: 4 bits in place of 16, guessed
tokens and cached prefixes make less on most runs; milliseconds written as seconds make 1,000."""
LITTLE: Final = 5.0
"""Factor between the requests in flight that a run states and its rate x latency, from which one of its figures must be
another's or of another unit: means against medians, ramps and spread lengths make less than 2."""


@dataclass(frozen=True)
class ServingLoad:
    """What a system of one or more equal replicas is asked for."""

    kind: LoadKind
    input_tokens: float
    """Mean prompt tokens."""
    output_tokens: float
    """Mean generated tokens, at least 1."""
    length_cv: float = 0.0
    """Standard deviation over mean of both lengths."""
    concurrency: float | None = None
    """Requests in flight or in the batch, over all replicas; None for open and saturated loads."""
    requests_per_s: float | None = None
    """Offered rate over all replicas, open loads."""
    prompts: float | None = None
    """Requests of the whole run, over all replicas; None where it is endless or not stated."""
    held_to_slo: bool = False
    """saturated: the most that keeps an SLO, below what the server can do (MLPerf Server, Interactive)."""
    adapters: int = 0
    """Unmerged LoRA adapters that share the batch; 0 without."""

    @property
    def requests(self) -> RequestShape:
        """The same as the iteration model takes it."""
        return RequestShape(self.input_tokens, self.output_tokens, 0.0, self.length_cv, self.length_cv)


@dataclass(frozen=True)
class ServingSystem:
    """Equal replicas of one model."""

    shape: ModelShape
    gpu: Gpu
    replicas: float
    tensor_parallel: float
    weight_dtype: str
    """A name of WEIGHT_FORMATS."""
    kv_dtype: str
    """A name of KV_BYTES."""
    sequence_limit: float = SEQUENCE_LIMIT
    """Sequences that a replica decodes together at most (max_num_seqs, max_batch_size)."""
    prefill_replicas: float = 0.0
    """Of the replicas, those that compute prompts and nothing else (disaggregated serving); 0: every one does both."""

    @property
    def kv_element_bytes(self) -> float:
        """Bytes of one KV cache element."""
        return kv_element_bytes(self.kv_dtype)


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
    implausible: bool = False
    """True where the table marks the row as beyond what its stated hardware can do."""
    assumed: tuple[tuple[str, float], ...] = ()
    """Each default that stands in for a blank column ("kv_dtype fp8"), with the factor by which it may be off."""


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


@dataclass(frozen=True)
class Replica:
    """What one replica does in a step, and how much it holds."""

    iteration: Iteration
    kv_read_bytes: float
    """KV cache that a step reads for one sequence of mean length, on each GPU."""
    slots: float
    """Sequences of full length that it holds, at most its sequence_limit; at least 1, since the run was measured."""
    mean_slots: float
    """The same of mean length: a server that is never empty holds sequences of every age."""
    step_tokens: float

    def step_s(self, sequences: float) -> float:
        """Seconds of a step that decodes so many sequences of mean length."""
        return float(self.iteration.decode_s(sequences, self.kv_read_bytes * sequences))

    def prefill_s(self, input_tokens: float, sequences: float) -> float:
        """Seconds that one prompt takes from `sequences` that decode: its tokens, and the experts that it touches besides."""
        chunks = max(input_tokens / self.step_tokens, 1.0)
        besides = float(self.iteration.experts_s) * (1.0 - float(self.iteration.touched(sequences)))
        return float(self.iteration.prefill_token_s) * input_tokens + chunks * besides


@dataclass(frozen=True)
class OperatingFigures:
    """What a system does under a load, SI units; the parts agree: concurrency = rate x (TTFT + (O - 1) x TPOT)."""

    requests_per_s: float
    ttft_s: float
    """Mean."""
    tpot_s: float
    """Mean, between tokens."""
    output_tokens: float
    input_tokens: float

    @property
    def output_tokens_per_s(self) -> float:
        """Generated tokens a second."""
        return self.requests_per_s * self.output_tokens

    @property
    def total_tokens_per_s(self) -> float:
        """Prompt and generated tokens a second."""
        return self.requests_per_s * (self.output_tokens + self.input_tokens)


def replica_of(run: ServingRun, efficiencies: Efficiencies, speed: float = 1.0) -> Replica:
    """One replica of the run's system with an engine of these efficiencies at `speed` times its speed."""
    system, requests = run.system, run.load.requests
    tokens = float(default_step_tokens(system.gpu, since_0_28=False))
    iteration = roofline_iteration(system.shape, system.gpu, system.tensor_parallel, system.weight_dtype,
                                   requests.prefill_context, efficiencies).at_speed(speed)
    memory = replica_memory(system.shape, system.gpu, system.tensor_parallel, system.weight_dtype, system.kv_dtype, requests,
                            step_tokens=tokens, sequence_limit=system.sequence_limit)

    def slots(found: float) -> float:
        return float(np.clip(found, 1.0, system.sequence_limit))

    return Replica(iteration, float(memory.kv_read_bytes), slots(float(memory.long_sequences)),
                   slots(float(memory.sequences)), tokens)
