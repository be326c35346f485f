"""Apple's GPUs, from apple.csv: one row a chip and number of its cores; the Mac's unified memory is part of the name.

Metal lets a process use a share of that memory (`recommendedMaxWorkingSetSize`), and that share is what a card has here: 2/3
of machines up to 32 GB and 3/4 of larger ones. llama.cpp's logs show 11,453 MB of 16 GB (its CI), 21,845 MiB of 32 GB
(ollama/ollama issue 434), 73,728 MiB of 96 GB (ggml-org/llama.cpp issue 3213) and 144 GiB of 192 GB (raullenchai/Rapid-MLX
pull 183). Releases of macOS since 15 give up to 0.78 of smaller machines (26,801 MB of 32 GB), and sysctl iogpu.wired_limit_mb
sets it; neither is counted on. Up to M4 products run on the ALUs that do all else: 16 bits at the rate of 32, and no matrix
rate in bf16 or 8 bits. M5 has matrix units whose rate Apple does not publish, and is left out.
"""

import re
from functools import cache
from typing import Final

from pydantic import PositiveFloat, PositiveInt

from roi.catalog.rows import read_rows
from roi.facts.gpu import Gpu
from roi.facts.records import DatedRow
from roi.units import GIB, MIB

ALUS: Final = 128
"""Arithmetic units of a GPU core: 16 execution units of 8, each a multiply-add a clock (philipturner/metal-benchmarks)."""
SMALL_GB: Final = 32
"""Unified memory up to which Metal gives two thirds of it, beyond which three quarters."""
NOISE: Final = re.compile(
    r"\b(?:apple|silicon|mac ?studio|mac ?mini|mac ?pro|mac ?book ?(?:pro|air)?|i ?mac|mac|mtl0|chips?|gpus?|igpus?|with|and"
    r"|unified|memory|ram)\b|\b\d+ ?(?:c|cores?) ?cpus?\b")
"""Words that no chip needs to be told from another, the number of CPU cores among them."""
CHIP: Final = re.compile(r"\bm(\d)(?!\d) ?(pro|max|ultra)?(?![a-z])")
CORES: Final = re.compile(r"(?<!\d)(\d+) ?(?:c|cores?)(?![a-z])")
SIZE: Final = re.compile(r"(?<!\d)(\d+) ?(?:gib|gb|g)\b")
NUMBER: Final = re.compile(r"(?<!\d)\d+(?!\d)")


class Chip(DatedRow):
    """One chip with so many GPU cores."""

    chip: str
    """The chip's name, for example M2-Ultra."""
    cores: PositiveInt
    """GPU cores."""
    memory_gb: str
    """Sizes of unified memory that it was sold with, GB as Apple counts them (2^30 bytes), joined by "+"."""
    bandwidth_gb_per_s: PositiveFloat
    """Memory bandwidth, 1e9 bytes/s; CPU and GPU share it."""
    clock_mhz: PositiveFloat
    """Highest clock of the GPU; Apple publishes none."""
    cache_mib: PositiveFloat
    """System-level cache, MiB."""
    link_gb_per_s: PositiveFloat
    """Thunderbolt in one direction, 1e9 bytes/s."""
    watts: PositiveFloat
    """Most that the smallest Mac with it draws, or what its adapter gives, W."""
    year: PositiveInt
    """Year of release."""

    def with_memory(self, size_gb: int) -> Gpu:
        """The GPU in a Mac with so much unified memory."""
        flops = self.cores * ALUS * 2.0 * self.clock_mhz * 1e6
        share = 2.0 / 3.0 if size_gb <= SMALL_GB else 0.75
        return Gpu(id=f"{self.chip}-{self.cores}-{size_gb}GB", memory_bytes=share * size_gb * GIB,
                   bandwidth_bytes_per_s=self.bandwidth_gb_per_s * 1e9, fp32_flops=flops, fp16_flops=flops,
                   link_bytes_per_s=self.link_gb_per_s * 1e9, l2_bytes=self.cache_mib * MIB, power_w=self.watts,
                   year=self.year, source=self.source, date=self.date)


@cache
def apple_gpus() -> tuple[Gpu, ...]:
    """Every chip with every memory that it was sold with, in the file's order."""
    return tuple(row.with_memory(int(size)) for row in read_rows("cards/apple.csv", Chip) for size in row.memory_gb.split("+"))


def is_newer(name: str) -> bool:
    """True where a name is that of a chip with matrix units, whose rate Apple does not publish (M5)."""
    return re.match(r"(?:[a-z]+ )*m5(?:$| )", re.sub(r"[^a-z0-9]+", " ", name.lower())) is not None


def apple_named(name: str) -> tuple[Gpu, ...]:
    """The GPUs that a name means: "M2 Ultra 76-Core GPU 192GB", "Apple M3 Max", "Mac Studio M2 Ultra".

    Several where it leaves cores or memory open; none where it has a word more, or states what the chip was not sold with. A
    bare number is one of cores, or else of memory.
    """
    text = NOISE.sub(" ", re.sub(r"[^a-z0-9.]+", " ", name.lower()))
    chip = CHIP.search(text)
    if chip is None:
        return ()
    rest = text[: chip.start()] + " " + text[chip.end():]
    stated: dict[re.Pattern[str], list[int]] = {}
    for pattern in (SIZE, CORES, NUMBER):
        stated[pattern] = [int(re.sub(r"\D", "", found)) for found in (match.group() for match in pattern.finditer(rest))]
        rest = pattern.sub(" ", rest)
    if rest.strip():
        return ()
    word = "-".join(part for part in (f"M{chip[1]}", (chip[2] or "").capitalize()) if part)
    known = ((gpu, re.fullmatch(rf"{word}-(\d+)-(\d+)GB", gpu.id)) for gpu in apple_gpus())
    found = [(gpu, int(parts[1]), int(parts[2])) for gpu, parts in known if parts]
    for number in stated[NUMBER]:
        stated[CORES if any(cores == number for _, cores, _ in found) else SIZE].append(number)
    return tuple(gpu for gpu, cores, size in found
                 if {cores}.issuperset(stated[CORES]) and {size}.issuperset(stated[SIZE]))
