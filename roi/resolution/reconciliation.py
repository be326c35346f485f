"""The real bill against the estimate: one factor, split into volume and price."""

import numpy as np

from roi.economics.decision.evaluation import read_all
from roi.economics.inputs import BillFacts, path_of
from roi.economics.lines.api_bill import service
from roi.errors import ScenarioError
from roi.facts.fact import Basis
from roi.resolution.fact_sheet import FactSheet
from roi.scenario.quantity import value_of
from roi.scenario.scenario import Scenario
from roi.units import DAYS_PER_MONTH

FAR_OFF = 2.0
CHECK_FIRST = "; so far off, check requests_per_day, the lengths and the model before believing anything here"
GAP_WORTH_SAYING = 0.10
"""A bill further from the estimate than this gets a warning."""


def add_reconciliation(sheet: FactSheet, s: Scenario) -> None:
    """Add bill / (requests a month x list cost of a request, discount included) as a factor; 1 without a bill."""
    i = s.incumbent
    factor, share = path_of(BillFacts, "factor"), path_of(BillFacts, "volume_share")
    sheet.field(share, i, "bill_is_volume_share", "incumbent")
    if i.bill_usd_per_month is None:
        sheet.facts[share] = sheet.facts[share].model_copy(update={"low": None, "high": None})
        sheet.add(factor, 1.0, "ratio", basis=Basis.ASSUMED, source="no bill given: the estimate is not reconciled")
        return
    shared, options = read_all(sheet.case(), {**sheet.case().values(), factor: 1.0})
    a_request = float(np.asarray(service(shared, options["stay"]).cost.usd))
    estimate, bill = value_of(s.workload.requests_per_day) * DAYS_PER_MONTH * a_request, value_of(i.bill_usd_per_month)
    if estimate <= 0:
        raise ScenarioError("incumbent.bill_usd_per_month", bill, "leave it out: at this discount the estimate is 0")
    gap = bill / estimate
    told = f"bill ${bill:,.2f} / estimate ${estimate:,.2f} a month (scenario incumbent.bill_usd_per_month)"
    sheet.state(factor, gap, told, "ratio")
    if abs(gap - 1) > GAP_WORTH_SAYING:
        sheet.warnings.append(
            f"the bill is {gap:.2f} x the estimate from list prices (${bill:,.0f} against ${estimate:,.0f}"
            " a month): missing tokens, retries, or a negotiated price"
            + (CHECK_FIRST if not 1 / FAR_OFF < gap < FAR_OFF else "")
        )
