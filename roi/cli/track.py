"""`roi track`: did it come true? The months after a decision against what the comparison said of them."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.exceptions import Exit

from roi.cli import options as shared
from roi.cli.check import BROKEN
from roi.cli.export_options import export_options
from roi.errors import InputError, UnknownName

if TYPE_CHECKING:
    from roi.usage.read.record import FileOptions


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
@click.option("--setup", "setup_usd", type=shared.Number(0, 1e12), metavar="USD",
              help="What the set-up cost; left out = as forecast.")
@click.option("--quality", type=shared.PATH, help="Errors since: what an evaluation settles (roi quality --output).")
@click.option("--since", metavar="MONTH", help="Month 1 of the decision; left out = the first whole one after its date.")
@click.option("--option", metavar="OPTION", help="What was chosen; left out = what the comparison recommends.")
@click.option("--folder", type=shared.PATH, help="Keep a file a month there, and read those that are kept.")
@click.option("--revise", is_flag=True, help="Keep a new version of a month whose figures changed.")
@click.option("--limit", "limits", multiple=True, metavar="NAME=VALUE", help="Exit 3 where it does not hold; may be repeated.")
@shared.written_options("table", "markdown", "json")
@shared.html_option
@shared.full_option
@shared.draws_options
@shared.cache_option
def track(
    *, file: Path | None, overrides: tuple[str, ...], profiles: tuple[Path, ...], draws: int | None, seed: int | None,
    cache: bool, export: "Callable[..., FileOptions]", since: str | None, folder: Path | None,
    limits: tuple[str, ...], form: str, output: Path | None, html: Path | None, full: bool,
    **told: Any,  # Any: fields of a TrackQuestion
) -> None:
    """Month by month after the decision of the scenario, or the saved comparison, in FILE.

    What came against the forecast and its 90% band; when the cash is earned back now; which fact was off, and by how much;
    whether the bands held; whether to decide anew from today. Limits are cash_usd_per_month, cash_over, payback_months,
    price_factor, held_share, wrong_share and anew_usd.
    """
    from roi import clock
    from roi.answers.track import track_file
    from roi.answers.track_gathered import TrackQuestion
    from roi.answers.track_months import after, month_of, read_month
    from roi.cli.output import check_targets, write_answer, write_page
    from roi.report.track import track_blocks
    from roi.report.track_json import track_json

    if told["revise"] and folder is None:
        raise InputError("--revise: without effect here: it keeps versions in --folder")
    if not (told["actual"] or told["bill"] or told["opencost"] or folder):
        raise InputError("--actual: nothing to track; give a usage export, --bill, --opencost, or --folder with kept months")
    check_targets(folder.glob("*.json") if folder is not None and folder.is_dir() else ())
    question = TrackQuestion(options=export(), folder=folder, limits=_limits(limits), today=clock.today(),
                             since=None if since is None else read_month(since, "--since"), **told)
    found = track_file(shared.scenario_here(file), question, overrides=overrides, draws=draws, seed=seed, profiles=profiles,
                       tell=shared.tell, cache=cache)
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

        write_page(track_page(found), html)
    noted = form != "table" or output is not None  # stderr does not stand beside it
    write_answer(lambda: track_json(found), lambda: track_blocks(found, full=full, noted=noted), form, output)
    if not all(limit.holds for limit in found.limits):
        raise Exit(BROKEN)


def _limits(given: tuple[str, ...]) -> dict[str, float]:
    """The limits by name; InputError with the nearest."""
    from roi.answers.track import LIMITS

    found: dict[str, float] = {}
    for text in given:
        name, _, value = (part.strip() for part in text.partition("="))
        if name not in LIMITS:
            raise UnknownName("--limit", name, LIMITS, "limit", LIMITS)
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        _, least, most = LIMITS[name]
        if not (math.isfinite(number) and least <= number <= most) or name in found:
            within = f" from {least:g}" * math.isfinite(least) + f" to {most:g}" * math.isfinite(most)
            why = "given twice" if name in found else f"{value[:40]!r} is not usable; a number{within}"
            raise InputError(f"--limit: {name}: {why}")
        found[name] = number
    return found
