"""The bill that a scenario states: of which requests and tokens, and of which day's prices it is."""

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from datetime import date as Date
from math import inf, isclose
from typing import Any, Final, NamedTuple

from roi.facts.case import OWN_SERVERS
from roi.scenario import TEMPLATES
from roi.scenario.quantity import value_of
from roi.scenario.sections.demand import BillOf, Incumbent, Workload
from roi.scenario.template import BUNDLED, template
from roi.scenario.yaml import parse_yaml
from roi.units import dollars

BILL: Final = "bill_usd_per_month"
OF: Final = "bill_of"
VOLUME: Final = "workload.requests_per_day"
COUNT: Final = VOLUME.partition(".")[2]
UNITS: Final = "provisioned_throughput"
AT: Final = "at_requests_per_day"
"""Field of units and seats: of how many requests they are."""
LENGTHS: Final = frozenset({"input_tokens", "output_tokens", "lengths"})
WORDS: Final = {COUNT: "requests a day", "input_tokens": "input tokens", "output_tokens": "output tokens",
                "shared_prefix_tokens": "tokens of prefix", "cache_hit_rate": "of cache hits"}
"""What a bill counts, as it is told behind its number."""


class Billed(NamedTuple):
    """The bill of a month in plain data, and what stands beside it."""

    bill: Any
    """None where there is none."""
    of: dict[str, Any]
    """The fields of the workload that a bill is of, as they are written: a number, or a block with its spread and source."""


def billed(data: dict[str, Any], part: dict[str, Any]) -> Billed:
    """What the data say; a bill of `part`, which was laid over them and counts no requests, is of none that are counted."""
    workload = data.get("workload")
    there = workload if isinstance(workload, dict) else {}
    of = {name: deepcopy(there[name]) for name in BillOf.model_fields if name in there}
    if BILL in part.get("incumbent", {}) and COUNT not in part.get("workload", {}):
        of.pop(COUNT, None)
    return Billed(_value(data, "incumbent", BILL), of)


def keep_bill(data: dict[str, Any], before: Billed, over: Sequence[str]) -> str | None:
    """Keep in the plain data of which requests and tokens the bill is, where others were laid over those `before`.

    A bill is price x tokens x requests. Held against others than were billed, the gap would count as another price or as
    missing requests. `over` are the paths that were laid over; a bill among them is of what is there now. Returns what is to
    be said of a template's guess, which no bill is of: it is taken as that of what was laid over it; else None.
    """
    incumbent, workload = data.get("incumbent"), data.get("workload")
    if not isinstance(incumbent, dict) or not isinstance(workload, dict):
        return None
    if incumbent.get("provisioned_throughput") or incumbent.get("seats"):
        return None  # what is paid by unit or seat follows no requests
    if any(f"{path}.".startswith(f"incumbent.{BILL}.") for path in over):
        if not any(f"{path}.".startswith(f"incumbent.{OF}.") for path in over):
            incumbent.pop(OF, None)
        return None
    if not _is_number(before.bill) or _value(data, "incumbent", BILL) != before.bill:
        return None
    known = set(incumbent.get(OF) or {})
    known |= LENGTHS if known & LENGTHS else set()
    moved = {name: field for name, field in before.of.items()
             if name not in known and _is_amount(field) and _plain(field) != _plain(workload.get(name))}
    guesses = _guesses(data.get("template"))
    guessed = [name for name in moved if guesses.get(name) == moved[name]]
    if kept := {name: _plain(field) for name, field in moved.items() if name not in guessed}:
        incumbent[OF] = {**(incumbent.get(OF) or {}), **kept}
    told = [(f"{_plain(workload[name]):,.10g} {WORDS[name]}", f"{_plain(moved[name]):,.10g}")
            for name in guessed if name in WORDS and _is_number(_plain(workload.get(name)))]
    if not told:
        return None
    now, was = (" and ".join(words) for words in zip(*told, strict=True))
    return f"The bill, {dollars(before.bill, 10)}, is taken as that of {now}: {was} were the template's guess"


def workload_billed(i: Incumbent, w: Workload) -> Workload:
    """The workload that the bill is of: `w`, but for what `bill_of` says."""
    if i.bill_of is None:
        return w
    own = {name: value for name in BillOf.model_fields if (value := getattr(i.bill_of, name)) is not None}
    other = () if not LENGTHS & set(own) else ("input_tokens", "output_tokens") if "lengths" in own else ("lengths",)
    return w.model_copy(update={**dict.fromkeys(other), **own})


def bill_moved(i: Incumbent, w: Workload, usd: float) -> str | None:
    """Says that the bill is taken as `usd` a month, as that of other requests and tokens; None where they cost the same."""
    was, now, bill = dict(_counted(workload_billed(i, w))), dict(_counted(w)), value_of(i.bill_usd_per_month or 0.0)
    apart = [name for name in WORDS if was[name] != now[name]]
    if not apart or isclose(usd, bill):
        return None
    of = " and ".join(f"{was[name]:,.10g} {WORDS[name]}" for name in apart)
    then = " and ".join(f"{now[name]:,.10g}" for name in apart)
    return f"The bill, {dollars(bill, 10)} of {of}, is taken as ${usd:,.2f} of {then}; set incumbent.{BILL} too to keep one"


def _counted(w: Workload) -> Iterator[tuple[str, float]]:
    """What a bill counts of the workload; of lengths their means."""
    for name in WORDS:
        means = w.lengths is not None and name in LENGTHS
        yield name, sum(getattr(b, name) * b.share for b in w.lengths or ()) if means else value_of(getattr(w, name))


def keep_units(data: dict[str, Any], before: Billed) -> str | None:
    """Note in the plain data of how many requests a day today's units or seats are, where others are laid over those `before`.

    What units hold follows from what they answer: at another volume they hold no more. Seats are then those of more users,
    unless these have a growth of their own. What that is taken as; None where neither is paid, they say it themselves, or the
    requests are as they were or were a template's guess.
    """
    incumbent, new, was = data.get("incumbent"), _value(data, "workload", COUNT), before.of.get(COUNT)
    if not _is_number(_plain(was)) or _plain(was) == new or _guesses(data.get("template")).get(COUNT) == was:
        return None
    for name, count, of in ((UNITS, "units", "units"), ("seats", "users", "seats")):
        paid = incumbent.get(name) if isinstance(incumbent, dict) else None
        if isinstance(paid, dict) and paid.get(count) and paid.get(AT) is None and paid.get("growth_per_year") is None:
            paid[AT] = _plain(was)
            here = "" if name == UNITS else f", as {_plain(paid[count]) * new / paid[AT]:,.4g} of {new:,.10g}"
            return (f"Today's {of} are taken as those of {paid[AT]:,.10g} requests a day{here}; set incumbent.{name} too to say"
                    " otherwise")
    return None


def servers_before(data: dict[str, Any], before: Billed) -> str | None:
    """Says that today's own servers cost what was stated beside other requests, those `before`; None where they do not.

    It does not where no model is served today, the requests are as they were, or a cost of staying says what each adds.
    """
    incumbent, new, was = data.get("incumbent"), _value(data, "workload", COUNT), before.of.get(COUNT)
    costs = data.get("costs")
    own = [c for c in costs if isinstance(c, dict) and c.get("option") == "stay"] if isinstance(costs, list) else []
    served = isinstance(incumbent, dict) and str(incumbent.get("provider")).strip().lower() == OWN_SERVERS
    if not served or not own or any("usd_per_request" in cost for cost in own):
        return None
    if not _is_number(_plain(was)) or _plain(was) == new:
        return None
    return (f"The costs of today's servers are those of {_plain(was):,.10g} requests a day; where {new:,.10g} take more or"
            " fewer servers, set costs too")


def tell_day(part: dict[str, Any], incumbent: object, as_of: Date, tell: Callable[[str], None] | None) -> None:
    """Say where the incumbent's bill is a part's, at the list prices of another day than the scenario's."""
    bill = part.get("incumbent", {}).get(BILL)
    own = isinstance(incumbent, dict) and bill is not None and incumbent.get(BILL) == bill
    if tell is not None and own and part.get("as_of", day := as_of.isoformat()) != day:
        tell(f"incumbent.{BILL} of the part is at the list prices of {part['as_of']}, and the scenario is of {day}: where the"
             " list moved in between, so did its gap to the bill; roi usage FILES --scenario SCENARIO --output writes that of"
             f" {day}")


def _value(data: dict[str, Any], block: str, name: str) -> Any:  # Any: a value of YAML
    """The number in a field, or in the middle of its spread."""
    found = data.get(block)
    return _plain(found.get(name)) if isinstance(found, dict) else None


def _plain(field: Any) -> Any:  # Any: a value of YAML
    """The field, or the middle of its spread."""
    return field.get("value") if isinstance(field, dict) else field


def _is_number(x: object) -> bool:
    return type(x) in {int, float} and 0 < float(str(x)) < inf


def _is_amount(field: object) -> bool:
    """True of a number that a bill can be of, and of a list of lengths."""
    return isinstance(field, list) or _plain(field) == 0 or _is_number(_plain(field))


def _guesses(name: object) -> dict[str, Any]:
    """The workload as the template of this name has it; empty where there is no such template."""
    known = isinstance(name, str) and name in (*TEMPLATES, BUNDLED)
    return dict(parse_yaml(template(str(name)), str(name))["workload"]) if known else {}
