"""Units: SI inside (bytes, seconds, FLOP, USD); other units only where people read or write them."""

import math
from typing import Final

KIB: Final = 2**10
"""Bytes in a KiB."""
MIB: Final = 2**20
"""Bytes in a MiB."""
GIB: Final = 2**30
"""Bytes in a GiB."""
GB: Final = 10**9
"""Bytes in a decimal GB."""
MTOK: Final = 1_000_000
"""Tokens in a Mtok, the unit of API price lists."""
SECONDS_PER_DAY: Final = 86_400
SECONDS_PER_HOUR: Final = 3_600
HOURS_PER_DAY: Final = 24

HOURS_PER_MONTH: Final = 730
"""A month is 730 hours (docs/economics.md, 1.1)."""
DAYS_PER_MONTH: Final = 365 / 12
"""A month is 365/12 days."""
MONTHS_PER_YEAR: Final = 12


def formatted(x: float, form: str) -> str:
    """A number in this format, such as "+.0%", but without a sign where it prints as nothing: +4%, -0.3, 0.00."""
    text = f"{x:{form}}"
    return text if "0" not in text or any(digit in text for digit in "123456789") else text.replace("-", "").replace("+", "")


def with_cents(x: float, text: str) -> str:
    """The text that an amount prints as, but with both decimals where it has one: 0.10, 12.34; 2 and 0.375 stay."""
    return f"{x:,.2f}" if text[-2:-1] == "." else text


def dollars(x: float, digits: int = 6) -> str:
    """An amount in USD with so many significant digits, cents in full, no dollar rounded: $0.10, $2, $0.0375."""
    return f"${with_cents(x, f'{x:,.0f}' if abs(x) >= 10.0**digits - 0.5 else f'{x:,.{digits}g}')}"


def whole_percent(share: float) -> str:
    """A share in whole percent, so that 0% means none and 100% means all."""
    if 0 < share < 0.005:
        return "<1%"
    return ">99%" if 0.995 <= share < 1 else f"{share:.0%}"


def to_digits(x: float, digits: int = 2, *, up: bool) -> float:
    """The next number with so many significant digits, up or down; a billionth beside one is that one."""
    if x <= 0:
        return 0.0
    size = 10.0 ** (math.floor(math.log10(x)) + 1 - digits)
    return float(f"{(math.ceil(x / size - 1e-9) if up else math.floor(x / size + 1e-9)) * size:.{digits}g}")
