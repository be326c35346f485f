"""The replay against a simulation step by step, token by token; against queueing theory; against what is conserved.

A closed loop has as many requests in flight as asked, and the same times as an open loop with its arrivals.
"""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roi.errors import InputError
from roi.estimate.replay import lockstep
from roi.estimate.replay.engine import EngineReplica, Jobs, Server, Times, step_base
from roi.estimate.replay.router import SEND_S, Requests, replay, replay_closed
from roi.estimate.serving.iteration import Iteration


def requests(arrival, prefill, output, kv_start=None, kv_growth=None, kv_held=None):
    arrival, prefill, output = (np.asarray(x, dtype=float) for x in (arrival, prefill, output))
    growth = np.ones(arrival.size) if kv_growth is None else np.asarray(kv_growth, dtype=float)
    start = prefill + 1 if kv_start is None else np.asarray(kv_start, dtype=float)
    held = prefill + output if kv_held is None else np.asarray(kv_held, dtype=float)
    return Requests(arrival, prefill, output, start, growth, held)


class SlowReplica:
    """One replica, one step after another, one token after another; nothing is summed up in advance."""

    def __init__(self, server):
        self.server, self.t, self.waiting, self.filling, self.decoding = server, 0.0, [], [], []
        self.first, self.ended, self.admitted, self.busy = {}, {}, {}, 0.0

    def step(self, load):  # noqa: C901 -- a reference is read from top to bottom
        """The next step from self.t on: its prompts, its seconds, and what is true after it (a commit)."""
        s, i = self.server, self.server.iteration
        filling, waiting = [list(x) for x in self.filling], list(self.waiting)
        budget, joined = s.step_tokens - (0 if s.prompts_alone else len(self.decoding)), []
        held = sum(load.kv_held[r] for r, *_ in self.decoding) + sum(load.kv_held[r] for r, _ in filling)
        tokens = 0.0
        for entry in filling:
            take = min(entry[1], budget)
            entry[1], budget, tokens = entry[1] - take, budget - take, tokens + take
        while waiting and budget > 0:
            r = waiting[0]
            if load.arrival_s[r] > self.t or len(self.decoding) + len(filling) >= s.sequence_limit:
                break
            if held + load.kv_held[r] > s.kv_capacity:
                break
            waiting.pop(0)
            joined.append(r)
            held += load.kv_held[r]
            take = min(load.prefill_tokens[r], budget)
            filling.append([r, load.prefill_tokens[r] - take])
            budget, tokens = budget - take, tokens + take
        idle, decoding = (self.decoding, []) if s.prompts_alone and filling else ([], self.decoding)
        n = len(decoding)
        kv = sum(load.kv_start[r] + load.kv_growth[r] * done for r, done in decoding)
        touched = i.touched(n + tokens)
        seconds = i.step_s + i.experts_s * touched + i.sequence_s * n + i.kv_byte_s * kv + i.prefill_token_s * tokens
        seconds -= i.overlap * min(i.read_s + i.experts_s * touched, i.product_s * n + i.prefill_token_s * tokens)
        seconds = max(seconds, i.host_s + i.host_sequence_s * n + i.host_prompt_s * (tokens > 0))

        def commit():
            for r in joined:
                self.admitted[r] = self.t
            self.t, self.busy, self.waiting = self.t + seconds, self.busy + seconds, waiting
            after = list(idle)
            for r, done in decoding:
                if done + 2 >= load.output_tokens[r]:  # the first came from the prefill, `done` before this step
                    self.ended[r] = self.t
                else:
                    after.append((r, done + 1))
            for r, left in filling:
                if left == 0:
                    self.first[r] = self.t
                    if load.output_tokens[r] == 1:
                        self.ended[r] = self.t
                    else:
                        after.append((r, 0))
            self.filling = [(r, left) for r, left in filling if left > 0]
            self.decoding = after

        return seconds, tokens, commit

    def run(self, load, until):
        while True:
            if not self.decoding and not self.filling:
                if not self.waiting or load.arrival_s[self.waiting[0]] > until:
                    return
                self.t = max(self.t, load.arrival_s[self.waiting[0]])
            seconds, _, commit = self.step(load)
            if self.t + seconds > until:
                return
            commit()


def slow(load, server, replicas=1):
    machines = [SlowReplica(server) for _ in range(replicas)]
    given_to = [[] for _ in machines]
    for r, now in enumerate(load.arrival_s):
        open_ = []
        for k, machine in enumerate(machines):
            machine.run(load, now)
            fits = [x for x in given_to[k] if load.kv_held[x] <= server.kv_capacity]
            open_.append(sum(1 for x in fits if x not in machine.ended))
        best = int(np.argmin(open_))
        if load.kv_held[r] <= server.kv_capacity:
            machines[best].waiting.append(r)
        given_to[best].append(r)
    for machine in machines:
        machine.run(load, np.inf)
    return machines, given_to


@st.composite
def small_cases(draw):
    n = draw(st.integers(1, 12))
    whole = lambda least, most: draw(st.lists(st.integers(least, most), min_size=n, max_size=n))  # noqa: E731
    gaps = [x / 8 for x in whole(0, 12)]
    load = requests(np.cumsum(gaps), whole(1, 40), whole(1, 9), kv_growth=[x / 2 for x in whole(0, 4)])
    limit = draw(st.integers(1, 5))
    engine = Iteration(
        step_s=draw(st.sampled_from([0.03, 0.11])), sequence_s=draw(st.sampled_from([0.0, 0.007])),
        kv_byte_s=draw(st.sampled_from([0.0, 0.0009])), prefill_token_s=draw(st.sampled_from([0.0, 0.0031])),
        experts_s=draw(st.sampled_from([0.0, 0.05])), expert_share=0.25, host_s=draw(st.sampled_from([0.0, 0.0713])),
        host_sequence_s=draw(st.sampled_from([0.0, 0.0211])), host_prompt_s=draw(st.sampled_from([0.0, 0.0907])),
        overlap=draw(st.sampled_from([0.0, 0.61])), read_s=0.023, product_s=0.0,
    )
    capacity = draw(st.sampled_from([np.inf, 45.0, 90.0]))
    step_tokens, alone = draw(st.sampled_from([6.0, 16.0, 64.0])), draw(st.booleans())
    return load, Server(engine, capacity, limit, step_tokens, prompts_alone=alone), draw(st.integers(1, 3))


@pytest.mark.full
@given(small_cases())
@settings(max_examples=300, deadline=None)
def test_the_replay_equals_a_simulation_token_by_token(case):
    load, server, replicas = case
    found = replay(load, server, replicas)
    machines, given_to = slow(load, server, replicas)
    for k, machine in enumerate(machines):
        assert [r for r in range(load.arrival_s.size) if found.replica[r] == k] == given_to[k]
        seen = (found.admitted_s, machine.admitted), (found.first_s, machine.first), (found.ended_s, machine.ended)
        for mine, theirs in seen:
            for r in given_to[k]:
                assert mine[r] == pytest.approx(theirs.get(r, np.inf), rel=1e-9)
        assert found.busy_s[k] == pytest.approx(machine.busy, rel=1e-9)


@given(small_cases())
@settings(max_examples=100, deadline=None)
def test_every_request_is_served_once_or_refused_because_no_replica_holds_it(case):
    load, server, replicas = case
    found = replay(load, server, replicas)
    assert list(found.served) == list(load.kv_held <= server.kv_capacity)
    ok = found.served
    assert np.all(found.arrival_s[ok] <= found.admitted_s[ok])
    assert np.all(found.admitted_s[ok] < found.first_s[ok])
    assert np.all(found.first_s[ok] <= found.ended_s[ok])
    assert np.all((found.first_s[ok] == found.ended_s[ok]) == (load.output_tokens[ok] == 1))


@given(small_cases())
@settings(max_examples=50, deadline=None)
def test_littles_law_holds(case):
    """The time average of the number in the system, counted from the events, is arrivals x mean stay over the span."""
    load, server, replicas = case
    found = replay(load, server, replicas)
    ok = found.served
    if not np.any(ok) or found.span_s == 0:
        return
    events = sorted([(t, 1) for t in found.arrival_s[ok]] + [(t, -1) for t in found.ended_s[ok]])
    area, inside, last = 0.0, 0, events[0][0]
    for t, change in events:
        area, inside, last = area + inside * (t - last), inside + change, t
    assert inside == 0
    assert area == pytest.approx(np.sum(found.e2e_s[ok]), rel=1e-9)


def one_at_a_time(arrival, output):
    """A server with one slot, 1 ms a token, prompts for nothing: the service of a request is its output x 1 ms."""
    ones = np.ones(arrival.size)
    load = Requests(arrival, ones, output, ones, 0 * ones, ones)
    return replay(load, Server(Iteration(1e-3, 0.0, 0.0, 0.0), np.inf, 1.0, 8.0))


@pytest.mark.full
def test_one_slot_with_exponential_work_waits_as_m_m_1_does():
    """M/M/1 at rho 0.7, mean service 1 s: mean wait = rho / (1 - rho) = 2.333 s, busy 70%; 400,000 requests."""
    rng = np.random.default_rng(7)
    n = 400_000
    found = one_at_a_time(np.cumsum(rng.exponential(1 / 0.7, n)), np.ceil(rng.exponential(1000.0, n)))
    assert np.mean(found.queued_s) == pytest.approx(0.7 / 0.3, rel=0.05)
    assert found.utilisation == pytest.approx(0.7, rel=0.01)
    # P(wait > t) = rho exp(-(1 - rho) t / s): 95% wait less than ln(0.7 / 0.05) / 0.3 = 8.797 s
    assert np.percentile(found.queued_s, 95) == pytest.approx(8.797, rel=0.05)


@pytest.mark.full
def test_one_slot_with_equal_work_waits_as_m_d_1_does():
    """M/D/1 at rho 0.8, service 1 s: mean wait = rho / 2 (1 - rho) = 2.0 s; 400,000 requests."""
    rng = np.random.default_rng(11)
    n = 400_000
    found = one_at_a_time(np.cumsum(rng.exponential(1 / 0.8, n)), np.full(n, 1000.0))
    assert np.mean(found.queued_s) == pytest.approx(2.0, rel=0.05)


def test_a_lone_request_by_hand():
    """a 10 ms, b 1 ms, c 1 us, d 0.1 ms; 100 prompt tokens, 3 out: prefill 10 + 10 = 20 ms, then 11 + 0.101 and 11 + 0.102."""
    load = requests([5.0], [100], [3])
    found = replay(load, Server(Iteration(0.010, 0.001, 1e-6, 1e-4), np.inf, request_s=0.002))
    assert found.ttft_s[0] == pytest.approx(0.022)
    assert found.e2e_s[0] == pytest.approx(0.022 + 0.022203)
    assert found.tpot_s[0] == pytest.approx(0.0111015)


def test_a_long_prompt_is_computed_in_chunks_beside_the_decoding_sequence():
    """Steps of 8 tokens: the first request decodes (1 token of each step), so a prompt of 20 takes 7 + 7 + 6: three steps."""
    load = requests([0.0, 0.011], [1, 20], [50, 1])
    found = replay(load, Server(Iteration(0.01, 0.0, 0.0, 0.0), np.inf, 4.0, 8.0))
    assert found.admitted_s[1] == pytest.approx(0.02)
    assert found.first_s[1] == pytest.approx(0.05)


def test_a_limit_that_stages_do_not_divide_holds_the_next_whole_number():
    """3.5 sequences of each of 26 stages, say: four decode together."""
    load = requests([0.0] * 9, [1] * 9, [50] * 9)
    found, whole = (replay(load, Server(Iteration(0.01, 0.001, 0.0, 0.0), np.inf, limit)) for limit in (3.5, 4.0))
    assert list(found.ended_s) == list(whole.ended_s)


def test_prompts_alone_hold_up_those_that_decode_by_hand():
    """Steps of 1 s and 0.1 s a prompt token; A (10 in, 3 out) at 0, B (20 in, 2 out) at 1.5.

    A's prompt ends at 2, B's at 2 + 1 + 2 = 5. Mixed, that step decodes A too: both end at 6. Alone, A's second token comes
    at 6 with B's last, and its third at 7; a step reads 10 + 1 of KV at first, 1 more in the second: 1 ms each.
    """
    load, engine = requests([0.0, 1.5], [10, 20], [3, 2], kv_start=[11, 21]), Iteration(1.0, 0.0, 0.001, 0.1)
    mixed, alone = (replay(load, Server(engine, np.inf, prompts_alone=x)) for x in (False, True))
    assert list(mixed.first_s) == pytest.approx([2.0, 5.0 + 0.011])
    assert list(mixed.ended_s) == pytest.approx([6.0 + 0.011 + 0.012 + 0.021] * 2)
    assert list(alone.first_s) == pytest.approx([2.0, 5.0])
    assert list(alone.ended_s) == pytest.approx([7.0 + 0.032 + 0.012, 6.0 + 0.032])


def test_prompts_that_meet_nobody_take_as_long_alone_as_mixed():
    """A request by itself, and a burst that one step holds: no step has both."""
    for load in (requests([0.0], [30], [9]), requests([0.0] * 4, [10] * 4, [5, 6, 7, 8])):
        mixed, alone = (replay(load, Server(Iteration(0.01, 1e-3, 1e-6, 1e-4), np.inf, prompts_alone=x)) for x in (False, True))
        assert list(alone.first_s) == list(mixed.first_s)
        assert list(alone.ended_s) == list(mixed.ended_s)


def test_the_router_gives_the_next_request_to_the_emptier_replica():
    load = requests([0.0, 0.0, 0.0, 0.0], [10] * 4, [5] * 4)
    assert list(replay(load, Server(Iteration(0.01, 0.0, 0.0, 0.0), np.inf), 3).replica) == [0, 1, 2, 0]


def test_a_request_that_one_replica_cannot_hold_delays_no_other():
    load = requests([0.0, 0.0, 0.0], [10, 1000, 10], [5, 5, 5])
    found = replay(load, Server(Iteration(0.01, 0.0, 0.0, 0.0), 100.0))
    assert list(found.admitted_s) == [0.0, np.inf, 0.0]


def test_nine_replicas_route_as_a_simulation_token_by_token_does():
    draw = np.random.default_rng(4)
    load = requests(np.cumsum(draw.exponential(0.02, 300)), draw.integers(1, 200, 300), draw.integers(1, 30, 300))
    server = Server(Iteration(0.01, 1e-4, 1e-6, 1e-4), 2000.0, 4.0, 64.0)
    found, (_, given_to) = replay(load, server, 9), slow(load, server, 9)
    assert [list(np.flatnonzero(found.replica == k)) for k in range(9)] == given_to


def test_a_request_that_no_replica_holds_is_refused_at_once_and_repels_no_other():
    load = requests([0.0, 0.0, 0.001], [10, 1000, 10], [5, 5, 5])
    found = replay(load, Server(Iteration(0.01, 0.0, 0.0, 0.0), 100.0), 2)
    assert list(found.replica) == [0, 1, 1]
    assert list(found.served) == [True, False, True]


def test_who_ends_with_a_step_with_prompts_is_told_when_the_step_is_over():
    """Steps of 1 s and 0.1 s a prompt token; A (10 in, 2 out) at 0, B (20 in, 2 out) at 1.5.

    A's prompt ends at 2, and its second token would come at 3. B's prompt, in the step with it, takes 1 + 2 s: until 5, which
    is known at 2.5 and no end before 5. B's second token comes at 6.
    """
    server, times, nothing = Server(Iteration(1.0, 0.0, 0.0, 0.1), np.inf), Times.unknown(2), [0.0, 0.0]
    jobs = Jobs([0.0, 1.5], [10.0, 20.0], [2.0, 2.0], nothing, nothing, nothing, nothing, nothing)
    engine = EngineReplica(server, step_base(server), jobs, times)
    engine.queue.append(0)
    assert engine.run(1.4) == pytest.approx(3.0)
    engine.queue.append(1)
    for until_s in (2.5, 4.9):
        assert engine.run(until_s) == pytest.approx(5.0)
        assert times.ended == []
    assert engine.run(5.5) == pytest.approx(6.0)
    assert times.ended == [0]
    assert engine.run(6.5) == np.inf
    assert times.ended_s == pytest.approx([5.0, 6.0])


def test_prompts_that_take_no_time_end_when_they_come():
    """A server whose decode steps alone take time: behind a router, such a step once answered that it would end before now."""
    load = requests([0.0, 0.0, 0.0, 1.0], [10] * 4, [1] * 4)
    assert list(replay(load, Server(Iteration(0.0, 1.0, 0.0, 0.0), np.inf), 2).ended_s) == [0.0, 0.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"arrival": [1.0, 0.0]}, "arrival_s: not ascending"),
        ({"prefill": [0, 5]}, "prefill_tokens: 0 is not usable"),
        ({"output": [1, 2.5]}, "output_tokens: a part of a token"),
    ],
)
def test_a_load_that_cannot_be_is_refused(change, said):
    with pytest.raises(InputError, match=said):
        requests(**({"arrival": [0.0, 1.0], "prefill": [5, 5], "output": [2, 2]} | change))


@pytest.mark.parametrize(
    ("server", "said"),
    [
        (lambda: Server(Iteration(0.0, 0.0, 1.0, 1.0), 1.0), "takes no time"),
        (lambda: Server(Iteration(1.0, 0.0, 1.0, 1.0), 1.0, 64.0, 32.0), "step_tokens: 32"),
        (lambda: Server(Iteration(1.0, 0.0, 1.0, 1.0), 1.0, 0.0), "sequence_limit: 0"),
    ],
)
def test_a_server_that_cannot_be_is_refused(server, said):
    with pytest.raises(InputError, match=said):
        server()


# Replicas together, as arrays


def apart_and_together(load, server, replicas):
    """The same replay one replica after the other, and all of them in operations on arrays."""
    found = []
    for least in (10**9, 1):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(lockstep, "LEAST_REPLICAS", least)
            patch.setattr(lockstep, "LEAST_ARRIVALS", 0.0)
            found.append(replay(load, server, replicas))
    return found


def assert_the_same(one, other):
    for name in ("replica", "admitted_s", "first_s", "ended_s", "busy_s"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name


@pytest.mark.full
@given(small_cases())
@settings(max_examples=300, deadline=None)
def test_replicas_together_give_the_numbers_of_one_after_the_other_to_the_last_bit(case):
    assert_the_same(*apart_and_together(*case))


@pytest.mark.parametrize("alone", [False, True])
def test_forty_replicas_together_do_what_forty_engines_do(alone):
    """300 requests, a burst and a pause among them; prompts in parts, one-token answers, slots and KV that run out, experts."""
    draw = np.random.default_rng(6)
    gaps = draw.exponential(0.004, 300)
    gaps[50:120], gaps[200] = 0.0, 9.0
    load = requests(np.cumsum(gaps), draw.integers(1, 300, 300), draw.integers(1, 40, 300), kv_growth=draw.integers(0, 3, 300))
    engine = Iteration(0.01, 1e-4, 1e-6, 1e-4, experts_s=0.004, expert_share=0.1, overlap=0.6, read_s=0.006, product_s=5e-5,
                       host_s=0.0102, host_sequence_s=1e-4, host_prompt_s=0.001)
    apart, together = apart_and_together(load, Server(engine, 700.0, 4.0, 64.0, prompts_alone=alone), 40)
    assert_the_same(apart, together)
    assert np.unique(apart.replica).size == 40


def test_a_request_goes_to_the_first_of_those_with_the_fewest():
    """One that fits nowhere counts for nothing; who has lost a request by the time of an arrival is emptier for it."""
    choice = lockstep.Choice(3)
    assert choice.route([0.0] * 4, [True, True, False, True]) == [0, 1, 2, 2]
    choice.ended(np.array([2.0, 1.0]), np.array([2, 1]))
    assert choice.route([0.5, 1.0, 1.5, 3.0], [True] * 4) == [0, 1, 1, 2]


def test_replicas_go_together_where_many_requests_arrive_within_a_step():
    """A step takes 10 ms at least: 4,000 requests a second are 40 a step."""
    server = Server(Iteration(0.01, 1e-3, 0.0, 1e-4), np.inf)

    def goes(rate, replicas, server=server):
        return lockstep.goes_together(np.arange(3001) / rate, server, step_base(server), replicas)

    assert lockstep.shortest_step_s(server, step_base(server)) == pytest.approx(0.01)
    assert goes(4001.0, 100)
    assert not goes(3990.0, 100)
    assert not goes(4001.0, 99)
    assert not goes(4001.0, 100, Server(Iteration(0.0, 1.0, 0.0, 1.0), np.inf))  # an empty step takes no time


# Closed loops

PLAIN = Iteration(step_s=1.0, sequence_s=0.5, kv_byte_s=0.0, prefill_token_s=0.1)


@pytest.mark.full
@given(small_cases())
@settings(max_examples=200, deadline=None)
def test_an_open_loop_with_the_arrivals_of_a_closed_one_gives_the_same_times(case):
    load, server, concurrency = case
    closed = replay_closed(load, server, concurrency)
    sent = closed.served
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


def test_a_request_that_no_replica_holds_is_not_sent_and_its_times_are_infinite():
    """A cache of 10 tokens: the first request, of 20, is never sent; the second is alone, from 0 on."""
    found = replay_closed(requests([0.0, 0.0], [10, 1], [10, 2]), Server(PLAIN, 10.0), 1)
    assert found.served.tolist() == [False, True]
    assert np.isinf(found.ttft_s[0])
    assert np.isinf(found.e2e_s[0])
    assert found.span_s == found.ended_s[1]


def test_a_cache_that_is_taken_as_tokens_come_holds_more_at_a_time():
    """A request of 10 prompt tokens and 21 of answer begins to decode with 11 and ends with 31, 21 in the mean. Room for 42 is
    one whole request's, and two that grow; room for 25 is none's, though 21 would fit."""
    whole = replace(requests([0.0, 0.0], [10.0, 10.0], [21.0, 21.0]), kv_start=np.full(2, 11.0), kv_growth=np.ones(2))
    growing = replace(whole, kv_mean=np.full(2, 21.0))
    for each, room, admitted in ((whole, 42.0, 1), (growing, 42.0, 2), (growing, 25.0, 0)):
        for replicas in (1, 2):
            found = replay(each, Server(Iteration(0.01, 0.0, 0.0, 0.0), room, 8.0, 64.0), replicas)
            at_once = np.sum(found.admitted_s < found.ended_s.min()) if found.served.any() else 0
            assert at_once == min(admitted * replicas, 2)
