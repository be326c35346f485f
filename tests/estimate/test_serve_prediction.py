"""What the replay says of a measured point, in the terms in which it was measured."""

import numpy as np
import pytest

from roi.estimate.replay.engine import Server
from roi.estimate.replay.held_out import predicted_point
from roi.estimate.replay.metrics import point_metrics
from roi.estimate.serving.iteration import Iteration
from roi.facts.serve_profile import ServedRequest, ServePoint

PLAIN = Server(Iteration(step_s=1.0, sequence_s=0.5, kv_byte_s=0.0, prefill_token_s=0.1), np.inf, request_s=0.25)


def request(sent, prompt=10, output=3, **changed):
    known = {"sent_s": sent, "prompt_tokens": prompt, "asked_tokens": output, "output_tokens": output}
    return ServedRequest(**{**known, "chunk_s": (sent + 1.0, sent + 2.0), "ended_s": sent + 2.0, **changed})


def point(*requests, **changed):
    return ServePoint(input_tokens=10, output_tokens=3, requests=requests, **changed)


def test_a_lone_request_is_predicted_as_the_hand_has_it():
    """Prompt: 1 + 0.1 x 10 = 2 s, then two steps of 1 + 0.5 = 1.5 s; 0.25 s outside. TTFT 2.25, TPOT 1.5, E2E 5.25 s."""
    ours = predicted_point(point(request(0.0), requests_per_s=1.0, arrivals="poisson"), PLAIN)
    found = point_metrics(ours, 9.0, 9.0)
    assert (found.ttft_p50_s, found.tpot_p50_s, found.e2e_p50_s) == pytest.approx((2.25, 1.5, 5.25))
    assert ours.requests[0].chunk_s == pytest.approx((2.25, 3.75, 5.25))


def test_what_was_cached_is_not_computed_and_what_failed_is_not_sent():
    """4 of 10 prompt tokens are computed: 1.4 s + 0.25 s."""
    cached = request(0.0, cached_tokens=6)
    failed = request(0.0, error="HTTP 500")
    ours = predicted_point(point(failed, cached, requests_per_s=1.0, arrivals="poisson"), PLAIN)
    assert len(ours.requests) == 1
    assert ours.requests[0].chunk_s[0] == pytest.approx(1.65)


def test_a_closed_loop_takes_its_lengths_from_the_measurement_and_its_times_from_the_replay():
    """One in flight, each request 5 s in steps and 0.25 s outside: sent at 0, 5.25 and 10.5 s whatever was measured."""
    ours = predicted_point(point(request(0.0), request(2.0), request(4.0), concurrency=1), PLAIN)
    assert [r.sent_s for r in ours.requests] == pytest.approx([0.0, 5.25, 10.5])


def test_a_window_caps_what_a_step_reads():
    """1 s a token of KV, at most 4 are read: two decode steps of 1 + 0.5 + 4 s instead of 11 + 1.5 and 12 + 1.5."""
    reads = Iteration(step_s=1.0, sequence_s=0.5, kv_byte_s=1.0, prefill_token_s=0.1)
    opened = point(request(0.0), requests_per_s=1.0, arrivals="poisson")
    capped = predicted_point(opened, Server(reads, np.inf), lambda tokens: np.minimum(tokens, 4.0))
    assert np.diff(capped.requests[0].chunk_s) == pytest.approx([5.5, 5.5])
    whole = predicted_point(opened, Server(reads, np.inf))
    assert whole.requests[0].ended_s - whole.requests[0].chunk_s[0] == pytest.approx(12.5 + 13.5)


def test_a_request_that_no_replica_holds_has_no_output():
    """A cache of 12.5 tokens holds 9 + 3, not 10 + 3."""
    small = Server(PLAIN.iteration, 12.5)
    ours = predicted_point(point(request(0.0), request(1.0, prompt=9), requests_per_s=1.0, arrivals="poisson"), small)
    assert [r.prompt_tokens for r in ours.requests] == [9]
