"""The allocator's slack of data/efficiencies.json: replays of dry runs through the model of torch's caching allocator.

    python benchmarks/fit_allocator_slack.py [tests/data/dry_run_grid.csv] [STRIDE]

Takes every STRIDE-th row of the grid (6 by default), runs it dry, plays its allocations three steps long, and prints the
median and the 5th and 95th percentile of (reserved - allocated) / MemoryBreakdown.loose_bytes. Needs the extra `profile`;
some minutes.
"""

import csv
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import torch

from roi.catalog.configs import model_config
from roi.catalog.models import find_model
from roi.errors import RoiError
from roi.estimate.allocator import replay_allocator
from roi.estimate.memory import CUBLAS_WORKSPACE_BYTES, training_memory
from roi.estimate.plan import TrainingPlan
from roi.profiling.dry_run import dry_run
from roi.profiling.layer_line import STEPS_REPLAYED


def main() -> None:
    """Print the slack."""
    grid = Path(sys.argv[1] if len(sys.argv) > 1 else "tests/data/dry_run_grid.csv")
    stride = int(sys.argv[2]) if len(sys.argv) > 2 else 6
    torch.set_num_threads(1)
    lines = [line for line in grid.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    found = []
    for row in list(csv.DictReader(lines))[stride // 2 :: stride]:
        try:
            found.append(slack(row["model"], read_plan(row)))
        except RoiError as error:
            print(f"{row['model']}: {error}", file=sys.stderr)
    low, median, high = np.quantile(found, [0.05, 0.5, 0.95])
    print(f"n {len(found)}: median {median:.3f}, 5-95% {low:.3f} to {high:.3f}")


def slack(name: str, plan: TrainingPlan) -> float:
    """(reserved - allocated) / loose bytes of one plan."""
    shape = find_model(name)
    tape = dry_run(model_config(shape), plan, workspace_bytes=CUBLAS_WORKSPACE_BYTES).tape
    replay = replay_allocator(tape, repeats=STEPS_REPLAYED)
    return (replay.peak_reserved_bytes - replay.peak_allocated_bytes) / float(training_memory(shape, plan).loose_bytes)


def read_plan(row: dict[str, str]) -> TrainingPlan:
    """The row's plan; columns that are no field of a plan are results."""
    values: dict[str, object] = {}
    for field in fields(TrainingPlan):
        if field.name in row:
            text, default = row[field.name], field.default
            values[field.name] = text == "1" if isinstance(default, bool) else _number(text)
    return TrainingPlan(**values)  # type: ignore[arg-type]


def _number(text: str) -> object:
    try:
        return int(text)
    except ValueError:
        try:
            return float(text)
        except ValueError:
            return text


if __name__ == "__main__":
    main()
