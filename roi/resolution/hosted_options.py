"""Options in which a vendor tunes and serves: closed models, and open models with your adapter.

Options that run on GPUs or on a vendor's tuned model: self-hosted, hybrid, own hardware, vendor tuning, hosted adapters.
"""

from roi.catalog.efficiencies.serving_efficiencies import find_engine
from roi.catalog.models.shapes import find_model
from roi.catalog.prices.gpu_offers import Offer, Offers, owned_offers, purchase_prices, rented_offers
from roi.catalog.prices.tuning import find_tuning_price, open_model_tuning
from roi.errors import ScenarioError, UnknownName
from roi.estimate.training.plan import Method
from roi.evidence.known_runs import KnownRuns
from roi.evidence.serving_speed import AMD_LOW
from roi.facts.fact import Basis
from roi.facts.model import ModelShape
from roi.facts.price import ApiPrice, RentalKind, TuningPrice
from roi.resolution.api_options import add_option, add_price, add_vendor, cheapest_spill
from roi.resolution.fact_sheet import FactSheet
from roi.resolution.plan_capacity import ENGINE
from roi.resolution.plan_evidence import add_speed
from roi.resolution.plans import add_plans
from roi.resolution.system_facts import add_system
from roi.resolution.training_facts import add_training, training_tokens
from roi.scenario.schema import Scenario, model_part, tuned
from roi.units import HOURS_PER_MONTH, MTOK


def add_tuned_options(sheet: FactSheet, s: Scenario, known: KnownRuns) -> None:
    """Vendor-tuned closed models, then hosted adapters."""
    for name in s.candidates.vendor_tuned:
        vendor, _, model = name.partition("/")
        if not model:
            raise ScenarioError("candidates.vendor_tuned", name, "write it as vendor/model")
        _add(sheet, s, "vendor-tuned", name, find_tuning_price(vendor, model, s.as_of, "candidates.vendor_tuned"), known)
    for name in s.candidates.hosted_adapters:
        vendor, _, model = name.partition("/")
        if not model:
            raise ScenarioError("candidates.hosted_adapters", name, "write it as vendor/model")
        shape = find_model(model, "candidates.hosted_adapters")
        rows = open_model_tuning(shape.id, float(shape.parameters), s.as_of)
        mine = tuple(row for row in rows if row.vendor.lower() == vendor.lower())
        if not mine:
            raise UnknownName("candidates.hosted_adapters", vendor, {row.vendor for row in rows}, "vendor")
        _add(sheet, s, "hosted-adapter", name, mine, known)


def _add(
    sheet: FactSheet, s: Scenario, kind: str, name: str, rows: tuple[TuningPrice, ...], known: KnownRuns
) -> None:
    """One option from a vendor's rows: billed by the token where it can be, else on its dedicated GPUs."""
    row = next((r for r in rows if r.input_usd_per_mtok is not None), rows[0])
    id, system = f"{kind}:{name}", tuned(model_part(name), "tuned")
    add_system(sheet, s, system)
    price = ApiPrice(
        provider=row.vendor,
        model=f"{model_part(name)} fine-tunes",
        input_usd_per_mtok=(row.input_usd_per_mtok or 0.0,),
        output_usd_per_mtok=(row.output_usd_per_mtok or 0.0,),
        source=row.source,
        date=row.date,
        note=row.note,
    )
    vendor = add_vendor(sheet, s, price, row.retires_on)
    add_option(sheet, id, kind, f"{model_part(name)} tuned @ {row.vendor}", system, "vendor_tuned", vendor, trains=True)
    own = f"options.{id}."
    if "unverified" in row.note:
        sheet.warnings.append(f"{name}: {row.note} ({row.source})")
    usd = max(training_tokens(s) / MTOK * row.usd_per_mtok_trained, row.usd_minimum_per_job)
    note = f"{row.source}; {row.note}" if row.note else row.source
    sheet.add(
        own + "training.vendor_usd_per_run",
        usd,
        "USD",
        basis=Basis.QUOTED,
        date=row.date,
        source=f"{training_tokens(s):,.0f} tokens x ${row.usd_per_mtok_trained:g}/Mtok: {note}",
    )
    sheet.add(own + "training.gpu_hours_per_run", 0.0, "GPU-hours", basis=Basis.QUOTED, source="billed by the token")
    sheet.add(own + "training.usd_per_gpu_hour", 0.0, "USD/GPU-hour", basis=Basis.QUOTED, source="billed by the token")
    sheet.add("training.hours_factor", 1.0, "ratio", basis=Basis.STATED, source="nothing is trained on own GPUs")
    if row.usd_per_month_stored or (row.usd_per_hosting_hour and row.gpu is None):
        monthly = row.usd_per_month_stored + (0.0 if row.gpu else row.usd_per_hosting_hour * HOURS_PER_MONTH)
        sheet.add(own + "hosting_usd_per_month", monthly, "USD/month", basis=Basis.QUOTED, source=note, date=row.date)
    if row.new_jobs_until is not None and row.new_jobs_until < s.as_of:
        sheet.name(own + "infeasible", f"{row.vendor} takes no new jobs since {row.new_jobs_until}", row.source)
    elif row.retires_on is not None and row.retires_on <= s.as_of:
        sheet.name(own + "infeasible", f"retired on {row.retires_on}", row.source)
    if row.input_usd_per_mtok is not None and row.output_usd_per_mtok is not None:
        add_price(sheet, id, price, discount=0.0, uses_cache=False, batch_share=0.0)
    else:
        _dedicated(sheet, s, id, system, rows, known)


def _dedicated(
    sheet: FactSheet, s: Scenario, id: str, system: str, rows: tuple[TuningPrice, ...], known: KnownRuns
) -> None:
    """A deployment on the vendor's GPUs, rented by the hour whether used or not."""
    offers: Offers = tuple(
        Offer(
            gpu=r.gpu,
            vendor=r.vendor,
            kind=RentalKind.ON_DEMAND,
            usd_per_gpu_hour=r.usd_per_hosting_hour,
            gpus_per_instance=1,
            minimum_months=0,
            source=r.source,
            date=r.date,
            usd_per_gpu=0.0,
        )
        for r in rows
        if r.gpu is not None and r.usd_per_hosting_hour > 0
    )
    shape = find_model(model_part(id.partition(":")[2]), "candidates.hosted_adapters")
    if not offers:
        sheet.name(f"options.{id}.infeasible", "the catalog has no price for serving it there", rows[0].source)
        return
    add_plans(sheet, s, id, shape, system, offers, known, shared_adapters=True)


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
