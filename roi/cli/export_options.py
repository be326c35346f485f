"""What is said of the rows of usage exports, by `roi usage` and `roi track` alike: the options, and what they come to."""

from collections.abc import Callable
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Final

import click

from roi.cli.options import Choice, pairs_of, together

if TYPE_CHECKING:
    from datetime import date as Date

    from roi.usage.read.record import Dates, FileOptions

OPTIONS: Final = together(
    click.option("--from", "named", metavar="FORMAT", help="Format of the files; left out = told by header or keys."),
    click.option("--map", "columns", multiple=True, metavar="WHAT=COLUMN",
                 help="A column of your own table: time, input, output, thinking (where output leaves it out), cached,"
                      " cache_write, cache_write_1h, model, provider, group, cost, requests, until, batch, tier, status."),
    click.option("--input-includes-cache", "includes", type=Choice(["yes", "no"]),
                 help="Whether the input column counts cached tokens too, where the format leaves it open."),
    click.option("--provider", help="Who is paid, where the files do not say."),
    click.option("--model", help="The model, where the files do not say."),
    click.option("--timezone", "zone", default="UTC", show_default=True, metavar="ZONE", help="Of times without an offset."),
    click.option("--dates", type=Choice(["iso", "us", "eu"]), default="iso", show_default=True,
                 help="How dates of your own tables are written: us = month/day/year, eu = day/month/year."),
)  # fmt: skip


def export_options(command: Callable[..., None]) -> Callable[..., None]:
    """The command with these options, in this order. All but --from and --timezone come with --exchange-rate as one `export`.

    That makes FileOptions of them, with a `group_by` and a day `today` that the command adds.
    """
    @wraps(command)
    def gathered(*, columns: tuple[str, ...], includes: str | None, provider: str | None, model: str | None, dates: "Dates",
                 rates: tuple[str, ...], **rest: Any) -> None:  # Any: the command's own
        command(export=partial(_file_options, columns, includes, provider, model, dates, rates), **rest)

    return OPTIONS(gathered)


def _file_options(
    columns: tuple[str, ...], includes: str | None, provider: str | None, model: str | None, dates: "Dates",
    rates: tuple[str, ...], *, group_by: str | None = None, today: "Date | None" = None,
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
