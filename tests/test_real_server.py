"""A real server on loopback, `transformers serve` with a tiny random model: its protocol, and roi's profile of it."""

import json

import httpx
import pytest
from tiny_server import tiny_server


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


def test_every_token_is_a_chunk_of_text_and_the_last_chunk_has_the_count(server, client):
    """12 tokens: 12 chunks with text, then one without that ends at the length and counts 12; no [DONE] follows."""
    *chunks, last = streamed(client, ask(server))
    assert [bool(chunk["choices"][0]["text"]) for chunk in chunks] == [True] * 12
    assert last["choices"][0] == {"finish_reason": "length", "index": 0, "text": ""}
    assert last["usage"]["completion_tokens"] == 12
    assert last["usage"]["prompt_tokens"] > 0


def test_the_only_model_is_listed_and_another_name_is_refused_with_both(server, client):
    assert [model["id"] for model in client.get("/v1/models").json()["data"]] == [server.model]
    refused = client.post("/v1/completions", json=ask(server, model="nope"))
    assert refused.status_code == 400
    assert "tiny-random" in refused.text
    assert "nope" in refused.text


def test_a_field_that_it_does_not_know_is_refused_by_name(server, client):
    """What a load generator must fall back from: ignore_eos is vLLM's."""
    refused = client.post("/v1/completions", json=ask(server, ignore_eos=True))
    assert refused.status_code == 422
    assert "ignore_eos" in refused.text
