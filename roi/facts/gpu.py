"""A GPU as its datasheet states it. Fitted efficiencies are kept elsewhere, never beside datasheet figures."""

import re
from typing import Final

from pydantic import PositiveFloat, PositiveInt

from roi.facts.records import DatedRow

PCIE_AT_MOST: Final = 100e9
"""Bytes/s in one direction above which a link is NVLink or Infinity Fabric (PCIe 5 x16: 63 GB/s)."""
AMD: Final = ("MI", "RX-", "Radeon-")
"""How the ids of AMD's cards begin."""
WARP_GROUPED: Final = re.compile(r"G?(H20|[HB][1-3]00|H800)(?!\d)")
"""How the ids of Hopper's begin and of the data centre's Blackwell; an Intel B580 or HL-325L of one's own is neither."""
APPLE: Final = re.compile(r"(M\d(?:-Pro|-Max|-Ultra)?-\d+)-\d+GB")
"""The ids of Apple's: chip and GPU cores, then the Mac's memory (M2-Ultra-76-192GB)."""


def is_apple(gpu_id: str) -> bool:
    """True for the id of the GPU of a Mac."""
    return APPLE.fullmatch(gpu_id) is not None


def same_chip(gpu_id: str) -> str:
    """The id, less the memory where Apple sells a chip with several: they are equally fast."""
    chip = APPLE.fullmatch(gpu_id)
    return chip[1] if chip else gpu_id


class Gpu(DatedRow):
    """Datasheet figures of one GPU, in SI units; rates are dense (no structured sparsity); `date` is when they were read."""

    id: str
    """Name in this catalog, for example H100-80GB-SXM."""
    aliases: tuple[str, ...] = ()
    """Other names people type, for example H100."""
    memory_bytes: PositiveFloat
    """Device memory as a program can see it, bytes.

    The total that the runtime reports (`torch.cuda.mem_get_info`, and every out-of-memory message), with a recent driver:
    below the name on the box (L4 "24 GB": 22.03 GiB) and below nvidia-smi's total. Drivers differ by up to 1%.
    """
    bandwidth_bytes_per_s: PositiveFloat
    """Peak device-memory bandwidth, bytes/s."""
    fp32_flops: PositiveFloat
    """Peak fp32 rate outside tensor cores, FLOP/s."""
    fp32_lanes: PositiveInt = 128
    """Multiply-adds in fp32 that a multiprocessor (AMD: compute unit) starts in a cycle, as `fp32_flops` counts them: 64 on
    P100, Volta, Turing, A100 and A30 (CUDA C++ Programming Guide, arithmetic instructions), and on AMD's before RDNA3 and
    CDNA3, whose figures count two an instruction."""
    fp16_flops: PositiveFloat
    """Peak dense fp16 matrix rate with fp32 accumulation, FLOP/s."""
    bf16_flops: PositiveFloat | None = None
    """Peak dense bf16 matrix rate, FLOP/s; None where the card has none (V100, T4)."""
    tf32_flops: PositiveFloat | None = None
    """Peak dense TF32 matrix rate, FLOP/s."""
    int8_ops: PositiveFloat | None = None
    """Peak dense int8 matrix rate, op/s."""
    fp8_flops: PositiveFloat | None = None
    """Peak dense fp8 matrix rate, FLOP/s."""
    fp4_flops: PositiveFloat | None = None
    """Peak dense fp4 matrix rate, FLOP/s."""
    link_bytes_per_s: PositiveFloat
    """GPU-to-GPU bandwidth in one direction inside an instance (NVLink, Infinity Fabric, else PCIe), bytes/s."""
    l2_bytes: PositiveFloat
    """Last-level cache, bytes."""
    power_w: PositiveFloat
    """Board power limit (TDP), W."""
    year: PositiveInt
    """Year of release."""

    @property
    def amd(self) -> bool:
        """True for AMD's cards: no CUDA, and kernels of their own."""
        return self.id.startswith(AMD)

    @property
    def apple(self) -> bool:
        """True for the GPU of a Mac: Metal, memory that the CPU shares, and products on the ALUs that do all else."""
        return is_apple(self.id)

    @property
    def warp_groups(self) -> bool:
        """True where only instructions of a warp group reach the full matrix rate (wgmma, tcgen05), and mma.sync two thirds.

        Of Hopper and the data centre's Blackwell; GB10 has mma.sync alone, as GeForce (CUTLASS: SM121 beside SM120).
        """
        return WARP_GROUPED.match(self.id) is not None

    @property
    def matrix_cores(self) -> bool:
        """False where vector units compute products: no bf16, and 16 bits at twice their fp32 rate at most (Pascal, MI50)."""
        return self.bf16_flops is not None or self.fp16_flops > 2.1 * self.fp32_flops

    @property
    def multiprocessor_cycles_per_s(self) -> float:
        """Cycles a second of all multiprocessors together, at the clock of `fp32_flops`."""
        return self.fp32_flops / (2.0 * self.fp32_lanes)

    @property
    def pcie(self) -> bool:
        """True where PCIe alone joins the cards of an instance."""
        return self.link_bytes_per_s <= PCIE_AT_MOST

    def matrix_flops(self, dtype: str) -> float:
        """Peak dense matrix rate, FLOP/s, for products computed in `dtype`.

        `dtype` is one of fp32, fp16, bf16, fp8, int8, fp4. A format that the card lacks falls back to the format
        that engines then compute in: bf16 to fp16, fp8/int8/fp4 weights to 16-bit products; so do int8 weights where
        int8 products are the slower ones (B300).
        """
        half = self.bf16_flops or self.fp16_flops
        rates = {
            "fp32": self.fp32_flops, "fp16": self.fp16_flops, "bf16": half, "fp8": self.fp8_flops or half,
            "int8": max(self.int8_ops or half, half), "fp4": self.fp4_flops or self.fp8_flops or half,
        }  # fmt: skip
        if dtype not in rates:
            raise ValueError(f"no matrix rate for dtype {dtype!r}")
        return rates[dtype]
