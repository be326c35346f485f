"""`roi init`: a commented scenario to start from."""

from datetime import datetime
from pathlib import Path

import click

from roi.cli.options import NEW_YAML, PATH, Choice, replace_option, tell
from roi.scenario import TEMPLATES


@click.command()
@click.argument("file", required=False, type=NEW_YAML)
@click.option("--template", "name", type=Choice(TEMPLATES), default=TEMPLATES[0], show_default=True, help="Kind of task.")
@click.option("--incumbent", metavar="PROVIDER/MODEL", help="The model that is paid today.")
@click.option("--requests", metavar="NUMBER", help="Requests a day.")
@click.option("--usage", multiple=True, type=PATH,
              help="A usage export (as for roi usage), or what roi usage --output wrote; may be repeated.")
@click.option("--as-of", type=click.DateTime(["%Y-%m-%d"]), help="Date of the prices.  [default: today]")
@replace_option(help="Replace FILE where it exists.")
def init(
    *, file: Path | None, name: str, incumbent: str | None, requests: str | None, usage: tuple[Path, ...],
    as_of: datetime | None,
) -> None:
    """Write a scenario to FILE (roi.yaml is found by itself), or to stdout: edit it, then roi compare FILE.

    What you give stands in the place of the template's guesses; what is still a guess is marked in every report.
    """
    from roi import clock
    from roi.answers.init import new_scenario
    from roi.cli.output import check_targets, write
    from roi.disk import replace_file

    check_targets()
    text = new_scenario(name, today=clock.today(), as_of=None if as_of is None else as_of.date(), incumbent=incumbent,
                        requests_per_day=requests, usage=usage, into=file, tell=tell)
    if file is None:
        write(text)
        return
    replace_file(file, text, "FILE")
    guesses = "what the records do not settle is a guess until you replace it" if usage else (
        "its figures are guesses until you replace them")
    tell(f"wrote {file}; {guesses}. Next: roi compare {file}")
