"""Options that pay by the token: staying, cheaper and hosted models, cascades."""

from dataclasses import replace
from datetime import date
from functools import partial

from roi.catalog.models.quality_priors import prior_of_model
from roi.catalog.models.same_weights import closed_name
from roi.catalog.models.shapes import known_model
from roi.catalog.prices.api_prices import find_api_price
from roi.catalog.prices.vendors import MAKERS, ending_elsewhere, retirement
from roi.economics.inputs import Option, path_of
from roi.economics.price_list import AnnouncedRates
from roi.economics.worked_out import OptionFacts
from roi.errors import InputError, ScenarioError
from roi.facts.case import IN_USE, OWN_SERVERS
from roi.facts.fact import STALE_DAYS, Basis
from roi.facts.price import ApiPrice
from roi.resolution.fact_sheet import FactSheet
from roi.resolution.own_terms import check_names, check_served
from roi.resolution.request_lengths import takes_long
from roi.resolution.system_facts import add_system
from roi.resolution.template_facts import guessed_in_template
from roi.resolution.vendors.api_terms import (
    ONE_MODEL,
    add_latency,
    add_option,
    add_price,
    add_promise,
    add_rates,
    add_terms,
    add_units_today,
    not_cached,
    only_writes,
    too_slow,
    warn_of_no_batch,
    warn_of_tier,
)
from roi.resolution.vendors.levers import add_cache_batch, add_levers, saved_by_padding
from roi.resolution.vendors.list_prices import (
    LIST_TERMS,
    RATES,
    Terms,
    api_price,
    cost_ratio,
    lists_to_come,
    mean_cost,
    terms_of,
)
from roi.scenario.quantity import as_spread, value_of
from roi.scenario.scenario import AS_PAID, Scenario, escalating_systems, model_part
from roi.scenario.sections.apis import RATES as API_RATES
from roi.scenario.sections.apis import ApiTerms
from roi.scenario.sections.demand import Incumbent
from roi.units import DAYS_PER_MONTH

BY_TOKEN = "by-token"  # noqa: S105 - a kind of options
LISTED = ("edges_tokens", *(f"{name}_usd_per_mtok" for name in RATES))
"""What a price list holds that an announced one may move."""
WORTH_PADDING = 0.1
"""Part of a candidate's bill from which it is said what a longer shared prefix would save there."""


def add_api_options(sheet: FactSheet, s: Scenario) -> None:
    """Facts of every option that is an API of list prices."""
    i = s.incumbent
    check_served(s)
    terms = terms_of(s, f"{i.provider}/{i.model}")
    unmeant = terms.own.model_fields_set - {"announced", *(f"{rate}_usd_per_mtok" for rate in API_RATES)}
    if unmeant:
        why = "of the incumbent only prices stand here; the others are fields of incumbent and workload"
        raise ScenarioError(f"{terms.field}.{min(unmeant)}", getattr(terms.own, min(unmeant)), why)
    terms = replace(terms, writes=i.writes_cache or not i.uses_cache, minimum=i.cache_minimum_tokens)
    if not terms.writes and any("cache_write" in each.rates for each in (terms.own, *terms.own.announced)):
        why = f"{terms.field}: cache_write_usd_per_mtok states what writing costs"
        raise ScenarioError("incumbent.writes_cache", False, why)
    price, terms = api_price(s, i.provider, i.model, "incumbent", terms)
    if terms.passed and i.bill_usd_per_month is not None:
        since = terms.own.announced[terms.passed - 1].from_date
        sheet.warnings.append("incumbent.bill_usd_per_month is held against today's price: state one of a month after"
                              f" {since}, on which that changed ({terms.field}.announced.{terms.passed - 1})")
    check_names(sheet, s)
    add_system(sheet, s, i.model, None)
    ends = retirement(price.provider, price.model, s.as_of)
    if ends is not None and ends.retires_on < s.as_of and i.ends_in_months is None:
        raise ScenarioError("incumbent.model", i.model, f"it was retired on {ends.retires_on}; name the model that is paid now")
    _warn_of_age(sheet, s, price)
    warn_of_tier(sheet, s, price)
    vendor = add_vendor(sheet, s, price, own=("incumbent", i), terms=terms)
    _successor(sheet, s, price, vendor)
    add_latency(sheet, vendor, i, "incumbent")
    _context_today(sheet, i, price)
    add_option(sheet, "stay", "stay", i.model, i.model, "none", vendor)
    add_price(sheet, "stay", price, discount=i.discount, uses_cache=i.uses_cache, batch_share=i.batch_share, terms=terms,
              cache_as_today=i.uses_cache)
    _waits_as_paid(sheet, s)
    _tiers_today(sheet, i, vendor)
    if i.paid_by is not None:
        add_units_today(sheet, s, "stay")
        add_option(sheet, BY_TOKEN, BY_TOKEN, f"{i.model} by the token", i.model, "cache_batch", vendor)
        add_price(sheet, BY_TOKEN, price, discount=None, uses_cache=i.uses_cache, batch_share=None, terms=terms,
                  cache_as_today=i.uses_cache)
        sheet.state(path_of(OptionFacts, "batch_as_today", option=BY_TOKEN), True, "roi")
    add_cache_batch(sheet, s, price, vendor, terms)
    add_levers(sheet, s, price, vendor, terms)
    for kind, field in (("cheaper-api", "api_models"), ("hosted-open", "hosted_models"), ("cascade", "cascade_first")):
        for name in getattr(s.candidates, field):
            _list_priced(sheet, s, kind, name, field, price)
    _warn_of_escalated_cache(sheet, s, price)


def _successor(sheet: FactSheet, s: Scenario, price: ApiPrice, vendor: str) -> None:
    """What the user knows of the incumbent's successor; what the one costs that its vendor suggests is told beside it."""
    i = s.incumbent
    for name, value in (("price", i.successor_price_ratio), ("error", i.successor_error_ratio)):
        if value is not None:
            path = path_of(Option, f"first_{name}_ratio", vendor=vendor)
            sheet.quantity(path, value, "ratio", stated=True, source=f"scenario incumbent.successor_{name}_ratio")
    if price.model.startswith("ft:") and i.successor_error_ratio is None:
        sheet.warnings.append(f"{price.model} is tuned: what follows when it ends is taken to answer as well, for"
                              f" {value_of(s.people.migration_hours):g} engineer hours and no training; where its vendor tunes"
                              " none, say how much worse that answers: incumbent.successor_error_ratio")
    announced = retirement(price.provider, price.model, s.as_of)
    if announced is None or announced.successor is None or i.successor_price_ratio is not None:
        return
    try:
        ratio = cost_ratio(s, find_api_price(price.provider, announced.successor, s.as_of), price)
    except InputError:
        return
    if ratio is not None:
        source = f"list cost of the mean request on {announced.successor} over that on {price.model}"
        sheet.add(f"vendors.{vendor}.suggested_price_ratio", ratio, "ratio", basis=Basis.QUOTED, source=source,
                  date=announced.date)
        sheet.warnings.append(f"{price.provider} suggests {announced.successor} after {price.model}, at {ratio:.3g} x its"
                              f" price; staying is priced at {value_of(s.drift.successor_price_ratio):g} x: if you would"
                              f" follow, set incumbent.successor_price_ratio={ratio:.3g}")


def _announced_prices(sheet: FactSheet, s: Scenario, price: ApiPrice, vendor: str, terms: Terms) -> None:
    """Every list to come that the scenario or the vendor has announced, as facts that count from its day on: none is a guess.

    None that comes after the horizon. A rate that the scenario states of today stays as it is in a list of the vendor's.
    """
    before, step = price, 0
    sheet.warnings += [terms.remark] if terms.remark else []
    for day, later, own in lists_to_come(sheet, s, price, terms):
        if all(getattr(later, name) == getattr(before, name) for name in LISTED):
            continue
        before, path = later, partial(path_of, AnnouncedRates, vendor=vendor, step=step)
        stated = own.passed > terms.passed
        basis = Basis.STATED if stated else Basis.QUOTED
        said = f"scenario {own.field}.announced.{own.passed - 1}.from_date" if stated else later.source
        sheet.state(f"vendors.{vendor}.announced.{step}.from", day.isoformat(), said)
        sheet.add(path("from_months"), (day - s.as_of).days / DAYS_PER_MONTH, "months", basis=basis,
                  source=f"from {day} on: {said}", date=price.date)
        add_rates(sheet, path, later.model_copy(update={"date": price.date}), own)
        ratio = cost_ratio(s, later, price)
        much = "has other prices" if ratio is None else f"costs {ratio:.3g} x today's price, cache and batch aside,"
        sheet.warnings.append(f"{vendor} {much} from {day} on, as announced: counted from that day")
        step += 1


def _escalated_hits(s: Scenario) -> float:
    """Cache hit rate of the requests that are handed to the incumbent."""
    w = s.workload
    return value_of(w.cache_hit_rate if w.escalated_cache_hit_rate is None else w.escalated_cache_hit_rate)


def _warn_of_escalated_cache(sheet: FactSheet, s: Scenario, price: ApiPrice) -> None:
    """Say where a stated hit rate of escalated requests moves nothing."""
    if s.workload.escalated_cache_hit_rate is None:
        return
    why, uncached = not_cached(s, price, _escalated_hits(s)), [] if s.incumbent.uses_cache else sorted(s.quality.escalated)
    if not escalating_systems(s):
        why = "no option hands requests on (candidates.cascade_first, quality.escalated)"
    if why:
        sheet.warnings.append(f"workload.escalated_cache_hit_rate moves nothing: {why}")
    elif uncached:
        sheet.warnings.append("workload.escalated_cache_hit_rate holds for cascades with a cache alone: what "
                              f"{', '.join(uncached)} hands on is not cached while incumbent.uses_cache is false")


def _waits_as_paid(sheet: FactSheet, s: Scenario) -> None:
    """One draw for what can wait and what goes through batch today, where it is taken from that; ScenarioError of less.

    What a template guesses is no statement, and stays beside a batch share that is stated.
    """
    batch, waits = value_of(s.incumbent.batch_share), value_of(s.workload.can_wait_share)
    if waits < batch and guessed_in_template(s, "workload", "can_wait_share"):
        sheet.warnings.append(f"workload.can_wait_share: {waits:g} is the template's; incumbent.batch_share is {batch:g}: state"
                              " both, servers of your own answer at once what cannot wait")
    elif waits < batch:
        raise ScenarioError("workload.can_wait_share", waits, f"at least incumbent.batch_share, {batch:g}: what goes through"
                            " batch today can wait; what no longer can is for both to say")
    if batch > 0 and "can_wait_share" not in s.workload.model_fields_set:
        sheet.draw_with("workload.can_wait_share", [path_of(OptionFacts, "batch_share", option="stay")], AS_PAID)


def _tiers_today(sheet: FactSheet, i: Incumbent, vendor: str) -> None:
    """The prices of the tiers that today's calls outside batch go through."""
    if i.tier_price_ratio != 1.0:
        sheet.field(path_of(OptionFacts, "tier_today", vendor=vendor), i, "tier_price_ratio", "incumbent")
    if i.flexible_tier is not None:
        for path, name in (("flexible_today", "share"), ("flexible_ratio", "price_ratio")):
            sheet.field(path_of(OptionFacts, path, vendor=vendor), i.flexible_tier, name, "incumbent.flexible_tier")


def _context_today(sheet: FactSheet, i: Incumbent, price: ApiPrice) -> None:
    """The longest request that today's model takes: as records show, else as its list says."""
    path, listed = "incumbent.context_tokens", price.context_tokens
    if i.context_tokens is not None:
        sheet.state(path, i.context_tokens, f"scenario {path}", "tokens")
        if listed is not None and i.context_tokens > listed:
            sheet.warnings.append(f"{i.model}: calls of {i.context_tokens:,.0f} tokens are answered ({path}), the list says"
                                  f" {listed:,}: what else has that context is held to the list")
    elif listed is not None:
        sheet.add(path, listed, "tokens", basis=Basis.PUBLISHED, source=price.source, date=price.date)


def _context(price: ApiPrice) -> tuple[int | None, str]:
    """The longest request that the model takes, and who says so: the price list, else the open model that is served."""
    shape = known_model(price.model) if price.context_tokens is None else None
    return (price.context_tokens, price.source) if shape is None else (shape.context_tokens, shape.source)


def _leave_out(sheet: FactSheet, name: str, field: str) -> None:
    """Say that a candidate is the model in use."""
    sheet.warnings.append(f"candidates.{field}: {name} is left out: it is the incumbent, which is compared as staying")
    if IN_USE not in sheet.facts:
        sheet.state(IN_USE, name, f"scenario candidates.{field}")


def _list_priced(sheet: FactSheet, s: Scenario, kind: str, name: str, field: str, incumbent: ApiPrice) -> None:
    """Another model at its list price or your terms: alone, or first in a cascade that hands on to the incumbent.

    Where the incumbent's prompt could be cached and is not, the cascade whose second model is cached is an option besides.
    """
    terms, model = terms_of(s, name), model_part(name)
    price, terms = api_price(s, None, name, f"candidates.{field}", terms)
    if _is_incumbent(s, price, incumbent, model, kind):
        _leave_out(sheet, name, field)
        return
    _warn_of_list_price(sheet, s, name, terms, same_vendor=price.provider == incumbent.provider)
    id, label, cascade = f"{kind}:{name}", price.model.rsplit("/", 1)[-1], kind == "cascade"
    if price.provider not in MAKERS or model == s.incumbent.model:  # who serves it is not obvious
        label = f"{label} @ {price.provider}"
    ratio = mean_cost(s, price) / (mean_cost(s, incumbent) or 1.0)
    add_system(sheet, s, model, prior_of_model(model, ratio, s.incumbent.model))
    vendor = add_vendor(sheet, s, price, own=(terms.field, terms.own), terms=terms)
    add_terms(sheet, vendor, terms)
    label, group = (f"{label} > {s.incumbent.model}", "cascade") if cascade else (label, "api")
    ways, (context, said) = [(id, label)], _context(price)
    if cascade and not s.incumbent.uses_cache and not not_cached(s, incumbent, _escalated_hits(s)):
        ways.append((f"{id}+cache", f"{label}, cached"))
    for id, label in ways:
        path = partial(path_of, Option, option=id)
        add_option(sheet, id, kind, label, model, group, vendor, context_tokens=context, context_source=said,
                   long_to=None if cascade else takes_long(sheet, s, "stay"))
        add_price(sheet, id, price, discount=None if "discount" in terms.own.model_fields_set else 0.0,
                  uses_cache=terms.own.uses_cache, batch_share=None, terms=terms)
        if cascade:
            sheet.state(path("escalates_to_cached"), id.endswith("+cache"), "roi")
            if model not in s.quality.escalated:
                sheet.field(f"apis.{vendor}.escalated_share", s.quality, "cascade_escalated_share", "quality")
        ends = retirement(price.provider, price.model, s.as_of)
        if ends is not None and ends.retires_on <= s.as_of and terms.own.ends_in_months is None:
            sheet.state(path("infeasible"), f"retired on {ends.retires_on}", ends.source)
        elif unfit := ONE_MODEL if cascade and s.workload.embeds else (
                (only_writes(sheet, s, model) if any(price.output_usd_per_mtok) else "") or too_slow(s, terms.own)):
            sheet.state(path("infeasible"), unfit, f"scenario {terms.field or 'workload'}")
    if value_of(s.workload.can_wait_share) > 0 and price.batch_input_usd_per_mtok is None:
        warn_of_no_batch(sheet, price)
    _warn_of_short_prefix(sheet, s, price, terms)
    _warn_of_age(sheet, s, price)


def _warn_of_short_prefix(sheet: FactSheet, s: Scenario, price: ApiPrice, terms: Terms) -> None:
    """Say where a shared prefix that is too short for this vendor's cache had better be padded: no option has it so."""
    least = price.cache_minimum_tokens or 0
    saved = saved_by_padding(s, price, least) / (mean_cost(s, price) or 1.0)
    said = (f"{price.model}: the shared prefix is below the {least:,} tokens that {price.provider} caches; padded to that its"
            f" bill would be about {saved:.0%} lower, which no figure counts")
    if terms.own.uses_cache and saved > WORTH_PADDING and said not in sheet.warnings:
        sheet.warnings.append(said)


def _is_incumbent(s: Scenario, price: ApiPrice, incumbent: ApiPrice, model: str, kind: str) -> bool:
    """True where a candidate is what is paid today, or the first model of a cascade would hand on to itself."""
    same = price.model == incumbent.model or model == s.incumbent.model
    return same and (kind == "cascade" or price.provider == incumbent.provider)


def _warn_of_list_price(sheet: FactSheet, s: Scenario, name: str, terms: Terms, *, same_vendor: bool) -> None:
    """Say where today's discount, or the surcharge that it is below 0, is not taken for another model of the same vendor."""
    off = value_of(s.incumbent.discount)
    if same_vendor and off != 0.0 and "discount" not in terms.own.model_fields_set:
        todays = f"{'discount' if off > 0.0 else 'surcharge'} of {100 * abs(off):.3g}%"
        sheet.warnings.append(f"{name} is at list price: whether today's {todays} (incumbent.discount)"
                              f" holds for it too is yours to say: apis.{name}.discount")


def _warn_of_age(sheet: FactSheet, s: Scenario, price: ApiPrice) -> None:
    age = (s.as_of - price.date).days
    if age > STALE_DAYS:
        sheet.warnings.append(f"price of {price.provider}/{price.model} is {age} days old ({price.date})")


def add_vendor(
    sheet: FactSheet, s: Scenario, price: ApiPrice, retires_on: date | None = None,
    own: tuple[str, Incumbent | ApiTerms] | None = None, terms: Terms = LIST_TERMS,
) -> str:
    """When the vendor's model ends: as the scenario says, the announced day, else an assumed life; its successor's price.

    `own` is the block of the scenario that may state the end, and its name.
    """
    name = f"{price.provider}/{price.model}"
    path = partial(path_of, Option, vendor=name)
    life, stated = as_spread(s.drift.model_life_months), "model_life_months" in s.drift.model_fields_set
    announced = retirement(price.provider, price.model, s.as_of)
    source, said_on = (price.source, price.date) if announced is None else (announced.source, announced.date)
    ends = retires_on or (announced.retires_on if announced is not None else None)
    if announced is not None and announced.successor is not None:
        sheet.state(f"vendors.{name}.successor", announced.successor, source)
    if own is not None and own[1].ends_in_months is not None:
        sheet.field(path("life_first"), own[1], "ends_in_months", own[0])
        if ends is not None:
            sheet.state(f"vendors.{name}.announced_end", ends.isoformat(), source)
    elif ends is None and price.provider != OWN_SERVERS:
        if (made := ending_elsewhere(price.provider, price.model, s.as_of)) is not None:
            sheet.state(f"vendors.{name}.ends_elsewhere", f"{made.provider} on {made.retires_on}", made.source)
        sheet.quantity(path("life_first"), life, "months", stated=stated, source="no end announced: assumed life")
    elif ends is not None:
        months = (ends - s.as_of).days / DAYS_PER_MONTH
        sheet.state(path("retires_on"), ends.isoformat(), source)
        sheet.add(path("life_first"), max(months, 0.0), "months", basis=Basis.QUOTED, source=f"retires on {ends}: {source}",
                  date=said_on)
        if 0.0 < months < s.horizon_months:
            successor = f"; the vendor suggests {announced.successor}" if announced is not None and announced.successor else ""
            sheet.warnings.append(f"{name} ends on {ends}, inside the horizon{successor}")
    if own is not None and price.batch_input_usd_per_mtok is not None:
        add_promise(sheet, s, name, own[1], own[0])
    _announced_prices(sheet, s, price, name, terms)
    if price.provider == OWN_SERVERS:
        sheet.state(path("own_price_ratio"), 1.0, "a model that one serves has no successor of a vendor's", "ratio")
        return name
    why = life.source or "scenario drift.model_life_months"
    sheet.quantity(path("life_every"), life.value, "months", stated=stated, source=why)
    sheet.field(path("own_price_ratio"), s.drift, "successor_price_ratio_own", "drift")
    _go_with_twin(sheet, price, name)
    return name


def _go_with_twin(sheet: FactSheet, price: ApiPrice, name: str) -> None:
    """Make one event of a closed model's end at several vendors, and of what follows it; each keeps its own price list.

    Its maker ends it, and clouds that resell it follow. What one of them announced, or the scenario states, stays.
    """
    model = closed_name(price.model)
    for field in ("life_first", "own_price_ratio") if model is not None else ():
        own, start, end = path_of(Option, field, vendor=name), *path_of(Option, field, vendor="\0").split("\0")
        vendors = [path[len(start) : -len(end)] for path in sheet.facts if path.startswith(start) and path.endswith(end)]
        others = (path_of(Option, field, vendor=vendor) for vendor in vendors
                  if vendor != name and closed_name(vendor) == model)
        sheet.draw_with(own, others, f"one model, {model}, at several vendors: one end, one successor")
