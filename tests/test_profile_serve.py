"""`roi profile serve` against a server in this process whose step is known: what is sent, what is kept, what goes wrong."""

import asyncio
import json
import re
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from math import inf
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from serving_server import Law, StepServer

from roi.catalog.profiles import load_profiles, serve_profiles
from roi.catalog.serve_fits import fit_serve
from roi.catalog.serve_imports.records import Stated
from roi.cli import main
from roi.facts.environment import Environment
from roi.facts.serve_profile import ServedRequest, ServePoint, ServeProfile
from roi.profiling.progress import Silent
from roi.profiling.serve import profile_serve
from roi.profiling.serve_design import (
    FEW_WORDS,
    MANY_WORDS,
    PROBE_TOKENS,
    PROBES,
    ServePlan,
    closed_points,
    poisson_point,
)
from roi.profiling.serve_dialect import COMPLETIONS, Dialect, read_answer
from roi.profiling.serve_facts import QUESTIONS
from roi.profiling.serve_load import Allowance, Limits, Load, Shot
from roi.profiling.serve_request import ServeRequest
from roi.profiling.serve_wire import Wire, read_url
from roi.report.profile_serve import serve_json, serve_text

ROOT = Path(__file__).parents[1]
FAST = Law(step_s=0.001, sequence_s=1e-5, kv_token_s=1e-8, prefill_token_s=1e-6)
SMALL = ("--concurrency", "1,4", "--input-tokens", "16,64", "--output-tokens", "8", "--requests", "8", "--budget", "20s")


@pytest.fixture(autouse=True)
def no_key(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def run(server, tmp_path, *words, url=None, **more):
    output = tmp_path / "kept.json"
    result = CliRunner().invoke(main, ["profile", "serve", url or server.url, *SMALL, "--output", str(output), *words],
                                catch_exceptions=False, **more)
    return result, ServeProfile.model_validate_json(output.read_bytes()) if output.exists() else None


def served(server, *points, watcher=None, **fields):
    request = {"key": None, "served_model": None, "seed": 5, "budget_s": 20.0, "timeout_s": 10.0, "stall_s": 5.0, **fields}
    return profile_serve(ServeRequest(read_url(server.url), plan=ServePlan(points), **request), watcher or Silent())


def in_flight(point):
    """Most requests between their sending and their end at a time."""
    marks = sorted([(r.sent_s, 1) for r in point.requests] + [(r.ended_s, -1) for r in point.requests])
    return int(np.max(np.cumsum([step for _, step in marks])))


def test_what_is_sent_is_what_was_said_and_goes_to_one_place(tmp_path):
    """2 x 2 closed loops and an open one of 8 requests: 40, 8 output tokens each; before them questions and probes."""
    with StepServer(FAST) as server:
        plan = CliRunner().invoke(main, ["profile", "serve", server.url, *SMALL, "--plan", "--format", "json"])
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
    [stored] = serve_profiles(load_profiles([tmp_path]), "H100-80GB-SXM", "llama-3.1-8b")
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
        wire = Wire(read_url(server.url))
        load = Load(wire, COMPLETIONS, Limits(inf, inf, 10.0, 5.0), Allowance(16, 160, 96), Silent(), "", (0.0, 1.0))

        async def send():
            await load.closed([Shot(Dialect().body("tiny", f"one {i}", 6), 3, 6) for i in range(16)], 8)
            wire.close()

        asyncio.run(send())
        ends = np.array(server.ends)
    seen = np.array([at for fired in load.fired for at in read_answer(fired.answer).chunk_s])
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


@pytest.mark.parametrize(("faults", "code", "said"), [
    (("html",), 2, "answers with text/html, not JSON: no OpenAI-compatible server"),
    (("redirect",), 2, "HTTP 307: a redirect to http://127.0.0.1:9/v1, which is not followed"),
    (("no completions",), 2, "has neither /v1/completions nor /v1/chat/completions (HTTP 404: Not Found)"),
    (("loading",), 1, "/v1/models: HTTP 503: Loading model"),
    (("cut",), 1, "failed, nothing was measured: in mid-stream: the server closed the connection"),
    (("hang",), 1, "failed, nothing was measured: in mid-stream: timed out after 0.3 s"),
    (("limit the rate",), 1, "failed, nothing was measured: HTTP 429: Rate limit reached"),
    (("break after",), 1, "failed, nothing was measured: HTTP 500: CUDA error: out of memory"),
    (("not streamed",), 1, "failed, nothing was measured: no stream of events but application/json"),
    (("wrong json",), 1, "failed, nothing was measured: error in the stream: engine died"),
])  # fmt: skip
def test_a_server_that_cannot_be_loaded_is_one_line_and_no_file(faults, code, said, tmp_path):
    """2 where what was typed leads to no such server, 1 where the server fails."""
    with StepServer(FAST, faults=faults) as server:
        result, profile = run(server, tmp_path, "--timeout", "0.3s")
    assert (result.exit_code, profile, result.stdout) == (code, None, "")
    assert said in result.stderr.splitlines()[-1]
    assert server.completions <= 2


def test_no_server_is_one_line(tmp_path):
    result, profile = run(None, tmp_path, url="http://127.0.0.1:9")
    assert (result.exit_code, profile) == (1, None)
    assert result.stderr.splitlines()[-1] == "roi: URL: no answer from http://127.0.0.1:9: connection refused"


@pytest.mark.parametrize(("scheme", "greeting", "said"), [
    ("http", b"SSH-2.0-OpenSSH_9.6\r\n", "no HTTP/1.1 answer"),
    ("https", b"HTTP/1.1 400 Bad Request\r\n\r\n", "no TLS there (http:// instead of https://?)"),
])  # fmt: skip
def test_a_url_whose_server_speaks_another_protocol_is_unusable(scheme, greeting, said, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def greet():
            taken, _ = listener.accept()
            with taken:
                taken.sendall(greeting)
                taken.recv(4096)

        greeter = threading.Thread(target=greet)
        greeter.start()
        url = f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
        result, profile = run(None, tmp_path, url=url)
        greeter.join()
    assert (result.exit_code, profile) == (2, None)
    assert result.stderr.splitlines()[-1] == f"roi: URL: no answer from {url}: {said}"


def test_a_wrong_model_is_answered_with_the_nearest(tmp_path):
    with StepServer(FAST, model="llama-3.1-8b") as server:
        result, profile = run(server, tmp_path, "--model", "llama-3-8b")
    assert (result.exit_code, profile) == (2, None)
    assert result.stderr.splitlines()[-1].startswith("roi: --model: the server does not serve 'llama-3-8b'")
    assert result.stderr.rstrip().endswith("it lists llama-3.1-8b")
    assert server.completions == 1


@pytest.mark.parametrize(("fault", "words", "failed", "said"), [
    ("cut", (), 5, "given up after 5 in a row: in mid-stream: the server closed the connection"),
    ("break after", (), 5, "given up after 5 in a row: HTTP 500: CUDA error: out of memory"),
    ("wrong json", (), 5, "given up after 5 in a row: error in the stream: engine died"),
    ("limit the rate", (), 1, "HTTP 429: Rate limit reached"),
    ("hang", ("--stall", "0.3s"), 1, "the server stopped answering: nothing came for 0.3 s"),
    ("hang", ("--timeout", "0.2s"), 5, "given up after 5 in a row: in mid-stream: timed out after 0.2 s"),
])  # fmt: skip
def test_a_server_that_breaks_keeps_what_was_measured_marked_incomplete(fault, words, failed, said, tmp_path):
    """The first twelve completions are served: two probes, eight of the first load, two of the second."""
    with StepServer(FAST, faults=(fault,), after=12) as server:
        result, profile = run(server, tmp_path, *words)
    assert result.exit_code == 1
    errors = [r.error for p in profile.points for r in p.requests if r.error]
    assert result.stderr.splitlines()[-1] == (
        f"roi: {len(errors)} of {10 + failed} requests failed: {said}; what was measured is kept, marked incomplete")
    assert len(errors) == failed
    assert not profile.complete
    assert [p.complete for p in profile.points] == [True, False]
    assert "incomplete: what was measured is kept" in result.stdout
    assert "nothing is fitted" in result.stdout
    assert server.completions == 12 + failed


def test_tokens_that_came_before_a_cut_are_kept(tmp_path):
    with StepServer(FAST, faults=("cut",), after=12) as server:
        _, profile = run(server, tmp_path)
    broken = [r for p in profile.points for r in p.requests if r.error]
    assert all(len(r.chunk_s) == 3 and r.ended_s is None for r in broken)


def test_a_run_without_a_success_is_kept_and_says_so(tmp_path):
    """Both probes are served, then every request fails."""
    with StepServer(FAST, faults=("break after",), after=2) as server:
        result, profile = run(server, tmp_path)
    assert result.exit_code == 1
    said = "roi: no request succeeded, of 5 sent: given up after 5 in a row: HTTP 500"
    assert result.stderr.splitlines()[-1].startswith(said)
    assert not profile.complete
    assert "nan" not in result.stdout.lower()


def test_a_key_is_sent_and_kept_nowhere(tmp_path):
    with StepServer(FAST, key="sekret") as server:
        result, _ = run(server, tmp_path, "--api-key-env", "MY_KEY", env={"MY_KEY": "sekret"})
        wrong, _ = run(server, tmp_path / "wrong.d", "--output", str(tmp_path / "b.json"), env={"OPENAI_API_KEY": "wrong"})
    assert result.exit_code == 0, result.output
    assert all(h["authorization"] == "Bearer sekret" for h in server.headers[:-1])
    assert "sekret" not in (tmp_path / "kept.json").read_text(encoding="utf-8") + result.output
    assert "with a key" in result.stderr
    assert wrong.exit_code == 2
    assert "refuses the key (HTTP 401: Incorrect API key provided: Bearer ***)" in wrong.stderr


@pytest.mark.parametrize(("words", "said"), [
    (("--api-key-env", "NO_SUCH_KEY"), "--api-key-env: there is no NO_SUCH_KEY in the environment"),
    (("--concurrency", "0"), "--concurrency: '0' is not usable; whole numbers from 1 with commas, for example 1,2,4"),
    (("--arrivals", "open"), "--arrivals open: at which rate? --rate 2, or --trace FILE"),
    (("--arrivals", "closed", "--rate", "1"), "--arrivals closed: leave out --rate and --trace, which are for an open loop"),
    (("--merged", "--adapters", "a"), "--merged: adapters are merged or spread over names; leave out --merged or --adapters"),
    (("--adapters", ","), "--adapters: ',' names nothing; names with commas, for example support,sales"),
    (("--gpu", "H1000"), "--gpu: unknown GPU 'H1000'"),
    (("--catalog-model", "lama-3.1-8b"), "--catalog-model: unknown model 'lama-3.1-8b'; nearest: llama-3.1-8b"),
    (("--budget", "soon"), "--budget: 'soon' is not usable"),
    (("--tokenizer", "nowhere"), "--tokenizer: no file nowhere"),
    (("--trace", "nowhere.csv"), "--trace: cannot read nowhere.csv"),
])  # fmt: skip
def test_what_makes_no_sense_is_refused_before_anything_is_sent(words, said, tmp_path):
    with StepServer(FAST) as server:
        result, profile = run(server, tmp_path, *words)
    assert (result.exit_code, profile, server.seen) == (2, None, [])
    assert result.stderr.startswith(f"roi: {said}"), result.stderr


def test_a_budget_trims_loads_and_a_load_that_was_trimmed_well_is_complete():
    """20 ms a step: a lone request of 10 tokens takes 0.2 s; 60 of them do not fit into 2 s, several do."""
    with StepServer(Law(step_s=0.02)) as server:
        run = served(server, *closed_points((1,), (16,), (10,), 60, 0), budget_s=2.0)
    [point] = run.profile.points
    assert 3 <= len(point.requests) <= 10
    assert run.profile.complete
    assert run.failure is None
    assert any("of 60 requests, by its share of the budget" in note for note in run.profile.notes)


def test_a_budget_that_ends_in_flight_is_incomplete_and_no_failure(tmp_path):
    with StepServer(Law(step_s=0.05)) as server:
        result, profile = run(server, tmp_path, "--budget", "1.5s")
    assert result.exit_code == 0
    assert not profile.complete
    assert any("budget" in note for note in profile.notes)


def test_a_plan_that_cannot_be_done_in_time_is_told_before_its_loads(tmp_path):
    """20 ms a token, 64 tokens a loop: twice 64/1 x 20 ms, twice 64/4 x 20 ms, 3.2 s; 64/4 x 20 ms / 60% more, 0.53 s.

    A late timer shifts what a few probes say of a token: within 10% below, more above.
    """
    with StepServer(Law(step_s=0.02)) as server:
        short, _ = run(server, tmp_path, "--budget", "1.5s")
        (tmp_path / "kept.json").unlink()
        enough, _ = run(server, tmp_path, "--requests", "2")
    before, _, after = " ".join(short.stderr.split()).partition("1 of 5")
    [told] = re.findall(r"takes at least ([\d.]+) s; the budget of 1.5 s then trims its loads: raise --budget", before)
    assert 0.9 * (3.2 + 0.53) <= float(told) < 6.0
    assert "takes at least" not in after + enough.stderr


def test_where_no_terminal_shows_a_bar_each_point_that_is_over_is_a_line(tmp_path):
    with StepServer(FAST) as server:
        result, _ = run(server, tmp_path)
    lines = [line for line in result.stderr.splitlines() if re.match(r"\d of \d", line)]
    assert [re.sub(r"[\d.]+(/s)?( s)?$|[\d.]+(?=/s)", "#", line) for line in lines] == [
        "1 of 5: 1 in flight, 16 in, 8 out: 8 requests, #", "2 of 5: 1 in flight, 64 in, 8 out: 8 requests, #",
        "3 of 5: 4 in flight, 16 in, 8 out: 8 requests, #", "4 of 5: 4 in flight, 64 in, 8 out: 8 requests, #",
        "5 of 5: poisson #/s, 32 in, 8 out: 8 requests, #",
    ]  # fmt: skip
    assert result.stderr.splitlines()[-1] == lines[-1]


def test_prompts_that_turn_out_longer_than_announced_end_the_run():
    """A word is one token in the probes and three later: 40 x 40 tokens are announced, a tenth more is the limit."""
    with StepServer(FAST) as server:
        class Growing(Silent):
            def update(self, *_):
                server.tokens_per_word = 3

        run = served(server, *closed_points((1,), (40,), (16,), 40, 0), watcher=Growing())
    [point] = run.profile.points
    assert 3 * 40 < sum(r.prompt_tokens for r in point.requests) <= 1.1 * 40 * 40 + 3 * 40
    assert not run.profile.complete
    assert any("prompts turned out longer than announced" in note for note in run.profile.notes)


def test_an_interrupt_keeps_what_was_sent():
    class Stop(Silent):
        def update(self, text, *_):
            if text.startswith("1 in flight, 64"):
                raise KeyboardInterrupt

    with StepServer(FAST) as server:
        run = served(server, *closed_points((1,), (16, 64), (8,), 6, 0), watcher=Stop())
        sent = server.completions
        time.sleep(0.05)
        assert server.completions == sent
    assert run.interrupted
    assert not run.profile.complete
    assert run.failure is None
    assert run.profile.points[0].complete
    assert not run.profile.points[1].complete
    assert run.profile.points[1].requests[-1].error.endswith("interrupted by the user")


def test_an_interrupt_before_the_first_load_keeps_nothing():
    class Stop(Silent):
        def say(self, _text):
            raise KeyboardInterrupt

    with StepServer(FAST) as server, pytest.raises(KeyboardInterrupt):
        served(server, *closed_points((1,), (16,), (8,), 6, 0), watcher=Stop())


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


def test_the_load_generator_needs_no_torch_and_no_extra():
    code = ("import sys, roi.profiling.serve, roi.cli.profile_serve, roi.report.profile_serve\n"
            "print({'torch', 'httpx', 'tokenizers'} & {*sys.modules})")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "set()"


def test_requests_that_another_tool_measured_are_told_alike(tmp_path):
    """The fixture is made up; nothing is sent, so no URL goes with it."""
    file, output = ROOT / "tests" / "data" / "serve_imports" / "guidellm-0.5.json", tmp_path / "kept.json"
    result = CliRunner().invoke(main, ["profile", "serve", "--import", str(file), "--output", str(output)])
    assert result.exit_code == 0, result.output
    assert ServeProfile.model_validate_json(output.read_bytes()).tool.startswith("guidellm")
    assert max(len(line) for line in result.stdout.splitlines() if not line.startswith("kept as")) <= 80
    both = CliRunner().invoke(main, ["profile", "serve", "http://h", "--import", str(file)])
    assert (both.exit_code, both.stderr) == (
        2, "roi: --import: nothing is sent where files are read; leave out URL or --import\n")
    neither = CliRunner().invoke(main, ["profile", "serve"])
    assert neither.stderr == "roi: URL: which server? for example http://localhost:8000; or --import FILE\n"


def test_the_step_that_a_profile_shows_is_told_beside_it(tmp_path):
    with StepServer(Law(step_s=0.004, sequence_s=1e-4)) as server:
        words = ("--output-tokens", "24", "--input-tokens", "16,256", "--requests", "12")
        result, _ = run(server, tmp_path, *words)
    assert result.exit_code == 0, result.output
    assert "Engine step = a + b x sequences + c x KV tokens + d x prompt tokens" in result.stdout
    assert "held out, point 5" in result.stdout
