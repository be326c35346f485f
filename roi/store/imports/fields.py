"""Fields of another tool's JSON; where one is no such value, an error names it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import ValidationError

from roi.errors import InputError

Json = Any  # what json.loads gives


@contextmanager
def told(where: str) -> Iterator[None]:
    """What is found to be no such value within it becomes an InputError that says where."""
    try:
        yield
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        field_name = ".".join(str(step) for step in problem["loc"])
        raise InputError(f"{where}: {field_name}: {problem['msg'].lower()}, {str(problem['input'])[:40]}") from None
    except ValueError as error:
        raise InputError(f"{where}: {error}") from None


def number(value: Json, name: str) -> float:
    """The value as a finite number; a ValueError names it otherwise."""
    if value is None:
        raise ValueError(f"has no {name}")
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not abs(value) <= sys.float_info.max:
        raise ValueError(f"{name}: {str(value)[:40]!r} is no number")
    return float(value)


def optional(record: Json, *keys: str) -> float | None:
    """record[a][b]... as a finite number; None where there is none, a ValueError that names `a` where it is something else."""
    value = dig(record, *keys)
    return None if value is None else number(value, keys[0])


def listed(record: Json, key: str) -> list[Json]:
    """record[key] as a list, empty where there is none; a ValueError names it where it is something else."""
    values = dig(record, key)
    if values is not None and not isinstance(values, list):
        raise ValueError(f"{key} is no list")
    return values or []


def numbers(record: Json, key: str) -> list[float]:
    """record[key] as a list of finite numbers; a ValueError names it otherwise."""
    if dig(record, key) is None:
        raise ValueError(f"has no {key}")
    return [number(value, key) for value in listed(record, key)]


def count(record: Json, *keys: str) -> int | None:
    """record[a][b]... as a whole number from 0; None where there is none, a ValueError names `a` where it is something else."""
    value = optional(record, *keys)
    return None if value is None else whole(value, keys[0])


def whole(value: float, name: str) -> int:
    """The number as a whole one from 0; a ValueError names it otherwise."""
    if value < 0.0 or value % 1.0:
        raise ValueError(f"{name}: {value:g} is no whole number")
    return int(value)


def dig(record: Json, *keys: str) -> Json:
    """record[a][b]...; None where a step is missing."""
    for key in keys:
        record = record.get(key) if isinstance(record, dict) else None
    return record


def named(record: Json, *paths: tuple[str, ...]) -> str | None:
    """The first of these paths that holds a text."""
    found = (dig(record, *path) for path in paths)
    return next((text for text in found if isinstance(text, str) and text), None)


def last_line(text: str) -> str:
    """The end of an error's text, which says most; "failed" where it says nothing."""
    return (text.strip().splitlines() or ["failed"])[-1][:200]
