"""What plans held in earlier replays, kept in the user's cache folder: a small file each, named by all that it follows from.

The name is a digest of the inputs, exact to the last bit, and of the program that computes with them. A file that is
damaged, foreign or not there is no error: the plan is replayed, and the answer is the same.
"""

import contextlib
import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, is_dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from pydantic import BaseModel

from roi.estimate.replay.load_curve import Capacity, PlanCapacity
from roi.store.cache_files import KeptFiles, program

MOST_BYTES: Final = 4096
"""Bytes of one file at most; usual ones have some 500."""
MOST_FILES: Final = 2000
"""Files that the folder holds at most, about 1 MB; beyond it the older half goes."""
program_once: Final = cache(program)
"""The program as it was when a capacity was first asked for."""


@dataclass(frozen=True)
class KeptReplays:
    """Capacities that earlier runs replayed, each kept by all that it follows from."""

    folder: Path
    """Where capacities are kept. The folder is made when one is; in one that cannot be written nothing is kept."""

    def find(self, *inputs: object) -> PlanCapacity | None:
        """What these inputs gave; None where nobody has replayed them, or what was kept is no capacity."""
        with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError):
            return _capacity(json.loads(self._files().text(_name(inputs)) or ""))
        return None

    def keep(self, capacity: PlanCapacity, *inputs: object) -> None:
        """Put the capacity where the next run finds it, whole or not at all; not where the program changed meanwhile."""
        with contextlib.suppress(ValueError, OSError):
            program()  # ValueError where it is another by now
            self._files().keep(_name(inputs), json.dumps(asdict(capacity)))

    def _files(self) -> KeptFiles:
        return KeptFiles(self.folder, MOST_BYTES, MOST_FILES)


def _name(inputs: tuple[object, ...]) -> str:
    digest = hashlib.sha256(program_once().encode())
    for piece in _exactly(inputs):
        digest.update(piece.encode("utf-8", "backslashreplace") + b"\0")
    return digest.hexdigest()


def _exactly(value: object) -> Iterator[str]:
    """The value in words that differ where it does: numbers to the last bit, records field by field."""
    if isinstance(value, BaseModel):
        yield f"{type(value).__name__} {value.model_dump_json()}"
    elif is_dataclass(value) and not isinstance(value, type):
        yield type(value).__name__
        for each in fields(value):
            yield each.name
            yield from _exactly(getattr(value, each.name))
    elif isinstance(value, (np.ndarray, np.generic)):
        array = np.asarray(value)
        yield f"{array.dtype.str} {array.shape} {array.tobytes().hex()}"
    elif isinstance(value, (tuple, list)):
        yield f"{len(value)} of"
        for item in value:
            yield from _exactly(item)
    elif value is None or isinstance(value, (bool, int, float, str, date)):
        yield f"{type(value).__name__} {value!r}"
    else:
        raise TypeError(f"{type(value).__name__} names no replay")


def _capacity(found: Any) -> PlanCapacity:  # Any: what `keep` wrote
    """The capacity that a file holds."""
    rooms = None if found["rooms"] is None else tuple(found["rooms"])
    return PlanCapacity(**{**found, "rooms": rooms, **{name: Capacity(**found[name]) for name in ("alone", "slow", "fast")}})
