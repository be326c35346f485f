"""What GPUs rent for, from data/rentals.csv: dated offers, the newest on or before the scenario's date."""

from datetime import date
from functools import cache

from roi.catalog.gpus import find_gpu
from roi.catalog.rows import priced_rows, read_rows
from roi.errors import ScenarioError
from roi.facts.price import RentalKind, RentalOffer


@cache
def load_rentals() -> tuple[RentalOffer, ...]:
    """Every row of the file, older ones included."""
    return read_rows("rentals.csv", RentalOffer)


@cache
def rental_offers(as_of: date) -> tuple[RentalOffer, ...]:
    """The newest offer on or before `as_of` for each GPU, vendor, kind, instance size and commitment."""

    def offer_key(row: RentalOffer) -> tuple[object, ...]:
        return row.gpu, row.vendor, row.kind, row.gpus_per_instance, row.minimum_months

    return priced_rows(load_rentals(), offer_key, as_of)


def rental_spread(gpu: str, kind: RentalKind | str, as_of: date) -> tuple[float, float]:
    """Lowest and highest USD per GPU-hour over all vendors that rent `gpu` as `kind` on `as_of`."""
    wanted = find_gpu(gpu).id
    of_gpu = [offer for offer in rental_offers(as_of) if offer.gpu == wanted]
    prices = [offer.usd_per_gpu_hour for offer in of_gpu if offer.kind == kind]
    if not prices:
        kinds = ", ".join(sorted({offer.kind for offer in of_gpu})) or "none at all"
        raise ScenarioError("gpu", gpu, f"no {kind} offer on {as_of}; known offers: {kinds}. State usd_per_gpu_hour")
    return min(prices), max(prices)
