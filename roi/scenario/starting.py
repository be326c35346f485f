"""A template's text with other values: a file to start from, whose comments stay beside the fields that they explain."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from roi.scenario.meaning import meaning_of
from roi.scenario.yaml import comment, flow_yaml

Path = tuple[str, ...]
LINE: Final = re.compile(r"(?P<indent> *)(?P<off># )?(?P<key>[\w.-]+):(?P<value> .*?)?(?P<comment> +# .*)?")
"""A line of a template that holds a key; `off` where it is only shown."""
COLUMN: Final = 31
"""Where the templates' comments begin."""


def written_over(text: str, values: Mapping[Path, Any], gone: Iterable[Path] = (), title: str = "") -> str:
    """The template's text with these values; what it does not hold is added to its block, with unit and meaning.

    `gone` are fields to leave out. `title` is a line of comment to stand above the fields.
    """
    lines, gone = text.splitlines(), set(gone)
    for path, value in values.items():
        _put(lines, path, value)
    places = _places(lines)
    left = [line for k, line in enumerate(lines) if places.get(k) not in gone]
    if title:
        first = next(k for k, line in enumerate(left) if not line.startswith("#"))
        left.insert(first, comment(title).rstrip())
    return "\n".join(left) + "\n"


def renamed(text: str, path: Path, name: str) -> str:
    """The text with another last key at `path`: the scores of another model."""
    lines = text.splitlines()
    for k, place in _places(lines).items():
        if place == path:
            indent = "  " * (len(path) - 1)
            lines[k] = _aligned(indent + flow_yaml(name) + lines[k][len(indent) + len(path[-1]) :])
    return "\n".join(lines) + "\n"


def _put(lines: list[str], path: Path, value: Any) -> None:  # Any: a value of YAML
    """Write the value into the line of its field, or into a new line at the end of the field's block."""
    indent, places = "  " * (len(path) - 1), _places(lines)
    for k, place in places.items():
        if place == path and (found := LINE.fullmatch(lines[k])):
            lines[k] = _aligned(f"{indent}{path[-1]}: {flow_yaml(value)}{found['comment'] or ''}")
            return
    last = max(k for k, place in places.items() if place[: len(path) - 1] == path[:-1])
    told = meaning_of(".".join(path))
    unit = f"{told.unit}: " if told.unit else ""
    lines.insert(last + 1, _aligned(f"{indent}{path[-1]}: {flow_yaml(value)}   # {unit}{told.meaning}"))


def _aligned(line: str) -> str:
    """The line with its comment at the column of the others, where there is room."""
    head, sign, comment = line.rpartition(" # ")
    return f"{head.rstrip().ljust(COLUMN - 2)}  # {comment}" if sign else line


def _places(lines: list[str]) -> dict[int, Path]:
    """The path of the field that each line holds, two blanks a level."""
    above: list[str] = []
    found = {}
    for k, line in enumerate(lines):
        key = LINE.fullmatch(line)
        if key is None or (key["off"] and not key["indent"]):
            continue
        above[len(key["indent"]) // 2 :] = [key["key"]]
        found[k] = tuple(above)
    return found
