"""What is told of an answer that does not keep it: savings by month in the draws, costs along volumes, announced prices.

Worked out where somebody asks for it, from the Case alone: the same facts, plans and draws as the comparison.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from roi.economics.decision.draws import draws_and_seed, percentiles, rows_of, saved_below_bar
from roi.economics.decision.evaluation import Choice, Evaluated, cash_flows, evaluate, read_all
from roi.economics.decision.feasibility import meets_bar
from roi.economics.decision.turning.curves import LEAST, MOST, SIDE, UNSERVED, Curves, ascending
from roi.economics.decision.weighing import settle
from roi.economics.finance import discount_factors
from roi.economics.inputs import Array, Option, path_of
from roi.economics.lines.api_bill import service
from roi.economics.lines.line import pick, requests
from roi.economics.lines.line_kind import LineKind
from roi.facts.case import Case
from roi.facts.fact import Basis, Fact
from roi.numerics.sequence import sobol

MOST_DRAWS = 4096
"""Draws that a picture rests on: the first so many of the comparison's."""
TEETH = 3
"""Steps of the fleet between two volumes of the curve; where there are more, a picture could not tell them apart."""
ANNOUNCED = re.compile(r"vendors\.(.+)\.announced\.\d+\.from")
"""The path of the first day of a list to come."""
POINTS = 160
"""Volumes of a curve, before both sides of its steps are added."""


@dataclass(frozen=True)
class Outlook:
    """Savings against staying by option id, USD; wrong answers counted, or left out where `counts` is cash.

    In a draw in which an option misses the bar, choosing it returns minus its set-up and the way back, in every month.
    """

    counts: str
    draws: int
    """0 where the Case has none: there are no bands then."""
    central: Mapping[str, Array]
    """Cumulative savings at month ends 0..H at the central values, shape (H + 1,), undiscounted."""
    bands: Mapping[str, Array]
    """P10, P50 and P90 of the same in the draws, month by month, shape (3, H + 1)."""
    npv: Mapping[str, Array]
    """Present value of the savings in each draw, shape (draws,)."""


def look_ahead(case: Case, ids: Sequence[str], counts: str) -> Outlook:
    """Savings of the options `ids` by month, at the central values and in the draws."""
    shared, options, choices = settle(case)
    stay = evaluate(shared, options["stay"], options)
    central = {id: _cumulative(stay, evaluate(shared, options[id], options), counts)[0] for id in ids}
    n, seed = draws_and_seed(case)
    n = min(n, MOST_DRAWS)
    saved = {id: np.empty((n, shared.horizon + 1)) for id in ids}
    npv = {id: np.empty(n) for id in ids}
    chunk = rows_of(len(case.options), shared.horizon, n)
    for start in range(0, n, chunk):
        rows = slice(start, min(start + chunk, n))
        _draw(case, rows, seed, choices, counts, saved, npv)
    bands = {id: np.transpose([percentiles(month) for month in x.T]) for id, x in saved.items()} if n else {}
    return Outlook(counts=counts, draws=n, central=central, bands=bands, npv=npv)


def _draw(
    case: Case, rows: slice, seed: int, choices: Mapping[str, Choice], counts: str, saved: Mapping[str, Array],
    npv: Mapping[str, Array],
) -> None:
    """Fill the rows of `saved` and `npv` with what these draws give."""
    shared, options = read_all(case, case.values(sobol(rows.start, rows.stop, len(case.uncertain), seed)), choices)
    stay = evaluate(shared, options["stay"], options)
    for id, held in saved.items():
        done = evaluate(shared, options[id], options)
        meets = meets_bar(shared, options[id], options, done.spill)
        gained = _cumulative(stay, done, counts)
        held[rows] = np.where(meets[:, None], gained, saved_below_bar(shared, gained[:, :1], gained))
        first, kept = (np.asarray(x).reshape(-1) for x in (stay.total.upfront - done.total.upfront,
                                                           stay.counted(counts) - done.counted(counts)))
        npv[id][rows] = np.where(meets, kept, saved_below_bar(shared, first, kept))


def _cumulative(stay: Evaluated, done: Evaluated, counts: str) -> Array:
    """Cumulative savings at month ends 0..H, shape (n, H + 1)."""
    flows = (cash_flows(x) if counts == "cash" else (np.asarray(x.total.upfront), x.total.monthly) for x in (stay, done))
    first, monthly = (np.atleast_2d(a - b) for a, b in zip(*flows, strict=True))
    rows = max(first.shape[0], monthly.shape[0])
    first = np.broadcast_to(first, (rows, 1))
    return np.concatenate([first, first + np.cumsum(np.broadcast_to(monthly, (rows, monthly.shape[1])), axis=1)], axis=1)


@dataclass(frozen=True)
class CostCurve:
    """What an option costs along volumes, each fleet sized at its own peak: present value over the horizon, set-up included."""

    requests_per_day: Array
    """Ascending, shape (n,); both sides of each step of the fleet among them."""
    usd_per_1000_requests: Array
    """Present value of the cost over that of the requests; NaN where the cards that are owned do not hold the volume."""


def costs_along(case: Case, ids: Sequence[str], low: float, high: float, counts: str) -> dict[str, CostCurve]:
    """What the options `ids` cost a thousand requests between two volumes, requests a day."""
    shared, options, _ = settle(case)
    curves = Curves(shared, options)
    one = replace(shared, requests_per_day=1.0)
    served = float((requests(one) * discount_factors(shared.discount_rate, shared.horizon)).sum())
    grid = np.geomspace(max(low, LEAST), min(high, MOST), POINTS)
    found = {}
    for id in ids:
        curve = curves.of(id)
        at = grid
        if not curve.straight:
            curve.at(grid)
            full, stretch = curve.steps(grid[:-1], grid[1:])
            full = full[np.bincount(stretch, minlength=grid.size)[stretch] <= TEETH]
            at = ascending(np.concatenate([grid, full, full * (1.0 + SIDE)]))
        cost = curve.at(at)[1 if counts == "cash" else 0]
        found[id] = CostCurve(at, np.where(cost < UNSERVED, cost / (served * at) * 1e3, np.nan))
    return found


def facts_behind(case: Case, ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Paths of the facts that the cost lines of each option rest on, in the Case's order."""
    shared, options, _ = settle(case)
    used = {id: {path for line in evaluate(shared, options[id], options).costs.lines for path in line.facts} for id in ids}
    return {id: tuple(path for path in case if path in paths) for id, paths in used.items()}


def unstated_reasoning(case: Case, id: str) -> float:
    """Reasoning tokens a request of today's model, where those of the option's were not stated and are none; else 0."""
    own, today = (f"systems.{case[f'options.{each}.system'].value}.reasoning_tokens" for each in (id, "stay"))
    silent = own != today and own in case and case[own].basis is Basis.ASSUMED
    return case[today].number() if silent and today in case else 0.0


def announced_days(case: Case) -> dict[str, tuple[Fact, ...]]:
    """By the name of each vendor's model whose list will change: the first day of every list to come, in their order."""
    found: dict[str, list[Fact]] = {}
    for path, fact in case.facts.items():
        if (of := ANNOUNCED.fullmatch(path)) is not None:
            found.setdefault(of[1], []).append(fact)
    return {vendor: tuple(days) for vendor, days in found.items()}


def suggested_successor(case: Case, model: str) -> tuple[str, bool]:
    """What its vendor suggests in the place of a model, provider/model, empty where nothing; and whether it is compared."""
    path = f"vendors.{model}.successor"
    if path not in case:
        return "", False
    name = f"{model.partition('/')[0]}/{case[path].value}"
    return name, any(case[each].value == name for each in case.facts if each.endswith(".vendor"))


def unseen_successor(case: Case) -> str:
    """What the vendor suggests in the place of today's model, where that ends within the horizon and no option is on it."""
    now = str(case["options.stay.vendor"].value)
    name, compared = suggested_successor(case, now)
    if not name or compared:
        return ""
    return name if case[path_of(Option, "life_first", vendor=now)].number() < case["horizon_months"].number() else ""


@dataclass(frozen=True)
class PricesAhead:
    """The lists that the vendor of a model has announced, as an option meets them."""

    option: str
    vendor: str
    """Name by which the facts of the vendor have the option's model."""
    lists: tuple[tuple[str, float | None], ...]
    """First day of each, and the cost of the option's mean request by it over today's; None where that is free today."""
    more_usd: Array | None
    """USD that they add to each month of the option, shape (H,); None of one that takes what an option of `ids` does not."""


def prices_ahead(case: Case, ids: Sequence[str]) -> list[PricesAhead]:
    """Announced lists of the models of the options `ids`, and of those that take what they do not; each model once."""
    shared, options = read_all(case, case.values(), ids=tuple(ids))
    found: dict[str, PricesAhead] = {}
    handed = (to for id in ids for to in (options[id].spills_to, options[id].long_to) if to is not None)
    for id in dict.fromkeys((*ids, *handed)):
        option, vendor = options[id], options[id].vendor
        if option.api is None or not option.api.announced or vendor is None or vendor in found:
            continue
        api, more = service(shared, option), None
        today = pick(api.cost.usd)
        if id in ids:
            dear, cheap = (evaluate(shared, each, {**options, id: each}) for each in (option, _at_todays_list(option)))
            more = np.ravel(dear.total.monthly - cheap.total.monthly)
        found[vendor] = PricesAhead(option=id, vendor=vendor, more_usd=more, lists=tuple(
            (str(day.value), pick(cost.usd) / today if today else None)
            for day, (_, cost) in zip(announced_days(case)[vendor], api.steps, strict=True)))
    return list(found.values())


def bill_at_todays_list(case: Case) -> float:
    """What the API bills in month 1 of staying, USD, whatever is announced: a stated bill is held against today's list."""
    shared, options = read_all(case, case.values(), ids=("stay",))
    stay = _at_todays_list(options["stay"])
    lines = evaluate(shared, stay, {**options, "stay": stay}).costs.lines
    return sum(float(np.ravel(line.monthly)[0]) for line in lines if line.kind in {LineKind.API, LineKind.PROVISIONED})


def _at_todays_list(option: Option) -> Option:
    return option if option.api is None else replace(option, api=replace(option.api, announced=()))
