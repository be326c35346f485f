"""Wanted values of a JSON document that may be larger than memory, one after the other in the order of the text.

The text is read in pieces; a value that is not wanted is parsed and dropped. What is not JSON is named by its place alone:
nothing of the text is kept or shown.
"""

import re
from collections.abc import Iterator
from typing import Any, Final, TextIO

from roi.disk import TOO_MANY_VALUES, UNIQUE, GivenTwice, too_many_values
from roi.errors import InputError

Path = tuple[str, ...]
"""Keys from the outside in; "*" stands for each item of a list."""
PIECE: Final = 1 << 20
LARGEST_VALUE: Final = 1 << 28
"""Characters of one value: an item, or something beside the items, is parsed as a whole."""
SPACE: Final = " \t\r\n"
WHITE: Final = re.compile(f"[{SPACE}]*")


def wanted_values(stream: TextIO, wanted: frozenset[Path], shown: str) -> Iterator[tuple[Path, Any]]:  # Any: JSON
    """(path, value) of every value at one of the `wanted` paths; InputError, naming the file `shown`, where the JSON breaks."""
    text = _Text(stream, shown)
    yield from _walk(text, (), wanted)
    if text.peek():
        raise text.broken()


def _walk(text: "_Text", path: Path, wanted: frozenset[Path]) -> Iterator[tuple[Path, Any]]:
    """Wanted values inside the value that begins here; the text is then behind it."""
    opening = text.peek()
    inside = {each[len(path)] for each in wanted if len(each) > len(path) and each[: len(path)] == path}
    goes_on = (opening == "[" and "*" in inside) or (opening == "{" and bool(inside - {"*"}))
    if path in wanted or not goes_on:
        value = text.value()
        if path in wanted:
            yield path, value
        return
    text.take(opening)
    closing = "]" if opening == "[" else "}"
    if text.peek() == closing:
        text.take(closing)
        return
    while True:
        step = "*" if opening == "[" else text.value()
        if opening == "{":
            text.take(":")
        yield from _walk(text, (*path, step), wanted)
        if text.peek() == closing:
            text.take(closing)
            return
        text.take(",")


class _Text:
    """What was read and not yet parsed."""

    def __init__(self, stream: TextIO, shown: str) -> None:
        self.stream, self.shown = stream, shown
        self.buffer, self.at, self.ended = "", 0, False

    def peek(self) -> str:
        """The next character that is no space; "" at the end."""
        while True:
            self.at = WHITE.match(self.buffer, self.at).end()  # type: ignore[union-attr]  # it matches nothing too
            if self.at < len(self.buffer):
                return self.buffer[self.at]
            if not self._read(PIECE):
                return ""

    def take(self, sign: str) -> None:
        """Step behind `sign`, which must come next."""
        if self.peek() != sign:
            raise self.broken()
        self.at += 1

    def value(self) -> Any:
        """The value that begins here, parsed."""
        self.peek()
        size = PIECE
        while True:
            if too_many_values(self.buffer):
                raise InputError(f"{self.shown}: {TOO_MANY_VALUES}; write one object a line")
            try:
                found, end = UNIQUE.raw_decode(self.buffer, self.at)
                if end < len(self.buffer) or not self._read(PIECE):  # a number at the very end might go on
                    self.at = end
                    return found
            except RecursionError:
                raise InputError(f"{self.shown}: nested too deeply") from None
            except GivenTwice as error:
                raise InputError(f"{self.shown}: {error}") from None
            except ValueError:
                if len(self.buffer) - self.at > LARGEST_VALUE or not self._read(size):
                    raise self.broken() from None
                size *= 2

    def broken(self) -> InputError:
        """What is wrong, without the text: cut short where it has ended, else no JSON."""
        ended = self.ended and not self.buffer[self.at :].rstrip(SPACE).endswith(("]", "}"))
        how = "the JSON is cut short" if ended else "no JSON that can be read"
        return InputError(f"{self.shown}: {how}; write it again, whole, or one object a line")

    def _read(self, size: int) -> bool:
        """False where there is no more."""
        more = "" if self.ended else self.stream.read(size)
        self.ended = not more
        self.buffer, self.at = self.buffer[self.at :] + more, 0
        return bool(more)
