"""`roi profile serve` and a server that may answer anything: one message, no key, nothing lost."""

import copy
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hostile import TEXTS, ask
from hostile_server import HostileServer, Said, http
from hostile_values import places
from hypothesis import given, settings
from hypothesis import strategies as st

from roi.estimate.replay.metrics import successes
from roi.facts.serve_profile import ServeProfile

pytestmark = pytest.mark.full
KEY = "sk-proj-QRSTUVWXYZabcdefghijklmnop"
"""Eight of its letters in a row are in no timestamp by chance, as eight digits once were."""
QUOTED = (KEY, f"Incorrect API key provided: Bearer {KEY}.", KEY[:14], KEY[9:], f"\x1b[31m{KEY}\x1b[0m", f"{KEY}\r\nx",
          KEY[:20] + "...", "a" * 155 + KEY, "a" * 4090 + KEY)
CORPUS = Path(__file__).parent / "corpus"
ODD = (0, -1, 1, 2.5, 1e308, 10**400, 10**10, 2**63, True, None, float("nan"), float("inf"), "9" * 5000, "\u00b2", [], {}, [[]])
texts = st.one_of(st.sampled_from(TEXTS), st.sampled_from(QUOTED), st.text(max_size=12))
values = st.recursive(
    st.one_of(st.sampled_from(ODD), texts, st.integers(), st.floats()),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(texts, inner, max_size=2)), max_leaves=4)
COUNTS = {"prompt_tokens": "@prompt", "completion_tokens": "@output", "prompt_tokens_details": {"cached_tokens": 0}}
TOKEN = {"id": "x", "choices": [{"text": " a", "delta": {"content": " a"}, "finish_reason": None}]}
HONEST_EVENTS: tuple[Any, ...] = (*[TOKEN] * 4, {"choices": [], "usage": COUNTS})
MODELS = {"object": "list", "data": [{"id": "tiny", "object": "model", "owned_by": "vllm", "root": "qwen3-8b", "parent": None}]}
ENGINES = {
    "vllm": ("/version", {"version": "0.12.0"}),
    "sglang": ("/get_server_info", {"version": "0.5.6", "max_total_num_tokens": 777216, "kv_cache_dtype": "fp8_e5m2"}),
    "llamacpp": ("/props", {"build_info": "b7", "default_generation_settings": {"n_ctx": 4096}, "total_slots": 4}),
    "x": ("/info", {"model_id": "tiny", "version": "3.3.6", "max_batch_total_tokens": 65536}),
}  # fmt: skip
METRICS = 'vllm:cache_config_info{block_size="16",cache_dtype="auto",num_gpu_blocks="2000"} 1.0\n'
STATUSES = ("200 OK", "200 OK", "404 Not Found", "401 No", "422 X", "400 X", "429 Slow", "500 X", "503 X", "301 Y", "204 Z",
            "100 C", "999 ?", "\u00b2\u00b2\u00b2 x", "-1 x", "200")
KINDS = ("text/event-stream", "text/event-stream; charset=\x1b[31m", "application/json", "text/html", KEY, "\x1b]0;x\x07", "")
FRAMINGS = ("length", "chunked", "longer", "shorter", "both", "unended", "none")


@st.composite
def spoiled(draw, data: Any, most: int = 2) -> Any:
    """The JSON value with up to so many places filled with something else."""
    found = json.loads(json.dumps(data))
    for _ in range(draw(st.integers(0, most))):
        *way, last = draw(st.sampled_from(places(found)[1:] or [("x",)]))
        inside = found
        for key in way:
            inside = inside[key]
        inside[last] = copy.deepcopy(draw(values))  # it may be spoiled in its turn, and is drawn again
    return found


@st.composite
def sent(draw, body: bytes, kind: str = "application/json", *, honest: bool) -> Said:
    """An answer with this body: as it should be, or with another head, torn, in pieces, cut off."""
    if honest:
        return Said(http(body, kind=kind, framing="chunked"))
    odd = draw(st.lists(st.one_of(
        st.sampled_from((f"location: http://x/{KEY}", "location: \x1b[31m", "x", f"server: {KEY}", "a: " + "b" * 70_000,
                         "connection: close")), texts.map(lambda text: f"x-{text}")), max_size=2))
    status, framing = draw(st.sampled_from(STATUSES)), draw(st.sampled_from(FRAMINGS))
    raw = http(body, status=status, kind=draw(st.sampled_from((kind, kind, *KINDS))), framing=framing, headers=odd)
    if draw(st.booleans()):
        at = draw(st.integers(0, len(raw)))
        raw = raw[:at] + draw(st.one_of(st.just(b""), st.binary(max_size=9), st.sampled_from(QUOTED).map(str.encode)))
    pieces, pause_s = draw(st.integers(1, 8)), draw(st.sampled_from((0.0, 0.0, 0.03)))
    return Said(raw, pieces, pause_s, draw(st.sampled_from(("keep", "close", "half", "reset", "hang"))))


@st.composite
def streams(draw, *, honest: bool) -> Said:
    """An answer to a request for tokens: four events with text, and the usage."""
    events: list[Any] = list(HONEST_EVENTS)
    if not honest:
        events = draw(spoiled(events, 3))
        events = events if isinstance(events, list) else [events]
        events *= draw(st.sampled_from((1, 1, 1, 60)))
    ends = draw(st.sampled_from((b"data: [DONE]\n\n", b"", b": alive\n\n", b"data: \xff\xfe\n\n", b"event: error\ndata: x")))
    prefix = b"data: " if honest else draw(st.sampled_from((b"data: ", b"data:", b"\xef\xbb\xbfdata: ", b"id: 1\r\ndata: ")))
    lines = lines_of(events, prefix)
    return draw(sent(lines + (b"data: [DONE]\n\n" if honest else ends), "text/event-stream", honest=honest))


@st.composite
def servers(draw) -> tuple[dict[str, Said], list[Said], Said]:
    """(Answer at each path, answers to requests for tokens one after the other, the answer to all that follow)."""
    owner = draw(st.sampled_from(list(ENGINES)))
    path, facts = ENGINES[owner]
    told = {"object": "list", "data": [{**MODELS["data"][0], "owned_by": owner}]}
    odd = draw(st.sampled_from(("list", "engine", "metrics", "tokens", "tokens", "tokens")))
    metrics = METRICS
    if odd == "metrics":
        metrics = METRICS.replace("16", str(draw(st.sampled_from(ODD)))).replace("auto", KEY)
    pages = {
        "/v1/models": draw(sent(json.dumps(draw(spoiled(told)) if odd == "list" else told).encode(),
                                honest=odd != "list" or draw(st.booleans()))),
        path: draw(sent(json.dumps(draw(spoiled(facts)) if odd == "engine" else facts).encode(),
                        honest=odd != "engine" or draw(st.booleans()))),
        "/metrics": draw(sent(metrics.encode(), "text/plain", honest=odd != "metrics" or draw(st.booleans()))),
    }
    first = [draw(streams(honest=True)) for _ in range(draw(st.integers(0, 5)))]
    return pages, first, draw(streams(honest=odd != "tokens"))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch, HostileServer() as running:
        patch.setenv("OPENAI_API_KEY", KEY)
        patch.chdir(tmp_path_factory.mktemp("serve"))
        yield running


def check(*command: str) -> tuple[int, str]:
    """The exit code and what was said, after it was held to what holds always."""
    answer = ask(command)
    said = answer.stdout + answer.stderr
    assert answer.faults == (), said
    assert not [k for k in range(len(KEY) - 7) if KEY[k : k + 8] in said], said
    return answer.exit_code, said


LOADS = ("--concurrency", "1,2", "--input-tokens", "16", "--output-tokens", "4", "--requests", "3", "--budget", "2s",
         "--timeout", "0.3s", "--stall", "0.3s")
ONE_LOAD = ("--concurrency", "2", "--arrivals", "closed", "--budget", "20s")
PATIENT = ("--timeout", "10s", "--stall", "10s")
"""A busy machine may keep an honest answer for seconds."""


def lines_of(events: Sequence[Any], prefix: bytes = b"data: ") -> bytes:
    return b"".join(prefix + json.dumps(event).encode() + b"\n\n" for event in events)


HONEST = Said(http(lines_of(HONEST_EVENTS), kind="text/event-stream"))


def profiled(server: HostileServer, pages: dict[str, Said], first: Sequence[Said], rest: Said, *words: str) -> tuple[int, str]:
    """Exit code and what was said of a profile; one that is kept is whole, has no key, and after exit 0 is not empty."""
    waiting = iter(first)

    def answer(_method: str, path: str, _body: bytes) -> Said:
        if path.endswith("completions"):
            return next(waiting, rest)
        return pages.get(path, Said(http(b"{}", status="404 Not Found")))

    server.answer, server.requests = answer, 0
    kept = Path("kept.json")
    kept.unlink(missing_ok=True)
    code, said = check("profile", "serve", server.url, *LOADS, *words, "--output", str(kept))
    if not kept.exists():
        assert code != 0
        return code, said
    text = kept.read_text(encoding="utf-8")
    assert not [k for k in range(len(KEY) - 7) if KEY[k : k + 8] in text]
    profile = ServeProfile.model_validate_json(text)
    assert code != 0 or any(one.output_tokens for point in profile.points for one in successes(point))
    assert "nan" not in said.lower()
    return code, said


ROWS = [json.loads(line) for line in (CORPUS / "servers.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: ascii(row["what"])[1:-1])
def test_what_a_server_once_said_is_measured_or_one_message(row: dict[str, Any], server: HostileServer) -> None:
    """A row says what its server answers otherwise than an honest one: pages, or the stream after so many honest ones."""
    framing, status, headers = row.get("framing", "length"), row.get("status", "200 OK"), row.get("headers", ())
    manner = {name: row[name] for name in ("pieces", "pause_s", "end") if name in row}
    told = {"object": "list", "data": [{**MODELS["data"][0], "owned_by": row.get("owner", "vllm")}]}
    pages = {"/v1/models": Said(http(json.dumps(told).encode())), "/version": Said(http(b'{"version": "1"}'))}
    for path, body in row.get("pages", {}).items():
        raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        kind = row.get("kind", "application/json")
        pages[path] = Said(http(raw, status=status, kind=kind, framing=framing, headers=headers), **manner)
    rest = HONEST
    if "stream" in row:
        stream = [event * row.get("times", 1) if isinstance(event, str) else event for event in row["stream"]]
        events, kind = lines_of(stream * row.get("again", 1)), row.get("kind", "text/event-stream")
        rest = Said(http(events, status=status, kind=kind, framing=framing, headers=headers), **manner)
    code, said = profiled(server, pages, [HONEST] * row.get("after", 0), rest, *ONE_LOAD, *row.get("words", PATIENT))
    assert (code, row["told"] in " ".join(said.split())) == (row["exit"], True), said[-800:]
    assert server.requests <= row.get("most", 40)


@pytest.mark.usefixtures("server")
def test_a_key_is_not_sent_where_others_read_along() -> None:
    code, said = check("profile", "serve", "http://example.com", "--plan")
    assert (code, "the key in OPENAI_API_KEY is not sent to http://example.com" in said) == (0, True)
    assert "with a key" not in said


@settings(max_examples=25, deadline=None)
@given(served=servers())
def test_whatever_a_server_says_is_measured_or_one_message(served: Any, server: HostileServer) -> None:
    profiled(server, *served)
