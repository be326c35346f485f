"""The engine's step is recovered from what a client sees of a simulated server, and intervals say how well."""

from dataclasses import replace

import numpy as np
import pytest
from step_simulator import DESIGN, HOLD_OUT, Load, Noise, Truth, coefficient, simulate, simulate_point

from roi.catalog.models.shapes import find_model
from roi.errors import InputError
from roi.estimate.replay.held_out import adapter_speeds, fitted_server, held_out
from roi.estimate.serving.step_fit import StepFit, fit_profile, held_out_points
from roi.estimate.serving.windows import in_chunks, point_rows
from roi.evidence.measured_servers import ServeFit
from roi.facts.serve_profile import ServedRequest, ServePoint
from roi.numerics.least_squares import nnls
from roi.report.layout.blocks import render
from roi.report.profiles.profile_serve import step_fit_blocks, step_fit_body

SILENT = Noise(step=0.0, drift=0.0, timer_s=0.0)


def true_values(truth, noise=SILENT):
    """The mean delay of the client's clock is part of what a request takes outside the steps."""
    return {
        "step_s": truth.a, "sequence_s": truth.b, "kv_token_s": truth.c, "prefill_token_s": truth.d,
        "request_s": truth.request_s + noise.timer_s,
    }


def predicted(rows, truth):
    return (
        truth.a * rows.steps + truth.b * rows.sequences + truth.c * rows.kv + truth.d * rows.prefill
        + truth.request_s * rows.request + truth.experts_s * rows.touched
    )


def held(fit: StepFit, truth, noise):
    """For each coefficient whether its interval holds the true value."""
    return [c.low <= true_values(truth, noise)[c.name] <= c.high for c in fit.coefficients]


@pytest.mark.parametrize("truth", [Truth(), Truth(step_tokens=512), Truth(slots=12), Truth(step_tokens=512, slots=12)])
def test_without_noise_windows_count_the_work_of_their_steps(truth):
    """Whole prompts, prompts in parts of 512, and a queue for 12 slots: seconds = a steps + b sequences + c KV + d prompt."""
    points = [simulate_point(load, truth, SILENT, i) for i, load in enumerate((*DESIGN, HOLD_OUT))]
    for point in points:
        rows, _ = point_rows(point)
        windows = rows.request == 0.0
        error = np.abs(predicted(in_chunks(rows, truth.step_tokens), truth) / rows.seconds - 1.0)
        assert np.median(error[windows]) < 1e-9
        assert np.mean(error[windows]) < 0.003


@pytest.mark.parametrize("truth", [
    Truth(prompts_alone=True), Truth(prompts_alone=True, experts_s=9e-3, expert_share=0.02),
])
def test_windows_count_the_steps_of_prompts_that_are_computed_alone(truth):
    """One step more for each prompt; counted as vLLM's, these steps are 8 ms each too few."""
    point = simulate_point(DESIGN[3], truth, SILENT)
    rows, _ = point_rows(point, expert_share=truth.expert_share, prompts_alone=True)
    mixed, _ = point_rows(point, expert_share=truth.expert_share)
    windows = rows.request == 0.0
    assert predicted(rows, truth)[windows] == pytest.approx(rows.seconds[windows], rel=2e-3)
    assert np.sum(predicted(mixed, truth)[windows]) < 0.97 * np.sum(rows.seconds[windows])
    assert fitted_server(fit_profile(simulate(truth), prompts_alone=True)).prompts_alone


def test_windows_of_a_lone_request_are_its_own_steps():
    """64 tokens, the first from the prefill: 63 decode steps in windows of 16, 16, 16 and 15.

    Prompt 100: the token k reads 100 + k - 1. Tokens 2 to 17 read 101 + ... + 116 = 16 x 108.5 = 1,736.
    """
    point = simulate_point(Load(100, 64, 1, requests=1, spread=0.0), noise=SILENT)
    rows, _ = point_rows(point)
    assert rows.steps.tolist() == [16.0, 16.0, 16.0, 15.0]
    assert rows.sequences.tolist() == [16.0, 16.0, 16.0, 15.0]
    assert rows.kv[0] == pytest.approx(1736.0)


def test_the_first_token_of_a_request_that_met_an_idle_server_is_a_row():
    """Closed loop of one: 5 requests, the first warms up, so 4 rows of one step, prompt 100 and no sequences."""
    point = simulate_point(Load(100, 32, 1, requests=5, spread=0.0), noise=SILENT)
    rows, _ = point_rows(point)
    lone = rows.request == 1.0
    assert np.count_nonzero(lone) == 4
    assert rows.prefill[lone].tolist() == [100.0] * 4
    assert rows.seconds[lone] == pytest.approx(Truth().a + 100 * Truth().d + Truth().request_s)


def test_cached_prompt_tokens_are_read_but_not_computed():
    point = simulate_point(Load(1000, 32, 1, requests=5, spread=0.0, cached=900), noise=SILENT)
    rows, _ = point_rows(point)
    assert rows.prefill[rows.request == 1.0].tolist() == [100.0] * 4
    assert rows.kv[rows.request == 0.0].min() > 1000.0 * 4


def test_windows_beside_a_failed_request_are_left_out():
    whole, failing = Load(256, 64, 8, requests=32), Load(256, 64, 8, requests=32, fails_every=16)
    count = {}
    for name, load in (("whole", whole), ("failing", failing)):
        point = simulate_point(load, noise=SILENT)
        rows, _ = point_rows(point)
        count[name] = rows.seconds.size
        assert predicted(rows, Truth()) == pytest.approx(rows.seconds, rel=0.02)
    assert count["failing"] < count["whole"]


def test_a_request_that_never_ended_spoils_the_rest_of_its_point():
    point = simulate_point(Load(256, 64, 4, requests=16), noise=SILENT)
    lost = point.requests[5].model_copy(update={"ended_s": None, "error": "stopped answering"})
    rows, _ = point_rows(point.model_copy(update={"requests": (*point.requests[:5], lost, *point.requests[6:])}))
    full, _ = point_rows(point)
    assert 0 < rows.seconds.size < full.seconds.size


def test_chunks_of_two_tokens_are_counted_by_the_tokens_in_them():
    """The first token comes with the second, so its share of a window's work is known to a token of 32."""
    simulated = simulate(noise=SILENT, loads=tuple(replace(load, merged=2) for load in (*DESIGN, HOLD_OUT)))
    fit = fit_profile(simulated)
    assert coefficient(fit, "step_s").value == pytest.approx(Truth().a, rel=0.03)


def test_a_stream_in_few_large_chunks_is_refused():
    point = simulate_point(Load(256, 64, 4, requests=8, merged=16))
    rows, why = point_rows(point)
    assert rows is None
    assert "a streamed chunk carries 14 tokens" in why  # 64 +- 30%, the last chunk not full


def test_without_noise_the_coefficients_are_the_true_ones():
    fit = fit_profile(simulate(noise=SILENT))
    for name, true in true_values(Truth()).items():
        assert coefficient(fit, name).value == pytest.approx(true, rel=0.02), name


@pytest.mark.full
@pytest.mark.parametrize("noise", [
    pytest.param(Noise(), id="usual"),
    pytest.param(Noise(step=0.02, drift=0.03, timer_s=1e-3), id="loud", marks=pytest.mark.full),
    pytest.param(Noise(stall=0.002), id="stalls", marks=pytest.mark.full),
])
def test_intervals_hold_the_true_coefficients_about_nine_times_in_ten(noise):
    """Six profiles of five coefficients: 30 intervals at 90% hold 24 or more in 97% of cases; seeds are fixed."""
    found = [hit for seed in range(6) for hit in held(fit_profile(simulate(noise=noise, seed=seed)), Truth(), noise)]
    assert len(found) == 30
    assert sum(found) >= 24


@pytest.mark.slow
def test_intervals_hold_the_true_coefficients_in_200_profiles():
    """1,000 intervals: their share lies within 0.90 +- 0.05, which is wider than its own scatter of 0.01."""
    noise = Noise(step=0.01, drift=0.02, timer_s=0.5e-3)
    found = [hit for seed in range(200) for hit in held(fit_profile(simulate(noise=noise, seed=seed)), Truth(), noise)]
    assert 0.85 <= np.mean(found) <= 0.95


def test_pauses_of_the_client_do_not_move_the_fit():
    """A step in 200 takes 20 times as long: a mean would be 1 + 19 / 200 = 9.5% too slow."""
    fit = fit_profile(simulate(noise=Noise(step=0.01, drift=0.0, stall=0.005)))
    assert coefficient(fit, "step_s").value == pytest.approx(Truth().a, rel=0.02)


@pytest.mark.full
def test_a_prompt_in_parts_shows_the_tokens_of_a_step():
    fit = fit_profile(simulate(Truth(step_tokens=512)))
    assert fit.step_tokens == 512.0
    assert coefficient(fit, "prefill_token_s").value == pytest.approx(Truth().d, rel=0.05)
    assert fit_profile(simulate()).step_tokens is None


def test_one_slow_first_token_is_no_chunk_size():
    """Prompts and ms to the first token of a guidellm file, one request at a time, 19.3 ms a step: one prompt is above 256, and
    was read as two steps. The server's log says 8,192 (danielkorat/guidellm-bench, Qwen3-4B-Thinking-2507, 2 March 2026)."""
    first = (
        (133, 207), (106, 56), (76, 54), (81, 37), (65, 40), (151, 38), (96, 38), (49, 65), (98, 40), (124, 37),
        (77, 36), (54, 42), (47, 62), (93, 44), (84, 40), (112, 36), (52, 39), (86, 42), (197, 44), (60, 37),
        (147, 38), (179, 38), (76, 34), (139, 39), (143, 39), (62, 37), (61, 37), (70, 36), (393, 66), (101, 36),
    )  # fmt: skip
    point, requests, sent_s = simulate_point(Load(64, 64, 1, requests=2), Truth(), Noise(), 0), [], 0.0
    for tokens, ms in first:
        chunk_s = tuple(sent_s + ms / 1e3 + 0.0193 * k for k in range(64))
        requests.append(point.requests[0].model_copy(update={
            "sent_s": sent_s, "prompt_tokens": tokens, "asked_tokens": 64, "output_tokens": 64, "chunk_s": chunk_s,
            "ended_s": chunk_s[-1]}))
        sent_s = chunk_s[-1] + 0.01
    profile = simulate(loads=(Load(64, 64, 1, requests=2),))
    assert fit_profile(profile.model_copy(update={
        "points": (point.model_copy(update={"requests": tuple(requests)}),)})).step_tokens is None


def test_the_replay_predicts_an_open_loop_that_the_fit_has_not_seen():
    profile = simulate(seed=3)
    fit = fit_profile(profile)
    assert [number for number, _ in held_out_points(profile)] == [6]
    [one] = held_out(profile, fit)
    tpot, ttft, rate = (abs(error) for error in one.errors)
    assert one.requests == HOLD_OUT.requests
    assert tpot < 0.02
    assert ttft < 0.10
    assert rate < 0.01


def test_coefficients_do_not_depend_on_the_held_out_load():
    profile = simulate(seed=4)
    closed = profile.model_copy(update={"points": profile.points[:-1]})
    assert fit_profile(profile).iteration == fit_profile(closed).iteration


def test_one_prompt_length_leaves_sequences_and_kv_known_together_only():
    fit = fit_profile(simulate(seed=1, loads=tuple(Load(256, 64, c, requests=max(8, 2 * c)) for c in (1, 4, 16))))
    assert fit.iteration is not None
    [one] = fit.sums
    assert set(one.names) == {"sequence_s", "kv_token_s"}
    true = Truth().b + Truth().c * one.per[1]
    assert one.low <= true <= one.high
    assert "longer prompts" in one.add


def test_one_request_at_a_time_cannot_tell_a_step_from_a_sequence_and_gives_no_iteration():
    fit = fit_profile(simulate(seed=1, loads=tuple(Load(i, 64, 1, requests=8) for i in (64, 512, 2048))))
    assert fit.iteration is None
    assert "cannot tell a (a step, however small) and b (each decoding sequence) apart" in fit.rejected[0]
    assert "another number of requests in flight" in fit.rejected[0]
    both = fit.sums[0]
    assert both.low <= Truth().a + Truth().b <= both.high
    assert (coefficient(fit, "step_s").low, coefficient(fit, "sequence_s").low) == (0.0, 0.0)


def test_without_an_idle_server_the_request_time_is_not_known_rather_than_zero():
    fit = fit_profile(simulate(seed=2, loads=(Load(512, 64, 8, requests=32), Load(64, 64, 16, requests=64))))
    assert fit.request_s is None
    assert coefficient(fit, "request_s") is None
    assert any("no row shows a request outside the steps: add" in note for note in fit.notes)


def test_without_a_prompt_in_any_row_there_is_no_iteration():
    """One wave of requests sent together: all prompts are computed before the first window begins."""
    loads = tuple(Load(128, 160, c, requests=c, spread=0.0) for c in (2, 8, 16))
    fit = fit_profile(simulate(noise=SILENT, loads=loads))
    assert fit.iteration is None
    assert "d (each prompt token)" in fit.rejected[0]


@pytest.mark.full
def test_a_term_that_is_nothing_gets_a_one_sided_interval():
    fits = [fit_profile(simulate(Truth(c=1e-12), seed=seed)) for seed in range(4)]
    found = [coefficient(fit, "kv_token_s") for fit in fits]
    assert all(kv.high < 0.05e-6 for kv in found)  # a quarter of what the design is made for
    none = [kv for kv in found if kv.value == 0.0]
    assert none
    assert all(kv.low == 0.0 < kv.high for kv in none)


def test_experts_have_their_own_column_where_the_shape_is_known():
    """Of 32 experts 4 a token (gpt-oss-20b): 1 sequence reads an eighth of them, 32 nearly all."""
    shape = find_model("gpt-oss-20b")
    truth = Truth(a=3e-3, experts_s=8e-3, expert_share=4 / 32)
    loads = (*DESIGN, Load(256, 96, 3, requests=16), Load(256, 96, 64, requests=128))
    fit = fit_profile(simulate(truth, Noise(timer_s=0.1e-3), loads=loads), shape)
    assert fit.iteration.expert_share == pytest.approx(0.125)
    assert coefficient(fit, "experts_s").value == pytest.approx(8e-3, rel=0.15)
    assert coefficient(fit, "step_s").value == pytest.approx(3e-3, rel=0.35)


def test_an_incomplete_profile_and_few_successes_fit_nothing():
    profile = simulate()
    cut = profile.points[2].model_copy(update={"complete": False})
    for bad in (
        profile.model_copy(update={"complete": False}),
        profile.model_copy(update={"points": (*profile.points[:2], cut, *profile.points[3:])}),
    ):
        fit = fit_profile(bad)
        assert fit.iteration is None
        assert "incomplete" in fit.rejected[0]
    few = simulate(loads=(Load(64, 32, 1, requests=4),))
    assert "4 of 4 requests succeeded" in fit_profile(few).rejected[0]
    short = simulate(loads=(Load(64, 2, 2, requests=32),))
    assert "windows of decoding" in fit_profile(short).rejected[0]


def test_unmerged_adapters_are_not_mixed_with_the_base():
    """Points of an adapter at half the speed would double the step if they were counted."""
    slow = tuple(replace(load, adapter="unmerged", speed=0.5) for load in DESIGN)
    profile = simulate(loads=(*DESIGN, *slow))
    fit = fit_profile(profile)
    assert fit.points == len(DESIGN)
    assert coefficient(fit, "step_s").value == pytest.approx(Truth().a, rel=0.02)
    [told] = adapter_speeds(profile, fit)
    assert (told.adapters, told.points) == (1, len(DESIGN))
    assert told.low <= 0.5 <= told.high
    assert told.speed == pytest.approx(0.5, rel=0.02)
    alone = fit_profile(simulate(loads=slow))
    assert coefficient(alone, "step_s").value == pytest.approx(2.0 * Truth().a, rel=0.02)


def test_first_and_last_stamps_alone_still_give_the_step():
    """guidellm keeps no more: windows then span whole requests."""
    profile = simulate(seed=6)
    ends = tuple(
        point.model_copy(update={"requests": tuple(
            r.model_copy(update={"chunk_s": (r.chunk_s[0], r.chunk_s[-1])}) for r in point.requests
        )})
        for point in profile.points
    )
    fit = fit_profile(profile.model_copy(update={"points": ends, "tool": "guidellm"}))
    assert coefficient(fit, "step_s").value == pytest.approx(Truth().a, rel=0.03)
    assert coefficient(fit, "prefill_token_s").value == pytest.approx(Truth().d, rel=0.05)


def test_non_negative_least_squares_equal_scipy():
    optimize = pytest.importorskip("scipy.optimize")
    draw = np.random.default_rng(0)
    for _ in range(100):
        x, y = draw.normal(size=(12, 5)), draw.normal(size=12)
        mine = nnls(x, y)
        assert mine == pytest.approx(optimize.nnls(x, y)[0], abs=1e-8)


def test_a_fitted_server_replays_and_a_rejected_fit_says_why():
    assert fitted_server(fit_profile(simulate(Truth(step_tokens=512))), 1e5).step_tokens == 512.0
    with pytest.raises(InputError, match="incomplete"):
        fitted_server(fit_profile(simulate(complete=False)))


def test_the_report_fits_80_columns_and_its_json_has_every_interval():
    profile = simulate(seed=1)
    fit = fit_profile(profile)
    ahead = held_out(profile, fit)
    lines = render(step_fit_blocks(ServeFit(fit, ahead, None, ()))).splitlines()
    assert max(map(len, lines)) <= 80
    assert any(line.startswith("a  a step") and line.endswith("ms") for line in lines)
    assert any("held out, point 7 (n = 80)" in line for line in lines)
    body = step_fit_body(ServeFit(fit, ahead, None, ()))
    assert set(body["coefficients"]) == {"step_s", "sequence_s", "kv_token_s", "prefill_token_s", "request_s"}
    assert abs(body["held_out"][0]["errors"]["tpot"]) < 0.02
    for bad in (simulate(complete=False), simulate(loads=tuple(Load(i, 64, 1, requests=8) for i in (64, 512)))):
        rejected = render(step_fit_blocks(ServeFit(fit_profile(bad), (), None, ()))).splitlines()
        assert max(map(len, rejected)) <= 80
        assert any("fitted" in line for line in rejected)


@pytest.mark.full
def test_a_server_of_twelve_slots_is_seen_and_replayed_as_one():
    """32 in flight, 12 decode: the others wait, and the replay lets them wait too."""
    profile = simulate(Truth(slots=12), seed=1)
    fit = fit_profile(profile)
    assert fit.sequence_limit == 12
    assert fitted_server(fit).sequence_limit == 12
    assert fit_profile(simulate(seed=1)).sequence_limit is None
    slow_prompts = simulate(Truth(d=300e-6), seed=1)
    assert fit_profile(slow_prompts).sequence_limit is None  # they wait for prompts, not for slots


@pytest.mark.full
def test_a_server_that_runs_one_request_at_a_time_has_no_term_for_sequences():
    """a + b = 8.1 ms is its step; at 0.4 requests/s the replay queues as it did."""
    profile = simulate(Truth(slots=1), seed=1, loads=(*DESIGN, Load(512, 96, requests_per_s=0.4, requests=80)))
    fit = fit_profile(profile)
    assert fit.sequence_limit == 1
    assert coefficient(fit, "sequence_s") is None
    assert fit.iteration.step_s == pytest.approx(8.1e-3, rel=0.01)
    assert fit.iteration.sequence_s == 0.0
    tpot, ttft, rate = (abs(error) for error in held_out(profile, fit)[0].errors)
    assert tpot < 0.02
    assert ttft < 0.10
    assert rate < 0.01


def test_tokens_that_a_late_client_stamps_alike_end_the_windows():
    """Both requests' last 40 tokens have one time: nothing lies beyond it, and the search for windows ends."""
    times = tuple(0.01 * i for i in range(1, 41)) + (0.5,) * 40
    request = ServedRequest(
        sent_s=0.0, prompt_tokens=10, asked_tokens=80, output_tokens=80, chunk_s=times, ended_s=0.5)
    point = ServePoint(input_tokens=10, output_tokens=80, concurrency=2, requests=(request, request))
    rows, _ = point_rows(point)
    assert rows is not None
    assert np.all(rows.seconds > 0.0)


def test_a_held_out_load_whose_tokens_came_all_at_once_is_not_compared():
    """The client was late: first and last token have one time, TPOT would be 0 and the error infinite."""
    profile = simulate(seed=1)
    *closed, held = profile.points
    at_once = [r.model_copy(update={"chunk_s": (r.chunk_s[-1],) * len(r.chunk_s)}) for r in held.requests]
    late = profile.model_copy(update={"points": (*closed, held.model_copy(update={"requests": tuple(at_once)}))})
    fit = fit_profile(late)
    assert fit.iteration is not None
    assert held_out(late, fit) == ()
