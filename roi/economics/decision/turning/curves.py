"""What options cost along volumes, each on the plan and the floor that are cheapest there, and the steps of its fleet.

Cost never falls where volume rises, and between the steps of a fleet it is a straight line but for a few bends.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from roi.economics.decision.evaluation import Evaluated, alone_from, evaluate, rows_of_plans, stacked
from roi.economics.finance import discount_factors
from roi.economics.inputs import Array, Option, Shared
from roi.economics.lines.line import mean_load, requests
from roi.economics.lines.self_hosting import within_day
from roi.economics.lines.unit_lines import part_of_today, unit_holds
from roi.estimate.replay.fleet import demand_to_hold, fleet_capacity, replicas_to_hold
from roi.facts.case import OWN_SERVERS

LEAST, MOST, POINTS = 1.0, 1e9, 145
"""The curve in requests a day: 16 points a decade to begin with."""
FIRST = 4
"""One of so many points of the curve is tried on every plan; those between, on the plans that may be the cheapest there."""
SIDE = 1e-6
"""Share of a volume by which "just above" lies above it, and to which a change of sign is found where it is a jump."""
INSIDE = 24
"""Steps of a stretch that are listed; where there are more, none are."""
CHUNK = 1024
"""Volumes evaluated at once: fewer pay more for calls than for arithmetic."""
TIE = 1e-10
"""Share of a cost that is rounding."""
UNSERVED = 1e30
"""USD that stand for a volume which the cards that are owned do not hold."""
FEW = np.arange(1.0, 5.0)
"""Instances of the floors that are tried wherever a small one is best: up to four replicas cost is not convex in the size."""


def ascending(x: Array) -> Array:
    """The numbers of a row in order, equal ones once; np.unique loads masked arrays, which take longer than this."""
    ranked = np.sort(x, axis=None)
    return np.asarray(ranked[np.concatenate([[True], ranked[1:] > ranked[:-1]])])


class Curves:
    """Costs of options along volumes, worked out where somebody asks, and kept."""

    def __init__(self, shared: Shared, options: Mapping[str, Option]) -> None:
        self.shared, self.options = shared, options
        self.volume = float(np.max(shared.requests_per_day))
        horizon = shared.horizon
        first = {id: 0 if o.kind == "stay" else alone_from(o, horizon) for id, o in options.items()}
        starts = sorted(set(first.values()))
        self.start = {id: starts.index(month) for id, month in first.items()}
        means = [(np.arange(horizon) >= month) / (horizon - month) for month in starts]
        self.weights = np.stack([discount_factors(shared.discount_rate, horizon), *means], axis=1)
        mean = ascending(mean_load(replace(shared, requests_per_day=1.0)))
        self.peak = np.asarray(mean * shared.peak_to_mean)
        """The peak of a request a day, requests/s, in each month that differs."""
        self.demand = np.asarray(demand_to_hold(self.peak, mean, within_day(shared)))
        """What a fleet must hold of it."""
        self.ranked = int(shared.counts == "cash")
        """The measure by which plans and floors are chosen, as `choose_plan` does: a present value."""
        self._known: dict[str, _Curve] = {}
        self._few: dict[tuple[str | float, ...], Array] = {}

    @cached_property
    def unstated(self) -> frozenset[str]:
        """The options whose cost at another volume nobody stated: they pay for the servers on which today's model runs already.

        Empty where a cost of staying has its USD a request, be it 0.
        """
        stay = self.options["stay"]
        own = [cost for cost in stay.costs if cost.option != "all"]
        served = (stay.vendor or "").startswith(f"{OWN_SERVERS}/")
        if not served or not own or any(cost.usd_per_request is not None for cost in own):
            return frozenset()
        hands_on = {id for id, o in self.options.items() if o.kind == "cascade" and o.escalates_to == "stay"}
        return frozenset(id for id, o in self.options.items() if o.same_model or id in hands_on)

    def differ(self, id: str, rival: str) -> bool:
        """True where one of two options costs at another volume what nobody stated, and the other does not."""
        return (id in self.unstated) != (rival in self.unstated)

    @cached_property
    def without_errors(self) -> "Curves":
        """The curves where wrong answers cost nothing, also where the size of a floor is chosen."""
        return Curves(replace(self.shared, usd_per_error=0.0), self.options)

    def measures(self, done: Evaluated) -> Array:
        """Costs of an option, shape (measures, n).

        Present value, then the mean month from each of the starts; each with the cost of wrong answers, and then without.
        """
        wrong = sum((line.monthly for line in done.costs.lines if line.is_error), np.zeros(self.shared.horizon))
        both = np.atleast_2d(done.total.monthly) @ self.weights
        cash = both - wrong @ self.weights
        upfront = np.asarray(done.total.upfront).reshape(-1)
        both[:, 0], cash[:, 0] = both[:, 0] + upfront, cash[:, 0] + upfront
        return np.stack([both.T, cash.T], axis=1).reshape(2 * self.weights.shape[1], -1)

    def of(self, id: str) -> "_Curve":
        """The curve of one option."""
        curve = self._begun(id)
        curve.lay_out()
        return curve

    def few(self, id: str, volumes: Array) -> Array:
        """Costs of one option at a few volumes, shape (measures, n), as its curve has them, without the curve between."""
        asked = id, *volumes.tolist()
        if asked not in self._few:
            self._few[asked] = self._begun(id).at_each(volumes)
        return self._few[asked]

    def _begun(self, id: str) -> "_Curve":
        if id not in self._known:
            self._known[id] = _Curve(self, self.options[id])
        return self._known[id]


class _Curve:
    """What one option costs at volumes; at each it runs on the plan, and the floor, with the lowest present value there.

    Costs have shape (measures, n), see `Curves.measures`. An option whose costs are a straight line is its two ends.
    """

    def __init__(self, curves: Curves, option: Option) -> None:
        self.curves, self.option = curves, option
        self.plans = stacked(option.plans) if option.plans else None
        self.count = max(len(option.plans), 1)
        self.halved: dict[int, tuple[Array, Array]] = {}
        """Volumes and the best floors there, in instances, by plan, where they had to be searched."""
        self.capacity = self.pooling = np.empty((0, 1))
        self.demand = curves.demand
        stay = curves.options["stay"]
        units = stay.provisioned if option.provisioned is None else option.provisioned
        if units is not None and units.follow_requests:
            asked = requests(replace(curves.shared, requests_per_day=1.0))
            self.demand = ascending(asked / asked[..., :1])
            self.capacity, self.pooling = np.full((1, 1), curves.volume / float(units.units)), np.ones((1, 1))
        elif units is not None and not units.seats:
            holds = unit_holds(curves.shared, units) / part_of_today(curves.shared, option, stay)
            self.capacity, self.pooling = np.full((1, 1), holds), np.ones((1, 1))
            self.demand = curves.peak
        if self.plans is not None:
            full = self.plans.capacity * (1.0 - option.headroom)
            self.capacity, self.pooling = (np.broadcast_to(x, (self.count, 1)) for x in (full, self.plans.pooling))
            self.demand = curves.demand * float(option.workloads)
            whole = np.floor(self.plans.gpus_per_instance / self.plans.gpus_per_replica)
            self.each = np.maximum(np.broadcast_to(whole, (self.count, 1)), 1.0)[:, 0]
            """Replicas of an instance."""
            owned = np.floor(self.plans.gpus_owned / self.plans.gpus_per_instance)
            self.owned = np.maximum(np.broadcast_to(owned, (self.count, 1))[:, 0] * self.each, 1.0)
            """Replicas that the owned cards hold, for a floor."""
            self.most = curves.peak.max() * float(option.workloads) / (self.capacity * self.pooling)[:, 0]
            """Replicas for each request a day that hold the peak of the busiest month, by plan."""
        self.ratios = self._best_ratios() if option.kind == "hybrid" and self.plans is not None else None
        self.straight = self.plans is None and self._is_straight()
        self.volumes = self.costs = self.by_plan = np.empty(0)

    def lay_out(self) -> None:
        """Works out the costs along all volumes, once."""
        if self.straight or self.volumes.size:
            return
        grid = np.geomspace(LEAST, MOST, POINTS)
        self.volumes = grid[::FIRST]
        self.costs, self.by_plan = self._on_every_plan(self.volumes)
        self.at(grid)
        steps = np.diff(self.costs, axis=1) / np.diff(self.volumes)
        self.slope = np.maximum(steps.min(axis=1, keepdims=True), 0.0)

    def _is_straight(self) -> bool:
        """True where a few costs lie on the line through the two ends, which is kept."""
        probes = np.geomspace(LEAST, MOST, 7)
        costs, _ = self._on_every_plan(probes)
        self.slope = (costs[:, -1:] - costs[:, :1]) / (MOST - LEAST)
        self.base = costs[:, :1] - self.slope * LEAST
        return np.allclose(costs, self.base + self.slope * probes, rtol=1e-11, atol=0.0)

    def at_each(self, volumes: Array) -> Array:
        """Costs at `volumes`, each tried on every plan."""
        return self.at(volumes) if self.straight else self._on_every_plan(volumes)[0]

    def at(self, volumes: Array) -> Array:
        """Costs at `volumes` (ascending, between LEAST and MOST), shape (measures, n)."""
        if self.straight:
            return np.asarray(self.base + self.slope * volumes)
        new = volumes[self.volumes[np.minimum(np.searchsorted(self.volumes, volumes), self.volumes.size - 1)] != volumes]
        if new.size:
            costs, by_plan = self._cheapest(new, self.in_play(new, new))
            self.volumes = np.concatenate([self.volumes, new])
            order = np.argsort(self.volumes, kind="stable")
            self.volumes = self.volumes[order]
            self.costs = np.concatenate([self.costs, costs], axis=1).take(order, axis=1)
            self.by_plan = np.concatenate([self.by_plan, by_plan], axis=1).take(order, axis=1)
        return self.costs.take(np.searchsorted(self.volumes, volumes), axis=1)

    def plans_at(self, volumes: Array) -> NDArray[np.intp]:
        """The plan that is the cheapest at each of `volumes`, as `at` has them; 0 where there is none to choose."""
        self.at(volumes)
        return np.zeros(volumes.size, dtype=np.intp) if self.straight else np.asarray(
            self.by_plan[:, np.searchsorted(self.volumes, volumes)].argmin(axis=0))

    def in_play(self, low: Array, high: Array) -> NDArray[np.bool_]:
        """Plans that may be the cheapest between volumes, shape (plans, n).

        Those that cost no more at the known volume below than the cheapest one does at the known volume above.
        """
        last = self.volumes.size - 1
        below = np.clip(np.searchsorted(self.volumes, low, side="right") - 1, 0, last)
        above = np.clip(np.searchsorted(self.volumes, high), 0, last)
        ranked = self.costs[self.curves.ranked]
        limit = np.maximum(ranked[below], ranked[above])
        return np.asarray(self.by_plan[:, below] <= limit + TIE * np.abs(limit))

    def steps(self, low: Array, high: Array) -> tuple[Array, NDArray[np.intp]]:
        """Volumes that fill a whole number of replicas in some month on a plan in play there, and the stretch each lies in.

        Where a stretch has more than INSIDE, none are listed. A straight line and a hybrid's floor have none; those of a fleet
        that follows the hours are not listed.
        """
        if self.straight or self.ratios is not None or self.option.autoscale or not self.capacity.size:
            return np.empty(0), np.empty(0, dtype=np.intp)
        demand, capacity, pooling = self.demand, self.capacity[:, None], self.pooling[:, None]  # (months,), (plans, 1, 1)
        first, last = (np.floor(replicas_to_hold(v[:, None] * demand, capacity, pooling)) for v in (low, high))
        counts = np.where(self.in_play(low, high)[..., None], last - first, 0.0).astype(int)  # (plans, stretches, months)
        counts[:, counts.sum(axis=(0, 2)) > INSIDE] = 0
        where = np.nonzero(counts)
        plan, stretch, month = (np.repeat(x, counts[where]) for x in where)
        nth = np.concatenate([np.arange(1.0, n + 1.0) for n in counts[where]] or [np.empty(0)])
        replicas = first[plan, stretch, month] + nth
        full = np.asarray(fleet_capacity(replicas, self.capacity[plan, 0], self.pooling[plan, 0])) / demand[month]
        within = (full > low[stretch]) & (full * (1.0 + SIDE) < high[stretch])
        return full[within], stretch[within]

    def _on_every_plan(self, volumes: Array) -> tuple[Array, Array]:
        return self._cheapest(volumes, np.ones((self.count, volumes.size), dtype=bool))

    def _cheapest(self, volumes: Array, tried: NDArray[np.bool_]) -> tuple[Array, Array]:
        """Costs on the cheapest of the plans that are `tried`, and the present value on each of them (infinite where not)."""
        plan, at = np.nonzero(tried)
        costs = self._on_plans(volumes[at], plan)
        by_plan, row = np.full(tried.shape, np.inf), np.zeros(tried.shape, dtype=int)
        by_plan[plan, at], row[plan, at] = costs[self.curves.ranked], np.arange(plan.size)
        return costs[:, row[by_plan.argmin(axis=0), np.arange(volumes.size)]], by_plan

    def _on_plans(self, volumes: Array, plan: NDArray[np.intp]) -> Array:
        """Costs at each volume on the plan beside it; a hybrid's on the best floor of that plan."""
        if self.ratios is None:
            return self._costs(volumes, plan, None)
        each = self.each[plan]
        small = [*(each * few for few in FEW), np.ones_like(each)]
        floors = np.stack([*self._beside_the_best(volumes, plan, each), *small], axis=1)
        floors = np.minimum(floors, self.owned[plan][:, None])
        tried = (np.arange(floors.shape[1]) < 2) | (floors[:, :1] < 2.0 * FEW[-1] * each[:, None])
        floors = np.sort(np.where(tried, floors, np.inf), axis=1)
        again = np.concatenate([np.zeros((floors.shape[0], 1), dtype=bool), floors[:, 1:] == floors[:, :-1]], axis=1)
        row, nth = np.nonzero(~again & np.isfinite(floors))
        costs = self._costs(volumes[row], plan[row], floors[row, nth])
        table, place = np.full(floors.shape, np.inf), np.zeros(floors.shape, dtype=int)
        table[row, nth], place[row, nth] = costs[self.curves.ranked], np.arange(row.size)
        return costs[:, place[np.arange(volumes.size), table.argmin(axis=1)]]

    def _beside_the_best(self, volumes: Array, plan: NDArray[np.intp], each: Array) -> tuple[Array, Array]:
        """Two floors, in replicas of whole instances, one of which has the lowest present value.

        Where a floor is large its cost a request follows from the ratio of replicas to requests alone and is convex in it, so
        that the best whole number lies beside the best ratio. A commitment spoils the ratio, and so do cards that are owned,
        of which there are few and those cost less than the next; not that cost is convex in the floor: there it is halved.
        """
        assert self.ratios is not None
        exact = self.ratios[plan] * volumes / each
        low, high = (np.maximum(side(exact), 1.0) for side in (np.floor, np.ceil))
        units = self.curves.options["stay"].provisioned  # which hold what is handed on while they are owed
        owed = self.curves.shared.commitment_usd, 0.0 if units is None else units.committed_months
        if any(np.any(np.asarray(x) > 0) for x in owed) or np.any(np.isfinite(self.owned)):
            most = np.minimum(np.ceil(self.most[plan] * volumes / each), self.owned[plan] / each)
            low = np.maximum(np.ceil(self.option.replicas_least / each), 1.0)  # below them all floors cost the same
            high = np.maximum(most, low)
            for k in range(self.count):  # more volume wants no smaller a floor: between those at the volumes around
                known, sizes = self.halved.get(k, (np.empty(0), np.empty(0)))
                at = np.searchsorted(known, volumes[plan == k])
                low[plan == k] = np.maximum(low[plan == k], np.concatenate([[1.0], sizes])[at])
                high[plan == k] = np.fmin(np.concatenate([sizes, [np.inf]])[at], high[plan == k])
            high = np.maximum(low, high)
            while np.any(wide := high > low):
                middle = np.floor((low + high) / 2.0)[wide]
                v, of, n = (np.concatenate([x, x]) for x in (volumes[wide], plan[wide], middle * each[wide]))
                n[middle.size :] += each[wide]
                here, more = self._costs(v, of, n)[self.curves.ranked].reshape(2, -1)
                low[wide] = np.where(more < here, middle + 1.0, low[wide])
                high[wide] = np.where(more < here, high[wide], middle)
            for k in range(self.count):
                known, sizes = self.halved.get(k, (np.empty(0), np.empty(0)))
                all_known = np.concatenate([known, volumes[plan == k]])
                order = np.argsort(all_known, kind="stable")
                self.halved[k] = all_known[order], np.concatenate([sizes, low[plan == k]])[order]
        return low * each, high * each

    def _best_ratios(self) -> Array:
        """Replicas for each request a day in the floor with the lowest present value, for each plan; 0 where none pays."""
        far = MOST * 1e3  # so large that whole replicas and fixed costs do not show
        need = self.most[:, None] * far
        tried, found = need * np.geomspace(1e-3, 1.0, 97), need
        for _ in range(3):
            shape = tried.shape
            plan = np.repeat(np.arange(self.count), shape[1])
            cost = self._costs(np.full(plan.size, far), plan, tried.reshape(-1))[self.curves.ranked].reshape(shape)
            best = cost.argmin(axis=1)
            ends = [np.take_along_axis(tried, np.clip(best + k, 0, shape[1] - 1)[:, None], axis=1) for k in (-1, 1)]
            found = np.take_along_axis(tried, best[:, None], axis=1)
            tried = np.concatenate([ends[0] + (ends[1] - ends[0]) * np.linspace(0.0, 1.0, 33), found], axis=1)
        return np.asarray(np.where(found <= need * 1.001e-3, 0.0, found)[:, 0] / far)

    def _costs(self, volumes: Array, plan: NDArray[np.intp], floors: Array | None) -> Array:
        """Costs at each volume, on the plan (and the floor) beside it."""
        chunks = [slice(start, start + CHUNK) for start in range(0, volumes.size, CHUNK)]
        return np.concatenate(
            [self._chunk(volumes[k], plan[k], None if floors is None else floors[k]) for k in chunks], axis=1,
        )

    def _chunk(self, volumes: Array, plan: NDArray[np.intp], floors: Array | None) -> Array:
        curves, option = self.curves, self.option
        if self.plans is not None:
            option = replace(option, plan=rows_of_plans(self.plans, plan))
        if floors is not None:
            option = replace(option, replicas_fixed=floors[:, None])
        times = volumes[:, None] / curves.volume
        options = {**curves.options, "stay": _with_seats(curves.options["stay"], times)}
        done = evaluate(replace(curves.shared, requests_per_day=volumes[:, None]), _with_seats(option, times), options)
        costs = curves.measures(done)
        if option.plan is None or done.costs.fleet is None or volumes[0] > MOST:
            return costs  # beyond the curve only the best ratio is sought, whatever is owned
        served = done.costs.fleet.gpus.max(axis=-1) <= np.reshape(option.plan.gpus_owned, -1)
        return np.where(served, costs, UNSERVED)


def _with_seats(option: Option, times: Array) -> Option:
    """The option with so many times its seats, where they follow the requests."""
    seats = option.provisioned
    if seats is None or not seats.follow_requests:
        return option
    return replace(option, provisioned=replace(seats, units=seats.units * times))
