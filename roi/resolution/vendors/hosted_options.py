"""Options on GPUs or on a vendor's tuned model: self-hosted, hybrid, own hardware, vendor tuning, hosted adapters."""

import re
from contextlib import suppress
from datetime import date
from functools import partial

import numpy as np

from roi.catalog.cards.gpus import find_gpu
from roi.catalog.models.quality_priors import quality_prior
from roi.catalog.models.same_weights import same_weights
from roi.catalog.models.shapes import find_model
from roi.catalog.prices.api_prices import find_api_price, sellers_of
from roi.catalog.prices.gpu_offers import Offer, Offers, bought_offers, owned_offers, rented_offers, rents
from roi.catalog.prices.vendors import MAKERS, TUNED, find_tuning_price, not_yet_tuned, open_model_tuning
from roi.economics.decision.evaluation import read_all
from roi.economics.decision.feasibility import as_measured, meets_bar
from roi.economics.inputs import Option, Training, path_of
from roi.economics.lines.api_bill import service
from roi.economics.option_kinds import OWN_HARDWARE
from roi.economics.reading import NO_BILL, PLAIN
from roi.economics.worked_out import OptionFacts, TrainingFacts
from roi.errors import InputError, ScenarioError, UnknownName, first_of
from roi.estimate.serving.weight_formats import OF_GGUF
from roi.estimate.training.peft_methods import unserved
from roi.facts.fact import Basis
from roi.facts.model import ModelShape
from roi.facts.price import ApiPrice, RentalKind, TuningPrice
from roi.resolution.fact_sheet import FactSheet
from roi.resolution.plans import add_plans, add_published_speeds, check_capacities
from roi.resolution.request_lengths import of_taken, takes_long
from roi.resolution.system_facts import add_system
from roi.resolution.training.adapter_training import add_training
from roi.resolution.training.training_runs import training_tokens
from roi.resolution.vendors.api_options import add_vendor
from roi.resolution.vendors.api_terms import ONE_MODEL, add_option, add_price, add_terms, only_writes, too_slow
from roi.resolution.vendors.list_prices import Terms, price_in_force, terms_of
from roi.scenario.quantity import value_of
from roi.scenario.scenario import Scenario, model_part, tuned
from roi.scenario.sections.supply import People
from roi.units import HOURS_PER_MONTH, MTOK, dollars

NO_SPILL = ("no API takes what its floor does not hold: today's model is one that you serve, and all of it would have to stay"
            " for that, or may not stay. Name an API that passes the bar (candidates.api_models) and evaluate it")
NOT_TEXT = re.compile(r"(?:^|[/-])(?:[a-z]*vl|vision|llava|omni|audio|asr|tts|ocr|embedding|reranker)(?=[-/.\d]|$)")
"""Open models that see, hear, or score a text: most are a text model with a tower or another head."""
NOT_TEXT_WHY = (
    "the catalog holds text models alone; where this one is made of one, name that (qwen2.5-7b of qwen2.5-vl-7b, qwen3-8b of"
    " qwen3-reranker-8b), with images as input tokens (tokens.NAME.ratio where they are others) and its tower left out; else it"
    " is an API of your own with its server under costs (docs/start.md)")
OF_TUNED = frozenset({"ends_in_months", "successor_price_ratio", "successor_error_ratio"})
"""What may be stated under `apis` of a model that a vendor tunes."""
NOT_RENTED = "no vendor of the scenario rents these GPUs on the as-of date: candidates.gpus names those that are owned alone"
"""Why an option on rented GPUs has no plan where only the cards that are owned are asked for."""
NONE_RENTED = "no GPU is rented (candidates.rented: false)"


def add_hosted_options(sheet: FactSheet, s: Scenario) -> None:
    """Facts of every option that serves or tunes a model outside the list-price APIs."""
    add_published_speeds(sheet, s)
    offers, own = rented_offers(s), owned_offers(s)
    _refuse_twice("gpu_rents", [(o.gpu, o.vendor.lower(), o.gpus_per_instance, o.minimum_months)
                                for o in rents(s) if o.stated is not None], "gpu, vendor, gpus_per_instance, minimum_months")
    sheet.warnings += [f"{o.vendor}, {o.gpu} at {dollars(o.usd_per_gpu_hour)}: an index of rents, which candidates.vendors"
                       " names and nobody can order" for o in offers if o.level_only]
    _refuse_twice("serving.capacities", [(c.model.lower(), find_gpu(c.gpu, f"serving.capacities.{n}.gpu", "gpus").id, c.gpus)
                                         for n, c in enumerate(s.serving.capacities)], "model, gpu, gpus")
    if offers and not s.candidates.vendors and "vendors" in s.candidates.model_fields_set:
        sheet.warnings.append("candidates.vendors: [] names none, and counts as left out: all that rent the cards; where none"
                              " may be, leave candidates.self_hosted empty, or go by the options on own GPUs alone")
    for_training = None if s.training.gpu is None else find_gpu(s.training.gpu, "training.gpu").id
    unused = [o for o in rents(s) if o.stated is not None and o not in offers and o.gpu != for_training]
    sheet.warnings += [f"gpu_rents.{o.stated} is not used: candidates name other cards or vendors than {o.gpu} at {o.vendor}"
                       for o in unused]
    price = s.own_hardware.purchase_usd_per_gpu
    worn_out = any(o.replacement for o in own)
    if price is not None and not worn_out and (own or s.candidates.own_hardware is None):
        why = ("it moves nothing: cards are bought where candidates.own_hardware is true and none are owned, or where owned"
               " ones wear out within the horizon (own_hardware.life_months)")
        raise ScenarioError("own_hardware.purchase_usd_per_gpu", price, why)
    bought = bought_offers(s) if s.candidates.own_hardware and not own else ()
    if bought and s.candidates.methods and not s.candidates.rented:
        sheet.warnings.append("candidates.rented: false is of what serves; an adapter for cards that are bought is trained on a"
                              " rented one, for the hours that --explain tells")
    check_capacities(s, (*offers, *bought, *own))
    sheet.warnings += [f"serving.capacities.{n}: {value_of(c.requests_per_s):g} requests/s of {c.model} on {c.gpus} x {c.gpu}"
                       " are taken as stated; the SLO is not checked" for n, c in enumerate(s.serving.capacities)]
    if s.candidates.self_hosted and not (s.candidates.rented or s.candidates.own_hardware or own):
        why = "nothing is left to serve candidates.self_hosted on: write candidates.own_hardware: true" + (
            ", or own_hardware.cards" * (not s.own_hardware.cards))
        raise ScenarioError("candidates.rented", "false", why)
    spill, t = _cheapest_spill(sheet, s), s.training
    if t.adapters > 1 and s.candidates.self_hosted and s.candidates.methods and s.serving.adapters == "merged":
        why = ("several need serving.adapters: shared, which applies them on one base; merged, the default, folds one adapter"
               " into the base, so each would be a fleet of its own")
        raise ScenarioError("training.adapters", t.adapters, why)
    for name in s.candidates.self_hosted:
        shape = _open_model(name, "candidates.self_hosted")
        methods: list[str | None] = [None] if s.candidates.base else []
        for method in (*methods, *s.candidates.methods):
            _self_hosted(sheet, s, shape, name.lower(), method, (offers, bought, own), spill)
    _refuse_trained(s)
    for name in s.candidates.vendor_tuned:
        stated = _stated_tuning(s, name)
        by_vendor = _tuning_rows(name, s.as_of, "candidates.vendor_tuned") if stated is None else (stated,)
        _tuned_elsewhere(sheet, s, "vendor-tuned", name, by_vendor, spill)
    for name in s.candidates.hosted_adapters:
        _tuned_elsewhere(sheet, s, "hosted-adapter", name, _adapter_rows(s, name, "candidates.hosted_adapters"), spill)


def _adapter_rows(s: Scenario, name: str, field: str) -> tuple[TuningPrice, ...]:
    """The ways in which a vendor tunes an open model, as the scenario states them, else the catalog."""
    vendor, model = _vendor_and_model(field, name)
    shape = _open_model(model, field)
    if (stated := _stated_tuning(s, name)) is not None:
        return (stated,)
    every = open_model_tuning(shape.id, float(shape.parameters), date.max)
    if not (later := [row for row in every if row.vendor.lower() == vendor.lower()]):
        rates = ", ".join(f"{rate}_usd_per_mtok: USD" for rate in ("trained", "input", "output"))
        remedy = f"of another one state what it takes, apis: {{{tuned(name, 'tuned')}: {{{rates}}}}}"
        raise UnknownName(field, vendor, {row.vendor for row in every}, "vendor", remedy=remedy)
    today = open_model_tuning(shape.id, float(shape.parameters), s.as_of)
    rows = tuple(row for row in today if row.vendor.lower() == vendor.lower())
    if not rows:
        raise not_yet_tuned(name, later, s.as_of, field)
    return rows


def _refuse_trained(s: Scenario) -> None:
    """ScenarioError where a price of training is stated of a plain API."""
    for name, own in s.apis.items():
        if own.trained_usd_per_mtok is not None and not name.endswith("+tuned"):
            why = f"it is of the model that the vendor tunes: apis.{tuned(name, 'tuned')}"
            raise ScenarioError(f"apis.{name}.trained_usd_per_mtok", own.trained_usd_per_mtok, why)


def _cheapest_spill(sheet: FactSheet, s: Scenario) -> str | None:
    """The API that a hybrid spills to: the cheapest that takes all, was evaluated and passes the bar, else the incumbent.

    By the mean of its months, in which prices that are announced count. What misses the SLO as measured takes it only where
    nothing else may. None where that would be a model that one serves: all of it would have to be kept for what is spilled.
    """
    case = sheet.case()
    shared, options = read_all(case, {**case.values(), **NO_BILL})
    passing = [o for o in options.values() if o.api is not None and o.infeasible is None and o.too_long is None
               and not ((s.incumbent.served or not s.incumbent.may_stay) and o.same_model)
               and (o.kind == "stay" or (o.kind in PLAIN - {"flexible-tier"} and o.evaluated
                                         and meets_bar(shared, as_measured(o), options).all()))]
    missed = too_slow(s, s.incumbent)
    on_time = [o for o in passing if not missed or o.vendor != options["stay"].vendor]  # another that is late is infeasible
    if missed and passing and not on_time and s.candidates.hybrid:
        sheet.warnings.append(f"candidates.hybrid: what spills goes to today's model, which misses the SLO: {missed}; no other"
                              " API that passes the bar was evaluated")
    found = min(on_time or passing, key=lambda o: float(np.mean(service(shared, o).listed())), default=None)
    return None if found is None else found.id


def _open_model(name: str, field: str) -> ModelShape:
    """The model of the catalog; where that has none, but an API sells it, ScenarioError says so, and where it belongs."""
    try:
        return find_model(name, field)
    except UnknownName:
        if not (sold := sellers_of(model := model_part(name))):
            if NOT_TEXT.search(name.lower()):
                raise ScenarioError(field, name, NOT_TEXT_WHY) from None
            raise
        head = name.removesuffix(model).rstrip("/").lower()
        sold.sort(key=lambda vendor: (vendor != head, vendor not in MAKERS))
        why = (f"an API of {first_of(sold, 3)}, and no weights of it are known; candidates.api_models: [{sold[0]}/{model}]"
               " compares it")
        raise ScenarioError(field, name, why) from None


def _tuning_rows(name: str, as_of: date, field: str) -> tuple[TuningPrice, ...]:
    """The ways in which a vendor tunes its model; of one that it sells and does not tune, ScenarioError says that."""
    vendor, model = _vendor_and_model(field, name)
    try:
        return find_tuning_price(vendor, model, as_of, field)
    except UnknownName as error:
        if vendor.lower() not in sellers_of(model):
            raise
        near = error.offered.replace("; nearest:", "; nearest that it tunes:")
        raise ScenarioError(field, name, f"{vendor} sells this model, and no price of tuning it is known{near}") from None


def _refuse_twice(field: str, keys: list[tuple[str | int, ...]], names: str) -> None:
    """ScenarioError where two rows of a list are about the same thing."""
    for number, key in enumerate(keys):
        if (first := keys.index(key)) < number:
            same = ", ".join(map(str, key))
            raise ScenarioError(f"{field}.{number}", same, f"{field}.{first} has the same {names}; keep one of the two")


def _vendor_and_model(field: str, name: str) -> tuple[str, str]:
    vendor, _, model = name.partition("/")
    if not model:
        raise ScenarioError(field, name, "write it as vendor/model")
    return vendor, model


def _self_hosted(
    sheet: FactSheet, s: Scenario, shape: ModelShape, name: str, method: str | None,
    cards: tuple[Offers, Offers, Offers], spill: str | None,
) -> None:
    """The plain option, and where asked for the hybrid and those on own GPUs, of a base model or of an adapter on it.

    `cards` are those that can be rented, bought, and that are there already.
    """
    system = name if method is None else tuned(name, method)
    untuned, trains = method is None, method is not None and not _is_there(sheet, s, system)
    prior = quality_prior("open", float(shape.parameters), s.incumbent.model) if untuned else quality_prior("tuned")
    add_system(sheet, s, system, prior)
    plain, rented = "self-hosted-base" if untuned else "self-hosted-adapter", "self_hosted_adapter" if trains else "self_hosted"
    above = "" if spill is None else str(sheet.facts[path_of(Option, "system", option=spill)].value)
    mixed = s.workload.embeds and above != "" and not same_weights(above, system)
    (offers, bought, own), hybrid, owned = cards, s.candidates.hybrid, bool(s.cards)
    kinds = [
        (plain, plain, rented, "self-hosted", offers),
        *[("hybrid", "hybrid", rented, "floor + spill", offers)] * hybrid,
        *[(OWN_HARDWARE, OWN_HARDWARE, rented, "own GPUs", own)] * owned,
        *[("hybrid-own", "hybrid", rented, "own GPUs + spill", own)] * (owned and hybrid),
        *[(OWN_HARDWARE, OWN_HARDWARE, "own_hardware", "own GPUs", bought)] * bool(s.candidates.own_hardware and not owned),
    ]
    long_to = takes_long(sheet, s, spill)
    for name_of_kind, kind, group, words, found in kinds:
        id = f"{name_of_kind}:{system}"
        add_option(sheet, id, kind, f"{system} {words}", system, group, None, trains=trains,
                   context_tokens=shape.context_tokens, context_source="catalog", long_to=long_to)
        path = partial(path_of, Option, option=id)
        sheet.state(path_of(OptionFacts, "platform", option=id), True, "roi")
        if kind == "hybrid" and spill is not None:
            sheet.state(path("spills_to"), spill, "cheapest API that passes the bar, was evaluated and is not known to miss the"
                        " SLO, else the incumbent")
        if found is not offers:
            sheet.state(path_of(OptionFacts, "owned", option=id), True, "roi")
        to_rent = name_of_kind in {plain, "hybrid"}
        out = _out(s, kind, method, rented=to_rent, none=not offers, spill=spill)
        if why := ONE_MODEL if kind == "hybrid" and mixed else only_writes(sheet, s, system):
            out = why, "scenario workload.output_tokens"
        if out is not None:
            sheet.state(path("infeasible"), *out)
        if path("infeasible") in sheet.facts:
            continue
        if s.serving.adapters_on_base > 1:
            _add_shared_hours(sheet, s, id, group, trains=trains)
        add_plans(sheet, s, id, shape, system, found, shared_adapters=method is not None, long_to=long_to)
        if trains and method is not None:
            add_training(sheet, of_taken(sheet.facts, s, id), id, shape, method, own if found is own else ())


def _out(s: Scenario, kind: str, method: str | None, *, rented: bool, none: bool, spill: str | None) -> tuple[str, str] | None:
    """Why the scenario leaves an option no plan to look for, and who says so; `none`: no card that it may rent is known."""
    if rented and not s.candidates.rented:
        return NONE_RENTED, "scenario"
    if rented and none and s.cards:
        return NOT_RENTED, "scenario"
    if kind == "hybrid" and spill is None:
        return NO_SPILL, "scenario"
    why = "" if method is None else unserved(method, shared=s.serving.adapters == "shared")
    return (why, "peft, vLLM") if why else None


def _is_there(sheet: FactSheet, s: Scenario, system: str) -> bool:
    """True where the tuned model answers today, on servers of one's own; a warning says what that leaves out."""
    if not (s.incumbent.served and s.incumbent.model.lower() == system):
        return False
    sheet.warnings.append(f"{system} is today's model, which is there: no training, labels or retraining of it is counted; what"
                          " training it again costs, here and today, is a cost of all (costs)")
    return True


def _add_shared_hours(sheet: FactSheet, s: Scenario, id: str, group: str, *, trains: bool) -> None:
    """Which share of the option's hours is the fleet's, and so is paid by all workloads on it together.

    Its own are those of changing to another API model (prompts, evaluation, roll-out), and what an adapter adds to serving its
    base as it is. Where the scenario states the hours of one kind and not of the other, the defaults' proportion is taken.
    """
    alike = {group, "self_hosted", *(("self_hosted_adapter",) if trains else ())}
    people, usual = s.people, People()
    hours = {"setup_hours_shared": (people.setup_hours, usual.setup_hours),
             "run_hours_shared": (people.run_hours_per_month, usual.run_hours_per_month)}
    for name, (stated, default) in hours.items():
        block = stated if alike <= stated.model_fields_set or not alike & stated.model_fields_set else default
        of = {each: value_of(getattr(block, each)) for each in (*alike, "api")}
        own = of["api"] + (max(of["self_hosted_adapter"] - of["self_hosted"], 0.0) if trains else 0.0)
        whole = of[group]
        share = min(max(1.0 - own / whole, 0.0), 1.0) if whole > 0.0 else 0.0
        added = ", and what an adapter adds to its base," if trains else ""
        sheet.add(path_of(Option, name, option=id), share, "share", basis=Basis.ASSUMED, source=(
            f"of {whole:g} h all but {min(own, whole):g}: what another API model takes{added} is this workload's own"))


def _tuned_elsewhere(
    sheet: FactSheet, s: Scenario, kind: str, name: str, rows: tuple[TuningPrice, ...], spill: str | None,
) -> None:
    """A model that a vendor tunes and serves: billed by the token where it can be, else on the vendor's dedicated GPUs."""
    own = _terms_of_tuned(s, name)
    row = next((r for r in rows if r.input_usd_per_mtok is not None), rows[0])
    id, model = f"{kind}:{name}", model_part(name)
    system = tuned(model, "tuned")
    add_system(sheet, s, system, quality_prior("tuned"))
    listed = ApiPrice(provider=row.vendor, model=f"{model}{TUNED}", input_usd_per_mtok=(row.input_usd_per_mtok or 0.0,),
                      output_usd_per_mtok=(row.output_usd_per_mtok or 0.0,), source=row.source, date=row.date, note=row.note)
    price, own = price_in_force(listed, own, before=lambda _: listed, discount=value_of(own.own.discount))
    row = row.model_copy(update={f"{rate}_usd_per_mtok": own.rates[rate] for rate in ("input", "output") if rate in own.rates})
    plain = _ends_of_tuned(s, name)
    terms = own if own.field else plain
    vendor = add_vendor(sheet, s, price, row.retires_on, own=(terms.field, terms.own), terms=own)
    add_terms(sheet, vendor, terms)
    context, source = _context_tokens(s, row, model)
    add_option(sheet, id, kind, f"{model} tuned @ {row.vendor}", system, "vendor_tuned", vendor, trains=True,
               context_tokens=context, context_source=source, long_to=takes_long(sheet, s, spill))
    if "unverified" in row.note or (row.note and s.training.adapters * s.serving.adapters_on_base > 1):
        sheet.warnings.append(f"{name}: {row.note} ({row.source})")
    tokens, note = training_tokens(of_taken(sheet.facts, s, id)), f"{row.source}; {row.note}" if row.note else row.source
    quoted, path = partial(sheet.add, basis=Basis.QUOTED), partial(path_of, TrainingFacts, option=id)
    quoted(path("vendor_usd"), max(tokens / MTOK * row.usd_per_mtok_trained, row.usd_minimum_per_job), "USD",
           source=f"{tokens:,.0f} tokens x {dollars(row.usd_per_mtok_trained)}/Mtok: {note}", date=row.date)
    quoted(path("gpu_hours"), 0.0, "GPU-hours", source="billed by the token")
    quoted(path_of(Training, "usd_per_gpu_hour", option=id), 0.0, "USD/GPU-hour", source="billed by the token")
    sheet.state(path("hours_factor", method="tuned"), 1.0, "nothing is trained on own GPUs", "ratio")
    path = partial(path_of, Option, option=id)
    if row.usd_per_month_stored or (row.usd_per_hosting_hour and row.gpu is None):
        monthly = row.usd_per_month_stored + (0.0 if row.gpu else row.usd_per_hosting_hour * HOURS_PER_MONTH)
        quoted(path("hosting_usd"), monthly, "USD/month", source=note, date=row.date)
    if row.new_jobs_until is not None and row.new_jobs_until < s.as_of:
        sheet.state(path("infeasible"), f"{row.vendor} takes no new jobs since {row.new_jobs_until}", row.source)
    elif row.retires_on is not None and row.retires_on <= s.as_of:
        sheet.state(path("infeasible"), f"retired on {row.retires_on}", row.source)
    elif late := too_slow(s, own.own) or only_writes(sheet, s, system):
        sheet.state(path("infeasible"), late, f"scenario {own.field}")
    if row.input_usd_per_mtok is not None and row.output_usd_per_mtok is not None:
        add_price(sheet, id, price, discount=None if "discount" in own.own.model_fields_set else 0.0, terms=own,
                  uses_cache=own.own.uses_cache and "cache_read" in own.rates,
                  batch_share=None if "batch_input" in own.rates else 0.0)
    elif own.own.announced:
        raise ScenarioError(f"{own.field}.announced", len(own.own.announced), "it is served on dedicated GPUs, at no price a"
                            " token: state input_usd_per_mtok and output_usd_per_mtok where it has one")
    else:
        _dedicated(sheet, s, id, system, rows, takes_long(sheet, s, spill))


def _terms_of_tuned(s: Scenario, name: str) -> Terms:
    """The scenario's terms of a model that a vendor tunes, VENDOR/MODEL+tuned; by the token, input and output together."""
    terms = terms_of(s, tuned(name, "tuned"))
    rates = terms.own.rates
    if rates and not {"input", "output"} <= rates.keys():
        why = "a tuned model that is billed by the token takes input_usd_per_mtok and output_usd_per_mtok together"
        raise ScenarioError(terms.field, sorted(rates), why)
    return terms


def _stated_tuning(s: Scenario, name: str) -> TuningPrice | None:
    """What a vendor takes by the scenario alone, which states what training costs; None where it does not."""
    terms = _terms_of_tuned(s, name)
    trained, (vendor, model) = terms.own.trained_usd_per_mtok, _vendor_and_model("candidates.hosted_adapters", name)
    if trained is None:
        return None
    return TuningPrice(vendor=vendor, model=model, usd_per_mtok_trained=trained, source=f"scenario {terms.field}", date=s.as_of)


def _ends_of_tuned(s: Scenario, name: str) -> Terms:
    """What is said under the plain name of a model that a vendor tunes: when it ends. Others are those of the plain API."""
    terms, plain = terms_of(s, name), {*s.candidates.api_models, *s.candidates.hosted_models, *s.candidates.cascade_first}
    if name not in plain and (other := sorted(terms.own.model_fields_set - OF_TUNED)):
        why = (f"of a model that a vendor tunes {', '.join(sorted(OF_TUNED))} stand here; its prices under"
               f" {terms.field}+tuned")
        raise ScenarioError(f"{terms.field}.{other[0]}", getattr(terms.own, other[0]), why)
    return terms


def _context_tokens(s: Scenario, row: TuningPrice, model: str) -> tuple[int | None, str]:
    """What the base of a tuned model takes, and who says it; None where neither the catalog's shapes nor the price lists do."""
    with suppress(InputError):
        return find_model(model).context_tokens, "catalog"
    with suppress(InputError):
        price = find_api_price(row.vendor, model, s.as_of)
        return price.context_tokens, price.source
    return None, ""


def _dedicated(
    sheet: FactSheet, s: Scenario, id: str, system: str, rows: tuple[TuningPrice, ...], long_to: str | None,
) -> None:
    """A deployment on the vendor's GPUs, rented by the hour whether used or not."""
    offers = tuple(Offer(gpu=r.gpu, vendor=r.vendor, kind=RentalKind.ON_DEMAND, usd_per_gpu_hour=r.usd_per_hosting_hour,
                         gpus_per_instance=1, minimum_months=0, source=r.source, date=r.date, usd_per_gpu=0.0)
                   for r in rows if r.gpu is not None and r.usd_per_hosting_hour > 0)
    shape = find_model(model_part(id.partition(":")[2]), "candidates.hosted_adapters")
    if offers:
        if s.serving.engine in OF_GGUF:  # a vendor's servers are its own
            s = s.model_copy(update={"serving": s.serving.model_copy(update={"engine": None, "weight_dtypes": None})})
        add_plans(sheet, s, id, shape, system, offers, shared_adapters=True, long_to=long_to)
    else:
        name = f"apis.{id.partition(':')[2]}+tuned"
        why = f"the catalog has no price for serving it there: {name}.input_usd_per_mtok and output_usd_per_mtok state it"
        sheet.state(path_of(Option, "infeasible", option=id), why, rows[0].source)
