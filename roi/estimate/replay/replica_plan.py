"""A model on one replica's GPUs as something to replay: the server that it is, and what requests take of it.

Every prediction of serving is made of these two: of a plan that `size` and `compare` rank, and of a row that `validate` scores.
"""

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from roi.estimate.replay.engine import Server
from roi.estimate.replay.router import Requests
from roi.estimate.replay.traffic import Lengths, as_requests
from roi.estimate.serving.adapter_memory import AdapterSlots
from roi.estimate.serving.efficiencies import Efficiencies
from roi.estimate.serving.iteration import Iteration, kv_element_bytes, roofline_iteration
from roi.estimate.serving.replica_memory import (
    VLLM,
    EngineHabits,
    ReplicaMemory,
    as_cached,
    default_sequence_limit,
    default_step_tokens,
    replica_memory,
)
from roi.estimate.serving.request_shape import RequestShape
from roi.facts.gpu import Gpu
from roi.facts.model import ModelShape
from roi.numerics.arrays import Array

REPLAYED_STEPS = 1.5
"""Steps from arrival to first token that the replay itself has: half of the one that runs, and the prompt's own. Engines that
schedule ahead were measured at more; each further one adds a step's time, which TTFT alone sees."""

WAITED_FOR = 0.5
"""Share of the hosts' time that stages wait for: loops of pipelines do not schedule the next step while this one runs
(TensorRT-LLM 1.0: _executor_loop_pp beside _executor_loop_overlap), and only other stages' batches hide it. Six bursts with
long answers take 0.5 to 0.7 of it more on 8 stages than on one (Llama-3.3-70B, RTX PRO 6000)."""

NO_FAST_LINK: Final = 1.3
"""Tensor parallelism over PCIe, or over nodes: latency of one all-reduce is 2 to 3 times NVLink's, and none was fitted."""
UNSEEN_ATTENTION: Final = ("latent", "linear")
"""Kinds of token mixing of which no fit has a run."""
TWICE_THE_KERNELS: Final = 2.0
"""Kernels of a layer with such attention over those of one with grouped heads, some ten, at most: latent attention has two
projections to low ranks and two norms more, products with what is absorbed before and after the attention proper, and
quantises the inputs of each; linear attention a convolution, gates and a norm. A step of launches alone takes so long."""
NODE_GPUS: Final = 8.0
"""GPUs that NVLink joins on most machines."""
OF_MEMORY: Final = 0.05
"""Share of a card's memory by which engines differ in what they take: 0.90 to 0.95 by default (engine_habits.csv), the last of
what is free, which the driver and other processes make less."""


@dataclass(frozen=True)
class ReplicaPlan:
    """A model in one format on one replica's GPUs, run by an engine with these habits."""

    shape: ModelShape
    gpu: Gpu
    tensor_parallel: float
    weight_dtype: str
    """A name of WEIGHT_FORMATS."""
    kv_dtype: str
    """A name of KV_BYTES."""
    habits: EngineHabits = VLLM
    stages: float = 1.0
    """GPUs that hold the layers one after the other, each of them of tensor_parallel. As many batches are under way at a time,
    each at the pace of one stage's share of a step: the replica is replayed as so many that have the memory of one stage."""
    attention_parallel: bool = False
    """Attention on every GPU for its own sequences, experts spread over all."""
    sequence_limit: float | None = None
    """Sequences that are decoded together at most, where it is not the engine's own."""
    adapters: AdapterSlots | None = None
    """Slots for adapters that are applied at run time; None where there are none."""
    stream_interval: float = 1.0
    """Tokens of an answer that its stream sends at a time; 1 by default in TensorRT-LLM and SGLang. The host makes a response
    of so many at once (TensorRT-LLM: PyExecutor, of the first, every so many and the last). Ignored: what scheduling takes of a
    sequence whatever is sent, some us of the tens."""
    since_0_28: bool = True
    """vLLM's third tier of step sizes; runs that were published until 2026 did not have it."""

    @property
    def cached_shape(self) -> ModelShape:
        """The shape as the engine caches it."""
        return as_cached(self.shape, self.habits)

    @property
    def largest_step(self) -> tuple[float, float]:
        """(sequences, tokens) of the largest step."""
        limit = self.sequence_limit or self.habits.sequence_limit or float(np.asarray(default_sequence_limit(self.gpu)))
        own = self.habits.step_tokens
        tokens = own or float(np.asarray(default_step_tokens(self.gpu, since_0_28=self.since_0_28)))
        ranks = self.tensor_parallel if self.attention_parallel else 1.0  # each with a batch of its own
        limit = max(limit * ranks / self.stages, 1.0)
        return limit, max(tokens * ranks, limit)

    @property
    def link_spread(self) -> float:
        """log of how far the speed may be off since no fit has the link that all-reduces cross; 0 where the fits have it."""
        slow = self.tensor_parallel > NODE_GPUS or (self.tensor_parallel > 1.0 and self.gpu.pcie)
        return math.log(NO_FAST_LINK) if slow else 0.0

    @property
    def attention_spread(self) -> float:
        """log of how far the speed may be off since no fit has such attention, by its share of the layers; 0 where all have."""
        unseen = sum(a.layers for a in self.shape.attention if a.kind in UNSEEN_ATTENTION)
        return math.log1p((TWICE_THE_KERNELS - 1.0) * unseen / self.shape.layers)

    @property
    def unsure_bytes(self) -> float:
        """Bytes by which the room for KV may be off on each GPU, where no server has told it."""
        return OF_MEMORY * self.gpu.memory_bytes

    def memory(self, requests: RequestShape) -> ReplicaMemory:
        """Bytes on each GPU."""
        limit, tokens = self.largest_step
        ranks = self.tensor_parallel if self.attention_parallel else 1.0
        return replica_memory(
            self.cached_shape, self.gpu, self.tensor_parallel, self.weight_dtype, self.kv_dtype, requests,
            step_tokens=min(tokens / ranks, LONGEST_STEP), sequence_limit=limit / ranks, habits=self.habits, stages=self.stages,
            attention_parallel=self.attention_parallel, adapters=self.adapters)

    def iteration(self, requests: RequestShape, efficiencies: Efficiencies) -> Iteration:
        """Coefficients of one engine step of a replica, seconds, with its KV in bytes on each GPU.

        A prompt token costs what it does at the mean context: of attention's square only the mean is kept, so that prompts
        far above the mean are somewhat too fast (8B: 5% at 8,192 tokens over 2,048).
        """
        found = roofline_iteration(
            self.cached_shape, self.gpu, self.tensor_parallel, self.weight_dtype, requests.prefill_context, efficiencies,
            attention_parallel=self.attention_parallel, experts_apart=self.habits.experts_apart,
            wgmma=self.habits.wgmma)
        found = replace(found, host_sequence_s=found.host_sequence_s / self.stream_interval)
        if self.stages > 1.0:  # while a batch passes all stages, each host schedules those of as many batches
            more = self.stages - 1.0
            host, each = found.host_s + more * efficiencies.host_step_s, found.host_sequence_s * self.stages
            found = replace(found, step_s=found.step_s + more * efficiencies.step_overhead_s + WAITED_FOR * host,
                            sequence_s=found.sequence_s + WAITED_FOR * each, host_s=host, host_sequence_s=each)
        return found

    def server(self, requests: RequestShape, efficiencies: Efficiencies) -> Server:
        """The replica as these efficiencies describe it; KV in bytes on each GPU."""
        engine = self.iteration(requests, efficiencies)
        limit, tokens = self.largest_step
        ahead = max(float(engine.request_steps) - REPLAYED_STEPS, 0.0) * float(engine.decode_s(1.0, 0.0))
        return Server(engine, float(np.asarray(self.memory(requests).kv_capacity_bytes)), sequence_limit=limit,
                      step_tokens=tokens, request_s=float(engine.request_s) + ahead, prompts_alone=self.habits.prompts_alone)

    def loaded(self, step: Iteration, prompt_tokens: float, batches: float) -> Iteration:
        """The replica's step with so many batches under way in its pipeline.

        One on every stage: the last stage sets the pace, which has its layers and the head for each of them. Fewer: see below.
        """
        more = self.stages - 1.0 if batches >= self.stages else 0.0
        return replace(step, prefill_token_s=step.prefill_token_s * self.prompt_share(prompt_tokens, batches),
                       step_s=step.step_s + more * step.head_s, sequence_s=step.sequence_s + more * step.head_sequence_s)

    def prompt_share(self, prompt_tokens: float, busy: float) -> float:
        """What a prompt takes over what it would on one stage, where fewer than all stages have a batch of their own.

        Its chunks follow each other through the stages: u chunks over s stages take u + s - 1 of u x s turns.
        """
        if self.stages <= busy:
            return 1.0
        chunks = max(np.ceil(prompt_tokens / self.largest_step[1]), 1.0)
        return float((chunks + self.stages - 1.0) / (chunks * self.stages))

    def requests(self, lengths: Lengths, arrival_s: Array) -> Requests:
        """The requests as a load on the replica."""
        return as_requests(lengths, arrival_s, self.cached_shape, self.tensor_parallel, kv_element_bytes(self.kv_dtype),
                           attention_parallel=self.attention_parallel, reserved=self.habits.reserves)


LONGEST_STEP = 16384.0
"""Tokens of a step whose activations are counted: engines that compute a batch of prompts at once free what a layer used."""


def at_speed(server: Server, speed: float) -> Server:
    """The server at `speed` times its speed: its steps and what is outside of them take as much less."""
    return replace(server, iteration=server.iteration.at_speed(speed), request_s=server.request_s / speed)
