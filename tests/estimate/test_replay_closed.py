"""A closed loop through the replay: as many in flight as asked, and the same times as an open loop with its arrivals."""

import numpy as np
import pytest
from hypothesis import given, settings
from test_replay import requests, small_cases

from roi.errors import InputError
from roi.estimate.replay.engine import Server
from roi.estimate.replay.router import SEND_S, replay, replay_closed
from roi.estimate.serving.iteration import Iteration

PLAIN = Iteration(step_s=1.0, sequence_s=0.5, kv_byte_s=0.0, prefill_token_s=0.1)


@given(small_cases())
@settings(max_examples=200, deadline=None)
def test_an_open_loop_with_the_arrivals_of_a_closed_one_gives_the_same_times(case):
    load, server, concurrency = case
    closed = replay_closed(load, server, concurrency)
    sent = np.isfinite(closed.arrival_s)
    if not sent.any():
        return
    assert np.array_equal(sent, load.kv_held <= server.kv_capacity)
    columns = (load.prefill_tokens, load.output_tokens, load.kv_start, load.kv_growth, load.kv_held)
    opened = replay(type(load)(closed.arrival_s[sent], *(x[sent] for x in columns)), server)
    for name in ("admitted_s", "first_s", "ended_s"):
        assert getattr(opened, name) == pytest.approx(getattr(closed, name)[sent], rel=1e-9)


@given(small_cases())
@settings(max_examples=100, deadline=None)
def test_no_more_than_the_concurrency_are_in_flight_and_no_fewer_while_some_wait(case):
    load, server, concurrency = case
    found = replay_closed(load, server, concurrency)
    sent = np.isfinite(found.arrival_s)
    start, end = found.arrival_s[sent], found.ended_s[sent]
    for now in start:
        assert np.sum((start <= now) & (end > now)) <= concurrency
    for late in start[concurrency:]:
        assert np.min(np.where(end <= late, late - end, np.inf)) <= concurrency * SEND_S


def test_two_in_flight_take_the_seconds_that_the_hand_gives():
    """4 requests of 10 prompt and 3 output tokens, two in flight, step = 1 + 0.5 n + 0.1 p, 0.25 s outside the engine.

    The first finds the engine idle: its prompt takes 1 + 0.1 x 10 = 2 s; the second's, beside its decoding, 2.5 s, until
    4.5 s; together they decode 2 s, until 6.5 s, when the first has its three; the second's third takes 1.5 s, until 8 s.
    The third is sent at 6.75 s, when that step has begun, so its prompt starts at 8 s; the fourth is sent at 8.25 s, and
    all is as before, 8 s later. TPOT: (6.5 - 2) / 2 and (8 - 4.5) / 2.
    """
    load = requests([0.0] * 4, [10] * 4, [3] * 4)
    found = replay_closed(load, Server(PLAIN, np.inf, request_s=0.25), 2)
    assert found.arrival_s == pytest.approx([0.0, SEND_S, 6.75, 8.25])
    assert found.ended_s == pytest.approx([6.5, 8.0, 14.5, 16.0])
    assert found.ttft_s == pytest.approx([2.25, 4.75 - SEND_S, 3.5, 4.5])
    assert found.tpot_s == pytest.approx([2.25, 1.75, 2.25, 1.75])


def test_no_request_in_flight_is_an_error():
    with pytest.raises(InputError, match="concurrency: 0"):
        replay_closed(requests([0.0], [1], [1]), Server(PLAIN, np.inf), 0)
