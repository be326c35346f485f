"""What amounts in other currencies are worth in USD: dated rates, as the user states them."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date as Date

from roi.errors import InputError, visible
from roi.units import dollars


@dataclass(frozen=True)
class ExchangeRate:
    """USD for one unit of a currency, from a day on."""

    currency: str
    """The currency's code (ISO 4217), three capitals."""
    usd: float
    since: Date

    def __str__(self) -> str:
        return f"1 {self.currency} = {dollars(self.usd)} of {self.since}"


def read_rates(texts: Iterable[str], where: str, today: Date | None = None) -> tuple[ExchangeRate, ...]:
    """The rates that are written as EUR=1.08@2026-10-31, by currency and day; InputError at `where` names what is no rate.

    Nor is one of a day after `today`, where that is given.
    """
    found: dict[tuple[str, Date], ExchangeRate] = {}
    for text in texts:
        told = re.fullmatch(r"([A-Za-z]{3})=([0-9]{1,9}(?:\.[0-9]{1,9})?)@([0-9]{4}-[0-9]{2}-[0-9]{2})", text.strip())
        usd = float(told[2]) if told else 0.0
        if not told or usd <= 0.0:
            raise InputError(f"{where}: {visible(text)[:40]!r} is not usable; a currency, the USD for one of it, and their day,"
                             " as in EUR=1.08@2026-10-31")
        code = told[1].upper()
        if code == "USD":
            raise InputError(f"{where}: {visible(text)[:40]!r} is not usable; amounts in USD need no rate")
        try:
            day = Date.fromisoformat(told[3])
        except ValueError:
            raise InputError(f"{where}: {told[3]} is no day; a rate is written as EUR=1.08@2026-10-31") from None
        if today is not None and day > today:
            raise InputError(f"{where}: {code} of {day} is not known yet by this machine's clock, {today}")
        if (code, day) in found:
            raise InputError(f"{where}: two rates of {code} of {day}; one a day")
        found[code, day] = ExchangeRate(code, usd, day)
    return tuple(rate for _, rate in sorted(found.items()))


def told_rates(rates: Sequence[ExchangeRate]) -> list[str]:
    """A sentence on the rates, where there are some."""
    return [f"amounts in other currencies, at rates that were stated: {', '.join(map(str, rates))}"] if rates else []


def told_unused(rates: Sequence[ExchangeRate], used: Sequence[ExchangeRate], currencies: Iterable[str]) -> list[str]:
    """A sentence on rates that convert nothing, and the currencies that there are."""
    idle = [rate for rate in rates if rate not in used]
    there = sorted(currencies)
    none = [code for code in dict.fromkeys(rate.currency for rate in idle) if code not in there]
    older = [f"{rate} converts nothing: other rates of {rate.currency} are nearer" for rate in idle if rate.currency in there]
    costs = f"costs are in {', '.join(there)}" if there else "no cost is told"
    return [*([f"--exchange-rate: nothing here is in {' or '.join(none)}; {costs}"] if none else []), *older]


def rate_on(rates: Sequence[ExchangeRate], currency: str, day: Date) -> ExchangeRate | None:
    """The latest rate of the currency that is not of a later day than `day`, else its first; None where it has none."""
    own = sorted((rate for rate in rates if rate.currency == currency), key=lambda rate: rate.since)
    return next((rate for rate in reversed(own) if rate.since <= day), own[0] if own else None)
