"""What an API bills over the horizon, line by line: its price moves, and the model ends, as the facts of its vendor say."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from operator import attrgetter
from typing import Final

import numpy as np

from roi.economics.inputs import Array, Number, Option, Shared
from roi.economics.lines.api_request import RequestCost, at_list, only_long, request_cost, without_long
from roi.economics.lines.calendar import Happened, Path, Share, whole
from roi.economics.lines.line import Along, Line, any_positive, billed_requests, live_months, pick, requests, usd_of_errors
from roi.economics.lines.line_kind import LineKind
from roi.economics.lines.successors import Successors, successors
from roi.units import MTOK, dollars

SAME = 1e-12
"""A factor this near to 1 is not worth a word."""
Part = Callable[[RequestCost], Number]
"""Something of a request's cost."""
WHOLE: Final[Part] = attrgetter("usd")


@dataclass(frozen=True)
class Service:
    """One vendor model in use. Its list price moves on the days that its vendor has announced.

    A successor's price is another fact, over the list that the model itself would have in that month: what is announced
    counts the same on every day from which one looks.
    """

    option: Option
    cost: RequestCost
    """What a request costs at today's list."""
    factor: Number
    """The incumbent's price over its list price, from the real bill; 1 for every other model."""
    successors: Successors
    steps: tuple[tuple[Array, RequestCost], ...] = ()
    """For each announced list, the share of each month from its day on, shape (H,), and what a request costs by it."""

    def rises(self, part: Part) -> Iterator[tuple[Array, Number]]:
        """The months of each step, and by how much it raises (or lowers) a part of the request's cost, USD."""
        before = self.cost
        for since, cost in self.steps:
            yield since, part(cost) - part(before)
            before = cost

    def listed(self, part: Part = WHOLE) -> Number:
        """A part of the request's cost at the model's own list, USD: by month, shape (..., H), where one is announced."""
        found = part(self.cost)
        for since, more in self.rises(part):
            found = found + more * since
        return found

    @cached_property
    def level(self) -> Array:
        """USD of the mean request in each month over that at today's list, `factor` included, shape (..., H).

        Of a request that costs nothing today it is `price`.
        """
        if not self.steps:
            return self.price
        today = np.asanyarray(self.cost.usd)
        return np.asanyarray(self.price * np.where(today > 0, self.listed() / np.where(today > 0, today, 1.0), 1.0))

    @cached_property
    def price(self) -> Array:
        """Price in each month over the model's own list, shape (..., H): `factor`, and what successors ask over that."""
        if isinstance(self.factor, float) and self.factor == 1.0:
            return self.successors.list_price
        return whole(self.successors.price(self.factor))

    @cached_property
    def errors(self) -> Array:
        """Error rate in each month over today's, shape (..., H)."""
        return whole(self.successors.errors())

    @cached_property
    def error_rate(self) -> Array:
        """Error rate of the model in each month, shape (..., H)."""
        return whole(self.successors.errors(self.option.error_rate))

    def facts(self) -> tuple[str, ...]:
        """Paths of the prices that its lines rest on; growth, successors' prices and volumes are drivers, not their basis."""
        later = (f"vendors.{self.option.vendor}.announced.{k}.input_usd_per_mtok" for k in range(len(self.steps)))
        return (f"options.{self.option.id}.price.input_usd_per_mtok", *later)

    def told(self, part: Part) -> RequestCost:
        """The cost that the arithmetic of a part begins with: today's, or the first by whose list it is not 0."""
        return next((cost for cost in (self.cost, *(cost for _, cost in self.steps)) if pick(part(cost)) > 0), self.cost)

    def moves(self, month: int, part: Part = WHOLE) -> str:
        """What else multiplies the list price in a month: the bill's price factor, announced and successors' prices."""
        factor, today = pick(self.factor, month), pick(part(self.told(part)), month)
        parts = [(factor, "bill over list"), (pick(self.listed(part), month) / today if today else 1.0, "announced price"),
                 (pick(self.price, month) / factor, "successor price")]
        return "".join(f" x {x:.4f} {name}" for x, name in parts if abs(x - 1.0) > SAME)


def service(shared: Shared, option: Option, hit_rate: Number | None = None) -> Service:
    """The service that `option`'s API is, with the shared hit rate unless another is given.

    The incumbent's own price factor (negotiated price, from the bill) applies to the incumbent alone. The mean request is that
    of those which the option's model takes.
    """
    key = (id(option), hit_rate is None)
    known = shared.memo.get(key)
    if isinstance(known, Service) and known.option is option:
        return known
    assert option.api is not None
    factor = shared.price_factor if option.same_model else 1.0
    if hit_rate is None:
        hit_rate = shared.hit_rate if option.api.hit_rate is None else option.api.hit_rate
    api, taken, steps = option.api, without_long(shared, option), []
    for later in api.announced:
        then = request_cost(taken, option.tokens, at_list(api, later), hit_rate)
        steps.append((live_months(shared, later.from_months).whole, then))
    made = shared.memo[key] = Service(
        option=option, factor=factor, successors=successors(shared, option), steps=tuple(steps),
        cost=request_cost(taken, option.tokens, api, hit_rate),
    )
    return made


def service_of_long(shared: Shared, option: Option, to: Option) -> Service:
    """The service that `to`'s API is to the requests alone that are too long for `option`."""
    long = service(only_long(shared, option), to)
    return replace(service(shared, to), cost=long.cost, steps=long.steps)


def billed_at_price(shared: Shared, api: Service, since: Array | None = None) -> Path:
    """Requests billed in each month (in its share `since`) x `Service.price`, multiplied once for all lines along it."""

    def made() -> Path:
        billed = np.asanyarray(billed_requests(shared) * (1.0 if since is None else since))
        if not isinstance(api.successors.ends, Happened):
            return np.asanyarray(billed * api.price)
        return api.successors.price(api.factor, billed)

    key = (api.factor,) if since is None else (api.factor, since)
    return shared.once_for(f"billed at price {id(api.successors)}", key, made)


def _rises_along(shared: Shared, api: Service, part: Part, share: Share, times: Number = 1.0) -> tuple[Along, ...]:
    """What each announced list adds to `times` a part of the request's cost, from its day on."""
    return tuple(Along(billed_at_price(shared, api, since), times * more, share) for since, more in api.rises(part))


def errors_at_usd(shared: Shared, api: Service) -> Path:
    """USD of wrong answers in each month if the service gave all of them."""
    usd = usd_of_errors(shared)
    if not isinstance(api.successors.ends, Happened):
        return shared.product(usd, api.error_rate)
    return shared.once(("errors at usd", id(api)), lambda: api.successors.errors(api.option.error_rate, usd))


def api_lines(shared: Shared, api: Service, share: Share) -> list[Line]:
    """The lines of the bill, one for each way the API bills, for `share` of each month's requests."""
    lists = (api.cost, *(cost for _, cost in api.steps))
    return [_token_line(shared, api, share, name, way) for way, name in WAYS.items()
            if any(np.any(np.asanyarray(getattr(cost, f"{way}_usd")) != 0.0) for cost in lists)]


WAYS: Final = {
    "input": "API input, uncached", "cache_read": "API input, cache read", "cache_write": "API input, cache write",
    "output": "API output", "batch": "API batch, input and output",
}  # fmt: skip
"""Ways in which a request is billed, as `RequestCost` has them, and the names of their lines."""


def _token_line(shared: Shared, api: Service, share: Share, name: str, way: str) -> Line:
    """The line of requests x tokens x USD/Mtok x price, of the requests that go this way (batch or not)."""
    usd: Part = attrgetter(f"{way}_usd")
    tier = 1.0 if api.option.api is None or way == "batch" else api.option.api.tier
    id, tiered = api.option.id, np.any(np.asanyarray(tier) != 1.0)
    facts = (f"options.{id}.flexible.share", f"options.{id}.flexible.price_ratio",
             *(f"vendors.{api.option.vendor}.{name}" for name in ("tier_price_ratio", "flexible.share", "flexible.price_ratio"))
             ) if tiered else ()

    def arithmetic(month: int) -> str:
        cost = api.told(usd)
        some = pick(cost.batched if way == "batch" else 1.0 - cost.batched, month)
        each = pick(getattr(cost, f"{way}_tokens"), month) / some if some else 0.0
        rate = pick(usd(cost), month) / some / each / pick(tier, month) * MTOK if each else 0.0
        part = pick(share.whole, month) * some
        slower = f" x {pick(tier, month):.6g} tier price" if tiered else ""
        return f"{_counted(shared, part, month)} x {each:,.2f} tok x {dollars(rate)}/Mtok{slower}{api.moves(month, usd)}"

    return Line(name=name, kind=LineKind.API, path=billed_at_price(shared, api), rate=usd(api.cost), share=share,
                facts=(*api.facts(), *facts), also=_rises_along(shared, api, usd, share), arithmetic=arithmetic)


def whole_request_line(
    shared: Shared, name: str, share: Share, api: Service, extra: tuple[str, ...] = (), part: Number = 1.0, *, kind: LineKind,
) -> Line:
    """The line of requests x part x share x USD per request x price, for requests that go to another API.

    `share` is by month and the same for many options, `part` the same in every month.
    """
    path = billed_at_price(shared, api)

    def arithmetic(month: int) -> str:
        some = pick(part, month) * pick(share.whole, month)
        return f"{_counted(shared, some, month)} x {dollars(pick(api.told(WHOLE).usd, month), 8)} each{api.moves(month)}"

    return Line(
        name=name, kind=kind, path=path, rate=part * api.cost.usd, share=share, facts=(*api.facts(), *extra),
        arithmetic=arithmetic, also=_rises_along(shared, api, WHOLE, share, part),
    )


def _counted(shared: Shared, part: float, month: int) -> str:
    """Requests of a month, the volume that the bill adds, and the share that goes this way."""
    volume = pick(shared.volume_factor, month)
    more = "" if abs(volume - 1.0) < SAME else f" x {volume:.6g} volume by the bill"
    return f"{pick(requests(shared), month):,.0f} requests{more}" + ("" if abs(part - 1.0) < SAME else f" x {part:.8g}")


def some_draws(escalated: Number) -> Array | None:
    """1 in draws that escalate something, 0 where the option is its own model alone, shape (n, 1); None where none is that."""
    clipped = type(escalated) is np.ndarray and not escalated.all()
    return np.where(escalated > 0, 1.0, 0.0) if clipped else None


def judge_line(shared: Shared, share: Share, asked: Array | None = None) -> list[Line]:
    """What the judge costs that decides which answers are handed on: it sees `share` of each month's requests.

    `asked`: `some_draws` of the share that is handed on.
    """
    if not any_positive(shared.judge_usd):
        return []
    rate = shared.judge_usd if asked is None else shared.judge_usd * asked
    return [Line(
        name="judge that escalates", kind=LineKind.JUDGE, path=billed_requests(shared), rate=rate, share=share,
        facts=("quality.judge_usd_per_request",),
        arithmetic=lambda month: (
            f"{_counted(shared, pick(share.whole, month), month)} x {dollars(pick(shared.judge_usd), 8)} each"),
    )]
