"""The facts of an API's options: their frame, their price list, and what else the scenario states of the API."""

import math
from collections.abc import Callable
from datetime import date as Date
from functools import partial
from typing import Final

import numpy as np

from roi.economics.inputs import Option, Shared, path_of
from roi.economics.inputs import places as places_of
from roi.economics.lines.calendar import EXACT
from roi.economics.paid_units import Provisioned
from roi.economics.price_list import Api
from roi.economics.worked_out import ErrorRate, OptionFacts
from roi.errors import ScenarioError
from roi.facts.fact import Basis
from roi.facts.price import ApiPrice
from roi.resolution.fact_sheet import FactSheet
from roi.resolution.request_lengths import COUNTED, does_not_fit, send_on, system_lengths
from roi.resolution.vendors.list_prices import LIST_TERMS, RATES, Terms, months_to_last_day
from roi.scenario.quantity import Share, Spread, value_of
from roi.scenario.scenario import Scenario
from roi.scenario.sections.apis import ApiTerms
from roi.scenario.sections.demand import Incumbent, Seats, UnitsToday
from roi.units import HOURS_PER_DAY, SECONDS_PER_DAY, dollars

NEAR_EDGE: Final = 0.5
"""A mean prompt above this part of a tier's edge has some above the edge: prompts of twice the mean are common."""
BATCH_HOURS: Final = 24.0
"""Hours within which batch tiers promise an answer, where nobody states it."""
BATCH_SOURCE: Final = (
    "the one completion window that OpenAI, Azure, Anthropic and OpenRouter document; of 230,000 batches at OpenRouter 90% took"
    " an hour at most, which nobody promises"
)
BATCH_DATE: Final = Date(2026, 11, 29)
ONE_MODEL: Final = "vectors of two models do not mix: what embeds has no second model (workload.output_tokens)"
"""Why requests without output are never shared out between two models."""


def add_option(
    sheet: FactSheet, id: str, kind: str, label: str, system: str, group: str, vendor: str | None, *, trains: bool = False,
    context_tokens: int | None = None, context_source: str = "", long_to: str | None = None,
) -> None:
    """The frame of an option; infeasible where its model cannot take the requests, or ends before the change could be live.

    `context_tokens` are those of a candidate's model, None where nobody says; its system's facts are known by then.
    `long_to` is the option whose API takes what is longer; None where none may.
    """
    path = partial(path_of, Option, option=id)
    if context_tokens is not None:
        lengths = system_lengths(sheet.facts, system)
        over = lengths.over(context_tokens)
        if long_to is not None and 0.0 < over < 1.0:
            send_on(sheet, id, system, context_tokens, long_to, context_source, of_context=True)
        elif refused := does_not_fit(lengths, system, context_tokens):
            sheet.state(path("infeasible"), refused, context_source)
        elif over:
            tokens = lengths.whole_tokens * lengths.weights
            share = float(tokens[lengths.whole_tokens > context_tokens].sum() / tokens.sum())
            whose = f"the context of {system}" if kind == "cascade" else "its context"
            told = (f"{over:.1%} of requests, {share:.1%} of tokens, are longer than {whose}, {context_tokens:,} tokens with"
                    " the answer; they are counted as if answered")
            sheet.state(COUNTED.format(option=id), told, context_source)
            sheet.warnings.append(f"{label if kind == 'cascade' else system}: {told}: cut them, or send them"
                                  " elsewhere")
    for name, value in (("kind", kind), ("label", label), ("system", system), ("group", group), ("trains", trains)):
        sheet.state(path(name), value, "roi")
    if vendor is None:
        return
    sheet.state(path("vendor"), vendor, "roi")
    names = {"vendor": vendor, "group": group}
    day, end = (sheet.facts.get(path_of(Option, name, **names)) for name in ("retires_on", "life_first"))
    places = (at.format_map({**names, "option": id, "kind": kind}) for at in places_of(Option)["months_to_live"].paths)
    live = next(sheet.facts[place].number() for place in places if place in sheet.facts)
    if end is None or (day is None and not end.source.endswith("ends_in_months")) or end.number() >= live:
        return
    when = f"in {end.number():g} months" if day is None else f"on {day.value}"  # its successor may be an option
    sheet.state(path("infeasible"), f"ends {when}, before it could be live (month {live:g})", end.source)


def add_price(
    sheet: FactSheet, id: str, price: ApiPrice, *, discount: float | Spread | None, uses_cache: bool, batch_share: Share | None,
    terms: Terms = LIST_TERMS, cache_as_today: bool = False,
) -> None:
    """The price list of an option, tier by tier. None: the API's or the incumbent's discount; all that can wait in batch."""
    path = partial(path_of, Api, option=id)
    add_rates(sheet, path, price, terms)
    if cache_as_today:
        sheet.state(path("cache_as_today"), True, "scenario incumbent.uses_cache")
    if terms.minimum is not None:
        sheet.state(path("cache_minimum"), terms.minimum, "scenario incumbent.cache_minimum_tokens", "tokens")
    elif price.cache_minimum_tokens is not None:
        sheet.add(path("cache_minimum"), float(price.cache_minimum_tokens), "tokens", basis=Basis.QUOTED, source=_told(price),
                  date=price.date)
    if discount is not None:
        mine = id == "stay"
        why = "scenario incumbent.discount" if mine else "list price: no negotiated discount is known for this model"
        sheet.quantity(path("discount"), discount, "share", stated=mine, source=why)
    sheet.state(path("uses_cache"), uses_cache)
    if batch_share is not None:
        own = path_of(OptionFacts, "batch_share", option=id)
        sheet.quantity(own, batch_share, "share", stated=True, source="scenario incumbent.batch_share")


def not_cached(s: Scenario, price: ApiPrice, hit_rate: float) -> str:
    """Why the incumbent's prompt cannot be cached, empty where it can."""
    prefix = s.workload.longest_prefix
    if prefix <= 0 or hit_rate <= 0:
        return "no shared prefix is found in a cache: workload.shared_prefix_tokens or the hit rate is 0"
    if price.cache_read_usd_per_mtok is None:
        return f"{price.provider} has no cache price for {price.model}"
    if prefix < (price.cache_minimum_tokens or 0):
        return (f"the shared prefix of {prefix:.0f} tokens is below {price.provider}'s"
                f" cache minimum of {price.cache_minimum_tokens}: nothing is cached")
    return ""


def cache_loses(sheet: FactSheet, s: Scenario, price: ApiPrice) -> bool:
    """True where writing the shared prefix to the incumbent's cache costs more than reading it saves, and say so."""
    hits, write, read = value_of(s.workload.cache_hit_rate), price.cache_write_usd_per_mtok, price.cache_read_usd_per_mtok
    if not_cached(s, price, 1.0) or write is None or read is None:
        return False
    plain = price.input_usd_per_mtok[0]
    if hits * read[0] + (1.0 - hits) * write[0] <= plain:
        return False
    even = (write[0] - plain) / (write[0] - read[0])
    sheet.warnings.append(f"the prompt cache that is on costs more than it saves: {100 * hits:.3g}% of the requests find the"
                          f" prefix, and only from {100 * even:.3g}% on does reading save more than writing costs"
                          " (workload.cache_hit_rate)")
    return True


def warn_of_tier(sheet: FactSheet, s: Scenario, price: ApiPrice) -> None:
    """Say what prompts above an edge of today's price list cost, or where means alone hide that some may lie above it."""
    w, name, edges = s.workload, f"{price.provider}/{price.model}", price.edges_tokens
    given, made = price.input_usd_per_mtok, price.output_usd_per_mtok
    if len(edges) < 2 or (given[1], made[1]) == (given[0], made[0]):
        return
    edge = edges[1]
    rates = (f"{dollars(given[1])} in and {dollars(made[1])} out a million tokens,"
             f" not {dollars(given[0])} and {dollars(made[0])}")
    if above := w.share_longer(edge):
        sheet.warnings.append(f"{100 * above:.3g}% of the requests have more than {edge:,.0f} input tokens, above which {name}"
                              f" asks {rates}, for all of the request: prompts that stay below save twice")
    elif w.lengths is None and NEAR_EDGE * edge < w.longest_prompt:
        sheet.warnings.append(f"above {edge:,.0f} input tokens {name} asks {rates}; with a mean of {w.longest_prompt:,.0f}"
                              " alone no request counts as longer: workload.lengths says how many are (roi usage)")


def warn_of_no_batch(sheet: FactSheet, price: ApiPrice) -> None:
    """Say that what can wait is billed like the rest, since nobody knows a batch price."""
    sheet.warnings.append(f"no batch price known for {price.provider}/{price.model}: standard price used")


def late_batch(s: Scenario, own: Incumbent | ApiTerms) -> str:
    """How the promise of an API's batch tier misses the deadline of what can wait; empty where it does not."""
    promised, waits = BATCH_HOURS if own.batch_hours is None else own.batch_hours, s.workload.waits_hours or HOURS_PER_DAY
    if promised <= waits:
        return ""
    return (f"its batch tier promises an answer within {promised:g} hours, at most {waits:g} (workload.waits_hours); sooner is"
            " common, not promised")


def add_promise(sheet: FactSheet, s: Scenario, vendor: str, own: Incumbent | ApiTerms, field: str) -> None:
    """How soon an API's batch tier promises an answer, where that is stated or a deadline of what can wait is."""
    path = f"apis.{vendor}.batch_hours"
    if own.batch_hours is not None:
        sheet.state(path, own.batch_hours, f"scenario {field}.batch_hours", "hours")
    elif s.workload.waits_hours is not None:
        sheet.add(path, BATCH_HOURS, "hours", basis=Basis.PUBLISHED, source=BATCH_SOURCE, date=BATCH_DATE)
    late, through = late_batch(s, own), 0.0 if own.batch_share is None else value_of(own.batch_share)
    if not late or through <= 0.0:
        return
    if isinstance(own, ApiTerms):
        raise ScenarioError(f"{field}.batch_share", through, f"0: {late} ({field}.batch_hours)")
    sheet.warnings.append(f"{field}.batch_share: {through:g} goes through batch today, and is counted so for today's model,"
                          f" although {late}")


def add_latency(sheet: FactSheet, vendor: str, own: Incumbent | ApiTerms, field: str) -> None:
    """What was measured of an API's latency."""
    for name in ("ttft_p95_s", "tpot_p95_s"):
        if (measured := getattr(own, name)) is not None:
            sheet.state(f"apis.{vendor}.{name}", value_of(measured), f"scenario {field}.{name}", "s")


def add_rates(sheet: FactSheet, path: Callable[[str], str], price: ApiPrice, terms: Terms) -> None:
    """The rates of a price list at the paths that `path` makes of their names; those that the scenario states are its own."""
    quoted = partial(sheet.add, basis=Basis.QUOTED, source=_told(price), date=price.date)
    quoted(path("edges"), price.edges_tokens, "tokens")
    for name in RATES:
        row = getattr(price, f"{name}_usd_per_mtok")
        if row is not None and (stated := terms.source(name)) is not None:
            sheet.state(path(name), row, stated, "USD/Mtok")
        elif row is not None:
            quoted(path(name), row, "USD/Mtok")


def _told(price: ApiPrice) -> str:
    return f"{price.source}; {price.note}" if price.note else price.source


def add_successor(sheet: FactSheet, vendor: str, terms: Terms) -> None:
    """What the scenario states of the first successor of a candidate's model."""
    for name in ("price", "error"):
        stated = f"successor_{name}_ratio"
        if getattr(terms.own, stated) is not None:
            sheet.field(path_of(Option, f"first_{name}_ratio", vendor=vendor), terms.own, stated, terms.field)


def add_terms(sheet: FactSheet, vendor: str, terms: Terms) -> None:
    """What the scenario states of a candidate's API besides its rates: facts that all options with this API share."""
    own, path = terms.own, partial(str.format, f"apis.{vendor}.{{}}")
    for name in ("discount", "cache_hit_rate", "batch_share"):
        if name in own.model_fields_set and getattr(own, name) is not None:
            sheet.field(path(name), own, name, terms.field)
    add_successor(sheet, vendor, terms)
    add_latency(sheet, vendor, own, terms.field)
    if value_of(own.committed_usd_per_month) > 0 and terms.committed_months is not None:
        sheet.field(path("commitment.usd_per_month"), own, "committed_usd_per_month", terms.field)
        sheet.state(path("commitment.months"), terms.committed_months, f"scenario {terms.field}.committed_until", "months")


def too_slow(s: Scenario, own: Incumbent | ApiTerms) -> str:
    """How the API's measured latency misses the SLO of requests that cannot wait; empty where it does not or is not known."""
    if value_of(s.workload.can_wait_share) >= 1.0:
        return ""
    for name, most in s.workload.slo_s.items():
        if (found := getattr(own, name)) is not None and value_of(found) > most:
            return f"{name[:4].upper()} {value_of(found):g} s as measured, at most {most:g} (workload.{name})"
    return ""


def only_writes(sheet: FactSheet, s: Scenario, system: str) -> str:
    """Why a model that writes takes no requests without output of today's, which is billed for none; empty where it does.

    It does where a score says how well, and where today's model writes too.
    """
    paid = [sheet.facts.get(path_of(Api, rate, option="stay")) for rate in ("input", "output")]
    given, made = (fact is not None and bool(np.any(np.asarray(fact.value, dtype=np.float64))) for fact in paid)
    if not s.workload.embeds or not given or made or sheet.facts[path_of(ErrorRate, "evaluated", system=system)].value:
        return ""
    return ("it writes, and no request has output (workload.output_tokens): only a model that embeds takes their place; if this"
            f" one does, quality.scores.{system} says how well")


def add_units_today(sheet: FactSheet, s: Scenario, id: str, *, gives_back: bool = False) -> None:
    """The units or seats that are paid today, as an option has them: as many, or where it `gives_back` as few as do."""
    today, path = s.incumbent.paid_by, partial(path_of, Provisioned, option=id)
    if isinstance(today, Seats):
        field = "incumbent.seats"
        users, of = float(today.users), ""
        if today.growth_per_year is None and (times := value_of(s.workload.requests_per_day) / _answered(s, today)) != 1.0:
            users, of = users * times, f" {today.users:,} of {_answered(s, today):,.10g} requests a day"
        sheet.state(path("units"), users, f"scenario {field}.users{of}", "seats")
        sheet.state(path("seats"), True, f"scenario {field}")
        if today.growth_per_year is not None:
            sheet.field(path("growth"), today, "growth_per_year", field)
    elif today is not None:
        field = "incumbent.provisioned_throughput"
        sheet.state(path("units"), float(today.units), f"scenario {field}.units", "units")
        sheet.state(path("of_requests_per_day"), _answered(s, today), "what today's units answer", "requests/day")
        sheet.state(path("spills"), today.spills_over, f"scenario {field}.spills_over")
        for name, own in (("requests_per_s", "requests_per_s"), ("utilization", "peak_utilization")):
            if getattr(today, own) is not None:
                sheet.field(path(name), today, own, field)
        _warn_of_full_units(sheet, s, today, field)
    else:
        return
    sheet.field(path("usd_per_unit"), today, "usd_per_month", field)
    if gives_back:
        sheet.state(path("gives_back"), True, "roi")
        return
    left = months_to_last_day(today, s.as_of)
    why = f"scenario {field}.committed_until" + (", left out: they end with any month" if left is None else "")
    sheet.state(path("committed_months"), left or 0.0, why, "months")
    if today.committed_until is not None and today.committed_until < s.as_of:
        sheet.warnings.append(f"{field}.committed_until: {today.committed_until} is before as_of, {s.as_of}: that commitment is"
                              " over and owes nothing")


def _answered(s: Scenario, today: UnitsToday | Seats) -> float:
    """Requests a day that today's units answer, or that the users with a seat ask."""
    return value_of(s.workload.requests_per_day) if today.at_requests_per_day is None else today.at_requests_per_day


def units_asked(sheet: FactSheet, s: Scenario, today: UnitsToday, requests_per_day: float) -> float:
    """Units that the peak of so many requests a day takes, at the central values, were none spilled over."""
    if today.peak_utilization is not None:
        return today.units * value_of(today.peak_utilization) * requests_per_day / _answered(s, today)
    peak = requests_per_day / SECONDS_PER_DAY * sheet.facts[path_of(Shared, "peak_to_mean")].number()
    return peak / value_of(today.requests_per_s or math.inf)


def _warn_of_full_units(sheet: FactSheet, s: Scenario, today: UnitsToday, field: str) -> None:
    """Say where today's units would not hold today's peak, and nothing spills over."""
    asked = units_asked(sheet, s, today, _answered(s, today))
    if asked > today.units * (1.0 + EXACT) and not today.spills_over:
        sheet.warnings.append(f"{field}: {today.units:,} units hold less than today's peak, which takes {asked:,.1f}; they are"
                              " counted as full, since they answer it: state spills_over: true, a larger requests_per_s, or"
                              " workload.peak_to_mean as measured")
