"""Where an answer goes: stdout, as wide and as coloured as it can be, or a file that is either complete or untouched."""

import os
import re
import shutil
import stat
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from roi.errors import InputError, RoiError, visible

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


def check_fresh(path: Path | None, field: str, *, force: bool) -> None:
    """InputError where a new file could not be put at `path`, before the work is done: it is there, or no folder is."""
    if path is None:
        return
    if path.is_dir():
        raise InputError(f"{field}: {path} is a directory; give a file name")
    if path.exists() and not force:
        raise InputError(f"{field}: {path} is there already; give another name, or --force to put the new one in its place")
    if not path.resolve().parent.is_dir():
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


Content = str | bytes | Iterable[str]
"""What a file will hold: text, bytes, or text in parts."""


def replace_file(path: Path, content: Content, field: str = "--output", *, fresh: bool = False) -> None:
    """Put `content` into `path` atomically: a failure on the way leaves what was there before. Errors name `field`."""
    replace_files({path: content}, field, fresh=fresh)


def replace_in_folder(folder: Path, contents: Mapping[str, Content], field: str, *, fresh: bool = False) -> None:
    """Put each content into the file of that name in `folder`, which is made where it is not there."""
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = "it is a file" if isinstance(error, FileExistsError) else error.strerror
        raise InputError(f"{field}: cannot make the folder {folder}: {why}") from error
    try:
        replace_files({folder / name: content for name, content in contents.items()}, field, fresh=fresh)
    except RoiError:
        if made:
            folder.rmdir()
        raise


def replace_files(contents: Mapping[Path, Content], field: str, *, fresh: bool = False) -> None:
    """Put each content into its path; none takes its name before all are written. Errors name `field`.

    With `fresh` nothing may be there, also where it came meanwhile.

    Each goes to a temporary file in the same folder, then takes the name. A link is followed; a device or a pipe (/dev/null, a
    process substitution) is written to as it is.
    """
    parts: list[tuple[Path, Path]] = []
    at = next(iter(contents))
    try:
        for at, content in contents.items():
            target, part, file = _open_part(at, field)
            if part != target:
                parts.append((part, target))
            with file:
                _fill(file, content, sync=part != target)
        for part, target in parts:
            at = target
            (_name_once if fresh else os.replace)(part, target)
    except BrokenPipeError:
        raise
    except FileExistsError:
        raise InputError(f"{field}: {at} is there already; give another name, or --force") from None
    except OSError as error:
        raise RoiError(f"{field}: writing {at} failed, what was there is unchanged: {error.strerror}") from error
    finally:
        for part, _ in parts:
            part.unlink(missing_ok=True)


def _fill(file: BinaryIO, content: Content, *, sync: bool) -> None:
    pieces = (content,) if isinstance(content, (str, bytes)) else content
    file.writelines(piece if isinstance(piece, bytes) else piece.encode("utf-8", "backslashreplace") for piece in pieces)
    file.flush()
    if sync:
        os.fsync(file.fileno())


def _open_part(path: Path, field: str) -> tuple[Path, Path, BinaryIO]:
    """What `path` stands for, the file that takes its place when it is whole, and that one open; a device is both itself."""
    try:
        target = path.resolve()
        mode = target.stat().st_mode if target.exists() else None
        if mode is not None and stat.S_ISDIR(mode):
            raise InputError(f"{field}: {path} is a directory; give a file name")
        if mode is not None and not stat.S_ISREG(mode):
            return target, target, target.open("wb")
        part = target.with_name(f".roi-{os.urandom(4).hex()}.part")
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else stat.S_IMODE(mode))
    except OSError as error:
        raise InputError(f"{field}: cannot write {path}: {error.strerror}") from error
    return target, part, os.fdopen(handle, "wb")


def _name_once(part: Path, target: Path) -> None:
    """Give the file its name where nothing has it. FileExistsError otherwise."""
    try:
        os.link(part, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        if target.exists():
            raise FileExistsError from None
        part.replace(target)
