"""`roi check`: does a decision keep to a policy? Exit code 3 where it does not."""

from pathlib import Path
from typing import Any

import click

from roi.cli import options as shared

BROKEN = 3
"""Exit code where a rule does not hold."""


@click.command()
@click.argument("file", required=False, type=shared.PATH)
@click.argument("policy", required=False, type=shared.PATH)
@click.option("--saved", type=shared.PATH,
              help="The saved comparison that was decided on: its verdict and its signposts must hold.")
@click.option("--as-of", metavar="DAY", help="Prices of this day; ages are counted from it.  [default: the scenario's; today]")
@shared.set_option
@shared.usage_option
@shared.quality_option
@shared.profiles_option
@shared.written_options("table", "json", "markdown")
@click.option("--redact", is_flag=True, help="Leave rates and names out of table and markdown.")
@shared.cache_option
@click.pass_context
def check(
    ctx: click.Context, /, *, file: Path | None, policy: Path | None, saved: Path | None, as_of: str | None, form: str,
    output: Path | None, redact: bool,
    **asked: Any,  # Any: options that `compare_file` takes
) -> None:
    """Hold the scenario in FILE (or a saved comparison) against POLICY, a YAML file of limits.

    roi schema --of policy lists what it may ask. Without POLICY: is there a verdict, on a tested option? The exit code is 3
    where a rule does not hold, and the answer says which one, and by how much.
    """
    from roi.answers.check import check_file
    from roi.cli.output import check_targets, write_answer
    from roi.clock import today
    from roi.errors import InputError
    from roi.report.check import check_blocks, check_json

    if redact and form == "json":
        raise InputError("--redact: JSON holds every name; write --format markdown")
    if as_of is not None:
        shared.read_day(as_of, "--as-of")
    check_targets()
    scenario = shared.scenario_here(file)
    if scenario is None and saved is not None:
        raise InputError(f"FILE: which scenario is held against {saved}? Name it; here is no roi.yaml")
    found = check_file(scenario, policy, today=today(), as_of=as_of, saved_file=saved, tell=shared.tell, **asked)
    if found.note:
        shared.tell(found.note)
    write_answer(lambda: check_json(found), lambda: check_blocks(found, redact=redact), form, output)
    if found.broken:
        ctx.exit(BROKEN)
