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
    plan, own = option.plan, "own_hardware."
    bought = purchases(gpus, terms.life_months) * (1.0 + terms.spare_share)
    price = plan.usd_per_gpu + terms.host_usd
    ordered = ordered_ahead(bought)
    upfront, later = ordered[..., :1], np.concatenate([ordered[..., 1:], np.zeros_like(ordered[..., :1])], axis=-1)
    first = upfront if bought.ndim > 1 else float(upfront[0])
    ages = (shared.horizon - np.arange(shared.horizon)) / MONTHS_PER_YEAR
    in_use = np.arange(shared.horizon) + terms.life_months > shared.horizon
    left = (bought * in_use * terms.kept_per_year**ages).sum(axis=-1, keepdims=True)
    worn = np.where(in_use, 0.0, bought)
    last = np.zeros(shared.horizon)
    last[-1] = 1.0
    sold_later = np.zeros_like(bought)
    if terms.life_months <= shared.horizon:
        sold_later[..., terms.life_months - 1 :] = worn[..., : shared.horizon - terms.life_months + 1]
    resale = -price * (left * last + sold_later * terms.kept_per_year ** (terms.life_months / MONTHS_PER_YEAR))
    kw = gpus * live * plan.watts / WATTS_PER_KW
    energy = kw * terms.power_share * terms.pue * HOURS_PER_MONTH * terms.usd_per_kwh
    space = kw * terms.colocation_usd_per_kw
    each = f"(${pick(plan.usd_per_gpu, 0):,.6g} + ${pick(terms.host_usd, 0):,.6g} host)"

    def paid(month: int) -> str:
        now = f"month 0: {pick(ordered, 0):,.6g} GPU x {each}"
        return f"{pick(later, month):,.6g} GPU x {each}" if pick(later, month) else now

    def sold(month: int) -> str:
        in_month = -pick(resale, month) / pick(price, month)
        return f"{in_month:,.6g} of a GPU's price is left x {each}, at {pick(terms.kept_per_year, 0):.4g} kept a year"

    return [
        Line(
            "hardware, purchase and replacement",
            np.asarray(later * price),
            first * price,
            (f"purchase.{plan.gpu}.usd_per_gpu", own + "host_usd_per_gpu"),
            paid,
        ),
        Line(
            "hardware, installation",
            np.asarray(later * price * terms.install_share),
            first * price * terms.install_share,
            (own + "install_share",),
            lambda month: f"{paid(month)} x {pick(terms.install_share, 0):.4g}",
        ),
        Line(
            "electricity",
            np.asarray(energy),
            0.0,
            (own + "usd_per_kwh", own + "pue", own + "power_share"),
            lambda month: (
                f"{pick(kw, month):,.6g} kW x {pick(terms.power_share, 0):.4g} x PUE {pick(terms.pue, 0):.4g}"
                f" x {HOURS_PER_MONTH} h x ${pick(terms.usd_per_kwh, 0):.4g}/kWh"
            ),
        ),
        Line(
            "colocation",
            np.asarray(space),
            0.0,
            (own + "colocation_usd_per_kw_month",),
            lambda month: f"{pick(kw, month):,.6g} kW x ${pick(terms.colocation_usd_per_kw, 0):,.6g}/kW",
        ),
        Line(
            "hardware, resale",
            np.asarray(resale),
            0.0,
            (own + "value_kept_per_year",),
            sold,
        ),
    ]
