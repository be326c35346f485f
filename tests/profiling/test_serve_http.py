"""The HTTP under a load: answers byte by byte, URLs, what a stream says; no server is needed."""

import json
import socket
import ssl

import pytest

from roi.errors import InputError
from roi.profiling.server.dialect import CHAT, Dialect, Usage, failure, message, quick_usage, read_answer, unstreamed_usage
from roi.profiling.server.endpoint import read_url
from roi.profiling.server.http_client import Answer, AnswerReader, HttpClient, NotHttp, reason

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunked(*parts):
    return HEAD + b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def event(**fields):
    return b"data: " + json.dumps(fields).encode() + b"\n\n"


def streamed(*parts):
    """An answer whose parts came one second apart."""
    answer = Answer(200, {"content-type": "text/event-stream"})
    for i, part in enumerate(parts):
        answer.body += part
        answer.marks.append((float(i + 1), len(answer.body)))
    answer.ended_s = float(len(parts))
    return answer


def word(text, **more):
    return event(choices=[{"text": text, "finish_reason": None, **more}])


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_an_answer_is_the_same_however_its_bytes_are_cut(size):
    raw = b"HTTP/1.1 100 Continue\r\n\r\n" + chunked(b"data: one\n\n", b"data: two\n\n")
    answer = Answer()
    reader = AnswerReader(answer)
    for i in range(0, len(raw), size):
        over = reader.feed(raw[i : i + size], float(i))
    assert over
    assert reader.reusable
    assert (answer.status, bytes(answer.body)) == (200, b"data: one\n\ndata: two\n\n")
    assert answer.ended_s == float((len(raw) - 1) // size * size)


def test_each_byte_of_the_body_knows_when_it_came():
    answer = Answer()
    reader = AnswerReader(answer)
    reader.feed(HEAD, 1.0)
    reader.feed(b"4\r\nabcd\r\n", 2.0)
    reader.feed(b"2\r\nef\r\n0\r\n\r\n", 3.0)
    assert [answer.seconds_at(n) for n in (1, 4, 5, 6)] == [2.0, 2.0, 3.0, 3.0]


def test_what_came_before_a_chunk_without_a_size_keeps_its_time():
    """Both in one piece: the event is read all the same."""
    answer, part = Answer(), word("a")
    with pytest.raises(NotHttp, match="a chunk without a size"):
        AnswerReader(answer).feed(HEAD + b"%x\r\n%s\r\nzz\r\n" % (len(part), part), 2.0)
    assert read_answer(answer, str).chunk_s == (2.0,)


def test_a_length_ends_an_answer_and_so_does_the_closing_where_nothing_else_does():
    answer = Answer()
    assert AnswerReader(answer).feed(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", 1.0)
    open_end = Answer()
    reader = AnswerReader(open_end)
    assert not reader.feed(b"HTTP/1.0 200 OK\r\n\r\nall", 1.0)
    assert reader.close(2.0)
    assert (bytes(open_end.body), open_end.ended_s, reader.reusable) == (b"all", 2.0, False)


@pytest.mark.parametrize("raw", [
    b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/2 200\r\n\r\n", b"HTTP/1.1 OK\r\n\r\n", HEAD + b"zz\r\n", b"HTTP/1.1 " + b"x" * 70_000,
    b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\n", b"HTTP/1.1 \xb2\xb2\xb2 OK\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ncontent-length: " + b"9" * 5000 + b"\r\n\r\n", HEAD + b"-5\r\n", HEAD + b"f" * 40 + b"\r\n",
])  # fmt: skip
def test_what_is_no_http_is_told_so(raw):
    with pytest.raises(NotHttp):
        AnswerReader(Answer()).feed(raw, 0.0)


@pytest.mark.parametrize(("given", "url"), [
    ("http://localhost:8000", "http://localhost:8000"), ("localhost:8000/", "http://localhost:8000"),
    ("http://h/v1", "http://h"), ("https://h:443/proxy/v1/", "https://h/proxy"), ("http://[::1]:80/", "http://[::1]"),
    ("http://h/v1/chat/completions", "http://h"),
])  # fmt: skip
def test_a_url_may_end_with_v1_and_leave_http_out(given, url):
    assert read_url(given).url == url


@pytest.mark.parametrize("given", ["", "ftp://h", "http://", "http://h:x", "http://h?a=b", "http://h/\r\nX: y", "http://[h"])
def test_a_url_that_names_no_server_is_refused(given):
    with pytest.raises(InputError, match=r"^URL: .* is not usable; for example http://localhost:8000$"):
        read_url(given)


def test_a_password_in_a_url_is_refused_without_being_quoted():
    with pytest.raises(InputError, match="--api-key-env") as caught:
        read_url("http://me:hunter2@h")
    assert "hunter2" not in str(caught.value)


def test_chunks_with_text_are_output_and_usage_counts():
    """A role, two words and the usage, a second apart: output at 2 and 3 s."""
    answer = streamed(
        event(choices=[{"delta": {"role": "assistant", "content": ""}, "finish_reason": None}]),
        event(choices=[{"delta": {"content": " a"}, "finish_reason": None}]),
        event(choices=[{"delta": {"reasoning_content": " b"}, "finish_reason": "length"}]),
        event(choices=[], usage={"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}}),
        b"data: [DONE]\n\n",
    )
    reading = read_answer(answer, str)
    assert reading.chunk_s == (2.0, 3.0)
    assert (reading.text, reading.error, reading.usage) == (" a b", None, Usage(9, 4, 2))
    assert quick_usage(answer) == reading.usage


def test_empty_chunks_are_tokens_where_the_count_says_so():
    """Four chunks, one without text (half a letter): usage says 4 tokens, so each chunk is one."""
    parts = (word(" a"), word(""), word(" b"), word(" c", finish_reason="length"))
    four = streamed(*parts, event(choices=[], usage={"prompt_tokens": 1, "completion_tokens": 4}))
    three = streamed(*parts, event(choices=[], usage={"prompt_tokens": 1, "completion_tokens": 3}))
    assert read_answer(four, str).chunk_s == (1.0, 2.0, 3.0, 4.0)
    assert read_answer(three, str).chunk_s == (1.0, 3.0, 4.0)


@pytest.mark.parametrize(("answer", "said"), [
    (Answer(problem="connection refused"), "connection refused"),
    (Answer(500, body=bytearray(b'{"error": {"message": "out of\\nmemory"}}'), ended_s=1.0), "HTTP 500: out of memory"),
    (Answer(422, body=bytearray(b'{"detail": [{"msg": "bad"}]}'), ended_s=1.0), 'HTTP 422: [{"msg": "bad"}]'),
    (Answer(502, body=bytearray(b"<html><h1>Bad Gateway</h1></html>"), ended_s=1.0), "HTTP 502: Bad Gateway"),
    (Answer(302, {"location": "http://other"}, ended_s=1.0), "HTTP 302: a redirect to http://other, which is not followed"),
    (Answer(200, {"content-type": "text/html"}, bytearray(b"<p>Hi</p>"), ended_s=1.0), "no stream of events but text/html: Hi"),
    (streamed(b"data: [DONE]\n\n"), "the stream carried no output"),
    (streamed(word("a"), b"data: {broken\n\n"), "a chunk that is no JSON"),
    (streamed(word("a"), event(error={"message": "engine died"})), "error in the stream: engine died"),
])  # fmt: skip
def test_what_went_wrong_is_one_line(answer, said):
    assert read_answer(answer, str).error == said


def test_a_stream_that_was_cut_keeps_its_chunks():
    answer = streamed(word("a"), word("b"))
    answer.ended_s, answer.problem = None, "the server closed the connection"
    reading = read_answer(answer, str)
    assert reading.chunk_s == (1.0, 2.0)
    assert reading.error == "in mid-stream: the server closed the connection"
    assert failure(answer, str) == reading.error


def test_a_key_that_a_server_quotes_is_hidden():
    client = HttpClient(read_url("http://h"), "sk-1234")
    answer = Answer(401, body=bytearray(b'{"error": "Incorrect API key sk-1234"}'), ended_s=1.0)
    assert read_answer(answer, client.hide).error == "HTTP 401: Incorrect API key ***"


@pytest.mark.parametrize(("error", "said"), [
    (ConnectionRefusedError(111, "Connection refused"), "connection refused"),
    (OSError("Multiple exceptions: [Errno 111] Connect call failed ('::1', 1)"), "connection refused"),
    (socket.gaierror(-2, "Name or service not known"), "no such host"),
    (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"), "no TLS there (http:// instead of https://?)"),
    (ConnectionResetError(104, "Connection reset by peer"), "the server closed the connection"),
    (OSError(113, "No route to host"), "No route to host"),
])  # fmt: skip
def test_a_failed_connection_is_told_in_words(error, said):
    assert reason(error) == said


def test_a_long_message_is_cut():
    assert len(message(b"x" * 5000, str)) == 160


def test_a_body_holds_only_what_the_server_takes():
    plain = json.loads(Dialect(extras=()).body("m", "hi", 3))
    assert plain == {"model": "m", "max_tokens": 3, "temperature": 0, "prompt": "hi", "stream": True}
    chat = json.loads(Dialect(CHAT, limit="max_completion_tokens").body("m", "hi", 3, stream=False))
    assert chat == {"model": "m", "max_completion_tokens": 3, "temperature": 0, "ignore_eos": True, "min_tokens": 3,
                    "messages": [{"role": "user", "content": "hi"}]}


def test_usage_that_is_no_usage_counts_nothing():
    assert unstreamed_usage(Answer(200, body=bytearray(b'{"usage": {"prompt_tokens": "7"}}'))) is None
    assert unstreamed_usage(Answer(200, body=bytearray(b"[]"))) is None
