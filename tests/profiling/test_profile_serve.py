"""`roi profile serve` against a server in this process whose step is known: what is sent, what is kept, what goes wrong."""

import asyncio
import json
import subprocess
import sys
from datetime import UTC, datetime
from math import inf
from pathlib import Path

import numpy as np
import pytest
from asked import ask
from profile_serve_support import FAST, SMALL, run, served
from serving_server import Law, StepServer

from roi.evidence.measured_servers import fit_serve
from roi.facts.environment import Environment
from roi.facts.serve_profile import ServedRequest, ServePoint, ServeProfile
from roi.profiling.progress import Watcher
from roi.profiling.server.dialect import COMPLETIONS, Dialect, read_answer
from roi.profiling.server.endpoint import read_url
from roi.profiling.server.http_client import HttpClient
from roi.profiling.server.load import Allowance, Limits, Load, ScheduledRequest
from roi.profiling.server.load_design import (
    FEW_WORDS,
    MANY_WORDS,
    PROBE_TOKENS,
    PROBES,
    closed_points,
    poisson_point,
)
from roi.profiling.server.server_facts import QUESTIONS
from roi.report.profiles.profile_serve import serve_json, serve_text
from roi.store.imports.points import Stated
from roi.store.profiles.lookup import load_profiles, of_card

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def no_key(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def in_flight(point):
    """Most requests between their sending and their end at a time."""
    marks = sorted([(r.sent_s, 1) for r in point.requests] + [(r.ended_s, -1) for r in point.requests])
    return int(np.max(np.cumsum([step for _, step in marks])))


def test_what_is_sent_is_what_was_said_and_goes_to_one_place(tmp_path):
    """2 x 2 closed loops and an open one of 8 requests: 40, 8 output tokens each; before them questions and probes."""
    with StepServer(FAST) as server:
        plan = ask("profile", "serve", server.url, *SMALL, "--plan", "--format", "json")
        assert server.seen == []
        said = json.loads(plan.stdout)
        result, profile = run(server, tmp_path)
    assert result.exit_code == 0, result.output
    questions = [path for method, path, _ in server.seen if method == "GET"]
    bodies = [body for method, _, body in server.seen if method == "POST"]
    probes, loads = bodies[:-40], bodies[-40:]
    assert (said["requests"], said["output_tokens"]) == (40, 320) == (len(loads), sum(b["max_tokens"] for b in loads))
    assert said["prompt_tokens"] == sum(len(b["prompt"].split()) + 1 for b in loads) == 4 * 8 * 40 + 8 * 32
    assert len(questions) <= QUESTIONS
    assert len(probes) <= PROBES
    assert all(b["max_tokens"] == PROBE_TOKENS for b in probes)
    assert sum(len(b["prompt"].split()) for b in probes) == FEW_WORDS + MANY_WORDS
    assert len({b["prompt"] for b in bodies}) == len(bodies)
    assert len(profile.points) == 5
    assert profile.complete


def test_a_profile_holds_every_request_and_comes_back_from_its_file(tmp_path):
    with StepServer(FAST, model="meta-llama/Llama-3.1-8B-Instruct") as server:
        result, profile = run(server, tmp_path, "--gpu", "h100-80gb-sxm", "--gpus", "2", "--weight-dtype", "fp8")
    assert result.exit_code == 0, result.output
    [stored] = of_card(load_profiles([tmp_path]), ServeProfile, "H100-80GB-SXM")
    assert stored.profile == profile
    assert (profile.served_model, profile.model) == ("meta-llama/Llama-3.1-8B-Instruct", "llama-3.1-8b")
    assert (profile.gpu, profile.gpus, profile.weight_dtype) == ("H100-80GB-SXM", 2, "fp8")
    assert (profile.engine, profile.engine_version, profile.kv_capacity_tokens) == ("vllm", "0.12.0", 32_000.0)
    assert (profile.counted_by, profile.prompt_counted_by) == ("server usage", "server usage")
    for point in profile.points:
        for request in point.requests:
            assert request.prompt_tokens == point.input_tokens
            assert request.output_tokens == request.asked_tokens == len(request.chunk_s)
            assert request.sent_s < request.chunk_s[0] <= request.chunk_s[-1] <= request.ended_s
            assert list(request.chunk_s) == sorted(request.chunk_s)


def test_a_closed_loop_keeps_its_number_in_flight():
    with StepServer(FAST) as server:
        run = served(server, *closed_points((1, 4), (16,), (8,), 12, 0))
    assert [in_flight(point) for point in run.profile.points] == [1, 4]


def test_an_open_loop_sends_when_due_whatever_the_server_does():
    """40 arrivals at 400/s on a server that serves one at a time, 8 ms each: it takes three times as long as they do."""
    with StepServer(FAST, most_sequences=1) as server:
        plan = poisson_point((16,), (8,), 40, 400.0, 1)
        run = served(server, plan)
    [point] = run.profile.points
    assert [r.sent_s for r in point.requests] == pytest.approx([r.at_s for r in plan.requests], abs=1e-6)
    assert point.requests[-1].ended_s > 2.0 * plan.requests[-1].at_s
    assert point.arrivals == "poisson"
    assert point.requests_per_s == 400.0
    assert run.profile.complete


def test_timestamps_are_those_of_the_servers_steps():
    """Steps of 20 ms: the median chunk follows the end of one by what a socket and two loops take, not by a step."""
    with StepServer(Law(step_s=0.02)) as server:
        client, [planned] = HttpClient(read_url(server.url)), closed_points((8,), (3,), (6,), 16, 0)
        load = Load(planned, client, COMPLETIONS, Limits(inf, inf, 10.0, 5.0), Allowance(16, 160, 96), Watcher(), (0.0, 1.0))

        async def send():
            await load.closed([ScheduledRequest(Dialect().body("tiny", f"one {i}", 6), 3, 6) for i in range(16)], 8)
            client.close()

        asyncio.run(send())
        ends = np.array(server.ends)
    seen = np.array([at for sent in load.sent for at in read_answer(sent.answer, str).chunk_s])
    assert seen.size == 16 * 6
    assert np.median(seen - ends[np.searchsorted(ends, seen) - 1]) < 0.01


def test_a_trace_is_replayed_with_its_lengths(tmp_path):
    file = tmp_path / "trace.csv"
    file.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,24,3\n"
                    "2023-11-16 18:17:04.0799600,12,5\n2023-11-16 18:17:04.1799600,36,2\n", encoding="utf-8")
    with StepServer(FAST) as server:
        result, profile = run(server, tmp_path, "--arrivals", "open", "--trace", str(file))
    assert result.exit_code == 0, result.output
    [point] = profile.points
    assert [(r.prompt_tokens, r.output_tokens) for r in point.requests] == [(24, 3), (12, 5), (36, 2)]
    assert [r.sent_s for r in point.requests] == pytest.approx([0.0, 0.1, 0.2], abs=1e-6)
    assert (point.arrivals, point.requests_per_s) == ("trace", pytest.approx(10.0))


def test_loads_with_one_adapter_and_with_all_follow_those_of_the_base(tmp_path):
    with StepServer(FAST, adapters=("support", "sales")) as server:
        result, profile = run(server, tmp_path, "--adapters", "support,sales", "--concurrency", "2")
    assert result.exit_code == 0, result.output
    kinds = [(p.arrivals, p.adapter, p.adapters) for p in profile.points]
    assert kinds[-3:] == [("closed", "unmerged", 1), ("closed", "unmerged", 2), ("poisson", "base", 0)]
    assert set(kinds[:-3]) == {("closed", "base", 0)}
    one, both = ({r.model for r in p.requests} for p in profile.points[-3:-1])
    assert (one, both) == ({"support"}, {"support", "sales"})
    assert " 2+2 " in result.stdout


def test_an_open_loop_alone_is_spread_over_all_adapters(tmp_path):
    with StepServer(FAST, adapters=("support", "sales")) as server:
        _, profile = run(server, tmp_path, "--adapters", "support,sales", "--arrivals", "open", "--rate", "50")
    [point] = profile.points
    assert (point.adapters, {r.model for r in point.requests}) == (2, {"support", "sales"})


def test_a_model_that_the_server_calls_an_adapter_is_marked(tmp_path):
    with StepServer(FAST, adapters=("support",)) as server:
        _, profile = run(server, tmp_path, "--model", "support")
    assert {(p.adapter, p.adapters) for p in profile.points} == {("unmerged", 1)}


def test_an_adapter_that_the_server_lacks_is_answered_with_the_nearest(tmp_path):
    with StepServer(FAST, adapters=("support", "sales")) as server:
        result, profile = run(server, tmp_path, "--adapters", "support,sale")
    assert (result.exit_code, profile, server.completions) == (2, None, 0)
    assert result.stderr.splitlines()[-1] == "roi: --adapters: the server does not serve 'sale'; it lists sales"


def test_a_merged_adapter_is_marked(tmp_path):
    with StepServer(FAST) as server:
        _, profile = run(server, tmp_path, "--merged")
    assert {p.adapter for p in profile.points} == {"merged"}


@pytest.mark.parametrize(("engine", "version", "kv_tokens", "kv_dtype"), [
    ("vllm", "0.12.0", 32_000.0, None), ("sglang", "0.5.6", 777_216.0, "fp8_e5m2"), ("tgi", "3.3.6", 65_536.0, None),
    ("llama.cpp", "b7100-abc", 16_384.0, None), ("ollama", "0.13.0", None, None), (None, None, None, None),
])  # fmt: skip
def test_an_engine_says_what_it_is_and_how_much_it_holds(engine, version, kv_tokens, kv_dtype):
    with StepServer(FAST, engine=engine or "another") as server:
        profile = served(server, *closed_points((1,), (16,), (4,), 2, 0)).profile
    assert (profile.engine, profile.engine_version) == (engine, version)
    assert (profile.kv_capacity_tokens, profile.kv_dtype) == (kv_tokens, kv_dtype)
    assert sum(method == "GET" for method, _, _ in server.seen) <= QUESTIONS


def test_vllms_own_count_of_its_cache_goes_before_blocks_times_their_size():
    with StepServer(FAST, kv_cache_size_tokens=31_000) as server:
        profile = served(server, *closed_points((1,), (16,), (4,), 2, 0)).profile
    assert profile.kv_capacity_tokens == 31_000.0


def test_what_the_user_states_stands():
    with StepServer(FAST, engine="another") as server:
        stated = Stated("llama-3.1-8b", "cpu", 1, "mine", "int4", "fp8", 1000.0)
        profile = served(server, *closed_points((1,), (16,), (4,), 2, 0), stated=stated).profile
    assert (profile.engine, profile.kv_capacity_tokens, profile.gpu, profile.model) == ("mine", 1000.0, "cpu", "llama-3.1-8b")


@pytest.mark.parametrize(("faults", "path", "fields", "counted"), [
    ((), "/v1/completions", {"ignore_eos", "min_tokens", "stream_options"}, "server usage"),
    (("chat only",), "/v1/chat/completions", {"ignore_eos", "min_tokens", "stream_options"}, "server usage"),
    (("name fields",), "/v1/completions", {"min_tokens", "stream_options"}, "server usage"),
    (("refuse fields",), "/v1/completions", set(), "chunks"),
    (("no usage",), "/v1/completions", {"ignore_eos", "min_tokens", "stream_options"}, "chunks"),
    (("usage unstreamed",), "/v1/completions", {"ignore_eos", "min_tokens", "stream_options"}, "chunks"),
])  # fmt: skip
def test_a_server_is_asked_as_it_wants_to_be(faults, path, fields, counted):
    with StepServer(FAST, faults=faults, tokens_per_word=2, template_tokens=6) as server:
        profile = served(server, *closed_points((2,), (40,), (4,), 4, 0)).profile
    assert len([1 for method, _, _ in server.seen if method == "POST"]) <= PROBES + 4
    last = server.seen[-1]
    assert last[1] == path
    assert {"ignore_eos", "min_tokens", "stream_options"} & set(last[2]) == fields
    assert profile.counted_by == counted
    assert profile.complete
    for request in profile.points[0].requests:
        assert request.output_tokens == request.asked_tokens
        if faults != ("no usage",):
            assert request.prompt_tokens == 40
    words = (last[2].get("prompt") or last[2]["messages"][0]["content"]).split()
    assert len(words) == (40 if faults == ("no usage",) else 17)


def test_a_tokenizer_counts_where_the_server_does_not():
    """Words are its tokens: 40 asked for, 40 words, and 4 words a stream of 4 tokens."""
    with StepServer(FAST, faults=("no usage",)) as server:
        profile = served(server, *closed_points((2,), (40,), (4,), 4, 0), count=lambda text: len(text.split())).profile
    assert (profile.counted_by, profile.prompt_counted_by) == ("tokenizer", "tokenizer")
    assert {(r.prompt_tokens, r.output_tokens) for r in profile.points[0].requests} == {(40, r.asked_tokens)
                                                                                        for r in profile.points[0].requests}


def test_chunks_of_several_tokens_are_told(tmp_path):
    with StepServer(FAST, faults=("several tokens",)) as server:
        result, profile = run(server, tmp_path)
    assert result.exit_code == 0
    assert any("tokens; ITL is from chunk to chunk" in note for note in profile.notes)
    assert all(len(r.chunk_s) == -(-r.output_tokens // 4) for p in profile.points for r in p.requests)


def test_answers_that_end_early_are_told(tmp_path):
    with StepServer(FAST, faults=("stops early",)) as server:
        _, profile = run(server, tmp_path)
    assert any("answers were shorter than asked" in note for note in profile.notes)
    assert profile.complete


def test_reports_fit_into_80_columns_and_json_is_json(tmp_path):
    with StepServer(FAST) as server:
        result, profile = run(server, tmp_path, "--gpu", "H100-80GB-SXM")
        (tmp_path / "kept.json").unlink()
        answer, _ = run(server, tmp_path, "--format", "json", "--ttft-p95", "0.0000001")
    kept = [line for line in result.stdout.splitlines() if not line.startswith("kept as")]
    assert max(len(line) for line in [*kept, *result.stderr.splitlines()]) <= 80
    assert "output tokens counted by the server (usage)" in result.stdout
    body = json.loads(answer.stdout)
    assert body["schema"] == "roi.serve/1"
    assert len(body["points"]) == len(profile.points)
    assert body["points"][0]["goodput_per_s"] == 0.0
    assert body["points"][0]["requests"] == 8
    assert body["points"][0]["window"]["steady"]


@pytest.mark.parametrize("scale", [1e-4, 1e-3, 0.05, 1.0, 60.0])
def test_a_report_fits_at_any_speed(scale):
    """TPOT from 0.1 ms to a minute, with failures and unfinished loads."""
    one = ServedRequest(sent_s=0.0, prompt_tokens=32_768, asked_tokens=4_096, output_tokens=3, ended_s=4.0 * scale,
                        chunk_s=(scale, 2.1 * scale, 3.3 * scale))
    bad = ServedRequest(sent_s=0.0, prompt_tokens=32_768, asked_tokens=4_096, output_tokens=0, error="HTTP 500: no")
    loads = ({"concurrency": 1024}, {"requests_per_s": 0.0123, "arrivals": "poisson"},
             {"requests_per_s": 1234.5, "arrivals": "trace"})
    points = [ServePoint(input_tokens=32_768, output_tokens=4_096, requests=(one,) * 150 + (bad,) * 12, complete=False, **load)
              for load in loads]
    profile = ServeProfile(
        schema="roi.profile/1", started=datetime.now(tz=UTC), environment=Environment(device="none", versions={}), url="http://h",
        served_model="m" * 60, model="m", counted_by="chunks", prompt_counted_by="stated", points=tuple(points), complete=False)
    text = serve_text(profile, fit_serve(profile), 2.0, 0.05, None)
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "*: this load did not end as planned" in text
    assert json.loads(serve_json(profile, fit_serve(profile), 2.0, 0.05, None))["points"][0]["failed"] == 12


@pytest.mark.full
def test_the_load_generator_needs_no_torch_and_no_extra():
    code = ("import sys, roi.profiling.server.measured_server, roi.cli.profile_serve, roi.report.profiles.profile_serve\n"
            "print({'torch', 'httpx', 'tokenizers'} & {*sys.modules})")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "set()"


def test_requests_that_another_tool_measured_are_told_alike(tmp_path):
    """The fixture is made up; nothing is sent, so no URL goes with it."""
    file, output = ROOT / "tests" / "data" / "serve_imports" / "guidellm-0.5.json", tmp_path / "kept.json"
    result = ask("profile", "serve", "--import", file, "--output", output)
    assert result.exit_code == 0, result.output
    assert ServeProfile.model_validate_json(output.read_bytes()).tool.startswith("guidellm")
    assert max(len(line) for line in result.stdout.splitlines() if not line.startswith("kept as")) <= 80
    both = ask("profile", "serve", "http://h", "--import", file)
    assert (both.exit_code, both.stderr) == (
        2, "roi: --import: nothing is sent where files are read; leave out URL or --import\n")
    neither = ask("profile", "serve")
    assert neither.stderr == "roi: URL: which server? for example http://localhost:8000; or --import FILE\n"


@pytest.mark.full
def test_the_step_that_a_profile_shows_is_told_beside_it(tmp_path):
    with StepServer(Law(step_s=0.004, sequence_s=1e-4)) as server:
        words = ("--output-tokens", "24", "--input-tokens", "16,256", "--requests", "12")
        result, _ = run(server, tmp_path, *words)
    assert result.exit_code == 0, result.output
    assert "Engine step = a + b x sequences + c x KV tokens + d x prompt tokens" in result.stdout
    assert "held out, point 5" in result.stdout
