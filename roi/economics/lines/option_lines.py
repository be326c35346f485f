"""The cost lines of one option: what is paid to whom, in the order in which the report tells it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from roi.economics.inputs import Array, Number, Option, Shared
from roi.economics.lines.api import api_lines, whole_request_line
from roi.economics.lines.api_service import Service, service
from roi.economics.lines.calendar import incumbent_share, live_share
from roi.economics.lines.line import Line
from roi.economics.lines.people import retraining_line, run_lines, setup_lines
from roi.economics.lines.self_hosting import FleetMonths, fleet_lines, fleet_months, hosting_line
from roi.economics.lines.vendor_events import commitment_line, error_line, migration_line, tuned_again


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
    live, kept, alone = _shares(shared, option)
    fleet = fleet_months(shared, option, live) if option.plan is not None else None
    own, wrong = _own_lines(shared, option, fleet, live)
    seen = alone if fleet is None else alone * (1.0 - fleet.spill)  # what is spilled never reaches the option
    handed = [*_escalated(shared, option, options, seen), *_spilled(shared, option, options, fleet, alone)]
    lines = [*setup_lines(shared, option), *own, *run_lines(shared, option), *retraining_line(shared, option)]
    for h in handed:
        lines.append(h.line)
        wrong = np.asarray((1.0 - h.fraction) * wrong + h.fraction * h.to.error_rate)
        if not h.to_incumbent:
            lines += migration_line(shared, h.to.option, since=_first_use(option))
    lines += _incumbent_lines(shared, option, stay, kept, handed, _bill(own) if _same_provider(option, stay.option) else None)
    rate = np.asarray(kept * stay.error_rate + (1.0 - kept) * wrong)
    lines.append(error_line(shared, rate, (f"systems.{option.system}.error_rate",)))
    return Costs(tuple(lines), fleet)


def _shares(shared: Shared, option: Option) -> tuple[Array, Array, Array]:
    """Share of each month in which the option runs, in which the incumbent is paid, and in which the option serves alone.

    Options of a group go live in the same months, so each is worked out once.
    """
    to_live, parallel = option.months_to_live, option.months_in_parallel
    key = tuple(x if isinstance(x, float) else id(x) for x in (to_live, parallel))
    shared.memo[("months", *key)] = (to_live, parallel)  # kept, so that no other array can take their identity
    live = shared.once(("live", *key), lambda: live_share(to_live, shared.horizon))
    kept = shared.once(("kept", *key), lambda: incumbent_share(to_live, parallel, shared.horizon))
    return live, kept, shared.once(("alone", *key), lambda: live * (1.0 - kept))


@dataclass(frozen=True)
class _Handed:
    """Requests that the option passes on to another API."""

    line: Line
    fraction: Number
    """Share of what the option serves."""
    to: Service
    to_provider: bool
    """To the incumbent's provider, whose commitment it helps to use up."""
    to_incumbent: bool
    """To the incumbent's model."""


def _own_lines(shared: Shared, option: Option, fleet: FleetMonths | None, live: Array) -> tuple[list[Line], Array]:
    """What serving costs, by fleet or by the token, and the error rate of what the option answers itself."""
    lines = fleet_lines(shared, option, fleet, live) if fleet is not None else []
    if option.api is None:
        lines += migration_line(shared, option, tuned_again(option), _first_use(option))  # a vendor's deployment ends too
        return lines, np.asarray(option.error_rate + np.zeros(shared.horizon))
    own = service(shared, option)
    lines += api_lines(shared, own, live)
    if fleet is None and np.any(np.asarray(option.hosting_usd) > 0):
        lines.append(hosting_line(option, live))
    return lines + migration_line(shared, option, tuned_again(option), _first_use(option)), own.error_rate


def _same_provider(option: Option, stay: Option) -> bool:
    """True where the option's API bills count towards a commitment with the incumbent's provider."""
    return option.vendor is not None and option.vendor.partition("/")[0] == (stay.vendor or "").partition("/")[0]


def _first_use(option: Option) -> Number:
    """Months until the option's own model is needed; caching and batch keep the model that is in use already."""
    return 0.0 if option.kind == "cache-batch" else option.months_to_live


def _escalated(shared: Shared, option: Option, options: Mapping[str, Option], alone: Array) -> list[_Handed]:
    """Requests that the option answered and hands on all the same: both models are paid."""
    if not np.any(np.asarray(option.escalated) > 0):
        return []
    target = options[option.escalates_to]
    to, share = service(shared, target, shared.escalated_hit_rate), np.asarray(option.escalated * alone)
    facts = (f"options.{option.id}.escalated_share", f"systems.{option.system}.escalated_share")
    line = whole_request_line(shared, f"escalated to {target.label}", share, to, facts)
    return [_Handed(line, option.escalated, to, _same_provider(target, options["stay"]), target.kind == "stay")]


def _spilled(
    shared: Shared, option: Option, options: Mapping[str, Option], fleet: FleetMonths | None, alone: Array
) -> list[_Handed]:
    """Requests above a hybrid's floor."""
    if option.spills_to is None or fleet is None:
        return []
    target = options[option.spills_to]
    to, share = service(shared, target), np.asarray(fleet.spill * alone)
    facts = (f"{option.plan.path if option.plan else ''}capacity_requests_per_s", "workload.peak_to_mean")
    line = whole_request_line(shared, f"spilled to {target.label}", share, to, facts)
    return [_Handed(line, fleet.spill, to, _same_provider(target, options["stay"]), target.kind in {"stay", "cache-batch"})]


def _incumbent_lines(
    shared: Shared, option: Option, stay: Service, kept: Array, handed: list[_Handed], own_bill: Array | None
) -> list[Line]:
    """The incumbent's bill while it is needed, its migrations, and what a commitment with it costs beyond that."""
    lines, bill = [], np.zeros(shared.horizon) if own_bill is None else own_bill
    if np.any(kept > 0):
        change = f"changes.{option.group}."
        lines.append(
            whole_request_line(
                shared,
                "incumbent, until live and in parallel",
                kept,
                stay,
                (change + "months_to_live", change + "months_in_parallel"),
            )
        )
        bill = bill + lines[-1].monthly
    for h in handed:
        if h.to_provider:
            bill = bill + h.line.monthly
    if option.kind != "cache-batch":
        left = option.months_to_live + option.months_in_parallel
        lines += migration_line(shared, stay.option, until=np.inf if any(h.to_incumbent for h in handed) else left)
    return lines + commitment_line(shared, np.asarray(bill))


def _stay_lines(shared: Shared, stay: Service) -> tuple[Line, ...]:
    everything = np.ones(shared.horizon)
    lines = api_lines(shared, stay, everything)
    bill = _bill(lines)
    lines += migration_line(shared, stay.option)
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
