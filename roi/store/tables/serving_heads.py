"""Columns of a table of serving runs as people and tools name them, under the names that are read here."""

from collections.abc import Iterable
from typing import Final

KNOWN_AS: Final = {
    "id": ("run", "name", "run_id"),
    "model": ("model_id", "model_name"),
    "gpu": ("card", "hardware", "accelerator", "gpu_type"),
    "n_gpus": ("gpus", "num_gpus", "gpu_count"),
    "tp": ("tensor_parallel", "tensor_parallel_size", "tp_size"),
    "precision": ("dtype", "quantization", "quantisation", "format"),
    "engine": ("backend", "framework", "server"),
    "engine_version": ("version",),
    "scenario": ("load", "mode"),
    "isl": ("input_tokens", "prompt_tokens", "input_len", "input_length", "prompt_len", "tokens_in"),
    "osl": ("output_tokens", "output_len", "output_length", "tokens_out"),
    "concurrency": ("max_concurrency", "users", "in_flight", "batch", "batch_size", "conc"),
    "req_per_s": ("req/s", "requests_per_s", "request_throughput", "rps"),
    "output_tok_per_s": ("output_tok/s", "output_tokens_per_s", "output_tokens/s", "output_throughput", "out_tok/s"),
    "total_tok_per_s": ("total_tok/s", "total_tokens_per_s", "total_tokens/s", "total_token_throughput"),
    "ttft_ms": ("ttft_(ms)", "mean_ttft_ms", "median_ttft_ms"),
    "tpot_ms": ("tpot_(ms)", "mean_tpot_ms", "median_tpot_ms"),
}
"""What certainly means the same, in small letters with "_" for blanks. "tok/s" alone does not: output tokens, or all."""

TRAINING: Final = ("method", "micro_batch", "seq_len_max", "gradient_checkpointing")
"""Columns that only tables of training runs have."""


def usual_heads(heads: Iterable[str]) -> list[str]:
    """The heads with the names of KNOWN_AS; one that stands there by its own name already stays as it is."""
    found = list(heads)
    if any(name in found for name in TRAINING):
        return found
    for name, others in KNOWN_AS.items():
        place = next((found.index(other) for other in others if other in found), None)
        if name not in found and place is not None:
            found[place] = name
    return found
