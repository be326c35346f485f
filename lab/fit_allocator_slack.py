"""The allocator's slack of efficiencies.json: replays of dry runs through the model of torch's caching allocator.

    python lab/fit_allocator_slack.py [--chunked]

The rule: of the first ROWS rows of tests/data/dry_run_grid.csv with checkpointing, and of those without, EACH at even
distances in the file's order; a row that no longer runs dry is left out and named. Each is run dry and its allocations are
played three steps long. What was allocated and reserved goes to tests/data/allocator_replays.csv, one line a row (rows that
the file holds are not played again), so that a test repeats the fit without torch. Printed: median, 5th and 95th percentile
of (reserved - allocated) / MemoryBreakdown.loose_bytes, over all and with and without checkpointing. Needs the extra
`profile`; about ten minutes where the file is empty. --chunked: LOOSE_CHUNKED of roi/estimate/training/beyond_peak.py, what
is reserved beyond the peak as a share of what comes and goes in a step, over CHUNKED plans of MODELS; two minutes.
"""

import csv
import sys
from collections.abc import Iterator
from dataclasses import fields, replace
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np

from roi.catalog.models.configs import model_config
from roi.catalog.models.shapes import find_model
from roi.errors import RoiError
from roi.estimate.training.memory import CUBLAS_WORKSPACE_BYTES, training_memory
from roi.estimate.training.plan import TrainingPlan

DATA = Path(__file__).parents[1] / "tests" / "data"
GRID, REPLAYS = DATA / "dry_run_grid.csv", DATA / "allocator_replays.csv"

ROWS = 351
"""Rows of the grid when the replays were made; those by architecture came after."""
EACH = 60
"""Rows with checkpointing, and as many without."""

HEADS = ("row", "model", "checkpointing", "allocated_bytes", "reserved_bytes")


MODELS = ("llama-3.2-1b", "smollm2-1.7b", "qwen3-4b", "mistral-7b-v0.1", "llama-2-7b", "llama-3-8b")
_PLAN = TrainingPlan(rank=16.0, autocast=True, trainer="hf", attention="flash", micro_batch=4.0, seq=2048.0)
CHUNKED = (
    replace(_PLAN, targets="attention", kernels="fused", loss="chunked", dropout=0.1),
    replace(_PLAN, kernels="liger", micro_batch=2.0, seq=4096.0),
    replace(_PLAN, method="qlora", kernels="liger", dropout=0.05),
)
"""Adapters whose logits are never made whole."""


class Replay(NamedTuple):
    """One row of the grid, played."""

    row: int
    """Place in the grid, the first configuration 0."""
    model: str
    plan: TrainingPlan
    allocated_bytes: int
    reserved_bytes: int

    @property
    def slack_bytes(self) -> int:
        """What the allocator holds beyond the peak."""
        return self.reserved_bytes - self.allocated_bytes

    @property
    def slack(self) -> float:
        """In the closed form's unit."""
        return self.slack_bytes / float(training_memory(find_model(self.model), self.plan).loose_bytes)


def grid_rows() -> list[dict[str, str]]:
    """The grid's configurations with their results."""
    lines = [line for line in GRID.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return list(csv.DictReader(lines))


def chosen_rows() -> list[int]:
    """Places in the grid that the rule takes: 0.5, 1.5, ... EACHths of the way through each half."""
    rows, found = grid_rows()[:ROWS], []
    for kept in ("1", "0"):
        places = [n for n, row in enumerate(rows) if row["checkpointing"] == kept]
        found += [places[int((k + 0.5) * len(places) / EACH)] for k in range(EACH)]
    return sorted(found)


def read_replays() -> list[Replay]:
    """The replays that the file holds."""
    if not REPLAYS.exists():
        return []
    rows = grid_rows()
    with REPLAYS.open(encoding="utf-8", newline="") as file:
        return [
            Replay(
                int(x["row"]), x["model"], read_plan(rows[int(x["row"])]), int(x["allocated_bytes"]), int(x["reserved_bytes"]),
            )
            for x in csv.DictReader(file)
        ]


def print_chunked() -> None:
    """The share that CHUNKED plans reserve beyond their peak."""
    from roi.estimate.allocator.caching_allocator import replay_allocator
    from roi.profiling.dry.dry_profile import STEPS_REPLAYED
    from roi.profiling.dry.dry_run import dry_run

    shares = []
    for name, plan in product(MODELS, CHUNKED):
        model = find_model(name)
        tape = dry_run(model_config(model), plan, workspace_bytes=CUBLAS_WORKSPACE_BYTES).tape
        played = replay_allocator(tape, repeats=STEPS_REPLAYED)
        beyond = played.peak_reserved_bytes - played.peak_active_bytes
        shares.append(beyond / float(training_memory(model, plan).dynamic_bytes))
        print(f"{name} {plan.method} {plan.kernels}: {shares[-1]:.3f}", flush=True)
    low, median, high = np.quantile(shares, [0.05, 0.5, 0.95])
    print(f"chunked: n {len(shares)}, median {median:.3f}, 5-95% {low:.2f} to {high:.2f}")


def main() -> None:
    """Play what is missing, and print the slack."""
    if "--chunked" in sys.argv[1:]:
        print_chunked()
        return
    known = {replay.row for replay in read_replays()}
    with REPLAYS.open("a", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if not known:
            writer.writerow(HEADS)
        for line in _play([n for n in chosen_rows() if n not in known]):
            writer.writerow(line)
            file.flush()
    found = read_replays()
    for name, some in (
        ("all", found), ("with checkpointing", [r for r in found if r.plan.checkpointing]),
        ("without", [r for r in found if not r.plan.checkpointing]),
    ):
        low, median, high = np.quantile([replay.slack for replay in some], [0.05, 0.5, 0.95])
        print(f"{name}: n {len(some)}, median {median:.2f}, 5-95% {low:.2f} to {high:.2f}")


def _play(places: list[int]) -> Iterator[tuple[object, ...]]:
    import torch

    from roi.estimate.allocator.caching_allocator import replay_allocator
    from roi.profiling.dry.dry_profile import STEPS_REPLAYED
    from roi.profiling.dry.dry_run import dry_run

    torch.set_num_threads(1)
    rows = grid_rows()
    for place in places:
        row = rows[place]
        try:
            tape = dry_run(
                model_config(find_model(row["model"])), read_plan(row), workspace_bytes=CUBLAS_WORKSPACE_BYTES).tape
        except RoiError as error:
            print(f"row {place}, {row['model']}: {error}", file=sys.stderr)
            continue
        replay = replay_allocator(tape, repeats=STEPS_REPLAYED)
        yield place, row["model"], row["checkpointing"], int(replay.peak_allocated_bytes), int(replay.peak_reserved_bytes)


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
