"""Rents as gpuhunt's published catalogs hold them: the one place that knows how that package names vendors and cards."""

import logging
import re
import socket
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date
from functools import cache
from typing import Any, Final

from roi.catalog.cards.gpus import find_gpu
from roi.catalog.prices.gpu_offers import RENT_KEY
from roi.errors import InputError, RoiError, needs
from roi.facts.gpu import Gpu
from roi.facts.price import RentalKind, RentalOffer
from roi.units import GIB

VENDORS: Final = {
    "aws": "AWS", "azure": "Azure", "cloudrift": "CloudRift", "gcp": "GCP", "lambdalabs": "Lambda", "nebius": "Nebius",
    "oci": "OCI", "runpod": "RunPod", "verda": "Verda",
}  # fmt: skip
"""gpuhunt's providers whose prices it publishes without an account, and what this catalog calls them."""
PCIE: Final = re.compile(r"pcie|^(standard_)?nc\d+\w*_a100_v4$", re.IGNORECASE)
"""Instances whose cards are PCIe ones, which gpuhunt's names of cards do not tell; Azure's NC series has such A100s."""
MEMORY_TOLERANCE: Final = 0.15
"""Between the memory that gpuhunt states and what a program sees; more than this is a slice of a card, or another card."""
TIMEOUT_S: Final = 60.0


def fetch_items() -> list[Any]:  # Any: gpuhunt's CatalogItem; the package has no types
    """Every GPU offer of gpuhunt's published catalogs, the latest of each vendor; RoiError where none can be had."""
    with needs("prices", "gpuhunt"):
        import gpuhunt
    logging.getLogger("gpuhunt").setLevel(logging.CRITICAL)  # it logs tracebacks; vendors without offers are told by name
    catalog, before = gpuhunt.Catalog(auto_reload=False), socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT_S)
    try:
        catalog.load()
        items: list[Any] = catalog.query(min_gpu_count=1)
    except (gpuhunt.GPUHuntError, OSError, ValueError) as error:
        raise RoiError(f"refresh: gpuhunt brought no GPU offers ({error.__cause__ or error}); nothing was written") from error
    finally:
        socket.setdefaulttimeout(before)
    if not items:
        raise RoiError("refresh: gpuhunt brought no GPU offers; nothing was written")
    return items


def source_name() -> str:
    """What rows from gpuhunt give as their source."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"gpuhunt {version('gpuhunt')}"
    except PackageNotFoundError:
        return "gpuhunt"


def as_rentals(items: Iterable[Any], day: date, source: str) -> tuple[tuple[RentalOffer, ...], Counter[str]]:  # Any: as above
    """The lowest offer of each card, vendor, kind and instance size, and how many offers of each card are left out.

    Regions and host sizes differ in price: the row's note names the instance and the region of the lowest, and how far the
    others go. Left out are cards that this catalog does not hold, slices of cards, and clusters of several instances.
    """
    offers: dict[object, list[tuple[float, RentalOffer]]] = defaultdict(list)
    left_out: Counter[str] = Counter()
    for item in items:
        gpu = card_of(item.instance_name, item.gpu_name or "", item.gpu_memory)
        if item.provider not in VENDORS or (item.provider_data or {}).get("pod_counts"):
            left_out[f"{item.provider}, clusters" if item.provider in VENDORS else item.provider] += 1
        elif gpu is None or not item.price > 0:
            left_out[f"{item.gpu_name} {item.gpu_memory or 0:g} GB" if gpu is None else f"{gpu.id} without a price"] += 1
        else:
            row = RentalOffer(
                gpu=gpu.id, vendor=VENDORS[item.provider], kind=RentalKind.SPOT if item.spot else RentalKind.ON_DEMAND,
                usd_per_gpu_hour=round(item.price / item.gpu_count, 6), gpus_per_instance=item.gpu_count,
                source=source, date=day, note=f"{item.instance_name} in {item.location}")
            offers[RENT_KEY(row)].append((row.usd_per_gpu_hour, row))
    return tuple(_lowest(group) for group in offers.values()), left_out


def _lowest(group: list[tuple[float, RentalOffer]]) -> RentalOffer:
    usd, row = min(group, key=lambda pair: pair[0])
    most = max(group, key=lambda pair: pair[0])[0]
    others = f", the lowest of {len(group)} offers up to {most:.4g}" if most > usd else ""
    return row.model_copy(update={"note": row.note + others})


@cache
def card_of(instance: str, name: str, memory_gb: float | None) -> Gpu | None:
    """The card of the catalog that an offer means; None where the catalog has none, or the offer does not tell which.

    An instance's name tells more than the card's where it is one of the card's names ("NVIDIA H100 PCIe", AWS's "p4de").
    H100 and A100 without a word about PCIe are SXM ones, as everywhere in this catalog.
    """
    sized = f"{name}-{memory_gb or 0:g}GB"
    pcie = PCIE.search(instance) is not None
    for spelled in (instance, instance.partition(".")[0], *([f"{sized}-PCIe", f"{name}-PCIe"] if pcie else []), sized, name):
        try:
            found = find_gpu(spelled)
        except InputError:
            continue
        if memory_gb and abs(memory_gb * GIB / found.memory_bytes - 1.0) > MEMORY_TOLERANCE:
            continue
        return None if pcie and "SXM" in found.id else found
    return None
