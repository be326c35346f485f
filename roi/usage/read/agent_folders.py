"""Where coding agents keep their sessions on this machine, as their own documentation and settings say."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from roi.errors import InputError
from roi.usage.read.files import SourceFile


@dataclass(frozen=True)
class AgentFolder:
    """A folder of sessions."""

    agent: str
    shown: str
    """The folder as a person writes it, ~ for home."""
    files: tuple[SourceFile, ...]


def agent_folders() -> list[AgentFolder]:
    """The folders of coding agents that hold sessions; InputError with those that were looked into where none does.

    The names of files may be those of projects, so messages count them instead.
    """
    looked, found = [], []
    for agent, folder, pattern in _usual():
        shown = str(folder).replace(str(Path.home()), "~", 1)
        looked.append(shown)
        paths = sorted(path for path in folder.glob(pattern) if path.is_file()) if folder.is_dir() else []
        if paths:
            files = (SourceFile(path, f"{shown}, file {k} of {len(paths):,}") for k, path in enumerate(paths, start=1))
            found.append(AgentFolder(agent, shown, tuple(files)))
    if not found:
        raise InputError(f"--agents: no sessions in {', '.join(dict.fromkeys(looked))}")
    return found


def _usual() -> Iterator[tuple[str, Path, str]]:
    """(agent, folder, pattern of its files)."""
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
