"""What the name of a GPU says, as drivers, clouds, benchmark tables and people write it.

nvidia-smi prints "NVIDIA H100 80GB HBM3", lspci "GA102 [GeForce RTX 3090]", rocm-smi "AMD Instinct MI300X OAM", MLPerf's tables
"NVIDIA GH200-GraceHopper-Superchip-144GB", clouds "nvidia-h100-80gb". A name is the words that say which card it is, and
what it states beside them: memory, board, kind of memory, watts. A word that is none of these stays in the card's own ("RTX
4090 D", "4090 Laptop", "MIG 1g.10gb"), so that no card is taken for one near it.
"""

import re
from dataclasses import dataclass
from typing import Final

from roi.facts.gpu import Gpu
from roi.units import GIB, MIB

PLAIN: Final = re.compile(r"nvidia|geforce|tesla|radeon|amd|instinct|[^a-z0-9]")
"""What two spellings of one name may differ in: makers, families without a card of their own, punctuation."""
LISTED: Final = re.compile(r"^.*?\b(?:[a-z]{2}\d+[a-z]*|navi \d+|vega \d+|aldebaran|aqua vanjaram)\b[^\[]*\[([^\]]+)\].*$")
"""lspci's form: the chip, and in brackets the card."""
NOISE: Final = re.compile(
    r"\b(?:nvidia|geforce|tesla|amd|ati|instinct|radeon|corporation|corp|inc|graphics|gpus?|accelerators?|cards?|vram"
    r"|tensor ?core|generation|hopper|ampere|turing|volta|pascal|lovelace|grace ?(?:hopper|blackwell)|superchip|cts|ecc"
    r"|rev \w\d)\b")
"""Words that no card needs to be told from another; the generation of "RTX 6000 Ada" is none of them, nor is Blackwell."""
SIZE: Final = re.compile(r"(?<![a-z0-9.])(\d+(?:\.\d+)?) ?(gib|gb|g|mib|mb)\b(?! ?/s)")
MEMORY: Final = re.compile(r"\b(hbm\d?e?|gddr\d\w?|lpddr\d\w?)\b")
WATTS: Final = re.compile(r"\b(\d{2,4}) ?w(?:atts?)?\b")
BOARD: Final = re.compile(r"\b(sxm ?\d?|pci(?:-?e| ?express)?(?: ?gen ?\d| ?\d\.0)?(?: ?x\d+)?|nvl|oam|hgx|dgx(?! spark))\b")
RACK: Final = re.compile(r"\bnvl ?\d+(?:x\d)?\b")
"""GB200 NVL72: so many GPUs in one NVLink domain."""
INSTANCE: Final = re.compile(
    r"^(?:(p\d\w*(?:-b\d+)?|g\d\w*)\.(?:\d*xlarge|metal\b.*)|(a\d-[a-z]+gpu|g2-standard)-\d+g?"
    r"|standard (n[cd])\d+[a-z]*( \w+)?( v\d))$")
"""A cloud's machine: the family, and a size (p5.48xlarge, a2-highgpu-8g, Standard_NC24ads_A100_v4)."""
SXM: Final = {"p": "2", "v": "2", "a": "4", "h": "5", "b": "6"}
"""NVIDIA's module of each generation, by the first letter of its cards; V100's SXM3 is faster than the card on SXM2."""
COUNTS: Final = (re.compile(r"(?P<n>\d{1,4}) ?[x×*] ?(?P<card>.+)"), re.compile(r"(?P<card>.+?) ?[x×*:] ?(?P<n>\d{1,4})"),
                 re.compile(r"(?P<card>.+?) (?P<n>\d{1,4}) ?[x×]"))
"""How people write several cards in one: 8xH100, A100 x 4, H100:8, MI300X 8x."""
TOLERANCE: Final = 0.03
"""Share by which a memory in MiB or GiB may differ: nvidia-smi counts what drivers keep for themselves."""


@dataclass(frozen=True)
class GpuName:
    """What a name says."""

    core: str
    """The card's own words, run together."""
    sizes: tuple[tuple[float, str], ...]
    """Stated memory, with its unit as written (gb, gib, mib)."""
    board: str
    """sxm, pcie, nvl or oam; empty where it says none."""
    memory: str
    """Kind of memory, such as hbm3e; empty where it says none."""
    watts: float | None
    """Stated power, W."""


def plain(name: str) -> str:
    """What two spellings of one name share."""
    return PLAIN.sub("", name.lower())


def read_name(name: str) -> GpuName:
    """The parts of a name. What is understood as a part is taken out, and the rest is the core."""
    text = re.sub(r"[_,;/®™()]+", " ", name.lower().strip())
    text = re.sub(r"\b(\d000) pro\b", r"pro \1", text)  # RTX 6000 Pro, as NVIDIA's own tables have it too
    text = INSTANCE.sub(r"\1\2\3\4\5", LISTED.sub(r"\1", text)).replace("-", " ")
    found: dict[str, list[str]] = {}

    def take(kind: str, pattern: re.Pattern[str], text: str) -> str:
        found[kind] = [match.group(0) for match in pattern.finditer(text)]
        return pattern.sub(" ", text)

    for kind, pattern in (("noise", NOISE), ("sizes", SIZE), ("memory", MEMORY), ("watts", WATTS)):
        text = take(kind, pattern, text)
    if text.lstrip().startswith("gb"):
        text = take("rack", RACK, text)
    text = take("board", BOARD, text)
    core = re.sub(r"[^a-z0-9.]", "", text)
    boards = {_board(word, core) for word in found["board"]}
    sizes = [SIZE.fullmatch(word) for word in found["sizes"]]
    watts = [float(digits) for word in found["watts"] for digits in re.findall(r"\d+", word)]
    return GpuName(
        core=core, board=boards.pop() if len(boards) == 1 else "+".join(sorted(boards)),
        sizes=tuple((float(size[1]), size[2].replace("mb", "mib")) for size in sizes if size),
        memory=found["memory"][0] if found["memory"] else "", watts=watts[0] if watts else None)


def _board(word: str, core: str) -> str:
    """The kind of board that a word names; a module of another generation than the card's is kept as it is written."""
    if word.startswith("pci"):
        return "pcie"
    if word in ("hgx", "dgx"):
        return "" if core.startswith("gb") else "sxm"
    module = word.replace(" ", "")
    return "sxm" if module == "sxm" + SXM.get(core[:1], "") else module


def apart(name: str) -> list[tuple[str, int]]:
    """Card and count, in each way in which the name may be both."""
    found = (pattern.fullmatch(name.strip().lower()) for pattern in COUNTS)
    return [(match["card"], int(match["n"])) for match in found if match]


def fits(stated: GpuName, gpu: Gpu, known: tuple[GpuName, ...]) -> bool:
    """True where nothing that a name states contradicts the card, whose own names say `known`."""
    kinds = {name.memory for name in known if name.memory}
    return (
        all(_has_memory(size, unit, gpu, known) for size, unit in stated.sizes)
        and stated.board in ("", board_of(gpu))
        and (not stated.memory or not kinds or stated.memory in kinds)
        and (stated.watts is None or stated.watts <= 1.05 * gpu.power_w)
    )


def board_of(gpu: Gpu) -> str:
    """The kind of board that a card is sold on; empty for superchips and what is soldered."""
    ending = gpu.id.rpartition("-")[2].lower()
    if ending in ("sxm", "pcie", "nvl"):
        return ending
    return "pcie" if gpu.pcie else "oam" if gpu.amd else ""


def _has_memory(size: float, unit: str, gpu: Gpu, known: tuple[GpuName, ...]) -> bool:
    """True where a stated memory is the card's: a number that its names bear, or what its driver reports."""
    if unit == "mib":
        return abs(size * MIB / gpu.memory_bytes - 1.0) < TOLERANCE
    bears = any(size == own for name in known for own, _ in name.sizes)
    return bears or abs(size * GIB / gpu.memory_bytes - 1.0) < (TOLERANCE if unit == "gib" else 0.01)
