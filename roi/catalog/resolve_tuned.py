"""Options in which a vendor tunes and serves: closed models, and open models with your adapter."""

from roi.catalog.fact_sheet import FactSheet
from roi.catalog.models import find_model
from roi.catalog.offers import Offer, Offers
from roi.catalog.plans import add_plans
from roi.catalog.resolve_api import add_option, add_price, add_vendor
from roi.catalog.resolve_system import add_system
from roi.catalog.resolve_training import training_tokens
from roi.catalog.training_runs import KnownRuns
from roi.catalog.tuning import find_tuning_price, open_model_tuning
from roi.errors import ScenarioError, UnknownName
from roi.facts.fact import Basis
from roi.facts.price import ApiPrice, RentalKind, TuningPrice
from roi.scenario.schema import Scenario
from roi.scenario.systems import model_part, tuned
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
