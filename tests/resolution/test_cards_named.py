"""Cards and vendors that candidates name: owned ones that nobody rents out, rents of a later day, sizes of instances."""

from typing import Any

import pytest
from quiet_scenario import case_of, quiet

from roi.economics.inputs import Option, path_of
from roi.errors import ScenarioError
from roi.resolution.resolution import resolve
from roi.resolution.vendors.hosted_options import NOT_RENTED
from roi.scenario.file import check_scenario, load_scenario

OWNED = {"cards": {"h100-pcie": 1}, "resale_usd_per_gpu": 20_000}


def test_a_card_that_is_owned_may_be_the_only_one_that_is_named_though_nobody_rents_it_out() -> None:
    case = case_of(candidates={"gpus": ["h100-pcie"], "hybrid": True}, own_hardware=OWNED)
    for id in ("self-hosted-base:qwen3-8b", "hybrid:qwen3-8b"):
        assert case[path_of(Option, "infeasible", option=id)].value == NOT_RENTED
    assert case["options.own-hardware:qwen3-8b.plans.0.gpu"].value == "H100-80GB-PCIe"
    assert "options.hybrid-own:qwen3-8b.plans.0.gpu" in case


def test_a_card_that_is_neither_owned_nor_rented_out_is_refused() -> None:
    for own in ({}, {"cards": {"l40s": 1}, "resale_usd_per_gpu": 5_000}):
        with pytest.raises(ScenarioError, match=r"candidates.gpus: 'h100-pcie' .*no vendor of the scenario rents these"):
            case_of(candidates={"gpus": ["h100-pcie"]}, own_hardware=own)


def test_cards_that_nobody_rents_out_are_told_with_the_nearest_that_are() -> None:
    with pytest.raises(ScenarioError, match=r"'L40' .* \(gpu_rents states a quote\); nearest that are: L40S, L4$"):
        case_of(candidates={"gpus": ["L40"]})


def test_a_vendor_whose_rents_are_of_a_later_day_is_not_called_unknown() -> None:
    scenario = quiet({"as_of": "2026-06-30", "candidates": {"vendors": ["aws"], "gpus": []}})
    with pytest.raises(ScenarioError, match=r"as_of: '2026-06-30' .*the earliest rent of aws is of 2026-09-06"):
        resolve(check_scenario(scenario))


def test_a_stated_rent_says_which_field_holds_the_size_of_its_instances() -> None:
    """70B in fp8 needs two cards of 80 GB; `gpus_per_instance` is 1 unless it is stated."""

    def why(**rent: Any) -> Any:
        case = case_of(
            candidates={"self_hosted": ["llama-3.3-70b"], "gpus": ["h100-sxm"], "vendors": ["ours"]},
            gpu_rents=[{"gpu": "h100-sxm", "vendor": "ours", "usd_per_gpu_hour": 2.5, **rent}],
            serving={"weight_dtypes": ["fp8"], "tensor_parallel": [2]},
        )
        found = case.facts.get(path_of(Option, "infeasible", option="self-hosted-base:llama-3.3-70b"))
        return "" if found is None else found.value

    assert why().endswith("the largest that these vendors rent has 1 (gpu_rents.0.gpus_per_instance)")
    assert why(gpus_per_instance=2) == ""


def test_a_day_before_the_first_rent_of_a_card_is_told_with_that_day_and_not_as_cards_that_nobody_rents_out() -> None:
    """Modal's rents of 2026-05-07 are the first that can be ordered, and AWS's of 2026-09-06 the first of an A10G."""
    for gpus, told in (([], "a GPU that is known is of 2026-05-07"), (["A10G"], "A10G that is known is of 2026-09-06")):
        scenario = quiet({"as_of": "2025-11-24", "candidates": {"gpus": gpus}})
        with pytest.raises(ScenarioError, match=f"as_of: '2025-11-24' .*the earliest rent of {told}; state one in gpu_rents"):
            resolve(check_scenario(scenario))


@pytest.mark.parametrize(("vendor", "gpus", "usd"), [("RunPod", 2, 3.99), ("Modal", 2, 3.95), ("Lambda", 8, 3.99)])
def test_a_replica_of_several_gpus_is_one_instance_of_as_many_where_a_vendor_rents_them_by_the_gpu(vendor, gpus, usd):
    """70 billion parameters in fp8 take two H100; Lambda has instances of one and of eight, and no others."""
    asked = ("candidates={self_hosted: [llama-3.3-70b], methods: [], base: true, gpus: [H100-80GB-SXM]}", "draws=0",
             f"candidates.vendors=[{vendor}]", "workload.requests_per_day=10000", "serving.tensor_parallel=[2]")
    plans = resolve(load_scenario(None, asked)).plans["self-hosted-base:llama-3.3-70b"]
    assert {(plan.offer.gpus_per_instance, plan.offer.usd_per_gpu_hour) for plan in plans} == {(gpus, usd)}
