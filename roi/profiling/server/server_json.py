"""What a server says, taken for no more than it is: blocks, lists and bounded numbers, whatever stands in their place."""

import json
from math import isfinite
from typing import Any, Final

Json = dict[str, Any]  # Any: what a server answers

MOST_COUNT: Final = 10**9
"""Tokens of a request or of a cache: what is larger was not counted."""
MOST_JSON: Final = 4 * 2**20
"""Bytes of a JSON document: a list of models, an event; a larger one is neither."""
PIECE: Final = 8
"""Characters of a key that are hidden also where the rest of it is missing: servers cut what they quote."""


def json_object(data: bytes) -> Json | None:
    """The JSON object that `data` is; None where it is none."""
    if len(data) > MOST_JSON:
        return None
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def block(value: object) -> Json:
    """The block of keys that `value` is; an empty one where it is something else."""
    return value if isinstance(value, dict) else {}


def blocks(value: object) -> list[Json]:
    """The blocks of keys in a list; none where it is no list."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def count(value: object) -> int | None:
    """A whole number from 0 to MOST_COUNT; None where it is none."""
    return value if type(value) is int and 0 <= value <= MOST_COUNT else None


def written_count(text: str) -> int | None:
    """A whole number in at most a dozen plain digits, above 0; None where the text is none."""
    return count(int(text)) or None if text.isascii() and text.isdigit() and len(text) <= 12 else None


def positive(value: object) -> float | None:
    """A number above 0 and at most MOST_COUNT; None where it is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= MOST_COUNT:
        return None
    return float(value) if isfinite(value) else None


def without_key(text: str, key: str | None) -> str:
    """`text` with *** where the key stands, whole or a piece of PIECE characters or more of it."""
    if not key:
        return text
    text = text.replace(key, "***")
    pieces = {key[k : k + PIECE] for k in range(len(key) - PIECE + 1)}
    hidden = [False] * len(text)
    for k in range(len(text) - PIECE + 1):
        if text[k : k + PIECE] in pieces:
            hidden[k : k + PIECE] = [True] * PIECE
    shown = [("" if k and hidden[k - 1] else "***") if covered else text[k] for k, covered in enumerate(hidden)]
    return "".join(shown)
