"""Plans that may hold the SLO by the closed form, and the few of them that are worth a replay."""

from typing import NamedTuple

import numpy as np

from roi.catalog.cards.gpus import find_gpu
from roi.catalog.prices.gpu_offers import Offer
from roi.economics.inputs import Array, Option, Shared, path_of
from roi.resolution.fact_sheet import FactSheet
from roi.units import HOURS_PER_MONTH, SECONDS_PER_DAY

LARGER = (3.0, 10.0, 30.0)
"""Multiples of today's volume at which the cheapest plan is kept too."""
MOST_PLANS = 9
"""Plans of one option that go into the Case, the cheapest at today's volume first."""
WRITE_OFF_HOURS = 48 * HOURS_PER_MONTH
"""Hours over which a bought card's price is spread to rank plans; the comparison itself writes nothing off."""


class FoundPlan(NamedTuple):
    """An offer that a replica fits on."""

    offer: Offer
    gpus: int
    """Tensor-parallel degree."""
    dtype: str
    capacity: float
    """Requests/s of the closed form, which ranks plans; those that are kept are replayed."""
    stated: int | None = None
    """Number of the row of `serving.capacities` that states its capacity, which is then not replayed."""


def cheapest_plans(sheet: FactSheet, found: list[FoundPlan]) -> list[FoundPlan]:
    """At most MOST_PLANS plans, none of which another beats in rent, power of cards that are owned, and capacity alike.

    The two with the lowest rent at today's peak, of each card that is owned the one that draws least then (what it would sell
    for is no bill), the lowest of each larger volume (a break-even lies there, and a plan that is missing there would move it),
    per request at scale the best of four cards and terms, the smallest instance, and more of the first.
    """
    a_day, peak = (sheet.facts[path_of(Shared, name)].number() for name in ("requests_per_day", "peak_to_mean"))
    workloads = sheet.facts.get(path_of(Option, "workloads"))
    a_day *= 1.0 if workloads is None else workloads.number()
    size = np.array([p.offer.gpus_per_instance for p in found], dtype=np.float64)
    hourly = np.array([p.offer.usd_per_gpu_hour + p.offer.usd_per_gpu / WRITE_OFF_HOURS for p in found]) * size
    owned = [p.offer.watts or find_gpu(p.offer.gpu).power_w if p.offer.owned is not None else 0.0 for p in found]
    power, capacity = np.array(owned) * size, np.array([p.capacity for p in found])
    held = capacity * (size // np.array([p.gpus for p in found]))
    bound = np.array([p.offer.minimum_months for p in found])
    no_worse = ((hourly[:, None] <= hourly) & (held[:, None] >= held) & (capacity[:, None] >= capacity)
                & (bound[:, None] <= bound) & (power[:, None] <= power))
    better = no_worse & ((hourly[:, None] < hourly) | (held[:, None] > held) | (power[:, None] < power))
    unbeaten = np.flatnonzero(~better.any(axis=0))

    def by_rent(times: float, hourly: Array = hourly) -> list[int]:
        rent = hourly * np.ceil(times * a_day / SECONDS_PER_DAY * peak / held + 1.0)
        return [int(k) for k in unbeaten[np.lexsort((hourly[unbeaten], rent[unbeaten]))]]

    today = by_rent(1.0)
    drawing = {found[k].offer.gpu: k for k in reversed(by_rent(1.0, power)) if power[k] > 0}
    by_scale = unbeaten[np.argsort((hourly / held)[unbeaten], kind="stable")]
    smallest = unbeaten[np.argmin(hourly[unbeaten])]
    kinds = {(found[k].offer.gpu, found[k].offer.minimum_months > 0): int(k) for k in reversed(by_scale)}  # the best of each
    scale = [k for k in map(int, by_scale) if k in kinds.values()]
    first = [*today[:2], *drawing.values(), *(by_rent(times)[0] for times in LARGER), *scale[:4], smallest, *today[2:]]
    return [found[k] for k in dict.fromkeys(int(k) for k in first)][:MOST_PLANS]
