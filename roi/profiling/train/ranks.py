"""A process of a job on several cards among the others: its model, a replica (DDP) or a shard (FSDP), and what they agree on.

Each rank has its own part of the global batch. NCCL moves tensors between cards, Gloo between processes on a CPU; what ranks
tell each other beside the training goes through Gloo.
"""

from roi.profiling.stack import torch

# isort: split
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from torch import distributed
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.fsdp._fully_shard._fsdp_api import AllGather, ReduceScatter
from torch.nn.parallel import DistributedDataParallel

from roi.disk import replace_file
from roi.estimate.training.plan import TrainingPlan
from roi.profiling.session import first_line, ran_out
from roi.profiling.stack import quiet
from roi.profiling.torchrun import FAILED

PATIENCE: Final = timedelta(minutes=5)
"""Longest wait for the other ranks: beyond a step of any size that is profiled."""
LOOK_S: Final = 1.0
LINGER_S: Final = 3.0
"""How long a rank that lost another one waits for torchrun to notice which of them failed first."""
LOST: Final = ("Connection closed", "Connection reset", "Broken pipe", "Socket Timeout", "NCCL", "Timed out")
ALL_GATHER: Final = getattr(distributed, "all_gather_single", None) or distributed.all_gather_into_tensor
REDUCE_SCATTER: Final = getattr(distributed, "reduce_scatter_single", None) or distributed.reduce_scatter_tensor
"""The collective that ALL_GATHER is to gathering; torch has both under these names from 2.13 on, else the older ones."""


class Ranks:
    """The processes of a job, and which of them this one is, by the variables that torchrun sets."""

    def __init__(self, device: str) -> None:
        self.rank, self.size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        self.device = device
        self.silent = False
        """True while nothing is sent: steps then show what they take without the others."""
        _end_with(os.getppid())
        if device == "cuda":
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        distributed.init_process_group("cpu:gloo,cuda:nccl" if device == "cuda" else "gloo", timeout=PATIENCE)

    def spread(self, model: Any, plan: TrainingPlan) -> Any:  # Any: transformers' classes are chosen at run time
        """The model as the plan spreads it: a replica each, or every layer and what is around them sharded (FSDP2)."""
        if plan.sharding == "none":
            here = [torch.cuda.current_device()] if self.device == "cuda" else None
            return DistributedDataParallel(model, device_ids=here)
        gather, scatter = _Gather(self), _Scatter(self)
        for module in [*layers_of(model), model]:
            fully_shard(module, mesh=init_device_mesh(self.device, (self.size,)))
            module.set_custom_all_gather(gather)
            module.set_custom_reduce_scatter(scatter)
        return model

    def agree(self, go_on: bool, loss: float = 0.0) -> tuple[bool, float]:
        """(True where every rank goes on, the mean of their losses)."""
        said = torch.tensor([float(go_on), loss / self.size], dtype=torch.float64)
        distributed.all_reduce(said)
        return bool(said[0] == self.size), float(said[1])

    def gather(self, one: Any) -> list[Any]:  # Any: whatever each rank has to tell
        """What every rank has to tell, in their order."""
        found: list[Any] = [None] * self.size
        distributed.all_gather_object(found, one)
        return found

    @contextmanager
    def alone(self, model: Any) -> Iterator[None]:
        """Steps without a word to the others: gradients stay local, shards of others are stood in for by one's own."""
        self.silent = True
        try:
            with model.no_sync() if isinstance(model, DistributedDataParallel) else nullcontext():
                yield
        finally:
            self.silent = False

    def leave(self) -> None:
        """End the group."""
        distributed.destroy_process_group()


def run_as_rank(device: str, folder: Path, work: Callable[[Ranks], None]) -> int:
    """Do `work` as the rank that this process is; the exit code. A rank that fails writes why into `folder`."""
    rank = "?"
    try:
        ranks = Ranks(device)
        rank = str(ranks.rank)
        with quiet():
            work(ranks)
        ranks.leave()
    except Exception as error:  # noqa: BLE001 -- whatever it is: the parent tells it
        said = {"rank": rank, "said": first_line(error), "memory": ran_out(error), "at": time.time()}
        replace_file(folder / FAILED.format(rank), json.dumps(said))
        if any(word in str(error) for word in LOST):
            time.sleep(LINGER_S)
        return 1
    return 0


def layers_of(model: Any) -> list[Any]:  # Any: modules of transformers
    """The decoder layers, innermost first: the modules that transformers says are not to be split."""
    whole = getattr(model, "get_base_model", lambda: model)()
    names = set(whole._no_split_modules or ())
    return [module for module in model.modules() if type(module).__name__ in names]


class _Own:
    """What FSDP's collectives share: buffers from torch's allocator, and who is asked whether to send."""

    def __init__(self, ranks: Ranks) -> None:
        self.ranks = ranks

    def allocate(self, size: Any, *, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
        """A buffer for a collective."""
        return torch.empty(*size, dtype=dtype, device=device)


class _Gather(_Own, AllGather):
    """FSDP's all-gather."""

    def __call__(self, output_tensor: torch.Tensor, input_tensor: torch.Tensor, group: Any,
                 async_op: bool = False) -> Any:  # Any: torch's own types of groups and work
        if self.ranks.silent:
            output_tensor.view(self.ranks.size, -1).copy_(input_tensor.view(1, -1).expand(self.ranks.size, -1))
            return None
        return ALL_GATHER(output_tensor, input_tensor, group=group, async_op=async_op)


class _Scatter(_Own, ReduceScatter):
    """FSDP's reduce-scatter."""

    def __call__(self, output_tensor: torch.Tensor, input_tensor: torch.Tensor, group: Any, op: Any,
                 async_op: bool = False) -> Any:  # Any: torch's own types of groups, operations and work
        if self.ranks.silent:
            output_tensor.copy_(input_tensor.view(self.ranks.size, -1)[self.ranks.rank].view_as(output_tensor))
            return None
        return REDUCE_SCATTER(output_tensor, input_tensor, op=op, group=group, async_op=async_op)


def _end_with(parent: int) -> None:
    """End this process at once when the launcher is gone, also out of a collective that waits for ever."""
    def look() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_S)
        os._exit(1)

    threading.Thread(target=look, daemon=True).start()
