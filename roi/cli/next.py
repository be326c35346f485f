"""`roi next`: what to measure next, how much of it, and when to stop."""

from pathlib import Path
from typing import Any

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
    *, file: Path | None, form: str, output: Path | None, full: bool,
    **asked: Any,  # Any: options that `compare_file` takes
) -> None:
    """What to measure next in the scenario in FILE, as `roi compare` of it says.

    For each experiment: its cost and time, the most that it could be worth, what it is worth at its best size, and what is left
    of that before and after the recommended change; for the best one, the net value by size and where to stop.
    """
    from roi.answers.next import next_file
    from roi.cli.output import check_targets, write_answer
    from roi.report.next import next_blocks, next_json

    check_targets()
    found = next_file(shared.scenario_here(file), tell=shared.tell, **asked)
    if found.note:
        shared.tell(found.note)
    write_answer(lambda: next_json(found), lambda: next_blocks(found, full=full), form, output)
