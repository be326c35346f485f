"""Options that pay by the token: staying, caching and batch, cheaper and hosted models, cascades."""

from datetime import date

import numpy as np

from roi.catalog.prices.api_prices import find_api_price, find_provider
from roi.catalog.prices.vendors import retirement
from roi.catalog.rows import STALE_DAYS, price_age_days
from roi.economics.decision.evaluation import read_all
from roi.economics.decision.feasibility import meets_bar
from roi.economics.lines.api_bill import service
from roi.errors import InputError, ScenarioError
from roi.facts.fact import Basis
from roi.facts.price import ApiPrice
from roi.resolution.fact_sheet import FactSheet
from roi.resolution.system_facts import add_system
from roi.scenario.quantity import Share, Spread, as_spread, value_of
from roi.scenario.schema import Scenario, check_system_names, model_part
from roi.units import DAYS_PER_MONTH

RATES = ("input", "output", "cache_read", "cache_write", "batch_input", "batch_output", "batch_cache_read", "batch_cache_write")


def add_api_options(sheet: FactSheet, s: Scenario) -> None:
    """Facts of every option that is an API of list prices."""
    i = s.incumbent
    find_provider(i.provider, "incumbent.provider")
    price = find_api_price(i.provider, i.model, s.as_of, "incumbent.model")
    check_system_names(s)
    add_system(sheet, s, i.model)
    ends = retirement(price.provider, price.model, s.as_of)
    if ends is not None and ends.retires_on <= s.as_of:
        raise ScenarioError("incumbent.model", i.model, f"it was retired on {ends.retires_on}; name the model that is paid now")
    _stale(sheet, s, price)
    vendor = add_vendor(sheet, s, price)
    _successor(sheet, s, price, vendor)
    add_option(sheet, "stay", "stay", i.model, i.model, "none", vendor)
    add_price(sheet, "stay", price, discount=i.discount, uses_cache=i.uses_cache, batch_share=i.batch_share)
    _cache_batch(sheet, s, price, vendor)
    for kind, names in (("cheaper-api", s.candidates.api_models), ("hosted-open", s.candidates.hosted_models)):
        for name in names:
            _api_option(sheet, s, kind, name)
    for name in s.candidates.cascade_first:
        _cascade(sheet, s, name)


def _successor(sheet: FactSheet, s: Scenario, price: ApiPrice, vendor: str) -> None:
    """What the user knows of the incumbent's successor; a vendor's suggestion at another price is said, not assumed."""
    i = s.incumbent
    for name, value in (("price", i.successor_price_ratio), ("error", i.successor_error_ratio)):
        if value is not None:
            sheet.quantity(
                f"vendors.{vendor}.first_successor_{name}_ratio",
                value,
                "ratio",
                stated=True,
                source=f"scenario incumbent.successor_{name}_ratio",
            )
    announced = retirement(price.provider, price.model, s.as_of)
    if announced is None or announced.successor is None or i.successor_price_ratio is not None:
        return
    ratio = suggested_ratio(price, announced.successor, s)
    if ratio is not None:
        sheet.warnings.append(
            f"{price.provider} suggests {announced.successor} after {price.model}, at {ratio:.2f} x its price;"
            f" staying is priced at {value_of(s.drift.successor_price_ratio):g} x: if you would follow, set"
            f" incumbent.successor_price_ratio={ratio:.2f}"
        )


def suggested_ratio(price: ApiPrice, successor: str, s: Scenario) -> float | None:
    """List cost of the mean request at the suggested successor over the present model's; None where it has no price."""
    try:
        other = find_api_price(price.provider, successor, s.as_of)
    except InputError:
        return None
    w = s.workload
    if w.lengths is not None:
        tokens = [
            sum(b.share * n for b, n in zip(w.lengths, row, strict=True))
            for row in ([b.input_tokens for b in w.lengths], [b.output_tokens for b in w.lengths])
        ]
    else:
        tokens = [value_of(w.input_tokens or 0.0), value_of(w.output_tokens or 0.0)]
    cost = [p.input_usd_per_mtok[0] * tokens[0] + p.output_usd_per_mtok[0] * tokens[1] for p in (other, price)]
    return cost[0] / cost[1] if cost[1] > 0 else None


def _cache_batch(sheet: FactSheet, s: Scenario, price: ApiPrice, vendor: str) -> None:
    i, w = s.incumbent, s.workload
    able_cache = (
        price.cache_read_usd_per_mtok is not None and value_of(w.shared_prefix_tokens) > 0 and value_of(w.cache_hit_rate) > 0
    )
    if able_cache and value_of(w.shared_prefix_tokens) < (price.cache_minimum_tokens or 0):
        able_cache = False
        sheet.warnings.append(
            f"the shared prefix of {value_of(w.shared_prefix_tokens):.0f} tokens is below {price.provider}'s"
            f" cache minimum of {price.cache_minimum_tokens}: nothing is cached"
        )
    waits = value_of(w.can_wait_share) > value_of(i.batch_share)
    if waits and price.batch_input_usd_per_mtok is None:
        sheet.warnings.append(f"no batch price known for {price.provider}/{price.model}: standard price used")
    able_batch = waits and price.batch_input_usd_per_mtok is not None
    new = [name for name, on in (("cache", able_cache and not i.uses_cache), ("batch", able_batch)) if on]
    label = f"{i.model}, {' + '.join(new) or 'cache + batch'}"
    add_option(sheet, "cache-batch", "cache-batch", label, i.model, "cache_batch", vendor)
    add_price(sheet, "cache-batch", price, discount=None, uses_cache=True, batch_share=None)
    if not new:
        on = i.uses_cache or value_of(i.batch_share) > 0
        none = "nothing to switch on: no shared prefix that can be cached, and no share that can wait at a batch price"
        sheet.name("options.cache-batch.infeasible", "what helps is switched on already" if on else none, "workload and prices")


def _api_option(sheet: FactSheet, s: Scenario, kind: str, name: str) -> None:
    price = find_api_price(None, name, s.as_of, f"candidates.{'api_models' if kind == 'cheaper-api' else 'hosted_models'}")
    id = f"{kind}:{name}"
    add_system(sheet, s, model_part(name))
    vendor = add_vendor(sheet, s, price)
    add_option(sheet, id, kind, short_label(price), model_part(name), "api", vendor)
    add_price(sheet, id, price, discount=0.0, uses_cache=True, batch_share=None)
    _notices(sheet, s, id, price)


def _cascade(sheet: FactSheet, s: Scenario, name: str) -> None:
    price = find_api_price(None, name, s.as_of, "candidates.cascade_first")
    id = f"cascade:{name}"
    add_system(sheet, s, model_part(name))
    vendor = add_vendor(sheet, s, price)
    add_option(sheet, id, "cascade", f"{short_label(price)} > {s.incumbent.model}", model_part(name), "cascade", vendor)
    add_price(sheet, id, price, discount=0.0, uses_cache=True, batch_share=None)
    if model_part(name) not in s.quality.escalated:
        sheet.field(f"options.{id}.escalated_share", s.quality, "cascade_escalated_share", "quality")
    _notices(sheet, s, id, price)


def short_label(price: ApiPrice) -> str:
    """The model's own part of its name, and who serves it where that is not obvious."""
    tail = price.model.rsplit("/", 1)[-1]
    return tail if price.provider in {"openai", "anthropic", "google"} else f"{tail} @ {price.provider}"


def add_option(
    sheet: FactSheet, id: str, kind: str, label: str, system: str, group: str, vendor: str | None, *, trains: bool = False
) -> None:
    """The frame of an option."""
    own = f"options.{id}."
    sheet.name(own + "kind", kind, "roi")
    for name, value in (("label", label), ("system", system), ("group", group)):
        sheet.name(own + name, value, "roi")
    sheet.name(own + "trains", trains, "roi")
    if vendor is not None:
        sheet.name(own + "vendor", vendor, "roi")
        if kind not in {"stay", "cache-batch"}:
            _check_lives_long_enough(sheet, own, group, vendor)


def _check_lives_long_enough(sheet: FactSheet, own: str, group: str, vendor: str) -> None:
    """A model whose announced end comes before the change could be live is no option; its successor may be one."""
    day = sheet.facts.get(f"vendors.{vendor}.retires_on")
    end, live = sheet.facts[f"vendors.{vendor}.first_end_months"].value, sheet.facts[f"changes.{group}.months_to_live"].value
    assert isinstance(end, (int, float))
    assert isinstance(live, (int, float))
    if day is not None and end < live:
        sheet.name(own + "infeasible", f"ends on {day.value}, before it could be live (month {live:g})", day.source)


def add_price(
    sheet: FactSheet, id: str, price: ApiPrice, *, discount: float | Spread | None, uses_cache: bool, batch_share: Share | None
) -> None:
    """The price list of an option, tier by tier. None: the incumbent's discount; all that can wait goes through batch."""
    own = f"options.{id}."
    note = f"{price.source}; {price.note}" if price.note else price.source

    def quoted(name: str, value: tuple[float, ...] | float, unit: str) -> None:
        sheet.add(own + "price." + name, value, unit, basis=Basis.QUOTED, source=note, date=price.date)

    quoted("edges_tokens", price.edges_tokens, "tokens")
    for name in RATES:
        row = getattr(price, f"{name}_usd_per_mtok")
        if row is not None:
            quoted(f"{name}_usd_per_mtok", row, "USD/Mtok")
    if price.cache_minimum_tokens is not None:
        quoted("cache_minimum_tokens", float(price.cache_minimum_tokens), "tokens")
    if discount is not None:
        mine = id == "stay"
        why = "scenario incumbent.discount" if mine else "list price: no negotiated discount is known for this model"
        sheet.quantity(own + "price.discount", discount, "share", stated=mine, source=why)
    sheet.name(own + "uses_cache", uses_cache)
    if batch_share is not None:
        sheet.quantity(own + "batch_share", batch_share, "share", stated=True, source="scenario incumbent.batch_share")


def add_vendor(sheet: FactSheet, s: Scenario, price: ApiPrice, retires_on: date | None = None) -> str:
    """When the vendor's model ends: the announced day, else an assumed life; and how its successor is priced."""
    name = f"{price.provider}/{price.model}"
    own = f"vendors.{name}."
    life = as_spread(s.drift.model_life_months)
    announced = retirement(price.provider, price.model, s.as_of)
    ends = retires_on or (announced.retires_on if announced is not None else None)
    if ends is not None:
        sheet.name(own + "retires_on", ends.isoformat(), price.source if announced is None else announced.source)
        source = announced.source if announced is not None else price.source
        sheet.add(
            own + "first_end_months",
            max((ends - s.as_of).days / DAYS_PER_MONTH, 0.0),
            "months",
            basis=Basis.QUOTED,
            source=f"retires on {ends}: {source}",
            date=announced.date if announced is not None else price.date,
        )
        successor = f"; the vendor suggests {announced.successor}" if announced is not None and announced.successor else ""
        if s.as_of < ends and (ends - s.as_of).days / DAYS_PER_MONTH < s.horizon_months:
            sheet.warnings.append(f"{name} ends on {ends}, inside the horizon{successor}")
    else:
        sheet.quantity(
            own + "first_end_months",
            life,
            "months",
            stated="model_life_months" in s.drift.model_fields_set,
            source="no end announced: assumed life",
        )
    sheet.quantity(
        own + "life_months",
        life.value,
        "months",
        stated="model_life_months" in s.drift.model_fields_set,
        source=life.source or "scenario drift.model_life_months",
    )
    sheet.field(own + "successor_price_ratio", s.drift, "successor_price_ratio_own", "drift")
    return name


def _notices(sheet: FactSheet, s: Scenario, id: str, price: ApiPrice) -> None:
    """What a reader must know about this price: retired, stale, no batch variant."""
    ends = retirement(price.provider, price.model, s.as_of)
    if ends is not None and ends.retires_on <= s.as_of:
        sheet.name(f"options.{id}.infeasible", f"retired on {ends.retires_on}", ends.source)
    if value_of(s.workload.can_wait_share) > 0 and price.batch_input_usd_per_mtok is None:
        sheet.warnings.append(f"no batch price known for {price.provider}/{price.model}: standard price used")
    _stale(sheet, s, price)


def _stale(sheet: FactSheet, s: Scenario, price: ApiPrice) -> None:
    """A price that is older than 90 days is said to be."""
    if price_age_days(price, s.as_of) > STALE_DAYS:
        sheet.warnings.append(
            f"price of {price.provider}/{price.model} is {price_age_days(price, s.as_of)} days old ({price.date})"
        )


def cheapest_spill(sheet: FactSheet) -> str:
    """The API that a hybrid spills to: the cheapest that was evaluated and passes the bar, else the incumbent."""
    case = sheet.case()
    shared, options = read_all(case, {**case.values(), "reconciliation.factor": 1.0, "reconciliation.volume_share": 0.0})
    passing = [
        o
        for o in options.values()
        if o.api is not None
        and o.kind in {"stay", "cache-batch", "cheaper-api", "hosted-open"}
        and o.infeasible is None
        and (o.kind == "stay" or (o.evaluated and meets_bar(shared, o, options).all()))
    ]
    return min(passing, key=lambda o: float(np.asarray(service(shared, o).cost.usd))).id
