"""A function that ends a run after so many calls, as a signal or a failing device does."""

from collections.abc import Callable
from typing import Any


def stop_after(count: int, error: BaseException, real: Callable[..., Any]) -> Callable[..., Any]:
    """`real`, which is called `count` times; every call after those raises `error`."""
    seen = []

    def measure(*args: Any) -> Any:
        seen.append(1)
        if len(seen) > count:
            raise error
        return real(*args)

    return measure
