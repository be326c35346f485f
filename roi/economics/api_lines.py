"""Lines that an API bills: uncached input, cache reads, cache writes, output, batch."""

import numpy as np

from roi.economics.calendar import requests
from roi.economics.inputs import Array, Number, Option, Shared
from roi.economics.line import Line, pick
from roi.economics.service import Service
from roi.units import MTOK

ZERO = 0.0
WORKLOAD_FACTS = (
    "workload.requests_per_day",
    "workload.growth_per_year",
    "workload.input_tokens",
    "workload.output_tokens",
    "reconciliation.factor",
)


def price_facts(option: Option) -> tuple[str, ...]:
    """Paths of the facts behind one API's price."""
    return (
        *WORKLOAD_FACTS,
        "drift.successor_price_ratio",
        f"options.{option.id}.price.input_usd_per_mtok",
        f"systems.{option.system}.token_ratio",
        f"vendors.{option.vendor}.life_months",
    )


def api_lines(shared: Shared, api: Service, share: Array) -> list[Line]:
    """One line for each way the API bills, for `share` of each month's requests, shape (..., H)."""
    c = api.cost
    parts: tuple[tuple[str, Number, Number], ...] = (
        ("API input, uncached", c.input_usd, c.input_tokens),
        ("API input, cache read", c.cache_read_usd, c.cache_read_tokens),
        ("API input, cache write", c.cache_write_usd, c.cache_write_tokens),
        ("API output", c.output_usd, c.output_tokens),
        ("API batch, input and output", c.batch_usd, c.batch_tokens),
    )
    volume = requests(shared) * share
    return [token_line(name, volume, usd, tokens, api) for name, usd, tokens in parts if np.any(np.asarray(usd) != 0.0)]


def token_line(name: str, volume: Array, usd: Number, tokens: Number, api: Service) -> Line:
    """requests x tokens x USD/Mtok x price path."""
    monthly = volume * usd * api.price

    def arithmetic(month: int) -> str:
        each, price = pick(tokens, month), pick(api.price, month)
        rate = pick(usd, month) / each * MTOK if each else 0.0
        moved = "" if abs(price - 1) < 1e-12 else f" x {price:.4f} price factor"
        return f"{pick(volume, month):,.0f} requests x {each:,.2f} tok x ${rate:,.6g}/Mtok{moved}"

    return Line(name, np.asarray(monthly), ZERO, price_facts(api.option), arithmetic)


def whole_request_line(name: str, volume: Array, api: Service, extra: tuple[str, ...] = ()) -> Line:
    """requests x USD per request x price path, for traffic that another option sends to an API."""
    monthly = volume * api.cost.usd * api.price

    def arithmetic(month: int) -> str:
        price = pick(api.price, month)
        moved = "" if abs(price - 1) < 1e-12 else f" x {price:.4f} price factor"
        return f"{pick(volume, month):,.0f} requests x ${pick(api.cost.usd, month):.8g} each{moved}"

    return Line(name, np.asarray(monthly), ZERO, (*price_facts(api.option), *extra), arithmetic)
