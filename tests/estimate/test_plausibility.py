"""Measurements that cannot be are refused with their figures."""


import pytest
from step_simulator import Load, Noise, Truth, simulate

from roi.catalog.cards.gpus import find_gpu
from roi.catalog.models.shapes import find_model
from roi.estimate.serving.plausibility import breaks_tokens, impossible, theory_step
from roi.estimate.serving.step_fit import fit_profile

LLAMA, H100 = find_model("llama-3.1-8b"), find_gpu("H100-80GB-SXM")
STATED = {"model": "llama-3.1-8b", "gpu": "H100-80GB-SXM", "weight_dtype": "bf16", "engine": "vllm"}


@pytest.mark.full
def test_a_step_faster_than_reading_the_weights_is_refused_with_its_figures():
    """8B in bf16: 15.0 GB of layers and head over 3.35 TB/s = 4.48 ms; steps of 2 ms are of another model or format."""
    fast = simulate(Truth(a=2e-3), **STATED)
    [first, *_] = impossible(fast, LLAMA, H100)
    assert "point 1: a step takes 2.1" in first
    assert "the roofline of llama-3.1-8b in bf16 on 1 x H100-80GB-SXM is 4.48 ms" in first
    fit = fit_profile(fast, LLAMA, H100)
    assert fit.iteration is None
    assert fit_profile(fast).iteration is not None  # without shape and card nothing speaks against it
    assert impossible(simulate(Truth(a=8e-3), **STATED), LLAMA, H100) == ()


def test_half_the_bytes_a_weight_halve_the_floor():
    fast = simulate(Truth(a=2.5e-3), **{**STATED, "weight_dtype": "fp8"})
    assert impossible(fast, LLAMA, H100) == ()


def test_theory_stands_beside_the_fit_in_its_units():
    """One token of KV: 32 layers x 2 x 8 heads x 128 x 2 bytes = 131,072 bytes over 3.35 TB/s = 39.1 ns."""
    best = theory_step(simulate(**STATED), LLAMA, H100)
    assert best.kv_byte_s == pytest.approx(131072 / 3.35e12, rel=0.01)
    assert theory_step(simulate(), None, H100) is None


def test_half_of_a_mean_prompt_lies_before_its_tokens():
    """2 FLOPs a parameter but the head's, and attention over half of the tokens that prompts have on average."""
    profile = simulate(loads=(Load(256, 64, 1, requests=4),), **STATED)
    prompts = [request.prompt_tokens for request in profile.points[0].requests]
    flops = 2.0 * (LLAMA.active_parameters - LLAMA.head_parameters) + LLAMA.attention_flops(sum(prompts) / len(prompts) / 2.0)
    assert theory_step(profile, LLAMA, H100).prefill_token_s == pytest.approx(flops / H100.bf16_flops, rel=1e-9)


def loads(prompts):
    return tuple(Load(tokens, 48, n, requests=max(4 * n, 8)) for tokens in prompts for n in (1, 4, 8))


def test_coefficients_below_the_roofline_are_refused_with_both_figures():
    """A server that answers alike whatever the prompt; 2 x 7.0e9 FLOPs and attention over 989 TFLOP/s are 14.2 us a token."""
    flat = simulate(Truth(a=8e-3, b=0.0, c=0.0, d=0.0, request_s=60e-3), Noise(1e-4, 1e-4, 1e-6),
                    loads=loads((64, 256)), **STATED)
    assert impossible(flat, LLAMA, H100) == ()  # the few tokens of these prompts would hide behind the weights
    fit = fit_profile(flat, LLAMA, H100)
    assert fit.iteration is None
    [kv, prompt] = fit.rejected
    for words in ("each KV token takes at most", "no less than 0.0391 us", "much longer prompts"):
        assert words in kv
    for words in ("each prompt token takes at most", "no less than 14.2 us", "long prompts"):
        assert words in prompt
    assert fit_profile(flat).iteration is not None  # without shape and card nothing speaks against it


def test_a_coefficient_that_the_loads_leave_open_is_no_less_than_the_roofline():
    """Few short prompts beside steps that scatter by 20%: zero and four times the roofline fit alike, and zero cannot be."""
    best = theory_step(simulate(loads=loads((64, 96)), **STATED), LLAMA, H100)
    open_ones = 0
    for seed in range(6):
        profile = simulate(Truth(c=1.3 * best.kv_byte_s, d=1.3 * best.prefill_token_s), Noise(step=0.2, drift=0.1), seed=seed,
                           loads=loads((64, 96)), **STATED)
        free, held = fit_profile(profile), fit_profile(profile, LLAMA, H100)
        assert held.iteration is not None, held.rejected
        least = theory_step(profile, LLAMA, H100)
        for name in ("kv_byte_s", "prefill_token_s"):
            open_ones += getattr(free.iteration, name) < getattr(least, name)
            assert getattr(held.iteration, name) >= getattr(least, name) * (1.0 - 1e-9)
        assert all(c.low <= c.value <= c.high for c in held.coefficients)
    assert open_ones >= 3  # else the bound was not asked for


def test_a_fit_above_the_roofline_is_the_same_with_it():
    profile = simulate(loads=loads((128, 1024)), **STATED)
    assert fit_profile(profile, LLAMA, H100).coefficients == fit_profile(profile).coefficients


def test_a_summary_whose_token_rate_is_not_its_requests_times_their_output_is_told():
    """2 requests/s x 100 tokens = 200 tokens/s."""
    assert breaks_tokens(200.0, 2.0, 100.0) is None
    assert breaks_tokens(400.0, 2.0, 100.0) == "2 requests/s x 100 output tokens = 200 tokens/s, but 400 are stated"


def test_a_closed_loop_that_never_was_full_is_refused():
    """Eight in flight, told as 16: the mean while requests are sent is 8."""
    profile = simulate(loads=(Load(256, 64, 8, requests=40),))
    assert impossible(profile) == ()
    [told] = impossible(
        profile.model_copy(update={"points": (profile.points[0].model_copy(update={"concurrency": 16}),)})
    )
    assert "16 requests in flight are stated, 8 were" in told


def test_fewer_requests_than_twice_those_in_flight_do_not_tell_how_many_were():
    """24 requests, 8 at a time and told as 16, of which 32 would tell."""
    profile = simulate(loads=(Load(256, 64, 8, requests=24),))
    assert impossible(profile.model_copy(update={"points": (profile.points[0].model_copy(update={"concurrency": 16}),)})) == ()


def test_stamps_out_of_order_are_refused():
    profile = simulate(loads=(Load(256, 64, 2, requests=8),))
    point = profile.points[0]
    late = point.requests[3].model_copy(update={"sent_s": point.requests[3].chunk_s[0] + 1.0})
    requests = (*point.requests[:3], late, *point.requests[4:])
    wrong = profile.model_copy(update={"points": (point.model_copy(update={"requests": requests}),)})
    assert "point 1, request 4" in impossible(wrong)[0]
    assert "not in order" in fit_profile(wrong).rejected[0]
