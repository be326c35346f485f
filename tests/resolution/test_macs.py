"""Macs in a scenario: cards that are bought or owned, what serves on them, and what is refused with the reason."""

import pytest

from roi.answers.fit import fit_model
from roi.answers.size import size_file
from roi.catalog.cards.gpus import find_gpu
from roi.catalog.models.shapes import find_model
from roi.errors import InputError, ScenarioError
from roi.estimate.training.plan import TrainingPlan
from roi.resolution.resolution import resolve
from roi.resolution.weight_choice import DTYPES, GGUF_DTYPES, WeightChoice
from roi.scenario.file import load_scenario
from roi.scenario.sections.supply import Serving

ULTRA = "M2-Ultra-76-192GB"
OWNED = ("own_hardware.cards={M2 Ultra 76-core 192GB: 4}", "own_hardware.resale_usd_per_gpu=4000",
         "candidates.self_hosted=[llama-3.1-8b]", "candidates.gpus=[L4]", "workload.requests_per_day=2000",
         "workload.ttft_p95_s=10")
BOUGHT = ("candidates.own_hardware=true", "candidates.gpus=[M3 Ultra 80-core 96GB]", "own_hardware.purchase_usd_per_gpu=5500",
          "candidates.self_hosted=[llama-3.1-8b]", "workload.requests_per_day=2000", "workload.ttft_p95_s=10")


def resolved(*overrides):
    return resolve(load_scenario(None, overrides))


def infeasible(found, option):
    return found.case.facts[f"options.{option}.infeasible"].value


def choice(**serving):
    return WeightChoice(serving=Serving(**serving), shape=find_model("llama-3.1-8b"),
                        adapters=2 if serving.get("adapters") == "shared" else 0)


def test_macs_that_are_owned_serve_with_llama_cpp_one_a_replica_and_other_cards_as_before():
    """GGUF files of 16 and 8 bits stand in for bf16 and fp8, and the fit's own Mac is calibrated."""
    found = resolved(*OWNED, "candidates.base=true")
    plans = found.plans["own-hardware:llama-3.1-8b"]
    assert {(p.offer.gpu, p.serving.tensor_parallel, p.offer.gpus_per_instance) for p in plans} == {(ULTRA, 1, 1)}
    assert {p.serving.engine for p in plans} == {"llama.cpp-metal"}
    assert {p.serving.weight_dtype for p in plans} <= {"f16", "q8_0"}
    assert {p.evidence.server.sequence_limit for p in plans} == {4.0}
    assert "llama.cpp-metal; nearest: " in plans[0].evidence.source
    assert {p.serving.engine for p in found.plans["self-hosted-base:llama-3.1-8b"]} == {None}


def test_a_mac_that_is_bought_is_a_whole_computer_without_a_host_and_nobody_rents_it_out():
    found = resolved(*BOUGHT, "serving.weight_dtypes=[q4_k_m]")
    assert found.case.facts["own_hardware.host_usd_per_gpu"].value == 0.0
    plan, = found.plans["own-hardware:llama-3.1-8b"]
    assert (plan.offer.gpu, plan.offer.gpus_per_instance, plan.offer.usd_per_gpu) == ("M3-Ultra-80-96GB", 1, 5500.0)
    assert plan.serving.weight_dtype == "q4_k_m"
    assert infeasible(found, "self-hosted-base:llama-3.1-8b").startswith("nobody rents Apple's GPUs out; own_hardware")
    stated = resolved(*BOUGHT, "own_hardware.host_usd_per_gpu=100")
    assert stated.case.facts["own_hardware.host_usd_per_gpu"].value == 100.0


def test_macs_beside_other_cards_of_ones_own_have_plans_each_with_its_engine():
    """Element by element the capacities of the mixed grid are those of either alone."""
    mixed = resolved(*OWNED[1:], "own_hardware.cards={M2 Ultra 76-core 192GB: 4, RTX-4090: 2}")
    alone = resolved(*OWNED)
    both = {(p.offer.gpu, p.serving.weight_dtype): p for p in mixed.plans["own-hardware:llama-3.1-8b"]
            if p.serving.tensor_parallel == 1}
    assert {(gpu, plan.serving.engine) for (gpu, _), plan in both.items()} == {(ULTRA, "llama.cpp-metal"), ("RTX-4090", None)}
    for plan in alone.plans["own-hardware:llama-3.1-8b"]:
        other = both.get((ULTRA, plan.serving.weight_dtype))
        assert other is None or other.capacity == plan.capacity


@pytest.mark.parametrize(("override", "told"), [
    ("serving.engine=vllm", "vllm does not run on Apple's GPUs; llama.cpp and ollama do (serving.engine)"),
    ("serving.engine=tensorrt-llm", "tensorrt-llm does not run on Apple's GPUs; llama.cpp and ollama do (serving.engine)"),
    ("serving.weight_dtypes=[bf16]", f"llama.cpp runs llama-3.1-8b in bf16 on none of {ULTRA}; it runs there in f16, q8_0"),
    ("serving.tensor_parallel=[2]", "serving.tensor_parallel"),
])
def test_what_does_not_run_on_a_mac_is_infeasible_with_the_reason(override, told):
    assert told in infeasible(resolved(*OWNED, override), "own-hardware:llama-3.1-8b")


def test_adapters_at_run_time_and_several_macs_are_named():
    mac = {ULTRA: find_gpu(ULTRA)}
    assert choice(adapters="shared").why_none_runs(mac).startswith("adapters at run time are not estimated on Apple's GPUs")
    assert choice(tensor_parallel=(2, 4)).why_none_runs(mac) == (
        "a replica on Apple's GPUs is one Mac: serving.tensor_parallel needs a 1")
    assert choice().replicas(find_gpu(ULTRA)) == (1,)


@pytest.mark.parametrize("card", [ULTRA, "H100", "P40", "MI300X"])
@pytest.mark.parametrize("engine", ["llama.cpp", "ollama"])
def test_gguf_files_are_served_by_their_engines_on_every_card_and_by_no_other(engine, card):
    gpu, every = find_gpu(card), (*DTYPES, *GGUF_DTYPES)
    assert choice(engine=engine).running(gpu) == ("f16", "q8_0")
    assert choice(engine=engine, weight_dtypes=every).running(gpu) == GGUF_DTYPES
    assert not set(choice(engine="vllm", weight_dtypes=every).running(gpu)) & set(GGUF_DTYPES)
    assert choice(engine=engine, tensor_parallel=(1, 2, 4)).replicas(gpu) == (1,)


@pytest.mark.parametrize(("serving", "told"), [
    ({"engine": "ollama", "tensor_parallel": (2,)}, "a replica with ollama is one GPU: serving.tensor_parallel needs a 1"),
    ({"engine": "llama.cpp", "adapters": "shared"}, "adapters at run time are not estimated with llama.cpp; merge them"),
    ({"engine": "llama.cpp", "weight_dtypes": ("bf16",)}, "in bf16 on none of H100; it runs there in f16, q8_0"),
    ({"weight_dtypes": ("q8_0",)}, "(serving.weight_dtypes), llama.cpp and ollama in GGUF files (serving.engine)"),
])
def test_what_engines_of_gguf_files_do_not_do_on_a_gpu_is_told(serving, told):
    assert told in choice(**serving).why_none_runs({"H100": find_gpu("H100")})


def test_llama_cpp_serves_on_rented_gpus_with_its_own_fit_and_four_slots():
    """Llama-3.1-8B in q8_0, 8.5 bits: 8.53 GB; four at a time on one RTX 4090."""
    found = resolved("serving.engine=llama.cpp", "candidates.self_hosted=[llama-3.1-8b]", "candidates.gpus=[RTX-4090, H100]",
                     "workload.requests_per_day=500")
    plan = next(p for p in found.plans["self-hosted-adapter:llama-3.1-8b+lora"] if p.offer.gpu == "RTX-4090")
    assert (plan.serving.engine, plan.serving.tensor_parallel, plan.evidence.server.sequence_limit) == ("llama.cpp", 1, 4.0)
    assert "(llama.cpp; nearest: 98 rows, RTX-4090" in plan.evidence.source
    hosted = found.plans["hosted-adapter:fireworks/qwen3-8b"]  # whose servers are the vendor's
    assert {(p.serving.engine, p.serving.weight_dtype) for p in hosted} <= {(None, "bf16"), (None, "fp8")}


def test_nothing_trains_on_a_mac():
    with pytest.raises(InputError, match=r"--gpu: 'M3 Max 64GB': training is not estimated on Apple's GPUs"):
        fit_model("llama-3.1-8b", TrainingPlan(method="lora"), gpus="H100,M3 Max 64GB", day=load_scenario(None).as_of)
    with pytest.raises(ScenarioError, match=r"training\.gpu.*training is not estimated on Apple's GPUs"):
        resolved(*OWNED, "training.gpu=M2 Ultra 76-core 192GB")
    found = resolved(*OWNED)
    assert found.case.facts["options.own-hardware:llama-3.1-8b+lora.training.gpu"].value != ULTRA


def test_size_says_why_ones_own_macs_hold_nothing_beside_why_no_rented_card_does():
    with pytest.raises(InputError, match=r"no plan holds; the nearest, 8 x L4.*; on your own: vllm does not run on Apple"):
        size_file(overrides=(*OWNED, "serving.engine=vllm", "workload.ttft_p95_s=0.05"), cache=False)
