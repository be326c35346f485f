"""Options that several commands share, each declared once; and the check of values that ranges let through."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from roi.errors import visible

F = TypeVar("F", bound=Callable[..., Any])
"""A command's function."""
PATH = click.Path(path_type=Path)

file_argument = click.argument("file", required=False, type=PATH)
set_option = click.option("--set", "overrides", multiple=True, metavar="A.B=VALUE",
                          help="Override a field of the scenario; may be repeated.")
usage_option = click.option("--usage", "part", type=PATH,
                            help="What usage records settle (roi usage --output), laid over the scenario.")
profiles_option = click.option("--profiles", multiple=True, type=PATH, help="Folder of profiles to search first.")
full_option = click.option("--full", is_flag=True, help="Print all that is known, not the answer alone.")
output_option = click.option("--output", type=PATH, help="Write to this file, whole or not at all.")


HERE = Path("roi.yaml")
"""The scenario of the folder that a command is run in."""


def scenario_here(file: Path | None) -> Path | None:
    """FILE; without it the folder's roi.yaml, which is said; None where there is none."""
    if file is not None or not HERE.is_file():
        return file
    tell(f"using ./{HERE}")
    return HERE


def format_option(*forms: str) -> Callable[[F], F]:
    """`--format` of these forms, the first of which is the default."""
    return click.option("--format", "form", type=click.Choice(forms), default=forms[0], show_default=True, help="How to print.")


def scenario_options(command: F) -> F:
    """FILE, and what is laid over or beside the scenario in it: --set, --usage, --profiles."""
    for option in (profiles_option, usage_option, set_option, file_argument):
        command = option(command)
    return command


def tell(line: str) -> None:
    """Say one line beside the answer, on stderr."""
    click.echo(f"roi: {visible(line)}", err=True)
