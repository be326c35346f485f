"""What is said of the rows of usage exports, by `roi usage` and `roi track` alike: the options, and what they come to."""

from collections.abc import Callable
from functools import reduce
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from roi.cli.options import Choice, pairs_of

if TYPE_CHECKING:
    from datetime import date as Date

    from roi.usage.read.record import Dates, FileOptions

F = TypeVar("F", bound=Callable[..., Any])  # Any: a command's own parameters

OPTIONS: Final = (
    click.option("--from", "named", metavar="FORMAT", help="Format of the files; left out = told by header or keys."),
    click.option("--map", "columns_given", multiple=True, metavar="WHAT=COLUMN",
                 help="A column of your own table: time, input, output, thinking (where output leaves it out), cached,"
                      " cache_write, cache_write_1h, model, provider, group, cost, requests, until, batch, status."),
    click.option("--input-includes-cache", type=Choice(["yes", "no"]),
                 help="Whether the input column counts cached tokens too, where the format leaves it open."),
    click.option("--provider", help="Who is paid, where the files do not say."),
    click.option("--model", help="The model, where the files do not say."),
    click.option("--timezone", default="UTC", show_default=True, metavar="ZONE", help="Of times without an offset."),
    click.option("--dates", type=Choice(["iso", "us", "eu"]), default="iso", show_default=True,
                 help="How dates of your own tables are written: us = month/day/year, eu = day/month/year."),
)  # fmt: skip


def export_options(command: F) -> F:
    """--from, --map, --input-includes-cache, --provider, --model, --timezone and --dates, in this order."""
    return reduce(lambda given, option: option(given), reversed(OPTIONS), command)


def file_options(
    *, columns: tuple[str, ...], includes: str | None, provider: str | None, model: str | None, group_by: str | None = None,
    dates: "Dates", rates: tuple[str, ...], today: "Date | None" = None,
) -> "FileOptions":
    """What the options say of the files' rows; rates of exchange of a day after `today` are refused."""
    from roi.facts.exchange_rate import read_rates
    from roi.usage.read.record import FileOptions

    if provider is not None:
        from roi.catalog.prices.api_prices import find_provider

        provider = find_provider(provider, "--provider")
    return FileOptions(group_by=group_by, includes_cache=None if includes is None else includes == "yes", provider=provider,
                       model=model, dates=dates, columns=pairs_of(columns, "--map", "time=COLUMN"),
                       rates=read_rates(rates, "--exchange-rate", today))
