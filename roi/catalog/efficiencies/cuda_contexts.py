"""What a CUDA process holds outside torch's allocator, by GPU, from cuda_contexts.csv.

Each observation is an out-of-memory message of torch: what the driver counts for the process, less what torch reserved.
They follow one law, so many bytes for every thread that the GPU can hold at once: the driver sets local memory aside for all
of them (a stack of 1 KiB by default, cudaLimitStackSize), and what it keeps to save a multiprocessor's registers and shared
memory grows with their number too. Loaded kernels and cuBLAS are in the observations; cuBLAS's workspace is in torch's
allocator. Not counted: the buffers of collectives (a job on several GPUs shows 0.5 to 1 GiB more), cuDNN and cuFFT plans,
compiled extensions, CUDA graphs, other processes.
"""

from datetime import date as Date
from functools import cache
from statistics import median
from typing import Final

from pydantic import PositiveFloat, PositiveInt

from roi.catalog.efficiencies.training_efficiencies import Efficiency, training_efficiencies
from roi.catalog.rows import read_rows
from roi.estimate.fitting.overhead import Overhead
from roi.facts.fact import Basis
from roi.facts.gpu import Gpu
from roi.facts.records import Record
from roi.numerics.spreads import ends
from roi.units import GIB, MIB

UNKNOWN_BYTES: Final = (0.5 * GIB, 0.1 * GIB, 1.0 * GIB)
"""Central, low, high for a GPU without threads in the file (AMD): no source read; the span of all cards that have one."""


class ContextRow(Record):
    """One GPU, and where there is one, an observation on it."""

    gpu: str
    """Name in this catalog."""
    sms: PositiveInt
    """Streaming multiprocessors, from the datasheet (multi_processor_count)."""
    threads_per_sm: PositiveInt
    """Threads that one can hold at once, set by the compute capability (CUDA programming guide, technical specifications)."""
    process_gib: PositiveFloat | None = None
    """What the message counts for the process, GiB, two decimals."""
    allocated_gib: PositiveFloat | None = None
    """"... is allocated by PyTorch", GiB, two decimals."""
    unallocated_mib: PositiveFloat | None = None
    """"... is reserved by PyTorch but unallocated", MiB; given in GiB to two decimals where it is large."""
    source: str = ""
    """Who shows the message."""
    date: Date | None = None
    """When it was posted, or read where it bears no date."""
    note: str = ""
    """What the job was, as far as known."""

    @property
    def threads(self) -> int:
        """Threads that the GPU can hold at once."""
        return self.sms * self.threads_per_sm

    @property
    def context_bytes(self) -> float | None:
        """Process less reserved, bytes; the message's rounding makes it uncertain by 10 MiB. None without an observation."""
        if self.process_gib is None or self.allocated_gib is None or self.unallocated_mib is None:
            return None
        return (self.process_gib - self.allocated_gib) * GIB - self.unallocated_mib * MIB


def context_rows() -> tuple[ContextRow, ...]:
    """Every row of cuda_contexts.csv."""
    return read_rows("efficiencies/cuda_contexts.csv", ContextRow)


@cache
def fit_context(rows: tuple[ContextRow, ...]) -> tuple[float, float, float, int]:
    """Bytes per resident thread: central, 5th and 95th percentile, and the observations behind them.

    Central: median over the cards of each card's median, so that one card's many rows do not outvote the others. The spread
    is that of single observations.
    """
    seen = [(row.gpu, held / row.threads) for row in rows if (held := row.context_bytes) is not None]
    central = median(median(value for gpu, value in seen if gpu == name) for name in {gpu for gpu, _ in seen})
    low, high = ends(value for _, value in seen)
    return central, low, high, len(seen)


def cuda_context(gpu: Gpu) -> Efficiency:
    """Bytes outside torch's allocator on that GPU, with its spread; `Overhead.context_bytes` takes `number()` and `spread()`.

    CUDA is of a version that loads kernels lazily (11.7 or later).
    """
    row = next((row for row in context_rows() if row.gpu == gpu.id), None)
    if row is None:
        value, low, high = UNKNOWN_BYTES
        return Efficiency(
            value=value, low=low, high=high, unit="bytes", basis=Basis.ASSUMED, n=0,
            source=f"no observation for {gpu.id}; the span of NVIDIA cards",
            reason="Driver's context and loaded kernels, outside torch's allocator.",
        )
    *per_thread, n = fit_context(context_rows())
    value, low, high = (rate * row.threads for rate in per_thread)
    newest = max(row.date for row in context_rows() if row.date is not None)
    return Efficiency(
        value=value, low=low, high=high, unit="bytes", basis=Basis.CALIBRATED, n=n, date=newest,
        source=f"cuda_contexts.csv: out-of-memory messages, process less reserved; {per_thread[0] / 1024:.2f} KiB for each of "
        f"{row.threads:,} resident threads",
        reason="The driver sets local memory aside for every thread that can be resident; kernels and cuBLAS come on top.",
    )


def training_overhead(gpu: Gpu) -> Overhead:
    """Slack as replayed from dry runs, context as observed on cards with as many resident threads."""
    return training_efficiencies().overhead(cuda_context(gpu))
