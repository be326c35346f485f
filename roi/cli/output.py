"""Where an answer goes: stdout, as wide and as coloured as it can be, or a file that is either complete or untouched."""

import os
import re
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click

from roi.cli.options import HERE, Target, forced, tell
from roi.disk import replace_file
from roi.errors import InputError, needs, visible

if TYPE_CHECKING:
    from roi.report.layout.blocks import Block
    from roi.report.page.parts import Page

NARROW, WIDE = 80, 120
FORCE = "give another name, or --force to put the new one in its place"
OLDER = ", in place of the one that was there"
DRAWN_BY = {"--html": "Jinja2", "--xlsx": "XlsxWriter"}
"""What options whose files need the extra `report` are made with."""
HEAD = 1 << 16
"""Bytes of a file by which it is known."""
KINDS = (
    (re.compile(r'\s*\{"file":'), "a folder's comparisons"),
    (re.compile(r'\s*\{\s*"schema": ?"(roi\.[a-z-]+)/'), None),
    (re.compile(r"(?s)(?!\s*\{).*?^schema: [\"']?(roi\.[a-z-]+)/", re.MULTILINE), None),
    (re.compile(r"[\s#]*[^\n]+: \S+ requests? a day on [^\n]+\n\s*\d{4}-\d\d-\d\d "), "a comparison"),
)
"""How what this program writes begins, and what that is; None: its schema says it."""
SEAL = re.compile(r"^# as written: ([0-9a-f]{16})[^\n]*\n?", re.MULTILINE)
"""The last line of a part of a scenario, by which a change by hand is known; the digest is of the lines before it."""
PLAIN = str.maketrans({"├": "|", "└": "`", "│": "|", "─": "-", "…": "."})
"""The branches of a cost tree for an output that cannot show them."""
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
        text = text if "utf" in encoding.lower() else text.translate(PLAIN)
        click.echo(text.encode(encoding, errors="replace").decode(encoding), nl=False)
    else:
        tell(put(output, text))


def put(path: Path, text: str) -> str:
    """Write an answer to the file of --output, whole or not at all, and return what is to be told of that.

    An answer of the same kind gives way, as where the same command runs every day. InputError where something else is there,
    or a part of a scenario that was changed since, but for --force.
    """
    kind = kind_of(text)
    older = check_replaced(path, kind)
    replace_file(path, f"{text}# as written: {_digest(text)}\n" if kind.endswith("-part") else text)
    return f"wrote {path}{OLDER if older else ''}"


def check_replaced(path: Path, kind: str) -> bool:
    """True where a file of this kind is there; InputError where another one is, or one changed by hand, but for --force."""
    if not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            there = file.read(HEAD).decode("utf-8", "replace")
            whole = there + file.read().decode("utf-8", "replace") if kind.endswith("-part") else ""
    except OSError as error:
        raise InputError(f"--output: {path} is there already and cannot be read: {error.strerror}") from error
    same = kind_of(there) == kind
    seal = SEAL.search(whole)
    edited = same and seal is not None and seal[1] != _digest(SEAL.sub("", whole))
    if not forced() and (edited or not (same or not there.strip())):
        remedy = "give another name" if forced() is None else FORCE
        why = "was changed since it was written" if edited else "is there already, and no such answer as this one"
        raise InputError(f"--output: {path} {why}; {remedy}")
    return same


def _digest(text: str) -> str:
    """A digest of the lines, however an editor ends them."""
    return sha256("\n".join(line.rstrip() for line in text.rstrip().splitlines()).encode()).hexdigest()[:16]


def kind_of(text: str) -> str:
    """What a text is that this program wrote: its schema, or what it tells; else its first line, whatever its figures are."""
    for pattern, kind in KINDS:
        if found := pattern.match(text[:HEAD]):
            return kind or str(found[1])
    line = text.strip().partition("\n")[0]
    return re.sub(r"\d[\d.,]*", "0", line.replace("\\", "").strip("# "))


def write_answer(as_json: Callable[[], str], blocks: "Callable[[], Iterable[Block]]", form: str,
                 output: Path | None = None) -> None:
    """Write an answer in a form of --format: JSON, or its report."""
    if form == "json":
        write(as_json(), output)
    else:
        write_blocks(blocks(), form, output)


def write_blocks(blocks: "Iterable[Block]", form: str = "table", output: Path | None = None) -> None:
    """Write a report in a form of --format, as wide and as coloured as its place can show."""
    from roi.report.layout.blocks import render

    write(render(blocks, form, width=columns(output), colour=in_colour(output)), output)


def write_lines(lines: Iterable[str], output: Path | None = None, *, older: bool = False) -> None:
    """Write lines as they come to stdout, each at once, or to the file `output`, which takes its name with the last.

    There an `older` answer gives way.
    """
    if output is not None:
        replace_file(output, lines)
        tell(f"wrote {output}{OLDER if older else ''}")
        return
    for line in lines:
        click.echo(line, nl=False)
        sys.stdout.flush()


def check_targets(read: Iterable[Path] = (), made: Iterable[tuple[str, Path]] = ()) -> None:
    """InputError, before the work is done, where a file that this command writes could not be put where it shall be.

    It is a file that the command reads, or that another of its options writes, or is there and may not be replaced, or no
    folder is; MissingExtra where what makes it is not installed. What the command finds by itself to `read`, and the files
    `made` in a folder of an option, are given.
    """
    context = click.get_current_context()
    written = [(field, path, None if forced() else FORCE) for field, path in made]
    for param in context.command.params:
        value = context.params.get(param.name or "")
        if isinstance(param.type, Target) and value is not None:
            field = param.opts[0] if isinstance(param, click.Option) else param.human_readable_name
            check_target(value, field, None)
            if maker := DRAWN_BY.get(field):
                with needs("report", maker):
                    import_module(maker.lower())
            written.append((field, value, FORCE if param.type.fresh and not forced() else None))
    given = [each for each in (*read, *_read_by(context)) if os.path.isfile(each)]  # noqa: PTH113 -- whatever the text is
    for k, (field, path, _) in enumerate(written):
        if any(path.exists() and path.samefile(each) for each in given):
            raise InputError(f"{field}: {path} is what the command reads; give another name")
        for other, taken, _ in written[:k]:
            if path.resolve() in (taken.resolve(), *(taken.resolve().parents if other != field else ())):
                raise InputError(f"{field}: {path} is what {other} writes; give another name")
    for field, path, remedy in written:
        if path.parent.is_dir():  # else it is made
            check_target(path, field, remedy)


def _read_by(context: click.Context) -> Iterable[str | Path]:
    """The files that the command line gives to read, and what may be one."""
    for param in context.command.params:
        value = context.params.get(param.name or "")
        if param.name == "file" and value is None:
            yield HERE
        elif not isinstance(param.type, Target):
            every = value if isinstance(value, tuple) else (value,)
            yield from (each for each in every if isinstance(each, Path) or (each and isinstance(param, click.Argument)))


def check_target(path: Path, field: str, taken: str | None) -> None:
    """InputError where no file can be put at `path`; `taken` says what to do where one is there, None that it may go."""
    try:
        folder, there, is_folder = path.resolve().parent, path.exists(), path.is_dir()
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links
        raise InputError(f"{field}: cannot write {path}: {getattr(error, 'strerror', None) or error}") from error
    if is_folder:
        raise InputError(f"{field}: {path} is a directory; give a file name")
    if taken is not None and os.path.lexists(path) and (path.is_file() or not there):  # a device holds nothing to replace
        raise InputError(f"{field}: {path} is there already; {taken}")
    if not folder.is_dir():
        raise InputError(f"{field}: no folder {path.parent}")
    if not there and not os.access(folder, os.W_OK):
        raise InputError(f"{field}: {path.parent} does not let you write")


def write_page(page: "Page", path: Path) -> None:
    """Write a report as one HTML file, whole or not at all, and say so; the page tells no path, account or machine."""
    import getpass
    import socket

    from roi.catalog.user_data import cache_folder
    from roi.report.page.hidden_places import without_places
    from roi.report.page.page import drawing_script, page_html

    own = [str(Path.cwd()), os.path.expanduser("~"), socket.gethostname()]  # noqa: PTH111 - as user_data
    with suppress(KeyError, OSError):  # an account without a name has none to hide
        own.append(getpass.getuser())
    text = page_html(without_places(page, own), drawing_script(cache_folder()))
    replace_file(path, text, "--html", fresh=not forced())
    tell(f"wrote {path}")
