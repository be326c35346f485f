"""hub:owner/name, against a server that answers as the Hub's API does: one commit, config.json, ranges of safetensors.

The answers have the fields and headers that huggingface_hub 1 and 2 read (X-Repo-Commit, ETag, X-Error-Code); sizes are small.
"""

import json
import os
import struct
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from roi.catalog.models.config_shapes import choose_model
from roi.catalog.models.hub import read_hub_model, stored_parameters
from roi.errors import InputError

COMMIT = "b968826d9c46dd6066d109eabc6255188de91218"
ENTRIES = {"model_type": "llama", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
           "num_key_value_heads": 2, "vocab_size": 1000, "max_position_embeddings": 512, "tie_word_embeddings": False}
LAYER = {"self_attn.q_proj": (64, 64), "self_attn.k_proj": (32, 64), "self_attn.v_proj": (32, 64), "self_attn.o_proj": (64, 64),
         "mlp.gate_proj": (128, 64), "mlp.up_proj": (128, 64), "mlp.down_proj": (64, 128), "input_layernorm": (64,),
         "post_attention_layernorm": (64,)}
TENSORS = {
    "model.embed_tokens.weight": (1000, 64), "model.norm.weight": (64,), "lm_head.weight": (1000, 64),
    "model.layers.0.self_attn.rotary_emb.inv_freq": (8,),  # a buffer, as in Llama 2's checkpoints
    **{f"model.layers.{i}.{name}.weight": size for i in (0, 1) for name, size in LAYER.items()},
}  # fmt: skip


def weights(tensors):
    """The start of a safetensors file: the header's length in 8 bytes, little-endian, and the header."""
    header = {name: {"dtype": "BF16", "shape": list(size), "data_offsets": [0, 0]} for name, size in tensors.items()}
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text


class Hub(BaseHTTPRequestHandler):
    """owner/fits, owner/other (a tensor more than its configuration makes), owner/none (no model), owner/bare (no weights)."""

    asked: ClassVar[list[str]] = []

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def answer(self, *, body):
        self.asked.append(self.path)
        name, _, rest = self.path.removeprefix("/api/models/").lstrip("/").partition("/re")
        other = {"owner/other": {"model.extra.weight": (3, 3)}, "owner/huge": {"x": (10**400,) * 20},
                 "owner/wide": {"model.x.weight": (2**39,) * 8}}.get(name, {})
        files = {f"solve/{COMMIT}/config.json": json.dumps(ENTRIES).encode(),
                 f"solve/{COMMIT}/model.safetensors": weights(TENSORS | other),
                 "vision/main": json.dumps({"id": name, "sha": COMMIT, "siblings": []}).encode()}
        if name == "owner/bare":
            del files[f"solve/{COMMIT}/model.safetensors"]
        found = None if name == "owner/none" else files.get(rest)
        code = "RepoNotFound" if name == "owner/none" else "RevisionNotFound" if rest.startswith("vision") else "EntryNotFound"
        self.send_response(404 if found is None else 206 if "range" in self.headers else 200)
        told = {"X-Error-Code": code} if found is None else {"X-Repo-Commit": COMMIT, "ETag": f'"{rest[-40:]}"'}
        for key, value in told.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(found or b"")))
        self.end_headers()
        if body:
            self.wfile.write(found or b"")

    def log_message(self, *_):
        pass


@pytest.fixture
def hub(tmp_path):
    Hub.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    yield {**os.environ, "HF_ENDPOINT": address, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "0"}
    server.shutdown()
    server.server_close()


def fit(name, hub):
    command = [sys.executable, "-m", "roi", "fit", name, "--seq", "256", "--as-of", "2026-11-26", "--format", "json"]
    return subprocess.run(command, capture_output=True, text=True, env=hub, timeout=120, check=False)


@pytest.mark.full
def test_a_model_of_the_hub_is_read_at_its_commit_and_counted_as_its_weights_are(hub):
    done = fit("hub:owner/fits@main", hub)
    assert done.returncode == 0, done.stderr
    assert [path for path in Hub.asked if "owner/fits" not in path] == []  # no word of who calls
    found = json.loads(done.stdout)
    count = sum(a * b for a, b in (size if len(size) == 2 else (size[0], 1) for size in TENSORS.values())) - 8
    assert f"owner/fits@{COMMIT[:12]}" in done.stdout
    assert found["parameters"] == count
    assert found["model_note"].endswith("the headers of its weights hold as many")


@pytest.mark.full
@pytest.mark.parametrize(("name", "said"), [
    ("hub:owner/other", "the headers of its weights hold 202,"),
    ("hub:owner/none", "the Hub has no model 'owner/none'"), ("hub:owner/huge", "is no shape"),
    ("hub:owner/wide", "model.x.weight: (549755813888, 549755813888, 54975581388 is no shape"),
    ("hub:owner/fits@old", "owner/fits has no revision 'old'"),
])  # fmt: skip
def test_what_the_hub_does_not_hold_is_one_message(hub, name, said):
    done = fit(name, hub)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.full
def test_nobody_answers_and_no_safetensors(hub):
    done = fit("hub:owner/bare", hub)
    assert done.returncode == 0, done.stderr
    assert "no safetensors" in done.stdout
    gone = fit("hub:owner/fits", {**hub, "HF_ENDPOINT": "http://127.0.0.1:9"})
    assert (gone.returncode, gone.stdout) == (2, "")
    assert "could not be read from the Hub" in gone.stderr


def test_a_name_that_is_none_opens_nothing():
    for name in ("hub:", "hub:one", "hub:a/b/c", "hub:a/b@", "hub:../../etc/passwd", "hub:a/b@x\x1b[31m"):
        with pytest.raises(InputError, match="is no model of the Hub"):
            read_hub_model(name)
    with pytest.raises(InputError, match="or hub:owner/unheard-of to read it from the Hub"):
        choose_model("owner/unheard-of")


def test_buffers_tied_heads_and_layers_beyond_are_no_parameters():
    shape = choose_model("qwen3-0.6b").shape
    assert shape.tied
    kept = (("model.embed_tokens.weight", "BF16", (10, 4)), ("lm_head.weight", "BF16", (10, 4)),
            (f"model.layers.{shape.layers}.eh_proj.weight", "BF16", (4, 4)), ("x.inv_freq", "F32", (7,)))
    assert stored_parameters(kept, shape) == 40
    assert stored_parameters((*kept, ("model.layers.0.q.qweight", "I32", (2, 2))), shape) is None
