"""Figures and facts in the words of the reader: USD, months, shares, requests, and what a path of the Case is called.

Money in table columns: whole USD, thousands where whole USD would not fit, cents where there is little of it.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from roi.disk import packaged_rows
from roi.facts.case import OWN_SERVERS, PER_YEAR, SHARE, Case
from roi.facts.fact import STALE_DAYS, Basis, Fact
from roi.units import DAYS_PER_MONTH, formatted, whole_percent, with_cents

if TYPE_CHECKING:  # whose room takes longer to load than what is said
    from roi.economics.decision.alarms import Alarm

MARKS = {
    Basis.MEASURED: "m", Basis.CALIBRATED: "c", Basis.DRY_RUN: "d", Basis.QUOTED: "q", Basis.STATED: "s", Basis.PUBLISHED: "p",
    Basis.ASSUMED: "*", Basis.TEMPLATE: "t",
}
"""The mark of each basis in the tables."""
UNCOUNTED_SPOT = "interruptions of spot instances: work done again, waiting, on-demand rents meanwhile"
"""What no figure of a fleet at spot prices has in it."""
GROUPS = {
    "none": "staying", "cache_batch": "caching and batch", "api": "another API model", "cascade": "a cascade",
    "vendor_tuned": "a vendor-tuned model", "self_hosted": "a self-hosted model",
    "self_hosted_adapter": "a self-hosted adapter", "own_hardware": "own hardware",
}
ENDINGS = {"-pcie": "over PCIe", "-attention": "its attention in no fit"}
"""End of the path of a serving speed -> what it is unsure of besides."""
BESIDE = " beside today's model"
"""What is said of an evaluation of both on the same items."""
SAID_BY_NAME = {"", "ratio", "requests/day", "tokens", "labels", "runs", "examples"}
"""Units that are not written, because the name of a fact says them already."""


@cache
def kind_names() -> dict[str, str]:
    """What each kind of option is called."""
    return {kind: name for kind, name, _ in packaged_rows("report/layout/option_kinds.csv")}


def kind_name(kind: str) -> str:
    """What a kind of option is called; the kind itself of one that has no words."""
    return kind_names().get(kind, kind)


def kind_meaning(kind: str) -> str:
    """What an option of the kind means, for a reader who does not know its name."""
    told = (meaning for each, _, meaning in packaged_rows("report/layout/option_kinds.csv") if each == kind)
    return next(told, "") or kind.replace("-", " ")


def fact_name(path: str) -> str:
    """What a reader calls the fact at `path`; an unknown path is taken apart into words."""
    names, patterns = _fact_names()
    if path in names:
        return names[path]
    for suffix, words in ENDINGS.items():
        if path.startswith("serving.speed.") and path.endswith(suffix):
            return f"{fact_name(path.removesuffix(suffix))}, {words}"
    for pattern, words in patterns:
        if found := pattern.fullmatch(path):
            return words.format(found[1], GROUPS.get(found[1], found[1]))
    *rest, last = path.split(".")
    return f"{last.replace('_', ' ')} ({'.'.join(rest)})" if rest else last.replace("_", " ")


@cache
def _fact_names() -> tuple[dict[str, str], list[tuple[re.Pattern[str], str]]]:
    """What facts are called: by path, and by what matches their paths whole, the first that does."""
    rows = packaged_rows("report/layout/fact_names.csv")
    return ({path: name for path, name in rows if "(" not in path},
            [(re.compile(path), name) for path, name in rows if "(" in path])


def correct_first(alarms: "Iterable[Alarm]", until: str) -> tuple[str, ...]:
    """What cannot be true and is not accepted, how to accept it, and what holds until then."""
    standing = [a for a in alarms if not a.accepted]
    names = ", ".join(a.name for a in standing if a.may_be_meant)
    meant = f"If it is meant, write accept: [{names}] into the scenario (or --set accept=[{names.replace(' ', '')}])."
    return (*(f"{a.field}: {a.told}." for a in standing), *([meant] if names else []),
            f"Until then {until} from the input as it stands.")


def peak_words(peak_to_mean: float, busiest_hour: float | None, *, stated: bool) -> str:
    """The peak over the mean where it is assumed, or follows from the busiest of the day's hours, and how; empty else."""
    if busiest_hour is None:
        how = f"{figure(peak_to_mean)} x the mean, a usual peak, assumed: workload.peak_to_mean would state it"
        return "" if stated else how
    within = peak_to_mean / busiest_hour
    how = "" if stated else ", assumed: workload.peak_to_mean would state the whole"
    return f"{figure(peak_to_mean)} x the mean: the busiest hour {figure(busiest_hour)} x, within it x {figure(within)}{how}"


def fact_range(fact: Fact) -> str:
    """The 5th and 95th percentile of a fact in its unit: "16 to 40 hours", "-20% to +40%/year"."""
    if fact.low is None or fact.high is None:
        return quantity(fact.value, fact.unit)
    if fact.unit == SHARE:
        return from_to(percent(fact.low), percent(fact.high))
    if fact.unit == PER_YEAR:
        return f"{from_to(formatted(fact.low, '+.0%'), formatted(fact.high, '+.0%'))}/year"
    return f"{from_to(_in_unit(fact.low, fact.unit), _in_unit(fact.high, fact.unit))}{_unit(fact.unit)}"


def from_to(low: str, high: str, to: str = " to ") -> str:
    """A range from what its ends print as: $0.10 to $0.12; one value where both print alike."""
    return low if low == high else f"{low}{to}{high}"


def range_of(_path: str, fact: Fact) -> str:
    """The range of a fact, wherever it stands, for a reader who may know every one."""
    return fact_range(fact)


def quantity(value: object, unit: str, more: int = 0) -> str:
    """A value in its unit, or with so many more digits: $30/hour, 40%, +10.0% a year."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if unit == SHARE:
        return percent(value, more)
    if unit == PER_YEAR:
        return f"{formatted(value, f'+.{1 + more}%')} a year"
    return f"{_in_unit(value, unit, more)}{_unit(unit)}"


def _in_unit(x: float, unit: str, more: int = 0) -> str:
    """The digits, behind $ where it is money: tokens of a prompt below 10,000 are told whole, since 1,024 is no 1,020."""
    text = figure(x, max(more, 1) if unit == "tokens" and 1000 <= abs(x) < 9999.5 else more)
    return re.sub("^(-?)", r"\1$", with_cents(x, text)) if unit.startswith("USD") else text


def _unit(unit: str) -> str:
    words = unit.removeprefix("USD")
    return "" if words in SAID_BY_NAME else words if words.startswith("/") else f" {words}"


def told_apart(words: Callable[[float, int], str], x: float, y: float) -> tuple[str, str]:
    """Two numbers that are compared, in these words, with as many more digits as tell them apart; equal ones alike."""
    same = math.isclose(x, y, rel_tol=1e-9)
    return next((told for more in range(9) if (told := (words(x, more), words(y, more)))[0] != told[1] or same),
                (words(x, 0), words(y, 0)))


def too_seldom(odds: float, needed: float) -> str:
    """Why an option with a higher mean NPV is not recommended, though somebody tested it."""
    found, bar = told_apart(percent, odds, needed)
    return f"beats staying in only {found} of the draws, needs {bar}"


def adds_too_seldom(odds: float, needed: float) -> str:
    """Why an option is not what comes after the recommended one, though it would lead in its place."""
    found, bar = told_apart(percent, odds, needed)
    return f"adds to it in only {found} of the draws, needs {bar}"


def figure(x: float, more: int = 0) -> str:
    """A number with three significant digits, or so many more, thousands with commas: 24,300, 0.35."""
    if x == 0 or not math.isfinite(x):
        return "0" if x == 0 else "never"
    if abs(x) >= 1e10:
        return f"{x:.2e}"
    digits = 2 + more - math.floor(math.log10(abs(x)))
    text = formatted(round(x, digits), f",.{min(max(digits, 0), 8 + more)}f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def usd(x: float, more: int = 0) -> str:
    """An amount in USD, or with so many more digits: $1,234, -$56, $1.50, $0.715, $0.002."""
    text = with_cents(abs(x), f"{abs(x):,.{more}f}" if abs(x) >= 9.995 else figure(abs(x), more))
    return f"-${text}" if x < 0 and text != "0" else f"${text}"


def rate_usd(x: float) -> str:
    """A price in USD with every digit, at least two decimals: 1.20, 0.0375."""
    whole, _, digits = f"{x:.6f}".rstrip("0").partition(".")
    return f"{whole}.{digits:0<2s}"


def short_usd(x: float) -> str:
    """An amount in USD with three digits from $100,000 on: $470k, -$1.23M, $2.5bn."""
    most = abs(x)
    if most < 99_999.5:
        return usd(x)
    sizes = ((1e3, "k"), (1e6, "M"), (1e9, "bn"))
    size, unit = next((each for each in sizes if most < 999.5 * each[0]), (1e12, "tn"))
    return f"{'-' if x < 0 else ''}${figure(most / size)}{unit}"


def little_free(fleet: str, utilisation_peak: float) -> str:
    """Says that a small rise of the load breaks the SLO on the fleet of this name."""
    return (f"Little kept free: when fullest the load takes {percent(utilisation_peak)} of what the fleet of {fleet} holds"
            f" within the SLO; {percent(1.0 / utilisation_peak - 1.0)} more breaks it (serving.headroom)")


def few_slots(held: Mapping[str, tuple[float, float]]) -> str:
    """On which plans, by name their slots and adapters, not all adapters fit at once; empty where all do."""
    few = [f"{slots:,.0f} of {adapters:,.0f} on {name}" for name, (slots, adapters) in held.items() if 0.0 < slots < adapters]
    told = f"Adapters that fit at once: {', '.join(few)}; requests for others wait, all asked alike (serving.adapter_slots)"
    return told if few else ""


def old_prices(days: Mapping[str, int]) -> list[str]:
    """Which prices are older than prices should be, by name their age in days, the oldest first; empty where none is."""
    old = sorted((name for name in days if days[name] > STALE_DAYS), key=lambda name: -days[name])
    return [f"Old prices: {', '.join(f'{name} ({days[name]} days)' for name in old)}"] if old else []


def months(x: float, horizon: int) -> str:
    """Months with one decimal; never within the horizon is "never", from the start "at once"."""
    if math.isinf(x) or x > horizon:
        return "never"
    return "at once" if x <= 0 else f"{x:.1f}"


def number_of(count: float, what: str) -> str:
    """A number and what it counts, which has an s but where it is one: 1 day, 2,400 rows, 1.5 epochs."""
    number = f"{count:,.0f}" if float(count).is_integer() else f"{count:,g}"
    return f"{number} {what}{'' if number == '1' else 's'}"


def duration(months: float) -> str:
    """A time to wait in words, in the unit that suits it: hours, 10 days, 6 weeks, 3 months."""
    days = round(months * DAYS_PER_MONTH, 9)
    if days < 1.0:
        return "hours"
    count, unit = (days, "day") if days < 14.0 else (days / 7.0, "week") if days < 63.0 else (months, "month")
    return number_of(round(count), unit)


def span(seconds: float) -> str:
    """A time in the unit that suits it: 90 s, 57 min, 2.5 h."""
    if seconds < 120.0:
        return f"{seconds:,.0f} s"
    return f"{seconds / 60:,.0f} min" if seconds < 7200.0 else f"{seconds / 3600:,.1f} h"


def percent(x: float, more: int = 0) -> str:
    """A share in percent, or with so many more digits: 0.4%, 12%, 12.9%."""
    share = abs(x) * 100
    if more:
        return f"{formatted(100 * x, f',.{1 + more}f').rstrip('0').rstrip('.')}%"
    if 0 < share < 0.05:
        return "<0.1%"
    return f"{x:,.0%}" if share >= 99.95 else f"{x:.1%}".replace(".0%", "%")


def off_list(discount: float) -> str:
    """A discount on a price list, or the surcharge that it is below 0, in words."""
    return f"{percent(abs(discount))} {'below' if discount >= 0.0 else 'above'} its list price"


def chance(x: float | None) -> str:
    """A share of draws in whole percent, so that 0% means none and 100% means all of them."""
    return "-" if x is None else whole_percent(x)


def requests(x: float | None, more: int = 0) -> str:
    """Requests a day, or with so many more digits; "any" from the first request on, "never" where no volume is enough."""
    if x is None:
        return "never"
    return "any" if x <= 1 else figure(x, more)


def volume_spread(case: Case) -> str:
    """Says that today's spread of the volume is moved with a volume that is tried; empty where it has none."""
    return ", its spread moving along" if case["workload.requests_per_day"].uncertain else ""


def case_number(case: Case, path: str, default: float = 0.0) -> float:
    """The number at `path` of the Case, or `default` where there is none."""
    value = case[path].value if path in case else default
    return float(value) if isinstance(value, (int, float)) else 0.0


def served(case: Case) -> bool:
    """True where today's model is one that its user serves, which no vendor bills."""
    return str(case["options.stay.vendor"].value).startswith(f"{OWN_SERVERS}/")


def option_label(case: Case, id: str, *others: Case) -> str:
    """The label of an option by its id, from the first of these Cases that has it; any other name is itself."""
    path = f"options.{id}.label"
    return next((str(each[path].value) for each in (case, *others) if path in each), id)


LARGE = (("kUSD", 1e3), ("MUSD", 1e6), ("bn USD", 1e9), ("tn USD", 1e12))
"""The larger units of money: thousands, millions, billions (10^9) and trillions (10^12) of USD."""


@dataclass(frozen=True)
class Money:
    """A unit that all money of a table shares."""

    unit: str
    """The name of the unit: USD, or one of LARGE."""
    size: float
    cents: bool

    def __call__(self, x: float) -> str:
        """The figure in this unit, thousands with commas."""
        return formatted(x / self.size, ",.2f" if self.cents else ",.0f")


def money_of(amounts: Iterable[float], below: float = 1e7) -> Money:
    """The unit in which the largest of `amounts` takes at most nine characters; USD where it is `below` that."""
    most = max((abs(x) for x in amounts), default=0.0)
    if most < below:
        return Money("USD", 1.0, cents=most < 100)
    unit, size = next(((u, s) for u, s in LARGE if most / s < 1e7), LARGE[-1])
    return Money(unit, size, cents=False)
