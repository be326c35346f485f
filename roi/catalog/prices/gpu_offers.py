"""GPUs that can be had on a scenario's date: rented by the hour (rentals.csv or stated), bought (purchase.csv), or owned."""

from collections import Counter
from datetime import date as Date
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from roi.catalog.cards.gpus import find_gpu
from roi.catalog.prices.own_prices import cached_with_own, price_rows
from roi.catalog.rows import priced_rows, read_rows
from roi.errors import ScenarioError, UnknownName, first_of, nearest
from roi.facts.fact import OWN_VENDOR, Basis
from roi.facts.gpu import is_apple
from roi.facts.price import InstanceSize, PurchasePrice, RentalKind, RentalOffer
from roi.numerics.spreads import joint_high, joint_low
from roi.scenario.quantity import Spread, as_spread, value_of
from roi.units import dollars

if TYPE_CHECKING:  # fitting a plan takes no scenario
    from roi.scenario.scenario import Scenario

NEAR = 3
"""Cards that are offered in place of one that nobody rents."""
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


T = TypeVar("T", float, float | Spread)


class Offer(NamedTuple):
    """A GPU that can be had: rented by the hour, bought, or there already."""

    gpu: str
    vendor: str
    kind: str
    """on-demand, spot, reserved; owned where it is bought or there already."""
    source: str
    date: Date
    usd_per_gpu_hour: float = 0.0
    gpus_per_instance: int = 1
    gpus_at_most: int = 1
    """GPUs of the largest instance that the vendor rents at the same price for each, where it rents any number of them."""
    minimum_months: int = 0
    later_gpus_bound: bool = True
    """False where only the GPUs of go-live are committed to."""
    cancel_usd: float | None = None
    """USD for each GPU that end the commitment early; None where it cannot be ended."""
    usd_per_gpu: float = 0.0
    low_usd_per_gpu: float | None = None
    high_usd_per_gpu: float | None = None
    basis: Basis = Basis.QUOTED
    """What the price rests on."""
    stated: int | None = None
    """Number of the rent in the scenario's `gpu_rents`; None where the catalog says it."""
    owned: int | None = None
    """How many of this card there are already; None where it is rented or bought."""
    watts: float | None = None
    """Power of one card in place of its board limit, where it is bought or owned and the scenario says so."""
    replacement: "Offer | None" = None
    """What takes the place of one that is owned and wears out within the horizon."""
    usd_per_new_gpu: float | None = None
    """What a new one costs where this one is owned, as stated or by the catalog; None where neither says."""
    level_only: bool = False
    """True where it tells a level of rents, and nobody can order it."""

    def holding(self, gpus: int) -> "Offer | None":
        """The offer in instances that so many GPUs fit in, no larger than must be; None where the vendor rents none."""
        if self.gpus_per_instance >= gpus:
            return self
        return self._replace(gpus_per_instance=gpus) if self.gpus_at_most >= gpus else None


Offers = tuple[Offer, ...]


def rents(s: "Scenario") -> Offers:
    """Every rent of the as-of date: those that the scenario states, and the catalog's of other cards or vendors, discounted."""
    stated = tuple(
        Offer(
            gpu=find_gpu(r.gpu, f"gpu_rents.{number}.gpu", "gpus_per_instance").id, vendor=r.vendor,
            kind=(RentalKind.RESERVED if r.minimum_months else RentalKind.ON_DEMAND).value,
            source=as_spread(r.usd_per_gpu_hour).source or f"scenario gpu_rents.{number}",
            date=as_spread(r.usd_per_gpu_hour).date or s.as_of, usd_per_gpu_hour=value_of(r.usd_per_gpu_hour),
            gpus_per_instance=r.gpus_per_instance, minimum_months=r.minimum_months, cancel_usd=r.cancel_usd, stated=number,
            later_gpus_bound=r.later_gpus_bound, basis=Basis.STATED,
        )
        for number, r in enumerate(s.gpu_rents)
    )  # fmt: skip
    replaced, listed = {(o.gpu, o.vendor.lower()) for o in stated}, rental_offers(s.as_of)
    known = {o.vendor.lower(): o.vendor for o in listed}
    for vendor in s.gpu_discounts:
        if vendor.lower() not in known:
            raise UnknownName("gpu_discounts", vendor, known.values(), "GPU vendor of the catalog")
    off = {vendor.lower(): share for vendor, share in s.gpu_discounts.items()}
    return stated + tuple(
        _listed(o, off.get(o.vendor.lower(), 0.0)) for o in listed if (o.gpu, o.vendor.lower()) not in replaced
    )


@cache
def _instance_sizes() -> dict[str, int]:
    """GPUs of one instance at most, by vendor, of those that rent any number of them."""
    return {row.vendor: row.gpus_at_most for row in read_rows("prices/instance_sizes.csv", InstanceSize)}


def _listed(o: RentalOffer, discount: float) -> Offer:
    """The catalog's row as an offer, less the discount that the scenario states."""
    less = f"; {dollars(o.usd_per_gpu_hour)} less {discount:.4g} of it (scenario gpu_discounts.{o.vendor})" if discount else ""
    return Offer(
        gpu=o.gpu, vendor=o.vendor, kind=o.kind.value, usd_per_gpu_hour=o.usd_per_gpu_hour * (1.0 - discount),
        source=o.source + less, date=o.date, gpus_per_instance=o.gpus_per_instance, minimum_months=o.minimum_months,
        gpus_at_most=_instance_sizes().get(o.vendor, 1), basis=Basis.STATED if discount else Basis.QUOTED, level_only=o.index,
    )


def spot_in_vain(s: "Scenario") -> str:
    """Why no spot price is taken where candidates.spot asks for them; empty where they are."""
    waits = s.workload.waits_hours
    if value_of(s.workload.can_wait_share) < 1.0:
        return "moves nothing: spot is never the only capacity behind an SLO, and not all can wait (workload.can_wait_share: 1)"
    return "" if s.workload.waits_a_day else f"moves nothing: the work has {waits:g} hours, not a day (workload.waits_hours)"


def rented_offers(s: "Scenario") -> Offers:
    """Offers of the as-of date that the scenario admits. Spot is never the only capacity behind an SLO.

    A stated rent is admitted whatever its kind; cards and vendors that the candidates name hold for it too. An index of rents,
    which nobody can order, is admitted where they name it as a vendor.
    """
    c, all_offers = s.candidates, rents(s)
    gpus = _named_gpus(s)
    vendors = {o.vendor.lower(): o.vendor for o in all_offers}
    for vendor in c.vendors:
        if vendor.lower() not in vendors:
            later = [row.date for row in price_rows(RentalOffer) if row.vendor.lower() == vendor.lower()]
            if later:
                raise ScenarioError("as_of", s.as_of.isoformat(), f"the earliest rent of {vendor} is of {min(later)}; take it"
                                    " out of candidates.vendors, state its price in gpu_rents, or a later day")
            named = sorted({o.vendor for o in all_offers if not o.level_only}, key=str.lower)
            raise UnknownName("candidates.vendors", vendor, vendors.values(), "GPU vendor",
                              remedy=f"known: {', '.join(named)}; what another asks is stated in gpu_rents")
    wanted = {v.lower() for v in c.vendors}
    kinds = {RentalKind.ON_DEMAND.value}
    kinds |= {RentalKind.SPOT.value} if c.spot and not spot_in_vain(s) else set()
    kinds |= {RentalKind.RESERVED.value} if c.reserved else set()
    rented = tuple(o for o in all_offers if (o.kind in kinds or o.stated is not None)
                   and (o.vendor.lower() in wanted if wanted else not o.level_only))
    kept = tuple(o for o in rented if not gpus or o.gpu in gpus)
    owned = {find_gpu(name, "own_hardware.cards", "the number after the name").id for name in s.cards}
    if not kept and c.self_hosted and not (gpus and all(is_apple(gpu) or gpu in owned for gpu in gpus)):
        later = [row.date for row in price_rows(RentalOffer) if not row.index and row.date > s.as_of
                 and (not gpus or row.gpu in gpus) and (not wanted or row.vendor.lower() in wanted)]
        if later:
            card = " or ".join(c.gpus) or "a GPU"
            raise ScenarioError("as_of", s.as_of.isoformat(), f"the earliest rent of {card} that is known is of {min(later)};"
                                " state one in gpu_rents, take a later day, or no candidates.self_hosted")
        near = list(dict.fromkeys(each for name in c.gpus for each in nearest(name, {o.gpu for o in rented})))
        raise ScenarioError("candidates.gpus", ", ".join(c.gpus) or "all", (
            "no vendor of the scenario rents these on the as-of date (gpu_rents states a quote)"
            f"{f'; nearest that are: {first_of(near, NEAR)}' if near else ''}"))
    return kept


def bought_offers(s: "Scenario") -> Offers:
    """Cards that can be bought; a server holds `own_hardware.gpus_per_server` of them, smaller fleets fewer."""
    gpus, sizes, own = _named_gpus(s), (1, s.own_hardware.gpus_per_server), s.own_hardware
    cards = _new_cards(s, gpus)
    watts = _by_card(own.watts_per_gpu, "own_hardware.watts_per_gpu", set(cards))
    return tuple(
        card._replace(gpus_per_instance=size, watts=watts.get(card.gpu)) for card in cards.values()
        if not gpus or card.gpu in gpus
        # no SXM or OAM is sold one by one, and a Mac has one GPU
        for size in (sizes[1:] if "SXM" in card.gpu or card.gpu.startswith("MI") else sizes[: 1 if is_apple(card.gpu) else 2])
    )


def _new_cards(s: "Scenario", named: set[str]) -> dict[str, Offer]:
    """What each card costs new: as stated, of the `named` ones (all where none is) or by its name; else the catalog's price."""
    field = "own_hardware.purchase_usd_per_gpu"
    cards = {p.gpu: Offer(
        gpu=p.gpu, vendor="purchase", kind="owned", source=p.source, date=p.date, usd_per_gpu=p.usd_per_gpu,
        low_usd_per_gpu=p.low_usd_per_gpu, high_usd_per_gpu=p.high_usd_per_gpu, basis=Basis.PUBLISHED,
    ) for p in purchase_prices(s.as_of)}  # fmt: skip
    for gpu, q in _by_card(s.own_hardware.purchase_usd_per_gpu, field, named or set(cards)).items():
        price = as_spread(q)
        cards[gpu] = Offer(gpu=gpu, vendor="purchase", kind="owned", source=price.source or f"scenario {field}",
                           date=price.date or s.as_of, usd_per_gpu=price.value, low_usd_per_gpu=price.low,
                           high_usd_per_gpu=price.high, basis=Basis.STATED)
    return cards


def _by_card(given: T | dict[str, T] | None, field: str, cards: set[str]) -> dict[str, T]:
    """What is stated for each card: one figure for all of `cards`, or one for each that is named."""
    if isinstance(given, dict):
        return {find_gpu(name, field).id: q for name, q in given.items()}
    return {} if given is None else dict.fromkeys(sorted(cards), given)


def owned_offers(s: "Scenario") -> Offers:
    """The cards that the scenario owns at what selling one would bring; whole replicas of them are used, in one server each."""
    field, own = "own_hardware.resale_usd_per_gpu", s.own_hardware
    if own.cards and not s.cards:
        return ()
    cards = Counter[str]()
    for name, count in own.cards.items():
        cards[find_gpu(name, "own_hardware.cards", "the number after the name").id] += count
    resale = own.resale_usd_per_gpu
    if resale is not None and not cards:
        raise ScenarioError(field, resale, "say which cards you own, and how many, in own_hardware.cards")
    stated = _by_card(resale, field, set(cards))
    for gpu in stated:
        if gpu not in cards:
            raise UnknownName(field, gpu, cards, "card among own_hardware.cards")
    found: list[Offer] = []
    watts = _by_card(own.watts_per_gpu, "own_hardware.watts_per_gpu", set(cards))
    new, worn_out = _new_cards(s, set(cards)), own.life_months < s.horizon_months
    for gpu, count in cards.items():
        q = stated.get(gpu)
        worth = _two_years_old(s, gpu) if q is None else as_spread(q)
        sizes = {*s.serving.tensor_parallel, *(c.gpus for c in s.serving.capacities)}
        card = Offer(
            gpu=gpu, vendor=OWN_VENDOR, kind="owned", source=worth.source or f"scenario {field}", date=worth.date or s.as_of,
            usd_per_gpu=worth.value, low_usd_per_gpu=worth.low, high_usd_per_gpu=worth.high, owned=count, watts=watts.get(gpu),
            basis=Basis.ASSUMED if q is None else Basis.STATED, replacement=_replacement(s, gpu, new) if worn_out else None,
            usd_per_new_gpu=new[gpu].usd_per_gpu if gpu in new else None,
        )
        most = 1 if is_apple(gpu) else min(count, own.gpus_per_server)
        found += [card._replace(gpus_per_instance=n) for n in sorted(sizes) if n <= most]
    return tuple(found)


def _replacement(s: "Scenario", gpu: str, new: dict[str, Offer]) -> Offer:
    """The new card in the place of an owned one that wears out; ScenarioError where nobody says what it costs."""
    if gpu not in new:
        raise ScenarioError("own_hardware.life_months", s.own_hardware.life_months,
                            f"{gpu} is replaced within the {s.horizon_months} months, and the catalog has no purchase price of"
                            f" it: state what a new one costs, own_hardware.purchase_usd_per_gpu={{{gpu}: USD}}")
    return new[gpu]


YEARS_OWNED = 2.0
"""Age of cards that are owned, where nobody says what they would fetch."""


def _two_years_old(s: "Scenario", gpu: str) -> Spread:
    """What a card fetches after two years: the catalog's purchase price x the value kept a year, squared."""
    price = next((p for p in purchase_prices(s.as_of) if p.gpu == gpu), None)
    if price is None:
        raise ScenarioError("own_hardware.cards", gpu, "the catalog has no purchase price of it: state what one would fetch, "
                            f"own_hardware.resale_usd_per_gpu={{{gpu}: USD}}")
    kept = as_spread(s.own_hardware.value_kept_per_year)
    price_ends = (price.low_usd_per_gpu / price.usd_per_gpu, price.high_usd_per_gpu / price.usd_per_gpu)
    kept_ends = [(end / kept.value) ** YEARS_OWNED if end and kept.value else 1.0 for end in (kept.low, kept.high)]
    value = price.usd_per_gpu * kept.value**YEARS_OWNED
    return Spread(
        value=value, low=value * float(joint_low((price_ends[0], kept_ends[0]))),
        high=value * float(joint_high((price_ends[1], kept_ends[1]))), date=price.date,
        source=f"taken as two years old: ${price.usd_per_gpu:,.0f} new ({price.source}) x {kept.value:g} kept a year, squared",
    )


def _named_gpus(s: "Scenario") -> set[str]:
    """Catalog ids of the GPUs that the scenario names; empty = all."""
    return {find_gpu(name, "candidates.gpus").id for name in s.candidates.gpus}
