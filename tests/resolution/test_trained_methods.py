"""Any tuner that `roi fit` knows trains an adapter of a scenario; what no engine serves is infeasible, with the reason."""

from typing import get_args

import pytest
from quiet_scenario import quiet

from roi.catalog.cards.gpus import find_gpu
from roi.catalog.models.shapes import find_model
from roi.economics.decision.comparison import compare
from roi.errors import InputError
from roi.estimate.step.step_time import training_hours
from roi.estimate.training.peft_methods import TUNERS, unserved
from roi.estimate.training.plan import METHODS, Other, TrainingPlan
from roi.evidence.training_speed import speed_evidence
from roi.facts.case import Case
from roi.facts.methods import AnyMethod
from roi.resolution.resolution import resolve
from roi.scenario.file import check_scenario
from roi.store.profiles.lookup import Store

TRAINED = {"examples": 5000, "epochs": 3, "gpu": "h100-sxm", "micro_batch": 4}


def case_of(methods: list[str], model: str = "qwen3-8b", **changes: object) -> Case:
    candidates = {"self_hosted": [model], "methods": methods, "base": False, "hybrid": False}
    return resolve(check_scenario(quiet({"quality": {"scores": {"gpt-5.4": 0.95}}, "candidates": candidates, **changes}))).case


def why(case: Case, method: str, model: str = "qwen3-8b") -> str:
    path = f"options.self-hosted-adapter:{model}+{method}.infeasible"
    return str(case[path].value) if path in case else ""


def test_the_names_are_those_of_plans() -> None:
    """All but what LitGPT and ms-swift have of their own."""
    assert set(get_args(AnyMethod)) | set(get_args(Other)) == {*METHODS, *TUNERS}
    assert not set(get_args(AnyMethod)) & set(get_args(Other))


def test_an_unknown_method_is_answered_with_the_nearest_not_with_all() -> None:
    with pytest.raises(InputError, match=r"candidates\.methods\.0: 'prefix-tuning' is not usable; nearest: prefix_tuning, p"):
        case_of(["prefix-tuning"])


@pytest.mark.parametrize("method", ["ia3", "oft", "loha"])
def test_hours_of_a_tuner_are_those_of_its_plan(method: str) -> None:
    """5,000 examples of 1,100 tokens, 3 epochs on an H100: what `roi fit` states of the same plan."""
    shape, gpu = find_model("qwen3-8b"), find_gpu("h100-sxm")
    plan = TrainingPlan(method=method, micro_batch=4.0, seq=1100.0, trainer="hf", autocast=True)
    efficiency = speed_evidence(Store())(gpu, shape, plan).efficiency
    found = case_of([method], training=TRAINED)[f"options.self-hosted-adapter:qwen3-8b+{method}.training.gpu_hours_per_run"]
    assert found.value == pytest.approx(float(training_hours(
        shape, TrainingPlan(method=method, micro_batch=4.0, seq=4400.0, trainer="hf", autocast=True), gpu, efficiency,
        5000.0, 1100.0, 3.0)))


def test_what_no_engine_serves_is_infeasible_with_the_reason() -> None:
    case = case_of(["lora", "ia3", "dora", "prefix_tuning", "beft"], training=TRAINED)
    assert [bool(why(case, name)) for name in ("lora", "ia3", "dora")] == [False] * 3
    for name in ("prefix_tuning", "beft"):
        assert why(case, name) == (f"{name} cannot be merged into the base, and engines apply LoRA alone at run time; train"
                                   " another way")


def test_beside_other_adapters_on_one_base_only_lora_is_served() -> None:
    """vLLM's PEFTHelper refuses DoRA, and knows no other type; trained whole, nothing is left to share."""
    names = ["lora", "rslora", "qlora", "lora_fa", "mica", "dora", "full", "ia3"]
    case = case_of(names, training=TRAINED, serving={"adapters": "shared", "adapters_on_base": 4})
    served = [name for name in names if not why(case, name)]
    assert served == [name for name in names if not unserved(name, shared=True)] == names[:5]
    assert why(case, "dora") == ("engines apply LoRA alone at run time, not dora; take serving.adapters: merged, or train lora")


def test_a_size_above_every_target_is_infeasible_and_blocks_must_divide() -> None:
    """qwen3-0.6b is 1,024 wide; 4,096 and 1,024, the sides of qwen3-8b's products, have 32 as a divisor next to 48."""
    small = case_of(["lora"], "qwen3-0.6b", training={**TRAINED, "rank": 2048})
    assert why(small, "lora", "qwen3-0.6b") == "training.rank 2,048 is above 1,024, the full rank of the widest target"
    case = case_of(["lora", "c3a"], training={**TRAINED, "rank": 48})
    assert why(case, "lora") == ""
    assert why(case, "c3a") == "rank: 48 does not divide the 4,096 inputs of q_proj, as c3a needs; 32 does"


def test_a_comparison_holds_adapters_of_several_tuners() -> None:
    c = compare(case_of(["lora", "ia3"], training=TRAINED, draws=64))
    assert {o.id for o in c.options} >= {"self-hosted-adapter:qwen3-8b+lora", "self-hosted-adapter:qwen3-8b+ia3"}
