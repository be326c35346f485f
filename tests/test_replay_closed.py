"""A closed loop through the replay: as many in flight as asked, and the same times as an open loop with its arrivals."""

import numpy as np
import pytest
from hypothesis import given, settings
from test_replay import requests, small_cases

from roi.errors import InputError
from roi.estimate.engine_replica import Server
from roi.estimate.iteration import Iteration
from roi.estimate.replay import replay
from roi.estimate.replay_closed import replay_closed

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
    late = start[concurrency:]
    assert np.all(np.isin(late, end))


def test_two_in_flight_take_the_seconds_that_the_hand_gives():
    """4 requests of 10 prompt and 3 output tokens, two in flight, step = 1 + 0.5 n + 0.1 p, 0.25 s outside the engine.

    Both prompts are one step: 1 + 0.1 x 20 = 3 s; two decode steps of 1 + 0.5 x 2 = 2 s: ended at 7 s. The next two
    are sent at 7.25 s and end at 7.25 + 7 = 14.25 s; the client sees it 0.25 s later.
    """
    load = requests([0.0] * 4, [10] * 4, [3] * 4)
    found = replay_closed(load, Server(PLAIN, np.inf, request_s=0.25), 2)
    assert found.arrival_s.tolist() == [0.0, 0.0, 7.25, 7.25]
    assert found.ended_s == pytest.approx([7.0, 7.0, 14.25, 14.25])
    assert found.e2e_s == pytest.approx([7.25] * 4)
    assert found.tpot_s == pytest.approx([2.0] * 4)


def test_no_request_in_flight_is_an_error():
    with pytest.raises(InputError, match="concurrency: 0"):
        replay_closed(requests([0.0], [1], [1]), Server(PLAIN, np.inf), 0)
