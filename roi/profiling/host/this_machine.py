"""The machine and the software of a run, and the device that was asked for."""

from typing import Final

from roi import __version__
from roi.catalog.cards.gpus import find_gpu, load_gpus
from roi.errors import InputError, RoiError
from roi.facts.environment import Environment
from roi.profiling.host.nvml import Board, open_boards
from roi.profiling.host.processor import cpu_name, load_average, package_versions, usable_cores
from roi.profiling.stack import torch

PACKAGES: Final = ("torch", "transformers", "peft", "bitsandbytes", "accelerate", "trl", "triton", "flash-attn", "nvidia-ml-py")
"""Whose versions a profile carries."""

DEVICES: Final = ("cuda", "cpu")


def pick_device(asked: str | None, field: str = "--device") -> str:
    """`cuda` or `cpu`: what was asked for if it is there; without a wish the GPU if there is one."""
    if asked is not None and asked not in DEVICES:
        raise InputError(f"{field}: {asked[:40]!r} is not one of {', '.join(DEVICES)}")
    found = torch.cuda.is_available()
    if asked == "cuda" and not found:
        raise InputError(f"{field} cuda: this torch ({torch.__version__}) sees no GPU; {field} cpu runs a small model")
    return asked or ("cuda" if found else "cpu")


def claim_board(device: str, *, force: bool = False) -> tuple[Board | None, tuple[str, ...]]:
    """(NVML's view of the GPU, notes); an InputError where other processes use it. Call before the first tensor.

    NVML is asked before torch opens the device: in a container it counts in the host's process numbers, and this process
    would look like another.
    """
    if device != "cuda":
        return None, ()
    unknown = "power, process memory and other users of the GPU are not known"
    try:
        boards = open_boards()
    except RoiError as error:
        return None, (f"{error}: {unknown}",)
    uuid = str(torch.cuda.get_device_properties(torch.cuda.current_device()).uuid)
    board = boards.get(uuid.removeprefix("GPU-"))
    if board is None:  # a MIG slice is no board of its own
        return None, (f"NVML lists no GPU {uuid}: {unknown}",)
    others = board.others()
    if others and not force:
        raise InputError(f"--device cuda: the GPU is used by {', '.join(others)}, which would spoil the times; "
                         "stop them, choose another with CUDA_VISIBLE_DEVICES, or --force")
    return board, (f"the GPU was shared with {', '.join(others)}",) if others else ()


def read_environment(device: str, seed: int, board: Board | None = None) -> Environment:
    """The machine and the software as they are now; clocks are read under load and come later."""
    on_gpu = device == "cuda"
    properties = torch.cuda.get_device_properties(torch.cuda.current_device()) if on_gpu else None
    memory = float(properties.total_memory) if properties else None
    return Environment(
        device="cuda" if on_gpu else "cpu",
        gpu=catalog_gpu(properties.name, properties.total_memory) if properties else None,
        gpu_name=properties.name if properties else cpu_name(),
        gpu_memory_bytes=memory,
        driver=board.driver() if board else None,
        cuda=torch.version.cuda,
        power_limit_w=board.power_limit_w() if board else None,
        cores=usable_cores(),
        threads=torch.get_num_threads(),
        load_average=load_average(),
        versions=package_versions(PACKAGES),
        seed=seed,
        commit=f"roi {__version__}",
    )


def catalog_gpu(name: str, memory_bytes: float) -> str | None:
    """The catalog's id of the card that the driver names; memory decides between cards of one name; else None.

    Drivers report up to 1% more or less than the catalog; cards of one name differ by a factor of two.
    """
    try:
        found = find_gpu(name)
    except InputError:
        plain = name.lower().replace("nvidia", "").strip()
        near = [g for g in load_gpus() if any(plain == alias.lower() for alias in g.aliases)
                and abs(g.memory_bytes / memory_bytes - 1.0) < 0.05]
        return near[0].id if len(near) == 1 else None
    return found.id if abs(found.memory_bytes / memory_bytes - 1.0) < 0.05 else None

