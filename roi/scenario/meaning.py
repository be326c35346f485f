"""What a field of the scenario means: its words, unit, default, bounds, read from the schema."""

import re
import types
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date as Date
from functools import cache
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import AfterValidator
from pydantic.fields import FieldInfo

from roi.errors import InputError, UnknownName, first_of
from roi.scenario.quantity import LARGEST, Section, Spread, Within
from roi.scenario.scenario import Scenario

Kind = Any
"""A type annotation, which has no type of its own."""
WORDS: Final = {
    bool: "true or false", int: "a whole number", float: "a number", str: "a name", Date: "a date, such as 2026-11-24",
}  # fmt: skip
"""What a value of each type is called."""
COUNTS: Final = frozenset({"requests/day", "tokens", "examples", "labels", "USD/month"})
"""Units of what is counted: nobody writes three decimals of it, the last of them 0."""
OF_A_PIECE: Final = re.compile(r"_per_(error|request)$")
"""A field in USD that is a price of a piece, as those by the hour, the kWh and the million tokens are: 0.250 is one. Other
amounts in USD have two decimals at most."""
INDEX: Final = re.compile(r"\[([0-9]+)\]")
"""The number of an item as a message about a file has it."""
ITEM: Final = re.compile(r"[0-9]{1,6}")
"""The number of an item of a list, in a path; the first is 0."""
SHOWN: Final = 6
"""Fields of one name that a message lists."""
PARTED: Final = re.compile(r"[-_ ]")
"""What may stand between the words of a name."""
INSTEAD: Final = re.compile(r"left out[^=;.]*= (?:[^=;.]* )?([a-z_]+(?:\.[a-z_]+)+)")
"""What a meaning says of the field whose value holds where it is left out."""
ASKED: Final = "help"
"""What an UnknownName for a field calls its own place."""
SHORTEST: Final = 2
"""Letters that are too few to search for."""

REPEATS: Final = "incumbent.bill_of."
"""Fields that are called as those of the workload, which are meant where the block is not named."""


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """One field of the scenario."""

    path: str
    meaning: str
    unit: str
    kind: str
    """What may be written: a number, true or false, a list."""
    needed: bool
    default: object
    """None where nothing is assumed when it is left out."""
    least: float | None = None
    most: float | None = None
    above: bool = False
    """True where `least` itself is out of bounds."""
    fields: tuple[str, ...] = ()
    """Where it is a block: paths from here to the fields inside; NAME stands for an entry's name."""

    @property
    def bounds(self) -> str:
        """In words: "above 0, at most 1"; empty where it has none. The bound that only keeps arithmetic finite is not said."""
        low = "" if self.least is None or self.least <= -LARGEST else f"{'above' if self.above else 'at least'} {self.least:g}"
        high = "" if self.most is None or self.most >= LARGEST else f"at most {self.most:,.10g}"
        return ", ".join(part for part in (low, high) if part)


def meaning_of(name: str, also: Iterable[str] = ()) -> Meaning:
    """What the field means that has this path, or whose path ends so; an entry's name may stand in it: quality.scores.gpt-4.1.

    UnknownName with the nearest where there is none (`also` are other names that were possible), InputError where several end
    so.
    """
    found = _found(Scenario, name.split("."))
    if found is not None:
        return replace(found, path=name)
    ends = _ends(name)
    if len(ends) > 1:
        raise InputError(f"{name}: several fields end so: {first_of(ends, SHOWN)}; write one out")
    if not ends:
        known = [*also, *field_paths(), *(path.rpartition(".")[2] for path in field_paths())]
        blocks = (path for path in field_paths() if "." not in path)
        raise UnknownName(ASKED, name, known, "command or field", (*also, *blocks))
    return meaning_of(ends[0])


def stand_in(m: Meaning) -> str | None:
    """The field whose value holds where this one is left out, as its meaning says; None where none does."""
    other = INSTEAD.search(m.meaning) if m.default in (None, {}) else None
    return other[1] if other is not None and other[1] in field_paths() else None


def fields_ending(name: str) -> tuple[Meaning, ...]:
    """The fields whose path ends so, where they are several and none has this whole path; else none."""
    ends = _ends(name) if _found(Scenario, name.split(".")) is None else []
    return tuple(meaning_of(path) for path in ends) if len(ends) > 1 else ()


def _ends(name: str) -> list[str]:
    """The paths that end so; where none does, those that do but for capitals and what parts words."""
    paths = [path for path in field_paths() if not path.startswith(REPEATS)]
    ends = [path for path in paths if path.endswith(f".{name}")]
    return ends or [path for path in paths if f".{_letters(path)}".endswith(f".{_letters(name)}")]


def fields_about(word: str) -> tuple[Meaning, ...]:
    """The fields whose path or meaning has a word that begins so, for a price also rates in USD/Mtok; none for two letters.

    Words may be parted as one likes (on_call, on-call); where none begins so, in other places too (oncall).
    """
    every = [meaning_of(path) for path in field_paths() if len(word) > SHORTEST]
    words = [re.escape(each) for each in PARTED.split(word) if each]
    for sought in (PARTED.pattern.join(words), f"{PARTED.pattern}?".join(map(re.escape, PARTED.sub("", word)))):
        begins = re.compile(rf"\b{sought}", re.IGNORECASE)
        found = tuple(each for each in every if sought and begins.search(
            f"{each.path} {each.path.replace('_', ' ')} {each.meaning}{' price' if each.unit == 'USD/Mtok' else ''}"))
        if found:
            return found
    return ()


def _letters(name: str) -> str:
    """The name in small letters, without what parts its words."""
    return PARTED.sub("", name.lower())


def is_count(path: str) -> bool:
    """True where the field at the path counts, as requests or USD: 20.000 of it may be meant as twenty thousand."""
    field = INDEX.sub(r".\1", path).removesuffix(".value").removesuffix(".low").removesuffix(".high")
    found = _found(Scenario, field.split("."))
    if found is None:
        return False
    return found.unit in COUNTS or found.kind == WORDS[int] or (found.unit == "USD" and OF_A_PIECE.search(field) is None)


@cache
def field_paths() -> tuple[str, ...]:
    """Every path of the schema, blocks before what is inside; NAME stands for an entry's name."""
    return tuple(_paths(Scenario, ""))


def _paths(block: type[Section], lead: str) -> Iterator[str]:
    for name, info in block.model_fields.items():
        path = f"{lead}{info.alias or name}"
        yield path
        inside = section_in(info.annotation)
        if inside is not None and inside is not Spread:
            yield from _paths(inside, f"{path}.NAME." if entries_in(info.annotation) is dict else f"{path}.")


def _found(block: type[Section], keys: list[str]) -> Meaning | None:
    """The field at the path, a block's keys first; None where the schema has none."""
    names, rest = {info.alias or name: name for name, info in block.model_fields.items()}, keys[1:]
    if keys[0] not in names:
        return None
    info, told = block.model_fields[names[keys[0]]], block.descriptions().get(names[keys[0]], "")
    inside, named = section_in(info.annotation), entries_in(info.annotation) is dict
    if rest[:1] and ITEM.fullmatch(rest[0]) and entries_in(info.annotation) is tuple:  # an item of a list
        rest = rest[1:]
    if not rest:
        return _meaning(info, told, inside)
    if named:
        inner = () if inside is None else (_found(inside, rest[k:]) for k in range(1, len(rest)))  # a name may hold dots
        deeper = next((each for each in inner if each is not None), None)
        return deeper or _meaning(info, told, inside, _entry(info.annotation))
    return None if inside is None else _found(inside, rest)


def _meaning(info: FieldInfo, told: str, inside: type[Section] | None, entry: Kind = None) -> Meaning:
    """The field's words, unit, kind, default and bounds; those of one entry of it, where `entry` is the type of an entry."""
    kind = info.annotation if entry is None else entry
    marks = [*(info.metadata if entry is None else ()), *_marks(kind)]
    units = [extra["unit"] for extra in map(_extra, [info, *marks]) if "unit" in extra]
    block = None if inside is None or "value" in inside.model_fields else inside  # a number with its ends is no block
    lead = "NAME." if entries_in(kind) is dict else ""
    given = None if info.is_required() or block or entry is not None else info.get_default(call_default_factory=True)
    return Meaning(
        path="", meaning=" ".join(told.split()), unit=next(iter(units), ""), kind=_kind(kind),
        needed=info.is_required(), default=given, **_bounds(marks),
        fields=() if block is None else tuple(f"{lead}{each.alias or name}" for name, each in block.model_fields.items()),
    )


def _bounds(marks: list[object]) -> dict[str, Any]:
    """least, most and above, of a quantity or of a plain number."""
    bounds: dict[str, Any] = {}
    for mark in marks:
        if isinstance(mark, AfterValidator) and isinstance(mark.func, Within):
            return {"least": mark.func.least, "most": mark.func.most, "above": mark.func.above}
        for name, place in (("ge", "least"), ("gt", "least"), ("le", "most")):
            if (bound := getattr(mark, name, None)) is not None:
                bounds |= {place: float(bound)} | ({"above": True} if name == "gt" else {})
    return bounds


def _extra(mark: object) -> dict[str, Any]:
    extra = getattr(mark, "json_schema_extra", None)
    return extra if isinstance(extra, dict) else {}


def _parts(kind: Kind) -> tuple[Kind, ...]:
    """The branches of a union, without None; the type itself where it is none."""
    if _form(kind) is Annotated:
        return _parts(get_args(kind)[0])
    if _form(kind) in (Union, types.UnionType):
        return tuple(part for branch in get_args(kind) if branch is not type(None) for part in _parts(branch))
    return (kind,)


def _marks(kind: Kind) -> list[object]:
    """What the annotation says of a value itself, in the branches of a union too."""
    if _form(kind) is Annotated:
        first, *marks = get_args(kind)
        return [*(each for mark in marks for each in (mark, *getattr(mark, "metadata", ()))), *_marks(first)]
    if _form(kind) in (Union, types.UnionType):
        return [mark for branch in get_args(kind) for mark in _marks(branch)]
    return []


def _form(kind: Kind) -> Kind:
    """The generic type of an annotation: Annotated, Union, dict ...; typed so that it compares with any of them."""
    return get_origin(kind)


def entries_in(kind: Kind) -> Kind:
    """dict or tuple where a value is a mapping or a list of entries; None of anything else."""
    return next((_form(part) for part in _parts(kind) if _form(part) in (dict, tuple)), None)


def _entry(kind: Kind) -> Kind:
    """The type of a value under a name."""
    return next(get_args(part)[1] for part in _parts(kind) if _form(part) is dict)


def section_in(kind: Kind) -> type[Section] | None:
    """The block that a value, an entry or an item of a list may be."""
    for part in _parts(kind):
        if isinstance(part, type) and issubclass(part, Section):
            return part
        if _form(part) in (dict, tuple):
            inside = next((found for arg in get_args(part) if arg is not ... and (found := section_in(arg))), None)
            if inside is not None:
                return inside
    return None


def _kind(kind: Kind) -> str:
    """What may be written, in words."""
    parts = _parts(kind)
    choices = [choice for part in parts if _form(part) is Literal for choice in get_args(part)]
    words = [WORDS[part] for part in parts if part in WORDS]
    blocks = [part for part in parts if isinstance(part, type) and issubclass(part, Section)]
    words += ["{value, low, high, source}" if "value" in block.model_fields else "a block" for block in blocks]
    lists = [get_args(part)[0] for part in parts if _form(part) is tuple]
    words += [f"a list, each {_kind(item)}" if _form(_parts(item)[0]) is Literal else "a list" for item in lists]
    words += [f"names, each with {_kind(get_args(part)[1])}" for part in parts if _form(part) is dict]
    return " or ".join([*words, *(["one of " + ", ".join(map(str, choices))] if choices else [])])
