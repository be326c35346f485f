"""Which prices are known, how one is added, and how they are brought up to date: `roi prices`."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date as Date
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, TypeVar

from roi.catalog.cards.gpus import gpus_named, load_gpus
from roi.catalog.prices.api_prices import announced_price, find_api_price, matching_models, model_names, provider_names
from roi.catalog.prices.genai import fetch_providers, list_price, package_name, release_day, stated_on
from roi.catalog.prices.gpu_offers import RENT_KEY, purchase_prices, rental_offers
from roi.catalog.prices.gpuhunt_offers import VENDORS, as_rentals, fetch_items, source_name
from roi.catalog.prices.own_prices import NAMES, SIZE_LIMIT, check_amounts, csv_text, own_rows
from roi.catalog.prices.vendors import cache_minimum, tuning_prices
from roi.catalog.rows import read_rows
from roi.catalog.user_data import prices_folder
from roi.disk import read_text
from roi.errors import InputError, ScenarioError, UnknownName, nearest_told
from roi.facts.price import ApiPrice, PurchasePrice, RentalKind, RentalOffer, TuningPrice
from roi.facts.records import DatedRow
from roi.units import dollars

KEYS: Final[dict[type[DatedRow], Callable[[Any], object]]] = {  # Any: a row of the kind
    RentalOffer: RENT_KEY, PurchasePrice: attrgetter("gpu"), ApiPrice: attrgetter("provider", "model"),
}
FAR_OFF: Final = 10.0
"""Times the price that is known of a card or of a model's tokens, up or down, which nobody pays: a rent by the hour, cents."""
RATE: Final = "_usd_per_mtok"
"""What the name of every rate of an API ends with; what stands before it is also the name of an option."""
AnyPrice = TypeVar("AnyPrice", bound=DatedRow)


@dataclass(frozen=True)
class Holding:
    """Rows of one kind from one source, up to the as-of date."""

    what: str
    where: str
    rows: int
    oldest: Date
    newest: Date


@dataclass(frozen=True)
class PriceList:
    """What is known on a date of what was asked for; of everything, where nothing was asked for."""

    what: str | None
    as_of: Date
    rents: tuple[RentalOffer, ...] = ()
    purchases: tuple[PurchasePrice, ...] = ()
    apis: tuple[ApiPrice, ...] = ()
    tunings: tuple[TuningPrice, ...] = ()
    announced: tuple[ApiPrice, ...] = ()
    """The next price of each of `apis` whose vendor has announced one, dated with the day from which it holds."""
    unpriced: tuple[str, ...] = ()
    """Models of an API that are listed without a price that a token has."""
    holdings: tuple[Holding, ...] = ()
    """Where the prices lie, where nothing was asked for."""
    folder: Path = Path()
    """Folder of the user's own price files."""


def known_prices(what: str | None, as_of: Date) -> PriceList:
    """The newest prices on or before `as_of` of a card, a model, a vendor or a provider; UnknownName where it is none.

    A name that is several of them brings the prices of all; one that is none, those of every API model that has it in its name.
    """
    rents, purchases, tunings = _by(as_of, rental_offers), _by(as_of, purchase_prices), _by(as_of, tuning_prices)
    folder = prices_folder()
    if what is None:
        return PriceList(None, as_of, rents, purchases, tunings=tunings, holdings=tuple(_holdings(as_of)), folder=folder)
    cards, name = [gpu.id for gpu in gpus_named(what)], what.strip().lower()
    base = name.rpartition("/")[2]
    found = PriceList(
        what, as_of, folder=folder,
        rents=tuple(row for row in rents if row.gpu in cards or row.vendor.lower() == name),
        purchases=tuple(row for row in purchases if row.gpu in cards),
        tunings=tuple(row for row in tunings if row.gpu in cards or name in {row.vendor, f"{row.vendor}/{row.model}".lower()}
                      or base in {row.model.lower(), row.shape}))
    models = () if cards or found.rents else matching_models(what)
    apis, unpriced = _priced(models or [pair for pair in matching_models(what) if pair[0] == name], as_of)
    found = replace(found, apis=apis, announced=tuple(filter(None, map(announced_price, apis))), unpriced=unpriced)
    if not (cards or apis or unpriced or found.rents or found.tunings):
        vendors = {row.vendor for row in rents} | {row.vendor for row in tunings}
        names = [*(n for gpu in load_gpus() for n in (gpu.id, *gpu.aliases)), *vendors, *provider_names()]
        models = tuple((p, m) for p in provider_names() for m in model_names(p))
        raise UnknownName("WHAT", what, [*names, *(m for _, m in models), *map("/".join, models)], "card, model or vendor")
    if not (found.rents or found.purchases or apis or unpriced or found.tunings):
        each = f", which may be {', '.join(cards[:-1])} or {cards[-1]}," if len(cards) > 1 else ""
        raise InputError(f"WHAT: no price of {what}{each} is known on {as_of}; `roi prices add` states one")
    return found


def _by(as_of: Date, ask: Callable[[Date], tuple[AnyPrice, ...]]) -> tuple[AnyPrice, ...]:
    """The prices of that date; none where the first is of a later one."""
    try:
        return ask(as_of)
    except ScenarioError:
        return ()


def _priced(models: Sequence[tuple[str, str]], as_of: Date) -> tuple[tuple[ApiPrice, ...], tuple[str, ...]]:
    """The price of each model, and the names of those without one on that date."""
    apis, unpriced = [], []
    for provider, model in models:
        try:
            price = find_api_price(provider, model, as_of)
            apis.append(price.model_copy(update={"date": stated_on(price)}))
        except ScenarioError:
            unpriced.append(f"{provider}/{model}")
    return tuple(apis), tuple(unpriced)


def _holdings(as_of: Date) -> Iterator[Holding]:
    """What each source holds: the catalog's files, genai-prices, the user's files."""
    day = release_day()
    yield Holding("APIs, every model", package_name(), sum(len(model_names(p)) for p in provider_names()), day, day)
    for what, name, kind in (("rents", "rentals", RentalOffer), ("cards to buy", "purchase", PurchasePrice),
                             ("APIs, added", "hosted", ApiPrice), ("fine-tuning", "tuning", TuningPrice)):
        own: Sequence[DatedRow] = own_rows(kind) if kind in NAMES else ()
        for where, rows in ((f"{name}.csv of roi", read_rows(f"prices/{name}.csv", kind)), ("your files", own)):
            dates = [row.date for row in rows if row.date <= as_of]
            if dates:
                yield Holding(what, where, len(dates), min(dates), max(dates))


@dataclass(frozen=True)
class Addition:
    """A row of the user, and the text of the file that holds it; `text` is None where it was there already."""

    path: Path
    text: str | None
    remarks: tuple[str, ...] = ()


def add_price(row: RentalOffer | PurchasePrice | ApiPrice, today: Date) -> Addition:
    """The user's file with this row at its end. Never overwrites: one of the same day with another price is an InputError."""
    check_amounts(row)
    if row.date > today:
        raise InputError(f"--date: {row.date} is after today, {today}; a price has the day on which it was stated. One that"
                         f" is announced goes into the scenario: apis.PROVIDER/MODEL.announced=[{{from_date: {row.date},"
                         " price_ratio: 0.5}]")
    if isinstance(row, ApiPrice) and row.cache_read_usd_per_mtok and row.cache_minimum_tokens is None:
        rule = cache_minimum(row.provider, row.model)
        row = row.model_copy(update={"cache_minimum_tokens": rule.minimum_tokens if rule else None})
    kind, key = type(row), KEYS[type(row)]
    path, remarks = prices_folder() / f"{NAMES[kind]}.csv", _remarks(row, today)
    for held in own_rows(kind):
        if held.date == row.date and key(held) == key(row):
            if _price(held) == _price(row):
                return Addition(path, None, remarks)
            raise InputError(f"{path.parent} holds another price of the same, of {row.date}; none is overwritten: give --date,"
                             " or correct the file by hand")
    before = read_text(path, SIZE_LIMIT, holds="a file of prices") if path.exists() else ""
    return Addition(path, csv_text(kind, [row], before), remarks)


def _price(row: DatedRow) -> dict[str, object]:
    return {name: value for name, value in row if name not in DatedRow.model_fields}


def _remarks(row: DatedRow, today: Date) -> tuple[str, ...]:
    """What may be a slip of the pen: a vendor or a model that nobody had until now, a price beyond all that are known."""
    if isinstance(row, RentalOffer):
        offers = rental_offers(today)
        dearest = max((o for o in offers if o.gpu == row.gpu), key=attrgetter("usd_per_gpu_hour"), default=row)
        beyond = (f"{dollars(row.usd_per_gpu_hour)} is above every rent of {row.gpu} that is known, at most"
                  f" {dollars(dearest.usd_per_gpu_hour)} ({dearest.vendor}); it is of one GPU and an hour")
        return (*_first_of("vendor", row.vendor, {o.vendor for o in offers}),
                *([beyond] if row.usd_per_gpu_hour > dearest.usd_per_gpu_hour else []))
    if isinstance(row, PurchasePrice):
        known = next((price for price in _by(today, purchase_prices) if price.gpu == row.gpu), row).usd_per_gpu
        times = row.usd_per_gpu / known
        off = (f"{dollars(row.usd_per_gpu)} is {times:.2g} x the {dollars(known)} that one {row.gpu} is known to cost; it is"
               " of one card, to buy")
        return () if 1.0 / FAR_OFF < times < FAR_OFF else (off,)
    return tuple(_api_remarks(row, today)) if isinstance(row, ApiPrice) else ()


def _api_remarks(row: ApiPrice, today: Date) -> Iterator[str]:
    """What may be a slip, and what was known of the model that this price does not state."""
    try:
        known = find_api_price(row.provider, row.model, today)  # a dated snapshot has the price of its model
    except InputError:
        yield from _first_of("provider", row.provider, provider_names()) or _first_of(
            f"model of {row.provider}", row.model, model_names(row.provider))
    else:
        yield from _far_off(row, known)
        yield from _unstated(row, known)
    read, computed = (rates[0] if rates else 0.0 for rates in (row.cache_read_usd_per_mtok, row.input_usd_per_mtok))
    if read > computed:
        yield f"{dollars(read)} for input from the cache is above the {dollars(computed)} of other input"


def _stated(price: ApiPrice) -> dict[str, float]:
    """The lowest tier's rates that a price states, USD per million tokens, by the name of their option."""
    return {name.removesuffix(RATE).replace("_", "-"): value[0] for name, value in price if name.endswith(RATE) and value}


def _far_off(row: ApiPrice, known: ApiPrice) -> Iterator[str]:
    """Each rate that is a multiple or a fraction of the known one that nobody pays."""
    before = _stated(known)
    for name, usd in _stated(row).items():
        if (was := before.get(name, 0.0)) > 0.0 and not 1.0 / FAR_OFF < usd / was < FAR_OFF:
            yield (f"--{name}: {dollars(usd)} is {usd / was:.4g} x the {dollars(was)} that {row.provider}/{row.model} is"
                   " known to cost; it is of a million tokens")


def _unstated(row: ApiPrice, known: ApiPrice) -> Iterator[str]:
    """The rates that are known and that this price does not have, which are then no rates at all, and how to state them."""
    stated, edges, file = _stated(row), known.edges_tokens[1:], f"{NAMES[ApiPrice]}.csv"
    gone = [f"--{name} {usd:g}" for name, usd in _stated(known).items() if name not in stated]
    if gone:
        yield (f"known until now, and not in this price: {', '.join(gone)}; a cache or a batch without a rate"
               f" counts as not offered. State what holds: these options with another --date, or the row in {file}")
    if edges and len(row.edges_tokens) == 1:
        above = " and ".join(f"{edge:,.0f}" for edge in edges)
        yield (f"known until now, and not in this price: other rates above {above} input tokens of a call. Where they hold,"
               f" complete the row in {file}: edges_tokens {';'.join(f'{edge:.0f}' for edge in known.edges_tokens)},"
               " and in each rate as many figures, with ; between them")


def _first_of(field: str, name: str, known: Collection[str]) -> tuple[str, ...]:
    """Says that a name had no price until now, and the nearest that has; nothing where it has one."""
    told = f"{name} is a {field} that had no price until now{nearest_told(name, known, cutoff=0.7)}"
    return () if name in known else (told,)


def vendor_spelling(vendor: str) -> str:
    """The vendor as the catalog spells it, in whatever case it is given."""
    return {o.vendor.lower(): o.vendor for o in rental_offers(Date.max)}.get(vendor.strip().lower(), vendor.strip())


@dataclass(frozen=True)
class Change:
    """A price that a refresh brought: new, other, or no longer listed."""

    what: str
    """The card, vendor and kind, or provider/model."""
    unit: str
    before: tuple[float, ...] | None
    """None where it is new; input and output price of an API."""
    after: tuple[float, ...] | None
    """Prices now, as `before` has them; None where it is gone."""

    @property
    def word(self) -> str:
        """added, gone, dearer or cheaper (by the sum, for an API)."""
        if self.before is None or self.after is None:
            return "added" if self.before is None else "gone"
        return "dearer" if sum(self.after) > sum(self.before) else "cheaper"


@dataclass(frozen=True)
class Refresh:
    """Files to write, and what they change."""

    files: tuple[tuple[Path, str], ...]
    rows: int
    changes: tuple[Change, ...]
    same: int
    """Prices that are as they were."""
    left_out: Counter[str]
    """GPU offers of cards that the catalog does not hold, by card."""
    silent: tuple[str, ...]
    """Vendors from which nothing came."""
    unpriced: int
    """API models without a price by the token."""
    stated: tuple[str, ...]
    """What the user stated by hand; a list price of today does not take its place."""


def refresh_prices(day: Date, *, gpus: bool = True, apis: bool = True) -> Refresh:
    """Today's GPU offers and API prices as files of the user's folder, dated `day`, and what they change.

    Everything is fetched before anything is told, so that a failure leaves nothing half done. A day has one file of each. What
    the user stated by hand is left out: a list price would be newer than the contract.
    """
    kinds = [kind for kind, wanted in ((RentalOffer, gpus), (ApiPrice, apis)) if wanted]
    paths = {kind: prices_folder() / f"{NAMES[kind]}-{day}.csv" for kind in kinds}
    for path in paths.values():
        if path.exists():
            raise InputError(f"{path} is there already: prices of a day are fetched once; remove it to fetch them again")
    items = fetch_items() if gpus else ()
    providers = fetch_providers() if apis else ()
    stated = {(kind, KEYS[kind](row)): row for kind in kinds for row in own_rows(kind)
              if row.source.endswith(f"(yours: {NAMES[kind]}.csv)")}  # fmt: skip
    offers, left_out = as_rentals(items, day, source_name())
    prices, unpriced = _listed(providers, day)
    rents = [row for row in offers if (RentalOffer, RENT_KEY(row)) not in stated]
    listed = [row for row in prices if (ApiPrice, KEYS[ApiPrice](row)) not in stated]
    vendors, sellers = {row.vendor for row in rents}, {row.provider for row in listed}
    rents_before = [o for o in _by(day, rental_offers) if o.vendor in vendors and o.kind is not RentalKind.RESERVED
                    and (RentalOffer, RENT_KEY(o)) not in stated]
    known, _ = _priced([(p, m) for p in provider_names() if p in sellers for m in model_names(p)], day)
    apis_before = [row for row in known if row.source.startswith("genai-prices")]
    changes, same = _changes([*rents_before, *apis_before], [*rents, *(row for row in listed if row.date == day)])
    rows: dict[type[DatedRow], Sequence[DatedRow]] = {RentalOffer: rents, ApiPrice: listed}
    return Refresh(
        files=tuple((path, csv_text(kind, rows[kind])) for kind, path in paths.items()), rows=len(rents) + len(listed),
        changes=changes, same=same, left_out=left_out, unpriced=unpriced,
        stated=tuple(_name(row)[0] for row in stated.values()),
        silent=tuple(sorted(set(VENDORS.values()) - vendors)) if gpus else ())


def _listed(providers: Sequence[Any], day: Date) -> tuple[list[ApiPrice], int]:  # Any: genai-prices' providers
    """The price of every model on `day`, and the next one where it is announced; and how many have none by the token."""
    rows, unpriced = [], 0
    for provider in providers:
        for model in provider.models:
            try:
                row = list_price(provider, model, model.id, day, "refresh", updated=day)
            except ScenarioError:
                unpriced += 1
                continue
            rows.append(row)
            later = announced_price(row, partial(list_price, provider, model, model.id, field="refresh", updated=day))
            if later is not None:
                rows.append(later.model_copy(update={"note": f"announced, as of {day}"}))
    return rows, unpriced


def _changes(before: Sequence[DatedRow], after: Sequence[DatedRow]) -> tuple[tuple[Change, ...], int]:
    """What is new, other or gone, in this order; and how many prices are as they were."""
    old, new = ({KEYS[type(row)](row): row for row in rows} for rows in (before, after))
    pairs = [(old.get(key), row) for key, row in new.items()] + [(row, None) for key, row in old.items() if key not in new]
    changes = [Change(*_name(was or row), _rates(was), _rates(row)) for was, row in pairs if _rates(was) != _rates(row)]
    return tuple(sorted(changes, key=lambda c: (c.before is not None, c.after is None))), len(pairs) - len(changes)


def _name(row: DatedRow | None) -> tuple[str, str]:
    """What is priced, and in which unit."""
    if isinstance(row, RentalOffer):
        size = f" x{row.gpus_per_instance}" if row.gpus_per_instance > 1 else ""
        return f"{row.gpu}{size}, {row.vendor}, {row.kind.value}", "USD/GPU-hour"
    assert isinstance(row, ApiPrice)
    return f"{row.provider}/{row.model}", "USD/Mtok"


def _rates(row: DatedRow | None) -> tuple[float, ...] | None:
    """The rent, or the price of input and of output."""
    if isinstance(row, RentalOffer):
        return (row.usd_per_gpu_hour,)
    return (row.input_usd_per_mtok[0], row.output_usd_per_mtok[0]) if isinstance(row, ApiPrice) else None
