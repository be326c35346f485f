"""Lines that an API bills: uncached input, cache reads, cache writes, output, batch."""

import numpy as np

from roi.economics.calendar import billed_requests
from roi.economics.inputs import Array, Number, Option, Shared
from roi.economics.line import Line, pick
from roi.economics.service import Service
from roi.units import MTOK

ZERO = 0.0
SAME = 1e-12
"""A factor this near to 1 is not worth a word."""


def price_facts(option: Option) -> tuple[str, ...]:
    """Path of the price that a line rests on; growth, successors' prices and volumes are drivers, not the line's own basis."""
    return (f"options.{option.id}.price.input_usd_per_mtok",)


def moved(api: Service, month: int) -> str:
    """What else multiplies the list price in a month: the bill's price factor, and successors' prices."""
    factor = pick(api.factor, month)
    parts = [(factor, "bill over list"), (pick(api.price, month) / factor, "successor price")]
    return "".join(f" x {x:.4f} {name}" for x, name in parts if abs(x - 1.0) > SAME)


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
    volume, batched = billed_requests(shared) * share, c.batched
    lines = []
    for name, usd, tokens in parts:
        if np.any(np.asarray(usd) != 0.0):
            part = batched if name.startswith("API batch") else 1.0 - batched
            lines.append(token_line(name, volume, part, usd, tokens, api))
    return lines


def token_line(name: str, volume: Array, part: Number, usd: Number, tokens: Number, api: Service) -> Line:
    """requests x tokens x USD/Mtok x price path; `part` of the requests go this way (batch or not)."""
    monthly = volume * usd * api.price

    def arithmetic(month: int) -> str:
        share = pick(part, month)
        each = pick(tokens, month) / share if share else 0.0
        rate = pick(usd, month) / share / each * MTOK if each else 0.0
        some = "" if abs(share - 1.0) < SAME else f" x {share:.6g} of them"
        return f"{pick(volume, month):,.0f} requests{some} x {each:,.2f} tok x ${rate:,.6g}/Mtok{moved(api, month)}"

    return Line(name, np.asarray(monthly), ZERO, price_facts(api.option), arithmetic)


def whole_request_line(name: str, volume: Array, api: Service, extra: tuple[str, ...] = ()) -> Line:
    """requests x USD per request x price path, for traffic that another option sends to an API."""
    monthly = volume * api.cost.usd * api.price

    def arithmetic(month: int) -> str:
        return f"{pick(volume, month):,.0f} requests x ${pick(api.cost.usd, month):.8g} each{moved(api, month)}"

    return Line(name, np.asarray(monthly), ZERO, (*price_facts(api.option), *extra), arithmetic)
