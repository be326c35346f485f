"""A server whose step is known is profiled over HTTP; the fit finds the step again, and the replay a load it has not seen."""

import pytest
from serving_server import Law, StepServer

from roi.estimate.replay.held_out import adapter_speeds, held_out
from roi.estimate.serving.step_fit import fit_profile
from roi.profiling.progress import Watcher
from roi.profiling.server.endpoint import read_url
from roi.profiling.server.load_design import ServePlan, adapter_points, closed_points, poisson_point
from roi.profiling.server.measured_server import profile_serve
from roi.profiling.server.server_run import ServeRequest

pytestmark = pytest.mark.full


LAW = Law(step_s=0.006, sequence_s=2e-4, kv_token_s=1e-6, prefill_token_s=3e-5, request_s=0.003)

NOISE = 0.05
"""Share of a coefficient by which a busy machine's timers may move it; the intervals know noise within a run only."""


@pytest.fixture(scope="module")
def profile():
    closed = closed_points((1, 4, 12), (32, 384), (24, 48), None, 1)
    plan = ServePlan((*closed, poisson_point((32, 384), (24, 48), 40, None, 1)))
    with StepServer(LAW) as server:
        request = ServeRequest(read_url(server.url), None, None, plan, 7, 60.0, 20.0, 10.0)
        run = profile_serve(request, Watcher())
    assert run.failure is None
    assert run.profile.complete
    return run.profile


def test_the_coefficients_are_found_within_their_intervals(profile):
    fit = fit_profile(profile)
    assert fit.rejected == ()
    found = {c.name: c for c in fit.coefficients}
    for name in ("step_s", "sequence_s", "kv_token_s", "prefill_token_s"):
        true, c = getattr(LAW, name), found[name]
        assert c.low - NOISE * true <= true <= c.high + NOISE * true, c
    assert LAW.request_s < fit.request_s < LAW.request_s + 0.03  # and what sockets and two loops of a busy machine take


def test_the_replay_predicts_a_load_that_the_fit_has_not_seen(profile):
    """An open loop at lengths of neither design, at 60% of the rate: TPOT and tokens/s within 10%, TTFT within 25%."""
    [hold_out] = held_out(profile, fit_profile(profile))
    tpot, ttft, rate = hold_out.errors
    assert abs(tpot) < 0.10
    assert abs(rate) < 0.10
    assert abs(ttft) < 0.25


def test_the_speed_with_unmerged_adapters_is_found_against_the_base():
    """A step with an adapter in it takes 1 / 0.7 of one without; timers of a busy machine within NOISE."""
    design = ((1, 6), (32, 256), (16, 32), None)
    plan = ServePlan((*closed_points(*design, 1), *adapter_points(*design, 1, 2)))
    with StepServer(LAW, adapters=("support", "sales"), adapter_speed=0.7) as server:
        request = ServeRequest(read_url(server.url), None, None, plan, 7, 60.0, 20.0, 10.0, adapters=("support", "sales"))
        profile = profile_serve(request, Watcher()).profile
    one, both = adapter_speeds(profile, fit_profile(profile))
    assert (one.adapters, both.adapters) == (1, 2)
    assert one.speed == pytest.approx(0.7, rel=NOISE)
    assert both.speed == pytest.approx(0.7, rel=NOISE)
