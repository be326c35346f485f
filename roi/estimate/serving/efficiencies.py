"""What an engine achieves of a card's rates, and the time that theory leaves out."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from roi.facts.model import Number


@dataclass(frozen=True)
class Efficiencies:
    """Achieved over theoretical, and what theory leaves out; each broadcasts (catalog: serving_efficiencies)."""

    decode_mbu: Number
    """Share of the memory bandwidth at which a decode step reads weights, 0 to 1."""
    kv_mbu: Number
    """Share of the memory bandwidth at which decode attention reads the KV cache, 0 to 1."""
    decode_mfu: Number
    """Share of the matrix rate for the products of decoding sequences, 0 to 1."""
    prefill_mfu: Number
    """Share of the matrix rate for prompt tokens, 0 to 1."""
    step_overhead_s: Number
    """Scheduler, sampling and output handling of one step, seconds."""
    layer_overhead_s: Number
    """Latency of one layer's kernels beyond reading and computing (about ten launches of a few us), seconds."""
    sequence_overhead_s: Number
    """Time that every sequence in a step adds to its scheduling, sampling and output handling, seconds."""
    collective_latency_s: Number
    """Latency of one all-reduce between GPUs, seconds."""
    link_efficiency: Number
    """Share of the link bandwidth that an all-reduce reaches, 0 to 1."""
    reduce_bytes_per_s: Number = np.inf
    """Rate at which kernels of all-reduces hand on the small messages of decode steps (a few MB), beside the link's."""
    exchange_latency_s: Number = 0.0
    """Latency a layer of gathering tokens before experts that are spread over 8 GPUs and of scattering their outputs, seconds;
    a third of it for each doubling of the GPUs, a further hop. Known from TensorRT-LLM's runs alone, as the next is."""
    expert_imbalance: Number = 0.0
    """Standard deviation over mean of the tokens of an expert: GPUs with other experts wait for the one with the most."""
    kv_reread: Number = 0.0
    """What each further query head of a group adds to reading its keys and values, as a share of reading them once: 0 where
    the decode kernel reads a KV head for all its query heads together, about 1 where every query head reads it anew."""
    request_s: Number = 0.0
    """What a request waits outside the steps before its first token: HTTP, tokenizing, queues of the server, seconds."""
    request_steps: Number = 1.5
    """Steps from arrival to first token besides the prefill itself: 1.5 where the running one ends and its own follows; more
    where steps are scheduled ahead and outputs are handled one step later."""
    expert_reading: Number = 1.0
    """Time to read a byte of an expert over that of a dense matrix: grouped kernels read many small matrices, and the GPU with
    the most of them sets the pace."""
    expert_products: Number = 1.0
    """Time of a product with an expert over that with a dense matrix: groups are small and uneven."""
    expert_layer_s: Number = 0.0
    """Latency that a layer with experts has besides: tokens are scored, sorted by expert, and their outputs put together."""
    attention_products: Number = 1.0
    """Time of a product of prefill attention over that with a dense matrix: kernels without tiling move their scores."""
    overlap: Number = 0.0
    """Share of the shorter of reading weights and multiplying by them that the longer hides, 0 to 1: a matrix kernel loads the
    next tile while it multiplies this one."""
    host_step_s: Number = 0.0
    """Host time of a step however small, seconds: engines that schedule the next step while the device runs this one hide it,
    unless the device is the faster."""
    host_sequence_s: Number = 0.0
    """Host time of every sequence in a step, seconds: its token is sampled, turned into text, checked and sent."""
    host_prompt_layer_s: Number = 0.0
    """Host time of every layer of a step that computes prompts, seconds, where only decode steps are replayed from graphs."""
    host_layer_s: Number = 0.0
    """Host time of every layer of any step, seconds: without graphs kernels are started one by one."""
    host_expert_s: Number = 0.0
    """Host time of every expert of every layer in a step, seconds, where they are gone through in a loop. Each asks the device
    which tokens it has (transformers: torch.where of the mask), so that nothing of the host's time is hidden behind the
    device's."""
    host_linear_s: Number = 0.0
    """Host time of every matrix in 8 bits in a step, seconds, whose input is quantised by kernels of its own. In fp8 the host
    waits for each product (FP8Linear of transformers 4 ends with torch.cuda.synchronize): nothing is hidden there either."""
    unpacking: Number = 0.0
    """What unpacking 4-bit weights adds to reading them, as a share."""
    expert_unpacking: Number = 0.0
    """What unpacking experts' 4-bit weights adds to reading them, as a share: their grouped kernels are others."""
    quantise_layer_s: Number = 0.0
    """Latency that a layer has besides where the inputs of its products are quantised to 8 bits as it runs, seconds."""
    quantise4_layer_s: Number = 0.0
    """Latency that a layer has besides where those inputs are quantised to 4 bits, seconds: blocks of 16 have scales of their
    own, found as it runs, and norms do not do it on the side."""
    fp8_products: Number = 1.0
    """Time of a product in fp8 at its peak rate over that of one in 16 bits at its own: power keeps it further below."""
    fp4_products: Number = 1.0
    """Time of a product in fp4 at its peak rate over that of one in 16 bits at its own."""
    packed_products: Number = 1.0
    """Time of a product with unpacked weights over that with 16-bit ones, on cards whose full rate takes warp groups
    (`Gpu.warp_groups`), and on Apple's, whose ALUs unpack and multiply."""
    head_norm_s: Number = 0.0
    """Latency that a layer has besides where queries and keys are normalised: their norms are kernels of their own, and the
    rotation is not fused into attention's (TensorRT-LLM's Qwen3Attention, transformers' Qwen3), seconds."""
    least_rows: Number = 1.0
    """Rows that a product with a dense matrix takes as long as, however few its sequences are: matrix units multiply tiles
    (Hopper's wgmma 64 rows; 8 to 16 where kernels exchange the operands). It shows where a card has few FLOPs a byte (H20);
    without warp groups it is no more than multiply while the weights are read (iteration's MMA_ROWS)."""
    activation_traffic: Number = 0.0
    """Time in which kernels hand a token's activations on over that of moving them at the bandwidth at which weights are read;
    0 where caches keep them all. Copies that experts' kernels gather are in `expert_products`."""
    read_limit_bytes_per_s: Number = np.inf
    """Most that the kernels of one sequence read in a second on an A100. Each multiprocessor keeps few bytes in flight, for
    about as many cycles as memory is away: on other cards the limit goes with multiprocessors times clock (Little's law)."""


PERFECT: Final = Efficiencies(
    decode_mbu=1.0, kv_mbu=1.0, decode_mfu=1.0, prefill_mfu=1.0, step_overhead_s=0.0, layer_overhead_s=0.0,
    sequence_overhead_s=0.0, collective_latency_s=0.0, link_efficiency=1.0,
)
"""The roofline itself: no engine is faster."""
