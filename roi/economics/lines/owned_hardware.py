"""Lines of owning GPUs: purchase, installation, power, space, replacement, and what the cards still fetch at the end."""

import numpy as np

from roi.economics.inputs import Array, Hardware, Option, Shared
from roi.economics.lines.line import Line, pick
from roi.units import HOURS_PER_MONTH, MONTHS_PER_YEAR

WATTS_PER_KW = 1000.0


def purchases(gpus: Array, life_months: int) -> Array:
    """GPUs bought at month ends 0..H-1 so that `gpus` (..., H) exist: what the fleet grows by, and what is worn out.

    Bought at the end of the month before it serves; replaced `life_months` later; a shrinking fleet sells nothing early.
    """
    most = np.maximum.accumulate(gpus, axis=-1)
    bought = np.diff(most, axis=-1, prepend=0.0)
    for month in range(life_months, bought.shape[-1]):
        bought[..., month] += bought[..., month - life_months]
    return bought


def ordered_ahead(bought: Array) -> Array:
    """The same purchases with the first fleet paid in month 0, when it is ordered; later ones stay where they are."""
    before_or_first = np.cumsum(bought, axis=-1) == bought
    first = (bought * before_or_first).sum(axis=-1, keepdims=True)
    later = np.where(before_or_first, 0.0, bought)
    return np.concatenate([later[..., :1] + first, later[..., 1:]], axis=-1)


def hardware_lines(shared: Shared, option: Option, terms: Hardware, gpus: Array, live: Array) -> list[Line]:
    """Lines of an owned fleet with `gpus` in use, shape (..., H)."""
    assert option.plan is not None
    plan = option.plan
    bought = purchases(gpus, terms.life_months) * (1.0 + terms.spare_share)
    price = plan.usd_per_gpu + terms.host_usd
    ordered = ordered_ahead(bought)
    upfront, later = ordered[..., :1], np.concatenate([ordered[..., 1:], np.zeros_like(ordered[..., :1])], axis=-1)
    first = upfront if bought.ndim > 1 else float(upfront[0])
    resale = -price * _left_of_purchases(shared.horizon, terms, bought)
    kw = gpus * live * plan.watts / WATTS_PER_KW
    each = f"(${pick(plan.usd_per_gpu):,.6g} + ${pick(terms.host_usd):,.6g} host)"

    def paid(month: int) -> str:
        now = f"month 0: {pick(ordered):,.6g} GPU x {each}"
        return f"{pick(later, month):,.6g} GPU x {each}" if pick(later, month) else now

    def sold(month: int) -> str:
        in_month = -pick(resale, month) / pick(price, month)
        return f"{in_month:,.6g} of a GPU's price is left x {each}, at {pick(terms.kept_per_year):.4g} kept a year"

    def powered(month: int) -> str:
        return (
            f"{pick(kw, month):,.6g} kW x {pick(terms.power_share):.4g} x PUE {pick(terms.pue):.4g}"
            f" x {HOURS_PER_MONTH} h x ${pick(terms.usd_per_kwh):.4g}/kWh"
        )

    def facts(*names: str) -> tuple[str, ...]:
        return tuple(f"own_hardware.{name}" for name in names)

    return [
        Line(
            name="hardware, purchase and replacement", monthly=np.asarray(later * price), upfront=first * price,
            facts=(f"purchase.{plan.gpu}.usd_per_gpu", *facts("host_usd_per_gpu")), arithmetic=paid,
        ),
        Line(
            name="hardware, installation", monthly=np.asarray(later * price * terms.install_share),
            upfront=first * price * terms.install_share, facts=facts("install_share"),
            arithmetic=lambda month: f"{paid(month)} x {pick(terms.install_share):.4g}",
        ),
        Line(
            name="electricity", monthly=np.asarray(kw * terms.power_share * terms.pue * HOURS_PER_MONTH * terms.usd_per_kwh),
            facts=facts("usd_per_kwh", "pue", "power_share"), arithmetic=powered,
        ),
        Line(
            name="colocation", monthly=np.asarray(kw * terms.colocation_usd_per_kw), facts=facts("colocation_usd_per_kw_month"),
            arithmetic=lambda month: f"{pick(kw, month):,.6g} kW x ${pick(terms.colocation_usd_per_kw):,.6g}/kW",
        ),
        Line(name="hardware, resale", monthly=np.asarray(resale), facts=facts("value_kept_per_year"), arithmetic=sold),
    ]


def _left_of_purchases(horizon: int, terms: Hardware, bought: Array) -> Array:
    """GPUs' worth that is sold in each month: what is worn out as it is replaced, the rest at the horizon, at its age."""
    start = np.arange(horizon)
    in_use = start + terms.life_months > horizon
    left = (bought * in_use * terms.kept_per_year ** ((horizon - start) / MONTHS_PER_YEAR)).sum(axis=-1, keepdims=True)
    last = np.zeros(horizon)
    last[-1] = 1.0
    sold_later = np.zeros_like(bought)
    if terms.life_months <= horizon:
        worn = np.where(in_use, 0.0, bought)
        sold_later[..., terms.life_months - 1 :] = worn[..., : horizon - terms.life_months + 1]
    return np.asarray(left * last + sold_later * terms.kept_per_year ** (terms.life_months / MONTHS_PER_YEAR))
