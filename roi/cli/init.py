"""`roi init`: a commented scenario to start from."""

import click

from roi.scenario import TEMPLATES


@click.command(short_help="Write a commented scenario to start from.")
@click.option("--template", "name", type=click.Choice(TEMPLATES), default="classification", show_default=True,
              help="Kind of task.")
@click.option("--format", "form", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True,
              help="YAML with comments, or the same values as JSON.")
def init(*, name: str, form: str) -> None:
    """Write a commented scenario to stdout: `roi init > my.yaml`, edit it, `roi compare my.yaml`."""
    from roi.cli.output import write
    from roi.scenario.file import template

    text = template(name)
    if form == "json":
        import json

        from roi.scenario.yaml import parse_yaml

        text = json.dumps(parse_yaml(text, name), indent=1, allow_nan=False)
    write(text)
