"""What one replica does in a step and how much it holds, and what a system does under a load."""

from dataclasses import dataclass

import numpy as np

from roi.estimate.accuracy.serving_run import ServingRun
from roi.estimate.serving.iteration import Efficiencies, Iteration, roofline_iteration
from roi.estimate.serving.replica_memory import default_step_tokens, replica_memory


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
