"""`transformers serve` on loopback with a tiny random model: a real engine for tests and benchmarks, nothing downloaded.

    python tests/support/tiny_server.py [--port 8000] [--sequential]

The model has no end-of-sequence token and its tokenizer only printable ASCII, so that a request of N tokens is answered by
exactly N and each of them is a streamed chunk of text. Continuous batching is on, as one would serve; --sequential leaves it
off, and requests then wait for each other.
"""

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import ProxyHandler, Request, build_opener

NAME = "tiny-random"
"""Folder of the model under the server's working folder, hence the name that the server knows it by."""

KV_BLOCK_TOKENS, KV_BLOCKS = 256, 64
"""The engine's page, and pages: 16,384 tokens. Unstated, it takes nine tenths of the machine's memory and 25 s to fill it."""

STEP_TOKENS = 256
"""Tokens that a step computes at most. The paged attention of a CPU forms every query x key of a batch, so that longer chunks
cost more a token, which GPU kernels do not."""

START_S, ANSWER_S, STOP_S = 120.0, 30.0, 10.0
"""Deadlines: until it listens (5 s on an idle machine, most of it imports), until its first token, until it ends when asked."""


@dataclass(frozen=True)
class TinyServer:
    """A server that answers."""

    url: str
    """Without /v1."""
    model: str
    process: subprocess.Popen[bytes]
    log: Path


def build_model(folder: Path, seed: int = 0) -> None:
    """A Llama of 4.2 million random weights and its tokenizer, written to `folder`.

    Eight narrow layers and one attention head: a step is mostly the fixed cost of its layers, as where kernels are launched,
    and attention a small part of it at a few hundred tokens, as in a large model.
    """
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, logging

    logging.disable_progress_bar()  # of writing one shard
    draw = random.Random(seed)  # noqa: S311 -- words, not secrets
    letters = "abcdefghijklmnopqrstuvwxyz"
    lines = (" ".join("".join(draw.choices(letters, k=draw.randint(2, 8))) for _ in range(12)) for _ in range(2000))
    ascii_only = Tokenizer(models.BPE())
    ascii_only.pre_tokenizer, ascii_only.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    alphabet = [chr(code) for code in range(33, 127)]
    # No special tokens: an output token that decodes to nothing, or ends the answer, would be a hole in the stream.
    ascii_only.train_from_iterator(
        lines, trainers.BpeTrainer(vocab_size=1024, special_tokens=[], initial_alphabet=alphabet, show_progress=False)
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=ascii_only)
    tokenizer.chat_template = "{% for m in messages %}{{ m['role'] }} {{ m['content'] }} {% endfor %}"
    tokenizer.save_pretrained(folder)
    torch.manual_seed(seed)
    config = LlamaConfig(
        hidden_size=256, intermediate_size=512, num_hidden_layers=8, num_attention_heads=1, num_key_value_heads=1, head_dim=64,
        vocab_size=len(tokenizer), max_position_embeddings=8192, bos_token_id=None, eos_token_id=None, pad_token_id=None,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    model.generation_config.do_sample = False
    model.save_pretrained(folder)


def serve_words(port: int, continuous: bool) -> list[str]:
    """The command that serves `NAME` of the working folder on 127.0.0.1; port 0 is a free one."""
    words = ["serve", NAME, "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    batching = ["--continuous-batching", "--cb-num-blocks", str(KV_BLOCKS), "--cb-max-batch-tokens", str(STEP_TOKENS)]
    return [sys.executable, "-m", "transformers.cli.transformers", *words, *(batching if continuous else [])]


def serve_environment(folder: Path) -> dict[str, str]:
    """This environment with one thread, no accelerator, no hub, and nobody's cache."""
    quiet = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_UPDATE_CHECK": "1", "HF_HOME": str(folder), "CUDA_VISIBLE_DEVICES": ""}
    return {**os.environ, **quiet, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}


@contextmanager
def tiny_server(continuous: bool = True, port: int = 0) -> Iterator[TinyServer]:
    """A server that has answered its first request; its processes and files are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="roi-tiny-server-") as name:
        folder = Path(name)
        log = folder / "server.log"
        build_model(folder / NAME)
        with log.open("wb") as talk:
            process = subprocess.Popen(
                serve_words(port, continuous), cwd=folder, env=serve_environment(folder), stdin=subprocess.DEVNULL,
                stdout=talk, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        try:
            server = TinyServer(_listening(process, log), NAME, process, log)
            _answer_once(server)
            yield server
        finally:
            _stop(process)


def _listening(process: subprocess.Popen[bytes], log: Path) -> str:
    """The URL that the server says it runs on."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        found = re.search(r"Uvicorn running on (http://[\d.]+:\d+)", log.read_text(errors="replace"))
        if found:
            return found[1]
        if process.poll() is not None:
            raise RuntimeError(_cannot_start(f"ended with code {process.returncode}", log))
        time.sleep(0.05)
    raise RuntimeError(_cannot_start(f"does not listen after {START_S:g} s", log))


def _answer_once(server: TinyServer) -> None:
    """One token: the engine makes its cache at the first request, which is no request's own time."""
    body = json.dumps({"model": server.model, "prompt": "a b", "max_tokens": 1, "temperature": 0}).encode()
    request = Request(f"{server.url}/v1/completions", body, {"Content-Type": "application/json"})  # noqa: S310 -- loopback
    try:
        with build_opener(ProxyHandler({})).open(request, timeout=ANSWER_S) as answer:
            json.load(answer)
    except (URLError, TimeoutError) as error:
        raise RuntimeError(_cannot_start(f"does not answer: {error}", server.log)) from error


def _cannot_start(why: str, log: Path) -> str:
    last = "\n".join(log.read_text(errors="replace").splitlines()[-12:])
    return f"transformers serve {why} (it needs pip install 'transformers[serving]', part of [dev]); its last lines:\n{last}"


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the server's group to end, then end it."""
    for order in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is None:
            os.killpg(process.pid, order)
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                continue


def main() -> None:
    """Serve in the foreground until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--sequential", action="store_true", help="no continuous batching: one request at a time")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # `kill` then takes the server along, as Ctrl-C does
    try:
        with tiny_server(continuous=not asked.sequential, port=asked.port) as server:
            print(f"{server.model} answers on {server.url}; Ctrl-C ends it", flush=True)  # noqa: T201 -- a script's job
            server.process.wait()
    except KeyboardInterrupt:
        return
    except RuntimeError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
