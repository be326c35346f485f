"""One process of those that time the link between cards: `python -m roi.profiling.device.link_run FOLDER`, from torchrun.

Rank 0 writes into FOLDER what is done after every size, so that it outlives a job that hangs or dies.
"""

from roi.profiling.stack import torch

# isort: split
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from pydantic import TypeAdapter
from torch import distributed

from roi.disk import replace_file
from roi.facts.profiles import Collective, LinkRate
from roi.profiling.device.operator_rates import synchronise
from roi.profiling.torchrun import read_order
from roi.profiling.train.ranks import ALL_GATHER, REDUCE_SCATTER, Ranks, run_as_rank

LINK: Final = "link.json"
RATES: Final = TypeAdapter(tuple[LinkRate, ...])
SIZES: Final = {"cuda": tuple(1024 * 4**n for n in range(10)), "cpu": tuple(1024 * 4**n for n in range(8))}
"""Bytes of a message: from where latency is everything to beyond the buckets of DDP and the layers of FSDP (256 MiB)."""
SAMPLES: Final = 10
WARM_UP: Final = 2
"""Samples before the first one that counts: NCCL opens its channels in the first call of each kind."""
SHORT_BYTES: Final = 2**20
SHORT_CALLS: Final = 20
"""Calls in one sample of messages up to that size: one alone is mostly the host's wait for the device."""


class LinkOrder(NamedTuple):
    """What every rank is to do."""

    device: str
    budget_s: float


def main(folder: Path) -> int:
    """Do what the order in `folder` says; the exit code."""
    order: LinkOrder = read_order(folder)
    return run_as_rank(order.device, folder, lambda ranks: _time_link(ranks, order.budget_s, folder))


def _time_link(ranks: Ranks, budget_s: float, folder: Path) -> None:
    """All collectives by size, small ones first; the first size is timed whatever it takes."""
    ends_s, rates = time.monotonic() + budget_s, list[LinkRate]()
    for size in SIZES[ranks.device]:
        if not ranks.agree(time.monotonic() < ends_s or not rates)[0]:
            return
        for collective, (nbytes, call) in _calls(size, ranks).items():
            seconds = _seconds(call, nbytes, ranks)
            rates.append(LinkRate(collective=collective, ranks=ranks.size, message_bytes=nbytes, seconds=seconds))
        if ranks.rank == 0:
            replace_file(folder / LINK, RATES.dump_json(tuple(rates)).decode())


def _calls(size: int, ranks: Ranks) -> dict[Collective, tuple[int, Callable[[], object]]]:
    """(bytes, call) of each collective over a message of `size` bytes, or the next smaller that the ranks divide."""
    dtype = torch.bfloat16 if ranks.device == "cuda" else torch.float32
    part = torch.zeros(size // dtype.itemsize // ranks.size, dtype=dtype, device=ranks.device)
    whole = part.repeat(ranks.size)
    return {
        "all-reduce": (whole.nbytes, lambda: distributed.all_reduce(whole)),
        "all-gather": (whole.nbytes, lambda: ALL_GATHER(whole, part)),
        "reduce-scatter": (whole.nbytes, lambda: REDUCE_SCATTER(part, whole)),
    }


def _seconds(call: Callable[[], object], nbytes: int, ranks: Ranks) -> tuple[float, ...]:
    """Seconds of one call in each sample, of the rank that took longest; every rank starts when all are there."""
    calls, own = SHORT_CALLS if nbytes <= SHORT_BYTES else 1, list[float]()
    for _ in range(WARM_UP + SAMPLES):
        synchronise(ranks.device)
        ranks.agree(True)
        start = time.perf_counter()
        for _ in range(calls):
            call()
        synchronise(ranks.device)
        own.append((time.perf_counter() - start) / calls)
    return tuple(max(one) for one in zip(*ranks.gather(own[WARM_UP:]), strict=True))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
