"""Servers that roi starts: their command lines by a program that stands in for them, and `transformers serve` itself."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from asked import ask

pytest.importorskip("torch", reason="the extra `profile` is not installed")

from fake_card.cuda import simulated_machine

from roi.errors import InputError, MissingExtra, RoiError
from roi.facts.serve_profile import ServeProfile
from roi.profiling import board as board_module
from roi.profiling import launched_run
from roi.profiling.progress import Watcher
from roi.profiling.server import launch as launch_module
from roi.profiling.server.launch import (
    OFFLINE,
    Launch,
    check_launch,
    free_port,
    has_card,
    launch_command,
    launched,
    prepare_launch,
)

ROOT = Path(__file__).parents[2]
LOADS = ("--concurrency", "1,2", "--input-tokens", "16", "--output-tokens", "6", "--requests", "4", "--arrivals", "closed")
full = pytest.mark.full
STAND_IN = """#!{python}
import json, os, sys, threading
sys.path.insert(0, {support!r})
with open({told!r} + ".part", "w") as file:
    json.dump([sys.argv[1:], {{k: v for k, v in os.environ.items() if "OFFLINE" in k}}, os.getpid()], file)
os.replace(file.name, {told!r})  # whole, or not there: it may be ended at any moment
{fault}
import serving_server, asyncio
port = int(sys.argv[sys.argv.index("--port") + 1])
begin = asyncio.start_server
asyncio.start_server = lambda act, host, _port, **more: begin(act, host, port, **more)
with serving_server.StepServer(model=sys.argv[sys.argv.index("--served-model-name") + 1]) as server:
    threading.Event().wait()
"""


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Puts a program `vllm` on the path, which tells its words and then serves, or does what `fault` says."""
    def install(fault=""):
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        file, told = folder / "vllm", tmp_path / "told.json"
        support = str(ROOT / "tests" / "support")
        file.write_text(STAND_IN.format(python=sys.executable, support=support, told=str(told), fault=fault))
        file.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        return told

    return install


def config(tmp_path, name="small"):
    folder = tmp_path / name
    folder.mkdir()
    entries = {"model_type": "llama", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
               "num_attention_heads": 2, "num_key_value_heads": 2, "vocab_size": 512, "max_position_embeddings": 2048}
    (folder / "config.json").write_text(json.dumps(entries))
    return folder


def gone(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return subprocess.run(["/bin/ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True,
                          check=False).stdout.strip()[:1] in ("", "Z")


def run(*words):
    result = ask("profile", "serve", *words)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    return result


@full
def test_a_server_on_the_simulated_card_is_started_offline_loaded_and_gone_with_its_power_kept(tmp_path, stand_in, monkeypatch):
    """vLLM makes the weights of a configuration itself; the card is the one that NVML names."""
    told = stand_in()
    monkeypatch.setattr(board_module, "LEAST_S", 0.0)
    monkeypatch.setattr(board_module, "_BEFORE_TORCH", {})
    with simulated_machine():
        result = run("--launch", "vllm", str(config(tmp_path)), *LOADS, "--output", str(tmp_path / "kept.json"),
                     "--engine-args", "--max-model-len 1024")
    assert result.exit_code == 0, result.output
    words, environment, process = json.loads(told.read_text())
    assert words[0] == "serve"
    assert words[words.index("--host") + 1] == "127.0.0.1"
    assert words[-4:] == ["--load-format", "dummy", "--max-model-len", "1024"]
    assert environment.items() >= {name: value for name, value in OFFLINE.items() if "OFFLINE" in name}.items()
    assert gone(process)
    kept = ServeProfile.model_validate_json((tmp_path / "kept.json").read_text())
    assert (kept.gpu, kept.engine, kept.weight_dtype) == ("H100-80GB-SXM", "vllm", "bf16")
    assert kept.power_w == pytest.approx(350.0, rel=0.1)
    assert kept.notes[-1].startswith("vllm was started here with random weights, answered after ")
    assert "the card drew 350 W over the loads" in result.stdout


@full
def test_transformers_serve_is_started_loaded_and_gone_with_random_weights(tmp_path):
    result = run("--launch", "transformers", str(config(tmp_path)), *LOADS, "--output", str(tmp_path / "kept.json"),
                 "--engine-args", "--cb-num-blocks 64 --cb-max-batch-tokens 256")
    assert result.exit_code == 0, result.output
    kept = ServeProfile.model_validate_json((tmp_path / "kept.json").read_text())
    assert (kept.gpu, kept.engine, kept.served_model) == ("cpu", "transformers", "small")
    assert kept.complete, kept.notes
    alone, both = kept.points  # of two in flight this server gives one now and then the other's last token
    assert [r.output_tokens for r in alone.requests] == [6] * 4
    assert all(r.error is None and abs(r.output_tokens - 6) <= 1 for r in both.requests)


def test_a_server_that_ends_before_it_answers_is_told_with_the_end_of_its_log_on_one_line(tmp_path, stand_in):
    stand_in("print('loading'); print('   ^^^~~'); print('ValueError: no kv\\x1b[0m blocks'); sys.exit(3)")
    launch = Launch("vllm", config(tmp_path), dummy=True)
    with pytest.raises(RoiError) as caught, launched(launch, free_port(), 30.0, Watcher()):
        pass
    assert str(caught.value) == ("vllm ended with exit code 3 before it answered (--engine-args gives it other options); "
                                 "the end of its log: loading | ValueError: no kv\\u001b[0m blocks")


def test_a_server_that_never_answers_is_ended_when_its_time_is_over(tmp_path, stand_in):
    told = stand_in("threading.Event().wait()")
    launch = Launch("vllm", config(tmp_path), dummy=True)
    with pytest.raises(RoiError) as caught, launched(launch, free_port(), 0.5, Watcher()):
        pass
    assert str(caught.value) == "vllm did not answer within 0.5 s; --start-timeout gives it more; its log is empty"
    assert not told.exists() or gone(json.loads(told.read_text())[2])


@full
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_a_signal_to_us_ends_the_server_too(tmp_path, stand_in, number, code):
    told = stand_in("threading.Event().wait()")
    words = ("-m", "roi", "profile", "serve", "--launch", "vllm", str(config(tmp_path)), *LOADS)
    us = subprocess.Popen([sys.executable, *words], env={**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""},
                          stderr=subprocess.DEVNULL, cwd=tmp_path)
    ends = time.monotonic() + 120.0
    while not told.exists():
        assert time.monotonic() < ends
        assert us.poll() is None
        time.sleep(0.05)
    us.send_signal(number)
    assert us.wait(60.0) == code
    process = json.loads(told.read_text())[2]
    while not gone(process):
        assert time.monotonic() < ends
        time.sleep(0.05)


def test_each_engine_has_its_command_line(tmp_path, stand_in, monkeypatch):
    stand_in()
    monkeypatch.setattr("roi.profiling.server.launch.find_spec", lambda _: object())
    model = tmp_path / "m"

    def words(engine, **more):
        return launch_command(Launch(engine, model, **more), 8123)[1:]

    at = ["--host", "127.0.0.1", "--port", "8123"]
    assert words("vllm", gpus=2) == ["serve", str(model), *at, "--served-model-name", "m", "--tensor-parallel-size", "2"]
    assert words("sglang", dummy=True) == ["-m", "sglang.launch_server", "--model-path", str(model), *at, "--served-model-name",
                                           "m", "--tp-size", "1", "--load-format", "dummy"]
    assert words("transformers", on_gpu=False) == ["-m", "transformers.cli.transformers", "serve", "m", *at, "--device", "cpu",
                                                   "--continuous-batching"]
    assert words("llama-server") == ["-m", "llama_cpp.server", "--model", str(model), *at, "--model_alias", "m",
                                     "--interrupt_requests", "false"]


def test_what_cannot_be_launched_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="--launch vllm: there is no program vllm here; pip install vllm"):
        launch_command(Launch("vllm", tmp_path), 1)
    monkeypatch.setattr("roi.profiling.server.launch.find_spec", lambda _: None)
    with pytest.raises(InputError, match="--launch sglang: Python has no package sglang here; pip install sglang"):
        launch_command(Launch("sglang", tmp_path), 1)
    with pytest.raises(InputError, match=r"MODEL: llama-server serves a GGUF file; 'llama-3.1-8b' is not there"):
        prepare_launch("llama-server", "llama-3.1-8b", tmp_path)
    with pytest.raises(InputError, match=r"nearest: llama-3.1-8b"):
        prepare_launch("vllm", "lama-3.1-8b", tmp_path)
    with pytest.raises(InputError, match=r"MODEL: random weights of llama-3.1-405b take 7.* GiB of disk"):
        prepare_launch("transformers", "llama-3.1-405b", tmp_path)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "model.safetensors").write_bytes(b"")
    assert prepare_launch("vllm", str(tmp_path / "own"), tmp_path) == (Launch("vllm", (tmp_path / "own").resolve()), None)


def test_without_torch_weights_of_ones_own_are_served_where_there_is_no_card(tmp_path, stand_in, monkeypatch):
    """Random weights, and a card's name, need it; that is said before anything is planned."""
    stand_in()
    monkeypatch.setattr(launch_module, "missing_stack", lambda: "torch")
    monkeypatch.setattr(launched_run, "missing_stack", lambda: "torch")
    for module in (launch_module, launched_run):
        monkeypatch.setattr(module, "has_card", lambda: False)
    own = tmp_path / "own"
    own.mkdir()
    (own / "model.safetensors").write_bytes(b"")
    check_launch("vllm", str(own))
    assert launched_run.look(launched_run.LaunchOrder("vllm", str(own)), 0) == ("cpu", None, "cpu", ())
    result = run("--launch", "vllm", "qwen3-0.6b", "--plan")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "torch to make random weights: pip install 'lora-roi[profile]'; or start the server yourself" in result.stderr
    monkeypatch.setattr(launch_module, "has_card", lambda: True)
    with pytest.raises(MissingExtra, match="torch to name the card of this machine"):
        check_launch("vllm", str(own))


def test_a_card_is_told_by_the_files_of_its_driver(tmp_path):
    (tmp_path / "nvidiactl").touch()
    assert not has_card(tmp_path)
    (tmp_path / "nvidia0").touch()
    assert has_card(tmp_path)


@pytest.mark.parametrize(("words", "message"), [
    (("--launch", "vllm"), "MODEL: which model?"),
    (("http://localhost:1", "--engine-args", "--x"), "--engine-args: are those of"),
    (("--launch", "vllm", "m", "--engine-args", "'"), "--engine-args: \"'\" is not usable"),
    (("--launch", "vlm", "m"), "vlm"),
    (("--launch", "vllm", "qwen3-0.6b", "--engine-args", "--port=81"), "--engine-args: --port=81 is not usable"),
    (("--launch", "llama-server", "llama-3.1-8b"), "roi: "),  # no such program, or no GGUF file
    (("--launch", "transformers", "lama-3.1-8b"), "nearest: llama-3.1-8b"),
])
def test_words_that_do_not_go_together_are_one_sentence(words, message, stand_in):
    stand_in()
    result = run(*words)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "requests" not in result.stderr  # nothing is said of a load that never comes
