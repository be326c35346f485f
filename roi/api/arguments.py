"""Errors of the rooms below, which speak of options of commands, in the words of Python: an option is the argument it is here.

One rule for every function of this room. What is quoted of a command (`roi usage FILES --output`) stays as one types it. An
option that is no argument is said to be one of the command, whose file the functions take.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date as Date
from typing import Final

from roi.errors import InputError, RoiError, check_type, day_meant

COMMAND: Final = re.compile(r"(roi [a-z]+\b[^;,`)\n]*)")
"""A command that is quoted, to the end of its clause."""
PAIR: Final = r"[\w.-]+=[^\s;,:)]+"
PAIRED: Final = re.compile(rf"--(map|system|set) ({PAIR}(?:(?: --\1 |, | and | or ){PAIR})*)")
"""Options that are given as NAME=VALUE, several at once."""
OPTION: Final = re.compile(r"(--[a-z]+(?:-[a-z]+)*)(?: ([A-Z]{3,}|us|eu|yes|no|wrong|provider/model)\b)?")
"""An option, and its value where one is given that is no word of a sentence."""
VALUES: Final = {"yes": "True", "no": "False", "NUMBER": "NUMBER"}
"""Values that Python writes without quotation marks."""


@contextmanager
def in_python(arguments: Mapping[str, str], command: str = "") -> Iterator[None]:
    """What is raised within, in the words of Python: `arguments` by their options; `command` has those that are none."""
    try:
        yield
    except RoiError as error:
        error.reword(lambda text: reworded(text, arguments, command))
        raise


def day_of(name: str, given: object) -> Date | None:
    """The day that the argument is; a text is read as a scenario's as_of is."""
    check_type(name, given, Date | str | None, "a date, a text such as 2026-11-24, or None")
    assert given is None or isinstance(given, (Date, str))
    if not isinstance(given, str):
        return given
    try:
        return Date.fromisoformat(given)
    except ValueError:
        raise InputError(f"{name}: {given[:40]!r} is not usable; a day such as 2026-11-24{day_meant(given)}") from None


def reworded(text: str, arguments: Mapping[str, str], command: str = "") -> str:
    """The text with arguments in the place of options, but within commands that it quotes."""
    other = list[str]()

    def paired(found: re.Match[str]) -> str:
        name = arguments.get(f"--{found[1]}")
        given = re.findall(PAIR, found[2])
        if name is None:
            return found[0]
        if found[1] == "set":
            return f"{name}=[{', '.join(map(_quoted, given))}]"
        return f"{name}={{{', '.join(': '.join(map(_quoted, each.split('=', 1))) for each in given)}}}"

    def single(found: re.Match[str]) -> str:
        name, value = arguments.get(found[1]), found[2]
        if name is None:
            other.append(found[1])
            return found[0]
        return name if value is None else f"{name}={VALUES.get(value) or _quoted(value)}"

    parts = COMMAND.split(text)
    for k in range(0, len(parts), 2):
        parts[k] = OPTION.sub(single, PAIRED.sub(paired, parts[k]))
        parts[k] = re.sub(r"\b(FILES|MODEL):", lambda found: found[0].lower(), parts[k])
    of = f" ({', '.join(dict.fromkeys(other))}: of {command}, whose --output load_scenario takes)" if other and command else ""
    return "".join(parts) + of


def _quoted(word: str) -> str:
    return f'"{word}"'
