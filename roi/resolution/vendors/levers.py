"""Today's model otherwise: its cache and batch switched on, asked for less, on a slower tier, by units of throughput."""

import math
from collections.abc import Mapping
from functools import partial

from roi.catalog.models.quality_priors import quality_prior
from roi.economics.decision.evaluation import read_all
from roi.economics.inputs import Option, Tokens, path_of
from roi.economics.lines.calendar import EXACT
from roi.economics.lines.unit_lines import units_at_least_cost
from roi.economics.option_kinds import LEVERS, PADDED
from roi.economics.paid_units import Provisioned
from roi.economics.reading import NO_BILL
from roi.economics.worked_out import OptionFacts
from roi.errors import ScenarioError
from roi.facts.price import ApiPrice
from roi.resolution.fact_sheet import FactSheet
from roi.resolution.scores.system_scores import add_score
from roi.resolution.vendors.api_terms import (
    add_option,
    add_price,
    add_units_today,
    cache_loses,
    late_batch,
    not_cached,
    units_asked,
    warn_of_no_batch,
)
from roi.resolution.vendors.list_prices import Terms
from roi.scenario.quantity import Spread, as_spread, value_of
from roi.scenario.scenario import BOTH_LEVERS, LESS_REASONING, SHORTER_PROMPT, Scenario, tuned
from roi.scenario.sections.apis import FlexibleTier, LessReasoning, ShorterPrompt
from roi.scenario.sections.demand import Tokens as TokenRatios
from roi.scenario.sections.demand import UnitsToday

FLEXIBLE = "flexible-tier"


def add_cache_batch(sheet: FactSheet, s: Scenario, price: ApiPrice, vendor: str, terms: Terms) -> None:
    """The incumbent with its cache and its batch price switched on, as far as they help; where both do, each alone too.

    A cache that is on today, and whose writing costs more than reading saves, is switched off. Where nothing but its length
    keeps the shared prefix out of the cache, and a longer one would cost less there, padding it is an option.
    """
    i, w = s.incumbent, s.workload
    why, off = not_cached(s, price, value_of(w.cache_hit_rate)), i.uses_cache and cache_loses(sheet, s, price)
    cached = not why
    if "cache minimum" in why:
        sheet.warnings.append(why)
    waits = value_of(w.can_wait_share) > i.later_share
    tier = price.batch_input_usd_per_mtok is not None
    late = late_batch(s, i) if tier else ""
    batched = waits and tier and not late
    if waits and not tier:
        warn_of_no_batch(sheet, price)
    switched = "no cache" if off else "cache"
    new = [name for name, on in ((switched, off or (cached and not i.uses_cache)), ("batch", batched)) if on]
    ways = [("cache-batch", " + ".join(new) or "cache + batch", not off)]
    if len(new) > 1:
        ways += [("cache-batch:cache", switched, not off), ("cache-batch:batch", "batch", i.uses_cache)]
    if not new:
        cache = why or "its cache is on already"
        batch = ("its batch price is on already" if value_of(i.batch_share) > 0 else late if waits and late else
                 "no more can wait at a batch price" if i.flexible_tier is None else "what can wait is in its flexible tier")
        sheet.state(path_of(Option, "infeasible", option="cache-batch"), f"{cache}; {batch}", "workload and prices")
    for id, words, on in ways:
        add_option(sheet, id, "cache-batch", f"{_by_the_token(s)}, {words}", i.model, "cache_batch", vendor)
        add_price(sheet, id, price, discount=None, uses_cache=on, batch_share=None, terms=terms,
                  cache_as_today=i.uses_cache and on)
        sheet.state(path_of(OptionFacts, "batch_as_today", option=id), id == "cache-batch:cache" or bool(late), "roi")
    least = (price.cache_minimum_tokens or 0) if terms.minimum is None else terms.minimum
    if saved_by_padding(s, price, least):
        id, base = PADDED, tuned(i.model, "padded")
        add_option(sheet, id, "cache-batch", f"{_by_the_token(s)}, padded prefix{' + batch' * batched}", i.model,
                   "cache_batch", vendor)
        add_price(sheet, id, price, discount=None, uses_cache=True, batch_share=None, terms=terms, cache_as_today=i.uses_cache)
        sheet.state(path_of(OptionFacts, "batch_as_today", option=id), not batched, "roi")
        sheet.state(path_of(OptionFacts, "base", option=id), base, "roi")
        sheet.state(path_of(Tokens, "prefix_tokens", system=base), float(least), f"cache minimum of {vendor}", "tokens")


def saved_by_padding(s: Scenario, price: ApiPrice, least: float) -> float:
    """What a shared prefix of `least` tokens costs less in a cache than one too short for it, USD a million calls; else 0."""
    w, read, plain = s.workload, price.cache_read_usd_per_mtok, price.input_usd_per_mtok[0]
    prefix, hits = value_of(w.shared_prefix_tokens), value_of(w.cache_hit_rate)
    if read is None or not 0.0 < w.longest_prefix == prefix < min(least, w.longest_prompt):
        return 0.0
    write = plain if price.cache_write_usd_per_mtok is None else price.cache_write_usd_per_mtok[0]
    return max(prefix * plain - least * (hits * read[0] + (1.0 - hits) * write), 0.0)


def add_levers(sheet: FactSheet, s: Scenario, price: ApiPrice, vendor: str, terms: Terms) -> None:
    """Facts of each lever that the scenario names, with the cache and the batch price that a change of model would have too.

    On a flexible tier batch stays as it is today, whose place it takes. Where units or seats are paid today, asking for less on
    them leaves both as they are, and is an option by the token besides.
    """
    c, i, model = s.candidates, s.incumbent, s.incumbent.model
    if c.shorter_prompt is not None:
        left, now = value_of(c.shorter_prompt.prefix_tokens), value_of(s.workload.shared_prefix_tokens)
        if left >= now:
            why = f"less than workload.shared_prefix_tokens, {now:g}"
            raise ScenarioError("candidates.shorter_prompt.prefix_tokens", left, why)
        _asked_for_less(sheet, s, vendor, {SHORTER_PROMPT: c.shorter_prompt})
        least, hits = price.cache_minimum_tokens or 0, value_of(s.workload.cache_hit_rate)
        if 0 < left < least and not not_cached(s, price, hits):
            sheet.warnings.append(f"candidates.shorter_prompt.prefix_tokens: {left:g} is below {price.provider}'s cache minimum"
                                  f" of {least}: none of it is cached; {least} may cost less")
    if c.less_reasoning is not None:
        reasoning, now = c.less_reasoning.reasoning_tokens, value_of((s.tokens.get(model) or TokenRatios()).reasoning_tokens)
        if reasoning is not None and value_of(reasoning) >= now:
            why = (f"less than tokens.{model}.reasoning_tokens, {now:g}; where output_tokens counts them already, give"
                   " output_ratio")
            raise ScenarioError("candidates.less_reasoning.reasoning_tokens", value_of(reasoning), why)
        _asked_for_less(sheet, s, vendor, {LESS_REASONING: c.less_reasoning})
    if c.shorter_prompt is not None and c.less_reasoning is not None:
        _asked_for_less(sheet, s, vendor, {SHORTER_PROMPT: c.shorter_prompt, LESS_REASONING: c.less_reasoning})
    if c.flexible_tier is not None:
        _flexible_tier(sheet, s, vendor, c.flexible_tier)
    _add_provisioned(sheet, s, price, vendor, terms)
    for id in (each for lever in (SHORTER_PROMPT, LESS_REASONING, BOTH_LEVERS, FLEXIBLE) for each in (lever, by_token(lever))):
        if path_of(Option, "kind", option=id) in sheet.facts:
            on_units = i.paid_by is not None and id in LEVERS
            add_price(sheet, id, price, discount=None, uses_cache=i.uses_cache or not on_units, batch_share=None, terms=terms,
                      cache_as_today=i.uses_cache and on_units)
            as_today = id == FLEXIBLE or on_units or bool(late_batch(s, i))
            sheet.state(path_of(OptionFacts, "batch_as_today", option=id), as_today, "roi")


def by_token(lever: str) -> str:
    """The option of a lever that is paid by the token where units or seats are paid today."""
    return f"{lever}:by-token"


def _flexible_tier(sheet: FactSheet, s: Scenario, vendor: str, lever: FlexibleTier) -> None:
    path, block = partial(path_of, OptionFacts, option=FLEXIBLE), "candidates.flexible_tier"
    add_option(sheet, FLEXIBLE, FLEXIBLE, f"{_by_the_token(s)}, flexible tier", s.incumbent.model, "cache_batch", vendor)
    sheet.field(path("tier_share"), lever, "share", block)
    sheet.field(path("tier_price_ratio"), lever, "price_ratio", block)
    promised, waits = lever.answers_within_hours, s.workload.waits_hours
    if waits is not None and promised > waits:
        why = f"it promises an answer within {promised:g} hours, at most {waits:g} (workload.waits_hours)"
        sheet.state(path_of(Option, "infeasible", option=FLEXIBLE), why, f"scenario {block}.answers_within_hours")


def _asked_for_less(sheet: FactSheet, s: Scenario, vendor: str, levers: Mapping[str, ShorterPrompt | LessReasoning]) -> None:
    """The option of one lever, or of both: a system of its own, whose tokens are the incumbent's but for what they say.

    Where units or seats are paid today there are two, on these and by the token.
    """
    model, name = s.incumbent.model, "+".join(levers)
    words = name.replace("-", " ") if len(levers) == 1 else "less of both"  # a table's row has room for no more
    system, ids = tuned(model, name), [name] if s.incumbent.paid_by is None else [name, by_token(name)]
    add_score(sheet, s, system, quality_prior("asked-for-less" if len(levers) == 1 else "asked-for-less-twice"))
    for id in ids:
        add_option(sheet, id, name, f"{model if id == name else _by_the_token(s)}, {words}", system, "api", vendor)
        sheet.state(path_of(OptionFacts, "base", option=id), model, "roi")
    stated = [lever.setup_hours for lever in levers.values() if lever.setup_hours is not None]
    if len(levers) > 1 and stated:
        each = [as_spread(s.people.setup_hours.api if x.setup_hours is None else x.setup_hours) for x in levers.values()]
        low, high = (sum(x.value if getattr(x, end) is None else getattr(x, end) for x in each) for end in ("low", "high"))
        both = Spread(value=sum(x.value for x in each), low=low, high=high)
        for id in ids:
            sheet.quantity(path_of(Option, "setup_hours", option=id), both, "hours", stated=True, source="hours of each lever")
    for key, lever in levers.items():
        for field in type(lever).model_fields:
            if getattr(lever, field) is not None:
                own = [path_of(Option, field, option=id) for id in ids] if field == "setup_hours" else [
                    path_of(Tokens, field, system=system)]
                for path in own:
                    sheet.field(path, lever, field, f"candidates.{key.replace('-', '_')}")


def _add_provisioned(sheet: FactSheet, s: Scenario, price: ApiPrice, vendor: str, terms: Terms) -> None:
    """Units of throughput that could be paid: those that the scenario names, else fewer of today's.

    Where today's spill over, what fewer do not hold is billed by the token as it is today.
    """
    lever, i = s.candidates.provisioned_throughput, s.incumbent
    id, block, model, today = "provisioned", "candidates.provisioned_throughput", i.model, i.paid_by
    if lever is not None:
        add_option(sheet, id, id, f"{model}, provisioned throughput", model, "cache_batch", vendor)
        path = partial(path_of, Provisioned, option=id)
        sheet.field(path("usd_per_unit"), lever, "usd_per_month", block)
        sheet.field(path("requests_per_s"), lever, "requests_per_s", block)
        sheet.state(path("minimum_months"), lever.minimum_months, f"scenario {block}.minimum_months", "months")
    elif isinstance(today, UnitsToday) and _saves_units(sheet, s, today):
        words = "fewer units" if today.spills_over else "no idle units"
        add_option(sheet, id, id, f"{model}, {words}", model, "cache_batch", vendor)
        add_units_today(sheet, s, id, gives_back=True)
        if today.spills_over:
            add_price(sheet, id, price, discount=None, uses_cache=i.uses_cache, batch_share=None, terms=terms,
                      cache_as_today=i.uses_cache)
            sheet.state(path_of(OptionFacts, "batch_as_today", option=id), True, "roi")


def _saves_units(sheet: FactSheet, s: Scenario, today: UnitsToday) -> bool:
    """True where today's peak leaves units idle, or, where they spill over, fewer cost less with what spills in some month.

    At the central values.
    """
    if not today.spills_over:
        return max(math.ceil(units_asked(sheet, s, today, value_of(s.workload.requests_per_day)) - EXACT), 1) < today.units
    case = sheet.case()
    shared, options = read_all(case, {**case.values(), **NO_BILL}, ids=("stay",))
    stay = options["stay"]
    return bool((units_at_least_cost(shared, stay, stay, 1.0) < today.units).any())


def _by_the_token(s: Scenario) -> str:
    """The incumbent's name, in options that pay it by the token where units or seats are paid today."""
    return s.incumbent.model if s.incumbent.paid_by is None else f"{s.incumbent.model} by the token"
