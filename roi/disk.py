"""The one way in which a file that a user names is read whole: of bounded size, so that no file fills the memory."""

from pathlib import Path

from roi.errors import InputError, nearest_file

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
