"""Write tests/data/roofline_grid.csv: seconds of a micro-step from the dry run's operators, to which the closed form is held.

    python lab/roofline_grid.py tests/data/roofline_grid.csv

Both sides take an A100-80 whose products of any shape reach the best rate and whose kernels have no shortest time, so that
the work is compared and not the rates. Needs the extra `profile`; two minutes on two cores.
"""

import csv
import sys
from pathlib import Path

from datasheet_device import datasheet_rates

from roi.catalog.cards.gpus import find_gpu
from roi.catalog.models.configs import model_config
from roi.catalog.models.shapes import find_model
from roi.estimate.step.roofline import step_seconds
from roi.estimate.training.plan import TrainingPlan
from roi.facts.methods import Method
from roi.profiling.dry.dry_run import dry_run

MATRIX, BANDWIDTH, LAUNCH_S = 0.87, 0.85, 1.5e-5
"""Shares and host time that both sides take."""
MODELS = ("qwen2.5-0.5b", "llama-3.2-3b", "qwen3-8b", "gemma-2-2b")
PLANS: tuple[tuple[Method, int, int, bool, bool], ...] = (
    ("lora", 1, 512, True, True), ("lora", 2, 2048, False, False), ("qlora", 1, 2048, True, True),
    ("qlora", 2, 1024, False, False), ("dora", 1, 1024, True, False), ("full", 4, 512, True, False),
)  # fmt: skip
"""Method, micro-batch, tokens, checkpointing, autocast; rank 16 on every linear layer."""
HEADS = ("model", "method", "micro_batch", "seq", "checkpointing", "autocast", "products_s", "passes_s", "dequantisation_s",
         "host_s", "micro_step_s")  # fmt: skip


def main() -> None:
    """Write the file."""
    rates = datasheet_rates(find_gpu("A100-80GB-SXM"), matrix=MATRIX, bandwidth=BANDWIDTH, launch_s=LAUNCH_S, multiprocessors=0)
    with Path(sys.argv[1]).open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(HEADS)
        for model in MODELS:
            for method, batch, seq, checkpointing, autocast in PLANS:
                plan = TrainingPlan(method=method, rank=16.0, micro_batch=float(batch), seq=float(seq),
                                    checkpointing=checkpointing, autocast=autocast)  # fmt: skip
                run = dry_run(model_config(find_model(model)), plan, workspace_bytes=0.0, operators=True)
                s = step_seconds(run.operators, rates)
                parts = (s.matrix_s + s.attention_s, s.elementwise_s, s.dequantise_s, s.host_s, s.micro_step_s)
                told = (f"{x:.5g}" for x in parts)
                table.writerow((model, method, batch, seq, int(checkpointing), int(autocast), *told))


if __name__ == "__main__":
    main()
