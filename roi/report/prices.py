"""How `roi prices` is told: lists of prices with their age and source, and what a refresh has changed."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import date as Date

from roi.answers.prices import Change, PriceList, Refresh
from roi.facts.fact import STALE_DAYS
from roi.facts.price import ApiPrice
from roi.facts.records import DatedRow
from roi.report.layout.blocks import Block, Bullets, Gap, Heading, Notes, Paragraph, Row, Table, Title
from roi.report.layout.wording import figure, rate_usd
from roi.units import formatted

AGED = ("stated", "days", "")
RENT_HEADS = ("card and vendor", "kind", "USD/h", "GPUs", "months", *AGED)
API_HEADS = ("USD per million tokens", "input", "output", "cached", "batch\nin", "batch\nout", *AGED)
CACHE_HEADS = ("USD per million tokens", "cache\nwrite", "batch\ncached", "batch\nwrite")
TUNING_HEADS = ("vendor and model", "method", "USD/Mtok\ntrained", "hosting\nUSD/h", *AGED)
API_RATES = ("input_usd_per_mtok", "output_usd_per_mtok", "cache_read_usd_per_mtok", "batch_input_usd_per_mtok",
             "batch_output_usd_per_mtok")  # fmt: skip
CACHE_RATES = ("cache_write_usd_per_mtok", "batch_cache_read_usd_per_mtok", "batch_cache_write_usd_per_mtok")
"""Rates that not everybody takes: where nobody does, they are not listed."""
MOST_CHANGES = 20
"""The most changes of a refresh that are shown; the JSON has all of them."""


def prices_json(found: PriceList) -> str:
    """The list as JSON: each row with its fields, its age in days and whether it is stale; without WHAT, where prices lie."""
    rows = {} if found.what is None else {
        name: [{**row.model_dump(mode="json"), "age_days": _days(row, found.as_of), "stale": _stale(row, found.as_of)}
               for row in each]
        for name, each in (("rents", found.rents), ("purchases", found.purchases), ("apis", found.apis),
                           ("announced", found.announced), ("tunings", found.tunings))}  # fmt: skip
    told = {
        "schema": "roi.prices/1", "what": found.what, "as_of": str(found.as_of), "stale_after_days": STALE_DAYS, **rows,
        "unpriced": found.unpriced, "holdings": [asdict(held) for held in found.holdings], "folder": str(found.folder),
    }
    return json.dumps(told, indent=1, allow_nan=False, default=str)


def prices_blocks(found: PriceList) -> Iterable[Block]:
    """The list, or where nothing is asked for what is held."""
    return _holdings(found) if found.what is None else _list(found)


def _holdings(found: PriceList) -> Iterator[Block]:
    yield Title(f"Prices known on {found.as_of}")
    yield Table(("", "rows", "oldest", "newest", "source"), tuple(
        Row((held.what, f"{held.rows:,}", str(held.oldest), str(held.newest), held.where)) for held in found.holdings), "lrlll")
    stale = [(name, sum(_stale(row, found.as_of) for row in rows), len(rows))
             for name, rows in (("rents", found.rents), ("cards to buy", found.purchases), ("fine-tuning", found.tunings))]
    told = ", ".join(f"{count} of {of} {name}" for name, count, of in stale)
    yield Gap()
    yield Paragraph(f"Older than {STALE_DAYS} days, of the newest row of each: {told}. Your files lie in {found.folder}."
                    " `roi prices NAME` lists a card, a model, a vendor or a provider.")


def _list(found: PriceList) -> Iterator[Block]:
    sources: dict[str, str] = {}

    def aged(row: DatedRow) -> tuple[str, str, str]:
        mark = sources.setdefault(row.source, f"[{len(sources) + 1}]")
        days = _days(row, found.as_of)
        return str(row.date), f"{'-' if days is None else days}{' !' if _stale(row, found.as_of) else '  '}", mark

    rents = [Row((f"{o.gpu}, {o.vendor}", f"{o.kind.value}{', index' * o.index}", _usd(o.usd_per_gpu_hour),
                  str(o.gpus_per_instance), str(o.minimum_months or ""), *aged(o))) for o in found.rents]
    rents += [Row((f"{p.gpu}, to buy, USD", "purchase", f"{p.usd_per_gpu:,.0f}", "", "", *aged(p))) for p in found.purchases]
    later = {(price.provider, price.model): price for price in found.announced}
    apis = [row for price in found.apis for row in (
        *_api_rows(price, API_RATES, aged(price)), *_announced(later.get((price.provider, price.model))))]
    caches = [row for price in found.apis if any(getattr(price, rate) for rate in CACHE_RATES)
              for row in _api_rows(price, CACHE_RATES)]
    tunings = [Row((f"{t.vendor} {t.model}" + (f", {t.gpu}" if t.gpu else ""), t.method, _usd(t.usd_per_mtok_trained),
                    _usd(t.usd_per_hosting_hour or None), *aged(t))) for t in found.tunings]
    yield Title(f"Prices of {found.what} on {found.as_of}")
    for title, heads, rows, align in (
        ("GPUs, USD per GPU and hour", RENT_HEADS, rents, "llrrrlrl"), ("APIs", API_HEADS, apis, "lrrrrrlrl"),
        ("APIs, prompt cache", CACHE_HEADS, caches, "lrrr"),
        ("Fine-tuning", TUNING_HEADS, tunings, "llrrlrl"),
    ):
        if rows:
            yield Heading(title)
            yield Table(heads, tuple(rows), align)
    if found.unpriced:
        yield Paragraph(f"Listed without a price by the token: {', '.join(found.unpriced)}.")
    yield from (Gap(), Notes((*_notes(found), *(f"{mark} {name}" for name, mark in sources.items()))))


def _notes(found: PriceList) -> Iterator[str]:
    """What the signs beside ages and kinds mean, where there are any."""
    if any(_stale(row, found.as_of) for row in (*found.rents, *found.purchases, *found.apis, *found.tunings)):
        yield f"! older than {STALE_DAYS} days"
    if any(_days(row, found.as_of) is None for row in found.apis):
        yield (f"-: stated later, and tells {found.as_of} in retrospect; a price without a first day is the same on every day"
               " before")
    if any(o.index for o in found.rents):
        yield ("index: a mean or a survey of contracts, which nobody can order; roi compare takes it where candidates.vendors"
               " names it")


def _api_rows(price: ApiPrice, named: Iterable[str], aged: tuple[str, ...] = ()) -> Iterator[Row]:
    """One row for each price tier of the model, with the rates of these names."""
    rates = [getattr(price, name) for name in named]
    for k, edge in enumerate(price.edges_tokens):
        name = f"{price.provider}/{price.model}" if k == 0 else f"  above {edge:,.0f} input tokens"
        yield Row((name, *(_usd(rate[k] if rate else None) for rate in rates), *(aged if k == 0 else ())))


def _announced(price: ApiPrice | None) -> Iterator[Row]:
    """The rows of the price that follows, the first one named by its day."""
    for k, row in enumerate(() if price is None else _api_rows(price, API_RATES)):
        yield Row((f"  announced from {price.date}" if k == 0 and price else row.cells[0], *row.cells[1:]))


def _usd(usd: float | None) -> str:
    return "-" if usd is None else rate_usd(usd)


def _days(row: DatedRow, as_of: Date) -> int | None:
    """The age of the price on that day; None where it was stated later, and an announced one is of a day to come."""
    return (as_of - row.date).days if row.date <= as_of else None


def _stale(row: DatedRow, as_of: Date) -> bool:
    return (_days(row, as_of) or 0) > STALE_DAYS


def refresh_json(found: Refresh) -> str:
    """What the refresh has written and changed, as JSON."""
    return json.dumps({
        "schema": "roi.price-refresh/1", "files": [str(path) for path, _ in found.files], "rows": found.rows,
        "same": found.same,
        "changes": [{**asdict(change), "change": change.word} for change in found.changes],
        "left_out": dict(found.left_out), "silent": found.silent, "unpriced": found.unpriced, "stated": found.stated,
    }, indent=1, allow_nan=False)


def refresh_blocks(found: Refresh) -> Iterator[Block]:
    """What a refresh brought, the largest changes first."""
    counts = Counter(change.word for change in found.changes)
    words = ", ".join(f"{counts[word]:,} {word}" for word in ("added", "dearer", "cheaper", "gone"))
    yield Title(f"{found.rows:,} prices fetched: {words}, {found.same:,} as before")
    other = sorted((c for c in found.changes if c.before and c.after), key=lambda c: -abs(_ratio(c) - 1.0))
    rest = [c for c in found.changes if not (c.before and c.after)]
    shown = [*other, *rest][:MOST_CHANGES]
    if shown:
        yield Table(("", "before", "now", "", ""), tuple(
            Row((c.what, _rates(c.before), _rates(c.after), c.unit,
                 c.word if c in rest else formatted(_ratio(c) - 1.0, "+.0%")))
            for c in shown), "lrrll")
    yield Gap()
    yield Bullets(tuple(_remarks(found, len(found.changes) - len(shown))))


def _ratio(change: Change) -> float:
    return sum(change.after or ()) / sum(change.before or ())


def _rates(rates: Iterable[float] | None) -> str:
    return "-" if rates is None else " / ".join(map(figure, rates))


def _remarks(found: Refresh, more: int) -> Iterator[str]:
    if more:
        yield f"{more:,} more changes: --format json has them all"
    if any(change.word == "gone" for change in found.changes):
        yield "gone: not among what was fetched; the old price stays known, with its date"
    if found.left_out:
        cards = ", ".join(f"{name} ({count})" for name, count in found.left_out.most_common())
        yield f"offers left out, of cards that the catalog does not hold or of clusters: {cards}"
    if found.stated:
        yield f"left as you stated them: {', '.join(found.stated)}"
    if found.silent:
        yield f"no offers came from {', '.join(found.silent)}"
    if found.unpriced:
        yield f"{found.unpriced:,} API models have no price by the token and are left out"
    for path, _ in found.files:
        yield f"written: {path}"
