"""Options that run on GPUs or on a vendor's tuned model: self-hosted, hybrid, own hardware, vendor tuning, hosted adapters."""

from roi.catalog.fact_sheet import FactSheet
from roi.catalog.models import find_model
from roi.catalog.offers import Offers, owned_offers, rented_offers
from roi.catalog.plan_capacity import ENGINE
from roi.catalog.plan_evidence import add_speed
from roi.catalog.plans import add_plans
from roi.catalog.purchases import purchase_prices
from roi.catalog.resolve_api import add_option, cheapest_spill
from roi.catalog.resolve_system import add_system
from roi.catalog.resolve_training import add_training
from roi.catalog.resolve_tuned import add_tuned_options
from roi.catalog.serving_efficiencies import find_engine
from roi.catalog.serving_evidence import AMD_LOW
from roi.catalog.training_runs import KnownRuns
from roi.estimate.plan import Method
from roi.facts.model import ModelShape
from roi.scenario.schema import Scenario
from roi.scenario.systems import tuned

AMD_SOURCE = (
    "no fitted run of a recent engine on AMD: half way from the early ROCm build of 2024-10 (LLM-Inference-Bench, MI300X,"
    " 0.2 of NVIDIA's share of the roofline) to other unseen cards"
)
"""What the P5 of the engine's speed on AMD cards rests on."""


def add_hosted_options(sheet: FactSheet, s: Scenario, known: KnownRuns) -> None:
    """Facts of every option that serves or tunes a model outside the list-price APIs."""
    _add_speed(sheet, s)
    offers = rented_offers(s)
    spill = cheapest_spill(sheet)
    for name in s.candidates.self_hosted:
        shape = find_model(name, "candidates.self_hosted")
        if s.candidates.base:
            _self_hosted(sheet, s, shape, name.lower(), None, offers, spill, known)
        for method in s.candidates.methods:
            _self_hosted(sheet, s, shape, name.lower(), method, offers, spill, known)
    add_tuned_options(sheet, s, known)


def _add_speed(sheet: FactSheet, s: Scenario) -> None:
    """How far the roofline may be off: for the cards it was fitted on, for AMD's, for all others."""
    engine = find_engine(s.serving.engine or ENGINE)
    elsewhere = engine.speed("other GPUs")
    amd = elsewhere.model_copy(update={"low": AMD_LOW, "source": AMD_SOURCE})
    for name, fact in (("fitted", engine.speed(engine.gpus[0])), ("elsewhere", elsewhere), ("amd", amd)):
        add_speed(sheet, f"serving.speed.{name}", fact)


def _self_hosted(
    sheet: FactSheet, s: Scenario, shape: ModelShape, name: str, method: Method | None, offers: Offers, spill: str,
    known: KnownRuns,
) -> None:
    """The plain option, and where asked for the hybrid and the owned one, of a base model or of an adapter on it."""
    system = name if method is None else tuned(name, method)
    add_system(sheet, s, system)
    kinds = [
        (
            "self-hosted-base" if method is None else "self-hosted-adapter",
            "self_hosted" if method is None else "self_hosted_adapter",
            "self-hosted",
        )
    ]
    if s.candidates.hybrid:
        kinds.append(("hybrid", "self_hosted" if method is None else "self_hosted_adapter", "floor + spill"))
    if s.candidates.own_hardware:
        kinds.append(("own-hardware", "own_hardware", "own GPUs"))
    for kind, group, words in kinds:
        id = f"{kind}:{system}"
        add_option(sheet, id, kind, f"{system} {words}", system, group, None, trains=method is not None)
        sheet.name(f"options.{id}.platform", True, "roi")
        if kind == "hybrid":
            sheet.name(
                f"options.{id}.spills_to", spill, "cheapest API that passes the bar and was evaluated, else the incumbent"
            )
        if kind == "own-hardware":
            sheet.name(f"options.{id}.owned", True, "roi")
            found = owned_offers(s, purchase_prices(s.as_of))
        else:
            found = offers
        add_plans(sheet, s, id, shape, system, found, known, shared_adapters=method is not None)
        if method is not None:
            add_training(sheet, s, id, shape, method, known)
