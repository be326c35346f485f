"""One replica's capacity: figures by hand, Little's law, limits, and the roofline that nothing beats."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roi.catalog.cards.gpus import find_gpu
from roi.catalog.efficiencies.serving_efficiencies import find_engine
from roi.catalog.models.shapes import find_model
from roi.estimate.serving.capacity import operating_point, serving_capacity
from roi.estimate.serving.efficiencies import PERFECT
from roi.estimate.serving.iteration import Iteration, kv_bytes_per_gpu, matrix_rate, roofline_iteration
from roi.estimate.serving.replica_memory import ReplicaMemory, default_sequence_limit, default_step_tokens, replica_memory
from roi.estimate.serving.request_shape import RequestShape
from roi.estimate.serving.weight_formats import step_read_bytes, weight_bytes
from roi.facts.gpu import Gpu
from roi.facts.model import Attention, Mlp, ModelShape

DAY = date(2026, 11, 25)

LLAMA = ModelShape(
    id="llama-3.1-8b", family="llama", licence="llama3.1", context_tokens=131_072, hidden=4096, vocab=128_256,
    attention=(Attention(layers=32, heads=32, kv_heads=8, head_dim=128),), mlp=(Mlp(layers=32, intermediate=14_336),),
    published_parameters=8_030_261_248, source="config.json", date=DAY,
)
MIXTURE = LLAMA.model_copy(
    update={"id": "mixture", "mlp": (Mlp(layers=32, intermediate=14_336, experts=8, experts_per_token=2),)},
)
H100 = Gpu(
    id="H100-80GB-SXM", memory_bytes=85e9, bandwidth_bytes_per_s=3.35e12, fp32_flops=67e12, fp16_flops=1e15,
    bf16_flops=1e15, fp8_flops=2e15, link_bytes_per_s=450e9, l2_bytes=50e6, power_w=700, year=2022, source="datasheet",
    date=DAY,
)
SMALL = H100.model_copy(update={"id": "small", "memory_bytes": 16e9, "bandwidth_bytes_per_s": 0.3e12, "fp8_flops": None})
ENGINE = find_engine("vllm").efficiencies

ROUND = Iteration(step_s=0.010, sequence_s=0.0005, kv_byte_s=0.0, prefill_token_s=1e-5)
"""A step of 10 ms and 0.5 ms a sequence; 1,000 prompt tokens take 10 ms."""
REQUESTS = RequestShape(uncached_tokens=1000.0, output_tokens=100.0)


def roomy(kv_capacity: float = 1000.0) -> ReplicaMemory:
    """A replica with room for `kv_capacity` sequences of one byte each."""
    return ReplicaMemory(
        device_bytes=2**31, usable_bytes=2**31, resident_bytes=2**30, workspace_bytes=0.0, kv_capacity_bytes=kv_capacity,
        kv_read_bytes=1.0, kv_held_bytes=1.0, kv_long_bytes=1.0,
    )


def test_llama_8b_in_16_bit_weighs_16_gb_and_half_of_its_stack_in_fp8() -> None:
    """8,030,261,248 x 2 = 16.06 GB. The stack without embedding, head (525,336,576 each) and norms is 6.979e9."""
    assert weight_bytes(LLAMA, "bf16") == 2 * 8_030_261_248
    stack = 8_030_261_248 - 2 * 525_336_576 - 65 * 4096
    assert weight_bytes(LLAMA, "fp8") == 2 * 8_030_261_248 - stack
    assert weight_bytes(LLAMA, "int4") == pytest.approx(2 * 8_030_261_248 - 1.47 * stack)


def test_decoding_one_sequence_takes_at_least_the_time_to_read_the_weights() -> None:
    """Without the embedding a step reads 16.0605e9 - 1.0507e9 = 15.01e9 bytes: 15.01e9 / 3.35e12 = 4.48 ms.

    The whole 16.06 GB would take 4.79 ms; the embedding is looked up, not read.
    """
    step = roofline_iteration(LLAMA, H100, 1, "bf16", 0.0, PERFECT).step_s
    assert step == pytest.approx((16_060_522_496 - 1_050_673_152) / 3.35e12)
    assert 0.0044 < step < 0.0048
    assert roofline_iteration(LLAMA, H100, 1, "bf16", 0.0, ENGINE).step_s > 0.0048


def test_a_token_costs_two_flops_a_parameter_and_prefill_leaves_out_the_head() -> None:
    """1e15 FLOP/s: 2 x 7.505e9 / 1e15 = 15.0 us decoded; the head's 525,336,576 less, 14.0 us, in a prompt."""
    one = roofline_iteration(LLAMA, H100, 1, "bf16", 0.0, PERFECT)
    assert one.sequence_s == pytest.approx(2 * LLAMA.active_parameters / 1e15)
    assert one.prefill_token_s == pytest.approx(2 * (LLAMA.active_parameters - 525_336_576) / 1e15)


def test_a_format_that_the_card_lacks_saves_reading_but_not_computing() -> None:
    """No fp8 rate: half of the bytes, the 16 bit rate."""
    eight, sixteen = (roofline_iteration(LLAMA, SMALL, 1, w, 0.0, PERFECT) for w in ("fp8", "bf16"))
    assert eight.sequence_s == sixteen.sequence_s
    assert eight.step_s < sixteen.step_s


def test_kv_of_a_token_is_two_times_heads_times_width_times_layers() -> None:
    """2 x 8 x 128 x 32 x 2 bytes = 131,072; half on each of 2 GPUs, an eighth on 16 because 8 heads do not split."""
    assert kv_bytes_per_gpu(LLAMA, 1.0, 1.0) == 131_072
    assert kv_bytes_per_gpu(LLAMA, 1.0, 2.0) == 65_536
    assert kv_bytes_per_gpu(LLAMA, 1.0, 16.0) == 16_384


def test_tensor_parallelism_halves_the_reading_and_adds_all_reduces() -> None:
    """2 GPUs, 32 layers: 64 all-reduces of 10 us = 0.64 ms a step; 2 x 4096 bytes x 64 x 2 x (1/2) / 450e9 a token."""
    slow = replace(PERFECT, collective_latency_s=1e-5)
    one, two = (roofline_iteration(LLAMA, H100, tp, "bf16", 0.0, slow) for tp in (1, 2))
    assert two.step_s == pytest.approx(one.step_s / 2 + 0.00064)
    assert two.sequence_s == pytest.approx(one.sequence_s / 2 + 2 * 4096 * 64 / 450e9)


def test_a_mixture_reads_more_experts_as_the_batch_grows() -> None:
    """2 of 8 experts: 1/4 at one token, 1 - (1 + 2 (0.75^-0.49 - 1))^-2.04 at two (7/16 where even), all in the limit."""
    mixture = roofline_iteration(MIXTURE, H100, 1, "bf16", 0.0, PERFECT)
    assert mixture.touched(1.0) == pytest.approx(1 / 4)
    assert mixture.touched(2.0) == pytest.approx(0.41712, abs=1e-5)
    dense, experts = step_read_bytes(MIXTURE, "bf16")
    everything = mixture.decode_s(1000.0, 0.0) - 1000.0 * mixture.sequence_s
    assert everything == pytest.approx((dense + experts) / 3.35e12, rel=1e-4)


def test_steady_state_by_hand() -> None:
    """20 sequences: step 10 + 20 x 0.5 = 20 ms; a request costs 10 + 100 x 20 / 20 = 110 ms, so 9.0909/s.

    TPOT = 20 ms / (1 - 9.0909 x 0.010) = 22 ms, and 9.0909 x 100 x 0.022 = 20.
    """
    point = operating_point(REQUESTS, ROUND, 0.0, 20.0)
    assert point.requests_per_s == pytest.approx(1 / 0.110)
    assert point.tpot_s == pytest.approx(0.022)


def test_a_prompt_that_is_computed_alone_costs_a_step_of_its_own_by_hand() -> None:
    """As above with 10 + 10 = 20 ms a prompt: 20 + 100 = 120 ms, 8.3333/s; TPOT = 20 ms / (1 - 8.3333 x 0.020) = 24 ms."""
    point = operating_point(REQUESTS, ROUND, 0.0, 20.0, prompts_alone=True)
    assert point.requests_per_s == pytest.approx(1 / 0.120)
    assert point.tpot_s == pytest.approx(0.024)


def test_time_to_first_token_by_hand() -> None:
    """Service = 10 ms + 20 ms x 1000 / 10,000 = 12 ms; busy 12/110 = 0.1091; E[W] = 9.0909 x 0.012^2 / 2 / 0.8909.

    P95 of the wait = E[W] / busy x ln(0.1091 / 0.05) = 6.735 ms x 0.7802 = 5.255 ms; + step 20 + own 10 + 20 = 55.25 ms.
    """
    point = operating_point(REQUESTS, ROUND, 0.0, 20.0, step_tokens=10_000.0)
    assert point.ttft_s == pytest.approx(0.05525, abs=1e-5)


def test_a_prompt_of_several_steps_waits_for_its_own_to_end_by_hand() -> None:
    """Steps of 500 tokens: service = 10 + 2 x 20 = 50 ms; busy 50/110 = 0.4545; 50 / 2 / 0.5455 x ln(9.09) = 101.17 ms; + step
    20 + own 10 + 40 = 171.17 ms.
    """
    point = operating_point(REQUESTS, ROUND, 0.0, 20.0, step_tokens=500.0)
    assert point.ttft_s == pytest.approx(0.17117, abs=1e-5)


def test_a_prompt_reads_the_experts_that_the_step_leaves_alone() -> None:
    """One sequence passes through a quarter of the experts, which take 10 ms to read: 10 + 7.5 ms for the prompt."""
    mixture = replace(ROUND, experts_s=0.010, expert_share=0.25)
    assert operating_point(REQUESTS, mixture, 0.0, 1.0).prefill_s == pytest.approx(0.0175)


def test_what_reading_the_cache_takes_counts_in_what_endless_slots_would_serve() -> None:
    """0.5 ms of cache a sequence: endless slots give 1 / (10 + 100 x 1.0) ms = 9.1/s; 256 give 8.7, more than 0.9 of it."""
    assert serving_capacity(REQUESTS, replace(ROUND, kv_byte_s=0.0005), roomy()).binding == "compute"


def test_query_heads_that_share_a_cached_head_read_it_again() -> None:
    """4 a head: a tenth of what the 3 others read is read again, 1.3 bytes a byte at 3.35e12 bytes/s."""
    found = roofline_iteration(LLAMA, H100, 1, "bf16", 0.0, replace(PERFECT, kv_reread=0.1))
    assert found.kv_byte_s * 3.35e12 == pytest.approx(1.3)


def test_a_state_of_linear_attention_is_split_over_its_value_heads() -> None:
    """32 of them and 8 of keys: 16 GPUs hold a sixteenth each, where the cache of 8 heads would be split over 8 alone."""
    state = LLAMA.model_copy(update={"attention": (LLAMA.attention[0].model_copy(update={"kind": "linear"}),)})
    one, many = (float(kv_bytes_per_gpu(state, 1000.0, tp)) for tp in (1.0, 16.0))
    assert (many, float(kv_bytes_per_gpu(LLAMA, 1000.0, 16.0))) == (one / 16, float(kv_bytes_per_gpu(LLAMA, 1000.0, 1.0)) / 8)


def test_products_that_add_up_in_16_bits_run_at_half_the_rate_of_int8() -> None:
    """Consumer cards halve fp16 where it adds up in 32 bits: 300e12 / 2 = 150e12, above 71e12; never below fp16's own."""
    card = H100.model_copy(update={"int8_ops": 300e12, "fp16_flops": 71e12})
    assert matrix_rate(card, "f16", PERFECT) == 150e12
    assert matrix_rate(card.model_copy(update={"int8_ops": None}), "f16", PERFECT) == 71e12


def test_an_a100_of_80_gb_schedules_as_a_small_card_does() -> None:
    """vLLM asks for 70 GiB and no A100: 1,024 sequences and 8,192 tokens on an H100, else 256 and 2,048."""
    cards = [H100, H100.model_copy(update={"id": "A100-80GB-SXM"}), SMALL]
    assert np.asarray(default_sequence_limit(cards)).tolist() == [1024.0, 256.0, 256.0]
    assert np.asarray(default_step_tokens(cards)).tolist() == [8192.0, 2048.0, 2048.0]


def test_a_time_limit_by_hand() -> None:
    """TPOT = 10 + 0.5 B + 10 B / 100 = 10 + 0.6 B ms; 40 ms allow B = 50 and 50 / (100 x 0.040) = 12.5 requests/s."""
    found = serving_capacity(REQUESTS, ROUND, roomy(), tpot_s=0.040)
    assert found.sequences == pytest.approx(50.0)
    assert found.requests_per_s == pytest.approx(12.5)
    assert found.binding == "TPOT"


def test_the_cache_leaves_room_for_chance() -> None:
    """B + 1.645 sqrt(B) = 16 at B = 16 - 1.645 x 3.2606 = 10.636: sequences are Poisson around their mean."""
    found = serving_capacity(REQUESTS, ROUND, roomy(16.0))
    assert found.sequences + 1.645 * np.sqrt(found.sequences) == pytest.approx(16.0)
    assert found.binding == "KV memory"


def test_without_limits_compute_binds_and_with_a_tight_first_token_that_does() -> None:
    """Endless slots give 1 / (10 + 100 x 0.5) ms = 16.7/s; 256 slots give more than 0.9 of it."""
    assert serving_capacity(REQUESTS, ROUND, roomy()).binding == "compute"
    assert serving_capacity(REQUESTS, ROUND, roomy(), ttft_p95_s=0.060).binding == "TTFT"
    assert serving_capacity(REQUESTS, ROUND, roomy(), sequence_limit=8.0).binding == "sequence limit"
    nothing = serving_capacity(REQUESTS, ROUND, roomy(), tpot_s=0.009)
    assert nothing.requests_per_s == 0.0
    assert nothing.tpot_s > 0.009
    assert nothing.binding == "TPOT"


def test_an_infinite_limit_is_no_limit() -> None:
    free = serving_capacity(REQUESTS, ROUND, roomy())
    assert serving_capacity(REQUESTS, ROUND, roomy(), tpot_s=np.inf, ttft_p95_s=np.inf) == free


def test_a_prompt_that_outweighs_its_answers_cannot_run_the_batch_full() -> None:
    """16,000 prompt and 10 output tokens: one step takes 8,192, so at most 8192 x 10 / 16000 = 5.12 sequences decode."""
    heavy = RequestShape(16_000.0, 10.0)
    found = serving_capacity(heavy, ROUND, roomy())
    assert found.sequences < 5.12
    assert np.isfinite(found.ttft_s)
    assert found.binding == "compute"


def test_a_prompt_that_is_all_cached_waits_for_steps_alone() -> None:
    """No prompt tokens: no queue; the step in progress and the own step at B = 20, 2 x 20 ms."""
    point = operating_point(replace(REQUESTS, uncached_tokens=0.0), ROUND, 0.0, 20.0)
    assert point.ttft_s == pytest.approx(0.040)
    assert point.requests_per_s == pytest.approx(10.0)


def test_a_model_that_does_not_fit_says_what_it_needs() -> None:
    """Llama 8B: 16,060,522,496 bytes = 15.0 GiB on a card of 16e9 bytes = 14.9 GiB, of which 0.9 is usable."""
    memory = replica_memory(LLAMA, SMALL, 1, "bf16", "bf16", REQUESTS)
    found = serving_capacity(REQUESTS, ROUND, memory)
    assert found.requests_per_s == 0.0
    assert found.binding == "does not fit: weights need 15.0 GiB, GPU has 14.9 GiB"
    tight = SMALL.model_copy(update={"memory_bytes": 18e9})
    short = serving_capacity(REQUESTS, ROUND, replica_memory(LLAMA, tight, 1, "bf16", "bf16", REQUESTS))
    assert str(short.binding).startswith("does not fit: weights, workspace and one long request need")


def test_a_cached_prefix_is_held_once_read_by_all_and_not_computed() -> None:
    """1,000 tokens x 131,072 bytes leave the capacity once; each sequence reads them; its own cache is as before."""
    bare = replica_memory(LLAMA, H100, 1, "bf16", "bf16", REQUESTS)
    cached = replica_memory(LLAMA, H100, 1, "bf16", "bf16", replace(REQUESTS, cached_tokens=1000.0))
    assert bare.kv_capacity_bytes - cached.kv_capacity_bytes == 131_072_000
    assert cached.kv_read_bytes - bare.kv_read_bytes == 131_072_000
    assert cached.kv_held_bytes == bare.kv_held_bytes


def test_long_requests_hold_more_and_uneven_outputs_are_seen_late() -> None:
    """Own tokens: 1,000 + 100 / 2 with equal outputs; with CV 1, E[o^2] / 2 E[o] = 100, so 1,100. P95 long: more."""
    assert REQUESTS.own_tokens == 1050.0
    assert REQUESTS.long_tokens == pytest.approx(1100.0)
    uneven = replace(REQUESTS, output_cv=1.0, prompt_cv=1.0)
    assert uneven.own_tokens == pytest.approx(1100.0)
    assert uneven.long_tokens > 2 * 1100.0


@pytest.mark.full
@given(
    prompt=st.floats(1, 30_000), output=st.floats(1, 4000), tpot=st.floats(0.005, 0.2), ttft=st.floats(0.05, 20),
    cached=st.floats(0, 8000), tp=st.sampled_from([1, 2, 4, 8]), dtype=st.sampled_from(["bf16", "fp8", "int4"]),
)
def test_littles_law_holds_and_nothing_beats_the_roofline(
    prompt: float, output: float, tpot: float, ttft: float, cached: float, tp: int, dtype: str,
) -> None:
    """B = rate x O x TPOT exactly; tokens/s x 2 x active <= matrix rate; the perfect engine serves at least as much."""
    requests = RequestShape(prompt, output, cached, 0.7, 0.7)
    memory = replica_memory(LLAMA, H100, tp, dtype, "bf16", requests)
    real, perfect = (
        serving_capacity(
            requests, roofline_iteration(LLAMA, H100, tp, dtype, requests.prefill_context, e), memory,
            ttft_p95_s=ttft, tpot_s=tpot,
        ) for e in (ENGINE, PERFECT)
    )
    if real.requests_per_s > 0:
        assert real.requests_per_s * output * real.tpot_s == pytest.approx(real.sequences, rel=1e-9)
        assert real.tpot_s <= tpot * (1 + 1e-9)
        assert real.ttft_s <= ttft * (1 + 1e-9)
    assert real.requests_per_s <= perfect.requests_per_s * (1 + 1e-9)
    rate = H100.matrix_flops("bf16" if dtype == "int4" else dtype) * tp
    assert perfect.requests_per_s * (output + prompt) * 2 * (LLAMA.active_parameters - LLAMA.head_parameters) <= rate


def test_many_plans_at_once_equal_each_alone() -> None:
    """Three GPUs x formats x widths, and two limits on a leading axis: (2, 3) answers."""
    gpus, tps, dtypes = [H100, H100, SMALL], np.array([1.0, 2.0, 1.0]), ["bf16", "fp8", "int4"]
    requests, limits = RequestShape(800.0, 200.0, 100.0, 0.5, 0.5), np.array([[0.02], [0.05]])
    plans = roofline_iteration(LLAMA, gpus, tps, dtypes, requests.prefill_context, ENGINE)
    memory = replica_memory(LLAMA, gpus, tps, dtypes, "bf16", requests)
    many = serving_capacity(requests, plans, memory, tpot_s=limits)
    assert np.shape(many.requests_per_s) == (2, 3)
    for i, limit in enumerate((0.02, 0.05)):
        for j, (gpu, tp, dtype) in enumerate(zip(gpus, tps, dtypes, strict=True)):
            plan = roofline_iteration(LLAMA, gpu, tp, dtype, requests.prefill_context, ENGINE)
            room = replica_memory(LLAMA, gpu, tp, dtype, "bf16", requests)
            one = serving_capacity(requests, plan, room, tpot_s=limit)
            for name, value in vars(one).items():
                assert getattr(many, name)[i, j] == value, name


def test_speed_multiplies_the_engine_and_costs_more_than_itself_under_a_tight_tpot() -> None:
    """At 0.9 speed without an SLO capacity is 0.9 of itself; under TPOT 12 ms (B = 3.3) it loses far more than 0.1."""
    free, slow = (serving_capacity(REQUESTS, ROUND, roomy(), speed=speed) for speed in (1.0, 0.9))
    assert slow.requests_per_s == pytest.approx(0.9 * free.requests_per_s)
    free, slow = (serving_capacity(REQUESTS, ROUND, roomy(), tpot_s=0.012, speed=speed) for speed in (1.0, 0.9))
    assert slow.requests_per_s < 0.6 * free.requests_per_s


def test_the_shorter_of_reading_and_multiplying_hides_behind_the_longer():
    """Read 10 ms, 0.1 ms a product, all hidden: 1 sequence 10 ms, 100 either way 10, 300 30; half hidden 35 in place of 40."""
    step = Iteration(0.010, 1e-4, 0.0, 1e-4, overlap=1.0, read_s=0.010, product_s=1e-4)
    assert [float(step.decode_s(n, 0.0)) for n in (1.0, 100.0, 300.0)] == pytest.approx([0.010, 0.010, 0.030])
    assert float(replace(step, overlap=0.5).decode_s(300.0, 0.0)) == pytest.approx(0.035)


def test_few_sequences_take_as_long_as_the_rows_of_a_tile():
    """Read 2 ms, 0.1 ms a row of dense matrices, 64 rows at least: 1 sequence and 64 take 8.4 ms, 128 take 14.8; none 2 ms.

    With all of the shorter hidden: 6.4 ms for 1 and 64. In 3 steps, one with a prompt of 5 ms: 3 x 6.3 ms of padding.
    """
    step = Iteration(0.002, 1e-4, 0.0, 1e-4, read_s=0.002, product_s=1e-4, row_s=1e-4, least_rows=64.0)
    assert [float(step.decode_s(n, 0.0)) for n in (0.0, 1.0, 64.0, 128.0)] == pytest.approx([0.002, 0.0084, 0.0084, 0.0148])
    hidden = replace(step, overlap=1.0)
    assert [float(hidden.decode_s(n, 0.0)) for n in (1.0, 64.0)] == pytest.approx([0.0064, 0.0064])
    assert float(step.apart_s(3.0, 1.0, 1.0, 0.0, 50.0)) == pytest.approx(3 * 6.3e-3)


@pytest.mark.parametrize(("name", "weights", "gpu", "layers"), [
    ("quantise_layer_s", "fp8", "B200", 80), ("quantise4_layer_s", "nvfp4", "B200", 80),
    ("quantise4_layer_s", "fp8", "B200", 0),
    ("head_norm_s", "bf16", "H100", 0),
])
def test_a_layer_quantises_its_inputs_as_its_weights_are(name, weights, gpu, layers):
    """Llama-3.1-70B has 80 layers, and no norms of heads; 10 us a layer."""
    shape, card = find_model("llama-3.1-70b"), find_gpu(gpu)
    with_it, without = (roofline_iteration(shape, card, 1.0, weights, 0.0, e) for e in (
        replace(PERFECT, **{name: 1e-5}), PERFECT))
    assert float(with_it.step_s - without.step_s) == pytest.approx(layers * 1e-5)


@pytest.mark.parametrize(("tp", "moved"), [(1.0, 49_152_000), (8.0, 19_906_560)])
def test_kernels_hand_activations_on_through_memory(tp, moved):
    """Llama-3.1-70B, 80 layers of 16-bit activations: 12 x 8,192, and twice the 8,192 + 2 x 1,024 + 8,192 + 3 x 28,672 within.

    Twice (98,304 + 208,896 / tp) a layer and token, at half of 3.35e12 bytes/s; a token of a prompt as one of a sequence.
    """
    shape, card = find_model("llama-3.1-70b"), find_gpu("H100")
    with_it, without = (roofline_iteration(shape, card, tp, "fp8", 0.0, e) for e in (
        replace(PERFECT, decode_mbu=0.5, activation_traffic=1.0), replace(PERFECT, decode_mbu=0.5)))
    for name in ("sequence_s", "prefill_token_s"):
        more = float(getattr(with_it, name) - getattr(without, name))
        assert more * card.bandwidth_bytes_per_s / 2.0 == pytest.approx(moved, rel=1e-6)


@pytest.mark.parametrize(("card", "weights", "longer"), [
    (find_gpu("H20"), "int4", 1.5), (find_gpu("A10"), "int4", 1.0), (find_gpu("H20"), "bf16", 1.0),
    (find_gpu("GB200"), "int4", 1.5), (find_gpu("GB200").model_copy(update={"id": "GB10-128GB"}), "int4", 1.0)])
def test_unpacked_weights_miss_the_rate_that_takes_warp_groups(card, weights, longer):
    """Two thirds of Hopper's rate are left to mma.sync, all of Ampere's and GB10's; decoding sequences and prompts alike."""
    with_it, without = (roofline_iteration(find_model("qwen3-8b"), card, 1.0, weights, 0.0, e) for e in (
        replace(PERFECT, packed_products=1.5), PERFECT))
    assert float(with_it.row_s / without.row_s) == pytest.approx(longer)
    assert float(with_it.prefill_token_s / without.prefill_token_s) == pytest.approx(longer)


@pytest.mark.parametrize(("tp", "seconds"), [(8.0, 1.75 * 160 * 8192 * 2 / 1e11), (2.0, 160 * 8192 * 2 / 1e11), (1.0, 0.0)])
def test_all_reduces_of_decode_steps_take_their_kernels_time_beside_the_links(tp, seconds):
    """Llama-3.1-70B: two a layer of 80, of 8,192 numbers of 2 bytes; what each GPU sends of them at 1e11 bytes/s."""
    with_it, without = (roofline_iteration(find_model("llama-3.1-70b"), find_gpu("H100"), tp, "fp8", 0.0, e) for e in (
        replace(PERFECT, reduce_bytes_per_s=1e11), PERFECT))
    assert float(with_it.sequence_s - without.sequence_s) == pytest.approx(seconds)
    assert with_it.prefill_token_s == without.prefill_token_s


def test_norms_of_queries_and_keys_are_kernels_of_every_layer():
    """Qwen3-32B: 64 layers, 10 us each."""
    with_it, without = (roofline_iteration(find_model("qwen3-32b"), find_gpu("H100"), 1.0, "bf16", 0.0, e) for e in (
        replace(PERFECT, head_norm_s=1e-5), PERFECT))
    assert float(with_it.step_s - without.step_s) == pytest.approx(64e-5)


def test_a_step_waits_for_its_host_and_a_prompt_for_kernels_that_no_graph_starts():
    """Device 1 ms + 0.01 ms a sequence; host 2 ms + 0.1 ms: 50 sequences 7 ms. Beside a prompt of 5 ms, host 4 ms more: 11 ms.

    In 3 steps, one with that prompt: terms 3 x 1.5 + 5 = 9.5 ms, waits (11 - 6.5) + 2 x (7 - 1.5) = 15.5 ms.
    """
    step = Iteration(1e-3, 1e-5, 0.0, 5e-5, host_s=2e-3, host_sequence_s=1e-4, host_prompt_s=4e-3)
    assert float(step.decode_s(50.0, 0.0)) == pytest.approx(7e-3)
    assert float(step.apart_s(3.0, 1.0, 50.0, 0.0, 100.0)) == pytest.approx(15.5e-3)


def test_a_four_bit_mixture_computes_in_eight_bits_where_the_card_multiplies_four():
    """gpt-oss-120b: only what its experts compute is faster on a B200 than in 16 bits."""
    shape, b200 = find_model("gpt-oss-120b"), find_gpu("B200")
    sixteen, four = (roofline_iteration(shape, b200, 1, name, 0.0, PERFECT).product_s for name in ("bf16", "mxfp4"))
    experts = 2.0 * sum(x.active_parameters for x in shape.linears if x.experts > 1)
    saved = experts * (1.0 / b200.matrix_flops("bf16") - 1.0 / b200.matrix_flops("fp8"))
    assert sixteen - four == pytest.approx(saved)
