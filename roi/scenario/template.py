"""The scenarios that come with roi: the templates and the bundled one; whether a scenario's day has come; a file to start from.

That file is a template's text with other values, whose comments stay beside the fields that they explain.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import date as Date
from datetime import timedelta
from importlib.resources import files
from typing import Any, Final

from roi import clock
from roi.errors import ScenarioError, UnknownName
from roi.scenario import TEMPLATES
from roi.scenario.meaning import meaning_of
from roi.scenario.yaml import comment, flow_yaml, parse_yaml

BUNDLED: Final = "bundled"
GRACE: Final = timedelta(days=1)
"""East of Greenwich it is tomorrow already for up to 14 hours."""
Path = tuple[str, ...]
LINE: Final = re.compile(r"(?P<indent> *)(?P<off># )?(?P<key>[\w.-]+):(?P<value> .*?)?(?P<comment> +# .*)?")
"""A line of a template that holds a key; `off` where it is only shown."""
COLUMN: Final = 31
"""Where the templates' comments begin."""


def template(name: str, field: str = "--template") -> str:
    """The text of a template, comments included; `field` is where its name was given."""
    if name not in (*TEMPLATES, BUNDLED):
        raise UnknownName(field, name, TEMPLATES, "template", TEMPLATES)
    return (files("roi.scenario") / "templates" / f"{name}.yaml").read_text(encoding="utf-8")


def check_day(day: Date, field: str = "as_of") -> None:
    """InputError where the day in `field` has not come: neither by the clock, nor by the prices that came with roi."""
    today = clock.today()
    if day > today + GRACE and day > template_day(BUNDLED):
        later = f"; roi diff FILE --as-of {day} compares with what is announced for a later one" if field == "as_of" else ""
        raise ScenarioError(field, day.isoformat(), f"a day up to today, {today}{later}")


def template_day(name: str) -> Date:
    """The day whose prices the template takes as it came with roi: it has come, whatever a machine's clock says."""
    return Date.fromisoformat(parse_yaml(template(name), name)["as_of"])


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
