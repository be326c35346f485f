"""What is wrong in data that should be a scenario, or a policy: the first few mistakes, with field, value, what is allowed."""

import re
from collections.abc import Sequence
from datetime import date
from math import isfinite
from typing import Final

from pydantic import ValidationError

from roi.disk import packaged_rows
from roi.errors import LONGEST_VALUE, InputError, allowed, day_meant, nearest, written
from roi.scenario.meaning import entries_in, field_paths, section_in
from roi.scenario.quantity import IN_USD, Section, Spread, as_meant, of_many
from roi.scenario.scenario import Scenario
from roi.units import DAYS_PER_MONTH

FROM_AS_OF: Final = frozenset({"ends_in_months", "months_to_live", "horizon_months"})
"""Fields, and blocks of fields, of months from the as-of date to a day."""
SHOWN = 3
"""Mistakes in one message; the others are counted. Fields that are named as near one."""
ALIKE: Final = 0.8
"""How like a name a field beside it must be to be meant, where another block has a field of that very name (0 to 1)."""
WORDS = {
    "an object": "a block of keys", "array": "list",
    "dictionary": "block of keys", "a valid boolean": "true or false", "a valid integer": "a whole number",
    "String should": "it should", "Tuple": "it",
}  # fmt: skip
"""Words of pydantic's messages, and what a reader of the file calls the same."""
GLUED: Final = re.compile(r"(\w+)(?::| +)(\S+)")
"""A key in braces to which its value sticks: {value:9} is a key of that name, without a value."""
NUMBER: Final = frozenset(Spread.model_fields)
"""Keys of a number with its ends, which are of no block."""
NAME: Final = "NAME"
"""Stands for an entry's name in a path of `field_paths`."""
INSTEAD: Final = {
    ("currency", "it should be"): "convert your amounts at the rate of a day, and say which in their source",
    ("growth_per_year", "at most 10"): "faster growth is workload.steps, one for each month (roi help growth_per_month)",
    ("waits_hours", "greater than 0"): "where nothing can wait: can_wait_share: 0",
    ("usd_per_gpu_hour", "greater than 0"): "cards that cost no rent are own_hardware.cards, with resale_usd_per_gpu: 0",
    ("usd_per_hour", "greater than 0"): "hours of people who are paid anyway are people.existing_hours_per_month",
}
"""What to write where a field does not take what was meant, by its name and words of the message."""


def wish(word: str) -> str | None:
    """What says that which no field of this name does, or that nothing does; None of a word that nobody wishes for."""
    name = re.sub("[ -]+", "_", word.lower().rpartition(".")[2])
    told = _wishes().get(name) or _read("other_names.csv").get(name)
    return told and f"no field; {told}"


def other_value(field: str, value: object) -> str | None:
    """What to write for a value of a field of `serving` that engines call otherwise; None of one that nothing is called."""
    return _read("other_values.csv").get(f"{field}.{str(value).lower()}")


def _wishes() -> dict[str, str]:
    """What people wish to say that no field holds, and what says it, or that nothing does."""
    return _read("wishes.csv") | dict.fromkeys(("exchange_rate", "fx", "fx_rate"), IN_USD)


def _read(name: str) -> dict[str, str]:
    """The rows of `words/<name>`: each of the names in the first column, and the words in the second."""
    return {word: told for names, told in packaged_rows(f"scenario/words/{name}") for word in names.split()}


def explain_mistakes(
    error: ValidationError, data: object, schema: type[Section] = Scenario, whole: str = "scenario",
) -> InputError:
    """One sentence for the first few mistakes in `data`, which should be a `schema`: field, value, what is allowed."""
    problems: dict[str, str] = {}
    listed: set[str] = set()
    errors = error.errors()
    wrong = {e["loc"][:-1] for e in errors}
    for e in errors:
        places, branch = _places(e["loc"], data, missing=e["type"] == "missing")
        if _of_another_branch(branch, e.get("input")):
            continue
        if e["type"] == "too_short" and e["loc"] in wrong:  # its items are wrong, and said to be
            continue
        path = ".".join(places) or whole
        if path in problems:
            continue
        what = _months_until(places, e["type"], e.get("input"), data) or _problem(
            places, e["type"], e.get("input"), e["msg"], schema)
        what, known, names = what.partition("; known: ")
        problems[path] = f"{path}: {what}" + (f"{known}{names}" if names not in listed else "")
        listed.add(names)
    shown, more = list(problems.values())[:SHOWN], len(problems) - SHOWN
    return InputError("; ".join(shown) + (f"; and {more} more" if more > 0 else ""))


def _of_another_branch(place: str, value: object) -> bool:
    """True for the complaint of a union's branch that the value does not belong to: {..} is no number, 5 no {value: ..}."""
    block = "Spread" in place or "Score" in place
    return (block or "float" in place or "literal" in place) and block != isinstance(value, dict)


def _problem(places: list[str], kind: str, value: object, message: str, schema: type[Section]) -> str:
    if kind == "extra_forbidden":
        return _unknown(places, value, schema)
    if kind == "missing":
        return "needed and not given"
    message = allowed({"type": kind, "msg": message})
    for said, meant in WORDS.items():
        message = message.replace(said, meant)
    message += ", such as {NAME: value}" if kind == "dict_type" else ""
    message += _entries(value, places, schema) if kind == "tuple_type" else ""
    if kind in {"too_short", "too_long", "tuple_type"} and places[-1:] == ["hourly_weights"]:
        message = "24 numbers, one an hour, midnight first"
        message += f"; {len(value)} given" if isinstance(value, (list, tuple)) else ""
    bounds = kind == "model_type" and type(value) in {int, float} and {"at_least", "at_most"} <= {*fields_at(places, schema)}
    message += f", such as {{at_most: {written(value)}}} or {{at_least: {written(value)}}}" if bounds else (
        _fields(places, schema) if kind == "model_type" else "")
    name = next((place for place in reversed(places) if not place.isdigit()), "")
    message = other_value(name, value) or of_many(value, kind, message, places)
    told = as_meant(value, kind, message, ".".join(places[-2:]))
    if kind == "int_type" and not told:
        message += f", such as {max(round(value), 1) if type(value) is float and isfinite(value) else 2}"
    only = next(iter(value.values()), None) if isinstance(value, dict) and len(value) == 1 else None
    message += told or (f"; write {only}" if kind == "string_type" and isinstance(only, str) else "")
    less = isinstance(value, (int, float)) and value < 0  # of which what is said of too much is no help
    message += "".join(f"; {told}" for (name, words), told in INSTEAD.items()
                       if [name] == places[-1:] and words in message and not (less and "at most" in words))
    of_block = kind == "value_error" and isinstance(value, dict) and "value" not in value  # its message names the fields
    return message if of_block else f"{written(value)} is not usable; {message}"


def _months_until(places: Sequence[str], kind: str, value: object, data: object) -> str:
    """What to write for a day, or a year, in the place of months from the as-of date until then; empty where none stands."""
    if not kind.startswith(("float", "int", "value_error")) or FROM_AS_OF.isdisjoint(places):
        return ""
    value = value.get("value") if isinstance(value, dict) and kind == "value_error" else value
    word, today = str(value).strip(), str(data.get("as_of")) if isinstance(data, dict) else ""
    try:
        if kind == "value_error":
            begins, ends = ((date(int(word) + more, 1, 1) - date.fromisoformat(today)).days / DAYS_PER_MONTH for more in (0, 1))
            year = f"the year {word} begins in {begins:.3g} and ends in {ends:.3g}"
            return f"{word} is not usable; it should be months from as_of, {today}: {year}" if ends > 0 else ""
        day = date.fromisoformat(day_meant(word).removeprefix("; write ") or word)
        months = (day - date.fromisoformat(today)).days / DAYS_PER_MONTH
    except ValueError:
        return ""
    meant = max(round(months), 1) if kind.startswith("int") else round(months, 2)
    told = f"write {meant:g}" if months > 0 else "that day is past"
    return f"{written(value)} is not usable; it should be months from as_of, {today}: {told}"


def _entries(value: object, places: list[str], schema: type[Section]) -> str:
    """What a list holds in whose place something else stands: the value as its one item where that could be one."""
    names = fields_at([*places, "0"], schema)
    if isinstance(value, str) and not names:
        return f"; write [{value[:LONGEST_VALUE]}]"
    if names:
        fits = isinstance(value, dict) and value and {*map(str, value)} <= {*names}
        return f"; write [{written(value)}]" if fits else f" of blocks: [{_block_of(names)}]"
    words = [each for each in value.values() if isinstance(each, str)] if isinstance(value, dict) else []
    return f"; write [{', '.join(words)}]" if words else ", such as [NAME]" if isinstance(value, dict) else ""


def _fields(places: list[str], schema: type[Section]) -> str:
    """The first keys of a block in whose place something else stands."""
    names = fields_at(places, schema)
    return f", such as {_block_of(names)}" if names else ""


def _block_of(names: Sequence[str]) -> str:
    return f"{{{', '.join(f'{name}: ...' for name in names[:SHOWN])}}}"


def _unknown(places: list[str], value: object, schema: type[Section]) -> str:
    """What is said of a key that the schema does not have: the field that is meant, the nearest ones, or all there are."""
    name, fields = places[-1], fields_at(places[:-1], schema)
    glued = GLUED.fullmatch(name)
    if schema is Scenario and name in _wishes():
        return f"no field; {_wishes()[name]}"
    if name.isdigit():
        return "unknown key; a comma does not group digits: write 1000 for 1,000"
    if value is None and glued is not None and glued[1] in fields:
        return f"unknown key; write {glued[1]}: {glued[2]}, with a colon and a blank"
    if schema is Scenario and (meant := _meant(places)) is not None:
        return f"unknown key; nearest: {meant}"
    begun = [field for field in fields if field.startswith(f"{name}_")] or [
        field for field in fields if name in field.split("_") and f"per_{name}" not in field]  # usd_per_gpu is no gpu
    beside = begun or nearest(name, fields)
    elsewhere = _elsewhere(name, value, fields) if schema is Scenario and not begun else []
    close = nearest(name, beside, cutoff=ALIKE) if elsewhere else beside
    near = ", ".join([*close, *elsewhere][:SHOWN])
    few = len(elsewhere) > 1 and not close and len(fields) <= 2 * SHOWN
    known = f"; known: {', '.join(fields)}" if few or (fields and not beside and len(elsewhere) != 1) else ""
    return "unknown key" + (f"; nearest: {near}" if near else "") + known


def _meant(places: list[str]) -> str | None:
    """The field that people mean by a name that is like none, or whose path they part by other signs; None of all others."""
    path = ".".join(places)
    dotted = re.sub("[/:]", ".", path)
    return dotted if dotted != path and dotted in field_paths() else _read("other_names.csv").get(path)


def _elsewhere(name: str, value: object, beside: Sequence[str]) -> list[str]:
    """The paths at which other blocks of a scenario have a field of this name, or one of those in a block that is none.

    Else of one that is much like it, and more than all those `beside` it.
    """
    lasts = {path: path.rpartition(".")[2] for path in field_paths()}
    inside = {str(key) for key in value} if isinstance(value, dict) else set[str]()
    found = [path for path, last in lasts.items() if last == name] or [
        path for path, last in lasts.items() if last.startswith(f"{name}_") and NAME not in path] or [
        path for path, last in lasts.items() if last in inside and last not in NUMBER]
    if not found:
        alike = nearest(name, {*beside, *lasts.values()} - NUMBER, 1, cutoff=ALIKE)
        found = [path for path, last in lasts.items() if last in alike and last not in beside]
    return [path if "." in path else f"{path} at the top level" for path in found]


def _places(loc: Sequence[str | int], data: object, *, missing: bool) -> tuple[list[str], str]:
    """The keys on the way to a mistake, and the name of the union's branch at its end, or nothing.

    pydantic puts names of branches between the keys, which mean nothing to a reader: they are what `data` has no place for.
    """
    keys, branch = [], ""
    for k, place in enumerate(loc):
        inside = isinstance(data, dict) and place in data
        listed = isinstance(data, list) and isinstance(place, int) and place < len(data)
        if inside or listed:
            data, branch = data[place], ""  # type: ignore[index]  # a block or a list, by the line above
        elif not (missing and k == len(loc) - 1):
            branch = str(place)
            continue
        keys.append(str(place))
    return keys, branch


def fields_at(places: list[str], schema: type[Section] = Scenario) -> list[str]:
    """Keys that the schema allows at a path."""
    block: type[Section] | None = schema
    entry = False
    for place in places:
        if entry:  # a name, or the number of an item
            entry = False
            continue
        info = None if block is None else block.model_fields.get(place)
        kind = None if info is None else info.annotation
        block, entry = section_in(kind), entries_in(kind) is not None
    fields = {} if block is None or entry else block.model_fields
    needed = sorted(fields.items(), key=lambda field: not field[1].is_required())  # those of a block it extends come first else
    return [info.alias or name for name, info in needed]
