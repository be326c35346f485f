"""A user's YAML file as plain values, and back: YAML 1.2 core scalars, one document, no aliases, no tags, no duplicate keys.

YAML 1.1 reads `no` as False, `1:30` as 90, `0777` as 511 and `2026-11-24` as a date. Here these are the texts "no", "1:30"
and "2026-11-24" and the number 777, as in YAML 1.2. Keys are always text. Every refusal names file and line.
"""

import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from shlex import quote
from typing import Any, Final, NoReturn

import yaml

from roi.disk import read_text
from roi.errors import InputError, ScenarioError, grouped, visible

SIZE_LIMIT = 2 * 2**20
"""Bytes; a scenario has a few hundred lines."""
DEPTH_LIMIT = 32
"""Nesting of mappings and lists; a scenario has six levels."""
DIGIT_LIMIT = 300
"""Characters of a number."""
_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LINE_BREAK_OF_1_1 = re.compile("[\x85\u2028\u2029]")
_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # Any: the stubs type neither loader's events
YAML_SIGNS: Final = tuple("[]{}'\"&*!|>%@`,#?")
"""First characters of a --set value that is more than a plain scalar, or nothing that a file may hold."""
CLOSED_BY: Final = {"[": "]", "{": "}"}
QUOTES: Final = ("'", '"')
PART_SCHEMA: Final = "roi.usage-part/1"
QUALITY_PART: Final = "roi.quality-part/1"
MEASURED: Final = "roi quality, "
"""How the source of a score begins that `roi quality` wrote."""
START: Final = "`roi init` writes a scenario to start from"


def read_yaml(  # Any: a YAML document; the schema gives it types
    path: Path, start: str = START, is_count: Callable[[str], bool] = lambda _: False,
) -> dict[str, Any]:
    """The mapping that the file holds; InputError with file and line where it is not acceptable.

    So is a number such as 20.000, which may be twenty thousand, where `is_count` says that the path of its field counts.
    """
    return parse_yaml(read_text(path, SIZE_LIMIT, holds="a scenario"), str(path), start, is_count)


def parse_yaml(  # Any: as read_yaml
    text: str, name: str, start: str = START, is_count: Callable[[str], bool] = lambda _: False,
) -> dict[str, Any]:
    """The mapping that `text` holds, as `read_yaml`; `name` is what messages call it, `start` what helps where it is empty."""
    bad = _UNPRINTABLE.search(text)
    if bad:
        _refuse(name, text.count("\n", 0, bad.start()) + 1, f"control character {bad.group()!r}; this must be plain text")
    try:
        document = _document(name, yaml.parse(text, Loader=_Parser), is_count)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        lines = text.split("\n")[line - 1 : line]
        hint = "; indent with spaces, not tabs" if lines and re.match(r" *\t", lines[0]) else ""
        _refuse(name, line, f"not valid YAML: {error.problem or error.context}{hint}")
    except yaml.YAMLError as error:
        _refuse(name, 1, f"not valid YAML: {str(error).splitlines()[0]}")
    if document is None:
        raise InputError(f"{name}: empty; {start}")
    if not isinstance(document, dict):
        found = "a list" if isinstance(document, list) else f"the single value {str(document)[:60]!r}"
        _refuse(name, 1, f"it should be a mapping of names to values, not {found}")
    return document


def dump_yaml(data: dict[str, Any]) -> str:  # Any: as read_yaml
    """`data` as YAML that `read_yaml` turns into the same values. NaN and infinity raise ValueError."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=math.inf)


def comment(text: str) -> str:
    """A line of comment: what is in `text` cannot end it and become a field."""
    return f"# {visible(text)}\n"


def flow_yaml(value: Any) -> str:  # Any: as read_yaml
    """A value on one line, as it may stand behind a key: 0.3, "no", [a, b], {value: 1, low: 0}."""
    listed = yaml.dump([value], Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=True, width=math.inf)
    return str(listed).strip()[1:-1]


def scalar(text: str) -> bool | float | str | None:
    """The value of a plain (unquoted) scalar by the YAML 1.2 core schema. `--set` reads its values with it.

    ValueError for NaN, infinity, a number beyond the range of a double, and one of more than DIGIT_LIMIT characters.
    """
    if _NULL.fullmatch(text):
        return None
    if _BOOL.fullmatch(text):
        return text[0] in "tT"
    if _NOT_FINITE.fullmatch(text):
        raise ValueError(f"{text} is not a finite number")
    if not _FLOAT.fullmatch(text) and not _INT.fullmatch(text):
        return text
    if len(text) > DIGIT_LIMIT:
        raise ValueError(f"a number of {len(text)} digits")
    if _INT.fullmatch(text):
        return int(text, 0) if text[:2] in {"0o", "0x"} else int(text)
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text} is beyond the largest number")
    return number


def set_value(text: str, path: str, is_count: Callable[[str], bool] = lambda _: False) -> Any:  # Any: as read_yaml
    """The value that is written behind `--set path=`: a list, a block or quoted text as YAML; else a plain scalar.

    A plain one ends nowhere: not at " #", which begins a comment in a file, nor at ": ". `is_count` as in `read_yaml`.
    """
    if "\n" in text or "\r" in text:
        raise ScenarioError("--set", text, "one value a --set; repeat --set for another field")
    if text[:1] in YAML_SIGNS:
        try:
            return _of_yaml(text, lambda inside: is_count(path + inside.removeprefix("value")))
        except InputError as error:
            said = re.sub(r"value(?=[.:[])", path, str(error).partition(": ")[2], count=1)
            raise ScenarioError("--set", f"{path}={text}", f"{said}{_mended(text, path, said)}") from None
    try:
        return scalar(text)
    except ValueError as error:
        raise ScenarioError("--set", f"{path}={text}", str(error)[:100]) from None


def _of_yaml(text: str, is_count: Callable[[str], bool] = lambda _: False) -> Any:  # Any: as read_yaml
    return parse_yaml(f"value: {text}", "value", is_count=is_count)["value"]


def _mended(text: str, path: str, said: str) -> str:
    """The end of what is `said` of a --set value that is no YAML: what to write, with brackets or quotes closed, or quoted."""
    left: list[str] = []
    for sign in text:
        if sign in CLOSED_BY:
            left.append(CLOSED_BY[sign])
        elif left and sign == left[-1]:
            left.pop()
    closed = text + ("".join(reversed(left)) if left else text[0] if text[0] in QUOTES else "")
    for mended in (closed, "" if text[0] in CLOSED_BY else flow_yaml(text)):
        try:
            known = mended not in {"", text} and _of_yaml(mended) is not None
        except InputError:
            known = False
        if known:
            words = f"{path}={mended}"
            plain = "'" in words and not re.search(r'["$`\\!]', words)
            return "; write --set " + (f'"{words}"' if plain else quote(words))
    return "; a list is [a, b], a block {value: 9, low: 6}" if text[0] in CLOSED_BY and "not valid" in said else ""


def _refuse(name: str, line: int, problem: str) -> NoReturn:
    raise InputError(f"{name}:{line}: {problem}")


def _document(name: str, events: Iterator[Any], is_count: Callable[[str], bool]) -> Any:
    """The value of the one document; None where there is none.

    Working on the parser's events means that an alias is refused before it is expanded, and that nesting ends at DEPTH_LIMIT.
    """
    found, documents = None, 0
    for event in events:
        if isinstance(event, yaml.NodeEvent):
            found = _node(name, events, event, "", 0, is_count)
        documents += isinstance(event, yaml.DocumentStartEvent)
        if documents > 1:
            _refuse(name, event.start_mark.line + 1, "a second document (---); a scenario is one document")
    return found


def _node(name: str, events: Iterator[Any], event: Any, path: str, depth: int, is_count: Callable[[str], bool]) -> Any:
    """The value that begins with `event`, its end read too; `path` is its place, for messages."""
    line = _checked_line(name, event, depth)
    if isinstance(event, yaml.ScalarEvent):
        if (asked := grouped(event.value.strip())) and is_count(path[1:]):
            _refuse(name, line, f"{path[1:]}: {event.value} is not usable; {asked}")
        try:
            return scalar(event.value) if event.implicit[0] else event.value
        except ValueError as error:
            _refuse(name, line, f"{path.lstrip('.') or 'document'}: {str(error)[:100]}")
    if isinstance(event, yaml.SequenceStartEvent):
        items: list[Any] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            items.append(_node(name, events, event, f"{path}[{len(items)}]", depth + 1, is_count))
        return items
    mapping: dict[str, Any] = {}
    lines: dict[str, int] = {}
    while not isinstance(event := next(events), yaml.MappingEndEvent):
        line = _checked_line(name, event, depth + 1)
        if not isinstance(event, yaml.ScalarEvent):
            _refuse(name, line, "a key is a name, not a list or mapping")
        key, inside = event.value, f"{path}.{event.value[:60]}"
        if key in lines:
            _refuse(name, line, f"{inside.lstrip('.')}: given twice, first in line {lines[key]}")
        lines[key] = line
        mapping[key] = _node(name, events, next(events), inside, depth + 1, is_count)
    return mapping


def _checked_line(name: str, event: Any, depth: int) -> int:
    """The line of a node, which is refused where it has what no value may have: an alias, an anchor, a tag, too much depth."""
    line: int = event.start_mark.line + 1
    if isinstance(event, yaml.AliasEvent):
        _refuse(name, line, f"alias *{str(event.anchor)[:60]}; write the value out instead")
    if event.anchor:
        _refuse(name, line, f"anchor &{event.anchor[:60]}; anchors and aliases are not used here")
    if event.tag:
        _refuse(name, line, f"tag {event.tag[:60]}; tags are not used here, quote a value to make it text")
    if depth >= DEPTH_LIMIT and not isinstance(event, yaml.ScalarEvent):
        _refuse(name, line, f"nested deeper than {DEPTH_LIMIT} levels")
    return line


class _Dumper(yaml.SafeDumper):
    """Quotes text that YAML 1.1 or 1.2 would read as something else; writes no anchors; refuses NaN and infinity."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 -- PyYAML's signature
        """A value that occurs twice is written twice."""
        return True


def _text(dumper: _Dumper, data: str) -> yaml.ScalarNode:
    try:
        style = None if isinstance(scalar(data), str) else "'"
    except ValueError:
        style = "'"
    if _LINE_BREAK_OF_1_1.search(data):  # PyYAML loses these inside single quotes
        style = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", data, style=style)


def _float(dumper: _Dumper, data: float) -> yaml.ScalarNode:
    if not math.isfinite(data):
        raise ValueError(f"{data} has no place in a scenario")
    return dumper.represent_float(data)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(float, _float)
