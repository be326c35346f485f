"""Lengths of real examples: from a trace of calls, or from a file with one number a line."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from roi.disk import read_text
from roi.errors import InputError
from roi.store.traces import MOST_BYTES, Trace

LONGEST: Final = 10_000_000
"""Tokens of one example: beyond any model's context."""


def traced_lengths(trace: Trace) -> tuple[int, ...]:
    """Tokens of every call of a trace, as training on it would have them: what was sent and what came back."""
    return tuple(round(tokens) for tokens in (trace.input_tokens + trace.output_tokens).tolist())


def plain_lengths(path: Path, field: str) -> tuple[int, ...] | None:
    """The whole numbers in a file with one a line, blank lines left out; None where its first line has a comma: a trace.

    An InputError names the line and the value that is none.
    """
    lines = read_text(path, MOST_BYTES, f"{field}: ", "lengths").splitlines()
    told = [(number, line.strip()) for number, line in enumerate(lines, start=1) if line.strip()]
    if not told:
        raise InputError(f"{field}: {path} is empty; one number of tokens a line, or a trace of calls")
    return None if "," in told[0][1] else tuple(_lengths(told, f"{field}: {path}"))


def _lengths(told: Iterable[tuple[int, str]], where: str) -> Iterable[int]:
    for number, text in told:
        if not (text.isascii() and text.isdigit() and len(text) <= len(str(LONGEST)) and 1 <= int(text) <= LONGEST):
            raise InputError(f"{where}, line {number}: {text[:40]!r} is no number of tokens; whole, from 1 to {LONGEST:,}, "
                             "one a line; or give a trace: CSV with arrival_s, input_tokens, output_tokens")
        yield int(text)
