"""All draws of the uncertain facts: what each option saves in each of them, with wrong answers counted and without.

One row a draw, the same rows for every option, in chunks of bounded memory.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from roi.economics.decision.evaluation import Choice, evaluate, read_all
from roi.economics.decision.feasibility import meets_bar
from roi.economics.finance import payback_of
from roi.economics.inputs import Array, Number, Option, Shared
from roi.economics.lines.option_lines import answered_wrong
from roi.economics.reading import Chunk, number
from roi.facts.case import Case
from roi.facts.fact import Basis
from roi.numerics.main_effects import FactColumns
from roi.numerics.sequence import sobol

CHUNK = 6144
"""Draws at once at most where many follow: a (6144, 36) float64 array is 1.8 MB. Fewer pay more for calls than for arithmetic;
with more, what is freed after a chunk is more than is kept for the next (`KEPT_NUMBERS`)."""

ASKED_DRAWS = 4096
"""Draws, the first ones, for a question that is asked besides: as many as a comparison has if nothing is said, so that both
agree."""

LEAST_DRAWS = 100
"""Below it fewer than ten lie beyond P10 and beyond P90, five beyond each end of a 90% band: too few to place them."""

MANY = 16_384
"""Draws; of fewer each chunk has half of CHUNK at most, since a chunk's memory is touched for the first time only once."""

MOST_NUMBERS = 60 * 36 * 2048
"""Draws x options x months at once: each option keeps some eight arrays of draws x months, so that this is 300 MB."""
KEPT_NUMBERS = 2**22 - 1024
"""Numbers of a block (32 MiB, the most that counts) that is taken and given back before the draws, untouched.

From then on glibc keeps for the next chunk what one chunk frees, twice as much at most, in place of handing it to the system
page by page (mallopt(3), M_TRIM_THRESHOLD): where a first touch of memory is dear, that is a quarter of the time. Elsewhere it
does nothing.
"""


World = Callable[[Shared, Mapping[str, Option]], tuple[Shared, dict[str, Option]]]
"""What becomes of the values and the options of each draw."""


@dataclass(frozen=True)
class Drawn:
    """Outcomes of every draw, by option id; arrays of shape (n,).

    In a draw in which an option misses the bar, choosing it returns minus its set-up and the way back.
    """

    n: int
    seed: int
    npv: Mapping[str, Array]
    """Savings against staying, wrong answers counted, USD."""
    cash: Mapping[str, Array]
    """Savings against staying without the cost of wrong answers, USD."""
    payback: Mapping[str, Array]
    """Months, wrong answers counted; inf = never, or where the bar is missed."""
    wrong: Mapping[str, Array]
    """Share of its answers that are wrong."""
    meets: Mapping[str, NDArray[np.bool_]]
    """True in each draw in which an option meets the bar."""
    facts: Mapping[str, Array]
    """The drawn values of the uncertain facts."""
    measured: frozenset[str] = frozenset()
    """Those of them that were measured."""

    @cached_property
    def columns(self) -> FactColumns:
        """What the main effects of the facts are fitted by."""
        return FactColumns(tuple(self.facts.values()))

    def saved(self, counts: str) -> Mapping[str, Array]:
        """What the verdict ranks by: savings with wrong answers counted (`errors`), or without (`cash`)."""
        return self.cash if counts == "cash" else self.npv


def draws_and_seed(case: Case) -> tuple[int, int]:
    """The draws that the Case asks for, 0 where nothing in it is uncertain, and the seed of their points."""
    n, seed = (int(float(number(case[name].value, name))) for name in ("draws", "seed"))
    return n if case.uncertain else 0, seed


def draw(
    case: Case, ids: Sequence[str], choices: Mapping[str, Choice], n: int, seed: int, world: World | None = None,
    known_too: Sequence[str] = (),
) -> Drawn:
    """The outcomes of `n` draws for the options `ids` (staying among them), in another `world` where one is given.

    A world is told of the options `known_too` besides.
    """
    room = np.empty((len(case.uncertain), n))
    known = dict(zip(case.rows, room, strict=True))
    npv, cash, payback, wrong = ({id: np.empty(n) for id in ids} for _ in range(4))
    drawn = Drawn(n=n, seed=seed, npv=npv, cash=cash, payback=payback, wrong=wrong,
                  meets={id: np.empty(n, dtype=bool) for id in ids}, facts={path: known[path] for path in case.uncertain},
                  measured=frozenset(path for path in case.uncertain if case[path].basis is Basis.MEASURED))
    read: dict[Any, Any] = {}  # Any: as `Chunk` has it
    np.empty(KEPT_NUMBERS)
    rows_at_once = rows_of(len(case.options), int(case["horizon_months"].number()), n)
    for start in range(0, n, rows_at_once):
        rows = slice(start, min(start + rows_at_once, n))
        values = case.values(sobol(rows.start, rows.stop, len(case.uncertain), seed), room[:, rows])
        _draw_chunk(drawn, rows, Chunk(values, read), case, choices, world, known_too)
    return drawn


def _draw_chunk(
    drawn: Drawn, rows: slice, values: Chunk, case: Case, choices: Mapping[str, Choice], world: World | None,
    known_too: Sequence[str],
) -> None:
    """Fills `rows` of the outcomes from the `values` of these draws, and leaves nothing else of them in memory."""
    shared, options = read_all(case, values, choices, (*drawn.npv, *known_too))
    if world is not None:
        shared, options = world(shared, options)
    stay = evaluate(shared, options["stay"], options)
    for id in drawn.npv:
        done = stay if id == "stay" else evaluate(shared, options[id], options)
        meets = meets_bar(shared, options[id], options, done.spill)
        first = np.asarray(stay.total.upfront) - done.total.upfront
        drawn.meets[id][rows] = meets
        for held, saved in ((drawn.npv, stay.pv - done.pv), (drawn.cash, stay.pv_without_errors - done.pv_without_errors)):
            kept = np.asarray(saved).reshape(-1)
            held[id][rows] = np.where(meets, kept, saved_below_bar(shared, np.asarray(first).reshape(-1), kept))
        if id == "stay":
            drawn.payback[id][rows] = 0.0
        else:
            months = payback_of(first, _saved_so_far(stay.total.monthly, done.total.monthly))
            drawn.payback[id][rows] = np.where(meets, months, np.inf)
        error_rate = answered_wrong(options[id], options[options[id].escalates_to].error_rate)
        drawn.wrong[id][rows] = np.asarray(error_rate).reshape(-1)
        del done  # before the next one is made


def saved_below_bar(shared: Shared, first: Array, going_on: Array) -> Array:
    """What choosing an option brings in each draw where it misses the bar, USD: its set-up and the way back are lost.

    `first` is by how much its set-up costs less than staying's, `going_on` what it saves where it reaches the bar, draws by
    rows. Where staying is not allowed the way leads to another option, which is taken to save no more than this one.
    """
    kept = first if shared.may_stay else np.minimum(first, going_on)
    back: Array = np.asarray(shared.migration_hours * shared.usd_per_hour)
    return np.asarray(kept - back.reshape(-1, *(1,) * (kept.ndim - 1)))


def _saved_so_far(stay: Array, monthly: Array) -> Array:
    """What is saved up to each month end, rows of months, in the place of `monthly`, which nobody asks for any more."""
    stay, monthly = np.atleast_2d(stay), np.atleast_2d(monthly)
    saved = monthly if len(monthly) >= len(stay) else np.empty_like(stay)
    so_far: Number = 0.0
    for before, now, total in zip(stay.T, monthly.T, saved.T, strict=True):
        so_far = np.add(np.subtract(before, now, out=total), so_far, out=total)
    return saved


def rows_of(options: int, months: int, draws: int) -> int:
    """Draws at once, alike in all chunks: CHUNK at most, halved until the arrays that options keep stay within MOST_NUMBERS."""
    rows = CHUNK if draws >= MANY else CHUNK // 2
    while rows > 1 and rows * options * months > MOST_NUMBERS:
        rows //= 2
    return ceil(draws / ceil(draws / rows)) if draws else rows


def percentiles(x: Array) -> tuple[float, float, float]:
    """P10, P50, P90 by the lower sample point, so that infinity stays infinity."""
    ranked = np.sort(x)
    low, middle, high = (float(ranked[min(int(p * ranked.size), ranked.size - 1)]) for p in (0.1, 0.5, 0.9))
    return low, middle, high


def probability_best(npv: Mapping[str, Array], ids: Sequence[str]) -> dict[str, float]:
    """Share of draws in which each of the options `ids` saves most; ties go to the first listed."""
    winner = np.argmax(np.stack([npv[id] for id in ids]), axis=0)
    return {id: float(np.mean(winner == k)) for k, id in enumerate(ids)}
