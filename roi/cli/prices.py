"""`roi prices`: what the catalog knows, a price of your own, and prices brought up to date."""

from collections.abc import Callable
from datetime import datetime
from functools import partial, wraps
from pathlib import Path
from typing import Any

import click

from roi.cli import Door, LazyGroup
from roi.cli.options import Choice, Number, format_option, tell
from roi.errors import InputError

Fields = tuple[str, dict[str, Any]]  # Any: fields of a price
"""A kind of price (the name of its record in roi.facts.price) and what the options say of it."""
SHOW = "show"
DOORS = {
    SHOW: Door("roi.cli.prices:show", "What is known of a card, model, vendor or provider; `show` may be left out."),
    "add": Door("roi.cli.prices:add", "Write a dated price of your own: rent, api or card."),
    "refresh": Door("roi.cli.prices:refresh", "Fetch GPU offers and API prices of today (network)."),
}
ADDED = {
    "rent": Door("roi.cli.prices:rent", "What a vendor takes for an hour of a GPU."),
    "api": Door("roi.cli.prices:api", "What a provider takes for a model's tokens."),
    "card": Door("roi.cli.prices:card", "What a GPU costs to buy."),
}


class ListingGroup(LazyGroup):
    """A group in which what is no command is a name to list."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """The arguments, with `show` before them where no command is named."""
        named = bool(args) and (args[0] in self.doors or args[0] in ctx.help_option_names)
        if not named and set(args[1:]) & ADDED.keys():
            ctx.fail(f"no command {args[0][:80]!r}; did you mean add?")
        return super().parse_args(ctx, args if named else [SHOW, *args])


date_option = partial(click.option, type=click.DateTime(["%Y-%m-%d"]))
usd_option = partial(click.option, type=Number(0, min_open=True))
gpu_option = click.option("--gpu", required=True, help="Card of the catalog.")


def adds_price(read: Callable[..., Fields]) -> Callable[..., None]:
    """A command that adds the price of which `read` has the fields, with --source, --date and --note beside its options."""
    @click.option("--source", required=True, help='Who states it: a page, "contract of 2026-11".')
    @date_option("--date", "day", help="Day on which it was stated.  [default: today]")
    @click.option("--note", default="", help="What a reader must know before using it.")
    @wraps(read)
    def added(*, source: str, day: datetime | None, note: str, **rest: Any) -> None:  # Any: options of the price
        from roi import clock
        from roi.answers.prices import add_price
        from roi.cli.output import write
        from roi.facts import price

        kind, fields = read(**rest)
        source, note = (" ".join(text.split()) for text in (source, note))
        if not source:
            raise InputError("--source: is empty; say who states the price")
        date = clock.today() if day is None else day.date()
        addition = add_price(getattr(price, kind)(source=source, date=date, note=note, **fields), clock.today())
        for remark in addition.remarks:
            tell(remark)
        tell(f"counts where as_of is {date} or later; a scenario of an earlier day keeps the prices of that day: "
             f"--set as_of={date}")
        if addition.text is not None:
            _keep(addition.path, addition.text)
        write(f"{'is there already' if addition.text is None else 'added'}: {addition.path}")

    return added


def _keep(path: Path, text: str) -> None:
    from roi.disk import replace_in_folder

    replace_in_folder(path.parent, {path.name: text}, "your prices")


HELP = """List the prices of WHAT: a card, an API model, a vendor or a provider; without WHAT where prices come from, and when.

\b
  roi prices h100-sxm         who rents or sells it, for how much, since when
  roi prices openai/gpt-6-luna --as-of 2026-10-01
  roi prices CoreWeave --format json
  roi prices add rent --gpu h100-sxm --vendor CoreWeave --usd-per-gpu-hour 2.1
                              --source "contract of 2026-11"
  roi prices refresh          what gpuhunt and genai-prices hold today

Prices that are added or fetched lie in your data folder, and every command uses them: of the rows on or before a scenario's
as_of the newest wins (docs/prices.md). `roi prices show --help` has the options of a list.
"""


@click.group(cls=ListingGroup, doors=DOORS, subcommand_metavar="[WHAT] | add ... | refresh", help=HELP)
def prices() -> None:
    """List what is known of prices, add one of your own, or fetch those of today."""


@click.command()
@click.argument("what", required=False)
@date_option("--as-of", help="Date of the prices.  [default: today]")
@format_option("table", "json", "markdown")
def show(*, what: str | None, as_of: datetime | None, form: str) -> None:
    """List the newest price on or before a date of each offer of WHAT, with its age in days and its source."""
    from roi import clock
    from roi.answers.prices import known_prices
    from roi.cli.output import write_answer
    from roi.report.prices import prices_blocks, prices_json

    found = known_prices(what, clock.today() if as_of is None else as_of.date())
    write_answer(lambda: prices_json(found), lambda: prices_blocks(found), form)


@click.group(cls=LazyGroup, doors=ADDED)
def add() -> None:
    """Write a dated price into your data folder. A price is never overwritten: a new one gets a row of its own."""


@click.command()
@gpu_option
@click.option("--vendor", required=True, help="Who rents it.")
@usd_option("--usd-per-gpu-hour", required=True, help="USD per GPU and hour.")
@click.option("--kind", type=Choice(["on-demand", "spot", "reserved"]), default="on-demand", show_default=True)
@click.option("--minimum-months", type=click.IntRange(0, 120), default=0, show_default=True, help="Commitment, if reserved.")
@click.option("--gpus-per-instance", type=click.IntRange(1, 1024), default=1, show_default=True,
              help="GPUs come in this number.")
@adds_price
def rent(*, gpu: str, vendor: str, kind: str, minimum_months: int, **rest: Any) -> Fields:  # Any: fields by their own name
    """Add a rent: roi prices add rent --gpu l40s --vendor Nebius --usd-per-gpu-hour 1.1 --source "quote of 2026-11-20"."""
    from roi.answers.prices import vendor_spelling
    from roi.catalog.cards.gpus import find_gpu

    if (kind == "reserved") != (minimum_months > 0):
        raise InputError(f"--minimum-months: {minimum_months} does not go with --kind {kind}; reserved has a commitment,"
                         " on-demand and spot have none")
    if not (vendor := " ".join(vendor.split())):
        raise InputError("--vendor: is empty; say who rents it")
    return "RentalOffer", {"gpu": find_gpu(gpu, "--gpu").id, "vendor": vendor_spelling(vendor), "kind": kind,
                           "minimum_months": minimum_months, **rest}


def refuse_provider(_: click.Context, __: click.Parameter, provider: str | None) -> None:
    """Where the provider is to be written, and the nearest one; InputError where the option is given."""
    if provider is not None:
        from roi.catalog.prices.api_prices import find_provider

        raise InputError(f"--provider: write it before the model: {find_provider(provider, '--provider')}/MODEL")


@click.command()
@click.option("--provider", hidden=True, is_eager=True, expose_value=False, callback=refuse_provider)
@click.argument("model", metavar="PROVIDER/MODEL")
@usd_option("--input", required=True, help="Uncached input, USD per million tokens, as all below.")
@usd_option("--output", required=True, help="Output.")
@usd_option("--cache-read", help="Input read from the cache.  [default: no cache]")
@usd_option("--cache-write", help="Input written to the cache.  [default: as input]")
@usd_option("--batch-input", help="Input in batch processing.  [default: no batch]")
@usd_option("--batch-output", help="Output in batch processing.  [default: no batch]")
@usd_option("--batch-cache-read", help="Input read from the cache, in batch processing.  [default: not cached there]")
@usd_option("--batch-cache-write", help="Input written to the cache, in batch processing.  [default: as batch input]")
@click.option("--cache-minimum-tokens", type=click.IntRange(0),
              help="Shortest prefix that is cached.  [default: the provider's rule]")
@adds_price
def api(*, model: str, cache_minimum_tokens: int | None, **usd: float | None) -> Fields:
    """Add a model's price: roi prices add api openai/gpt-6-luna --input 0.1 --output 0.5 --source "contract of 2026-11"."""
    from roi.catalog.prices.api_prices import provider_id

    provider, name = (part.strip() for part in model.partition("/")[::2])
    if not (provider and name):
        raise InputError(f"PROVIDER/MODEL: {model[:60]!r} is not usable; for example openai/gpt-6-luna")
    if (usd["batch_input"] is None) != (usd["batch_output"] is None):
        raise InputError("--batch-input and --batch-output: give both or none")
    for option, needed in (("batch_cache_read", ("cache_read", "batch_input")), ("batch_cache_write", ("batch_cache_read",))):
        missing = next((name for name in needed if usd[option] is not None and usd[name] is None), None)
        if missing is not None:
            raise InputError(f"--{option.replace('_', '-')}: needs --{missing.replace('_', '-')}")
    rates = {f"{rate}_usd_per_mtok": (value,) for rate, value in usd.items() if value is not None}
    return "ApiPrice", {"provider": provider_id(provider), "model": name, "cache_minimum_tokens": cache_minimum_tokens, **rates}


@click.command()
@gpu_option
@usd_option("--usd", required=True, help="USD for one GPU, its share of the server included.")
@usd_option("--low", help="5th percentile of offers.  [default: --usd]")
@usd_option("--high", help="95th percentile of offers.  [default: --usd]")
@adds_price
def card(*, gpu: str, usd: float, low: float | None, high: float | None) -> Fields:
    """Add the price of a card: roi prices add card --gpu l40s --usd 7000 --source "quote of 2026-11-20"."""
    from roi.catalog.cards.gpus import find_gpu

    low, high = low or usd, high or usd
    if not low <= usd <= high:
        raise InputError(f"--low, --usd, --high: {low:g}, {usd:g}, {high:g} do not ascend")
    return "PurchasePrice", {"gpu": find_gpu(gpu, "--gpu").id, "usd_per_gpu": usd, "low_usd_per_gpu": low,
                             "high_usd_per_gpu": high}


@click.command()
@click.option("--only", type=Choice(["gpus", "apis"]), help="Fetch one of the two.")
@format_option("table", "json", "markdown")
def refresh(*, only: str | None, form: str) -> None:
    """Fetch GPU offers (gpuhunt, extra `prices`) and API prices (genai-prices), and write them as files of today.

    Nothing is written unless all of it came. A scenario with an earlier `as_of` keeps the prices that it has.
    """
    from roi import clock
    from roi.answers.prices import refresh_prices
    from roi.cli.output import write_answer
    from roi.report.prices import refresh_blocks, refresh_json

    found = refresh_prices(clock.today(), gpus=only != "apis", apis=only != "gpus")
    for path, text in found.files:
        _keep(path, text)
    write_answer(lambda: refresh_json(found), lambda: refresh_blocks(found), form)
