"""resolve(scenario) -> Case: the facts of the scenario's date, each with its source and spread."""

from dataclasses import dataclass

import numpy as np

from roi.economics.decision.feasibility import QUESTIONS
from roi.errors import ScenarioError
from roi.estimate.replay.day_load import load_curve_from_peak
from roi.evidence.known_runs import KnownRuns, known_runs
from roi.facts.case import Case
from roi.facts.fact import Basis
from roi.resolution.api_options import add_api_options
from roi.resolution.fact_sheet import FactSheet
from roi.resolution.hosted_options import add_hosted_options
from roi.resolution.reconciliation import add_reconciliation
from roi.scenario.change import KINDS_OF_CHANGE
from roi.scenario.quantity import Spread, as_spread, value_of
from roi.scenario.schema import Scenario
from roi.units import DAYS_PER_MONTH

PEAK_DEFAULT = Spread(
    value=3.0,
    low=2.0,
    high=5.0,
    source="busiest minutes over mean: 1.5 to 3.9 in one hour, 1.9 to 3.3 over 14 days (Azure 2023, ServeGen)",
)
BURST_WITHIN_HOUR = Spread(
    value=1.5,
    low=1.1,
    high=2.5,
    source="busiest 10 minutes over the busiest hour, 0.93 to 1.8 (ServeGen, 14 days); minutes more",
)


@dataclass(frozen=True)
class Resolved:
    """The Case, and what a reader should know about how it was made."""

    case: Case
    warnings: tuple[str, ...]


def resolve(scenario: Scenario, runs: KnownRuns | None = None) -> Resolved:
    """The Case of a scenario. Raises ScenarioError or UnknownName for what the catalog does not hold.

    `runs` are profiles and calibrations whose evidence replaces formulas; without them the published ones do.
    """
    sheet = FactSheet(scenario.as_of)
    _frame(sheet, scenario)
    _workload(sheet, scenario)
    _quality(sheet, scenario)
    _people(sheet, scenario)
    _training(sheet, scenario)
    _serving(sheet, scenario)
    add_api_options(sheet, scenario)
    add_hosted_options(sheet, scenario, runs or known_runs())
    add_reconciliation(sheet, scenario)
    return Resolved(sheet.case(), tuple(dict.fromkeys(sheet.warnings)))


def _frame(sheet: FactSheet, s: Scenario) -> None:
    sheet.name("title", s.title)
    sheet.name("as_of", s.as_of.isoformat())
    for name in ("horizon_months", "draws", "seed"):
        sheet.add(name, getattr(s, name), basis=_basis(name in s.model_fields_set), source=f"scenario {name}")
    sheet.add(
        "discount_rate_per_year",
        s.discount_rate,
        "1/year",
        basis=_basis("discount_rate" in s.model_fields_set),
        source="scenario discount_rate",
    )
    for gate in QUESTIONS:
        sheet.name(f"gates.{gate}", getattr(s.gates, gate), f"scenario gates.{gate}")
    drift = s.drift
    for name in ("gpu_rent_per_year", "successor_price_ratio", "successor_error_ratio"):
        sheet.field(f"drift.{name}", drift, name, "drift")


def _basis(stated: bool) -> Basis:
    return Basis.STATED if stated else Basis.ASSUMED


def _workload(sheet: FactSheet, s: Scenario) -> None:
    w = s.workload
    for name in ("requests_per_day", "growth_per_year", "can_wait_share", "shared_prefix_tokens", "cache_hit_rate"):
        sheet.field(f"workload.{name}", w, name, "workload")
    if w.escalated_cache_hit_rate is not None:
        sheet.quantity(
            "workload.escalated_cache_hit_rate",
            w.escalated_cache_hit_rate,
            "share",
            stated=True,
            source="scenario workload.escalated_cache_hit_rate",
        )
    for name, row in zip(("input_tokens", "output_tokens", "weights"), _lengths(sheet, s), strict=True):
        sheet.name(f"workload.{name}", row, "scenario workload.lengths" if w.lengths else f"scenario workload.{name}")
    peak = w.peak_to_mean
    if w.hourly_weights is not None:
        weights = np.asarray(w.hourly_weights)
        curve = weights / weights.mean()
        if peak is None:
            top, b = float(curve.max()), BURST_WITHIN_HOUR
            peak = Spread(
                value=top * b.value,
                low=top * (b.low or 1),
                high=top * (b.high or 1),
                source=f"busiest hour {top:.2f} x {b.source}",
            )
            sheet.quantity("workload.peak_to_mean", peak, "ratio", stated=False, source=peak.source)
    else:
        curve = load_curve_from_peak(value_of(peak if peak is not None else PEAK_DEFAULT))
    sheet.quantity(
        "workload.peak_to_mean",
        PEAK_DEFAULT if peak is None else peak,
        "ratio",
        stated=peak is not None,
        source="scenario workload.peak_to_mean",
    )
    sheet.add(
        "workload.load_curve",
        tuple(float(x) for x in curve),
        "ratio",
        basis=_basis(w.hourly_weights is not None),
        source="scenario workload.hourly_weights" if w.hourly_weights else "straight line in the log up to peak_to_mean",
    )
    for name in ("ttft_p95_s", "tpot_p95_s"):
        sheet.field(f"workload.{name}", w, name, "workload")
    _commitment(sheet, s)


def _lengths(sheet: FactSheet, s: Scenario) -> tuple[tuple[float, ...], ...]:
    w = s.workload
    if w.lengths is not None:
        return (
            tuple(b.input_tokens for b in w.lengths),
            tuple(b.output_tokens for b in w.lengths),
            tuple(b.share for b in w.lengths),
        )
    assert w.input_tokens is not None
    assert w.output_tokens is not None
    prefix, prompt = value_of(w.shared_prefix_tokens), value_of(w.input_tokens)
    if prefix > prompt:
        raise ScenarioError("workload.shared_prefix_tokens", prefix, f"at most the mean prompt, input_tokens {prompt:g}")
    if as_spread(w.input_tokens).low is not None or as_spread(w.output_tokens).low is not None:
        sheet.warnings.append(
            "workload.input_tokens and output_tokens: low and high are not drawn; mean lengths are taken as exact"
        )
    return (value_of(w.input_tokens),), (value_of(w.output_tokens),), (1.0,)


def _commitment(sheet: FactSheet, s: Scenario) -> None:
    i = s.incumbent
    sheet.field("commitment.usd_per_month", i, "committed_usd_per_month", "incumbent")
    months = 0.0
    if i.committed_until is not None:
        months = max((i.committed_until - s.as_of).days / DAYS_PER_MONTH, 0.0)
    sheet.add("commitment.months", months, "months", basis=Basis.STATED, source="scenario incumbent.committed_until")


def _quality(sheet: FactSheet, s: Scenario) -> None:
    sheet.add(
        "quality.bar", s.quality.bar, "share", basis=_basis("bar" in s.quality.model_fields_set), source="scenario quality.bar"
    )
    sheet.field("quality.usd_per_error", s.quality, "usd_per_error", "quality")
    sheet.add(
        "quality.evaluation_noise",
        0.0,
        basis=Basis.ASSUMED,
        low=-1.0,
        high=1.0,
        source="one evaluation set for all: -1 puts every score at its low, +1 at its high",
    )


def _people(sheet: FactSheet, s: Scenario) -> None:
    p, e = s.people, s.evaluation
    for name in ("usd_per_hour", "wage_growth_per_year"):
        sheet.field(f"people.{name}", p, name, "people")
    sheet.name("people.setup_hours_existing", p.setup_hours_existing)
    sheet.name("people.run_hours_existing", p.run_hours_existing)
    sheet.field("migration.hours", p, "migration_hours", "people")
    for name in ("usd", "labels", "usd_per_label"):
        sheet.field(f"evaluation.{name}", e, name, "evaluation")
    sheet.add("changes.none.setup_hours", 0.0, "hours", basis=Basis.STATED, source="staying changes nothing")
    for name, unit in (("run_hours_per_month", "hours"), ("months_to_live", "months"), ("months_in_parallel", "months")):
        sheet.add(f"changes.none.{name}", 0.0, unit, basis=Basis.STATED, source="staying changes nothing")
    for group in KINDS_OF_CHANGE:
        sheet.field(f"changes.{group}.setup_hours", p.setup_hours, group, "people.setup_hours")
        sheet.field(f"changes.{group}.run_hours_per_month", p.run_hours_per_month, group, "people.run_hours_per_month")
        sheet.field(f"changes.{group}.months_to_live", s.timing.months_to_live, group, "timing.months_to_live")
        if group == "cache_batch":
            sheet.add(f"changes.{group}.months_in_parallel", 0.0, "months", basis=Basis.STATED, source="the same API")
        else:
            sheet.field(f"changes.{group}.months_in_parallel", s.timing, "months_in_parallel", "timing")
    for name in type(s.platform).model_fields:
        sheet.field(f"platform.{name}_usd_per_month", s.platform, name, "platform")


def _training(sheet: FactSheet, s: Scenario) -> None:
    t = s.training
    for name in ("runs_until_good", "retrain_runs", "retrain_hours", "relabel_share"):
        sheet.field(f"training.{name}", t, name, "training")
    if t.retrain_every_months is not None:
        if value_of(t.retrain_every_months) <= 0:
            raise ScenarioError(
                "training.retrain_every_months", value_of(t.retrain_every_months), "months above 0, or null for never"
            )
        sheet.field("training.retrain_every_months", t, "retrain_every_months", "training")
    sheet.name("training.labels_from", t.labels_from)
    sheet.field("training.examples", t, "examples", "training")
    sheet.add(
        "training.examples_costed",
        value_of(t.examples),
        "examples",
        basis=Basis.STATED,
        source="examples that the hours and vendor prices of a run stand for; they scale with training.examples",
    )
    free = "already paid for" if t.labels_owned else "the incumbent's logged outputs" if t.labels_from == "incumbent" else ""
    sheet.add(
        "training.labels_bought_share",
        0.0 if free else 1.0,
        "share",
        basis=Basis.STATED,
        source=free or "scenario training.labels_from: people",
    )


def _serving(sheet: FactSheet, s: Scenario) -> None:
    v = s.serving
    sheet.field("serving.headroom", v, "headroom", "serving")
    share = 1.0 / v.adapters_on_base if v.adapters == "shared" else 1.0
    if share < 1.0:
        told = f"{v.adapters_on_base} adapters share the rent; the others are taken to bring no load at this workload's peak"
        sheet.warnings.append(f"serving.adapters_on_base: {told}")
    sheet.add("serving.fleet_share", share, "share", basis=Basis.STATED, source="scenario serving.adapters_on_base")
    for name in ("spares", "replicas_least", "autoscale_floor", "startup_hours"):
        sheet.add(f"serving.{name}", getattr(v, name), basis=_basis(name in v.model_fields_set), source=f"serving.{name}")
    sheet.name("serving.autoscale", v.autoscale)
    if s.candidates.own_hardware:
        stated = s.own_hardware.model_fields_set
        if "usd_per_kwh" in stated and "colocation_usd_per_kw_month" not in stated:
            sheet.add(
                "own_hardware.colocation_usd_per_kw_month",
                0.0,
                "USD/kW/month",
                basis=Basis.STATED,
                source="own premises: scenario own_hardware.usd_per_kwh",
            )
        for name in type(s.own_hardware).model_fields:
            if name == "resale_usd_per_gpu" or (name == "host_usd_per_gpu" and s.own_hardware.resale_usd_per_gpu is not None):
                continue
            sheet.field(f"own_hardware.{name}", s.own_hardware, name, "own_hardware")
        sheet.add("own_hardware.host_usd_per_gpu", 0.0, "USD", basis=Basis.STATED, source="in own_hardware.resale_usd_per_gpu")
