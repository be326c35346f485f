"""`roi track`: did it come true? The months after a decision against what the comparison said of them."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.exceptions import Exit

from roi.cli import options as shared
from roi.cli.check import BROKEN
from roi.cli.export_options import export_options, file_options
from roi.errors import InputError, UnknownName

if TYPE_CHECKING:
    from roi.usage.read.record import Dates


@click.command()
@shared.file_argument
@shared.set_option
@shared.profiles_option
@click.option("--actual", multiple=True, metavar="EXPORT", help="A usage export, as roi usage reads them; may be repeated.")
@export_options
@click.option("--exchange-rate", "rates", multiple=True, metavar="EUR=USD@DATE",
              help="What one unit of another currency was worth, in exports and --bill, as in roi usage.")
@click.option("--bill", type=shared.PATH, help="What was paid: a CSV with month, and usd, gpu_usd or gpu_hours.")
@click.option("--opencost", type=shared.PATH, help="GPU hours and cost: an answer of OpenCost's /allocation, saved.")
@click.option("--prometheus", metavar="URL", help="GPU hours from Prometheus; https, or this machine.")
@click.option(
    "--query", metavar="PROMQL", help="What is asked of it: the number of GPUs.  [default: count(DCGM_FI_DEV_GPU_UTIL)]"
)
@click.option("--setup", type=shared.Number(0, 1e12), metavar="USD", help="What the set-up cost; left out = as forecast.")
@click.option("--quality", type=shared.PATH, help="Errors since: what an evaluation settles (roi quality --output).")
@click.option("--since", metavar="MONTH", help="Month 1 of the decision; left out = the first whole one after its date.")
@click.option("--option", "chosen", metavar="OPTION", help="What was chosen; left out = what the comparison recommends.")
@click.option("--folder", type=shared.PATH, help="Keep a file a month there, and read those that are kept.")
@click.option("--revise", is_flag=True, help="Keep a new version of a month whose figures changed.")
@click.option("--limit", "limits", multiple=True, metavar="NAME=VALUE", help="Exit 3 where it does not hold; may be repeated.")
@shared.written_options("table", "markdown", "json")
@shared.html_option
@shared.full_option
@shared.draws_options
@shared.cache_option
def track(
    *,
    file: Path | None,
    overrides: tuple[str, ...],
    profiles: tuple[Path, ...],
    actual: tuple[str, ...],
    named: str | None,
    columns_given: tuple[str, ...],
    input_includes_cache: str | None,
    provider: str | None,
    model: str | None,
    timezone: str,
    dates: "Dates",
    rates: tuple[str, ...],
    bill: Path | None,
    opencost: Path | None,
    prometheus: str | None,
    query: str | None,
    setup: float | None,
    quality: Path | None,
    since: str | None,
    chosen: str | None,
    folder: Path | None,
    revise: bool,
    limits: tuple[str, ...],
    form: str,
    output: Path | None,
    html: Path | None,
    force: bool,
    full: bool,
    draws: int | None,
    seed: int | None,
    no_cache: bool,
) -> None:
    """Month by month after the decision of the scenario, or the saved comparison, in FILE.

    What came against the forecast and its 90% band; when the cash is earned back now; which fact was off, and by how much;
    whether the bands held; whether to decide anew from today. Limits are cash_usd_per_month, cash_over, payback_months,
    price_factor, held_share, wrong_share and anew_usd.
    """
    from roi import __version__, clock
    from roi.answers.track import track_file
    from roi.answers.track_gathered import TrackQuestion
    from roi.answers.track_hours import QUERY
    from roi.answers.track_months import after, month_of, read_month
    from roi.cli.output import check_targets, write, write_blocks, write_page
    from roi.report.track import track_blocks
    from roi.report.track_json import track_json

    _refuse(
        told=bool(actual or bill or opencost or folder),
        revise=revise and folder is None,
        query=query is not None and prometheus is None,
    )
    check_targets(folder.glob("*.json") if folder is not None and folder.is_dir() else ())
    question = TrackQuestion(
        actual=actual,
        named=named,
        options=file_options(columns=columns_given, includes=input_includes_cache, provider=provider, model=model, dates=dates,
                             rates=rates),
        zone=timezone,
        bill=bill,
        opencost=opencost,
        prometheus=prometheus,
        query=query or QUERY,
        setup_usd=setup,
        quality=quality,
        since=None if since is None else read_month(since, "--since"),
        option=chosen,
        folder=folder,
        revise=revise,
        limits=_limits(limits),
        today=clock.today(),
    )
    found = track_file(
        shared.scenario_here(file), question, overrides=overrides, draws=draws, seed=seed, profiles=profiles, tell=shared.tell,
        cache=not no_cache,
    )
    for note in found.notes:
        shared.tell(note)
    early = [month.month for month in found.months if after(month.month) > month_of(clock.today())]
    if early:
        which = f"{early[0]}{f' to {early[-1]}' if len(early) > 1 else ''}"
        shared.tell(f"{which}: not over by this machine's clock, {clock.today()}")
    if found.written:
        shared.tell(f"wrote {', '.join(found.written)} in {folder}")
    if html is not None:
        from roi.report.track_page import track_page

        write_page(track_page(found, version=__version__), html, force=force)
    if form == "json":
        write(track_json(found, version=__version__), output)
    else:
        write_blocks(track_blocks(found, full=full), form, output)
    if not all(limit.holds for limit in found.limits):
        raise Exit(BROKEN)


def _refuse(*, told: bool, revise: bool, query: bool) -> None:
    """InputError where nothing is `told` to track, or an option is without effect."""
    if revise:
        raise InputError("--revise: without effect here: it keeps versions in --folder")
    if query:
        raise InputError("--query: without effect here: it is asked of --prometheus")
    if not told:
        raise InputError("--actual: nothing to track; give a usage export, --bill, --opencost, or --folder with kept months")


def _limits(given: tuple[str, ...]) -> dict[str, float]:
    """The limits by name; InputError with the nearest."""
    from roi.answers.track import LIMITS, RANGES

    found: dict[str, float] = {}
    for text in given:
        name, _, value = (part.strip() for part in text.partition("="))
        if name not in LIMITS:
            raise UnknownName("--limit", name, LIMITS, "limit", LIMITS)
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        least, most = RANGES.get(name, (-math.inf, math.inf))
        if not (math.isfinite(number) and least <= number <= most) or name in found:
            within = f" from {least:g}" * math.isfinite(least) + f" to {most:g}" * math.isfinite(most)
            why = "given twice" if name in found else f"{value[:40]!r} is not usable; a number{within}"
            raise InputError(f"--limit: {name}: {why}")
        found[name] = number
    return found
