"""Records that lie among the profiles and are none: fits of training speed, rows of serving speed. Each is one JSON file."""

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import date as Date
from hashlib import sha256
from pathlib import Path
from typing import Protocol, TypeVar

from roi.catalog.rows import read_record
from roi.errors import InputError
from roi.facts.records import Record
from roi.store.profiles.places import files_below

R = TypeVar("R", bound=Record)


class Dated(Protocol):
    """A record of a day."""

    @property
    def date(self) -> Date:
        """The day on which it was written."""


D = TypeVar("D", bound=Dated)


def record_text(record: Record) -> str:
    """The record as the text of a file."""
    return json.dumps(record.model_dump(mode="json", by_alias=True), indent=1) + "\n"


def figures_digest(figures: object) -> str:
    """A short digest of published figures that records stand against; `figures` are JSON, in any order of their names."""
    return sha256(json.dumps(figures, sort_keys=True).encode()).hexdigest()[:16]


def find_records(
    kind: type[R], folders: Iterable[Path], suffix: str, what: str, holds: str,
    stale: Callable[[R, Sequence[R]], str],
) -> tuple[tuple[R, ...], tuple[tuple[Path, str], ...]]:
    """The records in files with this suffix anywhere below the folders, and (file, reason) of those that cannot be read.

    A copy, or a file that is reached twice, counts once. `what` and `holds` as `read_record` takes them; `stale` says why a
    record among all of them, in their order, no longer counts, empty where it does.
    """
    read: list[tuple[Path, R]] = []
    damaged: list[tuple[Path, str]] = []
    for folder in folders:
        for path in files_below(folder, suffix, damaged):
            try:
                read.append((path, read_record(kind, path, what, holds)))
            except InputError as error:
                damaged.append((path, str(error).removeprefix(f"{what}: {path}: ")))
    records, found = [record for _, record in read], list[R]()
    for path, record in read:
        if why := stale(record, records):
            damaged.append((path, why))
        elif record not in found:
            found.append(record)
    return tuple(found), tuple(damaged)


def superseded(file: D, alike: Iterable[D], named: str) -> str:
    """Why a file does not count among those `named` alike: the newest does, of one day the first; empty where it is that."""
    counts = max(alike, key=lambda one: one.date)
    return "" if file == counts else f"rows of {file.date}; those of {counts.date} of {named} count"


def once(files: Sequence[Sequence[R]], *names: str) -> list[tuple[R, ...]]:
    """The rows of each file that none before it has, whatever their fields `names`: equal figures are one measurement.

    Equal rows of one file stay, as runs that were repeated.
    """
    seen, found = set[str](), []
    for rows in files:
        unnamed = [row.model_dump_json(exclude={*names}) for row in rows]
        found.append(tuple(row for row, each in zip(rows, unnamed, strict=True) if each not in seen))
        seen.update(unnamed)
    return found
