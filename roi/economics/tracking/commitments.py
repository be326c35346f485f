"""What commitments ask beyond the calls of a month, told apart from what the calls themselves cost (docs/economics.md, 4.8)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from roi.economics.inputs import Array, Option, Shared
from roi.economics.tracking.month_figures import COMMITMENTS, PRICE, STAY_PRICE, committed, dearer
from roi.economics.tracking.seen_facts import Came, in_rows, seen_in_rows

Costs = Sequence[tuple[float | None, float | None]]
"""What an export says that the own model's calls, and all calls, of each month cost."""


def with_owed(
    shared: Shared, options: Mapping[str, Option], id: str, came: Sequence[Came], costs: Costs, bills: Sequence[bool]
) -> tuple[Came, ...]:
    """The months with `api_usd` as what was paid, USD, and what of it commitments ask beyond the calls.

    Where no bill (`bills`, one a month) says what was paid, that comes on top. Of a bill it is what an export's costs leave;
    without them, what is unused at the forecast's prices, and where that is all of the bill, its price cannot be told.
    """
    if not committed(shared, options):
        return tuple(came)
    found = []
    for each, usd, (_, calls), bill in zip(came, _short(shared, options, id, came, costs).tolist(), costs, bills, strict=True):
        paid, unused = each.api_usd, usd
        if paid is not None and not bill:
            paid += usd
        elif paid is not None:
            unused = max(paid - calls, 0.0) if calls is not None else usd if usd < paid else None
        found.append(replace(each, api_usd=paid, unused_usd=unused))
    return tuple(found)


def _short(shared: Shared, options: Mapping[str, Option], id: str, came: Sequence[Came], costs: Costs) -> Array:
    """USD that commitments ask in each month beyond what its calls cost, shape (k,), in its days.

    The own model's calls, and the others', at what they cost where that is told; else at the forecast's prices.
    """
    seen = seen_in_rows(shared, options, id, came)
    seen = {name: x for name, x in seen.items() if name not in {STAY_PRICE, PRICE, COMMITMENTS}}
    own = {k for k, o in options.items() if k == id or (o.vendor is not None and o.vendor == options[id].vendor)}
    alone = {k: o if k in own else dearer(o, 0.0) for k, o in options.items()}
    all_usd, own_usd = (in_rows(shared, some, id, came, seen)[0].calls_usd for some in (options, alone))
    prices = []
    for told, usd in (([a for a, _ in costs], own_usd), ([_less(b, a) for a, b in costs], all_usd - own_usd)):
        x, known = np.array([each or 0.0 for each in told]), np.array([each is not None for each in told]) & (usd > 0)
        prices.append(np.where(known, x / np.where(usd > 0, usd, 1.0), 1.0)[:, None])
    found = in_rows(shared, {k: dearer(o, prices[k not in own]) for k, o in options.items()}, id, came, seen)[0]
    return np.asanyarray(found.api_usd - found.calls_usd)


def _less(whole: float | None, part: float | None) -> float | None:
    return None if whole is None or part is None else max(whole - part, 0.0)
