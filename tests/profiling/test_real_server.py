"""A real server on loopback, `transformers serve` with a tiny random model: its protocol, and roi's profile of it."""

import json
import math

import httpx
import pytest
from click.testing import CliRunner
from tiny_server import KV_BLOCK_TOKENS, KV_BLOCKS, NAME, tiny_server

from roi.cli import main
from roi.estimate.replay.metrics import e2e_s, ttft_s
from roi.facts.serve_profile import ServeProfile
from roi.profiling.server.load_design import FEW_WORDS
from roi.store.profiles.lookup import load_profiles, of_card

pytestmark = pytest.mark.full


LOADS = ("--concurrency", "1,3", "--input-tokens", "24,96", "--output-tokens", "12,20", "--requests", "8", "--rate", "8")
"""Four closed loops and an open one, eight requests each."""

TOKENS_PER_WORD, SPREAD_OF_WORDS = 2.7, 0.93
"""Mean and standard deviation over the words of prompts in this server's tokens, 1 to 6 each, as its tokenizer counts them. A
mean of 8 prompts is off by theirs, by that of the FEW_WORDS of the probe that says what the server adds, and by half a word."""
STATED = ("--gpu", "cpu", "--engine", "transformers", "--kv-tokens", str(KV_BLOCKS * KV_BLOCK_TOKENS))
"""What this server does not say of itself."""


@pytest.fixture(scope="module")
def server():
    with tiny_server() as running:
        yield running


@pytest.fixture
def client(server):
    with httpx.Client(base_url=server.url, trust_env=False, timeout=30.0) as opened:
        yield opened


def ask(server, **changed):
    body = {"model": server.model, "prompt": "a few words", "max_tokens": 12, "temperature": 0, "stream": True}
    return {**body, "stream_options": {"include_usage": True}, **changed}


def streamed(client, body):
    with client.stream("POST", "/v1/completions", json=body) as answer:
        answer.raise_for_status()
        return [json.loads(line[5:]) for line in answer.iter_lines() if line.startswith("data:")]


def profile(server, *words):
    return CliRunner().invoke(main, ["profile", "serve", server.url, *words])


@pytest.fixture(scope="module")
def measured(server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("profiles")
    answer = profile(server, *LOADS, *STATED, "--profiles", str(folder), "--format", "json")
    assert answer.exit_code == 0, answer.output
    return folder, json.loads(answer.stdout)


def test_tokens_come_in_chunks_of_text_and_the_last_chunk_has_the_count(server, client):
    """12 tokens in 12 chunks of text, fewer where the server fell behind; one without text ends at the length; the last has the
    count, beside that ending before transformers 5.25 and alone, without a choice, since; no [DONE] follows.
    """
    chunks = streamed(client, ask(server))
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    assert [bool(choice["text"]) for choice in choices] == [True] * (len(choices) - 1) + [False]
    assert 1 < len(choices) <= 13
    assert choices[-1] == {"finish_reason": "length", "index": 0, "text": ""}
    last = chunks[-1]
    assert last["usage"]["completion_tokens"] == 12
    assert last["usage"]["prompt_tokens"] > 0


def test_the_only_model_is_listed_and_another_name_is_refused_with_both(server, client):
    assert [model["id"] for model in client.get("/v1/models").json()["data"]] == [server.model]
    refused = client.post("/v1/completions", json=ask(server, model="nope"))
    assert refused.status_code == 400
    assert NAME in refused.text
    assert "nope" in refused.text


def test_a_field_that_it_does_not_know_is_refused_by_name(server, client):
    """What a load generator must fall back from: ignore_eos is vLLM's."""
    refused = client.post("/v1/completions", json=ask(server, ignore_eos=True))
    assert refused.status_code == 422
    assert "ignore_eos" in refused.text


def test_a_profile_keeps_every_request_whole_with_tokens_as_the_server_counts_them(measured):
    folder, told = measured
    (file,) = folder.rglob("*.json")
    kept = ServeProfile.model_validate_json(file.read_text(encoding="utf-8"))
    assert kept.complete
    assert (kept.counted_by, kept.prompt_counted_by) == ("server usage", "server usage")
    assert (kept.served_model, kept.gpu, kept.engine) == (NAME, "cpu", "transformers")
    assert [point["succeeded"] for point in told["points"]] == [8] * 5
    assert [(p.concurrency, p.arrivals, len(p.requests)) for p in kept.points] == [
        (1, "closed", 8), (1, "closed", 8), (3, "closed", 8), (3, "closed", 8), (None, "poisson", 8),
    ]  # fmt: skip
    for point in kept.points:
        for request in point.requests:
            assert request.error is None
            assert request.output_tokens == request.asked_tokens
            assert request.asked_tokens / 2 < len(request.chunk_s) <= request.asked_tokens  # what waited for its loop it joins
            assert 0.0 < ttft_s(request) < e2e_s(request)
            assert list(request.chunk_s) == sorted(request.chunk_s)
        mean = sum(request.prompt_tokens for request in point.requests) / len(point.requests)
        words = point.input_tokens / TOKENS_PER_WORD
        assert abs(mean - point.input_tokens) <= 5.0 * SPREAD_OF_WORDS * math.sqrt(words / 8 + FEW_WORDS) + TOKENS_PER_WORD / 2


def test_the_profile_is_found_again_in_its_folder(measured):
    folder, _ = measured
    (found,) = of_card(load_profiles([folder]), ServeProfile, "cpu")
    assert found.profile.served_model == NAME


def test_a_wrong_name_is_one_line_with_the_name_that_the_server_knows_and_nothing_is_kept(server, tmp_path):
    answer = profile(server, "--model", "tiny-rondom", *LOADS, "--profiles", str(tmp_path))
    assert answer.exit_code in {1, 2}
    said = answer.stderr.strip().splitlines()[-1]
    assert "tiny-rondom" in said
    assert NAME in said
    assert "Traceback" not in answer.output
    assert not list(tmp_path.rglob("*.json"))
