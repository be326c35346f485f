"""What the replay says of the requests of a measured point."""

import numpy as np
import pytest

from roi.estimate.replay.engine import Server
from roi.estimate.replay.held_out import replay_served
from roi.estimate.serving.iteration import Iteration
from roi.facts.serve_profile import ServedRequest

PLAIN = Server(Iteration(step_s=1.0, sequence_s=0.5, kv_byte_s=0.0, prefill_token_s=0.1), np.inf, request_s=0.25)


def request(sent, prompt=10, output=3, **changed):
    known = {"sent_s": sent, "prompt_tokens": prompt, "asked_tokens": output, "output_tokens": output}
    return ServedRequest(**{**known, "chunk_s": (sent + 1.0, sent + 2.0), "ended_s": sent + 2.0, **changed})


def test_a_lone_request_is_predicted_as_the_hand_has_it():
    """Prompt: 1 + 0.1 x 10 = 2 s, then two steps of 1 + 0.5 = 1.5 s; 0.25 s outside. TTFT 2.25, TPOT 1.5, E2E 5.25 s."""
    found = replay_served([request(0.0)], PLAIN, None)
    assert (found.ttft_s, found.tpot_s, found.e2e_s) == (pytest.approx([2.25]), pytest.approx([1.5]), pytest.approx([5.25]))


def test_what_was_cached_is_not_computed():
    """4 of 10 prompt tokens are computed: 1.4 s + 0.25 s."""
    found = replay_served([request(0.0, cached_tokens=6)], PLAIN, None)
    assert found.ttft_s == pytest.approx([1.65])


def test_a_closed_loop_takes_its_lengths_from_the_measurement_and_its_times_from_the_replay():
    """One in flight, each request 5 s in steps and 0.25 s outside: sent at 0, 5.25 and 10.5 s whatever was measured."""
    found = replay_served([request(0.0), request(2.0), request(4.0)], PLAIN, 1)
    assert found.arrival_s == pytest.approx([0.0, 5.25, 10.5])


def test_a_window_caps_what_a_step_reads():
    """1 s a token of KV, at most 4 are read: two decode steps of 1 + 0.5 + 4 s instead of 11 + 1.5 and 12 + 1.5."""
    reads = Server(Iteration(step_s=1.0, sequence_s=0.5, kv_byte_s=1.0, prefill_token_s=0.1), np.inf)
    capped = replay_served([request(0.0)], reads, None, lambda tokens: np.minimum(tokens, 4.0))
    assert capped.ended_s - capped.first_s == pytest.approx([11.0])
    full = replay_served([request(0.0)], reads, None)
    assert full.ended_s - full.first_s == pytest.approx([12.5 + 13.5])


def test_a_request_that_no_replica_holds_is_not_served():
    """A cache of 12.5 tokens holds 9 + 3, not 10 + 3."""
    found = replay_served([request(0.0), request(1.0, prompt=9)], Server(PLAIN.iteration, 12.5), None)
    assert found.served.tolist() == [False, True]


def test_requests_are_admitted_as_their_engine_takes_the_cache():
    """10 + 21 tokens each, 21 in the mean over the answer: room for 42 takes two that grow (vLLM), or one whole."""
    server, two = Server(Iteration(1.0, 0.0, 0.0, 0.0), 42.0), [request(0.0, output=21)] * 2
    growing, whole = (replay_served(two, server, None, reserved=reserved) for reserved in (False, True))
    assert growing.admitted_s.tolist() == [0.0, 0.0]
    assert whole.admitted_s.tolist() == [0.0, 21.0]
