"""What a scenario says of options and models by name: hours, months, costs of one's own; and names that nothing answers to."""

import re
import shlex
from functools import partial
from typing import Final

from roi.catalog.models.same_weights import same_weights
from roi.catalog.models.shapes import find_model, load_models, names
from roi.catalog.prices.api_prices import find_api_price, model_names, provider_names
from roi.catalog.prices.gpu_offers import spot_in_vain
from roi.economics.inputs import Option, path_of
from roi.economics.option_kinds import KEEPS_MODEL, LEVERS, SELF_HOSTED
from roi.errors import InputError, ScenarioError, UnknownName, first_of, nearest
from roi.resolution.fact_sheet import FactSheet
from roi.scenario.quantity import value_of
from roi.scenario.scenario import (
    OptionTerms,
    Scenario,
    cascade,
    escalating_systems,
    known_systems,
    lever_systems,
    model_part,
    strange_names,
)
from roi.scenario.sections.scores import Caution
from roi.scenario.yaml import MEASURED
from roi.units import with_cents

KINDS = ((KEEPS_MODEL - {"stay"}) | LEVERS | SELF_HOSTED
         | {"cheaper-api", "hosted-open", "cascade", "vendor-tuned", "hosted-adapter"})
"""Kinds of options besides staying."""
EVERYBODY = ("all", "all but stay")
UNUSED = "unused"
"""Path of the names under quality, tokens and apis that no incumbent or candidate has."""
IN_VAIN = "quality.in_vain"
"""Path of what is told of rates and shares of a gate that no option has."""
MOST_UNUSED: Final = 8
"""Names of which something is said in vain that a warning spells out."""
ALIKE = 0.8
"""Likeness (difflib) from which a name that nobody lists is a typing error of one that the scenario names."""


def add_option_terms(sheet: FactSheet, s: Scenario) -> None:
    """The facts under `options` and `costs`; the first of them to name a path stays, so they come before the options."""
    for key, terms in s.options.items():
        for name in OptionTerms.model_fields:
            if getattr(terms, name) is not None:
                sheet.field(f"{'kinds' if key in KINDS else 'options'}.{key}.{name}", terms, name, f"options.{key}")
    for number, cost in enumerate(s.costs):
        path = f"costs.{number}"
        sheet.state(f"{path}.name", cost.name, f"scenario {path}")
        sheet.state(f"{path}.option", cost.option, f"scenario {path}")
        for name in ("upfront_usd", "usd_per_month", "usd_per_request", "from_month", "to_month"):
            if name in cost.model_fields_set and getattr(cost, name) is not None:
                sheet.field(f"{path}.{name}", cost, name, path)


def tell_spot_in_vain(sheet: FactSheet, s: Scenario) -> None:
    """Says that `candidates.spot` moves nothing, and why, where no spot price is taken."""
    if s.candidates.spot and (why := spot_in_vain(s)):
        sheet.state("candidates.spot", why, "scenario candidates.spot")
        sheet.warnings.append(f"candidates.spot {why}")


def check_options(sheet: FactSheet, s: Scenario) -> None:
    """Every key of `options` and every `costs.option` names an option or a kind; else UnknownName with the nearest.

    What is stated and moves nothing is told.
    """
    kinds = {id: str(sheet.facts[path_of(Option, "kind", option=id)].value) for id in sheet.case().options}
    named = list(dict.fromkeys([*kinds, *kinds.values()]))
    changes = [name for name in named if name != "stay"]
    given = [("options", key, changes) for key in s.options]
    given += [(f"costs.{n}.option", cost.option, [*named, *EVERYBODY]) for n, cost in enumerate(s.costs)]
    for field, key, allowed in given:
        if key not in allowed:
            if field != "options" and key.startswith("all but "):
                one = f'"{EVERYBODY[1]}" is the only one of its form; else write a cost for each option or kind that bears it'
                raise ScenarioError(field, key, one)
            raise UnknownName(field, key, allowed, "option, or kind of options, of this scenario", all_of_them=allowed)
    for key, terms in s.options.items():
        meant = {kinds.get(key, key)}
        if meant <= KEEPS_MODEL and (terms.evaluation_usd is not None or terms.evaluation_labels is not None):
            sheet.warnings.append(f"options.{key}: an evaluation of its own moves nothing, since the model stays")
        if terms.spares is not None and not meant & (SELF_HOSTED - {"hybrid"}):
            sheet.warnings.append(f"options.{key}.spares moves nothing: no servers with spares stand behind it")
    hours = (("people.setup_hours", s.people.setup_hours), ("people.run_hours_per_month", s.people.run_hours_per_month),
             ("timing.months_to_live", s.timing.months_to_live))
    sheet.warnings += [f"{field}.own_hardware moves nothing: cards that are there already take those of self_hosted and"
                       " self_hosted_adapter" for field, stated in hours
                       if s.cards and "own_hardware" in stated.model_fields_set]
    late = [f"costs.{n}.from_month" for n, cost in enumerate(s.costs) if (cost.from_month or 1) > s.horizon_months]
    late += [f"workload.steps.{n}.from_month" for n, step in enumerate(s.workload.steps) if step.from_month > s.horizon_months]
    sheet.warnings += [f"{field} moves nothing: it lies beyond the horizon of {s.horizon_months} months" for field in late]
    if unusual := [*_unusual_rents(s), *_unusual_rates(s)]:
        sheet.state("prices.unusual", "; ".join(unusual), "scenario")


RENTS: Final = (0.02, 50.0)
"""USD a GPU and hour between which a rent is: the catalog's are 0.15 (T4) to 12.3 (H100). $800 is a month's."""
RATES: Final = (0.001, 2000.0)
"""USD a million tokens: lists ask 0.003 (small embeddings) to 600 (o1-pro). What is asked a token is a millionth of that."""


def _whole(usd: float) -> str:
    """The amount with all of its digits, which a redaction knows as one."""
    return with_cents(usd, f"{usd:.12f}".rstrip("0").rstrip("."))


def _unusual_rents(s: Scenario) -> list[str]:
    """Stated rents that nobody asks for an hour."""
    rents = [value_of(each.usd_per_gpu_hour) for each in s.gpu_rents]
    return [f"Rent of ${_whole(x)} a GPU and hour (gpu_rents.{n}.usd_per_gpu_hour): $0.15 to $12 is usual"
            for n, x in enumerate(rents) if not RENTS[0] <= x <= RENTS[1]]


def _unusual_rates(s: Scenario) -> list[str]:
    """Stated prices of an API, 0 aside, that no list asks for a million tokens: the first of each."""
    first = {name: next(((rate, x) for rate, x in own.rates.items() if x > 0 and not RATES[0] <= x <= RATES[1]), None)
             for name, own in s.apis.items()}
    return [f"Price of ${_whole(found[1])} a million tokens (apis.{name}.{found[0]}_usd_per_mtok): $0.003 to $600 is usual"
            for name, found in first.items() if found is not None]


BILLED: Final = ("discount", "uses_cache", "batch_share", "tier_price_ratio", "committed_usd_per_month", "bill_usd_per_month",
                 "flexible_tier", "ends_in_months", "successor_price_ratio", "successor_error_ratio")
"""What only a model has that a vendor bills, or ends."""


def check_served(s: Scenario) -> None:
    """ScenarioError where today's model is one that its user serves, and has a vendor's terms or no costs."""
    i = s.incumbent
    if not i.served:
        return
    costs = "costs: [{name: today's servers, option: stay, usd_per_month: 7300}]"
    why = f"no vendor has terms of what you serve: {costs}"
    for field, units in (("provisioned_throughput.units", i.provisioned_throughput and i.provisioned_throughput.units),
                         ("seats.users", i.seats and i.seats.users)):
        if units:
            raise ScenarioError(f"incumbent.{field}", units, why)
    for name in BILLED:
        if getattr(i, name) != type(i).model_fields[name].default:
            raise ScenarioError(f"incumbent.{name}", value_of(getattr(i, name)), why)
    if (name := f"{i.provider}/{i.model}") in s.apis:
        raise ScenarioError("apis", name, f"no token of a model that you serve has a price: {costs}")
    if not any(cost.option in {"stay", "all"} for cost in s.costs):
        raise ScenarioError("incumbent.provider", i.provider, f"say what serving {i.model} costs today, such as {costs}")


def check_names(sheet: FactSheet, s: Scenario) -> None:
    """Warn of what is said of models that the scenario does not name; UnknownName where a name is a typing error.

    An evaluation may be of more systems than the scenario weighs. Such a name is refused only where it may be meant for one of
    the scenario's that the evaluation has no score of: by its likeness, or as that of today's model.
    """
    unused, systems = [], known_systems(s)
    for field, name, allowed, kind in strange_names(s):
        if field == "apis":
            _refuse_near(name, allowed, systems)
        if name in systems:  # a rate of what a candidate keeps or hands on
            why = "for its share in quality.escalated is not stated"
            if name in map(model_part, (*s.candidates.api_models, *s.candidates.hosted_models)):
                why = "it is first in no cascade (candidates.cascade_first)"
            if name == s.incumbent.model:
                why = "it is the incumbent"
            sheet.tell(IN_VAIN, f"{field}.{name} moves nothing: {name} hands nothing on, {why}")
            continue
        if field == "quality.scores" and any(same_weights(name, system) for system in systems):
            continue
        models = [part.partition("+")[0] for part in name.split(" > ")]
        strange = _may_be_meant(s, name, allowed) if _is_measured(s, field, name) else (
            nearest(name, allowed, cutoff=ALIKE) or not all(_has_price_or_shape(s, model) for model in models))
        if (strange and not all(map(_is_listed, models))) or _is_no_variant(s, name):
            raise UnknownName(field, name, allowed, kind, allowed or systems, remedy=_renamed(s, name))
        unused.append(f"{field}.{name}")
    if unused:
        _refuse_near_incumbent(s, unused)
        told = first_of(unused, MOST_UNUSED)
        sheet.warnings.append(f"{told}: not used, since the scenario names no such incumbent or candidate")
        sheet.state(UNUSED, ", ".join(unused))


def cautions_of(s: Scenario) -> list[Caution]:
    """What an evaluation warns of, but for that about systems which this scenario has not."""
    systems = [*known_systems(s), *lever_systems(s), *(cascade(s, first) for first in escalating_systems(s))]
    return [each for each in s.quality.cautions if each.about is None or each.about in systems
            or any(same_weights(each.about, system) for system in systems)]


def _is_measured(s: Scenario, field: str, name: str) -> bool:
    """True of a score or a rate that `roi quality` wrote."""
    block, _, part = field.partition(".")
    said = getattr(s.quality, part).get(name) if block == "quality" else None
    return (getattr(said, "source", None) or "").startswith(MEASURED)


def _may_be_meant(s: Scenario, name: str, allowed: list[str]) -> bool:
    """True where an evaluation's name may be that of a system which it has no score of: one that is alike, or today's model.

    A vendor before the name is a usual slip: openai-gpt-5-nano, openai:chat:gpt-5-nano.
    """
    measured = [each for each in s.quality.scores if _is_measured(s, "quality.scores", each)]
    missing = [system for system in (s.incumbent.model, *allowed)
               if not any(each == system or same_weights(each, system) for each in measured)]
    ends = [rf"[^a-z0-9]{re.escape(system.lower())}$" for system in missing]
    sold = ">" not in name and any(re.search(end, name.lower()) for end in ends)
    return s.incumbent.model in missing or sold or bool(nearest(name, missing, cutoff=ALIKE))


def _refuse_near_incumbent(s: Scenario, unused: list[str]) -> None:
    """UnknownName for a model of one's own, in no catalog and without a score, that is nearly one whose score is unused."""
    scored, today = [name for name in s.quality.scores if f"quality.scores.{name}" in unused], s.incumbent.model
    if s.incumbent.served and today not in s.quality.scores and nearest(today, scored, cutoff=ALIKE) and not _is_listed(today):
        raise UnknownName("incumbent.model", today, scored, "model (in no catalog, and without a score)")


def _refuse_near(name: str, apis: list[str], systems: list[str]) -> None:
    """ScenarioError for own terms of an API under its model's name alone, in other letters, or of what is no API here.

    They would change nothing, and nobody who wrote them means that.
    """
    meant = [api for api in dict.fromkeys(apis) if f"/{api}".lower().endswith(f"/{name}".lower())]
    if meant:
        raise ScenarioError("apis", name, f"an API is named as under candidates, provider/model: write {' or '.join(meant)}")
    alike = [api for api in apis if name.endswith("+tuned") and api.rpartition("/")[2] == name.rpartition("/")[2]]
    if alike:
        raise ScenarioError("apis", name, f"that vendor's is no candidate, so its price is used nowhere: name"
                            f" {name.removesuffix('+tuned')} under candidates.hosted_adapters or vendor_tuned, or write"
                            f" {' or '.join(dict.fromkeys(alike))}")
    if name in systems:
        raise ScenarioError("apis", name, "you serve it yourself, it is no API here; the APIs of this scenario: "
                            + ", ".join(dict.fromkeys(apis)))


def _renamed(s: Scenario, name: str) -> str:
    """How a system is called otherwise whose score `roi quality` wrote; empty where it did not."""
    other = " (a name unlike any of its leaves it out)"
    measured = _is_measured(s, "quality.scores", name)
    return f"roi quality --system {shlex.quote(name)}=NAME calls it as the scenario does{other}" if measured else ""


def _is_no_variant(s: Scenario, name: str) -> bool:
    """True of a model of this scenario under an ending that only a model that one trains oneself can have: gpt-6-luna+lora."""
    model, plus, ending = name.partition("+")
    if not plus or ending in {"tuned", *LEVERS} or model not in {each.partition("+")[0] for each in known_systems(s)}:
        return False
    return not any(model.lower() in map(str.lower, names(shape)) for shape in load_models())


def _is_listed(model: str) -> bool:
    """True where a price list or the catalog of shapes spells a model exactly so."""
    listed = {f"{provider}/{each}".lower() for provider in provider_names() for each in model_names(provider)}
    shapes = {each.lower() for shape in load_models() for each in names(shape)}
    ends = {each.partition("/")[2] for each in listed}
    return model.lower() in listed | ends | {each.partition("/")[2] for each in ends} | shapes


def _has_price_or_shape(s: Scenario, model: str) -> bool:
    """True where the catalog finds a model by this name, in another spelling too."""
    for find in (partial(find_api_price, None, model, s.as_of), partial(find_model, model)):
        try:
            find()
        except UnknownName:
            continue
        except InputError:  # several providers have it, or it has no price on that day
            return True
        return True
    return False
