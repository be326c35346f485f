"""What GPUs rent for, from rentals.csv: dated offers, the newest on or before the scenario's date.

What GPUs cost to buy, from purchase.csv.

GPUs that can be had: rented by the hour or bought, as the scenario admits them on its date.
"""

from datetime import date
from datetime import date as Date
from functools import cache
from typing import NamedTuple

from roi.catalog.cards.gpus import find_gpu
from roi.catalog.rows import priced_rows, read_rows
from roi.errors import ScenarioError, UnknownName
from roi.facts.price import PurchasePrice, RentalKind, RentalOffer
from roi.scenario.quantity import value_of
from roi.scenario.schema import Scenario


@cache
def load_rentals() -> tuple[RentalOffer, ...]:
    """Every row of the file, older ones included."""
    return read_rows("prices/rentals.csv", RentalOffer)


@cache
def rental_offers(as_of: date) -> tuple[RentalOffer, ...]:
    """The newest offer on or before `as_of` for each GPU, vendor, kind, instance size and commitment."""

    def offer_key(row: RentalOffer) -> tuple[object, ...]:
        return row.gpu, row.vendor, row.kind, row.gpus_per_instance, row.minimum_months

    return priced_rows(load_rentals(), offer_key, as_of)


@cache
def purchase_prices(as_of: date) -> tuple[PurchasePrice, ...]:
    """The newest price on or before `as_of` for each GPU."""
    return priced_rows(read_rows("prices/purchase.csv", PurchasePrice), lambda row: row.gpu, as_of)


class Offer(NamedTuple):
    """A GPU that can be had: rented by the hour, or bought."""

    gpu: str
    vendor: str
    kind: str
    usd_per_gpu_hour: float
    gpus_per_instance: int
    minimum_months: int
    source: str
    date: Date
    usd_per_gpu: float
    low_usd_per_gpu: float | None = None
    high_usd_per_gpu: float | None = None


Offers = tuple[Offer, ...]


def rented_offers(s: Scenario) -> Offers:
    """Offers of the as-of date that the scenario admits. Spot is never the only capacity behind an SLO."""
    c = s.candidates
    gpus = {find_gpu(g, "candidates.gpus").id for g in c.gpus}
    all_offers = rental_offers(s.as_of)
    vendors = {o.vendor.lower(): o.vendor for o in all_offers}
    for vendor in c.vendors:
        if vendor.lower() not in vendors:
            raise UnknownName("candidates.vendors", vendor, vendors.values(), "GPU vendor")
    wanted = {v.lower() for v in c.vendors}
    everything_waits = value_of(s.workload.can_wait_share) >= 1.0
    kept = []
    for o in all_offers:
        if (gpus and o.gpu not in gpus) or (wanted and o.vendor.lower() not in wanted):
            continue
        if o.kind is RentalKind.SPOT and not (c.spot and everything_waits):
            continue
        if o.kind is RentalKind.RESERVED and not c.reserved:
            continue
        kept.append(
            Offer(
                o.gpu, o.vendor, o.kind.value, o.usd_per_gpu_hour, o.gpus_per_instance, o.minimum_months, o.source, o.date, 0.0
            )
        )
    if not kept and s.candidates.self_hosted:
        raise ScenarioError(
            "candidates.gpus", ", ".join(c.gpus) or "all", "no vendor of the scenario rents these on the as-of date"
        )
    return tuple(kept)


def owned_offers(s: Scenario, prices: tuple[PurchasePrice, ...]) -> Offers:
    """Cards that can be bought; a server holds `own_hardware.gpus_per_server` of them, smaller fleets fewer."""
    gpus = {find_gpu(g, "candidates.gpus").id for g in s.candidates.gpus}
    sizes = (1, s.own_hardware.gpus_per_server)
    resale = s.own_hardware.resale_usd_per_gpu
    if resale is not None:
        if len(gpus) != 1:
            raise ScenarioError(
                "own_hardware.resale_usd_per_gpu", value_of(resale), "name the one GPU that you own in candidates.gpus"
            )
        why = "scenario own_hardware.resale_usd_per_gpu: owned already, charged at resale value"
        return tuple(Offer(g, "owned", "owned", 0.0, size, 0, why, s.as_of, value_of(resale)) for g in gpus for size in sizes)
    return tuple(
        Offer(p.gpu, "purchase", "owned", 0.0, size, 0, p.source, p.date, p.usd_per_gpu, p.low_usd_per_gpu, p.high_usd_per_gpu)
        for p in prices
        if not gpus or p.gpu in gpus
        for size in (sizes[1:] if sold_by_the_server(p.gpu) else sizes)
    )


def sold_by_the_server(gpu: str) -> bool:
    """True for cards that are soldered to a board of eight (SXM, OAM), which nobody sells one by one."""
    return "SXM" in gpu or gpu.startswith("MI")
