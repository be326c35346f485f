"""Benchmark files of other tools become profiles, or one line says what they lack."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from step_simulator import DESIGN, Truth, coefficient, simulate

from roi.errors import InputError
from roi.estimate.replay.held_out import held_out
from roi.estimate.replay.metrics import point_metrics
from roi.estimate.serving.step_fit import fit_profile
from roi.estimate.serving.windows import point_rows
from roi.store.imports.benchmarks import read_benchmark
from roi.store.imports.points import Stated
from roi.store.tables.csv_table import read_csv
from roi.store.tables.serving_table import serving_table

DATA = Path(__file__).parents[1] / "data" / "serve_imports"
TRUTH = Truth()
TRUE = {"step_s": TRUTH.a, "sequence_s": TRUTH.b, "kv_token_s": TRUTH.c, "prefill_token_s": TRUTH.d}


def vllm_run(point, **fields):
    """A simulated point as vllm bench serve writes it with --save-detailed."""
    rows = point.requests
    done = [r for r in rows if r.error is None]
    seconds = max(r.ended_s for r in rows)
    body = {
        "date": "20261001-120000", "model_id": "tiny", "num_prompts": len(rows), "burstiness": 1.0,
        "request_rate": point.requests_per_s or "inf", "max_concurrency": point.concurrency,
        "completed": len(done), "total_input_tokens": 1, "request_throughput": len(done) / seconds,
        "output_throughput": sum(r.output_tokens for r in done) / seconds,
        "input_lens": [r.prompt_tokens for r in rows], "output_lens": [r.output_tokens for r in rows],
        "ttfts": [r.chunk_s[0] - r.sent_s for r in rows],
        "itls": [[b - a for a, b in zip(r.chunk_s, r.chunk_s[1:], strict=False)] for r in rows],
        "start_times": [5000.0 + r.sent_s for r in rows], "errors": [r.error or "" for r in rows],
    }
    return {**body, **fields}


def written(folder, name, document):
    path = folder / name
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def test_vllm_keeps_every_token_time_and_the_failed_request():
    """Second request: sent at 1000.00, TTFT 60 ms, gaps of 10 ms: tokens at 60, 70, 80, 90 ms."""
    profile = read_benchmark(DATA / "vllm.json", Stated(gpu="H100", weight_dtype="bf16"))
    [point] = profile.points
    assert (profile.tool, profile.model, point.concurrency) == ("vllm bench serve", "llama-3.1-8b", 2)
    assert point.requests[1].chunk_s == pytest.approx((0.06, 0.07, 0.08, 0.09))
    assert point.requests[2].sent_s == pytest.approx(0.08)
    assert point.requests[3].error == "ConnectionResetError: [Errno 104]"
    assert (point.input_tokens, point.output_tokens) == (100, 4)


def test_a_packed_file_is_read_as_what_is_in_it_and_one_that_is_cut_is_refused(tmp_path):
    whole = gzip.compress((DATA / "vllm.json").read_bytes())
    packed, cut = tmp_path / "vllm.json.gz", tmp_path / "cut.json.gz"
    packed.write_bytes(whole)
    cut.write_bytes(whole[: len(whole) // 2])
    assert read_benchmark(packed).points == read_benchmark(DATA / "vllm.json").points
    with pytest.raises(InputError, match=r"cut\.json\.gz: cannot be read: .*ended before"):
        read_benchmark(cut)


def test_guidellm_keeps_first_and_last_token_and_tpot_is_made_anew():
    """11 tokens, 50 ms to the first and 150 ms to the last: (150 - 50) / 10 = 10 ms a token; its own figure is 9.09."""
    for name in ("guidellm-0.3.json", "guidellm-0.5.json"):
        profile = read_benchmark(DATA / name)
        first = profile.points[0].requests[0]
        assert profile.tool == "guidellm"
        assert profile.ends_only
        assert (first.chunk_s[1] - first.chunk_s[0]) / (first.output_tokens - 1) == pytest.approx(0.010, rel=1e-4)
        assert any("divides by all tokens" in note for note in profile.notes)
        assert profile.served_model == "tiny"


def test_guidellm_strategies_become_loads():
    old, new = read_benchmark(DATA / "guidellm-0.3.json"), read_benchmark(DATA / "guidellm-0.5.json")
    assert [p.concurrency for p in old.points] == [1]
    assert old.points[0].requests[2].error == "cut off"
    assert [(p.concurrency, p.requests_per_s, p.arrivals) for p in new.points] == [(1, None, "closed"), (None, 4.0, "poisson")]
    assert new.points[1].requests[2].error == "HTTP 500"
    assert new.environment.versions == {"guidellm": "0.5.0"}


def test_guidellm_with_requests_missing_is_incomplete_and_nothing_is_fitted(tmp_path):
    document = json.loads((DATA / "guidellm-0.5.json").read_text(encoding="utf-8"))
    document["benchmarks"][0]["scheduler_state"]["successful_requests"] = 40
    profile = read_benchmark(written(tmp_path, "benchmarks.json", document))
    assert not profile.complete
    assert any("38 of 40 requests are not in the file" in note for note in profile.notes)
    assert "incomplete" in fit_profile(profile).rejected[0]


def test_aiperf_takes_load_and_model_from_the_summary_beside_it():
    """TTFT 50 ms, gaps 10, 10, 20 ms: tokens at 50, 60, 70 and 90 ms."""
    for path in (DATA / "aiperf" / "profile_export.jsonl", DATA / "aiperf"):
        profile = read_benchmark(path)
        [point] = profile.points
        assert (profile.served_model, point.concurrency, len(point.requests)) == ("tiny", 2, 4)
        assert point.requests[0].chunk_s == pytest.approx((0.05, 0.06, 0.07, 0.09), abs=1e-6)
        assert point.requests[3].error.startswith("Request was cancelled")


def test_real_exports_of_vllm_give_the_step_of_the_server_that_they_measured():
    """8 ms + 0.2 ms a sequence + 1 us a KV token + 30 us a prompt token; the open loop is what the fit has not seen."""
    profile = read_benchmark(sorted((DATA / "vllm-0.33").glob("*.json")))
    fit = fit_profile(profile)
    true = {"step_s": 8e-3, "sequence_s": 2e-4, "kv_token_s": 1e-6, "prefill_token_s": 3e-5}
    for name, value in true.items():
        assert coefficient(fit, name).value == pytest.approx(value, rel=0.05), name
    [unseen] = held_out(profile, fit)
    tpot, ttft, rate = unseen.errors
    assert abs(tpot) < 0.01
    assert abs(rate) < 0.01
    assert abs(ttft) < 0.10


def test_a_real_export_of_aiperf_is_counted_by_the_servers_usage():
    """32 tokens by the server's usage, 71 by the tool's tokenizer: (E2E - TTFT) / 31 is the mock server's 8 ms a token."""
    profile = read_benchmark(DATA / "aiperf-0.13")
    [point] = profile.points
    assert (profile.served_model, point.concurrency, point.arrivals) == ("tiny-random", 1, "closed")
    assert profile.environment.versions == {"aiperf": "0.13.0"}
    assert {(r.output_tokens, len(r.chunk_s)) for r in point.requests} == {(32, 32)}
    assert point_metrics(point, 1.0, 1.0).tpot_p50_s == pytest.approx(0.0083, rel=0.02)
    assert "aiperf: tokens by the server's usage" in profile.notes


@pytest.mark.parametrize(("phase", "load"), [
    ({"type": "poisson", "rate": 20.0}, (None, 20.0, "poisson")), ({"type": "constant", "rate": 20.0}, (None, 20.0, "trace")),
    ({"type": "concurrency", "concurrency": 1}, (1, None, "closed")),
])
def test_aiperf_says_the_load_as_a_phase_that_profiles(phase, load, tmp_path):
    summary = json.loads((DATA / "aiperf-0.13" / "profile_export_aiperf.json").read_text(encoding="utf-8"))
    warm = {"kind": "warmup", "type": "constant", "rate": 5.0}
    summary["input_config"]["phases"] = [warm, {"kind": "profiling", **phase}]
    written(tmp_path, "profile_export_aiperf.json", summary)
    (tmp_path / "profile_export.jsonl").write_bytes((DATA / "aiperf-0.13" / "profile_export.jsonl").read_bytes())
    [point] = read_benchmark(tmp_path).points
    assert (point.concurrency, point.requests_per_s, point.arrivals) == load


def test_a_real_export_of_guidellm_has_no_time_from_token_to_token():
    """Four streams on a step of 8 + 0.8 ms and more: TPOT 8.9 ms; the report keeps first and last tokens, so no ITL."""
    profile = read_benchmark(DATA / "guidellm-0.8.json")
    [point] = profile.points
    assert (point.concurrency, len(point.requests), profile.environment.versions) == (4, 20, {"guidellm": "0.8.1"})
    found = point_metrics(point, 1.0, 1.0, ends_only=profile.ends_only)
    assert found.tpot_p50_s == pytest.approx(0.0089, rel=0.02)
    assert found.itl_p50_s is None


@pytest.mark.parametrize(("name", "requests", "median_ms", "share", "high_ms", "how"), [
    ("vllm-0.32-chat.json", 12, 129.996, 99, 157.146, ("linear", "linear")),
    ("aiperf-0.13-warmed", 16, 147.720, 99, 324.743, ("linear", "linear")),
    ("guidellm-0.8-chat.json", 16, 102.895, 95, 370.954, ("lower", "higher")),
])
def test_real_runs_against_vllm_have_the_ttft_that_the_tools_tell(name, requests, median_ms, share, high_ms, how):
    """Chat, four in flight, 100 tokens and the template's 4, 32 out; aiperf's three requests of warm-up are no part of it."""
    profile = read_benchmark(DATA / name)
    [point] = profile.points
    assert (point.concurrency, len(point.requests), profile.complete, profile.served_model) == (4, requests, True, "tiny-real")
    assert {(r.prompt_tokens, r.output_tokens) for r in point.requests} == {(104, 32)}
    ttfts = [1e3 * (r.chunk_s[0] - r.sent_s) for r in point.requests]
    told = [np.percentile(ttfts, at, method=method) for at, method in zip((50, share), how, strict=True)]
    assert told == pytest.approx([median_ms, high_ms], rel=1e-4)


def test_tpot_of_a_real_chat_is_vllms_own_where_chunks_carry_several_tokens():
    """12 x 31 tokens after the first in 305 chunks: median TPOT 8.914 ms and ITL 9.240 ms, as vllm bench serve printed."""
    [point] = read_benchmark(DATA / "vllm-0.32-chat.json").points
    found = point_metrics(point, 1.0, 1.0)
    assert found.tpot_p50_s == pytest.approx(8.91420e-3, rel=1e-4)
    assert found.itl_p50_s == pytest.approx(9.23981e-3, rel=1e-4)
    assert sum(len(r.chunk_s) - 1 for r in point.requests) == 305


def test_a_folder_without_a_known_file_says_what_it_should_hold():
    with pytest.raises(InputError, match=r"the folder vllm-0\.33 holds no profile_export\.jsonl .* name the files"):
        read_benchmark(DATA / "vllm-0.33")


def test_guidellm_without_a_success_says_why(tmp_path):
    document = json.loads((DATA / "guidellm-0.8.json").read_text(encoding="utf-8"))
    lists = document["benchmarks"][0]["requests"]
    lists["errored"], lists["successful"] = lists["successful"], []
    lists["errored"][0]["info"]["error"] = "HTTPStatusError: 422"
    with pytest.raises(InputError, match="none of its 20 requests succeeded; the first: HTTPStatusError: 422"):
        read_benchmark(written(tmp_path, "benchmarks.json", document))


def test_a_file_of_a_vllm_run_each_gives_the_true_step(tmp_path):
    simulated = simulate(seed=5)
    paths = [written(tmp_path, f"run-{i}.json", vllm_run(point)) for i, point in enumerate(simulated.points)]
    profile = read_benchmark(paths)
    assert [p.arrivals for p in profile.points] == [p.arrivals for p in simulated.points]
    fit = fit_profile(profile)
    for name, true in TRUE.items():
        assert coefficient(fit, name).value == pytest.approx(true, rel=0.1)


def test_appended_vllm_runs_are_points_of_one_file(tmp_path):
    path = tmp_path / "runs.jsonl"
    """One in which nothing succeeded, as where the server was not up yet, is left out and told; alone it is refused."""
    runs = [vllm_run(p) for p in simulate(seed=2).points]
    lost = runs[0] | {"ttfts": [0.0] * len(runs[0]["ttfts"]), "errors": ["refused"] * len(runs[0]["ttfts"])}
    path.write_text("\n".join(map(json.dumps, [lost, *runs])), encoding="utf-8")
    found, told = read_benchmark(path), f"none of its {len(lost['errors'])} requests succeeded; the first: refused"
    assert len(found.points) == 7
    assert f"run 1 is left out: {told}" in found.notes
    with pytest.raises(InputError, match=told):
        read_benchmark(written(tmp_path, "lost.json", lost))


def test_guidellm_of_a_simulated_server_gives_the_true_step(tmp_path):
    benchmarks = []
    for point in simulate(seed=8).points:
        closed = point.concurrency is not None
        strategy = {"type_": "concurrent", "streams": point.concurrency} if closed else {"type_": "poisson", "rate": 8.0}
        requests = [
            {"info": {"timings": {"request_start": 1e6 + r.sent_s, "first_token_iteration": 1e6 + r.chunk_s[0],
                                  "last_token_iteration": 1e6 + r.chunk_s[-1], "request_end": 1e6 + r.ended_s}},
             "prompt_tokens": r.prompt_tokens, "output_tokens": r.output_tokens} for r in point.requests
        ]
        benchmarks.append({
            "config": {"strategy": strategy, "backend": {"model": "tiny"}}, "requests": {"successful": requests},
            "scheduler_state": {"successful_requests": len(requests)},
        })
    fit = fit_profile(read_benchmark(written(tmp_path, "benchmarks.json", {"benchmarks": benchmarks})))
    for name, true in TRUE.items():
        assert coefficient(fit, name).value == pytest.approx(true, rel=0.3 if name == "kv_token_s" else 0.15)


def test_vllm_without_start_times_is_read_where_it_was_a_closed_loop(tmp_path):
    """Three requests of 50 + 3 x 10 ms, two at a time: the third was sent at 80 ms. At a rate nobody knows."""
    run = json.loads((DATA / "vllm.json").read_text(encoding="utf-8"))
    run = {k: (v[:3] if isinstance(v, list) else v) for k, v in run.items() if k != "start_times"}
    run |= {"ttfts": [0.05] * 3, "itls": [[0.01] * 3] * 3, "max_concurrency": 2}
    [point] = read_benchmark(written(tmp_path, "two.json", run)).points
    assert [r.sent_s for r in point.requests] == pytest.approx([0.0, 0.0, 0.08], abs=1e-5)
    with pytest.raises(InputError, match="no start_times"):
        read_benchmark(written(tmp_path, "rate.json", {**run, "request_rate": 2.0}))
    with pytest.raises(InputError, match="no start_times"):
        read_benchmark(written(tmp_path, "none.json", {**run, "max_concurrency": -1}))


def test_a_slot_is_held_to_the_end_of_its_stream(tmp_path):
    """Three requests, two at a time, whose streams end 200 ms after they were sent: the third was sent then, not at 80 ms."""
    run = json.loads((DATA / "vllm.json").read_text(encoding="utf-8"))
    run = {k: (v[:3] if isinstance(v, list) else v) for k, v in run.items() if k != "start_times"}
    run |= {"ttfts": [0.05] * 3, "itls": [[0.01] * 3] * 3, "latencies": [0.2] * 3, "max_concurrency": 2}
    [point] = read_benchmark(written(tmp_path, "ends.json", run)).points
    assert [r.sent_s for r in point.requests] == pytest.approx([0.0, 0.0, 0.2], abs=1e-5)


def test_sglang_s_results_are_those_of_vllm_without_start_times(tmp_path):
    """The same simulated closed loop, its starts made anew from lengths and order: within a step of 5 ms of the true ones."""
    [point] = simulate(TRUTH, seed=3, loads=DESIGN[-1:]).points
    run = vllm_run(point)
    for name in ("start_times", "model_id", "date", "burstiness", "num_prompts"):
        del run[name]
    run |= {"backend": "sglang-oai", "request_rate": float("inf"), "total_output_tokens_retokenized": 1}
    profile = read_benchmark(written(tmp_path, "sglang.jsonl", run), Stated(model="llama-3.1-8b"))
    assert (profile.tool, profile.points[0].concurrency) == ("sglang.bench_serving", point.concurrency)
    true = np.array([r.sent_s for r in point.requests])
    assert np.array([r.sent_s for r in profile.points[0].requests]) == pytest.approx(true - true.min(), abs=0.005)
    summary = {k: v for k, v in run.items() if k != "itls"}
    with pytest.raises(InputError, match="with --output-details"):
        read_benchmark(written(tmp_path, "summary.jsonl", summary), Stated(model="llama-3.1-8b"))


def test_a_summary_of_a_closed_loop_is_told_as_a_row_that_calibrate_takes(tmp_path):
    """Figures of a file of `vllm bench sweep` 0.25.1 (8 requests of 32 and 16 tokens, 2 in flight), and of one that failed."""
    run = {"backend": "openai", "model_id": "llama-3.1-8b", "request_rate": "inf", "burstiness": 1.0, "max_concurrency": 2,
           "completed": 8, "failed": 0, "total_input_tokens": 256, "total_output_tokens": 128,
           "request_throughput": 12.460566958863927, "output_throughput": 199.36907134182283,
           "mean_ttft_ms": 39.30731637592544, "mean_tpot_ms": 8.012444900062594}
    with pytest.raises(InputError, match=r"run 1: holds only the summary .*--save-detailed; or roi calibrate --add") as caught:
        read_benchmark(written(tmp_path, "sweep_summary.json", [run, run]))
    row = str(caught.value).rpartition(": ")[2].replace(" | ", "\n")
    for word, mine in ((",GPU,", ",L40S,"), (",FORMAT,", ",bf16,"), (",GPUS,", ",1,")):
        row = row.replace(word, mine)
    (path := tmp_path / "t.csv").write_text(row + "\n", encoding="utf-8")
    (served,) = serving_table(read_csv(path)).runs
    load = served.load
    assert (load.kind, load.concurrency, load.input_tokens, load.output_tokens) == ("closed", 2, 32, 16)
    assert served.output_tokens_per_s == pytest.approx(199.369)
    failed = {**run, "completed": 0, "request_throughput": 0.0, "output_throughput": 0.0}
    with pytest.raises(InputError, match=r"failed.json: none of its requests succeeded$"):
        read_benchmark(written(tmp_path, "failed.json", failed))
    opened = {**run, "request_rate": 5.0}
    with pytest.raises(InputError, match=r"--save-detailed$"):
        read_benchmark(written(tmp_path, "open.json", opened))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"itls": None}, "holds only the summary"),
        ({"ttfts": [0.05]}, "differ in length"),
        ({"ttfts": [0.05, "x", 0.05, 0.0]}, "ttfts: 'x' is no number"),
        ({"output_throughput": 600.0}, r"15 requests/s x 4 output tokens = 60 tokens/s, but 600 are stated"),
        ({"input_lens": [-1, 100, 100, 100]}, "input_lens: -1 is no whole number"),
        ({"input_lens": [1.5, 100, 100, 100]}, "input_lens: 1.5 is no whole number"),
        ({"start_times": [0.0]}, "input_lens and start_times differ in length"),
        ({"errors": ["", ""]}, "differ in length"),
        ({"errors": "none"}, "errors is no list"),
        ({"request_rate": {}}, "request_rate: '{}' is no number"),
        ({"model_id": 1e308}, "names no model"),
    ],
)
def test_a_garbled_vllm_file_is_one_line(tmp_path, change, told):
    run = json.loads((DATA / "vllm.json").read_text(encoding="utf-8"))
    with pytest.raises(InputError, match=told) as caught:
        read_benchmark(written(tmp_path, "vllm.json", {**run, **change}))
    assert "\n" not in str(caught.value)


def test_summaries_name_the_option_that_keeps_the_requests(tmp_path):
    run = json.loads((DATA / "vllm.json").read_text(encoding="utf-8"))
    for key in ("input_lens", "output_lens", "ttfts", "itls", "start_times", "errors"):
        del run[key]
    with pytest.raises(InputError, match="--save-detailed"):
        read_benchmark(written(tmp_path, "summary.json", run))
    summary = json.loads((DATA / "aiperf" / "profile_export_aiperf.json").read_text(encoding="utf-8"))
    with pytest.raises(InputError, match="--export-level records"):
        read_benchmark(written(tmp_path, "profile_export_aiperf.json", summary))


@pytest.mark.parametrize(
    ("text", "told"),
    [("", "is empty"), ("{", "neither JSON nor JSON lines"), ("[1, 2]", "of no tool known here"),
     ('{"a": 1}', "of no tool known"), ('{"benchmarks": []}', "holds no benchmarks"),
     ('{"benchmarks": [{}]}', "holds no requests"),
     ('{"benchmarks": [3]}', "holds no requests")],
)
def test_other_files_are_refused_in_one_line(tmp_path, text, told):
    path = tmp_path / "file.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=told) as caught:
        read_benchmark(path)
    assert "\n" not in str(caught.value)


AIPERF = {"metadata": {"request_start_ns": 1, "benchmark_phase": "profiling"}, "metrics": {
    "time_to_first_token": {"value": 1, "unit": "ms"}, "inter_chunk_latency": {"value": [1], "unit": "ms"},
    "output_sequence_length": {"value": 2}}}
GUIDELLM = {"requests": {"successful": [{"start_time": 0, "first_token_time": 1, "last_token_time": 2, "end_time": 2,
                                         "prompt_tokens": 3, "output_tokens": 2}]}}


@pytest.mark.parametrize(
    ("document", "path", "value", "told"),
    [
        (AIPERF, ("metadata", "benchmark_phase"), [1], "is empty|holds no requests"),
        (AIPERF, ("metadata", "request_start_ns"), "x", "line 1: request_start_ns: 'x' is no number"),
        (AIPERF, ("metrics", "time_to_first_token", "unit"), "min", "line 1: unit: 'min' is not one of ns, us, ms"),
        (AIPERF, ("metrics", "inter_chunk_latency", "value"), ["x"], "line 1: inter_chunk_latency: 'x' is no number"),
        (AIPERF, ("metrics", "output_sequence_length", "value"), True, "line 1: output_sequence_length: 'True' is no number"),
        ({"benchmarks": [GUIDELLM]}, ("benchmarks", 0, "requests", "incomplete"), 3, "benchmark 1: incomplete is no list"),
        ({"benchmarks": [GUIDELLM]}, ("benchmarks", 0, "requests", "successful", 0, "output_tokens"), "12",
         "benchmark 1: output_tokens: '12' is no number"),
    ],
)
def test_a_field_of_another_type_is_told_by_its_name(tmp_path, document, path, value, told):
    """Every one of these was a traceback, or one line in Python's words."""
    changed = json.loads(json.dumps(document))
    inside = changed
    for key in path[:-1]:
        inside = inside[key]
    inside[path[-1]] = value
    with pytest.raises(InputError, match=told) as caught:
        read_benchmark(written(tmp_path, "file.json", changed), Stated(model="tiny"))
    assert "Error" not in str(caught.value)


def test_a_window_in_which_no_token_was_counted_gives_no_row():
    """Thirty chunks, and one token by the server's count: nothing is divided by the steps that it did not take."""
    profile = simulate(seed=4)
    [point, *_] = profile.points
    rows = tuple(r.model_copy(update={"output_tokens": 1}) if r.error is None else r for r in point.requests)
    counted = point.model_copy(update={"requests": rows})
    found, why = point_rows(counted, expert_share=0.5)
    assert why or np.isfinite(found.touched).all()
    many = point.model_copy(update={"requests": tuple(r.model_copy(update={"output_tokens": 10**12}) for r in rows)})
    assert "output tokens" in point_rows(many, ends_only=True)[1]


def test_a_missing_file_and_two_tools_are_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_benchmark(tmp_path / "nothing.json")
    with pytest.raises(InputError, match="cannot make one profile"):
        read_benchmark([DATA / "vllm.json", DATA / "guidellm-0.8.json"])


def test_a_load_that_the_file_does_not_name_is_taken_from_the_stamps(tmp_path):
    """A closed loop of 8 keeps 8 in flight; Poisson arrivals do not."""
    points = {p.concurrency: p for p in simulate(seed=4).points}
    loads = {}
    for name in (8, None):
        run = vllm_run(points[name], request_rate="inf", max_concurrency=None)
        loads[name] = read_benchmark(written(tmp_path, f"{name}.json", run)).points[0]
    assert loads[8].concurrency == 8
    assert loads[None].concurrency is None
    assert loads[None].requests_per_s == pytest.approx(8.0, rel=0.3)
