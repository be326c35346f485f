"""`roi diff`: what changed between two answers, and what each change did."""

from pathlib import Path
from typing import Any

import click

from roi.cli import options as shared


@click.command()
@click.argument("first", metavar="A", type=shared.PATH)
@click.argument("second", metavar="[B]", required=False, type=shared.PATH)
@click.option("--as-of", "days", multiple=True, metavar="DAY",
              help="Prices of this day; with one file: for the second answer, given twice for both.")
@shared.set_option
@shared.usage_option
@shared.quality_option
@shared.profiles_option
@shared.written_options("table", "json", "markdown")
@shared.html_option
@click.option("--redact", is_flag=True, help="Leave out rates, wages and names, in every form.")
@shared.full_option
@shared.cache_option
def diff(
    *, first: Path, second: Path | None, days: tuple[str, ...], form: str, output: Path | None, html: Path | None,
    redact: bool, full: bool,
    **asked: Any,  # Any: options that `diff_files` takes
) -> None:
    """What changed from A to B, and what each change did to NPV, cash and verdict.

    A and B are scenarios (YAML) or comparisons saved by `roi compare --format json`. With A alone, --as-of compares it with
    itself at the prices of another day. --set, --usage and --quality are laid over scenarios, not over a saved comparison.
    Parts are grouped into prices, volume, quality, evidence, options, terms and version of roi, and add up to the cent.
    """
    from roi.answers.diff import diff_files
    from roi.cli.output import check_targets, write_answer, write_page
    from roi.report.diff import diff_blocks, diff_json, diff_page

    check_targets()
    for day in days:
        shared.read_day(day, "--as-of")
    found = diff_files(first, second, days=days, every=full, tell=shared.tell, **asked)
    if html is not None:
        write_page(diff_page(found, redact=redact), html)
    for side in () if redact else (found.a, found.b):
        if side.unlike:
            shared.tell(side.unlike)
    write_answer(lambda: diff_json(found, redact=redact), lambda: diff_blocks(found, full=full, redact=redact), form, output)
