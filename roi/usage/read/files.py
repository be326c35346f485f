"""Which files the user means: paths, folders, globs and standard input, each once; and where coding agents keep sessions."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from roi.disk import files_meant
from roi.errors import InputError

STDIN: Final = "-"
ENDINGS: Final = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".txt", ".log")
"""What a folder is searched for, each with .gz too."""
ZIP: Final = ".zip"
LARGEST_ZIP: Final = 1 << 33
"""Bytes of all files in a ZIP together, unpacked, as it says itself; more is never read out of it."""
MOST_MEMBERS: Final = 10_000
HOLDS: Final = f"{', '.join(ENDINGS)} or .gz files"


@dataclass(frozen=True)
class SourceFile:
    """One file to read."""

    path: Path | None
    """Path of the file; None: standard input."""
    shown: str
    """Name of the file in messages."""
    member: str | None = None
    """Name inside the ZIP that `path` is; None: the file itself."""


@dataclass(frozen=True)
class AgentFolder:
    """A folder of sessions."""

    agent: str
    shown: str
    """The folder as a person writes it, ~ for home."""
    files: tuple[SourceFile, ...]


def find_files(arguments: Sequence[str]) -> list[SourceFile]:
    """The files that the arguments mean, in order and each once.

    A folder is searched at every depth for the usual endings, hidden files left out. Raises InputError for an argument that
    means no file.
    """
    found: dict[tuple[Path, str | None], SourceFile] = {}
    stdin: list[SourceFile] = []
    for argument in arguments:
        if argument == STDIN:
            stdin = [SourceFile(None, "standard input")]
            continue
        for path in files_meant(argument, _usual, HOLDS, "for a pipe give - and what it says as standard input"):
            for file in _inside(path):
                found.setdefault((path.resolve() if path.exists() else path, file.member), file)
    if not stdin and not found:
        raise InputError("FILES: none given; name exports, folders or globs, or - for standard input")
    return [*stdin, *found.values()]


def _inside(path: Path) -> list[SourceFile]:
    """The file, or the members of a ZIP; InputError where they are too many or too large to be read."""
    if path.suffix.lower() != ZIP:
        return [SourceFile(path, str(path))]
    import zipfile

    try:
        with zipfile.ZipFile(path) as archive:
            members = [each for each in archive.infolist() if not each.is_dir() and _usual(Path(each.filename))
                       and not each.filename.startswith("__MACOSX")]
    except (zipfile.BadZipFile, OSError):
        raise InputError(f"{path}: a damaged ZIP: its list of files cannot be read") from None
    size = sum(each.file_size for each in members)
    if size > LARGEST_ZIP or len(members) > MOST_MEMBERS:
        raise InputError(f"{path}: a ZIP of {len(members):,} files and {size / 2**30:,.1f} GiB; unpack it, or give a smaller"
                         f" one (at most {MOST_MEMBERS:,} files and {LARGEST_ZIP >> 30} GiB)")
    if not members:
        raise InputError(f"{path}: a ZIP without {HOLDS}")
    return [SourceFile(path, f"{path}/{each.filename}", each.filename) for each in sorted(members, key=lambda x: x.filename)]


def _usual(path: Path) -> bool:
    """True for a file that is not hidden and has one of the endings."""
    name = path.name.lower().removesuffix(".gz")
    return not any(part.startswith(".") for part in path.parts) and name.endswith((*ENDINGS, ZIP))


def agent_folders() -> list[AgentFolder]:
    """The folders of coding agents that hold sessions; InputError with those that were looked into where none does.

    The names of files may be those of projects, so messages count them instead.
    """
    looked, found = [], []
    for agent, folder, pattern in _folders():
        shown = str(folder).replace(str(Path.home()), "~", 1)
        looked.append(shown)
        paths = sorted(path for path in folder.glob(pattern) if path.is_file()) if folder.is_dir() else []
        if paths:
            files = (SourceFile(path, f"{shown}, file {k} of {len(paths):,}") for k, path in enumerate(paths, start=1))
            found.append(AgentFolder(agent, shown, tuple(files)))
    if not found:
        raise InputError(f"--agents: no sessions in {', '.join(dict.fromkeys(looked))}")
    return found


def _folders() -> Iterator[tuple[str, Path, str]]:
    """(agent, folder, pattern of its files), as the agents' own documentation and settings say."""
    home = Path.home()
    for folder in os.environ.get("CLAUDE_CONFIG_DIR", f"{home / '.claude'},{home / '.config' / 'claude'}").split(","):
        yield "Claude Code", Path(folder.strip()) / "projects", "**/*.jsonl"
    codex = Path(os.environ.get("CODEX_HOME", str(home / ".codex")))
    yield "Codex CLI", codex / "sessions", "**/*.jsonl"
    yield "Codex CLI", codex / "archived_sessions", "**/*.jsonl"
    gemini = home / ".gemini" / "tmp"
    yield "Gemini CLI", gemini, "*/chats/**/*.json"
    yield "Gemini CLI", gemini, "*/chats/**/*.jsonl"
    opencode = Path(os.environ.get("XDG_DATA_HOME", str(home / ".local" / "share"))) / "opencode"
    yield "OpenCode", opencode, "opencode.db"
    if not (opencode / "opencode.db").is_file():  # which holds the older messages too
        yield "OpenCode", opencode / "storage" / "message", "*/*.json"
