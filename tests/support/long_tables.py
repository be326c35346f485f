"""A test of each row of a long table as one test, which goes through all rows and names every one that fails.

What a row asks takes microseconds; a test of its own takes milliseconds of pytest, twice with a worker.
"""

import inspect
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

import pytest

MOST_TOLD = 20
"""Rows that fail beyond these are counted."""


def every_row(names: str, rows: Iterable[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The test with each row in place of these arguments, as `pytest.mark.parametrize` would put them; others are fixtures."""
    arguments, table = [name.strip() for name in names.split(",")], list(rows)

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        @wraps(test)
        def all_rows(**fixtures: Any) -> None:
            failed: list[BaseException] = []
            for row in table:
                given = dict(zip(arguments, row if len(arguments) > 1 else (row,), strict=True))
                try:
                    test(**fixtures, **given)
                except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001 -- told with its row
                    error.add_note(f"row: {given!r}")
                    failed.append(error)
            if failed:
                raise BaseExceptionGroup(f"{len(failed)} of {len(table)} rows", failed[:MOST_TOLD])

        signature = inspect.signature(test)
        kept = [each for name, each in signature.parameters.items() if name not in arguments]
        all_rows.__signature__ = signature.replace(parameters=kept)  # type: ignore[attr-defined]
        return all_rows

    return decorate
