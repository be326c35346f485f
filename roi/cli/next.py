"""`roi next`: what to measure next, how much of it, and when to stop."""

from pathlib import Path

import click

from roi.cli import options as shared


@click.command("next")
@shared.scenario_options
@shared.quality_option
@shared.written_options("table", "json", "markdown")
@shared.full_option
@shared.draws_options
@shared.cache_option
def next_step(
    *, file: Path | None, overrides: tuple[str, ...], part: Path | None, quality: Path | None, profiles: tuple[Path, ...],
    form: str, output: Path | None, force: bool,  # noqa: ARG001 -- write reads it
    full: bool, draws: int | None, seed: int | None, no_cache: bool,
) -> None:
    """What to measure next in the scenario in FILE, as `roi compare` of it says.

    For each experiment: its cost and time, the most that it could be worth, what it is worth at its best size, and what is left
    of that before and after the recommended change; for the best one, the net value by size and where to stop.
    """
    from roi import __version__
    from roi.answers.next import next_file
    from roi.cli.output import check_targets, write, write_blocks
    from roi.report.next import next_blocks, next_json

    check_targets()
    file = shared.scenario_here(file)
    found = next_file(file, overrides=overrides, part=part, quality=quality, draws=draws, seed=seed, profiles=profiles,
                      tell=shared.tell, cache=not no_cache)
    if found.note:
        shared.tell(found.note)
    if form == "json":
        write(next_json(found, version=__version__), output)
    else:
        write_blocks(next_blocks(found, full=full), form, output)
