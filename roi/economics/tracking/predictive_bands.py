"""What the comparison expects of the months after a decision, and within which 90% a month that comes should lie.

A month is judged against a predictive band: the spread of the facts, one draw of which holds for all months, and on top what
moves one month and not the next.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from roi.economics.decision.evaluation import Choice, read_all
from roi.economics.finance import payback
from roi.economics.inputs import Array, Number, Option, Shared
from roi.economics.tracking.month_figures import Figures, figures, in_calendar, input_parts, price_level
from roi.facts.case import Case, quantile
from roi.numerics.sequence import sobol

CHUNK: Final = 1024
"""Draws that are worked out at once."""
DIMENSIONS: Final = 256
"""Dimensions of the low-discrepancy sequence; months beyond what is left of them repeat the luck of earlier ones."""
LATELY: Final = 3
"""Months whose facts are taken to go on; prices are those of the last one."""
SAME: Final = 1e-9
"""Share of a figure below which a difference is rounding."""
BAND: Final = (0.05, 0.95)
MONTHLY: Final[Mapping[str, float]] = {
    "volume": 1.06,
    "input": 1.03,
    "output": 1.03,
    "cache": 1.03,
    "price": 1.01,
    "hours": 1.02,
}
"""By what factor one month is off its trend, at the 95th percentile: assumed, the same way down.

volume: months of one length hold 19 to 23 working days; work that is done on those alone moves by a standard deviation of 3.5%
(calendar of 400 years). Input, output, cache: the mix of tasks moves by half of that. price: what an invoice rounds and
credits. hours: what runs twice while it is deployed anew, or is down. What a month is off more than this is news.
"""
CASH, CALLS, INPUT_TOKENS, OUTPUT_TOKENS, PRICES, CACHED, HOURS, WRONG = QUANTITIES = (
    "cash_usd",
    "calls",
    "input_tokens",
    "output_tokens",
    "price_factor",
    "cached_share",
    "gpu_hours",
    "wrong_share",
)
"""What is judged of each month. price_factor: what was billed, over what today's prices make of the same tokens."""


@dataclass(frozen=True)
class Band:
    """One quantity over the tracked months: the central forecast and the 5th and 95th percentile, one number a month."""

    central: Array
    low: Array
    high: Array

    def holds(self, x: Array) -> NDArray[np.bool_]:
        """Where `x` lies in the band, shape as x; rounding aside."""
        slack = SAME * np.abs(self.central)
        return np.asarray((x >= self.low - slack) & (x <= self.high + slack))


@dataclass(frozen=True)
class Forecast:
    """What the comparison expects."""

    bands: Mapping[str, Band]
    rows: Mapping[str, Array]
    """The draws behind each band, shape (n, months)."""
    payback: tuple[float, float, float]
    """Months until the cash is earned back: central, 5th and 95th percentile; inf = never."""


def dimensions(case: Case, months: int) -> int:
    """Numbers in (0, 1) that one draw of the forecast takes: for its facts, and for the luck of its months."""
    lucky = max(min(months, (DIMENSIONS - len(case.uncertain)) // len(MONTHLY)), 1)  # months that have luck of their own
    return len(case.uncertain) + len(MONTHLY) * lucky


def forecast(case: Case, choices: Mapping[str, Choice], id: str, days: Array, count: int) -> Forecast:
    """The forecast of option `id` for months 1..count, from the draws that the Case names; `days` of months 1..H."""
    n = max(int(case["draws"].number()), 1)
    shared, options = in_calendar(*read_all(case, case.values(), choices), days)
    central = figures(shared, options[id], options).in_days(days[:count])
    middle = {name: np.broadcast_to(x, (count,)) for name, x in of_figures(central, np.ones(1)).items()}
    first, saving = _savings(shared, options, id, days)
    paid = float(payback(first, saving))
    rows, months = simulate(case, choices, id, days, count, n=n)
    low, high = (float(np.quantile(months, p, method="lower")) for p in BAND)
    bands = {name: Band(middle[name], *np.quantile(x, BAND, axis=0)) for name, x in rows.items()}
    return Forecast(bands, rows, (paid, low, high))


def simulate(
    case: Case, choices: Mapping[str, Choice], id: str, days: Array, count: int, *, n: int = 0, points: Array | None = None
) -> tuple[dict[str, Array], Array]:
    """Months as they might come, by quantity and of shape (draws, months), and the payback of each draw in months.

    From the first `n` points of the Case's sequence, or from `points` of shape (draws, dimensions).
    """
    wide, seed = dimensions(case, count), int(case["seed"].number())
    total = n if points is None else len(points)
    found: dict[str, list[Array]] = {name: [] for name in QUANTITIES}
    paid: list[Array] = []
    for start in range(0, total, CHUNK):
        stop = min(start + CHUNK, total)
        u = sobol(start, stop, wide, seed) if points is None else points[start:stop]
        values = case.values(u[:, : len(case.uncertain)])
        shared, options = in_calendar(*read_all(case, values, choices), days)
        luck = _luck(u[:, len(case.uncertain) :], count)
        monthly = figures(shared, options[id], options).in_days(days[:count])
        prices = price_factors(case, shared, options, id, choices)[..., :count]
        if np.any(monthly.waiting_usd > 0):
            prices = paid_prices(monthly, prices, price_factors(case, shared, options, "stay", choices)[..., :count])
        prices = prices * luck["price"]
        moved = _moved(shared, options[id], luck)
        rows = of_figures(monthly, prices, moved, luck)
        for name, x in rows.items():
            found[name].append(np.broadcast_to(x, (stop - start, count)))
        first, saving = _savings(shared, options, id, days, _carried(luck, days.size))
        paid.append(np.broadcast_to(payback(first, saving), (stop - start,)))
    return {name: np.concatenate(parts) for name, parts in found.items()}, np.concatenate(paid)


def of_figures(
    x: Figures, prices: Array, moved: Array | float = 1.0, luck: Mapping[str, Array] | None = None
) -> dict[str, Array]:
    """The quantities that are judged, of figures; `moved` is what the luck of a month makes of the calls' cost."""
    by = luck or dict.fromkeys(MONTHLY, np.ones(1))
    return {
        CASH: np.asanyarray(x.calls_usd * moved + x.api_usd - x.calls_usd + x.gpu_usd * by["hours"] + x.other_usd),
        CALLS: x.calls * by["volume"],
        INPUT_TOKENS: x.input_tokens * by["input"],
        OUTPUT_TOKENS: x.output_tokens * by["output"],
        PRICES: prices,
        CACHED: np.minimum(x.cached_share * by["cache"], 1.0),
        HOURS: x.gpu_hours * by["hours"],
        WRONG: x.wrong,
    }


def _luck(u: Array, months: int) -> dict[str, Array]:
    """What each month is off its trend, by what is off, shape (n, months)."""
    each = u.shape[1] // len(MONTHLY)
    turn = np.arange(months) % each
    return {
        name: quantile(u[:, k * each + turn], 1.0 / factor, 1.0, factor, "ratio")
        for k, (name, factor) in enumerate(MONTHLY.items())
    }


def _lately(luck: Mapping[str, Array]) -> dict[str, Array]:
    """What is carried on of the luck of months that came, shape (n, 1)."""
    return {name: x[:, -1:] if name == "price" else x[:, -LATELY:].mean(axis=1, keepdims=True) for name, x in luck.items()}


def _carried(luck: Mapping[str, Array], horizon: int) -> dict[str, Array]:
    """The luck of the months that came, and in those ahead what is carried on of it, shape (n, horizon)."""
    ahead = _lately(luck)
    return {name: np.concatenate([x, *[ahead[name]] * (horizon - x.shape[1])], axis=1) for name, x in luck.items()}


def luck_ahead(u: Array, came: int, horizon: int, told: Collection[str]) -> dict[str, Array]:
    """The luck of each month after those that came, 1 in these, shape (n, horizon).

    `u` holds what `dimensions` asks for `horizon` months beside the facts. What was `told` of the last months is carried on
    with their luck, which those ahead do not have.
    """
    luck = _luck(u, horizon)
    carried = _lately({name: x[:, :came] for name, x in luck.items()})
    found = {name: x / carried[name] if name in told else x.copy() for name, x in luck.items()}
    for x in found.values():
        x[:, :came] = 1.0
    return found


def _moved(shared: Shared, option: Option, luck: Mapping[str, Array]) -> Array:
    """What luck makes of the bill of a month: its volume, the input that is read from the cache or not, output, and price."""
    given, made, cached = input_parts(shared, option)
    tokens = (given - cached * (luck["cache"] - 1.0)) * luck["input"] + made * luck["output"]
    return np.asanyarray(luck["volume"] * tokens * luck["price"])


def price_factors(case: Case, shared: Shared, options: Mapping[str, Option], id: str, choices: Mapping[str, Choice]) -> Array:
    """The price of the option's API in each month over the central forecast's, shape (..., H): successors and discounts."""
    fixed, known = read_all(case, case.values(), choices)
    option, middle = options[id], known[id]
    if option.api is None or middle.api is None:
        return np.ones(shared.horizon)
    return np.asanyarray(price_level(shared, option) / np.maximum(price_level(fixed, middle), 1e-12))


def paid_prices(x: Figures, own: Array, stay: Array) -> Array:
    """The price of all calls of each month over the forecast's, from that of the option's model and of the incumbent's.

    What is paid for the incumbent until another model is live, and in parallel, is at its own price, which the part of the
    bill's gap that is price moves (docs/economics.md, 4.9).
    """
    listed = (x.calls_usd - x.waiting_usd) / own + x.waiting_usd / stay
    return np.asanyarray(np.where(listed > 0, x.calls_usd / np.where(listed > 0, listed, 1.0), own))


def _savings(
    shared: Shared, options: Mapping[str, Option], id: str, days: Array, luck: Mapping[str, Array] | None = None
) -> tuple[Number, Array]:
    """Cash that the option saves against staying in month 0, and in months 1..H of so many days, each with its `luck`."""
    own, stay = (figures(shared, options[each], options).in_days(days) for each in (id, "stay"))
    saving = np.atleast_2d(stay.cash_usd - own.cash_usd)
    if luck is not None and id != "stay":
        saving = saving + saved_by_luck(shared, options, id, own, stay, luck)
    first = stay.upfront_usd - own.upfront_usd
    return first, saving if saving.shape[0] > 1 or np.ndim(first) > 1 else saving[0]


def saved_by_luck(
    shared: Shared, options: Mapping[str, Option], id: str, own: Figures, stay: Figures, luck: Mapping[str, Array]
) -> Array:
    """What the luck of months adds to the cash that the option saves against staying in them, USD."""
    stays = _moved(shared, options["stay"], {**luck, "price": np.ones(1)}) - 1.0
    moves = own.calls_usd * (_moved(shared, options[id], luck) - 1.0) + own.gpu_usd * (luck["hours"] - 1.0)
    return np.asanyarray(stay.calls_usd * stays - moves)


@dataclass(frozen=True)
class Held:
    """How many figures lie in their bands, and how probable that few are."""

    held: int
    judged: int
    chance: float
    """Share of the forecast's own draws in which no more of them do."""


def count_held(inside: NDArray[np.bool_], judged: NDArray[np.bool_], expected: Forecast) -> tuple[Held, dict[str, Held]]:
    """How many figures lie in their bands, of all and by quantity, and whether the forecast's own draws do as badly.

    `inside` and `judged` have shape (quantities, months): whether what came lies in its band, and whether anything came. Months
    of one draw share its facts, so that they miss together: the binomial of months that know nothing of each other would call
    that a surprise.
    """
    bands = expected.bands
    held = np.stack([band.holds(expected.rows[name]) for name, band in bands.items()], axis=1) & judged

    def of(some: slice) -> Held:
        came = int(np.count_nonzero(inside[some] & judged[some]))
        return Held(came, int(np.count_nonzero(judged[some])), float(np.mean(held[:, some].sum(axis=(1, 2)) <= came)))

    return of(slice(None)), {name: of(slice(k, k + 1)) for k, name in enumerate(bands) if judged[k].any()}
