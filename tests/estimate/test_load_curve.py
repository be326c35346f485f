"""The traffic that is replayed, the rate at which the SLO holds, and what replicas gain behind a router."""

from dataclasses import replace
from math import factorial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import gamma, kstest

from roi.catalog.models.shapes import find_model
from roi.estimate.replay.engine import Server
from roi.estimate.replay.fleet import fleet_capacity, replicas_needed
from roi.estimate.replay.load_curve import LoadCurve, Slo, _percentiles, goodput_share, saturated_rate
from roi.estimate.replay.router import replay
from roi.estimate.replay.traffic import (
    Lengths,
    as_requests,
    bursty_arrivals,
    day_arrivals,
    histogram_lengths,
    poisson_arrivals,
    spread_evenly,
    uniforms,
)
from roi.estimate.serving.iteration import Iteration, kv_bytes_per_gpu

ONE = np.array([1.0])
ENGINE = Iteration(step_s=0.008, sequence_s=5e-5, kv_byte_s=2e-8, prefill_token_s=4e-5)  # KV in tokens


def curve(count=600, replicas=1, prompt=1000.0, output=100.0, engine=ENGINE, capacity=400_000.0):
    lengths, arrivals = histogram_lengths(count, prompt * ONE, output * ONE, ONE), poisson_arrivals(count, 7)
    return LoadCurve(_load(lengths, arrivals, 1.0), Server(engine, capacity), replicas)


def _load(lengths, arrivals, rate):
    return as_requests(lengths, arrivals / rate, None)


def test_uniform_numbers_are_uniform_and_uncorrelated():
    u = uniforms(100_000, 3)
    assert kstest(u, "uniform").pvalue > 0.01
    assert abs(np.corrcoef(u[1:], u[:-1])[0, 1]) < 0.01
    assert abs(np.corrcoef(u, uniforms(100_000, 4))[0, 1]) < 0.01
    assert np.all((u > 0.0) & (u < 1.0))


def test_arrivals_are_poisson_and_bring_their_number_in_as_many_seconds():
    arrivals = poisson_arrivals(50_000, 7)
    gaps = np.diff(arrivals)
    assert kstest(gaps / gaps.mean(), "expon").pvalue > 0.01
    assert arrivals[-1] == pytest.approx(50_000, rel=1e-3)


@pytest.mark.parametrize("cv", [0.5, 1.0, 2.0, 8.0])
def test_gaps_of_bursts_are_gamma(cv):
    """Of shape 1 / cv^2, whose standard deviation over mean is cv. Of cv 8 most are lost in the rounding of their sums."""
    arrivals = bursty_arrivals(20_000, cv, 7)
    gaps = np.diff(arrivals)
    assert gaps.size == 19_999
    assert cv > 2.0 or kstest(gaps / gaps.mean(), gamma(cv**-2, scale=cv**2).cdf).pvalue > 0.01
    assert gaps.std() / gaps.mean() == pytest.approx(cv, rel=0.05)
    assert arrivals[-1] == pytest.approx(20_000, rel=0.01)


def test_each_bin_of_a_histogram_comes_as_often_as_its_share_says():
    """Shares 0.25 and 0.75 of 400 requests: 100 of the one, 300 of the other; 30% of each find 50 tokens of prefix."""
    drawn = histogram_lengths(400, np.array([100.0, 200.0]), np.array([10.0, 20.0]), np.array([0.25, 0.75]),
                              prefix_tokens=50.0, hit_rate=0.3)
    assert np.count_nonzero(drawn.output_tokens == 10.0) == 100
    assert np.count_nonzero(drawn.cached_tokens == 50.0) == 120
    total = drawn.cached_tokens + drawn.uncached_tokens
    assert set(total.tolist()) == {100.0, 200.0}
    assert np.mean(total) == 175.0


def test_lengths_of_which_only_means_are_known_spread_like_an_exponential():
    drawn = histogram_lengths(4000, 1000.0 * ONE, 300.0 * ONE, ONE)
    for x, mean in ((drawn.uncached_tokens, 1000.0), (drawn.output_tokens, 300.0)):
        assert np.mean(x) == pytest.approx(mean, rel=0.01)
        assert np.std(x) == pytest.approx(mean, rel=0.05)
    assert abs(np.corrcoef(drawn.uncached_tokens, drawn.output_tokens)[0, 1]) < 0.05
    assert len(set(spread_evenly(100, 5).tolist())) == 100


def test_where_answers_are_one_token_in_the_mean_none_has_a_second_and_no_tpot_binds() -> None:
    """Every answer has a token at least, so that a mean of one is that of all; there is no time between tokens to limit."""
    drawn = histogram_lengths(600, 900.0 * ONE, ONE, ONE)
    assert set(drawn.output_tokens) == {1.0}
    curve = LoadCurve(_load(drawn, poisson_arrivals(600, 7), 1.0), Server(ENGINE, np.inf))
    assert curve.capacity(Slo(2.0, 1e-9)) == curve.capacity(Slo(2.0)) != curve.capacity(Slo(0.1))



@pytest.mark.parametrize("prefix", [0.0, 600.0, 5500.0, 6000.0])
def test_of_a_mean_prompt_as_much_is_cached_and_computed_as_an_api_bills(prefix: float):
    """Prompts of 6,000 tokens, 80% of which find the prefix: 0.8 x prefix are cached in the mean, what is left is computed.
    What follows a prefix has its deviation; of a prefix as long as the mean prompt all is found, however long the prompt is.
    """
    drawn = histogram_lengths(20_000, 6000.0 * ONE, 300.0 * ONE, ONE, prefix_tokens=prefix, hit_rate=0.8)
    assert np.mean(drawn.cached_tokens) == pytest.approx(0.8 * prefix, rel=0.02)
    assert np.mean(drawn.uncached_tokens) == pytest.approx(6000.0 - 0.8 * prefix, rel=0.02)
    total = drawn.cached_tokens + drawn.uncached_tokens
    assert np.std(total) == pytest.approx(6000.0 if prefix == 6000.0 else 6000.0 - prefix, rel=0.05)
    if 0.0 < prefix < 6000.0:
        assert set(drawn.cached_tokens.tolist()) == {0.0, prefix}


def test_the_capacity_holds_the_slo_and_a_little_more_does_not():
    found = curve()
    slo = Slo(0.3, 0.02)
    rate = found.capacity(slo).requests_per_s
    assert found.at(rate * 0.97).holds(slo)
    assert not found.at(rate * 1.1).holds(slo)


@pytest.mark.full
def test_without_a_prompt_the_capacity_is_that_of_m_d_1():
    """One slot, 100 ms a request: P(wait > t) of M/D/1. TTFT is wait + 1 step of 1 ms; at p95 <= 301 ms, rho is 0.67.

    From the exact M/D/1 distribution (Erlang's sum) the 95th percentile of the wait is 3.0 services at rho 0.671.
    """
    count = 60_000
    lengths = histogram_lengths(count, np.array([1.0, 1.0]), np.array([100.0, 100.0]), np.array([0.5, 0.5]))
    server = Server(Iteration(1e-3, 0.0, 0.0, 0.0), np.inf, 1.0, 8.0)
    found = LoadCurve(_load(lengths, poisson_arrivals(count, 7), 1.0), server).capacity(Slo(0.301, 1.0))
    assert found.binding == "TTFT"
    assert found.requests_per_s == pytest.approx(10.0 * md1_load(3.0, 0.05), rel=0.03)


def md1_load(services, share):
    """The load of an M/D/1 queue in which `share` of the customers wait longer than this many whole services."""

    def longer(rho):
        late = rho * (np.arange(int(services) + 1) - services)
        return 1.0 - (1.0 - rho) * sum(x**k / factorial(k) * np.exp(-x) for k, x in enumerate(late))

    low, high = 0.01, 0.99
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if longer(middle) < share else (low, middle)
    return low


def test_an_engine_twice_as_fast_holds_twice_the_rate_at_half_the_times():
    """Another speed is another clock, so the curve of one engine answers for the other."""
    fast = curve(engine=ENGINE.at_speed(2.0)).capacity(Slo(0.2, 0.01))
    assert curve().capacity(Slo(0.2, 0.01), speed=2.0).requests_per_s == pytest.approx(fast.requests_per_s, rel=1e-9)


@given(st.floats(0.05, 3.0), st.floats(0.008, 0.1), st.floats(1.0, 3.0), st.floats(1.0, 3.0))
@settings(max_examples=40, deadline=None)
def test_a_tighter_slo_never_has_more_capacity(ttft, tpot, looser_ttft, looser_tpot):
    tight, loose = Slo(ttft, tpot), Slo(ttft * looser_ttft, tpot * looser_tpot)
    assert CURVE.capacity(tight).requests_per_s <= CURVE.capacity(loose).requests_per_s


CURVE = curve(300)


@pytest.mark.parametrize("slo", [Slo(), Slo(0.3, 0.02), Slo(0.05, 0.02), Slo(3.0, 0.008), Slo(1e-4, 1.0)])
def test_where_the_search_begins_moves_no_capacity(slo):
    assert [CURVE.capacity(slo, rung=rung) for rung in (4, 7, 10)] == [CURVE.capacity(slo)] * 3


def test_percentiles_are_those_of_numpy_and_by_hand():
    """Of 1, 2, 3, 5 the median lies halfway between 2 and 3; of three gaps 95 in 100 are 2.85: 3 + 0.85 x 2 = 4.7."""
    assert _percentiles(np.array([5.0, 1.0, 3.0, 2.0]), 0.95) == (2.5, pytest.approx(4.7))
    draws = np.random.default_rng(1).gamma(1.3, size=451)
    for count in (1, 2, 3, 20, 450, 451):
        assert _percentiles(draws[:count], 0.95) == tuple(np.percentile(draws[:count], (50.0, 95.0)))
    assert _percentiles(np.zeros(0), 0.95) == (0.0, 0.0)


def test_an_slo_that_no_rate_holds_has_no_capacity_and_says_what_binds():
    assert CURVE.capacity(Slo(1e-4, 1.0)).requests_per_s == 0.0
    assert CURVE.capacity(Slo(1e-4, 1.0)).binding == "TTFT"
    assert CURVE.capacity(Slo(1.0, 1e-4)).binding == "TPOT"
    assert curve(100, capacity=10.0).capacity(Slo()).binding == "KV memory"


def test_a_request_that_no_replica_holds_is_one_of_the_five_in_a_hundred_that_may_be_slow():
    """Of 1,000 requests as many are refused as the room cuts off; the 95th of all is the 95/96 quantile of those served where
    4% are, and from more than 5% on no SLO holds. More replicas change nothing of that."""
    requests = _load(histogram_lengths(1000, 1000.0 * ONE, 100.0 * ONE, ONE), poisson_arrivals(1000, 7), 1.0)
    held, slo = np.sort(requests.kv_held), Slo(10.0, 1.0)
    for refused, holds in ((1, True), (40, True), (50, True), (51, False)):
        server = Server(ENGINE, float(held[-refused - 1]))
        for replicas in (1, 2, 6):
            point = LoadCurve(requests, server, replicas).at(0.5)
            assert (point.served, point.holds(slo)) == (1.0 - refused / 1000, holds)
    found = replay(requests, Server(ENGINE, float(held[-41])), 1)
    seen = found.ttft_s[150:900][found.served[150:900]]
    point = LoadCurve(requests, Server(ENGINE, float(held[-41]))).at(1.0)
    assert point.ttft_p95_s == pytest.approx(np.percentile(seen, 100.0 * 95 / 96), rel=1e-12)
    assert not LoadCurve(requests, server).all_fit


def test_without_an_slo_the_capacity_is_the_rate_of_an_endless_queue():
    found = CURVE.capacity(Slo())
    assert found.binding == "saturation"
    assert found.requests_per_s == CURVE.saturated_requests_per_s
    # 1000 prompt tokens x 40 us = 40 ms; 99 tokens of steps that 256 share: 99 x (8 + 12.8 + 256 x 1.1 k x 20 ns) ms / 256
    assert found.requests_per_s == pytest.approx(1.0 / (0.040 + 99 * 0.0264 / 256), rel=0.02)
    count = 4000
    lengths = histogram_lengths(count, 1000.0 * ONE, 100.0 * ONE, ONE)
    ended = np.sort(replay(_load(lengths, poisson_arrivals(count, 7), np.inf), Server(ENGINE, 400_000.0)).ended_s)
    assert found.requests_per_s == pytest.approx(2000.0 / (ended[3000] - ended[1000]), rel=0.05)


@pytest.mark.parametrize(("prompt", "output", "tokens", "sequences"), [
    (2048.0, 28.0, 8192.0, 1024.0), (2048.0, 28.0, 2048.0, 256.0), (1000.0, 100.0, 16384.0, 1024.0),
    (300.0, 300.0, 2048.0, 256.0),
])
def test_where_prompts_fill_the_steps_fewer_sequences_decode_than_there_are_slots(prompt, output, tokens, sequences):
    """2,048 + 28 tokens in steps of 8,192: 8,192 x 27 / 2,075 = 106.6 sequences, not 1,024. The middle of an endless queue."""
    lengths = histogram_lengths(4000, prompt * ONE, output * ONE, ONE)
    load, server = _load(lengths, np.zeros(4000), 1.0), Server(ENGINE, np.inf, sequences, tokens)
    ended = np.sort(replay(load, server).ended_s)
    assert 2000.0 / (ended[3000] - ended[1000]) == pytest.approx(saturated_rate(load, server), rel=0.05)


@pytest.mark.parametrize("reserved", [True, False])
@pytest.mark.parametrize(("prompt", "output", "room"), [(100.0, 2000.0, 50_000.0), (300.0, 900.0, 50_000.0),
                                                        (2000.0, 300.0, 60_000.0)])
def test_an_endless_queue_where_the_cache_binds_is_held_back_by_the_long_answers(prompt, output, room, reserved):
    """Of exponential answers those in flight have E[O^2] / E[O] = 2 means of tokens. The middle of an endless queue."""
    load = as_requests(histogram_lengths(4000, prompt * ONE, output * ONE, ONE), np.zeros(4000), None, reserved=reserved)
    server = Server(ENGINE, room)
    ended = np.sort(replay(load, server).ended_s)
    assert 1000.0 / (ended[2000] - ended[1000]) == pytest.approx(saturated_rate(load, server), rel=0.06)


def test_the_room_is_near_where_what_those_in_flight_hold_over_time_is():
    """Answers of 10 and of 1,990 tokens in equal number, one step each: 199 of 200 moments are of the long, which hold 1,991.

    9 in flight, and 15 with two deviations: 15 x 1,981 = 29,717 tokens are near a room of 29,700, not the 15 x 1,001 of means.
    """
    lengths = histogram_lengths(400, ONE.repeat(2), np.array([10.0, 1990.0]), np.array([0.5, 0.5]))
    load = as_requests(lengths, poisson_arrivals(400, 7), None)
    near = [LoadCurve(load, Server(ENGINE, room)).near_room(9.0, 1.0) is not None for room in (16_000.0, 29_700.0, 29_750.0)]
    assert near == [True, True, False]


@pytest.mark.parametrize(("prompt", "output", "slots"), [(2048.0, 28.0, 64.0), (1000.0, 100.0, 256.0), (300.0, 900.0, 128.0)])
def test_an_endless_queue_where_prompts_are_computed_alone(prompt, output, slots):
    """Lengths that spread: sequences end one by one, and each prompt is a step of its own. The middle of an endless queue."""
    around = np.linspace(0.5, 1.5, 11)
    lengths = histogram_lengths(4000, prompt * np.ones(11), np.rint(output * around), np.ones(11))
    load, server = _load(lengths, np.zeros(4000), 1.0), Server(ENGINE, np.inf, slots, 8192.0, prompts_alone=True)
    ended = np.sort(replay(load, server).ended_s)
    assert 2000.0 / (ended[3000] - ended[1000]) == pytest.approx(saturated_rate(load, server), rel=0.06)


def test_replicas_behind_a_router_by_hand():
    """capacity 2, pooling 1.5: four hold 2 x 1.5 x 4 = 12, nine 27; two hold 2 (2 x 2 - 1 x 1.414) = 5.17, one 2, none 0."""
    held = fleet_capacity(np.array([0.0, 1.0, 2.0, 4.0, 9.0]), 2.0, 1.5)
    assert held == pytest.approx([0.0, 2.0, 5.1716, 12.0, 27.0], rel=1e-4)
    assert replicas_needed(12.0, 2.0, 0.0, 0.0, 1.0, 1.5) == 4.0
    assert replicas_needed(12.1, 2.0, 0.0, 0.0, 1.0, 1.5) == 5.0
    assert replicas_needed(5.1, 2.0, 0.0, 0.0, 1.0, 1.5) == 2.0
    assert replicas_needed(9.6, 2.0, 0.2, 1.0, 1.0, 1.5) == 5.0
    assert np.isinf(replicas_needed(1.0, 0.0, 0.0, 0.0, 1.0, 1.5))


@pytest.mark.full
@given(st.floats(0.01, 1e4), st.floats(1.0, 4.0), st.floats(0.01, 100.0), st.floats(1.0, 8.0))
def test_more_load_never_needs_fewer_replicas_and_those_needed_hold_it(demand, more, capacity, pooling):
    few, many = (replicas_needed(d, capacity, 0.0, 0.0, 1.0, pooling) for d in (demand, demand * more))
    assert few <= many
    assert fleet_capacity(few, capacity, pooling) >= demand * (1 - 1e-6)
    assert few == 1.0 or fleet_capacity(few - 1.0, capacity, pooling) < demand * (1 + 1e-6)


def test_a_router_helps_as_square_root_staffing_says():
    """From one replica and four: what two hold within 15% of their replay, and no more than what nine hold."""
    slo = Slo(0.15, 0.03)
    alone, two, four, nine = (curve(500 * n, n).capacity(slo).requests_per_s for n in (1, 2, 4, 9))
    pooling = four / 4 / alone
    assert pooling > 1.02
    assert fleet_capacity(2.0, alone, pooling) == pytest.approx(two, rel=0.15)
    assert fleet_capacity(9.0, alone, pooling) <= nine * 1.02


def test_a_prefix_in_the_cache_is_read_by_each_and_held_once():
    drawn = histogram_lengths(2, np.array([100.0, 100.0]), np.array([5.0, 5.0]), np.array([0.5, 0.5]), prefix_tokens=60.0,
                              hit_rate=1.0)
    load = as_requests(drawn, np.array([0.0, 0.0]), None)
    assert load.prefill_tokens.tolist() == [40.0, 40.0]
    assert load.kv_start.tolist() == [101.0, 101.0]
    assert load.kv_held.tolist() == [45.0, 45.0]
    assert load.kv_growth.tolist() == [1.0, 1.0]


def test_the_history_of_a_conversation_is_held_by_its_own_request():
    """Two requests of 100 tokens of which 60 are found, 5 out: each holds all of its 105, and still computes 40; where both
    find the same 20, these are held once, beside 85 each.
    """
    drawn = histogram_lengths(2, np.array([100.0, 100.0]), np.array([5.0, 5.0]), np.array([0.5, 0.5]), prefix_tokens=60.0,
                              hit_rate=1.0)
    for common, held in ((0.0, 105.0), (20.0, 85.0), (60.0, 45.0)):
        load = as_requests(replace(drawn, common_tokens=common), np.array([0.0, 0.0]), None)
        assert load.prefill_tokens.tolist() == [40.0, 40.0]
        assert load.kv_held.tolist() == [held, held]


@pytest.mark.parametrize("model", ["qwen3-8b", "gemma-3-27b", "gemma-4-12b", "phi-3-mini", "llama-3.1-8b"])
@pytest.mark.parametrize(("prompt", "output"), [(100.0, 4000.0), (1500.0, 300.0), (20.0, 1.0)])
def test_what_is_taken_as_tokens_come_is_the_mean_of_every_token(model, prompt, output):
    """A window that fills early stays full: the chord from the first to the last token would be a third below (gemma-4-12b)."""
    shape, plain = find_model(model), Lengths(ONE * prompt, ONE * output, 0.0 * ONE)
    tokens = prompt + np.arange(1.0, output + 1.0)
    held, shared = (np.mean(kv_bytes_per_gpu(shape, x, 1.0)) for x in (tokens, prompt / 2.0))
    cached = Lengths(ONE * prompt / 2.0, ONE * output, ONE * prompt / 2.0)
    for lengths, own in ((plain, held), (cached, held - shared)):
        assert as_requests(lengths, ONE, shape, reserved=False).kv_taken == pytest.approx([own], rel=1e-3)


@pytest.mark.parametrize(("replicas", "rate"), [(1, 0.6), (1, 0.9), (3, 2.7)])
def test_how_full_the_cache_is_at_a_point_is_what_the_requests_under_way_hold_over_time(replicas, rate):
    """Each holds its mean from its admission to its end; between the first arrival and the last, as the load is then."""
    lengths, arrivals = histogram_lengths(2000, 100.0 * ONE, 2000.0 * ONE, ONE), poisson_arrivals(2000, 7)
    load, server = as_requests(lengths, arrivals, None, reserved=False), Server(ENGINE, 50_000.0)
    found, at = replay(replace(load, arrival_s=arrivals / rate), server, replicas), np.linspace(400.0, 1700.0, 1000) / rate
    held = [float(np.sum(load.kv_mean[(found.admitted_s <= t) & (t < found.ended_s)])) for t in at]
    known = LoadCurve(load, server, replicas)
    assert known.kv_full(known.at(rate)) == pytest.approx(np.mean(held) / replicas / 50_000.0, rel=0.06)
    whole = LoadCurve(as_requests(lengths, arrivals, None), server, replicas)
    assert whole.kv_full(whole.at(rate)) is None


def test_a_point_leaves_out_the_filling_and_the_emptying():
    found = curve(1000).at(2.0)
    plain = replay(_load(histogram_lengths(1000, 1000.0 * ONE, 100.0 * ONE, ONE), poisson_arrivals(1000, 7), 2.0),
                   Server(ENGINE, 400_000.0))
    assert found.ttft_p50_s == pytest.approx(np.median(plain.ttft_s[150:900]))
    assert found.in_flight == pytest.approx(2.0 * np.mean(plain.e2e_s[150:900]))
    assert found.served == 1.0


def test_a_day_brings_each_hour_its_share():
    """Weights 1, 3, 0 ... of 8,000 requests: 2,000 in the first hour, 6,000 in the second, none later."""
    hourly = np.array([1.0, 3.0] + [0.0] * 22)
    arrivals = day_arrivals(8000, hourly, 7)
    assert np.all(np.diff(arrivals) >= 0.0)
    assert np.count_nonzero(arrivals < 3600.0) == pytest.approx(2000, abs=120)
    assert arrivals[-1] <= 7200.0


def test_goodput_counts_requests_that_keep_both_limits():
    """One slot, 10 ms a token, prompts free: TTFT 10 ms and 70 ms (after the six tokens of the first), TPOT 10 ms each."""
    lengths = histogram_lengths(2, np.array([1.0, 1.0]), np.array([6.0, 6.0]), np.array([0.5, 0.5]))
    server = Server(Iteration(0.01, 0.0, 0.0, 0.0), np.inf, 1.0, 8.0)
    found = replay(as_requests(lengths, np.zeros(2), None), server)
    assert found.ttft_s == pytest.approx([0.01, 0.07])
    assert goodput_share(found, Slo(0.05, 0.02)) == 0.5
    assert goodput_share(found, Slo(0.10, 0.02)) == 1.0
    assert goodput_share(found, Slo(0.10, 0.009)) == 0.0


def test_a_request_that_never_ends_is_no_good_one():
    """A cache of 10 tokens holds the first request, of 1 + 6, and not the second, of 6 + 6; nothing is subtracted from inf."""
    lengths = histogram_lengths(2, np.array([1.0, 6.0]), np.array([6.0, 6.0]), np.array([0.5, 0.5]))
    found = replay(as_requests(lengths, np.zeros(2), None), Server(Iteration(0.01, 0.0, 0.0, 0.0), 10.0, 1.0, 8.0))
    assert np.count_nonzero(found.served) == 1
    assert goodput_share(found, Slo(0.05, 0.02)) == 0.5
