"""The cost lines of one option: what is paid to whom, in the order in which the report tells it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from roi.economics.api_lines import api_lines, whole_request_line
from roi.economics.calendar import incumbent_share, live_share, requests
from roi.economics.fleet_lines import FleetMonths, fleet_lines, fleet_months
from roi.economics.inputs import Array, Option, Shared
from roi.economics.line import Line
from roi.economics.people_lines import retraining_line, run_lines, setup_lines
from roi.economics.service import Service, service
from roi.economics.vendor_lines import commitment_line, error_line, migration_line, needed_after, tuned_again


@dataclass(frozen=True)
class Costs:
    """Lines of one option and the fleet they rest on."""

    lines: tuple[Line, ...]
    fleet: FleetMonths | None


def cost_lines(shared: Shared, option: Option, options: Mapping[str, Option]) -> Costs:
    """Every line of `option`, shape (H,) or (n, H) each.

    Until live the incumbent serves everything; in parallel both do, and the incumbent's answers are used; then the option
    serves, except what it escalates (paid twice) and what its fleet spills (paid once, to the API).
    """
    stay = service(shared, options["stay"])
    if option.kind == "stay":
        return Costs(_stay_lines(shared, stay), None)
    horizon = shared.horizon
    live = live_share(option.months_to_live, horizon)
    kept = incumbent_share(option.months_to_live, option.months_in_parallel, horizon)
    volume = requests(shared)

    lines: list[Line] = setup_lines(shared, option)
    own_error = np.asarray(option.error_rate) + np.zeros(horizon)
    fleet, spill = None, np.zeros(horizon)
    if option.plan is not None:
        fleet = fleet_months(shared, option, live)
        spill = fleet.spill
        lines += fleet_lines(shared, option, fleet, live)
    own = service(shared, option) if option.api is not None else None
    if own is not None:
        lines += api_lines(shared, own, live)
        lines += migration_line(shared, own, None, tuned_again(option))
        own_error = own.error_rate
    lines += run_lines(shared, option) + retraining_line(shared, option)

    served_error = own_error
    incumbent_bill, incumbent_use = np.zeros(horizon), kept
    if option.kind == "cache-batch":
        incumbent_bill = _bill(lines)
    if np.any(np.asarray(option.escalated) > 0):
        fallback = service(shared, options[option.escalates_to], shared.escalated_hit_rate)
        share = option.escalated * live * (1.0 - kept)
        lines.append(whole_request_line("escalated to " + options[option.escalates_to].label, volume * share, fallback,
                                        (f"options.{option.id}.escalated_share", f"systems.{option.system}.escalated_share")))
        served_error = (1.0 - option.escalated) * own_error + option.escalated * fallback.error_rate
        if option.escalates_to == "stay":
            incumbent_bill = incumbent_bill + lines[-1].monthly
            incumbent_use = incumbent_use + share
    if option.spills_to is not None:
        overflow = service(shared, options[option.spills_to])
        share = spill * live * (1.0 - kept)
        lines.append(whole_request_line("spilled to " + options[option.spills_to].label, volume * share, overflow,
                                        (f"options.{option.id}.plans.0.capacity_requests_per_s", "workload.peak_to_mean")))
        served_error = (1.0 - spill) * served_error + spill * overflow.error_rate
        if option.spills_to in {"stay", "cache-batch"}:
            incumbent_bill = incumbent_bill + lines[-1].monthly
            incumbent_use = incumbent_use + share
        else:
            lines += migration_line(shared, overflow, needed_after(share))
    if np.any(kept > 0):
        line = whole_request_line("incumbent, until live and in parallel", volume * kept, stay,
                                  (f"changes.{option.group}.months_to_live", f"changes.{option.group}.months_in_parallel"))
        lines.append(line)
        incumbent_bill = incumbent_bill + line.monthly
    if option.kind != "cache-batch":
        used = needed_after(kept, falling=True) if incumbent_use is kept else needed_after(np.asarray(incumbent_use))
        lines += migration_line(shared, stay, used)
    lines += commitment_line(shared, incumbent_bill)
    rate = kept * stay.error_rate + (1.0 - kept) * served_error
    lines.append(error_line(shared, np.asarray(rate), (f"systems.{option.system}.error_rate",)))
    return Costs(tuple(lines), fleet)


def _stay_lines(shared: Shared, stay: Service) -> tuple[Line, ...]:
    everything = np.ones(shared.horizon)
    lines = api_lines(shared, stay, everything)
    bill = _bill(lines)
    lines += migration_line(shared, stay, None)
    lines += commitment_line(shared, bill)
    lines.append(error_line(shared, stay.error_rate, (f"systems.{stay.option.system}.error_rate",)))
    return tuple(lines)


def _bill(lines: list[Line]) -> Array:
    """USD a month of the lines that the API bills."""
    total: Array = np.zeros(1)
    for line in lines:
        if line.name.startswith("API "):
            total = total + line.monthly
    return total
