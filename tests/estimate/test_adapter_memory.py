"""What adapters at run time hold on a card: bytes by hand, on one GPU and on several, slots, and what is left for KV."""

from collections import Counter
from heapq import heappop, heappush

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roi.catalog.cards.gpus import find_gpu
from roi.catalog.models.shapes import find_model, load_models
from roi.estimate.serving.adapter_memory import (
    AdapterSlots,
    adapter_bytes,
    reading_adapters,
    sequences_at_once,
    slot_rank,
    together,
)
from roi.estimate.serving.efficiencies import PERFECT
from roi.estimate.serving.iteration import Iteration
from roi.estimate.serving.replica_memory import ReplicaMemory, replica_memory
from roi.estimate.serving.request_shape import RequestShape
from roi.estimate.training.adapters import trained_parameters
from roi.estimate.training.plan import TrainingPlan
from roi.units import GIB

LLAMA = find_model("llama-3.1-8b")
REQUESTS = RequestShape(uncached_tokens=2000.0, output_tokens=100.0)


def memory(slots: AdapterSlots | None, gpu: str = "L40S") -> ReplicaMemory:
    return replica_memory(LLAMA, find_gpu(gpu), 1.0, "bf16", "bf16", REQUESTS, adapters=slots)


def test_an_adapter_of_rank_16_on_8_billion_parameters_takes_84_megabytes() -> None:
    """Inputs + outputs of a layer of Llama-3.1-8B: q and o 4096 + 4096, k and v 4096 + 1024, gate, up and down 4096 + 14336:
    16,384 + 10,240 + 55,296 = 81,920; x 32 layers x 16 x 2 bytes = 83,886,080. 60 are 5.0 GB, 500 are 41.9 GB.
    """
    assert adapter_bytes(LLAMA, 16) == 83_886_080
    assert adapter_bytes(LLAMA, 64) == 4 * 83_886_080


def test_over_two_gpus_the_half_that_faces_what_is_split_is_split() -> None:
    """q 4096 + 2048, k and v 4096 + 512, gate and up 4096 + 7168 each; o 2048 + 4096, down 7168 + 4096: 55,296 of 81,920."""
    assert adapter_bytes(LLAMA, 16, 2.0) == 55_296 * 32 * 16 * 2
    assert np.asarray(adapter_bytes(LLAMA, 16, np.array([1.0, 2.0]))).tolist() == [83_886_080.0, 56_623_104.0]


def test_on_one_gpu_every_model_of_the_catalog_has_two_bytes_for_each_trained_parameter() -> None:
    plan = TrainingPlan(method="lora")
    two = {shape.id: 2.0 * float(trained_parameters(shape, plan)) for shape in load_models()}
    assert {shape.id: float(adapter_bytes(shape, 16)) for shape in load_models()} == pytest.approx(two)
    assert len(two) > 100


@pytest.mark.parametrize(("rank", "engine", "slot"), [
    (16, "vllm", 16), (20, "vllm", 32), (300, "vllm", 320), (1000, "vllm", 1000), (20, "sglang", 20)])
def test_vllm_has_slots_of_a_few_ranks(rank: int, engine: str, slot: int) -> None:
    assert slot_rank(rank, engine) == slot


def test_there_are_as_many_slots_as_sequences_that_fit_beside_them() -> None:
    """10 GiB for sequences of 0.4 with an adapter of 0.1 each: 20; 8 adapters need 8 slots; a long sequence of 9.5 leaves 0.5
    GiB for 5; a stated number is taken as it is; there is one at least.
    """
    assert AdapterSlots(0.1 * GIB, 60.0).held(10.001 * GIB, 0.4 * GIB, 1.0 * GIB) == 20
    assert AdapterSlots(0.1 * GIB, 8.0).held(10.001 * GIB, 0.4 * GIB, 1.0 * GIB) == 8
    assert AdapterSlots(0.1 * GIB, 60.0).held(10.001 * GIB, 0.4 * GIB, 9.5 * GIB) == 5
    assert AdapterSlots(0.1 * GIB, 60.0, stated=True).held(10.001 * GIB, 0.4 * GIB, 1.0 * GIB) == 60
    assert AdapterSlots(0.1 * GIB, 60.0).held(0.2 * GIB, 0.4 * GIB, 1.0 * GIB) == 1


def test_what_they_take_is_missing_from_the_room_for_kv() -> None:
    """Ten slots of 84 MB are 839 MB of an L40S's room; nobody's adapters take nothing."""
    without, ten = memory(None), memory(AdapterSlots(83_886_080.0, 10.0, stated=True))
    assert without.adapter_bytes == 0.0
    assert float(without.kv_capacity_bytes) - float(ten.kv_capacity_bytes) == pytest.approx(838_860_800)
    assert (ten.adapter_slots, ten.adapter_bytes) == (10.0, 838_860_800.0)


def test_each_adapter_of_a_batch_has_a_copy_of_the_shared_prefix() -> None:
    """1,000 tokens of Llama-3.1-8B x 131,072 bytes: one copy without adapters and for one, 20 for 20. Of 300 that are stated as
    many as sequences of 1,000 + 100 tokens with a copy fit beside them. Slots of their own number are then as many as copies.
    """
    shared, token = RequestShape(uncached_tokens=1000.0, output_tokens=200.0, cached_tokens=1000.0), 131_072
    plain, each = RequestShape(uncached_tokens=1000.0, output_tokens=200.0), float(np.asarray(adapter_bytes(LLAMA, 16)))

    def left(requests: RequestShape, slots: AdapterSlots | None) -> float:
        return float(replica_memory(LLAMA, find_gpu("L40S"), 1.0, "bf16", "bf16", requests, adapters=slots).kv_capacity_bytes)

    for slots, copies in ((None, 1), (AdapterSlots(each, 1.0), 1), (AdapterSlots(each, 20.0), 20)):
        assert left(plain, slots) - left(shared, slots) == pytest.approx(copies * 1000 * token)
    stated, room = AdapterSlots(each, 60.0, stated=True), left(plain, None)
    fitting = (room - 60 * each) // (2100 * token)
    assert 20 < fitting < 90
    assert left(shared, stated) == pytest.approx(room - 60 * each - min(fitting, 60) * 1000 * token)
    free = AdapterSlots(each, 500.0)
    found = replica_memory(LLAMA, find_gpu("L40S"), 1.0, "bf16", "bf16", shared, adapters=free)
    assert found.adapter_slots == room // (2100 * token + each)
    assert float(found.kv_capacity_bytes) >= float(found.adapter_slots) * 1100 * token


def test_slots_that_do_not_fit_are_named_with_their_bytes() -> None:
    """500 x 84 MB are 39.1 GiB, on a card of 44.4 with 15 of weights."""
    assert "weights, adapters (39.1 GiB), workspace and one long request need" in str(
        memory(AdapterSlots(83_886_080.0, 500.0, stated=True)).shortage())


@given(st.integers(1, 300), st.integers(1, 300), st.booleans())
def test_more_adapters_never_leave_more_room(one: int, more: int, stated: bool) -> None:
    few, many = (memory(AdapterSlots(83_886_080.0, float(n), stated)) for n in (one, one + more))
    assert float(many.kv_capacity_bytes) <= float(few.kv_capacity_bytes) <= float(memory(None).kv_capacity_bytes)


def test_plans_together_are_as_each_alone() -> None:
    each = [AdapterSlots(1e8, 10.0), AdapterSlots(6e7, 256.0)]
    joined = together(each)
    assert joined is not None
    room = np.array([4e9, 5e9])
    assert np.asarray(joined.held(room, 3e8, 6e8)).tolist() == [s.held(r, 3e8, 6e8) for s, r in zip(each, room, strict=True)]
    assert together([None, None]) is None


def test_so_many_sequences_are_under_way_as_keep_the_slots_taken() -> None:
    """-60 ln(1 - 8 / 60) = 8.6, -60 ln(1 / 2) = 41.6; one slot, one request; no limit where each adapter has one."""
    assert [float(sequences_at_once(s, 60)) for s in (1, 8, 30, 60, 80)] == [1.0, 8.0, 41.0, np.inf, np.inf]
    assert np.asarray(sequences_at_once(np.array([8.0, 30.0]), 60)).tolist() == [8.0, 41.0]


def test_a_step_reads_each_adapter_of_its_sequences_once() -> None:
    """Rank 256 on Llama-3.1-8B, 1,342,177,280 bytes at an H100's 3.35e12 a second: 0.4007 ms. Eight sequences of one adapter
    read one, of two 2 (1 - 2^-8) = 1.992 on average, and of very many eight; steps that decode nobody read none."""
    gpu, bare = find_gpu("H100-80GB-SXM"), Iteration(step_s=0.01, sequence_s=0.0, kv_byte_s=0.0, prefill_token_s=0.0)
    slots = AdapterSlots(float(adapter_bytes(LLAMA, 256)), 8.0)
    more = [float(reading_adapters(bare, slots, n, gpu, PERFECT).decode_s(8.0, 0.0)) - 0.01 for n in (1, 2, 10**6)]
    assert more == pytest.approx([0.4007e-3, 1.992 * 0.4007e-3, 8 * 0.4007e-3], rel=1e-3)
    assert float(reading_adapters(bare, slots, 2, gpu, PERFECT).decode_s(0.0, 0.0)) == 0.01
    assert reading_adapters(bare, slots, 0, gpu, PERFECT) is reading_adapters(bare, None, 8, gpu, PERFECT) is bare


def test_a_step_that_was_measured_with_some_adapters_reads_those_that_differ_beyond_them() -> None:
    """One takes 1 ms. Of 200 adapters 29.6 differ among 32 sequences, of 100 known ones 27.5 and of one 1: 2.1 ms and 28.6."""
    gpu, bare = find_gpu("H100-80GB-SXM"), Iteration(step_s=0.01, sequence_s=0.0, kv_byte_s=0.0, prefill_token_s=0.0)
    slots = AdapterSlots(3.35e9, 200.0)
    more = [1e3 * float(reading_adapters(bare, slots, 200, gpu, PERFECT, known=known).decode_s(32.0, 0.0)) - 10.0
            for known in (0, 1, 100)]
    differ = [200 * (1 - 0.995**32), 1.0, 100 * (1 - 0.99**32)]
    assert more == pytest.approx([differ[0], differ[0] - differ[1], differ[0] - differ[2]])
    assert reading_adapters(bare, slots, 4, gpu, PERFECT, known=4) is bare


def test_of_adapters_on_experts_a_step_reads_those_that_its_tokens_pass_through() -> None:
    """Eight of 128 experts: a sixteenth of them for each of few sequences with an adapter each, all for many of one."""
    shape = find_model("qwen3-30b-a3b")
    every, dense = (float(adapter_bytes(shape, 16, 1.0, share)) for share in (1.0, 0.0))
    slots = AdapterSlots(every, 8.0, experts_part=1.0 - dense / every)
    bare = Iteration(step_s=0.01, sequence_s=0.0, kv_byte_s=0.0, prefill_token_s=0.0, expert_share=8.0 / 128.0)
    gpu, read_s = find_gpu("H100-80GB-SXM"), 1.0 / 3.35e12
    few, many = (float(reading_adapters(bare, slots, adapters, gpu, PERFECT).decode_s(n, 0.0)) - 0.01
                 for adapters, n in ((10**6, 4.0), (1, 10.0**5)))
    assert few == pytest.approx(4.0 * read_s * (dense + (every - dense) / 16.0), rel=1e-3)
    assert many == pytest.approx(read_s * every, rel=1e-2)


def p95_wait(slots: int, adapters: float, load: float, count: int = 6000) -> float:
    """P95 of the wait, in mean times of a request, of `load` requests under way on average; no limit but slots.

    Poisson arrivals, exponential times, adapters asked alike (inf: each request has its own). Who has no slot waits until
    another adapter's requests have ended, and those that have one go ahead.
    """
    random = np.random.default_rng(7)
    arrivals, lasts = np.cumsum(random.exponential(1.0 / load, count)), random.exponential(1.0, count)
    of = np.arange(count) if np.isinf(adapters) else random.integers(0, int(adapters), count)
    taken, ends, waiting, waited = Counter[int](), list[tuple[float, int]](), list[int](), np.zeros(count)

    def admitted(now: float, some: list[int]) -> list[int]:
        left = []
        for k in some:
            if of[k] in taken or len(taken) < slots:
                taken[of[k]] += 1
                heappush(ends, (now + lasts[k], k))
                waited[k] = now - arrivals[k]
            else:
                left.append(k)
        return left

    coming = 0
    while coming < count or ends:
        if coming < count and (not ends or arrivals[coming] <= ends[0][0]):
            waiting += admitted(arrivals[coming], [coming])
            coming += 1
            continue
        now, k = heappop(ends)
        taken[of[k]] -= 1
        if not taken[of[k]]:
            del taken[of[k]]
            waiting = admitted(now, waiting)
    return float(np.quantile(waited[count // 5:], 0.95))


@pytest.mark.full
@pytest.mark.parametrize(("slots", "adapters"), [(8, 20), (8, 60), (30, 60), (24, 200)])
def test_that_limit_holds_the_load_that_slots_hold(slots: int, adapters: int) -> None:
    """P95 of the wait is a tenth of a request's time at loads within 15% of each other, by slots and by places."""
    def held(places: int, of: float) -> float:
        low, high = 0.1, 3.0 * places + 3.0
        for _ in range(8):
            middle = (low + high) / 2.0
            low, high = (middle, high) if p95_wait(places, of, middle) <= 0.1 else (low, middle)
        return low

    assert held(int(sequences_at_once(slots, adapters)), np.inf) == pytest.approx(held(slots, adapters), rel=0.15)
