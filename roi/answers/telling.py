"""How a question says what stands beside its answer: a line at a time, to whoever asked."""

from collections.abc import Callable, Iterable
from pathlib import Path

Tell = Callable[[str], None]
"""Takes one line for the person who asked, beside the answer."""


def keep_quiet(line: str) -> None:
    """Take a line and tell it to nobody."""


def tell_left_out(files: Iterable[tuple[Path, str]], tell: Tell) -> None:
    """Tell of each file once, with the reason why it is left out."""
    for path, reason in dict.fromkeys(files):
        tell(f"{path} is left out: {reason}")
