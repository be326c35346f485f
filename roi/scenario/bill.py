"""The bill that a scenario states, in its plain data: of which requests and of which day's prices it is."""

from collections.abc import Callable
from datetime import date as Date
from math import inf
from typing import Any, Final, NamedTuple

from roi.scenario import TEMPLATES
from roi.scenario.template import BUNDLED, template
from roi.scenario.yaml import parse_yaml

BILL: Final = "bill_usd_per_month"
VOLUME: Final = "workload.requests_per_day"
COUNT: Final = VOLUME.partition(".")[2]


class Billed(NamedTuple):
    """Requests a day, and the bill of a month that stands beside them; None where there is none."""

    requests: Any  # Any: a value of YAML
    bill: Any
    field: Any
    """The requests as they are written: a number, or a block with its spread and source."""


def billed(data: dict[str, Any], part: dict[str, Any]) -> Billed:
    """What the data say; a bill of `part`, which was laid over them and counts no requests, is of none that are counted."""
    if BILL in part.get("incumbent", {}) and COUNT not in part.get("workload", {}):
        return Billed(None, None, None)
    workload = data.get("workload")
    field = workload.get(COUNT) if isinstance(workload, dict) else None
    return Billed(_value(data, "workload", COUNT), _value(data, "incumbent", BILL), field)


def scale_bill(data: dict[str, Any], before: Billed) -> str | None:
    """Move the bill of the plain data with requests that were laid over those `before`, in place; what it is taken as.

    What was paid is of the requests that were there. Held against others the gap would count as another price or as missing
    requests. A template's guess is not what a bill is of: it is then taken as that of the requests which were laid over it.
    None where there is no bill, or the requests are as they were.
    """
    old, bill, field = before
    if any(data.get("incumbent", {}).get(name) for name in ("provisioned_throughput", "seats")):
        return None  # what is paid by unit or seat follows no requests
    new, same = _value(data, "workload", COUNT), _value(data, "incumbent", BILL)
    if bill != same or old == new or not all(type(x) in {int, float} and 0 < x < inf for x in (old, new, bill)):
        return None
    if _guess(data.get("template")) == field:
        return f"The bill, ${bill:,.10g}, is taken as that of {new:,.10g} requests a day: {old:,.10g} were the template's guess"
    data["incumbent"][BILL] = moved = bill * new / old
    return (f"The bill, ${bill:,.10g} of {old:,.10g} requests a day, is taken as ${moved:,.2f} of {new:,.10g}; set"
            f" incumbent.{BILL} too to keep one")


def keep_units(data: dict[str, Any], before: Billed) -> str | None:
    """Note in the plain data of how many requests a day today's units are, where others were laid over those `before`.

    What the units hold follows from what they answer: at another volume they hold no more. What that is taken as; None where
    no units are paid, they say it themselves, or the requests are as they were or were a template's guess.
    """
    incumbent, new = data.get("incumbent"), _value(data, "workload", COUNT)
    units = incumbent.get("provisioned_throughput") if isinstance(incumbent, dict) else None
    if not isinstance(units, dict) or not units.get("units") or units.get("at_requests_per_day") is not None:
        return None
    if before.requests == new or _guess(data.get("template")) == before.field or type(before.requests) not in {int, float}:
        return None
    units["at_requests_per_day"] = before.requests
    return (f"Today's units are taken as those of {before.requests:,.10g} requests a day; set incumbent.provisioned_throughput"
            " too to say otherwise")


def tell_day(part: dict[str, Any], incumbent: object, as_of: Date, tell: Callable[[str], None] | None) -> None:
    """Say where the incumbent's bill is a part's, at the list prices of another day than the scenario's."""
    own = isinstance(incumbent, dict) and incumbent.get(BILL) == part.get("incumbent", {}).get(BILL)
    if tell is not None and own and part.get("as_of", day := as_of.isoformat()) != day:
        tell(f"incumbent.{BILL} of the part is at the list prices of {part['as_of']}, and the scenario is of {day}: where the"
             " list moved in between, so did its gap to the bill; roi usage FILES --scenario SCENARIO --output writes that of"
             f" {day}")


def _value(data: dict[str, Any], block: str, name: str) -> Any:  # Any: a value of YAML
    """The number in a field, or in the middle of its spread."""
    found = data.get(block)
    value = found.get(name) if isinstance(found, dict) else None
    return value.get("value") if isinstance(value, dict) else value


def _guess(name: object) -> object:
    """The requests a day as the template of this name has them; None where none has it."""
    known = isinstance(name, str) and name in (*TEMPLATES, BUNDLED)
    return parse_yaml(template(str(name)), str(name))["workload"][COUNT] if known else None
