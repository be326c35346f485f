"""Cards, tensor parallelism and replicas as tables of serving runs write them."""

import re
from functools import cache

from roi.catalog.cards.gpus import find_gpu
from roi.errors import InputError
from roi.estimate.serving.iteration import weight_bytes
from roi.estimate.serving.replica_memory import GPU_MEMORY_UTILISATION
from roi.facts.gpu import Gpu
from roi.facts.model import ModelShape
from roi.store.tables.row_fields import Row, Unusable, cell
from roi.store.tables.row_names import table_gpu
from roi.store.tables.serving_cells import stated_count

COMMON = {
    "A100": ("A100-80GB-SXM", 1.2), "A100 PCIe": ("A100-80GB-PCIe", 1.2), "V100": ("V100-32GB-SXM", 1.05),
    "RTX PRO 6000": ("RTX-PRO-6000-SE", 1.12), "RTX PRO 6000 BLACKWELL": ("RTX-PRO-6000-SE", 1.12),
}
"""Names that several cards carry -> the usual one (in a server), and the factor by which another would differ: A100 1,555 to
2,039 GB/s, RTX PRO 6000 1,597 to 1,792."""

HELD_SHARE = 0.5
"""Where tp is blank, the fewest GPUs on which weights take at most this share: the rest must hold the KV cache of a batch."""

COUNTED = re.compile(r"^(\d{1,5})\s*[x\u00d7]\s*(?=[a-z])|(?<![a-z])[x\u00d7]\s*(\d{1,5})$", re.IGNORECASE)
"""A card's name with how many of it: "8xH100", "H100 x8"; of "RTX 4090" the x is no times."""


@cache
def named_card(text: str) -> Gpu | None:
    """The card that a cell names for certain, with or without how many of it; None for none, and for several."""
    return table_gpu(text) or table_gpu(COUNTED.sub("", text))


def row_card(row: Row, assumed: list[tuple[str, float]]) -> Gpu:
    """The row's card, or the usual one of those that carry its name; Unusable for others."""
    text = cell(row, "gpu")
    found = named_card(text)
    if found is not None:
        return found
    bare = re.sub(r"(?i)nvidia|[-_]?sxm\d?|\(.*?\)", " ", COUNTED.sub("", text)).strip().upper()
    name, spread = COMMON.get("A100 PCIe" if re.search("(?i)a100.*pcie", text) else bare, ("", 1.0))
    if not name:
        raise _no_card(text)
    assumed.append((f"gpu {name}", spread))
    return find_gpu(name)


def _no_card(text: str) -> Unusable:
    try:
        find_gpu(text)
    except InputError as error:
        return Unusable("gpu", text, f"not in the catalog ({str(error).partition('; ')[2]})")
    return Unusable("gpu", text, "names several cards")


def row_gpus(row: Row) -> float | None:
    """GPUs of the whole system: the column, else the number beside the card's name; Unusable where they differ."""
    found = COUNTED.search(cell(row, "gpu"))
    beside = None if found is None else float(found.group(1) or found.group(2))
    stated = stated_count(row, "n_gpus")
    if stated is not None and beside is not None and stated != beside:
        raise Unusable("n_gpus", cell(row, "n_gpus"), f"the column gpu says {beside:g}")
    return stated if stated is not None else beside


def row_layout(
    row: Row, shape: ModelShape, gpu: Gpu, weight: str, assumed: list[tuple[str, float]], *, one_batch: bool,
) -> tuple[float, float]:
    """Tensor-parallel GPUs of a replica, and replicas: n_gpus over tp, which must be whole (8 GPUs at tp 2 are 4 replicas).

    A blank n_gpus is tp. A blank tp is all GPUs where `one_batch` runs on them, else the fewest (a power of 2 that divides
    them, or all) that leave room for KV cache. Unusable where the weights alone are more than the replica's GPUs hold.
    """
    tp, gpus = stated_count(row, "tp"), row_gpus(row)
    if tp is None:
        if gpus is None:
            assumed.append(("n_gpus 1", 1.1))
        tp = _likely_tp(gpus or 1.0, shape, gpu, weight, one_batch=one_batch)
        if gpus is not None and gpus > 1.0:
            assumed.append((f"tp {tp:g}", 1.1 if one_batch else 1.25))
    whole = gpus or tp
    if tp > whole:
        raise Unusable("tp", cell(row, "tp"), f"more than n_gpus, {whole:g}")
    if whole % tp:
        raise Unusable("n_gpus", cell(row, "n_gpus") or cell(row, "gpu"), f"not a multiple of tp, {tp:g}")
    return tp, whole / tp


def _likely_tp(gpus: float, shape: ModelShape, gpu: Gpu, weight: str, *, one_batch: bool) -> float:
    if one_batch:
        return gpus
    held = gpu.memory_bytes * GPU_MEMORY_UTILISATION * HELD_SHARE
    fewest = 1.0
    while fewest < gpus and (gpus % fewest or weight_bytes(shape, weight) / fewest > held):
        fewest *= 2.0
    return gpus if fewest > gpus or gpus % fewest else fewest
