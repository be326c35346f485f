"""Lines of hardware of one's own: purchase, installation, power, space, replacement, less what the cards fetch in the end."""

import numpy as np

from roi.economics.finance import accumulate
from roi.economics.inputs import Array, Hardware, Number, Option, Plan, Shared
from roi.economics.lines.calendar import Share, by_month, has_rows, last_month, powers
from roi.economics.lines.line import Arithmetic, Line, Words, any_positive, nothing_monthly, pick
from roi.economics.lines.line_kind import LineKind
from roi.units import HOURS_PER_MONTH, MONTHS_PER_YEAR, dollars

MOST_AGES = 3
"""Purchases that the arithmetic of what is sold names one by one."""


def purchases(there: Array, life_months: int) -> Array:
    """GPUs bought at month ends 0..H-1 so that those `there`, which never are fewer, (..., H) exist: what is new or worn out.

    Bought at the end of the month before it serves; replaced `life_months` later; a shrinking fleet sells nothing early.
    """
    bought = np.array(there, order="K")
    bought[..., 1:] -= there[..., :-1]
    for month in range(life_months, bought.shape[-1]):
        bought[..., month] += bought[..., month - life_months]
    return bought


def hardware_lines(shared: Shared, option: Option, terms: Hardware, gpus: Array, live: Share) -> list[Line]:
    """Lines of an owned fleet with `gpus` in use, shape (..., H); the first fleet is paid in month 0, when it is ordered.

    Cards that are there already are not bought: as many as are ever used cost in month 0 what selling them would bring. One
    that wears out within the horizon is replaced by a new one once it is in use, which is set into the server that stands.
    """
    assert option.plan is not None
    plan = option.plan
    there = bool(np.all(np.isfinite(plan.gpus_owned)))
    kept = _kept_ready(shared, plan, terms, gpus, there=there)
    most = accumulate(np.maximum, kept)
    bought = purchases(most, terms.life_months) * (1.0 + terms.spare_share)
    later = np.zeros_like(bought)
    np.multiply(bought[..., 1:], most[..., :-1] > 0.0, out=later[..., :-1])
    ordered = bought.sum(axis=-1, keepdims=True) - later.sum(axis=-1, keepdims=True)
    first = ordered if bought.ndim > 1 else ordered[0]
    price = plan.usd_per_gpu + terms.host_usd
    if not there:
        each = f"({dollars(pick(plan.usd_per_gpu))} + {dollars(pick(terms.host_usd))} host)"
        facts = (f"purchase.{plan.gpu}.usd_per_gpu", "own_hardware.host_usd_per_gpu")
        return [
            _purchase_line("hardware, purchase and replacement", later, price, each, first, facts=facts),
            _purchase_line("hardware, installation", later, price * terms.install_share, each, first,
                           facts=("own_hardware.install_share",), times=f" x {pick(terms.install_share):.4g}"),
            *_power_lines(plan, terms, kept if terms.as_a_whole else gpus, live),
            _resale_line("hardware, resale", shared.horizon, terms, bought, price, each),
        ]
    each = f"{dollars(pick(plan.usd_per_gpu))} that selling one would bring"
    own = Line(
        name="own cards, not sold (no cash)", kind=LineKind.HARDWARE, path=nothing_monthly(shared), rate=0.0,
        upfront=first * price,
        facts=(f"own_hardware.resale_usd_per_gpu.{plan.gpu}",), no_cash=True,
        arithmetic=Words(lambda: f"{pick(ordered):,.6g} GPU x {each}"),
    )
    power = _power_lines(plan, terms, kept if terms.as_a_whole else gpus, live)
    at_first = (np.arange(shared.horizon) == 0) * 1.0
    sold = _resale_line("own cards, resale (no cash)", shared.horizon, terms, bought * at_first, price, each, no_cash=True)
    if terms.life_months >= shared.horizon:
        return [own, *power, sold]
    new = plan.usd_per_gpu if plan.replacement_usd is None else plan.replacement_usd
    each_new, worn = dollars(pick(new)), np.arange(shared.horizon) >= terms.life_months
    in_use = most if terms.as_a_whole else np.maximum(accumulate(np.maximum, gpus), plan.gpus_to_train)
    replaced = purchases(live.where_any(in_use * worn), terms.life_months) * (1.0 + terms.spare_share)
    again = np.zeros_like(replaced)
    again[..., :-1] = replaced[..., 1:]
    return [
        own,
        _purchase_line("hardware, purchase and replacement", again, new, each_new,
                       facts=(f"purchase.{plan.gpu}.usd_per_gpu", "own_hardware.life_months")),
        *power, sold,
        _resale_line("hardware, resale of replacements", shared.horizon, terms, replaced, new, each_new),
    ]


def _purchase_line(
    name: str, later: Array, usd: Number, each: str, first: Number = 0.0, *, facts: tuple[str, ...], times: str = "",
) -> Line:
    """The line of cards at `usd`: the `first` ones in month 0, and those that are bought at month ends 1..H."""

    def bought_for(gpus: float) -> str:
        return f"{gpus:,.6g} GPU x {each}{times}"

    def paid(month: int) -> str:
        return bought_for(pick(first) if month < 0 else pick(later, month))

    def all_paid() -> Arithmetic | str:
        more = any(pick(later, month) for month in range(later.shape[-1]))
        return paid if more else bought_for(pick(first))

    return Line(name=name, kind=LineKind.HARDWARE, path=later, rate=usd, upfront=first * usd, facts=facts,
                arithmetic=Words(all_paid))


def _power_lines(plan: Plan, terms: Hardware, gpus: Array, live: Share) -> list[Line]:
    """Electricity and space of the GPUs that draw power."""
    apart = any_positive(terms.usd_per_kwh)

    def kw(month: int) -> float:
        return pick(gpus, month) * pick(live.whole, month) * pick(plan.watts) / 1000.0

    def powered(month: int) -> str:
        return (
            f"{kw(month):,.6g} kW x {pick(terms.power_share):.4g} x PUE {pick(terms.pue):.4g}"
            f" x {HOURS_PER_MONTH} h x {dollars(pick(terms.usd_per_kwh), 4)}/kWh"
        )

    return [
        Line(
            name="electricity" if apart else "electricity, included in colocation", kind=LineKind.HARDWARE, path=gpus,
            share=live,
            rate=plan.watts / 1000.0 * terms.power_share * terms.pue * HOURS_PER_MONTH * terms.usd_per_kwh,
            facts=tuple(f"own_hardware.{name}" for name in ("usd_per_kwh", "pue", "power_share")), arithmetic=powered,
        ),
        Line(
            name="colocation", kind=LineKind.HARDWARE, path=gpus, share=live,
            rate=plan.watts / 1000.0 * terms.colocation_usd_per_kw,
            facts=("own_hardware.colocation_usd_per_kw_month",),
            arithmetic=lambda month: f"{kw(month):,.6g} kW x {dollars(pick(terms.colocation_usd_per_kw))}/kW"
            f"{'' if apart else ', power included'}",
        ),
    ]


def _resale_line(
    name: str, horizon: int, terms: Hardware, bought: Array, price: Number, each: str, *, no_cash: bool = False
) -> Line:
    """The line of what the cards `bought` at month ends 0..H-1 fetch when they are worn out, or at the horizon."""
    months, left = _left_of_purchases(horizon, terms, bought)

    def sold(month: int) -> str:
        if pick(price, month) == 0.0:  # a card that would fetch nothing has nothing left
            return f"0 x {each}"
        kept = pick(terms.kept_per_year)
        each_age = [f"{gpus:,.6g} GPU x {kept:.4g}^{age:.4g}" for gpus, age in _sold_in(month, horizon, terms, bought)]
        if len(each_age) > MOST_AGES:
            worth = pick(months, month) * pick(left)
            return f"{worth:,.6g}, the sum of {len(each_age)} purchases of GPU x {kept:.4g}^years of age, x {each}"
        several = f"({' + '.join(each_age)})" if len(each_age) > 1 else "".join(each_age)
        return f"{several or 0} (kept a year ^ years of age) x {each}"

    return Line(name=name, kind=LineKind.HARDWARE, path=months, rate=-price * left,
                facts=("own_hardware.value_kept_per_year",), arithmetic=sold, no_cash=no_cash)


def _sold_in(month: int, horizon: int, terms: Hardware, bought: Array) -> list[tuple[float, float]]:
    """GPUs that are sold at this month's end (0 = month 1), and their age in years, purchase by purchase."""
    last, worn = month == horizon - 1, month - terms.life_months + 1
    at = range(max(worn, 0), horizon) if last else range(worn, worn + 1) if worn >= 0 else ()
    found = ((pick(bought, k), (month + 1 - k) / MONTHS_PER_YEAR) for k in at)
    return [(gpus, age) for gpus, age in found if gpus]


def _kept_ready(shared: Shared, plan: Plan, terms: Hardware, gpus: Array, *, there: bool) -> Array:
    """GPUs that are there in each month: those in use; as many as are ever used, where they are owned or come as a whole.

    Of cards that are owned as many stay as a retraining takes, or all of them where they come as a whole.
    """
    if not (there or terms.as_a_whole):
        return gpus
    most = by_month(np.multiply, np.max(gpus, axis=-1, keepdims=True), np.ones(shared.horizon))
    return np.maximum(most, plan.gpus_owned if terms.as_a_whole else plan.gpus_to_train) if there else most


def _left_of_purchases(horizon: int, terms: Hardware, bought: Array) -> tuple[Array, Number]:
    """GPUs' worth that is sold: by month, shape (..., H), times what is the same in all months.

    What is worn out is sold as it is replaced, the rest at the horizon, at its age.
    """
    worn = max(horizon - terms.life_months + 1, 0)  # bought in so many months, they are worn out by the horizon
    ages = (horizon - np.arange(worn, horizon)) / MONTHS_PER_YEAR
    kept, quick = terms.kept_per_year, has_rows(terms.kept_per_year) and bool(np.all(terms.kept_per_year > 0.0))
    left = bought[..., worn:] * (powers(kept, ages) if quick else by_month(np.power, kept, ages))
    at_horizon = left.sum(axis=-1, keepdims=True)
    if not worn:
        return last_month(horizon), at_horizon
    sold = np.zeros_like(bought, shape=np.broadcast_shapes(bought.shape, np.shape(terms.kept_per_year)))
    sold[..., horizon - worn :] = bought[..., :worn] * terms.kept_per_year ** (terms.life_months / MONTHS_PER_YEAR)
    sold[..., -1:] += at_horizon
    return sold, 1.0
