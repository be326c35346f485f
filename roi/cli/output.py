"""Where an answer goes: stdout, as wide and as coloured as it can be, or a file that is either complete or untouched."""

import os
import re
import shutil
import stat
import sys
from pathlib import Path

import click

from roi.errors import InputError, RoiError, visible

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
    return min(max(shutil.get_terminal_size((NARROW, 24)).columns, NARROW), WIDE)


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


def spare_what_was_read(output: Path) -> None:
    """InputError where `output` is a file that the command was given to read."""
    context = click.get_current_context(silent=True)
    given = context.params if context is not None else {}
    for name, value in given.items():
        for path in value if isinstance(value, tuple) else (value,):
            if name != "output" and isinstance(path, Path) and path.is_file() and output.exists() and path.samefile(output):
                raise InputError(f"--output: {output} is what the command reads; give another name")


def replace_file(path: Path, text: str, field: str = "--output") -> None:
    """Put `text` into `path` atomically: a failure on the way leaves what was there before. Errors name `field`.

    The text goes to a temporary file in the same folder, then takes the name. A link is followed; a device or a pipe
    (/dev/null, a process substitution) is written to as it is.
    """
    try:
        target = path.resolve()
        mode = target.stat().st_mode if target.exists() else None
        if mode is not None and stat.S_ISDIR(mode):
            raise InputError(f"{field}: {path} is a directory; give a file name")
        if mode is not None and not stat.S_ISREG(mode):
            target.write_text(text, encoding="utf-8", errors="backslashreplace")
            return
        part = target.with_name(f".roi-{os.urandom(4).hex()}.part")
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else stat.S_IMODE(mode))
    except BrokenPipeError:
        raise
    except OSError as error:
        raise InputError(f"{field}: cannot write {path}: {error.strerror}") from error
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    except OSError as error:
        raise RoiError(f"{field}: writing {path} failed, what was there is unchanged: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
