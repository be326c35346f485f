"""Options that pay by the token: staying, caching and batch, cheaper and hosted models, cascades."""

from datetime import date
from functools import partial

import numpy as np

from roi.catalog.prices.api_prices import find_api_price, find_provider
from roi.catalog.prices.vendors import retirement
from roi.catalog.rows import STALE_DAYS
from roi.economics.decision.evaluation import read_all
from roi.economics.decision.feasibility import meets_bar
from roi.economics.inputs import KEEPS_MODEL, Api, BillFacts, Option, OptionFacts, path_of
from roi.economics.lines.api_bill import service
from roi.economics.reading import PLAIN
from roi.errors import InputError, ScenarioError
from roi.facts.fact import Basis
from roi.facts.price import ApiPrice
from roi.resolution.fact_sheet import FactSheet
from roi.resolution.system_facts import add_system, check_names
from roi.scenario.quantity import Share, Spread, as_spread, value_of
from roi.scenario.scenario import Scenario, model_part
from roi.units import DAYS_PER_MONTH

RATES = ("input", "output", "cache_read", "cache_write", "batch_input", "batch_output", "batch_cache_read", "batch_cache_write")
"""Rows of a price list, in its own words and in those of `Api`."""


def add_api_options(sheet: FactSheet, s: Scenario) -> None:
    """Facts of every option that is an API of list prices."""
    i = s.incumbent
    find_provider(i.provider, "incumbent.provider")
    price = find_api_price(i.provider, i.model, s.as_of, "incumbent.model")
    check_names(sheet, s)
    add_system(sheet, s, i.model)
    ends = retirement(price.provider, price.model, s.as_of)
    if ends is not None and ends.retires_on <= s.as_of:
        raise ScenarioError("incumbent.model", i.model, f"it was retired on {ends.retires_on}; name the model that is paid now")
    _warn_of_age(sheet, s, price)
    vendor = add_vendor(sheet, s, price)
    _successor(sheet, s, price, vendor)
    if price.context_tokens is not None:
        sheet.add("incumbent.context_tokens", price.context_tokens, "tokens", basis=Basis.PUBLISHED, source=price.source,
                  date=price.date)
    add_option(sheet, "stay", "stay", i.model, i.model, "none", vendor)
    add_price(sheet, "stay", price, discount=i.discount, uses_cache=i.uses_cache, batch_share=i.batch_share)
    _cache_batch(sheet, s, price, vendor)
    for kind, field in (("cheaper-api", "api_models"), ("hosted-open", "hosted_models"), ("cascade", "cascade_first")):
        for name in getattr(s.candidates, field):
            _list_priced(sheet, s, kind, name, field)


def _successor(sheet: FactSheet, s: Scenario, price: ApiPrice, vendor: str) -> None:
    """What the user knows of the incumbent's successor; a vendor's suggestion at another price is said, not assumed."""
    i = s.incumbent
    for name, value in (("price", i.successor_price_ratio), ("error", i.successor_error_ratio)):
        if value is not None:
            path = path_of(Option, f"first_{name}_ratio", vendor=vendor)
            sheet.quantity(path, value, "ratio", stated=True, source=f"scenario incumbent.successor_{name}_ratio")
    announced = retirement(price.provider, price.model, s.as_of)
    if announced is None or announced.successor is None or i.successor_price_ratio is not None:
        return
    ratio = _suggested_ratio(price, announced.successor, s)
    if ratio is not None:
        sheet.warnings.append(f"{price.provider} suggests {announced.successor} after {price.model}, at {ratio:.2f} x its"
                              f" price; staying is priced at {value_of(s.drift.successor_price_ratio):g} x: if you would"
                              f" follow, set incumbent.successor_price_ratio={ratio:.2f}")


def _suggested_ratio(price: ApiPrice, successor: str, s: Scenario) -> float | None:
    """List cost of the mean request at the suggested successor over the present model's; None where it has no price."""
    try:
        other = find_api_price(price.provider, successor, s.as_of)
    except InputError:
        return None
    w = s.workload
    if w.lengths is not None:
        given, answered = (sum(b.share * getattr(b, name) for b in w.lengths) for name in ("input_tokens", "output_tokens"))
    else:
        given, answered = value_of(w.input_tokens or 0.0), value_of(w.output_tokens or 0.0)
    new, old = (p.input_usd_per_mtok[0] * given + p.output_usd_per_mtok[0] * answered for p in (other, price))
    return new / old if old > 0 else None


def _cache_batch(sheet: FactSheet, s: Scenario, price: ApiPrice, vendor: str) -> None:
    """The incumbent with its cache and its batch price switched on, as far as they help."""
    i, w = s.incumbent, s.workload
    prefix = value_of(w.shared_prefix_tokens)
    cached = price.cache_read_usd_per_mtok is not None and prefix > 0 and value_of(w.cache_hit_rate) > 0
    if cached and prefix < (price.cache_minimum_tokens or 0):
        cached = False
        sheet.warnings.append(f"the shared prefix of {prefix:.0f} tokens is below {price.provider}'s"
                              f" cache minimum of {price.cache_minimum_tokens}: nothing is cached")
    waits = value_of(w.can_wait_share) > value_of(i.batch_share)
    batched = waits and price.batch_input_usd_per_mtok is not None
    if waits and not batched:
        _warn_of_no_batch(sheet, price)
    new = [name for name, on in (("cache", cached and not i.uses_cache), ("batch", batched)) if on]
    label = f"{i.model}, {' + '.join(new) or 'cache + batch'}"
    add_option(sheet, "cache-batch", "cache-batch", label, i.model, "cache_batch", vendor)
    add_price(sheet, "cache-batch", price, discount=None, uses_cache=True, batch_share=None)
    if not new:
        why = "nothing to switch on: no shared prefix that can be cached, and no share that can wait at a batch price"
        if i.uses_cache or value_of(i.batch_share) > 0:
            why = "what helps is switched on already"
        sheet.state(path_of(Option, "infeasible", option="cache-batch"), why, "workload and prices")


def _list_priced(sheet: FactSheet, s: Scenario, kind: str, name: str, field: str) -> None:
    """Another model at its list price: alone, or first in a cascade that hands on to the incumbent."""
    price, model = find_api_price(None, name, s.as_of, f"candidates.{field}"), model_part(name)
    id, label, cascade = f"{kind}:{name}", price.model.rsplit("/", 1)[-1], kind == "cascade"
    if price.provider not in {"openai", "anthropic", "google"}:  # who serves it is not obvious
        label = f"{label} @ {price.provider}"
    add_system(sheet, s, model)
    vendor = add_vendor(sheet, s, price)
    label, group = (f"{label} > {s.incumbent.model}", "cascade") if cascade else (label, "api")
    add_option(sheet, id, kind, label, model, group, vendor)
    add_price(sheet, id, price, discount=0.0, uses_cache=True, batch_share=None)
    if cascade and model not in s.quality.escalated:
        sheet.field(path_of(Option, "escalated", option=id), s.quality, "cascade_escalated_share", "quality")
    ends = retirement(price.provider, price.model, s.as_of)
    if ends is not None and ends.retires_on <= s.as_of:
        sheet.state(path_of(Option, "infeasible", option=id), f"retired on {ends.retires_on}", ends.source)
    if value_of(s.workload.can_wait_share) > 0 and price.batch_input_usd_per_mtok is None:
        _warn_of_no_batch(sheet, price)
    _warn_of_age(sheet, s, price)


def _warn_of_no_batch(sheet: FactSheet, price: ApiPrice) -> None:
    sheet.warnings.append(f"no batch price known for {price.provider}/{price.model}: standard price used")


def _warn_of_age(sheet: FactSheet, s: Scenario, price: ApiPrice) -> None:
    age = (s.as_of - price.date).days
    if age > STALE_DAYS:
        sheet.warnings.append(f"price of {price.provider}/{price.model} is {age} days old ({price.date})")


def add_option(
    sheet: FactSheet, id: str, kind: str, label: str, system: str, group: str, vendor: str | None, *, trains: bool = False,
) -> None:
    """The frame of an option; infeasible where its model's announced end comes before the change could be live."""
    path = partial(path_of, Option, option=id)
    for name, value in (("kind", kind), ("label", label), ("system", system), ("group", group), ("trains", trains)):
        sheet.state(path(name), value, "roi")
    if vendor is None:
        return
    sheet.state(path("vendor"), vendor, "roi")
    if kind in KEEPS_MODEL:
        return
    names = {"vendor": vendor, "group": group}
    day = sheet.facts.get(path_of(Option, "retires_on", **names))
    end, live = (sheet.facts[path_of(Option, name, **names)].value for name in ("life_first", "months_to_live"))
    assert isinstance(end, (int, float))
    assert isinstance(live, (int, float))
    if day is not None and end < live:  # its successor may be an option
        sheet.state(path("infeasible"), f"ends on {day.value}, before it could be live (month {live:g})", day.source)


def add_price(
    sheet: FactSheet, id: str, price: ApiPrice, *, discount: float | Spread | None, uses_cache: bool, batch_share: Share | None
) -> None:
    """The price list of an option, tier by tier. None: the incumbent's discount; all that can wait goes through batch."""
    path = partial(path_of, Api, option=id)
    note = f"{price.source}; {price.note}" if price.note else price.source
    quoted = partial(sheet.add, basis=Basis.QUOTED, source=note, date=price.date)
    quoted(path("edges"), price.edges_tokens, "tokens")
    for name in RATES:
        row = getattr(price, f"{name}_usd_per_mtok")
        if row is not None:
            quoted(path(name), row, "USD/Mtok")
    if price.cache_minimum_tokens is not None:
        quoted(path("cache_minimum"), float(price.cache_minimum_tokens), "tokens")
    if discount is not None:
        mine = id == "stay"
        why = "scenario incumbent.discount" if mine else "list price: no negotiated discount is known for this model"
        sheet.quantity(path("discount"), discount, "share", stated=mine, source=why)
    sheet.state(path("uses_cache"), uses_cache)
    if batch_share is not None:
        own = path_of(OptionFacts, "batch_share", option=id)
        sheet.quantity(own, batch_share, "share", stated=True, source="scenario incumbent.batch_share")


def add_vendor(sheet: FactSheet, s: Scenario, price: ApiPrice, retires_on: date | None = None) -> str:
    """When the vendor's model ends: the announced day, else an assumed life; and how its successor is priced."""
    name = f"{price.provider}/{price.model}"
    path = partial(path_of, Option, vendor=name)
    life, stated = as_spread(s.drift.model_life_months), "model_life_months" in s.drift.model_fields_set
    announced = retirement(price.provider, price.model, s.as_of)
    source, said_on = (price.source, price.date) if announced is None else (announced.source, announced.date)
    ends = retires_on or (announced.retires_on if announced is not None else None)
    if ends is None:
        sheet.quantity(path("life_first"), life, "months", stated=stated, source="no end announced: assumed life")
    else:
        months = (ends - s.as_of).days / DAYS_PER_MONTH
        sheet.state(path("retires_on"), ends.isoformat(), source)
        sheet.add(path("life_first"), max(months, 0.0), "months", basis=Basis.QUOTED, source=f"retires on {ends}: {source}",
                  date=said_on)
        if 0.0 < months < s.horizon_months:
            successor = f"; the vendor suggests {announced.successor}" if announced is not None and announced.successor else ""
            sheet.warnings.append(f"{name} ends on {ends}, inside the horizon{successor}")
    why = life.source or "scenario drift.model_life_months"
    sheet.quantity(path("life_every"), life.value, "months", stated=stated, source=why)
    sheet.field(path("own_price_ratio"), s.drift, "successor_price_ratio_own", "drift")
    return name


def cheapest_spill(sheet: FactSheet) -> str:
    """The API that a hybrid spills to: the cheapest that was evaluated and passes the bar, else the incumbent."""
    case = sheet.case()
    no_bill = {path_of(BillFacts, "factor"): 1.0, path_of(BillFacts, "volume_share"): 0.0}
    shared, options = read_all(case, {**case.values(), **no_bill})
    passing = [o for o in options.values() if o.api is not None and o.infeasible is None
               and (o.kind == "stay" or (o.kind in PLAIN and o.evaluated and meets_bar(shared, o, options).all()))]
    return min(passing, key=lambda o: float(np.asarray(service(shared, o).cost.usd))).id
