"""What a server says is taken for no more than it is: whatever stands where a block, a list or a number belongs."""

import json

import pytest

from roi.errors import InputError
from roi.profiling.server.dialect import failure, read_answer, unstreamed_usage
from roi.profiling.server.endpoint import read_url
from roi.profiling.server.http_client import Answer
from roi.profiling.server.server_json import count, positive, without_key, written_count

STRANGE = [1, -1, 1.5, "x", None, [], {}, [[]], [None], True, 10**400, "\ud800"]


def streamed(*events: object) -> Answer:
    body = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    answer = Answer(status=200, headers={"content-type": "text/event-stream"}, body=bytearray(body), ended_s=1.0)
    answer.marks.append((0.5, len(body)))
    return answer


@pytest.mark.parametrize("odd", STRANGE)
def test_a_stream_with_anything_in_any_place_is_read(odd: object) -> None:
    choice = {"text": "a", "finish_reason": None}
    for event in (
        {"choices": odd}, {"choices": [odd]}, {"choices": [{"delta": odd}]}, {"choices": [{"delta": {"content": odd}}]},
        {"usage": odd}, {"usage": {"prompt_tokens": odd, "completion_tokens": 1}}, odd,
        {"usage": {"prompt_tokens": 1, "completion_tokens": 1, "prompt_tokens_details": odd}}, {"error": odd},
        {"usage": {"prompt_tokens": 1, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": odd}}},
    ):
        reading = read_answer(streamed(event, {"choices": [choice]}), str)
        assert reading.chunk_s[-1:] == (0.5,)
    whole = Answer(status=200, body=bytearray(json.dumps({"usage": odd}).encode()))
    assert unstreamed_usage(whole) is None


def test_counts_are_whole_bounded_and_in_plain_digits() -> None:
    assert [count(x) for x in (0, 7, -1, 2.0, True, 10**10, "7")] == [0, 7, None, None, None, None, None]
    assert [written_count(x) for x in ("16", "0", "\u00b2", "9" * 5000, "-3", "")] == [16, None, None, None, None, None]
    assert [positive(x) for x in (1, 0.5)] == [1.0, 0.5]
    assert {positive(x) for x in (0, float("inf"), float("nan"), 10**400, "1")} == {None}


@pytest.mark.parametrize(("text", "shown"), [
    ("no key sk-abcdefghijklmnop here", "no key *** here"),
    ("Incorrect: sk-abcdefgh...", "Incorrect: ***..."),
    ("ends in ijklmnop", "ends in ***"),
    ("sk-abc alone is too short to be known", "sk-abc alone is too short to be known"),
])
def test_a_key_is_hidden_whole_or_in_pieces(text: str, shown: str) -> None:
    assert without_key(text, "sk-abcdefghijklmnop") == shown


def test_a_key_is_hidden_before_a_message_is_cut() -> None:
    key = "sk-" + "k" * 60
    answer = Answer(status=401, body=bytearray(json.dumps({"error": "x" * 150 + key}).encode()))
    told = failure(answer, lambda text: without_key(text, key))
    assert told is not None
    assert "kkkk" not in told


def test_a_host_label_that_is_too_long_is_refused_and_a_key_goes_over_tls_or_stays_here() -> None:
    with pytest.raises(InputError, match="is no name of a host"):
        read_url("http://" + "a" * 64 + ".com")
    assert all(read_url(url).private for url in ("http://localhost:1", "http://127.0.0.1", "https://x.com", "[::1]:80"))
    assert not any(read_url(url).private for url in ("http://x.com", "http://127.x.com", "http://127.0.0.1.x.com"))
