"""When an option had best go live: what a later start of it costs and saves, at the central values and over the draws."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from roi.economics.decision.draws import ASKED_DRAWS, draw, draws_and_seed
from roi.economics.decision.evaluation import Evaluated, alone_from, choices_of, choose_plan, evaluate
from roi.economics.finance import present_value
from roi.economics.inputs import Array, Option, Shared
from roi.economics.lines.line import Line, requests
from roi.economics.lines.line_kind import MIGRATIONS, LineKind
from roi.facts.case import Case
from roi.units import DAYS_PER_MONTH

LATER = 12
"""Months by which a later start of what is recommended is looked at: nothing that is further off is decided now."""
STARTS, FEW = 3, 512
"""Months by which starts are tried around the best one at the central values, and the draws, the first ones, by which."""


def live_later(shared: Shared, options: Mapping[str, Option], id: str, months: int) -> Evaluated:
    """The option at the central values, live so many months later."""
    return evaluate(shared, replace(options[id], months_to_live=options[id].months_to_live + months), options)


def spared_by_waiting(shared: Shared, options: Mapping[str, Option], id: str, months: int, counts: str) -> LineKind:
    """What a start so many months later makes cheaper, that of which it spares most, by the present value of its lines.

    SET_UP: of its hours more are paid anyway; COMMITMENT: less of today's is left unused; HARDWARE: what is bought is sold
    younger; RETRAINING and MIGRATION: less of them. INCUMBENT: all else together, what runs for what is in use until then.
    """
    spared: defaultdict[LineKind, float] = defaultdict(float)
    for sign, done in ((1.0, live_later(shared, options, id, 0)), (-1.0, live_later(shared, options, id, months))):
        for line in done.costs.lines:
            if counts != "cash" or not line.is_error:
                worth = present_value(line.upfront, line.monthly, shared.discount_rate)
                spared[_spared_as(line)] += sign * float(np.asarray(worth).item())
    return max(spared, key=lambda kind: spared[kind])


def _spared_as(line: Line) -> LineKind:
    """What a line counts as where it is told what waiting spares."""
    if line.kind in MIGRATIONS:
        return LineKind.MIGRATION
    by_itself = line.kind in {LineKind.SET_UP, LineKind.COMMITMENT, LineKind.RETRAINING}
    bought = line.kind is LineKind.HARDWARE and line.share is None  # power and space are paid while it is live
    return line.kind if by_itself or bought else LineKind.INCUMBENT


def better_later(shared: Shared, options: Mapping[str, Option], now: Evaluated) -> tuple[int, float] | None:
    """By how many whole months the option had better go live later, and what that adds to its NPV, USD; None where by none.

    Months are tried in turn until one brings no more. None where staying is not allowed: it ends on a day that nobody stated.
    """
    today = least = float(now.counted(shared.counts))
    months = 0
    while shared.may_stay and now.option.id != "stay" and months < LATER:
        later = float(live_later(shared, options, now.option.id, months + 1).counted(shared.counts))
        if later >= least:
            break
        months, least = months + 1, later
    return (months, today - least) if months else None


class Start(NamedTuple):
    """An option that goes live when it had best do."""

    option: Option
    months: int
    """Whole months by which it goes live later than it could."""
    requests_per_day: float
    """Requests of a mean day in the month in which it then goes live."""
    npv_usd: float
    """Savings against staying, set-up paid today."""
    chance: float | None = None
    """Share of the draws in which it then saves anything; None at the central values."""


def _best_months(shared: Shared, options: Mapping[str, Option], id: str) -> int:
    """By how many whole months the option had best go live later, at the central values."""
    option = options[id]
    tried = np.arange(last_start(shared, option) + 1, dtype=np.float64)[:, None]
    costs = evaluate(shared, replace(option, months_to_live=option.months_to_live + tried), options)
    return int(np.argmin(np.reshape(costs.counted(shared.counts), -1)))


def last_start(shared: Shared, option: Option) -> int:
    """Months by which the option can go live later and still serve alone for a month."""
    return max(shared.horizon - alone_from(option, shared.horizon) - 1, 0)


def _start_in(shared: Shared, options: Mapping[str, Option], id: str, months: int) -> Start:
    """The option live so many months later, its plan taken anew, at the central values."""
    option = options[id]
    later = choose_plan(shared, replace(option, months_to_live=option.months_to_live + months), options)
    stay, done = (evaluate(shared, each, options).counted(shared.counts) for each in (options["stay"], later))
    live = int(np.max(later.months_to_live))
    return Start(later, months, float(requests(shared)[live] / DAYS_PER_MONTH), float(stay) - float(done))


def when_to_start(case: Case, shared: Shared, options: Mapping[str, Option], ids: Sequence[str]) -> Start | None:
    """The option of `ids` that saves most on average where each goes live when it had best do, and that is later than it could.

    With its mean NPV over ASKED_DRAWS at most, USD, and its chance; without draws the central value. None where none saves
    anything then.
    """
    n, seed = draws_and_seed(case)
    found = [_start_in(shared, options, id, months) for id in ids if (months := _best_months(shared, options, id))]
    if n:
        n = min(n, ASKED_DRAWS)
        found = [_on_average(case, shared, options, start, n, seed) for start in found if start.npv_usd > 0.0]
    return max((start for start in found if start.npv_usd > 0.0), key=lambda start: start.npv_usd, default=None)


def _on_average(
    case: Case, shared: Shared, options: Mapping[str, Option], start: Start, n: int, seed: int
) -> Start:
    """The start at which the option saves most on average: that at the central values, or one STARTS months further on or back.

    And so on from there, by the first of the draws. What is uncertain speaks for waiting longer than the central values do.
    """
    id, few, last = start.option.id, min(n, FEW), last_start(shared, options[start.option.id])

    def saved(at: Start, n: int) -> Array:
        def live_then(shared: Shared, read: Mapping[str, Option]) -> tuple[Shared, dict[str, Option]]:
            return shared, {**read, id: replace(read[id], months_to_live=at.option.months_to_live)}

        return draw(case, ("stay", id), choices_of({id: at.option}), n, seed, live_then).saved(shared.counts)[id]

    best, most = start, float(saved(start, few).mean())
    for step in (STARTS, -STARTS):
        while 0 < best.months + step <= last:
            at = _start_in(shared, options, id, best.months + step)
            if (mean := float(saved(at, few).mean())) <= most:
                break
            best, most = at, mean
    npvs = saved(best, n)
    return best._replace(npv_usd=float(npvs.mean()), chance=float(np.mean(npvs > 0)))
