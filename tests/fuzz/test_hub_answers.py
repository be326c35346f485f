"""`roi fit hub:owner/name` and a hub that may answer anything: one message, in time, and nothing outside the client's cache.

Any server may be one: HF_ENDPOINT names it, and a mirror, a proxy or a hub of a company's own answers in its place.
"""

import gzip
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hostile import ask
from hostile_server import HostileServer, Said, http
from hostile_values import changed, torn
from hypothesis import given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.full
COMMIT = "b968826d9c46dd6066d109eabc6255188de91218"
CONFIG = {"model_type": "llama", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
          "num_key_value_heads": 2, "vocab_size": 1000, "max_position_embeddings": 512, "tie_word_embeddings": False}
INFO = {"id": "owner/name", "sha": COMMIT, "siblings": [{"rfilename": "config.json"}], "tags": ["x"], "private": False}
HEADER = {"model.norm.weight": {"dtype": "BF16", "shape": [64], "data_offsets": [0, 128]}, "__metadata__": {"format": "pt"}}
INDEX = {"metadata": {"total_size": 128}, "weight_map": {"model.norm.weight": "model-00001-of-00002.safetensors"}}
TOLD = (f"x-repo-commit: {COMMIT}", 'etag: "@"')
STATUSES = ("200 OK",) * 6 + ("206 OK", "301 X", "404 X", "401 X", "403 X", "416 X", "503 X", "999 \x1b[1m")
PLACES = ("info", "config", "index", "weights")
HOURS = 1_000_000
"""Seconds of eleven days, for which nobody waits."""


def tensors(header: bytes, size: int | None = None) -> bytes:
    """The start of a file of safetensors: the length of its header, and the header."""
    return struct.pack("<Q", len(header) if size is None else size) + header


class Odd(NamedTuple):
    """What one place answers otherwise."""

    body: bytes | None = None
    status: str = "200 OK"
    headers: tuple[str, ...] = TOLD
    framing: str = "length"
    end: str = "keep"


BODIES = {"info": json.dumps(INFO).encode(), "config": json.dumps(CONFIG).encode(), "index": json.dumps(INDEX).encode(),
          "weights": tensors(json.dumps(HEADER).encode())}


def hub(odd: dict[str, Odd]) -> Any:  # Any: what a HostileServer answers
    """A hub that is honest but for what is odd; its weights lie in one file, or by an index where that is odd."""

    def answer(method: str, path: str, _body: bytes) -> Said:
        place = "info" if path.startswith("/api/") else "config" if path.endswith("config.json") else "weights"
        if path.endswith("index.json"):
            place = "index"
        if (place == "index" or path.endswith("/model.safetensors")) and (place == "index") != ("index" in odd):
            return Said(http(b"", status="404 X", headers=["x-error-code: EntryNotFound"]))
        said = odd.get(place, Odd())
        body = BODIES[place] if said.body is None else said.body
        headers = [header.replace("@", place) for header in said.headers]
        raw = http(body, status=said.status, headers=headers, framing=said.framing)
        return Said(raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if method == "HEAD" else raw, end=said.end)

    return answer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostileServer]:
    """A server that the Hub's client takes for the Hub; the client neither waits between its tries nor long for an answer."""
    from huggingface_hub import constants
    from huggingface_hub.utils import _http

    with pytest.MonkeyPatch.context() as patch, HostileServer() as running:
        folder = tmp_path_factory.mktemp("hub")
        patch.chdir(folder)
        patch.setattr(constants, "ENDPOINT", running.url)
        patch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", running.url + "/{repo_id}/resolve/{revision}/{filename}")
        patch.setattr(constants, "HF_HUB_CACHE", str(folder / "a" / "b" / "cache"))
        patch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.3)
        patch.setattr(constants, "HF_HUB_OFFLINE", False)
        patch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
        patch.setattr("roi.catalog.models.hub.TIMEOUT_S", 0.3)
        patch.setattr("roi.catalog.models.hub.MOST_S", 3.0)
        patch.setattr(_http.time, "sleep", lambda _: None)
        yield running


def fit(server: HostileServer, odd: dict[str, Odd], revision: str = "main") -> tuple[int, str]:
    """Exit code and what was said; the client's cache is emptied before, and nothing was written beside it."""
    import shutil

    shutil.rmtree("a", ignore_errors=True)
    server.answer, server.requests = hub(odd), 0
    answer = ask(["fit", f"hub:owner/name@{revision}", "--gpu", "L4", "--seq", "256", "--as-of", "2026-11-26"])
    assert answer.faults == ()
    assert {path.name for path in Path().iterdir()} <= {"a"}
    assert {path.name for path in Path().glob("a/b/*")} <= {"cache"}
    assert server.requests < 60
    return answer.exit_code, answer.stdout + answer.stderr


ROWS = {
    "a count of 10^400": ({"config": Odd(json.dumps(CONFIG | {"hidden_size": 10**400}).encode())}, "hidden_size"),
    "a configuration of another type": ({"config": Odd(b"[]")}, 'has no "model_type"'),
    "an escape sequence as a type": ({"config": Odd(b'{"model_type": "\\u001b[31m\\n"}')}, "MODEL: "),
    "a configuration without end": ({"config": Odd(b" " * (40 << 20))}, "more than 33,554,432 bytes"),
    "a configuration of 9 MB": ({"config": Odd(b" " * (9 << 20))}, "a config.json has at most"),
    "half a configuration": ({"config": Odd(framing="longer", end="close")}, "could not be read from the Hub"),
    "a header of 2^63 bytes": ({"weights": Odd(tensors(b"{}", 2**63))}, "could not be read from the Hub"),
    "a header that is a list": ({"weights": Odd(tensors(b"[]"))}, "could not be read from the Hub"),
    "a header in pieces of nothing": ({"weights": Odd(b"")}, "could not be read from the Hub"),
    "a shape of 10^400": ({"weights": Odd(tensors(b'{"x":{"dtype":"F32","shape":[1%s],"data_offsets":[0,1]}}' % (b"0" * 400)))},
                          "is no shape"),
    "weights without end": ({"weights": Odd(b"x" * (40 << 20))}, "more than 33,554,432 bytes"),
    "an index that climbs": ({"index": Odd(b'{"weight_map": {"x": "../../../../etc/passwd"}}')}, "of its weights hold 64"),
    "an index of numbers": ({"index": Odd(b'{"weight_map": 7}')}, "could not be read from the Hub"),
    "a name in the cache that climbs": ({"config": Odd(headers=(TOLD[0], 'etag: "../../../../../beside"'))},
                                        "etag that is no name"),
    "a commit that climbs": ({"config": Odd(headers=("x-repo-commit: ../../../beside", TOLD[1]))}, "that is no name"),
    "a revision whose commit climbs": ({"info": Odd(b'{"id": "x", "sha": "../../beside"}')}, "is no commit"),
    "a revision without a commit": ({"info": Odd(b'{"id": "x"}')}, "is no commit"),
    "a page in the place of JSON": ({"info": Odd(b"<html>\x1b[31m")}, "could not be read from the Hub"),
    "a packed bomb": ({"info": Odd(gzip.compress(b" " * (1 << 20)), headers=("content-encoding: gzip",))}, "a packed answer"),
    "a redirect to itself": ({"info": Odd(status="302 X", headers=("location: /api/models/owner/name",))}, "redirect"),
    "a redirect that a terminal obeys": ({"info": Odd(status="302 X", headers=("location: http://\x1b[31m/",))}, "could not"),
    "a redirect to a file": ({"info": Odd(status="302 X", headers=("location: file:///etc/passwd",))}, "could not be read"),
    "a hub that wants eleven days": ({"config": Odd(b"", "429 X", (f"retry-after: {HOURS}",))}, "wants to be asked later"),
    "weights that want eleven days": ({"weights": Odd(b"", "429 X", (f"retry-after: {HOURS}",))}, "wants to be asked later"),
    "an error that a terminal obeys": ({"info": Odd(b"", "400 \x1b[31m", ("x-error-message: \x1b[31mr\x9b2J",))}, "could"),
    "a hub that hangs": ({"info": Odd(framing="longer", end="hang")}, "could not be read from the Hub"),
    "a hub that is broken": ({"config": Odd(b"", "500 X", ())}, "could not be read from the Hub"),
}  # fmt: skip


@pytest.mark.parametrize(("odd", "told"), ROWS.values(), ids=list(ROWS))
def test_what_a_hub_said_otherwise_is_one_message(odd: dict[str, Odd], told: str, server: HostileServer) -> None:
    code, said = fit(server, odd)
    assert (code, told in said) == (2, True), said[-600:]


def test_an_honest_hub_is_read_in_five_requests(server: HostileServer) -> None:
    """Its configuration makes another number of parameters than its one tensor has: that is the message."""
    code, said = fit(server, {})
    assert (code, "the headers of its weights hold 64" in said, server.requests) == (2, True, 5)


@st.composite
def oddities(draw: st.DrawFn) -> dict[str, Odd]:
    """One or two places that answer otherwise: another body, status, head, length or end."""
    found = {}
    for place in draw(st.lists(st.sampled_from(PLACES), min_size=1, max_size=2, unique=True)):
        plain = {"info": INFO, "config": CONFIG, "index": INDEX, "weights": HEADER}[place]
        written = changed(plain).map(lambda data: json.dumps(data).encode())
        body = draw(st.one_of(written, written, torn(json.dumps(plain))))
        size = draw(st.sampled_from((None, None, None, 0, 2**20, 2**63, 2**64 - 1)))
        found[place] = Odd(
            tensors(body, size) if place == "weights" else body,
            draw(st.sampled_from(STATUSES)),
            draw(st.sampled_from((TOLD,) * 5 + ((), ("etag: \x1b[31m", TOLD[0]), ("etag: " + "e" * 9000, TOLD[0]), ("x", *TOLD),
                                               (*TOLD, "content-range: bytes 9-1/0"), (*TOLD, "location: \udcff")))),
            draw(st.sampled_from(("length",) * 5 + ("chunked", "longer", "shorter", "both", "none"))),
            draw(st.sampled_from(("keep", "keep", "keep", "close", "reset"))),
        )
    return found


@settings(max_examples=60, deadline=None)
@given(odd=oddities(), revision=st.sampled_from(("main", COMMIT)))
def test_whatever_the_hub_says_is_an_answer_or_one_message(odd: dict[str, Odd], revision: str, server: HostileServer) -> None:
    assert fit(server, odd, revision)[0] in {0, 2}
