"""Months of the calendar from what tells them: a usage export by model, an invoice by month, a cluster's GPU hours."""

import csv
import re
from calendar import monthrange
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date as Date
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from roi.answers.track_parallel import days_by_role, handed_on, second_calls
from roi.answers.track_remarks import billed_beside, list_moved, with_counted
from roi.answers.track_roles import Models, listed_name, own_server
from roi.disk import read_text
from roi.errors import InputError, UnknownName, first_of, visible
from roi.facts.exchange_rate import ExchangeRate, rate_on
from roi.scenario.other_files import refuse_other
from roi.usage.read.columns import DAY_US
from roi.usage.read.names_alone import source_shown
from roi.usage.read.record import PROMPT, FileOptions

if TYPE_CHECKING:
    from roi.usage.measure.pricing import Priced
    from roi.usage.summary import Usage

BILL_LIMIT: Final = 4 * 2**20
"""Bytes of an invoice by month that are read at most."""
MONEY: Final = frozenset({"usd", "gpu_usd"})
"""Those of COLUMNS that a rate of exchange turns into USD."""
COLUMNS: Final = ("month", "usd", "gpu_usd", "gpu_hours", "currency")
"""Columns of the table of invoices; month and one of the amounts are needed."""
QUIET: Final = 0.1
"""Share of a weekday's dates with rows up to which it is one without work, such as Sunday."""


@dataclass
class MonthSums:
    """What files tell of one month, added up, by the names of a TrackedMonth; None where nothing tells it."""

    calls: float | None = None
    own_calls: float | None = None
    second_calls: float | None = None
    least_second_calls: float | None = None
    handed_on: float | None = None
    foreign_calls: float | None = None
    input_tokens: float = 0.0
    cache_read_tokens: float = 0.0
    output_tokens: float = 0.0
    api_usd: float | None = None
    api_usd_from: str | None = None
    calls_usd: float | None = None
    own_usd: float | None = None
    units_usd: float | None = None
    own_tier_ratio: float | None = None
    other_tier_ratio: float | None = None
    gpu_hours: float | None = None
    gpu_usd: float | None = None
    sources: list[str] = field(default_factory=list)


def month_of(day: Date) -> str:
    """The month of a day, as 2026-12."""
    return day.isoformat()[:7]


def days_in(month: str) -> int:
    """How many days a month has."""
    return monthrange(int(month[:4]), int(month[5:]))[1]


def after(month: str, count: int = 1) -> str:
    """The month that lies so many later."""
    year, number = int(month[:4]), int(month[5:]) - 1 + count
    return f"{year + number // 12:04d}-{number % 12 + 1:02d}"


def usage_months(
    files: Sequence[str], models: Models, notes: list[str], *, options: FileOptions, named: str | None, zone: str, as_of: str,
    billed_in: frozenset[str] = frozenset(),
) -> dict[str, MonthSums]:
    """Sums of each month that the export covers whole but for MOST_LOST of it, of the models that the decision calls.

    `notes` hear of what is left out: months that are covered in part, models that are none of the decision's; of what `roi
    usage` says of these files, but of rates that convert nothing here where the bill is in their currency (`billed_in`); and
    of list prices that are no longer those of `as_of`, where no row says what was paid.
    """
    from roi.usage.measure.days import MOST_LOST, days_there, spans_told, weekdays_used
    from roi.usage.measure.pricing import EPOCH, day_of
    from roi.usage.measure.without import without_told
    from roi.usage.summary import Question, summarize
    from roi.usage.told import silent

    try:
        found = summarize(Question(files=tuple(files), options=options, named=named, zone=zone, paid_elsewhere=billed_in))
    except InputError as error:
        told = str(error).removeprefix("FILES: ")
        raise InputError(told if told.startswith("--") else f"--actual: {told}") from error
    if not found.dated:
        raise InputError("--actual: times count from the beginning of a trace; an export with dates is needed")
    rows, foreign = _by_month(found.priced, models, notes)
    remarks = *billed_beside(found, by_unit=models.by_unit), *with_counted(found, rows, models)
    notes += [f"--actual: {note}" for note in remarks if note not in {*silent(found.days)}]
    before = len(notes)
    notes += [f"--actual: {gone.rows:,} row{'s' * (gone.rows > 1)} left out: {gone.reason} ({source_shown(gone.source)}"
              f"{f'; first: {visible(gone.where)}' if gone.where else ''})" for gone in found.dropped]
    there = days_there([each.spend for each in found.priced])
    used = weekdays_used(there, QUIET)
    whole = {day_of(day) for day in found.days.complete} if found.days else set()
    empty = _empty_days(found.priced, notes)
    notes += list_moved(rows, as_of)
    sums, days, units = {}, days_by_role(rows), _units(found, rows) if models.by_unit else {}
    for month, some in sorted(rows.items()):
        dates = [Date.fromisoformat(f"{month}-01") + timedelta(days=k) for k in range(days_in(month))]
        beyond = [(day - EPOCH).days for day in dates if not min(there) <= (day - EPOCH).days <= max(there)]
        covered = sum(day in whole for day in dates) + sum(day % 7 not in used for day in beyond)
        low = [share for day, share in (found.days.lost if found.days else ()) if month_of(day_of(day)) == month]
        lack = sum(low) / days_in(month)
        why = [f"{day_of(day)} {told}" for day, told in (found.days.left_out if found.days else ())
               if month_of(day_of(day)) == month]
        if low and covered + len(low) == days_in(month) and lack <= MOST_LOST:
            notes.append(f"--actual: {month} counts although {first_of(why, 5)}: about {lack:.2%} of the month is missing")
        elif covered < days_in(month):
            if found.days and not why:
                why = [f"the files go from {day_of(found.days.first)} to {day_of(found.days.last)}{without_told(found.days)}"]
            notes.append(f"{month} is left out: {covered} of its {days_in(month)} days are covered whole, in UTC"
                         f"{f' ({why[0]})' if len(why) == 1 else ''}")
            continue
        if missing := [day for day in empty if month_of(day) == month]:
            which = spans_told([(day - EPOCH).days for day in missing])
            notes.append(f"{month} is left out: {len(missing)} of its {days_in(month)} days have no row ({which}); export them"
                         " too, or give a day without calls a row of 0 requests")
            continue
        each = sums[month] = _summed(some, MOST_LOST, tiers=found.tells_tiers)
        each.sources += [visible(name)[:200] for name, _, _ in found.sources[:3]]
        each.second_calls, each.least_second_calls = second_calls(days, month)
        each.handed_on, each.foreign_calls, each.units_usd = handed_on(days, month), foreign.get(month), units.get(month)
    notes += [f"{month} is left out: none of its calls is of the decision's models"
              for month in sorted(foreign) if month not in rows and month > min(rows)]
    if sums:
        return sums
    raise InputError(f"--actual: no month is covered whole; {'; '.join(notes[before:]).replace('--actual: ', '')}")


def _empty_days(priced: "Sequence[Priced]", notes: list[str]) -> list[Date]:
    """Days between the first and the last row on which the export has no row, of any model, although it should.

    A weekday on which it never has rows is a quiet one, and with few calls a day any may be; `notes` hear of the latter.
    """
    from roi.usage.measure.days import FEW_A_DAY, days_there, silent_days, spans_told
    from roi.usage.measure.pricing import day_of

    rows = [each.spend for each in priced]
    there, empty = days_there(rows), silent_days(rows, QUIET)
    calls = sum(row.requests if row.requests is not None else FEW_A_DAY * len(there) for row in rows)
    if empty and calls < FEW_A_DAY * len(there):
        notes.append(f"--actual: taken as days without a call, since there are few: {spans_told(empty)}")
        return []
    return [day_of(day) for day in empty]


def _by_month(
    priced: "Sequence[Priced]", models: Models, notes: list[str]
) -> tuple[dict[str, list[tuple[str, "Priced"]]], dict[str, float]]:
    """The sums of the decision's models by month, each with whose calls they are; and the calls of other models."""
    from roi.usage.measure.pricing import day_of

    rows: dict[str, list[tuple[str, Priced]]] = defaultdict(list)
    foreign: dict[str, list[Priced]] = defaultdict(list)
    beside: dict[str, float] = defaultdict(float)
    days = {(each.provider, each.model): each.day or 0 for each in (one.spend for one in priced)}
    billed: dict[tuple[str | None, str | None], float] = defaultdict(float)
    for spend in (each.spend for each in priced):
        billed[spend.provider, spend.model] += spend.cost_usd or 0.0
    roles = {
        (provider, model): models.role(model, model and listed_name(provider, model, day_of(day)), provider,
                                       billed[provider, model])
        for (provider, model), day in days.items()
    }
    in_house: dict[str, float] = defaultdict(float)
    for one in priced:
        role, each = roles[one.spend.provider, one.spend.model], one
        if role == "own" and models.served and one.spend.cost_usd and own_server(one.spend.provider):
            in_house[one.spend.model or ""] += one.spend.cost_usd
            each = replace(one, spend=replace(one.spend, cost_usd=0.0))
        if role is None:
            foreign[each.spend.model or "not named"].append(each)
            beside[month_of(day_of(each.spend.day or 0))] += each.spend.requests or 0
            continue
        month = month_of(day_of(each.spend.day or 0))
        _refuse_across(each, month)
        rows[month].append((role, each))
    if not rows:
        if models.served:
            names = first_of([visible(name) for name in sorted(foreign)], 5)
            raise InputError(f"--actual: no row is of the decision's models: {names}; an own server's are {models.base}, or a"
                             " name that no vendor sells and no provider billed")
        wanted = [name for name in (models.own, models.base, *models.others) if name]
        raise UnknownName("--actual", wanted[0] if wanted else "model", sorted(foreign), "model in these files:")
    if in_house:
        names = first_of([visible(name) for name in sorted(in_house)], 5)
        notes.append(f"--actual: ${sum(in_house.values()):,.2f} that is charged in-house for {names} is no cash here: what the"
                     " GPUs cost is as --bill or --opencost tell it, else as forecast")
    if foreign:
        out = [each for some in foreign.values() for each in some]
        calls, all_calls = (sum(each.spend.requests or 0 for each in some) for some in (out, priced))
        usd = sum(each.usd or 0.0 for each in out)
        notes.append(f"left out, none of the decision's models: {visible(', '.join(sorted(foreign)[:5]))}"
                     + (f" ({calls / all_calls:.1%} of all calls, ${usd:,.2f}): what they answer in place of the decision's is"
                        " no volume and no cash here" if calls else ""))
    return rows, beside


def _units(found: "Usage", rows: "Mapping[str, Sequence[tuple[str, Priced]]]") -> dict[str, float]:
    """USD of each month that the sellers of these rows bill for units that are kept ready."""
    from roi.usage.measure.pricing import day_of

    sellers = {each.spend.provider for some in rows.values() for _, each in some}
    usd: dict[str, float] = defaultdict(float)
    for item in found.items:
        for day, amount in item.usd_by_day.items() if item.of_units and item.provider in sellers else ():
            usd[month_of(day_of(day or 0))] += amount
    return usd


def _refuse_across(each: "Priced", month: str) -> None:
    """InputError where a bucket reaches into the next month, so that it cannot be said what fell in which."""
    end = (Date.fromisoformat(f"{after(month)}-01") - Date(1970, 1, 1)).days * DAY_US
    if each.spend.kind == "bucket" and (each.spend.last_us or 0) > end:
        raise InputError(f"--actual: a row of {month} reaches into {after(month)}; export by day")


def _summed(rows: Sequence[tuple[str, "Priced"]], few: float, *, tiers: bool) -> MonthSums:
    """The sums of a month; its costs are reported where rows without one are at most `few` of its list price.

    `tiers`: the rows say which went through batch, or in which service tier.
    """
    found, counted = MonthSums(), all(each.spend.requests is not None for _, each in rows)
    if tiers:
        found.own_tier_ratio, found.other_tier_ratio = (_tier_ratio(rows, role) for role in ("own", "other"))
    if counted:
        found.calls = float(sum(each.spend.requests or 0 for _, each in rows))
        found.own_calls = float(sum(each.spend.requests or 0 for role, each in rows if role == "own"))
    for _, each in rows:
        found.input_tokens += sum(each.spend.tokens[name] for name in PROMPT)
        found.cache_read_tokens += each.spend.tokens["cache_read"]
        found.output_tokens += each.spend.tokens["output"]
    if all(each.usd is not None for _, each in rows):
        found.api_usd = float(sum(each.usd or 0.0 for _, each in rows))
        found.own_usd = float(sum(each.usd or 0.0 for role, each in rows if role == "own"))
        found.api_usd_from = "list price"
        unpaid = [each.list_usd or 0.0 for _, each in rows if not each.spend.costed]
        if not unpaid or sum(unpaid) < few * found.api_usd:
            found.api_usd_from, found.calls_usd = "reported", found.api_usd
    return found


def _tier_ratio(rows: "Sequence[tuple[str, Priced]]", role: str) -> float | None:
    """The list price of these calls by batch and tier over that of the same at once in the standard tier; None without any."""
    from roi.usage.measure.pricing import own_of, price_spend

    some = [each for whose, each in rows if whose == role]
    plain = price_spend((replace(each.spend, batch=False, tier=None) for each in some), own_of(some))
    now, standard = (sum(each.list_usd or 0.0 for each in priced) for priced in (some, plain))
    return now / standard if standard > 0 else None


def bill_months(
    path: Path, notes: list[str], today: Date | None = None, rates: Sequence[ExchangeRate] = (), *, paid_in: set[str],
) -> dict[str, dict[str, float]]:
    """Amounts by month of a CSV with the columns month and usd, gpu_usd or gpu_hours, one row a month.

    Amounts in a currency of `rates` are taken at the latest that is not of a day after the month, else at its first. InputError
    names the row: a month twice, another currency, an amount that is none, or no month but such as are not over `today` and
    for which nothing is billed yet; `notes` hear of these where others are there, `paid_in` of the currencies.
    """
    text = read_text(path, BILL_LIMIT, "--bill: ", "an invoice by month", filled=True)
    try:
        rows = [row for row in csv.reader(text.splitlines(), strict=True) if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise InputError(f"--bill: {path}: no CSV: {error}") from None
    head = [cell.strip().lower() for cell in rows[0]] if rows else []
    _check_head(head, path)
    found: dict[str, dict[str, float]] = {}
    for number, row in enumerate(rows[1:], start=2):
        where = f"--bill: {path}:{number}"
        if len(row) != len(head):
            raise InputError(f"{where}: {len(row)} cells; {len(head)} as the head has")
        cells = dict(zip(head, (cell.strip() for cell in row), strict=True))
        month = read_month(cells.pop("month"), where)
        if month in found:
            raise InputError(f"{where}: {month} is there twice; one row a month")
        currency = cells.pop("currency", "USD").upper()
        rate = rate_on(rates, currency, Date.fromisoformat(f"{after(month)}-01") - timedelta(days=1))
        if currency != "USD" and rate is None:
            raise InputError(f"{where}: currency: {currency[:20]!r} is not usable; USD, or with --exchange-rate"
                             f" {currency[:3]}=1.08@2026-10-31, that of the invoice's day")
        paid_in.add(currency)
        each = {name: rate.usd if rate is not None and name in MONEY else 1.0 for name in cells}
        found[month] = {name: _amount(cell, f"{where}: {name}") * each[name] for name, cell in cells.items() if cell}
    if not found:
        raise InputError(f"--bill: {path}: no month")
    early = [month for month, amounts in found.items()
             if today is not None and after(month) > month_of(today) and not any(amounts.values())]
    if early:
        why = f"not over by this machine's clock, {today}, and nothing is billed for it yet"
        if len(early) == len(found):
            raise InputError(f"--bill: {path}: {early[0]} is {why}; leave it out")
        notes += [f"--bill: what it says of {month} is left out: {why}" for month in early]
    return {month: amounts for month, amounts in found.items() if month not in early}


def _check_head(head: Sequence[str], path: Path) -> None:
    """InputError where the columns of an invoice are not apart by commas, not known, too few, or there twice."""
    sign = next((sign for sign in ";\t|" if len(head) == 1 and sign in head[0]), None)
    if sign is not None:
        raise InputError(f"--bill: {path}: columns are apart by {sign!r}; commas, and dots in amounts, as in month,usd")
    if "month" not in head:
        refuse_other("--bill: ", path, "invoice by month", usage="--actual")
    for name in head:
        if name not in COLUMNS:
            raise InputError(f"--bill: {path}: unknown column {name[:40]!r}; there are {', '.join(COLUMNS)}")
    if "month" not in head or not {"usd", "gpu_usd", "gpu_hours"} & set(head) or len(set(head)) < len(head):
        raise InputError(f"--bill: {path}: columns {', '.join(head)[:80]!r} are not usable; month, and usd, gpu_usd or"
                         " gpu_hours, once each")


def read_month(text: str, where: str) -> str:
    """The month that `text` means: 2026-12, or a day in it."""
    if re.fullmatch(r"(19[7-9]|2[01]\d)\d-\d{2}(-\d{2})?", text, re.ASCII):
        try:
            return month_of(Date.fromisoformat(text if len(text) == 10 else f"{text}-01"))
        except ValueError:
            pass
    raise InputError(f"{where}: {visible(text)[:40]!r} is not usable; a month like 2026-12")


def _amount(text: str, where: str) -> float:
    if re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,12})?", text):
        return float(text)
    raise InputError(f"{where}: {visible(text)[:40]!r} is not usable; a number such as 1234.56, without signs or commas")


def check_span(months: Sequence[str], first: str, horizon: int, where: str, notes: Sequence[str], *, since: bool) -> None:
    """InputError where a month lies before the decision or beyond its horizon, or one is missing from the first on.

    `where` the months are from, such as --bill; `notes` say why some are left out; `since`: --since asked for the first one.
    """
    if not months:
        raise InputError(f"{where}: no month; give a usage export, a bill, or a folder that holds months")
    if since and (months[-1] < first or months[0] > first):
        told = months[0] if len(months) == 1 else f"{months[0]} to {months[-1]}"
        raise InputError(f"--since: {first} is not among the months of {where}, {told}")
    early = [month for month in months if month < first]
    if early:
        raise InputError(f"{where}: {early[0]} is before month 1 of the decision, {first}; --since {early[0]} where it began"
                         f" then, else leave out what is before {first}")
    if missing := [month for month in (after(first, k) for k in range(len(months))) if month not in months]:
        why = ([note for note in notes if any(f"{month} is left out" in note for month in missing)]
               or [note.removeprefix("--actual: ") for note in notes if " left out: " in note])
        because = f" ({'; '.join(why)})" if why else ""
        do = f"--since {months[0]} where the decision began then" if months[0] > first else "give them too"
        raise InputError(f"{where}: {first_of(missing, 3)} missing{because}: months follow each other from {first}; {do}, or"
                         " --folder with the months that were kept")
    if len(months) > horizon:
        raise InputError(f"{where}: {months[horizon]} is month {horizon + 1}; the comparison ends with month {horizon}")


def told_by(
    usage: Mapping[str, MonthSums], bill: Mapping[str, Mapping[str, float]], path: Path | None, notes: list[str],
    kept: Collection[str], first: str, horizon: int,
) -> dict[str, MonthSums]:
    """Months of the export and of the invoice; the invoice's amounts take the place of what tokens cost.

    `notes` hear of months of the invoice that neither the export nor the months that were `kept` cover whole, and which lie
    before month 1, `first`, or past the horizon, in months: what was paid is held against no volume there. InputError where
    that is all of them.
    """
    known = {*usage, *kept}
    beside = [month for month in bill if usage and month not in known]
    if beside and len(beside) < len(bill):
        last = after(first, horizon - 1)
        reasons = {month: f"before the decision, whose month 1 is {first}" if month < first
                   else f"past the horizon, which ends with {last}" if month > last
                   else "--actual covers no such month whole" for month in beside}
        notes += [f"--bill: what it says of {', '.join(month for month in beside if reasons[month] == why)} is left out: {why}"
                  for why in dict.fromkeys(reasons.values())]
        bill = {month: amounts for month, amounts in bill.items() if month in known}
    found = {month: usage.get(month, MonthSums()) for month in sorted({*usage, *bill})}
    for month, amounts in bill.items():
        sums = found[month]
        if usage and month not in known:
            raise InputError(f"--bill: {path}: {month} is not in --actual, which has {', '.join(list(usage)[:3])}")
        if "usd" in amounts:
            sums.api_usd, sums.api_usd_from = amounts["usd"], "bill"
        sums.gpu_usd, sums.gpu_hours = amounts.get("gpu_usd"), amounts.get("gpu_hours")
        sums.sources.append(visible(path.name)[:200] if path is not None else "bill")
    return found
