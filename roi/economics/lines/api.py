"""Lines that an API bills: uncached input, cache reads, cache writes, output, batch."""

import numpy as np

from roi.economics.inputs import Array, Number, Option, Shared
from roi.economics.lines.api_service import Service
from roi.economics.lines.calendar import billed_requests, requests
from roi.economics.lines.line import Line, pick
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


def counted(shared: Shared, share: Array | Number, month: int) -> str:
    """Requests of a month, the volume that the bill adds, and the share that goes this way."""
    volume, part = pick(shared.volume_factor, month), pick(share, month)
    more = "" if abs(volume - 1.0) < SAME else f" x {volume:.6g} volume by the bill"
    return f"{pick(requests(shared), month):,.0f} requests{more}" + ("" if abs(part - 1.0) < SAME else f" x {part:.8g}")


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
    batched = c.batched
    lines = []
    for name, usd, tokens in parts:
        if np.any(np.asarray(usd) != 0.0):
            part = batched if name.startswith("API batch") else 1.0 - batched
            lines.append(token_line(shared, name, share, part, usd, tokens, api))
    return lines


def token_line(shared: Shared, name: str, share: Array, part: Number, usd: Number, tokens: Number, api: Service) -> Line:
    """requests x tokens x USD/Mtok x price path; `part` of the requests go this way (batch or not)."""
    monthly = billed_requests(shared) * share * usd * api.price

    def arithmetic(month: int) -> str:
        some = pick(part, month)
        each = pick(tokens, month) / some if some else 0.0
        rate = pick(usd, month) / some / each * MTOK if each else 0.0
        way = pick(share, month) * some
        return f"{counted(shared, way, month)} x {each:,.2f} tok x ${rate:,.6g}/Mtok{moved(api, month)}"

    return Line(name, np.asarray(monthly), ZERO, price_facts(api.option), arithmetic)


def whole_request_line(shared: Shared, name: str, share: Array, api: Service, extra: tuple[str, ...] = ()) -> Line:
    """requests x share x USD per request x price path, for the share of a month's requests that goes to another API.

    `api` comes from `service`, which keeps it as long as `shared`, so that its identity names its bill.
    """
    monthly = share * shared.once(("bill", id(api)), lambda: billed_requests(shared) * api.cost.usd * api.price)

    def arithmetic(month: int) -> str:
        return f"{counted(shared, share, month)} x ${pick(api.cost.usd, month):.8g} each{moved(api, month)}"

    return Line(name, np.asarray(monthly), ZERO, (*price_facts(api.option), *extra), arithmetic)
