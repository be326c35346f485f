"""What a fitted step can be beyond the loads that it was fitted on, and how well those tell the time of others."""

import numpy as np
import pytest
from step_simulator import DESIGN, Load, simulate

from roi.estimate.serving.iteration import Iteration
from roi.estimate.serving.measured_range import MeasuredRange, Mix, beyond
from roi.estimate.serving.step_fit import fit_profile


def test_beyond_its_loads_a_step_is_between_one_that_shares_no_more_and_one_that_hides_all_but_the_cache():
    """8 ms + 1 ms a sequence + 1 ms for the KV of each, measured to 4: 16 ms. Twice as many take 24 ms by the line; at worst
    two steps of 4, 32 ms; at best the 12 ms of 4 without their KV, and 8 ms of KV."""
    step = Iteration(step_s=8e-3, sequence_s=1e-3, kv_byte_s=1e-6, prefill_token_s=1e-3)
    for each, seconds in zip((step, *beyond(step, 4.0)), (24e-3, 32e-3, 20e-3), strict=True):
        assert float(each.decode_s(8.0, 8_000.0)) == pytest.approx(seconds)
        assert float(each.decode_s(4.0, 4_000.0)) == pytest.approx(16e-3)


def test_experts_that_all_sequences_share_count_with_what_a_step_takes():
    """1 ms, and 9 ms for all experts, of which one token touches all: 10 ms of 1 sequence, so 40 ms at worst of 4."""
    step = Iteration(step_s=1e-3, sequence_s=0.0, kv_byte_s=0.0, prefill_token_s=1e-3, experts_s=9e-3, expert_share=0.999)
    slow, fast = (float(each.decode_s(4.0, 0.0)) for each in beyond(step, 1.0))
    assert slow == pytest.approx(40e-3, rel=0.02)
    assert fast == pytest.approx(10e-3, rel=0.02)


def test_leverage_is_one_at_each_of_two_loads_that_tell_two_coefficients_and_least_between_them():
    """With a = b the shares of a and b are 1/2, 1/2 of one sequence, 1/4, 3/4 of three, and 0.366, 0.634 of sqrt(3), which is
    0.464 of the first and 0.536 of the second: 0.464^2 + 0.536^2 = 0.5025. The mean of three is 0.834."""
    shares = np.zeros((2, 6))
    shares[:, [0, 2]] = [[0.5, 0.5], [0.25, 0.75]]
    step = Iteration(step_s=1e-3, sequence_s=1e-3, kv_byte_s=0.0, prefill_token_s=0.0)
    span = MeasuredRange(np.linalg.pinv(shares.T @ shares), (1.0, 3.0), Mix(np.array([9.0]), np.array([1.0])), 3.0, 9.0)
    assert span.leverage(step) == pytest.approx((1.0 + 1.0 + 0.5025) / 3.0, rel=1e-3)


@pytest.mark.full
def test_a_profile_knows_its_range_and_tells_less_of_longer_contexts():
    """Six closed loops of 1 to 32 in flight and 64 to 2,048 tokens, with answers of up to 128."""
    fit = fit_profile(simulate())
    span = fit.measured
    assert span.in_flight == 32.0
    assert span.sequences[0] == pytest.approx(1.0)
    assert 2_000.0 < span.context_tokens < 2_300.0
    told = [span.leverage(fit.iteration, Mix(np.array([context]), np.array([5.0]))) for context in (1e3, 4e3, 16e3)]
    assert told[0] < 1.0 < told[1] < told[2]


@pytest.mark.full
def test_no_more_are_in_flight_than_there_were_requests():
    """32 were kept in flight; 40 requests asked of a client that would have kept 1,000 in flight are 40."""
    fit = fit_profile(simulate(loads=(*DESIGN, Load(512, 64, concurrency=1000, requests=40))))
    assert fit.measured.in_flight == 40.0
