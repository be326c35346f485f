"""Adapters at run time in the plans of an option: what their slots take of a card, what it then holds, and what is refused."""

from functools import cache
from typing import Any

import pytest
from quiet_scenario import ADAPTER, SELF, case_of

from roi.errors import InputError
from roi.facts.case import Case
from roi.resolution.resolution import resolve
from roi.resolution.weight_choice import weight_choice
from roi.scenario.file import check_scenario, load_scenario

LONG = {"input_tokens": 6000.0, "output_tokens": 900.0, "ttft_p95_s": 20.0, "tpot_p95_s": 0.2}
EACH = 87_293_952
"""Bytes of rank 16 on qwen3-8b: q 4096 + 4096, k and v 4096 + 1024, o 4096 + 4096, gate, up and down 4096 + 12288, of 36
layers: 75,776 x 36 x 16 x 2."""


def adapters(several: int, slots: int | None = None, **changes: Any) -> Case:
    serving = {"adapters": "shared", "adapters_on_base": several, "weight_dtypes": ["bf16"], "tensor_parallel": [1]}
    return case_of(serving=serving if slots is None else {**serving, "adapter_slots": slots},
                   candidates={"gpus": ["L40S"], "hybrid": False}, workload=LONG, **changes)


@cache
def held(several: int, slots: int | None = None) -> tuple[float, float]:
    """Bytes of a card that adapters take, and requests/s of a replica."""
    case = adapters(several, slots)
    plan = f"options.{ADAPTER}.plans.0."
    return float(case[f"{plan}adapter_bytes_per_gpu"].number()), float(case[f"{plan}capacity_requests_per_s"].number())


@pytest.mark.full
def test_more_adapters_take_more_of_a_card_and_it_holds_less() -> None:
    """One, twenty, or 100 slots of 87 MB; prompts of 6,000 tokens, whose KV cache binds on 44 GiB with 15 of weights."""
    assert [held(several, slots)[0] for several, slots in ((1, None), (20, 20), (100, 100))] == [EACH, 20 * EACH, 100 * EACH]
    one, twenty, hundred = (held(several, slots)[1] for several, slots in ((1, None), (20, 20), (100, 100)))
    assert hundred < twenty < one
    assert held(2000)[0] <= held(2000, 200)[0]


@pytest.mark.full
def test_left_out_there_are_slots_for_the_sequences_that_fit_beside_them() -> None:
    """Far fewer than 300 adapters: a sequence of 6,000 tokens takes about 0.9 GB, ten times a slot. Eight all have one."""
    taken, _ = held(300)
    assert 10 * EACH < taken < 40 * EACH
    assert taken % EACH == 0
    assert held(8)[0] == 8 * EACH


def test_what_they_take_is_a_fact_with_its_source() -> None:
    case = adapters(8)
    fact = case[f"options.{ADAPTER}.plans.0.adapter_bytes_per_gpu"]
    assert case[f"options.{ADAPTER}.plans.0.adapter_slots"].number() == 8
    assert (fact.unit, fact.source) == ("B", "8 slots for 8 adapters of rank 16 in 16 bits, reserved before the KV cache")
    assert "8 adapters at run time at 0.90 of its speed" in case[f"options.{ADAPTER}.plans.0.capacity_requests_per_s"].source
    assert "8 at once in 0.7 GiB of each GPU" in case[f"options.{ADAPTER}.plans.0.capacity_requests_per_s"].source
    assert f"options.{SELF}.plans.0.adapter_bytes_per_gpu" not in case.facts


def test_merged_adapters_and_models_without_one_take_nothing() -> None:
    """Nothing is told of them, and nothing moves."""
    assert not [path for path in case_of().facts if "adapter_bytes" in path]
    s = check_scenario({"as_of": "2026-11-24", "workload": {"requests_per_day": 1, "input_tokens": 1, "output_tokens": 1},
                        "incumbent": {"provider": "openai", "model": "gpt-5.4"}})
    found = resolve(load_scenario(None, ("candidates.gpus=[RTX-4090]",)))
    plan = found.plans[ADAPTER][0]
    assert weight_choice(s, plan.serving.shape, "", tuned=True).slots(plan.serving.gpu, 1) is None
    assert plan.serving.slots is None


def test_slots_that_leave_no_room_are_named_with_what_they_take() -> None:
    """500 x 87 MB are 40.6 GiB of an L40S of 44.4."""
    told = str(adapters(500, 500)[f"options.{ADAPTER}.infeasible"].value)
    assert told.startswith("no plan holds; the nearest, 1 x L40S bf16: does not fit: weights, adapters (40.6 GiB), workspace")
    assert told.endswith("; 500 of 500 adapters at once take 40.6 GiB of a single GPU (serving.adapter_slots)")


@pytest.mark.parametrize(("serving", "told"), [
    ({"adapter_slots": 4}, "serving: adapter_slots: 4 needs adapters: shared; a merged adapter takes no slot"),
    ({"adapters": "shared", "adapter_slots": 0}, "serving.adapter_slots: 0 is not usable; it should be"),
    ({"adapters": "shared", "adapter_slot": 4}, "serving.adapter_slot: unknown key; nearest: adapter_slots"),
])
def test_what_cannot_be_meant_is_refused(serving: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError) as error:
        case_of(serving=serving)
    assert told in str(error.value)
