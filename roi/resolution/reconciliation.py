"""The real bill against the estimate: one factor, split into volume and price."""

import numpy as np

from roi.economics.decision.evaluation import read_all
from roi.economics.lines.api_bill import service
from roi.errors import ScenarioError
from roi.facts.fact import Basis
from roi.resolution.fact_sheet import FactSheet
from roi.scenario.quantity import value_of
from roi.scenario.schema import Scenario
from roi.units import DAYS_PER_MONTH

FAR_OFF = 2.0
CHECK_FIRST = "; so far off, check requests_per_day, the lengths and the model before believing anything here"
GAP_WORTH_SAYING = 0.10
"""A bill further from the estimate than this gets a warning."""


def add_reconciliation(sheet: FactSheet, s: Scenario) -> None:
    """reconciliation.factor = bill / (requests a month x list cost of a request, discount included); 1 without a bill."""
    i = s.incumbent
    sheet.field("reconciliation.volume_share", i, "bill_is_volume_share", "incumbent")
    if i.bill_usd_per_month is None:
        share = sheet.facts.pop("reconciliation.volume_share")
        sheet.facts["reconciliation.volume_share"] = share.model_copy(update={"low": None, "high": None})
        sheet.add(
            "reconciliation.factor", 1.0, "ratio", basis=Basis.ASSUMED, source="no bill given: the estimate is not reconciled"
        )
        return
    values = {**sheet.case().values(), "reconciliation.factor": 1.0}
    shared, options = read_all(sheet.case(), values)
    estimate = (
        value_of(s.workload.requests_per_day) * DAYS_PER_MONTH * float(np.asarray(service(shared, options["stay"]).cost.usd))
    )
    bill = value_of(i.bill_usd_per_month)
    if estimate <= 0:
        raise ScenarioError("incumbent.bill_usd_per_month", bill, "leave it out: at this discount the estimate is 0")
    factor = bill / estimate
    sheet.add(
        "reconciliation.factor",
        factor,
        "ratio",
        basis=Basis.STATED,
        source=f"bill ${bill:,.2f} / estimate ${estimate:,.2f} a month (scenario incumbent.bill_usd_per_month)",
    )
    if abs(factor - 1) > GAP_WORTH_SAYING:
        sheet.warnings.append(
            f"the bill is {factor:.2f} x the estimate from list prices (${bill:,.0f} against ${estimate:,.0f}"
            " a month): missing tokens, retries, or a negotiated price"
            + (CHECK_FIRST if not 1 / FAR_OFF < factor < FAR_OFF else "")
        )
