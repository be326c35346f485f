"""Files that a user names: read whole within a size, so that none fills the memory; written whole or not at all."""

import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import BinaryIO

from roi.errors import InputError, RoiError, nearest_file

Content = str | bytes | Iterable[str]
"""What a file will hold: text, bytes, or text in parts."""
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
"""Byte order marks of the encoding that spreadsheet programs call Unicode."""


def read_text(path: Path, most_bytes: int, where: str = "", holds: str = "it") -> str:
    """The text of a file in UTF-8, a byte order mark left out, at most `most_bytes` of it.

    InputError names the file behind `where` ("--trace: "), and says why it cannot be read: it is a folder, is not there (with
    the nearest name), holds more than `holds` may, a zero byte, or what is no text. A file without end (/dev/zero) is cut off.
    """
    name = f"{where}{path}"
    try:
        if path.is_dir():
            raise InputError(f"{name}: a directory; give a file")
        size = path.stat().st_size
        with path.open("rb") as file:
            raw = b"" if size > most_bytes else file.read(most_bytes + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        near = nearest_file(path) if isinstance(error, FileNotFoundError) else ""
        raise InputError(f"{name}: cannot be read: {reason}{near}") from error
    if max(size, len(raw)) > most_bytes:
        raise InputError(f"{name}: {max(size, len(raw)):,} bytes; {holds} has at most {most_bytes:,}")
    if raw[:2] in UTF_16:
        raise InputError(f"{name}: UTF-16, not UTF-8 text; save it in UTF-8")
    if b"\0" in raw:
        line = raw.count(b"\n", 0, raw.index(b"\0")) + 1
        raise InputError(f"{name}:{line}: a zero byte; this is not a text file")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InputError(f"{name}:{line}: byte 0x{raw[error.start]:02x} is not UTF-8 text") from None


def replace_file(path: Path, content: Content, field: str = "--output", *, fresh: bool = False) -> None:
    """Put `content` into `path` atomically: a failure on the way leaves what was there before. Errors name `field`."""
    replace_files({path: content}, field, fresh=fresh)


def replace_in_folder(folder: Path, contents: Mapping[str, Content], field: str, *, fresh: bool = False) -> None:
    """Put each content into the file of that name in `folder`, which is made where it is not there."""
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = "it is a file" if isinstance(error, FileExistsError) else error.strerror
        raise InputError(f"{field}: cannot make the folder {folder}: {why}") from error
    try:
        replace_files({folder / name: content for name, content in contents.items()}, field, fresh=fresh)
    except RoiError:
        if made:
            folder.rmdir()
        raise


def replace_files(contents: Mapping[Path, Content], field: str, *, fresh: bool = False) -> None:
    """Put each content into its path; none takes its name before all are written. Errors name `field`.

    With `fresh` nothing may be there, also where it came meanwhile.

    Each goes to a temporary file in the same folder, then takes the name. A link is followed; a device or a pipe (/dev/null, a
    process substitution) is written to as it is.
    """
    parts: list[tuple[Path, Path]] = []
    at = next(iter(contents))
    try:
        for at, content in contents.items():
            target, part, file = _open_part(at, field)
            if part != target:
                parts.append((part, target))
            with file:
                _fill(file, content, sync=part != target)
        for part, target in parts:
            at = target
            (take_name if fresh else os.replace)(part, target)
    except BrokenPipeError:
        raise
    except FileExistsError:
        raise InputError(f"{field}: {at} is there already; give another name, or --force") from None
    except OSError as error:
        raise RoiError(f"{field}: writing {at} failed, what was there is unchanged: {error.strerror}") from error
    finally:
        for part, _ in parts:
            part.unlink(missing_ok=True)


def _fill(file: BinaryIO, content: Content, *, sync: bool) -> None:
    pieces = (content,) if isinstance(content, (str, bytes)) else content
    file.writelines(piece if isinstance(piece, bytes) else piece.encode("utf-8", "backslashreplace") for piece in pieces)
    file.flush()
    if sync:
        os.fsync(file.fileno())


def _open_part(path: Path, field: str) -> tuple[Path, Path, BinaryIO]:
    """What `path` stands for, the file that takes its place when it is whole, and that one open; a device is both itself."""
    try:
        target = path.resolve()
        mode = target.stat().st_mode if target.exists() else None
        if mode is not None and stat.S_ISDIR(mode):
            raise InputError(f"{field}: {path} is a directory; give a file name")
        if mode is not None and not stat.S_ISREG(mode):
            return target, target, target.open("wb")
        part = target.with_name(f".roi-{os.urandom(4).hex()}.part")
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else stat.S_IMODE(mode))
    except OSError as error:
        raise InputError(f"{field}: cannot write {path}: {error.strerror}") from error
    return target, part, os.fdopen(handle, "wb")


def take_name(part: Path, target: Path) -> None:
    """Give a finished file its name; FileExistsError where somebody else has taken it meanwhile."""
    try:
        os.link(part, target)
    except FileExistsError:
        raise
    except OSError:  # no hard links here (FAT, some network shares): an empty file holds the name until it is filled
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        try:
            part.replace(target)
        except OSError:
            target.unlink(missing_ok=True)
            raise
