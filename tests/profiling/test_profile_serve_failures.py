"""`roi profile serve` where something goes wrong: what is said, with which exit code, and what is kept."""

import re
import socket
import threading
import time

import pytest
from profile_serve_support import FAST, run, served
from serving_server import Law, StepServer

from roi.profiling.progress import Watcher
from roi.profiling.server.load_design import closed_points
from roi.profiling.server.server_facts import ServerFacts, unlisted

LIMITED = "the server limits requests: lift its limit, or send fewer at a time (--concurrency)"


@pytest.fixture(autouse=True)
def no_key(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


@pytest.mark.parametrize(("faults", "code", "said"), [
    (("html",), 2, "answers with text/html, not JSON: no OpenAI-compatible server"),
    (("redirect",), 2, "HTTP 307: a redirect to http://127.0.0.1:9/v1, which is not followed"),
    (("no completions",), 2, "has neither /v1/completions nor /v1/chat/completions (HTTP 404: Not Found)"),
    (("loading",), 1, "/v1/models: HTTP 503: Loading model"),
    (("cut",), 1, "failed, nothing was measured: in mid-stream: the server closed the connection"),
    (("hang",), 1, "failed, nothing was measured: in mid-stream: timed out after 1 s"),
    (("limit the rate",), 1, "failed, nothing was measured: HTTP 429: Rate limit reached; the server limits requests"),
    (("break after",), 1, "failed, nothing was measured: HTTP 500: CUDA error: out of memory"),
    (("not streamed",), 1, "failed, nothing was measured: no stream of events but application/json"),
    (("wrong json",), 1, "failed, nothing was measured: error in the stream: engine died"),
])  # fmt: skip
def test_a_server_that_cannot_be_loaded_is_one_line_and_no_file(faults, code, said, tmp_path):
    """2 where what was typed leads to no such server, 1 where the server fails; a time is set for one that hangs alone."""
    with StepServer(FAST, faults=faults) as server:
        result, profile = run(server, tmp_path, *(("--timeout", "1s") if faults == ("hang",) else ()))
    assert (result.exit_code, profile, result.stdout) == (code, None, "")
    assert said in result.stderr.splitlines()[-1]
    assert server.completions <= 2


def test_no_server_is_one_line(tmp_path):
    result, profile = run(None, tmp_path, url="http://127.0.0.1:9")
    assert (result.exit_code, profile) == (1, None)
    assert result.stderr.splitlines()[-1] == "roi: URL: no answer from http://127.0.0.1:9: connection refused"


def test_a_host_without_an_address_is_one_line_and_no_plan(tmp_path, monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    result, profile = run(None, tmp_path, url="http://gpu:8000")
    assert (result.exit_code, profile) == (1, None)
    assert result.stderr == "roi: URL: no answer from http://gpu:8000: no such host\n"


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


def test_a_name_that_the_server_answers_to_and_does_not_list_is_told():
    """Ollama answers to a name without its tag too."""
    facts = ServerFacts({"m": "m", "qwen3:latest": "qwen3"})
    told = "the server lists m, qwen3:latest, not 'zz', and answered to it all the same: which model was measured is not sure"
    assert (unlisted("zz", facts), unlisted("m", facts), unlisted("qwen3", facts), unlisted("zz", ServerFacts())) == (
        told, None, None, None)


def test_an_engine_that_the_catalog_lacks_is_refused_with_the_nearest(tmp_path):
    """A profile of it would move the speed of others."""
    with StepServer(FAST) as server:
        result, profile = run(server, tmp_path, "--engine", "vlm")
    assert (result.exit_code, profile, server.completions) == (2, None, 0)
    assert result.stderr.splitlines()[-1] == (
        "roi: --engine: unknown engine 'vlm'; nearest: vllm, vllm-v1, vllm-v0; --engine other is one that is none of these")


@pytest.mark.full
@pytest.mark.parametrize(("fault", "words", "failed", "said"), [
    ("cut", (), 5, "given up after 5 in a row: in mid-stream: the server closed the connection"),
    ("break after", (), 5, "given up after 5 in a row: HTTP 500: CUDA error: out of memory"),
    ("wrong json", (), 5, "given up after 5 in a row: error in the stream: engine died"),
    ("limit the rate", (), 1, f"HTTP 429: Rate limit reached; {LIMITED}"),
    ("hang", ("--stall", "2s"), 1, "the server stopped answering: nothing came for 2 s"),
    ("hang", ("--timeout", "1s"), 5, "given up after 5 in a row: in mid-stream: timed out after 1 s"),
])  # fmt: skip
def test_a_server_that_breaks_keeps_what_was_measured_marked_incomplete(fault, words, failed, said, tmp_path):
    """The first twelve completions are served: two probes, eight of the first load, two of the second.

    Two requests are in flight: where they are given up after a time, the other may be over in the same moment.
    """
    with StepServer(FAST, faults=(fault,), after=12) as server:
        result, profile = run(server, tmp_path, *words)
    assert result.exit_code == 1
    errors = [r.error for p in profile.points for r in p.requests if r.error]
    assert result.stderr.splitlines()[-1] == (
        f"roi: {len(errors)} of {10 + len(errors)} requests failed: {said}; what was measured is kept, marked incomplete")
    assert len(errors) - failed in ({0, 1} if "--timeout" in words else {0})
    assert not profile.complete
    assert [p.complete for p in profile.points] == [True, False]
    assert "incomplete: what was measured is kept" in result.stdout
    assert "nothing is fitted" in result.stdout
    assert server.completions == 12 + len(errors)


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
    (("--weight-dtype", "float16"), "--weight-dtype: unknown format 'float16'; write fp16"),
    (("--catalog-model", "lama-3.1-8b"), "--catalog-model: unknown model 'lama-3.1-8b'; nearest: llama-3.1-8b"),
    (("--budget", "soon"), "--budget: 'soon' is not usable"),
    (("--tokenizer", "nowhere"), "--tokenizer: no file nowhere"),
    (("--trace", "nowhere.csv"), "--trace: nowhere.csv: cannot be read"),
])  # fmt: skip
def test_what_makes_no_sense_is_refused_before_anything_is_sent(words, said, tmp_path):
    with StepServer(FAST) as server:
        result, profile = run(server, tmp_path, *words)
    assert (result.exit_code, profile, server.seen) == (2, None, [])
    assert result.stderr.startswith(f"roi: {said}"), result.stderr


@pytest.mark.full
def test_a_budget_trims_loads_and_a_load_that_was_trimmed_well_is_complete():
    """20 ms a step: a lone request of 10 tokens takes 0.2 s; 60 of them do not fit into 2.4 s, several do."""
    with StepServer(Law(step_s=0.02)) as server:
        run = served(server, *closed_points((1,), (16,), (10,), 60, 0), budget_s=2.4)
    [point] = run.profile.points
    assert 3 <= len(point.requests) <= 12  # of 0.2 s each, less what the probes take
    assert run.profile.complete
    assert run.failure is None
    assert any("of 60 requests, by its share of the budget" in note for note in run.profile.notes)


def test_a_budget_that_ends_in_flight_is_incomplete_and_no_failure(tmp_path):
    with StepServer(Law(step_s=0.05)) as server:
        result, profile = run(server, tmp_path, "--budget", "1.5s")
    assert result.exit_code == 0
    assert not profile.complete
    assert any("budget" in note for note in profile.notes)


@pytest.mark.full
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
        class Growing(Watcher):
            def update(self, *_):
                server.tokens_per_word = 3

        run = served(server, *closed_points((1,), (40,), (16,), 40, 0), watcher=Growing())
    [point] = run.profile.points
    assert 3 * 40 < sum(r.prompt_tokens for r in point.requests) <= 1.1 * 40 * 40 + 3 * 40
    assert not run.profile.complete
    assert any("prompts or answers turned out longer than announced" in note for note in run.profile.notes)


def test_an_interrupt_keeps_what_was_sent():
    class Stop(Watcher):
        def update(self, text, *_):
            if text.startswith("1 in flight, 64"):
                raise KeyboardInterrupt

    with StepServer(FAST) as server:
        run = served(server, *closed_points((1,), (16, 64), (8,), 6, 0), watcher=Stop())
        sent = server.completions
        time.sleep(0.05)
        assert server.completions <= sent + 1  # the one in flight may have been on its way; five more would follow it
    assert run.interrupted
    assert not run.profile.complete
    assert run.failure is None
    assert run.profile.points[0].complete
    assert not run.profile.points[1].complete
    assert run.profile.points[1].requests[-1].error.endswith("interrupted by the user")


def test_an_interrupt_before_the_first_load_keeps_nothing():
    class Stop(Watcher):
        def say(self, _text):
            raise KeyboardInterrupt

    with StepServer(FAST) as server, pytest.raises(KeyboardInterrupt):
        served(server, *closed_points((1,), (16,), (8,), 6, 0), watcher=Stop())

