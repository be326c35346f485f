"""Where an answer goes: stdout, as wide and as coloured as it can be, or a file that is either complete or untouched."""

import os
import re
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from roi.disk import replace_file
from roi.errors import InputError, visible

if TYPE_CHECKING:
    from roi.report.page.parts import Page

NARROW, WIDE = 80, 120
COLOUR = re.compile(r"(\x1b\[[0-9;]*m)")
"""What turns a colour on or off."""


def in_colour(output: Path | None = None) -> bool:
    """True on a terminal that may be coloured (no-color.org)."""
    return output is None and sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def columns(output: Path | None = None) -> int:
    """Columns to use: the terminal's, from 80 to 120; 80 for a file or a pipe."""
    if output is not None or not sys.stdout.isatty():
        return NARROW
    from shutil import get_terminal_size  # loads archives of all kinds

    return min(max(get_terminal_size((NARROW, 24)).columns, NARROW), WIDE)


def write(text: str, output: Path | None = None) -> None:
    """Write `text` to stdout, or to the file `output` in one step; a newline ends it.

    What a terminal would obey is written out, but for line ends, tabs and, on a terminal, colours.
    """
    parts = COLOUR.split(text) if in_colour(output) else [text]
    text = "".join(part if k % 2 else visible(part, "\n\t") for k, part in enumerate(parts))
    text = text if text.endswith("\n") else text + "\n"
    if output is None:
        encoding = sys.stdout.encoding or "utf-8"
        click.echo(text.encode(encoding, errors="replace").decode(encoding), nl=False)
    else:
        spare_what_was_read(output)
        replace_file(output, text)


def write_lines(lines: Iterable[str], output: Path | None = None) -> None:
    """Write lines as they come to stdout, each at once, or to the file `output`, which takes its name with the last."""
    if output is not None:
        spare_what_was_read(output)
        replace_file(output, lines)
        return
    for line in lines:
        click.echo(line, nl=False)
        sys.stdout.flush()


def check_fresh(path: Path | None, field: str, *, force: bool) -> None:
    """InputError where a new file could not be put at `path`, before the work is done: it is there, or no folder is."""
    if path is None:
        return
    if path.is_dir():
        raise InputError(f"{field}: {path} is a directory; give a file name")
    if path.exists() and not force:
        raise InputError(f"{field}: {path} is there already; give another name, or --force to put the new one in its place")
    try:
        folder = path.resolve().parent
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links
        raise InputError(f"{field}: cannot write {path}: {getattr(error, 'strerror', None) or error}") from error
    if not folder.is_dir():
        raise InputError(f"{field}: no folder {path.parent}")
    spare_what_was_read(path, field)


def check_fresh_in(folder: Path | None, names: Iterable[str], field: str, *, force: bool) -> None:
    """InputError where one of these files is in the folder already; a folder that is not there is made later."""
    if folder is not None and folder.is_dir():
        for name in names:
            check_fresh(folder / name, field, force=force)


def write_page(page: "Page", path: Path, *, force: bool) -> None:
    """Write a report as one HTML file, whole or not at all; it tells no path, account or machine."""
    import getpass
    import socket

    from roi.catalog.user_data import cache_folder
    from roi.report.page.cover import without_places
    from roi.report.page.page import page_html
    from roi.report.page.script import drawing_script

    own = [str(Path.cwd()), os.path.expanduser("~"), socket.gethostname()]  # noqa: PTH111 - as user_data
    with suppress(KeyError, OSError):  # an account without a name has none to hide
        own.append(getpass.getuser())
    text = page_html(without_places(page, own), drawing_script(cache_folder(sys.platform, os.environ)))
    replace_file(path, text, "--html", fresh=not force)


def spare_what_was_read(output: Path, field: str = "--output") -> None:
    """InputError where `output` is a file that the command was given to read."""
    context = click.get_current_context(silent=True)
    given = context.params if context is not None else {}
    for name, value in given.items():
        for path in value if isinstance(value, tuple) else (value,):
            told = isinstance(path, Path) and path.is_file() and output.exists() and path.samefile(output)
            if told and name not in WRITTEN:
                raise InputError(f"{field}: {output} is what the command reads; give another name")


WRITTEN = frozenset({"output", "html", "xlsx", "folder"})
"""Parameters that say where a command writes."""
