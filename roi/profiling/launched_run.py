"""A profile of a server that is started for it on this machine: its card's power is read, and the server is gone afterwards."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from roi.profiling.board import Board, PowerMeter
from roi.profiling.progress import Watcher
from roi.profiling.server.launch import has_card, launched, missing_stack, prepare_launch
from roi.profiling.server.measured_server import profile_serve
from roi.profiling.server.server_run import ServeRequest, ServeRun
from roi.profiling.stops import Stops


class LaunchOrder(NamedTuple):
    """What is to be started."""

    engine: str
    model: str
    """A folder with weights, a GGUF file, or a name of the catalog."""
    gpus: int = 1
    most_start_s: float = 600.0
    words: tuple[str, ...] = ()
    """Further options of the engine."""
    force: bool = False
    said: str = ""
    """What will be sent; told once the server answers, so that what stops it does not follow a plan."""


def profile_launched(order: LaunchOrder, request: ServeRequest, watcher: Watcher, stops: Stops) -> ServeRun:
    """Start the server at the request's endpoint, profile it, end it. What is stated of the server wins over what is seen here.

    Ctrl-C and SIGTERM before the first load end the server and are passed on; later they keep what was measured.
    """
    device, board, card, shared = look(order, request.seed)
    with tempfile.TemporaryDirectory(prefix="roi-model-") as folder:
        launch, known = prepare_launch(order.engine, order.model, Path(folder), gpus=order.gpus, on_gpu=device == "cuda")
        said = request.stated
        stated = replace(said, model=said.model or known, gpu=said.gpu or card,
                         engine=said.engine or ("llama.cpp" if order.engine == "llama-server" else order.engine),
                         weight_dtype=said.weight_dtype or ("bf16" if launch.dummy or known else None))
        meter = PowerMeter(board)
        with launched(launch, request.endpoint.port, order.most_start_s, watcher, order.words) as server:
            watcher.tell(order.said)
            meter.start()
            try:
                run = profile_serve(replace(request, served_model=request.served_model or server.name, stated=stated), watcher,
                                    stops)
            finally:
                draw = meter.stop()
    weights = "random weights" if launch.dummy or launch.model.is_relative_to(folder) else f"weights of {launch.name}"
    notes = (f"{order.engine} was started here with {weights}, answered after {server.start_s:.0f} s, and was ended", *shared)
    return run._replace(profile=run.profile.model_copy(update={
        "power_w": draw.power_w, "notes": (*run.profile.notes, *notes)}))


def look(order: LaunchOrder, seed: int) -> tuple[str, Board | None, str | None, tuple[str, ...]]:
    """(`cuda` or `cpu`, NVML's view of the card, its name, notes); torch is asked, unless it and a card are not here."""
    if missing_stack() and not has_card():
        return "cpu", None, "cpu", ()
    from roi.profiling.session import claim_board, pick_device, read_environment  # torch takes seconds to import

    device = pick_device(None)
    board, shared = claim_board(device, force=order.force)
    seen = read_environment(device, seed, board)
    return device, board, seen.gpu if device == "cuda" else "cpu", shared
