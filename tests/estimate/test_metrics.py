"""What timestamps of a served load say; every number divides in the head."""

import pytest

from roi.estimate.replay.metrics import (
    FEWEST,
    e2e_s,
    itl_s,
    keeps,
    point_metrics,
    steady_window,
    tpot_s,
    ttft_s,
)
from roi.facts.serve_profile import ServedRequest, ServePoint
from roi.profiling.server.server_run import delay_note


def request(sent, chunks, *, output=None, ended=None, error=None, prompt=100, cached=0):
    return ServedRequest(
        sent_s=sent, prompt_tokens=prompt, cached_tokens=cached, asked_tokens=8, chunk_s=tuple(chunks), ended_s=ended,
        output_tokens=len(chunks) if output is None else output, error=error,
    )


def closed(requests, concurrency=1):
    return ServePoint(input_tokens=100, output_tokens=8, concurrency=concurrency, requests=tuple(requests))


ONE = request(1.0, (1.5, 1.6, 1.7, 1.8, 1.9), ended=2.0)


def test_ttft_is_from_sending_and_tpot_leaves_the_first_token_out():
    """Sent at 1.0, tokens at 1.5 to 1.9: TTFT 0.5 s, TPOT 0.4 s / 4, E2E to the end of the stream 1.0 s."""
    assert ttft_s(ONE) == pytest.approx(0.5)
    assert tpot_s(ONE) == pytest.approx(0.1)
    assert e2e_s(ONE) == pytest.approx(1.0)
    assert list(itl_s([ONE])) == pytest.approx([0.1] * 4)


def test_chunks_of_several_tokens_make_itl_longer_than_tpot():
    """9 tokens in 3 chunks 0.4 s apart: ITL 0.4 s, TPOT 0.8 s / 8."""
    merged = request(0.0, (1.0, 1.4, 1.8), output=9)
    assert list(itl_s([merged])) == pytest.approx([0.4, 0.4])
    assert tpot_s(merged) == pytest.approx(0.1)
    assert point_metrics(closed([merged]), 2.0, 1.0).tokens_per_chunk == pytest.approx(3.0)


def test_one_token_has_no_tpot_and_no_itl():
    lone = request(0.0, (0.5,))
    assert tpot_s(lone) is None
    assert itl_s([lone]).size == 0
    assert keeps(lone, 1.0, 0.001)


def test_a_closed_loop_of_one_counts_from_the_first_sending_to_the_last():
    """Six requests of 1 s with 4 tokens each, one after another: 5 end in 0..5 s, 1 request/s; 20 tokens, 4 tokens/s."""
    point = closed([request(float(i), (i + 0.4, i + 0.5, i + 0.6, i + 0.7), ended=i + 1.0) for i in range(6)])
    window = steady_window(point)
    assert (window.begin_s, window.end_s, window.steady) == (0.0, 5.0, True)
    found = point_metrics(point, 0.45, 0.2)
    assert found.requests_per_s == pytest.approx(1.0)
    assert found.output_tokens_per_s == pytest.approx(4.0)
    assert found.goodput_per_s == pytest.approx(1.0)
    assert (found.succeeded, found.failed, found.good_share) == (6, 0, 1.0)


def test_an_open_loop_begins_when_the_first_have_been_served():
    """Ten arrivals a second apart, each served in 2 s: from 2 s to 9 s seven end, 1 request/s; a count from 0 gives 0.78."""
    requests = [request(float(i), (i + 1.0, i + 1.5), ended=i + 2.0) for i in range(10)]
    point = ServePoint(input_tokens=100, output_tokens=2, requests_per_s=1.0, arrivals="poisson", requests=tuple(requests))
    window = steady_window(point)
    assert (window.begin_s, window.end_s, window.steady) == (2.0, 9.0, True)
    assert point_metrics(point, 1.0, 1.0).requests_per_s == pytest.approx(1.0)


def test_a_load_that_is_too_short_for_a_window_is_counted_whole_and_says_so():
    """Two at once that end at 2 s: 1 request/s over all of it."""
    assert FEWEST == 4
    point = closed([request(0.0, (1.0, 1.5), ended=2.0), request(0.0, (1.0, 1.5), ended=2.0)], 2)
    found = point_metrics(point, 2.0, 1.0)
    assert not found.window.steady
    assert found.requests_per_s == pytest.approx(1.0)
    assert found.output_tokens_per_s == pytest.approx(2.0)


def test_goodput_needs_both_limits_and_a_failed_request_keeps_none():
    """Of four: one in both limits, one with a late first token, one with slow tokens, one failed: a quarter is good."""
    good, late = request(0.0, (1.0, 1.1), ended=1.2), request(0.0, (3.0, 3.1), ended=3.2)
    slow, failed = request(0.0, (1.0, 2.0), ended=2.1), request(0.0, (1.0,), error="cut off")
    found = point_metrics(closed([good, late, slow, failed], 4), 2.0, 0.5)
    assert found.good_share == pytest.approx(0.25)
    assert (found.succeeded, found.failed) == (3, 1)


def test_without_a_success_nothing_is_told():
    found = point_metrics(closed([request(0.0, (), error="HTTP 500")]), 2.0, 0.05)
    assert (found.succeeded, found.failed, found.window) == (0, 1, None)
    assert found.ttft_p50_s is found.requests_per_s is found.output_tokens_per_s is None


def test_cached_prompt_tokens_are_a_share_of_the_prompts():
    """25 of 100, and 75 of 100: half."""
    found = point_metrics(closed([request(0.0, (1.0,), cached=25), request(1.0, (2.0,), cached=75)]), 9.0, 9.0)
    assert found.cached_share == pytest.approx(0.5)


def test_a_client_that_stood_still_is_late_however_few_of_its_ticks_were():
    """8 stalls of 0.4 s among 400 ticks of 10 ms: 2% of the ticks, and 45% of the time. An ITL of 4 ms is then in doubt."""
    stalls = [0.4] * 8 + [0.0] * 400
    assert "late by 399 ms or more in 5% of the time" in delay_note(stalls, 0.004)
    assert delay_note([0.0012] * 400, 0.02) is None
    assert delay_note([*[0.0] * 400, 0.015], 0.02) is None
