"""A profile that was cut short: fitted where only the open loop is missing, told so, and read alike by whoever reads it."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from serving_server import Law, StepServer
from step_simulator import DESIGN, HOLD_OUT, simulate

from roi.catalog.models.shapes import find_model
from roi.estimate.replay.held_out import adapter_speeds, held_out
from roi.estimate.serving.step_fit import fit_profile
from roi.evidence.measured_servers import find_served, fit_serve, measured_servers
from roi.facts.serve_profile import Cut
from roi.profiling.progress import Watcher
from roi.profiling.server.endpoint import read_url
from roi.profiling.server.load_design import ServePlan, closed_points, poisson_point
from roi.profiling.server.measured_server import profile_serve
from roi.profiling.server.server_run import ServeRequest
from roi.report.profiles.profile_serve import serve_json, serve_text
from roi.store.profiles.lookup import load_profiles, save_profile

BUDGET = Cut(why="the budget ended with requests in flight", failed=False, closed_loops=True)
STATED = {"model": "llama-3.1-8b", "gpu": "H100-80GB-SXM", "weight_dtype": "bf16", "engine": "vllm"}


def cut_profile(cut=BUDGET, *, points=slice(None), **fields):
    """Closed loops and an open one that was cut: a quarter of its requests never ended."""
    whole = simulate(seed=1, loads=(*DESIGN, HOLD_OUT), **fields)
    *closed, open_loop = whole.points
    few = tuple(r.model_copy(update={"error": "cut off", "ended_s": None}) if i % 4 == 3 else r
                for i, r in enumerate(open_loop.requests))
    broken = open_loop.model_copy(update={"requests": few, "complete": False})
    return whole.model_copy(update={"points": (*closed, broken)[points], "complete": False, "cut": cut})


@pytest.mark.full
def test_a_run_that_was_cut_in_its_open_loop_has_the_fit_of_its_closed_loops():
    cut, whole = cut_profile(), simulate(seed=1, loads=(*DESIGN, HOLD_OUT))
    fit = fit_profile(cut)
    assert fit.iteration == fit_profile(whole).iteration
    assert fit.check_missing == "the budget ended with requests in flight"
    assert fit_profile(whole).check_missing is None
    assert held_out(cut, fit) == ()
    assert len(held_out(whole, fit)) == 1


@pytest.mark.full
def test_a_run_that_was_cut_among_its_adapters_has_the_fit_of_the_base():
    slow = tuple(replace(load, adapter="unmerged", speed=0.5) for load in DESIGN[:3])
    whole = simulate(seed=1, loads=(*DESIGN, *slow))
    *done, last = whole.points
    points = (*done, last.model_copy(update={"complete": False}))
    cut = whole.model_copy(update={"points": points, "complete": False, "cut": BUDGET})
    fit = fit_profile(cut)
    assert fit.iteration == fit_profile(whole).iteration
    assert [speed.points for speed in adapter_speeds(cut, fit)] == [2]


def test_a_run_that_was_cut_in_its_last_closed_loop_has_the_fit_of_the_others():
    cut = cut_profile(BUDGET.model_copy(update={"closed_loops": False}))
    *done, last, _ = cut.points
    profile = cut.model_copy(update={"points": (*done, last.model_copy(update={"complete": False}))})
    fit = fit_profile(profile)
    assert fit.points == len(DESIGN) - 1
    assert f"the run was cut short: fitted on the {len(DESIGN) - 1} closed loops that are whole" in fit.notes


def test_an_open_loop_that_never_began_is_missing_alike():
    fit = fit_profile(cut_profile(points=slice(None, -1)))
    assert fit.iteration is not None
    assert fit.check_missing is not None


@pytest.mark.parametrize(("cut", "points", "said"), [
    (BUDGET.model_copy(update={"failed": True}), slice(None), ": requests failed"),
    (BUDGET.model_copy(update={"closed_loops": False}), slice(3), ": fewer than 4 closed loops are whole"),
    (BUDGET, slice(-2, None), ": fewer than 4 closed loops are whole"),
    (None, slice(None), ""),
], ids=["failed", "three closed loops", "one closed loop alone", "nobody says"])  # fmt: skip
def test_nothing_is_fitted_on_any_other_run_that_was_cut(cut, points, said):
    assert fit_profile(cut_profile(cut, points=points)).rejected == (f"the profile is incomplete{said}",)


@pytest.mark.full
def test_whoever_sizes_by_a_profile_follows_the_same_rule(tmp_path):
    unchecked = cut_profile(**STATED)
    failed = cut_profile(BUDGET.model_copy(update={"failed": True}), **STATED, started=datetime(2026, 11, 2, tzinfo=UTC))
    for profile in (unchecked, failed):
        save_profile(profile, tmp_path)
    [server], [(_, why)] = measured_servers(load_profiles([tmp_path]), "H100")
    assert (server.stored.profile, server.held_out) == (unchecked, ())
    assert why == "the profile is incomplete: requests failed"
    found = find_served([server], find_model("llama-3.1-8b"), 1, "bf16", prefill_context=500.0)
    assert found.speed.source.endswith(", whose open loop was cut short: not checked")


def profiled(watcher, **server):
    plan = ServePlan((*closed_points((1, 4), (16, 256), (24,), 12, 0), poisson_point((16, 256), (24,), 12, None, 0)))
    with StepServer(Law(step_s=0.002, sequence_s=1e-4), **server) as running:
        return profile_serve(ServeRequest(read_url(running.url), None, None, plan, 5, 30.0, 10.0, 5.0), watcher)


@pytest.mark.full
def test_a_signal_in_the_open_loop_is_told_beside_the_fit():
    class Stop(Watcher):
        def update(self, text, *_):
            if text.startswith("poisson"):
                raise KeyboardInterrupt

    run = profiled(Stop())
    profile = run.profile
    assert (run.interrupted, profile.complete, [p.complete for p in profile.points]) == (True, False, [True] * 4 + [False])
    assert profile.cut == Cut(why="interrupted by the user", failed=False, closed_loops=True)
    fitted = fit_serve(profile)
    text = " ".join(serve_text(profile, fitted, 2.0, 0.05, None).split())
    assert "not checked: the open loop that is kept aside for it was cut short or is missing (interrupted by the user)" in text
    assert "incomplete: what was measured is kept" in text
    body = json.loads(serve_json(profile, fitted, 2.0, 0.05, None))
    assert body["cut"] == {"why": "interrupted by the user", "failed": False, "closed_loops": True}
    assert body["step"]["fitted"]
    assert (body["step"]["check_missing"], body["step"]["held_out"]) == ("interrupted by the user", [])


@pytest.mark.full
def test_requests_that_fail_in_the_open_loop_leave_nothing_fitted():
    """Two probes and four loops of 12 are served, and of the open loop two; then the server breaks."""
    run = profiled(Watcher(), faults=("break after",), after=2 + 48 + 2)
    assert run.failure.endswith("HTTP 500: CUDA error: out of memory")
    assert (run.profile.cut.failed, run.profile.cut.closed_loops) == (True, True)
    fitted = fit_serve(run.profile)
    assert fitted.fit.rejected == ("the profile is incomplete: requests failed",)
    assert "nothing is fitted: the profile is incomplete: requests failed" in serve_text(run.profile, fitted, 2.0, 0.05, None)
