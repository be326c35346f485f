"""Cases that were resolved before, kept in the user's cache folder, each named by a digest of all that it is made of.

A Case is made of what the user gave: the scenario, what is laid over it, profiles, prices and GPUs of their own. And of what
came with roi: its source and data, and the packages that read YAML, check it and hold API prices. The scenario, what is laid
over it and own GPUs are told apart by what they hold, all other files by name, size and times, as Python tells whether a
module's bytecode still holds. A scenario names no other file. What cannot be told so (a pipe, a broken link, a folder without
end) is resolved anew.
"""

import contextlib
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from roi.catalog.user_data import gpus_file, prices_folder
from roi.disk import open_to_read
from roi.errors import InputError
from roi.facts.case import Case
from roi.store.cache_files import KeptFiles, program, stamps
from roi.store.profiles.places import profile_folders

MOST_BYTES: Final = 8 * 2**20
"""Bytes of one file at most; that of the bundled scenario has 0.3 MB."""
MOST_FILES: Final = 100
"""Files that the folder holds at most, about 30 MB; beyond it the older half goes."""
MOST_GIVEN: Final = 2 * 2**20
"""Bytes of a scenario, or a part; larger ones are refused by who reads them."""


class KeptCase(NamedTuple):
    """A Case and what to say beside it."""

    case: Case
    scenario: dict[str, Any]  # Any: plain JSON values
    """What the user set."""
    warnings: tuple[str, ...]
    """What a reader should know about how the Case was made."""
    note: str
    """Where the facts come from, where that needs saying."""


def find_case(folder: Path, name: str) -> KeptCase | None:
    """What was kept in the folder under the name; None where nothing was, or it is damaged."""
    text = KeptFiles(folder, MOST_BYTES, MOST_FILES).text(name)
    with contextlib.suppress(ValueError, TypeError, KeyError):
        held = json.loads(text or "")
        return KeptCase(Case.of(held["case"]), held["scenario"], tuple(held["warnings"]), held["note"])
    return None


def keep_case(folder: Path, name: str, found: KeptCase) -> None:
    """Put the case where the next run finds it, whole or not at all."""
    held = {"case": found.case.plain(), "scenario": found.scenario, "warnings": found.warnings, "note": found.note}
    KeptFiles(folder, MOST_BYTES, MOST_FILES).keep(name, json.dumps(held))


def case_name(given: Sequence[Path | None], words: Sequence[str], profiles: Sequence[Path]) -> str | None:
    """The name of the Case that these files and `words` make (overrides), with these folders of profiles searched first.

    None where what it is made of cannot be named. A file that is not given is None.
    """
    with contextlib.suppress(OSError, ValueError, InputError):
        digest = hashlib.sha256(program().encode())
        for path in given:
            digest.update(repr(path).encode() + b"\0" + (b"" if path is None else _content(path)))
        own = gpus_file()
        digest.update(str(own).encode("utf-8", "surrogateescape") + b"\0" + (_content(own) if own.exists() else b""))
        for text in (repr(tuple(words)), repr(tuple(profiles))):
            digest.update(text.encode("utf-8", "backslashreplace") + b"\0")
        for folder in (*profile_folders(profiles), prices_folder()):
            digest.update("\0".join((str(folder), *stamps(folder))).encode("utf-8", "surrogateescape") + b"\0")
        return digest.hexdigest()
    return None


def _content(path: Path) -> bytes:
    """A digest of what a regular file holds; ValueError for anything else."""
    if not path.is_file() or path.stat().st_size > MOST_GIVEN:
        raise ValueError(path)
    with open_to_read(path) as file:
        return hashlib.sha256(file.read(MOST_GIVEN)).digest()
