"""A server that is started for a profile: on loopback, offline, with given or dummy weights; ended for certain afterwards."""

import re
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

from roi.errors import InputError, MissingExtra, NotAChoice, RoiError, nearest_file
from roi.profiling.child import Child
from roi.profiling.model_to_build import choose_model_to_build
from roi.profiling.progress import Watcher
from roi.profiling.server.endpoint import read_url
from roi.profiling.server.http_client import ask_once
from roi.profiling.server.server_json import blocks, json_object
from roi.units import GIB

ENGINES: Final = ("vllm", "sglang", "transformers", "llama-server")
DUMMY: Final = ("vllm", "sglang")
"""Engines that make random weights themselves (--load-format dummy); for transformers they are written to a folder."""
OFFLINE: Final = {
    "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_UPDATE_CHECK": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "PYTHONUNBUFFERED": "1",
}
"""Nothing is downloaded, and nothing is told to anybody."""
ASK_S: Final = 0.25
ANSWERS_S: Final = 2.0
WEIGHTS: Final = (".safetensors", ".bin")
MOST_OF_DISK: Final = 0.9
LISTENS: Final = ("--host", "--port", "--uds")
"""Options of engines that say where they listen."""
STACK: Final = ("torch", "transformers", "bitsandbytes", "peft")
"""What `roi.profiling.stack` imports."""
CARDS: Final = ("nvidia[0-9]*", "kfd", "dxg")
"""Device files of NVIDIA's and AMD's drivers, and of both in a WSL."""
SHOWN: Final = 6
"""Lines of the log behind a failure."""


class Launch(NamedTuple):
    """What is to be served, and how."""

    engine: str
    model: Path
    """A folder with config.json and, unless `dummy`, weights; for llama-server a GGUF file."""
    dummy: bool = False
    """True where the engine makes random weights itself."""
    gpus: int = 1
    on_gpu: bool = True

    @property
    def name(self) -> str:
        """What the server calls the model."""
        return self.model.name


class Launched(NamedTuple):
    """A server that answers."""

    url: str
    name: str
    start_s: float
    """Seconds from its start to its first answer."""


def launch_command(launch: Launch, port: int) -> list[str]:
    """The command line that serves on 127.0.0.1; an InputError where its program is not installed.

    Options as the engines name them: `vllm serve --help`, `python -m sglang.launch_server --help`, `transformers serve --help`,
    `llama-server --help`.
    """
    model, at = str(launch.model), ["--host", "127.0.0.1", "--port", str(port)]
    dummy = ["--load-format", "dummy"] if launch.dummy else []
    match launch.engine:
        case "vllm":
            return [_vllm(), "serve", model, *at, "--served-model-name", launch.name,
                    "--tensor-parallel-size", str(launch.gpus), *dummy]
        case "sglang":
            return [*_module("sglang", "sglang.launch_server", "pip install sglang"), "--model-path", model, *at,
                    "--served-model-name", launch.name, "--tp-size", str(launch.gpus), *dummy]
        case "transformers":
            batching = ["--device", "cuda" if launch.on_gpu else "cpu", "--continuous-batching"]
            words = _module("transformers", "transformers.cli.transformers", "pip install 'transformers[serving]'")
            return [*words, "serve", launch.name, *at, *batching]  # by its name in the folder that it runs in
        case "llama-server":
            program = shutil.which("llama-server")
            words = [program] if program else _module("llama_cpp", "llama_cpp.server", "pip install 'llama-cpp-python[server]'")
            named = ["--alias", launch.name] if program else ["--model_alias", launch.name, "--interrupt_requests", "false"]
            return [*words, "--model", model, *at, *named]  # the Python one would end a stream where another request comes
    raise NotAChoice("--launch", launch.engine, ENGINES)


def _vllm() -> str:
    beside = Path(sys.executable).with_name("vllm")
    found = shutil.which("vllm") or (str(beside) if beside.exists() else None)
    if found is None:
        raise InputError("--launch vllm: there is no program vllm here; pip install vllm")
    return found


def _module(package: str, module: str, install: str) -> list[str]:
    if find_spec(package) is None:
        raise InputError(f"--launch {package.replace('_', '-')}: Python has no package {package} here; {install}")
    return [sys.executable, "-m", module]


def prepare_launch(engine: str, model: str, folder: Path, *, gpus: int = 1, on_gpu: bool = True) -> tuple[Launch, str | None]:
    """(What is to be served, the catalog's name of its shape where MODEL was one).

    MODEL is a folder with weights, which are served as they are; a GGUF file, for llama-server; or a name of the catalog, or a
    configuration without weights: dummy ones then, by the engine itself, or (transformers) written into `folder`.
    """
    path = Path(model)
    if _has_weights(engine, path):
        return Launch(engine, path.resolve(), gpus=gpus, on_gpu=on_gpu), None
    chosen = choose_model_to_build(model, None, "cuda" if on_gpu else "cpu")
    width = 2.0 if on_gpu else 4.0
    needed = 0.0 if chosen.shape is None or engine in DUMMY else width * chosen.shape.parameters
    free = float(shutil.disk_usage(folder).free)
    if needed > MOST_OF_DISK * free:
        raise InputError(f"MODEL: random weights of {chosen.name} take {needed / GIB:.1f} GiB of disk for transformers serve, "
                         f"{free / GIB:.1f} are free; --launch vllm makes them in memory")
    from roi.profiling.server.dummy_model import write_model  # torch takes seconds to import

    name = path.resolve().name if path.exists() else chosen.name  # a profile names no folders
    home = folder / (re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-") or "model")
    write_model(home, chosen, weights=engine not in DUMMY)
    known = chosen.shape.id if chosen.shape is not None and chosen.listed else None
    return Launch(engine, home, dummy=engine in DUMMY, gpus=gpus, on_gpu=on_gpu), known


def check_launch(engine: str, model: str, words: Iterable[str] = ()) -> None:
    """Raise an InputError, before anything is said or done, where the server cannot be started.

    The engine is not here, MODEL is nothing that it serves, `words` (further options of the engine) say where it listens, or
    torch is needed and is not installed: it writes random weights, and it knows a card of this machine.
    """
    has_weights = _has_weights(engine, Path(model))
    if not has_weights:
        choose_model_to_build(model, None, "cuda")
    launch_command(Launch(engine, Path(model)), 0)
    for word in words:
        if word.partition("=")[0] in LISTENS:
            raise InputError(f"--engine-args: {word[:40]} is not usable: the server listens on a free port of 127.0.0.1; for "
                             "another, start it yourself and give its URL")
    if (missing := missing_stack()) and (not has_weights or has_card()):
        why = "to name the card of this machine" if has_weights else "to make random weights"
        raise MissingExtra("profile", f"{missing} {why}", "; or start the server yourself and give its URL")


def missing_stack() -> str | None:
    """The first package of the extra `profile` that is not installed; None where all are."""
    return next((name for name in STACK if find_spec(name) is None), None)


def has_card(devices: Path = Path("/dev")) -> bool:
    """True where the machine has a card that torch could name: NVIDIA's or AMD's."""
    return any(any(devices.glob(name)) for name in CARDS)


def _has_weights(engine: str, path: Path) -> bool:
    """True where MODEL is served as it is; an InputError where llama-server would have no file."""
    if engine == "llama-server":
        if path.suffix != ".gguf" or not path.is_file():
            what = "is none" if path.exists() else f"is not there{nearest_file(path, folders=True)}"
            raise InputError(f"MODEL: llama-server serves a GGUF file; {str(path)[:80]!r} {what}")
        return True
    return path.is_dir() and any(file.suffix in WEIGHTS for file in path.iterdir())


@contextmanager
def launched(launch: Launch, port: int, most_s: float, watcher: Watcher, words: tuple[str, ...] = ()) -> Iterator[Launched]:
    """The server on this port, once it lists its model; its processes are gone when the block is left, also by a kill.

    A RoiError with the last lines of its log where it ends, or answers nothing within `most_s` seconds. `words` are further
    options of the engine.
    """
    with tempfile.TemporaryDirectory(prefix="roi-server-") as folder:
        home, began_s = Path(folder), time.monotonic()
        (home / "hub").mkdir()  # transformers serve lists what is cached there, and answers 500 where the folder is not
        own = {"HF_HOME": str(home)} if launch.engine == "transformers" else {}
        command = [*launch_command(launch, port), *words]
        watcher.say(f"starting {' '.join(command[:4])} ...")
        with Child(command, home / "log", {**OFFLINE, **own}, launch.model.parent) as child:
            url = f"http://127.0.0.1:{port}"
            _wait_until(url, child, launch, most_s)
            yield Launched(url, launch.name, time.monotonic() - began_s)


def _wait_until(url: str, child: Child, launch: Launch, most_s: float) -> None:
    ends_s = time.monotonic() + most_s
    while not _lists(url):
        code = child.exit_code
        if code is not None:
            how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
            raise RoiError(_failed(f"{launch.engine} {how} before it answered (--engine-args gives it other options)", child))
        if time.monotonic() > ends_s:
            raise RoiError(_failed(f"{launch.engine} did not answer within {most_s:g} s; --start-timeout gives it more", child))
        time.sleep(ASK_S)


def _failed(what: str, child: Child) -> str:
    lines = child.last_lines(SHOWN)
    return f"{what}; the end of its log: {' | '.join(map(str.strip, lines))}" if lines else f"{what}; its log is empty"


def _lists(url: str) -> bool:
    """True where the server lists a model."""
    answer = ask_once(read_url(url), "/v1/models", ANSWERS_S)
    return answer.status == 200 and bool(blocks((json_object(bytes(answer.body)) or {}).get("data")))


def free_port() -> int:
    """A port of the loopback interface that nobody listens on now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
