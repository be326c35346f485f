"""What a process holds beyond its tensors: the interval of `roi fit` on runs that others measured, and one rule for both."""

from collections import defaultdict
from math import exp
from pathlib import Path

import numpy as np
import pytest

from roi.answers.validate import open_training_table
from roi.catalog.efficiencies.training_efficiencies import training_efficiencies
from roi.catalog.models.shapes import load_models
from roi.estimate.accuracy.measured_run import (
    CHUNKED_LOSS,
    EMPTIED_CACHE,
    UNPREPARED,
    VARIABLE_LENGTHS,
    MeasuredRun,
    Prediction,
    memory_predictor,
)
from roi.estimate.fitting.distance import (
    APART,
    KEPT,
    TUNER,
    UNCOUNTED,
    UNSEEN,
    distance,
    plan_apart,
    plan_distance,
    plan_ends,
)
from roi.estimate.fitting.overhead import LARGEST_SLACK, planned_range
from roi.estimate.training.memory import MemoryBreakdown, training_memory
from roi.estimate.training.plan import TrainingPlan

TABLES = Path(__file__).parents[2] / "lab" / "tables"
HABITS = {EMPTIED_CACHE, VARIABLE_LENGTHS, CHUNKED_LOSS, UNPREPARED}
"""What makes a figure another than that of the plan's steps, all alike."""
OVERHEAD = training_efficiencies().overhead()


@pytest.fixture(scope="module")
def figures() -> list[tuple[MeasuredRun, MemoryBreakdown, float]]:
    """Reserved and process memory of runs of equal lengths, the closed form, and the allocated peak, measured if stated."""
    found = []
    for name in ("training-1", "training-2"):
        table = open_training_table(TABLES / f"{name}.csv")
        stated = {run.id: run.memory_bytes for run in table.runs if run.memory_kind == "allocated"}
        for run in (*table.runs, *table.second):
            if run.memory_bytes and run.memory_kind in ("reserved", "process") and not HABITS & {x for x, _ in run.assumed}:
                held = OVERHEAD.with_collectives(run.plan)
                memory = training_memory(run.model, run.plan, run.gpu, held.slack[0], held.context_bytes[0])
                found.append((run, memory, stated.get(run.id) or float(memory.peak_allocated_bytes)))
    return found


def _range(run: MeasuredRun, memory: MemoryBreakdown) -> tuple[float, float]:
    held = OVERHEAD.with_collectives(run.plan)
    _, low, high = planned_range(memory, held, plan_ends(run.plan))
    _, least, most = held.context_bytes if run.memory_kind == "process" else (0.0, 0.0, 0.0)
    return low + least, high + most


@pytest.mark.full
def test_nine_of_ten_measured_processes_lie_in_the_interval_of_fit(figures):
    """Of 81 figures 93% (12% of those with whole logits before), of each of four sources with eight or more as many as 85%."""
    inside = defaultdict(list)
    for run, memory, _ in figures:
        low, high = _range(run, memory)
        inside[run.source].append(low <= run.memory_bytes <= high)
    assert {source: len(each) for source, each in inside.items()} == {
        "fsdpq": 24, "rtx4080": 11, "titan": 4, "fmskf": 16, "fmskfl": 26}
    assert np.mean([each for some in inside.values() for each in some]) >= 0.85
    assert all(np.mean(each) >= 0.85 for each in inside.values() if len(each) >= 8)


@pytest.mark.full
def test_validate_judges_the_interval_that_fit_tells(figures):
    """Of rows that leave no default open, which widens theirs."""
    predict, alike = memory_predictor(OVERHEAD), 0
    for run, memory, _ in figures:
        if run.memory_kind == "reserved" and run.parts == 1 and all(plan == run.plan for _, plan in run.assumed):
            found = predict(run)
            assert isinstance(found, Prediction)
            assert (found.low, found.high) == pytest.approx(_range(run, memory))
            alike += 1
    assert alike > 10


@pytest.mark.full
def test_the_largest_slack_is_that_of_measured_runs(figures):
    """Of those whose unit is a tenth of the peak or more 5% hold more than 1.58; with the unit of before 1.65."""
    units = []
    for run, memory, allocated in figures:
        unit, held = float(memory.loose_bytes), OVERHEAD.with_collectives(run.plan)
        context = held.context_bytes[0] if run.memory_kind == "process" else 0.0
        if unit >= 0.1 * allocated:
            beyond = float(memory.pools_bytes + memory.stranded_bytes)
            units.append((run.memory_bytes - context - allocated - beyond) / unit)
    assert len(units) == 68
    assert np.quantile(units, 0.95) == pytest.approx(1.58, abs=0.01)
    assert np.quantile(units, 0.95) <= LARGEST_SLACK


def test_sharding_and_tuners_set_a_plan_apart():
    """The largest of the distances that hold; nothing but the source where the plan says nothing."""
    plain, sharded = TrainingPlan(), TrainingPlan(method="full", sharding="fsdp", gpus=2)
    assert distance(plain, plan_apart(plain)) == UNSEEN
    assert distance(sharded, plan_apart(sharded)) == APART["sharded"]
    assert distance(TrainingPlan(method="vera"), ()) == TUNER
    memory = training_memory(_model(), sharded)
    central, low, high = planned_range(memory, OVERHEAD, plan_ends(sharded))
    assert low <= central * exp(-APART["sharded"]) <= central * exp(APART["sharded"]) <= high


def test_layers_that_the_formula_does_not_count_set_a_model_apart_by_what_they_keep_beside_weights():
    """Three quarters weights: a quarter of the peak is from a quarter to four times as large. None is of the catalog."""
    low, high = plan_ends(TrainingPlan(), "mamba", 3.0, 4.0)
    assert (low, high) == (pytest.approx(0.75 + 0.25 * exp(-KEPT)), pytest.approx(0.75 + 0.25 * exp(KEPT)))
    nearly = plan_ends(TrainingPlan(), "mamba", 1e6, 1e6 + 1.0)  # nothing but weights: the plan's own distance
    assert nearly == plan_ends(TrainingPlan(), "llama", 1e6, 1e6 + 1.0) == plan_ends(TrainingPlan())
    assert plan_distance(TrainingPlan()) == UNSEEN
    assert not {model.family for model in load_models()} & UNCOUNTED


def _model():
    from roi.catalog.models.shapes import find_model

    return find_model("qwen3-8b")
