"""Where an answer goes: stdout, or a file that is either complete or untouched."""

import os
import stat
import sys
from pathlib import Path

import click

from roi.errors import InputError, RoiError


def write(text: str, output: Path | None = None) -> None:
    """Write `text` to stdout, or to the file `output` in one step; a newline ends it."""
    text = text if text.endswith("\n") else text + "\n"
    if output is None:
        encoding = sys.stdout.encoding or "utf-8"
        click.echo(text.encode(encoding, errors="replace").decode(encoding), nl=False)
    else:
        replace_file(output, text)


def replace_file(path: Path, text: str) -> None:
    """Put `text` into `path` atomically: a failure on the way leaves what was there before.

    The text goes to a temporary file in the same folder, then takes the name. A link is followed; a device or a pipe
    (/dev/null, a process substitution) is written to as it is.
    """
    try:
        target = path.resolve()
        mode = target.stat().st_mode if target.exists() else None
        if mode is not None and stat.S_ISDIR(mode):
            raise InputError(f"--output: {path} is a directory; give a file name")
        if mode is not None and not stat.S_ISREG(mode):
            target.write_text(text, encoding="utf-8", errors="backslashreplace")
            return
        part = target.with_name(f".roi-{os.urandom(4).hex()}.part")
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else stat.S_IMODE(mode))
    except BrokenPipeError:
        raise
    except OSError as error:
        raise InputError(f"--output: cannot write {path}: {error.strerror}") from error
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    except OSError as error:
        raise RoiError(f"--output: writing {path} failed, what was there is unchanged: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
