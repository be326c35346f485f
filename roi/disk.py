"""Files that a user names: read whole within a size, so that none fills the memory; written whole or not at all."""

import csv
import errno
import glob
import io
import json
import os
import re
import stat
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TextIO

from roi.errors import InputError, RoiError, nearest_file

if sys.platform != "win32":
    import fcntl
if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Content = str | bytes | Iterable[str] | Iterable[bytes]
"""What a file will hold: text, bytes, or either in parts."""
PART: Final = re.compile(r"\.roi-[0-9a-f]{8}\.part")
"""The name of a file that is being written."""
WAIT_S: Final = 5.0
"""A pipe's other end may be opened so much later; then nobody will."""
MOST_VALUES: Final = 10_000_000
"""Values of a JSON document, of some 70 bytes each once it is read: a list of nothings takes 30 times its text."""
TOO_MANY_VALUES: Final = f"more than {MOST_VALUES:,} values in one JSON document"
MOST_UNPACKED, FREELY, PIECE = 200, 1 << 28, 1 << 20
"""Logs are packed to a tenth or a fiftieth; bytes up to which nobody asks; bytes that are unpacked at a time."""
EXCEL: Final = re.compile(r"\ufeff?\"?sep=([,;\t|])\"?", re.IGNORECASE)
"""A first line by which Excel is told what stands between cells; no column is named in it."""
GZIP: Final = b"\x1f\x8b"
SQLITE: Final = b"SQLite format 3\0"
PACKED: Final = {
    GZIP: "a gzip, to be unpacked first", b"PK\x03\x04": "a ZIP, or a workbook whose sheet can be saved as CSV",
    b"PAR1": "Parquet", b"%PDF": "a PDF",
}  # fmt: skip
"""How files begin that are no text, and what they are."""
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
"""Byte order marks of the encoding that spreadsheet programs call Unicode."""


def read_text(path: Path, most_bytes: int, where: str = "", holds: str = "it", *, filled: bool = False,
              packed: bool = False) -> str:
    """The text of a file in UTF-8, a byte order mark left out, at most `most_bytes` of it; with `packed` it may be a gzip.

    InputError names the file behind `where` ("--trace: "), and says why it cannot be read: it is a folder, is not there (with
    the nearest name), holds more than `holds` may, a zero byte, what is no text, or nothing where it must be `filled`. A file
    without end (/dev/zero) is cut off.
    """
    name = f"{where}{path}"
    try:
        if path.is_dir():
            raise InputError(f"{name}: a directory; give a file")
        size = path.stat().st_size
        with open_to_read(path) as file:
            source = unpacked(file, name) if packed and file.peek(2)[:2] == GZIP else file
            raw = b"" if size > most_bytes else source.read(most_bytes + 1)
    except (OSError, ValueError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        near = nearest_file(path) if isinstance(error, FileNotFoundError) else ""
        raise InputError(f"{name}: cannot be read: {reason}{near}") from error
    if max(size, len(raw)) > most_bytes:
        raise InputError(f"{name}: {max(size, len(raw)):,} bytes; {holds} has at most {most_bytes:,}")
    if filled and not raw.strip():
        raise InputError(f"{name}: empty")
    if raw[:2] in UTF_16:
        raise InputError(f"{name}: UTF-16, not UTF-8 text; save it in UTF-8")
    kind = next((kind for begins, kind in PACKED.items() if raw.startswith(begins)), None)
    if kind is not None:
        raise InputError(f"{name}: {kind}, no text")
    if b"\0" in raw:
        line = raw.count(b"\n", 0, raw.index(b"\0")) + 1
        raise InputError(f"{name}:{line}: a zero byte; this is not a text file")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InputError(f"{name}:{line}: byte 0x{raw[error.start]:02x} is not UTF-8 text") from None


def open_to_read(path: Path) -> io.BufferedReader:
    """The file's bytes, open; OSError also where it is a pipe whose other end nobody opens within WAIT_S."""
    return os.fdopen(_open_at_last(path, os.O_RDONLY), "rb")


def _open_at_last(path: Path, flags: int) -> int:
    """A descriptor of the file. To open a named pipe is to wait for its other end: that is done beside, and given up."""
    if not stat.S_ISFIFO(path.stat().st_mode):
        return os.open(path, flags)
    ends: list[int] = []
    given_up = Event()

    def wait() -> None:
        ends.append(os.open(path, flags))
        if given_up.is_set():
            os.close(ends.pop())

    waiting = Thread(target=wait, daemon=True)
    waiting.start()
    waiting.join(WAIT_S)
    given_up.set()
    if not ends:
        raise OSError(errno.ETIMEDOUT, f"a pipe whose other end nobody opened in {WAIT_S:g} s")
    return ends[0]


def unpacked(raw: BinaryIO, shown: str) -> BinaryIO:
    """What the gzip in `raw` holds; InputError once that is more than MOST_UNPACKED times its size, and more than FREELY."""
    import gzip

    stream, left = gzip.GzipFile(fileobj=raw), max(MOST_UNPACKED * os.fstat(raw.fileno()).st_size, FREELY)

    def some(size: int) -> bytes:
        nonlocal left
        piece = stream.read1(size)
        left -= len(piece)
        if left < 0:
            raise InputError(f"{shown}: a gzip of more than {MOST_UNPACKED} times its size; unpack it first")
        return piece

    return stream_of(some, PIECE)


def stream_of(some: Callable[[int], bytes], buffered: int = io.DEFAULT_BUFFER_SIZE) -> BinaryIO:
    """The bytes that `some` gives, up to so many at a time, as a stream; none end it."""
    return io.BufferedReader(_Pieces(some), buffered)


class _Pieces(io.RawIOBase):
    """A stream of what a function gives."""

    def __init__(self, some: Callable[[int], bytes]) -> None:
        self.some = some

    def readable(self) -> bool:
        """True: the stream is there to be read."""
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Fill the buffer; 0 at the end."""
        room = memoryview(buffer).cast("B")
        piece = self.some(len(room))
        room[: len(piece)] = piece
        return len(piece)


def files_meant(argument: str, usual: Callable[[Path], bool], holds: str, pipe: str) -> list[Path]:
    """The files that an argument means: one, those of a folder at any depth whose path in it is `usual`, or those of a glob.

    InputError where it means none: `holds` is what a folder should hold, `pipe` what to do with one, which would be read twice.
    """
    path, shown = Path(argument), repr(argument[:200])
    if argument == "-":
        raise InputError(f"FILES: '-' is no file, and standard input is not read here; {pipe}")
    if not argument.strip():
        raise InputError("FILES: '' names no file; a dot is the folder at hand")
    if path.is_file():
        return [path]
    if path.is_dir():
        every = (Path(folder, name) for folder, _, names in os.walk(path) for name in names)  # goes on where a folder is gone
        found = sorted(p for p in every if p.is_file() and usual(p.relative_to(path)))
    elif path.exists():
        raise InputError(f"FILES: {shown} is no file; {pipe}")
    else:
        matched = sorted(Path(p) for p in glob.glob(argument, recursive=True))  # noqa: PTH207 -- absolute globs
        found = [p for p in matched if p.is_file()]
        if not found:
            lost = [p for p in matched if p.is_symlink() and not p.exists()]
            why = f"; {lost[0]}: cannot be read: a link to no file" if lost else nearest_file(path)
            raise InputError(f"FILES: {shown} is not there{why}")
    if not found:
        raise InputError(f"FILES: {shown} is a folder without {holds}")
    return found


@cache
def packaged_rows(name: str) -> list[list[str]]:
    """The rows of `roi/<name>`, a CSV that comes with roi, without its head; nobody may change them."""
    text = (Path(__file__).parent / name).read_text(encoding="utf-8")
    return list(csv.reader(text.splitlines(), strict=True))[1:]


def lines_of(text: TextIO, longest: int, shown: str) -> Iterator[str]:
    """The lines of a text; InputError where one has more than `longest` characters, before it is read whole."""
    number = 0
    while line := text.readline(longest + 1):
        number += 1
        if len(line) > longest:
            raise InputError(f"{shown}: line {number} has more than {longest:,} characters")
        yield line


class GivenTwice(ValueError):
    """A key of a JSON object that is given twice."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:  # Any: JSON
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise GivenTwice(f"{twice[:60]!r} is given twice")
    return found


UNIQUE: Final = json.JSONDecoder(object_pairs_hook=_unique)
"""A decoder that raises GivenTwice, where json's own takes the last."""
_NUMBERS: Final = re.compile(r"\[[-+\d\s.,eEnul]{64,}\]")
"""Long lists of numbers, which nearly all of a server's profile is: hundreds of MiB."""


def parse_json(text: str) -> Any:  # Any: JSON
    """What a JSON document says. ValueError where it says a key twice (GivenTwice), or has more than MOST_VALUES values.

    RecursionError, in words, where it is nested too deeply.
    """
    if too_many_values(text):
        raise ValueError(TOO_MANY_VALUES)
    try:
        return UNIQUE.decode(text)
    except RecursionError:
        raise RecursionError("nested too deeply") from None


def check_unique(text: str) -> None:
    """GivenTwice where a JSON text, which a schema has read, gives a key twice; long rows of numbers are passed over."""
    UNIQUE.decode(_NUMBERS.sub("0", text))


def too_many_values(text: str) -> bool:
    """True where a JSON text has more than MOST_VALUES values, by its commas and brackets: read, it would fill the memory."""
    return len(text) > MOST_VALUES and sum(text.count(sign) for sign in ",[{") > MOST_VALUES


def pieces_of(path: Path) -> Iterator[bytes]:
    """The bytes of a file, piece by piece."""
    with open_to_read(path) as file:
        while piece := file.read(PIECE):
            yield piece


def replace_file(
    path: Path, content: Content, field: str = "--output", *, fresh: bool = False, private: bool = False
) -> None:
    """Put `content` into `path` atomically: a failure on the way leaves what was there before. Errors name `field`."""
    replace_files({path: content}, field, fresh=fresh, private=private)


def replace_in_folder(folder: Path, contents: Mapping[str, Content], field: str, *, fresh: bool = False) -> None:
    """Put each content into the file of that name in `folder`, which is made where it is not there."""
    made = not folder.exists()
    make_folder(folder, field)
    try:
        replace_files({folder / name: content for name, content in contents.items()}, field, fresh=fresh)
    except RoiError:
        if made:
            folder.rmdir()
        raise


def make_folder(folder: Path, field: str) -> None:
    """Make the folder, and those that it lies in, where they are not there; an InputError names `field` where it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = "it is a file" if isinstance(error, FileExistsError) else error.strerror
        raise InputError(f"{field}: cannot make the folder {folder}: {why}") from error


def replace_files(
    contents: Mapping[Path, Content], field: str, *, fresh: bool = False, private: bool = False
) -> None:
    """Put each content into its path; none takes its name before all are written. Errors name `field`.

    With `fresh` nothing may be there, also where it came meanwhile. What is `private` nobody but the user may read.

    Each goes to a temporary file in the same folder, then takes the name. A link is followed; a device or a pipe (/dev/null, a
    process substitution) is written to as it is.
    """
    try:
        _put(contents, field, fresh=fresh, private=private)
    except FileExistsError as error:
        raise InputError(f"{field}: {error.filename} is there already; give another name, or --force") from None


def add_file(path: Path, content: Content, field: str) -> None:
    """Put `content` into a file of this name, whole; FileExistsError where anything has the name, a link to nothing too."""
    if os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, "", str(path))
    _put({path: content}, field, fresh=True)


def _put(contents: Mapping[Path, Content], field: str, *, fresh: bool, private: bool = False) -> None:
    parts: list[tuple[Path, Path, BinaryIO]] = []
    at = next(iter(contents))
    try:
        for at, content in contents.items():
            target, part, file = _open_part(at, field, private=private)
            parts.append((part, target, file))
            _fill(file, content, sync=part != target)
        for part, target, file in parts:
            at = target
            if part == target:
                continue
            if sys.platform == "win32":
                file.close()  # it gives no open file a new name
            (_take_name if fresh else os.replace)(part, target)
    except (BrokenPipeError, FileExistsError):
        raise
    except OSError as error:
        left = "nothing was kept" if fresh else "what was there is unchanged"
        raise RoiError(f"{field}: writing {at} failed, {left}: {error.strerror}") from error
    finally:
        for part, target, file in parts:
            with suppress(OSError):  # a full disk was told already
                file.close()
            if part != target:  # a device is both
                part.unlink(missing_ok=True)


def _fill(file: BinaryIO, content: Content, *, sync: bool) -> None:
    pieces = (content,) if isinstance(content, (str, bytes)) else content
    file.writelines(piece if isinstance(piece, bytes) else piece.encode("utf-8", "backslashreplace") for piece in pieces)
    file.flush()
    if sync:
        os.fsync(file.fileno())


def _open_part(path: Path, field: str, *, private: bool) -> tuple[Path, Path, BinaryIO]:
    """What `path` stands for, the file that takes its place when it is whole, and that one open; a device is both itself."""
    try:
        target = path.resolve()
        mode = target.stat().st_mode if target.exists() else None
        if mode is not None and stat.S_ISDIR(mode):
            raise InputError(f"{field}: {path} is a directory; give a file name")
        if mode is not None and not stat.S_ISREG(mode):
            return target, target, os.fdopen(_open_at_last(target, os.O_WRONLY), "wb")
        _sweep(target.parent)
        while True:
            part = target.with_name(f".roi-{os.urandom(4).hex()}.part")
            granted = 0o600 if private else 0o666 if mode is None else stat.S_IMODE(mode)
            handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, granted)
            if _is_ours(handle, part):
                return target, part, os.fdopen(handle, "wb")
            os.close(handle)
    except (OSError, ValueError, RuntimeError) as error:  # a zero byte in a name; a loop of links
        why = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{field}: cannot write {path}: {why}") from error


def _is_ours(handle: int, part: Path) -> bool:
    """True once the new file is locked; False where another writer swept it before that. Some network shares lock nothing."""
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return part.exists()


def _sweep(folder: Path) -> None:
    """Remove what writers that were killed left in the folder. Those that live hold a lock on theirs."""
    if sys.platform == "win32":
        return
    with suppress(OSError):
        for part in [path for path in folder.iterdir() if PART.fullmatch(path.name)]:
            with suppress(OSError):
                handle = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    part.unlink()
                finally:
                    os.close(handle)


def _take_name(part: Path, target: Path) -> None:
    """Give a finished file its name; FileExistsError where somebody else has taken it meanwhile."""
    try:
        os.link(part, target)
    except FileExistsError:
        raise FileExistsError(errno.EEXIST, "", str(target)) from None
    except OSError:  # no hard links here (FAT, some network shares): an empty file holds the name until it is filled
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        try:
            part.replace(target)
        except OSError:
            target.unlink(missing_ok=True)
            raise
