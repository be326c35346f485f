"""Training, labels and retraining: by hand."""

from typing import Any

import pytest
from quiet_scenario import ADAPTER, NONE, World, case_of, plan

TRAINED: dict[str, Any] = {
    "examples": 1000.0,
    "tokens_per_example": 1000.0,
    "runs_until_good": 3.0,
    "retrain_every_months": 6.0,
    "retrain_runs": 2.0,
    "retrain_hours": 10.0,
    "relabel_share": 0.2,
}


def trained(facts: dict[str, Any] | None = None, **training: Any) -> World:
    case = case_of(training={**TRAINED, **training}, timing={"months_to_live": {**NONE, "self_hosted_adapter": 2.0}})
    own = f"options.{ADAPTER}.training."
    return World(case, **plan(ADAPTER), **{own + "gpu_hours_per_run": 5.0, own + "usd_per_gpu_hour": 4.0}, **(facts or {}))


def test_training_pays_good_and_bad_runs_and_labels() -> None:
    """5 GPU-hours x $4 = $20 kept, two runs more that are not, 1,000 labels x $1."""
    w = trained()
    assert w.line(ADAPTER, "training, the run that is kept")[0] == pytest.approx(20.0)
    assert w.line(ADAPTER, "training, runs that are not")[0] == pytest.approx(40.0)
    assert w.line(ADAPTER, "training data, labels")[0] == pytest.approx(1000.0)


def test_retraining_pays_runs_hours_labels_and_evaluation_at_the_start_of_its_period() -> None:
    """Live after 2, every 6: month ends 8, 14, 20: 2 x $20 + 10 h x $100 + 0.2 x 1,000 x $1 + $400 = $1,640."""
    paid = trained().line(ADAPTER, "retraining")[1]
    assert {t + 1: usd for t, usd in enumerate(paid) if usd} == pytest.approx({8: 1640.0, 14: 1640.0, 20: 1640.0})


def test_labels_that_are_owned_cost_nothing() -> None:
    """Bought once and of no other use: their resale value is 0."""
    assert trained(labels_owned=True).line(ADAPTER, "training data, labels")[0] == 0.0


def test_what_a_retraining_labels_afresh_is_bought_although_todays_labels_are_owned() -> None:
    """2 x $20 + 10 h x $100 + 0.2 x 1,000 x $1 + $400 = $1,640; of logged outputs none is bought: $1,440."""
    owned, logged = trained(labels_owned=True), trained(labels_owned=True, labels_from="incumbent")
    assert [w.line(ADAPTER, "retraining")[1][7] for w in (owned, logged)] == pytest.approx([1640.0, 1440.0])
    assert logged.line(ADAPTER, "training data, labels")[0] == 0.0


def test_training_rents_from_the_vendors_that_the_scenario_names() -> None:
    """RunPod alone: $2.69 on its community cloud; Azure's $2.27 is not to be had."""
    case = case_of(candidates={"vendors": ["RunPod"]})
    hourly = case[f"options.{ADAPTER}.training.usd_per_gpu_hour"]
    assert (hourly.value, hourly.source.partition(" ")[0]) == (2.69, "RunPod")
