"""`roi profile device --link`: how fast the cards of this machine reduce, gather and scatter, by size of the message.

Each card has a process, `python -m roi.profiling.device.link FOLDER`, which torchrun starts. Rank 0 writes into FOLDER what is
done after every size, so that it outlives a job that hangs or dies.
"""

from roi.profiling.stack import torch

# isort: split
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from pydantic import TypeAdapter
from torch import distributed

from roi.disk import read_text, replace_file
from roi.errors import InputError, RoiError
from roi.facts.profiles import Collective, DeviceProfile, LinkRate
from roi.profiling.device.operator_rates import synchronise
from roi.profiling.session import Session
from roi.profiling.torchrun import MOST_BYTES, first_failure, read_order, run_ranks
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


def cards_here(device: str) -> int:
    """How many ranks are timed without a wish: all GPUs, an InputError where that is one; on a CPU two processes."""
    there = torch.cuda.device_count() if device == "cuda" else 2
    if there < 2:
        raise InputError("--link: 1 GPU is there, and a link needs two; --device cpu times processes on this host")
    return there


def profile_link(session: Session, gpus: int) -> DeviceProfile:
    """A device profile that holds the link between `gpus` cards; on a CPU between so many processes.

    Ctrl-C, a rank that dies, or the budget ends it early with complete=False; sizes that were done are kept. Where none was
    done, it is a RoiError that says why.
    """
    link: tuple[LinkRate, ...] = ()

    def look() -> None:
        nonlocal link
        session.show(f"link between {gpus} ranks")
        if (folder / LINK).exists():
            link = RATES.validate_json(read_text(folder / LINK, MOST_BYTES))

    def run() -> None:
        order = LinkOrder(session.device, session.budget_s)
        if (said := run_ranks("roi.profiling.device.link", folder, order, gpus, look)) is not None:
            failure = first_failure(folder, gpus, said)
            raise RoiError(f"rank {failure.rank}: {failure.said}")

    with tempfile.TemporaryDirectory(prefix="roi-ranks-") as name:
        folder = Path(name)
        session.measure(run, lambda: link)
    done, asked = len({rate.message_bytes for rate in link}), len(SIZES[session.device])
    if not link:
        raise RoiError(f"nothing was measured: {'; '.join(session.notes) or 'the ranks ended without a word'}")
    if done < asked:
        session.notes.append(f"{asked - done} of {asked} sizes of messages were not timed")
    return DeviceProfile(started=session.started, environment=session.environment, rates=(), link=link,
                         complete=done == asked and not session.cut, notes=session.all_notes)


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
