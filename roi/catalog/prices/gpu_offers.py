"""GPUs that can be had on a scenario's date: rented by the hour (rentals.csv) or bought (purchase.csv)."""

from datetime import date as Date
from operator import attrgetter
from typing import NamedTuple

from roi.catalog.cards.gpus import find_gpu
from roi.catalog.prices.own_prices import cached_with_own, price_rows
from roi.catalog.rows import priced_rows
from roi.errors import ScenarioError, UnknownName
from roi.facts.price import PurchasePrice, RentalKind, RentalOffer
from roi.scenario.quantity import value_of
from roi.scenario.scenario import Scenario

RENT_KEY = attrgetter("gpu", "vendor", "kind", "gpus_per_instance", "minimum_months")
"""What tells one offer from another, whatever it costs."""


@cached_with_own(RentalOffer)
def rental_offers(as_of: Date) -> tuple[RentalOffer, ...]:
    """The newest offer on or before `as_of` for each RENT_KEY, the user's own among them."""
    return priced_rows(price_rows(RentalOffer), RENT_KEY, as_of)


@cached_with_own(PurchasePrice)
def purchase_prices(as_of: Date) -> tuple[PurchasePrice, ...]:
    """The newest price on or before `as_of` for each GPU, the user's own among them."""
    return priced_rows(price_rows(PurchasePrice), attrgetter("gpu"), as_of)


class Offer(NamedTuple):
    """A GPU that can be had: rented by the hour, or bought."""

    gpu: str
    vendor: str
    kind: str
    """on-demand, spot, reserved; owned where it is bought."""
    source: str
    date: Date
    usd_per_gpu_hour: float = 0.0
    gpus_per_instance: int = 1
    minimum_months: int = 0
    usd_per_gpu: float = 0.0
    low_usd_per_gpu: float | None = None
    high_usd_per_gpu: float | None = None


Offers = tuple[Offer, ...]


def rented_offers(s: Scenario) -> Offers:
    """Offers of the as-of date that the scenario admits. Spot is never the only capacity behind an SLO."""
    c, all_offers = s.candidates, rental_offers(s.as_of)
    gpus = _named_gpus(s)
    vendors = {o.vendor.lower(): o.vendor for o in all_offers}
    for vendor in c.vendors:
        if vendor.lower() not in vendors:
            raise UnknownName("candidates.vendors", vendor, vendors.values(), "GPU vendor")
    wanted = {v.lower() for v in c.vendors}
    kinds = {RentalKind.ON_DEMAND}
    kinds |= {RentalKind.SPOT} if c.spot and value_of(s.workload.can_wait_share) >= 1.0 else set()
    kinds |= {RentalKind.RESERVED} if c.reserved else set()
    kept = tuple(
        Offer(
            gpu=o.gpu, vendor=o.vendor, kind=o.kind.value, usd_per_gpu_hour=o.usd_per_gpu_hour, source=o.source, date=o.date,
            gpus_per_instance=o.gpus_per_instance, minimum_months=o.minimum_months,
        )
        for o in all_offers
        if o.kind in kinds and (not gpus or o.gpu in gpus) and (not wanted or o.vendor.lower() in wanted)
    )
    if not kept and c.self_hosted:
        gpu_names = ", ".join(c.gpus) or "all"
        raise ScenarioError("candidates.gpus", gpu_names, "no vendor of the scenario rents these on the as-of date")
    return kept


def owned_offers(s: Scenario, prices: tuple[PurchasePrice, ...]) -> Offers:
    """Cards that can be bought; a server holds `own_hardware.gpus_per_server` of them, smaller fleets fewer."""
    gpus, resale = _named_gpus(s), s.own_hardware.resale_usd_per_gpu
    sizes = (1, s.own_hardware.gpus_per_server)
    if resale is not None:
        field = "own_hardware.resale_usd_per_gpu"
        if len(gpus) != 1:
            raise ScenarioError(field, value_of(resale), "name the one GPU that you own in candidates.gpus")
        return tuple(
            Offer(
                gpu=gpu, vendor="owned", kind="owned", gpus_per_instance=size, usd_per_gpu=value_of(resale), date=s.as_of,
                source=f"scenario {field}: owned already, charged at resale value",
            )
            for gpu in gpus for size in sizes
        )  # fmt: skip
    return tuple(
        Offer(
            gpu=p.gpu, vendor="purchase", kind="owned", gpus_per_instance=size, source=p.source, date=p.date,
            usd_per_gpu=p.usd_per_gpu, low_usd_per_gpu=p.low_usd_per_gpu, high_usd_per_gpu=p.high_usd_per_gpu,
        )
        for p in prices if not gpus or p.gpu in gpus
        for size in (sizes[1:] if "SXM" in p.gpu or p.gpu.startswith("MI") else sizes)  # no SXM or OAM is sold one by one
    )  # fmt: skip


def _named_gpus(s: Scenario) -> set[str]:
    """Catalog ids of the GPUs that the scenario names; empty = all."""
    return {find_gpu(name, "candidates.gpus").id for name in s.candidates.gpus}
