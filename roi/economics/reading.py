"""From the flat values of a Case to the records of `inputs`, each field from the path that stands beside it there."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from functools import cache, lru_cache
from itertools import count, takewhile
from typing import Any, Final, TypeVar, get_args

import numpy as np

from roi.economics.cached_lengths import CachedLengths
from roi.economics.case_paths import NEEDED, At
from roi.economics.inputs import Array, Hardware, Number, Option, OwnCost, Plan, Shared, Tokens, Training, path_of, places
from roi.economics.option_kinds import KEEPS_MODEL, LEVERS
from roi.economics.paid_units import Provisioned
from roi.economics.price_list import AnnouncedRates, Api
from roi.economics.worked_out import PLATFORM, BillFacts, ErrorRate, OptionFacts, PlanFacts, TrainingFacts
from roi.facts.case import Values, axis, triangle
from roi.facts.fact import Basis, Fact, Value
from roi.numerics.spreads import joint_high, joint_low

T = TypeVar("T")

PLAIN: Final = KEEPS_MODEL | LEVERS | {"cheaper-api", "hosted-open"}
"""Kinds that answer alone: with an escalation they would be a cascade, which is an option of its own."""
OWN: Final = ("setup_hours", "run_hours_per_month", "months_to_live", "months_in_parallel", "evaluation_usd",
              "evaluation_labels")
"""Facts that a cost line names by the path at which the option has them."""
NO_BILL: Final[Mapping[str, float]] = {path_of(BillFacts, "factor"): 1.0, path_of(BillFacts, "volume_share"): 0.0}
"""What stands in a Case of which no bill is known, or none is to count."""
LEAST_CAPACITY: Final = 0.1
"""A draw in which the SLO cannot be held at all counts as a tenth of the central capacity: ten times the fleet, not endless."""


class Chunk(dict[str, Value | Array]):
    """The values of one chunk of draws, and in `read` what no draw changes of each record, which its first chunk left there."""

    def __init__(self, values: Values, read: dict[Any, Any]) -> None:  # Any: records' classes, and fields of any type
        super().__init__(values)
        self.read = read


def read_shared(values: Values, rent_drift: Fact | None = None, usd_per_error: Fact | None = None) -> Shared:
    """The shared record of a Case's values.

    `rent_drift` is the fact whose spread the mean level of rents follows from, `usd_per_error` the one that may be a guess:
    a template's decides nothing, and cash counts.
    """
    guessed = usd_per_error is not None and usd_per_error.basis is Basis.TEMPLATE
    bill = _read(BillFacts, values, {})
    first = path_of(Shared, "successor_price_ratio")
    later: list[Number] = []
    while (path := f"{first}.{len(later) + 2}") in values:
        later.append(number(values[path], path))
    steps: list[tuple[Number, Number]] = []
    while (path := f"workload.steps.{len(steps)}") + ".ratio" in values:
        month, ratio = (number(values[f"{path}.{name}"], path) for name in ("from_month", "ratio"))
        steps.append((month, ratio))
    by_length = values.get(path_of(CachedLengths, "stated")) is not None
    cached = _read(CachedLengths, values, {}) if by_length else None
    return _read(Shared, values, {}, volume_factor=bill.factor**bill.volume_share, later_price_ratios=tuple(later),
                 price_factor=bill.factor ** (1.0 - bill.volume_share), rent_spread=_reach(rent_drift), steps=tuple(steps),
                 counts="cash" if guessed else "errors", cached=cached)


def _reach(fact: Fact | None) -> tuple[float, float]:
    """How far the triangle of a fact reaches below and above its mode, on its own scale; nothing where it is exact."""
    if fact is None or not fact.uncertain:
        return 0.0, 0.0
    low, high = fact.spread()
    scale = axis(fact.unit, low)[0]
    mode = float(scale(fact.number()))
    least, most = triangle(float(scale(low)), mode, float(scale(high)))
    return mode - least, most - mode


def read_option(values: Values, id: str, shared: Shared, plan: int | None = None) -> Option:
    """The record of one option: its own facts, and those of its system, its kind of change and its vendor.

    With `plan` it has that one of its plans alone.
    """

    def own(field: str) -> str:
        return path_of(Option, field, option=id)

    told = ("kind", "system", "group", "vendor", "end_to_end")
    kind, system, group, vendor, whole = (values.get(own(field)) for field in told)
    seats = values.get(path_of(Provisioned, "seats", option="stay"))  # of a product, which goes on
    today = None if seats else values.get(path_of(Option, "vendor", option="stay"))
    names = {"option": id, "system": system, "group": group, "vendor": vendor, "kind": kind, "today": today,
             "method": str(system).rpartition("+")[2]}
    known: dict[str, object] = {} if vendor is not None else {"own_price_ratio": 1.0}
    if kind in PLAIN:
        known["escalated"] = 0.0
    numbers: Iterable[int] = count() if plan is None else (plan,)
    there = takewhile(lambda n: path_of(Plan, "gpu", option=id, plan=n) in values, numbers)
    plans = [_plan(values, {"option": id, "plan": n}, shared) for n in there]
    paths = (f"platform.{name}_usd_per_month" for name in PLATFORM)
    platform = (number(values[path], path) for path in paths if path in values)
    facts = _read(OptionFacts, values, names)
    names["base"] = facts.base
    own_rate = _read(ErrorRate, values, names)
    whole_rate = None if whole is None else _read(ErrorRate, values, {**names, "system": whole})
    told_of = whole_rate or own_rate
    repacked = path_of(ErrorRate, "ratio", system=system) in values  # a host of open weights serves them in a way of its own
    own_facts = {name: path for name in OWN for path in (f"kinds.{kind}.{name}", f"options.{id}.{name}") if path in values}
    if facts.in_time and kind not in LEVERS and "months_to_live" not in own_facts:
        known |= _live_in_time(values, str(group), today, shared)
    batch: Number | None = facts.batched_today if facts.batch_as_today else facts.batch_share
    if batch is None:
        batch = np.maximum(shared.can_wait, facts.batched_today) if facts.batch_hours <= shared.waits_hours else 0.0
    return _read(
        Option, values, names, id=id, tokens=_read(Tokens, values, names), error_rate=_error_rate(own_rate, values),
        end_to_end_error=None if whole_rate is None else _error_rate(whole_rate, values), measured_error=told_of.measured,
        items=told_of.items if facts.items is None else facts.items, labelled=told_of.labelled,
        with_today=told_of.with_today, answers_as=None if repacked else own_rate.same_as,
        evaluated=own_rate.evaluated if facts.tested is None else facts.tested,
        platform_usd=sum(platform, 0.0) if facts.platform else 0.0,
        api=_api(values, names, facts, batch),
        provisioned=_provisioned(values, "stay" if id in LEVERS else id),
        is_successor=facts.suggested is not None and vendor == f"{str(today).partition('/')[0]}/{facts.suggested}",
        plan=plans[0] if plans else None, plans=tuple(plans), replicas_fixed=None, training=_training(values, names),
        hardware=_read(Hardware, values, names) if facts.owned else None, costs=_costs(values, id, str(kind)),
        own_facts=own_facts, **known,
    )


def _live_in_time(values: Values, group: str, today: Value | Array, shared: Shared) -> dict[str, object]:
    """The months until an option is live, where today's model ends before they are over: then it is live at that end.

    In draws each by its own end. Whoever must leave anyway ports once, not to a successor for the weeks that are left.
    """
    takes, ends = f"changes.{group}.months_to_live", path_of(Option, "todays_end", today=today)
    if ends not in values:
        return {}
    months, end = number(values[takes], takes), number(values[ends], ends)
    return {"months_to_live": shared.once_for("live in time", (months, end), lambda: np.minimum(months, end))}


def _provisioned(values: Values, id: str) -> Provisioned | None:
    """The units that an option is paid by; today's, where it asks today's model for less."""
    there = values.get(path_of(Provisioned, "usd_per_unit", option=id)) is not None
    return _read(Provisioned, values, {"option": id}) if there else None


def _costs(values: Values, id: str, kind: str) -> tuple[OwnCost, ...]:
    """Costs of the user's own that this option bears."""
    found: list[OwnCost] = []
    while path_of(OwnCost, "name", number=len(found)) in values:
        found.append(_read(OwnCost, values, {"number": len(found)}, path=f"costs.{len(found)}"))
    borne_by = {id, kind, "all", "all" if kind == "stay" else "all but stay"}
    return tuple(cost for cost in found if cost.option in borne_by)


def _api(values: Values, names: Mapping[str, object], facts: OptionFacts, batch: Number) -> Api | None:
    """The option's price list; None where it has none."""
    if path_of(Api, "input", **names) not in values:
        return None
    steps = ({**names, "step": n} for n in count())
    there = takewhile(lambda step: path_of(AnnouncedRates, "from_months", **step) in values, steps)
    batch, tier = _batch_and_tier(facts, batch)
    return _read(Api, values, names, batch_share=batch, tier=tier,
                 announced=tuple(_read(AnnouncedRates, values, step) for step in there))


def _batch_and_tier(facts: OptionFacts, waits: Number) -> tuple[Number, Number]:
    """What of the requests that may wait goes through batch, and the price of all others over the standard one.

    Those that a flexible tier answers today can wait, and stay in it: batch is for what can wait beyond them.
    """
    flexible = facts.flexible_today * (1.0 - facts.batched_today)
    batch = np.maximum(waits - flexible, np.minimum(waits, facts.batched_today))
    as_today = np.maximum(flexible / np.maximum(1.0 - batch, np.maximum(flexible, 1e-12)) - facts.tier_share, 0.0)
    lower, today = facts.tier_price_ratio - facts.tier_today, facts.flexible_ratio - facts.tier_today
    return batch, facts.tier_today + facts.tier_share * lower + as_today * today


def _training(values: Values, names: Mapping[str, object]) -> Training | None:
    """What training takes, by the examples of these values; None where the option trains nothing."""
    if path_of(TrainingFacts, "vendor_usd", **names) not in values:
        return None
    facts = _read(TrainingFacts, values, names)
    scale = facts.examples / facts.examples_costed
    where = [path.format_map(names) for path in places(TrainingFacts)["hours_factor"].paths]
    return _read(
        Training, values, names, gpu_hours=facts.gpu_hours * facts.hours_factor * scale, vendor_usd=facts.vendor_usd * scale,
        labels=facts.examples * facts.labels_bought_share, fresh_labels=facts.examples * facts.fresh_bought_share,
        hours_fact=next(path for path in where if path in values),
    )


def _error_rate(found: ErrorRate, values: Values) -> Number:
    """Error rate; an evaluated system moves along the noise of its own evaluation (-1 = its low score, +1 = its high).

    One that was evaluated on the incumbent's items follows from the incumbent's rate and the two shares that it gets right,
    and the same weights at another host from the rate of those that were evaluated.
    """
    if found.same_as is not None:
        return np.minimum(_error_rate(_read(ErrorRate, values, {"system": found.same_as}), values) * found.ratio, 1.0)
    if found.right_where_right is not None and found.right_where_wrong is not None:
        system = values[path_of(Option, "system", option="stay")]
        wrong = _error_rate(_read(ErrorRate, values, {"system": system}), values)
        return 1.0 - ((1.0 - wrong) * found.right_where_right + wrong * found.right_where_wrong)
    if found.low is None or found.high is None:
        return found.central
    noise = found.noise
    rise, fall = noise * (found.central - found.low), noise * (found.high - found.central)
    return np.clip(np.where(np.asarray(noise) > 0, found.central - rise, found.central - fall), 0.0, 1.0)


def _plan(values: Values, names: Mapping[str, object], shared: Shared) -> Plan:
    """One plan of an option, its rates at the drawn speed of engine and adapters: one array for plans that serve alike."""
    facts = _read(PlanFacts, values, names)
    told = (values.get(path_of(Plan, field, **names)) for field in ("speed", "adapter_speed"))
    speeds = [str(path) for path in told if path is not None]
    rates = facts.slow_requests_per_s, facts.central_requests_per_s, facts.fast_requests_per_s
    gains = facts.slow_pooling, facts.central_pooling, facts.fast_pooling

    def at_speed() -> tuple[Number, Number]:
        alone = _at_speed(values, speeds, *rates)
        held = _at_speed(values, speeds, *(one * gain for one, gain in zip(rates, gains, strict=True)))
        if alone is None or held is None:
            return rates[1], gains[1]
        capacity = np.maximum(alone, LEAST_CAPACITY * rates[1])
        return capacity, np.maximum(np.divide(held, capacity), 1.0)

    capacity, pooling = shared.once_for(f"capacity at {speeds}", (*rates, *gains), at_speed)
    rent = values.get(path_of(Plan, "rent", **names))
    known: dict[str, object] = {} if rent is None else {"usd_per_gpu_hour": number(values[str(rent)], str(rent))}
    return _read(
        Plan, values, names, path=path_of(Plan, "gpu", **names).removesuffix("gpu"), capacity=capacity,
        pooling=pooling,
        usd_per_gpu=0.0 if facts.price is None else number(values[facts.price], facts.price),
        replacement_usd=None if facts.replacement is None else number(values[facts.replacement], facts.replacement), **known,
    )


def _at_speed(values: Values, speeds: list[str], slow: Number, central: Number, fast: Number) -> Number | None:
    """A rate at the drawn speed: straight lines between its values at the speed's P5, centre and P95; None at the centre.

    `speeds` are the paths of the engine's speed and of what its adapters leave of it. Rates at an SLO fall faster than
    speed, so each plan holds all three.
    """
    speed: Number = 1.0
    for path in speeds:
        speed = speed * number(values[path], path)
    if isinstance(speed, float) and speed == 1.0:
        return None
    low = joint_low(number(values[path + "_low"], path) for path in speeds)
    high = joint_high(number(values[path + "_high"], path) for path in speeds)
    below = central + (slow - central) * (1.0 - speed) / (1.0 - low)
    above = central + (fast - central) * (speed - 1.0) / (high - 1.0)
    return np.where(speed < 1.0, below, above)


def number(value: Value | Array, path: str) -> Number:
    """The value as a number, or as an array of draws."""
    if isinstance(value, (str, tuple)) or value is None:
        raise TypeError(f"{path} is not a number: {value!r}")
    return value if isinstance(value, np.ndarray) else float(value)


def _of(kind: type, value: Value | Array, path: str) -> object:
    """The value as it is, of a flag or a name."""
    if type(value) is not kind:
        raise TypeError(f"{path} is no {'flag' if kind is bool else 'text'}: {value!r}")
    return value


KINDS: Final[dict[Any, Callable[[Value | Array, str], object]]] = {
    Number: number,
    float: lambda value, path: float(number(value, path)),
    int: lambda value, path: int(float(number(value, path))),
    bool: lambda value, path: _of(bool, value, path),
    str: lambda value, path: _of(str, value, path),
    Array: lambda value, path: np.atleast_1d(value if isinstance(value, np.ndarray) else np.asarray(value, dtype=np.float64)),
}
"""How a value is taken for each type of a field (Any: types and unions of types)."""


@cache
def _readers(record: type) -> list[tuple[str, At, Callable[[Value | Array, str], object], object]]:
    """Name, place, way of reading, and what stands in where no path is there, for each field of the record that has a place."""
    found, types = [], {each.name: each.type for each in fields(record)}
    for name, at in places(record).items():
        base: Any = get_args(types[name])[0]  # of Annotated[type, At(...)]
        take, optional = next((take, base != known) for known, take in KINDS.items() if base in (known, known | None))
        found.append((name, at, take,
                      None if optional else False if base is bool and at.absent is NEEDED else at.absent))
    return found


def _read(record: type[T], values: Values, names: Mapping[str, object], **known: object) -> T:
    """The record for the option, system ... in `names`; `known` are fields that are not read."""
    key = record, tuple(names.items())
    before = values.read if isinstance(values, Chunk) else {}
    if key in before:
        same, moving = before[key]
        return record(**same, **{name: take(values[place], place) for name, place, take in moving}, **known)
    made: dict[str, Any] = {}  # Any: fields of any type
    moving = []
    for name, paths, take, absent in _readers_at(*key):  # type: ignore[arg-type]  # a class is hashable
        if name in known:
            continue
        for place in paths:
            value = values.get(place)
            if value is not None:
                made[name] = take(value, place)
                if isinstance(value, np.ndarray):
                    moving.append((name, place, take))
                break
        else:
            if absent is NEEDED:
                raise KeyError(paths[-1])
            made[name] = absent
    moved = {name for name, *_ in moving}
    before[key] = {name: value for name, value in made.items() if name not in moved}, moving
    return record(**made, **known)


@lru_cache(maxsize=4096)
def _readers_at(
    record: type, names: tuple[tuple[str, object], ...]
) -> list[tuple[str, tuple[str, ...], Callable[[Value | Array, str], object], object]]:
    """`_readers` with the places filled in for the option, system ... in `names`: the same for every chunk of draws."""
    known = dict(names)
    return [(name, tuple(path.format_map(known) for path in at.paths), take, absent)
            for name, at, take, absent in _readers(record)]
