"""Canonical tables of measured runs, row by row, for the tests of several rooms."""

import csv
from pathlib import Path

from roi.estimate.accuracy.measured_run import MeasuredRun
from roi.estimate.accuracy.serving_run import ServingRun
from roi.store.tables.csv_table import read_csv
from roi.store.tables.serving_table import ServingRow, ServingTable, serving_run, serving_table
from roi.store.tables.training_table import TrainingRow, TrainingTable, measured_runs, training_table

TRAINING = {
    "id": "own-1", "source": "own", "model": "qwen2.5-0.5b", "gpu": "RTX-4080", "n_gpus": "1", "method": "lora", "rank": "16",
    "target_modules": "q_proj+v_proj", "base_dtype": "bf16", "quant": "none", "micro_batch": "2", "grad_accum": "4",
    "seq_len_max": "1024", "seq_len_mean": "512", "gradient_checkpointing": "true", "attention_impl": "sdpa",
    "optimizer": "adamw", "trainer": "hf", "logits_kept": "false", "autocast": "true", "lora_dropout": "0",
    "peak_mem_gib": "3.5", "peak_mem_kind": "allocated", "tokens_per_s": "1000",
}  # fmt: skip

SERVING = {
    "id": "lab-7", "source": "lab", "model": "llama-3.1-8b", "gpu": "H100-80GB-SXM", "engine": "vllm", "design": "recent",
    "weight_dtype": "bf16", "kv_dtype": "bf16", "tp": "1", "replicas": "1", "load": "closed", "isl": "1024", "osl": "256",
    "concurrency": "16", "output_tok_per_s": "1000",
}  # fmt: skip


def write_table(path: Path, base: dict[str, str], *changes: dict[str, str]) -> Path:
    """A table of rows that differ from `base` by the changes; ids are numbered where a change names none."""
    rows = [base | ({"id": f"{base['id'].rpartition('-')[0]}-{k}"} | change) for k, change in enumerate(changes, start=1)]
    heads = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, heads, restval="")
        table.writeheader()
        table.writerows(rows)
    return path


def read_training(path: Path, *changes: dict[str, str]) -> TrainingTable:
    """The training table of these rows, through a file."""
    return training_table(read_csv(write_table(path, TRAINING, *changes)))


def read_serving(path: Path, *changes: dict[str, str]) -> ServingTable:
    """The serving table of these rows, through a file."""
    return serving_table(read_csv(write_table(path, SERVING, *changes)))


def training_runs(**change: str) -> list[MeasuredRun]:
    """TRAINING with these cells as a run, and again with each other kind of memory that it states."""
    return measured_runs(TrainingRow.model_validate({name: cell for name, cell in (TRAINING | change).items() if cell}))


def serving_run_of(**change: str) -> ServingRun:
    """SERVING with these cells as a run."""
    return serving_run(ServingRow.model_validate({name: cell for name, cell in (SERVING | change).items() if cell}))
