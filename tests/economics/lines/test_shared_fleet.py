"""A fleet that several workloads share, and a workload with several adapters: by hand, and at the limits."""

from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from quiet_scenario import ADAPTER, HYBRID, NONE, OWN, PLATFORM, World, case_of, plan, quiet

from roi.economics.decision.evaluation import Evaluated, evaluate
from roi.economics.inputs import Option, Shared
from roi.economics.lines.line_kind import LineKind
from roi.economics.lines.option_lines import migration_line, tuned_again
from roi.errors import InputError, ScenarioError
from roi.facts.case import Case
from roi.resolution.resolution import resolve
from roi.scenario.file import check_scenario

OF_THE_FLEET = {LineKind.RENT, LineKind.RENT_LEFT, LineKind.PLATFORM, LineKind.HARDWARE}
PEOPLE = {
    "setup_hours": {**NONE, "api": 40.0, "self_hosted": 120.0, "self_hosted_adapter": 200.0, "own_hardware": 320.0},
    "run_hours_per_month": {**NONE, "self_hosted": 30.0, "self_hosted_adapter": 35.0, "own_hardware": 50.0},
}


def shared_by(workloads: int, **changes: Any) -> Case:
    return case_of(people=PEOPLE, platform={**PLATFORM, "logs": 60.0}, training={"examples": 1000.0},
                   serving={"spares": 1, "headroom": 0.0, "adapters": "shared", "adapters_on_base": workloads}, **changes)


@cache
def four() -> Case:
    return shared_by(4)


def test_four_workloads_share_gpus_platform_and_serving_hours_and_nothing_else() -> None:
    """Each 1/s, at the peak 3/s, 1/s a replica, also of several: 12 GPUs x $2 x 730 / 4 = $4,380; one spare for all, $365.

    Platform $60 / 4. On-call: 35 h, of which 30 serve the base: 5 + 30 / 4 = 12.5 h x $100. Set-up: 200 h, of which 120 - 40
    serve the base (another API model takes 40): 120 + 80 / 4 = 140 h. Labels 1,000 x $1, evaluation $100 + 300 x $1: its own.
    """
    w = World(four(), **plan(ADAPTER, pooling=1.0))
    assert w.line(ADAPTER, "GPU rent")[1][0] == pytest.approx(4380.0)
    assert w.line(ADAPTER, "GPU rent, redundancy")[1][0] == pytest.approx(365.0)
    assert w.line(ADAPTER, "platform")[1][0] == pytest.approx(15.0)
    assert w.line(ADAPTER, "on-call and operation")[1][0] == pytest.approx(1250.0)
    assert w.line(ADAPTER, "engineering, set-up")[0] == pytest.approx(14_000.0)
    assert w.line(ADAPTER, "training data, labels")[0] == pytest.approx(1000.0)
    assert w.line(ADAPTER, "evaluation before the change")[0] == pytest.approx(400.0)
    told = {line.name: line.told if isinstance(line.told, str) else line.told(0) for line in w.costed(ADAPTER).costs.lines}
    assert told["GPU rent"] == "12 GPU x $2/GPU-h x 730 h x 1 of the month x 0.25 of the fleet"
    assert told["platform"].startswith("$60 a month x 0.25 of the fleet: ")
    assert told["on-call and operation"] == "(5 h of its own + 30 h x 0.25 of the fleet) x $100/h"
    assert told["engineering, set-up"] == "(120 h of its own + 80 h x 0.25 of the fleet) x $100/h"


@pytest.mark.full
def test_one_workload_on_the_base_is_as_if_nobody_had_asked() -> None:
    """The same facts, and so the same figures."""
    assert shared_by(1).facts == case_of(people=PEOPLE, platform={**PLATFORM, "logs": 60.0}, training={"examples": 1000.0},
                                         serving={"spares": 1, "headroom": 0.0, "adapters": "shared"}).facts


@pytest.mark.full
def test_hours_that_are_stated_of_one_kind_alone_are_parted_as_the_defaults_are() -> None:
    """35 h by default, 30 of them the base's: of 21 that are stated 18. A base of its own on bought cards: (320 - 40) / 320."""
    hours = {"run_hours_per_month": {"self_hosted_adapter": 21.0}, "setup_hours": {}}
    stated = case_of(people=hours, candidates={"own_hardware": True},
                     serving={"adapters": "shared", "adapters_on_base": 2})
    w = World(stated, **plan(ADAPTER))
    assert w.line(ADAPTER, "on-call and operation")[1][0] == pytest.approx((3.0 + 18.0 / 2) * 100.0)
    assert stated[f"options.{ADAPTER}.run_hours_shared"].value == pytest.approx(30 / 35)
    assert stated[f"options.{OWN}.setup_hours_shared"].value == pytest.approx(280 / 320)


@cache
def everything() -> Case:
    """Rented and bought fleets, and a hybrid's, of one workload."""
    return case_of(platform={**PLATFORM, "logs": 60.0}, candidates={"own_hardware": True}, workload={"growth_per_year": 0.3},
                   serving={"spares": 1, "headroom": 0.1})


def of_the_fleet(done: Evaluated) -> float:
    return sum(float(line.upfront) + float(line.monthly.sum()) for line in done.costs.lines if line.kind in OF_THE_FLEET)


def alone_and_together(id: str, workloads: int, a_day: float, **changes: Any) -> tuple[Evaluated, Evaluated]:
    """One of several workloads of so many requests a day, and one company with all of them."""
    w = World(everything(), **plan(id, **{k: v for k, v in changes.items() if k == "minimum_months"}))
    o = replace(w.options[id], **{k: v for k, v in changes.items() if k != "minimum_months"})
    one = replace(o, workloads=float(workloads), fleet_share=1.0 / workloads)
    return (evaluate(replace(w.shared, requests_per_day=a_day), one, w.options),
            evaluate(replace(w.shared, requests_per_day=a_day * workloads), o, w.options))


WAYS = [(ADAPTER, {}), (ADAPTER, {"autoscale": True, "autoscale_floor": 1}), (ADAPTER, {"minimum_months": 36.0}), (OWN, {}),
        (HYBRID, {"replicas_fixed": 3})]


@pytest.mark.parametrize(("id", "changes"), WAYS, ids=["rented", "by the hour", "bound", "bought", "floor"])
@given(st.integers(1, 500), st.floats(1e3, 1e6))
def test_all_of_them_together_pay_what_one_company_with_their_load_pays(
    id: str, changes: dict[str, Any], workloads: int, a_day: float,
) -> None:
    """GPUs, spares, what a contract owes, hardware and platform; what spills is each one's own, and as much in all."""
    one, company = alone_and_together(id, workloads, a_day, **changes)
    assert of_the_fleet(one) * workloads == pytest.approx(of_the_fleet(company), rel=1e-9)
    spilled = [sum(float(line.monthly.sum()) for line in done.costs.lines if line.kind is LineKind.SPILLED)
               for done in (one, company)]
    assert spilled[0] * workloads == pytest.approx(spilled[1], rel=1e-9, abs=1e-6)


def test_with_more_on_the_fleet_each_pays_less_down_to_its_part_of_full_gpus() -> None:
    """100 requests a day, at the peak 3 x 100 / 86,400 a second of the 1/s that a GPU holds at 90%, x $2 x 730 x pooling 1."""
    costs = [of_the_fleet(alone_and_together(ADAPTER, 2**k, 100.0)[0]) for k in range(16)]
    assert all(more <= fewer * (1.0 + 1e-12) for fewer, more in pairwise(costs))
    w = World(everything(), **plan(ADAPTER))
    o = replace(w.options[ADAPTER], workloads=1e6, fleet_share=1e-6)
    assert o.plan is not None
    each = replace(o, plan=replace(o.plan, pooling=1.0), platform_usd=0.0)
    month = evaluate(replace(w.shared, requests_per_day=100.0), each, w.options).costs.lines
    rent = sum(float(line.monthly[0]) for line in month if line.kind is LineKind.RENT)
    assert rent == pytest.approx(3.0 * 100.0 / 86_400.0 / 0.9 * 1460.0, rel=1e-3)


@pytest.mark.full
@given(st.lists(st.floats(0.1, 3.0), min_size=2, max_size=4), st.integers(2, 100))
def test_rows_of_volumes_are_as_one_by_one(times: list[float], workloads: int) -> None:
    w = World(everything(), **plan(ADAPTER))
    o = replace(w.options[ADAPTER], workloads=float(workloads), fleet_share=1.0 / workloads)
    rows = evaluate(replace(w.shared, requests_per_day=np.array(times)[:, None] * 1e4), o, w.options).total.monthly
    for row, t in zip(rows, times, strict=True):
        assert row == pytest.approx(evaluate(replace(w.shared, requests_per_day=t * 1e4), o, w.options).total.monthly)


@pytest.mark.full
def test_ending_a_shared_contract_costs_a_share_too() -> None:
    """Bound for 36 months of 24, $500 a GPU end it: 4 x 3 GPUs and a spare, 13 x $500 / 4."""
    w = World(four(), **plan(ADAPTER, minimum_months=36.0, cancel_usd=500.0, pooling=1.0))
    assert w.line(ADAPTER, "GPU commitment beyond the horizon")[1][-1] == pytest.approx(13 * 500.0 / 4)


def test_what_cannot_be_shared_is_refused() -> None:
    for blocks, told in (
        ({"serving": {"adapters_on_base": 60}}, r"serving.*adapters_on_base: 60 needs adapters: shared"),
        ({"serving": {"adapters": "shared", "adapters_on_base": 0}}, r"serving\.adapters_on_base: 0 is not usable"),
        ({"training": {"adapters": 1.5}}, r"training\.adapters: 1\.5 is not usable"),
        ({"training": {"adapters": 0}}, r"training\.adapters: 0 is not usable"),
        ({"training": {"further_adapter_hours": -1}}, r"training\.further_adapter_hours: -1 is not usable"),
    ):
        with pytest.raises(InputError, match=told):
            check_scenario(quiet(blocks))
    with pytest.raises(ScenarioError, match=r"training.adapters: 60 is not usable; several need serving.adapters: shared"):
        case_of(training={"adapters": 60})


TRAINED = {"examples": 1000.0, "tokens_per_example": 1000.0, "runs_until_good": 3.0, "retrain_every_months": 6.0,
           "retrain_runs": 2.0, "retrain_hours": 10.0, "relabel_share": 0.2}  # fmt: skip


@cache
def three() -> Case:
    return case_of(training={**TRAINED, "adapters": 3, "further_adapter_hours": 4.0}, people=PEOPLE,
                   serving={"spares": 0, "headroom": 0.0, "adapters": "shared"})


def test_each_of_three_adapters_is_trained_labelled_evaluated_and_trained_again() -> None:
    """5 GPU-hours x $4 = $20 a run: 3 x $20 kept, 3 x $40 not; 3 x 1,000 labels x $1; 3 x ($100 + 300 x $1).

    Set-up 200 h + 2 x 4 h. Every 6 months 10 h + 2 x 4 h and 3 x (2 x $20 + 0.2 x 1,000 x $1 + $400) = $1,800 + $1,920. The
    fleet holds the load as it is: 3 GPUs.
    """
    own = f"options.{ADAPTER}.training."
    w = World(three(), **plan(ADAPTER), **{own + "gpu_hours_per_run": 5.0, own + "usd_per_gpu_hour": 4.0})
    once = {name: w.line(ADAPTER, name)[0] for name in (
        "training, the run that is kept", "training, runs that are not", "training data, labels",
        "evaluation before the change", "engineering, set-up")}
    assert list(once.values()) == pytest.approx([60.0, 120.0, 3000.0, 1200.0, 20_800.0])
    paid = w.line(ADAPTER, "retraining")[1]
    assert {t + 1: usd for t, usd in enumerate(paid) if usd} == pytest.approx({6: 3720.0, 12: 3720.0, 18: 3720.0})
    assert w.line(ADAPTER, "GPU rent")[1][0] == pytest.approx(4380.0)
    told = {line.name: line.told if isinstance(line.told, str) else line.told(0) for line in w.costed(ADAPTER).costs.lines}
    assert told["training data, labels"] == "3 adapters x (1,000 labels x $1)"
    assert told["engineering, set-up"] == "(200 h + 2 further adapters x 4 h) x $100/h"


def tuned(shared: Shared, options: dict[str, Option], adapters: float) -> list[tuple[str, float, float]]:
    """The lines of a model that a vendor tunes and hosts at $50 a month each, which ends after 9 months."""
    option = options[ADAPTER]
    assert option.training is not None
    t = replace(option.training, gpu_hours=0.0, vendor_usd=20.0, adapters=adapters)
    o = replace(option, kind="vendor-tuned", plan=None, plans=(), api=options["stay"].api, training=t, hosting_usd=50.0,
                life_first=9.0, life_every=99.0)
    assert tuned_again(o) == 60.0 * adapters
    (ends,) = migration_line(shared, o, tuned_again(o))
    hosting = next(line for line in evaluate(shared, o, options).costs.lines if line.kind is LineKind.HOSTING)
    return [(x.name, float(x.monthly[0]), float(x.monthly[8])) for x in (ends, hosting)]


def test_at_a_vendor_each_is_a_model_with_its_own_fee_and_its_own_training_on_a_successor() -> None:
    """Alone 40 h x $100 + $400 + 3 x $20 = $4,460, and $50 a month; three 48 h x $100 + 3 x ($400 + $60) = $6,180, and $150."""
    w = World(three())
    for adapters, ends, fee in ((1.0, 4460.0, 50.0), (3.0, 6180.0, 150.0)):
        (_, before, at), (_, hosting, _) = tuned(w.shared, w.options, adapters)
        assert (before, at, hosting) == pytest.approx((0.0, ends, fee))


@pytest.mark.full
def test_adapters_of_every_workload_on_the_base_are_loaded_at_once() -> None:
    """Three workloads with two adapters each: six at run time."""
    case = case_of(training={"adapters": 2}, serving={"adapters": "shared", "adapters_on_base": 3})
    assert str(case[f"options.{ADAPTER}.plans.0.adapter_speed"].value).endswith("-6")


@pytest.mark.full
def test_what_is_shared_and_what_several_adapters_mean_is_told_with_the_case() -> None:
    """One adapter at run time is a question; several, and several workloads, say what is counted how often."""
    for blocks, told in (
        ({}, "serving.adapters: shared applies one adapter at run time, slower than merged: where the workload has several"),
        ({"serving": {"adapters": "shared", "adapters_on_base": 2}}, "2 workloads like this one are on the fleet, their peaks"),
        ({"training": {"adapters": 3}}, "training.adapters: 3 are trained on 5,000 examples each, labelled, evaluated"),
    ):
        scenario = check_scenario(quiet({"serving": {"adapters": "shared"}, **blocks}))
        warnings = resolve(scenario).warnings
        assert [told in each for each in warnings].count(True) == 1, warnings
