"""GPUs by any name that people type, from gpus.json (datasheet figures, each with its source), and a user's own.

Own ones are in `gpus.json` of the user's data folder, in the catalog's form: a card that the catalog lacks, or with the id
`cpu` this machine's processor, whose profiles then count as any card's do. Apple's are put together from chip, cores and memory
(`apple`): they are found by name and are none of `load_gpus`, which lists what is rented and trains.

The best matrix product that people measured on a card is in matrix_rates.csv: datasheets do not say what is reached.
"""

from functools import cache, lru_cache
from pathlib import Path
from typing import Final

from pydantic import PositiveFloat

from roi.catalog.cards.apple import apple_gpus, apple_named, is_newer
from roi.catalog.cards.gpu_names import GpuName, apart, fits, plain, read_name
from roi.catalog.rows import read_json, read_record, read_rows
from roi.catalog.user_data import gpus_file
from roi.errors import InputError, ScenarioError, UnknownName
from roi.facts.gpu import Gpu
from roi.facts.records import DatedRow, Record

POWER_LEVEL: Final = 0.81
POWER_SLOPE: Final = 0.19
"""Share of the 16-bit rate that a card reaches at 1 W for a TFLOP/s, and how it grows with that (`matrix_share`)."""
POWER_RANGE: Final = (0.44, 4.9)
"""Watts for a TFLOP/s of the cards that were measured, B200 to RTX 3090."""
SI: Final = ("_bytes", "_per_s", "_flops", "_ops")
"""How fields end that people know by GB or TFLOP/s."""
LEAST, LEAST_CACHE = 1e8, 1e5
"""What such a field is below in MB, GFLOP/s or larger units, and above in its own, a processor's too; and the cache in KiB."""
AMD_LEVEL: Final = 0.74
"""Share that AMD's measured cards reach over what that law gives (`matrix_share`)."""
AMD_READING: Final = 0.9
"""Share of the datasheet's bandwidth that AMD's cards read over what NVIDIA's do: 0.81 over 0.90 (MI300X, arXiv 2510.27583)."""


def load_gpus() -> tuple[Gpu, ...]:
    """Every GPU of the catalog, in the file's order (oldest family first), then the user's own."""
    return _loaded(_own_file())


def _own_file() -> tuple[Path, int, int] | None:
    """The user's file with its time and size, by which what was read of it holds; None where there is none."""
    own = gpus_file()
    if not own.is_file():
        return None
    state = own.stat()
    return own, state.st_mtime_ns, state.st_size


@lru_cache(maxsize=4)
def _loaded(own: tuple[Path, int, int] | None) -> tuple[Gpu, ...]:
    listed = _listed()
    return listed if own is None else (*listed, *_own_gpus(own[0], listed))


@cache
def _listed() -> tuple[Gpu, ...]:
    return tuple(Gpu.model_validate(row) for row in read_json("cards/gpus.json")["gpus"])


def _own_gpus(path: Path, listed: tuple[Gpu, ...]) -> tuple[Gpu, ...]:
    """The user's own GPUs; an InputError names file, field and value, or a name that is taken."""
    own = read_record(_OwnGpus, path, "your GPUs", "GPUs").gpus
    taken = {plain(name) for gpu in listed for name in (gpu.id, *gpu.aliases)}
    for name in (name for gpu in own for name in (gpu.id, *gpu.aliases)):
        if plain(name) in taken:
            raise InputError(f"your GPUs: {path}: there is a GPU of the name {name[:40]!r} already; an own one needs another")
        taken.add(plain(name))
    for place, field, value in ((n, *entry) for n, gpu in enumerate(own) for entry in gpu if entry[0].endswith(SI)):
        least = LEAST_CACHE if field == "l2_bytes" else LEAST
        if value is not None and value < least:
            raise InputError(f"your GPUs: {path}: gpus.{place}.{field}: {value:g} is not usable; in bytes, bytes/s or FLOP/s"
                             f" it is at least {least:g} (24 GB are 24e9, 120 TFLOP/s 120e12)")
    return own


class _OwnGpus(Record):
    """What the user's file holds."""

    gpus: tuple[Gpu, ...]


def find_gpu(name: str, field: str = "gpu", counted: str = "") -> Gpu:
    """The GPU that `name` means: its id or an alias; case, punctuation and the maker's name do not matter.

    A name that several GPUs carry ("A100": 40 or 80 GB) is an error that names them all; of another, the nearest three. So is
    one with a count ("8xH100"): `counted` is where that is stated, empty where it is not.
    """
    found = gpus_named(name)
    if len(found) > 1:
        raise ScenarioError(field, name, f"it may be {' or '.join(gpu.id for gpu in found)}; name one")
    if not found and is_newer(name):
        raise ScenarioError(field, name, "Apple does not publish the rate of M5's matrix units; M1 to M4 are in the catalog")
    if not found and name.strip().lower() == "cpu":
        raise ScenarioError(field, name, "this processor counts once gpus.json of your data folder describes it"
                                         " (docs/guides/add-a-gpu.md)")
    if not found:
        for card, n in apart(name):
            if meant := gpus_named(card):
                alone = f"write {' or '.join(gpu.id for gpu in meant)} alone"
                raise ScenarioError(field, name, f"{alone}, and {n} as {counted}" if counted else alone)
        known = (n for gpu in (*load_gpus(), *apple_gpus()) for n in (gpu.id, *gpu.aliases))
        raise UnknownName(field, name, known, "GPU", listed="roi fit MODEL --full")
    return found[0]


def card_called(name: str) -> str:
    """The id of the one card that `name` means; the name itself where it means none, or several."""
    found = gpus_named(name)
    return found[0].id if len(found) == 1 else name


def gpus_named(name: str) -> tuple[Gpu, ...]:
    """Every GPU that carries this name; none where no GPU does, or where what the name states is none of theirs.

    Beside the card a name may state memory, board, kind of memory and watts (`gpu_names`). Of cards that differ in what it
    leaves open, those are meant that carry the name without it: an H100 alone is the SXM card, an A100 one of four.
    """
    own = _own_file()
    exact = _gpus_by_name(own).get(plain(name), ())
    return exact or _gpus_stated(own, name) or apple_named(name)


@lru_cache(maxsize=1024)
def _gpus_stated(own: tuple[Path, int, int] | None, name: str) -> tuple[Gpu, ...]:
    stated = read_name(name)
    if not stated.core:
        return ()
    known = _names_read(own)
    cores = (stated.core, stated.core.removeprefix("quadro"))
    meant = next((each for core in cores if (each := [gpu for gpu in known if any(n.core == core for n in known[gpu])])), [])
    found = tuple(gpu for gpu in meant if fits(stated, gpu, known[gpu]))
    if stated.watts is not None:  # a card may be capped below its power, but the one of that power is meant first
        found = tuple(gpu for gpu in found if abs(gpu.power_w / stated.watts - 1.0) < 0.05) or found
    for size in (*(f"{size:g}gb" for size, _ in stated.sizes), ""):  # without what else it states
        usual = _gpus_by_name(own).get(plain(stated.core + size), ())
        found = tuple(gpu for gpu in found if gpu in usual) or found
    return found


@lru_cache(maxsize=4)
def _names_read(own: tuple[Path, int, int] | None) -> dict[Gpu, tuple[GpuName, ...]]:
    return {gpu: tuple(read_name(name) for name in (gpu.id, *gpu.aliases)) for gpu in _loaded(own)}


@lru_cache(maxsize=4)
def _gpus_by_name(own: tuple[Path, int, int] | None) -> dict[str, tuple[Gpu, ...]]:
    named: dict[str, tuple[Gpu, ...]] = {}
    for gpu in _loaded(own):
        for name in {plain(n) for n in (gpu.id, *gpu.aliases)}:
            named[name] = (*named.get(name, ()), gpu)
    return named


class MatrixRate(DatedRow):
    """One measurement, and when it was read."""

    gpu: str
    """Name in the catalog."""
    flops: PositiveFloat
    """Best bf16 product over a search of shapes, FLOP/s."""


@cache
def matrix_shares() -> dict[str, float]:
    """Best measured over the datasheet's 16-bit rate, by GPU.

    0.5 where power or software limits it, above 1 where clocks exceed the datasheet's.
    """
    rates = read_rows("cards/matrix_rates.csv", MatrixRate)
    return {rate.gpu: rate.flops / find_gpu(rate.gpu).matrix_flops("bf16") for rate in rates}


def matrix_share(gpu: Gpu) -> float:
    """Best measured over the datasheet's 16-bit rate of a card; where nobody measured it, by the card's power.

    Clocks fall to what power allows, so the share grows with the watts for a FLOP/s: 0.81 (W / TFLOP/s)^0.19 over 18 rows of
    NVIDIA cards (from 0.44 to 4.9), each left out in turn off by 9% (root mean square), and by 16% where the H100's share
    stands in for it. The four rows of A800, H800 and GB200, which take the figure of another card's chip, are left out. AMD's
    two lie at 0.74 of it. Cards without matrix cores, of which none was measured, reach no more than their datasheet's rate.
    """
    known = matrix_shares().get(gpu.id)
    if known is not None:
        return known
    level = AMD_LEVEL if gpu.amd else 1.0
    least, most = POWER_RANGE
    share = POWER_LEVEL * min(max(gpu.power_w / gpu.matrix_flops("bf16") * 1e12, least), most) ** POWER_SLOPE
    return float(level * (share if gpu.matrix_cores else min(share, 1.0)))
