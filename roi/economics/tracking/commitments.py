"""What commitments ask beyond the calls of a month, told apart from what the calls themselves cost (docs/economics.md, 4.8)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from roi.economics.inputs import Array, Option, Shared
from roi.economics.tracking.came import Came
from roi.economics.tracking.month_figures import COMMITMENTS, PRICE, STAY_PRICE, committed, dearer
from roi.economics.tracking.seen_facts import MOVED, in_rows, seen_in_rows

Costs = Sequence[tuple[float | None, float | None]]
"""What an export says that the own model's calls, and all calls, of each month cost."""


def with_owed(
    shared: Shared, options: Mapping[str, Option], id: str, came: Sequence[Came], costs: Costs, bills: Sequence[bool]
) -> tuple[Came, ...]:
    """The months with `api_usd` as what was paid, USD, and what of it commitments ask beyond the calls.

    Where no bill (`bills`, one a month) says what was paid, that comes on top. Of a bill it is what an export's costs leave,
    and at most what they, or without them the forecast's prices, are short of the commitments: what is billed beyond both is a
    price of the calls, which are then short of less. Where all of a bill may be owed, its price cannot be told.
    """
    if not committed(shared, options):
        return tuple(came)
    found, (short, own, other) = [], (x.tolist() for x in _short(shared, options, id, came, costs))
    dearer_costs = list(costs)
    for k, (each, bill) in enumerate(zip(came, bills, strict=True)):
        if bill and each.api_usd is not None and each.api_usd > (own[k] + other[k] + short[k]) * (1.0 + MOVED):
            dearer_costs[k] = (each.api_usd - other[k] if own[k] > 0 else 0.0, each.api_usd)
    least = short if dearer_costs == list(costs) else _short(shared, options, id, came, dearer_costs)[0].tolist()
    for k, (each, usd, (_, calls), bill) in enumerate(zip(came, short, costs, bills, strict=True)):
        paid, unused = each.api_usd, usd
        if paid is not None and not bill:
            paid += usd
        elif paid is not None and dearer_costs[k] != costs[k]:
            unused = least[k]
        elif paid is not None:
            unused = max(paid - calls, 0.0) if calls is not None else usd if usd < paid else None
        found.append(replace(each, api_usd=paid, unused_usd=unused))
    return tuple(found)


def _short(
    shared: Shared, options: Mapping[str, Option], id: str, came: Sequence[Came], costs: Costs
) -> tuple[Array, Array, Array]:
    """USD that commitments ask in each month beyond what its calls cost, in its days; what own calls cost, and the others.

    What calls cost is as told, else at the forecast's prices; shape (k,) each.
    """
    seen = seen_in_rows(shared, options, id, came)
    seen = {name: x for name, x in seen.items() if name not in {STAY_PRICE, PRICE, COMMITMENTS}}
    own = {k for k, o in options.items() if k == id or (o.vendor is not None and o.vendor == options[id].vendor)}
    alone = {k: o if k in own else dearer(o, 0.0) for k, o in options.items()}
    all_usd, own_usd = (in_rows(shared, some, id, came, seen)[0].calls_usd for some in (options, alone))
    prices, cost = [], []
    for told, usd in (([a for a, _ in costs], own_usd), ([_less(b, a) for a, b in costs], all_usd - own_usd)):
        x, known = np.array([each or 0.0 for each in told]), np.array([each is not None for each in told]) & (usd > 0)
        prices.append(np.where(known, x / np.where(usd > 0, usd, 1.0), 1.0)[:, None])
        cost.append(np.where(known, x, usd))
    found = in_rows(shared, {k: dearer(o, prices[k not in own]) for k, o in options.items()}, id, came, seen)[0]
    return np.asanyarray(found.api_usd - found.calls_usd), cost[0], cost[1]


def _less(whole: float | None, part: float | None) -> float | None:
    return None if whole is None or part is None else max(whole - part, 0.0)
