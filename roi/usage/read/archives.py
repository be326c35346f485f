"""Files inside of files: members of a ZIP, read as a stream, and messages in a database of SQLite."""

import gzip
import io
import json
import sqlite3
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, Final, cast

from roi.disk import GZIP
from roi.errors import InputError
from roi.usage.read.files import SourceFile
from roi.usage.read.record import LONGEST_NAME, Document

DAMAGED_ZIP: Final = zipfile.BadZipFile
MOST_NAMED: Final = 5
"""Tables of a database that a message names."""
TABLES: Final = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"


@contextmanager
def opened_member(path: Path, member: str, shown: str) -> Iterator[BinaryIO]:
    """The bytes of a member of a ZIP as a stream, of no more than the archive says that it has; never unpacked to disk."""
    state = path.stat()
    try:
        with _archive(path, state.st_size, state.st_mtime_ns).open(member) as raw:
            stream = io.BufferedReader(cast("io.RawIOBase", raw))
            try:
                packed = stream.peek(2)[:2] == GZIP
            except (zlib.error, EOFError, DAMAGED_ZIP):
                raise InputError(f"{shown}: damaged: nothing of it can be read") from None
            yield cast("BinaryIO", gzip.GzipFile(fileobj=stream) if packed else stream)
    except (RuntimeError, NotImplementedError):
        raise InputError(f"{shown}: encrypted, or packed in a way that is not read; unpack it first") from None


@lru_cache(maxsize=8)
def _archive(path: Path, _bytes: int, _changed_ns: int) -> zipfile.ZipFile:
    """The ZIP, open: its list of files is read once, not again for each of them. It closes when others have come."""
    return zipfile.ZipFile(path)


def message_documents(file: SourceFile) -> Iterator[Document]:
    """The rows of the table `message` of a database of SQLite: `data`, which is JSON, with the row's id and session.

    It is opened to be read alone. Raises InputError where there is no such table.
    """
    if file.path is None or file.member is not None:
        raise InputError(f"{file.shown}: a database can be read from a file alone")
    try:
        with closing(_database(file.path)) as database:
            for own, session, data in database.execute("SELECT id, session_id, data FROM message"):
                try:
                    document = json.loads(data)
                except (TypeError, ValueError, RecursionError):
                    continue
                if isinstance(document, dict):
                    yield {**document, "id": own, "sessionID": session}
    except sqlite3.Error as error:
        raise InputError(f"{file.shown}: {_why_no_messages(file.path, error)}") from None


def _database(path: Path) -> sqlite3.Connection:
    """A database of SQLite, open to be read alone."""
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)


def _why_no_messages(path: Path, error: sqlite3.Error) -> str:
    """What a database is that OpenCode's messages cannot be read from, and how its calls can."""
    try:
        with closing(_database(path)) as database:
            found = database.execute(TABLES).fetchmany(MOST_NAMED + 1)
    except sqlite3.Error:
        return f"no database of SQLite that can be read: {error}"
    names = [str(name)[:LONGEST_NAME] for (name,) in found]
    tables = (", ".join(names[:MOST_NAMED]) or "none") + (", ..." if len(names) > MOST_NAMED else "")
    return (f"a database of SQLite, and not OpenCode's, which has a table message; its tables: {tables}. Write that of your"
            " calls as CSV (sqlite3 -header -csv) and give that")
