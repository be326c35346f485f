"""Commands run as somebody would who means harm: what they answered, and what of it no answer may be."""

import re
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import click
from click.testing import CliRunner

from roi.cli import main
from roi.cli.check import BROKEN

OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")
"""What a terminal, or an editor, would obey and not show."""
TOLD = {".md", ".yaml", ".csv", ".html"}
"""Ends of names of files that people read."""
BINARY = (b"PK", b"PAR1", b"\x89PNG")
"""How a workbook, a trace and a picture begin, whatever name they were given."""
EXITS = {0, 1, 2, 3, 130, 143}
"""Exit codes that docs/start.md names."""
NUMBERS = (0, -1, 1, 0.5, -0.0, 1e308, -1e308, 1e-320, 10**400, 2**63, 2**64, 10**11, float("nan"), float("inf"), True, None)
TEXTS = (
    "", " ", "x", "\x00", "\x1b[31mred\x1b[0m", "\x9b2J", "a\nb", "a\r\nseed: 9", "\u202eevil", "a\u2028b", "\udcff", "\ufeffx",
    "x" * 300, "y" * 70_000, "9" * 5_000, "1e309", "nan", "-inf", "-1", "0", "1e-320", "0x10", "1_000", "1,000", "\u0663",
    "\u00b2", "null", "true", "no", "[]", "{}", "{a: 1}", "[1, [2]]", "[" * 60, "&a 1", "*a", "!!python/object:os.system id",
    "'", '"', "%s%n", "{0.__class__}", "$(id)", "../../etc/passwd", "/dev/zero", "/dev/null", ".", "..", "~", "--", "-x",
    "<script>alert(1)</script>", "=cmd|' /C calc'!A0", "[bold]x[/bold]", "[/]", "a|b", "2026-13-45", "0000-00-00", "stay",
    "gpt-6-sol", "openai/gpt-6-luna", "qwen3-8b", "float", "Spread", "int", "60%", "$5",
)  # fmt: skip
"""Texts that programs stumble over."""


class Answer(NamedTuple):
    """What a command answered."""

    exit_code: int
    stdout: str
    stderr: str
    faults: tuple[str, ...]
    """What no answer may be, in words."""


def commands() -> dict[tuple[str, ...], click.Command]:
    """Every command, by the words that call it."""
    found: dict[tuple[str, ...], click.Command] = {}
    waiting: list[tuple[tuple[str, ...], click.Command]] = [((), main)]
    while waiting:
        words, command = waiting.pop()
        if isinstance(command, click.Group):
            context = click.Context(command)
            waiting += [((*words, name), command.get_command(context, name)) for name in command.list_commands(context)]
        else:
            found[words] = command
    return found


def ask(command: Sequence[str], *, text: bytes | None = None) -> Answer:
    """Run `roi` with these words in this process; warnings are faults."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "fetch_arrow_table", DeprecationWarning)
        result = CliRunner().invoke(main, list(command), input=text)
    faults = []
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        faults.append("".join(traceback.format_exception(result.exception)[-8:]))
    elif result.exit_code not in EXITS:
        faults.append(f"exit code {result.exit_code}")
    for stream, said in (("stdout", result.stdout), ("stderr", result.stderr)):
        if found := OBEYED.search(said):
            faults.append(f"{stream}: {found.group()!r} at {said[max(found.start() - 60, 0):][:120]!r}")
    answered = result.exit_code == 0 or (result.exit_code == BROKEN and result.stdout)
    if not answered and not faults and not one_message(result.stderr):
        faults.append(f"not one message: {result.stderr[:300]!r}")
    return Answer(result.exit_code, result.stdout, result.stderr, tuple(faults))


def one_message(stderr: str) -> bool:
    """True where the last line is a message, and what stands before it is talk of what is being done."""
    lines = stderr.splitlines()
    return bool(lines) and lines[-1].startswith("roi: ") and "Traceback" not in stderr


def faults_of_files(folder: Path) -> list[str]:
    """What files of text in the folder hold that somebody's terminal would obey, and parts that were left behind."""
    found = [f"left behind: {path.name}" for path in folder.rglob(".roi-*.part")]
    for path in folder.rglob("made*"):
        raw = path.read_bytes() if path.suffix in TOLD and path.is_file() else b""
        text = "" if raw.startswith(BINARY) else raw.decode()
        if path.suffix != ".html" and OBEYED.search(text.replace("\r\n", "\n")):
            found.append(f"{path.name} holds what a terminal obeys")
        if path.suffix == ".html" and "<script>alert(1)" in text:
            found.append(f"{path.name} holds a script of the input")
    return found
