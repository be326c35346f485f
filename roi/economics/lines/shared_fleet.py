"""What an option pays of a fleet that other workloads share: their load is on it too, and each bears its part of the costs."""

from dataclasses import replace

import numpy as np

from roi.economics.inputs import Array, Number, Option, Shared
from roi.economics.lines.api_request import long_share
from roi.economics.lines.line import Arithmetic, Line, Words, is_zero, mean_load, pick


def alone_on_fleet(option: Option) -> bool:
    """True where no other workload shares the option's fleet; never of a workbook's cell, which may change."""
    return isinstance(option.workloads, float) and option.workloads == 1.0


def fleet_load(shared: Shared, option: Option) -> Array:
    """Mean requests/s on the option's fleet in each month: those of every workload that shares it, each as many as this one.

    Without those that are too long for it.
    """
    own = mean_load(shared)
    if option.too_long is not None:
        taken, every = 1.0 - long_share(shared, option), own
        own = shared.once_for("load that fits", (taken,), lambda: np.asanyarray(every * taken))
    if alone_on_fleet(option):
        return own
    return shared.once_for("load of all", (option.workloads, own), lambda: np.asanyarray(own * option.workloads))


def of_the_fleet(share: Number) -> str:
    """How arithmetic says that `share` of the fleet's cost is paid; nothing where all of it is."""
    return "" if pick(share) == 1.0 else f" x {pick(share):.4g} of the fleet"


def part_of_fleet(line: Line, option: Option) -> Line:
    """What the option pays of a line of its whole fleet."""
    if alone_on_fleet(option):
        return line
    share = 1.0 / option.workloads
    also = tuple(each._replace(rate=each.rate * share) for each in line.also)

    def told() -> Arithmetic | str:
        text, part = line.told, of_the_fleet(share)
        return f"{text}{part}" if isinstance(text, str) else lambda month: f"{text(month)}{part}"

    return replace(line, rate=line.rate * share, upfront=line.upfront * share, also=also, arithmetic=Words(told))


def hours_paid(option: Option, hours: Number, shared_part: Number) -> Number:
    """Engineer hours that the option pays, of which `shared_part` is the fleet's and the rest its own."""
    return hours if _its_own(option, shared_part) else hours * (1.0 - shared_part * (1.0 - 1.0 / option.workloads))


def hours_told(option: Option, hours: float, shared_part: Number) -> str:
    """How arithmetic says those hours."""
    if _its_own(option, shared_part) or not hours:
        return f"{hours:,.6g} h"
    common = hours * pick(shared_part)
    return f"({hours - common:,.6g} h of its own + {common:,.6g} h{of_the_fleet(1.0 / option.workloads)})"


def _its_own(option: Option, shared_part: Number) -> bool:
    return alone_on_fleet(option) or is_zero(shared_part)
